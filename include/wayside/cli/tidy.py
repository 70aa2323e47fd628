"""`wayside expire`, `wayside compact`, `wayside tidy` and `wayside warehouse resend`: looking after what is stored."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings
from wayside.core.tables import TABLES
from wayside.sources.registry import find_source, load_sources
from wayside.sources.spec import SourceSpec

if TYPE_CHECKING:
    from wayside.stills.expire import Decision

COMPACT_DAYS = 2
warehouse_app = typer.Typer(no_args_is_help=True)


@warehouse_app.callback()
def _warehouse() -> None:
    """Look after the warehouse."""


def expire(
    source: list[str] = typer.Option(None, help="Sources; by default all that have `keep_days`."),
    days: int | None = typer.Option(None, min=1, help="Days to keep; by default `keep_days` of each source."),
    apply: bool = typer.Option(False, "--apply/--dry-run", help="Delete, or only say what would be deleted."),
    lifecycle: bool = typer.Option(
        False, "--lifecycle", help="Print the same rule as a bucket lifecycle, and no more."
    ),
) -> None:
    """Delete pictures that are older than their source keeps them and whose analysis is published.

    What was decided is kept in the table `expiries`. A source that fails stops no other; the command then exits with 1.
    """
    from wayside.stills import expire as rule
    from wayside.store import open_store
    from wayside.warehouse.parquet import open_lake

    chosen = _kept(source or [], days)
    if lifecycle:
        prefix = settings().pictures_url.removeprefix("gs://").partition("/")[2]
        typer.echo(json.dumps(rule.lifecycle(chosen, prefix), indent=2))
        return
    store, lake, now = open_store(settings()), open_lake(settings()), utc_now()
    run = f"expire-{now:%Y%m%dT%H%M%SZ}"
    failed: list[str] = []
    for spec, keep_days in chosen:
        try:
            for decision in rule.plan_expiry(store, lake, spec, keep_days, now):
                row = rule.apply(store, lake, decision, run, now) if apply else rule.note(lake, decision, run, now)
                typer.echo(_told(decision, row["action"] if row else None))
        except WaysideError as error:
            failed.append(str(error))
    if failed:
        raise WaysideError("; ".join(failed))


def compact(
    older_than: int = typer.Option(COMPACT_DAYS, min=1, help="Compact days that ended at least so many days ago."),
    source: list[str] = typer.Option(None, help="Sources; by default all."),
) -> None:
    """Make one file of each table and day of what was published slot by slot. No row changes."""
    from wayside.warehouse.parquet import open_lake

    before = utc_now().date() - timedelta(days=older_than)
    done = open_lake(settings()).compact(before, source or None)
    sizes = f"{done.bytes_before / 1e6:.1f} MB became {done.bytes_after / 1e6:.1f} MB"
    typer.echo(f"{done.slots} files of slots went into {done.days} files of days; {sizes}")


def tidy(
    logs: Path | None = typer.Option(None, exists=True, file_okay=False, help="Folder whose old log files go as well."),
    log_days: int = typer.Option(30, min=1, help="Days for which log files are kept."),
) -> None:
    """Remove old staged parts and plans, names of replaced files, and what killed runs left. No row changes."""
    from wayside.stills import tidy as rule
    from wayside.warehouse.parquet import open_lake

    lake, now = open_lake(settings()), utc_now()
    typer.echo(f"staging: {rule.prune_staging(lake, now)}")
    typer.echo(f"published: {rule.prune_lasting(lake, now)}")
    typer.echo(f"outbox: {rule.prune_outbox(lake, now)}")
    if logs:
        typer.echo(f"logs: {rule.prune_logs(logs, now, log_days)}")


@warehouse_app.command()
def resend(
    table: list[str] = typer.Argument(None, help="Tables; by default all."),
) -> None:
    """Note down everything that is published for delivery to BigQuery or Oracle, as when that warehouse is new."""
    from wayside.warehouse.parquet import open_lake

    if settings().warehouse == "duckdb":
        raise ConfigError("there is no other warehouse to send to: set WAYSIDE_WAREHOUSE to bigquery or oracle")
    if unknown := sorted(set(table or []) - set(TABLES)):
        raise ConfigError(f"there is no table {', '.join(unknown)}; there are {', '.join(TABLES)}")
    lake = open_lake(settings())
    for name in table or TABLES:
        typer.echo(f"{name}: {lake.resend(TABLES[name])} scopes wait for delivery")


def _kept(names: list[str], days: int | None) -> list[tuple[SourceSpec, int]]:
    """Return the sources that are asked for, with the days for which each keeps pictures."""
    specs = [find_source(settings(), name) for name in names] or list(load_sources(settings()).values())
    found = [(spec, days or spec.keep_days) for spec in specs if names or spec.keep_days]
    if lacking := [spec.id for spec, keep_days in found if keep_days is None]:
        raise ConfigError(f"{', '.join(lacking)} has no `keep_days` in sources.yaml: set it there, or give --days")
    return [(spec, keep_days) for spec, keep_days in found if keep_days]


def _told(decision: "Decision", action: str | None) -> str:
    """Say what became of a decision."""
    if action == "kept" and decision.pictures:
        return f"skipped, since something changed meanwhile: {decision}"
    verbs = {"deleted": "deleted", "would_delete": "would delete", "kept": "kept"}
    return f"{verbs.get(action or '', 'left alone')}: {decision}"
