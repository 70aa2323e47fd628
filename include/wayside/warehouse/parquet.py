"""The default warehouse: a folder of Parquet files, one for each scope, read through DuckDB.

Publishing is one atomic rename, so a reader sees the old rows or the new ones and never a mixture, and never waits.
DuckDB opens a file several times for one query; so each file has a second, hidden name that never comes to mean other
rows, readers go by that one, and it outlives the file by an hour when the scope is published again. Parts of a scope
are staged beside it under names that depend only on the plan, and a rerun overwrites them.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import SCHEMA_VERSION, TABLES, Table
from wayside.store.files import replace_file, written
from wayside.warehouse.audit import audit
from wayside.warehouse.outbox import Outbox
from wayside.warehouse.scope import Scope

Row = dict[str, Any]
_READERS_MAY_TAKE = 3600.0  # seconds


def to_arrow(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Build an Arrow table from rows, sorted by the table's key, the schema version filled in."""
    filled = [{"schema_version": SCHEMA_VERSION, **row} for row in rows]
    return _ordered(table, pa.Table.from_pylist(filled, schema=table.schema))


def _ordered(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows in the one form that equal rows have: sorted by key, in one piece, the schema's own metadata."""
    ordered = rows.sort_by([(name, "ascending") for name in table.key]).combine_chunks()
    return pa.Table.from_arrays(ordered.columns, schema=table.schema)


def open_lake(settings: Settings) -> "ParquetWarehouse":
    """Open the Parquet files of the settings; where another warehouse is configured, they feed its outbox."""
    return ParquetWarehouse(settings.lake, outbox=settings.warehouse != "duckdb")


class ParquetWarehouse:
    """Tables below the folder `root`: `published/` is what readers see, `staging/` is what is being made.

    With `outbox`, whatever is published is also noted down for delivery to another warehouse.
    """

    def __init__(self, root: Path, *, outbox: bool = False) -> None:
        self.root = root.absolute()
        self.outbox = Outbox(self.root / "outbox")
        self.marks = outbox

    # Writing

    def stage(self, table: Table, scope: Scope, plan: str, part: int, rows: Sequence[Row]) -> Path:
        """Write one part of a scope; `plan` names the division into parts, so that two plans never mix."""
        path = self._part(table, scope, plan, part)
        replace_file(path, _parquet(to_arrow(table, rows)))
        return path

    def staged(self, table: Table, scope: Scope, plan: str, parts: int) -> pa.Table:
        """Read all parts of a scope back as one table; raise `StoreError` naming a part that is missing."""
        read = []
        for part in range(parts):
            path = self._part(table, scope, plan, part)
            try:
                read.append(pq.ParquetFile(path).read())
            except FileNotFoundError:
                raise StoreError(f"part {part + 1} of {parts} of {table.name} {scope} was never staged") from None
        return pa.concat_tables(read) if read else table.schema.empty_table()

    def publish(self, table: Table, scope: Scope, rows: pa.Table) -> int:
        """Audit `rows` and put them in place of the scope, in one step; equal rows give an equal file.

        Returns:
            The number of rows.

        Raises:
            AuditError: the rows are not fit to be seen; what was published before stays.
            StoreFullError: no space is left; the same holds.
        """
        audit(table, scope, rows)
        path, data = self._published(table, scope), _parquet(_ordered(table, rows))
        if self.marks:
            self.outbox.mark(table, scope, _hash(data))
        with written(path, data) as new:
            lasting = _lasting(path, new.stat())
            lasting.unlink(missing_ok=True)  # left behind by a copy of the folder, whose inodes were others
            os.link(new, lasting)
            new.replace(path)
        _forget(path, lasting)
        return cast("int", rows.num_rows)

    # Plans: small JSON documents that tasks hand on by name

    def save_plan(self, name: str, document: object) -> None:
        """Write a plan under a name made of identifiers and slots."""
        replace_file(self._plan(name), json.dumps(document, indent=1).encode())

    def has_plan(self, name: str) -> bool:
        """Tell whether a plan of this name was saved."""
        return self._plan(name).is_file()

    def planned(self, start: str) -> datetime | None:
        """Return when a plan whose name has this start was last saved, None if never."""
        saved = [path.stat().st_mtime for path in self._plan("x").parent.glob(f"{start}*.json")]
        return datetime.fromtimestamp(max(saved), UTC) if saved else None

    def load_plan(self, name: str) -> Any:
        """Read a plan; raise `StoreError` if it is gone."""
        try:
            return json.loads(self._plan(name).read_bytes())
        except FileNotFoundError:
            raise StoreError(f"the plan {name} is gone: run the planning task again") from None

    # Reading

    def published(self, table: Table, scope: Scope) -> bool:
        """Tell whether the scope has been published."""
        return self._published(table, scope).is_file()

    def read(self, table: Table, scope: Scope) -> pa.Table:
        """Return the rows of one scope, empty if it was never published."""
        try:
            return pq.ParquetFile(self._published(table, scope)).read()
        except FileNotFoundError:
            return table.schema.empty_table()

    def content(self, table: Table, scope: Scope) -> tuple[pa.Table, str]:
        """Return the rows of one scope and the hash of their file; no rows and an empty hash if never published."""
        try:
            data = self._published(table, scope).read_bytes()
        except FileNotFoundError:
            return table.schema.empty_table(), ""
        return pq.read_table(pa.BufferReader(data)), _hash(data)

    def resend(self, table: Table) -> int:
        """Note down every published scope of a table for delivery, as when a warehouse is new; return how many."""
        listed = [pq.ParquetFile(name).read().slice(0, 1).to_pylist() for name in self.files(table)]
        scopes = [Scope.of(table, rows[0]) for rows in listed if rows]
        for scope in scopes:
            self.outbox.mark(table, scope, self.content(table, scope)[1])
        return len(scopes)

    def files(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
    ) -> list[str]:
        """List the published files of a table, kept to sources, days (`YYYYMMDD`) and pipelines where given."""
        root = self.root / "published" / table.name
        folders = list(_narrow([root], "source", sources))
        if "pipeline" in table.scope:
            folders = list(_narrow(folders, "pipeline", pipelines))
        if "slot" in table.scope or "day" in table.scope:
            folders = list(_narrow(folders, "day", days))
        return sorted({str(path) for folder in folders for path in folder.glob("*.parquet")})

    def connect(
        self,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open DuckDB with one view for each table, over the published files that the arguments leave.

        The connection is private and in memory, and shows the tables as they are now, for up to an hour: readers never
        lock each other or a writer. Close it after use.
        """
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in TABLES.values():
            files = self.files(table, sources, days, pipelines)
            if files:
                listed = ", ".join("'" + _settled(name).replace("'", "''") + "'" for name in files)
                connection.execute(
                    f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608
                )
            else:
                connection.register(table.name, table.schema.empty_table())
        return connection

    def slots(
        self, table: Table, source: str, pipeline: str | None = None, days: Sequence[str] | None = None
    ) -> list[Slot]:
        """Return the slots of a source that are published, oldest first; with several pipelines some are doubled."""
        pipelines = None if pipeline is None else [pipeline]
        paths = (Path(name) for name in self.files(table, [source], days, pipelines))
        return sorted(Slot.parse(f"{path.parent.name.removeprefix('day=')}/{path.stem}") for path in paths)

    def _plan(self, name: str) -> Path:
        return self.root / "staging" / "plans" / f"{name}.json"

    def _published(self, table: Table, scope: Scope) -> Path:
        return self.root / "published" / table.name / f"{scope.path(table)}.parquet"

    def _part(self, table: Table, scope: Scope, plan: str, part: int) -> Path:
        return self.root / "staging" / table.name / scope.path(table) / plan / f"{part:04}.parquet"


def _narrow(folders: Iterable[Path], column: str, values: Sequence[str] | None) -> Iterator[Path]:
    for folder in folders:
        if values is not None:
            yield from (path for value in values if (path := folder / f"{column}={value}").is_dir())
        elif folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.name.startswith(f"{column}="))


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    return cast("bytes", sink.getvalue().to_pybytes())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _lasting(path: Path, status: os.stat_result) -> Path:
    """Return the name under which this very file stays readable when another takes its place at `path`."""
    return path.with_name(f".{path.stem}-{status.st_ino}")


def _settled(name: str) -> str:
    """Return the lasting name of a published file; its own where it has none, as in a folder that was copied."""
    path, status = Path(name), Path(name).stat()
    lasting = _lasting(path, status)
    return str(lasting) if lasting.exists() and lasting.stat().st_ino == status.st_ino else name


def _forget(path: Path, present: Path) -> None:
    """Drop the lasting names of files that were replaced so long ago that nobody reads them any more."""
    with contextlib.suppress(FileNotFoundError):  # of two publishers the other may be faster
        now = present.stat().st_ctime
        for old in path.parent.glob(f".{path.stem}-*"):
            if now - old.stat().st_ctime > _READERS_MAY_TAKE and not old.samefile(path):
                old.unlink()
