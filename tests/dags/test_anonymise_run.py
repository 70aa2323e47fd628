"""Anonymising an inbox, run from end to end by Airflow itself: by form, by schedule's settings, with a review."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.dags.conftest import run_dag, states, without_retries
from tests.photos.inbox import NAMES, RedFinder, files, fill_inbox, job, photo, run

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.photos import batch as batches
from wayside.photos.review import waiting
from wayside_airflow.operators import photos

NOW = datetime(2026, 6, 1, tzinfo=UTC)
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture(scope="module")
def dag() -> DAG:
    return without_retries("anonymise_images")


@pytest.fixture
def root(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inbox, and an installation that allows this folder and no other."""
    monkeypatch.setenv("WAYSIDE_PHOTOS_ROOTS", json.dumps([str(tmp_path)]))
    monkeypatch.setattr(batches, "load_finder", lambda _finding, _settings: RedFinder())
    fill_inbox(tmp_path / "in")
    return tmp_path


def trigger(dag: DAG, root: Path, **conf: Any) -> DagRun:
    return run_dag(dag, {"input": str(root / "in"), "output": str(root / "out"), "dry_run": False} | conf)


def test_a_dry_run_says_what_there_is_to_do_and_does_nothing(dag: DAG, root: Path) -> None:
    done = trigger(dag, root, dry_run=True)
    assert done.state == "success", states(done)
    assert states(done)["anonymise"] == "skipped"
    assert not (root / "out").exists()


def test_the_form_decides_what_is_written_where(dag: DAG, root: Path) -> None:
    done = trigger(
        dag, root, archive=str(root / "arc"), previews="output", records="none", delete_input="yes", source="spring"
    )
    assert done.state == "success", states(done)
    assert set(states(done).values()) == {"success"}
    assert len(files(root / "out")) == 8
    assert set(files(root / "arc")) == set(NAMES)
    assert files(root / "in") == {}
    with create_session() as session:
        xcoms = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id)).all()
        published = {xcom.task_id: xcom.value for xcom in xcoms if xcom.key == "return_value"}
        assert max(len(json.dumps(xcom.value)) for xcom in xcoms) < 2000
    assert published["publish"] == {"done": 4} or json.loads(published["publish"]) == {"done": 4}


def test_pictures_that_fail_leave_a_run_green_unless_all_do(dag: DAG, root: Path) -> None:
    (root / "in" / NAMES[0]).write_bytes(b"no picture")
    assert trigger(dag, root).state == "success"
    for name in NAMES:
        (root / "in" / name).write_bytes(b"no picture")
    done = trigger(dag, root)
    assert done.state == "failed"
    assert states(done)["publish"] == "failed"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"inbox": "/etc"}, "WAYSIDE_PHOTOS_ROOTS"),
        ({"outbox": "/var/elsewhere"}, "WAYSIDE_PHOTOS_ROOTS"),
        ({"outbox": ""}, "output"),
        ({"profile": "unknown"}, "unknown"),
        ({"profile": "../../secret.yaml"}, "include/config/profiles"),
        ({"records": "moon"}, "records"),
        ({"delete_input": "yes"}, "archive"),
    ],
)
def test_what_does_not_hold_is_refused_before_any_work(root: Path, fields: dict[str, str], says: str) -> None:
    places = {"inbox": str(root / "in"), "outbox": str(root / "out"), "dry": "false"}
    run_of = {"run_type": "manual", "dag_id": "x", "run_id": "y", "run_after": NOW, "triggering_user_name": "ada"}
    plan = photos.PlanPhotosOperator(task_id="p", **(places | fields))
    with pytest.raises(ConfigError, match=says):
        plan.execute({"dag_run": SimpleNamespace(**run_of)})
    assert not (root / "out").exists()


def test_links_do_not_lead_out_of_the_roots(root: Path, settings: Settings) -> None:
    (root / "link").symlink_to("/etc")
    one = job(root).model_copy(update={"input": str(root / "link")})
    allowed = settings.model_copy(update={"photos_roots": (str(root),)})
    photos.check_roots(job(root), allowed)
    with pytest.raises(ConfigError, match="WAYSIDE_PHOTOS_ROOTS"):
        photos.check_roots(one, allowed)


