"""Answers to the questions of the HTTP interface: how many came, how many are there, and what is being watched.

The questions are those of the replaced system, and so are the names in the answers. Where it said "No records found"
to a question about a quiet hour, the answer here is the number 0; where nothing was ever counted it is an error with a
reason. Of each day the newest version of the zones that counted it answers, so that a total over a month in which
somebody moved a zone has every event once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from wayside.core.clock import utc_now
from wayside.core.tables import OCCUPANCY, SEGMENTS, ZONE_EVENTS
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counter import Counter
from wayside.zones.errors import QuestionError, UnknownProcessorError
from wayside.zones.processor import Processor
from wayside.zones.registry import Registry
from wayside.zones.states import States
from wayside.zones.times import LAST_YEAR, days_between, parse_time

Row = dict[str, Any]

ALL: Final = "*"
"""Every zone together, and every class."""
MOST_DAYS: Final = 3660
"""Longest time that one question is about."""
GAP_S: Final = 2.0
"""Two segments that are further apart than this have a gap between them, in seconds."""
FRESH_S: Final = 600.0
"""A camera is watched while its last segment ended less than this ago, in seconds."""
_NEVER: Final = datetime(LAST_YEAR, 12, 1, tzinfo=UTC)
# A segment belongs to the day in which it starts and is a day long at most; an event may be confirmed after midnight.
_AROUND: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many came.

    Attributes:
        traffic: objects that were counted; 0 where nobody came.
        min_ts: time of the first of these events; None without any.
        max_ts: time of the last; None without any.
    """

    traffic: int
    min_ts: datetime | None
    max_ts: datetime | None


