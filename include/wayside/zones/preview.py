"""What if the zone were here: days counted with shapes that are not saved, from stored detections, in seconds."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from wayside.core.errors import ConfigError
from wayside.counting.events import ZoneEvent
from wayside.counting.zones import ZoneSet
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counter import Counter
from wayside.zones.fold import feed
from wayside.zones.looks import seen_segments, watched
from wayside.zones.minutes import Stretch, minute_rows
from wayside.zones.options import check_options
from wayside.zones.processor import Processor, ZoneVersion
from wayside.zones.times import day_start

Row = dict[str, Any]

MOST_DAYS: Final = 31
MOST_LOOKS: Final = 500_000
"""Looks that one draft is counted for: three minutes of work where five objects are in each."""


@dataclass(frozen=True)
class Preview:
    """What would be counted.

    Attributes:
        minutes: rows of `zone_minutes`, less their scope.
        events: in the order of their times.
        looks: that were counted.
    """

    minutes: list[Row]
    events: list[ZoneEvent]
    looks: int


def preview(
    lake: ParquetWarehouse,
    processor: Processor,
    zones: ZoneSet,
    first: date,
    last: date,
    *,
    options: BaseModel | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
) -> Preview:
    """Count days with zones that are not saved, and publish nothing.

    It begins without a state: who is inside at the beginning of the first day has not entered.

    Args:
        lake: the tables.
        processor: whose camera and pipeline are meant.
        zones: the draft.
        first: first UTC day.
        last: last UTC day, at most 31 days in all.
        options: in place of the processor's.
        start: only segments that start then or later.
        stop: only segments that start before.

    Raises:
        ConfigError: the draft does not go with the options, the time is too long, or there are too many looks.
    """
    if not timedelta(0) <= last - first < timedelta(days=MOST_DAYS):
        raise ConfigError(f"a draft is counted for 1 to {MOST_DAYS} days, from the first to the last")
    chosen = options or processor.options
    check_options(processor.kind, chosen, zones)
    version = ZoneVersion(0, zones, processor.pipeline, chosen, None, processor.author, processor.updated_at)
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    where = (processor.source, processor.camera, processor.pipeline.id)
    begin, end = start or day_start(first), stop or day_start(last + timedelta(days=1))
    seen = (one for day in days for one in seen_segments(lake, *where, day))
    segments = [one for one in seen if begin <= one.start_at < end]
    if not segments:
        return Preview([], [], 0)
    if (looks := sum(len(one.offsets_us) for one in segments)) > MOST_LOOKS:
        raise ConfigError(
            f"there are {looks:,} looks in this time, more than {MOST_LOOKS:,}: choose fewer days, or some hours"
        )
    counter = Counter(processor.kind, zones, chosen, segments[0].width / segments[0].height)
    found = feed(lake, processor, version, segments, counter, None)
    events, changes = counter.until(end)
    ordered = sorted([*found.events, *events], key=lambda one: one.happened_at)
    stretches = [Stretch(one.zone, one.since, one.inside) for one in (*found.changes, *changes)]
    times = watched(segments, processor.pipeline.fps, None)
    return Preview(minute_rows(zones, map(asdict, ordered), stretches, times, {}), ordered, found.looks)
