"""Views for training: where pictures go on a canvas, and what a bad camera then does to them.

Geometry (:func:`compose`) is done once, when the pool of views is made, because the teacher looks at the result.
Degradation (:func:`degrade`) is done anew each time a view is trained on: the teacher saw the clean picture, so the
student learns to see through noise, darkness, blur and compression. Mosaics follow YOLOv4 (Bochkovskiy et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np


@dataclass(frozen=True)
class Layout:
    """How views are composed.

    ``tiles`` holds tiles a side of the mosaic and how often: many tiles make the small vehicles of overhead cameras.
    ``reach`` is how many canvas pixels a pixel of the picture may become.
    """

    tiles: tuple[tuple[int, float], ...]
    reach: float


PHOTOS = Layout(((1, 0.46), (2, 0.34), (3, 0.13), (4, 0.07)), 3.0)
WHOLE_PHOTOS = Layout(((1, 0.85), (2, 0.15)), 3.0)
RENDERINGS = Layout(((1, 0.8), (2, 0.2)), 3.5)


@dataclass(frozen=True)
class Picture:
    """One picture with labels.

    ``image`` is BGR uint8 ``[H, W, 3]``; ``boxes`` float32 ``[K, 4]`` x1, y1, x2, y2 as fractions 0..1; ``labels``
    int64 ``[K]`` class indices; ``source`` names where the picture is from.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    source: str


@dataclass
class View:
    """A composed canvas: BGR uint8 ``[S, S, 3]``, boxes in canvas pixels, and the tiles ``(x1, y1, x2, y2, source)``.

    ``visible`` is the share 0..1 of each box's area that the tile kept.
    """

    image: np.ndarray
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    visible: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    tiles: list[tuple[int, int, int, int, str]] = field(default_factory=list)


def choose_window(
    rng: np.random.Generator, picture: Picture, width: int, height: int, reach: float
) -> tuple[float, float, float, float]:
    """The part of the picture to show in a tile of ``width`` x ``height`` pixels, as x, y, w, h in picture pixels."""
    rows, cols = picture.image.shape[:2]
    limit = max(1.0, reach * min(rows / height, cols / width))
    zoom = 1.0 if rng.random() < 0.4 else rng.uniform(1.0, min(1.9, limit))
    part_w, part_h = cols / zoom, rows / zoom
    if rng.random() < 0.4:
        ratio = (width / height) / (part_w / part_h) * np.exp(rng.uniform(-0.25, 0.25))
        if ratio < 1:
            part_w *= ratio
        else:
            part_h /= ratio
    return rng.uniform(0, cols - part_w), rng.uniform(0, rows - part_h), part_w, part_h


def place(
    rng: np.random.Generator, picture: Picture, tile: tuple[int, int, int, int], view: View, reach: float
) -> None:
    """Draw a random window of ``picture``, flipped half of the time, into ``tile`` and carry its boxes along."""
    left, top, right, bottom = tile
    width, height = right - left, bottom - top
    x, y, part_w, part_h = choose_window(rng, picture, width, height, reach)
    x, y, part_w, part_h = int(x), int(y), max(8, int(part_w)), max(8, int(part_h))
    part = picture.image[y : y + part_h, x : x + part_w]
    part_h, part_w = part.shape[:2]
    shrink = part_w * part_h > width * height
    part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    flip = rng.random() < 0.5
    view.image[top:bottom, left:right] = part[:, ::-1] if flip else part
    view.tiles.append((left, top, right, bottom, picture.source))
    if not len(picture.boxes):
        return
    rows, cols = picture.image.shape[:2]
    boxes = picture.boxes * np.array([cols, rows, cols, rows], np.float32) - np.array([x, y, x, y], np.float32)
    boxes *= np.array([width / part_w, height / part_h] * 2, np.float32)
    if flip:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    clipped = boxes.clip(0, np.array([width, height, width, height], np.float32))
    area = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], 1), 1e-6)
    visible = np.prod(clipped[:, 2:] - clipped[:, :2], 1) / area
    seen = visible > 0.02
    offset = np.array([left, top, left, top], np.float32)
    view.boxes = np.concatenate((view.boxes, clipped[seen] + offset))
    view.labels = np.concatenate((view.labels, picture.labels[seen]))
    view.visible = np.concatenate((view.visible, visible[seen].astype(np.float32)))


