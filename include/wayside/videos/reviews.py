"""What people say of events: right, wrong, or other labels than the machine gave.

A verdict is a row of `event_reviews`, the last one that was given; `bookmarks` leaves rejected events out of exports
and puts the labels that a person gave in place of the machine's. The row lies in the scope of its event, whose rows may
be published anew meanwhile: so that both find each other, writers of a source take turns.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.ids import source_id
from wayside.core.tables import EVENT_REVIEWS, VERDICTS, VIDEO_EVENTS
from wayside.videos.labellers.base import LABEL_LETTERS
from wayside.warehouse import sql
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

MOST_LABELS: Final = 50
"""Labels that a person may give to one event."""

# Of a segment, `<16 hex digits>-<milliseconds>`; of an import, whatever it made of its own.
_EVENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """An event as it is published, the scope of its rows, and the last verdict on it, if there is one."""

    scope: Scope
    event: Row
    review: Row | None


def event_name(value: str) -> str:
    """Return `value` if it can be the id of an event, else raise `InvalidIdentifierError`."""
    if not _EVENT.fullmatch(value):
        raise InvalidIdentifierError(f"event {value!r} is not valid: letters, digits, '_' and '-', at most 100")
    return value


def place_of(lake: ParquetWarehouse, source: str, event: str) -> Scope | None:
    """Return the scope in which an event is published, None if there is no such event.

    All hours of the source are looked through: whoever knows the scope of an event should not ask.
    """
    asked = {"source": source_id(source), "event": event_name(event), "since": _FIRST}
    with lake.connect([source], tables={VIDEO_EVENTS.name}) as connection:
        found = sql.ask(connection, "videos/event_place", asked)
    return Scope(source, camera=found[0]["camera"], hour=found[0]["hour"]) if found else None


def find(lake: ParquetWarehouse, scope: Scope, event: str) -> Found | None:
    """Return an event of a scope with the last verdict on it; None if it is not published there."""
    row = _row(lake.read(VIDEO_EVENTS, scope), event)
    return None if row is None else Found(scope, row, _row(lake.read(EVENT_REVIEWS, scope), event))


def review(
    lake: ParquetWarehouse,
    source: str,
    event: str,
    verdict: str | None,
    labels: Sequence[str] = (),
    *,
    author: str,
    at: datetime,
    scope: Scope | None = None,
) -> Row | None:
    """Write down what somebody says of an event, in place of what was said before.

    Args:
        lake: with the event; opened so that it notes down what has to go to other warehouses.
        source: name of the archive.
        event: id of the event.
        verdict: accepted, rejected or relabelled; None takes back what was said.
        labels: what the event shows, where it is relabelled.
        author: who says so.
        at: when.
        scope: where the event is published, if the caller knows.

    Returns:
        The row, None if a verdict was taken back.

    Raises:
        ConfigError: there is no such event, or verdict and labels do not make sense.
    """
    given = _checked(verdict, labels)
    scope = scope or place_of(lake, source, event)
    if scope is None:
        raise ConfigError(f"{source} has no event {event}")
    with locked(lake.root / "locks" / source):
        if find(lake, scope, event) is None:
            raise ConfigError(f"{source} has no event {event} any more")
        row = None if verdict is None else _made(scope, event, verdict, given, author, at)
        others = [one for one in lake.read(EVENT_REVIEWS, scope).to_pylist() if one["event"] != event]
        lake.publish(EVENT_REVIEWS, scope, to_arrow(EVENT_REVIEWS, [*others, row] if row else others))
    return row


def labels_of(review: Row | None) -> list[str]:
    """Return the labels that a person gave; none unless the event was relabelled."""
    if review is None or not review["labels"]:
        return []
    said = json.loads(review["labels"])
    return [str(label) for label in said] if isinstance(said, list) else []


def _made(scope: Scope, event: str, verdict: str, labels: Sequence[str], author: str, at: datetime) -> Row:
    return {
        "source": scope.source,
        "camera": scope.camera,
        "hour": scope.hour,
        "event": event,
        "verdict": verdict,
        "labels": json.dumps(labels, ensure_ascii=False) if labels else None,
        "author": author,
        "reviewed_at": at,
    }


def _checked(verdict: str | None, labels: Sequence[str]) -> list[str]:
    """Return the labels, each once and in one form, where they belong to the verdict."""
    if verdict is not None and verdict not in VERDICTS:
        raise ConfigError(f"{verdict!r} is no verdict: {', '.join(VERDICTS)}")
    given = list(dict.fromkeys(label for one in labels if (label := unicodedata.normalize("NFC", one).strip())))
    if (verdict == "relabelled") != bool(given):
        raise ConfigError("name the labels" if verdict == "relabelled" else "labels are for events that are relabelled")
    if len(given) > MOST_LABELS:
        raise ConfigError(f"an event has {MOST_LABELS} labels at most")
    for label in given:
        if len(label) > LABEL_LETTERS or not label.isprintable():
            raise ConfigError(
                f"the label {label[:20]!r}: at most {LABEL_LETTERS} letters, and none that cannot be seen"
            )
    return given


def _row(table: Any, event: str) -> Row | None:
    rows: list[Row] = table.to_pylist()
    return next((row for row in rows if row["event"] == event), None)
