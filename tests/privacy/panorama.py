"""A street panorama made for tests: cut-outs of real people and cars, drawn as a 360 degree camera draws them.

What lies at latitude phi is stretched by 1 / cos(phi) along its row, and what reaches over the right edge goes on at
the left. Every object's pixels are known, so it can be counted how many of them are hidden.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.privacy.find import Finder
from wayside.privacy.masks import grown
from wayside.privacy.objects import union
from wayside.privacy.settings import Tiling
from wayside.privacy.tiles import Window, levels
from wayside.vision.decode import decode
from wayside.vision.evaluate import read_set

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MARGIN: Final = 0.35
"""Surroundings of an object that are cut out with it, in its own width and height; they fade into the background."""

LATITUDES: Final = (68, 50, 31, 12, -52, -68)
"""Degrees above the horizon at which small objects lie on the seam; a large one lies between."""


@dataclass(frozen=True, eq=False, slots=True)
class Cutout:
    """A real object with its surroundings.

    Attributes:
        label: class by human hand.
        patch: uint8 [h, w, 3].
        box: left, top, right, bottom of the object in the patch, in pixels.
    """

    label: str
    patch: Image
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        """Pixels of the object from top to bottom."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True, eq=False, slots=True)
class Planted:
    """An object in a panorama: `mask` [rows, columns] begins at (left, top); columns go on at the left edge."""

    label: str
    why: str
    left: int
    top: int
    mask: Mask
    latitude: float

    def hidden(self, mask: Mask) -> float:
        """Return the share of its pixels, 0..1, that a mask of the picture hides."""
        rows, columns = self.mask.shape
        places = np.arange(self.left, self.left + columns) % mask.shape[1]
        return float((mask[self.top : self.top + rows][:, places] & self.mask).sum() / self.mask.sum())


