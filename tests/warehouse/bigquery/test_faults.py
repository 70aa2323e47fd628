"""Whatever fails, dies or runs at the same time: what is delivered to BigQuery is there once and whole."""

import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from tests.peers.bigquery import Peer
from tests.processes import run_script
from tests.tables import frame_rows
from tests.warehouse.bigquery.deliveries import assert_delivered, ids, keyed, opened, published, target
from tests.warehouse.bigquery.rounds import LAST_ROUND, NAMES, SLOT, publish_round

from wayside.core.errors import AuditError, ConfigError, TransientError, WaysideError
from wayside.core.tables import CAMERAS, COUNTS, FRAMES
from wayside.warehouse.bigquery import RETRY, BigQueryTarget
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

# Faults


FAULTS = {
    "the load job fails": lambda peer: peer.fail_job("backendError", kind="load"),
    "the load is over a quota": lambda peer: peer.fail_job("quotaExceeded", kind="load"),
    "the MERGE fails": lambda peer: peer.fail_job("backendError", kind="MERGE"),
    "the MERGE is over a limit": lambda peer: peer.fail_job("rateLimitExceeded", kind="MERGE"),
    "403 quotaExceeded at the load": lambda peer: peer.fail("quotaExceeded", kind="load"),
    "403 quotaExceeded at the MERGE": lambda peer: peer.fail("quotaExceeded", kind="MERGE"),
    "500 at the load": lambda peer: peer.fail("internalError", 500, kind="load"),
    "500 at the MERGE": lambda peer: peer.fail("internalError", 500, kind="MERGE"),
    "500 although the load was taken": lambda peer: peer.fail("internalError", 500, kind="load", when="after"),
    "500 although the MERGE was taken": lambda peer: peer.fail("internalError", 500, kind="MERGE", when="after"),
    "the line is cut before the load": lambda peer: peer.fail(kind="load", drop=True),
    "the line is cut before the MERGE": lambda peer: peer.fail(kind="MERGE", drop=True),
    "the line is cut after the load": lambda peer: peer.fail(kind="load", drop=True, when="after"),
    "the line is cut after the MERGE": lambda peer: peer.fail(kind="MERGE", drop=True, when="after"),
    "no job can be asked for": lambda peer: peer.fail("backendError", method="GET", path="/jobs/", times=2),
    "the dataset cannot be had": lambda peer: peer.fail("backendError", path="/datasets", times=2),
    "tables cannot be had": lambda peer: peer.fail("backendError", path="/tables", times=2),
    "the line is cut again and again": lambda peer: peer.fail(drop=True, times=5),
    "the answers are lost again and again": lambda peer: peer.fail(drop=True, times=5, when="after"),
    "staging cannot be taken away": lambda peer: peer.fail("backendError", method="DELETE"),
}
LEFT_BEHIND = {"the load job fails", "the load is over a quota", "the MERGE fails", "the MERGE is over a limit",
               "staging cannot be taken away"}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_after_a_fault_another_try_brings_all_of_it_once(peer: Peer, lake: ParquetWarehouse, name: str):
    publish_round(lake, 0)
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    before = keyed(COUNTS, peer.rows("d.counts"))
    publish_round(lake, 1)
    FAULTS[name](peer)
    tries = 0
    while lake.outbox.pending(COUNTS):
        tries += 1
        assert tries < 8
        try:
            deliver(lake.outbox, lake, target(peer), [COUNTS])
        except TransientError:
            assert keyed(COUNTS, peer.rows("d.counts")) in (before, keyed(COUNTS, published(lake, COUNTS)))
    assert keyed(COUNTS, peer.rows("d.counts")) == keyed(COUNTS, published(lake, COUNTS))
    assert peer.modified("d.counts").dml == 2
    if name not in LEFT_BEHIND:
        assert_delivered(peer, lake)


