"""Findings of many looks at one picture become the objects of the picture.

The same car is seen in the whole picture and in two or three tiles, here whole and there cut. Two findings are the
same object when:

- **both have a mask**: they share more than a tenth of the smaller mask's pixels. The replaced system said "any
  shared pixel"; a tenth lets two people who touch stay two.
- **one of them is only a box**: boxes of neighbours overlap all the time, so a shared pixel says nothing. What both
  looks could see is compared: both boxes are cut to the part of the picture that is in both windows, and there their
  intersection must be at least half of their union. A car that a tile shows in part agrees with the whole car in that
  part; the next car in the queue does not. A box that its window cuts off may also lie inside the other, by four
  fifths of it: detectors draw the borders of half an object badly.

Two findings of one look and one class are never the same: the detector has removed its own duplicates. A face and a
plate are parts of something else and join only their like; so does a person, for a box around a rider is nearly one
around the motorcycle. Classes that are confused with each other, on one side bicycle and motorcycle, on the other
car, bus and truck, may join.

Whatever belongs together is joined over all pairs first (union-find), so the order of the looks does not matter. The
object has the union of the masks, the outermost box, the mean score, and the class of most findings; among equals
the first in the order of COCO's category numbers. Nothing is larger than the object itself: no canvas of the
picture's size is made for a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayside.privacy.objects import Found, Mask
from wayside.privacy.settings import CLASSES
from wayside.privacy.tiles import Window

MASK_SHARED: Final = 0.1
"""Share of the smaller mask above which two masks are of one object."""

BOX_IOU: Final = 0.5
"""Least intersection over union of two boxes, within what both looks show."""

BOX_INSIDE: Final = 0.8
"""Least share of a box that its window cuts off which lies inside a larger one."""

NEAR: Final = 1 / 64
"""A box that ends within this share of its window's side of a border is cut off by it, as far as anybody can tell."""

_GROUPS: Final = {"person": 0, "bicycle": 1, "motorcycle": 1, "car": 2, "bus": 2, "truck": 2, "face": 3, "plate": 4}

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """A finding of one look.

    Attributes:
        found: the finding, its box in pixels of the picture, counted on beyond the right edge where the window is.
        window: the look.
        look: number of the look; findings of one number come from one run of a detector.
    """

    found: Found
    window: Window
    look: int


def merged(seen: Sequence[Seen], height: int, width: int, *, wrap: bool = False) -> list[Found]:
    """Join the findings of all looks at a picture of `height` x `width` pixels.

    Args:
        seen: findings in any order; boxes without area are left out.
        height: rows of the picture.
        width: columns of the picture.
        wrap: its left and right edge are neighbours; without it, boxes are cut off at the edges.

    Returns:
        The objects, best score first. In a picture that wraps `left` is below `width`, and `right` may be beyond.
    """
    real = [one for one in seen if one.found.box[2] > one.found.box[0] and one.found.box[3] > one.found.box[1]]
    if not real:
        return []
    parent = list(range(len(real)))
    table = _Table(real, height, width, wrap=wrap)
    for at in range(len(real) - 1):
        for other, shift in table.same(at):
            if _agree(real[at].found, real[other].found, shift):
                _join(parent, at, other)
    members: dict[int, list[Found]] = {}
    for at, one in enumerate(real):
        members.setdefault(_root(parent, at), []).append(one.found)
    joined = [_joined(group, height, width, wrap=wrap) for group in members.values()]
    return sorted(joined, key=order)


def order(found: Found) -> tuple[float, int, tuple[int, int, int, int]]:
    """Return the key by which findings are listed: best score first, then class, then box."""
    return -found.score, CLASSES.index(found.label), found.box


