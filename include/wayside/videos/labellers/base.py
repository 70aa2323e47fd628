"""What a labeller is given, what it answers, and what the import may ask of it.

Three kinds share this: a detector of our own answers at once; a service may answer hours later; a hook takes whole
videos and answers elsewhere. A labeller never raises because of one event: what cannot be labelled is a `LabelFailure`
with a reason, and the import goes on with the next.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol

from wayside.core.errors import ReasonedError

Point = tuple[float, float]
Box = tuple[float, float, float, float]

LABEL_LETTERS: Final = 100
"""Longest name of a label that is taken from outside."""

LABEL_REASONS: Final = {
    "rate_limited": "the service answered 429 until the last try",
    "refused": "the service refused the event for good, with a status of 3xx or 4xx",
    "service_error": "the service answered 5xx three times",
    "unreachable": "the service could not be reached, three times",
    "bad_answer": "the service answered at once, and not in the documented form",
    "labeller_error": "the service answered that it could not label the event",
    "no_answer": "no answer came before the deadline",
    "late": "the answer came after the deadline",
    "bad_picture": "a picture of the event cannot be decoded",
    "hook_refused": "the hook said that it did not take the video",
    "hook_failed": "the hook raised an error; the log has its traceback",
}
"""Why an event has no labels: the word in `video_events.reason`, and what it means."""


def signature(labeller: str) -> str:
    """Return a labeller as a run names it, without what may be a secret: of an address `http:` and the host."""
    kind, rest = labeller.strip().partition(":")[::2]
    host = rest.partition("//")[2] if kind in {"http", "https"} else ""
    host = host.partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"http:{host}" if host else labeller


class AnswerError(ReasonedError):
    """An answer of a label service is not of the documented form: `not_json`, `not_the_form` or `unknown_image`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of an event: the time it shows, a JPEG, and its size in pixels."""

    at: datetime
    jpeg: bytes
    kind: Literal["cover", "sample"]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class EventPictures:
    """An event that is to be labelled, with its pictures, each of another time."""

    event: str
    source: str
    camera: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class LabelOf:
    """One label of one picture.

    Attributes:
        at: time of the picture that bears it.
        name: the label.
        probability: 0..1; None where the labeller does not say.
        box: left, top, right, bottom as fractions 0..1, origin top left; None for a label of the whole picture.
        polygon: the outline, in the same coordinates.
    """

    at: datetime
    name: str
    probability: float | None
    box: Box | None = None
    polygon: tuple[Point, ...] | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a labeller said about an event; no labels at all is an answer too.

    Attributes:
        event: id of the event.
        labeller: who said it, such as `onnx:WaysideV1`.
        model_sha256: hash of the weights, if it was a model of ours.
        labels: in the order of the pictures.
    """

    event: str
    labeller: str
    model_sha256: str | None
    labels: tuple[LabelOf, ...]


@dataclass(frozen=True, slots=True)
class LabelFailure:
    """Why there are no labels: a word of `LABEL_REASONS`, and a text for people.

    `event` is the id of the event; of a hook, which takes whole videos, the SHA-256 of the video.
    """

    event: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A video for a hook.

    Attributes:
        camera: name of the camera.
        file: path of the file below its source, as the ledger knows it.
        path: where the bytes lie on this machine.
        start_at: time of the first frame.
        duration_s: length in seconds.
        sha256: hash of the content.
        sha1: hash of the content, by which the old importer knew it.
        bytes: size.
        lat: latitude in degrees, if the name told it.
        lng: longitude in degrees.
    """

    camera: str
    file: str
    path: Path
    start_at: datetime
    duration_s: float
    sha256: str
    sha1: str
    bytes: int
    lat: float | None = None
    lng: float | None = None


class LabelJob(Protocol):
    """What a labeller has to know of the job that it labels for."""

    @property
    def source(self) -> str:
        """The source whose events are labelled."""

    @property
    def run(self) -> str:
        """Name of the run."""

    @property
    def hook_data(self) -> str:
        """JSON text of the hook data; may be empty."""

    @property
    def redo(self) -> bool:
        """Whether what was labelled before is labelled anew."""


class Labeller(ABC):
    """Labels the events of one job.

    Attributes:
        name: what its labels are signed with.
        takes_videos: true: `post` each video, and `finish` after the last; `label` then adds nothing.
        answers_later: true: `send` the events, wait, `collect`; `label` and `label_all` do all three, and wait.
    """

    name: str
    takes_videos: ClassVar[bool] = False
    answers_later: ClassVar[bool] = False

    def begin(self, job: LabelJob, cameras: Sequence[str], videos: Sequence[SegmentFile] = ()) -> None:  # noqa: B027
        """Get ready, in each process that calls `label` or `post`; what was done once is not done again.

        Args:
            job: source, run and hook data.
            cameras: names of all cameras of the job.
            videos: all videos of the job that are not done yet; only a labeller that takes videos looks at them.

        Raises:
            ConfigError: the labeller cannot work as it is configured.
        """

    @abstractmethod
    def label(self, event: EventPictures) -> Labelled | LabelFailure:
        """Label one event."""

    def label_all(self, events: Iterable[EventPictures]) -> Iterator[Labelled | LabelFailure]:
        """Label events and yield what came of each as soon as it is known; `events` is read one by one."""
        for event in events:
            yield self.label(event)

    def post(self, video: SegmentFile) -> LabelFailure | None:
        """Hand a video over; None if all is well. Only a labeller that takes videos is asked to."""
        return None

    def post_all(self, videos: Iterable[SegmentFile]) -> Iterator[Labelled | LabelFailure]:
        """Hand videos over and yield what came of each, under its SHA-256; one that was taken has no labels."""
        for video in videos:
            yield self.post(video) or Labelled(video.sha256, self.name, None, ())

    def finish(self) -> bool:
        """Say that all videos of the run were handed over; false if the other side does not take note."""
        return True


class NoLabeller(Labeller):
    """Says nothing about any event."""

    name = "none"

    def label(self, event: EventPictures) -> Labelled:
        """Return no labels."""
        return Labelled(event.event, self.name, None, ())
