"""Where a large picture is looked at: windows that leave out no pixel and cut no small object.

A detector shrinks what it is given to a few hundred pixels, so a person in a picture 8000 wide would be a few dots.
The picture is therefore looked at whole *and* in tiles, on one or more levels:

- Neighbouring tiles share at least `overlap` pixels, so whatever is no larger than that is whole in one of them. The
  tiles of a row are spread evenly between the edges; there is no rest at the far side.
- What is larger than `overlap` is for the next level, whose tiles and overlap are four times as large, and in the end
  for the look at the whole.
- In a panorama that wraps, the left edge is the right edge's neighbour: tiles go round, across the seam, and the
  whole is looked at twice, the second time turned by half, so that the seam of one look is the middle of the other.
- In an equirectangular picture one row is a circle of latitude, drawn as wide as the equator: what lies at latitude
  phi is drawn 1 / cos(phi) times too wide (J. P. Snyder, "Map Projections: A Working Manual", USGS Professional Paper
  1395, 1987, section 12: h = 1, k = sec(phi) / sec(phi1), here phi1 = 0). Tiles are that much wider there, up to the
  whole width, and are squeezed back before they are shown, so that the detector sees people as they look in other
  pictures. Their overlap grows with the stretch of their poleward edge, up to two thirds of their width; where that
  is not enough, around the poles, a cap of two whole-width windows is added.

So every object of `overlap` x `overlap` pixels as measured at the equator is whole in one window, wherever it lies, as
long as it is drawn less than half the picture's width wide. The replaced system's windows are in `replaced_windows`.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.privacy.settings import Tiling

Image = NDArray[np.uint8]
Frame = tuple[float, float, float, float]
"""Left, top, width and height of a place, in pixels of the picture."""

LEVEL: Final = 4
"""How many times larger the tiles of the next level are: what just fits into the overlap of one level is still large
enough to be seen on the next, a 16th of the area."""

SQUEEZE: Final = 1.25
"""What is stretched less than this is shown as it is: people and cars are as differently wide themselves."""

SLACK: Final = 8
"""One tile may be an eighth larger than asked for, where that saves a second one."""

MAX_WINDOWS: Final = 4096
"""Most windows of one picture; tiles are enlarged until they are no more."""


@dataclass(frozen=True, slots=True)
class Window:
    """One look at a picture.

    Attributes:
        left: first column, 0..picture width - 1.
        top: first row.
        width: columns; `left + width` may be beyond the picture where it wraps.
        height: rows.
        shown: columns to which it is squeezed before it is shown to a detector; `width` where nothing is stretched.
        reduced: how many times smaller the copy of the picture is from which it is cut: coarse tiles show no more
            detail than small ones, and shrinking 33 megapixels once is quicker than many times.
    """

    left: int
    top: int
    width: int
    height: int
    shown: int
    reduced: int = 1

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom; right and bottom exclusive."""
        return self.left, self.top, self.left + self.width, self.top + self.height


def windows(height: int, width: int, tiling: Tiling) -> tuple[Window, ...]:
    """List the looks at a picture of `height` x `width` pixels: the whole first, then tiles, coarse levels first.

    Args:
        height: rows of the picture, at least 1.
        width: columns, at least 1.
        tiling: see `Tiling`; `auto` tiles where the longer side is more than `tile`.

    Returns:
        The windows; the first is the whole picture.
    """
    return tuple(dict.fromkeys(look for level in levels(height, width, tiling) for look in level))


