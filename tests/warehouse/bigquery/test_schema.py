"""How tables look on BigQuery, what does not fit, and what its errors mean, without any service."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import requests.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import bigquery
from tests.warehouse.bigquery.rounds import SLOT, publish_counts, scope

from wayside.core.errors import AuditError, ConfigError, TransientError
from wayside.core.tables import CAMERAS, COUNTS, RUNS, TABLES, TIMESERIES, Table
from wayside.warehouse import bigquery_schema as schema
from wayside.warehouse.bigquery_errors import NotThereError, asking, failed_job
from wayside.warehouse.outbox import Batch
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope

PLACE = bigquery.DatasetReference("p", "d")


def made(table: Table) -> bigquery.Table:
    return schema.described(table, PLACE.table(table.name), {"app": "wayside"})


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_has_typed_and_described_columns(table: Table):
    told = made(table)
    assert [field.name for field in told.schema] == table.schema.names
    assert all(field.description for field in told.schema)
    assert {field.name for field in told.schema if field.mode == "REQUIRED"} >= set(table.key)
    assert told.clustering_fields == [name for name in ("source", "camera") if name in table.schema.names]
    assert told.labels == {"app": "wayside", "table": table.name}
    assert bool(told.require_partition_filter) == (table.partition is not None)
    assert schema.missing_fields(table, told) == []


def test_counts_are_partitioned_by_the_day_of_the_slot():
    told = made(COUNTS)
    assert told.time_partitioning.field == "slot"
    assert told.time_partitioning.type_ == "DAY"
    assert {field.name: field.field_type for field in told.schema} == {
        "slot": "TIMESTAMP",
        **dict.fromkeys(("source", "camera", "pipeline", "reason", "neighbours", "model_sha256"), "STRING"),
        **dict.fromkeys(("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van"), "INTEGER"),
        **dict.fromkeys(("faulty", "missing"), "BOOLEAN"),
        "schema_version": "INTEGER",
    }


def test_a_type_that_no_table_has_is_refused():
    with pytest.raises(ConfigError, match="list"):
        schema.kind(pa.list_(pa.int8()))


def changed(table: Table, **modes: tuple[str, str] | None) -> bigquery.Table:
    told = made(table)
    kept = [field for field in told.schema if field.name not in modes]
    told.schema = kept + [
        bigquery.SchemaField(name, kind[0], mode=kind[1]) for name, kind in modes.items() if kind is not None
    ]
    return told


def test_columns_that_may_be_null_are_missing_and_can_be_added():
    there = changed(CAMERAS, view=None, lat=("FLOAT64", "NULLABLE"), extra=("STRING", "NULLABLE"))
    assert [field.name for field in schema.missing_fields(CAMERAS, there)] == ["view"]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (changed(CAMERAS, name=None), "lacks the column name"),
        (changed(CAMERAS, lat=("STRING", "NULLABLE")), "column lat .* is STRING, not FLOAT"),
        (changed(CAMERAS, lat=("FLOAT", "REPEATED")), "column lat"),
        (changed(CAMERAS, lat=("FLOAT", "REQUIRED")), "column lat .* has to allow NULL"),
        (changed(CAMERAS, more=("STRING", "REQUIRED")), "demands a column more"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_column(there: bigquery.Table, says: str):
    with pytest.raises(ConfigError, match=says):
        schema.missing_fields(CAMERAS, there)


def test_other_partitions_are_refused():
    there = made(COUNTS)
    there.time_partitioning = None
    with pytest.raises(ConfigError, match="partitioned by the column None, and should be by slot"):
        schema.missing_fields(COUNTS, there)


def batch(tmp_path: Path, table: Table, *scopes: Scope) -> Batch:
    lake = ParquetWarehouse(tmp_path, outbox=True)
    for where in scopes:
        lake.outbox.mark(table, where, "x")
    found = lake.outbox.open(table, lake)
    assert found is not None
    return found


def values(found: Batch) -> dict[str, object]:
    return {
        one.name: one.values if isinstance(one, bigquery.ArrayQueryParameter) else (one.type_, one.value)
        for one in schema.merge_parameters(found)
    }


def test_the_merge_is_bounded_by_the_slots_of_its_scopes(tmp_path: Path):
    told = values(batch(tmp_path, COUNTS, scope(0), scope(3)))
    seconds = int(SLOT.start.timestamp())
    assert told == {
        "scopes": [f"City {seconds} StubV1", f"City {seconds + 1800} StubV1"],
        "first": ("TIMESTAMP", SLOT.start),
        "last": ("TIMESTAMP", SLOT.shift(3).start),
    }


def test_where_a_scope_names_no_partition_all_of_them_may_hold_old_rows(tmp_path: Path):
    told = values(batch(tmp_path, RUNS, Scope("City", run="r-1")))
    assert told["scopes"] == ["City r-1"]
    assert told["first"] == ("TIMESTAMP", datetime(1, 1, 1, tzinfo=UTC))
    assert values(batch(tmp_path, TIMESERIES, Scope("City", pipeline="StubV1"))) == {"scopes": ["City StubV1"]}
    days = TABLES["camera_days"]
    told = values(batch(tmp_path, days, Scope("City", pipeline="StubV1", day=date(2026, 5, 1))))
    assert told == {
        "scopes": ["City StubV1 2026-05-01"],
        "first": ("DATE", date(2026, 5, 1)),
        "last": ("DATE", date(2026, 5, 1)),
    }


def test_each_attempt_has_a_staging_table_of_its_own(tmp_path: Path):
    lake = ParquetWarehouse(tmp_path, outbox=True)
    publish_counts(lake, scope(), ["a"])
    first = lake.outbox.open(COUNTS, lake)
    assert first is not None
    assert schema.staging_name(first) == schema.staging_name(first)
    assert schema.staging_name(lake.outbox.refuse(first)) != schema.staging_name(first)


def refused(code: type[api.GoogleAPICallError], reason: str = "") -> api.GoogleAPICallError:
    return code("words of the service", errors=[{"reason": reason}] if reason else ())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(api.Forbidden, "quotaExceeded"), TransientError),
        (refused(api.Forbidden, "rateLimitExceeded"), TransientError),
        (refused(api.Forbidden, "accessDenied"), ConfigError),
        (refused(api.BadRequest, "invalidQuery"), ConfigError),
        (refused(api.InternalServerError), TransientError),
        (refused(api.ServiceUnavailable, "backendError"), TransientError),
        (refused(api.TooManyRequests), TransientError),
        (refused(api.Conflict, "duplicate"), TransientError),
        (refused(api.PreconditionFailed), TransientError),
        (refused(api.NotFound, "notFound"), NotThereError),
        (api.RetryError("words of the service", None), TransientError),
        (auth.TransportError("words of the service"), TransientError),
        (auth.RefreshError("words of the service"), ConfigError),
        (requests.exceptions.ConnectionError("words of the service"), TransientError),
        (requests.exceptions.ReadTimeout("words of the service"), TransientError),
    ],
)
def test_what_a_call_raises_becomes_ours(error: Exception, kind: type[Exception]):
    with pytest.raises(kind, match=r"a cup of tea.*words of the service"), asking("a cup of tea"):
        raise error


@pytest.mark.parametrize(
    ("reason", "message", "rows", "kind"),
    [
        ("quotaExceeded", "too many", True, TransientError),
        ("backendError", "oh", False, TransientError),
        ("notFound", "no table", False, TransientError),
        ("stopped", "by hand", False, TransientError),
        ("invalidQuery", "Could not serialize access to table t due to concurrent update", False, TransientError),
        ("invalid", "a wrong file", True, AuditError),
        ("invalidQuery", "a wrong statement", False, ConfigError),
        ("accessDenied", "no right", True, ConfigError),
    ],
)
def test_what_a_job_ended_with_becomes_ours(reason: str, message: str, rows: bool, kind: type[Exception]):
    error = failed_job({"reason": reason, "message": message}, "the load of counts", rows=rows)
    assert type(error) is kind
    assert "the load of counts" in str(error)
    assert message in str(error)
