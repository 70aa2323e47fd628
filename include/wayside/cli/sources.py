"""`wayside sources …` and `wayside fetch`: look at the configured sources, try one out, fetch a slot by hand."""

import asyncio
import dataclasses
import json
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from wayside.core.clock import utc_now
from wayside.core.errors import SourceError
from wayside.core.settings import Settings, settings
from wayside.core.slots import Slot
from wayside.sources import HttpClient, SourceSpec, fetch_slot, load_sources, open_source
from wayside.sources.check import Report, check_source
from wayside.sources.fetch import Row
from wayside.sources.registry import find_source
from wayside.store import open_store

app = typer.Typer(help="Who offers pictures.", no_args_is_help=True)

START = "start it with `python -m wayside.sources.demo`, or `make up`"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """List the sources of include/config/sources.yaml."""
    found = load_sources(settings())
    if as_json:
        typer.echo(
            json.dumps([spec.model_dump(mode="json", exclude_defaults=True) for spec in found.values()], indent=2)
        )
        return
    table = Table(
        *(Column(name, no_wrap=True) for name in ("source", "kind", "enabled")), Column("address", overflow="fold")
    )
    for spec in found.values():
        table.add_row(
            spec.id, spec.kind, "yes" if spec.enabled else "no", spec.url, style="" if spec.enabled else "dim"
        )
    Console().print(table)


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="The source; all that are enabled if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reach a source: how many cameras it lists, how long that takes, and whether a sample picture is one.

    Nothing is stored. Exits with 1 if a source cannot be used.
    """
    chosen = settings()
    specs = [find_source(chosen, name)] if name else [s for s in load_sources(chosen).values() if s.enabled]
    reports = [_checked(spec, chosen) for spec in specs]
    if as_json:
        typer.echo(json.dumps([{**dataclasses.asdict(report), "ok": report.ok} for report in reports], indent=2))
    else:
        for report in reports:
            _print_report(Console(), report)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)


def fetch(
    source: Annotated[str, typer.Option(help="The source, as in include/config/sources.yaml.")],
    slot: Annotated[
        str | None,
        typer.Option(help="The slot, as 20200501T0050Z; the present one if absent. Live sources have no other."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Fetch only the first so many cameras.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the pictures of one slot into the picture store and say what became of each.

    Pictures that are stored already are not fetched again. Rows are not published: that is the work of the DAGs.
    Exits with 1 if nothing could be had.
    """
    chosen = settings()
    when = Slot.parse(slot) if slot else Slot.floor(utc_now())
    spec = find_source(chosen, source)
    try:
        rows = asyncio.run(_fetch(spec, when, limit, chosen))
    except SourceError as error:
        raise SourceError(hinted(str(error), spec)) from error
    if as_json:
        typer.echo(json.dumps(rows, default=str, indent=2))
    else:
        _print_rows(Console(), f"{source} {when}", rows)
    raise typer.Exit(0 if any(row["status"] == "ok" for row in rows) else 1)


def hinted(error: str, spec: SourceSpec | None) -> str:
    """Add to what a source's failure says how to start the demo city, if it lies on this machine and nobody listens."""
    if spec is None or not spec.allow_loopback or "cannot be reached" not in error:
        return error
    return f"{error}; {START}"


def _checked(spec: SourceSpec, chosen: Settings) -> Report:
    report = asyncio.run(check_source(spec, chosen))
    report.error = report.error and hinted(report.error, spec)
    return report


async def _fetch(spec: SourceSpec, slot: Slot, limit: int | None, chosen: Settings) -> list[Row]:
    source, store = open_source(spec), open_store(chosen)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # The bar goes to stderr, so that what stdout holds can be piped on.
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{spec.id} {slot}", total=None)
        async with HttpClient(spec, chosen) as http:
            cameras = (await source.cameras(http))[:limit]
            bar.update(task, total=len(cameras))
            return await fetch_slot(
                source, cameras, slot, store, settings=chosen, http=http, progress=lambda _: bar.advance(task)
            )


def _print_report(console: Console, report: Report) -> None:
    console.print(f"[bold]{report.source}[/bold]: {'[green]ok' if report.ok else '[red]not usable'}")
    if report.error is not None:
        console.print(f"  {report.error}", style="red", markup=False, soft_wrap=True)
        return
    console.print(f"  {report.cameras} cameras listed in {report.seconds:.1f} s")
    for reason, times in sorted(report.reasons.items()):
        console.print(f"  {times} offer nothing now: {reason}")
    if (sample := report.sample) is not None:
        console.print(f"  sample {sample.camera}: {sample.width} x {sample.height} pixels, {sample.bytes} bytes")
        console.print(f"  fetched in {sample.seconds:.2f} s from {sample.url}", markup=False, soft_wrap=True)
    for warning in report.warnings:
        console.print(f"  {warning}", style="yellow", markup=False, soft_wrap=True)


def _print_rows(console: Console, title: str, rows: list[Row]) -> None:
    table = Table("status", "reason", "cameras", title=title)
    for (status, reason), times in Counter((str(row["status"]), row["reason"] or "") for row in rows).most_common():
        table.add_row(status, str(reason), str(times))
    console.print(table)
