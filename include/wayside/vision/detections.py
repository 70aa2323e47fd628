"""What a detector found in one picture, as parallel columns that cannot be changed by accident."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Outline:
    """The mask of one object as a coarse grid; `wayside.vision.segment` makes pixels of it.

    Attributes:
        grid: float32 [h, w], above 0 where the object is.
        area: left, top, right, bottom of what the grid covers, as fractions of the picture.
    """

    grid: NDArray[np.float32]
    area: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Detections:
    """N detections of one picture, best score first.

    Attributes:
        boxes: float32 [N, 4], left, top, right, bottom as fractions 0..1 of the upright picture, origin top left.
        scores: float32 [N], 0..1.
        labels: N class names.
        outlines: N masks, None for a detection without one; empty where the model gives none at all.
    """

    boxes: Boxes
    scores: Scores
    labels: tuple[str, ...]
    outlines: tuple[Outline | None, ...] = ()

    def __post_init__(self) -> None:
        if self.outlines and len(self.outlines) != len(self.labels):
            raise ValueError(f"{len(self.outlines)} outlines do not belong to {len(self.labels)} detections")
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
    def sorted(
        cls, boxes: Boxes, scores: Scores, labels: Sequence[str], outlines: Sequence[Outline | None] = ()
    ) -> "Detections":
        """Build detections best score first; equal scores are ordered by label, then by box, so that runs agree."""
        if not len(labels):
            return cls.empty()
        names = np.asarray(labels)
        order = np.lexsort((*boxes.T[::-1], names, -scores))
        return cls(
            np.ascontiguousarray(boxes[order], np.float32),
            np.ascontiguousarray(scores[order], np.float32),
            tuple(names[order].tolist()),
            tuple(outlines[at] for at in order) if outlines else (),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Detections":
        """Return the detections that a mask or a list of positions chooses, in their order."""
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Detections(
            self.boxes[positions],
            self.scores[positions],
            tuple(self.labels[position] for position in positions),
            tuple(self.outlines[position] for position in positions) if self.outlines else (),
        )
