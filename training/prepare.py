"""Make the pool of training views: pictures, mosaics, and what every cell of them should say.

    python prepare.py --views 20000 --seed 1              real pictures, read by the teacher and by people
    python prepare.py --views 3000 --seed 1 --demo        pictures of the demo city, whose truth is known
    python prepare.py --views 2000 --seed 1 --size 416    larger views, for vehicles that fill the picture

Views are written as shards of 250 to ``.wayside/training/pool``; training takes up new shards while it runs. A shard
is an ``.npz`` with JPEG bytes and, for the cells that are not empty, their index, six scores and a box.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as parquet

from augment import PHOTOS, RENDERINGS, WHOLE_PHOTOS, Picture, View, compose
from network import CLASSES
from teacher import Teacher, cell_centres, merge_labels

SHARD = 250
DATA = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data"))
WORK = Path(".wayside/training")

LABELLED = {
    "highway": ("bus", "car", "motorcycle", "person", "truck"),
    "openimages-vehicles": ("bus", "car", "motorcycle", "truck"),
}
"""Classes that people labelled in each source; where they drew no box the teacher is doubted."""

SHARES = {"highway": 0.44, "openimages-vehicles": 0.17, "street-and-cctv": 0.17, "plates": 0.13, "frames": 0.09}
"""How often a tile shows each source."""

RARITY = {"bicycle": 5.0, "bus": 1.8, "motorcycle": 1.6, "truck": 1.6, "person": 1.6, "car": 1.0}
"""A picture is picked in proportion to the rarest class on it."""


def decode(data: bytes) -> np.ndarray:
    """BGR uint8 ``[H, W, 3]`` from a compressed picture."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def read_labelled(path: Path) -> Iterator[tuple[Picture, float]]:
    """Pictures of ``train.parquet`` with their human boxes (score 1) and a weight from the rarest class on them."""
    for row in parquet.read_table(path).to_pylist():
        names = row["label"]
        weight = max((RARITY[name] for name in names), default=0.5)
        human = [index for index, score in enumerate(row["score"]) if score == 1 and names[index] in CLASSES]
        boxes = np.array([row["box"][index] for index in human], np.float32).reshape(-1, 4)
        labels = np.array([CLASSES.index(names[index]) for index in human], np.int64)
        yield Picture(decode(row["image"]), boxes, labels, row["source"]), weight


def read_plates(path: Path) -> Iterator[tuple[Picture, float]]:
    """Street pictures of ``train_plates.parquet`` (without their plate boxes), leaving out close crops."""
    for data in parquet.read_table(path, columns=["image"])["image"].to_pylist():
        image = decode(data)
        if min(image.shape[:2]) >= 180:
            yield unlabelled(image, "plates"), 1.0


def read_frames(folder: Path, stills: Path) -> Iterator[tuple[Picture, float]]:
    """Every twelfth frame of the clips, and the camera stills."""
    for path in sorted(folder.glob("*.mp4")):
        clip = cv2.VideoCapture(str(path))
        number = 0
        while clip.grab():
            if number % 12 == 0:
                frame = clip.retrieve()[1]
                shrink = min(1.0, 480 / max(frame.shape[:2]))
                frame = cv2.resize(frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
                yield unlabelled(frame, "frames"), 0.4 if "person" in path.name else 1.0
            number += 1
    for path in sorted(stills.glob("*.jpg")):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is not None:
            yield unlabelled(image, "frames"), 2.0


def unlabelled(image: np.ndarray, source: str) -> Picture:
    """A picture that only the teacher labels."""
    return Picture(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), source)


def real_picker() -> Callable[[np.random.Generator], Picture]:
    """A function that draws pictures by the share of their source and their weight within it."""
    detection = DATA / "detection"
    rows = [
        *read_labelled(detection / "train.parquet"),
        *read_plates(detection / "train_plates.parquet"),
        *read_frames(DATA / "videos", DATA / "camera-stills"),
    ]
    pictures = [picture for picture, _ in rows]
    weights = np.array([weight for _, weight in rows])
    sources = np.array([picture.source for picture in pictures])
    odds = np.zeros(len(rows))
    for source, share in SHARES.items():
        chosen = sources == source
        odds[chosen] = share * weights[chosen] / weights[chosen].sum()
    edges = np.cumsum(odds / odds.sum())
    return lambda rng: pictures[min(int(np.searchsorted(edges, rng.random())), len(pictures) - 1)]


