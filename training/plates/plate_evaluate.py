"""How good is a plate detector on the held-out pictures: AP50, recall by width, false boxes.

    python training/plates/plate_evaluate.py models/wayside_plates_v1.onnx --size 416

The same code as in the product does the counting (`wayside.vision.evaluate`, `wayside.vision.bysize`). Widths are
those in the detector's input. Plates that nobody labelled count as false boxes, and there are some.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "include"))

from plate_data import Plates, data_folder, read_plates, split

from wayside.vision.bysize import SizeRecall, recall_by_width, wilson
from wayside.vision.detections import Detections
from wayside.vision.evaluate import Report, Truth, claim, evaluate
from wayside.vision.nms import areas, intersections, suppress

Detect = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""BGR picture to scores ``[A]`` and boxes ``[A, 4]`` in fractions."""

EDGES = (0, 8, 12, 16, 24, 32, 48, 96, 192)
"""Plate widths in input pixels at which bins begin."""

NMS_IOU = 0.4
LEAST = 0.01


@dataclass(frozen=True)
class Figures:
    """What was measured: ``report`` of the product's scorer, ``sizes`` recall by width, ``false`` boxes a picture."""

    report: Report
    sizes: list[SizeRecall]
    false: float
    pictures: int

    def line(self) -> str:
        """All figures in one line."""
        plate = self.report.classes["plate"]
        bins = " ".join(f"{part.low:g}+:{part.found}/{part.truths}" for part in self.sizes)
        return (f"AP50 {100 * plate.ap50:.1f} at {self.report.score}: precision {plate.precision:.3f} recall "
                f"{plate.recall:.3f} false {self.false:.2f} | {bins}")  # fmt: skip


def found_in(image: np.ndarray, detect: Detect) -> Detections:
    """Detections of one picture, at most 300, duplicates removed."""
    scores, boxes = detect(image)
    kept = np.flatnonzero((scores >= LEAST) & (boxes[:, 2:] > boxes[:, :2]).all(1))
    boxes, scores = boxes[kept].astype(np.float32), scores[kept].astype(np.float32)
    kept = suppress(boxes, scores, np.zeros(len(boxes), np.intp), NMS_IOU)[:300]
    return Detections.sorted(boxes[kept], scores[kept], ["plate"] * len(kept))


Answer = tuple[Truth, Detections, int]
"""A picture's truth, what was found in it, and how many pixels of the input it is wide."""


def look_at(pictures: Sequence[Plates], detect: Detect, size: int) -> list[Answer]:
    """Run a detector with an input of ``size`` x ``size`` pixels over labelled pictures."""
    answers = []
    for one in pictures:
        rows, cols = one.image.shape[:2]
        truth = Truth(one.id, b"", one.boxes, ("plate",) * len(one.boxes))
        answers.append((truth, found_in(one.image, detect), round(size * cols / max(rows, cols))))
    return answers


def figures_at(answers: Sequence[Answer], score: float) -> Figures:
    """Figures at a score threshold."""
    wrong = 0
    for truth, found, _ in answers:
        wrong += int((~claim(found.take(found.scores >= score), truth.boxes)[0]).sum())
    sizes = recall_by_width(answers, "plate", score, EDGES)
    report = evaluate([(truth, found) for truth, found, _ in answers], score)
    return Figures(report, sizes, wrong / max(1, len(answers)), len(answers))


def covered(answers: Sequence[tuple[Truth, Detections]], score: float, grow: float = 0.05, share: float = 0.8) -> float:
    """Share 0..1 of plates of which one box, grown by ``grow`` of its sides on each side, hides at least ``share``."""
    hidden = total = 0
    for truth, found, _ in answers:
        boxes = found.boxes[found.scores >= score]
        sides = boxes[:, 2:] - boxes[:, :2]
        grown = np.concatenate((boxes[:, :2] - grow * sides, boxes[:, 2:] + grow * sides), 1)
        shared = intersections(truth.boxes, grown) if len(boxes) else np.zeros((len(truth.boxes), 1))
        hidden += int((shared.max(1) >= share * areas(truth.boxes)).sum())
        total += len(truth.boxes)
    return hidden / max(1, total)


def onnx_detector(path: Path, size: int, threads: int = 1) -> Detect:
    """Run an ONNX file on pictures shrunk or enlarged to ``size``, top left on grey, as the product does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = image.shape[:2]
        scale = size / max(rows, cols)
        wide, high = round(cols * scale), round(rows * scale)
        canvas = np.full((size, size, 3), 114, np.uint8)
        canvas[:high, :wide] = cv2.resize(
            image, (wide, high), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        scores, boxes = session.run(
            ["scores", "boxes"], {"images": canvas[None, ..., ::-1].transpose(0, 3, 1, 2).copy()}
        )
        part = np.array([wide, high, wide, high], np.float32) / size
        return scores[0, :, 0], (boxes[0] / part).clip(0, 1)

    return detect


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--score", type=float, default=0.4)
    options = parser.parse_args()
    _, held, _ = split(read_plates(data_folder() / "train_plates.parquet"))
    figures = figures_at(look_at(held, onnx_detector(options.weights, options.size), options.size), options.score)
    print(figures.line())
    for part in figures.sizes:
        low, high = wilson(part.found, part.truths)
        print(f"{part.low:5g}..{part.high or 'more':>5} pixels: {part.found} of {part.truths}, {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
