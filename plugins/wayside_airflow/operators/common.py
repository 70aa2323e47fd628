"""What several operators need: the stages with their store opened, sources by name, shards divided into tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import AuditError, ConfigError, TransientError, WaysideError
from wayside_airflow.ranges import run_name

if TYPE_CHECKING:
    from wayside.core.settings import Settings
    from wayside.stills.ingest import Ingest
    from wayside.warehouse.parquet import ParquetWarehouse

#: A run maps over so many tasks at the most: each costs Airflow a part of a second, and what is handed on stays small.
MOST_TASKS: Final = 24
#: Letters of a task's label: all labels of a run together stay below 2 kB.
LONGEST_LABEL: Final = 54
#: A shard as the stages know it.
ShardFields = Mapping[str, Any]
#: A task of a run: its number and what people call it.
Task = dict[str, Any]
#: What a task hands on about what it did.
Output = Mapping[str, Any]


class Kept(Protocol):
    """Stages that keep their plans in a warehouse."""

    @property
    def warehouse(self) -> ParquetWarehouse:
        """Where the plans lie."""


def ingest_stages(**changes: Any) -> Ingest:
    """Return the stages, with `changes` to the settings of this machine and the store of its connection."""
    from wayside.core.settings import Settings
    from wayside.stills.ingest import Ingest
    from wayside_airflow.hooks.services import open_pictures

    settings = Settings(**changes)
    return Ingest(settings, pictures=open_pictures(settings))


def pipeline_name(settings: Settings, given: str) -> str:
    """Return the pipeline that is asked for, the default one if `given` is empty; raise `ConfigError` if unknown."""
    from wayside.stills.pipelines import load_pipelines

    pipelines = load_pipelines(settings.config / "pipelines.yaml")
    pipelines.stages_of(given or pipelines.default)
    return given or pipelines.default


def names(text: str) -> list[str]:
    """Read names that are separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def chosen_sources(settings: Settings, text: str) -> list[str]:
    """Return the sources that `text` names, all that are enabled if it names none.

    Raises:
        ConfigError: a source is not configured, or none is enabled.
    """
    from wayside.sources.registry import find_source, load_sources

    if named := names(text):
        return [find_source(settings, name).id for name in named]
    enabled = [spec.id for spec in load_sources(settings).values() if spec.enabled]
    if not enabled:
        raise ConfigError("no source is enabled: set `enabled: true` for one in include/config/sources.yaml")
    return enabled


def save_tasks(work: Kept, run: str, shards: Sequence[ShardFields], label: Callable[[ShardFields], str]) -> list[Task]:
    """Divide shards into as many tasks as a run maps over at the most, and keep them under the name of the run.

    Returns:
        The number and the label of each task, small enough to be handed on.
    """
    tasks = [list(part) for part in _runs_of(shards, MOST_TASKS)]
    labels = [_named(label(part[0]), label(part[-1])) for part in tasks]
    work.warehouse.save_plan(tasks_name(run), {"tasks": tasks, "labels": labels})
    return [{"task": number, "label": text} for number, text in enumerate(labels)]


def load_tasks(work: Kept, run: str) -> list[list[dict[str, Any]]]:
    """Return the shards of each task of a run.

    Raises:
        AuditError: the run was not planned, or its plan was tidied up since.
    """
    if not work.warehouse.has_plan(tasks_name(run)):
        raise AuditError("there is no plan of this run: read the end of the log of the task plan, and clear that task")
    tasks: list[list[dict[str, Any]]] = work.warehouse.load_plan(tasks_name(run))["tasks"]
    return tasks


def raise_first(errors: Iterable[WaysideError]) -> None:
    """Raise one of the errors, if there are any: one that another try may mend goes before one that it may not."""
    for error in sorted(errors, key=lambda one: not isinstance(one, TransientError)):
        raise error


def not_done(tasks: Sequence[Sequence[ShardFields]], outputs: Iterable[Output]) -> list[int]:
    """Return the numbers of the tasks of which no output came in this run."""
    return sorted(set(range(len(tasks))) - {output["task"] for output in outputs})


def _runs_of(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    parts = min(len(items), most)
    for part in range(parts):
        yield items[part * len(items) // parts : (part + 1) * len(items) // parts]


def _named(first: str, last: str) -> str:
    """Name some shards by the first and the last: a shared source is said once, and a long name loses its middle."""
    source = first.partition(" ")[0]
    text = first if first == last else f"{first} to {last.removeprefix(f'{source} ')}"
    return text if len(text) <= LONGEST_LABEL else f"{text[:20]} .. {text[24 - LONGEST_LABEL :]}"


def tasks_name(run: str) -> str:
    """Return the name of the plan that holds the shards of each task of a run."""
    return f"tasks-{run}"


class TaskOperator(BaseOperator):
    """Works on one of the tasks that a run is mapped over.

    Args:
        task: number and label of the task, as `save_tasks` returned them. (templated)
    """

    template_fields: Sequence[str] = ("task",)

    def __init__(self, *, task: Task, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task = task


class ShardsOperator(TaskOperator):
    """Do the shards of one task of a run, one after another; a shard that fails stops no other."""

    #: What is added up over the shards.
    totals: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def run_shard(self, work: Ingest, shard: ShardFields) -> Output:
        """Do one shard, and say what came of it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task and what came of it; raise one of the errors once all shards are tried."""
        work, number = ingest_stages(), self.task["task"]
        added: dict[str, float] = dict.fromkeys(self.totals, 0)
        errors: list[WaysideError] = []
        for shard in load_tasks(work, run_name(context))[number]:
            try:
                done = self.run_shard(work, shard)
            except WaysideError as error:
                self.log.error("%s: %s", dict(shard), error)
                errors.append(error)
            else:
                added = {name: value + done[name] for name, value in added.items()}
        self.log.info("%s: %s", self.task["label"], added)
        raise_first(errors)
        return {"task": number, **added}


class EndRunOperator(BaseOperator):
    """Close the rows of a run in `runs`, one for each of its sources, once all of its tasks have ended.

    Args:
        outputs: what the tasks that did the shards returned; the ones that failed are absent. (templated)
    """

    template_fields: Sequence[str] = ("outputs",)
    #: Columns of `runs` that are added up over the sources.
    totals: ClassVar[Sequence[str]] = ()

    def __init__(self, *, outputs: Sequence[Output], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs

    @abstractmethod
    def end(self, work: Ingest, source: str, run: str, error: str | None) -> Mapping[str, Any]:
        """Close the row of one source, failed if there is an `error`; return the row."""

    def summarise(self, work: Ingest, shards: Sequence[ShardFields]) -> None:
        """Do what is left to be done about all shards of the run, before its rows are closed."""

    def execute(self, context: Context) -> dict[str, int]:
        """Return what came of the run, all sources added."""
        work, run = ingest_stages(), run_name(context)
        tasks = load_tasks(work, run)
        # A slice is read in one request; iterating asks once more than there are outputs, and logs an error.
        lacking = not_done(tasks, self.outputs[:])
        shards = [shard for task in tasks for shard in task]
        self.summarise(work, shards)
        failed = {shard["source"] for number in lacking for shard in tasks[number]}
        error = "some of its tasks failed: see their logs in Airflow, clear them, and it goes on"
        sources = sorted({shard["source"] for shard in shards})
        rows = [self.end(work, source, run, error if source in failed else None) for source in sources]
        if lacking:
            raise AuditError(f"{len(lacking)} of {len(tasks)} tasks failed: see their logs, clear them, and it goes on")
        return {name: sum(row[name] for row in rows) for name in self.totals}
