"""The stages of a slot, over real HTTP with a peer on this machine: run again, run at once, late, expired, broken."""

import asyncio
import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.jamcams import BROKEN, CUT, GONE, REASONS, SHUT, START, JamCams
from tests.stills.conftest import CITY, GOOD, at, by_camera, fetched, run
from tests.stills.published import tables, visible
from tests.stubs import StubDetector, StubFaults, found, pipeline
from tests.tables import detection_rows

from wayside.core.errors import AuditError, ConfigError, ModelError, SourceError, StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNTS, DETECTIONS, FRAMES, SLOT_RUNS
from wayside.stills.ingest import Ingest
from wayside.store import PictureMeta, picture_key
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope


def hashes(state: Path) -> dict[str, str]:
    return {name: hashlib.sha256((state / name).read_bytes()).hexdigest() for name in visible(state)}


# One run after the other


def test_a_slot_is_fetched_and_the_one_before_is_counted(settings: Settings, city: JamCams):
    first, second, _ = run(settings, city)
    warehouse = Ingest(settings).warehouse
    expected = {"cameras": 12, "fetched": GOOD, "missing": 2, "failed": 2, "source": CITY, "slot": START.start}
    assert first == first | expected | {"analysed": 0, "faulty": 0, "detections": 0, "model_sha256": None}
    assert first["analysed_slot"] == START.previous.start
    counts = warehouse.read(COUNTS, Scope(CITY, START, "StubV1"))
    detections = warehouse.read(DETECTIONS, Scope(CITY, START, "StubV1"))
    assert (second["analysed"], second["detections"]) == (GOOD, detections.num_rows)
    assert second["model_sha256"] == StubDetector.sha256
    assert (counts.num_rows, warehouse.read(CAMERAS, Scope(CITY)).num_rows) == (12, 12)
    assert warehouse.slots(SLOT_RUNS, CITY) == [START, START.next, START.shift(2)]
    assert warehouse.slots(COUNTS, CITY) == [START, START.next]
    (row,) = warehouse.read(SLOT_RUNS, Scope(CITY, START.next, "StubV1")).to_pylist()
    assert row == second | {"schema_version": 1}


def test_every_camera_has_a_row_with_the_reason(settings: Settings, city: JamCams):
    run(settings, city, 2)
    warehouse = Ingest(settings).warehouse
    frames = by_camera(warehouse.read(FRAMES, Scope(CITY, START)))
    counts = by_camera(warehouse.read(COUNTS, Scope(CITY, START, "StubV1")))
    assert len(frames) == len(counts) == 12
    for camera, reason in REASONS.items():
        name = city.name(camera)
        assert frames[name]["reason"] == counts[name]["reason"] == reason
        assert (counts[name]["missing"], counts[name]["faulty"]) == (True, False)
        assert frames[name]["status"] == ("missing" if camera in {GONE, SHUT} else "failed")
    assert frames[city.name(GONE)]["http_status"] == 404
    assert frames[city.name(BROKEN)]["http_status"] == 502
    good = frames[city.name(5)]
    assert (good["status"], good["reason"], good["width"], good["height"]) == ("ok", None, 64, 48)
    assert good["fetched_at"] == START.start + timedelta(seconds=20)
    assert Path(good["uri"].removeprefix("file://")).is_file()


def test_a_picture_that_did_not_change_is_stored_again_and_says_so(settings: Settings, city: JamCams):
    run(settings, city, 2)
    work, sleepy = Ingest(settings), city.name(11)
    frames = [by_camera(work.warehouse.read(FRAMES, Scope(CITY, slot)))[sleepy] for slot in (START, START.next)]
    assert [frame["reason"] for frame in frames] == [None, "not_modified"]
    assert [frame["http_status"] for frame in frames] == [200, 304]
    assert frames[0]["sha256"] == frames[1]["sha256"]
    assert work.store.exists(picture_key(CITY, START.next, sleepy))


