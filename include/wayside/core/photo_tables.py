"""The tables of road photos."""

from typing import Final

import pyarrow as pa

from wayside.core.schema import DAY, SOURCE, UTC_TIME, Table, schema_of

_PHOTO: Final = ("photo", pa.string(), False, "path of the picture below its source, / between the parts")
_FOLDER: Final = ("folder", pa.string(), False, "id of the picture's folder: 16 hex digits of the SHA-256 of its path")


ROAD_PHOTOS: Final = Table(
    "road_photos",
    schema_of(
        SOURCE,
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
            UTC_TIME,
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
        ("processed_at", UTC_TIME, False, "when"),
    ),
    key=("source", "folder", "photo"),
    scope=("source", "folder"),
)


RECEIPTS: Final = Table(
    "receipts",
    schema_of(
        SOURCE,
        DAY,
        ("ordinal", pa.int32(), False, "position in the chain of the day, from 0"),
        _PHOTO,
        ("output_sha256", pa.string(), False, "hash of the anonymised picture"),
        ("receipt", pa.string(), False, "the receipt as canonical JSON"),
        ("receipt_sha256", pa.string(), False, "hash of that text"),
        ("previous_sha256", pa.string(), False, "link_sha256 of the one before; zeros for the first of all"),
        ("link_sha256", pa.string(), False, "SHA-256 of previous_sha256 and receipt_sha256, as hex, joined"),
        ("run", pa.string(), False, "name of the run"),
        ("written_at", UTC_TIME, False, "when the receipt joined the chain"),
    ),
    key=("source", "day", "ordinal"),
    scope=("source", "day"),
    partition="day",
)
