"""Faces inside of zones: counted as numbers; pictures of them leave nothing behind unless somebody asks for that.

A processor of kind faces is made switched off. Once it is on, faces are counted like objects. So that a person can see
that it works there is one preview picture for each processor, in which every face that the model may have seen is
filled with one colour for good; a face that it did not see stays visible, so the preview is for those who run the
installation. Where the options say `keep_crops`, a picture of each face that counts is kept for some days.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from wayside.core.errors import VideoError
from wayside.core.settings import Settings
from wayside.core.tables import SCANS, SEGMENTS
from wayside.counting.events import Look
from wayside.media.frames import Whole, frames
from wayside.media.probe import VideoLimits
from wayside.privacy.fills import fill
from wayside.privacy.masks import grown
from wayside.privacy.objects import Found
from wayside.privacy.settings import Fill, Finding
from wayside.store.files import replace_file
from wayside.vision.decode import Image, encode_jpeg
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope
from wayside.zones.looks import SeenSegment, looks_of, seen_segments
from wayside.zones.options import FaceOptions
from wayside.zones.processor import Processor, ZoneVersion
from wayside.zones.registry import Registry
from wayside.zones.scans import Clients, open_segment
from wayside.zones.states import zones_folder

Row = dict[str, Any]

GROW: Final = 0.25
"""A face is filled with so much of its width and height around it."""
MOST_CROPS: Final = 1000
"""Pictures of faces that are kept of one segment."""


@dataclass
class Kept:
    """What was written: processors whose preview is new, and pictures of faces."""

    previews: list[int] = field(default_factory=list)
    crops: int = 0


def keep_faces(
    lake: ParquetWarehouse,
    registry: Registry,
    settings: Settings,
    days: Iterable[tuple[str, str, str, date]],
    *,
    client: Clients | None = None,
) -> Kept:
    """Make previews, and crops where they are asked for, of days with new scans.

    What lies there is not made again, so that this may be killed and called as often as one likes.

    Args:
        lake: the tables.
        registry: of processors.
        settings: limits of videos.
        days: (source, camera, pipeline, UTC day), as `publish_scans` returns them.
        client: makes one for segments in Cloud Storage.
    """
    kept = Kept()
    wanted = set(days)
    for one in registry.processors():
        if one.kind != "faces" or not one.enabled:
            continue
        version = registry.zones(one.number)
        for day in sorted(day for *place, day in wanted if place == [one.source, one.camera, one.pipeline.id]):
            keeper = _Keeper(lake, settings, one, version, day, client)
            kept.crops += keeper.crops() if keeper.options.keep_crops else 0
            if keeper.preview():
                kept.previews.append(one.number)
    return kept


def preview_path(lake: ParquetWarehouse, processor: int) -> Path:
    """Return where the preview of a processor lies; it may not be there."""
    return zones_folder(lake) / "previews" / f"{processor}.jpg"


def crops_folder(lake: ParquetWarehouse, processor: int) -> Path:
    """Return the folder of the pictures of faces of a processor, by UTC day."""
    return zones_folder(lake) / "faces" / str(processor)


def prune_faces(lake: ParquetWarehouse, registry: Registry, now: datetime) -> int:
    """Remove pictures of faces that are too old, or that nobody wants any more; return how many.

    The day that counts is the day on which the face was seen. Where a processor keeps no crops, or is switched off, all
    of its crops and its preview go.
    """
    removed = 0
    for one in registry.processors():
        if one.kind != "faces" or not isinstance(one.options, FaceOptions):
            continue
        folder = crops_folder(lake, one.number)
        days = one.options.crops_days if one.options.keep_crops and one.enabled else 0
        first = (now - timedelta(days=days)).date() if days else date.max
        for day in sorted(folder.glob("????-??-??")):
            if date.fromisoformat(day.name) < first:
                removed += _removed(day)
        preview = preview_path(lake, one.number)
        if not one.enabled and preview.exists():
            preview.unlink()
            removed += 1
    return removed


def hidden(image: Image, boxes: Sequence[Sequence[float]]) -> Image:
    """Return a copy of a picture in which all boxes are filled, so that nothing of what was in them is left.

    Args:
        image: uint8 [H, W, 3].
        boxes: left, top, right, bottom, fractions of the picture.
    """
    height, width = image.shape[:2]
    found = [Found("face", 1.0, _pixels(box, width, height), None, "") for box in boxes]
    finding = Finding(grow=GROW, face_detector=None, plate_detector=None)
    return fill(image, grown(found, finding, height, width), Fill(), secret=b"")


@dataclass(frozen=True)
class _Keeper:
    """The pictures of one processor and day."""

    lake: ParquetWarehouse
    settings: Settings
    processor: Processor
    version: ZoneVersion
    day: date
    client: Clients | None

    @property
    def options(self) -> FaceOptions:
        return FaceOptions.model_validate(self.version.options.model_dump())

    def crops(self) -> int:
        """Write the crops of segments that have none yet; return how many."""
        written = 0
        folder = crops_folder(self.lake, self.processor.number) / self.day.isoformat()
        for segment in self._segments():
            done = folder / f".{segment.segment[:16]}-{segment.key}"
            wanted = {} if done.exists() else self._inside(segment)
            if not done.exists():
                for frame, image in self._images(segment, wanted):
                    for ordinal, box in enumerate(wanted[frame]):
                        left, top, right, bottom = _pixels(box, image.shape[1], image.shape[0])
                        path = folder / f"{segment.segment[:16]}-{frame:06}-{ordinal:02}.jpg"
                        replace_file(path, encode_jpeg(image[top:bottom, left:right]))
                        written += 1
                replace_file(done, b"")
        return written

    def preview(self) -> bool:
        """Write the preview, of the look of the day with the most faces, if no later day was scanned."""
        path = preview_path(self.lake, self.processor.number)
        one = self.processor
        scopes = self.lake.scopes(SCANS, [one.source], pipelines=[one.pipeline.id], cameras=[one.camera])
        if any(scope.hour and scope.hour.date() > self.day for scope in scopes):
            return False
        best: tuple[int, SeenSegment, int, Look] | None = None
        for segment in self._segments():
            for frame, look in enumerate(self._looks(segment)):
                if best is None or len(look.labels) > best[0]:
                    best = (len(look.labels), segment, frame, look)
        if best is None:
            return False
        _, segment, frame, look = best
        for _, image in self._images(segment, {frame: []}):
            replace_file(path, encode_jpeg(hidden(image, look.boxes.tolist())))
            return True
        return False

    def _segments(self) -> list[SeenSegment]:
        one = self.processor
        return seen_segments(self.lake, one.source, one.camera, one.pipeline.id, self.day)

    def _looks(self, segment: SeenSegment) -> Iterable[Look]:
        one = self.processor
        return looks_of(self.lake, one.source, one.camera, one.pipeline.id, [segment])

    def _inside(self, segment: SeenSegment) -> dict[int, list[list[float]]]:
        """Return the boxes of faces that count, by number of the look."""
        found: dict[int, list[list[float]]] = {}
        number = 0
        for frame, look in enumerate(self._looks(segment)):
            centres = (look.boxes[:, :2] + look.boxes[:, 2:]).astype(float) / 2
            zones = self.version.zones
            inside = zones.contains(centres).any(axis=0) if zones.zones else [True] * len(centres)
            counts = (look.scores >= self.options.score) & inside
            if counts.any() and number < MOST_CROPS:
                found[frame] = look.boxes[counts].tolist()
                number += int(counts.sum())
        return found

    def _images(self, segment: SeenSegment, wanted: dict[int, Any]) -> Iterable[tuple[int, Image]]:
        """Yield the pictures of some looks of a segment; none where its bytes are gone."""
        if not wanted:
            return
        scope = Scope(self.processor.source, camera=self.processor.camera, hour=segment.hour)
        rows = {row["segment"]: row for row in self.lake.read(SEGMENTS, scope).to_pylist()}
        by_time = {segment.offsets_us[frame]: frame for frame in wanted}
        try:
            with open_segment(rows[segment.segment], self.client) as file:
                seen = frames(
                    file,
                    fps=self.processor.pipeline.fps,
                    start_at=segment.start_at,
                    limits=VideoLimits.of(self.settings),
                )
                with closing(seen):
                    for picture in Whole(seen):
                        if (frame := by_time.pop(picture.offset_us, None)) is not None:
                            yield frame, picture.image
                        if not by_time:
                            return
        except VideoError:
            return


def _pixels(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return a box in pixels that covers it: left, top, right, bottom, the last two exclusive, one pixel at least."""
    left, top = max(0, math.floor(box[0] * width)), max(0, math.floor(box[1] * height))
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = min(width, math.ceil(box[2] * width)), min(height, math.ceil(box[3] * height))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _removed(folder: Path) -> int:
    files = list(folder.iterdir())
    for path in files:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # somebody keeps another one there just now
        folder.rmdir()
    return sum(path.suffix == ".jpg" for path in files)
