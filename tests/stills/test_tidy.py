"""Tidying up: the old goes, and nothing that somebody still needs."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.tables import count_rows

from wayside.core.errors import ConfigError
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS
from wayside.stills.runs import RunBook, RunInfo
from wayside.stills.tidy import Removed, prune_lasting, prune_logs, prune_outbox, prune_staging
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

NOW = datetime.now(UTC)  # ages count from when files are written, which is now
SLOT = Slot.parse("20260501T0800Z")
SCOPE = Scope("City", SLOT, "StubV1")


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake", outbox=True)


def aged(path: Path, days: float) -> Path:
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def stage(lake: ParquetWarehouse, plan: str, part: int, days: float) -> Path:
    return aged(lake.stage(COUNTS, SCOPE, plan, part, count_rows(SCOPE, ["a"])), days)


def plan(lake: ParquetWarehouse, name: str, days: float) -> Path:
    lake.save_plan(name, [])
    return aged(lake.root / "staging" / "plans" / f"{name}.json", days)


def publish(lake: ParquetWarehouse, car: int = 1) -> Path:
    lake.publish(COUNTS, SCOPE, to_arrow(COUNTS, count_rows(SCOPE, ["a"], car=car)))
    return lake.layout.path(COUNTS, SCOPE)


def test_old_parts_and_plans_go(lake: ParquetWarehouse):
    old = [stage(lake, "old", 0, 3), stage(lake, "old", 1, 9), plan(lake, "City-20260501T0800Z-abc", 3)]
    half = old[0].with_name(".new-0123")
    half.write_bytes(b"x")
    aged(half, 3)
    new = [stage(lake, "new", 0, 1), plan(lake, "City-20260502T0800Z-abc", 1)]
    latest = [plan(lake, "City-latest", 99), plan(lake, "City.compared-latest", 99)]
    size = sum(path.stat().st_size for path in old) + 1
    assert prune_staging(lake, NOW) == Removed(4, size)
    assert not any(path.exists() for path in (*old, half, old[0].parent))
    assert all(path.exists() for path in (*new, *latest))
    assert prune_staging(lake, NOW) == Removed()
    assert lake.staged(COUNTS, SCOPE, "new", 1).num_rows == 1


def test_parts_of_a_plan_that_is_at_work_stay(lake: ParquetWarehouse):
    parts = [stage(lake, "plan", 0, 9), stage(lake, "plan", 1, 1)]
    assert prune_staging(lake, NOW) == Removed()
    assert all(path.exists() for path in parts)


def test_there_may_be_nothing_at_all(lake: ParquetWarehouse, tmp_path: Path):
    assert prune_staging(lake, NOW) + prune_lasting(lake, NOW) + prune_outbox(lake, NOW) == Removed()
    assert prune_logs(tmp_path / "none", NOW, 5) == Removed()


@pytest.mark.parametrize(
    ("state", "ago", "stays"), [("running", 5, True), ("failed", 5, True), ("running", 40, False), ("done", 5, False)]
)
def test_documents_of_runs_that_are_not_finished_stay(lake: ParquetWarehouse, state: str, ago: int, stays: bool):
    book = RunBook(lake, lambda: NOW - timedelta(days=ago), "City", "r1")
    info = RunInfo(run="r1", kind="k", first=SLOT.start, last=SLOT.start, mode="all", who="me")
    book.open(info, 1, ["p1"])
    book.keep("p1", {"images": 3})
    if state != "running":
        book.close("a note", state)
    documents = [aged(path, ago) for path in (lake.root / "staging" / "plans").iterdir()]
    assert len(documents) == 2
    prune_staging(lake, NOW)
    assert [path.exists() for path in documents] == [stays, stays]


@pytest.mark.parametrize(
    "name", ["tasks-r1", "reprocess-r1", "reprocessed-ab12-City-20260501", "late-City-20260501-ab12", "expiry-r1.City"]
)
def test_what_a_run_of_days_is_to_do_and_has_done_stays_while_it_may_be_taken_up(lake: ParquetWarehouse, name: str):
    young, old = plan(lake, name, 20), plan(lake, f"{name}x", 31)
    half = young.with_name(".new-0123")
    half.write_bytes(b"x")
    aged(half, 3)
    prune_staging(lake, NOW)
    assert [young.exists(), old.exists(), half.exists()] == [True, False, False]


@pytest.mark.parametrize(("state", "stays"), [("running", True), ("done", False)])
def test_the_plan_of_a_run_that_is_at_work_for_months_stays(lake: ParquetWarehouse, state: str, stays: bool):
    book = RunBook(lake, lambda: NOW, "City", "r1")
    book.open(RunInfo(run="r1", kind="k", first=SLOT.start, last=SLOT.start, mode="all", who="me"), 1, ["p1"])
    if state == "done":
        book.close("a note")
    documents = [plan(lake, "tasks-r1", 40), plan(lake, "reprocess-r1", 40), plan(lake, "tasks-r11", 40)]
    prune_staging(lake, NOW)
    assert [path.exists() for path in documents] == [stays, stays, False]


def test_lasting_names_go_after_an_hour(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    path = publish(lake)
    publish(lake, 2)
    half = path.with_name(".new-0123")
    half.write_bytes(b"half")
    assert prune_lasting(lake, NOW) == Removed()
    aged(half, 2)
    monkeypatch.setattr("wayside.warehouse.layout.READERS_MAY_TAKE", -1.0)
    assert prune_lasting(lake, NOW).files == 2
    assert sorted(name.name for name in path.parent.iterdir()) == [f".0800-{path.stat().st_ino}", "0800.parquet"]
    lake.compact(SLOT.start.date() + timedelta(days=1))
    prune_lasting(lake, NOW)
    assert not path.parent.exists()
    assert lake.read(COUNTS, SCOPE)["car"].to_pylist() == [2]


def test_the_folder_of_a_compacted_day_goes_in_time(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    path = publish(lake)
    lake.compact(SLOT.start.date() + timedelta(days=1))
    assert path.parent.exists(), "readers may still need its files"
    monkeypatch.setattr("wayside.warehouse.layout.READERS_MAY_TAKE", -1.0)
    assert prune_lasting(lake, NOW).files == 1
    assert not path.parent.exists()
    assert lake.slots(COUNTS, "City") == [SLOT]


def test_the_outbox_keeps_marks_and_the_open_batch(lake: ParquetWarehouse):
    publish(lake)
    batch = lake.outbox.open(COUNTS, lake)
    assert batch is not None
    for path in lake.outbox.root.rglob("*"):
        aged(path, 9)
    left = aged(Path(copied(batch.path, batch.path.with_name("batch-99999999.parquet"))), 9)
    half = batch.path.with_name(".new-0123")
    half.write_bytes(b"half")
    aged(half, 9)
    young = batch.path.with_name("batch-88888888.parquet")
    young.write_bytes(b"x")
    assert prune_outbox(lake, NOW) == Removed(2, batch.path.stat().st_size + 4)
    assert not left.exists()
    assert young.exists()
    assert lake.outbox.open(COUNTS, lake) == batch
    assert batch.rows().num_rows == 1
    assert lake.outbox.pending(COUNTS) == 1


def copied(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target


def test_old_logs_go_and_nothing_else(tmp_path: Path):
    root = tmp_path / "logs"
    outside = tmp_path / "mine.log"

    def made(name: str, days: float) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        return aged(path, days)

    outside.write_bytes(b"mine")
    aged(outside, 99)
    old = [made("dag_id=a/run_id=1/attempt=1.log", 31), made("dag_id=a/run_id=1/attempt=1.log.trigger.7.log", 40)]
    stays = [made("dag_id=a/run_id=2/attempt=1.log", 29), made("notes.txt", 99)]
    (root / "linked.log").symlink_to(outside)
    (root / "elsewhere").symlink_to(tmp_path)
    assert prune_logs(root, NOW, 30) == Removed(2, 10)
    assert not any(path.exists() for path in (*old, old[0].parent))
    assert all(path.exists() for path in (*stays, outside, root))
    assert prune_logs(root, NOW, 30) == Removed()


@pytest.mark.parametrize("days", [0, -1])
def test_logs_are_kept_for_a_day_at_least(tmp_path: Path, days: int):
    with pytest.raises(ConfigError, match="one day at least"):
        prune_logs(tmp_path, NOW, days)


@pytest.mark.parametrize("prune", [prune_staging, prune_lasting, prune_outbox])
def test_what_is_published_stays(lake: ParquetWarehouse, prune: Callable[[ParquetWarehouse, datetime], Removed]):
    path = publish(lake)
    for file in lake.root.rglob("*"):
        aged(file, 99)
    assert prune(lake, NOW) == Removed()
    assert path.exists()
    assert lake.read(COUNTS, SCOPE).num_rows == 1


def test_removed_adds_up():
    assert str(Removed(1, 1_500_000) + Removed(2, 500_000)) == "3 files, 2.0 MB"
