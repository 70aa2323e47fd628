"""How much of what must not be seen is hidden: the share of each labelled object that lies under a mask.

Average precision asks whether boxes fit; a person in a picture asks whether any of them shows. So each labelled object
is laid under the grown masks, and counts as hidden when they cover at least 95 % of its area. Shares have the interval
of Wilson, as if objects were independent; those of one picture are not quite, so the true interval is a little wider.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from pycocotools import mask as runs

from wayside.privacy.objects import Mask, Masked, union
from wayside.vision.bysize import wilson
from wayside.vision.coco import CocoPicture, Labelled
from wayside.vision.coco_masks import Rle, box_rle, mask_area, mask_rle, rle_mask
from wayside.vision.decode import Image
from wayside.vision.scoring import DRAWS, SEED

HIDDEN: Final = 0.95
"""Share of an object's area from which it counts as hidden."""

SIZES: Final = (12, 24, 48, 96, 192)
"""Heights in pixels at which the next bin begins."""

_DARK, _BRIGHT = 50.0, 90.0
_EDGE: Final = 2.0
"""An object that comes this near to the edge, in pixels, is taken to be cut off by it."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Objects of one kind: how many, how many are hidden, that share with its interval, the share of their area."""

    name: str
    objects: int
    hidden: int
    share: float | None
    low: float | None
    high: float | None
    area_share: float | None


@dataclass(frozen=True, slots=True)
class Recall:
    """What a run of the anonymiser hides of a labelled set.

    Attributes:
        overall: all labelled objects of the classes that are masked.
        groups: the same by `class`, `size` (height in pixels), `class and size`, `edge`, `light`, and in panoramas by
            `latitude`; `bar` are faces from 24 and plates from 12 pixels of height, where the set labels them.
        masked_share: share of the pictures' area that is masked.
        false_share: share of the pictures' area under masks of classes that the set labels, and on no labelled object,
            with its interval. The margin by which masks are grown counts as false here.
        phantom_share: the same of masks alone that touch no labelled object.
        left_out: class that is labelled and not masked -> how many objects of it are not in these figures.
    """

    overall: Hidden
    groups: Mapping[str, Sequence[Hidden]]
    masked_share: float
    false_share: tuple[float, float, float]
    phantom_share: tuple[float, float, float]
    left_out: Mapping[str, int]


