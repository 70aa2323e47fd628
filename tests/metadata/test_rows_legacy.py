"""Records of the replaced system: put right in what they got wrong, left alone in the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.settings import Settings
from wayside.metadata.layouts import load_layout
from wayside.metadata.legacyjson import (
    MAX_BYTES,
    NUMBERS,
    RecordError,
    decimal_point,
    decimal_points,
    flipped,
    parse,
    read_record,
)
from wayside.metadata.rows import row_of

XML = (
    '<?xml version="1.0" encoding="utf-8"?><ImageProperties><VCLane>1</VCLane><Surroundings>'
    "<Driver>Kari Nordmann</Driver><CarID>DN 41414</CarID><Comment>ring Kari Nordmann</Comment></Surroundings>"
    "</ImageProperties>"
)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("srid=4326;POINT Z( 1.0 2.0 66.08 )", "srid=4326;POINT Z( 2.0 1.0 66.08 )"),
        ("srid=4326;POINT Z(1.0 2.0 66.08)", "srid=4326;POINT Z(2.0 1.0 66.08)"),
        ("srid=4326;POINT(1 2)", "srid=4326;POINT(2 1)"),
        ("srid=4326;POINT Z (  1.0\t2.0   3 )", "srid=4326;POINT Z (  2.0\t1.0   3 )"),
        ("srid=4326;POINT Z( NaN 2 None )", "srid=4326;POINT Z( 2 NaN None )"),
        ("srid=4326;POINT Z( 59.7 9.8 5.1e1 )", "srid=4326;POINT Z( 9.8 59.7 5.1e1 )"),
        ("srid=4326;POINT Z( 1 )", "srid=4326;POINT Z( 1 )"),
        ("srid=4326;POINT Z( 1 2 3 4 )", "srid=4326;POINT Z( 1 2 3 4 )"),
        ("somewhere", "somewhere"),
        ("", ""),
    ],
)
def test_positions_are_flipped_with_any_spacing(given: str, wanted: str):
    assert flipped(given) == wanted
    assert flipped(flipped(given)) == given


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("12,5", "12.5"), ("0,00", "0.00"), ("0,0", "0.0"), ("-3,5", "-3.5"), (",5", "0.5"), ("1,5e-3", "1.5e-3"),
        (" 7,25 ", "7.25"), ("12.5", "12.5"), ("12", "12"), ("1,2,3", "1,2,3"), ("1.234,5", "1.234,5"), ("-,5", "-,5"),
        ("a,b", "a,b"), ("", ""), ("NaN", "NaN"),
    ],
)  # fmt: skip
def test_decimal_commas(given: str, wanted: str):
    assert decimal_point(given) == wanted


def test_decimal_commas_of_positions():
    given = "srid=4326;POINT Z( 6,56 61,2 48,8 )"
    assert decimal_points(given) == "srid=4326;POINT Z( 6.56 61.2 48.8 )"
    assert decimal_points("6,56 61,2") == "6,56 61,2"


def test_only_fields_of_numbers_lose_their_commas():
    given = dict.fromkeys((*NUMBERS, "exif_xptitle", "exif_basislinje", "exif_filnavn", "bildeid"), "12,5")
    legacy = read_record(json.dumps(given).encode())
    assert {key for key, value in legacy.record.items() if value == "12.5"} == set(NUMBERS)
    assert set(legacy.changes) == {f"{key}: decimal comma" for key in NUMBERS}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r'"C:\DATA\x"', "C:\\DATA\\x"),
        (r'"C:\\DATA\\x"', "C:\\DATA\\x"),
        (r'"a\nb\t\"c\" \u00e5 \/"', 'a\nb\t"c" å /'),
        (r'"C:\new\Data"', "C:\\new\\Data"),
        (r'"C:\DATA\"', "C:\\DATA\\"),
        (r'"C:\"', "C:\\"),
        (r'"\\server\share\new\Data"', "\\\\server\\share\\new\\Data"),
        (r'"see D:\bad\Way or \u00e5"', "see D:\\bad\\Way or å"),
        (r'"\q\n"', "\\q\n"),
        (r'"x\q\\y"', "x\\q\\y"),
        (r'"C:\DATA\u00e5pen\x"', "C:\\DATAåpen\\x"),
        (r'"<?xml v=\"1\"?>\r\n<I>D:\Via\new\x.jpg</I>\r\n<A b=\"D:\r\"/>"',
         '<?xml v="1"?>\r\n<I>D:\\Via\\new\\x.jpg</I>\r\n<A b="D:\\r"/>'),
    ],
)  # fmt: skip
def test_backslashes(given: str, wanted: str):
    assert parse(f'{{"a": {given}, "b": "l1\\nl2"}}')[0] == {"a": wanted, "b": "l1\nl2"}
    assert parse(f'{{"b": "\\\\", "a": {given}}}')[0] == {"a": wanted, "b": "\\"}


@settings(max_examples=60)
@given(st.dictionaries(st.text(), st.text() | st.none() | st.integers() | st.lists(st.text(), max_size=2), max_size=5))
def test_valid_json_means_what_json_says(record: dict[str, Any]):
    for ascii_only in (True, False):
        assert parse(json.dumps(record, ensure_ascii=ascii_only)) == (record, False)


NAMES = st.text(st.sampled_from("abfnrtuxABDZ09_åø "), min_size=1, max_size=8)


@settings(max_examples=60)
@given(st.sampled_from("CDZ"), st.lists(NAMES, min_size=1, max_size=5))
def test_paths_whose_backslashes_nobody_escaped_come_back(drive: str, names: list[str]):
    path = "\\".join([f"{drive}:", *names, "DATA"])  # \D is no escape, so the text is no JSON
    assert parse(f'{{"a": "{path}", "b": "x\\ny"}}') == ({"a": path, "b": "x\ny"}, True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_json"), (b"[1]", "no_record"), (b'"x"', "no_record"), (b"{", "not_json"), (b"\xff{}", "not_utf8"),
        (b"[" * 100_000, "not_json"), (b" " * (MAX_BYTES + 1), "too_large"), (b'{"a": 1} x', "not_json"),
        (json.dumps({str(n): n for n in range(1001)}).encode(), "no_record"), (b'{"a": "\\', "not_json"),
    ],
)  # fmt: skip
def test_what_is_no_record_has_a_reason(data: bytes, reason: str):
    with pytest.raises(RecordError) as raised:
        read_record(data)
    assert raised.value.reason == reason
    assert str(raised.value)


@settings(max_examples=60)
@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]":,\\nuD:x1 '), max_size=40).map(str.encode))
def test_whatever_a_file_holds_is_a_record_or_a_reason(data: bytes):
    reason = ""
    try:
        read_record(data)
    except RecordError as error:
        reason = error.reason
    assert reason in {"", "not_json", "no_record", "not_utf8"}


def test_people_are_taken_out_wherever_they_stand():
    record = {
        "exif_imageproperties": "\ufeff" + XML,
        "exif_reflinkinfo": None,
        "note": "av kari nordmann",
        "other": XML,
    }
    data = b"\xef\xbb\xbf" + json.dumps(record).encode()
    clean = json.dumps(read_record(data).record, ensure_ascii=False)
    assert "<VCLane>1</VCLane>" in clean
    assert "Nordmann".casefold() not in clean.casefold()
    assert "41414" not in clean
    assert clean.count("FJERNET") == 7


def test_xml_that_cannot_be_read_is_left_out_and_said():
    legacy = read_record(json.dumps({"exif_imageproperties": "<a><Driver>Kari</b>", "bildeid": "x"}).encode())
    assert legacy.record == {"exif_imageproperties": None, "bildeid": "x"}
    assert legacy.changes[0].startswith("exif_imageproperties: left out, since it cannot be freed of names")


def test_a_record_that_is_put_right_makes_the_row_of_one_that_was_right():
    layout = load_layout("vegbilder", Settings(_env_file=None).config / "photo_tables")
    right = {
        "bildeid": "x", "exif_tid": "2020-06-02T09:42:46", "exif_meter": "12.5", "exif_moh": "0.0",
        "exif_gpsposisjon": "srid=4326;POINT Z( 6.5 61.2 48.8 )", "exif_mappenavn": "C:\\DATA\\new",
    }  # fmt: skip
    wrong = json.dumps(
        right | {"exif_meter": "12,5", "exif_moh": "0,0", "exif_gpsposisjon": "srid=4326;POINT Z( 61,2 6,5 48,8 )"}
    ).replace("\\\\", "\\")
    legacy = read_record(wrong.encode(), flip_wkt=True)
    assert legacy.record == right
    assert row_of(legacy.record, layout) == row_of(right, layout)
    assert legacy.changes == (
        "backslashes that were not escaped",
        "exif_moh: decimal comma",
        "exif_meter: decimal comma",
        "exif_gpsposisjon: decimal commas",
        "exif_gpsposisjon: flipped",
    )


def test_real_records_are_left_as_they_are(data: Path):
    files = sorted((data / "road-photos").glob("*.v1.json"))
    assert len(files) == 4
    for file in files:
        legacy, given = read_record(file.read_bytes()), json.loads(file.read_text("utf-8"))
        assert legacy.changes == ()
        assert legacy.record == given
