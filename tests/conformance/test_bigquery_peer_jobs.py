"""The BigQuery peer does what BigQuery's documentation says: statements that change tables, job ids, faults, hooks."""

import asyncio
import datetime as dt
import threading
from typing import Any

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    InternalServerError,
    NotFound,
)
from google.cloud import bigquery as bq
from google.cloud.bigquery.retry import DEFAULT_RETRY
from tests.conformance.frames import AT, ask, load, parquet, rows, run, table
from tests.peers.bigquery import Peer

AGAIN = DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.002)
DAY = dt.timedelta(days=1)
REPLACE = """
-- The rows of some scopes give way to those of staging.
MERGE d.t AS t USING (SELECT source, slot, n FROM d.s) AS s ON FALSE
WHEN NOT MATCHED BY SOURCE AND t.slot BETWEEN @first AND @last
    AND (t.source || ' ' || FORMAT_TIMESTAMP('%Y%m%d', t.slot)) IN UNNEST(@scopes) THEN DELETE
WHEN NOT MATCHED BY TARGET THEN INSERT (source, slot, n) VALUES (s.source, s.slot, s.n)
"""


def bounds(*scopes: str) -> list[Any]:
    return [
        bq.ScalarQueryParameter("first", "TIMESTAMP", AT),
        bq.ScalarQueryParameter("last", "TIMESTAMP", AT + DAY),
        bq.ArrayQueryParameter("scopes", "STRING", list(scopes)),
    ]


def config(*parameters: Any, **options: Any) -> bq.QueryJobConfig:
    return bq.QueryJobConfig(query_parameters=parameters, **options)


# Statements


def test_merge_that_replaces_scopes(peer: Peer, client: bq.Client) -> None:
    table(client, needs_filter=True)
    for data in (rows(1, 2), rows(3, at=AT + 2 * DAY), rows(4, source="b")):
        load(client, data).result()
    load(client, rows(7, 8, 9), "p.d.s").result()
    job = run(client, REPLACE, *bounds("a 20260616"))
    assert (job.statement_type, job.num_dml_affected_rows) == ("MERGE", 5)
    assert (job.dml_stats.inserted_row_count, job.dml_stats.deleted_row_count) == (3, 2)
    assert [(row["source"], row["n"]) for row in peer.rows("d.t")] == [
        *(("a", n) for n in (7, 8, 9, 3)),  # 3 is of another day
        ("b", 4),
    ]
    assert (peer.modified("d.t").load, peer.modified("d.t").dml, peer.modified("d.s").dml) == (3, 1, 0)
    assert run(client, REPLACE, *bounds()).num_dml_affected_rows == 3


def test_merge_that_updates(peer: Peer, client: bq.Client) -> None:
    table(client)
    load(client, rows(1)).result()
    for data in (rows(5), rows(6, source="b")):
        load(client, data, "p.d.s").result()
    merge = """MERGE d.t t USING d.s s ON t.source = s.source WHEN MATCHED THEN UPDATE SET t.n = s.n
        WHEN NOT MATCHED THEN INSERT (source, slot, n) VALUES (source, slot, n)"""
    job = run(client, merge)
    assert (job.dml_stats.updated_row_count, job.dml_stats.inserted_row_count) == (1, 1)
    load(client, rows(5), "p.d.s").result()
    with pytest.raises(BadRequest, match="must match at most one source row"):
        run(client, merge)
    assert [row["n"] for row in peer.rows("d.t")] == [5, 6]


@pytest.mark.parametrize(
    ("text", "kind", "count", "left"),
    [
        ("INSERT INTO d.t (source, slot, n) SELECT 'z', slot, 9 FROM d.t WHERE n > 1", "INSERT", 2, [1, 2, 3, 9, 9]),
        ("UPDATE d.t t SET t.n = n + 10 WHERE t.n >= 2", "UPDATE", 2, [1, 12, 13]),
        ("DELETE FROM d.t WHERE n = 1", "DELETE", 1, [2, 3]),
        ("TRUNCATE TABLE d.t", "TRUNCATE_TABLE", 3, []),
    ],
)
def test_dml(peer: Peer, client: bq.Client, text: str, kind: str, count: int, left: list[int]) -> None:
    table(client)
    load(client, rows(1, 2, 3)).result()
    job = run(client, text)
    assert (job.statement_type, job.num_dml_affected_rows) == (kind, count)
    assert sorted(row["n"] for row in peer.rows("d.t")) == left
    assert ask(client, text.replace("d.t", "`p.d.t`")) == []


