"""A range of days reprocessed with the default pipeline: pictures a second, and the share of time outside the model.

    python -m bench reprocess                                    7 days x 50 cameras
    python -m bench.bench_reprocess --days 1 --cameras 10

The pictures are drawn once from the demo city, some for each camera, and take turns. The run is killed with SIGKILL
once it is past the middle, and started again; the days around that point are then done once more, undisturbed, in a
warehouse of their own, and must be equal.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

SOURCE = "Demo-city"
FIRST = date(2026, 6, 8)
RUN, AGAIN = "bench-reprocess", "bench-undisturbed"


def drawn(index: int, number: int) -> list[bytes]:
    """Draw some pictures of one camera, ten minutes apart, from seven in the morning on."""
    from wayside.core.slots import Slot
    from wayside.sources.demo.city import DemoCity
    from wayside.sources.demo.render import encode, render
    from wayside.vision.decode import shrink

    camera = next(islice(DemoCity(tfl_cameras=500, with_faults=False).cameras("tfl"), index, None))
    start = Slot.parse(f"{FIRST:%Y%m%d}T0700Z").start
    moments = (start + step * timedelta(minutes=10) for step in range(number))
    return [shrink(encode(render(camera, moment).image), 440) for moment in moments]


def fill(state: Path, days: int, cameras: int, distinct: int) -> None:
    """Store the pictures of all days, and publish their frames."""
    import hashlib

    from wayside.core.slots import Slot
    from wayside.core.tables import FRAMES
    from wayside.store import picture_key
    from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
    from wayside.warehouse.scope import Scope

    with ProcessPoolExecutor() as pool:
        pictures = list(pool.map(drawn, range(cameras), [distinct] * cameras))
    root, warehouse = state / "pictures", ParquetWarehouse(state / "warehouse")
    (root / "drawn").mkdir(parents=True)
    kinds: list[list[tuple[Path, str]]] = []
    for camera, bodies in enumerate(pictures):
        files = [root / "drawn" / f"{camera}-{number}.jpg" for number in range(distinct)]
        for path, body in zip(files, bodies, strict=True):
            path.write_bytes(body)
        kinds.append([(path, hashlib.sha256(body).hexdigest()) for path, body in zip(files, bodies, strict=True)])
    slots = [slot for step in range(days) for slot in Slot.of_day(FIRST + timedelta(days=step))]
    for number, slot in enumerate(slots):
        rows = []
        for camera in range(cameras):
            path, sha256 = kinds[camera][number % distinct]
            name = f"00001.{camera:05}"
            place = root / picture_key(SOURCE, slot, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
            row = {"source": SOURCE, "camera": name, "slot": slot.start, "status": "ok", "sha256": sha256}
            rows.append({**row, "bytes": path.stat().st_size, "fetched_at": slot.start, "uri": place.as_uri()})
        warehouse.publish(FRAMES, Scope(SOURCE, slot), to_arrow(FRAMES, rows))


def work(state: Path, run: str, first: date, last: date) -> None:
    """Reprocess a range to its end; print the row of the run. This is what is killed."""
    from wayside.core.settings import Settings
    from wayside.stills import reprocess
    from wayside.stills.ingest import Ingest

    stages = Ingest(Settings(state=state))
    plan = reprocess.plan(stages, run=run, first=first, last=last, sources=[SOURCE], mode="all", who="bench")
    for shard in plan.shards:
        reprocess.run_shard(stages, shard)
    row = reprocess.end(stages, SOURCE, run)
    print(json.dumps({name: row[name] for name in ("images", "slots_done", "seconds", "inference_seconds")}))


def start(state: Path, run: str, first: date, last: date) -> "subprocess.Popen[str]":
    """Begin the work in a process of its own."""
    command = [sys.executable, "-m", "bench.bench_reprocess", "--work", str(state), run, str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_in_the_middle(state: Path, last: date, slots: int) -> tuple[int, float]:
    """Begin the run and kill it once half of its slots are counted; return how many were, and after how long."""
    from wayside.core.tables import COUNTS
    from wayside.warehouse.parquet import ParquetWarehouse

    warehouse, begun = ParquetWarehouse(state / "warehouse"), time.perf_counter()
    with start(state, RUN, FIRST, last) as process:
        while (done := len(warehouse.slots(COUNTS, SOURCE))) < slots // 2 and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        ended = process.wait()
    if ended != -signal.SIGKILL:
        raise RuntimeError("the run was over before it could be killed: take more days or cameras")
    return done, time.perf_counter() - begun


def finished(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Wait for a run to end and return its row."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a run ended with {process.returncode}")
    return dict(json.loads(said.splitlines()[-1]))


def published(state: Path, day: date) -> Iterator[tuple[str, bytes]]:
    """Yield the files of counts and detections of a day with their bytes."""
    root = state / "warehouse" / "published"
    for table in ("counts", "detections"):
        for path in sorted((root / table).rglob(f"day={day:%Y%m%d}/[0-9]*.parquet")):
            yield str(path.relative_to(root)), path.read_bytes()


def undisturbed(state: Path, days: list[date]) -> tuple[Path, dict[str, float]]:
    """Do some days once more in a warehouse of its own, with the same pictures and frames."""
    alone = state.with_name(f"{state.name}-undisturbed")
    frames = Path("warehouse", "published", "frames")
    shutil.copytree(state / frames, alone / frames)
    (alone / "pictures").symlink_to(state / "pictures")
    return alone, finished(start(alone, AGAIN, days[0], days[-1]))


def one_by_one(state: Path, stills: int) -> float:
    """Return pictures a second where each still is analysed by itself, its neighbours decoded anew."""
    from wayside.core.settings import Settings
    from wayside.core.slots import Slot
    from wayside.stills.ingest import Ingest
    from wayside.store import picture_key
    from wayside.vision.stream import stream

    stages = Ingest(Settings(state=state))
    pipeline = stages.load(stages.pipelines.default)
    slots = list(Slot.of_day(FIRST))[1:-1]
    wanted = [(f"00001.{number // len(slots):05}", slots[number % len(slots)]) for number in range(stills)]

    def bytes_of(camera: str, slot: Slot) -> bytes | None:
        stored = stages.store.read(picture_key(SOURCE, slot, camera))
        return stored.data if stored else None

    def look(still: tuple[str, Slot]) -> None:
        camera, slot = still
        pipeline.analyse(*(bytes_of(camera, near) for near in (slot.previous, slot, slot.next)))

    begun = time.perf_counter()
    for _ in stream(wanted, look):
        pass
    return stills / (time.perf_counter() - begun)


def measure(state: Path, days: int, cameras: int, distinct: int) -> dict[str, float]:
    """Do all of it and return the figures; raise if a table differs."""
    from wayside.core.slots import SLOTS_PER_DAY
    from wayside.vision.stream import usable_cores

    begun = time.perf_counter()
    fill(state, days, cameras, distinct)
    figures: dict[str, float] = {"pictures": days * SLOTS_PER_DAY * cameras, "filling": time.perf_counter() - begun}
    figures["one by one, pictures a second"] = one_by_one(state, min(600, SLOTS_PER_DAY * cameras // 2))
    last = FIRST + timedelta(days=days - 1)
    done, before = kill_in_the_middle(state, last, days * SLOTS_PER_DAY)
    figures |= {"slots done when killed": done, "seconds until killed": before}
    begun = time.perf_counter()
    row = finished(start(state, RUN, FIRST, last))
    figures |= {"seconds after": time.perf_counter() - begun, "pictures analysed, both tries": row["images"]}
    middle = FIRST + timedelta(days=done // SLOTS_PER_DAY)
    alone, clean = undisturbed(state, [middle, min(middle + timedelta(days=1), last)])
    compare(state, alone, sorted({middle, min(middle + timedelta(days=1), last)}), cameras)
    threads = usable_cores()
    figures |= {
        "undisturbed, pictures a second": clean["images"] / clean["seconds"],
        "undisturbed, % outside the model": 100 * (1 - clean["inference_seconds"] / (clean["seconds"] * threads)),
    }
    return figures


def compare(state: Path, alone: Path, days: list[date], cameras: int) -> None:
    """Raise if a day that was killed and resumed differs from one that was not."""
    import pyarrow.parquet as pq

    for day in days:
        mine, theirs = dict(published(state, day)), dict(published(alone, day))
        if mine != theirs or len(mine) != 2 * 144:
            raise RuntimeError(f"{day}: a run that was killed and resumed gives other tables than an undisturbed one")
    counts = state / "warehouse" / "published" / "counts"
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in counts.rglob("[0-9]*.parquet"))
    folders = {path.parent.name for path in counts.rglob("[0-9]*.parquet")}
    if rows != len(folders) * 144 * cameras:
        raise RuntimeError(f"{rows} rows of counts for {len(folders)} days of {cameras} cameras")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--days", type=int, default=7)
    arguments.add_argument("--cameras", type=int, default=50)
    arguments.add_argument("--distinct", type=int, default=12, help="pictures that are drawn for each camera")
    arguments.add_argument("--work", nargs=4, metavar=("STATE", "RUN", "FIRST", "LAST"), help=argparse.SUPPRESS)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    if chosen.work:
        state, run, first, last = chosen.work
        work(Path(state), run, date.fromisoformat(first), date.fromisoformat(last))
        return
    folder = Path(tempfile.mkdtemp(prefix="wayside-bench-"))
    try:
        figures = measure(folder / "state", chosen.days, chosen.cameras, chosen.distinct)
    finally:
        shutil.rmtree(folder)
    for name, value in figures.items():
        print(f"{name:34} {value:10.1f}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"days": chosen.days, "cameras": chosen.cameras, **figures}, indent=1))


if __name__ == "__main__":
    main()
