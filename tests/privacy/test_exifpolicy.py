"""What the metadata of an anonymised picture hold: what the policy names, in the form it must have, no more."""

import io

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from tests.metadata.support import (
    ASCII,
    BYTE,
    CAR,
    DRIVER,
    RATIONAL,
    REMARK,
    SHORT,
    UNDEFINED,
    add_segments,
    gradient,
    image_properties_xml,
    jpeg_with_exif,
    norway2_xml,
)
from tests.privacy.jpegs import PREVIEW, by_opencv, loaded

from wayside.metadata.exif import read_exif
from wayside.metadata.tiff import read_tiff
from wayside.privacy.exifpolicy import kept_exif
from wayside.privacy.jpegfile import build, colour_of, parse
from wayside.privacy.settings import ExifPolicy

ALL = ExifPolicy(time="keep", position="keep", heading="keep", camera="keep", road="keep")
TIMES = {
    36867: (ASCII, "2020:06:02 09:42:46"), 36868: (ASCII, "2020:06:02 09:42:47"), 36881: (ASCII, "+02:00"),
    37521: (ASCII, "394"),
}  # fmt: skip
CAMERA = {33434: (RATIONAL, [(1, 250)]), 34855: (SHORT, [200]), 42036: (ASCII, "8 mm"), 42033: (ASCII, "SN-4711")}


def photo(**options: object) -> bytes:
    """A picture with everything the policy speaks of, and what it must never keep."""
    planted = {"image_properties": image_properties_xml(), "reflink": norway2_xml(), "exif": {**TIMES, **CAMERA}}
    planted["exif"] |= {37500: (UNDEFINED, b"maker" + PREVIEW)}
    planted["ifd0"] = {306: (ASCII, "2020:06:02 10:00:00"), 305: (ASCII, "ViaPhoto"), 315: (ASCII, DRIVER)}
    return loaded(gradient(), **{**planted, **options})


def kept(policy: ExifPolicy, data: bytes | None = None, orientation: int = 1) -> tuple[dict, dict, dict]:
    tiff = read_tiff(kept_exif(photo() if data is None else data, policy, orientation=orientation))
    return dict(tiff.image), dict(tiff.photo), dict(tiff.gps)


def test_by_default_nothing_stays() -> None:
    assert kept_exif(photo(), ExifPolicy()) == b""
    image, others, gps = kept(ExifPolicy(), orientation=6)
    assert {tag: entry.numbers for tag, entry in image.items()} == {274: (6,)}
    assert not others
    assert not gps


def test_all_that_a_policy_can_keep() -> None:
    image, others, gps = kept(ALL, orientation=3)
    assert set(image) == {271, 272, 274, 306, 40055, 40056}
    assert set(others) == {33434, 34855, 36864, 36867, 36868, 36881, 37521, 42036}
    assert set(gps) == {0, 1, 2, 3, 4, 5, 6, 12, 13, 17}
    assert others[36867].text == "2020:06:02 09:42:46"
    original = read_exif(photo())
    again = read_exif(with_block(kept_exif(photo(), ALL)))
    assert again.taken == original.taken
    assert again.position == original.position
    assert again.camera == original.camera


def with_block(block: bytes) -> bytes:
    plain = parse(by_opencv(gradient()))
    return build(plain, colour_of(plain), exif=block)


def test_other_readers_agree() -> None:
    opened = Pillow.open(io.BytesIO(with_block(kept_exif(photo(), ALL, orientation=8)))).getexif()
    assert opened[274] == 8
    assert opened[271] == "Basler"
    assert opened.get_ifd(34665)[36867] == "2020:06:02 09:42:46"
    assert opened.get_ifd(34853)[1] == "N"
    assert opened.get_ifd(34853)[2][:2] == (61.0, 12.0)


def test_rounded() -> None:
    image, others, gps = kept(ExifPolicy(time="round", position="round", position_decimals=2))
    assert image[306].text == "2020:06:02 10:00:00"
    assert others[36867].text == "2020:06:02 09:00:00"
    assert set(others) == {36864, 36867, 36868, 36881}
    assert set(gps) == {0, 1, 2, 3, 4}
    assert gps[2].numbers == ((6121, 100), (0, 1), (0, 1))
    assert gps[4].numbers == ((657, 100), (0, 1), (0, 1))
    (_, _, whole) = kept(ExifPolicy(position="round", position_decimals=0))
    assert whole[2].numbers[0] == (61, 1)


