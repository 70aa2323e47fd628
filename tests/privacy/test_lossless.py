"""Coefficients outside the mask stay bit for bit; inside, nothing of the original is left."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.privacy.jpegs import KINDS, Mask, blot, by_opencv, cmyk, encoded, loaded, painted, pixels, scene, with_frame

from wayside.core.errors import ImageError
from wayside.privacy.coefficients import LosslessImpossible, read
from wayside.privacy.jpegfile import SOS, parse
from wayside.privacy.lossless import edit_lossless, expected, touched
from wayside.vision.decode import Image

SIZES = ((64, 96), (61, 83), (17, 131), (8, 8), (1, 1))


def proved(data: bytes, mask: Mask, filled: Image) -> bytes:
    """Edit, and hold the result to the promise: equal outside the touched blocks, computed from the fill inside."""
    output = edit_lossless(data, mask, filled)
    before, after = (read(one, (mask.shape[0], mask.shape[1])) for one in (data, output))
    assert after.file.frame.components == before.file.frame.components
    assert after.colour == before.colour
    for number, (old, new) in enumerate(zip(before.planes, after.planes, strict=True)):
        where = touched(mask, old)
        assert np.array_equal(new.blocks[~where], old.blocks[~where])
        assert np.array_equal(new.blocks[where], expected(filled, before, number, where))
        assert np.array_equal(new.table, old.table)
        assert (new.across, new.down) == (old.across, old.down)
        # A block is touched exactly if a pixel that it covers is masked.
        assert where.sum() == len({(y // 8 // old.down, x // 8 // old.across) for y, x in np.argwhere(mask)})
    return output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_coefficients_outside_the_mask_are_equal(kind: str, size: tuple[int, int]) -> None:
    image = scene(*size)
    height, width = size
    data = KINDS[kind](image)
    for mask in (
        blot(height, width),
        blot(height, width, (width // 3, height // 4, width // 2 + 1, height // 2 + 1)),
        blot(height, width, (width - 1, height - 1, width, height), (0, 0, 1, 1)),
        blot(height, width, (0, 0, width, height)),
    ):
        filled = painted(pixels(data), mask)
        output = proved(data, mask, filled)
        assert pixels(output).shape == (height, width, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen(kind: str) -> None:
    """Unmasked pixels look as before except beside the mask, masked ones as they were filled."""
    data = KINDS[kind](scene(96, 128))
    mask = blot(96, 128, (40, 30, 81, 70))
    before = pixels(data)
    filled = painted(before, mask)
    after = pixels(edit_lossless(data, mask, filled))
    far = ~cv2.dilate(mask.view(np.uint8), np.ones((75, 75), np.uint8)).astype(bool)
    assert far.any()
    assert np.array_equal(after[far], before[far])
    inner = cv2.erode(mask.view(np.uint8), np.ones((17, 17), np.uint8), borderValue=0).astype(bool)
    wanted = np.full(3, 0.114 * 40 + 0.587 * 90 + 0.299 * 200) if "grey" in kind else np.array((40, 90, 200))
    assert inner.any()
    # A chroma block of 4:1:1 covers 32 x 8 pixels, so that an edge far away still rings here.
    assert np.abs(after[inner] - wanted).max() < (16 if kind == "4:1:1" else 4)
    assert np.abs(after[mask] - wanted).mean() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_original_is_left_under_the_mask(kind: str) -> None:
    """Two pictures that differ only under the mask come out as the same bytes."""
    mask = blot(64, 96, (17, 9, 55, 40))
    first = scene(64, 96)
    second = first.copy()
    second[mask] = scene(64, 96, seed=99)[mask]
    filled = painted(pixels(KINDS[kind](first)), mask)
    outputs = [parse(edit_lossless(KINDS[kind](image), mask, filled)) for image in (first, second)]
    assert KINDS[kind](first) != KINDS[kind](second)
    assert outputs[0] == outputs[1]


@hypothesis_settings(max_examples=40)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    corners=st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=3),
    seed=st.integers(0, 9),
)
def test_any_size_and_mask(
    kind: str, height: int, width: int, corners: list[tuple[float, float, float, float]], seed: int
) -> None:
    places = [(int(a * width), int(b * height), int(c * width) + 1, int(d * height) + 1) for a, b, c, d in corners]
    mask = blot(height, width, *places)
    proved(KINDS[kind](scene(height, width, seed)), mask, scene(height, width, seed + 100))


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_keeps_its_size(kind: str) -> None:
    """Edited with its own pixels, a file is as large as before; a progressive one, now in one pass, a bit larger."""
    data = KINDS[kind](scene(240, 320))
    mask = blot(240, 320, (100, 100, 160, 180))
    output = edit_lossless(data, mask, pixels(data))
    allowed = 0.08 if "progressive" in kind else 0.02
    assert abs(len(output) / len(data) - 1) < allowed


def test_a_real_photo(data: Path) -> None:
    photo = (data / "road-photos" / "Fy06_Ev134_hp05_f1_m03173.jpg").read_bytes()
    image = pixels(photo)
    mask = blot(*image.shape[:2], (1000, 400, 1220, 523))
    proved(photo, mask, painted(image, mask))
    assert abs(len(edit_lossless(photo, mask, image)) / len(photo) - 1) < 0.02


def test_restart_markers_and_scans_are_written_in_one_pass() -> None:
    image = scene(64, 96)
    mask = blot(64, 96, (8, 8, 30, 30))
    for kind in ("restart markers", "progressive"):
        file = parse(edit_lossless(KINDS[kind](image), mask, painted(image, mask)))
        assert file.frame.process == 0xC0
        assert [one.marker for one in file.segments].count(SOS) == 1
        assert 0xDD not in {one.marker for one in file.segments}


def test_metadata_do_not_come_along() -> None:
    image = scene(48, 64)
    mask = blot(48, 64, (8, 8, 30, 30))
    output = edit_lossless(loaded(image), mask, painted(image, mask))
    assert {one.marker for one in parse(output).segments} == {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    assert b"Kari" not in output


def arithmetic() -> bytes:
    return with_frame(by_opencv(scene(16, 16)), marker=0xC9)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (cv2.imencode(".png", scene(16, 16))[1].tobytes(), "not_jpeg"),
        (cmyk(scene(16, 16)), "cmyk"),
        (arithmetic(), "arithmetic"),
        (with_frame(by_opencv(scene(16, 16)), marker=0xC3), "lossless_jpeg"),
        (with_frame(by_opencv(scene(16, 16)), marker=0xC5), "hierarchical"),
        (with_frame(by_opencv(scene(16, 16)), precision=12), "twelve_bit"),
        (by_opencv(scene(16, 17)), "size"),
        (with_frame(by_opencv(scene(16, 16)), size=(16, 65_501)), "size"),
        (encoded(scene(16, 16)).replace(b"\x01\x22\x00\x02\x11", b"\x01\x31\x00\x02\x21", 1), "sampling"),
        (encoded(scene(16, 16)).replace(b"\x02\x11\x01\x03", b"\x01\x11\x01\x03", 1), "header"),
        (by_opencv(scene(16, 16)).replace(b"\xff\xc4\x00\x1f\x00", b"\xff\xc4\x00\x1f\x70", 1), "header"),
        (by_opencv(scene(16, 16)).replace(b"\xff\xdb\x00\x43\x00", b"\xff\xdb\x00\x43\x05", 1), "header"),
    ],
    ids=[
        "png", "cmyk", "arithmetic", "lossless", "hierarchical", "12 bit", "size", "too wide", "sampling", "twins",
        "huffman", "tables",
    ],
)  # fmt: skip
def test_what_cannot_be_edited_says_why(data: bytes, reason: str) -> None:
    mask = blot(16, 16, (2, 2, 9, 9))
    with pytest.raises(LosslessImpossible) as caught:
        edit_lossless(data, mask, scene(16, 16))
    assert caught.value.reason == reason
    assert len(str(caught.value)) > 10


def test_a_missing_table_is_no_crash() -> None:
    data = by_opencv(scene(16, 16))
    at = data.index(b"\xff\xdb")
    with pytest.raises(LosslessImpossible) as caught:
        edit_lossless(data[:at] + data[at + 69 :], blot(16, 16), scene(16, 16))
    assert caught.value.reason == "coefficients"


def test_a_zero_in_a_table_is_no_division() -> None:
    data = by_opencv(scene(16, 16))
    at = data.index(b"\xff\xdb") + 5
    with pytest.raises(LosslessImpossible) as caught:
        edit_lossless(data[:at] + b"\x00" + data[at + 1 :], blot(16, 16), scene(16, 16))
    assert caught.value.reason == "header"


@hypothesis_settings(max_examples=150)
@given(
    kind=st.sampled_from(["4:2:0", "progressive", "restart markers", "grey"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=4),
)
def test_broken_files_are_errors_and_never_the_end_of_the_process(
    kind: str, changes: list[tuple[float, bytes, int]]
) -> None:
    data = KINDS[kind](scene(24, 40))
    for place, new, gone in changes:
        at = 2 + int(place * (len(data) - 2))
        data = data[:at] + new + data[at + gone :]
    mask = blot(24, 40, (8, 8, 20, 20))
    try:
        output = edit_lossless(data, mask, scene(24, 40, 3))
    except ImageError:
        return
    assert pixels(output).shape == (24, 40, 3)


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(kind, seed) for seed in range(4) for kind in sorted(KINDS)]

    def edited(job: tuple[str, int]) -> bytes:
        image = scene(96, 120, job[1])
        mask = blot(96, 120, (10, 20, 60, 50))
        return edit_lossless(KINDS[job[0]](image), mask, painted(image, mask))

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(edited, jobs))
    assert together == [edited(job) for job in jobs]


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def test_no_file_is_left_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    image = scene(48, 64)
    mask = blot(48, 64, (8, 8, 30, 30))
    data, filled = by_opencv(image), painted(image, mask)
    before = descriptors()
    in_memory = edit_lossless(data, mask, filled)
    assert descriptors() == before
    monkeypatch.delattr(os, "memfd_create", raising=False)
    on_disk = edit_lossless(data, mask, filled)
    assert in_memory == on_disk
    assert list(tmp_path.iterdir()) == []
