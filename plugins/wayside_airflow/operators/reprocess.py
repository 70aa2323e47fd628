"""Reprocessing of a range as operators: plan it and say what it takes, analyse it in shards, close its row in `runs`.

What is done is written in `wayside.stills.reprocess`. A run's shards are kept in the lake under its name, so that tasks
that are cleared or tried again go on where they stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import ConfigError
from wayside_airflow.operators.common import (
    EndRunOperator,
    Output,
    ShardFields,
    ShardsOperator,
    Task,
    chosen_sources,
    ingest_stages,
    names,
    save_tasks,
)
from wayside_airflow.ranges import days_of_run, run_name, who_started

if TYPE_CHECKING:
    from wayside.stills.estimate import Estimate
    from wayside.stills.ingest import Ingest

MODES = ("only_missing", "all")


class PlanRangeOperator(BaseOperator):
    """Say how much there is to do, open the rows of the run in `runs`, and divide the days into shards.

    Args:
        sources: names of sources, separated by commas; all that are enabled if empty. (templated)
        cameras: ids of cameras, separated by commas; all if empty. (templated)
        pipeline: id of the pipeline; the default one if empty. (templated)
        mode: `only_missing` or `all`. (templated)
        dry: whether to say only how much it is. (templated)
        why: the reason, for the row in `runs`. (templated)
    """

    template_fields: Sequence[str] = ("sources", "cameras", "pipeline", "mode", "dry", "why")

    def __init__(
        self,
        *,
        sources: str = "",
        cameras: str = "",
        pipeline: str = "",
        mode: str = "only_missing",
        dry: bool | str = True,
        why: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.cameras = cameras
        self.pipeline = pipeline
        self.mode = mode
        self.dry = dry
        self.why = why

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none in a dry run, and none where there is nothing to do."""
        from wayside.stills import reprocess
        from wayside.stills.runs import RunBook

        if self.mode not in MODES:
            raise ConfigError(f"there is no mode {self.mode!r}: choose {' or '.join(MODES)}")
        work, run, days = ingest_stages(), run_name(context), days_of_run(context)
        dry = str(self.dry).lower() != "false"
        plan = reprocess.plan(
            work,
            run=run,
            first=days[0],
            last=days[-1],
            sources=chosen_sources(work.settings, self.sources),
            cameras=names(self.cameras),
            pipeline=self.pipeline,
            mode="all" if self.mode == "all" else "only_missing",
            kind=context["dag_run"].dag_id,
            who=who_started(context),
            why=self.why or None,
            dry_run=dry,
        )
        for source, estimate in plan.estimates.items():
            self.log.info("%s: %s", source, told(estimate))
            book = RunBook(work.warehouse, work.clock, source, run)
            if dry:
                book.close(f"A dry run: {told(estimate)}", "planned")
            elif not estimate.stills:
                book.close("there is nothing to do: " + told(estimate))
        shards = [shard for shard in plan.shards if plan.estimates[shard["source"]].stills]
        return save_tasks(work, run, shards, _label)


class ReprocessOperator(ShardsOperator):
    """Analyse and publish some days.

    Args:
        task: number and label of the task. (templated)
    """

    totals = ("slots", "images", "changed", "seconds", "inference_seconds")

    def run_shard(self, work: Ingest, shard: ShardFields) -> Output:
        """Do one shard."""
        from wayside.stills import reprocess

        return reprocess.run_shard(work, shard)


class EndRangeOperator(EndRunOperator):
    """Close the rows of the run in `runs`.

    Args:
        outputs: what the tasks that analyse returned; the ones that failed are absent. (templated)
    """

    totals = ("images", "changed")

    def end(self, work: Ingest, source: str, run: str, error: str | None) -> Mapping[str, Any]:
        """Close the row of one source."""
        from wayside.stills import reprocess

        return reprocess.end(work, source, run, error)


def told(estimate: Estimate) -> str:
    """Say an estimate in a sentence."""
    if not estimate.stills:
        return f"{estimate.slots} slots have pictures, and all {estimate.done} stills have their counts"
    minutes = estimate.seconds / 60
    time = f"{minutes:.0f} minutes" if minutes >= 2 else f"{estimate.seconds:.0f} seconds"
    return (
        f"{estimate.images} pictures to analyse in {estimate.slots} slots, {estimate.done} stills are done already; "
        f"about {time} at {estimate.images_per_second:.0f} pictures a second; {estimate.cost}"
    )


def _label(shard: ShardFields) -> str:
    first, last = shard["first"], shard["last"]
    return f"{shard['source']} {first}" + (f" to {last}" if last != first else "")
