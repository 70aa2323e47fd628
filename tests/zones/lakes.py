"""Lakes of small made-up segments, scans and counts for the tests of zones."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from wayside.core.tables import (
    OCCUPANCY,
    SCANS,
    SEGMENT_DETECTIONS,
    SEGMENTS,
    ZONE_EVENTS,
    ZONE_MINUTES,
    Table,
)
from wayside.counting.zones import ZoneSet
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

Row = dict[str, Any]

SOURCE = "Archive"
CAMERA = "Bridge"
PIPELINE = "Fps1_WaysideV1"
T0 = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
RIGHT = ZoneSet.parse('[{"name": "right", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}]')
LEFT = ZoneSet.parse('[{"name": "left", "polygon": [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]}]')
MIDDLE = ZoneSet.parse("[]", '[{"name": "middle", "from": [0.5, 1], "to": [0.5, 0]}]')


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def at(seconds: float, start: datetime = T0) -> datetime:
    return start + timedelta(seconds=seconds)


def put(lake: ParquetWarehouse, table: Table, rows: Iterable[Row]) -> None:
    """Publish rows, beside those that their scopes have."""
    scopes: dict[Scope, list[Row]] = {}
    for row in rows:
        scopes.setdefault(Scope.of(table, row), []).append(row)
    for scope, new in scopes.items():
        kept = {tuple(row[name] for name in table.key): row for row in lake.read(table, scope).to_pylist()}
        kept |= {tuple(row[name] for name in table.key): row for row in new}
        lake.publish(table, scope, to_arrow(table, list(kept.values())))


def segment_row(start: datetime, seconds: float, **changes: Any) -> Row:
    name = changes.pop("name", start.isoformat())
    row = {
        "source": SOURCE,
        "camera": CAMERA,
        "segment": sha(name),
        "uri": f"/videos/{name}.mp4",
        "start_at": start,
        "end_at": at(seconds, start),
        "zone": "UTC",
        "duration_s": seconds,
        "fps": 10.0,
        "variable_fps": False,
        "width": 320,
        "height": 180,
        "rotation": 0,
        "codec": "h264",
        "audio": False,
        "bytes": 1000,
        "discontinuity": False,
        "run": "test",
    }
    row |= changes
    return row | {"hour": row["start_at"].replace(minute=0, second=0, microsecond=0)}


def scanned(
    lake: ParquetWarehouse, segment: Row, frames: Sequence[tuple[float, Sequence[tuple[float, float]]]], **changes: Any
) -> None:
    """Publish a segment and its scan: of each frame the second and the centres of its objects, boxes of `size`."""
    place = {name: segment[name] for name in ("source", "camera", "hour", "segment")}
    place["pipeline"] = changes.pop("pipeline", PIPELINE)
    label = changes.pop("label", "person")
    wide, high = (length / 2 for length in changes.pop("size", (0.04, 0.1)))
    offsets = [round(second * 1e6) for second, _ in frames]
    found = [
        place
        | {"frame": frame, "ordinal": ordinal, "frame_at": at(second, segment["start_at"]), "label": label}
        | {"score": 0.9, "x1": x - wide, "y1": y - high, "x2": x + wide, "y2": y + high}
        for frame, (second, centres) in enumerate(frames)
        for ordinal, (x, y) in enumerate(centres)
    ]
    row = place | {"frames": len(frames), "offsets": json.dumps(offsets), "objects": len(found), "status": "ok"}
    row |= {"reason": None, "model": "WaysideV1", "model_sha256": "0" * 64, "scanned_at": T0} | changes
    put(lake, SEGMENTS, [segment])
    if found:
        put(lake, SEGMENT_DETECTIONS, found)
    put(lake, SCANS, [row])


def counted(processor: int, version: int = 1, day: date | None = None, **changes: Any) -> Row:
    return {
        "source": SOURCE,
        "camera": CAMERA,
        "processor": processor,
        "version": version,
        "day": day or T0.date(),
    } | changes


def event_rows(
    place: Row, events: Sequence[tuple[float, str, str | None, str | None, int]], start: datetime = T0
) -> list[Row]:
    """Rows of events: second after the start, kind, zone, direction, value."""
    return [
        place
        | {"ordinal": ordinal, "happened_at": at(second, start), "kind": kind, "zone": zone, "direction": direction}
        | {"label": "person", "value": value, "segment": sha("segment")}
        for ordinal, (second, kind, zone, direction, value) in enumerate(events)
    ]


def minute_rows(place: Row, zones: Sequence[str], minutes: int = 2, start: datetime = T0) -> list[Row]:
    numbers = dict.fromkeys(("entered", "exited", "forward", "backward", "finished"), 0)
    return [
        place | {"minute": at(60 * minute, start), "zone": zone, "label": "*", "watched_s": 60.0} | numbers
        for minute in range(minutes)
        for zone in zones
    ]


def occupancy_rows(place: Row, changes: Sequence[tuple[float, str, int | None]], start: datetime = T0) -> list[Row]:
    return [
        place | {"zone": zone, "since": at(second, start), "inside": inside, "segment": sha("segment")}
        for second, zone, inside in changes
    ]


def put_counts(
    lake: ParquetWarehouse, place: Row, events: list[Row], minutes: list[Row], occupancy: list[Row] | None = None
) -> None:
    """Publish the counts of one day, also where there are no rows."""
    scope = Scope.of(ZONE_EVENTS, place)
    for table, rows in ((ZONE_EVENTS, events), (ZONE_MINUTES, minutes), (OCCUPANCY, occupancy or [])):
        lake.publish(table, scope, to_arrow(table, rows))


def publish_examples(lake: ParquetWarehouse, source: str, camera: str, start: datetime) -> None:
    """Put a few segments, scans and counts of one camera into a lake, for whoever wants rows of all tables of zones."""
    place = {"source": source, "camera": camera}
    for minute, centres in enumerate([[(0.5, 0.5)], [(0.7, 0.5), (0.8, 0.5)], []]):
        segment = segment_row(at(60 * minute, start), 60.0, **place)
        scanned(lake, segment, [(0.0, centres), (1.0, [])], model_sha256=f"{minute % 2}" * 64)
    scope = place | {"processor": 1, "version": 1, "day": start.date()}
    events = [
        (1, "enter", "right", None, 1, {"track": 1}),
        (5, "exit", "right", None, 1, {"track": 1, "dwell_s": 4.0}),
        (7, "enter", "left", None, 1, {"track": 1, "origin": "right"}),
        (8, "enter", "right", None, 1, {"track": 2}),
        (70, "exit", "right", None, 1, {"track": 2, "dwell_s": 62.0}),
        (80, "cross", "line", "forward", 1, {"track": 3, "label": "car"}),
        (90, "finish", None, None, 2, {}),
    ]
    rows = [
        row | event[5] for row, event in zip(event_rows(scope, [e[:5] for e in events], start), events, strict=True)
    ]
    minutes = [
        row | {"entered": number, "inside_min": 0, "inside_mean": 0.5, "inside_max": 2, "dwell_mean_s": 4.0}
        for number, row in enumerate(minute_rows(scope, ["right", "left", "line", "*"], 3, start))
    ]
    inside = [(0, "*", 0), (1, "*", 1), (1, "right", 1), (60, "*", None)]
    put_counts(lake, scope, rows, minutes, occupancy_rows(scope, inside, start))
