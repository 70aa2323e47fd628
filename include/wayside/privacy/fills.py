"""What a hidden pixel becomes: one colour, coarse cells with secret noise, or the blurs of the replaced system.

`constant` makes its colour from pixels that stay visible anyway, so that the result holds nothing of what was hidden.
The other styles leak: by how much is measured in `bench/bench_attack.py` and told in docs/ROAD-PHOTOS.md.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ConfigError
from wayside.privacy.objects import Mask, Masked, union
from wayside.privacy.settings import COLOURS, Fill
from wayside.vision.decode import Image

RING: Final = 8
"""How far around a hidden region its colour is taken from, in pixels."""
ALONE: Final = 128
"""Grey of a region around which nothing is visible."""
OTHER: Final = (100, 100, 100)
"""Colour of classes that `COLOURS` does not name."""
LEAST_KERNEL: Final = 3
LEAST_SECRET: Final = 16  # bytes
_BLURS: Final = ("blur", "grey_blur", "normalised_grey_blur")
# OpenCV rounds a mean by vector or, in the last few columns of a row, by scalar code, which now and then differ by 1.
# A piece that starts at a multiple of this, and ends at one or with the picture, has the same columns in each.
_LANES: Final = 64
_MANY: Final = 1000  # pieces up to which it pays to look which of them are apart

Rectangle = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are exclusive."""


def fill(
    image: Image, objects: Sequence[Masked], settings: Fill, *, secret: bytes, hidden: Mask | None = None
) -> Image:
    """Return a copy of a picture in which nothing of the hidden objects is left to see.

    * `constant`: `settings.colour`, or by class a colour of `COLOURS`, later objects over earlier ones, or else for
      each connected region the mean of the visible pixels at most `RING` pixels away; parts of one object on both
      sides of a panorama's seam get one colour. The result does not depend on any pixel under a mask.
    * `mosaic`: every cell that a mask touches shows, where it is masked, the grey mean of the cell plus Gaussian noise
      of its own, and no hue. The noise is a keyed function of `secret`, the cells' place and their content, so that
      equal pictures give equal bytes and others give other noise. Whoever has the secret can test a guess at what was
      there, so it must not be kept. It leaks the outline and a rough brightness, and the more the more cells an object
      has: of a plate six cells long next to nothing, of one twice as long so much that of 300 candidates one in 20 is
      found out. Of many pictures of the same standing object the noise averages out.
    * `blur`, `grey_blur`, `normalised_grey_blur`: as the replaced system drew them, see `fill_refusal`. **Cosmetic, not
      anonymous**: who knows the filter finds a number plate among hundreds of candidates nearly always.

    Args:
        image: uint8 [H, W, 3], blue green red; it is left as it is.
        objects: what is hidden, grown already.
        settings: the style.
        secret: at least 16 random bytes, for `mosaic` only; others do not look at it.
        hidden: the union of the objects, where the caller has it already.

    Raises:
        ConfigError: the blur would do nothing in a picture of this width, or the secret is too short.
    """
    height, width = image.shape[:2]
    if refusal := fill_refusal(settings, width):
        raise ConfigError(refusal)
    filled = image.copy()
    if not _boxes(objects):
        return filled
    hidden = union(objects, height, width) if hidden is None else hidden
    if settings.style == "constant":
        _constant(filled, objects, settings, hidden)
    elif settings.style == "mosaic":
        _mosaic(filled, objects, settings, hidden, secret)
    else:
        _blur(image, filled, objects, settings, hidden)
    return filled


def fill_refusal(settings: Fill, width: int) -> str | None:
    """Say why a fill would hide nothing in a picture of this width, in pixels; None: it is as good as its style.

    The replaced system left a picture as it was, without a word, where its filter came to fewer than 3 pixels.
    """
    if settings.style not in _BLURS or (kernel := _kernel(settings, width)) >= LEAST_KERNEL:
        return None
    return (
        f"`{settings.style}` of {settings.blur:g} thousandths is a filter of {kernel} pixels in a picture that is "
        f"{width} wide, and hides nothing: raise `blur` to {LEAST_KERNEL * 1000 / width:.4g} or more, or choose the "
        "style `constant`"
    )