def test_running_everything_again_changes_no_byte_and_asks_for_no_picture(settings: Settings, city: JamCams):
    run(settings, city)
    before = hashes(settings.state)
    city.peer.calls.clear()
    run(settings, city)
    assert hashes(settings.state) == before
    assert city.peer.calls[f"/{city.name(5)}.jpg"] == 0


def test_the_number_of_shards_changes_no_published_byte(tmp_path: Path, settings: Settings, city: JamCams):
    many = settings.model_copy(update={"state": tmp_path / "many", "shard_cameras": 5})
    run(settings, city)
    run(many, city)
    assert len(list((many.lake / "staging").rglob("0002.parquet"))) > 0
    assert tables(many.state) == tables(settings.state)
    counts = [name for name in hashes(settings.state) if "published/counts" in name or "published/detections" in name]
    assert len(counts) == 4
    assert all(hashes(settings.state)[name] == hashes(many.state)[name] for name in counts)


def test_progress_counts_each_camera_twice(settings: Settings, city: JamCams):
    run(settings, city, 1)
    steps: list[int] = []
    work = at(settings, city, START.next)
    asyncio.run(work.run_slot(CITY, START.next, pipeline(settings), steps.append))
    assert sum(steps) == 24


def test_a_limit_keeps_the_first_cameras_and_no_lag_looks_at_the_present(settings: Settings, city: JamCams):
    work = at(settings, city, START, lag=0)
    row = asyncio.run(work.run_slot(CITY, START, pipeline(settings), limit=7))
    assert (row["cameras"], row["analysed"], row["analysed_slot"]) == (7, 3, START.start)
    assert work.warehouse.read(COUNTS, Scope(CITY, START, "StubV1")).num_rows == 7
    assert work.warehouse.read(CAMERAS, Scope(CITY)).num_rows == 12


def test_another_pipeline_stands_beside_the_first(settings: Settings, city: JamCams):
    run(settings, city, 2)
    before = tables(settings.state)
    run(settings, city, 2, pipeline(settings, StubFaults("dark"), name="StubV2"))
    after = tables(settings.state)
    assert {name: after[name] for name in before} == before
    counts = Ingest(settings).warehouse.read(COUNTS, Scope(CITY, START, "StubV2"))
    assert counts["faulty"].to_pylist().count(True) == GOOD


# Two at once, and one after the other has begun


def test_two_runs_of_one_slot_at_once_give_the_tables_of_one(tmp_path: Path, settings: Settings, city: JamCams):
    alone = settings.model_copy(update={"state": tmp_path / "alone"})
    run(alone, city)
    for slot in (START.shift(step) for step in range(3)):
        city.slot = slot
        works = [at(settings, city, slot) for _ in range(3)]
        with ThreadPoolExecutor(len(works)) as pool:
            runs = [pool.submit(asyncio.run, work.run_slot(CITY, slot, pipeline(settings))) for work in works]
        assert runs[0].result() == runs[1].result() == runs[2].result()
    assert tables(settings.state) == tables(alone.state)
    assert visible(settings.state) == visible(alone.state)


def test_a_picture_that_another_run_stored_meanwhile_is_in_the_frames(settings: Settings, city: JamCams):
    work = at(settings, city, START)
    late = city.name(GONE)

    async def stages() -> None:
        shards = await work.plan(CITY, START)
        assert await work.fetch(shards[0]) == {"ok": GOOD, "missing": 2, "failed": 2}
        meta = PictureMeta(fetched_at=START.start + timedelta(seconds=50), http_status=200, width=64, height=48)
        work.store.create(picture_key(CITY, START, late), b"a picture", meta)
        city.peer.calls.clear()
        await work.publish_frames(shards)

    asyncio.run(stages())
    row = by_camera(work.warehouse.read(FRAMES, Scope(CITY, START)))[late]
    assert (row["status"], row["reason"], row["bytes"]) == ("ok", None, 9)
    assert row["fetched_at"] == START.start + timedelta(seconds=50)
    assert city.peer.calls.total() == 0, "nobody is asked for a picture that is there"


