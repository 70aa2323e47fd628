"""Waits for BigQuery jobs: what they came to is looked at by the task that goes on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

#: Seconds between two looks. A load or MERGE of one slot takes 5 to 20 s.
POLL = 3.0


class JobsTrigger(BaseTrigger):
    """Fires when all jobs have ended, well or badly.

    Args:
        jobs: ids of the jobs, of the project, dataset and connection that the settings name.
        poll: seconds between two looks.
    """

    def __init__(self, jobs: Sequence[str], poll: float = POLL) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.jobs = list(jobs)
        self.poll = poll

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"jobs": self.jobs, "poll": self.poll}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the jobs that go on until there are none; an error ends the wait, and the task then meets it."""
        going_on = self.jobs
        try:
            while going_on := await sync_to_async(_unfinished)(going_on):  # noqa: ASYNC110 - nobody else tells us
                await asyncio.sleep(self.poll)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task that waits has to hear of it
            yield TriggerEvent({"error": f"{type(error).__name__}: {error}"})  # type: ignore[no-untyped-call]
            return
        yield TriggerEvent({})  # type: ignore[no-untyped-call]


def _unfinished(jobs: Sequence[str]) -> list[str]:
    from wayside.core.settings import Settings
    from wayside_airflow.hooks.services import bigquery_target

    target = bigquery_target(Settings())  # type: ignore[call-arg]
    return [job for job in jobs if not target.finished(job)]
