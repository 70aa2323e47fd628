"""What tests of labellers share: a clock that only sleeping moves, events with pictures, and a job."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.peers.pictures import jpeg

from wayside.videos.labellers.base import EventPictures, Picture

START = datetime(2026, 5, 2, 9, 40, 0, 123456, tzinfo=UTC)
JPEG = jpeg(64, 48)


@dataclass
class Time:
    """A clock that is read, and moved by whoever sleeps."""

    now: datetime = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Job:
    source: str = "Boat"
    run: str = "run-1"
    hook_data: str = ""
    redo: bool = False


def event(camera: str, number: int = 0, *, pictures: int = 2, data: bytes = JPEG) -> EventPictures:
    """An event of a camera: a cover and samples, a second apart."""
    taken = [
        Picture(START + timedelta(seconds=second), data, "sample" if second else "cover", 64, 48)
        for second in range(pictures)
    ]
    return EventPictures(f"{camera}-{number}", "Boat", camera, tuple(taken))
