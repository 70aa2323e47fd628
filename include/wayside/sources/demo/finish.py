"""What the camera itself adds: exposure, lens blur, dirt, noise, rain on the way, and the burnt-in caption."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.dice import Dice
from wayside.sources.demo.weather import Light

Image = NDArray[np.uint8]


@lru_cache(maxsize=14)
def _noise(deviation: int) -> NDArray[np.int8]:
    """A large square of sensor noise, coloured, a little soft as a compressed camera's is."""
    numbers = np.random.Generator(np.random.Philox(key=77)).integers(0, 256, (768, 1024, 3, 4), dtype=np.uint8)
    rough = (numbers.astype(np.int16).sum(axis=3) - 510).astype(np.float32) / 148.0
    shared = rough.mean(axis=2, keepdims=True) * 1.25
    mixed = 0.8 * shared + 0.45 * rough
    return np.asarray(np.clip(np.round(cv2.blur(mixed, (2, 2)) * 1.2 * deviation), -127, 127), np.int8)


@lru_cache(maxsize=8)
def _vignette(width: int, height: int) -> Image:
    x = (np.arange(width) - width / 2) / (width / 2)
    y = (np.arange(height) - height / 2) / (height / 2)
    fall = 255 * (1 - 0.16 * (x[None, :] ** 2 + y[:, None] ** 2) ** 1.2 / 2)
    one = fall.astype(np.uint8)
    return np.asarray(cv2.merge([one, one, one]), np.uint8)


@dataclass(frozen=True)
class Character:
    """What sets one camera's pictures apart from another's: white balance in percent, sharpness, colour, noise."""

    balance: tuple[int, int, int]
    soft: float
    edge: float
    colour: float
    grain: float


@lru_cache(maxsize=1024)
def character(seed: int) -> Character:
    """The character of a camera."""
    dice = Dice(seed).child(91)
    warm, green = dice.between(-6, 6), dice.between(-3, 3)
    return Character(
        (round(100 - warm), round(100 + green), round(100 + warm)), 0.42 + 0.4 * dice.roll() ** 2,
        dice.between(0.15, 0.7) if dice.chance(0.5) else 0.0, dice.between(0.72, 1.08), dice.between(0.6, 1.3),
    )  # fmt: skip


@lru_cache(maxsize=512)
def _tones(gain: int, lift: int, balance: tuple[int, int, int]) -> Image:
    """Exposure curves of the three colours."""
    return np.stack([_tone(gain * share // 100, lift) for share in balance], axis=1).reshape(1, 256, 3)


def _tone(gain: int, lift: int) -> Image:
    """Exposure curve: gain in percent, lift in levels."""
    x = np.arange(256) / 255.0 * gain / 100.0
    y = x * 0.72 + 0.28 * x * x * (3 - 2 * np.minimum(x, 1.0))
    y = 1.0 - np.maximum(0.0, 1.0 - y) ** 1.22
    out = lift + y * (255 - lift)
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def develop(image: Image, glow: Image | None, ground: Image, light: Light, own: Character, dice: Dice) -> Image:
    """Turn the clean drawing into what the camera would have sent."""
    height, width = image.shape[:2]
    if light.wet > 0.05:
        image = _wet(image, ground, light)
    if glow is not None:
        soft = cv2.GaussianBlur(glow, (0, 0), 2.2)
        wide = cv2.GaussianBlur(cv2.resize(soft, (width // 8, height // 8)), (0, 0), 3.0)
        soft = cv2.addWeighted(soft, 0.55, cv2.resize(wide, (soft.shape[1], soft.shape[0])), 0.7, 0)
        image = np.asarray(cv2.add(image, cv2.resize(soft, (width, height))), np.uint8)
    lift = int(5 + 55 * light.haze * (1 - light.night) + 6 * light.night)
    gain = int((121 - 24 * light.sunny + 48 * light.night) * (0.94 + 0.12 * dice.roll()))
    image = np.asarray(cv2.LUT(image, _tones(gain, lift, own.balance)), np.uint8)
    if own.colour < 0.98:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.addWeighted(image, own.colour, cv2.merge([grey] * 3), 1 - own.colour, 0), np.uint8)
    if light.rain > 0.05:
        _streaks(image, light.rain, dice)
    image = np.asarray(cv2.multiply(image, _vignette(width, height), scale=1 / 255), np.uint8)
    image = np.asarray(cv2.GaussianBlur(image, (3, 3), own.soft), np.uint8)
    if own.edge:
        wide = cv2.blur(image, (3, 3))
        image = np.asarray(cv2.addWeighted(image, 1 + own.edge, wide, -own.edge, 0), np.uint8)
    noise = _noise(max(1, round((2.6 + 6 * light.night) * own.grain)))
    x, y = int(dice.roll() * (1023 - width)), int(dice.roll() * (767 - height))
    return np.asarray(cv2.add(image, noise[y : y + height, x : x + width], dtype=cv2.CV_8U), np.uint8)


def _wet(image: Image, ground: Image, light: Light) -> Image:
    """Reflections in a wet street: the scene above, smeared down and laid over the ground."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    smear = cv2.blur(np.roll(small, height // 28, axis=0), (3, 17))
    smear[: height // 28] = 0
    big = cv2.resize(smear, (width, height))
    share = 0.28 * min(1.0, light.wet)
    mirror = cv2.addWeighted(image, 1 - 0.7 * share, big, share, 0)
    out = image.copy()
    cv2.copyTo(mirror, ground[::2, ::2].copy(), out)
    return out


def _streaks(image: Image, rain: float, dice: Dice) -> None:
    height, width = image.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    for _ in range(int(40 + 160 * rain)):
        x, y = dice.roll() * width, dice.roll() * height
        length = dice.between(5, 16) * height / 288
        cv2.line(layer, (int(x), int(y)), (int(x + length * 0.16), int(y + length)), dice.between(22, 60), 1)
    image[:] = cv2.add(image, cv2.merge([layer, layer, layer]))


def caption(image: Image, left: str, middle: str) -> None:
    """Burn the captions in: a date at the top left or bottom left, a street name at the bottom."""
    height, width = image.shape[:2]
    face, size = cv2.FONT_HERSHEY_SIMPLEX, 0.36 if width < 500 else 0.45
    if middle:
        _label(image, left, (0, 0), face, size, (235, 235, 235), (38, 38, 38))
        (wide, _), _ = cv2.getTextSize(middle, face, size, 1)
        _label(image, middle, (max(0, (width - wide) // 2), height - 12), face, size, (235, 235, 235), (38, 38, 38))
    else:
        _label(image, left, (0, height - 16), face, size, (20, 20, 20), (232, 232, 232))


def _label(
    image: Image, text: str, at: tuple[int, int], face: int, size: float, ink: tuple[int, int, int],
    paper: tuple[int, int, int],
) -> None:  # fmt: skip
    (wide, tall), base = cv2.getTextSize(text, face, size, 1)
    x, y = at
    cv2.rectangle(image, (x, y), (x + wide + 3, y + tall + base), paper, -1)
    cv2.putText(image, text, (x + 2, y + tall + 1), face, size, ink, 1, cv2.LINE_AA)
