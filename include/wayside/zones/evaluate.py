"""How good a processor counts: its events against a hand count, of a video or of what is published.

The protocol and its figures are those of `wayside.counting.accuracy`; docs/ZONES.md tells how to count by hand. Of a
video everything is done here, from frames to events, and nothing is published. Of a processor the events that the
tables have are taken, so that what is judged is what people see.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from wayside.core.errors import ConfigError, StoreUnavailableError, VideoError
from wayside.core.tables import SEGMENTS, ZONE_EVENTS, ZONE_MINUTES
from wayside.counting.accuracy import KINDS, Accuracy, Passage, compare, geh
from wayside.counting.events import Look, ZoneEvent
from wayside.counting.options import ImprovedOptions, MatchOptions
from wayside.counting.zones import ZoneSet
from wayside.media.detect import Detects, scan
from wayside.media.frames import Image, pictures
from wayside.media.probe import VideoLimits, probe
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope
from wayside.zones.counter import Counter
from wayside.zones.looks import SeenSegment, looks_of, seen_segments
from wayside.zones.options import LEAST_SCORE, check_options
from wayside.zones.processor import Pipeline, Processor
from wayside.zones.registry import Registry
from wayside.zones.scans import open_segment
from wayside.zones.times import day_start

Row = dict[str, Any]
Footage = Callable[[Sequence[datetime]], dict[datetime, Image]]
"""Gives the pictures at some times; a time of which there is none is left out."""

MOST_HOURS: Final = 24.0
"""Longest time that is compared at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Evaluation:
    """What came of a comparison, and what it takes to show it.

    Attributes:
        title: what was looked at, for people.
        pipeline: how often, and with which detector.
        zones: zones and lines.
        options: of counting.
        hand: the hand count.
        ours: our events, in the order of their times.
        accuracy: the figures.
        start_at: time of second 0.
        aspect: width of the picture over its height.
        note: what went wrong, for people: the video breaks off, say; None where all is well.
        looks: gives the looks at the video again, in order.
        footage: gives pictures.
    """

    title: str
    pipeline: Pipeline
    zones: ZoneSet
    options: ImprovedOptions
    hand: tuple[Passage, ...]
    ours: tuple[Passage, ...]
    accuracy: Accuracy
    start_at: datetime
    aspect: float
    note: str | None
    looks: Callable[[], Iterable[Look]]
    footage: Footage

    def as_json(self) -> Row:
        """Return the figures as values of JSON."""
        found = self.accuracy
        return {
            "title": self.title,
            "pipeline": self.pipeline.id,
            "options": self.options.model_dump(mode="json"),
            "note": self.note,
            "seconds": found.seconds,
            "doubtful": sum(one.doubtful for one in self.hand),
            **_figures(found),
            "wape": found.wape,
            "late_s": found.late_s,
            "places": places(found),
            "directions": [
                {"hand": way[0], "ours": way[1], "number": number} for way, number in found.directions().items()
            ],
            "missed": [asdict(one) for one in found.missed],
            "extra": [asdict(one) for one in found.extra],
        }


