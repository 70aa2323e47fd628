"""What is published of a stretch of slots, in the few columns that those need who look for gaps in it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from wayside.core.slots import Slot
from wayside.core.tables import COUNTS
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse, Row


def slots_over(now: datetime, day: date) -> list[Slot]:
    """Return the slots of a day that live runs are done with: those that are over, and so is the next one."""
    last = Slot.floor(now).shift(-2)
    return [slot for slot in Slot.of_day(day) if slot <= last]


def days_between(first: Slot, last: Slot) -> list[str]:
    """Return the days (`YYYYMMDD`) that slots from `first` to `last` touch."""
    number = (last.start.date() - first.start.date()).days + 1
    return [f"{first.start.date() + timedelta(days=step):%Y%m%d}" for step in range(number)]


def frames_between(
    warehouse: ParquetWarehouse, source: str, first: Slot, last: Slot, cameras: Sequence[str] | None = None
) -> dict[Slot, dict[str, Row]]:
    """Return status, reason, hash and size of the frames from `first` to `last`, by slot and camera."""
    found: defaultdict[Slot, dict[str, Row]] = defaultdict(dict)
    for row in _ask(warehouse, "frames_between", source, None, first, last, cameras):
        found[Slot(row["slot"])][row["camera"]] = row
    return found


def counted_between(
    warehouse: ParquetWarehouse,
    source: str,
    pipeline: str,
    first: Slot,
    last: Slot,
    cameras: Sequence[str] | None = None,
) -> dict[Slot, dict[str, bool]]:
    """Return which stills from `first` to `last` have a row in `counts`, by slot and camera; True for a faulty one."""
    found: defaultdict[Slot, dict[str, bool]] = defaultdict(dict)
    for row in _ask(warehouse, "counts_between", source, pipeline, first, last, cameras):
        found[Slot(row["slot"])][row["camera"]] = row["faulty"]
    return found


def cameras_between(warehouse: ParquetWarehouse, source: str, first: Slot, last: Slot) -> set[str]:
    """Return the cameras that have a frame from `first` to `last`."""
    rows = _ask(warehouse, "cameras_between", source, None, first, last, None)
    return {row["camera"] for row in rows}


def pipelines_between(warehouse: ParquetWarehouse, source: str, first: Slot, last: Slot) -> set[str]:
    """Return the pipelines that have counts of a source on the days of a stretch of slots."""
    scopes = warehouse.scopes(COUNTS, [source], days_between(first, last))
    return {scope.pipeline for scope in scopes if scope.pipeline is not None}


def _ask(
    warehouse: ParquetWarehouse,
    question: str,
    source: str,
    pipeline: str | None,
    first: Slot,
    last: Slot,
    cameras: Iterable[str] | None,
) -> list[dict[str, Any]]:
    name = f"stills/{question}"
    given = {
        "source": source,
        "pipeline": pipeline,
        "first": first.start,
        "last": last.start,
        "every_camera": cameras is None,
        "cameras": list(cameras or [""]),  # an empty list has no type
    }
    values = {key: value for key, value in given.items() if key in sql.parameters(name)}
    with warehouse.connect([source], days_between(first, last), [pipeline] if pipeline else None) as database:
        return sql.ask(database, name, values)
