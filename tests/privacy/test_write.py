"""The anonymised file: orientation, formats, fall-back with a reason, and that nothing planted comes through."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from tests.metadata.support import SHORT, add_segments, jpeg_with_exif, tiff
from tests.privacy.jpegs import (
    KINDS,
    PREVIEW,
    blot,
    by_opencv,
    cmyk,
    encoded,
    loaded,
    painted,
    pixels,
    scene,
    with_frame,
)

from wayside.core.errors import ImageError
from wayside.metadata.exif import read_exif
from wayside.privacy.coefficients import read
from wayside.privacy.jpegfile import MAX_SEGMENTS, parse
from wayside.privacy.leaks import scan
from wayside.privacy.lossless import touched
from wayside.privacy.orientation import as_stored, orientation_of, upright
from wayside.privacy.settings import ExifPolicy, Output
from wayside.privacy.write import Written, write_output
from wayside.vision.decode import decode

LOSSLESS = Output()
AGAIN = Output(mode="reencode", quality=95)
NEVER = (
    PREVIEW[-150:],
    b"Kari",
    b"Ringte",
    b"SN-4711",
    b"MakerNote",
    b"ViaPhoto",
    b"xmpmeta",
    b"MPF",
    b"Trailer",
    b"ZZ 12",
)


def anonymised(data: bytes, output: Output = LOSSLESS, seed: int = 3) -> tuple[Written, np.ndarray, np.ndarray]:
    """Hide a part off the middle of the upright picture, and write."""
    image = decode(data).image
    height, width = image.shape[:2]
    mask = blot(height, width, (width // 8, height // 5, width // 2, height // 2))
    filled = painted(image, mask, (seed * 20, 120, 200))
    return write_output(data, filled, mask, output), filled, mask


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("size", [(48, 80), (37, 59)], ids=str)
def test_orientation_is_honoured_once(turn: int, size: tuple[int, int]) -> None:
    data = jpeg_with_exif(scene(*size), orientation=turn, gps=True, driver="Kari")
    for output in (LOSSLESS, AGAIN):
        written, filled, mask = anonymised(data, output)
        shown = decode(written.data).image
        assert shown.shape == filled.shape
        inner = cv2.erode(mask.view(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        assert np.abs(shown[inner].astype(int) - filled[inner]).max() < 25
        assert np.abs(shown.astype(int) - filled).mean() < 5
        kept = read_exif(written.data)
        if output.mode == "lossless":
            assert written.mode == "lossless"
            assert kept.orientation == turn
            assert kept.present == (turn != 1)
            before, after = read(data, size), read(written.data, size)
            where = touched(np.ascontiguousarray(as_stored(mask, turn)), before.planes[0])
            assert np.array_equal(before.planes[0].blocks[~where], after.planes[0].blocks[~where])
            assert 0 < where.sum() < where.size
        else:
            assert not kept.present
            assert pixels(written.data, stored=True).shape == filled.shape
        assert scan(written.data, original=data, mask=mask, filled=filled, policy=output.exif) == ()


def test_turning_and_turning_back() -> None:
    image = scene(5, 9)
    for turn in range(1, 9):
        data = encoded(scene(16, 24))
        data = add_segments(data, [(0xE1, b"Exif\0\0" + tiff({274: (SHORT, [turn])}))])
        assert orientation_of(data) == turn
        assert np.array_equal(upright(pixels(data, stored=True), turn), pixels(data))
        assert np.array_equal(as_stored(upright(image, turn), turn), image)


ODD = {
    "nine": [tiff({274: (SHORT, [9])})],
    "zero": [tiff({274: (SHORT, [0])})],
    "long": [tiff({274: (4, [6])})],
    "byte": [tiff({274: (1, [6])})],
    "two values": [tiff({274: (SHORT, [6, 3])})],
    "two blocks": [tiff({274: (SHORT, [6])}), tiff({274: (SHORT, [3])})],
    "in the thumbnail": [tiff({}, ifd1={274: (SHORT, [8])})],
    "cut": [tiff({274: (SHORT, [6])})[:20]],
    "intel": [tiff({274: (SHORT, [5])}, order="<")],
    "nonsense": [b"MM\0*\xff\xff\xff\xff"],
    "empty": [b""],
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_orientation_is_what_the_decoder_makes_of_it(odd: str) -> None:
    data = add_segments(encoded(scene(48, 80)), [(0xE1, b"Exif\0\0" + block) for block in ODD[odd]])
    assert np.array_equal(upright(pixels(data, stored=True), orientation_of(data)), pixels(data))
    written, filled, mask = anonymised(data)
    assert written.mode == "lossless"
    assert scan(written.data, original=data, mask=mask, filled=filled, policy=LOSSLESS.exif) == ()


@pytest.mark.parametrize("mode", ["lossless", "reencode"])
@pytest.mark.parametrize("policy", [ExifPolicy(), ExifPolicy(time="keep", heading="keep", camera="keep", road="keep")])
def test_nothing_planted_survives(mode: str, policy: ExifPolicy) -> None:
    data = loaded(scene(64, 96))
    for planted in NEVER[:2]:
        assert planted in data
    written, filled, mask = anonymised(data, Output(mode=mode, exif=policy))
    for planted in NEVER:
        assert planted not in written.data
    assert not read_exif(written.data).tiff.gps.keys() & {1, 2, 3, 4}
    texts = ["Kari Testsjåfør", "ZZ 12345", "Ringte Ola på vei inn"]
    assert scan(written.data, original=data, mask=mask, filled=filled, texts=texts, policy=policy) == ()
    markers = {one.marker for one in parse(written.data).segments}
    assert markers <= {0xE0, 0xE1, 0xDB, 0xC0, 0xC4, 0xDA}
    assert written.data.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["lossless", "reencode"])
def test_every_kind_of_jpeg_passes_the_scan(kind: str, mode: str) -> None:
    data = KINDS[kind](scene(61, 83))
    written, filled, mask = anonymised(data, Output(mode=mode, quality=85))
    assert (written.mode, written.mode_reason) == (mode, None)
    assert scan(written.data, original=data, mask=mask, filled=filled) == ()
    assert len(parse(written.data).frame.components) == (1 if "grey" in kind else 3)


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
@pytest.mark.parametrize("subsampling", ["keep", "4:4:4", "4:2:2", "4:2:0"])
def test_encoding_anew_is_accepted_at_any_quality(quality: int, subsampling: str) -> None:
    data = KINDS["4:2:2"](scene(64, 96))
    output = Output(mode="reencode", quality=quality, subsampling=subsampling)
    written, filled, mask = anonymised(data, output)
    assert scan(written.data, original=data, mask=mask, filled=filled) == ()
    first, second = parse(written.data).frame.components[:2]
    factors = {"keep": (2, 1), "4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}[subsampling]
    assert (first.horizontal // second.horizontal, first.vertical // second.vertical) == factors


def test_other_formats_are_encoded_anew_and_say_why() -> None:
    image = scene(48, 64)
    deep = cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes()
    for data, word in (
        (cv2.imencode(".png", image)[1].tobytes(), "no JPEG"),
        (deep, "no JPEG"),
        (cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes(), "no JPEG"),
        (cmyk(image), "CMYK"),
    ):
        written, filled, mask = anonymised(data)
        assert written.mode == "reencode"
        assert word in str(written.mode_reason)
        assert scan(written.data, original=data, mask=mask, filled=filled) == ()
        assert np.abs(decode(written.data).image.astype(int) - filled).mean() < 6
        assert parse(written.data).frame.process == 0xC0
    assert np.abs(decode(deep).image.astype(int) - image).max() <= 1


def test_profiles_of_colour() -> None:
    body = bytearray(struct.pack(">I", 300) + bytes(296))
    body[16:20], body[36:40] = b"RGB ", b"acsp"
    profile = bytes(body)
    image = scene(48, 64)
    stream = io.BytesIO()
    Pillow.fromarray(image).save(stream, "PNG", icc_profile=profile)
    drop = ExifPolicy(icc="drop")
    for data in (jpeg_with_exif(image, icc=profile), stream.getvalue()):
        assert profile in anonymised(data)[0].data or data.startswith(b"\x89PNG")
        assert b"ICC_PROFILE" in anonymised(data)[0].data
        assert b"ICC_PROFILE" not in anonymised(data, Output(exif=drop))[0].data
    grey = KINDS["grey"](image)
    odd = [profile[:16] + b"CMYK" + profile[20:], profile + b"more", profile[:200] + PREVIEW + bytes(300)]
    for one in odd:
        assert b"ICC_PROFILE" not in anonymised(jpeg_with_exif(image, icc=one))[0].data
    assert b"ICC_PROFILE" not in anonymised(jpeg_with_exif(jpeg=grey, icc=profile))[0].data


def test_the_same_input_gives_the_same_bytes() -> None:
    data = loaded(scene(48, 64), orientation=6)
    for output in (LOSSLESS, AGAIN):
        assert anonymised(data, output)[0] == anonymised(data, output)[0]


def test_what_only_a_lenient_decoder_reads_is_encoded_anew() -> None:
    image = scene(48, 64)
    data = add_segments(jpeg_with_exif(image, make="Basler"), [(0xFE, b"x")] * (MAX_SEGMENTS + 1))
    written, filled, mask = anonymised(data)
    assert written.mode == "reencode"
    assert "segments" in str(written.mode_reason)
    assert scan(written.data, original=data, mask=mask, filled=filled, policy=LOSSLESS.exif) == ()


def test_a_picture_of_another_size_is_encoded_as_it_was_looked_at() -> None:
    whole = by_opencv(scene(48, 64))
    for data, word in ((whole, "64 x 48"), (whole[:-30], "breaks off"), (with_frame(whole, size=(0, 64)), "64 x 0")):
        written = write_output(data, scene(40, 64), blot(40, 64, (3, 3, 20, 20)), LOSSLESS)
        assert written.mode == "reencode"
        assert word in str(written.mode_reason)
        assert pixels(written.data).shape == (40, 64, 3)


def test_what_cannot_be_written_has_a_reason() -> None:
    image, mask = scene(48, 64), blot(48, 64, (3, 3, 20, 20))
    with pytest.raises(ValueError, match="mask"):
        write_output(by_opencv(image), image, mask[1:], LOSSLESS)
    long = np.zeros((1, 65_501, 3), np.uint8)
    with pytest.raises(ImageError, match="65501"):
        write_output(cv2.imencode(".png", long)[1].tobytes(), long, np.zeros((1, 65_501), np.bool_), LOSSLESS)


def test_a_picture_with_nothing_to_hide_loses_its_metadata_all_the_same() -> None:
    data = loaded(scene(48, 64))
    image = decode(data).image
    written = write_output(data, image, blot(48, 64), LOSSLESS)
    assert written.mode == "lossless"
    assert np.array_equal(decode(written.data).image, image)
    assert scan(written.data, original=data, mask=blot(48, 64), filled=image, policy=LOSSLESS.exif) == ()


def test_real_photos(data: Path) -> None:
    for number in ("03173", "03192"):
        photo = (data / "road-photos" / f"Fy06_Ev134_hp05_f1_m{number}.jpg").read_bytes()
        written, filled, mask = anonymised(photo)
        assert written.mode == "lossless"
        texts = read_exif(photo).personal
        assert scan(written.data, original=photo, mask=mask, filled=filled, texts=texts, policy=LOSSLESS.exif) == ()
        assert len(written.data) < len(photo)
