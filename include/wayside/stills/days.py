"""The daily roll-up: for each camera of a source how many slots of a UTC day ended in which state.

Pages that look at weeks read these rows instead of every frame. A day may be rolled up as often as one likes: late
pictures and reprocessing change it, and the same tables give the same rows.
"""

from datetime import date, timedelta
from typing import Final

from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside.core.tables import CAMERA_DAYS, CAMERAS, COUNTS
from wayside.warehouse import sql
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

_STATEMENT: Final = "web/roll_up"
_STATES: Final = ("counted", "faulty", "missing", "failed", "waiting", "late")
# A day without any counts belongs to the pipelines that counted last, if that is not longer ago.
_PIPELINE_DAYS: Final = 7


def roll_up(warehouse: ParquetWarehouse, source: str, day: date, due: int = SLOTS_PER_DAY) -> int:
    """Publish the table `camera_days` of a source and day, for each pipeline; return the number of rows.

    The cameras are those that the source lists now and those with a row in `frames` or `counts` on that day. The
    pipelines are those with counts of that day, or else those that counted last in the week before: a day on which
    nothing was analysed shows as waiting or not run.

    Args:
        warehouse: the Parquet warehouse.
        source: name of the source.
        day: UTC day.
        due: how many slots of the day are counted, from midnight on: fewer than 144 while the day is not over.
    """
    pipelines = _pipelines(warehouse, source, day)
    # Whoever publishes last has read last, of those who roll up the same day after changes of their own.
    with locked(warehouse.root / "locks" / f"days-{source}"):
        return sum(_roll_up(warehouse, source, pipeline, day, due) for pipeline in pipelines)


def due_slots(day: date, newest: Slot) -> int:
    """Return how many slots of a day are due when `newest` is the last slot that can be there: 0 to 144."""
    first = next(Slot.of_day(day))
    return max(0, min(SLOTS_PER_DAY, int((newest.end - first.start) / (first.end - first.start))))


def _pipelines(warehouse: ParquetWarehouse, source: str, day: date) -> list[str]:
    for back in range(_PIPELINE_DAYS + 1):
        scopes = warehouse.scopes(COUNTS, [source], [f"{day - timedelta(days=back):%Y%m%d}"])
        if scopes:
            return sorted({scope.pipeline for scope in scopes if scope.pipeline})
    return []


def _roll_up(warehouse: ParquetWarehouse, source: str, pipeline: str, day: date, due: int) -> int:
    found = _numbers(warehouse, source, pipeline, day, due) if due else {}
    cameras = {*found, *warehouse.read(CAMERAS, Scope(source))["camera"].to_pylist()}
    nothing = {"slots": 0, **dict.fromkeys(_STATES, 0)}
    rows = []
    for camera in cameras:
        numbers = found.get(camera, nothing)
        row: Row = {"source": source, "camera": camera, "pipeline": pipeline, "day": day}
        row |= {state: numbers[state] for state in _STATES}
        rows.append({**row, "not_run": due - numbers["slots"]})
    return warehouse.publish(CAMERA_DAYS, Scope(source, pipeline=pipeline, day=day), to_arrow(CAMERA_DAYS, rows))


def _numbers(warehouse: ParquetWarehouse, source: str, pipeline: str, day: date, due: int) -> dict[str, Row]:
    """Return the numbers of each camera that has a row on the day."""
    first = next(Slot.of_day(day))
    values = {"source": source, "pipeline": pipeline, "first": first.start, "last": first.shift(due - 1).start}
    with warehouse.connect([source], [first.day], [pipeline], sql.tables(_STATEMENT)) as connection:
        answer = connection.sql(sql.for_duckdb(_STATEMENT), params=values).to_arrow_table()
    return {row["camera"]: row for row in answer.to_pylist()}
