"""The tables of zones: what was seen in segments, what counts, and what was counted."""

from typing import Final

import pyarrow as pa

from wayside.core.schema import CAMERA, PIPELINE, SOURCE, UTC_TIME, Table, schema_of
from wayside.core.video_tables import BOX, HOUR, SEGMENT

SCANS: Final = Table(
    "scans",
    schema_of(
        SOURCE,
        CAMERA,
        PIPELINE,
        HOUR,
        SEGMENT,
        ("frames", pa.int32(), False, "frames that the detector looked at"),
        ("offsets", pa.string(), False, "JSON: their times, microseconds from the start of the segment"),
        ("objects", pa.int32(), False, "objects found in them"),
        ("status", pa.string(), False, "ok; partial: the video broke off; failed: nothing could be read"),
        ("reason", pa.string(), True, "why, in one word; kept_gone, say: another look failed so, and the older stays"),
        ("model", pa.string(), False, "name of the detector"),
        ("model_sha256", pa.string(), False, "hash of its weights"),
        ("scanned_at", UTC_TIME, False, "when"),
    ),
    key=("source", "camera", "pipeline", "hour", "segment"),
    scope=("source", "camera", "pipeline", "hour"),
    partition="hour",
)


SEGMENT_DETECTIONS: Final = Table(
    "segment_detections",
    schema_of(
        SOURCE,
        CAMERA,
        PIPELINE,
        HOUR,
        SEGMENT,
        ("frame", pa.int32(), False, "number of the frame among those that were looked at, from 0"),
        ("ordinal", pa.int32(), False, "position among the objects of this frame, best score first"),
        ("frame_at", UTC_TIME, False, "time of the frame"),
        ("label", pa.string(), False, "class"),
        ("score", pa.float32(), False, "0..1"),
        *((name, kind, False, text) for name, kind, _, text in BOX),
    ),
    key=("source", "camera", "pipeline", "hour", "segment", "frame", "ordinal"),
    scope=("source", "camera", "pipeline", "hour"),
    partition="hour",
)

PROCESSOR_KINDS: Final = ("traffic", "objects", "faces")


PROCESSORS: Final = Table(
    "processors",
    schema_of(
        SOURCE,
        CAMERA,
        ("camera_number", pa.int32(), False, "number of the camera, by which the HTTP interface calls it"),
        ("processor", pa.int32(), False, "number of the processor, unique in this installation"),
        ("kind", pa.string(), False, "traffic: who enters, leaves and crosses; objects: who is inside; faces"),
        ("name", pa.string(), False, "what people call it"),
        ("enabled", pa.bool_(), False, "whether new segments are counted"),
        ("pipeline", pa.string(), False, "which detections it counts"),
        ("options", pa.string(), False, "JSON: mode, classes, threshold and all that counting is told"),
        ("version", pa.int32(), False, "version of its zones that counts now"),
        ("author", pa.string(), False, "who changed it last"),
        ("updated_at", UTC_TIME, False, "when"),
    ),
    key=("source", "processor"),
    scope=("source",),
)


ZONES: Final = Table(
    "zones",
    schema_of(
        SOURCE,
        ("processor", pa.int32(), False, "number of the processor"),
        ("version", pa.int32(), False, "version, from 1; an edit of shapes or options makes the next"),
        ("zones", pa.string(), False, "JSON: [{name, polygon: [[x, y], ...]}], fractions, origin top left"),
        ("lines", pa.string(), False, "JSON: [{name, from: [x, y], to: [x, y]}], the same; left to right is forward"),
        ("pipeline", pa.string(), False, "detections that this version counts"),
        ("options", pa.string(), False, "JSON: what counting is told in this version"),
        ("note", pa.string(), True, "why it was changed"),
        ("author", pa.string(), False, "who drew it"),
        ("created_at", UTC_TIME, False, "when"),
    ),
    key=("source", "processor", "version"),
    scope=("source",),
)


_COUNTED: Final = (
    SOURCE,
    CAMERA,
    ("processor", pa.int32(), False, "number of the processor"),
    ("version", pa.int32(), False, "version of its zones"),
    ("day", pa.date32(), False, "UTC day in which the segment starts"),
)

_COUNTED_SCOPE: Final = ("source", "camera", "processor", "version", "day")

_TRACK: Final = ("track", pa.int64(), True, "number of the track within its processor and version; null in match mode")

ZONE_EVENT_KINDS: Final = ("enter", "exit", "cross", "finish")


ZONE_EVENTS: Final = Table(
    "zone_events",
    schema_of(
        *_COUNTED,
        ("ordinal", pa.int32(), False, "position among the events of the day, oldest first"),
        ("happened_at", UTC_TIME, False, "when"),
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
    schema_of(
        *_COUNTED,
        ("zone", pa.string(), False, "name of the zone; * for all of them together"),
        ("since", UTC_TIME, False, "since when"),
        ("inside", pa.int32(), True, "objects inside from then on; null: nobody looked from then on"),
        ("segment", pa.string(), False, "SHA-256 of the piece of video"),
    ),
    key=(*_COUNTED_SCOPE, "zone", "since"),
    scope=_COUNTED_SCOPE,
    partition="day",
)


TRACKS: Final = Table(
    "tracks",
    schema_of(
        *_COUNTED,
        ("track", pa.int64(), False, "number of the track"),
        ("label", pa.string(), False, "class, as most of its boxes say"),
        ("score", pa.float32(), False, "mean score of its boxes"),
        ("boxes", pa.int32(), False, "boxes that it was made of"),
        ("start_at", UTC_TIME, False, "first box"),
        ("end_at", UTC_TIME, False, "last box"),
        ("path", pa.string(), False, "JSON: [[seconds from start_at, x, y], ...] of its anchor, thinned"),
    ),
    key=(*_COUNTED_SCOPE, "track"),
    scope=_COUNTED_SCOPE,
    partition="day",
)


ZONE_MINUTES: Final = Table(
    "zone_minutes",
    schema_of(
        *_COUNTED,
        ("minute", UTC_TIME, False, "start of the minute"),
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
