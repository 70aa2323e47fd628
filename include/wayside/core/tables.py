"""The tables of Wayside as Arrow schemas, declared once and used by every reader, writer, SQL file and test.

A table has a key (unique) and a scope: the columns whose values name the part of the table that one publication
replaces. Coordinates are fractions 0..1 of the picture, origin top left; times are UTC with a zone. `partition` is
the column by whose day a warehouse divides a large table; small tables have none.
"""

from typing import Final

from wayside.core.photo_tables import RECEIPTS, ROAD_PHOTOS
from wayside.core.schema import SCHEMA_VERSION, Table
from wayside.core.still_tables import (
    CAMERA_CHANGES,
    CAMERA_DAYS,
    CAMERAS,
    COUNT_CLASSES,
    COUNTS,
    DETECTIONS,
    EXPIRIES,
    FRAME_STATUSES,
    FRAMES,
    RUN_STATES,
    RUNS,
    SERIES_CLASSES,
    SLOT_RUNS,
    TIMESERIES,
)
from wayside.core.video_tables import (
    EVENT_REVIEWS,
    FILE_STATES,
    LABELS,
    SEGMENTS,
    VERDICTS,
    VIDEO_EVENTS,
    VIDEO_FILES,
    VIDEO_JOBS,
)
from wayside.core.zone_tables import (
    OCCUPANCY,
    PROCESSOR_KINDS,
    PROCESSORS,
    SCANS,
    SEGMENT_DETECTIONS,
    TRACKS,
    ZONE_EVENT_KINDS,
    ZONE_EVENTS,
    ZONE_MINUTES,
    ZONES,
)

__all__ = [
    "CAMERAS",
    "CAMERA_CHANGES",
    "CAMERA_DAYS",
    "COUNTS",
    "COUNT_CLASSES",
    "DETECTIONS",
    "EVENT_REVIEWS",
    "EXPIRIES",
    "FILE_STATES",
    "FRAMES",
    "FRAME_STATUSES",
    "LABELS",
    "OCCUPANCY",
    "PROCESSORS",
    "PROCESSOR_KINDS",
    "RECEIPTS",
    "ROAD_PHOTOS",
    "RUNS",
    "RUN_STATES",
    "SCANS",
    "SCHEMA_VERSION",
    "SEGMENTS",
    "SEGMENT_DETECTIONS",
    "SERIES_CLASSES",
    "SLOT_RUNS",
    "TABLES",
    "TIMESERIES",
    "TRACKS",
    "VERDICTS",
    "VIDEO_EVENTS",
    "VIDEO_FILES",
    "VIDEO_JOBS",
    "ZONES",
    "ZONE_EVENTS",
    "ZONE_EVENT_KINDS",
    "ZONE_MINUTES",
    "Table",
]

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
