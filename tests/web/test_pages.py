"""The pages: what they say about each camera, how they filter, and what they refuse."""

import re
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.tables import count_rows
from tests.web.factory import LAST, PIPELINE, TFL, UO, Filled, fill, opened

from wayside.core.tables import CAMERAS, COUNTS, FRAMES
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web.app import get_access

CAMERA_LINK = re.compile(r'class="card" href="/wayside/cameras/[^/]+/([^?"]+)')
BY_DAY = ("cameras?", "coverage?", f"cameras/{TFL}/00001.00001?")
BEYOND = ("0001-01-01", "9999-12-31")


def cards(page: str) -> list[str]:
    return CAMERA_LINK.findall(page)


def test_home_leads_to_the_cameras(client: TestClient) -> None:
    answer = client.get("", follow_redirects=False)
    assert answer.headers["location"] == "/wayside/cameras"


def test_cameras_shows_every_camera_of_the_newest_slot(client: TestClient, filled: Filled) -> None:
    page = client.get("cameras", params={"source": TFL}).text
    assert cards(page) == filled.cameras[TFL]
    assert "Mon 4 May 2026, 09:40 UTC" in page
    for words in ("faulty: frozen", "missing: unavailable", "failed: timeout", "waiting", "not run"):
        assert words in page
    assert page.count('class="box') > 5
    assert "static" in page


@pytest.mark.parametrize(
    ("health", "places"),
    [
        ("counted", {0, 7}),
        ("faulty", {1, 6}),
        ("missing", {2}),
        ("failed", {3}),
        ("waiting", {4}),
        ("not_run", {5}),
        ("attention", {1, 2, 3, 4, 5, 6}),
    ],
)
def test_cameras_filters_by_health(client: TestClient, filled: Filled, health: str, places: set[int]) -> None:
    page = client.get("cameras", params={"source": TFL, "health": health}).text
    assert len(cards(page)) == len(places)


def test_cameras_searches_names_and_ids(client: TestClient, filled: Filled) -> None:
    wanted = filled.cameras[TFL][2]
    assert cards(client.get("cameras", params={"source": TFL, "q": wanted.upper()}).text) == [wanted]
    none = client.get("cameras", params={"source": TFL, "q": "no such place"}).text
    assert "No camera fits" in none


def test_a_missing_camera_shows_its_last_counted_picture(client: TestClient) -> None:
    page = client.get("cameras", params={"source": TFL, "health": "failed"}).text
    assert "/20260504/0920/" in page
    assert "picture of 09:20" in page
    assert "not counted for 2 slots" in page


def test_the_slot_can_be_chosen_by_name_or_by_pickers(client: TestClient) -> None:
    by_name = client.get("cameras", params={"source": TFL, "slot": "20260504T0930Z"}).text
    by_pickers = client.get("cameras", params={"source": TFL, "day": "2026-05-04", "time": "09:30"}).text
    assert "09:30 UTC" in by_name
    assert cards(by_name) == cards(by_pickers)


def test_one_camera_tells_its_day(client: TestClient, filled: Filled) -> None:
    page = client.get(f"cameras/{TFL}/{filled.cameras[TFL][0]}").text
    assert page.count('<rect class="s-') == 144
    assert "Drawn by the demo city" in page
    assert 'rel="prev"' in page
    assert "Objects on the picture of 09:40" in page or "Nothing was seen" in page


def test_one_camera_at_a_slot_that_never_ran(client: TestClient, filled: Filled) -> None:
    page = client.get(f"cameras/{TFL}/{filled.cameras[TFL][0]}", params={"slot": "20200101T0000Z"})
    assert page.status_code == 200
    assert "Not run" in page.text


def test_shards_cut_the_frames_without_rest(client: TestClient, filled: Filled) -> None:
    seen: list[str] = []
    for part in range(3):
        params = {"source": TFL, "slot": str(LAST), "part": part, "parts": 3}
        page = client.get("shards", params=params).text
        assert f"Shard {part + 1} of 3" in page
        seen += cards(page)
    assert len(seen) == 7  # the camera that was not run has no frame
    assert set(seen) < set(filled.cameras[TFL])


@pytest.mark.parametrize("path", ["counts", "coverage"])
def test_drawn_pages_name_their_data(client: TestClient, path: str) -> None:
    page = client.get(path, params={"source": UO}).text
    assert f"/wayside/api/{path}?source={UO}" in page


def test_counts_says_what_a_count_is(client: TestClient) -> None:
    assert "not traffic volume" in client.get("counts").text


@pytest.mark.parametrize("path", ["cameras?day={}", "coverage?day={}", "counts?range=custom&first={0}&last={0}"])
def test_the_first_and_the_last_day_are_no_error_of_ours(client: TestClient, path: str) -> None:
    for day in ("1970-01-01", "1970-01-02", "9998-12-30", "9998-12-31"):
        assert client.get(path.format(day)).status_code in {200, 400}


