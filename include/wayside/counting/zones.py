"""Zones and lines that people draw on a camera's picture: read, checked, written, and asked who is inside.

Coordinates are fractions 0..1 of the upright picture, origin top left. What is drawn comes from outside, so all of it
is bounded and every complaint names the shape and says what is wrong with it.
"""

import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.validation import explain_validity

from wayside.core.errors import ConfigError

Point = tuple[float, float]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_ZONES: Final = 64
MOST_LINES: Final = 64
MOST_POINTS: Final = 256
"""Corners of one zone."""
MOST_TEXT: Final = 1 << 20
"""Characters of JSON that are read."""
NAME_LENGTH: Final = 64
ALL_ZONES: Final = "*"
"""Stands for all zones together, so nothing else may have this name."""
LEAST_AREA: Final = 1e-5
"""Of the picture: a square of 6 x 6 pixels in full HD."""
LEAST_LENGTH: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of the picture.

    Attributes:
        name: what people call it.
        polygon: its corners in order, fractions of the picture, the first not repeated at the end.
    """

    name: str
    polygon: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is crossed. Who comes from the left of one who looks from `start` to `end` crosses it forward.

    Attributes:
        name: what people call it.
        start: one end, fractions of the picture.
        end: the other one.
    """

    name: str
    start: Point
    end: Point


@dataclass(frozen=True)
class ZoneSet:
    """All zones and lines of a processor: valid, with names of their own.

    Attributes:
        zones: in the order in which they were drawn.
        lines: the same.
    """

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        _check_numbers(self.zones, self.lines)
        for zone in self.zones:
            _check_zone(zone)
        for line in self.lines:
            _check_line(line)

    @classmethod
    def parse(cls, zones: object = "[]", lines: object = "[]") -> Self:
        """Read what an editor or a table gives.

        Args:
            zones: `[{"name": ..., "polygon": [[x, y], ...]}, ...]`, as JSON text or as lists of Python.
            lines: `[{"name": ..., "from": [x, y], "to": [x, y]}, ...]`, the same.

        Raises:
            ConfigError: a shape is not valid; the text names it and says why.
        """
        found = [_zone_of(value, f"zone {at}") for at, value in enumerate(_listed(zones, "zones"), 1)]
        drawn = [_line_of(value, f"line {at}") for at, value in enumerate(_listed(lines, "lines"), 1)]
        return cls(tuple(found), tuple(drawn))

    def as_json(self) -> tuple[str, str]:
        """Return the zones and the lines as two JSON texts, as `parse` reads them and as tables keep them."""
        zones = [{"name": zone.name, "polygon": [list(point) for point in zone.polygon]} for zone in self.zones]
        lines = [{"name": line.name, "from": list(line.start), "to": list(line.end)} for line in self.lines]
        return _written(zones), _written(lines)

    @cached_property
    def _prepared(self) -> list[Any]:
        polygons = [Polygon(zone.polygon) for zone in self.zones]
        shapely.prepare(polygons)
        return polygons

    def contains(self, points: Doubles) -> Bools:
        """Say which points lie in which zones.

        Args:
            points: float64 [N, 2], fractions of the picture.

        Returns:
            bool [Z, N]; a point on the edge of a zone is outside of it.
        """
        inside = np.zeros((len(self.zones), len(points)), np.bool_)
        for row, polygon in zip(inside, self._prepared, strict=True):
            row[:] = shapely.contains_xy(polygon, points[:, 0], points[:, 1])
        return inside

    def __bool__(self) -> bool:
        return bool(self.zones or self.lines)


def from_hypersight(text: str) -> ZoneSet:
    """Read the zones of the replaced system: a JSON list of polygons, each a list of `[x, y]`.

    Its editor repeated the first corner at the end and gave no names: zones are called `zone 1`, `zone 2` and so on.

    Raises:
        ConfigError: it is no such list (its own check let missing commas pass), or a polygon is not valid.
    """
    rings = _listed(text, "zones")
    return ZoneSet(tuple(Zone(f"zone {at}", _points(ring, f"zone {at}")) for at, ring in enumerate(rings, 1)))


def _written(shapes: list[dict[str, Any]]) -> str:
    return json.dumps(shapes, ensure_ascii=False, separators=(",", ":"))


def _listed(value: object, what: str) -> list[Any]:
    """Return a list that is given as JSON text or as it is."""
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            raise ConfigError(f"{what}: {len(value):,} characters, at most {MOST_TEXT:,} are read")
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise ConfigError(f"{what}: not JSON at {place}, {_near(error)}: {error.msg}") from None
        except (RecursionError, ValueError):
            raise ConfigError(f"{what}: not JSON that is read here: too deep, or a number too long") from None
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{what}: a list is wanted, not {_shown(value)}")
    return list(value)


