"""What the order of runs and a shorter list of cameras must not change: runs backwards, late and side by side."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.peers.jamcams import START, JamCams
from tests.stills.conftest import CITY, GOOD, at, by_camera, fetched
from tests.stills.published import tables
from tests.stubs import StubStatics, pipeline

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, COUNTS, DETECTIONS, FRAMES, SLOT_RUNS
from wayside.stills.days import roll_up
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline
from wayside.warehouse.scope import Scope

FORWARD = [START.shift(step) for step in range(4)]
LAST = FORWARD[-1]


class Neighbourly(StubStatics):
    """Says which pictures it was given, and marks an object static if there was one before."""

    def apply(self, previous: Any, current: Any, following: Any, boxes: Any, scores: Any, labels: Any) -> Any:
        self.static = (previous is not None,)
        verdict = super().apply(previous, current, following, boxes, scores, labels)
        there = previous is not None, following is not None
        names: dict[tuple[bool, bool], Any] = {
            (True, True): "both", (True, False): "previous", (False, True): "next", (False, False): "none",
        }  # fmt: skip
        return replace(verdict, neighbours=names[there])


def made(settings: Settings, name: str = "StubV1") -> StillPipeline:
    # One thread: the stub keeps what it was asked.
    return pipeline(settings.model_copy(update={"workers": 1}), None, None, Neighbourly(), name=name)


def run_all(settings: Settings, city: JamCams, slots: Sequence[Slot], name: str = "StubV1") -> None:
    for slot in slots:
        asyncio.run(at(settings, city, slot).run_slot(CITY, slot, made(settings, name)))


def counted(state: Path) -> dict[str, bytes]:
    """The files of counts and detections, byte for byte."""
    root = state / "warehouse" / "published"
    files = [path for name in ("counts", "detections") for path in (root / name).rglob("[0-9]*.parquet")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture
def forward(tmp_path: Path, settings: Settings, city: JamCams) -> dict[str, bytes]:
    """What four slots give that are run one after the other."""
    alone = settings.model_copy(update={"state": tmp_path / "forward", "shard_cameras": 5})
    run_all(alone, city, FORWARD)
    files = counted(alone.state)
    assert len(files) == 2 * (len(FORWARD) - 1)
    return files


# Fewer cameras than before


def test_rows_of_cameras_that_left_the_list_stay(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[:2])
    before = tables(settings.state)
    city.cameras = 9
    run_all(settings, city, FORWARD[:2])
    after = tables(settings.state)
    warehouse = Ingest(settings).warehouse
    kept = [name for name in before if not name.startswith(("cameras", "slot_runs"))]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert warehouse.read(COUNTS, Scope(CITY, START, "StubV1")).num_rows == 12
    city.cameras = 12
    run_all(settings, city, FORWARD[:2])
    assert tables(settings.state) == before


def test_a_limit_on_the_rerun_leaves_the_other_cameras(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[:2])
    before = tables(settings.state)
    for slot in FORWARD[:2]:
        asyncio.run(at(settings, city, slot).run_slot(CITY, slot, made(settings), limit=5))
    assert tables(settings.state) == before


def test_a_camera_that_left_the_list_is_counted_in_the_slot_in_which_it_was_there(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[:1])
    city.cameras = 9
    run_all(settings, city, FORWARD[1:2])
    work = Ingest(settings)
    counts = by_camera(work.warehouse.read(COUNTS, Scope(CITY, START, "StubV1")))
    assert (len(counts), counts[city.name(11)]["missing"]) == (12, False)
    assert work.warehouse.read(FRAMES, Scope(CITY, START.next)).num_rows == 9


# Slots in another order


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_order_of_runs_changes_no_byte_of_the_counts(
    settings: Settings, city: JamCams, forward: dict[str, bytes], seed: int | None
):
    slots = FORWARD[::-1] if seed is None else random.Random(seed).sample(FORWARD, len(FORWARD))
    run_all(settings, city, slots)
    assert counted(settings.state) == forward
    before = tables(settings.state)
    run_all(settings, city, slots)
    assert counted(settings.state) == forward
    assert tables(settings.state).keys() == before.keys()


def test_pipelines_that_take_turns_backwards_are_both_complete(
    settings: Settings, city: JamCams, forward: dict[str, bytes]
):
    for slot in FORWARD[::-1]:
        for name in ("StubV1", "StubV2"):
            run_all(settings, city, [slot], name)
    files = counted(settings.state)
    assert {name: data for name, data in files.items() if "StubV1" in name} == forward
    assert len(files) == 2 * len(forward)


def test_a_slot_that_is_run_again_analyses_no_more_than_the_one_before(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD)
    for slot in FORWARD[1:]:
        (shard,) = asyncio.run(at(settings, city, slot).plan(CITY, slot))
        work = at(settings, city, slot)
        assert work.due(shard, "StubV1") == [slot.previous]
        assert work.due(shard, "Another") == [slot.previous], "its frames were there when the next ones came"
        assert at(settings, city, slot, lag=0).due(shard, "Another") == [slot]


def test_the_summary_of_a_late_run_is_about_the_slot_before(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[1:3])
    row = asyncio.run(at(settings, city, START).run_slot(CITY, START, made(settings)))
    assert (row["analysed_slot"], row["analysed"]) == (START.previous.start, 0)
    counts = by_camera(Ingest(settings).warehouse.read(COUNTS, Scope(CITY, START.next, "StubV1")))
    assert counts[city.name(5)]["neighbours"] == "both"
    assert Ingest(settings).warehouse.slots(COUNTS, CITY) == [START, START.next]


def test_a_late_run_that_was_killed_is_late_again(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[1:])
    work = at(settings, city, START)
    shards = fetched(work, START)
    assert work.due(shards[0], "StubV1") == [START, START.next]
    slots = work.analyse(shards[0], made(settings))
    work._publish_slot(shards[0], Scope(CITY, START, "StubV1"))
    assert work.due(shards[0], "StubV1") == slots
    work.publish_counts(shards, "StubV1", slots)
    assert work.due(shards[0], "StubV1") == []


def test_a_day_that_was_rolled_up_is_rolled_up_again_by_a_late_run(settings: Settings, city: JamCams):
    def states() -> dict[str, tuple[int, int]]:
        scope = Scope(CITY, pipeline="StubV1", day=START.start.date())
        rows = by_camera(Ingest(settings).warehouse.read(CAMERA_DAYS, scope))
        return {camera: (row["counted"], row["waiting"]) for camera, row in rows.items()}

    run_all(settings, city, FORWARD[:2])
    assert states() == {}, "the day is not over: whoever rolls it up has not come yet"
    roll_up(Ingest(settings).warehouse, CITY, START.start.date())
    assert states()[city.name(5)] == (1, 1)
    run_all(settings, city, FORWARD[2:3])
    assert states()[city.name(5)] == (2, 0)


# Side by side


def test_a_slot_that_came_during_the_analysis_of_the_next_publishes_both(
    settings: Settings, city: JamCams, forward: dict[str, bytes]
):
    """Two runs of a back-fill that goes backwards: the earlier slot is fetched while the later one is analysed."""
    run_all(settings, city, FORWARD[:1:-1])
    late, early = FORWARD[1], FORWARD[0]
    first = at(settings, city, late)
    shards = fetched(first, late)
    staged = [first.analyse(shard, made(settings)) for shard in shards]
    assert staged == [[late, late.next]]
    second = at(settings, city, early)
    others = fetched(second, early)
    theirs = [second.analyse(shard, made(settings)) for shard in others]
    assert theirs == [[early, late]]
    # The slower one stages its part last, without the picture before; the parts of two runs do not meet.
    first._analyse_slot(shards[0], late, pipeline(settings), None)
    second.publish_counts(others, "StubV1", second.agreed(others, theirs))
    assert first.agreed(shards, staged) == [late.next]
    first.publish_counts(shards, "StubV1", first.agreed(shards, staged))
    assert counted(settings.state) == forward


def test_a_slot_that_only_some_shards_staged_is_left_to_its_own_run(settings: Settings, city: JamCams):
    few = settings.model_copy(update={"shard_cameras": 7})
    work = at(few, city, START.next)
    shards = fetched(work, START.next)
    staged = [work.analyse(shards[0], made(few))]
    fetched(at(few, city, START), START)
    staged.append(work.analyse(shards[1], made(few)))
    assert staged == [[], [START]]
    assert work.agreed(shards, staged) == []
    assert work.publish_counts(shards, "StubV1", [])["analysed"] == 0
    row = asyncio.run(at(few, city, START).run_slot(CITY, START, made(few)))
    assert (row["fetched"], work.warehouse.slots(COUNTS, CITY)) == (GOOD, [START])


def test_a_run_without_frames_has_no_summary_and_comes_late(settings: Settings, city: JamCams):
    run_all(settings, city, FORWARD[2:])
    work = at(settings, city, START.next)
    shards = asyncio.run(work.plan(CITY, START.next))
    assert work.publish_counts(shards, "StubV1")["cameras"] == 0
    assert not work.warehouse.published(SLOT_RUNS, Scope(CITY, START.next, "StubV1"))
    fetched(work, START.next)
    assert work.due(shards[0], "StubV1") == [START.next, START.shift(2)]
    assert not work.warehouse.published(DETECTIONS, Scope(CITY, START.next, "StubV1"))
