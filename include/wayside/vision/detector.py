"""A detector: a card, its weights, a session and an adapter, joined into one call from picture to detections.

    detector = load_detector("WaysideV1", settings())
    found = detector.detect(decode(data, at_least=detector.input_size).image)

`detect` may be called from many threads at once. On the CPU they share one session and each call runs on its own core;
on a GPU their pictures are gathered into batches.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wayside.core.settings import Settings
from wayside.vision.adapters import Candidates, Fit, adapter_for
from wayside.vision.adapters.base import Array
from wayside.vision.batcher import Batcher
from wayside.vision.cards import ModelCard, Thresholds
from wayside.vision.detections import Detections
from wayside.vision.labels import with_riders
from wayside.vision.nms import suppress
from wayside.vision.registry import card, read_weights
from wayside.vision.riders import derive_riders
from wayside.vision.session import Device, Session

__all__ = ["Detections", "Detector", "load_detector"]

GPU_BATCH = 32
"""Most pictures in one run on a GPU. Runs are filled up to a power of two, so that there are six shapes in all."""


class Detector:
    """Finds the classes of one model in pictures. Build it with `load_detector`.

    Attributes:
        name: the card's name.
        sha256: hash of the weights.
        card: the card.
        classes: every label that it can answer with, in alphabetical order.
        thresholds: least score and suppression overlap in force.
    """

    def __init__(
        self, card: ModelCard, sha256: str, session: Session, *, thresholds: Thresholds, riders: bool = True
    ) -> None:
        """Join the parts; `riders` says whether people on cycles are joined with them."""
        self.name = card.name
        self.sha256 = sha256
        self.card = card
        self.thresholds = thresholds
        raw = tuple(sorted({label for _, label in card.kept}))
        self._riders = riders
        self.classes = with_riders(raw) if riders else raw
        self._labels = np.asarray([label for _, label in card.kept], dtype=object)
        # Suppression is by label: two raw classes that mean the same to Wayside are one class.
        self._groups = np.unique([label for _, label in card.kept], return_inverse=True)[1]
        self._adapter = adapter_for(card)
        self._session = session
        self._largest = session.fixed_batch or (GPU_BATCH if session.on_gpu else 1)
        self._batcher = Batcher(self._run, self._largest) if session.on_gpu else None

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the model's input: give it to `decode` as `at_least`."""
        return self.card.input.width, self.card.input.height

    @property
    def provider(self) -> str:
        """The execution provider in use."""
        return self._session.provider

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find objects in one upright picture, uint8 [H, W, 3] blue-green-red; safe to call from many threads.

        Raises:
            ModelError: the model does not answer like its family.
        """
        tensor, fit = self._adapter.prepare(image)
        candidates = self._batcher(tensor) if self._batcher else self._run([tensor])[0]
        return self._finish(candidates, fit)

    def detect_many(self, images: Sequence[NDArray[np.uint8]], *, batch: int | None = None) -> list[Detections]:
        """Find objects in several pictures, of any sizes.

        Args:
            images: upright pictures, each uint8 [H, W, 3] blue-green-red.
            batch: pictures in one run; by default what suits the device, which on a CPU is one. A graph with a
                batch size of its own keeps it.

        Returns:
            The detections of each picture, in order; the same as `detect` gives.
        """
        size = self._session.fixed_batch or batch or self._largest
        found: list[Detections] = []
        for start in range(0, len(images), size):
            prepared = [self._adapter.prepare(image) for image in images[start : start + size]]
            answers = self._run([tensor for tensor, _ in prepared])
            found += [self._finish(answer, fit) for answer, (_, fit) in zip(answers, prepared, strict=True)]
        return found

    def _run(self, tensors: Sequence[Array]) -> list[Candidates]:
        """Run one batch, filled up with black pictures to a size that the session knows already."""
        number = len(tensors)
        size = self._session.fixed_batch or (1 << (number - 1).bit_length() if self._session.on_gpu else number)
        batch = np.zeros((size, *tensors[0].shape), tensors[0].dtype)
        np.stack(tensors, out=batch[:number])
        outputs = self._session.run(self._adapter.feeds(batch, self._session.inputs))
        return self._adapter.read({name: value[:number] for name, value in outputs.items()}, self.thresholds.score)

    def _finish(self, candidates: Candidates, fit: Fit) -> Detections:
        """Turn candidates into detections: fractions of the picture, duplicates removed, riders joined, sorted."""
        boxes = fit.to_picture(candidates.boxes)
        kept = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        if self.thresholds.nms_iou is not None:
            groups = self._groups[candidates.kinds[kept]]
            kept = kept[suppress(boxes[kept], candidates.scores[kept], groups, self.thresholds.nms_iou)]
        outlines = [fit.outline(candidates.outlines[at]) for at in kept] if candidates.outlines else ()
        labels = self._labels[candidates.kinds[kept]].tolist()
        found = Detections.sorted(boxes[kept], candidates.scores[kept], labels, outlines)
        return derive_riders(found) if self._riders else found


def load_detector(
    name: str,
    settings: Settings,
    *,
    device: Device | None = None,
    score: float | None = None,
    nms_iou: float | None = None,
    riders: bool = True,
) -> Detector:
    """Load a detector by the name of its card.

    Args:
        name: for example `WaysideV1`.
        settings: where models lie, which licences are allowed, which device is wanted.
        device: overrides `settings.device`.
        score: overrides the card's least score, 0..1.
        nms_iou: overrides the card's suppression overlap, 0..1.
        riders: join people with the cycles they ride; without it the answer is in the model's own classes.

    Raises:
        ModelError: there is no such card, or its weights are not here or cannot be loaded.
        ModelHashError: the weights are not those of the card.
        ModelLicenceError: the licence is not allowed.
        ProviderError: the device that is demanded is not there.
    """
    model = card(name, settings)
    weights, sha256 = read_weights(model, settings)
    session = Session(
        weights, device or settings.device, name=name, engines=settings.pulled_models / "engines" / sha256
    )
    changed = {"score": score, "nms_iou": nms_iou}
    thresholds = model.thresholds.model_dump() | {key: value for key, value in changed.items() if value is not None}
    return Detector(model, sha256, session, thresholds=Thresholds.model_validate(thresholds), riders=riders)
