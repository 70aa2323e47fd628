import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counting.looks import START, look

from wayside.counting.events import Change, Look
from wayside.counting.occupancy import OccupancyCounter
from wayside.counting.options import ImprovedOptions, MatchOptions
from wayside.counting.zones import ZoneSet

ZONES = ZoneSet.parse(
    [
        {"name": "left", "polygon": [[0, 0], [0.6, 0], [0.6, 1], [0, 1]]},
        {"name": "right", "polygon": [[0.4, 0], [1, 0], [1, 1], [0.4, 1]]},
    ]
)
LEFT, BOTH, RIGHT = 0.2, 0.5, 0.8
MATCH, IMPROVED = MatchOptions(), ImprovedOptions(anchor="centre")
Row = tuple[float, int | None]


def people(seconds: float, *xs: float, segment: str = "a") -> Look:
    """People beside each other do not overlap: those at one place stand one below the other."""
    return look(seconds, [(x, 0.1 + 0.12 * at) for at, x in enumerate(xs)], segment=segment)


def changes(options: Any, looks: list[Look], zones: ZoneSet = ZONES) -> list[Change]:
    counter = OccupancyCounter(zones, options)
    return [change for one in looks for change in counter.feed(one)] + counter.until(None)


def series(rows: list[Change], zone: str = "*") -> list[Row]:
    return [((row.since - START).total_seconds(), row.inside) for row in rows if row.zone == zone]


def numbers(values: list[int], fps: float = 5) -> list[Look]:
    return [people(at / fps, *[LEFT] * value) for at, value in enumerate(values)]


def test_who_is_in_two_zones_counts_once_in_all_of_them() -> None:
    rows = changes(IMPROVED, [people(at, LEFT, BOTH, BOTH, RIGHT) for at in range(3)])
    assert [series(rows, zone)[0] for zone in ("left", "right", "*")] == [(0, 3), (0, 3), (0, 4)]


def test_without_zones_everybody_is_inside() -> None:
    rows = changes(IMPROVED, [people(0, LEFT, RIGHT)], ZoneSet())
    assert [(row.zone, row.inside) for row in rows] == [("*", 2), ("*", None)]


def test_only_what_is_sure_and_wanted_counts() -> None:
    weak = look(0, [(LEFT, 0.3)], score=0.34)
    assert series(changes(IMPROVED, [weak])) == [(0, 0), (0.2, None)]
    assert series(changes(MATCH, [look(0, [(LEFT, 0.3)], score=0.49)])) == [(0, 0)]
    cars = ImprovedOptions(classes=("car",))
    assert series(changes(cars, [look(0, [(LEFT, 0.3)], label="person")]))[0] == (0, 0)
    assert series(changes(cars, [look(0, [(LEFT, 0.3)], label="car")]))[0] == (0, 1)


def test_feet_are_where_somebody_is() -> None:
    low = ZoneSet.parse([{"name": "low", "polygon": [[0, 0.6], [1, 0.6], [1, 1], [0, 1]]}])
    standing = [look(0, [(0.2, 0.5)], size=(0.1, 0.4))]
    assert series(changes(ImprovedOptions(), standing, low))[0] == (0, 1)
    assert series(changes(IMPROVED, standing, low))[0] == (0, 0)
    assert series(changes(MATCH, standing, low))[0] == (0, 0)


# As the replaced system did.


def test_match_has_a_row_at_the_first_look_of_each_segment_and_at_each_change() -> None:
    looks = [
        *(people(at, *[LEFT] * value) for at, value in enumerate([2, 2, 1, 1])),
        *(people(4 + at, *[LEFT] * value, segment="b") for at, value in enumerate([1, 1, 0, 2])),
        *(people(100 + at, segment="c") for at in range(2)),
    ]
    assert series(changes(MATCH, looks)) == [(0, 2), (2, 1), (4, 1), (6, 0), (7, 2), (100, 0)]
    assert [row.segment for row in changes(MATCH, looks) if row.zone == "*"] == list("aabbbc")


def test_match_smooths_nothing() -> None:
    assert series(changes(MATCH, numbers([1, 2, 1]))) == [(0, 1), (0.2, 2), (0.4, 1)]


