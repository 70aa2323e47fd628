"""Events: what the grid and the page of one say, pictures and cuts as files, and verdicts that are written back."""

import io
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import av
import pytest
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.web.video_factory import ARCHIVE, HOUR, Filmed, add_imported_event, add_video

from wayside.core import settings as core_settings
from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import EVENT_REVIEWS
from wayside.videos import reviews
from wayside.videos.shelf import Shelf
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope
from wayside_airflow.web import event_files
from wayside_airflow.web.app import create_app, get_access

SCOPE = Scope(ARCHIVE, camera="C2_Hi", hour=HOUR)
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
DAY = {"archive": ARCHIVE, "day": "2026-05-04"}


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Filmed]:
    """A state folder with the events of one video, filmed once for all tests."""
    folder = tmp_path_factory.mktemp("filmed")
    lake = ParquetWarehouse(folder / "state" / "warehouse")
    return folder / "state", add_video(folder / "state", lake, folder / "archive")


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake, outbox=True)


@pytest.fixture
def film(filmed: tuple[Path, Filmed], settings: Settings) -> Iterator[Filmed]:
    """The video and its events in a state folder of this test; the file is as before afterwards."""
    state, made = filmed
    shutil.copytree(state, settings.state, ignore=shutil.ignore_patterns(".*"))
    data = made.file.read_bytes()
    yield made
    if not made.file.is_file() or made.file.read_bytes() != data:
        made.file.write_bytes(data)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    made = create_app()
    ada = SimpleAuthManagerUser(username="ada", role="user")
    made.dependency_overrides |= {
        get_access: lambda: None, event_files.may_review: lambda: None, get_user: lambda: ada,
    }  # fmt: skip
    return made


@pytest.fixture
def client(app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("WAYSIDE_STATE", str(settings.state))
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", "oracle")
    core_settings.settings.cache_clear()
    return TestClient(app, headers={"accept": "text/html"}, follow_redirects=False)


def say(client: TestClient, event: str, verdict: str, labels: str = "", **headers: str):
    data = {"verdict": verdict, **({"labels": labels} if labels else {})}
    return client.post(f"/events/{ARCHIVE}/{event}/verdict", data=data, headers={**FORM, **headers})


def test_without_events_the_page_says_how_to_get_some(client: TestClient):
    assert "No video has been cut into events yet" in client.get("/events").text


def test_the_grid_shows_each_event_with_its_labels(client: TestClient, film: Filmed):
    page = client.get("/events").text
    assert "Events of Boats" in page
    assert "Mon 4 May 2026" in page
    assert [page.index(event) for event in film.events] == sorted(page.index(event) for event in film.events)
    assert "08:59:51" in page
    assert "boat <b>91 %</b>" in page
    assert "nothing recognised" in page
    assert f"/events/{ARCHIVE}/{film.events[0]}/0.jpg?size=small" in page
    assert "08:00 UTC: 2 events, 2 to look at" in page
    assert "09:00 UTC: 1 event, 1 to look at" in page, "an event is shown in the hour in which it begins"


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({}, [0, 1, 2]),
        ({"hour": "8"}, [0, 1]),
        ({"hour": "09"}, [2]),
        ({"label": "tuna"}, [0]),
        ({"label": "tuna", "hour": "9"}, []),
        ({"camera": "C2_Hi"}, [0, 1, 2]),
        ({"camera": "C1"}, []),
        ({"state": "failed"}, []),
        ({"verdict": "open"}, [0, 1, 2]),
        ({"verdict": "accepted"}, []),
        ({"day": "2026-05-05"}, []),
    ],
)
def test_filters(client: TestClient, film: Filmed, filters: dict[str, str], shown: list[int]):
    page = client.get("/events", params={**DAY, **filters}).text
    assert [number for number, event in enumerate(film.events) if f'data-event="{event}"' in page] == shown
    if not shown:
        assert "No event" in page


@pytest.mark.parametrize(
    "filters", [{"hour": "24"}, {"verdict": "odd"}, {"camera": "../x"}, {"day": "yesterday"}, {"state": "x"}]
)
def test_filters_that_make_no_sense(client: TestClient, film: Filmed, filters: dict[str, str]):
    assert client.get("/events", params={**DAY, **filters}).status_code in {400, 422}
    assert client.get("/events", params={"archive": "Nobody"}).status_code == 404


