"""`wayside bench`: run the benchmarks of the repository, which are no part of the installed package."""

import os
import subprocess
import sys

import typer

from wayside.core.errors import ConfigError
from wayside.core.settings import settings


def bench(
    names: list[str] = typer.Argument(None, metavar="[NAME]...", help="Benchmarks to run; all if none is named."),
) -> None:
    """Measure, and keep the figures in .wayside/bench of the repository."""
    home = settings().home.absolute()
    known = sorted(path.stem.removeprefix("bench_") for path in (home / "bench").glob("bench_*.py"))
    if not known:
        raise ConfigError(f"there are no benchmarks in {home / 'bench'}: set WAYSIDE_HOME to a checkout of Wayside")
    if unknown := [name for name in names or () if name not in known]:
        raise ConfigError(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    # As `make bench` does it: the package and the pages are those of the checkout.
    paths = [str(home / "include"), str(home / "plugins"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "WAYSIDE_HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "bench", *(names or ())]
    done = subprocess.run(command, cwd=home, env=env, check=False)  # noqa: S603 - the names are known ones
    raise typer.Exit(done.returncode)
