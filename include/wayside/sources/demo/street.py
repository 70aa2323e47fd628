"""Where things stand: the street in metres, and the lens that looks at it.

World axes: x to the right of the centre line, y along the road away from the camera, z up; metres. Traffic keeps left,
as in Britain, so vehicles at x < 0 drive away and those at x > 0 come towards the camera. `street_of` invents a street
from a seed, `lens_of` hangs a camera over it, and `Lens` projects metres to pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.dice import Dice, seed_of

Floats = NDArray[np.float64]
Point = tuple[float, float, float]

LANE = 3.3
BAY = 2.3
NEAR = 0.7
REACH = 6000.0
STYLES = (("high street", 4.0), ("terrace", 2.5), ("offices", 2.0), ("suburb", 3.0))


@dataclass(frozen=True)
class Street:
    """One invented street."""

    seed: int
    style: str
    lanes: int
    bay_left: bool
    bay_right: bool
    left: float
    right: float
    pave_left: float
    pave_right: float
    end: float
    cross: float | None
    cross_half: float
    zebra: float | None
    bearing: float
    lamps: tuple[tuple[float, float], ...]
    trees: tuple[tuple[float, float], ...]

    @property
    def wall_left(self) -> float:
        """The x of the building line on the left."""
        return self.left - self.pave_left

    @property
    def wall_right(self) -> float:
        """The x of the building line on the right."""
        return self.right + self.pave_right

    def gap(self, margin: float = 0.0) -> tuple[float, float] | None:
        """The stretch of y that the crossing road takes, pavements included."""
        if self.cross is None:
            return None
        half = self.cross_half + 2.6 + margin
        return self.cross - half, self.cross + half


def _rows(dice: Dice, street_left: float, street_right: float, end: float, step: float) -> list[tuple[float, float]]:
    """Places along both kerbs, alternating sides."""
    places, y, side = [], dice.between(9.0, 20.0), dice.chance(0.5)
    while y < end:
        places.append(((street_left - 0.7) if side else (street_right + 0.7), y))
        side = not side
        y += step * dice.between(0.85, 1.15) * 0.5
    return places


def street_of(seed: int) -> Street:
    """Invent a street from its seed."""
    dice = Dice(seed_of("street", seed))
    style = dice.weighted(STYLES)
    lanes = 2 if dice.chance(0.3) and style != "terrace" else 1
    bay_left, bay_right = dice.chance(0.55), dice.chance(0.55)
    left = -(lanes * LANE + (BAY if bay_left else 0.3))
    right = lanes * LANE + (BAY if bay_right else 0.3)
    end = dice.between(70.0, 130.0)
    cross = dice.between(24.0, 44.0) if dice.chance(0.45) else None
    zebra = None
    if dice.chance(0.55):
        zebra = dice.between(14.0, 24.0) if cross is None else cross - 8.5
    spread = 1.0 if style == "suburb" else 0.45
    trees = [
        (x + (0.9 if x > 0 else -0.9) * dice.between(0.1, 1.0), y + 5.0)
        for x, y in _rows(dice, left, right, end, 22.0)
        if dice.chance(spread)
    ]
    lamps = _rows(dice, left, right, end, 44.0)
    if cross is not None:
        lamps = [(x, y) for x, y in lamps if abs(y - cross) > 8.0]
        trees = [(x, y) for x, y in trees if abs(y - cross) > 10.0]
    return Street(
        seed, style, lanes, bay_left, bay_right, left, right, dice.between(2.6, 4.4), dice.between(2.6, 4.4), end,
        cross, LANE + 0.4, zebra, dice.between(0.0, 2 * math.pi), tuple(lamps), tuple(trees),
    )  # fmt: skip


def _cut(eye: list[Point]) -> list[Point]:
    """The part of a polygon that lies beyond the near plane; depth is the third number."""
    kept: list[Point] = []
    for here, there in zip(eye, [*eye[1:], eye[0]], strict=True):
        if here[2] >= NEAR:
            kept.append(here)
        if (here[2] >= NEAR) != (there[2] >= NEAR):
            share = (NEAR - here[2]) / (there[2] - here[2])
            x, y, depth = (a + share * (b - a) for a, b in zip(here, there, strict=True))
            kept.append((x, y, depth))
    return kept


def _trim(flat: list[tuple[float, float]], axis: int, sign: float) -> list[tuple[float, float]]:
    """The part of a pixel polygon on the near side of +REACH or -REACH, beyond which OpenCV's numbers overflow."""
    kept: list[tuple[float, float]] = []
    for here, there in zip(flat, [*flat[1:], *flat[:1]], strict=True):
        a, b = sign * here[axis] - REACH, sign * there[axis] - REACH
        if a <= 0:
            kept.append(here)
        if (a <= 0) != (b <= 0):
            share = a / (a - b)
            kept.append((here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])))
    return kept


