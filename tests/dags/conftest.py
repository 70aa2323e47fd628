"""The DAGs as Airflow reads them, and a metadata database for those tests that run one."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dag_version import DagVersion
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from jsonschema import Draft202012Validator
from tests.plugins.conftest import PIPELINE, SLOT, SOURCE

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"


@pytest.fixture(scope="session")
def bag() -> DagBag:
    return DagBag(DAGS)


@pytest.fixture(scope="session", autouse=True)
def _schemas_are_checked_once() -> Iterator[None]:
    """Airflow checks the schema of a parameter each time it looks at its value, some hundred times in a run."""
    check, known = Draft202012Validator.check_schema, set[str]()

    def once(schema: Any, *args: Any, **options: Any) -> None:
        text = json.dumps(schema, sort_keys=True)
        if text not in known:
            check(schema, *args, **options)
            known.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", once)
        yield


def without_retries(name: str) -> DAG:
    """A DAG as it is, but nobody waits for what may pass by itself. `dag.test` knows no deadlines."""
    dag = DagBag(DAGS / f"{name}.py").dags[name]
    dag.deadline = None
    for task in dag.tasks:
        if task.is_mapped:
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
    return dag


def run_dag(dag: DAG, conf: dict[str, Any]) -> DagRun:
    """Run a DAG with `dag.test`, which writes what a run is told into the DAG: it is as before afterwards.

    It also lays down the files of all DAGs in the database, each time anew: here the first run of a process does. And
    it waits for a second when nothing is left to do but to skip.
    """
    sleep = time.sleep
    params = [owner.params.get_param(name) for owner in (dag, *dag.tasks) for name in owner.params]
    before = [param.value for param in params]

    def nap(seconds: float) -> None:
        sleep(0.01 if sys._getframe(1).f_globals["__name__"] == DAG.__module__ else seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", nap)
        if DagVersion.get_version(dag.dag_id):
            patch.setattr("airflow.dag_processing.dagbag.BundleDagBag", lambda **_: None)
            patch.setattr("airflow.dag_processing.dagbag.sync_bag_to_db", lambda *_: None)
        try:
            return dag.test(run_conf=conf)
        finally:
            for param, value in zip(params, before, strict=True):
                param.value = value


def by_stages(*slots: Slot) -> Ingest:
    """Run slots of the small product by the stages alone: quicker than Airflow."""
    work = Ingest(Settings())
    pipeline = StillPipeline.load(PIPELINE, work.pipelines, work.settings)
    for slot in slots:
        asyncio.run(work.run_slot(SOURCE, slot, pipeline))
    return work


def ingest_three_slots() -> Ingest:
    """Fetch three slots of the small product, and analyse the first two, by the stages alone."""
    return by_stages(*(SLOT.shift(step) for step in range(3)))


def states(done: DagRun) -> dict[str, str]:
    return {f"{ti.task_id} {ti.rendered_map_index or ''}".strip(): str(ti.state) for ti in done.get_task_instances()}
