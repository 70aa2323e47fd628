"""`wayside zones`: cameras with processors, their zones, looking at segments and counting, without Airflow."""

import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wayside.cli.user import user_name
from wayside.core.errors import ConfigError
from wayside.core.settings import settings
from wayside.core.yamlfile import read_text

if TYPE_CHECKING:
    from wayside.counting.zones import ZoneSet
    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.zones.counts import Counted
    from wayside.zones.processor import Processor
    from wayside.zones.registry import Registry

app = typer.Typer(no_args_is_help=True)

_FAILURES_SHOWN = 20

Number = Annotated[int, typer.Argument(help="Number of the processor, see `wayside zones list`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Shapes = Annotated[
    Path | None,
    typer.Option("--zones", "-z", help='JSON: {"zones": [...], "lines": [...]}, as `wayside zones show` prints it.'),
]
Told = Annotated[str, typer.Option("--options", "-o", help="What counting is told: JSON, or a file with it.")]
Source = Annotated[str | None, typer.Option(help="Only cameras of this source.")]
Camera = Annotated[str | None, typer.Option(help="Only cameras of this name.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="UTC day, 2026-05-01.")]


@app.command("list")
def list_(source: Source = None, as_json: AsJson = False) -> None:
    """List the processors: which camera, what they count, which version of their zones."""
    found = _registry().processors(source)
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in found], indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("No processors there yet: `wayside zones add`, or the page Zones, makes one.")
        return
    table = Table("processor", "camera", "kind", "name", "on", "pipeline", "zones", "changed")
    for one in found:
        camera = f"{one.camera_number}: {one.source} {one.camera}"
        changed = f"{one.updated_at:%Y-%m-%d %H:%M} {one.author}"
        cells = (str(one.number), camera, _mode(one), one.name, "yes" if one.enabled else "no", one.pipeline.id)
        table.add_row(*map(escape, (*cells, f"version {one.version}", changed)))
    Console().print(table)


@app.command()
def show(number: Number, version: int | None = typer.Option(None, help="Version; by default the current one.")) -> None:
    """Print the zones and options of a processor, as files for `add` and `edit` have them."""
    found = _registry().zones(number, version)
    zones, lines = (json.loads(text) for text in found.zones.as_json())
    document = {"zones": zones, "lines": lines, "options": found.options.model_dump(mode="json")}
    told = {"processor": number, "version": found.version, "pipeline": found.pipeline.id, **document}
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False))


@app.command()
def add(
    source: str = typer.Argument(help="Source of the camera."),
    camera: str = typer.Argument(help="Name of the camera within it."),
    kind: str = typer.Option("traffic", help="traffic: who enters, leaves, crosses; objects: who is inside; faces."),
    name: str = typer.Option("", help="What people call it; by default its kind."),
    zones: Shapes = None,
    options: Told = "",
    fps: float = typer.Option(5.0, help="Frames a second that are looked at."),
    model: str = typer.Option("", help="Card of the detector; by default WaysideV1, of faces YuNet."),
    enabled: bool | None = typer.Option(None, "--on/--off", help="Count new segments; by default yes, faces no."),
    note: str = typer.Option("", help="Why."),
) -> None:
    """Add a processor to a camera, with the first version of its zones."""
    from wayside.zones.processor import Pipeline

    pipeline = Pipeline(fps, model or ("YuNet" if kind == "faces" else "WaysideV1"))
    made = _registry().add(
        source, camera, kind, name or kind, read_options(options) or {}, read_shapes(zones), user_name(), pipeline,  # type: ignore[arg-type]
        enabled=enabled, note=note or None,
    )  # fmt: skip
    typer.echo(f"processor {made.number}, camera {made.camera_number}, {'on' if made.enabled else 'off'}")


