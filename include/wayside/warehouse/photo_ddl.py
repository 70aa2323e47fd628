"""A road authority's own table of photos in Oracle: the statements that make it, and what a delivery to it needs.

The table is its owner's. It is made only when a person asks, and never altered: a delivery adds its ledger, the list
of refused rows and a twin in which rows are staged, and says what of the table does not fit.
"""

from collections.abc import Iterator
from typing import Any, Final

from wayside.core.errors import ConfigError
from wayside.core.tables import Table
from wayside.metadata.layouts import ColumnLayout, TableLayout
from wayside.warehouse.oracle_columns import columns, identifier
from wayside.warehouse.oracle_ddl import LEDGER, LEDGER_COLUMNS, STAGED_BY, Dictionary, qualified, staging_name

REFUSED: Final = "WAYSIDE_REFUSED"
_REFUSED_COLUMNS: Final = (
    '"TABLE_NAME" VARCHAR2(128 CHAR) NOT NULL',
    '"BATCH" VARCHAR2(100 CHAR) NOT NULL',
    '"PLACE" NUMBER(10) NOT NULL',
    '"PHOTO" VARCHAR2(1000 CHAR)',
    '"ROW_KEY" VARCHAR2(1000 CHAR)',
    '"CODE" VARCHAR2(20 CHAR)',
    '"REASON" VARCHAR2(1000 CHAR)',
    '"REFUSED_AT" TIMESTAMP(6) WITH TIME ZONE NOT NULL',
    f'CONSTRAINT "{REFUSED}_KEY" PRIMARY KEY ("TABLE_NAME", "BATCH", "PLACE")',
)
# What a column of each kind may be in a table that others made.
_ALSO: Final = {
    "VARCHAR": ("VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "CLOB"),
    "CLOB": ("CLOB", "NCLOB"),
    "NUMBER": ("NUMBER", "FLOAT", "BINARY_DOUBLE", "BINARY_FLOAT"),
    "DATE": ("DATE", "TIMESTAMP"),
    "SDO_GEOMETRY": ("SDO_GEOMETRY",),
}
_STAGED: Final = {"VARCHAR2": "VARCHAR2(4000 CHAR)"}


def table_statement(layout: TableLayout, schema: str = "") -> str:
    """Return the statement that creates the table."""
    lines = [f"{_quoted(column)} {_type(column)}{'' if column.nullable else ' NOT NULL'}" for column in layout.columns]
    lines.append(f"CONSTRAINT {identifier(f'{layout.name}_KEY')} PRIMARY KEY ({_quoted(layout.key_column)})")
    return f"CREATE TABLE {_place(layout.name, schema)} (\n    " + ",\n    ".join(lines) + "\n)"


def geometry_statements(layout: TableLayout) -> dict[str, str]:
    """Return, by column, the statements that say in which system and how far its points lie, for the table's owner."""
    return {
        column.name.upper(): (
            "INSERT INTO USER_SDO_GEOM_METADATA (TABLE_NAME, COLUMN_NAME, DIMINFO, SRID) VALUES "  # noqa: S608
            f"('{layout.name.upper()}', '{column.name.upper()}', MDSYS.SDO_DIM_ARRAY("
            + ", ".join(
                f"MDSYS.SDO_DIM_ELEMENT('{axis.name}', {axis.low!r}, {axis.high!r}, {axis.tolerance!r})"
                for axis in column.spatial.axes
            )
            + f"), {column.spatial.srid})"
        )
        for column in layout.columns
        if column.spatial is not None
    }


def index_statements(layout: TableLayout, schema: str = "") -> dict[str, str]:
    """Return, by the index's name, the statements that index the points; they ask for the geometry's metadata."""
    return {
        f"{layout.name}_{column.name}_SPATIAL".upper(): (
            f"CREATE INDEX {_place(f'{layout.name}_{column.name}_SPATIAL', schema)} "
            f"ON {_place(layout.name, schema)} ({_quoted(column)}) INDEXTYPE IS MDSYS.SPATIAL_INDEX_V2"
        )
        for column in layout.columns
        if column.spatial is not None
    }


class PhotoDictionary(Dictionary):
    """What of a layout's table is there, and what is made of it. Statements here commit by themselves."""

    def __init__(self, cursor: Any, schema: str, layout: TableLayout) -> None:
        super().__init__(cursor, schema)
        self.layout = layout

    def create(self) -> list[str]:
        """Make the table, its geometry's metadata and its indexes; what is there stays. Return what was made."""
        made = []
        if not self._found(self.layout.name):
            self._make(table_statement(self.layout, self.schema))
            made.append(f"table {self.layout.name.upper()}")
        self.check()
        return [*made, *self.register(), *self._index_points()]

    def register(self) -> list[str]:
        """Insert the rows of the geometry's metadata that are not there; return what was inserted.

        Raises:
            ConfigError: the table is another user's, to whose list nobody else may add; or it is not there.
        """
        self.check()
        missing = {column: text for column, text in geometry_statements(self.layout).items() if not self._known(column)}
        if missing:
            self.cursor.execute("SELECT USER FROM DUAL")
            if (user := self.cursor.fetchone()[0]) != self.schema:
                raise ConfigError(
                    f"the points of {self.layout.name.upper()} are not in the list of geometries of {self.schema}, to "
                    f"which {user} cannot add: let {self.schema} run `wayside register geometry-metadata`"
                )
        for statement in missing.values():
            self._make(statement)
        self.cursor.connection.commit()
        return [f"metadata of {column}" for column in missing]

    def check(self) -> None:
        """Raise `ConfigError` where the table is not there, lacks a column, or has one of another kind."""
        name = qualified(self.schema, self.layout.name)
        found = self._found(self.layout.name)
        if not found:
            raise ConfigError(
                f"there is no table {name}, or this user may not see it: `wayside register create-table` makes it"
            )
        wrong = []
        for column in self.layout.columns:
            there = found.get(column.name.upper())
            if there is None:
                wrong.append(f"{column.name} is missing")
            elif str(there[0]).split("(")[0] not in _ALSO[column.family]:
                wrong.append(f"{column.name} is {there[0]} and not {column.type}")
        if wrong:
            raise ConfigError(f"{name} does not fit the layout: {'; '.join(wrong)}. Alter the table or the layout")

    def prepare(self, table: Table) -> None:
        """Make what a delivery needs beside the table: ledger, list of refused rows, twin; check the table itself."""
        self.check()
        self._create(LEDGER, ", ".join(LEDGER_COLUMNS))
        self._create(REFUSED, ", ".join(_REFUSED_COLUMNS))
        self._index(
            f"{REFUSED}_PHOTO",
            f'CREATE INDEX {{}} ON {qualified(self.schema, REFUSED)} ("TABLE_NAME", "PHOTO")',
        )
        staged = dict(_staged(table))
        twin = staging_name(table)
        self._create(twin, ", ".join(f"{identifier(name)} {kind}" for name, kind in staged.items()))
        found = self._found(twin)
        for name, kind in staged.items():
            if name not in found:
                self._make(f"ALTER TABLE {qualified(self.schema, twin)} ADD ({identifier(name)} {kind})")
            elif found[name][0] != kind.split("(")[0]:
                raise ConfigError(f"{name} of {twin} is {found[name][0]}: the layout has changed, so drop that table")
        keys = ", ".join(identifier(name) for name in (STAGED_BY, *table.key))
        self._index(f"{twin}_KEY", f"CREATE INDEX {{}} ON {qualified(self.schema, twin)} ({keys})")

    def _known(self, column: str) -> bool:
        self.cursor.execute(
            "SELECT COUNT(*) FROM ALL_SDO_GEOM_METADATA WHERE OWNER = :1 AND TABLE_NAME = :2 AND COLUMN_NAME = :3",
            [self.schema, self.layout.name.upper(), column],
        )
        return bool(self.cursor.fetchone()[0])

    def _index_points(self) -> list[str]:
        made = []
        for name, statement in index_statements(self.layout, self.schema).items():
            self.cursor.execute(
                "SELECT COUNT(*) FROM ALL_INDEXES WHERE OWNER = :1 AND INDEX_NAME = :2", [self.schema, name]
            )
            if not self.cursor.fetchone()[0]:
                self._make(statement)
                made.append(f"index {name}")
        return made


def _staged(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the twin's columns: texts of any length but for the key's, so that it outlasts changes of the layout."""
    yield STAGED_BY, "VARCHAR2(100 CHAR)"
    for column in columns(table):
        keyed = column.field.name in table.key
        for name, kind in column.parts:
            yield name, kind if keyed else _STAGED.get(kind.split("(")[0], kind)


def _type(column: ColumnLayout) -> str:
    if column.length is not None:
        return f"VARCHAR2({column.length} CHAR)"
    return "MDSYS.SDO_GEOMETRY" if column.spatial is not None else column.type


def _quoted(column: ColumnLayout) -> str:
    return identifier(column.name)


def _place(name: str, schema: str) -> str:
    return qualified(schema, name) if schema else identifier(name)
