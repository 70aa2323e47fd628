"""Bookmarks: moments of cameras and the labels that they bear, as they are exchanged with review tools.

What a bookmark may hold is checked when it is made, so that every format can carry every one: texts have no control
characters, fractions lie in 0..1, times are UTC, and no image comes twice.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wayside.core.errors import ConfigError

MAX_BYTES: Final = 128 * 2**20
"""Largest file of bookmarks that is read."""
MAX_TEXT: Final = 512
MAX_PATH: Final = 4096
MAX_POINTS: Final = 1000
"""Characters of a name and of a path, corners of a polygon."""
FIRST_YEAR, LAST_YEAR = 1970, 9998

SHA1: Final = re.compile(r"[0-9a-f]{40}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# Controls, halves of surrogate pairs, and the two last of each plane, which are no characters: XML carries none.
_LAST_OF_PLANES: Final = "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_ODD: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_LAST_OF_PLANES}]")

Box = tuple[float, float, float, float]
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class BookmarkLabel:
    """A label of an image.

    Attributes:
        name: any text, also none.
        probability: 0..1; None where nobody said.
        box: left, top, right, bottom; fractions of the picture, origin top left.
        polygon: three corners or more, the same.
    """

    name: str
    probability: float | None = None
    box: Box | None = None
    polygon: Polygon | None = None

    def __post_init__(self) -> None:
        checked(self.name, "a label")
        if self.probability is not None:
            _fraction(self.probability, f"the probability of {self.name!r}")
        if self.box is not None:
            _box(self.box, self.name)
        if self.polygon is not None:
            _polygon(self.polygon, self.name)


@dataclass(frozen=True, slots=True)
class BookmarkEvent:
    """The event that an image is of: its id, and when it begins and ends (UTC)."""

    id: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not checked(self.id, "the id of an event"):
            raise ConfigError("an event has an empty id")
        object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "end", _utc(self.end))
        if self.end < self.start:
            raise ConfigError(f"event {self.id} ends before it begins")


@dataclass(frozen=True, slots=True)
class BookmarkImage:
    """A moment of a camera.

    Attributes:
        at: when, UTC.
        camera: the camera's name for people.
        camera_id: its id; None where only the name is known.
        labels: in the order in which they were given.
        event: the event that it is of.
        source_file: path of the video below its source.
        source_sha256: hash of the video.
        sha1: hashes of the videos that it may come from, in the order in which they were given.
    """

    at: datetime
    camera: str
    camera_id: str | None = None
    labels: tuple[BookmarkLabel, ...] = ()
    event: BookmarkEvent | None = None
    source_file: str | None = None
    source_sha256: str | None = None
    sha1: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _utc(self.at))
        if not checked(self.camera, "the name of a camera"):
            raise ConfigError(f"the image of {text_of(self.at)} has no camera")
        for value, what, most in (
            (self.camera_id, "the id of a camera", MAX_TEXT),
            (self.source_file, "the path of a video", MAX_PATH),
        ):
            if value is not None and not checked(value, what, most):
                raise ConfigError(f"{what} is empty")
        if self.source_sha256 is not None and not SHA256.fullmatch(self.source_sha256):
            raise ConfigError(f"{self.source_sha256[:80]!r} is no SHA-256: 64 hexadecimal digits in lower case")
        if wrong := [digest for digest in self.sha1 if not SHA1.fullmatch(digest)]:
            raise ConfigError(f"{wrong[0][:80]!r} is no SHA-1: 40 hexadecimal digits in lower case")
        object.__setattr__(self, "sha1", tuple(dict.fromkeys(self.sha1)))

    @property
    def event_id(self) -> str | None:
        """The id of its event."""
        return self.event.id if self.event else None

    @property
    def key(self) -> tuple[datetime, str, str]:
        """Moment, camera and event: no two images of a file have the same, and images are sorted by it."""
        return self.at, self.camera, self.event_id or ""


@dataclass(frozen=True)
class Bookmarks:
    """All images of a job, sorted by time and camera.

    Attributes:
        job: id of the job that made them.
        earliest, latest: the time that the job is about, UTC.
        images: no two of one camera, moment and event.
    """

    job: str | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    images: tuple[BookmarkImage, ...] = ()

    def __post_init__(self) -> None:
        if self.job is not None and not checked(self.job, "the id of a job"):
            object.__setattr__(self, "job", None)
        for name in ("earliest", "latest"):
            if (moment := getattr(self, name)) is not None:
                object.__setattr__(self, name, _utc(moment))
        images = tuple(sorted(self.images, key=lambda image: image.key))
        object.__setattr__(self, "images", images)
        twice = [key for key, times in Counter(image.key for image in images).items() if times > 1]
        if twice:
            at, camera, event = min(twice)
            of = f", event {event}" if event else ""
            raise ConfigError(f"camera {camera!r} has two images of {text_of(at)}{of}")

    @property
    def labels(self) -> int:
        """How many labels the images bear together; SHA-1s of videos are not labels."""
        return sum(len(image.labels) for image in self.images)


def text_of(moment: datetime) -> str:
    """Write a UTC time: `2016-10-09T06:17:36.923Z`, with six decimals where three do not do."""
    unit = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.astimezone(UTC).isoformat(timespec=unit).replace("+00:00", "Z")


def time_of(text: str, what: str = "a time") -> datetime:
    """Read an ISO time, `Z`, `-0000` or any offset behind it; one without is UTC, as the video importer meant it.

    Raises:
        ConfigError: it is none, or lies outside of the years that are known.
    """
    if _TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
            return _utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            pass
    raise ConfigError(f"{what} is {text[:60]!r}: write 2016-10-09T06:17:36.923Z")


def checked(text: str, what: str, most: int = MAX_TEXT) -> str:
    """Return a text that every format can carry; raise `ConfigError` for any other."""
    if len(text) > most:
        raise ConfigError(f"{what} has {len(text)} characters; at most {most} are allowed: {text[:60]!r}")
    if odd := _ODD.search(text):
        code = f"U+{ord(odd[0]):04X}"
        raise ConfigError(f"{what} has the character {code}, which not every format can carry: {text[:60]!r}")
    return text


def carried(text: str) -> str:
    """Return a text of a table, say the name of a file, with U+FFFD for each character that not every format carries.

    Of one that is too long the beginning is left.
    """
    return _ODD.sub("\ufffd", text)[:MAX_TEXT]


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} has no time zone")
    here = moment.astimezone(UTC)
    if not FIRST_YEAR <= here.year <= LAST_YEAR:
        raise ConfigError(f"{moment.isoformat()} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
    return here


def _fraction(value: float, what: str) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ConfigError(f"{what} is {value}: write 0 to 1")


def _box(box: Sequence[float], name: str) -> None:
    if len(box) != 4:
        raise ConfigError(f"the box of {name!r} has {len(box)} numbers: write left, top, right, bottom")
    for value in box:
        _fraction(value, f"an edge of the box of {name!r}")
    left, top, right, bottom = box
    if left > right or top > bottom:
        raise ConfigError(f"the box of {name!r} is upside down: write left, top, right, bottom")


def _polygon(polygon: Sequence[Sequence[float]], name: str) -> None:
    if not 3 <= len(polygon) <= MAX_POINTS:
        raise ConfigError(f"the polygon of {name!r} has {len(polygon)} corners; 3 to {MAX_POINTS} are allowed")
    for point in polygon:
        if len(point) != 2:
            raise ConfigError(f"a corner of the polygon of {name!r} has {len(point)} numbers: write x, y")
        for value in point:
            _fraction(value, f"a corner of the polygon of {name!r}")
