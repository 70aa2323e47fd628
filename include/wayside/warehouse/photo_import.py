"""Records that the replaced system left behind as JSON files, registered in a table of photos, each once.

Files are read in batches. A batch is written down with a name of its own before it is sent, and the table's ledger
takes a name once; what became of each file is noted in a journal when the batch is committed, and only then is a file
moved to the archive. So an import that is killed anywhere goes on from there, and a file that is wrong is one line in
the summary.
"""

import errno
import fcntl
import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import AuditError, ConfigError
from wayside.metadata.legacyjson import MAX_BYTES, RecordError, read_record
from wayside.metadata.rows import RowMaker
from wayside.store.files import refused as disk_refused
from wayside.store.files import replace_file
from wayside.warehouse.outbox import Batch
from wayside.warehouse.photo_rows import Item, batch_rows
from wayside.warehouse.photo_target import PhotoTarget, Refusal, Upserted, cut

BATCH_FILES: Final = 2_000
_BATCH_BYTES: Final = 64 * 2**20
_SHOWN: Final = 1_000  # of each list of a summary; the journal has all
_JOURNAL: Final = """CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT)"""


@dataclass
class Imported:
    """What became of the files of a folder.

    Attributes:
        files: files that were looked at.
        before: those of them that an earlier run had registered.
        registered: those that are registered now.
        inserted: new rows of theirs.
        updated: rows of theirs that were there.
        archived: files that were moved to the archive.
        bad: files that hold no record, with the reason; of very many the first.
        refused: files whose rows the table refuses.
        corrected: files of which something was put right.
        notes: what is to be said about others.
        wrong: how many files are bad or refused.
    """

    files: int = 0
    before: int = 0
    registered: int = 0
    inserted: int = 0
    updated: int = 0
    archived: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    corrected: int = 0
    notes: list[str] = field(default_factory=list)
    wrong: int = 0

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.files} files: {self.registered} registered ({self.inserted} inserted, {self.updated} updated), "
            f"{self.before} before, {self.wrong} wrong, {self.corrected} put right, {self.archived} archived"
        )


@dataclass(frozen=True, slots=True)
class _File:
    """A file, by its path below the folder as it is shown, with what tells whether it has changed."""

    path: Path
    shown: str
    size: int
    changed: int


@dataclass(frozen=True)
class _Source:
    """What is imported, and how."""

    folder: Path
    archive: Path | None
    flip_wkt: bool


