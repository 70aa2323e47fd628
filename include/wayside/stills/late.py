"""The back-fill of one day of one source: pictures that came late, and the counts of the stills that they change.

It starts from what is published. Stills without a picture or with a faulty one are looked for in the source's history;
what comes is stored, better pictures take the place of faulty ones, and then exactly those stills are analysed again
whose own or neighbouring picture changed, across midnight too. Rows of other stills stay as they are, to the byte.

What is to be done follows from tables and store alone, so a run may be killed anywhere and started again, and two may
go on at once. The order sees to that: first pictures go into the store; then, under one lock, counts are published,
and only after all of them the frames. A run that is killed in between leaves a picture whose published frame names
another one, or none, and the next run finds it by that. Until then a reader may see counts of a picture that `frames`
does not show yet; there is never a frame without its row of counts, and no row goes before another takes its place.
Summaries of slots and days come last, and are made anew from the tables by whoever is there last.

A day is divided by cameras, because a history is asked for by camera. `plan`, `run_shard` for each shard, `publish`;
around them `begin` and `end` for the table `runs`.
"""

import asyncio
import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from wayside.core.errors import ConfigError
from wayside.core.ids import run_id
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, CAMERAS, COUNTS, FRAMES, SLOT_RUNS
from wayside.stills.days import due_slots, roll_up
from wayside.stills.ingest import Ingest, Progress
from wayside.stills.late_pictures import Day, News, fetch_late
from wayside.stills.plan import chunk
from wayside.stills.published import cameras_between, counted_between, frames_between, pipelines_between, slots_over
from wayside.stills.runs import Part, RunBook, RunInfo
from wayside.stills.splice import publishing, roll_slot_runs, splice_counts, splice_frames
from wayside.stills.still import StillPipeline
from wayside.stills.window import Looked, Stopwatch, look_along
from wayside.store import StoredPicture, picture_key
from wayside.warehouse.scope import Scope

Mode = Literal["changed", "only_missing", "all"]
Load = Callable[[str], StillPipeline]
Fields = Mapping[str, Any]
_DAY = timedelta(days=1)
log = logging.getLogger(__name__)


class LateShard(BaseModel):
    """Some cameras of one day of a source. `part` counts from 0; `run` names the run in `runs`, empty for none."""

    model_config = ConfigDict(frozen=True)

    source: str
    day: date
    plan: str
    part: int
    parts: int
    mode: Mode = "changed"
    pipeline: str = ""
    run: str = ""

    @property
    def label(self) -> str:
        """What people call the shard: `NETravelData-images 2026-06-16 1/4`."""
        return f"{self.source} {self.day} {self.part + 1}/{self.parts}"

    @property
    def name(self) -> str:
        """The name of its part in the book of runs."""
        return f"{self.day:%Y%m%d}-{self.part}"


def plan(
    work: Ingest, source: str, day: date, *, mode: Mode = "changed", pipeline: str = "", run: str = ""
) -> list[dict[str, Any]]:
    """Divide the cameras of a source into shards; none if no slot of the day is over.

    The cameras are those with a frame on this day, the day before or the day after, and those that the source listed
    last; it is asked for its list only if it never gave one.

    Args:
        work: the stages of this machine.
        source: name of the source.
        day: UTC day.
        mode: what is analysed beside the stills whose pictures changed, and slots that have frames and no counts:
            nothing (`changed`), stills that have a frame and no counts (`only_missing`), or all stills of the day.
        pipeline: id of a pipeline to analyse with, beside those that have counts around that day. `mode` is then about
            this one alone.
        run: name of the run in the table `runs`; empty for none.

    Returns:
        The shards, small and ready for JSON.
    """
    slots = slots_over(work.clock(), day)
    if pipeline:
        work.pipelines.stages_of(pipeline)
    if not slots:
        return []
    known = cameras_between(work.warehouse, source, slots[0].shift(-144), slots[0].shift(287))
    listed = set(work.warehouse.read(CAMERAS, Scope(source))["camera"].to_pylist())
    if not listed:
        listed = {camera.id for camera in asyncio.run(work.cameras(source))}
    cameras = [[name, name in known] for name in sorted(known | listed)]
    digest = hashlib.sha256(repr(cameras).encode()).hexdigest()[:12]
    work.warehouse.save_plan(_plan_name(source, day, digest), cameras)
    parts = math.ceil(len(cameras) / work.settings.shard_cameras)
    shard = LateShard(
        source=source, day=day, plan=digest, part=0, parts=parts, mode=mode, pipeline=pipeline, run=run and run_id(run)
    )
    return [shard.model_copy(update={"part": part}).model_dump(mode="json") for part in range(parts)]


