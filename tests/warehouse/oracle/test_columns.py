"""Columns in Oracle: types, sizes, markers, names."""

import oracledb
import pyarrow as pa
import pytest
from tests.warehouse.oracle.database import ALL

from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.tables import COUNTS, DETECTIONS, RUNS, Table
from wayside.warehouse.oracle_columns import columns, identifier


def table(kind: pa.DataType, marker: str = "", key: tuple[str, ...] = ("source",), **metadata: str) -> Table:
    told = {"oracle": marker, **metadata} if marker else metadata
    fields = [pa.field("source", pa.string(), False), pa.field("value", kind, True, metadata=told)]
    return Table("things", pa.schema(fields), key, ("source",))


def declared(shape: Table) -> dict[str, str]:
    return {column.name: column.type for column in columns(shape)}


def test_every_table_has_a_column_for_each_field():
    for shape in ALL:
        assert list(declared(shape)) == [name.upper() for name in shape.schema.names]


def test_types_follow_the_schema():
    assert declared(COUNTS) == {
        "SOURCE": "VARCHAR2(63 CHAR)",
        "CAMERA": "VARCHAR2(127 CHAR)",
        "SLOT": "TIMESTAMP(6) WITH TIME ZONE",
        "PIPELINE": "VARCHAR2(200 CHAR)",
        **dict.fromkeys(("BUS", "CAR", "CYCLIST", "MOTORCYCLIST", "PERSON", "TRUCK", "VAN"), "NUMBER(10)"),
        "FAULTY": "NUMBER(1)",
        "MISSING": "NUMBER(1)",
        "REASON": "VARCHAR2(1000 CHAR)",
        "NEIGHBOURS": "VARCHAR2(1000 CHAR)",
        "MODEL_SHA256": "VARCHAR2(64 CHAR)",
        "SCHEMA_VERSION": "NUMBER(5)",
    }
    assert declared(DETECTIONS)["SCORE"] == "BINARY_FLOAT"
    assert declared(RUNS)["SECONDS"] == "BINARY_DOUBLE"
    assert declared(RUNS)["CAMERAS"] == "CLOB"


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_a_key_fits_into_an_index_block(shape: Table):
    """Oracle's blocks of 8 kB take keys of some 6,000 bytes; a character takes up to four."""
    size = sum(4 * (column.size or 3) for column in columns(shape) if column.field.name in shape.key)
    assert size < 6000


def test_texts_may_be_null_since_an_empty_one_is_but_not_in_a_key():
    shape = Table(
        "things",
        pa.schema([pa.field("source", pa.string(), False), pa.field("name", pa.string(), False)]),
        ("source",),
        ("source",),
    )
    assert [column.nullable for column in columns(shape)] == [False, True]


@pytest.mark.parametrize(
    ("kind", "type_", "bind"),
    [
        (pa.bool_(), "NUMBER(1)", oracledb.DB_TYPE_NUMBER),
        (pa.int8(), "NUMBER(3)", oracledb.DB_TYPE_NUMBER),
        (pa.int64(), "NUMBER(19)", oracledb.DB_TYPE_NUMBER),
        (pa.float32(), "BINARY_FLOAT", oracledb.DB_TYPE_BINARY_FLOAT),
        (pa.float64(), "BINARY_DOUBLE", oracledb.DB_TYPE_BINARY_DOUBLE),
        (pa.date32(), "DATE", oracledb.DB_TYPE_DATE),
        (pa.timestamp("us"), "TIMESTAMP(6)", oracledb.DB_TYPE_TIMESTAMP),
        (pa.timestamp("ms", tz="Europe/Oslo"), "TIMESTAMP(6) WITH TIME ZONE", oracledb.DB_TYPE_TIMESTAMP_TZ),
        (pa.string(), "VARCHAR2(1000 CHAR)", None),
    ],
)
def test_what_is_bound(kind: pa.DataType, type_: str, bind: object):
    column = columns(table(kind))[1]
    assert (column.type, column.bind_types) == (type_, [bind])


