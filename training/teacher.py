"""What a bigger detector and the human labels say about every cell of a view.

The teacher is NanoDet-Plus-m-1.5x (RangiLyu, Apache-2.0), run on the view at twice the student's size. Its levels of
stride 16, 32 and 64 then lie exactly on the student's levels of stride 8, 16 and 32, and its finest level lets the
student learn objects half as small as the teacher could find at the student's own size. The student copies its scores
on every cell ("function matching": Beyer et al., "Knowledge distillation: a good teacher is patient and consistent",
2022). Human boxes overrule it where they exist.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

COCO_COLUMNS = (1, 5, 2, 3, 0, 7)
"""Columns of bicycle, bus, car, motorcycle, person and truck among the 80 COCO classes."""

TEACHER_STRIDES = (8, 16, 32, 64)
STUDENT_STRIDES = (8, 16, 32)
FLOOR = 0.04
"""Scores below this count as zero."""

GROUPS = ((1, 2, 5), (0, 3))
"""Classes that exclude each other on one object: bus, car, truck; bicycle, motorcycle."""


def resized_graph(path: Path, size: int) -> bytes:
    """The teacher's ONNX file, made for 416 x 416, rewritten for ``size`` x ``size`` pixels (a multiple of 64)."""
    model = onnx.load(str(path))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in tensors:
            continue
        shape = numpy_helper.to_array(tensors[node.input[1]]).copy()
        if len(shape) >= 4:
            shape[-2:] = shape[-2:] * size // 416
            tensors[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        for index in (2, 3) if value.name == "data" else (1,):
            dims[index].dim_param = f"{value.name}_{index}"
    del model.graph.value_info[:]
    return model.SerializeToString()


def cell_centres(size: int, strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Cell centres ``[A, 2]`` (x, y in pixels; index times stride, as in NanoDet-Plus) and strides ``[A]``."""
    centres, steps = [], []
    for stride in strides:
        line = np.arange(-(-size // stride), dtype=np.float32) * stride
        grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
        centres.append(grid)
        steps.append(np.full(len(grid), stride, np.float32))
    return np.concatenate(centres), np.concatenate(steps)


def overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU ``[A]`` of ``boxes`` ``[A, 4]`` with one ``box`` ``[4]``."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    inner = np.prod((high - low).clip(0), 1)
    areas = np.prod((boxes[:, 2:] - boxes[:, :2]).clip(0), 1)
    return inner / np.maximum(areas + np.prod(box[2:] - box[:2]) - inner, 1e-6)


class Teacher:
    """The teacher at twice the student's size.

    Reads canvases of ``2 size`` pixels a side and answers for each cell of a student of ``size`` pixels a side.
    """

    def __init__(self, path: Path, size: int, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.size = size
        self.session = onnxruntime.InferenceSession(
            resized_graph(path, 2 * size), options, providers=["CPUExecutionProvider"]
        )
        self.centres, _ = cell_centres(size, STUDENT_STRIDES)

    def read(self, canvas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores ``[A, 6]`` (0..1) and boxes ``[A, 4]`` in student pixels from a BGR uint8 canvas ``[2 S, 2 S, 3]``."""
        mean = np.array([103.53, 116.28, 123.675], np.float32)
        scale = np.array([57.375, 57.12, 58.395], np.float32)
        data = ((canvas.astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None]
        names = [f"cls{s}_t" for s in TEACHER_STRIDES] + [f"dis{s}" for s in TEACHER_STRIDES]
        outputs = self.session.run(names, {"data": np.ascontiguousarray(data)})
        levels = []
        for index, stride in enumerate(TEACHER_STRIDES):
            scores = outputs[index][0][:, COCO_COLUMNS]
            logits = outputs[index + 4][0].reshape(-1, 4, 8)
            odds = np.exp(logits - logits.max(-1, keepdims=True))
            sides = (odds / odds.sum(-1, keepdims=True)) @ np.arange(8, dtype=np.float32) * stride
            centres, _ = cell_centres(2 * self.size, (stride,))
            levels.append((scores, np.concatenate((centres - sides[:, :2], centres + sides[:, 2:]), 1) / 2))
        scores, boxes = levels[1]
        coarse = [self.add_finest(scores, boxes, *levels[0]), *levels[2:]]
        return np.concatenate([level[0] for level in coarse]), np.concatenate([level[1] for level in coarse])

    def add_finest(
        self, scores: np.ndarray, boxes: np.ndarray, fine_scores: np.ndarray, fine_boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let each cell of stride 8 take over a better-scored finding of the nine finest cells around its centre."""
        side = round(len(scores) ** 0.5)
        best = np.pad(fine_scores.max(1).reshape(2 * side, 2 * side), ((1, 0), (1, 0)))
        order = np.pad(np.arange(4 * side * side).reshape(2 * side, 2 * side), ((1, 0), (1, 0)))
        windows = [(row, col) for row in range(3) for col in range(3)]
        stack = np.stack([best[r : r + 2 * side : 2, c : c + 2 * side : 2][:side, :side] for r, c in windows])
        where = np.stack([order[r : r + 2 * side : 2, c : c + 2 * side : 2][:side, :side] for r, c in windows])
        winner = stack.argmax(0)[None]
        index = np.take_along_axis(where, winner, 0).reshape(-1)
        centres = self.centres[: len(scores)]
        inside = (fine_boxes[index, :2] <= centres).all(1) & (fine_boxes[index, 2:] >= centres).all(1)
        better = inside & (fine_scores[index].max(1) > scores.max(1))
        return (
            np.where(better[:, None], fine_scores[index], scores),
            np.where(better[:, None], fine_boxes[index], boxes),
        )


def level_of(box: np.ndarray) -> int:
    """Stride of the level for a box ``[4]`` without a teacher's word, so that eight bins reach its far sides."""
    extent = np.maximum(box[2:] - box[:2], 1)
    middle, longer = float(np.prod(extent)) ** 0.5, float(extent.max())
    return 8 if middle <= 44 and longer <= 96 else 16 if middle <= 100 and longer <= 192 else 32


def assign(box: np.ndarray, centres: np.ndarray, strides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells for a box by geometry alone: indices and scores, 0.9 at the nearest cell and falling outwards."""
    stride = level_of(box)
    middle, extent = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1.5 * stride)
    rows = np.flatnonzero(strides == stride)
    distance = (np.abs(centres[rows] - middle) / extent).max(1)
    order = np.argsort(distance, kind="stable")[:9]
    inside = (centres[rows[order]] > box[:2]).all(1) & (centres[rows[order]] < box[2:]).all(1)
    order = order[(inside & (distance[order] < 0.35)) | (np.arange(len(order)) < 1)]
    fall = np.exp(-(((distance[order] - distance[order[0]]) / 0.25) ** 2))
    return rows[order], 0.9 * fall


def merge_labels(
    scores: np.ndarray,
    boxes: np.ndarray,
    truth: np.ndarray,
    labels: np.ndarray,
    visible: np.ndarray,
    doubted: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Targets of a view: the teacher's findings, corrected by human boxes.

    ``scores`` ``[A, 6]`` and ``boxes`` ``[A, 4]`` are the teacher's, ``truth`` ``[K, 4]`` the human boxes (pixels of
    the student's picture), ``visible`` ``[K]`` their visible share, ``doubted`` ``[A, 6]`` true where a human labelled
    the class on that part of the view, so that a finding without a human box is probably wrong. Returns both corrected.
    """
    centres, strides = cell_centres(size, STUDENT_STRIDES)
    scores, boxes = np.where(scores < FLOOR, 0, scores), boxes.copy()
    best = scores.max(1)
    supported = np.zeros(len(scores), bool)
    overlaps = [overlap(boxes, box) for box in truth]
    for shared in overlaps:
        supported |= shared > 0.3
    scores = np.where(doubted & ~supported[:, None], scores * 0.5, scores)
    claimed_by = np.full(len(scores), 2.0)
    for box, label, share, shared in sorted(
        zip(truth, labels, visible, overlaps, strict=True), key=lambda row: -float(np.prod(row[0][2:] - row[0][:2]))
    ):
        if share < 0.35 or (box[2:] - box[:2]).min() < 3:
            continue
        inside = (centres > box[:2]).all(1) & (centres < box[2:]).all(1)
        cells = np.flatnonzero(inside & (shared > 0.5) & (best > 0.1))
        peak = best[cells].max() if len(cells) else 0.0
        if peak >= 0.2:
            wanted = np.minimum(best[cells] * max(1.0, min(3.0, 0.9 / peak)), 0.98)
        else:
            cells, wanted = assign(box, centres, strides)
        group = next((group for group in GROUPS if label in group), ())
        for other in group:
            if other != label:
                scores[cells, other] *= 0.2
        scores[cells, label] = np.maximum(scores[cells, label], wanted)
        nearer = 1 - wanted < claimed_by[cells]
        boxes[cells[nearer]] = box
        claimed_by[cells[nearer]] = (1 - wanted)[nearer]
    return scores, boxes
