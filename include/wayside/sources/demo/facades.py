"""Houses along the street: walls, windows, shop fronts, roofs, and the row that closes the view."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.brush import GROUND, LEAF, SOUTH, WALL_L, WALL_R, Brush, Mask
from wayside.sources.demo.dice import Dice
from wayside.sources.demo.street import Street
from wayside.sources.demo.weather import BGR

WALLS: tuple[BGR, ...] = (
    (78, 96, 146), (92, 112, 160), (70, 84, 120), (168, 190, 204), (196, 206, 212), (150, 168, 178),
    (128, 134, 140), (104, 126, 152), (176, 196, 196), (118, 140, 170),
)  # fmt: skip
SIGNS: tuple[BGR, ...] = (
    (150, 60, 30), (40, 40, 180), (50, 110, 40), (40, 40, 44), (220, 220, 224), (40, 170, 220), (120, 40, 90),
)  # fmt: skip
ROOFS: tuple[BGR, ...] = ((74, 72, 74), (86, 84, 92), (62, 72, 104), (92, 98, 104))
DEEP = 8.0
Shapes = list[NDArray[np.int32]]


@dataclass(frozen=True)
class Stature:
    """How tall a house is, how much its roof rises above that (0 for a flat one), and its colour."""

    height: float
    rise: float
    colour: BGR


@dataclass(frozen=True)
class Wall:
    """One flat wall: a start, a direction along it, a length, which way it faces."""

    x: float
    y: float
    dx: float
    dy: float
    length: float
    facing: int

    def at(self, along: float, z: float) -> tuple[float, float, float]:
        """A point on the wall."""
        return self.x + self.dx * along, self.y + self.dy * along, z

    def box(self, a0: float, a1: float, z0: float, z1: float) -> list[tuple[float, float, float]]:
        """A rectangle on the wall."""
        return [self.at(a0, z0), self.at(a1, z0), self.at(a1, z1), self.at(a0, z1)]


def _tint(colour: BGR, by: float) -> BGR:
    return colour[0] * by, colour[1] * by, colour[2] * by


def _wall(brush: Brush, wall: Wall, height: float, colour: BGR) -> Shapes:
    """The bare wall, in three bands so that lamplight fades upwards."""
    shapes: Shapes = []
    for low, z0, z1 in ((150, 0.0, 2.6), (80, 2.6, 5.5), (24, 5.5, height)):
        if z0 < height:
            tint = _tint(colour, 0.94 if z0 == 0 else 1.0)
            shape = brush.flat(wall.box(0, wall.length, z0, min(z1, height)), tint, wall.facing, low=low)
            if shape is not None:
                shapes.append(shape)
    return shapes


def _windows(brush: Brush, wall: Wall, height: float, colour: BGR, dice: Dice, first: float) -> None:
    wide, tall, storey = dice.between(0.9, 1.5), dice.between(1.3, 1.9), dice.between(2.9, 3.4)
    count = max(1, int(wall.length / dice.between(2.2, 3.4)))
    pitch = wall.length / count
    frame: BGR = (222, 226, 228) if dice.chance(0.6) else _tint(colour, 0.6)
    z, floor = first, 0
    while z + tall < height - 0.4:
        for number in range(count):
            middle = pitch * (number + 0.5)
            spot = dice.child(floor, number)
            pane_tone = spot.between(0.7, 1.35)
            box = wall.box(middle - wide / 2, middle + wide / 2, z, z + tall)
            brush.flat(wall.box(middle - wide / 2 - 0.1, middle + wide / 2 + 0.1, z - 0.16, z + tall + 0.1), frame,
                       wall.facing, low=80)  # fmt: skip
            rank = 2 + int(spot.roll() * 250)
            brush.flat(box, (74 * pane_tone, 66 * pane_tone, 58 * pane_tone), wall.facing, rank=rank, low=40)
            if spot.chance(0.5):
                brush.flat(wall.box(middle - 0.04, middle + 0.04, z, z + tall), frame, wall.facing, low=40)
        z, floor = z + storey, floor + 1


def _shopfront(brush: Brush, wall: Wall, dice: Dice) -> None:
    sign = dice.pick(SIGNS)
    brush.flat(wall.box(0.15, wall.length - 0.15, 0.3, 2.7), _tint(sign, 0.5), wall.facing, low=120)
    lit = 2 + int(dice.roll() * 90)
    panes = max(2, int(wall.length / 2.0))
    pitch = (wall.length - 0.6) / panes
    for number in range(panes):
        a = 0.3 + number * pitch
        tone = dice.between(0.7, 1.5)
        colour = (62 * tone, 60 * tone, 58 * tone)
        brush.flat(wall.box(a + 0.08, a + pitch - 0.08, 0.5, 2.55), colour, wall.facing, rank=lit, low=120)
        goods = wall.box(a + 0.2, a + pitch * dice.between(0.4, 0.9), 0.5, dice.between(0.9, 1.9))
        brush.flat(goods, _tint(colour, 0.7), wall.facing, rank=2 + int(dice.roll() * 120), low=120)
    brush.flat(wall.box(0.1, wall.length - 0.1, 2.7, 3.35), sign, wall.facing, low=120)
    letters = dice.between(0.25, 0.4) * wall.length
    middle = wall.length / 2
    pale: BGR = (226, 230, 232) if sum(sign) < 480 else (40, 40, 50)
    a = middle - letters
    while a < middle + letters:
        step = dice.between(0.25, 0.5)
        brush.flat(wall.box(a, a + step * 0.7, 2.85, 3.2), pale, wall.facing, low=120)
        a += step


def _door(brush: Brush, wall: Wall, dice: Dice) -> None:
    a = dice.between(0.6, max(0.7, wall.length - 1.8))
    brush.flat(wall.box(a - 0.12, a + 1.12, 0, 2.35), (208, 212, 214), wall.facing, low=130)
    brush.flat(wall.box(a, a + 1.0, 0, 2.15), _tint(dice.pick(SIGNS), 0.8), wall.facing, low=130)


def _roof(brush: Brush, wall: Wall, stature: Stature, back: tuple[float, float], dice: Dice) -> Shapes:
    """A slope away from the wall, or a parapet."""
    colour, height, rise, deep = dice.pick(ROOFS), stature.height, stature.rise, DEEP / 2
    if rise:
        a, b = wall.at(0, height), wall.at(wall.length, height)
        top = [(b[0] + back[0] * deep, b[1] + back[1] * deep, height + rise),
               (a[0] + back[0] * deep, a[1] + back[1] * deep, height + rise)]  # fmt: skip
        shape = brush.flat([a, b, *top], colour, wall.facing, low=8)
        return [] if shape is None else [shape]
    shape = brush.flat(wall.box(0, wall.length, height, height + 0.5), _tint(colour, 1.5), wall.facing, low=8)
    return [] if shape is None else [shape]


def _stature(style: str, dice: Dice) -> Stature:
    """Height, roof and colour of a house."""
    storeys = {"high street": (2, 4), "terrace": (2, 3), "offices": (3, 6), "suburb": (2, 2)}[style]
    height = 3.2 * (storeys[0] + int(dice.roll() * (storeys[1] - storeys[0] + 1))) + dice.between(0.0, 1.2)
    return Stature(height, dice.between(1.5, 2.6) if dice.chance(0.6) else 0.0, dice.pick(WALLS))


def _gable(brush: Brush, wall: Wall, stature: Stature, dice: Dice) -> Shapes:
    """The end wall of a house: few windows, and a gable under the roof."""
    height, colour = stature.height, stature.colour
    shapes = _wall(brush, wall, height, colour)
    if stature.rise:
        tip = [wall.at(0, height), wall.at(wall.length, height), wall.at(wall.length / 2, height + stature.rise)]
        shape = brush.flat(tip, colour, wall.facing, low=8)
        shapes += [] if shape is None else [shape]
    if dice.chance(0.6):
        narrow = Wall(wall.x + wall.dx * 2.5, wall.y, wall.dx, wall.dy, 4.5, wall.facing)
        _windows(brush, narrow, height, colour, dice, 1.0)
    return shapes


def house(brush: Brush, wall: Wall, back: tuple[float, float], style: str, stature: Stature, dice: Dice) -> Shapes:
    """One house: wall, windows, ground floor, roof. Returns its outlines."""
    height, colour = stature.height, stature.colour
    shapes = _wall(brush, wall, height, colour)
    shop = style == "high street" or (style == "offices" and dice.chance(0.5))
    if shop:
        _shopfront(brush, wall, dice.child(1))
    _windows(brush, wall, height, colour, dice.child(2), 4.0 if shop else 1.0)
    if not shop:
        _door(brush, wall, dice.child(3))
    return shapes + _roof(brush, wall, stature, back, dice.child(4))


def _row(brush: Brush, street: Street, left: bool, span: tuple[float, float], dice: Dice) -> Shapes:
    """The houses of one side between two places, far ones first."""
    x = street.wall_left if left else street.wall_right
    if street.style == "suburb":
        x += -7.0 if left else 7.0
    back = (-1.0, 0.0) if left else (1.0, 0.0)
    facing = WALL_L if left else WALL_R
    plots, y, number = [], span[0], 0
    while y < span[1] - 3.0:
        length = min(dice.child(number).between(6.0, 15.0), span[1] - y)
        if span[1] - y - length < 4.0:
            length = span[1] - y
        plots.append((y, length, number))
        y, number = y + length, number + 1
    shapes: Shapes = []
    for y, length, number in reversed(plots):
        own = dice.child(number, 7)
        space = 1.5 if street.style == "suburb" else 0.0
        end = Wall(x, y + space, back[0], 0.0, DEEP, SOUTH)
        stature = _stature(street.style, own.child(2))
        front = Wall(x, y + space, 0.0, 1.0, length - space, facing)
        shapes += house(brush, front, back, street.style, stature, own)
        shapes += _gable(brush, end, stature, own.child(1))
    if street.style == "suburb":
        shapes += _hedge(brush, street, left, span, dice)
    return shapes


def _hedge(brush: Brush, street: Street, left: bool, span: tuple[float, float], dice: Dice) -> Shapes:
    x = street.wall_left - 0.3 if left else street.wall_right + 0.3
    shapes: Shapes = []
    y = span[0]
    while y < span[1]:
        stop = min(span[1], y + dice.between(5.0, 11.0))
        tall = dice.between(0.7, 1.9)
        green = dice.between(0.8, 1.15)
        brick = dice.chance(0.35)
        colour = (84, 100, 142) if brick else (44 * green, 86 * green, 62 * green)
        facing = (WALL_L if left else WALL_R) if brick else LEAF
        shape = brush.flat([(x, y, 0), (x, stop, 0), (x, stop, tall), (x, y, tall)], colour, facing, low=110)
        if shape is not None:
            shapes.append(shape)
        y = stop + dice.between(0.0, 3.0)
    return shapes


def _closing(brush: Brush, street: Street, dice: Dice) -> None:
    """The row of houses, or the wood, that ends the view."""
    y = street.end + 14.0
    if dice.chance(0.35):
        _wood(brush, y, dice.child(77))
        return
    x, number = -80.0, 0
    while x < 80.0:
        length = dice.child(number).between(9, 18)
        wall = Wall(x, y, 1.0, 0.0, length, SOUTH)
        style = "terrace" if street.style == "suburb" else street.style
        house(brush, wall, (0.0, 1.0), style, _stature(style, dice.child(number, 2)), dice.child(number, 1))
        x, number = x + length, number + 1


def _wood(brush: Brush, y: float, dice: Dice) -> None:
    """A row of trees, made of many leafy clumps, dark ones first."""
    for number in range(420):
        spot = dice.child(number)
        layer = number / 420
        x, z = spot.between(-75, 75), spot.between(0.0, 8.5) * (1 - 0.15 * layer)
        size = spot.between(0.8, 2.2)
        green = spot.between(0.6, 0.85) + 0.35 * layer * z / 8.5
        ring = [
            (x + size * math.cos(t * math.pi / 4), y, max(0.0, z + size * math.sin(t * math.pi / 4))) for t in range(8)
        ]
        brush.flat(ring, (50 * green, 92 * green, 72 * green), LEAF)


def paint(brush: Brush, street: Street, dice: Dice) -> list[Mask]:
    """Paint all houses; returns the corner houses' mask, which hides the crossing road's traffic."""
    _closing(brush, street, dice.child(9))
    gap = street.gap()
    masks: list[Mask] = []
    for left in (True, False):
        own = dice.child(int(left))
        if gap is None:
            _row(brush, street, left, (-12.0, street.end + 14), own)
            continue
        _row(brush, street, left, (gap[1], street.end + 14), own.child(1))
    if gap is not None:
        for left in (True, False):
            shapes = _row(brush, street, left, (-12.0, gap[0]), dice.child(int(left), 2))
            wall = street.wall_left if left else street.wall_right
            mask = brush.mask(shapes, math.hypot(wall - brush.lens.x, gap[0]))
            if mask is not None:
                masks.append(mask)
    return masks


__all__ = ["GROUND", "Wall", "house", "paint"]
