"""Hides who drove, in which car, and what they remarked, in the road XML of a photo.

Whatever an element or attribute of these names holds becomes `FJERNET` (Norwegian: removed), at any depth, in any
case, with any prefix; comments of XML itself and processing instructions are dropped. A driver's name or a
registration number is hidden wherever else the text repeats it. A text that cannot be parsed cannot be cleaned, so
there is no way to get it through: callers leave it out.
"""

import re
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from wayside.metadata.exif import Exif
from wayside.metadata.roadxml import Node, RoadXmlError, parse_xml

REDACTED: Final = "FJERNET"

_PARTS: Final = ("driver", "carid", "comment")
_WHOLE: Final = frozenset({"note", "notes", "remark", "remarks"})
_NAMING: Final = ("driver", "carid")
_SHORTEST_REPEATED: Final = 5
_SHORTEST_TOLD: Final = 4
_PRETTY_DECLARATION: Final = '<?xml version="1.0" ?>\n'
_COMPACT_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'


def redact_xml(text: str) -> str:
    """Return the XML text on one line, as the recorder writes it, without personal texts.

    Raises:
        RoadXmlError: the text cannot be read, see `parse_xml`.
    """
    return compact(redacted(parse_xml(text)))


def redacted(root: Node) -> Node:
    """Return a copy of the element without personal texts. Elements that are empty stay empty."""
    names = Names(_held(root, _NAMING))
    return _clean(root, names)


class Names:
    """Names and registration numbers that a record must not hold, wherever they stand."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Take the texts; very short ones are left out, since they are part of much else."""
        kept = sorted({text for text in texts if len(text) >= _SHORTEST_REPEATED}, key=len, reverse=True)
        # Whole words only: a number on a plate may also be the digits of a coordinate.
        rule = rf"(?<![\w.,])(?:{'|'.join(map(re.escape, kept))})(?!\w)"
        self._rule = re.compile(rule, re.IGNORECASE) if kept else None

    def hidden(self, text: str) -> str:
        """Return the text with each of them replaced."""
        return self._rule.sub(REDACTED, text) if self._rule else text


def names_in(root: Node | None) -> tuple[str, ...]:
    """Return the drivers' names and the registration numbers in an element."""
    return tuple(_held(root, _NAMING)) if root else ()


def personal_texts(exif: Exif) -> tuple[str, ...]:
    """List what must not be found in any output made from a picture with this EXIF block.

    Drivers, registration numbers, comments and notes of both XML texts, and artist, owner, description and comments
    of EXIF. Left out are texts of fewer than four characters, and those that the picture also has in a field that is
    published (the name of the stretch, the maker of the camera): they would be found everywhere.
    """
    shown = " ".join(text for text in (exif.make, exif.camera, exif.xp_title) if text).casefold()
    found = [text for text in exif.personal if text.casefold() not in shown]
    for text in (exif.image_properties, exif.reflink):
        try:
            root = parse_xml(text) if text else None
        except RoadXmlError:
            continue  # it is in no output either
        if root:
            public = pretty(redacted(root)).casefold()
            found += [held for held in _held(root, (*_PARTS, *_WHOLE)) if held.casefold() not in public]
    return tuple(dict.fromkeys(text for text in found if len(text) >= _SHORTEST_TOLD and text != REDACTED))


def pretty(root: Node) -> str:
    r"""Return the element as version 1 of the replaced system wrote it.

    A tab for each level, one element a line, attributes sorted, `"` and `>` escaped in text too, `<x/>` for an empty
    element: the form that Python's minidom gave before 3.8.
    """
    lines: list[str] = [_PRETTY_DECLARATION]
    _pretty(root, 0, lines)
    return "".join(lines)


def compact(root: Node) -> str:
    """Return the element on one line with its declaration; `<x />` for an empty element, as the recorder writes it."""
    pieces: list[str] = [_COMPACT_DECLARATION]
    _compact(root, pieces)
    return "".join(pieces)


def _personal(name: str) -> bool:
    """Whether what has this name (without prefix) tells of people."""
    lower = name.rpartition(":")[2].casefold()
    return lower in _WHOLE or any(part in lower for part in _PARTS)


def _held(root: Node, names: tuple[str, ...]) -> list[str]:
    """Return the texts below elements, and in attributes, whose name is or contains one of these."""

    def meant(name: str) -> bool:
        lower = name.rpartition(":")[2].casefold()
        return any(lower == part if part in _WHOLE else part in lower for part in names)

    found: list[str | None] = []
    for node in root.walk():
        found += [value.strip() for name, value in node.attributes.items() if meant(name)]
        if meant(node.local):
            for below in node.walk():
                found += [below.text, *(value.strip() for value in below.attributes.values())]
    return [text for text in found if text]


def _clean(node: Node, names: Names) -> Node:
    attributes = {
        name: REDACTED if _personal(name) and value.strip() else names.hidden(value)
        for name, value in node.attributes.items()
    }
    if _personal(node.local):
        holds = node.attributes or any(part if isinstance(part, Node) else part.strip() for part in node.content)
        return Node(node.name, {}, [REDACTED] if holds else [])
    content = [_clean(part, names) if isinstance(part, Node) else names.hidden(part) for part in node.content]
    return Node(node.name, attributes, content)


def _quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _pretty(node: Node, level: int, lines: list[str]) -> None:
    tabs = "\t" * level
    start = "".join(f' {name}="{_quoted(value)}"' for name, value in sorted(node.attributes.items()))
    if not node.content:
        lines.append(f"{tabs}<{node.name}{start}/>\n")
        return
    if len(node.content) == 1 and isinstance(node.content[0], str):
        lines.append(f"{tabs}<{node.name}{start}>{_quoted(node.content[0])}</{node.name}>\n")
        return
    lines.append(f"{tabs}<{node.name}{start}>\n")
    for part in node.content:
        if isinstance(part, Node):
            _pretty(part, level + 1, lines)
        elif part.strip():
            lines.append(f"{tabs}\t{_quoted(part)}\n")
    lines.append(f"{tabs}</{node.name}>\n")


def _compact(node: Node, pieces: list[str]) -> None:
    # A line break in an attribute would be read back as a blank.
    kept = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
    start = "".join(f' {name}="{escape(value, kept)}"' for name, value in node.attributes.items())
    if not node.content:
        pieces.append(f"<{node.name}{start} />")
        return
    pieces.append(f"<{node.name}{start}>")
    for part in node.content:
        if isinstance(part, Node):
            _compact(part, pieces)
        else:
            pieces.append(escape(part, {"\r": "&#13;"}))
    pieces.append(f"</{node.name}>")
