"""What the EXIF block of a road photo says: orientation, camera, time, position, title and the road authority's XML.

`read_exif` never raises on what a block holds; `Exif.faults` names what was left out. The directories are walked by
`metadata/tiff.py`, within bounds; the library exifread only ever sees a block that we wrote anew from what passed, and
gives the standard tags their names and readable values.
"""

import io
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from wayside.metadata.tiff import BYTE, Directory, Entry, Tiff, as_float, decoded, read_tiff, write_tiff

MAX_XML: Final = 256 * 2**10
"""Bytes of an XML text at the most."""

IMAGE_PROPERTIES: Final = 40055
REFLINK_INFO: Final = 40056

_ORIENTATION, _MAKE, _MODEL, _XP_TITLE, _MAKER_NOTE = 274, 271, 272, 40091, 37500
_TIMES: Final = ((36867, "photo"), (36868, "photo"), (306, "image"))
_PERSONAL: Final = (("image", 270), ("image", 315), ("photo", 37510), ("photo", 42032))
_PERSONAL_XP: Final = (40092, 40093, 40095)
_FIRST_XP: Final = 40000  # from here on Windows' own texts, and ours
_HIDDEN: Final = frozenset({_MAKER_NOTE, *(tag for _, tag in _PERSONAL)})
_MARK: Final = b"Exif\x00"
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_KNOTS: Final = 1.944
_MILES: Final = 2.237


@dataclass(frozen=True, slots=True)
class Position:
    """The GPS directory, in WGS 84 degrees and metres; None where it does not say, or says nonsense.

    Attributes:
        lat: latitude, -90..90.
        lon: longitude, -180..180.
        altitude: as written, without regard to whether it is above or below the sea.
        below_sea: the altitude is below sea level.
        direction: direction of the picture, degrees.
        speed: metres a second. Knots and miles are converted; for K, kilometres, the road cameras write m/s.
    """

    lat: float | None = None
    lon: float | None = None
    altitude: float | None = None
    below_sea: bool = False
    direction: float | None = None
    speed: float | None = None


@dataclass(frozen=True)
class Exif:
    """An EXIF block. `tiff` holds every raw value that passed the bounds, for those who copy values on."""

    tiff: Tiff = field(default_factory=Tiff)

    @property
    def present(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.tiff.image or self.tiff.photo or self.tiff.gps)

    @property
    def faults(self) -> tuple[str, ...]:
        """What was left out of the block, and why."""
        return self.tiff.faults

    @property
    def orientation(self) -> int:
        """How the stored picture is turned: 1..8; 1 is upright, and what stands for anything that is not valid."""
        found = self.tiff.image.get(_ORIENTATION)
        numbers = found.numbers if found else ()
        return next((turn for turn in range(1, 9) if numbers[:1] == (turn,)), 1)

    @property
    def make(self) -> str | None:
        """The maker of the camera."""
        return self._text("image", _MAKE)

    @property
    def camera(self) -> str | None:
        """The model of the camera."""
        return self._text("image", _MODEL)

    @cached_property
    def taken(self) -> datetime | None:
        """When the picture was taken, by the camera's clock, without a zone."""
        return next((time for time in self._times() if time), None)

    @property
    def taken_original(self) -> datetime | None:
        """The same by DateTimeOriginal alone."""
        return next(self._times())

    @cached_property
    def position(self) -> Position | None:
        """The GPS directory; None where there is none."""
        return _position(self.tiff.gps) if self.tiff.gps else None

    @property
    def xp_title(self) -> str | None:
        """The title (XPTitle), which is UTF-16; without the NUL that some writers put behind it."""
        return (self.xp_title_written or "").split("\x00", 1)[0].strip() or None

    @cached_property
    def xp_title_written(self) -> str | None:
        """The same as it is written."""
        return _utf16(self.tiff.image.get(_XP_TITLE))

    @cached_property
    def image_properties(self) -> str | None:
        """The text of tag 40055, without a byte order mark."""
        return self._xml(IMAGE_PROPERTIES)

    @cached_property
    def reflink(self) -> str | None:
        """The text of tag 40056, without a byte order mark."""
        return self._xml(REFLINK_INFO)

    @cached_property
    def personal(self) -> tuple[str, ...]:
        """Standard texts that may name a person: artist, owner, description and comments."""
        texts = [self._text(part, tag) for part, tag in _PERSONAL]
        texts += [_utf16(self.tiff.image.get(tag)) for tag in _PERSONAL_XP]
        return tuple(text for text in (text.split("\x00", 1)[0].strip() for text in texts if text) if text)

    def standard(self) -> Mapping[str, str]:
        """Return the standard tags by name, each as readable text, as the library exifread puts them.

        Those that may name a person are left out, and so are the maker's notes and the road XML.
        """
        import exifread

        main = {tag: value for tag, value in self.tiff.image.items() if tag < _FIRST_XP and tag not in _HIDDEN}
        photo = {tag: value for tag, value in self.tiff.photo.items() if tag not in _HIDDEN}
        block = write_tiff(main, photo, self.tiff.gps)
        try:
            found = exifread.process_file(io.BytesIO(block), details=False, extract_thumbnail=False)
        except Exception:  # noqa: BLE001 - whatever it cannot put into words, it need not
            return {}
        return {name: str(value) for name, value in found.items() if not name.endswith(("ExifOffset", "GPSInfo"))}

    def _times(self) -> Iterator[datetime | None]:
        for tag, part in _TIMES:
            yield _time(self._text(part, tag))

    def _text(self, part: str, tag: int) -> str | None:
        found: Entry | None = getattr(self.tiff, part).get(tag)
        if found is None:
            return None
        if tag == 37510:  # a user's comment begins with eight bytes that name its character set
            wide = found.raw.startswith(b"UNICODE\x00")
            text = found.raw[8:].decode("utf-16-be" if found.order == ">" else "utf-16-le", "replace") if wide else ""
            return (text or decoded(found.raw[8:])).strip("\x00 ") or None
        return found.text or None

    def _xml(self, tag: int) -> str | None:
        found = self.tiff.image.get(tag)
        return xml_text(found.raw) if found else None


