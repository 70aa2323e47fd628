"""What an import makes of each video, in files of its own: events, their pictures, the answers of a labeller.

    segments/<first 2 digits>/<sha256>.json   the events of a video, written after their pictures
    covers/<event>/<number>.jpg               pictures of an event; number 0 is its cover
    labels/<event>.json                       what a labeller said about it, or why it said nothing

All lie below `videos/<source>` in the state folder. Tables are made from these; a killed run finds what it had made.
"""

import contextlib
import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from wayside.core.errors import StoreError
from wayside.core.ids import source_id
from wayside.store.files import replace_file
from wayside.videos.job import holds
from wayside.videos.labellers.base import LabelFailure, Labelled
from wayside.videos.records import Content

_MICROSECOND: Final = timedelta(microseconds=1)
EVENT: Final = re.compile(r"[0-9a-f]{16}-[0-9]{1,12}|[0-9a-f]{64}")
"""The id of an event, or of a video that was answered for as a whole."""

D = TypeVar("D", bound=BaseModel)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class EventPicture(_Document):
    """A picture of an event: its time in microseconds from the start of the segment, and its size in pixels."""

    at_us: int
    kind: Literal["cover", "sample"]
    width: int
    height: int


class Event(_Document):
    """An event; times in microseconds from the start of the segment, the rest as in `wayside.media.motion`."""

    event: str
    start_us: int
    end_us: int
    score: float
    cover_us: int
    colours: tuple[str, ...]
    direction: str | None
    pictures: tuple[EventPicture, ...]


class SegmentEvents(_Document):
    """The events of a video, and under which settings and for which start they were found."""

    segment: str
    cut: str
    start_at: AwareDatetime
    reason: str | None = None
    detail: str | None = None
    events: tuple[Event, ...]

    def fits(self, content: Content) -> bool:
        """Tell whether it is what is wanted of a content."""
        return holds(self.cut, content.cut or "") and self.start_at == content.start_at


class AnsweredLabel(_Document):
    """One label, as in `wayside.videos.labellers`, but with its time in microseconds from the start of the segment.

    So it holds where another pattern or time zone makes its video start at another time.
    """

    at_us: int
    name: str
    probability: float | None = None
    box: tuple[float, float, float, float] | None = None
    polygon: tuple[tuple[float, float], ...] | None = None


class Answer(_Document):
    """What a labeller said about an event, or why it said nothing; `run` is the one that asked."""

    event: str
    cut: str
    labelling: str
    run: str
    labeller: str
    model_sha256: str | None = None
    labels: tuple[AnsweredLabel, ...] = ()
    reason: str | None = None
    detail: str | None = None

    def fits(self, content: Content) -> bool:
        """Tell whether it answers for the event as it is now, and to the labeller that is asked now, if any is."""
        return holds(self.cut, content.cut or "") and (
            not content.labelling or holds(self.labelling, content.labelling)
        )


def event_id(sha256: str, start_us: int) -> str:
    """Return the id of an event: 16 hex digits of its segment, and its start in milliseconds.

    An event that is found again under other settings keeps its id, and a verdict on it holds; another one gets another.
    """
    return f"{sha256[:16]}-{start_us // 1000}"


class Shelf:
    """The files of one source.

    Args:
        state: the state folder.
        source: name of the source.
    """

    def __init__(self, state: Path, source: str) -> None:
        self.root = state / "videos" / source_id(source)
        self.covers = self.root / "covers"

    def save_events(self, found: SegmentEvents) -> None:
        """Write the events of a video; their pictures lie there already."""
        replace_file(self._segment(found.segment), _bytes(found))

    def events(self, content: Content) -> SegmentEvents | None:
        """Return the events of a video, None if they were never found under the settings that are wanted."""
        found = self.events_before(content.sha256)
        return found if found is not None and found.fits(content) else None

    def events_before(self, sha256: str) -> SegmentEvents | None:
        """Return the events of a video that were found last, under whatever settings."""
        return _read(self._segment(sha256), SegmentEvents)

    def save_picture(self, event: str, number: int, jpeg: bytes) -> None:
        """Write a picture of an event."""
        replace_file(self.covers / picture_key(event, number), jpeg)

    def picture(self, event: str, number: int) -> bytes | None:
        """Return a picture of an event, None if it was removed meanwhile."""
        try:
            return (self.covers / picture_key(event, number)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"a picture of event {event} cannot be read: {error.strerror}") from error

    def has_pictures(self, found: SegmentEvents) -> bool:
        """Tell whether the pictures of all events are there still."""
        return all(
            (self.covers / picture_key(one.event, number)).is_file()
            for one in found.events
            for number in range(len(one.pictures))
        )

    def drop(self, event: str) -> None:
        """Remove pictures and answer of an event that a video does not have any more."""
        shutil.rmtree(self.covers / event, ignore_errors=True)
        self._answer(event).unlink(missing_ok=True)

    def save_answer(self, answer: Answer) -> None:
        """Write what was said about an event, in place of what was said before."""
        replace_file(self._answer(answer.event), _bytes(answer))

    def answer(self, event: str, content: Content) -> Answer | None:
        """Return what was said about an event of a content, None if nobody has answered as it is wanted."""
        found = _read(self._answer(event), Answer)
        return found if found is not None and found.fits(content) else None

    def _segment(self, sha256: str) -> Path:
        return self.root / "segments" / sha256[:2] / f"{sha256}.json"

    def _answer(self, event: str) -> Path:
        return self.root / "labels" / f"{event}.json"


def picture_key(event: str, number: int) -> str:
    """Return the key of a picture in the folder of covers."""
    return f"{event}/{number}.jpg"


def answer_of(said: Labelled | LabelFailure, content: Content, run: str, labeller: str) -> Answer:
    """Return what is kept of an answer to `run`, which has asked `labeller`."""
    about: dict[str, Any] = {
        "event": said.event, "cut": content.cut or "", "labelling": content.labelling or "", "run": run,
    }  # fmt: skip
    if isinstance(said, LabelFailure):
        return Answer(labeller=labeller, reason=said.reason, detail=said.message, **about)
    labels = tuple(
        AnsweredLabel(
            at_us=(one.at - content.start_at) // _MICROSECOND,
            name=one.name,
            probability=one.probability,
            box=one.box,
            polygon=one.polygon,
        )
        for one in said.labels
    )
    return Answer(labeller=said.labeller, model_sha256=said.model_sha256, labels=labels, **about)


def at(content: Content, offset_us: int) -> datetime:
    """Return the time of an offset from the start of a content."""
    return content.start_at + offset_us * _MICROSECOND


def _bytes(document: BaseModel) -> bytes:
    return json.dumps(document.model_dump(mode="json"), indent=1, ensure_ascii=False).encode()


def _read(path: Path, kind: type[D]) -> D | None:
    """Read a document; None if there is none or it cannot be understood (it is then made anew)."""
    with contextlib.suppress(FileNotFoundError, ValidationError, UnicodeDecodeError):
        try:
            return kind.model_validate_json(path.read_bytes())
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    return None
