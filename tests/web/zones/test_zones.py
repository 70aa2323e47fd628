"""The pages of zones: who may see what, what the editor is given, and what becomes of what it sends."""

import json
import time
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.web.zones.drawn import DRAWN
from tests.zones.lakes import CAMERA, RIGHT, SOURCE, T0, put, segment_row

from wayside.core.tables import SEGMENTS, TRACKS
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.registry import Registry
from wayside_airflow.web import zone_access


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
        ({"day": "9999-12-31"}, 422),
        ({"day": "0001-01-01"}, 422),
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
