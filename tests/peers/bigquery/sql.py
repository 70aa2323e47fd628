"""From BigQuery's SQL to DuckDB's: names, views, parameters, and the places where sqlglot's answer would differ.

What cannot be said in DuckDB is refused. What sqlglot translates into something else without a word (EXTRACT of the day
of the week, whole hours of TIMESTAMP_DIFF, the type of DATE_ADD, division by zero, rounding in CAST) is put right.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokens import TokenType
from tests.peers.bigquery import filters, wire
from tests.peers.bigquery.catalog import Catalog, Ref, shown
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.strict import Strict

# Functions that sqlglot does not know and that mean the same in DuckDB, or that this module writes.
_KNOWN_FUNCTIONS: Final = {"BQ_DIV", "BQ_INT64", "DATESUB", "UNNEST", "ERROR"}
_REFUSED: Final = (exp.Command, exp.ApproxQuantile, exp.ApproxQuantiles, exp.Pivot, exp.Declare, exp.Rand)
_KINDS: Final = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.TruncateTable: "TRUNCATE_TABLE",
    exp.Alter: "ALTER_TABLE",
    exp.Transaction: "BEGIN_TRANSACTION",
    exp.Commit: "COMMIT_TRANSACTION",
    exp.Rollback: "ROLLBACK_TRANSACTION",
}
DML: Final = {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE"}


def parsed(text: str) -> list[exp.Expression]:
    """The statements of a text. Raises: ApiError, for what is no SQL of BigQuery's."""
    try:
        trees = [tree for tree in sqlglot.parse(_numbered(text), read="bigquery") if tree is not None]
    except SqlglotError as error:
        line = re.sub(r"\x1b\[\d+m", "", str(error)).split("\n")[0]
        raise ApiError("invalidQuery", f"Syntax error: {line}") from error
    if not trees:
        raise ApiError("invalidQuery", "Syntax error: Unexpected end of statement")
    return trees


def _numbered(text: str) -> str:
    """The text with `@p0_`, `@p1_` ... for each question mark, whose order a tree would not keep."""
    marks = [token for token in sqlglot.tokenize(text, read="bigquery") if token.token_type == TokenType.PLACEHOLDER]
    for place, token in reversed(list(enumerate(marks))):
        text = f"{text[: token.start]}@p{place}_{text[token.end + 1 :]}"
    return text


def kind_of(tree: exp.Expression) -> str:
    """The statement's type in the service's words. Raises: ApiError, for one that the peer does not know."""
    if isinstance(tree, exp.Query):
        return "SELECT"
    if isinstance(tree, exp.Create):
        as_select = tree.kind == "TABLE" and tree.expression is not None
        return f"CREATE_{tree.kind}{'_AS_SELECT' if as_select else ''}"
    if isinstance(tree, exp.Drop):
        return f"DROP_{tree.args['kind']}"
    for cls, kind in _KINDS.items():
        if isinstance(tree, cls):
            return kind
    raise _unsupported(f"statement {tree.sql('bigquery')[:60]}")


def _unsupported(what: str) -> ApiError:
    return ApiError("invalidQuery", f"Not supported by this peer: {what}")


