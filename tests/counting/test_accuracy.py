"""The accuracy protocol: pairs, confusions, GEH and WAPE, by examples worked out by hand and by its laws."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.counting.accuracy import Accuracy, Passage, compare, geh, read_passages


def cross(at_s: float, direction: str = "forward", zone: str = "a") -> Passage:
    return Passage(at_s, "cross", zone, direction)


def test_a_perfect_count() -> None:
    hand = [cross(1), cross(5, "backward"), Passage(7, "enter", "z")]
    found = compare(hand, list(reversed(hand)), seconds=3600)
    assert (found.precision, found.recall, found.overall_geh, found.wape, found.late_s) == (1, 1, 0, 0, 0)
    assert not found.missed
    assert not found.extra


def test_what_is_missed_and_what_is_extra() -> None:
    found = compare([cross(1), cross(10), cross(20)], [cross(1.4), cross(12)], seconds=60)
    assert [one.at_s for one in found.missed] == [10, 20]
    assert [one.at_s for one in found.extra] == [12]
    assert (found.precision, found.recall, found.f1) == (1 / 2, 1 / 3, 2 / 5)
    assert found.late_s == pytest.approx(0.4)
    assert found.wape == pytest.approx(1 / 3)


def test_a_second_apart_still_counts_and_more_does_not() -> None:
    assert compare([cross(1)], [cross(2)], seconds=60).recall == 1
    assert compare([cross(1)], [cross(2.01)], seconds=60).recall == 0


def test_what_the_person_was_not_sure_of_counts_neither_way() -> None:
    unsure = [Passage(at_s, "cross", "a", "forward", doubtful=True) for at_s in (20, 59.8)]
    found = compare([cross(1), *unsure], [cross(1.2), cross(19.5), cross(40)], seconds=60)
    assert (found.hand, found.ours, found.right) == (1, 2, 1)
    assert found.extra == (cross(40),)
    assert not found.missed
    assert found.geh == {("cross", "a", "forward"): geh(2, 1, 60)}
    # A sure one is paired first, however near a doubtful one lies.
    assert (
        compare([cross(1), Passage(1.9, "cross", "a", "forward", doubtful=True)], [cross(1.9)], seconds=60).recall == 1
    )


def test_another_line_is_another_event() -> None:
    found = compare([cross(1, zone="a")], [cross(1, zone="b")], seconds=60)
    assert (len(found.missed), len(found.extra)) == (1, 1)


def test_the_wrong_way_is_a_confusion() -> None:
    found = compare([cross(1), cross(30)], [cross(1.2, "backward"), cross(30)], seconds=60)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert found.directions() == {("forward", "backward"): 1, ("forward", "forward"): 1}
    assert not found.missed


def test_of_two_ways_to_pair_the_one_with_more_pairs_is_taken() -> None:
    # The nearest first would pair 1.0 with 1.4 and leave 1.8 and 0.2 alone.
    found = compare([cross(1.0), cross(1.8)], [cross(0.2), cross(1.4)], seconds=60)
    assert [(pair.hand.at_s, pair.ours.at_s) for pair in found.pairs] == [(1.0, 0.2), (1.8, 1.4)]


def test_of_two_near_ones_the_same_way_is_taken() -> None:
    found = compare([cross(1)], [cross(1.1, "backward"), cross(1.9)], seconds=60)
    assert found.right == 1


def test_geh_of_the_textbook() -> None:
    # Flows an hour of 1000 and 1100: sqrt(2 * 100^2 / 2100).
    assert geh(1000, 1100, 3600) == pytest.approx(3.0861, abs=1e-4)
    assert geh(250, 275, 900) == pytest.approx(3.0861, abs=1e-4)
    assert geh(0, 0, 3600) == 0
    assert geh(0, 8, 3600) == 4


def test_wape_is_over_intervals() -> None:
    # One too few in the first quarter of an hour and one too many in the second do not cancel out.
    hand, ours = [cross(10), cross(20), cross(1000)], [cross(10), cross(1000), cross(1100)]
    assert compare(hand, ours, seconds=1800).wape == pytest.approx(2 / 3)


def test_nothing_at_all() -> None:
    found = compare([], [], seconds=60)
    assert (found.precision, found.recall, found.f1, found.wape, found.overall_geh) == (None, None, None, None, 0)


PASSAGES = st.lists(
    st.builds(
        Passage,
        st.integers(0, 40).map(lambda tenth: tenth / 4),
        st.just("cross"),
        st.sampled_from("ab"),
        st.sampled_from(["forward", "backward"]),
    ),
    max_size=5,
)


def most_pairs(hand: list[Passage], ours: list[Passage]) -> int:
    """How many can be paired at the most, by trying every way."""
    if len(hand) > len(ours):
        hand, ours = ours, hand
    fits = ([a.zone == b.zone and abs(a.at_s - b.at_s) <= 1 for a, b in zip(hand, some, strict=True)]
            for some in itertools.permutations(ours, len(hand)))  # fmt: skip
    return max(map(sum, fits), default=0)


@settings(max_examples=50)
@given(PASSAGES, PASSAGES)
def test_each_event_stands_once_and_no_pair_more_was_possible(hand: list[Passage], ours: list[Passage]) -> None:
    found: Accuracy = compare(hand, ours, seconds=60)
    assert sorted([*(pair.hand for pair in found.pairs), *found.missed]) == sorted(hand)
    assert sorted([*(pair.ours for pair in found.pairs), *found.extra]) == sorted(ours)
    assert all(abs(pair.late_s) <= 1 for pair in found.pairs)
    assert len(found.pairs) == most_pairs(hand, ours)


def test_a_hand_count_is_read() -> None:
    text = "\ufefftime,kind,zone,direction,doubtful\n12.5,cross,North, forward,no\n3,enter,Table,,yes\n"
    assert read_passages(text) == [
        Passage(3, "enter", "Table", doubtful=True),
        Passage(12.5, "cross", "North", "forward"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,kind\n1,cross\n", "no column zone"),
        ("time,kind,zone\nsoon,cross,a\n", "line 2: 'soon' is no time"),
        ("time,kind,zone\n1,cross,a\n-1,cross,a\n", "line 3: a time is not -1"),
        ("time,kind,zone\nnan,cross,a\n", "line 2: a time is not nan"),
        ("time,kind,zone\n1,fly,a\n", "kind 'fly' is none of"),
        ("time,kind,zone\n1,exit,\n", "no zone or line"),
        ("time,kind,zone,doubtful\n1,exit,a,perhaps\n", "line 2: doubtful is yes or no, not 'perhaps'"),
        ("", "no column"),
    ],
)
def test_a_bad_hand_count_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_passages(text)
