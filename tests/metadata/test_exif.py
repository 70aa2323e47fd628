"""EXIF is read within bounds, whatever a file says of itself."""

import struct
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import settings as h
from hypothesis import strategies as st
from tests.metadata.support import (
    ARTIST,
    ASCII,
    BOM,
    BYTE,
    DRIVER,
    EXPOSURE_TIME,
    GPS,
    IMAGE_PROPERTIES,
    LONG,
    MAKER_NOTE,
    RATIONAL,
    SHORT,
    UNDEFINED,
    USER_COMMENT,
    XP_TITLE,
    gradient,
    image_properties_xml,
    jpeg_with_exif,
    norway2_xml,
    segment,
    tiff,
)

from wayside.metadata import tiff as bounds
from wayside.metadata.exif import Exif, Position, read_exif, xml_entry, xml_text
from wayside.metadata.tiff import Entry, new_entry, read_tiff, write_tiff

TAKEN = datetime.fromisoformat("2020-06-02T09:42:46")


def wrapped(block):
    """Return the smallest file that holds an EXIF block."""
    return b"\xff\xd8" + segment(0xE1, b"Exif\x00\x00" + block) + b"\xff\xd9"


@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_is_read_in_either_byte_order(order):
    data = jpeg_with_exif(
        order=order,
        orientation=6,
        make="Maker",
        model="Ladybug5 ",
        xp_title="Bilde på vei",
        gps=True,
        driver=DRIVER,
        reflink=norway2_xml(),
        thumbnail=gradient(16, 12),
    )
    exif = read_exif(data)
    assert (exif.orientation, exif.camera, exif.xp_title) == (6, "Ladybug5", "Bilde på vei")
    assert exif.taken == exif.taken_original == TAKEN
    assert exif.position == Position(61.214710333333336, 6.566393916666667, 48.8563, False, 302.29, 25.0)
    assert exif.image_properties == image_properties_xml(driver=DRIVER)
    assert exif.reflink == norway2_xml()
    assert exif.faults == ()


def test_a_file_without_exif_has_none():
    for data in (jpeg_with_exif(with_exif=False), b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1"):
        exif = read_exif(data)
        assert not exif.present
        assert (exif.orientation, exif.taken, exif.position, exif.image_properties) == (1, None, None, None)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_that_does_not_exist_is_upright(value):
    assert read_exif(jpeg_with_exif(orientation=value)).orientation == 1


def test_a_directory_that_leads_to_itself_is_read_once():
    block = bytearray(tiff({271: (ASCII, "Maker of cameras")}, exif={EXPOSURE_TIME: (RATIONAL, [(1, 60)])}))
    at = block.index(struct.pack(">H", 0x8769))
    block[at + 8 : at + 12] = struct.pack(">I", 8)
    exif = read_exif(wrapped(bytes(block)))
    assert any("leads back" in fault for fault in exif.faults)
    assert exif.tiff.photo == {}
    assert exif.tiff.image[271].text == "Maker of cameras"


def test_ifd1_that_leads_back_is_never_followed():
    block = bytearray(tiff({274: (SHORT, [6])}, ifd1={256: (LONG, [1])}))
    last = len(block) - 4
    block[last:] = struct.pack(">I", 8)
    assert read_exif(wrapped(bytes(block))).orientation == 6
    assert read_exif(wrapped(bytes(block))).standard()["Image Orientation"]


def test_a_count_of_a_billion_costs_nothing():
    block = bytearray(tiff({274: (SHORT, [3])}, exif={MAKER_NOTE: (UNDEFINED, b"0123456789")}))
    at = block.index(struct.pack(">HH", MAKER_NOTE, UNDEFINED))
    block[at + 4 : at + 8] = struct.pack(">I", 1_000_000_000)
    start = time.perf_counter()
    exif = read_exif(wrapped(bytes(block)))
    assert exif.orientation == 3
    assert MAKER_NOTE not in exif.tiff.photo
    assert any("37500" in fault for fault in exif.faults)
    assert exif.standard()
    assert time.perf_counter() - start < 1


def test_a_value_that_ends_behind_the_block_is_left_out():
    block = bytearray(tiff({271: (ASCII, "Maker of cameras"), 274: (SHORT, [3])}))
    block[14:18] = struct.pack(">I", len("Maker of cameras") + 20)
    found = read_tiff(bytes(block))
    assert set(found.image) == {274}
    assert any("271" in fault for fault in found.faults)


def test_values_that_share_their_bytes_are_capped_together():
    many = 900
    head = b"MM\x00*" + struct.pack(">IH", 8, many)
    entries = b"".join(struct.pack(">HHII", tag, UNDEFINED, 50_000, 0) for tag in range(many))
    found = read_tiff(head + entries + bytes(40_000))
    assert sum(len(entry.raw) for entry in found.image.values()) <= bounds.MAX_VALUES
    assert any("together" in fault for fault in found.faults)
    assert len(found.faults) == bounds.MAX_FAULTS + 1


def test_more_entries_than_are_there_are_a_fault():
    block = bytearray(tiff({274: (SHORT, [3])}))
    block[8:10] = struct.pack(">H", 60_000)
    found = read_tiff(bytes(block))
    assert found.image[274].numbers == (3,)
    assert any("60000 entries" in fault for fault in found.faults)


def test_a_block_that_is_too_long_is_left_out():
    assert read_tiff(b"MM\x00*" + bytes(bounds.MAX_BLOCK)).faults


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2020:06:02 09:42:46", TAKEN),
        ("2020.06.02 09.42.46", TAKEN),
        ("0000:00:00 00:00:00", None),
        ("2020:02:30 09:42:46", None),
        ("    :  :     :  :  ", None),
        ("2020", None),
    ],
)
def test_time(text, taken):
    assert read_exif(jpeg_with_exif(taken=text)).taken == taken