def import_folder(
    folder: Path,
    target: PhotoTarget,
    work: Path,
    *,
    flip_wkt: bool = False,
    archive: Path | None = None,
    compat: bool = False,
    again: bool = False,
    place: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Register all records below a folder.

    Args:
        folder: its files `*.json`, at any depth.
        target: the table.
        work: folder for the journal and for the batch that is under way.
        flip_wkt: exchange the first two numbers of each `exif_gpsposisjon`.
        archive: where files go, below the same sub-folders, once their rows are committed; None to leave them.
        compat: see `wayside.metadata.rows.RowMaker`.
        again: also register files that an earlier run has.
        place: which database it is, so that another has a journal of its own.
        progress: is told the number of files that are done, again and again.

    Raises:
        ConfigError: there is no such folder, or the same import is running.
        AuditError: more rows of a batch are refused than may be; what went before it stays registered.
        TransientError: the database could not be reached; the next run carries on.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder")
    source = _Source(folder.resolve(), archive.resolve() if archive else None, flip_wkt)
    said = json.dumps([str(source.folder), target.layout.name.upper(), target.schema, place, flip_wkt, compat])
    root = work / hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    with _alone(root), closing(sqlite3.connect(root / "journal.sqlite")) as journal:
        journal.execute(_JOURNAL)
        work_on = _Import(source, target, root, journal, RowMaker(target.layout, compat=compat))
        return work_on.run(again, progress)


class _Import:
    """One import at work: it holds the lock on its folder."""

    def __init__(
        self, source: _Source, target: PhotoTarget, root: Path, journal: sqlite3.Connection, maker: RowMaker
    ) -> None:
        self.source = source
        self.target = target
        self.root = root
        self.journal = journal
        self.maker = maker
        self.done = Imported()

    def run(self, again: bool, progress: Callable[[int], None]) -> Imported:
        resumed = set(self._finish())  # what a run before had under way; told as done by this one
        self.done.files += len(resumed)
        if again:
            with self.journal:
                self.journal.execute("DELETE FROM files")
        for files in self._parts(resumed):
            self._take(files)
            progress(self.done.files)
        return self.done

    def _parts(self, resumed: set[_File]) -> Iterator[list[_File]]:
        """Yield files that are to be registered, so many at a time; archive those that are."""
        part: list[_File] = []
        size = 0
        for file in _files(self.source.folder, self.source.archive):
            if file in resumed:
                continue
            self.done.files += 1
            if self._registered(file):
                self.done.before += 1
                self._archive(file)
                continue
            part.append(file)
            size += file.size
            if len(part) >= BATCH_FILES or size >= _BATCH_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _take(self, files: list[_File]) -> None:
        items: list[Item] = []
        taken: list[_File] = []
        bad: list[tuple[_File, str]] = []
        for file in files:
            try:
                items.append(self._item(file))
                taken.append(file)
            except RecordError as error:
                bad.append((file, f"{error.reason}: {error}"))
            except OSError as error:
                bad.append((file, f"unreadable: {error.strerror}"))
        self._note([(file, "bad", reason) for file, reason in bad])
        self.done.wrong += len(bad)
        self.done.bad += [(file.shown, reason) for file, reason in bad[: _SHOWN - len(self.done.bad)]]
        if items:
            self._open(batch_rows(self.target.table, self.maker, items), taken)
            self._finish()

    def _item(self, file: _File) -> Item:
        with file.path.open("rb") as stream:
            legacy = read_record(stream.read(MAX_BYTES + 1), flip_wkt=self.source.flip_wkt)
        self.done.corrected += bool(legacy.changes)
        left_out = tuple(change for change in legacy.changes if "left out" in change)
        changed = datetime.fromtimestamp(file.changed / 1e9, UTC)
        return Item(file.shown, changed, legacy.record, notes=left_out)

    def _open(self, rows: pa.Table, files: list[_File]) -> None:
        """Write a batch down: what is in it, and then that it is under way."""
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        replace_file(self.root / "batch.parquet", sink.getvalue().to_pybytes())
        name = f"{self.target.table.name.replace('_', '-')}-import-{secrets.token_hex(8)}"
        listed = [[file.shown, os.fsencode(file.path).hex(), file.size, file.changed] for file in files]
        replace_file(self.root / "open.json", json.dumps({"name": name, "files": listed}).encode())

    def _finish(self) -> list[_File]:
        """Send the batch that is under way, if there is one; note what became of its files, and archive them."""
        try:
            document: dict[str, Any] = json.loads((self.root / "open.json").read_bytes())
        except FileNotFoundError:
            return []
        files = [_File(Path(os.fsdecode(bytes.fromhex(p))), shown, s, c) for shown, p, s, c in document["files"]]
        batch = Batch(self.target.table, document["name"], (), self.root / "batch.parquet")
        try:
            sent = self.target.upsert(batch)
        except AuditError:
            self._close()
            raise
        refused = {cut(one.photo): one.reason for one in sent.refused}
        reasons = [refused.get(cut(file.shown)) for file in files]
        self._note(
            [
                (file, "registered" if reason is None else "refused", reason)
                for file, reason in zip(files, reasons, strict=True)
            ]
        )
        self._close()
        self._count(sent)
        for file, reason in zip(files, reasons, strict=True):
            if reason is None:
                self._archive(file)
        return files

    def _close(self) -> None:
        (self.root / "open.json").unlink()
        (self.root / "batch.parquet").unlink(missing_ok=True)

    def _count(self, sent: Upserted) -> None:
        self.done.registered += sent.rows - len(sent.refused)
        self.done.inserted += sent.inserted
        self.done.updated += sent.updated
        self.done.wrong += len(sent.refused)
        self.done.refused += sent.refused[: _SHOWN - len(self.done.refused)]
        self.done.notes += sent.notes[: _SHOWN - len(self.done.notes)]

    def _registered(self, file: _File) -> bool:
        asked = "SELECT 1 FROM files WHERE path = ? AND size = ? AND changed = ? AND outcome = 'registered'"
        return self.journal.execute(asked, (file.shown, file.size, file.changed)).fetchone() is not None

    def _note(self, outcomes: list[tuple[_File, str, str | None]]) -> None:
        with self.journal:
            self.journal.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                [(file.shown, file.size, file.changed, outcome, reason) for file, outcome, reason in outcomes],
            )

    def _archive(self, file: _File) -> None:
        """Move a file whose row is committed; one that has changed since stays, and is read by the next run."""
        if self.source.archive is None:
            return
        try:
            now = file.path.stat()
            if (now.st_size, now.st_mtime_ns) != (file.size, file.changed):
                return
            move(file.path, self.source.archive / file.path.relative_to(self.source.folder))
        except FileNotFoundError:
            return  # it was moved before
        except OSError as error:
            raise disk_refused(error, file.path) from error
        self.done.archived += 1


def move(source: Path, to: Path) -> None:
    """Move a file, also to another disk. What lies there and is not the same stays; the name then gains a hash."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.exists():
        data = source.read_bytes()
        if to.read_bytes() == data:
            source.unlink()
            return
        to = to.with_name(f"{to.stem}.{hashlib.sha256(data).hexdigest()[:16]}{to.suffix}")
    try:
        source.rename(to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        replace_file(to, source.read_bytes())
        source.unlink()


def _files(folder: Path, archive: Path | None) -> Iterator[_File]:
    """Yield the JSON files below a folder, sorted within each; neither links nor what is in the archive."""
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if here / name != archive)
        for name in sorted(names):
            path = here / name
            if not name.lower().endswith(".json") or path.is_symlink() or not path.is_file():
                continue
            status = path.stat()
            shown = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "backslashreplace")
            yield _File(path, shown, status.st_size, status.st_mtime_ns)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the import of a folder; raise `ConfigError` if somebody else does."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / ".lock").open("a")
    except OSError as error:
        raise disk_refused(error, root) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError("an import of this folder into this table is running already") from error
        yield
