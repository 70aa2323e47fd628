"""The family `detr`: detection transformers, which answer with a fixed number of boxes and need no suppression.

Three export contracts cover them:

- `dfine` (the `tools/deployment/export_onnx.py` of RT-DETR, D-FINE, DEIM and DEIMv2) takes the picture's size as a
  second input and gives `labels`, `boxes` and `scores`; told that the size is 1 x 1, it answers in fractions.
- `rfdetr` (RF-DETR's own `export`) gives `dets`, centre and size in fractions, and `labels`, logits per class. The
  segmenting models give a third output, `masks` [N, Q, h, w]: logits at a quarter of the input's size, each over the
  whole input. Exports before RF-DETR 1.5 left it without a name, so it is known by its four axes.
- `transformers` (Hugging Face's exporter, used by onnx-community for D-FINE and RF-DETR) gives the same two as
  `pred_boxes` and `logits`.
"""

from typing import Final

import numpy as np

from wayside.vision.adapters.base import Adapter, Array, Candidates, sigmoid
from wayside.vision.segment import outlines

_RAW_OUTPUTS: Final = {"rfdetr": ("dets", "labels"), "transformers": ("pred_boxes", "logits")}


class Detr(Adapter):
    """Detection transformers in any of the exports; the card's `export` says which."""

    def feeds(self, batch: Array, inputs: tuple[str, ...]) -> dict[str, Array]:
        """Add the size of each picture, 1 x 1, where the graph asks for it."""
        named = super().feeds(batch, inputs)
        if self.card.export == "dfine":
            named[inputs[1]] = np.ones((len(batch), 2), np.int64)
        return named

    def read(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read the outputs of the export; see `Adapter.read`."""
        try:
            return self._ready(outputs, least) if self.card.export == "dfine" else self._logits(outputs, least)
        except (KeyError, IndexError, ValueError):
            raise self.complain(outputs) from None

    def _ready(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read labels [N, K], boxes [N, K, 4] and scores [N, K]."""
        kinds, scores = self.kinds_of(outputs["labels"]), outputs["scores"]
        kept = (kinds >= 0) & (scores >= least)
        return [
            Candidates(boxes[mask].astype(np.float32), row[mask].astype(np.float32), numbers[mask])
            for boxes, row, numbers, mask in zip(outputs["boxes"], scores, kinds, kept, strict=True)
        ]

    def _logits(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read boxes [N, Q, 4] and logits [N, Q, C]; one query may stand for several classes, as published."""
        boxes_name, logits_name = _RAW_OUTPUTS[str(self.card.export)]
        scores = sigmoid(outputs[logits_name][..., self.columns])
        found = []
        masks = self._masks(outputs, scores.shape[:2]) if self.card.masks else ()
        for number, (dets, row) in enumerate(zip(outputs[boxes_name], scores, strict=True)):
            queries, kinds = np.nonzero(row >= least)
            centre, half = dets[queries, :2], dets[queries, 2:4] / 2
            boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
            cut = outlines(masks[number][queries], boxes) if self.card.masks else ()
            found.append(Candidates(boxes, row[queries, kinds].astype(np.float32), kinds, cut))
        return found

    def _masks(self, outputs: dict[str, Array], expected: tuple[int, ...]) -> Array:
        """Find the masks [N, Q, h, w] among the outputs."""
        (masks,) = (value for value in outputs.values() if value.ndim == 4)
        if masks.shape[:2] != expected:
            raise ValueError(f"masks of {masks.shape[:2]} do not belong to queries of {expected}")
        return masks
