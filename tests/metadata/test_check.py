"""A record is checked against its layout, by the verdicts of the road authority's own check."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as h
from hypothesis import strategies as st
from tests.metadata.support import DRIVER, image_properties_xml, jpeg_with_exif, norway2_xml

from wayside.metadata.check import MAX_BYTES, Fault, check_record, check_text, usable
from wayside.metadata.record import RecordOptions, extract

PLACE = "srid=25833;POINT Z( 202562.186 6626552.304 196.295 )"


def whole(layout="v1"):
    """Return a record to which nothing is to be said."""
    data = jpeg_with_exif(image_properties=image_properties_xml(driver=DRIVER), reflink=norway2_xml())
    made = extract(data, "a.jpg", RecordOptions(layout=layout)).with_results({"car": 3}, None)
    return json.loads(made.to_json()) | {"senterlinjeposisjon": PLACE}


def verdict(record):
    return {(fault.kind, fault.key) for fault in check_record(record)}


@pytest.mark.parametrize("layout", ["v1", "v2", "old"])
def test_a_whole_record_has_no_fault(layout):
    assert check_record(whole(layout)) == []
    assert check_text(json.dumps(whole(layout))) == []


@pytest.mark.parametrize(
    ("lacks", "keys"),
    [
        ("reflinkid", ["exif_reflinkid"]),
        ("reflinkposisjon", ["exif_reflinkposisjon"]),
        ("roadident", ["exif_roadident"]),
        ("senterlinjeposisjon", ["senterlinjeposisjon", "exif_roadident"]),
        ("vegnettilknytning", ["exif_reflinkid", "exif_reflinkposisjon", "senterlinjeposisjon", "exif_roadident"]),
    ],
)
def test_values_that_must_be_there(lacks, keys):
    assert verdict(whole() | dict.fromkeys(keys)) == {("value", key) for key in keys}, lacks


def test_keys_too_many_and_too_few():
    record = whole()
    assert verdict(record | {"ekstratagg": "x"}) == {("extra", "ekstratagg")}
    del record["exif_vegnr"]
    assert verdict(record) == {("missing", "exif_vegnr")}


def test_the_preview_may_be_missing():
    record = whole("v2")
    del record["exif_preview_filnavn"]
    assert check_record(record) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exif_kvalitet", "3"),
        ("exif_tid", "yesterday"),
        ("exif_dato", "20200602"),
        ("exif_dato", "2020-02-30"),
        ("exif_gpsposisjon", "srid=4326;POINT Z( 6.5 None 48.8 )"),
        ("exif_gpsposisjon", "srid=4326;POINT Z( 1e-05 61 48.8 )"),
        ("exif_meter", "far"),
        ("exif_meter", 41),
        ("exif_heading", True),
        ("bildeid", " "),
        ("detekterte_objekter", {"car": 3}),
        ("detekterte_objekter", "car"),
    ],
)
def test_values_of_the_wrong_kind(key, value):
    assert verdict(whole() | {key: value}) == {("value", key)}


@pytest.mark.parametrize(
    ("key", "value"), [("exif_kvalitet", "1.5"), ("exif_heading", 302.29), ("exif_ankerpunkt", "01500")]
)
def test_values_that_are_right(key, value):
    assert check_record(whole() | {key: value}) == []


def test_the_centre_line_is_filled_later():
    faults = check_record(whole() | {"senterlinjeposisjon": None})
    assert [(fault.key, fault.notice) for fault in faults] == [("senterlinjeposisjon", True)]
    assert usable(faults)
    assert not usable([Fault("extra", "a", "b")])


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "1", '{"a": ' * 50_000, "x" * (MAX_BYTES + 1)])
def test_what_is_no_record(text):
    assert [fault.kind for fault in check_text(text)] == ["unreadable"]


def test_a_key_that_stands_twice():
    text = json.dumps(whole()).replace("{", '{"bildeid": "a", ', 1)
    assert [(fault.kind, fault.key) for fault in check_text(text)] == [("twice", "bildeid")]


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.dictionaries(st.text(max_size=3), st.text())
)


@h(max_examples=30)
@given(key=st.sampled_from(sorted(whole("v2"))), value=_VALUES)
def test_any_value_is_judged(key, value):
    assert {fault.key for fault in check_record(whole("v2") | {key: value})} <= {key}
