"""Which fills can be undone? An attacker who knows the fill tells hidden number plates from hundreds of others.

See `tests/privacy/attacker.py` for what he knows and does. A plate is 120 x 28 pixels; its mask covers it alone, or all
of the vehicle that it hangs on. `rank` is the mean place of the true plate among the candidates, 0 to 1, where 0.5 is
what guessing gives. The run fails if the default fill gives more than chance.

    PYTHONPATH=include python -m bench.bench_attack --candidates 1000 --victims 200 --json attack.json
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.privacy.attacker import ALONE, ON_A_VEHICLE, Attack, candidates, expected, hide, mosaic

from wayside.privacy.settings import Fill

SCENES = {"alone": ALONE, "vehicle": ON_A_VEHICLE}


def fills(width):
    """Yield name, how the victims are hidden, how the attacker hides, side of a cell for each fill that is attacked."""

    def ours(how):
        return lambda scene: hide(scene, how), lambda scene: expected(scene, how)

    def plain(cell):
        return lambda _: lambda image: mosaic(image, cell), lambda _: lambda image: mosaic(image, cell)

    yield "constant (default)", *ours(Fill()), 1
    for cell, noise in ((20, 48), (20, 40), (16, 48), (12, 40), (8, 40)):
        # Not checked: the last two are why a profile may not have them.
        cells = Fill(style="mosaic").model_copy(update={"cell": cell, "noise": noise})
        yield f"mosaic {cell} px, noise {noise}", *ours(cells), cell
    for cell in (8, 12, 20):
        yield f"mosaic {cell} px, no noise (not ours)", *plain(cell), cell
    for style in ("blur", "grey_blur", "normalised_grey_blur"):
        for kernel in (15, 31, 61):
            yield f"{style}, {kernel} px", *ours(Fill(style=style, blur=(kernel + 0.01) * 1000 / width)), 1


def measure(scene, names, victims):
    """Return a row for each fill: name, share found at once, share among the first ten, mean rank."""
    attack, rows = Attack(scene, names), []
    for name, hidden, known, cell in fills(scene.width):
        start = time.perf_counter()
        ranks = attack.ranks(victims, hidden(scene), known(scene), cell=cell)
        row = (name, float((ranks == 0).mean()), float((ranks < 10).mean()), float(ranks.mean() / (len(names) - 1)))
        rows.append(row)
        print(f"{name:36}{row[1]:9.3f}{row[2]:9.3f}{row[3]:9.3f}{time.perf_counter() - start:9.0f}", flush=True)
    return rows


def main():
    """Attack, print, and fail where the default fill gives something away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=300, help="plates that it could be")
    parser.add_argument("--victims", type=int, default=200, help="plates that are attacked")
    parser.add_argument("--scene", choices=sorted(SCENES), action="append", help="by default both")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    figures, passed = {}, True
    for scene in options.scene or SCENES:
        print(
            f"{'plate ' + scene + f', {options.candidates} candidates':36}{'top 1':>9}{'top 10':>9}{'rank':>9}{'s':>9}"
        )
        rows = measure(SCENES[scene], candidates(options.candidates), options.victims)
        figures[scene] = [dict(zip(("fill", "top1", "top10", "rank"), row, strict=True)) for row in rows]
        # Four standard deviations above what guessing gives, and one victim for the small numbers.
        chance = 1 / options.candidates
        bar = chance + 4 * (chance / options.victims) ** 0.5 + 1 / options.victims
        passed &= rows[0][1] <= bar
    if options.json:
        document = {"candidates": options.candidates, "victims": options.victims, "passed": passed, "scenes": figures}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    if not passed:
        sys.exit("the default fill gives more than chance")


if __name__ == "__main__":
    main()
