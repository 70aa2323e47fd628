"""Delivery to BigQuery: what arrives, what is there already, repeated steps, and the views."""

from typing import Any

import pytest
from google.cloud import bigquery
from tests.peers.bigquery import Peer
from tests.tables import whole_scope
from tests.warehouse.bigquery.deliveries import assert_delivered, ids, opened, target
from tests.warehouse.bigquery.rounds import (
    LAST_ROUND,
    NAMES,
    PIPELINE,
    SLOT,
    publish_cameras,
    publish_counts,
    publish_round,
    scope,
)

from wayside.core.errors import ConfigError, TransientError
from wayside.core.tables import CAMERAS, COUNTS, FRAMES, TABLES, Table
from wayside.warehouse import bigquery_schema as schema
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.views import create_views

# What arrives


def test_rounds_of_publishing_arrive_with_one_load_and_one_merge_each(peer: Peer, lake: ParquetWarehouse):
    there = target(peer)
    for number in range(LAST_ROUND + 1):
        publish_round(lake, number)
        deliver(lake.outbox, lake, there, (CAMERAS, COUNTS))
        assert_delivered(peer, lake, CAMERAS, COUNTS)
        for table in ("cameras", "counts"):
            assert peer.modified(f"d.{table}").dml == number + 1
            assert peer.modified(f"d.{table}").load == 0
    assert len(ids(peer, "load")) == len(ids(peer, "query")) == 4
    assert not [call for call in peer.calls if "insertAll" in call.path]


