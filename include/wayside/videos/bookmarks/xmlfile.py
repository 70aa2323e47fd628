"""Bookmarks as XML, as `bookmarks.xsd` beside this file describes it: events, their images, the labels of these.

Read by defusedxml as a stream, without DTD, entities or external references. Nothing but the elements of the schema
is taken, each only below its own parent, so that no file can nest deeper than four levels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException
from defusedxml.sax import parseString

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks.model import (
    BookmarkEvent,
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    Box,
    Polygon,
    text_of,
    time_of,
)

_PARENT: Final = {"labels": None, "event": "labels", "image": "event", "label": "image"}
_ATTRIBUTES: Final = {
    "labels": ((), ("job_id", "earliest_date", "latest_date")),
    "event": (("start", "end", "camera_name"), ("id", "camera_id", "source_file", "source_sha256")),
    "image": (("timestamp",), ("source_sha1",)),
    "label": (("name",), ("probability", "box", "polygon")),
}


def schema() -> bytes:
    """Return the XSD."""
    return files("wayside.videos.bookmarks").joinpath("bookmarks.xsd").read_bytes()


def write_xml(bookmarks: Bookmarks) -> bytes:
    """Return the bookmarks as XML, UTF-8."""
    root = _element(
        None,
        "labels",
        job_id=bookmarks.job,
        earliest_date=text_of(bookmarks.earliest) if bookmarks.earliest else None,
        latest_date=text_of(bookmarks.latest) if bookmarks.latest else None,
    )
    groups: dict[tuple[Any, ...], list[BookmarkImage]] = {}
    for image in bookmarks.images:
        key = image.event, image.camera, image.camera_id, image.source_file, image.source_sha256
        groups.setdefault(key, []).append(image)
    for images in groups.values():
        _write_event(root, images)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def read_xml(data: bytes) -> Bookmarks:
    """Return the bookmarks of an XML text.

    Raises:
        ConfigError: it is no XML or not as the schema says, with line and column; it has a DTD.
    """
    handler = _Handler()
    try:
        parseString(data, handler, forbid_dtd=True)
    except DefusedXmlException:
        raise ConfigError("bookmarks: XML with a DTD or entities is not read") from None
    except SAXParseException as error:
        where = f"line {error.getLineNumber()}, column {(error.getColumnNumber() or 0) + 1}"
        raise ConfigError(f"bookmarks: no XML at {where}: {error.getMessage()}") from None
    except (SAXException, LookupError, ValueError) as error:
        raise ConfigError(f"bookmarks: no XML: {error}") from None
    return handler.bookmarks()


def _write_event(root: ET.Element, images: list[BookmarkImage]) -> None:
    first, last = images[0], images[-1]
    event = first.event
    parent = _element(
        root,
        "event",
        id=event.id if event else None,
        start=text_of(event.start if event else first.at),
        end=text_of(event.end if event else last.at),
        camera_name=first.camera,
        camera_id=first.camera_id,
        source_file=first.source_file,
        source_sha256=first.source_sha256,
    )
    for image in images:
        sha1 = " ".join(image.sha1) or None
        below = _element(parent, "image", timestamp=text_of(image.at), source_sha1=sha1)
        for label in image.labels:
            corners = None if label.polygon is None else [value for point in label.polygon for value in point]
            _element(
                below,
                "label",
                name=label.name,
                probability=None if label.probability is None else repr(label.probability),
                box=_numbers(label.box),
                polygon=_numbers(corners),
            )


def _element(parent: ET.Element | None, tag: str, /, **attributes: str | None) -> ET.Element:
    said = {key: value for key, value in attributes.items() if value is not None}
    return ET.Element(tag, said) if parent is None else ET.SubElement(parent, tag, said)


def _numbers(values: Any) -> str | None:
    return None if values is None else " ".join(map(repr, values))


class _Handler(ContentHandler):
    """Gathers images while the parser walks through a text."""

    def __init__(self) -> None:
        super().__init__()
        self._job: dict[str, str] = {}
        self._open: list[str] = []
        self._group: dict[str, str] = {}
        self._event: BookmarkEvent | None = None
        self._image: dict[str, str] = {}
        self._labels: list[BookmarkLabel] = []
        self._images: list[BookmarkImage] = []
        self._where: Locator | None = None

    def bookmarks(self) -> Bookmarks:
        """Return what was read."""
        earliest, latest = (
            time_of(self._job[name], name) if self._job.get(name) else None for name in ("earliest_date", "latest_date")
        )
        return Bookmarks(self._job.get("job_id"), earliest, latest, tuple(self._images))

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX calls it so
        """Keep what knows the place in the text."""
        self._where = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        """Take an element of the schema."""
        with self._placed():
            parent = self._open[-1] if self._open else None
            if name not in _PARENT or _PARENT[name] != parent:
                raise ConfigError(
                    f"<{name[:60]}> has no place {f'in <{parent}>' if parent else 'as the first element'}"
                )
            self._open.append(name)
            said = _checked(name, dict(attrs.items()))
            readers: dict[str, Callable[[dict[str, str]], None]] = {
                "labels": self._read_root,
                "event": self._read_event,
                "image": self._read_image,
                "label": self._read_label,
            }
            readers[name](said)

    def endElement(self, name: str) -> None:  # noqa: N802
        """Make an image once its labels are all there."""
        self._open.pop()
        if name == "image":
            with self._placed():
                self._images.append(self._made())

    def characters(self, content: str) -> None:
        """Refuse text: everything is in attributes."""
        if content.strip():
            with self._placed():
                raise ConfigError(f"text has no place here: {content.strip()[:40]!r}")

    def _read_root(self, said: dict[str, str]) -> None:
        self._job = said

    def _read_event(self, said: dict[str, str]) -> None:
        self._group, self._event = said, None
        if "id" in said:
            self._event = BookmarkEvent(said["id"], time_of(said["start"], "start"), time_of(said["end"], "end"))

    def _read_image(self, said: dict[str, str]) -> None:
        self._image, self._labels = said, []

    def _read_label(self, said: dict[str, str]) -> None:
        box: Box | None = None
        if "box" in said:
            x1, y1, x2, y2 = _floats(said["box"], "box", 4)
            box = x1, y1, x2, y2
        probability = _floats(said["probability"], "probability", 1)[0] if "probability" in said else None
        polygon = _corners(said["polygon"]) if "polygon" in said else None
        self._labels.append(BookmarkLabel(said["name"], probability, box, polygon))

    def _made(self) -> BookmarkImage:
        said, image = self._group, self._image
        return BookmarkImage(
            time_of(image["timestamp"], "timestamp"),
            said["camera_name"],
            said.get("camera_id"),
            tuple(self._labels),
            self._event,
            said.get("source_file"),
            said.get("source_sha256"),
            tuple(image.get("source_sha1", "").split()),
        )

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Say with line and column what is wrong."""
        try:
            yield
        except ConfigError as error:
            line, column = (self._where.getLineNumber(), self._where.getColumnNumber()) if self._where else (0, 0)
            raise ConfigError(f"bookmarks: line {line}, column {(column or 0) + 1}: {error}") from None


def _checked(element: str, said: dict[str, str]) -> dict[str, str]:
    needed, other = _ATTRIBUTES[element]
    if missing := [name for name in needed if name not in said]:
        raise ConfigError(f"<{element}> lacks {', '.join(missing)}")
    if strange := sorted(set(said) - {*needed, *other} - {"xmlns:xsi", "xsi:noNamespaceSchemaLocation"}):
        raise ConfigError(f"<{element}> has attributes that are not known: {', '.join(strange)[:100]}")
    return said


def _floats(text: str, what: str, length: int | None = None) -> list[float]:
    try:
        values = [float(value) for value in text.split()]
    except ValueError:
        raise ConfigError(f"{what} is {text[:60]!r}, which are no numbers") from None
    if length is not None and len(values) != length:
        raise ConfigError(f"{what} has {len(values)} numbers; it takes {length}")
    return values


def _corners(text: str) -> Polygon:
    values = _floats(text, "polygon")
    if len(values) % 2:
        raise ConfigError(f"polygon has {len(values)} numbers, which are no pairs of x and y")
    return tuple(zip(values[::2], values[1::2], strict=True))