@dataclass(frozen=True, slots=True)
class Objects:
    """How many were there.

    Attributes:
        count: objects inside.
        ts: since when there were so many.
        unwatched_since: since when nobody looked any more, at the time of the question; None: it was watched then.
    """

    count: int
    ts: datetime
    unwatched_since: datetime | None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How fresh a camera is.

    Attributes:
        watching: a processor of it is enabled, and its last segment ended less than `FRESH_S` ago.
        url: place of its last segment, without user, password and query; empty without any.
        last_segment: when the last segment ended; None without any.
        lag_s: seconds since then; None without any.
        gaps: times in the last 24 hours without video between two segments, of more than `GAP_S`.
        source: its source.
        camera: its name.
    """

    watching: bool
    url: str
    last_segment: datetime | None
    lag_s: float | None
    gaps: int
    source: str
    camera: str


def traffic(
    lake: ParquetWarehouse,
    registry: Registry,
    proc_id: int,
    start_ts: object,
    stop_ts: object = None,
    *,
    zone: str | None = None,
    direction: str | None = None,
    label: str | None = None,
    version: int | None = None,
) -> Traffic:
    """Count who came, start < time <= stop: as in the replaced system, so that questions end to end count once.

    In improved mode entries into zones and crossings of lines count, in match mode what it calls finished. An object
    that enters two zones is counted twice unless `zone` names one.

    Args:
        lake: the tables.
        registry: of processors.
        proc_id: a processor of kind traffic.
        start_ts: see `wayside.zones.times.parse_time`.
        stop_ts: the same; None: no end.
        zone: only this zone or line; None or `*`: all together.
        direction: only crossings in this direction, `forward` or `backward`.
        label: only this class.
        version: only what this version of the zones counted; None: of each day the newest that counted it.

    Raises:
        QuestionError: unknown_processor, unknown_zone, wrong_kind, bad_time, bad_range, or no_observation: nothing was
            looked at yet.
    """
    processor = asked_processor(registry, proc_id, ("traffic",))
    zone = _asked_zone(registry, processor, zone)
    start = parse_time(start_ts, "start_ts")
    stop = None if stop_ts is None else parse_time(stop_ts, "stop_ts")
    if stop is not None and stop < start:
        raise QuestionError("bad_range", "stop_ts lies before start_ts")
    days = _counted_days(lake, processor, start, stop)
    if not days:
        _must_have_looked(lake, processor)
        return Traffic(0, None, None)
    values = _of(processor) | {
        "start": start,
        "stop": stop or _NEVER,
        "zone": zone,
        "direction": direction,
        "label": label,
        "version": version,
        "first_day": days[0],
        "last_day": days[-1],
    }
    row = _ask(lake, "zones/traffic", values, processor, days)[0]
    return Traffic(int(row["traffic"]), row["min_ts"], row["max_ts"])


def objects(
    lake: ParquetWarehouse,
    registry: Registry,
    proc_id: int,
    ts: object = None,
    *,
    zone: str | None = None,
    now: datetime | None = None,
) -> Objects:
    """Tell how many were inside at a time: the last that is known at or before it.

    Args:
        lake: the tables.
        registry: of processors.
        proc_id: a processor of kind objects or faces.
        ts: see `wayside.zones.times.parse_time`; None: the last that is known at all.
        zone: only this zone; None or `*`: all together.
        now: the time.

    Raises:
        QuestionError: unknown_processor, unknown_zone, wrong_kind, bad_time, or no_observation.
    """
    processor = asked_processor(registry, proc_id, ("objects", "faces"))
    place = _asked_zone(registry, processor, zone) or ALL
    when = _NEVER if ts is None else parse_time(ts, "ts")
    values = _of(processor) | {"stop": when, "zone": place}
    # Nearly always the newest day answers; a day in which nobody looked says nothing, and the one before is asked.
    for day in reversed(_counted_days(lake, processor, None, when, OCCUPANCY)):
        rows = _ask(lake, "zones/objects", values | {"first_day": day, "last_day": day}, processor, [day])
        if known := [row for row in rows if row["inside"] is not None]:
            later = [row["since"] for row in rows if row["since"] > known[-1]["since"]]
            later += [] if later else _waiting(lake, registry, processor, day, place, min(when, now or utc_now()))
            return Objects(int(known[-1]["inside"]), known[-1]["since"], later[0] if later else None)
    raise QuestionError("no_observation", f"processor {proc_id} has no observation at or before that time")


def _waiting(
    lake: ParquetWarehouse, registry: Registry, processor: Processor, day: date, zone: str, moment: datetime
) -> list[datetime]:
    """Return since when nobody looked, if that is so and no look after it has said so yet; the counter itself tells."""
    scopes = lake.scopes(OCCUPANCY, [processor.source], [f"{day:%Y%m%d}"], cameras=[processor.camera])
    number = max((one.version or 0 for one in scopes if one.processor == processor.number), default=0)
    state = States(lake, processor, number).read(day)
    if state is None:
        return []
    version = registry.zones(processor.number, number)
    counter = Counter(processor.kind, version.zones, version.options, state.end.aspect or 1.0, state.end.counter)
    return [one.since for one in counter.until(moment)[1] if one.zone == zone]


def _asked_zone(registry: Registry, processor: Processor, name: str | None) -> str | None:
    """Return the name of a zone or line that a version of the processor has or had; None for all together.

    Raises:
        QuestionError: there never was one: 0 would be no answer to a slip of the pen.
    """
    if name in {None, ALL}:
        return None
    shapes = [version.zones for version in registry.versions(processor.number)]
    names = {zone.name for one in shapes for zone in one.zones} | {line.name for one in shapes for line in one.lines}
    if name not in names:
        raise QuestionError("unknown_zone", f"processor {processor.number} has no zone or line of this name")
    return name


def status(
    lake: ParquetWarehouse, registry: Registry, *, now: datetime | None = None, fresh_s: float = FRESH_S
) -> dict[int, CameraStatus]:
    """Tell of each camera that has processors how fresh its video is, by the camera's number."""
    moment = now or utc_now()
    enabled = {(one.source, one.camera) for one in registry.processors() if one.enabled}
    cameras: dict[str, dict[str, int]] = {}
    for one in registry.cameras():
        cameras.setdefault(one.source, {})[one.camera] = one.number
    told: dict[int, CameraStatus] = {}
    for source, numbers in cameras.items():
        seen = _newest_segments(lake, source, sorted(numbers), moment)
        for camera, number in numbers.items():
            on = (source, camera) in enabled
            told[number] = _status(source, camera, seen.get(camera, []), moment, fresh_s, on=on)
    return dict(sorted(told.items()))


