"""How good are boxes and masks by COCO's protocol: average precision and recall, with intervals.

The figures are those of pycocotools, the reference. Intervals are percentiles of a bootstrap over pictures (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3): objects of one picture resemble each other, so
whole pictures are drawn. A drawn set differs from the real one only in how often each picture counts, so each class is
sorted once, and a draw is a cumulative sum with weights.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wayside.vision.coco import CocoPicture
from wayside.vision.coco_masks import Rle, box_rle

DRAWS: Final = 500
SEED: Final = 20_260_501
"""Fixed, so that the same answers give the same intervals."""
_LEVEL: Final = 0.95
_NAMES: Final = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""What `COCOeval.summarize` gives, in its order."""

Kind = Literal["boxes", "masks"]
Float = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """One object that a model found: class, score 0..1, box as left, top, width, height in pixels, mask if there is."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    rle: Rle | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its 95 % interval; None where nothing was there to be measured."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Precision:
    """Figures of one model on one set.

    Attributes:
        figures: `ap` (mean over overlaps 0.50 to 0.95), `ap50`, `ap75`, and by size (areas below 32², below 96², and
            the rest, in pixels); `ar1`, `ar10`, `ar100` with so many answers a picture, and by size. Those of all
            sizes that are an AP have an interval.
        classes: `ap` of each class that the set labels and the model knows, with its interval.
        objects: how many labelled objects counted, crowds left out.
    """

    figures: Mapping[str, Figure]
    classes: Mapping[str, Figure]
    objects: int


def precision(
    pictures: Sequence[CocoPicture],
    answers: Mapping[int, Sequence[Answer]],
    labels: Sequence[str],
    kind: Kind,
    *,
    draws: int = DRAWS,
) -> Precision:
    """Compare answers with a labelled set.

    Args:
        pictures: the pictures that were looked at.
        answers: what was found in each, by its number; nothing where one is absent.
        labels: classes that count; answers and objects of others are left out.
        kind: compare boxes, or masks. Where an answer or an object has no mask, its box is its mask.
        draws: repetitions of the bootstrap.
    """
    names = sorted(set(labels))
    judged = _judge(pictures, answers, names, kind)
    stats = dict(zip(_NAMES, (None if value < 0 else float(value) for value in judged.stats), strict=True))
    weights = _weights(len(judged.params.imgIds), draws)
    per_class = [_drawn(judged, place, weights) for place in range(len(names))]
    drawn = np.stack(per_class) if per_class else np.full((0, len(weights), len(judged.params.iouThrs)), np.nan)
    spread = {"ap": _mean(drawn, (0, 2)), "ap50": _mean(drawn[..., :1], (0, 2)), "ap75": _mean(drawn[..., 5:6], (0, 2))}
    points = judged.eval["precision"][:, :, :, 0, -1]
    return Precision(
        figures={name: _figure(value, spread.get(name)) for name, value in stats.items()},
        classes={
            name: _figure(_point(points[:, :, place]), _mean(drawn[place], (1,))) for place, name in enumerate(names)
        },
        objects=sum(not one.crowd and one.label in names for picture in pictures for one in picture.objects),
    )


def _judge(
    pictures: Sequence[CocoPicture], answers: Mapping[int, Sequence[Answer]], names: Sequence[str], kind: Kind
) -> Any:
    """Run pycocotools, which prints what it does, and return its evaluation."""
    masks = kind == "masks"
    numbers = {name: place for place, name in enumerate(names, start=1)}
    images = [{"id": one.id, "width": one.width, "height": one.height} for one in pictures]
    # pycocotools takes number 0 for "matched nothing", so both lists are numbered anew, from 1.
    truths = [
        {"image_id": picture.id, "category_id": numbers[one.label], "bbox": list(one.box), "area": one.area}
        | {"iscrowd": int(one.crowd)}
        | ({"segmentation": one.rle or box_rle(one.box, picture.height, picture.width)} if masks else {})
        for picture in pictures
        for one in picture.objects
        if one.label in numbers
    ]
    found = [
        {"image_id": picture.id, "category_id": numbers[one.label], "bbox": list(one.box), "score": one.score}
        | {"area": one.box[2] * one.box[3], "iscrowd": 0}
        | ({"segmentation": one.rle or box_rle(one.box, picture.height, picture.width)} if masks else {})
        for picture in pictures
        for one in answers.get(picture.id, ())
        if one.label in numbers
    ]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    with contextlib.redirect_stdout(io.StringIO()):
        judged = COCOeval(
            _indexed(images, truths, categories), _indexed(images, found, categories), "segm" if masks else "bbox"
        )
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged


def _indexed(images: list[dict[str, Any]], entries: list[dict[str, Any]], categories: list[dict[str, Any]]) -> Any:
    made = COCO()
    numbered = [{**entry, "id": number} for number, entry in enumerate(entries, start=1)]
    made.dataset = {"images": images, "annotations": numbered, "categories": categories}
    made.createIndex()
    return made


def _weights(pictures: int, draws: int) -> Float:
    """Return how often each picture counts in each draw, [draws, pictures]."""
    if not pictures:
        return np.zeros((0, 0))
    return np.random.default_rng(SEED).multinomial(pictures, np.full(pictures, 1 / pictures), draws).astype(float)


def _drawn(judged: Any, place: int, weights: Float) -> Float:
    """Return the AP of one class in each draw and at each overlap, [draws, T]; NaN where a draw has no object of it."""
    overlaps, steps = len(judged.params.iouThrs), judged.params.recThrs
    each = len(judged.params.imgIds)
    first = place * len(judged.params.areaRng) * each
    seen = [(at, one) for at, one in enumerate(judged.evalImgs[first : first + each]) if one is not None]
    objects = np.zeros(each)
    for at, one in seen:
        objects[at] = np.count_nonzero(one["gtIgnore"] == 0)
    none = np.zeros((overlaps, 0), bool)
    scores = np.concatenate([np.zeros(0), *(one["dtScores"] for _, one in seen)])
    owner = np.concatenate([np.zeros(0, int), *(np.full(len(one["dtScores"]), at) for at, one in seen)])
    matched = np.concatenate([none, *(one["dtMatches"] > 0 for _, one in seen)], axis=1)
    ignored = np.concatenate([none, *(one["dtIgnore"].astype(bool) for _, one in seen)], axis=1)
    order = np.argsort(-scores, kind="mergesort")
    owner, matched, ignored = owner[order], matched[:, order], ignored[:, order]
    totals = weights @ objects
    made = [
        _interpolated(owner, hit & ~unseen, ~hit & ~unseen, weights, totals, steps)
        for hit, unseen in zip(matched, ignored, strict=True)
    ]
    return np.where(totals[:, None] > 0, np.stack(made, axis=1), np.nan)


def _interpolated(owner: Ints, right: Bools, wrong: Bools, weights: Float, totals: Float, steps: Float) -> Float:
    """Return the mean precision at the 101 levels of recall in each draw, at one overlap.

    Precision is highest at hits, so only they are looked at, and the misses between them are counted.

    Args:
        owner: [D] picture of each answer, best score first.
        right: [D] hits.
        wrong: [D] misses; an answer that counts for nothing is neither.
        weights: [draws, pictures].
        totals: [draws] objects.
        steps: levels of recall.
    """
    hits, misses = np.flatnonzero(right), np.flatnonzero(wrong)
    made = np.zeros(len(weights))
    if not len(hits):
        return made
    behind = np.searchsorted(hits, misses)
    misses, behind = misses[behind < len(hits)], behind[behind < len(hits)]
    for draw in np.flatnonzero(totals):
        often = weights[draw]
        found = np.cumsum(often[owner[hits]])
        missed = np.cumsum(np.bincount(behind, often[owner[misses]], len(hits)))
        exact = found / (found + missed + np.spacing(1))
        envelope = np.append(np.maximum.accumulate(exact[::-1])[::-1], 0.0)
        made[draw] = envelope[np.searchsorted(found / totals[draw], steps, side="left")].mean()
    return made


def _mean(values: Float, axes: tuple[int, ...]) -> Float:
    """Return the mean over axes without those that are NaN; NaN where all are."""
    there = ~np.isnan(values)
    number = there.sum(axis=axes)
    return np.where(number, np.where(there, values, 0).sum(axis=axes) / np.maximum(number, 1), np.nan)


def _point(precisions: Float) -> float | None:
    known = precisions[precisions > -1]
    return float(known.mean()) if known.size else None


def _figure(value: float | None, drawn: Float | None) -> Figure:
    kept = np.zeros(0) if drawn is None else drawn[~np.isnan(drawn)]
    if value is None or not kept.size:
        return Figure(value, None, None)
    low, high = np.quantile(kept, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Figure(value, float(low), float(high))