# Our own way.


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1, 1, 1], [(0.0, 1)]),
        ([1, 0, 1, 2, 1, 0, 1], [(0.0, 1)]),  # one look is a flicker
        ([1, 2, 2, 2], [(0.0, 1), (0.2, 2)]),  # since it was first seen, not since it was sure
        ([1, 2, 3, 3], [(0.0, 1), (0.2, 2), (0.4, 3)]),
        ([1, 3, 2, 3, 3], [(0.0, 1), (0.2, 2), (0.6, 3)]),  # two looks say "at least 2"
        ([3, 2, 1, 0, 0], [(0.0, 3), (0.2, 2), (0.4, 1), (0.6, 0)]),
        ([2, 3, 1, 3, 1, 2], [(0.0, 2)]),
        ([1, 1, 2], [(0.0, 1)]),  # not sure yet
    ],
)
def test_a_change_has_to_hold_for_two_looks(values: list[int], expected: list[Row]) -> None:
    assert series(changes(IMPROVED, numbers(values)))[:-1] == expected


def test_how_long_it_has_to_hold_can_be_said() -> None:
    values = [1, 2, 2, 1, 1, 2, 2, 2, 2]
    assert series(changes(ImprovedOptions(anchor="centre", occupancy_looks=1), numbers(values)))[:-1] == [
        (0, 1),
        (0.2, 2),
        (0.6, 1),
        (1.0, 2),
    ]
    three = ImprovedOptions(anchor="centre", occupancy_looks=3)
    assert series(changes(three, numbers(values)))[:-1] == [(0, 1), (1.0, 2)]


def test_there_is_no_row_at_a_new_segment() -> None:
    looks = [people(at / 5, LEFT, segment=str(at // 3)) for at in range(9)]
    assert series(changes(IMPROVED, looks)) == [(0, 1), (1.8, None)]


def test_where_nobody_looked_nothing_is_known() -> None:
    looks = [*numbers([1, 1, 1]), people(5.4, LEFT), people(10.5, LEFT, LEFT), people(30, LEFT)]
    assert series(changes(IMPROVED, looks)) == [
        (0, 1),  # 5 s are no gap yet
        (10.4, None),  # the look at 5.4 holds as long as the one before it did, 5 s at most
        (10.5, 2),
        (10.7, None),  # the look at 10.5 is the only one
        (30, 1),
        (30.2, None),
    ]


def test_asking_in_between_changes_nothing() -> None:
    looks = [*numbers([1, 1, 2]), *[people(9 + at / 5, LEFT) for at in range(4)]]
    expected = changes(IMPROVED, looks)
    counter = OccupancyCounter(ZONES, IMPROVED)
    found: list[Change] = []
    for one in looks:
        found += counter.until(one.at)
        found += counter.feed(one)
        found += counter.until(one.at)
    assert found + counter.until(None) == expected
    assert counter.until(None) == []


def test_a_look_that_comes_again_or_late_changes_nothing() -> None:
    looks = numbers([1, 1, 2, 2, 1, 1])
    assert changes(IMPROVED, [one for look_ in looks for one in (look_, look_, looks[0])]) == changes(IMPROVED, looks)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.2, 0.2, 0.2, 1.0, 9.0])), min_size=1, max_size=40),
    st.sets(st.integers(0, 40)),
    st.integers(1, 4),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_cut_anywhere_it_is_the_same_and_times_go_up(
    steps: list[tuple[int, float]], cuts: set[int], looks: int, matched: bool
) -> None:
    options = MATCH if matched else ImprovedOptions(anchor="centre", occupancy_looks=looks)
    times = np.cumsum([step for _, step in steps])
    stream = [
        people(float(at), *[LEFT] * value, segment=str(number // 7))
        for number, (at, (value, _)) in enumerate(zip(times, steps, strict=True))
    ]
    cut, found = OccupancyCounter(ZONES, options), []
    for at, one in enumerate(stream):
        if at in cuts:
            cut = OccupancyCounter(ZONES, options, state=json.loads(json.dumps(cut.state())))
        found += cut.feed(one)
    rows = found + cut.until(None)
    assert rows == changes(options, stream)
    for zone in ("left", "right", "*"):
        at = [since for since, _ in series(rows, zone)]
        assert at == sorted(set(at))
