"""The data behind the pages as JSON; other programs with an Airflow token may use it too."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from wayside.core.clock import utc_now
from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen, day_of, first_slot
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.grid import Coverage
from wayside_airflow.web.queries import Row
from wayside_airflow.web.series import Counts

router = APIRouter()

# Up to this many slots the page gets every slot, beyond it the mean of each hour.
_FINE = 2 * SLOTS_PER_DAY


@router.get("/health")
def health(warehouse: Warehouse) -> dict[str, Any]:
    """Tell that the pages can read the tables, and how new each source is."""
    listed = []
    for row in queries.sources(warehouse):
        found = queries.newest(warehouse, row["source"], utc_now().date())
        listed.append({**row, "newest": str(found.slot) if found else None})
    return {"status": "ok", "sources": listed}


@router.get("/api/cameras")
def cameras(warehouse: Warehouse, choice: Chosen) -> dict[str, Any]:
    """List the cameras of a source."""
    lens, _ = choice.need()
    return {"source": lens.source, "cameras": queries.camera_names(warehouse, lens)}


@router.get("/api/counts")
def counts(series: Counts) -> dict[str, Any]:
    """Give objects seen at each slot, by class; over more than two days the mean of each hour."""
    from wayside.core.tables import COUNT_CLASSES

    first, last, rows = series
    slots = list(Slot.between(first, last))
    step = 10 if len(slots) <= _FINE else 60
    known = {row["slot"]: row for row in rows}
    found: list[Row] = [known.get(slot.start, {}) for slot in slots]
    columns = {name: [row.get(name) for row in found] for name in ("cameras", "counted", *COUNT_CLASSES)}
    if step == 60:
        hours = _hours(slots)
        columns = {name: [_mean(values[hour]) for hour in hours] for name, values in columns.items()}
        slots = [slots[hour.start] for hour in hours]
    seen = [name for name in COUNT_CLASSES if any(value is not None for value in columns[name])]
    return {
        "first": _iso(first),
        "last": _iso(last),
        "step_minutes": step,
        "times": [_iso(slot) for slot in slots],
        "cameras": columns["cameras"],
        "counted": columns["counted"],
        "classes": {name: columns[name] for name in seen},
    }


@router.get("/api/coverage")
def coverage(warehouse: Warehouse, choice: Chosen, day: str | None = None) -> JSONResponse:
    """Give a day of outcomes: for each camera a string of 144 letters, and what each letter means."""
    lens, latest = choice.need()
    first = first_slot(day_of(day) if day else latest.start.date())
    # Slots after the newest one are not late: they have not come yet.
    due = min(max((latest.start - first.start) // (latest.end - latest.start) + 1, 0), SLOTS_PER_DAY)
    found = Coverage.of(queries.coverage(warehouse, lens, first), queries.camera_names(warehouse, lens), first, due)
    answer = {"source": lens.source, "day": first.start.date().isoformat(), "due": due, **found.as_json()}
    # Made here: FastAPI would first walk through all of it to find out what it is.
    return JSONResponse(answer)


def _hours(slots: list[Slot]) -> list[slice]:
    """Return where the slots of each UTC hour lie."""
    starts = [number for number, slot in enumerate(slots) if number == 0 or slot.start.minute == 0]
    return [slice(start, end) for start, end in pairwise((*starts, len(slots)))]


def _mean(values: Iterable[int | None]) -> float | None:
    """Average what is known; None where nothing is."""
    listed = [value for value in values if value is not None]
    return round(sum(listed) / len(listed), 1) if listed else None


def _iso(slot: Slot) -> str:
    return slot.start.strftime("%Y-%m-%dT%H:%MZ")
