"""The scanner finds whatever is planted into a clean file, and nothing in clean files."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.metadata.support import ASCII, GPS, LONG, RATIONAL, SHORT, UNDEFINED, add_segments, jpeg_with_exif, tiff
from tests.privacy.jpegs import KINDS, PREVIEW, XMP, blot, by_opencv, painted, pixels, scene

from wayside.privacy.fills import fill
from wayside.privacy.jpegfile import Segment, build, colour_of, parse
from wayside.privacy.leaks import COSMETIC, Leak, scan
from wayside.privacy.objects import Found, Masked
from wayside.privacy.settings import ExifPolicy, Fill, Output
from wayside.privacy.write import write_output

IMAGE = scene(160, 240)
MASK = blot(160, 240, (40, 50, 130, 110))
DATA = jpeg_with_exif(IMAGE, driver="Kari Testsjåfør", gps=True)
ORIGINAL = pixels(DATA)
FILLED = painted(ORIGINAL, MASK)
CLEAN = write_output(DATA, FILLED, MASK, Output()).data
TEXTS = ["Kari Testsjåfør", "ZZ 12345"]
DROP = ExifPolicy()


def kinds(output: bytes, policy: ExifPolicy | None = DROP) -> set[str]:
    found = scan(output, original=DATA, mask=MASK, filled=FILLED, texts=TEXTS, policy=policy)
    for leak in found:
        assert leak.detail
        assert "Kari" not in leak.detail
    return {leak.kind for leak in found}


def exif(*args: object, **options: object) -> tuple[int, bytes]:
    return 0xE1, b"Exif\0\0" + tiff(*args, **options)


def test_a_clean_file_has_no_leak() -> None:
    assert kinds(CLEAN) == set()


PLANTED = {
    "thumbnail in EXIF": ([exif({}, thumbnail=PREVIEW)], {"thumbnail", "embedded"}),
    "second directory": ([exif({}, ifd1={256: (SHORT, [1])})], {"thumbnail"}),
    "bytes behind the directories": ([(0xE1, exif({})[1] + b"more")], {"exif"}),
    "broken EXIF": ([(0xE1, b"Exif\0\0MM")], {"exif"}),
    "two EXIF blocks": ([exif({}), exif({})], {"exif"}),
    "thumbnail in JFIF": ([(0xE0, b"JFIF\0\x01\x01\0\0\1\0\1\1\1abc")], {"thumbnail"}),
    "thumbnail in JFXX": ([(0xE0, b"JFXX\0\x10" + PREVIEW)], {"thumbnail", "embedded"}),
    "XMP": ([(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP.encode())], {"xmp", "embedded"}),
    "extended XMP": ([(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40)], {"xmp"}),
    "MPF": ([(0xE2, b"MPF\0" + tiff({0xB000: (UNDEFINED, b"0100")}))], {"mpf", "embedded"}),
    "picture in a profile": ([(0xE2, b"ICC_PROFILE\0\1\1" + PREVIEW)], {"embedded"}),
    "Photoshop": ([(0xED, b"Photoshop 3.0\x008BIM\x04\x0c\0\0")], {"photoshop", "embedded"}),
    "comment": ([(0xFE, b"fine weather")], {"comment"}),
    "unknown segment": ([(0xE7, b"anything")], {"segment"}),
    "long Adobe segment": ([(0xEE, b"Adobe" + bytes(7) + b"x")], {"segment"}),
    "position": ([exif({}, gps=GPS)], {"gps"}),
    "unknown GPS tag": ([exif({}, gps={31: (RATIONAL, [(1, 1)])})], {"gps"}),
    "time": ([exif({}, exif={36867: (ASCII, "2020:06:02 09:42:46")})], {"time"}),
    "time of change": ([exif({306: (ASCII, "2020:06:02 09:42:46")})], {"time"}),
    "time of the satellites": ([exif({}, gps={29: (ASCII, "2020:06:02")})], {"time"}),
    "camera": ([exif({271: (ASCII, "Basler")})], {"camera"}),
    "maker note": ([exif({}, exif={37500: (UNDEFINED, b"anything")})], {"maker_note"}),
    "serial number": ([exif({}, exif={42033: (ASCII, "4711")})], {"exif"}),
    "user comment": ([exif({}, exif={37510: (UNDEFINED, b"ASCII\0\0\0hello")})], {"exif"}),
    "road": ([exif({40055: (1, b"<ImageProperties/>")})], {"road"}),
    "strip of pixels": ([exif({273: (LONG, [8]), 279: (LONG, [64])})], {"exif"}),
    "name": ([exif({315: (ASCII, "Kari Testsjåfør")})], {"exif", "text"}),
}


@pytest.mark.parametrize("what", PLANTED)
def test_whatever_is_planted_afterwards_is_found(what: str) -> None:
    segments, expected = PLANTED[what]
    planted = add_segments(CLEAN, segments)
    assert kinds(planted) == expected
    assert np.array_equal(pixels(planted), pixels(CLEAN))


def test_a_trailer_is_found() -> None:
    assert kinds(CLEAN + b"\0") == {"trailer"}
    assert kinds(CLEAN + PREVIEW) == {"trailer"}
    assert kinds(CLEAN + b"ftypmp42" + bytes(100)) == {"trailer"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_texts_are_found_in_every_encoding(encoding: str, change: type) -> None:
    text = change("Kari Testsjåfør").encode(encoding)
    assert "text" in kinds(add_segments(CLEAN, [(0xFE, b"?" + text + b"?")]))
    assert "text" in kinds(CLEAN + text)
    assert kinds(add_segments(CLEAN, [(0xFE, text[:-4])])) == {"comment"}


def test_a_short_text_is_looked_for_where_texts_can_be() -> None:
    scans = b"".join(one.scan for one in parse(CLEAN).segments)
    by_chance = next(scans[at : at + 3] for at in range(len(scans)) if scans[at : at + 3].isalnum()).decode("latin-1")
    assert scan(CLEAN, texts=[by_chance, "", " x "]) == ()
    assert [leak.kind for leak in scan(add_segments(CLEAN, [(0xFE, by_chance.encode())]), texts=[by_chance])] == [
        "comment",
        "text",
    ]


def test_a_policy_that_keeps_or_rounds() -> None:
    everything = ExifPolicy(time="keep", position="keep", heading="keep", camera="keep", road="keep")
    rounded = ExifPolicy(time="round", position="round", position_decimals=2)
    data = jpeg_with_exif(IMAGE, gps=True, make="Basler", ifd0={306: (ASCII, "2020:06:02 09:42:46")})
    outputs = {
        name: write_output(data, FILLED, MASK, Output(exif=policy)).data
        for name, policy in (("all", everything), ("rounded", rounded))
    }
    assert kinds(outputs["all"], everything) == kinds(outputs["rounded"], rounded) == set()
    assert kinds(outputs["all"], None) == set()
    assert kinds(outputs["all"], rounded) == {"time", "gps", "camera"}
    assert kinds(outputs["rounded"], ExifPolicy(time="round", position="round", position_decimals=1)) == {"gps"}
    assert kinds(outputs["rounded"]) == {"time", "gps"}
    profile = add_segments(CLEAN, [(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))])
    assert kinds(profile) == set()
    assert kinds(profile, ExifPolicy(icc="drop")) == {"icc"}


def test_a_file_that_cannot_be_read_is_a_leak() -> None:
    for broken in (b"", b"GIF89a", CLEAN[:-20], CLEAN[:200], CLEAN[:2] + b"\xff\xd8" + CLEAN[2:]):
        assert kinds(broken) == {"undecodable"}
    assert kinds(by_opencv(IMAGE[:-8])) == {"size"}


def test_pixels_that_were_not_masked_are_found() -> None:
    """The file shows the original, whole or in part, while a fill was promised."""
    assert kinds(by_opencv(IMAGE)) == {"mismatch"}
    part = FILLED.copy()
    part[60:68, 48:56] = ORIGINAL[60:68, 48:56]
    assert kinds(write_output(DATA, part, MASK, Output()).data) == {"mismatch"}
    moved = np.roll(MASK, 8, axis=1)
    assert kinds(write_output(DATA, painted(ORIGINAL, moved), moved, Output()).data) == {"mismatch"}
    mirrored = add_segments(CLEAN, [exif({274: (SHORT, [2])})])
    assert kinds(mirrored) == {"mismatch"}


def judged(filled: np.ndarray, mask: np.ndarray = MASK) -> set[str]:
    """Kinds of leaks of a file that shows just what was filled."""
    output = write_output(DATA, filled, mask, Output()).data
    return {leak.kind for leak in scan(output, original=ORIGINAL, mask=mask, filled=filled)}


def test_a_fill_that_left_the_original_is_found() -> None:
    assert judged(ORIGINAL) == {"pixels"}
    forgotten = FILLED.copy()
    forgotten[50:110, 90:130] = ORIGINAL[50:110, 90:130]
    assert judged(forgotten) == {"pixels"}
    assert judged(painted(ORIGINAL, MASK)) == set()


def test_lettering_on_a_flat_ground_that_was_forgotten_is_found() -> None:
    plate = np.full((160, 240, 3), 255, np.uint8)
    cv2.putText(plate, "ZZ 12345", (44, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1)
    found = scan(by_opencv(plate), original=plate, mask=MASK, filled=plate)
    assert "pixels" in {leak.kind for leak in found}


def test_without_the_fill_the_decoded_picture_is_judged() -> None:
    found = scan(by_opencv(ORIGINAL), original=DATA, mask=MASK)
    assert [leak.kind for leak in found] == ["pixels"]
    assert scan(CLEAN, original=DATA, mask=MASK) == ()
    blurred = np.where(MASK[..., None], cv2.blur(ORIGINAL, (9, 9)), ORIGINAL)
    assert [leak.kind for leak in scan(by_opencv(blurred), original=DATA, mask=MASK)] == [COSMETIC]


def masked(*boxes: tuple[int, int, int, int]) -> list[Masked]:
    labels = ("car", "person", "truck", "plate")
    return [
        Masked(
            Found(labels[number % 4], 0.5, box, None, "m"),
            ((box[0], box[1], np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)),),
        )
        for number, box in enumerate(boxes)
    ]


BOXES = ((40, 50, 130, 110), (120, 40, 150, 90), (10, 5, 34, 30), (180, 100, 239, 159), (200, 10, 206, 60))


@pytest.mark.parametrize("style", ["blur", "grey_blur", "normalised_grey_blur"])
@pytest.mark.parametrize("thousandths", [13, 30, 60, 120])
def test_blurs_are_cosmetic(style: str, thousandths: int) -> None:
    objects = masked(BOXES[0])
    filled = fill(ORIGINAL, objects, Fill(style=style, blur=thousandths), secret=b"s" * 32)
    # The two filters of the normalised blur are both 3 pixels here: their difference is flat.
    flat = style == "normalised_grey_blur" and thousandths == 13
    assert judged(filled) == (set() if flat else {COSMETIC})


@pytest.mark.parametrize(
    "style", [Fill(), Fill(by_class=True), Fill(style="mosaic"), Fill(style="mosaic", cell=16, noise=40)], ids=str
)
@pytest.mark.parametrize("seed", range(6))
def test_fills_that_hide_are_no_leak(style: Fill, seed: int) -> None:
    data = KINDS["4:2:0"](scene(160, 240, seed))
    original = pixels(data)
    filled = fill(original, masked(*BOXES), style, secret=bytes([seed]) * 32)
    mask = blot(160, 240, *BOXES)
    for output in (Output(), Output(mode="reencode", quality=80)):
        written = write_output(data, filled, mask, output).data
        assert scan(written, original=data, mask=mask, filled=filled) == ()


@pytest.mark.parametrize("at", [(48, 48), (40, 50)])
@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (100, 110, 91)])
def test_a_fill_of_the_colour_that_was_around_is_no_leak(ground: tuple[int, int, int], at: tuple[int, int]) -> None:
    image = np.full((96, 128, 3), ground, np.uint8)
    left, top = at
    image[top : top + 16, left : left + 24] = scene(16, 24)
    mask = np.zeros(image.shape[:2], np.bool_)
    mask[top - 6 : top + 22, left - 6 : left + 30] = True
    filled = image.copy()
    filled[mask] = ground
    done, encoded = cv2.imencode(".png", image)
    assert done
    output = write_output(encoded.tobytes(), filled, mask, Output()).data
    assert scan(output, original=image, mask=mask, filled=filled) == ()
    assert scan(output, original=image, mask=mask, filled=image) != ()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_pictures_of_a_single_line_are_judged(size: tuple[int, int]) -> None:
    image = scene(*size)
    mask = np.ones(size, np.bool_)
    filled = np.full_like(image, 7)
    done, encoded = cv2.imencode(".png", image)
    assert done
    assert scan(encoded.tobytes(), original=image, mask=mask, filled=filled)[0].kind == "undecodable", "no JPEG"
    output = write_output(encoded.tobytes(), filled, mask, Output()).data
    assert scan(output, original=image, mask=mask, filled=filled) == ()


def test_areas_without_texture_are_no_leak() -> None:
    """A mask on plain sky, filled with the sky's own colour, shows nothing."""
    sky = np.full((160, 240, 3), (230, 200, 180), np.uint8)
    data = by_opencv(sky)
    filled = fill(pixels(data), masked(*BOXES), Fill(), secret=b"s" * 32)
    mask = blot(160, 240, *BOXES)
    written = write_output(data, filled, mask, Output()).data
    assert scan(written, original=data, mask=mask, filled=filled) == ()


@hypothesis_settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    left=st.integers(0, 200),
    top=st.integers(0, 130),
    width=st.integers(24, 100),
    height=st.integers(24, 100),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_no_false_alarm_and_no_miss(seed: int, left: int, top: int, width: int, height: int, kind: str) -> None:
    box = (left, top, min(left + width, 240), min(top + height, 160))
    mask = blot(160, 240, box)
    data = KINDS[kind](scene(160, 240, seed))
    original = pixels(data)
    filled = fill(original, masked(box), Fill(), secret=b"s" * 32)
    written = write_output(data, filled, mask, Output()).data
    assert scan(written, original=original, mask=mask, filled=filled) == ()
    found = scan(data, original=original, mask=mask, filled=filled)
    assert "mismatch" in {leak.kind for leak in found}


def test_a_preview_that_is_hidden_in_the_coded_data_is_no_jpeg_any_more() -> None:
    file = parse(CLEAN)
    *others, last = file.segments
    stuffed = type(file)((*others, Segment(last.marker, last.payload, last.scan + PREVIEW)), file.frame, b"")
    assert kinds(build(stuffed, colour_of(file))) == {"undecodable"}


def test_leaks_are_values() -> None:
    assert Leak("trailer", "x") == Leak("trailer", "x")
