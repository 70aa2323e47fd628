"""`wayside count evaluate`: how good counts are, against a hand count."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wayside.cli.zones import read_options, read_shapes
from wayside.core.errors import ConfigError
from wayside.core.settings import settings
from wayside.core.yamlfile import read_text

if TYPE_CHECKING:
    from wayside.counting.accuracy import Passage
    from wayside.zones.evaluate import Evaluation

app = typer.Typer(no_args_is_help=True)

_LISTED = 20


@app.callback()
def _group() -> None:
    """With a callback, a group of one command stays a group."""


@app.command()
def evaluate(
    video: Path | None = typer.Argument(None, metavar="[VIDEO]", help="A video, counted from end to end."),
    hand: Path = typer.Option(..., help="The hand count, CSV: time (s), kind, zone, direction, label, doubtful."),
    zones: Path | None = typer.Option(
        None,
        "--zones",
        "-z",
        help='Of a video, JSON: {"zones": [...], "lines": [...]}, as `wayside zones show` prints.',
    ),
    options: str = typer.Option("", "--options", "-o", help="Of a video: what counting is told; JSON, or a file."),
    fps: float = typer.Option(5.0, help="Of a video: frames a second that are looked at."),
    model: str = typer.Option("WaysideV1", help="Of a video: card of the detector."),
    processor: int | None = typer.Option(None, help="Instead of a video: what is published of this processor."),
    start: str = typer.Option("", help="Of a processor: second 0 of the hand count, 2026-05-01T08:00:00Z."),
    end: str = typer.Option("", help="Of a processor: when the hand count ends."),
    version: int | None = typer.Option(None, help="Of a processor: version of its zones; by default the current one."),
    report: Path | None = typer.Option(None, help="Write an HTML page with pictures: a file or a folder."),
    show_people: bool = typer.Option(False, "--show-people", help="Leave people in the pictures visible."),
    workers: int = typer.Option(0, min=0, help="Frames at once; 0: one per core."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Compare events with a hand count: precision and recall at a second, directions, GEH, WAPE, and each miss.

    docs/ZONES.md tells how to count by hand.
    """
    from wayside.counting.accuracy import read_passages

    if (video is None) == (processor is None):
        raise typer.BadParameter("give either a video, or --processor")
    passages = read_passages(read_text(hand))
    if video is not None:
        if zones is None:
            raise typer.BadParameter("a video needs --zones")
        found = _of_video(video, passages, zones=zones, options=options, fps=fps, model=model, workers=workers)
    else:
        if not start or not end:
            raise typer.BadParameter("a processor needs --start and --end")
        found = _of_processor(processor or 0, passages, start, end, version)
    if report is not None:
        from wayside.zones.evaluation_report import write_report

        page = write_report(found, report, show_people=show_people)
        Console(stderr=True).print(f"report: {escape(str(page))}", soft_wrap=True)
    told = found.as_json()
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(Console(), told)


def _of_video(
    video: Path, hand: "Sequence[Passage]", *, zones: Path, options: str, fps: float, model: str, workers: int
) -> "Evaluation":
    from wayside.counting.options import parse_count_options
    from wayside.media.probe import VideoLimits
    from wayside.vision.detector import load_detector
    from wayside.zones.evaluate import evaluate_video
    from wayside.zones.models import check_model
    from wayside.zones.options import LEAST_SCORE
    from wayside.zones.processor import Pipeline

    if not video.is_file():
        raise ConfigError(f"there is no video {video}")
    pipeline, chosen = Pipeline(fps, model), settings()
    shapes, told = read_shapes(zones), parse_count_options(read_options(options) or {})
    check_model("traffic", pipeline, chosen)
    return evaluate_video(
        video,
        shapes,
        hand,
        detector=load_detector(model, chosen, score=LEAST_SCORE),
        pipeline=pipeline,
        options=told,
        limits=VideoLimits.of(chosen),
        workers=workers or chosen.workers,
    )


def _of_processor(number: int, hand: "Sequence[Passage]", start: str, end: str, version: int | None) -> "Evaluation":
    from wayside.warehouse.parquet import open_lake
    from wayside.zones.evaluate import evaluate_published
    from wayside.zones.registry import Registry
    from wayside.zones.times import parse_time

    lake = open_lake(settings())
    first, last = parse_time(start, "--start"), parse_time(end, "--end")
    return evaluate_published(lake, Registry(lake, settings()), number, hand, first, last, version=version)


def _show(console: Console, told: Mapping[str, Any]) -> None:
    console.print(f"{escape(told['title'])}, {told['pipeline']}, {told['seconds']:.1f} s", style="bold")
    if told["note"]:
        console.print(f"[yellow]note:[/] {escape(told['note'])}", soft_wrap=True)
    table = Table("where", "what", "by hand", "ours", "right", "precision", "recall", "F1", "GEH")
    for row in (*told["places"], {**told, "zone": "all", "kind": ""}):
        shares = (_share(row[name]) for name in ("precision", "recall", "f1"))
        numbers = (str(row[name]) for name in ("hand", "ours", "right"))
        table.add_row(escape(row["zone"]), row["kind"], *numbers, *shares, f"{row['geh']:.2f}")
    console.print(table)
    ways = ", ".join(f"{row['hand']} as {row['ours']} {row['number']}" for row in told["directions"])
    late = "" if told["late_s"] is None else f"{told['late_s']:+.2f} s after the hand count; "
    console.print(f"{late}WAPE {_share(told['wape'])}; {told['doubtful']} doubtful" + (f"; {ways}" if ways else ""))
    for what in ("missed", "extra"):
        for one in told[what][:_LISTED]:
            passage = " ".join(filter(None, (one["kind"], one["zone"], one["direction"], one["label"])))
            console.print(f"[yellow]{what}[/] at {one['at_s']:.2f} s: {escape(passage)}", soft_wrap=True)
        if len(told[what]) > _LISTED:
            console.print(f"and {len(told[what]) - _LISTED} more {what}; --json has all of them")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
