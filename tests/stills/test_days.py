"""The roll-up of a day: every slot of every camera is in one state, whatever is and is not published."""

import threading
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.tables import count_rows, frame_rows

from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside.core.tables import CAMERA_DAYS, CAMERAS, COUNTS, FRAMES
from wayside.stills import days
from wayside.stills.days import due_slots, roll_up
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

DAY = date(2026, 5, 1)
FIRST = Slot.parse("20260501T0000Z")
PIPELINE = "StubV1"
UNUSABLE = {"bus": None, "car": None, "cyclist": None, "motorcyclist": None, "person": None, "truck": None, "van": None}
STATES = ("counted", "faulty", "missing", "failed", "waiting", "not_run")


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path)


def publish(lake: ParquetWarehouse, slot: Slot, states: dict[str, str], pipeline: str = PIPELINE) -> None:
    """Publish frames and counts of one slot such that each camera is in a state; `+` at its end makes it late."""
    frames: list[Row] = []
    counts: list[Row] = []
    where, counted = Scope("City", slot), Scope("City", slot, pipeline)
    for camera, told in states.items():
        state = told.rstrip("+")
        if state == "not_run":
            continue
        late = {"fetched_at": slot.end + timedelta(minutes=10, seconds=told.endswith("+"))}
        status = state if state in {"missing", "failed"} else "ok"
        sha = {} if status == "ok" else {"sha256": None, "reason": "timeout"}
        frames += frame_rows(where, [camera], status=status, **late, **sha)
        missing, faulty = state in {"missing", "failed"}, state == "faulty"
        if state != "waiting":
            blank = UNUSABLE if missing or faulty else {}
            counts += count_rows(counted, [camera], missing=missing, faulty=faulty, **blank)
    lake.publish(FRAMES, where, to_arrow(FRAMES, frames))
    if counts:
        lake.publish(COUNTS, counted, to_arrow(COUNTS, counts))


def listed(lake: ParquetWarehouse, cameras: Sequence[str]) -> None:
    rows = [{"source": "City", "camera": camera, "name": camera} for camera in cameras]
    lake.publish(CAMERAS, Scope("City"), to_arrow(CAMERAS, rows))


def rolled(lake: ParquetWarehouse, pipeline: str = PIPELINE, day: date = DAY) -> dict[str, Row]:
    rows = lake.read(CAMERA_DAYS, Scope("City", pipeline=pipeline, day=day)).to_pylist()
    return {row["camera"]: {name: row[name] for name in (*STATES, "late") if row[name]} for row in rows}


def test_every_state_is_counted(lake: ParquetWarehouse):
    states = ["counted", "counted+", "faulty+", "missing", "failed+", "waiting+"]
    for step, state in enumerate(states):
        publish(lake, FIRST.shift(step), {"a": state, "b": "counted"})
    listed(lake, ["a", "c"])
    assert roll_up(lake, "City", DAY) == 3
    assert rolled(lake) == {
        "a": {"counted": 2, "faulty": 1, "missing": 1, "failed": 1, "waiting": 1, "not_run": 138, "late": 3},
        "b": {"counted": 6, "not_run": 138},
        "c": {"not_run": 144},
    }


def test_only_slots_that_are_due_count(lake: ParquetWarehouse):
    for step in range(4):
        publish(lake, FIRST.shift(step), {"a": "counted"})
    assert roll_up(lake, "City", DAY, due=3) == 1
    assert rolled(lake) == {"a": {"counted": 3}}
    assert roll_up(lake, "City", DAY, due=10) == 1
    assert rolled(lake) == {"a": {"counted": 4, "not_run": 6}}


def test_a_day_is_its_own(lake: ParquetWarehouse):
    for step in (-1, 0, 143, 144):
        publish(lake, FIRST.shift(step), {"a": "counted"})
    roll_up(lake, "City", DAY)
    assert rolled(lake) == {"a": {"counted": 2, "not_run": 142}}


def test_each_pipeline_has_rows(lake: ParquetWarehouse):
    publish(lake, FIRST, {"a": "counted"})
    publish(lake, FIRST, {"a": "faulty"}, "StubV2")
    publish(lake, FIRST.next, {"a": "faulty"}, "StubV2")
    assert roll_up(lake, "City", DAY) == 2
    assert rolled(lake) == {"a": {"counted": 1, "waiting": 1, "not_run": 142}}
    assert rolled(lake, "StubV2") == {"a": {"faulty": 2, "not_run": 142}}


def test_a_day_without_counts_belongs_to_the_pipeline_that_counted_last(lake: ParquetWarehouse):
    assert roll_up(lake, "City", DAY) == 0
    publish(lake, FIRST.shift(-6 * SLOTS_PER_DAY), {"a": "counted"})
    publish(lake, FIRST, {"a": "waiting"})
    assert roll_up(lake, "City", DAY) == 1
    assert rolled(lake) == {"a": {"waiting": 1, "not_run": 143}}
    assert roll_up(lake, "City", DAY + timedelta(days=9)) == 0


def test_the_same_tables_give_the_same_file_compacted_or_not(lake: ParquetWarehouse):
    for step in range(5):
        publish(lake, FIRST.shift(step), {"a": "counted", "b": "faulty"})
    roll_up(lake, "City", DAY)
    first = Path(*lake.files(CAMERA_DAYS)).read_bytes()
    lake.compact(DAY + timedelta(days=1))
    roll_up(lake, "City", DAY)
    assert Path(*lake.files(CAMERA_DAYS)).read_bytes() == first


def test_of_two_that_roll_up_at_once_the_newer_rows_stay(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    publish(lake, FIRST, {"a": "waiting"})
    publish(lake, FIRST.next, {"a": "counted"})
    read, threads = days._numbers, []

    def overtaken(*args: object) -> dict[str, Row]:
        found = read(*args)
        if not threads:  # the first has read: now rows change, and whoever changed them rolls up as well
            publish(lake, FIRST, {"a": "counted"})
            threads.append(threading.Thread(target=roll_up, args=(lake, "City", DAY, 2)))
            threads[0].start()
            threads[0].join(0.3)
        return dict(found)

    monkeypatch.setattr(days, "_numbers", overtaken)
    roll_up(lake, "City", DAY, 2)
    threads[0].join()
    assert rolled(lake) == {"a": {"counted": 2}}


@pytest.mark.parametrize(
    ("newest", "due"),
    [("20260430T2350Z", 0), ("20260501T0000Z", 1), ("20260501T2350Z", 144), ("20260503T0000Z", 144)],
)
def test_due_slots_end_with_the_newest(newest: str, due: int):
    assert due_slots(DAY, Slot.parse(newest)) == due


@hypothesis_settings(max_examples=15, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(STATES), min_size=1), min_size=1, max_size=6))
def test_the_states_of_a_camera_add_up_to_its_slots(tmp_path_factory: pytest.TempPathFactory, slots):
    lake = ParquetWarehouse(tmp_path_factory.mktemp("lake"))
    for step, states in enumerate(slots):
        publish(lake, FIRST.shift(step), states)
    publish(lake, FIRST.shift(9), {"d": "counted"})
    listed(lake, "abcd")
    roll_up(lake, "City", DAY, due=10)
    found = rolled(lake)
    for camera in "abc":
        told = [states.get(camera, "not_run") for states in slots]
        expected = {state: told.count(state) + (state == "not_run") * (10 - len(slots)) for state in STATES}
        assert found[camera] == {state: number for state, number in expected.items() if number}
