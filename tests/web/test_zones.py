"""The pages of zones: who may see what, what the editor is given, and what becomes of what it sends."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from tests.media.clips import make_clip
from tests.zones.lakes import CAMERA, LEFT, MIDDLE, PIPELINE, RIGHT, SOURCE, T0, at, put, scanned, segment_row

from wayside.core.tables import SEGMENTS, TRACKS
from wayside.counting.zones import ZoneSet
from wayside.vision.decode import decode
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counts import count_days
from wayside.zones.registry import Registry
from wayside_airflow.web import zone_access
from wayside_airflow.web.app import create_app, get_access

OPTIONS = {"travel": 0.0, "confirm_boxes": 2, "reach": 5.0}
SHAPES = ZoneSet((*LEFT.zones, *RIGHT.zones), MIDDLE.lines)
DRAWN = {
    "zones": [{"name": "door", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}],
    "lines": [],
    "options": {"mode": "improved", **OPTIONS},
    "pipeline": PIPELINE,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera with a minute of video in which somebody walks to the right, counted, and one with nothing else."""
    folder = tmp_path_factory.mktemp("zones") / "warehouse"
    lake = ParquetWarehouse(folder)
    walk = [(float(second), [(0.05 + 0.045 * second, 0.5)]) for second in range(21)]
    scanned(lake, segment_row(T0, 60), walk)
    put(lake, SEGMENTS, [segment_row(T0, 60, camera="Gate", name="gate")])
    registry = Registry(lake)
    made = registry.add(SOURCE, CAMERA, "traffic", "Crossing", OPTIONS, SHAPES, "ada", PIPELINE, note="first")
    count_days(lake, made, registry.zones(made.number), [T0.date()])
    return folder


@pytest.fixture
def lake(filled: Path, tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(Path(shutil.copytree(filled, tmp_path / "warehouse")))


@pytest.fixture
def registry(lake: ParquetWarehouse) -> Registry:
    return Registry(lake)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app()


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, headers={"accept": "text/html"}) as client:
        yield client


@pytest.fixture
def browser(app: FastAPI, client: TestClient, lake: ParquetWarehouse) -> TestClient:
    """Somebody who may edit."""
    app.state.warehouse = lambda: lake
    app.dependency_overrides = {
        get_access: lambda: None,
        zone_access.author: lambda: "bob",
        zone_access.may_edit: lambda: None,
        zone_access.can_edit: lambda: True,
    }
    return client


@pytest.fixture
def reader(app: FastAPI, browser: TestClient) -> TestClient:
    """Somebody who may only look."""
    app.dependency_overrides |= {zone_access.may_edit: refused, zone_access.can_edit: lambda: False}
    return browser


def refused() -> None:
    raise HTTPException(403, "Forbidden")


def given(page: str) -> dict[str, Any]:
    """What the page hands to the editor."""
    found: dict[str, Any] = json.loads(unescape(page.split('data-editor="')[1].split('"')[0]))
    return found


# The list


def test_the_list_names_cameras_processors_freshness_and_results(browser: TestClient):
    page = browser.get("/zones").text
    assert "2 cameras" in page
    assert f"<code>{CAMERA}</code>" in page
    assert "<code>Gate</code>" in page
    assert "Nothing counts here yet" in page
    assert "Fri 1 May 2026 08:01" in page, "when the newest video ended"
    assert "<b>Crossing</b>" in page
    # Out of the left zone, over the line, into the right one: one crossing and one entry came.
    assert "<b>2</b> came" in page
    assert "Fri 1 May 2026</small>" in page
    assert 'href="/zones/1"' in page
    assert "<img" not in page, "no stills in the list"


def test_the_list_is_narrowed_by_name(browser: TestClient):
    assert "1 camera<" in browser.get("/zones", params={"q": "gAtE"}).text
    assert "<b>Crossing</b>" in browser.get("/zones", params={"q": "crossing"}).text
    assert "No camera fits" in browser.get("/zones", params={"q": "nowhere"}).text


