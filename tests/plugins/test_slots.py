"""From a run to its slot: by parameter, by data interval, or by when it was asked for."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.timetables.interval import CronDataIntervalTimetable
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.core.slots import Slot
from wayside_airflow import slots
from wayside_airflow.slots import slot_of_text

MOMENTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


FAR = datetime(2200, 1, 1, tzinfo=UTC)


def slot_of_run(context: Any, now: datetime = FAR) -> Slot:
    """The slot, to a clock that is late enough for any of the moments here."""
    return slots.slot_of_run(context, clock=lambda: now)


def run(end: Any = None, slot: str | None = None, after: str = "2026-11-20T08:17:03Z") -> Any:
    """A context; without `end` it lacks the data interval, as that of a run without a logical date does."""
    context: dict[str, Any] = {
        "params": {"slot": slot},
        "dag_run": SimpleNamespace(run_after=pendulum.parse(after)),
    }
    return context if end is None else context | {"data_interval_end": end}


def test_the_run_of_an_interval_is_about_its_end() -> None:
    assert str(slot_of_run(run(pendulum.datetime(2026, 11, 20, 0, 10)))) == "20261120T0010Z"


def test_a_run_without_an_interval_is_about_the_slot_in_which_it_was_asked_for() -> None:
    assert str(slot_of_run(run())) == "20261120T0810Z"
    assert str(slot_of_run({**run(), "data_interval_end": None})) == "20261120T0810Z"


def test_a_slot_that_is_asked_for_comes_first() -> None:
    context = run(pendulum.datetime(2026, 11, 20, 0, 10), slot="2026-05-01T00:53:11+00:00")
    assert str(slot_of_run(context)) == "20260501T0050Z"
    assert str(slot_of_run(run(slot="20260501T0050Z"))) == "20260501T0050Z"


@pytest.mark.parametrize("text", ["2026-05-01T00:50:00", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_slot_without_a_zone_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="slot"):
        slot_of_run(run(slot=text))


def test_the_slot_is_made_of_plain_times() -> None:
    start = slot_of_run(run(pendulum.datetime(2026, 11, 20, 0, 10, tz="Europe/London"))).start
    assert type(start) is datetime
    assert start.tzinfo is UTC


@given(MOMENTS, ZONES)
def test_any_moment_names_the_slot_it_lies_in_whatever_the_zone(moment: datetime, zone: timezone) -> None:
    slot = slot_of_text(moment.astimezone(zone).isoformat())
    assert slot.start <= moment < slot.end
    assert slot == slot_of_run(run(after=moment.isoformat()))


@given(MOMENTS)
def test_scheduled_and_hand_started_runs_of_one_moment_agree(moment: datetime) -> None:
    """A run by hand gets the last interval that is over; without a date it gets none. Both are about the same slot."""
    interval = CronDataIntervalTimetable("*/10 * * * *", "UTC").infer_manual_data_interval(
        run_after=pendulum.instance(moment)
    )
    assert slot_of_run(run(interval.end)) == slot_of_run(run(after=moment.isoformat()))


@pytest.mark.parametrize(("early", "refused"), [(61, True), (60, False), (0, False), (-599, False)])
def test_a_slot_of_the_future_is_refused(early: int, refused: bool) -> None:
    """Its pictures would be too early, and stay for good; a minute is what clocks differ by."""
    start = pendulum.datetime(2026, 11, 20, 0, 10)
    now = datetime(2026, 11, 20, 0, 10, tzinfo=UTC) - timedelta(seconds=early)
    for context in (run(start), run(slot=start.isoformat()), run(after=start.isoformat())):
        if refused:
            with pytest.raises(ConfigError, match=r"slot 20261120T0010Z lies in the future, .*start the run at 00:10"):
                slot_of_run(context, now)
        else:
            assert str(slot_of_run(context, now)) == "20261120T0010Z"


def test_the_real_clock_is_asked() -> None:
    assert slots.slot_of_run(run(pendulum.datetime(2020, 5, 1, 0, 50))).day == "20200501"
    with pytest.raises(ConfigError, match="future"):
        slots.slot_of_run(run(pendulum.now("UTC").add(minutes=30)))


@given(MOMENTS)
def test_no_run_that_starts_when_it_may_is_refused(moment: datetime) -> None:
    """By schedule a run starts once its interval is over, by hand when it was asked for, and a back-fill later."""
    interval = CronDataIntervalTimetable("*/10 * * * *", "UTC").infer_manual_data_interval(
        run_after=pendulum.instance(moment)
    )
    assert slot_of_run(run(interval.end), moment).start <= moment
    assert slot_of_run(run(after=moment.isoformat()), moment).start <= moment


@given(MOMENTS)
def test_every_interval_of_the_schedule_is_one_slot(moment: datetime) -> None:
    slot = Slot.floor(moment)
    assert slot_of_run(run(slot.start)) == slot
    assert slot_of_run(run(slot.next.start)) == slot.next
