"""The file around a video: which formats are opened at all, and with what care.

Containers come from outside, and a library that opens "any" of them also opens playlists that lead to other files and
hosts. So the first bytes choose among four formats, whose demuxer is named; the bytes are read through an object of
ours, so that no name and no protocol is ever resolved; only decoders on a list may run. What the file's own structure
says of its length is held against the bytes that are there, so that a file that was cut off is known as one.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
from av import _core
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from wayside.core.errors import StoreUnavailableError, VideoError
from wayside.core.settings import Settings

CODECS: Final = frozenset(
    {"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "h263", "msmpeg4v3"}
)
INDEXED: Final = frozenset({"mov", "matroska"})
"""Formats in which a time can be sought: the others are read from their beginning."""

# One thread a decoder: with several, which pictures of a damaged file count as damaged changes from run to run, and a
# picture costs a third more of the processor. Files are worked on side by side instead.
_THREADS: Final = 1
_BUFFER: Final = 1 << 18
_STREAMS: Final = 32
_BOXES: Final = 10_000
_TABLE: Final = 256 * 2**20  # bytes: 10 million pictures, 24 hours of 120 a second
_PACKETS: Final = (188, 192, 204)  # sizes of those of a transport stream, by its kind


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What is not read: larger or longer files, larger pictures.

    Attributes:
        max_bytes: of the file.
        max_seconds: of the video.
        max_pixels: of one picture.
    """

    max_bytes: int = 64 * 2**30
    max_seconds: float = 24 * 3600.0
    max_pixels: int = 9_000_000

    @classmethod
    def of(cls, settings: Settings) -> "VideoLimits":
        """Take them from the settings."""
        return cls(settings.max_video_bytes, settings.max_video_seconds, settings.max_video_pixels)


class Source:
    """A file as the demuxer sees it: an error of reading is kept, and is the file's end as far as the demuxer knows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        try:
            return b"" if self.error else self._file.read(size)
        except Exception as error:  # noqa: BLE001 - told by `check`
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def check(self) -> None:
        """Raise what stopped the reading, if anything did: then it is not the video's fault."""
        if isinstance(self.error, OSError):
            raise StoreUnavailableError(
                f"a video cannot be read on: {self.error.strerror or self.error}"
            ) from self.error
        if self.error is not None:
            raise self.error


@dataclass(frozen=True, slots=True)
class Opened:
    """A video that is open.

    Attributes:
        container: its demuxer.
        stream: the stream of pictures; the others are left out.
        kind: `mov`, `matroska`, `mpegts` or `avi`.
        missing: bytes that the file should have behind its end.
        source: the file.
    """

    container: InputContainer
    stream: VideoStream
    kind: str
    missing: int
    source: Source


def _no_larger_tables() -> None:
    """Let FFmpeg make no table beyond a size: a few bytes may claim billions of pictures, and it would list them all.

    PyAV does not offer this function of FFmpeg's, which is found through the library that PyAV has loaded.
    """
    with contextlib.suppress(OSError, AttributeError):
        limit = ctypes.CDLL(_core.__file__).av_max_alloc
        limit.argtypes, limit.restype = [ctypes.c_size_t], None
        limit(_TABLE)


_no_larger_tables()


@contextlib.contextmanager
def opened(file: BinaryIO | Path, limits: VideoLimits) -> Iterator[Opened]:
    """Open the video in a file.

    Args:
        file: its path, or a seekable file that stays open.
        limits: what is refused.

    Raises:
        VideoError: `empty`, `too_many_bytes`, `not_a_video`, `truncated`, `no_video_stream`, `unsupported_codec`,
            `too_many_pixels`.
        StoreUnavailableError: the file cannot be read for now.
    """
    if isinstance(file, Path):
        with _path(file) as stream, opened(stream, limits) as found:
            yield found
        return
    source = Source(file)
    kind, missing = _look(source, limits)
    with _demuxer(source, kind, missing, limits) as container:
        pictures = _pictures(container, missing, limits)
        yield Opened(container, pictures, kind, missing, source)


