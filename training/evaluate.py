"""Score detectors: AP at IoU 0.5 for each class and for small, medium and large objects.

    python evaluate.py models/wayside_v1.onnx ../shared/data/weights/yolox_nano_kaz.onnx

Any ONNX file of the families wayside, yolox and nanodet is run through the same suppression and the same scorer, so the
figures can be divided by each other. AP is the area under the interpolated precision-recall curve over all points (as
in Pascal VOC since 2010); each object is found at most once and by the highest score first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pyarrow.parquet as parquet

CLASSES = ("bicycle", "bus", "car", "motorcycle", "person", "truck")
COCO_COLUMNS = (1, 5, 2, 3, 0, 7)
"""Columns of ``CLASSES`` among the 80 COCO classes."""

NMS_IOU = 0.6
FLOOR = 0.01
"""Lowest score that counts."""

MOST = 300
"""Detections kept a picture."""

MERGED = {"atl": {"motorcycle": "bicycle"}}
"""Classes scored as another: the ATL labels call both kinds of cycle bicycle."""

SIZES = {"small": (0, 32), "medium": (32, 96), "large": (96, 10_000)}
"""Square root of the box area, in pixels of a 416 x 416 input."""

Detect = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a BGR uint8 picture to scores ``[A, 6]`` and boxes ``[A, 4]`` as fractions, before suppression."""


@dataclass
class Evaluation:
    """Pictures (compressed) with human boxes: ``truths`` holds for each picture boxes ``[K, 4]`` and class names."""

    name: str
    images: list[bytes]
    truths: list[tuple[np.ndarray, list[str]]]
    classes: list[str]


@dataclass
class Score:
    """AP50 in percent: the mean, by class, by object size; milliseconds a picture."""

    mean: float
    classes: dict[str, float]
    sizes: dict[str, float] = field(default_factory=dict)
    milliseconds: float = 0.0


def load_evaluation(path: Path, most: int | None = None) -> Evaluation:
    """Read an evaluation set; with ``most``, evenly spread pictures of it."""
    table = parquet.read_table(path).to_pylist()
    if most and most < len(table):
        table = [table[index] for index in np.linspace(0, len(table) - 1, most).astype(int)]
    source = table[0]["source"]
    merged = MERGED.get(source, {})
    truths = [
        (np.array(row["box"], np.float32).reshape(-1, 4), [merged.get(name, name) for name in row["label"]])
        for row in table
    ]
    classes = sorted({name for _, names in truths for name in names} & set(CLASSES))
    return Evaluation(source, [row["image"] for row in table], truths, classes)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU ``[P, Q]`` of boxes ``[P, 4]`` and ``[Q, 4]``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inner = np.prod((high - low).clip(0), 2)
    areas = np.prod(first[:, 2:] - first[:, :2], 1)[:, None] + np.prod(second[:, 2:] - second[:, :2], 1)
    return inner / np.maximum(areas - inner, 1e-12)


def suppress(scores: np.ndarray, boxes: np.ndarray, iou: float = NMS_IOU, floor: float = FLOOR) -> np.ndarray:
    """Class-wise non-maximum suppression; rows ``(cell, class)`` ``[D, 2]`` of what stays, best first."""
    cells, labels = np.nonzero(scores >= floor)
    values = scores[cells, labels]
    order = np.argsort(-values, kind="stable")[:3000]
    cells, labels, values = cells[order], labels[order], values[order]
    kept = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        shared = overlaps(boxes[cells[rows]], boxes[cells[rows]]) > iou
        alive = np.ones(len(rows), bool)
        for index in range(len(rows)):
            if alive[index]:
                kept.append(rows[index])
                alive[index + 1 :] &= ~shared[index, index + 1 :]
    kept = np.array(sorted(kept), int)[:MOST]
    return np.stack((cells[kept], labels[kept]), 1) if len(kept) else np.zeros((0, 2), int)


def average_precision(hits: np.ndarray, total: int) -> float:
    """AP in percent of detections sorted best first: ``hits`` holds 1 (found) or 0 (false), ``total`` objects exist."""
    if not total:
        return float("nan")
    found = np.cumsum(hits)
    recall = found / total
    precision = found / np.arange(1, len(hits) + 1) if len(hits) else found
    envelope = np.maximum.accumulate(precision[::-1])[::-1] if len(hits) else precision
    return float(100 * np.sum(np.diff(np.concatenate(([0.0], recall))) * envelope))


