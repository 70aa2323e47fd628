"""Rows a second into Oracle's staging and target tables, on the stand-in: H2 in Oracle mode, through JDBC.

    python -m bench oracle

The figures say what our part costs, from Parquet to bound values and statements, plus H2 in the memory of this process
and a bridge that crosses into Java for each value. They say nothing about an Oracle server or a network. Where
WAYSIDE_ORACLE_DSN, _USER and _PASSWORD name a test user, the same is measured there, and the output says so.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

ROWS = 20_000


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Deliver a batch of detections anew, over itself, and by the direct path; return rows a second of each."""
    from tests.warehouse.oracle.database import batch, peer, sample, scope_of, server_of_environment

    from wayside.core.tables import DETECTIONS

    database = server_of_environment() or peer()
    scope = scope_of(DETECTIONS)
    batches = [batch(folder, DETECTIONS, [scope], sample(DETECTIONS, scope, rows, n), f"bench-{n}") for n in range(4)]
    target = database.target()
    target.prepare([DETECTIONS])
    speeds: dict[str, float] = {}
    for sent, name, direct in zip(
        batches,
        ("first (not counted)", "array binds, all rows new", "array binds, all rows replaced", "direct path, replaced"),
        (rows + 1, rows + 1, rows + 1, 1),
        strict=True,
    ):
        target.direct_path_rows = direct
        if "new" in name:
            database.ask('DELETE FROM "DETECTIONS"', commit=True)
        begun = time.perf_counter()
        target.deliver(sent)
        speeds[name] = rows / (time.perf_counter() - begun)
    del speeds["first (not counted)"]
    if len(database.rows(DETECTIONS)) != rows:
        raise RuntimeError("not all rows arrived")
    target.close()
    database.close()
    return speeds


def measure_photos(folder: Path, rows: int) -> dict[str, float]:
    """Register road photos in VEGBILDER, new and again; return rows a second of each, and of making rows alone."""
    from tests.warehouse.oracle.database import peer, server_of_environment
    from tests.warehouse.oracle.road_photos import VEGBILDER, lake_of, publish, record, seen, target_of

    from wayside.metadata.rows import RowMaker
    from wayside.warehouse.photo_table import deliver_photo_table

    database = server_of_environment() or peer()
    lake, target, maker = lake_of(folder / "photos"), target_of(database), RowMaker(VEGBILDER)
    xml = f"<ImageProperties><VCRoad>EV134</VCRoad>{'<Tilt>-0.031496062992125984</Tilt>' * 70}</ImageProperties>"
    speeds: dict[str, float] = {}
    for name in ("road photos, all rows new", "road photos, all rows replaced"):
        width = str(len(name))
        records = {f"p{n}": record(f"p{n}", exif_imagewidth=width, exif_imageproperties=xml) for n in range(rows)}
        publish(lake, "f", records)
        begun = time.perf_counter()
        if deliver_photo_table(lake, target).refused or set(seen(database).values()) != {int(width)}:
            raise RuntimeError("not all rows arrived")
        speeds[name] = rows / (time.perf_counter() - begun)
    begun = time.perf_counter()
    for one in records.values():
        maker(one)
    speeds["road photos, records to rows"] = rows / (time.perf_counter() - begun)
    target.close()
    database.close()
    return speeds


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    server = "Oracle at WAYSIDE_ORACLE_DSN" if os.environ.get("WAYSIDE_ORACLE_DSN") else "H2 in Oracle mode, not Oracle"
    print(f"{chosen.rows} detections, {chosen.rows // 2} road photos of {server}; rows a second, merged and committed")
    with tempfile.TemporaryDirectory(prefix="wayside-bench-") as folder:
        speeds = measure(Path(folder), chosen.rows) | measure_photos(Path(folder), chosen.rows // 2)
    for name, value in speeds.items():
        print(f"{name:32} {value:10,.0f}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"server": server, "rows": chosen.rows, **speeds}, indent=1))


if __name__ == "__main__":
    main()
