"""`wayside import` and `wayside jobs`: what the DAG `import_videos` does, without Airflow, and what was imported."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from wayside.cli.user import user_name
from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from wayside.videos.export import Exported
    from wayside.videos.importer import Importer
    from wayside.videos.labellers.base import LabelFailure
    from wayside.videos.plan import VideoShard
    from wayside.videos.process import Done
    from wayside.videos.scan import Scanned

_FAILURES_SHOWN = 20


def import_(
    place: str = typer.Argument(..., metavar="PLACE", help="Folder or gs://bucket/prefix with the videos."),
    pattern: str = typer.Option(
        "", help="Regular expression for the whole path, with the group `camera`; see docs/VIDEOS.md."
    ),
    zone: str = typer.Option("UTC", help="Time zone of times in names that are no epoch."),
    suffix: str = typer.Option("", help="Put behind the name of each camera."),
    hook_data: str = typer.Option("", help="Hook data, as JSON; stands over --hook-data-file."),
    hook_data_file: Path | None = typer.Option(None, exists=True, dir_okay=False, help="File with hook data."),
    whitelist: Path | None = typer.Option(
        None, exists=True, dir_okay=False, help="JSON list of labels: only these are exported."
    ),
    labeller: str = typer.Option("onnx", help="onnx, onnx:MODEL, http:ADDRESS, hook:FILE or none."),
    network: list[str] = typer.Option(None, help="Private network in which a label service may lie, as 10.1.0.0/16."),
    callback_url: str = typer.Option(
        "", help="Address of an Airflow with the same state folder, to which a label service answers later."
    ),
    source: str = typer.Option("", help="Name of the archive in tables; by default made of the folder's."),
    export: str = typer.Option("", help="Folder or gs://bucket/prefix for files of labels."),
    formats: str = typer.Option("v1,v2,csv,xml", help="Formats of these files, comma separated."),
    max_items: int = typer.Option(2048, min=1, help="Videos in a shard at most."),
    max_bytes: int = typer.Option(2**20, min=1024, help="Bytes of a shard's list of files at most."),
    run: str = typer.Option("", help="Name of the run, to go on with one that was stopped while it redid videos."),
    redo: bool = typer.Option(False, "--redo", help="Find and label events again in videos that are done."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what the names of the files tell."),
    workers: int = typer.Option(0, min=0, help="Videos at once; 0: one per core."),
) -> None:
    """Import an archive of videos: find events in each, label them, and export the labels.

    Started again after a stop, it does only what is not done. Exits with 1 if a video could not be done, or an event
    could not be labelled.
    """
    from wayside.videos.importer import Importer
    from wayside.videos.job import new_job
    from wayside.videos.names import DEFAULT_PATTERN
    from wayside.videos.whitelist import Whitelist

    job = new_job(
        input=place,
        source=source,
        # The last part tells runs apart that begin in the same second.
        run=run or f"import-{utc_now():%Y%m%dT%H%M%SZ}-{token_hex(4)}",
        who=user_name(),
        pattern=pattern or DEFAULT_PATTERN,
        zone=zone,
        suffix=suffix,
        hook_data=[_text(hook_data_file) if hook_data_file else "", hook_data],
        whitelist=Whitelist.parse(_text(whitelist)).labels if whitelist else (),
        labeller=labeller,
        export=export,
        formats=[name.strip() for name in formats.split(",") if name.strip()],
        max_items=max_items,
        max_bytes=max_bytes,
        redo=redo,
    )
    importer = Importer(settings(), job)
    for warning in job.hooks.warnings if hook_data or hook_data_file else ():
        Console(stderr=True).print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
    if dry_run:
        return _preview(importer)
    done = _run(importer, tuple(network or ()), callback_url, workers)
    _summary(importer, done)
    if done.failed or done.unanswered:
        raise typer.Exit(1)
    return None


def jobs(
    job: str = typer.Argument("", metavar="[ID]", help="One job, by the name of its run."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON in the documented shape of a job."),
) -> None:
    """List imports, the newest first, or show one.

    Of runs that were started in Airflow the Jobs page knows more: there the state of a shard is that of its tasks.
    """
    from wayside.videos.jobs import documented, listed
    from wayside.warehouse.parquet import open_lake

    rows = listed(open_lake(settings()), job)
    if job and not rows:
        raise ConfigError(f"there is no job {job!r}: `wayside jobs` lists them")
    if as_json:
        said = [documented(row) for row in rows]
        typer.echo(json.dumps(said[0] if job else said, indent=2, ensure_ascii=False))
        return
    table = Table(Column("job", no_wrap=True), "archive", "videos", "shards", "status", "planned", "last change")
    for row in rows:
        states = Counter(shard["status"] for shard in json.loads(row["shards"]).values())
        times = (f"{row[name]:%Y-%m-%d %H:%M}" for name in ("planned_at", "updated_at"))
        table.add_row(row["run"], row["source"], str(row["items"]), _listed(states) or "none", row["status"], *times)
    Console().print(table)


@dataclass
class _Outcome:
    """What a run has done."""

    scanned: "Scanned"
    shards: list["VideoShard"]
    seconds: float = 0.0
    videos: list["Done"] = field(default_factory=list)
    labelled: int = 0
    unanswered: list["LabelFailure"] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    exported: list["Exported"] = field(default_factory=list)

    @property
    def failed(self) -> list["Done"]:
        """Videos that could not be done."""
        return [done for done in self.videos if done.outcome == "failed"]


def _run(importer: "Importer", networks: tuple[str, ...], callback_url: str, workers: int) -> _Outcome:
    from wayside.videos.answering import begin, label_shard
    from wayside.videos.labellers.base import LabelFailure
    from wayside.videos.labellers.opened import answers_at, open_labeller

    # Opened first: a model that is not there should be told before hours of work.
    address = answers_at(callback_url) if callback_url else None
    labeller = open_labeller(importer.job.labeller, settings(), address=address, private_networks=networks)
    started = time.monotonic()
    with _progress() as step:
        outcome = _Outcome(importer.scan(lambda done, all_, name: step("reading", done, all_, name)), importer.plan())
        total = sum(shard.items for shard in outcome.shards)
        for shard in outcome.shards:
            for done in importer.process(shard, workers=workers):
                outcome.videos.append(done)
                step("finding events", len(outcome.videos), total, done.file)
        begin(importer, labeller)
        events = sum(done.events for done in outcome.videos)
        for number, said in enumerate(
            one for shard in outcome.shards for one in label_shard(importer, labeller, shard)
        ):
            step("labelling", number + 1, max(events, number + 1), said.event)
            outcome.unanswered += [said] if isinstance(said, LabelFailure) else []
            outcome.labelled += not isinstance(said, LabelFailure)
        labeller.finish()
    importer.publish()
    outcome.exported = importer.export()
    outcome.files = importer.files()
    outcome.seconds = time.monotonic() - started
    return outcome


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int, str], None]]:
    """Show how far each stage is, where somebody watches; tell how to go on when it is stopped."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("{task.fields[name]}"), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bars: dict[str, Any] = {}

        def step(stage: str, done: int, total: int, name: str) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage, total=total, name="")
            progress.update(bars[stage], completed=done, total=total, name=escape(name[-40:]))

        try:
            yield step
        except KeyboardInterrupt:
            console.print("stopped: what is done stays done, and the same command goes on with the rest")
            raise


