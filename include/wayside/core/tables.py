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

_HOUR = ("hour", _UTC, False, "UTC hour in which the segment starts")
_SEGMENT = ("segment", pa.string(), False, "SHA-256 of the piece of video")
_BOX = (
    ("x1", pa.float32(), True, "left edge, fraction of the width"),
    ("y1", pa.float32(), True, "top edge, fraction of the height"),
    ("x2", pa.float32(), True, "right edge, fraction of the width"),
    ("y2", pa.float32(), True, "bottom edge, fraction of the height"),
)

FILE_STATES: Final = ("quarantined", "alias", "planned", "processed", "labelled", "exported")

VIDEO_FILES: Final = Table(
    "video_files",
    _schema(
        _SOURCE,
        ("file", pa.string(), False, "path of the file below its source, / between the parts"),
        (
            "status",
            pa.string(),
            False,
            "quarantined, see reason; alias of another file; planned, processed, labelled, exported: how far it came",
        ),
        ("reason", pa.string(), True, "why it is quarantined, in one word"),
        ("detail", pa.string(), True, "the same for people"),
        ("alias_of", pa.string(), True, "the file that came first with this content"),
        ("segment", pa.string(), True, "SHA-256 of its content"),
        ("sha1", pa.string(), True, "SHA-1 of its content"),
        ("bytes", pa.int64(), True, "its size"),
        ("camera", pa.string(), True, "camera, as the name says"),
        ("start_at", _UTC, True, "when the video starts"),
        ("duration_s", pa.float64(), True, "length in seconds"),
        ("events", pa.int32(), True, "events found in it"),
        ("run", pa.string(), False, "name of the run that saw it last"),
        ("updated_at", _UTC, False, "when its status last changed"),
    ),
    key=("source", "file"),
    scope=("source",),
)

SEGMENTS: Final = Table(
    "segments",
    _schema(
        _SOURCE,
        _CAMERA,
        _HOUR,
        _SEGMENT,
        ("sha1", pa.string(), True, "SHA-1 of the same bytes"),
        ("uri", pa.string(), False, "where the bytes lie"),
        ("start_at", _UTC, False, "time of the first frame"),
        ("end_at", _UTC, False, "time at which the last frame ends"),
        ("zone", pa.string(), False, "time zone in which the source told the start"),
        ("duration_s", pa.float64(), False, "length in seconds"),
        ("fps", pa.float64(), False, "frames a second, on average"),
        ("variable_fps", pa.bool_(), False, "true: frames are not evenly spaced"),
        ("frames", pa.int32(), True, "frames, as the container says; null where it does not"),
        ("width", pa.int32(), False, "pixels, upright"),
        ("height", pa.int32(), False, "pixels, upright"),
        ("rotation", pa.int16(), False, "degrees, clockwise, by which the container turns the coded picture"),
        ("codec", pa.string(), False, "codec of the video"),
        ("audio", pa.bool_(), False, "whether there is sound"),
        ("bytes", pa.int64(), False, "size"),
        ("sequence", pa.int64(), True, "number within a stream; null for a file"),
        ("discontinuity", pa.bool_(), False, "true: does not go on from the segment before"),
        ("lat", pa.float64(), True, "latitude, degrees, WGS 84"),
        ("lon", pa.float64(), True, "longitude, degrees, WGS 84"),
        ("run", pa.string(), False, "name of the run that registered it"),
    ),
    key=("source", "camera", "hour", "segment"),
    scope=("source", "camera", "hour"),
    partition="hour",
)

