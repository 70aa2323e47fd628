"""What a fixed camera sees when nothing happens, and what differs from it: the background model of motion.

For each pixel it keeps a running mean and how far the pixel strays from it by itself (noise, leaves in the wind). The
brightness of the whole picture is divided out first, so that clouds and the exposure of the camera move nothing. What
differs from the background is left out of the mean, and taken over only when it has stayed for long. All of it is plain
arithmetic on a shrunken picture, the same on every machine and with any number of threads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Small = NDArray[np.float32]
Mask = NDArray[np.bool_]

_FOLLOW_S: Final = 10.0  # time constant of the mean
_STRAY_S: Final = 20.0  # and of how far pixels stray
_STRAYS: Final = 4.0  # by how many times that a pixel has to differ
_MOST_STRAY: Final = 60.0
_SLOWER: Final = 4.0  # a pixel that differs teaches the model this much more slowly how far it strays
_DARK: Final = 8.0  # grey levels added where brightness is compared, so that black is no division by zero
_WHITE: Final = 245.0
_CHANGE: Final = 0.7  # of what a pixel has to differ from the background: by so much it changes between looks
_MOST: Final = 40  # pictures of the first seconds that are looked at
_EVERY: Final = 3  # pixels are looked at for the brightness of the whole
_AROUND: Final = np.ones((3, 3), np.uint8)
_OPEN: Final = np.ones((3, 3), np.uint8)
_CLOSE: Final = np.ones((7, 7), np.uint8)


@dataclass(frozen=True, slots=True)
class Blob:
    """Something in one picture that differs from the background.

    Attributes:
        area: its share of the picture, 0..1.
        x: its centre, fraction of the width.
        y: the same of the height.
        inside: whether it lies within the picture wholly, so that its size is known.
        moves: whether it changed since the picture before.
        alive: whether it did lately.
    """

    area: float
    x: float
    y: float
    inside: bool
    moves: bool
    alive: bool


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """What is in one picture.

    Attributes:
        blobs: all that differs from the background.
        mask: bool [H, W], the pixels of those that move.
        core: bool [H, W], those of them that differ much.
    """

    blobs: tuple[Blob, ...]
    mask: Mask
    core: Mask


class Background:
    """The model.

    Args:
        first: shrunken pictures of the first seconds, float32 [H, W, 3] each, whose median is the first background: it
            has nothing that moves on within these seconds.
        threshold: by how many grey levels a pixel has to differ at least.
        least_area: share of the picture that a blob has at least.
        still_s: seconds for which a blob without any change counts as alive.
        absorb_s: seconds after which what differs belongs to the background.
        flood: share of the picture that cannot begin to differ at once unless it is light, or the camera was turned.
    """

    def __init__(
        self,
        first: Sequence[Small],
        *,
        threshold: float,
        least_area: float,
        still_s: float,
        absorb_s: float,
        flood: float,
    ) -> None:
        first = first[:: -(-len(first) // _MOST)]
        gains = [_gain(one, first[len(first) // 2]) for one in first]
        levelled = np.stack([one / gain for one, gain in zip(first, gains, strict=True)])
        self._mean: Small = np.median(levelled, axis=0).astype(np.float32)
        strays = np.median(np.abs(levelled - self._mean).max(axis=3), axis=0)
        self._stray: Small = np.minimum(strays, threshold / _STRAYS).astype(np.float32) + 1
        self._threshold = threshold
        self._least = max(4, round(least_area * self._stray.size))
        self._still_s, self._absorb_s, self._flood = still_s, absorb_s, flood
        self._before: Small | None = None
        self._share = 0.0
        self._age = np.zeros(self._stray.shape, np.float32)
        self._since_change = np.full(self._stray.shape, np.inf, np.float32)

    def look(self, picture: Small, passed_s: float) -> Scene:
        """Look at the next picture.

        Args:
            picture: shrunken, float32 [H, W, 3], blue-green-red, 0..255.
            passed_s: seconds since the last one.

        Returns:
            What differs from the background.
        """
        gain = _gain(picture, self._mean)
        level: Small = picture / gain
        difference = self._difference(level)
        limit = np.maximum(self._threshold, _STRAYS * self._stray)
        differs = difference > limit
        share = float(differs.mean())
        if share > self._flood and self._share < self._flood / 2:
            return self._begin_again(picture)
        self._share = share
        changed = self._changes(level, limit, passed_s)
        scene = self._scene(differs, changed, difference > 2 * limit)
        self._learn(level, difference, differs, passed_s)
        return scene

    def _difference(self, level: Small) -> Small:
        """Return by how many grey levels each pixel is off, float32 [H, W]."""
        # Around a pixel, because poles and the camera itself sway by about as much.
        upper, lower = cv2.dilate(self._mean, _AROUND), cv2.erode(self._mean, _AROUND)
        above, below = level - upper, lower - level
        # Beyond white a pixel's true brightness is not known: it may be anything above.
        above[upper >= _WHITE] = 0
        off: Small = np.maximum(above, below)
        return _greatest(off)

    def _begin_again(self, picture: Small) -> Scene:
        """Take the picture for the background: the light was switched, or the camera was turned."""
        self._mean, self._before = picture.copy(), picture
        self._stray[:] = self._threshold / _STRAYS
        self._age[:] = 0
        self._since_change[:] = np.inf
        nothing = np.zeros(self._stray.shape, np.bool_)
        return Scene((), nothing, nothing)

    def _changes(self, level: Small, limit: Small, passed_s: float) -> Mask:
        """Return the pixels that changed since the picture before, and note down when they did."""
        # What differs in the first picture moves on within the first seconds: they gave the background.
        before = self._mean if self._before is None else self._before
        change = _greatest(np.abs(level - before))
        self._before = level
        self._since_change += np.float32(passed_s)
        changed: Mask = change > limit * _CHANGE
        self._since_change[changed] = 0
        return changed

    def _scene(self, differs: Mask, changed: Mask, core: Mask) -> Scene:
        solid = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, _OPEN)
        solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, _CLOSE)
        number, labels, stats, centres = cv2.connectedComponentsWithStats(solid, connectivity=8)
        height, width = solid.shape
        moved = np.bincount(labels[changed], minlength=number).tolist()
        lately = np.bincount(labels[(self._since_change <= self._still_s) & differs], minlength=number).tolist()
        blobs, moves = [], np.zeros(number, np.bool_)
        for at in range(1, number):
            left, top, wide, high, area = stats[at].tolist()
            if area < self._least:
                continue
            moves[at] = moved[at] >= max(3, 0.02 * area)
            alive = lately[at] >= max(3, 0.02 * area)
            inside = left > 0 and top > 0 and left + wide < width and top + high < height
            x, y = centres[at].tolist()
            share = area / solid.size
            blobs.append(Blob(share, (x + 0.5) / width, (y + 0.5) / height, inside, bool(moves[at]), alive))
        mask: Mask = moves[labels]
        return Scene(tuple(blobs), mask, mask & core)

    def _learn(self, level: Small, difference: Small, differs: Mask, passed_s: float) -> None:
        follow = 1 - math.exp(-passed_s / _FOLLOW_S)
        stray = 1 - math.exp(-passed_s / _STRAY_S)
        cv2.accumulateWeighted(level, self._mean, follow, (~differs).view(np.uint8))
        pace = np.where(differs, np.float32(stray / _SLOWER), np.float32(stray))
        self._stray += pace * (np.minimum(difference, _MOST_STRAY) - self._stray)
        self._age += np.float32(passed_s)
        self._age[~differs] = 0
        stays = self._age > self._absorb_s
        self._mean[stays] = level[stays]
        self._age[stays] = 0


def _greatest(off: Small) -> Small:
    """Return the greatest of the three channels, float32 [H, W]."""
    greatest: Small = np.maximum(np.maximum(off[..., 0], off[..., 1]), off[..., 2])
    return greatest


def _gain(picture: Small, background: Small) -> NDArray[np.float32]:
    """Return how much brighter a picture is than the background, by channel: the median over pixels, float32 [3]."""
    one = picture[::_EVERY, ::_EVERY].reshape(-1, 3) + _DARK
    other = background[::_EVERY, ::_EVERY].reshape(-1, 3) + _DARK
    gain: NDArray[np.float32] = np.median(one / other, axis=0).astype(np.float32)
    return np.clip(gain, 0.2, 5.0)
