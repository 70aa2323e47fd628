"""The faults of the demo city's cameras end as rows with the right reason, by the filters that come with Wayside."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.stubs import StubDetector, found

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES, COUNTS, DETECTIONS, FRAMES
from wayside.quality.faulty import FaultyImageFilterV1
from wayside.quality.static import StaticObjectFilterV1
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.server import DemoServer, running
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline
from wayside.warehouse.scope import Scope

CITY = DemoCity(tfl_cameras=6, uo_cameras=4)
TFL, OBSERVATORY = "Demo-city", "Demo-observatory"
MORNING, AFTERNOON = Slot.parse("20260616T1010Z"), Slot.parse("20260616T1510Z")
SLOTS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with running(CITY, MORNING.start, slow_seconds=0.0) as server:
        yield server


@pytest.fixture(scope="module")
def analysed(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """Three slots in the morning and three in the afternoon, of both sources."""
    chosen = Settings(state=tmp_path_factory.mktemp("state"), fetch_backoff=0.001, workers=2, _env_file=None)
    detector: Any = StubDetector(lambda _: found("car", "person"))
    made = StillPipeline("StubV1", FaultyImageFilterV1(), detector, StaticObjectFilterV1(), chosen)
    work = Ingest(chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYSIDE_DEMO_URL", server.base_url)
        for slot in (first.shift(step) for first in (MORNING, AFTERNOON) for step in range(SLOTS)):
            now = slot.start + timedelta(seconds=20)
            server.clock = work.clock = lambda now=now: now
            for source in (TFL, OBSERVATORY):
                asyncio.run(work.run_slot(source, slot, made))
        yield work


def row(work: Ingest, source: str, slot: Slot, camera: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The frame and the count of one camera at a slot."""
    frames = work.warehouse.read(FRAMES, Scope(source, slot)).to_pylist()
    counts = work.warehouse.read(COUNTS, Scope(source, slot, "StubV1")).to_pylist()
    (frame,), (count,) = ([row for row in rows if row["camera"] == camera] for rows in (frames, counts))
    return frame, count


def test_a_healthy_camera_is_counted(analysed: Ingest):
    frame, count = row(analysed, TFL, MORNING.next, CITY.tfl(0).id)
    assert (frame["status"], frame["reason"], frame["width"], frame["height"]) == ("ok", None, 352, 288)
    assert (count["faulty"], count["missing"], count["reason"], count["neighbours"]) == (False, False, None, "both")
    assert (count["bus"], count["truck"]) == (0, None)
    scope = Scope(TFL, MORNING.next, "StubV1")
    mine = [r for r in analysed.warehouse.read(DETECTIONS, scope).to_pylist() if r["camera"] == CITY.tfl(0).id]
    assert len(mine) == 2
    assert count["car"] + count["person"] == sum(not r["static"] for r in mine)


def test_pictures_of_the_observatory_are_made_small(analysed: Ingest):
    frame, _ = row(analysed, OBSERVATORY, MORNING.next, CITY.uo(0).id)
    assert (frame["status"], frame["width"], frame["height"]) == ("ok", 440, 330)


@pytest.mark.parametrize(
    ("camera", "out", "back"), [(1, AFTERNOON.next, MORNING.next), (3, MORNING.next, AFTERNOON.next)]
)
def test_a_camera_that_is_listed_as_out_of_service_is_missing(analysed: Ingest, camera: int, out: Slot, back: Slot):
    frame, count = row(analysed, TFL, out, CITY.tfl(camera).id)
    assert (frame["status"], frame["reason"], frame["http_status"]) == ("missing", "unavailable", None)
    assert (count["missing"], count["faulty"], count["reason"]) == (True, False, "unavailable")
    assert row(analysed, TFL, back, CITY.tfl(camera).id)[1]["missing"] is False


def test_a_frozen_camera_is_faulty_from_its_second_picture_on(analysed: Ingest):
    frame, count = row(analysed, TFL, MORNING.next, CITY.tfl(2).id)
    assert (frame["status"], frame["reason"]) == ("ok", "not_modified")
    assert (count["faulty"], count["reason"]) == (True, "identical_to_previous")
    assert [count[name] for name in COUNT_CLASSES] == [None] * 7
    assert row(analysed, TFL, AFTERNOON.next, CITY.tfl(2).id)[1]["faulty"] is False


def test_a_slow_camera_is_waited_for(analysed: Ingest):
    assert row(analysed, TFL, MORNING.next, CITY.tfl(4).id)[0]["status"] == "ok"


def test_a_truncated_picture_is_failed_and_its_count_missing(analysed: Ingest):
    slots = [slot.shift(step) for slot in (MORNING, AFTERNOON) for step in range(SLOTS - 1)]
    pairs = [row(analysed, TFL, slot, CITY.tfl(5).id) for slot in slots]
    cut = [pair for pair in pairs if pair[0]["status"] == "failed"]
    assert cut, "the city's fifth camera sends half a picture now and then"
    for frame, count in cut:
        assert (frame["reason"], frame["uri"]) == ("truncated", None)
        assert (count["missing"], count["reason"]) == (True, "truncated")


def test_a_half_frozen_picture_is_faulty(analysed: Ingest):
    _, count = row(analysed, OBSERVATORY, AFTERNOON.next, CITY.uo(1).id.replace(":V", "-View_"))
    assert count["faulty"] is True
    assert count["reason"] in {"frozen_rows", "truncated"}


def test_a_late_camera_is_missing_for_now(analysed: Ingest):
    frame, count = row(analysed, OBSERVATORY, MORNING.next, CITY.uo(2).id.replace(":V", "-View_"))
    assert (frame["status"], frame["reason"]) == ("missing", "stale")
    assert (count["missing"], count["reason"]) == (True, "stale")


def test_cameras_that_are_known_by_address_alone_show_their_faults(server: DemoServer, tmp_path: Path):
    """A list of addresses, as chrono_lens kept it, cannot say that a camera is out of service."""
    config = tmp_path / "include" / "config"
    config.mkdir(parents=True)
    addresses = [f"{server.base_url}/jamcams/{CITY.tfl(camera).id}.jpg" for camera in range(6)]
    (config / "addresses.json").write_text(json.dumps(addresses))
    spec = {"kind": "url_list", "url": "addresses.json", "hosts": [f"127.0.0.1:{server.port}"], "allow_loopback": True}
    (config / "sources.yaml").write_text(json.dumps({"sources": {"City-images": spec}}))
    chosen = Settings(home=tmp_path, fetch_backoff=0.001, workers=2, _env_file=None)
    made = StillPipeline("StubV1", FaultyImageFilterV1(), None, None, chosen)
    work = Ingest(chosen, lag=0)
    outcomes = {}
    for slot in (MORNING, AFTERNOON):
        server.clock = work.clock = lambda slot=slot: slot.start + timedelta(seconds=20)
        asyncio.run(work.run_slot("City-images", slot, made))
        for camera in (1, 3):
            _, count = row(work, "City-images", slot, CITY.tfl(camera).id)
            outcomes[camera, slot] = (count["missing"], count["faulty"], count["reason"])
    assert outcomes == {
        (1, MORNING): (False, False, None),
        (3, MORNING): (False, True, "placeholder"),
        (1, AFTERNOON): (True, False, "http_404"),
        (3, AFTERNOON): (False, False, None),
    }
