"""Pictures of the demo city, with the truth about what is in them.

    from datetime import UTC, datetime
    from wayside.sources.demo.city import DemoCity
    from wayside.sources.demo.render import encode, render, truth

    city = DemoCity(seed=7, tfl_cameras=200, uo_cameras=40)
    camera = city.tfl(3)                      # or city.uo(5), city.camera("00002.00480"), city.cameras()
    scene = render(camera, datetime(2026, 5, 4, 8, 40, tzinfo=UTC))
    scene.image                               # uint8, BGR, 288x352x3 (TfL-like) or 480x640x3 (UO-like)
    scene.objects                             # list[Truth]
    encode(scene.image)                       # JPEG bytes, fixed quality

`Truth.label` is one of LABELS. `Truth.box` is (x1, y1, x2, y2) in fractions 0..1 of the picture, clipped to it.
`Truth.visible` is the share of the object's outline that is inside the picture and not hidden by nearer things; objects
with less than MIN_VISIBLE are drawn but not listed. `parked` objects keep their place for hours. For a cyclist or a
motorcyclist `rider_box` and `cycle_box` give the person and the two-wheeler apart. Nothing smaller than 9 pixels high
(14 for a person) is drawn or listed.

`truth(camera, when)` gives the same list without drawing; `expected_counts(camera, when)` counts what a counting
pipeline should find: everything not parked and at least half visible.

All of it is a pure function of (city seed, camera id, moment to the second). Faults (`city.faults()`) other than a
moved camera are added by the server, not here. `render(..., captions=False)` leaves the burnt-in text out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo import painters
from wayside.sources.demo.backdrop import Backdrop, build, lit
from wayside.sources.demo.brush import GROUND, SCALE, Mask
from wayside.sources.demo.city import TFL, DemoCamera, short_name
from wayside.sources.demo.dice import Dice, seed_of
from wayside.sources.demo.figures import Box, Figure, figure_of
from wayside.sources.demo.finish import caption, character, develop
from wayside.sources.demo.street import Lens, Street, lens_of, street_of
from wayside.sources.demo.traffic import Traffic
from wayside.sources.demo.weather import Light, light_at

Image = NDArray[np.uint8]

LABELS = ("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van")
MIN_VISIBLE = 0.1
JPEG_QUALITY = 82
LIGHT_STEP = 600


@dataclass(frozen=True)
class Truth:
    """One object in a picture; see the module's text for what the fields mean."""

    label: str
    box: Box
    visible: float
    parked: bool
    track_id: str
    rider_box: Box | None = None
    cycle_box: Box | None = None


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it."""

    image: Image
    objects: list[Truth]


@lru_cache(maxsize=256)
def _place(camera: DemoCamera, pose: int) -> tuple[Street, Lens, Traffic]:
    street = street_of(camera.street_seed)
    lens = lens_of(street, camera.size, pose)
    dice = Dice(seed_of("level", camera.street_seed))
    town = street.style in {"high street", "offices"}
    level = dice.between(0.22, 0.7)
    walkers = dice.between(0.25, 0.9) * (1.0 if town else 0.4)
    return street, lens, Traffic(street, camera.id, camera.region, level, walkers)


@lru_cache(maxsize=40)
def _backdrop(camera: DemoCamera, pose: int) -> Backdrop:
    street, lens, _ = _place(camera, pose)
    return build(street, lens)


@lru_cache(maxsize=8)
def _empty(camera: DemoCamera, pose: int, step: int) -> tuple[Image, Image, Light]:
    """The empty street in the light of a ten-minute step."""
    when = datetime.fromtimestamp(step * LIGHT_STEP, tz=UTC)
    street, _, _ = _place(camera, pose)
    light = light_at(camera.city_seed, camera.region, when, camera.lat, camera.lon, street.bearing)
    image, facing = lit(_backdrop(camera, pose), light)
    return image, facing, light


def _figures(camera: DemoCamera, when: datetime, pose: int) -> list[Figure]:
    """Everyone in view, far ones first."""
    _, lens, traffic = _place(camera, pose)
    found = [figure_of(actor, lens) for actor in traffic.at(when)]
    return sorted((figure for figure in found if figure is not None), key=lambda f: (-f.depth, f.actor.track_id))


def _visible(figures: list[Figure], backdrop: Backdrop) -> list[float]:
    """The share of each figure's outline that can be seen, from a picture of numbers."""
    width, height = backdrop.lens.width, backdrop.lens.height
    numbers = np.zeros((height, width), np.uint8)
    masks = _by_distance(backdrop)
    left = 0
    for number, figure in enumerate(figures[:254]):
        while left < len(masks) and masks[left].depth > figure.depth:
            _stamp(numbers, masks[left])
            left += 1
        cv2.fillConvexPoly(numbers, figure.hull, number + 1, cv2.LINE_8, 4)
    for mask in masks[left:]:
        _stamp(numbers, mask)
    seen = np.bincount(numbers.ravel(), minlength=len(figures) + 1)
    shares = []
    for number, figure in enumerate(figures):
        # Filling includes the outline's own pixels, half of which lie outside.
        full = cv2.contourArea(figure.hull) / 256 + cv2.arcLength(figure.hull, True) / 32 + 1
        shares.append(round(min(1.0, float(seen[number + 1]) / full), 3) if number < 254 else 0.0)
    return shares


def _by_distance(backdrop: Backdrop) -> list[Mask]:
    return sorted(backdrop.masks, key=lambda mask: -mask.depth)


def _stamp(numbers: Image, mask: Mask) -> None:
    small = mask.mask[mask.y % 2 :: 2, mask.x % 2 :: 2]
    y, x = (mask.y + 1) // 2, (mask.x + 1) // 2
    part = numbers[y : y + small.shape[0], x : x + small.shape[1]]
    part[small[: part.shape[0], : part.shape[1]] > 0] = 0


