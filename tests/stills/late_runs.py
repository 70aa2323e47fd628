"""Live runs of a late city and their back-fill, for the tests of both."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from tests.peers.late_city import SOURCE, LateCity
from tests.stills.published import tables
from tests.stubs import StubDetector

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.quality.faulty import FaultyImageFilterV1
from wayside.quality.static import StaticObjectFilterV1
from wayside.stills import late
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline

DAY = date(2026, 6, 16)
MIDNIGHT = Slot.parse("20260616T0000Z")
SLOTS = [MIDNIGHT.shift(step) for step in range(-2, 6)]
LAST = SLOTS[-1].next
"""The last slot that is run live; the slots before it have their counts by then."""
AFTER = LAST.next.start + timedelta(minutes=1)
"""When the back-fill runs: all of `SLOTS` are over, and so is the one after them."""
STUB = "StubV1"


def made(settings: Settings, name: str = STUB) -> StillPipeline:
    """A pipeline whose filters are real and whose detector finds what the bytes say: counts hang on neighbours."""
    return StillPipeline(name, FaultyImageFilterV1(), StubDetector(), StaticObjectFilterV1(), settings)


def work_at(settings: Settings, now: datetime) -> Ingest:
    return Ingest(settings, clock=lambda: now)


def live(settings: Settings, city: LateCity, slots: Sequence[Slot] = (*SLOTS, LAST), name: str = STUB) -> None:
    """Run slots as they come, each twenty seconds after its start."""
    for slot in slots:
        city.now = slot.start + timedelta(seconds=20)
        asyncio.run(work_at(settings, city.now).run_slot(SOURCE, slot, made(settings, name)))


def back_fill(settings: Settings, city: LateCity, day: date = DAY, now: datetime = AFTER, **how: Any) -> dict[str, int]:
    """Plan, run all shards, publish; return the sums of what the shards said."""
    city.now = now
    work, told = work_at(settings, now), dict[str, int]()
    for shard in late.plan(work, SOURCE, day, **how):
        done = late.run_shard(work, shard, load=lambda name: made(settings, name))
        told = {
            name: told.get(name, 0) + value for name, value in done.items() if isinstance(value, int) and name != "part"
        }
    late.publish(work, SOURCE, day)
    return told


def comparable(state: Path, *, rolled: bool = False) -> dict[str, pa.Table]:
    """The published tables, of frames what does not tell when or why they came."""
    found = {}
    for name, rows in tables(state).items():
        if name.startswith(("cameras", "runs")) or (name.startswith("camera_days") and not rolled):
            continue
        found[name] = rows.drop_columns(["fetched_at", "reason"]) if name.startswith("frames") else rows
    return found
