"""From one video to its events: decode, look for motion, write the pictures of each event, then what was found.

The order loses nothing: pictures, then the document that names them, then the ledger. A run that is killed before the
document does the video again; after it, the next run takes the document. A video that breaks off keeps the events of
the part that can be read, and says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

import cv2
import numpy as np

from wayside.core.errors import ConfigError, StoreError, StoreUnavailableError, VideoError
from wayside.media.container import VideoLimits
from wayside.media.frames import Image, Whole, frames, pictures
from wayside.media.motion import Motion, motion_events
from wayside.store.places import Place
from wayside.videos.hookdata import CameraPlan, fitted
from wayside.videos.job import ImportJob
from wayside.videos.ledger import Ledger
from wayside.videos.records import Content
from wayside.videos.scan import SLOW_REASONS
from wayside.videos.shelf import Event, EventPicture, SegmentEvents, Shelf, event_id
from wayside.vision.decode import encode_jpeg
from wayside.vision.stream import Failure

LONGEST_SIDE: Final = 1280
"""Pixels of a picture of an event where the hook data say nothing."""

_MEMORY: Final = 256 * 2**20  # bytes of decoded pictures that are held at once
_NOT_ITS_FAULT: Final = SLOW_REASONS | {"gone"}


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a video of a shard.

    Attributes:
        sha256: its content.
        file: the first file that has it; empty where the ledger does not know it any more.
        outcome: `cut` just now; `known` from before; `failed`; `elsewhere`: another run has taken it over.
        events: how many there are.
        seconds: length of the video.
        reason, detail: why it failed, or what was lost.
    """

    sha256: str
    file: str
    outcome: Literal["cut", "known", "failed", "elsewhere"]
    events: int = 0
    seconds: float = 0.0
    reason: str | None = None
    detail: str | None = None


