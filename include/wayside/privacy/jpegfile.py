"""A JPEG file as its segments: taken apart within limits, and built anew from an allow-list.

Whatever a file carries beside its picture is a place where the picture can lie a second time, unmasked: thumbnails
in JFIF, EXIF, MPF, XMP and Photoshop segments, comments, bytes behind the end. So nothing is removed from a file here;
a new file is built of the few segments that a decoder needs, and of the metadata that are handed over for it.
Sources: ITU T.81 annex B (syntax), JFIF 1.02, the ICC specification annex B.4, Adobe technical note 5116 (APP14).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wayside.core.errors import ImageError

SOI, EOI, SOS, DQT, DHT, DRI, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xFE
APP0, APP1, APP2, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE
EXIF: Final = b"Exif\0\0"
JFIF: Final = b"JFIF\0"
ICC: Final = b"ICC_PROFILE\0"
ADOBE: Final = b"Adobe"

MAX_SEGMENTS: Final = 8192
MAX_SCANS: Final = 128
MAX_ICC: Final = 4 * 2**20
_ICC_CHUNK: Final = 65_519  # the most that fits into a segment behind its name, number and count
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES: Final = frozenset({DQT, DHT, DRI})
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
# What ends entropy-coded data: a marker that is neither a stuffed byte, nor a restart, nor a fill byte.
_NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment.

    Attributes:
        marker: second byte of the marker.
        payload: what follows the length.
        scan: entropy-coded data behind an SOS segment, restart markers included; empty otherwise.
    """

    marker: int
    payload: bytes
    scan: bytes = b""

    def written(self) -> bytes:
        """Return the segment as it lies in a file."""
        return bytes((0xFF, self.marker)) + struct.pack(">H", len(self.payload) + 2) + self.payload + self.scan


@dataclass(frozen=True, slots=True)
class Component:
    """A colour plane: its identifier, sampling factors (1..4) and the number of its quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header.

    Attributes:
        process: marker of the coding process: C0 baseline, C1 extended, C2 progressive, C9 and CA arithmetic, ...
        precision: bits of a sample.
        height: lines as stored, before any orientation.
        width: samples of a line.
        components: colour planes.
    """

    process: int
    precision: int
    height: int
    width: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG file taken apart.

    Attributes:
        segments: everything between SOI and EOI, in order.
        frame: the one frame header.
        trailer: bytes behind EOI.
    """

    segments: tuple[Segment, ...]
    frame: Frame
    trailer: bytes

    def payloads(self, marker: int, name: bytes) -> list[bytes]:
        """Return what follows `name` in each segment of this marker that begins with it."""
        return [
            one.payload[len(name) :] for one in self.segments if one.marker == marker and one.payload.startswith(name)
        ]


@dataclass(frozen=True, slots=True)
class Colour:
    """How a decoder reads the planes: the density of the JFIF segment, and the transform of the Adobe segment.

    Attributes:
        density: unit, horizontal and vertical density; None: there is no JFIF segment.
        transform: 0 (RGB or CMYK), 1 (YCbCr) or 2 (YCCK); None: there is no Adobe segment.
    """

    density: tuple[int, int, int] | None
    transform: int | None


def parse(data: bytes) -> JpegFile:
    """Take a JPEG file apart.

    Raises:
        ImageError: `not_an_image` where the bytes are no JPEG, `truncated` where they end before EOI, `undecodable`
            where they break the syntax or a limit on segments and scans.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise ImageError("not_an_image", "the bytes do not begin like a JPEG picture")
    segments: list[Segment] = []
    frame: Frame | None = None
    at = 2
    while True:
        marker, at = _marker(data, at)
        if marker == EOI:
            break
        segment, at = _segment(data, marker, at)
        segments.append(segment)
        if len(segments) > MAX_SEGMENTS:
            raise ImageError("undecodable", f"the JPEG has more than {MAX_SEGMENTS} segments")
        if marker in _FRAMES:
            if frame is not None:
                raise ImageError("undecodable", "the JPEG has two frames")
            frame = _frame(segment)
        elif marker == SOS and frame is None:
            raise ImageError("undecodable", "the JPEG has a scan before its frame")
    scans = sum(one.marker == SOS for one in segments)
    if frame is None or not 0 < scans <= MAX_SCANS:
        raise ImageError("undecodable", f"the JPEG has {scans} scans, or no frame")
    return JpegFile(tuple(segments), frame, data[at:])