def _preview(importer: "Importer") -> None:
    said = importer.preview()
    table = Table("what the names tell", "files")
    for reason, number in sorted(said.items(), key=lambda item: (item[0] != "ok", item)):
        table.add_row("a video, to be read" if reason == "ok" else f"quarantined: {reason}", str(number))
    Console().print(table)


def _summary(importer: "Importer", outcome: _Outcome) -> None:
    from wayside.videos.labellers.base import signature

    console, job, scanned = Console(), importer.job, outcome.scanned
    for done in outcome.failed[:_FAILURES_SHOWN]:
        console.print(f"[red]failed[/] {escape(done.file)}: {escape(done.detail or '')}", soft_wrap=True)
    if len(outcome.failed) > _FAILURES_SHOWN:
        console.print(f"… and {len(outcome.failed) - _FAILURES_SHOWN} more")
    table = Table(show_header=False)
    table.add_row("job", f"{job.run} of {job.source}")
    read = f"{scanned.read} of {scanned.files} files, {scanned.bytes_read / 1e6:.1f} MB"
    table.add_row("read", read if scanned.read else f"nothing new in {scanned.files} files")
    table.add_row("files", _listed(Counter(outcome.files)))
    if scanned.quarantined:
        table.add_row("quarantined", _listed(Counter(scanned.quarantined)))
    cut = [done for done in outcome.videos if done.outcome == "cut"]
    seconds = sum(done.seconds for done in cut)
    looked = f"{len(cut)} videos, {seconds:.0f} s long: {sum(done.events for done in cut)} events"
    table.add_row("looked through", looked)
    table.add_row(
        "labelled", f"{outcome.labelled} events by {signature(job.labeller)}" if outcome.labelled else "nothing"
    )
    if outcome.unanswered:
        table.add_row("without an answer", _listed(Counter(failure.reason for failure in outcome.unanswered)))
    pace = f", {seconds / outcome.seconds:.1f} s of video a second" if seconds and outcome.seconds else ""
    table.add_row("time", f"{outcome.seconds:.1f} s{pace}")
    for one in outcome.exported:
        table.add_row("exported" if one.uri else "not exported", escape(str(one)))
    console.print(table)


def _listed(numbers: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(numbers.items()) if number)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
