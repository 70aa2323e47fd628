"""`wayside demo`: a morning in the demo city, and London's cameras as they are now where the network reaches them.

It runs the real stages on real sockets: a local server shows the city, the stages fetch, analyse and publish slot by
slot, and a page with pictures and charts is written at the end. The slots are fixed, so a second run finds its work
done and gives the same tables; `--again` analyses them once more.
"""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import WaysideError
from wayside.core.settings import Settings, settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES, COUNTS, FRAMES

if TYPE_CHECKING:
    from wayside.cli.report import Section
    from wayside.sources.demo.server import DemoServer
    from wayside.stills.ingest import Ingest
    from wayside.stills.still import StillPipeline

CITY_SOURCES = ("Demo-city", "Demo-observatory")
LONDON = "TfL-images"
# A Tuesday: rush hour, and most of the city's faults before the day is half over.
FIRST_SLOT = Slot.parse("20260616T0700Z")
_LONDON_PIPELINES = ("FaultyImageFilterV1_YoloxNano", "FaultyImageFilterV1_WaysideV1")
_LONDON_CAMERAS = 40
_SLOW = 0.5  # seconds that the city's slow camera takes; nobody wants to wait longer for each slot
_LONDON_PATIENCE = 5.0
_PULL_PATIENCE = 15.0  # seconds, all addresses together


def demo(
    slots: int = typer.Option(36, min=3, max=144, help="Ten-minute slots of the demo city's morning."),
    live: bool = typer.Option(True, help="Look at London's live cameras too, if they can be reached."),
    again: bool = typer.Option(False, help="Analyse slots that are done already once more."),
) -> None:
    """Count vehicles and people on the cameras of a demo city, and write a page to look at."""
    from wayside.cli.report import Section, write_report
    from wayside.stills.ingest import Ingest
    from wayside.stills.still import StillPipeline

    console = Console()
    # The city misbehaves on purpose, and the page tells what came of it.
    logging.getLogger("wayside.sources").setLevel(logging.ERROR)
    chosen = settings()
    work = Ingest(chosen)
    pipeline = StillPipeline.load(work.pipelines.default, work.pipelines, chosen)
    console.print(f"[bold]Wayside demo.[/] The demo city from {FIRST_SLOT} on, {slots} slots, pipeline {pipeline.name}")
    with _city() as server:
        _run_city(work, pipeline, server, slots, again, console)
    last = FIRST_SLOT.shift(slots - 2)
    sections = [Section(source, pipeline.name, FIRST_SLOT, last) for source in CITY_SOURCES]
    if live:
        sections = [*_run_london(chosen, console), *sections]
    console.print(_summary(work, sections))
    page = write_report(work, sections, chosen.state / "demo")
    console.print(f"Pictures with boxes and charts: [bold]{escape(str(page))}[/]", soft_wrap=True)
    tables = escape(str(work.warehouse.root / "published"))
    console.print(f"Tables (Parquet): {tables}; ask them with [bold].venv/bin/wayside counts query[/]", soft_wrap=True)
    console.print("The same in Airflow, every ten minutes: [bold]make up[/]")


@contextmanager
def _city() -> Iterator["DemoServer"]:
    """Serve the demo city on this machine while the block runs, and tell the sources where it is."""
    from wayside.sources.demo.city import DemoCity
    from wayside.sources.demo.server import running

    with running(DemoCity(), FIRST_SLOT.start, slow_seconds=_SLOW) as server:
        os.environ["WAYSIDE_DEMO_URL"] = server.base_url
        yield server


def _run_city(
    work: "Ingest", pipeline: "StillPipeline", server: "DemoServer", slots: int, again: bool, console: Console
) -> None:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as progress:
        task = progress.add_task("Slots", total=slots * len(CITY_SOURCES))
        for slot in (FIRST_SLOT.shift(step) for step in range(slots)):
            for source in CITY_SOURCES:
                progress.update(task, description=f"{source} {slot.hhmm}")
                if again or not _done(work, source, slot, pipeline):
                    server.clock = work.clock = _clock_at(slot.start + timedelta(seconds=20))
                    asyncio.run(work.run_slot(source, slot, pipeline))
                progress.advance(task)


