"""Instance masks: a coarse grid of numbers for each object, and its pixels at any size.

A model answers with masks at a quarter of its input's size or so. They are kept that small, cut to the object, until
somebody wants pixels, and then only those of the object's own box are made: a picture of 33 megapixels with hundreds
of people never has a mask of its own size for one of them.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.vision.detections import Boxes, Mask, Outline

__all__ = ["Mask", "Outline", "outlines", "pixels"]

_MARGIN: Final = 2
"""Cells of the grid that are kept around a box."""


def outlines(grids: NDArray[np.float32], boxes: Boxes) -> tuple[Outline, ...]:
    """Cut the masks of a model to their objects.

    Args:
        grids: [K, h, w], above 0 where the object is, each covering the whole input.
        boxes: [K, 4], left, top, right, bottom as fractions of the input; may reach beyond it.

    Returns:
        An outline for each object, its area in fractions of the input.
    """
    rows, columns = grids.shape[1:]
    cut = []
    for grid, box in zip(grids, np.clip(np.nan_to_num(boxes), 0, 1), strict=True):
        left, right = _cells(float(box[0]), float(box[2]), columns)
        top, bottom = _cells(float(box[1]), float(box[3]), rows)
        area = (left / columns, top / rows, right / columns, bottom / rows)
        cut.append(Outline(np.array(grid[top:bottom, left:right], np.float32), area))
    return tuple(cut)


def pixels(outline: Outline, box: tuple[int, int, int, int], frame: tuple[float, float, float, float]) -> Mask:
    """Draw an outline into a box of a picture.

    The grid is interpolated linearly between the middles of its cells, and a pixel belongs to the object where the
    value is above 0, as He et al., "Mask R-CNN", 2017, and its successors do with their masks.

    Args:
        outline: the object, its area in fractions of what the model was shown.
        box: left, top, right, bottom in pixels of the picture; right and bottom exclusive.
        frame: left, top, width, height of what the model was shown, in pixels of the picture.

    Returns:
        bool [bottom - top, right - left].
    """
    rows, columns = outline.grid.shape
    left, top, right, bottom = outline.area
    across, down = columns / ((right - left) * frame[2]), rows / ((bottom - top) * frame[3])
    start_x = (box[0] + 0.5 - frame[0] - left * frame[2]) * across - 0.5
    start_y = (box[1] + 0.5 - frame[1] - top * frame[3]) * down - 0.5
    values = cv2.warpAffine(
        outline.grid,
        np.asarray([[across, 0, start_x], [0, down, start_y]]),
        (box[2] - box[0], box[3] - box[1]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(values > 0)


def _cells(low: float, high: float, number: int) -> tuple[int, int]:
    """Return the first and the last cell + 1 of a stretch, with a margin; at least one cell."""
    first = min(max(0, math.floor(low * number) - _MARGIN), number - 1)
    return first, max(first + 1, min(number, math.ceil(high * number) + _MARGIN))
