"""`wayside counts` and `wayside ingest`: run a slot without Airflow, and ask what was counted."""

import asyncio
import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wayside.cli.sources import START, hinted
from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES, COUNTS

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

app = typer.Typer(no_args_is_help=True)

_QUERY = """
SELECT source, camera, slot, pipeline, {classes}, faulty, missing, reason
FROM counts
WHERE slot >= $since AND slot < $until AND ($camera IS NULL OR camera = $camera)
ORDER BY source, camera, slot, pipeline
LIMIT $limit
"""
_TABLE_ROWS = 1000  # what somebody may still scroll through; files have no such bound
_DAY = timedelta(days=1)


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
    specs = load_sources(settings())
    names = source or [name for name, spec in specs.items() if spec.enabled]
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
                failed.append(hinted(str(error), specs.get(name)))
                continue
            if row["failed"] and not row["fetched"] and specs[name].allow_loopback:
                # Its list may be one that it gave earlier, and then nothing raises.
                console.print(f"nothing of {name} could be fetched; {START}", soft_wrap=True)
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
    since: datetime | None = typer.Option(None, help="First moment, UTC; by default 24 hours before the last."),
    until: datetime | None = typer.Option(
        None, help="First moment no longer wanted, UTC; by default the end of the newest slot that is published."
    ),
    limit: int | None = typer.Option(
        None, min=1, max=1_000_000, help=f"Rows at most; by default {_TABLE_ROWS} in a table, all in json and csv."
    ),
    form: Literal["table", "json", "csv"] = typer.Option("table", "--format", help="How the rows are printed."),
) -> None:
    """Print counts, one row for each camera and slot."""
    from wayside.warehouse.parquet import ParquetWarehouse

    if since and until and _utc(until) < _utc(since):
        raise typer.BadParameter("--since lies after --until")
    warehouse = ParquetWarehouse(settings().lake)
    sources, pipelines = [source] if source else None, [pipeline] if pipeline else None
    last = _utc(until) if until else _newest_end(warehouse, sources, pipelines)
    first = _utc(since) if since else last - _DAY
    last = max(first, last)  # nothing newer may be there
    if since is None or until is None:
        typer.echo(f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC", err=True)
    days = [(first + step * _DAY).strftime("%Y%m%d") for step in range((last.date() - first.date()).days + 1)]
    most = limit or (_TABLE_ROWS if form == "table" else None)
    # A table asks for one row more than it shows, to know whether it is whole.
    values = {"since": first, "until": last, "camera": camera, "limit": most + 1 if most and form == "table" else most}
    with warehouse.connect(sources, days, pipelines) as database:
        answer = database.execute(_QUERY.format(classes=", ".join(COUNT_CLASSES)), values)
        names = [column[0] for column in answer.description or ()]
        rows = answer.fetchall()
    _print(form, names, rows[:most])
    if most and len(rows) > most:
        typer.echo("more rows: use --limit, or --format csv", err=True)


def _newest_end(warehouse: "ParquetWarehouse", sources: list[str] | None, pipelines: list[str] | None) -> datetime:
    """Return the end of the newest slot that is published; now if there is none."""
    newest = warehouse.days(COUNTS, sources, pipelines)[-1:]
    scopes = warehouse.scopes(COUNTS, sources, newest, pipelines)
    return max((scope.slot.end for scope in scopes if scope.slot), default=utc_now())


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
        Console().print(
            table
            if rows
            else "No counts there yet: run `wayside ingest`, or `make demo`; or widen --since and --until."
        )