def _clock_at(now: datetime) -> Clock:
    return lambda: now


def _done(work: "Ingest", source: str, slot: Slot, pipeline: "StillPipeline") -> bool:
    """Tell whether the slot is published, made by the very weights that would be used now."""
    from wayside.core.tables import SLOT_RUNS
    from wayside.warehouse.scope import Scope

    if not work.warehouse.published(FRAMES, Scope(source, slot)):
        return False
    if slot == FIRST_SLOT:
        return bool(work.warehouse.published(SLOT_RUNS, Scope(source, slot, pipeline.name)))
    counts = work.warehouse.read(COUNTS, Scope(source, slot.previous, pipeline.name))
    return set(counts["model_sha256"].unique().to_pylist()) == {pipeline.model_sha256}


def _run_london(chosen: Settings, console: Console) -> "list[Section]":
    """Fetch and analyse one slot of London's live cameras; say why not where that cannot be."""
    from wayside.cli.report import Section
    from wayside.stills.ingest import Ingest

    work = Ingest(chosen, lag=0)
    slot = Slot.floor(utc_now())
    try:
        asyncio.run(_reach_london(work))
        pipeline = _london_pipeline(work, chosen, console)
        row = asyncio.run(work.run_slot(LONDON, slot, pipeline, limit=_LONDON_CAMERAS))
    except (WaysideError, TimeoutError) as error:
        why = escape((str(error) or "no answer").splitlines()[0])
        console.print(f"London's live cameras: not reached ({why}); the demo city alone is shown")
        return []
    console.print(f"London's live cameras: reached, {row['analysed']} pictures analysed with {pipeline.name}")
    console.print("  (one picture each, so parked vehicles count too). Powered by TfL Open Data.")
    return [Section(LONDON, pipeline.name, slot, slot)]


async def _reach_london(work: "Ingest") -> None:
    from wayside.sources.http import HttpClient

    source = work.source(LONDON)
    async with asyncio.timeout(_LONDON_PATIENCE), HttpClient(source.spec, work.settings) as http:
        await source.cameras(http)


def _london_pipeline(work: "Ingest", chosen: Settings, console: Console) -> "StillPipeline":
    """Load YOLOX-nano for real pictures, pulled where it is not there yet; our own detector if it cannot be had."""
    from wayside.stills.still import StillPipeline
    from wayside.vision.registry import card, pull

    try:
        pull(card("YoloxNano", chosen), chosen, patience=_PULL_PATIENCE)
        console.print("Detector for London: YOLOX-nano, pulled and its hash checked")
        return StillPipeline.load(_LONDON_PIPELINES[0], work.pipelines, chosen)
    except WaysideError as error:
        console.print(f"Detector for London: our own (YOLOX-nano cannot be had: {escape(str(error))})")
        return StillPipeline.load(_LONDON_PIPELINES[1], work.pipelines, chosen)


def _sums(work: "Ingest", section: "Section") -> tuple[int | None, ...]:
    """Return slots, pictures, faulty and missing ones, and the sum of each class."""
    sums = ", ".join(f"sum({name})" for name in COUNT_CLASSES)
    with work.warehouse.connect([section.source], None, [section.pipeline]) as database:
        row = database.execute(
            f"SELECT count(DISTINCT slot), count(*), count(*) FILTER (faulty), count(*) FILTER (missing), {sums} "  # noqa: S608
            "FROM counts WHERE slot BETWEEN $first AND $last",
            {"first": section.first.start, "last": section.last.start},
        ).fetchone()
    return tuple(row or ())


def _summary(work: "Ingest", sections: "list[Section]") -> Table:
    """Return the table of what was counted, a column for each source."""
    table = Table("", *(section.source for section in sections), title="Objects counted")
    columns = [_sums(work, section) for section in sections]
    for number, name in enumerate(("slots", "pictures", "faulty", "missing", *COUNT_CLASSES)):
        cells = ("not known" if column[number] is None else str(column[number]) for column in columns)
        table.add_row(name, *cells, end_section=name == "missing")
    return table
