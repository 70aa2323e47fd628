"""From actors to drawable figures: where every corner and joint of them falls in the picture.

No drawing happens here, so that asking for the truth stays cheap. A vehicle becomes the projected faces of its solid; a
person, cyclist or motorcyclist becomes limbs (a line with a thickness) and blobs (a circle) between projected joints.
Pixel coordinates are the picture's own; the painters scale them up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.dice import Dice
from wayside.sources.demo.shapes import Solid, solid
from wayside.sources.demo.street import Lens
from wayside.sources.demo.traffic import Actor

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
TWO_WHEELS = ("cyclist", "motorcyclist")
MIN_VEHICLE = 9.0
MIN_PERSON = 14.0


@dataclass
class Limb:
    """A stroke of a figure: one point is a blob, two a limb, three or more a filled patch with rounded corners."""

    points: list[int]
    thick: float
    tone: str
    shade: float = 1.0
    cycle: bool = False
    ring: bool = False
    back: bool = False


@dataclass
class Figure:
    """One actor as the camera sees it: box in pixels (not clipped), hull of its outline, parts to draw."""

    actor: Actor
    depth: float
    box: Box
    hull: NDArray[np.int32]
    pixels: Floats
    scale: float
    body: Solid | None = None
    turn: Floats | None = None
    limbs: list[Limb] = field(default_factory=list)
    rider: Box | None = None
    cycle: Box | None = None


def frame_of(actor: Actor) -> Floats:
    """Rows: the actor's forward, left and up in world axes."""
    sin, cos = math.sin(actor.heading), math.cos(actor.heading)
    return np.array([[sin, cos, 0.0], [-cos, sin, 0.0], [0.0, 0.0, 1.0]])


def figure_of(actor: Actor, lens: Lens) -> Figure | None:
    """How the camera sees an actor, or None when it is out of view or too small to be drawn."""
    middle = lens.eye(np.array([[actor.x, actor.y, 0.8]]))[0]
    if middle[2] < 2.5:
        return None
    limbed = actor.label in {"person", *TWO_WHEELS}
    radius = 1.4 if limbed else 7.0
    if abs(middle[0]) - lens.width / 2 / lens.focal * middle[2] > radius:
        return None
    if limbed:
        if 2.3 * lens.focal / middle[2] < MIN_VEHICLE:
            return None
        figure = _limbed(actor, lens)
    else:
        figure = _vehicle(actor, lens)
    if figure is None:
        return None
    x0, y0, x1, y1 = figure.box
    least = MIN_PERSON if actor.label == "person" else MIN_VEHICLE
    if y1 - y0 < least or x1 <= 1 or y1 <= 1 or x0 >= lens.width - 1 or y0 >= lens.height - 1:
        return None
    return figure


def _distance(actor: Actor, lens: Lens) -> float:
    """How far its nearest corner is, in plan: what is nearer is drawn later."""
    length, width = actor.size
    sin, cos = math.sin(actor.heading), math.cos(actor.heading)
    corners = ((a * length / 2, b * width / 2) for a in (1, 0, -1) for b in (1, -1))
    return min(math.hypot(actor.x + a * sin - b * cos - lens.x, actor.y + a * cos + b * sin) for a, b in corners)


def _hull(pixels: Floats) -> NDArray[np.int32]:
    spots = np.round(np.clip(pixels[:, :2], -4000, 8000) * 16).astype(np.int32)
    return np.asarray(cv2.convexHull(spots), np.int32)


def _vehicle(actor: Actor, lens: Lens) -> Figure | None:
    body = solid(actor.label, actor.variant)
    turn = frame_of(actor)
    pixels = lens.project(body.points @ turn + np.array([actor.x, actor.y, 0.0]))
    if pixels[:, 2].min() < 1.2:
        return None
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    depth = float(pixels[:, 2].mean())
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Figure(actor, _distance(actor, lens), box, _hull(pixels), pixels, lens.focal / depth, body, turn)