def test_a_failed_job_gives_the_batch_a_new_attempt_and_a_lost_answer_does_not(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    peer.fail_job("backendError", kind="load", message="words of the service")
    with pytest.raises(TransientError, match=r"counts.*words of the service.*next try") as caught:
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert "console.cloud.google.com" in str(caught.value)
    assert opened(lake).attempt == 2
    peer.fail(kind="MERGE", drop=True)
    with pytest.raises(TransientError):
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert opened(lake).attempt == 2
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert [name[-2:] for name in ids(peer, "load")] == ["-1", "-2"]
    assert [name[-2:] for name in ids(peer, "query")] == ["-2"]


def test_rows_that_are_refused_are_reported_and_kept(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    peer.fail_job("invalid", kind="load", message="a wrong file")
    with pytest.raises(AuditError, match=r"the load of counts.*a wrong file.*no row was taken"):
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert peer.rows("d.counts") == []
    assert lake.outbox.pending(COUNTS) == 5
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert {row["source"] for row in peer.rows("d.counts")} == {"City", "Town"}


def test_a_merge_that_is_refused_is_for_a_person(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    peer.fail_job("accessDenied", kind="MERGE", message="no right")
    with pytest.raises(ConfigError, match=r"the MERGE into counts.*no right.*give the account"):
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert peer.modified("d.counts").dml == 1


@pytest.mark.parametrize("gone", ["staging", "counts", "d"])
def test_what_was_taken_away_between_load_and_merge_is_made_again(peer: Peer, lake: ParquetWarehouse, gone: str):
    publish_round(lake, 0)
    batch, there = opened(lake), target(peer)
    there.prepare([COUNTS])
    there.load(batch)
    if gone == "d":
        peer.client().delete_dataset("p.d", delete_contents=True)
    else:
        names = [one.table_id for one in peer.client().list_tables("p.d")]
        peer.client().delete_table(f"p.d.{next(name for name in names if name.startswith(gone))}")
    with pytest.raises(TransientError):
        deliver(lake.outbox, lake, there, [COUNTS])
    deliver(lake.outbox, lake, there, [COUNTS])
    assert keyed(COUNTS, peer.rows("d.counts")) == keyed(COUNTS, published(lake, COUNTS))


def test_a_merge_that_never_became_a_job_for_want_of_its_staging_is_not_tried_for_ever(
    peer: Peer, lake: ParquetWarehouse
):
    publish_round(lake, 0)
    batch, there = opened(lake), target(peer)
    there.prepare([COUNTS])
    there.load(batch)
    peer.fail("notFound", kind="MERGE")
    with pytest.raises(TransientError):
        there.merge(batch)
    assert opened(lake).attempt == 2
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert_delivered(peer, lake)


def test_a_table_that_fails_stops_no_other(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    where = Scope("City", SLOT)
    lake.publish(FRAMES, where, to_arrow(FRAMES, frame_rows(where, NAMES)))
    peer.fail_job("invalid", kind="load")
    with pytest.raises(WaysideError):
        deliver(lake.outbox, lake, target(peer), [FRAMES, COUNTS])
    assert peer.rows("d.frames") == []
    assert len(peer.rows("d.counts")) == 4 * len(NAMES) + 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_large_batch_is_uploaded_in_pieces(
    peer: Peer, lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch, when: Literal["before", "after"]
):
    monkeypatch.setattr("google.cloud.bigquery.client._MAX_MULTIPART_SIZE", 100)
    publish_round(lake, 0)
    peer.fail(method="PUT", drop=True, when=when)
    with contextlib.suppress(TransientError):
        deliver(lake.outbox, lake, target(peer), [COUNTS])
    deliver(lake.outbox, lake, target(peer), [COUNTS])
    assert {call.query.get("uploadType") for call in peer.calls if call.path.startswith("/upload")} == {"resumable"}
    assert_delivered(peer, lake)
    assert (len(ids(peer, "load")), len(ids(peer, "query"))) == (1, 1)


def test_a_call_that_the_client_repeats_by_itself_meets_its_own_job(peer: Peer, lake: ParquetWarehouse):
    publish_round(lake, 0)
    quick = RETRY.with_delay(initial=0.001, maximum=0.001)
    there = BigQueryTarget(peer.client(), "p", "d", "EU", retry=quick)
    peer.fail(kind="MERGE", drop=True, when="after")
    peer.fail("backendError", method="GET", times=3)
    deliver(lake.outbox, lake, there, [COUNTS])
    assert_delivered(peer, lake)
    assert len([call for call in peer.calls if call.statement == "MERGE"]) == 2


# At once


def test_deliveries_at_once_have_one_result(peer: Peer, lake: ParquetWarehouse):
    def run(_: int) -> str:
        mine, there = ParquetWarehouse(lake.root, outbox=True), target(peer)
        barrier.wait()
        try:
            deliver(mine.outbox, mine, there, [CAMERAS, COUNTS])
        except TransientError as error:
            return str(error)
        return "another process"

    for number in range(LAST_ROUND + 1):
        publish_round(lake, number)
        barrier = threading.Barrier(3)
        with ThreadPoolExecutor(3) as racers:
            said = list(racers.map(run, range(3)))
        # A runner whose batch was closed by another has nothing left to do, and says so.
        assert all("another process" in words for words in said)
        assert_delivered(peer, lake, CAMERAS, COUNTS)
        assert peer.modified("d.counts").dml == number + 1
        assert peer.modified("d.cameras").dml == number + 1
    assert (len(ids(peer, "load")), len(ids(peer, "query"))) == (4, 4)


KILLS, SEED = 10, 20260501


def test_ten_killed_deliveries_end_with_the_tables_of_an_undisturbed_one(peer: Peer, tmp_path: Path):
    told = run_script("tests.warehouse.bigquery.killed_run", tmp_path, peer.url, SEED, KILLS)
    assert told["steps"] > 150
    assert len(set(told["instants"])) == KILLS
    assert {killed for killed, _ in told["ended"]} == {-signal.SIGKILL}
    assert all(finished > 0 for _, finished in told["ended"])
    expected = {table: keyed(table, peer.rows(f"undisturbed.{table.name}")) for table in (CAMERAS, COUNTS)}
    assert [len(rows) for rows in expected.values()] == [2, 12]
    for instant in told["instants"]:
        dataset = f"killed_{instant}"
        lake = ParquetWarehouse(tmp_path / dataset, outbox=True)
        for table, rows in expected.items():
            assert keyed(table, peer.rows(f"{dataset}.{table.name}")) == rows, f"killed before step {instant}"
            assert lake.outbox.pending(table) == 0
            # Four runs at the most, two of each process: one MERGE a run, each of another batch.
            assert peer.modified(f"{dataset}.{table.name}").dml <= 4
    # No job was refused or ran a second time under another id, and each load has its MERGE.
    loads, merges = ids(peer, "load"), ids(peer, "query")
    assert all(name.endswith("-1") for name in (*loads, *merges))
    assert [name.replace("-load-", "-merge-") for name in loads] == merges
