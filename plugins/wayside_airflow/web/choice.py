"""What the user chose in the header of a page, checked, with defaults where nothing was chosen.

Names and slots go into paths, so each is validated before anything is opened; a source that is not listed is refused.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.ids import pipeline_id, source_id
from wayside.core.slots import FIRST_YEAR, LAST_YEAR, SLOTS_PER_DAY, Slot
from wayside_airflow.web import queries
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.queries import Lens

# A year of ten-minute slots is a question for the warehouse, not for a page.
LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class Choice:
    """The source and pipeline that a page is about, the others on offer, the newest slot and the source's credit."""

    sources: tuple[str, ...]
    lens: Lens | None
    pipelines: tuple[str, ...]
    latest: Slot | None
    attribution: str | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The choice as query parameters, for links between the pages."""
        if self.lens is None:
            return {}
        # The newest pipeline is the default: links stay short and follow it when it changes.
        default = self.lens.pipeline is None or self.lens.pipeline == self.pipelines[0]
        return {"source": self.lens.source, "pipeline": None if default else self.lens.pipeline}

    def need(self) -> tuple[Lens, Slot]:
        """Return lens and newest slot; raise 404 where nothing has been fetched yet."""
        if self.lens is None or self.latest is None:
            raise HTTPException(404, "nothing has been fetched yet: trigger ingest_cameras")
        return self.lens, self.latest


def choose(warehouse: Warehouse, source: str | None = None, pipeline: str | None = None) -> Choice:
    """Read source and pipeline from the query string; empty means the source and pipeline counted last."""
    credit_of = {row["source"]: row["attribution"] for row in queries.sources(warehouse)}
    listed = tuple(credit_of)
    if source and source_id(source) not in listed:
        raise HTTPException(404, f"no source is called {source}")
    chosen = source or _counted_last(warehouse, listed)
    if chosen is None:
        return Choice(listed, None, (), None)
    found = queries.newest(warehouse, chosen, utc_now().date(), pipeline_id(pipeline) if pipeline else None)
    others = queries.newest(warehouse, chosen, utc_now().date()) if pipeline else found
    if pipeline and (found is None or pipeline not in found.pipelines):
        raise HTTPException(404, f"source {chosen} has no counts of pipeline {pipeline}")
    offered = dict.fromkeys((*(others.pipelines if others else ()), *(found.pipelines if found else ())))
    lens = Lens(chosen, pipeline or (found.pipelines[0] if found and found.pipelines else None))
    return Choice(listed, lens, tuple(offered), found.slot if found else None, credit_of[chosen])


def _counted_last(warehouse: Warehouse, listed: tuple[str, ...]) -> str | None:
    """Return the source with the newest counts, of equals the first; the first of all if none is counted."""
    found = {name: queries.newest(warehouse, name, utc_now().date()) for name in listed}
    counted = {name: newest.slot for name, newest in found.items() if newest and newest.pipelines}
    return max(counted, key=counted.__getitem__) if counted else next(iter(listed), None)


Chosen = Annotated[Choice, Depends(choose)]


def slot_of(choice: Choice, slot: str | None, day: str | None = None, time: str | None = None) -> Slot:
    """Return the chosen slot: `slot`, or `day` and `time` as the pickers send them, or the newest."""
    _, latest = choice.need()
    if slot:
        return Slot.parse(slot)
    if day:
        return Slot.parse(f"{day_of(day)}T{time or latest.start.strftime('%H:%M')}Z")
    return latest


def day_of(text: str) -> date:
    """Read a day, `2020-05-01` or `20200501`, in the years that slots have; raise `ConfigError` otherwise."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a day: write 2020-05-01") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ConfigError(f"{text} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def first_slot(day: date) -> Slot:
    """Return the first slot of a UTC day."""
    return Slot(datetime(day.year, day.month, day.day, tzinfo=UTC))


def span_of(latest: Slot, span: str, first: str | None, last: str | None) -> tuple[Slot, Slot]:
    """Return the first and last slot of a span: `24h` and `7d` end at the newest slot, `custom` names two days."""
    if span == "custom":
        end = first_slot(day_of(last)) if last else first_slot(latest.start.date())
        begin = first_slot(day_of(first)) if first else end
        if begin > end or end.start - begin.start >= LONGEST:
            raise ConfigError(f"choose a first day that is before the last, and at most {LONGEST.days} days")
        return begin, end.shift(SLOTS_PER_DAY - 1)
    steps = {"24h": SLOTS_PER_DAY, "7d": 7 * SLOTS_PER_DAY}.get(span)
    if steps is None:
        raise ConfigError(f"{span!r} is not a range: choose 24h, 7d or custom")
    return latest.shift(1 - steps), latest
