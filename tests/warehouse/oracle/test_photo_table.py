"""A road authority's own table: rows are inserted and updated by key, once, and those that are refused are named."""

import contextlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.warehouse.oracle.database import Database, peer
from tests.warehouse.oracle.road_photos import AT, VEGBILDER, lake_of, photo, publish, record, seen, target_of

from wayside.core.errors import AuditError, ConfigError, StoreFullError, TransientError, WaysideError
from wayside.core.ids import folder_id_of
from wayside.core.settings import Settings
from wayside.core.tables import ROAD_PHOTOS
from wayside.metadata.layouts import TableLayout
from wayside.metadata.rows import record_json
from wayside.warehouse.parquet import ParquetWarehouse, open_lake, to_arrow
from wayside.warehouse.photo_rows import table_of
from wayside.warehouse.photo_table import deliver_photo_table, open_photo_table, resend
from wayside.warehouse.photo_target import PhotoTarget
from wayside.warehouse.scope import Scope

TAKEN = datetime(2020, 6, 2, 9, 42, 46)  # noqa: DTZ001  a DATE has no zone


def waiting(lake: ParquetWarehouse) -> int:
    return lake.outbox.pending(table_of(VEGBILDER))


def test_a_row_comes_back_as_the_record_had_it(oracle: Database, tmp_path: Path):
    lake, target, one = lake_of(tmp_path), target_of(oracle), record("a", exif_xptitle="Ærøy", exif_roll="-1.5e-3")
    publish(lake, "f", {"a": one})
    done = deliver_photo_table(lake, target)
    assert (done.rows, done.inserted, done.updated, done.refused, done.notes) == (1, 1, 0, [], [])
    names = [row[0] for row in oracle.ask("SELECT COLUMN_NAME FROM ALL_TAB_COLUMNS WHERE TABLE_NAME = 'VEGBILDER'")]
    assert names == [column.name.upper() for column in VEGBILDER.columns]
    (values,) = oracle.ask(f'SELECT {", ".join(names)} FROM "VEGBILDER"')
    row = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    place, line = row.pop("POSISJON"), row.pop("SENTERLINJEPOSISJON")
    assert (place.SDO_GTYPE, place.SDO_SRID) == (2001, 4326)
    assert (place.SDO_POINT.X, place.SDO_POINT.Y, place.SDO_POINT.Z) == (9.898914575000001, 59.763178062499996, None)
    assert (line.SDO_GTYPE, line.SDO_SRID, line.SDO_POINT.X, line.SDO_POINT.Y) == (2001, 25833, 202543.853, 6626544.517)
    assert row == {
        "ID": "a",
        "TIDSPUNKT": TAKEN,
        "AAR": 2020,
        "DATAEIER": "Statens vegvesen",
        "BILDETYPE": "Planar",
        "BILDEBREDDE": 2692,
        "POSISJONHOYDE": 51.724,
        "SENTERLINJEHOYDE": 196.329,
        "FYLKENUMMER": 6,
        "VEGKATEGORI": "E",
        "VEGSTATUS": "V",
        "VEGNUMMER": 134,
        "METER": 0,
        "MAPPENAVN": "Vegbilder/2020/Damåsen",
        "FILNAVN": "a.jpg",
        "JSONDATA": record_json(one),
        "REFLINKPOSISJON": 0.58797135,
        "DETEKTERTEOBJEKTER": '{"car": "3"}',
        "FELTKODE": "1",
        "XPTITLE": "Ærøy",
        "ROLL": -0.0015,
    }
    assert waiting(lake) == 0


def test_what_is_there_is_updated_and_nothing_is_ever_deleted(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "theirs", {"theirs": record("theirs")})
    publish(lake, "f", {"a": record("a"), "b": record("b", exif_gpsposisjon=None)})
    deliver_photo_table(lake, target)
    publish(lake, "f", {"b": record("b", exif_imagewidth="8000"), "c": record("c")})
    done = deliver_photo_table(lake, target)
    assert (done.batches, done.rows, done.inserted, done.updated) == (1, 2, 1, 1)
    assert seen(oracle) == {"a": 2692, "b": 8000, "c": 2692, "theirs": 2692}
    assert oracle.ask('SELECT "POSISJON" FROM "VEGBILDER" WHERE "ID" = \'b\'')[0][0].SDO_SRID == 4326
    assert deliver_photo_table(lake, target).rows == 0
    assert oracle.count("WAYSIDE_STAGE_VEGBILDER") == 0


