"""The paths of the replaced system's vectors: a zone at the right, objects that walk into it one look a second."""

from typing import NamedTuple

from tests.counting.looks import look, walk

from wayside.counting.events import Look
from wayside.counting.zones import ZoneSet

RIGHT = ZoneSet.parse([{"name": "right", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}])


class Path(NamedTuple):
    looks: list[Look]
    matched: list[int]
    """How many `match` counts at each look."""
    zones: ZoneSet = RIGHT


_INTO = [0.30, 0.38, 0.46, 0.54, 0.62, 0.70, 0.78, 0.86]
_TWO = [look(at, [(0.4 + 0.08 * at, 0.2), (0.4 + 0.08 * at, 0.8)]) for at in range(6)]
_AWAY = [look(0, [(0.5, 0.5)]), look(1, [(0.55, 0.5)])]
_BACK = [look(21, [(0.62, 0.5)]), look(22, [(0.66, 0.5)])]
PATHS = {
    "T1 walk in": Path(walk(_INTO), [0, 0, 0, 0, 1, 0, 0, 0]),
    "T2 large steps from rest": Path(walk([0.20, 0.32, 0.44, 0.56, 0.68, 0.80]), [0] * 6),
    "G2 large steps after a small one": Path(walk([0.20, 0.28, 0.40, 0.52, 0.64, 0.76]), [0, 0, 0, 0, 1, 0]),
    "T4 one look outside": Path(walk([0.55, 0.62, 0.69, 0.76]), [0, 0, 1, 0]),
    "T5 no zones": Path(walk(_INTO), [0] * 8, ZoneSet()),
    "T8 two in one look": Path(_TWO, [0, 0, 0, 1, 1, 0]),
    "T9 starts inside": Path(walk([0.70, 0.72, 0.74, 0.76, 0.78]), [0] * 5),
    "T10 on the edge": Path(walk([0.50, 0.55, 0.60, 0.60]), [0] * 4),
    "T11 gone for 20 s": Path([*_AWAY, look(2), look(20), *_BACK], [0, 0, 0, 0, 1, 0]),
    "G3 gone for 20 s, others are seen": Path(
        [*_AWAY, look(4, [(0.1, 0.1)]), look(6.5, [(0.1, 0.1)]), *_BACK], [0] * 6
    ),
    "T12 in, out and in again": Path(
        walk([0.45, 0.50, 0.55, 0.62, 0.65, 0.62, 0.58, 0.55, 0.58, 0.62, 0.66]),
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
    ),
}
