"""Counts of a day by the minute: who came and went, how many were inside, and how much of the minute was watched.

Each minute that was watched has a row for each zone, each line and all together, also where nothing happened, so that
a quiet minute and one that nobody saw can be told apart. Classes have rows of their own where something happened.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from wayside.counting.zones import ALL_ZONES, ZoneSet

Row = dict[str, Any]
Interval = tuple[datetime, datetime]

ALL: Final = ALL_ZONES
"""All zones and lines together, and all classes."""
_MINUTE: Final = timedelta(minutes=1)
_COLUMN: Final = {"enter": "entered", "exit": "exited", "finish": "finished"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `since` on, `inside` objects are in a zone; None: not known."""

    zone: str
    since: datetime
    inside: int | None


@dataclass(slots=True)
class _Numbers:
    entered: int = 0
    exited: int = 0
    forward: int = 0
    backward: int = 0
    finished: int = 0
    dwell_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Inside:
    """Numbers inside during one minute."""

    least: int
    most: int
    seconds: float = 0.0
    total: float = 0.0


def minute_rows(
    zones: ZoneSet,
    events: Iterable[Row],
    changes: Sequence[Stretch],
    times: Sequence[Interval],
    inside: Mapping[str, int | None],
) -> list[Row]:
    """Make the rows of `zone_minutes` of one day, less their scope.

    Args:
        zones: the shapes.
        events: rows of `zone_events`.
        changes: of the numbers inside, oldest first.
        times: what was watched, without overlap, oldest first.
        inside: the numbers at the beginning of the day.

    Returns:
        The rows, by minute, zone and label.
    """
    seconds: dict[datetime, float] = defaultdict(float)
    for begin, end in times:
        for minute, length in _minutes(begin, end):
            seconds[minute] += length
    names = [*(one.name for one in zones.zones), *(one.name for one in zones.lines), ALL]
    numbers: dict[tuple[datetime, str, str], _Numbers] = {}
    for minute, length in seconds.items():
        if length > 0:
            numbers |= {(minute, name, ALL): _Numbers() for name in names}
    for event in events:
        _add(numbers, event)
    stays = _stays(changes, times, inside)
    for minute, name in stays:
        numbers.setdefault((minute, name, ALL), _Numbers())
    return [
        _row(minute, name, label, seconds.get(minute, 0.0), one, stays.get((minute, name)) if label == ALL else None)
        for (minute, name, label), one in sorted(numbers.items())
    ]


def _row(minute: datetime, zone: str, label: str, watched_s: float, numbers: _Numbers, stay: _Inside | None) -> Row:
    dwell = numbers.dwell_s
    return {
        "minute": minute,
        "zone": zone,
        "label": label,
        "watched_s": round(watched_s, 6),
        "entered": numbers.entered,
        "exited": numbers.exited,
        "forward": numbers.forward,
        "backward": numbers.backward,
        "finished": numbers.finished,
        "inside_min": stay.least if stay else None,
        "inside_mean": round(stay.total / stay.seconds, 6) if stay else None,
        "inside_max": stay.most if stay else None,
        "dwell_mean_s": round(sum(dwell) / len(dwell), 6) if dwell else None,
    }


def _add(numbers: dict[tuple[datetime, str, str], _Numbers], event: Row) -> None:
    minute = _floor(event["happened_at"])
    column = event["direction"] if event["kind"] == "cross" else _COLUMN[event["kind"]]
    for zone in {event["zone"] or ALL, ALL}:
        for label in {event["label"] or ALL, ALL}:
            one = numbers.setdefault((minute, zone, label), _Numbers())
            setattr(one, column, getattr(one, column) + event["value"])
            if event["dwell_s"] is not None:
                one.dwell_s.append(event["dwell_s"])


def _stays(
    changes: Sequence[Stretch], times: Sequence[Interval], inside: Mapping[str, int | None]
) -> dict[tuple[datetime, str], _Inside]:
    """Return the numbers inside by minute and zone, over what was watched and is known."""
    by_zone: dict[str, list[Stretch]] = defaultdict(list)
    if times:
        for zone, number in inside.items():
            by_zone[zone].append(Stretch(zone, times[0][0], number))
    for one in changes:
        by_zone[one.zone].append(one)
    found: dict[tuple[datetime, str], _Inside] = {}
    for zone, steps in by_zone.items():
        ends = [*(step.since for step in steps[1:]), datetime.max.replace(tzinfo=steps[0].since.tzinfo)]
        known = [
            (step.since, end, step.inside) for step, end in zip(steps, ends, strict=True) if step.inside is not None
        ]
        for begin, end, number in _within(known, times):
            for minute, length in _minutes(begin, end):
                stay = found.setdefault((minute, zone), _Inside(number, number))
                stay.least, stay.most = min(stay.least, number), max(stay.most, number)
                stay.seconds += length
                stay.total += length * number
    return found


def _within(
    steps: Sequence[tuple[datetime, datetime, int]], times: Sequence[Interval]
) -> Iterator[tuple[datetime, datetime, int]]:
    """Cut steps to what was watched; both are sorted and without overlap."""
    at = 0
    for begin, end, number in steps:
        while at < len(times) and times[at][1] <= begin:
            at += 1
        for first, last in times[at:]:
            if first >= end:
                break
            yield max(begin, first), min(end, last), number


def _minutes(begin: datetime, end: datetime) -> Iterator[tuple[datetime, float]]:
    """Divide a time into minutes, each with its seconds."""
    minute = _floor(begin)
    while minute < end:
        seconds = (min(end, minute + _MINUTE) - max(begin, minute)).total_seconds()
        if seconds > 0:
            yield minute, seconds
        minute += _MINUTE


def _floor(when: datetime) -> datetime:
    return when.replace(second=0, microsecond=0)
