"""Zones as operators: look at new segments of video in shards, and count the days of processors that this changes.

What is done is written in `wayside.zones`. Shards are kept in the lake under the name of the run, and tasks hand on
numbers. Counting reads what was seen and no video, so that recounting is the same task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import ConfigError
from wayside_airflow.links import ZonesLink
from wayside_airflow.operators.common import ShardFields, Task, TaskOperator, load_tasks, names, save_tasks
from wayside_airflow.ranges import days_of_run, kind_of_run, run_name

if TYPE_CHECKING:
    from wayside.core.settings import Settings
    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.zones.processor import Processor
    from wayside.zones.registry import Registry
    from wayside.zones.scans import SegmentShard

#: Days of one processor that one shard counts: seconds of work each.
_DAYS: Final = 31
#: Failures that the log of a task names.
_NAMED: Final = 20


class PlanSegmentsOperator(BaseOperator):
    """Divide the segments that enabled processors want and that nobody looked at into shards.

    Args:
        processors: numbers of processors, separated by commas; all if empty. (templated)
    """

    template_fields: Sequence[str] = ("processors",)

    def __init__(self, *, processors: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processors = processors

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none where there is nothing to look at."""
        from wayside.core.clock import utc_now
        from wayside.zones.scans import to_scan
        from wayside.zones.tidy import prune_pictures

        work = Work()
        # Here, because this runs as long as anything is watched: pictures of faces must not outlive what was promised.
        prune_pictures(work.warehouse, work.registry, utc_now())
        if not self.processors:
            shards = to_scan(work.warehouse, work.registry, work.settings)
        else:
            cameras = sorted({(one.source, one.camera) for one in work.chosen(self.processors)})
            shards = [
                shard
                for source, camera in cameras
                for shard in to_scan(work.warehouse, work.registry, work.settings, source=source, camera=camera)
            ]
        self.log.info(
            "%s segments to look at in %s shards, %.1f hours of video",
            sum(shard.segments for shard in shards), len(shards), sum(shard.seconds for shard in shards) / 3600,
        )  # fmt: skip
        return save_tasks(work, run_name(context), [_fields(shard) for shard in shards], _scan_label)


class ScanSegmentsOperator(TaskOperator):
    """Look at the segments of some shards and publish what was seen."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task, and of segments by what became of them.

        Raises:
            StoreUnavailableError: a place was out of reach. What was seen is published.
        """
        from wayside.zones.faces import keep_faces
        from wayside.zones.scans import Scanner, SegmentShard, publish_scans

        work = Work()
        scanner = Scanner(work.warehouse, work.settings, client=work.client)
        states: Counter[str] = Counter()
        failed: list[str] = []
        objects = 0
        for fields in load_tasks(work, run_name(context))[self.task["task"]]:
            shard = SegmentShard(**fields)
            try:
                for note in scanner.do(shard):
                    states[note.status] += 1
                    if note.status != "ok":
                        failed.append(f"{note.source} {note.camera} {note.segment[:16]}: {note.status}: {note.reason}")
            finally:
                published = publish_scans(work.warehouse, [shard])
                objects += published.objects
            keep_faces(work.warehouse, work.registry, work.settings, published.days, client=work.client)
            self.log.info("%s: %s, %s objects", shard.plan, dict(states), objects)
        for line in failed[:_NAMED]:
            self.log.warning("%s", line)
        return {"task": self.task["task"], "objects": objects, **states}


