"""Measure a model on a labelled set: boxes and masks by COCO's protocol and, if asked, what the anonymiser hides.

Each picture leaves one line in a journal when it was looked at, with the hash of its bytes. A run that was stopped, or
is asked for again, takes those lines and looks only at what is new, so that it ends with the same files.
"""

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from wayside.core.errors import ConfigError, ImageError
from wayside.core.settings import Settings
from wayside.photos import evaluations
from wayside.photos.looked import Appended, kept
from wayside.photos.recall import Row, cover, is_hidden, recall, uncovered
from wayside.photos.worst import drawn
from wayside.privacy.find import Finder, load_finder
from wayside.privacy.masks import grown
from wayside.privacy.settings import CLASSES, Finding
from wayside.store.files import replace_file
from wayside.vision.coco import CocoPicture, CocoSet, read_coco
from wayside.vision.coco_masks import mask_rle
from wayside.vision.decode import Image, Limits, decode
from wayside.vision.detections import Detections, Mask
from wayside.vision.detector import load_detector
from wayside.vision.scoring import Answer, precision
from wayside.vision.segment import pixels
from wayside.vision.stream import Failure, stream

LEAST_SCORE: Final = 0.01
"""Answers from this score on count for average precision, which weighs them by their order."""
MOST_ANSWERS: Final = 100
"""Answers of a class and picture at which the protocol stops reading."""
_METHOD: Final = 1
"""Part of each key: raised when figures are computed otherwise, so that old ones are not taken for new ones."""

Progress = Callable[[int, int], None]


class Order(BaseModel):
    """What is to be measured.

    Attributes:
        model: name of the card.
        coco: JSON file of the set.
        pictures: folder of its pictures.
        finding: how the anonymiser looks, with `model` in the place that its task gives it; None: not measured.
        names: category of the set -> class, beside those that are known.
        limit: only the first so many pictures.
        worst: how many of the worst pictures are shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    coco: Path
    pictures: Path
    finding: Finding | None = None
    names: Mapping[str, str] = {}
    limit: Annotated[int, Field(ge=1)] | None = None
    worst: Annotated[int, Field(ge=0, le=99)] = 12


class Boxes(Protocol):
    """A detector, as far as it is needed here."""

    name: str
    sha256: str
    classes: tuple[str, ...]

    def detect(self, image: Image) -> Detections:
        """Find objects in one upright picture."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models of an order: the detector that is measured, the score it is used with, and the anonymiser's finder."""

    detector: Boxes
    threshold: float
    finder: Finder | None

    @classmethod
    def load(cls, order: Order, settings: Settings) -> "Models":
        """Load them; raises as `load_detector` and `load_finder` do."""
        detector = load_detector(order.model, settings, score=LEAST_SCORE, riders=False)
        finder = (
            load_finder(placed(order.finding, order.model, detector.card.task), settings) if order.finding else None
        )
        return cls(detector, detector.card.thresholds.score, finder)


def placed(finding: Finding, model: str, task: str) -> Finding:
    """Return how the anonymiser looks with a model in the place of its task: road users, faces or plates."""
    field = {"face": "face_detector", "plate": "plate_detector"}.get(task, "detector")
    return finding.model_copy(update={field: model})