class Translator:
    """Translates the statements of one job: its project, default dataset, location and parameters."""

    def __init__(
        self,
        catalog: Catalog,
        project: str,
        default: dict[str, str] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        location: str | None = None,
    ) -> None:
        self.catalog = catalog
        self.project = project
        self.default = default
        self.location = location
        self.parameters = parameters or []
        self.read: list[Ref] = []

    def ref(self, table: exp.Table) -> Ref:
        """Which table a name means. Raises: ApiError, for a name without a dataset and no default."""
        if "." in table.name or table.name == "INFORMATION_SCHEMA":
            raise _unsupported(f"the table {table.sql('bigquery')}")
        if not table.db:
            if not self.default:
                message = f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).'
                raise ApiError("invalid", message)
            return self.default.get("projectId", self.project), self.default["datasetId"], table.name
        return table.catalog or self.project, table.db, table.name

    def translate(self, tree: exp.Expression, check: bool = True) -> tuple[str, dict[str, Any]]:
        """DuckDB's text of a statement and the values it names; `check` asks for the partition filters.

        Raises:
            ApiError: the statement is wrong, or means something that DuckDB cannot do.
        """
        # A holder, so that the statement itself can be replaced too.
        holder = exp.Paren(this=tree.copy())
        self._resolve(holder.this)
        if check:
            self._check_filters(holder.this)
        _refuse(holder.this)
        Strict(self.catalog, self.parameters).check(holder.this)
        _name_columns(holder.this)
        _correct(holder)
        values = self._bind(holder.this)
        try:
            return holder.this.sql("duckdb", unsupported_level=ErrorLevel.RAISE), values
        except SqlglotError as error:
            raise _unsupported(str(error)) from error

    # Names

    def _resolve(self, tree: exp.Expression) -> None:
        for table in list(tree.find_all(exp.Table)):
            if not _is_cte(table):
                self._resolve_table(table)

    def _resolve_table(self, table: exp.Table) -> None:
        ref = self.ref(table)
        dataset = self.catalog.dataset(ref[0], ref[1], self.location)
        if self.location is None:
            self.location = dataset["location"]
        resource = self.catalog.table(ref)
        if resource["type"] == "VIEW":
            self._put_view(table, resource)
            return
        self.read.append(ref)
        if not table.alias and not isinstance(table.parent, exp.Insert | exp.Schema | exp.TruncateTable):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        partitioned = resource.get("timePartitioning") or {}
        if resource.get("requirePartitionFilter"):
            table.meta["filter"] = partitioned["field"]
        table.meta["ref"] = ref
        table.set("catalog", None)
        table.set("db", exp.to_identifier(f"{ref[0]}.{ref[1]}", quoted=True))

    def _put_view(self, table: exp.Table, resource: dict[str, Any]) -> None:
        if table.arg_key == "this" and isinstance(table.parent, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            raise ApiError("invalidQuery", f"{table.sql('bigquery')} is a view and cannot be modified")
        body = parsed(resource["view"]["query"])[0]
        inner = Translator(self.catalog, resource["tableReference"]["projectId"], None, None, self.location)
        inner._resolve(body)
        self.read += inner.read
        alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name, quoted=True))
        query = exp.Subquery(this=body, alias=alias)
        for key in ("joins", "laterals", "sample"):
            if table.args.get(key):
                query.set(key, table.args[key])
        table.replace(query)

    def _check_filters(self, tree: exp.Expression) -> None:
        for table in tree.find_all(exp.Table):
            column = table.meta.get("filter")
            written = isinstance(table.parent, exp.Insert | exp.Schema | exp.TruncateTable)
            if column and not written and not filters.filtered(table, column):
                message = (
                    f"Cannot query over table '{shown(table.meta['ref']).replace(':', '.')}' without a filter over"
                )
                raise ApiError(
                    "invalidQuery", f"{message} column(s) '{column}' that can be used for partition elimination"
                )

    # Parameters

    def _bind(self, tree: exp.Expression) -> dict[str, Any]:
        values: dict[str, Any] = {}
        named = {body.get("name") or f"p{place}_": body for place, body in enumerate(self.parameters)}
        for node in list(tree.find_all(exp.Parameter)):
            name = node.this.name
            body = named.get(name)
            if body is None:
                raise ApiError("invalidQuery", f"Query parameter '{name}' not found")
            values[name], kind = wire.parameter(body)
            node.replace(exp.Cast(this=node.copy(), to=exp.DataType.build(kind, dialect="duckdb")))
        return values


def _is_cte(table: exp.Table) -> bool:
    if table.db:
        return False
    holder: exp.Expression | None = table
    while holder is not None:
        with_ = holder.args.get("with_")
        if with_ and any(cte.alias == table.name for cte in with_.expressions):
            return True
        holder = holder.parent
    return False