def build(picture: JpegFile, colour: Colour, *, exif: bytes = b"", icc: bytes = b"") -> bytes:
    """Return a new file: the picture's tables, frame and scans, and of everything else only what is given here.

    Args:
        picture: gives its quantisation and Huffman tables, restart interval, frame and scans; nothing else of it is
            looked at.
        colour: JFIF and Adobe segments, written anew without a thumbnail.
        exif: a TIFF block; empty: no EXIF segment.
        icc: a colour profile; empty: none.

    Raises:
        ImageError: `metadata` where the EXIF block does not fit into a segment.
    """
    head: list[Segment] = []
    if colour.density is not None:
        head.append(Segment(APP0, JFIF + b"\x01\x01" + struct.pack(">BHHBB", *colour.density, 0, 0)))
    if exif:
        if len(exif) > 65_000:
            raise ImageError("metadata", f"the metadata to keep have {len(exif)} bytes, more than a segment can hold")
        head.append(Segment(APP1, EXIF + exif))
    head += _icc_segments(icc)
    if colour.transform is not None:
        head.append(Segment(APP14, ADOBE + struct.pack(">HHHB", 100, 0, 0, colour.transform)))
    body = [one for one in picture.segments if one.marker in _TABLES or one.marker in _FRAMES or one.marker == SOS]
    return b"\xff\xd8" + b"".join(one.written() for one in (*head, *body)) + b"\xff\xd9"


def colour_of(picture: JpegFile) -> Colour:
    """Return how the file says that its planes are to be read."""
    jfif = [payload for payload in picture.payloads(APP0, JFIF) if len(payload) >= 7]
    adobe = [payload for payload in picture.payloads(APP14, ADOBE) if len(payload) >= 7]
    density = struct.unpack_from(">BHH", jfif[0], 2) if jfif else None
    return Colour(density, adobe[-1][6] if adobe else None)


def icc_of(picture: JpegFile) -> bytes:
    """Return the colour profile, or nothing where there is none, or not all of it."""
    chunks = sorted((chunk[0], chunk[1], chunk[2:]) for chunk in picture.payloads(APP2, ICC) if len(chunk) > 2)
    if [number for number, _, _ in chunks] != list(range(1, len(chunks) + 1)):
        return b""
    if any(count != len(chunks) for _, count, _ in chunks):
        return b""
    return b"".join(chunk for _, _, chunk in chunks)


def _icc_segments(profile: bytes) -> list[Segment]:
    count = -(-len(profile) // _ICC_CHUNK)
    return [
        Segment(APP2, ICC + bytes((number + 1, count)) + profile[number * _ICC_CHUNK : (number + 1) * _ICC_CHUNK])
        for number in range(count)
    ]


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the next marker that has a meaning, and where it ends; fill bytes before it are skipped."""
    while True:
        start = at
        while data[at : at + 1] == b"\xff":
            at += 1
        if at >= len(data):
            raise ImageError("truncated", f"the JPEG breaks off after {len(data)} bytes")
        if at == start or data[at] in {0x00, SOI}:
            raise ImageError("undecodable", f"no JPEG marker where one is due, at byte {start}")
        marker = data[at]
        at += 1
        if marker not in _BARE:
            return marker, at


def _segment(data: bytes, marker: int, at: int) -> tuple[Segment, int]:
    """Return the segment whose marker ends at `at`, and where it ends."""
    if at + 2 > len(data):
        raise ImageError("truncated", f"the JPEG breaks off after {len(data)} bytes")
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2:
        raise ImageError("undecodable", f"a JPEG segment states a length of {length}, at byte {at}")
    end = at + length
    if end > len(data):
        raise ImageError("truncated", f"the JPEG breaks off in a segment, after {len(data)} bytes")
    payload = data[at + 2 : end]
    if marker != SOS:
        return Segment(marker, payload), end
    found = _NEXT_MARKER.search(data, end)
    if found is None:
        raise ImageError("truncated", f"the JPEG breaks off in a scan, after {len(data)} bytes")
    return Segment(marker, payload, data[end : found.start()].rstrip(b"\xff")), found.start()


def _frame(segment: Segment) -> Frame:
    if len(segment.payload) < 6:
        raise ImageError("undecodable", "the frame header of the JPEG is too short")
    precision, height, width, count = struct.unpack_from(">BHHB", segment.payload)
    if len(segment.payload) != 6 + 3 * count or not count:
        raise ImageError("undecodable", f"the frame header of the JPEG does not fit its {count} components")
    if not height or not width:
        raise ImageError("undecodable", f"the frame header of the JPEG states {width} x {height} pixels")
    return Frame(segment.marker, precision, height, width, tuple(_components(segment.payload[6:])))


def _components(table: bytes) -> Iterator[Component]:
    for identifier, sampling, number in struct.iter_unpack("3B", table):
        horizontal, vertical = sampling >> 4, sampling & 15
        if not (1 <= horizontal <= 4 and 1 <= vertical <= 4 and number < 4):
            raise ImageError("undecodable", "a component of the JPEG states a sampling factor or table out of range")
        yield Component(identifier, horizontal, vertical, number)
