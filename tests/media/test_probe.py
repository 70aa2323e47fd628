"""What a video is: measured, of any container; what is none is refused with a reason; hashes in one reading."""

import contextlib
import hashlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.clips import T0, make_clip, make_sound, truncate

from wayside.core.errors import StoreUnavailableError, VideoError
from wayside.core.settings import Settings
from wayside.media.container import opened
from wayside.media.frames import frames
from wayside.media.probe import Hashes, VideoLimits, hashes, probe

LIMITS = VideoLimits()


def refusal(file: io.BytesIO | Path, limits: VideoLimits = LIMITS) -> str:
    with pytest.raises(VideoError) as refused:
        probe(file, limits)
    return refused.value.reason


@pytest.mark.parametrize(
    ("name", "codec", "said"),
    [
        ("a.mp4", "libx264", "h264"),
        ("a.mp4", "libx265", "hevc"),
        ("a.mkv", "libx264", "h264"),
        ("a.webm", "libvpx-vp9", "vp9"),
        ("a.ts", "libx264", "h264"),
        ("a.ts", "libx265", "hevc"),
        ("a.avi", "mpeg4", "mpeg4"),
        ("a.avi", "mjpeg", "mjpeg"),
    ],
)
def test_every_container_says_what_it_holds(tmp_path: Path, name: str, codec: str, said: str):
    path = make_clip(tmp_path / name, seconds=1.5, fps=8, size=(160, 96), codec=codec, audio=name == "a.mp4")
    found = probe(path, LIMITS)
    assert (found.codec, found.width, found.height, found.rotation) == (said, 160, 96, 0)
    assert found.duration_s == pytest.approx(1.5, abs=0.002)
    assert found.fps == pytest.approx(8)
    assert not found.variable_fps
    assert found.audio == (name == "a.mp4")
    assert found.frames in ({12} if name.endswith(("mp4", "avi")) else {None})
    with path.open("rb") as file:
        assert probe(file, LIMITS) == found
        assert not file.closed


def test_uneven_frames_are_told_and_their_mean_rate(tmp_path: Path):
    found = probe(make_clip(tmp_path / "v.mp4", seconds=4, fps=12, vfr=True), LIMITS)
    assert found.variable_fps
    assert found.duration_s == pytest.approx(3.75 + 1 / 12, abs=0.001)
    assert found.fps == pytest.approx(32 / found.duration_s)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_frames_at_an_odd_rate_are_even(tmp_path: Path, b_frames: int):
    found = probe(make_clip(tmp_path / "n.mkv", seconds=2, fps=29.97, b_frames=b_frames), LIMITS)
    assert not found.variable_fps
    assert found.fps == pytest.approx(29.97, abs=0.01)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_sizes_are_those_of_the_upright_picture(tmp_path: Path, rotation: int):
    found = probe(make_clip(tmp_path / "r.mp4", seconds=0.5, size=(160, 96), rotation=rotation), LIMITS)
    assert found.rotation == rotation
    assert (found.width, found.height) == ((160, 96) if rotation == 180 else (96, 160))


def test_a_file_that_was_cut_off_has_the_length_of_what_is_there(tmp_path: Path):
    path = truncate(make_clip(tmp_path / "a.mp4", seconds=4))
    found = probe(path, LIMITS)
    assert found.frames == 40
    assert 1.5 < found.duration_s < 2.5


def test_a_length_that_the_container_tells_wrongly_is_measured(tmp_path: Path):
    data = bytearray(make_clip(tmp_path / "a.mkv", seconds=2).read_bytes())
    at = data.find(b"\x44\x89\x88")  # duration, a double
    assert at > 0
    data[at + 3 : at + 11] = bytes.fromhex("4190000000000000")
    assert probe(io.BytesIO(bytes(data)), LIMITS).duration_s == pytest.approx(2)