def test_an_empty_list_says_how_cameras_get_there(bare: TestClient):
    bare.app.dependency_overrides[zone_access.can_edit] = lambda: True  # type: ignore[attr-defined]
    page = bare.get("/zones").text
    assert "No camera has video yet" in page
    for dag in ("import_videos", "count_zones", "recount_zones"):
        assert f"<code>{dag}</code>" in page


def test_two_hundred_cameras_are_listed_in_a_moment(browser: TestClient, lake: ParquetWarehouse):
    rows = [segment_row(T0, 60, camera=f"Camera-{number:03}", name=f"n{number}") for number in range(200)]
    put(lake, SEGMENTS, rows)
    browser.get("/zones")
    begun = time.process_time()
    page = browser.get("/zones").text
    spent = time.process_time() - begun
    assert "202 cameras" in page
    assert spent < 0.3, f"{spent:.3f} s"


# The editor


def test_the_editor_is_given_shapes_limits_and_the_pictures_size(browser: TestClient):
    page = browser.get("/zones/1").text
    editor = given(page)
    assert [one["name"] for one in editor["shapes"]["zones"]] == ["left", "right"]
    assert editor["shapes"]["lines"] == [{"name": "middle", "from": [0.5, 1.0], "to": [0.5, 0.0]}]
    assert (editor["size"], editor["version"], editor["shown"]) == ([320, 180], 1, 1)
    assert editor["limits"]["corners"] == 256
    assert editor["options"]["confirm_boxes"] == 2
    assert f"/zones/still.jpg?source={SOURCE}&amp;camera={CAMERA}" in page
    assert '<option value="2026-05-01">' in page, "a day that can be counted"
    assert '"start": "2026-05-01"' in unescape(page), "what recount_zones is told"


def test_the_form_shows_what_counting_is_told_and_what_it_means(browser: TestClient):
    page = unescape(browser.get("/zones/1").text)
    assert 'name="confirm_boxes" data-type="number" value="2"' in page
    assert "Boxes that a track needs to count at all" in page
    assert "Usually 3." in page
    assert '<input type="radio" name="mode" value="match">' in page
    assert "<option>bottom</option>" in page or "<option selected>bottom</option>" in page


def test_an_older_version_is_looked_at_and_saved_as_the_newest(browser: TestClient, registry: Registry):
    registry.edit_zones(1, RIGHT, "eve", "left no more", 1)
    page = browser.get("/zones/1", params={"version": 1}).text
    assert "You look at <strong>version 1</strong> by ada; version 2 counts now" in page
    assert len(given(page)["shapes"]["zones"]) == 2
    assert (given(page)["version"], given(page)["shown"]) == (2, 1)
    assert "left no more" in page
    assert browser.get("/zones/1", params={"version": 3}).status_code == 404


def test_a_new_processor_is_asked_for_drawn_and_stored(browser: TestClient, registry: Registry):
    asked = browser.get("/zones/new", params={"place": f"{SOURCE}/Gate"}).text
    assert f'<option value="{SOURCE}/Gate" selected>' in asked
    page = browser.get("/zones/draw", params={"place": f"{SOURCE}/Gate", "kind": "traffic", "name": "Door"}).text
    editor = given(page)
    assert (editor["version"], editor["shapes"]["zones"], editor["urls"]["save"]) == (0, [], "/api/zones")
    assert "No video of this camera has been looked at yet" in page
    sent = DRAWN | {
        "source": SOURCE,
        "camera": "Gate",
        "kind": "traffic",
        "name": "Door",
        "note": "new",
        "enabled": False,
    }
    answer = browser.post("/api/zones", json=sent)
    assert (answer.status_code, answer.json()) == (201, {"processor": 2, "version": 1})
    made = registry.processor(2)
    assert (made.name, made.camera, made.author, made.enabled) == ("Door", "Gate", "bob", False)
    assert registry.zones(2).note == "new"


def test_kinds_are_shown_the_options_that_they_look_at(browser: TestClient):
    def form(kind: str) -> str:
        return browser.get("/zones/draw", params={"place": f"{SOURCE}/Gate", "kind": kind, "name": "x"}).text

    assert 'name="travel"' in form("traffic")
    assert 'name="travel"' not in form("objects")
    assert 'name="occupancy_looks"' in form("objects")
    assert 'name="keep_crops"' in form("faces")


