"""The command `wayside` and its parts. An error that Wayside raises on purpose ends it with one clear line."""

import logging
import sys

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from wayside import __version__
from wayside.cli import (
    analyse,
    bench,
    count,
    counts,
    demo,
    labels,
    metadata,
    models,
    photos,
    receipts,
    register,
    reprocess,
    sources,
    tidy,
    timeseries,
    videos,
    zones,
)
from wayside.core.errors import WaysideError

_HELP = "Pictures taken beside the road become data."
_commands = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False)
_commands.add_typer(sources.app, name="sources", help="Who offers pictures: list them, check that they answer.")
_commands.add_typer(models.app, name="models", help="Detectors: list, pull, verify, evaluate.")
_commands.add_typer(counts.app, name="counts", help="What was counted.")
_commands.add_typer(count.app, name="count", help="How good counting in zones is.")
_commands.add_typer(timeseries.app, name="timeseries", help="Daily series, seasonally adjusted.")
_commands.add_typer(tidy.warehouse_app, name="warehouse", help="Tables: send them to another warehouse again.")
_commands.add_typer(receipts.app, name="receipts", help="What was done to each road photo: verify, show, head.")
_commands.add_typer(zones.app, name="zones", help="Zones on cameras: draw, look at segments, count, how fresh.")
_commands.add_typer(labels.app, name="labels", help="Labels of videos: export, import, convert.")
_commands.add_typer(register.app, name="register", help="Road photos in a road authority's own table in Oracle.")
_commands.command("fetch")(sources.fetch)
_commands.command("analyse")(analyse.analyse)
_commands.command("ingest")(counts.ingest)
_commands.command("backfill")(reprocess.backfill)
_commands.command("reprocess")(reprocess.reprocess)
_commands.command("anonymise")(photos.anonymise)
_commands.command("check")(photos.check)
_commands.command("review")(photos.review)
_commands.command("import")(videos.import_)
_commands.command("jobs")(videos.jobs)
_commands.command("metadata")(metadata.metadata)
_commands.command("demo")(demo.demo)
_commands.command("bench")(bench.bench)
_commands.command("expire")(tidy.expire)
_commands.command("compact")(tidy.compact)
_commands.command("tidy")(tidy.tidy)


@_commands.callback()
def _common(verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more on the error stream.")) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False)],
    )


@_commands.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def app() -> None:
    """Run the command line; exit 1 with one line when Wayside or the system refuses, 2 on wrong usage."""
    try:
        _commands()
    except (WaysideError, OSError) as error:
        # Text, not markup: a message may hold brackets of its own.
        said = Text.assemble(("error:", "bold red"), f" {_told(error)}")
        Console(stderr=True).print(said, highlight=False, soft_wrap=True)
        sys.exit(1)


def _told(error: Exception) -> str:
    """Say what went wrong; of what the system refused, the file first."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
