"""The demo city on the wire: the shapes of TfL and the Urban Observatory, and the faults."""

import asyncio
import gzip
import http.client
import io
import json
import logging
import struct
import urllib.error
import urllib.request
import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import cv2
import numpy as np
import pytest

from wayside.sources.demo import server as module
from wayside.sources.demo import trouble
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.feeds import API
from wayside.sources.demo.render import expected_counts, truth
from wayside.sources.demo.server import DemoServer, running

MORNING = datetime(2026, 6, 16, 7, 0, 20, tzinfo=UTC)
CITY = DemoCity()
FAULTS = {fault.kind: fault.camera_id for fault in CITY.faults()}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def get(url, method="GET", timeout=10, **headers):
    request = urllib.request.Request(url, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def get_json(url):
    status, headers, body = get(url)
    assert status == 200, (url, status, body)
    assert headers.get_content_type() == "application/json"
    return json.loads(body)


@pytest.fixture(scope="module")
def shared():
    with running(CITY, MORNING, slow_seconds=0.01) as server:
        yield server


@pytest.fixture
def server(shared):
    shared.clock = MORNING
    return shared


def series_of(server, camera_id):
    """The time series of a camera as the listing shows it."""
    page = get_json(f"{server.base_url}/api/v2/sensors/entity/?metric=%22Camera%20image%22&pageSize=100")
    feeds = [feed for item in page["items"] for feed in item["feed"]]
    return next(f["timeseries"][0] for f in feeds if f["brokerage"][0]["sourceId"] == camera_id)


def link(thing, rel):
    return next(entry["href"] for entry in thing["links"] if entry["rel"] == rel)


def test_jamcams_are_listed_as_tfl_lists_them(server):
    places = get_json(f"{server.base_url}/Place/Type/JamCam")
    assert len(places) == CITY.tfl_cameras
    for place, camera in zip(places, CITY.cameras("tfl"), strict=True):
        values = {entry["key"]: entry["value"] for entry in place["additionalProperties"]}
        assert place["id"] == f"JamCams_{camera.id}"
        assert place["placeType"] == "JamCam"
        assert set(values) == {"imageUrl", "videoUrl", "view", "available"}
        assert values["imageUrl"] == f"{server.base_url}/jamcams/{camera.id}.jpg"
        assert abs(place["lat"] - 51.5) < 0.1
    assert set(places[0]) >= {"id", "url", "commonName", "placeType", "lat", "lon", "children", "childrenUrls"}


def test_a_picture_changes_every_five_minutes_and_is_not_sent_twice(server):
    url = f"{server.base_url}/jamcams/{CITY.tfl(0).id}.jpg"
    status, headers, body = get(url)
    assert (status, headers["Content-Type"], body[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert cv2.imdecode(np.frombuffer(body, np.uint8), 1).shape == (288, 352, 3)
    assert get(url, If_None_Match=f'"other", W/{headers["ETag"]}')[0] == 304
    assert get(url, If_Modified_Since=headers["Last-Modified"])[0] == 304
    assert get(url, If_None_Match='"other"', If_Modified_Since=headers["Last-Modified"])[0] == 200
    assert get(url, If_Modified_Since="never")[0] == 200
    status, head, nothing = get(url, method="HEAD")
    assert (status, head["ETag"], head["Content-Length"], nothing) == (200, headers["ETag"], str(len(body)), b"")
    server.clock = MORNING + timedelta(minutes=6)
    assert get(url)[1]["ETag"] != headers["ETag"]


def test_entities_are_paged_and_found_by_their_camera(server):
    many = DemoCity(seed=3, tfl_cameras=0, uo_cameras=100)
    with running(many, MORNING) as other:
        url = f"{other.base_url}/api/v2/sensors/entity/?metric=%22Camera%20image%22&page="
        first = get_json(url + "1")
        assert first["pagination"] == {"pageNumber": 1, "pageSize": 10, "pageCount": 8, "total": 75}
        pages = [get_json(url + str(number))["items"] for number in range(1, 10)]
        assert [len(items) for items in pages] == [10] * 7 + [5, 0]
        named = {f["brokerage"][0]["sourceId"] for items in pages for item in items for f in item["feed"]}
        assert named == {camera.id for camera in many.cameras("uo")}
        pole = many.uo(3).folder
        url = f"{other.base_url}/api/v2/sensors/entity?metric='Camera%20image'&brokerage:sourceId={quote(pole)}"
        (found,) = get_json(url)["items"]
        assert [f["metric"] for f in found["feed"]] == ["Camera image: View 01", "Camera image: View 02"]
        assert get_json(link(found, "self.friendly")) == get_json(link(found, "self")) == found
        assert get_json(f"{other.base_url}/api/v2/sensors/entity?metric=CO2")["items"] == []


def test_the_history_leads_to_pictures_and_their_truth(server):
    camera = CITY.uo(0)
    series = series_of(server, camera.id)
    url = link(series, "archives.friendly") + "?startTime=2026-06-15T23:00:00&endTime=2026-06-16T00:30:00Z"
    values = get_json(url)["historic"]["values"]
    times = [datetime.fromisoformat(value["time"]) for value in values]
    assert times == sorted(times, reverse=True)
    assert 16 <= len(times) <= 19
    assert values == get_json(url.replace(".friendly", ""))["historic"]["values"]
    for value, time in list(zip(values, times, strict=True))[:2]:
        assert value["value"].endswith(f"/camera-feeds/{camera.folder}/{time:%Y%m%d/%H%M%S}.jpg")
        assert value["duration"] < 0
        status, _, body = get(value["value"])
        assert (status, cv2.imdecode(np.frombuffer(body, np.uint8), 1).shape) == (200, (480, 640, 3))
    at = times[0]
    told = get_json(f"{server.base_url}/truth/{camera.id}?at={at:%Y-%m-%dT%H:%M:%SZ}")
    assert told["expected_counts"] == expected_counts(camera, at)
    assert len(told["objects"]) == len(truth(camera, at))
    assert told["fault"] is None
    latest = datetime.fromisoformat(series["latest"]["time"])
    assert timedelta(0) <= MORNING - latest < timedelta(minutes=10)


def test_what_has_not_happened_cannot_be_had(server):
    folder = CITY.uo(0).folder
    for path in ("20260616/080000", "20260631/080000", "20260616/256199"):
        assert get(f"{server.base_url}/camera-feeds/{folder}/{path}.jpg")[0] == 404
    for path in ("/camera-feeds/NONE/20260616/050000.jpg", "/jamcams/1.jpg", "/truth/NONE", "/faults/none.jpg",
                 "/api/v2/sensors/entity/none", "/api/v2/sensors/timeseries/none/historic"):  # fmt: skip
        assert get(server.base_url + path)[0] == 404
    series = link(series_of(server, CITY.uo(0).id), "archives")
    for question in (f"{server.base_url}/truth/{CITY.uo(0).id}?at=noon", f"{series}?startTime=x",
                     f"{series}?startTime=2020-01-01T00:00:00Z", f"{server.base_url}{API}/entity?page=0"):  # fmt: skip
        assert get(question)[0] == 400


def test_two_views_of_a_pole_take_turns(server):
    one, two = CITY.uo(2), CITY.uo(3)
    assert one.folder == two.folder
    day = [datetime(2026, 6, 15, 3, tzinfo=UTC), datetime(2026, 6, 15, 6, tzinfo=UTC)]
    first, second = (set(CITY.taken_between(view, *day)) for view in (one, two))
    assert first
    assert second
    assert not first & second


def test_the_dead_camera_and_the_grey_card(server):
    dead, card = (f"{server.base_url}/jamcams/{FAULTS[kind]}.jpg" for kind in ("dead", "in-use"))
    assert get(dead)[0] == 200
    server.clock = MORNING.replace(hour=15, minute=30)
    assert get(dead)[0] == 404
    server.clock = MORNING.replace(hour=10, minute=30)
    grey = cv2.imdecode(np.frombuffer(get(card)[2], np.uint8), 1)
    assert (np.abs(grey.astype(int) - 128) < 6).mean() > 0.7
    places = get_json(f"{server.base_url}/Place/Type/JamCam")
    available = {
        p["id"][8:]: next(e["value"] for e in p["additionalProperties"] if e["key"] == "available") for p in places
    }
    assert [name for name, value in available.items() if value == "false"] == [FAULTS["in-use"]]


def test_the_frozen_camera_repeats_itself_and_the_half_frozen_one_its_rows(server):
    url = f"{server.base_url}/jamcams/{FAULTS['frozen']}.jpg"
    bodies = []
    for hour, minute in ((8, 10), (9, 20), (12, 50), (13, 10)):
        server.clock = MORNING.replace(hour=hour, minute=minute)
        bodies.append(get(url)[2])
    assert bodies[0] == bodies[1] == bodies[2] != bodies[3]
    server.clock = MORNING.replace(hour=12, minute=30)
    body = get(series_of(server, FAULTS["half-frozen"])["latest"]["value"])[2]
    image = cv2.imdecode(np.frombuffer(body, np.uint8), 1).astype(int)
    rows = np.abs(np.diff(image[330:], axis=0)).mean()
    assert rows < 0.5 < np.abs(np.diff(image[:300], axis=0)).mean()


def test_the_late_camera_is_missing_live_and_found_hours_later(server):
    camera = CITY.camera(FAULTS["late"])
    server.clock = MORNING.replace(hour=11)
    series = series_of(server, camera.id)
    assert series["latest"]["time"].startswith("2026-06-16T08:5")
    span = "?startTime=2026-06-16T09:30:00Z&endTime=2026-06-16T10:30:00Z"
    url = link(series, "archives.friendly") + span
    taken = CITY.taken_between(camera, *(datetime(2026, 6, 16, hour, 30, tzinfo=UTC) for hour in (9, 10)))
    picture = f"{server.base_url}/camera-feeds/{camera.folder}/{taken[0]:%Y%m%d/%H%M%S}.jpg"
    assert get_json(url)["historic"]["values"] == []
    assert get(picture)[0] == 404
    server.clock = MORNING.replace(hour=15)
    assert len(get_json(url)["historic"]["values"]) == len(taken)
    assert get(picture)[0] == 200
    silent = series_of(server, FAULTS["silent"])
    assert "latest" not in silent


def test_the_truncating_camera_sometimes_cuts_its_picture_and_the_slow_one_waits(server, monkeypatch):
    url = f"{server.base_url}/jamcams/{FAULTS['truncated']}.jpg"
    whole = []
    for number in range(16):
        server.clock = MORNING + timedelta(minutes=5 * number)
        whole.append(get(url)[2].endswith(b"\xff\xd9"))
    assert 0 < whole.count(False) < 8
    waits, sleep = [], asyncio.sleep
    monkeypatch.setattr(module.asyncio, "sleep", lambda seconds: waits.append(seconds) or sleep(0))
    assert get(f"{server.base_url}/jamcams/{FAULTS['slow']}.jpg")[0] == 200
    assert waits == [0.01]


@pytest.mark.parametrize(
    ("kind", "status", "type_", "check"),
    [
        ("404", 404, "text/plain", lambda body: b"404" in body),
        ("500", 500, "text/plain", lambda body: b"500" in body),
        ("truncated", 200, "image/jpeg", lambda body: trouble.good().startswith(body) and body != trouble.good()),
        ("empty", 200, "image/jpeg", lambda body: body == b""),
        ("text", 200, "text/plain", lambda body: body == b"not an image"),
        ("wrong-type", 200, "text/html", lambda body: body == trouble.good()),
        ("bomb", 200, "image/png", lambda body: struct.unpack(">II", body[16:24]) == (30000, 30000)),
        ("bomb-jpeg", 200, "image/jpeg", lambda body: struct.pack(">HH", 30000, 30000) in body and len(body) < 1000),
        ("gzip-bomb", 200, "image/jpeg", lambda body: len(body) < 2_000_000 and body[:2] == b"\x1f\x8b"),
    ],
)
def test_ways_to_fail(server, kind, status, type_, check):
    answer = get(f"{server.base_url}/faults/{kind}.jpg")
    assert (answer[0], answer[1].get_content_type()) == (status, type_)
    assert check(answer[2])


def test_redirects_lead_nowhere_good(server):
    status, headers, _ = get(f"{server.base_url}/faults/redirect-metadata.jpg")
    assert (status, headers["Location"]) == (302, "http://169.254.169.254/latest/")
    status, headers, _ = get(f"{server.base_url}/faults/redirect-loop.jpg")
    assert (status, headers["Location"]) == (302, "/faults/redirect-loop.jpg")


def test_huge_answers_are_announced_or_not_and_stop_when_nobody_reads(server):
    for kind, length in (("huge", str(10 * 1000**3)), ("huge-chunked", None)):
        connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=5)
        connection.request("GET", f"/faults/{kind}.jpg")
        answer = connection.getresponse()
        assert answer.headers["Content-Length"] == length
        assert len(answer.read(1 << 20)) == 1 << 20
        answer.close()
        connection.close()


def test_hanging_dripping_and_broken_answers(server):
    with pytest.raises(TimeoutError):
        get(f"{server.base_url}/faults/timeout.jpg", timeout=0.05)
    with pytest.raises(http.client.IncompleteRead):
        get(f"{server.base_url}/faults/close-mid-body.jpg")
    with pytest.raises(TimeoutError):
        get(f"{server.base_url}/faults/slow.jpg", timeout=0.05)


def test_the_bombs_are_what_they_claim():
    png = trouble.png_bomb()
    start = png.index(b"IDAT") + 4
    (size,) = struct.unpack(">I", png[start - 8 : start - 4])
    unpacker, total = zlib.decompressobj(), 0
    for at in range(start, start + size, 1 << 14):
        total += len(unpacker.decompress(png[at : min(at + (1 << 14), start + size)]))
    assert total == 30000 * 3751
    with gzip.open(io.BytesIO(trouble.gzip_bomb())) as bomb:
        assert bomb.read(100_000_000).count(0) == 100_000_000


def test_the_status_page_and_every_fault_is_reachable_from_it(server):
    status, headers, body = get(server.base_url + "/")
    assert (status, headers.get_content_type()) == (200, "text/html")
    assert all(f"/faults/{kind}.jpg" in body.decode() for kind in trouble.KINDS)
    assert all(fault.camera_id in body.decode() for fault in CITY.faults())


def test_it_answers_on_loopback_only_and_says_when_the_port_is_taken(server):
    with pytest.raises(ValueError, match="loopback only"):
        DemoServer(CITY, host="0.0.0.0")
    with pytest.raises(OSError, match="address already in use"), running(CITY, MORNING, port=server.port):
        pass


def test_the_command_serves_until_it_is_told_to_stop(caplog, monkeypatch):
    """`main` logs its address, answers, and leaves when its signal handler is called."""
    handlers = {}

    async def serve(server):
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "add_signal_handler", handlers.__setitem__)
        task = asyncio.create_task(module._serve_until_told(server))
        while "answers at" not in caplog.text:
            await asyncio.sleep(0)
        status, _, _ = await asyncio.to_thread(get, server.base_url + "/")
        next(iter(handlers.values()))()
        await task
        return status

    with caplog.at_level(logging.INFO):
        assert asyncio.run(serve(DemoServer(CITY, MORNING))) == 200
    assert "has closed" in caplog.text
