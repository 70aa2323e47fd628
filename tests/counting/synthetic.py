"""A town whose traffic is known: counts with a season, a trend and noise, and then gaps as cameras make them."""

import numpy as np
from numpy.typing import NDArray

SLOTS = 144


def busyness(days: int) -> NDArray[np.float64]:
    """The mean shape of traffic [day, slot], mean about 1: two rush hours on working days, one hump at weekends."""
    hour = np.arange(SLOTS) / 6

    def hump(at: float, wide: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((hour - at) / wide) ** 2))

    working = 0.15 + 1.6 * hump(8.3, 1.2) + 1.1 * hump(13, 3) + 1.9 * hump(17.5, 1.6)
    weekend = 0.2 + 1.9 * hump(14, 3.5)
    factors = np.array([1.0, 1.02, 1.04, 1.05, 1.12, 0.95, 0.75])  # Monday first
    shapes = np.stack([working] * 5 + [weekend] * 2) * factors[:, None]
    return shapes[np.arange(days) % 7]


def levels(days: int, step: int | None = None, share: float = 0.6) -> NDArray[np.float64]:
    """A slow wave of the level [day]; from day `step` on it is `share` of that."""
    wave = 1 + 0.1 * np.sin(2 * np.pi * np.arange(days) / 120)
    return np.where(np.arange(days) >= (days if step is None else step), wave * share, wave)


def town(cameras: int, days: int, seed: int = 1, step: int | None = None, mean: float = 3.0) -> NDArray[np.float32]:
    """Whole counts [camera, day, slot]; `mean` is what a middling camera shows at a middling time."""
    random = np.random.default_rng(seed)
    rates = mean * random.lognormal(0.0, 0.6, cameras)
    shifts = random.integers(-6, 7, cameras)
    shape = np.stack([np.roll(busyness(days), shift, axis=1) for shift in shifts])
    expected = rates[:, None, None] * shape * levels(days, step)[None, :, None]
    return random.poisson(expected).astype(np.float32)


def with_gaps(counts: NDArray[np.float32], seed: int = 2) -> NDArray[np.float32]:
    """Take away single slots, hours, days and, for one camera in ten, whole weeks: about a tenth of all values."""
    random = np.random.default_rng(seed)
    cameras, days, _ = counts.shape
    gappy = counts.copy()
    gappy[random.random(counts.shape) < 0.04] = np.nan
    for camera in range(cameras):
        flat = gappy[camera].reshape(-1)
        for length, times in ((18, days / 14), (SLOTS, days / 50), (7 * SLOTS, days / 600)):
            for start in random.integers(0, flat.size - length, random.poisson(times)):
                flat[start : start + length] = np.nan
    return gappy
