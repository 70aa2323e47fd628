"""Slots: ten minutes, UTC, and nothing else."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.core.slots import SLOT_LENGTH, SLOTS_PER_DAY, Slot

zones = st.sampled_from([UTC, ZoneInfo("Europe/London"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-9.5))])
moments = st.builds(
    lambda second, micro, zone: datetime.fromtimestamp(second, zone).replace(microsecond=micro),
    st.integers(10**9, 250 * 10**9),
    st.just(0) | st.integers(0, 999_999),
    zones,
)
slots = moments.map(Slot.floor)


@given(moments)
@example(datetime(2026, 6, 16, tzinfo=UTC))
@example(datetime(2026, 6, 15, 23, 59, 59, 999999, tzinfo=UTC))
def test_floor_and_ceil_hold_the_moment_between_them(moment: datetime):
    floor, ceil = Slot.floor(moment), Slot.ceil(moment)
    assert floor.start <= moment < floor.end
    assert ceil.previous.start < moment <= ceil.start
    assert ceil == (floor if floor.start == moment else floor.next)


@given(slots)
def test_a_slot_starts_on_ten_minutes_of_utc(slot: Slot):
    assert slot.start.utcoffset() == timedelta(0)
    assert (slot.start.minute % 10, slot.start.second, slot.start.microsecond) == (0, 0, 0)
    assert Slot.floor(slot.start) == Slot.ceil(slot.start) == slot


@given(slots)
def test_what_is_written_is_read_back(slot: Slot):
    assert Slot.parse(str(slot)) == Slot.parse(f"{slot.day}/{slot.hhmm}") == Slot.parse(slot.start.isoformat()) == slot
    assert len(str(slot)) == len("20200501T0050Z")


@given(slots, st.integers(-2000, 2000), st.integers(-2000, 2000))
def test_steps_add_up(slot: Slot, one: int, other: int):
    assert slot.shift(one).shift(other) == slot.shift(one + other)
    assert slot.next.previous == slot == slot.previous.next
    assert slot.next.start == slot.end == slot.start + SLOT_LENGTH
    assert slot.previous < slot < slot.next


def test_midnight_is_crossed():
    last = Slot.parse("20191231T2350Z")
    assert str(last.next) == "20200101T0000Z"
    assert (last.next.day, last.next.hhmm) == ("20200101", "0000")
    assert last.next.previous == last


def test_a_day_has_144_slots_on_days_when_clocks_change_too():
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)):
        found = list(Slot.of_day(day))
        assert len(found) == len(set(found)) == SLOTS_PER_DAY
        assert {slot.day for slot in found} == {day.strftime("%Y%m%d")}
        assert all(two == one.next for one, two in pairwise(found))


def test_the_doubled_hour_of_october_is_two_hours():
    london = ZoneInfo("Europe/London")
    first = Slot.floor(datetime(2026, 10, 25, 1, 30, tzinfo=london))
    second = Slot.floor(datetime(2026, 10, 25, 1, 30, fold=1, tzinfo=london))
    assert (str(first), str(second)) == ("20261025T0030Z", "20261025T0130Z")


def test_between_has_both_ends():
    first = Slot.parse("20200501T2350Z")
    assert [str(slot) for slot in Slot.between(first, first.shift(2))] == [
        "20200501T2350Z",
        "20200502T0000Z",
        "20200502T0010Z",
    ]
    assert list(Slot.between(first, first)) == [first]
    assert list(Slot.between(first, first.previous)) == []


@given(st.datetimes())
def test_a_moment_without_a_zone_is_refused(moment: datetime):
    for make in (Slot, Slot.floor, Slot.ceil):
        with pytest.raises(ConfigError, match="no time zone"):
            make(moment)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a slot"),
        ("yesterday", "is not a slot"),
        ("20200230T0000Z", "is not a slot"),
        ("20200501T2460Z", "is not a slot"),
        ("2020511T0050Z", "is not a slot"),  # not the eleventh of May, nor the first of November
        ("20200501T050Z", "is not a slot"),
        ("20200501T0050Z\n", "is not a slot"),
        ("٢٠٢٠٠٥٠١T0050Z", "is not a slot"),
        ("../../etc", "is not a slot"),
        ("20200501T0055Z", "multiple of ten minutes"),
        ("20200501/0001", "multiple of ten minutes"),
        ("2020-05-01T00:50:01Z", "multiple of ten minutes"),
        ("2020-05-01T00:50", "no time zone"),
        ("20200501", "is not a slot"),
        ("2020-05-01T050Z", "is not a slot"),
        ("0001-01-01T00:00+05:00", "lies outside"),
        ("0999-01-01T00:00Z", "lies outside"),
        ("9999-12-31T23:50Z", "lies outside"),
    ],
)
def test_a_text_that_is_no_slot_is_refused(text: str, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        Slot.parse(text)


def test_an_offset_is_turned_into_utc():
    assert str(Slot.parse("2020-05-01T01:50+01:00")) == "20200501T0050Z"


def test_the_ends_of_time_are_a_config_error():
    with pytest.raises(ConfigError, match="lies outside"):
        _ = Slot.parse("19700101T0000Z").previous
    with pytest.raises(ConfigError, match="lies outside"):
        _ = Slot.parse("99981231T2350Z").next
    with pytest.raises(ConfigError, match="lies outside"):
        Slot.ceil(datetime.max.replace(tzinfo=UTC))
