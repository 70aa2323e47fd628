"""How long each page and data call of the web plugin takes, on 1,000 cameras and one day of counts.

Run `PYTHONPATH=include:plugins python bench/bench_web.py [folder]`: it fills a warehouse (kept in `folder` when given,
so that a second run only measures), opens the app without a server, and prints the median and worst of several calls.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from fastapi.testclient import TestClient

from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNT_CLASSES, COUNTS, DETECTIONS, FRAMES, SCHEMA_VERSION, Table
from wayside.store.local import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope

SOURCE = "bench"
PIPELINE = "FaultyImageFilterV1_YoloxV1_StaticObjectFilterV1"
REASONS = ("placeholder", "frozen", "too_dark")


def table(kind: Table, rows: int, columns: dict[str, object]) -> pa.Table:
    """Build a table from columns; scalars are repeated, absent columns are null."""
    arrays = []
    for field in kind.schema:
        value = {"schema_version": SCHEMA_VERSION, "source": SOURCE, **columns}.get(field.name)
        listed = value if isinstance(value, (np.ndarray, list, pa.Array)) else [value] * rows
        arrays.append(pa.array(listed, field.type))
    return pa.Table.from_arrays(arrays, schema=kind.schema)


def fill_slot(warehouse: ParquetWarehouse, slot: Slot, cameras: np.ndarray, seed: int) -> None:
    """Publish frames, counts and detections of one slot: 90 % counted, the rest faulty, missing or failed."""
    dice = np.random.default_rng(seed)
    rows = len(cameras)
    fate = dice.choice(5, rows, p=[0.9, 0.05, 0.03, 0.01, 0.01])  # counted, faulty, missing, failed, not run
    ran = fate != 4
    got = np.isin(fate, [0, 1])[ran]
    frames = {
        "camera": cameras[ran],
        "slot": slot.start,
        "status": np.select([got, fate[ran] == 2], ["ok", "missing"], "failed"),
        "reason": [None if ok else "not_offered" for ok in got],
        "sha256": [f"{number:064x}" for number in range(int(ran.sum()))],
        "bytes": 20_000,
        "width": 352,
        "height": 288,
        "fetched_at": slot.end,
        "uri": [f"file:///pictures/{camera}.jpg" for camera in cameras[ran]],
    }
    warehouse.publish(FRAMES, Scope(SOURCE, slot), table(FRAMES, int(ran.sum()), frames))
    seen = np.flatnonzero(fate == 0)
    labels = dice.choice(len(COUNT_CLASSES), (rows, 8), p=[0.03, 0.6, 0.05, 0.02, 0.2, 0.05, 0.05])
    boxes = (np.arange(8) < dice.poisson(4, rows)[:, None]) & (fate == 0)[:, None]
    scope = Scope(SOURCE, slot, PIPELINE)
    counts = {
        "camera": cameras[ran],
        "slot": slot.start,
        "pipeline": PIPELINE,
        "faulty": fate[ran] == 1,
        "missing": np.isin(fate[ran], [2, 3]),
        "reason": [None if f == 0 else REASONS[f % 3] for f in fate[ran]],
        "neighbours": "both",
        "model_sha256": "0" * 64,
    }
    for index, name in enumerate(COUNT_CLASSES):
        number = ((labels == index) & boxes).sum(axis=1)[ran].tolist()
        counts[name] = [value if f == 0 else None for value, f in zip(number, fate[ran], strict=True)]
    warehouse.publish(COUNTS, scope, table(COUNTS, int(ran.sum()), counts))
    owner, ordinal = np.nonzero(boxes)
    corner = dice.random((2, len(owner))) * 0.8
    detections = {
        "camera": cameras[owner],
        "slot": slot.start,
        "pipeline": PIPELINE,
        "ordinal": ordinal,
        "label": np.array(COUNT_CLASSES)[labels[owner, ordinal]],
        "score": dice.random(len(owner)) * 0.6 + 0.4,
        "x1": corner[0],
        "y1": corner[1],
        "x2": corner[0] + 0.15,
        "y2": corner[1] + 0.15,
        "static": ordinal % 5 == 4,
        "model": "yolox",
        "model_sha256": "0" * 64,
    }
    assert len(seen)
    warehouse.publish(DETECTIONS, scope, table(DETECTIONS, len(owner), detections))


def fill(warehouse: ParquetWarehouse, cameras: int, days: list[date]) -> None:
    """Publish the camera list and every slot of `days`."""
    ids = np.array([f"{number:05}.{number % 97:05}" for number in range(cameras)])
    names = [f"Street {number % 83} / Square {number % 31}" for number in range(cameras)]
    listed = table(CAMERAS, cameras, {"camera": ids, "name": names, "lat": 51.5, "lon": -0.1})
    warehouse.publish(CAMERAS, Scope(SOURCE), listed)
    for day in days:
        for number, slot in enumerate(Slot.of_day(day)):
            fill_slot(warehouse, slot, ids, number)


def measure(client: TestClient, path: str, times: int) -> tuple[float, float, int]:
    """Return the median and worst time of a call in milliseconds, and the size of its answer."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return statistics.median(taken), max(taken), len(answer.content)


def main() -> None:
    """Fill, open, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", nargs="?", type=Path)
    options.add_argument("--cameras", type=int, default=1000)
    options.add_argument("--days", type=int, default=1)
    options.add_argument("--times", type=int, default=7)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    logging.disable(logging.INFO)
    from wayside_airflow.web.app import create_app, get_access

    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="wayside-bench-"))
    warehouse = ParquetWarehouse(folder / "warehouse")
    days = [date(2026, 5, 1 + number) for number in range(chosen.days)]
    if not warehouse.slots(COUNTS, SOURCE):
        began = time.perf_counter()
        fill(warehouse, chosen.cameras, days)
        print(f"filled {chosen.cameras} cameras x {144 * chosen.days} slots in {time.perf_counter() - began:.1f} s")
    app = create_app(warehouse=lambda: warehouse, store=lambda: LocalStore(folder / "pictures"))
    app.dependency_overrides[get_access] = lambda: None
    day = days[-1]
    paths = [
        "/cameras",
        f"/cameras?source={SOURCE}&slot={day:%Y%m%d}T1200Z",
        f"/cameras?source={SOURCE}&health=faulty&q=street&page=2",
        f"/cameras/{SOURCE}/00007.00007",
        f"/shards?source={SOURCE}&slot={day:%Y%m%d}T1200Z&part=2&parts=20",
        "/counts",
        f"/api/counts?source={SOURCE}&range=24h",
        f"/api/counts?source={SOURCE}&range=7d",
        f"/api/counts?source={SOURCE}&range=24h&camera=00007.00007",
        f"/api/counts.csv?source={SOURCE}&range=24h",
        "/coverage",
        f"/api/coverage?source={SOURCE}&day={day:%Y-%m-%d}",
        "/health",
    ]
    with TestClient(app) as client:
        figures = {path: measure(client, path, chosen.times) for path in paths}
    for path, (median, worst, size) in figures.items():
        print(f"{median:7.0f} ms median {worst:7.0f} ms worst {size / 1000:8.0f} kB  {path}")
    if chosen.json:
        chosen.json.write_text(json.dumps({path: figure[:2] for path, figure in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
