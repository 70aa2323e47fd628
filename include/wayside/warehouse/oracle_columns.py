"""How the columns of a table look in Oracle: type, size, comment, and how their values are bound.

A text is `VARCHAR2(n CHAR)` of a length that its name has, or `CLOB`; a field may say otherwise in its metadata under
`oracle`: `varchar2:80`, `clob`, `sdo_point_2d:4326` or `sdo_point_3d:5973`. A point is a struct of the fractions x, y
and, in space, z, and travels as numbers, of which the statement builds the object. `number` makes a fraction a `NUMBER`
without limits, `date` a time a `DATE`, in UTC. Oracle keeps no empty text but a null, so only texts of the key are
`NOT NULL`.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import oracledb
import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.tables import Table

_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,127}")
_MARKER: Final = re.compile(r"clob|number|date|varchar2:([1-9][0-9]{0,3})|sdo_point_([23])d:([0-9]{1,7})")
_UTC: Final = pa.timestamp("us", tz="UTC")

# Characters of the texts whose length is ruled; a key has to fit into an index block, so its texts are short.
_LENGTHS: Final = {
    "source": 63, "camera": 127, "pipeline": 200, "run": 127, "sha256": 64, "model_sha256": 64, "folder": 16,
    "photo": 1000, "file": 1000, "segment": 64,
}  # fmt: skip
_IN_KEY: Final = 100
_ELSE: Final = 1000  # times four bytes, the most that a VARCHAR2 holds everywhere
_LONG: Final = frozenset(
    {
        *(("runs", "cameras"), ("runs", "why"), ("runs", "note"), ("camera_changes", "detail")),
        *(("road_photos", name) for name in ("record", "models", "detail", "output_uri", "json_uri", "preview_uri")),
        *(("road_photos", "archive_uri"), ("receipts", "receipt")),
        *(("video_files", name) for name in ("detail", "alias_of")),
        *(("video_jobs", "request"), ("video_jobs", "shards"), ("segments", "uri"), ("scans", "offsets")),
        *(
            ("video_events", "images"),
            ("labels", "polygon"),
            ("event_reviews", "labels"),
            ("processors", "options"),
            ("tracks", "path"),
        ),
        *(("zones", "zones"), ("zones", "lines"), ("zones", "options"), ("zones", "note")),
    }
)

_WITHOUT_SIZE: Final = {"number": ("NUMBER", pa.types.is_floating), "date": ("DATE", pa.types.is_timestamp)}

_DEGREES: Final = frozenset({4258, 4326, 4937, 4979, 8307})
_GLOBE: Final = ((-180.0, 180.0), (-90.0, 90.0), (-1000.0, 10000.0))
_TOLERANCE: Final = 0.05  # metres


@dataclass(frozen=True)
class Point:
    """A column of points: two or three numbers in the coordinate system `srid`, within an extent for its index."""

    srid: int
    axes: tuple[str, ...]
    extent: tuple[tuple[float, float], ...]
    tolerance: float

    @property
    def gtype(self) -> int:
        """Oracle's code for a point of so many dimensions."""
        return len(self.axes) * 1000 + 1


@dataclass(frozen=True)
class Column:
    """One column of a table in Oracle.

    Attributes:
        field: the Arrow field.
        name: its name, in capitals.
        kind: the type without its size: `VARCHAR2`, `NUMBER`, `TIMESTAMP(6) WITH TIME ZONE`, ...
        size: characters or digits; None for a type without.
        nullable: whether a null may stand there.
        boolean: whether only 0 and 1 may.
        point: what is known of a column of points.
    """

    field: pa.Field
    name: str
    kind: str
    size: int | None
    nullable: bool
    boolean: bool = False
    point: Point | None = None

    @property
    def type(self) -> str:
        """The type as it is declared."""
        if self.size is None:
            return self.kind
        return f"{self.kind}({self.size}{' CHAR' if self.kind == 'VARCHAR2' else ''})"

    @property
    def comment(self) -> str:
        """The field's description."""
        return str((self.field.metadata or {}).get(b"description", b"").decode())

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The names and types by which the column is staged: itself, or the numbers of a point."""
        if self.point is None:
            return [(self.name, self.type)]
        return [(f"{self.name}_{axis.upper()}", "BINARY_DOUBLE") for axis in self.point.axes]

    @property
    def bind_types(self) -> list[Any]:
        """What the driver has to know of each part: the types that it would guess otherwise, with the wrong result."""
        kinds = {
            "NUMBER": oracledb.DB_TYPE_NUMBER,
            "BINARY_DOUBLE": oracledb.DB_TYPE_BINARY_DOUBLE,
            "BINARY_FLOAT": oracledb.DB_TYPE_BINARY_FLOAT,
            "DATE": oracledb.DB_TYPE_DATE,
            "TIMESTAMP(6)": oracledb.DB_TYPE_TIMESTAMP,
            "TIMESTAMP(6) WITH TIME ZONE": oracledb.DB_TYPE_TIMESTAMP_TZ,
        }
        return [kinds.get(kind.split("(")[0] if kind.startswith("NUMBER") else kind) for _, kind in self.parts]

    def values(self, rows: pa.Table) -> list[list[Any]]:
        """Return what is bound for each part: a list as long as the rows."""
        array = rows[self.field.name]
        if self.point is not None:
            return [pc.struct_field(array, axis).to_pylist() for axis in self.point.axes]
        kind = self.field.type
        if pa.types.is_boolean(kind):
            array = pc.cast(array, pa.int8())
        elif self.kind == "DATE":
            # The driver writes the fields as they are, and drops parts of a second.
            if pa.types.is_timestamp(kind) and kind.tz:
                array = pc.cast(array, _UTC)
            array = pc.cast(array, pa.timestamp("s"), safe=False)
        elif pa.types.is_timestamp(kind):
            # The driver drops the zone and writes +00:00, so the clock has to show UTC.
            array = pc.cast(array, _UTC if kind.tz else pa.timestamp("us"))
        values = array.to_pylist()
        if self.kind == "NUMBER" and pa.types.is_floating(kind):
            values = [int(value) if value is not None and value.is_integer() else value for value in values]
        return [values]


def identifier(name: str) -> str:
    """Return a name in capitals and quotes, as it stands in a statement; raise `InvalidIdentifierError` if it cannot.

    In quotes, since a column may be called `mode` or `date`; in capitals, so that a person need not quote the others.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise InvalidIdentifierError(
            f"{name!r} cannot name a table, column or schema in Oracle: letters, digits, '_', '$' and '#', "
            "starting with a letter, at most 128"
        )
    return f'"{name.upper()}"'


