"""Links from the tasks of `anonymise_images` to the pages: there once there is something to be seen, else empty."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskAwaitingInput
from fastapi.testclient import TestClient
from tests.photos.inbox import batch, fill_inbox, job, run

from wayside.core import settings as core_settings
from wayside.core.settings import Settings
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.operators import photos
from wayside_airflow.operators.photos import PublishPhotosOperator, ReviewOperator
from wayside_airflow.web.app import create_app, get_access
from wayside_airflow.web.review import may_review


def link(operator: Any) -> str:
    (one,) = operator.operator_extra_links
    return str(one.get_link(operator, ti_key=None))


@pytest.fixture
def held(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of which every picture waits; what an operator is given, and pages over its tables."""
    fill_inbox(tmp_path / "in")
    one = job(tmp_path, review={"enabled": True, "sample": 1.0})
    run(settings, one)
    monkeypatch.setattr(photos, "_planned", lambda _: batch(settings, one))
    monkeypatch.setattr(photos, "run_name", lambda _: "run-1")
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **_: None)
    monkeypatch.setenv("WAYSIDE_STATE", str(settings.state))
    core_settings.settings.cache_clear()
    return settings


def opens(settings: Settings, address: str) -> str:
    """What the page says to which a link leads, inside the frame that Airflow puts around it."""
    app = create_app(warehouse=lambda: ParquetWarehouse(settings.lake))
    app.dependency_overrides |= {get_access: lambda: None, may_review: lambda: None}
    answer = TestClient(app).get(address.removeprefix("/plugin/wayside/wayside"), headers={"accept": "text/html"})
    assert answer.status_code == 200
    return answer.text


def test_who_is_asked_is_led_to_the_contact_sheet(held: Settings) -> None:
    operator = ReviewOperator(task_id="review")
    assert link(operator) == ""
    context: Any = {"task_instance": SimpleNamespace(id="1")}
    with pytest.raises(TaskAwaitingInput):
        operator.execute(context)
    assert link(operator) == "/plugin/wayside/wayside/photos/review/run-1"
    assert f"({link(operator)})" in operator.body
    assert "4 pictures of this run wait" in opens(held, link(operator))


def test_a_publication_leads_to_its_pictures(held: Settings) -> None:
    operator = PublishPhotosOperator(task_id="publish", verdict=None)
    assert link(operator) == ""
    assert operator.execute({}) == {"held": 4}  # type: ignore[arg-type]
    assert link(operator) == "/plugin/wayside/wayside/photos?run=run-1"
    page = opens(held, link(operator))
    assert "inbox</h1>" in page
    assert json.dumps("run-1")[1:-1] in page
