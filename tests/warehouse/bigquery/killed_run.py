"""Deliveries that are killed: `python -m tests.warehouse.bigquery.killed_run FOLDER URL SEED KILLS`.

Publishes two rounds of scopes in FOLDER/undisturbed and delivers each to the BigQuery peer at URL, into the dataset
`undisturbed`, and counts what that does to the disk and says to the peer. Then, once for each of KILLS instants drawn
with SEED, it does the same into a dataset of its own with a process that kills itself (SIGKILL) right before that step,
and then with one that runs to the end. A step is a change on the disk, a request, or the wait for its answer. Prints
the instants as JSON. A script of its own, so that it can fork: the test process has threads by then.
"""

import http.client
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from tests.warehouse.bigquery.rounds import LAST_ROUND, publish_round

from wayside.core.tables import CAMERAS, COUNTS
from wayside.warehouse.bigquery import BigQueryTarget
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse

TABLES = (CAMERAS, COUNTS)
CHANGES = frozenset({"open", "os.link", "os.rename", "os.remove", "os.mkdir"})


def run_rounds(folder: Path, client: bigquery.Client) -> None:
    """Publish and deliver, round after round, as runs of a DAG would."""
    target = BigQueryTarget(client, "p", folder.name, "EU", retry=None)
    for number in range(LAST_ROUND + 1):
        lake = ParquetWarehouse(folder, outbox=True)
        publish_round(lake, number)
        deliver(lake.outbox, lake, target, TABLES)


def count_steps(folder: Path, instant: int) -> "itertools.count[int]":
    """Count what this process does from here on, and kill it at the given step, if it gets there."""
    steps, done = itertools.count(1), itertools.count(1)

    def step() -> None:
        next(done)
        if next(steps) == instant:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "http.client.send" or (event in CHANGES and str(arguments[0]).startswith(str(folder))):
            step()

    def stepping(call: Callable[..., object]) -> Callable[..., object]:
        def stepped(*arguments: object, **named: object) -> object:
            step()
            return call(*arguments, **named)

        return stepped

    os.fsync = stepping(os.fsync)
    http.client.HTTPConnection.getresponse = stepping(http.client.HTTPConnection.getresponse)  # type: ignore[method-assign]
    sys.addaudithook(hook)
    return done


def forked(folder: Path, url: str, instant: int = 0) -> int:
    """Run the rounds in a process of its own; return how it ended, or how many steps it took."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as answer:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(answer.read() or 0)
    try:
        options = ClientOptions(api_endpoint=url)
        client = bigquery.Client("p", credentials=AnonymousCredentials(), client_options=options)
        steps = count_steps(folder, instant)
        run_rounds(folder, client)
        os.write(writing, str(next(steps) - 1).encode())
        os._exit(0)
    finally:
        os._exit(1)


def main(folder: str, url: str, seed: str, kills: str) -> None:
    signal.alarm(150)  # a run that never comes back must not hold up the tests
    steps = forked(Path(folder, "undisturbed"), url)
    instants = sorted(random.Random(int(seed)).sample(range(1, steps + 1), int(kills)))
    places = [(at, Path(folder, f"killed_{at}")) for at in instants]
    ended = [(forked(place, url, at), forked(place, url)) for at, place in places]
    json.dump({"steps": steps, "instants": instants, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