def _fractions(box: Box, lens: Lens) -> Box:
    def cut(value: float, size: int) -> float:
        return round(min(1.0, max(0.0, value / size)), 5)

    return cut(box[0], lens.width), cut(box[1], lens.height), cut(box[2], lens.width), cut(box[3], lens.height)


def _truths(figures: list[Figure], shares: list[float], lens: Lens) -> list[Truth]:
    truths = []
    for figure, share in zip(figures, shares, strict=True):
        if share < MIN_VISIBLE:
            continue
        actor = figure.actor
        truths.append(
            Truth(
                actor.label,
                _fractions(figure.box, lens),
                share,
                actor.parked,
                actor.track_id,
                None if figure.rider is None else _fractions(figure.rider, lens),
                None if figure.cycle is None else _fractions(figure.cycle, lens),
            )
        )
    return truths


def _pose(camera: DemoCamera, when: datetime) -> int:
    return 1 if camera.moves and when.astimezone(UTC).hour >= 12 else 0


def truth(camera: DemoCamera, when: datetime) -> list[Truth]:
    """What is in the picture of a camera at a moment, without drawing it."""
    when = when.astimezone(UTC).replace(microsecond=0)
    pose = _pose(camera, when)
    figures = _figures(camera, when, pose)
    backdrop = _backdrop(camera, pose)
    return _truths(figures, _visible(figures, backdrop), backdrop.lens)


def expected_counts(camera: DemoCamera, when: datetime) -> dict[str, int]:
    """How many of each label a counting pipeline should find: not parked, at least half visible."""
    counts = dict.fromkeys(LABELS, 0)
    for item in truth(camera, when):
        if not item.parked and item.visible >= 0.5:
            counts[item.label] += 1
    return counts


def _paint(canvas: Image, figures: list[Figure], backdrop: Backdrop, facing: Image, light: Light, region: str) -> None:
    """Painter's order: far figures first, standing things put back in front of what is behind them."""
    empty = canvas.copy()
    painters.draw_shadows(canvas, backdrop.ground, figures, backdrop.lens, light)
    masks = _by_distance(backdrop)
    left = 0
    for figure in figures:
        while left < len(masks) and masks[left].depth > figure.depth:
            _restore(canvas, empty, masks[left])
            left += 1
        foot = backdrop.lens.project(np.array([[figure.actor.x, figure.actor.y, 0.0]]))[0]
        row = int(min(max(foot[1] * SCALE, 0), facing.shape[0] - 1))
        column = int(min(max(foot[0] * SCALE, 0), facing.shape[1] - 1))
        shaded = bool(facing[row, column] == GROUND + 1)
        shine = painters.shine_on(light, float(backdrop.lamp[row, column]) / 255, shaded)
        if figure.body is not None:
            painters.draw_vehicle(canvas, figure, backdrop.lens, shine, region)
        else:
            painters.draw_limbs(canvas, figure, backdrop.lens, shine)
    for mask in masks[left:]:
        _restore(canvas, empty, mask)


def _restore(canvas: Image, empty: Image, mask: Mask) -> None:
    rows, columns = mask.mask.shape
    part = (slice(mask.y, mask.y + rows), slice(mask.x, mask.x + columns))
    cv2.copyTo(empty[part], mask.mask, canvas[part])


def _lights(canvas: Image, figures: list[Figure], shares: list[float], lens: Lens, light: Light) -> Image | None:
    """Switch on the lamps of everything that drives in the dark; returns the glow around them."""
    if light.lamp < 0.3 and light.rain < 0.3:
        return None
    glow = np.zeros((lens.height // 2, lens.width // 2, 3), np.uint8)
    for figure, share in zip(figures, shares, strict=True):
        if share > 0.3 and not figure.actor.parked and figure.actor.label != "person":
            painters.draw_lights(glow, canvas, figure, lens, light)
    return glow


def render(camera: DemoCamera, when: datetime, *, captions: bool = True) -> Scene:
    """The picture that a camera takes at a moment, and what is in it."""
    when = when.astimezone(UTC).replace(microsecond=0)
    pose = _pose(camera, when)
    backdrop = _backdrop(camera, pose)
    image, facing, light = _empty(camera, pose, int(when.timestamp() // LIGHT_STEP))
    figures = _figures(camera, when, pose)
    shares = _visible(figures, backdrop)
    canvas = image.copy()
    _paint(canvas, figures, backdrop, facing, light, camera.region)
    glow = _lights(canvas, figures, shares, backdrop.lens, light)
    small = cv2.resize(canvas, camera.size, interpolation=cv2.INTER_AREA)
    dice = Dice(seed_of("finish", camera.street_seed, int(when.timestamp())))
    picture = develop(np.asarray(small, np.uint8), glow, backdrop.ground, light, character(camera.street_seed), dice)
    if captions:
        _captions(picture, camera, when)
    return Scene(picture, _truths(figures, shares, backdrop.lens))


def _captions(picture: Image, camera: DemoCamera, when: datetime) -> None:
    if camera.region == TFL:
        stamp = when.strftime("%a %d %b %H:%M")
        caption(picture, stamp, f"{short_name(camera.name)}/{short_name(camera.crossing)}")
    else:
        caption(picture, when.strftime("%d-%m-%Y %H:%M:%S"), "")


def encode(image: Image) -> bytes:
    """JPEG bytes of a picture, always at the same quality."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not encode a picture of shape {image.shape}")
    return data.tobytes()


__all__ = [
    "LABELS", "LIGHT_STEP", "MIN_VISIBLE", "Scene", "Truth", "encode", "expected_counts", "render", "truth",
]  # fmt: skip