def test_a_camera_that_comes_up_during_the_day_is_in_the_next_list(settings: Settings, city: JamCams):
    city.cameras = 11
    run(settings, city, 1)
    city.cameras = 12
    run(settings, city, 2)
    warehouse = Ingest(settings).warehouse
    assert warehouse.read(CAMERAS, Scope(CITY)).num_rows == 12
    frames = by_camera(warehouse.read(FRAMES, Scope(CITY, START)))
    assert (len(frames), frames[city.name(11)]["status"]) == (12, "ok")


# What is wrong outside


def test_the_last_list_serves_while_the_source_does_not_answer(
    settings: Settings, city: JamCams, caplog: pytest.LogCaptureFixture
):
    run(settings, city, 1)
    city.down = True
    with caplog.at_level(logging.WARNING):
        shards = asyncio.run(at(settings, city, START.next).plan(CITY, START.next))
    assert [shard.plan for shard in shards] == [shard.plan for shard in asyncio.run(Ingest(settings).plan(CITY, START))]
    assert "the last list it gave serves" in caplog.text
    row = asyncio.run(at(settings, city, START.next).run_slot(CITY, START.next, pipeline(settings)))
    assert (row["cameras"], row["analysed"]) == (12, GOOD)


def test_a_source_that_never_answered_is_an_error(settings: Settings, city: JamCams):
    city.down = True
    with pytest.raises(SourceError, match=r"source Demo-city did not answer: .*503"):
        asyncio.run(at(settings, city, START).plan(CITY, START))


def test_a_source_without_cameras_is_a_clear_error_and_nothing_is_forgotten(settings: Settings, city: JamCams):
    run(settings, city, 1)
    before = tables(settings.state)
    city.cameras = 0
    with pytest.raises(ConfigError, match="source Demo-city lists no camera: see `wayside sources check Demo-city`"):
        asyncio.run(at(settings, city, START.next).run_slot(CITY, START.next, pipeline(settings)))
    assert tables(settings.state) == before
    city.down = True
    assert asyncio.run(at(settings, city, START.next).plan(CITY, START.next)) != []


def test_a_source_that_nobody_configured_is_a_clear_error(settings: Settings):
    with pytest.raises(ConfigError, match=r"there is no source 'Nowhere'.*Demo-city"):
        asyncio.run(Ingest(settings).plan("Nowhere", START))


# What is gone


def test_expired_pictures_keep_their_rows(settings: Settings, city: JamCams):
    run(settings, city)
    before = tables(settings.state)
    store = Ingest(settings).store
    for key in list(store.keys(CITY)):
        store.delete(key)
    later = START.shift(1000)
    work = Ingest(settings, clock=lambda: later.start)
    for slot in (START, START.next, START.shift(2)):
        asyncio.run(work.run_slot(CITY, slot, pipeline(settings)))
    assert tables(settings.state) == before


def test_a_frame_without_its_picture_is_counted_as_expired(settings: Settings, city: JamCams):
    work = at(settings, city, START)
    fetched(work, START)
    work.store.delete(picture_key(CITY, START, city.name(5)))
    shards = fetched(at(settings, city, START.next), START.next)
    for shard in shards:
        work.analyse(shard, pipeline(settings))
    row = work.publish_counts(shards, "StubV1")
    counts = by_camera(work.warehouse.read(COUNTS, Scope(CITY, START, "StubV1")))
    assert (counts[city.name(5)]["missing"], counts[city.name(5)]["reason"]) == (True, "expired")
    assert row["analysed"] == GOOD - 1


# A back-fill that works on the same slot