def match(boxes: np.ndarray, values: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> list[tuple[float, int]]:
    """Pairs (score, 1 found / 0 false) of one picture and class; what fits an object not ``counted`` is left out."""
    rows = []
    shared = overlaps(boxes, truth) if len(truth) and len(boxes) else np.zeros((len(boxes), 0))
    free = np.ones(len(truth), bool)
    for index in np.argsort(-values, kind="stable"):
        candidates = np.where(free, shared[index], 0) if len(truth) else np.zeros(0)
        best = int(candidates.argmax()) if len(candidates) else -1
        if best >= 0 and candidates[best] >= 0.5:
            free[best] = False
            if counted[best]:
                rows.append((float(values[index]), 1))
        else:
            rows.append((float(values[index]), 0))
    return rows


def side_of(boxes: np.ndarray) -> np.ndarray:
    """Square root of the area ``[K]`` in pixels of a 416 x 416 input."""
    return 416 * np.sqrt(np.prod((boxes[:, 2:] - boxes[:, :2]).clip(0), 1))


def score_detections(evaluation: Evaluation, detect: Detect, by_size: bool = False) -> Score:
    """Run ``detect`` on every picture and score it; with ``by_size`` also for small, medium and large objects."""
    found = []
    spent = 0.0
    merged = MERGED.get(evaluation.name, {})
    for data in evaluation.images:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        begin = time.perf_counter()
        scores, boxes = detect(image)
        spent += time.perf_counter() - begin
        kept = suppress(scores, boxes)
        names = np.array([merged.get(CLASSES[label], CLASSES[label]) for label in kept[:, 1]], dtype=object)
        found.append((boxes[kept[:, 0]], scores[kept[:, 0], kept[:, 1]], names))

    def score_class(name: str, low: float, high: float) -> tuple[float, int]:
        rows, total = [], 0
        for (boxes, values, names), (truth, labels) in zip(found, evaluation.truths, strict=True):
            mine = truth[np.array([label == name for label in labels], bool)] if len(labels) else truth
            counted = (side_of(mine) >= low) & (side_of(mine) < high)
            chosen = names == name
            pairs = match(boxes[chosen], values[chosen], mine, counted)
            if (low, high) != (0, np.inf):
                sides = side_of(boxes[chosen])[np.argsort(-values[chosen], kind="stable")]
                pairs = [pair for pair in pairs if pair[1]] + [
                    (value, 0)
                    for value, side in unmatched(boxes[chosen], values[chosen], mine, sides)
                    if low <= side < high
                ]
            rows += pairs
            total += int(counted.sum())
        rows.sort(key=lambda row: -row[0])
        return average_precision(np.array([hit for _, hit in rows]), total), total

    classes = {name: score_class(name, 0, np.inf)[0] for name in evaluation.classes}
    sizes = {}
    for size, (low, high) in SIZES.items() if by_size else ():
        parts = [score_class(name, low, high) for name in evaluation.classes]
        if any(total for _, total in parts):
            sizes[size] = float(np.mean([ap for ap, total in parts if total]))
    mean = float(np.mean(list(classes.values())))
    return Score(mean, classes, sizes, 1000 * spent / max(1, len(evaluation.images)))


def unmatched(boxes: np.ndarray, values: np.ndarray, truth: np.ndarray, sides: np.ndarray) -> list[tuple[float, float]]:
    """(score, side in pixels) of the detections of one picture and class that fit no object, best first."""
    order = np.argsort(-values, kind="stable")
    everything = match(boxes, values, truth, np.ones(len(truth), bool))
    return [(value, float(side)) for (value, hit), side, _ in zip(everything, sides, order, strict=True) if not hit]


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


INPUT = (512, 416)
"""Width and height of our own detector's input, in pixels: the shape of a camera still, and what it does best at."""


def wayside_detector(path: Path, size: tuple[int, int] = INPUT, threads: int = 1) -> Detect:
    """Our own family: RGB uint8 stretched to ``size`` (width, height) in, scores and fractions out."""
    session = open_session(path, threads)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shrink = image.shape[0] * image.shape[1] > size[0] * size[1]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        data = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1)[None])
        scores, boxes = session.run(["scores", "boxes"], {"images": data})
        return scores[0], boxes[0]

    return detect


