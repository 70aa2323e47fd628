"""Daily series built out of a lake and written to files."""

import csv
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.counting.synthetic import town, with_gaps
from tests.stills.weeks import EVERY, FIRST, PIPELINE, fill

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import TIMESERIES
from wayside.stills import series
from wayside.warehouse.scope import Scope

SCOPE = Scope("Town", pipeline=PIPELINE)


def at(days: int) -> Any:
    """A clock that shows noon, so many days after the first."""
    return lambda: FIRST + timedelta(days=days, hours=12)


@pytest.fixture
def cars(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Six weeks of counts. Few times of a day are known, so the rule on them is set to match."""
    monkeypatch.setattr("wayside.counting.impute.MIN_TIMES", 144 // EVERY // 2)
    return with_gaps(town(3, 42))


def published(settings: Settings) -> bytes:
    return (settings.lake / "published/timeseries/source=Town/pipeline=StubV1/all.parquet").read_bytes()


def test_build_publishes_all_days_that_are_over(settings: Settings, cars: np.ndarray):
    lake = fill(settings, cars)
    told = series.build(settings, "Town", PIPELINE, clock=at(41))
    assert (told.first, told.last, told.days, told.cameras, told.touring) == ("2026-04-06", "2026-05-16", 41, 3, 1)
    assert told.series == ("car", "person")
    assert told.rows == 2 * 41
    assert 0.95 < told.imputed_share < 0.97, "23 slots of 24 have no row"
    rows = lake.read(TIMESERIES, SCOPE).to_pylist()
    assert {row["day"] for row in rows} == {date(2026, 4, 6) + timedelta(days=step) for step in range(41)}
    assert {row["cameras"] for row in rows} == {2}
    assert all(row["sa"] is not None for row in rows)


def test_sums_are_near_those_of_the_truth(settings: Settings, cars: np.ndarray):
    lake = fill(settings, cars)
    series.build(settings, "Town", PIPELINE, clock=at(60))
    truth = town(3, 42) * np.array([1, 0.5, 0.5])[:, None, None]
    original = np.array([r["original"] for r in lake.read(TIMESERIES, SCOPE).to_pylist() if r["series"] == "car"])
    error = np.abs(original / truth.sum((0, 2)) - 1)[14:]
    print(f"\none slot in 24 known, gaps besides: {100 * error.mean():.1f} %")
    assert error.mean() < 0.15


def test_the_same_counts_give_the_same_file(settings: Settings, cars: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    lake = fill(settings, cars)
    series.build(settings, "Town", PIPELINE, clock=at(60))
    before = published(settings)
    series.build(settings, "Town", PIPELINE, clock=at(61))
    assert published(settings) == before
    monkeypatch.setattr(series, "_BLOCK", 5)
    series.build(settings, "Town", PIPELINE, clock=at(60))
    assert published(settings) == before
    lake.compact(date(2026, 5, 1))
    series.build(settings, "Town", PIPELINE, clock=at(60))
    assert published(settings) == before


def test_week_by_week_ends_where_all_at_once_does(settings: Settings, tmp_path: Path, cars: np.ndarray):
    fill(settings, cars)
    series.build(settings, "Town", PIPELINE, clock=at(60))
    weekly = settings.model_copy(update={"state": tmp_path / "weekly"})
    lake = fill(weekly, cars)
    seen: dict[tuple[str, date], float] = {}
    for week in range(1, 7):
        series.build(weekly, "Town", PIPELINE, through=(FIRST + timedelta(days=7 * week - 1)).date(), clock=at(60))
        now = {(row["series"], row["day"]): row["original"] for row in lake.read(TIMESERIES, SCOPE).to_pylist()}
        assert now.items() >= seen.items()
        seen = now
    assert published(weekly) == published(settings)


def test_two_builds_at_once_give_one_result(settings: Settings, cars: np.ndarray):
    fill(settings, cars)
    with ThreadPoolExecutor(2) as both:
        told = list(both.map(lambda _: series.build(settings, "Town", PIPELINE, clock=at(60)), range(2)))
    assert told[0] == told[1]
    before = published(settings)
    series.build(settings, "Town", PIPELINE, clock=at(60))
    assert published(settings) == before


def test_today_is_left_out_even_if_it_is_asked_for(settings: Settings, cars: np.ndarray):
    fill(settings, cars[:, :10])
    assert series.build(settings, "Town", PIPELINE, date(2027, 1, 1), at(9)).last == "2026-04-14"
    assert series.build(settings, "Town", PIPELINE, date(2026, 4, 12), at(9)).last == "2026-04-12"


def test_before_the_first_day_is_over_there_is_nothing_and_it_says_so(settings: Settings, cars: np.ndarray):
    lake = fill(settings, cars[:, :1])
    told = series.build(settings, "Town", PIPELINE, clock=at(0))
    assert (told.rows, told.warnings) == (0, ("no whole day of counts up to 2026-04-05",))
    assert not lake.published(TIMESERIES, SCOPE)


def test_without_counts_it_says_what_to_do(settings: Settings):
    with pytest.raises(ConfigError, match="no counts of Town with StubV1 yet: run ingest_cameras first"):
        series.build(settings, "Town", PIPELINE)


def test_a_summary_is_short_enough_to_hand_on(settings: Settings, cars: np.ndarray):
    cars[:, 3:40] = np.nan
    fill(settings, cars)
    told = series.build(settings, "Town", PIPELINE, clock=at(60))
    assert any("no value on" in warning for warning in told.warnings)
    assert len(repr(told.as_json())) < 2000
    assert told.as_json()["series"] == ["car", "person"]


def test_export_writes_csv_parquet_and_page(settings: Settings, tmp_path: Path, cars: np.ndarray):
    fill(settings, cars)
    fill(settings, cars[:1, :30], "Village")
    assert series.with_counts(settings, PIPELINE) == ["Town", "Village"]
    for source in series.with_counts(settings, PIPELINE):
        series.build(settings, source, PIPELINE, clock=at(60))
    written = series.export(settings, tmp_path / "out", PIPELINE)
    assert [path.name for path in (written.csv, written.parquet, written.page)] == [
        "Trafcam_data_20260517.csv", "Trafcam_data_20260517.parquet", "Trafcam_data_20260517.html",
    ]  # fmt: skip
    with written.csv.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == pq.read_table(written.parquet).num_rows == 2 * (42 + 30)
    assert {row["Location"] for row in rows} == {"Town", "Village"}
    assert written.page.read_text().count("plotly-graph-div") == 4
    before = {path: path.read_bytes() for path in (written.csv, written.parquet)}
    assert series.export(settings, tmp_path / "out", PIPELINE) == written
    assert {path: path.read_bytes() for path in before} == before
    alone = series.export(settings, tmp_path / "one", PIPELINE, ["Village"])
    assert alone.csv.name == "Trafcam_data_20260505.csv"


@pytest.mark.parametrize(("sources", "told"), [(None, "any source"), (["Town"], "Town")])
def test_export_without_series_says_what_to_do(settings: Settings, tmp_path: Path, sources: Any, told: str):
    with pytest.raises(ConfigError, match=f"no series of {told} with StubV1: build them first"):
        series.export(settings, tmp_path, PIPELINE, sources)
