"""A whole day of which 40 % comes late: live runs of 144 slots, the back-fill, and the day on time to compare with.

    python -m bench late                                  10 cameras
    python -m bench.bench_late --cameras 50 --share 0.4

The source is the tests' observatory on this machine; the detector is a stub, so that what is measured is everything
but the model. Counts, detections and frames (save for when and why they came) must be equal, or it fails.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.peers.late_city import SOURCE, LateCity, serving
from tests.stills.late_runs import DAY, comparable, made, work_at

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.stills import late

SLOTS = list(Slot.of_day(DAY))
AFTER = SLOTS[-1].shift(3).start
"""After the day is over: the last slot and the one after it were run live."""


def live(settings: Settings, city: LateCity) -> float:
    """Run the day as it comes, and the slot after it; return how many seconds it took."""
    begun = time.perf_counter()
    for slot in (*SLOTS, SLOTS[-1].next):
        city.now = slot.start + timedelta(seconds=20)
        asyncio.run(work_at(settings, city.now).run_slot(SOURCE, slot, made(settings)))
    return time.perf_counter() - begun


def back_fill(settings: Settings, city: LateCity, now: datetime = AFTER) -> dict[str, float]:
    """Back-fill the day; return what its shards did, and how many seconds it took."""
    city.now, begun = now, time.perf_counter()
    work, totals = work_at(settings, now), dict.fromkeys(("fetched", "analysed", "changed", "left"), 0.0)
    for shard in late.plan(work, SOURCE, DAY):
        done = late.run_shard(work, shard, load=lambda name: made(settings, name))
        totals = {name: value + done[name] for name, value in totals.items()}
    late.publish(work, SOURCE, DAY)
    return {**totals, "back-fill, seconds": time.perf_counter() - begun}


def measure(folder: Path, cameras: int, share: float) -> dict[str, float]:
    """Do all of it and return the figures; raise if a table differs."""
    states = [Settings(state=folder / name, fetch_backoff=0.001) for name in ("on-time", "late")]
    with serving(cameras, [*SLOTS, SLOTS[-1].next]) as city:
        os.environ["WAYSIDE_DEMO_URL"] = city.peer.url
        figures: dict[str, float] = {"live, seconds": live(states[0], city)}
        figures["late pictures"] = city.delay_some(SLOTS, share, seed=1)
        live(states[1], city)
        figures |= back_fill(states[1], city)
        again = back_fill(states[1], city)
    figures["second back-fill, seconds"] = again["back-fill, seconds"]
    on_time, filled = (comparable(chosen.state) for chosen in states)
    differing = sorted(name for name in on_time.keys() | filled.keys() if on_time.get(name) != filled.get(name))
    if differing or again["changed"] or again["fetched"]:
        raise RuntimeError(f"{len(differing)} tables differ from those of a day on time: {differing[:5]}")
    return {**figures, "equal tables": len(on_time)}


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cameras", type=int, default=10)
    arguments.add_argument("--share", type=float, default=0.4)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wayside-bench-"))
    try:
        figures = measure(folder, chosen.cameras, chosen.share)
    finally:
        shutil.rmtree(folder)
    for name, value in figures.items():
        print(f"{name:28} {value:10.1f}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"cameras": chosen.cameras, "share": chosen.share, **figures}, indent=1))


if __name__ == "__main__":
    main()
