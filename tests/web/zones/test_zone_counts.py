"""The page of counts of zones, the data of its charts, downloads, and stills."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from tests.media.clips import make_clip
from tests.zones.lakes import CAMERA, PIPELINE, RIGHT, SOURCE, T0, at, put, segment_row

from wayside.core.tables import SEGMENTS
from wayside.vision.decode import decode
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.registry import Registry


def counted(browser: TestClient, **asked: Any) -> dict[str, Any]:
    answer = browser.get("/api/zones/1/counts", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_charts_are_given_counts_by_the_minute_and_what_was_not_watched(browser: TestClient):
    told = counted(browser)
    assert (told["step"], told["step_minutes"]) == ("minute", 1)
    assert told["times"] == ["2026-05-01T07:59Z", "2026-05-01T08:00Z", "2026-05-01T08:01Z"]
    assert told["watched"][0] == told["watched"][2] == 0
    assert 0.3 < told["watched"][1] < 0.5, "twenty seconds of looks"
    assert told["flow"] == {
        "entered": [None, 1, None],
        "left": [None, 1, None],
        "forward": [None, 1, None],
        "backward": [None, 0, None],
    }
    assert told["classes"] == {"person": [None, 1, None]}


def test_one_place_has_its_own_ways(browser: TestClient):
    assert counted(browser, zone="middle")["flow"] == {"forward": [None, 1, None], "backward": [None, 0, None]}
    assert counted(browser, zone="left")["flow"] == {"entered": [None, 0, None], "left": [None, 1, None]}
    assert counted(browser, zone="right", way="exited")["classes"] == {}
    assert browser.get("/api/zones/1/counts", params={"zone": "nowhere"}).status_code == 404


def test_hours_and_days_are_sums_and_long_ranges_get_wider_points(browser: TestClient):
    for step, times in (("hour", 3), ("day", 3)):
        told = counted(browser, step=step)
        assert (told["step"], len(told["times"])) == (step, times)
        assert told["flow"]["entered"] == [None, 1, None]
        assert 0 < told["watched"][1] < 0.01
    assert counted(browser, first="2026-04-20", last="2026-05-01", step="minute")["step"] == "hour"
    assert counted(browser, first="2026-01-20", last="2026-05-01", step="minute")["step"] == "day"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"first": "2026-05-02", "last": "2026-05-01"}, 422),
        ({"first": "2020-05-02", "last": "2026-05-01"}, 422),
        ({"first": "yesterday"}, 400),
        ({"step": "second"}, 422),
        ({"version": "two"}, 422),
        ({"version": "7"}, 404),
    ],
)
def test_ranges_that_are_none_are_refused(browser: TestClient, asked: dict[str, str], status: int):
    for path in ("/zones/1/counts", "/api/zones/1/counts", "/api/zones/1/minutes.csv"):
        assert browser.get(path, params=asked).status_code == status, path


def test_the_page_tells_totals_journeys_stays_and_events_in_words(reader: TestClient):
    page = reader.get("/zones/1/counts").text
    for word, number in (("entered", 1), ("left", 1), ("forward", 1), ("backward", 0)):
        assert f"<dt>{word}</dt><dd>{number}</dd>" in page
    assert '<th scope="row">left</th><td class="heat-4">1</td>' in page, "from left to right"
    assert "crossed forward" in page
    assert "2026-05-01 08:00:" in page
    assert 'value="2026-05-01"' in page
    assert "Edit zones" not in page, "a reader may not"
    assert "?at=" not in page, "nor see stills"


def test_events_lead_those_who_may_to_the_still(browser: TestClient):
    assert "/zones/1?at=2026-05-01T08%3A00%3A" in browser.get("/zones/1/counts").text


def test_a_processor_that_counted_nothing_says_what_to_do(browser: TestClient, registry: Registry):
    registry.add(SOURCE, "Gate", "objects", "Empty", {}, RIGHT, "ada", PIPELINE)
    page = browser.get("/zones/2/counts").text
    assert "Nothing has been counted yet" in page
    assert "<code>count_zones</code>" in page
    assert counted(browser)["times"]
    assert browser.get("/api/zones/2/counts").json()["times"] == []


def test_an_older_version_can_be_asked_for(browser: TestClient, registry: Registry):
    registry.edit_zones(1, RIGHT, "eve", None, 1)
    assert counted(browser, version="1", zone="middle")["flow"]["forward"] == [None, 1, None]
    assert browser.get("/api/zones/1/counts", params={"version": "2"}).json()["times"] == []
    # The newest has no line, but the day was counted by the version before.
    assert counted(browser)["flow"] == {"entered": [None, 1, None], "left": [None, 1, None]}


@pytest.mark.parametrize("what", ["minutes", "hours", "days", "events", "journeys", "stays"])
def test_counts_are_downloaded_as_csv_and_parquet(browser: TestClient, what: str):
    text = browser.get(f"/api/zones/1/{what}.csv")
    assert text.headers["content-type"].startswith("text/csv")
    assert f"Crossing-1-{what}" in text.headers["content-disposition"]
    table = pq.read_table(pa.BufferReader(browser.get(f"/api/zones/1/{what}.parquet").content))
    assert table.num_rows == len(text.text.splitlines()) - 1
    assert table.num_rows > 0 or what == "stays"
    assert browser.get(f"/api/zones/1/{what}.xlsx").status_code == 422
    assert browser.get("/api/zones/1/secrets.csv").status_code == 422


# Stills


def test_a_still_is_served_to_who_may_and_kept_by_nobody(browser: TestClient, lake: ParquetWarehouse, tmp_path: Path):
    clip = make_clip(tmp_path / "gate.mp4", seconds=1, size=(160, 120))
    data = clip.read_bytes()
    row = segment_row(T0, 1, camera="Gate", segment=hashlib.sha256(data).hexdigest(), uri=str(clip), bytes=len(data))
    put(lake, SEGMENTS, [row | {"start_at": at(90), "end_at": at(91)}])
    answer = browser.get("/zones/still.jpg", params={"source": SOURCE, "camera": "Gate"})
    assert answer.headers["content-type"] == "image/jpeg"
    assert "no-store" in answer.headers["cache-control"]
    assert decode(answer.content).image.shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"camera": CAMERA}, 404),
        ({"camera": "Nowhere"}, 404),
        ({"camera": "../../etc"}, 400),
        ({"camera": CAMERA, "at": "noon"}, 422),
        ({"camera": CAMERA, "at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"camera": CAMERA, "at": "9999-12-31T23:59:59-14:00"}, 422),
    ],
)
def test_a_still_that_cannot_be_made_says_why(browser: TestClient, asked: dict[str, str], status: int):
    answer = browser.get("/zones/still.jpg", params={"source": SOURCE} | asked, headers={"accept": "application/json"})
    assert answer.status_code == status
    assert answer.json()["detail"]
