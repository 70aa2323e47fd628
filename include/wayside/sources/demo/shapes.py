"""Vehicles as solids: a side profile, drawn out to a width, with windows, wheels and lights on its faces.

A `Solid` is a list of flat faces in the vehicle's own metres (forward, left, up). It is made once per model of vehicle;
a picture only turns it, projects its corners and fills the faces that look at the camera, far parts first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.dice import Dice

Floats = NDArray[np.float64]
Point = tuple[float, float, float]

PAINT, GLASS, DARK, TRIM, HEAD, TAIL, PLATE_W, PLATE_Y, TYRE, HUB, CARGO, BAND, ROOF, SCREEN = range(14)


@dataclass(frozen=True)
class Solid:
    """A vehicle's faces, ready to be turned and projected."""

    length: float
    width: float
    height: float
    points: Floats
    faces: tuple[tuple[int, ...], ...]
    tones: NDArray[np.int64]
    normals: Floats
    centres: Floats
    parts: tuple[tuple[float, int, int], ...]
    head: tuple[Point, ...]
    tail: tuple[Point, ...]


class _Builder:
    """Collects faces part by part."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.faces: list[tuple[int, ...]] = []
        self.tones: list[int] = []
        self.normals: list[Floats] = []
        self.parts: list[tuple[float, int, int]] = []
        self._start = 0
        self._middle: Floats = np.zeros(3)

    def face(self, corners: Sequence[Point], tone: int) -> None:
        """Add one face; it looks away from the middle of its part."""
        base = len(self.points)
        self.points += list(corners)
        self.faces.append(tuple(range(base, base + len(corners))))
        self.tones.append(tone)
        array = np.array(corners)
        normal = np.cross(array[1] - array[0], array[2] - array[0])
        size = float(np.linalg.norm(normal))
        normal = normal / size if size > 1e-9 else np.array([0.0, 0.0, 1.0])
        if float(np.dot(normal, array.mean(axis=0) - self._middle)) < 0:
            normal = -normal
        self.normals.append(normal)

    def begin(self, middle: Point) -> None:
        """Start a part around a middle."""
        self._start = len(self.faces)
        self._middle = np.array(middle)

    def end(self) -> None:
        """Finish the part."""
        self.parts.append((float(self._middle[0]), self._start, len(self.faces)))

    def prism(self, profile: Sequence[tuple[float, float]], low: float, high: float, tones: Sequence[int]) -> None:
        """Draw a convex side profile out to a half width that narrows from `low` at the bottom to `high` at the top."""
        zs = [z for _, z in profile]
        bottom, top = min(zs), max(zs)

        def half(z: float) -> float:
            return low + (high - low) * ((z - bottom) / (top - bottom)) ** 2

        middle = (sum(a for a, _ in profile) / len(profile), 0.0, (bottom + top) / 2)
        self.begin(middle)
        self.face([(a, half(z), z) for a, z in profile], tones[0])
        self.face([(a, -half(z), z) for a, z in profile], tones[0])
        for number, (here, there) in enumerate(zip(profile, [*profile[1:], profile[0]], strict=True)):
            tone = tones[1 + number % (len(tones) - 1)] if len(tones) > 1 else tones[0]
            self.face(
                [(here[0], half(here[1]), here[1]), (here[0], -half(here[1]), here[1]),
                 (there[0], -half(there[1]), there[1]), (there[0], half(there[1]), there[1])], tone,
            )  # fmt: skip

    def wheel(self, a: float, half: float, radius: float) -> None:
        """A wheel on both sides."""
        for side in (-1, 1):
            for size, tone in ((radius, TYRE), (radius * 0.58, HUB)):
                ring = [(a + size * math.cos(t * math.pi / 5), side * half, radius + size * math.sin(t * math.pi / 5))
                        for t in range(10)]  # fmt: skip
                self.face(ring, tone)

    def side(self, corners: Sequence[tuple[float, float]], half: float | Sequence[float], tone: int) -> None:
        """The same patch on both flanks."""
        halves = [half] * len(corners) if isinstance(half, float) else list(half)
        for sign in (-1, 1):
            self.face([(a, sign * h, z) for (a, z), h in zip(corners, halves, strict=True)], tone)

    def across(
        self, a: float, half: float, z0: float, z1: float, tone: int, b: float = 0.0, a1: float | None = None
    ) -> None:
        """A patch on the front or the back, centred at `b`."""
        top = a if a1 is None else a1
        self.face([(a, b + half, z0), (a, b - half, z0), (top, b - half, z1), (top, b + half, z1)], tone)

    def done(self, length: float, width: float, height: float, lights: tuple[float, float, float]) -> Solid:
        """Freeze it. `lights` is half their distance, height of the head lights, height of the tail lights."""
        points = np.array(self.points)
        centres = np.array([points[list(face)].mean(axis=0) for face in self.faces])
        off, head, tail = lights
        return Solid(
            length, width, height, points, tuple(self.faces), np.array(self.tones), np.array(self.normals), centres,
            tuple(self.parts), ((length / 2, off, head), (length / 2, -off, head)),
            ((-length / 2, off, tail), (-length / 2, -off, tail)),
        )  # fmt: skip


def _lights(build: _Builder, a: float, half: float, z: float, tall: float) -> None:
    for side in (-1, 1):
        build.across(a + 0.01, 0.17, z, z + tall, HEAD, side * (half - 0.22))
        build.across(-a - 0.01, 0.14, z + 0.05, z + 0.1 + tall, TAIL, side * (half - 0.18))
    build.across(a + 0.01, 0.26, z - 0.3, z - 0.18, PLATE_W)
    build.across(-a - 0.01, 0.26, z - 0.1, z + 0.02, PLATE_Y)


def _car(dice: Dice) -> Solid:
    body = dice.weighted((("hatch", 4.0), ("saloon", 2.5), ("suv", 3.0), ("estate", 1.5), ("taxi", 1.0)))
    size = {"hatch": (4.0, 1.46), "saloon": (4.6, 1.44), "suv": (4.5, 1.68), "estate": (4.65, 1.5), "taxi": (4.55, 1.8)}
    length, height = size[body]
    length, height = length * dice.between(0.95, 1.05), height * dice.between(0.97, 1.03)
    half, e = dice.between(0.86, 0.95), length / 2
    belt = height * 0.60
    build = _Builder()
    build.prism(
        [(-e, 0.32), (-e, belt - 0.12), (-e + 0.18, belt), (e * 0.42, belt), (e - 0.22, belt - 0.2), (e, belt - 0.36),
         (e, 0.3), (e - 0.15, 0.2), (-e + 0.15, 0.2)], half, half * 0.94,
        (PAINT, PAINT, PAINT, PAINT, PAINT, PAINT, DARK, DARK, DARK, DARK),
    )  # fmt: skip
    _lights(build, e, half, belt - 0.38, 0.16)
    build.across(e + 0.01, half * 0.6, 0.36, belt - 0.42, DARK)
    for a in (e * 0.62, -e * 0.60):
        build.wheel(a, half + 0.01, 0.32)
    build.side([(-0.02, 0.3), (0.02, 0.3), (0.02, belt), (-0.02, belt)], half, TRIM)
    build.end()
    back = {"hatch": -e + 0.1, "saloon": -e * 0.62, "suv": -e + 0.08, "estate": -e + 0.08, "taxi": -e * 0.8}[body]
    slope = {"hatch": 0.55, "saloon": 0.65, "suv": 0.38, "estate": 0.35, "taxi": 0.45}[body]
    front = e * 0.44
    profile = [(back, belt - 0.03), (back + slope, height), (front - 0.72, height), (front, belt - 0.03)]
    build.prism(profile, half * 0.93, half * 0.72, (PAINT, GLASS, ROOF, SCREEN, DARK))
    low, high = belt + 0.03, height - 0.1
    hs = (half * 0.925, half * 0.925, half * 0.76, half * 0.76)
    for a0, a1, t0, t1 in ((back + 0.16, -0.05, back + slope + 0.02, -0.05), (0.03, front - 0.16, 0.03, front - 0.76)):
        build.side([(a0, low), (a1, low), (t1, high), (t0, high)], hs, GLASS)
    build.end()
    return build.done(length, half * 2, height, (half - 0.22, belt - 0.3, belt - 0.22))


def _van(dice: Dice) -> Solid:
    big = dice.chance(0.6)
    length, height = (dice.between(5.2, 6.3), dice.between(2.3, 2.75)) if big else (4.5, 1.88)
    half, e = (1.0 if big else 0.91), length / 2
    build = _Builder()
    nose = height * 0.52
    build.prism(
        [(-e, 0.35), (-e, height - 0.06), (-e + 0.1, height), (e - 1.55, height), (e - 0.85, nose),
         (e - 0.1, nose - 0.22),
         (e, 0.45), (e - 0.2, 0.25), (-e + 0.1, 0.25)], half, half * 0.92,
        (PAINT, PAINT, ROOF, ROOF, SCREEN, PAINT, DARK, DARK, DARK, DARK),
    )  # fmt: skip
    _lights(build, e, half, nose - 0.42, 0.24)
    build.across(-e - 0.01, 0.015, 0.5, height - 0.15, TRIM)
    if dice.chance(0.6):
        build.across(-e - 0.01, half * 0.36, height * 0.62, height * 0.88, GLASS, half * 0.46)
        build.across(-e - 0.01, half * 0.36, height * 0.62, height * 0.88, GLASS, -half * 0.46)
    hw = half * 0.955
    build.side(
        [(e - 2.2, nose + 0.02), (e - 1.0, nose + 0.02), (e - 1.6, height - 0.2), (e - 2.2, height - 0.2)], hw, GLASS
    )
    build.side(
        [(-e + 0.4, nose - 0.1), (e - 2.4, nose - 0.1), (e - 2.4, nose - 0.05), (-e + 0.4, nose - 0.05)], half, TRIM
    )
    if dice.chance(0.45):
        mid = -e + length * 0.35
        low, high = nose + 0.2, nose + 0.65
        build.side([(mid - 1.0, low), (mid + 0.9, low), (mid + 0.9, high), (mid - 1.0, high)], hw + 0.01, BAND)
    for a in (e - 0.95, -e + 1.05):
        build.wheel(a, half + 0.01, 0.36)
    build.end()
    return build.done(length, half * 2, height, (half - 0.2, nose - 0.3, nose - 0.2))


def _truck(dice: Dice) -> Solid:
    length, height = dice.between(6.8, 10.5), dice.between(3.3, 3.9)
    half, e, cab = 1.22, length / 2, 2.0
    kind = dice.weighted((("box", 3.0), ("tipper", 1.6), ("flat", 1.0)))
    build = _Builder()
    build.prism([(-e, 0.5), (-e, 1.0), (e - 0.1, 1.0), (e - 0.1, 0.5)], half * 0.85, half * 0.85, (DARK,))
    for a in (e - 1.2, -e + 1.1, -e + 2.2):
        build.wheel(a, half * 0.9, 0.5)
    build.across(-e - 0.02, 0.9, 0.7, 0.8, PLATE_Y)
    for side in (-1, 1):
        build.across(-e - 0.02, 0.16, 0.8, 1.0, TAIL, side * (half - 0.3))
    build.end()
    top = {"box": height, "tipper": dice.between(2.3, 2.8), "flat": 1.35}[kind]
    stop = e - cab - 0.25
    build.prism(
        [(-e, 0.98), (-e, top), (stop, top), (stop, 0.98)],
        half,
        half,
        (CARGO, CARGO, TRIM if kind == "tipper" else CARGO, CARGO, DARK),
    )
    if kind == "box":
        build.across(-e - 0.01, 0.02, 1.05, top - 0.1, TRIM)
        mid = (-e + stop) / 2
        build.side([(mid - 1.8, 1.9), (mid + 1.8, 1.9), (mid + 1.8, 2.8), (mid - 1.8, 2.8)], half + 0.01, BAND)
    else:
        for step in range(1, 5):
            a = -e + (stop + e) * step / 5
            build.side([(a - 0.04, 1.0), (a + 0.04, 1.0), (a + 0.04, top), (a - 0.04, top)], half + 0.01, TRIM)
    build.end()
    roof = min(height, 3.0)
    build.prism([(e - cab, 0.55), (e - cab, roof), (e - 0.35, roof), (e - 0.05, 1.7), (e, 0.55)], half, half * 0.95,
                (PAINT, PAINT, ROOF, SCREEN, PAINT, DARK))  # fmt: skip
    build.side([(e - 1.35, 1.72), (e - 0.3, 1.72), (e - 0.5, roof - 0.3), (e - 1.35, roof - 0.3)], half * 0.97, GLASS)
    build.across(e + 0.01, half * 0.8, 1.1, 1.5, DARK, 0.0, e - 0.02)
    for side in (-1, 1):
        build.across(e + 0.01, 0.2, 0.7, 0.95, HEAD, side * (half - 0.3))
    build.wheel(e - 1.2, half + 0.01, 0.5)
    build.end()
    return build.done(length, half * 2, max(top, roof), (half - 0.3, 0.85, 0.9))


def _bus(dice: Dice, double: bool) -> Solid:
    length, height = (dice.between(10.2, 11.0), 4.35) if double else (dice.between(9.5, 12.0), 3.05)
    half, e = 1.26, length / 2
    build = _Builder()
    build.prism(
        [(-e, 0.35), (-e, height - 0.2), (-e + 0.2, height), (e - 0.3, height), (e - 0.05, height - 0.35), (e, 0.35)],
        half, half * 0.97, (PAINT, PAINT, ROOF, ROOF, PAINT, PAINT, DARK),
    )  # fmt: skip
    decks = ((1.25, 2.2), (2.95, 3.9)) if double else ((1.2, 2.45),)
    for z0, z1 in decks:
        build.side([(-e + 0.3, z0), (e - 0.25, z0), (e - 0.25, z1), (-e + 0.3, z1)], half + 0.01, GLASS)
        pillars = 6
        for step in range(1, pillars):
            a = -e + length * step / pillars
            build.side([(a - 0.07, z0), (a + 0.07, z0), (a + 0.07, z1), (a - 0.07, z1)], half + 0.015, PAINT)
        build.across(-e - 0.01, half * 0.85, z0 + 0.2, z1, GLASS)
    build.side([(-e + 0.1, 0.36), (e - 0.1, 0.36), (e - 0.1, 0.62), (-e + 0.1, 0.62)], half + 0.012, DARK)
    build.across(e + 0.01, half * 0.92, 1.0, 2.3, SCREEN, 0.0, e - 0.02)
    build.across(e + 0.01, half * 0.75, 2.4, 2.75, DARK, 0.0, e)
    build.across(e + 0.02, half * 0.4, 2.48, 2.66, PLATE_Y, 0.0, e + 0.01)
    if double:
        build.across(e + 0.01, half * 0.92, 3.0, 3.95, SCREEN, 0.0, e - 0.03)
    if dice.chance(0.6):
        z = 2.4 if double else 0.7
        build.side([(-e * 0.7, z), (e * 0.35, z), (e * 0.35, z + 0.42), (-e * 0.7, z + 0.42)], half + 0.02, BAND)
    _lights(build, e, half, 0.72, 0.22)
    for a in (e - 2.4, -e + 2.6):
        build.wheel(a, half + 0.02, 0.48)
    build.end()
    return build.done(length, half * 2, height, (half - 0.25, 0.8, 0.95))


@lru_cache(maxsize=256)
def solid(label: str, variant: int) -> Solid:
    """The solid of a vehicle; 24 variants of each label exist."""
    dice = Dice(variant * 7919 + len(label)).child(ord(label[0]))
    if label == "car":
        return _car(dice)
    if label == "van":
        return _van(dice)
    if label == "truck":
        return _truck(dice)
    return _bus(dice, variant % 2 == 0)


VARIANTS = 24
