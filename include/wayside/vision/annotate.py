"""Drawing what was found onto a picture, for people to look at: boxes, labels, scores.

Colours follow Okabe and Ito's palette ("Color Universal Design", 2008), which people with any colour vision can tell
apart. What is not counted, such as a parked car, is drawn thin, grey and struck through.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.vision.detections import Detections

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Blue, green, red.
COLOURS: Final[dict[str, Colour]] = {
    "bicycle": (115, 158, 0),
    "bus": (0, 94, 213),
    "car": (233, 180, 86),
    "cyclist": (115, 158, 0),
    "face": (66, 228, 240),
    "motorcycle": (167, 121, 204),
    "motorcyclist": (167, 121, 204),
    "person": (66, 228, 240),
    "plate": (153, 51, 255),
    "truck": (178, 114, 0),
    "van": (0, 159, 230),
}
_OTHER: Final = (220, 220, 220)
_GREY: Final = (150, 150, 150)
_BLACK: Final = (20, 20, 20)
_WHITE: Final = (255, 255, 255)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: Image, found: Detections, static: NDArray[np.bool_] | None = None) -> Image:
    """Draw detections onto a copy of a picture.

    Args:
        image: uint8 [H, W, 3] blue-green-red; any size.
        found: N detections.
        static: [N], true for those that are not counted; None for none.

    Returns:
        The drawn copy, of the same size. Strokes and letters grow with the picture.
    """
    canvas = image.copy()
    struck = np.zeros(len(found), np.bool_) if static is None else static
    stroke = max(1, round(min(image.shape[:2]) / 240))
    corners = _pixels(found, image)
    # Those that are not counted first, then the best score last, so that nothing hides what matters most.
    for position in np.lexsort((found.scores, ~struck)).tolist():
        colour = _GREY if struck[position] else COLOURS.get(found.labels[position], _OTHER)
        _draw_box(canvas, corners[position], colour, stroke, struck=bool(struck[position]))
    for position in np.lexsort((found.scores, ~struck)).tolist():
        colour = _GREY if struck[position] else COLOURS.get(found.labels[position], _OTHER)
        text = f"{found.labels[position]} {found.scores[position] * 100:.0f}"
        _draw_label(canvas, corners[position], text, colour)
    return canvas


def _pixels(found: Detections, image: Image) -> list[tuple[int, int, int, int]]:
    """Return the corners of each box in whole pixels inside of the picture."""
    height, width = image.shape[:2]
    last = np.asarray((width - 1, height - 1) * 2)
    rounded = np.clip(np.rint(found.boxes * np.asarray((width, height) * 2)), 0, last).astype(int)
    return [(left, top, right, bottom) for left, top, right, bottom in rounded.tolist()]


def _draw_box(canvas: Image, box: tuple[int, int, int, int], colour: Colour, stroke: int, *, struck: bool) -> None:
    left, top, right, bottom = box
    width = 1 if struck else stroke
    # A dark seam keeps a bright line visible on a bright road.
    for colour_now, width_now in ((_BLACK, width + 2), (colour, width)):
        cv2.rectangle(canvas, (left, top), (right, bottom), colour_now, width_now)
        if struck:
            cv2.line(canvas, (left, bottom), (right, top), colour_now, width_now, cv2.LINE_AA)


def _draw_label(canvas: Image, box: tuple[int, int, int, int], text: str, colour: Colour) -> None:
    """Write a label on a plate of the box's colour: above the box, or inside where there is no room above."""
    height, width = canvas.shape[:2]
    scale = max(0.3, min(height, width) / 1000)
    thick = max(1, round(scale * 1.6))
    (across, up), below = cv2.getTextSize(text, _FONT, scale, thick)
    left = max(0, min(box[0], width - across - 4))
    plate = up + below + 2
    top = box[1] - plate if box[1] >= plate else box[1]
    cv2.rectangle(canvas, (left, top), (left + across + 3, top + plate), colour, cv2.FILLED)
    bright = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 128
    cv2.putText(canvas, text, (left + 2, top + up + 1), _FONT, scale, _BLACK if bright else _WHITE, thick, cv2.LINE_AA)
