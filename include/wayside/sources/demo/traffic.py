"""Who is in the street: a traffic model that can be asked about any second without playing the ones before.

Every lane carries an endless belt of cells that moves at the lane's speed. Whether a cell holds a vehicle is a throw
of the dice against the hour's level at the moment the cell enters the view, so vehicles keep their place from one
second to the next, the day has rush hours, and any moment of any year costs the same. Parked vehicles own a bay for
hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from wayside.sources.demo.dice import Dice, seed_of
from wayside.sources.demo.shapes import VARIANTS, solid
from wayside.sources.demo.street import BAY, LANE, Street

VEHICLE_DAY = (6, 4, 3, 3, 5, 14, 34, 70, 92, 74, 62, 64, 68, 66, 68, 78, 92, 100, 84, 60, 44, 34, 24, 13)
VEHICLE_WEEKEND = (12, 9, 7, 5, 5, 8, 14, 22, 36, 52, 66, 76, 80, 78, 74, 70, 68, 64, 58, 48, 38, 32, 26, 18)
PERSON_DAY = (5, 3, 2, 1, 2, 5, 16, 44, 76, 52, 48, 58, 92, 100, 78, 66, 68, 86, 74, 52, 38, 30, 22, 12)
PERSON_WEEKEND = (16, 12, 8, 4, 3, 4, 7, 13, 24, 42, 66, 84, 96, 100, 96, 88, 76, 64, 54, 46, 40, 38, 34, 24)
CYCLE_DAY = (2, 1, 1, 1, 2, 10, 40, 90, 100, 56, 34, 34, 40, 40, 38, 46, 72, 96, 70, 40, 24, 16, 10, 5)

LENGTHS = {"cyclist": 1.8, "motorcyclist": 2.2, "person": 0.6}
WIDTHS = {"cyclist": 0.7, "motorcyclist": 0.9, "person": 0.6}


@dataclass(frozen=True)
class Actor:
    """Somebody or something on the street: place in metres, heading in radians clockwise from +y."""

    label: str
    seed: int
    x: float
    y: float
    heading: float
    parked: bool
    track_id: str
    phase: float = 0.0

    @property
    def variant(self) -> int:
        """Which model of vehicle it is."""
        return self.seed % VARIANTS

    @property
    def size(self) -> tuple[float, float]:
        """Length and width in metres."""
        if self.label in LENGTHS:
            return LENGTHS[self.label], WIDTHS[self.label]
        body = solid(self.label, self.variant)
        return body.length, body.width


def _level(table: tuple[int, ...], weekend: tuple[int, ...], seconds: float) -> float:
    """The level 0..1 at a time, from hourly tables."""
    days, rest = divmod(seconds / 86400.0, 1.0)
    hour = rest * 24.0
    rows = weekend if (int(days) + 3) % 7 >= 5 else table
    low = int(hour)
    share = hour - low
    return (rows[low] * (1 - share) + rows[(low + 1) % 24] * share) / 100.0


def _mix(seconds: float, region: str) -> tuple[tuple[str, float], ...]:
    """What kinds of vehicle are about at an hour."""
    hour = (seconds / 3600.0) % 24.0
    work = max(0.0, 1.0 - abs(hour - 11.5) / 6.5)
    bus = 0.09 if region == "tfl" else 0.05
    bus *= 0.35 if hour < 5.0 else 1.0
    return (
        ("car", 0.72),
        ("van", 0.07 + 0.10 * work),
        ("truck", 0.02 + 0.075 * work),
        ("bus", bus),
        ("motorcyclist", 0.05),
    )


def _belt(dice: Dice, now: float, speed: float, cell: float, reach: float) -> Iterator[tuple[int, float, float]]:
    """The cells now in view: number, how far along they are, and when they came in."""
    first = math.floor(-speed * now / cell) - 1
    last = math.floor((reach - speed * now) / cell) + 1
    for number in range(first, last + 1):
        start = (number + 0.5) * cell
        yield number, start + speed * now, -start / speed


class Traffic:
    """The traffic of one camera's street."""

    def __init__(self, street: Street, camera_id: str, region: str, level: float, walkers: float) -> None:
        self.street = street
        self.region = region
        self.level = level
        self.walkers = walkers
        self.dice = Dice(seed_of("traffic", street.seed, camera_id))

    def at(self, when: datetime) -> list[Actor]:
        """Everyone in the street at a moment; nobody stands inside another."""
        now = when.astimezone(UTC).timestamp()
        placed: list[Actor] = []
        for actor in self._everyone(now):
            if not any(_touch(actor, other) for other in placed):
                placed.append(actor)
        return placed

    def _everyone(self, now: float) -> Iterator[Actor]:
        yield from self._parked(now)
        for lane in range(self.street.lanes):
            for away in (True, False):
                yield from self._lane(now, lane, away)
        if self.street.cross is not None:
            for east in (True, False):
                yield from self._crossing(now, east)
        for away in (True, False):
            yield from self._cyclists(now, away)
        for left in (True, False):
            for away in (True, False):
                yield from self._pavement(now, left, away)
        if self.street.zebra is not None:
            yield from self._zebra(now)

    def _parked(self, now: float) -> Iterator[Actor]:
        street = self.street
        gap = street.gap(6.0) or (1e9, 1e9)
        for left, there in ((True, street.bay_left), (False, street.bay_right)):
            if not there:
                continue
            x = street.left + BAY / 2 - 0.1 if left else street.right - BAY / 2 + 0.1
            for bay in range(int(street.end / 6.4)):
                y = 3.0 + bay * 6.4
                zebra = street.zebra is not None and abs(y - street.zebra) < 7.5
                if gap[0] < y < gap[1] or zebra:
                    continue
                own = self.dice.child(1, int(left), bay)
                hours = 2.5 + 8.0 * own.at(0)
                session = math.floor(now / 3600.0 / hours + own.at(1))
                stay = own.child(session)
                if stay.roll() > 0.62:
                    continue
                label = "van" if stay.chance(0.14) else "car"
                skew = stay.between(-0.03, 0.03)
                heading = (0.0 if left else math.pi) + (math.pi if stay.chance(0.12) else 0.0) + skew
                yield Actor(label, stay.seed, x + stay.between(-0.12, 0.12), y + stay.between(-0.4, 0.4), heading, True,
                            f"p{int(left)}-{bay}-{session}")  # fmt: skip

    def _lane(self, now: float, lane: int, away: bool) -> Iterator[Actor]:
        key = self.dice.child(2, lane, int(away))
        speed, cell = 7.0 + 6.0 * key.at(0), 15.0
        reach = self.street.end + 10.0
        for number, s, when in _belt(key, now, speed, cell, reach):
            own = key.child(number)
            busy = self.level * _level(VEHICLE_DAY, VEHICLE_WEEKEND, when) * (1.0 if lane == 0 else 0.7)
            if own.roll() > busy:
                continue
            label = own.weighted(_mix(when, self.region))
            middle = (lane + 0.5) * LANE + own.between(-0.25, 0.25) - 0.15
            x, y = (-middle, s) if away else (middle, reach - s)
            shift = own.between(-0.5, 0.5) * max(0.0, cell - 12.6 if label in {"bus", "truck"} else cell - 7.5)
            heading = (0.0 if away else math.pi) + own.between(-0.03, 0.03)
            yield Actor(label, own.seed, x, y + shift, heading, False, f"v{lane}{int(away)}-{number}", own.roll())

    def _crossing(self, now: float, east: bool) -> Iterator[Actor]:
        street = self.street
        key = self.dice.child(3, int(east))
        speed, cell, reach = 6.0 + 4.0 * key.at(0), 15.0, 90.0
        cross = street.cross or 0.0
        for number, s, when in _belt(key, now, speed, cell, reach):
            own = key.child(number)
            if own.roll() > 0.75 * self.level * _level(VEHICLE_DAY, VEHICLE_WEEKEND, when):
                continue
            label = own.weighted(_mix(when, self.region))
            x, y = (s - 45.0, cross + LANE / 2) if east else (45.0 - s, cross - LANE / 2)
            heading = math.pi / 2 if east else -math.pi / 2
            yield Actor(
                label, own.seed, x, y, heading + own.between(-0.03, 0.03), False, f"c{int(east)}-{number}", own.roll()
            )

    def _cyclists(self, now: float, away: bool) -> Iterator[Actor]:
        street = self.street
        key = self.dice.child(4, int(away))
        speed, cell, reach = 4.5 + 1.5 * key.at(0), 9.0, street.end
        bay = (street.bay_left if away else street.bay_right) * BAY
        edge = (-street.left if away else street.right) - bay - 0.75
        for number, s, when in _belt(key, now, speed, cell, reach):
            own = key.child(number)
            if own.roll() > 0.16 * self.walkers * _level(CYCLE_DAY, VEHICLE_WEEKEND, when):
                continue
            x = edge + own.between(-0.2, 0.25)
            y = s + own.between(-3, 3)
            yield Actor("cyclist", own.seed, -x if away else x, y if away else reach - y,
                        (0.0 if away else math.pi) + own.between(-0.06, 0.06), False, f"b{int(away)}-{number}",
                        (now * 1.1 + own.roll()) % 1.0)  # fmt: skip

    def _pavement(self, now: float, left: bool, away: bool) -> Iterator[Actor]:
        street = self.street
        key = self.dice.child(5, int(left), int(away))
        speed, cell, reach = 1.15 + 0.35 * key.at(0), 3.2, min(street.end, 75.0)
        wide = street.pave_left if left else street.pave_right
        gap = street.gap(-2.4)
        for number, s, when in _belt(key, now, speed, cell, reach):
            own = key.child(number)
            if own.roll() > 0.42 * self.walkers * _level(PERSON_DAY, PERSON_WEEKEND, when):
                continue
            y = (s if away else reach - s) + own.between(-1.4, 1.4)
            if gap is not None and gap[0] < y < gap[1] and (number * 7) % 3:
                continue
            off = own.between(0.6, max(0.9, wide - 0.6))
            x = street.left - off if left else street.right + off
            heading = (0.0 if away else math.pi) + own.between(-0.35, 0.35)
            yield Actor("person", own.seed, x, y, heading, False, f"w{int(left)}{int(away)}-{number}",
                        (now * 0.9 + own.roll()) % 1.0)  # fmt: skip

    def _zebra(self, now: float) -> Iterator[Actor]:
        street = self.street
        for east in (True, False):
            key = self.dice.child(6, int(east))
            speed, cell, reach = 1.3, 3.0, street.right - street.left
            for number, s, when in _belt(key, now, speed, cell, reach):
                own = key.child(number)
                if own.roll() > 0.30 * self.walkers * _level(PERSON_DAY, PERSON_WEEKEND, when):
                    continue
                x = street.left + s if east else street.right - s
                y = (street.zebra or 0.0) + own.between(-1.2, 1.2)
                heading = (math.pi / 2 if east else -math.pi / 2) + own.between(-0.2, 0.2)
                yield Actor("person", own.seed, x, y, heading, False, f"z{int(east)}-{number}",
                            (now * 0.9 + own.roll()) % 1.0)  # fmt: skip


def _touch(one: Actor, other: Actor) -> bool:
    """Whether two bodies would overlap (upright boxes are close enough: everyone follows an axis)."""
    dx, dy = abs(one.x - other.x), abs(one.y - other.y)
    if dx > 13.0 or dy > 13.0:
        return False
    if one.label == other.label == "person":
        return dx < 0.4 and dy < 0.4
    ex, ey = _extent(one)
    ox, oy = _extent(other)
    both = one.label in LENGTHS or other.label in LENGTHS
    slack = 0.1 if both or one.parked or other.parked else 0.45
    return dx < (ex + ox) / 2 + slack * 0.3 and dy < (ey + oy) / 2 + slack


def _extent(actor: Actor) -> tuple[float, float]:
    length, width = actor.size
    return (length, width) if abs(math.sin(actor.heading)) > 0.7 else (width, length)
