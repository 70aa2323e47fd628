"""What the page of the zone editor shows: a processor, the version that is looked at, the picture, and the form."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException, Request

from wayside.core.clock import utc_now
from wayside.core.ids import camera_id, source_id
from wayside.core.settings import settings
from wayside_airflow.web.context import query
from wayside_airflow.web.runs import airflow_root
from wayside_airflow.web.zone_access import DAG
from wayside_airflow.web.zone_forms import form_of

if TYPE_CHECKING:
    from wayside.zones.processor import Kind, Processor, ZoneVersion
    from wayside.zones.registry import Registry

#: A detector and a rate that suit people and vehicles, and one for faces; the form offers others.
FIRST_PIPELINE: Final = "Fps5_WaysideV1"
FIRST_FACES: Final = "Fps2_YuNet"
#: Days that may be counted on the page, the newest.
_MOST_DAYS: Final = 31
#: Where nothing tells how large the pictures of a camera are.
_USUAL_SIZE: Final = (1280, 720)


@dataclass(frozen=True)
class Asked:
    """What the address of the editor asks for: a still, an older version; or tells: that one was saved."""

    at: datetime | None = None
    version: int | None = None
    saved: int | None = None


def editor_values(
    request: Request, warehouse: Any, one: "Processor", versions: "Sequence[ZoneVersion]", asked: Asked
) -> dict[str, Any]:
    """Return the values of the editor's template. A processor that is not stored has no versions."""
    from wayside.zones.registry import MOST_NOTE

    shown = _version(versions, asked.version or one.version)
    options, pipeline = (shown.options, shown.pipeline) if shown else (one.options, one.pipeline)
    size, taken = _picture(warehouse, one, asked.at)
    days = _days(warehouse, one)
    base = request.scope.get("root_path", "").rstrip("/")
    place = {"source": one.source, "camera": one.camera}
    return {
        "one": one,
        "shown": shown,
        "saved": asked.saved if asked.saved == one.version else None,
        "versions": [_told(each) for each in versions],
        "editor": {
            "urls": _urls(base, one, place),
            "size": size,
            "limits": _limits(),
            "shapes": _drawn(shown),
            "processor": {"number": one.number, "kind": one.kind, "name": one.name, **place},
            "version": one.version,
            "shown": shown.version if shown else 0,
            "options": options.model_dump(mode="json"),
        },
        "form": form_of(one.kind, options, pipeline, settings()),
        "size": size,
        "still": f"{base}/zones/still.jpg?{query(place, at=asked.at and asked.at.isoformat())}" if taken else None,
        "taken": f"{taken:%Y-%m-%dT%H:%M:%S}" if taken else "",
        "days": days[:_MOST_DAYS],
        "most_note": MOST_NOTE,
        "airflow": airflow_root(),
        "dag": DAG,
        "recount": {"start": str(days[-1]), "end": str(days[0]), "processors": [one.number]} if days else None,
        "address": request.url.path,
        "hidden": {name: value for name, value in request.query_params.items() if name not in {"at", "saved"}},
    }


def common(choice: Any) -> dict[str, Any]:
    """Return what the template of every page of zones asks for."""
    return {"tab": "zones", "choice": choice}


def registry_of(warehouse: Any) -> "Registry":
    """Return the registry over the tables."""
    from wayside.zones.registry import Registry

    return Registry(warehouse)


def found(registry: "Registry", number: int) -> "Processor":
    """Return a processor; raise 404 where there is none of this number."""
    from wayside.zones.errors import UnknownProcessorError

    try:
        return registry.processor(number)
    except UnknownProcessorError as error:
        raise HTTPException(404, str(error)) from error


def version_of(registry: "Registry", number: int, version: int | None) -> "ZoneVersion":
    """Return a version of a processor's zones, by default the newest; raise 404 where there is none."""
    from wayside.zones.errors import UnknownProcessorError

    try:
        return registry.zones(number, version)
    except UnknownProcessorError as error:
        raise HTTPException(404, str(error)) from error


