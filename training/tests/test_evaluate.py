"""The scorer on cases whose answer can be worked out by hand."""

import cv2
import numpy as np
import pytest

from evaluate import Evaluation, average_precision, overlaps, score_detections, suppress

CAR = 2
BOXES = np.array([[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.9, 0.9]], np.float32)
PICTURE = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def evaluation(boxes: np.ndarray, name: str = "test") -> Evaluation:
    return Evaluation(name, [PICTURE], [(boxes, ["car"] * len(boxes))], ["car"])


def detector(boxes: np.ndarray, values: list[float], label: int = CAR):
    scores = np.zeros((len(boxes), 6), np.float32)
    scores[:, label] = values
    return lambda image: (scores, boxes)


def test_overlap_of_shifted_squares() -> None:
    first = np.array([[0, 0, 2, 2]], np.float32)
    second = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [5, 5, 6, 6]], np.float32)
    assert overlaps(first, second)[0] == pytest.approx([1 / 3, 1, 0])


def test_average_precision_by_hand() -> None:
    assert average_precision(np.array([1, 0, 1]), 2) == pytest.approx(100 * (0.5 * 1 + 0.5 * 2 / 3))
    assert average_precision(np.array([], int), 2) == 0


def test_everything_found_is_one_hundred() -> None:
    score = score_detections(evaluation(BOXES), detector(BOXES, [0.9, 0.8]), by_size=True)
    assert score.mean == pytest.approx(100)
    assert score.sizes == pytest.approx({"medium": 100, "large": 100})


def test_a_second_box_on_one_object_is_false() -> None:
    double = np.concatenate((BOXES[:1], BOXES[:1] + 0.03, BOXES[1:]))
    score = score_detections(evaluation(BOXES), detector(double, [0.9, 0.8, 0.7]))
    assert score.mean == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))


def test_suppression_is_by_class() -> None:
    scores = np.zeros((2, 6), np.float32)
    scores[0, 2], scores[1, 2], scores[1, 5] = 0.9, 0.8, 0.7
    kept = suppress(scores, np.concatenate((BOXES[:1], BOXES[:1])))
    assert kept.tolist() == [[0, 2], [1, 5]]


def test_atl_counts_motorcycles_as_bicycles() -> None:
    truth = Evaluation("atl", [PICTURE], [(BOXES, ["bicycle", "bicycle"])], ["bicycle"])
    assert score_detections(truth, detector(BOXES, [0.9, 0.8], label=3)).mean == pytest.approx(100)
