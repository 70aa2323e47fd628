"""The DAG run from end to end by Airflow itself, without a scheduler: mapping, XComs, links, trigger rules, retries."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.dags.conftest import by_stages, run_dag, states, without_retries
from tests.plugins.conftest import CAMERAS, PIPELINE, SLOT, SOURCE, home

from wayside.core.errors import StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, FRAMES
from wayside.stills.ingest import Ingest
from wayside.stills.plan import Shard
from wayside.warehouse.scope import Scope

__all__ = ["home"]
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db", "home")]
TASKS = {"sources", "plan", "shards", "fetch", "publish_frames", "analyse", "publish_counts", "deliver"}


@pytest.fixture(scope="module")
def dag() -> DAG:
    return without_retries("ingest_cameras")


def run(dag: DAG, slot: Slot, **conf: Any) -> DagRun:
    return run_dag(dag, {"slot": slot.start.isoformat(), **conf})


def tables(slot: Slot) -> dict[str, list[dict[str, Any]]]:
    warehouse = Ingest(Settings()).warehouse
    rows = {
        "frames": warehouse.read(FRAMES, Scope(SOURCE, slot)).to_pylist(),
        "counts": warehouse.read(COUNTS, Scope(SOURCE, slot, PIPELINE)).to_pylist(),
    }
    for row in rows["frames"]:
        # When a missing picture was found missing is news; everything else has to stay.
        if row["status"] != "ok":
            row.pop("fetched_at")
    return rows


def test_a_slot_after_another_and_the_same_again(dag: DAG) -> None:
    by_stages(SLOT)
    second = run(dag, SLOT.next, shard_cameras=2)
    assert states(second) == {
        "sources": "success",
        "plan Archive": "success",
        "shards": "success",
        **{f"{task} Archive {part}/3": "success" for task in ("fetch", "analyse") for part in (1, 2, 3)},
        "publish_frames Archive": "success",
        "publish_counts Archive": "success",
        "deliver": "success",
        "done": "success",
    }
    before = tables(SLOT.next), tables(SLOT)
    assert len(before[0]["frames"]) == len(before[1]["counts"]) == len(CAMERAS)
    again = run(dag, SLOT.next, shard_cameras=3)
    assert again.state == "success"
    assert (tables(SLOT.next), tables(SLOT)) == before
    _what_was_handed_on(second)


def test_slots_that_are_run_backwards_end_with_the_tables_of_the_stages_forward(
    dag: DAG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = [SLOT.shift(step) for step in range(3)]
    counts = {}
    for name in ("forward", "backward"):
        monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path / name))
        if name == "forward":
            by_stages(*slots)
        else:
            assert {run(dag, slot).state for slot in slots[::-1]} == {"success"}
        counts[name] = [tables(slot)["counts"] for slot in slots]
    assert counts["backward"] == counts["forward"]
    assert [len(rows) for rows in counts["backward"]] == [len(CAMERAS), len(CAMERAS), 0]


def test_a_fetch_that_fails_is_not_hidden_by_what_an_earlier_run_left(
    dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(dag, SLOT, shard_cameras=2).state == "success"
    fetch = Ingest.fetch

    async def fails_once(self: Ingest, shard: Shard) -> dict[str, int]:
        if shard.part == 1:
            raise StoreError("the disk is gone")
        return await fetch(self, shard)

    monkeypatch.setattr(Ingest, "fetch", fails_once)
    done = run(dag, SLOT, shard_cameras=2)
    assert done.state == "failed"
    red = {name for name, state in states(done).items() if state != "success"}
    assert red == {"fetch Archive 2/3", "publish_frames Archive", "publish_counts Archive", "done"}


def _what_was_handed_on(done: DagRun) -> None:
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id)).all()
        assert {xcom.task_id for xcom in xcoms} == TASKS
        assert max(len(json.dumps(xcom.value)) for xcom in xcoms) < 2000
        links = [xcom.value for xcom in xcoms if xcom.key.startswith("_link")]
        event = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == done.run_id)).one()
        assert event.extra["slot"] == str(SLOT)
        assert event.extra["source"] == SOURCE
    assert "/plugin/wayside/wayside/shards?source=Archive&slot=20260501T0810Z&part=0&parts=3" in links
    assert "/plugin/wayside/wayside/cameras?source=Archive&slot=20260501T0800Z" in links


def test_a_source_that_fails_stops_no_other(dag: DAG, home: Path) -> None:
    done = run(dag, SLOT, sources=["Gone", SOURCE])
    assert done.state == "failed"
    found = states(done)
    assert {name for name, state in found.items() if state != "success"} == {
        "plan Gone",
        "publish_frames Gone",
        "publish_counts Gone",
        "done",
    }
    assert len(tables(SLOT)["frames"]) == len(CAMERAS)


def test_a_run_with_a_pipeline_that_is_not_listed_stops_at_once(dag: DAG) -> None:
    done = run(dag, SLOT, pipeline="NotListed")
    assert done.state == "failed"
    assert states(done)["sources"] == "failed"
    assert {name for name, state in states(done).items() if state == "success"} == {"deliver"}


def test_what_the_form_refuses(dag: DAG) -> None:
    params = dag.params
    for name, wrong in {"sources": ["../x"], "pipeline": "a b", "shard_cameras": 0}.items():
        with pytest.raises(ParamValidationError):
            params.get_param(name).resolve(wrong)


def test_a_run_ends_before_two_slots_are_over(dag: DAG) -> None:
    assert dag.dagrun_timeout is not None
    assert dag.dagrun_timeout < 2 * timedelta(minutes=10)
    assert isinstance(dag.start_date, datetime)