def test_the_time_of_the_satellites_follows_the_time() -> None:
    gps = {7: (RATIONAL, [(7, 1), (42, 1), (46, 1)]), 29: (ASCII, "2020:06:02")}
    data = photo(gps=gps)
    assert set(kept(ExifPolicy(time="keep"), data)[2]) == {0, 7, 29}
    assert not kept(ExifPolicy(time="round", position="keep", heading="keep"), data)[2]


@pytest.mark.parametrize("group", ["time", "position", "heading", "camera", "road"])
def test_each_group_is_kept_by_itself(group: str) -> None:
    image, others, gps = kept(ExifPolicy(**{group: "keep"}))
    tags = (set(image), set(others) - {36864}, set(gps) - {0})
    assert (
        tags
        == {
            "time": ({306}, {36867, 36868, 36881, 37521}, set()),
            "position": (set(), set(), {1, 2, 3, 4}),
            "heading": (set(), set(), {5, 6, 12, 13, 17}),
            "camera": ({271, 272}, {33434, 34855, 42036}, set()),
            "road": ({40055, 40056}, set(), set()),
        }[group]
    )


def test_road_xml_holds_no_people_and_follows_time_and_place() -> None:
    block = kept_exif(photo(), ExifPolicy(road="keep"))
    for planted in (DRIVER, CAR, REMARK, "61°12", "61.2147", "6.5663", "2020", "09:42", "302.29", "ViaPPS", "48.85"):
        assert planted.encode() not in block
    assert b"FV00013_S1D1_m00014_f1.jpg" in block
    assert b"384067" in block
    exif = read_exif(with_block(kept_exif(photo(), ExifPolicy(road="keep", time="round", position="round"))))
    assert 'Date="2020-06-02T09:00:00"' in str(exif.image_properties)
    assert "<dLatitude>61.215</dLatitude>" in str(exif.image_properties)
    assert "<Latitude></Latitude>" in str(exif.image_properties)  # it was degrees in words
    assert "<Longitude>6.566</Longitude>" in str(exif.reflink)
    full = read_exif(with_block(kept_exif(photo(), ALL)))
    assert "2020-06-02T09:42:46.3948628" in str(full.image_properties)
    assert "61.214710343813685" in str(full.reflink)
    assert DRIVER not in str(full.image_properties)


def test_road_xml_that_cannot_be_read_is_left_out() -> None:
    for text in ("<ImageProperties><Driver>Kari", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "Kari"):
        assert 40055 not in kept(ALL, photo(image_properties=text))[0]


def test_values_of_the_wrong_form_are_left_out() -> None:
    long = "x" * 65
    data = photo(
        make="Kari\x01", model=long,
        gps={1: (ASCII, "N"), 2: (RATIONAL, [(61, 1)]), 3: (ASCII, "E"), 4: (RATIONAL, [(6, 1)] * 3)},
        exif={
            36867: (ASCII, "tomorrow, by Kari"), 36881: (ASCII, "Kari"), 37521: (ASCII, "12a"), 42036: (ASCII, long),
            33434: (RATIONAL, [(1, 2)] * 500), 34855: (ASCII, "Kari"), 37386: (UNDEFINED, PREVIEW),
        },
        ifd0={306: (BYTE, PREVIEW)},
    )  # fmt: skip
    image, others, gps = kept(ALL, data)
    assert set(image) == {40055, 40056}
    assert DRIVER.encode() not in image[40055].raw
    assert not others
    assert not gps
    for reference, degrees in (("X", [(61, 1), (0, 1), (0, 1)]), ("N", [(91, 1), (0, 1), (0, 1)]), ("N", [(1, 0)] * 3)):
        odd = {1: (ASCII, reference), 2: (RATIONAL, degrees), 3: (ASCII, "E"), 4: (RATIONAL, [(6, 1)] * 3)}
        assert not kept(ALL, photo(gps=odd))[2]


@hypothesis_settings(max_examples=60)
@given(block=st.binary(max_size=300), head=st.sampled_from([b"", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0"]))
def test_no_block_makes_it_stumble(block: bytes, head: bytes) -> None:
    data = add_segments(by_opencv(gradient(16, 16)), [(0xE1, b"Exif\0\0" + head + block)])
    written = kept_exif(data, ALL, orientation=2)
    assert read_tiff(written).image[274].numbers == (2,)
    assert len(written) < 2000


def test_other_formats_keep_nothing() -> None:
    assert kept_exif(b"\x89PNG\r\n\x1a\n", ALL) == b""
    assert kept_exif(jpeg_with_exif(with_exif=False), ALL) == b""