def evaluate_video(
    video: Path,
    zones: ZoneSet,
    hand: Sequence[Passage],
    *,
    detector: Detects,
    pipeline: Pipeline,
    options: ImprovedOptions | MatchOptions,
    limits: VideoLimits,
    workers: int = 0,
) -> Evaluation:
    """Count a video from end to end, and compare.

    Args:
        video: the file; it counts as beginning at midnight, so that second 0 is looked at.
        zones: zones and lines.
        hand: the hand count of this video, by these zones.
        detector: loaded with a least score of `wayside.zones.options.LEAST_SCORE`.
        pipeline: how often it looks; the name of its model is only told.
        options: of counting, mode improved.
        limits: what is refused.
        workers: threads that detect; 0 for one per usable core.

    Raises:
        ConfigError: the hand count and the zones do not go together, or the mode is match.
        VideoError: the video cannot be read.
    """
    told = _improved(options)
    check_options("traffic", told, zones)
    check_hand(hand, zones)
    about = probe(video, limits)
    seen = scan(
        video, start_at=_EPOCH, detector=detector, fps=pipeline.fps, limits=limits, floor=LEAST_SCORE, workers=workers
    )
    if seen.status == "failed":
        raise VideoError(seen.reason or "no_frames", seen.detail or "nothing of the video can be read")
    looks = [
        Look(_EPOCH + timedelta(microseconds=offset), video.name, found.boxes, found.labels, found.scores)
        for offset, found in zip(seen.offsets_us, seen.found, strict=True)
    ]
    aspect = about.width / about.height
    ours = counted(looks, zones, told, aspect)

    def footage(times: Sequence[datetime]) -> dict[datetime, Image]:
        offsets = {(at - _EPOCH) // _MICROSECOND: at for at in times}
        return {offsets[offset]: image for offset, image in pictures(video, offsets, limits=limits).items()}

    return Evaluation(
        title=video.name,
        pipeline=pipeline,
        zones=zones,
        options=told,
        hand=tuple(sorted(hand)),
        ours=tuple(ours),
        accuracy=compare(hand, ours, seconds=about.duration_s),
        start_at=_EPOCH,
        aspect=aspect,
        note=seen.detail,
        looks=lambda: looks,
        footage=footage,
    )


def evaluate_published(
    lake: ParquetWarehouse,
    registry: Registry,
    number: int,
    hand: Sequence[Passage],
    start: datetime,
    end: datetime,
    *,
    version: int | None = None,
) -> Evaluation:
    """Compare what is published of a processor.

    Args:
        lake: the tables.
        registry: of processors.
        number: a processor of kind traffic.
        hand: the hand count, its times in seconds from `start` on.
        start: from when on it was counted by hand.
        end: until when, not included; a day later at most.
        version: of its zones; None: the current one.

    Raises:
        ConfigError: there is no such processor or version, it counts in another way, the time is too long, nothing was
            counted then, or the hand count names other zones.
    """
    if not timedelta(0) < end - start <= timedelta(hours=MOST_HOURS):
        raise ConfigError(f"from the start to the end it may be {MOST_HOURS:g} hours, and has to be more than nothing")
    processor, rules = registry.processor(number), registry.zones(number, version)
    if processor.kind != "traffic":
        raise ConfigError(f"processor {number} is of kind {processor.kind}: only traffic has events to compare")
    options = _improved(rules.options)
    check_hand(hand, rules.zones)
    published = _published(lake, processor, rules.version, start, end)
    segments = _segments(lake, processor, rules.pipeline, start, end)
    if not segments:
        raise ConfigError(f"nothing of {processor.source} {processor.camera} was looked at in this time")
    passages = _passages(published, start)
    where = (processor.source, processor.camera, rules.pipeline.id)

    def looks() -> Iterator[Look]:
        until: datetime | None = None
        for look in looks_of(lake, *where, segments):
            if (until is None or look.at > until) and start <= look.at < end:
                until = look.at
                yield look

    return Evaluation(
        title=f"processor {number}, {processor.name}: {processor.source} {processor.camera}, version {rules.version}",
        pipeline=rules.pipeline,
        zones=rules.zones,
        options=options,
        hand=tuple(sorted(hand)),
        ours=tuple(passages),
        accuracy=compare(hand, passages, seconds=(end - start).total_seconds()),
        start_at=start,
        aspect=segments[0].width / segments[0].height,
        note=None,
        looks=looks,
        footage=lambda times: _footage(lake, processor, segments, times),
    )


def counted(looks: Iterable[Look], zones: ZoneSet, options: ImprovedOptions, aspect: float) -> list[Passage]:
    """Count looks from the beginning, and return what happened, in seconds from 1970 on; in the order of times."""
    counter = Counter("traffic", zones, options, aspect)
    events: list[ZoneEvent] = []
    last = _EPOCH
    for look in looks:
        events += counter.feed(look)[0]
        last = look.at
    events += counter.until(last + timedelta(seconds=options.lost_s) + _MICROSECOND)[0]
    return _passages([asdict(event) for event in events], _EPOCH)


def check_hand(hand: Sequence[Passage], zones: ZoneSet) -> None:
    """Raise `ConfigError` where a hand count names a zone or line that is not there, or goes no way that there is."""
    names = {kind: {zone.name for zone in zones.zones} for kind in ("enter", "exit")}
    names["cross"] = {line.name for line in zones.lines}
    for one in hand:
        what = f"the hand count, {one.kind} at {one.at_s:g} s"
        if one.zone not in names[one.kind]:
            drawn = ", ".join(sorted(names[one.kind])) or "none"
            shape = "line" if one.kind == "cross" else "zone"
            raise ConfigError(f"{what}: there is no {shape} {one.zone!r}; there are: {drawn}")
        if one.direction not in ({"forward", "backward"} if one.kind == "cross" else {""}):
            ways = "a crossing goes forward or backward" if one.kind == "cross" else "only crossings have a direction"
            raise ConfigError(f"{what}: {ways}, not {one.direction!r}")


def places(found: Accuracy) -> list[Row]:
    """Return the figures of each zone and line, entries and exits apart, by name."""
    keys = {(one.zone, one.kind) for one in (*found.missed, *found.extra)}
    keys |= {(pair.hand.zone, pair.hand.kind) for pair in found.pairs}
    rows = []
    for zone, kind in sorted(keys):
        here = Accuracy(
            pairs=tuple(pair for pair in found.pairs if (pair.hand.zone, pair.hand.kind) == (zone, kind)),
            missed=tuple(one for one in found.missed if (one.zone, one.kind) == (zone, kind)),
            extra=tuple(one for one in found.extra if (one.zone, one.kind) == (zone, kind)),
            seconds=found.seconds,
        )
        rows.append({"zone": zone, "kind": kind, **_figures(here)})
    return rows


def _figures(found: Accuracy) -> Row:
    return {
        "hand": found.hand,
        "ours": found.ours,
        "right": found.right,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "geh": geh(found.ours, found.hand, found.seconds),
    }


def _improved(options: object) -> ImprovedOptions:
    if not isinstance(options, ImprovedOptions):
        raise ConfigError("mode match counts neither zones apart nor directions, so no hand count can be compared")
    return options


def _passages(rows: Iterable[Row], start: datetime) -> list[Passage]:
    """Make passages of rows of `zone_events`."""
    return sorted(
        Passage(
            (row["happened_at"] - start).total_seconds(),
            row["kind"],
            row["zone"] or "",
            row["direction"] or "",
            row["label"] or "",
        )
        for row in rows
        if row["kind"] in KINDS
    )


def _published(lake: ParquetWarehouse, processor: Processor, version: int, start: datetime, end: datetime) -> list[Row]:
    days = _days(start - timedelta(days=1), end)  # an event may be sure after midnight
    scopes = [
        Scope(processor.source, camera=processor.camera, processor=processor.number, version=version, day=day)
        for day in days
    ]
    if not any(lake.read(ZONE_MINUTES, scope).num_rows for scope in scopes):
        said = f"version {version} of processor {processor.number} has counted nothing in this time"
        raise ConfigError(f"{said}: `wayside zones recount` does")
    rows = [row for scope in scopes for row in lake.read(ZONE_EVENTS, scope).to_pylist()]
    return [row for row in rows if start <= row["happened_at"] < end]


def _segments(
    lake: ParquetWarehouse, processor: Processor, pipeline: Pipeline, start: datetime, end: datetime
) -> list[SeenSegment]:
    where = (processor.source, processor.camera, pipeline.id)
    found = [one for day in _days(start - timedelta(days=1), end) for one in seen_segments(lake, *where, day)]
    return [one for one in found if one.at(0) < end and one.at(-1) >= start]


def _days(first: datetime, last: datetime) -> list[date]:
    begin = first.astimezone(UTC).date()
    return [begin + timedelta(days=step) for step in range((last - day_start(begin)).days + 1)]


def _footage(
    lake: ParquetWarehouse, processor: Processor, segments: Sequence[SeenSegment], times: Sequence[datetime]
) -> dict[datetime, Image]:
    """Return pictures of segments that can still be read."""
    found: dict[datetime, Image] = {}
    for one in segments:
        wanted = {(at - one.start_at) // _MICROSECOND: at for at in times if one.at(0) <= at <= one.at(-1)}
        if not wanted:
            continue
        scope = Scope(processor.source, camera=processor.camera, hour=one.hour)
        row = next(row for row in lake.read(SEGMENTS, scope).to_pylist() if row["segment"] == one.segment)
        try:
            with open_segment(row) as file:
                found |= {wanted[offset]: image for offset, image in pictures(file, wanted).items()}
        except (VideoError, StoreUnavailableError):  # the figures are worth having without
            continue
    return found
