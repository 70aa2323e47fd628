"""What objects hide together, and which cells of a grid a mask touches: each against a plain way of saying it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.hidden import pieced

from wayside.privacy.objects import cells, union


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    tall=st.integers(1, 17),
    wide=st.integers(1, 17),
    points=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6),
)
def test_a_cell_counts_where_any_of_its_pixels_does(
    height: int, width: int, tall: int, wide: int, points: list[tuple[int, int]]
) -> None:
    mask = np.zeros((height, width), np.bool_)
    for row, column in points:
        mask[row % height, column % width] = True
    found = cells(mask, tall, wide)
    assert found.shape == (-(-height // tall), -(-width // wide))
    for (row, column), touched in np.ndenumerate(found):
        assert touched == mask[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide].any()
    turned = np.rot90(mask)  # not as it lies in memory
    assert np.array_equal(cells(turned, tall, wide), cells(turned.copy(), tall, wide))


@settings(max_examples=40, deadline=None)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 9), st.integers(0, 9), st.booleans()),
        max_size=5,
    )
)
def test_boxes_and_masks_hide_the_same(places: list[tuple[int, int, int, int, bool]]) -> None:
    boxes = [
        pieced([(left, top, np.broadcast_to(np.bool_(value), (rows, columns)))])
        for left, top, rows, columns, value in places
    ]
    copies = [pieced([(left, top, mask.copy())]) for one in boxes for left, top, mask in one.pieces]
    whole = union(boxes, 30, 30)
    assert np.array_equal(whole, union(copies, 30, 30))
    assert whole.sum() <= sum(one.area for one in boxes)
    assert all(
        whole[top : top + rows, left : left + columns].all() for left, top, rows, columns, value in places if value
    )
