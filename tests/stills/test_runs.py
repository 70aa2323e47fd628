"""The book of runs: parts side by side lose nothing, tries add up, and states are those of the table."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wayside.core.errors import ConfigError, InvalidIdentifierError, StoreError
from wayside.core.settings import Settings
from wayside.core.tables import RUNS
from wayside.stills.runs import RunBook, RunInfo
from wayside.warehouse.parquet import open_lake
from wayside.warehouse.scope import Scope

NOW = datetime(2026, 6, 17, 3, tzinfo=UTC)
PARTS = [f"2026061{day}" for day in range(8)]


def info(run: str = "r1") -> RunInfo:
    return RunInfo(run=run, kind="reprocess_range", first=NOW, last=NOW, mode="all", who="somebody")


def book(settings: Settings, run: str = "r1", source: str = "City", after: int = 0) -> RunBook:
    return RunBook(open_lake(settings), lambda: NOW + timedelta(minutes=after), source, run)


def row(settings: Settings, run: str = "r1", source: str = "City") -> dict[str, Any]:
    (found,) = open_lake(settings).read(RUNS, Scope(source, run=run)).to_pylist()
    return dict(found)


def test_parts_side_by_side_lose_nothing(settings: Settings):
    book(settings).open(info(), 8 * 144, PARTS)

    def work(part: str) -> None:
        with book(settings).part(part) as meter:
            for _ in range(5):
                meter.images += 10
                meter.write(now=True)
            meter.slots_done, meter.changed, meter.fetched, meter.inference_seconds = 144, 3, 2, 0.5

    with ThreadPoolExecutor(len(PARTS)) as pool:
        list(pool.map(work, PARTS))
    found = row(settings)
    assert (found["images"], found["slots_done"], found["changed"], found["fetched"]) == (400, 8 * 144, 24, 16)
    assert found["inference_seconds"] == 4.0
    assert found["seconds"] > 0


def test_a_part_that_is_tried_again_adds_up_and_says_its_slots_anew(settings: Settings):
    book(settings).open(info(), 144, PARTS[:1])
    with contextlib.suppress(KeyError), book(settings).part(PARTS[0]) as meter:
        meter.images, meter.slots_done = 70, 20
        raise KeyError
    assert (row(settings)["images"], row(settings)["slots_done"]) == (70, 20)
    book(settings, after=5).open(info(), 144, PARTS[:1])
    with book(settings, after=6).part(PARTS[0]) as meter:
        meter.images, meter.slots_done = 430, 144
    found = row(settings)
    assert (found["images"], found["slots_done"], found["state"]) == (500, 144, "running")
    assert (found["started_at"], found["updated_at"]) == (NOW, NOW + timedelta(minutes=6))
    assert book(settings, after=7).close("all is well")["state"] == "done"
    assert (row(settings)["note"], row(settings)["images"]) == ("all is well", 500)


def test_rows_are_not_written_more_often_than_people_can_read(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    book(settings).open(info(), 144, PARTS[:1])
    with book(settings).part(PARTS[0]) as meter:
        kept: list[dict[str, float]] = []
        monkeypatch.setattr(RunBook, "keep", lambda _self, _part, numbers: kept.append(numbers))
        for _ in range(1000):
            meter.images += 1
            meter.write()
        assert kept == []
        meter.write(now=True)
        assert [numbers["images"] for numbers in kept] == [1000]


def test_runs_and_sources_do_not_mix(settings: Settings):
    for run, source in (("a-b", "c"), ("a", "b-c"), ("a.b", "c")):
        opened = book(settings, run, source)
        opened.open(info(run), len(run), PARTS[:1])
        with opened.part(PARTS[0]) as meter:
            meter.images = len(run)
    found = [row(settings, run, source)["images"] for run, source in (("a-b", "c"), ("a", "b-c"), ("a.b", "c"))]
    assert found == [3, 1, 3]


def test_what_does_not_hold_is_refused(settings: Settings):
    with pytest.raises(InvalidIdentifierError, match="run"):
        book(settings, "../r1")
    with pytest.raises(ConfigError, match="a run is planned, running, done, failed"):
        book(settings).open(info(), 1, [], "resting")
    with pytest.raises(StoreError, match="run the planning task again"), book(settings, "r9").part("x"):
        pass
