"""One track as counting sees it: where its anchor went, what class most of its boxes say, and what becomes a row.

Nothing in here depends on where a stream of looks is cut: a path is thinned by the number of its boxes alone.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Self

from wayside.counting.borders import Crossing, Place, distance
from wayside.counting.events import TrackRow, instant
from wayside.counting.options import ImprovedOptions
from wayside.counting.sights import Sight
from wayside.counting.zones import Point

MOST_PATH: Final = 64
"""Points of a path; a longer one keeps every second, then every fourth, and so on, and always the last."""
EDGE: Final = 0.02
"""A box this near to the edge of the picture touches it."""

# For each edge of the picture: the side of a box, whether it is the lower end of the axis, and the axis.
_EDGES: Final = ((0, True, 0), (1, True, 1), (2, False, 0), (3, False, 1))


@dataclass(slots=True)
class Track:
    """One track.

    Attributes:
        number: its number.
        first: its first box.
        last: its last box.
        boxes: how many it has.
        score: sum of their scores.
        votes: sum of scores by class.
        moved: the farthest that the anchor was from its first place, in widths of the picture.
        path: anchors: (microseconds, x, y), thinned.
        waiting: boxes that wait until there are enough of them for the track to count.
        crossings: what it did at each zone or line, by name.
        inside: zones that it is in, and since when; None: it was there from the beginning.
        zone: the zone that it entered last, or began in.
        came: edges of the picture that it turned out to have come in by.
    """

    number: int
    first: Sight
    last: Sight
    boxes: int = 0
    score: float = 0.0
    votes: dict[str, float] = field(default_factory=dict)
    moved: float = 0.0
    path: list[tuple[int, float, float]] = field(default_factory=list)
    waiting: list[Sight] = field(default_factory=list)
    crossings: dict[str, Crossing] = field(default_factory=dict)
    inside: dict[str, int | None] = field(default_factory=dict)
    zone: str | None = None
    came: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Read what `written` gave, and leave it as it is."""
        return cls(
            **{
                **deepcopy(record),
                "first": Sight.of(record["first"]),
                "last": Sight.of(record["last"]),
                "path": [(us, x, y) for us, x, y in record["path"]],
                "waiting": [Sight.of(sight) for sight in record["waiting"]],
                "crossings": {name: Crossing.of(values) for name, values in record["crossings"].items()},
            }
        )

    def written(self) -> dict[str, Any]:
        """Return all of it as values of JSON."""
        record: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        record["crossings"] = {name: crossing.written() for name, crossing in self.crossings.items()}
        return record

    @property
    def label(self) -> str:
        """The class with the largest sum of scores; of equal ones the first in the alphabet."""
        return min(self.votes, key=lambda label: (-self.votes[label], label))

    def take(self, sight: Sight, options: ImprovedOptions, aspect: float) -> Place:
        """Add a box and return where its anchor is."""
        x, y = sight.anchor(options.anchor)
        self.moved = max(self.moved, distance(self.first.anchor(options.anchor), (x, y), aspect))
        self.votes[sight.label] = self.votes.get(sight.label, 0.0) + sight.score
        self.score += sight.score
        self._go(sight.us, x, y)
        self.boxes += 1
        self.last = sight
        return Place(sight.us, sight.segment, x, y)

    def _go(self, us: int, x: float, y: float) -> None:
        stride = 1
        while self.boxes // stride >= MOST_PATH:
            stride *= 2
        if self.boxes % stride:
            return
        if len(self.path) == MOST_PATH:
            self.path = self.path[::2]
        self.path.append((us, round(x, 4), round(y, 4)))

    def edges_in(self, now: Point, options: ImprovedOptions, aspect: float) -> list[int]:
        """Return edges of the picture that it came in by: its first box touched them and it is farther inside now."""
        began = self.first.anchor(options.anchor)
        return [
            edge
            for edge in edges_touched(self.first)
            if edge not in self.came and _farther(edge, began, now, aspect) >= max(options.travel, EDGE)
        ]

    def edges_out(self, options: ImprovedOptions, aspect: float) -> list[int]:
        """Return edges of the picture that it left by: its last box touches them and it came from farther inside."""
        ended = self.last.anchor(options.anchor)
        return [
            edge
            for edge in edges_touched(self.last)
            if max(_farther(edge, ended, (x, y), aspect) for _, x, y in self.path) >= max(options.travel, EDGE)
        ]

    def row(self, options: ImprovedOptions) -> TrackRow:
        """Return it as a row of the table of tracks."""
        x, y = self.last.anchor(options.anchor)
        path = self.path if self.path[-1][0] == self.last.us else [*self.path, (self.last.us, round(x, 4), round(y, 4))]
        return TrackRow(
            track=self.number,
            label=self.label,
            score=self.score / self.boxes,
            boxes=self.boxes,
            start_at=instant(self.first.us),
            end_at=instant(self.last.us),
            path=tuple(((us - self.first.us) / 1e6, x, y) for us, x, y in path),
        )


def outside(anchor: Point, edges: Sequence[int]) -> Point:
    """Return where an anchor was, or will be, when its object is outside of the picture beyond these edges."""
    moved = list(anchor)
    for side, is_low, axis in _EDGES:
        if side in edges:
            moved[axis] = -EDGE if is_low else 1 + EDGE
    return moved[0], moved[1]


def edges_touched(sight: Sight) -> list[int]:
    """Return the edges of the picture that a box touches: 0 left, 1 top, 2 right, 3 bottom."""
    return [side for side, is_low, _ in _EDGES if (sight.box[side] <= EDGE if is_low else sight.box[side] >= 1 - EDGE)]


def _farther(edge: int, first: Point, second: Point, aspect: float) -> float:
    """Return by how much the second point is farther from an edge than the first, in widths of the picture."""
    _, is_low, axis = _EDGES[edge]
    gained = second[axis] - first[axis] if is_low else first[axis] - second[axis]
    return gained if axis == 0 else gained / aspect
