"""ByteTrack over looks, with a state that can be written down and taken up again without any difference.

The tracker is that of the package `trackers` (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", 2022). What is ours: times are true times, so that it does not matter how many looks a second there
are or whether one is missing; similarity takes into account how far an object may have come since the look before;
a track gets back the box that it began with; and the whole state goes to JSON and back, down to the last bit.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import ByteTrackTracker
from trackers.core.bytetrack.tracklet import ByteTrackTracklet
from trackers.utils.iou import BaseIoU, BIoU

from wayside.counting.options import ImprovedOptions
from wayside.counting.sights import Sight

Doubles = NDArray[np.float64]

WIDTH: Final = 1000.0
"""Of a picture in the tracker's pixels: its noise is meant for pixels, ours are fractions."""
REFERENCE_FPS: Final = 5.0
"""One step of the tracker's filter; measured, see docs/ZONES.md."""
LEAST_OVERLAP: Final = 0.1
"""Of expected and seen box, both grown by the reach: below it they are not the same object."""
LEAST_REACH: Final = 0.1
MOST_REACH: Final = 1.5
"""Sizes of a box by which it is grown at most, however long ago the last look was."""
FIRST_BOXES: Final = 2
"""Boxes in looks that follow each other which the tracker wants before it gives a number."""

_CLOCKS: Final = ("age", "tracker_id", "time_since_update", "time_since_update_seconds")
_COUNTS: Final = ("number_of_successful_consecutive_updates",)


class _Reach(BaseIoU):
    """Overlap of boxes that are grown by as much as an object may have moved unforeseen since the look before.

    Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances?", 2023, grow them by a constant.
    """

    def __init__(self) -> None:
        self.grown = LEAST_REACH

    def _compute(self, boxes_1: Doubles, boxes_2: Doubles) -> Doubles:
        return np.asarray(BIoU(self.grown).compute(boxes_1, boxes_2), np.float64)


class Tracker:
    """Gives the boxes of one object one number, look by look."""

    def __init__(self, options: ImprovedOptions, aspect: float, state: dict[str, Any] | None = None) -> None:
        """Go on from a state, or begin.

        Args:
            options: scores, reach and the time after which a track is lost.
            aspect: width of the picture over its height.
            state: what `state` gave after the look before; None: nothing was seen yet.
        """
        self._options = options
        self._scale = np.array([WIDTH, WIDTH / aspect] * 2)
        self._similarity = _Reach()
        self._library = ByteTrackTracker(
            # Counted in thirtieths of a second. Ours goes first, by whole microseconds: this one is never reached.
            lost_track_buffer=math.ceil(options.lost_s * 30) + 30,
            frame_rate=REFERENCE_FPS,
            track_activation_threshold=options.score,
            high_conf_det_threshold=options.score,
            minimum_consecutive_frames=FIRST_BOXES,
            minimum_iou_threshold=LEAST_OVERLAP,
            iou=self._similarity,
        )
        self._last_us: int | None = None
        # What the library does not keep, in the order of its tracks: the first box, until there is a number, and when
        # there was a box last.
        self._births: dict[int, Sight] = {}
        self._seen_us: dict[int, int] = {}
        if state:
            self._restore(state)

    def forget(self, us: int) -> list[int]:
        """Let go of tracks that had no box for too long at this time; return the numbers of those that had one."""
        longest = round(self._options.lost_s * 1e6)
        kept, gone = [], []
        for track in self._library.tracks:
            if us - self._seen_us[id(track)] <= longest:
                kept.append(track)
            elif track.tracker_id >= 0:
                gone.append(int(track.tracker_id))
        self._library.tracks = kept
        self._tidy()
        return gone

    def update(self, us: int, sights: Sequence[Sight]) -> dict[int, list[Sight]]:
        """Take the boxes of the next look.

        Args:
            us: its time, microseconds since 1970, after that of the look before.
            sights: what is seen, in an order that does not depend on chance, no two boxes alike.

        Returns:
            By number, what was seen of each track; when it has just got its number, its first box as well.
        """
        self._similarity.grown = self._reach(us)
        boxes = np.array([sight.box for sight in sights], np.float64).reshape(-1, 4) * self._scale
        detections = sv.Detections(
            xyxy=boxes,
            confidence=np.array([sight.score for sight in sights], np.float32),
            data={"row": np.arange(len(sights))},
        )
        known = {id(track) for track in self._library.tracks}
        answer = self._library.update(detections, timestamp=us / 1e6)
        self._last_us = us
        self._remember(known, us, sights, boxes)
        found: dict[int, list[Sight]] = {}
        rows = answer.data.get("row", ())
        numbers = answer.tracker_id if answer.tracker_id is not None else ()
        for row, number in zip(rows, numbers, strict=True):
            if number >= 0:
                found[int(number)] = [sights[row]]
        for track in self._library.tracks:
            if track.tracker_id >= 0 and (birth := self._births.pop(id(track), None)):
                found[int(track.tracker_id)].insert(0, birth)
        return dict(sorted(found.items()))

    def state(self) -> dict[str, Any]:
        """Return what the next tracker needs to go on, as values of JSON."""
        return {
            "last_us": self._last_us,
            "next": self._library._next_track_id,
            "tracks": [self._written(track) for track in self._library.tracks],
        }

    def _reach(self, us: int) -> float:
        passed = (us - self._last_us) / 1e6 if self._last_us is not None else 0.0
        return min(MOST_REACH, self._options.reach * passed + LEAST_REACH) if self._options.reach else 0.0

    def _remember(self, known: set[int], us: int, sights: Sequence[Sight], boxes: Doubles) -> None:
        """Keep the first box of tracks that are new, and the time of all that were seen."""
        rows = {tuple(box): row for row, box in enumerate(boxes.tolist())}
        for track in self._library.tracks:
            if id(track) not in known:
                self._births[id(track)] = sights[rows[tuple(track.get_state_bbox().tolist())]]
            if track.time_since_update == 0:
                self._seen_us[id(track)] = us
        self._tidy()

    def _tidy(self) -> None:
        alive = {id(track) for track in self._library.tracks}
        self._births = {key: birth for key, birth in self._births.items() if key in alive}
        self._seen_us = {key: seen for key, seen in self._seen_us.items() if key in alive}

    def _written(self, track: ByteTrackTracklet) -> dict[str, Any]:
        kalman = track.state_estimator.kf
        return {
            **{name: _plain(getattr(track, name)) for name in (*_CLOCKS, *_COUNTS)},
            "mean": kalman.state[:, 0].tolist(),
            "covariance": kalman.state_covariance.tolist(),
            "seen_us": self._seen_us[id(track)],
            "birth": self._births.get(id(track)),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._last_us = state["last_us"]
        self._library._next_track_id = state["next"]
        self._library._last_timestamp = None if self._last_us is None else self._last_us / 1e6
        for record in state["tracks"]:
            track = ByteTrackTracklet(np.array(record["mean"][:4], np.float64))
            for name in (*_CLOCKS, *_COUNTS):
                setattr(track, name, record[name])
            track.state_estimator.kf.state = np.array(record["mean"], np.float64)[:, None]
            track.state_estimator.kf.state_covariance = np.array(record["covariance"], np.float64)
            self._library.tracks.append(track)
            self._seen_us[id(track)] = record["seen_us"]
            if record["birth"]:
                self._births[id(track)] = Sight.of(record["birth"])


def _plain(value: Any) -> int | float:
    """Return a number of Python's own for one of the library's."""
    plain: int | float = value.item() if isinstance(value, np.generic) else value
    return plain