def yolox_detector(path: Path, size: int = 416, threads: int = 1) -> Detect:
    """YOLOX (Megvii): letterboxed BGR 0..255 with grey 114, raw grid outputs ``[A, 85]``."""
    session = open_session(path, threads)
    grids, steps = [], []
    for stride in (8, 16, 32):
        line = np.arange(size // stride)
        grids.append(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2))
        steps.append(np.full((len(grids[-1]), 1), stride))
    grid, step = np.concatenate(grids), np.concatenate(steps)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = image.shape[:2]
        ratio = min(size / rows, size / cols)
        small = cv2.resize(image, (int(cols * ratio), int(rows * ratio)), interpolation=cv2.INTER_LINEAR)
        padded = np.full((size, size, 3), 114, np.uint8)
        padded[: small.shape[0], : small.shape[1]] = small
        data = np.ascontiguousarray(padded.transpose(2, 0, 1)[None].astype(np.float32))
        output = session.run(None, {session.get_inputs()[0].name: data})[0][0]
        centre = (output[:, :2] + grid) * step
        extent = np.exp(output[:, 2:4]) * step / 2
        boxes = np.concatenate((centre - extent, centre + extent), 1) / ratio / np.array([cols, rows, cols, rows])
        scores = output[:, 4:5] * output[:, 5:][:, COCO_COLUMNS]
        return scores, boxes.clip(0, 1).astype(np.float32)

    return detect


def nanodet_detector(path: Path, size: int = 416, threads: int = 1) -> Detect:
    """NanoDet-Plus (RangiLyu): stretched, standardised BGR; class scores and box distributions by level."""
    session = open_session(path, threads)
    mean = np.array([103.53, 116.28, 123.675], np.float32)
    scale = np.array([57.375, 57.12, 58.395], np.float32)
    strides = (8, 16, 32, 64)
    names = [f"cls{stride}_t" for stride in strides] + [f"dis{stride}" for stride in strides]

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        data = ((small.astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None]
        outputs = session.run(names, {"data": np.ascontiguousarray(data)})
        scores, boxes = [], []
        for index, stride in enumerate(strides):
            line = np.arange(-(-size // stride), dtype=np.float32) * stride
            centre = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
            logits = outputs[index + 4][0].reshape(-1, 4, 8)
            odds = np.exp(logits - logits.max(-1, keepdims=True))
            sides = (odds / odds.sum(-1, keepdims=True)) @ np.arange(8, dtype=np.float32) * stride
            scores.append(outputs[index][0][:, COCO_COLUMNS])
            boxes.append(np.concatenate((centre - sides[:, :2], centre + sides[:, 2:]), 1) / size)
        return np.concatenate(scores), np.concatenate(boxes).clip(0, 1)

    return detect


def make_detector(path: Path, size: int | None, threads: int) -> Detect:
    """The adapter for a file, by its name."""
    for family, make in (("yolox", yolox_detector), ("nanodet", nanodet_detector)):
        if family in path.name:
            return make(path, 416, threads)
    return wayside_detector(path, INPUT if size is None else (size, size), threads)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="ONNX files; the last is the one to compare with")
    parser.add_argument("--size", type=int, help="input of the wayside family, pixels a side; by default 512 x 416")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, help="only so many pictures of each set")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    data = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data")) / "detection"
    result: dict[str, dict] = {}
    for name in ("eval_highway", "eval_atl"):
        evaluation = load_evaluation(data / f"{name}.parquet", options.most)
        for path in options.models:
            score = score_detections(evaluation, make_detector(path, options.size, options.threads), by_size=True)
            result.setdefault(path.stem, {})[name] = vars(score)
            classes = " ".join(f"{key} {value:.1f}" for key, value in score.classes.items())
            sizes = " ".join(f"{key} {value:.1f}" for key, value in score.sizes.items())
            figures = f"mAP50 {score.mean:.1f} ({classes}; {sizes}) {score.milliseconds:.1f} ms"
            print(f"{name} {path.stem}: {figures}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