def test_what_is_no_video_is_refused_with_a_reason(tmp_path: Path):
    clip = make_clip(tmp_path / "a.mp4", seconds=1).read_bytes()
    late = make_clip(tmp_path / "b.mp4", seconds=1, front=False).read_bytes()
    playlist = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n" * 20
    assert refusal(io.BytesIO()) == "empty"
    assert refusal(io.BytesIO(b"hello, this is a text" * 50)) == "not_a_video"
    assert refusal(io.BytesIO(b"\xff\xd8\xff\xe0" + bytes(5000))) == "not_a_video"
    assert refusal(io.BytesIO(playlist)) == "not_a_video"
    assert refusal(io.BytesIO(b"ffconcat version 1.0\nfile /etc/passwd\n")) == "not_a_video"
    assert refusal(io.BytesIO(b"RIFF\x00\x10\x00\x00AVI " + playlist)) == "no_video_stream"
    assert refusal(io.BytesIO(late[: len(late) // 2])) == "truncated"
    assert refusal(io.BytesIO(clip[:300])) == "truncated"
    assert refusal(io.BytesIO(clip[: clip.find(b"mdat") + 8])) == "truncated"
    assert refusal(tmp_path / "none.mp4") == "unreadable"
    assert refusal(tmp_path) == "unreadable"


def test_sound_alone_and_odd_codecs_are_refused(tmp_path: Path):
    assert refusal(make_sound(tmp_path / "sound.mp4")) == "no_video_stream"
    assert refusal(make_clip(tmp_path / "raw.avi", seconds=0.5, codec="ffv1")) == "unsupported_codec"


def test_limits_hold(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=2)
    assert refusal(path, VideoLimits(max_bytes=1000)) == "too_many_bytes"
    assert refusal(path, VideoLimits(max_seconds=1.5)) == "too_long"
    assert refusal(path, VideoLimits(max_pixels=160 * 120 - 1)) == "too_many_pixels"
    stream = make_clip(tmp_path / "a.ts", seconds=2)
    assert refusal(stream, VideoLimits(max_pixels=160 * 120 - 1)) in {"too_many_pixels", "no_frames"}
    with pytest.raises(VideoError) as refused:
        list(frames(path, fps=2, start_at=T0, limits=VideoLimits(max_seconds=1)))
    assert refused.value.reason == "too_long"


def test_more_pictures_than_the_longest_video_has_are_too_many(tmp_path: Path):
    stream = make_clip(tmp_path / "a.mkv", seconds=2, fps=8, size=(64, 48))
    assert refusal(stream, VideoLimits(max_seconds=15 / 240)) == "too_long"


def test_a_few_bytes_that_claim_millions_of_pictures_are_not_believed(tmp_path: Path):
    path = make_clip(tmp_path / "a.mp4", seconds=1, fps=8, size=(64, 48))
    data, number = bytearray(path.read_bytes()), 15_000_000
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1, number)  # of one byte each
    struct.pack_into(">I", data, data.index(b"stts") + 12, number)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, number)
    path.write_bytes(data)
    with opened(path, LIMITS) as video:
        assert video.stream.frames == number
        assert len(video.stream.index_entries or ()) < number


def test_limits_are_those_of_the_settings():
    chosen = Settings(max_video_bytes=7, max_video_seconds=8, max_video_pixels=9)
    assert VideoLimits.of(chosen) == VideoLimits(7, 8, 9)


def test_hashes_are_those_of_the_standard_library(tmp_path: Path):
    data = bytes(range(256)) * 9000
    expected = Hashes(hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest(), len(data))
    file = io.BytesIO(data)
    file.seek(17)
    assert hashes(file) == expected


class Lost(io.BytesIO):
    """A share that goes away in the middle of a file."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20_000:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_share_that_is_lost_is_no_fault_of_the_video(tmp_path: Path):
    data = make_clip(tmp_path / "a.ts", seconds=8).read_bytes()
    assert len(data) > 100_000
    for look in (
        lambda: probe(Lost(data), LIMITS),
        lambda: list(frames(Lost(data), fps=None, start_at=T0)),
        lambda: hashes(Lost(data)),
    ):
        with pytest.raises(StoreUnavailableError):
            look()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("clips")
    kinds = {"a.mp4": "libx264", "b.mp4": "libx265", "c.ts": "libx264", "d.avi": "mpeg4", "e.mkv": "libx264"}
    return [
        make_clip(folder / name, seconds=0.5, size=(64, 48), codec=kind).read_bytes() for name, kind in kinds.items()
    ]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_bytes_give_a_video_or_a_typed_error(clips: list[bytes], data: st.DataObject):
    body = bytearray(data.draw(st.sampled_from(clips)))
    for _ in range(data.draw(st.integers(1, 12))):
        near = data.draw(st.sampled_from([600, len(body)]))
        body[data.draw(st.integers(0, near - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(1, len(body)))] if data.draw(st.booleans()) else body
    limits = VideoLimits(max_seconds=3600, max_pixels=500_000)
    for look in (probe, lambda file, limits: sum(1 for _ in frames(file, fps=None, start_at=T0, limits=limits))):
        with contextlib.suppress(VideoError):  # any other error fails the test
            look(io.BytesIO(bytes(body)), limits)
