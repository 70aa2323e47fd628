"""The two XML texts of a road photo: ImageProperties (EXIF tag 40055) and ReflinkInfo (40056), in both its forms.

Parsed by defusedxml without DTD, entities or external references, within caps on size, depth and number of elements.
What a text lacks is None. The recorder's `NaN` stands for a number that was not measured, and is None as well where
a number is asked for; texts are handed on as they are.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml import DefusedXmlException
from defusedxml.sax import parseString

from wayside.core.errors import ImageError
from wayside.metadata.exif import MAX_XML

MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 5000
"""Bounds of an XML text; the recorder's own texts have 4 levels and about 80 elements."""

RMS_FIELDS: Final = (
    "NorthRmsError",
    "EastRmsError",
    "DownRmsError",
    "RollRmsError",
    "PitchRmsError",
    "HeadingRmsError",
)

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]*\?>")


class RoadXmlError(ImageError):
    """An XML text of a road photo that cannot be read, or breaks a limit; `reason` is `road_xml`."""


@dataclass(slots=True)
class Node:
    """An element: its name as written, attributes in order, and content in order, elements and pieces of text."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: "list[Node | str]" = field(default_factory=list)

    @property
    def local(self) -> str:
        """The name without a prefix."""
        return self.name.rpartition(":")[2]

    @property
    def elements(self) -> "Iterator[Node]":
        """The elements in it."""
        return (part for part in self.content if isinstance(part, Node))

    @property
    def text(self) -> str | None:
        """Its own text without blanks at either end; None where there is none."""
        return "".join(part for part in self.content if isinstance(part, str)).strip() or None

    def child(self, *path: str) -> "Node | None":
        """Return the first element that is reached by these names, one below the other."""
        here: Node | None = self
        for name in path:
            here = next((node for node in here.elements if node.local == name), None) if here else None
        return here

    def value(self, *path: str) -> str | None:
        """Return the text of the element that is reached by these names."""
        found = self.child(*path)
        return found.text if found else None

    def walk(self) -> "Iterator[Node]":
        """Yield this element and all below it, in the order of the text."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(list(node.elements)))


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """What the recorder says about a picture; texts as written.

    Attributes:
        date: moment of the picture, with seven decimals.
        name: path of the picture when it was taken, with the separators of Windows.
        speed: of the car, in m/s on some recorders and km/h on others.
        heading: degrees.
        county: number of the county.
        area: name of the stretch.
        road: `EV134`.
        hp: `5`, or `S1D1`.
        lane: number of the lane.
        lane_name: lane, as `4K`.
        meter: metre on the stretch.
        baseline: the five values of the measuring line, joined by `;`; None unless all are there.
        lat, lon, alt: the recorder's own position.
    """

    date: str | None = None
    name: str | None = None
    speed: str | None = None
    heading: str | None = None
    county: str | None = None
    area: str | None = None
    road: str | None = None
    hp: str | None = None
    lane: str | None = None
    lane_name: str | None = None
    meter: str | None = None
    baseline: str | None = None
    lat: str | None = None
    lon: str | None = None
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class Reflink:
    """Where on the road network a picture was taken; texts as written.

    Attributes:
        form: `ReflinkInfo` (March 2020: link and position only) or `AdditionalInfoNorway2` (May 2020 and later).
        link: id of the link.
        position: position on it, 0..1.
        ident: road identity, `FV13 S1D1 m14`.
        gnss: children of GnssInfo: Latitude, Longitude, Altitude, Heading, Speed, GeoidalSeparation, errors ...
        image: ImageInfo of 360° pictures: roadtype, meter, fylke, StorageFile; None where there is none.
        missing: children that a text of this form should have, and has not.
    """

    form: Literal["ReflinkInfo", "AdditionalInfoNorway2"]
    link: str | None = None
    position: str | None = None
    ident: str | None = None
    gnss: Mapping[str, str | None] = field(default_factory=dict)
    image: Mapping[str, str | None] | None = None
    missing: tuple[str, ...] = ()


