"""From a run to its days, its name and its author."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.core.ids import run_id
from wayside_airflow.ranges import days_of_run, run_name, who_started

NOW = datetime(2026, 5, 4, 3, 0, 20, tzinfo=UTC)


def context(run_type: str = "scheduled", begin: datetime | None = None, user: str | None = None, **params: Any) -> Any:
    run = SimpleNamespace(
        run_type=run_type,
        run_id=f"{run_type}__2026-05-04T03:00:00+00:00_x/y",
        dag_id="backfill_late_images",
        run_after=NOW,
        triggering_user_name=user,
    )
    found: dict[str, Any] = {"params": {"start": None, "end": None, **params}, "dag_run": run}
    return {**found, "data_interval_start": begin} if begin else found


def days(given: Any) -> list[date]:
    return days_of_run(given, clock=lambda: NOW)


def test_a_scheduled_run_is_about_the_day_in_which_its_interval_began():
    assert days(context(begin=datetime(2026, 5, 3, 3, tzinfo=UTC))) == [date(2026, 5, 3)]
    assert days(context("backfill", begin=datetime(2025, 12, 31, 3, tzinfo=UTC))) == [date(2025, 12, 31)]


def test_a_run_by_hand_is_about_yesterday_whatever_interval_airflow_gives_it():
    assert days(context("manual")) == [date(2026, 5, 3)]
    assert days(context("manual", begin=datetime(2026, 5, 1, tzinfo=UTC))) == [date(2026, 5, 3)]


def test_a_run_by_hand_that_is_taken_up_later_is_about_the_same_day():
    assert days_of_run(context("manual"), clock=lambda: NOW + timedelta(days=3)) == [date(2026, 5, 3)]


def test_params_name_the_range():
    assert days(context("manual", start="2026-04-29", end="2026-05-01")) == [
        date(2026, 4, 29),
        date(2026, 4, 30),
        date(2026, 5, 1),
    ]
    assert days(context("manual", start="2026-04-29")) == [date(2026, 4, 29)]
    assert days(context("manual", end="2026-05-04")) == [date(2026, 5, 4)]


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2026-05-02", "2026-05-01", "ends before it begins"),
        ("2026-05-02", "2026-05-05", "future"),
        ("2024-01-01", "2026-01-01", "in pieces"),
        ("yesterday", None, "is not a day"),
        ("2026-02-30", None, "is not a day"),
    ],
)
def test_what_does_not_hold_is_refused(start: str, end: str | None, says: str):
    with pytest.raises(ConfigError, match=says):
        days(context("manual", start=start, end=end))


def test_a_back_fill_whose_runs_are_all_about_the_same_range_is_refused():
    with pytest.raises(ConfigError, match="leave `start` and `end` empty"):
        days(context("backfill", begin=datetime(2026, 5, 1, tzinfo=UTC), start="2026-04-29"))


@given(st.dates(date(2025, 6, 1), NOW.date()), st.integers(0, 300))
def test_a_range_has_each_day_once_in_order(first: date, more: int):
    last = min(first + timedelta(days=more), NOW.date())
    found = days(context("manual", start=first.isoformat(), end=last.isoformat()))
    assert found == sorted(set(found))
    assert (found[0], found[-1], len(found)) == (first, last, (last - first).days + 1)


def test_the_name_of_a_run_is_a_safe_one_and_its_own():
    name = run_name(context("manual"))
    assert run_id(name) == name
    assert name.startswith("backfill_late_images-20260504T030020Z-")
    assert name == run_name(context("manual"))
    assert name != run_name(context("scheduled"))


def test_who_started_it():
    assert who_started(context("manual", user="ada")) == "ada"
    assert who_started(context("backfill")) == "backfill"
