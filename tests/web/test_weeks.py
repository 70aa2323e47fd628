"""Four weeks of coverage: rolled-up days, the day that goes on, and days of which nothing is known."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.web.factory import LAST, PIPELINE, TFL, Filled, fill, opened

from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, CAMERAS, COUNTS, FRAMES
from wayside.stills.days import roll_up
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web.app import get_access

TODAY = LAST.start.date()
DUE = 59


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Eight cameras with the last 70 slots: all of today's 59, and 11 of yesterday's."""
    return fill(tmp_path_factory.mktemp("weeks"), cameras=8, slots=70, second=False)


@pytest.fixture(scope="module")
def browser(served: Filled) -> Iterator[TestClient]:
    app = opened(served)
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "application/json"}) as client:
        yield client


def ask(browser: TestClient, **more: str) -> dict[str, dict[date, dict[str, int]]]:
    answer = browser.get("/api/coverage/weeks", params={"source": TFL, **more}).json()
    width = len(answer["states"])
    return {
        name: {
            date.fromisoformat(day): dict(
                zip(answer["states"], numbers[place * width : (place + 1) * width], strict=True)
            )
            for place, day in enumerate(answer["days"])
        }
        for name, _, numbers in answer["cameras"]
    }


def total(numbers: dict[str, int]) -> int:
    return sum(number for state, number in numbers.items() if state != "late")


def test_today_counts_the_slots_that_are_due(browser: TestClient, served: Filled):
    found = ask(browser)
    assert list(found) == served.cameras[TFL]
    assert all(total(days[TODAY]) == DUE for days in found.values())
    states = {state for days in found.values() for state, number in days[TODAY].items() if number}
    assert states == {"counted", "faulty", "missing", "failed", "waiting", "not_run"}
    assert sum(days[TODAY]["faulty"] for days in found.values()) == 5 + DUE


def test_a_day_that_is_not_rolled_up_yet_is_counted_whole(browser: TestClient):
    found = ask(browser)
    yesterday = TODAY - timedelta(days=1)
    assert all(total(days[yesterday]) == 144 for days in found.values())
    assert max(days[yesterday]["counted"] for days in found.values()) == 11


def test_days_before_the_first_are_empty(browser: TestClient):
    found = ask(browser)
    assert all(total(days[TODAY - timedelta(days=5)]) == 0 for days in found.values())


def test_rolled_up_days_say_the_same_and_are_what_is_read(browser: TestClient, served: Filled):
    yesterday = TODAY - timedelta(days=1)
    before = ask(browser)
    assert roll_up(served.warehouse, TFL, yesterday) == 8
    assert ask(browser) == before
    rows = served.warehouse.read(CAMERA_DAYS, Scope(TFL, pipeline=PIPELINE, day=yesterday)).to_pylist()
    changed = [{**row, "counted": 140, "not_run": 4, "late": 3} for row in rows]
    scope = Scope(TFL, pipeline=PIPELINE, day=yesterday)
    served.warehouse.publish(CAMERA_DAYS, scope, to_arrow(CAMERA_DAYS, changed))
    assert {days[yesterday]["late"] for days in ask(browser).values()} == {3}


def test_the_last_day_can_be_chosen(browser: TestClient):
    found = ask(browser, day="2026-05-30")
    assert min(next(iter(found.values()))) == date(2026, 5, 3)
    assert all(total(days[date(2026, 5, 30)]) == 0 for days in found.values())
    assert browser.get("/api/coverage/weeks", params={"day": "soon"}).status_code == 400


def test_the_page_switches_between_day_and_weeks(browser: TestClient):
    day = browser.get("/coverage", params={"source": TFL}).text
    weeks = browser.get("/coverage", params={"source": TFL, "span": "weeks"}).text
    assert "/static/coverage.js" in day
    assert "/api/coverage?" in day
    assert "/static/weeks.js" in weeks
    assert "/api/coverage/weeks?" in weeks
    assert "day=2026-04-27" in weeks  # a week before
    assert 'value="north &lt;&gt;"' in browser.get("/coverage", params={"q": "north <>"}).text


def test_a_camera_that_is_not_listed_any_more_is_told_where_it_has_rows(tmp_path: Path):
    filled = fill(tmp_path, cameras=3, slots=70, second=False)
    roll_up(filled.warehouse, TFL, TODAY - timedelta(days=1))
    rows = filled.warehouse.read(CAMERAS, Scope(TFL)).to_pylist()
    gone = rows.pop()["camera"]
    filled.warehouse.publish(CAMERAS, Scope(TFL), to_arrow(CAMERAS, rows))
    first = Slot.parse(f"{TODAY:%Y%m%d}/0000")
    for slot in Slot.between(first, LAST):
        scope = Scope(TFL, slot, PIPELINE)
        for table, where in ((FRAMES, Scope(TFL, slot)), (COUNTS, scope)):
            kept = [row for row in filled.warehouse.read(table, where).to_pylist() if row["camera"] != gone]
            filled.warehouse.publish(table, where, to_arrow(table, kept))
    app = opened(filled)
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "application/json"}) as client:
        found = ask(client)
    assert total(found[gone][TODAY - timedelta(days=1)]) == 144
    assert total(found[gone][TODAY]) == 0
    assert all(total(days[TODAY]) == DUE for camera, days in found.items() if camera != gone)
