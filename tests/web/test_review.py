"""The page of a review: what waits, why somebody should look, and nothing once the verdict is carried out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.photos.inbox import NAMES, batch, fill_inbox, job, photo, run

from wayside.core import settings as core_settings
from wayside.core.settings import Settings
from wayside.photos.batch import Batch
from wayside.photos.review import waiting
from wayside.vision.decode import Limits, decode
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web.app import create_app, get_access
from wayside_airflow.web.review import may_review

RED = (0, 0, 255)


@pytest.fixture
def work(settings: Settings, tmp_path: Path) -> Batch:
    """A run of four pictures that are held; all of them should be looked at."""
    fill_inbox(tmp_path / "in", {name: photo(number, (320, 240)) for number, name in enumerate(NAMES)})
    one = job(tmp_path, review={"enabled": True, "sample": 0.0, "low_score": 0.9})
    assert run(settings, one) == {"held": 4}
    return batch(settings, one)


@pytest.fixture
def client(settings: Settings, work: Batch, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("WAYSIDE_STATE", str(settings.state))
    core_settings.settings.cache_clear()
    app = create_app(warehouse=lambda: ParquetWarehouse(settings.lake))
    app.dependency_overrides |= {get_access: lambda: None, may_review: lambda: None}
    with TestClient(app, headers={"accept": "text/html"}) as browser:
        yield browser


def test_the_page_names_what_waits_and_why(client: TestClient):
    page = client.get("/photos/review/run-1").text
    assert "4 pictures of this run wait; 4 of them should be looked at" in page
    assert page.count("low score") == 4
    for name in NAMES[:2]:
        assert f"<code>{name}</code>" in page
    assert "/required_actions" in page
    assert "<form" not in page, "the verdict is given elsewhere"


def test_the_sheet_shows_anonymised_pictures(client: TestClient):
    answer = client.get("/photos/review/run-1/sheet.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "no-store" in answer.headers["cache-control"]
    sheet = decode(answer.content).image.astype(int)
    # The planted cars are purely red and 24 x 16 pixels, here about twice as large; outlines are thin.
    red = (np.abs(sheet - RED).sum(axis=2) < 120).astype(np.float32)
    from cv2 import blur

    assert blur(red, (12, 12)).max() < 0.9
    assert sheet.shape[1] > 3 * 640


def test_pictures_larger_than_those_of_cameras_are_on_the_sheet(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_MAX_IMAGE_PIXELS", "1000")
    core_settings.settings.cache_clear()
    sheet = decode(client.get("/photos/review/run-1/sheet.jpg").content, limits=Limits(10**7, 10**8)).image
    assert sheet[100, 100].mean() > 80, "a picture, and not the grey of one that cannot be read"


def test_pages_of_sheets(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside.photos.review.MOST_SHOWN", 3)
    first, second = (client.get("/photos/review/run-1", params={"page": page}).text for page in (1, 2))
    assert "Page 1 of 2" in first
    assert (first.count("low score"), second.count("low score")) == (3, 1)


def test_after_the_verdict_there_is_nothing_to_be_seen(client: TestClient, work: Batch):
    assert client.get("/photos/review/run-1/sheet.jpg").status_code == 200
    work.release(waiting(work.journal.notes(), "run-1"), reviewer="ada")
    assert "No picture of this run waits" in client.get("/photos/review/run-1").text
    assert client.get("/photos/review/run-1/sheet.jpg").status_code == 404


@pytest.mark.parametrize("run_name", ["run-2", "picture-x", "..%2frun-1"])
def test_unknown_runs_are_not_found(client: TestClient, run_name: str):
    assert client.get(f"/photos/review/{run_name}").status_code in {400, 404}


def test_what_waits_is_shown_nowhere_else(client: TestClient):
    page = client.get("/photos/inbox").text
    assert "it waits for a person" in page
    assert "/photos/review/run-1" in page
    assert "<img" not in page
    assert client.get("/photos/inbox/image", params={"photo": NAMES[3]}).status_code == 404
