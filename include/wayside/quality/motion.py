"""What moved between two pictures of a fixed camera, and whether the camera itself did.

The mask of version 0 is the old system's, pixel for pixel: similar pixels are static, dissimilar ones move, small
patches are noise. Its slip was to cast a negative similarity to an unsigned byte, where -0.2 turns into 206 and so
into "very similar"; version 1 keeps the sign.
"""

import math
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.quality.picture import Image

Mask = NDArray[np.uint8]

_ALIKE: Final = 145 / 255  # an inverted similarity above 110 of 255 is motion
_WRAPS_FROM: Final = -1 / 255  # a byte made of this is 255,
_WRAPS_TO: Final = -112 / 255  # of this 144, and so motion again
_KERNEL: Final = np.ones((3, 3), np.uint8)
# Two pictures of one view gave 0.34 to 0.94 on real cameras ten minutes apart, two of different views mostly below.
_MIN_RESPONSE: Final = 0.1


def moves_v0(similarity: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say for each similarity whether the old system saw motion there.

    It truncated 255 times the similarity to an unsigned byte. So values in (-1, 145) move, values in (-112, -1] wrap
    to 145..255 and count as static, and values at or below -112 wrap to less than 145 and move again.

    Args:
        similarity: SSIM, float, any shape, -1..1.
    """
    static = similarity <= _WRAPS_FROM
    static &= similarity > _WRAPS_TO
    static |= similarity >= _ALIKE
    return np.logical_not(static, out=static)


def moves_v1(similarity: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say for each similarity whether there is motion: below 145/255, the sign kept."""
    return np.asarray(similarity < _ALIKE, bool)


def clean(moving: NDArray[np.bool_], smallest: float) -> Mask:
    """Close gaps, remove patches whose outer contour encloses less than `smallest` px², close gaps again.

    The area of a contour is that of the polygon through the centres of its pixels, so a patch of 8×8 pixels has 49.

    Args:
        moving: bool, H×W.
        smallest: px².

    Returns:
        uint8, H×W: 255 where something moves, else 0.
    """
    mask = cv2.morphologyEx(moving.view(np.uint8) * np.uint8(255), cv2.MORPH_CLOSE, _KERNEL)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    noise = [contour for contour in contours if cv2.contourArea(contour) < smallest]
    if noise:
        cv2.drawContours(mask, noise, -1, 0, cv2.FILLED)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _KERNEL), np.uint8)


def camera_shift(one: Image, other: Image) -> float:
    """Return by how many pixels the whole scene is displaced between two grey pictures; infinity for two scenes.

    Phase correlation (Kuglin and Hines, "The phase correlation image alignment method", 1975) on half the size with
    a Hann window. What drives through the scene hardly matters, for the streets and houses outweigh it. Where no
    single displacement stands out, the pictures have nothing in common.

    Args:
        one: uint8, H×W.
        other: the same size.
    """
    half = (max(one.shape[1] // 2, 1), max(one.shape[0] // 2, 1))
    small = [cv2.resize(grey, half, interpolation=cv2.INTER_AREA).astype(np.float32) for grey in (one, other)]
    (across, down), response = cv2.phaseCorrelate(small[0], small[1], _hann(half))
    return float(2 * np.hypot(across, down)) if response >= _MIN_RESPONSE else math.inf


@lru_cache(maxsize=8)
def _hann(size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.createHanningWindow(size, cv2.CV_32F), np.float32)


def pixels_inside(mask: Mask, boxes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the moving pixels of each box, the bottom row and the right column of the box not included: [N].

    Args:
        mask: uint8, H×W.
        boxes: integer, [N, 4], top, left, bottom, right; what lies outside the picture counts nothing.
    """
    parts = (mask[top:bottom, left:right] for top, left, bottom, right in np.maximum(boxes, 0).tolist())
    return np.array([np.count_nonzero(part) for part in parts], np.int64)