def begin(work: Ingest, shards: Sequence[Fields], *, kind: str, who: str, why: str | None = None) -> None:
    """Write the row of a run, one for each source of its shards, which all carry its name."""
    for source, mine in _by_source(shards).items():
        days = sorted({shard.day for shard in mine})
        slots = [slot for day in days for slot in slots_over(work.clock(), day)]
        first = mine[0]
        info = RunInfo(
            run=first.run,
            kind=kind,
            first=slots[0].start,
            last=slots[-1].start,
            mode=first.mode,
            who=who,
            why=why,
            pipeline=first.pipeline or None,
        )
        RunBook(work.warehouse, work.clock, source, first.run).open(info, len(slots), [shard.name for shard in mine])


def end(work: Ingest, source: str, run: str, error: str | None = None) -> dict[str, Any]:
    """Write the row of a run that is over, failed if there is an `error`; return the row."""
    book = RunBook(work.warehouse, work.clock, source, run)
    if error:
        return book.close(error, "failed")
    told = "{fetched} pictures came or were replaced, {images} stills were analysed, {changed} rows of counts changed"
    return book.close(told.format_map(book.done()))


def run_shard(
    work: Ingest, fields: Fields, *, load: Load | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Fetch, analyse and publish one shard.

    Args:
        work: the stages of this machine.
        fields: the shard, as `plan` gave it.
        load: gives a pipeline by its name; by default those of the configuration.
        progress: called with the number of pictures looked for, or of stills analysed, since the last call.

    Returns:
        Which shard it was, and how many cameras were asked about, pictures fetched and replaced, stills analysed, rows
        of counts changed, and stills left to another run that changed their pictures meanwhile.

    Raises:
        SourceError: the source as a whole could not say what it kept.
        AuditError: the counts of a slot are not fit to be seen.
        ModelError: the model of a pipeline that has counts cannot be used.
    """
    shard = LateShard.model_validate(fields)
    with _metered(work, shard) as meter:
        done = _run(work, shard, load or work.load, progress, meter)
    told = {name: done[name] for name in ("asked", "fetched", "replaced", "analysed", "changed", "left")}
    log.info("%s: %s", shard.label, told)
    return {"source": shard.source, "day": str(shard.day), "part": shard.part, **told}


def publish(work: Ingest, source: str, day: date) -> dict[str, Any]:
    """Bring the summaries of a day and its slots up to date with frames and counts, once all shards are done."""
    slots = list(Slot.of_day(day))
    near = slots[0].previous, slots[-1].next.next
    live = {scope.pipeline for scope in work.warehouse.scopes(SLOT_RUNS, [source], _days_around(day)) if scope.pipeline}
    pipelines = live or pipelines_between(work.warehouse, source, *near)
    with publishing(work.warehouse, source):
        for pipeline in sorted(pipelines):
            roll_slot_runs(work.warehouse, source, Slot.between(*near), pipeline)
    roll_up_around(work, source, day)
    return {"source": source, "day": str(day), "pipelines": sorted(pipelines)}


def roll_up_around(work: Ingest, source: str, day: date) -> None:
    """Roll up a day, and its neighbours where that was done before: their outermost slots may have changed."""
    newest = Slot.floor(work.clock()).previous
    rolled = {scope.day for scope in work.warehouse.scopes(CAMERA_DAYS, [source])}
    for near in (day - _DAY, day, day + _DAY):
        if near == day or near in rolled:
            roll_up(work.warehouse, source, near, due_slots(near, newest))


# What a shard does


def _run(work: Ingest, shard: LateShard, load: Load, progress: Progress | None, meter: Part | None) -> dict[str, int]:
    slots = slots_over(work.clock(), shard.day)
    names, watches = _pipelines(work, shard, slots, load)
    day = _read(work, shard, slots, names)
    news = asyncio.run(fetch_late(work, day, names, progress))
    looked: list[Looked] = []
    wanted = _wanted(work, shard, day, news)
    for stills in look_along(wanted.items(), names, _reader(work, shard.source), workers=work.settings.workers):
        looked += stills
        if progress:
            progress(len(stills))
        if meter:
            meter.images += len(stills)
            meter.write()
    with publishing(work.warehouse, shard.source):
        done = splice_counts(work.warehouse, work.store, shard.source, looked, names, news.frames)
        mine = {
            slot: {camera: row for camera, row in rows.items() if (camera, slot) not in done.overtaken}
            for slot, rows in news.frames.items()
        }
        splice_frames(work.warehouse, shard.source, mine)
    if done.overtaken:
        log.warning("%s: %d stills are left to another run, which changed them", shard.label, len(done.overtaken))
    if meter:
        meter.slots_done = len(slots) / shard.parts
        meter.fetched, meter.changed = news.fetched + news.replaced, done.changed
        meter.inference_seconds = sum(watch.seconds for watch in watches)
    return {
        "asked": news.asked,
        "fetched": news.fetched,
        "replaced": news.replaced,
        "analysed": len(looked),
        "changed": done.changed,
        "left": len(done.overtaken),
    }


def _pipelines(
    work: Ingest, shard: LateShard, slots: Sequence[Slot], load: Load
) -> tuple[dict[str, StillPipeline], list[Stopwatch]]:
    """Load the pipelines that have counts around the day, and the one that was asked for; without any the default."""
    names = pipelines_between(work.warehouse, shard.source, slots[0].previous, slots[-1].next)
    loaded: dict[str, StillPipeline] = {}
    watches: list[Stopwatch] = []
    for name in sorted({*names, shard.pipeline} - {""}) or [work.pipelines.default]:
        try:
            loaded[name], watch = Stopwatch.on(load(name))
        except ConfigError as error:
            if name == shard.pipeline or not names:
                raise
            log.warning("%s: counts of %s stay as they are: %s", shard.label, name, error)
            continue
        watches += [watch] if watch else []
    return loaded, watches


def _read(work: Ingest, shard: LateShard, slots: Sequence[Slot], pipelines: Iterable[str]) -> Day:
    listed = chunk(work.warehouse.load_plan(_plan_name(shard.source, shard.day, shard.plan)), shard.part, shard.parts)
    cameras = [name for name, _ in listed]
    stretch = shard.source, slots[0].previous, slots[-1].next
    return Day(
        source=shard.source,
        slots=slots,
        cameras=cameras,
        known={name for name, there in listed if there},
        frames=frames_between(work.warehouse, *stretch, cameras),
        counted={name: counted_between(work.warehouse, stretch[0], name, *stretch[1:], cameras) for name in pipelines},
    )


def _wanted(work: Ingest, shard: LateShard, day: Day, news: News) -> dict[str, dict[Slot, list[str]]]:
    """Return which stills are to be analysed, by camera and slot, and with which pipelines."""
    wanted: defaultdict[str, dict[Slot, list[str]]] = defaultdict(dict)
    whole = _whole_slots(work, shard, day)
    for name, counted in day.counted.items():
        mode = shard.mode if shard.pipeline in {"", name} else "changed"
        for slot in (day.slots[0].previous, *day.slots, day.slots[-1].next):
            inside = slot in day.slots
            for camera in {*day.frames.get(slot, {}), *news.frames.get(slot, {})}:
                has_counts = camera in counted.get(slot, {})
                near = any((camera, when) in news.changed for when in (slot.previous, slot, slot.next))
                own = camera in news.frames.get(slot, {}) or mode == "all" or slot in whole[name]
                missing = mode == "only_missing" and not has_counts
                if (near and (inside or has_counts)) or (inside and (own or missing)):
                    wanted[camera].setdefault(slot, []).append(name)
    return wanted


def _whole_slots(work: Ingest, shard: LateShard, day: Day) -> dict[str, set[Slot]]:
    """Return, by pipeline, the slots that have frames and were never analysed, if live slots are analysed by it.

    A pipeline that some days were reprocessed with is not extended to others by itself.
    """
    scopes = work.warehouse.scopes(SLOT_RUNS, [shard.source], _days_around(shard.day))
    live = {scope.pipeline for scope in scopes} or {work.pipelines.default}
    slots = set(work.warehouse.slots(FRAMES, shard.source, days=[f"{shard.day:%Y%m%d}"])) & set(day.slots)
    return {
        name: slots - set(work.warehouse.slots(COUNTS, shard.source, name, [f"{shard.day:%Y%m%d}"]))
        if name in live or name == shard.pipeline
        else set()
        for name in day.counted
    }


def _reader(work: Ingest, source: str) -> Callable[[str, Slot], StoredPicture | None]:
    return lambda camera, slot: work.store.read(picture_key(source, slot, camera))


def _days_around(day: date) -> list[str]:
    return [f"{near:%Y%m%d}" for near in (day - _DAY, day, day + _DAY)]


def _plan_name(source: str, day: date, digest: str) -> str:
    return f"late-{source}-{day:%Y%m%d}-{digest}"


def _by_source(shards: Iterable[Fields]) -> dict[str, list[LateShard]]:
    found: defaultdict[str, list[LateShard]] = defaultdict(list)
    for fields in shards:
        shard = LateShard.model_validate(fields)
        found[shard.source].append(shard)
    return found


@contextmanager
def _metered(work: Ingest, shard: LateShard) -> Iterator[Part | None]:
    if not shard.run:
        yield None
        return
    with RunBook(work.warehouse, work.clock, shard.source, shard.run).part(shard.name) as meter:
        yield meter
