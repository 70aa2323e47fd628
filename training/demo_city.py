"""Pictures of the demo city for training and for evaluation, with raw-class boxes.

The city's labels become raw classes: a van counts as car; a cyclist is a person and a bicycle, a motorcyclist a
person and a motorcycle. Cities for training have seeds from 1000 upwards, the ones for evaluation from 500 to 999, and
the demo itself runs with a small seed, so that no street is shared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from augment import Picture
from network import CLASSES

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "include"))

RAW = {"bus": "bus", "car": "car", "van": "car", "truck": "truck", "person": "person"}
RIDERS = {"cyclist": "bicycle", "motorcyclist": "motorcycle"}
VISIBLE = 0.2
"""Objects hidden more than this share allows are not shown as examples."""


def raw_boxes(objects: list, visible: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes ``[K, 4]`` as fractions and class indices ``[K]`` of the objects that can be seen."""
    rows: list[tuple[str, tuple[float, float, float, float]]] = []
    for thing in objects:
        if thing.visible < visible:
            continue
        if thing.label in RIDERS:
            rows += [("person", thing.rider_box or thing.box), (RIDERS[thing.label], thing.cycle_box or thing.box)]
        else:
            rows.append((RAW[thing.label], thing.box))
    boxes = np.array([box for _, box in rows], np.float32).reshape(-1, 4)
    return boxes, np.array([CLASSES.index(name) for name, _ in rows], np.int64)


def scenes(seed: int, cameras: int, moments: int) -> Iterator[tuple[np.ndarray, list]]:
    """``moments`` pictures of each of ``cameras`` cameras of the city ``seed``: image BGR uint8 and its objects."""
    from wayside.sources.demo.city import DemoCity
    from wayside.sources.demo.render import render

    rng = np.random.default_rng(seed)
    city = DemoCity(seed=seed, tfl_cameras=cameras, uo_cameras=max(1, cameras // 4))
    places = [city.tfl(index) for index in range(cameras)] + [city.uo(index) for index in range(max(1, cameras // 4))]
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    for camera in places:
        for _ in range(moments):
            hours = rng.uniform(5, 22) if rng.random() < 0.8 else rng.uniform(0, 24)
            when = begin + timedelta(days=int(rng.integers(0, 360)), hours=float(hours))
            scene = render(camera, when, captions=bool(rng.random() < 0.8))
            yield scene.image, scene.objects


def demo_picker(seed: int, cameras: int = 200, moments: int = 4) -> Callable[[np.random.Generator], Picture]:
    """A function that draws from pictures of a training city, busy ones first."""
    pictures = []
    for image, objects in scenes(1000 + seed, cameras, moments):
        boxes, labels = raw_boxes(objects, VISIBLE)
        pictures.append(Picture(image, boxes, labels, "demo"))
    rare = np.array([CLASSES.index(name) for name in ("bicycle", "bus", "motorcycle", "person", "truck")])
    weights = np.array([1.0 + len(one.boxes) + 3 * np.isin(one.labels, rare).sum() for one in pictures])
    edges = np.cumsum(weights / weights.sum())
    return lambda rng: pictures[min(int(np.searchsorted(edges, rng.random())), len(pictures) - 1)]
