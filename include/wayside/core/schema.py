"""What a table is, and the columns that many tables have."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1
UTC_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One table: its name, Arrow schema, unique key, the columns that name a publishing scope, the partition column."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    scope: tuple[str, ...]
    partition: str | None = None


def schema_of(*fields: tuple[str, pa.DataType, bool, str]) -> pa.Schema:
    """Build a schema from (name, type, nullable, description); the schema version closes every row."""
    closing = ("schema_version", pa.int16(), False, "version of this schema")
    return pa.schema(
        [
            pa.field(name, kind, nullable, metadata={"description": text})
            for name, kind, nullable, text in (*fields, closing)
        ]
    )


SOURCE: Final = ("source", pa.string(), False, "who offers the picture")
CAMERA: Final = ("camera", pa.string(), False, "the camera's name within its source")
DAY: Final = ("day", pa.date32(), False, "UTC day")
PIPELINE: Final = ("pipeline", pa.string(), False, "stages that made the row")
MODEL_HASH: Final = ("model_sha256", pa.string(), True, "hash of the detector's weights; null where none ran")
