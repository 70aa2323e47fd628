"""How a table of Wayside looks on BigQuery: columns, partitions and clusters, and the MERGE that replaces its scopes.

The MERGE joins on FALSE, which BigQuery's reference calls a constant false predicate (DML syntax, `merge_condition`):
no rows are compared, the target's rows that the search condition names go and the rows of staging come, in one step.
Its `NOT MATCHED BY SOURCE` condition bounds the partition column by constants. That prunes partitions (Update
partitioned table data using DML, MERGE, filter in the `search_condition`) and is the filter which a table with
`require_partition_filter` asks for; it is the form that dbt's `insert_overwrite` sends to such tables, too.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa
from google.cloud import bigquery

from wayside.core.errors import ConfigError
from wayside.core.tables import Table
from wayside.warehouse.outbox import Batch
from wayside.warehouse.scope import Scope

_KINDS: Final = (
    (pa.types.is_string, "STRING"),
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_binary, "BYTES"),
)
# BigQuery answers with the names on the right, and takes both.
_SAME: Final = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
# What a scope's key is made of, and how each part is written so that BigQuery and Python write the same.
_WRITTEN: Final = {
    "slot": "CAST(UNIX_SECONDS(t.`slot`) AS STRING)",
    "day": "CAST(t.`day` AS STRING)",
}
_EVER: Final = {
    "TIMESTAMP": (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
    "DATE": (date(1, 1, 1), date(9999, 12, 31)),
}


def fields(table: Table) -> list[bigquery.SchemaField]:
    """Return the columns of a table, REQUIRED where no row may be without, with their descriptions."""
    return [
        bigquery.SchemaField(
            field.name,
            kind(field.type),
            mode="NULLABLE" if field.nullable else "REQUIRED",
            description=(field.metadata or {}).get(b"description", b"").decode(),
        )
        for field in table.schema
    ]


def kind(arrow: pa.DataType) -> str:
    """Return BigQuery's name of an Arrow type; raise `ConfigError` for one that no table has so far."""
    for fits, name in _KINDS:
        if fits(arrow):
            return name
    raise ConfigError(f"no column of BigQuery is known for the Arrow type {arrow}")


def described(table: Table, ref: bigquery.TableReference, labels: dict[str, str]) -> bigquery.Table:
    """Return the table as it is to be created: a partition a day, a filter on it demanded, clustered, labelled."""
    made = bigquery.Table(ref, schema=fields(table))
    made.clustering_fields = [name for name in ("source", "camera") if name in table.schema.names]
    made.labels = {**labels, "table": table.name}
    if table.partition is not None:
        made.time_partitioning = bigquery.TimePartitioning(
            type_=bigquery.TimePartitioningType.DAY, field=table.partition
        )
        made.require_partition_filter = True
    return made


def missing_fields(table: Table, there: bigquery.Table) -> list[bigquery.SchemaField]:
    """Compare a table of BigQuery with ours; return the columns that it lacks and that can be added.

    Raises:
        ConfigError: the two do not fit together; names the column.
    """
    place = f"{there.project}.{there.dataset_id}.{there.table_id}"
    held = {field.name: field for field in there.schema}
    wanted = {field.name: field for field in fields(table)}
    for name, field in held.items():
        if name not in wanted and field.mode == "REQUIRED":
            raise ConfigError(f"the table {place} demands a column {name} that {table.name} does not have")
    for name, field in wanted.items():
        _check_field(place, field, held.get(name))
    partition = there.time_partitioning.field if there.time_partitioning else None
    if partition != table.partition:
        raise ConfigError(
            f"the table {place} is partitioned by the column {partition}, and should be by {table.partition}: "
            "copy it into one that is, or move it away"
        )
    return [field for name, field in wanted.items() if name not in held]


def _check_field(place: str, wanted: bigquery.SchemaField, held: bigquery.SchemaField | None) -> None:
    if held is None:
        if wanted.mode == "REQUIRED":
            raise ConfigError(f"the table {place} lacks the column {wanted.name}, which no row may be without")
        return
    found = _SAME.get(held.field_type, held.field_type)
    if found != wanted.field_type or held.mode == "REPEATED":
        raise ConfigError(f"the column {wanted.name} of the table {place} is {found}, not {wanted.field_type}")
    if held.mode == "REQUIRED" and wanted.mode != "REQUIRED":
        raise ConfigError(f"the column {wanted.name} of the table {place} has to allow NULL")


def staging_name(batch: Batch) -> str:
    """Return the staging table of a batch, one for each attempt, so that a late runner meets no other's rows."""
    digest = hashlib.sha256(f"{batch.name}/{batch.attempt}".encode()).hexdigest()[:16]
    return f"staging_{batch.table.name}_{digest}"


def merge_statement(table: Table, target: bigquery.TableReference, staging: bigquery.TableReference) -> str:
    """Return the MERGE that takes away the rows of `@scopes` between `@first` and `@last` and puts in those staged."""
    columns = ", ".join(f"`{name}`" for name in table.schema.names)
    values = ", ".join(f"s.`{name}`" for name in table.schema.names)
    parts = [_WRITTEN.get(name, f"t.`{name}`") for name in table.scope]
    key = " || ' ' || ".join(parts)
    bounds = f"t.`{table.partition}` BETWEEN @first AND @last AND " if table.partition else ""
    return (
        f"MERGE {_quoted(target)} AS t USING (SELECT {columns} FROM {_quoted(staging)}) AS s ON FALSE\n"  # noqa: S608
        f"WHEN NOT MATCHED BY SOURCE AND {bounds}({key}) IN UNNEST(@scopes) THEN DELETE\n"
        f"WHEN NOT MATCHED BY TARGET THEN INSERT ({columns}) VALUES ({values})"
    )


def merge_parameters(
    batch: Batch,
) -> list[bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter]:
    """Return the parameters of the MERGE of a batch."""
    table = batch.table
    keys = bigquery.ArrayQueryParameter("scopes", "STRING", [_key(table, scope) for scope in batch.scopes])
    if table.partition is None:
        return [keys]
    type_ = kind(table.schema.field(table.partition).type)
    first, last = _bounds(batch, type_)
    return [
        keys,
        bigquery.ScalarQueryParameter("first", type_, first),
        bigquery.ScalarQueryParameter("last", type_, last),
    ]


def _bounds(batch: Batch, type_: str) -> tuple[Any, Any]:
    """Return the bounds of what is to go. Only a scope can say where its old rows lie, the new rows cannot."""
    found = batch.bounds if batch.table.partition in batch.table.scope else None
    return found or _EVER[type_]


def _key(table: Table, scope: Scope) -> str:
    """Write a scope as the MERGE writes the scope of a row. Identifiers have no spaces, so that no two are alike."""
    return " ".join(
        str(int(value.timestamp())) if isinstance(value, datetime) else str(value)
        for value in scope.values(table).values()
    )


def _quoted(ref: bigquery.TableReference) -> str:
    return f"`{ref.project}.{ref.dataset_id}.{ref.table_id}`"
