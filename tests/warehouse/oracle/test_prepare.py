"""Tables in Oracle: created where absent, extended where the schema grew, refused where a column does not fit."""

import contextlib
from dataclasses import replace
from pathlib import Path

import oracledb
import pyarrow as pa
import pytest
from tests.warehouse.oracle.database import ALL, Database, batch, sample, scope_of

from wayside.core.errors import ConfigError, TransientError, WaysideError
from wayside.core.tables import CAMERAS, COUNTS, RUNS, Table
from wayside.warehouse.oracle import OracleTarget
from wayside.warehouse.oracle_columns import columns
from wayside.warehouse.oracle_ddl import LEDGER, Dictionary, staging_name
from wayside.warehouse.scope import Scope

FOUND = (
    "SELECT COLUMN_NAME, DATA_TYPE, CHAR_LENGTH, DATA_PRECISION, NULLABLE FROM ALL_TAB_COLUMNS WHERE TABLE_NAME = :1"
)


def found(oracle: Database, name: str) -> dict[str, tuple[object, ...]]:
    return {row[0]: row[1:] for row in oracle.ask(FOUND, [name])}


def indexes(oracle: Database, table: str) -> set[str]:
    return {row[0] for row in oracle.ask("SELECT INDEX_NAME FROM ALL_INDEXES WHERE TABLE_NAME = :1", [table])}


def test_all_tables_are_made_and_made_once(oracle: Database):
    target = oracle.target()
    target.prepare(ALL)
    for table in ALL:
        assert list(found(oracle, table.name.upper())) == [name.upper() for name in table.schema.names]
        assert len(found(oracle, staging_name(table))) == len(table.schema) + 1
    assert set(found(oracle, LEDGER)) == {"NAME", "TABLE_NAME", "ROW_COUNT", "DELIVERED_AT"}
    oracle.connect.calls.clear()
    oracle.target().prepare(ALL)
    assert [call for call in oracle.connect.calls if not call.startswith(("SELECT", "connect"))] == []


def test_types_nulls_and_comments_are_in_the_dictionary(oracle: Database):
    oracle.target().prepare([COUNTS, RUNS])
    counts = found(oracle, "COUNTS")
    assert counts["SOURCE"] == ("VARCHAR2", 63, None, "N")
    assert counts["SLOT"][0::3] == ("TIMESTAMP(6) WITH TIME ZONE", "N")
    assert counts["CAR"] == ("NUMBER", 0, 10, "Y")
    assert counts["FAULTY"] == ("NUMBER", 0, 1, "N")
    assert found(oracle, "RUNS")["CAMERAS"][0] == "CLOB"
    said = dict(oracle.ask("SELECT COLUMN_NAME, COMMENTS FROM ALL_COL_COMMENTS WHERE TABLE_NAME = 'COUNTS'"))
    assert said["CAMERA"] == "the camera's name within its source"


def test_a_key_with_a_time_is_a_unique_index_and_others_are_primary_keys(oracle: Database, tmp_path: Path):
    oracle.target().prepare([COUNTS, CAMERAS])
    assert "COUNTS_KEY" in indexes(oracle, "COUNTS")
    for table in (COUNTS, CAMERAS):
        scope = scope_of(table)
        oracle.target().deliver(batch(tmp_path, table, [scope], sample(table, scope, 3), f"b-{table.name}"))
        names = ", ".join(f'"{name.upper()}"' for name in table.schema.names)
        twice = f'INSERT INTO "{table.name.upper()}" ({names}) SELECT {names} FROM "{table.name.upper()}"'
        with pytest.raises(oracledb.IntegrityError, match="ORA-00001"):
            oracle.ask(twice)


def test_a_flag_is_0_or_1(oracle: Database, tmp_path: Path):
    scope = scope_of(COUNTS)
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope], sample(COUNTS, scope, 1)))
    with pytest.raises(oracledb.IntegrityError, match="ORA-02290"):
        oracle.ask('UPDATE "COUNTS" SET "FAULTY" = 2')


def grown(table: Table, *fields: pa.Field) -> Table:
    return replace(table, schema=pa.schema([*table.schema, *fields]))


