"""The back-fill of late pictures as operators: plan the days, look for pictures in shards, sum the days up.

What is done is written in `wayside.stills.late`. A run is about one day, or several, of all its sources; its shards are
kept in the lake under the name of the run, and tasks hand on numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import ConfigError, SourceError
from wayside_airflow.operators.common import (
    EndRunOperator,
    Output,
    ShardFields,
    ShardsOperator,
    Task,
    chosen_sources,
    ingest_stages,
    save_tasks,
)
from wayside_airflow.ranges import days_of_run, run_name, who_started

if TYPE_CHECKING:
    from wayside.stills.ingest import Ingest

MODES = ("changed", "only_missing", "all")


class PlanLateOperator(BaseOperator):
    """Divide the days of a run into shards, and open its row in `runs`.

    Args:
        sources: names of sources, separated by commas; all that are enabled if empty. (templated)
        pipeline: pipeline to analyse with beside those that have counts; none if empty. (templated)
        mode: what is analysed beside what changed: `changed` (nothing), `only_missing` or `all`. (templated)
        why: the reason, for the row in `runs`. (templated)
    """

    template_fields: Sequence[str] = ("sources", "pipeline", "mode", "why")

    def __init__(
        self, *, sources: str = "", pipeline: str = "", mode: str = "changed", why: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.pipeline = pipeline
        self.mode = mode
        self.why = why

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks, none if no slot of the days is over."""
        from wayside.stills import late

        if self.mode not in MODES:
            raise ConfigError(f"there is no mode {self.mode!r}: choose {', '.join(MODES)}")
        work, run, days = ingest_stages(), run_name(context), days_of_run(context)
        shards: list[dict[str, Any]] = []
        for source in chosen_sources(work.settings, self.sources):
            try:
                for day in days:
                    shards += late.plan(work, source, day, mode=self.mode, pipeline=self.pipeline, run=run)  # type: ignore[arg-type]
            except SourceError as error:
                if self.sources:  # whoever names a source must not find a green run without it
                    raise
                self.log.error("%s is left out: %s", source, error)
        if not shards:
            raise SourceError("nothing can be done: no source lists its cameras, or no slot of the days is over")
        kind = context["dag_run"].dag_id
        late.begin(work, shards, kind=kind, who=who_started(context), why=self.why or None)
        self.log.info("%s to %s: %d shards", days[0], days[-1], len(shards))
        return save_tasks(work, run, shards, _label)


class FetchLateOperator(ShardsOperator):
    """Look for late pictures of some shards, analyse what changed, and publish it.

    Args:
        task: number and label of the task. (templated)
    """

    totals = ("asked", "fetched", "replaced", "analysed", "changed")

    def run_shard(self, work: Ingest, shard: ShardFields) -> Output:
        """Do one shard."""
        from wayside.stills import late

        return late.run_shard(work, shard)


class SummariseLateOperator(EndRunOperator):
    """Bring the summaries of the days up to date, and close the rows of the run in `runs`.

    Args:
        outputs: what the tasks that look for pictures returned; the ones that failed are absent. (templated)
    """

    totals = ("fetched", "images", "changed")

    def summarise(self, work: Ingest, shards: Sequence[ShardFields]) -> None:
        """Bring the summaries up to date."""
        from wayside.stills import late

        for source, day in sorted({(shard["source"], shard["day"]) for shard in shards}):
            late.publish(work, source, date.fromisoformat(day))

    def end(self, work: Ingest, source: str, run: str, error: str | None) -> Mapping[str, Any]:
        """Close the row of one source."""
        from wayside.stills import late

        return late.end(work, source, run, error)


def _label(shard: ShardFields) -> str:
    part = f" {shard['part'] + 1}/{shard['parts']}" if shard["parts"] > 1 else ""
    return f"{shard['source']} {shard['day']}{part}"