def test_another_time_stands_in_for_a_missing_one():
    exif = read_exif(jpeg_with_exif(taken=None, ifd0={306: (ASCII, "2019:01:02 03:04:05")}))
    assert exif.taken_original is None
    assert exif.taken == datetime.fromisoformat("2019-01-02T03:04:05")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({1: (ASCII, "S "), 3: (ASCII, "W")}, {"lat": -61.214710333333336, "lon": -6.566393916666667}),
        ({2: (RATIONAL, [(61, 0), (1, 1), (1, 1)])}, {"lat": None}),
        ({2: (RATIONAL, [(91, 1), (0, 1), (0, 1)])}, {"lat": None}),
        ({4: (RATIONAL, [(6, 1)])}, {"lon": None}),
        ({4: (ASCII, "6 33 59")}, {"lon": None}),
        ({6: (RATIONAL, [(1, 0)])}, {"altitude": None}),
        ({5: (BYTE, [1])}, {"below_sea": True}),
        ({12: (ASCII, "N"), 13: (RATIONAL, [(1944, 100)])}, {"speed": 10.0}),
        ({12: (ASCII, "M"), 13: (RATIONAL, [(2237, 100)])}, {"speed": 10.0}),
    ],
)
def test_position(change, expected):
    position = read_exif(jpeg_with_exif(gps={**GPS, **change})).position
    assert {name: getattr(position, name) for name in expected} == pytest.approx(expected)


def test_title_may_end_with_a_nul():
    exif = read_exif(jpeg_with_exif(xp_title="Tittel\x00"))
    assert exif.xp_title == "Tittel"
    assert exif.xp_title_written == "Tittel\x00"


@pytest.mark.parametrize(
    "raw",
    [
        "<a>ø</a>".encode(),
        (BOM + "<a>ø</a>").encode(),
        (BOM + "<a>ø</a>").encode() + b"\x00",
        "<a>ø</a>".encode("utf-16"),
        b"\xfe\xff" + "<a>ø</a>".encode("utf-16-be"),
        "<a>ø</a>".encode("cp1252"),
    ],
)
def test_xml_is_text_with_a_mark_or_without(raw):
    assert xml_text(raw) == "<a>ø</a>"


def test_xml_that_is_too_long_is_none():
    assert xml_text(b"<a>" + b"x" * 2**18 + b"</a>") is None
    assert xml_text(b"\x00\x00") is None