class Cutter:
    """Finds the events of videos of one run.

    Args:
        job: how.
        place: where the videos lie.
        ledger: of the source.
        shelf: where events and pictures are kept.
        limits: what is not decoded.
    """

    def __init__(self, job: ImportJob, place: Place, ledger: Ledger, shelf: Shelf, limits: VideoLimits) -> None:
        self._job = job
        self._hooks = job.hooks
        self._place = place
        self._ledger = ledger
        self._shelf = shelf
        self._limits = limits

    def do(self, sha256: str) -> Done:
        """Do one video, unless it is done: of two runs at once the second waits for the first, and finds what it made.

        Raises:
            StoreUnavailableError: the archive is out of reach.
            StoreError: something of ours cannot be written.
        """
        with self._ledger.turn(sha256):
            content = self._ledger.content(sha256)
            if content is None or content.state in {"seen", "replaced"}:
                return Done(sha256, "", "elsewhere")
            if content.state == "failed":
                return _done(content, "failed", 0, content.reason, content.detail)
            if content.state != "planned":
                return _done(content, "known", content.events or 0, content.reason, content.detail)
            if content.job != self._job.run:
                return _done(content, "elsewhere")
            try:
                return self._do(content)
            except VideoError as error:
                return self.refuse(content, error.reason, error.message, again=error.reason in _NOT_ITS_FAULT)
            except StoreUnavailableError as error:
                if not self._place.reachable():
                    raise
                return self.refuse(content, "unreadable", f"the file cannot be read, others can: {error}", again=True)

    def refuse(self, content: Content, reason: str, detail: str, *, again: bool) -> Done:
        """Note down that nothing can be made of a video; `again`: the next run may have better luck."""
        self._ledger.failed(content, reason, detail, again=again)
        return _done(content, "failed", 0, reason, detail)

    def failed(self, failure: Failure[str]) -> Done:
        """Note down what nobody foresaw; what is wrong with a place or the installation is raised."""
        error, content = failure.error, self._ledger.content(failure.item)
        if isinstance(error, (StoreError, ConfigError)) or content is None:
            raise error
        reason = "out_of_memory" if isinstance(error, MemoryError) else "unexpected"
        return self.refuse(content, reason, f"{type(error).__name__}: {error}"[:500], again=True)

    def _do(self, content: Content) -> Done:
        found = self._shelf.events(content)
        known = found is not None and self._is_enough(content, found)
        if found is None or not known:
            before = self._shelf.events_before(content.sha256)
            found = self._cut(content)
            self._shelf.save_events(found)
            self._tidy(before, found)
        if not self._ledger.processed(content, len(found.events), found.reason, found.detail):
            return _done(content, "elsewhere")
        return _done(content, "known" if known else "cut", len(found.events), found.reason, found.detail)

    def _tidy(self, before: SegmentEvents | None, now: SegmentEvents) -> None:
        """Remove what belongs to events that a video does not have any more."""
        events = {one.event for one in now.events}
        for one in before.events if before else ():
            if one.event not in events:
                self._shelf.drop(one.event)

    def _is_enough(self, content: Content, found: SegmentEvents) -> bool:
        """Tell whether events that were found before will do: with pictures, where something is to be labelled."""
        waits = content.labelling and any(self._shelf.answer(one.event, content) is None for one in found.events)
        return not waits or self._shelf.has_pictures(found)

    def _cut(self, content: Content) -> SegmentEvents:
        """Find the events of a video and write their pictures."""
        with self._open(content) as file:
            options = self._job.motion
            looks = frames(file, fps=options.fps, start_at=content.start_at, limits=self._limits)
            whole = Whole(looks)
            found = motion_events(whole, options)
            events = tuple(self._events(content, file, found))
        lost = whole.error
        return SegmentEvents(
            segment=content.sha256,
            cut=content.cut or "",
            start_at=content.start_at,
            reason=lost.reason if lost else None,
            detail=lost.message if lost else None,
            events=events,
        )

    def _open(self, content: Content) -> BinaryIO:
        """Open the file of a content, if it is still the one that was hashed."""
        known = self._ledger.file(content.first_file)
        now = self._place.entry(content.first_file)
        if now is None:
            raise VideoError("gone", f"{content.first_file} is not there any more")
        if known is None or known.version != now.version or known.sha256 != content.sha256:
            raise VideoError("changed", f"{content.first_file} has changed since it was hashed: import once more")
        return self._place.open(content.first_file)

    def _events(self, content: Content, file: BinaryIO, found: Sequence[Motion]) -> Iterator[Event]:
        """Write the pictures of events, some events at a time, and yield the events."""
        plan = self._hooks.of(content.camera)
        most = max(1, _MEMORY // (3 * content.width * content.height))
        waiting = iter(found)
        while some := list(_until(waiting, most)):
            offsets = [at for motion in some for at in (motion.cover_us, *motion.sample_us)]
            images = pictures(file, offsets, limits=self._limits)
            for motion in some:
                yield self._event(content, motion, images, plan)

    def _event(self, content: Content, motion: Motion, images: dict[int, Image], plan: CameraPlan) -> Event:
        event = event_id(content.sha256, motion.start_us)
        times = [at for at in dict.fromkeys((motion.cover_us, *motion.sample_us)) if at in images]
        kept = []
        for number, at_us in enumerate(times):
            kind: Literal["cover", "sample"] = "sample" if number else "cover"
            image = _sized(images[at_us], plan, cover=not number)
            self._shelf.save_picture(event, number, encode_jpeg(image))
            kept.append(EventPicture(at_us=at_us, kind=kind, width=image.shape[1], height=image.shape[0]))
        return Event(
            event=event,
            start_us=motion.start_us,
            end_us=max(motion.start_us + 1, min(motion.end_us, round(content.duration_s * 1_000_000))),
            score=round(motion.score, 6),
            cover_us=motion.cover_us,
            colours=motion.colours,
            direction=motion.direction,
            pictures=tuple(kept),
        )


def _until(waiting: Iterator[Motion], most: int) -> Iterator[Motion]:
    """Yield events whose pictures are about `most` together, one event at least."""
    held = 0
    for motion in waiting:
        yield motion
        held += 1 + len(motion.sample_us)
        if held >= most:
            return


def _sized(image: Image, plan: CameraPlan, *, cover: bool) -> Image:
    """Shrink a picture to the size that is wanted of a camera; it is never made larger."""
    height, width = image.shape[:2]
    said = (plan.cover_x, plan.cover_y) if cover else (plan.image_x, plan.image_y)
    most = said if any(said) else (LONGEST_SIDE, LONGEST_SIDE)
    size = fitted(width, height, *most)
    return (
        image
        if size == (width, height)
        else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    )


def _done(
    content: Content,
    outcome: Literal["cut", "known", "failed", "elsewhere"],
    events: int = 0,
    reason: str | None = None,
    detail: str | None = None,
) -> Done:
    return Done(content.sha256, content.first_file, outcome, events, content.duration_s, reason, detail)