# What the editor sends


def saved(browser: TestClient, expected: int = 1, **changes: Any) -> Any:
    return browser.put("/api/zones/1", json=DRAWN | {"expected_version": expected} | changes)


def test_saving_makes_a_version_with_author_and_note(browser: TestClient, registry: Registry):
    answer = saved(browser, note="only the door", options={"mode": "improved", "score": 0.7})
    assert answer.json() == {"processor": 1, "version": 2}
    now = registry.zones(1)
    assert (now.version, now.author, now.note) == (2, "bob", "only the door")
    assert [one.name for one in now.zones.zones] == ["door"]
    assert now.options.model_dump()["score"] == 0.7
    assert "Version 2 is saved" in browser.get("/zones/1", params={"saved": 2}).text


def test_who_comes_second_is_told_of_it(browser: TestClient, registry: Registry):
    registry.edit_zones(1, RIGHT, "eve", None, 1)
    answer = saved(browser)
    assert answer.status_code == 409
    assert answer.json()["version"] == 2
    assert "changed by eve" in answer.json()["detail"]
    assert registry.zones(1).author == "eve"
    assert saved(browser, 2).json()["version"] == 3


BOW = [{"name": "bow", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"zones": BOW}, 400, "'bow': its edges cross each other"),
        ({"zones": [{"name": "a", "polygon": [[0, 0], [2, 0], [1, 1]]}]}, 400, "outside of the picture"),
        ({"zones": [], "lines": []}, 400, "draw one"),
        ({"options": {"mode": "improved", "score": 7}}, 400, "score"),
        ({"options": {"mode": "guess"}}, 400, "options of counting"),
        ({"pipeline": "../secret"}, 400, "no pipeline of videos"),
        ({"pipeline": "Fps5_NoSuchModel"}, 400, "there is no model"),
        ({"zones": 3}, 422, "zones"),
        ({"unknown": 1}, 422, "unknown"),
        ({"expected_version": 0}, 422, "expected_version"),
        ({"note": "x" * 501}, 422, "note"),
        ({"zones": [{"name": "a", "polygon": [[float("1e400"), 0], [1, 0], [1, 1]]}]}, 400, "[x, y] is wanted"),
    ],
)
def test_what_is_wrong_is_refused_in_words(
    browser: TestClient, registry: Registry, changes: dict[str, Any], status: int, says: str
):
    text = json.dumps(DRAWN | {"expected_version": 1} | changes).replace("Infinity", "1e400")
    answer = browser.put("/api/zones/1", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert registry.processor(1).version == 1


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"zones=1", "application/x-www-form-urlencoded", 415),
        (b"not json", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"note": "' + b"x" * (zone_access.MOST_BODY + 1) + b'"}', "application/json", 413),
    ],
)
def test_bodies_are_json_of_a_bounded_size(browser: TestClient, content: bytes, kind: str, status: int):
    answer = browser.put("/api/zones/1", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text[:200]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_change_nothing(browser: TestClient, registry: Registry, site: str):
    for method, path in (("POST", "/api/zones"), ("PUT", "/api/zones/1"), ("PATCH", "/api/zones/1")):
        answer = browser.request(method, path, json=DRAWN | {"expected_version": 1}, headers={"sec-fetch-site": site})
        assert answer.status_code == 403, path
    assert browser.post("/api/zones/preview", json={}, headers={"sec-fetch-site": site}).status_code == 403
    assert registry.processor(1).version == 1


def test_name_and_switch_make_no_version(browser: TestClient, registry: Registry):
    answer = browser.patch("/api/zones/1", json={"name": " Main  gate ", "enabled": False})
    assert answer.json() == {"processor": 1, "name": "Main gate", "enabled": False}
    now = registry.processor(1)
    assert (now.name, now.enabled, now.version, now.author) == ("Main gate", False, 1, "bob")
    assert browser.patch("/api/zones/1", json={"name": " "}).status_code == 400


@pytest.mark.parametrize("number", [0, 99, 2**40])
def test_unknown_processors_are_not_found(browser: TestClient, number: int):
    assert browser.get(f"/zones/{number}").status_code == 404
    assert browser.put(f"/api/zones/{number}", json=DRAWN | {"expected_version": 1}).status_code == 404
    assert browser.patch(f"/api/zones/{number}", json={"enabled": True}).status_code == 404


# What if


def what_if(browser: TestClient, **changes: Any) -> Any:
    place = {"source": SOURCE, "camera": CAMERA, "kind": "traffic", "processor": 1, "day": "2026-05-01"}
    return browser.post("/api/zones/preview", json=DRAWN | place | changes)


def test_what_if_counts_what_is_drawn_and_stores_nothing(browser: TestClient, registry: Registry):
    answer = what_if(browser, zones=[{"name": "right", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}]).json()
    assert answer["looks"] == 21
    assert answer["counted_version"] == 1
    rows = {row["name"]: row for row in answer["rows"]}
    assert rows["right"]["now"]["entered"] == rows["right"]["before"]["entered"] == 1
    assert rows["All together"]["now"]["forward"] + rows["All together"]["now"]["backward"] == 0
    assert rows["All together"]["before"]["forward"] + rows["All together"]["before"]["backward"] == 1
    assert registry.processor(1).version == 1


def test_what_if_of_something_new_has_nothing_to_compare_with(browser: TestClient):
    answer = what_if(browser, processor=0).json()
    assert answer["counted_version"] is None
    assert answer["rows"][0]["now"]["entered"] == 1
    assert answer["rows"][0]["before"] is None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"day": "2026-05-02"}, 404),
        ({"zones": BOW}, 400),
        ({"zones": []}, 400),
        ({"day": "soon"}, 422),
        ({"kind": "x"}, 422),
    ],
)
def test_what_if_says_why_not(browser: TestClient, changes: dict[str, Any], status: int):
    assert what_if(browser, **changes).status_code == status


