"""Rows for a road authority's own table of photos, in Arrow: out of the table `road_photos`, or of any records.

Each row carries, beside the layout's columns, which picture it is of, when it was made, why it cannot be sent, and
what is to be said about it. So a batch on disk holds all that its delivery and its report need.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from wayside.core.tables import ROAD_PHOTOS, Table
from wayside.metadata.layouts import ColumnLayout, TableLayout
from wayside.metadata.rows import Position, RowMaker, Value
from wayside.warehouse.outbox import Published
from wayside.warehouse.scope import Scope

# No column of a layout may be called so.
PHOTO: Final = "~photo"
MADE_AT: Final = "~made_at"
FAULT: Final = "~fault"
NOTES: Final = "~notes"
_UTC: Final = pa.timestamp("us", tz="UTC")
_BESIDE: Final = (
    pa.field(PHOTO, pa.string()),
    pa.field(MADE_AT, _UTC),
    pa.field(FAULT, pa.string()),
    pa.field(NOTES, pa.string()),
)
_TYPES: Final = {
    "VARCHAR": pa.string(),
    "CLOB": pa.large_string(),
    "NUMBER": pa.float64(),
    "DATE": pa.timestamp("s", tz="UTC"),
}
_STATUSES: Final = frozenset({"done", "skipped"})


@dataclass(frozen=True, slots=True)
class Item:
    """One picture that is to be registered.

    Attributes:
        photo: what people call it: its source and path.
        made_at: when its record was made; of two with the same key the later counts.
        record: the record; None where there is none, for the reason in `fault`.
        fault: why it has no record.
        notes: what is to be said about it.
    """

    photo: str
    made_at: datetime | None
    record: dict[str, Any] | None
    fault: str | None = None
    notes: tuple[str, ...] = ()


def table_of(layout: TableLayout) -> Table:
    """Return the table that a layout describes; its scopes are those of `road_photos`."""
    fields = [pa.field(column.name, _kind(column), True, metadata=_metadata(column)) for column in layout.columns]
    return Table(layout.name.lower(), pa.schema(fields), (layout.key_column.name,), ROAD_PHOTOS.scope)


def batch_schema(table: Table) -> pa.Schema:
    """Return the schema of a batch's file."""
    return pa.schema([*table.schema, *_BESIDE])


def batch_rows(table: Table, maker: RowMaker, items: Iterable[Item]) -> pa.Table:
    """Make the rows of some pictures; of one that cannot be sent the key and the fault."""
    schema = batch_schema(table)
    found: dict[str, list[Any]] = {name: [] for name in schema.names}
    for item in items:
        row = None if item.record is None else maker(item.record)
        fault = item.fault or (None if row is None else "; ".join(row.faults) or None)
        notes = [*item.notes, *(row.warnings if row else ())]
        for name in table.schema.names:
            shown = row is not None and (fault is None or name in table.key)
            found[name].append(_plain(row.values[name]) if row is not None and shown else None)
        for name, value in (
            (PHOTO, item.photo),
            (MADE_AT, item.made_at),
            (FAULT, fault),
            (NOTES, "; ".join(notes) or None),
        ):
            found[name].append(value)
    return pa.Table.from_pydict(found, schema=schema)


class PhotoRows(Published):
    """Reads published road photos as rows of a layout, for the outbox of its table.

    Args:
        lake: where `road_photos` is published.
        maker: makes the rows.
    """

    def __init__(self, lake: Published, maker: RowMaker) -> None:
        self.lake = lake
        self.maker = maker

    def content(self, table: Table, scope: Scope) -> tuple[pa.Table, str]:
        """Return the rows of the pictures of one folder that are done, and the hash of the file they come from."""
        rows, digest = self.lake.content(ROAD_PHOTOS, scope)
        listed = rows.select(["source", "photo", "status", "record", "processed_at"]).to_pylist()
        return batch_rows(table, self.maker, (_item(row) for row in listed if _counts(row))), digest


def _counts(row: dict[str, Any]) -> bool:
    return row["status"] in _STATUSES and row["record"] is not None


def _item(row: dict[str, Any]) -> Item:
    photo = f"{row['source']}/{row['photo']}"
    try:
        record = json.loads(row["record"])
    except (ValueError, RecursionError) as error:
        return Item(photo, row["processed_at"], None, f"its record is no JSON: {error}")
    if not isinstance(record, dict):
        return Item(photo, row["processed_at"], None, "its record is no object of JSON")
    return Item(photo, row["processed_at"], record)


def _plain(value: Value) -> Any:
    if isinstance(value, Position):
        return {"x": value.x, "y": value.y, "z": value.z}
    return value


def _kind(column: ColumnLayout) -> pa.DataType:
    if column.spatial is not None:
        return pa.struct([pa.field(axis, pa.float64()) for axis in "xyz"[: column.spatial.dimension]])
    return _TYPES[column.family]


def _metadata(column: ColumnLayout) -> dict[str, str]:
    """Say how Oracle holds the column (see `wayside.warehouse.oracle_columns`)."""
    if column.spatial is not None:
        bounds = [bound for axis in column.spatial.axes for bound in (axis.low, axis.high)]
        extent = ",".join(map(repr, [*bounds, column.spatial.axes[0].tolerance]))
        return {
            "oracle": f"sdo_point_{column.spatial.dimension}d:{column.spatial.srid}",
            "oracle_extent": extent,
        }
    if column.length is not None:
        return {"oracle": f"varchar2:{column.length}"}
    return {"oracle": column.family.lower()}
