"""Publishers of receipts, killed and racing: `python -m tests.photos.publish_receipts FOLDER killed|racing`.

`killed` publishes receipts in a process that kills itself (SIGKILL, no clean-up of any kind) right before its n-th
step on the disk, and then once more in one that runs to its end, for every n that there is; prints how they ended.
`racing` starts several that publish at the same instant, some of them the same receipts. A script of its own, so that
it can fork: the test process has threads by then.
"""

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from tests.privacy.receipted import NOON, SOURCE, receipt
from tests.stills.killed_run import count_steps

from wayside.photos.receipts import publish_receipts
from wayside.warehouse.parquet import ParquetWarehouse

RACERS, ROUNDS = 4, 3


def publish(folder: Path, first: int, count: int, days: int = 0) -> int:
    some = [receipt(number) for number in range(first, first + count)]
    return publish_receipts(ParquetWarehouse(folder), SOURCE, some, NOON + timedelta(days=days))


def forked(work: Callable[[], object]) -> int:
    """Start a process that does something; return its number."""
    if child := os.fork():
        return child
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(root: Path) -> list[tuple[int, int]]:
    """Return for each step how the killed one and the one after it ended."""
    told = []
    for instant in itertools.count(1):
        folder = root / str(instant)
        publish(folder, 0, 3)  # a chain that is there already: yesterday's, and today's beginning
        publish(folder, 3, 2, days=1)

        def work(folder: Path = folder, instant: int = instant) -> None:
            count_steps(folder, instant)
            publish(folder, 4, 4, days=1)

        first = ended(forked(work))
        told.append((first, ended(forked(lambda folder=folder: publish(folder, 4, 4, days=1)))))
        if first == 0:
            return told
    raise AssertionError


def racing(root: Path) -> list[int]:
    """Let each publish receipts of its own and some that all have; return how they ended."""
    reading, writing = os.pipe()

    def work(me: int) -> None:
        os.close(writing)
        os.read(reading, 1)  # until the starter lets go
        for turn in range(ROUNDS):
            publish(root, 100 * me + 10 * turn, 5)
            publish(root, 1000 + turn, 3)

    racers = [forked(lambda me=me: work(me)) for me in range(RACERS)]
    os.close(writing)
    return [ended(racer) for racer in racers]


if __name__ == "__main__":
    signal.alarm(60)  # one that never comes back must not hold up the tests
    json.dump({"killed": killed, "racing": racing}[sys.argv[2]](Path(sys.argv[1])), sys.stdout)
