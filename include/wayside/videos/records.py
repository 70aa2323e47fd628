"""Rows of the ledger: a file of an archive, a content that files have, and what a plan wants of one."""

import sqlite3
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal

from wayside.media.probe import Probe

State = Literal["seen", "planned", "processed", "labelled", "exported", "failed", "replaced"]

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the archive as it was last seen.

    Attributes:
        path: below the archive.
        version: of its content, as the place tells it without reading.
        bytes: its size.
        sha256: hash of its content; None where it was not read.
        camera, start_at, zone, lat, lng: what its name says; None where it says nothing.
        reason, detail: why it is quarantined.
        run: that saw it last.
        present: whether it is still there.
        updated_at: when this row was changed.
    """

    path: str
    version: str
    bytes: int
    sha256: str | None
    camera: str | None
    start_at: datetime | None
    zone: str | None
    lat: float | None
    lng: float | None
    reason: str | None
    detail: str | None
    run: str
    present: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are a video, whatever files have them.

    Attributes:
        sha256, sha1, bytes: of the bytes.
        first_file: the file that came first, and names camera and time.
        camera, start_at, zone, lat, lng: what its name says.
        duration_s, fps, variable_fps, frames, width, height, rotation, codec, audio: as in `wayside.media.probe`.
        state: how far it is.
        reason, detail: why it failed, or what was lost of it.
        again: of a failure: the next run may have better luck.
        cut, labelling: ids of the settings under which it is or was done, see `ImportJob`.
        events: how many were found.
        unanswered: how many of them have no labels because labelling failed.
        job, shard: the run that took it last, and the part of it.
        revision: counts changes of what tables say of it.
        published: the revision that the tables have.
        at_camera, at_hour: where its published rows lie.
        updated_at: when this row was changed.
    """

    sha256: str
    sha1: str
    bytes: int
    first_file: str
    camera: str
    start_at: datetime
    zone: str
    lat: float | None
    lng: float | None
    duration_s: float
    fps: float
    variable_fps: bool
    frames: int | None
    width: int
    height: int
    rotation: int
    codec: str
    audio: bool
    state: State = "seen"
    reason: str | None = None
    detail: str | None = None
    again: bool = False
    cut: str | None = None
    labelling: str | None = None
    events: int | None = None
    unanswered: int = 0
    job: str | None = None
    shard: int | None = None
    revision: int = 0
    published: int = -1
    at_camera: str | None = None
    at_hour: datetime | None = None
    updated_at: datetime = NEVER

    @property
    def hour(self) -> datetime:
        """The UTC hour in which it starts."""
        return self.start_at.replace(minute=0, second=0, microsecond=0)

    @classmethod
    def of(cls, file: FileRow, sha1: str, probe: Probe) -> "Content":
        """Return the row of a content that nobody has seen before."""
        # The caller has read it and its name.
        sha256, camera, start_at, zone = str(file.sha256), str(file.camera), file.start_at or NEVER, str(file.zone)
        return cls(
            sha256, sha1, file.bytes, file.path, camera, start_at, zone, file.lat, file.lng,
            probe.duration_s, probe.fps, probe.variable_fps, probe.frames, probe.width, probe.height, probe.rotation,
            probe.codec, probe.audio,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a plan wants of a content: where it goes on from, under which settings, in which part of which run."""

    content: Content
    state: State
    cut: str
    labelling: str
    job: str
    shard: int


def from_row(kind: Any, row: sqlite3.Row) -> Any:
    """Make an object of a row: times of texts, truths of numbers."""
    made = {}
    for field in fields(kind):
        value = row[field.name]
        if value is not None and field.type in {datetime, datetime | None}:
            value = datetime.fromisoformat(value)
        made[field.name] = bool(value) if field.type is bool else value
    return kind(**made)


def as_text(when: datetime) -> str:
    """Write a time so that texts sort as times do."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")
