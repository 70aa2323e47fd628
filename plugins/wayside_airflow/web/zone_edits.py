"""Changes of zones, as the editor sends them: a new processor, a new version, a name or a switch; and "what if"."""

from dataclasses import replace
from datetime import date
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.zone_access import Author, MayEdit, body_of, own_pages
from wayside_airflow.web.zone_view import draft, found, registry_of

if TYPE_CHECKING:
    from wayside.counting.zones import ZoneSet
    from wayside.zones.processor import Kind, Processor

router = APIRouter(dependencies=[MayEdit, Depends(own_pages)])

#: Counting a day takes seconds of a core.
_AT_ONCE: Final = BoundedSemaphore(2)
_COLUMNS: Final = ("entered", "exited", "forward", "backward", "finished")


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Drawn(_Sent):
    """What is drawn, and how it counts."""

    zones: list[Any]
    lines: list[Any]
    options: dict[str, Any]
    pipeline: Annotated[str, Field(max_length=200)]


class NewVersion(Drawn):
    """The next version of a processor's zones; `expected_version` is the one that was edited."""

    note: Annotated[str | None, Field(max_length=500)] = None
    expected_version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewProcessor(Drawn):
    """A processor with the first version of its zones."""

    source: str
    camera: str
    kind: str
    name: str
    enabled: bool = True
    note: Annotated[str | None, Field(max_length=500)] = None


class Change(_Sent):
    """What is no part of a version."""

    name: str | None = None
    enabled: bool | None = None


class WhatIf(Drawn):
    """A day to count with what is drawn; `processor` is 0 for one that is not stored."""

    source: str
    camera: str
    kind: str
    processor: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    day: date


@router.post("/api/zones", status_code=201)
def add(
    warehouse: Warehouse, who: Author, sent: Annotated[NewProcessor, Depends(body_of(NewProcessor))]
) -> dict[str, int]:
    """Store a new processor; answers with its number and version."""
    kind = _kind(sent.kind)
    made = registry_of(warehouse).add(
        sent.source, sent.camera, kind, sent.name, sent.options, _shapes(sent), who, sent.pipeline,
        enabled=sent.enabled, note=sent.note,
    )  # fmt: skip
    return {"processor": made.number, "version": made.version}


@router.put("/api/zones/{processor}")
def save(
    warehouse: Warehouse, who: Author, processor: int, sent: Annotated[NewVersion, Depends(body_of(NewVersion))]
) -> Response:
    """Make the next version of a processor's zones; 409 if somebody else did so meanwhile."""
    from wayside.zones.errors import StaleVersionError

    registry = registry_of(warehouse)
    found(registry, processor)
    shapes = _shapes(sent)
    try:
        version = registry.edit_zones(
            processor, shapes, who, sent.note, sent.expected_version, options=sent.options, pipeline=sent.pipeline
        )
    except StaleVersionError as error:
        newer = registry.processor(processor).version
        return JSONResponse({"detail": str(error), "version": newer}, 409)
    return JSONResponse({"processor": processor, "version": version})


@router.patch("/api/zones/{processor}")
def change(
    warehouse: Warehouse, who: Author, processor: int, sent: Annotated[Change, Depends(body_of(Change))]
) -> dict[str, Any]:
    """Rename a processor, or switch it on or off."""
    registry = registry_of(warehouse)
    found(registry, processor)
    now = registry.change(processor, author=who, name=sent.name, enabled=sent.enabled)
    return {"processor": processor, "name": now.name, "enabled": now.enabled}


@router.post("/api/zones/preview")
def what_if(warehouse: Warehouse, sent: Annotated[WhatIf, Depends(body_of(WhatIf))]) -> dict[str, Any]:
    """Count a day with what is drawn, and store nothing."""
    from wayside.zones.options import parse_options
    from wayside.zones.preview import preview
    from wayside.zones.processor import Pipeline
    from wayside.zones.times import FIRST_YEAR, LAST_YEAR

    if not FIRST_YEAR <= sent.day.year <= LAST_YEAR:
        raise HTTPException(422, f"day: it lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
    kind, shapes = _kind(sent.kind), _shapes(sent)
    stored = found(registry_of(warehouse), sent.processor) if sent.processor else None
    one = stored or draft(sent.source, sent.camera, kind, "draft")
    options = parse_options(one.kind, sent.options)
    tried = replace(one, pipeline=Pipeline.parse(sent.pipeline), options=options)
    if not _AT_ONCE.acquire(blocking=False):
        raise HTTPException(503, "others are counting just now: try again in 5 s", headers={"Retry-After": "5"})
    try:
        made = preview(warehouse, tried, shapes, sent.day, sent.day, options=options)
    finally:
        _AT_ONCE.release()
    if not made.looks:
        raise HTTPException(404, f"no video of {one.camera} on {sent.day} has been looked at by {sent.pipeline}")
    before = _counted(warehouse, stored, sent.day) if stored else {}
    now = _by_zone(made.minutes)
    names = [*(each.name for each in shapes.zones), *(each.name for each in shapes.lines), "*"]
    return {
        "looks": made.looks,
        "watched_s": sum(row["watched_s"] for row in made.minutes if row["zone"] == row["label"] == "*"),
        "counted_version": stored.version if stored and before else None,
        "rows": [
            {"name": name if name != "*" else "All together", "now": now.get(name, {}), "before": before.get(name)}
            for name in names
        ],
    }


def _kind(text: str) -> "Kind":
    from wayside.core.tables import PROCESSOR_KINDS

    if text not in PROCESSOR_KINDS:
        raise HTTPException(422, f"kind: there are {', '.join(PROCESSOR_KINDS)}")
    return text  # type: ignore[return-value]


def _shapes(sent: Drawn) -> "ZoneSet":
    """Read what is drawn; the server's word counts, whatever the page thinks."""
    from wayside.counting.zones import ZoneSet

    return ZoneSet.parse(sent.zones, sent.lines)


def _counted(warehouse: Any, one: "Processor", day: date) -> dict[str, dict[str, Any]]:
    """Return what the current version counted on a day, by zone; empty where it did not."""
    from wayside.core.tables import ZONE_MINUTES
    from wayside.warehouse.scope import Scope

    place = {"source": one.source, "camera": one.camera, "processor": one.number, "version": one.version, "day": day}
    return _by_zone(warehouse.read(ZONE_MINUTES, Scope.of(ZONE_MINUTES, place)).to_pylist())


def _by_zone(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add minutes up, by zone, over all classes."""
    totals: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["label"] != "*":
            continue
        one = totals.setdefault(row["zone"], dict.fromkeys(_COLUMNS, 0) | {"inside_max": None})
        for name in _COLUMNS:
            one[name] += row[name]
        if row["inside_max"] is not None:
            one["inside_max"] = max(one["inside_max"] or 0, row["inside_max"])
    return totals
