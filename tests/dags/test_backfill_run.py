"""The nightly back-fill run from end to end by Airflow itself, without a scheduler."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.dags.conftest import ingest_three_slots, run_dag, states, without_retries
from tests.peers.pictures import jpeg
from tests.plugins.conftest import CAMERAS, PIPELINE, SLOT, SOURCE, home

from wayside.core.settings import Settings
from wayside.core.tables import CAMERA_DAYS, COUNTS, FRAMES, RUNS
from wayside.stills.ingest import Ingest
from wayside.warehouse.scope import Scope

__all__ = ["home"]
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db", "home")]
DAY = SLOT.start.date()


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    return {name: without_retries(name) for name in ("backfill_late_images",)}


@pytest.fixture
def live(home: Path) -> Path:
    """Three slots that were run when they were due, of which one camera lacks the picture of the second."""
    ingest_three_slots()
    return home


def back_fill(dags: dict[str, DAG], **conf: Any) -> DagRun:
    return run_dag(dags["backfill_late_images"], {"start": DAY.isoformat(), **conf})


def test_a_picture_that_came_late_is_counted_and_a_second_run_finds_nothing_to_do(
    dags: dict[str, DAG], live: Path
) -> None:
    work, slot = Ingest(Settings()), SLOT.next
    row = next(row for row in work.warehouse.read(FRAMES, Scope(SOURCE, slot)).to_pylist() if row["camera"] == "west")
    assert row["status"] == "missing"
    (live / "archive" / slot.day / slot.hhmm / "west.jpg").write_bytes(jpeg(160, 128, seed=77))

    done = back_fill(dags, why="the cable was out")
    assert states(done) == {
        "plan": "success",
        f"fetch_late {SOURCE} {DAY}": "success",
        "summarise": "success",
        "deliver": "success",
        "done": "success",
    }
    rows = {row["camera"]: row for row in work.warehouse.read(FRAMES, Scope(SOURCE, slot)).to_pylist()}
    assert rows["west"]["status"] == "ok"
    counts = {row["camera"]: row for row in work.warehouse.read(COUNTS, Scope(SOURCE, slot, PIPELINE)).to_pylist()}
    assert set(counts) == set(CAMERAS)
    assert not counts["west"]["missing"]
    (name,) = [path.stem.removeprefix("run=") for path in (work.warehouse.root / "published/runs").rglob("run=*")]
    (run,) = work.warehouse.read(RUNS, Scope(SOURCE, run=name)).to_pylist()
    assert {"state": "done", "why": "the cable was out", "kind": "backfill_late_images"}.items() <= run.items()
    assert run["fetched"] == 1
    assert run["images"] >= 3
    days = work.warehouse.read(CAMERA_DAYS, Scope(SOURCE, pipeline=PIPELINE, day=DAY)).to_pylist()
    assert {row["camera"] for row in days} == set(CAMERAS)
    _small(done)

    before = tables()
    assert back_fill(dags).state == "success", "a second run finds nothing to do"
    assert tables() == before


def test_a_shard_that_fails_is_told_and_can_be_run_again(
    dags: dict[str, DAG], live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wayside.core.errors import StoreError
    from wayside.stills import late

    def broken(*_: Any, **__: Any) -> dict[str, Any]:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(late, "run_shard", broken)
        done = back_fill(dags)
    assert done.state == "failed"
    assert {name for name, state in states(done).items() if state == "success"} == {"plan", "deliver"}
    runs = list((Ingest(Settings()).warehouse.root / "published/runs").rglob("run=*.parquet"))
    assert len(runs) == 1


@pytest.mark.parametrize(
    "conf", [{"start": (DAY + timedelta(days=9999)).isoformat()}, {"pipeline": "NotListed"}, {"sources": ["Nowhere"]}]
)
def test_what_does_not_hold_is_refused_before_any_work(dags: dict[str, DAG], conf: dict[str, Any]) -> None:
    done = back_fill(dags, **conf)
    assert done.state == "failed"
    assert states(done) == {
        "plan": "failed",
        "fetch_late": "upstream_failed",
        "summarise": "failed",
        "deliver": "success",
        "done": "upstream_failed",
    }


def test_a_source_that_cannot_be_planned_is_left_out_unless_it_was_named(
    dags: dict[str, DAG], live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wayside.core.errors import SourceError
    from wayside.stills import late

    plan, sources = late.plan, live / "include" / "config" / "sources.yaml"
    sources.write_text(sources.read_text().replace("enabled: false", "enabled: true"))

    def planned(work: Ingest, source: str, *rest: Any, **more: Any) -> list[dict[str, Any]]:
        if source == "Gone":
            raise SourceError("it does not answer")
        return plan(work, source, *rest, **more)

    monkeypatch.setattr(late, "plan", planned)
    assert back_fill(dags, sources=[], pipeline=None).state == "success"
    done = back_fill(dags, sources=["Gone", SOURCE], pipeline=None)
    assert (done.state, states(done)["plan"]) == ("failed", "failed")


def test_the_form_refuses_a_mode_that_is_none(dags: dict[str, DAG]) -> None:
    with pytest.raises(ParamValidationError):
        dags["backfill_late_images"].params.get_param("analyse").resolve("everything")


def tables() -> dict[str, Any]:
    lake = Ingest(Settings()).warehouse
    scopes = [Scope(SOURCE, SLOT.shift(step), PIPELINE) for step in range(3)]
    return {
        "counts": [lake.read(COUNTS, scope).to_pylist() for scope in scopes],
        "frames": [
            [row for row in lake.read(FRAMES, Scope(SOURCE, scope.slot)).to_pylist() if row["status"] == "ok"]
            for scope in scopes
        ],
    }


def _small(done: DagRun) -> None:
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id)).all()
        assert max(len(json.dumps(xcom.value)) for xcom in xcoms) < 2000
