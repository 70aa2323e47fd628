"""`wayside backfill` and `wayside reprocess`: what the DAGs of nearly these names do, without Airflow."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from wayside.cli.user import user_name
from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from wayside.stills.estimate import Estimate
    from wayside.stills.ingest import Ingest

_DAY = timedelta(days=1)


def backfill(
    first: datetime | None = typer.Option(None, formats=["%Y-%m-%d"], help="First UTC day; by default yesterday."),
    last: datetime | None = typer.Option(None, formats=["%Y-%m-%d"], help="Last UTC day; by default the first."),
    source: list[str] = typer.Option(None, help="Sources; by default all that are enabled."),
    mode: Literal["changed", "only_missing", "all"] = typer.Option(
        "changed",
        help="What is analysed beside stills whose pictures changed: nothing, stills without counts, or all.",
    ),
    pipeline: str = typer.Option("", help="Pipeline to analyse with, beside those that have counts of these days."),
) -> None:
    """Fetch pictures that came late, replace faulty ones by better ones, and count again what they change."""
    from wayside.stills import late
    from wayside.stills.ingest import Ingest

    work, days = Ingest(settings()), _days(first, last)
    names = _sources(work, source)
    table = Table("source", "day", "asked", "fetched", "replaced", "analysed", "changed", "left")
    with _progress() as progress:
        for name, day in ((name, day) for name in names for day in days):
            totals = dict.fromkeys(("asked", "fetched", "replaced", "analysed", "changed", "left"), 0)
            for shard in late.plan(work, name, day, mode=mode, pipeline=pipeline):
                task = progress.add_task(late.LateShard.model_validate(shard).label, total=None)
                done = late.run_shard(work, shard, progress=partial(progress.advance, task))
                progress.remove_task(task)
                totals = {key: value + done[key] for key, value in totals.items()}
            late.publish(work, name, day)
            table.add_row(name, str(day), *map(str, totals.values()))
    Console().print(table)


def reprocess(
    first: datetime = typer.Option(..., formats=["%Y-%m-%d"], help="First UTC day."),
    last: datetime | None = typer.Option(None, formats=["%Y-%m-%d"], help="Last UTC day; by default the first."),
    source: list[str] = typer.Option(None, help="Sources; by default all that are enabled."),
    camera: list[str] = typer.Option(None, help="Cameras; by default all. The others keep their rows."),
    pipeline: str = typer.Option("", help="Pipeline; by default the one that the configuration names."),
    mode: Literal["only_missing", "all"] = typer.Option(
        "only_missing", help="Stills that have no counts of this pipeline, or all."
    ),
    why: str | None = typer.Option(None, help="Reason, for the table `runs`."),
    go: bool = typer.Option(False, "--go", help="Do it; without, only say how much there is to do."),
) -> None:
    """Analyse the stored pictures of a range of days once more.

    Started again after a stop, with the same options, it goes on where it was.
    """
    from wayside.stills import reprocess as stills
    from wayside.stills.ingest import Ingest

    work, days = Ingest(settings()), _days(first, last)
    names = _sources(work, source)
    options: dict[str, Any] = {"sources": names, "cameras": camera or [], "pipeline": pipeline, "mode": mode}
    digest = hashlib.sha256(repr(options).encode()).hexdigest()[:8]
    run = stills.run_to_go_on_with(work, names, f"reprocess-{days[0]:%Y%m%d}-{days[-1]:%Y%m%d}-{digest}")
    plan = stills.plan(
        work,
        run=run,
        first=days[0],
        last=days[-1],
        kind="reprocess",
        who=user_name(),
        why=why,
        dry_run=not go,
        **options,
    )
    Console().print(_told(plan.estimates))
    if not go:
        Console().print("Nothing was done yet: say [bold]--go[/] to do it.")
        return
    with _progress() as progress:
        bars = {name: progress.add_task(name, total=told.stills) for name, told in plan.estimates.items()}
        for shard in plan.shards:
            bar = bars[shard["source"]]
            progress.update(bar, description=stills.RangeShard.model_validate(shard).label)
            stills.run_shard(work, shard, progress=partial(progress.advance, bar))
    for name in names:
        Console().print(f"{name}: {stills.end(work, name, run)['note']}", soft_wrap=True)


def _told(estimates: "Mapping[str, Estimate]") -> Table:
    table = Table("source", "slots", "stills to do", "pictures", "done", "pictures a second", "time", "cost")
    for source, one in estimates.items():
        time = str(timedelta(seconds=round(one.seconds)))
        numbers = (one.slots, one.stills, one.images, one.done, round(one.images_per_second, 1))
        table.add_row(source, *map(str, numbers), time, one.cost)
    return table


def _days(first: datetime | None, last: datetime | None) -> list[date]:
    """Return the days from first to last, yesterday without them."""
    start = first.date() if first else (last.date() if last else utc_now().astimezone(UTC).date() - _DAY)
    end = last.date() if last else start
    if start > end:
        raise typer.BadParameter("--first lies after --last")
    return [start + step * _DAY for step in range((end - start).days + 1)]


def _sources(work: "Ingest", names: list[str] | None) -> list[str]:
    from wayside.sources.registry import find_source, load_sources

    if names:
        return [find_source(work.settings, name).id for name in dict.fromkeys(names)]
    enabled = [name for name, spec in load_sources(work.settings).items() if spec.enabled]
    if not enabled:
        raise ConfigError("no source is enabled: set `enabled: true` in include/config/sources.yaml, or give --source")
    return enabled


@contextmanager
def _progress() -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
