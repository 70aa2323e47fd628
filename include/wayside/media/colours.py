"""Names for the colours of what moves: twelve that people use, by brightness, saturation and hue."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

NAMES: Final = (
    "black", "white", "gray", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown",
)  # fmt: skip
_BLACK, _WHITE, _GRAY, _RED, _ORANGE, _YELLOW, _GREEN, _CYAN, _BLUE, _PURPLE, _PINK, _BROWN = range(len(NAMES))
_HUES: Final = (  # upper ends, degrees
    (15, _RED), (42, _ORANGE), (70, _YELLOW), (165, _GREEN), (200, _CYAN), (262, _BLUE), (300, _PURPLE),
    (335, _PINK), (361, _RED),
)  # fmt: skip
_DARK, _BRIGHT, _PALE, _DIM = 0.22, 0.72, 0.22, 0.62
_BITS: Final = 5  # of each channel that are looked at


def tally(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the pixels of each colour.

    Args:
        pixels: uint8 [N, 3], blue-green-red.

    Returns:
        int64 [12], in the order of `NAMES`.
    """
    coarse = (pixels >> (8 - _BITS)).astype(np.int32)
    at = (coarse[:, 0] << 2 * _BITS) | (coarse[:, 1] << _BITS) | coarse[:, 2]
    return np.bincount(_table()[at], minlength=len(NAMES))


def dominant(counts: NDArray[np.float64], *, least: float = 0.15, most: int = 3) -> tuple[str, ...]:
    """Return the names of colours that have at least this share, the largest first, `most` of them."""
    total = float(counts.sum())
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple(NAMES[at] for at in order if total and counts[at] >= least * total)


@cache
def _table() -> NDArray[np.uint8]:
    """Name every colour, by the first bits of its channels."""
    levels = ((np.arange(1 << _BITS) + 0.5) / (1 << _BITS)).astype(np.float32)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    hue, saturation, value = cv2.cvtColor(cube, cv2.COLOR_BGR2HSV)[0].T
    names = np.full(hue.shape, _RED, np.uint8)
    for upper, name in reversed(_HUES):
        names[hue < upper] = name
    names[(hue >= 15) & (hue < 50) & (value < _DIM)] = _BROWN
    names[((hue < 15) | (hue >= 320)) & (saturation < 0.38) & (value > _BRIGHT)] = _PINK
    pale = saturation < _PALE
    names[pale] = _GRAY
    names[pale & (value > _BRIGHT)] = _WHITE
    names[value < _DARK] = _BLACK
    return names
