"""Reprocessing: the pictures of a range of days analysed once more, with another pipeline, say, or other weights.

Only what lies in the store is looked at; no source is asked. Each camera's pictures are walked along in blocks of
slots, so that each is decoded once, and a block is published slot by slot before the next begins. Slots that are done
are noted under a name made of the run, the pipeline, its weights, the mode and the cameras: a run that was killed goes
on where it was, and another run does everything anew. Cameras that were not asked for keep their rows.

`plan` says how much there is to do and divides it; `run_shard` does it, shard by shard; `end` closes the run's book.
"""

import hashlib
import json
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id, run_id, source_id
from wayside.core.slots import Slot
from wayside.core.tables import RUNS
from wayside.stills.estimate import Estimate, Speeds, cost_of
from wayside.stills.ingest import Ingest, Progress
from wayside.stills.late import Load, roll_up_around
from wayside.stills.published import counted_between, frames_between, slots_over
from wayside.stills.runs import Part, RunBook, RunInfo
from wayside.stills.splice import publishing, roll_slot_runs, splice_counts
from wayside.stills.still import StillPipeline
from wayside.stills.window import ABSENT, Looked, Stopwatch, look_along
from wayside.store import StoredPicture, picture_key

Mode = Literal["all", "only_missing"]
Fields = Mapping[str, Any]
Stills = dict[Slot, list[str]]
MAX_SHARDS: Final = 30  # of one source; a range of more days has several days in a shard
_BLOCK: Final = 1200  # stills that are analysed between two publications, about
_BLOCK_SLOTS: Final = (6, 48)  # a block decodes two pictures of a camera more than it has slots
log = logging.getLogger(__name__)


class Request(BaseModel):
    """What was asked for. `cameras` are ids, None for all; `pipeline` is the id of one that is listed."""

    model_config = ConfigDict(frozen=True)

    run: str
    first: date
    last: date
    pipeline: str
    model_sha256: str | None
    mode: Mode
    cameras: tuple[str, ...] | None

    @property
    def days(self) -> list[date]:
        """The days of the range."""
        return [self.first + timedelta(days=step) for step in range((self.last - self.first).days + 1)]


class RangeShard(BaseModel):
    """Some days of one source of a run."""

    model_config = ConfigDict(frozen=True)

    run: str
    source: str
    first: date
    last: date

    @property
    def label(self) -> str:
        """What people call the shard: `TfL-images 2026-06-16`."""
        return f"{self.source} {self.first}" + (f" to {self.last}" if self.last > self.first else "")

    @property
    def name(self) -> str:
        """The name of its part in the book of runs."""
        return f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"


@dataclass(frozen=True)
class Plan:
    """What there is to do, by source, and the shards to do it in: small, and ready for JSON."""

    estimates: dict[str, Estimate]
    shards: list[dict[str, Any]]

    def told(self) -> dict[str, dict[str, Any]]:
        """Return the estimates ready for JSON."""
        return {source: asdict(estimate) for source, estimate in self.estimates.items()}


def plan(
    work: Ingest,
    *,
    run: str,
    first: date,
    last: date,
    sources: Sequence[str],
    cameras: Sequence[str] = (),
    pipeline: str = "",
    mode: Mode = "only_missing",
    kind: str = "reprocess_range",
    who: str = "",
    why: str | None = None,
    dry_run: bool = False,
    load: Load | None = None,
) -> Plan:
    """Say how much there is to do, open the run's row in `runs`, and divide the days into shards.

    Args:
        work: the stages of this machine.
        run: name of the run. The same name goes on with the same run.
        first: first UTC day.
        last: last UTC day, included.
        sources: names of sources.
        cameras: ids of cameras; all if empty.
        pipeline: id of the pipeline; the default one if empty.
        mode: `only_missing`: stills that have no counts of this pipeline; `all`: every still that has a frame.
        kind: what runs, the name of a DAG.
        who: user or schedule.
        why: reason, in words.
        dry_run: say how much it is and write a row that is `planned`, and no more: there are no shards.
        load: gives a pipeline by its name; by default those of the configuration.

    Returns:
        An estimate for each source, and the shards; none for a source without frames in the range.

    Raises:
        ConfigError: the range, a name or the mode does not hold.
        ModelError: the model cannot be had.
    """
    if first > last:
        raise ConfigError(f"the range ends before it begins: {first} to {last}")
    if mode not in ("all", "only_missing"):
        raise ConfigError(f"there is no mode {mode!r}: choose all or only_missing")
    loaded = (load or work.load)(pipeline or work.pipelines.default)
    request = Request(
        run=run_id(run),
        first=first,
        last=last,
        pipeline=loaded.name,
        model_sha256=loaded.model_sha256,
        mode=mode,
        cameras=tuple(sorted({camera_id(name) for name in cameras})) or None,
    )
    work.warehouse.save_plan(_plan_name(run), request.model_dump(mode="json"))
    made = Plan({}, [])
    for source in map(source_id, sources):
        estimate = made.estimates[source] = _estimate(work, source, request, loaded)
        shards = _shards(source, request) if estimate.slots else []
        info = RunInfo(
            run=run,
            kind=kind,
            first=next(Slot.of_day(first)).start,
            last=list(Slot.of_day(last))[-1].start,
            pipeline=loaded.name,
            model_sha256=loaded.model_sha256,
            mode=mode,
            cameras=",".join(request.cameras) if request.cameras else None,
            who=who,
            why=why,
        )
        book = RunBook(work.warehouse, work.clock, source, run)
        book.open(info, estimate.slots, [shard.name for shard in _shards(source, request)], _state(dry_run))
        made.shards.extend(shard.model_dump(mode="json") for shard in shards if not dry_run)
    return made


