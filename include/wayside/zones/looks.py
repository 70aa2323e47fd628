"""What was seen of a camera on a day, frame by frame, as counting takes it.

A day's looks are those of the segments that start in it, by the segments' starts. Time only goes forward: where two
files show the same minute, the frames of the later one that are not after all frames before are left out.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wayside.core.tables import SCANS, SEGMENT_DETECTIONS, SEGMENTS
from wayside.counting.events import Look
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope
from wayside.zones.times import day_start

_BOX: Final = ("x1", "y1", "x2", "y2")
_EMPTY: Final = np.zeros((0, 4), np.float32)
LEAST_STILL: Final = timedelta(seconds=2)
"""How long after its last look a segment may still count as watched, at least, if it goes on for so long."""


@dataclass(frozen=True)
class SeenSegment:
    """A segment that a pipeline has looked at.

    Attributes:
        segment: SHA-256 of its bytes.
        hour: UTC hour in which it starts.
        start_at: when it starts.
        end_at: when it ends, as its container says.
        width: pixels, upright.
        height: pixels, upright.
        offsets_us: times of the looks, microseconds from its start, ascending; at least one.
        whole: False where the video broke off.
        key: changes with whatever could change the looks.
    """

    segment: str
    hour: datetime
    start_at: datetime
    end_at: datetime
    width: int
    height: int
    offsets_us: tuple[int, ...]
    whole: bool
    key: str

    def at(self, frame: int) -> datetime:
        """Return the time of a look."""
        return self.start_at + timedelta(microseconds=self.offsets_us[frame])

    def seen_until(self, fps: float) -> datetime:
        """Return up to when the segment was watched, with so many looks a second.

        The container's word counts only for a little longer than the looks: it may be wrong.
        """
        last = self.at(-1)
        if not self.whole:
            return last + timedelta(seconds=1 / fps)
        return max(last, min(self.end_at, last + max(LEAST_STILL, timedelta(seconds=2 / fps))))


def seen_segments(lake: ParquetWarehouse, source: str, camera: str, pipeline: str, day: date) -> list[SeenSegment]:
    """List the segments that start on a UTC day and that a pipeline has looked at, by start, then by hash."""
    found: list[SeenSegment] = []
    for hour in (day_start(day) + timedelta(hours=step) for step in range(24)):
        scans = lake.read(SCANS, Scope(source, pipeline=pipeline, camera=camera, hour=hour))
        if scans.num_rows == 0:
            continue
        known = lake.read(SEGMENTS, Scope(source, camera=camera, hour=hour)).to_pylist()
        segments = {row["segment"]: row for row in known}
        seen = [row for row in scans.to_pylist() if row["frames"] > 0 and row["status"] != "failed"]
        found += [_seen(row, segments[row["segment"]]) for row in seen if row["segment"] in segments]
    return sorted(found, key=lambda one: (one.start_at, one.segment))


def day_marks(lake: ParquetWarehouse, source: str, camera: str, pipeline: str) -> dict[date, str]:
    """Return a mark for each UTC day of which a pipeline scanned something; it changes with whatever was published.

    It is made of names, inodes, sizes and times of files, which are compared and never put in order: a file that is
    replaced is another inode. Files that are copied or restored change it without need, which costs a look at the day.
    """
    found: dict[str, list[tuple[str, str, int, int, int]]] = defaultdict(list)
    for table, pipelines in ((SCANS, [pipeline]), (SEGMENTS, None)):
        # A year of a camera is 17,520 files: no more is done for each than has to be.
        for path in lake.layout.files(table, [source], None, pipelines, [camera]):
            folder, name = os.path.split(path)
            told = os.stat(path)  # noqa: PTH116
            found[folder.rpartition("day=")[2]].append((table.name, name, told.st_ino, told.st_size, told.st_mtime_ns))
    return {
        date(int(day[:4]), int(day[4:6]), int(day[6:])): hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()
        for day, files in found.items()
        if any(name == SCANS.name for name, *_ in files)
    }


def _seen(scan: dict[str, Any], segment: dict[str, Any]) -> SeenSegment:
    parts = [scan["offsets"], scan["status"], scan["model_sha256"], scan["scanned_at"].isoformat()]
    parts += [segment["start_at"].isoformat(), segment["end_at"].isoformat()]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    shape = (segment["width"], segment["height"])
    times = (segment["start_at"], segment["end_at"])
    offsets = tuple(json.loads(scan["offsets"]))
    return SeenSegment(scan["segment"], scan["hour"], *times, *shape, offsets, scan["status"] == "ok", key)


def looks(lake: ParquetWarehouse, source: str, camera: str, pipeline: str, day: date) -> Iterator[Look]:
    """Yield the looks of a day, those at which nothing was seen included, in the order of their times."""
    until: datetime | None = None
    for look in looks_of(lake, source, camera, pipeline, seen_segments(lake, source, camera, pipeline, day)):
        if until is None or look.at > until:
            until = look.at
            yield look


def looks_of(
    lake: ParquetWarehouse, source: str, camera: str, pipeline: str, segments: Iterable[SeenSegment]
) -> Iterator[Look]:
    """Yield all looks at some segments, one segment after the other; where these overlap, times go back."""
    hour: datetime | None = None
    objects: dict[str, _Objects] = {}
    for one in segments:
        if one.hour != hour:
            hour = one.hour
            objects = _by_segment(
                lake.read(SEGMENT_DETECTIONS, Scope(source, pipeline=pipeline, camera=camera, hour=hour))
            )
        seen = objects.get(one.segment)
        for frame in range(len(one.offsets_us)):
            boxes, labels, scores = seen.of(frame) if seen else (_EMPTY, (), _EMPTY[:, 0])
            yield Look(one.at(frame), one.segment, boxes, labels, scores)


@dataclass(frozen=True)
class _Objects:
    """The objects of one segment, as columns that are sorted by frame."""

    frames: NDArray[np.int32]
    boxes: NDArray[np.float32]
    labels: NDArray[np.object_]
    scores: NDArray[np.float32]

    def of(self, frame: int) -> tuple[NDArray[np.float32], tuple[str, ...], NDArray[np.float32]]:
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        return self.boxes[first:last], tuple(self.labels[first:last]), self.scores[first:last]


def _by_segment(rows: pa.Table) -> dict[str, _Objects]:
    """Divide the objects of an hour; published rows are sorted by segment, frame and ordinal."""
    if rows.num_rows == 0:
        return {}
    names = rows["segment"].to_numpy(zero_copy_only=False)
    bounds = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(names)]
    frames, scores = rows["frame"].to_numpy(), rows["score"].to_numpy()
    boxes = np.stack([rows[name].to_numpy() for name in _BOX], axis=1)
    labels = rows["label"].to_numpy(zero_copy_only=False)
    return {
        names[first]: _Objects(frames[first:last], boxes[first:last], labels[first:last], scores[first:last])
        for first, last in pairwise(bounds)
    }


def watched(segments: Sequence[SeenSegment], fps: float, until: datetime | None) -> list[tuple[datetime, datetime]]:
    """List the times that were watched, without overlap, oldest first.

    Args:
        segments: in the order in which they were looked at.
        fps: looks a second that were asked for.
        until: time of the last look before them; what is not after it counts for what was before.
    """
    found: list[tuple[datetime, datetime]] = []
    for one in segments:
        begin, end = one.at(0), one.seen_until(fps)
        begin = begin if until is None else max(begin, until)
        if end > begin:
            found.append((begin, end))
            until = end
    return found
