"""Frames come upright, in order, at the instants of the clock on the wall, with the times that the container gives."""

import io
import zlib
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.clips import T0, Move, make_clip, truncate

from wayside.core.errors import ConfigError, VideoError
from wayside.media.frames import Whole, frames, pictures
from wayside.media.probe import VideoLimits

CORNER = Move("red", (0.1, 0.1), (0.1, 0.1), size=(0.2, 0.2))


def offsets(file: Path | io.BytesIO, fps: float | None = None, **rest: float) -> list[int]:
    return [frame.offset_us for frame in frames(file, fps=fps, start_at=T0, **rest)]


def red(image: np.ndarray) -> tuple[int, int]:
    """Return the row and column of the middle of what is red, in tenths of the picture."""
    is_red = (image[..., 2] > 150) & (image[..., 1] < 90)
    rows, columns = np.nonzero(is_red)
    return round(10 * rows.mean() / image.shape[0]), round(10 * columns.mean() / image.shape[1])


@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [
        ("a.mp4", "libx264", 0),
        ("b.mp4", "libx264", 2),
        ("a.mkv", "libx264", 2),
        ("a.ts", "libx265", 2),
        ("a.avi", "mpeg4", 0),
        ("b.avi", "libx264", 0),
    ],
)
def test_times_are_counted_from_the_first_frame(tmp_path: Path, name: str, codec: str, b_frames: int):
    first_s = 0.0 if name.endswith("avi") else 2.5
    path = make_clip(tmp_path / name, seconds=1.2, codec=codec, b_frames=b_frames, first_pts_s=first_s)
    assert offsets(path) == [100_000 * number for number in range(12)]
    found = list(frames(path, fps=None, start_at=T0))
    assert [frame.index for frame in found] == list(range(12))
    assert all(frame.image.shape == (120, 160, 3) and frame.image.dtype == np.uint8 for frame in found)


def test_uneven_frames_keep_their_times(tmp_path: Path):
    path = make_clip(tmp_path / "v.mp4", seconds=2, fps=10, vfr=True)
    assert offsets(path) == [*range(0, 1_000_001 - 1, 100_000), 1_200_000, 1_500_000, 1_800_000]
    assert offsets(path, fps=4) == [0, 300_000, 500_000, 800_000, 1_200_000, 1_500_000, 1_800_000]


@settings(max_examples=40, deadline=None)
@given(
    fps=st.sampled_from([1, 2, 3, 5, 7.5, 29.97]),
    rate=st.sampled_from([10, 12.5, 25, 29.97]),
    lengths=st.lists(st.integers(1, 90), min_size=1, max_size=5),
    late_us=st.integers(0, 999_999),
)
def test_a_video_cut_anywhere_gives_the_same_instants(fps: float, rate: float, lengths: list[int], late_us: int):
    """The rule itself, on times without pictures: cutting files for each example would take too long."""
    from fractions import Fraction

    from wayside.media.frames import _is_due

    times = [round(number * 1_000_000 / rate) + late_us for number in range(sum(lengths))]
    usual = round(1_000_000 / rate)
    chosen = Fraction(fps).limit_denominator(1_000_000)

    def picked(part: list[int]) -> list[int]:
        begin = part[0]
        before = [-usual, *(at - begin for at in part)]
        return [at for was, at in zip(before, part, strict=False) if _is_due(begin + was, at, chosen)]

    parts, begin = [], 0
    for length in lengths:
        parts += picked(times[begin : begin + length])
        begin += length
    assert parts == picked(times)


def test_pieces_of_one_video_give_its_instants(tmp_path: Path):
    whole = make_clip(tmp_path / "w.mp4", seconds=3, fps=10)
    rest = make_clip(tmp_path / "r.mp4", seconds=1.7, fps=10)
    instants = [T0 + timedelta(microseconds=at) for at in offsets(whole, fps=3)]
    begin = T0 + timedelta(seconds=1.3)
    later = [begin + timedelta(microseconds=frame.offset_us) for frame in frames(rest, fps=3, start_at=begin)]
    assert later == [at for at in instants if at >= begin]
    assert len(instants) == 9


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_are_upright(tmp_path: Path, rotation: int):
    path = make_clip(tmp_path / "r.mp4", seconds=0.3, size=(160, 96), moves=(CORNER,), rotation=rotation)
    (first, *_) = frames(path, fps=None, start_at=T0)
    assert first.image.shape == ((96, 160, 3) if rotation % 180 == 0 else (160, 96, 3))
    assert red(first.image) == {0: (1, 1), 90: (1, 9), 180: (9, 9), 270: (9, 1)}[rotation]
    assert first.image.flags.c_contiguous


