"""`wayside timeseries`: build the daily series out of the counts, and write them to files."""

from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from wayside.core.errors import ConfigError
from wayside.core.settings import settings

app = typer.Typer(no_args_is_help=True)

_PIPELINE = typer.Option(None, help="Pipeline; by default the one that the configuration names.")
_SOURCE = typer.Option(None, help="Sources; by default all that there are.")


@app.command()
def build(
    source: list[str] = _SOURCE,
    pipeline: str | None = _PIPELINE,
    through: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Last day, UTC; by default yesterday, the last one that is over."
    ),
) -> None:
    """Fill gaps, add up the cameras day by day, adjust for the season of the week, and publish the series."""
    from wayside.stills import series

    chosen, name = settings(), _pipeline(pipeline)
    sources = source or series.with_counts(chosen, name)
    if not sources:
        raise ConfigError(f"there are no counts with {name} yet: run `wayside ingest`, or `make demo`")
    table = Table("source", "from", "to", "days", "cameras", "series", "imputed")
    notes = []
    for one in sources:
        told = series.build(chosen, one, name, through.date() if through else None)
        table.add_row(
            one,
            told.first,
            told.last,
            *(str(number) for number in (told.days, told.cameras, len(told.series))),
            f"{100 * told.imputed_share:.1f} %",
        )
        notes += [f"{one}: {warning}" for warning in told.warnings]
        if told.more_warnings:
            notes.append(f"{one}: and {told.more_warnings} more")
    Console().print(table)
    for note in notes:
        typer.echo(note, err=True)


@app.command()
def export(
    folder: Path | None = typer.Option(None, help="Where to; by default the folder `exports` of the state folder."),
    source: list[str] = _SOURCE,
    pipeline: str | None = _PIPELINE,
) -> None:
    """Write the series as CSV in the columns of chrono_lens, as Parquet, and as a page with charts."""
    from wayside.stills import series

    chosen = settings()
    written = series.export(chosen, folder or chosen.state / "exports", _pipeline(pipeline), source)
    for path in (written.csv, written.parquet, written.page):
        typer.echo(path)


def _pipeline(name: str | None) -> str:
    """Return the pipeline, by default the configured one."""
    from wayside.stills.pipelines import load_pipelines

    return name or load_pipelines(settings().config / "pipelines.yaml").default
