"""Runs that are killed: `python -m tests.stills.killed_run FOLDER URL SEED KILLS`.

Runs three slots of the peer at URL undisturbed, in FOLDER/undisturbed, and counts what it does to the disk. Then, once
for each of KILLS instants drawn with SEED, it does the same in a folder of its own with a process that kills itself
(SIGKILL, no clean-up of any kind) right before that step, and then with one that runs to the end. Prints the instants
as JSON. A script of its own, so that it can fork: the test process has threads by then.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import sys
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from tests.peers.jamcams import START
from tests.stubs import pipeline

from wayside.core.settings import Settings
from wayside.stills.ingest import Ingest

SLOTS = 3
STEPS = frozenset({"open", "os.link", "os.rename", "os.remove", "os.mkdir"})


def run_slots(state: Path, url: str) -> None:
    """Run slot after slot, each with a clock that stands still."""
    settings = Settings(state=state, fetch_backoff=0.0001, workers=2, device="cpu", shard_cameras=8, _env_file=None)
    for slot in (START.shift(step) for step in range(SLOTS)):
        urllib.request.urlopen(f"{url}/at?slot={slot}", timeout=10).close()
        now = slot.start + timedelta(seconds=20)
        work = Ingest(settings, clock=lambda now=now: now)
        asyncio.run(work.run_slot("Demo-city", slot, pipeline(settings)))


def count_steps(state: Path, instant: int) -> "itertools.count[int]":
    """Count what this process does below `state` from here on, and kill it at the given step, if it gets there."""
    steps, done = itertools.count(1), itertools.count(1)

    def step() -> None:
        next(done)
        if next(steps) == instant:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in STEPS and str(arguments[0]).startswith(str(state)):
            step()

    flush = os.fsync

    def fsync(descriptor: int) -> None:
        step()
        flush(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)
    return done


def forked(state: Path, work: Callable[[], object], instant: int = 0) -> int:
    """Do something in a process of its own; return how it ended, or how many steps it took."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as answer:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(answer.read() or 0)
    try:
        steps = count_steps(state, instant)
        work()
        os.write(writing, str(next(steps) - 1).encode())
        os._exit(0)
    finally:
        os._exit(1)


def main(folder: str, url: str, seed: str, kills: str) -> None:
    signal.alarm(100)  # a run that never comes back must not hold up the tests
    os.environ["WAYSIDE_DEMO_URL"] = url

    def run(name: object, instant: int = 0) -> int:
        state = Path(folder, str(name))
        return forked(state, lambda: run_slots(state, url), instant)

    steps = run("undisturbed")
    instants = sorted(random.Random(int(seed)).sample(range(1, steps + 1), int(kills)))
    ended = [(run(at, at), run(at)) for at in instants]
    json.dump({"steps": steps, "instants": instants, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