@dataclass(frozen=True)
class Lens:
    """A pinhole camera over the street."""

    width: int
    height: int
    focal: float
    x: float
    z: float
    yaw: float
    pitch: float

    @cached_property
    def axes(self) -> Floats:
        """Rows: right, up, forward."""
        sy, cy, sp, cp = math.sin(self.yaw), math.cos(self.yaw), math.sin(self.pitch), math.cos(self.pitch)
        return np.array([[cy, -sy, 0.0], [sy * sp, cy * sp, cp], [sy * cp, cy * cp, -sp]])

    @cached_property
    def place(self) -> Floats:
        """Where the camera hangs."""
        return np.array([self.x, 0.0, self.z])

    def eye(self, points: Floats) -> Floats:
        """World points in the camera's own axes (right, up, depth)."""
        out: Floats = (points - self.place) @ self.axes.T
        return out

    def project(self, points: Floats) -> Floats:
        """World points to (pixel x, pixel y, depth); depth below NEAR means the pixel is not to be used."""
        eye = self.eye(points)
        out = np.empty_like(eye)
        depth = np.maximum(eye[:, 2], 1e-3)
        out[:, 0] = self.width / 2 + self.focal * eye[:, 0] / depth
        out[:, 1] = self.height / 2 - self.focal * eye[:, 1] / depth
        out[:, 2] = eye[:, 2]
        return out

    def outline(self, points: Iterable[Point]) -> list[tuple[float, float]]:
        """A flat world polygon as a pixel polygon, cut at the near plane; empty when nothing of it is ahead.

        In plain numbers: for four corners that is several times faster than arrays.
        """
        right, up, ahead = self._rows
        eye: list[Point] = []
        for px, y, pz in points:
            x, z = px - self.x, pz - self.z
            eye.append((
                x * right[0] + y * right[1], x * up[0] + y * up[1] + z * up[2],
                x * ahead[0] + y * ahead[1] + z * ahead[2],
            ))  # fmt: skip
        if min(depth for _, _, depth in eye) < NEAR:
            eye = _cut(eye)
        half_x, half_y, focal = self.width / 2, self.height / 2, self.focal
        flat = [(half_x + focal * x / depth, half_y - focal * y / depth) for x, y, depth in eye]
        for axis in (0, 1):
            if any(abs(spot[axis]) > REACH for spot in flat):
                flat = _trim(_trim(flat, axis, 1.0), axis, -1.0)
        return flat

    @cached_property
    def _rows(self) -> list[list[float]]:
        rows: list[list[float]] = self.axes.tolist()
        return rows

    def ground(self, step: int) -> tuple[Floats, Floats, Floats]:
        """The ground point under every step-th pixel: x, y, and distance ahead (infinite above the horizon)."""
        us = (np.arange(0, self.width, step) + step / 2 - self.width / 2) / self.focal
        vs = (self.height / 2 - np.arange(0, self.height, step) - step / 2) / self.focal
        right, up, ahead = self.axes
        rays = us[None, :, None] * right + vs[:, None, None] * up + ahead
        down = np.where(rays[..., 2] < -1e-4, -rays[..., 2], np.inf)
        reach = self.z / down
        reach = np.where(np.isfinite(down), reach, 1e6)
        return self.x + rays[..., 0] * reach, rays[..., 1] * reach, reach


def lens_of(street: Street, size: tuple[int, int], pose: int) -> Lens:
    """Hang a camera over a street; another `pose` is the same camera after somebody turned it."""
    dice = Dice(seed_of("lens", street.seed, pose))
    width, height = size
    focal = width / 2 / math.tan(math.radians(dice.between(40.0, 66.0)) / 2)
    side = street.left - dice.between(-1.0, 1.8) if dice.chance(0.5) else street.right + dice.between(-1.0, 1.8)
    x = dice.between(street.left, street.right) if dice.chance(0.25) else side
    aim = dice.between(18.0, 34.0)
    yaw = math.atan2(dice.between(-1.5, 1.5) - x, aim) + math.radians(dice.between(-6.0, 6.0))
    horizon = dice.between(0.04, 0.27)
    pitch = math.atan2(height * (0.5 - horizon), focal)
    return Lens(width, height, focal, x, dice.between(4.6, 8.5), yaw, pitch)
