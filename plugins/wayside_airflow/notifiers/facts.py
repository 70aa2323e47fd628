"""From what Airflow hands to a callback to the facts of a message.

Callbacks get very different things: after a failure nearly all that a task gets, after a crash the names of DAG and run
alone, in the triggerer the run as JSON. Whatever is missing or does not parse stays out of the message: a notification
never fails over its wording. What people typed into a form is used only where it is a name, a slot or a day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from airflow.sdk import conf

from wayside.core.errors import ConfigError
from wayside.core.ids import source_id
from wayside.core.slots import SLOT_LENGTH, Slot
from wayside_airflow.links import page
from wayside_airflow.notifiers.message import Facts
from wayside_airflow.slots import slot_of_text

SCHEDULED: Final = "scheduled"
_REASONS: Final = {
    "task_failure": "its log ends with the reason",
    "timed_out": "the run took longer than it may",
    "all_tasks_deadlocked": "no task could go on",
}


@dataclass(frozen=True)
class Run:
    """A run as a callback sees it: what of it is known, by the names of the Airflow API."""

    context: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """Return a field of the run, None where it is not known."""
        run = self.context.get("dag_run")
        return run.get(name) if isinstance(run, Mapping) else getattr(run, name, None)

    @property
    def dag_id(self) -> str:
        """The name of the DAG."""
        return str(self.get("dag_id") or getattr(self.context.get("dag"), "dag_id", "a DAG"))

    @property
    def run_id(self) -> str:
        """Airflow's name of the run."""
        return str(self.get("run_id") or self.get("dag_run_id") or self.context.get("run_id") or "")

    @property
    def kind(self) -> str:
        """How the run came to be: `scheduled`, `manual`, `backfill` and others."""
        # Airflow begins the name of a run with its kind.
        return _word(self.get("run_type")) or self.run_id.partition("__")[0]

    @property
    def state(self) -> str:
        """The state of the run, empty where it is not known."""
        return _word(self.get("state"))

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of the run, as far as they are known."""
        return {**dict(self.get("conf") or {}), **dict(self.context.get("params") or {})}

    def moment(self, name: str) -> datetime | None:
        """Return a time of the run in UTC."""
        return _moment(self.get(name))


def facts(context: Mapping[str, Any], *, urgent: bool, what_to_do: str, remark: str = "") -> Facts:
    """Return what is known of the run. Only a scheduled run can be urgent: somebody watches the others.

    `remark` is what the run has to say, where it did not fail.
    """
    run = Run(context)
    sources = tuple(_sources(run.params))
    slot = _slot(run)
    first, last = (None, None) if slot else _days(run)
    return Facts(
        dag_id=run.dag_id,
        run_id=run.run_id,
        sources=sources,
        slot=slot,
        first=first,
        last=last,
        task=_task(context),
        reason=remark or _REASONS.get(str(context.get("reason")), ""),
        due=_moment((context.get("deadline") or {}).get("deadline_time")),
        urgent=urgent and run.kind == SCHEDULED,
        what_to_do=what_to_do,
        links=_links(run, context, sources, slot, last),
    )


def _slot(run: Run) -> Slot | None:
    """Return the slot, by the rule of `wayside_airflow.slots`; None for a run that is not about one."""
    begin, end = run.moment("data_interval_start"), run.moment("data_interval_end")
    if "slot" not in run.params and not (begin and end and end - begin == SLOT_LENGTH):
        return None
    moment = end or run.moment("run_after")
    try:
        if given := run.params.get("slot"):
            return slot_of_text(str(given))
        return Slot.floor(moment) if moment else None
    except ConfigError:
        return None


def _days(run: Run) -> tuple[date | None, date | None]:
    """Return the first and the last day, by the rule of `wayside_airflow.ranges`."""
    first, last = _day(run.params.get("start")), _day(run.params.get("end"))
    if first or last:
        return first or last, last or first
    begin, end = run.moment("data_interval_start"), run.moment("data_interval_end")
    if not begin or not end or run.kind == "manual":
        return None, None
    # A run of a daily DAG is about the day in which its interval begins, whatever the time at which it starts.
    daily = end - begin <= timedelta(days=1)
    return begin.date(), begin.date() if daily else (end - timedelta.resolution).date()


def _sources(params: Mapping[str, Any]) -> Iterable[str]:
    given = params.get("sources") or params.get("source") or ()
    for name in given.split(",") if isinstance(given, str) else given:
        try:
            yield source_id(str(name).strip())
        except ConfigError:
            continue


def _task(context: Mapping[str, Any]) -> str:
    ti = context.get("ti")
    if ti is None:
        return ""
    index = getattr(ti, "map_index", None)
    return f"{ti.task_id} [{index}]" if isinstance(index, int) and index >= 0 else str(ti.task_id)


def _links(
    run: Run, context: Mapping[str, Any], sources: tuple[str, ...], slot: Slot | None, day: date | None
) -> dict[str, str]:
    address = str(conf.get("api", "base_url", fallback="") or "http://localhost:8080").rstrip("/")
    of_run = f"{address}/dags/{quote(run.dag_id)}/runs/{quote(run.run_id)}"
    found = {"Run": of_run} if run.run_id else {"DAG": f"{address}/dags/{quote(run.dag_id)}"}
    if run.run_id and (ti := context.get("ti")) is not None:
        index = getattr(ti, "map_index", None)
        mapped = f"/mapped/{index}" if isinstance(index, int) and index >= 0 else ""
        found["Log"] = f"{of_run}/tasks/{quote(str(ti.task_id))}{mapped}"
    parts = urlsplit(address)
    # With several sources the page opens at the one that was counted last, and offers the others.
    query = {"source": sources[0]} if len(sources) == 1 else {}
    shown = page("cameras", {**query, "slot": str(slot)}) if slot else page("coverage", {**query, **_at(day)})
    found["Cameras" if slot else "Coverage"] = f"{parts.scheme}://{parts.netloc}{shown}".rstrip("?")
    return found


def _at(day: date | None) -> dict[str, str]:
    return {"day": str(day)} if day else {}


def _word(value: Any) -> str:
    """Return a member of an enumeration, or its name, as text."""
    return str(getattr(value, "value", value) or "")


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return datetime.fromtimestamp(moment.timestamp(), UTC) if moment and moment.tzinfo else None
    except (ValueError, AttributeError):
        return None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None
