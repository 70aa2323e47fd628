"""Seasonal adjustment: series whose season, trend and outliers are known."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.counting.adjust import MIN_DAYS, MIN_DAYS_TO_SEARCH, Adjusted, adjust

SEASON = np.array([0.03, 0.04, 0.03, 0.04, 0.06, -0.06, -0.14])


@dataclass(frozen=True)
class Known:
    """A series and what it is made of."""

    series: np.ndarray
    sa: np.ndarray
    trend: np.ndarray
    outliers: dict[int, str]


def made(days: int = 200, seed: int = 0, noise: float = 0.015, outliers: dict[int, str] | None = None) -> Known:
    """On square roots: a wave, a season that slowly grows, noise; an AO takes 18 % away, an LS 20 %."""
    random = np.random.default_rng(seed)
    steps = np.arange(days)
    trend = 300 * np.exp(0.08 * np.sin(2 * np.pi * steps / 150 + random.uniform(0, 6)))
    season = 300 * (SEASON - SEASON.mean())[steps % 7] * (1 + 0.3 * np.sin(2 * np.pi * steps / 300))
    noisy = 300 * random.normal(0, noise, days)
    levels, apart = np.zeros(days), np.zeros(days)
    for day, kind in (outliers or {}).items():
        if kind == "LS":
            levels[day:] -= 60
        else:
            apart[day] -= 54
    adjusted = trend + noisy + levels + apart
    return Known((adjusted + season) ** 2, adjusted**2, (trend + levels) ** 2, outliers or {})


def errors(found: Adjusted, known: Known) -> tuple[float, float]:
    """Percent: mean error of SA and of the trend."""
    sa = np.nanmean(np.abs(found.sa - known.sa) / known.sa)
    return 100 * float(sa), 100 * float(np.nanmean(np.abs(found.trend - known.trend) / known.trend))


SEEDS = 3
ODD = {40: "AO", 95: "LS", 150: "AO", 171: "AO"}


@cache
def adjusted(noise: float, seed: int) -> Adjusted:
    return adjust(made(seed=seed, noise=noise, outliers=ODD).series)


@pytest.mark.parametrize(("noise", "sa_limit", "trend_limit"), [(0.005, 0.7, 0.4), (0.015, 1.4, 0.9), (0.03, 2.4, 1.6)])
def test_the_season_goes_and_outliers_are_found(noise: float, sa_limit: float, trend_limit: float):
    measured, right, false = [], 0, 0
    for seed in range(SEEDS):
        known = made(seed=seed, noise=noise, outliers=ODD)
        found = adjusted(noise, seed)
        measured.append(errors(found, known))
        right += len(found.outliers.items() & ODD.items())
        false += len(found.outliers.items() - ODD.items())
    sa, trend = np.mean(measured, axis=0)
    raw = np.mean([np.abs(made(seed=seed, noise=noise, outliers=ODD).series / known.sa - 1) for seed in range(SEEDS)])
    print(f"\nnoise {noise}: SA {sa:.2f} %, trend {trend:.2f} %; unadjusted {100 * raw:.1f} %;", end=" ")
    print(f"{right} of {SEEDS * len(ODD)} outliers found, {false} false")
    assert (sa < sa_limit, trend < trend_limit) == (True, True)
    assert right >= SEEDS * len(ODD) - 1
    assert false <= 1


@pytest.mark.parametrize("noise", [0.005, 0.03])
def test_a_series_without_outliers_gets_none(noise: float):
    assert not any(adjust(made(seed=seed, noise=noise).series).outliers for seed in range(SEEDS))


def test_it_is_better_than_stl_without_outliers():
    from statsmodels.tsa.seasonal import STL

    ours, other = [], []
    for seed in range(SEEDS):
        known = made(seed=seed, outliers=ODD)
        ours.append(errors(adjusted(0.015, seed), known))
        stl = STL(np.sqrt(known.series), period=7, seasonal=13, robust=True).fit()
        other.append(errors(Adjusted((np.sqrt(known.series) - stl.seasonal) ** 2, stl.trend**2), known))
    (sa, trend), (sa_stl, trend_stl) = np.mean(ours, axis=0), np.mean(other, axis=0)
    print(f"\nSA {sa:.2f} % (STL {sa_stl:.2f} %), trend {trend:.2f} % (STL {trend_stl:.2f} %)")
    assert trend < 0.75 * trend_stl
    assert sa < 1.3 * sa_stl


def test_outliers_keep_their_effect():
    """As in the replaced system: SA holds AO and LS, the trend holds LS alone."""
    known = made(noise=0.005, outliers={60: "AO", 120: "LS"})
    found = adjust(known.series)
    assert found.outliers == {60: "AO", 120: "LS"}
    assert found.sa[60] < 0.75 * found.sa[59]
    assert found.trend[60] == pytest.approx(found.trend[59], rel=0.02)
    assert found.trend[120] / found.trend[119] == pytest.approx(0.64, abs=0.06)


def test_days_without_a_value_have_no_result_and_hurt_nobody():
    known = made(outliers={120: "LS"})
    holes = known.series.copy()
    holes[[0, 1, 30, 31, 32, 77, 199]] = np.nan
    found = adjust(holes)
    assert np.array_equal(np.isnan(found.sa), np.isnan(holes))
    assert np.array_equal(np.isnan(found.trend), np.isnan(holes))
    assert found.outliers == {120: "LS"}
    assert errors(found, known)[0] < 1.5


@pytest.mark.parametrize("series", [np.full(MIN_DAYS - 1, 5.0), np.array([]), np.full(60, np.nan)])
def test_too_few_days_say_so(series: np.ndarray):
    found = adjust(series)
    assert np.isnan(found.sa).all()
    assert found.reason == f"only {np.isfinite(series).sum()} days are known, an adjustment needs 21"


def test_a_weekday_that_is_never_known_says_so():
    series = made(60).series
    series[3::7] = np.nan
    assert adjust(series).reason == "one weekday is known on 0 days only, an adjustment needs 2"


@pytest.mark.parametrize("value", [0.0, 12.0])
def test_a_series_that_never_changes_is_its_own_adjustment(value: float):
    found = adjust(np.full(30, value))
    assert (found.sa == value).all()
    assert (found.trend == value).all()


@pytest.mark.parametrize(("days", "found"), [(MIN_DAYS_TO_SEARCH - 1, {}), (MIN_DAYS_TO_SEARCH, {17: "LS"})])
def test_outliers_are_looked_for_from_five_weeks_on(days: int, found: dict[int, str]):
    assert adjust(made(days, noise=0.005, outliers={17: "LS"}).series).outliers == found


def test_a_series_of_three_weeks_is_adjusted():
    known = made(MIN_DAYS, noise=0.005)
    assert errors(adjust(known.series), known)[0] < 3.0


@settings(max_examples=5)
@given(st.integers(0, 1000), st.sampled_from([0.01, 4.0, 1e4]))
def test_scaling_the_series_scales_the_result(seed: int, factor: float):
    known = made(100, seed, outliers={50: "LS"})
    plain, scaled = adjust(known.series), adjust(factor * known.series)
    assert scaled.outliers == plain.outliers
    np.testing.assert_allclose(scaled.sa, factor * plain.sa, rtol=1e-3)
    np.testing.assert_allclose(scaled.trend, factor * plain.trend, rtol=1e-3)


@settings(max_examples=15)
@given(st.lists(st.one_of(st.just(np.nan), st.floats(0, 1e6)), min_size=0, max_size=60))
def test_any_series_gives_numbers_that_are_not_negative(values: list[float]):
    series = np.array(values, float)
    found, again = adjust(series), adjust(series)
    np.testing.assert_array_equal(found.sa, again.sa)
    if found.reason is None:
        for result in (found.sa, found.trend):
            assert np.array_equal(np.isnan(result), np.isnan(series))
            assert np.nanmin(result) >= 0
