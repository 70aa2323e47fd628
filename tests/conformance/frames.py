"""Rows, loads and queries with which the tests of the BigQuery peer ask it, always through the real client."""

import datetime as dt
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery as bq

AT = dt.datetime(2026, 6, 16, 7, 0, 0, 123456, dt.UTC)
SCHEMA = (
    bq.SchemaField("source", "STRING", "REQUIRED", description="who offers it"),
    bq.SchemaField("slot", "TIMESTAMP", "REQUIRED"),
    bq.SchemaField("n", "INTEGER"),
)
ARROW = pa.schema(
    [
        pa.field("source", pa.string(), False),
        pa.field("slot", pa.timestamp("us", "UTC"), False),
        pa.field("n", pa.int32()),
    ]
)


def rows(*numbers: int | None, source: str = "a", at: dt.datetime = AT) -> pa.Table:
    return pa.Table.from_pylist([{"source": source, "slot": at, "n": number} for number in numbers], ARROW)


def parquet(data: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(data, file)
    file.seek(0)
    return file


def load(client: bq.Client, data: pa.Table, name: str = "p.d.t", **options: Any) -> bq.LoadJob:
    config = bq.LoadJobConfig(source_format="PARQUET", **options)
    file = parquet(data)
    return client.load_table_from_file(file, name, size=file.getbuffer().nbytes, job_config=config)


def table(client: bq.Client, name: str = "p.d.t", *, needs_filter: bool = False) -> bq.Table:
    made = bq.Table(name, SCHEMA)
    made.time_partitioning = bq.TimePartitioning(field="slot", expiration_ms=86_400_000)
    made.require_partition_filter = needs_filter
    made.clustering_fields = ["source"]
    made.labels = {"of": "tests"}
    return client.create_table(made)


def ask(client: bq.Client, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    config = bq.QueryJobConfig(query_parameters=parameters)
    return [row.values() for row in client.query_and_wait(text, job_config=config)]


def run(client: bq.Client, text: str, *parameters: Any, **options: Any) -> bq.QueryJob:
    job = client.query(text, job_config=bq.QueryJobConfig(query_parameters=parameters, **options))
    job.result()
    return job
