"""Counting our own way: tracks enter and leave zones and cross lines, each for good and once.

docs/ZONES.md tells the rules with pictures. In short: boxes become tracks (`tracker`), a track with boxes enough has an
anchor, the anchor settles on one side of a border (`borders`), and a change of sides is an event, at the time at which
the anchor was first seen on its new side. Since that is known some looks later, events come in the order in which they
are sure, and their times may lie a little before those of events that came earlier.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from wayside.core.errors import ConfigError
from wayside.counting.borders import Border, Crossing, LineBorder, Place, ZoneBorder
from wayside.counting.events import Direction, EventKind, Look, TrackRow, ZoneEvent, instant, micros
from wayside.counting.options import ImprovedOptions
from wayside.counting.sights import Sight, sights_of
from wayside.counting.tracker import Tracker
from wayside.counting.tracks import Track, edges_touched, outside
from wayside.counting.zones import Point, ZoneSet


class ImprovedCounter:
    """Counts who enters and leaves zones and crosses lines, look by look."""

    def __init__(
        self, zones: ZoneSet, options: ImprovedOptions, aspect: float, state: dict[str, Any] | None = None
    ) -> None:
        """Go on from a state, or begin.

        Args:
            zones: the zones and lines, at least one.
            options: those of this mode.
            aspect: width of the upright picture over its height.
            state: what `state` gave after the look before, of the same zones, options and aspect; None: nothing was
                seen yet.

        Raises:
            ConfigError: there is neither a zone nor a line, so that nothing could ever be counted.
        """
        if not zones:
            raise ConfigError("there is no zone and no line, so nothing could ever be counted: draw one")
        self._zones: list[Border] = [ZoneBorder(zone, aspect) for zone in zones.zones]
        self._lines: list[Border] = [LineBorder(line, aspect) for line in zones.lines]
        self._options = options
        self._aspect = aspect
        self._last_us: int | None = state["last_us"] if state else None
        self._tracker = Tracker(options, aspect, state["tracker"] if state else None)
        self._tracks = {record["number"]: Track.of(record) for record in (state["tracks"] if state else ())}
        self._ended = [Track.of(record) for record in (state["ended"] if state else ())]

    def feed(self, look: Look) -> list[ZoneEvent]:
        """Take the next look and return the events that are sure with it, in the order of their times.

        A look that is not later than the one before is passed over.
        """
        us = micros(look.at)
        if self._last_us is not None and us <= self._last_us:
            return []
        events = self._end(self._tracker.forget(us))
        sights = sights_of(look, self._options, self._options.low_score)
        for number, seen in self._tracker.update(us, sights).items():
            events += self._see(number, seen)
        self._last_us = us
        return sorted(events, key=lambda event: event.happened_at)

    def until(self, at: datetime | None) -> list[ZoneEvent]:
        """Say that nobody looked before this time, None: ever again; return the events of tracks that so have ended.

        The next look says the same: leaving this out changes no event, only when it comes.
        """
        if at is not None:
            return sorted(self._end(self._tracker.forget(micros(at))), key=lambda event: event.happened_at)
        if self._last_us is None:
            return []
        over = self._last_us + round(self._options.lost_s * 1e6) + 1
        return self.until(instant(over))

    def tracks(self) -> list[TrackRow]:
        """Hand over the tracks that have ended since this was called last, in the order of their ends."""
        rows = [track.row(self._options) for track in self._ended]
        self._ended = []
        return rows

    def state(self) -> dict[str, Any]:
        """Return what the next counter needs to go on, as values of JSON."""
        return {
            "last_us": self._last_us,
            "tracker": self._tracker.state(),
            "tracks": [track.written() for track in self._tracks.values()],
            "ended": [track.written() for track in self._ended],
        }

    def _see(self, number: int, seen: Sequence[Sight]) -> list[ZoneEvent]:
        """Give a track its boxes; those that come before it counts wait, and are gone through then."""
        track = self._tracks.setdefault(number, Track(number, seen[0], seen[0]))
        track.waiting += seen
        if track.boxes + len(track.waiting) < self._options.confirm_boxes:
            return []
        seen, track.waiting = track.waiting, []
        return [event for sight in seen for event in self._step(track, sight)]

    def _step(self, track: Track, sight: Sight) -> Iterable[ZoneEvent]:
        place = track.take(sight, self._options, self._aspect)
        moved = track.moved >= self._options.travel
        for border in (*self._zones, *self._lines):
            if border.name not in track.crossings:
                track.crossings[border.name] = self._begin(track, border)
            crossing = track.crossings[border.name]
            began = crossing.settled
            flip = crossing.look(border, place, self._options, self._aspect, moved)
            if flip:
                yield self._event(track, border, bool(crossing.settled), flip)
            elif began is None and crossing.settled and border in self._zones:
                track.inside[border.name] = None
                track.zone = border.name
        yield from self._come_in(track, (place.x, place.y))

    def _begin(self, track: Track, border: Border) -> Crossing:
        """Begin at a border. Before a line near the edge of the picture there may be no room to settle."""
        anchor = track.first.anchor(self._options.anchor)
        side = border.side(anchor)[0]
        edges = edges_touched(track.first)
        if border in self._lines and edges and border.side(outside(anchor, edges))[0] == side:
            return Crossing(settled=side)
        return Crossing()

    def _come_in(self, track: Track, now: Point) -> Iterable[ZoneEvent]:
        """Let a track that began at the edge of the picture have crossed lines between there and its first place.

        If that lies in a zone, it has entered this zone.
        """
        edges = track.edges_in(now, self._options, self._aspect)
        track.came += edges
        began = track.first.anchor(self._options.anchor)
        place = Place(track.first.us, track.first.segment, *began)
        for border in self._zones if track.came else ():
            if border.name in track.inside and track.inside[border.name] is None and border.side(began)[0]:
                track.zone = None
                track.crossings[border.name].event = began
                yield self._event(track, border, True, place)
        before = outside(began, edges)
        for border in self._lines if edges else ():
            if border.is_passed(before, began) and (side := border.side(began)[0]) is not None:
                track.crossings[border.name].event = began
                yield self._event(track, border, side, place)

    def _end(self, numbers: Iterable[int]) -> list[ZoneEvent]:
        """Let tracks end; one that never came to count leaves nothing behind."""
        events: list[ZoneEvent] = []
        for number in sorted(numbers):
            track = self._tracks.pop(number)
            if track.boxes:
                events += self._go_out(track)
                self._ended.append(track)
        return events

    def _go_out(self, track: Track) -> Iterable[ZoneEvent]:
        """Let a track that ends at the edge of the picture leave its zones, and cross lines between there and here."""
        for border in (*self._zones, *self._lines):
            flip = track.crossings[border.name].pending(border, self._options)
            if flip and track.moved >= self._options.travel:
                yield self._event(track, border, bool(track.crossings[border.name].settled), flip)
        edges = track.edges_out(self._options, self._aspect)
        if not edges:
            return
        here = track.last.anchor(self._options.anchor)
        place = Place(track.last.us, track.last.segment, *here)
        for border in self._zones:
            if track.crossings[border.name].settled:
                yield self._event(track, border, False, place)
        gone = outside(here, edges)
        for border in self._lines:
            side = border.side(gone)[0]
            if side is not None and side != track.crossings[border.name].settled and border.is_passed(here, gone):
                yield self._event(track, border, side, place)

    def _event(self, track: Track, border: Border, side: bool, place: Place) -> ZoneEvent:
        if border in self._lines:
            return self._row(track, "cross", border, place, direction="forward" if side else "backward")
        if side:
            origin, track.zone = track.zone, border.name
            track.inside[border.name] = place.us
            return self._row(track, "enter", border, place, origin=origin)
        since = track.inside.pop(border.name, None)
        return self._row(track, "exit", border, place, dwell_s=None if since is None else (place.us - since) / 1e6)

    def _row(
        self,
        track: Track,
        kind: EventKind,
        border: Border,
        place: Place,
        *,
        direction: Direction | None = None,
        dwell_s: float | None = None,
        origin: str | None = None,
    ) -> ZoneEvent:
        return ZoneEvent(
            happened_at=instant(place.us),
            kind=kind,
            zone=border.name,
            direction=direction,
            label=track.label,
            track=track.number,
            value=1,
            dwell_s=dwell_s,
            origin=origin,
            x=round(place.x, 6),
            y=round(place.y, 6),
            segment=place.segment,
        )
