"""Seasonal adjustment of one daily series: the weekly season taken out, outliers found and named.

On the square roots of the values stands the basic structural model: trend with a level and a slope, a season of seven
days that may change, and noise, fitted by maximum likelihood with the Kalman filter of statsmodels. Its reduced form
is close to the airline model that SEATS splits up. Days without a value are no obstacle.

An outlier is a day apart (AO) or a lasting change of the level (LS). The smoother gives, for every day at once, the
exact t-statistic that each of the two would have as a regressor; the largest one of at least `CRITICAL` becomes one,
the model is fitted again, and so on. As a few large outliers inflate the noise and so hide each other, the search
measures by the median of the forecast errors; in the end each outlier has to hold by the model's own measure.

Results are put together as the replaced system did: `SA = (sa + LS + AO)^2`, `trend = (t + LS)^2`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from wayside.counting.regrid import Bools, Doubles

PERIOD: Final = 7
CRITICAL: Final = 4.0
MIN_DAYS: Final = 3 * PERIOD
"""Known days below which nothing is adjusted."""
MIN_DAYS_TO_SEARCH: Final = 5 * PERIOD
"""Known days below which no outliers are looked for: in four weeks more are false than right."""
_MIN_PER_WEEKDAY = 2
_LEVEL_DAYS = 3  # known days that a new level needs on each side, or it could not be told from days apart
_MOST_DAYS = 0.1  # share of days that may stand apart
_MOST_LEVELS = 12  # each costs time: a regressor in the state
_LEAST_SCALE = 0.3  # below this the median says that most days are equal, not that the noise is small
_LEAST_NOISE = 1e-6  # of the variance of the series: the test for AO needs some
_LEAST_START = (1e-3, 1e-6, 1e-6, 1e-4)  # variances of noise, level, slope and season

Outlier = tuple[int, str]


@dataclass(frozen=True)
class Adjusted:
    """What came of one series. Days without a value, and all days where `reason` says why, are NaN."""

    sa: Doubles
    trend: Doubles
    outliers: dict[int, str] = field(default_factory=dict)
    reason: str | None = None


def adjust(series: Doubles) -> Adjusted:
    """Adjust a series of daily values, none negative, NaN where not known; day 0 may be any weekday."""
    known = np.isfinite(series)
    if reason := _too_short(known):
        return Adjusted(np.full(len(series), np.nan), np.full(len(series), np.nan), reason=reason)
    root = np.sqrt(series)
    centre, spread = float(np.nanmean(root)), float(np.nanstd(root))
    if spread <= 1e-9 * max(centre, 1.0):
        return Adjusted(series.copy(), series.copy())
    first, last = np.flatnonzero(known)[[0, -1]]
    fit = _search((root[first : last + 1] - centre) / spread)
    sa, trend = np.full(len(series), np.nan), np.full(len(series), np.nan)
    inside = slice(first, last + 1)
    sa[inside] = _squared(fit.values - fit.season, centre, spread)
    trend[inside] = _squared(fit.level + fit.shifts, centre, spread)
    outliers = {int(first) + day: kind for day, kind in sorted(fit.outliers)}
    return Adjusted(np.where(known, sa, np.nan), np.where(known, trend, np.nan), outliers)


def _too_short(known: Bools) -> str | None:
    days = int(known.sum())
    if days < MIN_DAYS:
        return f"only {days} days are known, an adjustment needs {MIN_DAYS}"
    least = min(int(known[weekday::PERIOD].sum()) for weekday in range(PERIOD))
    if least < _MIN_PER_WEEKDAY:
        return f"one weekday is known on {least} days only, an adjustment needs {_MIN_PER_WEEKDAY}"
    return None


def _squared(root: Doubles, centre: float, spread: float) -> Doubles:
    """Return to counts. A root below zero would come back as a positive number, so it counts as nothing."""
    return np.maximum(root * spread + centre, 0.0) ** 2


class _Fit:
    """The model fitted to `values` with some outliers, and what its smoother says.

    An AO takes its day away from the model, which is the same as a regressor for this day and costs nothing; an LS is
    a regressor.

    Attributes:
        level, season: the smoothed components.
        shifts: the effect of all LS on each day.
        strength: the absolute t-statistic of each outlier in the model.
    """

    def __init__(self, values: Doubles, outliers: list[Outlier], start: Doubles | None = None) -> None:
        from statsmodels.tsa.statespace.structural import UnobservedComponents

        self.values, self.outliers = values, outliers
        apart = [day for day, kind in outliers if kind == "AO"]
        steps = [day for day, kind in outliers if kind == "LS"]
        self.kept = values.copy()
        self.kept[apart] = np.nan
        effects = (np.arange(len(values))[:, None] >= np.array(steps, int)).astype(float)
        model = UnobservedComponents(
            self.kept, level="lltrend", seasonal=PERIOD, exog=effects if steps else None, mle_regression=False
        )
        # A variance that starts at nothing stays there: the likelihood is flat in its root.
        lifted = None if start is None else np.maximum(start, _LEAST_START)
        fitted = model.fit(start_params=lifted, method="bfgs", disp=0, maxiter=200, warn_convergence=False)
        self.parameters = np.asarray(fitted.params)
        self.parameters[0] = max(self.parameters[0], _LEAST_NOISE)  # the variance of the noise
        self.noise = float(self.parameters[0])
        self.smoothed: Any = model.smooth(self.parameters).smoother_results
        states = self.smoothed.smoothed_state
        self.level, self.season = states[0], states[2]
        self.shifts = effects @ states[len(states) - len(steps) :, -1]
        self.strength = np.array([self._strength(day, steps.index(day) if kind == "LS" else None, len(steps))
                                  for day, kind in outliers])  # fmt: skip

    def _strength(self, day: int, step: int | None, steps: int) -> float:
        """Return the t-statistic of an outlier: that of its regressor, or of the day against all other days."""
        state, spread = self.smoothed.smoothed_state[:, day], self.smoothed.smoothed_state_cov[..., day]
        if step is not None:
            place = len(state) - steps + step
            return float(abs(state[place]) / np.sqrt(max(spread[place, place], 1e-12)))
        design = np.zeros(len(state))
        design[[0, 2]] = 1.0
        design[len(state) - steps :] = [step <= day for step, kind in self.outliers if kind == "LS"]
        return float(abs(self.values[day] - design @ state) / np.sqrt(design @ spread @ design + self.noise))

    def candidates(self) -> dict[str, Doubles]:
        """Return, for AO and LS, the absolute t-statistic of each day, by the median's measure of the noise."""
        smoothed, known = self.smoothed, np.isfinite(self.kept)
        noise = smoothed.smoothed_measurement_disturbance[0]
        apart = _t(noise, self.noise - smoothed.smoothed_measurement_disturbance_cov[0, 0])
        # The estimator of day t belongs to the step from t to the next day.
        step = _t(smoothed.scaled_smoothed_estimator[0], smoothed.scaled_smoothed_estimator_cov[0, 0])
        level = np.concatenate([[0.0], step[: len(known) - 1]])
        before = np.cumsum(known) - known
        level[(before < _LEVEL_DAYS) | (known.sum() - before < _LEVEL_DAYS) | ~known] = 0.0
        for day in (day for day, kind in self.outliers if kind == "LS"):
            apart[day] = level[day] = 0.0
        errors = smoothed.standardized_forecasts_error[0][PERIOD + 2 :]
        scale = float(1.4826 * np.nanmedian(np.abs(errors)))
        scale = min(1.0, max(scale, _LEAST_SCALE))
        return {"AO": np.where(known, apart, 0.0) / scale, "LS": level / scale}


