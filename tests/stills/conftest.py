"""A city of cheap cameras, and how its slots are run."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.peers.jamcams import REASONS, START, JamCams, serving
from tests.stubs import pipeline

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline

CITY = "Demo-city"
CAMERAS_SERVED = 12
GOOD = CAMERAS_SERVED - len(REASONS)


@pytest.fixture(scope="module")
def served() -> Iterator[JamCams]:
    with serving(CAMERAS_SERVED) as city:
        yield city


@pytest.fixture
def city(served: JamCams, monkeypatch: pytest.MonkeyPatch) -> JamCams:
    served.slot, served.down, served.cameras = START, False, CAMERAS_SERVED
    served.peer.calls.clear()
    monkeypatch.setenv("WAYSIDE_DEMO_URL", served.url)
    return served


def at(settings: Settings, city: JamCams, slot: Slot, **more: Any) -> Ingest:
    """The stages at twenty seconds past the start of a slot, which is the city's slot too."""
    city.slot = slot
    return Ingest(settings, clock=lambda: slot.start + timedelta(seconds=20), **more)


def run(settings: Settings, city: JamCams, slots: int = 3, made: StillPipeline | None = None) -> list[dict[str, Any]]:
    chosen = made or pipeline(settings)
    return [
        asyncio.run(at(settings, city, slot).run_slot(CITY, slot, chosen))
        for slot in (START.shift(step) for step in range(slots))
    ]


def by_camera(rows: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["camera"]: row for row in rows.to_pylist()}


def fetched(work: Ingest, slot: Slot) -> list[Any]:
    """Plan and fetch all shards of a slot, and publish its frames."""

    async def stages() -> list[Any]:
        shards = await work.plan(CITY, slot)
        for shard in shards:
            await work.fetch(shard)
        await work.publish_frames(shards)
        return shards

    return asyncio.run(stages())
