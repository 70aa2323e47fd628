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


def look_at(pictures: Sequence[Plates], detect: Detect) -> list[tuple[Truth, Detections]]:
    """Run a detector over labelled pictures: each with its truth and what was found."""
    return [
        (Truth(one.id, b"", one.boxes, ("plate",) * len(one.boxes)), found_in(one.image, detect)) for one in pictures
    ]


def figures_at(answers: Sequence[tuple[Truth, Detections]], score: float, width: int) -> Figures:
    """Figures at a score threshold; ``width`` is that of the detector's input in pixels."""
    wrong = 0
    for truth, found in answers:
        wrong += int((~claim(found.take(found.scores >= score), truth.boxes)[0]).sum())
    sizes = recall_by_width([(truth, found, width) for truth, found in answers], "plate", score, EDGES)
    return Figures(evaluate(answers, score), sizes, wrong / max(1, len(answers)), len(answers))


def score_pictures(pictures: Sequence[Plates], detect: Detect, score: float = 0.4, width: int = 416) -> Figures:
    """Run a detector over labelled pictures and compare."""
    return figures_at(look_at(pictures, detect), score, width)


def covered(answers: Sequence[tuple[Truth, Detections]], score: float, grow: float = 0.05, share: float = 0.8) -> float:
    """Share 0..1 of plates of which one box, grown by ``grow`` of its sides on each side, hides at least ``share``."""
    hidden = total = 0
    for truth, found in answers:
        boxes = found.boxes[found.scores >= score]
        sides = boxes[:, 2:] - boxes[:, :2]
        grown = np.concatenate((boxes[:, :2] - grow * sides, boxes[:, 2:] + grow * sides), 1)
        shared = intersections(truth.boxes, grown) if len(boxes) else np.zeros((len(truth.boxes), 1))
        hidden += int((shared.max(1) >= share * areas(truth.boxes)).sum())
        total += len(truth.boxes)
    return hidden / max(1, total)


def onnx_detector(path: Path, width: int, height: int, threads: int = 1) -> Detect:
    """Run an ONNX file on pictures stretched to ``width`` x ``height``, as the product does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shrink = image.shape[1] > width
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        planes = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1)[None])
        scores, boxes = session.run(["scores", "boxes"], {"images": planes})
        return scores[0, :, 0], boxes[0]

    return detect


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--score", type=float, default=0.4)
    options = parser.parse_args()
    _, held, _ = split(read_plates(data_folder() / "train_plates.parquet"))
    figures = score_pictures(
        held, onnx_detector(options.weights, options.size, options.size), options.score, options.size
    )
    print(figures.line())
    for part in figures.sizes:
        low, high = wilson(part.found, part.truths)
        print(f"{part.low:5g}..{part.high or 'more':>5} pixels: {part.found} of {part.truths}, {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