def draft(source: str, camera: str, kind: "Kind", name: str) -> "Processor":
    """Return a processor that is not stored: its number and its version are 0."""
    from wayside.zones.options import parse_options
    from wayside.zones.processor import Pipeline, Processor

    options = parse_options(kind, {})
    pipeline = Pipeline.parse(FIRST_FACES if kind == "faces" else FIRST_PIPELINE)
    place = (source_id(source), camera_id(camera))
    return Processor(*place, 0, 0, kind, name, kind != "faces", pipeline, options, 0, "", utc_now())


def moment(text: str) -> datetime | None:
    """Read the time of a still as the page's picker sends it, UTC; None where none is given."""
    if not text:
        return None
    from wayside.zones.errors import QuestionError
    from wayside.zones.times import parse_time

    try:
        return parse_time(text, "at")
    except QuestionError as error:
        raise HTTPException(422, str(error)) from error


def _version(versions: "Sequence[ZoneVersion]", wanted: int) -> "ZoneVersion | None":
    for each in versions:
        if each.version == wanted:
            return each
    if versions:
        raise HTTPException(404, f"there are versions 1 to {versions[-1].version}, and no {wanted}")
    return None


def _told(version: "ZoneVersion") -> dict[str, Any]:
    """Return what the list of versions says of one."""
    shapes = [(len(version.zones.zones), "zone"), (len(version.zones.lines), "line")]
    words = ", ".join(f"{number} {word}{'s' if number > 1 else ''}" for number, word in shapes if number)
    kept = {one.name: getattr(version, one.name) for one in fields(version)}
    return {**kept, "mode": getattr(version.options, "mode", ""), "shapes": words or "none"}


def _drawn(version: "ZoneVersion | None") -> dict[str, Any]:
    """Return the shapes of a version as the editor draws them."""
    zones = version.zones.zones if version else ()
    lines = version.zones.lines if version else ()
    return {
        "zones": [{"name": one.name, "polygon": one.polygon} for one in zones],
        "lines": [{"name": one.name, "from": one.start, "to": one.end} for one in lines],
    }


def _urls(base: str, one: "Processor", place: dict[str, str]) -> dict[str, str]:
    root = airflow_root()
    own = f"{base}/api/zones/{one.number}" if one.number else f"{base}/api/zones"
    return {
        "save": own,
        "change": own,
        "page": f"{base}/zones",
        "preview": f"{base}/api/zones/preview",
        "paths": f"{base}/api/zones/paths?{query(place)}",
        "trigger": f"{root}/api/v2/dags/{DAG}/dagRuns",
        "runs": f"{root}/dags/{DAG}/runs",
    }


def _limits() -> dict[str, int]:
    from wayside.counting.zones import MOST_LINES, MOST_POINTS, MOST_ZONES, NAME_LENGTH

    return {"zones": MOST_ZONES, "lines": MOST_LINES, "corners": MOST_POINTS, "name": NAME_LENGTH}


def _picture(warehouse: Any, one: "Processor", at: datetime | None) -> tuple[tuple[int, int], datetime | None]:
    """Return the size of a camera's pictures and the time of the still to show; None where there is no video."""
    from wayside.core.tables import SEGMENTS

    scopes = warehouse.scopes(SEGMENTS, [one.source], cameras=[one.camera])
    if not scopes:
        return _USUAL_SIZE, None
    until = [scope for scope in scopes if at is None or scope.hour <= at]
    scope = max(until or scopes[:1], key=lambda scope: scope.hour)
    rows = warehouse.read(SEGMENTS, scope).to_pylist()
    begun = [row for row in rows if at is None or row["start_at"] <= at]
    row = max(begun or rows[:1], key=lambda row: row["start_at"])
    return (row["width"], row["height"]), at or row["start_at"].astimezone(UTC)


def _days(warehouse: Any, one: "Processor") -> list[Any]:
    """List the days whose video was looked at, the newest first."""
    from wayside.core.tables import SCANS

    scopes = warehouse.scopes(SCANS, [one.source], pipelines=[one.pipeline.id], cameras=[one.camera])
    return sorted({scope.hour.date() for scope in scopes}, reverse=True)
