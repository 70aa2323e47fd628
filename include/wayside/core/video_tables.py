"""The tables of video archives, and of the segments that zones are counted on."""

from typing import Final

import pyarrow as pa

from wayside.core.schema import CAMERA, SOURCE, UTC_TIME, Table, schema_of

HOUR: Final = ("hour", UTC_TIME, False, "UTC hour in which the segment starts")
SEGMENT: Final = ("segment", pa.string(), False, "SHA-256 of the piece of video")

FILE_STATES: Final = ("quarantined", "alias", "planned", "processed", "labelled", "exported")


VIDEO_FILES: Final = Table(
    "video_files",
    schema_of(
        SOURCE,
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
        ("start_at", UTC_TIME, True, "when the video starts"),
        ("duration_s", pa.float64(), True, "length in seconds"),
        ("events", pa.int32(), True, "events found in it"),
        ("run", pa.string(), False, "name of the run that saw it last"),
        ("updated_at", UTC_TIME, False, "when its status last changed"),
    ),
    key=("source", "file"),
    scope=("source",),
)


SEGMENTS: Final = Table(
    "segments",
    schema_of(
        SOURCE,
        CAMERA,
        HOUR,
        SEGMENT,
        ("sha1", pa.string(), True, "SHA-1 of the same bytes"),
        ("uri", pa.string(), False, "where the bytes lie"),
        ("start_at", UTC_TIME, False, "time of the first frame"),
        ("end_at", UTC_TIME, False, "time at which the last frame ends"),
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

_EVENT: Final = (
    "event",
    pa.string(),
    False,
    "id: 16 hex digits of the segment, `-`, number within it; or of an import",
)


BOX: Final = (
    ("x1", pa.float32(), True, "left edge, fraction of the width"),
    ("y1", pa.float32(), True, "top edge, fraction of the height"),
    ("x2", pa.float32(), True, "right edge, fraction of the width"),
    ("y2", pa.float32(), True, "bottom edge, fraction of the height"),
)


VIDEO_EVENTS: Final = Table(
    "video_events",
    schema_of(
        SOURCE,
        CAMERA,
        HOUR,
        _EVENT,
        ("segment", pa.string(), True, "SHA-256 of the piece of video; null where only labels were imported"),
        ("sha1", pa.string(), True, "SHA-1 of the same bytes"),
        ("start_at", UTC_TIME, False, "when it begins"),
        ("end_at", UTC_TIME, False, "when it ends"),
        ("start_s", pa.float64(), True, "the same in seconds from the start of the segment"),
        ("end_s", pa.float64(), True, "the same in seconds from the start of the segment"),
        ("score", pa.float64(), False, "how much moves: the largest share of the picture, 0..1"),
        ("cover_at", UTC_TIME, True, "time of the cover picture"),
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
    schema_of(
        SOURCE,
        CAMERA,
        HOUR,
        _EVENT,
        ("image_at", UTC_TIME, False, "time of the picture that bears the label"),
        ("ordinal", pa.int32(), False, "position among the labels of this picture, from 0"),
        ("label", pa.string(), False, "name"),
        ("probability", pa.float64(), True, "0..1; null where the labeller does not say"),
        *BOX,
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
    schema_of(
        SOURCE,
        CAMERA,
        HOUR,
        _EVENT,
        ("verdict", pa.string(), False, "accepted, rejected or relabelled"),
        ("labels", pa.string(), True, "JSON: the labels that a person gave instead; null unless relabelled"),
        ("author", pa.string(), False, "who said so"),
        ("reviewed_at", UTC_TIME, False, "when"),
    ),
    key=("source", "camera", "hour", "event"),
    scope=("source", "camera", "hour"),
    partition="hour",
)


VIDEO_JOBS: Final = Table(
    "video_jobs",
    schema_of(
        SOURCE,
        ("run", pa.string(), False, "name of the run: the id of the job"),
        ("request", pa.string(), False, "JSON: what was asked for, in the documented shape of a job"),
        ("shards", pa.string(), False, "JSON: the shards by id, with item_count and status"),
        ("status", pa.string(), False, "state of the worst shard"),
        ("items", pa.int32(), False, "files that the job is about"),
        ("planned_at", UTC_TIME, False, "when it was planned"),
        ("updated_at", UTC_TIME, False, "when this row was written"),
    ),
    key=("source", "run"),
    scope=("source", "run"),
    partition="planned_at",
)
