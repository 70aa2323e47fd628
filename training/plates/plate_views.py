"""Views to train on, composed anew for every step: real plates, rendered plates, and pictures without any.

Real pictures are used as they are, with their plates painted over, or with rendered plates in the place of the real
ones. The demo city gives street scenes that are ours: its vehicles get rendered plates, and the coloured patches that
it paints itself are neither plate nor not. Mosaics of up to 16 pictures make plates of a few pixels; a window of one
picture makes them 200 pixels wide.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from plate_data import Plates
from plate_render import add_lamps, erase, paste, render_plate, render_sign

from augment import Layout, Picture, compose, degrade
from demo_city import scenes

LAYOUT = Layout(((1, 0.5), (2, 0.32), (3, 0.12), (4, 0.06)), 3.0)
PLATE, UNKNOWN = 0, 1
LEAST_SIDE = 5.0
"""Pixels of width below which a plate is neither an example nor a counter-example."""

VEHICLES = frozenset({"bus", "car", "van", "truck", "motorcyclist"})


@dataclass(frozen=True)
class Sample:
    """BGR uint8 ``image`` ``[S, S, 3]``, ``boxes`` of plates and boxes ``unknown``, float32 ``[K, 4]`` in pixels."""

    image: np.ndarray
    boxes: np.ndarray
    unknown: np.ndarray


class Views:
    """Draws views from pictures with labelled plates and from scenes of the demo city."""

    def __init__(self, pictures: list[Plates], seed: int, cameras: int = 24, moments: int = 6) -> None:
        self.rng = np.random.default_rng(seed)
        self.real = [Picture(one.image, one.boxes, np.zeros(len(one.boxes), np.int64), "real") for one in pictures]
        self.demo = list(scenes(3000 + seed, cameras, moments)) if cameras else []
        self.bank = [render_plate(self.rng) for _ in range(1500)]
        self.queue: list[int] = []

    def pick(self) -> Picture:
        """One picture for a tile, with labels ``PLATE`` and ``UNKNOWN``."""
        chance = self.rng.random()
        if self.demo and chance < 0.14:
            return self.city_picture()
        if not self.queue:
            self.queue = self.rng.permutation(len(self.real)).tolist()
        picture = self.real[self.queue.pop()]
        if chance < 0.72:
            return picture
        return self.changed(picture, plates=bool(chance > 0.84))

    def changed(self, picture: Picture, *, plates: bool) -> Picture:
        """A real picture whose plates are gone, or replaced by rendered ones; some signs and lamps are added."""
        image = picture.image.copy()
        rows, cols = image.shape[:2]
        boxes = picture.boxes * np.array([cols, rows, cols, rows], np.float32)
        drawn = []
        for box in boxes:
            erase(image, box)
        for _ in range(int(self.rng.integers(0, 3))):
            self.add_sign(image)
        if self.rng.random() < 0.35:
            image = add_lamps(self.rng, image)
        if plates:
            drawn = [self.add_plate(image, box) for box in boxes if box[2] - box[0] < 0.7 * cols]
            drawn += [self.add_plate(image, self.anywhere(cols, rows)) for _ in range(int(self.rng.integers(0, 3)))]
        found = np.array(drawn, np.float32).reshape(-1, 4) / np.array([cols, rows, cols, rows], np.float32)
        return Picture(image, found, np.zeros(len(found), np.int64), "changed")

    def city_picture(self) -> Picture:
        """A scene of the demo city; two of three vehicles carry a rendered plate where plates belong."""
        image, things = self.demo[int(self.rng.integers(len(self.demo)))]
        image = image.copy()
        rows, cols = image.shape[:2]
        size = np.array([cols, rows, cols, rows], np.float32)
        boxes, labels = [], []
        for thing in things:
            if thing.label not in VEHICLES:
                continue
            box = np.asarray(thing.box, np.float32) * size
            width, height = box[2] - box[0], box[3] - box[1]
            boxes.append(box)
            labels.append(UNKNOWN)
            if thing.visible > 0.8 and self.rng.random() < 0.67 and width > 16:
                side = width * self.rng.uniform(0.2, 0.36)
                x = box[0] + (width - side) * self.rng.uniform(0.3, 0.7)
                y = box[1] + height * self.rng.uniform(0.6, 0.85)
                boxes.append(self.add_plate(image, np.array([x, y, x + side, y + side * self.rng.uniform(0.22, 0.5)])))
                labels.append(PLATE)
        if self.rng.random() < 0.3:
            self.add_sign(image)
        found = np.array(boxes, np.float32).reshape(-1, 4) / size
        return Picture(image, found, np.array(labels, np.int64), "demo")

    def anywhere(self, cols: int, rows: int) -> np.ndarray:
        """A box for a plate of 8 pixels to a third of the picture, somewhere in it."""
        width = float(np.exp(self.rng.uniform(np.log(8), np.log(max(12, 0.35 * cols)))))
        x, y = self.rng.uniform(0, cols - width), self.rng.uniform(0.1 * rows, 0.95 * rows - width * 0.4)
        return np.array([x, y, x + width, y + width * 0.3])

    def add_plate(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Draw a rendered plate over the middle of ``box`` (pixels) in its own proportions; returns its box."""
        patch = self.bank[int(self.rng.integers(len(self.bank)))]
        width, height = box[2] - box[0], box[3] - box[1]
        ratio = patch.shape[1] / patch.shape[0] * np.exp(self.rng.normal(0, 0.1))
        wide = min(width, max(height, 0.3 * width) * ratio)
        centre = (box[:2] + box[2:]) / 2
        half = np.array([wide, wide / ratio]) / 2
        return paste(self.rng, image, patch, np.concatenate((centre - half, centre + half)), 5.0)

    def add_sign(self, image: np.ndarray) -> None:
        """Draw a sign somewhere in ``image``."""
        rows, cols = image.shape[:2]
        patch = render_sign(self.rng)
        width = cols * self.rng.uniform(0.12, 0.6)
        height = width * patch.shape[0] / patch.shape[1]
        x, y = self.rng.uniform(-0.1 * cols, cols - width * 0.8), self.rng.uniform(-0.05 * rows, 0.6 * rows)
        paste(self.rng, image, patch, np.array([x, y, x + width, y + height]), 3.0)

    def warp(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn, shear and tilt a square view; boxes in pixels become the boxes around their turned corners."""
        size = image.shape[0]
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * size
        turn = np.radians(self.rng.normal(0, 6))
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
        moved = (square - size / 2) @ matrix.T * float(np.exp(self.rng.normal(0, 0.15))) + size / 2
        moved = (moved + self.rng.normal(0, 0.05, (4, 2)) * size).astype(np.float32)
        view = cv2.getPerspectiveTransform(square, moved)
        grey = tuple(int(value) for value in self.rng.integers(0, 140, 3))
        image = cv2.warpPerspective(image, view, (size, size), flags=cv2.INTER_LINEAR, borderValue=grey)
        if len(boxes):
            corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 1, 2).astype(np.float32)
            corners = cv2.perspectiveTransform(corners, view).reshape(-1, 4, 2)
            boxes = np.concatenate((corners.min(1), corners.max(1)), 1)
        return image, boxes

    def draw(self, size: int) -> Sample:
        """A degraded view of ``size`` x ``size`` pixels."""
        view = compose(self.rng, self.pick, size, LAYOUT)
        image, boxes = view.image, view.boxes
        if self.rng.random() < 0.4:
            image, boxes = self.warp(image, boxes)
        clipped = boxes.clip(0, size)
        area = np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], 1), 1e-6)
        left = np.prod((clipped[:, 2:] - clipped[:, :2]).clip(0), 1) / area * view.visible
        seen = left > 0.02
        clipped, left, labels = clipped[seen], left[seen], view.labels[seen]
        width = clipped[:, 2] - clipped[:, 0]
        good = (labels == PLATE) & (left > 0.45) & (width >= LEAST_SIDE)
        # An unknown vehicle must not hide the plate that it carries: the plate is settled after it (see plate_loss).
        return Sample(degrade(self.rng, image), clipped[good], clipped[~good])
