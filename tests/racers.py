"""Several processes that do the same thing at the same instant: `python -m tests.racers RACE FOLDER NUMBER`.

A script of its own, so that it can fork: the test process has threads by then. Prints what each racer was told, as
one JSON list.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.tables import count_rows

from wayside.core.errors import WaysideError
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS
from wayside.store import LocalStore, PictureMeta
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

START = datetime(2026, 6, 16, 7, tzinfo=UTC)
Work = Callable[[], object]


def storer(folder: Path, number: int) -> Work:
    """Create one picture, of a kind and with a time of one's own; tell whether it was the first."""
    meta = PictureMeta(fetched_at=START + timedelta(seconds=number), http_status=200)
    data = f"picture {number}".encode() * 5000
    return lambda: LocalStore(folder).create("Race/20260616/0700/c1.jpg", data, meta)


def replacer(folder: Path, number: int) -> Work:
    """Replace one picture that is there by a picture of one's own; tell whether it was the first."""
    meta = PictureMeta(fetched_at=START + timedelta(seconds=number), http_status=200)
    store, data = LocalStore(folder), f"picture {number}".encode() * 5000
    (key,) = store.keys("Race")
    before = store.read(key)
    assert before is not None
    return lambda: store.replace(key, data, meta, before.sha256)


def publisher(folder: Path, number: int) -> Work:
    """Publish one scope ten times, with cameras of one's own name."""
    scope, warehouse = Scope("Race", Slot(START), "StubV1"), ParquetWarehouse(folder)
    rows = to_arrow(COUNTS, count_rows(scope, [f"racer{number}-{camera}" for camera in range(50)], car=number))
    return lambda: [warehouse.publish(COUNTS, scope, rows) for _ in range(10)]


def compactor(folder: Path, number: int) -> Work:
    """Publish five slots of one's own ten times, and compact the day each time."""
    warehouse, first = ParquetWarehouse(folder), Slot.parse("20260616T0000Z").shift(number * 5)

    def work() -> int:
        for car in range(10):
            for step in range(5):
                scope = Scope("Race", first.shift(step), "StubV1")
                warehouse.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a", "b"], car=car)))
            warehouse.compact(date(2026, 6, 17))
        return 10

    return work


RACES: dict[str, Callable[[Path, int], Work]] = {
    "store": storer,
    "replace": replacer,
    "publish": publisher,
    "compact": compactor,
}


def main(race: str, folder: str, number: str) -> None:
    signal.alarm(60)  # a racer that never comes back must not hold up the tests
    racers = [RACES[race](Path(folder), me) for me in range(int(number))]
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(len(racers)), context.SimpleQueue()

    def run(me: int) -> None:
        barrier.wait()
        try:
            answers.put((me, racers[me]()))
        except WaysideError as error:
            answers.put((me, repr(error)))

    processes = [context.Process(target=run, args=(me,)) for me in range(len(racers))]
    for process in processes:
        process.start()
    told = dict(answers.get() for _ in processes)
    for process in processes:
        process.join()
    json.dump([told[me] for me in range(len(racers))], sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
