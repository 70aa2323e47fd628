"""Boxes of the static filter: pixels by truncation, duplicates with the old skips and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import WaysideError
from wayside.quality.boxes import check_columns, duplicates_v0, duplicates_v1, overlaps, to_pixels

# Few distinct places and sizes, so that near copies are common.
BOX = st.builds(
    lambda top, left, height, width: [top, left, top + height, left + width],
    *[st.integers(0, 3)] * 2,
    *[st.sampled_from([0, 1, 40, 41, 42])] * 2,
)
SCORED = st.lists(st.tuples(BOX, st.sampled_from([0.3, 0.5, 0.5001, 0.9])), max_size=9)


def iou_in_words(one, other):
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return height * width / (sum(area) - height * width)


def survivors_in_words(found):
    """The old procedure: take boxes out of the list while walking through it, and count on after each."""
    objects = [(number, box, score) for number, (box, score) in enumerate(found)]
    for place, (_, box, score) in enumerate(objects):
        length, other = len(objects), place + 1
        while other < length:
            if iou_in_words(box, objects[other][1]) > 0.9:
                del objects[other if score > objects[other][2] else place]
                length -= 1
            other += 1
    return [number for number, _, _ in objects]


def columns(found):
    return np.array([box for box, _ in found], int).reshape(-1, 4), np.array([score for _, score in found])


@given(SCORED)
def test_version_0_drops_exactly_what_the_old_procedure_dropped(found):
    assert np.flatnonzero(~duplicates_v0(*columns(found))).tolist() == survivors_in_words(found)


def test_three_identical_boxes_leave_two_in_version_0_and_one_in_version_1():
    boxes, scores = np.array([[10, 10, 50, 50]] * 3), np.array([0.9, 0.8, 0.7])
    assert duplicates_v0(boxes, scores).tolist() == [False, True, False]
    assert duplicates_v1(boxes, scores, 0.9).tolist() == [False, True, True]


def test_of_equal_scores_version_0_drops_the_earlier_and_version_1_the_later():
    boxes, scores = np.array([[10, 10, 50, 50]] * 2), np.array([0.8, 0.8])
    assert duplicates_v0(boxes, scores).tolist() == [True, False]
    assert duplicates_v1(boxes, scores, 0.9).tolist() == [False, True]


@given(SCORED)
def test_version_1_leaves_no_overlap_and_drops_only_what_a_better_box_covers(found):
    boxes, scores = columns(found)
    dropped = duplicates_v1(boxes, scores, 0.9)
    match = overlaps(boxes) > 0.9
    kept = np.flatnonzero(~dropped)
    assert not np.triu(match[np.ix_(kept, kept)], 1).any()
    for index in np.flatnonzero(dropped):
        assert any(match[index, other] and scores[other] >= scores[index] for other in kept)


@given(SCORED)
def test_overlap_is_what_it_is_in_words(found):
    boxes, _ = columns(found)
    expected = [[iou_in_words(one, other) for other in boxes.tolist()] for one in boxes.tolist()]
    np.testing.assert_allclose(overlaps(boxes), np.array(expected).reshape(len(boxes), len(boxes)))


@given(
    st.lists(st.tuples(*[st.floats(-0.25, 1.25, width=32)] * 4), max_size=5),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.sampled_from([np.float32, np.float64]),
)
def test_pixels_are_cut_off_in_the_precision_of_the_fractions(fractions, height, width, kind):
    boxes = np.array(fractions, kind).reshape(-1, 4)
    expected = [
        [
            int(min(max(value, kind(0)), kind(1)) * kind(size))
            for value, size in zip(box[[1, 0, 3, 2]], [height, width] * 2, strict=True)
        ]
        for box in boxes
    ]
    assert to_pixels(boxes, height, width).tolist() == expected


@pytest.mark.parametrize(
    ("boxes", "scores", "labels"),
    [
        (np.zeros((2, 4), int), np.zeros(1), 2),
        (np.zeros((2, 4), int), np.zeros(2), 1),
        (np.zeros((2, 5), int), np.zeros(2), 2),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(boxes, scores, labels):
    with pytest.raises(WaysideError, match="do not describe the same detections"):
        check_columns(boxes, scores, labels)
