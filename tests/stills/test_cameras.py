"""Lists of cameras: kept, compared once a day, and believed or not."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.jamcams import JamCams
from tests.stills.conftest import CITY
from tests.tables import count_rows

from wayside.core.errors import ConfigError, SourceError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_CHANGES, CAMERAS, COUNTS
from wayside.stills.cameras import Update, latest, update
from wayside.stills.ingest import Ingest
from wayside.warehouse.parquet import ParquetWarehouse, open_lake, to_arrow
from wayside.warehouse.scope import Scope

NOW = datetime(2026, 6, 16, 3, 0, tzinfo=UTC)
TODAY = date(2026, 6, 16)
SOURCE = "Listed"


def listed(settings: Settings, names: list[str], kind: str = "url_list") -> None:
    """Configure a source with these cameras, as a file."""
    (settings.config / "cams.json").write_text(json.dumps([f"https://cams.example.org/{name}.jpg" for name in names]))
    (settings.config / "sources.yaml").write_text(
        f"sources: {{{SOURCE}: {{kind: {kind}, url: cams.json, hosts: [cams.example.org]}}}}"
    )


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a configuration folder of their own."""
    (tmp_path / "home" / "include" / "config").mkdir(parents=True)
    return settings.model_copy(update={"home": tmp_path / "home"})


def updated(settings: Settings, now: datetime = NOW, **more: Any) -> Update:
    return asyncio.run(update(settings, SOURCE, clock=lambda: now, **more))


def published(lake: ParquetWarehouse, day: date = TODAY) -> list[tuple[str, str]]:
    rows = lake.read(CAMERA_CHANGES, Scope(SOURCE, day=day)).to_pylist()
    return [(row["camera"], row["change"]) for row in rows]


def test_the_first_update_has_nothing_to_compare_with(own: Settings):
    listed(own, ["a", "b"])
    found = updated(own)
    assert (found.cameras, found.changes, str(found)) == (2, (), "Listed: 2 cameras")
    assert open_lake(own).read(CAMERAS, Scope(SOURCE))["camera"].to_pylist() == ["a", "b"]
    assert published(open_lake(own)) == []


def test_changes_are_told_and_an_analysed_camera_is_missed(own: Settings):
    lake = open_lake(own)
    for back, camera in ((2, "a"), (9, "b")):
        scope = Scope(SOURCE, Slot.floor(NOW - timedelta(days=back)), "StubV1")
        lake.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, [camera])))
    listed(own, ["a", "b", "c"])
    updated(own)
    listed(own, ["c", "d"])
    found = updated(own)
    assert found.gone == ["a"]
    assert str(found) == "Listed: 2 cameras; 1 appeared; 2 vanished; analysed cameras are gone: a"
    assert published(lake) == [("a", "vanished"), ("b", "vanished"), ("d", "appeared")]
    assert updated(own).changes == ()
    assert len(published(lake)) == 3


def test_a_slot_in_between_does_not_hide_a_change(own: Settings):
    """`ingest` publishes the list at each slot; the update still finds what changed since the last one."""
    listed(own, ["a", "b"])
    updated(own)
    listed(own, ["a"])
    asyncio.run(Ingest(own).cameras(SOURCE))
    assert [row["camera"] for row in updated(own).changes] == ["b"]


def test_without_its_own_list_the_published_one_is_compared_with(own: Settings):
    listed(own, ["a", "b"])
    asyncio.run(Ingest(own).cameras(SOURCE))
    listed(own, ["a", "c"])
    assert [row["change"] for row in updated(own).changes] == ["vanished", "appeared"]


def test_a_camera_comes_back(own: Settings):
    lake = open_lake(own)
    for day, names in enumerate((["a", "b"], ["a"], ["a", "b"])):
        listed(own, names)
        updated(own, NOW + timedelta(days=day))
    assert [published(lake, TODAY + timedelta(days=day)) for day in range(3)] == [
        [],
        [("b", "vanished")],
        [("b", "returned")],
    ]


def test_changes_of_a_day_add_up_and_keep_their_time(own: Settings):
    lake = open_lake(own)
    for hour, names in enumerate((["a", "b", "c"], ["a", "b"], ["a"])):
        listed(own, names)
        updated(own, NOW + timedelta(hours=hour))
    rows = lake.read(CAMERA_CHANGES, Scope(SOURCE, day=TODAY)).to_pylist()
    assert [(row["camera"], row["seen_at"].hour) for row in rows] == [("b", 5), ("c", 4)]


def test_killed_in_the_middle_and_run_again_it_finds_the_same(own: Settings, monkeypatch: pytest.MonkeyPatch):
    lake = open_lake(own)
    listed(own, ["a", "b"])
    updated(own)
    listed(own, ["a"])

    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("wayside.stills.cameras.keep", dies)
        with pytest.raises(Killed):
            updated(own)
    rows = lake.read(CAMERA_CHANGES, Scope(SOURCE, day=TODAY))
    again = updated(own, NOW + timedelta(minutes=5))
    assert [row["camera"] for row in again.changes] == ["b"]
    assert lake.read(CAMERA_CHANGES, Scope(SOURCE, day=TODAY)).equals(rows)


def test_a_list_without_cameras_is_refused(own: Settings):
    listed(own, ["a"])
    updated(own)
    listed(own, [])
    with pytest.raises(ConfigError, match="lists no camera"):
        updated(own)
    assert open_lake(own).read(CAMERAS, Scope(SOURCE)).num_rows == 1


def test_cameras_that_are_no_longer_asked_for_have_not_vanished(own: Settings):
    listed(own, ["a", "b", "c"])
    updated(own)
    path = own.config / "sources.yaml"
    path.write_text(path.read_text().replace("hosts:", "cameras: [a, c], hosts:"))
    assert updated(own).changes == ()


def test_half_a_list_from_the_web_is_not_believed(settings: Settings, city: JamCams):
    def cities(**more: Any) -> Update:
        return asyncio.run(update(settings, CITY, clock=lambda: NOW, **more))

    city.cameras = 30
    cities()
    city.cameras = 12
    with pytest.raises(SourceError, match="suddenly lists 12 of its 30 cameras"):
        cities()
    assert len(asyncio.run(Ingest(settings).cameras(CITY))) == 30, "a slot goes on with the old list"
    assert len(latest(open_lake(settings), CITY) or []) == 30
    found = cities(believe=True)
    assert (found.cameras, len(found.changes)) == (12, 18)
    assert len(asyncio.run(Ingest(settings).cameras(CITY))) == 12