def test_dml_that_fails_changes_nothing(peer: Peer, client: bq.Client) -> None:
    table(client)
    load(client, rows(1, 2)).result()
    with pytest.raises(BadRequest, match="cannot be null"):
        run(client, "INSERT INTO d.t (source, slot) SELECT IF(n = 2, NULL, source), slot FROM d.t")
    with pytest.raises(BadRequest, match="division by zero"):
        run(client, "UPDATE d.t SET n = CAST(1 / (n - 2) AS INT64) WHERE TRUE")
    assert ([row["n"] for row in peer.rows("d.t")], peer.modified("d.t").dml) == ([1, 2], 0)


def test_transaction_of_several_statements(peer: Peer, client: bq.Client) -> None:
    table(client)
    load(client, rows(1, 2)).result()
    pair = "DELETE FROM d.t WHERE n = 1; UPDATE d.t SET n = CAST(1 / (n - 2) AS INT64) WHERE TRUE;"
    with pytest.raises(BadRequest, match="division by zero"):
        run(client, f"BEGIN TRANSACTION; {pair} COMMIT TRANSACTION;")
    assert len(peer.rows("d.t")) == 2
    with pytest.raises(BadRequest, match="division by zero"):
        run(client, pair)  # each statement for itself
    assert len(peer.rows("d.t")) == 1


def test_definitions(client: bq.Client) -> None:
    text = """CREATE TABLE d.x (a STRING NOT NULL OPTIONS(description='what'), at TIMESTAMP, l ARRAY<STRING>,
        r STRUCT<x INT64, y ARRAY<FLOAT64>>) PARTITION BY DATE(at) CLUSTER BY a
        OPTIONS(require_partition_filter=TRUE, partition_expiration_days=2, labels=[('k', 'v')])"""
    assert run(client, text).ddl_operation_performed == "CREATE"
    found = client.get_table("p.d.x")
    assert [(field.name, field.field_type, field.mode, field.description) for field in found.schema] == [
        ("a", "STRING", "REQUIRED", "what"),
        ("at", "TIMESTAMP", "NULLABLE", None),
        ("l", "STRING", "REPEATED", None),
        ("r", "RECORD", "NULLABLE", None),
    ]
    assert (found.time_partitioning.type_, found.time_partitioning.field) == ("DAY", "at")
    assert found.time_partitioning.expiration_ms == 2 * 86_400_000
    assert (found.require_partition_filter, found.clustering_fields, found.labels) == (True, ["a"], {"k": "v"})
    assert run(client, text.replace("TABLE", "TABLE IF NOT EXISTS", 1)).ddl_operation_performed == "SKIP"
    with pytest.raises(Conflict, match=r"Already Exists: Table p:d.x"):
        run(client, text)
    job = run(client, "CREATE OR REPLACE TABLE d.x AS SELECT 1 AS n, DATE '2026-06-16' AS day")
    assert (job.statement_type, job.ddl_operation_performed) == ("CREATE_TABLE_AS_SELECT", "REPLACE")
    run(client, "ALTER TABLE d.x ADD COLUMN IF NOT EXISTS n INT64, ADD COLUMN m STRING")
    assert ask(client, "SELECT * FROM d.x") == [(1, dt.date(2026, 6, 16), None)]
    assert run(client, "DROP TABLE d.x").statement_type == "DROP_TABLE"
    with pytest.raises(NotFound):
        run(client, "DROP TABLE d.x")
    run(client, "DROP TABLE IF EXISTS d.x")


