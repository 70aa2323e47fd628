"""The back-fill: late pictures, better pictures and stills that were never run end in the tables of a day on time."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.peers.jamcams import JamCams
from tests.peers.late_city import SOURCE, LateCity, dark, street, taken
from tests.peers.observatory import BASE
from tests.peers.pictures import Peer, running
from tests.stills.conftest import CITY
from tests.stills.late_runs import (
    AFTER,
    DAY,
    LAST,
    MIDNIGHT,
    SLOTS,
    STUB,
    Days,
    back_fill,
    comparable,
    live,
    made,
    work_at,
)
from tests.stills.published import tables

from wayside.core.errors import AuditError, ConfigError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, COUNTS, DETECTIONS, FRAMES, RUNS, SLOT_RUNS
from wayside.stills import late
from wayside.stills.ingest import Ingest
from wayside.store import picture_key
from wayside.vision.detections import Detections
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope

CAMERAS = 10
TODAY = SLOTS[2:]
ONE = "NC_B004"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running() as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYSIDE_DEMO_URL", found.url)
        yield found


def fresh(peer: Peer) -> LateCity:
    """The city as it is before anything comes late; at the same address for all tests, since states are shared."""
    peer.routes.clear()
    peer.calls.clear()
    return LateCity(peer, CAMERAS, [*SLOTS, LAST])


@pytest.fixture
def city(peer: Peer) -> LateCity:
    return fresh(peer)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    return Days(tmp_path_factory.mktemp("days"))


@pytest.fixture
def settings(days: Days) -> Settings:
    return days.empty()


@pytest.fixture(scope="module")
def on_time(days: Days, peer: Peer) -> dict[str, Any]:
    """The tables of days on which every picture came in time."""
    days.live(days.empty(), fresh(peer))
    return comparable(days.state)


def counts_at(settings: Settings, slot: Slot, camera: str = ONE, pipeline: str = STUB) -> dict[str, Any]:
    rows = Ingest(settings).warehouse.read(COUNTS, Scope(SOURCE, slot, pipeline)).to_pylist()
    return next(row for row in rows if row["camera"] == camera)


def frame_at(settings: Settings, slot: Slot, camera: str = ONE) -> dict[str, Any]:
    rows = Ingest(settings).warehouse.read(FRAMES, Scope(SOURCE, slot)).to_pylist()
    return next(row for row in rows if row["camera"] == camera)


# Acceptance: 40 % late


def test_a_day_with_40_percent_late_ends_as_a_day_on_time(
    settings: Settings, city: LateCity, days: Days, on_time: dict[str, Any]
):
    number = city.delay_some(TODAY, 0.4, seed=3)
    days.live(settings, city, "40 percent late")
    expected = on_time
    assert comparable(settings.state) != expected
    shards = settings.model_copy(update={"shard_cameras": 4})
    told = back_fill(shards, city)
    assert (told["fetched"], told["replaced"], told["left"]) == (number, 0, 0)
    assert 0 < told["changed"] <= told["analysed"] < CAMERAS * len(SLOTS)
    assert comparable(settings.state) == expected
    assert sum(rows.num_rows for name, rows in expected.items() if name.startswith("detections")) > 100
    unusable = [counts_at(settings, slot)["missing"] for slot in SLOTS]
    assert not any(unusable)


def test_a_second_back_fill_asks_nobody_and_changes_no_file(settings: Settings, city: LateCity, days: Days):
    city.delay_some(TODAY, 0.4, seed=3)
    days.live(settings, city, "40 percent late")
    back_fill(settings, city)
    root = settings.lake / "published"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.parquet") if "camera_days" not in str(path)}
    city.peer.calls.clear()
    told = back_fill(settings, city)
    assert told == {"asked": 0, "fetched": 0, "replaced": 0, "analysed": 0, "changed": 0, "left": 0}
    assert not city.peer.calls
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_stills_near_a_late_picture_are_analysed(settings: Settings, city: LateCity, days: Days):
    slot = SLOTS[5]
    city.delay(ONE, slot)
    days.live(settings, city, "one late")
    before = tables(settings.state)
    told = back_fill(settings, city)
    assert (told["asked"], told["fetched"], told["analysed"]) == (1, 1, 3)
    after = tables(settings.state)
    changed = {name for name in before if after[name] != before[name]}
    near = {when.hhmm for when in (slot.previous, slot, slot.next)}
    assert {name.rpartition("/")[2][:4] for name in changed} <= near | {slot.shift(2).hhmm}
    for name in changed:
        if name.startswith(("counts", "detections")):
            others = [[row for row in rows[name].to_pylist() if row["camera"] != ONE] for rows in (before, after)]
            assert others[0] == others[1]
    assert city.peer.calls[f"{BASE}/entity/{ONE}"] == 1


@pytest.mark.parametrize("late_slot", [MIDNIGHT, MIDNIGHT.previous])
def test_neighbours_across_midnight_are_analysed_both_ways(
    settings: Settings, city: LateCity, on_time: dict[str, Any], late_slot: Slot
):
    city.delay(ONE, late_slot)
    live(settings, city)
    neighbour = late_slot.previous if late_slot == MIDNIGHT else late_slot.next
    assert counts_at(settings, neighbour)["neighbours"] != "both"
    back_fill(settings, city, late_slot.start.date())
    assert counts_at(settings, neighbour)["neighbours"] == "both"
    found, tables_of_stills = comparable(settings.state), ("frames", "counts", "detections")
    assert all(found[name] == rows for name, rows in on_time.items() if name.startswith(tables_of_stills))


def test_slots_that_were_never_run_are_made_up_for(settings: Settings, city: LateCity, on_time: dict[str, Any]):
    live(settings, city, [*SLOTS[:4], *SLOTS[7:], LAST])
    assert not Ingest(settings).warehouse.published(FRAMES, Scope(SOURCE, SLOTS[5]))
    told = back_fill(settings, city)
    assert told["fetched"] == 3 * CAMERAS
    assert comparable(settings.state) == on_time


def test_a_camera_that_was_not_there_gets_no_rows_of_that_day(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    city.views["NC_B999"] = type(city.views[ONE])("NC_B999", [taken(MIDNIGHT.shift(-400))])
    city.serve()
    city.now = AFTER
    asyncio.run(Ingest(settings).cameras(SOURCE))
    before = comparable(settings.state)
    back_fill(settings, city)
    assert comparable(settings.state) == before
    assert city.peer.calls[f"{BASE}/entity/NC_B999"] == 1


# Better pictures


def test_a_faulty_picture_is_replaced_by_a_better_one(
    settings: Settings, city: LateCity, days: Days, on_time: dict[str, Any]
):
    slot, view = SLOTS[5], city.views[ONE]
    early = taken(slot, timedelta(minutes=6))
    view.times = sorted([*view.times, early])
    view.bodies[early] = dark()
    city.delay(ONE, slot)
    days.live(settings, city, "dark and one late")
    assert counts_at(settings, slot)["reason"] == "dark"
    told = back_fill(settings, city)
    assert (told["asked"], told["fetched"], told["replaced"]) == (1, 0, 1)
    assert not counts_at(settings, slot)["faulty"]
    assert comparable(settings.state) == on_time
    stored = Ingest(settings).store.read(picture_key(SOURCE, slot, ONE))
    assert stored is not None
    assert stored.sha256 == frame_at(settings, slot)["sha256"]
    assert back_fill(settings, city)["asked"] == 0


def test_a_faulty_picture_stays_when_the_history_has_no_better_one(settings: Settings, city: LateCity, days: Days):
    slot, view = SLOTS[5], city.views[ONE]
    early = taken(slot, timedelta(minutes=6))
    view.times = sorted([*view.times, early])
    view.bodies[early] = dark()
    view.bodies[taken(slot)] = b"no picture at all"
    city.delay(ONE, slot)
    days.live(settings, city, "dark and one late")
    before = comparable(settings.state)
    told = back_fill(settings, city)
    assert (told["asked"], told["replaced"], told["changed"]) == (1, 0, 0)
    assert comparable(settings.state) == before
    assert city.peer.calls[view.address(city.peer, taken(slot)).removeprefix(city.peer.url)] == 1


def test_a_faulty_picture_that_is_the_one_on_offer_is_not_fetched_again(settings: Settings, city: LateCity):
    slot, view = SLOTS[5], city.views[ONE]
    view.bodies[taken(slot)] = dark()
    city.serve()
    live(settings, city)
    city.peer.calls.clear()
    assert back_fill(settings, city)["replaced"] == 0
    assert not any("camera-feeds" in path for path in city.peer.calls)


def test_a_picture_that_is_faulty_for_its_neighbours_alone_is_never_replaced(settings: Settings, city: LateCity):
    """Both neighbours come late: the one between counts as faulty, though nothing is wrong with it."""
    slot, view = SLOTS[5], city.views[ONE]
    city.delay(ONE, slot.previous)
    city.delay(ONE, slot.next)
    live(settings, city)
    assert counts_at(settings, slot)["reason"] == "no_neighbour"
    nearer = taken(slot, timedelta(minutes=1))
    view.times, view.bodies[nearer] = [*view.times, nearer], street(4, 777)
    city.serve()
    stored = frame_at(settings, slot)["sha256"]
    told = back_fill(settings, city)
    assert (told["fetched"], told["replaced"]) == (2, 0)
    assert not counts_at(settings, slot)["faulty"]
    assert frame_at(settings, slot)["sha256"] == stored


def test_what_a_killed_run_replaced_is_found_by_the_note_when_sizes_are_equal(
    settings: Settings, city: LateCity, days: Days
):
    """The size in `frames` may be that of the new picture by chance; the note of the killed run tells."""
    days.live(settings, city)
    slot, work = SLOTS[5], work_at(settings, AFTER)
    key = picture_key(SOURCE, slot, ONE)
    stored = work.store.read(key)
    assert stored is not None
    assert stored.meta is not None
    other = street(4, 900).ljust(len(stored.data), b"\0")
    if len(other) > len(stored.data):
        other = next(body for step in range(901, 1200) if len(body := street(4, step)) <= len(stored.data))
        other = other.ljust(len(stored.data), b"\0")
    assert work.store.replace(key, other, stored.meta, stored.sha256)
    assert back_fill(settings, city)["analysed"] == 0
    work.warehouse.save_plan(f"late-{SOURCE}-20260616-replacing", [(ONE, str(slot))])
    assert back_fill(settings, city)["analysed"] == 3
    stored = work.store.read(key)
    assert stored is not None
    assert frame_at(settings, slot)["sha256"] == stored.sha256


# What is kept


def test_rows_of_pictures_that_expired_stay(settings: Settings, city: LateCity, days: Days):
    city.delay(ONE, SLOTS[5])
    days.live(settings, city, "one late")
    store = Ingest(settings).store
    for slot in (SLOTS[4], SLOTS[6]):
        store.delete(picture_key(SOURCE, slot, ONE))
    before = {slot: counts_at(settings, slot) for slot in SLOTS[3:8]}
    back_fill(settings, city, mode="all")
    after = {slot: counts_at(settings, slot) for slot in SLOTS[3:8]}
    assert not after[SLOTS[5]]["missing"], "its own picture came"
    for slot in (SLOTS[3], SLOTS[4], SLOTS[6], SLOTS[7]):
        assert after[slot] == before[slot]


def test_a_published_picture_stays_when_the_history_has_forgotten_it(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    before = tables(settings.state)
    for view in city.views.values():
        view.times = []
    city.serve()
    Ingest(settings).store.delete(picture_key(SOURCE, SLOTS[5], ONE))
    back_fill(settings, city)
    after = tables(settings.state)
    assert {name: after[name] for name in before} == before


def test_a_source_without_a_history_heals_what_a_killed_run_stored(
    settings: Settings, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
):
    jam: JamCams = request.getfixturevalue("jam")
    slots = SLOTS[2:6]
    for slot in slots:
        jam.slot = slot
        work = work_at(settings, slot.start + timedelta(seconds=20))
        if slot != slots[2]:
            asyncio.run(work.run_slot(CITY, slot, made(settings)))
            continue
        for shard in asyncio.run(work.plan(CITY, slot)):  # killed before the frames were published
            asyncio.run(work.fetch(shard))
    jam.peer.calls.clear()
    work = work_at(settings, AFTER)
    (shard,) = late.plan(work, CITY, DAY)
    with caplog.at_level("INFO"):
        told = late.run_shard(work, shard, load=lambda name: made(settings, name))
    assert "keeps no old pictures" in caplog.text
    assert not jam.peer.calls
    assert told["fetched"] == 8
    frames = work.warehouse.read(FRAMES, Scope(CITY, slots[2]))
    assert frames.num_rows == work.warehouse.read(COUNTS, Scope(CITY, slots[2], STUB)).num_rows == 12
    assert not work.warehouse.published(FRAMES, Scope(CITY, slots[-1].next)), "nothing is said of slots never run"


@pytest.fixture
def jam(monkeypatch: pytest.MonkeyPatch) -> Iterator[JamCams]:
    from tests.peers import jamcams

    with jamcams.serving(12) as found:
        monkeypatch.setenv("WAYSIDE_DEMO_URL", found.url)
        yield found


# Pipelines and modes


def test_every_pipeline_that_has_counts_is_brought_up_to_date(
    settings: Settings, city: LateCity, days: Days, on_time: dict[str, Any]
):
    alone = settings.model_copy(update={"state": settings.state.with_name("alone")})
    live(alone, city, name="StubV2")
    city.delay_some(TODAY, 0.2, seed=6)
    days.live(settings, city, "20 percent late")
    live(settings, city, name="StubV2")
    back_fill(settings, city)
    assert comparable(settings.state) == on_time | comparable(alone.state)


def test_a_pipeline_that_is_listed_no_more_keeps_its_counts(
    settings: Settings, city: LateCity, days: Days, caplog: pytest.LogCaptureFixture
):
    city.delay(ONE, SLOTS[5])
    days.live(settings, city, "one late")
    live(settings, city, name="OldV1")
    before = counts_at(settings, SLOTS[5], pipeline="OldV1")

    def load(name: str) -> Any:
        if name == "OldV1":
            raise ConfigError("pipeline 'OldV1' is not listed")
        return made(settings, name)

    work = work_at(settings, AFTER)
    city.now = AFTER
    late.run_shard(work, late.plan(work, SOURCE, DAY)[0], load=load)
    assert counts_at(settings, SLOTS[5], pipeline="OldV1") == before
    assert not counts_at(settings, SLOTS[5])["missing"]
    assert "counts of OldV1 stay as they are" in caplog.text


def test_all_analyses_the_whole_day_and_changes_nothing(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    back_fill(settings, city)
    before = tables(settings.state)
    told = back_fill(settings, city, mode="all")
    assert (told["analysed"], told["changed"]) == (CAMERAS * len(TODAY), 0)
    assert tables(settings.state) == before


def test_only_missing_analyses_stills_without_counts(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    back_fill(settings, city)
    warehouse, before = Ingest(settings).warehouse, comparable(settings.state)
    for table in (COUNTS, DETECTIONS):
        scope = Scope(SOURCE, SLOTS[5], STUB)
        rows = [row for row in warehouse.read(table, scope).to_pylist() if row["camera"] != ONE]
        warehouse.publish(table, scope, to_arrow(table, rows))
    assert back_fill(settings, city)["analysed"] == 0
    assert back_fill(settings, city, mode="only_missing")["analysed"] == 1
    assert comparable(settings.state) == before


def test_a_pipeline_that_is_asked_for_is_analysed_beside_the_others(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    name = "FaultyImageFilterV1_WaysideV1"
    before = counts_at(settings, SLOTS[5])
    told = back_fill(settings, city, pipeline=name)
    assert told["analysed"] == CAMERAS * len(TODAY)
    assert counts_at(settings, SLOTS[5], pipeline=name)["pipeline"] == name
    assert counts_at(settings, SLOTS[5]) == before
    with pytest.raises(ConfigError, match="not listed"):
        back_fill(settings, city, pipeline="Unknown")


def test_frames_are_not_published_when_the_counts_are_not_fit_to_be_seen(settings: Settings, city: LateCity):
    for camera in list(city.views)[:4]:
        city.delay(camera, SLOTS[5])
    live(settings, city)
    before = tables(settings.state)

    def broken(name: str) -> Any:
        def detect(_: Any) -> Detections:
            raise ZeroDivisionError

        pipeline = made(settings, name)
        pipeline.detector.detect = detect  # type: ignore[union-attr,method-assign]
        return pipeline

    work = work_at(settings, AFTER)
    city.now = AFTER
    with pytest.raises(AuditError, match="analyses broke"):
        late.run_shard(work, late.plan(work, SOURCE, DAY, mode="all")[0], load=broken)
    after = tables(settings.state)
    assert {name: rows for name, rows in after.items() if not name.startswith("runs")} == before
    back_fill(settings, city)
    assert not counts_at(settings, SLOTS[5], next(iter(city.views)))["missing"]


# Plans, summaries and the book of runs


def test_the_plan_is_small_and_of_slots_that_are_over(settings: Settings, city: LateCity, days: Days):
    days.live(settings, city)
    few = settings.model_copy(update={"shard_cameras": 4})
    shards = late.plan(work_at(few, AFTER), SOURCE, DAY)
    assert [shard["part"] for shard in shards] == [0, 1, 2]
    assert late.LateShard.model_validate(shards[1]).label == "Demo-observatory 2026-06-16 2/3"
    assert late.plan(work_at(few, datetime(2026, 6, 16, 0, 15, tzinfo=UTC)), SOURCE, DAY) == []
    assert late.plan(work_at(few, datetime(2026, 6, 15, 12, tzinfo=UTC)), SOURCE, DAY) == []


def test_the_slots_that_live_runs_are_at_are_left_to_them(settings: Settings, city: LateCity):
    live(settings, city, SLOTS[:6])
    before = tables(settings.state)
    told = back_fill(settings, city, now=SLOTS[5].start + timedelta(minutes=2))
    assert told["analysed"] == 0
    after = tables(settings.state)
    assert {name: after[name] for name in before} == before


def test_a_source_that_never_ran_is_asked_for_its_cameras(settings: Settings, city: LateCity, on_time: dict[str, Any]):
    told = back_fill(settings, city, pipeline="")
    assert told["fetched"] == CAMERAS * len(TODAY)
    frames = {name: rows for name, rows in comparable(settings.state).items() if name.startswith("frames")}
    expected = on_time
    ran = {f"frames/source={SOURCE}/day={slot.day}/{slot.hhmm}.parquet" for slot in TODAY}
    assert {name: frames[name] for name in ran} == {name: expected[name] for name in ran}
    assert len(frames) == len(TODAY)


def test_the_run_is_written_down(settings: Settings, city: LateCity, days: Days):
    number = city.delay_some(TODAY, 0.2, seed=6)
    days.live(settings, city, "20 percent late")
    city.now = AFTER
    work = work_at(settings.model_copy(update={"shard_cameras": 4}), AFTER)
    shards = late.plan(work, SOURCE, DAY, run="backfill-1")
    late.begin(work, shards, kind="backfill_late_images", who="somebody", why="late batch")
    scope = Scope(SOURCE, run="backfill-1")
    (row,) = work.warehouse.read(RUNS, scope).to_pylist()
    assert (row["state"], row["slots"], row["slots_done"], row["mode"]) == ("running", len(TODAY), 0, "changed")
    for shard in shards:
        late.run_shard(work, shard, load=lambda name: made(settings, name))
    late.publish(work, SOURCE, DAY)
    late.end(work, SOURCE, "backfill-1")
    (row,) = work.warehouse.read(RUNS, scope).to_pylist()
    assert (row["state"], row["slots_done"], row["fetched"]) == ("done", len(TODAY), number)
    assert (row["who"], row["why"], row["first"]) == ("somebody", "late batch", MIDNIGHT.start)
    assert 0 < row["changed"] <= row["images"]
    assert row["inference_seconds"] > 0
    assert row["note"].startswith(f"{number} pictures came")
    late.end(work, SOURCE, "backfill-1", "the disk is full")
    (row,) = work.warehouse.read(RUNS, scope).to_pylist()
    assert (row["state"], row["note"]) == ("failed", "the disk is full")


def test_summaries_of_slots_and_days_follow(settings: Settings, city: LateCity, days: Days):
    city.delay_some(TODAY, 0.2, seed=6)
    days.live(settings, city, "20 percent late")
    back_fill(settings, city)
    warehouse = Ingest(settings).warehouse
    for slot in TODAY:
        (row,) = warehouse.read(SLOT_RUNS, Scope(SOURCE, slot, STUB)).to_pylist()
        assert (row["fetched"], row["analysed_slot"]) == (CAMERAS, slot.previous.start)
    days = warehouse.read(CAMERA_DAYS, Scope(SOURCE, pipeline=STUB, day=DAY)).to_pylist()
    assert len(days) == CAMERAS
    assert all(row["counted"] + row["faulty"] == len(TODAY) for row in days)
