"""Counting: from what was seen of a camera to events, tracks and numbers inside, a UTC day at a time.

One function serves live counting, back-fills and counting again after a zone was moved: the looks of a day are folded,
from the state at the end of the last day before that was counted, into the day's tables. It looks at no video. A day
is that of the start of a segment; what is confirmed after midnight but happened before stands, with its own time, in
the day of the segment whose look confirmed it.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.fold import Fold
from wayside.zones.looks import day_marks
from wayside.zones.processor import Processor, ZoneVersion
from wayside.zones.registry import Registry
from wayside.zones.states import Carry, DayState, States
from wayside.zones.times import day_start

_log = logging.getLogger(__name__)


@dataclass
class Counted:
    """What counting did.

    Attributes:
        days: days whose tables were made anew or added to.
        segments: segments that were counted, again or for the first time.
        looks: looks at them.
        dropped: looks of these days that were left out, because another segment shows the same time.
        events: rows of `zone_events` of these days.
    """

    days: list[date] = field(default_factory=list)
    segments: int = 0
    looks: int = 0
    dropped: int = 0
    events: int = 0

    def add(self, other: "Counted") -> None:
        """Add what was done besides."""
        self.days += other.days
        self.segments += other.segments
        self.looks += other.looks
        self.dropped += other.dropped
        self.events += other.events


def count_due(
    lake: ParquetWarehouse,
    registry: Registry,
    *,
    source: str | None = None,
    camera: str | None = None,
    clock: Clock = utc_now,
) -> Counted:
    """Count whatever enabled processors have still to count, see `due_days`.

    Args:
        lake: the tables.
        registry: of processors.
        source: only processors of this source.
        camera: only processors of cameras of this name.
        clock: what time it is.
    """
    total = Counted()
    for one in registry.processors(source):
        if one.enabled and camera in {None, one.camera}:
            version = registry.zones(one.number)
            total.add(count_days(lake, one, version, due_days(lake, one, version, clock=clock), clock=clock))
    return total


def due_days(
    lake: ParquetWarehouse, processor: Processor, version: ZoneVersion, *, clock: Clock = utc_now
) -> list[date]:
    """List the days that a version of a processor's zones has still to count, oldest first.

    These are the days of which anything changed since they were counted, those that no version has counted, those that
    were counted before they were over, and those that begin otherwise than the day before ends: somebody was killed
    between the two. What an older version counted stays, as long as nothing changes: that is counted again on demand.
    What changed is told by the files themselves and by no clock, so that clocks that differ, copies and backups play no
    part.
    """
    states = States(lake, processor, version.version)
    counted = {day: states.read(day) for day in states.days()}
    older = {
        day: other
        for other in (States(lake, processor, number) for number in range(1, version.version))
        for day in other.days()
    }
    due = _unfinished(counted, clock())
    for day, mark in _marks(lake, processor, version).items():
        if day in counted or day not in older:
            state = counted.get(day)
            is_new = state is None or state.mark != mark
        else:
            # One that cannot be read any more was counted all the same.
            state = older[day].read(day)
            is_new = state is not None and state.mark != mark
        if is_new:
            due.add(day)
    return sorted(due)


def _unfinished(counted: Mapping[date, DayState | None], now: datetime) -> set[date]:
    """Return days that were counted and are to be closed, or do not go on from the day before."""
    found, carry = set(), Carry()
    for day, state in counted.items():
        if state is None or state.start != carry.sha256 or (not state.closed and _is_over(day, now)):
            found.add(day)
        carry = carry if state is None else state.end
    return found


def scanned_days(lake: ParquetWarehouse, processor: Processor, version: ZoneVersion) -> list[date]:
    """List the days of which something was scanned that a version counts, oldest first."""
    return sorted(_marks(lake, processor, version))


def _marks(lake: ParquetWarehouse, processor: Processor, version: ZoneVersion) -> dict[date, str]:
    return day_marks(lake, processor.source, processor.camera, version.pipeline.id)


def recount(
    lake: ParquetWarehouse,
    registry: Registry,
    number: int,
    first: date,
    last: date,
    version: int | None = None,
    *,
    clock: Clock = utc_now,
) -> Counted:
    """Count days again that were scanned, by any version of a processor's zones, without a look at any video.

    Args:
        lake: the tables.
        registry: of processors.
        number: the processor.
        first: first UTC day.
        last: last UTC day.
        version: of its zones; None: the current one.
        clock: what time it is.

    Raises:
        UnknownProcessorError: there is no such processor or version.
        ConfigError: the last day lies before the first.
    """
    if last < first:
        raise ConfigError(f"the last day, {last}, lies before the first, {first}")
    processor, chosen = registry.processor(number), registry.zones(number, version)
    days = [day for day in scanned_days(lake, processor, chosen) if first <= day <= last]
    return count_days(lake, processor, chosen, days, clock=clock)


def count_days(
    lake: ParquetWarehouse,
    processor: Processor,
    version: ZoneVersion,
    days: Collection[date],
    *,
    clock: Clock = utc_now,
) -> Counted:
    """Bring the tables of some days up to date with the scans, and those of later days that change with them.

    Nothing is done for a day that is as it should be. One process at a time counts by a version of a processor, and
    who is killed leaves a day that is counted anew.

    Args:
        lake: the tables.
        processor: which.
        version: of its zones.
        days: UTC days.
        clock: what time it is: a day is closed once it is over.
    """
    if not days:
        return Counted()
    states = States(lake, processor, version.version)
    total = Counted()
    begin = min(days)
    with locked(states.folder):
        # Before anything is read: what changes from now on is due again.
        marks = _marks(lake, processor, version)
        known = states.days()
        carry = Carry()
        if earlier := [day for day in known if day < begin]:
            fold = Fold(lake, processor, version, earlier[-1], marks.get(earlier[-1], ""), clock())
            before = states.read(fold.day)
            state = _written(states, fold, before, fold.closed(before), total)
            carry = state.end if state and state.rules == fold.rules else carry
        for day in sorted({*days, *(day for day in known if day > begin)}):
            fold = Fold(lake, processor, version, day, marks.get(day, ""), clock())
            before = states.read(day)
            if day in days or before is None or (before.rules, before.start) != (fold.rules, carry.sha256):
                before = _written(states, fold, before, fold.counted_day(carry, before), total)
            carry = carry if before is None else before.end
    if total.dropped:
        said = "looks were left out, because another segment shows the same time"
        _log.warning("processor %s: %s %s", processor.number, total.dropped, said)
    return total


def _written(
    states: States, fold: Fold, before: DayState | None, state: DayState | None, total: Counted
) -> DayState | None:
    """Keep the state of a day if it has changed, and add up what was done."""
    if state is not None and state != before:
        states.write(fold.day, state)
    if fold.done is not None and state is not None:
        done = fold.done
        total.add(Counted([fold.day], done.segments, done.looks, state.dropped, done.events))
    return state


def _is_over(day: date, now: datetime) -> bool:
    return day_start(day + timedelta(days=1)) <= now
