"""The brush of the backdrop: fills flat world polygons into every layer at once.

A polygon in metres is projected through the lens, cut at the near plane and filled at twice the picture's size: its own
colour, which way it faces, how lamplit it is near the ground, and the rank of a window that may be lit at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.street import Lens
from wayside.sources.demo.weather import BGR

SKY, GROUND, WALL_L, WALL_R, SOUTH, LEAF = 0, 10, 20, 30, 40, 50
SCALE = 2
FINE = 3


@dataclass(frozen=True)
class Mask:
    """Something standing that may hide what is behind it: where it is drawn, and how far away it stands."""

    depth: float
    x: int
    y: int
    mask: NDArray[np.uint8]


@lru_cache(maxsize=16)
def texture(size: int, salt: int) -> NDArray[np.float32]:
    """A repeatable square of soft noise, mean 0 and deviation about 1."""
    numbers = np.random.Generator(np.random.Philox(key=salt)).integers(0, 256, (size, size), dtype=np.uint8)
    soft = cv2.GaussianBlur(numbers, (5, 5), 1.0, borderType=cv2.BORDER_REFLECT).astype(np.float32)
    return np.asarray((soft - soft.mean()) / soft.std(), np.float32)


def fixed(outline: NDArray[np.float64]) -> NDArray[np.int32]:
    """Picture pixels as the fixed-point numbers that OpenCV fills at twice the size."""
    return np.round(np.clip(outline, -7000, 7000) * (SCALE << FINE)).astype(np.int32)


def _fix(pixel: float) -> int:
    return round(pixel * (SCALE << FINE))


class Brush:
    """Paints into the layers of a backdrop."""

    def __init__(self, lens: Lens, seed: int) -> None:
        self.lens = lens
        self.seed = seed
        shape = (lens.height * SCALE, lens.width * SCALE)
        self.colour = np.zeros((*shape, 3), np.uint8)
        self.facing = np.zeros(shape, np.uint8)
        self.low = np.zeros(shape, np.uint8)
        self.rank = np.zeros(shape, np.uint8)

    def flat(
        self, points: Sequence[tuple[float, float, float]], colour: BGR, facing: int, *, rank: int = 0, low: int = 0
    ) -> NDArray[np.int32] | None:
        """Fill a flat polygon; returns its outline as drawn, or None when it is out of view."""
        outline = self.lens.outline(points)
        if not outline:
            return None
        xs, ys = [x for x, _ in outline], [y for _, y in outline]
        if max(xs) < -1 or max(ys) < -1 or min(xs) > self.lens.width or min(ys) > self.lens.height:
            return None
        shape = np.array([(_fix(x), _fix(y)) for x, y in outline], np.int32)
        cv2.fillPoly(self.colour, [shape], colour, cv2.LINE_8, FINE)
        for layer, value in ((self.facing, facing), (self.low, low), (self.rank, rank)):
            cv2.fillPoly(layer, [shape], value, cv2.LINE_8, FINE)
        return shape

    def mask(self, shapes: Sequence[NDArray[np.int32]], depth: float) -> Mask | None:
        """Remember these outlines as something that hides what is behind it."""
        if not shapes:
            return None
        points = np.concatenate(shapes) / (1 << FINE)
        height, width = self.facing.shape
        x0, y0 = (int(max(0, v)) for v in np.floor(points.min(axis=0)))
        x1, y1 = int(min(width, points[:, 0].max() + 2)), int(min(height, points[:, 1].max() + 2))
        if x1 <= x0 or y1 <= y0:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        offset = np.array([x0, y0], np.int32) << FINE
        for shape in shapes:
            cv2.fillPoly(mask, [shape - offset], 255, cv2.LINE_8, FINE)
        return Mask(depth, x0, y0, mask)
