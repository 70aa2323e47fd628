"""One decoder: limits, poison, orientation, reduced sizes."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.core.settings import Settings
from wayside.vision.decode import Limits, check, decode, encode_jpeg, shrink

LIMITS = Limits(2**22, 4_000_000)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def with_orientation(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    """Put an EXIF block with an orientation behind the start of a JPEG."""
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 2)
    tiff += struct.pack(order + "HHII", 0x010F, 2, 1, 0)
    tiff += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack(order + "I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def reason(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, limits=limits)
    assert str(caught.value)
    return caught.value.reason


def test_full_decode_gives_the_pixels_of_opencv(jpeg: bytes) -> None:
    picture = decode(jpeg)
    expected = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(picture.image, expected)
    assert (picture.width, picture.height, picture.format) == (352, 288, "jpeg")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_other_formats(street: NDArray[np.uint8], suffix: str) -> None:
    lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    data = cv2.imencode(suffix, street, lossless)[1].tobytes()
    picture = decode(data, limits=LIMITS)
    assert np.array_equal(picture.image, street)
    assert picture.format == suffix[1:]
    assert reason(data[:-40]) == "truncated"


def test_lossy_and_extended_webp(street: NDArray[np.uint8]) -> None:
    data = cv2.imencode(".webp", street, [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()
    assert decode(data, limits=LIMITS).width == 352
    extended = b"VP8X" + struct.pack("<IB3x", 10, 0) + (351).to_bytes(3, "little") + (287).to_bytes(3, "little")
    body = b"WEBP" + extended + data[12:]
    picture = decode(b"RIFF" + struct.pack("<I", len(body)) + body, limits=LIMITS)
    assert (picture.width, picture.height) == (352, 288)
    assert reason(b"RIFF" + struct.pack("<I", 20) + b"WEBPXXXX" + bytes(20)) == "undecodable"


def test_grey_becomes_three_channels(street: NDArray[np.uint8]) -> None:
    picture = decode(encode_jpeg(street[..., 0]))
    assert picture.image.shape == (288, 352, 3)
    assert np.array_equal(picture.image[..., 0], picture.image[..., 2])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"this is not an image", "not_an_image"),
        (b"<html><body>503 Service Unavailable</body></html>", "not_an_image"),
        (b"GIF89a" + bytes(100), "not_an_image"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff\xd9", "undecodable"),
        (b"\xff\xd8\xff\xe0\x00\x04ab12345678", "undecodable"),
        (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "undecodable"),
        (png_header(20_000, 20_000), "too_many_pixels"),
        (png_header(0, 10), "undecodable"),
        (png_header(10, 10), "undecodable"),
        (png_header(10, 10).replace(b"IHDR", b"IHDX"), "undecodable"),
    ],
)
def test_poison(data: bytes, expected: str) -> None:
    assert reason(data) == expected


def test_limits(jpeg: bytes) -> None:
    assert reason(jpeg, Limits(len(jpeg) - 1, 10**9)) == "too_many_bytes"
    assert reason(jpeg, Limits(len(jpeg), 352 * 288 - 1)) == "too_many_pixels"
    assert decode(jpeg, limits=Limits(len(jpeg), 352 * 288)).width == 352
    assert Limits.of(Settings(max_image_bytes=7, max_image_pixels=9)) == Limits(7, 9)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    rows = zlib.compress(bytes(3 * 60_000 + 1) * 50, 9)
    bomb = (
        png_header(60_000, 60_000)[:33]
        + struct.pack(">I", len(rows))
        + b"IDAT"
        + rows
        + b"\0\0\0\0\0\0\0\0IEND\0\0\0\0"
    )
    assert reason(bomb) == "too_many_pixels"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_a_cut_scan_is_refused(jpeg: bytes, share: float) -> None:
    assert reason(jpeg[: int(len(jpeg) * share)]) == "truncated"


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(jpeg: bytes) -> None:
    thumbnail = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0" + encode_jpeg(np.zeros((16, 16, 3), np.uint8))
    block = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert decode(jpeg[:2] + block + jpeg[2:], limits=LIMITS).width == 352
    assert reason(jpeg[:2] + block + jpeg[2:-500]) == "truncated"


def test_bytes_behind_the_end_and_fill_bytes_are_no_harm(jpeg: bytes) -> None:
    padded = jpeg[:2] + b"\xff\xff\xff" + jpeg[2:] + bytes(64)
    assert np.array_equal(decode(padded, limits=LIMITS).image, decode(jpeg).image)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(jpeg: bytes, orientation: int, order: str) -> None:
    plain = decode(jpeg).image
    turns = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: plain[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(plain),
    }
    picture = decode(with_orientation(jpeg, orientation, order))
    assert np.array_equal(picture.image, turns[orientation])
    assert (picture.width, picture.height) == turns[orientation].shape[1::-1]
    half = decode(with_orientation(jpeg, orientation, order), at_least=(100, 100))
    assert (half.width, half.height) == (picture.width, picture.height)
    assert half.image.shape == (picture.height // 2, picture.width // 2, 3)


def test_orientation_in_a_broken_block_is_ignored(jpeg: bytes) -> None:
    assert decode(with_orientation(jpeg, 99)).width == 352
    broken = b"Exif\0\0XX" + bytes(8)
    block = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    assert decode(jpeg[:2] + block + jpeg[2:]).width == 352


def test_pixels_win_where_a_second_block_contradicts_the_first(jpeg: bytes) -> None:
    """Our reader takes the last EXIF block, OpenCV may take the first: sizes must follow the pixels."""
    for first, second in ((6, 1), (1, 6)):
        for at_least in (None, (100, 100)):
            picture = decode(with_orientation(with_orientation(jpeg, first), second), at_least=at_least)
            scale = 2 if at_least else 1
            assert picture.image.shape[:2] == (picture.height // scale, picture.width // scale)


@pytest.mark.parametrize(
    ("at_least", "scale"),
    [((352, 288), 1), ((353, 10), 1), ((176, 144), 2), ((177, 100), 1), ((88, 72), 4), ((44, 36), 8), ((1, 1), 8)],
)
def test_reduced_decode_takes_the_smallest_size_that_is_enough(
    jpeg: bytes, at_least: tuple[int, int], scale: int
) -> None:
    picture = decode(jpeg, at_least=at_least)
    assert picture.image.shape == (288 // scale, 352 // scale, 3)
    assert (picture.width, picture.height) == (352, 288)


@given(width=st.integers(1, 70), height=st.integers(1, 70), need=st.integers(1, 40))
@hypothesis_settings(max_examples=40, deadline=None)
def test_odd_sizes_keep_their_full_size(width: int, height: int, need: int) -> None:
    data = encode_jpeg(np.full((height, width, 3), 90, np.uint8))
    picture = decode(data, at_least=(need, need))
    assert (picture.width, picture.height) == (width, height)
    assert picture.image.shape[0] >= min(need, height)
    assert picture.image.shape[1] >= min(need, width)


@given(st.binary(max_size=200))
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_bytes_are_a_picture_or_an_image_error(tail: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 "):
        with pytest.raises(ImageError):
            decode(head + tail, limits=LIMITS)


def test_opencvs_own_refusal_becomes_an_image_error(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("too large")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    assert reason(jpeg) == "undecodable"


def test_shrink(jpeg: bytes, street: NDArray[np.uint8]) -> None:
    assert shrink(jpeg, 352) is jpeg
    small = decode(shrink(jpeg, 100), limits=LIMITS)
    assert (small.width, small.height) == (100, 81)
    expected = cv2.resize(decode(jpeg).image, (100, 81), interpolation=cv2.INTER_AREA)
    assert np.abs(small.image.astype(int) - expected).mean() < 3
    upright = decode(shrink(with_orientation(jpeg, 6), 100))
    assert (upright.width, upright.height) == (81, 100)
    thin = decode(shrink(encode_jpeg(np.zeros((2, 900, 3), np.uint8)), 30))
    assert (thin.width, thin.height) == (30, 1)
    with pytest.raises(ImageError):
        shrink(b"no picture", 100)
    assert check(jpeg).complete
