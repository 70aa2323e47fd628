"""The directories of an EXIF block, read within bounds, and written anew.

Well-known readers loop for ever on directories that lead back to themselves and ask for gigabytes where a count says
so. Here every count and offset is checked against the bytes that are there before anything is copied, each directory
is visited once, and entries, values and their sum are capped; what breaks a rule is left out and named. Thumbnails
(IFD1), maker notes and the interoperability directory are never followed. Source: TIFF 6.0 section 2, CIPA DC-008.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Order = Literal["<", ">"]
Number = int | float | tuple[int, int]

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
UNDEFINED, SRATIONAL = 7, 10
EXIF_POINTER: Final = 0x8769
GPS_POINTER: Final = 0x8825

MAX_BLOCK: Final = 4 * 2**20
MAX_ENTRIES: Final = 1000
MAX_VALUE: Final = 256 * 2**10
MAX_VALUES: Final = 2**20
MAX_FAULTS: Final = 12
"""Bounds: bytes of a block, entries of a directory, bytes of one value and of all together, faults that are told."""

_HEAD: Final[dict[bytes, Order]] = {b"MM\x00*": ">", b"II*\x00": "<"}
_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_CODES: Final = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d"}
_PAIRS: Final = frozenset({RATIONAL, SRATIONAL})
_POINTERS: Final = frozenset({EXIF_POINTER, GPS_POINTER, 0xA005, 0x014A})
_MOST_NUMBERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as it lies in the file.

    Attributes:
        kind: TIFF type: 1 bytes, 2 text, 3 and 4 whole numbers, 5 and 10 fractions, 7 undefined ...
        raw: its bytes, in the byte order of the block.
        order: that byte order, "<" or ">".
    """

    kind: int
    raw: bytes
    order: Order

    @property
    def count(self) -> int:
        """How many numbers or characters it is."""
        return len(self.raw) // _WIDTHS[self.kind]

    @property
    def text(self) -> str:
        """Its bytes as text up to the first NUL, without blanks at either end; no byte is refused."""
        return decoded(self.raw.split(b"\x00", 1)[0]).strip()

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Its numbers, fractions as pairs of numerator and denominator; none for text."""
        code = _CODES.get(self.kind)
        if code is None or self.count > _MOST_NUMBERS:
            return ()
        many = self.count * (2 if self.kind in _PAIRS else 1)
        flat = struct.unpack_from(f"{self.order}{many}{code}", self.raw)
        return tuple(zip(flat[::2], flat[1::2], strict=True)) if self.kind in _PAIRS else flat


Directory = Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class Tiff:
    """The directories of a block: tag -> entry, without the pointers between them.

    Attributes:
        order: byte order, "<" or ">".
        image: IFD0, the main directory.
        photo: the EXIF directory.
        gps: the GPS directory.
        faults: what was left out, and why, for people.
    """

    order: Order = ">"
    image: Directory = field(default_factory=dict)
    photo: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def read_tiff(block: bytes) -> Tiff:
    """Read a TIFF block, as an EXIF segment holds it behind its `Exif` mark. Nothing is raised: see `faults`."""
    order = _HEAD.get(block[:4])
    if order is None or len(block) < 8:
        return Tiff(faults=("the EXIF block does not begin like one",))
    if len(block) > MAX_BLOCK:
        return Tiff(order, faults=(f"the EXIF block has {len(block)} bytes, more than {MAX_BLOCK}",))
    walk = _Walk(block, order)
    image = walk.directory("IFD0", walk.number("I", 4))
    photo = walk.directory("EXIF", walk.pointers.get(EXIF_POINTER))
    gps = walk.directory("GPS", walk.pointers.get(GPS_POINTER))
    told, more = walk.faults[:MAX_FAULTS], len(walk.faults) - MAX_FAULTS
    return Tiff(order, image, photo, gps, (*told, f"and {more} faults more") if more > 0 else tuple(told))


def write_tiff(image: Directory, photo: Directory | None = None, gps: Directory | None = None) -> bytes:
    """Return a new block with just these entries, in the byte order that they have; empty parts are left out.

    Raises:
        ValueError: entries of both byte orders are mixed.
    """
    parts = [dict(part or {}) for part in (image, photo, gps)]
    orders = {entry.order for part in parts for entry in part.values()} or {">"}
    if len(orders) > 1:
        raise ValueError("entries of both byte orders in one block")
    order: Order = orders.pop()
    pointers = [tag for tag, part in zip((EXIF_POINTER, GPS_POINTER), parts[1:], strict=True) if part]
    main = {tag: entry for tag, entry in parts[0].items() if tag not in _POINTERS}
    blank = Entry(LONG, bytes(4), order)
    at = 8 + len(_directory(main | dict.fromkeys(pointers, blank), 8, order))
    behind = bytearray()
    for tag, part in zip((EXIF_POINTER, GPS_POINTER), parts[1:], strict=True):
        if part:
            main[tag] = Entry(LONG, struct.pack(order + "I", at + len(behind)), order)
            behind += _directory(part, at + len(behind), order)
    head = (b"MM\x00*" if order == ">" else b"II*\x00") + struct.pack(order + "I", 8)
    return head + _directory(main, 8, order) + bytes(behind)


def decoded(raw: bytes) -> str:
    """Return bytes as text: UTF-8 where they are that, else Windows-1252, which cameras write instead."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def as_float(number: Number) -> float | None:
    """Return a number or a fraction as a float; None where its denominator is 0."""
    if isinstance(number, tuple):
        return number[0] / number[1] if number[1] else None
    return float(number)