SCANS: Final = Table(
    "scans",
    _schema(
        _SOURCE,
        _CAMERA,
        _PIPELINE,
        _HOUR,
        _SEGMENT,
        ("frames", pa.int32(), False, "frames that the detector looked at"),
        ("offsets", pa.string(), False, "JSON: their times, microseconds from the start of the segment"),
        ("objects", pa.int32(), False, "objects found in them"),
        ("status", pa.string(), False, "ok; partial: the video broke off; failed: nothing could be read"),
        ("reason", pa.string(), True, "why, in one word; kept_gone, say: another look failed so, and the older stays"),
        ("model", pa.string(), False, "name of the detector"),
        ("model_sha256", pa.string(), False, "hash of its weights"),
        ("scanned_at", _UTC, False, "when"),
    ),
    key=("source", "camera", "pipeline", "hour", "segment"),
    scope=("source", "camera", "pipeline", "hour"),
    partition="hour",
)

SEGMENT_DETECTIONS: Final = Table(
    "segment_detections",
    _schema(
        _SOURCE,
        _CAMERA,
        _PIPELINE,
        _HOUR,
        _SEGMENT,
        ("frame", pa.int32(), False, "number of the frame among those that were looked at, from 0"),
        ("ordinal", pa.int32(), False, "position among the objects of this frame, best score first"),
        ("frame_at", _UTC, False, "time of the frame"),
        ("label", pa.string(), False, "class"),
        ("score", pa.float32(), False, "0..1"),
        *((name, kind, False, text) for name, kind, _, text in _BOX),
    ),
    key=("source", "camera", "pipeline", "hour", "segment", "frame", "ordinal"),
    scope=("source", "camera", "pipeline", "hour"),
    partition="hour",
)

_EVENT = ("event", pa.string(), False, "id: 16 hex digits of the segment, `-`, number within it; or of an import")

VIDEO_EVENTS: Final = Table(
    "video_events",
    _schema(
        _SOURCE,
        _CAMERA,
        _HOUR,
        _EVENT,
        ("segment", pa.string(), True, "SHA-256 of the piece of video; null where only labels were imported"),
        ("sha1", pa.string(), True, "SHA-1 of the same bytes"),
        ("start_at", _UTC, False, "when it begins"),
        ("end_at", _UTC, False, "when it ends"),
        ("start_s", pa.float64(), True, "the same in seconds from the start of the segment"),
        ("end_s", pa.float64(), True, "the same in seconds from the start of the segment"),
        ("score", pa.float64(), False, "how much moves: the largest share of the picture, 0..1"),
        ("cover_at", _UTC, True, "time of the cover picture"),
        ("cover", pa.string(), True, "key of the cover picture in the folder of covers"),
        ("colours", pa.string(), False, "JSON: names of the dominant colours of what moves, most frequent first"),
        ("direction", pa.string(), True, "where it goes: left, right, up, down, approaching, departing; null: nowhere"),
        ("state", pa.string(), False, "cut; labelled; failed: the labeller gave no answer, see reason"),
        ("reason", pa.string(), True, "why it failed, in one word"),
        ("labeller", pa.string(), True, "what labelled it: a model, a service or a hook"),
        (
            "images",
            pa.string(),
            True,
            "JSON: of an import, its pictures: [{at: microseconds from start_at, sha1, ...}]",
        ),
        ("run", pa.string(), False, "name of the run"),
    ),
    key=("source", "camera", "hour", "event"),
    scope=("source", "camera", "hour"),
    partition="hour",
)

LABELS: Final = Table(
    "labels",
    _schema(
        _SOURCE,
        _CAMERA,
        _HOUR,
        _EVENT,
        ("image_at", _UTC, False, "time of the picture that bears the label"),
        ("ordinal", pa.int32(), False, "position among the labels of this picture, from 0"),
        ("label", pa.string(), False, "name"),
        ("probability", pa.float64(), True, "0..1; null where the labeller does not say"),
        *_BOX,
        ("polygon", pa.string(), True, "JSON: [[x, y], ...], fractions, origin top left"),
        ("labeller", pa.string(), False, "model, service, hook or import that said so"),
        ("model_sha256", pa.string(), True, "hash of the weights; null where it was no model of ours"),
    ),
    key=("source", "camera", "hour", "event", "image_at", "ordinal"),
    scope=("source", "camera", "hour"),
    partition="hour",
)

