"""Boxes as the static-object filter needs them: in whole pixels, and each object once.

Pixel boxes are integers [top, left, bottom, right], the order of the old system's results; fractions are
[left, top, right, bottom], the order of the rest of Wayside.
"""

import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import WaysideError

FloatBoxes = NDArray[np.floating]
PixelBoxes = NDArray[np.integer]
Flags = NDArray[np.bool_]


def to_pixels(boxes: FloatBoxes, height: int, width: int) -> NDArray[np.int64]:
    """Turn fractions [left, top, right, bottom] into pixels [top, left, bottom, right] by cutting off decimals.

    Args:
        boxes: float, [N, 4], 0..1; what lies outside is clipped.
        height: pixels.
        width: pixels.
    """
    # The old detector multiplied float32 fractions by a whole number, and float32 it stayed.
    scaled = np.clip(np.asarray(boxes), 0, 1).reshape(-1, 4)[:, [1, 0, 3, 2]]
    scale = np.array([height, width, height, width], scaled.dtype)
    return (scaled * scale).astype(np.int64)


def check_columns(boxes: PixelBoxes, scores: NDArray[np.floating], labels: int) -> None:
    """Raise `WaysideError` unless there are as many boxes ([N, 4]) as scores ([N]) and labels."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != (boxes.shape[0],) or labels != boxes.shape[0]:
        raise WaysideError(
            f"boxes {boxes.shape}, scores {scores.shape} and {labels} labels do not describe the same detections"
        )


def overlaps(boxes: PixelBoxes) -> NDArray[np.float64]:
    """Return the intersection over union of every pair: float64, [N, N], 0..1; 0 for boxes without area."""
    values = boxes.astype(np.int64)
    low = np.maximum(values[:, None, :2], values[None, :, :2])
    high = np.minimum(values[:, None, 2:], values[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    extent = np.maximum(values[:, 2:] - values[:, :2], 0)
    area = extent[:, 0] * extent[:, 1]
    union = area[:, None] + area[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1), np.float64)


def duplicates_v0(boxes: PixelBoxes, scores: NDArray[np.floating], threshold: float = 0.90) -> Flags:
    """Say which boxes the old system dropped as duplicates, of whatever label.

    It took boxes out of the very list that it was walking through. Whenever it dropped one, the next comparison was
    skipped; and when the box that was being compared lost, the search went on with its shape, and a further match
    dropped whatever had moved up into its place. Three identical boxes leave two.

    Args:
        boxes: integer, [N, 4].
        scores: [N]; of a pair the lower score is dropped, of equals the earlier.
        threshold: IoU above which two boxes are one object.

    Returns:
        bool, [N], True for a dropped box.
    """
    match = overlaps(boxes) > threshold
    left = list(range(len(boxes)))
    index = 0
    while index < len(left):
        source = left[index]
        tested = index + 1
        while tested < len(left):
            other = left[tested]
            if match[source, other]:
                left.pop(tested if scores[source] > scores[other] else index)
            tested += 1
        index += 1
    dropped = np.ones(len(boxes), bool)
    dropped[left] = False
    return dropped


def duplicates_v1(boxes: PixelBoxes, scores: NDArray[np.floating], threshold: float) -> Flags:
    """Say which boxes double a better one: greedy non-maximum suppression over all labels, nothing skipped.

    Args:
        boxes: integer, [N, 4].
        scores: [N]; of equals the earlier stays.
        threshold: IoU above which two boxes are one object.

    Returns:
        bool, [N], True for a dropped box.
    """
    match = overlaps(boxes) > threshold
    np.fill_diagonal(match, val=False)
    dropped = np.zeros(len(boxes), bool)
    for index in np.argsort(-scores, kind="stable"):
        if not dropped[index]:
            dropped |= match[index]
    return dropped
