"""The page of runs: what it says of each, in which order, and what it makes of runs that died."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from wayside.core.clock import utc_now
from wayside.core.tables import RUNS
from wayside.store import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web.app import create_app, get_access

START = datetime(2026, 5, 1, tzinfo=UTC)


def row(run: str, **changes: Any) -> dict[str, Any]:
    return {
        "source": "TfL-images",
        "run": run,
        "kind": "reprocess_range",
        "state": "done",
        "first": START,
        "last": START + timedelta(days=2, hours=23, minutes=50),
        "pipeline": "StubV1",
        "model_sha256": "ab" * 32,
        "mode": "all",
        "who": "ada",
        "why": "a better <model>",
        "slots": 432,
        "slots_done": 432,
        "fetched": 0,
        "images": 21_600,
        "changed": 512,
        "seconds": 216.0,
        "inference_seconds": 162.0,
        "started_at": START + timedelta(days=4),
        "updated_at": START + timedelta(days=4, minutes=4),
        "note": "512 rows differ",
        **changes,
    }


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "warehouse")


@pytest.fixture
def browser(lake: ParquetWarehouse, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(warehouse=lambda: lake, store=lambda: LocalStore(tmp_path / "pictures"))
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "text/html"}) as client:
        yield client


def publish(lake: ParquetWarehouse, **changes: Any) -> None:
    one = row(**changes)
    lake.publish(RUNS, Scope(one["source"], run=one["run"]), to_arrow(RUNS, [one]))


def test_an_empty_page_says_what_leaves_rows_here(browser: TestClient):
    page = browser.get("runs")
    assert page.status_code == 200
    assert "Nothing has been run again yet" in page.text


def test_a_run_is_told_whole(browser: TestClient, lake: ParquetWarehouse):
    publish(lake, run="reprocess_range-20260505T000000Z-aa")
    page = browser.get("runs").text
    for words in (
        "Fri 1 May 2026 to Sun 3 May 2026",
        "<dd>432</dd>",
        "everything again",
        "21,600",
        "512 rows differ",
        "ada",
    ):
        assert words in page
    assert "a better &lt;model&gt;" in page
    assert "<dd>100.0</dd>" in page
    assert "<dd>7.5</dd>" in page
    assert "<dd>4 min</dd>" in page
    assert "<progress" not in page  # it is done


def test_the_newest_comes_first_and_filters_narrow(browser: TestClient, lake: ParquetWarehouse):
    publish(lake, run="reprocess_range-20260505T000000Z-aa", who="ada")
    publish(
        lake,
        run="backfill_late_images-20260506T000000Z-bb",
        who="scheduled",
        kind="backfill_late_images",
        source="City",
        state="failed",
        started_at=START + timedelta(days=5),
    )
    page = browser.get("runs").text
    assert page.count("<b>1</b>") == 2  # one is done, one has failed
    assert page.index("City: backfill late images") < page.index("TfL-images: reprocess range")
    assert "reprocess range</h2>" not in browser.get("runs", params={"state": "failed"}).text
    assert "City:" not in browser.get("runs", params={"kind": "reprocess_range"}).text
    assert "No run fits" in browser.get("runs", params={"kind": "nothing"}).text
    assert browser.get("runs", params={"state": "odd"}).status_code == 422
    data = browser.get("api/runs", params={"limit": 1}).json()["runs"]
    assert [run["source"] for run in data] == ["City"]


def test_a_run_that_says_nothing_any_more_is_stopped(browser: TestClient, lake: ParquetWarehouse):
    now = utc_now()
    publish(lake, run="reprocess_range-20260505T000000Z-aa", state="running", slots_done=100, updated_at=now)
    assert "has said nothing" not in browser.get("runs").text
    publish(
        lake,
        run="reprocess_range-20260505T000000Z-aa",
        state="running",
        slots_done=100,
        updated_at=now - timedelta(hours=1),
    )
    page = browser.get("runs").text
    assert "has said nothing" in page
    assert "100 of 432 slots" in page
    assert len(browser.get("runs", params={"state": "stopped"}).text) > 0


def test_a_dry_run_has_no_progress(browser: TestClient, lake: ParquetWarehouse):
    publish(lake, run="reprocess_range-20260505T000000Z-aa", state="planned", slots_done=0, seconds=0.0)
    page = browser.get("runs").text
    assert "<progress" not in page
    assert "to analyse" in page
