"""The stand-in for Oracle itself: where it changes a statement, what it refuses as Oracle does, how it binds."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import oracledb
import pytest
from tests.peers import h2, h2_sql


@pytest.fixture
def session() -> Iterator[h2.Connection]:
    if reason := h2.missing():
        pytest.skip(reason)
    database = h2.H2()
    connection = database.connect()
    yield connection
    database.close()


def run(session: h2.Connection, statement: str, values: Any = (), sizes: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.setinputsizes(*sizes)
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_where_it_looks_for_h2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("WAYSIDE_H2_JAR", str(tmp_path / "none.jar"))
    assert h2.jar() is None
    (tmp_path / "none.jar").touch()
    assert h2.jar() == tmp_path / "none.jar"


@pytest.mark.parametrize(
    ("statement", "text", "binds"),
    [
        ("SELECT :1, ':2', \":3\", :b FROM DUAL", "SELECT ?, ':2', \":3\", ? FROM DUAL", ["1", "b"]),
        ("SELECT 'it''s :1' FROM DUAL", "SELECT 'it''s :1' FROM DUAL", []),
        ("SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL", "SELECT CURRENT_SCHEMA FROM DUAL", []),
        (
            'CREATE INDEX "W"."I" ON "W"."T" ("P") INDEXTYPE IS MDSYS.SPATIAL_INDEX_V2',
            'CREATE INDEX "W"."I" ON "W"."T" ("P")',
            [],
        ),
        (
            "VALUES (MDSYS.SDO_DIM_ARRAY(MDSYS.SDO_DIM_ELEMENT('X', -1.0, 1.0, 0.5)), :3)",
            "VALUES ('SDO_DIM_ARRAY(SDO_DIM_ELEMENT(''X'', -1.0, 1.0, 0.5))', ?)",
            ["3"],
        ),
    ],
)
def test_a_statement_is_changed_where_h2_would_not_take_it(statement: str, text: str, binds: list[str]):
    written = h2_sql.translate(statement)
    assert (written.text, written.binds) == (text, binds)


def test_binds_go_by_place_or_by_name(session: h2.Connection):
    assert run(session, "SELECT CAST(:1 AS NUMBER(5)), CAST(:2 AS NUMBER(5)) FROM DUAL", [1, 2]) == [(1, 2)]
    named = "SELECT CAST(:b AS NUMBER(5)), CAST(:a AS NUMBER(5)), CAST(:b AS NUMBER(5)) FROM DUAL"
    assert run(session, named, {"a": 1, "b": 2}) == [(2, 1, 2)]


def test_a_point_is_kept_and_given_back_as_an_object(session: h2.Connection):
    run(session, 'CREATE TABLE "T" ("K" NUMBER(5), "P" MDSYS.SDO_GEOMETRY)')
    insert = """INSERT INTO "T" ("K", "P") VALUES (:1, MDSYS.SDO_GEOMETRY(2001, 4326, """
    insert += "MDSYS.SDO_POINT_TYPE(:2, :3, NULL), NULL, NULL))"
    run(session, insert, [1, 1 / 3, -59.9])
    [(point,)] = run(session, 'SELECT "P" FROM "T"')
    assert (point.SDO_GTYPE, point.SDO_SRID) == (2001, 4326)
    assert (point.SDO_POINT.X, point.SDO_POINT.Y, point.SDO_POINT.Z) == (1 / 3, -59.9, None)


def test_a_time_with_a_zone_is_refused_in_a_key(session: h2.Connection):
    with pytest.raises(oracledb.DatabaseError, match="ORA-02329"):
        run(session, 'CREATE TABLE "WAYSIDE"."T" ("AT" TIMESTAMP(6) WITH TIME ZONE, PRIMARY KEY ("AT"))')
    run(session, 'CREATE TABLE "WAYSIDE"."T" ("AT" TIMESTAMP(6) WITH TIME ZONE NOT NULL)')
    run(session, 'CREATE UNIQUE INDEX "WAYSIDE"."T_KEY" ON "WAYSIDE"."T" ("AT")')


def test_an_index_of_geometries_asks_for_their_metadata(session: h2.Connection):
    run(session, 'CREATE TABLE "WAYSIDE"."T" ("P" MDSYS.SDO_GEOMETRY)')
    index = 'CREATE INDEX "WAYSIDE"."I" ON "WAYSIDE"."T" ("P") INDEXTYPE IS MDSYS.SPATIAL_INDEX_V2'
    with pytest.raises(oracledb.DatabaseError, match="ORA-13203"):
        run(session, index)
    run(
        session, "INSERT INTO USER_SDO_GEOM_METADATA (TABLE_NAME, COLUMN_NAME, DIMINFO, SRID) VALUES ('T', 'P', 'x', 1)"
    )
    run(session, index)


def test_a_time_loses_its_zone_as_with_the_driver(session: h2.Connection):
    """So whoever binds a time has to bind UTC, and has to say that it has a zone."""
    run(session, 'CREATE TABLE "T" ("A" TIMESTAMP(6) WITH TIME ZONE, "B" TIMESTAMP(6) WITH TIME ZONE)')
    at = datetime(2026, 5, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    run(session, 'INSERT INTO "T" VALUES (:1, :2)', [at, at], (oracledb.DB_TYPE_TIMESTAMP_TZ,))
    [(told, session_time)] = run(session, 'SELECT "A", "B" FROM "T"')
    assert told == session_time == at.replace(tzinfo=None)
    [(apart,)] = run(session, 'SELECT EXTRACT(HOUR FROM ("A" - "B") DAY TO SECOND) FROM "T"')
    assert apart == 5  # the session is in India


def test_rows_that_fail_in_an_array_are_told_and_the_others_stay(session: h2.Connection):
    run(session, 'CREATE TABLE "T" ("K" NUMBER(2) PRIMARY KEY, "S" VARCHAR2(2 CHAR) NOT NULL)')
    rows = [(1, "a"), (1, "b"), (2, "abc"), (3, ""), (400, "c"), (5, "d")]
    with session.cursor() as cursor:
        cursor.executemany('INSERT INTO "T" VALUES (:1, :2)', rows, batcherrors=True, arraydmlrowcounts=True)
        told = [(error.offset, error.code, error.full_code) for error in cursor.getbatcherrors()]
        assert told == [(1, 1, "ORA-00001"), (2, 12899, "ORA-12899"), (3, 1400, "ORA-01400"), (4, 1438, "ORA-01438")]
        assert cursor.getarraydmlrowcounts() == [1, 0, 0, 0, 0, 1]
        with pytest.raises(oracledb.IntegrityError, match="ORA-00001"):
            cursor.executemany('INSERT INTO "T" VALUES (:1, :2)', rows)
    assert run(session, 'SELECT "K" FROM "T" ORDER BY 1') == [(1,), (5,)]
    session.rollback()
    assert run(session, 'SELECT "K" FROM "T"') == []


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT * FROM NOWHERE", "ORA-00942"),
        ("SELECT NOTHING FROM DUAL", "ORA-00904"),
        ('CREATE TABLE "NOBODY"."T" ("A" NUMBER)', "ORA-01918"),
        ("SELECT FROM WHERE", "ORA-00900"),
    ],
)
def test_errors_have_oracles_codes(session: h2.Connection, statement: str, code: str):
    with pytest.raises(oracledb.DatabaseError) as raised:
        run(session, statement)
    assert raised.value.args[0].full_code == code


def test_what_is_loaded_by_the_direct_path_is_committed(session: h2.Connection):
    run(session, 'CREATE TABLE "T" ("A" NUMBER(5), "AT" TIMESTAMP(6) WITH TIME ZONE)')
    at = datetime(2026, 5, 1, 8)  # noqa: DTZ001
    session.direct_path_load("WAYSIDE", "T", ["A", "AT"], [(n, at) for n in range(5)], batch_size=2)
    session.rollback()
    assert run(session, 'SELECT COUNT(*), MIN("AT") FROM "T"') == [(5, at)]
    with pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
        session.direct_path_load("WAYSIDE", "NONE", ["A"], [(1,)])


def test_a_session_that_is_closed_or_lost_says_so(session: h2.Connection):
    session.ping()
    session.close()
    for call in (session.commit, session.rollback, session.cursor, session.close):
        with pytest.raises(oracledb.InterfaceError, match="DPY-1001"):
            call()
