"""Daily series: sums over cameras, views that share one, days and cameras of which too little is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counting.gathering import gathered
from tests.counting.synthetic import town, with_gaps

from wayside.core.tables import TIMESERIES
from wayside.counting.timeseries import Result, daily
from wayside.warehouse.audit import audit
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope

CAMERAS = [f"c{number}" for number in range(6)]


def rows_of(result: Result, series: str = "car") -> list[dict[str, Any]]:
    return [row for row in result.rows("Town", "StubV1") if row["series"] == series]


def column(result: Result, name: str, series: str = "car") -> list[Any]:
    return [row[name] for row in rows_of(result, series)]


def test_without_gaps_a_day_is_the_sum_of_its_counts():
    grid = town(6, 30)
    result = daily(gathered({"car": grid}, CAMERAS))
    assert column(result, "original") == grid.sum((0, 2)).tolist()
    assert set(column(result, "imputed_share")) == {0.0}
    assert set(column(result, "cameras")) == {6}
    assert rows_of(result)[0]["day"].isoformat() == "2026-04-06"
    assert [one.name for one in result.series] == ["car"]
    assert result.warnings == [
        "no series for bus, cyclist, motorcyclist, person, truck, van: never counted, or too little known of them"
    ]


def test_the_rows_are_fit_to_be_published():
    grids = {"car": with_gaps(town(6, 40)), "person": with_gaps(town(6, 40, seed=4, mean=0.5))}
    scope = Scope("Town", pipeline="StubV1")
    rows = to_arrow(TIMESERIES, daily(gathered(grids, CAMERAS)).rows("Town", "StubV1"))
    audit(TIMESERIES, scope, rows)
    assert rows.num_rows == 80


def test_slots_without_a_row_are_gaps_and_not_nothing():
    grid = town(6, 30)
    there = np.ones(grid.shape, bool)
    there[:, 24, 60:90] = False  # the scheduler stood still for five hours
    result = daily(gathered({"car": grid}, CAMERAS, there=there))
    share = column(result, "imputed_share")
    assert share[24] == pytest.approx(30 / 144, abs=1e-5)
    assert column(result, "original")[24] == pytest.approx(float(grid[:, 24].sum()), rel=0.06)
    assert float(grid[:, 24][there[:, 24]].sum()) < 0.75 * float(grid[:, 24].sum()), "what a sum of rows would say"


def test_a_day_without_any_row_is_imputed_too():
    grid = town(6, 30)
    there = np.ones(grid.shape, bool)
    there[:, 20] = False
    result = daily(gathered({"car": grid}, CAMERAS, there=there))
    assert column(result, "imputed_share")[20] == 1.0
    assert column(result, "original")[20] == pytest.approx(float(grid[:, 20].sum()), rel=0.06)
    assert "mostly imputed on 2026-04-26: car" in result.warnings


def test_a_camera_counts_from_its_first_row_to_its_last():
    grid = town(3, 30)
    there = np.ones(grid.shape, bool)
    there[0, :10] = False
    there[1, 20:] = False
    result = daily(gathered({"car": grid}, CAMERAS[:3], there=there, block=7))
    assert column(result, "cameras") == [2] * 10 + [3] * 10 + [2] * 10
    assert column(result, "original")[5] == grid[1:, 5].sum()
    assert column(result, "original")[25] == grid[[0, 2], 25].sum()
    assert set(column(result, "imputed_share")) == {0.0}


def test_views_of_one_camera_share_it():
    grid = np.stack([np.full((30, 144), value, np.float32) for value in (2, 4, 7, 10)])
    names = ["X-View_01", "X-View_02", "X", "Y-View_1"]
    result = daily(gathered({"car": grid}, names))
    assert column(result, "original")[0] == 144 * ((2 + 4) / 2 + 7 + 10)
    assert column(result, "cameras")[0] == 3, "X's views, X itself, the only view of Y"
    assert result.touring == {"X": 2}


def test_a_view_that_is_dark_for_long_leaves_the_camera_to_the_others():
    grid = np.stack([np.full((60, 144), value, np.float32) for value in (2, 4)])
    grid[1, 10:] = np.nan
    result = daily(gathered({"car": grid}, ["X-View_01", "X-View_02"]))
    assert [value / 144 for value in column(result, "original")] == pytest.approx([3.0] * 38 + [2.0] * 22)
    assert column(result, "imputed_share")[20] == 0.5
    assert column(result, "imputed_share")[50] == 0.0
    assert any("22 of 120 camera days add nothing" in warning for warning in result.warnings)


def test_a_source_that_is_dark_for_over_four_weeks_has_days_without_a_value():
    grid = town(2, 90)
    grid[:, 30:70] = np.nan
    result = daily(gathered({"car": grid}, CAMERAS[:2]))
    null = [step for step, value in enumerate(column(result, "original")) if value is None]
    assert null == list(range(58, 70))
    for name in ("sa", "trend"):
        assert [step for step, value in enumerate(column(result, name)) if value is None] == null
    assert {column(result, "imputed_share")[step] for step in null} == {1.0}
    assert {column(result, "cameras")[step] for step in null} == {0}
    assert "no value on 2026-06-03 to 2026-06-14: car" in result.warnings


def test_cameras_of_which_too_little_is_known_are_named_and_not_counted_as_nothing():
    grid = town(3, 30)
    grid[1] = np.nan
    grid[1, 3, 5:8] = 4
    result = daily(gathered({"car": grid}, CAMERAS[:3]))
    assert set(column(result, "cameras")) == {2}
    assert "1 of 3 cameras add nothing, too little is known of them: c1" in result.warnings


def test_people_and_cyclists_together():
    grids = {"person": town(6, 30, mean=2), "cyclist": town(6, 30, seed=5, mean=0.4)}
    result = daily(gathered(grids, CAMERAS))
    assert [one.name for one in result.series] == ["cyclist", "person", "person_cyclist"]
    sums = zip(column(result, "original", "person"), column(result, "original", "cyclist"), strict=True)
    assert column(result, "original", "person_cyclist") == [sum(pair) for pair in sums]
    alone = daily(gathered({"person": grids["person"]}, CAMERAS))
    assert [one.name for one in alone.series] == ["person"]


def test_a_short_series_is_not_adjusted_and_says_why():
    result = daily(gathered({"car": town(6, 20)}, CAMERAS))
    assert set(column(result, "sa")) == {None}
    assert "not adjusted: car: only 20 days are known, an adjustment needs 21" in result.warnings


def test_a_new_level_is_marked():
    result = daily(gathered({"car": town(6, 90, step=50)}, CAMERAS))
    assert {step: name for step, name in enumerate(column(result, "outlier")) if name} == {50: "LS"}


def test_without_any_camera_there_is_nothing():
    grid = np.full((1, 5, 144), np.nan, np.float32)
    result = daily(gathered({"car": grid}, CAMERAS[:1]))
    assert result.rows("Town", "StubV1") == []
    empty = daily(gathered({"car": grid}, CAMERAS[:1], there=np.zeros(grid.shape, bool)))
    assert (empty.rows("Town", "StubV1"), len(empty.warnings)) == ([], 1)


VIEWS = ["X-View_01", "X-View_02", *CAMERAS[2:]]


@pytest.fixture(scope="module")
def uneven() -> tuple[Any, Any, list[dict[str, Any]]]:
    """A town with gaps, of which cameras come and go; which rows there are; and its series."""
    grid = with_gaps(town(6, 50))
    there = np.random.default_rng(3).random(grid.shape) > 0.02
    there[3, :20] = there[4, 30:] = False
    return grid, there, daily(gathered({"car": grid}, VIEWS, there=there)).rows("Town", "StubV1")


@settings(max_examples=5)
@given(st.permutations(range(6)), st.sampled_from([1, 5, 7, 14, 33]))
def test_neither_the_order_of_cameras_nor_the_blocks_of_days_show(
    uneven: tuple[Any, Any, list[dict[str, Any]]], order: list[int], block: int
):
    grid, there, expected = uneven
    shuffled = gathered({"car": grid[order]}, [VIEWS[one] for one in order], block, there[order])
    assert daily(shuffled).rows("Town", "StubV1") == expected


def test_what_was_published_of_a_day_stays_when_weeks_are_added():
    grid = with_gaps(town(6, 84))
    whole = column(daily(gathered({"car": grid}, CAMERAS)), "original")
    for weeks in (1, 3, 8, 11):
        part = column(daily(gathered({"car": grid[:, : 7 * weeks]}, CAMERAS, block=7)), "original")
        assert part == whole[: 7 * weeks]


def test_the_whole_way_from_gaps_to_the_trend():
    """A town with gaps against the same town without: what the gaps cost in SA."""
    grid = town(20, 120, step=80)
    truth = daily(gathered({"car": grid}, [f"c{number}" for number in range(20)]))
    found = daily(gathered({"car": with_gaps(grid)}, [f"c{number}" for number in range(20)]))
    apart = np.abs(np.array(column(found, "sa")) / np.array(column(truth, "sa")) - 1)
    print(f"\nSA of a town with a tenth of gaps against the one without: {100 * apart.mean():.2f} %")
    assert apart.mean() < 0.012
