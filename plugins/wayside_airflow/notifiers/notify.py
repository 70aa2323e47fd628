"""One notifier for everything: what goes wrong in a DAG, and runs that are late.

    DAG(..., on_failure_callback=on_failure(urgent=True, what_to_do="…"), deadline=deadline(minutes=8))

A message goes out through every channel that has an Airflow connection: mail through `wayside_smtp`, a webhook through
`wayside_webhook`. Where there is neither, it goes to the log. Whatever becomes of it, no run fails over a notification.

Failures are told by the DAG processor, which calls the notifier; late runs by the triggerer, which imports the class by
its name and awaits it. This module is read with every DAG file, so it loads what it sends with only when it sends.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseHook, BaseNotifier, Connection, Context
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert
from airflow.sdk.exceptions import AirflowNotFoundException

from wayside_airflow.notifiers.message import Kind, Message

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from wayside_airflow.notifiers.channels import Way

CONNECTIONS: Final = ("wayside_smtp", "wayside_webhook")
HINT: Final = (
    "nobody was told: there is no Airflow connection wayside_smtp (host, port, login, password, and in its extra "
    '{"from_email": "…", "to": "…"}) and no wayside_webhook (host: its whole address, password: its token, if any)'
)


class Notify(BaseNotifier):
    """Tell people about a run.

    Args:
        kind: what happened: the run `failed`, it is `late`, or it `noticed` something.
        urgent: whether somebody should look at once, if the run is a scheduled one.
        what_to_do: one or two sentences for the person who reads it.
        remark: what the run noticed, in a sentence.
        context: what is known of the run, if it is awaited; a call gets it as its argument.
    """

    def __init__(
        self,
        kind: Kind = "failed",
        urgent: bool = False,
        what_to_do: str = "",
        remark: str = "",
        context: Context | None = None,
    ) -> None:
        super().__init__(context)
        self.remark = remark
        self.kind = kind
        self.urgent = urgent
        self.what_to_do = what_to_do

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render nothing: no field is a template, and some of the DAGs that callbacks get could not render one."""

    def notify(self, context: Context) -> None:
        """Tell it from synchronous code."""
        try:
            if message := self._message(context):
                found = {name: _way(name) for name in CONNECTIONS}
                asyncio.run(self._send(message, found))
        except Exception as error:  # noqa: BLE001 - a run never fails over a notification
            self.log.error("the notification failed: %s", type(error).__name__)

    async def async_notify(self, context: Context) -> None:
        """Tell it from the triggerer."""
        try:
            if message := self._message(context):
                found = {name: await _away(name) for name in CONNECTIONS}
                await self._send(message, found)
        except Exception as error:  # noqa: BLE001 - the triggerer has other work to do
            self.log.error("the notification failed: %s", type(error).__name__)

    def _message(self, context: Context) -> Message | None:
        """Return the message; None where there is nothing to tell."""
        from wayside_airflow.notifiers.facts import Run, facts
        from wayside_airflow.notifiers.message import compose

        known: Mapping[str, Any] = dict(context)
        run = Run(known)
        if self.kind == "late" and run.state in {"success", "failed"}:
            self.log.info("run %s of %s has ended with %s by now: not late", run.run_id, run.dag_id, run.state)
            return None
        return compose(self.kind, facts(known, urgent=self.urgent, what_to_do=self.what_to_do, remark=self.remark))

    async def _send(self, message: Message, found: Mapping[str, "Way | None"]) -> None:
        from wayside_airflow.notifiers.channels import send

        ways = {name: way for name, way in found.items() if way is not None}
        if not ways:
            self.log.warning("%s\n%s%s", message.subject, message.text, HINT)
            return
        errors = await send(message, ways)
        for error in errors.values():
            self.log.error("%s", error)
        if len(errors) == len(ways):
            self.log.warning("nobody was told:\n%s\n%s", message.subject, message.text)


class SlotBegin(BaseDeadlineReference):
    """The moment from which a deadline counts: the begin of the slot of a scheduled run.

    Airflow's own references do not fit. The logical date of a back-filled run lies in the past, so that each would be
    late when it is made, and the time of queueing lets a scheduler that stood still look punctual. Runs by hand and
    back-fills have no deadline. The plugin registers the class; the scheduler calls it when it makes a run.
    """

    required_kwargs: Final = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: "Session", dag_id: str, run_id: str) -> datetime | None:
        """Return the end of the run's data interval; None for a run that may take its time."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        moment: datetime | None = session.scalar(
            select(DagRun.data_interval_end).where(
                DagRun.dag_id == dag_id, DagRun.run_id == run_id, DagRun.run_type == DagRunType.SCHEDULED
            )
        )
        return moment


def on_failure(*, urgent: bool, what_to_do: str) -> Notify:
    """Return what a DAG takes as its `on_failure_callback`."""
    return Notify(kind="failed", urgent=urgent, what_to_do=what_to_do)


def deadline(minutes: int = 8) -> DeadlineAlert:
    """Return the `deadline` of a DAG whose runs are about slots: a message when one has not ended by then."""
    what_to_do = (
        "open the run and see what it waits for: a source that answers slowly, a pool without free slots, or a stopped "
        "scheduler; the next run goes on by itself, and a slot that was missed can be run again by hand"
    )
    callback = AsyncCallback(Notify, kwargs={"kind": "late", "urgent": True, "what_to_do": what_to_do})
    return DeadlineAlert(SlotBegin(), timedelta(minutes=minutes), callback, name=f"analysed in {minutes} minutes")


def _way(name: str) -> "Way | None":
    """Return what a connection holds, None if there is no such connection."""
    try:
        connection = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    return _held(connection, connection.extra_dejson)


async def _away(name: str) -> "Way | None":
    """Do the same in the triggerer, where the synchronous way would block its loop."""
    try:
        connection = await BaseHook.aget_connection(name)
    except AirflowNotFoundException:
        return None
    # A connection that comes right out of Airflow's database has the synchronous form alone.
    read = getattr(connection, "aextra_dejson", None)
    return _held(connection, await read() if read else connection.extra_dejson)


def _held(connection: Connection, extra: Mapping[str, Any]) -> "Way":
    from wayside_airflow.notifiers.channels import Way

    return Way(connection.host or "", connection.port, connection.login or "", connection.password or "", extra)
