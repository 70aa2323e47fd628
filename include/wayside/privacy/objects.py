"""One object that must not be seen, and the union of all of them as a mask."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """One object of one picture, before masks are grown.

    Attributes:
        label: one of `wayside.privacy.settings.CLASSES`.
        score: 0..1; of an object that was seen in several tiles, the mean.
        box: left, top, right, bottom in pixels of the full upright picture; right and bottom are exclusive. In a
            panorama that wraps, right may be more than the width: the object lies across the seam.
        mask: bool [bottom - top, right - left], True where the object is; None: all of the box.
        model: card that found it.
    """

    label: str
    score: float
    box: tuple[int, int, int, int]
    mask: Mask | None
    model: str

    @property
    def area(self) -> int:
        """Pixels of the object."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top) if self.mask is None else int(np.count_nonzero(self.mask))


@dataclass(frozen=True, eq=False, slots=True)
class Masked:
    """An object as it is hidden: grown, and drawn into the picture.

    Attributes:
        found: what was found.
        pieces: the parts of the picture that are hidden, without overlap: (left, top, mask). There are two where an
            object lies across the seam of a panorama.
    """

    found: Found
    pieces: tuple[tuple[int, int, Mask], ...]

    @property
    def area(self) -> int:
        """Pixels that are hidden for this object's sake."""
        return sum(int(np.count_nonzero(mask)) for _, _, mask in self.pieces)


def union(objects: Iterable[Masked], height: int, width: int) -> Mask:
    """Return bool [height, width], True where any object hides the picture."""
    whole = np.zeros((height, width), np.bool_)
    for one in objects:
        for left, top, mask in one.pieces:
            rows, columns = mask.shape
            part = whole[top : top + rows, left : left + columns]
            if mask.size and not any(mask.strides):  # a box: one value seen as many, and quicker to write than to read
                part[:] |= mask[0, 0]
            else:
                part |= mask
    return whole


def cells(mask: Mask, tall: int, wide: int) -> Mask:
    """Return bool [ceil(H / tall), ceil(W / wide)]: which cells of `tall` x `wide` pixels hold a True of the mask.

    The cells lie side by side from the corner; the last of a row or column may be cut off by the edge. Rows are
    joined before columns, for that runs through memory as it lies, and by `any`, which is a hundred times as fast as
    `reduceat` down the columns.
    """
    height, width = mask.shape
    whole = height // tall
    lines = np.empty((-(-height // tall), width), np.bool_)
    lines[:whole] = mask[: whole * tall].reshape(whole, tall, width).any(axis=1)
    lines[whole:] = mask[whole * tall :].any(axis=0)
    return np.asarray(np.logical_or.reduceat(lines, np.arange(0, width, wide), axis=1), np.bool_)