def test_only_pictures_that_are_done_are_registered(oracle: Database, tmp_path: Path):
    lake = lake_of(tmp_path)
    rows = [
        photo("f/a.jpg", record("a")),
        photo("f/b.jpg", record("b"), "held"),
        photo("f/c.jpg", None, "failed"),
    ]
    lake.publish(ROAD_PHOTOS, Scope("City", folder=folder_id_of("f")), to_arrow(ROAD_PHOTOS, rows))
    assert deliver_photo_table(lake, target_of(oracle)).rows == 1
    assert seen(oracle) == {"a": 2692}


# Refused rows


def test_refused_rows_are_named_and_cost_the_others_nothing(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    oracle.ask('ALTER TABLE "VEGBILDER" ADD CONSTRAINT "THEIRS" CHECK ("FYLKENUMMER" < 60)')
    oracle.ask('ALTER TABLE "VEGBILDER" ALTER COLUMN "XPTITLE" VARCHAR2(5)')
    pictures = {
        "a": record("a"),
        "b": record("b", exif_fylke="77"),
        "c": record("c", exif_xptitle="too long for theirs"),
        "d": record("d", exif_dataeier=None),
        "e": record("e", exif_filnavn="x" * 65),
        "f": record("f", exif_roll="x"),
        "g": record(""),
        "h": "{",
        "i": "[1]",
    }
    publish(lake, "f", pictures)
    done = deliver_photo_table(lake, target)
    assert seen(oracle) == {"a": 2692, "f": 2692, "2020-06-02T09.42.46_Planar_1": 2692}
    told = {one.photo: (one.key, one.code, one.reason) for one in done.refused}
    assert told.pop("City/f/b.jpg")[:2] == ("b", "ORA-02290")
    assert told.pop("City/f/c.jpg")[:2] == ("c", "ORA-12899")
    assert told.pop("City/f/h.jpg")[2].startswith("its record is no JSON")
    assert told == {
        "City/f/d.jpg": ("d", "", "Dataeier may not be null: no value in exif_dataeier"),
        "City/f/e.jpg": ("e", "", "Filnavn has 65 characters, and the column holds 64"),
        "City/f/i.jpg": (None, "", "its record is no object of JSON"),
    }
    assert done.notes == ["City/f/f.jpg: Roll: 'x' is no number, so it is null"]
    assert (done.rows, done.inserted, done.updated) == (9, 3, 0)
    assert waiting(lake) == 0
    # What was put right is off the list, and the rest stays on it.
    assert len(target.refused()) == 6
    publish(lake, "f", {**pictures, "b": record("b"), "d": record("d")})
    done = deliver_photo_table(lake, target)
    assert (done.inserted, done.updated) == (2, 3)
    assert {one.photo[-5] for one in target.refused()} == {"c", "e", "h", "i"}
    assert len(target.refused(limit=2)) == 2


def test_too_many_refused_rows_stop_it_before_anything_is_seen(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle, max_refused=1)
    oracle.ask('ALTER TABLE "VEGBILDER" ADD CONSTRAINT "THEIRS" CHECK ("FYLKENUMMER" < 60)')
    ours = {name: record(name, exif_dataeier=None) for name in "bc"}
    theirs = {name: record(name, exif_fylke="77") for name in "bc"}
    for wrong in (ours, theirs):
        publish(lake, "f", {"a": record("a"), **wrong})
        with pytest.raises(AuditError, match=r"2 of 3 pictures .* the 1 that WAYSIDE_PHOTO_TABLE_REFUSALS.*b\.jpg"):
            deliver_photo_table(lake, target)
        assert (seen(oracle), oracle.delivered(), waiting(lake)) == ({}, [], 1)
        assert oracle.count("WAYSIDE_STAGE_VEGBILDER") == 0
    publish(lake, "f", {"a": record("a"), "b": record("b"), "c": theirs["c"]})
    assert len(deliver_photo_table(lake, target).refused) == 1
    assert seen(oracle) == {"a": 2692, "b": 2692}


def test_of_two_pictures_with_one_key_the_newer_counts(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "f", {"old": record("same")}, AT)
    publish(lake, "g", {"new": record("same", exif_imagewidth="8000")}, AT + timedelta(hours=1))
    publish(lake, "h", {"older": record("same", exif_imagewidth="1")}, AT - timedelta(hours=1))
    done = deliver_photo_table(lake, target)
    assert seen(oracle) == {"same": 8000}
    assert {one.photo for one in done.refused} == {"City/f/old.jpg", "City/h/older.jpg"}
    assert {one.reason for one in done.refused} == {"City/g/new.jpg has the same key same and counts"}


def test_a_missing_right_is_not_the_rows_fault(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "f", {"a": record("a")})
    deliver_photo_table(lake, target)
    for code, kind in ((1031, ConfigError), (1653, StoreFullError), (60, TransientError)):
        publish(lake, "f", {"a": record("a", exif_imagewidth=str(code))})
        oracle.connect.at(7, code)
        with pytest.raises(kind):
            deliver_photo_table(lake, target)
        oracle.connect.at(0, 0)
        assert waiting(lake) == 1
        deliver_photo_table(lake, target)
        assert seen(oracle) == {"a": code}


# Whenever it is interrupted


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_wherever_the_session_is_lost_nothing_is_lost_or_doubled(oracle: Database, tmp_path: Path, after: bool):
    lake, target = lake_of(tmp_path), target_of(oracle)
    oracle.ask('ALTER TABLE "VEGBILDER" ADD CONSTRAINT "THEIRS" CHECK ("FYLKENUMMER" < 60)')
    number, reached, expected = 0, True, {}
    while reached:
        number += 1
        pictures = {"a": record("a", exif_imagewidth=str(number)), f"new{number}": record(f"new{number}")}
        publish(lake, "f", {**pictures, "bad": record("bad", exif_fylke="77")})
        expected |= {"a": number, f"new{number}": 2692}
        oracle.connect.at(number, 3113, after=after)
        try:
            done = deliver_photo_table(lake, target)
            reached = len(oracle.connect.calls) >= number
        except TransientError:
            oracle.connect.at(0, 0)
            done = deliver_photo_table(lake, target)
        oracle.connect.at(0, 0)
        # The refusal is told though the process that met it may have died after the commit.
        assert [one.code for one in done.refused] == ["ORA-02290"]
        assert done.inserted + done.updated + done.earlier == 2
        assert seen(oracle) == expected
        assert (waiting(lake), oracle.count("WAYSIDE_STAGE_VEGBILDER"), len(target.refused())) == (0, 0, 1)
    assert number > 9
    assert len(oracle.delivered()) == number


class Killed(BaseException):
    """Stands for SIGKILL: nobody handles it."""


def test_a_process_that_dies_after_the_commit_leaves_the_report(oracle: Database, tmp_path: Path, monkeypatch: Any):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "f", {"a": record("a"), "b": record("b", exif_dataeier=None)})
    with monkeypatch.context() as patched:
        patched.setattr(lake.outbox, "close", lambda batch: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            deliver_photo_table(lake, target)
    assert seen(oracle) == {"a": 2692}
    oracle.ask('UPDATE "VEGBILDER" SET "BILDEBREDDE" = 7', commit=True)  # somebody else's work meanwhile
    done = deliver_photo_table(lake, target_of(oracle))
    assert seen(oracle) == {"a": 7}
    assert (done.rows, done.inserted, done.updated, done.earlier) == (2, 0, 0, 1)
    assert [one.photo for one in done.refused] == ["City/f/b.jpg"]
    assert str(done) == "VEGBILDER: 2 pictures, 0 inserted, 0 updated, 1 committed by a run before, 1 refused"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("deliver"), st.just(0), st.just(0)),
        st.tuples(st.just("fail"), st.integers(1, 12), st.booleans()),
    ),
    max_size=10,
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_publishes_and_deliveries_the_table_has_the_newest_of_each(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
):
    oracle = peer()
    lake, target, expected = lake_of(tmp_path_factory.mktemp("lake")), target_of(oracle), {}
    assert target.refused() == []
    for place, (what, one, two) in enumerate(steps):
        match what:
            case "publish":
                names = [f"{one}-{number}" for number in range(two)]
                publish(lake, f"f{one}", {name: record(name, exif_imagewidth=str(place)) for name in names})
                pending = dict.fromkeys(names, place)
                expected |= pending
            case "deliver":
                deliver_photo_table(lake, target)
            case "fail":
                oracle.connect.at(one, 3113, after=bool(two))
                with contextlib.suppress(TransientError):
                    deliver_photo_table(lake, target)
                oracle.connect.at(0, 0)
    for _ in range(2):
        deliver_photo_table(lake, target)
    there = seen(oracle)
    # A picture that was published and taken back before any delivery need not be there; what is, is the newest.
    published = [row for scope in lake.scopes(ROAD_PHOTOS) for row in lake.read(ROAD_PHOTOS, scope).to_pylist()]
    now = {json.loads(row["record"])["bildeid"]: int(json.loads(row["record"])["exif_imagewidth"]) for row in published}
    assert {name: there[name] for name in now} == now
    assert there.keys() <= expected.keys()
    assert (waiting(lake), oracle.count("WAYSIDE_STAGE_VEGBILDER")) == (0, 0)
    oracle.close()


