"""A piece of a video as a small file that every browser plays: H.264 in an MP4 whose index is in front, without sound.

The piece is encoded anew, because a copy could only begin at key pictures, would keep codecs that browsers do not play,
and would carry along whatever else lies in the file.
"""

import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast

import av
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from wayside.core.errors import ConfigError, VideoError
from wayside.media.container import VideoLimits
from wayside.media.frames import DEFAULT_LIMITS, Image, shown, turn, turned

LONGEST_S: Final = 120.0
_ENCODERS: Final = ("libx264", "h264_nvenc", "h264_amf", "h264_qsv", "libopenh264", "h264_v4l2m2m")
# Without its tree of macroblocks, whose vector code gives other bytes from run to run.
_X264: Final = {"preset": "veryfast", "crf": "26", "bf": "0", "x264-params": "mbtree=0"}
_THREADS: Final = 2  # of the encoder; a number of our own, so that the same cut has the same bytes everywhere
_BASE: Final = Fraction(1, 90_000)
_SECOND: Final = 1_000_000
_KEY_EVERY: Final = 50  # pictures, so that a player can seek


def cut(
    file: BinaryIO | Path, start_s: float, end_s: float, *, height: int = 480, limits: VideoLimits = DEFAULT_LIMITS
) -> bytes:
    """Cut a piece out of a video.

    Args:
        file: its path, or a seekable file that stays open.
        start_s: where the piece begins, in seconds from the first picture; it opens with what is shown then.
        end_s: where it ends; not part of it. At most 120 seconds later.
        height: of its pictures, in pixels, upright; smaller ones keep their size.
        limits: what is refused.

    Returns:
        The bytes of an MP4 with H.264 in yuv420p. Of a video that breaks off within the piece, what is there.

    Raises:
        VideoError: those of `frames.shown`; `nothing_there`, where the video ends before the piece begins;
            `no_encoder`, where FFmpeg has none for H.264.
        StoreUnavailableError: the file cannot be read for now.
        ConfigError: the piece is empty, begins before the video, or is too long.
    """
    if not (0 <= start_s < end_s and end_s - start_s <= LONGEST_S):
        raise ConfigError(f"cannot cut from {start_s} s to {end_s} s: a piece has up to {LONGEST_S:g} s")
    start_us, end_us = round(start_s * _SECOND), round(end_s * _SECOND)
    with tempfile.TemporaryDirectory(prefix="wayside-cut-") as folder:
        path = Path(folder, "cut.mp4")
        with closing(_piece(file, start_us, end_us, height, limits)) as pictures:
            first = next(pictures)
            if first[1] is None:
                raise VideoError("nothing_there", f"the video ends before {start_s:g} s")
            _encode(path, chain([first], pictures))
        return path.read_bytes()


def _piece(
    file: BinaryIO | Path, start_us: int, end_us: int, height: int, limits: VideoLimits
) -> Generator[tuple[int, Image | None], None, None]:
    """Yield the pictures of a piece, shrunken and upright, with times from its beginning; at last its end and None."""
    held: VideoFrame | None = None  # what is shown when the piece begins
    until_us = 0
    try:
        with closing(shown(file, limits, from_us=start_us)) as pictures:
            for before_us, at_us, picture in pictures:
                until_us = 2 * at_us - before_us
                if at_us <= start_us:
                    held = picture
                    continue
                if held is not None:
                    yield 0, _small(held, height)
                    held = None
                if at_us >= end_us:
                    until_us = end_us
                    break
                yield at_us - start_us, _small(picture, height)
    except VideoError as error:
        if error.reason not in {"broken_off", "damaged", "too_long"} or until_us == 0:
            raise
    if held is not None and until_us > start_us:
        yield 0, _small(held, height)
    yield min(until_us, end_us) - start_us, None


def _small(picture: VideoFrame, height: int) -> Image:
    """Return a picture's pixels, no higher than `height` once it is upright, with even sides."""
    rotation, mirrored = turned(picture)
    now = picture.width if rotation % 180 else picture.height
    scale = min(1.0, height / now)
    width, high = (max(2, round(side * scale) // 2 * 2) for side in (picture.width, picture.height))
    image: Image = picture.reformat(width, high, "bgr24", interpolation="AREA").to_ndarray()  # type: ignore[assignment]
    return turn(image, rotation, mirrored=mirrored)


def _encode(path: Path, pictures: Iterator[tuple[int, Image | None]]) -> None:
    """Write pictures to a file, each shown until the next one."""
    encoder = _encoder()
    durations: deque[int] = deque()
    stream: VideoStream | None = None
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart", "fflags": "+bitexact"}) as container:
        for (at_us, image), (next_us, _) in pairwise(pictures):
            if image is None:
                continue
            stream = stream or _stream(container, encoder, image)
            high, width = stream.height, stream.width
            frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(width, high, "yuv420p")
            frame.pts, frame.time_base = _ticks(at_us), _BASE
            durations.append(_ticks(next_us) - _ticks(at_us))
            _mux(container, stream.encode(frame), durations)
        if stream is not None:
            _mux(container, stream.encode(), durations)


def _stream(container: OutputContainer, encoder: str, image: Image) -> VideoStream:
    stream = cast(VideoStream, container.add_stream(encoder, rate=25))
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = _BASE
    stream.codec_context.gop_size, stream.codec_context.max_b_frames = _KEY_EVERY, 0
    stream.codec_context.thread_count = _THREADS
    stream.options = dict(_X264) if encoder == "libx264" else {}
    return stream


def _mux(container: OutputContainer, packets: "Iterable[Packet[VideoStream]]", durations: deque[int]) -> None:
    """Write packets, which come in the order of their pictures, with the time for which each is shown."""
    for packet in packets:
        packet.duration = durations.popleft()
        container.mux(packet)


def _ticks(at_us: int) -> int:
    return round(at_us * _BASE.denominator / _SECOND)


@cache
def _encoder() -> str:
    """Return the first encoder for H.264 that works here."""
    for name in _ENCODERS:
        try:
            context = VideoCodecContext.create(name, "w")
            context.width, context.height, context.pix_fmt, context.time_base = 128, 96, "yuv420p", _BASE
            context.open()
        except (av.FFmpegError, UnknownCodecError, ValueError):
            continue
        return name
    raise VideoError("no_encoder", "FFmpeg has no encoder for H.264 here, so that no cuts can be made")
