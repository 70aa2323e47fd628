"""The demo city as a peer: both shapes, its faults, and every way to fail that it offers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.sources.support import by_camera, run

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.sources import Camera, HttpClient, SourceSpec, fetch_range, fetch_slot, load_sources, open_source
from wayside.sources.check import check_source
from wayside.sources.demo import trouble
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.server import DemoServer, running
from wayside.sources.fetch import Row

SLOT = Slot(datetime(2026, 6, 16, 9, 0, tzinfo=UTC))
NOW = SLOT.start + timedelta(seconds=20)


@pytest.fixture(scope="module")
def city() -> Iterator[DemoServer]:
    with running(DemoCity(tfl_cameras=7, uo_cameras=4), NOW, slow_seconds=0.01) as server:
        yield server


@pytest.fixture
def specs(city: DemoServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, SourceSpec]:
    monkeypatch.setenv("WAYSIDE_DEMO_URL", city.base_url)
    return load_sources(Settings(_env_file=None))


def fetch(spec: SourceSpec, settings: Any, store: Any, slot: Slot = SLOT, moment: datetime = NOW) -> dict[str, Row]:
    async def work() -> list[Row]:
        source = open_source(spec)
        async with HttpClient(spec, settings, clock=lambda: moment) as http:
            cameras = await source.cameras(http)
            return await fetch_slot(source, cameras, slot, store, settings=settings, clock=lambda: moment, http=http)

    return by_camera(run(work()))


def test_the_city_like_london(specs: dict[str, SourceSpec], settings: Any, store: Any) -> None:
    rows = fetch(specs["Demo-city"], settings, store)
    assert len(rows) == 7
    assert {row["status"] for row in rows.values()} <= {"ok", "failed"}
    fine = [row for row in rows.values() if row["status"] == "ok"]
    assert len(fine) >= 6
    assert all(isinstance(row["captured_at"], datetime) and row["captured_at"] <= NOW for row in fine)
    assert {row["reason"] for row in rows.values()} <= {None, "truncated"}


def test_the_city_like_newcastle(specs: dict[str, SourceSpec], settings: Any, store: Any) -> None:
    spec = specs["Demo-observatory"]
    live = fetch(spec, settings, store)
    assert len(live) == 4
    assert all("-View_" in name or ":" not in name for name in live)
    assert all(row["width"] == 440 for row in live.values() if row["status"] == "ok")

    async def later() -> dict[Slot, dict[str, Row]]:
        source = open_source(spec)
        clock = lambda: NOW + timedelta(hours=9)  # noqa: E731
        cameras = [Camera(source=spec.id, id=name, name=name) for name in live]
        ranged = fetch_range(source, cameras, SLOT, SLOT.next, store, settings=settings, clock=clock)
        return {slot: by_camera(rows) async for slot, rows in ranged}

    found = run(later())
    assert all(found[SLOT][name] == row for name, row in live.items() if row["status"] == "ok")


def test_the_city_passes_the_check(specs: dict[str, SourceSpec], settings: Any) -> None:
    for name in ("Demo-city", "Demo-observatory"):
        report = run(check_source(specs[name], settings, clock=lambda: NOW))
        assert (report.ok, report.warnings, report.error) == (True, [], None)


FAULTS = {
    "404": "http_404",
    "500": "http_error",
    "timeout": "timeout",
    "redirect-metadata": "refused_host",
    "redirect-loop": "redirect_loop",
    "huge": "too_large",
    "huge-chunked": "too_large",
    "truncated": "truncated",
    "empty": "empty",
    "text": "not_an_image",
    "wrong-type": None,
    "bomb": "too_many_pixels",
    "bomb-jpeg": "too_many_pixels",
    "close-mid-body": "interrupted",
    "slow": "timeout",
    "gzip-bomb": "too_large",
}


def test_every_fault_is_one_row(city: DemoServer, specs: dict[str, SourceSpec], settings: Any, store: Any) -> None:
    # The bombs are built once, when they are first asked for; here they are to be fast.
    trouble.png_bomb()
    trouble.gzip_bomb()
    settings = settings.model_copy(update={"fetch_timeout": 1.5, "fetch_attempts": 1})
    spec = specs["Demo-city"]
    cameras = [Camera(source=spec.id, id=kind, name=kind, url=f"{city.base_url}/faults/{kind}.jpg") for kind in FAULTS]
    rows = run(fetch_slot(open_source(spec), cameras, SLOT, store, settings=settings, clock=lambda: NOW))
    assert {row["camera"]: row["reason"] for row in rows} == FAULTS
    assert [row["camera"] for row in rows if row["status"] == "ok"] == ["wrong-type"]