def test_events_come_in_pages(client: TestClient, film: Filmed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside_airflow.web.events.PER_PAGE", 2)
    first, last = (client.get("/events", params={**DAY, "page": page}).text for page in (1, 9))
    assert "Page 1 of 2" in first
    assert "Page 2 of 2" in last
    assert (first.count("data-event="), last.count("data-event=")) == (2, 1)


def test_the_page_of_one_event(client: TestClient, film: Filmed):
    page = client.get(f"/events/{ARCHIVE}/{film.events[0]}").text
    for words in (
        "Mon 4 May 2026, 08:59:51 UTC",
        film.sha256,
        film.file.name,
        "2026-05-04 08:59:53.000 UTC",
        "onnx:WaysideV1",
        "160 × 120, h264, 5 pictures/s",
        f"/events/{ARCHIVE}/{film.events[0]}/cut.mp4",
        f"/events/{ARCHIVE}/{film.events[0]}/1.jpg",
        '<rect x="16.0" y="24.0" width="64.0" height="48.0"/>',
        "boat 91 %",
        '<option value="human">',
    ):
        assert words in page, words
    assert 'rel="prev"' not in page
    assert f"{film.events[1]}?day=2026-05-04" in page


def test_the_steps_stay_among_the_events_that_fit(client: TestClient, film: Filmed):
    say(client, film.events[1], "accepted")
    page = client.get(f"/events/{ARCHIVE}/{film.events[0]}", params={"day": "2026-05-04", "verdict": "open"}).text
    assert f"{film.events[2]}?day=2026-05-04&amp;verdict=open" in page
    here = client.get(f"/events/{ARCHIVE}/{film.events[1]}", params={"day": "2026-05-04", "verdict": "open"}).text
    assert f"{film.events[0]}?" in here, "one that fits no more keeps its place"
    assert f"{film.events[2]}?" in here
    last = client.get(f"/events/{ARCHIVE}/{film.events[2]}", params={"day": "2026-05-04", "verdict": "open"}).text
    assert f"{film.events[1]}?" in last, "back to what was open a moment ago"


def test_an_event_of_imported_labels_has_no_video(client: TestClient, lake: ParquetWarehouse):
    add_imported_event(lake)
    page = client.get(f"/events/{ARCHIVE}/imported-1").text
    assert "only labels were imported" in page
    assert "&lt;tuna&gt;" in page
    assert "<video" not in page
    assert client.get(f"/events/{ARCHIVE}/imported-1/cut.mp4").status_code == 404
    assert say(client, "imported-1", "accepted").json()["verdict"] == "accepted"


@pytest.mark.parametrize("event", ["none-1", "..%2F..%2Fx", "a.b", "x" * 200])
def test_unknown_events(client: TestClient, film: Filmed, event: str):
    for path in ("", "/0.jpg", "/cut.mp4"):
        assert client.get(f"/events/{ARCHIVE}/{event}{path}").status_code in {400, 404}
    assert client.post(f"/events/{ARCHIVE}/{event}/verdict", data={"verdict": "accepted"}).status_code in {400, 404}


# Pictures


def test_pictures(client: TestClient, film: Filmed):
    address = f"/events/{ARCHIVE}/{film.events[0]}/0.jpg"
    answer = client.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert client.get(address, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    small = client.get(address, params={"size": "small"})
    assert small.headers["etag"] != answer.headers["etag"]
    assert client.get(address.replace("0.jpg", "7.jpg")).status_code == 404
    assert client.get(address.replace("0.jpg", "1000.jpg")).status_code == 422


# Cuts


def test_a_cut_plays_and_is_made_once(client: TestClient, film: Filmed, settings: Settings):
    address = f"/events/{ARCHIVE}/{film.events[0]}/cut.mp4"
    whole = client.get(address)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "private, no-cache"
    with av.open(io.BytesIO(whole.content)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = sum(1 for _ in container.decode(stream))
    assert frames == 20, "four seconds: a second before and after an event of two"
    (kept,) = (settings.state / "videos" / ARCHIVE / "cuts").iterdir()
    film.file.unlink()
    assert client.get(address).content == kept.read_bytes() == whole.content


def test_ranges_of_a_cut(client: TestClient, film: Filmed):
    address = f"/events/{ARCHIVE}/{film.events[0]}/cut.mp4"
    head = client.head(address)
    whole = client.get(address).content
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(whole)
    etag = head.headers["etag"]

    def part(text: str, **headers: str):
        return client.get(address, headers={"range": text, **headers})

    first = part("bytes=0-99")
    assert (first.status_code, first.content) == (206, whole[:100])
    assert first.headers["content-range"] == f"bytes 0-99/{len(whole)}"
    assert part("bytes=-50").content == whole[-50:]
    assert part("bytes=100-").content == whole[100:]
    beyond = part(f"bytes={len(whole)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    assert part("bytes=0-9", **{"if-range": etag}).status_code == 206
    assert part("bytes=0-9", **{"if-range": '"another"'}).content == whole
    assert part("lines=1-2").status_code == 400


def test_a_file_that_changed_is_not_shown(client: TestClient, film: Filmed):
    data = bytearray(film.file.read_bytes())
    film.file.write_bytes(data + b"\0")
    address = f"/events/{ARCHIVE}/{film.events[0]}/cut.mp4"
    answer = client.get(address, headers={"accept": "*/*"})
    assert (answer.status_code, "not the one that was imported" in answer.json()["detail"]) == (409, True)
    data[-1] ^= 1
    film.file.write_bytes(data)
    assert client.get(address).status_code == 409, "the size is the same, the hash is not"
    film.file.unlink()
    assert client.get(address).status_code == 404


def test_two_cuts_are_made_at_once_and_the_third_waits(
    client: TestClient, film: Filmed, monkeypatch: pytest.MonkeyPatch
):
    begun, may_end = [Event(), Event()], Event()

    def slow(*_args: object, **_more: object) -> bytes:
        next((one for one in begun if not one.is_set()), may_end).set()
        assert may_end.wait(10)
        return b"cut"

    monkeypatch.setattr("wayside.media.cut.cut", slow)
    addresses = [f"/events/{ARCHIVE}/{event}/cut.mp4" for event in film.events]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.get, addresses[0])
        assert begun[0].wait(10)
        second = threads.submit(client.get, addresses[1])
        assert begun[1].wait(10)
        third = client.get(addresses[2])
        may_end.set()
        assert (first.result().content, second.result().content) == (b"cut", b"cut")
    assert (third.status_code, third.headers["retry-after"]) == (503, "5")
    assert client.get(addresses[2]).status_code == 200


def test_the_cuts_that_nobody_looks_at_go_first(
    client: TestClient, film: Filmed, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("wayside.media.cut.cut", lambda *_args, **_more: bytes(100))
    monkeypatch.setattr(event_files, "MOST_BYTES", 250)
    for event in (film.events[0], film.events[1], film.events[0], film.events[2]):
        assert client.get(f"/events/{ARCHIVE}/{event}/cut.mp4").status_code == 200
    left = {path.name.rpartition("-")[0] for path in (settings.state / "videos" / ARCHIVE / "cuts").iterdir()}
    assert left == {film.events[0], film.events[2]}


# Verdicts


def test_a_verdict_is_written_back_with_its_author(client: TestClient, film: Filmed, lake: ParquetWarehouse):
    before = utc_now()
    told = say(client, film.events[0], "accepted").json()
    assert told["verdict"] == "accepted"
    assert told["author"] == "ada"
    (row,) = lake.read(EVENT_REVIEWS, SCOPE).to_pylist()
    assert (row["event"], row["verdict"], row["labels"], row["author"]) == (film.events[0], "accepted", None, "ada")
    assert before <= row["reviewed_at"] <= utc_now()
    page = client.get(f"/events/{ARCHIVE}/{film.events[0]}").text
    assert "by ada" in page
    assert list(lake.outbox.root.rglob("*event_reviews*")), "it goes to other warehouses too"
    grid = client.get("/events", params={**DAY, "verdict": "open"}).text
    assert f'data-event="{film.events[0]}"' not in grid


def test_labels_that_a_person_gives_count_more(client: TestClient, film: Filmed, lake: ParquetWarehouse):
    told = say(client, film.events[0], "relabelled", " blue shark, Tümmler ,blue shark,\n").json()
    assert told["given"] == ["blue shark", "Tümmler"]
    (row,) = lake.read(EVENT_REVIEWS, SCOPE).to_pylist()
    assert json.loads(row["labels"]) == ["blue shark", "Tümmler"]
    for label, fits in (("Tümmler", True), ("tuna", False), ("shark", False)):
        page = client.get("/events", params={**DAY, "label": label}).text
        assert (f'data-event="{film.events[0]}"' in page) == fits
    page = client.get(f"/events/{ARCHIVE}/{film.events[0]}").text
    assert 'value="blue shark, Tümmler"' in page
    assert "given by ada; the machine said" in page


def test_a_second_verdict_replaces_the_first_and_may_be_taken_back(
    client: TestClient, film: Filmed, lake: ParquetWarehouse
):
    say(client, film.events[1], "rejected")
    say(client, film.events[0], "relabelled", "x")
    say(client, film.events[0], "accepted")
    rows = {row["event"]: row for row in lake.read(EVENT_REVIEWS, SCOPE).to_pylist()}
    assert (rows[film.events[0]]["verdict"], rows[film.events[0]]["labels"]) == ("accepted", None)
    assert rows[film.events[1]]["verdict"] == "rejected"
    assert say(client, film.events[0], "none").json()["verdict"] == "open"
    assert [row["event"] for row in lake.read(EVENT_REVIEWS, SCOPE).to_pylist()] == [film.events[1]]


@pytest.mark.parametrize(
    ("verdict", "labels"),
    [("good", ""), ("", ""), ("relabelled", ""), ("relabelled", " , "), ("relabelled", "x" * 101),
     ("relabelled", "a\x00b"), ("relabelled", ",".join(map(str, range(51))))],
)  # fmt: skip
def test_verdicts_that_make_no_sense(
    client: TestClient, film: Filmed, lake: ParquetWarehouse, verdict: str, labels: str
):
    assert say(client, film.events[0], verdict, labels).status_code == 400
    assert not lake.published(EVENT_REVIEWS, SCOPE)


def test_a_browser_without_scripts_is_led_back(client: TestClient, film: Filmed):
    answer = client.post(f"/events/{ARCHIVE}/{film.events[0]}/verdict", data={"verdict": "accepted"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/events/{ARCHIVE}/{film.events[0]}")


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200)])
def test_other_sites_may_not_write(client: TestClient, film: Filmed, site: str, status: int):
    assert say(client, film.events[0], "accepted", **{"sec-fetch-site": site}).status_code == status


def test_forms_are_small_and_of_one_kind(client: TestClient, film: Filmed):
    address = f"/events/{ARCHIVE}/{film.events[0]}/verdict"
    assert client.post(address, json={"verdict": "accepted"}).status_code == 415
    assert say(client, film.events[0], "relabelled", "x" * 70_000).status_code == 413
    assert client.post(address, content=b"verdict=%ff", headers=FORM).status_code == 400


def test_a_verdict_finds_its_event_wherever_it_is_published(lake: ParquetWarehouse, film: Filmed):
    assert reviews.place_of(lake, ARCHIVE, film.events[2]) == SCOPE
    row = reviews.review(lake, ARCHIVE, film.events[2], "accepted", author="ada", at=utc_now())
    assert row is not None
    assert reviews.find(lake, SCOPE, film.events[2]).review["verdict"] == "accepted"
    with pytest.raises(ConfigError, match="has no event"):
        reviews.review(lake, ARCHIVE, "gone-1", "accepted", author="ada", at=utc_now())


def test_reviewers_at_once_lose_nothing(lake: ParquetWarehouse, film: Filmed):
    with ThreadPoolExecutor(3) as threads:
        for event in film.events:
            threads.submit(reviews.review, lake, ARCHIVE, event, "accepted", author=event, at=utc_now())
    assert {row["author"] for row in lake.read(EVENT_REVIEWS, SCOPE).to_pylist()} == set(film.events)


def test_removed_pictures_are_told(client: TestClient, film: Filmed, settings: Settings):
    Shelf(settings.state, ARCHIVE).drop(film.events[0])
    assert client.get(f"/events/{ARCHIVE}/{film.events[0]}/0.jpg").status_code == 404
    assert client.get(f"/events/{ARCHIVE}/{film.events[0]}").status_code == 200