# Where people went


def test_tracks_of_the_newest_days_are_given_to_draw(browser: TestClient, lake: ParquetWarehouse):
    answer = browser.get("/api/zones/paths", params={"source": SOURCE, "camera": CAMERA}).json()
    assert (answer["tracks"], answer["days"]) == (1, "2026-05-01")
    path = answer["paths"][0]
    assert path[0][0] < 0.2
    assert path[-1][0] > 0.8
    nobody = browser.get("/api/zones/paths", params={"source": SOURCE, "camera": "Gate"}).json()
    assert nobody == {"paths": [], "tracks": 0, "days": ""}
    assert lake.scopes(TRACKS)


# Who may


def test_readers_see_the_list_and_neither_stills_nor_the_editor(reader: TestClient):
    page = reader.get("/zones").text
    assert "<b>Crossing</b>" in page
    assert "New processor" not in page
    assert 'href="/zones/1"' not in page
    place = {"source": SOURCE, "camera": CAMERA}
    for path in ("/zones/1", "/zones/new", "/zones/draw", "/zones/still.jpg", "/api/zones/paths"):
        assert reader.get(path, params=place).status_code == 403, path
    for method, path in (("POST", "/api/zones"), ("PUT", "/api/zones/1"), ("PATCH", "/api/zones/1")):
        assert reader.request(method, path, json=DRAWN).status_code == 403, path
    assert reader.post("/api/zones/preview", json=DRAWN).status_code == 403


# Counts


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


@pytest.mark.parametrize("what", ["minutes", "hours", "days", "events"])
def test_counts_are_downloaded_as_csv_and_parquet(browser: TestClient, what: str):
    text = browser.get(f"/api/zones/1/{what}.csv")
    assert text.headers["content-type"].startswith("text/csv")
    assert f"Crossing-1-{what}" in text.headers["content-disposition"]
    table = pq.read_table(pa.BufferReader(browser.get(f"/api/zones/1/{what}.parquet").content))
    assert table.num_rows == len(text.text.splitlines()) - 1 > 0
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
    ],
)
def test_a_still_that_cannot_be_made_says_why(browser: TestClient, asked: dict[str, str], status: int):
    answer = browser.get("/zones/still.jpg", params={"source": SOURCE} | asked, headers={"accept": "application/json"})
    assert answer.status_code == status
    assert answer.json()["detail"]
