"""Counts by minute, hour and day, journeys, stays, and all of them as files."""

import io
from datetime import datetime, timedelta
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from tests.zones.lakes import CAMERA, PIPELINE, RIGHT, SOURCE, T0, at, counted, event_rows, minute_rows, put_counts

from wayside.core.settings import Settings
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.downloads import download
from wayside.zones.errors import QuestionError
from wayside.zones.processor import Processor
from wayside.zones.registry import Registry
from wayside.zones.rollup import Period, counts_over

HOURS = Period(T0, T0 + timedelta(hours=3))


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake)


@pytest.fixture
def processor(lake: ParquetWarehouse, settings: Settings) -> Processor:
    return Registry(lake, settings).add(SOURCE, CAMERA, "traffic", "Main door / 1", {}, RIGHT, "ada", PIPELINE)


def minute(number: int, **changes: Any) -> dict[str, Any]:
    (row,) = minute_rows(counted(1), ["*"], 1, at(60 * number))
    return row | changes


def ask(lake: ParquetWarehouse, processor: Processor, what: Any, period: Period = HOURS, **options: Any) -> list[Any]:
    return counts_over(lake, processor, what, period, **options).to_pylist()


def test_hours_add_up_minutes_and_weigh_means(lake, processor):
    minutes = [
        minute(0, entered=2, exited=1, inside_min=0, inside_mean=1.0, inside_max=2, dwell_mean_s=10.0),
        minute(1, entered=1, exited=3, inside_min=1, inside_mean=4.0, inside_max=5, dwell_mean_s=2.0, watched_s=30.0),
        minute(59),
        minute(60, entered=5),
        minute(200, entered=9),
    ]
    put_counts(lake, counted(1), [], minutes)
    first, second = ask(lake, processor, "hours")
    assert (first["hour"], first["watched_s"], first["minutes"]) == (T0, 150.0, 3)
    assert (first["entered"], first["exited"]) == (3, 4)
    assert (first["inside_min"], first["inside_mean"], first["inside_max"]) == (0, 2.0, 5)
    assert first["dwell_mean_s"] == 4.0
    assert (second["entered"], second["inside_mean"], second["dwell_mean_s"]) == (5, None, None)
    (day,) = ask(lake, processor, "days", Period(T0 - timedelta(days=3), T0 + timedelta(days=3)))
    assert (day["day"], day["entered"], day["watched_s"]) == (T0.date(), 17, 270.0)
    assert (day["inside_min"], day["inside_mean"], day["inside_max"], day["dwell_mean_s"]) == (0, 2.0, 5, 4.0)
    assert type(day["entered"]) is int


def test_a_minute_around_midnight_is_one_though_two_days_know_of_it(lake, processor):
    midnight = T0.replace(hour=0) + timedelta(days=1)
    before = midnight - timedelta(minutes=1)
    tomorrow = counted(1, 1, midnight.date())
    put_counts(lake, counted(1), [], [minute(0, minute=before, entered=1)])
    put_counts(
        lake,
        tomorrow,
        [],
        [minute(0, **tomorrow, minute=before, watched_s=0.0, entered=2), minute(0, **tomorrow, minute=midnight)],
    )
    rows = ask(lake, processor, "minutes", Period(before, midnight))
    assert [(row["minute"], row["watched_s"], row["entered"]) for row in rows] == [(before, 60.0, 3)]


def test_of_each_day_the_newest_version_is_told_or_the_one_that_is_asked_for(lake, processor):
    put_counts(lake, counted(1), [], [minute(0, entered=1)])
    put_counts(lake, counted(1, 2), [], [minute(0, version=2, entered=7)])
    assert [row["entered"] for row in ask(lake, processor, "minutes")] == [7]
    assert [row["entered"] for row in ask(lake, processor, "minutes", version=1)] == [1]


def test_journeys_and_stays_come_from_events(lake, processor):
    place = counted(1)
    events = event_rows(place, [(second, "exit", "right", None, 1) for second in range(1, 21)])
    events = [row | {"dwell_s": float(number)} for number, row in enumerate(events, 1)]
    entries = [("right", None), ("left", "right"), ("left", "right"), ("left", None)]
    more = event_rows(place, [(30 + number, "enter", zone, None, 1) for number, (zone, _) in enumerate(entries)])
    events += [
        row | {"origin": origin, "ordinal": 20 + number}
        for number, (row, (_, origin)) in enumerate(zip(more, entries, strict=True))
    ]
    put_counts(lake, place, events, [minute(0)])
    assert [(row["origin"], row["destination"], row["objects"]) for row in ask(lake, processor, "journeys")] == [
        (None, "left", 1),
        (None, "right", 1),
        ("right", "left", 2),
    ]
    (stay,) = ask(lake, processor, "stays")
    assert [stay[name] for name in ("objects", "mean_s", "least_s", "median_s", "longest_s")] == [20, 10.5, 1, 10, 20]
    assert [stay[f"percentile_{share}_s"] for share in (25, 75, 95)] == [5, 15, 19]
    told = ask(lake, processor, "events", Period(at(5), at(8)))
    assert [row["dwell_s"] for row in told] == [5, 6, 7], "the start belongs to it, the stop does not"


@pytest.mark.parametrize("what", ["minutes", "hours", "days", "events", "journeys", "stays"])
def test_a_download_holds_what_was_asked_for(lake, processor, what):
    place = counted(1)
    events = event_rows(place, [(1, "enter", "=1+1", None, 1), (2, "exit", "=1+1", None, 1)])
    events[1]["dwell_s"] = 1.0
    put_counts(lake, place, events, minute_rows(place, ["=1+1", "*"]))
    parquet, csv = (download(lake, processor, what, HOURS, form) for form in ("parquet", "csv"))
    assert csv.name == f"Main-door-1-1-{what}-20260501-20260501.csv"
    expected = counts_over(lake, processor, what, HOURS)
    assert pq.read_table(io.BytesIO(parquet.data)).equals(expected)
    assert expected.num_rows
    read = pa_csv.read_csv(io.BytesIO(csv.data))
    assert read.column_names == expected.column_names
    assert read.num_rows == expected.num_rows
    cells = [cell for line in csv.data.decode().replace('"', "").splitlines()[1:] for cell in line.split(",")]
    assert "'=1+1" in cells
    assert "=1+1" not in cells
    for name in {"minute", "hour", "happened_at"} & set(read.column_names):
        first = expected[name][0].as_py()
        assert f"{first:%Y-%m-%dT%H:%M:%S}.000000Z" in cells


def test_what_cannot_be_asked_is_said(lake, processor):
    def reason(what: str, period: Period, form: str = "csv") -> str:
        with pytest.raises(QuestionError) as caught:
            download(lake, processor, what, period, form)  # type: ignore[arg-type]
        return caught.value.reason

    assert reason("weeks", HOURS) == "bad_range"
    assert reason("hours", HOURS, "xls") == "bad_range"
    assert reason("hours", Period(T0, T0)) == "bad_range"
    assert reason("minutes", Period(T0, datetime(2030, 1, 1, tzinfo=T0.tzinfo))) == "bad_range"
    day = Period(T0.replace(hour=0), T0.replace(hour=0) + timedelta(days=1))
    assert download(lake, processor, "days", day).name.endswith("-20260501-20260501.csv"), "the stop is not part of it"
    assert download(lake, processor, "days", HOURS).data.count(b"\n") == 1, "nothing but the names of the columns"