def _person(dice: Dice, phase: float) -> tuple[list[tuple[float, float, float]], list[Limb], float]:
    tall = dice.between(1.52, 1.9) if not dice.chance(0.07) else dice.between(1.05, 1.35)
    stout = dice.between(0.9, 1.2)
    swing = math.sin(phase * 2 * math.pi)
    step, reach = 0.19 * tall * swing, 0.14 * tall * swing
    lift = 0.05 * tall * max(0.0, math.cos(phase * 2 * math.pi))
    hip, arm = 0.07 * tall, 0.108 * tall * stout
    spots = [
        (0.0, hip, 0.5 * tall), (0.0, -hip, 0.5 * tall), (0.02, arm, 0.81 * tall), (0.02, -arm, 0.81 * tall),
        (0.04, 0.0, 0.93 * tall), (0.05 + step * 0.5, hip, 0.27 * tall), (0.05 - step * 0.5, -hip, 0.27 * tall),
        (step, hip * 0.9, 0.04 * tall + lift), (-step, -hip * 0.9, 0.04 * tall),
        (-reach * 0.5, arm * 1.25, 0.63 * tall), (reach * 0.5, -arm * 1.25, 0.63 * tall),
        (-reach + 0.06, arm * 1.2, 0.48 * tall), (reach + 0.06, -arm * 1.2, 0.48 * tall),
        (-0.03, 0.0, 0.955 * tall), (-0.16, 0.0, 0.68 * tall),
    ]  # fmt: skip
    leg, sleeve = 0.082 * tall * stout, 0.055 * tall * stout
    limbs = [
        Limb([7], 0.075 * tall, "shoe"), Limb([8], 0.075 * tall, "shoe"),
        Limb([0, 5, 7], leg, "legs", 0.86), Limb([1, 6, 8], leg, "legs"),
        Limb([2, 9, 11], sleeve, "top", 0.82), Limb([0, 1, 3, 2], 0.085 * tall * stout, "top"),
    ]  # fmt: skip
    if dice.chance(0.22):
        limbs.append(Limb([5, 6, 3, 2], 0.07 * tall, "top"))
    if dice.chance(0.25):
        limbs.append(Limb([14], 0.26, "bag", back=True))
    limbs += [Limb([3, 10, 12], sleeve, "top", 0.92), Limb([12], 0.05 * tall, "skin"),
              Limb([4], 0.13 * tall, "skin"), Limb([13], 0.122 * tall, "hair")]  # fmt: skip
    return spots, limbs, tall


def _ring(a: float, radius: float, count: int = 12) -> list[tuple[float, float, float]]:
    return [(a + radius * math.cos(2 * math.pi * t / count), 0.0, radius + radius * math.sin(2 * math.pi * t / count))
            for t in range(count)]  # fmt: skip


def _cyclist(dice: Dice, phase: float) -> tuple[list[tuple[float, float, float]], list[Limb], float]:
    turn = phase * 2 * math.pi
    ca, sa = 0.16 * math.cos(turn), 0.16 * math.sin(turn)
    lean = dice.between(0.12, 0.36)
    spots = [
        (-0.14, 0.09, 0.97), (-0.14, -0.09, 0.97), (lean, 0.17, 1.44), (lean, -0.17, 1.44), (lean + 0.1, 0.0, 1.64),
        (0.13 + ca * 0.4, 0.11, 0.72 + sa * 0.5), (0.13 - ca * 0.4, -0.11, 0.72 - sa * 0.5), (ca, 0.1, 0.3 + sa),
        (-ca, -0.1, 0.3 - sa), (lean + 0.14, 0.24, 1.18), (lean + 0.14, -0.24, 1.18), (0.45, 0.24, 1.02),
        (0.45, -0.24, 1.02), (0.4, 0.0, 0.98), (-0.18, 0.0, 0.9), (0.0, 0.0, 0.3), (lean - 0.22, 0.0, 1.2),
        (lean + 0.07, 0.0, 1.7),
    ]  # fmt: skip
    rear, front = len(spots), len(spots) + 12
    spots += _ring(-0.52, 0.34) + _ring(0.54, 0.34)
    limbs = [
        Limb(list(range(rear, rear + 12)), 0.05, "tyre", cycle=True, ring=True),
        Limb(list(range(front, front + 12)), 0.05, "tyre", cycle=True, ring=True),
        Limb([0, 5, 7], 0.12, "legs", 0.84), Limb([13, 15, 14, 13], 0.05, "frame", cycle=True, ring=True),
        Limb([11, 12], 0.05, "tyre", cycle=True), Limb([1, 6, 8], 0.12, "legs"), Limb([2, 9, 11], 0.09, "top", 0.84),
        Limb([0, 1, 3, 2], 0.17, "top"), Limb([3, 10, 12], 0.09, "top", 0.92),
    ]  # fmt: skip
    if dice.chance(0.4):
        limbs.append(Limb([16], 0.34, "bag", back=True))
    limbs += [Limb([4], 0.21, "skin"), Limb([17], 0.22, "helmet" if dice.chance(0.65) else "hair")]
    return spots, limbs, 1.75


