"""Query jobs: statements one after the other, each a transaction of its own unless the text begins one."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp
from tests.peers.bigquery import ddl, sql, store
from tests.peers.bigquery.catalog import Catalog, Ref, result_fields
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.sql import Translator
from tests.peers.bigquery.wire import Field, normal

_MERGE_COUNTS = {"INSERT": "insertedRowCount", "UPDATE": "updatedRowCount", "DELETE": "deletedRowCount"}


@dataclass
class Result:
    """The rows of a query, and their schema."""

    fields: list[Field]
    rows: list[dict[str, Any]]


@dataclass
class Outcome:
    """What a query job left: the statistics of the service, a result, the tables that it changed."""

    statistics: dict[str, Any] = field(default_factory=dict)
    result: Result | None = None
    changed: list[tuple[str, Ref]] = field(default_factory=list)
    location: str | None = None


class AnalysisError(ApiError):
    """A refusal before anything has run; the service answers such a job with an HTTP error."""


def run(catalog: Catalog, project: str, config: dict[str, Any], location: str | None, keep: bool = True) -> Outcome:
    """Run a query job; without `keep` (a dry run) nothing of it remains.

    Raises:
        AnalysisError: the text is refused before it runs.
        ApiError: it failed while it ran.
    """
    query = config["query"]
    if query.get("useLegacySql", True):
        raise AnalysisError("invalidQuery", "The peer speaks no legacy SQL: set useLegacySql to false")
    with _analysis():
        trees = sql.parsed(query["query"])
        kinds = [sql.kind_of(tree) for tree in trees]
    outcome = Outcome()
    job = _Run(catalog, query, outcome, project, location)
    whole = kinds[0] == "BEGIN_TRANSACTION"
    if whole and kinds[-1] != "COMMIT_TRANSACTION":
        raise AnalysisError("invalidQuery", "The peer wants COMMIT TRANSACTION as the last statement")
    with catalog.transaction(keep) if whole or not keep else contextlib.nullcontext():
        for tree, kind in zip(trees[whole : len(trees) - whole], kinds[whole : len(kinds) - whole], strict=True):
            with contextlib.nullcontext() if whole or not keep else catalog.transaction():
                job.statement(tree, kind)
    outcome.location = job.translator.location
    outcome.statistics["statementType"] = kinds[0] if len(kinds) == 1 else "SCRIPT"
    return outcome


def schema_of(catalog: Catalog, project: str, text: str) -> list[Field]:
    """The schema that a view's query gives, without a look at its partition filters. Raises: ApiError."""
    with _running():
        query, values = Translator(catalog, project).translate(sql.parsed(text)[0], check=False)
        return result_fields(catalog.select(f"SELECT * FROM ({query}) LIMIT 0", values))


@contextlib.contextmanager
def _analysis() -> Any:
    try:
        yield
    except AnalysisError:
        raise
    except ApiError as error:
        raise AnalysisError(error.reason, error.message, error.status) from error


@contextlib.contextmanager
def _running() -> Any:
    """DuckDB's errors in the service's words: what it finds before it runs is a fault of the text."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        raise AnalysisError("invalidQuery", _first(error)) from error
    except duckdb.ConstraintException as error:
        raise ApiError("invalidQuery", f"Required field cannot be null: {_first(error)}") from error
    except duckdb.Error as error:
        raise ApiError("invalidQuery", _first(error)) from error


def _first(error: Exception) -> str:
    return str(error).split("\n")[0]


class _Run:
    """The statements of one job, as they run."""

    def __init__(
        self, catalog: Catalog, query: dict[str, Any], outcome: Outcome, project: str, location: str | None
    ) -> None:
        self.catalog = catalog
        self.query = query
        self.outcome = outcome
        self.translator = Translator(
            catalog, project, query.get("defaultDataset"), query.get("queryParameters"), location
        )

    def statement(self, tree: exp.Expression, kind: str) -> None:
        """Run one statement inside a transaction of the caller's."""
        self.outcome.result = None
        with _running():
            if kind == "SELECT":
                self._select(tree)
            elif kind in sql.DML:
                self._change(tree, kind)
            else:
                self._define(tree)

    def _translate(self, tree: exp.Expression) -> tuple[str, dict[str, Any]]:
        with _analysis():
            return self.translator.translate(tree)

    def _select(self, tree: exp.Expression) -> None:
        text, values = self._translate(tree)
        self.outcome.statistics["totalBytesProcessed"] = str(sql.scanned(self.catalog, self.translator.read))
        data = self.catalog.select(text, values)
        fields = [normal(field) for field in result_fields(data)]
        self.outcome.result = Result(fields, _listed(data))
        if self.query.get("destinationTable"):
            written = store.write(self.catalog, self.query, data, fields, "WRITE_EMPTY")
            self.outcome.changed.append(("load", written))

    def _change(self, tree: exp.Expression, kind: str) -> None:
        with _analysis():
            target = self.translator.ref(next(sql.tables_of(tree)))
        text, values = self._translate(tree)
        read = sql.scanned(self.catalog, self.translator.read)
        self.outcome.statistics["totalBytesProcessed"] = str(read)
        self._check_single_matches(tree)
        counts = self._counts(kind, text, values)
        self.outcome.statistics["numDmlAffectedRows"] = str(sum(counts.values()))
        self.outcome.statistics["dmlStats"] = {name: str(count) for name, count in counts.items()}
        self.outcome.changed.append(("dml", target))
        self.catalog.touch(target)

    def _counts(self, kind: str, text: str, values: dict[str, Any]) -> dict[str, int]:
        if kind == "MERGE":
            counts = dict.fromkeys(_MERGE_COUNTS.values(), 0)
            for (action,) in self.catalog.rows.execute(f"{text} RETURNING merge_action", values).fetchall():
                counts[_MERGE_COUNTS[action]] += 1
            return counts
        if kind == "TRUNCATE_TABLE":
            kind, text = "DELETE", text.replace("TRUNCATE TABLE", "DELETE FROM", 1)
        return {_MERGE_COUNTS[kind]: self.catalog.rows.execute(text, values).fetchall()[0][0]}

    def _check_single_matches(self, tree: exp.Expression) -> None:
        """BigQuery refuses a MERGE in which several rows of the source match one of the target."""
        if not isinstance(tree, exp.Merge) or not any(when.args["matched"] for when in tree.args["whens"].expressions):
            return
        probe = exp.select(exp.Count(this=exp.Star()).as_("matches")).from_(tree.this.copy())
        probe = probe.join(tree.args["using"].copy(), on=tree.args["on"].copy())
        probe = probe.group_by(exp.column("rowid", table=tree.this.alias_or_name)).having("COUNT(*) > 1").limit(1)
        text, values = self.translator.translate(probe, check=False)
        if self.catalog.rows.execute(text, values).fetchall():
            message = "UPDATE/MERGE must match at most one source row for each target row"
            raise ApiError("invalidQuery", message)

    def _define(self, tree: exp.Expression) -> None:
        with _analysis():
            operation, target = ddl.run(self.catalog, self.translator, tree)
        self.outcome.statistics["ddlOperationPerformed"] = operation
        if target is not None:
            names = dict(zip(("projectId", "datasetId", "tableId"), target, strict=True))
            self.outcome.statistics["ddlTargetTable"] = names
            if operation != "SKIP":
                self.outcome.changed.append(("ddl", target))


def _listed(data: pa.Table) -> list[dict[str, Any]]:
    if len(set(data.column_names)) < len(data.column_names):
        raise ApiError("invalidQuery", f"Duplicate column names in the result are not supported: {data.column_names}")
    return data.to_pylist()
