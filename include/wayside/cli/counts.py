"""`wayside counts` and `wayside ingest`: run a slot without Airflow, and ask what was counted."""

import asyncio
import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES

app = typer.Typer(no_args_is_help=True)

_QUERY = """
SELECT source, camera, slot, pipeline, {classes}, faulty, missing, reason
FROM counts
WHERE slot >= $since AND slot < $until AND ($camera IS NULL OR camera = $camera)
ORDER BY source, camera, slot, pipeline
LIMIT $limit
"""


def ingest(
    source: list[str] = typer.Option(None, help="Sources; by default all that are enabled."),
    slot: str | None = typer.Option(None, help="Slot to fetch, say 20260616T0800Z; by default the present one."),
    pipeline: str | None = typer.Option(None, help="Pipeline; by default the one that the configuration names."),
) -> None:
    """Fetch a slot, analyse the one before it and publish both: one run of `ingest_cameras`, without Airflow.

    A source that fails stops no other; the command then exits with 1.
    """
    from wayside.sources.registry import load_sources
    from wayside.stills.ingest import Ingest
    from wayside.stills.still import StillPipeline

    work = Ingest(settings())
    when = Slot.parse(slot) if slot else Slot.floor(utc_now())
    loaded = StillPipeline.load(pipeline or work.pipelines.default, work.pipelines, settings())
    names = source or [name for name, spec in load_sources(settings()).items() if spec.enabled]
    if not names:
        raise ConfigError("no source is enabled: set `enabled: true` in include/config/sources.yaml, or give --source")
    table = Table("source", "slot", "cameras", "fetched", "missing", "failed", "analysed slot", "analysed", "faulty")
    console = Console(stderr=True)
    failed: list[str] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for name in names:
            task = progress.add_task(name, total=None)
            try:
                row = asyncio.run(work.run_slot(name, when, loaded, partial(progress.advance, task)))
            except WaysideError as error:
                failed.append(str(error))
                continue
            table.add_row(
                name,
                str(when),
                *(str(row[key]) for key in ("cameras", "fetched", "missing", "failed")),
                str(when.previous),
                str(row["analysed"]),
                str(row["faulty"]),
            )
    if table.row_count:
        Console().print(table)
    if failed:
        raise WaysideError("; ".join(failed))


@app.command()
def query(
    source: str | None = typer.Option(None, help="Only this source."),
    camera: str | None = typer.Option(None, help="Only this camera."),
    pipeline: str | None = typer.Option(None, help="Only this pipeline."),
    since: datetime | None = typer.Option(None, help="First moment, UTC; by default 24 hours ago."),
    until: datetime | None = typer.Option(None, help="First moment no longer wanted, UTC; by default now."),
    limit: int = typer.Option(1000, min=1, max=1_000_000, help="Rows at most."),
    form: Literal["table", "json", "csv"] = typer.Option("table", "--format", help="How the rows are printed."),
) -> None:
    """Print counts, one row for each camera and slot."""
    from wayside.warehouse.parquet import ParquetWarehouse

    last = _utc(until) if until else utc_now()
    first = _utc(since) if since else last - timedelta(days=1)
    if last < first:
        raise typer.BadParameter("--since lies after --until")
    days = [(first + timedelta(days=step)).strftime("%Y%m%d") for step in range((last.date() - first.date()).days + 1)]
    values = {"since": first, "until": last, "camera": camera, "limit": limit}
    warehouse = ParquetWarehouse(settings().warehouse)
    with warehouse.connect([source] if source else None, days, [pipeline] if pipeline else None) as database:
        answer = database.execute(_QUERY.format(classes=", ".join(COUNT_CLASSES)), values)
        names = [column[0] for column in answer.description or ()]
        rows = answer.fetchall()
    _print(form, names, rows)


def _utc(moment: datetime) -> datetime:
    """Take a moment without a zone for UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(form: Literal["table", "json", "csv"], names: list[str], rows: list[tuple[Any, ...]]) -> None:
    texts = [
        ["" if cell is None else cell.isoformat() if isinstance(cell, datetime) else str(cell) for cell in row]
        for row in rows
    ]
    if form == "json":
        typer.echo(
            json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=datetime.isoformat, indent=1)
        )
    elif form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerows([names, *texts])
    else:
        table = Table(*names)
        for row in texts:
            table.add_row(*row)
        Console().print(table if rows else "No counts there yet: run `wayside ingest`, or `make demo`.")