def test_a_new_column_is_added_and_filled(oracle: Database, tmp_path: Path):
    scope = scope_of(CAMERAS)
    oracle.target().deliver(batch(tmp_path, CAMERAS, [scope], sample(CAMERAS, scope, 3)))
    bigger = grown(CAMERAS, pa.field("mode", pa.string(), True, metadata={"description": "it's new"}))
    rows = [row | {"mode": "m"} for row in sample(CAMERAS, scope, 2, seed=1)]
    oracle.target().deliver(batch(tmp_path, bigger, [scope], rows, "batch-2"))
    assert [row["mode"] for row in oracle.rows(bigger)] == ["m", "m"]


def test_a_new_column_that_may_not_be_null_is_named(oracle: Database):
    oracle.target().prepare([CAMERAS])
    with pytest.raises(ConfigError, match=r'"CAMERAS" has no column HEIGHT, which may not be null'):
        oracle.target().prepare([grown(CAMERAS, pa.field("height", pa.int32(), False))])


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ('"NAME" NUMBER(5)', r"NAME of CAMERAS in Oracle is NUMBER\(5,0\), and VARCHAR2\(1000 CHAR\) is needed"),
        ('"NAME" VARCHAR2(10 CHAR)', r"NAME of CAMERAS in Oracle is VARCHAR2\(10 CHAR\), and .* alter it"),
        ('"NAME" VARCHAR2(1000 CHAR) NOT NULL', r"VARCHAR2\(1000 CHAR\) NOT NULL, and"),
    ],
)
def test_a_column_that_does_not_fit_is_named(oracle: Database, column: str, says: str):
    oracle.ask(f'CREATE TABLE "CAMERAS" ("SOURCE" VARCHAR2(63 CHAR), "CAMERA" VARCHAR2(127 CHAR), {column})')
    with pytest.raises(ConfigError, match=says):
        oracle.target().prepare([CAMERAS])


def test_a_number_that_is_too_small_is_named_and_a_wider_column_is_taken(oracle: Database):
    small = Table(
        "small", pa.schema([pa.field("source", pa.string()), pa.field("n", pa.int64())]), ("source",), ("source",)
    )
    oracle.ask('CREATE TABLE "SMALL" ("SOURCE" VARCHAR2(500 CHAR) NOT NULL, "N" NUMBER(10))')
    with pytest.raises(ConfigError, match=r"N of SMALL in Oracle is NUMBER\(10,0\), and NUMBER\(19\) is needed"):
        oracle.target().prepare([small])
    oracle.ask('ALTER TABLE "SMALL" MODIFY ("N" NUMBER(19))')
    oracle.target().prepare([small])


def test_wherever_it_is_killed_preparing_goes_on_from_there(oracle: Database):
    oracle.target().prepare([COUNTS])
    steps = len(oracle.connect.calls)
    for step in range(2, steps + 1):
        for name in ("COUNTS", staging_name(COUNTS), LEDGER):
            oracle.ask(f'DROP TABLE "{name}"')
        oracle.connect.at(step, 3113)
        with contextlib.suppress(TransientError):
            oracle.target().prepare([COUNTS])
        oracle.connect.at(0, 0)
        oracle.target().prepare([COUNTS])
        assert "COUNTS_KEY" in indexes(oracle, "COUNTS"), step
        assert f"{staging_name(COUNTS)}_KEY" in indexes(oracle, staging_name(COUNTS)), step


def test_what_somebody_else_made_meanwhile_counts_as_there(oracle: Database):
    class Blind:
        """Sees no table, as one who looked just before it was made."""

        def __init__(self, cursor):
            self._cursor = cursor

        def execute(self, statement, *values):
            self._cursor.execute(statement, *values)
            if "ALL_INDEXES" in statement:
                self._cursor.execute("SELECT 0 FROM DUAL")
            elif statement.startswith("SELECT COLUMN_NAME, DATA_TYPE") and not self.__dict__.get("seen"):
                self._cursor.fetchall()
                self.seen = True

        def __getattr__(self, name):
            return getattr(self._cursor, name)

    oracle.target().prepare([COUNTS])
    connection = oracle.plain()
    schema = oracle.ask("SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL")[0][0]
    with connection.cursor() as cursor:
        Dictionary(Blind(cursor), schema).prepare(COUNTS)
    connection.close()


