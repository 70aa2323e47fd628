"""Which detected objects stand still? The static-object filter, in the old system's version 0 and in our version 1.

An object that looks the same ten minutes earlier or later is parked, or part of the street, and is not counted. Both
versions compare the current picture with its neighbours by structural similarity, draw a mask of what moved, and keep
an object if enough of its box moved. `docs/FILTERS.md` sets the two side by side.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.quality.boxes import FloatBoxes, PixelBoxes, check_columns, duplicates_v0, duplicates_v1, to_pixels
from wayside.quality.motion import Mask, camera_shift, clean, moves_v0, moves_v1, pixels_inside
from wayside.quality.picture import Frame, Picture, as_picture
from wayside.quality.settings import StaticObjectSettings, StaticObjectSettingsV1
from wayside.quality.similarity import SIDE, compare

Neighbours = Literal["none", "previous", "next", "both"]

NO_NEIGHBOUR: Final = "no_neighbour"
SIZE_MISMATCH: Final = "size_mismatch"
CAMERA_MOVED: Final = "camera_moved"
TOO_SMALL: Final = "too_small"

_ALIKE: Final = 0.9  # pictures more similar than this hide no displacement, so none is searched


@dataclass(frozen=True, eq=False)
class StaticVerdict:
    """What the filter says of the N objects in one picture.

    Attributes:
        usable: False when nothing can be said of motion; the old system then called the whole row faulty.
        reason: why it is not usable, one of this module's words; else None.
        ssim_previous: mean SSIM with the picture before, -1..1; None when it was not compared.
        ssim_next: the same with the picture after.
        duplicate: bool, [N], True for a box that doubles another and is dropped.
        moving_share: float32, [N], share of the box that moved, 0..1; NaN when not usable.
        static: bool, [N], True for an object that stands still; all False when not usable.
        neighbours: which neighbours' masks decided.
    """

    usable: bool
    reason: str | None
    ssim_previous: float | None
    ssim_next: float | None
    duplicate: NDArray[np.bool_]
    moving_share: NDArray[np.float32]
    static: NDArray[np.bool_]
    neighbours: Neighbours


@dataclass(frozen=True, eq=False)
class Change:
    """Two pictures compared by one of the filters; the same whichever of them came first.

    Handed to `apply` in place of a neighbour it saves the comparison: what the next picture is to this slot, this
    slot's picture is to the next one. A change belongs to the filter that made it.

    Attributes:
        ssim: mean SSIM, -1..1.
        same_scene: True when both pictures show the same view.
        moving: bool, H×W, the pixels that differ.
        smallest: px², below which a moving patch is noise.
    """

    ssim: float
    same_scene: bool
    moving: NDArray[np.bool_]
    smallest: float

    @cached_property
    def mask(self) -> Mask:
        """What moved, without noise: uint8, H×W, 255 or 0."""
        return clean(self.moving, self.smallest)


Neighbour: TypeAlias = Frame | Change | None
Pair: TypeAlias = tuple[Change | None, Change | None]


class _StaticObjectFilter(ABC):
    """What both versions share: the way in, and the rule that turns shares into verdicts."""

    settings: StaticObjectSettings

    def apply(
        self,
        previous: Neighbour,
        current: Frame,
        next: Neighbour,  # noqa: A002
        boxes: FloatBoxes,
        scores: FloatBoxes,
        labels: Sequence[str],
    ) -> StaticVerdict:
        """Judge the objects of one picture.

        Args:
            previous: the picture ten minutes before: uint8 BGR H×W×3, a `Picture`, or what `compare` made of it and
                the current one; None: missing, undecodable or not comparable.
            current: the picture in which the objects were found.
            next: the picture ten minutes after, as `previous`.
            boxes: float, [N, 4], left, top, right, bottom, fractions 0..1 of the picture, origin top left.
            scores: float, [N], 0..1.
            labels: N class names.

        Raises:
            ImageError: reason `not_a_picture`, when an array is no picture.
            WaysideError: boxes, scores and labels do not belong together.
        """
        picture = as_picture(current)
        pixels = to_pixels(boxes, picture.height, picture.width)
        return self.apply_pixels(previous, picture, next, pixels, scores, labels)

    def apply_pixels(
        self,
        previous: Neighbour,
        current: Frame,
        next: Neighbour,  # noqa: A002
        boxes_px: PixelBoxes,
        scores: FloatBoxes,
        labels: Sequence[str],
    ) -> StaticVerdict:
        """Judge objects whose boxes are whole pixels, [top, left, bottom, right]; all else is as in `apply`."""
        check_columns(boxes_px, scores, len(labels))
        # A score is what the tables show of it: 0.8 as a float32 is not above 0.8.
        rounded = np.array([round(float(score), 4) for score in scores], np.float64)
        duplicate = self._duplicates(boxes_px, rounded)
        picture, before, after = as_picture(current), _wrapped(previous), _wrapped(next)
        if reason := self._obstacle(before, picture, after):
            return _unusable(reason, duplicate, (None, None))
        pair = self._change(before, picture), self._change(after, picture)
        neighbours = self._choose(*pair)
        if neighbours == "none":
            return _unusable(CAMERA_MOVED, duplicate, pair)
        share = self._share(self._mask(pair, neighbours), boxes_px) if len(boxes_px) else np.zeros(0)
        moves = self._moves(share, rounded, labels)
        return StaticVerdict(True, None, *_ssims(pair), duplicate, share.astype(np.float32), ~moves, neighbours)

    @abstractmethod
    def compare(self, one: Frame, other: Frame) -> Change:
        """Compare two pictures of the same size; `ImageError` when the sizes differ or are below 7 pixels."""

    @abstractmethod
    def _duplicates(self, boxes: PixelBoxes, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which boxes double another: bool, [N]."""

    @abstractmethod
    def _choose(self, before: Change | None, after: Change | None) -> Neighbours:
        """Say whose masks decide; at least one of the two is there."""

    @abstractmethod
    def _share(self, mask: Mask, boxes: PixelBoxes) -> NDArray[np.float64]:
        """Return the share of each box that moved: float64, [N], 0..1."""

    def _obstacle(
        self, before: Picture | Change | None, picture: Picture, after: Picture | Change | None
    ) -> str | None:
        """Say why the pictures cannot be compared; None when they can."""
        if before is None and after is None:
            return NO_NEIGHBOUR
        if not (_fits(before, picture) and _fits(after, picture)):
            return SIZE_MISMATCH
        return TOO_SMALL if min(picture.height, picture.width) < SIDE else None

    def _change(self, neighbour: Picture | Change | None, picture: Picture) -> Change | None:
        return self.compare(neighbour, picture) if isinstance(neighbour, Picture) else neighbour

    def _mask(self, pair: Pair, neighbours: Neighbours) -> Mask:
        wanted = ("previous", "both"), ("next", "both")
        masks = [change.mask for change, names in zip(pair, wanted, strict=True) if change and neighbours in names]
        return masks[0] if len(masks) == 1 else self._both(*masks)

    def _both(self, before: Mask, after: Mask) -> Mask:
        return np.asarray(cv2.bitwise_and(before, after), np.uint8)

    def _moves(
        self, share: NDArray[np.float64], scores: NDArray[np.float64], labels: Sequence[str]
    ) -> NDArray[np.bool_]:
        settings = self.settings
        person = np.array(["person" in label for label in labels], bool) & (scores > settings.confidence_person)
        least = np.where(person, settings.minimum_mask_proportion_person, np.inf)
        return share >= np.minimum(least, settings.minimum_mask_proportion)


