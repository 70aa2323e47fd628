"""Every DAG can be read, keeps to the conventions of the project, and costs next to nothing to parse."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, TriggerRule
from airflow.serialization.serialized_objects import DagSerialization
from tests.dags.conftest import DAGS, ROOT

from wayside_airflow.notifiers.notify import Notify
from wayside_airflow.priority import LIVE_FIRST

DAG_IDS = {
    "anonymise_images",
    "backfill_late_images",
    "build_timeseries",
    "count_zones",
    "evaluate_model",
    "expire_images",
    "import_videos",
    "ingest_cameras",
    "recount_zones",
    "reprocess_range",
    "update_sources",
}
LIVE = {"ingest_cameras"}
# What publishes no table has nothing to deliver.
WITHOUT_TABLES = {"evaluate_model"}
HEAVY = ("onnxruntime", "cv2", "pandas", "pyarrow", "duckdb", "google.cloud.bigquery", "google.cloud.storage", "plotly")
NAMES = sorted(DAG_IDS)


def test_the_bag_is_not_empty_and_nothing_failed_to_import(bag: DagBag) -> None:
    assert bag.dags, "no DAG was read at all"
    assert bag.import_errors == {}
    assert set(bag.dags) == DAG_IDS


@pytest.mark.parametrize("dag_id", NAMES)
class TestConventions:
    def test_one_dag_a_file_named_after_it(self, bag: DagBag, dag_id: str) -> None:
        assert Path(bag.dags[dag_id].fileloc).name == f"{dag_id}.py"
        assert {path.stem for path in DAGS.glob("*.py")} == DAG_IDS

    def test_it_says_what_it_is(self, bag: DagBag, dag_id: str) -> None:
        dag = bag.dags[dag_id]
        assert dag.description
        assert dag.tags
        assert dag.doc_md is not None
        assert len(dag.doc_md) > 500
        assert "**When it runs.**" in dag.doc_md

    def test_somebody_is_told_when_it_fails(self, bag: DagBag, dag_id: str) -> None:
        callback = bag.dags[dag_id].on_failure_callback
        assert isinstance(callback, Notify)
        assert callback.what_to_do
        assert callback.urgent == (dag_id in LIVE)
        assert bool(bag.dags[dag_id].deadline) == (dag_id in LIVE)

    def test_a_failure_before_the_delivery_is_a_failed_run(self, bag: DagBag, dag_id: str) -> None:
        dag = bag.dags[dag_id]
        leaves = {task.task_id for task in dag.leaves}
        assert {"deliver", "done"} - ({"deliver"} if dag_id in WITHOUT_TABLES else set()) <= leaves
        done = dag.get_task("done")
        assert done.upstream_task_ids == {task.task_id for task in dag.tasks} - {"deliver", "done"}
        # A stage that has nothing to do is skipped, and must not skip the judgement on the others.
        assert done.trigger_rule == TriggerRule.NONE_FAILED

    def test_it_does_not_pile_up(self, bag: DagBag, dag_id: str) -> None:
        dag = bag.dags[dag_id]
        assert dag.catchup is False
        assert dag.max_active_runs <= 2
        assert dag.dagrun_timeout is not None

    def test_no_run_outlives_what_airflow_keeps_of_it(self, bag: DagBag, dag_id: str) -> None:
        kept = bag.dags["expire_images"].params.get_param("log_days").schema["minimum"]
        assert bag.dags[dag_id].dagrun_timeout < timedelta(days=kept)

    def test_parameters_are_typed_and_described(self, bag: DagBag, dag_id: str) -> None:
        params = bag.dags[dag_id].params
        for name in params:
            param = params.get_param(name)
            assert param.schema.get("type"), name
            assert param.schema.get("title"), name
            assert param.description, name

    def test_tasks_have_an_owner_retries_a_limit_and_a_pool(self, bag: DagBag, dag_id: str) -> None:
        pools = json.loads((ROOT / "include" / "config" / "pools.json").read_text())
        for task in bag.dags[dag_id].tasks:
            assert task.owner == "wayside", task.task_id
            assert task.retries >= 1, task.task_id
            assert task.retry_policy is not None, task.task_id
            # Waiting for a person takes no worker; what it may take has a limit of its own.
            limit = getattr(task, "execution_timeout", None) or timedelta.max
            if task.task_type != "ReviewOperator":
                assert limit < timedelta(minutes=10 if dag_id in LIVE else 480), task.task_id
            assert task.pool in pools, task.task_id
            assert task.weight_rule == LIVE_FIRST, task.task_id

    def test_mapped_tasks_have_names_that_people_know(self, bag: DagBag, dag_id: str) -> None:
        mapped = [task for task in bag.dags[dag_id].tasks if task.is_mapped]
        assert mapped
        assert all(task.map_index_template for task in mapped)

    def test_two_readings_are_written_alike(self, bag: DagBag, dag_id: str) -> None:
        again = DagBag(DAGS).dags[dag_id]
        first, second = written(bag.dags[dag_id]), written(again)
        assert first == second
        assert " object at 0x" not in first


def written(dag: DAG) -> str:
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)


_PARSE = """
import json, sys, time, runpy
import airflow.sdk
from airflow.sdk.definitions.context import Context
seconds = {}
for path in sys.argv[1:]:
    begin = time.process_time()
    runpy.run_path(path)
    seconds[path] = time.process_time() - begin
print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def parsed() -> dict[str, object]:
    """What it takes to read the DAG files in a fresh process, over what importing Airflow takes anyway."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "include"), str(ROOT / "plugins")])}
    files = sorted(str(path) for path in DAGS.glob("*.py"))
    done = subprocess.run([sys.executable, "-c", _PARSE, *files], env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_file_is_read_in_less_than_a_second(parsed: dict[str, dict[str, float]]) -> None:
    assert len(parsed["seconds"]) == len(DAG_IDS)
    assert max(parsed["seconds"].values()) < 1.0


def test_reading_the_dags_loads_nothing_heavy(parsed: dict[str, list[str]]) -> None:
    assert [name for name in HEAVY if name in parsed["modules"]] == []
    # Airflow asks every provider for a rule when it meets an asset with a scheme of its own: that is 2,000 modules.
    assert not [name for name in parsed["modules"] if name.startswith("airflow.providers.google.cloud")]