def _path(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise VideoError("unreadable", f"{file} cannot be read: {error.strerror}") from error


def _look(source: Source, limits: VideoLimits) -> tuple[str, int]:
    """Return the format of a file, and how many bytes it lacks."""
    try:
        size = source.seek(0, 2)
        source.seek(0)
        head = source.read(4096)
        source.check()
        if not size or not head:
            raise VideoError("empty", "the file is empty")
        if size > limits.max_bytes:
            raise VideoError("too_many_bytes", f"the file has {size} bytes, over the limit of {limits.max_bytes}")
        kind = _kind(head)
        missing = _missing(source, kind, head, size)
        source.seek(0)
    except OSError as error:
        raise StoreUnavailableError(f"a video cannot be read: {error.strerror or error}") from error
    return kind, missing


def _kind(head: bytes) -> str:
    """Choose the demuxer by the first bytes."""
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"}:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if any(_is_transport(head, size) for size in _PACKETS):
        return "mpegts"
    raise VideoError(
        "not_a_video", "the file is no video that is read here: MP4, QuickTime, Matroska, WebM, MPEG-TS or AVI"
    )


def _is_transport(head: bytes, size: int) -> bool:
    """Tell whether packets of this size begin in the head, at least two of them, wherever the first does."""
    return any(
        len(marks := head[start::size]) >= 2 and marks == b"\x47" * len(marks)
        for start in range(min(size, len(head)))
        if head[start] == 0x47
    )


def _missing(source: Source, kind: str, head: bytes, size: int) -> int:
    """Return how many bytes the file should have behind its end, as its outermost structure says."""
    if kind == "mov":
        return _missing_boxes(source, size)
    if kind == "avi":
        return max(0, 8 + int.from_bytes(head[4:8], "little") - size)
    return _missing_segment(head, size) if kind == "matroska" else 0


def _missing_boxes(source: Source, size: int) -> int:
    """Walk over the boxes of an MP4; without the index among them there is nothing that could be shown."""
    at, index = 0, False
    for _ in range(_BOXES):
        if at + 8 > size:
            break
        source.seek(at)
        head = source.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        length = {0: size - at, 1: int.from_bytes(head[8:16], "big")}.get(length, length)
        if length < 8:
            break
        index |= name == b"moov" and at + length <= size
        at += length
    if not index:
        raise VideoError("truncated", "the file has no index (moov): it was cut off, or recording it never ended")
    return max(0, at - size)


def _missing_segment(head: bytes, size: int) -> int:
    """Read the length of a Matroska segment; one that was never closed has none."""
    start = head.find(b"\x18\x53\x80\x67")
    if start < 0 or start + 12 > len(head):
        return 0
    first = head[start + 4]
    width = 9 - first.bit_length()
    if not 1 <= width <= 8:
        return 0
    length = int.from_bytes(head[start + 4 : start + 4 + width], "big") & ((1 << 7 * width) - 1)
    return 0 if length == (1 << 7 * width) - 1 else max(0, start + 4 + width + length - size)


@contextlib.contextmanager
def _demuxer(source: Source, kind: str, missing: int, limits: VideoLimits) -> Iterator[InputContainer]:
    options = {
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi",
        "codec_whitelist": ",".join(sorted(CODECS | {"libdav1d"})),
        "protocol_whitelist": "",
        "max_streams": str(_STREAMS),
    }
    decoding = {"max_pixels": str(limits.max_pixels)}  # for the decoders that look at the first pictures
    try:
        container = av.open(source, "r", format=kind, options=decoding, container_options=options, buffer_size=_BUFFER)
    except (av.FFmpegError, ValueError) as error:
        source.check()
        raise _no_video(missing, error) from error
    source.check()
    with container:
        yield container


def _no_video(missing: int, error: Exception) -> VideoError:
    if missing:
        return VideoError("truncated", f"the file was cut off, {missing} bytes are missing, and nothing can be shown")
    return VideoError("not_a_video", f"the file begins like a video and is none: {said(error)}")


def said(error: Exception) -> str:
    """Return what FFmpeg says, without its numbers and the name of a file."""
    return str(getattr(error, "strerror", None) or error)


def _pictures(container: InputContainer, missing: int, limits: VideoLimits) -> VideoStream:
    """Choose the stream of pictures, look at what it says of itself, and leave out the others."""
    moving = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not moving:
        raise VideoError("no_video_stream", "the file holds no moving pictures")
    stream = moving[0]
    context: Any = stream.codec_context
    name = "unknown" if context is None else context.codec.canonical_name
    if name not in CODECS:
        raise VideoError("unsupported_codec", f"the codec {name} is not read here: {', '.join(sorted(CODECS))} are")
    if stream.width * stream.height > limits.max_pixels:
        raise too_many_pixels(stream.width, stream.height, limits)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    context.thread_count = _THREADS
    context.options = {**context.options, "max_pixels": str(limits.max_pixels)}
    return stream


def too_many_pixels(width: int, height: int, limits: VideoLimits) -> VideoError:
    """Return the error for pictures beyond the limit."""
    return VideoError(
        "too_many_pixels", f"its pictures have {width} x {height} pixels, over the limit of {limits.max_pixels}"
    )
