"""Waits for the answers of a label service, without a worker: what they say is looked at by the task that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

#: Seconds between two looks. An answer takes seconds to hours.
POLL = 5.0


class AnswersTrigger(BaseTrigger):
    """Fires when every event of a wait has its answer, or its time is over.

    Args:
        wait: name of the wait, as `HttpLabeller.wait_for` noted it in the state folder of the settings.
        poll: seconds between two looks.
    """

    def __init__(self, wait: str, poll: float = POLL) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wait = wait
        self.poll = poll

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"wait": self.wait, "poll": self.poll}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for the answers that are still to come; an error ends the wait, and the task then meets it."""
        try:
            left, deadline = await sync_to_async(_waiting)(self.wait)
            number = len(left)
            while (left := await sync_to_async(_missing)(left)) and not _is_over(deadline):  # noqa: ASYNC110 - files
                await asyncio.sleep(self.poll)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task that waits has to hear of it
            yield TriggerEvent({"error": f"{type(error).__name__}: {error}"})  # type: ignore[no-untyped-call]
            return
        yield TriggerEvent({"answered": number - len(left), "open": len(left)})  # type: ignore[no-untyped-call]


def _waiting(wait: str) -> tuple[list[Path], datetime | None]:
    from wayside.core.settings import Settings
    from wayside.videos.labellers.opened import callbacks_of

    return callbacks_of(Settings()).waiting(wait)  # type: ignore[call-arg]


def _missing(outcomes: list[Path]) -> list[Path]:
    return [path for path in outcomes if not path.exists()]


def _is_over(deadline: datetime | None) -> bool:
    from wayside.core.clock import utc_now

    return deadline is None or utc_now() >= deadline