def evaluate_set(
    order: Order,
    settings: Settings,
    *,
    progress: Progress | None = None,
    models: Models | None = None,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Measure, write result and worst pictures into the evaluation's folder, and return the result.

    Args:
        order: what is to be measured.
        settings: where models and evaluations lie.
        progress: called with pictures done and pictures in all.
        models: those of the order, where they are loaded already.
        limits: caps on a picture; by default those of the settings.

    Raises:
        ModelError: the set or the model cannot be used.
        ConfigError: there is no folder of pictures, or a name stands for no class.
        StoreError: the result cannot be written.
    """
    caps = limits or Limits.of(settings)
    _check(order)
    labelled = read_coco(order.coco, limits=caps, names=order.names)
    used = models or Models.load(order, settings)
    key = hashlib.sha256(json.dumps(_question(order, labelled, used), sort_keys=True).encode()).hexdigest()
    name = evaluations.folder_name(order.model, labelled.name, key)
    folder = evaluations.root(settings) / name
    chosen = labelled.pictures[: order.limit]
    rows, failed = _look_at_all(order, settings, labelled, used, folder / "pictures.jsonl", caps, progress)
    seen = [one for one in chosen if one.id in rows]
    result = {
        "schema": evaluations.SCHEMA,
        "name": name,
        "key": key,
        "model": {"name": used.detector.name, "sha256": used.detector.sha256, "threshold": used.threshold},
        "set": _told(labelled, chosen, failed),
        "limit": order.limit,
        **_precisions(seen, rows, labelled, used),
        "anonymisation": _recalled(seen, rows, used),
        "worst": _worst(order, seen, rows, used),
    }
    if used.finder is not None:
        _draw(order, used.finder, {one.id: one for one in seen}, rows, result["worst"], folder, caps)
    text = json.dumps(result, indent=1, ensure_ascii=False, sort_keys=False)
    replace_file(folder / evaluations.RESULT, text.encode())
    return result


def _check(order: Order) -> None:
    if not order.pictures.is_dir():
        raise ConfigError(f"{order.pictures} is no folder of pictures")
    if unknown := sorted(set(order.names.values()) - set(CLASSES)):
        raise ConfigError(f"{', '.join(unknown)}: no such class; there are {', '.join(CLASSES)}")


def _question(order: Order, labelled: CocoSet, used: Models) -> dict[str, Any]:
    """Return everything that the result follows from, but the bytes of the pictures, which the journal looks after."""
    finder = used.finder
    return {
        "method": _METHOD,
        "set": labelled.sha256,
        "names": dict(order.names),
        "limit": order.limit,
        "worst": order.worst,
        "model": [used.detector.name, used.detector.sha256, used.threshold],
        "finding": finder and finder.finding.model_dump(mode="json"),
        "models": finder and [dataclasses.asdict(use) for use in finder.models],
    }


def _look_at_all(
    order: Order,
    settings: Settings,
    labelled: CocoSet,
    used: Models,
    journal: Path,
    caps: Limits,
    progress: Progress | None,
) -> tuple[dict[int, Row], dict[str, int]]:
    """Return the row of each picture, from the journal where it has it, and how many failed for which reason."""
    known = kept(journal)
    chosen = labelled.pictures[: order.limit]
    rows: dict[int, Row] = {}
    failed: dict[str, int] = {}

    def look(picture: CocoPicture) -> Row:
        data = _read(order.pictures, picture.file, caps)
        digest = hashlib.sha256(data).hexdigest()
        there = known.get(picture.id)
        if there is not None and there["sha256"] == digest:
            return there
        return {
            "picture": picture.id,
            "sha256": digest,
            **_looked(picture, decode(data, limits=caps).image, labelled, used),
        }

    with Appended(journal) as append:
        for done, row in enumerate(stream(chosen, look, workers=settings.workers), start=1):
            if isinstance(row, Failure):
                reason = _reason(row.error)
                failed[reason] = failed.get(reason, 0) + 1
            else:
                rows[row["picture"]] = row
                if row is not known.get(row["picture"]):
                    append(row)
            if progress is not None:
                progress(done, len(chosen))
    return rows, dict(sorted(failed.items()))


def _looked(picture: CocoPicture, image: Image, labelled: CocoSet, used: Models) -> Row:
    height, width = image.shape[:2]
    if (width, height) != (picture.width, picture.height):
        said = f"{picture.width} x {picture.height}"
        raise ImageError("size_differs", f"{picture.file} has {width} x {height} pixels, and the set says {said}")
    row = {"width": width, "height": height, "answers": _answers(used.detector.detect(image), height, width)}
    if used.finder is None:
        return row
    finding = used.finder.finding
    masked = grown(used.finder.find(image), finding, height, width)
    return row | cover(picture, image, masked, labelled.labels, wrap=finding.tiling.wrap)


def _answers(found: Detections, height: int, width: int) -> list[list[Any]]:
    """Return detections as lists for JSON: label, score, left, top, width, height in pixels, packed mask or None.

    No more than 100 of a class: the protocol looks at no others.
    """
    rows: list[list[Any]] = []
    counts: Counter[str] = Counter()
    scale = np.array((width, height) * 2, np.float64)
    outlines = found.outlines or [None] * len(found)
    for label, score, box, outline in zip(found.labels, found.scores, found.boxes, outlines, strict=True):
        counts[label] += 1
        if counts[label] > MOST_ANSWERS:
            continue
        left, top, right, bottom = (float(edge) for edge in box * scale)
        corners = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        frame = (0.0, 0.0, float(width), float(height))
        mask = None if outline is None else _packed(pixels(outline, corners, frame), corners, height, width)
        rows.append([label, float(score), left, top, right - left, bottom - top, mask])
    return rows


def _packed(mask: Mask, corners: tuple[int, int, int, int], height: int, width: int) -> str:
    """Return the mask of a box as packed run lengths of the picture."""
    left, top, right, bottom = corners
    whole = np.zeros((height, width), np.bool_)
    whole[top:bottom, left:right] = mask[: height - top, : width - left]
    counts: bytes = mask_rle(whole)["counts"]
    return counts.decode()


def _read(folder: Path, file: str, caps: Limits) -> bytes:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ImageError("outside", f"{file} lies outside of the folder of pictures")
    try:
        if path.stat().st_size > caps.max_bytes:
            raise ImageError("too_many_bytes", f"{file} is larger than {caps.max_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ImageError("unreadable", f"{file} cannot be read: {error.strerror}") from error


def _reason(error: Exception) -> str:
    """Return the reason of a picture that failed; raise what is not the picture's fault."""
    if isinstance(error, ImageError):
        return error.reason
    raise error


def _told(labelled: CocoSet, chosen: Sequence[CocoPicture], failed: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": labelled.name,
        "sha256": labelled.sha256,
        "pictures": len(labelled.pictures),
        "looked_at": len(chosen) - sum(failed.values()),
        "failed": dict(failed),
        "labels": list(labelled.labels),
        "ignored": dict(labelled.ignored),
        "faults": dict(labelled.faults),
        "examples": list(labelled.examples),
    }


def _precisions(
    seen: Sequence[CocoPicture], rows: Mapping[int, Row], labelled: CocoSet, used: Models
) -> dict[str, Any]:
    answers = {one.id: [_answer(row, one) for row in rows[one.id]["answers"]] for one in seen}
    labels = [label for label in labelled.labels if label in used.detector.classes]
    has_masks = any(one.rle is not None for picture in seen for one in picture.objects if one.label in labels)
    drawn_masks = any(one.rle is not None for found in answers.values() for one in found)
    return {
        "boxes": dataclasses.asdict(precision(seen, answers, labels, "boxes")),
        "masks": dataclasses.asdict(precision(seen, answers, labels, "masks")) if has_masks else None,
        "boxes_as_masks": has_masks and not drawn_masks,
    }


def _answer(row: Sequence[Any], picture: CocoPicture) -> Answer:
    label, score, left, top, across, down, mask = row
    rle = None if mask is None else {"size": [picture.height, picture.width], "counts": mask.encode()}
    return Answer(label, score, (left, top, across, down), rle)


def _recalled(seen: Sequence[CocoPicture], rows: Mapping[int, Row], used: Models) -> dict[str, Any] | None:
    if used.finder is None:
        return None
    finder = used.finder
    return {
        "finding": finder.finding.model_dump(mode="json"),
        "models": [dataclasses.asdict(use) for use in finder.models],
        "missing": list(finder.missing),
        **dataclasses.asdict(recall([rows[one.id] for one in seen], finder.finding.classes)),
    }


def _worst(order: Order, seen: Sequence[CocoPicture], rows: Mapping[int, Row], used: Models) -> list[dict[str, Any]]:
    """Return the pictures in which most shows; without an anonymiser there is nothing that could hide it."""
    if used.finder is None:
        return []
    classes = set(used.finder.finding.classes)
    ranked = sorted(((-uncovered(rows[one.id], classes), one.id, one) for one in seen), key=lambda entry: entry[:2])
    return [
        {
            "number": number,
            "picture": one.id,
            "file": one.file,
            "sha256": rows[one.id]["sha256"],
            "uncovered": -less,
            "objects": sum(item["label"] in classes for item in rows[one.id]["objects"]),
            "missed": sum(item["label"] in classes and not is_hidden(item) for item in rows[one.id]["objects"]),
        }
        for number, (less, _, one) in enumerate(islice((entry for entry in ranked if entry[0]), order.worst), start=1)
    ]


def _draw(
    order: Order,
    finder: Finder,
    pictures: Mapping[int, CocoPicture],
    rows: Mapping[int, Row],
    worst: Sequence[Mapping[str, Any]],
    folder: Path,
    caps: Limits,
) -> None:
    for one in worst:
        picture = pictures[one["picture"]]
        image = decode(_read(order.pictures, picture.file, caps), limits=caps).image
        data = drawn(picture, image, rows[picture.id], finder.finding.classes)
        replace_file(evaluations.worst_picture(folder.parent, folder.name, one["number"]), data)
