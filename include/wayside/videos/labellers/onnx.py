"""Our own detector over the cover and the samples of an event: labels with probability and box, and nothing else.

What moves and how is no label here: colours and directions are columns of the event, found without a model.
"""

from collections.abc import Iterable, Iterator

from wayside.core.errors import ImageError
from wayside.core.settings import Settings
from wayside.videos.labellers.base import Box, EventPictures, LabelFailure, Labelled, Labeller, LabelOf, Picture
from wayside.vision.decode import Limits, decode
from wayside.vision.detector import Detector, load_detector
from wayside.vision.stream import Failure, stream


class OnnxLabeller(Labeller):
    """Labels with a detector, such as `load_detector` gives; may be used from many threads at once.

    Args:
        detector: finds the objects.
        limits: caps on the pictures.
        workers: threads of `label_all`; 0: one per core.
    """

    def __init__(self, detector: Detector, limits: Limits, workers: int = 0) -> None:
        self.name = f"onnx:{detector.name}"
        self._detector = detector
        self._limits = limits
        self._workers = workers

    @classmethod
    def load(cls, model: str, settings: Settings) -> "OnnxLabeller":
        """Load a model by the name of its card; raise `ModelError` where it cannot be used."""
        return cls(load_detector(model, settings), Limits.of(settings), settings.workers)

    def label(self, event: EventPictures) -> Labelled | LabelFailure:
        """Label one event: the objects of each picture, best first."""
        labels: list[LabelOf] = []
        try:
            for picture in event.pictures:
                labels += self._found(picture)
        except ImageError as error:
            return LabelFailure(event.event, "bad_picture", f"{error.reason}: {error}")
        return Labelled(event.event, self.name, self._detector.sha256, tuple(labels))

    def label_all(self, events: Iterable[EventPictures]) -> Iterator[Labelled | LabelFailure]:
        """Label events on every core, in order."""
        for done in stream(events, self.label, workers=self._workers):
            if isinstance(done, Failure):
                raise done.error
            yield done

    def _found(self, picture: Picture) -> list[LabelOf]:
        decoded = decode(picture.jpeg, limits=self._limits, at_least=self._detector.input_size)
        found = self._detector.detect(decoded.image)
        rows = zip(found.labels, found.scores.tolist(), found.boxes.tolist(), strict=True)
        return [LabelOf(picture.at, name, round(score, 6), _box(box)) for name, score, box in rows]


def _box(box: list[float]) -> Box:
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2