def test_mirrored_pictures_are_set_right(tmp_path: Path):
    data = bytearray(make_clip(tmp_path / "r.mp4", seconds=0.3, moves=(CORNER,), rotation=180).read_bytes())
    at = data.find(b"tkhd") + 4 + 40
    assert int.from_bytes(data[at : at + 4], "big", signed=True) == -65536
    data[at + 16 : at + 20] = (65536).to_bytes(4, "big")  # left and right change sides, top and bottom do not
    (first, *_) = frames(io.BytesIO(bytes(data)), fps=None, start_at=T0)
    assert red(first.image) == (1, 9)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_part_is_the_same_as_in_the_whole(tmp_path: Path, name: str):
    move = Move("blue", (0.1, 0.5), (0.9, 0.5))
    path = make_clip(tmp_path / name, seconds=4, moves=(move,), b_frames=2, first_pts_s=1.0)
    every = {frame.offset_us: frame.image for frame in frames(path, fps=None, start_at=T0)}
    part = {frame.offset_us: frame.image for frame in frames(path, fps=None, start_at=T0, start_s=2.35, end_s=3.2)}
    assert list(part) == list(range(2_400_000, 3_200_000, 100_000))
    assert all(np.array_equal(part[at], every[at]) for at in part)


def test_pictures_of_some_times(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=26, fps=2, size=(64, 48), gop=8)
    every = {frame.offset_us: frame.image for frame in frames(path, fps=None, start_at=T0)}
    found = pictures(path, [0, 700_000, 25_500_000, 25_000_000, 1_000_000, 99_000_000])
    shown = {0: 0, 700_000: 500_000, 1_000_000: 1_000_000, 25_000_000: 25_000_000, 25_500_000: 25_500_000}
    assert set(found) == {*shown, 99_000_000}
    assert all(np.array_equal(found[at], every[real]) for at, real in shown.items())
    assert np.array_equal(found[99_000_000], every[25_500_000])
    assert pictures(path, []) == {}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_file_that_was_cut_off_gives_what_is_there_and_then_says_so(tmp_path: Path, name: str):
    path = truncate(make_clip(tmp_path / name, seconds=4))
    with pytest.raises(VideoError) as broken:
        list(frames(path, fps=None, start_at=T0))
    assert broken.value.reason == "broken_off"
    whole = Whole(frames(path, fps=None, start_at=T0))
    kept = [frame.offset_us for frame in whole]
    assert kept == [100_000 * number for number in range(len(kept))]
    assert 15 <= len(kept) <= 25
    assert whole.error is not None
    assert whole.error.reason == "broken_off"
    near_end = pictures(path, [0, kept[-1], 3_900_000])
    assert {0, kept[-1]} <= set(near_end)


def test_damage_in_the_middle_leaves_the_rest(tmp_path: Path):
    data = bytearray(make_clip(tmp_path / "a.ts", seconds=4).read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 3 * 188] = bytes(3 * 188)
    whole = Whole(frames(io.BytesIO(bytes(data)), fps=None, start_at=T0))
    kept = [frame.offset_us for frame in whole]
    assert 25 <= len(kept) < 40
    assert kept[-1] == 3_900_000
    assert whole.error is not None
    assert whole.error.reason == "damaged"


def test_a_damaged_file_is_always_read_the_same(tmp_path: Path):
    data = bytearray(make_clip(tmp_path / "a.ts", seconds=4, b_frames=2, moves=(CORNER,)).read_bytes())
    dice = np.random.default_rng(7)
    for at in dice.integers(2000, len(data), 30):
        data[at] ^= 0x55

    def read() -> tuple[list[tuple[int, int]], str | None]:
        whole = Whole(frames(io.BytesIO(bytes(data)), fps=None, start_at=T0))
        found = [(frame.offset_us, zlib.crc32(frame.image.tobytes())) for frame in whole]
        return found, whole.error and whole.error.reason

    first = read()
    assert first[1] is not None
    assert 0 < len(first[0]) < 40
    assert all(read() == first for _ in range(5))


def test_nothing_that_can_be_shown_is_an_error(tmp_path: Path):
    data = bytearray(make_clip(tmp_path / "a.mp4", seconds=1).read_bytes())
    begin = data.find(b"mdat") + 4
    data[begin:] = bytes(len(data) - begin)
    for look in (
        lambda: list(frames(io.BytesIO(bytes(data)), fps=1, start_at=T0)),
        lambda: list(Whole(frames(io.BytesIO(bytes(data)), fps=1, start_at=T0))),
        lambda: pictures(io.BytesIO(bytes(data)), [0]),
    ):
        with pytest.raises(VideoError) as refused:
            look()
        assert refused.value.reason == "no_frames"


def test_what_makes_no_sense_is_refused(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=0.3)
    for fps in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(ConfigError, match="pictures a second"):
            list(frames(path, fps=fps, start_at=T0))
    with pytest.raises(ConfigError, match="time zone"):
        list(frames(path, fps=1, start_at=T0.replace(tzinfo=None)))


def test_stopping_early_closes_the_file(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=2)
    with path.open("rb") as file:
        for frame in frames(file, fps=None, start_at=T0, limits=VideoLimits()):
            assert frame.index == 0
            break
        file.seek(0)
        assert len(list(frames(file, fps=None, start_at=T0))) == 20
