"""Counts over time: by the minute, hour and day, the events themselves, journeys between zones, and lengths of stay.

Hours and days are made of the minutes by SQL when somebody asks; they are stored nowhere and so are never stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import pyarrow as pa

from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.errors import QuestionError
from wayside.zones.processor import Processor
from wayside.zones.times import days_between

Row = dict[str, Any]
What = Literal["minutes", "hours", "days", "events", "journeys", "stays"]

WHATS: Final[tuple[str, ...]] = What.__args__  # type: ignore[attr-defined]
MOST_DAYS: Final[Mapping[str, int]] = {"minutes": 400, "events": 400, "journeys": 400, "stays": 400}
"""Longest time that is told of; of hours and days ten years."""
_TEN_YEARS: Final = 3660
_STATEMENTS: Final = {"events": "events_of"}
_AROUND: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A time: `start` belongs to it, `stop` does not; both are UTC."""

    start: datetime
    stop: datetime


def counts_over(
    lake: ParquetWarehouse, processor: Processor, what: What, period: Period, *, version: int | None = None
) -> pa.Table:
    """Return counts of a time.

    Args:
        lake: the tables.
        processor: whose.
        what: minutes, hours, days: rows by zone and class, `*` for all of them; events; journeys: how many went from
            which zone to which; stays: how long they were inside.
        period: the time.
        version: only what this version of the zones counted; None: of each day the newest that counted it.

    Returns:
        A table in the order of time, zone and class; sums are int64.

    Raises:
        QuestionError: bad_range, where the time is not one, or longer than `MOST_DAYS` allow.
    """
    _check(what, period)
    first, last = (period.start - _AROUND).date(), (period.stop + _AROUND).date()
    name = f"zones/{_STATEMENTS.get(what, what)}"
    values = {
        "source": processor.source,
        "camera": processor.camera,
        "processor": processor.number,
        "version": version,
        "first_day": first,
        "last_day": last,
        "start": period.start,
        "stop": period.stop,
    }
    days = days_between(first, last)
    with lake.connect([processor.source], days, tables=sql.tables(name), cameras=[processor.camera]) as connection:
        return _plain(connection.sql(sql.for_duckdb(name), params=values).to_arrow_table())


def _check(what: str, period: Period) -> None:
    if what not in WHATS:
        raise QuestionError("bad_range", f"there are no {what!r}: {', '.join(WHATS)}")
    if period.stop <= period.start:
        raise QuestionError("bad_range", "the time ends before it begins, or where it begins")
    most = MOST_DAYS.get(what, _TEN_YEARS)
    if period.stop - period.start > timedelta(days=most):
        raise QuestionError("bad_range", f"{what} are told of {most} days at most")


def _plain(table: pa.Table) -> pa.Table:
    """Return whole numbers as int64: DuckDB's sums of integers are decimals in Arrow."""
    fields = [pa.field(one.name, pa.int64()) if pa.types.is_decimal(one.type) else one for one in table.schema]
    return table.cast(pa.schema(fields))
