"""Recall by width and its intervals, against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.vision.bysize import recall_by_width, wilson
from wayside.vision.detections import Detections
from wayside.vision.evaluate import Truth

SMALL, WIDE = (0.1, 0.1, 0.2, 0.15), (0.3, 0.5, 0.8, 0.7)


def truth(*boxes: tuple, label: str = "plate") -> Truth:
    return Truth("id", b"", np.asarray(boxes, np.float32).reshape(-1, 4), (label,) * len(boxes))


def found(*rows: tuple[float, tuple]) -> Detections:
    boxes = np.asarray([box for _, box in rows], np.float32).reshape(-1, 4)
    return Detections.sorted(boxes, np.asarray([score for score, _ in rows], np.float32), ["plate"] * len(rows))


def test_the_interval_of_a_textbook() -> None:
    """81 of 263: Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_nothing_seen_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_mirrors(hits: int, misses: int) -> None:
    total = hits + misses
    low, high = wilson(hits, total)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= hits / total <= high
    assert (1 - high, 1 - low) == pytest.approx(wilson(misses, total))


def test_bins_by_width_in_pixels() -> None:
    """One picture 100 wide, one 200 wide: the same box is 10 pixels wide in the first and 20 in the second."""
    answers = [
        (truth(SMALL, WIDE), found((0.9, SMALL), (0.2, WIDE)), 100),
        (truth(SMALL), found((0.6, WIDE)), 200),
        (truth(SMALL, label="face"), found((0.9, SMALL)), 100),
    ]
    narrow, middle, wide = recall_by_width(answers, "plate", 0.5, (5, 15, 30))
    assert (narrow.low, narrow.high, narrow.truths, narrow.found, narrow.recall) == (5, 15, 1, 1, 1.0)
    assert (middle.truths, middle.found, middle.recall) == (1, 0, 0.0)
    assert (wide.high, wide.truths, wide.found) == (None, 1, 0), "a score below the threshold is no finding"
    assert recall_by_width(answers, "plate", 0.1, (5, 15, 30))[2].found == 1
    assert wide.interval == wilson(0, 1)


def test_an_empty_bin_has_no_recall() -> None:
    (only,) = recall_by_width([], "plate", 0.5, (0,))
    assert (only.recall, only.interval) == (None, (0, 1))
