"""Finding what must not be seen: road users, faces and plates, each by a detector of its own, joined.

A finder aims at recall. It looks at the whole picture and at every tile (`wayside.privacy.tiles`), with low thresholds,
and joins what it sees (`wayside.privacy.merge`). People on bicycles stay a person and a bicycle: both are masked, and
neither hides behind a derived class. Plates are looked for twice, in the windows and in enlarged cut-outs of the
vehicles; outside of a vehicle only a sure one counts, for signs look like plates.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.privacy.merge import Seen, merged, order
from wayside.privacy.objects import Found, Mask
from wayside.privacy.settings import CLASSES, Finding
from wayside.privacy.tiles import Frame, Views, Window, cut, windows
from wayside.vision.detections import Detections, Outline
from wayside.vision.detector import Detector, load_detector
from wayside.vision.registry import cards
from wayside.vision.registry import find as find_weights
from wayside.vision.segment import pixels

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

ROAD_USERS: Final = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
VEHICLES: Final = frozenset({"car", "motorcycle", "bus", "truck"})

VEHICLE_MARGIN: Final = 0.1
"""A vehicle is taken to be larger by this share of its sides: plates hang at its edges."""

MASK_MARGIN: Final = 0.1
"""An instance mask is drawn into its box grown by this share of its sides."""

LEAST_MASK: Final = 0.1
"""Least share of its box that an instance mask covers; below it the box is the mask."""

LARGE: Final = 0.5
"""What is wider or higher than this share of a tile is for the look at the whole; in the tile it counts only with the
score that the model's card asks for. Small networks, shown nothing but rock or road, see a bus that fills the tile."""

MAX_CROPS: Final = 256
"""Most vehicles of one picture that are cut out to look for plates, the largest first."""

MAX_FOUND: Final = 5000
"""Most findings of all looks together; the best are kept."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model as it was used, for a receipt.

    Attributes:
        name: the card's name.
        sha256: hash of the weights.
        licence: SPDX identifier of the weights' licence.
        thresholds: least score by class, 0..1, of the classes that it was asked for.
    """

    name: str
    sha256: str
    licence: str
    thresholds: Mapping[str, float]


class Finder:
    """Finds the classes of a profile in pictures. Build it with `load_finder`; threads may share one.

    Attributes:
        finding: what is looked for.
        models: what is used.
        missing: cards of models that are asked for and are not on this machine; their classes are not found.
    """

    def __init__(
        self,
        finding: Finding,
        *,
        road_users: Detector | None,
        faces: Detector | None,
        plates: Detector | None,
        missing: tuple[str, ...] = (),
    ) -> None:
        """Join loaded detectors; None: that kind is not looked for."""
        self.finding = finding
        self.missing = missing
        self._road_users, self._faces, self._plates = road_users, faces, plates
        self._detectors = [one for one in (road_users, faces, plates) if one is not None]
        self.models = tuple(
            ModelUse(one.name, one.sha256, one.card.licence, _thresholds(finding, one)) for one in self._detectors
        )
        self._sure = {one.name: one.card.thresholds.score for one in self._detectors}
        self._least = {name: score for use in self.models for name, score in use.thresholds.items()}

    def find(self, image: Image, *, workers: int = 1, looks: Sequence[Window] | None = None) -> list[Found]:
        """Find objects in one upright picture, uint8 [H, W, 3] blue-green-red.

        Args:
            image: the picture, at its full size.
            workers: threads that look at windows of this picture at the same time; the answer is the same.
            looks: the windows to look at; by default those of the profile's tiling.

        Returns:
            The objects of the profile's classes, best score first, in pixels of the picture.

        Raises:
            ModelError: a model does not answer like its family.
        """
        height, width = image.shape[:2]
        tiling = self.finding.tiling
        looks = windows(height, width, tiling) if looks is None else looks
        views = Views(image, looks)
        numbered = list(enumerate(looks))
        seen = [one for found in _map(lambda look: self._look(views, look), numbered, workers) for one in found]
        found = merged(_bounded(seen), height, width, wrap=tiling.wrap)
        if self._plates is not None:
            in_windows = [one for one in seen if one.found.label == "plate"]
            found = [one for one in found if one.label != "plate"]
            found += self._plates_of(image, found, in_windows, first=len(looks), workers=workers)
        return sorted((one for one in found if one.label in self.finding.classes), key=order)

    def _plates_of(
        self, image: Image, found: Sequence[Found], seen: Sequence[Seen], *, first: int, workers: int
    ) -> list[Found]:
        """Look at every vehicle for plates, and join what is there with the plates `seen` in windows.

        Looks at vehicles are numbered from `first`.
        """
        height, width = image.shape[:2]
        wrap = self.finding.tiling.wrap
        vehicles = [one for one in found if one.label in VEHICLES]
        crops = list(enumerate(_crops(vehicles, height, width, wrap=wrap), start=first))
        closer = _map(lambda look: self._look_for_plates(image, look), crops, workers)
        every = _bounded([*seen, *(one for plates in closer for one in plates)])
        plates = merged(every, height, width, wrap=wrap)
        return [one for one in plates if self._counts(one, vehicles, width)]

    def _look(self, views: Views, look: tuple[int, Window]) -> list[Seen]:
        """Let every detector look at one window."""
        number, window = look
        part, frame = views.cut(window)
        found = [one for detector in self._detectors for one in self._found(detector, part, frame)]
        tile = window.width * window.height < views.pixels
        return [Seen(one, window, number) for one in found if not (tile and self._too_large(one, window))]

    def _too_large(self, one: Found, window: Window) -> bool:
        """Say whether a finding is too large for its tile, and not sure of itself."""
        left, top, right, bottom = one.box
        fills = max((right - left) / window.width, (bottom - top) / window.height) > LARGE
        return fills and one.score < self._sure[one.model]

    def _look_for_plates(self, image: Image, look: tuple[int, Window]) -> list[Seen]:
        """Let the plate detector look at one vehicle."""
        number, window = look
        frame = (window.left, window.top, window.width, window.height)
        found = self._found(self._plates, cut(image, window), frame) if self._plates else []
        return [Seen(one, window, number) for one in found]

    def _found(self, detector: Detector, part: Image, frame: Frame) -> list[Found]:
        """List what a detector finds in a part of a picture, in pixels of the picture."""
        detections = detector.detect(part)
        found = _in_pixels(detections, frame, detector.name)
        return [one for one in found if one.score >= self._least.get(one.label, 2.0)]

    def _counts(self, plate: Found, vehicles: Sequence[Found], width: int) -> bool:
        """Say whether a plate counts: sure of itself, or inside a vehicle."""
        finding = self.finding
        if not finding.plates_inside_vehicles or plate.score >= finding.plate_alone_score:
            return True
        period = width if finding.tiling.wrap else 0
        return any(_inside(plate, vehicle, period) for vehicle in vehicles)


