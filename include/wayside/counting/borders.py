"""Borders: the edge of a zone, and a line. Which side of it a point is on, how far away, and who has changed sides.

A track is on the side on which it has *settled*. It changes sides when its anchor was on the other one for several
looks in a row and, in one of them, far enough away: trembling on the border changes nothing. Distances are fractions of
the picture's width in both directions.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, Self

import shapely
from shapely.geometry import Point as ShapelyPoint
from shapely.geometry import Polygon

from wayside.counting.options import ImprovedOptions
from wayside.counting.zones import Line, Point, Zone

MOST_OF_ROOM: Final = 0.5
"""Share of what room there is on a side that is asked for as depth: a line near the edge of the picture counts too."""


class Place(NamedTuple):
    """Where an anchor was at a time: microseconds since 1970, piece of video, fractions of the picture."""

    us: int
    segment: str
    x: float
    y: float


class Border(Protocol):
    """What divides the picture in two sides, `False` and `True`."""

    @property
    def name(self) -> str:
        """The name of the zone or line."""

    def side(self, point: Point) -> tuple[bool | None, float]:
        """Return the side of a point, None on the border itself, and its distance from the border."""

    def depth(self, side: bool, wanted: float) -> float:
        """Return how far from the border one can be asked to go on this side."""

    def is_passed(self, before: Point, after: Point) -> bool:
        """Say whether somebody who went straight from one side to the other passed the border, not beside it."""


class ZoneBorder:
    """The edge of a zone; `True` is inside, and whoever gets there has passed it."""

    def __init__(self, zone: Zone, aspect: float) -> None:
        """Take a zone, and the width of the picture over its height."""
        self.name = zone.name
        self._aspect = aspect
        self._polygon = Polygon([(x, y / aspect) for x, y in zone.polygon])
        self._edge = self._polygon.exterior
        shapely.prepare([self._polygon, self._edge])
        corners = [ShapelyPoint(x, y / aspect) for x in (0, 1) for y in (0, 1)]
        self._room = {
            True: float(shapely.maximum_inscribed_circle(self._polygon).length),
            False: max(float(self._polygon.distance(corner)) for corner in corners),
        }

    def side(self, point: Point) -> tuple[bool | None, float]:
        """Say whether a point is inside, where the edge is outside, and how far from the edge."""
        place = ShapelyPoint(point[0], point[1] / self._aspect)
        return bool(self._polygon.contains(place)), float(self._edge.distance(place))

    def depth(self, side: bool, wanted: float) -> float:
        """Return `wanted`, or less where the zone, or the picture outside of it, is narrow."""
        return min(wanted, MOST_OF_ROOM * self._room[side])

    def is_passed(self, before: Point, after: Point) -> bool:
        """Say yes: there is no way around."""
        return True


class LineBorder:
    """A line with two ends. `True` is the right-hand side, seen from its start; one may walk around its ends."""

    def __init__(self, line: Line, aspect: float) -> None:
        """Take a line, and the width of the picture over its height."""
        self.name = line.name
        self._aspect = aspect
        self._start = line.start[0], line.start[1] / aspect
        end = line.end[0], line.end[1] / aspect
        self._length = math.dist(self._start, end)
        self._along = (end[0] - self._start[0]) / self._length, (end[1] - self._start[1]) / self._length
        corners = [self._from_start((x, y)) for x in (0, 1) for y in (0, 1)]
        self._room = {
            True: max(0.0, max(across for _, across in corners)),
            False: max(0.0, max(-across for _, across in corners)),
        }

    def _from_start(self, point: Point) -> tuple[float, float]:
        """Return how far along the line a point is, and how far to its right (in a picture whose y points down)."""
        dx, dy = point[0] - self._start[0], point[1] / self._aspect - self._start[1]
        return dx * self._along[0] + dy * self._along[1], dy * self._along[0] - dx * self._along[1]

    def side(self, point: Point) -> tuple[bool | None, float]:
        """Say whether a point is to the right of the line or of what would prolong it, and how far from it."""
        across = self._from_start(point)[1]
        return (across > 0 if across else None), abs(across)

    def depth(self, side: bool, wanted: float) -> float:
        """Return `wanted`, or less where the picture ends before."""
        return min(wanted, MOST_OF_ROOM * self._room[side])

    def is_passed(self, before: Point, after: Point) -> bool:
        """Say whether the straight way between points on both sides leads between the ends of the line."""
        (along0, across0), (along1, across1) = self._from_start(before), self._from_start(after)
        if across0 * across1 > 0 or across0 == across1:
            return False
        met = along0 + (along1 - along0) * across0 / (across0 - across1)
        return 0 <= met <= self._length


@dataclass(slots=True)
class Crossing:
    """What one track has done at one border.

    Attributes:
        settled: the side that it is on; None: it was never far enough from the border to tell.
        run: the side that it was on in the last looks.
        start: the first place of that run.
        looks: how many there were.
        deepest: the farthest that one of them was from the border.
        passed: whether the run began with a step over the border, not around its end.
        last: the last place.
        event: where it changed sides last; None when it has been far enough from there since.
    """

    settled: bool | None = None
    run: bool | None = None
    start: Place | None = None
    looks: int = 0
    deepest: float = 0.0
    passed: bool = False
    last: Place | None = None
    event: Point | None = None

    @classmethod
    def of(cls, values: list[Any]) -> Self:
        """Read what `written` gave."""
        settled, run, start, looks, deepest, passed, last, event = values
        places = [Place(*value) if value else None for value in (start, last)]
        return cls(settled, run, places[0], looks, deepest, passed, places[1], _point(event))

    def written(self) -> list[Any]:
        """Return all of it as values of JSON."""
        return [
            self.settled, self.run, self.start, self.looks, self.deepest, self.passed, self.last, self.event,
        ]  # fmt: skip

    def look(self, border: Border, place: Place, options: ImprovedOptions, aspect: float, moved: bool) -> Place | None:
        """Take the next place of the track.

        Args:
            border: the border.
            place: where the anchor is now.
            options: how a track settles.
            aspect: width of the picture over its height.
            moved: whether the track has come far enough to count.

        Returns:
            If it has changed sides for good: the first place on the side that it is on now.
        """
        self._go_on(border, place)
        if self.event and distance(self.event, (place.x, place.y), aspect) >= options.rearm:
            self.event = None
        if self.settled is None and self._is_deep(border, options):
            self.settled = self.run
        if self._is_over(border, options) and not self.passed:
            self.settled = self.run
        return self.pending(border, options) if moved and not self.event else None

    def pending(self, border: Border, options: ImprovedOptions) -> Place | None:
        """Change sides if the track has come to rest on the other one, and return the first place there."""
        if not self._is_over(border, options) or self.start is None:
            return None
        self.settled = self.run
        self.event = self.start.x, self.start.y
        return self.start

    def _is_deep(self, border: Border, options: ImprovedOptions) -> bool:
        return self.run is not None and self.deepest >= border.depth(self.run, options.settle_depth)

    def _is_over(self, border: Border, options: ImprovedOptions) -> bool:
        is_other = self.settled is not None and self.run != self.settled
        return is_other and self.looks >= options.settle_looks and self._is_deep(border, options)

    def _go_on(self, border: Border, place: Place) -> None:
        side, depth = border.side((place.x, place.y))
        if side is None or side == self.run:
            self.looks += 1
            self.deepest = max(self.deepest, depth)
        else:
            before = self.last
            self.run, self.start, self.looks, self.deepest = side, place, 1, depth
            self.passed = before is not None and border.is_passed((before.x, before.y), (place.x, place.y))
        self.last = place


def distance(first: Point, second: Point, aspect: float) -> float:
    """Return the distance of two points given as fractions, in widths of the picture."""
    return math.hypot(first[0] - second[0], (first[1] - second[1]) / aspect)


def _point(value: Any) -> Point | None:
    return (value[0], value[1]) if value else None
