"""What DuckDB lets pass and BigQuery refuses: names that a SELECT gives, used too early, and types that clash.

The types of columns, parameters, casts and of functions that make times are known; what is not known passes.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlglot import exp
from tests.peers.bigquery.catalog import Catalog
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.wire import LEGACY

Columns = dict[str, str | None]

SQL_TYPES: Final = {
    "TEXT": "STRING",
    "VARCHAR": "STRING",
    "BIGINT": "INTEGER",
    "DOUBLE": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMPTZ": "TIMESTAMP",
    "TIMESTAMP": "DATETIME",
    "DATETIME": "DATETIME",
    "DATE": "DATE",
    "TIME": "TIME",
    "DECIMAL": "NUMERIC",
    "VARBINARY": "BYTES",
    "BINARY": "BYTES",
    "JSON": "JSON",
}
_SCOPES = (exp.Select, exp.Merge, exp.Update, exp.Delete)
_NUMBERS: Final = {"INTEGER", "FLOAT", "NUMERIC"}
_MADE: Final = (
    ((exp.TimestampTrunc, exp.TimestampAdd, exp.TimestampSub, exp.CurrentTimestamp), "TIMESTAMP"),
    ((exp.Timestamp, exp.UnixToTime), "TIMESTAMP"),
    ((exp.Date, exp.CurrentDate, exp.DateAdd, exp.DateSub, exp.StrToDate), "DATE"),
    ((exp.TimeToStr, exp.Concat, exp.DPipe), "STRING"),
    ((exp.Div,), "FLOAT"),
    ((exp.TimestampDiff, exp.DateDiff, exp.Count, exp.CountIf), "INTEGER"),
    ((exp.Predicate,), "BOOLEAN"),
)
# Into which other types a value goes by itself when it is stored.
_GOES_INTO: Final = {
    "INTEGER": {"FLOAT", "NUMERIC"},
    "NUMERIC": {"FLOAT"},
    "DATE": {"DATETIME"},
}


class Strict:
    """Looks through one statement whose tables are known (`meta["ref"]`)."""

    def __init__(self, catalog: Catalog, parameters: list[dict[str, Any]]) -> None:
        self._catalog = catalog
        self._parameters = {body.get("name") or f"p{place}_": body for place, body in enumerate(parameters)}

    def check(self, tree: exp.Expression) -> None:
        """Raise an ApiError for the first thing that BigQuery would refuse."""
        for node in tree.walk():
            if isinstance(node, exp.Column):
                self._check_alias(node)
            elif isinstance(node, exp.EQ | exp.NEQ | exp.LT | exp.LTE | exp.GT | exp.GTE) and not _is_assignment(node):
                self._compare(node, node.expression)
            elif isinstance(node, exp.Between):
                self._compare(node, node.args["low"])
                self._compare(node, node.args["high"])
            elif isinstance(node, exp.In):
                for member in _members(node):
                    self._compare(node, member, listed=node.args.get("unnest") is not None)
            elif isinstance(node, exp.Insert):
                self._check_insert(node)
            elif isinstance(node, exp.Update):
                self._check_update(node)

    # Names

    def _check_alias(self, column: exp.Column) -> None:
        """BigQuery knows the names that a SELECT gives only in GROUP BY, HAVING, QUALIFY and ORDER BY."""
        select = column.find_ancestor(*_SCOPES)
        late = column.find_ancestor(exp.Group, exp.Having, exp.Qualify, exp.Order, *_SCOPES)
        if column.table or not isinstance(select, exp.Select) or late is not select:
            return
        aliases = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)}
        if column.name.lower() in aliases and self._nowhere(select, column.name):
            raise ApiError("invalidQuery", f"Unrecognized name: {column.name}")

    def _nowhere(self, scope: exp.Expression | None, name: str) -> bool:
        while scope is not None:
            for columns in self._sources(scope).values():
                if columns is None or name.lower() in columns:
                    return False
            scope = scope.find_ancestor(*_SCOPES)
        return True

    # Types

    def _compare(self, node: exp.Expression, other: exp.Expression, listed: bool = False) -> None:
        left, right = self._type(node.this), self._type(other)
        if None in {left, right} or left == right or {left, right} <= _NUMBERS or {left, right} == {"DATE", "DATETIME"}:
            return
        if not listed and {"STRING"} == {self._loose(node.this), self._loose(other)} & {"STRING"}:
            return
        message = f"No matching signature for operator {node.key.upper()} for argument types: {left}, {right}"
        raise ApiError("invalidQuery", message)

    def _loose(self, side: exp.Expression) -> str | None:
        """STRING for a literal or a parameter, which BigQuery turns into the other side's type."""
        literal = isinstance(side, exp.Literal | exp.Parameter)
        return self._type(side) if literal else None

    def _check_insert(self, insert: exp.Insert) -> None:
        merge = insert.find_ancestor(exp.Merge)
        if merge is None:
            self._check_plain_insert(insert)
            return
        fields = self._sources(merge)[merge.this.alias_or_name] or {}
        names = insert.this.expressions if insert.this else []
        for column, value in zip(names, insert.expression.expressions, strict=False):
            self._store(column.name, fields.get(column.name.lower()), value)

    def _check_plain_insert(self, insert: exp.Insert) -> None:
        table = insert.find(exp.Table)
        fields = self._table(table)
        if fields is None:
            return
        listed = isinstance(insert.this, exp.Schema)
        names = [item.name for item in insert.this.expressions] if listed else list(fields)
        for row in _inserted(insert.expression):
            for name, value in zip(names, row, strict=False):
                self._store(name, fields.get(name.lower()), value.unalias())

    def _check_update(self, update: exp.Update) -> None:
        scope = update.find_ancestor(exp.Merge) or update
        fields = self._sources(scope).get(scope.this.alias_or_name) or {}
        for assignment in update.expressions:
            if isinstance(assignment, exp.EQ):
                name = assignment.this.name
                self._store(name, fields.get(name.lower()), assignment.expression)

    def _store(self, name: str, kind: str | None, value: exp.Expression) -> None:
        given = self._type(value)
        if None in {given, kind} or given == kind or kind in _GOES_INTO.get(str(given), set()):
            return
        if isinstance(value, exp.Literal | exp.Parameter) and (given == "STRING" or kind == "NUMERIC"):
            return
        message = f"Value of type {given} cannot be assigned to {name}, which has type {kind}"
        raise ApiError("invalidQuery", message)

    def _type(self, node: exp.Expression) -> str | None:
        if isinstance(node, exp.Paren):
            return self._type(node.this)
        if isinstance(node, exp.Column):
            return self._column_type(node)
        if isinstance(node, exp.Parameter):
            return self._parameter_type(node)
        if isinstance(node, exp.Cast):
            return SQL_TYPES.get(node.to.this.name)
        if isinstance(node, exp.Literal):
            return "STRING" if node.is_string else "INTEGER" if node.this.isdigit() else "FLOAT"
        return next((kind for classes, kind in _MADE if isinstance(node, classes)), None)

    def _parameter_type(self, node: exp.Parameter) -> str | None:
        kind = (self._parameters.get(node.this.name) or {}).get("parameterType", {})
        kind = kind.get("arrayType") or kind
        return LEGACY.get(kind.get("type"), kind.get("type"))

    def _column_type(self, column: exp.Column) -> str | None:
        scope = column.find_ancestor(*_SCOPES)
        while scope is not None:
            sources = self._sources(scope)
            chosen = [sources[column.table]] if column.table in sources else [] if column.table else [*sources.values()]
            if None in chosen:
                return None
            for columns in chosen:
                if columns is not None and column.name.lower() in columns:
                    return columns[column.name.lower()]
            scope = scope.find_ancestor(*_SCOPES)
        return None

    # Sources

    def _sources(self, scope: exp.Expression) -> dict[str, Columns | None]:
        """The columns of each source of a query by the source's name; None where they are not known."""
        found: dict[str, Columns | None] = {}
        from_ = scope.args.get("from_")
        starts = [scope.args.get("this"), scope.args.get("using"), from_.this if from_ else None]
        starts = starts[1:] if isinstance(scope, exp.Select) else starts
        for start in starts:
            for source in _joined(start):
                found[source.alias_or_name] = self._columns(source)
        for join in scope.args.get("joins") or []:
            for source in _joined(join.this):
                found[source.alias_or_name] = self._columns(source)
        if scope.args.get("laterals"):
            found[""] = None
        return found

    def _columns(self, source: exp.Expression) -> Columns | None:
        if isinstance(source, exp.Table):
            return self._table(source)
        if isinstance(source, exp.Subquery):
            return self._output(source.this)
        return None

    def _table(self, table: exp.Table) -> Columns | None:
        ref = table.meta.get("ref")
        if ref is not None:
            return {
                field["name"].lower(): None
                if field["mode"] == "REPEATED" or field["type"] == "RECORD"
                else field["type"]
                for field in self._catalog.fields(ref)
            }
        holder = table.parent
        while holder is not None:
            with_ = holder.args.get("with_")
            for cte in with_.expressions if with_ and not with_.args.get("recursive") else []:
                if cte.alias == table.name and table.find_ancestor(exp.CTE) is not cte:
                    return self._output(cte.this)
            holder = holder.parent
        return None

    def _output(self, query: exp.Expression) -> Columns | None:
        while isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        if not isinstance(query, exp.Select):
            return None
        columns: Columns = {}
        for item in query.expressions:
            if not item.is_star:
                columns[item.alias_or_name.lower()] = self._type(item.unalias())
                continue
            sources = self._sources(query)
            for source in [sources.get(item.table)] if getattr(item, "table", "") else list(sources.values()):
                if source is None:
                    return None
                columns |= source
        return columns


def _is_assignment(node: exp.Expression) -> bool:
    return isinstance(node.parent, exp.Update) and node.arg_key == "expressions"


def _members(node: exp.In) -> Iterator[exp.Expression]:
    yield from node.expressions
    unnest = node.args.get("unnest")
    if unnest is not None and isinstance(unnest.expressions[0], exp.Parameter):
        yield unnest.expressions[0]


def _joined(source: exp.Expression | None) -> Iterator[exp.Expression]:
    if not source:
        return
    yield source
    for join in source.args.get("joins") or []:
        yield from _joined(join.this)


def _inserted(source: exp.Expression) -> list[list[exp.Expression]]:
    """The rows of expressions that an INSERT stores."""
    if isinstance(source, exp.Values):
        return [row.expressions for row in source.expressions if isinstance(row, exp.Tuple)]
    if isinstance(source, exp.Select) and not source.is_star:
        return [source.expressions]
    return []