def late_picture(work: Ingest, camera: str, slot: Slot) -> None:
    """Do as a back-fill does with a picture of a slot that is counted: store it, publish counts, then the frame."""
    meta = PictureMeta(fetched_at=slot.end + timedelta(hours=1), http_status=200, width=64, height=48)
    key, where = picture_key(CITY, slot, camera), Scope(CITY, slot)
    before = work.store.read(key)
    if before is None:
        work.store.create(key, b"late", meta)
    else:
        work.store.replace(key, b"better", meta, before.sha256)
    stored = work.store.read(key)
    assert stored is not None
    scope = Scope(CITY, slot, "StubV1")
    rows = work.warehouse.read(COUNTS, scope).to_pylist()
    news = {"faulty": False, "missing": False, "reason": None, "bus": 0, "car": 1, "person": 0, "van": 0}
    rows = [row | news if row["camera"] == camera else row for row in rows]
    found = [row for row in work.warehouse.read(DETECTIONS, scope).to_pylist() if row["camera"] != camera]
    found += detection_rows(scope, camera, ["car"])
    work.warehouse.publish(DETECTIONS, scope, to_arrow(DETECTIONS, found))
    work.warehouse.publish(COUNTS, scope, to_arrow(COUNTS, rows))
    frames = work.warehouse.read(FRAMES, where).to_pylist()
    told = {"status": "ok", "reason": None, "sha256": stored.sha256, "fetched_at": meta.fetched_at}
    frames = [row | told if row["camera"] == camera else row for row in frames]
    work.warehouse.publish(FRAMES, where, to_arrow(FRAMES, frames))


@pytest.mark.parametrize("number", [GONE, 5], ids=["came", "replaced"])
def test_what_a_back_fill_counts_while_a_slot_is_analysed_again_stays(settings: Settings, city: JamCams, number: int):
    run(settings, city, 2)
    camera = city.name(number)
    work = at(settings, city, START.next)
    shards = fetched(work, START.next)
    for shard in shards:
        work.analyse(shard, pipeline(settings))
    late_picture(work, camera, START)
    before = {name: rows for name, rows in tables(settings.state).items() if not name.startswith("slot_runs")}
    summary = work.publish_counts(shards, "StubV1")
    assert {name: rows for name, rows in tables(settings.state).items() if name in before} == before
    assert summary["analysed"] == GOOD + (number == GONE)
    assert by_camera(work.warehouse.read(COUNTS, Scope(CITY, START, "StubV1")))[camera]["car"] == 1


def test_frames_of_a_picture_that_a_back_fill_replaced_meanwhile_stay(settings: Settings, city: JamCams):
    run(settings, city, 2)
    work = at(settings, city, START)

    async def again() -> None:
        shards = await work.plan(CITY, START)
        for shard in shards:
            await work.fetch(shard)
        late_picture(work, city.name(5), START)
        await work.publish_frames(shards)

    asyncio.run(again())
    stored = work.store.read(picture_key(CITY, START, city.name(5)))
    assert stored is not None
    row = by_camera(work.warehouse.read(FRAMES, Scope(CITY, START)))[city.name(5)]
    assert (row["sha256"], stored.data) == (stored.sha256, b"better")


# What is wrong inside


