"""Answers to the questions of the HTTP interface, from published counts."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones.lakes import (
    CAMERA,
    LEFT,
    PIPELINE,
    RIGHT,
    SOURCE,
    T0,
    at,
    counted,
    event_rows,
    minute_rows,
    occupancy_rows,
    put,
    put_counts,
    scanned,
    segment_row,
)

from wayside.core.settings import Settings
from wayside.core.tables import SEGMENTS
from wayside.counting.zones import Line, ZoneSet
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.answers import Objects, Traffic, objects, public_address, status, traffic
from wayside.zones.counts import count_due
from wayside.zones.errors import QuestionError
from wayside.zones.registry import Registry
from wayside.zones.times import parse_time


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake)


@pytest.fixture
def registry(lake: ParquetWarehouse, settings: Settings) -> Registry:
    registry = Registry(lake, settings)
    door = ZoneSet(RIGHT.zones, (Line("line", (0.5, 1), (0.5, 0)),))
    registry.add(SOURCE, CAMERA, "traffic", "Door", {}, door, "ada", PIPELINE)
    registry.add(SOURCE, CAMERA, "objects", "Square", {}, RIGHT, "ada", PIPELINE)
    return registry


def fill(lake: ParquetWarehouse) -> None:
    place = counted(1)
    events = [
        (10, "enter", "right", None, 1),
        (20, "exit", "right", None, 1),
        (30, "cross", "line", "forward", 1),
        (40, "finish", None, None, 3),
        (50, "cross", "line", "backward", 1),
    ]
    put_counts(lake, place, event_rows(place, events), minute_rows(place, ["right", "line", "*"]))


def reason(question: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(QuestionError) as caught:
        question(*args, **options)
    return caught.value.reason


def test_traffic_is_what_came_after_the_start_and_up_to_the_stop(lake, registry):
    fill(lake)
    assert traffic(lake, registry, 1, T0) == Traffic(6, at(10), at(50))
    assert traffic(lake, registry, 1, at(10), at(50)) == Traffic(5, at(30), at(50))
    assert traffic(lake, registry, 1, at(9.999999), at(49.999999)) == Traffic(5, at(10), at(40))
    assert traffic(lake, registry, 1, T0, zone="line") == Traffic(2, at(30), at(50))
    assert traffic(lake, registry, 1, T0, zone="line", direction="backward") == Traffic(1, at(50), at(50))
    assert traffic(lake, registry, 1, T0, label="car") == Traffic(0, None, None)


def test_no_traffic_is_zero_and_no_error(lake, registry):
    fill(lake)
    assert traffic(lake, registry, 1, at(50)) == Traffic(0, None, None)
    assert traffic(lake, registry, 1, at(86400 * 30)) == Traffic(0, None, None)
    assert traffic(lake, registry, 1, 0, 1) == Traffic(0, None, None)


def test_of_each_day_the_newest_version_that_counted_it_answers(lake, registry):
    fill(lake)
    registry.edit_zones(1, LEFT, "ada")
    assert traffic(lake, registry, 1, T0).traffic == 6, "not counted by the new version yet"
    tomorrow = (T0 + timedelta(days=1)).date()
    late = counted(1, 2, tomorrow)
    put_counts(lake, late, event_rows(late, [(86400, "enter", "left", None, 1)]), minute_rows(late, ["left"]))
    assert traffic(lake, registry, 1, T0) == Traffic(7, at(10), at(86400))
    again = counted(1, 2)
    put_counts(lake, again, [], minute_rows(again, ["left", "*"]))
    assert traffic(lake, registry, 1, T0) == Traffic(1, at(86400), at(86400)), "counted again, and nobody came"
    assert traffic(lake, registry, 1, T0, version=1) == Traffic(6, at(10), at(50))


def test_an_event_that_is_confirmed_after_midnight_is_found_by_its_own_time(lake, registry):
    day = counted(1, 1, (T0 + timedelta(days=1)).date())
    put_counts(lake, day, event_rows(day, [(15.9 * 3600, "enter", "right", None, 1)]), minute_rows(day, ["right"]))
    midnight = T0.replace(hour=0) + timedelta(days=1)
    assert traffic(lake, registry, 1, T0, midnight).traffic == 1


def test_objects_is_the_last_number_that_is_known(lake, registry):
    place = counted(2)
    changes = [(0, "*", 0), (10, "*", 2), (20, "*", None), (30, "*", 1), (5, "right", 7), (40, "*", None)]
    put_counts(lake, place, [], minute_rows(place, ["*"]), occupancy_rows(place, changes))
    assert objects(lake, registry, 2, at(10)) == Objects(2, at(10), None)
    assert objects(lake, registry, 2, at(9.9)) == Objects(0, T0, None)
    assert objects(lake, registry, 2, at(25)) == Objects(2, at(10), at(20))
    assert objects(lake, registry, 2) == Objects(1, at(30), at(40))
    assert objects(lake, registry, 2, at(25), zone="right") == Objects(7, at(5), None)
    later = counted(2, 1, (T0 + timedelta(days=3)).date())
    put_counts(lake, later, [], minute_rows(later, ["*"]))
    assert objects(lake, registry, 2, at(86400 * 5)) == Objects(1, at(30), at(40)), "a day that says nothing"


def test_objects_says_when_nobody_looks_any_more_though_the_day_goes_on(lake, registry):
    scanned(lake, segment_row(T0, 10.0), [(float(second), [(0.8, 0.5)]) for second in range(10)])
    count_due(lake, registry, clock=lambda: at(60))
    seen = objects(lake, registry, 2, at(12))
    assert (seen.count, seen.ts, seen.unwatched_since) == (1, T0, None)
    for zone in (None, "*", "right"):
        assert objects(lake, registry, 2, at(3600), zone=zone, now=at(3600)) == Objects(1, T0, at(10))
    assert objects(lake, registry, 2, now=at(12)) == Objects(1, T0, None)
    assert objects(lake, registry, 2, now=at(86400)) == Objects(1, T0, at(10))
    count_due(lake, registry, clock=lambda: at(86400))
    assert objects(lake, registry, 2, at(3600)) == Objects(1, T0, at(10)), "the same once the day is over"


def test_a_zone_of_an_older_version_can_be_asked_for_and_a_slip_of_the_pen_is_no_zero(lake, registry):
    fill(lake)
    registry.edit_zones(1, LEFT, "ada")
    assert traffic(lake, registry, 1, T0, zone="*") == traffic(lake, registry, 1, T0)
    assert traffic(lake, registry, 1, T0, zone="line").traffic == 2
    assert reason(traffic, lake, registry, 1, T0, zone="lime") == "unknown_zone"
    assert reason(objects, lake, registry, 2, T0, zone="line") == "unknown_zone"


def test_questions_without_an_answer_say_why(lake, registry):
    assert reason(traffic, lake, registry, 9, T0) == "unknown_processor"
    assert reason(traffic, lake, registry, 2, T0) == "wrong_kind"
    assert reason(objects, lake, registry, 1) == "wrong_kind"
    assert reason(traffic, lake, registry, 1, T0) == "no_observation"
    assert reason(objects, lake, registry, 2) == "no_observation"
    assert reason(traffic, lake, registry, 1, at(1), T0) == "bad_range"
    assert reason(traffic, lake, registry, 1, "yesterday") == "bad_time"
    place = counted(2)
    put_counts(lake, place, [], minute_rows(place, ["*"]), occupancy_rows(place, [(10, "*", 2)]))
    assert reason(objects, lake, registry, 2, at(9)) == "no_observation"


def test_status_is_how_fresh_the_video_is(lake, registry, settings):
    registry.add(SOURCE, "Never", "objects", "x", {}, RIGHT, "ada", PIPELINE, enabled=False)
    url = "https://user:key@cam.example:8443/live/a.ts?token=1"
    put(
        lake,
        SEGMENTS,
        [
            segment_row(at(-86400 * 9), 60),
            segment_row(at(-3600), 60),
            segment_row(at(-3538.5), 60),
            segment_row(at(-120), 60),
            segment_row(at(-60), 50, uri=url),
        ],
    )
    found = status(lake, registry, now=T0)
    assert set(found) == {1, 2}
    one = found[1]
    assert (one.watching, one.url, one.last_segment) == (True, "https://cam.example:8443/live/a.ts", at(-10))
    assert (one.lag_s, one.gaps) == (10.0, 2), "a second and a half is no gap"
    assert not status(lake, registry, now=at(1000))[1].watching
    never = found[2]
    assert (never.watching, never.url, never.last_segment, never.lag_s, never.gaps) == (False, "", None, None, 0)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/videos/a b.mp4", "/videos/a b.mp4"),
        ("gs://bucket/a.mp4", "gs://bucket/a.mp4"),
        ("rtsp://ada:pw@10.0.0.1:554/ch1", "rtsp://10.0.0.1:554/ch1"),
        ("http://[::1/x", ""),
        ("http://u:p@h:x/", ""),
    ],
)
def test_an_address_gives_no_key_away(uri: str, shown: str):
    assert public_address(uri) == shown


@pytest.mark.parametrize(
    "value",
    [
        T0,
        T0.replace(tzinfo=None),
        T0.astimezone(timezone(timedelta(hours=3))),
        "2026-05-01T08:00:00Z",
        "2026-05-01T10:00:00+02:00",
        "2026-05-01 08:00:00",
        "2026-05-01T08:00",
        " 2026-05-01T08:00:00.000000 ",
        1777622400,
        1777622400.0,
        "1777622400",
        "1777622400.000",
    ],
)
def test_a_time_is_read_in_all_its_forms(value: object):
    assert parse_time(value) == T0
    assert parse_time(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [None, True, "", "now", "2026-13-01", "2026-W18-5", "08:00", "٢٠٢٦-05-01", float("nan"), 1e300, -1, [], {}, "1e9"],
)
def test_what_is_no_time_is_refused(value: object):
    assert reason(parse_time, value) == "bad_time"


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.none(), st.binary(max_size=4)))
def test_any_value_is_a_time_or_refused(value: object):
    found = None
    with contextlib.suppress(QuestionError):
        found = parse_time(value)
    assert found is None or datetime(1970, 1, 1, tzinfo=UTC) <= found
