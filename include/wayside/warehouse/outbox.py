"""What is published here and still has to go to another warehouse, BigQuery or Oracle: an outbox for each table.

Publishing a scope leaves a mark, before the rows are in place. A delivery gathers the marked scopes of a table into one
batch, a Parquet file with a number, and there is one open batch a table at most: whoever comes next, after a crash or
at the same time, finds that batch and carries on with it. The batch's name is therefore the same for all of them, and
names the job that loads it: a target that accepts a name once accepts the rows once. Only when the batch is closed are
the marks of its scopes taken away, those alone whose rows have not been published anew meanwhile.
"""

import contextlib
import fcntl
import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import AuditError, TransientError, WaysideError
from wayside.core.tables import TABLES, Table
from wayside.store.files import refused, replace_file
from wayside.warehouse.scope import Scope

MAX_SCOPES: Final = 2_000
MAX_ROWS: Final = 2_000_000
MAX_BYTES: Final = 256 * 2**20  # of rows in memory: those with records of photos are long
# A mark without its rows after this long: the publisher was killed between the two.
_IN_FLIGHT: Final = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One scope of a batch.

    Attributes:
        scope: the scope.
        mark: id of its mark, which each mark has for itself.
        whole: whether the rows are those that the mark promised, or those will not come any more.
    """

    scope: Scope
    mark: str
    whole: bool


@dataclass(frozen=True)
class Batch:
    """Rows of some scopes of one table, on their way to a target. They never change while the batch is open.

    Attributes:
        table: the table.
        name: name of the batch, unique for all time: letters, digits and `-`, at most 100 characters.
        entries: the scopes. A scope may have no rows: then its rows at the target are to go.
        path: the Parquet file of the rows.
        attempt: which try this is, from 1. It counts up when a target has refused the batch, so that a job that failed
            does not stand in the way of the next.
    """

    table: Table
    name: str
    entries: tuple[Entry, ...]
    path: Path
    attempt: int = 1

    @property
    def scopes(self) -> list[Scope]:
        """The scopes that the batch replaces."""
        return [entry.scope for entry in self.entries]

    def rows(self) -> pa.Table:
        """Return the rows, in the order of the table's key within each scope.

        Raises:
            TransientError: somebody else delivered and closed the batch meanwhile; there may be another by now.
        """
        try:
            return pq.ParquetFile(self.path).read()
        except FileNotFoundError:
            raise TransientError(f"the batch {self.name} was delivered by another process meanwhile") from None

    @property
    def bounds(self) -> tuple[Any, Any] | None:
        """The first and last value of the partition column that the batch touches, None for a table without one.

        They span the scopes where these name the column (`slot`, `day`), else the rows.
        """
        column = self.table.partition
        if column is None:
            return None
        known: set[datetime | date] = {
            value
            for scope in self.scopes
            if column in self.table.scope and isinstance(value := scope.values(self.table)[column], datetime | date)
        }
        if not known:
            known = set(self.rows()[column].to_pylist())
        return (min(known), max(known)) if known else None


class Published(Protocol):
    """Where the rows are read from: the Parquet warehouse."""

    def content(self, table: Table, scope: Scope) -> tuple[pa.Table, str]:
        """Return the published rows of a scope and the hash that their mark has."""


class Outbox:
    """The outboxes of all tables, below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, batch: Batch) -> "Outbox":
        """Return the outbox in which a batch lies."""
        return cls(batch.path.parents[1])

    def mark(self, table: Table, scope: Scope, sha256: str) -> None:
        """Note that the scope is published with content of this hash. Called before the rows are in place.

        Whoever publishes the same scope waits until they are: so the newest mark is that of the newest rows.
        """
        document = {"scope": scope.as_json(), "sha256": sha256, "id": secrets.token_hex(8)}
        with self._locked(table, ".marks"):
            replace_file(self._mark(table, scope), json.dumps(document).encode())

    def pending(self, table: Table) -> int:
        """Return how many scopes of a table wait."""
        return sum(1 for _ in self._marks(table))

    def open(self, table: Table, published: Published) -> Batch | None:
        """Return the open batch of a table, a new one if there is none; None if nothing waits."""
        with self._locked(table):
            if (found := self._read_open(table)) is not None:
                return found
            entries: list[Entry] = []
            parts: list[pa.Table] = []
            number = size = 0
            for path in self._marks(table):
                # The age is looked at before the rows: those that a publisher puts in place later are another batch's.
                document, age = json.loads(path.read_bytes()), time.time() - path.stat().st_mtime
                scope = Scope.from_json(document["scope"])
                rows, digest = published.content(table, scope)
                entries.append(Entry(scope, document["id"], document["sha256"] == digest or age > _IN_FLIGHT))
                parts.append(rows)
                number += rows.num_rows
                size += rows.nbytes
                if len(entries) >= MAX_SCOPES or number >= MAX_ROWS or size >= MAX_BYTES:
                    break
            return self._save(table, entries, parts) if entries else None

    def refuse(self, batch: Batch) -> Batch:
        """Note that a target refused the batch for good; return the batch with a new attempt, and so a new job."""
        with self._locked(batch.table):
            found = self._read_open(batch.table)
            if found is None or found.name != batch.name or found.attempt != batch.attempt:
                return found or batch  # somebody else was here already
            self._write_open(batch.table, {**self._document(batch.table), "attempt": batch.attempt + 1})
            return Batch(batch.table, batch.name, batch.entries, batch.path, batch.attempt + 1)

    def give_up(self, batch: Batch) -> None:
        """Take a batch whose rows a target refuses out of the outbox; its scopes wait on.

        The next batch has their rows as they are by then: so those that were put right and published anew go.
        """
        with self._locked(batch.table):
            found = self._read_open(batch.table)
            if found is not None and found.name == batch.name:
                self._open(batch.table).unlink()
                batch.path.unlink(missing_ok=True)

    def close(self, batch: Batch) -> None:
        """Take a batch that is at its target out of the outbox. Doing so twice does no harm."""
        with self._locked(batch.table):
            found = self._read_open(batch.table)
            if found is None or found.name != batch.name:
                return
            for entry in batch.entries:
                self._settle(batch.table, entry)
            self._open(batch.table).unlink()
            batch.path.unlink(missing_ok=True)

    def _settle(self, table: Table, entry: Entry) -> None:
        """Drop the mark of a scope if its rows went, or never came; not one that is newer than the batch."""
        path = self._mark(table, entry.scope)
        with self._locked(table, ".marks"), contextlib.suppress(FileNotFoundError):
            if entry.whole and json.loads(path.read_bytes())["id"] == entry.mark:
                path.unlink()

    def _save(self, table: Table, entries: Iterable[Entry], parts: list[pa.Table]) -> Batch:
        folder = self.root / table.name
        rows = pa.concat_tables(parts).combine_chunks()
        number = self._number(table)
        path = folder / f"batch-{number:08}.parquet"
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        replace_file(path, sink.getvalue().to_pybytes())
        listed = [{"scope": entry.scope.as_json(), "mark": entry.mark, "whole": entry.whole} for entry in entries]
        digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]
        name = f"{table.name.replace('_', '-')}-{self._lake()}-{number:08}-{digest}"
        self._write_open(table, {"name": name, "number": number, "attempt": 1, "file": path.name, "entries": listed})
        return cast("Batch", self._read_open(table))

    def _number(self, table: Table) -> int:
        """Count up; a number that was given out and not used is no loss."""
        path = self.root / table.name / "number"
        number = int(path.read_text()) + 1 if path.exists() else 1
        replace_file(path, str(number).encode())
        return number

    def _lake(self) -> str:
        """Name these Parquet files, so that two installations never send batches of one name."""
        path = self.root / "lake"
        if not path.exists():
            replace_file(path, secrets.token_hex(4).encode())
        return path.read_text()

    def _read_open(self, table: Table) -> Batch | None:
        if not self._open(table).exists():
            return None
        document = self._document(table)
        entries = tuple(
            Entry(Scope.from_json(entry["scope"]), entry["mark"], entry["whole"]) for entry in document["entries"]
        )
        path = self.root / table.name / document["file"]
        return Batch(table, document["name"], entries, path, document["attempt"])

    def _document(self, table: Table) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._open(table).read_bytes())
        return document

    def _write_open(self, table: Table, document: dict[str, Any]) -> None:
        replace_file(self._open(table), json.dumps(document).encode())

    def _open(self, table: Table) -> Path:
        return self.root / table.name / "open.json"

    def _mark(self, table: Table, scope: Scope) -> Path:
        return self.root / table.name / "pending" / f"{scope.path(table)}.json"

    def _marks(self, table: Table) -> Iterator[Path]:
        """Yield the marks, oldest scopes first."""
        return iter(sorted((self.root / table.name / "pending").rglob("[!.]*.json")))

    @contextmanager
    def _locked(self, table: Table, name: str = ".lock") -> Iterator[None]:
        """Let one process at a time open, refuse or close a batch of a table; or write or drop one of its `.marks`."""
        path = self.root / table.name / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = path.open("a")
        except OSError as error:
            raise refused(error, path) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:
                raise refused(error, path) from error
            yield


class Target(Protocol):
    """A warehouse to which batches go."""

    def deliver(self, batch: Batch) -> None:
        """Replace the scopes of a batch by its rows, in one step that shows all of it or nothing.

        A batch of the same name and attempt that came before is taken once. Raises a `WaysideError`: `TransientError`
        if another try may help, `AuditError` if the rows are refused for good.
        """


def deliver(outbox: Outbox, published: Published, target: Target, tables: Iterable[Table] = ()) -> dict[str, int]:
    """Deliver what waits, one batch a table; return the rows that went, by table.

    A table whose batch fails keeps it for the next try, and does not stop the others.

    Raises:
        The error of the first table that failed, once all others are done.
    """
    failed: list[WaysideError] = []
    done: dict[str, int] = {}
    for table in tables or TABLES.values():
        batch = outbox.open(table, published)
        if batch is None:
            continue
        try:
            rows = batch.rows().num_rows
            target.deliver(batch)
            outbox.close(batch)
        except WaysideError as error:
            if isinstance(error, AuditError):
                outbox.give_up(batch)
            failed.append(error)
            continue
        done[table.name] = rows
    if failed:
        raise failed[0]
    return done
