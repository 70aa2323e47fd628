"""`wayside anonymise`, `wayside check` and `wayside review`: what the DAG `anonymise_images` does, without Airflow."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from wayside.cli.user import user_name
from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import settings
from wayside.privacy.settings import CLASSES

if TYPE_CHECKING:
    from wayside.photos.batch import Batch, Plan
    from wayside.photos.job import Job
    from wayside.photos.journal import Note

_FAILURES_SHOWN = 20
_REMARKS_SHOWN = 10
_PLACES = "comma separated: output, input, archive"


def anonymise(
    input_: str = typer.Argument("", metavar="INPUT", help="Folder or gs://bucket/prefix with the pictures."),
    output: str = typer.Argument("", metavar="OUTPUT", help="Folder or gs://bucket/prefix for what is made."),
    archive: str = typer.Option("", help="Where the originals are copied to."),
    profile: str = typer.Option("planar", help="Configuration profile: planar, 360, or a file."),
    source: str = typer.Option("", help="Name of the inbox in tables and receipts; by default made of the folder's."),
    run: str = typer.Option("", help="Name of the run, to go on with one that was stopped while it redid pictures."),
    records: str | None = typer.Option(None, help=f"Where records (JSON) are written, {_PLACES}; `none`."),
    previews: str | None = typer.Option(None, help=f"Where previews are written, {_PLACES}, separate; `none`."),
    delete_input: bool | None = typer.Option(
        None, "--delete-input/--keep-input", help="Delete each original once all files are verified."
    ),
    redo: bool | None = typer.Option(None, "--redo/--no-redo", help="Do pictures again that are done."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what there is to do."),
    workers: int = typer.Option(0, min=0, help="Pictures at once; 0: one per core."),
    import_config: Path | None = typer.Option(
        None, "--import-config", help="Read a configuration of the replaced system, print a profile, and stop."
    ),
) -> None:
    """Anonymise a folder of road photos, with records, previews, an archive and a receipt for each picture.

    Started again after a stop, it does only what is not done. Exits with 1 if a picture failed.
    """
    if import_config is not None:
        return _import(import_config)
    batch = _batch(
        input_, output, archive, profile=profile, source=source, run=run, records=_names(records),
        previews=_names(previews), delete_input=delete_input, redo=redo,
    )  # fmt: skip
    plan = batch.plan(dry_run=dry_run)
    _announce(batch.job, plan)
    if dry_run:
        return None
    for name in batch.finder.missing:
        said = f"{name} is not on this machine, and what it finds stays visible: `wayside models pull {name}`"
        Console(stderr=True).print(f"[yellow]note:[/] {said}", soft_wrap=True)
    started = time.monotonic()
    notes = _do(batch, plan, workers)
    batch.publish()
    _summary(batch.job, plan, notes, time.monotonic() - started)
    if any(note.row["status"] == "failed" for note in notes):
        raise typer.Exit(1)
    return None


def check(
    input_: str = typer.Argument(..., metavar="INPUT", help="Folder or gs://bucket/prefix with the pictures."),
    output: str = typer.Argument(..., metavar="OUTPUT", help="Where the anonymised pictures lie."),
    archive: str = typer.Option("", help="Where the originals are archived."),
    profile: str = typer.Option("planar", help="Configuration profile: it says which files are expected."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Say of each picture which files are expected, which are there and which are missing; exit 1 if any is missing."""
    from wayside.photos.job import is_photo

    batch = _batch(input_, output, archive, profile=profile)
    keys = [entry.key for entry in batch.places.input.entries() if is_photo(entry.key)]
    totals: Counter[tuple[str, bool]] = Counter()
    lost: dict[str, list[str]] = {}
    for key, one, there in batch.missing(keys):
        totals[f"{one.what}, {one.where}", there] += 1
        if not there:
            lost.setdefault(key, []).append(f"{one.where}: {one.key}")
    kinds = sorted({kind for kind, _ in totals})
    if as_json:
        counts = {
            kind: {"expected": totals[kind, True] + totals[kind, False], "present": totals[kind, True]}
            for kind in kinds
        }
        typer.echo(json.dumps({"pictures": len(keys), "files": counts, "missing": lost}, indent=2, ensure_ascii=False))
    else:
        table = Table("file", "expected", "present", "missing")
        for kind in kinds:
            present, gone = totals[kind, True], totals[kind, False]
            table.add_row(kind, str(present + gone), str(present), str(gone))
        for key, files in lost.items():
            Console().print(f"[red]missing[/] of {escape(key)}: {escape(', '.join(files))}", soft_wrap=True)
        Console().print(table)
    if lost:
        raise typer.Exit(1)