def test_one_analysis_that_breaks_is_one_faulty_row(settings: Settings, city: JamCams):
    calls: list[int] = []

    def breaks_once(image: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return found("car")

    run(settings, city, 2, pipeline(settings.model_copy(), None, StubDetector(breaks_once)))
    counts = Ingest(settings).warehouse.read(COUNTS, Scope(CITY, START, "StubV1"))
    assert counts["reason"].to_pylist().count("analysis_MemoryError") == 1
    assert counts["car"].to_pylist().count(1) == GOOD - 1


def test_analyses_that_all_break_are_not_published(settings: Settings, city: JamCams):
    def breaks(_: Any) -> Any:
        raise MemoryError

    with pytest.raises(AuditError, match="8 of 12 analyses broke"):
        run(settings, city, 2, pipeline(settings, None, StubDetector(breaks)))
    assert not Ingest(settings).warehouse.published(COUNTS, Scope(CITY, START, "StubV1"))


@pytest.mark.parametrize("error", [ModelError("the GPU is gone"), StoreError("cannot read")])
def test_a_model_or_a_store_that_fails_stops_the_run(settings: Settings, city: JamCams, error: Exception):
    def breaks(_: Any) -> Any:
        raise error

    with pytest.raises(type(error), match=str(error)):
        run(settings, city, 2, pipeline(settings, None, StubDetector(breaks)))


def test_a_shard_that_was_not_fetched_stops_the_publication(settings: Settings, city: JamCams):
    few = settings.model_copy(update={"shard_cameras": 5})
    work = at(few, city, START)

    async def stages() -> None:
        shards = await work.plan(CITY, START)
        await work.fetch(shards[0])
        await work.fetch(shards[2])
        await work.publish_frames(shards)

    with pytest.raises(StoreError, match="part 2 of 3 of frames Demo-city 20260616T0700Z was never staged"):
        asyncio.run(stages())
    assert not work.warehouse.published(FRAMES, Scope(CITY, START))


def test_frames_that_are_not_those_of_the_plan_stop_the_publication(settings: Settings, city: JamCams):
    work = at(settings, city, START)

    async def stages() -> None:
        shards = await work.plan(CITY, START)
        await work.fetch(shards[0])
        scope, plan = Scope(CITY, START), shards[0].plan
        work.warehouse.stage(FRAMES, scope, plan, 0, work.warehouse.staged(FRAMES, scope, plan, 1).to_pylist()[1:])
        await work.publish_frames(shards)

    with pytest.raises(AuditError, match="11 rows for 12 cameras"):
        asyncio.run(stages())


def test_counts_that_are_not_those_of_the_frames_stop_the_publication(settings: Settings, city: JamCams):
    fetched(at(settings, city, START), START)
    work = at(settings, city, START.next)
    shards = fetched(work, START.next)
    work.analyse(shards[0], pipeline(settings))
    scope = Scope(CITY, START)
    work.warehouse.publish(FRAMES, scope, work.warehouse.read(FRAMES, scope).slice(1))
    with pytest.raises(AuditError, match="12 rows for 11 frames"):
        work.publish_counts(shards, "StubV1")


def test_counts_and_detections_of_two_runs_are_never_joined(settings: Settings, city: JamCams):
    fetched(at(settings, city, START), START)
    work = at(settings, city, START.next)
    shards = fetched(work, START.next)
    work.analyse(shards[0], pipeline(settings))
    work.warehouse.stage(DETECTIONS, Scope(CITY, START, "StubV1"), f"{START.next}-{shards[0].plan}", 0, [])
    with pytest.raises(AuditError, match="they differ from the detections"):
        work.publish_counts(shards, "StubV1")
    assert not work.warehouse.published(COUNTS, Scope(CITY, START, "StubV1"))


def test_a_plan_that_is_gone_says_what_to_do(settings: Settings, city: JamCams):
    work = at(settings, city, START)
    shards = asyncio.run(work.plan(CITY, START))
    other = shards[0].model_copy(update={"plan": "0123456789ab"})
    with pytest.raises(StoreError, match="0123456789ab is gone: run the planning task again"):
        asyncio.run(work.fetch(other))


def test_a_truncated_picture_is_not_stored(settings: Settings, city: JamCams):
    run(settings, city, 1)
    assert not Ingest(settings).store.exists(picture_key(CITY, START, city.name(CUT)))


def test_a_slot_that_another_run_is_fetching_is_named(settings: Settings, city: JamCams):
    def planned(slot: Slot, when: datetime) -> list[Any]:
        shards = asyncio.run(at(settings, city, slot).plan(CITY, slot))
        for plan in (settings.lake / "staging" / "plans").glob(f"{CITY}-{slot}-*"):
            os.utime(plan, (when.timestamp(), when.timestamp()))
        return shards

    work = at(settings, city, START.next)
    (shard,) = planned(START.next, START.next.start)
    assert work.on_their_way(shard) == []
    planned(START, START.next.start)
    assert work.on_their_way(shard) == [START]
    work.clock = lambda: START.next.start + timedelta(hours=1)
    assert work.on_their_way(shard) == [], "a run that was given up an hour ago is not waited for"
    work.clock = lambda: START.next.start
    fetched(work, START)
    assert work.on_their_way(shard) == []
