"""One UTC day of one version of a processor's zones, from looks to tables.

Where segments came to an open day after those that were counted, counting goes on from its state; otherwise it begins
anew with the state of the day before. Once the day is over it is closed: whoever would have waited for the next look
is told that there was none before midnight. The next look would have said the same, so nothing is counted twice.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from wayside.core.tables import OCCUPANCY, TRACKS, ZONE_EVENTS, ZONE_MINUTES, Table
from wayside.counting.events import Change, TrackRow, ZoneEvent
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside.zones.counter import Counter
from wayside.zones.looks import SeenSegment, looks_of, seen_segments, watched
from wayside.zones.minutes import Stretch, minute_rows
from wayside.zones.processor import Processor, ZoneVersion
from wayside.zones.states import Carry, DayState, rules_of
from wayside.zones.times import day_start

Row = dict[str, Any]

_TABLES: Final = (ZONE_EVENTS, OCCUPANCY, TRACKS, ZONE_MINUTES)


@dataclass
class Found:
    """What a counter made of looks.

    Attributes:
        events: in the order in which they were confirmed.
        changes: of the number inside, in order.
        tracks: those that have ended.
        looks: that it was given.
        dropped: that it was not given, because they do not come after the one before.
        last_look: time of the last one that it was given, or that came before; None: none yet.
    """

    last_look: datetime | None
    events: list[ZoneEvent] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    tracks: list[TrackRow] = field(default_factory=list)
    looks: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What was done for a day: segments and looks that were counted, and the events that the day has now."""

    segments: int
    looks: int
    events: int


