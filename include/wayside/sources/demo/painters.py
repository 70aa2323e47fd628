"""Draws figures on the street: shaded vehicles, dressed people, their shadows and their lights.

The canvas is twice the picture's size, which smooths every edge when it is shrunk. Colours are BGR.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo import shapes
from wayside.sources.demo.brush import FINE, SCALE, fixed
from wayside.sources.demo.dice import Dice
from wayside.sources.demo.figures import Figure, Limb, frame_of
from wayside.sources.demo.shapes import SCREEN, Solid
from wayside.sources.demo.street import Lens
from wayside.sources.demo.weather import BGR, Light

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

CAR_PAINTS: tuple[tuple[BGR, float], ...] = (
    ((226, 228, 228), 18), ((44, 42, 42), 20), ((128, 126, 124), 18), ((178, 178, 176), 13), ((122, 66, 34), 9),
    ((160, 104, 40), 5), ((38, 34, 150), 8), ((42, 40, 96), 3), ((60, 84, 40), 3), ((150, 190, 205), 2),
    ((30, 170, 220), 1.5), ((24, 110, 214), 2), ((84, 52, 60), 3),
)  # fmt: skip
VAN_PAINTS: tuple[tuple[BGR, float], ...] = (
    ((234, 236, 236), 60), ((150, 150, 150), 10), ((52, 50, 50), 10), ((140, 60, 24), 7), ((36, 36, 160), 6),
    ((30, 170, 226), 5),
)  # fmt: skip
BUS_PAINTS: dict[str, tuple[BGR, ...]] = {
    "tfl": ((34, 30, 186), (30, 28, 176), (40, 34, 196)),
    "uo": ((40, 170, 224), (170, 80, 30), (40, 36, 170), (70, 120, 40), (214, 210, 206)),
}
CARGO_TONES: tuple[BGR, ...] = (
    (232, 234, 234), (200, 202, 200), (160, 84, 30), (40, 44, 168), (70, 120, 50), (48, 160, 214), (110, 116, 120),
)  # fmt: skip
TOPS: tuple[tuple[BGR, float], ...] = (
    ((38, 36, 36), 9), ((52, 44, 40), 7), ((88, 58, 40), 6), ((140, 96, 58), 3), ((52, 50, 128), 2),
    ((62, 84, 60), 2.5), ((112, 114, 116), 5), ((204, 206, 208), 3), ((140, 164, 182), 3), ((60, 132, 178), 1),
    ((60, 220, 204), 1), ((108, 70, 116), 1.5), ((70, 62, 160), 1.5), ((144, 144, 92), 1.5),
)  # fmt: skip
LEGS: tuple[BGR, ...] = ((36, 34, 34), (86, 58, 40), (110, 76, 52), (60, 60, 62), (120, 140, 156), (40, 46, 60))
SKINS: tuple[BGR, ...] = ((150, 178, 222), (130, 160, 206), (86, 118, 168), (56, 80, 122), (40, 56, 86))
HAIRS: tuple[BGR, ...] = ((24, 24, 28), (36, 48, 68), (70, 110, 150), (150, 154, 158), (30, 36, 46))
HELMETS: tuple[BGR, ...] = ((230, 232, 232), (30, 30, 32), (40, 40, 190), (60, 220, 220), (170, 90, 40))


@dataclass(frozen=True)
class Shine:
    """The light on one figure: gains for skyward and sideways light and for the sun, as BGR arrays."""

    ambient: Floats
    sun: Floats
    sun_dir: Floats
    sky: Floats


def shine_on(light: Light, lamp: float, shaded: bool) -> Shine:
    """The light that reaches one place: `lamp` 0..1 is the street lamps' share there."""
    lamps = np.array([0.30, 0.52, 0.72]) * light.lamp * lamp * 0.95
    sun = np.array(light.sun) * (0.06 if shaded else 1.0)
    return Shine(np.array(light.ambient) + lamps, sun, np.array(light.sun_dir), np.array(light.sky_high))


def _base(figure: Figure, region: str) -> Floats:
    """The palette of a vehicle, one BGR row per tone."""
    dice = Dice(figure.actor.seed).child(21)
    label = figure.actor.label
    if label == "bus":
        paint = dice.pick(BUS_PAINTS[region])
    else:
        paint = dice.weighted(CAR_PAINTS if label == "car" else VAN_PAINTS)
    by = dice.between(0.88, 1.06)
    paint = (paint[0] * by, paint[1] * by, paint[2] * by)
    table = np.zeros((14, 3))
    table[shapes.PAINT] = paint
    table[shapes.ROOF] = np.array(paint) * (1.0 if label != "bus" or region == "tfl" else 1.05)
    table[shapes.GLASS] = (44, 40, 36)
    table[SCREEN] = (52, 47, 42)
    table[shapes.DARK] = (40, 39, 38)
    table[shapes.TRIM] = np.array(paint) * 0.55
    table[shapes.HEAD] = (226, 228, 228)
    table[shapes.TAIL] = (36, 30, 170)
    table[shapes.PLATE_W] = (226, 228, 230)
    table[shapes.PLATE_Y] = (50, 190, 222)
    table[shapes.TYRE] = (30, 29, 29)
    table[shapes.HUB] = (122, 122, 120)
    table[shapes.CARGO] = dice.pick(CARGO_TONES)
    table[shapes.BAND] = dice.pick(CARGO_TONES[2:])
    return table