# The table itself


def dimensions(*axes: str) -> str:
    return f"SDO_DIM_ARRAY({', '.join(f'SDO_DIM_ELEMENT({axis})' for axis in axes)})"


def test_the_table_is_made_once_with_its_metadata_and_indexes(oracle: Database):
    made = PhotoTarget(oracle.connect, VEGBILDER).create()
    assert made == [
        "table VEGBILDER",
        "metadata of POSISJON",
        "metadata of SENTERLINJEPOSISJON",
        "index VEGBILDER_POSISJON_SPATIAL",
        "index VEGBILDER_SENTERLINJEPOSISJON_SPATIAL",
    ]
    assert PhotoTarget(oracle.connect, VEGBILDER).create() == []
    assert oracle.ask("SELECT COLUMN_NAME, DIMINFO, SRID FROM USER_SDO_GEOM_METADATA ORDER BY 1") == [
        (
            "POSISJON",
            dimensions("'Longitude', -180.0, 180.0, 0.5", "'Latitude', -90.0, 90.0, 0.5"),
            4326,
        ),
        (
            "SENTERLINJEPOSISJON",
            dimensions("'X', -100000.0, 1120000.0, 0.01", "'Y', 6430000.0, 7960000.0, 0.01"),
            25833,
        ),
    ]
    kinds = dict(oracle.ask("SELECT COLUMN_NAME, DATA_TYPE FROM ALL_TAB_COLUMNS WHERE TABLE_NAME = 'VEGBILDER'"))
    assert [kinds[name] for name in ("ID", "TIDSPUNKT", "METER", "JSONDATA", "POSISJON")] == [
        "VARCHAR2",
        "DATE",
        "NUMBER",
        "CLOB",
        "SDO_GEOMETRY",
    ]