def read_exif(data: bytes) -> Exif:
    """Read the EXIF block of a JPEG. A file without one, or of another kind, gives one that is not `present`."""
    payload = _payload(data)
    return Exif() if payload is None else Exif(read_tiff(payload))


def xml_text(raw: bytes) -> str | None:
    """Return the bytes of an XML tag as text: UTF-8 or UTF-16, with a byte order mark or not; None where too long."""
    if len(raw) > MAX_XML:
        return None
    text = raw.decode("utf-16", "replace") if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else decoded(raw)
    return text.lstrip("\ufeff").strip("\x00").strip() or None


def xml_entry(text: str, like: Entry) -> Entry:
    """Return an XML text as an entry of the kind the road cameras write: bytes, UTF-8, with a byte order mark."""
    return Entry(BYTE, b"\xef\xbb\xbf" + text.encode(), like.order)


def _payload(data: bytes) -> bytes | None:
    """Return the TIFF block of the first EXIF segment before the first scan of a JPEG."""
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        if marker in {_SOS, _EOI}:
            return None
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _APP1 and data[at + 4 : at + 9] == _MARK:
            return data[at + 10 : at + 2 + length]
        at += 2 + max(length, 2)
    return None


def _time(text: str | None) -> datetime | None:
    """Return the moment of `2020:06:02 09:42:46`; dots or dashes may stand for the colons of the date."""
    if not text or len(text) < 19:
        return None
    day, clock = text[:10].replace(".", ":").replace("-", ":"), text[11:19].replace(".", ":")
    try:
        return datetime.strptime(f"{day} {clock}", "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - cameras name no zone
    except ValueError:
        return None


def _utf16(found: Entry | None) -> str | None:
    if found is None:
        return None
    return found.raw[: len(found.raw) // 2 * 2].decode("utf-16-le", "replace") or None


def _position(gps: Directory) -> Position:
    ref = {tag: gps[tag].text.upper() if tag in gps else "" for tag in (1, 3, 12)}
    sea = gps[5].numbers if 5 in gps else ()
    return Position(
        lat=_degrees(gps.get(2), -1 if ref[1] == "S" else 1, 90),
        lon=_degrees(gps.get(4), -1 if ref[3] == "W" else 1, 180),
        altitude=_single(gps.get(6)),
        below_sea=bool(sea) and sea[0] == 1,
        direction=_single(gps.get(17)),
        speed=_speed(_single(gps.get(13)), ref[12]),
    )


def _degrees(found: Entry | None, sign: int, most: int) -> float | None:
    """Return degrees, minutes and seconds as degrees, within -most..most."""
    parts = [as_float(number) for number in found.numbers[:3]] if found else []
    if len(parts) < 3 or any(part is None or part < 0 for part in parts):
        return None
    degrees, minutes, seconds = (float(part or 0) for part in parts)
    value = sign * (degrees + minutes / 60 + seconds / 3600)
    return value if abs(value) <= most else None


def _single(found: Entry | None) -> float | None:
    numbers = found.numbers if found else ()
    value = as_float(numbers[0]) if numbers else None
    return value if value is not None and math.isfinite(value) else None


def _speed(value: float | None, unit: str) -> float | None:
    if value is None:
        return None
    return value / {"M": _MILES, "N": _KNOTS}.get(unit, 1)