def asked_processor(registry: Registry, number: int, kinds: Sequence[str]) -> Processor:
    """Return the processor that a question is about.

    Raises:
        QuestionError: there is none of this number, or it is of another kind.
    """
    try:
        found = registry.processor(number)
    except UnknownProcessorError as error:
        raise QuestionError("unknown_processor", f"there is no processor {number}") from error
    if found.kind not in kinds:
        raise QuestionError("wrong_kind", f"processor {number} is of kind {found.kind}, not {' or '.join(kinds)}")
    return found


def _counted_days(
    lake: ParquetWarehouse,
    processor: Processor,
    start: datetime | None,
    stop: datetime | None,
    table: Any = ZONE_EVENTS,
) -> list[Any]:
    """List the days that were counted and may hold events of a time, oldest first."""
    first = (start - _AROUND).date() if start else None
    last = (stop + _AROUND).date() if stop and stop < _NEVER else None
    scopes = lake.scopes(table, [processor.source], cameras=[processor.camera])
    days = {scope.day for scope in scopes if scope.processor == processor.number and scope.day}
    return sorted(day for day in days if (first is None or day >= first) and (last is None or day <= last))


def _must_have_looked(lake: ParquetWarehouse, processor: Processor) -> None:
    if not _counted_days(lake, processor, None, None):
        raise QuestionError("no_observation", f"processor {processor.number} has counted nothing yet")


def _of(processor: Processor) -> Row:
    return {"source": processor.source, "camera": processor.camera, "processor": processor.number}


def _ask(lake: ParquetWarehouse, name: str, values: Row, processor: Processor, days: Sequence[Any]) -> list[Row]:
    """Ask a statement of the files of one camera, in a range of days."""
    texts = days_between(days[0], days[-1]) if (days[-1] - days[0]).days < MOST_DAYS else None
    with lake.connect([processor.source], texts, tables=sql.tables(name), cameras=[processor.camera]) as connection:
        return sql.ask(connection, name, values)


def _newest_segments(
    lake: ParquetWarehouse, source: str, cameras: Sequence[str], now: datetime
) -> dict[str, list[Row]]:
    """Return the segments of the last 24 hours of each camera, with the last one before; of an old camera its last."""
    hours: dict[str, list[datetime]] = {}
    for scope in lake.scopes(SEGMENTS, [source], cameras=cameras):
        if scope.camera and scope.hour:
            hours.setdefault(scope.camera, []).append(scope.hour)
    if not hours:
        return {}
    before = now - timedelta(days=1) - _AROUND
    # From the last segment on that may end before the 24 hours, so that a gap at their beginning is seen as one.
    firsts = {
        camera: max((hour for hour in some if hour < before), default=min(some)) for camera, some in hours.items()
    }
    days = sorted({f"{hour:%Y%m%d}" for camera, some in hours.items() for hour in some if hour >= firsts[camera]})
    name = "zones/newest_segments"
    values = {"source": source, "first": min(firsts.values()), "cameras": sorted(hours)}
    found: dict[str, list[Row]] = {}
    with lake.connect([source], days, tables=sql.tables(name), cameras=sorted(hours)) as connection:
        for row in sql.ask(connection, name, values):
            if row["start_at"] >= firsts[row["camera"]]:
                found.setdefault(row["camera"], []).append(row)
    return found


def _status(source: str, camera: str, rows: Sequence[Row], now: datetime, fresh_s: float, *, on: bool) -> CameraStatus:
    if not rows:
        return CameraStatus(False, "", None, None, 0, source, camera)
    last = max(rows, key=lambda row: (row["end_at"], row["segment"]))
    lag = (now - last["end_at"]).total_seconds()
    fresh, gaps = on and lag <= fresh_s, _gaps(rows, now - timedelta(days=1), now)
    return CameraStatus(fresh, public_address(last["uri"]), last["end_at"], lag, gaps, source, camera)


def _gaps(rows: Sequence[Row], since: datetime, now: datetime) -> int:
    """Count the times without video between two segments that reach into the time from `since` to `now`."""
    gaps, covered = 0, None
    for row in sorted(rows, key=lambda row: (row["start_at"], row["end_at"])):
        if covered is not None and row["start_at"] - covered > timedelta(seconds=GAP_S):
            gaps += since < row["start_at"] and covered < now
        covered = row["end_at"] if covered is None else max(covered, row["end_at"])
    return gaps


def public_address(uri: str) -> str:
    """Return the address of a segment without user, password, query and fragment, which may give a key away."""
    if "://" not in uri:
        return uri
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))
