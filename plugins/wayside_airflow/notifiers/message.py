"""The text of a notification, made from plain facts: no Airflow, no network, no clock.

A message answers, in this order, what a person on duty asks: is it urgent, what happened, about which source and slot,
what do I do, where do I look. It is made once and sent as it is through every channel.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Literal

from wayside.core.slots import Slot

Kind = Literal["failed", "late", "noticed"]
_NAMED: Final = 5
_HEADS: Final[Mapping[Kind, str]] = {"failed": "failed", "late": "is late", "noticed": "has something to say"}


@dataclass(frozen=True)
class Facts:
    """What is known of a run that went wrong; anything but its name may be missing.

    Args:
        dag_id: name of the DAG.
        run_id: Airflow's name of the run.
        sources: the sources that the run is about; none named means all that are enabled.
        slot: the slot of a run that is about one.
        first: the first day of a run that is about days.
        last: the last of these days.
        task: the task at which the run failed.
        reason: one sentence on how it came to fail.
        due: when a late run should have ended, aware.
        urgent: whether somebody should look at once.
        what_to_do: one or two sentences.
        links: addresses by what is found there.
    """

    dag_id: str
    run_id: str = ""
    sources: tuple[str, ...] = ()
    slot: Slot | None = None
    first: date | None = None
    last: date | None = None
    task: str = ""
    reason: str = ""
    due: datetime | None = None
    urgent: bool = False
    what_to_do: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """A notification: one line, the whole as text and as HTML, and its facts as plain JSON values."""

    subject: str
    text: str
    html: str
    fields: Mapping[str, object]


def compose(kind: Kind, facts: Facts) -> Message:
    """Return the message about a run that `failed`, that is `late`, or that `noticed` what people should know."""
    head = f"{_about(facts)} {_HEADS[kind]}"
    subject = _line(f"[Wayside] {'URGENT: ' if facts.urgent else ''}{head}")
    rows = {
        "What": _what(kind, facts),
        "Source": _sources(facts.sources),
        "When": _when(facts) or "not known: see the run",
        "Urgent": "yes, now" if facts.urgent else "no, it can wait for working hours",
        "What to do": facts.what_to_do or "open the run, and read the end of the log of its first red task",
    }
    rows = {name: _line(value) for name, value in rows.items()}
    links = {_line(name): _line(address) for name, address in facts.links.items() if address}
    return Message(subject, _text(rows, links), _html(subject, rows, links), _fields(kind, facts, subject, links))


def _about(facts: Facts) -> str:
    about = _when(facts)
    return f"{facts.dag_id}, {about}" if about else facts.dag_id


def _what(kind: Kind, facts: Facts) -> str:
    if kind == "failed":
        where = f" at the task {facts.task}" if facts.task else ""
        return f"the run of {facts.dag_id} failed{where}" + (f": {facts.reason}" if facts.reason else "")
    if kind == "noticed":
        return facts.reason
    until = f" by {_moment(facts.due)}" if facts.due else " in time"
    # The run of a slot analyses the one before, whose neighbours on both sides are then there.
    slot = f", so that slot {_moment(facts.slot.previous.start)} is not analysed" if facts.slot else ""
    return f"the run of {facts.dag_id} did not end{until}{slot}"


def _sources(names: tuple[str, ...]) -> str:
    if not names:
        return "all that are enabled"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _when(facts: Facts) -> str:
    if facts.slot:
        return f"slot {_moment(facts.slot.start)}"
    if facts.first and facts.last and facts.first != facts.last:
        return f"{facts.first} to {facts.last}"
    day = facts.first or facts.last
    return str(day) if day else ""


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> str:
    """Return the text as one line of printable characters: it may go into a header."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _text(rows: Mapping[str, str], links: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}" for name, value in rows.items()]
    return "\n".join([*lines, *(f"{name}: {address}" for name, address in links.items())]) + "\n"


def _html(subject: str, rows: Mapping[str, str], links: Mapping[str, str]) -> str:
    cells = "".join(
        f'<tr><th align="left" valign="top">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    anchors = "".join(
        f'<li><a href="{html.escape(address)}">{html.escape(name)}</a></li>' for name, address in links.items()
    )
    return (
        f'<!doctype html><html lang="en"><body><p><strong>{html.escape(subject)}</strong></p>'
        f'<table cellpadding="4">{cells}</table>{f"<ul>{anchors}</ul>" if anchors else ""}</body></html>\n'
    )


def _fields(kind: Kind, facts: Facts, subject: str, links: Mapping[str, str]) -> dict[str, object]:
    return {
        "kind": kind,
        "subject": subject,
        "urgent": facts.urgent,
        "dag_id": facts.dag_id,
        "run_id": facts.run_id,
        "task": facts.task,
        "sources": list(facts.sources),
        "slot": str(facts.slot) if facts.slot else None,
        "first_day": str(facts.first) if facts.first else None,
        "last_day": str(facts.last) if facts.last else None,
        "due": facts.due.astimezone(UTC).isoformat() if facts.due else None,
        "what_to_do": facts.what_to_do,
        "links": dict(links),
    }
