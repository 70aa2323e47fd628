"""COCO sets made by hand, and answers to them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wayside.vision.decode import encode_jpeg

CATEGORIES = ({"id": 7, "name": "car"}, {"id": 3, "name": "Pedestrian"}, {"id": 9, "name": "giraffe"})


def document(
    objects: Sequence[dict[str, Any]],
    pictures: int = 1,
    size: tuple[int, int] = (200, 100),
    categories: Sequence[dict[str, Any]] = CATEGORIES,
) -> dict[str, Any]:
    """A set of pictures of one size, `<id>.jpg`; objects without an id are numbered from 0."""
    width, height = size
    return {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": width, "height": height}
            for number in range(1, pictures + 1)
        ],
        "annotations": [{"id": number, "image_id": 1, "category_id": 7, **one} for number, one in enumerate(objects)],
        "categories": list(categories),
    }


def write_set(folder: Path, content: dict[str, Any], image: Any = None) -> tuple[Path, Path]:
    """Write the file, and a picture for each entry: `image(number)` as uint8 [H, W, 3], or plain grey."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for one in content["images"]:
        grey = np.full((one["height"], one["width"], 3), 128, np.uint8)
        (pictures / one["file_name"]).write_bytes(encode_jpeg(grey if image is None else image(one["id"])))
    path = folder / "instances.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path, pictures
