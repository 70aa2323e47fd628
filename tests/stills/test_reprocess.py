"""Reprocessing: another pipeline gives what it would have given live, some cameras alone, resumed, and estimated."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.late_city import SOURCE, LateCity, serving
from tests.stills.late_runs import AFTER, DAY, LAST, SLOTS, STUB, Days, comparable, live, made, work_at
from tests.stills.published import tables
from tests.stubs import StubDetector

from wayside.core.errors import ConfigError, StoreError
from wayside.core.settings import Settings
from wayside.core.tables import COUNTS, DETECTIONS, FRAMES, RUNS
from wayside.stills import estimate, reprocess
from wayside.stills.still import StillPipeline
from wayside.store import picture_key
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope

CAMERAS = 6
TODAY = SLOTS[2:]
BOTH = DAY - timedelta(days=1), DAY
STILLS = CAMERAS * len(SLOTS)


@pytest.fixture(scope="module")
def city() -> Iterator[LateCity]:
    with serving(CAMERAS, [*SLOTS, LAST]) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAYSIDE_DEMO_URL", found.peer.url)
        yield found


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    return Days(tmp_path_factory.mktemp("days"))


@pytest.fixture
def ran(days: Days, city: LateCity) -> Settings:
    """A state in which the slots were run live."""
    settings = days.empty()
    days.live(settings, city)
    return settings


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, city: LateCity) -> dict[str, Any]:
    """The tables of slots that were run live with another pipeline."""
    state = tmp_path_factory.mktemp("other")
    live(Settings(state=state, workers=2, device="cpu", _env_file=None), city, name="StubV2")
    return stills(state, "StubV2")


def stills(state: Path, pipeline: str = "") -> dict[str, Any]:
    """Counts and detections, of one pipeline or all."""
    found = comparable(state)
    return {n: rows for n, rows in found.items() if n.startswith(("counts", "detections")) and pipeline in n}


def planned(settings: Settings, name: str = "StubV2", **how: Any) -> reprocess.Plan:
    given: dict[str, Any] = {"run": "r1", "first": BOTH[0], "last": BOTH[1], "sources": [SOURCE], "mode": "all"}
    work = work_at(settings, AFTER)
    return reprocess.plan(work, **(given | how), load=lambda _: made(settings, name))


def run_all(settings: Settings, name: str = "StubV2", progress: Any = None, **how: Any) -> list[dict[str, Any]]:
    work = work_at(settings, AFTER)
    shards = planned(settings, name, **how).shards
    return [reprocess.run_shard(work, s, load=lambda _: made(settings, name), progress=progress) for s in shards]


def book(settings: Settings, run: str = "r1") -> dict[str, Any]:
    (row,) = work_at(settings, AFTER).warehouse.read(RUNS, Scope(SOURCE, run=run)).to_pylist()
    return dict(row)


def test_another_pipeline_gives_what_it_would_have_given_live(ran: Settings, other: dict[str, Any]):
    before = tables(ran.state)
    seen: list[int] = []
    told = run_all(ran, progress=seen.append)
    assert stills(ran.state, "StubV2") == other
    assert [(shard["first"], shard["slots"], shard["images"]) for shard in told] == [
        ("2026-06-15", 2, 2 * CAMERAS),
        ("2026-06-16", len(TODAY), len(TODAY) * CAMERAS),
    ]
    assert sum(seen) == STILLS
    after = tables(ran.state)
    assert {name: after[name] for name in before} == before


def test_the_same_pipeline_changes_no_file(ran: Settings):
    root = ran.lake / "published"
    before = {path: path.stat().st_mtime_ns for name in ("counts", "slot_runs") for path in root.rglob(f"{name}/**/*")}
    told = run_all(ran, STUB)
    assert [shard["changed"] for shard in told] == [0, 0]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_weights_replace_the_rows_and_their_summaries(ran: Settings):
    class Heavier(StubDetector):
        sha256 = "6" * 64

    def load(_: str) -> StillPipeline:
        pipeline = made(ran, STUB)
        return StillPipeline(STUB, pipeline.faults, Heavier(), pipeline.statics, ran)

    work = work_at(ran, AFTER)
    plan = reprocess.plan(work, run="r1", first=DAY, last=DAY, sources=[SOURCE], mode="all", load=load)
    (told,) = [reprocess.run_shard(work, shard, load=load) for shard in plan.shards]
    assert told["changed"] == len(TODAY) * CAMERAS
    hashes = {name: set(rows["model_sha256"].to_pylist()) for name, rows in stills(ran.state, STUB).items()}
    inside = {f"day={slot.day}/{slot.hhmm}" for slot in TODAY}
    for name, found in hashes.items():
        if name.startswith("counts"):
            assert found == ({"6" * 64} if any(slot in name for slot in inside) else {"5" * 64})
    last = work.warehouse.read(COUNTS, Scope(SOURCE, TODAY[-1], STUB))
    assert last.num_rows == CAMERAS
    with pytest.raises(ConfigError, match="weights of StubV1 are others"):
        reprocess.run_shard(work, plan.shards[0], load=lambda _: made(ran, STUB))


def test_some_cameras_are_spliced_in(ran: Settings, city: LateCity, other: dict[str, Any]):
    run_all(ran)
    warehouse, chosen = work_at(ran, AFTER).warehouse, sorted(city.views)[1:3]
    for slot in SLOTS:
        for table in (COUNTS, DETECTIONS):
            scope = Scope(SOURCE, slot, "StubV2")
            rows = [row for row in warehouse.read(table, scope).to_pylist() if row["camera"] not in chosen]
            warehouse.publish(table, scope, to_arrow(table, rows))
    told = run_all(ran, run="r2", cameras=chosen)
    assert sum(shard["images"] for shard in told) == 2 * len(SLOTS)
    assert stills(ran.state, "StubV2") == other
    assert book(ran, "r2")["cameras"] == ",".join(chosen)


def test_only_missing_leaves_out_what_has_counts(ran: Settings, city: LateCity, other: dict[str, Any]):
    first = sorted(city.views)[0]
    run_all(ran, cameras=[first])
    told = planned(ran, run="r2", mode="only_missing").told()[SOURCE]
    assert (told["stills"], told["done"]) == (STILLS - len(SLOTS), len(SLOTS))
    shards = run_all(ran, run="r2", mode="only_missing")
    assert sum(shard["images"] for shard in shards) == STILLS - len(SLOTS)
    assert stills(ran.state, "StubV2") == other
    assert planned(ran, run="r3", mode="only_missing").told()[SOURCE]["stills"] == 0


def test_a_run_goes_on_where_it_was_and_another_does_all_again(
    ran: Settings, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reprocess, "_BLOCK_SLOTS", (2, 2))
    seen: list[int] = []

    def stop(number: int) -> None:
        seen.append(number)
        if sum(seen) == 5 * CAMERAS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(ran, progress=stop)
    row = book(ran)
    assert (row["state"], row["slots"], row["images"]) == ("running", len(SLOTS), 5 * CAMERAS)
    assert row["slots_done"] == 4
    again = run_all(ran)
    assert sum(shard["images"] for shard in again) == 4 * CAMERAS
    assert stills(ran.state, "StubV2") == other
    assert book(ran)["slots_done"] == len(SLOTS)
    assert sum(shard["images"] for shard in run_all(ran)) == 0
    assert sum(shard["images"] for shard in run_all(ran, run="r2")) == STILLS
    row = reprocess.end(work_at(ran, AFTER), SOURCE, "r1")
    assert row["note"].startswith(f"{9 * CAMERAS} pictures were analysed, {STILLS} rows of counts changed")
    assert row["inference_seconds"] < 2 * row["seconds"]


def test_a_name_is_taken_again_until_its_run_is_over(ran: Settings):
    work = work_at(ran, AFTER)
    run_all(ran)
    assert reprocess.run_to_go_on_with(work, [SOURCE], "r1") == "r1"
    reprocess.end(work, SOURCE, "r1")
    assert reprocess.run_to_go_on_with(work, [SOURCE], "r1") == "r1-2"
    run_all(ran, run="r1-2")
    reprocess.end(work, SOURCE, "r1-2", "the disk is full")
    assert reprocess.run_to_go_on_with(work, [SOURCE], "r1") == "r1-2"
    assert book(ran, "r1-2")["state"] == "failed"


def test_pictures_that_expired_keep_their_counts(ran: Settings, city: LateCity):
    camera, slot = sorted(city.views)[0], TODAY[2]
    before = stills(ran.state)
    assert work_at(ran, AFTER).store.delete(picture_key(SOURCE, slot, camera))
    told = run_all(ran, STUB)
    assert sum(shard["images"] for shard in told) == STILLS - 1
    assert stills(ran.state) == before
    run_all(ran, run="r2")
    rows = work_at(ran, AFTER).warehouse.read(COUNTS, Scope(SOURCE, slot, "StubV2")).to_pylist()
    assert next(row["reason"] for row in rows if row["camera"] == camera) == "expired"


# Estimates


def test_a_dry_run_says_how_much_it_is_and_does_nothing(ran: Settings, city: LateCity):
    before = tables(ran.state)
    camera = sorted(city.views)[0]
    work_at(ran, AFTER).store.delete(picture_key(SOURCE, TODAY[0], camera))
    plan = planned(ran, dry_run=True, who="somebody", why="to see")
    assert plan.shards == []
    (told,) = plan.told().values()
    assert (told["slots"], told["stills"], told["images"], told["done"]) == (len(SLOTS), STILLS, STILLS - 1, 0)
    assert told["images_per_second"] > 0
    assert told["seconds"] == pytest.approx((STILLS - 1) / told["images_per_second"])
    assert "CPU minutes" in told["cost"]
    row = book(ran)
    assert (row["state"], row["who"], row["why"], row["slots"]) == ("planned", "somebody", "to see", len(SLOTS))
    after = tables(ran.state)
    assert {name: after[name] for name in before} == before


def test_the_speed_of_the_last_run_is_remembered(ran: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(estimate, "_CAMERAS", 1)
    run_all(ran)
    monkeypatch.setattr(estimate.Speeds, "_measure", lambda *_: pytest.fail("it is known"))
    assert planned(ran, run="r2", dry_run=True).told()[SOURCE]["images_per_second"] > 0


@pytest.mark.parametrize(
    ("warehouse", "says"),
    [("duckdb", "nothing else"), ("bigquery", "7 load jobs and 7 MERGE"), ("oracle", "7 MERGE statements in Oracle")],
)
def test_the_cost_is_said_in_words(settings: Settings, warehouse: str, says: str):
    chosen = settings.model_copy(update={"warehouse": warehouse})
    assert says in estimate.cost_of(chosen, 5000, 90.0)
    assert estimate.cost_of(chosen, 5000, 90.0).startswith("about 3 CPU minutes")


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"first": DAY, "last": BOTH[0]}, "ends before it begins"),
        ({"mode": "changed"}, "no mode 'changed'"),
        ({"run": "../x"}, "run '../x' is not valid"),
        ({"cameras": ["a/b"]}, "camera 'a/b' is not valid"),
        ({"sources": ["a/b"]}, "source 'a/b' is not valid"),
    ],
)
def test_what_does_not_hold_is_refused(settings: Settings, how: dict[str, Any], match: str):
    with pytest.raises(ConfigError, match=match):
        planned(settings, **how)


def test_a_range_without_frames_has_nothing_to_do(settings: Settings):
    plan = planned(settings, first=date(2026, 1, 1), last=date(2026, 1, 2))
    assert plan.shards == []
    assert plan.estimates[SOURCE].stills == 0


def test_a_long_range_has_several_days_in_a_shard(ran: Settings):
    plan = planned(ran, first=DAY - timedelta(days=44), last=DAY)
    assert len(plan.shards) == 23
    assert (plan.shards[0]["first"], plan.shards[-1]["last"]) == ("2026-05-03", "2026-06-16")
    assert reprocess.RangeShard.model_validate(plan.shards[0]).label == f"{SOURCE} 2026-05-03 to 2026-05-04"


def test_a_plan_that_is_gone_says_so(settings: Settings):
    shard = {"run": "r9", "source": SOURCE, "first": DAY, "last": DAY}
    with pytest.raises(StoreError, match="run the planning task again"):
        reprocess.run_shard(work_at(settings, AFTER), shard)


def test_slots_that_live_runs_are_at_are_left_to_them(ran: Settings):
    work = work_at(ran, TODAY[2].next.start + timedelta(minutes=1))
    plan = reprocess.plan(
        work, run="r1", first=DAY, last=DAY, sources=[SOURCE], mode="all", load=lambda _: made(ran, "StubV2")
    )
    assert plan.estimates[SOURCE].slots == 2
    assert work.warehouse.read(FRAMES, Scope(SOURCE, TODAY[2])).num_rows == CAMERAS