def _search(values: Doubles) -> _Fit:
    """Fit the model with the outliers that hold."""
    fit = _Fit(values, [])
    if np.isfinite(values).sum() < MIN_DAYS_TO_SEARCH:
        return fit
    most = {"AO": int(_MOST_DAYS * np.isfinite(values).sum()), "LS": _MOST_LEVELS}
    while True:
        numbers = Counter(kind for _, kind in fit.outliers)
        found = {kind: tests for kind, tests in fit.candidates().items() if numbers[kind] < most[kind]}
        kind = max(found, key=lambda name: float(found[name].max()), default="")
        if not kind:
            break
        day = int(found[kind].argmax())
        if found[kind][day] < CRITICAL:
            break
        fit = _Fit(values, [*fit.outliers, (day, kind)], fit.parameters)
    while len(fit.strength) and fit.strength.min() < CRITICAL:
        weakest = int(fit.strength.argmin())
        fit = _Fit(values, [one for place, one in enumerate(fit.outliers) if place != weakest], fit.parameters)
    return fit


def _t(estimate: Doubles, variance: Doubles) -> Doubles:
    """Return |estimate| in standard deviations; 0 where the data say nothing."""
    fine = variance > 1e-12
    return np.where(fine, np.abs(estimate) / np.sqrt(np.where(fine, variance, 1.0)), 0.0)
