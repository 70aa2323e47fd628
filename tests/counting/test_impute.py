"""Gaps filled by season: how well, and what is never touched or invented."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counting.baselines import additive_season, camera_mean
from tests.counting.synthetic import town, with_gaps

from wayside.counting.impute import LEAD, MAX_OUTAGE, MIN_TIMES, impute

CAMERAS, DAYS, STEP = 40, 105, 60


def errors(filled: np.ndarray, truth: np.ndarray, gappy: np.ndarray) -> tuple[float, float]:
    """Percent: mean error of a filled slot, in terms of the mean of the true ones; mean error of a day's sum."""
    filled, truth, gaps = filled[:, LEAD:], truth[:, LEAD:], np.isnan(gappy[:, LEAD:])
    assert not np.isnan(filled).any()
    slots = np.abs(filled - truth)[gaps].mean() / truth[gaps].mean()
    days = (np.abs(filled.sum((0, 2)) - truth.sum((0, 2))) / truth.sum((0, 2))).mean()
    return 100 * float(slots), 100 * float(days)


@pytest.mark.parametrize(
    ("mean", "step", "slot_limit", "day_limit"), [(3.0, None, 43, 0.3), (3.0, STEP, 49, 0.45), (0.3, STEP, 135, 1.0)]
)
def test_filled_slots_are_near_the_truth_and_nearer_than_by_other_ways(
    mean: float, step: int | None, slot_limit: float, day_limit: float
):
    truth = town(CAMERAS, DAYS, step=step, mean=mean)
    gappy = with_gaps(truth)
    ours = errors(impute(gappy, 0), truth, gappy)
    seasonal = errors(additive_season(gappy), truth, gappy)
    naive = errors(camera_mean(gappy), truth, gappy)
    print(f"\nmean {mean}, new level {step}: slots {ours[0]:.1f} %, {seasonal[0]:.1f} %, {naive[0]:.1f} %;", end=" ")
    print(f"days {ours[1]:.2f} %, {seasonal[1]:.2f} %, {naive[1]:.2f} %  (ours, additive season, camera's mean)")
    assert ours[0] < slot_limit
    assert ours[1] < day_limit
    assert ours[0] < seasonal[0] < naive[0]
    assert ours[1] < 0.8 * seasonal[1]
    assert ours[1] < 0.5 * naive[1]


@pytest.mark.parametrize("days", [1, 7, 28])
def test_an_outage_of_all_cameras_is_bridged(days: int):
    truth = town(CAMERAS, DAYS)
    gappy = truth.copy()
    gappy[:, 70 : 70 + days] = np.nan
    filled = impute(gappy, 0)[:, 70 : 70 + days].sum((0, 2))
    real = truth[:, 70 : 70 + days].sum((0, 2))
    error = 100 * float((np.abs(filled - real) / real).mean())
    print(f"\noutage of {days} days: {error:.2f} %")
    assert error < {1: 2.0, 7: 3.0, 28: 8.0}[days]  # the town's level changes by up to 15 % in four weeks


def test_nothing_is_invented_after_four_dark_weeks():
    grid = town(1, 80)
    grid[:, 30:70] = np.nan
    dark = np.isnan(impute(grid, 0)).all(-1)[0]
    assert np.flatnonzero(dark).tolist() == list(range(30 + MAX_OUTAGE, 70))


@pytest.mark.parametrize(("times", "filled"), [(MIN_TIMES - 1, False), (MIN_TIMES, True)])
def test_a_camera_that_saw_less_than_half_of_the_day_adds_nothing(times: int, filled: bool):
    grid = np.full((1, 10, 144), np.nan, np.float32)
    grid[0, :, 20 : 20 + times] = 2.0
    found = impute(grid, 0)
    assert np.isfinite(found[0, :, :20]).all() == filled
    assert not np.isnan(found[0, :, 20 : 20 + times]).any()
    if filled:
        np.testing.assert_allclose(found, 2.0)


def test_what_is_never_known_stays_unknown():
    assert np.isnan(impute(np.full((2, 40, 144), np.nan, np.float32), 0)).all()


def test_an_empty_street_stays_empty():
    grid = np.zeros((1, 20, 144), np.float32)
    grid[0, 5:9, 30:60] = np.nan
    assert not impute(grid, 0).any()


def test_later_days_change_nothing():
    gappy = with_gaps(town(6, 70))
    whole = impute(gappy, 0)
    for last in (1, 8, 20, 36, 55):
        np.testing.assert_array_equal(impute(gappy[:, :last], 0), whole[:, :last])


def test_a_day_needs_the_five_weeks_that_end_with_it_and_no_more():
    gappy = with_gaps(town(6, 80))
    whole = impute(gappy, 0)
    np.testing.assert_allclose(impute(gappy[:, 20:], LEAD), whole[:, 20 + LEAD :], rtol=1e-6)
    np.testing.assert_allclose(impute(gappy, LEAD + 9), whole[:, LEAD + 9 :], rtol=1e-6)


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9), st.sampled_from([0.1, 2.0, 30.0]))
def test_known_values_stay_nothing_is_negative_and_cameras_do_not_meet(seed: int, share: float, mean: float):
    random = np.random.default_rng(seed)
    grid = random.poisson(mean, (3, 40, 144)).astype(np.float32)
    grid[random.random(grid.shape) < share] = np.nan
    before = grid.copy()
    filled = impute(grid, 0)
    known = ~np.isnan(before)
    np.testing.assert_array_equal(grid, before)
    np.testing.assert_array_equal(filled[known], before[known])
    assert np.nanmin(filled) >= 0
    np.testing.assert_allclose(impute(grid[::-1], 0), filled[::-1], rtol=1e-6)
    np.testing.assert_array_equal(impute(grid, 0), filled)
    # Gaps are filled for whole days or not at all.
    assert set(np.isnan(filled[~known.any(-1)]).mean(-1)) <= {0.0, 1.0}