def load_finder(finding: Finding, settings: Settings) -> Finder:
    """Load the models of a profile.

    Args:
        finding: what is looked for.
        settings: where models lie, which licences are allowed, which device is wanted.

    Returns:
        The finder. Where the face or the plate detector is not on this machine and `finding.missing_models` is
        `warn`, it does without, and names it in `missing`.

    Raises:
        ConfigError: the detector does not know a class that is asked for, or a card is of the wrong kind.
        ModelError: the detector of road users is not here, or another is not and `missing_models` is `fail`.
        ModelHashError: weights are not those of their card.
        ModelLicenceError: a licence is not allowed.
        ProviderError: the device that is demanded is not there.
    """
    asked = set(finding.classes)
    wants_plates = "plate" in asked and finding.plate_detector is not None
    wants_road_users = bool(asked & set(ROAD_USERS)) or (wants_plates and finding.plates_inside_vehicles)
    faces = finding.face_detector if "face" in asked else None
    optional = {"face": faces, "plate": finding.plate_detector if wants_plates else None}
    missing = tuple(name for name in optional.values() if name is not None and not _is_here(name, settings))
    if missing and finding.missing_models == "fail":
        raise ModelError(
            f"{', '.join(missing)} not on this machine: run `wayside models pull {missing[0]}`, or let the profile "
            f"go on without (`missing_models: warn`)"
        )
    loaded = {
        task: _load(name, task, finding, settings) if name is not None and name not in missing else None
        for task, name in optional.items()
    }
    road_users = _load(finding.detector, "detect", finding, settings) if wants_road_users else None
    return Finder(finding, road_users=road_users, faces=loaded["face"], plates=loaded["plate"], missing=missing)


def _is_here(name: str, settings: Settings) -> bool:
    """Say whether there is a card, and its weights are on this machine."""
    known = cards(settings)
    return name in known and find_weights(known[name], settings) is not None


def _load(name: str, task: str, finding: Finding, settings: Settings) -> Detector:
    """Load a detector with the lowest threshold of its classes; what is above one of them is sorted out later."""
    card = cards(settings).get(name)
    if card is not None and card.task != task:
        raise ConfigError(f"{name} is a model for the task {card.task}, not for {task}")
    if card is not None and task == "detect":
        known = {label for _, label in card.kept}
        unknown = [label for label in finding.classes if label in ROAD_USERS and label not in known]
        if unknown:
            raise ConfigError(f"{name} does not know {', '.join(unknown)}: choose another detector, or other classes")
    card_score = card.thresholds.score if card is not None else 0.0
    labels = ROAD_USERS if task == "detect" else (task,)
    default = _default(finding, card_score)
    wanted = [finding.scores.get(label, default) for label in CLASSES if label in labels]
    return load_detector(name, settings, score=min(wanted), riders=False)


