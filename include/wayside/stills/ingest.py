"""The stages of one slot: plan, fetch, analyse, publish. Each is a task in Airflow and a call on the command line.

Slot S is fetched; slot S-1, whose neighbours on both sides are then known, is analysed. A slot that comes late, as when
slots are run backwards, has itself and the next one analysed as well, so that the order of runs changes no count.

Every stage can be killed and run again, or run twice at once: pictures are created once, parts are staged under names
that depend on the slot and the plan alone, and publishing replaces a scope in one step.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import AuditError, ConfigError, ModelError, SourceError, StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, COUNTS, DETECTIONS, FRAMES, SLOT_RUNS, Table
from wayside.sources.fetch import fetch_slot
from wayside.sources.reasons import Reason
from wayside.sources.registry import find_source, open_source
from wayside.sources.source import Camera, Source
from wayside.stills import cameras as lists
from wayside.stills.days import due_slots, roll_up
from wayside.stills.pipelines import PipelinesFile, load_pipelines
from wayside.stills.plan import Shard, chunk, divide
from wayside.stills.rows import EXPIRED, count_row, detection_rows, slot_run_row
from wayside.stills.splice import publishing
from wayside.stills.still import Analysis, StillPipeline
from wayside.store import Store, open_store, picture_key
from wayside.vision.stream import Failure, stream
from wayside.warehouse.audit import BROKEN, audit_together
from wayside.warehouse.parquet import ParquetWarehouse, Row, open_lake, to_arrow
from wayside.warehouse.scope import Scope

Progress = Callable[[int], None]
_FETCH_PATIENCE = timedelta(minutes=5)  # a plan whose frames are not there after this long belongs to a run that died
log = logging.getLogger(__name__)


@dataclass
class Ingest:
    """What the stages share: settings, store, warehouse and clock. Cheap to make; loads nothing until asked.

    `lag` is the number of slots between the one fetched and the one analysed: 1, so that both neighbours are there,
    or 0 to look at the present alone, with a pipeline that needs no neighbours. `pictures` is the store, where the
    caller has opened one with credentials of its own; by default it is the one of the settings.
    """

    settings: Settings
    clock: Clock = utc_now
    lag: int = 1
    pictures: InitVar[Store | None] = None
    store: Store = field(init=False)
    warehouse: ParquetWarehouse = field(init=False)

    def __post_init__(self, pictures: Store | None) -> None:
        self.store = pictures or open_store(self.settings)
        self.warehouse = open_lake(self.settings)

    @cached_property
    def pipelines(self) -> PipelinesFile:
        """The pipelines that the configuration lists."""
        return load_pipelines(self.settings.config / "pipelines.yaml")

    def load(self, name: str) -> StillPipeline:
        """Load a pipeline by its name; raise `ConfigError` or `ModelError` if it cannot be had."""
        return StillPipeline.load(name, self.pipelines, self.settings)

    def source(self, name: str) -> Source:
        """Open a source by name; raise `ConfigError` that lists the known ones if there is none."""
        return open_source(find_source(self.settings, name))

    # Plan

    async def plan(self, name: str, slot: Slot, limit: int | None = None) -> list[Shard]:
        """List the source's cameras, at most `limit`, publish the list, and divide it into shards."""
        listed = (await self.cameras(name))[:limit]
        shards = divide(name, slot, listed, self.settings.shard_cameras)
        if shards:
            self.warehouse.save_plan(_plan_name(shards[0]), [camera.model_dump(mode="json") for camera in listed])
        return shards

    async def cameras(self, name: str) -> list[Camera]:
        """Ask the source for its cameras; while it gives no list that can be believed, the last one serves.

        An empty list is handed on and not kept: it is never what a source means.
        """
        try:
            found = await lists.ask(self.settings, self.warehouse, name, self.clock)
        except SourceError as error:
            known = lists.latest(self.warehouse, name)
            if known is None:
                raise
            log.warning("%s gives no list of its cameras (%s): the last list it gave serves", name, error)
            return known
        if found:
            lists.keep(self.warehouse, name, found)
        return found

    # Fetch

    async def fetch(self, shard: Shard, progress: Progress | None = None) -> dict[str, int]:
        """Fetch the pictures of a shard and stage its frames; return how many ended in each status."""
        planned = [Camera.model_validate(camera) for camera in self.warehouse.load_plan(_plan_name(shard))]
        cameras = chunk(planned, shard.part, shard.parts)
        rows = await fetch_slot(
            self.source(shard.source),
            cameras,
            shard.when,
            self.store,
            settings=self.settings,
            clock=self.clock,
            progress=progress and (lambda _row: progress(1)),
        )
        self.warehouse.stage(FRAMES, Scope(shard.source, shard.when), shard.plan, shard.part, rows)
        return dict(Counter(str(row["status"]) for row in rows))

    async def publish_frames(self, shards: Sequence[Shard]) -> int:
        """Publish the frames of a slot, once all its shards are fetched; return the number of rows.

        A row that says less than is known is replaced: by the picture that another run stored meanwhile, or by the
        published row of a picture that has expired since, of one that took its place, or of a slot that is over.
        Published rows of cameras that the plan does not have, since they left the source's list or the plan has a
        limit, stay.
        """
        first = shards[0]
        scope = Scope(first.source, first.when)
        planned = [Camera.model_validate(camera) for camera in self.warehouse.load_plan(_plan_name(first))]
        rows: dict[str, Row] = {
            row["camera"]: row for row in self.warehouse.staged(FRAMES, scope, first.plan, first.parts).to_pylist()
        }
        if sorted(rows) != sorted(camera.id for camera in planned):
            raise AuditError(f"frames of {scope} are not published: {len(rows)} rows for {len(planned)} cameras")
        lacking = [camera for camera in planned if rows[camera.id]["status"] != "ok"]
        rows |= {row["camera"]: row for row in await self._stored(first, lacking)}
        with publishing(self.warehouse, first.source):
            known = self.warehouse.read(FRAMES, scope).to_pylist()
            rows |= {
                row["camera"]: row for row in known if row["camera"] not in rows or _says_less(rows[row["camera"]], row)
            }
            return self.warehouse.publish(FRAMES, scope, to_arrow(FRAMES, list(rows.values())))

    async def _stored(self, shard: Shard, cameras: Sequence[Camera]) -> list[Row]:
        """Return the rows of those cameras whose picture is in the store by now; nobody is asked for one."""
        there = [camera for camera in cameras if self.store.exists(picture_key(shard.source, shard.when, camera.id))]
        if not there:
            return []
        source = self.source(shard.source)
        return await fetch_slot(
            source, there, shard.when, self.store, settings=self.settings, clock=self.clock, offers=()
        )

    # Analyse

    def _analysed(self, shard: Shard) -> Slot:
        return shard.when.shift(-self.lag)

    def due(self, shard: Shard, pipeline: str) -> list[Slot]:
        """Return the slots that the run of a shard analyses, as far as their frames are published.

        That is the slot before; and, in a run that comes late, each slot whose own analysis may have lacked this one:
        the shard's own, and the next, which was then analysed without the picture before it.
        """
        slots = [self._analysed(shard)]
        if self.lag == 1 and self._comes_late(shard, pipeline):
            own = shard.when
            slots += [slot for slot in (own, own.next) if self._has_frames(shard, slot.next)]
        return [slot for slot in slots if self._has_frames(shard, slot)]

    def _comes_late(self, shard: Shard, pipeline: str) -> bool:
        """Tell whether later slots may have been analysed before the frames of this one were published.

        The row in `runs` is published last, so a run that was killed is late as before. A slot that another pipeline
        has been through is there for all: it is late only where the next one came first with this pipeline.
        """
        slot = shard.when
        if self.warehouse.published(SLOT_RUNS, Scope(shard.source, slot, pipeline)):
            return False
        new = slot not in self.warehouse.slots(SLOT_RUNS, shard.source, days=[slot.day])
        return new or self.warehouse.published(SLOT_RUNS, Scope(shard.source, slot.next, pipeline))

    def _has_frames(self, shard: Shard, slot: Slot) -> bool:
        return self.warehouse.published(FRAMES, Scope(shard.source, slot))

    def on_their_way(self, shard: Shard) -> list[Slot]:
        """Return the earlier slots that the analysis of a shard looks at and that another run is fetching right now.

        Runs of neighbouring slots may go on side by side, in a back-fill say; whoever analyses does well to wait.
        """
        slot = self._analysed(shard)
        return [when for when in (slot.previous, slot) if when != shard.when and self._being_fetched(shard, when)]

    def _being_fetched(self, shard: Shard, slot: Slot) -> bool:
        if self._has_frames(shard, slot):
            return False
        planned = self.warehouse.planned(f"{shard.source}-{slot}-")
        return planned is not None and self.clock() - planned < _FETCH_PATIENCE

    def analyse(self, shard: Shard, pipeline: StillPipeline, progress: Progress | None = None) -> list[Slot]:
        """Analyse a shard of every slot that is due, and stage its rows; return those slots.

        The cameras are those that the frames of a slot name; nothing is staged for a slot without frames.
        """
        slots = self.due(shard, pipeline.name)
        for slot in slots:
            self._analyse_slot(shard, slot, pipeline, progress)
        return slots

    def _analyse_slot(self, shard: Shard, slot: Slot, pipeline: StillPipeline, progress: Progress | None) -> None:
        scope = Scope(shard.source, slot, pipeline.name)
        frames = self.warehouse.read(FRAMES, Scope(shard.source, slot)).sort_by("camera").to_pylist()
        mine = chunk(frames, shard.part, shard.parts)
        seen = self._near(shard, slot, [frame["camera"] for frame in mine])  # before any picture is read
        counts: list[Row] = []
        detections: list[Row] = []
        for camera, analysis in self._analyses(mine, slot, pipeline):
            counts.append(count_row(shard.source, camera, slot, pipeline, analysis))
            detections += detection_rows(shard.source, camera, slot, pipeline, analysis)
            if progress:
                progress(1)
        self.warehouse.stage(FRAMES, scope, _seen_name(shard, pipeline.name), shard.part, seen.to_pylist())
        self.warehouse.stage(COUNTS, scope, _run_name(shard), shard.part, counts)
        self.warehouse.stage(DETECTIONS, scope, _run_name(shard), shard.part, detections)
        outcomes = Counter("faulty" if row["faulty"] else "missing" if row["missing"] else "counted" for row in counts)
        log.info("%s at %s with %s: %s", shard.label, slot, pipeline.name, dict(outcomes))

    def _analyses(self, frames: Sequence[Row], slot: Slot, pipeline: StillPipeline) -> Iterator[tuple[str, Analysis]]:
        def work(frame: Row) -> Analysis:
            before, current, after = (self._bytes(frame, when) for when in (slot.previous, slot, slot.next))
            analysis = pipeline.analyse(before, current, after)
            if analysis.outcome != "missing":
                return analysis
            return replace(analysis, reason=EXPIRED if frame["status"] == "ok" else frame["reason"])

        for frame, result in zip(frames, stream(frames, work, workers=self.settings.workers), strict=True):
            yield frame["camera"], _analysis_or_reason(result)

    def _near(self, shard: Shard, slot: Slot, cameras: Sequence[str]) -> pa.Table:
        """Return the frames of some cameras at the three slots that an analysis looks at."""
        near = [self.warehouse.read(FRAMES, Scope(shard.source, when)) for when in (slot.previous, slot, slot.next)]
        frames = pa.concat_tables(near)
        return frames.filter(pc.is_in(frames["camera"], pa.array(cameras, pa.string())))

    def _bytes(self, frame: Row, slot: Slot) -> bytes | None:
        stored = self.store.read(picture_key(frame["source"], slot, frame["camera"]))
        return stored.data if stored else None

    def agreed(self, shards: Sequence[Shard], staged: Iterable[Iterable[Slot]]) -> list[Slot]:
        """Return the slots that a run publishes, from those that each of its shards staged: the ones all have.

        Where the slot before the run's own came during the analysis, the own slot was analysed without it and is left
        out: the run of the slot before is late then, and publishes both.
        """
        own = shards[0].when
        slots = set.intersection(*map(set, staged))
        if self.lag == 1 and own.previous not in slots and self._has_frames(shards[0], own.previous):
            slots.discard(own)
        return sorted(slots)

    def publish_counts(self, shards: Sequence[Shard], pipeline: str, slots: Sequence[Slot] | None = None) -> Row:
        """Publish counts and detections of `slots`; return the summary of the run.

        Without `slots` it is the one that every run analyses, and the summary is about that one in any case.
        """
        first = shards[0]
        analysed = self._analysed(first)
        if slots is None:
            slots = [analysed] if self._has_frames(first, analysed) else []
        with publishing(self.warehouse, first.source):
            published = {slot: self._publish_slot(first, Scope(first.source, slot, pipeline)) for slot in slots}
            nothing = COUNTS.schema.empty_table(), DETECTIONS.schema.empty_table()
            row = self._publish_run(first, pipeline, *published.get(analysed, nothing))
        self._roll_up(first.source, {slot.start.date() for slot in (first.when, *slots)})
        return row

    def _roll_up(self, source: str, days: Iterable[date]) -> None:
        """Roll up the days that were rolled up before this run: it comes late, and nobody else may do so any more."""
        newest = Slot.floor(self.clock()).previous
        rolled = {
            scope.day for scope in self.warehouse.scopes(CAMERA_DAYS, [source], [f"{day:%Y%m%d}" for day in days])
        }
        for day in sorted(day for day in rolled if day is not None):
            roll_up(self.warehouse, source, day, due_slots(day, newest))

    def _publish_slot(self, shard: Shard, scope: Scope) -> tuple[pa.Table, pa.Table]:
        """Publish and return counts and detections; those stay as they are that were made from more, or from newer."""
        counts = self.warehouse.staged(COUNTS, scope, _run_name(shard), shard.parts)
        detections = self.warehouse.staged(DETECTIONS, scope, _run_name(shard), shard.parts)
        frames = self.warehouse.read(FRAMES, scope)["camera"].to_pylist()
        if better := self._counted_better(shard, scope, counts, frames):
            counts = self._keep(COUNTS, scope, counts, better)
            detections = self._keep(DETECTIONS, scope, detections, better)
        if counts.num_rows != len(frames):
            raise AuditError(f"counts of {scope} are not published: {counts.num_rows} rows for {len(frames)} frames")
        audit_together(scope, counts, detections)
        self.warehouse.publish(DETECTIONS, scope, detections)
        self.warehouse.publish(COUNTS, scope, counts)
        return counts, detections

    def _counted_better(self, shard: Shard, scope: Scope, counts: pa.Table, cameras: Sequence[str]) -> set[str]:
        """Return the cameras whose published counts are better than those of this run.

        That is where the picture has expired, or where one of the three pictures came or was replaced while this run
        was at work: whoever did so has published its counts before its frame.
        """
        published = set(self.warehouse.read(COUNTS, scope)["camera"].to_pylist())
        if not published or scope.slot is None:
            return set()
        expired = set(counts.filter(pc.equal(counts["reason"], EXPIRED))["camera"].to_pylist())
        seen = self.warehouse.staged(FRAMES, scope, _seen_name(shard, str(scope.pipeline)), shard.parts)
        changed = _pictures(seen) ^ _pictures(self._near(shard, scope.slot, cameras))
        return published & (expired | {camera for camera, _, _ in changed})

    def _keep(self, table: Table, scope: Scope, rows: pa.Table, cameras: set[str]) -> pa.Table:
        """Put the published rows of `cameras` in the place of their new ones."""
        known, theirs = self.warehouse.read(table, scope), pa.array(sorted(cameras), pa.string())
        mine = rows.filter(pc.invert(pc.is_in(rows["camera"], theirs)))
        return pa.concat_tables([mine, known.filter(pc.is_in(known["camera"], theirs))])

    def _publish_run(self, shard: Shard, pipeline: str, counts: pa.Table, detections: pa.Table) -> Row:
        """Return the run's summary; publish it if the run has frames: without, the slot is still to come."""
        scope = Scope(shard.source, shard.when, pipeline)
        frames = self.warehouse.read(FRAMES, scope)
        row = slot_run_row(scope, self._analysed(shard), frames, counts, detections)
        if frames.num_rows:
            self.warehouse.publish(SLOT_RUNS, scope, to_arrow(SLOT_RUNS, [row]))
        return row

    # All of it, in one process

    async def run_slot(
        self,
        name: str,
        slot: Slot,
        pipeline: StillPipeline,
        progress: Progress | None = None,
        limit: int | None = None,
    ) -> Row:
        """Plan, fetch, analyse and publish one slot of one source; return the run's summary.

        `progress` is called with the number of cameras done, each counting once for every slot fetched or analysed.
        """
        shards = await self.plan(name, slot, limit)
        if not shards:
            raise ConfigError(f"source {name} lists no camera: see `wayside sources check {name}`")
        for shard in shards:
            await self.fetch(shard, progress)
        await self.publish_frames(shards)
        staged = [self.analyse(shard, pipeline, progress) for shard in shards]
        return self.publish_counts(shards, pipeline.name, self.agreed(shards, staged))


