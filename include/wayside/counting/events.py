"""What counting takes and gives: looked-at frames in, events, tracks and changes of occupancy out.

Rows lack what only the one who counts knows: source, camera, processor, version, day and ordinal. Times are UTC with a
zone; inside the counters they are whole microseconds, so that no split of a stream can change them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

EventKind = Literal["enter", "exit", "cross", "finish"]
Direction = Literal["forward", "backward"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return microseconds since 1970 of a time with a zone."""
    return (at - _EPOCH) // _MICROSECOND


def instant(us: int) -> datetime:
    """Return the time, UTC, that `micros` gives as a number."""
    return _EPOCH + us * _MICROSECOND


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """One frame that the detector looked at, whether or not it found something.

    Attributes:
        at: time of the frame, UTC.
        segment: SHA-256 of the piece of video.
        boxes: float32 [N, 4], left, top, right, bottom, fractions of the upright picture.
        labels: N classes.
        scores: float32 [N], 0..1.
    """

    at: datetime
    segment: str
    boxes: NDArray[np.float32]
    labels: tuple[str, ...]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        number = len(self.labels)
        if self.at.tzinfo is None or self.boxes.shape != (number, 4) or self.scores.shape != (number,):
            raise ValueError(f"not a look: {self.at}, {self.boxes.shape}, {self.scores.shape}, {number} labels")


@dataclass(frozen=True, slots=True)
class ZoneEvent:
    """A row of `zone_events`, less its scope and ordinal; each field is described there."""

    happened_at: datetime
    kind: EventKind
    zone: str | None
    direction: Direction | None
    label: str | None
    track: int | None
    value: int
    dwell_s: float | None
    origin: str | None
    x: float | None
    y: float | None
    segment: str


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A row of `tracks`, less its scope; `path` is `((seconds from start_at, x, y), ...)`."""

    track: int
    label: str
    score: float
    boxes: int
    start_at: datetime
    end_at: datetime
    path: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row of `occupancy`, less its scope: from `since` on, `inside` objects; None: nobody looked."""

    zone: str
    since: datetime
    inside: int | None
    segment: str
