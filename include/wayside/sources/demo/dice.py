"""Chance that can be repeated.

The demo city must draw the same picture for the same camera and second on every machine, so nothing in it uses a
global random state. All chance comes from here: a seed is the SHA-256 of a name, and every throw is an integer hash
(splitmix64) of that seed and a key. A throw can be looked up by key in any order, which is what lets the city answer
"who drives past camera 7 at 08:40 last Tuesday" without playing the week before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def seed_of(*parts: object) -> int:
    """The 64-bit seed that belongs to a name made of parts."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _mix(value: int) -> int:
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Dice:
    """Throws that depend only on the seed and the key asked for (or on how many were rolled before)."""

    __slots__ = ("_count", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed & _MASK
        self._count = 0

    def at(self, *keys: int) -> float:
        """The throw filed under these keys: uniform in [0, 1)."""
        value = self.seed
        for key in keys:
            value = _mix(value ^ ((key * _GOLDEN) & _MASK))
        return (_mix(value) >> 11) / 9007199254740992.0

    def child(self, *keys: int) -> Dice:
        """Another set of dice, filed under these keys."""
        value = self.seed
        for key in keys:
            value = _mix(value ^ ((key * _GOLDEN) & _MASK))
        return Dice(value)

    def roll(self) -> float:
        """The next throw of a sequence: uniform in [0, 1)."""
        self._count += 1
        return (_mix(self.seed ^ ((self._count * _GOLDEN) & _MASK)) >> 11) / 9007199254740992.0

    def between(self, low: float, high: float) -> float:
        """The next throw, scaled to a range."""
        return low + (high - low) * self.roll()

    def chance(self, probability: float) -> bool:
        """Whether the next throw falls under a probability."""
        return self.roll() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self.roll() * len(items))]

    def weighted(self, items: Sequence[tuple[T, float]]) -> T:
        """One of the items, in proportion to its weight."""
        left = self.roll() * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]
