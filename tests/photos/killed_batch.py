"""Batches that are killed: `python -m tests.photos.killed_batch FOLDER SEED KILLS PICTURES`.

Does a batch undisturbed in FOLDER/undisturbed and counts what it does to the disk. Then, once for each of KILLS
instants drawn with SEED, does the same in a folder of its own with a process that kills itself (SIGKILL) right before
that step, and then with one that runs to the end. Prints the instants as JSON.
"""

import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from tests.photos.inbox import RedFinder, fill_inbox, job, photo
from tests.stills.killed_run import forked

from wayside.core.settings import Settings
from wayside.photos.batch import Batch

NOW = datetime(2026, 6, 16, 12, tzinfo=UTC)
WHEN = 1_780_000_000


def inbox(folder: Path, pictures: int) -> None:
    """The same pictures, of the same age, in each folder."""
    names = {f"{number // 25:02}/photo_{number:03}.jpg": photo(number, (96, 64)) for number in range(pictures)}
    fill_inbox(folder / "in", names)
    for name in names:
        os.utime(folder / "in" / name, (WHEN, WHEN))


def run_batch(folder: Path) -> None:
    """Plan, do and publish, with a clock that stands still."""
    settings = Settings(state=folder / "state", workers=1, device="cpu", _env_file=None)
    one = job(folder, archive=True, delete_input=True, previews=("output",), shard_pictures=40)
    work = Batch(settings, one, finder=RedFinder(), clock=lambda: NOW)
    for shard in work.plan().shards:
        for _ in work.do(shard):
            pass
    work.publish()


def main(folder: str, seed: str, kills: str, pictures: str) -> None:
    signal.alarm(600)  # a run that never comes back must not hold up the tests

    def run(name: str, instant: int = 0) -> int:
        return forked(Path(folder, name), lambda: run_batch(Path(folder, name)), instant)

    inbox(Path(folder, "undisturbed"), int(pictures))
    steps = run("undisturbed")
    instants = sorted(random.Random(int(seed)).sample(range(1, steps + 1), int(kills)))
    ended = []
    for at in instants:
        name = f"step_{at}"  # a bare number would be the county of the pictures below it
        inbox(Path(folder, name), int(pictures))
        ended.append((run(name, at), run(name)))
    json.dump({"steps": steps, "instants": instants, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