class _Table:
    """Boxes, windows and groups of all findings as columns, for one row at a time against all later ones."""

    def __init__(self, seen: Sequence[Seen], height: int, width: int, *, wrap: bool) -> None:
        self.period = width if wrap else 0
        self.boxes: Numbers = np.asarray([one.found.box for one in seen], np.float64)
        self.windows: Numbers = np.asarray([one.window.box for one in seen], np.float64)
        self.group = np.asarray([_GROUPS[one.found.label] for one in seen])
        self.label = np.asarray([CLASSES.index(one.found.label) for one in seen])
        self.look = np.asarray([one.look for one in seen])
        self.masked = np.asarray([one.found.mask is not None for one in seen])
        self.whole = self._whole((np.inf if wrap else width, height))

    def _whole(self, size: tuple[float, float]) -> NDArray[np.bool_]:
        """Say which boxes stay clear of the borders of their window, other than the edges of the picture."""
        margin = NEAR * (self.windows[:, 2:] - self.windows[:, :2])
        clear_low = self.boxes[:, :2] > self.windows[:, :2] + margin
        clear_high = self.boxes[:, 2:] < self.windows[:, 2:] - margin
        edge_low = (self.windows[:, :2] <= 0) & np.asarray([not self.period, True])
        edge_high = self.windows[:, 2:] >= np.asarray(size)
        return np.asarray(((clear_low | edge_low) & (clear_high | edge_high)).all(axis=1))

    def same(self, at: int) -> list[tuple[int, int]]:
        """List the later findings that may be the object of finding `at`, each with the columns to move it by.

        Those of two masks only share part of their boxes so far; the rest are decided.
        """
        later = np.arange(at + 1, len(self.boxes))
        later = later[self.group[later] == self.group[at]]
        later = later[(self.look[later] != self.look[at]) | (self.label[later] != self.label[at])]
        shift = self._shifts(at, later)
        boxes = _moved(self.boxes[later], shift)
        shared = _intersection(self.boxes[at], boxes)
        near = np.flatnonzero(shared > 0)
        if not near.size:  # which is so of most, and the rest takes longer
            return []
        later, shift, boxes, shared = later[near], shift[near], boxes[near], shared[near]
        by_box = self._clipped_iou(at, boxes, _moved(self.windows[later], shift)) >= BOX_IOU
        by_box |= self._cut_inside(at, later, boxes, shared)
        both = self.masked[later] & self.masked[at]
        chosen = np.flatnonzero(both | by_box)
        return [(int(later[one]), int(shift[one])) for one in chosen]

    def _shifts(self, at: int, later: NDArray[np.intp]) -> Numbers:
        """Return by how many columns each finding is moved so that its middle is nearest to that of `at`."""
        if not self.period:
            return np.zeros(len(later))
        middles = self.boxes[:, 0] + self.boxes[:, 2]
        return np.asarray(np.rint((middles[at] - middles[later]) / 2 / self.period) * self.period)

    def _clipped_iou(self, at: int, boxes: Numbers, windows: Numbers) -> Numbers:
        """Return intersection over union within what both windows show."""
        low = np.maximum(self.windows[at, :2], windows[:, :2])
        high = np.minimum(self.windows[at, 2:], windows[:, 2:])
        mine = np.concatenate([np.maximum(self.boxes[at, :2], low), np.minimum(self.boxes[at, 2:], high)], axis=1)
        other = np.concatenate([np.maximum(boxes[:, :2], low), np.minimum(boxes[:, 2:], high)], axis=1)
        shared = _intersection(mine, other)
        union = _areas(mine) + _areas(other) - shared
        return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)

    def _cut_inside(self, at: int, later: NDArray[np.intp], boxes: Numbers, shared: Numbers) -> NDArray[np.bool_]:
        """Say of which pairs, of two looks, the smaller box is cut off by its window and lies inside the larger."""
        own, others = _areas(self.boxes[at : at + 1]), _areas(boxes)
        smaller_is_cut = np.where(others <= own, ~self.whole[later], not self.whole[at])
        inside = shared >= BOX_INSIDE * np.minimum(own, others)
        return np.asarray(smaller_is_cut & inside & (self.look[later] != self.look[at]))


def _moved(boxes: Numbers, shift: Numbers) -> Numbers:
    moved = boxes.copy()
    moved[:, 0] += shift
    moved[:, 2] += shift
    return moved