VERDICTS: Final = ("accepted", "rejected", "relabelled")

EVENT_REVIEWS: Final = Table(
    "event_reviews",
    _schema(
        _SOURCE,
        _CAMERA,
        _HOUR,
        _EVENT,
        ("verdict", pa.string(), False, "accepted, rejected or relabelled"),
        ("labels", pa.string(), True, "JSON: the labels that a person gave instead; null unless relabelled"),
        ("author", pa.string(), False, "who said so"),
        ("reviewed_at", _UTC, False, "when"),
    ),
    key=("source", "camera", "hour", "event"),
    scope=("source", "camera", "hour"),
    partition="hour",
)

VIDEO_JOBS: Final = Table(
    "video_jobs",
    _schema(
        _SOURCE,
        ("run", pa.string(), False, "name of the run: the id of the job"),
        ("request", pa.string(), False, "JSON: what was asked for, in the documented shape of a job"),
        ("shards", pa.string(), False, "JSON: the shards by id, with item_count and status"),
        ("status", pa.string(), False, "state of the worst shard"),
        ("items", pa.int32(), False, "files that the job is about"),
        ("planned_at", _UTC, False, "when it was planned"),
        ("updated_at", _UTC, False, "when this row was written"),
    ),
    key=("source", "run"),
    scope=("source", "run"),
    partition="planned_at",
)

PROCESSOR_KINDS: Final = ("traffic", "objects", "faces")

PROCESSORS: Final = Table(
    "processors",
    _schema(
        _SOURCE,
        _CAMERA,
        ("camera_number", pa.int32(), False, "number of the camera, by which the HTTP interface calls it"),
        ("processor", pa.int32(), False, "number of the processor, unique in this installation"),
        ("kind", pa.string(), False, "traffic: who enters, leaves and crosses; objects: who is inside; faces"),
        ("name", pa.string(), False, "what people call it"),
        ("enabled", pa.bool_(), False, "whether new segments are counted"),
        ("pipeline", pa.string(), False, "which detections it counts"),
        ("options", pa.string(), False, "JSON: mode, classes, threshold and all that counting is told"),
        ("version", pa.int32(), False, "version of its zones that counts now"),
        ("author", pa.string(), False, "who changed it last"),
        ("updated_at", _UTC, False, "when"),
    ),
    key=("source", "processor"),
    scope=("source",),
)

ZONES: Final = Table(
    "zones",
    _schema(
        _SOURCE,
        ("processor", pa.int32(), False, "number of the processor"),
        ("version", pa.int32(), False, "version, from 1; an edit of shapes or options makes the next"),
        ("zones", pa.string(), False, "JSON: [{name, polygon: [[x, y], ...]}], fractions, origin top left"),
        ("lines", pa.string(), False, "JSON: [{name, from: [x, y], to: [x, y]}], the same; left to right is forward"),
        ("pipeline", pa.string(), False, "detections that this version counts"),
        ("options", pa.string(), False, "JSON: what counting is told in this version"),
        ("note", pa.string(), True, "why it was changed"),
        ("author", pa.string(), False, "who drew it"),
        ("created_at", _UTC, False, "when"),
    ),
    key=("source", "processor", "version"),
    scope=("source",),
)

_COUNTED = (
    _SOURCE,
    _CAMERA,
    ("processor", pa.int32(), False, "number of the processor"),
    ("version", pa.int32(), False, "version of its zones"),
    ("day", pa.date32(), False, "UTC day in which the segment starts"),
)
_COUNTED_SCOPE: Final = ("source", "camera", "processor", "version", "day")
_TRACK = ("track", pa.int64(), True, "number of the track within its processor and version; null in match mode")

ZONE_EVENT_KINDS: Final = ("enter", "exit", "cross", "finish")

