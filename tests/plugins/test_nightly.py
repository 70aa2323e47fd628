"""Days, and when the runs about them start."""

from datetime import UTC, datetime
from typing import Any

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DataInterval, TimeRestriction

from wayside_airflow import nightly
from wayside_airflow.nightly import AfterEachDay

TIMES = AfterEachDay(hours=3)


def moment(day: int, hour: int = 0, minute: int = 0) -> pendulum.DateTime:
    return pendulum.datetime(2026, 5, day, hour, minute)


def interval(day: int) -> DataInterval:
    return DataInterval(moment(day), moment(day + 1))


def following(monkeypatch: pytest.MonkeyPatch, now: pendulum.DateTime, last: int | None = None) -> Any:
    monkeypatch.setattr(nightly, "utc_now", lambda: datetime.fromtimestamp(now.timestamp(), UTC))
    return TIMES.next_dagrun_info(
        last_automated_data_interval=interval(last) if last else None,
        restriction=TimeRestriction(pendulum.datetime(2020, 1, 1), None, catchup=False),
    )


def test_a_back_fill_has_both_ends_of_its_range():
    found, info = [], None
    while info := TIMES.next_dagrun_info_v2(
        last_dagrun_info=info, restriction=TimeRestriction(moment(1), moment(3), catchup=True)
    ):
        found.append(info)
    assert [one.data_interval for one in found] == [interval(1), interval(2), interval(3)]
    assert [one.logical_date for one in found] == [moment(1), moment(2), moment(3)]
    assert [one.run_after for one in found] == [moment(2, 3), moment(3, 3), moment(4, 3)]


@pytest.mark.parametrize(
    ("now", "day"), [(moment(4, 15), 3), (moment(4, 3), 3), (moment(4, 2, 59), 2), (moment(4, 0), 2)]
)
def test_a_new_installation_begins_with_the_newest_day_that_is_due(
    monkeypatch: pytest.MonkeyPatch, now: pendulum.DateTime, day: int
):
    info = following(monkeypatch, now)
    assert (info.data_interval, info.run_after) == (interval(day), moment(day + 1, 3))
    assert info.run_after <= now


@pytest.mark.parametrize(
    ("now", "last", "day"), [(moment(4, 3), 2, 3), (moment(4, 15), 3, 4), (moment(9, 1), 2, 7), (moment(9, 5), 2, 8)]
)
def test_an_old_one_goes_on_and_skips_what_it_slept_through(
    monkeypatch: pytest.MonkeyPatch, now: pendulum.DateTime, last: int, day: int
):
    assert following(monkeypatch, now, last).data_interval == interval(day)


def test_airflow_can_write_it_down_and_read_it_again():
    again = decode_timetable(encode_timetable(TIMES))
    assert isinstance(again, AfterEachDay)
    assert again.hours == 3
    assert again.summary == again.expression == "0 3 * * *"
