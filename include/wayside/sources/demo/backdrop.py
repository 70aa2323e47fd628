"""What stands still: the empty street as the camera sees it.

A backdrop is painted once per camera and pose, twice as large as the picture, as layers that do not depend on the hour:
the surfaces' own colours, which way each pixel faces, where street lamps reach, and which windows may be lit.
`lit` combines them with a `Light` into the empty street at that moment. Things a vehicle can pass behind (lamp posts,
trees, corner houses) keep a mask and a distance, so that the renderer can put them back in front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo import facades, furniture
from wayside.sources.demo.brush import GROUND, LEAF, SCALE, SKY, SOUTH, WALL_L, WALL_R, Brush, Mask, texture
from wayside.sources.demo.dice import Dice, seed_of
from wayside.sources.demo.street import BAY, LANE, Lens, Street
from wayside.sources.demo.weather import BGR, Light

Image = NDArray[np.uint8]


@dataclass
class Backdrop:
    """The layers of an empty street; images are twice the picture's size, BGR."""

    street: Street
    lens: Lens
    colour: Image
    facing: Image
    lamp: Image
    rank: Image
    ground: Image
    masks: list[Mask] = field(default_factory=list)


def build(street: Street, lens: Lens) -> Backdrop:
    """Paint the layers of a street."""
    brush = Brush(lens, seed_of("paint", street.seed))
    dice = Dice(seed_of("backdrop", street.seed))
    _sky(brush, dice)
    _ground(brush, street, dice)
    _markings(brush, street, dice)
    _grain(brush)
    masks = facades.paint(brush, street, dice.child(3))
    _plaster(brush)
    masks += furniture.paint(brush, street, dice.child(4))
    ground = np.where(brush.facing == GROUND, np.uint8(255), np.uint8(0))
    return Backdrop(street, lens, brush.colour, brush.facing, _lamps(brush, street), brush.rank, ground, masks)


