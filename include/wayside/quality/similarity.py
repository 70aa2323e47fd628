"""Structural similarity (SSIM), equal to scikit-image's `structural_similarity` with its defaults, many times faster.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
IEEE Transactions on Image Processing 13 (2004), in the form that scikit-image computes for uint8 pictures: a uniform
7×7 window, the sample covariance (divided by 48, not 49), K1 = 0.01, K2 = 0.03, data range 255, mirrored borders, and
a mean over the map without its outer three pixels.

How it is fast: all window sums are exact integers, multiplied out by the window's 49 pixels so that no mean has to be
divided, and fit 32 bits (the largest is 49² · 255² = 156,125,025). Differences of large numbers are taken while they
are integers; only what is left goes to float32, where each step costs a relative 6e-8. The map is within 1e-6 of the
float64 one; where a decision hangs on less than that, `compare` works it out in float64. All is done in bands of
rows: with temporary arrays of the whole picture, fetching memory would take as long as the arithmetic.
"""

from collections.abc import Callable, Iterator
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
_UNSURE: Final = np.float32(1e-6)
_QUARTER: Final = np.float32(0.25)
_BAND: Final = 24_576  # pixels worked on at once, so that all temporary arrays fit a core's cache and are reused

Rule = Callable[[NDArray[np.floating]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A grey picture and its 7×7 window sums, so that a picture compared twice is summed once.

    Attributes:
        grey: uint8, H×W.
        total: int32, H×W, the sum of each window.
        spread: int32, H×W, 49·48 times the variance of each window.
    """

    grey: NDArray[np.uint8]
    total: NDArray[np.int32]
    spread: NDArray[np.int32]


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
    spread = np.asarray(
        cv2.sqrBoxFilter(grey, cv2.CV_32S, (SIDE, SIDE), normalize=False, borderType=cv2.BORDER_REFLECT), np.int32
    )
    for top, bottom in _bands(*grey.shape):
        spread[top:bottom] *= _PIXELS
        spread[top:bottom] -= total[top:bottom] * total[top:bottom]
    return Window(grey, total, spread)


def compare(one: Window, other: Window, rule: Rule) -> tuple[float, NDArray[np.bool_]]:
    """Compare two pictures; the same whichever comes first.

    Args:
        one: the windows of one picture.
        other: the windows of the other.
        rule: turns similarities (-1..1) into decisions, value by value, say: is this motion?

    Returns:
        The mean SSIM without the outer three pixels, as scikit-image reports it, and the decision on each pixel's
        similarity (bool, H×W), taken as if that were float64.

    Raises:
        ImageError: reason `size_mismatch`, when the pictures differ in size.
    """
    height, width = _common_shape(one, other)
    decision = np.empty((height, width), np.bool_)
    total = 0.0
    for top, bottom in _bands(height, width):
        similarity = _similarity(one, other, top, bottom)
        first, last = max(top, _PAD), min(bottom, height - _PAD)
        total += cv2.sumElems(similarity[first - top : max(last - top, 0), _PAD:-_PAD])[0]
        decision[top:bottom] = _decide(one, other, similarity, rule, top)
    mean = total / ((height - 2 * _PAD) * (width - 2 * _PAD))
    return max(-1.0, min(mean, 1.0)), decision


def similarity_map(one: Window, other: Window) -> NDArray[np.float32]:
    """Return the SSIM of each pixel's window: float32, H×W, -1..1; arguments and errors are those of `compare`."""
    bands = _bands(*_common_shape(one, other))
    return np.concatenate([_similarity(one, other, top, bottom) for top, bottom in bands])


def _common_shape(one: Window, other: Window) -> tuple[int, int]:
    if one.grey.shape != other.grey.shape:
        raise ImageError("size_mismatch", f"pictures of {one.grey.shape} and {other.grey.shape} cannot be compared")
    height, width = one.grey.shape
    return height, width


def _similarity(one: Window, other: Window, top: int, bottom: int) -> NDArray[np.float32]:
    """Compute the SSIM of some rows."""
    above, below = max(top - _PAD, 0), bottom + _PAD
    shared = _box(np.multiply(one.grey[above:below], other.grey[above:below], dtype=np.uint16))
    covariance = shared[top - above : bottom - above] * _PIXELS
    first, second = one.total[top:bottom], other.total[top:bottom]
    product = first * second
    covariance -= product
    squares = first * first
    squares += second * second
    # Numerator and denominator both lack a factor of 4: nobody multiplies by the 2 of 2·a·b and of 2·cov.
    result = _plus(product, _C1 / 2)
    result *= _plus(covariance, _C2 / 2)
    result /= _plus(squares, _C1) * _QUARTER
    result /= _plus(one.spread[top:bottom] + other.spread[top:bottom], _C2)
    return result


def _decide(one: Window, other: Window, similarity: NDArray[np.float32], rule: Rule, top: int) -> NDArray[np.bool_]:
    """Apply the rule to rows from `top` on, in float64 where it hangs on less than the error of float32."""
    decision = rule(similarity - _UNSURE)
    unsure = np.flatnonzero(decision != rule(similarity + _UNSURE))
    if unsure.size:
        rows, columns = np.divmod(unsure, similarity.shape[1])
        decision[rows, columns] = rule(_exactly(one, other, rows + top, columns))
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


def _bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the first row and the row after the last of each band."""
    rows = max(_BAND // width, 1)
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _plus(values: NDArray[np.int32], constant: float) -> NDArray[np.float32]:
    result = values.astype(np.float32)
    result += np.float32(constant)
    return result


def _box(values: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.int32]:
    summed = cv2.boxFilter(values, cv2.CV_32S, (SIDE, SIDE), normalize=False, borderType=cv2.BORDER_REFLECT)
    return np.asarray(summed, np.int32)
