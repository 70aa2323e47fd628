"""What people are told of runs over road photos: that one stopped, that pictures failed, that one is at its end."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.peers.mail import webhook
from tests.photos.inbox import batch, fill_inbox, job, photo

from wayside.core.settings import Settings
from wayside_airflow.notifiers.photos import PhotosStopped
from wayside_airflow.operators.photos import PublishPhotosOperator
from wayside_airflow.ranges import run_name

CONTEXT: dict[str, Any] = {
    "dag_run": SimpleNamespace(
        dag_id="anonymise_images",
        run_id="manual__1",
        run_type="manual",
        state="failed",
        conf={},
        run_after=datetime(2026, 6, 1, tzinfo=UTC),
    ),
    "run_id": "manual__1",
    "params": {},
    "reason": "task_failure",
}


@pytest.mark.parametrize(("planned", "crash", "told"), [(True, True, True), (True, False, False), (False, False, True)])
def test_a_run_that_stopped_is_told_unless_its_profile_says_not_to(
    planned: bool, crash: bool, told: bool, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_inbox(tmp_path / "in", {"a.jpg": photo()})
    if planned:
        one = job(tmp_path, run_name(CONTEXT), tell={"crash": crash})  # type: ignore[arg-type]
        batch(Settings(), one).plan()  # type: ignore[call-arg]
    with webhook() as hook:
        fields = {"conn_type": "http", "host": hook.url, "password": ""}
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps(fields))
        PhotosStopped(what_to_do="clear the first red task")(dict(CONTEXT))
    assert ["clear the first red task" in post["text"] for post in hook.posts] == [True] * told


def test_a_crash_of_which_only_names_are_known_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps({"conn_type": "http", "host": hook.url}))
        PhotosStopped(what_to_do="look")({"dag_run": {"dag_id": "anonymise_images"}, "run_id": "manual__1"})
    assert len(hook.posts) == 1


@pytest.mark.parametrize(
    ("tell", "pictures", "says"),
    [
        ({}, {"a.jpg": photo(), "b.jpg": b"none"}, None),
        ({"errors": True}, {"a.jpg": photo(), "b.jpg": b"none"}, "pictures failed: 1 done, 1 failed"),
        ({"errors": True}, {"a.jpg": photo()}, None),
        ({"finish": True}, {"a.jpg": photo()}, "inbox is finished: 1 done"),
        ({"errors": True, "finish": True}, {"a.jpg": photo(), "b.jpg": b"none"}, "pictures failed: 1 done, 1 failed"),
        ({"errors": True, "finish": True}, {}, None),
    ],
)
def test_failures_and_the_end_are_told_once_a_run_where_the_profile_asks_for_it(
    tell: dict[str, bool],
    pictures: dict[str, bytes],
    says: str | None,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "in").mkdir()
    fill_inbox(tmp_path / "in", pictures)
    work = batch(Settings(), job(tmp_path, run_name(CONTEXT), tell=tell))  # type: ignore[arg-type,call-arg]
    for shard in work.plan().shards:
        list(work.do(shard))
    with webhook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps({"conn_type": "http", "host": hook.url}))
        PublishPhotosOperator(task_id="publish").execute(dict(CONTEXT))  # type: ignore[arg-type]
    assert [says in post["text"] for post in hook.posts] == ([True] if says else []), hook.posts
