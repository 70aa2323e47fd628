"""The tables of camera stills, from cameras to time series."""

from typing import Final

import pyarrow as pa

from wayside.core.schema import CAMERA, DAY, MODEL_HASH, PIPELINE, SOURCE, UTC_TIME, Table, schema_of

COUNT_CLASSES: Final = ("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van")

FRAME_STATUSES: Final = ("ok", "missing", "failed")

_SLOT: Final = ("slot", UTC_TIME, False, "start of the ten-minute slot")


CAMERAS: Final = Table(
    "cameras",
    schema_of(
        SOURCE,
        CAMERA,
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
    schema_of(
        SOURCE,
        CAMERA,
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
        ("captured_at", UTC_TIME, True, "when the source says that the picture was taken"),
        ("fetched_at", UTC_TIME, False, "when this outcome was known"),
        ("uri", pa.string(), True, "where the picture lies"),
    ),
    key=("source", "camera", "slot"),
    scope=("source", "slot"),
    partition="slot",
)


DETECTIONS: Final = Table(
    "detections",
    schema_of(
        SOURCE,
        CAMERA,
        _SLOT,
        PIPELINE,
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
        MODEL_HASH,
    ),
    key=("source", "camera", "slot", "pipeline", "ordinal"),
    scope=("source", "slot", "pipeline"),
    partition="slot",
)


COUNTS: Final = Table(
    "counts",
    schema_of(
        SOURCE,
        CAMERA,
        _SLOT,
        PIPELINE,
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
        MODEL_HASH,
    ),
    key=("source", "camera", "slot", "pipeline"),
    scope=("source", "slot", "pipeline"),
    partition="slot",
)


SLOT_RUNS: Final = Table(
    "slot_runs",
    schema_of(
        SOURCE,
        _SLOT,
        PIPELINE,
        ("cameras", pa.int32(), False, "cameras with a frame at this slot"),
        ("fetched", pa.int32(), False, "frames with status ok"),
        ("missing", pa.int32(), False, "frames with status missing"),
        ("failed", pa.int32(), False, "frames with status failed"),
        ("analysed_slot", UTC_TIME, False, "slot whose counts this run published"),
        ("analysed", pa.int32(), False, "pictures counted"),
        ("faulty", pa.int32(), False, "pictures found faulty"),
        ("detections", pa.int32(), False, "objects counted, all classes"),
        MODEL_HASH,
    ),
    key=("source", "slot", "pipeline"),
    scope=("source", "slot", "pipeline"),
    partition="slot",
)


CAMERA_DAYS: Final = Table(
    "camera_days",
    schema_of(
        SOURCE,
        CAMERA,
        PIPELINE,
        DAY,
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
    schema_of(
        SOURCE,
        ("run", pa.string(), False, "name of the run, the same each time it is tried again"),
        ("kind", pa.string(), False, "what ran, the name of a DAG"),
        ("state", pa.string(), False, "planned: a dry run; running; done; failed"),
        ("first", UTC_TIME, False, "first slot of the range"),
        ("last", UTC_TIME, False, "last slot of the range"),
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
        ("started_at", UTC_TIME, False, "when it was first started"),
        ("updated_at", UTC_TIME, False, "when this row was written"),
        ("note", pa.string(), True, "result or error, in one sentence"),
    ),
    key=("source", "run"),
    scope=("source", "run"),
    partition="started_at",
)


EXPIRIES: Final = Table(
    "expiries",
    schema_of(
        SOURCE,
        DAY,
        ("prefix", pa.string(), False, "folder of pictures, `<source>/<YYYYMMDD>`"),
        ("action", pa.string(), False, "deleted; would_delete, in a dry run; kept"),
        ("reason", pa.string(), True, "why pictures were kept, in one word"),
        ("pictures", pa.int32(), False, "pictures that the action is about"),
        ("bytes", pa.int64(), False, "their size"),
        ("kept", pa.int32(), False, "pictures of the folder that stay"),
        ("run", pa.string(), False, "name of the run that decided"),
        ("decided_at", UTC_TIME, False, "when"),
    ),
    key=("source", "day"),
    scope=("source", "day"),
    partition="day",
)


CAMERA_CHANGES: Final = Table(
    "camera_changes",
    schema_of(
        SOURCE,
        DAY,
        CAMERA,
        ("change", pa.string(), False, "appeared, vanished, returned, moved or renamed"),
        ("detail", pa.string(), True, "what it was and what it is now"),
        ("analysed", pa.bool_(), False, "whether the camera had counts in the week before"),
        ("seen_at", UTC_TIME, False, "when the change was noticed"),
    ),
    key=("source", "day", "camera", "change"),
    scope=("source", "day"),
    partition="day",
)

SERIES_CLASSES: Final = (*COUNT_CLASSES, "person_cyclist")


TIMESERIES: Final = Table(
    "timeseries",
    schema_of(
        SOURCE,
        PIPELINE,
        ("series", pa.string(), False, "class, or person_cyclist: the sum of the two"),
        DAY,
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
