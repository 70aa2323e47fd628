"""Boxes: overlap of two, and removal of those that show the same object twice.

Boxes are left, top, right, bottom in any one unit; a box whose right edge is left of its left edge has no area.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.vision.detections import Boxes, Scores


def areas(boxes: Boxes) -> Scores:
    """Return the area of each box: [N, 4] -> [N], in the square of the boxes' unit."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def intersections(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Return the shared area of every pair: [N, 4], [M, 4] -> [N, M]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float32)


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Return intersection over union of every pair, 0..1: [N, 4], [M, 4] -> [N, M]; 0 for boxes without area."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float32)


def suppress(boxes: Boxes, scores: Scores, classes: NDArray[np.intp], threshold: float) -> NDArray[np.intp]:
    """Choose the boxes that survive class-wise greedy non-maximum suppression.

    Of two boxes of one class whose intersection over union is above `threshold`, the one with the lower score goes.
    Between equal scores the earlier box stays. The greedy rule is that of Felzenszwalb et al., "Object Detection with
    Discriminatively Trained Part Based Models", 2010, section 6; OpenCV does the work.

    Args:
        boxes: [N, 4], any unit.
        scores: [N], above 0.
        classes: [N], class numbers.
        threshold: 0..1.

    Returns:
        The positions of the survivors, best score first.
    """
    if not len(boxes):
        return np.zeros(0, np.intp)
    corners = boxes.astype(np.float64)
    corners[:, 2:] -= corners[:, :2]
    kept = cv2.dnn.NMSBoxesBatched(
        corners,  # type: ignore[arg-type]  # the stubs want lists; arrays are taken, and quicker
        scores.astype(np.float64),  # type: ignore[arg-type]
        classes.astype(np.int32),  # type: ignore[arg-type]
        0.0,
        threshold,
    )
    return np.asarray(kept, np.intp).reshape(-1)
