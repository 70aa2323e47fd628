"""Live work first: what a back-fill does in the same pools waits for what the present needs.

Airflow sorts tasks of equal priority by age, and the runs of a back-fill are older than any live one. The weight of a
task is therefore lowered in runs of a back-fill; scheduled runs, and runs that somebody starts by hand, keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.utils.types import DagRunType

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

BACKFILL_DIVISOR: Final = 10


class LiveFirst(PriorityWeightStrategy):
    """The priority weight of the task, a tenth of it in a back-fill. Registered by the plugin."""

    def get_weight(self, ti: TaskInstance) -> int:
        """Return the weight of one task instance."""
        weight = ti.task.priority_weight if ti.task else 1
        backfill = DagRunType.from_run_id(ti.run_id) is DagRunType.BACKFILL_JOB
        return max(1, weight // BACKFILL_DIVISOR) if backfill else weight


# DAGs name the strategy: an instance would be stored as its `repr` for mapped tasks, and never be found again.
LIVE_FIRST: Final = f"{LiveFirst.__module__}.{LiveFirst.__qualname__}"
