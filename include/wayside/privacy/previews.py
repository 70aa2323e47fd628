"""A preview is a crop of the anonymised picture, never of the original, so it shows nothing that was hidden."""

import numpy as np

from wayside.privacy.settings import Preview
from wayside.vision.decode import Image


def preview(filled: Image, settings: Preview) -> Image:
    """Cut a preview out of an anonymised picture: not scaled, black where it reaches beyond the picture.

    The crop's centre is `int(W * centre_x)`, `int(H * centre_y)` and it begins half its size before that, rounded
    down, as in the replaced system, whose previews of an odd size lost a pixel; here they have it.

    Args:
        filled: uint8 [H, W, 3], upright and anonymised already.
        settings: size and centre.

    Returns:
        uint8 [settings.height, settings.width, 3], a new array.
    """
    height, width = filled.shape[:2]
    left = int(width * settings.centre_x) - settings.width // 2
    top = int(height * settings.centre_y) - settings.height // 2
    shown = np.zeros((settings.height, settings.width, 3), np.uint8)
    # The part of the picture that the crop meets; where they do not meet, all stays black.
    rows = slice(max(top, 0), max(min(top + settings.height, height), 0))
    columns = slice(max(left, 0), max(min(left + settings.width, width), 0))
    seen = filled[rows, columns]
    if seen.size:
        y, x = rows.start - top, columns.start - left
        shown[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
    return shown
