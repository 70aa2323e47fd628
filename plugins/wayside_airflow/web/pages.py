"""The pages: cameras, one camera, counts, coverage and shards. Each is filled on the server and works without a script.

Counts and coverage draw their data in the browser from `/api/…`, so that changing a filter there costs no new page.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from wayside.core.clock import utc_now
from wayside.core.ids import camera_id
from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside_airflow.web import queries
from wayside_airflow.web.cards import ATTENTION, STATES, Card, card, matches, with_boxes
from wayside_airflow.web.choice import Choice, Chosen, day_of, slot_of, span_of
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.series import FIRST_SHOWN

router = APIRouter()

PER_PAGE = 48
# Minutes after the end of the newest slot before the page remarks on it.
_USUAL_DELAY = 30
Health = Literal["", "counted", "faulty", "missing", "failed", "waiting", "not_run", "attention"]
Span = Literal["24h", "7d", "custom", "daily"]


@router.get("/")
def home(request: Request) -> RedirectResponse:
    """Lead to the first page."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/cameras")


@router.get("/cameras")
def cameras(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    slot: str | None = None,
    day: str | None = None,
    time: str | None = None,
    health: Health = "",
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Show the cameras of a source at one slot as a grid of pictures."""
    if choice.lens is None or choice.latest is None:
        return _empty(request, choice, "cameras")
    when = slot_of(choice, slot, day, time)
    everyone = _cards(warehouse, choice, when)
    grid = _grid(warehouse, choice, [one for one in everyone if matches(one, health, q.strip().casefold())], page)
    values = {
        **_common(choice, "cameras"),
        **grid,
        **_slot_values(choice, when),
        "health": health,
        "q": q,
        "totals": _totals(everyone),
        "everyone": len(everyone),
        "filters": {
            **choice.query,
            "slot": None if when == choice.latest else when,
            "health": health,
            "q": q,
        },
    }
    return render(request, "cameras.html", values)


@router.get("/shards")
def shard(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    slot: str,
    part: Annotated[int, Query(ge=0)],
    parts: Annotated[int, Query(ge=1, le=10_000)],
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Show the cameras of one shard of one slot: where the link on a task instance leads. `part` counts from 0."""
    from wayside.stills.plan import chunk

    lens, _ = choice.need()
    when = Slot.parse(slot)
    if part >= parts:
        raise HTTPException(422, f"there is no part {part} of {parts}: the first is 0, the last {parts - 1}")
    own = set(chunk(queries.frame_cameras(warehouse, lens, when), part, parts))
    cards = [one for one in _cards(warehouse, choice, when) if one.camera in own]
    values = {
        **_common(choice, "shards"),
        **_grid(warehouse, choice, cards, page),
        **_slot_values(choice, when),
        "part": part,
        "parts": parts,
        "totals": _totals(cards),
        "filters": {**choice.query, "slot": when, "part": part, "parts": parts},
    }
    return render(request, "shard.html", values)


@router.get("/cameras/{source}/{camera}")
def one_camera(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    camera: str,
    slot: str | None = None,
    day: str | None = None,
    time: str | None = None,
) -> HTMLResponse:
    """Show one camera at one slot: the picture with its boxes, and what happened in the 24 hours before."""
    from wayside.core.tables import COUNT_CLASSES

    lens, latest = choice.need()
    when = slot_of(choice, slot, day, time)
    # The day that the page tells about ends at the newest slot while the user walks inside it, else at the chosen one.
    last = latest if latest.shift(1 - SLOTS_PER_DAY) <= when <= latest else when
    first = last.shift(1 - SLOTS_PER_DAY)
    history = queries.camera_history(warehouse, lens, camera_id(camera), first, last)
    place = queries.camera(warehouse, lens, camera)
    if place is None and not history:
        raise HTTPException(404, f"source {lens.source} has no camera {camera}")
    outcomes = {Slot(row["slot"]): row for row in history}
    now = outcomes.get(when, {"state": None, "reason": None, "width": None, "height": None})
    counted = max((slot for slot, row in outcomes.items() if row["state"] == "counted" and slot <= when), default=None)
    name = place["name"] if place else camera
    shown = {**dict.fromkeys(COUNT_CLASSES), **now, "camera": camera, "name": name}
    one = card({**shown, "counted_slot": counted and counted.start}, when, COUNT_CLASSES)
    values = {
        **_common(choice, "cameras"),
        **_slot_values(choice, when),
        "card": with_boxes(warehouse, lens, [one])[0],
        "place": place,
        "first": first,
        "last": last,
        "strip": [(slot, outcomes.get(slot)) for slot in Slot.between(first, last)],
        "now": outcomes.get(when),
        "filters": {**choice.query, "source": None},
    }
    return render(request, "camera.html", values)


@router.get("/counts")
def counts(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    range: Span = "24h",  # noqa: A002 - the name in the address
    first: str | None = None,
    last: str | None = None,
    camera: str | None = None,
    series: str = FIRST_SHOWN,
) -> HTMLResponse:
    """Show the series of a source or of one camera, or its daily series adjusted; the browser fetches the numbers."""
    if choice.lens is None or choice.latest is None:
        return _empty(request, choice, "counts")
    if range == "daily":
        return _daily(request, choice, series)
    begin, end = span_of(choice.latest, range, first, last)
    values = {
        **_common(choice, "counts"),
        "range": range,
        "first": begin,
        "last": end,
        "camera": camera or "",
        "place": queries.camera(warehouse, choice.lens, camera_id(camera)) if camera else None,
        "filters": {
            **choice.query,
            "source": choice.lens.source,
            "range": range,
            "camera": camera,
            **({"first": begin.start.date(), "last": end.start.date()} if range == "custom" else {}),
        },
    }
    return render(request, "counts.html", values)


def _daily(request: Request, choice: Choice, series: str) -> HTMLResponse:
    """Show one daily series of a source: as it was counted, adjusted, and its trend."""
    from wayside.core.tables import SERIES_CLASSES

    lens, _ = choice.need()
    if series not in SERIES_CLASSES:
        raise HTTPException(404, f"there is no series {series!r}; there are {', '.join(SERIES_CLASSES)}")
    values = {
        **_common(choice, "counts"),
        "range": "daily",
        "series": series,
        "classes": SERIES_CLASSES,
        "filters": {**choice.query, "source": lens.source, "range": "daily", "series": series},
    }
    return render(request, "daily.html", values)


@router.get("/coverage")
def coverage(
    request: Request,
    choice: Chosen,
    day: str | None = None,
    span: Literal["day", "weeks"] = "day",
    q: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show what became of every camera and slot of a day, or of every day of four weeks; the browser draws it."""
    if choice.lens is None or choice.latest is None:
        return _empty(request, choice, "coverage")
    chosen = day_of(day) if day else choice.latest.start.date()
    step = timedelta(days=7 if span == "weeks" else 1)
    values = {
        **_common(choice, "coverage"),
        "span": span,
        "q": q,
        "day_chosen": chosen,
        "day_before": chosen - step,
        "day_after": chosen + step,
        "filters": {
            **choice.query,
            "source": choice.lens.source,
            "day": chosen,
            "span": None if span == "day" else span,
            "q": q,
        },
    }
    return render(request, "coverage.html", values)


def _common(choice: Choice, tab: str) -> dict[str, Any]:
    return {"tab": tab, "choice": choice, "states": STATES, "attention": ATTENTION}


def _empty(request: Request, choice: Choice, tab: str) -> HTMLResponse:
    return render(request, "empty.html", _common(choice, tab))


def _cards(warehouse: Any, choice: Choice, slot: Slot) -> list[Card]:
    from wayside.core.tables import COUNT_CLASSES

    lens, _ = choice.need()
    return [card(row, slot, COUNT_CLASSES) for row in queries.cameras_at(warehouse, lens, slot)]


def _grid(warehouse: Any, choice: Choice, cards: Sequence[Card], page: int) -> dict[str, Any]:
    """Cut out one page of cards and look up its boxes."""
    lens, _ = choice.need()
    pages = max(1, math.ceil(len(cards) / PER_PAGE))
    page = min(page, pages)
    shown = cards[(page - 1) * PER_PAGE : page * PER_PAGE]
    return {
        "cards": with_boxes(warehouse, lens, shown),
        "shape": _shape(shown),
        "found": len(cards),
        "page": page,
        "pages": pages,
    }


def _shape(cards: Sequence[Card]) -> str:
    """Name the shape of the frames: the one that leaves the fewest bars beside the pictures of these cards."""
    ratios = sorted(one.width / one.height for one in cards if one.sized)
    middle = ratios[len(ratios) // 2] if ratios else 4 / 3
    return "low" if middle > 1.55 else "usual" if middle > 1.28 else "high"


def _slot_values(choice: Choice, slot: Slot) -> dict[str, Any]:
    _, latest = choice.need()
    return {"slot": slot, "latest": latest, "late": _age(int((utc_now() - latest.end).total_seconds() // 60))}


def _age(minutes: int) -> str:
    """Say how late the newest slot is; nothing while a run may still be at work on the next one."""
    if minutes <= _USUAL_DELAY:
        return ""
    hours = minutes // 60
    return f"{hours // 24} days ago" if hours >= 48 else f"{hours} h {minutes % 60} min ago"


def _totals(cards: Sequence[Card]) -> dict[str, int]:
    found = Counter(one.state for one in cards)
    totals = {state: found[state] for state in STATES if found[state] or state == "counted"}
    return {**totals, ATTENTION: len(cards) - found["counted"]}
