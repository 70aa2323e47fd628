"""Counting as the replaced system counted: for comparison, and for series that have to go on as they began.

Centres of boxes are linked to the nearest track, classes are not looked at, and who was seen outside of all zones and
then inside, in three frames at least, is counted once and forgotten. Its oddities are kept, as numbers depend on them:
a frame without objects ages nobody, and of two that finish in one frame next to each other in the list the second one
finishes a frame later.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from wayside.counting.events import Look, TrackRow, ZoneEvent, instant, micros
from wayside.counting.options import MatchOptions
from wayside.counting.zones import Bools, Doubles, Point, ZoneSet

LINK: Final = 0.1
"""Distance in fractions of the picture, x and y alike, below which an object goes on a track."""
FORGET_US: Final = 5_000_000
LEAST_POINTS: Final = 3
MOST_POINTS: Final = 10


@dataclass(slots=True)
class _Track:
    points: list[Point]
    seen_us: int

    def expected(self) -> Point:
        """Go on in a straight line, as far as between the last two frames; time plays no part."""
        if len(self.points) == 1:
            return self.points[-1]
        (x0, y0), (x1, y1) = self.points[-2:]
        return 2 * x1 - x0, 2 * y1 - y0


class MatchCounter:
    """Counts who walks into a zone, look by look."""

    def __init__(
        self, zones: ZoneSet, options: MatchOptions | None = None, state: dict[str, Any] | None = None
    ) -> None:
        """Go on from a state, or begin.

        Args:
            zones: the zones; without any, everybody is inside and so nobody is ever counted. Lines are not looked at.
            options: those of this mode.
            state: what `state` gave after the look before; None: nothing was seen yet.
        """
        self._zones = zones
        self._options = options or MatchOptions()
        self._last_us: int | None = state["last_us"] if state else None
        before = state["tracks"] if state else []
        self._tracks = [_Track([(x, y) for x, y in points], seen_us) for points, seen_us in before]

    def feed(self, look: Look) -> list[ZoneEvent]:
        """Take the next look and return the event that it makes, if any.

        A look that is not later than the one before is passed over.
        """
        now = micros(look.at)
        if self._last_us is not None and now <= self._last_us:
            return []
        self._last_us = now
        centres = centres_of(look, self._options.score)
        if not len(centres):
            return []
        inside = inside_any(self._zones, centres)
        free = self._link(centres, now)
        self._tracks = [track for track in self._tracks if now - track.seen_us <= FORGET_US]
        finished = self._finish()
        for track in self._tracks:
            del track.points[:-MOST_POINTS]
        self._tracks += [_Track([(float(x), float(y))], now) for x, y in centres[free & ~inside]]
        if not finished:
            return []
        return [_event(look, finished)]

    def until(self, at: datetime | None) -> list[ZoneEvent]:
        """Say that nobody looked before this time; nothing follows from it here, as only objects age a track."""
        return []

    def tracks(self) -> list[TrackRow]:
        """Return no tracks: in this mode they have no numbers."""
        return []

    def state(self) -> dict[str, Any]:
        """Return what the next counter needs to go on, as values of JSON."""
        tracks = [[[list(point) for point in track.points], track.seen_us] for track in self._tracks]
        return {"last_us": self._last_us, "tracks": tracks}

    def _link(self, centres: Doubles, now: int) -> Bools:
        """Let each track, in order, take the nearest object that is free; return which objects are left."""
        free = np.ones(len(centres), np.bool_)
        for track in self._tracks:
            x, y = track.expected()
            # Rounded, so that a distance of 0.1 is one, whatever the last bit of a sum says.
            distances = np.round(np.hypot(centres[:, 0] - x, centres[:, 1] - y), 9)
            distances[~free] = math.inf
            nearest = int(distances.argmin())
            if distances[nearest] < LINK:
                track.points.append((float(centres[nearest, 0]), float(centres[nearest, 1])))
                track.seen_us = now
                free[nearest] = False
        return free

    def _finish(self) -> int:
        """Count and remove tracks that end inside. The one after a removed one is passed over until the next frame."""
        last = np.array([track.points[-1] for track in self._tracks], np.float64).reshape(-1, 2)
        inside = inside_any(self._zones, last)
        kept: list[_Track] = []
        passed_over = False
        for track, is_inside in zip(self._tracks, inside, strict=True):
            done = bool(is_inside) and len(track.points) >= LEAST_POINTS and not passed_over
            passed_over = done
            if not done:
                kept.append(track)
        finished = len(self._tracks) - len(kept)
        self._tracks = kept
        return finished


def centres_of(look: Look, least_score: float) -> Doubles:
    """Return the centres of a look's boxes, float64 [N, 2], in their order, of those with score enough."""
    boxes = look.boxes[look.scores >= np.float32(least_score)].astype(np.float64)
    # Boxes are float32: without rounding a centre on the edge of a zone would fall on either side of it.
    return np.round((boxes[:, :2] + boxes[:, 2:]) / 2, 6)


def inside_any(zones: ZoneSet, points: Doubles) -> Bools:
    """Say which of N points are inside of a zone; all are where there is no zone."""
    if not zones.zones:
        return np.ones(len(points), np.bool_)
    return np.asarray(zones.contains(points).any(axis=0), np.bool_)


def _event(look: Look, finished: int) -> ZoneEvent:
    return ZoneEvent(
        happened_at=instant(micros(look.at)),
        kind="finish",
        zone=None,
        direction=None,
        label=None,
        track=None,
        value=finished,
        dwell_s=None,
        origin=None,
        x=None,
        y=None,
        segment=look.segment,
    )
