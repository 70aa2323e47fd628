"""Grids as rows of counts, handed over in blocks of days as the lake gives them."""

from collections.abc import Iterator
from datetime import date

import numpy as np
from numpy.typing import NDArray

from wayside.core.tables import COUNT_CLASSES
from wayside.counting.regrid import Rows
from wayside.counting.timeseries import CameraDays

FIRST = date(2026, 4, 6)  # a Monday
Grids = dict[str, NDArray[np.float32]]


def as_rows(grids: Grids, cameras: list[str], there: NDArray[np.bool_] | None = None) -> Rows:
    """The rows of some days; `there` [camera, day, slot] says which have a row at all, all by default."""
    shape = next(iter(grids.values())).shape
    there = np.ones(shape, bool) if there is None else there
    camera, day, step = np.nonzero(there)
    names = sorted({cameras[one] for one in camera})
    ranks = np.array([names.index(name) if name in names else -1 for name in cameras])
    empty = np.full(len(camera), np.nan, np.float32)
    counts = {name: grids[name][there] if name in grids else empty for name in COUNT_CLASSES}
    return Rows(tuple(names), ranks[camera], day, step, counts)


def gathered(grids: Grids, cameras: list[str], block: int = 1000, there: NDArray[np.bool_] | None = None) -> CameraDays:
    """Hand over all days, `block` of them at a time."""
    found = CameraDays(FIRST)
    days = next(iter(grids.values())).shape[1]
    for part in _parts(days, block):
        length = part.stop - part.start
        some = {name: grid[:, part] for name, grid in grids.items()}
        found.add(as_rows(some, cameras, None if there is None else there[:, part]), length)
    return found


def _parts(days: int, block: int) -> Iterator[slice]:
    yield from (slice(start, min(days, start + block)) for start in range(0, days, block))
