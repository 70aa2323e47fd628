"""The tables of Wayside as Arrow schemas, declared once and used by every reader, writer, SQL file and test.

A table has a key (unique) and a scope: the columns whose values name the part of the table that one publication
replaces. Coordinates are fractions 0..1 of the picture, origin top left; times are UTC with a zone.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1
COUNT_CLASSES: Final = ("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van")
FRAME_STATUSES: Final = ("ok", "missing", "failed")

_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One table: its name, Arrow schema, unique key and the columns that name a publishing scope."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    scope: tuple[str, ...]


def _schema(*fields: tuple[str, pa.DataType, bool, str]) -> pa.Schema:
    """Build a schema from (name, type, nullable, description); the schema version closes every row."""
    closing = ("schema_version", pa.int16(), False, "version of this schema")
    return pa.schema(
        [
            pa.field(name, kind, nullable, metadata={"description": text})
            for name, kind, nullable, text in (*fields, closing)
        ]
    )


_SOURCE = ("source", pa.string(), False, "who offers the picture")
_CAMERA = ("camera", pa.string(), False, "the camera's name within its source")
_SLOT = ("slot", _UTC, False, "start of the ten-minute slot")
_PIPELINE = ("pipeline", pa.string(), False, "stages that made the row")
_MODEL_HASH = ("model_sha256", pa.string(), True, "hash of the detector's weights; null where none ran")

CAMERAS: Final = Table(
    "cameras",
    _schema(
        _SOURCE,
        _CAMERA,
        ("name", pa.string(), False, "what people call the place"),
        ("lat", pa.float64(), True, "latitude, degrees, WGS 84"),
        ("lon", pa.float64(), True, "longitude, degrees, WGS 84"),
        ("view", pa.string(), True, "where the camera looks, in the source's words"),
        ("attribution", pa.string(), True, "the credit that the source's licence asks for"),
    ),
    key=("source", "camera"),
    scope=("source",),
)

FRAMES: Final = Table(
    "frames",
    _schema(
        _SOURCE,
        _CAMERA,
        _SLOT,
        (
            "status",
            pa.string(),
            False,
            "ok: a picture lies in the store; missing: none is offered; failed: not got",
        ),
        ("reason", pa.string(), True, "why, in one word of the fetcher's list; null for a plain success"),
        ("http_status", pa.int16(), True, "status of the last HTTP answer"),
        ("sha256", pa.string(), True, "hash of the stored bytes"),
        ("bytes", pa.int64(), True, "size of the stored picture"),
        ("width", pa.int32(), True, "pixels"),
        ("height", pa.int32(), True, "pixels"),
        ("captured_at", _UTC, True, "when the source says that the picture was taken"),
        ("fetched_at", _UTC, False, "when this outcome was known"),
        ("uri", pa.string(), True, "where the picture lies"),
    ),
    key=("source", "camera", "slot"),
    scope=("source", "slot"),
)

DETECTIONS: Final = Table(
    "detections",
    _schema(
        _SOURCE,
        _CAMERA,
        _SLOT,
        _PIPELINE,
        ("ordinal", pa.int32(), False, "position among the detections of this picture, best score first"),
        ("label", pa.string(), False, "class"),
        ("score", pa.float32(), False, "0..1"),
        ("x1", pa.float32(), False, "left edge, fraction of the width"),
        ("y1", pa.float32(), False, "top edge, fraction of the height"),
        ("x2", pa.float32(), False, "right edge, fraction of the width"),
        ("y2", pa.float32(), False, "bottom edge, fraction of the height"),
        (
            "moving_share",
            pa.float32(),
            True,
            "share of the box that changed against its neighbours; null: no test",
        ),
        ("static", pa.bool_(), False, "true: judged parked or part of the street, and not counted"),
        ("model", pa.string(), True, "name of the detector"),
        _MODEL_HASH,
    ),
    key=("source", "camera", "slot", "pipeline", "ordinal"),
    scope=("source", "slot", "pipeline"),
)

COUNTS: Final = Table(
    "counts",
    _schema(
        _SOURCE,
        _CAMERA,
        _SLOT,
        _PIPELINE,
        *(
            (
                name,
                pa.int32(),
                True,
                f"{name} counted; null where not counted or the model does not know the class",
            )
            for name in COUNT_CLASSES
        ),
        ("faulty", pa.bool_(), False, "a picture is there but cannot be used; counts are null"),
        ("missing", pa.bool_(), False, "no picture is there; counts are null"),
        ("reason", pa.string(), True, "why faulty or missing, in one word"),
        (
            "neighbours",
            pa.string(),
            False,
            "which neighbours served the static filter: none, previous, next or both",
        ),
        _MODEL_HASH,
    ),
    key=("source", "camera", "slot", "pipeline"),
    scope=("source", "slot", "pipeline"),
)

RUNS: Final = Table(
    "runs",
    _schema(
        _SOURCE,
        _SLOT,
        _PIPELINE,
        ("cameras", pa.int32(), False, "cameras with a frame at this slot"),
        ("fetched", pa.int32(), False, "frames with status ok"),
        ("missing", pa.int32(), False, "frames with status missing"),
        ("failed", pa.int32(), False, "frames with status failed"),
        ("analysed_slot", _UTC, False, "slot whose counts this run published"),
        ("analysed", pa.int32(), False, "pictures counted"),
        ("faulty", pa.int32(), False, "pictures found faulty"),
        ("detections", pa.int32(), False, "objects counted, all classes"),
        _MODEL_HASH,
    ),
    key=("source", "slot", "pipeline"),
    scope=("source", "slot", "pipeline"),
)

TABLES: Final = {table.name: table for table in (CAMERAS, FRAMES, DETECTIONS, COUNTS, RUNS)}
