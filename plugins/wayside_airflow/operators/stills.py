"""The stages of one slot as operators: plan, fetch, publish frames, analyse, publish counts.

What a stage does is written in `wayside.stills.ingest`; here it is only called, and what it returns is made small
enough to hand on. One instance of a stage works on one source or on one shard, so that each fails, retries and is shown
by itself. Heavy libraries are imported when a task runs, never when a DAG is parsed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowRescheduleException

from wayside.core.clock import utc_now
from wayside.core.errors import AuditError, ConfigError
from wayside.core.slots import Slot
from wayside_airflow.assets import COUNTS
from wayside_airflow.links import ShardLink, SourceLink
from wayside_airflow.operators.common import chosen_sources, ingest_stages, pipeline_name
from wayside_airflow.slots import slot_of_run

if TYPE_CHECKING:
    from wayside.stills.plan import Shard

#: How long an analysis waits for the pictures of earlier slots before it looks again; its slot in the pool is free.
WAIT = timedelta(seconds=15)
#: A shard as tasks hand it on: the fields of `wayside.stills.plan.Shard`.
ShardFields = Mapping[str, Any]
#: What a task hands on about what it did: `source`, mostly `part`, and what else there is to say.
Output = Mapping[str, Any]


class ListSourcesOperator(BaseOperator):
    """Say which sources a run looks at, and refuse a run whose parameters do not hold before any work is done.

    Args:
        sources: names of sources, separated by commas; all that are enabled if empty. (templated)
        pipeline: id of the pipeline that the run will use; the default one if empty. (templated)
    """

    template_fields: Sequence[str] = ("sources", "pipeline")

    def __init__(self, *, sources: str = "", pipeline: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.pipeline = pipeline

    def execute(self, context: Context) -> list[str]:
        """Return the names of the sources."""
        from wayside.core.settings import Settings

        settings = Settings()  # type: ignore[call-arg]
        name = pipeline_name(settings, self.pipeline)
        self.log.info("slot %s, pipeline %s", slot_of_run(context), name)
        return chosen_sources(settings, self.sources)


class PlanSlotOperator(BaseOperator):
    """List the cameras of one source and divide them into shards.

    Args:
        source: name of the source. (templated)
        shard_cameras: cameras in one shard; the setting `WAYSIDE_SHARD_CAMERAS` if empty. (templated)
    """

    template_fields: Sequence[str] = ("source", "shard_cameras")

    def __init__(self, *, source: str, shard_cameras: int | str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.shard_cameras = shard_cameras

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the shards, with the slot of the run in each."""
        changes = {"shard_cameras": int(self.shard_cameras)} if self.shard_cameras else {}
        slot = slot_of_run(context)
        shards = asyncio.run(ingest_stages(**changes).plan(self.source, slot))
        if not shards:
            raise ConfigError(f"source {self.source} lists no camera: see `wayside sources check {self.source}`")
        self.log.info("%s at %s: %d shards", self.source, slot, len(shards))
        return [shard.model_dump(mode="json") for shard in shards]


