"""From what was found to what is hidden: boxes and masks grown, cut to the picture, and carried across the seam."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from wayside.privacy.objects import Found, Mask, Masked
from wayside.privacy.settings import Finding


def grown(found: Sequence[Found], finding: Finding, height: int, width: int) -> list[Masked]:
    """Draw every object as it is hidden in a picture of `height` x `width` pixels.

    A box without a mask grows on each side by `finding.grow` of its width or height, rounded up. Then everything grows
    by `finding.dilation` pixels in each direction: a dilation by a square of ones of side 2 n + 1, once, as in the
    replaced system, but beyond the object's box too. What reaches beyond the picture is cut off above and below, and
    at the sides unless `finding.tiling.wrap`: then it goes on at the other side.

    Args:
        found: the objects.
        finding: what rules the growth.
        height: rows of the upright picture.
        width: columns of the upright picture.

    Returns:
        One entry for each object, in order. Masks of boxes are read-only views of a single True.
    """
    wrap = finding.tiling.wrap
    return [Masked(one, tuple(_pieces(*_grown(one, finding), (height, width), wrap=wrap))) for one in found]


def _grown(one: Found, finding: Finding) -> tuple[int, int, Mask]:
    """Return left, top and mask of a grown object, which may reach beyond the picture."""
    left, top, right, bottom = one.box
    more = finding.dilation
    if one.mask is None:
        across = math.ceil((right - left) * finding.grow) + more
        down = math.ceil((bottom - top) * finding.grow) + more
        rows, columns = bottom - top + 2 * down, right - left + 2 * across
        return left - across, top - down, np.broadcast_to(np.True_, (max(0, rows), max(0, columns)))
    padded = np.pad(one.mask, more).view(np.uint8)
    if more:
        padded = np.asarray(cv2.dilate(padded, np.ones((2 * more + 1, 2 * more + 1), np.uint8)), np.uint8)
    return left - more, top - more, padded.view(np.bool_)


def _pieces(left: int, top: int, mask: Mask, size: tuple[int, int], *, wrap: bool) -> Iterator[tuple[int, int, Mask]]:
    """Yield the parts of a mask that lie in the picture, without overlap."""
    height, width = size
    above = max(0, -top)
    mask = mask[above : max(above, height - top)]
    top = max(0, top)
    if wrap and mask.shape[1] >= width:
        yield from _whole(0, top, _turned(left, mask, width))
        return
    if not wrap:
        before = max(0, -left)
        yield from _whole(max(0, left), top, mask[:, before : max(before, width - left)])
        return
    left %= width
    yield from _whole(left, top, mask[:, : width - left])
    yield from _whole(0, top, mask[:, width - left :])


def _whole(left: int, top: int, mask: Mask) -> Iterator[tuple[int, int, Mask]]:
    """Yield a part unless it is empty."""
    if mask.size:
        yield left, top, mask


def _turned(left: int, mask: Mask, width: int) -> Mask:
    """Lay a mask that is wider than the picture round it: bool [rows, width]."""
    whole = np.zeros((mask.shape[0], width), np.bool_)
    start = 0
    while start < mask.shape[1]:
        column = (left + start) % width
        part = mask[:, start : start + width - column]
        whole[:, column : column + part.shape[1]] |= part
        start += part.shape[1]
    return whole