def _motorcyclist(dice: Dice, phase: float) -> tuple[list[tuple[float, float, float]], list[Limb], float]:
    del phase
    scooter = dice.chance(0.4)
    spots = [
        (-0.25, 0.14, 0.86), (-0.25, -0.14, 0.86), (0.05, 0.21, 1.36), (0.05, -0.21, 1.36), (0.14, 0.0, 1.6),
        (0.2, 0.24, 0.72), (0.2, -0.24, 0.72), (-0.02, 0.22, 0.34), (-0.02, -0.22, 0.34), (0.2, 0.34, 1.14),
        (0.2, -0.34, 1.14), (0.5, 0.34, 1.04), (0.5, -0.34, 1.04), (0.55, 0.0, 0.95), (0.25, 0.0, 0.82),
        (-0.75, 0.0, 0.85), (-0.1, 0.0, 0.45), (0.62, 0.0, 0.62), (-0.62, 0.0, 1.05), (0.3, 0.0, 0.5),
    ]  # fmt: skip
    rear, front = len(spots), len(spots) + 12
    size = 0.25 if scooter else 0.32
    spots += _ring(-0.68, size) + _ring(0.74, size)
    limbs = [
        Limb(list(range(rear, rear + 12)), 0.12, "tyre", cycle=True, ring=True),
        Limb(list(range(front, front + 12)), 0.12, "tyre", cycle=True, ring=True),
        Limb([0, 5, 7], 0.17, "legs", 0.84), Limb([15, 14, 17, 19, 16], 0.2, "frame", cycle=True),
        Limb([16, 19], 0.24, "engine", cycle=True), Limb([13, 17], 0.16, "frame", cycle=True),
        Limb([11, 12], 0.06, "tyre", cycle=True), Limb([1, 6, 8], 0.17, "legs"), Limb([2, 9, 11], 0.13, "top", 0.84),
        Limb([0, 1, 3, 2], 0.22, "top"), Limb([3, 10, 12], 0.13, "top", 0.92),
    ]  # fmt: skip
    if dice.chance(0.45):
        limbs.append(Limb([18], 0.46, "bag", cycle=True))
    limbs += [Limb([4], 0.29, "helmet")]
    return spots, limbs, 1.74


_MAKERS = {"person": _person, "cyclist": _cyclist, "motorcyclist": _motorcyclist}


def _limbed(actor: Actor, lens: Lens) -> Figure | None:
    spots, limbs, _ = _MAKERS[actor.label](Dice(actor.seed).child(11), actor.phase)
    pixels = lens.project(np.array(spots) @ frame_of(actor) + np.array([actor.x, actor.y, 0.0]))
    depth = float(pixels[:, 2].mean())
    if pixels[:, 2].min() < 1.2:
        return None
    scale = lens.focal / depth
    flat = pixels.tolist()
    own = [_extent(flat, limb, scale) for limb in limbs]
    figure = Figure(actor, _distance(actor, lens), _union(own), _hull(pixels), pixels, scale, limbs=limbs)
    if actor.label in TWO_WHEELS:
        figure.cycle = _union([box for box, limb in zip(own, limbs, strict=True) if limb.cycle])
        figure.rider = _union([box for box, limb in zip(own, limbs, strict=True) if not limb.cycle])
    corners = np.array([(x, y, 0.0) for box in own for x in (box[0], box[2]) for y in (box[1], box[3])])
    figure.hull = _hull(corners)
    return figure


def _extent(pixels: list[list[float]], limb: Limb, scale: float) -> Box:
    pad = max(0.4, limb.thick * scale / 2)
    xs = [pixels[number][0] for number in limb.points]
    ys = [pixels[number][1] for number in limb.points]
    return min(xs) - pad, min(ys) - pad, max(xs) + pad, max(ys) + pad


def _union(boxes: list[Box]) -> Box:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
