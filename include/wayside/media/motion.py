"""When something moves in a video of a fixed camera: events with a score, a cover picture, colours and a direction.

Pictures are looked at some times a second, shrunken, and compared with a background model. Something moves when it
differs from the background *and* has changed since the look before; a person who stands still for a moment, and so
goes on to differ, holds the event open, while what was left standing, or the empty place of what drove off, does not.
Looks that follow each other closely are one event.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wayside.media.background import Background, Blob, Scene, Small
from wayside.media.colours import dominant, tally
from wayside.media.frames import Frame, Image

_SECOND: Final = 1_000_000
_LONGEST_STEP_S: Final = 2.0  # a longer pause between looks teaches the model no more than this one
_NEAR: Final = 0.2  # of the picture: a blob is no further from where it was at the look before
_JITTER: Final = 0.004  # of the picture: shorter steps are none
_COHERENT: Final = 0.5  # share of all steps that have to go one way
_TRAVEL: Final = 0.08  # of the picture, in all: less goes nowhere
_GROWTH: Final = math.log(1.8)  # of the area, in all
_ACROSS: Final = 0.5  # of the width: what goes so far to a side goes there, however it grows
_SHARP: Final = 0.6  # of the sharpest picture of an event: a cover is no less so


class MotionOptions(BaseModel):
    """How motion is looked for. The defaults suit a camera that sees people and vehicles at 5 to 100 metres."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: float = Field(5.0, gt=0, le=60, description="looks a second; also how exactly events begin and end")
    width: int = Field(320, ge=64, le=960, description="pixels of width that a picture is shrunk to")
    threshold: float = Field(16.0, ge=2, le=200, description="grey levels by which a pixel has to differ")
    least_area: float = Field(0.001, gt=0, le=1, description="share of the picture that something has at least")
    least_seconds: float = Field(0.5, ge=0, le=60, description="shorter events are left out")
    close_gap_s: float = Field(
        1.0,
        ge=0,
        le=600,
        description="events this close are one; short, so that people who pass one after the other stay apart: what "
        "stands still for a moment is bridged by itself",
    )
    pad_s: float = Field(0.5, ge=0, le=60, description="added before and after each event, not into another one")
    longest_s: float = Field(60.0, ge=1, le=120, description="longer events are cut in equal pieces")
    samples: int = Field(4, ge=0, le=50, description="further pictures of each event, beside its cover")
    still_s: float = Field(30.0, ge=0, le=600, description="how long something may stand still within an event")
    absorb_s: float = Field(45.0, ge=1, le=3600, description="what stays for longer belongs to the background")
    warm_up_s: float = Field(4.0, ge=0, le=60, description="seconds whose median is the first background")
    flood: float = Field(0.6, gt=0, le=1, description="a larger share cannot begin to differ at once, but for light")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.least_seconds > self.longest_s:
            raise ValueError("least_seconds is more than longest_s")
        return self


@dataclass(frozen=True, slots=True)
class Motion:
    """One event; times are microseconds from the first picture of the video.

    Attributes:
        start_us: when it begins, padding included.
        end_us: when it ends; not part of it.
        score: how much moves: the largest share of the picture, 0..1.
        cover_us: time of the picture in which most moves, of those that are sharp.
        sample_us: times of further pictures, spread over the event, in order.
        colours: names of the colours of what moves, the most frequent first, at most three.
        direction: `left`, `right`, `up`, `down`, `approaching`, `departing`; None where it goes nowhere.
    """

    start_us: int
    end_us: int
    score: float
    cover_us: int
    sample_us: tuple[int, ...]
    colours: tuple[str, ...]
    direction: str | None


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """What was seen at one instant at which something moved or stood still."""

    at_us: int
    moves: bool
    share: float
    sharpness: float
    step: tuple[float, ...]  # sums that `_step` explains
    weight: float
    colours: NDArray[np.int64]


def motion_events(frames: Iterable[Frame], options: MotionOptions) -> list[Motion]:
    """Find the events of a video.

    Args:
        frames: its pictures in order, `options.fps` a second.
        options: how motion is looked for.

    Returns:
        Events in order, which do not overlap.

    Raises:
        VideoError: whatever reading the frames raises; give a `Whole` to keep what came before a break.
    """
    times: list[int] = []
    looks = [look for look in _looks(frames, options, times) if look is not None]
    if not looks:
        return []
    step_us = round(float(np.median(np.diff(times)))) if len(times) > 1 else round(_SECOND / options.fps)
    held = _held(looks, step_us)
    found = spans(
        [look.at_us for look in held],
        step_us=step_us,
        gap_us=round(options.close_gap_s * _SECOND),
        least_us=round(options.least_seconds * _SECOND),
        pad_us=round(options.pad_s * _SECOND),
        longest_us=round(options.longest_s * _SECOND),
        end_us=times[-1] + step_us,
    )
    return [event for span in found if (event := _event(span, held, options)) is not None]