def parse_xml(text: str) -> Node:
    """Parse an XML text of a road photo into its root element.

    Raises:
        RoadXmlError: the text is no XML, holds a DTD or entities, or is too long, too deep or too full.
    """
    told = text.lstrip("\ufeff")
    declared = _DECLARATION.match(told)  # it may name an encoding, which this text no longer has
    plain = told[declared.end() if declared else 0 :].encode("utf-8", "replace")
    if len(plain) > MAX_XML:
        raise RoadXmlError("road_xml", f"the road XML has {len(plain)} bytes, more than {MAX_XML}")
    builder = _Builder()
    try:
        parseString(plain, builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise RoadXmlError("road_xml", f"the road XML holds what it must not: {type(error).__name__}") from error
    except (SAXException, ValueError) as error:
        raise RoadXmlError("road_xml", f"the road XML cannot be read: {_told(error)}") from error
    if builder.root is None:
        raise RoadXmlError("road_xml", "the road XML has no element")
    return builder.root


def image_properties(root: Node) -> ImageProperties:
    """Read an ImageProperties element; another root gives what it holds of the same names."""
    line = [root.value(name) for name in ("BaseLinePosition", "BaseLineTickInterval", "BaseLineTickOffset")]
    line += [root.value("TiltPoint"), root.value("Tilt")]
    road = root.child("VegComValues") or Node("VegComValues")
    place = root.child("GeoTag") or Node("GeoTag")
    return ImageProperties(
        date=root.attributes.get("Date", "").strip() or None,
        name=root.value("ImageName"),
        speed=root.value("Speed"),
        heading=root.value("Heading"),
        county=road.value("VCCountyNo"),
        area=road.value("VCArea"),
        road=road.value("VCRoad"),
        hp=road.value("VCHP"),
        lane=road.value("VCLane"),
        lane_name=road.value("VCLaneName"),
        meter=road.value("VCMeter"),
        baseline=";".join(part for part in line if part) if all(line) else None,
        lat=place.value("dLatitude"),
        lon=place.value("dLongitude"),
        alt=place.value("dAltitude"),
    )


def reflink(root: Node) -> Reflink:
    """Read a ReflinkInfo or AdditionalInfoNorway2 element.

    Raises:
        RoadXmlError: the root is neither.
    """
    if root.local == "ReflinkInfo":
        link, position = root.value("ReflinkId"), root.value("ReflinkPosition")
        stated = {"ReflinkId": link, "ReflinkPosition": position}
        absent = tuple(name for name, value in stated.items() if not value)
        return Reflink("ReflinkInfo", link, position, missing=absent)
    if root.local != "AdditionalInfoNorway2":
        raise RoadXmlError("road_xml", f"the road XML has the unknown root {root.local[:40]!r}")
    gnss = {node.local: node.text for node in (root.child("GnssInfo") or Node("GnssInfo")).elements}
    info = root.child("ImageInfo")
    image = {node.local: node.text for node in info.elements} if info else None
    link, position, ident = (root.value("RoadInfo", name) for name in ("ReflinkId", "ReflinkPosition", "RoadIdent"))
    expected: dict[str, str | None] = {"ReflinkId": link, "ReflinkPosition": position, "RoadIdent": ident}
    names = ("Latitude", "Longitude", "Altitude", "Roll", "Pitch", "Heading", "Speed", "GeoidalSeparation", *RMS_FIELDS)
    expected |= {name: gnss.get(name) for name in names}
    if image is not None:
        expected |= {name: image.get(name) for name in ("roadtype", "meter", "fylke", "StorageFile")}
    missing = tuple(name for name, value in expected.items() if not value)
    return Reflink("AdditionalInfoNorway2", link, position, ident, gnss, image, missing)


def number(text: str | None) -> float | None:
    """Return a text as a finite number; None for no text, `NaN` and anything else."""
    value = float(text) if text and _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


class _Builder(ContentHandler):
    """Builds the tree, and stops where a limit is passed. Comments and processing instructions are no part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Node | None = None
        self._open: list[Node] = []
        self._pieces: list[str] = []
        self._elements = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the parser's name
        self._elements += 1
        if len(self._open) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise ValueError(f"more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        self._flush()
        node = Node(name, dict(attrs.items()))
        if self._open:
            self._open[-1].content.append(node)
        else:
            self.root = node
        self._open.append(node)

    def endElement(self, name: str) -> None:  # noqa: N802 - the parser's name
        self._flush()
        self._open.pop()

    def characters(self, content: str) -> None:
        self._pieces.append(content)

    def _flush(self) -> None:
        """Put the text since the last tag in its place, as one piece."""
        if self._pieces:
            self._open[-1].content.append("".join(self._pieces))
            self._pieces.clear()


def _told(error: Exception) -> str:
    return str(error).removeprefix("<unknown>:") or type(error).__name__
