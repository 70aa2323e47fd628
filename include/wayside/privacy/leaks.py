"""The last look at an anonymised file before anybody may see it: does anything in it give away what it should hide?

Written to distrust `write.py`: the file is judged by its own bytes. What it may hold is a short list, everything else
is a leak: segments, tags, text of people, a second picture in any place, bytes behind the end, and pixels of the
original under the mask. A finding of the kind `cosmetic` says that the fill is a blur, which can be undone; whoever
asked for one expects it. Every other finding means that the file must not be published.
"""

import itertools
import re
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wayside.core.errors import ImageError
from wayside.metadata.tiff import Directory, Tiff, read_tiff, write_tiff
from wayside.privacy import exifpolicy
from wayside.privacy.jpegfile import ADOBE, APP0, APP1, APP2, APP13, APP14, COM, EXIF, ICC, JFIF, JpegFile, parse
from wayside.privacy.objects import Mask
from wayside.privacy.settings import ExifPolicy
from wayside.privacy.survivors import changed_blocks, survivors
from wayside.vision.decode import Image, Limits, decode

COSMETIC: Final = "cosmetic"
"""The kind of a leak that says only that the fill can be undone."""

_PICTURE: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD})
_ICC_HEAD: Final = len(ICC) + 2
_SIGNS: Final = (
    b"\xff\xd8\xff", b"\x89PNG\r\n", b"WEBP", b"ftyp", b"8BIM", b"JFIF", b"MPF\0", b"<x:xmpmeta",
    b"/9j/4", b"iVBORw0KGgo",  # JPEG and PNG in base 64
)  # fmt: skip
_MAKER_NOTE: Final = 37500
_ALWAYS: Final = {"image": {exifpolicy.ORIENTATION}, "photo": {36864}, "gps": {0}}
_ROUND_HOUR: Final = re.compile(r"\d{4}:\d\d:\d\d \d\d:00:00", re.ASCII)
_ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
_LEAST_ANYWHERE: Final = 6  # bytes: coded pixels hold every shorter text by chance
_LEAST_TEXT: Final = 2  # characters
_DECODED_NOISE: Final = 6  # grey levels that a decoded picture may be off what was filled


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that an anonymised file should not hold.

    Attributes:
        kind: `undecodable`, `structure`, `segment`, `thumbnail`, `mpf`, `xmp`, `photoshop`, `comment`, `embedded`,
            `trailer`, `exif`, `maker_note`, `gps`, `time`, `camera`, `road`, `icc`, `text`, `size`, `mismatch`,
            `pixels` or `cosmetic`.
        detail: what and where, for people; it never repeats a personal text.
    """

    kind: str
    detail: str


def scan(
    output: bytes,
    *,
    original: bytes | Image | None = None,
    mask: Mask | None = None,
    filled: Image | None = None,
    texts: Sequence[str] = (),
    policy: ExifPolicy | None = None,
    limits: Limits | None = None,
) -> tuple[Leak, ...]:
    """Look for leaks in an anonymised file.

    Args:
        output: the file.
        original: what it was made of, as bytes, or decoded: uint8 [H, W, 3] blue-green-red, upright.
        mask: bool [H, W], upright, True where nothing of the original may be seen.
        filled: uint8 [H, W, 3], upright: what the file should show.
        texts: texts that may be nowhere in it, such as a driver's name.
        policy: what may be kept of the metadata; None: every tag that any policy can keep.
        limits: caps on bytes and pixels, those of the settings by default.

    Returns:
        What was found, structure first; empty for a file that gives nothing away.

    Raises:
        ImageError: the original cannot be decoded.
    """
    try:
        file = parse(output)
        # Pixels are looked at where nobody says what they should be; otherwise a small decode tells that it is whole.
        shown = decode(output, limits=limits, at_least=None if filled is None else (1, 1))
    except ImageError as error:
        return (Leak("undecodable", f"the file cannot be read: {error.message}"),)
    found = [*_structure(file), *_metadata(file, policy or _anything()), *_texts(file, output, texts)]
    if mask is None or not mask.any():
        return tuple(found)
    if mask.shape != (shown.height, shown.width):
        return (*found, Leak("size", f"the file shows {shown.width} x {shown.height} pixels, the mask has others"))
    if filled is not None:
        found += _changed(output, mask, filled)
    if original is not None:
        source = decode(original, limits=limits).image if isinstance(original, bytes) else original
        seen, noise = (shown.image, _DECODED_NOISE) if filled is None else (filled, 0)
        found += [Leak(kind, detail) for kind, detail in survivors(seen, source, mask, noise=noise)]
    return tuple(found)


def _anything() -> ExifPolicy:
    return ExifPolicy(time="keep", position="keep", heading="keep", camera="keep", road="keep", icc="keep")


def _changed(output: bytes, mask: Mask, filled: Image) -> list[Leak]:
    try:
        count, (left, top) = changed_blocks(output, mask, filled)
    except ImageError as error:
        return [Leak("structure", f"the coefficients of the file cannot be compared: {error.message}")]
    if not count:
        return []
    return [
        Leak("mismatch", f"{count} blocks under the mask show something else than the fill, the first at {left}, {top}")
    ]


def _structure(file: JpegFile) -> Iterator[Leak]:
    """Judge every segment, and what lies behind the end."""
    seen: set[int] = set()
    for segment in file.segments:
        if segment.marker in _PICTURE:
            continue
        kind, fine = _judged(segment.marker, segment.payload)
        if not fine or (segment.marker in seen and segment.marker != APP2):
            yield Leak(kind, f"a segment {segment.marker:02X} of {len(segment.payload)} bytes that is not on the list")
        seen.add(segment.marker)
        for sign in _SIGNS:
            if segment.payload.find(sign, 4 if segment.marker == APP0 else 0) >= 0:
                yield Leak("embedded", f"a segment {segment.marker:02X} holds what begins like a picture ({sign!r})")
    if file.trailer:
        yield Leak("trailer", f"{len(file.trailer)} bytes behind the end of the picture")


def _judged(marker: int, payload: bytes) -> tuple[str, bool]:
    """Return the kind of leak that a segment would be, and whether it is none."""
    if marker == APP0:
        whole = payload.startswith(JFIF) and len(payload) == 14 and payload.endswith(b"\0\0")
        return ("thumbnail", whole)
    if marker == APP1:
        return ("exif", True) if payload.startswith(EXIF) else ("xmp", False)
    if marker == APP2:
        return ("icc", len(payload) > _ICC_HEAD) if payload.startswith(ICC) else ("mpf", False)
    if marker == APP14:
        return ("segment", payload.startswith(ADOBE) and len(payload) == 12)
    return {COM: "comment", APP13: "photoshop"}.get(marker, "segment"), False


def _metadata(file: JpegFile, policy: ExifPolicy) -> Iterator[Leak]:
    if policy.icc == "drop" and file.payloads(APP2, ICC):
        yield Leak("icc", "a colour profile, which the policy drops")
    for block in file.payloads(APP1, EXIF):
        tiff = read_tiff(block)
        if tiff.faults:
            yield Leak("exif", f"a block of metadata that breaks its own rules: {tiff.faults[0]}")
        elif _second_directory(block, tiff):
            yield Leak("thumbnail", "a second directory of metadata (IFD1), where thumbnails are")
        elif write_tiff(tiff.image, tiff.photo, tiff.gps) != block:
            yield Leak("exif", "the block of metadata holds more bytes than its directories use")
        for part, entries in (("image", tiff.image), ("photo", tiff.photo), ("gps", tiff.gps)):
            yield from _tags(part, entries, policy)


def _second_directory(block: bytes, tiff: Tiff) -> bool:
    """Return whether another directory follows the main one. `read_tiff` has found it whole."""
    (start,) = struct.unpack_from(tiff.order + "I", block, 4)
    (count,) = struct.unpack_from(tiff.order + "H", block, start)
    end = start + 2 + 12 * count
    return block[end : end + 4] not in {b"\0\0\0\0", b""}


def _tags(part: str, entries: Directory, policy: ExifPolicy) -> Iterator[Leak]:
    for tag in entries:
        if tag in _ALWAYS[part]:
            continue
        kind, chosen = _group(part, tag, policy)
        if chosen == "drop":
            yield Leak(kind, f"tag {tag} of the {part} directory, which the policy does not keep")
        elif chosen == "round" and not _is_round(kind, tag, entries, policy):
            yield Leak(kind, f"tag {tag} of the {part} directory is finer than the policy allows")


def _group(part: str, tag: int, policy: ExifPolicy) -> tuple[str, str]:
    """Return the kind of leak that a tag would be, and what the policy says of it."""
    groups = {
        "image": (
            (exifpolicy.IMAGE_TIMES, "time", policy.time),
            (exifpolicy.IMAGE_CAMERA, "camera", policy.camera),
            (exifpolicy.ROAD, "road", policy.road),
        ),
        "photo": (
            (exifpolicy.PHOTO_TIMES, "time", policy.time),
            (exifpolicy.PHOTO_CAMERA, "camera", policy.camera),
        ),
        "gps": (
            (exifpolicy.GPS_POSITION, "gps", policy.position),
            (exifpolicy.GPS_HEADING, "gps", policy.heading),
            (exifpolicy.GPS_TIMES, "time", "keep" if policy.time == "keep" else "drop"),
        ),
    }
    for tags, kind, chosen in groups[part]:
        if tag in tags:
            return kind, chosen
    other = "maker_note" if tag == _MAKER_NOTE else "gps" if part == "gps" else "exif"
    return other, "drop"


def _is_round(kind: str, tag: int, entries: Directory, policy: ExifPolicy) -> bool:
    entry = entries[tag]
    if kind == "time":
        return tag in exifpolicy.OFFSETS or bool(_ROUND_HOUR.fullmatch(entry.text))
    if tag in {1, 3}:
        return True
    degrees, *rest = entry.numbers
    return rest == [(0, 1), (0, 1)] and isinstance(degrees, tuple) and degrees[1] == 10**policy.position_decimals


def _texts(file: JpegFile, output: bytes, texts: Sequence[str]) -> Iterator[Leak]:
    """Look for texts in every encoding that metadata use, whatever the case of their letters."""
    aside = b"\0\0\0".join(one.payload for one in file.segments).lower() + b"\0\0\0" + file.trailer.lower()
    everywhere = output.lower()
    for number, text in enumerate(texts):
        for needle, encoding in _needles(text.strip()):
            if needle in (everywhere if len(needle) >= _LEAST_ANYWHERE else aside):
                yield Leak("text", f"personal text {number + 1} of {len(texts)}, as {encoding}")
                break


def _needles(text: str) -> Iterator[tuple[bytes, str]]:
    if len(text) < _LEAST_TEXT:
        return
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    cases = sorted({case for form in forms for case in (form, form.lower(), form.upper())})
    for case, encoding in itertools.product(cases, _ENCODINGS):
        needle = case.encode(encoding, "ignore").lower()
        if needle and len(case.encode(encoding, "replace")) == len(needle):
            yield needle, encoding
