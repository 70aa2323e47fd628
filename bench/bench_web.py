"""How long each page of the web plugin takes with the data that it asks for, on 1,000 cameras and 30 days.

Run `python -m bench.bench_web [folder]`: it fills a warehouse (kept in `folder` when given, so that a second run only
measures), opens the app without a server, and prints milliseconds for each page: the first time in a fresh process, the
first time after something was published, and again without that. A page's time is that of all its calls, one after the
other; of several times the best is told, and of the second kind the median as well.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from bench.month import SOURCE, fill
from wayside.core.clock import utc_now
from wayside.core.tables import COUNTS
from wayside.store.local import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web import queries

Calls = list[tuple[float, int]]


def pages(days: list[date]) -> dict[str, tuple[str, ...]]:
    """Return what a browser asks for, page by page: the page itself, then its data; and downloads."""
    source, last = f"source={SOURCE}", days[-1]
    month = f"{source}&range=custom&first={max(days[0], last - timedelta(days=30))}&last={last}"
    return {
        "cameras": (f"/cameras?{source}",),
        "cameras, a slot": (f"/cameras?{source}&slot={last:%Y%m%d}T1200Z",),
        "cameras, searched": (f"/cameras?{source}&health=faulty&q=street&page=2",),
        "one camera": (f"/cameras/{SOURCE}/00007.00007", f"/api/counts?{source}&range=24h&camera=00007.00007"),
        "shard": (f"/shards?{source}&slot={last:%Y%m%d}T1200Z&part=2&parts=20",),
        "coverage, the last day": ("/coverage", f"/api/coverage?{source}&day={last}"),
        "coverage, a day before": (f"/coverage?day={days[0]}", f"/api/coverage?{source}&day={days[0]}"),
        "coverage, four weeks": ("/coverage?span=weeks", f"/api/coverage/weeks?{source}&day={last}"),
        "counts, 24 hours": ("/counts", f"/api/counts?{source}&range=24h"),
        "counts, 7 days": (f"/counts?{source}&range=7d", f"/api/counts?{source}&range=7d"),
        "counts, 31 days": (f"/counts?{month}", f"/api/counts?{month}"),
        "counts, one camera, 31 days": (
            f"/counts?{month}&camera=00007.00007",
            f"/api/counts?{month}&camera=00007.00007",
        ),
        "daily series": ("/counts?range=daily", f"/api/timeseries?{source}&series=car"),
        "runs": ("/runs",),
        "counts as CSV, 31 days": (f"/api/counts.csv?{month}",),
        "counts as Parquet, 31 days": (f"/api/counts.parquet?{month}",),
        "series as CSV": (f"/api/timeseries.csv?{source}",),
        "series as Parquet": (f"/api/timeseries.parquet?{source}",),
        "health": ("/health",),
    }


def opened(folder: Path) -> TestClient:
    """Return a browser whose user may see everything."""
    from wayside_airflow.web.app import create_app, get_access

    def warehouse() -> ParquetWarehouse:
        return ParquetWarehouse(folder / "warehouse")

    app = create_app(warehouse=warehouse, store=lambda: LocalStore(folder / "pictures"))
    app.dependency_overrides[get_access] = lambda: None
    return TestClient(app)


def load(client: TestClient, paths: Iterable[str]) -> Calls:
    """Make the calls of one page; return the milliseconds and bytes of each."""
    taken = []
    for path in paths:
        began = time.perf_counter()
        answer = client.get(path)
        taken.append(((time.perf_counter() - began) * 1000, len(answer.content)))
        answer.raise_for_status()
    return taken


def total(calls: Calls) -> float:
    """Return the time of a page."""
    return sum(time for time, _ in calls)


def cold(folder: Path, name: str) -> Calls:
    """Load a page in a process of its own; what Python and Airflow take to start does not count."""
    command = [sys.executable, "-m", "bench.bench_web", str(folder), "--only", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return [(time, size) for time, size in json.loads(done.stdout.splitlines()[-1])]


def measured(folder: Path, name: str, paths: tuple[str, ...], client: TestClient, times: int) -> dict[str, Any]:
    """Measure one page."""
    first = min((cold(folder, name) for _ in range(max(1, times // 3))), key=total)
    load(client, paths)
    news = []
    for _ in range(times):
        queries.ANSWERS.clear()
        news.append(load(client, paths))
    again = min((load(client, paths) for _ in range(times)), key=total)
    best = min(news, key=total)
    return {
        "process": total(first),
        "news": total(best),
        "median": statistics.median(map(total, news)),
        "again": total(again),
        "kilobytes": sum(size for _, size in best) / 1000,
        "calls": [time for time, _ in best],
    }


def main() -> None:
    """Read the options."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", nargs="?", type=Path)
    options.add_argument("--cameras", type=int, default=1000)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--times", type=int, default=9)
    options.add_argument("--only", help="load this page once, and print its calls")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    logging.disable(logging.INFO)

    if chosen.folder is None:
        with tempfile.TemporaryDirectory(prefix="wayside-bench-") as folder:
            run(chosen, Path(folder))
    else:
        run(chosen, chosen.folder)


def run(chosen: argparse.Namespace, folder: Path) -> None:
    """Fill the folder if it is empty, and measure."""
    warehouse = ParquetWarehouse(folder / "warehouse")
    if not warehouse.days(COUNTS, [SOURCE]):
        began, last = time.perf_counter(), utc_now().date() - timedelta(days=1)
        fill(warehouse, chosen.cameras, [last - timedelta(days=back) for back in reversed(range(chosen.days))])
        print(
            f"filled {chosen.cameras} cameras x {chosen.days} days in {time.perf_counter() - began:.0f} s", flush=True
        )
    listed = pages([date.fromisoformat(day) for day in warehouse.days(COUNTS, [SOURCE])])
    with opened(folder) as client:
        if chosen.only:
            print(json.dumps(load(client, listed[chosen.only])))
            return
        print("process    news  median   again ms        kB")
        figures = {}
        for name, paths in listed.items():
            found = figures[name] = measured(folder, name, paths, client, chosen.times)
            calls = " + ".join(f"{time:.0f}" for time in found["calls"])
            numbers = " ".join(f"{found[kind]:7.0f}" for kind in ("process", "news", "median", "again"))
            print(f"{numbers} {found['kilobytes']:12.0f}  {name} ({calls})", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
