"""The record of a picture: what fills it, what a defect of the replaced system was, and what an odd file becomes."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import settings as h
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.metadata.support import (
    ASCII,
    CAR,
    DRIVER,
    GPS,
    REMARK,
    encode,
    gradient,
    image_properties_xml,
    jpeg_with_exif,
    norway2_xml,
    reflink_xml,
)

from wayside.core.errors import ImageError
from wayside.metadata.derived import objects_text, point, point_of, version_text
from wayside.metadata.keys import KEYS_V1, KEYS_V2
from wayside.metadata.record import RecordOptions, extract

PATH = "Z:\\tilSladding\\2020\\FV00063\\S10\\D3\\F1_2020_06_02\\FV00063_S10D3_m00041_f1.jpg"
CHANGED = datetime(2021, 3, 4, 5, 6, 7, 8, UTC)
INFO = {
    "roadtype": "Enkel bilveg",
    "meter": "5345.983",
    "fylke": "34",
    "StorageFile": "D:\\2021\\RV00003\\S2\\D1\\F2_2021_01_08\\RV00003_S2D1_m05346_f2.jpg",
}


def record(data=None, path=PATH, modified=CHANGED, **options):
    return extract(data or jpeg_with_exif(), path, RecordOptions(**options), modified)


def both(key, data=None, path=PATH, **options):
    """Return a value as it is, and as the replaced system had it."""
    return tuple(record(data, path, compat=compat, **options).values[key] for compat in (False, True))


def test_the_record_is_written_as_the_replaced_system_did():
    made = record(jpeg_with_exif(xp_title="Bilde på vei", reflink=norway2_xml()), data_owner="Eier", version="P1")
    text = made.to_json()
    assert list(json.loads(text)) == list(KEYS_V2)
    assert text.startswith('{\n    "exif_tid": "2020-06-02T09:42:46",\n    "exif_dato"')
    assert '"exif_xptitle": "Bilde på vei"' in text
    assert '"versjon": "P1"' in text
    assert (made.quality, made.road) == ("2", "FV13 S1D1 m14")
    assert made.taken_at == datetime(2020, 6, 2, 9, 42, 46, tzinfo=UTC)
    assert made.position == (6.5663939242382572, 61.214710343813685, 48.856250803013438)
    assert (
        made.to_json()
        == record(
            jpeg_with_exif(xp_title="Bilde på vei", reflink=norway2_xml()), data_owner="Eier", version="P1"
        ).to_json()
    )


def test_results_are_added():
    made = record().with_results({"car": 3, "bus": 1, "face": 2, "person": 0}, "a_preview.jpg")
    assert list(made.values["detekterte_objekter"].items()) == [("car", "3"), ("bus", "1")]
    assert made.values["exif_preview_filnavn"] == "a_preview.jpg"
    assert list(made.values) == list(KEYS_V2)
    assert record().with_results({}, None).values["detekterte_objekter"] == {}
    assert record().with_results(None, None).values["detekterte_objekter"] is None
    assert list(record(layout="v1").with_results({"car": 1}, "p.jpg").values) == list(KEYS_V1)


def test_objects_are_counted_as_the_replaced_system_did():
    names = {1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 8: "truck"}
    counts = Counter(names[number] for number in [6, 3, 6, 2, 6, 3, 4, 8, 8, 2, 2, 1, 6])
    expected = {"person": "1", "bicycle": "3", "car": "2", "motorcycle": "1", "bus": "4", "truck": "2"}
    assert objects_text(counts) == expected
    assert list(objects_text(counts)) == list(expected)
    assert objects_text({}) == {}


@pytest.mark.parametrize("layout", ["v2", "v1", "old"])
@pytest.mark.parametrize("compat", [False, True])
def test_no_person_is_in_any_record(layout, compat):
    data = jpeg_with_exif(
        image_properties=image_properties_xml(name=f"C:\\{DRIVER}\\{CAR}\\FV00013_S1D1_m00014_f1.jpg", note=REMARK),
        reflink=reflink_xml().replace("</ReflinkInfo>", f"<Comment>{REMARK}</Comment></ReflinkInfo>"),
        xp_title=f"Foto: {DRIVER}",
    )
    text = record(data, layout=layout, compat=compat).to_json()
    assert "FJERNET" in text
    assert "FV00013_S1D1_m00014_f1.jpg" in text
    assert not any(held in text for held in (DRIVER, CAR, REMARK))


def test_the_mark_is_kept_where_the_old_value_is_asked_for():
    new, old = both("exif_imageproperties", jpeg_with_exif(driver=DRIVER))
    assert new.startswith("<?xml")
    assert old == "\ufeff" + new


def test_xml_without_a_mark_is_read_alike():
    marked, bare = (record(jpeg_with_exif(driver=DRIVER, reflink=norway2_xml(), bom=bom)) for bom in (True, False))
    assert marked == bare


def test_title():
    assert both("exif_xptitle", jpeg_with_exif(xp_title="Tittel\x00")) == ("Tittel", "Tittel\x00")


def test_lane_and_key_of_old_names():
    path = "2018\\06_Ev134\\Hp05_X\\F1_2018_06_21\\Fy06_Ev134_hp05_f1_m03192.jpg"
    assert both("exif_feltkode", path=path) == ("1", "1_m03192")
    new, old = both("bildeid", path=path)
    assert new == "2020-06-02T09.42.46_Fy06_Ev134_hp05_m03192_Planar_1"
    assert old == new + "_m03192"


def test_text_none():
    assert both("exif_roadident", path="a.jpg") == (None, "NoneNoneNone SNoneDNone mNone")
    assert both("exif_fylke", path="a.jpg") == (None, "None")
    assert both("bildeid", path="a.jpg") == ("2020-06-02T09.42.46_a_Planar", "2020-06-02T09.42.46_a_Planar_None")
    data = jpeg_with_exif(reflink=norway2_xml({"Latitude": None}))
    assert both("exif_gpsposisjon", data)[0] is None
    assert " None " in both("exif_gpsposisjon", data)[1]


def test_metre_zero_is_a_metre():
    path = "FV00063_S10D3_m00000_f1.jpg"
    assert both("exif_meter", path=path) == ("0", "")
    assert record(path=path).road == "FV63 S10D3 m0"
    assert record(jpeg_with_exif(image_properties=image_properties_xml(meter="0"))).values["exif_meter"] == "0.0"


def test_nan_of_the_recorder():
    data = jpeg_with_exif(reflink=norway2_xml({"Heading": "NaN", "Altitude": "NaN", "Speed": "NaN"}))
    assert both("exif_heading", data) == (None, "NaN")
    assert both("exif_altitude", data) == (None, "NaN")
    assert both("exif_moh", data) == (None, None)
    made = record(data)
    assert made.values["exif_speed_ms"] is None
    assert made.position == (6.5663939242382572, 61.214710343813685, None)


def test_a_geoid_that_was_not_measured_gives_no_height():
    assert record(jpeg_with_exif(reflink=norway2_xml({"GeoidalSeparation": "NaN"}))).values["exif_moh"] is None


def test_gps_without_altitude_and_below_the_sea():
    bare = jpeg_with_exif(gps={tag: value for tag, value in GPS.items() if tag not in {5, 6}})
    assert both("exif_gpsposisjon", bare)[0] == "srid=4326;POINT Z( 6.566393916666667 61.214710333333336 NaN )"
    below = jpeg_with_exif(gps={**GPS, 5: (1, [1])})
    assert both("exif_altitude", below) == ("-48.8563", "48.8563")


@pytest.mark.parametrize(
    ("lon", "lat", "alt", "expected"),
    [
        ("6.50", "61.20", "48.0", "srid=4326;POINT Z( 6.50 61.20 48.0 )"),
        ("1E-05", "-61", None, "srid=4326;POINT Z( 0.00001 -61 NaN )"),
        ("6", "61", "1e300", "srid=4326;POINT Z( 6 61 NaN )"),
        ("181", "61", "1", None),
        ("6", "-90.1", "1", None),
        ("6", "NaN", "1", None),
        (None, "61", "1", None),
    ],
)
def test_points(lon, lat, alt, expected):
    assert point(lon, lat, alt, compat=False) == expected
    assert (point_of(expected) is None) == (expected is None)


def test_size_is_of_the_upright_picture():
    data = jpeg_with_exif(size=(64, 48), orientation=6)
    assert both("exif_imagewidth", data) == ("48", "64")
    assert both("exif_imageheight", data) == ("64", "48")
    assert both("exif_imagewidth", jpeg_with_exif(orientation=3)) == ("64", "64")


def test_county():
    assert record(county=46).values["exif_fylke"] == "46"
    known = jpeg_with_exif(driver=DRIVER)
    assert record(known, county=3).values["exif_fylke"] == "46"
    assert record(known, county=3, force_county=True).values["exif_fylke"] == "3"
    odd = jpeg_with_exif(image_properties=image_properties_xml().replace(">46<", ">-50<"))
    assert both("exif_fylke", odd, county=3) == ("3", "-50")
    assert "there is no county -50" in record(odd).warnings


def test_a_picture_without_exif():
    made = record(jpeg_with_exif(with_exif=False), data_owner="Eier")
    assert (made.quality, made.values["exif_dataeier"]) == ("0", "Eier")
    assert made.values["exif_tid"] == "2021-03-04T05:06:07.000008"
    assert made.photo_id == "2021-03-04T05.06.07_FV00063_S10D3_m00041_Planar_1"
    zone = timezone(timedelta(hours=1))
    local = record(jpeg_with_exif(with_exif=False), modified=CHANGED.astimezone(zone))
    assert local.values["exif_tid"] == made.values["exif_tid"]
    timeless = record(jpeg_with_exif(with_exif=False), modified=None)
    assert (timeless.photo_id, timeless.taken_at) == (None, None)


def test_another_time_stands_in_for_a_missing_one():
    made = record(jpeg_with_exif(taken=None, driver=DRIVER))
    assert made.values["exif_tid"] == "2020-06-02T09:42:46"
    assert any("DateTimeOriginal" in warning for warning in made.warnings)
    assert record(jpeg_with_exif(taken=None, model="M")).values["exif_dato"] == "2021-03-04"


def test_a_picture_whose_xml_names_no_file_has_its_own_name():
    data = jpeg_with_exif(reflink=reflink_xml())
    assert both("exif_filnavn", data) == ("FV00063_S10D3_m00041_f1.jpg", None)
    assert both("bildeid", data) == ("2020-06-02T09.42.46_FV00063_S10D3_m00041_Planar_1", None)


def test_image_info_of_a_360_picture_wins():
    made = record(jpeg_with_exif(driver=DRIVER, reflink=norway2_xml(image_info=INFO)), image_type="360")
    keys = ("exif_roadtype", "exif_meter", "exif_fylke", "exif_vegkat", "exif_vegnr", "exif_feltkode", "exif_filnavn")
    assert [made.values[key] for key in keys] == [
        *("Enkel bilveg", "5345.98", "34", "R", "3", "2"),
        "RV00003_S2D1_m05346_f2.jpg",
    ]
    assert made.quality == "2"
    nowhere = jpeg_with_exif(reflink=norway2_xml({"Altitude": None}, INFO))
    assert record(nowhere, image_type="360").quality == "1"
    assert record(nowhere).quality == "2"


@pytest.mark.parametrize("layout", ["v2", "v1", "old"])
@pytest.mark.parametrize(
    ("image_properties", "reflink"),
    [
        ("<broken", None),
        (None, "<broken"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><ImageProperties>&x;</ImageProperties>", "<Other/>"),
        ("<ImageProperties/>", "<AdditionalInfoNorway2/>"),
        ("<a>" * 40 + "</a>" * 40, "<ReflinkInfo/>"),
        (image_properties_xml(meter="NaN", date="yesterday"), norway2_xml(ident="FV13")),
    ],
)
def test_odd_xml_is_a_record_with_a_warning(layout, image_properties, reflink):
    data = jpeg_with_exif(image_properties=image_properties, reflink=reflink)
    made = record(data, layout=layout)
    assert made.photo_id is not None
    for key, text in (("exif_imageproperties", image_properties), ("exif_reflinkinfo", reflink)):
        if text in {"<broken", "<a>" * 40 + "</a>" * 40} or (text or "").startswith("<!DOCTYPE"):
            assert made.values[key] is None
            assert any("is left out" in warning for warning in made.warnings)


def test_old_pictures_keep_parcel_and_recorders_position():
    name = "D:\\06_Ev134\\Hp05_X\\F1_2018_06_21\\Fy06_Ev134_hp05_f1_m03192.jpg"
    data = jpeg_with_exif(image_properties=image_properties_xml(name=name, road="EV134", hp="05", meter="3192.98"))
    made = record(data, layout="old")
    assert made.values["exif_hp"] == "5"
    assert made.road == "EV134 5 3192 1"
    assert made.values["exif_strekningreferanse"] == "06_Ev134/Hp05_X"
    assert made.position == (6.5664, 61.2147, 48.85)
    crossing = name.replace("Fy06_Ev134_hp05_f1_m03192", "EV00006_S12D3_m01500_KD2_m00035_f3")
    made = record(jpeg_with_exif(image_properties=image_properties_xml(name=crossing, hp="05")), layout="old")
    assert [made.values[f"exif_{key}"] for key in ("strekning", "kryssdel", "hp")] == ["12", "2", None]


def test_folder():
    assert record().values["mappenavn"] == "Vegbilder/2020/FV00063/S10/D3/F1_2020_06_02"
    template = "{aar}/{maaned}-{dag}/{fylke}/{vegkat}{vegstat}{vegnr}/{meter}/{feltkode}/{hp}"
    made = record(folder_template=template, county=3)
    assert made.values["mappenavn"] == "2020/06-02/03/FV63/41/1/"
    planar = PATH.replace("2020\\", "2020\\PLANAR\\")
    assert record(path=planar, remove_image_type=True).values["mappenavn"] == record().values["mappenavn"]
    assert record(path="a.jpg").values["mappenavn"] == "Vegbilder/"
    assert any("tilSladding" in warning for warning in record(path="a.jpg").warnings)
    with pytest.raises(ValidationError, match="unknown placeholders colour"):
        RecordOptions(folder_template="{colour}")


def test_versions_read_as_those_of_the_replaced_system():
    assert version_text("0.2", datetime(2020, 6, 16, tzinfo=UTC).date()) == "P0.2_K20200616"
    assert version_text("0.2", None) == "P0.2"


def test_what_is_no_picture_is_refused_with_a_reason():
    for data, reason in ((b"", "not_an_image"), (b"GIF89a", "not_an_image"), (b"\xff\xd8\xff\xe1", "truncated")):
        with pytest.raises(ImageError) as refused:
            extract(data, PATH)
        assert refused.value.reason == reason


def test_a_png_has_a_record_without_exif():
    import cv2

    png = cv2.imencode(".png", gradient())[1].tobytes()
    assert record(png).quality == "0"


_PLAIN = encode(gradient(16, 8))
_XMLS = st.sampled_from([None, image_properties_xml(), norway2_xml(image_info=INFO), reflink_xml(), "<a/>", "<broken"])
_PLACES = [">46<", ">S1D1<", ">0<", "61.2147", "FV013", "FV13 S1D1 m14", "5345.983"]
_VALUES = st.sampled_from(["NaN", "-50", "", "S1D1", "1e400", "£", "FV13 S1D1 m1", "١٢"]) | st.text(max_size=8)


@h(max_examples=60)
@given(
    xml=st.tuples(_XMLS, _XMLS),
    change=st.tuples(
        st.sampled_from([">46<", ">S1D1<", ">0<", "61.2147", "FV013", "FV13 S1D1 m14", "5345.983"]), _VALUES
    ),
    path=st.sampled_from([PATH, "", "\\", "a"]) | st.text(max_size=30),
    taken=st.sampled_from(["2020:06:02 09:42:46", "", "0001:01:01 00:00:00"]),
    layout=st.sampled_from(["v2", "v1", "old"]),
    compat=st.booleans(),
)
def test_any_content_is_a_record(xml, change, path, taken, layout, compat):
    old, new = change
    escaped = new.replace("&", "&amp;").replace("<", "&lt;")
    if old.startswith(">"):
        escaped = f">{escaped}<"
    first, second = (text.replace(old, escaped) if text else text for text in xml)
    try:
        data = jpeg_with_exif(
            jpeg=_PLAIN, image_properties=first, reflink=second, taken=taken, gps=True, ifd0={272: (ASCII, "M")}
        )
    except UnicodeEncodeError:
        return  # half a character cannot be in a file
    made = record(data, path, layout=layout, compat=compat)
    assert set(made.values) == set(KEYS_V1 if layout == "v1" else KEYS_V2)
    assert json.loads(made.to_json()) == dict(made.values)
    if not compat and "None" not in path:
        assert "None" not in f"{made.photo_id or ''}{made.values['exif_gpsposisjon'] or ''}{made.road or ''}"