def _near(error: json.JSONDecodeError) -> str:
    return f"near {error.doc[max(0, error.pos - 10) : error.pos + 10]!r}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _record(value: object, what: str, fields: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{what}: an object with {', '.join(sorted(fields))} is wanted, not {_shown(value)}")
    if missing := fields - value.keys():
        raise ConfigError(f"{what}: {', '.join(sorted(missing))} is missing")
    if unknown := value.keys() - fields:
        raise ConfigError(f"{what}: there is no {_shown(min(map(str, unknown)))}")
    return value


def _zone_of(value: object, what: str) -> Zone:
    record = _record(value, what, frozenset({"name", "polygon"}))
    name = _name(record["name"], what)
    return Zone(name, _points(record["polygon"], f"zone {name!r}"))


def _line_of(value: object, what: str) -> Line:
    record = _record(value, what, frozenset({"name", "from", "to"}))
    name = _name(record["name"], what)
    return Line(name, _point(record["from"], f"line {name!r}, from"), _point(record["to"], f"line {name!r}, to"))


def _name(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{what}: its name has to be text, not {_shown(value)}")
    return unicodedata.normalize("NFC", value).strip()


def _points(ring: object, what: str) -> tuple[Point, ...]:
    """Read corners; a last one that repeats the first is left out."""
    if not isinstance(ring, list | tuple):
        raise ConfigError(f"{what}: a list of corners is wanted, not {_shown(ring)}")
    if len(ring) > MOST_POINTS + 1:
        raise ConfigError(f"{what}: {len(ring)} corners, at most {MOST_POINTS} are allowed")
    points = [_point(value, f"{what}, corner {at}") for at, value in enumerate(ring, 1)]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    return tuple(points)


def _point(value: object, what: str) -> Point:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_number, value)):
        raise ConfigError(f"{what}: [x, y] is wanted, not {_shown(value)}")
    return float(value[0]), float(value[1])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _check_numbers(zones: Sequence[Zone], lines: Sequence[Line]) -> None:
    if len(zones) > MOST_ZONES or len(lines) > MOST_LINES:
        text = f"at most {MOST_ZONES} zones and {MOST_LINES} lines are allowed"
        raise ConfigError(f"{len(zones)} zones and {len(lines)} lines: {text}")
    seen: set[str] = set()
    names = [zone.name for zone in zones] + [line.name for line in lines]
    for name in names:
        if not name or len(name) > NAME_LENGTH or not name.isprintable() or name != name.strip():
            text = f"1 to {NAME_LENGTH} characters that can be seen, without a space at either end"
            raise ConfigError(f"{_shown(name)} is no name of a zone or line: {text}")
        if name == ALL_ZONES:
            raise ConfigError(f"no zone or line may be called {ALL_ZONES!r}: this stands for all zones together")
        if name.casefold() in seen:
            raise ConfigError(f"the name {name!r} is given twice; zones and lines each need one of their own")
        seen.add(name.casefold())


def _check_inside(points: Sequence[Point], what: str) -> None:
    for x, y in points:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ConfigError(f"{what}: [{x:g}, {y:g}] lies outside of the picture, coordinates are fractions 0..1")


def _check_zone(zone: Zone) -> None:
    what = f"zone {zone.name!r}"
    if len(zone.polygon) > MOST_POINTS:
        raise ConfigError(f"{what}: {len(zone.polygon)} corners, at most {MOST_POINTS} are allowed")
    if len(set(zone.polygon)) < 3:
        raise ConfigError(f"{what}: {len(set(zone.polygon))} different corners, a zone needs at least 3")
    _check_inside(zone.polygon, what)
    polygon = Polygon(zone.polygon)
    if not polygon.is_valid:
        raise ConfigError(f"{what}: {_why(polygon)}")
    if polygon.area < LEAST_AREA:
        raise ConfigError(f"{what}: it has hardly any area; draw it larger")


def _why(polygon: Polygon) -> str:
    """Say in words what shapely finds wrong, such as `Self-intersection[0.5 0.5]`."""
    text: str = explain_validity(polygon)
    kind, _, place = text.partition("[")
    words = {
        "Self-intersection": "its edges cross each other",
        "Ring Self-intersection": "its edge touches itself",
    }.get(kind, kind)
    return f"{words} at [{', '.join(f'{float(part):.3g}' for part in place.rstrip(']').split())}]" if place else words


def _check_line(line: Line) -> None:
    what = f"line {line.name!r}"
    _check_inside((line.start, line.end), what)
    if math.dist(line.start, line.end) < LEAST_LENGTH:
        raise ConfigError(f"{what}: its ends lie on each other; draw it longer")