def test_views(client: bq.Client) -> None:
    load(client, rows(1, 2)).result()
    view = "CREATE OR REPLACE VIEW d.v OPTIONS(description='seen') AS SELECT n AS many FROM `d.t` AS x WHERE n >= {}"
    for least, answer in ((2, [(2,)]), (1, [(1,), (2,)])):
        job = run(client, view.format(least))
        assert (job.statement_type, job.ddl_target_table.table_id) == ("CREATE_VIEW", "v")
        assert ask(client, "WITH w AS (SELECT v.many FROM d.v) SELECT * FROM w ORDER BY many") == answer
    made = client.get_table("p.d.v")
    assert (made.table_type, made.description) == ("VIEW", "seen")
    with pytest.raises(BadRequest, match="is a view"):
        run(client, "DELETE FROM d.v WHERE TRUE")
    with pytest.raises(BadRequest, match="is a VIEW, not a TABLE"):
        run(client, "DROP TABLE d.v")
    run(client, "DROP VIEW d.v")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("SELECT * FROM d.t", False),
        ("SELECT * FROM d.t WHERE n = 1", False),
        ("SELECT * FROM d.t WHERE slot > @first", True),
        ("SELECT * FROM d.t WHERE DATE(slot) = '2026-06-16' AND n = 1", True),
        ("SELECT * FROM d.t WHERE slot > @first OR n = 1", False),
        ("SELECT * FROM d.t WHERE slot > @first OR slot IN (@first)", True),
        ("SELECT * FROM d.t WHERE FORMAT_TIMESTAMP('%Y', slot) = '2026'", False),
        ("SELECT * FROM (SELECT slot AS at, n FROM d.t) WHERE at BETWEEN @first AND @last", True),
        ("SELECT * FROM (SELECT slot AS at, n AS slot FROM d.t) WHERE slot = 1", False),
        ("WITH w AS (SELECT * FROM d.t) SELECT * FROM w WHERE w.slot < @last", True),
        ("WITH w AS (SELECT * FROM d.t) SELECT * FROM w", False),
        ("SELECT * FROM d.t AS a JOIN d.t AS b ON a.slot = b.slot WHERE a.slot > @first", False),
        ("SELECT a.n FROM d.t AS a JOIN d.t AS b ON a.n = b.n AND b.slot > @first WHERE a.slot > @first", True),
        ("DELETE FROM d.t WHERE n = 1", False),
        ("DELETE FROM d.t WHERE slot = @first", True),
        ("UPDATE d.t SET n = 1 WHERE slot >= @first", True),
        ("MERGE d.t t USING d.s s ON t.n = s.n WHEN MATCHED THEN DELETE", False),
        ("MERGE d.t t USING d.s s ON t.n = s.n AND t.slot > @first WHEN MATCHED THEN DELETE", True),
        ("MERGE d.t t USING d.s s ON FALSE WHEN NOT MATCHED BY SOURCE AND t.slot > @first THEN DELETE", True),
        ("MERGE d.t t USING d.s s ON FALSE WHEN NOT MATCHED BY SOURCE THEN DELETE", False),
        ("INSERT INTO d.t (source, slot, n) SELECT source, slot, n FROM d.s", True),
    ],
)
def test_partition_filter(client: bq.Client, text: str, allowed: bool) -> None:
    table(client, needs_filter=True)
    load(client, rows(1), "p.d.s").result()
    if allowed:
        run(client, text, *bounds()[:2])
    else:
        with pytest.raises(BadRequest, match=r"'p.d.t' without a filter over column\(s\) 'slot'"):
            run(client, text, *bounds()[:2])


# Jobs


def test_job_id_is_taken_once(peer: Peer, client: bq.Client) -> None:
    def start() -> bq.LoadJob:
        file = parquet(rows(1))
        options = bq.LoadJobConfig(source_format="PARQUET")
        return client.load_table_from_file(
            file, "p.d.t", size=file.getbuffer().nbytes, job_id="one", job_config=options
        )

    start().result()
    with pytest.raises(Conflict, match=r"Already Exists: Job p:US.one"):
        start()
    again = client.get_job("one")
    assert (again.state, again.output_rows, len(peer.rows("d.t"))) == ("DONE", 1, 1)
    with pytest.raises(NotFound, match=r"Not found: Job p:US.two"):
        client.get_job("two")


def test_job_id_of_a_failed_job_is_taken_too(client: bq.Client) -> None:
    for error in (BadRequest, Conflict):
        with pytest.raises(error):
            client.query("SELECT * FORM t", job_id="bad", job_retry=None)
    assert client.get_job("bad").error_result["reason"] == "invalidQuery"


def test_location(peer: Peer, client: bq.Client) -> None:
    european = bq.Dataset("p.e")
    european.location = "europe-west2"
    client.create_dataset(european)
    load(client, rows(1), "p.e.t").result()
    job = client.query("SELECT COUNT(*) FROM e.t")
    assert (job.location, next(iter(job.result()))[0]) == ("europe-west2", 1)
    assert client.get_job(job.job_id, location="europe-west2").state == "DONE"
    with pytest.raises(NotFound):
        client.get_job(job.job_id)  # without a location the service looks in US
    with pytest.raises(NotFound, match="was not found in location EU"):
        peer.client(location="EU").query("SELECT * FROM e.t").result()


def test_list_of_jobs(client: bq.Client) -> None:
    run(client, "SELECT 1", labels={"a": "b"})
    run(client, "SELECT 2")
    found = list(client.list_jobs(state_filter="done"))
    assert [(job.query, job.labels) for job in found] == [("SELECT 2", {}), ("SELECT 1", {"a": "b"})]


def test_held_jobs(peer: Peer, client: bq.Client) -> None:
    peer.hold("load")
    held = [load(client, rows(number)) for number in (1, 2)]
    assert ask(client, "SELECT 1") == [(1,)]
    assert [client.get_job(job.job_id).state for job in held] == ["RUNNING", "RUNNING"]
    held[0].cancel()
    peer.release()
    assert [row["n"] for row in peer.rows("d.t")] == [2]
    assert client.get_job(held[0].job_id).error_result["reason"] == "stopped"
    peer.hold("SELECT")
    query = client.query("SELECT 1", job_retry=None)
    query.cancel()
    with pytest.raises(GoogleAPICallError, match="was cancelled"):
        query.result(retry=None)
    assert held[1].result().output_rows == 1


