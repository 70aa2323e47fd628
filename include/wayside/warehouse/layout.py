"""Where published files lie, and under which names readers may rely on them.

    <table>/source=<source>/[pipeline=<pipeline>/]day=<YYYYMMDD>/<HHMM>.parquet    one slot
    <table>/source=<source>/[pipeline=<pipeline>/]day=<YYYYMMDD>.parquet           a day that was compacted
    <table>/source=<source>/[pipeline=<pipeline>/]camera=<camera>/day=<YYYYMMDD>/<HH>.parquet   an hour of segments

A slot's own file stands over the rows that the file of the day has of that slot. Whoever looks for rows looks for the
slot's file first and for the day's file after: compaction puts the day in place before it takes the slots away.

DuckDB opens a file several times for one query. So each file has a second, hidden name that never comes to mean other
rows, and which outlives a file that was replaced or compacted by an hour.
"""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from wayside.core.slots import Slot
from wayside.core.tables import Table
from wayside.store.files import refused, written
from wayside.warehouse.scope import Scope

SUFFIX: Final = ".parquet"
LOCK: Final = ".lock"
READERS_MAY_TAKE = 3600.0  # seconds
_TRIES: Final = 100  # a day that changes under a reader's eyes this often does so for another reason than writers
_SLOT_FILE: Final = re.compile(r"(?:[01][0-9]|2[0-3])[0-5]0\.parquet")
_DAY: Final = re.compile(r"day=([0-9]{8})")


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """One day of one table, source and pipeline. `folder` is where files of single slots lie."""

    folder: Path

    @property
    def file(self) -> Path:
        """The file of all slots that were compacted; it need not be there."""
        return self.folder.with_name(f"{self.folder.name}{SUFFIX}")

    @property
    def text(self) -> str:
        """The day as `YYYYMMDD`."""
        return self.folder.name.removeprefix("day=")

    def slot(self, hhmm: str) -> Slot:
        """Return the slot of this day that starts at `HHMM`."""
        return Slot.parse(f"{self.text}/{hhmm}")

    def slot_files(self) -> dict[str, Path]:
        """Return the files of single slots by `HHMM`, oldest first."""
        try:
            paths = sorted(path for path in self.folder.iterdir() if _SLOT_FILE.fullmatch(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {path.stem: path for path in paths}


@dataclass(frozen=True)
class Reading:
    """Files to read a table from, by lasting names. Of a file in `covered` the slots named beside it do not count."""

    files: list[str] = field(default_factory=list)
    covered: list[tuple[str, tuple[Slot, ...]]] = field(default_factory=list)


class Layout:
    """The published files below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, table: Table, scope: Scope) -> Path:
        """Return the file of one scope."""
        return self.root / table.name / f"{scope.path(table)}{SUFFIX}"

    def days(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
    ) -> list[Day]:
        """List the days of a table that is published by slot, sorted by source, pipeline and day."""
        found: set[Day] = set()
        for folder in self._folders(table, sources, pipelines):
            if days is None:
                texts = {match[1] for name in _names(folder) if (match := _DAY.fullmatch(name.removesuffix(SUFFIX)))}
            else:
                texts = {text for text in days if _DAY.fullmatch(f"day={text}")}
            found |= {Day(folder / f"day={text}") for text in texts}
        return sorted(day for day in found if days is None or day.folder.is_dir() or day.file.is_file())

    def files(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
        cameras: Sequence[str] | None = None,
    ) -> list[str]:
        """List the published files of a table, those of days included, kept to what the arguments name.

        `cameras` keeps to folders of cameras; tables without such are listed whole.
        """
        if "slot" in table.scope:
            listed = self.days(table, sources, days, pipelines)
            paths = [path for day in listed for path in (*day.slot_files().values(), day.file) if path.is_file()]
            return sorted(str(path) for path in paths)
        folders: Iterable[Path] = self._folders(table, sources, pipelines)
        if "camera" in table.scope:
            folders = _narrow(folders, "camera", cameras)
        for column in ("processor", "version"):
            if column in table.scope:
                folders = _narrow(folders, column, None)
        if {"day", "hour"} & set(table.scope):
            folders = _narrow(folders, "day", days)
        return sorted({str(path) for folder in folders for path in folder.glob(f"*{SUFFIX}")})

    def reading(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
        cameras: Sequence[str] | None = None,
    ) -> Reading:
        """Return what to read to see the table as it is now; the names stay good for an hour."""
        found = Reading()
        if "slot" not in table.scope:
            found.files.extend(settled(Path(name)) for name in self.files(table, sources, days, pipelines, cameras))
            return found
        for day in self.days(table, sources, days, pipelines):
            slots, whole = _settled_day(day)
            found.files.extend(slots.values())
            if whole is not None and slots:
                found.covered.append((whole, tuple(day.slot(hhmm) for hhmm in slots)))
            elif whole is not None:
                found.files.append(whole)
        return found

    def _folders(self, table: Table, sources: Sequence[str] | None, pipelines: Sequence[str] | None) -> list[Path]:
        folders = list(_narrow([self.root / table.name], "source", sources))
        if "pipeline" in table.scope:
            folders = list(_narrow(folders, "pipeline", pipelines))
        return folders


def scope_of(table: Table, root: Path, path: Path, slot: Slot | None = None) -> Scope:
    """Return the scope of a published file; `slot` is one of those that the file of a day holds."""
    parts = path.relative_to(root / table.name).parts
    values = dict(part.removesuffix(SUFFIX).split("=", 1) for part in parts if "=" in part)
    day = values.get("day")
    if "slot" in table.scope and slot is None:
        slot = Slot.parse(f"{day}/{path.stem}")
    by_day = "day" in table.scope and day is not None
    when: date | None = datetime.strptime(str(day), "%Y%m%d").date() if by_day else None  # noqa: DTZ007
    hour = datetime.strptime(f"{day}{path.stem} +0000", "%Y%m%d%H %z") if "hour" in table.scope else None
    numbers = {name: int(values[name]) for name in ("processor", "version") if name in table.scope}
    return Scope(
        values["source"],
        slot,
        values.get("pipeline"),
        when,
        values.get("run"),
        values.get("folder"),
        values.get("camera"),
        hour and hour.astimezone(UTC),
        **numbers,
    )


def lasting(path: Path, status: os.stat_result) -> Path:
    """Return the name under which this very file stays readable when another takes its place at `path`."""
    return path.with_name(f".{path.stem}-{status.st_ino}")


def settled(path: Path) -> str:
    """Return the lasting name of a published file; its own where it has none, as in a folder that was copied.

    Raises:
        FileNotFoundError: the file has gone meanwhile, into the file of its day.
    """
    status = path.stat()
    hidden = lasting(path, status)
    return str(hidden) if hidden.exists() and hidden.stat().st_ino == status.st_ino else str(path)


def _settled_day(day: Day) -> tuple[dict[str, str], str | None]:
    """Return the lasting names of a day's slots by `HHMM`, and of its file; the slots are looked for first."""
    for _ in range(_TRIES):
        try:
            slots = {hhmm: settled(path) for hhmm, path in day.slot_files().items()}
        except FileNotFoundError:  # compacted just now
            continue
        break
    else:
        slots = {hhmm: str(path) for hhmm, path in day.slot_files().items()}
    try:
        return slots, settled(day.file)
    except FileNotFoundError:
        return slots, None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one writer at a time change the files of days below `folder`; readers take no notice.

    The lock is on a file that is opened for writing: NFS refuses one on a folder, which cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT, 0o666)
    except OSError as error:
        raise refused(error, folder) from error
    try:
        _hold(handle, folder)
        yield
    finally:
        os.close(handle)


def _hold(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise refused(error, folder / LOCK) from error


def put(path: Path, data: bytes) -> None:
    """Put `data` in place of `path` in one step, with a lasting name of its own. The caller holds the lock."""
    with written(path, data) as new:
        hidden = lasting(path, new.stat())
        hidden.unlink(missing_ok=True)  # left behind by a copy of the folder, whose inodes were others
        os.link(new, hidden)
        new.replace(path)
    forget(path)


def forget(path: Path) -> None:
    """Drop the lasting names of files at `path` that were replaced so long ago that nobody reads them any more."""
    for hidden in path.parent.glob(f".{path.stem}-*"):
        drop_lasting(hidden)


def drop_lasting(hidden: Path) -> int | None:
    """Delete a lasting name that nobody reads by any more; return the bytes that this frees, None if it stays.

    The file that is in place has two names; one name alone is left of a file that was replaced, as many seconds ago as
    its state was last changed.
    """
    with contextlib.suppress(FileNotFoundError):  # of two writers the other may be faster
        status = hidden.stat()
        if status.st_nlink == 1 and time.time() - status.st_ctime > READERS_MAY_TAKE:
            hidden.unlink()
            return status.st_size
    return None


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _narrow(folders: Iterable[Path], column: str, values: Sequence[str] | None) -> Iterator[Path]:
    for folder in folders:
        if values is not None:
            yield from (path for value in values if (path := folder / f"{column}={value}").is_dir())
        elif folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.name.startswith(f"{column}="))