ZONE_EVENTS: Final = Table(
    "zone_events",
    _schema(
        *_COUNTED,
        ("ordinal", pa.int32(), False, "position among the events of the day, oldest first"),
        ("happened_at", _UTC, False, "when"),
        ("kind", pa.string(), False, "enter or exit a zone; cross a line; finish: a count of match mode"),
        ("zone", pa.string(), True, "name of the zone or line; null: any"),
        ("direction", pa.string(), True, "of a line: forward or backward"),
        ("label", pa.string(), True, "class, as most of the track says; null where classes are not told apart"),
        _TRACK,
        ("value", pa.int32(), False, "objects that the event counts"),
        ("dwell_s", pa.float64(), True, "at an exit: seconds since the entry"),
        ("origin", pa.string(), True, "at an entry: the zone that the track was in before; null: none"),
        ("x", pa.float32(), True, "where the object was, fraction of the width"),
        ("y", pa.float32(), True, "where the object was, fraction of the height"),
        ("segment", pa.string(), False, "SHA-256 of the piece of video"),
    ),
    key=(*_COUNTED_SCOPE, "ordinal"),
    scope=_COUNTED_SCOPE,
    partition="day",
)

OCCUPANCY: Final = Table(
    "occupancy",
    _schema(
        *_COUNTED,
        ("zone", pa.string(), False, "name of the zone; * for all of them together"),
        ("since", _UTC, False, "since when"),
        ("inside", pa.int32(), True, "objects inside from then on; null: nobody looked from then on"),
        ("segment", pa.string(), False, "SHA-256 of the piece of video"),
    ),
    key=(*_COUNTED_SCOPE, "zone", "since"),
    scope=_COUNTED_SCOPE,
    partition="day",
)

TRACKS: Final = Table(
    "tracks",
    _schema(
        *_COUNTED,
        ("track", pa.int64(), False, "number of the track"),
        ("label", pa.string(), False, "class, as most of its boxes say"),
        ("score", pa.float32(), False, "mean score of its boxes"),
        ("boxes", pa.int32(), False, "boxes that it was made of"),
        ("start_at", _UTC, False, "first box"),
        ("end_at", _UTC, False, "last box"),
        ("path", pa.string(), False, "JSON: [[seconds from start_at, x, y], ...] of its anchor, thinned"),
    ),
    key=(*_COUNTED_SCOPE, "track"),
    scope=_COUNTED_SCOPE,
    partition="day",
)

ZONE_MINUTES: Final = Table(
    "zone_minutes",
    _schema(
        *_COUNTED,
        ("minute", _UTC, False, "start of the minute"),
        ("zone", pa.string(), False, "name of the zone or line; * for all zones together"),
        ("label", pa.string(), False, "class; * for all together"),
        ("watched_s", pa.float64(), False, "seconds of the minute that were looked at; 0 counts mean nothing beyond"),
        ("entered", pa.int32(), False, "entries"),
        ("exited", pa.int32(), False, "exits"),
        ("forward", pa.int32(), False, "crossings of a line, forward"),
        ("backward", pa.int32(), False, "crossings of a line, backward"),
        ("finished", pa.int32(), False, "counts of match mode"),
        ("inside_min", pa.int32(), True, "fewest inside at a time; null where not known"),
        ("inside_mean", pa.float64(), True, "mean inside, weighted by time; null where not known"),
        ("inside_max", pa.int32(), True, "most inside at a time; null where not known"),
        ("dwell_mean_s", pa.float64(), True, "mean stay of those who left; null where nobody did"),
    ),
    key=(*_COUNTED_SCOPE, "minute", "zone", "label"),
    scope=_COUNTED_SCOPE,
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
        VIDEO_FILES,
        SEGMENTS,
        SCANS,
        SEGMENT_DETECTIONS,
        VIDEO_EVENTS,
        LABELS,
        EVENT_REVIEWS,
        VIDEO_JOBS,
        PROCESSORS,
        ZONES,
        ZONE_EVENTS,
        OCCUPANCY,
        TRACKS,
        ZONE_MINUTES,
    )
}
