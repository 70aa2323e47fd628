"""The counter that a processor's kind and mode ask for, behind one face."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from wayside.counting.events import Change, Look, TrackRow, ZoneEvent
from wayside.counting.improved import ImprovedCounter
from wayside.counting.match import MatchCounter
from wayside.counting.occupancy import OccupancyCounter
from wayside.counting.options import MatchOptions
from wayside.counting.zones import ZoneSet
from wayside.zones.options import FaceOptions

Answer = tuple[list[ZoneEvent], list[Change]]


class Counter:
    """Counts looks, one after the other.

    Args:
        kind: of the processor: traffic gives events, objects and faces give changes of the number inside.
        zones: the shapes.
        options: of the kind.
        aspect: width of the upright picture over its height.
        state: what `state` gave after the look before; None: nothing was seen yet.
    """

    def __init__(
        self, kind: str, zones: ZoneSet, options: BaseModel, aspect: float, state: dict[str, Any] | None = None
    ) -> None:
        self._one: MatchCounter | ImprovedCounter | OccupancyCounter
        counting: Any = options.counting if isinstance(options, FaceOptions) else options
        if kind != "traffic":
            self._one = OccupancyCounter(zones, counting, state)
        elif isinstance(counting, MatchOptions):
            self._one = MatchCounter(zones, counting, state)
        else:
            self._one = ImprovedCounter(zones, counting, aspect, state)

    def feed(self, look: Look) -> Answer:
        """Take the next look; return what is sure with it."""
        if isinstance(self._one, OccupancyCounter):
            return [], self._one.feed(look)
        return self._one.feed(look), []

    def until(self, at: datetime) -> Answer:
        """Say that nobody looked before this time; return what is sure with that. The next look would say the same."""
        if isinstance(self._one, OccupancyCounter):
            return [], self._one.until(at)
        return (self._one.until(at) if isinstance(self._one, ImprovedCounter) else []), []

    def tracks(self) -> list[TrackRow]:
        """Hand over the tracks that have ended since this was called last."""
        return self._one.tracks() if isinstance(self._one, ImprovedCounter) else []

    def state(self) -> dict[str, Any]:
        """Return what the next counter needs to go on, as values of JSON."""
        return self._one.state()