def _areas(boxes: Numbers) -> Numbers:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _intersection(one: Numbers, boxes: Numbers) -> Numbers:
    """Return the shared area of a box, or of as many boxes, with each of `boxes`."""
    low = np.maximum(one[..., :2], boxes[:, :2])
    high = np.minimum(one[..., 2:], boxes[:, 2:])
    return _areas(np.concatenate([low, high], axis=1))


def _agree(one: Found, other: Found, shift: int) -> bool:
    """Say whether two findings share enough pixels, where both have masks; `other` is moved by `shift` columns."""
    if one.mask is None or other.mask is None:
        return True
    left, right = other.box[0] + shift, other.box[2] + shift
    low = max(one.box[0], left), max(one.box[1], other.box[1])
    high = min(one.box[2], right), min(one.box[3], other.box[3])
    first = one.mask[low[1] - one.box[1] : high[1] - one.box[1], low[0] - one.box[0] : high[0] - one.box[0]]
    second = other.mask[low[1] - other.box[1] : high[1] - other.box[1], low[0] - left : high[0] - left]
    shared = int(np.count_nonzero(first & second))
    return shared > MASK_SHARED * min(one.area, other.area)


def _root(parent: list[int], at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


def _join(parent: list[int], one: int, other: int) -> None:
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first


def _joined(group: list[Found], height: int, width: int, *, wrap: bool) -> Found:
    """Make one object of the findings that belong together."""
    placed = _placed(group, width) if wrap else [(one, one.box[0]) for one in group]
    left = min(start for _, start in placed)
    right = max(start + one.box[2] - one.box[0] for one, start in placed)
    top = max(0, min(one.box[1] for one in group))
    bottom = min(height, max(one.box[3] for one in group))
    if not wrap:
        left, right = max(0, left), min(width, right)
    round_it = wrap and right - left >= width
    if round_it:
        left, right = 0, width
    box = (left, top, right, bottom)
    mask = _united(placed, box, width if round_it else 0)
    turn = left // width * width if wrap else 0
    best = min(group, key=order)
    return Found(
        label=_majority(group),
        score=float(np.mean([one.score for one in group])),
        box=(left - turn, top, right - turn, bottom),
        mask=mask,
        model=best.model,
    )


def _placed(group: list[Found], width: int) -> list[tuple[Found, int]]:
    """Move every finding by whole turns to where its middle is nearest to that of the largest; give its left edge."""
    largest = max(group, key=lambda one: ((one.box[2] - one.box[0]) * (one.box[3] - one.box[1]), one.box))
    middle = largest.box[0] + largest.box[2]
    return [(one, one.box[0] + width * round((middle - one.box[0] - one.box[2]) / 2 / width)) for one in group]


def _united(placed: list[tuple[Found, int]], box: tuple[int, int, int, int], period: int) -> Mask | None:
    """Unite masks in a frame of the object's own size; None, all of the box, where none of them has one."""
    if all(one.mask is None for one, _ in placed):
        return None
    left, top, right, bottom = box
    whole = np.zeros((bottom - top, right - left), np.bool_)
    for one, start in placed:
        for turn in (-period, 0, period) if period else (0,):
            _draw(whole, one, (start - left + turn, one.box[1] - top))
    return whole


def _draw(whole: Mask, one: Found, corner: tuple[int, int]) -> None:
    """Draw a finding into a frame, as far as it lies inside; a box without a mask is full."""
    left, top = corner
    columns, rows = one.box[2] - one.box[0], one.box[3] - one.box[1]
    low = max(0, left), max(0, top)
    high = min(whole.shape[1], left + columns), min(whole.shape[0], top + rows)
    if high[0] <= low[0] or high[1] <= low[1]:
        return
    part = whole[low[1] : high[1], low[0] : high[0]]
    part |= True if one.mask is None else one.mask[low[1] - top : high[1] - top, low[0] - left : high[0] - left]


def _majority(group: list[Found]) -> str:
    """Return the class of most findings, among equals the first in the order of `CLASSES`, which is COCO's."""
    counts = np.bincount([CLASSES.index(one.label) for one in group], minlength=len(CLASSES))
    return CLASSES[int(counts.argmax())]
