"""What is there: datasets and tables with their metadata, over one DuckDB in memory that holds the rows.

A dataset is the schema `project.dataset` of the database. Views are kept as text and put into the query that names
them. Everything happens in `transaction`, which takes metadata and rows back together when it fails.
"""

import contextlib
import copy
import itertools
import time
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.wire import Field, duck_type, fields_of, normal, quoted

Ref = tuple[str, str, str]
Resource = dict[str, Any]

# What DuckDB does in another way than BigQuery: division by zero, and rounding of halves when a float becomes a whole.
MACROS = (
    "CREATE MACRO bq_div(a, b) AS CASE WHEN b = 0 THEN error('division by zero') ELSE a / b END",
    """CREATE MACRO bq_int64(x) AS CASE WHEN typeof(x) = 'DOUBLE' THEN CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT)
    ELSE CAST(x AS BIGINT) END""",
)
PARTITION_FORMATS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
_KEPT = (
    "friendlyName",
    "description",
    "labels",
    "expirationTime",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "requirePartitionFilter",
    "view",
)


def shown(ref: Ref) -> str:
    """The name of a table in the service's messages."""
    return f"{ref[0]}:{ref[1]}.{ref[2]}"


class Catalog:
    """Datasets, tables and their rows."""

    def __init__(self) -> None:
        self.rows = duckdb.connect()
        self.rows.execute("SET TimeZone = 'UTC'")
        for macro in MACROS:
            self.rows.execute(macro)
        self.datasets: dict[tuple[str, str], Resource] = {}
        self.tables: dict[Ref, Resource] = {}
        self._etags = itertools.count(1)

    @contextlib.contextmanager
    def transaction(self, keep: bool = True) -> Iterator[None]:
        """Everything inside happens, or nothing; without `keep`, nothing."""
        before = copy.deepcopy((self.datasets, self.tables))
        self.rows.execute("BEGIN")
        done = False
        try:
            yield
            if keep:
                self.rows.execute("COMMIT")
                done = True
        finally:
            if not done:
                self.datasets, self.tables = before
                self.rows.execute("ROLLBACK")

    # Datasets

    def dataset(self, project: str, name: str, location: str | None = None) -> Resource:
        """A dataset. Raises: ApiError, where it is unknown or lies elsewhere."""
        found = self.datasets.get((project, name))
        if found is None:
            raise ApiError("notFound", f"Not found: Dataset {project}:{name}")
        if location and location.lower() != found["location"].lower():
            raise ApiError("notFound", f"Not found: Dataset {project}:{name} was not found in location {location}")
        return found

    def create_dataset(self, project: str, body: Resource) -> Resource:
        name = body["datasetReference"]["datasetId"]
        if (project, name) in self.datasets:
            raise ApiError("duplicate", f"Already Exists: Dataset {project}:{name}")
        self.rows.execute(f"CREATE SCHEMA {quoted(f'{project}.{name}')}")
        facts = {"kind": "bigquery#dataset", "id": f"{project}:{name}", "location": body.get("location") or "US"}
        reference = {"projectId": project, "datasetId": name}
        self.datasets[project, name] = self._stamped({**body, **facts, "datasetReference": reference})
        return self.datasets[project, name]

    def patch_dataset(self, project: str, name: str, body: Resource) -> Resource:
        found = self.dataset(project, name)
        changes = {key: value for key, value in body.items() if key not in {"location", "datasetReference", "etag"}}
        self.datasets[project, name] = self._stamped({**found, **changes}, found)
        return self.datasets[project, name]

    def delete_dataset(self, project: str, name: str, contents: bool) -> None:
        self.dataset(project, name)
        inside = [ref for ref in self.tables if ref[:2] == (project, name)]
        if inside and not contents:
            raise ApiError("resourceInUse", f"Dataset {project}:{name} is still in use")
        for ref in inside:
            self.delete(ref)
        self.rows.execute(f"DROP SCHEMA {quoted(f'{project}.{name}')}")
        del self.datasets[project, name]

    # Tables

    def table(self, ref: Ref) -> Resource:
        """A table or view. Raises: ApiError, where it or its dataset is unknown."""
        if ref not in self.tables:
            self.dataset(ref[0], ref[1])
            raise ApiError("notFound", f"Not found: Table {shown(ref)}")
        return self.tables[ref]

    def fields(self, ref: Ref) -> list[Field]:
        """The columns of a table."""
        return self.table(ref)["schema"]["fields"]

    def create(self, ref: Ref, body: Resource) -> Resource:
        """Create a table from a REST body. Raises: ApiError, where it is there or its form is wrong."""
        dataset = self.dataset(ref[0], ref[1])
        if ref in self.tables:
            raise ApiError("duplicate", f"Already Exists: Table {shown(ref)}")
        fields = [normal(field) for field in (body.get("schema") or {}).get("fields") or []]
        kept = {key: body[key] for key in _KEPT if body.get(key) is not None}
        _check_partitioning(kept, fields)
        if "view" not in kept:
            self._create_rows(ref, fields)
        facts = {
            "kind": "bigquery#table",
            "id": shown(ref),
            "tableReference": dict(zip(("projectId", "datasetId", "tableId"), ref, strict=True)),
            "type": "VIEW" if "view" in kept else "TABLE",
            "location": dataset["location"],
            "schema": {"fields": fields},
        }
        self.tables[ref] = self._stamped({**kept, **facts})
        return self.tables[ref]

    def patch(self, ref: Ref, body: Resource) -> Resource:
        """Change a table: null takes a property away. Raises: ApiError, for a change that the service refuses."""
        table = self.table(ref)
        changes = {key: body[key] for key in _KEPT if key in body and key != "labels"}
        if body.get("labels") is not None:
            merged = {**table.get("labels", {}), **body["labels"]}
            changes["labels"] = {key: value for key, value in merged.items() if value is not None}
        if "timePartitioning" in body:
            _check_same_partitioning(ref, table, body)
        if body.get("schema") and table["type"] == "TABLE":
            changes["schema"] = {"fields": self._widen(ref, [normal(field) for field in body["schema"]["fields"]])}
        merged = {key: value for key, value in {**table, **changes}.items() if value is not None}
        self.tables[ref] = self._stamped(merged, table)
        return self.tables[ref]

    def delete(self, ref: Ref) -> None:
        if self.table(ref)["type"] == "TABLE":
            self.rows.execute(f"DROP TABLE {self.name(ref)}")
        del self.tables[ref]

    def replace_rows(self, ref: Ref, fields: list[Field]) -> None:
        """Empty a table and give it these columns."""
        self.rows.execute(f"DROP TABLE {self.name(ref)}")
        self._create_rows(ref, fields)
        self.tables[ref] = self._stamped({**self.tables[ref], "schema": {"fields": fields}}, self.tables[ref])

    def touch(self, ref: Ref) -> None:
        """Note that the rows of a table have changed."""
        self.tables[ref] = self._stamped(self.tables[ref], self.tables[ref])

    def count(self, ref: Ref) -> int:
        """The number of rows of a table."""
        return self.rows.execute(f"SELECT count(*) FROM {self.name(ref)}").fetchall()[0][0]

    def select(self, sql: str, values: dict[str, Any] | None = None) -> pa.Table:
        """Run a query of DuckDB's."""
        return self.rows.sql(sql, params=values or None).to_arrow_table()

    def described(self, ref: Ref) -> Resource:
        """A table as `tables.get` answers it."""
        table = copy.deepcopy(self.table(ref))
        if table["type"] == "TABLE":
            rows = self.count(ref)
            table |= {"numRows": str(rows), "numBytes": str(rows * 8 * max(1, len(self.fields(ref))))}
        return table

    @staticmethod
    def name(ref: Ref) -> str:
        """The table's name in DuckDB."""
        return f"{quoted(f'{ref[0]}.{ref[1]}')}.{quoted(ref[2])}"

    def _create_rows(self, ref: Ref, fields: list[Field]) -> None:
        columns = ", ".join(
            f"{quoted(field['name'])} {duck_type(field)}{' NOT NULL' if field['mode'] == 'REQUIRED' else ''}"
            for field in fields
        )
        # DuckDB wants a column, BigQuery does not; nobody can name this one.
        self.rows.execute(f"CREATE TABLE {self.name(ref)} ({columns or quoted(' ') + ' BOOLEAN'})")

    def _widen(self, ref: Ref, fields: list[Field]) -> list[Field]:
        old, new = ({field["name"]: field for field in side} for side in (self.fields(ref), fields))
        if not old:
            self.rows.execute(f"DROP TABLE {self.name(ref)}")
            self._create_rows(ref, fields)
            return fields
        for name, field in old.items():
            self._check_change(ref, field, new.get(name))
            if field["mode"] == "REQUIRED" != new[name]["mode"]:
                self.rows.execute(f"ALTER TABLE {self.name(ref)} ALTER COLUMN {quoted(name)} DROP NOT NULL")
        for name in [name for name in new if name not in old]:
            if new[name]["mode"] == "REQUIRED":
                message = (
                    f"Provided Schema does not match Table {shown(ref)}. Cannot add required fields to an existing"
                )
                raise ApiError("invalid", f"{message} schema. (field: {name})")
            self.rows.execute(f"ALTER TABLE {self.name(ref)} ADD COLUMN {quoted(name)} {duck_type(new[name])}")
        return [new[name] for name in old] + [new[name] for name in new if name not in old]

    @staticmethod
    def _check_change(ref: Ref, old: Field, new: Field | None) -> None:
        start = f"Provided Schema does not match Table {shown(ref)}."
        if new is None:
            raise ApiError("invalid", f"{start} Field {old['name']} is missing in new schema")
        if duck_type(old) != duck_type(new):
            raise ApiError(
                "invalid", f"{start} Field {old['name']} has changed type from {old['type']} to {new['type']}"
            )
        if old["mode"] != new["mode"] == "REQUIRED":
            raise ApiError("invalid", f"{start} Field {old['name']} has changed mode from {old['mode']} to REQUIRED")

    def _stamped(self, resource: Resource, before: Resource | None = None) -> Resource:
        now = str(time.time_ns() // 1_000_000)
        made = (before or {}).get("creationTime", now)
        return {**resource, "etag": f"etag-{next(self._etags)}", "creationTime": made, "lastModifiedTime": now}


def result_fields(data: pa.Table) -> list[Field]:
    """The schema of a query's result."""
    return fields_of(data.schema, modes=False)


def _check_partitioning(body: Resource, fields: list[Field]) -> None:
    kinds = {field["name"]: field["type"] for field in fields}
    partitioning = body.get("timePartitioning") or {}
    column = partitioning.get("field")
    if partitioning and partitioning.get("type") not in PARTITION_FORMATS:
        raise ApiError("invalid", f"Invalid time partitioning type {partitioning.get('type')}")
    if column and kinds.get(column) not in {"TIMESTAMP", "DATE", "DATETIME"}:
        message = "The field specified for partitioning must be a top-level column of type TIMESTAMP, DATE or DATETIME"
        raise ApiError("invalid", f"{message}: {column}")
    if partitioning and not column:
        raise ApiError("invalid", "The peer has no partitioning by time of arrival: name a column")
    if body.get("rangePartitioning"):
        raise ApiError("invalid", "The peer has no partitioning by ranges of whole numbers")
    if body.get("requirePartitionFilter") and not partitioning:
        raise ApiError("invalid", "require_partition_filter is only allowed for partitioned tables")
    clustered = (body.get("clustering") or {}).get("fields", [])
    if len(clustered) > 4 or [name for name in clustered if name not in kinds]:
        raise ApiError("invalid", f"Invalid clustering columns {clustered}: at most four, all top-level columns")


def _check_same_partitioning(ref: Ref, table: Resource, body: Resource) -> None:
    old, new = table.get("timePartitioning") or {}, body["timePartitioning"] or {}
    if (old.get("type"), old.get("field")) != (new.get("type"), new.get("field")):
        raise ApiError("invalid", f"Cannot change partitioning spec for a table: {shown(ref)}")
