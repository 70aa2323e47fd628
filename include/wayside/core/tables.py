"""The tables of Wayside as Arrow schemas, declared once and used by every reader, writer, SQL file and test.

A table has a key (unique) and a scope: the columns whose values name the part of the table that one publication
replaces. Coordinates are fractions 0..1 of the picture, origin top left; times are UTC with a zone. `partition` is
the column by whose day a warehouse divides a large table; small tables have none.
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
    """One table: its name, Arrow schema, unique key, the columns that name a publishing scope, the partition column."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    scope: tuple[str, ...]
    partition: str | None = None


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
_DAY = ("day", pa.date32(), False, "UTC day")
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
    partition="slot",
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
    partition="slot",
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
    partition="slot",
)

SLOT_RUNS: Final = Table(
    "slot_runs",
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
    partition="slot",
)

CAMERA_DAYS: Final = Table(
    "camera_days",
    _schema(
        _SOURCE,
        _CAMERA,
        _PIPELINE,
        _DAY,
        ("counted", pa.int16(), False, "slots whose picture was counted"),
        ("faulty", pa.int16(), False, "slots whose picture could not be used"),
        ("missing", pa.int16(), False, "slots for which the source offered no picture"),
        ("failed", pa.int16(), False, "slots whose picture could not be had"),
        ("waiting", pa.int16(), False, "slots that were fetched and not analysed"),
        ("not_run", pa.int16(), False, "slots of the day without a row"),
        ("late", pa.int16(), False, "slots whose picture came more than ten minutes after the slot was over"),
    ),
    key=("source", "camera", "pipeline", "day"),
    scope=("source", "pipeline", "day"),
    partition="day",
)

RUN_STATES: Final = ("planned", "running", "done", "failed")

RUNS: Final = Table(
    "runs",
    _schema(
        _SOURCE,
        ("run", pa.string(), False, "name of the run, the same each time it is tried again"),
        ("kind", pa.string(), False, "what ran, the name of a DAG"),
        ("state", pa.string(), False, "planned: a dry run; running; done; failed"),
        ("first", _UTC, False, "first slot of the range"),
        ("last", _UTC, False, "last slot of the range"),
        ("pipeline", pa.string(), True, "pipeline that was asked for; null for every one that has counts"),
        ("model_sha256", pa.string(), True, "hash of the detector's weights; null where none ran"),
        ("mode", pa.string(), False, "which slots of the range were to be analysed: all, only_missing or changed"),
        ("cameras", pa.string(), True, "ids of the cameras asked for, joined by commas; null for all"),
        ("who", pa.string(), False, "user or schedule that started it"),
        ("why", pa.string(), True, "reason, in the words of who started it"),
        ("slots", pa.int32(), False, "slots to look at"),
        ("slots_done", pa.int32(), False, "slots that are finished"),
        ("fetched", pa.int32(), False, "pictures that came or were replaced"),
        ("images", pa.int32(), False, "pictures analysed"),
        ("changed", pa.int32(), False, "rows of counts that differ from before"),
        ("seconds", pa.float64(), False, "time that the work took, all tasks added"),
        ("inference_seconds", pa.float64(), False, "part of it that was spent in the model, all threads added"),
        ("started_at", _UTC, False, "when it was first started"),
        ("updated_at", _UTC, False, "when this row was written"),
        ("note", pa.string(), True, "result or error, in one sentence"),
    ),
    key=("source", "run"),
    scope=("source", "run"),
    partition="started_at",
)

EXPIRIES: Final = Table(
    "expiries",
    _schema(
        _SOURCE,
        _DAY,
        ("prefix", pa.string(), False, "folder of pictures, `<source>/<YYYYMMDD>`"),
        ("action", pa.string(), False, "deleted; would_delete, in a dry run; kept"),
        ("reason", pa.string(), True, "why pictures were kept, in one word"),
        ("pictures", pa.int32(), False, "pictures that the action is about"),
        ("bytes", pa.int64(), False, "their size"),
        ("kept", pa.int32(), False, "pictures of the folder that stay"),
        ("run", pa.string(), False, "name of the run that decided"),
        ("decided_at", _UTC, False, "when"),
    ),
    key=("source", "day"),
    scope=("source", "day"),
    partition="day",
)

CAMERA_CHANGES: Final = Table(
    "camera_changes",
    _schema(
        _SOURCE,
        _DAY,
        _CAMERA,
        ("change", pa.string(), False, "appeared, vanished, returned, moved or renamed"),
        ("detail", pa.string(), True, "what it was and what it is now"),
        ("analysed", pa.bool_(), False, "whether the camera had counts in the week before"),
        ("seen_at", _UTC, False, "when the change was noticed"),
    ),
    key=("source", "day", "camera", "change"),
    scope=("source", "day"),
    partition="day",
)

SERIES_CLASSES: Final = (*COUNT_CLASSES, "person_cyclist")

