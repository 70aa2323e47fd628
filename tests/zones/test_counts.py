"""Counting days: splits, late, repeated and missing segments, killed writers, days that are over, other versions."""

import itertools
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.zones.lakes import CAMERA, LEFT, MIDDLE, PIPELINE, RIGHT, SOURCE, T0, at, put, scanned, segment_row, sha

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import OCCUPANCY, SEGMENTS, TRACKS, ZONE_EVENTS, ZONE_MINUTES
from wayside.counting.zones import ZoneSet
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counts import count_days, count_due, due_days, recount
from wayside.zones.looks import looks, seen_segments, watched
from wayside.zones.preview import preview
from wayside.zones.registry import Registry
from wayside.zones.states import States, zones_folder

DAY = T0.date()
_NUMBERS = itertools.count()
EVENING = datetime(2026, 5, 1, 23, 59, 50, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
COUNTED = (ZONE_EVENTS, OCCUPANCY, TRACKS, ZONE_MINUTES)
# Someone walks to the right and back, over midnight: at y = .3 a second a step of .08 of the picture.
THERE = [0.2 + 0.08 * step for step in range(9)]
WALK = THERE + THERE[::-1]


def later() -> datetime:
    return LATER


def register(lake: ParquetWarehouse, settings: Settings, *, created: datetime = T0) -> Registry:
    """One processor of each kind and mode."""
    registry = Registry(lake, settings, clock=lambda: created)
    both = ZoneSet(RIGHT.zones, MIDDLE.lines)
    registry.add(SOURCE, CAMERA, "traffic", "ours", {"anchor": "centre"}, both, "ada", PIPELINE)
    registry.add(SOURCE, CAMERA, "traffic", "as before", {"mode": "match"}, RIGHT, "ada", PIPELINE)
    registry.add(SOURCE, CAMERA, "objects", "inside", {"anchor": "centre"}, RIGHT, "ada", PIPELINE)
    return registry


def pieces(walk: list[float], start: datetime, cuts: list[int]) -> list[tuple[dict, list]]:
    """Cut a walk, one step a second, into segments: rows of segments, and the frames of each."""
    found = []
    for first, last in itertools.pairwise([0, *sorted(cuts), len(walk)]):
        if last > first:
            frames = [(float(second - first), [(walk[second], 0.3)]) for second in range(first, last)]
            found.append((segment_row(at(first, start), float(last - first)), frames))
    return found


def tables(lake: ParquetWarehouse) -> dict[str, Any]:
    """All that is counted, by file, without what only says where it was seen."""
    return {
        f"{table.name} {scope}": lake.read(table, scope).to_pylist()
        for table in COUNTED
        for scope in lake.scopes(table)
    }


def without_segments(content: dict[str, Any]) -> dict[str, Any]:
    return {name: [{**row, "segment": None} for row in rows] for name, rows in content.items()}


def rows(lake: ParquetWarehouse, table: Any, processor: int, version: int = 1) -> list[dict[str, Any]]:
    scopes = [one for one in lake.scopes(table) if (one.processor, one.version) == (processor, version)]
    return [row for scope in scopes for row in lake.read(table, scope).to_pylist()]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a lake with nothing but processors: copying it takes less than making it."""
    state = tmp_path_factory.mktemp("registered")
    own = Settings(state=state, _env_file=None)
    register(ParquetWarehouse(own.lake), own)
    return state


def copied(state: Path) -> ParquetWarehouse:
    other = state.with_name(f"{state.name}-{next(_NUMBERS)}")
    shutil.copytree(state, other)
    return ParquetWarehouse(other / "warehouse")


@pytest.fixture
def lake(registered: Path) -> ParquetWarehouse:
    return copied(registered)


@pytest.fixture
def registry(lake: ParquetWarehouse) -> Registry:
    return Registry(lake)


def test_a_walk_is_counted_by_each_in_its_way(lake: ParquetWarehouse, registry: Registry):
    for segment, frames in pieces(WALK, T0, [5, 11]):
        scanned(lake, segment, frames)
    done = count_due(lake, registry, clock=later)
    assert (done.days, done.segments, done.looks, done.dropped) == ([DAY] * 3, 9, 54, 0)
    events = rows(lake, ZONE_EVENTS, 1)
    told = [(row["kind"], row["zone"], row["direction"]) for row in events]
    assert told == [
        ("cross", "middle", "forward"),
        ("enter", "right", None),
        ("exit", "right", None),
        ("cross", "middle", "backward"),
    ]
    assert [row["ordinal"] for row in events] == [0, 1, 2, 3]
    assert [(row["kind"], row["value"]) for row in rows(lake, ZONE_EVENTS, 2)] == [("finish", 1)]
    assert [row["finished"] for row in rows(lake, ZONE_MINUTES, 2) if row["zone"] == "*"] == [1]
    inside = [(row["inside"], row["since"]) for row in rows(lake, OCCUPANCY, 3) if row["zone"] == "right"]
    assert inside[:3] == [(0, T0), (1, at(6)), (0, at(12))]
    assert inside[3][0] is None, "nobody looked from then on"
    assert len(rows(lake, TRACKS, 1)) == 1
    assert json.loads(rows(lake, TRACKS, 1)[0]["path"])[0] == [0.0, 0.2, 0.3]
    assert count_due(lake, registry, clock=later).days == [], "nothing is left to count"


def test_a_quiet_minute_is_zero_and_one_that_nobody_saw_is_not_there(lake: ParquetWarehouse, registry: Registry):
    scanned(lake, segment_row(T0, 30.0), [(float(second), []) for second in range(30)])
    scanned(lake, segment_row(at(150), 30.0), [(float(second), []) for second in range(30)])
    count_due(lake, registry, clock=later)
    minutes = [row for row in rows(lake, ZONE_MINUTES, 1) if row["zone"] == "*"]
    assert [(row["minute"], row["watched_s"], row["entered"]) for row in minutes] == [
        (T0, 30.0, 0),
        (at(120), 30.0, 0),
    ]
    assert {row["zone"] for row in rows(lake, ZONE_MINUTES, 1)} == {"right", "middle", "*"}
    inside = [row for row in rows(lake, ZONE_MINUTES, 3) if row["zone"] == "*"]
    assert [(row["inside_min"], row["inside_mean"], row["inside_max"]) for row in inside] == [(0, 0.0, 0)] * 2


def test_minutes_weigh_the_number_inside_by_time(lake: ParquetWarehouse, registry: Registry):
    frames = [(float(second), [(0.8, 0.3)] if 15 <= second < 30 else []) for second in range(60)]
    scanned(lake, segment_row(T0, 60.0), frames)
    count_due(lake, registry, clock=later)
    (row,) = [row for row in rows(lake, ZONE_MINUTES, 3) if row["zone"] == "right"]
    assert (row["inside_min"], row["inside_mean"], row["inside_max"], row["watched_s"]) == (0, 0.25, 1, 60.0)


def test_a_segment_that_shows_the_same_time_again_is_not_counted_twice(lake: ParquetWarehouse, registry: Registry):
    (one,) = pieces(WALK, T0, [])
    scanned(lake, *one)
    count_due(lake, registry, clock=later)
    once = without_segments(tables(lake))
    scanned(lake, segment_row(T0, 18.0, name="a copy in another format"), one[1])
    scanned(lake, segment_row(at(4), 6.0, name="a part"), [(float(s), [(0.5, 0.3)]) for s in range(6)])
    done = count_due(lake, registry, clock=later)
    assert done.dropped == 3 * 24
    assert without_segments(tables(lake)) == once


def test_a_segment_that_comes_late_to_a_day_that_goes_on_is_put_in_its_place(
    lake: ParquetWarehouse, registry: Registry, registered: Path
):
    first, second, third = pieces(WALK, T0, [6, 12])
    for late in (third, first, second):
        scanned(lake, *late)
        count_due(lake, registry, clock=lambda: at(60))
    other = copied(registered)
    for one in (first, second, third):
        scanned(other, *one)
    count_due(other, Registry(other), clock=lambda: at(60))
    assert tables(lake) == tables(other)


def test_who_stays_for_days_is_inside_on_each_of_them(lake: ParquetWarehouse, registry: Registry):
    registry.change(3, author="ada", options={"anchor": "centre", "gap_s": 3600})
    begin = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
    for first, last in ((0, 1), (1, 30), (30, 31)):  # a look every 50 minutes, over two midnights
        frames = [(3000.0 * step, [(0.8, 0.3)]) for step in range(last - first)]
        scanned(lake, segment_row(at(3000 * first, begin), 3000.0 * (last - first)), frames)
    count_due(lake, registry, clock=lambda: at(3000 * 30 + 60, begin))
    inside = [(row["day"].day, row["inside_min"]) for row in rows(lake, ZONE_MINUTES, 3, 2) if row["zone"] == "*"]
    assert set(inside) == {(1, 1), (2, 1), (3, 1)}


def test_frames_that_go_on_after_an_overlap_count(lake: ParquetWarehouse, registry: Registry, registered: Path):
    for first, last in ((0, 10), (6, 18)):
        frames = [(float(second - first), [(WALK[second], 0.3)]) for second in range(first, last)]
        scanned(lake, segment_row(at(first), float(last - first)), frames)
    count_due(lake, registry, clock=later)
    overlapped = without_segments(tables(lake))
    other = copied(registered)
    scanned(other, *pieces(WALK, T0, [])[0])
    count_due(other, Registry(other), clock=later)
    assert overlapped == without_segments(tables(other))


@given(
    cuts=st.lists(st.integers(1, len(WALK) - 1), max_size=3, unique=True),
    order=st.permutations(range(6)),
    repeated=st.lists(st.integers(0, 5), max_size=2),
    number=st.integers(1, 3),
    each=st.booleans(),
)
@hypothesis_settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_segments_gives_the_tables_of_the_order(
    registered: Path, monkeypatch: pytest.MonkeyPatch, cuts: Any, order: Any, repeated: Any, number: int, each: bool
):
    """A walk over midnight, and one the day after, so that days begin with the state of others."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    segments = pieces(WALK, EVENING, cuts) + pieces(WALK[:9], EVENING + timedelta(days=1), [3])
    arriving = [segments[place] for place in (*order, *repeated) if place < len(segments)]

    def count(arriving: list[Any], *, at_each: bool) -> dict[str, Any]:
        lake = copied(registered)
        registry = Registry(lake)
        chosen = registry.processor(number), registry.zones(number)
        for step, (segment, frames) in enumerate(arriving):
            now = EVENING + timedelta(seconds=5 * step)  # now and then a day is counted before it is over
            scanned(lake, segment, frames, scanned_at=now)
            if at_each:
                count_days(lake, *chosen, [segment["start_at"].date()], clock=lambda now=now: now)
        count_days(lake, *chosen, {one["start_at"].date() for one, _ in arriving}, clock=later)
        assert due_days(lake, *chosen, clock=later) == []
        return tables(lake)

    assert count(arriving, at_each=each) == count(segments, at_each=False)


def test_a_day_goes_on_where_it_stopped(lake: ParquetWarehouse, registry: Registry):
    first, second, third = pieces(WALK, T0, [6, 12])
    scanned(lake, *first)
    assert count_due(lake, registry, clock=lambda: at(60)).segments == 3
    scanned(lake, *second)
    assert count_due(lake, registry, clock=lambda: at(60)).segments == 3, "only the new one, three times"
    before = tables(lake)
    assert count_due(lake, registry, clock=lambda: at(60)).days == []
    scanned(lake, *third)
    assert count_due(lake, registry, clock=lambda: at(60)).looks == 18
    assert tables(lake) != before
    assert count_due(lake, registry, clock=later).segments == 0, "the day is closed, and no look is counted again"
    closed = tables(lake)
    assert len(rows(lake, TRACKS, 1)) == 1
    recount(lake, registry, 1, DAY, DAY, clock=later)
    assert tables(lake) == closed


@pytest.mark.parametrize("killed_at", [0, 2, 3, 4, 6])
def test_a_writer_that_is_killed_anywhere_loses_and_doubles_nothing(
    lake: ParquetWarehouse, registry: Registry, registered: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
):
    first, second = pieces(WALK, T0, [9])
    scanned(lake, *first)
    count_due(lake, registry, clock=lambda: at(60))
    scanned(lake, *second)
    steps = itertools.count()

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            if next(steps) == killed_at:
                raise KeyboardInterrupt
            return real(*args)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(ParquetWarehouse, "publish", dying(ParquetWarehouse.publish))
        patch.setattr(States, "write", dying(States.write))
        with pytest.raises(KeyboardInterrupt):
            count_due(lake, registry, clock=lambda: at(60))
    count_due(lake, registry, clock=lambda: at(60))
    count_due(lake, registry, clock=later)
    other = copied(registered)
    for segment, frames in (first, second):
        scanned(other, segment, frames)
    count_due(other, Registry(other), clock=later)
    assert tables(lake) == tables(other)


def test_a_state_that_is_broken_or_lost_is_made_anew(lake: ParquetWarehouse, registry: Registry):
    for segment, frames in pieces(WALK, EVENING, [12]):
        scanned(lake, segment, frames)
    count_due(lake, registry, clock=later)
    content = tables(lake)
    files = sorted(zones_folder(lake).rglob("*.json"))
    assert len(files) == 6
    files[0].write_text("{}")
    files[3].unlink()
    count_due(lake, registry, clock=later)
    registry_days = [DAY, DAY + timedelta(days=1)]
    for number in (1, 2, 3):
        recount(lake, registry, number, *registry_days, clock=later)
    assert tables(lake) == content
    assert sorted(zones_folder(lake).rglob("*.json")) == files


def test_a_scan_that_is_taken_back_takes_its_counts_away(lake: ParquetWarehouse, registry: Registry):
    ((segment, frames),) = pieces(WALK, T0, [])
    scanned(lake, segment, frames)
    count_due(lake, registry, clock=later)
    scanned(lake, segment, [], status="failed", reason="changed")
    count_due(lake, registry, clock=later)
    assert [row for number in (1, 2, 3) for table in COUNTED for row in rows(lake, table, number)] == []


def test_what_lies_there_is_due_to_a_first_version_and_only_what_is_new_to_the_next(
    lake: ParquetWarehouse, registry: Registry
):
    first, second = pieces(WALK, T0, [9])
    scanned(lake, *first)
    assert due_days(lake, registry.processor(1), registry.zones(1)) == [DAY]
    assert count_due(lake, registry, clock=later).days == [DAY] * 3
    registry.edit_zones(1, LEFT, "ada")
    assert due_days(lake, registry.processor(1), registry.zones(1)) == [], "version 1 has counted it"
    done = recount(lake, registry, 1, DAY - timedelta(days=5), DAY, clock=later)
    assert done.days == [DAY]
    registry.edit_zones(1, RIGHT, "ada")
    scanned(lake, *second)
    assert due_days(lake, registry.processor(1), registry.zones(1)) == [DAY], "and something has come since"
    recount(lake, registry, 1, DAY, DAY, 2, clock=later)
    assert {row["zone"] for row in rows(lake, ZONE_EVENTS, 1, 2)} == {"left"}
    assert {row["zone"] for row in rows(lake, ZONE_EVENTS, 1, 1)} == {"right", "middle"}
    assert recount(lake, registry, 1, DAY, DAY, 2, clock=later).days == [], "version 2 is as it was"
    with pytest.raises(ConfigError, match="before the first"):
        recount(lake, registry, 1, DAY, DAY - timedelta(days=1))


def test_zones_that_are_moved_while_a_long_scan_goes_on_lose_nothing(lake: ParquetWarehouse, registry: Registry):
    scanned(lake, *pieces(WALK, T0, [])[0])
    registry.edit_zones(1, LEFT, "ada", "before anything of it was counted")
    assert due_days(lake, registry.processor(1), registry.zones(1)) == [DAY]


@pytest.mark.parametrize("hours", [-30, 30])
def test_clocks_do_not_say_what_is_new(lake: ParquetWarehouse, registry: Registry, hours: int):
    first, second = pieces(WALK, T0, [9])
    scanned(lake, *first)
    count_due(lake, registry, clock=later)
    scanned(lake, *second)
    for path in lake.layout.root.rglob("*.parquet"):
        os.utime(path, (path.stat().st_mtime + 3600 * hours,) * 2)
    assert count_due(lake, registry, clock=later).days == [DAY] * 3
    assert due_days(lake, registry.processor(1), registry.zones(1), clock=later) == []


def test_a_video_whose_time_is_corrected_is_counted_where_it_belongs(lake: ParquetWarehouse, registry: Registry):
    ((segment, frames),) = pieces(WALK, T0, [])
    scanned(lake, segment, frames)
    count_due(lake, registry, clock=later)
    put(lake, SEGMENTS, [segment | {"start_at": at(600), "end_at": at(618)}])
    count_due(lake, registry, clock=later)
    assert min(row["happened_at"] for row in rows(lake, ZONE_EVENTS, 1)) > at(600)


def test_who_is_killed_between_two_days_leaves_the_second_one_due(
    lake: ParquetWarehouse, registry: Registry, registered: Path, monkeypatch: pytest.MonkeyPatch
):
    late, *early = pieces(WALK, EVENING, [5, 10])
    for one in early:
        scanned(lake, *one)
    count_due(lake, registry, clock=later)
    scanned(lake, *late)

    def publish(self: Any, table: Any, scope: Any, *rest: Any, real: Any = ParquetWarehouse.publish) -> Any:
        if scope.day and scope.day > DAY:
            raise KeyboardInterrupt
        return real(self, table, scope, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(ParquetWarehouse, "publish", publish)
        with pytest.raises(KeyboardInterrupt):
            count_days(lake, registry.processor(1), registry.zones(1), [DAY], clock=later)
    count_due(lake, registry, clock=later)
    other = copied(registered)
    for one in (late, *early):
        scanned(other, *one)
    count_due(other, Registry(other), clock=later)
    assert tables(lake) == tables(other)


def test_a_day_of_which_nothing_could_be_read_is_looked_at_once(lake: ParquetWarehouse, registry: Registry):
    scanned(lake, segment_row(T0, 5.0), [], status="failed", reason="gone")
    assert due_days(lake, registry.processor(1), registry.zones(1), clock=later) == [DAY]
    assert count_due(lake, registry, clock=later).days == []
    assert due_days(lake, registry.processor(1), registry.zones(1), clock=later) == []
    assert tables(lake) == {}


def test_a_draft_is_counted_and_nothing_is_published(lake: ParquetWarehouse, registry: Registry):
    for segment, frames in pieces(WALK, EVENING, [5]):
        scanned(lake, segment, frames)
    one = registry.processor(1)
    shown = preview(lake, one, RIGHT, DAY, DAY + timedelta(days=1))
    assert [(event.kind, event.zone) for event in shown.events] == [("enter", "right"), ("exit", "right")]
    assert shown.looks == 18
    assert sum(row["entered"] for row in shown.minutes if (row["zone"], row["label"]) == ("*", "*")) == 1
    assert tables(lake) == {}
    assert not zones_folder(lake).exists()
    with pytest.raises(ConfigError, match="draw one"):
        preview(lake, one, ZoneSet(), DAY, DAY)
    with pytest.raises(ConfigError, match="31 days"):
        preview(lake, one, RIGHT, DAY, DAY + timedelta(days=31))
    assert preview(lake, one, RIGHT, DAY - timedelta(days=9), DAY - timedelta(days=8)).looks == 0
    assert preview(lake, one, RIGHT, DAY, DAY, start=at(5, EVENING)).looks == 13
    assert preview(lake, one, RIGHT, DAY, DAY, stop=at(5, EVENING)).looks == 5


def test_a_draft_gives_what_saving_it_would(lake: ParquetWarehouse, registry: Registry):
    scanned(lake, *pieces(WALK, T0, [])[0])
    shown = preview(lake, registry.processor(1), LEFT, DAY, DAY)
    registry.edit_zones(1, LEFT, "ada")
    recount(lake, registry, 1, DAY, DAY, clock=later)
    saved = rows(lake, ZONE_MINUTES, 1, 2)
    assert [{name: row[name] for name in shown.minutes[0]} for row in saved] == shown.minutes


def test_disabled_processors_are_left_alone(lake: ParquetWarehouse, registry: Registry):
    registry.change(1, author="ada", enabled=False)
    registry.change(2, author="ada", enabled=False)
    scanned(lake, *pieces(WALK, T0, [])[0])
    assert count_due(lake, registry, clock=later, camera="Elsewhere").days == []
    assert count_due(lake, registry, clock=later).days == [DAY]


def test_looks_hold_empty_frames_and_leave_out_what_failed(lake: ParquetWarehouse):
    scanned(lake, segment_row(at(10), 5.0), [(0.0, [(0.5, 0.5)]), (1.0, []), (2.5, [(0.1, 0.2), (0.3, 0.4)])])
    scanned(lake, segment_row(T0, 5.0), [(0.0, [])], status="partial", reason="broken_off")
    scanned(lake, segment_row(at(20), 5.0), [(0.0, [(0.5, 0.5)])], status="failed", reason="gone")
    scanned(lake, segment_row(at(30), 5.0), [])
    seen = list(looks(lake, SOURCE, CAMERA, PIPELINE, DAY))
    assert [(one.at, len(one.labels)) for one in seen] == [(T0, 0), (at(10), 1), (at(11), 0), (at(12.5), 2)]
    assert seen[1].segment == sha(at(10).isoformat())
    assert seen[3].boxes.shape == (2, 4)
    assert seen[3].boxes[1].tolist() == pytest.approx([0.28, 0.35, 0.32, 0.45])
    assert list(looks(lake, SOURCE, CAMERA, PIPELINE, DAY + timedelta(days=1))) == []


def test_a_container_that_lies_about_its_length_does_not_claim_a_day(lake: ParquetWarehouse):
    scanned(lake, segment_row(T0, 86400.0), [(0.0, []), (9.0, [])])
    scanned(lake, segment_row(at(5), 60.0), [(0.0, []), (30.0, [])], status="partial", reason="broken_off")
    segments = seen_segments(lake, SOURCE, CAMERA, PIPELINE, DAY)
    assert watched(segments, 1.0, None) == [(T0, at(11)), (at(11), at(36))]
    assert watched(segments, 1.0, at(20)) == [(at(20), at(36))]
