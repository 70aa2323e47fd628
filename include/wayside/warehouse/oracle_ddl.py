"""Tables in Oracle, made from the Arrow schemas: what is absent is created, new columns are added, the rest is checked.

Each table has a twin in which its rows are staged. Oracle takes no time with a zone into a primary key (ORA-02329),
but does into a unique index; so that is what holds the key of a table whose key has a time. Keys begin with the scope:
one index finds a row and also what a delivery replaces. A table is not divided into partitions, which is an option
that costs money.
"""

from collections.abc import Iterator
from typing import Any, Final

import oracledb

from wayside.core.errors import ConfigError
from wayside.core.tables import Table
from wayside.warehouse.oracle_columns import Column, Point, columns, identifier
from wayside.warehouse.oracle_errors import EXISTS, code_of

LEDGER: Final = "WAYSIDE_BATCHES"
STAGED_BY: Final = "WAYSIDE_BATCH"
_NAME: Final = "VARCHAR2(100 CHAR)"
LEDGER_COLUMNS: Final = (
    f'"NAME" {_NAME} NOT NULL',
    '"TABLE_NAME" VARCHAR2(128 CHAR) NOT NULL',
    '"ROW_COUNT" NUMBER(10) NOT NULL',
    '"DELIVERED_AT" TIMESTAMP(6) WITH TIME ZONE NOT NULL',
    f'CONSTRAINT "{LEDGER}_KEY" PRIMARY KEY ("NAME")',
)


def qualified(schema: str, name: str) -> str:
    """Return a name with its schema, as it stands in a statement."""
    return f"{identifier(schema)}.{identifier(name)}"


def staging_name(table: Table) -> str:
    """Return the name of the table in which rows of `table` are staged."""
    return f"WAYSIDE_STAGE_{table.name.upper()}"