def test_standard_tags_have_names_and_no_people():
    exif = read_exif(
        jpeg_with_exif(
            make="Maker",
            driver=DRIVER,
            ifd0={ARTIST: (ASCII, "Kari Kunstner")},
            exif={EXPOSURE_TIME: (RATIONAL, [(1, 60)]), USER_COMMENT: (UNDEFINED, b"ASCII\x00\x00\x00Hei Ola")},
        )
    )
    found = exif.standard()
    assert found["Image Make"] == "Maker"
    assert found["EXIF ExposureTime"] == "1/60"
    assert not any(name in str(found) for name in ("Kari", "Ola", DRIVER))
    assert set(exif.personal) == {"Kari Kunstner", "Hei Ola"}


@pytest.mark.parametrize(("order", "coding"), [(">", "utf-16-be"), ("<", "utf-16-le")])
def test_a_users_comment_may_be_unicode(order, coding):
    comment = b"UNICODE\x00" + "Hilsen Åse".encode(coding)
    assert read_exif(jpeg_with_exif(order=order, exif={USER_COMMENT: (UNDEFINED, comment)})).personal == ("Hilsen Åse",)


@pytest.mark.parametrize("order", ["<", ">"])
def test_entries_survive_being_written_anew(order):
    exif = read_exif(jpeg_with_exif(order=order, orientation=3, make="M", driver=DRIVER, gps=True)).tiff
    again = read_tiff(write_tiff(exif.image, exif.photo, exif.gps))
    assert (again.image, again.photo, again.gps) == (exif.image, exif.photo, exif.gps)
    assert read_tiff(write_tiff({})).image == {}
    text = Exif(read_tiff(write_tiff({IMAGE_PROPERTIES: xml_entry("<a/>", exif.image[274])})))
    assert text.image_properties == "<a/>"


def test_entries_of_both_orders_cannot_be_mixed():
    with pytest.raises(ValueError, match="byte orders"):
        write_tiff({274: new_entry(SHORT, [1], ">"), 271: new_entry(ASCII, "x", "<")})


def test_new_entries_are_what_they_say():
    assert new_entry(ASCII, "Åse", ">").text == "Åse"
    assert new_entry(RATIONAL, [1, 3], "<").numbers == ((1, 3),)
    assert new_entry(BYTE, b"\x01\x02", "<").numbers == (1, 2)
    assert Entry(ASCII, b"N \x00", ">").numbers == ()


def read_all(exif):
    """Ask for everything that an EXIF block may hold."""
    assert 1 <= exif.orientation <= 8
    assert exif.position is None or exif.position.lat is None or abs(exif.position.lat) <= 90
    return (exif.camera, exif.taken, exif.xp_title, exif.image_properties, exif.reflink, exif.personal, exif.standard())


@h(max_examples=40)
@given(block=st.binary(max_size=200), order=st.sampled_from([b"MM\x00*\x00\x00\x00\x08", b"II*\x00\x08\x00\x00\x00"]))
def test_any_block_is_read_without_an_error(block, order):
    read_all(read_exif(wrapped(order + block)))


_FULL = tiff(
    {
        274: (SHORT, [6]),
        XP_TITLE: (BYTE, "Tittel".encode("utf-16-le")),
        IMAGE_PROPERTIES: (BYTE, b"\xef\xbb\xbf<ImageProperties/>"),
    },
    exif={36867: (ASCII, "2020:06:02 09:42:46"), MAKER_NOTE: (UNDEFINED, b"x" * 20)},
    gps=GPS,
)


@h(max_examples=60)
@given(changes=st.lists(st.tuples(st.integers(0, len(_FULL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_change_of_a_whole_block_is_read_without_an_error(changes):
    block = bytearray(_FULL)
    for at, value in changes:
        block[at] = value
    read_all(read_exif(wrapped(bytes(block))))


@h(max_examples=40)
@given(cut=st.integers(0, 3000))
def test_a_cut_file_is_read_without_an_error(cut):
    read_all(read_exif(jpeg_with_exif(driver=DRIVER, gps=True)[:cut]))
