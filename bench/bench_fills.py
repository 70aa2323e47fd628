"""How long does hiding take? Each fill on a planar picture of 2.8 MP and a panorama of 32 MP with 30 objects.

The last line hides all of the panorama, the most that there can be. Milliseconds of CPU on one thread, the best of some
rounds, beside copying the picture, which every fill does.

    PYTHONPATH=include python -m bench.bench_fills --json fills.json
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from tests.privacy.hidden import boxed

from wayside.privacy.fills import fill
from wayside.privacy.settings import Fill

STYLES = ("constant", "mosaic", "blur", "grey_blur", "normalised_grey_blur")
SIZES = {"planar 2692 x 1032": (1032, 2692), "panorama 8000 x 4000": (4000, 8000)}
BAR = 1000.0  # milliseconds, of a panorama


def scattered(height, width, count=30, seed=0):
    """Return objects of the size of cars and people, by the picture's width."""
    chance, found = np.random.default_rng(seed), []
    for _ in range(count):
        columns, rows = (chance.integers(width // 160, width // 20, 2)).tolist()
        left, top = int(chance.integers(0, width - columns)), int(chance.integers(0, height - rows))
        found.append(boxed(left, top, left + columns, top + rows))
    return found


def best(work, rounds):
    """Return the least milliseconds of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return min(times)


def main():
    """Measure, print, and fail where a panorama takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions, of which the best counts")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    scenes = {name: (size, scattered(*size)) for name, size in SIZES.items()}
    scenes["panorama, all of it"] = (4000, 8000), [boxed(0, 0, 8000, 4000)]
    print(f"{'milliseconds':24}{'copy':>9}" + "".join(f"{style:>22}" for style in STYLES))
    figures = {}
    for name, ((height, width), objects) in scenes.items():
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        row = {"copy": best(image.copy, options.rounds)}
        for style in STYLES:
            how = Fill(style=style)
            row[style] = best(lambda i=image, o=objects, h=how: fill(i, o, h, secret=bytes(16)), options.rounds)
        figures[name] = row
        print(f"{name:24}{row['copy']:9.1f}" + "".join(f"{row[style]:22.1f}" for style in STYLES), flush=True)
    passed = max(max(row.values()) for row in figures.values()) <= BAR
    if options.json:
        options.json.write_text(json.dumps({"bar_ms": BAR, "passed": passed, "ms": figures}, indent=2) + "\n")
    if not passed:
        sys.exit(f"a fill takes longer than {BAR:g} ms")


if __name__ == "__main__":
    main()
