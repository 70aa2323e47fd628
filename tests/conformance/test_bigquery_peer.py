"""The BigQuery peer does what BigQuery's documentation says, through the real client: tables, loads and queries."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud import bigquery as bq
from tests.conformance.frames import ARROW, AT, SCHEMA, ask, load, parquet, rows, run, table
from tests.peers.bigquery import Peer
from tests.peers.storage import serving_storage

# Datasets and tables


def test_datasets(client: bq.Client) -> None:
    with pytest.raises(Conflict, match="Already Exists: Dataset p:d"):
        client.create_dataset("d")
    european = bq.Dataset("p.e")
    european.location = "EU"
    client.create_dataset(european)
    assert [one.dataset_id for one in client.list_datasets()] == ["d", "e"]
    assert client.get_dataset("e").location == "EU"
    table(client)
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset("d")
    client.delete_dataset("d", delete_contents=True)
    with pytest.raises(NotFound, match="Not found: Dataset p:d"):
        client.get_dataset("d")
    client.delete_dataset("d", not_found_ok=True)


def test_table_keeps_its_metadata(client: bq.Client) -> None:
    made = table(client, needs_filter=True)
    made.expires = AT + dt.timedelta(days=3000)
    client.update_table(made, ["expires"])
    found = client.get_table("p.d.t")
    assert list(found.schema) == list(SCHEMA)
    assert (found.time_partitioning.field, found.time_partitioning.expiration_ms) == ("slot", 86_400_000)
    assert (found.require_partition_filter, found.clustering_fields) == (True, ["source"])
    assert (found.labels, found.expires.date()) == ({"of": "tests"}, (AT + dt.timedelta(days=3000)).date())
    assert [(one.table_id, one.table_type) for one in client.list_tables("d")] == [("t", "TABLE")]


def test_table_there_or_not(client: bq.Client) -> None:
    table(client)
    with pytest.raises(Conflict, match=r"Already Exists: Table p:d.t"):
        client.create_table("p.d.t")
    assert client.create_table(bq.Table("p.d.t"), exists_ok=True).num_rows == 0
    client.delete_table("p.d.t")
    with pytest.raises(NotFound, match=r"Not found: Table p:d.t"):
        client.get_table("p.d.t")
    client.delete_table("p.d.t", not_found_ok=True)
    with pytest.raises(NotFound, match="Not found: Dataset p:other"):
        client.create_table("p.other.t")


def test_schema_grows_and_relaxes_but_never_shrinks(client: bq.Client) -> None:
    table(client)
    load(client, rows(1)).result()
    changed = client.get_table("p.d.t")
    changed.schema = [bq.SchemaField("source", "STRING"), *SCHEMA[1:], bq.SchemaField("note", "STRING")]
    modes = [field.mode for field in client.update_table(changed, ["schema"]).schema]
    assert modes == ["NULLABLE", "REQUIRED", "NULLABLE", "NULLABLE"]
    assert ask(client, "SELECT note FROM d.t") == [(None,)]
    changed = client.get_table("p.d.t")
    changed.schema = changed.schema[:3]
    with pytest.raises(BadRequest, match="Field note is missing in new schema"):
        client.update_table(changed, ["schema"])


def test_update_of_a_table_that_changed_meanwhile(client: bq.Client) -> None:
    table(client)
    first, second = client.get_table("p.d.t"), client.get_table("p.d.t")
    first.description = "one"
    client.update_table(first, ["description"])
    second.description = "two"
    with pytest.raises(PreconditionFailed):
        client.update_table(second, ["description"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_partitioning": bq.TimePartitioning(field="source")}, "field specified for partitioning"),
        ({"time_partitioning": None, "require_partition_filter": True}, "only allowed for partitioned"),
        ({"clustering_fields": ["nothing"]}, "Invalid clustering columns"),
    ],
)
def test_table_whose_form_is_wrong(client: bq.Client, change: dict[str, Any], message: str) -> None:
    made = bq.Table("p.d.t", SCHEMA)
    for name, value in change.items():
        setattr(made, name, value)
    with pytest.raises(BadRequest, match=message):
        client.create_table(made)


def test_view_through_the_api(client: bq.Client) -> None:
    table(client, needs_filter=True)
    view = bq.Table("p.d.v")
    view.view_query = "SELECT source, n * 2 AS twice, slot AS at FROM `p.d.t`"
    made = client.create_table(view)
    assert [(field.name, field.field_type) for field in made.schema] == [
        ("source", "STRING"),
        ("twice", "INTEGER"),
        ("at", "TIMESTAMP"),
    ]
    load(client, rows(4)).result()
    assert ask(client, "SELECT twice FROM d.v WHERE at > '2026-01-01'") == [(8,)]
    with pytest.raises(BadRequest, match="without a filter over column"):
        ask(client, "SELECT twice FROM d.v")
    with pytest.raises(BadRequest, match="Cannot list a table of type VIEW"):
        list(client.list_rows(client.get_table("p.d.v")))


# Loads


def test_load_creates_the_table_with_the_modes_of_the_file(peer: Peer, client: bq.Client) -> None:
    job = load(client, rows(1, 2, None), labels={"run": "x"})
    assert (job.result().output_rows, job.state, job.labels) == (3, "DONE", {"run": "x"})
    found = client.get_table("p.d.t")
    assert [(field.name, field.field_type, field.mode) for field in found.schema] == [
        ("source", "STRING", "REQUIRED"),
        ("slot", "TIMESTAMP", "REQUIRED"),
        ("n", "INTEGER", "NULLABLE"),
    ]
    assert found.num_rows == 3
    assert [row["n"] for row in peer.rows("d.t")] == [1, 2, None]


@pytest.mark.parametrize(
    ("disposition", "count"), [(None, 2), ("WRITE_APPEND", 2), ("WRITE_TRUNCATE", 1), ("WRITE_EMPTY", None)]
)
def test_write_dispositions(client: bq.Client, disposition: str | None, count: int | None) -> None:
    load(client, rows(1)).result()
    job = load(client, rows(2), write_disposition=disposition)
    if count is None:
        with pytest.raises(Conflict, match=r"Already Exists: Table p:d.t"):
            job.result()
    else:
        job.result()
    assert client.get_table("p.d.t").num_rows == (count or 1)


def test_load_into_no_table(client: bq.Client) -> None:
    with pytest.raises(NotFound, match=r"Not found: Table p:d.t"):
        load(client, rows(1), create_disposition="CREATE_NEVER").result()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (rows(1).set_column(2, "n", pa.array(["x"])), "Field n has changed type from INTEGER to STRING"),
        (rows(1).append_column("more", pa.array([1])), r"Cannot add fields \(field: more\)"),
        (rows(1).drop_columns(["source"]), "Field source is missing in new schema"),
        (rows(1).cast(pa.schema([f.with_nullable(True) for f in ARROW])), "changed mode from REQUIRED to NULLABLE"),
    ],
)
def test_load_that_does_not_fit_changes_nothing(peer: Peer, client: bq.Client, data: pa.Table, message: str) -> None:
    table(client)
    with pytest.raises(BadRequest, match=message):
        load(client, data).result()
    assert (peer.rows("d.t"), peer.modified("d.t").load) == ([], 0)


def test_load_may_add_and_relax_columns_when_told_so(client: bq.Client) -> None:
    table(client)
    loose = rows(1).cast(pa.schema([field.with_nullable(True) for field in ARROW])).append_column("more", pa.array([1]))
    load(client, loose, schema_update_options=["ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"]).result()
    assert [(f.name, f.mode) for f in client.get_table("p.d.t").schema] == [
        (name, "NULLABLE") for name in ("source", "slot", "n", "more")
    ]


def test_load_of_a_file_that_is_no_parquet(client: bq.Client) -> None:
    config = bq.LoadJobConfig(source_format="PARQUET")
    job = client.load_table_from_file(io.BytesIO(b"nonsense"), "p.d.t", size=8, job_config=config)
    with pytest.raises(BadRequest, match="Failed to read file as Parquet"):
        job.result()
    assert job.error_result["reason"] == "invalid"


def test_resumable_upload_in_several_chunks(peer: Peer, client: bq.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 256 * 1024)
    numbers = list(range(200_000))
    file = parquet(rows(*numbers))
    config = bq.LoadJobConfig(source_format="PARQUET")
    client.load_table_from_file(file, "p.d.t", job_config=config).result()  # its size is not known
    assert sum(call.method == "PUT" for call in peer.calls) > 2
    assert ask(client, "SELECT COUNT(*), SUM(n) FROM d.t") == [(200_000, sum(numbers))]


def test_load_of_newline_json(client: bq.Client) -> None:
    fields = [*SCHEMA, bq.SchemaField("tags", "STRING", "REPEATED")]
    config = bq.LoadJobConfig(schema=fields)
    row = {"source": "a", "slot": AT.isoformat(), "n": 1, "tags": ["x", "y"]}
    client.load_table_from_json([row, {"source": "b", "slot": AT.isoformat()}], "p.d.t", job_config=config).result()
    assert ask(client, "SELECT * FROM d.t ORDER BY source") == [("a", AT, 1, ["x", "y"]), ("b", AT, None, [])]
    for bad, message in (({"source": "c"}, "required field: slot"), ({**row, "other": 1}, "No such field: other")):
        with pytest.raises(BadRequest, match=message):
            client.load_table_from_json([bad], "p.d.t", job_config=config).result()


def test_load_from_storage(client: bq.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_storage() as storage:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        bucket = storage.client().bucket("pictures")
        for name in ("in/1.parquet", "in/2.parquet"):
            bucket.blob(name).upload_from_file(parquet(rows(1)))
        config = bq.LoadJobConfig(source_format="PARQUET")
        client.load_table_from_uri("gs://pictures/in/*.parquet", "p.d.t", job_config=config).result()
        assert client.get_table("p.d.t").num_rows == 2
        with pytest.raises(NotFound, match="Not found: URI gs://pictures/gone"):
            client.load_table_from_uri("gs://pictures/gone", "p.d.t", job_config=config).result()


def test_load_of_one_partition(peer: Peer, client: bq.Client) -> None:
    table(client)
    later = AT + dt.timedelta(days=1)
    load(client, pa.concat_tables([rows(1), rows(2, at=later)])).result()
    load(client, rows(3), "p.d.t$20260616", write_disposition="WRITE_TRUNCATE").result()
    assert [row["n"] for row in peer.rows("d.t")] == [3, 2]
    with pytest.raises(BadRequest, match="Some rows belong to different partitions"):
        load(client, rows(4, at=later), "p.d.t$20260616").result()


# Queries


def test_values_of_every_type(client: bq.Client) -> None:
    query = """SELECT 'é' AS s, 7 AS i, 2.5 AS f, TRUE AS b, DATE '2026-06-16' AS d, @at AS t, CAST('1.50' AS NUMERIC)
        AS m, B'ab' AS y, [1, 2] AS l, STRUCT(1 AS a, ['x'] AS b) AS r, CAST(NULL AS STRING) AS nothing,
        DATETIME '2026-06-16 07:00:00' AS dt, [STRUCT('k' AS k)] AS lr"""
    values = ("é", 7, 2.5, True, dt.date(2026, 6, 16), AT, Decimal("1.5"), b"ab", [1, 2], {"a": 1, "b": ["x"]}, None)
    values += (dt.datetime.fromisoformat("2026-06-16T07:00:00"), [{"k": "k"}])
    at = bq.ScalarQueryParameter("at", "TIMESTAMP", AT)
    assert ask(client, query, at) == [values]
    job = run(client, query, at)
    assert [field.field_type for field in job.result().schema][:7] == [
        "STRING", "INTEGER", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP", "NUMERIC",
    ]  # fmt: skip
    arrow = job.to_arrow(create_bqstorage_client=False)
    assert arrow.to_pylist() == [dict(zip(arrow.column_names, values, strict=True))]
    frame = job.to_dataframe(create_bqstorage_client=False)
    assert (frame["t"][0].to_pydatetime(), frame["i"].dtype.kind, frame["b"][0]) == (AT, "i", True)


def test_scalar_and_array_parameters(client: bq.Client) -> None:
    cases = [
        ("STRING", "x'; --"),
        ("INT64", -(2**60)),
        ("FLOAT64", 0.1),
        ("BOOL", False),
        ("TIMESTAMP", AT),
        ("DATE", AT.date()),
    ]
    for kind, value in cases:
        assert ask(client, "SELECT @x", bq.ScalarQueryParameter("x", kind, value)) == [(value,)]
        assert ask(client, "SELECT @x", bq.ScalarQueryParameter("x", kind, None)) == [(None,)]
        listed = bq.ArrayQueryParameter("x", kind, [value])
        assert ask(client, "SELECT @y IN UNNEST(@x)", listed, bq.ScalarQueryParameter("y", kind, value)) == [(True,)]
    assert ask(client, "SELECT 'a' IN UNNEST(@x)", bq.ArrayQueryParameter("x", "STRING", [])) == [(False,)]
    assert ask(client, "SELECT ?, ?", *(bq.ScalarQueryParameter(None, "INT64", n) for n in (1, 2))) == [(1, 2)]
    with pytest.raises(BadRequest, match="Query parameter 'x' not found"):
        ask(client, "SELECT @x")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT EXTRACT(DAYOFWEEK FROM DATE '2026-06-14')", 1),  # a Sunday
        ("SELECT TIMESTAMP_DIFF(TIMESTAMP '2026-01-01 12:10:00', TIMESTAMP '2026-01-01 10:50:00', HOUR)", 1),
        ("SELECT DATE_DIFF(DATE '2026-06-15', DATE '2026-06-14', WEEK)", 0),
        ("SELECT DATE_SUB(DATE '2026-06-01', INTERVAL 1 DAY)", dt.date(2026, 5, 31)),
        ("SELECT 7 / 2", 3.5),
        ("SELECT SAFE_DIVIDE(1, 0)", None),
        ("SELECT CAST(2.5e0 AS INT64)", 3),
        ("SELECT GREATEST(1, NULL)", None),
        ("SELECT TIMESTAMP_MICROS(1000000)", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)),
        ("SELECT DATE(TIMESTAMP '2026-06-16 23:30:00', 'Europe/London')", dt.date(2026, 6, 17)),
        ("SELECT TIMESTAMP_TRUNC(TIMESTAMP '2026-06-16 23:30:00', DAY)", dt.datetime(2026, 6, 16, tzinfo=dt.UTC)),
        ("SELECT FORMAT_TIMESTAMP('%Y%m%dT%H%MZ', TIMESTAMP '2026-06-16 07:10:00')", "20260616T0710Z"),
        ("SELECT COUNTIF(x > 1) FROM UNNEST([1, 2, 3]) AS x", 2),
    ],
)
def test_what_sql_means(client: bq.Client, query: str, answer: Any) -> None:
    assert ask(client, query) == [(answer,)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FORM d.t", "Syntax error"),
        ("SELECT FARM_FINGERPRINT('x')", "farm_fingerprint does not exist"),
        ("SELECT LIST_SORT([1])", "Function not found: LIST_SORT"),  # DuckDB has it, BigQuery has not
        ("SELECT ARRAY_AGG(x LIMIT 1) FROM UNNEST([1]) AS x", "Not supported by this peer"),
        ("SELECT EXTRACT(WEEK FROM CURRENT_DATE())", "Not supported by this peer"),
        ("SELECT FORMAT_TIMESTAMP('%H', CURRENT_TIMESTAMP(), 'Europe/London')", "Not supported by this peer"),
        ("SELECT * FROM d.INFORMATION_SCHEMA.TABLES", "Not supported by this peer"),
        ("SELECT * FROM t", "must be qualified with a dataset"),
        ("SELECT gone FROM d.t", "gone"),
        ("DELETE FROM d.t", "must have a WHERE clause"),
        ("SELECT 1 / 0", "division by zero"),
        ("DECLARE x INT64 DEFAULT 1", "Not supported by this peer"),
        ("SELECT 1 AS a, 2 AS a", "Duplicate column names"),
    ],
)
def test_query_that_is_refused(client: bq.Client, query: str, message: str) -> None:
    table(client)
    with pytest.raises(BadRequest, match=message):
        ask(client, query)
    with pytest.raises(BadRequest, match=message):
        run(client, query)


def test_query_of_a_table_that_is_not_there(client: bq.Client) -> None:
    with pytest.raises(NotFound, match=r"Not found: Table p:d.gone"):
        ask(client, "SELECT * FROM d.gone")


def test_pages_and_unnamed_columns(client: bq.Client) -> None:
    found = client.query("SELECT x, x + 1 FROM UNNEST(GENERATE_ARRAY(1, 25)) AS x ORDER BY x").result(page_size=10)
    pages = [[row.values() for row in page] for page in found.pages]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert (found.total_rows, [field.name for field in found.schema]) == (25, ["x", "f0_"])
    load(client, rows(*range(25))).result()
    stored = client.list_rows("p.d.t", start_index=5, max_results=7, selected_fields=[SCHEMA[2]])
    assert [row["n"] for row in stored] == list(range(5, 12))


def test_destination_of_a_query(peer: Peer, client: bq.Client) -> None:
    load(client, rows(1, 2)).result()
    options = {"destination": "p.d.out", "write_disposition": "WRITE_TRUNCATE"}
    for _ in range(2):
        assert run(client, "SELECT n FROM d.t", **options).destination.table_id == "out"
    assert [row["n"] for row in peer.rows("d.out")] == [1, 2]
    with pytest.raises(Conflict, match=r"Already Exists: Table p:d.out"):
        run(client, "SELECT n FROM d.t", destination="p.d.out")


def test_dry_run_leaves_nothing(peer: Peer, client: bq.Client) -> None:
    load(client, rows(1, 2)).result()
    before = len(peer.jobs())
    job = client.query("DELETE FROM d.t WHERE TRUE", job_config=bq.QueryJobConfig(dry_run=True))
    assert (job.state, job.total_bytes_processed, len(peer.jobs()), len(peer.rows("d.t"))) == ("DONE", 48, before, 2)