def _refuse(tree: exp.Expression) -> None:
    if isinstance(tree, exp.Delete) and not tree.this:
        raise _unsupported("DELETE without FROM")
    if isinstance(tree, exp.Update | exp.Delete) and not tree.args.get("where"):
        raise ApiError("invalidQuery", f"{tree.key.upper()} must have a WHERE clause")
    for node in tree.walk():
        if isinstance(node, exp.Anonymous) and node.name.upper() not in _KNOWN_FUNCTIONS:
            raise ApiError("invalidQuery", f"Function not found: {node.name} (or not known to this peer)")
        if isinstance(node, _REFUSED):
            raise _unsupported(node.sql("bigquery")[:60])
        if isinstance(node, exp.TimeToStr) and node.args.get("zone"):
            raise _unsupported("a time zone in FORMAT_TIMESTAMP")
        if isinstance(node, exp.Extract) and node.this.name.upper() == "WEEK":
            raise _unsupported("EXTRACT(WEEK): weeks of DuckDB begin on Monday; say ISOWEEK")
        if (
            isinstance(node, exp.When)
            and isinstance(node.args["then"], exp.Insert)
            and node.args["then"].this.name == "ROW"
        ):
            raise _unsupported("INSERT ROW: name the columns")


def _name_columns(tree: exp.Expression) -> None:
    """Columns without a name are f0_, f1_ ... in BigQuery."""
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    unnamed = 0
    for item in list(tree.expressions) if isinstance(tree, exp.Select) else []:
        if not isinstance(item, exp.Alias | exp.Column | exp.Dot) and not item.is_star:
            item.replace(exp.alias_(item.copy(), f"f{unnamed}_"))
            unnamed += 1


def _correct(tree: exp.Expression) -> None:
    """Put right what sqlglot would translate into something else, innermost first."""
    for node in reversed(list(tree.bfs())):
        for kinds, mend in _MENDS:
            if isinstance(node, kinds):
                better = mend(node)
                if better is not None:
                    node.replace(better)
                break


def _day_of_week(node: exp.Extract) -> exp.Expression | None:
    if node.this.name.upper() != "DAYOFWEEK":
        return None
    return exp.Paren(this=exp.Add(this=node.copy(), expression=exp.Literal.number(1)))


def _whole_units(node: exp.TimestampDiff) -> exp.Expression:
    unit = exp.Literal.string(node.text("unit").lower())
    return exp.Anonymous(this="DATESUB", expressions=[unit, node.expression.copy(), node.this.copy()])


def _as(kind: str) -> Callable[[exp.Expression], exp.Expression]:
    return lambda node: exp.Cast(this=node.copy(), to=exp.DataType.build(kind))


def _divide(node: exp.Div) -> exp.Expression | None:
    return exp.Anonymous(this="BQ_DIV", expressions=[node.this.copy(), node.expression.copy()])


def _whole(node: exp.Cast) -> exp.Expression | None:
    if isinstance(node, exp.TryCast) or not node.to.is_type(exp.DataType.Type.BIGINT):
        return None
    return exp.Anonymous(this="BQ_INT64", expressions=[node.this.copy()])


def _double(node: exp.Literal) -> exp.Expression | None:
    """2.5 is a FLOAT64, not a decimal."""
    if node.is_string or node.this.isdigit():
        return None
    return exp.Cast(this=node.copy(), to=exp.DataType.build("DOUBLE"))


def _unqualify(node: exp.Update) -> exp.Expression | None:
    for assignment in node.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.this.set("table", None)
    return None


_MENDS: Final[tuple[tuple[Any, Callable[[Any], exp.Expression | None]], ...]] = (
    (exp.Extract, _day_of_week),
    (exp.TimestampDiff, _whole_units),
    ((exp.DateAdd, exp.DateSub), _as("DATE")),
    ((exp.UnixToTime, exp.StrToTime), _as("TIMESTAMPTZ")),
    (exp.Div, _divide),
    (exp.Cast, _whole),
    (exp.Literal, _double),
    (exp.Update, _unqualify),
)


def scanned(catalog: Catalog, refs: list[Ref]) -> int:
    """The bytes that a query over these tables would read, at eight bytes a cell."""
    return sum(catalog.count(ref) * len(catalog.fields(ref)) * 8 for ref in refs)


def tables_of(tree: exp.Expression) -> Iterator[exp.Table]:
    """The tables that a statement names, its target first."""
    return (table for table in tree.find_all(exp.Table) if not _is_cte(table))
