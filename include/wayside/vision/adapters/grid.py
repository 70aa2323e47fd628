"""Families that answer for every cell of a few grids laid over the input: YOLOX, NanoDet-Plus, RTMDet, YuNet.

Each subclass says how scores and geometry are found among the outputs, and how geometry becomes a box. Levels come
finest grid first, cells row by row, which is the order in which all four projects export them.
"""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from wayside.vision.adapters.base import Adapter, Array, Candidates, best_per_place, sigmoid
from wayside.vision.detections import Boxes
from wayside.vision.segment import outlines


class GridAdapter(Adapter):
    """One answer per cell: scores [N, A, C] and geometry [N, A, G], A cells over all levels."""

    @cached_property
    def cells(self) -> Array:
        """Left edge, top edge and stride of each cell, in input pixels: float32 [A, 3]."""
        spec = self.card.input
        levels = []
        for stride in self.card.strides:
            rows, columns = np.mgrid[0 : -(-spec.height // stride), 0 : -(-spec.width // stride)]
            left, top = columns.ravel() * stride, rows.ravel() * stride
            levels.append(np.stack([left, top, np.full_like(left, stride)], axis=1))
        return np.concatenate(levels).astype(np.float32)

    @abstractmethod
    def split(self, outputs: dict[str, Array]) -> tuple[Array, Array]:
        """Find scores [N, A, C], 0..1, and geometry [N, A, G] among the outputs."""

    @abstractmethod
    def boxes(self, geometry: Array, cells: Array) -> Boxes:
        """Turn the geometry [K, G] of cells [K, 3] into boxes [K, 4] in input pixels."""

    def read(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Choose cells by score and decode only their boxes; see `Adapter.read`."""
        try:
            scores, geometry = self.split(outputs)
        except (KeyError, IndexError, ValueError):
            raise self.complain(outputs) from None
        expected = (len(self.cells), len(self.card.classes))
        if scores.shape[1:] != expected or geometry.shape[:2] != scores.shape[:2]:
            raise self.complain(outputs)
        sides = np.asarray((self.card.input.width, self.card.input.height) * 2, np.float32)
        return [
            Candidates(
                (self.boxes(geometry[row, places], self.cells[places]) / sides).astype(np.float32),
                best.astype(np.float32),
                kinds,
            )
            for row, (places, best, kinds) in enumerate(best_per_place(scores, self.columns, least))
        ]


class YoloX(GridAdapter):
    """One output [N, A, 5 + C]: centre, size, objectness, classes, undecoded (Ge et al., 2021; `export_onnx.py`)."""

    def split(self, outputs: dict[str, Array]) -> tuple[Array, Array]:
        """Multiply objectness into the class scores."""
        (output,) = outputs.values()
        return output[..., 5:] * output[..., 4:5], output[..., :4]

    def boxes(self, geometry: Array, cells: Array) -> Boxes:
        """Centres count in cells from the cell's corner, sizes are logarithms of cells."""
        return _from_centre(geometry[:, :2] * cells[:, 2:] + cells[:, :2], _exp(geometry[:, 2:]) * cells[:, 2:])


class NanoDet(GridAdapter):
    """Class scores and distance distributions, in one output or in one pair a level (RangiLyu, NanoDet-Plus, 2021)."""

    def split(self, outputs: dict[str, Array]) -> tuple[Array, Array]:
        """Join the levels, finest first: scores have C columns, distributions 4 x bins."""
        number = len(self.card.classes)
        if len(outputs) == 1:
            (output,) = outputs.values()
            return output[..., :number], output[..., number:]
        finest_first = sorted(outputs.values(), key=lambda value: -value.shape[1])
        scores = [value for value in finest_first if value.shape[2] == number]
        distances = [value for value in finest_first if value.shape[2] != number]
        return np.concatenate(scores, axis=1), np.concatenate(distances, axis=1)

    def boxes(self, geometry: Array, cells: Array) -> Boxes:
        """Each side's distance is the mean of a softmax over 0, 1, 2, ... strides (generalised focal loss)."""
        logits = geometry.reshape(len(geometry), 4, geometry.shape[1] // 4)  # also where nothing is found
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
        weights /= weights.sum(axis=-1, keepdims=True)
        return _from_distances((weights @ np.arange(logits.shape[-1], dtype=np.float32)) * cells[:, 2:], cells)


class RtmDet(GridAdapter):
    """Either MMDeploy's export with suppression inside (`dets`, `labels`), or the raw head (Lyu et al., 2022).

    RTMDet-Ins comes only with suppression inside, and with `masks`: shares 0..1 at the input's size.
    """

    def read(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read `dets` [N, K, 5] and `labels` [N, K] where they are there, else the maps of the head."""
        if not outputs.keys() >= {"dets", "labels"}:
            return super().read(outputs, least)
        dets, kinds = outputs["dets"], self.kinds_of(outputs["labels"])
        masks = self._masks(outputs, kinds.shape) if self.card.masks else None
        kept = (kinds >= 0) & (dets[..., 4] >= least)
        sides = np.asarray((self.card.input.width, self.card.input.height) * 2, np.float32)
        found = []
        for at, (rows, numbers, chosen) in enumerate(zip(dets, kinds, kept, strict=True)):
            boxes = (rows[chosen, :4] / sides).astype(np.float32)
            cut = outlines(masks[at][chosen] - np.float32(0.5), boxes) if masks is not None else ()
            found.append(Candidates(boxes, rows[chosen, 4].astype(np.float32), numbers[chosen], cut))
        return found

    def _masks(self, outputs: dict[str, Array], expected: tuple[int, ...]) -> Array:
        """Find `masks` [N, K, h, w] among the outputs."""
        masks = outputs.get("masks")
        if masks is None or masks.ndim != 4 or masks.shape[:2] != expected:
            raise self.complain(outputs)
        return masks

    def split(self, outputs: dict[str, Array]) -> tuple[Array, Array]:
        """Flatten maps [N, C, h, w] of logits and [N, 4, h, w] of distances, finest first."""
        finest_first = sorted(outputs.values(), key=lambda value: -value.shape[2])
        flat = [value.reshape(*value.shape[:2], -1).transpose(0, 2, 1) for value in finest_first]
        scores = [value for value in flat if value.shape[2] != 4]
        distances = [value for value in flat if value.shape[2] == 4]
        return sigmoid(np.concatenate(scores, axis=1)), np.concatenate(distances, axis=1)

    def boxes(self, geometry: Array, cells: Array) -> Boxes:
        """Distances are already in pixels, counted from the cell's corner."""
        return _from_distances(geometry, cells)


class YuNet(GridAdapter):
    """Faces: `cls_S`, `obj_S` and `bbox_S` for each stride S (Wu et al., "YuNet", 2023; OpenCV's face_detect.cpp)."""

    def split(self, outputs: dict[str, Array]) -> tuple[Array, Array]:
        """Join the levels; a face's score is the geometric mean of class and objectness."""
        levels = {
            kind: np.concatenate([outputs[f"{kind}_{stride}"] for stride in self.card.strides], axis=1)
            for kind in ("cls", "obj", "bbox")
        }
        return np.sqrt(np.clip(levels["cls"], 0, 1) * np.clip(levels["obj"], 0, 1)), levels["bbox"]

    def boxes(self, geometry: Array, cells: Array) -> Boxes:
        """Centres count in cells from the cell's corner, sizes are logarithms of cells."""
        return _from_centre(geometry[:, :2] * cells[:, 2:] + cells[:, :2], _exp(geometry[:, 2:]) * cells[:, 2:])


def _exp(values: Array) -> Array:
    """Exponentiate sizes; e to the 10th cells is beyond every picture, and larger would only overflow."""
    return np.asarray(np.exp(np.minimum(values, 10)))


def _from_centre(centre: Array, size: Array) -> Boxes:
    """Turn centres [K, 2] and sizes [K, 2] into boxes [K, 4]."""
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _from_distances(distances: Array, cells: Array) -> Boxes:
    """Turn distances [K, 4] to left, top, right and bottom from each cell's corner into boxes [K, 4]."""
    return np.concatenate([cells[:, :2] - distances[:, :2], cells[:, :2] + distances[:, 2:]], axis=1)