GLOSS = np.array([0.09, 0.09, 0.03, 0.04, 0, 0, 0, 0, 0, 0.05, 0.02, 0.05, 0.10, 0.13])


def _face_colours(figure: Figure, body: Solid, normals: Floats, shine: Shine, region: str) -> Floats:
    base = _base(figure, region)[body.tones]
    up = normals[:, 2:3]
    toward = np.maximum(0.0, normals @ shine.sun_dir)[:, None]
    light = shine.ambient * (0.74 + 0.26 * up) + shine.sun * toward * 1.15
    mirror = GLOSS[body.tones][:, None] * np.clip(0.35 + up, 0.0, 1.0) * shine.sky
    return np.asarray(np.clip(base * light + mirror, 0, 255))


def draw_vehicle(canvas: Image, figure: Figure, lens: Lens, shine: Shine, region: str) -> None:
    """Fill the faces of a vehicle that look at the camera, far parts first."""
    body, turn = figure.body, figure.turn
    if body is None or turn is None:
        return
    normals = body.normals @ turn
    centres = body.centres @ turn + np.array([figure.actor.x, figure.actor.y, 0.0])
    eye = np.array([lens.x, 0.0, lens.z])
    seen = ((eye - centres) * normals).sum(axis=1) > 0
    colours = _face_colours(figure, body, normals, shine, region).tolist()
    spots = fixed(figure.pixels[:, :2])
    parts = body.parts
    if figure.actor.label == "truck" and turn[0] @ (eye - np.array([figure.actor.x, figure.actor.y, 0.0])) < 0:
        parts = (parts[0], *reversed(parts[1:]))
    for _, start, stop in parts:
        for number in range(start, stop):
            if seen[number]:
                face = body.faces[number]
                cv2.fillConvexPoly(canvas, spots[face[0] : face[-1] + 1], colours[number], cv2.LINE_8, FINE)


def _wardrobe(figure: Figure) -> dict[str, BGR]:
    dice = Dice(figure.actor.seed).child(31)
    return {
        "legs": dice.pick(LEGS), "top": dice.weighted(TOPS), "skin": dice.pick(SKINS), "hair": dice.pick(HAIRS),
        "shoe": (40, 40, 44), "bag": dice.weighted(TOPS), "tyre": (34, 34, 34), "frame": dice.weighted(TOPS),
        "engine": (70, 70, 70), "helmet": dice.pick(HELMETS),
    }  # fmt: skip


def draw_limbs(canvas: Image, figure: Figure, lens: Lens, shine: Shine) -> None:
    """Draw a person, a cyclist or a motorcyclist."""
    wear = _wardrobe(figure)
    light = shine.ambient * 0.88 + shine.sun * 0.62
    spots = fixed(figure.pixels[:, :2])
    away = float(frame_of(figure.actor)[0] @ np.array([figure.actor.x - lens.x, figure.actor.y, 0.0])) > 0
    for limb in figure.limbs:
        if limb.back and not away:
            continue
        base = np.array(wear[limb.tone]) * limb.shade
        colour = np.clip(base * light, 0, 255).tolist()
        _limb(canvas, limb, spots, figure.scale * SCALE, colour)


def _limb(canvas: Image, limb: Limb, spots: NDArray[np.int32], scale: float, colour: list[float]) -> None:
    thick = max(1, round(limb.thick * scale))
    points = spots[limb.points]
    if len(points) == 1:
        centre = (int(points[0][0]), int(points[0][1]))
        cv2.circle(canvas, centre, round(limb.thick * scale / 2 * (1 << FINE)), colour, -1, cv2.LINE_8, FINE)
        return
    filled = len(points) == 4 and not limb.ring and limb.thick > 0.1
    if filled:
        cv2.fillPoly(canvas, [points], colour, cv2.LINE_8, FINE)
    cv2.polylines(canvas, [points], limb.ring or filled, colour, thick, cv2.LINE_8, FINE)


