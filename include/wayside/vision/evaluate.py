"""How good is a detector: average precision, precision and recall, by class and by size of the object.

A detection is right when it overlaps an unclaimed true box of its class in the same picture by at least half
(intersection over union); better scores claim first, as in Everingham et al., "The PASCAL Visual Object Classes
Challenge", 2010, section 4. Average precision is the whole area under the precision-recall curve, made monotone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wayside.core.errors import ModelError
from wayside.vision.detections import Boxes, Detections
from wayside.vision.nms import areas, iou

IOU: Final = 0.5
SIZES: Final = {"small": (0.0, 0.01), "medium": (0.01, 0.09), "large": (0.09, 1.01)}
"""Name -> least and greatest area of a true box, as a share of the picture's; the greatest itself is excluded."""

_BATCH: Final = 64


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """A labelled picture: `id`, the bytes of the `image`, true `boxes` [M, 4] in fractions, and their `labels`."""

    id: str
    image: bytes
    boxes: Boxes
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Figures of one class, all 0..1 but `truths`; precision, recall and F1 are at the report's score threshold."""

    truths: int
    ap50: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of a detector on a set.

    Attributes:
        pictures: how many were looked at.
        unreadable: how many could not be decoded, and count as pictures in which nothing was found.
        score: threshold of precision, recall and F1.
        map50: mean of the classes' AP50.
        classes: figures per class that the set labels.
        recall_by_size: share of true boxes found at the threshold, per name in `SIZES`; None where there are none.
    """

    pictures: int
    unreadable: int
    score: float
    map50: float
    classes: Mapping[str, ClassScore]
    recall_by_size: Mapping[str, float | None]


def read_set(path: Path) -> Iterator[Truth]:
    """Read a labelled set: a Parquet file with the columns `id`, `image`, `label` and `box`, one picture a row.

    `label` is a list of names, `box` a list of left, top, right, bottom in fractions, as long as `label`.

    Raises:
        ModelError: the file is no such set.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=["id", "image", "label", "box"]):
                for row in batch.to_pylist():
                    boxes = np.asarray(row["box"], np.float32).reshape(-1, 4)
                    yield Truth(str(row["id"]), row["image"], boxes, tuple(row["label"]))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} is not a labelled set with the columns id, image, label and box: {error}") from error


def count_pictures(path: Path) -> int:
    """Return how many pictures a labelled set holds, without reading them; raises as `read_set` does."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not a labelled set: {error}") from error


def evaluate(answers: Iterable[tuple[Truth, Detections | None]], score: float) -> Report:
    """Compare detections with the truth.

    Args:
        answers: each picture with what was found in it at a score threshold near zero; None where it was unreadable.
        score: 0..1, threshold at which precision, recall and F1 are taken.
    """
    pairs = [(truth, found) for truth, found in answers]
    names = sorted({label for truth, _ in pairs for label in truth.labels})
    matches = {name: _match_class(pairs, name) for name in names}
    classes = {name: _class_score(match, score) for name, match in matches.items()}
    return Report(
        pictures=len(pairs),
        unreadable=sum(found is None for _, found in pairs),
        score=score,
        map50=float(np.mean([figures.ap50 for figures in classes.values()])) if classes else 0.0,
        classes=classes,
        recall_by_size=_recall_by_size(matches.values(), score),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Match:
    """One class over the set: scores [D] and hits [D] of detections, areas [T] and finding scores [T] of truths."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    areas: NDArray[np.float64]
    found_at: NDArray[np.float64]


def _match_class(pairs: Sequence[tuple[Truth, Detections | None]], name: str) -> _Match:
    scores, hits, sizes, found_at = [], [], [], []
    for truth, found in pairs:
        true = truth.boxes[[label == name for label in truth.labels]]
        answer = found or Detections.empty()
        mine = answer.take(np.asarray([label == name for label in answer.labels], np.bool_))
        hit, claimed = claim(mine, true)
        scores.append(mine.scores)
        hits.append(hit)
        sizes.append(areas(true))
        found_at.append(claimed)
    return _Match(
        np.concatenate(scores, dtype=np.float64),
        np.concatenate(hits, dtype=np.bool_),
        np.concatenate(sizes, dtype=np.float64),
        np.concatenate(found_at),
    )


def claim(found: Detections, true: Boxes) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Let detections [D], best first, claim true boxes [T]: hits [D], and the score that found each true box [T]."""
    hit = np.zeros(len(found), np.bool_)
    found_at = np.full(len(true), -1.0)
    if len(true):
        overlap = iou(found.boxes, true)
        for position, row in enumerate(overlap):
            best = int(np.where(found_at < 0, row, -1).argmax())
            if found_at[best] < 0 and row[best] >= IOU:
                hit[position] = True
                found_at[best] = found.scores[position]
    return hit, found_at


def _class_score(match: _Match, score: float) -> ClassScore:
    truths = len(match.found_at)
    order = np.argsort(-match.scores, kind="stable")
    right = np.cumsum(match.hits[order])
    precision = right / np.arange(1, len(right) + 1)
    recall = right / max(truths, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap50 = float(np.sum(np.diff(recall, prepend=0.0) * envelope))
    kept = match.scores >= score
    hits = int(match.hits[kept].sum())
    at_precision = hits / max(int(kept.sum()), 1)
    at_recall = hits / max(truths, 1)
    f1 = 2 * at_precision * at_recall / max(at_precision + at_recall, 1e-12)
    return ClassScore(truths, ap50, at_precision, at_recall, f1)


def _recall_by_size(matches: Iterable[_Match], score: float) -> dict[str, float | None]:
    parts = list(matches)
    sizes = np.concatenate([part.areas for part in parts]) if parts else np.zeros(0)
    found = np.concatenate([part.found_at for part in parts]) >= score if parts else np.zeros(0, np.bool_)
    chosen = {name: (sizes >= low) & (sizes < high) for name, (low, high) in SIZES.items()}
    return {name: float(found[mask].mean()) if mask.any() else None for name, mask in chosen.items()}
