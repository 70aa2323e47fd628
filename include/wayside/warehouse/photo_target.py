"""Oracle as the home of a road authority's own table of photos: rows are inserted or updated by key, none is deleted.

A batch goes in one transaction, as for our own tables: ledger, staging, one MERGE, one commit. Where Oracle refuses the
MERGE for a row, the rows go one by one in an array instead, and only those that it refuses stay out. Which these are
is written down in the same transaction, so that a process that dies after the commit does not take the report with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import oracledb
import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.errors import AuditError
from wayside.core.tables import Table
from wayside.metadata.layouts import TableLayout
from wayside.warehouse.oracle import Delivery, OracleTarget
from wayside.warehouse.oracle_columns import identifier
from wayside.warehouse.oracle_ddl import STAGED_BY, qualified
from wayside.warehouse.oracle_errors import code_of, not_of_rows, said_by
from wayside.warehouse.outbox import Batch
from wayside.warehouse.photo_ddl import REFUSED, PhotoDictionary
from wayside.warehouse.photo_rows import FAULT, MADE_AT, NOTES, PHOTO, batch_schema, table_of

_ARRAY: Final = 1_000  # a row carries its record, so fewer are bound at once
_NEVER: Final = 2**62
_LONGEST: Final = 1_000
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that is not registered.

    Attributes:
        photo: the picture.
        key: its row's key; None where it has none.
        code: Oracle's code, `ORA-12899`; empty where it was not sent.
        reason: what is wrong.
    """

    photo: str
    key: str | None
    code: str
    reason: str

    def __str__(self) -> str:
        """Write it in one line; Oracle's words begin with the code."""
        return f"{self.photo}: {self.reason}"


@dataclass(frozen=True)
class Upserted:
    """What became of a batch.

    Attributes:
        rows: pictures in it.
        inserted: new rows.
        updated: rows that were there.
        refused: pictures that are not registered.
        notes: what is to be said about others, each beginning with the picture.
        again: whether the batch had been committed before; it is not known then what was inserted.
    """

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    again: bool = False


class PhotoTarget(OracleTarget):
    """A table of photos in Oracle.

    Args:
        connect: opens a connection of python-oracledb.
        layout: the table.
        schema: who owns it; empty for the connection's current schema.
        max_refused: with more refused rows than this nothing of a batch is registered.

    Its methods raise as those of `OracleTarget`, and `AuditError` for too many refused rows.
    """

    def __init__(
        self, connect: Callable[[], Any], layout: TableLayout, schema: str = "", *, max_refused: int = 1000
    ) -> None:
        super().__init__(connect, schema)
        self.layout = layout
        self.table = table_of(layout)
        self.max_refused = max_refused

    def create(self) -> list[str]:
        """Create the table, its geometry's metadata and its indexes where they are not; return what was made."""
        with self._session(f"creating {self.layout.name} in Oracle") as connection, connection.cursor() as cursor:
            return PhotoDictionary(cursor, self._schema(connection), self.layout).create()

    def register(self) -> list[str]:
        """Insert the geometry's metadata of a table that is there; return what was inserted."""
        with (
            self._session(f"writing the geometry's metadata of {self.layout.name}") as connection,
            connection.cursor() as cursor,
        ):
            return PhotoDictionary(cursor, self._schema(connection), self.layout).register()

    def deliver(self, batch: Batch) -> None:
        """Register a batch, as `upsert`."""
        self.upsert(batch)

    def upsert(self, batch: Batch) -> Upserted:
        """Insert or update the rows of a batch by key, once and in one step.

        Args:
            batch: rows as `wayside.warehouse.photo_rows` makes them.

        Raises:
            AuditError: more rows than `max_refused` are refused, or the batch was made for another layout.
        """
        with self._session(f"registering {batch.name} in {self.layout.name}") as connection:
            if batch.table.name not in self._prepared:
                self._prepare(connection, batch.table)
            work = _Upsert(batch, self._schema(connection), self._open)
            if not work.take(connection):
                connection.rollback()
                return Upserted(work.total, refused=tuple(work.told(connection)), notes=work.notes, again=True)
            done = work.run(connection, self.max_refused)
            connection.commit()
            return done

    def refused(self, limit: int = 100) -> list[Refusal]:
        """Return the pictures that the table has refused and that have not been registered since, newest first."""
        with self._session(f"reading what {self.layout.name} refused") as connection:
            if self.table.name not in self._prepared:
                self._prepare(connection, self.table)
            with connection.cursor() as cursor:
                cursor.execute(
                    'SELECT "PHOTO", "ROW_KEY", "CODE", "REASON" FROM '  # noqa: S608
                    f'{qualified(self._schema(connection), REFUSED)} WHERE "TABLE_NAME" = :1 '
                    'ORDER BY "REFUSED_AT" DESC, "BATCH", "PLACE" FETCH FIRST :2 ROWS ONLY',
                    [self.layout.name.upper(), limit],
                )
                return list(_refusals(cursor))

    def _prepare(self, connection: Any, table: Table) -> None:
        with connection.cursor() as cursor:
            PhotoDictionary(cursor, self._schema(connection), self.layout).prepare(table)
        self._prepared.add(table.name)


