"""Overlap and suppression, against the plain definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from wayside.vision.nms import areas, intersections, iou, suppress

coordinates = st.floats(0, 1, width=32)
box_lists = hnp.arrays(np.float32, st.tuples(st.integers(0, 25), st.just(4)), elements=coordinates)


def ordered(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def plain_iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    a, b = first.astype(float), second.astype(float)
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high
    return wide * high / union if union > 0 else 0.0


def test_iou_of_known_boxes() -> None:
    first = np.asarray([[0, 0, 2, 2]], np.float32)
    second = np.asarray([[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [5, 5, 4, 4]], np.float32)
    assert np.allclose(iou(first, second), [[1, 1 / 7, 0, 0]])
    assert np.allclose(areas(second), [4, 4, 4, 0])
    assert np.allclose(intersections(first, second), [[4, 1, 0, 0]])


@given(box_lists, box_lists)
@settings(deadline=None)
def test_iou_is_a_symmetric_share(first: NDArray[np.float32], second: NDArray[np.float32]) -> None:
    shares = iou(ordered(first), ordered(second))
    assert shares.shape == (len(first), len(second))
    assert ((shares >= 0) & (shares <= 1 + 1e-5)).all()
    assert np.array_equal(shares, iou(ordered(second), ordered(first)).T)


@given(box_lists, st.data(), st.floats(0.1, 0.9))
@settings(deadline=None, max_examples=60)
def test_survivors_are_those_of_the_greedy_rule(
    boxes: NDArray[np.float32], data: st.DataObject, threshold: float
) -> None:
    boxes = ordered(boxes)
    boxes = boxes[areas(boxes) > 1e-3]
    count = len(boxes)
    scores = data.draw(hnp.arrays(np.float32, count, elements=st.floats(0.015625, 1, width=32)))
    classes = data.draw(hnp.arrays(np.intp, count, elements=st.integers(0, 2)))
    kept = suppress(boxes, scores, classes, threshold).tolist()
    assert kept == sorted(kept, key=lambda position: -scores[position])
    assert len(set(kept)) == len(kept)
    near = 1e-5
    for position in range(count):
        rivals = [other for other in kept if other != position and classes[other] == classes[position]]
        overlaps = {other: plain_iou(boxes[other], boxes[position]) for other in rivals}
        if position in kept:
            assert all(overlap <= threshold + near for overlap in overlaps.values())
        else:
            better = [overlaps[other] for other in rivals if scores[other] >= scores[position]]
            assert max(better, default=0) > threshold - near


def test_nothing_in_nothing_out() -> None:
    assert len(suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.intp), 0.5)) == 0


def test_equal_scores_keep_the_earlier_box_and_classes_stay_apart() -> None:
    boxes = np.asarray([[0, 0, 1, 1]] * 3, np.float32)
    kept = suppress(boxes, np.full(3, 0.5, np.float32), np.asarray([0, 0, 1]), 0.5)
    assert sorted(kept.tolist()) == [0, 2]