SPACE: dict[str, Any] = {
    "name": "THINGS",
    "key": "ID",
    "columns": [
        {"name": "ID", "type": "VARCHAR(40)", "nullable": False, "from": "bildeid", "as": "id"},
        {"name": "Bildebredde", "type": "NUMBER", "from": "exif_imagewidth", "as": "number"},
        {
            "name": "Sted",
            "type": "SDO_GEOMETRY",
            "from": "exif_gpsposisjon",
            "as": "point",
            "spatial": {
                "srid": 4979,
                "axes": [
                    {"name": name, "low": low, "high": high, "tolerance": 0.05}
                    for name, low, high in (("Longitude", -180, 180), ("Latitude", -90, 90), ("Height", -100, 9000))
                ],
            },
        },
    ],
}


def test_points_in_space_go_into_a_table_of_ones_own(oracle: Database, tmp_path: Path):
    layout = TableLayout.model_validate(SPACE)
    lake = ParquetWarehouse(tmp_path, made={"road_photos": ("things",)})
    publish(
        lake,
        "f",
        {
            "a": record("a", exif_gpsposisjon="srid=4979;POINT Z(10.5 59.5 66.08)"),
            "b": record("b", exif_gpsposisjon="srid=4979;POINT(10.5 59.5)"),
        },
    )
    done = deliver_photo_table(lake, target_of(oracle, layout))
    assert len(done.notes) == 1
    (first, second) = oracle.ask('SELECT "STED" FROM "THINGS" ORDER BY "ID"')
    assert (first[0].SDO_GTYPE, first[0].SDO_SRID) == (3001, 4979)
    assert (first[0].SDO_POINT.X, first[0].SDO_POINT.Y, first[0].SDO_POINT.Z) == (10.5, 59.5, 66.08)
    assert second == (None,)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ('DROP TABLE "VEGBILDER"', r'there is no table "WAYSIDE"\."VEGBILDER".*create-table'),
        ('ALTER TABLE "VEGBILDER" DROP COLUMN "MOH"', r"does not fit the layout: Moh is missing\. Alter"),
        ('ALTER TABLE "VEGBILDER" ALTER COLUMN "MOH" VARCHAR2(9)', r"Moh is VARCHAR2 and not NUMBER"),
    ],
)
def test_a_table_that_does_not_fit_is_said_and_left_alone(oracle: Database, tmp_path: Path, statement: str, says: str):
    lake = lake_of(tmp_path)
    target_of(oracle)
    oracle.ask(statement)
    publish(lake, "f", {"a": record("a")})
    with pytest.raises(ConfigError, match=says):
        deliver_photo_table(lake, PhotoTarget(oracle.connect, VEGBILDER))
    assert waiting(lake) == 1


