"""Run every benchmark of this folder, one after the other, and keep the figures in `.wayside/bench/<name>.json`."""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the modules `bench_*.py`, or those named on the command line."""
    folder = Path(__file__).parent
    names = sys.argv[1:] or sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))
    results = folder.parent / ".wayside" / "bench"
    results.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"\n== {name}", flush=True)
        sys.argv = [f"bench_{name}", "--json", str(results / f"{name}.json")]
        runpy.run_module(f"bench.bench_{name}", run_name="__main__")


main()
