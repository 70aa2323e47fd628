"""Several processes that do the same thing at the same instant: `python -m tests.racers store|publish FOLDER NUMBER`.

A script of its own, so that it can fork: the test process has threads by then. Prints what each racer was told, as
one JSON list.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wayside.core.errors import WaysideError

START = datetime(2026, 6, 16, 7, tzinfo=UTC)


def race_store(folder: Path, number: int) -> object:
    """Create one picture, of a kind and with a time of one's own; return whether it was the first."""
    from wayside.store import LocalStore, PictureMeta

    meta = PictureMeta(fetched_at=START + timedelta(seconds=number), http_status=200)
    return LocalStore(folder).create("Race/20260616/0700/c1.jpg", f"picture {number}".encode() * 5000, meta)


def race_publish(folder: Path, number: int) -> object:
    """Publish one scope ten times, with cameras of one's own name."""
    from tests.tables import count_rows

    from wayside.core.slots import Slot
    from wayside.core.tables import COUNTS
    from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
    from wayside.warehouse.scope import Scope

    scope, warehouse = Scope("Race", Slot(START), "StubV1"), ParquetWarehouse(folder)
    rows = to_arrow(COUNTS, count_rows(scope, [f"racer{number}-{camera}" for camera in range(50)], car=number))
    return [warehouse.publish(COUNTS, scope, rows) for _ in range(10)]


RACES: dict[str, Callable[[Path, int], object]] = {"store": race_store, "publish": race_publish}


def main(race: str, folder: str, number: str) -> None:
    signal.alarm(60)  # a racer that never comes back must not hold up the tests
    work, racers = RACES[race], int(number)
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(racers), context.SimpleQueue()

    def run(me: int) -> None:
        barrier.wait()
        try:
            answers.put((me, work(Path(folder), me)))
        except WaysideError as error:
            answers.put((me, repr(error)))

    processes = [context.Process(target=run, args=(me,)) for me in range(racers)]
    for process in processes:
        process.start()
    told = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()
    json.dump([told[me] for me in range(racers)], sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