class CollectShardsOperator(BaseOperator):
    """Put the shards of all sources into one list, for the next stages to be mapped over.

    Args:
        plans: what the planning tasks returned; the ones that failed are absent. (templated)
    """

    template_fields: Sequence[str] = ("plans",)

    def __init__(self, *, plans: Sequence[Sequence[ShardFields]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plans = plans

    def execute(self, context: Context) -> list[ShardFields]:
        """Return the list."""
        # A slice is read in one request; iterating asks once more than there are plans, and logs an error.
        shards = list(chain.from_iterable(self.plans[:]))
        if not shards:
            raise AuditError("no source could be planned: see the logs of the planning tasks")
        return shards


class FetchShardOperator(BaseOperator):
    """Fetch the pictures of one shard, many at once.

    Args:
        shard: the shard. (templated)
    """

    template_fields: Sequence[str] = ("shard",)
    operator_extra_links = (ShardLink(),)

    def __init__(self, *, shard: ShardFields, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def execute(self, context: Context) -> dict[str, Any]:
        """Return which shard it was, and how many cameras ended in each status."""
        shard = _shard(self.shard)
        outcome = asyncio.run(ingest_stages().fetch(shard))
        self.log.info("%s at %s: %s", shard.label, shard.slot, outcome)
        return {"source": shard.source, "part": shard.part, **outcome}

    def shown(self) -> dict[str, str | int]:
        """Return the query of the page that shows the shard."""
        return _shown(self.shard, self.shard["slot"])


class PublishFramesOperator(BaseOperator):
    """Publish the frames of one source, once all of its shards are fetched.

    Args:
        source: name of the source. (templated)
        shards: the shards of all sources. (templated)
        fetched: what the tasks that fetch returned in this run; the ones that failed are absent. (templated)
    """

    template_fields: Sequence[str] = ("source", "shards", "fetched")
    operator_extra_links = (SourceLink(),)

    def __init__(self, *, source: str, shards: Sequence[ShardFields], fetched: Sequence[Output], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.shards = shards
        self.fetched = fetched

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the source and the number of rows."""
        shards = _shards_of(self.source, self.shards)
        _outputs_of(shards, self.fetched, "fetched")
        rows = asyncio.run(ingest_stages().publish_frames(shards))
        self.log.info("%s at %s: %d frames published", self.source, shards[0].slot, rows)
        return {"source": self.source, "slot": shards[0].slot, "rows": rows}

    def shown(self) -> dict[str, str | int]:
        """Return the query of the page that shows the source at the slot that was fetched."""
        return {"source": self.source, "slot": _shards_of(self.source, self.shards)[0].slot}


class AnalyseShardOperator(BaseOperator):
    """Analyse one shard of the slot before the shard's own, whose neighbours on both sides are now there.

    In a run that comes late, the shard's own slot and the next are analysed too, as far as their frames are there.

    Args:
        shard: the shard. (templated)
        pipeline: id of the pipeline; the default one if empty. (templated)
    """

    template_fields: Sequence[str] = ("shard", "pipeline")
    operator_extra_links = (ShardLink(),)

    def __init__(self, *, shard: ShardFields, pipeline: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard
        self.pipeline = pipeline

    def execute(self, context: Context) -> dict[str, Any]:
        """Return which shard it was, and the slots of which it was analysed."""
        from wayside.stills.still import StillPipeline

        ingest, shard = ingest_stages(), _shard(self.shard)
        name = pipeline_name(ingest.settings, self.pipeline)
        if slots := ingest.on_their_way(shard):
            self.log.info("%s waits for %s, which other runs are fetching", shard.label, ", ".join(map(str, slots)))
            raise AirflowRescheduleException(utc_now() + WAIT)  # type: ignore[no-untyped-call]
        slots = ingest.analyse(shard, StillPipeline.load(name, ingest.pipelines, ingest.settings))
        return {"source": shard.source, "part": shard.part, "slots": [str(slot) for slot in slots]}

    def shown(self) -> dict[str, str | int]:
        """Return the query of the page that shows the shard at the slot that was analysed."""
        return _shown(self.shard, str(_shard(self.shard).when.previous))


class PublishCountsOperator(BaseOperator):
    """Publish counts and detections of one source, tell who waits for them, and give the summary of the run.

    The task needs `outlets=[COUNTS]`: mapped tasks take their outlets from the DAG file alone.

    Args:
        source: name of the source. (templated)
        shards: the shards of all sources. (templated)
        frames: what the tasks that publish frames returned; the ones that failed are absent. (templated)
        analysed: what the tasks that analyse returned in this run; the ones that failed are absent. (templated)
        pipeline: id of the pipeline; the default one if empty. (templated)
    """

    template_fields: Sequence[str] = ("source", "shards", "frames", "analysed", "pipeline")
    operator_extra_links = (SourceLink(),)

    def __init__(
        self,
        *,
        source: str,
        shards: Sequence[ShardFields],
        frames: Sequence[Output],
        analysed: Sequence[Output],
        pipeline: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.shards = shards
        self.frames = frames
        self.analysed = analysed
        self.pipeline = pipeline

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary of the run: how many cameras, pictures and objects there were."""
        ingest, shards = ingest_stages(), _shards_of(self.source, self.shards)
        name = pipeline_name(ingest.settings, self.pipeline)
        outputs = _outputs_of(shards, self.analysed, "analysed")
        slots = ingest.agreed(shards, [map(Slot.parse, output["slots"]) for output in outputs])
        row = ingest.publish_counts(shards, name, slots)
        summary = {**row, "slot": shards[0].slot, "analysed_slot": str(shards[0].when.previous)}
        self.log.info(
            "%(source)s %(slot)s: %(fetched)d of %(cameras)d cameras fetched; "
            "%(analysed_slot)s: %(analysed)d pictures counted, %(faulty)d faulty, %(detections)d objects",
            summary,
        )
        self.log.info("%s: counts published of %s", self.source, ", ".join(map(str, slots)) or "no slot")
        # Counts are about the slot before, and stand whatever became of this one; the run itself still has to fail.
        if self.source not in {frames["source"] for frames in self.frames[:]}:
            raise AuditError(f"frames of {self.source} {shards[0].slot} were not published: see that task's log")
        context["outlet_events"][COUNTS].extra = {
            "source": self.source,
            "slot": summary["analysed_slot"],
            "pipeline": name,
            "rows": row["analysed"],
            "slots": [str(slot) for slot in slots],
        }
        return summary

    def shown(self) -> dict[str, str | int]:
        """Return the query of the page that shows the source at the slot that was counted."""
        return {"source": self.source, "slot": str(_shards_of(self.source, self.shards)[0].when.previous)}


def _shard(fields: ShardFields) -> Shard:
    from wayside.stills.plan import Shard

    return Shard.model_validate(dict(fields))


def _shards_of(source: str, shards: Sequence[ShardFields] | None) -> list[Shard]:
    found = [_shard(fields) for fields in shards or () if fields["source"] == source]
    if not found:
        raise AuditError(f"source {source} was not planned in this run: see the log of its planning task")
    return found


def _outputs_of(shards: Sequence[Shard], outputs: Sequence[Output], done: str) -> list[Output]:
    """Return what the tasks of these shards returned in this run.

    A staged part is no proof: an earlier run of the same slot and plan leaves one too, and a task that failed since
    must not be hidden by it.
    """
    # A slice is read in one request; iterating asks once more than there are outputs, and logs an error.
    mine = {output["part"]: output for output in outputs[:] if output["source"] == shards[0].source}
    lacking = [shard.label for shard in shards if shard.part not in mine]
    if lacking:
        raise AuditError(f"not {done} in this run: {', '.join(lacking)}; see the logs of those tasks")
    return [mine[shard.part] for shard in shards]


def _shown(shard: ShardFields, slot: str) -> dict[str, str | int]:
    return {"source": shard["source"], "slot": slot, "part": shard["part"], "parts": shard["parts"]}
