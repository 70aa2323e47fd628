"""`wayside models …`: which detectors there are, fetching them, checking them, measuring them."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from wayside.core.errors import ModelError
from wayside.core.settings import Settings, settings
from wayside.vision.cards import ModelCard
from wayside.vision.registry import card, cards, check_licence, expected_sha256, find
from wayside.vision.registry import pull as pull_weights
from wayside.vision.registry import verify as verify_weights

if TYPE_CHECKING:
    from wayside.vision.evaluate import Report

app = typer.Typer(help="Detectors.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_LEAST_SCORE = 0.01


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the model cards, and say which weights are on this machine."""
    chosen = settings()
    found = cards(chosen)
    if as_json:
        rows = [{**model.model_dump(mode="json"), "state": _state(model, chosen)} for model in found.values()]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("model", "task", "accuracy", "input", "size", "licence", "weights")
    for model in found.values():
        state = _state(model, chosen)
        size = f"{model.size_bytes / 1e6:.1f} MB" if model.size_bytes else "?"
        shape = f"{model.input.width} × {model.input.height}"
        style = None if state == "here" else "dim"
        table.add_row(model.name, model.task, _accuracy(model), shape, size, model.licence, state, style=style)
    Console().print(table)


@app.command()
def pull(name: Annotated[str, typer.Argument(help="The model, as `wayside models list` names it.")]) -> None:
    """Fetch the weights of a model over HTTPS, check their hash, and put them into the state folder."""
    chosen = settings()
    model = card(name, chosen)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(model.name, total=model.size_bytes)
        path = pull_weights(model, chosen, progress=lambda done, total: bar.update(task, completed=done, total=total))
    typer.echo(f"{path}  sha256 {expected_sha256(model, chosen)}")


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="The model; all whose weights are here if absent.")] = None,
) -> None:
    """Check hash, licence and file of weights that are on this machine. Exits with 1 if one is not as it should be."""
    chosen = settings()
    models = [card(name, chosen)] if name else [model for model in cards(chosen).values() if find(model, chosen)]
    wrong = 0
    for model in models:
        try:
            typer.echo(f"{model.name}  ok  sha256 {verify_weights(model, chosen)}")
        except ModelError as error:
            wrong += 1
            typer.echo(f"{model.name}  WRONG  {error}")
    if not models:
        typer.echo(f"no weights are on this machine; the cards lie in {chosen.models}")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="The model.")],
    parquet: Annotated[
        Path | None, typer.Argument(help="A labelled set: columns id, image, label, box.", exists=True)
    ] = None,
    coco: Annotated[Path | None, typer.Option(help="Instead: the JSON file of a set in COCO's format.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="The folder of its pictures.")] = None,
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A category as one of our classes: `--name personbil=car`.")
    ] = None,
    anonymisation: Annotated[
        bool, typer.Option("--anonymisation", help="Also measure how much of the labelled objects is masked.")
    ] = False,
    profile: Annotated[
        str, typer.Option(help="Profile by which they are masked; its detector is the model.")
    ] = "planar",
    limit: Annotated[int | None, typer.Option(min=1, help="Look only at the first so many pictures.")] = None,
    worst: Annotated[int, typer.Option(min=0, max=99, help="Of --anonymisation: how many pictures are shown.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Measure a model on a labelled set.

    A Parquet file alone gives average precision at an overlap of 0.5, precision and recall. A set in COCO's format
    gives its protocol, for boxes and masks, and with --anonymisation the share of objects that is hidden; the result
    lies in the state folder and is shown on the page Evaluations. Asked again, it goes on where it stopped.
    """
    chosen = settings()
    if (parquet is None) == (coco is None) or (coco is None) != (pictures is None):
        raise typer.BadParameter("give either a Parquet file, or --coco and --pictures")
    if parquet is not None and not anonymisation:
        report = _evaluate(card(name, chosen), parquet, limit, chosen)
        if as_json:
            typer.echo(json.dumps(dataclasses.asdict(report), indent=2))
        else:
            _print_report(Console(), name, report)
        return
    from wayside.cli import evaluation

    wanted = evaluation.Wanted(name, names or [], profile if anonymisation else None, limit, worst)
    with evaluation.as_coco(parquet, coco, pictures, limit) as (file, folder):
        evaluation.measure(wanted, file, folder, chosen, as_json=as_json)


def _evaluate(model: ModelCard, parquet: Path, limit: int | None, chosen: Settings) -> "Report":
    # Only this command needs OpenCV and ONNX Runtime; the others answer without waiting for them.
    from itertools import islice

    from wayside.vision.detector import load_detector
    from wayside.vision.evaluate import count_pictures, read_set
    from wayside.vision.evaluate import evaluate as compare
    from wayside.vision.stream import Detected, detect_stream

    detector = load_detector(model.name, chosen, score=_LEAST_SCORE, riders=False)
    truths = islice(read_set(parquet), limit)
    looked = detect_stream(truths, lambda truth: truth.image, detector, workers=chosen.workers)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        total = min(count_pictures(parquet), limit or 2**62)
        tracked = bar.track(looked, total=total, description=model.name)
        answers = [(seen.item, seen.detections if isinstance(seen, Detected) else None) for seen in tracked]
    return compare(answers, model.thresholds.score)


def _accuracy(model: ModelCard) -> str:
    """Give the most telling figure of a card."""
    if not model.accuracy:
        return "not stated"
    first = model.accuracy[0]
    return f"{first.metric} {first.value:g} {first.dataset}"


def _state(model: ModelCard, chosen: Settings) -> str:
    """Say in a few words whether a model can be used; hashes are checked by `verify`, which takes longer."""
    try:
        check_licence(model, chosen)
    except ModelError:
        return "licence not allowed"
    if find(model, chosen):
        return "here"
    return "to pull" if model.urls else "by hand"


def _print_report(console: Console, name: str, report: "Report") -> None:
    title = f"{name}: mAP50 {report.map50:.1%} on {report.pictures} pictures"
    table = Table("class", "boxes", "AP50", "precision", "recall", "F1", title=title)
    for label, figures in report.classes.items():
        shares = (figures.ap50, figures.precision, figures.recall, figures.f1)
        table.add_row(label, str(figures.truths), *(f"{share:.1%}" for share in shares))
    console.print(table)
    sizes = ", ".join(f"{size} {share:.1%}" for size, share in report.recall_by_size.items() if share is not None)
    console.print(f"precision, recall and F1 at score {report.score:g}; recall by size: {sizes}")
    if report.unreadable:
        console.print(f"[yellow]pictures that could not be read: {report.unreadable}")
