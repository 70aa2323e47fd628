"""Riders: a person on a bicycle is one cyclist, not a person and a bicycle.

Common data sets name the person and the cycle; a traffic count wants the rider. The rule, applied after non-maximum
suppression to the boxes of one picture, in pixels of a square picture or in fractions alike:

1. A person can ride a cycle where their boxes share at least 30 % of the smaller one, the person's centre is above the
   cycle's and lies between the cycle's left and right edge, and the person is at least half as tall as the cycle
   (someone smaller stands far behind it).
2. Pairs are made best overlap first, and a person and a cycle belong to one pair only. Equal overlaps are settled by
   the higher scores, then by position.
3. A pair becomes ONE detection, `cyclist` or `motorcyclist`: the box around both, the better of the two scores, and
   no mask.
4. A cycle without a rider keeps its name. It is a parked one as far as anybody can tell, and no counted class.

Someone who pushes a bicycle mostly stays beside it and so a person, but not from every side; a passenger on the back
seat stays a person.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayside.vision.detections import Detections
from wayside.vision.labels import RIDERS
from wayside.vision.nms import areas, intersections

MIN_SHARED: Final = 0.3
"""Least share of the smaller box that a rider and a cycle have in common."""

MIN_HEIGHT: Final = 0.5
"""Least height of a rider, in heights of the cycle."""


def derive_riders(found: Detections) -> Detections:
    """Join each person with the cycle that he or she rides, by the rule at the top of this module."""
    people = np.asarray([at for at, label in enumerate(found.labels) if label == "person"], np.intp)
    cycles = np.asarray([at for at, label in enumerate(found.labels) if label in RIDERS], np.intp)
    if not len(people) or not len(cycles):
        return found
    pairs = _pair(_overlap(found, people, cycles))
    if not len(pairs):
        return found
    names = np.asarray(found.labels, dtype=object)
    riders, ridden = people[pairs[:, 0]], cycles[pairs[:, 1]]
    alone = np.ones(len(names), dtype=bool)
    alone[riders] = alone[ridden] = False
    first, second = found.boxes[riders], found.boxes[ridden]
    union = np.concatenate([np.minimum(first[:, :2], second[:, :2]), np.maximum(first[:, 2:], second[:, 2:])], axis=1)
    return Detections.sorted(
        np.concatenate([found.boxes[alone], union]),
        np.concatenate([found.scores[alone], np.maximum(found.scores[riders], found.scores[ridden])]),
        [*names[alone].tolist(), *(RIDERS[name] for name in names[ridden].tolist())],
        [*(found.outlines[at] for at in np.flatnonzero(alone)), *[None] * len(riders)] if found.outlines else (),
    )


def _overlap(found: Detections, people: NDArray[np.intp], cycles: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the shared part of the smaller box for each person and cycle, [P, C]; 0 where rule 1 says no."""
    person, cycle = found.boxes[people], found.boxes[cycles]
    smaller = np.minimum(areas(person)[:, None], areas(cycle)[None, :])
    shared = intersections(person, cycle)
    part = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
    across = (person[:, 0] + person[:, 2])[:, None] / 2
    inside = (across >= cycle[None, :, 0]) & (across <= cycle[None, :, 2])
    above = (person[:, 1] + person[:, 3])[:, None] < (cycle[:, 1] + cycle[:, 3])[None, :]
    near = (person[:, 3] - person[:, 1])[:, None] >= MIN_HEIGHT * (cycle[:, 3] - cycle[:, 1])[None, :]
    return np.where(inside & above & near & (part >= MIN_SHARED), part, 0)


def _pair(overlap: NDArray[np.float32]) -> NDArray[np.intp]:
    """Match rows and columns one to one, greatest overlap first: [P, C] -> [K, 2].

    Detections come best score first, so the first of equal overlaps is the one with the better scores.
    """
    left = overlap.copy()
    pairs: list[tuple[int, int]] = []
    while left.max(initial=0) > 0:
        person, cycle = np.unravel_index(int(left.argmax()), left.shape)
        pairs.append((int(person), int(cycle)))
        left[person, :] = 0
        left[:, cycle] = 0
    return np.asarray(pairs, np.intp).reshape(-1, 2)