def spans(
    active_us: Sequence[int], *, step_us: int, gap_us: int, least_us: int, pad_us: int, longest_us: int, end_us: int
) -> list[tuple[int, int]]:
    """Join instants to spans of time: close gaps, leave out what is short, pad, and cut what is long.

    Args:
        active_us: instants at which something moved, in order; each stands for the time until `step_us` later.
        step_us: time between looks.
        gap_us: spans are joined where no more than this lies between them.
        least_us: shorter spans, before padding, are left out.
        pad_us: added on both sides, but not beyond 0 and `end_us`, nor beyond the middle between two spans.
        longest_us: longer spans are cut in equal pieces.
        end_us: end of the video.

    Returns:
        Spans (start, end) in order, which do not overlap.
    """
    joined: list[list[int]] = []
    for at in active_us:
        if joined and at - joined[-1][1] <= gap_us:
            joined[-1][1] = max(joined[-1][1], at + step_us)
        else:
            joined.append([at, at + step_us])
    kept = [(start, min(end, end_us)) for start, end in joined if end - start >= least_us]
    if not kept:
        return []
    middles = [0, *((one[1] + other[0]) // 2 for one, other in pairwise(kept)), end_us]
    padded = [
        (max(start - pad_us, before), min(end + pad_us, after))
        for (start, end), (before, after) in zip(kept, pairwise(middles), strict=True)
    ]
    return [piece for span in padded for piece in _pieces(*span, longest_us)]


def _pieces(start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    number = max(1, -((start - end) // longest))
    bounds = [start + (end - start) * at // number for at in range(number + 1)]
    yield from pairwise(bounds)


def _looks(frames: Iterable[Frame], options: MotionOptions, times: list[int]) -> Iterator[_Look | None]:
    """Look at each frame; None where nothing is there. Notes down the times of all of them."""
    watch: _Watch | None = None
    waiting: list[tuple[int, Small, Image]] = []
    size: tuple[int, int] | None = None
    for frame in chain(frames, (None,)):
        if frame is not None:
            size = size or _size(frame.image, options.width)
            times.append(frame.offset_us)
            waiting.append((frame.offset_us, *_shrunk(frame.image, size)))
            if watch is None and frame.offset_us - waiting[0][0] < options.warm_up_s * _SECOND:
                continue
        if watch is None and waiting:
            watch = _Watch([small for _, small, _ in waiting], options)
        while watch is not None and waiting:
            yield watch.look(*waiting.pop(0))


def _size(image: Image, width: int) -> tuple[int, int]:
    """Return (width, height) of the shrunken picture."""
    high, wide = image.shape[:2]
    width = min(width, wide)
    return width, max(1, round(high * width / wide))


def _shrunk(image: Image, size: tuple[int, int]) -> tuple[Small, Image]:
    """Return the shrunken picture, smoothed for the model, and as it is for its colours."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    smooth: Small = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)
    return smooth, small  # type: ignore[return-value]


class _Watch:
    """The background model and the blobs of the look before."""

    def __init__(self, first: Sequence[Small], options: MotionOptions) -> None:
        self._model = Background(
            first,
            threshold=options.threshold,
            least_area=options.least_area,
            still_s=options.still_s,
            absorb_s=options.absorb_s,
            flood=options.flood,
        )
        self._usual_s = 1 / options.fps
        self._last_us: int | None = None
        self._before: list[Blob] = []

    def look(self, at_us: int, smooth: Small, small: Image) -> _Look | None:
        passed_s = self._usual_s if self._last_us is None else (at_us - self._last_us) / _SECOND
        self._last_us = at_us
        scene = self._model.look(smooth, min(passed_s, _LONGEST_STEP_S))
        moving = [blob for blob in scene.blobs if blob.moves]
        step, weight = _step(self._before, moving)
        self._before = moving
        if not any(blob.moves or blob.alive for blob in scene.blobs):
            return None
        share = sum(blob.area for blob in moving)
        colours = _colours(small, scene)
        return _Look(at_us, bool(moving), share, _sharpness(small, scene.mask), step, weight, colours)


def _sharpness(small: Image, mask: NDArray[np.bool_]) -> float:
    """Return how strong the edges of what moves are."""
    if not mask.any():
        return 0.0
    edges = cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_32F)
    return float(np.square(edges[mask]).mean())


def _colours(small: Image, scene: Scene) -> NDArray[np.int64]:
    """Count colours within what moves: where it differs much, if that is a fair part, which leaves out its shadow."""
    fair = np.count_nonzero(scene.core) * 4 >= np.count_nonzero(scene.mask)
    return tally(small[scene.core if fair else scene.mask])


def _step(before: Sequence[Blob], now: Sequence[Blob]) -> tuple[tuple[float, ...], float]:
    """Tell how far the blobs went since the look before, weighted by their areas.

    Returns:
        Sums over blobs of area times x, y and length of the step (fractions of the picture), and times the logarithm
        of its growth and the size of that, where it lies within the picture wholly; and the sum of the areas.
    """
    x = y = length = growth = change = weight = 0.0
    for blob in now:
        near = [(math.hypot(blob.x - other.x, blob.y - other.y), other) for other in before]
        near = [(far, other) for far, other in near if far < _NEAR and 0.4 < blob.area / other.area < 2.5]
        if not near:
            continue
        far, other = min(near, key=lambda pair: pair[0])
        weight += blob.area
        if far < _JITTER:
            continue
        x += blob.area * (blob.x - other.x)
        y += blob.area * (blob.y - other.y)
        length += blob.area * far
        grown = blob.area * math.log(blob.area / other.area) if blob.inside and other.inside else 0.0
        growth, change = growth + grown, change + abs(grown)
    return (x, y, length, growth, change), weight


def _held(looks: Sequence[_Look], step_us: int) -> list[_Look]:
    """Return the looks at which something moves, and those between at which it only stands still."""
    held: list[_Look] = []
    waiting: list[_Look] = []
    last_us = -1
    for look in looks:
        if waiting and look.at_us - last_us > 1.5 * step_us:
            waiting = []
        last_us = look.at_us
        if look.moves:
            held += [*waiting, look]
            waiting = []
        elif held and (waiting or look.at_us - held[-1].at_us <= 1.5 * step_us):
            waiting.append(look)
    return held


def _event(span: tuple[int, int], looks: Sequence[_Look], options: MotionOptions) -> Motion | None:
    """Describe one event by the looks within it; None for a piece in which nothing moves."""
    within = [look for look in looks if span[0] <= look.at_us < span[1]]
    moving = [look for look in within if look.moves]
    if not moving:
        return None
    cover = _cover(moving)
    counts = np.sum([look.colours for look in moving], axis=0).astype(np.float64)
    return Motion(
        *span,
        score=round(min(1.0, max(look.share for look in moving)), 6),
        cover_us=cover.at_us,
        sample_us=_samples([look.at_us for look in moving if look is not cover], options.samples),
        colours=dominant(counts),
        direction=_direction(moving),
    )


def _cover(looks: Sequence[_Look]) -> _Look:
    """Choose the look in which most moves, of those that are sharp."""
    large = [look for look in looks if look.share >= 0.5 * max(one.share for one in looks)]
    sharp = [look for look in large if look.sharpness >= _SHARP * max(one.sharpness for one in large)]
    return max(sharp, key=lambda look: (look.share, -look.at_us))


def _samples(times: Sequence[int], number: int) -> tuple[int, ...]:
    """Choose some times, spread evenly."""
    number = min(number, len(times))
    return tuple(times[(2 * at + 1) * len(times) // (2 * number)] for at in range(number))


def _direction(looks: Sequence[_Look]) -> str | None:
    """Say where the moving mass went in all: a mean over blobs at each look, summed over looks."""
    steps = [np.divide(look.step, look.weight) for look in looks if look.weight]
    if not steps:
        return None
    x, y, length, growth, change = np.sum(steps, axis=0).tolist()
    if abs(growth) >= max(_GROWTH, _COHERENT * change) and abs(x) < _ACROSS:
        return "approaching" if growth > 0 else "departing"
    if math.hypot(x, y) < max(_TRAVEL, _COHERENT * length):
        return None
    if abs(x) >= abs(y):
        return "right" if x > 0 else "left"
    return "down" if y > 0 else "up"
