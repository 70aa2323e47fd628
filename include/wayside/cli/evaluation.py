"""What `wayside models evaluate` does with a set in COCO's format: a progress bar, then the figures as tables."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from wayside.core.settings import Settings
from wayside.photos import evaluations


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for: model, `category=class` each, the profile of the anonymiser or None, and two limits."""

    model: str
    names: Sequence[str]
    profile: str | None
    limit: int | None
    worst: int


@contextlib.contextmanager
def as_coco(
    parquet: Path | None, coco: Path | None, pictures: Path | None, limit: int | None
) -> Iterator[tuple[Path, Path]]:
    """Give the JSON file and the folder of pictures of a set; those of a Parquet file are gone afterwards."""
    if coco is not None and pictures is not None:
        yield coco, pictures
        return
    from wayside.vision.coco import write_coco
    from wayside.vision.evaluate import read_set

    assert parquet is not None  # noqa: S101 - one of the two is given
    with tempfile.TemporaryDirectory(prefix="wayside-set-") as folder:
        yield write_coco(islice(read_set(parquet), limit), Path(folder), parquet.stem)


def measure(wanted: Wanted, coco: Path, pictures: Path, settings: Settings, *, as_json: bool) -> None:
    """Measure, and print the figures."""
    # Only this needs OpenCV and ONNX Runtime; other commands answer without waiting for them.
    from wayside.photos.evaluation import Order, evaluate_set
    from wayside.photos.profile import load_profile

    profile = load_profile(wanted.profile, settings) if wanted.profile else None
    order = Order(
        model=wanted.model,
        coco=coco,
        pictures=pictures,
        finding=profile.masking.find if profile else None,
        names=_names(wanted.names),
        limit=wanted.limit,
        worst=wanted.worst,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(wanted.model, total=None)
        result = evaluate_set(
            order,
            settings,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            limits=profile.limits.decoding if profile else None,
        )
    if as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        show(Console(), result, evaluations.root(settings))


def show(console: Console, result: Mapping[str, Any], root: Path) -> None:
    """Print a result as tables."""
    labelled = result["set"]
    console.print(f"{result['model']['name']} on {labelled['looked_at']} pictures of {labelled['name']}", style="bold")
    for kind in ("boxes", "masks"):
        if result[kind] is not None:
            console.print(_precision_table(kind, result[kind], as_boxes=kind == "masks" and result["boxes_as_masks"]))
    if result["anonymisation"] is not None:
        _show_recall(console, result["anonymisation"])
    for name in ("failed", "faults", "ignored"):
        if labelled[name]:
            said = {"failed": "pictures that failed", "faults": "entries left out", "ignored": "categories left out"}
            console.print(f"[yellow]{said[name]}: {', '.join(f'{why} {n}' for why, n in labelled[name].items())}")
    console.print(f"{root / result['name'] / evaluations.RESULT}", highlight=False, soft_wrap=True)


def _precision_table(kind: str, part: Mapping[str, Any], *, as_boxes: bool) -> Table:
    title = f"{kind}: {part['objects']} objects" + (" (the model gives boxes, compared as masks)" if as_boxes else "")
    table = Table("figure", "value", "95 % interval", title=title)
    for name, figure in part["figures"].items():
        table.add_row(name.upper().replace("_", " "), _share(figure["value"]), _interval(figure))
    for name, figure in part["classes"].items():
        table.add_row(f"AP {name}", _share(figure["value"]), _interval(figure))
    return table


def _show_recall(console: Console, part: Mapping[str, Any]) -> None:
    table = Table("objects", "how many", "hidden", "95 % interval", "share of area", title="hidden to 95 % or more")
    for group, rows in {"": [part["overall"]], **part["groups"]}.items():
        if group in {"class and size"}:
            continue
        for row in rows:
            name = f"{group}: {row['name']}" if group else row["name"]
            table.add_row(name, str(row["objects"]), _share(row["share"]), _interval(row), _share(row["area_share"]))
        table.add_section()
    console.print(table)
    for name, said in (
        ("false_share", "masks on no labelled object"),
        ("phantom_share", "of them, masks that touch none"),
    ):
        value, low, high = part[name]
        console.print(f"{said}: {value:.2%} of the area ({low:.2%} to {high:.2%})")
    if part["missing"]:
        console.print(f"[yellow]not on this machine, so not looked for: {', '.join(part['missing'])}")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _interval(figure: Mapping[str, Any]) -> str:
    return "" if figure["low"] is None else f"{figure['low']:.1%} to {figure['high']:.1%}"


def _names(given: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [one for one, (name, _, label) in zip(given, pairs, strict=True) if not name or not label]:
        raise typer.BadParameter(f"{wrong[0]!r} is not of the form category=class")
    return {name.strip(): label.strip() for name, _, label in pairs}