class StaticObjectFilterV0(_StaticObjectFilter):
    """The old system's filter, decision for decision, its slips included.

    The slips: `boxes.duplicates_v0` skips comparisons; `motion.moves_v0` takes negative similarity for likeness;
    `Picture.grey_swapped` exchanges red and blue; shares are taken of (height+1)·(width+1) pixels; and where one of
    the neighbours shows another scene, be it the next, the mask of the next picture decides alone.

    Where the old system failed with an exception, because a neighbour of another size reached this stage or the
    picture is smaller than the SSIM window, the verdict here is not usable and its reason says so.

    Args:
        settings: the fields of `StaticObjectSettings` by name; `ConfigError` for a wrong name or value.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = StaticObjectSettings.of(settings)

    def compare(self, one: Frame, other: Frame) -> Change:
        """Compare two pictures of the same size; `ImageError` when the sizes differ or are below 7 pixels."""
        ssim, moving = compare(as_picture(one).window_swapped, as_picture(other).window_swapped, moves_v0)
        settings = self.settings
        return Change(ssim, ssim > settings.scenecut_threshold, moving, settings.contour_area_threshold)

    def _duplicates(self, boxes: PixelBoxes, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        return duplicates_v0(boxes, scores)

    def _choose(self, before: Change | None, after: Change | None) -> Neighbours:
        if after is None:
            return "previous"
        return "both" if before is not None and before.same_scene and after.same_scene else "next"

    def _share(self, mask: Mask, boxes: PixelBoxes) -> NDArray[np.float64]:
        height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        return pixels_inside(mask, boxes) / np.maximum((height + 1) * (width + 1), 1)


class StaticObjectFilterV1(_StaticObjectFilter):
    """The same idea, mended.

    Overlapping boxes are suppressed without skips; similarity keeps its sign; grey is luma; shares are of the pixels
    that the box has. A neighbour is trusted only if it shows the same view: mean SSIM above `scenecut_threshold` and
    the scene not displaced. With no neighbour to trust, the verdict is not usable and the reason is `camera_moved`.
    A neighbour of another size counts as missing.

    Args:
        settings: the fields of `StaticObjectSettingsV1` by name; `ConfigError` for a wrong name or value.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = StaticObjectSettingsV1.of(settings)
        self.settings = self._settings

    def compare(self, one: Frame, other: Frame) -> Change:
        """Compare two pictures of the same size; `ImageError` when the sizes differ or are below 7 pixels."""
        first, second, settings = as_picture(one), as_picture(other), self._settings
        ssim, moving = compare(first.window, second.window, moves_v1)
        same_scene = ssim > settings.scenecut_threshold and (
            ssim > _ALIKE or camera_shift(first.grey, second.grey) < settings.camera_shift_threshold
        )
        return Change(ssim, same_scene, moving, settings.contour_area_threshold)

    def _duplicates(self, boxes: PixelBoxes, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        return duplicates_v1(boxes, scores, self._settings.overlap_threshold)

    def _obstacle(
        self, before: Picture | Change | None, picture: Picture, after: Picture | Change | None
    ) -> str | None:
        if before is None and after is None:
            return NO_NEIGHBOUR
        usable = [side for side in (before, after) if side is not None and _fits(side, picture)]
        return super()._obstacle(usable[0], picture, None) if usable else SIZE_MISMATCH

    def _change(self, neighbour: Picture | Change | None, picture: Picture) -> Change | None:
        return super()._change(neighbour, picture) if _fits(neighbour, picture) else None

    def _choose(self, before: Change | None, after: Change | None) -> Neighbours:
        trusted = bool(before and before.same_scene), bool(after and after.same_scene)
        names: dict[tuple[bool, bool], Neighbours] = {
            (True, True): "both", (True, False): "previous", (False, True): "next",
        }  # fmt: skip
        return names.get(trusted, "none")

    def _both(self, before: Mask, after: Mask) -> Mask:
        if self._settings.neighbours_rule == "all":
            return super()._both(before, after)
        return np.asarray(cv2.bitwise_or(before, after), np.uint8)

    def _share(self, mask: Mask, boxes: PixelBoxes) -> NDArray[np.float64]:
        low = np.maximum(boxes[:, :2], 0)
        sides = np.minimum(boxes[:, 2:], mask.shape) - low
        return np.asarray(pixels_inside(mask, boxes) / np.maximum(sides[:, 0] * sides[:, 1], 1), np.float64)


def _wrapped(neighbour: Neighbour) -> Picture | Change | None:
    return neighbour if neighbour is None or isinstance(neighbour, Change) else as_picture(neighbour)


def _fits(neighbour: Picture | Change | None, picture: Picture) -> bool:
    """Say whether a neighbour has the picture's size; a missing one does no harm."""
    if neighbour is None:
        return True
    shape = neighbour.moving.shape if isinstance(neighbour, Change) else neighbour.image.shape[:2]
    return shape == picture.image.shape[:2]


def _ssims(pair: Pair) -> tuple[float | None, float | None]:
    before, after = pair
    return before.ssim if before else None, after.ssim if after else None


def _unusable(reason: str, duplicate: NDArray[np.bool_], pair: Pair) -> StaticVerdict:
    unknown = np.full(len(duplicate), np.nan, np.float32)
    return StaticVerdict(False, reason, *_ssims(pair), duplicate, unknown, np.zeros(len(duplicate), bool), "none")