def _kernel(settings: Fill, width: int) -> int:
    return int(settings.blur / 1000 * width)


def _grown(area: Rectangle, by: int, height: int, width: int) -> Rectangle:
    top, left, bottom, right = area
    return max(top - by, 0), max(left - by, 0), min(bottom + by, height), min(right + by, width)


def _cut(area: Rectangle) -> tuple[slice, slice]:
    return slice(area[0], area[2]), slice(area[1], area[3])


def _paint(onto: Image, colours: NDArray[np.uint8] | Sequence[int], covered: Mask) -> None:
    """Put colours, one or a picture of them, into a part of the picture where it is hidden."""
    source = np.empty_like(onto)
    source[:] = colours
    painted = cv2.copyTo(source, covered.view(np.uint8), onto)  # 30 times as fast as a boolean index
    if not np.may_share_memory(painted, onto):
        raise RuntimeError("OpenCV did not paint in place")


# Regions: hidden pixels that touch, also by their corners


@dataclass(frozen=True, eq=False, slots=True)
class _Region:
    """Hidden pixels that touch each other and no others: the rectangle around them, and which of it they are."""

    area: Rectangle
    mask: Mask

    def touches(self, piece: tuple[int, int, Mask]) -> bool:
        """Tell whether a piece of an object is part of the region."""
        left, top, mask = piece
        rows, columns = mask.shape
        first = max(top, self.area[0]), max(left, self.area[1])
        last = min(top + rows, self.area[2]), min(left + columns, self.area[3])
        if first[0] >= last[0] or first[1] >= last[1]:
            return False
        theirs = mask[first[0] - top : last[0] - top, first[1] - left : last[1] - left]
        y, x = first[0] - self.area[0], first[1] - self.area[1]
        return bool((theirs & self.mask[y : y + theirs.shape[0], x : x + theirs.shape[1]]).any())


def _regions(hidden: Mask, objects: Sequence[Masked]) -> Iterator[_Region]:
    for area in _apart(_boxes(objects)):
        covered = np.ascontiguousarray(hidden[_cut(area)]).view(np.uint8)
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(covered, connectivity=8)
        for number, (left, top, columns, rows) in enumerate(statistics[1:, :4].tolist(), 1):
            mine = labels[top : top + rows, left : left + columns] == number
            yield _Region((area[0] + top, area[1] + left, area[0] + top + rows, area[1] + left + columns), mine)