@app.command()
def edit(
    number: Number,
    zones: Shapes = None,
    options: Told = "",
    name: str | None = typer.Option(None, help="What people call it."),
    fps: float | None = typer.Option(None, help="Frames a second that are looked at."),
    model: str | None = typer.Option(None, help="Card of the detector."),
    enabled: bool | None = typer.Option(None, "--on/--off", help="Count new segments."),
    note: str = typer.Option("", help="Why."),
    expected_version: int | None = typer.Option(None, help="Refuse if the processor has another version by now."),
) -> None:
    """Change a processor. Other zones, options or pipelines make the next version; what was counted stays."""
    from wayside.zones.processor import Pipeline

    registry = _registry()
    now = registry.processor(number)
    pipeline = Pipeline(fps or now.pipeline.fps, model or now.pipeline.model)
    told, who = read_options(options), user_name()
    shapes = read_shapes(zones) if zones else registry.zones(number).zones
    registry.edit_zones(number, shapes, who, note or None, expected_version, options=told, pipeline=pipeline)
    made = registry.change(number, author=who, enabled=enabled, name=name)
    typer.echo(f"processor {number}: version {made.version}, {'on' if made.enabled else 'off'}")
    if made.version > now.version:
        typer.echo(
            f"days that were counted before stay as they are: `wayside zones recount {number}` counts them again"
        )


@app.command("import-hypersight")
def import_hypersight(
    file: Path = typer.Argument(help="File with the processor's zones_str, a JSON list of polygons."),
    processor: int | None = typer.Option(None, help="Give these zones to this processor; without, print them."),
    camera: str = typer.Option("", help="Make a new processor in mode match: SOURCE/CAMERA."),
    name: str = typer.Option("hypersight", help="Name of a new processor."),
) -> None:
    """Take over zones of the replaced system: the content of `zones_str` of a traffic counter."""
    from wayside.counting.zones import from_hypersight

    found = from_hypersight(read_text(file))
    if processor is not None:
        version = _registry().edit_zones(processor, found, user_name(), "taken over from hypersight")
        typer.echo(f"processor {processor}: version {version}, {len(found.zones)} zones")
    elif camera:
        source, _, within = camera.partition("/")
        made = _registry().add(
            source, within, "traffic", name, {"mode": "match"}, found, user_name(), "Fps1_WaysideV1",
            note="taken over from hypersight",
        )  # fmt: skip
        typer.echo(f"processor {made.number}, camera {made.camera_number}: {len(found.zones)} zones, mode match")
    else:
        zones, lines = (json.loads(text) for text in found.as_json())
        typer.echo(json.dumps({"zones": zones, "lines": lines}, indent=2, ensure_ascii=False))


