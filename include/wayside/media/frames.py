"""The pictures of a video with their times, upright, in order.

Times are those of the container (presentation timestamps), in microseconds from the first picture on, so that videos
whose pictures are not evenly spaced keep their true times. Where a container has none, or has them go back, the usual
distance of its pictures fills in. Which pictures are looked at follows from the clock on the wall, not from where a
file begins: a video that was cut elsewhere gives the same instants.
"""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from wayside.core.errors import ConfigError, VideoError
from wayside.media.container import INDEXED, Opened, VideoLimits, opened, too_many_pixels

Image = NDArray[np.uint8]

DEFAULT_LIMITS: Final = VideoLimits()
MAX_FPS: Final = 240
"""Pictures a second that a video may have, on average over the longest one that is read."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_LATE_US: Final = 1_000  # a picture may come so much before an instant and still count as at it: times are rounded
_JUMP_US: Final = _SECOND  # times that go back by more begin a new count
_FAR_US: Final = 20 * _SECOND  # pictures further from each other than this are sought one by one


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One picture.

    Attributes:
        index: its number among those that were picked, from 0.
        offset_us: its time, microseconds from the first picture of the video.
        image: uint8 [H, W, 3], blue-green-red, upright.
    """

    index: int
    offset_us: int
    image: Image


class Whole(Iterable[Frame]):
    """Frames up to where the video breaks off, if it does; `error` then says why, once they are all read.

    Raises:
        VideoError: while reading, if not even one frame comes before the break.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.error: VideoError | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        any_came = False
        try:
            for frame in self._frames:
                any_came = True
                yield frame
        except VideoError as error:
            if not any_came:
                raise
            self.error = error


def frames(
    file: BinaryIO | Path,
    *,
    fps: float | None,
    start_at: datetime,
    limits: VideoLimits = DEFAULT_LIMITS,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> Generator[Frame, None, None]:
    """Yield the pictures of a video, all of them or those of regular instants.

    Args:
        file: its path, or a seekable file that stays open.
        fps: instants a second, counted from 1970 on; of each, the first picture at it or after it is given. None for
            every picture. A piece of video that is shorter than the time between instants may have none.
        start_at: when its first picture was taken.
        limits: what is refused.
        start_s: leave out what is before, in seconds from the first picture.
        end_s: leave out what is at this second and after it.

    Raises:
        VideoError: those of `opened`; `no_frames`, where not one picture can be shown; `too_long`; and, after all that
            can be shown was given, `broken_off` where the file ends too early and `damaged` where parts of it are.
        StoreUnavailableError: the file cannot be read for now.
        ConfigError: `fps` is not above 0, or `start_at` has no time zone.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise ConfigError(f"{fps} is no number of pictures a second")
    if start_at.tzinfo is None:
        raise ConfigError(f"{start_at} has no time zone")
    begin_us = (start_at - _EPOCH) // _MICROSECOND
    rate = None if fps is None else Fraction(fps).limit_denominator(1_000_000)
    first_us, end_us = round(start_s * _SECOND), None if end_s is None else round(end_s * _SECOND)
    number = 0
    with closing(shown(file, limits, from_us=first_us)) as pictures:
        for before_us, offset_us, picture in pictures:
            if end_us is not None and offset_us >= end_us:
                return
            if offset_us < first_us or not _is_due(begin_us + before_us, begin_us + offset_us, rate):
                continue
            yield Frame(number, offset_us, upright(picture))
            number += 1


def pictures(
    file: BinaryIO | Path, offsets_us: Iterable[int], *, limits: VideoLimits = DEFAULT_LIMITS
) -> dict[int, Image]:
    """Return the pictures that are shown at some times.

    Args:
        file: its path, or a seekable file that stays open.
        offsets_us: times in microseconds from the first picture on; before it, the first one is shown.
        limits: what is refused.

    Returns:
        For each time its picture, uint8 [H, W, 3], blue-green-red, upright; none for times in a part that was cut off.

    Raises:
        VideoError: those of `opened`; `no_frames`.
        StoreUnavailableError: the file cannot be read for now.
    """
    found: dict[int, Image] = {}
    for run in _runs(sorted(set(offsets_us))):
        found |= _shown_at(file, run, limits)
    return found


def shown(
    file: BinaryIO | Path, limits: VideoLimits, *, from_us: int = 0
) -> Generator[tuple[int, int, VideoFrame], None, None]:
    """Yield decoded pictures: the time of the one before, its own time, the picture.

    They begin with the first one, or with one before `from_us` where the format allows to seek. The time of the one
    before the first is what it would have been in a longer video.

    Raises:
        VideoError, StoreUnavailableError: as `frames` does.
    """
    with opened(file, limits) as video:
        sought = from_us > _SECOND and video.kind in INDEXED and _seek(video, from_us)
        pictures = _decoded(video, limits, sought=sought)
        first = next(pictures, None)
        if sought and (first is None or first[1] > from_us):  # the index leads astray
            _seek(video, 0)
            pictures = _decoded(video, limits, sought=False)
            first = next(pictures, None)
        if first is None:
            video.source.check()
            reason = "truncated" if video.missing else "no_frames"
            raise VideoError(reason, "not one picture of the video can be shown")
        yield first
        yield from pictures


def upright(picture: VideoFrame) -> Image:
    """Return a picture's pixels, turned and mirrored as its container says; uint8 [H, W, 3], blue-green-red."""
    image: Image = picture.to_ndarray(format="bgr24")  # type: ignore[assignment]
    rotation, mirrored = turned(picture)
    return turn(image, rotation, mirrored=mirrored)