def _default(finding: Finding, card_score: float) -> float:
    return card_score if finding.score is None else finding.score


def _thresholds(finding: Finding, detector: Detector) -> dict[str, float]:
    """Return the least score of each class that a detector can name, in the order of `CLASSES`."""
    default = _default(finding, detector.card.thresholds.score)
    return {label: finding.scores.get(label, default) for label in CLASSES if label in detector.classes}


def _in_pixels(detections: Detections, frame: Frame, model: str) -> Iterator[Found]:
    """Yield detections as findings, their boxes rounded outwards to pixels of the picture in which the frame lies."""
    masks = detections.outlines or (None,) * len(detections)
    for fractions, score, label, outline in zip(
        detections.boxes, detections.scores, detections.labels, masks, strict=True
    ):
        left, top, right, bottom = (float(side) for side in fractions)
        box = (
            math.floor(frame[0] + left * frame[2]),
            math.floor(frame[1] + top * frame[3]),
            math.ceil(frame[0] + right * frame[2]),
            math.ceil(frame[1] + bottom * frame[3]),
        )
        box, mask = (box, None) if outline is None else _drawn(outline, box, frame)
        yield Found(label=label, score=float(score), box=box, mask=mask, model=model)


def _drawn(outline: Outline, box: Box, frame: Frame) -> tuple[Box, Mask | None]:
    """Draw an instance mask into its box, a little larger, for masks reach beyond boxes; cut it to what it covers.

    A mask that covers next to nothing of its box is one that failed: then the box counts.
    """
    across, down = math.ceil((box[2] - box[0]) * MASK_MARGIN), math.ceil((box[3] - box[1]) * MASK_MARGIN)
    left, top = max(math.floor(frame[0]), box[0] - across), max(math.floor(frame[1]), box[1] - down)
    right = min(math.ceil(frame[0] + frame[2]), box[2] + across)
    bottom = min(math.ceil(frame[1] + frame[3]), box[3] + down)
    mask = pixels(outline, (left, top, right, bottom), frame)
    if np.count_nonzero(mask) < LEAST_MASK * (box[2] - box[0]) * (box[3] - box[1]):
        return box, None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    first, last = (int(columns[0]), int(rows[0])), (int(columns[-1]) + 1, int(rows[-1]) + 1)
    tight = (left + first[0], top + first[1], left + last[0], top + last[1])
    return tight, mask[first[1] : last[1], first[0] : last[0]].copy()


def _crops(vehicles: Iterable[Found], height: int, width: int, *, wrap: bool) -> list[Window]:
    """Return a window around each vehicle, grown a little, largest first."""
    crops = []
    for one in sorted(vehicles, key=lambda found: (-_size(found), *order(found)))[:MAX_CROPS]:
        left, top, right, bottom = _with_margin(one)
        left, right = (left, min(right, left + width)) if wrap else (max(0, left), min(width, right))
        top, bottom = max(0, top), min(height, bottom)
        crops.append(Window(left % width, top, right - left, bottom - top, right - left))
    return crops


def _with_margin(one: Found) -> tuple[int, int, int, int]:
    left, top, right, bottom = one.box
    across, down = math.ceil((right - left) * VEHICLE_MARGIN), math.ceil((bottom - top) * VEHICLE_MARGIN)
    return left - across, top - down, right + across, bottom + down


def _size(one: Found) -> int:
    left, top, right, bottom = one.box
    return (right - left) * (bottom - top)


def _inside(plate: Found, vehicle: Found, period: int) -> bool:
    """Say whether the middle of a plate lies in a vehicle that is grown a little."""
    left, top, right, bottom = _with_margin(vehicle)
    across, down = (plate.box[0] + plate.box[2]) / 2, (plate.box[1] + plate.box[3]) / 2
    turns = (-period, 0, period) if period else (0,)
    return top <= down <= bottom and any(left <= across + turn <= right for turn in turns)


def _bounded(seen: list[Seen]) -> list[Seen]:
    """Keep the best of far too many findings."""
    if len(seen) <= MAX_FOUND:
        return seen
    return sorted(seen, key=lambda one: (*order(one.found), one.look))[:MAX_FOUND]


def _map(work: Callable[[_Item], _Answer], items: Sequence[_Item], workers: int) -> list[_Answer]:
    """Do something to all items, by several threads where that is asked for; answers come in order."""
    if workers <= 1 or len(items) <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(work, items))
