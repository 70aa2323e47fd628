"""Daily series: what the chart gets, and the files that can be saved."""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from tests.web.factory import LAST, PIPELINE, TFL, Filled, fill, opened

from wayside.core.tables import COUNT_CLASSES, SERIES_CLASSES, TIMESERIES
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web.app import get_access

FIRST = date(2026, 4, 1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    filled = fill(tmp_path_factory.mktemp("series"), cameras=3, slots=2)
    rows = [
        {
            "source": TFL,
            "pipeline": PIPELINE,
            "series": name,
            "day": FIRST + timedelta(days=step),
            "original": None if step == 3 else 100.0 + step,
            "sa": None if step == 3 else 90.0,
            "trend": None if step == 3 else 91.0,
            "imputed_share": 1.0 if step == 3 else 0.25,
            "cameras": 4,
            "outlier": "AO" if step == 2 else None,
        }
        for name in SERIES_CLASSES
        for step in range(5)
    ]
    filled.warehouse.publish(TIMESERIES, Scope(TFL, pipeline=PIPELINE), to_arrow(TIMESERIES, rows))
    return filled


@pytest.fixture(scope="module")
def browser(served: Filled) -> Iterator[TestClient]:
    app = opened(served)
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "application/json"}) as client:
        yield client


def test_a_series_as_the_chart_reads_it(browser: TestClient):
    answer = browser.get("/api/timeseries", params={"source": TFL, "series": "person_cyclist"}).json()
    assert answer["step_minutes"] == 1440
    assert answer["times"][0] == "2026-04-01T00:00Z"
    assert answer["classes"]["original"] == [100.0, 101.0, 102.0, None, 104.0]
    assert answer["classes"]["adjusted"][0] == 90.0
    assert answer["counted"] == [3.0, 3.0, 3.0, 0.0, 3.0]
    assert answer["outliers"] == [None, None, "AO", None, None]


def test_the_page_offers_every_class_and_asks_for_the_chosen_one(browser: TestClient):
    page = browser.get("/counts", params={"source": TFL, "range": "daily", "series": "van"}).text
    assert all(f'value="{name}"' in page for name in SERIES_CLASSES)
    assert '<option value="van" selected>' in page
    assert "/api/timeseries?source=TfL-images&amp;series=van" in page


@pytest.mark.parametrize("path", ["/api/timeseries", "/counts?range=daily"])
def test_a_series_that_is_none_is_refused(browser: TestClient, path: str):
    answer = browser.get(path, params={**({"range": "daily"} if "counts" in path else {}), "series": "tram"})
    assert answer.status_code == 404
    assert "person_cyclist" in answer.json()["detail"]


def test_without_a_series_it_is_said_how_to_get_one(tmp_path: Path):
    app = opened(fill(tmp_path, cameras=2, slots=1))
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app) as client:
        for name in ("timeseries", "timeseries.csv", "timeseries.parquet"):
            answer = client.get(f"/api/{name}")
            assert answer.status_code == 404
            assert "build_timeseries" in answer.json()["detail"]


def test_series_as_parquet_have_the_columns_of_the_table(browser: TestClient):
    answer = browser.get("/api/timeseries.parquet", params={"source": TFL})
    assert 'filename="timeseries_TfL-images_20260405.parquet"' in answer.headers["content-disposition"]
    rows = pq.read_table(io.BytesIO(answer.content))
    assert rows.num_rows == 5 * len(SERIES_CLASSES)
    assert set(rows.schema.names) == set(TIMESERIES.schema.names) - {"schema_version"}


def test_series_as_csv_have_the_columns_of_chrono_lens(browser: TestClient):
    answer = browser.get("/api/timeseries.csv", params={"source": TFL})
    assert answer.headers["content-type"].startswith("text/csv")
    head, first, *_ = answer.text.splitlines()
    assert head.startswith("Location,Type,Date,SA,Trend,Original")
    assert first.startswith(f"{TFL},")


def test_counts_as_parquet_are_those_of_the_csv(browser: TestClient):
    asked = {"source": TFL}
    text = browser.get("/api/counts.csv", params=asked).text.splitlines()
    answer = browser.get("/api/counts.parquet", params=asked)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert len(rows) == len(text) - 1 == 2
    assert rows[-1]["slot"] == LAST.start
    last = dict(zip(text[0].split(","), text[-1].split(","), strict=True))
    assert [last[name] for name in COUNT_CLASSES] == [str(rows[-1][name]) for name in COUNT_CLASSES]
