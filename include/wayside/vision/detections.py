"""What a detector found in one picture, as three parallel columns that cannot be changed by accident."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Detections:
    """N detections of one picture, best score first.

    Attributes:
        boxes: float32 [N, 4], left, top, right, bottom as fractions 0..1 of the upright picture, origin top left.
        scores: float32 [N], 0..1.
        labels: N class names.
    """

    boxes: Boxes
    scores: Scores
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.labels), 4) or self.scores.shape != (len(self.labels),):
            shapes = f"{self.boxes.shape}, {self.scores.shape}, {len(self.labels)}"
            raise ValueError(f"boxes, scores and labels do not belong together: {shapes}")
        self.boxes.flags.writeable = False
        self.scores.flags.writeable = False

    @classmethod
    def empty(cls) -> "Detections":
        """Return the answer for a picture in which nothing was found."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())

    @classmethod
    def sorted(cls, boxes: Boxes, scores: Scores, labels: Sequence[str]) -> "Detections":
        """Build detections best score first; equal scores are ordered by label, then by box, so that runs agree."""
        if not len(labels):
            return cls.empty()
        names = np.asarray(labels)
        order = np.lexsort((*boxes.T[::-1], names, -scores))
        return cls(
            np.ascontiguousarray(boxes[order], np.float32),
            np.ascontiguousarray(scores[order], np.float32),
            tuple(names[order].tolist()),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Detections":
        """Return the detections that a mask or a list of positions chooses, in their order."""
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Detections(
            self.boxes[positions], self.scores[positions], tuple(self.labels[position] for position in positions)
        )