def test_a_table_that_others_made_wider_will_do(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    oracle.ask('ALTER TABLE "VEGBILDER" ADD ("THEIRS" NUMBER(3) DEFAULT 7)')
    oracle.ask('ALTER TABLE "VEGBILDER" ALTER COLUMN "TIDSPUNKT" TIMESTAMP(6)')
    publish(lake, "f", {"a": record("a")})
    deliver_photo_table(lake, target)
    assert oracle.ask('SELECT "ID", "THEIRS", "TIDSPUNKT" FROM "VEGBILDER"') == [("a", 7, TAKEN)]


def test_a_batch_for_another_layout_is_made_anew(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "f", {"a": record("a")})
    oracle.connect.at(3, 3113)
    with pytest.raises(TransientError):
        deliver_photo_table(lake, target)
    oracle.connect.at(0, 0)
    fewer = replace_columns(VEGBILDER, lambda name: name != "Moh")
    with pytest.raises(AuditError, match="made for another layout"):
        deliver_photo_table(lake, PhotoTarget(oracle.connect, fewer))
    assert deliver_photo_table(lake, PhotoTarget(oracle.connect, fewer)).inserted == 1


def replace_columns(layout: TableLayout, keep: Any) -> TableLayout:
    return layout.model_copy(update={"columns": tuple(column for column in layout.columns if keep(column.name))})


# Settings


def test_the_settings_say_which_table(oracle: Database, tmp_path: Path):
    settings = Settings(state=tmp_path, photo_table="vegbilder", photo_table_refusals=3, _env_file=None)
    target = open_photo_table(settings, oracle.connect)
    assert (target.layout, target.max_refused) == (VEGBILDER, 3)
    lake = open_lake(settings)
    publish(lake, "f", {"a": record("a")})
    assert (waiting(lake), lake.outbox.pending(ROAD_PHOTOS)) == (1, 0)
    both = open_lake(settings.model_copy(update={"warehouse": "oracle"}))
    publish(both, "g", {"b": record("b")})
    assert (waiting(lake), lake.outbox.pending(ROAD_PHOTOS)) == (2, 1)
    target.create()
    assert deliver_photo_table(lake, target).inserted == 2
    with pytest.raises(ConfigError, match="WAYSIDE_PHOTO_TABLE"):
        open_photo_table(Settings(_env_file=None), oracle.connect)
    with pytest.raises(WaysideError, match="there is no layout 'other'"):
        open_photo_table(settings, oracle.connect, "other")


def test_everything_can_be_sent_again(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    for folder in ("f", "g"):
        publish(lake, folder, {folder: record(folder)})
    deliver_photo_table(lake, target)
    oracle.ask('DELETE FROM "VEGBILDER"', commit=True)
    assert resend(lake, VEGBILDER) == 2
    assert deliver_photo_table(lake, target).inserted == 2


def test_much_goes_in_several_batches(oracle: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside.warehouse.outbox.MAX_BYTES", 1)
    lake, target = lake_of(tmp_path), target_of(oracle)
    for number in range(3):
        publish(lake, f"f{number}", {f"p{number}": record(f"p{number}")})
    assert deliver_photo_table(lake, target).batches == 3
    assert len(seen(oracle)) == 3


def test_rows_whose_publisher_died_wait_without_a_loop(oracle: Database, tmp_path: Path):
    lake, target = lake_of(tmp_path), target_of(oracle)
    publish(lake, "f", {"a": record("a")})
    mark = replace(ROAD_PHOTOS, name="vegbilder")
    lake.outbox.mark(mark, Scope("City", folder=folder_id_of("f")), "the hash of rows that are not in place yet")
    assert deliver_photo_table(lake, target).batches == 2
    assert waiting(lake) == 1