class TestReview:
    """Whether a person is asked, and what becomes of the answer."""

    @pytest.fixture
    def held(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        settings = Settings()
        one = job(root, review={"enabled": True, "sample": 1.0})
        assert run(settings, one) == {"held": 4}
        work = batches.Batch(settings, one)
        monkeypatch.setattr(photos, "_planned", lambda _context: work)
        monkeypatch.setattr(photos, "run_name", lambda _context: "run-1")
        return work

    def test_a_person_is_asked_where_pictures_are_held(self, held: Any, dag: DAG, monkeypatch: Any) -> None:
        from airflow.providers.standard.operators import hitl

        asked: dict[str, Any] = {}
        monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.update(fields))
        review = dag.get_task("review")
        with pytest.raises(TaskAwaitingInput):
            review.execute({"task_instance": SimpleNamespace(id="1")})
        assert "4 pictures wait; 4 of them" in asked["body"]
        assert "/wayside/photos/review/run-1" in asked["body"]
        assert set(asked["params"]) == {"reject"}

    def test_nobody_is_asked_where_none_is(self, held: Any, dag: DAG) -> None:
        held.release(waiting(held.journal.notes(), "run-1"), reviewer="ada")
        assert dag.get_task("review").execute({}) is None

    @pytest.mark.parametrize(
        ("chosen", "reject", "states_of"),
        [
            (photos.PUBLISH, "", {"done": 4}),
            (photos.PUBLISH, f"{NAMES[3]}\n", {"done": 3, "failed": 1}),
            (photos.DISCARD, "", None),
        ],
    )
    def test_the_verdict_is_carried_out(
        self, held: Any, dag: DAG, root: Path, chosen: str, reject: str, states_of: dict[str, int] | None
    ) -> None:
        event = {
            "chosen_options": [chosen],
            "params_input": {"reject": reject},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": "1", "name": "ada"},
        }
        verdict = dag.get_task("review").execute_complete({}, event)
        publish = photos.PublishPhotosOperator(task_id="p", verdict=verdict)
        if states_of is None:
            with pytest.raises(photos.AuditError, match="every picture failed"):
                publish.execute({})
            assert not (root / "out").exists()
        else:
            assert publish.execute({}) == states_of
            assert (NAMES[3] in files(root / "out")) == (states_of == {"done": 4})

    def test_a_name_that_is_none_is_refused(self, held: Any) -> None:
        answered_at = datetime.now(UTC).isoformat()
        verdict = {"publish": True, "reject": ["other.jpg"], "reviewer": "ada", "answered_at": answered_at}
        with pytest.raises(ConfigError, match=r"other\.jpg"):
            photos.PublishPhotosOperator(task_id="p", verdict=verdict).execute({})

    def test_what_was_held_after_the_answer_is_not_released(self, held: Any, root: Path) -> None:
        """Somebody clears a task that anonymises, and then `publish`, and not `review`."""
        answered_at = datetime.now(UTC).isoformat()
        fill_inbox(root / "in", {"late.jpg": photo(7)})
        assert run(Settings(), held.job) == {"held": 5}
        verdict = {"publish": True, "reject": [], "reviewer": "ada", "answered_at": answered_at}
        publish = photos.PublishPhotosOperator(task_id="p", verdict=verdict)
        with pytest.raises(photos.AuditError, match="1 pictures were anonymised after ada had answered"):
            publish.execute({})
        assert set(NAMES) < set(files(root / "out"))
        assert "late.jpg" not in files(root / "out")
        assert [note.photo for note in waiting(held.journal.notes(), "run-1")] == ["late.jpg"]

    def test_who_does_not_answer_is_not_asked_again_by_itself(self, held: Any, dag: DAG) -> None:
        event = {"error": "The timeout has passed, and the response is not yet received.", "error_type": "timeout"}
        with pytest.raises(ConfigError, match="wayside review run-1"):
            dag.get_task("review").execute_complete({}, event)
        assert len(waiting(held.journal.notes(), "run-1")) == 4


def test_a_scheduled_run_without_an_inbox_does_nothing(dag: DAG, state: Path) -> None:
    context = {"dag_run": SimpleNamespace(run_type="scheduled", dag_id="x", run_id="y")}
    assert photos.PlanPhotosOperator(task_id="p").execute(context) == []
