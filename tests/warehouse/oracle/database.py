"""The database that the tests of the Oracle target run on, what is in it, and batches to send there."""

import math
import os
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import oracledb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.peers import h2
from tests.tables import whole_scope
from tests.warehouse.oracle.faults import Faults

from wayside.core.slots import Slot
from wayside.core.tables import SCHEMA_VERSION, TABLES, Table
from wayside.warehouse.oracle import OracleTarget
from wayside.warehouse.oracle_ddl import LEDGER, staging_name
from wayside.warehouse.outbox import Batch, Entry
from wayside.warehouse.scope import Scope

Row = dict[str, Any]
SLOT = Slot(datetime(2026, 5, 1, 8, 0, tzinfo=UTC))


class Database:
    """A database, with all that is asked of it: `connect` opens a session whose calls may be told to fail."""

    def __init__(self, connect: Callable[[], Any], close: Callable[[], None] = lambda: None) -> None:
        self.plain = connect
        self.close = close
        self.connect = Faults(connect)

    def target(self, **settings: Any) -> OracleTarget:
        return OracleTarget(self.connect, **settings)

    def ask(self, statement: str, values: Sequence[Any] = (), *, commit: bool = False) -> list[tuple[Any, ...]]:
        connection = self.plain()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, list(values))
                rows = cursor.fetchall() if statement.startswith("SELECT") else []
                rows = [tuple(_read(value) for value in row) for row in rows]
            if commit:
                connection.commit()
            return rows
        finally:
            connection.close()

    def rows(self, table: Table) -> list[Row]:
        """The rows of a table as Arrow would give them, in the order of the key."""
        names = ", ".join(f'"{name.upper()}"' for name in table.schema.names)
        order = ", ".join(f'"{name.upper()}"' for name in table.key)
        found = self.ask(f'SELECT {names} FROM "{table.name.upper()}" ORDER BY {order}')
        return [
            {field.name: arrow(field.type, value) for field, value in zip(table.schema, row, strict=True)}
            for row in found
        ]

    def count(self, name: str) -> int:
        return int(self.ask(f'SELECT COUNT(*) FROM "{name}"')[0][0])

    def staged(self, table: Table) -> int:
        return self.count(staging_name(table))

    def delivered(self) -> list[str]:
        return [row[0] for row in self.ask(f'SELECT "NAME" FROM "{LEDGER}" ORDER BY "NAME"')]


def server_of_environment() -> Database | None:
    """The Oracle that the environment names, emptied of what the tests make; None where it names none."""
    dsn = os.environ.get("WAYSIDE_ORACLE_DSN")
    if not dsn:
        return None
    user, password = os.environ["WAYSIDE_ORACLE_USER"], os.environ["WAYSIDE_ORACLE_PASSWORD"]
    if "TEST" not in user.upper():
        pytest.fail(f"the tests drop tables, and {user} is not the name of a test user: it has to contain TEST")
    database = Database(lambda: oracledb.connect(user=user, password=password, dsn=dsn))
    for (name,) in database.ask("SELECT TABLE_NAME FROM USER_TABLES"):
        database.ask(f'DROP TABLE "{name}" CASCADE CONSTRAINTS PURGE')
    database.ask("DELETE FROM USER_SDO_GEOM_METADATA", commit=True)
    return database


def peer() -> Database:
    """H2 in the place of Oracle; the test is skipped where there is none."""
    if reason := h2.missing():
        pytest.skip(reason)
    database = h2.H2()
    return Database(database.connect, database.close)


def _read(value: Any) -> Any:
    return value.read() if hasattr(value, "read") else value


def arrow(kind: pa.DataType, value: Any) -> Any:
    """What Oracle gives for a value of an Arrow type, as Python has it from Arrow."""
    if value is None:
        return None
    if pa.types.is_boolean(kind):
        assert value in {0, 1}
        return bool(value)
    if pa.types.is_timestamp(kind):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if pa.types.is_date(kind):
        assert (value.hour, value.minute, value.second) == (0, 0, 0)
        return value.date()
    return value


def batch(folder: Path, table: Table, scopes: Iterable[Scope], rows: Sequence[Row], name: str = "batch-1") -> Batch:
    """A batch of its own making, which no outbox has audited."""
    path = folder / f"{name}.parquet"
    filled = [{"schema_version": SCHEMA_VERSION, **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(filled, schema=table.schema), path)
    return Batch(table, name, tuple(Entry(scope, "m", True) for scope in scopes), path)


def scope_of(table: Table, number: int = 0) -> Scope:
    """One of many scopes that have all that any table asks for."""
    return whole_scope(number, SLOT)


def sample(table: Table, scope: Scope, number: int, seed: int = 0) -> list[Row]:
    """Rows of a scope, one at most where it is the key, with values of every kind: nulls, extremes, long texts."""
    dice = random.Random(f"{table.name} {seed}")
    scoped = scope.values(table)
    rows = []
    for place in range(1 if set(table.scope) == set(table.key) else number):
        row = {field.name: _value(table, field, dice, place) for field in table.schema}
        rows.append(row | scoped)
    return sorted(rows, key=lambda row: [row[name] for name in table.key])


def _value(table: Table, field: pa.Field, dice: random.Random, place: int) -> Any:
    kind = field.type
    if field.nullable and dice.random() < 0.3:
        return None
    if pa.types.is_string(kind):
        if field.name in table.key:
            return f"key{place:04}"
        if field.name in {"run", "camera"}:
            return f"{field.name}-{place:04}"
        if field.name.endswith("sha256") or field.name == "segment":
            return f"{dice.randrange(16**64):064x}"
        return dice.choice(["x", "Straße 7, 'the \"old\" one'", "道路 :1 ?", "y" * 200, "NULL", " "])
    if pa.types.is_boolean(kind):
        return dice.random() < 0.5
    if pa.types.is_integer(kind):
        top = 2 ** (kind.bit_width - 1) - 1
        return place if field.name in table.key else dice.choice([0, 1, -1, top, -top - 1])
    if pa.types.is_floating(kind):
        value = dice.choice([0.0, 1 / 3, -51.123456789, 1e-30, 1e30, math.pi])
        return pa.scalar(value, kind).as_py()
    if pa.types.is_date(kind):
        return date(2026, 1, 1) + timedelta(days=place)
    return datetime(2026, 5, 1, 23, 59, 59, 999_999, tzinfo=UTC) + timedelta(microseconds=dice.randrange(10**12))


ALL = list(TABLES.values())
