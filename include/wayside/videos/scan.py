"""Looking through an archive: every file becomes one row of the ledger, and every new content one too.

A file that did not change is not read again; its name is, because the pattern may be another one now. Others are read
once for their hashes, and then a little for what the video is. Of several files with the same content the first in the
order of paths has it, and keeps it; what comes later is an alias.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from wayside.core.errors import ConfigError, ReasonedError, StoreError, StoreUnavailableError, VideoError
from wayside.media.probe import VideoLimits, hashes, probe
from wayside.store.places import Entry, Place
from wayside.videos.job import ImportJob
from wayside.videos.ledger import Ledger
from wayside.videos.names import ParsedName
from wayside.videos.records import NEVER, Content, FileRow
from wayside.vision.stream import Failure, stream

_ENDINGS: Final = (
    "3g2 3gp asf avi dav divx f4v flv h264 h265 hevc m2ts m2v m4v mjpeg mjpg mkv mov mp4 mpeg mpg mts mxf ogv ts vob"
    " webm wmv"
)
VIDEO_ENDINGS: Final = frozenset(_ENDINGS.split(" "))
SLOW_REASONS: Final = frozenset({"changed", "unreadable", "unexpected", "out_of_memory"})
"""Why a file may be quarantined although its bytes are sound: it is read again by the next run."""

_EVERY: Final = 1.0  # seconds after which what was read is written down
_AT_MOST: Final = 500  # files that are written down together

Progress = Callable[[int, int, str], None]
"""Called with the number of files looked at, of all files, and the path of the last."""


@dataclass(frozen=True)
class Scanned:
    """What lies in an archive.

    Attributes:
        files: every file.
        read: files that had to be read.
        bytes_read: their size.
        contents: videos, each counted once.
        new: those that no run has seen before.
        aliases: files with the content of another one.
        quarantined: files that cannot be used, by reason.
    """

    files: int
    read: int
    bytes_read: int
    contents: int
    new: int
    aliases: int
    quarantined: Mapping[str, int]


class Names:
    """What the names of files say, and whether a file may be read at all.

    Args:
        job: how names are read.
        place: where the archive lies.
        limits: what is quarantined for its size.
    """

    def __init__(self, job: ImportJob, place: Place, limits: VideoLimits) -> None:
        self._pattern = job.names
        self._place = place
        self._limits = limits

    def of(self, entry: Entry) -> ParsedName:
        """Read a file's name and weigh its size.

        Raises:
            VideoError: why the file is not to be read. What is plainly no video is not held against the pattern.
        """
        try:
            name = self._pattern.parse(self._place.uri(entry.key), entry.modified)
        except VideoError as error:
            if error.reason == "no_match" and PurePosixPath(entry.key).suffix.lower()[1:] not in VIDEO_ENDINGS:
                raise VideoError("not_a_video", f"{entry.key!r} has no ending of a video") from error
            raise
        if not entry.bytes:
            raise VideoError("empty", "the file is empty")
        if entry.bytes > self._limits.max_bytes:
            said = f"the file has {entry.bytes} bytes, over the limit of {self._limits.max_bytes}"
            raise VideoError("too_many_bytes", said)
        return name

    def count(self) -> dict[str, int]:
        """Count the files of the archive by what can be told without reading them: `ok`, or a reason."""
        found: Counter[str] = Counter()
        for entry in self._place.entries():
            try:
                self.of(entry)
            except VideoError as error:
                found[error.reason] += 1
            else:
                found["ok"] += 1
        return dict(sorted(found.items()))


class Scan:
    """One look through an archive.

    Args:
        job: how names are read.
        place: where the archive lies.
        ledger: of the source.
        limits: what is quarantined for its size.
        workers: files read at once; 0 for one per core.
    """

    def __init__(self, job: ImportJob, place: Place, ledger: Ledger, limits: VideoLimits, workers: int = 0) -> None:
        self._job = job
        self._names = Names(job, place, limits)
        self._place = place
        self._ledger = ledger
        self._limits = limits
        self._workers = workers

    def run(self, progress: Progress = lambda *_: None) -> Scanned:
        """Look at every file.

        Raises:
            StoreUnavailableError: the archive is out of reach; what was written down so far stays.
            ConfigError: the pattern takes too long.
        """
        entries = list(self._place.entries())
        known, contents = self._ledger.files(), {one.sha256 for one in self._ledger.contents()}
        seen: list[tuple[FileRow, Content | None]] = []
        rows: dict[str, FileRow] = {}
        read = bytes_read = 0
        written = time.monotonic()
        look = partial(self._look, known, contents)
        for number, done in enumerate(stream(entries, look, workers=self._workers), 1):
            row, content, was_read = self._failed(done) if isinstance(done, Failure) else done
            read, bytes_read = read + was_read, bytes_read + was_read * row.bytes
            rows[row.path] = row
            before = known.get(row.path)
            if before is None or row != replace(before, run=row.run, present=True, updated_at=NEVER):
                seen.append((row, content))
            if len(seen) >= _AT_MOST or time.monotonic() - written > _EVERY:
                self._ledger.register(seen)
                seen, written = [], time.monotonic()
            progress(number, len(entries), row.path)
        self._ledger.register(seen)
        self._ledger.settle(rows.keys(), self._job.run)
        return _counted(rows.values(), contents, read, bytes_read)

    def _look(
        self, known: Mapping[str, FileRow], contents: Collection[str], entry: Entry
    ) -> tuple[FileRow, Content | None, bool]:
        """Return a file's row, its content if it was read and is a video, and whether it was read."""
        before = known.get(entry.key)
        same = before is not None and before.version == entry.version
        row = self._row(entry, before.sha256 if before and same else None)
        try:
            name = self._names.of(entry)
        except VideoError as error:
            return replace(row, reason=error.reason, detail=error.message), None, False
        row = replace(
            row, camera=name.camera, start_at=name.start_at, zone=name.zone, lat=name.lat, lng=name.lng,
            detail=_remark(name),
        )  # fmt: skip
        if before is not None and same and str(row.sha256) in contents:
            return row, None, False
        if before is not None and same and _is_settled(before) and not self._job.redo:
            return replace(row, reason=before.reason, detail=before.detail), None, False
        return self._read(entry, row)

    def _read(self, entry: Entry, row: FileRow) -> tuple[FileRow, Content | None, bool]:
        try:
            with self._place.open(entry.key) as file:
                found = hashes(file)
                row = replace(row, sha256=found.sha256, bytes=found.bytes)
                now = self._place.entry(entry.key)
                if now is None or now.version != entry.version:
                    raise VideoError("changed", "the file changed while it was read: somebody is writing it still")
                return row, Content.of(row, found.sha1, probe(file, self._limits)), True
        except ReasonedError as error:
            return replace(row, reason=error.reason, detail=error.message), None, True
        except StoreUnavailableError as error:
            if not self._place.reachable():
                raise
            return replace(row, reason="unreadable", detail=f"the file cannot be read, others can: {error}"), None, True

    def _row(self, entry: Entry, sha256: str | None) -> FileRow:
        return FileRow(
            entry.key, entry.version, entry.bytes, sha256, None, None, None, None, None, None, None, self._job.run,
            present=True, updated_at=NEVER,
        )  # fmt: skip

    def _failed(self, failure: Failure[Entry]) -> tuple[FileRow, None, bool]:
        """Quarantine what nobody foresaw; what is wrong with the place or the pattern ends the scan."""
        error = failure.error
        if isinstance(error, (StoreError, ConfigError)):
            raise error
        if isinstance(error, OSError):
            raise StoreUnavailableError(f"{self._place.uri(failure.item.key)} cannot be read: {error}") from error
        reason = "out_of_memory" if isinstance(error, MemoryError) else "unexpected"
        return (
            replace(self._row(failure.item, None), reason=reason, detail=f"{type(error).__name__}: {error}"),
            None,
            True,
        )


def _is_settled(before: FileRow) -> bool:
    """Tell whether a file was read in vain, and would be again: its name was understood, and its bytes are at fault."""
    return before.camera is not None and before.reason is not None and before.reason not in SLOW_REASONS


def _remark(name: ParsedName) -> str | None:
    """Say what is doubtful about a time."""
    if name.told_by == "file":
        return "the name tells no time: it is taken to start when the file was changed last"
    return {
        None: None,
        "ambiguous": "the clock showed this local time twice: the first is taken",
        "nonexistent": "the clock skipped this local time",
    }[name.note]


def _counted(rows: Collection[FileRow], before: set[str], read: int, bytes_read: int) -> Scanned:
    contents = Counter(str(row.sha256) for row in rows if row.reason is None)
    return Scanned(
        files=len(rows),
        read=read,
        bytes_read=bytes_read,
        contents=len(contents),
        new=len(contents.keys() - before),
        aliases=contents.total() - len(contents),
        quarantined=dict(sorted(Counter(row.reason for row in rows if row.reason).items())),
    )
