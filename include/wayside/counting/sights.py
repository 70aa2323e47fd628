"""What of a look is counted: boxes of the wanted classes with score enough, none of them twice, in a fixed order."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from wayside.counting.events import Look, micros
from wayside.counting.options import Anchor, ImprovedOptions
from wayside.counting.zones import Point
from wayside.vision.nms import suppress

Box = tuple[float, float, float, float]


class Sight(NamedTuple):
    """One box of one object.

    Attributes:
        us: time, microseconds since 1970.
        segment: piece of video.
        box: left, top, right, bottom, fractions of the picture.
        label: class.
        score: 0..1.
    """

    us: int
    segment: str
    box: Box
    label: str
    score: float

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Read what JSON made of one."""
        us, segment, (left, top, right, bottom), label, score = values
        return cls(us, segment, (left, top, right, bottom), label, score)

    def anchor(self, kind: Anchor) -> Point:
        """Return the point that stands for the object, fractions of the picture."""
        left, top, right, bottom = self.box
        return (left + right) / 2, bottom if kind == "bottom" else (top + bottom) / 2


def sights_of(look: Look, options: ImprovedOptions, least_score: float) -> list[Sight]:
    """Choose the boxes of a look that count.

    Args:
        look: the look.
        options: classes, and the overlap above which two boxes, of whatever classes, show one object.
        least_score: score below which a box is not there.

    Returns:
        Best score first; equal scores in the order of label and box, whatever order the look has them in.
    """
    boxes, scores = look.boxes, look.scores
    wanted = np.array([not options.classes or label in options.classes for label in look.labels], np.bool_)
    whole = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    rows = np.flatnonzero(wanted & whole & (scores >= np.float32(least_score)))
    if not len(rows):
        return []
    labels = np.asarray(look.labels)
    rows = rows[np.lexsort((*boxes[rows].T[::-1], labels[rows], -scores[rows]))]
    rows = rows[suppress(boxes[rows], scores[rows], np.zeros(len(rows), np.intp), options.overlap)]
    us = micros(look.at)
    return [Sight(us, look.segment, _box(boxes[row].tolist()), look.labels[row], float(scores[row])) for row in rows]


def _box(values: Sequence[float]) -> Box:
    left, top, right, bottom = values
    return left, top, right, bottom