def cover(picture: CocoPicture, image: Image, masked: Sequence[Masked], labels: Iterable[str], *, wrap: bool) -> Row:
    """Lay the labelled objects of one picture under its masks.

    Args:
        picture: what is labelled.
        image: the upright picture, of the size that the set states.
        masked: what is hidden.
        labels: classes that the set labels.
        wrap: whether it is a panorama, whose rows are latitudes.

    Returns:
        Figures of the picture, fit for JSON: `objects` (one each, crowds left out), pixels `masked`, `false` and
        `phantom`, `light` (mean grey level), and `cover`, the mask as packed run lengths.
    """
    height, width = image.shape[:2]
    truths = [(one, _rle(one, height, width)) for one in picture.objects]
    covered = union(masked, height, width)
    hidden = mask_rle(covered)
    labelled = rle_mask(runs.merge([rle for _, rle in truths])) if truths else np.zeros_like(covered)
    judged = _judged_by(labels)
    ours = [one for one in masked if judged(one.found.label)]
    phantoms = [one for one in ours if not _touches(one, labelled)]
    return {
        "objects": [_object(one, rle, hidden, (height, width), wrap=wrap) for one, rle in truths if not one.crowd],
        "masked": mask_area(hidden),
        "false": int(np.count_nonzero(union(ours, height, width) & ~labelled)),
        "phantom": int(np.count_nonzero(union(phantoms, height, width) & ~labelled)),
        "light": round(float(cv2.mean(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[0]), 2),
        "cover": hidden["counts"].decode(),
    }


def recall(rows: Sequence[Row], classes: Iterable[str]) -> Recall:
    """Add up the figures of pictures.

    Args:
        rows: of each picture what `cover` returns, and its `width` and `height`.
        classes: what is masked: labelled objects of other classes are left out, and counted.
    """
    wanted = set(classes)
    everything = [{**one, "light": row["light"]} for row in rows for one in row["objects"]]
    objects = [one for one in everything if one["label"] in wanted]
    left_out: dict[str, int] = {}
    for one in everything:
        if one["label"] not in wanted:
            left_out[one["label"]] = left_out.get(one["label"], 0) + 1
    pixels = np.array([row["width"] * row["height"] for row in rows], float)
    return Recall(
        overall=_hidden("all", objects),
        groups={name: groups for name, kind in _KINDS.items() if (groups := _grouped(objects, kind))},
        masked_share=float(sum(row["masked"] for row in rows) / max(pixels.sum(), 1)),
        false_share=_share_of(np.array([row["false"] for row in rows], float), pixels),
        phantom_share=_share_of(np.array([row["phantom"] for row in rows], float), pixels),
        left_out=dict(sorted(left_out.items())),
    )


def uncovered(row: Row, classes: Iterable[str]) -> int:
    """Return the pixels of labelled objects in one picture that show."""
    wanted = set(classes)
    return sum(one["area"] - one["covered"] for one in row["objects"] if one["label"] in wanted)


def is_hidden(one: Row) -> bool:
    """Tell whether an object of a row counts as hidden."""
    return bool(one["covered"] >= HIDDEN * one["area"])


def _rle(one: Labelled, height: int, width: int) -> Rle:
    return one.rle or box_rle(one.box, height, width)


def _touches(one: Masked, labelled: Mask) -> bool:
    for left, top, mask in one.pieces:
        rows, columns = mask.shape
        if (labelled[top : top + rows, left : left + columns] & mask).any():
            return True
    return False


def _judged_by(labels: Iterable[str]) -> Callable[[str], bool]:
    """Say of which classes a set can tell that a mask is false: faces lie on persons, and plates on vehicles."""
    known = set(labels)
    known |= {"face"} if "person" in known else set()
    known |= {"plate"} if known >= {"car", "truck", "bus"} else set()
    return known.__contains__


def _object(one: Labelled, rle: Rle, hidden: Rle, size: tuple[int, int], *, wrap: bool) -> Row:
    left, top, across, down = one.box
    height, width = size
    sides = () if wrap else (left <= _EDGE, left + across >= width - _EDGE)
    middle = 90 - 180 * (top + down / 2) / height
    return {
        "id": one.id,
        "label": one.label,
        "height": round(down, 2),
        "area": mask_area(rle),
        "covered": mask_area(runs.merge([rle, hidden], intersect=True)),
        "edge": any((top <= _EDGE, top + down >= height - _EDGE, *sides)),
        "latitude": round(middle, 1) if wrap else None,
    }


def _size(one: Row) -> str:
    bounds = (0, *SIZES)
    place = int(np.searchsorted(SIZES, one["height"], side="right"))
    return (
        f"below {SIZES[0]} px"
        if not place
        else f"{bounds[place]} px and more"
        if place == len(SIZES)
        else (f"{bounds[place]} to {bounds[place + 1]} px")
    )


def _light(one: Row) -> str:
    return "dark" if one["light"] < _DARK else "dim" if one["light"] < _BRIGHT else "bright"


def _latitude(one: Row) -> str | None:
    if one["latitude"] is None:
        return None
    high = abs(one["latitude"])
    return "below 30°" if high < 30 else "30° to 60°" if high < 60 else "60° and more"


def _bar(one: Row) -> str | None:
    if one["label"] == "face" and one["height"] >= 24:
        return "faces of 24 px and more"
    return "plates of 12 px and more" if one["label"] == "plate" and one["height"] >= 12 else None


_KINDS: Final[Mapping[str, Callable[[Row], str | None]]] = {
    "bar": _bar,
    "class": lambda one: one["label"],
    "size": _size,
    "class and size": lambda one: f"{one['label']}, {_size(one)}",
    "edge": lambda one: "cut off by the edge" if one["edge"] else "whole",
    "light": _light,
    "latitude": _latitude,
}


_IN_ORDER: Final = ("dark", "dim", "bright", "below 30°", "30° to 60°", "60° and more", "whole", "cut off by the edge")


def _grouped(objects: Sequence[Row], kind: Callable[[Row], str | None]) -> list[Hidden]:
    groups: dict[str, list[Row]] = {}
    # In the order of classes, then of sizes: names of sizes do not sort.
    for one in sorted(objects, key=lambda one: (one["label"], one["height"]) if kind is not _size else one["height"]):
        if (name := kind(one)) is not None:
            groups.setdefault(name, []).append(one)
    names = sorted(groups, key=lambda name: _IN_ORDER.index(name) if name in _IN_ORDER else 0)
    return [_hidden(name, groups[name]) for name in names]


def _hidden(name: str, objects: Sequence[Row]) -> Hidden:
    # A mask can be empty where an object is thinner than a pixel.
    there = [one for one in objects if one["area"]]
    if not there:
        return Hidden(name, 0, 0, None, None, None, None)
    hidden = sum(map(is_hidden, there))
    low, high = wilson(hidden, len(there))
    area = sum(one["area"] for one in there)
    covered = sum(one["covered"] for one in there)
    return Hidden(name, len(there), hidden, hidden / len(there), low, high, covered / area)


def _share_of(parts: np.ndarray[Any, Any], wholes: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Return a share of two sums over pictures with its 95 % interval, by a bootstrap over pictures."""
    if not len(wholes):
        return 0.0, 0.0, 1.0
    often = np.random.default_rng(SEED).multinomial(len(wholes), np.full(len(wholes), 1 / len(wholes)), DRAWS)
    low, high = np.quantile((often @ parts) / (often @ wholes), [0.025, 0.975])
    return float(parts.sum() / wholes.sum()), float(low), float(high)
