"""Structural similarity (SSIM), equal to scikit-image's `structural_similarity` with its defaults, many times faster.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
IEEE Transactions on Image Processing 13 (2004), in the form that scikit-image computes for uint8 pictures: a uniform
7×7 window, the sample covariance (divided by 48, not 49), K1 = 0.01, K2 = 0.03, data range 255, mirrored borders, and
a mean over the map without its outer three pixels.

How it is fast: all window sums are exact integers, multiplied out by the window's 49 pixels so that no mean has to be
divided, and fit 32 bits (the largest is 49² · 255² = 156,125,025). Differences of large numbers are taken while they
are integers; only what is left goes to float32, where each step costs a relative 6e-8. The map is within 1e-6 of the
float64 one; where a decision hangs on less than that, `decide` works it out in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError

SIDE: Final = 7
_PIXELS: Final = SIDE * SIDE
_PAD: Final = SIDE // 2
# The stabilising constants (K·255)², scaled like the integer sums that they are added to.
_C1: Final = (0.01 * 255) ** 2 * _PIXELS**2
_C2: Final = (0.03 * 255) ** 2 * _PIXELS * (_PIXELS - 1)
_UNSURE: Final = 1e-6

Rule = Callable[[NDArray[np.floating]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A grey picture and its 7×7 window sums, so that a picture compared twice is summed once.

    Attributes:
        grey: uint8, H×W.
        total: int32, H×W, the sum of each window.
        square: float32, H×W, `total` squared, and half of the constant that SSIM adds to two such.
        spread: float32, H×W, 49·48 times the variance of each window, and half of its constant.
    """

    grey: NDArray[np.uint8]
    total: NDArray[np.int32]
    square: NDArray[np.float32]
    spread: NDArray[np.float32]


def window(grey: NDArray[np.uint8]) -> Window:
    """Sum the 7×7 windows of a grey picture.

    Args:
        grey: uint8, H×W, both sides at least 7.

    Raises:
        ImageError: reason `too_small`, when a side is shorter than the window.
    """
    if min(grey.shape) < SIDE:
        raise ImageError("too_small", f"a picture of {grey.shape[1]}×{grey.shape[0]} is smaller than the 7×7 window")
    total = _box(grey)
    square = total * total
    spread = np.asarray(
        cv2.sqrBoxFilter(grey, cv2.CV_32S, (SIDE, SIDE), normalize=False, borderType=cv2.BORDER_REFLECT), np.int32
    )
    spread *= _PIXELS
    spread -= square
    return Window(grey, total, _plus(square, _C1 / 2), _plus(spread, _C2 / 2))


def similarity_map(one: Window, other: Window) -> NDArray[np.float32]:
    """Return the SSIM of each pixel's window: float32, H×W, -1..1, the same whichever picture comes first.

    Raises:
        ImageError: reason `size_mismatch`, when the pictures differ in size.
    """
    if one.grey.shape != other.grey.shape:
        raise ImageError("size_mismatch", f"pictures of {one.grey.shape} and {other.grey.shape} cannot be compared")
    product = one.total * other.total
    shared = _box(np.multiply(one.grey, other.grey, dtype=np.uint16))
    shared *= _PIXELS
    shared -= product
    # Numerator and denominator both lack a factor of 4: the halves of 2·a·b and of 2·cov are never multiplied in.
    result = _plus(product, _C1 / 2)
    part = _plus(shared, _C2 / 2)
    result *= part
    result *= 4
    result /= np.add(one.square, other.square, out=part)
    result /= np.add(one.spread, other.spread, out=part)
    return result


def mean_similarity(similarity: NDArray[np.float32]) -> float:
    """Return the mean of a similarity map without its outer three pixels, as scikit-image reports it."""
    return float(cv2.mean(similarity[_PAD:-_PAD, _PAD:-_PAD])[0])


def decide(one: Window, other: Window, similarity: NDArray[np.float32], rule: Rule) -> NDArray[np.bool_]:
    """Apply a rule to each pixel's similarity as if the map were float64.

    Args:
        one: the windows of one picture.
        other: the windows of the other.
        similarity: their `similarity_map`.
        rule: turns similarities into decisions, value by value.

    Returns:
        bool, H×W.
    """
    decision = rule(similarity - np.float32(_UNSURE))
    unsure = decision != rule(similarity + np.float32(_UNSURE))
    spots = np.flatnonzero(unsure)
    if spots.size:
        rows, columns = np.divmod(spots, similarity.shape[1])
        decision[rows, columns] = rule(_exactly(one, other, rows, columns))
    return decision


def _exactly(one: Window, other: Window, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Compute SSIM at some pixels from the pixels themselves, in float64."""
    first, second = (_patches(each.grey, rows, columns) for each in (one, other))
    mean_1, mean_2 = first.mean(axis=1), second.mean(axis=1)
    first -= mean_1[:, None]
    second -= mean_2[:, None]
    c1, c2, norm = (0.01 * 255) ** 2, (0.03 * 255) ** 2, _PIXELS - 1
    shared = (first * second).sum(axis=1) / norm
    spread = (first**2 + second**2).sum(axis=1) / norm
    light = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    return np.asarray(light * (2 * shared + c2) / (spread + c2), np.float64)


def _patches(grey: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the window around each of N pixels: float64, [N, 49]."""
    padded = cv2.copyMakeBorder(grey, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REFLECT)
    stride, steps = padded.shape[1], np.arange(SIDE)
    around = (steps[:, None] * stride + steps).ravel()
    corners = rows * stride + columns
    return np.asarray(padded.ravel()[corners[:, None] + around], np.float64)


def _plus(values: NDArray[np.int32], constant: float) -> NDArray[np.float32]:
    result = values.astype(np.float32)
    result += np.float32(constant)
    return result


def _box(values: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.int32]:
    summed = cv2.boxFilter(values, cv2.CV_32S, (SIDE, SIDE), normalize=False, borderType=cv2.BORDER_REFLECT)
    return np.asarray(summed, np.int32)
