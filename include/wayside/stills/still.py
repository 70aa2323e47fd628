"""One still, looked at with its neighbours: faulty filter, detector, static filter, counts.

This is the heart of the product and knows neither slots nor stores: the bytes of three pictures go in, an `Analysis`
comes out, and whatever is wrong with a picture is said in the analysis and never raised. Who walks along the pictures
of a camera opens each of them once, and hands the same `Picture` in as the next, the current and the previous one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ConfigError, ImageError
from wayside.core.settings import Settings
from wayside.core.tables import COUNT_CLASSES
from wayside.quality.faulty import FaultMetrics, FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.picture import Picture
from wayside.quality.static import Change, StaticObjectFilterV0, StaticObjectFilterV1, StaticVerdict
from wayside.stills.pipelines import PipelinesFile
from wayside.vision.decode import Limits, decode
from wayside.vision.detections import Detections
from wayside.vision.detector import load_detector

Compare: TypeAlias = Callable[[Picture, Picture], Picture | Change]
FaultFilter: TypeAlias = FaultyImageFilterV0 | FaultyImageFilterV1
StaticFilter: TypeAlias = StaticObjectFilterV0 | StaticObjectFilterV1

_FAULT_FILTERS: dict[str, type[FaultFilter]] = {"faulty_v0": FaultyImageFilterV0, "faulty_v1": FaultyImageFilterV1}
_STATIC_FILTERS: dict[str, type[StaticFilter]] = {"static_v0": StaticObjectFilterV0, "static_v1": StaticObjectFilterV1}


@dataclass(frozen=True)
class Analysis:
    """What is known of one still. `counts` holds a number for each class that the detector knows."""

    outcome: Literal["counted", "faulty", "missing"]
    reason: str | None = None
    counts: dict[str, int] | None = None
    detections: Detections | None = None
    static: StaticVerdict | None = None
    faults: FaultMetrics | None = None

    @property
    def neighbours(self) -> str:
        """Which neighbours served the static filter: none, previous, next or both."""
        return self.static.neighbours if self.static else "none"

    def is_static(self) -> NDArray[np.bool_]:
        """Return for each detection whether it stands still, or doubles another, and so is not counted: shape [N]."""
        if self.static is None:
            return np.zeros(len(self.detections.labels) if self.detections else 0, dtype=bool)
        return np.asarray(self.static.static | self.static.duplicate, dtype=bool)


class Finder(Protocol):
    """Whatever finds objects: a `Detector`, or something around one. `classes` are all labels that it may give."""

    @property
    def name(self) -> str:
        """Name of the model's card."""

    @property
    def sha256(self) -> str:
        """Hash of the weights."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Every label that it can answer with."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find objects in one upright picture, uint8 [H, W, 3] blue-green-red."""


@dataclass(frozen=True)
class StillPipeline:
    """The stages of one pipeline, loaded and ready; safe to share between threads."""

    name: str
    faults: FaultFilter | None
    detector: Finder | None
    statics: StaticFilter | None
    settings: Settings

    @classmethod
    def load(cls, name: str, file: PipelinesFile, settings: Settings) -> "StillPipeline":
        """Load every stage of the pipeline `name`; raise `ConfigError` or `ModelError` if one cannot be had."""
        faults: FaultFilter | None = None
        detector: Finder | None = None
        statics: StaticFilter | None = None
        for stage_name, stage in file.stages_of(name):
            try:
                if stage.kind in _FAULT_FILTERS:
                    faults = _FAULT_FILTERS[stage.kind](**stage.settings)
                elif stage.kind in _STATIC_FILTERS:
                    statics = _STATIC_FILTERS[stage.kind](**stage.settings)
                elif stage.model is not None:
                    detector = load_detector(stage.model, settings)
            except ConfigError as error:
                raise ConfigError(f"stage {stage_name} of pipelines.yaml: {error}") from error
        return cls(name, faults, detector, statics, settings)

    @property
    def model_sha256(self) -> str | None:
        """Hash of the detector's weights, None where there is no detector."""
        return self.detector.sha256 if self.detector else None

    def analyse(
        self,
        previous: bytes | None,
        current: bytes | None,
        following: bytes | None,
        given: Detections | None = None,
    ) -> Analysis:
        """Analyse `current` between its neighbours; None stands for a picture that is not there.

        `given` takes the place of the detector's findings, for pipelines without one and for comparisons.
        A neighbour that cannot be decoded counts as not there, as in the replaced system.
        """
        if current is None:
            return Analysis("missing")
        picture = self.open(current)
        if isinstance(picture, ImageError):
            return Analysis("faulty", picture.reason)
        return self.look(self._neighbour(previous), picture, self._neighbour(following), given)

    def look(
        self,
        before: Picture | None,
        picture: Picture,
        after: Picture | None,
        given: Detections | None = None,
        compare: Compare | None = None,
    ) -> Analysis:
        """Analyse a picture that is open, between its neighbours; None for one that is not there or not usable.

        `compare` may give what the static filter's own `compare` says of a neighbour and the picture, where known.
        """
        metrics = None
        if self.faults is not None:
            verdict = self.faults.check(before, picture, after)
            metrics = verdict.metrics
            if verdict.faulty:
                return Analysis("faulty", verdict.reason, faults=metrics)
            before = before if verdict.previous_comparable else None
            after = after if verdict.next_comparable else None
        found = given if given is not None else self._detect(picture)
        return replace(self._judge(before, picture, after, found, compare), faults=metrics)

    def is_faulty(self, previous: bytes | None, current: bytes) -> bool:
        """Tell whether a picture cannot be decoded, or the filter for faulty pictures refuses it after `previous`."""
        picture = self.open(current)
        if isinstance(picture, ImageError):
            return True
        return self.faults is not None and self.faults.check(self._neighbour(previous), picture, None).faulty

    def open(self, data: bytes) -> Picture | ImageError:
        """Decode a picture; what is wrong with it is returned, not raised."""
        try:
            return Picture(decode(data, limits=Limits.of(self.settings)).image)
        except ImageError as error:
            return error

    def _neighbour(self, data: bytes | None) -> Picture | None:
        picture = None if data is None else self.open(data)
        return None if isinstance(picture, ImageError) else picture

    def _detect(self, picture: Picture) -> Detections:
        return self.detector.detect(picture.image) if self.detector else Detections.empty()

    def _judge(
        self,
        before: Picture | None,
        picture: Picture,
        after: Picture | None,
        found: Detections,
        compare: Compare | None,
    ) -> Analysis:
        verdict = None
        if self.statics is not None:
            sides = [side if side is None or compare is None else compare(side, picture) for side in (before, after)]
            verdict = self.statics.apply(sides[0], picture, sides[1], found.boxes, found.scores, found.labels)
            if not verdict.usable:
                return Analysis("faulty", verdict.reason, static=verdict)
        analysis = Analysis("counted", verdict.reason if verdict else None, None, found, verdict)
        return replace(analysis, counts=self._count(found, analysis.is_static()))

    def _count(self, found: Detections, static: NDArray[np.bool_]) -> dict[str, int]:
        seen = Counter(label for label, still in zip(found.labels, static, strict=True) if not still)
        known = self.detector.classes if self.detector else tuple(seen)
        return {name: seen[name] for name in COUNT_CLASSES if name in known}