TIMESERIES: Final = Table(
    "timeseries",
    _schema(
        _SOURCE,
        _PIPELINE,
        ("series", pa.string(), False, "class, or person_cyclist: the sum of the two"),
        _DAY,
        ("original", pa.float64(), True, "sum of the day over all cameras, gaps imputed; null where nothing is known"),
        ("sa", pa.float64(), True, "the same, seasonally adjusted"),
        ("trend", pa.float64(), True, "trend of the adjusted series"),
        ("imputed_share", pa.float64(), False, "share of the camera slots that were imputed, 0..1"),
        ("cameras", pa.int32(), False, "cameras in the series"),
        ("outlier", pa.string(), True, "AO: a day apart; LS: the level changed here; null for none"),
    ),
    key=("source", "pipeline", "series", "day"),
    scope=("source", "pipeline"),
)

_PHOTO = ("photo", pa.string(), False, "path of the picture below its source, / between the parts")
_FOLDER = ("folder", pa.string(), False, "id of the picture's folder: 16 hex digits of the SHA-256 of its path")

ROAD_PHOTOS: Final = Table(
    "road_photos",
    _schema(
        _SOURCE,
        _FOLDER,
        _PHOTO,
        ("status", pa.string(), False, "done; held: waits for a person; skipped: done before, or gone; failed"),
        ("reason", pa.string(), True, "why, in one word; null for a plain success"),
        ("detail", pa.string(), True, "the same for people"),
        ("input_version", pa.string(), False, "changes with the file: its size and time of change, or generation"),
        ("input_sha256", pa.string(), True, "hash of the picture as it came"),
        ("input_bytes", pa.int64(), True, "its size"),
        ("output_sha256", pa.string(), True, "hash of the anonymised picture"),
        ("output_bytes", pa.int64(), True, "its size"),
        ("width", pa.int32(), True, "pixels, upright"),
        ("height", pa.int32(), True, "pixels, upright"),
        ("photo_id", pa.string(), True, "the record's key (bildeid)"),
        (
            "taken_at",
            _UTC,
            True,
            "when the picture was taken; the record's local time read as UTC where it has no zone",
        ),
        ("lon", pa.float64(), True, "longitude, degrees, WGS 84"),
        ("lat", pa.float64(), True, "latitude, degrees, WGS 84"),
        ("road", pa.string(), True, "road identity, as the record has it"),
        ("quality", pa.string(), True, "the record's quality: 0, 1 or 2"),
        ("objects", pa.string(), True, "JSON: hidden objects by class"),
        ("hidden_share", pa.float64(), True, "share of the picture that is hidden, 0..1"),
        ("least_score", pa.float64(), True, "score of the least certain object; null: none was found"),
        ("mode", pa.string(), True, "lossless or reencode"),
        ("mode_reason", pa.string(), True, "why it was re-encoded where lossless was asked for"),
        ("output_uri", pa.string(), True, "where the anonymised picture lies"),
        ("json_uri", pa.string(), True, "where its record lies"),
        ("preview_uri", pa.string(), True, "where its preview lies"),
        ("archive_uri", pa.string(), True, "where the original was archived"),
        ("original", pa.string(), True, "fate of the original: kept, archived or deleted"),
        ("record", pa.string(), True, "the record as JSON, as it was written"),
        ("profile", pa.string(), False, "configuration profile"),
        ("profile_sha256", pa.string(), False, "hash of what the profile says of masks, record and files"),
        ("models", pa.string(), True, "JSON: hash of the weights by model"),
        ("run", pa.string(), False, "name of the run"),
        ("processed_at", _UTC, False, "when"),
    ),
    key=("source", "folder", "photo"),
    scope=("source", "folder"),
)

RECEIPTS: Final = Table(
    "receipts",
    _schema(
        _SOURCE,
        _DAY,
        ("ordinal", pa.int32(), False, "position in the chain of the day, from 0"),
        _PHOTO,
        ("output_sha256", pa.string(), False, "hash of the anonymised picture"),
        ("receipt", pa.string(), False, "the receipt as canonical JSON"),
        ("receipt_sha256", pa.string(), False, "hash of that text"),
        ("previous_sha256", pa.string(), False, "link_sha256 of the one before; zeros for the first of all"),
        ("link_sha256", pa.string(), False, "SHA-256 of previous_sha256 and receipt_sha256, as hex, joined"),
        ("run", pa.string(), False, "name of the run"),
        ("written_at", _UTC, False, "when the receipt joined the chain"),
    ),
    key=("source", "day", "ordinal"),
    scope=("source", "day"),
    partition="day",
)

TABLES: Final = {
    table.name: table
    for table in (
        CAMERAS,
        FRAMES,
        DETECTIONS,
        COUNTS,
        SLOT_RUNS,
        CAMERA_DAYS,
        RUNS,
        EXPIRIES,
        CAMERA_CHANGES,
        TIMESERIES,
        ROAD_PHOTOS,
        RECEIPTS,
    )
}
