"""What chrono_lens counted on its own test pictures, and what our detectors count on them: a table of differences.

The replaced system's detector (a Faster R-CNN, NewcastleV0) cannot be had, so these vectors cannot be met, only
compared. A van of the replaced system is a car or a truck to a detector that knows no vans. The pictures are those of
`$WAYSIDE_TEST_DATA/camera-stills`, by default `../shared/data/camera-stills`.
"""

import argparse
import json
import os
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wayside.core.errors import WaysideError
from wayside.core.settings import settings
from wayside.core.tables import COUNT_CLASSES
from wayside.quality.faulty import FaultyImageFilterV0
from wayside.quality.static import StaticObjectFilterV0
from wayside.stills.still import StillPipeline
from wayside.vision.detector import load_detector

STILLS = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data")) / "camera-stills"
DETECTORS = ("WaysideV1", "WaysideV1Int8", "YoloxNano", "NanoDetPlus")
NIGHT = tuple(f"TfL-images-20200501-{hhmm}-00001.08859.jpg" for hhmm in ("0040", "0050", "0100"))

#: (what, the picture or previous, current and next, what chrono_lens counted)
VECTORS: tuple[tuple[str, tuple[str, ...], dict[str, int]], ...] = (
    ("08859 night, detector", NIGHT[1:2], {"car": 2, "person": 1, "van": 3}),
    ("08859 night, all stages", NIGHT, {"person": 1}),
    ("04542 day, detector", ("TfL-images-20200501-1340-00001.04542.jpg",), {"car": 12, "person": 2, "van": 1}),
    ("01251 day, detector", ("TfL_20200315_1300_00001.01251.jpg",), {"person": 4, "car": 9, "truck": 1, "bus": 1}),
    ("A191E1 day, detector", ("NETravelData-images_20200508_1110_NT_A191E1.jpg",), {"car": 5, "person": 1}),
)


def count(pipeline: StillPipeline, names: tuple[str, ...]) -> dict[str, int]:
    """Count on one picture, with its neighbours where three are named."""
    files = [(STILLS / name).read_bytes() for name in names]
    before, current, after = files if len(files) == 3 else (None, files[0], None)
    return {
        label: number for label, number in (pipeline.analyse(before, current, after).counts or {}).items() if number
    }


def pipelines() -> dict[str, tuple[StillPipeline, StillPipeline]]:
    """Load the detectors that are there, each alone and between the filters of chrono_lens."""
    loaded = {}
    for name in DETECTORS:
        try:
            detector = load_detector(name, settings())
        except WaysideError as error:
            print(f"{name} is left out: {error}")
            continue
        alone = StillPipeline(name, None, detector, None, settings())
        filtered = StillPipeline(name, FaultyImageFilterV0(), detector, StaticObjectFilterV0(), settings())
        loaded[name] = (alone, filtered)
    return loaded


def written(counts: dict[str, int], expected: dict[str, int]) -> str:
    """Write counts with their difference from the expected ones: `car 10 (-2)`."""
    difference = Counter(counts)
    difference.subtract(expected)
    said = (name for name in COUNT_CLASSES if name in counts or name in expected)
    return ", ".join(f"{name} {counts.get(name, 0)} ({difference[name]:+d})" for name in said)


def main() -> None:
    """Compare and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    if not STILLS.is_dir():
        print(f"left out: no pictures at {STILLS}; set WAYSIDE_TEST_DATA")
        return
    loaded = pipelines()
    table = Table("picture", "chrono_lens", *loaded, title="Counts (difference from chrono_lens)", show_lines=True)
    results = []
    for what, names, expected in VECTORS:
        found = {name: count(pair[len(names) == 3], names) for name, pair in loaded.items()}
        table.add_row(
            what,
            ", ".join(f"{name} {number}" for name, number in expected.items()),
            *(written(counts, expected) for counts in found.values()),
        )
        results.append({"picture": what, "chrono_lens": expected, **found})
    Console().print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
