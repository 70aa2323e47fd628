"""What the first bytes of a picture say: format, size, orientation, and whether its end is there.

Read before anything is decoded, so that a picture of a billion pixels in a kilobyte costs a kilobyte. Sources: ITU
T.81 annex B (JPEG markers), PNG 3rd edition sections 5 and 11, RFC 9649 (WebP), CIPA DC-008 (EXIF orientation).
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

from wayside.core.errors import ImageError

Format = Literal["jpeg", "png", "webp"]

_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_SOF_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_APP1: Final = 0xE1
_ORIENTATION_TAG: Final = 0x0112
_TURNED: Final = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of an undecoded picture. `width` and `height` are of the upright picture, in pixels."""

    format: Format
    width: int
    height: int
    complete: bool


def read_header(data: bytes) -> Header:
    """Read the header of a JPEG, PNG or WebP picture.

    Raises:
        ImageError: `not_an_image` where the bytes begin like none of the three formats, `truncated` where they end
            before the size is stated, `undecodable` where the size is zero or the header breaks its own format.
    """
    try:
        header = _dispatch(data)
    except (struct.error, IndexError):
        raise ImageError("truncated", f"the picture breaks off in its header, after {len(data)} bytes") from None
    if header.width < 1 or header.height < 1:
        raise ImageError("undecodable", f"the header states a size of {header.width} x {header.height} pixels")
    return header


def _dispatch(data: bytes) -> Header:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(_PNG_MAGIC):
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    raise ImageError("not_an_image", f"the {len(data)} bytes are no JPEG, PNG or WebP picture: {data[:16]!r}")


def _jpeg(data: bytes) -> Header:
    """Walk the marker segments up to the first scan; behind it only an EOI can hold the bytes FF D9."""
    size: tuple[int, int] | None = None
    orientation = 1
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise ImageError("undecodable", f"no JPEG marker where one is due, at byte {at}")
        marker = data[at + 1]
        at += 2
        if marker in _BARE_MARKERS:
            continue
        if marker == _EOI:
            raise ImageError("undecodable", "the JPEG ends before its first scan")
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _SOF_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = (width, height)
        elif marker == _APP1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = _orientation(data[at + 8 : at + length])
        elif marker == _SOS:
            break
        at += max(length, 2)
    if size is None:
        raise ImageError("undecodable", "the JPEG states no size before its first scan")
    width, height = size[::-1] if orientation in _TURNED else size
    return Header("jpeg", width, height, complete=data.find(b"\xff\xd9", at) >= 0)


def _orientation(tiff: bytes) -> int:
    """Return the EXIF orientation 1..8 stated in the first directory of `tiff`; 1 where none can be read."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except (KeyError, struct.error):
        pass
    return 1


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR":
        raise ImageError("undecodable", "the PNG does not begin with its header chunk")
    return Header("png", width, height, complete=data.rfind(b"IEND") >= 0)


def _webp(data: bytes) -> Header:
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        struct.unpack_from("6x", data, 24)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ImageError("undecodable", f"a WebP picture begins with {kind!r}")
    return Header("webp", width, height, complete=len(data) >= riff_bytes + 8)