def review(
    run: str = typer.Argument(..., metavar="RUN", help="Name of the run whose pictures wait."),
    approve: bool | None = typer.Option(None, "--approve/--reject-all", help="The verdict; without, only show."),
    reject: list[str] = typer.Option(None, help="Pictures that must not be published, when the others are approved."),
    sheet: Path = typer.Option(Path("contact-sheet.jpg"), help="Where the contact sheet is written."),
) -> None:
    """Show the pictures of a run that wait for a person, or publish or throw them away."""
    from wayside.photos.batch import Batch, has_job, load_job
    from wayside.photos.review import MOST_SHOWN, contact_sheet, waiting
    from wayside.warehouse.parquet import open_lake

    lake = open_lake(settings())
    if not has_job(lake, run):
        raise ConfigError(f"there is no run {run!r}: `wayside anonymise` prints the name of each")
    batch = Batch(settings(), load_job(lake, run))
    notes = waiting(batch.journal.notes(), run)
    if not notes:
        typer.echo(f"no picture of {run} waits")
        return
    if approve is None:
        look_at = [note for note in notes if note.review] or notes
        parts = [look_at[start : start + MOST_SHOWN] for start in range(0, len(look_at), MOST_SHOWN)]
        sheets = [sheet.with_stem(f"{sheet.stem}-{number}") if number else sheet for number in range(len(parts))]
        for path, part in zip(sheets, parts, strict=True):
            path.write_bytes(contact_sheet(part, batch.places))
        named = f"{sheet}" if len(sheets) == 1 else f"{sheets[0]} to {sheets[-1]}"
        typer.echo(f"{len(notes)} pictures wait, {len(look_at)} of them to be looked at: see {named}")
        return
    rejected = set(reject or []) if approve else {note.photo for note in notes}
    if unknown := rejected - {note.photo for note in notes}:
        raise ConfigError(f"no picture of this run that waits: {', '.join(sorted(unknown))}")
    done = batch.release(notes, reviewer=user_name(), rejected=rejected)
    batch.publish()
    states = Counter(note.row["status"] if note.photo not in rejected else "rejected" for note in done)
    said = f"{states['done']} published, {states['rejected']} rejected"
    # Their originals changed meanwhile, say: they are done again by the next run.
    typer.echo(said + (f", {states['failed']} failed" if states["failed"] else ""))
    if states["failed"]:
        raise typer.Exit(1)