class DueZonesOperator(BaseOperator):
    """List the days of processors whose segments changed since they were counted.

    Args:
        processors: numbers of processors, separated by commas; all that are enabled if empty. (templated)
    """

    template_fields: Sequence[str] = ("processors",)

    def __init__(self, *, processors: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processors = processors

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none where all is counted."""
        from wayside.zones.counts import due_days

        work = Work()
        due: list[dict[str, Any]] = []
        for one in work.chosen(self.processors):
            version = work.registry.zones(one.number)
            due += _days_of(one, version.version, due_days(work.warehouse, one, version))
        return _save_counts(work, context, due)


class PlanRecountOperator(BaseOperator):
    """List days that are to be counted once more.

    A run that nobody asked for, at night, counts nothing once more: it takes what of its day is due anyway. So what an
    older version of the zones counted stays, as the pages say.

    Args:
        processors: numbers of processors, separated by commas; all that are enabled if empty. (templated)
        version: of the zones of one processor; the current one if empty. (templated)
    """

    template_fields: Sequence[str] = ("processors", "version")

    def __init__(self, *, processors: str = "", version: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processors = processors
        self.version = version

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none where nothing was seen on these days.

        Raises:
            ConfigError: a version is named, and not one processor; or there is no such processor or version.
        """
        from wayside.zones.counts import due_days, scanned_days

        listed = due_days if kind_of_run(context) == "scheduled" else scanned_days
        work, days = Work(), days_of_run(context)
        chosen = work.chosen(self.processors)
        version = int(self.version) if self.version else None
        if version is not None and len(names(self.processors)) != 1:
            raise ConfigError("a version is one of one processor: name that alone")
        due: list[dict[str, Any]] = []
        for one in chosen:
            zones = work.registry.zones(one.number, version)
            seen = [day for day in listed(work.warehouse, one, zones) if days[0] <= day <= days[-1]]
            due += _days_of(one, zones.version, seen)
        return _save_counts(work, context, due)


class CountZonesOperator(TaskOperator):
    """Count some days of some processors."""

    operator_extra_links = (ZonesLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task, and of days, segments and events that were counted."""
        from wayside.zones.counts import Counted, count_days

        work, total = Work(), Counted()
        for shard in load_tasks(work, _counts(run_name(context)))[self.task["task"]]:
            processor = work.registry.processor(shard["processor"])
            version = work.registry.zones(processor.number, shard["version"])
            done = count_days(work.warehouse, processor, version, [date.fromisoformat(day) for day in shard["days"]])
            self.log.info(
                "processor %s, zones %s: %s days, %s segments, %s events",
                processor.number, version.version, len(done.days), done.segments, done.events,
            )  # fmt: skip
            total.add(done)
        return {
            "task": self.task["task"],
            "days": len(total.days),
            "segments": total.segments,
            "events": total.events,
        }


class Work:
    """The tables, the registry and the settings of this installation."""

    def __init__(self) -> None:
        from wayside.core.settings import Settings
        from wayside.warehouse.parquet import open_lake
        from wayside.zones.registry import Registry

        self.settings: Settings = Settings()  # type: ignore[call-arg]
        self.warehouse: ParquetWarehouse = open_lake(self.settings)
        self.registry: Registry = Registry(self.warehouse, self.settings)

    def chosen(self, text: str) -> list[Processor]:
        """Return the processors that a text names, or all that are enabled.

        Raises:
            ConfigError: there is no such processor.
        """
        if named := names(text):
            return [self.registry.processor(int(number)) for number in named]
        return [one for one in self.registry.processors() if one.enabled]

    def client(self) -> Any:
        """Return a client of Cloud Storage, of the connection of the settings: segments may lie there."""
        from wayside_airflow.hooks.services import storage_client

        return storage_client(self.settings)


def _fields(shard: SegmentShard) -> dict[str, Any]:
    return {"plan": shard.plan, "pipeline": shard.pipeline, "segments": shard.segments, "seconds": shard.seconds}


def _scan_label(shard: ShardFields) -> str:
    return f"{shard['pipeline']} {shard['plan'][-8:]}"


def _days_of(processor: Processor, version: int, days: Sequence[date]) -> Iterable[dict[str, Any]]:
    """Yield shards of some days of one processor, oldest first: each day begins where the one before ended."""
    for start in range(0, len(days), _DAYS):
        part = [day.isoformat() for day in days[start : start + _DAYS]]
        yield {"processor": processor.number, "name": processor.name, "version": version, "days": part}


def _save_counts(work: Work, context: Context, shards: Sequence[Mapping[str, Any]]) -> list[Task]:
    return save_tasks(work, _counts(run_name(context)), shards, _count_label)


def _count_label(shard: ShardFields) -> str:
    return f"{shard['processor']} {shard['name']} {shard['days'][0]}"


def _counts(run: str) -> str:
    """Return the name under which the tasks that count are kept, beside those that look at segments."""
    return f"{run}-counts"
