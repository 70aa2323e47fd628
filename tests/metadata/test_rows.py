"""Records become rows: each conversion, what is a null, what is a fault."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.settings import Settings
from wayside.metadata.layouts import TableLayout, load_layout
from wayside.metadata.rows import Position, RowMaker, number_of, photo_id_of, position_of, record_json, row_of

FOLDER = Settings(_env_file=None).config / "photo_tables"
VEGBILDER = load_layout("vegbilder", FOLDER)
V1 = load_layout("vegbilder_v1", FOLDER)
RECORD = {
    "exif_tid": "2020-06-02T09:42:46",
    "exif_dataeier": "Statens vegvesen",
    "exif_imagetype": "360",
    "exif_imagewidth": "8000",
    "exif_speed_ms": "0.00",
    "exif_heading": 302.5,
    "exif_gpsposisjon": "srid=4326;POINT Z( 6.5663939242382572 61.214710343813685 48.856250803013438 )",
    "exif_altitude": "48.856250803013438",
    "exif_fylke": "46",
    "exif_vegkat": "F",
    "exif_vegstat": "V",
    "exif_vegnr": "13",
    "exif_ankerpunkt": "01500",
    "exif_meter": "14.34",
    "exif_feltkode": "1",
    "exif_filnavn": "FV00013_S1D1_m00014_f1.jpg",
    "exif_kvalitet": "2",
    "exif_roll": "NaN",
    "exif_pitch": "None",
    "bildeid": "2020-06-02T09.42.46_FV00013_S1D1_m00014_360_1",
    "senterlinjeposisjon": "srid=25833;POINT Z(202543.853 6626544.517 196.329)",
    "detekterte_objekter": {"car": "3", "bus": "1"},
    "mappenavn": "Vegbilder/2020/FV00013/Ærøy",
}


def layout(*columns: dict[str, Any]) -> TableLayout:
    key = {"name": "ID", "type": "VARCHAR(99)", "from": "bildeid", "as": "id"}
    return TableLayout.model_validate({"name": "THINGS", "key": "ID", "columns": [key, *columns]})


def one(value: object, column: dict[str, Any], **more: Any) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    row = row_of({"bildeid": "x", "given": value}, layout({"name": "Found", "from": "given", **column}), **more)
    return row.values["Found"], row.warnings, row.faults


def test_a_record_makes_a_row_of_every_column():
    row = row_of(RECORD, VEGBILDER)
    assert list(row.values) == [column.name for column in VEGBILDER.columns]
    assert len(row.values) == 51
    assert (row.warnings, row.faults) == ((), ())
    found = {name: value for name, value in row.values.items() if value is not None}
    assert json.loads(found.pop("JsonData")) == RECORD
    assert found == {
        "ID": "2020-06-02T09.42.46_FV00013_S1D1_m00014_360_1",
        "Tidspunkt": datetime(2020, 6, 2, 9, 42, 46, tzinfo=UTC),
        "Aar": 2020,
        "Dataeier": "Statens vegvesen",
        "Bildetype": "360",
        "Bildebredde": 8000,
        "Retning": 302.5,
        "Posisjon": Position(4326, 6.5663939242382572, 61.214710343813685),
        "PosisjonHoyde": 48.856250803013438,
        "SenterlinjePosisjon": Position(25833, 202543.853, 6626544.517),
        "SenterlinjeHoyde": 196.329,
        "FylkeNummer": 46,
        "Vegkategori": "F",
        "Vegstatus": "V",
        "Vegnummer": 13,
        "Ankerpunkt": 1500,
        "Meter": 14.34,
        "Hastighet": 0,
        "Mappenavn": "Vegbilder/2020/FV00013/Ærøy",
        "Filnavn": "FV00013_S1D1_m00014_f1.jpg",
        "DetekterteObjekter": '{"car": "3", "bus": "1"}',
        "Feltkode": "1",
        "ExifKvalitet": 2,
    }


def test_the_first_layout_has_its_columns_and_reads_the_old_keys():
    row = row_of({**RECORD, "veglenkeid": 181261, "veglenkepos": 0.58797135}, V1)
    assert len(row.values) == 29
    assert (row.values["ReflinkID"], row.values["ReflinkPosisjon"]) == (181261, 0.58797135)
    assert row.values["PosisjonHoyde"] == 48.856250803013438


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("14.34", 14.34), ("0", 0), ("0.00", 0), ("01500", 1500), ("-3.5e-5", -3.5e-5), ("1e3", 1000), (" 7 ", 7),
        ("5.", 5), (".5", 0.5), (181261, 181261), (0.5, 0.5), (3.0, 3), ("NaN", None), ("nan", None), ("None", None),
        ("", None), (None, None), (math.nan, None), ("9007199254740991", 2**53 - 1),
        ("0.027226146823267947", 0.027226146823267947),
    ],
)  # fmt: skip
def test_numbers(given: object, number: float | None):
    found = number_of(given) if given is not None else None
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    "given",
    [
        "12,5",
        "abc",
        "1 2",
        "١٢",
        "0x10",
        "inf",
        "1e999",
        True,
        [],
        {},
        "9007199254740993",
        10**400,
        "1" * 200,
        math.inf,
    ],
)
def test_what_is_no_number_is_said(given: object):
    with pytest.raises(ValueError, match=r"no number|too large"):
        number_of(given)


@pytest.mark.parametrize(
    ("given", "position"),
    [
        ("srid=4326;POINT Z( 1.0 2.0 66.08 )", Position(4326, 1.0, 2.0, 66.08)),
        ("srid=4326;POINT Z(1.0 2.0 66.08)", Position(4326, 1.0, 2.0, 66.08)),
        ("srid=4326;POINT(1 2)", Position(4326, 1.0, 2.0)),
        ("SRID=25833 ; point z (  -1.5\t2.  3 ) ", Position(25833, -1.5, 2.0, 3.0)),
        ("srid=4326;POINT Z( 1e-05 5.9E1 1.5e+2 )", Position(4326, 1e-05, 59.0, 150.0)),
        ("srid=4326;POINT Z( 1 2 NaN )", Position(4326, 1.0, 2.0)),
        ("srid=4326;POINT Z( 1 2 None )", Position(4326, 1.0, 2.0)),
        (None, None), ("", None), ("None", None),
    ],
)  # fmt: skip
def test_positions(given: object, position: Position | None):
    assert position_of(given) == position


@pytest.mark.parametrize(
    "given",
    [
        "srid=4326;POINT Z( NaN NaN NaN )", "srid=4326;POINT Z( None 2 3 )", "srid=4326;POINT Z( 1,5 2,5 3 )",
        "POINT Z( 1 2 3 )", "srid=4326;POINT Z( 1 2 3 4 )", "srid=4326;POINT Z( 1 )", "srid=4326;LINESTRING( 1 2 )",
        "srid=4326;POINT Z( 1 1e999 3 )", "srid=x;POINT Z( 1 2 3 )", 7, [1, 2],
        "srid=4326;POINT Z( 1 2 3" + " " * 400 + ")",
    ],
)  # fmt: skip
def test_what_is_no_position_is_said(given: object):
    with pytest.raises(ValueError, match=r"no position|no place"):
        position_of(given)


def axes(names: tuple[str, ...], low: float, high: float, tolerance: float) -> list[dict[str, Any]]:
    return [{"name": name, "low": low, "high": high, "tolerance": tolerance} for name in names]


PLANE = {"srid": 4326, "axes": axes(("Longitude", "Latitude"), -180, 180, 0.5)}
SPACE = {"srid": 4979, "axes": axes(("Longitude", "Latitude", "Height"), -180, 3000, 0.5)}
UTM = {"srid": 25833, "axes": axes(("X", "Y"), 0, 8e6, 0.01)}


@pytest.mark.parametrize(
    ("given", "spatial", "found", "warned"),
    [
        ("srid=4326;POINT Z( 1 2 3 )", PLANE, Position(4326, 1, 2), ""),
        ("srid=4979;POINT Z( 1 2 3 )", PLANE, Position(4326, 1, 2), ""),
        ("srid=4979;POINT Z( 1 2 3 )", SPACE, Position(4979, 1, 2, 3), ""),
        ("srid=5973;POINT Z(202543.8 6626544.5 196.3)", UTM, Position(25833, 202543.8, 6626544.5), ""),
        ("srid=25832;POINT Z(202543.8 6626544.5 196.3)", UTM, None, "in the system 25832, and the column in 25833"),
        ("srid=4979;POINT(1 2)", SPACE, None, "has no height"),
        ("srid=4326;POINT Z( NaN 2 3 )", PLANE, None, "has no place"),
        ("srid=4326;POINT( 181 2 )", PLANE, Position(4326, 181, 2), "outside of Longitude -180 to 180"),
    ],
)
def test_points(given: str, spatial: dict[str, Any], found: Position | None, warned: str):
    value, warnings, faults = one(given, {"type": "SDO_GEOMETRY", "as": "point", "spatial": spatial})
    assert value == found
    assert faults == ()
    assert warned in " ".join(warnings)
    assert bool(warnings) == bool(warned)
    if found:
        assert found.gtype == (2001 if found.z is None else 3001)


@pytest.mark.parametrize(
    ("given", "time", "year"),
    [
        ("2020-06-02T09:42:46", datetime(2020, 6, 2, 9, 42, 46, tzinfo=UTC), 2020),
        ("2018-06-21T11:01:02.9382161", datetime(2018, 6, 21, 11, 1, 2, tzinfo=UTC), 2018),
        ("2020-06-02T09:42:46Z", datetime(2020, 6, 2, 9, 42, 46, tzinfo=UTC), 2020),
        ("2021-01-01T00:30:00+01:00", datetime(2020, 12, 31, 23, 30, tzinfo=UTC), 2021),
    ],
)
def test_times_without_a_zone_are_utc_and_the_year_is_the_one_that_is_written(given: str, time: datetime, year: int):
    assert one(given, {"type": "DATE", "as": "time"}) == (time, (), ())
    assert one(given, {"type": "NUMBER", "as": "year"}) == (year, (), ())


@pytest.mark.parametrize("given", ["yesterday", "2020-13-01", 2020, "0001-01-01T00:00:00+14:00", "x" * 1000])
def test_what_is_no_time_is_a_null_with_a_warning(given: object):
    value, warnings, faults = one(given, {"type": "DATE", "as": "time"})
    assert (value, faults) == (None, ())
    assert len(warnings) == 1


def test_the_first_metre_of_a_road_counts_and_only_compat_refuses_it():
    column = {"type": "NUMBER", "as": "number", "nullable": False}
    assert one("0", column) == (0, (), ())
    assert one("0.00", column, compat=True)[2] == ("Found may not be null: no value in given",)


@pytest.mark.parametrize(
    ("given", "says"), [(None, "no value in given"), ("", "no value"), ("x", "'x' is no number"), ("None", "no value")]
)
def test_a_column_that_may_not_be_null_says_what_is_wrong(given: object, says: str):
    value, _, faults = one(given, {"type": "NUMBER", "as": "number", "nullable": False})
    assert value is None
    assert len(faults) == 1
    assert faults[0].startswith("Found may not be null: ")
    assert says in faults[0]


def test_each_missing_column_is_named():
    faults = row_of({**RECORD, "exif_dataeier": None, "exif_fylke": "None"}, VEGBILDER).faults
    assert faults == (
        "Dataeier may not be null: no value in exif_dataeier",
        "FylkeNummer may not be null: no value in exif_fylke",
    )


def test_a_text_that_is_too_long_is_a_fault_in_characters():
    assert one("å" * 8, {"type": "VARCHAR(8)"}) == ("å" * 8, (), ())
    assert one("å" * 9, {"type": "VARCHAR(8)"})[2] == ("Found has 9 characters, and the column holds 8",)


def test_half_of_a_character_does_not_get_into_a_table():
    assert one("a\ud800b", {"type": "VARCHAR(8)"})[0] == "a\ufffdb"
    assert "\ufffd" in record_json({"a": "\udfff"})


def test_an_identifier_is_made_where_there_is_none():
    record = {name: value for name, value in RECORD.items() if name != "bildeid"}
    assert photo_id_of(record) == RECORD["bildeid"]
    old = {"exif_tid": "2020-06-02T09:42:46.3948628", "exif_filnavn": "FV00013_S1D1_m00014_f1.jpg"}
    assert photo_id_of(old) == "2020-06-02T09.42.46.394862_FV00013_S1D1_m00014"
    assert photo_id_of({**record, "exif_tid": "?"}) is None
    assert row_of({**record, "exif_filnavn": None}, VEGBILDER).faults[0] == "ID may not be null: no value in bildeid"


def test_identifiers_are_those_of_the_replaced_system(data: Path):
    outputs = json.loads((data / "road-photos" / "golden_observed.json").read_text("utf-8"))["outputs"]
    known = [
        record
        for kind in ("v1", "v2")
        for group in outputs[kind].values()
        for record in group.values()
        if record.get("bildeid") and "None" not in record["bildeid"]
    ]
    assert len(known) > 15
    for record in known:
        assert photo_id_of({**record, "bildeid": None}) == record["bildeid"]


def test_golden_records_make_rows_without_a_word(data: Path):
    outputs = json.loads((data / "road-photos" / "golden_observed.json").read_text("utf-8"))["outputs"]
    row = row_of(outputs["v2"]["synthetic"]["A_ip+rl2_planar"], VEGBILDER)
    assert (row.warnings, row.faults) == ((), ())
    assert row.values["Meter"] == 14.34
    assert row.values["Northrmserror"] == 0.024499321356415749


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for column in VEGBILDER.columns for key in column.keys})


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=12))
def test_whatever_a_record_holds_is_a_row(record: dict[str, Any]):
    row = RowMaker(VEGBILDER)(record)
    assert len(row.values) == 51
    for column in VEGBILDER.columns:
        value = row.values[column.name]
        if column.family == "NUMBER":
            assert value is None or (isinstance(value, int | float) and math.isfinite(value))
        if isinstance(value, str):
            value.encode()


@settings(max_examples=40)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
def test_a_record_is_written_as_its_file_is(record: dict[str, Any]):
    wanted = json.dumps(record, indent=4, ensure_ascii=False)
    assert record_json(record) == wanted.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


@settings(max_examples=40)
@given(NUMBERS, NUMBERS, st.none() | NUMBERS, st.sampled_from(["", " ", "  "]))
def test_a_position_is_read_as_it_was_written(x: float, y: float, z: float | None, space: str):
    third = "" if z is None else f" {z!r}"
    assert position_of(f"srid=4326;POINT Z({space}{x!r} {y!r}{third}{space})") == Position(4326, x, y, z)