class _Walk:
    """One pass over a block, with what it may still cost."""

    def __init__(self, block: bytes, order: Order) -> None:
        self.block, self.order = block, order
        self.faults: list[str] = []
        self.pointers: dict[int, int] = {}
        self._seen: set[int] = set()
        self._left = MAX_VALUES

    def number(self, code: str, at: int) -> int:
        """Return the whole number at an offset that is known to be inside."""
        value: int = struct.unpack_from(self.order + code, self.block, at)[0]
        return value

    def directory(self, name: str, at: int | None) -> dict[int, Entry]:
        """Return the entries of the directory at an offset, the first of each tag."""
        if at is None:
            return {}
        if at in self._seen:
            self.faults.append(f"{name} leads back to a directory that was read")
            return {}
        self._seen.add(at)
        if not 8 <= at <= len(self.block) - 2:
            self.faults.append(f"{name} lies outside the EXIF block, at {at}")
            return {}
        found: dict[int, Entry] = {}
        for tag, kind, count, place in self._slots(name, at):
            if tag in _POINTERS:
                self._point(name, tag, kind, place)
            elif tag not in found and (entry := self._entry(name, tag, kind, count, place)):
                found[tag] = entry
        return found

    def _slots(self, name: str, at: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield tag, type, count and the offset of the last four bytes of each entry that is there."""
        stated = self.number("H", at)
        held = min(stated, MAX_ENTRIES, (len(self.block) - at - 2) // 12)
        if held < stated:
            self.faults.append(f"{name} states {stated} entries, of which {held} are read")
        for slot in range(at + 2, at + 2 + 12 * held, 12):
            tag, kind, count = struct.unpack_from(self.order + "HHI", self.block, slot)
            yield tag, kind, count, slot + 8

    def _point(self, name: str, tag: int, kind: int, place: int) -> None:
        if name == "IFD0" and kind in {LONG, 13}:
            self.pointers.setdefault(tag, self.number("I", place))

    def _entry(self, name: str, tag: int, kind: int, count: int, place: int) -> Entry | None:
        width = _WIDTHS.get(kind)
        if width is None:
            self.faults.append(f"{name} tag {tag} has the unknown type {kind}")
            return None
        size = width * count
        at = place if size <= 4 else self.number("I", place)
        if size > MAX_VALUE or at + size > len(self.block):
            self.faults.append(f"{name} tag {tag} states {size} bytes at {at}, which are not there or too many")
            return None
        if size > self._left:
            self.faults.append(f"{name} tag {tag}: the values are more than {MAX_VALUES} bytes together")
            return None
        self._left -= size
        return Entry(kind, self.block[at : at + size], self.order)


def _directory(entries: Directory, at: int, order: Order) -> bytes:
    """Return a directory that will lie at offset `at`, followed by the values that do not fit into it."""
    head, behind = bytearray(struct.pack(order + "H", len(entries))), bytearray()
    start = at + 2 + 12 * len(entries) + 4
    for tag, entry in sorted(entries.items()):
        head += struct.pack(order + "HHI", tag, entry.kind, entry.count)
        if len(entry.raw) <= 4:
            head += entry.raw.ljust(4, b"\x00")
        else:
            head += struct.pack(order + "I", start + len(behind))
            behind += entry.raw + b"\x00" * (len(entry.raw) % 2)
    return bytes(head + bytes(4) + behind)


def new_entry(kind: int, value: str | bytes | Sequence[int], order: Order) -> Entry:
    """Return a new entry: text (a NUL is added for type 2), bytes as they are, or whole numbers, flat for fractions."""
    if isinstance(value, str):
        return Entry(kind, value.encode() + (b"\x00" if kind == ASCII else b""), order)
    if isinstance(value, bytes):
        return Entry(kind, value, order)
    return Entry(kind, struct.pack(f"{order}{len(value)}{_CODES[kind]}", *value), order)
