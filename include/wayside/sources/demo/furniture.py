"""Street furniture: lamp posts, trees, signs and signals, each with the mask that hides what passes behind it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.brush import FINE, LEAF, SCALE, SOUTH, Brush, Mask
from wayside.sources.demo.dice import Dice
from wayside.sources.demo.street import Street
from wayside.sources.demo.weather import BGR

Shapes = list[NDArray[np.int32]]


def _post(brush: Brush, x: float, y: float, tall: float, wide: float, colour: BGR, z: float = 0.0) -> Shapes:
    """An upright standing square to the camera."""
    right = brush.lens.axes[0] * (wide / 2)
    points = [(x - right[0], y - right[1], z), (x + right[0], y + right[1], z),
              (x + right[0], y + right[1], tall), (x - right[0], y - right[1], tall)]  # fmt: skip
    shape = brush.flat(points, colour, SOUTH, low=120)
    return [] if shape is None else [shape]


def _lamp(brush: Brush, x: float, y: float) -> Shapes:
    tone: BGR = (86, 90, 90)
    shapes = _post(brush, x, y, 7.6, 0.16, tone)
    arm = x + (2.0 if x < 0 else -2.0)
    bar = brush.flat([(x, y, 7.5), (arm, y, 7.75), (arm, y, 7.87), (x, y, 7.62)], tone, SOUTH)
    head = brush.flat([(arm - 0.4, y, 7.68), (arm + 0.4, y, 7.68), (arm + 0.4, y, 7.88), (arm - 0.4, y, 7.88)],
                      (190, 200, 204), SOUTH, rank=1)  # fmt: skip
    return shapes + [shape for shape in (bar, head) if shape is not None]


def _tree(brush: Brush, x: float, y: float, dice: Dice) -> Shapes:
    tall, spread = dice.between(4.5, 8.5), dice.between(1.4, 2.4)
    shapes = _post(brush, x, y, tall * 0.6, dice.between(0.2, 0.36), (54, 66, 76))
    middle = brush.lens.project(np.array([[x, y, tall * 0.72]]))[0]
    if middle[2] < 2.0:
        return shapes
    scale = brush.lens.focal / middle[2] * SCALE
    green = dice.between(0.75, 1.2)
    hue = dice.between(-8, 14)
    for number in range(220):
        spot = dice.child(number)
        off_x, off_y = spot.between(-1, 1), spot.between(-1, 1)
        if off_x * off_x + off_y * off_y > 1:
            continue
        centre = (
            int(middle[0] * SCALE + off_x * spread * scale),
            int(middle[1] * SCALE + off_y * spread * 0.9 * scale),
        )
        radius = max(1, int(spot.between(0.07, 0.46 - 0.28 * number / 220) * scale))
        tone = green * (0.92 - 0.26 * off_y - 0.1 * off_x) * spot.between(0.72, 1.2) * (0.8 + 0.3 * number / 220)
        colour = (48 * tone, (92 + hue * 0.3) * tone, (66 + hue) * tone)
        if max(abs(centre[0]), abs(centre[1])) > 6000 or radius > 400:
            continue
        cv2.circle(brush.colour, centre, radius, colour, -1)
        for layer, value in ((brush.facing, LEAF), (brush.low, 30), (brush.rank, 0)):
            cv2.circle(layer, centre, radius, value, -1)
        ring = np.asarray(cv2.ellipse2Poly(centre, (radius, radius), 0, 0, 360, 45), np.int32)
        shapes.append(ring << FINE)
    return shapes


def _signal(brush: Brush, x: float, y: float) -> Shapes:
    shapes = _post(brush, x, y, 3.3, 0.12, (60, 62, 62))
    shapes += _post(brush, x, y, 3.3, 0.42, (36, 36, 36), 2.3)
    for z, colour in ((3.05, (40, 40, 210)), (2.78, (30, 60, 80)), (2.5, (40, 70, 40))):
        _post(brush, x, y, z + 0.11, 0.2, colour, z - 0.11)
    return shapes


def _belisha(brush: Brush, x: float, y: float) -> Shapes:
    shapes: Shapes = []
    for step in range(6):
        tone: BGR = (228, 230, 232) if step % 2 else (36, 36, 36)
        shapes += _post(brush, x, y, 0.5 * step + 0.5, 0.13, tone, 0.5 * step)
    return shapes + _post(brush, x, y, 3.4, 0.36, (40, 160, 240), 3.0)


def _sign(brush: Brush, x: float, y: float, dice: Dice) -> Shapes:
    shapes = _post(brush, x, y, 2.9, 0.08, (120, 124, 126))
    face: BGR = dice.pick(((150, 70, 20), (232, 232, 236), (40, 40, 200), (60, 190, 230)))
    shapes += _post(brush, x, y, 2.95, 0.62, face, 2.3)
    _post(brush, x, y, 2.75, 0.4, (236, 236, 238), 2.5)
    return shapes


def paint(brush: Brush, street: Street, dice: Dice) -> list[Mask]:
    """Paint the furniture from far to near; returns a mask for each piece."""
    pieces: list[tuple[float, str, float, float]] = []
    pieces += [(y, "lamp", x, y) for x, y in street.lamps]
    pieces += [(y, "tree", x, y) for x, y in street.trees]
    if street.cross is not None:
        edge = street.cross - street.cross_half - 2.0
        pieces += [(edge, "signal", street.left - 0.5, edge), (edge, "signal", street.right + 0.5, edge)]
    elif street.zebra is not None:
        pieces += [(street.zebra, "belisha", x, street.zebra + 1.8) for x in (street.left - 0.6, street.right + 0.6)]
    for number in range(3):
        y = dice.between(10, 50)
        pieces.append((y, "sign", street.left - 0.5 if number % 2 else street.right + 0.5, y))
    masks: list[Mask] = []
    for number, (depth, kind, x, y) in enumerate(sorted(pieces, reverse=True)):
        if depth < 3.0:
            continue
        mask = brush.mask(_draw(brush, kind, x, y, dice.child(number)), math.hypot(x - brush.lens.x, y))
        if mask is not None:
            masks.append(mask)
    return masks


def _draw(brush: Brush, kind: str, x: float, y: float, dice: Dice) -> Shapes:
    if kind == "lamp":
        return _lamp(brush, x, y)
    if kind == "tree":
        return _tree(brush, x, y, dice)
    if kind == "signal":
        return _signal(brush, x, y)
    if kind == "belisha":
        return _belisha(brush, x, y)
    return _sign(brush, x, y, dice)
