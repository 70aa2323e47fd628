"""From rows of counts to a grid: every camera at every slot has a value or a gap.

A slot that has no row is a gap like a faulty or missing picture; the replaced system summed whatever rows there were,
so that a day with a stopped scheduler looked like a day with little traffic. Views of one camera that tours between
them (`CM_A69A1-View_01`, `CM_A69A1-View_02`) are told by their names.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayside.core.slots import SLOTS_PER_DAY

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_VIEW: Final = re.compile(r"(.+)-View_[0-9]+")


@dataclass(frozen=True)
class Rows:
    """Rows of counts of some days, as columns.

    Attributes:
        cameras: the names that `camera` points to, sorted, each once.
        camera: for each row the position of its camera in `cameras`.
        day: for each row its day, counted from the first day of the grid.
        step: for each row its slot within the day, 0 to 143.
        counts: for each class the counts of the rows; NaN where the picture was not counted or the class is not known.
    """

    cameras: tuple[str, ...]
    camera: Ints
    day: Ints
    step: Ints
    counts: dict[str, Floats]


def regrid(rows: Rows, name: str, places: Ints, shape: tuple[int, int]) -> Floats:
    """Return the counts of class `name` as a grid.

    Args:
        rows: what is known.
        name: the class.
        places: for each of `rows.cameras` its place in the grid.
        shape: number of cameras and days of the grid.

    Returns:
        Array [camera, day, slot]; NaN is a gap.
    """
    grid = np.full((*shape, SLOTS_PER_DAY), np.nan, np.float32)
    grid[places[rows.camera], rows.day, rows.step] = rows.counts[name]
    return grid


def seen(rows: Rows, places: Ints, shape: tuple[int, int]) -> Bools:
    """Return, as an array [camera, day], whether a camera has any row on a day, be it faulty or missing."""
    days = np.zeros(shape, bool)
    days[places[rows.camera], rows.day] = True
    return days


def toured(camera: str) -> str | None:
    """Return the name of the camera of which `camera` is one view; None where it is a camera of its own."""
    view = _VIEW.fullmatch(camera)
    return view[1] if view else None