def turn(image: Image, rotation: int, *, mirrored: bool) -> Image:
    """Mirror a picture, if so, and then turn it clockwise by 0, 90, 180 or 270 degrees."""
    if not rotation and not mirrored:
        return image
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, -rotation // 90))


def turned(picture: VideoFrame) -> tuple[int, bool]:
    """Return by how many degrees a picture has to be turned clockwise, 0 to 270, and whether it is mirrored before."""
    data: Any = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    mirrored = a * d - b * c < 0
    angle = math.degrees(math.atan2(b, a) if not mirrored else math.atan2(-b, -a))
    return round(angle / 90) % 4 * 90, mirrored


def _is_due(before_us: int, at_us: int, rate: Fraction | None) -> bool:
    """Tell whether one of the instants lies after the picture before, and not after this one."""
    if rate is None:
        return True
    turn = _SECOND * rate.denominator
    return (at_us + _LATE_US) * rate.numerator // turn > (before_us + _LATE_US) * rate.numerator // turn


def _runs(offsets: list[int]) -> Iterator[list[int]]:
    """Split sorted times where they are far from each other."""
    begin = 0
    for at in range(1, len(offsets) + 1):
        if at == len(offsets) or offsets[at] - offsets[at - 1] > _FAR_US:
            yield offsets[begin:at]
            begin = at


def _shown_at(file: BinaryIO | Path, wanted: list[int], limits: VideoLimits) -> dict[int, Image]:
    """Return the pictures of times that are near each other, sorted."""
    found: dict[int, Image] = {}
    left = list(wanted)
    now: VideoFrame | None = None
    until_us = 0
    try:
        with closing(shown(file, limits, from_us=left[0])) as pictures:
            for before_us, offset_us, picture in pictures:
                now_image = None if now is None or not left or left[0] >= offset_us else upright(now)
                while left and left[0] < offset_us and now_image is not None:
                    found[left.pop(0)] = now_image
                now, until_us = picture, 2 * offset_us - before_us
                if not left:
                    return found
    except VideoError as error:
        if now is None:
            raise
        if error.reason in {"broken_off", "too_long"}:  # what comes later is not there
            left = [at for at in left if at < until_us]
    if left and now is not None:
        found |= dict.fromkeys(left, upright(now))
    return found


def _seek(video: Opened, to_us: int) -> bool:
    """Go to the last key picture that is not after a time; return whether that could be done."""
    stream = video.stream
    if stream.time_base is None or stream.start_time is None:
        return False
    try:
        at = stream.start_time + math.floor(Fraction(to_us, _SECOND) / stream.time_base)
        video.container.seek(at, stream=stream)
    except av.FFmpegError:
        return False
    return True


def _decoded(video: Opened, limits: VideoLimits, *, sought: bool) -> Iterator[tuple[int, int, VideoFrame]]:
    """Decode from where the demuxer stands to the end, with times; damaged pictures are left out."""
    clock = _Clock(video, sought=sought)
    bad = tail = number = 0
    for picture in _readable(video):
        if picture is None:
            tail += number > 0  # streams often begin in the middle of a group of pictures
            continue
        if picture.width * picture.height > limits.max_pixels:
            raise too_many_pixels(picture.width, picture.height, limits)
        before_us, at_us = clock.tell(picture.pts)
        bad, tail, number = bad + tail, 0, number + 1
        if at_us > limits.max_seconds * _SECOND or number > limits.max_seconds * MAX_FPS:
            raise VideoError("too_long", f"the video is longer than {limits.max_seconds:g} seconds")
        yield before_us, at_us, picture
    video.source.check()
    if number and (video.missing or tail):
        raise VideoError("broken_off", "the video breaks off: the file was cut off, or its end is damaged")
    if bad:
        raise VideoError("damaged", f"{bad} pictures of the video are damaged and were left out")


def _readable(video: Opened) -> Iterator[VideoFrame | None]:
    """Yield the pictures in order, and None for one that is damaged."""
    packets = video.container.demux(video.stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            yield None
            return
        if packet is None:
            return
        yield from _pictures(video, packet)


def _pictures(video: Opened, packet: "Packet[VideoStream]") -> Iterator[VideoFrame | None]:
    """Decode one packet; the last one, which is empty, gives what the decoder still holds."""
    if packet.is_corrupt and video.missing:  # the part of a picture before the cut
        return
    try:
        found = packet.decode()
    except av.FFmpegError:
        yield None
        return
    for picture in found:
        yield None if picture.is_corrupt else picture


class _Clock:
    """Makes of timestamps, some of which may be absent or go back, times that only go forward."""

    def __init__(self, video: Opened, *, sought: bool) -> None:
        stream = video.stream
        self._base = stream.time_base or Fraction(1, _SECOND)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        self._usual_us = min(max(1, round(_SECOND / rate)), 60 * _SECOND) if rate > 0 else _SECOND // 25
        # Formats with an index know when the first picture is shown, which a seek has to know; of others it is seen.
        self._origin = stream.start_time if video.kind in INDEXED or sought else None
        self._shift = 0
        self._last: int | None = None

    def tell(self, pts: int | None) -> tuple[int, int]:
        """Return the time of the picture before and that of this one, microseconds."""
        last = self._last
        at = self._at(pts)
        self._last = at
        return (at - self._usual_us if last is None else last), at

    def _at(self, pts: int | None) -> int:
        if pts is not None and self._origin is None:
            self._origin = pts
        if pts is None or self._origin is None:
            return 0 if self._last is None else self._last + self._usual_us
        at = round((pts - self._origin) * self._base * _SECOND) + self._shift
        if self._last is None:
            return max(0, at)
        if at <= self._last:
            if self._last - at > _JUMP_US:
                self._shift += self._last + self._usual_us - at
            at = self._last + self._usual_us
        return at