class _Upsert(Delivery):
    """One batch on its way into a table of which it owns nothing but its rows."""

    array = _ARRAY

    def __init__(self, batch: Batch, schema: str, another: Callable[[], Any]) -> None:
        super().__init__(batch, schema, another)
        self.fits = self.rows.schema.names == batch_schema(batch.table).names
        self.total = self.rows.num_rows
        self.key = batch.table.key[0]
        self.refusals: list[Refusal] = []
        self.notes: tuple[str, ...] = ()
        self.sent: dict[str, str] = {}  # the pictures of the rows that go to Oracle, by key
        self.all = self.rows
        if self.fits:
            self._sort_out()

    def run(self, connection: Any, limit: int) -> Upserted:
        """Stage the rows, merge them, write down what was refused."""
        if not self.fits:
            raise AuditError(f"{self.batch.name} was made for another layout of {self.batch.table.name}; run again")
        self._within(limit)
        self.stage(connection, _NEVER)
        self._within(limit)
        there = self._there(connection)
        self._register(connection)
        self._within(limit)
        self._write_down(connection)
        self._forget(connection)
        updated = sum(key in there for key in self.sent)
        return Upserted(self.total, len(self.sent) - updated, updated, tuple(self.refusals), self.notes)

    def told(self, connection: Any) -> Iterator[Refusal]:
        """Return what was written down when this batch was committed."""
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT "PHOTO", "ROW_KEY", "CODE", "REASON" FROM {self._list} '  # noqa: S608
                'WHERE "TABLE_NAME" = :1 AND "BATCH" = :2 ORDER BY "PLACE"',
                [self.batch.table.name.upper(), self.batch.name],
            )
            yield from _refusals(cursor)

    @property
    def _list(self) -> str:
        return qualified(self.schema, REFUSED)

    def _sort_out(self) -> None:
        """Keep the rows that can be sent, of each key the newest."""
        listed = self.rows.select([self.key, PHOTO, MADE_AT, FAULT, NOTES]).to_pylist()
        newest: dict[str, int] = {}
        for place, row in enumerate(listed):
            if row[FAULT] is not None:
                self.refusals.append(Refusal(row[PHOTO], row[self.key], "", row[FAULT]))
                continue
            before = newest.get(row[self.key])
            if before is None or _age(listed[before]) <= _age(row):
                newest[row[self.key]] = place
        for place, row in enumerate(listed):
            if row[FAULT] is None and (kept := newest[row[self.key]]) != place:
                reason = f"{listed[kept][PHOTO]} has the same key {row[self.key]} and counts"
                self.refusals.append(Refusal(row[PHOTO], row[self.key], "", reason))
        places = sorted(newest.values())
        self.sent = {listed[place][self.key]: listed[place][PHOTO] for place in places}
        self.notes = tuple(f"{row[PHOTO]}: {row[NOTES]}" for row in listed if row[NOTES] and row[FAULT] is None)
        self.rows = self.rows.take(pa.array(places, pa.int64()))
        self.staged = self.rows.num_rows

    def _refuse(self, errors: Sequence[Any], part: pa.Table) -> None:
        """Note the rows that staging refused, and go on without them."""
        if (other := not_of_rows(errors, f"staging {self.batch.name}")) is not None:
            raise other
        keys = part[self.key].to_pylist()
        for error in errors:
            self._note(keys[error.offset], error)
        self.staged -= len(errors)

    def _note(self, key: str, error: Any) -> None:
        self.refusals.append(Refusal(self.sent.pop(key), key, code_of(error), said_by(error)))

    def _within(self, limit: int) -> None:
        """Raise `AuditError` if more rows are refused than may be."""
        if len(self.refusals) > limit:
            shown = "; ".join(map(str, self.refusals[:_SHOWN]))
            raise AuditError(
                f"{len(self.refusals)} of {self.total} pictures cannot be registered in {self.batch.table.name}, more "
                f"than the {limit} that WAYSIDE_PHOTO_TABLE_REFUSALS allows, so none of this batch is: {shown}"
            )

    def _there(self, connection: Any) -> set[str]:
        """Return the keys of staged rows that the table has already."""
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT s.{identifier(self.key)} FROM {self.staging} s WHERE s."{STAGED_BY}" = :1 AND EXISTS '  # noqa: S608
                f"(SELECT 1 FROM {self.target} t WHERE {self._same()})",
                [self.batch.name],
            )
            return {row[0] for row in cursor.fetchall()}

    def _register(self, connection: Any) -> None:
        """Merge all rows at once; where Oracle refuses that for a row, one by one."""
        if not self.sent:
            return
        doing = f"registering {self.batch.name}"
        try:
            with connection.cursor() as cursor:
                cursor.execute(self._merge(), [self.batch.name])
        except oracledb.DatabaseError as error:
            if (other := not_of_rows([error], doing)) is not None:
                raise other from error
        else:
            return
        keys = list(self.sent)
        for start in range(0, len(keys), _ARRAY):
            part = keys[start : start + _ARRAY]
            with connection.cursor() as cursor:
                cursor.executemany(self._merge_one(), [(self.batch.name, key) for key in part], batcherrors=True)
                errors = cursor.getbatcherrors()
            if (other := not_of_rows(errors, doing)) is not None:
                raise other
            for one in errors:
                self._note(part[one.offset], one)

    def _merge_one(self) -> str:
        staged = f'WHERE "{STAGED_BY}" = :1'
        return self._merge().replace(staged, f"{staged} AND {identifier(self.key)} = :2", 1)

    def _write_down(self, connection: Any) -> None:
        """Bring the list of refused pictures up to date: those of this batch, and nothing older about its pictures."""
        table = self.batch.table.name.upper()
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT COUNT(*) FROM {self._list} WHERE "TABLE_NAME" = :1', [table])  # noqa: S608
            if cursor.fetchone()[0]:
                cursor.executemany(
                    f'DELETE FROM {self._list} WHERE "TABLE_NAME" = :1 AND "PHOTO" = :2',  # noqa: S608
                    [(table, cut(photo)) for photo in pc.unique(self.all[PHOTO]).to_pylist()],
                )
            if self.refusals:
                cursor.executemany(
                    f'INSERT INTO {self._list} ("TABLE_NAME", "BATCH", "PLACE", "PHOTO", "ROW_KEY", "CODE", "REASON", '  # noqa: S608
                    '"REFUSED_AT") VALUES (:1, :2, :3, :4, :5, :6, :7, SYSTIMESTAMP)',
                    [
                        (table, self.batch.name, place, cut(one.photo), one.key, one.code, one.reason[:_LONGEST])
                        for place, one in enumerate(self.refusals)
                    ],
                )


def _age(row: dict[str, Any]) -> tuple[bool, Any]:
    return row[MADE_AT] is not None, row[MADE_AT] or 0


def cut(photo: str) -> str:
    """Return a path as the list holds it: of a very long one the end."""
    return photo[-_LONGEST:]


def _refusals(cursor: Any) -> Iterator[Refusal]:
    for photo, key, code, reason in cursor.fetchall():
        yield Refusal(photo or "", key, code or "", reason or "")
