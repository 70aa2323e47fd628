"""How much of what is planted in a panorama of 8000 x 4000 pixels is hidden, and in what time.

Run `PYTHONPATH=include python -m bench.bench_panorama [--json PATH]`. Cut-outs of real people, cars, buses and trucks
of `$WAYSIDE_TEST_DATA` are planted on the seam, toward the poles and around the corners of tiles, at several sizes.
Each panorama is gone through with one and the same model (the one that comes with Wayside) and

- the windows of Wayside (`tiles`),
- the windows that the replaced system's configuration for panoramas asks for (`replaced`),
- one look at the whole (`whole`).

`known` objects are those that the model hides whole, at the same size and without growth, in the middle of a plain
picture: what is missed of them is missed for its place. `any` are all cut-outs, so it says how good the model is too.
Figures are the shares of objects of which every pixel is hidden, and of which 95 % are, and of all their pixels.
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tests.privacy.panorama import Cutout, Planted, background, cutouts, furnish, hidden, recognised, spots

from wayside.core.settings import settings
from wayside.privacy.find import Finder, load_finder
from wayside.privacy.settings import Finding, Tiling
from wayside.privacy.tiles import Window, replaced_windows, uncovered, windows
from wayside.vision.stream import usable_cores

HEIGHT, WIDTH = 4000, 8000
TILING: Final = Tiling(wrap=True)
SIZES: Final = (60, 90, 140, 200, 300)
LABELS: Final = ("person", "car", "bus", "truck")


def finder(grow: float = 0.05) -> Finder:
    """Load the model for road users alone."""
    return load_finder(Finding(face_detector=None, plate_detector=None, tiling=TILING, grow=grow), settings())


def mixed(data: Path, plain: Finder | None, tall: int) -> list[Cutout]:
    """Choose twelve cut-outs of each class, or those of them that the model knows, and take them in turn."""
    kinds = []
    for label in LABELS:
        found = itertools.islice(cutouts(data, [label], 40), 12)
        kinds.append(recognised(plain, found, 12, tall) if plain else list(found))
    return [one for turn in itertools.zip_longest(*kinds) for one in turn if one is not None]


def covered(
    planted: Sequence[Planted], finds: Finder, picture: np.ndarray, looks: Sequence[Window]
) -> dict[str, float]:
    """Measure one panorama with one list of windows."""
    start = time.perf_counter()
    mask = hidden(finds, picture, workers=usable_cores(), looks=looks)
    seconds = time.perf_counter() - start
    shares = [one.hidden(mask) for one in planted]
    return {
        "whole": float(np.mean([share == 1 for share in shares])),
        "nearly": float(np.mean([share >= 0.95 for share in shares])),
        "pixels": float(np.mean(shares)),
        "hidden": float(mask.mean()),
        "seconds": seconds,
    }


def main() -> None:
    """Plant, look and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    target = parser.parse_args().json
    data = Path(os.environ.get("WAYSIDE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not data.is_dir():
        print(f"there is no {data}: set WAYSIDE_TEST_DATA")
        return
    finds = finder()
    whole = (Window(0, 0, WIDTH, HEIGHT, WIDTH),)
    old = replaced_windows(HEIGHT, WIDTH, (3, 2), (1500, 1300))
    ways = {"tiles": windows(HEIGHT, WIDTH, TILING), "replaced": (*whole, *old), "whole": whole}
    missed = uncovered(HEIGHT, WIDTH, old)
    print(f"windows: {', '.join(f'{name} {len(looks)}' for name, looks in ways.items())}")
    print(f"the replaced system's windows leave {missed:.1%} of the picture to the look at the whole")
    results: list[dict[str, object]] = []
    for kind, plain in {"known": finder(0.0), "any": None}.items():
        for tall in SIZES:
            chosen = mixed(data, plain, tall)
            picture = background(HEIGHT, WIDTH)
            planted = furnish(picture, chosen, spots(HEIGHT, WIDTH, TILING, tall))
            for name, looks in ways.items():
                one = covered(planted, finds, picture, looks)
                results.append({"kind": kind, "pixels_high": tall, "windows": name, "planted": len(planted), **one})
                print(
                    f"{kind:5} {tall:3} px high, {len(planted):3} planted, {name:8}: {one['whole']:6.1%} whole, "
                    f"{one['nearly']:6.1%} to 95 %, {one['pixels']:6.1%} of pixels; "
                    f"{one['hidden']:5.1%} of the picture; {one['seconds']:.1f} s"
                )
    if target:
        target.write_text(json.dumps({"panorama": results, "replaced_uncovered": missed}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
