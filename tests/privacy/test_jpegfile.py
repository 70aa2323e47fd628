"""Segments: limits, lies, and that nothing gets into a new file that is not on the list."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.metadata.support import add_segments, segment
from tests.privacy.jpegs import KINDS, PREVIEW, blot, loaded, painted, pixels, scene, with_frame

from wayside.core.errors import ImageError
from wayside.privacy.jpegfile import (
    APP0,
    APP1,
    APP2,
    APP14,
    EXIF,
    MAX_SCANS,
    MAX_SEGMENTS,
    Colour,
    build,
    colour_of,
    icc_of,
    parse,
)
from wayside.privacy.lossless import edit_lossless

PLAIN = KINDS["4:2:0"](scene(40, 56))


def reason(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        parse(data)
    assert str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_built_anew_with_the_same_picture(kind: str) -> None:
    data = KINDS[kind](scene(40, 56))
    file = parse(data)
    again = build(file, colour_of(file))
    assert (pixels(again) == pixels(data)).all()
    assert parse(again).frame == file.frame
    assert not file.trailer


def test_nothing_is_taken_over_that_is_not_asked_for() -> None:
    data = loaded(scene(40, 56))
    file = parse(data)
    assert file.trailer
    assert PREVIEW in data
    again = build(file, colour_of(file))
    assert {one.marker for one in parse(again).segments} == {APP0, 0xDB, 0xC0, 0xC4, 0xDA}
    assert (pixels(again) == pixels(data)).all()
    for planted in (PREVIEW, b"Kari", b"Exif", b"http", b"MPF", b"Ringte", b"Trailer"):
        assert planted not in again


def test_the_thumbnail_of_jfif_goes_and_its_density_stays() -> None:
    head = b"JFIF\0\x01\x02" + struct.pack(">BHHBB", 1, 300, 200, 2, 2) + bytes(range(12))
    data = PLAIN[:2] + segment(APP0, head) + PLAIN[4 + int.from_bytes(PLAIN[4:6], "big") :]
    file = parse(data)
    assert colour_of(file) == Colour((1, 300, 200), None)
    (kept,) = [one.payload for one in parse(build(file, colour_of(file))).segments if one.marker == APP0]
    assert kept == b"JFIF\0\x01\x01" + struct.pack(">BHHBB", 1, 300, 200, 0, 0)


def test_metadata_that_are_given_are_written() -> None:
    profile = bytes(range(256)) * 600
    written = build(parse(PLAIN), Colour(None, 1), exif=b"MM\0*block", icc=profile)
    file = parse(written)
    assert [one.marker for one in file.segments[:5]] == [APP1, APP2, APP2, APP2, APP14]
    assert file.payloads(APP1, EXIF) == [b"MM\0*block"]
    assert icc_of(file) == profile
    assert colour_of(file) == Colour(None, 1)
    with pytest.raises(ImageError, match="70000 bytes"):
        build(parse(PLAIN), Colour(None, None), exif=bytes(70_000))


def test_a_profile_in_pieces_is_whole_or_nothing() -> None:
    def chunk(number: int, count: int, text: bytes) -> tuple[int, bytes]:
        return APP2, b"ICC_PROFILE\0" + bytes((number, count)) + text

    assert icc_of(parse(add_segments(PLAIN, [chunk(2, 2, b"later"), chunk(1, 2, b"first")]))) == b"firstlater"
    for chunks in ([(1, 2)], [(1, 2), (1, 2)], [(0, 1)], [(1, 1), (2, 2)], [(1, 3), (3, 3)]):
        assert icc_of(parse(add_segments(PLAIN, [chunk(*each, b"part") for each in chunks]))) == b""


def test_fill_bytes_and_bare_markers_are_skipped() -> None:
    at = PLAIN.index(b"\xff\xdb")
    padded = PLAIN[:at] + b"\xff\xff\xff" + PLAIN[at : at + 1] + b"\x01" + PLAIN[at:-2] + b"\xff\xff" + PLAIN[-2:]
    file = parse(padded)
    assert file.segments == parse(PLAIN).segments
    assert (pixels(build(file, colour_of(file))) == pixels(PLAIN)).all()


def test_lies_are_named() -> None:
    at = PLAIN.index(b"\xff\xc0")
    frame = PLAIN[at : at + 19]
    assert reason(b"") == "not_an_image"
    assert reason(b"\x89PNG\r\n\x1a\n") == "not_an_image"
    assert reason(PLAIN[:2] + b"\xff\xe1\x00\x01" + PLAIN[2:]) == "undecodable"
    assert reason(PLAIN[:2] + b"\xff\xe1\xff\xff" + PLAIN[2:]) == "truncated"
    assert reason(PLAIN[:2] + b"\xff\xd8" + PLAIN[2:]) == "undecodable"
    assert reason(PLAIN[:at] + b"stray" + PLAIN[at:]) == "undecodable"
    assert reason(PLAIN[:at] + frame + PLAIN[at:]) == "undecodable"
    assert reason(PLAIN[:at] + PLAIN[at + 19 :]) == "undecodable"
    assert reason(PLAIN[: PLAIN.index(b"\xff\xda")] + b"\xff\xd9") == "undecodable"
    assert reason(with_frame(PLAIN, size=(0, 40))) == "undecodable"
    assert reason(PLAIN[: at + 9] + b"\x09" + PLAIN[at + 10 :]) == "undecodable"
    assert reason(PLAIN[: at + 11] + b"\x51" + PLAIN[at + 12 :]) == "undecodable"
    assert reason(PLAIN[:-2]) == "truncated"
    assert reason(PLAIN[:2] + segment(0xFE, b"x") * (MAX_SEGMENTS + 1) + PLAIN[2:]) == "undecodable"
    scan = PLAIN[PLAIN.index(b"\xff\xda") : -2]
    assert reason(PLAIN[:-2] + scan * MAX_SCANS + PLAIN[-2:]) == "undecodable"


def test_a_header_of_a_billion_pixels_costs_nothing() -> None:
    data = with_frame(PLAIN, size=(65_535, 65_535))
    assert (parse(data).frame.height, parse(data).frame.width) == (65_535, 65_535)
    mask = blot(40, 56, (0, 0, 8, 8))
    with pytest.raises(ImageError, match="65535"):
        edit_lossless(data, mask, painted(scene(40, 56), mask))


@given(cut=st.integers(0, len(PLAIN) - 3))
def test_a_cut_file_is_refused(cut: int) -> None:
    assert reason(PLAIN[:cut]) in {"truncated", "not_an_image"}


@hypothesis_settings(max_examples=300)
@given(
    base=st.sampled_from([PLAIN, KINDS["progressive"](scene(24, 24)), loaded(scene(24, 24))]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12), st.integers(0, 12)), min_size=1, max_size=5),
)
def test_no_bytes_make_it_stumble(base: bytes, changes: list[tuple[float, bytes, int]]) -> None:
    data = base
    for place, new, gone in changes:
        at = 2 + int(place * (len(data) - 2))
        data = data[:at] + new + data[at + gone :]
    try:
        file = parse(data)
    except ImageError:
        assert reason(data) in {"not_an_image", "truncated", "undecodable"}
        return
    again = build(file, colour_of(file))
    assert len(again) <= len(data) + 32
    kept = [one for one in parse(again).segments if one.marker not in {APP0, APP14}]
    order = [file.segments.index(one) for one in kept]
    assert all(before <= after for before, after in pairwise(order))
    assert sum(len(one.written()) for one in file.segments) <= len(data)


@given(data=st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff"):
        with pytest.raises(ImageError):
            parse(head + data)