def test_a_time_of_another_zone_is_bound_in_utc():
    kind = pa.timestamp("ms", tz="Europe/Oslo")
    column = columns(table(kind))[1]
    rows = pa.table({"value": pa.array([1_777_622_400_000], kind)})
    assert [value.isoformat() for value in column.values(rows)[0]] == ["2026-05-01T08:00:00+00:00"]


def test_markers_say_otherwise():
    assert columns(table(pa.string(), "clob"))[1].type == "CLOB"
    assert columns(table(pa.string(), "varchar2:80"))[1].type == "VARCHAR2(80 CHAR)"


PLANE = pa.struct([("x", pa.float64()), ("y", pa.float64())])
SPACE = pa.struct([("x", pa.float64()), ("y", pa.float64()), ("z", pa.float64())])


def test_a_point_is_staged_as_numbers():
    column = columns(table(PLANE, "sdo_point_2d:4326"))[1]
    assert column.type == "MDSYS.SDO_GEOMETRY"
    assert column.parts == [("VALUE_X", "BINARY_DOUBLE"), ("VALUE_Y", "BINARY_DOUBLE")]
    rows = pa.table({"value": pa.array([{"x": 10.5, "y": 59.9}, None, {"x": None, "y": 1.0}], PLANE)})
    assert column.values(rows) == [[10.5, None, None], [59.9, None, 1.0]]
    assert column.point is not None
    assert (column.point.gtype, column.point.srid) == (2001, 4326)


def test_a_point_in_space_has_three_parts_and_its_own_extent():
    column = columns(table(SPACE, "sdo_point_3d:5973", oracle_extent="-1,2,3,4,-5,2500,0.001"))[1]
    assert [name for name, _ in column.parts] == ["VALUE_X", "VALUE_Y", "VALUE_Z"]
    assert column.point is not None
    assert (column.point.gtype, column.point.tolerance) == (3001, 0.001)
    assert column.point.extent == ((-1, 2), (3, 4), (-5, 2500))


@pytest.mark.parametrize(
    ("kind", "marker", "more", "says"),
    [
        (pa.string(), "blob", {}, "means nothing"),
        (pa.binary(), "", {}, "no column"),
        (pa.string(), "sdo_point_2d:4326", {}, "its type has to be"),
        (SPACE, "sdo_point_2d:4326", {}, "its type has to be"),
        (PLANE, "sdo_point_2d:25833", {}, "oracle_extent"),
        (PLANE, "sdo_point_2d:25833", {"oracle_extent": "0,1,2"}, "give 4 bounds"),
        (PLANE, "sdo_point_2d:25833", {"oracle_extent": "1,0,0,1,0.1"}, "give 4 bounds"),
        (PLANE, "sdo_point_2d:25833", {"oracle_extent": "0,1,0,1,0"}, "give 4 bounds"),
        (PLANE, "sdo_point_2d:25833", {"oracle_extent": "0,1,0,east,1"}, "give 4 bounds"),
    ],
)
def test_what_oracle_cannot_hold_is_named(kind: pa.DataType, marker: str, more: dict[str, str], says: str):
    with pytest.raises(ConfigError, match=rf"things\.value .*{says}"):
        columns(table(kind, marker, **more))


def test_a_key_has_no_long_text():
    with pytest.raises(ConfigError, match="no CLOB there"):
        columns(table(pa.string(), "clob", key=("source", "value")))


def test_names_stand_in_capitals_and_quotes():
    assert [identifier(name) for name in ("day", "Mode", "SDO$X", "a" * 128)] == [
        '"DAY"',
        '"MODE"',
        '"SDO$X"',
        f'"{"A" * 128}"',
    ]


@pytest.mark.parametrize("name", ["", "1st", 'a"b', "a b", "a;b", "a.b", "größe", "_a", "a" * 129, "a\n", None])
def test_odd_names_are_refused(name: str):
    with pytest.raises(InvalidIdentifierError, match="cannot name"):
        identifier(name)
