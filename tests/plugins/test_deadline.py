"""Runs that are late or failed, from the DAG file to the message, through the code that Airflow runs for them."""

import asyncio
import json
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.models import Deadline
from airflow.models.callback import Callback
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.trigger import Trigger
from airflow.sdk._shared.module_loading import import_string
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import CallbackState, DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select
from tests.peers.mail import webhook

from wayside_airflow.notifiers.notify import deadline

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]
DAG_ID = "late_slots"
FILE = f"""
    from datetime import datetime, timezone
    from airflow.sdk import DAG, CronDataIntervalTimetable, Param
    from airflow.providers.standard.operators.empty import EmptyOperator
    from wayside_airflow.notifiers.notify import deadline, on_failure

    with DAG(
        "{DAG_ID}",
        schedule=CronDataIntervalTimetable("*/10 * * * *", timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        params={{"sources": Param([], type=["array", "null"]), "slot": Param(None, type=["string", "null"])}},
        on_failure_callback=on_failure(urgent=True, what_to_do="look at once"),
        deadline=deadline(minutes=8),
    ):
        EmptyOperator(task_id="only")
"""
BEGIN = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / f"{DAG_ID}.py").write_text(textwrap.dedent(FILE))
    return tmp_path


def written(folder: Path) -> str:
    return json.dumps(DagSerialization.to_dict(DagBag(folder).dags[DAG_ID]), sort_keys=True)


@pytest.fixture
def known(folder: Path) -> Iterator[SerializedDAG]:
    """The DAG as the scheduler has it, once the DAG processor has read the file."""
    lazy = LazyDeserializedDAG.from_dag(DagBag(folder).dags[DAG_ID])
    with create_session() as session:
        session.merge(DagBundleModel(name="late"))
        session.flush()
        SerializedDAG.bulk_write_to_db("late", None, [lazy], session=session)
        SerializedDagModel.write_dag(lazy, bundle_name="late", session=session)
    with create_session() as session:
        found = SerializedDagModel.get(DAG_ID, session=session)
        assert found is not None
        dag = found.dag
    yield dag
    with create_session() as session:
        for model in (Deadline, Callback, Trigger):
            session.execute(delete(model))
        session.execute(delete(DagRun).where(DagRun.dag_id == DAG_ID))


def make_run(dag: SerializedDAG, kind: DagRunType) -> str:
    """Make a run as the scheduler does."""
    with create_session() as session:
        run = dag.create_dagrun(
            run_id=kind.generate_run_id(suffix=BEGIN.isoformat()),
            logical_date=BEGIN,
            data_interval=(BEGIN, END),
            run_after=END,
            run_type=kind,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.RUNNING,
            session=session,
        )
        return str(run.run_id)


def look() -> int:
    """Do what the scheduler does about deadlines in each of its rounds; return how many were missed."""
    with create_session() as session:
        late = session.scalars(select(Deadline).where(Deadline.deadline_time < datetime.now(UTC), ~Deadline.missed))
        return len([one.handle_miss(session) for one in late.all()])


def triggerer() -> list[str]:
    """Run every trigger as the triggerer does, from its row in the database, and hand its events back."""
    states = []
    with create_session() as session:
        for row in session.scalars(select(Trigger)).all():
            trigger = import_string(row.classpath)(**row.kwargs)
            for event in asyncio.run(_events(trigger)):
                states.append(str(event.payload["state"]))
                Trigger.submit_event(row.id, event, session=session)
    return states


async def _events(trigger: Any) -> list[Any]:
    return [event async for event in trigger.run()]


def test_two_readings_are_written_alike(folder: Path) -> None:
    first = written(folder)
    assert first == written(folder)
    assert " object at 0x" not in first
    assert "wayside_airflow.notifiers.notify.Notify" in first
    assert deadline() == deadline(minutes=8) != deadline(minutes=9)


def test_a_late_slot_is_told(known: SerializedDAG, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(known, DagRunType.SCHEDULED)
    with create_session() as session:
        assert [one.deadline_time for one in session.scalars(select(Deadline))] == [END + timedelta(minutes=8)]
    with webhook() as hook:
        fields = {"conn_type": "http", "host": hook.url}
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps(fields))
        assert look() == 1
        assert triggerer() == ["running", "success"]
        assert look() == 0
    (post,) = hook.posts
    assert post["subject"] == f"[Wayside] URGENT: {DAG_ID}, slot 2026-05-01 08:10 UTC is late"
    assert "did not end by 2026-05-01 08:18 UTC, so that slot 2026-05-01 08:00 UTC is not analysed" in post["text"]
    assert post["slot"] == "20260501T0810Z"
    assert post["run_id"] == run_id
    assert post["urgent"] is True
    with create_session() as session:
        assert [one.state for one in session.scalars(select(Callback))] == [CallbackState.SUCCESS]


@pytest.mark.parametrize("kind", [DagRunType.BACKFILL_JOB, DagRunType.MANUAL])
def test_runs_that_may_take_their_time_have_no_deadline(known: SerializedDAG, kind: DagRunType) -> None:
    make_run(known, kind)
    assert look() == 0


def test_a_failed_run_is_told(known: SerializedDAG, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(known, DagRunType.SCHEDULED)
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == run_id, DagRun.dag_id == DAG_ID)).one()
        (task,) = run.get_task_instances(session=session)
        made = run.produce_dag_callback(known, success=False, relevant_ti=task, reason="task_failure")
        assert made is not None
        request = DagCallbackRequest.from_json(made.to_json())
    with webhook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps({"conn_type": "http", "host": hook.url}))
        _execute_dag_callbacks(DagBag(folder), request, structlog.get_logger())
    (post,) = hook.posts
    assert post["subject"] == f"[Wayside] URGENT: {DAG_ID}, slot 2026-05-01 08:10 UTC failed"
    assert post["task"] == "only"
    assert "What to do: look at once" in post["text"]


def test_a_failed_run_is_not_told_twice(known: SerializedDAG, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(known, DagRunType.SCHEDULED)
    with create_session() as session:
        session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID)).one().state = DagRunState.FAILED
    with webhook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps({"conn_type": "http", "host": hook.url}))
        assert look() == 1
        assert triggerer() == ["running", "success"]
    assert hook.posts == []
