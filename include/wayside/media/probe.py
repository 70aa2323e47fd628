"""What a video is: measured where that is cheap, because containers are wrong about their length and their pictures."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import av
import numpy as np

from wayside.core.errors import StoreUnavailableError, VideoError
from wayside.media.container import Opened, VideoLimits, opened
from wayside.media.frames import MAX_FPS, shown, turned

__all__ = ["Hashes", "Probe", "VideoLimits", "hashes", "probe"]

_CHUNK: Final = 1 << 20
_ODD_SHARE: Final = 0.02  # of distances between pictures: more that are off make the video one of variable rate
_ODD_BY: Final = 0.1  # off by more than this share of the usual distance
_ODD_S: Final = 0.002  # and by more than this, in seconds, by which times are rounded
_SAME: Final = 0.01


@dataclass(frozen=True, slots=True)
class Probe:
    """What a video is.

    Attributes:
        duration_s: seconds from the first picture until the last one has been shown; of a file that was cut off, of
            the part that is there.
        fps: pictures a second, on average.
        variable_fps: whether they are not evenly spaced.
        frames: pictures, as the container says; None where it does not.
        width: pixels, upright.
        height: pixels, upright.
        rotation: degrees, clockwise, by which the container turns the coded picture: 0, 90, 180, 270.
        codec: FFmpeg's name of it: `h264`, `hevc`, ...
        audio: whether there is sound.
    """

    duration_s: float
    fps: float
    variable_fps: bool
    frames: int | None
    width: int
    height: int
    rotation: int
    codec: str
    audio: bool


@dataclass(frozen=True, slots=True)
class Hashes:
    """A file's hashes in hex, and its size in bytes."""

    sha256: str
    sha1: str
    bytes: int


def hashes(file: BinaryIO) -> Hashes:
    """Hash a file from its beginning, reading it once.

    Raises:
        StoreUnavailableError: it cannot be read for now.
    """
    sha256, sha1, number = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    try:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            sha1.update(chunk)
            number += len(chunk)
    except OSError as error:
        raise StoreUnavailableError(f"a file cannot be read on: {error.strerror or error}") from error
    return Hashes(sha256.hexdigest(), sha1.hexdigest(), number)


def probe(file: BinaryIO | Path, limits: VideoLimits) -> Probe:
    """Look at a video: its structure, its first picture and the times of all of them.

    An MP4 or AVI has these in its index; other files, and those that were cut off, are read through without decoding.

    Args:
        file: its path, or a seekable file that stays open.
        limits: what is refused.

    Raises:
        VideoError: `empty`, `too_many_bytes`, `not_a_video`, `truncated`, `no_video_stream`, `unsupported_codec`,
            `too_many_pixels`, `too_long`, `no_frames`.
        StoreUnavailableError: the file cannot be read for now.
    """
    picture = next(shown(file, limits))[2]
    with opened(file, limits) as video:
        stream = video.stream
        most = round(limits.max_seconds * MAX_FPS)
        times = np.sort(np.fromiter(islice(_times(video), most + 1), np.float64))
        if len(times) > most:
            raise VideoError("too_long", f"the video has more than {most} pictures")
        times = times[np.isfinite(times)]
        said_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        duration_s, fps, variable = _spacing(times, 0.0 if video.missing else said_s, stream.average_rate)
        if duration_s > limits.max_seconds:
            said = f"the video has {duration_s:.0f} seconds, over the limit of {limits.max_seconds:g}"
            raise VideoError("too_long", said)
        rotation, _ = turned(picture)
        size = (picture.width, picture.height)
        width, height = size if rotation % 180 == 0 else size[::-1]
        codec = stream.codec_context.codec.canonical_name
        audio = bool(video.container.streams.audio)
        return Probe(round(duration_s, 6), fps, variable, stream.frames or None, width, height, rotation, codec, audio)


def _times(video: Opened) -> Iterator[float]:
    """Yield the times of all pictures in seconds, in any order."""
    base = float(video.stream.time_base or Fraction(1, 1_000_000))
    index = video.stream.index_entries
    if index is not None and len(index) == video.stream.frames > 0 and not video.missing:
        yield from (entry.timestamp * base for entry in index if not entry.is_discard)
        return
    try:
        for packet in video.container.demux(video.stream):
            at = packet.pts if packet.pts is not None else packet.dts
            if at is not None and packet.size and not packet.is_corrupt:
                yield at * base
    except av.FFmpegError:  # the part that is there counts
        pass
    video.source.check()


def _spacing(
    times: np.ndarray[tuple[int], np.dtype[np.float64]], said_s: float, said: Fraction | None
) -> tuple[float, float, bool]:
    """Return duration in seconds, pictures a second, and whether they are not evenly spaced.

    Args:
        times: of the pictures, seconds, sorted.
        said_s: duration as the container says, which is taken where the last picture may well be shown for so long.
        said: pictures a second as the container says, which is taken where it agrees: it is no rounded number.
    """
    rate = float(said) if said else 25.0
    if len(times) < 2:
        return 1 / rate, rate, False
    steps = np.diff(times)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / rate
    lasted = float(times[-1] - times[0])
    duration_s = said_s if 0 < said_s - lasted <= steps.max() + usual else lasted + usual
    fps = len(times) / duration_s
    if said and abs(fps - rate) <= _SAME * rate:
        fps = rate
    odd = np.abs(steps - usual) > max(_ODD_BY * usual, _ODD_S)
    return duration_s, fps, bool(odd.mean() > _ODD_SHARE)
