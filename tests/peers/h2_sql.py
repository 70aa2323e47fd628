"""What H2 in Oracle mode lacks of Oracle, for `tests.peers.h2`: some syntax, the dictionary, two refusals.

A statement is changed in these places alone: binds `:1` and `:name` become `?`; the schema of the session is called
CURRENT_SCHEMA; a geometry is kept as the text of its constructor, and so is the list of dimensions of its metadata; an
index of geometries is a plain one. Two things are refused that H2 would let pass: a time with a zone in a key
(ORA-02329), and an index of geometries that are not in the metadata (ORA-13203).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

_QUOTED = r"'(?:[^']|'')*'|\"[^\"]*\""
_BIND = re.compile(rf"({_QUOTED})|:([A-Za-z0-9_]+)")
_SCHEMA = re.compile(r"SYS_CONTEXT\('USERENV', 'CURRENT_SCHEMA'\)")
_POINT = re.compile(
    r"MDSYS\.SDO_GEOMETRY\((\d+), (\d+), MDSYS\.SDO_POINT_TYPE\(([^,]+), ([^,]+), ([^,)]+)\), NULL, NULL\)"
)
_DIMENSIONS = re.compile(r"MDSYS\.SDO_DIM_ARRAY\((?:MDSYS\.SDO_DIM_ELEMENT\([^)]*\)(?:, )?)+\)")
_INDEX = re.compile(
    r'CREATE INDEX (?P<name>"\w+"\."\w+") ON "(?P<owner>\w+)"\."(?P<table>\w+)" \("(?P<column>\w+)"\)'
    r"(?P<kind> INDEXTYPE IS MDSYS\.SPATIAL_INDEX_V2)"
)
_TABLE = re.compile(r'CREATE TABLE "(?P<owner>\w+)"\."(?P<table>\w+)" ')
_KEPT = re.compile(r"SDO_GEOMETRY\((\d+), (\d+), SDO_POINT_TYPE\(([^,]+), ([^,]+), ([^)]+)\), NULL, NULL\)")

SETUP = (
    "CREATE SCHEMA IF NOT EXISTS WAYSIDE",
    "CREATE SCHEMA IF NOT EXISTS SYS",
    "CREATE SCHEMA IF NOT EXISTS MDSYS",
    "CREATE DOMAIN IF NOT EXISTS MDSYS.SDO_GEOMETRY AS VARCHAR(500)",
    """CREATE TABLE IF NOT EXISTS SYS.USER_SDO_GEOM_METADATA (
        TABLE_NAME VARCHAR(128), COLUMN_NAME VARCHAR(128), DIMINFO VARCHAR(4000), SRID NUMERIC(10),
        PRIMARY KEY (TABLE_NAME, COLUMN_NAME))""",
    """CREATE VIEW IF NOT EXISTS SYS.ALL_SDO_GEOM_METADATA AS
        SELECT 'WAYSIDE' AS OWNER, TABLE_NAME, COLUMN_NAME, DIMINFO, SRID FROM SYS.USER_SDO_GEOM_METADATA""",
    """CREATE VIEW IF NOT EXISTS SYS.ALL_TAB_COLUMNS AS
        SELECT TABLE_SCHEMA AS OWNER, TABLE_NAME, COLUMN_NAME,
            CASE WHEN DOMAIN_NAME IS NOT NULL THEN DOMAIN_NAME ELSE CASE DATA_TYPE
                WHEN 'CHARACTER VARYING' THEN 'VARCHAR2' WHEN 'CHARACTER LARGE OBJECT' THEN 'CLOB'
                WHEN 'NUMERIC' THEN 'NUMBER' WHEN 'DECFLOAT' THEN 'NUMBER'
                WHEN 'REAL' THEN 'BINARY_FLOAT' WHEN 'DOUBLE PRECISION' THEN 'BINARY_DOUBLE'
                WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP(' || DATETIME_PRECISION || ') WITH TIME ZONE'
                WHEN 'TIMESTAMP' THEN CASE DATETIME_PRECISION WHEN 0 THEN 'DATE'
                    ELSE 'TIMESTAMP(' || DATETIME_PRECISION || ')' END
                ELSE DATA_TYPE END END AS DATA_TYPE,
            COALESCE(CHARACTER_MAXIMUM_LENGTH, 0) AS CHAR_LENGTH,
            CASE DATA_TYPE WHEN 'NUMERIC' THEN NUMERIC_PRECISION END AS DATA_PRECISION,
            CASE DATA_TYPE WHEN 'NUMERIC' THEN NUMERIC_SCALE END AS DATA_SCALE,
            CASE IS_NULLABLE WHEN 'YES' THEN 'Y' ELSE 'N' END AS NULLABLE
        FROM INFORMATION_SCHEMA.COLUMNS""",
    """CREATE VIEW IF NOT EXISTS SYS.ALL_INDEXES AS
        SELECT INDEX_SCHEMA AS OWNER, INDEX_NAME, TABLE_NAME FROM INFORMATION_SCHEMA.INDEXES""",
    """CREATE VIEW IF NOT EXISTS SYS.ALL_COL_COMMENTS AS
        SELECT TABLE_SCHEMA AS OWNER, TABLE_NAME, COLUMN_NAME, REMARKS AS COMMENTS FROM INFORMATION_SCHEMA.COLUMNS""",
)

_ZONED_KEY = """SELECT 1 FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE k JOIN INFORMATION_SCHEMA.COLUMNS c
    ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME
    WHERE c.DATA_TYPE = 'TIMESTAMP WITH TIME ZONE' AND k.TABLE_SCHEMA = '{owner}' AND k.TABLE_NAME = '{table}'"""
_REGISTERED = """SELECT 1 FROM SYS.ALL_SDO_GEOM_METADATA
    WHERE OWNER = '{owner}' AND TABLE_NAME = '{table}' AND COLUMN_NAME = '{column}'"""

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Written:
    """A statement as H2 takes it, and as it was."""

    text: str
    original: str
    binds: list[str] = field(default_factory=list)

    def order(self, parameters: Any) -> Sequence[Any]:
        """The values in the order of the question marks: by name from a mapping, else by place."""
        if isinstance(parameters, dict):
            return [parameters[name] for name in self.binds]
        return parameters


def translate(statement: str) -> Written:
    """Change a statement of Oracle into one of H2."""
    text = _SCHEMA.sub("CURRENT_SCHEMA", statement)
    text = _POINT.sub(_kept, text)
    text = _DIMENSIONS.sub(lambda found: "'" + found[0].replace("'", "''").replace("MDSYS.", "") + "'", text)
    if found := _INDEX.fullmatch(text):
        text = text.replace(found["kind"], "")
    binds: list[str] = []

    def bind(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        binds.append(found[2])
        return "?"

    return Written(_BIND.sub(bind, text), statement, binds)


def _kept(found: re.Match[str]) -> str:
    """The text of a point's constructor, its numbers put in by the database."""
    gtype, srid, *axes = found.groups()
    numbers = " || ', ' || ".join(f"COALESCE(CAST({axis} AS VARCHAR(30)), 'NULL')" for axis in axes)
    return f"('SDO_GEOMETRY({gtype}, {srid}, SDO_POINT_TYPE(' || {numbers} || '), NULL, NULL)')"


def refused(written: Written, ask: Ask) -> tuple[int, str] | None:
    """Undo and refuse what Oracle would not have done: its code and its words."""
    if (made := _TABLE.match(written.original)) and ask(_ZONED_KEY.format(**made.groupdict())):
        ask(f'DROP TABLE "{made["owner"]}"."{made["table"]}"')
        return 2329, "column of datatype TIME/TIMESTAMP WITH TIME ZONE cannot be unique or a primary key"
    if (made := _INDEX.fullmatch(written.original)) and not ask(_REGISTERED.format(**made.groupdict())):
        ask(f"DROP INDEX {made['name']}")
        return 13203, "failed to read USER_SDO_GEOM_METADATA view"
    return None


def geometry(text: str) -> Any:
    """A geometry as the driver shows one, an object with attributes; any other text as it is."""
    found = _KEPT.fullmatch(text)
    if not found:
        return text
    x, y, z = (None if part == "NULL" else float(part) for part in found.groups()[2:])
    return SimpleNamespace(SDO_GTYPE=int(found[1]), SDO_SRID=int(found[2]), SDO_POINT=SimpleNamespace(X=x, Y=y, Z=z))