def test_a_scope_that_became_empty_is_emptied_and_no_other(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    publish_counts(lake, scope(1), [])
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    slots = [(row["source"], row["slot"]) for row in peer.rows("d.counts")]
    assert ("City", scope(1).slot.start) not in slots  # type: ignore[union-attr]
    assert len(slots) == 3 * len(NAMES) + 1
    assert_delivered(peer, lake)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_can_be_made_and_merged_into(peer: Peer, lake: ParquetWarehouse, table: Table):
    """A mark without rows: the batch is empty, and all the same goes the whole way."""
    lake.outbox.mark(table, whole_scope(), "promised")
    target(peer).deliver(opened(lake, table))
    made = peer.client().get_table(f"p.d.{table.name}")
    assert [field.name for field in made.schema] == table.schema.names
    assert made.labels == {"app": "wayside", "team": "roads", "table": table.name}
    assert made.clustering_fields[0] == "source"
    assert (made.time_partitioning.field if made.time_partitioning else None) == table.partition
    assert bool(made.require_partition_filter) == (table.partition is not None)
    assert peer.client().get_dataset("p.d").location == "EU"
    assert len(ids(peer, "load")) == len(ids(peer, "query")) == 1


def test_jobs_are_named_after_the_batch_and_labelled(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    batch = opened(lake)
    there = target(peer)
    there.deliver(batch)
    assert ids(peer, "load") == [f"wayside-load-{batch.name}-1"]
    assert ids(peer, "query") == [f"wayside-merge-{batch.name}-1"]
    for job in peer.jobs():
        assert job["configuration"]["labels"] == {"app": "wayside", "team": "roads", "table": "counts"}
    assert there.console_url("j 1") == (
        "https://console.cloud.google.com/bigquery?project=p&j=bq%3AEU%3Aj%201&page=queryresults"
    )


def test_staging_expires_in_a_day(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    there = target(peer)
    there.prepare([COUNTS])
    there.load(opened(lake))
    (name,) = [one.table_id for one in peer.client().list_tables("p.d") if one.table_id.startswith("staging_")]
    staging = peer.client().get_table(f"p.d.{name}")
    assert 23 < (staging.expires - staging.created).total_seconds() / 3600 < 25
    assert staging.num_rows == 4 * len(NAMES) + 1


# What is there already


def dataset_of(peer: Peer, location: str = "EU") -> bigquery.Client:
    """A client, when the dataset is there."""
    dataset = bigquery.Dataset("p.d")
    dataset.location = location
    client: bigquery.Client = peer.client()
    client.create_dataset(dataset)
    return client


def test_a_dataset_that_lies_elsewhere_is_for_a_person(peer: Peer):
    dataset_of(peer, "US")
    with pytest.raises(ConfigError, match=r"p\.d lies in US: set WAYSIDE_BIGQUERY_LOCATION"):
        target(peer).prepare([COUNTS])


def test_a_table_with_fewer_columns_gets_those_that_may_be_null(peer: Peer, lake: ParquetWarehouse):
    client = dataset_of(peer)
    fields = [field for field in schema.fields(CAMERAS) if field.name != "attribution"]
    client.create_table(bigquery.Table("p.d.cameras", [*fields, bigquery.SchemaField("ours", "STRING")]))
    publish_cameras(lake, "City", NAMES)
    deliver(lake.outbox, lake, target(peer, "d"), [CAMERAS])
    rows = peer.rows("d.cameras")
    assert [row["camera"] for row in rows] == NAMES
    assert {"attribution", "ours"} <= set(rows[0])


def test_a_table_that_does_not_fit_stops_the_delivery_before_any_job(peer: Peer, lake: ParquetWarehouse):
    dataset_of(peer).create_table(bigquery.Table("p.d.counts", [bigquery.SchemaField("camera", "INT64")]))
    publish_round(lake, 0)
    with pytest.raises(ConfigError, match=r"p\.d\.counts lacks the column source|column camera"):
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert peer.jobs() == []
    assert lake.outbox.pending(COUNTS) == 5


def test_tables_are_looked_at_once_in_a_process(peer: Peer, lake: ParquetWarehouse):
    there = target(peer)
    there.prepare([COUNTS, FRAMES])
    number = len(peer.calls)
    there.prepare([COUNTS])
    assert len(peer.calls) == number
    target(peer).prepare([COUNTS])
    assert len(peer.calls) > number


# Repeated steps


def test_a_closed_batch_that_is_delivered_again_changes_nothing(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    late = opened(lake)
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    publish_round(lake, 1)
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    target(peer).deliver(late)
    assert_delivered(peer, lake)
    assert len(peer.jobs()) == 4


@pytest.mark.parametrize("steps", range(6))
def test_whoever_finds_a_batch_half_delivered_goes_on(peer: Peer, lake: ParquetWarehouse, steps: int):
    publish_round(lake, 0)
    batch, first = opened(lake), target(peer)
    for step in [
        lambda: first.prepare([COUNTS]),
        lambda: first.load(batch),
        lambda: first.load(batch),
        lambda: first.merge(batch),
        lambda: first.clean(batch),
    ][:steps]:
        step()
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert_delivered(peer, lake)
    assert (len(ids(peer, "load")), len(ids(peer, "query"))) == (1, 1)


def test_a_slow_runner_meets_the_jobs_of_a_faster_one(peer: Peer, lake: ParquetWarehouse):
    """It has asked for the job, in vain, and submits it when the other has gone the whole way."""
    publish_round(lake, 0)
    batch, slow = opened(lake), target(peer)
    find, faster = slow._find, [lambda: target(peer).load(batch), lambda: target(peer).deliver(batch)]

    def found_nothing(job_id: str) -> Any:
        found = find(job_id)
        if found is None and faster:
            faster.pop(0)()
        return found

    slow._find = found_nothing  # type: ignore[method-assign]
    slow.deliver(batch)
    lake.outbox.close(batch)
    assert faster == []
    assert_delivered(peer, lake)
    assert (len(ids(peer, "load")), len(ids(peer, "query"))) == (1, 1)


def test_the_steps_can_be_taken_singly(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    batch, there = opened(lake), target(peer)
    there.prepare([COUNTS])
    peer.hold()
    job = there.load(batch)
    assert not there.finished(job)
    with pytest.raises(TransientError, match="not ended yet"):
        there.result(batch, job, lake.outbox)
    peer.release()
    assert there.finished(job)
    there.result(batch, job, lake.outbox)
    job = there.merge(batch)
    there.wait(job)
    there.result(batch, job, lake.outbox)
    assert opened(lake).attempt == 1
    with pytest.raises(TransientError, match="does not find"):
        there.finished("nothing")


def test_waiting_looks_ever_less_often_and_gives_up(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    there, pauses = target(peer), []
    there.prepare([COUNTS])
    peer.hold()
    there._sleep = pauses.append
    with pytest.raises(TransientError, match="has not ended for an hour"):
        there.wait(there.load(opened(lake)))
    assert pauses == sorted(pauses)
    assert max(pauses) <= 5


# Views


def test_users_of_chrono_lens_find_their_table(peer: Peer, lake: ParquetWarehouse):
    publish_counts(lake, scope(0), ["ok"], car=3, van=None)  # type: ignore[arg-type]
    publish_counts(lake, scope(2), ["bad"], faulty=True, **dict.fromkeys(COUNT_NAMES))  # type: ignore[arg-type]
    there = target(peer)
    deliver(lake.outbox, lake, there, [COUNTS])
    for _ in range(2):
        assert create_views(there, [PIPELINE, "OtherV1"]) == ["p.detected_objects.StubV1", "p.detected_objects.OtherV1"]
    ask = "SELECT * FROM `p.detected_objects.StubV1` WHERE date = '2026-05-01'"
    rows = [dict(row.items()) for row in peer.client().query(ask).result()]
    nothing = dict.fromkeys(COUNT_NAMES, 0)
    day = SLOT.start.date()
    assert rows == [
        {"source": "City", "camera_id": "ok", "date": day, "time": SLOT.start.time()}
        | nothing
        | {"car": 3, "faulty": False, "missing": False}
    ]
    assert list(rows[0]) == ["source", "camera_id", "date", "time", *COUNT_NAMES, "faulty", "missing"]
    bad = [dict(row.items()) for row in peer.client().query(ask.replace("01'", "02'")).result()]
    assert [(row["camera_id"], row["time"].isoformat(), row["car"], row["faulty"]) for row in bad] == [
        ("bad", "00:00:00", 0, True)
    ]
    other = peer.client().query(ask.replace("StubV1", "OtherV1")).result()
    assert list(other) == []
    with pytest.raises(Exception, match="without a filter"):
        peer.client().query("SELECT * FROM `p.detected_objects.StubV1`").result()


def test_a_view_that_changed_is_renewed(peer: Peer):
    there = target(peer)
    create_views(there, [PIPELINE], "own")
    view = peer.client().get_table(f"p.own.{PIPELINE}")
    text, view.view_query = view.view_query, "SELECT 1 AS one"
    peer.client().update_table(view, ["view_query"])
    create_views(there, [PIPELINE], "own")
    assert peer.client().get_table(f"p.own.{PIPELINE}").view_query == text


COUNT_NAMES = ("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van")
