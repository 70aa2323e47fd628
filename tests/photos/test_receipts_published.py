"""Receipts are published once, in order, from day to day, whoever else publishes and whoever is killed."""

import json
import signal
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.photos.publish_receipts import RACERS, ROUNDS
from tests.privacy.receipted import NOON, SOURCE, gone, receipt
from tests.processes import run_script

from wayside.core.errors import AuditError, StoreError
from wayside.core.tables import RECEIPTS
from wayside.photos.proof import completed, deleted
from wayside.photos.receipts import chain, chained_sources, find_receipts, publish_receipts
from wayside.privacy.receipts import START, Original, verify_chain
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope

TODAY = date(2026, 6, 16)
DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake")


def photos(lake: ParquetWarehouse) -> list[int]:
    return [int(row["photo"][-9:-4]) for row in chain(lake, SOURCE)]


def test_the_chain_goes_from_day_to_day_and_each_receipt_joins_once(lake: ParquetWarehouse):
    assert publish_receipts(lake, SOURCE, [], NOON) == 0
    assert chained_sources(lake) == []
    assert publish_receipts(lake, SOURCE, [receipt(1), receipt(2)], NOON) == 2
    assert publish_receipts(lake, SOURCE, [receipt(2), receipt(3)], NOON) == 1
    assert publish_receipts(lake, SOURCE, [receipt(1), receipt(4)], NOON + 2 * DAY) == 1
    assert publish_receipts(lake, SOURCE, [receipt(4)], NOON + 3 * DAY) == 0
    assert publish_receipts(lake, SOURCE, [gone(1)], NOON + 3 * DAY) == 1
    rows = list(chain(lake, SOURCE))
    assert [(row["day"].day, row["ordinal"]) for row in rows] == [(16, 0), (16, 1), (16, 2), (18, 0), (19, 0)]
    assert (photos(lake), rows[0]["previous_sha256"]) == ([1, 2, 3, 4, 1], START)
    assert verify_chain(rows) == []
    assert chained_sources(lake) == [SOURCE]


def test_where_the_clock_was_put_back_the_latest_day_goes_on(lake: ParquetWarehouse):
    publish_receipts(lake, SOURCE, [receipt(1)], NOON)
    publish_receipts(lake, SOURCE, [receipt(2)], NOON - 3 * DAY)
    assert [(row["day"], row["ordinal"]) for row in chain(lake, SOURCE)] == [(TODAY, 0), (TODAY, 1)]
    assert verify_chain(chain(lake, SOURCE)) == []


def test_sources_have_chains_of_their_own(lake: ParquetWarehouse):
    publish_receipts(lake, SOURCE, [receipt(1)], NOON)
    publish_receipts(lake, "Inbox-2", [receipt(1, source="Inbox-2")], NOON)
    assert next(chain(lake, "Inbox-2"))["previous_sha256"] == START
    with pytest.raises(AuditError, match="Inbox-2 do not belong into the chain of Inbox-1"):
        publish_receipts(lake, SOURCE, [receipt(2), receipt(3, source="Inbox-2")], NOON)
    assert photos(lake) == [1]


def test_a_picture_is_found_by_its_path_or_the_hash_of_its_file(lake: ParquetWarehouse):
    publish_receipts(lake, SOURCE, [receipt(1), receipt(2)], NOON)
    publish_receipts(lake, SOURCE, [gone(2)], NOON + DAY)
    found = find_receipts(lake, SOURCE, receipt(2).photo)
    assert [json.loads(row["receipt"])["original"]["fate"] for row in found] == ["kept", "deleted"]
    assert find_receipts(lake, SOURCE, receipt(2).output.sha256) == found
    assert find_receipts(lake, SOURCE, "nothing") == []


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_a_file_that_is_no_table_of_receipts_is_named(lake: ParquetWarehouse, content: bytes | None):
    publish_receipts(lake, SOURCE, [receipt(1)], NOON)
    path = lake.layout.path(RECEIPTS, Scope(SOURCE, day=TODAY))
    if content is None:
        pq.write_table(pq.read_table(path, partitioning=None).drop(["link_sha256"]), path)
    else:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="is not a table of receipts"):
        list(chain(lake, SOURCE))
    with pytest.raises(StoreError, match="is not a table of receipts"):
        publish_receipts(lake, SOURCE, [receipt(2)], NOON + DAY)


def test_a_receipt_claims_a_deletion_only_of_what_was_read_again():
    fields = receipt(1, original=Original(fate="archived", uri="/archive/1.jpg")).model_dump(
        mode="json", exclude={"irreversible"}
    )
    proven = completed(deleted(fields, at=NOON, verified=True)).original
    assert (proven.fate, proven.verified_sha256, proven.uri) == ("deleted", receipt(1).input.sha256, "/archive/1.jpg")
    gone_before = completed(deleted(fields, at=NOON, verified=False)).original
    assert (gone_before.fate, gone_before.verified_sha256, gone_before.archived) == ("gone", None, True)


def test_a_publisher_that_is_killed_anywhere_leaves_a_whole_chain(tmp_path: Path):
    told = run_script("tests.photos.publish_receipts", tmp_path, "killed")
    assert len(told) > 6
    assert [first for first, _ in told] == [-signal.SIGKILL] * (len(told) - 1) + [0]
    assert {second for _, second in told} == {0}
    for instant in range(1, len(told) + 1):
        lake = ParquetWarehouse(tmp_path / str(instant))
        assert photos(lake) == list(range(8)), f"killed before step {instant}"
        assert verify_chain(chain(lake, SOURCE)) == []


def test_publishers_at_the_same_instant_wait_for_each_other(tmp_path: Path):
    assert run_script("tests.photos.publish_receipts", tmp_path, "racing") == [0] * RACERS
    lake = ParquetWarehouse(tmp_path)
    own = {100 * me + 10 * turn + place for me in range(RACERS) for turn in range(ROUNDS) for place in range(5)}
    assert sorted(photos(lake)) == sorted(own | set(range(1000, 1000 + ROUNDS + 2)))
    assert verify_chain(chain(lake, SOURCE)) == []
