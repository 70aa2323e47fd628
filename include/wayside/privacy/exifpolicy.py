"""The metadata that an anonymised picture keeps: a new EXIF block that holds what the policy names, and nothing else.

Nothing is copied because it was there. Each tag that may stay is listed with the form it must have, so that no text
hides in a number and no picture in a text; thumbnails, maker notes, comments, names, serial numbers and whatever this
list has never heard of have no way into the block. Source of tags: CIPA DC-008-2019 (Exif 2.32).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Final, Literal

from wayside.metadata.exif import IMAGE_PROPERTIES, REFLINK_INFO, Exif, read_exif, xml_entry, xml_text
from wayside.metadata.redact import compact, redacted
from wayside.metadata.roadxml import Node, RoadXmlError, parse_xml
from wayside.metadata.tiff import (
    ASCII,
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    SRATIONAL,
    UNDEFINED,
    Directory,
    Entry,
    Number,
    new_entry,
    write_tiff,
)
from wayside.privacy.settings import ExifPolicy

ORIENTATION: Final = 274
IMAGE_TIMES: Final = frozenset({306})
PHOTO_TIMES: Final = frozenset({36867, 36868, 36880, 36881, 36882, 37520, 37521, 37522})
IMAGE_CAMERA: Final = frozenset({271, 272})
PHOTO_CAMERA: Final[Mapping[int, tuple[int, int]]] = {
    33434: (RATIONAL, 1), 33437: (RATIONAL, 1), 34850: (SHORT, 1), 34855: (SHORT, 2), 37377: (SRATIONAL, 1),
    37378: (RATIONAL, 1), 37379: (SRATIONAL, 1), 37380: (SRATIONAL, 1), 37381: (RATIONAL, 1), 37383: (SHORT, 1),
    37384: (SHORT, 1), 37385: (SHORT, 1), 37386: (RATIONAL, 1), 41986: (SHORT, 1), 41987: (SHORT, 1),
    41988: (RATIONAL, 1), 41989: (SHORT, 1), 41990: (SHORT, 1), 42034: (RATIONAL, 4), 42035: (ASCII, 64),
    42036: (ASCII, 64),
}  # fmt: skip
"""Exposure, aperture, sensitivity, focal length and lens: tag -> type and the most values it may have."""
GPS_POSITION: Final = frozenset({1, 2, 3, 4})
GPS_HEADING: Final[Mapping[int, tuple[int, int]]] = {
    5: (BYTE, 1), 6: (RATIONAL, 1), 12: (ASCII, 2), 13: (RATIONAL, 1), 14: (ASCII, 2), 15: (RATIONAL, 1),
    16: (ASCII, 2), 17: (RATIONAL, 1),
}  # fmt: skip
"""Altitude, speed, track and direction of the picture."""
GPS_TIMES: Final = frozenset({7, 29})
ROAD: Final = frozenset({IMAGE_PROPERTIES, REFLINK_INFO})

_EXIF_VERSION, _GPS_VERSION = 36864, 0
OFFSETS: Final = frozenset({36880, 36881, 36882})
_SUBSECONDS: Final = frozenset({37520, 37521, 37522})
_MOMENT: Final = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", re.ASCII)
_OFFSET: Final = re.compile(r"[+-]\d\d:\d\d", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,9}", re.ASCII)
_DAY: Final = re.compile(r"\d{4}:\d\d:\d\d", re.ASCII)
_PRINTABLE: Final = re.compile(r"[ -~]{1,64}")
_ISO_HOUR: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d", re.ASCII)
# Parts of the road authority's XML that say when and where, by the field of the policy that they follow.
_XML_PLACES: Final = frozenset({"latitude", "longitude", "dlatitude", "dlongitude"})
_XML_HEADINGS: Final = frozenset({"altitude", "daltitude", "heading", "speed"})
_XML_TIMES: Final = frozenset({"dlastgrabtime"})
_XML_FILES: Final = frozenset({"imagename", "storagefile"})


def kept_exif(original: bytes, policy: ExifPolicy, *, orientation: int = 1) -> bytes:
    """Return a TIFF block with what the policy keeps of the original's metadata; empty where that is nothing.

    Args:
        original: the file with its metadata. Only those of a JPEG are read.
        policy: what becomes of each group.
        orientation: 1..8, how the pixels of the new file are turned; written unless it is 1.
    """
    exif = read_exif(original)
    order = exif.tiff.order
    image = dict(_image(exif, policy))
    photo = dict(_photo(exif, policy))
    gps = dict(_gps(exif, policy))
    if orientation != 1:
        image[ORIENTATION] = new_entry(SHORT, [orientation], order)
    if photo:
        photo[_EXIF_VERSION] = new_entry(UNDEFINED, b"0232", order)
    if gps:
        gps[_GPS_VERSION] = new_entry(BYTE, bytes((2, 3, 0, 0)), order)
    return write_tiff(image, photo, gps) if image or photo or gps else b""


def _image(exif: Exif, policy: ExifPolicy) -> Iterator[tuple[int, Entry]]:
    found = exif.tiff.image
    yield from _times(found, IMAGE_TIMES, policy.time)
    if policy.camera == "keep":
        for tag in IMAGE_CAMERA & found.keys():
            yield from _text(tag, found[tag], _PRINTABLE)
    if policy.road == "keep":
        for tag in ROAD & found.keys():
            text = xml_text(found[tag].raw)
            if text is not None and (kept := _road(text, policy)):
                yield tag, xml_entry(kept, found[tag])


def _photo(exif: Exif, policy: ExifPolicy) -> Iterator[tuple[int, Entry]]:
    yield from _times(exif.tiff.photo, PHOTO_TIMES, policy.time)
    if policy.camera == "keep":
        yield from _listed(exif.tiff.photo, PHOTO_CAMERA)


def _gps(exif: Exif, policy: ExifPolicy) -> Iterator[tuple[int, Entry]]:
    found = exif.tiff.gps
    if policy.position != "drop":
        yield from _position(found, None if policy.position == "keep" else policy.position_decimals)
    if policy.heading == "keep":
        yield from _listed(found, GPS_HEADING)
    if policy.time == "keep":
        if 29 in found:
            yield from _text(29, found[29], _DAY)
        if 7 in found and _fits(found[7], RATIONAL, 3):
            yield 7, found[7]


def _times(found: Directory, tags: frozenset[int], chosen: Literal["keep", "round", "drop"]) -> Iterator[
    tuple[int, Entry]
]:  # fmt: skip
    """Yield the times of a directory, to the hour where they are rounded; offsets from UTC stay, fractions go."""
    if chosen == "drop":
        return
    for tag in tags & found.keys():
        if tag in OFFSETS:
            yield from _text(tag, found[tag], _OFFSET)
        elif tag in _SUBSECONDS:
            yield from _text(tag, found[tag], _DIGITS) if chosen == "keep" else ()
        elif _MOMENT.fullmatch(found[tag].text):
            text = found[tag].text if chosen == "keep" else f"{found[tag].text[:13]}:00:00"
            yield tag, new_entry(ASCII, text, found[tag].order)


def _text(tag: int, entry: Entry, form: re.Pattern[str]) -> Iterator[tuple[int, Entry]]:
    """Yield a text, written anew, if all of it has the form."""
    if form.fullmatch(entry.text):
        yield tag, new_entry(ASCII, entry.text, entry.order)


def _listed(found: Directory, allowed: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, Entry]]:
    for tag, (kind, most) in allowed.items():
        entry = found.get(tag)
        if entry is None:
            continue
        if kind == ASCII and entry.kind == ASCII and len(entry.text) <= most:
            yield from _text(tag, entry, _PRINTABLE)
        elif kind != ASCII and _fits(entry, kind, most):
            yield tag, entry


def _fits(entry: Entry, kind: int, most: int) -> bool:
    kinds = {SHORT, LONG} if kind == SHORT else {kind}
    return entry.kind in kinds and 0 < entry.count <= most


def _position(found: Directory, decimals: int | None) -> Iterator[tuple[int, Entry]]:
    """Yield latitude and longitude: all of it or none, so that a half of it does not read as a place."""
    kept: dict[int, Entry] = {}
    for tag, letters, most in ((1, "NS", 90), (3, "EW", 180)):
        reference, entry = found.get(tag), found.get(tag + 1)
        if reference is None or entry is None or reference.text.upper()[:1] not in set(letters):
            return
        degrees = _degrees(entry.numbers) if _fits(entry, RATIONAL, 3) else None
        if degrees is None or degrees > most:
            return
        kept[tag] = new_entry(ASCII, reference.text.upper()[:1], reference.order)
        if decimals is not None:
            entry = new_entry(RATIONAL, [round(degrees * 10**decimals), 10**decimals, 0, 1, 0, 1], entry.order)
        kept[tag + 1] = entry
    yield from kept.items()


def _degrees(numbers: tuple[Number, ...]) -> Fraction | None:
    pairs = [number for number in numbers if isinstance(number, tuple)]
    if len(pairs) != 3 or any(bottom == 0 for _, bottom in pairs):
        return None
    return sum((Fraction(*pair) / 60**power for power, pair in enumerate(pairs)), Fraction(0))


def _road(text: str, policy: ExifPolicy) -> str:
    """Return the road authority's XML without people, and without what the policy says of time and place.

    Road number, section and metre stay: whoever keeps `road` keeps the place on the road. Nothing is left of a text
    that cannot be read.
    """
    try:
        root = redacted(parse_xml(text))
    except RoadXmlError:
        return ""
    for node in root.walk():
        if "Date" in node.attributes:
            node.attributes["Date"] = _moment(node.attributes["Date"], policy.time)
        rule = _rule(node.local.lower(), policy)
        if rule is not None and not any(isinstance(part, Node) for part in node.content):
            node.content = [rule("".join(part for part in node.content if isinstance(part, str)))]
    return compact(root)


def _rule(name: str, policy: ExifPolicy) -> Callable[[str], str] | None:
    """Return what becomes of the text of an element; None: it stays."""
    if name in _XML_PLACES and policy.position != "keep":
        return lambda text: _rounded(text, policy.position_decimals) if policy.position == "round" else ""
    if name in _XML_HEADINGS and policy.heading == "drop":
        return lambda text: ""
    if name in _XML_TIMES and policy.time != "keep":
        return lambda text: _moment(text, policy.time)
    if name in _XML_FILES and policy.time != "keep":
        # Folders are named after days; the file's own name says the road.
        return lambda text: text.replace("\\", "/").rpartition("/")[2]
    return None


def _moment(text: str, chosen: Literal["keep", "round", "drop"]) -> str:
    if chosen == "keep":
        return text
    found = _ISO_HOUR.match(text)
    return f"{found.group()}:00:00" if found and chosen == "round" else ""


def _rounded(text: str, decimals: int) -> str:
    """Round decimal degrees; degrees in words are left out."""
    try:
        return f"{float(text):.{decimals}f}"
    except ValueError:
        return ""
