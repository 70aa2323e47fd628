"""What of the original can still be seen under a mask: three questions, asked of the finished file and of the fill.

1. Does the file show what was filled in? Each coefficient of each block that the mask touches is compared with the one
   that the fill has in that place: within what encoders round differently, it must be the same. This leaves no room
   for a mask that was turned the wrong way, for a block that was forgotten, or for another file's pixels.
2. Was everything filled? In windows of 16 x 16 pixels the fine texture (what differs from the mean of 3 x 3 pixels) is
   correlated with the original's. Where it is alike and nearly as strong, the window was forgotten.
3. Can the fill be undone? What is a weighted sum of blurred copies of the original and of their slopes is a blur, and
   a blur can be inverted. The share of the fill's variance that such a sum explains (R squared of a least-squares fit)
   is next to 1 for blurs of any size. Flat colours and mosaics are not asked: nearly all of their pixels equal their
   neighbours.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.privacy.coefficients import read
from wayside.privacy.lossless import expected, touched
from wayside.privacy.objects import Mask, cells
from wayside.privacy.orientation import as_stored, orientation_of
from wayside.vision.decode import Image

WINDOW: Final = 16
"""Side of the windows of the second question, in pixels."""
_LEAST_MASKED: Final = 64  # pixels of a window
_LEAST_TEXTURE: Final = 3.0  # grey levels: root mean square of what differs from the mean of 3 x 3 pixels
_PASSED_ON: Final = 0.6  # share of the texture that is seen; a blur of 3 x 3 pixels leaves less
_ALIKE: Final = 0.8  # correlation of both textures
_LEAST_INNER: Final = 150  # pixels of a region that are asked whether they are flat
_NOT_FLAT: Final = 0.6  # share of the pixels that differ from a neighbour; a mosaic of the smallest cells reaches 0.44
_EVEN: Final = 0.5  # grey levels
_EXPLAINED: Final = 0.6
_LEAST_VARIANCE: Final = 1.0  # grey levels squared; what is flatter shows nothing
_BLURS: Final = (1, 3, 7, 15, 31, 63, 127)  # sides of box filters, pixels
_RIDGE: Final = 1e-9  # of the sum of squares
_MARGIN: Final = 64
_MOST_SAMPLES: Final = 2000


def changed_blocks(output: bytes, mask: Mask, filled: Image) -> tuple[int, tuple[int, int]]:
    """Return how many blocks under the mask show something else than the fill, and where the first one is.

    Args:
        output: the anonymised JPEG.
        mask: bool [H, W], upright.
        filled: uint8 [H, W, 3] blue-green-red, upright.

    Returns:
        The count over all colour planes, and (left, top) in pixels as stored of the first; (0, 0) where there is none.

    Raises:
        ImageError: the file has no coefficients that could be read, or another size.
    """
    orientation = orientation_of(output)
    hidden = np.ascontiguousarray(as_stored(mask, orientation))
    picture = np.ascontiguousarray(as_stored(filled, orientation))
    coded = read(output, (hidden.shape[0], hidden.shape[1]))
    count, first = 0, (0, 0)
    for number, plane in enumerate(coded.planes):
        where = touched(hidden, plane)
        apart = np.abs(plane.blocks[where].astype(np.int32) - expected(picture, coded, number, where))
        # One step of rounding, and with steps of one or two grey levels what encoders convert differently.
        wrong = (apart > 1 + 4 // plane.table.astype(np.int32)).any(axis=(1, 2))
        if wrong.any() and not count:
            row, column = np.argwhere(where)[wrong.argmax()]
            first = (int(column) * 8 * plane.across, int(row) * 8 * plane.down)
        count += int(np.count_nonzero(wrong))
    return count, first


def survivors(seen: Image, original: Image, mask: Mask, *, noise: int = 0) -> Iterator[tuple[str, str]]:
    """Yield what survives of the original under the mask: (`pixels` or `cosmetic`, where and what).

    Args:
        seen: uint8 [H, W, 3] blue-green-red: the fill, or the decoded output.
        original: uint8 [H, W, 3], upright as well.
        mask: bool [H, W].
        noise: by how many grey levels `seen` may be off: 0 for the fill itself, some for what was decoded.
    """
    for left, top, hidden in _regions(mask):
        height, width = hidden.shape
        place = f"{width} x {height} pixels at {left}, {top}"
        inner = slice(top, top + height), slice(left, left + width)
        windows = _forgotten(seen[inner], original[inner], hidden)
        if windows:
            yield "pixels", f"{windows} windows of a masked region of {place} show the original"
            continue
        # A blur took its colours from around the region as well.
        above, before = min(top, _MARGIN), min(left, _MARGIN)
        outer = slice(top - above, top + height + _MARGIN), slice(left - before, left + width + _MARGIN)
        around = np.zeros(seen[outer].shape[:2], np.bool_)
        around[above : above + height, before : before + width] = hidden
        share = _explained(seen[outer], original[outer], around, noise)
        if share > _EXPLAINED:
            yield "cosmetic", f"a blur of the original explains {share:.0%} of what a region of {place} shows"


def _regions(mask: Mask) -> Iterator[tuple[int, int, Mask]]:
    """Yield left, top and mask of each part of a mask whose windows touch, also by their corners."""
    grid = cells(mask, WINDOW, WINDOW)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(grid.view(np.uint8), connectivity=8)
    for region in range(1, count):
        column, row, wide, tall, _ = (int(number) for number in stats[region])
        own = labels[row : row + tall, column : column + wide] == region
        left, top = column * WINDOW, row * WINDOW
        part = mask[top : top + tall * WINDOW, left : left + wide * WINDOW]
        whole = np.repeat(np.repeat(own, WINDOW, axis=0), WINDOW, axis=1)
        yield left, top, part & whole[: part.shape[0], : part.shape[1]]


def _forgotten(seen: Image, original: Image, hidden: Mask) -> int:
    """Return in how many windows the masked pixels still have their fine texture, or all of their values."""
    before, after = ((grey - cv2.blur(grey, (3, 3))) * hidden for grey in (_grey(original), _grey(seen)))
    masked, strength, kept, common, uneven = (
        _windows(one) for one in (hidden, before * before, after * after, before * after, np.abs(after) > _EVEN)
    )
    textured = (masked >= _LEAST_MASKED) & (strength >= _LEAST_TEXTURE**2 * masked)
    alike = (common >= _PASSED_ON * strength) & (common >= _ALIKE * np.sqrt(strength * kept))
    # Of lines on a flat ground few pixels have a texture, and a mosaic's edges might fit them by chance.
    blue, green, red = (np.asarray(plane, np.uint8) for plane in cv2.split(cv2.absdiff(seen, original)))
    equal = _windows(((blue | green | red) == 0) & hidden) == masked
    # One colour that was there before as well, burnt-out sky around an object, say, shows nothing.
    equal &= _windows(_varied(seen, hidden)) > 0
    return int(np.count_nonzero(textured & (equal | (alike & (uneven >= _NOT_FLAT * masked)))))


def _varied(seen: Image, hidden: Mask) -> Mask:
    """Return bool [H, W]: True where a hidden pixel differs from its hidden neighbour at the right or below."""
    varied = np.zeros(hidden.shape, np.bool_)
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        varied[one] |= (seen[one] != seen[other]).any(axis=2) & hidden[one] & hidden[other]
    return varied


def _windows(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the sums over windows that lie side by side, [rows, columns]."""
    height, width = values.shape
    whole = height // WINDOW
    numbers = values.astype(np.float64)
    lines = np.empty((-(-height // WINDOW), width))
    # `reduceat` down the columns takes many times as long.
    lines[:whole] = numbers[: whole * WINDOW].reshape(whole, WINDOW, width).sum(axis=1)
    lines[whole:] = numbers[whole * WINDOW :].sum(axis=0)
    return np.asarray(np.add.reduceat(lines, np.arange(0, width, WINDOW), axis=1), np.float64)


def _explained(seen: Image, original: Image, hidden: Mask, noise: int) -> float:
    """Return the share of the variance of what is not flat in a region that blurs of the original explain, 0..1."""
    kernel = np.ones((3, 3), np.uint8)
    inside = cv2.erode(hidden.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0).astype(np.bool_)
    grey = np.asarray(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY), np.uint8)
    uneven = (cv2.dilate(grey, kernel) - cv2.erode(grey, kernel) > noise) & inside
    judged, rough = np.count_nonzero(inside), np.count_nonzero(uneven)
    if judged < _LEAST_INNER or rough < _NOT_FLAT * judged:
        return 0.0
    chosen = np.flatnonzero(uneven)
    chosen = chosen[:: -(-len(chosen) // _MOST_SAMPLES)]
    values = grey.ravel()[chosen].astype(np.float64)
    if values.var() < _LEAST_VARIANCE + noise**2:
        return 0.0
    source = _grey(original)
    blurs = [cv2.blur(source, (side, side)) for side in _BLURS]
    # Filters of an even side sit half a pixel off, and the difference of two of them is a slope.
    blurs += [np.roll(one, 1, axis) - one for one in blurs for axis in (0, 1)]
    terms = np.stack([one.ravel()[chosen] for one in blurs]).astype(np.float64)
    terms -= terms.mean(axis=1, keepdims=True)
    values -= values.mean()
    # Normal equations, with a ridge because neighbouring blurs are nearly the same.
    square = terms @ terms.T
    weights = np.linalg.solve(square + np.eye(len(terms)) * (_RIDGE * np.trace(square) + 1e-9), terms @ values)
    return float(1 - np.var(values - weights @ terms) / values.var())


def _grey(image: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
