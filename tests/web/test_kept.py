"""Answers that are kept: asked for again without opening a file, and never out of date."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.web.factory import LAST, PIPELINE, TFL, Filled, fill, opened

from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNTS, TIMESERIES
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web import queries
from wayside_airflow.web.app import get_access
from wayside_airflow.web.kept import Kept, identities


@pytest.fixture
def served(tmp_path: Path) -> Filled:
    return fill(tmp_path, cameras=3, slots=4)


@pytest.fixture
def browser(served: Filled) -> Iterator[TestClient]:
    app = opened(served)
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "application/json"}) as client:
        yield client


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection to the tables that is opened."""
    opened_for: list[object] = []
    connect = ParquetWarehouse.connect

    def counted(self: ParquetWarehouse, *args: object, **more: object) -> object:
        opened_for.append(more.get("tables"))
        return connect(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ParquetWarehouse, "connect", counted)
    return opened_for


def test_what_was_asked_for_longest_ago_is_forgotten_first():
    kept: Kept[str] = Kept(most=2)
    made: list[str] = []

    def ask(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key.upper())

    assert [ask(key) for key in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]
    kept.clear()
    ask("a")
    assert made[-1] == "a"


def test_what_fails_is_not_kept():
    kept: Kept[int] = Kept(most=2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 7) == 7


def test_a_file_that_takes_the_name_of_another_is_told_apart(tmp_path: Path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"one")
    before = identities([str(path)])
    assert identities([str(path)]) == before
    other.write_bytes(b"two")
    other.replace(path)
    assert identities([str(path)]) != before
    path.unlink()
    with pytest.raises(FileNotFoundError):
        identities([str(path)])


@pytest.mark.parametrize("path", ["/api/counts?range=7d", "/api/coverage/weeks", "/api/cameras"])
def test_the_same_question_opens_no_file_again(browser: TestClient, connections: list[object], path: str):
    first = browser.get(path, params={"source": TFL}).json()
    assert connections
    connections.clear()
    assert browser.get(path, params={"source": TFL}).json() == first
    assert connections == []


def cars(browser: TestClient) -> list[int | None]:
    answer = browser.get("/api/counts", params={"source": TFL}).json()
    found: list[int | None] = answer["classes"]["car"]
    return found[-4:]


def publish_cars(filled: Filled, slot: Slot, number: int) -> None:
    scope = Scope(TFL, slot, PIPELINE)
    rows = (
        filled.warehouse.read(COUNTS, scope).to_pylist()
        or filled.warehouse.read(COUNTS, Scope(TFL, LAST, PIPELINE)).to_pylist()
    )
    changed = [{**row, "slot": slot.start, "car": None if row["faulty"] or row["missing"] else number} for row in rows]
    filled.warehouse.publish(COUNTS, scope, to_arrow(COUNTS, changed))


def test_counts_that_are_replaced_or_new_are_seen_at_once(browser: TestClient, served: Filled):
    before = cars(browser)
    publish_cars(served, LAST.previous, 900)
    assert cars(browser)[2] not in {before[2], None}
    assert (cars(browser)[2] or 0) % 900 == 0
    publish_cars(served, LAST.next, 500)
    assert (cars(browser)[3] or 0) % 500 == 0
    assert (cars(browser)[1] or 0) % 900 == 0


def test_compaction_changes_no_answer(browser: TestClient, served: Filled):
    weeks = browser.get("/api/coverage/weeks", params={"source": TFL}).json()
    before = cars(browser)
    assert served.warehouse.compact(date(2026, 5, 5)).days
    assert cars(browser) == before
    assert browser.get("/api/coverage/weeks", params={"source": TFL}).json() == weeks


def test_a_list_of_cameras_that_changes_is_seen_at_once(browser: TestClient, served: Filled):
    assert len(browser.get("/api/cameras", params={"source": TFL}).json()["cameras"]) == 3
    rows = served.warehouse.read(CAMERAS, Scope(TFL)).to_pylist()
    renamed = [{**row, "name": "Moved"} for row in rows[:2]]
    served.warehouse.publish(CAMERAS, Scope(TFL), to_arrow(CAMERAS, renamed))
    found = browser.get("/api/cameras", params={"source": TFL}).json()["cameras"]
    assert [camera["name"] for camera in found] == ["Moved", "Moved"]


def test_answers_of_two_warehouses_are_not_mixed_up(browser: TestClient, served: Filled, tmp_path: Path):
    assert cars(browser)
    other = fill(tmp_path / "other", cameras=2, slots=4)
    lens = queries.Lens(TFL, PIPELINE)
    here, there = (queries.camera_names(one.warehouse, lens) for one in (served, other))
    assert (len(here), len(there)) == (3, 2)


def test_days_on_which_nothing_was_published_are_not_asked_for(browser: TestClient, connections: list[object]):
    browser.get("/coverage", params={"source": TFL})
    connections.clear()
    browser.get("/api/coverage/weeks", params={"source": TFL}).raise_for_status()
    # The names, the days that are rolled up, and the one day that has files: not one question for each of 28 days.
    assert connections == [{"cameras"}, {"camera_days"}, {"counts", "frames"}]


def test_a_question_opens_only_the_tables_that_it_reads(served: Filled, connections: list[object]):
    queries.frame_cameras(served.warehouse, queries.Lens(TFL, PIPELINE), LAST)
    assert connections == [{"frames"}]
    with served.warehouse.connect([TFL], tables={TIMESERIES.name}) as database:
        assert database.sql("SHOW TABLES").fetchall() == [(TIMESERIES.name,)]