def test_without_a_choice_the_source_that_was_counted_last_is_shown(bare: TestClient, tmp_path: Path) -> None:
    warehouse = ParquetWarehouse(tmp_path / "warehouse")
    for name, slot in {"A-none": None, "B-old": LAST.previous, "C-new": LAST, "D-new": LAST}.items():
        row = {"source": name, "camera": "a", "name": "a"}
        warehouse.publish(CAMERAS, Scope(name), to_arrow(CAMERAS, [row]))
        if name in {"A-none", "B-old"}:
            frame = {"source": name, "camera": "a", "slot": LAST.start, "status": "failed", "fetched_at": LAST.end}
            warehouse.publish(FRAMES, Scope(name, LAST), to_arrow(FRAMES, [{**frame, "reason": "timeout"}]))
        if slot:
            scope = Scope(name, slot, PIPELINE)
            warehouse.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a"])))
        chosen = bare.get("/api/cameras").json()["source"]
        assert chosen == {"D-new": "C-new"}.get(name, name)


@pytest.mark.parametrize("path", ["cameras", "counts", "coverage"])
def test_an_empty_warehouse_says_what_to_do(bare: TestClient, path: str) -> None:
    answer = bare.get(f"/{path}")
    assert answer.status_code == 200
    assert "ingest_cameras" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("cameras?source=nowhere", 404),
        ("cameras?source=../etc", 400),
        ("cameras?slot=yesterday", 400),
        ("cameras?slot=20260504T0931Z", 400),
        ("cameras?day=2026-13-01", 400),
        ("cameras?page=0", 422),
        ("cameras?health=fine", 422),
        ("cameras?pipeline=Unknown", 404),
        ("cameras?pipeline=un%20known", 400),
        ("cameras?time=25:00&day=2026-05-04", 400),
        *((f"{path}day={day}", 400) for path in BY_DAY for day in BEYOND),
        *((f"counts?range=custom&{end}={day}", 400) for end in ("first", "last") for day in BEYOND),
        (f"cameras/{TFL}/nobody", 404),
        ("counts?range=custom&first=2026-05-04&last=2026-05-01", 400),
        ("counts?range=custom&first=2020-05-04&last=2026-05-01", 400),
        (f"shards?source={TFL}&slot={LAST}&part=3&parts=3", 422),
        ("nothing", 404),
    ],
)
def test_what_is_not_valid_is_refused_with_a_page(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_names_are_escaped(tmp_path_factory: pytest.TempPathFactory) -> None:
    filled = fill(tmp_path_factory.mktemp("escape"), cameras=1, slots=1, pictures=0)
    row = {"source": TFL, "camera": filled.cameras[TFL][0], "name": "<script>alert(1)</script>"}
    filled.warehouse.publish(CAMERAS, Scope(TFL), to_arrow(CAMERAS, [row]))
    app = opened(filled)
    app.dependency_overrides[get_access] = lambda: None
    page = TestClient(app).get("/cameras", params={"source": TFL, "q": '"><b>'}).text
    assert "<b>" not in page.split("</header>")[1].split('name="q"')[1].split(">")[0]
    page = TestClient(app).get("/cameras", params={"source": TFL}).text
    assert "<script>alert" not in page
    assert "<script>alert(1)</script>" in unescape(page)


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("cameras", "static/page.js", "api/coverage", "nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_no_page_needs_what_its_policy_forbids(client: TestClient, filled: Filled) -> None:
    for path in ("cameras", f"cameras/{TFL}/{filled.cameras[TFL][0]}", "counts", "coverage"):
        page = client.get(path).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", page)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert "http://" not in page
        assert "https://" not in page


def test_every_page_names_the_pipeline_and_credits_the_source(client: TestClient) -> None:
    for path in ("cameras", "counts", "coverage"):
        page = client.get(path).text
        assert PIPELINE in page
        assert "Drawn by the demo city" in page


@pytest.mark.parametrize("root", ["", "/airflow"])
def test_links_stay_below_the_path_where_airflow_is_served(filled: Filled, root: str) -> None:
    app = opened(filled)
    app.dependency_overrides[get_access] = lambda: None
    outer = FastAPI(root_path=root)
    outer.mount("/wayside", app)
    page = TestClient(outer).get(f"{root}/wayside/cameras", headers={"accept": "text/html"})
    assert page.status_code == 200
    links = re.findall(r'(?:src|href|action)="([^"#][^"]*)"', page.text)
    assert len(links) > 20
    assert all(link.startswith(f"{root}/wayside/") for link in links)
