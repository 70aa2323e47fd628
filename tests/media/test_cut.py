"""Cuts play in every browser and show exactly what was asked for."""

import hashlib
import io
from pathlib import Path

import av
import numpy as np
import pytest
from tests.media.clips import T0, Move, make_clip, truncate

from wayside.core.errors import ConfigError, VideoError
from wayside.media import cut as module
from wayside.media.cut import cut
from wayside.media.frames import frames, pictures
from wayside.media.probe import VideoLimits, probe


def shown(data: bytes) -> dict[int, np.ndarray]:
    return {frame.offset_us: frame.image for frame in frames(io.BytesIO(data), fps=None, start_at=T0)}


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return float(np.abs(one.astype(int) - other).mean()) < 6


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mp4", "libx265"), ("a.ts", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx-vp9")],
)
def test_a_piece_shows_its_time_and_no_more(tmp_path: Path, name: str, codec: str):
    move = Move("red", (0.1, 0.5), (0.9, 0.5))
    path = make_clip(tmp_path / name, seconds=5, codec=codec, moves=(move,), audio=name == "a.mp4")
    data = cut(path, 1.3, 3.05)
    found = probe(io.BytesIO(data), VideoLimits())
    assert (found.codec, found.audio, found.width, found.height) == ("h264", False, 160, 120)
    assert found.duration_s == pytest.approx(1.75, abs=0.001)
    every = {frame.offset_us: frame.image for frame in frames(path, fps=None, start_at=T0)}
    pieces = shown(data)
    assert list(pieces) == list(range(0, 1_750_000, 100_000))
    assert all(alike(image, every[1_300_000 + at]) for at, image in pieces.items())
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
    assert data.find(b"moov") < data.find(b"mdat")


def test_a_piece_opens_with_what_is_shown_then(tmp_path: Path):
    path = make_clip(tmp_path / "v.mp4", seconds=4, vfr=True, moves=(Move("red", (0.1, 0.5), (0.9, 0.5)),))
    data = cut(path, 1.35, 2.1)
    pieces = shown(data)
    assert list(pieces) == [0, 150_000, 450_000, 650_000]
    assert alike(pieces[0], pictures(path, [1_200_000])[1_200_000])
    assert probe(io.BytesIO(data), VideoLimits()).duration_s == pytest.approx(0.75, abs=0.001)


def test_large_pictures_shrink_small_ones_do_not_grow_and_portrait_stays_upright(tmp_path: Path):
    large = make_clip(tmp_path / "l.mp4", seconds=0.4, size=(402, 300))
    for height, size in ((100, (134, 100)), (301, (402, 300)), (480, (402, 300))):
        found = probe(io.BytesIO(cut(large, 0, 0.4, height=height)), VideoLimits())
        assert (found.width, found.height) == size
    portrait = make_clip(tmp_path / "p.mp4", seconds=0.4, size=(160, 96), rotation=90)
    found = probe(io.BytesIO(cut(portrait, 0, 0.4, height=80)), VideoLimits())
    assert (found.width, found.height, found.rotation) == (48, 80, 0)


def test_the_same_piece_has_the_same_bytes(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=3, size=(320, 240))
    assert len({hashlib.sha256(cut(path, 0.5, 2.5)).hexdigest() for _ in range(4)}) == 1


def test_the_end_of_a_video_is_where_a_piece_ends(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=3)
    assert probe(io.BytesIO(cut(path, 2.5, 60)), VideoLimits()).duration_s == pytest.approx(0.5, abs=0.001)
    with pytest.raises(VideoError) as refused:
        cut(path, 3.0, 4.0)
    assert refused.value.reason == "nothing_there"
    truncate(path, 0.6)
    assert 0.3 < probe(io.BytesIO(cut(path, 1, 3)), VideoLimits()).duration_s < 1.2


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 2), (0, 121), (0, float("nan"))])
def test_pieces_have_a_length_within_bounds(tmp_path: Path, start: float, end: float):
    with pytest.raises(ConfigError, match="cannot cut"):
        cut(tmp_path / "a.mp4", start, end)


def test_without_an_encoder_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "a.mp4", seconds=0.5)
    module._encoder.cache_clear()
    monkeypatch.setattr(module, "_ENCODERS", ("h264_none", "h264_neither"))
    try:
        with pytest.raises(VideoError) as refused:
            cut(path, 0, 0.5)
        assert refused.value.reason == "no_encoder"
        monkeypatch.setattr(module, "_ENCODERS", ("h264_none", "libx264"))
        assert module._encoder() == "libx264"
    finally:
        module._encoder.cache_clear()
