"""Gaps filled by season: what this camera shows at this time of the week, at the level that it shows lately.

The values of a day are filled from the known values of the five weeks that end with this day, and from nothing else.
So the numbers of a day are a pure function of the counts: no state is kept, and later weeks never change them. A gap
is filled with

    season x level

where `season` is the mean of the same time of the same weekday (half an hour to either side weighs in), held up by the
camera's profile over all days where there are few of them, and `level` says how the last seven days, and the known
part of the day itself, compare with that profile. All three come from sums of known values, so they are never negative
and an empty street stays empty.

A camera's day stays a gap, and adds nothing to the sums, when it has been dark for more than four weeks or when fewer
than half of the times of day were ever seen in the five weeks. Nothing is invented for it.
"""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wayside.core.slots import SLOTS_PER_DAY
from wayside.counting.regrid import Bools, Doubles, Floats

WEEKS: Final = 5
WINDOW: Final = 7 * WEEKS
LEAD: Final = WINDOW - 1
"""Days before the first day to fill that have to be at hand."""
MAX_OUTAGE: Final = 28
"""Days without a known value after which a camera adds nothing."""
MIN_TIMES: Final = SLOTS_PER_DAY // 2
"""Times of day, of 144, that must have been seen in the window."""

_NEAR, _WIDE = 3, SLOTS_PER_DAY // 4  # slots to either side
_PRIOR_VALUES = 1.0  # values that the profile over all days is worth beside those of the weekday itself
_PRIOR_COUNTS = 40.0  # objects that the belief "as always" is worth beside those counted lately
_ROUNDS = 2
_CAMERAS_AT_ONCE = 64


def impute(grid: Floats, lead: int) -> Floats:
    """Fill the gaps of one class.

    Args:
        grid: counts [camera, day, slot], NaN where not known.
        lead: how many days at its beginning are only there to learn from; `LEAD`, or fewer where history begins.

    Returns:
        The days from `lead` on, gaps filled where the rules allow it; known values are as they were.
    """
    filled = grid[:, lead:].copy()
    for first in range(0, len(grid), _CAMERAS_AT_ONCE):
        some = slice(first, first + _CAMERAS_AT_ONCE)
        gaps = np.isnan(filled[some])
        if gaps.any():
            filled[some] = np.where(gaps, _expected(grid[some], lead), filled[some])
    return filled


def _expected(grid: Floats, lead: int) -> Doubles:
    """Return what every slot of the days from `lead` on would be expected to show; NaN where that cannot be said."""
    grid = grid[:, max(0, lead - LEAD) :]
    ahead = np.full((len(grid), max(0, LEAD - lead), SLOTS_PER_DAY), np.nan, np.float32)
    known, values = _split(np.concatenate([ahead, grid], axis=1))
    number, total = _window_sums(known), _window_sums(values)
    profile = _profile(number, total)
    counted = _windows(values.sum(-1))
    expected = np.einsum("cdks,cds->cdk", _windows(known), profile)  # what the profile expects of the known slots
    weekday, week = _factors(counted, expected)
    prior = weekday[..., :1] * profile
    near = _kernel(_NEAR)
    same, level = _same_weekday(values, np.ones_like(week)), week[..., 0]
    season = (same @ near + _PRIOR_VALUES * prior) / (_same_weekday(known, week) @ near + _PRIOR_VALUES)
    today = level * (season * known[:, LEAD:]).sum(-1)
    level = level * _ratio(counted[..., 0], today)
    return np.where(_may_fill(known, number)[..., None], season * level[..., None], np.nan)


def _factors(counted: Doubles, expected: Doubles) -> tuple[Doubles, Doubles]:
    """Return by how much weekdays and weeks lie above the profile; from windows [camera, day, back] of sums of days.

    Each is estimated with the other divided out, or a level that changed within the window would pass for a weekday.

    Returns:
        The factors of the weekdays, [camera, day, days back modulo 7], and of the weeks, [camera, day, weeks back].
    """
    counted, expected = (sums.reshape(*sums.shape[:2], WEEKS, 7) for sums in (counted, expected))
    week = np.ones(counted.shape[:3])
    for _ in range(_ROUNDS):
        weekday = _ratio(counted.sum(2), (week[..., None] * expected).sum(2))
        week = _ratio(counted.sum(3), (weekday[:, :, None] * expected).sum(3))
    return weekday, week


def _split(grid: Floats) -> tuple[Doubles, Doubles]:
    """Return 1 where a value is known and 0 elsewhere, and the values with 0 for gaps."""
    gaps = np.isnan(grid)
    return (~gaps).astype(float), np.where(gaps, 0.0, grid)


def _window_sums(days: Doubles) -> Doubles:
    """Sum each slot over the window that ends with each day.

    The values are whole numbers, so the running sum is exact and does not depend on where the array begins.
    """
    running = np.cumsum(days, axis=1)
    before = np.concatenate([np.zeros_like(running[:, :1]), running[:, :-WINDOW]], axis=1)
    return np.asarray(running[:, LEAD:] - before)


def _same_weekday(days: Doubles, weights: Doubles) -> Doubles:
    """Sum each slot over the same weekday of the five weeks; `weights` [camera, day, weeks back] of the weeks."""
    last = days.shape[1]
    weeks = (days[:, LEAD - 7 * back : last - 7 * back] * weights[..., back, None] for back in range(WEEKS))
    return np.asarray(sum(weeks))


def _windows(days: Doubles) -> Doubles:
    """Return [camera, day, back, ...]: for each day those of its window, itself first."""
    return np.asarray(np.moveaxis(sliding_window_view(days, WINDOW, axis=1), -1, 2)[:, :, ::-1])


def _profile(number: Doubles, total: Doubles) -> Doubles:
    """Return the mean of each time of day over the window, smoothed; times never seen are bridged by wider means."""
    profile = np.full(number.shape, np.nan)
    for width in (_NEAR, _WIDE):
        kernel = _kernel(width)
        weights = number @ kernel
        mean = np.divide(total @ kernel, weights, out=np.full(number.shape, np.nan), where=weights > 0)
        profile = np.where(np.isnan(profile), mean, profile)
    return np.asarray(np.nan_to_num(profile))  # days with times farther than that from a known one are not filled


def _kernel(width: int) -> Doubles:
    """Return the matrix that sums a day's slots with weights that fall from 1 to nothing `width + 1` slots away."""
    steps = np.arange(SLOTS_PER_DAY)
    apart = np.abs(steps[:, None] - steps)
    apart = np.minimum(apart, SLOTS_PER_DAY - apart)
    return np.asarray(np.maximum(0.0, 1.0 - apart / (width + 1)))


def _ratio(counted: Doubles, expected: Doubles) -> Doubles:
    """Return how many times the expected was counted, near 1 where few objects say so."""
    return np.asarray((counted + _PRIOR_COUNTS) / (expected + _PRIOR_COUNTS))


def _may_fill(known: Doubles, number: Doubles) -> Bools:
    """Return [camera, day]: whether the window says enough about the day."""
    times = np.count_nonzero(number, axis=-1)
    lately = _windows(known.max(-1))[..., : MAX_OUTAGE + 1].any(-1)
    return np.asarray((times >= MIN_TIMES) & lately)
