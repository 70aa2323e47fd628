"""Deliveries to Oracle among others: several at once, and any sequence of publishes, deliveries and failures."""

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tables import count_rows
from tests.warehouse.oracle.database import SLOT, Database, batch, peer

from wayside.core.errors import TransientError
from wayside.core.tables import COUNTS
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope


def scope(step: int = 0) -> Scope:
    return Scope("City", SLOT.shift(step), "StubV1")


def counts(step: int, cameras: list[str], **changes: Any) -> list[dict[str, Any]]:
    return count_rows(scope(step), cameras, **changes)


def seen(oracle: Database) -> dict[tuple[str, str], int]:
    """Cars by slot and camera."""
    return {(f"{row['slot']:%H%M}", row["camera"]): row["car"] for row in oracle.rows(COUNTS)}


@pytest.mark.parametrize("direct", [1, 50_000], ids=["direct path", "array binds"])
def test_two_deliveries_of_a_batch_at_once_have_one_result(oracle: Database, tmp_path: Path, direct: int):
    oracle.target().prepare([COUNTS])
    cameras = [f"c{number:03}" for number in range(50)]
    for number in range(4):
        sent = batch(tmp_path, COUNTS, [scope()], counts(0, cameras, car=number), f"batch-{number}")
        told: list[BaseException | None] = []
        barrier = threading.Barrier(3)

        def run(sent=sent, told=told, barrier=barrier) -> None:
            target = oracle.target(direct_path_rows=direct)
            barrier.wait()
            try:
                target.deliver(sent)
                told.append(None)
            except BaseException as error:
                told.append(error)
            target.close()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert told == [None, None, None]
        assert seen(oracle) == {("0800", name): number for name in cameras}
        assert oracle.staged(COUNTS) == 0
    assert len(oracle.delivered()) == 4


def test_different_batches_at_once_both_arrive(oracle: Database, tmp_path: Path):
    oracle.target().prepare([COUNTS])
    sent = [batch(tmp_path, COUNTS, [scope(n)], counts(n, ["a", "b"], car=n), f"batch-{n}") for n in range(4)]
    threads = [threading.Thread(target=oracle.target().deliver, args=(each,)) for each in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen(oracle)) == 8
    assert len(oracle.delivered()) == 4


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("deliver"), st.sampled_from([1, 3, 50_000]), st.just(0)),
        st.tuples(st.just("fail"), st.integers(1, 9), st.booleans()),
    ),
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_after_any_publishes_and_deliveries_the_table_equals_the_lake(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
):
    oracle = peer()
    lake = ParquetWarehouse(tmp_path_factory.mktemp("lake"), outbox=True)
    target = oracle.target()
    target.prepare([COUNTS])
    for place, (what, one, two) in enumerate(steps):
        match what:
            case "publish":
                rows = counts(one, [f"c{number}" for number in range(two)], car=place)
                lake.publish(COUNTS, scope(one), to_arrow(COUNTS, rows))
            case "deliver":
                target.direct_path_rows = one
                deliver(lake.outbox, lake, target, [COUNTS])
            case "fail":
                oracle.connect.at(one, 3113, after=bool(two))
                with contextlib.suppress(TransientError):
                    deliver(lake.outbox, lake, target, [COUNTS])
                oracle.connect.at(0, 0)
    for _ in range(2):
        deliver(lake.outbox, lake, target, [COUNTS])
    published = [row for step in range(3) for row in lake.read(COUNTS, scope(step)).to_pylist()]
    assert oracle.rows(COUNTS) == sorted(published, key=lambda row: [row[name] for name in COUNTS.key])
    assert oracle.staged(COUNTS) == 0
    assert lake.outbox.pending(COUNTS) == 0
    oracle.close()