def test_query_waits_for_a_held_job(peer: Peer, client: bq.Client) -> None:
    peer.hold()
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(client, "SELECT 7")))
    waiting.start()
    while not peer.jobs("query"):
        assert waiting.is_alive()
    peer.release()
    waiting.join(10)
    assert answers == [[(7,)]]


# Faults


@pytest.mark.parametrize(
    ("reason", "status", "error"),
    [
        ("invalid", None, BadRequest),
        ("quotaExceeded", None, Forbidden),
        ("notFound", None, NotFound),
        ("duplicate", None, Conflict),
    ],
)
def test_call_that_is_refused(peer: Peer, client: bq.Client, reason: str, status: int | None, error: type) -> None:
    peer.fail(reason, status, kind="load")
    with pytest.raises(error, match="asked for by the test") as caught:
        load(client, rows(1))
    assert (caught.value.errors[0]["reason"], peer.jobs()) == (reason, [])
    load(client, rows(1)).result()


@pytest.mark.parametrize(
    ("reason", "status"), [("rateLimitExceeded", 403), ("backendError", 500), ("backendError", 503)]
)
def test_call_that_the_client_tries_again(peer: Peer, client: bq.Client, reason: str, status: int) -> None:
    peer.fail(reason, status, path="/tables/t", times=2)
    table(client)
    assert client.get_table("p.d.t", retry=AGAIN).table_id == "t"
    assert [call.status for call in peer.calls if call.method == "GET"] == [status, status, 200]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("drop", [False, True])
def test_statement_whose_answer_is_lost(peer: Peer, client: bq.Client, when: Any, drop: bool) -> None:
    """The client repeats the call with the same job id; where the first call was carried out, it gets 409."""
    table(client)
    load(client, rows(1)).result()
    peer.fail("internalError", method="POST", kind="INSERT", when=when, drop=drop)
    text = "INSERT INTO d.t (source, slot, n) SELECT source, slot, n FROM d.t"
    try:
        client.query(text, job_id="once", retry=AGAIN, job_retry=None).result()
    except Conflict:
        assert when == "after"
        client.get_job("once").result()
    assert (len(peer.rows("d.t")), peer.modified("d.t").dml) == (2, 1)
    assert [call.status for call in peer.calls if call.statement == "INSERT"][-1] == (409 if when == "after" else 200)


def test_job_that_ends_in_an_error(peer: Peer, client: bq.Client) -> None:
    peer.fail_job("quotaExceeded", kind="load", message="too many loads")
    job = load(client, rows(1))
    with pytest.raises(Forbidden, match="too many loads"):
        job.result()
    assert (client.get_job(job.job_id).error_result["reason"], peer.modified("d.t").load) == ("quotaExceeded", 0)
    table(client)
    peer.fail_job("internalError", kind="DELETE")
    with pytest.raises(InternalServerError):
        client.query("DELETE FROM d.t WHERE TRUE", job_retry=None).result(retry=None)
    assert run(client, "DELETE FROM d.t WHERE TRUE").num_dml_affected_rows == 0


# Airflow


def test_hook_of_the_google_provider(peer: Peer, client: bq.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    extra = '{"is_anonymous": true, "project": "p"}'
    monkeypatch.setenv("AIRFLOW_CONN_BQ", f'{{"conn_type": "google_cloud_platform", "extra": {extra}}}')
    for name, value in peer.env().items():
        monkeypatch.setenv(name, value)
    load(client, rows(1)).result()
    hook = BigQueryHook(gcp_conn_id="bq", location="US", use_legacy_sql=False)
    assert hook.table_exists(dataset_id="d", table_id="t", project_id="p")
    query = {"query": {"query": "SELECT n FROM d.t", "useLegacySql": False}}
    job = hook.insert_job(configuration=query, job_id="hooked", project_id="p")
    assert [row["n"] for row in job.result()] == [1]
    with pytest.raises(Conflict):
        hook.insert_job(configuration=query, job_id="hooked", project_id="p")
    assert [row[0] for row in hook.get_client(project_id="p").query_and_wait("SELECT 1")] == [1]


def test_client_of_the_triggers_of_the_google_provider(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import ClientSession
    from gcloud.aio.bigquery import Job

    for name, value in peer.env(waiting=True).items():
        monkeypatch.setenv(name, value)
    peer.hold()
    name = peer.client().query("SELECT 1").job_id

    async def state() -> str:
        async with ClientSession() as session:
            job = Job(job_id=name, project="p", session=session, token=object())
            return (await job.get_job())["status"]["state"]

    assert asyncio.run(state()) == "RUNNING"
    peer.release()
    assert asyncio.run(state()) == "DONE"