def _sky(brush: Brush, dice: Dice) -> None:
    brush.facing[:] = SKY
    height, width = brush.facing.shape
    coarse = cv2.resize(texture(64, 9)[:10, :14], (width, height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(texture(64, 9)[:20, :46], (width, height), interpolation=cv2.INTER_CUBIC)
    shade = 238.0 + 7.0 * coarse + 4.0 * fine
    brush.colour[:] = np.clip(shade, 0, 255).astype(np.uint8)[..., None]


def _strip(brush: Brush, x0: float, x1: float, y0: float, y1: float, colour: BGR, z: float = 0.0) -> None:
    brush.flat([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, GROUND)


def _ground(brush: Brush, street: Street, dice: Dice) -> None:
    grey = dice.between(104, 132)
    road: BGR = (grey + 2, grey, grey - 1)
    slab_grey = dice.between(132, 162)
    slab: BGR = (slab_grey - 6, slab_grey, slab_grey + 3)
    grass: BGR = (62, 104, 92)
    far = 400.0
    verge = street.style == "suburb"
    _strip(brush, -far, far, -30.0, far, grass if verge else slab)
    _strip(brush, street.wall_left, street.wall_right, -30.0, far, slab)
    if verge:
        _strip(brush, street.left - 1.3, street.left - 0.2, -30.0, far, grass)
    for kerb in (street.left, street.right):
        side = -1.0 if kerb < 0 else 1.0
        _strip(brush, kerb, kerb + side * 0.22, -30.0, far, (172, 176, 178))
    _strip(brush, street.left, street.right, -30.0, street.end + 60, road)
    if street.cross is not None:
        half = street.cross_half
        _strip(brush, -far, far, street.cross - half - 2.6, street.cross + half + 2.6, slab)
        _strip(brush, -far, far, street.cross - half, street.cross + half, road)
        _strip(brush, street.left, street.right, street.cross - half - 3, street.cross + half + 3, road)
    for _ in range(int(dice.between(2, 7))):
        x, y, shade = dice.between(street.left, street.right - 2), dice.between(4, 60), dice.between(-14, 10)
        patch = (road[0] + shade, road[1] + shade, road[2] + shade)
        _strip(brush, x, min(x + dice.between(0.8, 2.6), street.right), y, y + dice.between(1.5, 9), patch)
    red = street.lanes > 1 and dice.chance(0.5)
    for side in (-1, 1) if red else ():
        low, high = sorted((side * LANE * 1.02, side * LANE * 2))
        _strip(brush, low, high, -30.0, street.end, (road[0] - 26, road[1] - 22, road[2] + 18))
    for lane in range(-1, 1) if red else range(-street.lanes, street.lanes):
        for track in (0.85, 2.45):
            x = lane * LANE + track
            worn = (road[0] - 7, road[1] - 7, road[2] - 7)
            _strip(brush, x - 0.28, x + 0.28, -30.0, street.end, worn)


def _dashes(brush: Brush, x: float, span: tuple[float, float], dash: float, gap: float, wide: float) -> None:
    y, stop = span
    while y < stop:
        _strip(brush, x - wide / 2, x + wide / 2, y, min(y + dash, stop), (214, 218, 220))
        y += dash + gap


def _markings(brush: Brush, street: Street, dice: Dice) -> None:
    spans = [(2.0, street.end + 20)]
    if street.cross is not None:
        spans = _junction(brush, street, street.cross)
        if dice.chance(0.4):
            _hatch(brush, street, street.cross)
    yellow = dice.chance(0.6)
    for span in spans:
        _dashes(brush, 0.0, span, 4.0, 2.0, 0.14)
        for lane in range(1, street.lanes):
            _dashes(brush, -lane * LANE, span, 2.0, 4.0, 0.12)
            _dashes(brush, lane * LANE, span, 2.0, 4.0, 0.12)
        _kerb(brush, street.left, 1.0, span, street.bay_left, yellow)
        _kerb(brush, street.right, -1.0, span, street.bay_right, yellow)
    if street.zebra is not None:
        _zebra(brush, street, street.zebra)
    _arrows(brush, street, dice)


def _kerb(brush: Brush, kerb: float, side: float, span: tuple[float, float], bay: bool, yellow: bool) -> None:
    """The line along a kerb: a dashed bay, double yellow, or none."""
    if bay:
        _dashes(brush, kerb + side * BAY, span, 0.8, 0.8, 0.1)
    elif yellow:
        for off in (0.3, 0.55):
            x = kerb + side * off
            _strip(brush, x - 0.05, x + 0.05, span[0], span[1], (70, 180, 208))


def _arrows(brush: Brush, street: Street, dice: Dice) -> None:
    for lane in range(street.lanes):
        if dice.chance(0.35):
            _arrow(brush, -(lane + 0.5) * LANE, dice.between(7.0, 13.0), 1.0)
        if dice.chance(0.35):
            _arrow(brush, (lane + 0.5) * LANE, dice.between(14.0, 26.0), -1.0)


def _arrow(brush: Brush, x: float, y: float, way: float) -> None:
    white: BGR = (206, 210, 212)
    _strip(brush, x - 0.09, x + 0.09, min(y, y + way * 2.2), max(y, y + way * 2.2), white)
    tip = [(x - 0.4, y + way * 2.2, 0.0), (x + 0.4, y + way * 2.2, 0.0), (x, y + way * 3.6, 0.0)]
    brush.flat(tip, white, GROUND)


def _hatch(brush: Brush, street: Street, cross: float) -> None:
    """A yellow box junction."""
    half, yellow = street.cross_half, (70, 176, 206)
    low, high = cross - half, cross + half
    for edge in (low, high):
        _strip(brush, street.left, street.right, edge - 0.08, edge + 0.08, yellow)
    x = street.left - 2 * half
    while x < street.right:
        for a, b in ((x, x + 2 * half), (x + 2 * half, x)):
            start, stop = max(street.left, min(a, b)), min(street.right, max(a, b))
            if stop > start:
                at = [low + (p - a) / (b - a) * 2 * half for p in (start, stop)]
                brush.flat([(start - 0.1, at[0], 0.0), (start + 0.1, at[0], 0.0), (stop + 0.1, at[1], 0.0),
                            (stop - 0.1, at[1], 0.0)], yellow, GROUND)  # fmt: skip
        x += 1.6


def _junction(brush: Brush, street: Street, cross: float) -> list[tuple[float, float]]:
    """Stop lines and the crossing road's centre line; returns the stretches that keep their own lines."""
    low, high = cross - street.cross_half - 1.5, cross + street.cross_half + 1.5
    _strip(brush, -street.lanes * LANE, -0.1, low - 0.4, low, (214, 218, 220))
    _strip(brush, 0.1, street.lanes * LANE, high, high + 0.4, (214, 218, 220))
    for side in (-1, 1):
        for step in range(14):
            x = side * (street.right + 2 + step * 4.0)
            _strip(brush, x, x + 2.2, cross - 0.06, cross + 0.06, (204, 208, 210))
    return [(2.0, low), (high, street.end + 20)]


def _zebra(brush: Brush, street: Street, y: float) -> None:
    x, white = street.left + 0.3, True
    while x < street.right - 0.3:
        tone: BGR = (222, 226, 228) if white else (62, 60, 60)
        _strip(brush, x, min(x + 0.62, street.right - 0.3), y - 1.5, y + 1.5, tone)
        x, white = x + 0.62, not white
    for edge in (y - 3.4, y + 3.0):
        at = street.left + 0.3
        while at < street.right - 0.3:
            _strip(brush, at, at + 0.35, edge, edge + 0.2, (214, 218, 220))
            at += 0.9


def _grain(brush: Brush) -> None:
    """Give the ground the roughness of tarmac, shrinking with distance as it should."""
    lens = brush.lens
    right, up, ahead = lens.axes
    height, width = brush.facing.shape
    focal = lens.focal * 2
    pixel_to_ray = np.array([[1 / focal, 0, -width / 2 / focal], [0, -1 / focal, height / 2 / focal], [0, 0, 1.0]])
    rays = np.stack([right, up, ahead], axis=1) @ pixel_to_ray
    to_ground = np.stack([lens.z * rays[0] - lens.x * rays[2], lens.z * rays[1], -rays[2]])
    rough = np.zeros((height, width), np.float32)
    for scale, weight in ((26.0, 5.5), (3.1, 4.5)):
        grain = texture(512, int(scale))
        warped = cv2.warpPerspective(
            (grain * 40 + 128).clip(0, 255).astype(np.uint8), np.diag([scale, scale, 1.0]) @ to_ground, (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
        rough += (warped.astype(np.float32) - 128) * (weight / 40)
    rough[brush.facing != GROUND] = 0
    brush.colour[:] = cv2.add(brush.colour, cv2.merge([rough, rough, rough]), dtype=cv2.CV_8U)


def _plaster(brush: Brush) -> None:
    """Walls are never one flat colour: stains and courses, a few levels deep."""
    height, width = brush.facing.shape
    fine = texture(512, 5)
    coarse = cv2.resize(fine[:40, :40], (512, 512), interpolation=cv2.INTER_LINEAR)
    tile = np.tile(fine * 3.0 + coarse * 4.0, (height // 512 + 1, width // 512 + 1))[:height, :width]
    tile[(brush.facing < WALL_L) | (brush.rank > 0)] = 0
    rough = tile.astype(np.float32)
    brush.colour[:] = cv2.add(brush.colour, cv2.merge([rough, rough, rough]), dtype=cv2.CV_8U)


def _lamps(brush: Brush, street: Street) -> Image:
    """How much of the street lamps' light reaches each pixel, 0..255."""
    gx, gy, reach = brush.lens.ground(2)
    glow = np.zeros_like(gx)
    for x, y in street.lamps:
        arm = x + (2.0 if x < 0 else -2.0)
        distance = ((gx - arm) ** 2 + (gy - y) ** 2) / 80.0
        glow += 1.0 / (1.0 + distance + 0.6 * distance**2)
    glow[reach > 300] = 0
    small = (np.clip(glow, 0, 1.3) / 1.3 * 255).astype(np.uint8)
    height, width = brush.facing.shape
    big = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    big[brush.facing == SKY] = 0
    walls = (brush.facing == WALL_L) | (brush.facing == WALL_R) | (brush.facing == SOUTH)
    big[walls] = brush.low[walls] // 2
    big[brush.facing == LEAF] = 70
    return np.asarray(cv2.GaussianBlur(big, (9, 9), 3), np.uint8)


def _gains(light: Light) -> NDArray[np.uint8]:
    """Brightness per facing, as a 256-entry table of BGR with 160 = 1.0."""
    table = np.zeros((256, 3))
    sx, sy, sz = light.sun_dir
    ambient, sun = np.array(light.ambient), np.array(light.sun)
    table[SKY] = 0
    table[GROUND] = (ambient + sun * max(0.0, sz) * 1.25) * (1 - 0.22 * light.wet)
    table[GROUND + 1] = (ambient * 0.92 + sun * 0.08) * (1 - 0.22 * light.wet)
    table[WALL_L] = ambient * 0.8 + sun * max(0.0, sx) * 1.1
    table[WALL_R] = ambient * 0.8 + sun * max(0.0, -sx) * 1.1
    table[SOUTH] = ambient * 0.78 + sun * max(0.0, -sy) * 1.1
    table[LEAF] = ambient * 0.85 + sun * 0.55
    return np.clip(table * 160, 0, 255).astype(np.uint8)


def _shade(backdrop: Backdrop, light: Light) -> Image:
    """The facing layer with the houses' shadow on the ground marked as its own facing."""
    if light.sunny < 0.06:
        return backdrop.facing
    street = backdrop.street
    sx, sy, sz = light.sun_dir
    left_side = sx < 0
    reach = 9.0 * abs(sx) / max(sz, 0.08)
    if street.style == "suburb":
        reach *= 0.35
    base = street.wall_left if left_side else street.wall_right
    tip = base + reach if left_side else base - reach
    shift = -sy / max(abs(sx), 0.05) * abs(tip - base)
    shift = max(-60.0, min(60.0, shift))
    mask = np.zeros_like(backdrop.facing)
    gap = street.gap()
    spans = [(-30.0, 300.0)] if gap is None else [(-30.0, gap[0]), (gap[1], 300.0)]
    for low, high in spans:
        points = ((base, low, 0.0), (base, high, 0.0), (tip, high + shift, 0.0), (tip, low + shift, 0.0))
        outline = backdrop.lens.outline(points)
        if outline:
            spots = np.round(np.array(outline) * SCALE).astype(np.int32)
            cv2.fillPoly(mask, [spots], 1)
    return np.asarray(cv2.add(backdrop.facing, cv2.bitwise_and(mask, backdrop.ground)), np.uint8)


@lru_cache(maxsize=96)
def _sky_rows(width: int, height: int, horizon: int, high: BGR, low: BGR) -> Image:
    rows = np.linspace(0, 1, max(horizon, 2))[:, None] ** 0.8
    ramp = np.array(high) * (1 - rows) + np.array(low) * rows
    out = np.empty((height, width, 3), np.uint8)
    out[:] = np.array(low, np.uint8)
    top = min(len(ramp), height)
    out[:top] = ramp[:top, None, :].astype(np.uint8)
    return out


def lit(backdrop: Backdrop, light: Light) -> tuple[Image, Image]:
    """The empty street at a moment, twice the picture's size, and which way its pixels face (shade marked)."""
    facing = _shade(backdrop, light)
    lut = _gains(light)
    gain = cv2.LUT(cv2.merge([facing, facing, facing]), lut.reshape(1, 256, 3))
    if light.lamp > 0.01:
        warm = cv2.merge([cv2.LUT(backdrop.lamp, _ramp(share * light.lamp)) for share in (0.30, 0.52, 0.72)])
        gain = cv2.add(gain, warm)
    image = cv2.multiply(backdrop.colour, gain, scale=1 / 160)
    height, width = facing.shape
    horizon = int(backdrop.lens.height - 2 * backdrop.lens.focal * math.tan(backdrop.lens.pitch))
    sky = _sky_rows(width, height, horizon, light.sky_high, light.sky_low)
    open_sky = cv2.inRange(backdrop.facing, (SKY,), (SKY,))
    clouds = cv2.multiply(sky, backdrop.colour, scale=1 / 245)
    cv2.copyTo(clouds, open_sky, image)
    if light.lamp > 0.01:
        image = cv2.add(image, _windows(backdrop.rank, light))
    return np.asarray(image, np.uint8), facing


def _ramp(share: float) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.arange(256) * share * 0.78, 0, 255), np.uint8)


def _windows(rank: Image, light: Light) -> Image:
    """Light behind the windows: rank 1 is always on at night, higher ranks only while people are up."""
    table = np.zeros((256, 3))
    on = int(2 + 180 * light.evening)
    for number in range(1, max(on, 2)):
        tone = Dice(number).child(5)
        level = 0.12 + 0.5 * tone.roll() ** 1.4 if number > 1 else 1.0
        table[number] = np.array([tone.between(70, 150), tone.between(150, 190), 215]) * level
    lut = (table * light.lamp).astype(np.uint8).reshape(1, 256, 3)
    return np.asarray(cv2.LUT(cv2.merge([rank, rank, rank]), lut), np.uint8)