def draw_shadows(canvas: Image, ground: Image, figures: list[Figure], lens: Lens, light: Light) -> None:
    """Darken the ground under and beside the figures."""
    height, width = ground.shape
    mask = np.zeros((height // SCALE, width // SCALE), np.uint8)
    sx, sy, sz = light.sun_dir
    slide = np.array([-sx, -sy]) / max(sz, 0.22)
    sunny = light.sunny
    rings: list[Floats] = []
    levels: list[int] = []
    for figure in figures:
        length, wide = figure.actor.size
        turn = frame_of(figure.actor)[:2, :2]
        foot = np.array([(a * length / 2, b * wide / 2) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]) @ turn
        foot += np.array([figure.actor.x, figure.actor.y])
        tall = figure.body.height if figure.body is not None else 1.65
        rings += [foot, foot + slide * tall if sunny > 0.06 else foot]
        levels.append(int(90 + 120 * sunny))
    if not rings:
        return
    flat = np.concatenate(rings)
    pixels = lens.project(np.column_stack([flat, np.zeros(len(flat))])).reshape(-1, 8, 3)
    ahead = pixels[:, :, 2].min(axis=1) > 0.5
    spots = np.round(np.clip(pixels[:, :, :2], -2000, 4000) * 8).astype(np.int32)
    for number, level in enumerate(levels):
        if ahead[number]:
            if sunny > 0.06:
                cv2.fillConvexPoly(mask, np.asarray(cv2.convexHull(spots[number])), level, cv2.LINE_8, 3)
            cv2.fillConvexPoly(mask, np.asarray(cv2.convexHull(spots[number, :4])), 150, cv2.LINE_8, 3)
    if not mask.any():
        return
    x, y, w, h = cv2.boundingRect(cv2.findNonZero(mask))
    x0, y0, x1, y1 = max(0, x - 3), max(0, y - 3), min(mask.shape[1], x + w + 3), min(mask.shape[0], y + h + 3)
    part = cv2.GaussianBlur(mask[y0:y1, x0:x1], (5, 5), 1.3)
    part = cv2.resize(part, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_LINEAR)
    where = (slice(y0 * SCALE, y1 * SCALE), slice(x0 * SCALE, x1 * SCALE))
    dark = cv2.bitwise_and(part, ground[where])
    keep = cv2.bitwise_not(cv2.convertScaleAbs(dark, alpha=0.72))
    canvas[where] = cv2.multiply(canvas[where], cv2.merge([keep, keep, keep]), scale=1 / 255)


def draw_lights(glow: Image, canvas: Image, figure: Figure, lens: Lens, light: Light) -> None:
    """Switch on a vehicle's lamps: bright spots on the canvas, a halo on the glow layer (a quarter of its size)."""
    spots: list[tuple[Floats, BGR, float]] = []
    turn, place = frame_of(figure.actor), np.array([figure.actor.x, figure.actor.y, 0.0])
    eye = np.array([lens.x, 0.0, lens.z]) - place
    ahead = float(turn[0] @ eye)
    if figure.body is not None:
        lamps = figure.body.head if ahead > 0 else figure.body.tail
        spots = [(np.array(lamp) @ turn + place, (232, 244, 255) if ahead > 0 else (40, 36, 235),
                  0.16 if ahead > 0 else 0.10) for lamp in lamps]  # fmt: skip
    else:
        spot = np.array([0.85, 0.0, 0.8] if ahead > 0 else [-0.7, 0.0, 0.75]) @ turn + place
        spots = [(spot, (225, 238, 250) if ahead > 0 else (40, 36, 225), 0.09)]
    facing = min(1.0, abs(ahead) / (float(np.linalg.norm(eye)) + 1e-6) * 1.2)
    for spot, colour, size in spots:
        pixel = lens.project(spot[None])[0]
        if pixel[2] < 2 or not (0 <= pixel[0] < lens.width and 0 <= pixel[1] < lens.height):
            continue
        scale = lens.focal / pixel[2]
        radius = min(max(1.0, size * scale * SCALE), 0.012 * lens.width * SCALE)
        cv2.circle(canvas, (int(pixel[0] * SCALE), int(pixel[1] * SCALE)), round(radius), colour, -1)
        strength = facing * light.night * (1.0 if ahead > 0 else 0.6)
        halo = [c * strength for c in colour]
        centre = (int(pixel[0] * 8), int(pixel[1] * 8))
        cv2.circle(glow, centre, max(16, int(radius * (11 if ahead > 0 else 7))), halo, -1, cv2.LINE_8, 4)
        if light.wet > 0.2:
            foot = lens.project(spot[None] * np.array([1, 1, -1.2]))[0]
            cv2.line(
                glow,
                centre,
                (int(foot[0] * 8), int(foot[1] * 8)),
                [c * 0.6 for c in halo],
                max(1, int(radius / 4)),
                cv2.LINE_8,
                4,
            )
    if ahead > 0 and figure.body is not None:
        _beam(glow, figure, turn, place, lens, light)


def _beam(glow: Image, figure: Figure, turn: Floats, place: Floats, lens: Lens, light: Light) -> None:
    """The pool of light on the road in front of the vehicle."""
    nose = figure.actor.size[0] / 2
    ring = np.array([(nose + 0.3, 0.8, 0.0), (nose + 0.3, -0.8, 0.0), (nose + 7, -1.7, 0.0), (nose + 7, 1.7, 0.0)])
    pixels = lens.project(ring @ turn + place)
    if pixels[:, 2].min() > 1.0:
        spots = np.round(np.clip(pixels[:, :2], -2000, 4000) * 8).astype(np.int32)
        level = 62 * light.night
        cv2.fillConvexPoly(glow, spots, (level * 0.75, level * 0.88, level), cv2.LINE_8, 4)
