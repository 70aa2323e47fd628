"""Sun, sky and rain: how a street is lit at a moment.

The sun follows the usual astronomical approximation for the camera's place; cloud, rain and haze drift over a region in
hours and differ from day to day. `light_at` boils all that down to the few colours the painters need. Colours are BGR,
as OpenCV has them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from wayside.sources.demo.dice import Dice, seed_of

BGR = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """How everything is lit: gains are multipliers of a surface's own colour, skies are colours 0..255."""

    ambient: BGR
    sun: BGR
    sun_dir: tuple[float, float, float]
    sky_high: BGR
    sky_low: BGR
    lamp: float
    night: float
    rain: float
    haze: float
    wet: float
    evening: float

    @property
    def sunny(self) -> float:
        """Strength of the direct sun, 0..1."""
        return max(self.sun)


def sun_at(when: datetime, lat: float, lon: float) -> tuple[float, float]:
    """Elevation of the sun and its bearing from north, in radians."""
    day = when.timetuple().tm_yday
    hours = when.hour + when.minute / 60 + when.second / 3600
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365.25)
    angle = math.radians(15.0 * (hours - 12.0) + lon)
    phi = math.radians(lat)
    high = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(angle)
    elevation = math.asin(max(-1.0, min(1.0, high)))
    bearing = math.atan2(
        -math.sin(angle) * math.cos(declination),
        math.sin(declination) * math.cos(phi) - math.cos(declination) * math.sin(phi) * math.cos(angle),
    )
    return elevation, bearing


def _drift(dice: Dice, layer: int, hours: float) -> float:
    """Smooth noise 0..1 over time."""
    cell = math.floor(hours)
    share = hours - cell
    share = share * share * (3 - 2 * share)
    return dice.at(layer, cell) * (1 - share) + dice.at(layer, cell + 1) * share


def sky_at(city_seed: int, region: str, when: datetime) -> tuple[float, float, float]:
    """Cloud, rain and haze over a region, each 0..1."""
    dice = Dice(seed_of("weather", city_seed, region))
    hours = when.timestamp() / 3600
    cloud = 0.55 * _drift(dice, 1, hours / 9) + 0.45 * _drift(dice, 2, hours / 3)
    cloud = max(0.0, min(1.0, (cloud - 0.22) * 1.75))
    rain = max(0.0, min(1.0, (_drift(dice, 3, hours / 4) - 0.66) * 4.0)) * (1.0 if cloud > 0.45 else 0.0)
    haze = 0.12 + 0.35 * max(0.0, _drift(dice, 4, hours / 7) - 0.5) + 0.2 * rain
    return cloud, rain, haze


def _blend(low: BGR, high: BGR, share: float) -> BGR:
    share = max(0.0, min(1.0, share))
    return (
        low[0] + (high[0] - low[0]) * share,
        low[1] + (high[1] - low[1]) * share,
        low[2] + (high[2] - low[2]) * share,
    )


def light_at(city_seed: int, region: str, when: datetime, lat: float, lon: float, bearing: float) -> Light:
    """The light over a street that runs towards `bearing` (radians from north)."""
    elevation, azimuth = sun_at(when, lat, lon)
    cloud, rain, haze = sky_at(city_seed, region, when)
    _, rain_before, _ = sky_at(city_seed, region, datetime.fromtimestamp(when.timestamp() - 2400, tz=when.tzinfo))
    degrees = math.degrees(elevation)
    day = max(0.0, min(1.0, (degrees + 5.0) / 11.0))
    low = max(0.0, 1.0 - abs(degrees - 1.0) / 8.0) * (1 - 0.6 * cloud)
    ambient = _blend((0.085, 0.075, 0.07), _blend((0.66, 0.62, 0.60), (0.82, 0.81, 0.80), cloud), day)
    ambient = _blend(ambient, (ambient[0] * 1.05, ambient[1] * 0.92, ambient[2] * 1.0), low)
    strength = max(0.0, min(1.0, degrees / 9.0)) * max(0.0, 1.0 - cloud * 1.35)
    warm = max(0.0, min(1.0, (degrees - 2.0) / 22.0))
    sun = tuple(strength * c for c in _blend((0.26, 0.46, 0.70), (0.56, 0.62, 0.66), warm))
    turn = azimuth - bearing
    flat = math.cos(max(elevation, 0.05))
    direction = (math.sin(turn) * flat, math.cos(turn) * flat, math.sin(max(elevation, 0.05)))
    high = _blend(_blend((232, 178, 128), (214, 208, 202), cloud), (168, 160, 154), rain)
    horizon = _blend(_blend((238, 222, 206), (224, 220, 216), cloud), (184, 178, 172), rain)
    horizon = _blend(horizon, (140, 176, 240), low * 0.8)
    high = _blend((34, 24, 20), high, day)
    horizon = _blend((52, 48, 52), horizon, day)
    dusk = max(0.0, min(1.0, (3.5 - degrees) / 5.0))
    hour = when.hour + when.minute / 60
    evening = dusk * max(0.12, min(1.0, 1.0 - (((hour - 17.0) % 24.0) - 4.0) / 3.0 if hour >= 12 or hour < 3 else 0.25))
    return Light(
        ambient, (sun[0], sun[1], sun[2]), direction, high, horizon,
        dusk, 1.0 - day, rain, haze, max(rain, min(0.8, rain_before)), evening,
    )  # fmt: skip
