"""`wayside analyse`: look at pictures with a pipeline, in a folder or one with its neighbours, without any store."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES

if TYPE_CHECKING:
    from wayside.stills.still import Analysis, StillPipeline
    from wayside.vision.detections import Detections

_SLOT_FOLDERS = re.compile(r"(?P<day>\d{8})/(?P<hhmm>\d{4})/[^/]+$")
_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
_ALONE = "FaultyImageFilterV1_WaysideV1"


@dataclass(frozen=True)
class Still:
    """A picture to look at, with the files of its neighbours, which need not exist.

    `place` is its path within the folder that was given: what people call it, and where its drawn copy goes.
    """

    path: Path
    place: Path
    previous: Path | None = None
    following: Path | None = None


def stills_in(folder: Path) -> Iterator[Still]:
    """Yield the pictures of a folder, sorted; those in `<YYYYMMDD>/<HHMM>/` folders know their neighbours."""
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if path.suffix.lower() in _PICTURES and not hidden and path.is_file():
            yield _with_neighbours(path, place)


def _with_neighbours(path: Path, place: Path) -> Still:
    found = _SLOT_FOLDERS.search(path.as_posix())
    if not found:
        return Still(path, place)
    try:
        moment = datetime.strptime(found["day"] + found["hhmm"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        slot = Slot(moment)
    except (ValueError, ConfigError):
        return Still(path, place)
    root = path.parents[2]
    before, after = (root / near.day / near.hhmm / path.name for near in (slot.previous, slot.next))
    return Still(path, place, before, after)


def analyse(
    folder: Path | None = typer.Argument(None, exists=True, file_okay=False, help="Folder of pictures."),
    current: Path | None = typer.Option(None, dir_okay=False, help="One picture."),
    previous: Path | None = typer.Option(None, dir_okay=False, help="The picture ten minutes before it."),
    following: Path | None = typer.Option(None, "--next", dir_okay=False, help="The picture ten minutes after it."),
    pipeline: str | None = typer.Option(
        None,
        help=f"Pipeline of include/config/pipelines.yaml; by default the default one, or without neighbours {_ALONE}.",
    ),
    boxes: Path | None = typer.Option(
        None,
        exists=True,
        dir_okay=False,
        help='JSON in place of a detector: [["car", [y0, x0, y1, x1, score]], …], in pixels.',
    ),
    annotate: Path | None = typer.Option(None, file_okay=False, help="Folder for the pictures with the boxes drawn."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object for each picture."),
) -> None:
    """Count what is on pictures, and say why a picture cannot be used.

    Exits with 1 if the picture given as --current is not there.
    """
    from wayside.stills.pipelines import load_pipelines
    from wayside.stills.still import StillPipeline

    if (folder is None) == (current is None):
        raise typer.BadParameter("give either a FOLDER or --current PICTURE")
    if folder and (previous or following):
        raise typer.BadParameter(
            "--previous and --next go with --current; a folder's pictures find theirs by its names"
        )
    stills = list(_chosen(folder, current, previous, following))
    if not stills:
        raise ConfigError(f"no picture lies in {folder}: looked for {', '.join(sorted(_PICTURES))}")
    file = load_pipelines(settings().config / "pipelines.yaml")
    alone = all(still.previous is None and still.following is None for still in stills)
    name = pipeline or (_ALONE if alone else file.default)
    loaded = StillPipeline.load(name, file, settings())
    results = _analyse(stills, loaded, boxes, annotate, quiet=as_json)
    if as_json:
        for result in results:
            typer.echo(json.dumps(result))
    else:
        Console().print(_table([still.place for still in stills], list(results), name))
    if current and not current.exists():
        raise WaysideError(f"there is no picture {current}")


def _chosen(
    folder: Path | None, current: Path | None, previous: Path | None, following: Path | None
) -> Iterator[Still]:
    if folder is not None:
        yield from stills_in(folder)
    if current is not None:
        yield Still(current, Path(current.name), previous, following)


def _analyse(
    stills: list[Still], pipeline: "StillPipeline", boxes: Path | None, annotate: Path | None, quiet: bool
) -> Iterator[dict[str, Any]]:
    from wayside.vision.stream import Failure, stream

    def work(still: Still) -> dict[str, Any]:
        current = _bytes(still.path)
        given = _given(boxes, current) if boxes else None
        analysis = pipeline.analyse(_bytes(still.previous), current, _bytes(still.following), given)
        if annotate and current is not None:
            _annotate(current, analysis, annotate / still.place.with_name(f"{still.place.stem}-annotated.jpg"))
        return {"picture": str(still.path), "pipeline": pipeline.name, **describe(analysis)}

    console = Console(stderr=True)
    hidden = quiet or len(stills) < 2 or not console.is_terminal
    with Progress(console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task("Analysing", total=len(stills))
        for result in stream(stills, work, workers=settings().workers):
            progress.advance(task)
            if isinstance(result, Failure):
                raise result.error
            yield result


def describe(analysis: "Analysis") -> dict[str, Any]:
    """Return an analysis as plain values for JSON; measures that were not taken are null."""
    faults, static, found = analysis.faults, analysis.static, analysis.detections
    shares = static.moving_share.tolist() if static is not None and found is not None else []
    still = analysis.is_static().tolist()
    return {
        "outcome": analysis.outcome,
        "faulty": analysis.outcome == "faulty",
        "missing": analysis.outcome == "missing",
        "reason": analysis.reason,
        "colour_fraction": faults.colour_fraction if faults else None,
        "longest_run": faults.longest_run if faults else None,
        "run_limit": faults.run_limit if faults else None,
        "ssim_previous": static.ssim_previous if static else None,
        "ssim_next": static.ssim_next if static else None,
        "neighbours": analysis.neighbours,
        "counts": analysis.counts,
        "detections": [
            {
                "label": label,
                "score": float(score),
                "box": [float(edge) for edge in box],
                "moving_share": shares[index] if shares else None,
                "static": still[index],
            }
            for index, (label, score, box) in enumerate(zip(found.labels, found.scores, found.boxes, strict=True))
        ]
        if found is not None
        else [],
    }


def _bytes(path: Path | None) -> bytes | None:
    """Read a picture; None for one that is not there, which is no error for a neighbour."""
    try:
        return path.read_bytes() if path else None
    except FileNotFoundError:
        return None


def _given(boxes: Path, picture: bytes | None) -> "Detections":
    """Read boxes in the form of chrono_lens and turn their pixels into fractions of `picture`."""
    import numpy as np

    from wayside.core.errors import ImageError
    from wayside.vision.decode import decode
    from wayside.vision.detections import Detections

    try:
        entries = [(str(label), [float(value) for value in box]) for label, box in json.loads(boxes.read_text())]
        columns = np.array([box for _, box in entries], np.float32).reshape(len(entries), 5)
    except (ValueError, TypeError) as error:
        raise ConfigError(f'{boxes}: expected [["car", [y0, x0, y1, x1, score]], …]: {error}') from error
    try:
        image = decode(picture or b"").image
    except ImageError:
        return Detections.empty()
    height, width = image.shape[:2]
    scale = np.array([width, height, width, height], np.float32)
    # The middle of a pixel survives the way to a fraction and back, whatever the rounding.
    return Detections(
        (columns[:, [1, 0, 3, 2]] + 0.5) / scale, columns[:, 4].copy(), tuple(label for label, _ in entries)
    )


def _annotate(picture: bytes, analysis: "Analysis", path: Path) -> None:
    from wayside.core.errors import ImageError
    from wayside.vision.annotate import annotate
    from wayside.vision.decode import decode, encode_jpeg

    try:
        image = decode(picture).image
    except ImageError:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if analysis.detections is not None:
        image = annotate(image, analysis.detections, analysis.is_static())
    path.write_bytes(encode_jpeg(image))


def _table(places: list[Path], results: list[dict[str, Any]], pipeline: str) -> Table:
    shown = [name for name in COUNT_CLASSES if any(name in (result["counts"] or {}) for result in results)]
    table = Table("picture", "outcome", *shown, title=pipeline)
    for place, result in zip(places, results, strict=True):
        counts = result["counts"] or {}
        said = result["outcome"] if result["reason"] is None else f"{result['outcome']}: {result['reason']}"
        table.add_row(place.as_posix(), said, *(str(counts.get(name, "")) for name in shown))
    return table