def background(height: int, width: int, seed: int = 1) -> Image:
    """Draw sky, a line of trees and a road, with the noise of a camera."""
    noise = np.clip(np.random.default_rng(seed).normal(16, 4, (256, 256, 3)), 0, 32).astype(np.uint8)
    rows = np.linspace(0, 1, height)[:, None]
    sky, road = np.asarray([210, 190, 165]), np.asarray([90, 93, 95])
    colours = np.where(rows < 0.5, sky - 90 * rows, road + 30 * (rows - 0.5))
    colours = np.where((rows > 0.47) & (rows < 0.5), np.asarray([55, 80, 65]), colours).astype(np.uint8)
    texture = np.tile(noise, (-(-height // 256), -(-width // 256), 1))[:height, :width]
    return np.asarray(cv2.add(texture, np.repeat(colours[:, None], width, axis=1)), np.uint8)


def cutouts(data: Path, labels: Sequence[str], least: int = 60) -> Iterator[Cutout]:
    """Yield objects of the set `eval_highway`, at least `least` pixels high, that nothing else touches."""
    for truth in read_set(data / "detection" / "eval_highway.parquet"):
        image = decode(truth.image).image
        height, width = image.shape[:2]
        boxes = truth.boxes * np.asarray([width, height, width, height])
        for at, (label, box) in enumerate(zip(truth.labels, boxes, strict=True)):
            if label in labels and box[3] - box[1] >= least and _is_free(at, boxes, (width, height)):
                yield _cutout(label, image, box)


def _is_free(at: int, boxes: NDArray[np.float64], size: tuple[int, int]) -> bool:
    """Say whether a box with its surroundings lies inside the picture, and no other box touches it."""
    left, top, right, bottom = _wide(boxes[at])
    if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
        return False
    left, top, right, bottom = boxes[at]
    others = np.delete(boxes, at, axis=0)
    apart = (others[:, 0] > right) | (others[:, 2] < left) | (others[:, 1] > bottom) | (others[:, 3] < top)
    return bool(apart.all())


def _wide(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    across, down = MARGIN * (box[2] - box[0]), MARGIN * (box[3] - box[1])
    return float(box[0] - across), float(box[1] - down), float(box[2] + across), float(box[3] + down)


def _cutout(label: str, image: Image, box: NDArray[np.float64]) -> Cutout:
    left, top, right, bottom = (int(side) for side in _wide(box))
    inside = (float(box[0] - left), float(box[1] - top), float(box[2] - left), float(box[3] - top))
    return Cutout(label, image[top:bottom, left:right].copy(), inside)


@dataclass(frozen=True, eq=False, slots=True)
class Stamp:
    """A cut-out as it is to be drawn: where its patch lies, and which point of the patch each pixel shows."""

    cutout: Cutout
    left: int
    top: int
    across: NDArray[np.float32]
    down: NDArray[np.float32]

    @classmethod
    def of(cls, cutout: Cutout, centre: tuple[int, int], tall: int, sphere: tuple[int, int] | None) -> Self:
        """Lay an object `tall` pixels high around a column and a row; `sphere`: (height, width) of a panorama."""
        scale = tall / cutout.height
        rows = math.ceil(cutout.patch.shape[0] * scale)
        middle_x, middle_y = (cutout.box[0] + cutout.box[2]) / 2, (cutout.box[1] + cutout.box[3]) / 2
        top = round(centre[1] - middle_y * scale)
        cosines = np.ones(rows)
        if sphere is not None:
            latitudes = np.abs(sphere[0] / 2 - np.arange(top, top + rows) - 0.5) * 2 * np.pi / sphere[1]
            cosines = np.cos(np.minimum(latitudes, 1.55))
        half = math.ceil(cutout.patch.shape[1] * scale / 2 / cosines.min())
        steps = np.arange(-half, half) + 0.5
        across = (steps[None] * cosines[:, None] / scale + middle_x).astype(np.float32)
        down = np.repeat(((np.arange(rows) + 0.5) / scale)[:, None], 2 * half, axis=1).astype(np.float32)
        return cls(cutout, centre[0] - half, top, across, down)

    @property
    def bottom(self) -> int:
        """Row below the patch."""
        return self.top + len(self.down)

    def columns(self, width: int) -> NDArray[np.intp]:
        """The columns of a picture on which the patch lies."""
        return np.arange(self.left, self.left + self.across.shape[1]) % width

    def draw(self, image: Image) -> Mask:
        """Draw the patch into a picture; return which of its pixels are the object's.

        They are those of the box without its corners, |x|^4 + |y|^4 <= 1, for no object fills these.
        """
        drawn = cv2.remap(
            self.cutout.patch, self.across - 0.5, self.down - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        share = cv2.remap(_fading(self.cutout), self.across - 0.5, self.down - 0.5, cv2.INTER_LINEAR)[..., None]
        target, columns = image[self.top : self.bottom], self.columns(image.shape[1])
        target[:, columns] = (target[:, columns] * (1 - share) + drawn * share).astype(np.uint8)
        left, upper, right, lower = self.cutout.box
        beside = (2 * self.across - left - right) / (right - left)
        above = (2 * self.down - upper - lower) / (lower - upper)
        return np.asarray(beside**4 + above**4 <= 1)


def plant(
    image: Image, cutout: Cutout, centre: tuple[int, int], tall: int, *, why: str = "", sphere: bool = True
) -> Planted:
    """Draw an object into a picture.

    Args:
        image: uint8 [H, W, 3], changed.
        cutout: the object.
        centre: column and row of its middle.
        tall: its height, in pixels.
        why: what the place stands for.
        sphere: the picture is an equirectangular panorama; else nothing is stretched.
    """
    height, width = image.shape[:2]
    stamp = Stamp.of(cutout, centre, tall, (height, width) if sphere else None)
    mask = stamp.draw(image)
    return Planted(cutout.label, why, stamp.left % width, stamp.top, mask, (height / 2 - centre[1]) * 360 / width)


Spot = tuple[str, int, int, int]
"""Why it is hard there, column and row of the middle, height of the object in pixels."""


def spots(height: int, width: int, tiling: Tiling, tall: int) -> list[Spot]:
    """List where objects are hardest to find: large ones first, and on the seam, toward the poles, around corners.

    Large objects are three times as high and lie where coarse tiles meet; the rest where the smallest tiles do.
    """
    rows = [round(height / 2 - latitude * width / 360) for latitude in LATITUDES]
    fine, coarse = levels(height, width, tiling)[-1], levels(height, width, tiling)[1]
    found = [("large", look.left, round(height * 0.61), 3 * tall) for look in coarse[:4:3]]
    found += [("seam", 0, row, tall) for row in rows]
    found += [("pole", at * width // 6, row, tall) for row in (rows[0], rows[-1]) for at in (1, 2, 3, 4, 5)]
    corners = {(look.left, look.top) for look in fine}
    return found + [("tile", left, top, tall) for left, top in sorted(corners) if left and top]


def furnish(image: Image, chosen: Sequence[Cutout], where: Sequence[Spot]) -> list[Planted]:
    """Plant cut-outs in turn at places of a panorama, but not over one another, nor beyond the poles."""
    taken = np.zeros(image.shape[:2], np.bool_)
    planted: list[Planted] = []
    for why, column, row, tall in where:
        cutout = chosen[len(planted) % len(chosen)]
        stamp = Stamp.of(cutout, (column, row), tall, image.shape[:2])
        columns = stamp.columns(image.shape[1])
        if stamp.top < 0 or stamp.bottom > image.shape[0] or taken[stamp.top : stamp.bottom][:, columns].any():
            continue
        taken[stamp.top : stamp.bottom, columns] = True
        planted.append(plant(image, cutout, (column, row), tall, why=why))
    return planted


def _fading(cutout: Cutout) -> NDArray[np.float32]:
    """Return how much of the patch is seen: all of the object, less and less of what surrounds it."""
    rows, columns = cutout.patch.shape[:2]
    left, top, right, bottom = cutout.box

    def ramp(number: int, low: float, high: float) -> NDArray[np.float32]:
        places = np.arange(number) + 0.5
        return np.clip(np.minimum(places / max(low, 1), (number - places) / max(number - high, 1)), 0, 1)

    return np.minimum.outer(ramp(rows, top, bottom), ramp(columns, left, right)).astype(np.float32)


def hidden(finder: Finder, image: Image, *, workers: int = 1, looks: Sequence[Window] | None = None) -> Mask:
    """Return what a finder and the growth of its profile hide of a picture."""
    height, width = image.shape[:2]
    found = finder.find(image, workers=workers, looks=looks)
    return union(grown(found, finder.finding, height, width), height, width)


def recognised(finder: Finder, found: Iterable[Cutout], most: int, tall: int = 200) -> list[Cutout]:
    """Choose the first cut-outs that the model finds, and hides whole, in the middle of a plain picture.

    So what is missed in a panorama is missed for its place there, and not because the model does not know it.
    """
    chosen: list[Cutout] = []
    for cutout in found:
        plain = background(1000, 1000)
        planted = plant(plain, cutout, (500, 600), tall, sphere=False)
        if planted.hidden(hidden(finder, plain)) == 1:
            chosen.append(cutout)
        if len(chosen) == most:
            break
    return chosen