@pytest.mark.parametrize("code", [1031, 1950])
def test_a_right_that_is_missing_is_named(oracle: Database, code: int):
    oracle.target().prepare([])
    oracle.connect.at(4, code)
    with pytest.raises(ConfigError, match=rf"preparing counts in Oracle: .*ORA-0{code}"):
        oracle.target().prepare([COUNTS])


def test_another_schema_is_named_in_every_statement(oracle: Database, tmp_path: Path):
    with pytest.raises(WaysideError, match=r"oracle_schema|right is missing|refused"):
        OracleTarget(oracle.connect, "nobody_here").prepare([COUNTS])
    scope = scope_of(COUNTS)
    own = oracle.ask("SELECT USER FROM DUAL")[0][0]
    OracleTarget(oracle.connect, own.lower()).deliver(batch(tmp_path, COUNTS, [scope], sample(COUNTS, scope, 2)))
    assert len(oracle.rows(COUNTS)) == 2


def test_an_odd_schema_is_refused_before_anything_is_opened(oracle: Database):
    with pytest.raises(ConfigError, match="cannot name"):
        OracleTarget(oracle.connect, 'x"; DROP')
    assert oracle.connect.calls == []


PLANE = pa.struct([("x", pa.float64()), ("y", pa.float64())])
SPACE = pa.struct([("x", pa.float64()), ("y", pa.float64()), ("z", pa.float64())])
PHOTOS = Table(
    "photos",
    pa.schema(
        [
            pa.field("source", pa.string(), False),
            pa.field("mode", pa.string(), False),  # a reserved word
            pa.field("place", PLANE, True, metadata={"oracle": "sdo_point_2d:4326"}),
            pa.field(
                "high", SPACE, True, metadata={"oracle": "sdo_point_3d:5973", "oracle_extent": "0,9e5,0,9e6,-9,9e3,.01"}
            ),
            pa.field("json", pa.string(), True, metadata={"oracle": "clob"}),
            pa.field("schema_version", pa.int16(), False),
        ]
    ),
    ("source", "mode"),
    ("source",),
)


def test_points_become_geometries_with_metadata_and_an_index(oracle: Database, tmp_path: Path):
    rows = [
        {"source": "Road", "mode": "a", "place": {"x": 10.75, "y": 59.9}, "high": {"x": 1.5, "y": 2.5, "z": 3.5}},
        {"source": "Road", "mode": "b", "json": "{" + "é" * 40_000 + "}"},
    ]
    for name in ("batch-1", "batch-2"):  # created, and then updated
        oracle.target().deliver(batch(tmp_path, PHOTOS, [Scope("Road")], rows, name))
    (first, second) = oracle.ask('SELECT "PLACE", "HIGH", "JSON" FROM "PHOTOS" ORDER BY "MODE"')
    assert (first[0].SDO_GTYPE, first[0].SDO_SRID) == (2001, 4326)
    assert (first[0].SDO_POINT.X, first[0].SDO_POINT.Y, first[0].SDO_POINT.Z) == (10.75, 59.9, None)
    assert (first[1].SDO_GTYPE, first[1].SDO_POINT.Z) == (3001, 3.5)
    assert second[:2] == (None, None)
    assert second[2] == rows[1]["json"]
    listed = oracle.ask("SELECT COLUMN_NAME, SRID FROM USER_SDO_GEOM_METADATA ORDER BY 1")
    assert listed == [("HIGH", 5973), ("PLACE", 4326)]
    assert {"PHOTOS_PLACE_SPATIAL", "PHOTOS_HIGH_SPATIAL"} <= indexes(oracle, "PHOTOS")


def test_metadata_that_lacks_in_another_schema_is_for_its_owner(oracle: Database):
    oracle.target().prepare([PHOTOS])
    connection = oracle.plain()
    place = columns(PHOTOS)[2]
    assert place.point
    with connection.cursor() as cursor, pytest.raises(ConfigError, match="let SYS_OTHER insert its row"):
        Dictionary(cursor, "SYS_OTHER")._register(PHOTOS, place, place.point)
    connection.close()
