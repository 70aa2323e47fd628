"""The statements below `sql/`, authored once in BigQuery's dialect and translated for DuckDB.

A statement is a file, named by its path below `sql` without the suffix: `web/series`. Its parameters are `@name`, those
that are arrays are asked by `IN UNNEST(@names)`, and tables are named without project or dataset. A statement that
begins with the line `-- with outcomes` reads the file `outcomes.sql` beside it as one more common table expression.
That is how questions share a part that takes parameters, which a view cannot: a table of BigQuery that demands a filter
on its partitions has to be filtered inside.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from wayside.core.errors import ConfigError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from sqlglot import exp

_NAME: Final = re.compile(r"[a-z0-9_]+(?:/[a-z0-9_]+)*")
_SHARED: Final = re.compile(r"\A-- with (\w+)\n")
_COMMENTS: Final = re.compile(r"(?:\s*--[^\n]*\n)*\s*")
_PARAMETER: Final = re.compile(r"@(\w+)")


def names() -> list[str]:
    """List the statements, sorted."""
    root = settings().home / "sql"
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.sql"))


@lru_cache(maxsize=128)
def load(name: str) -> str:
    """Return a statement as it was authored, with the part that it shares with others.

    Raises:
        ConfigError: there is no such statement.
    """
    path = settings().home / "sql" / f"{name}.sql"
    try:
        if not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        text = path.read_text(encoding="utf-8").rstrip()
    except FileNotFoundError:
        raise ConfigError(f"there is no statement {name}: it would be the file {path}") from None
    shared = _SHARED.match(text)
    if shared is None:
        return text
    text = text[shared.end() :]
    start = _end_of_comments(text)
    part = load(f"{name.rpartition('/')[0]}/{shared[1]}")
    joined = f"WITH {shared[1]} AS (\n{part[_end_of_comments(part) :]}\n)"
    rest = text[start:]
    rest = f",{rest[4:]}" if rest[:5].upper() == "WITH " else f"\n{rest}"
    return f"{text[:start]}{joined}{rest}"


@lru_cache(maxsize=128)
def parameters(name: str) -> frozenset[str]:
    """Return the names of the parameters of a statement, without `@`."""
    lines = (line.partition("--")[0] for line in load(name).splitlines())
    return frozenset(_PARAMETER.findall("\n".join(lines)))


@lru_cache(maxsize=128)
def tables(name: str) -> frozenset[str]:
    """Return the names of the tables that a statement reads."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(load(name), read="bigquery")
    made = {one.alias for one in tree.find_all(exp.CTE)}
    return frozenset(one.name for one in tree.find_all(exp.Table)) - made


@lru_cache(maxsize=128)
def for_duckdb(name: str) -> str:
    """Return a statement as DuckDB takes it; parameters become `$name`."""
    return translated(load(name))


def ask(connection: Any, name: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Ask a statement on a connection of DuckDB, and return its rows."""
    rows: list[dict[str, Any]] = connection.sql(for_duckdb(name), params=dict(values)).to_arrow_table().to_pylist()
    return rows


def translated(text: str) -> str:
    """Translate a statement of BigQuery to DuckDB. The session's time zone has to be UTC, as it is on BigQuery."""
    import sqlglot

    tree = sqlglot.parse_one(text, read="bigquery")
    return tree.transform(_any_of).sql(dialect="duckdb", comments=False)


def _any_of(node: "exp.Expression") -> "exp.Expression":
    """Write `x IN UNNEST(@names)` as `x = ANY($names)`, which DuckDB can look up in the statistics of a file."""
    from sqlglot import exp

    if isinstance(node, exp.In) and isinstance(unnest := node.args.get("unnest"), exp.Unnest):
        (values,) = unnest.expressions
        if isinstance(values, exp.Parameter):
            return exp.EQ(this=node.this, expression=exp.Any(this=exp.paren(values)))
    return node


def _end_of_comments(text: str) -> int:
    found = _COMMENTS.match(text)
    return found.end() if found else 0
