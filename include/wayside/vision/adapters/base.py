"""What all families share: fitting a picture into the input, and choosing candidates from scores."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ModelError
from wayside.vision.cards import InputSpec, ModelCard
from wayside.vision.detections import Boxes, Outline, Scores

Array = NDArray[Any]
_PAD: Final = 114


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture lies in the input: the shares of its width and height, 0..1, that the picture covers."""

    across: float = 1.0
    down: float = 1.0

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Turn boxes [N, 4] in fractions of the input into fractions of the picture, cut off at its edges."""
        covered = np.asarray((self.across, self.down, self.across, self.down), np.float32)
        return np.asarray(np.clip(boxes / covered, 0, 1), np.float32)

    def outline(self, outline: Outline) -> Outline:
        """Turn an outline whose area is in fractions of the input into one in fractions of the picture."""
        left, top, right, bottom = outline.area
        area = (left / self.across, top / self.down, right / self.across, bottom / self.down)
        return Outline(outline.grid, area)


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """What a model proposes for one picture, before suppression.

    Attributes:
        boxes: float32 [K, 4], left, top, right, bottom as fractions of the input; may reach beyond it.
        scores: float32 [K], 0..1.
        kinds: [K], positions in `ModelCard.kept`.
        outlines: K masks, their areas as fractions of the input; empty where the card says that there are none.
    """

    boxes: Boxes
    scores: Scores
    kinds: NDArray[np.intp]
    outlines: tuple[Outline, ...] = ()


class Adapter(ABC):
    """Prepares pictures for a model and reads its outputs. Holds no state between pictures: threads may share one."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.columns = np.asarray([column for column, _ in card.kept], np.intp)

    def prepare(self, image: NDArray[np.uint8]) -> tuple[Array, Fit]:
        """Turn a picture, uint8 [H, W, 3] blue-green-red, into one input [3, height, width]; say how it lies there."""
        spec = self.card.input
        fitted, fit = _fit(image, spec)
        tensor = np.empty((3, spec.height, spec.width), spec.dtype)
        planes = cv2.split(fitted)
        for channel, plane in enumerate(planes if spec.colour == "bgr" else planes[::-1]):
            if spec.dtype == "uint8":
                tensor[channel] = plane
            else:
                np.multiply(plane, np.float32(1 / spec.std[channel]), out=tensor[channel])
                tensor[channel] -= np.float32(spec.mean[channel] / spec.std[channel])
        return tensor, fit

    def feeds(self, batch: Array, inputs: tuple[str, ...]) -> dict[str, Array]:
        """Name the inputs of one run for a batch [N, 3, height, width]."""
        return {inputs[0]: batch}

    @abstractmethod
    def read(self, outputs: dict[str, Array], least: float) -> list[Candidates]:
        """Read the outputs of a run, batch first, into the candidates of each picture that score at least `least`.

        Raises:
            ModelError: the outputs do not have the shapes of the family.
        """

    def kinds_of(self, classes: Array) -> NDArray[np.intp]:
        """Map raw class numbers to positions in `ModelCard.kept`; -1 for a class that is not kept."""
        table = np.full(len(self.card.classes) + 1, -1, np.intp)
        table[self.columns] = np.arange(len(self.columns))
        numbers = np.asarray(classes, np.intp)
        outside = (numbers < 0) | (numbers >= len(self.card.classes))
        return table[np.where(outside, len(self.card.classes), numbers)]

    def complain(self, outputs: dict[str, Array]) -> ModelError:
        """Build the error for outputs that are not those of the family."""
        shapes = ", ".join(f"{name} {value.shape}" for name, value in outputs.items())
        return ModelError(f"{self.card.name} does not answer like the family {self.card.family}: {shapes}")


def best_per_place(scores: Array, columns: NDArray[np.intp], least: float) -> list[tuple[Array, Array, Array]]:
    """Choose, for each picture, the places whose best kept class scores at least `least`.

    Args:
        scores: [N, A, C].
        columns: the kept columns among the C.
        least: 0..1.

    Returns:
        For each picture: places [K], scores [K], positions in `columns` [K].
    """
    chosen = []
    for picture in scores:
        kept = picture[:, columns]
        places = np.flatnonzero((kept >= least).any(axis=1))
        # The best class is looked for only where there is one: a few places out of thousands.
        few = kept[places]
        kinds = few.argmax(axis=1)
        chosen.append((places, few[np.arange(len(places)), kinds], kinds))
    return chosen


def sigmoid(values: Array) -> Array:
    """Return the logistic function, without overflow for large negative values."""
    return np.asarray(0.5 * (np.tanh(0.5 * values) + 1))


def _fit(image: NDArray[np.uint8], spec: InputSpec) -> tuple[NDArray[np.uint8], Fit]:
    """Resize a picture into the input."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    height, width = image.shape[:2]
    if spec.resize == "stretch":
        return _resize(image, spec.width, spec.height), Fit()
    ratio = min(spec.width / width, spec.height / height)
    across, down = max(1, int(width * ratio)), max(1, int(height * ratio))
    canvas = np.full((spec.height, spec.width, 3), _PAD, np.uint8)
    canvas[:down, :across] = _resize(image, across, down)
    return canvas, Fit(across / spec.width, down / spec.height)


def _resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize between pixels; by area, which is ten times slower, where more than three pixels in four are lost."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] * image.shape[1] > 4 * width * height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
