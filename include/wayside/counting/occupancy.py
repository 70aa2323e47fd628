"""How many are inside, as a series of changes: of each zone, and of all together, where who is in two counts once.

In `match` mode it is the series of the replaced system: a row at the first look of every piece of video and at each
change, boxes by their centres. In `improved` mode there is a row only where the number changes; a change that does not
hold for some looks is a flicker of the detector and never was; where nobody looked for long the number is not known.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from wayside.counting.events import Change, Look, instant, micros
from wayside.counting.match import centres_of
from wayside.counting.options import ImprovedOptions, MatchOptions
from wayside.counting.sights import sights_of
from wayside.counting.zones import ALL_ZONES, Doubles, ZoneSet

FIRST_STEP_US: Final = 200_000
"""How long a look holds that is the only one before a gap."""


@dataclass(slots=True)
class _Series:
    """One series: the number that holds, and numbers of the last looks that all are above or all are below it."""

    inside: int | None
    waiting: list[tuple[int, str, int]]

    def take(self, us: int, segment: str, number: int, looks: int) -> tuple[int, str, int] | None:
        """Take the number of the next look; return since when another one holds, if now it does."""
        if self.inside is None:
            self.inside = number
            return us, segment, number
        if self.waiting and (self.waiting[0][2] > self.inside) != (number > self.inside):
            self.waiting = []
        if number == self.inside:
            self.waiting = []
            return None
        self.waiting.append((us, segment, number))
        if len(self.waiting) < looks:
            return None
        # Of what was seen in these looks, what differs least is what all of them support.
        held = min(self.waiting, key=lambda one: abs(one[2] - (self.inside or 0)))[2]
        since, segment, _ = self.waiting[0]
        last = max(at for at, one in enumerate(self.waiting) if one[2] == held)
        self.inside, self.waiting = held, self.waiting[last + 1 :]
        return since, segment, held


class OccupancyCounter:
    """Counts who is inside of zones, look by look. Without zones everybody is inside of the only series, `*`."""

    def __init__(
        self, zones: ZoneSet, options: MatchOptions | ImprovedOptions, state: dict[str, Any] | None = None
    ) -> None:
        """Go on from a state, or begin.

        Args:
            zones: the zones; lines are not looked at.
            options: of either mode.
            state: what `state` gave after the look before, of the same zones and options; None: nothing was seen yet.
        """
        self._zones = zones
        self._options = options
        names = [*(zone.name for zone in zones.zones), ALL_ZONES]
        before = state or {"last_us": None, "step_us": FIRST_STEP_US, "segment": None, "series": {}}
        self._last_us: int | None = before["last_us"]
        self._step_us: int = before["step_us"]
        self._segment: str | None = before["segment"]
        self._series = {name: _series_of(before["series"].get(name)) for name in names}

    def feed(self, look: Look) -> list[Change]:
        """Take the next look and return the changes that are sure with it; None where nobody looked before it.

        A look that is not later than the one before is passed over.
        """
        us = micros(look.at)
        if self._last_us is not None and us <= self._last_us:
            return []
        changes = self.until(look.at)
        is_after_gap = self._last_us is None or self._series[ALL_ZONES].inside is None
        self._step_us = FIRST_STEP_US if is_after_gap else us - (self._last_us or 0)
        if isinstance(self._options, MatchOptions) and look.segment != self._segment:
            self._forget()
        looks = self._options.occupancy_looks if isinstance(self._options, ImprovedOptions) else 1
        for name, number in self._numbers(look).items():
            if change := self._series[name].take(us, look.segment, number, looks):
                since, segment, inside = change
                changes.append(Change(name, instant(since), inside, segment))
        self._last_us, self._segment = us, look.segment
        return changes

    def until(self, at: datetime | None) -> list[Change]:
        """Say that nobody looked before this time, None: ever again; return that nothing is known, after a gap.

        A look holds for as long as the one before it did. The next look says the same: leaving this out changes
        nothing. In `match` mode there are no gaps.
        """
        if self._last_us is None or self._segment is None or isinstance(self._options, MatchOptions):
            return []
        gap_us = round(self._options.gap_s * 1e6)
        if at is not None and micros(at) - self._last_us <= gap_us:
            return []
        end = instant(self._last_us + min(self._step_us, gap_us))
        known = [name for name, series in self._series.items() if series.inside is not None]
        self._forget()
        return [Change(name, end, None, self._segment) for name in known]

    def state(self) -> dict[str, Any]:
        """Return what the next counter needs to go on, as values of JSON."""
        return {
            "last_us": self._last_us,
            "step_us": self._step_us,
            "segment": self._segment,
            "series": {name: [series.inside, series.waiting] for name, series in self._series.items()},
        }

    def _forget(self) -> None:
        self._series = {name: _Series(None, []) for name in self._series}

    def _numbers(self, look: Look) -> dict[str, int]:
        points = self._points(look)
        inside = self._zones.contains(points)
        numbers = {zone.name: int(row.sum()) for zone, row in zip(self._zones.zones, inside, strict=True)}
        numbers[ALL_ZONES] = int(inside.any(axis=0).sum()) if self._zones.zones else len(points)
        return numbers

    def _points(self, look: Look) -> Doubles:
        options = self._options
        if isinstance(options, MatchOptions):
            return centres_of(look, options.score)
        sights = sights_of(look, options, options.score)
        return np.array([sight.anchor(options.anchor) for sight in sights], np.float64).reshape(-1, 2)


def _series_of(values: Any) -> _Series:
    if values is None:
        return _Series(None, [])
    inside, waiting = values
    return _Series(inside, [(us, segment, number) for us, segment, number in waiting])
