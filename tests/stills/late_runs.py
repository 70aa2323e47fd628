"""Live runs of a late city and their back-fill, for the tests of both."""

import asyncio
import shutil
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
SOON = timedelta(seconds=20)


def made(settings: Settings, name: str = STUB) -> StillPipeline:
    """A pipeline whose filters are real and whose detector finds what the bytes say: counts hang on neighbours."""
    return StillPipeline(name, FaultyImageFilterV1(), StubDetector(), StaticObjectFilterV1(), settings)


def work_at(settings: Settings, now: datetime) -> Ingest:
    return Ingest(settings, clock=lambda: now)


def live(settings: Settings, city: LateCity, slots: Sequence[Slot] = (*SLOTS, LAST), name: str = STUB) -> None:
    """Run slots as they come, each twenty seconds after its start."""
    for slot in slots:
        city.now = slot.start + SOON
        asyncio.run(work_at(settings, city.now).run_slot(SOURCE, slot, made(settings, name)))


class Days:
    """Days that were run live, each once for all tests of a module: who asks for one gets a copy of its state folder.

    The copy always lies in the same folder, since tables hold addresses of pictures. A name stands for what the city
    shows: who asks for a day by it has told the city the same.
    """

    def __init__(self, folder: Path) -> None:
        self.state, self._kept = folder / "state", folder / "kept"

    def empty(self) -> Settings:
        """Settings of a state in which nothing has run."""
        shutil.rmtree(self.state, ignore_errors=True)
        return Settings(state=self.state, fetch_backoff=0.001, workers=2, device="cpu", _env_file=None)

    def live(self, settings: Settings, city: LateCity, name: str = "on time") -> None:
        """Run a day, or lay out what came of it when it was run before."""
        kept = self._kept / name
        if kept.exists():
            shutil.rmtree(self.state, ignore_errors=True)
            shutil.copytree(kept, self.state)
            city.now = LAST.start + SOON
        else:
            live(settings, city)
            shutil.copytree(self.state, kept)


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
