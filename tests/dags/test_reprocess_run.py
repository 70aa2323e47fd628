"""Reprocessing a range run from end to end by Airflow itself: the dry run first, then the work, then once more."""

import json
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.dags.conftest import ingest_three_slots, run_dag, states, without_retries
from tests.plugins.conftest import CAMERAS, SLOT, SOURCE, home

from wayside.core.tables import COUNTS, RUNS
from wayside.stills import reprocess
from wayside.stills.ingest import Ingest
from wayside.warehouse.scope import Scope

__all__ = ["home"]
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db", "home")]
DAY = SLOT.start.date().isoformat()
OTHER = "FaultyImageFilterV0_OtherStaticV0"


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    return {name: without_retries(name) for name in ("reprocess_range",)}


@pytest.fixture
def work(home: Any) -> Ingest:
    """Three slots of pictures, of which two are analysed, and a second pipeline that has analysed none."""
    path = home / "include" / "config" / "pipelines.yaml"
    text = path.read_text().replace("pipelines:\n", f"pipelines:\n  {OTHER}:\n    description: for a test\n", 1)
    path.write_text(text.replace("stages:\n", "stages:\n  OtherStaticV0:\n    kind: static_v0\n", 1))
    return ingest_three_slots()


def run(dags: dict[str, DAG], **conf: Any) -> DagRun:
    return run_dag(dags["reprocess_range"], {"start": DAY, "pipeline": OTHER, "dry_run": False, **conf})


def rows(work: Ingest) -> list[dict[str, Any]]:
    scopes = work.warehouse.scopes(RUNS, [SOURCE])
    found = [row for scope in scopes for row in work.warehouse.read(RUNS, scope).to_pylist()]
    return sorted(found, key=lambda row: row["started_at"])


def counted(work: Ingest) -> list[list[str]]:
    return [
        work.warehouse.read(COUNTS, Scope(SOURCE, SLOT.shift(step), OTHER))["camera"].to_pylist() for step in range(3)
    ]


def test_a_dry_run_says_how_much_it_is_and_does_nothing(dags: dict[str, DAG], work: Ingest) -> None:
    done = run_dag(dags["reprocess_range"], {"start": DAY, "pipeline": OTHER, "why": "to see"})
    assert done.state == "success", states(done)
    assert states(done)["reprocess"] == "skipped"
    assert counted(work) == [[], [], []]
    (row,) = rows(work)
    assert (row["state"], row["why"], row["pipeline"]) == ("planned", "to see", OTHER)
    assert "14 pictures to analyse in 3 slots" in row["note"]
    assert "CPU" in row["note"]


def test_what_is_missing_is_analysed_and_a_second_run_finds_nothing(dags: dict[str, DAG], work: Ingest) -> None:
    done = run(dags)
    assert set(states(done).values()) == {"success"}
    assert counted(work) == [sorted(CAMERAS)] * 3
    (row,) = rows(work)
    assert {"state": "done", "slots": 3, "slots_done": 3, "images": 14}.items() <= row.items()
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id)).all()
        assert max(len(json.dumps(xcom.value)) for xcom in xcoms) < 2000
    assert run(dags).state == "success"
    assert "nothing to do" in rows(work)[-1]["note"]
    assert rows(work)[-1]["state"] == "done"


def test_chosen_cameras_alone(dags: dict[str, DAG], work: Ingest) -> None:
    assert run(dags, cameras=["north", "west"], mode="all").state == "success"
    assert counted(work)[0] == ["north", "west"]
    assert rows(work)[0]["cameras"] == "north,west"


def test_a_failure_is_in_the_book_and_the_run_is_red(
    dags: dict[str, DAG], work: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wayside.core.errors import StoreError

    def broken(*_: Any, **__: Any) -> dict[str, Any]:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(reprocess, "run_shard", broken)
        done = run(dags)
    assert done.state == "failed"
    assert rows(work)[0]["state"] == "failed"
    assert states(done)["deliver"] == "success"


@pytest.mark.parametrize("conf", [{"pipeline": "NotListed"}, {"sources": ["Nowhere"]}, {"end": "2026-04-01"}])
def test_what_does_not_hold_is_refused_before_any_work(dags: dict[str, DAG], conf: dict[str, Any]) -> None:
    done = run(dags, **conf)
    assert done.state == "failed"
    assert states(done)["plan"] == "failed"


def test_the_form_wants_a_first_day_and_a_mode_that_is_one(dags: dict[str, DAG]) -> None:
    params = dags["reprocess_range"].params
    for name, wrong in (("start", None), ("start", "soon"), ("mode", "some"), ("cameras", ["../x"])):
        with pytest.raises(ParamValidationError):
            params.get_param(name).resolve(wrong)
