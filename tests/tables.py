"""Rows for tests: valid ones, to be published or to be spoilt."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES
from wayside.warehouse.scope import Scope

Row = dict[str, Any]


def whole_scope(number: int = 0, slot: Slot | None = None) -> Scope:
    """One of many scopes that have all that any table asks for."""
    first = slot or Slot(datetime(2026, 5, 1, 8, 0, tzinfo=UTC))
    return Scope(
        "City",
        first.shift(number),
        "StubV1",
        date(2026, 5, 1) + timedelta(days=number),
        f"run-{number}",
        f"{number:016x}",
        f"camera-{number}",
        first.start.replace(minute=0) + timedelta(hours=number),
        number + 1,
        number + 2,
    )


def frame_rows(scope: Scope, cameras: list[str], **changes: Any) -> list[Row]:
    assert scope.slot
    row = {
        "source": scope.source,
        "slot": scope.slot.start,
        "status": "ok",
        "sha256": "0" * 64,
        "bytes": 10,
        "fetched_at": scope.slot.start,
    }
    return [row | {"camera": camera} | changes for camera in cameras]


def count_rows(scope: Scope, cameras: list[str], **changes: Any) -> list[Row]:
    """Rows of `counts`: nothing counted, save for the classes in `changes`."""
    assert scope.slot
    row = {
        "source": scope.source,
        "slot": scope.slot.start,
        "pipeline": scope.pipeline,
        **dict.fromkeys(COUNT_CLASSES, 0),
        "faulty": False,
        "missing": False,
        "neighbours": "both",
        "model_sha256": "a" * 64,
    }
    return [row | {"camera": camera} | changes for camera in cameras]


def detection_rows(scope: Scope, camera: str, labels: list[str], **changes: Any) -> list[Row]:
    assert scope.slot
    row = {
        "source": scope.source,
        "camera": camera,
        "slot": scope.slot.start,
        "pipeline": scope.pipeline,
        "score": 0.5,
        "x1": 0.1,
        "y1": 0.1,
        "x2": 0.2,
        "y2": 0.2,
        "static": False,
        "model": "Stub",
    }
    return [row | {"ordinal": number, "label": label} | changes for number, label in enumerate(labels)]
