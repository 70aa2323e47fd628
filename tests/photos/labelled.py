"""A small labelled set for real models that find colours: what is painted is found, and what is labelled is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tests.privacy.colours import paint, picture, write_card
from tests.vision.coco_sets import document, write_set

from wayside.core.settings import Settings
from wayside.photos.evaluation import Order
from wayside.privacy.settings import Finding, Tiling

SIDE = 128
UNKNOWN = (60, 200, 140)
"""Blue, green, red of a thing that no model of the tests finds."""
CATEGORIES = ({"id": 1, "name": "car"}, {"id": 2, "name": "person"}, {"id": 3, "name": "truck"})
Box = tuple[int, int, int, int]
#: Picture -> what is on it: class and left, top, right, bottom.
PAINTED: Mapping[int, Sequence[tuple[str, Box]]] = {
    1: [("car", (16, 24, 56, 60)), ("person", (80, 30, 96, 90))],
    2: [("car", (8, 40, 60, 100))],
    3: [("person", (40, 40, 60, 110))],
    4: [],
}


def finding(**fields: Any) -> Finding:
    """How the anonymiser of the tests looks: one look, no growth but two pixels."""
    models = {"detector": "Users", "face_detector": None, "plate_detector": None}
    return Finding(**{**models, "tiling": Tiling(enabled="never"), "grow": 0.0, "dilation": 2, **fields})


def with_models(settings: Settings) -> Settings:
    write_card(settings, "Users", ["bicycle", "bus", "car", "motorcycle", "person", "truck"])
    return settings


def labelled(folder: Path, *, missed: Box | None = None, masks: bool = False) -> tuple[Path, Path]:
    """Write the set; `missed` is a truck on picture 4 in a colour that nothing finds."""
    objects = [(number, label, box) for number, things in PAINTED.items() for label, box in things]
    objects += [(4, "truck", missed)] if missed else []
    numbers = {one["name"]: one["id"] for one in CATEGORIES}
    entries = []
    for number, label, (left, top, right, bottom) in objects:
        corners = [[left, top, right, top, right, bottom, left, bottom]]
        entry = {"image_id": number, "category_id": numbers[label], "bbox": [left, top, right - left, bottom - top]}
        entries.append(entry | ({"segmentation": corners} if masks else {}))
    content = document(entries, pictures=4, size=(SIDE, SIDE), categories=CATEGORIES)
    path, pictures = write_set(folder, content)
    for number in PAINTED:
        (pictures / f"{number}.jpg").write_bytes(_png(number, missed))
    return path, pictures


def order(settings: Settings, files: tuple[Path, Path], **fields: Any) -> Order:
    return Order(**{"model": "Users", "coco": files[0], "pictures": files[1], "finding": finding(), **fields})


def _png(number: int, missed: Box | None) -> bytes:
    image = picture(SIDE, SIDE)
    for label, box in PAINTED[number]:
        paint(image, label, box)
    if missed and number == 4:
        left, top, right, bottom = missed
        image[top:bottom, left:right] = UNKNOWN
    return cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes()
