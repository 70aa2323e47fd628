"""Whether a statement filters a table by its partition column, as `requirePartitionFilter` demands.

A filter counts where it compares the column alone (or its date) with something that holds no column: only then can the
service leave partitions out. Filters outside a subquery, view or CTE count as well when they reach the column through
its projections. In a MERGE, the ON condition or every clause that reads the target must hold the filter.
"""

from collections.abc import Iterator

from sqlglot import exp

_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In, exp.Is)
_DATES = (exp.Cast, exp.Date, exp.TimestampTrunc, exp.DateTrunc, exp.Paren, exp.TsOrDsToDate)


def filtered(table: exp.Table, column: str) -> bool:
    """Whether the statement around a table filters it by a column."""
    holder = table.parent
    if isinstance(holder, exp.Merge) and holder.this is table:
        return _merge(holder, table.alias_or_name, column)
    if isinstance(holder, exp.Update | exp.Delete) and table.arg_key == "this":
        return _where(holder, table.alias_or_name, column)
    return _climb(_reader(table), table.alias_or_name, column)


def _climb(scope: exp.Expression | None, alias: str, column: str) -> bool:
    """Look for the filter in the query that reads the table, then in those that read its result."""
    if isinstance(scope, exp.Merge):
        return _prunes(scope.args["on"], alias, column)
    if scope is None or _where(scope, alias, column):
        return scope is not None
    if not isinstance(scope, exp.Select):
        return False
    return any(_outside(scope, name) for name in _projected(scope, alias, column))


def _outside(scope: exp.Expression, column: str) -> bool:
    holder = scope.parent
    while isinstance(holder, exp.SetOperation | exp.Paren):
        holder = holder.parent
    if isinstance(holder, exp.CTE):
        readers = [table for table in holder.parent.parent.find_all(exp.Table) if _names(table, holder.alias)]
        return bool(readers) and all(filtered(table, column) for table in readers)
    if isinstance(holder, exp.Subquery) and holder.parent is not None:
        return _climb(_reader(holder), holder.alias, column)
    return False


def _reader(part: exp.Expression) -> exp.Expression | None:
    return part.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Merge)


def _names(table: exp.Table, name: str) -> bool:
    return table.name == name and not table.db


def _where(scope: exp.Expression, alias: str, column: str) -> bool:
    where = scope.args.get("where")
    conditions = [where.this] if where else []
    conditions += [join.args["on"] for join in scope.args.get("joins") or [] if join.args.get("on")]
    return any(_prunes(condition, alias, column) for condition in conditions)


def _merge(merge: exp.Merge, alias: str, column: str) -> bool:
    if _prunes(merge.args["on"], alias, column):
        return True
    clauses = merge.args["whens"].expressions
    readers = [clause for clause in clauses if clause.args.get("matched") or clause.args.get("source")]
    return bool(readers) and all(
        clause.args.get("condition") is not None and _prunes(clause.args["condition"], alias, column)
        for clause in readers
    )


def _projected(select: exp.Select, alias: str, column: str) -> Iterator[str]:
    """The names under which a SELECT hands the column on."""
    for item in select.expressions:
        if item.is_star:
            yield column
        elif _is_column(item.unalias(), alias, column):
            yield item.alias_or_name


def _prunes(condition: exp.Expression, alias: str, column: str) -> bool:
    if isinstance(condition, exp.Paren):
        return _prunes(condition.this, alias, column)
    if isinstance(condition, exp.And):
        return any(_prunes(side, alias, column) for side in (condition.left, condition.right))
    if isinstance(condition, exp.Or):
        return all(_prunes(side, alias, column) for side in (condition.left, condition.right))
    if not isinstance(condition, _COMPARISONS):
        return False
    sides = [side for side in condition.iter_expressions() if side is not None]
    ours = [side for side in sides if _is_column(side, alias, column)]
    return len(ours) == 1 and all(_constant(side) for side in sides if side is not ours[0])


def _constant(side: exp.Expression) -> bool:
    """Whether an expression reads no row of the query around it."""
    return isinstance(side, exp.Query) or not any(
        found.find_ancestor(exp.Query) is side.find_ancestor(exp.Query) for found in side.find_all(exp.Column)
    )


def _is_column(side: exp.Expression, alias: str, column: str) -> bool:
    while isinstance(side, _DATES):
        side = side.this
    return isinstance(side, exp.Column) and side.name.lower() == column.lower() and side.table in {"", alias}