class Dictionary:
    """What is there already, and what is made of it. One cursor, one schema; statements here commit by themselves."""

    def __init__(self, cursor: Any, schema: str) -> None:
        self.cursor = cursor
        self.schema = schema

    def prepare(self, table: Table) -> None:
        """Create what a table lacks: itself, its twin, their indexes, the index of its points, its comments.

        Killed anywhere, it goes on where it was; what somebody else creates at the same time counts as there.

        Raises:
            ConfigError: a column that is there does not fit; the message names it.
        """
        wanted, staged = columns(table), _staged(columns(table))
        self._create(LEDGER, ", ".join(LEDGER_COLUMNS))
        self._create(table.name, ", ".join(_declared(table, wanted)))
        self._create(staging_name(table), ", ".join(staged.values()))
        self._extend(table, wanted, staged)
        for name, statement in self._indexes(table):
            self._index(name, statement)
        for column in wanted:
            if column.point is not None:
                self._spatial(table, column, column.point)
        self._describe(table, wanted)

    def _create(self, name: str, declared: str) -> None:
        if not self._found(name):
            self._make(f"CREATE TABLE {qualified(self.schema, name)} ({declared})")

    def _make(self, statement: str) -> None:
        """Run a statement that makes something; that it is there by now is as good."""
        try:
            self.cursor.execute(statement)
        except oracledb.DatabaseError as error:
            if code_of(error) not in EXISTS:
                raise

    def _found(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Return what is known of each column of a table, by name; nothing if there is no table."""
        self.cursor.execute(
            "SELECT COLUMN_NAME, DATA_TYPE, CHAR_LENGTH, DATA_PRECISION, DATA_SCALE, NULLABLE FROM ALL_TAB_COLUMNS "
            "WHERE OWNER = :1 AND TABLE_NAME = :2",
            [self.schema, name.upper()],
        )
        return {row[0]: row[1:] for row in self.cursor.fetchall()}

    def _extend(self, table: Table, wanted: list[Column], staged: dict[str, str]) -> None:
        """Add the columns that the schema has gained; raise `ConfigError` for one that cannot be added or differs."""
        name = qualified(self.schema, table.name)
        found = self._found(table.name)
        for column in wanted:
            there = found.get(column.name)
            if there is not None:
                _check(table, column, there)
            elif not column.nullable:
                raise ConfigError(f"{name} has no column {column.name}, which may not be null: add it by hand")
            else:
                self._make(f"ALTER TABLE {name} ADD ({_declaration(column)})")
        twin, found = staging_name(table), self._found(staging_name(table))
        for part in staged.keys() - found.keys():
            self._make(f"ALTER TABLE {qualified(self.schema, twin)} ADD ({staged[part].removesuffix(' NOT NULL')})")

    def _indexes(self, table: Table) -> Iterator[tuple[str, str]]:
        """Yield the plain indexes: of the key where it is no primary key, and of the staged rows."""
        name, twin = qualified(self.schema, table.name), qualified(self.schema, staging_name(table))
        if _timed(table):
            yield f"{table.name}_KEY", f"CREATE UNIQUE INDEX {{}} ON {name} ({_listed(_key(table))})"
        yield f"{staging_name(table)}_KEY", f"CREATE INDEX {{}} ON {twin} ({_listed((STAGED_BY, *_key(table)))})"

    def _index(self, name: str, statement: str) -> None:
        self.cursor.execute(
            "SELECT COUNT(*) FROM ALL_INDEXES WHERE OWNER = :1 AND INDEX_NAME = :2", [self.schema, name.upper()]
        )
        if not self.cursor.fetchone()[0]:
            self._make(statement.format(qualified(self.schema, name)))

    def _spatial(self, table: Table, column: Column, point: Point) -> None:
        """Say in which system and extent the points of a column lie, and make their index, which asks for that."""
        where = [self.schema, table.name.upper(), column.name]
        self.cursor.execute(
            "SELECT COUNT(*) FROM ALL_SDO_GEOM_METADATA WHERE OWNER = :1 AND TABLE_NAME = :2 AND COLUMN_NAME = :3",
            where,
        )
        if not self.cursor.fetchone()[0]:
            self._register(table, column, point)
        self._index(
            f"{table.name}_{column.name}_SPATIAL",
            f"CREATE INDEX {{}} ON {qualified(self.schema, table.name)} ({identifier(column.name)}) "
            "INDEXTYPE IS MDSYS.SPATIAL_INDEX_V2",
        )

    def _register(self, table: Table, column: Column, point: Point) -> None:
        """Add the row of a column of points to the user's own list; nobody may add to another's."""
        self.cursor.execute("SELECT USER FROM DUAL")
        user = self.cursor.fetchone()[0]
        if user != self.schema:
            raise ConfigError(
                f"{table.name}.{column.name} is not in the list of geometries of {self.schema}, to which {user} cannot "
                f"add: let {self.schema} insert its row into USER_SDO_GEOM_METADATA"
            )
        axes = ", ".join(
            f"MDSYS.SDO_DIM_ELEMENT('{axis.upper()}', {low!r}, {high!r}, {point.tolerance!r})"
            for axis, (low, high) in zip(point.axes, point.extent, strict=True)
        )
        # The extent is numbers of ours, written out: the driver cannot bind such an object without asking for its type.
        statement = (
            "INSERT INTO USER_SDO_GEOM_METADATA (TABLE_NAME, COLUMN_NAME, DIMINFO, SRID) "  # noqa: S608
            f"VALUES (:1, :2, MDSYS.SDO_DIM_ARRAY({axes}), :3)"
        )
        try:
            self.cursor.execute(statement, [table.name.upper(), column.name, point.srid])
        except oracledb.DatabaseError as error:
            if code_of(error) not in EXISTS:
                raise
        self.cursor.connection.commit()

    def _describe(self, table: Table, wanted: list[Column]) -> None:
        """Keep the comments of the columns what the schema says of them."""
        self.cursor.execute(
            "SELECT COLUMN_NAME, COMMENTS FROM ALL_COL_COMMENTS WHERE OWNER = :1 AND TABLE_NAME = :2",
            [self.schema, table.name.upper()],
        )
        said = dict(self.cursor.fetchall())
        for column in wanted:
            if column.comment and said.get(column.name) != column.comment:
                name = f"{qualified(self.schema, table.name)}.{identifier(column.name)}"
                text = column.comment.replace("'", "''")
                self.cursor.execute(f"COMMENT ON COLUMN {name} IS '{text}'")


def _declared(table: Table, wanted: list[Column]) -> Iterator[str]:
    for column in wanted:
        yield _declaration(column)
    if not _timed(table):
        yield f"CONSTRAINT {identifier(f'{table.name}_KEY')} PRIMARY KEY ({_listed(_key(table))})"


def _declaration(column: Column) -> str:
    check = f" CHECK ({identifier(column.name)} IN (0, 1))" if column.boolean else ""
    return f"{identifier(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}{check}"


def _staged(wanted: list[Column]) -> dict[str, str]:
    """Return the declarations of the twin's columns, by name: the batch, then the parts of each column."""
    declared = {STAGED_BY: f"{identifier(STAGED_BY)} {_NAME} NOT NULL"}
    for column in wanted:
        for name, kind in column.parts:
            null = "" if column.nullable or column.point else " NOT NULL"
            declared[name] = f"{identifier(name)} {kind}{null}"
    return declared


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(identifier(name) for name in names)


def _key(table: Table) -> tuple[str, ...]:
    """Return the columns of the key, those of the scope first."""
    return (*table.scope, *(name for name in table.key if name not in table.scope))


def _timed(table: Table) -> bool:
    """Tell whether a time with a zone is part of the key."""
    return any(column.kind.endswith("TIME ZONE") for column in columns(table) if column.field.name in table.key)


def _check(table: Table, column: Column, there: tuple[Any, ...]) -> None:
    """Raise `ConfigError` if a column that is there cannot hold what the schema says."""
    kind, length, precision, scale, nullable = there
    fits, held = kind == column.kind.removeprefix("MDSYS."), kind
    if kind == "VARCHAR2":
        fits, held = fits and length >= (column.size or 0), f"{kind}({length} CHAR)"
    elif kind == "NUMBER" and precision is not None:
        fits = fits and precision - (scale or 0) >= (column.size or 0)
        held = f"{kind}({precision},{scale or 0})"
    if column.nullable and nullable == "N":
        fits, held = False, f"{held} NOT NULL"
    if not fits:
        wanted = f"{column.type}{'' if column.nullable else ' NOT NULL'}"
        raise ConfigError(
            f"column {column.name} of {table.name.upper()} in Oracle is {held}, and {wanted} is needed: alter it, or "
            "rename the table and have everything delivered again"
        )
