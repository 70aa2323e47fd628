"""Expiry: nothing goes that is young, unpublished, somebody else's or out of the store, and what is said is done."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.tables import count_rows, frame_rows

from wayside.core.errors import ConfigError, StoreError
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, EXPIRIES, FRAMES
from wayside.sources.spec import SourceSpec
from wayside.stills import expire
from wayside.stills.expire import Decision, apply, lifecycle, note, plan_expiry
from wayside.stills.runs import RunBook, RunInfo
from wayside.store import LocalStore, PictureMeta, picture_key
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

NOW = datetime(2026, 6, 10, 3, 0, tzinfo=UTC)
TODAY = Slot(NOW.replace(hour=0))
META = PictureMeta(fetched_at=NOW)
NULLS = dict.fromkeys(("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van"))
CITY, TOWN = (SourceSpec(id=name, kind="folder", url="x") for name in ("City", "Town"))


class Cell(NamedTuple):
    """One camera and slot: is there a picture, what does its frame say, and what do its counts?"""

    picture: bool
    frame: str | None = None  # status
    counts: str | None = None  # seen or missing


DONE = Cell(True, "ok", "seen")
World = dict[tuple[str, Slot, str], Cell]


class Place(NamedTuple):
    store: LocalStore
    lake: ParquetWarehouse

    def keys(self) -> set[str]:
        return set(self.store.keys("City")) | set(self.store.keys("Town"))

    def plan(self, keep_days: int = 2, spec: SourceSpec = CITY) -> list[Decision]:
        return plan_expiry(self.store, self.lake, spec, keep_days, NOW)

    def row(self, day: Slot, source: str = "City") -> Row:
        (row,) = self.lake.read(EXPIRIES, Scope(source, day=day.start.date())).to_pylist()
        return row

    def fill(self, world: World) -> None:
        for source, slot in {(source, slot) for source, slot, _ in world}:
            cells = {camera: cell for (name, when, camera), cell in world.items() if (name, when) == (source, slot)}
            self._publish(source, slot, cells)

    def _publish(self, source: str, slot: Slot, cells: dict[str, Cell]) -> None:
        where, counted = Scope(source, slot), Scope(source, slot, "StubV1")
        frames: list[Row] = []
        counts: list[Row] = []
        for camera, cell in cells.items():
            if cell.picture:
                self.store.create(picture_key(source, slot, camera), b"0123456789", META)
            if cell.frame:
                frames += frame_rows(where, [camera], status=cell.frame)
            if cell.counts:
                blank = NULLS if cell.counts == "missing" else {}
                counts += count_rows(counted, [camera], missing=cell.counts == "missing", **blank)
        if frames:
            self.lake.publish(FRAMES, where, to_arrow(FRAMES, frames))
        if counts:
            self.lake.publish(COUNTS, counted, to_arrow(COUNTS, counts))


def place_at(folder: Path) -> Place:
    return Place(LocalStore(folder / "pictures"), ParquetWarehouse(folder / "lake"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_at(tmp_path)


def ago(days: int, step: int = 0) -> Slot:
    return TODAY.shift(-144 * days + step)


def old_day(*cells: Cell, days: int = 5, source: str = "City") -> World:
    """One camera with a cell for each slot from midnight on."""
    return {(source, ago(days, step), "a"): cell for step, cell in enumerate(cells)}


def may_go(world: World, key: tuple[str, Slot, str], keep_days: int) -> bool:
    """The rule once more, one picture at a time."""
    source, slot, camera = key
    neighbours = [world.get((source, other, camera)) for other in (slot.previous, slot.next)]
    done = [
        cell is None or cell.frame is None or cell.counts == "seen" or (cell.frame != "ok" and cell.counts is not None)
        for cell in neighbours
    ]
    old = (NOW.date() - slot.start.date()).days > keep_days
    cell = world[key]
    return old and cell.picture and cell.frame == "ok" and cell.counts == "seen" and all(done)


CELLS = st.builds(
    Cell,
    st.booleans(),
    st.sampled_from([None, "ok", "ok", "failed"]),
    st.sampled_from([None, "seen", "seen", "missing"]),
)
SLOTS = st.builds(ago, st.integers(0, 4), st.sampled_from([0, 1, 2, 142, 143]))
WORLDS = st.dictionaries(
    st.tuples(st.sampled_from(["City", "Town"]), SLOTS, st.sampled_from("ab")),
    st.one_of(st.just(DONE), CELLS),
    max_size=14,
)


@hypothesis_settings(max_examples=15, deadline=None)
@given(WORLDS, st.integers(1, 3))
def test_exactly_what_was_said_goes_and_nothing_that_must_stay(
    tmp_path_factory: pytest.TempPathFactory, world: World, keep_days: int
):
    folder = tmp_path_factory.mktemp("place")
    place = place_at(folder)
    place.fill(world)
    outside = folder / "pictures" / "20260501" / "0000" / "a.jpg"
    for odd in (outside, folder / "City" / "20260501" / "x.jpg", folder / "pictures/City/thumbs/0000/a.jpg"):
        odd.parent.mkdir(parents=True)
        odd.write_bytes(b"mine")
    before = place.keys()
    decisions = place.plan(keep_days)
    assert place.keys() == before, "a plan deletes nothing"
    rows = [apply(place.store, place.lake, Decision.from_json(one.as_json()), "r", NOW) for one in decisions]
    left = place.keys()
    gone = before - left
    assert gone == {picture_key(*key) for key in world if key[0] == "City" and may_go(world, key, keep_days)}
    for decision, row in zip(decisions, rows, strict=True):
        assert decision.pictures == sum(1 for key in gone if key.startswith(f"{decision.prefix}/"))
        assert decision.bytes == decision.pictures * 10
        there = sum(1 for key in left if key.startswith(f"{decision.prefix}/"))
        assert sum(decision.kept.values()) == there
        assert row is None or (row["kept"], row["action"] == "deleted") == (there, bool(row["bytes"]))
    assert all(path.read_bytes() == b"mine" for path in (outside, folder / "City" / "20260501" / "x.jpg"))
    assert place.plan(keep_days) == [
        replace(one, pictures=0, bytes=0, digest=expire._digest([])) if one.day else one
        for one in decisions
        if one.kept
    ]


@pytest.mark.parametrize(
    ("cells", "goes", "kept"),
    [
        ([DONE, DONE, DONE], 3, {}),
        ([Cell(True)], 0, {"no_frame": 1}),
        ([Cell(True, "failed", "seen")], 0, {"no_frame": 1}),
        ([Cell(True, "ok")], 0, {"not_analysed": 1}),
        ([Cell(True, "ok", "missing")], 0, {"not_analysed": 1}),
        ([DONE, Cell(True, "ok"), DONE, DONE], 1, {"not_analysed": 1, "neighbour_waits": 2}),
        ([DONE, Cell(False, "failed"), DONE], 0, {"neighbour_waits": 2}),
        ([DONE, Cell(False, "failed", "missing"), DONE], 2, {}),
        ([DONE, Cell(False, None, None), DONE], 2, {}),
        ([DONE, Cell(False, "ok", "missing")], 0, {"neighbour_waits": 1}),
    ],
)
def test_each_reason(place: Place, cells: list[Cell], goes: int, kept: dict[str, int]):
    place.fill(old_day(*cells))
    (decision,) = place.plan()
    assert (decision.pictures, decision.kept) == (goes, kept)
    assert set(kept) <= set(expire.REASONS)


def test_neighbours_across_midnight_count(place: Place):
    place.fill({("City", ago(5, 143), "a"): DONE, ("City", ago(4, 0), "a"): Cell(True, "ok")})
    assert [decision.kept for decision in place.plan()] == [{"neighbour_waits": 1}, {"not_analysed": 1}]


def test_a_neighbour_whose_picture_went_unseen_waits_for_nothing(place: Place):
    place.fill(old_day(DONE, Cell(False, "ok", "missing"), DONE))
    assert place.plan()[0].kept == {"neighbour_waits": 2}
    where = Scope("City", ago(5, 1), "StubV1")
    rows = count_rows(where, ["a"], missing=True, reason="expired", **NULLS)
    place.lake.publish(COUNTS, where, to_arrow(COUNTS, rows))
    (decision,) = place.plan()
    assert (decision.pictures, decision.kept) == (2, {})


def test_another_pipeline_is_enough_and_another_camera_is_not(place: Place):
    slot = ago(5)
    place.fill({("City", slot, "a"): Cell(True, "ok", "missing"), ("City", slot, "b"): Cell(True, "ok")})
    other = Scope("City", slot, "StubV2")
    place.lake.publish(COUNTS, other, to_arrow(COUNTS, count_rows(other, ["a"])))
    (decision,) = place.plan()
    assert (decision.pictures, decision.kept) == (1, {"not_analysed": 1})


def test_compacted_days_are_judged_alike(place: Place):
    place.fill(old_day(DONE, Cell(True, "ok"), DONE, DONE))
    before = place.plan()
    place.lake.compact(NOW.date())
    assert place.plan() == before


@pytest.mark.parametrize(("keep_days", "days"), [(1, [5, 4, 3, 2]), (2, [5, 4, 3]), (4, [5]), (9, [])])
def test_days_are_kept(place: Place, keep_days: int, days: list[int]):
    for number in range(-1, 6):
        place.fill(old_day(DONE, days=number))
    assert [decision.day for decision in place.plan(keep_days)] == [ago(number).start.date() for number in days]


@pytest.mark.parametrize("keep_days", [0, -3])
def test_less_than_a_day_is_refused(place: Place, keep_days: int):
    with pytest.raises(ConfigError, match="kept for one day at least"):
        place.plan(keep_days)


def test_a_decision_about_today_is_refused(place: Place):
    place.fill(old_day(DONE, days=0))
    for days in (0, 1):
        day = ago(days).start.date()
        with pytest.raises(ConfigError, match="not over for a day"):
            apply(place.store, place.lake, Decision("City", f"City/{day:%Y%m%d}", day, 1), "r", NOW)
    assert len(place.keys()) == 1


def test_folders_and_files_of_other_names_stay_and_are_told(place: Place):
    place.fill(old_day(DONE))
    root = place.store.root / "City"
    for name in ("20269999/0000/a.jpg", "thumbs/a.jpg", "2026-06-05/0000/a.jpg", f"{ago(5).day}/0000/notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"mine")
    decisions = place.plan()
    assert [(one.prefix, one.pictures, one.kept) for one in decisions] == [
        (f"City/{ago(5).day}", 1, {"unknown": 1}),
        ("City/2026-06-05", 0, {"undated": 1}),
        ("City/20269999", 0, {"undated": 1}),
        ("City/thumbs", 0, {"undated": 1}),
    ]
    rows = [apply(place.store, place.lake, one, "r", NOW) for one in decisions]
    assert [row and row["action"] for row in rows] == ["deleted", None, None, None]
    assert [note(place.lake, one, "r", NOW) for one in decisions[1:]] == [None] * 3
    assert len(place.keys()) == 4


def test_a_link_out_of_the_store_is_refused(place: Place, tmp_path: Path):
    place.fill(old_day(Cell(False, "ok", "seen")))
    elsewhere = tmp_path / "elsewhere" / "0000"
    elsewhere.mkdir(parents=True)
    (elsewhere / "a.jpg").write_bytes(b"mine")
    (place.store.root / "City").mkdir(parents=True)
    (place.store.root / "City" / ago(5).day).symlink_to(elsewhere.parent)
    (decision,) = place.plan()
    with pytest.raises(StoreError, match="outside"):
        apply(place.store, place.lake, decision, "r", NOW)
    assert (elsewhere / "a.jpg").read_bytes() == b"mine"


# Between plan and deletion


@pytest.mark.parametrize("change", [{("City", ago(5, 9), "b"): DONE}, {("City", ago(5, 1), "a"): Cell(True, "ok")}])
def test_a_decision_whose_facts_changed_is_skipped(place: Place, change: World):
    place.fill(old_day(DONE))
    (decision,) = place.plan()
    place.fill(change)
    before = place.keys()
    row = apply(place.store, place.lake, decision, "r", NOW)
    assert place.keys() == before
    assert row is not None
    assert row["action"] == "kept"
    (again,) = place.plan()
    apply(place.store, place.lake, again, "r", NOW)
    assert len(place.keys()) == len(before) - again.pictures


def book(place: Place, first: Slot, last: Slot, hours: float = 1) -> RunBook:
    """Open a run over some slots that has said nothing for some hours."""
    found = RunBook(place.lake, lambda: NOW - timedelta(hours=hours), "City", "r1")
    found.open(RunInfo(run="r1", kind="k", first=first.start, last=last.start, mode="all", who="me"), 1, ["p1"])
    return found


@pytest.mark.parametrize(
    ("first", "last", "hours", "goes"),
    [
        (ago(5), ago(4, -1), 1, 0),
        (ago(9), ago(1), 1, 0),
        (ago(4), ago(3), 1, 0),  # it looks at the last slot of the day before
        (ago(4, 1), ago(3), 1, 3),
        (ago(9), ago(5, -2), 1, 3),
        (ago(9), ago(1), 25, 3),
    ],
)
def test_pictures_that_a_run_at_work_looks_at_stay(place: Place, first: Slot, last: Slot, hours: float, goes: int):
    place.fill(old_day(DONE, DONE, DONE))
    book(place, first, last, hours)
    (decision,) = place.plan()
    assert (decision.pictures, dict(decision.kept)) == (goes, {} if goes else {"at_work": 3})


def test_a_run_that_begins_between_plan_and_deletion_has_its_pictures(place: Place):
    place.fill(old_day(DONE, DONE, DONE))
    (decision,) = place.plan()
    at_work = book(place, ago(5), ago(5, 143))
    row = apply(place.store, place.lake, decision, "r", NOW)
    assert row is not None
    assert (row["action"], row["reason"], len(place.keys())) == ("kept", "at_work", 3)
    at_work.close("done")
    (again,) = place.plan()
    apply(place.store, place.lake, again, "r", NOW)
    assert place.keys() == set()


def test_the_rows_tell_what_was_done(place: Place):
    place.fill(old_day(DONE, DONE, DONE, DONE, Cell(True, "ok")))
    day = ago(5)
    (decision,) = place.plan()
    assert str(decision) == f"City/{day.day}: 3 pictures (0.0 MB) go; 2 stay (neighbour_waits 1, not_analysed 1)"
    note(place.lake, decision, "dry", NOW)
    told = {name: place.row(day)[name] for name in ("action", "reason", "pictures", "bytes", "kept", "run", "prefix")}
    assert told == {
        "action": "would_delete",
        "reason": "neighbour_waits",
        "pictures": 3,
        "bytes": 30,
        "kept": 2,
        "run": "dry",
        "prefix": f"City/{day.day}",
    }
    apply(place.store, place.lake, decision, "wet", NOW)
    row = place.row(day)
    assert (row["action"], row["pictures"], row["bytes"], row["kept"], row["run"]) == ("deleted", 3, 30, 2, "wet")
    place.fill({("City", ago(5, 4), "a"): DONE})
    (later,) = place.plan()
    apply(place.store, place.lake, later, "wet2", NOW)
    row = place.row(day)
    assert (row["action"], row["reason"], row["pictures"], row["kept"]) == ("deleted", None, 5, 0)
    assert place.plan() == []


def test_a_dry_run_does_not_hide_what_was_done(place: Place):
    place.fill(old_day(DONE, DONE, Cell(True, "ok")))
    apply(place.store, place.lake, *place.plan(), "wet", NOW)
    note(place.lake, *place.plan(), "dry", NOW)
    assert place.row(ago(5))["action"] == "deleted"


class Killed(BaseException):
    """The process is gone, as far as the test can tell."""


@pytest.mark.parametrize("deleted", [0, 1, 2, 3])
def test_killed_anywhere_and_run_again_the_row_is_the_same(place: Place, monkeypatch: pytest.MonkeyPatch, deleted: int):
    place.fill(old_day(DONE, DONE, DONE))
    (decision,) = place.plan()

    def dies(store: LocalStore, keys: Iterator[str]) -> int:
        for key in list(keys)[:deleted]:
            store.delete(key)
        if deleted == 3:
            store.prune(decision.prefix)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "delete_many", dies)
        with pytest.raises(Killed):
            apply(place.store, place.lake, decision, "r", NOW)
    assert place.row(ago(5))["action"] == "would_delete"
    for dry in place.plan():
        note(place.lake, dry, "dry", NOW)
    (again,) = place.plan()
    assert again.pictures == 3 - deleted
    apply(place.store, place.lake, again, "r", NOW)
    row = place.row(ago(5))
    assert (row["action"], row["pictures"], row["bytes"], row["kept"]) == ("deleted", 3, 30, 0)
    assert (place.keys(), place.plan()) == (set(), [])


def test_two_at_once_leave_what_one_does(place: Place):
    place.fill(old_day(DONE, DONE))
    (decision,) = place.plan()
    first = apply(place.store, place.lake, decision, "one", NOW)
    second = apply(place.store, place.lake, decision, "two", NOW)
    assert first is not None
    assert second == {**first, "run": "two"}


def test_the_same_rule_for_a_bucket():
    assert lifecycle([(CITY, 28), (TOWN, 1)], "/london/") == {
        "lifecycle": {
            "rule": [
                {"action": {"type": "Delete"}, "condition": {"age": 29, "matchesPrefix": ["london/City/"]}},
                {"action": {"type": "Delete"}, "condition": {"age": 2, "matchesPrefix": ["london/Town/"]}},
            ]
        }
    }
    (rule,) = lifecycle([(CITY, 28)])["lifecycle"]["rule"]
    assert rule["condition"]["matchesPrefix"] == ["City/"]


def test_a_decision_survives_json():
    for decision in (
        Decision("City", "City/20260501", date(2026, 5, 1), 3, 30, {"no_frame": 1}, "abc"),
        Decision("City", "City/thumbs", None),
    ):
        assert Decision.from_json(decision.as_json()) == decision
