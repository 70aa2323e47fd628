"""The default warehouse: a folder of Parquet files, one for each scope, read through DuckDB.

Publishing is one atomic rename, so a reader sees the old rows or the new ones and never a mixture, and never waits.
Days that are over may be compacted into one file; what is published into such a day later stands over it. Parts of a
scope are staged beside it under names that depend only on the plan, and a rerun overwrites them.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import SCHEMA_VERSION, TABLES, Table
from wayside.store.files import replace_file
from wayside.warehouse.audit import audit
from wayside.warehouse.compact import Compacted, compact
from wayside.warehouse.dayfile import DayFile, held
from wayside.warehouse.layout import Layout, Reading, locked, put, scope_of
from wayside.warehouse.outbox import Outbox
from wayside.warehouse.scope import Scope

Row = dict[str, Any]


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
    made = {"road_photos": (settings.photo_table,)} if settings.photo_table else {}
    return ParquetWarehouse(settings.lake, outbox=settings.warehouse != "duckdb", made=made)


class ParquetWarehouse:
    """Tables below the folder `root`: `published/` is what readers see, `staging/` is what is being made.

    With `outbox`, whatever is published is also noted down for delivery to another warehouse. `made` names, by table,
    tables elsewhere that are made out of its rows; these have outboxes of their own names.
    """

    def __init__(self, root: Path, *, outbox: bool = False, made: Mapping[str, Sequence[str]] | None = None) -> None:
        self.root = root.absolute()
        self.layout = Layout(self.root / "published")
        self.outbox = Outbox(self.root / "outbox")
        self.marks = outbox
        self.made = made or {}

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

        Where that file lies already nothing is written, and nothing has to go to another warehouse.

        Returns:
            The number of rows.

        Raises:
            AuditError: the rows are not fit to be seen; what was published before stays.
            StoreFullError: no space is left; the same holds.
        """
        audit(table, scope, rows)
        path, data = self.layout.path(table, scope), _parquet(_ordered(table, rows))
        with locked(_folder(table, path)):
            if not (path.is_file() and path.read_bytes() == data):
                self._note(table, scope, _hash(data))
                put(path, data)
        return cast("int", rows.num_rows)

    def _note(self, table: Table, scope: Scope, sha256: str) -> None:
        """Note down for delivery what is about to be in place."""
        if self.marks:
            self.outbox.mark(table, scope, sha256)
        for name in self.made.get(table.name, ()):
            self.outbox.mark(replace(table, name=name), scope, sha256)

    def compact(self, before: date, sources: Sequence[str] | None = None) -> Compacted:
        """Make one file of each day before `before`; see `wayside.warehouse.compact`."""
        return compact(self.layout, before, sources)

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
        path = self.layout.path(table, scope)
        return path.is_file() or ("slot" in table.scope and path.stem in held(_day_file(path)))

    def read(self, table: Table, scope: Scope) -> pa.Table:
        """Return the rows of one scope, empty if it was never published."""
        path = self.layout.path(table, scope)
        try:
            return pq.ParquetFile(path).read()
        except FileNotFoundError:
            if "slot" not in table.scope:
                return table.schema.empty_table()
        try:
            return _ordered(table, DayFile(_day_file(path)).rows(path.stem))
        except FileNotFoundError:
            return table.schema.empty_table()

    def content(self, table: Table, scope: Scope) -> tuple[pa.Table, str]:
        """Return the rows of one scope and the hash that their file has, or had before its day was compacted.

        No rows and an empty hash if the scope was never published.
        """
        try:
            data = self.layout.path(table, scope).read_bytes()
        except FileNotFoundError:
            if not self.published(table, scope):
                return table.schema.empty_table(), ""
            rows = self.read(table, scope)
            return rows, _hash(_parquet(rows))
        return pq.read_table(pa.BufferReader(data)), _hash(data)

    def resend(self, table: Table, made: str = "") -> int:
        """Note down every published scope of a table for delivery, as when a warehouse is new; return how many.

        With `made` only for the table of that name, which is made of this one.
        """
        scopes, noted = self.scopes(table), replace(table, name=made or table.name)
        for scope in scopes:
            with locked(_folder(table, self.layout.path(table, scope))):
                self.outbox.mark(noted, scope, self.content(table, scope)[1])
        return len(scopes)

    def scopes(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
        cameras: Sequence[str] | None = None,
    ) -> list[Scope]:
        """List the published scopes of a table, kept to sources, days (`YYYYMMDD`) and pipelines where given.

        They are sorted by source, pipeline and time. `cameras` keeps to those of tables that are published by camera.
        """
        root = self.layout.root
        if "slot" not in table.scope:
            files = self.layout.files(table, sources, days, pipelines, cameras)
            return [scope_of(table, root, Path(name)) for name in files]
        found: list[Scope] = []
        for day in self.layout.days(table, sources, days, pipelines):
            hhmms = {*day.slot_files(), *held(day.file)}
            found += [scope_of(table, root, day.file, day.slot(hhmm)) for hhmm in sorted(hhmms)]
        return found

    def days(
        self, table: Table, sources: Sequence[str] | None = None, pipelines: Sequence[str] | None = None
    ) -> list[str]:
        """List the days (`YYYYMMDD`, oldest first) on which slots of a table are published, with rows or without."""
        return sorted({day.text for day in self.layout.days(table, sources, None, pipelines)})

    def files(
        self,
        table: Table,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
    ) -> list[str]:
        """List the published files of a table, those of slots and those of compacted days.

        Do not read rows from them: a slot's file stands over its day's. `connect` and `scopes` know how.
        """
        return self.layout.files(table, sources, days, pipelines)

    def connect(
        self,
        sources: Sequence[str] | None = None,
        days: Sequence[str] | None = None,
        pipelines: Sequence[str] | None = None,
        tables: Collection[str] | None = None,
        cameras: Sequence[str] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open DuckDB with one view for each table, over the published files that the arguments leave.

        `tables` names those that will be asked for; files of others are then not even listed. `cameras` keeps to files
        of these, in tables that are published by camera. The connection is private and in memory, and shows the tables
        as they are now, for up to an hour: readers never lock each other or a writer. Close it after use.
        """
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in (table for name, table in TABLES.items() if tables is None or name in tables):
            if branches := _branches(self.layout.reading(table, sources, days, pipelines, cameras)):
                connection.execute(f"CREATE VIEW {table.name} AS {' UNION ALL '.join(branches)}")
            else:
                connection.register(table.name, table.schema.empty_table())
        return connection

    def slots(
        self, table: Table, source: str, pipeline: str | None = None, days: Sequence[str] | None = None
    ) -> list[Slot]:
        """Return the slots of a source that are published, oldest first; with several pipelines some are doubled."""
        scopes = self.scopes(table, [source], days, None if pipeline is None else [pipeline])
        return sorted(scope.slot for scope in scopes if scope.slot is not None)

    def _plan(self, name: str) -> Path:
        return self.root / "staging" / "plans" / f"{name}.json"

    def _part(self, table: Table, scope: Scope, plan: str, part: int) -> Path:
        return self.root / "staging" / table.name / scope.path(table) / plan / f"{part:04}.parquet"


def _folder(table: Table, path: Path) -> Path:
    """Return the folder whose lock a writer of this file takes: for slots the one that the file of the day lies in."""
    return path.parent.parent if "slot" in table.scope else path.parent


def _day_file(path: Path) -> Path:
    """Return the file of the day in which a slot lies."""
    return path.parent.with_name(f"{path.parent.name}.parquet")


def _branches(reading: Reading) -> list[str]:
    """Return a statement for each way in which files are read: all of their rows, or those of some slots not."""
    branches = [_select(reading.files)] if reading.files else []
    for name, slots in reading.covered:
        listed = ", ".join(f"TIMESTAMPTZ '{slot.start:%Y-%m-%d %H:%M:%S}+00'" for slot in slots)
        branches.append(f"{_select([name])} WHERE slot NOT IN ({listed})")
    return branches


def _select(names: Sequence[str]) -> str:
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    return cast("bytes", sink.getvalue().to_pybytes())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
