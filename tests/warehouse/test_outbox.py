"""The outbox: nothing published is forgotten, a batch is the same for whoever carries it, and closes once."""

import json
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tables import count_rows, frame_rows, whole_scope

from wayside.core.errors import AuditError, TransientError
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, CAMERAS, COUNTS, FRAMES, RUNS, TABLES
from wayside.warehouse import outbox as module
from wayside.warehouse import parquet
from wayside.warehouse.outbox import Batch, deliver
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot(datetime(2026, 5, 1, 8, 0, tzinfo=UTC))
PIPELINE = "StubV1"


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake", outbox=True)


def scope(step: int = 0, source: str = "City") -> Scope:
    return Scope(source, SLOT.shift(step), PIPELINE)


def publish(lake: ParquetWarehouse, step: int = 0, car: int = 1, source: str = "City") -> None:
    where = scope(step, source)
    lake.publish(COUNTS, where, to_arrow(COUNTS, count_rows(where, ["a", "b"], car=car)))


def opened(lake: ParquetWarehouse) -> Batch:
    batch = lake.outbox.open(COUNTS, lake)
    assert batch is not None
    return batch


class Remote:
    """A warehouse that replaces scopes and knows the names that it took."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.taken: list[str] = []
        self.tables: dict[str, dict[Scope, list[dict[str, object]]]] = {}

    def deliver(self, batch: Batch) -> None:
        if self.fails is not None:
            raise self.fails
        if batch.name in self.taken:
            return
        self.taken.append(batch.name)
        held = self.tables.setdefault(batch.table.name, {})
        for where in batch.scopes:
            held[where] = []
        for row in batch.rows().to_pylist():
            held[Scope.of(batch.table, row)].append(row)


def test_what_is_published_waits_until_it_is_delivered(lake: ParquetWarehouse):
    publish(lake)
    publish(lake, 1, car=5)
    assert lake.outbox.pending(COUNTS) == 2
    remote = Remote()
    assert deliver(lake.outbox, lake, remote) == {"counts": 4}
    assert lake.outbox.pending(COUNTS) == 0
    assert {where: [row["car"] for row in rows] for where, rows in remote.tables["counts"].items()} == {
        scope(): [1, 1],
        scope(1): [5, 5],
    }
    assert deliver(lake.outbox, lake, remote) == {}
    assert len(remote.taken) == 1


def test_without_an_outbox_nothing_is_noted(tmp_path: Path):
    lake = ParquetWarehouse(tmp_path)
    publish(lake)
    assert lake.outbox.pending(COUNTS) == 0
    assert lake.outbox.open(COUNTS, lake) is None


def test_whoever_comes_next_finds_the_open_batch_with_the_same_rows(lake: ParquetWarehouse):
    publish(lake)
    first = opened(lake)
    publish(lake, car=9)
    publish(lake, 1)
    again = lake.outbox.open(COUNTS, ParquetWarehouse(lake.root))
    assert again == first
    assert first.rows()["car"].to_pylist() == [1, 1]
    assert first.name.startswith("counts-")
    lake.outbox.close(first)
    lake.outbox.close(first)
    second = opened(lake)
    assert second.name != first.name
    assert {entry.scope for entry in second.entries} == {scope(), scope(1)}
    assert second.rows()["car"].to_pylist() == [9, 9, 1, 1]


def test_rows_that_return_to_what_they_were_are_a_batch_of_their_own(lake: ParquetWarehouse):
    names = []
    for car in (1, 2, 1):
        publish(lake, car=car)
        batch = opened(lake)
        names.append(batch.name)
        lake.outbox.close(batch)
    assert len(set(names)) == 3


def test_a_scope_whose_rows_have_not_come_yet_goes_once_more(lake: ParquetWarehouse):
    publish(lake, car=1)
    lake.outbox.mark(COUNTS, scope(), "promised")
    batch = opened(lake)
    assert batch.rows()["car"].to_pylist() == [1, 1]
    lake.outbox.close(batch)
    assert lake.outbox.pending(COUNTS) == 1
    publish(lake, car=2)
    batch = opened(lake)
    assert batch.rows()["car"].to_pylist() == [2, 2]
    lake.outbox.close(batch)
    assert lake.outbox.pending(COUNTS) == 0


def test_the_mark_of_a_publisher_that_died_is_dropped_after_a_while(
    lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch
):
    lake.outbox.mark(COUNTS, scope(), "promised")
    monkeypatch.setattr(module, "_IN_FLIGHT", -1.0)
    batch = opened(lake)
    assert batch.rows().num_rows == 0
    assert batch.scopes == [scope()]
    lake.outbox.close(batch)
    assert lake.outbox.pending(COUNTS) == 0


def test_rows_that_came_after_the_batch_was_opened_go_however_long_it_takes(
    lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch
):
    publish(lake, car=1)
    lake.outbox.close(opened(lake))
    held: list[Batch] = []
    put = parquet.put

    def opened_just_before(path: Path, data: bytes) -> None:
        held.append(opened(lake))
        put(path, data)

    monkeypatch.setattr(parquet, "put", opened_just_before)
    publish(lake, car=2)
    assert held[0].rows()["car"].to_pylist() == [1, 1]
    monkeypatch.setattr(module, "_IN_FLIGHT", -1.0)  # the target did not answer for hours
    lake.outbox.close(held[0])
    assert opened(lake).rows()["car"].to_pylist() == [2, 2]


def test_a_mark_that_is_renewed_while_a_batch_closes_stays(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    publish(lake, car=1)
    batch = opened(lake)
    loads, threads = json.loads, []

    def looked(text: bytes) -> dict[str, object]:
        found = loads(text)
        if "sha256" in found:
            threads.append(threading.Thread(target=publish, args=(lake,), kwargs={"car": 2}))
            threads[0].start()
            threads[0].join(0.2)
        return dict(found)

    monkeypatch.setattr(json, "loads", looked)
    lake.outbox.close(batch)
    monkeypatch.undo()
    threads[0].join()
    assert opened(lake).rows()["car"].to_pylist() == [2, 2]


def test_rows_that_are_there_already_do_not_go_again(lake: ParquetWarehouse):
    publish(lake)
    assert deliver(lake.outbox, lake, Remote()) == {"counts": 2}
    publish(lake)
    assert lake.outbox.pending(COUNTS) == 0
    publish(lake, 1)
    publish(lake, 1)
    assert lake.outbox.pending(COUNTS) == 1


def test_a_batch_that_somebody_else_closed_can_no_longer_be_read(lake: ParquetWarehouse):
    publish(lake)
    batch = opened(lake)
    lake.outbox.close(batch)
    with pytest.raises(TransientError, match="another process"):
        batch.rows()


def test_a_refused_batch_gets_a_new_attempt_once(lake: ParquetWarehouse):
    publish(lake)
    batch = opened(lake)
    again = lake.outbox.refuse(batch)
    assert (again.name, again.attempt) == (batch.name, 2)
    assert lake.outbox.refuse(batch).attempt == 2
    assert opened(lake).attempt == 2


def test_a_batch_has_a_limit(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_SCOPES", 2)
    for step in range(5):
        publish(lake, step)
    sizes = []
    while (batch := lake.outbox.open(COUNTS, lake)) is not None:
        sizes.append(len(batch.entries))
        lake.outbox.close(batch)
    assert sizes == [2, 2, 1]


def test_a_table_that_fails_stops_no_other_and_keeps_its_batch(lake: ParquetWarehouse):
    publish(lake)
    where = Scope("City", SLOT)
    lake.publish(FRAMES, where, to_arrow(FRAMES, frame_rows(where, ["a", "b"])))

    class Fussy(Remote):
        def deliver(self, batch: Batch) -> None:
            if batch.table is FRAMES:
                raise AuditError("no frames today")
            super().deliver(batch)

    remote = Fussy()
    with pytest.raises(AuditError, match="no frames today"):
        deliver(lake.outbox, lake, remote)
    assert list(remote.tables) == ["counts"]
    assert lake.outbox.pending(FRAMES) == 1
    with pytest.raises(TransientError):
        deliver(lake.outbox, lake, Remote(TransientError("later")))
    assert deliver(lake.outbox, lake, Remote()) == {"frames": 2}


def test_rows_that_were_refused_go_once_they_are_put_right(lake: ParquetWarehouse):
    publish(lake, car=-1)
    publish(lake, 1)

    class Strict(Remote):
        def deliver(self, batch: Batch) -> None:
            if min(batch.rows()["car"].to_pylist()) < 0:
                raise AuditError("a count is below 0")
            super().deliver(batch)

    remote = Strict()
    with pytest.raises(AuditError):
        deliver(lake.outbox, lake, remote)
    assert (lake.outbox.pending(COUNTS), list(lake.outbox.root.glob("counts/batch-*"))) == (2, [])
    publish(lake, car=3)
    assert deliver(lake.outbox, lake, remote) == {"counts": 4}


def test_everything_can_be_sent_again(lake: ParquetWarehouse):
    for step in range(3):
        publish(lake, step)
    deliver(lake.outbox, lake, Remote())
    assert lake.resend(COUNTS) == 3
    assert lake.resend(CAMERAS) == 0
    assert deliver(lake.outbox, lake, Remote()) == {"counts": 6}


def test_bounds_span_scopes_also_those_without_rows(lake: ParquetWarehouse):
    publish(lake, 3)
    lake.outbox.mark(COUNTS, scope(-2), "gone")
    assert opened(lake).bounds == (scope(-2).slot.start, scope(3).slot.start)  # type: ignore[union-attr]
    day = Scope("City", pipeline=PIPELINE, day=date(2026, 5, 1))
    lake.outbox.mark(CAMERA_DAYS, day, "x")
    batch = lake.outbox.open(CAMERA_DAYS, lake)
    assert batch is not None
    assert batch.bounds == (date(2026, 5, 1), date(2026, 5, 1))
    lake.outbox.mark(RUNS, Scope("City", run="r1"), "x")
    assert lake.outbox.open(RUNS, lake).bounds is None  # type: ignore[union-attr]
    lake.outbox.mark(CAMERAS, Scope("City"), "x")
    assert lake.outbox.open(CAMERAS, lake).bounds is None  # type: ignore[union-attr]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("open"), st.just(0), st.just(0)),
        st.tuples(st.just("deliver"), st.just(0), st.just(0)),
        st.tuples(st.just("close"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_in_any_order_of_steps_the_other_warehouse_ends_equal(tmp_path_factory: pytest.TempPathFactory, steps):
    lake = ParquetWarehouse(tmp_path_factory.mktemp("lake"), outbox=True)
    remote, held = Remote(), None
    for what, step, car in steps:
        match what:
            case "publish":
                publish(lake, step, car)
            case "open":
                held = lake.outbox.open(COUNTS, lake)
            case "deliver" if held is not None:
                remote.deliver(held)
            case "close" if held is not None and held.name in remote.taken:
                lake.outbox.close(held)
    for _ in range(3):
        deliver(lake.outbox, lake, remote)
    assert lake.outbox.pending(COUNTS) == 0
    for step in range(4):
        published = lake.read(COUNTS, scope(step)).to_pylist()
        assert remote.tables.get("counts", {}).get(scope(step), []) == published


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_scope_survives_json(table):
    where = whole_scope()
    assert Scope.from_json(where.as_json()) == where
    assert where.slot
    every = {name: getattr(where, name) for name in Scope.__dataclass_fields__}
    named = Scope.of(table, every | {"slot": where.slot.start})
    assert set(named.values(table)) == set(table.scope)