def run_shard(
    work: Ingest, fields: Fields, *, load: Load | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Analyse and publish one shard; what an earlier try of the same run finished is not done again.

    Args:
        work: the stages of this machine.
        fields: the shard, as `plan` gave it.
        load: gives a pipeline by its name; by default those of the configuration.
        progress: called with the number of stills analysed since the last call.

    Returns:
        Which shard it was, and how many slots it finished, stills it analysed, rows of counts changed, seconds it took
        and seconds of them, all threads added, that were spent in the model.

    Raises:
        AuditError: the counts of a slot are not fit to be seen; the slots before it are published.
        ConfigError: the pipeline or its weights are others than when the run was planned.
        StoreError: the store or the tables cannot be read or written.
        ModelError: the model cannot be had.
    """
    shard = RangeShard.model_validate(fields)
    request = Request.model_validate(work.warehouse.load_plan(_plan_name(shard.run)))
    with RunBook(work.warehouse, work.clock, shard.source, shard.run).part(shard.name) as meter:
        pipeline, watch = Stopwatch.on((load or work.load)(request.pipeline))
        if pipeline.model_sha256 != request.model_sha256:
            raise ConfigError(
                f"the weights of {request.pipeline} are others than when {shard.run} was planned: plan anew"
            )
        days = [day for day in request.days if shard.first <= day <= shard.last]
        job = _Job(work, shard.source, request, pipeline, meter, watch, progress)
        for day in days:
            job.run_day(day)
        Speeds(work.warehouse, work.settings).remember(pipeline, meter.images, job.busy)
        told = {"slots": meter.slots_done, "images": meter.images, "changed": meter.changed}
        spent = {"seconds": round(meter.seconds, 2), "inference_seconds": round(meter.inference_seconds, 2)}
    log.info("%s: %s", shard.label, told | spent)
    return {"source": shard.source, "first": str(shard.first), "last": str(shard.last), **told, **spent}


def end(work: Ingest, source: str, run: str, error: str | None = None) -> dict[str, Any]:
    """Write the row of a run that is over, failed if there is an `error`; return the row."""
    book = RunBook(work.warehouse, work.clock, source, run)
    if error:
        return book.close(error, "failed")
    done = book.done()
    rate = done["images"] / done["seconds"] if done["seconds"] else 0.0
    told = "{images} pictures were analysed, {changed} rows of counts changed".format_map(done)
    return book.close(f"{told}, {rate:.0f} pictures a second")


def run_to_go_on_with(work: Ingest, sources: Sequence[str], name: str) -> str:
    """Return `name`, or the first of `name-2`, `name-3`, … under which no run of these sources is over yet."""
    over = {
        row["run"]
        for source in sources
        for scope in work.warehouse.scopes(RUNS, [source])
        for row in work.warehouse.read(RUNS, scope).select(["run", "state"]).to_pylist()
        if row["state"] == "done"
    }
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, len(over) + 2))
    return next(free for free in names if free not in over)


# What there is to do


def _stills(work: Ingest, source: str, day: date, request: Request) -> tuple[Stills, int, int]:
    """Return the stills of a day that are to be analysed, how many slots have frames, and how many stills are done."""
    slots = slots_over(work.clock(), day)
    if not slots:
        return {}, 0, 0
    stretch = slots[0], slots[-1]
    frames = frames_between(work.warehouse, source, *stretch, request.cameras)
    missing = request.mode == "only_missing"
    counted = counted_between(work.warehouse, source, request.pipeline, *stretch, request.cameras) if missing else {}
    noted = _noted(work, source, day, request)
    found: Stills = {}
    for slot in sorted(frames):
        cameras = [] if slot in noted else sorted(set(frames[slot]) - set(counted.get(slot, {})))
        if cameras:
            found[slot] = cameras
    left = sum(map(len, found.values()))
    return found, len(frames), sum(map(len, frames.values())) - left


def _estimate(work: Ingest, source: str, request: Request, pipeline: StillPipeline) -> Estimate:
    slots = stills = done = images = 0
    sample: Stills = {}
    for day in request.days:
        todo, with_frames, finished = _stills(work, source, day, request)
        slots, done, stills = slots + with_frames, done + finished, stills + sum(map(len, todo.values()))
        if todo:
            sample = sample or todo
            stored = {entry.key for entry in work.store.entries(f"{source}/{day:%Y%m%d}")}
            wanted = {picture_key(source, slot, camera) for slot, cameras in todo.items() for camera in cameras}
            images += len(stored & wanted)
    speed = Speeds(work.warehouse, work.settings).of(pipeline, sample, _reader(work, source)) if images else 0.0
    seconds = images / speed if speed else 0.0
    return Estimate(slots, stills, images, done, speed, seconds, cost_of(work.settings, slots, seconds))


def _shards(source: str, request: Request) -> list[RangeShard]:
    days, each = request.days, math.ceil(len(request.days) / MAX_SHARDS)
    groups = [days[start : start + each] for start in range(0, len(days), each)]
    return [RangeShard(run=request.run, source=source, first=group[0], last=group[-1]) for group in groups]


# Doing it


@dataclass
class _Job:
    """One shard at work. `busy` is the time of analysis and publication, in seconds."""

    work: Ingest
    source: str
    request: Request
    pipeline: StillPipeline
    meter: Part
    watch: Stopwatch | None
    progress: Progress | None
    busy: float = 0.0
    finished: int = 0

    def run_day(self, day: date) -> None:
        """Analyse what is left of a day, and bring its summaries up to date."""
        todo, slots, _ = _stills(self.work, self.source, day, self.request)
        self._finish(slots - len(todo))
        begun = time.monotonic()
        for block in _blocks(todo):
            looked = self._look(block)
            self._publish(day, block, looked)
        self.busy += time.monotonic() - begun
        if slots:
            self._summarise(day)

    def _look(self, block: Stills) -> list[Looked]:
        wanted: defaultdict[str, dict[Slot, list[str]]] = defaultdict(dict)
        for slot, cameras in block.items():
            for camera in cameras:
                wanted[camera][slot] = [self.pipeline.name]
        looked: list[Looked] = []
        pipelines = {self.pipeline.name: self.pipeline}
        reader, workers = _reader(self.work, self.source), self.work.settings.workers
        for stills in look_along(sorted(wanted.items()), pipelines, reader, workers=workers):
            looked += stills
            self.meter.images += sum(one.hashes[1] != ABSENT for one in stills)
            if self.watch:
                self.meter.inference_seconds = self.watch.seconds
            self.meter.write()
            if self.progress:
                self.progress(len(stills))
        return looked

    def _publish(self, day: date, block: Stills, looked: Sequence[Looked]) -> None:
        work, pipelines = self.work, {self.pipeline.name: self.pipeline}
        with publishing(work.warehouse, self.source):
            done = splice_counts(work.warehouse, work.store, self.source, looked, pipelines, {})
            noted = sorted({*_noted(work, self.source, day, self.request), *block})
            work.warehouse.save_plan(_note_name(self.source, day, self.request), [str(slot) for slot in noted])
        if done.overtaken:
            log.warning("%s %s: %d stills are left to who changed them", self.source, day, len(done.overtaken))
        self.meter.changed += done.changed
        self._finish(len(block))
        self.meter.write(now=True)  # what is noted as done is in the book, should the run be killed

    def _finish(self, slots: int) -> None:
        self.finished += slots
        self.meter.slots_done = self.finished

    def _summarise(self, day: date) -> None:
        slots = list(Slot.of_day(day))
        with publishing(self.work.warehouse, self.source):
            near = Slot.between(slots[0], slots[-1].next)
            roll_slot_runs(self.work.warehouse, self.source, near, self.pipeline.name, fill=False)
        roll_up_around(self.work, self.source, day)


def _blocks(todo: Stills) -> Iterator[Stills]:
    """Cut the slots of a day into blocks of about the same number of stills."""
    slots = sorted(todo)
    most = max(map(len, todo.values()), default=1)
    each = min(max(_BLOCK // most, _BLOCK_SLOTS[0]), _BLOCK_SLOTS[1])
    for start in range(0, len(slots), each):
        yield {slot: todo[slot] for slot in slots[start : start + each]}


def _reader(work: Ingest, source: str) -> Callable[[str, Slot], StoredPicture | None]:
    return lambda camera, slot: work.store.read(picture_key(source, slot, camera))


def _noted(work: Ingest, source: str, day: date, request: Request) -> set[Slot]:
    name = _note_name(source, day, request)
    return set(map(Slot.parse, work.warehouse.load_plan(name))) if work.warehouse.has_plan(name) else set()


def _note_name(source: str, day: date, request: Request) -> str:
    told = json.dumps([request.run, request.pipeline, request.model_sha256, request.mode, request.cameras])
    return f"reprocessed-{hashlib.sha256(told.encode()).hexdigest()[:16]}-{source}-{day:%Y%m%d}"


def _plan_name(run: str) -> str:
    return f"reprocess-{run}"


def _state(dry_run: bool) -> str:
    return "planned" if dry_run else "running"
