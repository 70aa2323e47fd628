"""The pictures in which most shows, drawn so that a person may look at them: every labelled object is filled too.

What was masked is black; what was labelled is filled with the colour that says what became of it, whole and a little
grown, so that nothing of an object that was missed is left. What neither the models nor the labels know stays visible:
a set that labels plates alone tells nothing of the people beside them.
"""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from wayside.photos.recall import Row, is_hidden
from wayside.vision.coco import CocoPicture
from wayside.vision.coco_masks import rle_mask
from wayside.vision.decode import Image, encode_jpeg

LONGEST: Final = 720
"""Longest side of a drawn picture, in pixels."""
MISSED: Final = (60, 60, 220)
"""Blue, green, red of an object that shows."""
COVERED: Final = (110, 160, 60)
MASKED: Final = (24, 24, 24)
_GROW: Final = 0.08
_LEAST: Final = 4


def drawn(picture: CocoPicture, image: Image, row: Row, classes: Iterable[str]) -> bytes:
    """Return the picture as JPEG, anonymised by its masks and by its labels.

    Args:
        picture: what is labelled; crowds are filled too.
        image: the upright picture.
        row: its figures, from `wayside.photos.recall.cover`.
        classes: what was to be masked: objects of other classes are filled, and not marked as missed.
    """
    canvas = image.copy()
    height, width = image.shape[:2]
    masked = rle_mask({"size": [height, width], "counts": row["cover"].encode()})
    canvas[masked] = MASKED
    wanted, state = set(classes), {one["id"]: is_hidden(one) for one in row["objects"]}
    missed = {one.id for one in picture.objects if one.label in wanted and not state.get(one.id, True)}
    corners = {one.id: _grown(one.box, height, width) for one in picture.objects}
    # Those that show last, over everything else.
    for number in sorted(corners, key=lambda number: number in missed):
        left, top, right, bottom = corners[number]
        # What is hidden well keeps its mask, so that the shape of it can be judged.
        chosen = slice(top, bottom), slice(left, right)
        canvas[chosen][... if number in missed else ~masked[chosen]] = MISSED if number in missed else COVERED
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return encode_jpeg(np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8), 85)


def _grown(box: tuple[float, float, float, float], height: int, width: int) -> tuple[int, int, int, int]:
    left, top, across, down = box
    wide, high = max(_LEAST, across * _GROW), max(_LEAST, down * _GROW)
    return (
        max(0, int(left - wide)),
        max(0, int(top - high)),
        min(width, int(np.ceil(left + across + wide))),
        min(height, int(np.ceil(top + down + high))),
    )