def doubted_cells(view: View, centres: np.ndarray) -> np.ndarray:
    """``[A, 6]``: true where people labelled the class on the tile that the cell lies in (canvas twice as big)."""
    doubted = np.zeros((len(centres), len(CLASSES)), bool)
    for left, top, right, bottom, source in view.tiles:
        columns = [CLASSES.index(name) for name in LABELLED.get(source, ())]
        inside = (centres * 2 >= (left, top)).all(1) & (centres * 2 < (right, bottom)).all(1)
        for column in columns:
            doubted[inside, column] = True
    return doubted


def real_target(view: View, teacher: Teacher) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``[A, 6]`` and boxes ``[A, 4]`` for a view of real pictures on a canvas twice the student's size."""
    scores, boxes = teacher.read(view.image)
    doubted = doubted_cells(view, teacher.centres)
    return merge_labels(scores, boxes, view.boxes / 2, view.labels, view.visible, doubted, teacher.size)


def rendered_target(view: View, centres: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for a rendered view, whose boxes are complete, so that no teacher is asked."""
    scores = np.zeros((len(centres), len(CLASSES)), np.float32)
    boxes = np.zeros((len(centres), 4), np.float32)
    doubted = np.ones_like(scores, bool)
    return merge_labels(scores, boxes, view.boxes / 2, view.labels, view.visible, doubted, size)


def write_shard(path: Path, images: list[bytes], scores: list[np.ndarray], boxes: list[np.ndarray]) -> None:
    """Write one shard; it appears under its name only when complete."""
    views, cells, kept_scores, kept_boxes = [], [], [], []
    for number, (view_scores, view_boxes) in enumerate(zip(scores, boxes, strict=True)):
        index = np.flatnonzero(view_scores.max(1) > 0)
        views.append(np.full(len(index), number, np.int32))
        cells.append(index.astype(np.int32))
        kept_scores.append((view_scores[index] * 255).round().astype(np.uint8))
        kept_boxes.append(view_boxes[index].astype(np.float16))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            jpeg=np.frombuffer(b"".join(images), np.uint8),
            length=np.array([len(image) for image in images], np.int64),
            view=np.concatenate(views),
            cell=np.concatenate(cells),
            score=np.concatenate(kept_scores),
            box=np.concatenate(kept_boxes),
        )
    partial.rename(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=20000, help="how many views to make")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other views")
    parser.add_argument("--demo", action="store_true", help="render the demo city instead of using pictures")
    parser.add_argument("--size", type=int, default=320, help="pixels a side, a multiple of 32")
    parser.add_argument("--threads", type=int, default=1, help="views made at the same time")
    parser.add_argument("--teacher", type=Path, default=DATA / "weights/nanodet_plus_m15x416.onnx")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    centres, _ = cell_centres(options.size, (8, 16, 32))
    if options.demo:
        from demo_city import demo_picker

        pick = demo_picker(options.seed)
        target = lambda view: rendered_target(view, centres, options.size)  # noqa: E731
    else:
        pick = real_picker()
        teacher = Teacher(options.teacher, options.size)
        target = lambda view: real_target(view, teacher)  # noqa: E731
    pool = WORK / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    kind = f"{'demo' if options.demo else 'real'}-{options.size}"
    layout = RENDERINGS if options.demo else PHOTOS if options.size <= 320 else WHOLE_PHOTOS

    def make(number: int) -> tuple[bytes, np.ndarray, np.ndarray]:
        rng = np.random.default_rng((options.seed, options.size, int(options.demo), number))
        view = compose(rng, lambda: pick(rng), 2 * options.size, layout)
        scores, boxes = target(view)
        small = cv2.resize(view.image, (options.size, options.size), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 93])[1].tobytes(), scores, boxes

    with ThreadPoolExecutor(options.threads) as workers:
        for shard in range(options.views // SHARD):
            begin = time.time()
            made = list(workers.map(make, range(shard * SHARD, (shard + 1) * SHARD)))
            images, scores, boxes = (list(column) for column in zip(*made, strict=True))
            write_shard(pool / f"{kind}-{options.seed:03d}-{shard:04d}.npz", images, scores, boxes)
            print(f"shard {shard}: {len(made) / (time.time() - begin):.1f} views/s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
