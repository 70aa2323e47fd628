"""What is known of an archive: one row for each file, one for each content, in a small SQLite database.

A content is known by its SHA-256, which is the key of its row: whoever comes second with the same bytes is an alias of
the file that came first. A content moves on through states, one guarded statement for each step, so that of two runs at
once only one takes it.

    seen       it was read, and is a video
    planned    a job is to find its events
    processed  its events and their pictures lie on the disk
    labelled   every event was answered for, and all rows are published
    exported   its labels are in files
    failed     nothing could be made of it, see its reason
    replaced   its file has another video of the same camera and start now, and no other file has it

Should the database be lost, the next run makes it anew: events and labels lie in files of their own and are found.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from wayside.core.clock import Clock
from wayside.core.errors import StoreError, StoreFullError, StoreUnavailableError
from wayside.videos.records import Assigned, Content, FileRow, State, as_text, from_row
from wayside.warehouse.layout import locked

_SCHEMA: Final = 1
_BUSY: Final = 60.0  # seconds to wait for another writer
_TABLES: Final = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, version TEXT NOT NULL, bytes INTEGER NOT NULL, present INTEGER NOT NULL,
    sha256 TEXT, camera TEXT, start_at TEXT, zone TEXT, lat REAL, lng REAL,
    reason TEXT, detail TEXT, run TEXT NOT NULL, updated_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_of_content ON files (sha256);
CREATE TABLE contents (
    sha256 TEXT PRIMARY KEY, sha1 TEXT NOT NULL, bytes INTEGER NOT NULL, first_file TEXT NOT NULL,
    camera TEXT NOT NULL, start_at TEXT NOT NULL, zone TEXT NOT NULL, lat REAL, lng REAL,
    duration_s REAL NOT NULL, fps REAL NOT NULL, variable_fps INTEGER NOT NULL, frames INTEGER,
    width INTEGER NOT NULL, height INTEGER NOT NULL, rotation INTEGER NOT NULL, codec TEXT NOT NULL,
    audio INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT, detail TEXT, again INTEGER NOT NULL DEFAULT 0,
    cut TEXT, labelling TEXT, events INTEGER, unanswered INTEGER NOT NULL DEFAULT 0,
    job TEXT, shard INTEGER, revision INTEGER NOT NULL DEFAULT 0, published INTEGER NOT NULL DEFAULT -1,
    at_camera TEXT, at_hour TEXT, updated_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX contents_of_job ON contents (job, shard, state);
"""
# A file whose name is as it was, and which has the content that the row says.
_OWNER: Final = "o.path = c.first_file AND o.sha256 = c.sha256 AND o.present = 1 AND o.reason IS NULL"
# A file that has a content.
_HAS: Final = "f.sha256 = contents.sha256 AND f.present = 1 AND f.reason IS NULL"
_NAMING: Final = ("camera", "start_at", "zone", "lat", "lng")


