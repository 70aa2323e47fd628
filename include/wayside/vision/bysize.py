"""Recall by the size of an object, with intervals: how small may a thing be before a detector misses it?

The average of a set says little about that: a set of close-ups flatters, a set of street scenes does the opposite. So
true boxes are sorted into bins of their width in pixels. A bin may hold few of them, hence the interval of Wilson
("Probable inference, the law of succession, and statistical inference", 1927), which is honest near 0 and 1 too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Final

import numpy as np

from wayside.vision.detections import Detections
from wayside.vision.evaluate import Truth, claim

Z95: Final = 1.959964
"""Standard deviations that leave 2.5 % of a normal distribution on either side."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval, 0..1, of a share of which `hits` of `total` were seen; (0, 1) where nothing was.

    Raises:
        ValueError: `hits` is negative or more than `total`.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} of {total} is no share")
    if not total:
        return 0.0, 1.0
    share, extra = hits / total, Z95**2 / total
    middle = (share + extra / 2) / (1 + extra)
    reach = Z95 * sqrt(share * (1 - share) / total + extra / total / 4) / (1 + extra)
    # At the ends the formula gives 0 and 1 only up to rounding.
    return (0.0 if not hits else max(0.0, middle - reach), 1.0 if hits == total else min(1.0, middle + reach))


@dataclass(frozen=True, slots=True)
class SizeRecall:
    """Recall among the true boxes of a width.

    Attributes:
        low: least width in pixels.
        high: width in pixels from which the next bin begins; None for the last.
        truths: true boxes in the bin.
        found: how many of them were found.
    """

    low: float
    high: float | None
    truths: int
    found: int

    @property
    def recall(self) -> float | None:
        """Share found, 0..1; None in an empty bin."""
        return self.found / self.truths if self.truths else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share."""
        return wilson(self.found, self.truths)


def recall_by_width(
    answers: Sequence[tuple[Truth, Detections, int]], label: str, score: float, edges: Sequence[float]
) -> list[SizeRecall]:
    """Count found boxes of one class by their width.

    Args:
        answers: each picture with its detections and the width in pixels that counts as its own.
        label: the class.
        score: 0..1, least score of a detection.
        edges: widths in pixels at which bins begin, rising; narrower boxes are left out, the last bin is open.

    Returns:
        One entry for each of `edges`.
    """
    widths, hits = [np.zeros(0)], [np.zeros(0, np.bool_)]
    for truth, found, pixels in answers:
        true = truth.boxes[[name == label for name in truth.labels]]
        chosen = (found.scores >= score) & np.asarray([name == label for name in found.labels], np.bool_)
        widths.append((true[:, 2] - true[:, 0]).astype(np.float64) * pixels)
        hits.append(claim(found.take(chosen), true)[1] >= 0)
    wide, hit = np.concatenate(widths), np.concatenate(hits)
    bins = []
    for low, high in pairwise([*edges, np.inf]):
        inside = (wide >= low) & (wide < high)
        bins.append(SizeRecall(low, None if high == np.inf else high, int(inside.sum()), int(hit[inside].sum())))
    return bins