def compose(rng: np.random.Generator, pick: Callable[[], Picture], size: int, layout: Layout) -> View:
    """A canvas of ``size`` x ``size`` pixels: one picture, or a mosaic of 4, 9 or 16 with uneven seams."""
    sides, odds = zip(*layout.tiles, strict=True)
    side = int(rng.choice(sides, p=odds))
    view = View(np.zeros((size, size, 3), np.uint8))

    def seams() -> list[int]:
        shift = rng.uniform(-0.25, 0.25, side - 1)
        inner = [int(size * (index + 1 + move) / side) for index, move in enumerate(shift)]
        return [0, *inner, size]

    rows = seams()
    for top, bottom in pairwise(rows):
        cols = seams()
        for left, right in pairwise(cols):
            place(rng, pick(), (left, top, right, bottom), view, layout.reach)
    return view


def recolour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Other exposure, contrast, white balance and saturation; BGR uint8 in and out."""
    gain = np.exp(rng.normal(0, 0.16)) * np.exp(rng.normal(0, 0.07, 3))
    table = np.arange(256, dtype=np.float32)[:, None] / 255
    table = (table - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5 + rng.normal(0, 0.05)
    table = (table.clip(0, 1) ** np.exp(rng.normal(0, 0.25)) * gain * 255).clip(0, 255).astype(np.uint8)
    image = cv2.LUT(image, np.ascontiguousarray(table[None]))
    if rng.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = 0.0 if rng.random() < 0.4 else rng.uniform(0.1, 1.6)
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    return image


def darken(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Night: strong loss of light that spares bright spots (lamps, headlights) somewhat; BGR uint8 in and out."""
    level = np.arange(256, dtype=np.float32) / 255
    table = (level ** rng.uniform(1.3, 2.4) * rng.uniform(0.3, 0.8) * 255).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def add_noise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Sensor noise, grey or coloured, sometimes salt and pepper; BGR uint8 in and out."""
    rows, cols = image.shape[:2]
    if rng.random() < 0.2:
        image = image.copy()
        spots = rng.integers(0, rows * cols, int(rows * cols * rng.uniform(0.002, 0.04)))
        image.reshape(-1, 3)[spots] = rng.choice(np.array([0, 255], np.uint8), (len(spots), 1))
        return image
    channels = 1 if rng.random() < 0.5 else 3
    noise = np.empty((rows, cols, channels), np.float32)
    cv2.randn(noise, 0, float(np.exp(rng.uniform(np.log(3), np.log(36)))))
    return (image + noise).clip(0, 255).astype(np.uint8)


def soften(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Lost sharpness: Gaussian blur, motion along a row, or fewer pixels; BGR uint8 in and out."""
    kind = rng.random()
    rows, cols = image.shape[:2]
    if kind < 0.35:
        return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))
    if kind < 0.5:
        return cv2.blur(image, (int(rng.integers(2, 6)), 1))
    share = rng.uniform(0.4, 0.85)
    small = cv2.resize(image, (int(cols * share), int(rows * share)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR)


def degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A random chain of recolouring, night, blur, noise and JPEG; BGR uint8 ``[H, W, 3]`` in and out."""
    if rng.random() < 0.8:
        image = recolour(rng, image)
    if rng.random() < 0.12:
        image = darken(rng, image)
    if rng.random() < 0.22:
        image = soften(rng, image)
    if rng.random() < 0.22:
        image = add_noise(rng, image)
    if rng.random() < 0.15:
        quality = int(rng.integers(20, 70))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