class Ledger:
    """The ledger of one source, in a folder of its own; may be used by several threads, processes and machines.

    Args:
        folder: of the source, below the state folder.
        clock: what time it is.

    Raises:
        StoreError: the database is damaged, or made by a later version.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.path = folder / "ledger.sqlite"
        self._clock = clock
        self._lock = threading.RLock()
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
            # Another process may be making the tables just now.
            with locked(folder / "locks" / "ledger"):
                self._base = self._open()

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    @contextlib.contextmanager
    def turn(self, sha256: str) -> Iterator[None]:
        """Let one run at a time work on a content: the next finds what that has made.

        Contents share a few hundred locks, so that none stays behind for each.
        """
        with locked(self.folder / "locks" / f"turn-{sha256[:2]}"):
            yield

    @contextlib.contextmanager
    def answering(self, sha256: str) -> Iterator[None]:
        """Let one at a time write or publish the labels of a content."""
        with locked(self.folder / "locks" / f"answer-{sha256[:2]}"):
            yield

    # Files

    def files(self) -> dict[str, FileRow]:
        """Return every file by its path."""
        return {row["path"]: from_row(FileRow, row) for row in self._all("SELECT * FROM files ORDER BY path")}

    def file(self, path: str) -> FileRow | None:
        """Return a file by its path."""
        rows = self._all("SELECT * FROM files WHERE path = ?", path)
        return from_row(FileRow, rows[0]) if rows else None

    def register(self, seen: Sequence[tuple[FileRow, Content | None]]) -> None:
        """Write the rows of files, and those of contents that nobody has seen before, in one step."""
        now = self._clock()
        with self._writing() as base:
            for file, content in seen:
                _insert(base, "files", replace(file, updated_at=now), "REPLACE")
                if content is not None:
                    _insert(base, "contents", replace(content, updated_at=now), "IGNORE")

    def settle(self, present: Collection[str], run: str) -> None:
        """Close a scan: files that are gone are taken note of, and contents go over to files that are there.

        A file that is gone has a row only as long as it stands for a content. A content is named by the file that came
        first; if that is gone or has other bytes now, by the first of its aliases. Where this gives it another camera
        or start, its events are to be found anew. One whose only file has another video of that camera and start now,
        as where a copy was completed, has been replaced, until some file has it again.

        Args:
            present: path of every file that is there.
            run: that saw them.
        """
        now = as_text(self._clock())
        with self._writing() as base:
            base.execute("CREATE TEMP TABLE IF NOT EXISTS there (path TEXT PRIMARY KEY)")
            base.execute("DELETE FROM there")
            base.executemany("INSERT INTO there VALUES (?)", [(path,) for path in present])
            base.execute("UPDATE files SET run = ? WHERE path IN (SELECT path FROM there)", (run,))
            base.execute(
                "UPDATE files SET present = path IN (SELECT path FROM there), updated_at = ?"
                " WHERE present <> (path IN (SELECT path FROM there))",
                (now,),
            )
            base.execute(
                "UPDATE contents SET state = 'seen', revision = revision + 1, updated_at = ?"  # noqa: S608
                f" WHERE state = 'replaced' AND EXISTS (SELECT 1 FROM files f WHERE {_HAS})",
                (now,),
            )
            self._hand_over(base, now)
            base.execute(
                "UPDATE contents SET state = 'replaced', revision = revision + 1, updated_at = ?"  # noqa: S608
                f" WHERE state <> 'replaced' AND NOT EXISTS (SELECT 1 FROM files f WHERE {_HAS})"
                " AND EXISTS (SELECT 1 FROM files f WHERE f.path = first_file AND f.present = 1 AND f.reason IS NULL"
                " AND f.camera = contents.camera AND f.start_at = contents.start_at)",
                (now,),
            )
            base.execute(
                "DELETE FROM files WHERE present = 0 AND (reason IS NOT NULL"
                " OR NOT EXISTS (SELECT 1 FROM contents c WHERE c.sha256 = files.sha256 AND c.first_file = files.path))"
            )

    @staticmethod
    def _hand_over(base: sqlite3.Connection, now: str) -> None:
        """Let each content have the name of a file that is there, if there is one."""
        columns = ", ".join(f"o.{name}" for name in _NAMING)
        same = ", ".join(f"c.{name}" for name in _NAMING)
        heirs = base.execute(
            f"SELECT c.sha256, o.path, {columns} FROM contents c JOIN files o ON o.sha256 = c.sha256"  # noqa: S608
            " AND o.path = coalesce("
            f"(SELECT o.path FROM files o WHERE {_OWNER}),"
            " (SELECT min(a.path) FROM files a WHERE a.sha256 = c.sha256 AND a.present = 1 AND a.reason IS NULL))"
            f" WHERE (c.first_file, {same}) IS NOT (o.path, {columns})"
        ).fetchall()
        for sha256, path, camera, start_at, *others in heirs:
            base.execute(
                "UPDATE contents SET state = CASE WHEN (camera, start_at) = (?, ?) THEN state ELSE 'seen' END,"
                " first_file = ?, camera = ?, start_at = ?, zone = ?, lat = ?, lng = ?,"
                " revision = revision + 1, updated_at = ? WHERE sha256 = ?",
                (camera, start_at, path, camera, start_at, *others, now, sha256),
            )

    # Contents

    def contents(self, *states: State) -> list[Content]:
        """Return the contents in some states, by default in any, by camera and start."""
        marks = ", ".join("?" * len(states))
        where = f"WHERE state IN ({marks}) " if states else ""
        return self._contents(f"{where}ORDER BY camera, start_at, sha256", *states)

    def content(self, sha256: str) -> Content | None:
        """Return the content of a hash, or of the first 16 hex digits of one; None if nobody has seen it."""
        found = self._contents("WHERE sha256 >= ? AND sha256 < ? ORDER BY sha256", sha256, f"{sha256}g")
        return found[0] if found else None

    def progress(self, run: str) -> dict[tuple[int, State], int]:
        """Count the contents that a run has taken, by the number of its shard and state."""
        rows = self._all(
            "SELECT shard, state, COUNT(*) AS number FROM contents WHERE job = ? GROUP BY shard, state", run
        )
        return {(row["shard"], row["state"]): row["number"] for row in rows}

    def unpublished(self) -> list[Content]:
        """Return the contents of which the tables do not say what is known, or whose labels may have come."""
        return self._contents(
            "WHERE state = 'processed' OR (published < revision AND state IN ('labelled', 'exported', 'replaced'))"
            " ORDER BY camera, start_at, sha256"
        )

    def of_hour(self, camera: str, hour: datetime) -> list[Content]:
        """Return the contents that have rows in the tables of a camera and hour, or belong there."""
        start, end = as_text(hour), as_text(hour)[:13] + "~"
        return self._contents(
            "WHERE (camera = ? AND start_at >= ? AND start_at < ?) OR (at_camera = ? AND at_hour = ?)"
            " ORDER BY start_at, sha256",
            *(camera, start, end, camera, start),
        )

    def without_files(self) -> set[str]:
        """Return the hashes of contents that no file has any more."""
        rows = self._all(
            "SELECT sha256 FROM contents c WHERE NOT EXISTS"
            " (SELECT 1 FROM files f WHERE f.sha256 = c.sha256 AND f.present = 1 AND f.reason IS NULL)"
        )
        return {row["sha256"] for row in rows}

    def assign(self, plan: Sequence[Assigned]) -> list[Assigned]:
        """Give contents to the shards of a run, in one step; return what was taken.

        What somebody has changed since it was read is left to the next plan.
        """
        now, taken = as_text(self._clock()), []
        with self._writing() as base:
            for one in plan:
                done = base.execute(
                    "UPDATE contents SET state = ?, cut = ?, labelling = ?, job = ?, shard = ?, again = 0,"
                    " reason = CASE ? WHEN 'planned' THEN NULL ELSE reason END,"
                    " detail = CASE ? WHEN 'planned' THEN NULL ELSE detail END, updated_at = ?"
                    " WHERE sha256 = ? AND state = ? AND revision = ? AND camera = ? AND start_at = ?",
                    (
                        *(one.state, one.cut, one.labelling, one.job, one.shard, one.state, one.state, now),
                        one.content.sha256,
                        *(one.content.state, one.content.revision, one.content.camera, as_text(one.content.start_at)),
                    ),
                )
                taken += [one] * done.rowcount
        return taken

    def processed(self, content: Content, events: int, reason: str | None, detail: str | None) -> bool:
        """Note down that the events of a planned content lie on the disk; return whether it was still planned so."""
        return self._move(content, "processed", ("planned",), events=events, reason=reason, detail=detail)

    def failed(self, content: Content, reason: str, detail: str, *, again: bool) -> bool:
        """Note down that a planned content came to nothing; `again`: not because of its bytes."""
        return self._move(content, "failed", ("planned",), events=None, reason=reason, detail=detail, again=again)

    def changed(self, content: Content) -> None:
        """Note down that the labels of a content are about to change."""
        with self._writing() as base:
            base.execute("UPDATE contents SET revision = revision + 1 WHERE sha256 = ?", (content.sha256,))

    def published(self, steps: Sequence[tuple[Content, State, int]]) -> int:
        """Note down, in one step, that the tables say what was known of contents at their revisions.

        Args:
            steps: of each content the state that it goes on to, and how many of its events have no answer.

        Returns:
            How many had not changed meanwhile, and went on.
        """
        now, gone_on = as_text(self._clock()), 0
        with self._writing() as base:
            for content, state, unanswered in steps:
                base.execute(
                    "UPDATE contents SET at_camera = ?, at_hour = ? WHERE sha256 = ?",
                    (content.camera, as_text(content.hour), content.sha256),
                )
                gone_on += base.execute(
                    "UPDATE contents SET state = ?, published = revision, unanswered = ?, updated_at = ?"
                    " WHERE sha256 = ? AND revision = ? AND state = ?",
                    (state, unanswered, now, content.sha256, content.revision, content.state),
                ).rowcount
        return gone_on

    def exported(self, contents: Sequence[Content]) -> int:
        """Note down that labels are in files as they were published; return of how many contents this holds still."""
        now = as_text(self._clock())
        with self._writing() as base:
            return sum(
                base.execute(
                    "UPDATE contents SET state = 'exported', updated_at = ?"
                    " WHERE sha256 = ? AND state = 'labelled' AND revision = ?",
                    (now, content.sha256, content.revision),
                ).rowcount
                for content in contents
            )

    def _move(self, content: Content, to: State, was: tuple[State, ...], **values: Any) -> bool:
        """Move a content on, if it is in one of the states `was` and under the same settings as it was read."""
        sets = ", ".join(f"{name} = ?" for name in values)
        marks = ", ".join("?" * len(was))
        with self._writing() as base:
            done = base.execute(
                f"UPDATE contents SET {sets}, state = ?, revision = revision + 1, updated_at = ?"  # noqa: S608
                f" WHERE sha256 = ? AND state IN ({marks}) AND cut IS ? AND camera = ? AND start_at = ?",
                (
                    *(*values.values(), to, as_text(self._clock()), content.sha256, *was),
                    *(content.cut, content.camera, as_text(content.start_at)),
                ),
            )
            return done.rowcount == 1

    # The database

    def _open(self) -> sqlite3.Connection:
        base = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        base.row_factory = sqlite3.Row
        # A journal beside the database, and no shared memory: this works on a shared volume as well.
        base.execute("PRAGMA journal_mode = DELETE")
        base.execute("PRAGMA synchronous = FULL")
        version = base.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            base.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {_SCHEMA};COMMIT;")
        elif version != _SCHEMA:
            base.close()
            raise StoreError(f"{self.path} was made by another version of Wayside ({version}, not {_SCHEMA})")
        return base

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                raise

    def _contents(self, clause: str, *values: object) -> list[Content]:
        return [from_row(Content, row) for row in self._all(f"SELECT * FROM contents {clause}", *values)]  # noqa: S608

    def _all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, self._told():
            return self._base.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say in our words what the database refuses."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith("SQLITE_FULL"):
                raise StoreFullError(f"no space left to write {self.path}") from error
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise StoreUnavailableError(
                    f"{self.path} is held by another run for more than {_BUSY:.0f} s"
                ) from error
            raise StoreError(f"cannot write or read {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            said = "move it away: the next run makes it anew, and events that were found are not looked for again"
            raise StoreError(f"{self.path} is damaged ({error}); {said}") from error
        except OSError as error:
            raise StoreError(f"cannot write {self.folder}: {error.strerror}") from error


def _insert(base: sqlite3.Connection, table: str, row: FileRow | Content, otherwise: str) -> None:
    names = ", ".join(field.name for field in fields(row))
    marks = ", ".join("?" * len(fields(row)))
    values = [as_text(value) if isinstance(value, datetime) else value for value in astuple(row)]
    base.execute(f"INSERT OR {otherwise} INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608
