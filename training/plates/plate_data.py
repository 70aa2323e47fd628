"""The labelled pictures with licence plates, and which of them are never trained on.

The file holds street pictures and, beside many of them, crops of the same picture under a neighbouring id; another part
of it are pictures that were rotated, darkened and saved again by whoever published them. A held-out picture would be
worth nothing if its twin were trained on. So whole blocks of ids are held out, chosen by a hash, and every other
picture that is close to one of them by id, by difference hash or by the look of a plate is left out of both parts.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

BLOCK = 20
"""Neighbouring ids that are held out together."""

SHARE = 0.1
"""Share of the blocks that are held out."""

MARGIN = 4
"""Ids on both sides of a held-out picture that are not trained on."""

HASH_BITS = 10
"""Differing bits of 64 up to which two difference hashes count as the same picture."""

ALIKE = 0.85
"""Correlation of two plates' looks from which their pictures count as the same scene."""

LOOK = (32, 12)
"""Width and height in pixels to which plates are brought before they are compared."""


@dataclass(frozen=True)
class Plates:
    """One picture: ``id``, BGR uint8 ``image`` ``[H, W, 3]`` and plate ``boxes`` float32 ``[K, 4]`` in fractions."""

    id: str
    image: np.ndarray
    boxes: np.ndarray


def data_folder() -> Path:
    """Where the labelled sets lie: ``$WAYSIDE_TEST_DATA/detection``."""
    return Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data")) / "detection"


def read_plates(path: Path) -> list[Plates]:
    """All pictures of a Parquet file with the columns id, image and box, in the order of their ids."""
    pictures = []
    for row in pq.read_table(path, columns=["id", "image", "box"]).to_pylist():
        image = cv2.imdecode(np.frombuffer(row["image"], np.uint8), cv2.IMREAD_COLOR)
        boxes = np.asarray(row["box"], np.float32).reshape(-1, 4).clip(0, 1)
        pictures.append(Plates(row["id"], image, boxes))
    return sorted(pictures, key=lambda one: one.id)


def held_out_by_id(number: int) -> bool:
    """Whether the hash holds out the block of this id."""
    digest = hashlib.sha256(f"wayside plates {number // BLOCK}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < SHARE * 2**32


def difference_hash(image: np.ndarray) -> np.ndarray:
    """64 bits: whether each pixel of an 8 x 8 miniature is brighter than the one to its left."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return (grey[:, 1:] > grey[:, :-1]).reshape(-1)


def plate_looks(picture: Plates) -> np.ndarray:
    """The plates as vectors ``[K, 384]`` of zero mean and unit length; plates too small to read say nothing."""
    rows, cols = picture.image.shape[:2]
    looks = []
    for box in picture.boxes:
        x1, y1, x2, y2 = (box * np.array([cols, rows, cols, rows])).round().astype(int)
        if x2 - x1 < 24 or y2 - y1 < 8:
            continue
        part = cv2.cvtColor(picture.image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
        look = cv2.resize(part, LOOK, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
        look -= look.mean()
        looks.append(look / max(float(np.linalg.norm(look)), 1e-6))
    return np.array(looks, np.float32).reshape(-1, LOOK[0] * LOOK[1])


def split(pictures: list[Plates]) -> tuple[list[Plates], list[Plates], int]:
    """Pictures to train on, held-out pictures, and how many are left out because they resemble a held-out one."""
    held = [one for one in pictures if held_out_by_id(int(one.id))]
    ids = np.array([int(one.id) for one in held])
    hashes = np.array([difference_hash(one.image) for one in held])
    looks = np.concatenate([plate_looks(one) for one in held])
    looks = np.concatenate((looks, looks.reshape(-1, LOOK[1], LOOK[0])[..., ::-1].reshape(looks.shape)))

    def resembles(one: Plates) -> bool:
        if np.abs(ids - int(one.id)).min() <= MARGIN:
            return True
        if (hashes ^ difference_hash(one.image)).sum(1).min() <= HASH_BITS:
            return True
        return bool((plate_looks(one) @ looks.T >= ALIKE).any())

    rest = [one for one in pictures if not held_out_by_id(int(one.id))]
    training = [one for one in rest if not resembles(one)]
    return training, held, len(rest) - len(training)
