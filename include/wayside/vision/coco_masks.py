"""Masks as COCO's format writes them: polygons, or run lengths, packed or not; checked before the C library sees them.

Numbers are finite, polygons stay near the picture, run lengths add up to it: pycocotools trusts its input.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as runs

MOST_POINTS: Final = 20_000
"""Numbers in the polygons of one object, at most."""

Rle = Mapping[str, Any]
"""A mask in run lengths, as pycocotools writes it: `size` [H, W], `counts` bytes."""


class BadEntryError(Exception):
    """An entry of a set is left out; the text says why, and is the same for the same reason."""


def box_rle(box: Sequence[float], height: int, width: int) -> Rle:
    """Return a box, left, top, width, height in pixels, as a mask of a picture."""
    return _merged(runs.frPyObjects(np.asarray([box], np.float64), height, width))


def mask_rle(mask: NDArray[np.bool_]) -> Rle:
    """Return a mask, bool [H, W], as run lengths."""
    encoded: Rle = runs.encode(np.asfortranarray(mask, np.uint8))
    return encoded


def rle_mask(rle: Rle) -> NDArray[np.bool_]:
    """Return run lengths as a mask, bool [H, W]."""
    return np.asarray(runs.decode(rle), np.bool_)


def mask_area(rle: Rle) -> int:
    """Return the pixels of a mask."""
    return int(runs.area(rle))


def mask_box(rle: Rle) -> list[float]:
    """Return left, top, width and height in pixels of what a mask covers."""
    box: list[float] = runs.toBbox(rle).tolist()
    return box


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value of JSON is a whole number that is not absurd."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _merged(parts: Any) -> Rle:
    merged: Rle = runs.merge(parts)
    return merged


def read_mask(given: Any, height: int, width: int) -> Rle | None:
    """Read polygons, or run lengths of either kind, of a picture; None where there are none.

    Raises:
        BadEntryError: they are wrong, or cover nothing.
    """
    if not given:
        return None
    if isinstance(given, dict):
        made = _merged(
            [runs.frPyObjects({"size": [height, width], "counts": _lengths(given, height, width)}, height, width)]
        )
    elif isinstance(given, list):
        made = _merged(runs.frPyObjects(_polygons(given, height, width), height, width))
    else:
        raise BadEntryError("its mask is neither polygons nor run lengths")
    if not runs.area(made):
        raise BadEntryError("its mask is empty")
    return made


def _polygons(given: list[Any], height: int, width: int) -> list[list[float]]:
    if not all(isinstance(part, list) and len(part) >= 6 and len(part) % 2 == 0 for part in given):
        raise BadEntryError("a polygon has less than three corners")
    if sum(map(len, given)) > MOST_POINTS:
        raise BadEntryError("too many corners")
    if not all(is_number(value) for part in given for value in part):
        raise BadEntryError("a corner is no number")
    for part in given:
        far = any(not -width <= x <= 2 * width for x in part[::2])
        if far or any(not -height <= y <= 2 * height for y in part[1::2]):
            raise BadEntryError("a corner lies far outside of the picture")
    return [list(map(float, part)) for part in given]


def _lengths(given: Mapping[str, Any], height: int, width: int) -> list[int]:
    if given.get("size") != [height, width]:
        raise BadEntryError("its mask has another size than the picture")
    counts = given.get("counts")
    if isinstance(counts, str):
        counts = list(_packed(counts))
    if not isinstance(counts, list) or not all(is_whole(count) and count >= 0 for count in counts):
        raise BadEntryError("its run lengths cannot be read")
    if sum(counts) != height * width:
        raise BadEntryError("its run lengths do not add up to the picture")
    return counts


def _packed(text: str) -> Iterator[int]:
    """Unpack run lengths: 5 bits a letter from `0` on, low bits first, 32 for more; from the fourth on differences.

    As `rleFrString` of cocoapi does, which trusts its input.
    """
    before, last = 0, 0
    value = shift = number = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 40:
            raise BadEntryError("its run lengths cannot be read")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        count = value + (before if number > 2 else 0)
        yield count
        before, last = last, count
        value, shift, number = 0, 0, number + 1