class Fold:
    """Counts one day.

    Args:
        lake: the tables.
        processor: which.
        version: of its zones.
        day: UTC day.
        mark: of the files that say what was seen of it, see `wayside.zones.looks.day_marks`.
        now: the time, which says whether the day is over.

    Attributes:
        rules: hash of all that rules the counting.
        done: what was done; None as long as nothing had to be.
    """

    def __init__(
        self, lake: ParquetWarehouse, processor: Processor, version: ZoneVersion, day: date, mark: str, now: datetime
    ) -> None:
        self.day = day
        self.rules = rules_of(processor.kind, version)
        self.done: Done | None = None
        self._lake = lake
        self._processor = processor
        self._version = version
        self._mark = mark
        self._midnight = day_start(day + timedelta(days=1))
        self._now = now
        self._place = {
            "source": processor.source,
            "camera": processor.camera,
            "processor": processor.number,
            "version": version.version,
            "day": day,
        }

    def counted_day(self, carry: Carry, state: DayState | None) -> DayState:
        """Count what is to be counted, publish it, and return the state of the day as it is then.

        Where nothing was seen on the day, and nothing has to be taken back, nothing is published.

        Args:
            carry: what comes from the day before.
            state: of the day as it was; None: there is none.
        """
        segments = self._segments()
        if not segments and not any(self._lake.published(table, Scope.of(table, self._place)) for table in _TABLES):
            return self._state(carry, carry, carry.sha256, dict.fromkeys((table.name for table in _TABLES), ""))
        before = self._rows(state) if state and (state.rules, state.start) == (self.rules, carry.sha256) else None
        if state is None or before is None:
            return self._count(carry, segments, None, {})
        listed = _listed(segments)
        if listed == state.folded and (state.closed or not self._is_over):
            return replace(state, mark=self._mark)
        if state.closed or listed[: len(state.folded)] != state.folded:
            return self._count(carry, segments, None, {})
        return self._count(carry, segments, state, before)

    def closed(self, state: DayState | None) -> DayState | None:
        """Close a day that is over by now, if it is as its state says; return its state."""
        if state is None or state.closed or not self._is_over or state.rules != self.rules:
            return state
        segments, before = self._segments(), self._rows(state)
        if before is None or _listed(segments) != state.folded:
            return state
        return self._count(state.begin, segments, state, before)

    @property
    def _is_over(self) -> bool:
        return self._midnight <= self._now

    def _segments(self) -> list[SeenSegment]:
        one = self._processor
        return seen_segments(self._lake, one.source, one.camera, self._version.pipeline.id, self.day)

    def _rows(self, state: DayState) -> dict[str, list[Row]] | None:
        """Return the rows that the day has, by table; None where they are not those that belong to the state."""
        found: dict[str, list[Row]] = {}
        for table in _TABLES:
            rows, sha256 = self._lake.content(table, Scope.of(table, self._place))
            if sha256 != state.tables.get(table.name):
                return None
            found[table.name] = [] if table is ZONE_MINUTES else rows.to_pylist()
        return found

    def _count(
        self, carry: Carry, segments: Sequence[SeenSegment], state: DayState | None, before: dict[str, list[Row]]
    ) -> DayState:
        """Count segments, those from the state's last one on, and publish the day."""
        number = len(state.folded) if state else 0
        start, begin = (state.end, state.start) if state else (carry, carry.sha256)
        aspect = start.aspect or (segments[0].width / segments[0].height if segments else None)
        counter = self._counter(aspect or 1.0, start)
        found = feed(self._lake, self._processor, self._version, segments[number:], counter, start.last_look)
        if self._is_over:
            events, changes = counter.until(self._midnight)
            found.events += events
            found.changes += changes
        found.tracks = counter.tracks()
        rows = self._merged(found, before)
        times = watched(segments, self._version.pipeline.fps, carry.last_look)
        rows[ZONE_MINUTES.name] = minute_rows(
            self._version.zones,
            rows[ZONE_EVENTS.name],
            [Stretch(row["zone"], row["since"], row["inside"]) for row in rows[OCCUPANCY.name]],
            times,
            carry.inside,
        )
        tables = {table.name: self._publish(table, rows[table.name]) for table in _TABLES}
        self.done = Done(len(segments) - number, found.looks, len(rows[ZONE_EVENTS.name]))
        until = None if found.last_look is None else found.last_look.isoformat()
        inside = start.inside | {one.zone: one.inside for one in found.changes}
        return self._state(
            carry,
            Carry(counter.state(), until, aspect, inside),
            begin,
            tables,
            folded=_listed(segments),
            dropped=found.dropped + (state.dropped if state else 0),
        )

    def _state(
        self,
        begin: Carry,
        end: Carry,
        start: str,
        tables: dict[str, str],
        *,
        folded: Sequence[list[str]] = (),
        dropped: int = 0,
    ) -> DayState:
        return DayState(
            rules=self.rules,
            start=start,
            begin=replace(begin, counter=None),
            mark=self._mark,
            folded=list(folded),
            dropped=dropped,
            closed=self._is_over,
            tables=tables,
            end=end,
        )

    def _counter(self, aspect: float, start: Carry) -> Counter:
        return Counter(self._processor.kind, self._version.zones, self._version.options, aspect, start.counter)

    def _merged(self, found: Found, before: dict[str, list[Row]]) -> dict[str, list[Row]]:
        """Return the rows of the day, those that it had and those that were found; events by their times, numbered."""
        events = sorted(
            [*before.get(ZONE_EVENTS.name, []), *map(asdict, found.events)], key=lambda row: row["happened_at"]
        )
        return {
            ZONE_EVENTS.name: [row | {"ordinal": ordinal} for ordinal, row in enumerate(events)],
            OCCUPANCY.name: [*before.get(OCCUPANCY.name, []), *map(asdict, found.changes)],
            TRACKS.name: [*before.get(TRACKS.name, []), *map(_track_row, found.tracks)],
        }

    def _publish(self, table: Table, rows: Sequence[Row]) -> str:
        """Put the rows of the day in place; return the hash of their file."""
        scope = Scope.of(table, self._place)
        self._lake.publish(table, scope, to_arrow(table, [row | self._place for row in rows]))
        return self._lake.content(table, scope)[1]


def feed(
    lake: ParquetWarehouse,
    processor: Processor,
    version: ZoneVersion,
    segments: Sequence[SeenSegment],
    counter: Counter,
    last_look: datetime | None,
) -> Found:
    """Give the looks of segments to a counter, as far as time goes forward, and gather what it answers."""
    found = Found(last_look)
    for look in looks_of(lake, processor.source, processor.camera, version.pipeline.id, segments):
        if found.last_look is not None and look.at <= found.last_look:
            found.dropped += 1
            continue
        found.last_look = look.at
        found.looks += 1
        events, changes = counter.feed(look)
        found.events += events
        found.changes += changes
    return found


def _listed(segments: Sequence[SeenSegment]) -> list[list[str]]:
    return [[one.segment, one.key] for one in segments]


def _track_row(track: TrackRow) -> Row:
    return asdict(track) | {"path": json.dumps([list(point) for point in track.path], separators=(",", ":"))}