def _plan_name(shard: Shard) -> str:
    return f"{shard.source}-{shard.slot}-{shard.plan}"


def _run_name(shard: Shard) -> str:
    """Name the parts of an analysis: two runs may analyse one slot, and their parts must never be joined."""
    return f"{shard.slot}-{shard.plan}"


def _seen_name(shard: Shard, pipeline: str) -> str:
    return f"{_run_name(shard)}-{pipeline}"


def _pictures(frames: pa.Table) -> set[tuple[Any, ...]]:
    return {tuple(row.values()) for row in frames.select(["camera", "slot", "sha256"]).to_pylist()}


def _says_less(row: Row, known: Row) -> bool:
    """Tell whether a row says less than the one that is published: of no picture, or of one that was replaced since."""
    if row["status"] == "ok":
        newer = known["status"] == "ok" and known["fetched_at"] > row["fetched_at"]
        return bool(newer and known["sha256"] != row["sha256"])
    return bool(known["status"] == "ok" or row["reason"] == Reason.NO_HISTORY)


def _analysis_or_reason(result: Analysis | Failure[Row]) -> Analysis:
    """Give an analysis that broke as a faulty picture with the error's class as its reason: one row, no lost batch.

    A store or a model that cannot be used is no picture's fault, and is raised.
    """
    if not isinstance(result, Failure):
        return result
    if isinstance(result.error, (StoreError, ModelError)):
        raise result.error
    log.error("analysis of %s broke: %r", result.item["camera"], result.error)
    return Analysis("faulty", f"{BROKEN}{type(result.error).__name__}")
