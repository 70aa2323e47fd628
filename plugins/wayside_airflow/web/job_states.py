"""How far the shards of an import are: from the states of Airflow's tasks to those of the documented job.

A job is a run of `import_videos`, and its id is the name of that run in our tables. The DAG maps the tasks `process`
and `label` over parts of the plan, so that the state of a shard is that of the two tasks that hold it. Asked is
Airflow's own database, through the session that its API server gives to every request.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from wayside_airflow.ranges import name_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DAG: Final = "import_videos"
#: What is mapped over the parts of the plan, in this order.
TASKS: Final = ("process", "label")

_NAME: Final = re.compile(rf"{DAG}-([0-9]{{8}}T[0-9]{{6}}Z)-[0-9a-f]{{8}}")
_FAILED: Final = frozenset({"failed", "upstream_failed"})
_COMPLETE: Final = frozenset({"success", "skipped"})
_MISSING: Final = frozenset({None, "queued", "scheduled", "removed"})
#: Task instances of a task that has not been mapped yet, or never will be.
_UNMAPPED: Final = -1


@dataclass(frozen=True)
class AirflowRun:
    """What Airflow knows of a job: the run, and each task that is mapped over its plan, by task and index."""

    run: str
    state: str
    who: str
    started_at: datetime | None
    ended_at: datetime | None
    tasks: Mapping[tuple[str, int], str | None] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing will happen any more unless somebody clears a task."""
        return self.state in {"success", "failed"}

    def shard(self, index: int) -> str:
        """Return the state of the shards of one part of the plan."""
        return shard_state([self._task(task, index) for task in TASKS])

    def _task(self, task: str, index: int) -> str | None:
        return self.tasks.get((task, index), self.tasks.get((task, _UNMAPPED)))


def shard_state(tasks: Iterable[str | None]) -> str:
    """Return the state of a shard from those of its tasks: what is done in part is running, whatever waits next."""
    states = set(tasks)
    if states & _FAILED:
        return "failed"
    if states <= _COMPLETE:
        return "complete"
    return "missing" if states <= _MISSING else "running"


def runs_of(session: "Session", names: Iterable[str]) -> dict[str, AirflowRun]:
    """Return the runs of those jobs that Airflow knows, by the id of the job, in two questions to its database."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    times = {name: when for name in names if (when := _time(name))}
    if not times:
        return {}
    columns = (DagRun.run_id, DagRun.run_after, DagRun.state, DagRun.run_type, DagRun.triggering_user_name)
    wanted = select(*columns, DagRun.start_date, DagRun.end_date).where(
        DagRun.dag_id == DAG,
        DagRun.run_after >= min(times.values()),
        DagRun.run_after < max(times.values()) + timedelta(seconds=1),
    )
    found = {name: row for row in session.execute(wanted) if (name := name_of(DAG, row.run_id, row.run_after)) in times}
    tasks: dict[str, dict[tuple[str, int], str | None]] = {}
    instances = select(TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(
        TaskInstance.dag_id == DAG,
        TaskInstance.run_id.in_([row.run_id for row in found.values()]),
        TaskInstance.task_id.in_(TASKS),
    )
    for run, task, index, state in session.execute(instances):
        tasks.setdefault(run, {})[task, index] = _text(state)
    return {
        name: AirflowRun(
            row.run_id,
            _text(row.state) or "queued",
            row.triggering_user_name or _text(row.run_type) or "",
            row.start_date,
            row.end_date,
            tasks.get(row.run_id, {}),
        )
        for name, row in found.items()
    }


def _time(name: str) -> datetime | None:
    """Return the time in the name of a run of the DAG; None if it is the name of anything else."""
    match = _NAME.fullmatch(name)
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _text(state: object) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
