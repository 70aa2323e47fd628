"""Stand-ins for what is slow: a detector and filters that answer at once, and always the same."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wayside.core.settings import Settings
from wayside.quality.faulty import FaultMetrics, FaultVerdict
from wayside.quality.static import StaticVerdict
from wayside.stills.still import StillPipeline
from wayside.vision.detections import Detections

STUB = "StubV1"


def found(*labels: str) -> Detections:
    """Detections with these labels, side by side."""
    boxes = np.array([[0.1 * place, 0.2, 0.1 * place + 0.08, 0.4] for place in range(len(labels))], np.float32)
    scores = np.linspace(0.9, 0.5, len(labels), dtype=np.float32)
    return Detections(boxes.reshape(-1, 4), scores, labels)


class StubDetector:
    """Finds what the bytes of a picture say, unless it is told what to find."""

    name = "Stub"
    sha256 = "5" * 64
    classes = ("bus", "car", "person", "van")

    def __init__(self, answer: Callable[[NDArray[np.uint8]], Detections] | None = None) -> None:
        self._answer = answer

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        if self._answer is not None:
            return self._answer(image)
        seed = zlib.crc32(image.tobytes())
        return found(*(self.classes[(seed >> 2 * place) % 4] for place in range(seed % 5)))


@dataclass
class StubFaults:
    """A filter for faulty pictures with one answer; keeps what it was asked."""

    reason: str | None = None
    previous: bool = True
    following: bool = True

    def check(self, previous: Any, current: Any, following: Any) -> FaultVerdict:
        self.asked = (previous, current, following)
        metrics = FaultMetrics(0.25, 3, 57)
        return FaultVerdict(self.reason is not None, self.reason, self.previous, self.following, metrics)


@dataclass
class StubStatics:
    """A filter for static objects: static and double where told, usable unless there is a reason."""

    static: tuple[bool, ...] = ()
    duplicate: tuple[bool, ...] = ()
    reason: str | None = None

    def compare(self, one: Any, other: Any) -> Any:
        return one

    def apply(self, previous: Any, current: Any, following: Any, boxes: Any, scores: Any, labels: Any) -> StaticVerdict:
        self.asked = (previous, current, following)
        number, usable = len(labels), self.reason is None
        padded = [np.array([*column, *[False] * number][:number], bool) for column in (self.static, self.duplicate)]
        share = np.full(number, 0.5 if usable else np.nan, np.float32)
        return StaticVerdict(
            usable, self.reason, 0.9, None, padded[1], share, padded[0], "previous" if usable else "none"
        )


def pipeline(
    settings: Settings, faults: Any = None, detector: Any = None, statics: Any = None, name: str = STUB
) -> StillPipeline:
    """A pipeline of stubs; without arguments the stub detector alone."""
    return StillPipeline(name, faults, detector or StubDetector(), statics, settings)
