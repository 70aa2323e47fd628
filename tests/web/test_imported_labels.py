"""Imported bookmarks on the pages: a job that is complete, and all of its labels to be had again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.videos.bookmarked import NOON

from wayside.store import LocalStore
from wayside.videos.bookmarks import BookmarkImage, BookmarkLabel, Bookmarks, read_bookmarks
from wayside.videos.bookmarks.tables import import_bookmarks
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web.app import create_app, get_access


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "warehouse")


@pytest.fixture
def client(lake: ParquetWarehouse, tmp_path: Path, airflow_db: None) -> Iterator[TestClient]:
    app = create_app(warehouse=lambda: lake, store=lambda: LocalStore(tmp_path / "pictures"))
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app) as client:
        yield client


@pytest.mark.airflow
def test_an_import_is_a_job_that_is_complete(lake: ParquetWarehouse, client: TestClient):
    images = tuple(
        BookmarkImage(NOON + timedelta(seconds=second), "C2 Hi", "C2_Hi", (BookmarkLabel(name),))
        for second, name in ((0, "tuna"), (50, "cod"))
    )
    # As in the file of the video importer, an image comes after the latest date.
    done = import_bookmarks(lake, "boats", Bookmarks("job-1", NOON, NOON + timedelta(seconds=9), images), "ann")
    (job,) = client.get("/jobs", headers={"accept": "application/json"}).json()
    assert (job["job_id"], job["status"], job["shard_map"]) == (done.run, "complete", {})
    for address in ("/jobs", f"/jobs/{done.run}"):
        page = client.get(address, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert done.run in page.text
    found = read_bookmarks(client.get(f"/jobs/{done.run}/labels.v2.json").content)
    assert [(image.camera, image.labels[0].name) for image in found.images] == [("C2 Hi", "tuna"), ("C2 Hi", "cod")]