def _apart(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Join rectangles until none overlaps or touches another, so that no region lies in two of them; sort them."""
    boxes = np.array(rectangles, np.int64)
    if len(boxes) > _MANY:
        boxes = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    while True:
        meets = (boxes[:, None, :2] <= boxes[None, :, 2:]).all(axis=2)
        first = (meets & meets.T).argmax(axis=1)
        if (first == np.arange(len(boxes))).all():
            return sorted((top, left, bottom, right) for top, left, bottom, right in boxes.tolist())
        joined = boxes.copy()
        np.minimum.at(joined[:, :2], first, boxes[:, :2])
        np.maximum.at(joined[:, 2:], first, boxes[:, 2:])
        boxes = joined[np.unique(first)]


def _boxes(objects: Sequence[Masked]) -> list[Rectangle]:
    return [
        (top, left, top + mask.shape[0], left + mask.shape[1])
        for one in objects
        for left, top, mask in one.pieces
        if mask.size
    ]


# One colour


def _constant(filled: Image, objects: Sequence[Masked], settings: Fill, hidden: Mask) -> None:
    if settings.colour is None and not settings.by_class:
        _surroundings(filled, objects, hidden)
        return
    for one in objects:
        colour = COLOURS.get(one.found.label, OTHER) if settings.colour is None else settings.colour
        for left, top, mask in one.pieces:
            rows, columns = mask.shape
            _paint(filled[top : top + rows, left : left + columns], colour[::-1], mask)


def _surroundings(filled: Image, objects: Sequence[Masked], hidden: Mask) -> None:
    """Give each connected region the mean of what is visible around it."""
    regions = list(_regions(hidden, objects))
    sums, pixels = np.zeros((len(regions), 3)), np.zeros(len(regions), np.int64)
    for number, region in enumerate(regions):
        ring, near = _ring(region, hidden)
        pixels[number] = cv2.countNonZero(ring)
        sums[number] = np.array(cv2.mean(filled[near], ring)[:3]) * pixels[number]
    joined = _joined(objects, regions)
    for number, region in enumerate(regions):
        same = joined == joined[number]
        seen = int(pixels[same].sum())
        mean = np.rint(sums[same].sum(axis=0) / seen).astype(int).tolist() if seen else [ALONE] * 3
        _paint(filled[_cut(region.area)], mean, region.mask)


def _ring(region: _Region, hidden: Mask) -> tuple[NDArray[np.uint8], tuple[slice, slice]]:
    """Return 1 where a pixel is visible and near a region, and which part of the picture that covers."""
    area = _grown(region.area, RING, *hidden.shape)
    near = _cut(area)
    mine = np.zeros(hidden[near].shape, np.uint8)
    top, left = region.area[0] - area[0], region.area[1] - area[1]
    mine[top : top + region.mask.shape[0], left : left + region.mask.shape[1]] = region.mask
    ring = cv2.dilate(mine, np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)).astype(np.uint8, copy=False)
    ring[hidden[near]] = 0
    return ring, near


def _joined(objects: Sequence[Masked], regions: Sequence[_Region]) -> NDArray[np.int64]:
    """Return for each region a number that it shares with those of its colour.

    An object across the seam joins what it touches on both sides.
    """
    joined = np.arange(len(regions))
    for one in objects:
        if len(one.pieces) > 1:
            mine = joined[[number for number, region in enumerate(regions) if any(map(region.touches, one.pieces))]]
            joined[np.isin(joined, mine)] = mine.min(initial=len(regions))
    return joined


# Coarse cells


@dataclass(frozen=True, eq=False, slots=True)
class _Cells:
    """Cells of a part of the picture.

    Attributes:
        area: the part, whole cells of a grid that starts at the picture's corner.
        touched: bool [rows, columns], True where a cell has hidden pixels.
        sums: of the grey values of each cell that is touched.
        sizes: the pixels of each cell that is touched.
    """

    area: Rectangle
    touched: Mask
    sums: NDArray[np.uint32]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, image: Image, hidden: Mask, area: Rectangle, cell: int) -> Self:
        """Look at the cells of a part."""
        grey = cv2.cvtColor(image[_cut(area)], cv2.COLOR_BGR2GRAY)
        rows, columns = (np.arange(0, length, cell) for length in grey.shape)
        touched = np.logical_or.reduceat(np.logical_or.reduceat(hidden[_cut(area)], rows, axis=0), columns, axis=1)
        sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=0, dtype=np.uint32), columns, axis=1, dtype=np.uint32)
        sizes = np.outer(np.diff(rows, append=grey.shape[0]), np.diff(columns, append=grey.shape[1]))
        return cls(area, touched, sums[touched], sizes[touched])

    def places(self, cell: int) -> NDArray[np.int64]:
        """Return row and column of each cell that is touched, in the picture's grid."""
        corner = np.array([self.area[0] // cell, self.area[1] // cell])
        return np.asarray(np.argwhere(self.touched) + corner, np.int64)


def _mosaic(filled: Image, objects: Sequence[Masked], settings: Fill, hidden: Mask, secret: bytes) -> None:
    if len(secret) < LEAST_SECRET:
        raise ConfigError(f"the noise of `mosaic` needs a secret of at least {LEAST_SECRET} bytes, got {len(secret)}")
    cell = settings.cell
    on_grid = [_on_grid(one, cell, *hidden.shape) for one in _boxes(objects)]
    parts = [_Cells.of(filled, hidden, area, cell) for area in _apart(on_grid)]
    sums, sizes = np.concatenate([one.sums for one in parts]), np.concatenate([one.sizes for one in parts])
    places = np.concatenate([one.places(cell) for one in parts])
    noisy = np.clip(np.rint(sums / sizes + settings.noise * _noise(secret, places, sums)), 0, 255).astype(np.uint8)
    start = 0
    for one in parts:
        values = np.zeros(one.touched.shape, np.uint8)
        values[one.touched] = noisy[start : start + len(one.sums)]
        start += len(one.sums)
        part = filled[_cut(one.area)]
        painted = values.repeat(cell, axis=0)[: part.shape[0]].repeat(cell, axis=1)[:, : part.shape[1]]
        _paint(part, painted[:, :, None], hidden[_cut(one.area)])


def _on_grid(area: Rectangle, cell: int, height: int, width: int) -> Rectangle:
    top, left, bottom, right = area
    bottom, right = -(-bottom // cell) * cell, -(-right // cell) * cell
    return top // cell * cell, left // cell * cell, min(bottom, height), min(right, width)


def _noise(secret: bytes, where: NDArray[np.int64], sums: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return a normal deviate for each cell, by Box and Muller's method from a keyed stream of bytes.

    The stream's key is an HMAC over the cells' places and sums, so two pictures whose content differs share no noise:
    of known content under one mask nothing follows about another.
    """
    content = where.astype("<i8").tobytes() + sums.astype("<u4").tobytes()
    key = hmac.digest(secret, b"wayside mosaic 1\0" + content, hashlib.sha256)
    stream = hashlib.shake_256(key).digest(16 * len(where))
    words = np.frombuffer(stream, "<u8").reshape(-1, 2) >> np.uint64(11)
    uniform = (words + 0.5) / 2.0**53  # open at both ends, so the logarithm is finite
    deviates: NDArray[np.float64] = np.sqrt(-2 * np.log(uniform[:, 0])) * np.cos(2 * np.pi * uniform[:, 1])
    return deviates


# The replaced system's blurs


def _blur(image: Image, filled: Image, objects: Sequence[Masked], settings: Fill, hidden: Mask) -> None:
    height, width = hidden.shape
    kernel = _kernel(settings, width)
    wider = int(1.2 * kernel)
    pieces = _apart(_boxes(objects))
    # With what the filters see around it, a piece gets exactly the values of the whole picture filtered.
    seen = [_aligned(_grown(piece, wider, height, width), width) for piece in pieces]
    if sum((bottom - top) * (right - left) for top, left, bottom, right in seen) > height * width:
        pieces = seen = [(0, 0, height, width)]
    for piece, (top, left, bottom, right) in zip(pieces, seen, strict=True):
        filtered = _filtered(image[top:bottom, left:right], settings.style, kernel, wider)
        inner = filtered[piece[0] - top : piece[2] - top, piece[1] - left : piece[3] - left]
        _paint(filled[_cut(piece)], inner, hidden[_cut(piece)])


def _filtered(pixels: Image, style: str, kernel: int, wider: int) -> NDArray[np.uint8]:
    """Filter as the replaced system did: a box with even sizes allowed, mirrored at the border without the edge."""
    if style == "blur":
        return _box(pixels, kernel)
    # 0.299 red + 0.587 green + 0.114 blue, rounded
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    result = _box(grey, kernel)
    if style == "normalised_grey_blur":
        result = result - _box(grey, wider) + np.uint8(100)  # modulo 256
    return result[:, :, None]


def _box(pixels: NDArray[np.uint8], kernel: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.blur(pixels, (kernel, kernel), borderType=cv2.BORDER_REFLECT_101), np.uint8)


def _aligned(area: Rectangle, width: int) -> Rectangle:
    top, left, bottom, right = area
    right = -(-right // _LANES) * _LANES
    return top, left // _LANES * _LANES, bottom, width if right > width - _LANES else right
