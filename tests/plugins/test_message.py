"""The text of a notification: it answers what a person on duty asks, and carries no markup or control characters."""

import json
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.slots import Slot
from wayside_airflow.notifiers.message import Facts, compose

SLOT = Slot.parse("20261120T0810Z")


def facts(**changes: object) -> Facts:
    known: dict[str, object] = {
        "dag_id": "ingest_cameras",
        "run_id": "scheduled__2026-11-20T08:00:00+00:00",
        "sources": ("TfL-images",),
        "slot": SLOT,
        "task": "fetch [3]",
        "reason": "its log ends with the reason",
        "urgent": True,
        "what_to_do": "see whether the source answers",
        "links": {"Run": "https://air.example.org/dags/ingest_cameras/runs/x?a=1&b=2"},
    }
    return Facts(**{**known, **changes})  # type: ignore[arg-type]


def test_a_failure_as_text() -> None:
    made = compose("failed", facts())
    assert made.subject == "[Wayside] URGENT: ingest_cameras, slot 2026-11-20 08:10 UTC failed"
    assert made.text == (
        "What: the run of ingest_cameras failed at the task fetch [3]: its log ends with the reason\n"
        "Source: TfL-images\n"
        "When: slot 2026-11-20 08:10 UTC\n"
        "Urgent: yes, now\n"
        "What to do: see whether the source answers\n"
        "Run: https://air.example.org/dags/ingest_cameras/runs/x?a=1&b=2\n"
    )


def test_a_late_slot_says_which_slot_is_not_analysed() -> None:
    made = compose("late", facts(due=datetime(2026, 11, 20, 8, 18, tzinfo=UTC), sources=(), task=""))
    assert made.subject == "[Wayside] URGENT: ingest_cameras, slot 2026-11-20 08:10 UTC is late"
    assert "did not end by 2026-11-20 08:18 UTC, so that slot 2026-11-20 08:00 UTC is not analysed" in made.text
    assert "Source: all that are enabled" in made.text


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 11, 18), date(2026, 11, 20), "2026-11-18 to 2026-11-20"),
        (date(2026, 11, 18), date(2026, 11, 18), "2026-11-18"),
        (None, date(2026, 11, 20), "2026-11-20"),
        (None, None, "not known: see the run"),
    ],
)
def test_a_range_of_days(first: date | None, last: date | None, said: str) -> None:
    made = compose("failed", facts(slot=None, first=first, last=last, urgent=False))
    assert f"When: {said}\n" in made.text
    assert "URGENT" not in made.subject
    assert "Urgent: no, it can wait for working hours" in made.text


def test_many_sources_are_counted_in_the_text_and_listed_in_the_fields() -> None:
    names = tuple(f"S{number}" for number in range(8))
    made = compose("failed", facts(sources=names))
    assert "Source: S0, S1, S2, S3, S4 and 3 more\n" in made.text
    assert made.fields["sources"] == list(names)


def test_nothing_but_the_name_is_needed() -> None:
    made = compose("failed", Facts("expire_images"))
    assert made.subject == "[Wayside] expire_images failed"
    assert "open the run" in made.text


def test_fields_are_plain_json() -> None:
    made = compose("late", facts(due=datetime(2026, 11, 20, 8, 18, tzinfo=UTC)))
    assert json.loads(json.dumps(made.fields)) == {
        "kind": "late",
        "subject": made.subject,
        "urgent": True,
        "dag_id": "ingest_cameras",
        "run_id": "scheduled__2026-11-20T08:00:00+00:00",
        "task": "fetch [3]",
        "sources": ["TfL-images"],
        "slot": "20261120T0810Z",
        "first_day": None,
        "last_day": None,
        "due": "2026-11-20T08:18:00+00:00",
        "what_to_do": "see whether the source answers",
        "links": {"Run": "https://air.example.org/dags/ingest_cameras/runs/x?a=1&b=2"},
    }


class Seen(HTMLParser):
    """Keeps tags, addresses and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str | None] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_in_the_facts_stays_text(task: str, todo: str) -> None:
    evil = '"><script>alert(1)</script>'
    made = compose("failed", facts(task=task + evil, what_to_do=todo + evil, links={"Run": "https://a/?x=" + evil}))
    seen = Seen(made.html)
    assert seen.tags <= {"html", "body", "p", "strong", "table", "tr", "th", "td", "ul", "li", "a"}
    assert seen.addresses == ["https://a/?x=" + evil]
    assert any(evil in words for words in seen.words)
    assert made.subject.isprintable()
    assert all(line.isprintable() for line in made.text.split("\n"))
    assert len(made.text.splitlines()) == 6


def test_what_a_run_noticed_is_told_in_its_own_words():
    message = compose("noticed", Facts("update_sources", reason="Demo-city: analysed cameras are gone: 00001.00001"))
    assert message.subject == "[Wayside] update_sources has something to say"
    assert "analysed cameras are gone: 00001.00001" in message.text
    assert "no, it can wait" in message.text