def _batch(input_: str, output: str, archive: str, *, profile: str, run: str = "", **changes: object) -> "Batch":
    from wayside.photos.batch import Batch
    from wayside.photos.job import new_job
    from wayside.photos.profile import load_profile

    name = run or f"anonymise-{utc_now():%Y%m%dT%H%M%SZ}"
    job = new_job(
        load_profile(profile, settings()), input=input_, output=output, archive=archive, run=name, who=user_name(),
        **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    return Batch(settings(), job)


def _do(batch: "Batch", plan: "Plan", workers: int) -> list["Note"]:
    console, notes = Console(stderr=True), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    shown = console.is_terminal
    # The speed is that of the last minutes: panoramas take many seconds each.
    with Progress(*columns, console=console, transient=True, disable=not shown, speed_estimate_period=300) as progress:
        bar = progress.add_task("pictures", total=plan.to_do)
        try:
            for shard in plan.shards:
                for note in batch.do(shard, workers=workers):
                    notes.append(note)
                    progress.update(bar, advance=1, description=escape(note.photo[-40:]))
        except KeyboardInterrupt:
            done = f"{len(notes)} of {plan.to_do} pictures are done"
            console.print(f"stopped: {done}, and the same command goes on with the others", soft_wrap=True)
            raise
    return notes


class _Speed(ProgressColumn):
    """Pictures a second, or seconds a picture."""

    def render(self, task: Task) -> Text:
        """Return the speed of the last minutes, once there is one."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} pictures/s" if speed >= 1 else f"{1 / speed:.1f} s/picture")


def _announce(job: "Job", plan: "Plan") -> None:
    from wayside.photos.profile import cautions

    console = Console(stderr=True)
    for sentence in cautions(job.profile):
        console.print(f"[yellow]note:[/] {escape(sentence)}", soft_wrap=True)
    console.print(
        f"{plan.identified} pictures in {escape(job.input)}: {plan.done_before} done before, {plan.to_do} to do; "
        f"{plan.others} other files are left alone",
        soft_wrap=True,
    )


def _summary(job: "Job", plan: "Plan", notes: list["Note"], seconds: float) -> None:
    console = Console()
    failed = [note for note in notes if note.row["status"] == "failed"]
    for note in failed[:_FAILURES_SHOWN]:
        console.print(f"[red]failed[/] {escape(note.photo)}: {escape(str(note.row['detail']))}", soft_wrap=True)
    if len(failed) > _FAILURES_SHOWN:
        console.print(f"… and {len(failed) - _FAILURES_SHOWN} more")
    states = Counter(note.row["status"] for note in notes)
    objects: Counter[str] = Counter()
    for note in notes:
        objects.update(json.loads(note.row.get("objects") or "{}"))
    hidden = Counter({label: objects[label] for label in CLASSES if objects[label]})
    table = Table(show_header=False)
    table.add_row("run", f"{job.run} of {job.source}")
    table.add_row(
        "pictures",
        f"{plan.identified}: " + ", ".join(filter(None, (f"{plan.done_before} done before", _listed(states)))),
    )
    table.add_row("hidden" if job.profile.draw else "found, and left as it was", _listed(hidden) or "nothing")
    table.add_row("lossless", str(sum(note.row.get("mode") == "lossless" for note in notes)))
    table.add_row("time", f"{seconds:.1f} s, {len(notes) / max(seconds, 1e-9):.1f} pictures a second")
    table.add_row("output", job.output)
    _remarks(notes, console)
    console.print(table)
    if states["held"]:
        console.print(f"{states['held']} pictures wait for a person: [bold]wayside review {job.run}[/]")


def _remarks(notes: list["Note"], console: Console) -> None:
    """Print what is to be said of pictures that did not fail, the most frequent first."""
    remarks = Counter(
        remark
        for note in notes
        if note.row["status"] != "failed" and note.row.get("detail")
        for remark in str(note.row["detail"]).split("; ")
    )
    for remark, times in remarks.most_common(_REMARKS_SHOWN):
        pictures = "1 picture" if times == 1 else f"{times} pictures"
        console.print(f"[yellow]remark[/] of {pictures}: {escape(remark)}", soft_wrap=True)
    if len(remarks) > _REMARKS_SHOWN:
        console.print(f"… and {len(remarks) - _REMARKS_SHOWN} more remarks, in the rows of the pictures")


def _listed(counts: "Counter[str]") -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _import(path: Path) -> None:
    from wayside.photos.oldconfig import import_file, render_import

    typer.echo(render_import(import_file(path)))


def _names(text: str | None) -> tuple[str, ...] | None:
    """Read places that are separated by commas; `none` is no place, nothing is what the profile says."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip() not in {"", "none"})