@app.command()
def scan(
    source: Source = None,
    camera: Camera = None,
    first: Day = None,
    last: Day = None,
    again: bool = typer.Option(False, "--again", help="Also what was scanned before, or failed."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what there is to do."),
    workers: int = typer.Option(0, min=0, help="Frames at once; 0: one per core."),
) -> None:
    """Look at the segments that enabled processors want and that were not looked at; exit 1 if one failed.

    Started again after a stop, it does only what is not done.
    """
    from wayside.zones.faces import keep_faces
    from wayside.zones.scans import Scanner, ScanNote, publish_scans, to_scan

    lake, registry = _lake(), _registry()
    given: dict[str, Any] = {"first": _day(first), "last": _day(last), "again": again}
    shards = to_scan(lake, registry, settings(), source=source, camera=camera, **given)
    number, hours = sum(one.segments for one in shards), sum(one.seconds for one in shards) / 3600
    typer.echo(f"{number} segments to look at, {hours:.2f} hours of video")
    if dry_run or not shards:
        return
    scanner = Scanner(lake, settings(), workers=workers)
    notes: list[ScanNote] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("segments", total=number)
        for shard in shards:
            try:
                for note in scanner.do(shard):
                    notes.append(note)
                    progress.update(bar, advance=1, description=escape(f"{note.source} {note.camera}"))
            finally:
                published = publish_scans(lake, [shard])
            keep_faces(lake, registry, settings(), published.days)
    _tell_scans(notes)


def _tell_scans(notes: "list[Any]") -> None:
    odd = [note for note in notes if note.status != "ok"]
    for note in odd[:_FAILURES_SHOWN]:
        where = f"{note.source} {note.camera} {note.segment[:16]}"
        Console().print(f"[yellow]{note.status}[/] {escape(where)}: {note.reason}", soft_wrap=True)
    states = Counter(note.status for note in notes)
    told = ", ".join(f"{number} {name}" for name, number in sorted(states.items()))
    frames, objects = (sum(getattr(note, name) for note in notes) for name in ("frames", "objects"))
    typer.echo(f"{told}; {frames} frames, {objects} objects")
    if states["failed"]:
        raise typer.Exit(1)


@app.command()
def count(source: Source = None, camera: Camera = None) -> None:
    """Count what was scanned and is not counted yet, for every processor that is on."""
    from wayside.zones.counts import count_due

    _tell(count_due(_lake(), _registry(), source=source, camera=camera))


@app.command()
def recount(
    number: Number,
    first: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First UTC day.")],
    last: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last UTC day; by default the first.")
    ] = None,
    version: int | None = typer.Option(None, help="Version of the zones; by default the current one."),
) -> None:
    """Count days again by a version of a processor's zones, from what was scanned, without looking at any video."""
    from wayside.zones.counts import recount as again

    _tell(again(_lake(), _registry(), number, first.date(), (last or first).date(), version))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Tell how fresh the video of each camera with processors is, and which gaps the last 24 hours have."""
    from wayside.zones.answers import status as fresh

    found = fresh(_lake(), _registry())
    if as_json:
        told = {number: asdict(one) | {"last_segment": _iso(one.last_segment)} for number, one in found.items()}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    table = Table("camera", "source", "name", "watched", "last video", "lag", "gaps", "place")
    for number, one in found.items():
        lag = "" if one.lag_s is None else _length(one.lag_s)
        cells = (
            str(number),
            one.source,
            one.camera,
            "yes" if one.watching else "no",
            _iso(one.last_segment) or "never",
        )
        table.add_row(*map(escape, (*cells, lag, str(one.gaps), one.url)))
    Console().print(table)


def _tell(done: "Counted") -> None:
    days = len(set(done.days))
    typer.echo(f"{days} days, {done.segments} segments, {done.looks} looks counted; {done.events} events on these days")
    if done.dropped:
        typer.echo(f"{done.dropped} looks were left out, because another segment shows the same time")


def _lake() -> "ParquetWarehouse":
    from wayside.warehouse.parquet import open_lake

    return open_lake(settings())


def _registry() -> "Registry":
    from wayside.zones.registry import Registry

    return Registry(_lake(), settings())


def read_shapes(path: Path | None) -> "ZoneSet":
    """Read a file of zones and lines; more that it says is left alone, so that the output of `show` is one."""
    from wayside.counting.zones import ZoneSet

    if path is None:
        return ZoneSet()
    document = _json(read_text(path), str(path))
    if not isinstance(document, dict) or not {"zones", "lines"} & set(document):
        raise ConfigError(f'{path} is no file of zones: it is an object with "zones", "lines" or both')
    return ZoneSet.parse(document.get("zones", []), document.get("lines", []))


def read_options(text: str) -> dict[str, Any] | None:
    """Read options that are given as JSON or as a file with it; None where nothing is given."""
    if not text:
        return None
    document = _json(text if text.lstrip().startswith("{") else read_text(Path(text)), "options")
    if isinstance(document, dict) and isinstance(document.get("options"), dict):
        document = document["options"]  # the output of `show`
    if not isinstance(document, dict):
        raise ConfigError("options are a JSON object")
    return document


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{what} is not JSON: {error}") from error


def _plain(one: "Processor") -> dict[str, Any]:
    fields = ("number", "source", "camera", "camera_number", "kind", "name", "enabled", "version", "author")
    told = {name: getattr(one, name) for name in fields}
    return told | {
        "pipeline": one.pipeline.id,
        "options": one.options.model_dump(mode="json"),
        "updated_at": _iso(one.updated_at),
    }


def _mode(one: "Processor") -> str:
    return f"{one.kind}, match" if getattr(one.options, "mode", "") == "match" else one.kind


def _day(when: datetime | None) -> date | None:
    return when.date() if when else None


def _iso(when: datetime | None) -> str | None:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


def _length(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
