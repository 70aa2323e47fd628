"""The family `wayside`: our own network, whose graph does everything but the suppression of duplicates."""

import numpy as np

from wayside.vision.adapters.base import Adapter, Array, Candidates, best_per_place


class Wayside(Adapter):
    """`scores` [N, A, C] after the sigmoid and `boxes` [N, A, 4] in fractions; input uint8, normalised in the graph."""

    def read(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read the two outputs; see `Adapter.read`."""
        scores, boxes = outputs.get("scores"), outputs.get("boxes")
        if scores is None or boxes is None or scores.ndim != 3 or boxes.shape != (*scores.shape[:2], 4):
            raise self.complain(outputs)
        chosen = best_per_place(scores, self.columns, least)
        return [
            Candidates(boxes[row, places].astype(np.float32), best.astype(np.float32), kinds)
            for row, (places, best, kinds) in enumerate(chosen)
        ]
