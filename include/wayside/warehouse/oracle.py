"""Oracle as a target of deliveries: a batch is staged by array binds and merged, in one transaction.

The transaction begins with the batch's name in a ledger whose key it is. A name that is there means that the batch was
delivered; of two processes that deliver it at once the second waits here until the first has committed or given up.
Then the rows are staged, target rows of the batch's scopes that are not among them go, one MERGE brings the rest, and
one commit shows all of it. A large batch is staged by the direct path, which commits by itself: so it goes through a
session of its own, into the staging table alone, while the first one holds the ledger.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

import oracledb
import pyarrow as pa

from wayside.core.errors import TransientError
from wayside.core.tables import Table
from wayside.warehouse.oracle_columns import Column, Point, columns, identifier
from wayside.warehouse.oracle_ddl import LEDGER, STAGED_BY, Dictionary, qualified, staging_name
from wayside.warehouse.oracle_errors import UNIQUE, code_of, refused_rows, translate
from wayside.warehouse.outbox import Batch

# Rows that are bound at once: beyond some thousands a larger array saves no time and costs memory.
_ARRAY: Final = 10_000


class OracleTarget:
    """A `Target` in Oracle.

    Args:
        connect: opens a connection of python-oracledb. Who may log on is its business alone.
        schema: who owns the tables; empty for the connection's current schema.
        direct_path_rows: batches of at least so many rows are staged by the direct path, where the driver is thin and
            the table has no CLOB.

    Its methods raise `TransientError` for a lost session, `StoreFullError` for a full tablespace, `ConfigError` for
    what a person has to put right and `AuditError` for rows that Oracle refuses. After each of them the connection is
    given up, and the next call opens another.
    """

    def __init__(self, connect: Callable[[], Any], schema: str = "", *, direct_path_rows: int = 50_000) -> None:
        self.schema = identifier(schema).strip('"') if schema else ""
        self.direct_path_rows = direct_path_rows
        self._connect = connect
        self._connection: Any = None
        self._prepared: set[str] = set()

    def prepare(self, tables: Iterable[Table]) -> None:
        """Create the tables that are absent and add new columns; `deliver` does so for its own table by itself."""
        for table in tables:
            with self._session(f"preparing {table.name} in Oracle") as connection:
                self._prepare(connection, table)

    def deliver(self, batch: Batch) -> None:
        """Replace the scopes of a batch by its rows, once and in one step (see `wayside.warehouse.outbox.Target`)."""
        with self._session(f"delivering {batch.table.name} to Oracle, batch {batch.name}") as connection:
            if batch.table.name not in self._prepared:
                self._prepare(connection, batch.table)
            delivery = Delivery(batch, self._schema(connection), self._open)
            if delivery.take(connection):
                delivery.stage(connection, direct=self.direct_path_rows)
                delivery.replace(connection)
                connection.commit()
            else:
                connection.rollback()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(oracledb.Error):
                self._connection.close()
            self._connection = None

    def _prepare(self, connection: Any, table: Table) -> None:
        with connection.cursor() as cursor:
            Dictionary(cursor, self._schema(connection)).prepare(table)
        self._prepared.add(table.name)

    def _schema(self, connection: Any) -> str:
        if not self.schema:
            with connection.cursor() as cursor:
                cursor.execute("SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL")
                self.schema = cursor.fetchone()[0]
        return self.schema

    def _open(self) -> Any:
        connection = self._connect()
        connection.autocommit = False
        return connection

    @contextmanager
    def _session(self, doing: str) -> Iterator[Any]:
        """Give the connection; if anything goes wrong, roll back, give it up and say in our words what it was."""
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except BaseException as error:
            if self._connection is not None:
                with suppress(oracledb.Error):
                    self._connection.rollback()
            self.close()
            if isinstance(error, oracledb.Error):
                raise translate(error, doing) from error
            raise


class Delivery:
    """One batch on its way into one schema; `another` opens a second session.

    A subclass may merge otherwise and say otherwise what becomes of rows that are refused.
    """

    array: int | None = None  # rows that are bound at once; None for as many as is good for short rows

    def __init__(self, batch: Batch, schema: str, another: Callable[[], Any]) -> None:
        self.batch = batch
        self.schema = schema
        self.another = another
        self.columns = columns(batch.table)
        self.rows = batch.rows()
        self.staged = self.rows.num_rows  # how many have to be there when all are staged
        self.target = qualified(schema, batch.table.name)
        self.staging = qualified(schema, staging_name(batch.table))

    def take(self, connection: Any) -> bool:
        """Write the batch into the ledger, waiting for others who do; tell whether it was not there."""
        statement = (
            f'INSERT INTO {qualified(self.schema, LEDGER)} ("NAME", "TABLE_NAME", "ROW_COUNT", "DELIVERED_AT") '  # noqa: S608
            "VALUES (:1, :2, :3, SYSTIMESTAMP)"
        )
        with connection.cursor() as cursor:
            try:
                cursor.execute(statement, [self.batch.name, self.batch.table.name.upper(), self.rows.num_rows])
            except oracledb.IntegrityError as error:
                if code_of(error) != UNIQUE:
                    raise
                return False
        return True

    def stage(self, connection: Any, direct: int) -> None:
        """Put the rows into the staging table, in place of what an earlier try left there.

        Raises:
            AuditError: Oracle refused some of them; the message names the first.
            TransientError: not all of them are there afterwards, as when a process that was given up still loads.
        """
        lobs = any(column.kind == "CLOB" for column in self.columns)
        if self.rows.num_rows >= direct and getattr(connection, "thin", False) and not lobs:
            with closing(self.another()) as second:
                self._forget(second)
                second.commit()
                self._load(second)
        else:
            self._forget(connection)
            self._bind(connection)
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT COUNT(*) FROM {self.staging} WHERE "{STAGED_BY}" = :1', [self.batch.name])  # noqa: S608
            if (staged := cursor.fetchone()[0]) != self.staged:
                raise TransientError(
                    f"{self.batch.name} has {self.staged} rows and {staged} are staged in Oracle: another "
                    "process stages the same batch, or was given up while it did; try again"
                )

    def replace(self, connection: Any) -> None:
        """Make the scopes in the target equal to the staged rows, and take these away."""
        with connection.cursor() as cursor:
            cursor.setinputsizes(*self._scope_types(), None)
            cursor.executemany(self._delete(), self._scopes())
        if self.rows.num_rows:
            with connection.cursor() as cursor:
                cursor.execute(self._merge(), [self.batch.name])
        self._forget(connection)

    def _forget(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM {self.staging} WHERE "{STAGED_BY}" = :1', [self.batch.name])  # noqa: S608

    def _bind(self, connection: Any) -> None:
        names = [STAGED_BY, *(name for column in self.columns for name, _ in column.parts)]
        binds = ", ".join(f":{place}" for place in range(1, len(names) + 1))
        statement = f"INSERT INTO {self.staging} ({_listed(names)}) VALUES ({binds})"  # noqa: S608
        for part in self._parts(self.array or _ARRAY):
            with connection.cursor() as cursor:
                cursor.setinputsizes(None, *(kind for column in self.columns for kind in column.bind_types))
                cursor.executemany(statement, self._tuples(part), batcherrors=True)
                errors = cursor.getbatcherrors()
            if errors:
                self._refuse(errors, part)

    def _refuse(self, errors: Sequence[Any], part: pa.Table) -> None:
        """Act on the errors of single rows of a part, by their places in it."""
        keys = [", ".join(map(str, row.values())) for row in part.select(list(self.batch.table.key)).to_pylist()]
        raise refused_rows(errors, keys, f"delivering {self.batch.table.name}, batch {self.batch.name}")

    def _load(self, connection: Any) -> None:
        names = [STAGED_BY, *(name for column in self.columns for name, _ in column.parts)]
        for part in self._parts(10 * _ARRAY):
            connection.direct_path_load(
                self.schema, staging_name(self.batch.table), names, self._tuples(part), batch_size=_ARRAY
            )

    def _parts(self, size: int) -> Iterator[pa.Table]:
        return (self.rows.slice(start, size) for start in range(0, self.rows.num_rows, size))

    def _tuples(self, part: pa.Table) -> list[tuple[Any, ...]]:
        values = [each for column in self.columns for each in column.values(part)]
        return list(zip([self.batch.name] * part.num_rows, *values, strict=True))

    def _scope_types(self) -> list[Any]:
        by_name = {column.field.name: column for column in self.columns}
        return [by_name[name].bind_types[0] for name in self.batch.table.scope]

    def _scopes(self) -> list[tuple[Any, ...]]:
        """Return the scopes' values as they are bound, each with the batch's name."""
        table = self.batch.table
        rows = [scope.values(table) for scope in self.batch.scopes]
        schema = pa.schema([table.schema.field(name) for name in table.scope])
        listed = pa.Table.from_pylist(rows, schema=schema)
        by_name = {column.field.name: column for column in self.columns}
        values = [by_name[name].values(listed)[0] for name in table.scope]
        return list(zip(*values, [self.batch.name] * len(rows), strict=True))

    def _delete(self) -> str:
        """Delete the rows of one scope that are not among the staged: an index finds them, whatever the statistics."""
        table = self.batch.table
        scope = " AND ".join(f"t.{identifier(name)} = :{place}" for place, name in enumerate(table.scope, 1))
        return (
            f"DELETE FROM {self.target} t WHERE {scope} AND NOT EXISTS "  # noqa: S608
            f'(SELECT 1 FROM {self.staging} s WHERE s."{STAGED_BY}" = :{len(table.scope) + 1} AND {self._same()})'
        )

    def _merge(self) -> str:
        rest = [column for column in self.columns if column.field.name not in self.batch.table.key]
        update = ", ".join(f"{identifier(column.name)} = {_staged(column)}" for column in rest)
        update = f"WHEN MATCHED THEN UPDATE SET {update} " if rest else ""
        return (
            f'MERGE INTO {self.target} t USING (SELECT * FROM {self.staging} WHERE "{STAGED_BY}" = :1) s '  # noqa: S608
            f"ON ({self._same()}) {update}"
            f"WHEN NOT MATCHED THEN INSERT ({_listed(column.name for column in self.columns)}) "
            f"VALUES ({', '.join(_staged(column) for column in self.columns)})"
        )

    def _same(self) -> str:
        return " AND ".join(f"s.{identifier(name)} = t.{identifier(name)}" for name in self.batch.table.key)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(identifier(name) for name in names)


def _staged(column: Column) -> str:
    """Return the expression that makes a column's value from the staged row `s`."""
    if column.point is None:
        return f"s.{identifier(column.name)}"
    return _built(column.point, [f"s.{identifier(name)}" for name, _ in column.parts])


def _built(point: Point, parts: list[str]) -> str:
    """Return the expression that builds a point of its numbers; null where the first is."""
    x, y, z = [*parts, "NULL"][:3]
    return (
        f"CASE WHEN {x} IS NOT NULL THEN MDSYS.SDO_GEOMETRY({point.gtype}, {point.srid}, "
        f"MDSYS.SDO_POINT_TYPE({x}, {y}, {z}), NULL, NULL) END"
    )
