import json

import numpy as np
import pytest
from tests.counting.looks import look, values, walk
from tests.counting.paths import PATHS, RIGHT

from wayside.counting.match import MatchCounter
from wayside.counting.options import MatchOptions
from wayside.counting.zones import ZoneSet


@pytest.mark.parametrize("name", PATHS)
def test_counts_like_the_replaced_system(name: str) -> None:
    looks, matched, zones = PATHS[name]
    assert values(MatchCounter(zones), looks) == matched


def test_an_event_tells_when_and_how_many_and_nothing_else() -> None:
    counter = MatchCounter(RIGHT)
    events = [event for one in walk([0.5, 0.55, 0.62], segment="ab") for event in counter.feed(one)]
    (event,) = events
    assert (event.kind, event.value, event.segment) == ("finish", 1, "ab")
    assert event.happened_at == look(2).at
    assert {event.zone, event.direction, event.label, event.track, event.dwell_s, event.origin, event.x} == {None}


def test_every_second_of_those_who_finish_in_one_look_is_late() -> None:
    rows = [0.1, 0.3, 0.5, 0.7, 0.9]
    looks = [look(at, [(0.42 + 0.07 * at, y) for y in rows]) for at in range(6)]
    assert values(MatchCounter(RIGHT), looks) == [0, 0, 0, 3, 1, 1]


@pytest.mark.parametrize(("second", "counted"), [(0.5499, 1), (0.55, 0), (0.56, 0)])
def test_a_distance_of_a_tenth_is_too_far(second: float, counted: int) -> None:
    assert sum(values(MatchCounter(RIGHT), walk([0.45, second, 0.64]))) == counted


def test_distance_is_measured_in_fractions_whatever_the_shape_of_the_picture() -> None:
    assert sum(values(MatchCounter(RIGHT), [look(at, [(0.52 + 0.06 * at, 0.2 + 0.08 * at)]) for at in range(4)])) == 0
    assert sum(values(MatchCounter(RIGHT), [look(at, [(0.52 + 0.06 * at, 0.2 + 0.07 * at)]) for at in range(4)])) == 1


@pytest.mark.parametrize(("gap", "counted"), [(5.0, 1), (5.000001, 0)])
def test_a_track_is_forgotten_when_others_are_seen_more_than_five_seconds_after_it(gap: float, counted: int) -> None:
    looks = [look(0, [(0.5, 0.5)]), look(1, [(0.55, 0.5)]), look(1 + gap, [(0.1, 0.1)]), look(8, [(0.62, 0.5)])]
    assert sum(values(MatchCounter(RIGHT), looks)) == counted


def test_ten_points_are_kept() -> None:
    counter = MatchCounter(RIGHT)
    values(counter, walk([0.1 + 0.01 * at for at in range(15)]))
    (track,) = counter.state()["tracks"]
    assert [point[0] for point in track[0]] == pytest.approx([0.1 + 0.01 * at for at in range(5, 15)])


def test_tracks_take_the_nearest_object_in_their_own_order() -> None:
    """The first track takes the object that is nearer to the second one, which is left with nothing."""
    looks = [look(0, [(0.50, 0.5), (0.58, 0.5)]), look(1, [(0.56, 0.5)]), look(2, [(0.62, 0.5)])]
    assert values(MatchCounter(RIGHT), looks) == [0, 0, 1]


def test_classes_are_not_looked_at() -> None:
    looks = [
        look(at, [(x, 0.5)], label=label) for at, (x, label) in enumerate(zip([0.5, 0.55, 0.62], "abc", strict=True))
    ]
    assert values(MatchCounter(RIGHT), looks) == [0, 0, 1]


def test_what_the_detector_would_not_have_returned_is_not_there() -> None:
    looks = walk([0.5, 0.55, 0.62], score=0.4)
    assert values(MatchCounter(RIGHT), looks) == [0, 0, 0]
    assert values(MatchCounter(RIGHT, MatchOptions(score=0.4)), looks) == [0, 0, 1]


def test_the_state_is_json_and_exact() -> None:
    """A half-way state, through text, at every look, changes nothing; not the last bit of a coordinate."""
    generator = np.random.default_rng(3)
    looks = [look(at / 3, [tuple(xy) for xy in generator.random((generator.integers(0, 6), 2))]) for at in range(60)]
    whole, cut = MatchCounter(RIGHT), MatchCounter(RIGHT)
    for one in looks:
        cut = MatchCounter(RIGHT, state=json.loads(json.dumps(cut.state())))
        assert cut.feed(one) == whole.feed(one)
        assert cut.state() == whole.state()


def test_no_zones_count_nobody_even_from_the_left() -> None:
    assert sum(values(MatchCounter(ZoneSet()), walk([0.05 * at for at in range(20)]))) == 0
