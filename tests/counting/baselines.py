"""Other ways to fill gaps, to measure ours against."""

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float32]
WINDOW = 35


def camera_mean(grid: Grid) -> Grid:
    """The mean of the camera over the five weeks that end with the day."""
    filled = grid.copy()
    for day in range(grid.shape[1]):
        mean = np.nanmean(grid[:, max(0, day - WINDOW + 1) : day + 1], axis=(1, 2))
        filled[:, day] = np.where(np.isnan(grid[:, day]), mean[:, None], grid[:, day])
    return filled


def additive_season(grid: Grid) -> Grid:
    """As `na_seadec(algorithm="mean")`, period 1008, on four imputed weeks and a new one, negatives cut.

    The season is the mean of each slot of the week, of the series with its gaps bridged by straight lines.
    """
    filled = grid.copy()
    for camera in range(len(grid)):
        for week in range(4, grid.shape[1] // 7):
            values = np.concatenate([filled[camera, (week - 4) * 7 : week * 7], grid[camera, week * 7 : week * 7 + 7]])
            done = _with_season(values.reshape(-1)).reshape(WINDOW, -1)
            first = 0 if week == 4 else 28  # the first five weeks are filled together
            filled[camera, week * 7 - 28 + first : week * 7 + 7] = done[first:]
    return filled


def _with_season(values: NDArray[np.float32]) -> NDArray[np.float64]:
    gaps, places = np.isnan(values), np.arange(len(values))
    bridged = np.interp(places, places[~gaps], values[~gaps])
    means = bridged.reshape(5, -1).mean(0)
    season = np.tile(means - means.mean(), 5)
    level = float(np.nanmean(values - season))
    return np.where(gaps, np.maximum(level + season, 0.0), values)
