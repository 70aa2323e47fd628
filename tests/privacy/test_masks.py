"""What is hidden of an object: grown, cut to the picture, carried across the seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.privacy.masks import grown
from wayside.privacy.objects import Found, Masked, union
from wayside.privacy.settings import Finding, Tiling


def found(box: tuple[int, int, int, int], mask: np.ndarray | None = None) -> Found:
    return Found("car", 0.5, box, mask, "Tiny")


def finding(grow: float = 0.0, dilation: int = 0, *, wrap: bool = False) -> Finding:
    return Finding(grow=grow, dilation=dilation, tiling=Tiling(wrap=wrap))


def drawn(one: Found, rule: Finding, height: int, width: int) -> tuple[Masked, np.ndarray]:
    (masked,) = grown([one], rule, height, width)
    return masked, union([masked], height, width)


def test_a_box_grows_by_a_part_of_its_size_and_by_pixels() -> None:
    masked, mask = drawn(found((20, 30, 60, 50)), finding(0.05, 4), 100, 100)
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (14, 65, 25, 54)
    assert masked.area == mask.sum() == 52 * 30
    assert masked.found.box == (20, 30, 60, 50)


def test_a_mask_grows_by_pixels_only_beyond_its_box_in_a_square() -> None:
    """One pixel becomes (2 p + 1) x (2 p + 1), 9 x 9 by default."""
    masked, mask = drawn(found((50, 40, 51, 41), np.ones((1, 1), np.bool_)), finding(0.5, 4), 100, 100)
    assert mask.sum() == masked.area == 81
    assert mask[36:45, 46:55].all()
    _, same = drawn(found((50, 40, 53, 41), np.asarray([[True, False, True]])), finding(0.5, 0), 100, 100)
    assert np.flatnonzero(same[40]).tolist() == [50, 52]


def test_objects_are_cut_off_at_the_edges() -> None:
    masked, mask = drawn(found((0, 0, 10, 10)), finding(0.1, 2), 50, 40)
    assert mask[:13, :13].all()
    assert mask.sum() == 13 * 13
    assert masked.pieces[0][:2] == (0, 0)
    _, mask = drawn(found((35, 45, 40, 50), np.ones((5, 5), np.bool_)), finding(0, 3), 50, 40)
    assert mask.sum() == 64
    assert mask[42:, 32:].all()


@pytest.mark.parametrize("shape", [None, np.ones((10, 20), np.bool_)])
def test_across_the_seam_there_are_two_pieces(shape: np.ndarray | None) -> None:
    masked, mask = drawn(found((90, 20, 110, 30), shape), finding(0, 2, wrap=True), 50, 100)
    assert [(left, top, part.shape) for left, top, part in masked.pieces] == [(88, 18, (14, 12)), (0, 18, (14, 12))]
    assert mask[18:32, 88:].all()
    assert mask[18:32, :12].all()
    assert mask.sum() == masked.area
    masked, mask = drawn(found((0, 20, 5, 30)), finding(0, 2, wrap=True), 50, 100)
    assert mask[18:32, [98, 99, 0, 6]].all(), "what grows over the left edge comes back on the right"
    masked, mask = drawn(found((3, 20, 100, 30)), finding(0, 2, wrap=True), 50, 100)
    assert masked.area == mask.sum() == 14 * 100, "round the whole picture, no pixel twice"


def test_nothing_is_left_of_what_lies_outside() -> None:
    assert drawn(found((200, 20, 210, 30)), finding(), 50, 100)[0].pieces == ()
    assert grown([], finding(), 50, 100) == []


@settings(max_examples=80)
@given(
    box=st.tuples(st.integers(0, 99), st.integers(0, 49), st.integers(1, 99), st.integers(1, 30)),
    rule=st.tuples(st.floats(0, 1), st.integers(0, 20)),
    wrap=st.booleans(),
    seed=st.none() | st.integers(0, 9),
)
def test_growing_is_a_dilation_on_the_ring_or_the_plane(
    box: tuple[int, int, int, int], rule: tuple[float, int], wrap: bool, seed: int | None
) -> None:
    """Every pixel of the object and everything within `dilation` of it is hidden, exactly so for masks."""
    left, top, width, height = box
    right, bottom = (left + width, min(50, top + height)) if wrap else (min(100, left + width), min(50, top + height))
    shape = (bottom - top, right - left)
    mask = None if seed is None else np.random.default_rng(seed).random(shape) < 0.3
    masked, hidden = drawn(found((left, top, right, bottom), mask), finding(*rule, wrap=wrap), 50, 100)
    expected = np.zeros((50, 100), np.bool_)
    for row, column in zip(*np.nonzero(np.ones(shape, np.bool_) if mask is None else mask), strict=True):
        reach = np.arange(left + column - rule[1], left + column + rule[1] + 1)
        reach = np.unique(reach % 100) if wrap else reach[(reach >= 0) & (reach < 100)]
        expected[max(0, top + row - rule[1]) : top + row + rule[1] + 1, reach] = True
    assert hidden[expected].all()
    if mask is not None:
        assert (hidden == expected).all()
    assert masked.area == hidden.sum(), "pieces do not overlap"
