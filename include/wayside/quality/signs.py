"""Signs that a picture is no fresh view of a road: what version 1 of the faulty-image filter looks for.

Each function measures one thing on a `Picture` and says yes or no, or gives the number; none decides alone whether a
picture is used. The limits written here as constants are properties of how cards are drawn and of how JPEG decoders
fill what is missing, not matters of taste; matters of taste are in `wayside.quality.settings`.
"""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.quality.picture import Image, Picture, longest_run

_CELLS: Final = 8
_CELL_STEP: Final = 16  # grey levels per hexadecimal digit of a fingerprint
_JPEG_GREY: Final = 128  # what decoders put where the data ended
_JPEG_ROWS: Final = 8  # ... in whole rows of 8×8 blocks
_CARD_SHARE: Final = 0.75  # a drawn card is nearly all of two colours
_CARD_LUMA: Final = 64  # ... the larger of which is no black: dark nights are not cards
_NEUTRAL: Final = 1  # levels (of 32) between the channels of a colour that looks grey
_BLANK_SPREAD: Final = 3.0
_DARK_SHARE: Final = 0.005
# In skies that repeat their rows at most 0.07 of the neighbours differ, in frozen rows 0.4 to 0.8.
_ROW_STRUCTURE: Final = 0.25


def fingerprint(frame: Image) -> str:
    """Return what identifies a placeholder card: 64 hexadecimal digits, the mean grey of 8×8 cells in 16 steps.

    Run it on one picture of a card and add the result to `placeholders`; see `is_known_card`.

    Args:
        frame: uint8 BGR, H×W×3.
    """
    return "".join(f"{int(cell):x}" for cell in (_cells(Picture(frame)) // _CELL_STEP).ravel())


def is_known_card(picture: Picture, fingerprints: Iterable[str]) -> bool:
    """Say whether the picture shows one of the cards: no cell is further than one step from the card's.

    One step leaves room for another camera's name or time on the same card.
    """
    cards = [np.array([int(digit, 16) for digit in card]) for card in fingerprints]
    if not cards:
        return False
    steps = (_cells(picture) // _CELL_STEP).ravel().astype(np.intp)
    return any(bool((np.abs(steps - card) <= 1).all()) for card in cards)


def is_drawn_card(picture: Picture) -> bool:
    """Say whether the picture is a grey card with text or a symbol ("Camera in use", "Camera offline").

    Such cards are drawn: two colours, both grey, fill at least three quarters, and the larger is not black.
    """
    counts = picture.colour_counts.copy()
    size = counts.sum()
    first = int(counts.argmax())
    largest, counts[first] = counts[first], 0
    second = int(counts.argmax())
    if largest + counts[second] < _CARD_SHARE * size:
        return False
    codes = np.array([first, second])
    levels = np.stack([codes >> 10, (codes >> 5) & 31, codes & 31])
    grey = bool((np.ptp(levels, axis=0) <= _NEUTRAL).all())
    return grey and float(levels[:, 0].mean()) * 8 >= _CARD_LUMA


def is_truncated(picture: Picture) -> bool:
    """Say whether the lower part is the plain grey with which decoders fill a JPEG that ended too early."""
    lowest = picture.image[-_JPEG_ROWS:]
    return picture.height > _JPEG_ROWS and bool((np.abs(lowest.astype(np.int16) - _JPEG_GREY) <= 1).all())


def is_blank(picture: Picture) -> bool:
    """Say whether the picture is one even surface: its grey varies by less than three levels (standard deviation)."""
    return float(cv2.meanStdDev(picture.grey)[1].item()) < _BLANK_SPREAD


def is_dark(picture: Picture, level: int) -> bool:
    """Say whether fewer than one pixel in two hundred is as bright as `level` (0..255): no lamp, nothing lit."""
    return bool(np.count_nonzero(picture.grey >= level) < _DARK_SHARE * picture.grey.size)


def is_stale(picture: Picture, earlier: Picture, tolerance: float) -> bool:
    """Say whether the picture is the earlier one again, perhaps re-encoded: no 8×8 block differs by more.

    Re-encoding moves the mean of a block by about one grey level, a passing person by ten and more; even sensor
    noise or the clock in the corner of a truly new picture moves some block further.

    Args:
        picture: the picture in question.
        earlier: the one before, of the same size.
        tolerance: grey levels that the mean of a block may differ by.
    """
    return bool(np.abs(picture.blocks - earlier.blocks).max() <= tolerance)


def frozen_rows(picture: Picture, row_similarity: float) -> int:
    """Return the longest run of rows that repeat the row above though they are not plain: a decoder that froze.

    A clear sky or a black border repeats its rows as well, but each of them is even from left to right: hardly a
    pixel differs from the one beside it. Such rows do not count here; the old system took them for a fault.

    Args:
        picture: the picture.
        row_similarity: share of a row's components (0..1) above which it equals the row below.
    """
    repeated = picture.same_components > picture.width * 3 * row_similarity
    rows = np.flatnonzero(repeated)
    if rows.size and picture.width > 1:
        chosen = picture.image[rows]
        steps = (chosen[:, 1:] != chosen[:, :-1]).reshape(rows.size, -1)
        repeated[rows] = steps.mean(axis=1) >= _ROW_STRUCTURE
    return longest_run(repeated)


def _cells(picture: Picture) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture.grey, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), np.uint8)