def columns(table: Table) -> list[Column]:
    """Return the columns of a table; raise `ConfigError` naming a field that Oracle cannot hold."""
    return [_column(table, field) for field in table.schema]


def _column(table: Table, field: pa.Field) -> Column:
    identifier(field.name)
    name, keyed = field.name.upper(), field.name in (*table.key, *table.scope)  # Oracle's key begins with the scope
    marker = (field.metadata or {}).get(b"oracle", b"").decode()
    told = _MARKER.fullmatch(marker)
    if marker and not told:
        raise ConfigError(f"{table.name}.{field.name} is marked {marker!r}, which means nothing for Oracle")
    if told and told[0] in _WITHOUT_SIZE:
        kind, fits = _WITHOUT_SIZE[told[0]]
        if not fits(field.type):
            raise ConfigError(f"{table.name}.{field.name} is of type {field.type} and marked {marker!r}")
        return Column(field, name, kind, None, field.nullable and not keyed)
    if told and told[2]:
        return Column(field, name, "MDSYS.SDO_GEOMETRY", None, field.nullable, point=_point(table, field, told))
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        length = _length(table, field, told)
        return Column(field, name, "VARCHAR2" if length else "CLOB", length, not keyed)
    kind, size = _kind(table, field)
    return Column(field, name, kind, size, field.nullable and not keyed, pa.types.is_boolean(field.type))


def _length(table: Table, field: pa.Field, told: re.Match[str] | None) -> int | None:
    """Return the characters of a text, None for one without a limit."""
    keyed = field.name in table.key
    if told:
        length = int(told[1]) if told[1] else None
    elif (table.name, field.name) in _LONG:
        length = None
    else:
        length = _LENGTHS.get(field.name, _IN_KEY if keyed else _ELSE)
    if keyed and length is None:
        raise ConfigError(f"{table.name}.{field.name} is part of the key: Oracle takes no CLOB there")
    return length


def _kind(table: Table, field: pa.Field) -> tuple[str, int | None]:
    kind = field.type
    fixed: dict[pa.DataType, tuple[str, int | None]] = {
        pa.bool_(): ("NUMBER", 1),
        pa.int8(): ("NUMBER", 3),
        pa.int16(): ("NUMBER", 5),
        pa.int32(): ("NUMBER", 10),
        pa.int64(): ("NUMBER", 19),
        pa.float32(): ("BINARY_FLOAT", None),
        pa.float64(): ("BINARY_DOUBLE", None),
        pa.date32(): ("DATE", None),
    }
    if kind in fixed:
        return fixed[kind]
    if pa.types.is_timestamp(kind):
        return ("TIMESTAMP(6) WITH TIME ZONE" if kind.tz else "TIMESTAMP(6)"), None
    raise ConfigError(f"{table.name}.{field.name} is of type {kind}, for which Oracle has no column here")


def _point(table: Table, field: pa.Field, told: re.Match[str]) -> Point:
    axes, srid = ("x", "y", "z")[: int(told[2])], int(told[3])
    wanted = pa.struct([pa.field(axis, pa.float64()) for axis in axes])
    if field.type != wanted:
        raise ConfigError(f"{table.name}.{field.name} is marked as a point, so its type has to be {wanted}")
    written = (field.metadata or {}).get(b"oracle_extent", b"").decode()
    if written:
        return Point(srid, axes, *_extent(table, field, written, len(axes)))
    if srid not in _DEGREES:
        raise ConfigError(
            f"{table.name}.{field.name} is in the coordinate system {srid}, whose extent is not known: give it in the "
            "field's metadata as oracle_extent, the lowest and highest of each axis and the tolerance, by commas"
        )
    return Point(srid, axes, _GLOBE[: len(axes)], _TOLERANCE)


def _extent(table: Table, field: pa.Field, written: str, axes: int) -> tuple[tuple[tuple[float, float], ...], float]:
    try:
        *bounds, tolerance = (float(part) for part in written.split(","))
    except ValueError:
        bounds, tolerance = [], 0.0
    pairs = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    if len(bounds) != 2 * axes or tolerance <= 0 or not all(low < high for low, high in pairs):
        raise ConfigError(f"{table.name}.{field.name} has the extent {written!r}: give {2 * axes} bounds, a tolerance")
    return pairs, tolerance
