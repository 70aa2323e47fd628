"""A window of three pictures that slides along a camera's slots, so that each picture is read and decoded once.

Analysed slot by slot, every picture is decoded three times: as the next, the current and the previous one. Whoever
analyses many slots of a camera walks along them instead, on one thread a camera, and the pictures and what the filters
measured on them go from one slot to the next. The results are those of `StillPipeline.analyse`, to the last bit.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError, ModelError, StoreError
from wayside.core.slots import Slot
from wayside.quality.picture import Picture
from wayside.quality.similarity import SIDE
from wayside.quality.static import Change
from wayside.stills.still import Analysis, Compare, Finder, StaticFilter, StillPipeline
from wayside.store import StoredPicture
from wayside.vision.detections import Detections
from wayside.vision.stream import Failure, stream
from wayside.warehouse.audit import BROKEN

Read: TypeAlias = Callable[[str, Slot], StoredPicture | None]
Wanted: TypeAlias = Mapping[Slot, Iterable[str]]
ABSENT: Final = ""


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """One still that was looked at.

    Attributes:
        camera: the camera.
        slot: the slot.
        hashes: hashes of the pictures before, at and after the slot that the analysis was made from; `ABSENT` for none.
        analyses: the result of each pipeline by its name.
    """

    camera: str
    slot: Slot
    hashes: tuple[str, str, str]
    analyses: Mapping[str, Analysis]


def look_along(
    wanted: Iterable[tuple[str, Wanted]], pipelines: Mapping[str, StillPipeline], read: Read, *, workers: int = 0
) -> Iterator[list[Looked]]:
    """Analyse stills of many cameras, each camera on a thread.

    Args:
        wanted: cameras, each with its slots, and for each slot the names of the pipelines.
        pipelines: pipelines by name; they must share their limits on pictures.
        read: gives the stored picture of a camera and slot, None if there is none.
        workers: threads; 0 for one per usable core.

    Yields:
        For each camera, in order, its stills in order of time. An analysis that broke is a faulty picture with the
        error's class as its reason.

    Raises:
        StoreError: the store cannot be read.
        ModelError: the model cannot be used.
    """

    def walk(item: tuple[str, Wanted]) -> list[Looked]:
        return list(_Walk(item[0], pipelines, read).along(item[1]))

    for result in stream(wanted, walk, workers=workers):
        if isinstance(result, Failure):
            raise result.error
        yield result


class Stopwatch:
    """A detector that keeps how long it took, all threads added."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.seconds = 0.0
        self._lock = threading.Lock()

    @classmethod
    def on(cls, pipeline: StillPipeline) -> "tuple[StillPipeline, Stopwatch | None]":
        """Return the pipeline with a watch on its detector, and the watch; None where there is no detector."""
        if pipeline.detector is None:
            return pipeline, None
        watch = cls(pipeline.detector)
        return replace(pipeline, detector=watch), watch

    @property
    def name(self) -> str:
        """Name of the model's card."""
        return self.finder.name

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        return self.finder.sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """Every label that it can answer with."""
        return self.finder.classes

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find objects as the detector does."""
        begun = time.perf_counter()
        found = self.finder.detect(image)
        took = time.perf_counter() - begun
        with self._lock:
            self.seconds += took
        return found


class _Seen:
    """One picture of the window; decoded when it is first asked for."""

    def __init__(self, stored: StoredPicture | None, pipeline: StillPipeline) -> None:
        self.sha256 = stored.sha256 if stored else ABSENT
        self._stored = stored
        self._pipeline = pipeline

    @cached_property
    def picture(self) -> Picture | ImageError | None:
        return self._pipeline.open(self._stored.data) if self._stored else None

    @property
    def usable(self) -> Picture | None:
        return None if isinstance(self.picture, ImageError) else self.picture


class _Comparisons:
    """What a static filter says of pairs of pictures: one is the next of this slot and the previous of the next."""

    def __init__(self, statics: StaticFilter) -> None:
        self._statics = statics
        self._known: list[tuple[Picture, Picture, Change]] = []

    def __call__(self, one: Picture, other: Picture) -> Picture | Change:
        if one.image.shape != other.image.shape or min(one.height, one.width) < SIDE:
            return one  # the filter has words of its own for these
        for first, second, change in self._known:
            if (first is one and second is other) or (first is other and second is one):
                return change
        change = self._statics.compare(one, other)
        self._known = [*self._known[-1:], (one, other, change)]
        return change


class _Walk:
    """One camera's way along its slots."""

    def __init__(self, camera: str, pipelines: Mapping[str, StillPipeline], read: Read) -> None:
        self.camera = camera
        self.pipelines = pipelines
        self.read = read
        self._opener = next(iter(pipelines.values()))
        self._seen: dict[Slot, _Seen] = {}
        self._compare: dict[str, Compare | None] = {
            name: _Comparisons(pipeline.statics) if pipeline.statics else None for name, pipeline in pipelines.items()
        }

    def along(self, wanted: Wanted) -> Iterator[Looked]:
        """Yield the stills of the slots in order of time."""
        for slot in sorted(wanted):
            near = (slot.previous, slot, slot.next)
            self._seen = {when: self._seen.get(when) or self._open(when) for when in near}
            window = [self._seen[when] for when in near]
            analyses = {name: self._analyse(name, *window) for name in wanted[slot]}
            hashes = (window[0].sha256, window[1].sha256, window[2].sha256)
            yield Looked(self.camera, slot, hashes, analyses)

    def _open(self, slot: Slot) -> _Seen:
        return _Seen(self.read(self.camera, slot), self._opener)

    def _analyse(self, name: str, before: _Seen, own: _Seen, after: _Seen) -> Analysis:
        if own.picture is None:
            return Analysis("missing")
        if isinstance(own.picture, ImageError):
            return Analysis("faulty", own.picture.reason)
        try:
            return self.pipelines[name].look(before.usable, own.picture, after.usable, compare=self._compare[name])
        except (StoreError, ModelError):
            raise
        except Exception as error:  # noqa: BLE001  whatever breaks over one picture costs one row
            return Analysis("faulty", f"{BROKEN}{type(error).__name__}")