def levels(height: int, width: int, tiling: Tiling) -> tuple[tuple[Window, ...], ...]:
    """List the windows level by level, as `windows` does: first the looks at the whole, last the smallest tiles."""
    sides = list(_sides(height, width, tiling))
    reduced = LEVEL if len(sides) > 1 else 1
    whole = [Window(0, 0, width, height, width, reduced)]
    if tiling.wrap and width > 1:
        whole.append(Window(width // 2, 0, width, height, width, reduced))
    tiles = [tuple(_level(height, width, side, tiling)) for side in sides]
    coarse = [tuple(replace(look, reduced=reduced) for look in level) for level in tiles[1:]]
    return tuple(whole), *reversed(coarse), *tiles[:1]


class Views:
    """A picture to be looked at through windows, and its reduced copies."""

    def __init__(self, image: Image, looks: Iterable[Window]) -> None:
        """Keep the picture, uint8 [H, W, 3], and shrink it as the windows want."""
        self._copies = {number: _reduced(image, number) for number in {look.reduced for look in looks}}
        self._size = image.shape[:2]
        self.pixels = int(image.shape[0] * image.shape[1])

    def cut(self, window: Window) -> tuple[Image, Frame]:
        """Return what a window shows, uint8 [h, w, 3], and its exact place in the picture.

        A reduced copy has no half pixels, so the place may be up to `reduced` pixels larger than the window.
        """
        copy = self._copies[window.reduced]
        if window.reduced == 1:
            return cut(copy, window), (window.left, window.top, window.width, window.height)
        down, across = self._size[0] / copy.shape[0], self._size[1] / copy.shape[1]
        left, top = int(window.left / across), int(window.top / down)
        columns = min(copy.shape[1], math.ceil(window.box[2] / across) - left)
        rows = min(copy.shape[0], math.ceil(window.box[3] / down)) - top
        shown = max(1, round(window.shown / window.width * columns))
        part = cut(copy, Window(left, top, columns, rows, shown))
        return part, (left * across, top * down, columns * across, rows * down)


def _reduced(image: Image, number: int) -> Image:
    if number == 1:
        return image
    rows, columns = (-(-side // number) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def cut(image: Image, window: Window) -> Image:
    """Cut a window out of a picture, uint8 [H, W, 3] -> uint8 [height, shown, 3], across the seam where it must.

    What is neither across the seam nor squeezed is a view of the picture, not a copy.
    """
    total = image.shape[1]
    rows = image[window.top : window.top + window.height]
    right = window.left + window.width
    if right <= total:
        part = rows[:, window.left : right]
    else:
        part = np.concatenate([rows[:, window.left :], rows[:, : right - total]], axis=1)
    if window.shown == window.width:
        return part
    return np.asarray(cv2.resize(part, (window.shown, window.height), interpolation=cv2.INTER_AREA), np.uint8)


def replaced_windows(
    height: int, width: int, downscale: tuple[float, float], step: tuple[int, int]
) -> tuple[Window, ...]:
    """List the cut-outs that the replaced system looks at beside the whole, to tell what it did not cover.

    Its windows start every `step` pixels as long as they fit; none is added at the far edge and none wraps.

    Args:
        height: rows of the picture.
        width: columns.
        downscale: (vertical, horizontal): the picture's sides are divided by these, rounded down.
        step: (vertical, horizontal) distance of two windows, in pixels.

    Returns:
        The windows, row by row.
    """
    rows, columns = int(height / downscale[0]), int(width / downscale[1])
    return tuple(
        Window(left, top, columns, rows, columns)
        for top in range(0, height - rows + 1, step[0])
        for left in range(0, width - columns + 1, step[1])
    )


def uncovered(height: int, width: int, looks: tuple[Window, ...]) -> float:
    """Return the share of a picture's pixels, 0..1, that no window shows; windows may wrap."""
    if not looks:
        return 1.0
    tops = sorted({0, height, *(edge for look in looks for edge in (look.top, look.top + look.height))})
    missing = 0
    for top, bottom in itertools.pairwise(tops):
        spans = [(look.left, look.left + look.width) for look in looks if look.top <= top and bottom <= look.box[3]]
        missing += (bottom - top) * (width - _covered(spans, width))
    return missing / (height * width)


def _covered(spans: list[tuple[int, int]], width: int) -> int:
    """Count the columns 0..width - 1 that any span covers; a span beyond the width goes on at 0."""
    flat = [span for low, high in spans for span in ((low, min(high, width)), (0, high - width))]
    reached = total = 0
    for low, high in sorted(flat):
        total += max(0, high - max(low, reached))
        reached = max(reached, high)
    return total


def _sides(height: int, width: int, tiling: Tiling) -> Iterator[tuple[int, int]]:
    """Yield (tile, overlap) of each level, finest first."""
    longer = max(height, width)
    if tiling.enabled == "never" or (tiling.enabled == "auto" and longer <= tiling.tile):
        return
    tile, overlap = tiling.tile, tiling.overlap
    while (height / (tile - overlap) + 1) * (width / (tile - overlap) + 1) > MAX_WINDOWS:
        tile, overlap = 2 * tile, 2 * overlap
    yield tile, overlap
    while (tile := tile * LEVEL) < longer:
        overlap *= LEVEL
        yield tile, overlap


def _level(height: int, width: int, side: tuple[int, int], tiling: Tiling) -> Iterator[Window]:
    """Yield the tiles of one level, row by row from the top, caps last."""
    tile, overlap = side
    rows = _one(height, tile)
    for top in _spread(height, rows, overlap):
        if tiling.wrap:
            yield from _round(height, width, (top, rows), side)
        else:
            columns = _one(width, tile)
            for left in _spread(width, columns, overlap):
                yield Window(left, top, columns, rows, columns)
    if tiling.wrap:
        yield from _caps(height, width, side)


def _one(length: int, tile: int) -> int:
    """Return the side of a tile along a side of the picture: all of it where it is hardly more than a tile."""
    return length if length <= tile + tile // SLACK else tile


def _spread(length: int, tile: int, overlap: int) -> list[int]:
    """Place as few tiles as overlap enough evenly from edge to edge; return where each begins."""
    number = 1 if tile >= length else 1 + math.ceil((length - tile) / (tile - overlap))
    return [0] if number == 1 else [at * (length - tile) // (number - 1) for at in range(number)]


def _round(height: int, width: int, band: tuple[int, int], side: tuple[int, int]) -> Iterator[Window]:
    """Yield the tiles of one row of a panorama, evenly round the circle; the first begins at the seam."""
    top, rows = band
    columns, overlap = _stretched(height, width, band, side)
    step = max(1, columns - overlap)
    number = math.ceil(width / step)
    shown = min(columns, int(side[0] * SQUEEZE))
    for at in range(number):
        yield Window(at * width // number, top, columns, rows, shown)


def _stretched(height: int, width: int, band: tuple[int, int], side: tuple[int, int]) -> tuple[int, int]:
    """Return the width and the overlap of the tiles of a row: stretched at its middle, and at its poleward edge."""
    top, rows = band
    tile, overlap = side
    middle = _cosine(height, width, top + rows / 2)
    edge = min(_cosine(height, width, top), _cosine(height, width, top + rows))
    columns = width if width <= tile + tile // SLACK else min(width, _divided(tile, middle, width))
    most = columns // 2 if columns == width else columns * 2 // 3
    return columns, min(_divided(overlap, edge, width), most)


def _caps(height: int, width: int, side: tuple[int, int]) -> Iterator[Window]:
    """Yield two whole-width windows at each pole, where the tiles' overlap is less than the stretched object.

    They reach down to the row where the overlap is enough again, and by one object more.
    """
    tile, overlap = side
    rows = _one(height, tile)
    bad = 0
    for top in _spread(height, rows, overlap):
        _, shared = _stretched(height, width, (top, rows), side)
        # A row's objects are too wide where overlap / cos(latitude) > shared.
        enough = math.acos(min(1.0, overlap / shared)) * width / (2 * math.pi) if shared else 0.0
        north, south = math.ceil(height / 2 - enough), math.floor(height / 2 + enough)
        bad = max(bad, north if top < north else 0, height - south if top + rows > south else 0)
    if not bad or not overlap:
        return
    reach = min(height, min(bad, height // 2) + overlap + 1)
    for top in (0, height - reach):
        for left in (0, width // 2):
            yield Window(left, top, width, reach, min(width, int(tile * SQUEEZE)))


def _cosine(height: int, width: int, row: float) -> float:
    """Return the cosine of a row's latitude, 0..1: rows and columns are equally far apart, 360 degrees to the width."""
    latitude = min(math.pi / 2, abs(height / 2 - row) * 2 * math.pi / width)
    return math.cos(latitude)


def _divided(length: int, cosine: float, most: int) -> int:
    """Stretch a length, rounded up, and no more than `most`."""
    return most if length >= most * cosine else math.ceil(length / cosine)
