"""What our own way of counting makes of made-up scenes, among them each complaint that counters are known for."""

import json
from typing import Any

import numpy as np
import pytest
from tests.counting.looks import START, fed, look, walk
from tests.counting.paths import PATHS, RIGHT

from wayside.core.errors import ConfigError
from wayside.counting.events import Look, TrackRow, ZoneEvent
from wayside.counting.improved import ImprovedCounter
from wayside.counting.options import ImprovedOptions, MatchOptions, parse_count_options
from wayside.counting.zones import ZoneSet

ASPECT = 16 / 9
# Seen from its start at the top, who goes to the right goes to its left.
GATE = ZoneSet.parse("[]", [{"name": "gate", "from": [0.5, 0.2], "to": [0.5, 0.8]}])
MIDDLE = ZoneSet.parse([{"name": "middle", "polygon": [[0.4, 0.2], [0.7, 0.2], [0.7, 0.8], [0.4, 0.8]]}])


def counted(zones: ZoneSet, looks: list[Look], aspect: float = ASPECT, **options: Any) -> list[ZoneEvent]:
    counter = ImprovedCounter(zones, ImprovedOptions(anchor="centre", **options), aspect)
    return [event for events in fed(counter, looks) for event in events] + counter.until(None)


def told(events: list[ZoneEvent]) -> list[str]:
    return [" ".join(filter(None, (event.kind, event.zone, event.direction))) for event in events]


def seconds(event: ZoneEvent) -> float:
    return (event.happened_at - START).total_seconds()


def there_and_back(start: float, end: float, step: float = 0.02) -> list[float]:
    out = list(np.arange(start, end, step if end > start else -step))
    return out + out[::-1]


# The paths on which the replaced system was measured: at which look it counts an entry, and why.
EXPECTED: dict[str, tuple[list[int], str]] = {
    "T1 walk in": ([4], "it is first inside at look 4"),
    "T2 large steps from rest": ([4], "three widths in a second are within reach"),
    "G2 large steps after a small one": ([4], "as above"),
    "T4 one look outside": ([1], "one look far outside is enough to have come from there"),
    "T8 two in one look": ([3, 3], "both are counted, at the same time"),
    "T9 starts inside": ([], "it did not come in"),
    "T10 on the edge": ([], "the edge is outside"),
    "T11 gone for 20 s": ([], "after 20 s it is somebody else, who starts inside"),
    "G3 gone for 20 s, others are seen": ([], "as above"),
    "T12 in, out and in again": ([3], "it went 0.05 outside, not 0.1: it never left for good"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_paths_of_the_replaced_system(name: str) -> None:
    path, (expected, why) = PATHS[name], EXPECTED[name]
    events = counted(path.zones, path.looks, aspect=1.0)
    assert [(event.kind, seconds(event)) for event in events] == [("enter", at) for at in expected], why


def test_of_all_paths_only_the_one_without_zones_is_missing_and_it_is_refused() -> None:
    assert PATHS.keys() - EXPECTED.keys() == {"T5 no zones"}
    with pytest.raises(ConfigError, match="no zone and no line"):
        ImprovedCounter(PATHS["T5 no zones"].zones, ImprovedOptions(), 1.0)


def test_in_out_and_in_again_counts_where_the_way_out_is_long_enough() -> None:
    events = counted(RIGHT, PATHS["T12 in, out and in again"].looks, aspect=1.0, rearm=0.04)
    assert [(event.kind, seconds(event)) for event in events] == [("enter", 3), ("exit", 6), ("enter", 9)]


def test_an_event_tells_who_when_and_where() -> None:
    looks = walk(list(np.arange(0.2, 0.9, 0.02)), fps=5, label="car", segment="ab")
    enter, leave = counted(MIDDLE, looks)
    assert (enter.kind, enter.zone, enter.label, enter.track, enter.value) == ("enter", "middle", "car", 0, 1)
    assert (enter.origin, enter.dwell_s, enter.direction, enter.segment) == (None, None, None, "ab")
    assert (enter.x, enter.y) == (pytest.approx(0.42), pytest.approx(0.5))  # 0.40 is on the edge, so outside
    assert seconds(enter) == pytest.approx(11 / 5)
    assert (leave.kind, leave.origin) == ("exit", None)
    assert leave.dwell_s == pytest.approx(14 / 5)


def test_the_time_of_an_event_is_that_of_the_first_look_on_the_new_side() -> None:
    counter = ImprovedCounter(MIDDLE, ImprovedOptions(anchor="centre", settle_looks=4), ASPECT)
    rows = list(fed(counter, walk(list(np.arange(0.2, 0.6, 0.02)), fps=5)))
    (at,) = [at for at, events in enumerate(rows) if events]
    assert at == 14
    assert seconds(rows[at][0]) == pytest.approx(11 / 5)


def test_the_class_is_what_most_of_the_track_says() -> None:
    looks = []
    for at, x in enumerate(np.arange(0.2, 0.7, 0.02)):
        truck = at % 3 == 0
        looks.append(look(at / 5, [(x, 0.5)], label="truck" if truck else "car", score=0.9 if truck else 0.5))
    (event,) = counted(GATE, looks)
    assert event.label == "car"  # 0.9 of every third look is less than 0.5 of two


def test_from_where_to_where() -> None:
    two = [
        {"name": name, "polygon": [[x, 0.2], [x + 0.2, 0.2], [x + 0.2, 0.8], [x, 0.8]]}
        for name, x in (("west", 0.1), ("east", 0.6))
    ]
    events = counted(ZoneSet.parse(two), walk([*np.arange(0.02, 0.95, 0.02), *np.arange(0.95, 0.02, -0.02)], fps=5))
    assert [(event.kind, event.zone, event.origin) for event in events] == [
        ("enter", "west", None),
        ("exit", "west", None),
        ("enter", "east", "west"),
        ("exit", "east", None),
        ("enter", "east", "east"),
        ("exit", "east", None),
        ("enter", "west", "east"),
        ("exit", "west", None),
    ]


# Lines: directions, ends, U-turns.


@pytest.mark.parametrize(
    ("line", "first", "last", "direction"),
    [
        (([0.5, 0.9], [0.5, 0.1]), (0.2, 0.5), (0.8, 0.5), "forward"),  # up, from left to right
        (([0.5, 0.9], [0.5, 0.1]), (0.8, 0.5), (0.2, 0.5), "backward"),
        (([0.5, 0.1], [0.5, 0.9]), (0.2, 0.5), (0.8, 0.5), "backward"),  # down
        (([0.1, 0.5], [0.9, 0.5]), (0.5, 0.2), (0.5, 0.8), "forward"),  # to the right, from above
        (([0.1, 0.5], [0.9, 0.5]), (0.5, 0.8), (0.5, 0.2), "backward"),
        (([0.2, 0.8], [0.8, 0.2]), (0.2, 0.2), (0.8, 0.8), "forward"),  # aslant
    ],
)
def test_forward_is_from_the_left_to_the_right_of_who_looks_along_the_line(
    line: tuple[list[float], list[float]], first: tuple[float, float], last: tuple[float, float], direction: str
) -> None:
    zones = ZoneSet.parse("[]", [{"name": "line", "from": line[0], "to": line[1]}])
    way = np.linspace(first, last, 25)
    assert told(counted(zones, [look(at / 5, [tuple(place)]) for at, place in enumerate(way)])) == [
        f"cross line {direction}"
    ]


def test_a_line_ends_where_it_ends() -> None:
    """Around its end nobody crosses it; who then comes back through it has."""
    around = [(x, 0.1) for x in np.arange(0.3, 0.7, 0.02)]
    down = [(0.7, y) for y in np.arange(0.1, 0.5, 0.03)]
    back = [(x, 0.5) for x in np.arange(0.7, 0.3, -0.02)]
    looks = [look(at / 5, [(float(x), float(y))]) for at, (x, y) in enumerate([*around, *down, *back])]
    assert told(counted(GATE, looks[:30])) == []
    assert told(counted(GATE, looks)) == ["cross gate forward"]


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (0.495, []),
        (0.512, []),  # not far enough on the other side
        (0.56, ["backward", "forward"]),
        (0.75, ["backward", "forward"]),
    ],
)
def test_a_turn_counts_once_each_way_or_not_at_all(turn: float, expected: list[str]) -> None:
    events = counted(GATE, walk(there_and_back(0.2, turn, 0.015), fps=5), settle_depth=0.02)
    assert [event.direction for event in events] == expected


def test_a_thousand_turns_of_one_who_waits_at_a_line_count_once() -> None:
    generator = np.random.default_rng(1)
    waits = 0.51 + 0.02 * np.sin(np.arange(300) / 3) + generator.normal(0, 0.004, 300)
    events = counted(GATE, walk([*np.arange(0.2, 0.5, 0.02), *waits, *np.arange(0.5, 0.9, 0.02)], fps=5))
    assert [event.direction for event in events] == ["backward"]


# Complaints about other counters, one test each.


def test_queued_cars_that_change_their_numbers_on_the_line_count_nothing() -> None:
    """Four hours' worth of lost and found cars that stand on a line made 400 counts elsewhere."""
    generator = np.random.default_rng(2)
    looks = []
    for at in range(1200):
        cars = [(0.3 + 0.1 * place, 0.5, 0.08) for place in range(5)]
        # Each is hidden for three seconds out of eight, long enough to come back under another number.
        seen = [
            (x - w / 2 + dx, y - 0.05 + dy, x + w / 2 + dx, y + 0.05 + dy)
            for place, (x, y, w) in enumerate(cars)
            if (at // 5 + place) % 8 > 2
            for dx, dy in [generator.normal(0, 0.004, 2)]
        ]
        looks.append(look(at / 5, seen, label="car"))
    counter = ImprovedCounter(GATE, ImprovedOptions(anchor="centre"), ASPECT)
    assert [event for events in fed(counter, looks) for event in events] == []
    assert len(counter.tracks()) > 100  # they did change numbers


def test_one_look_on_the_wrong_side_is_no_crossing_in_the_opposite_direction() -> None:
    path = [*np.arange(0.3, 0.62, 0.02)]
    path[13] = 0.46
    assert [event.direction for event in counted(GATE, walk(path, fps=5))] == ["backward"]
    waits = [*np.arange(0.3, 0.46, 0.02), *[0.46] * 5, 0.54, *[0.46] * 5, 0.54, *[0.46] * 5]
    assert counted(GATE, walk(waits, fps=5)) == []


def test_boxes_without_a_number_count_nothing() -> None:
    """Elsewhere all boxes of number -1 were one track, which crossed the line all the time."""
    generator = np.random.default_rng(3)
    looks = [look(at / 5, [(float(x), float(y))]) for at, (x, y) in enumerate(generator.random((300, 2)))]
    assert counted(GATE, looks, reach=0.0) == []
    short = [look(at, [(0.45, 0.5)] if at % 3 else [(0.55, 0.5)]) for at in range(60)]
    assert counted(GATE, short, confirm_boxes=20) == []


@pytest.mark.parametrize("fps", [5, 10])
@pytest.mark.parametrize("at", [0.013, 0.987])
def test_a_line_ten_pixels_from_the_edge_counts_both_ways(at: float, fps: int) -> None:
    """Boxes are cut off at the edge, so centres hardly reach such a line and never go far beyond."""
    zones = ZoneSet.parse("[]", [{"name": "edge", "from": [at, 0.1], "to": [at, 0.9]}])
    to_right = walk_cut(np.arange(-0.1, 1.1, 0.3 / fps), fps)
    assert told(counted(zones, to_right)) == ["cross edge backward"]
    assert told(counted(zones, walk_cut(np.arange(1.1, -0.1, -0.3 / fps), fps))) == ["cross edge forward"]


def test_a_line_at_the_lower_edge_counts_feet_that_leave_there() -> None:
    zones = ZoneSet.parse("[]", [{"name": "edge", "from": [0.1, 0.98], "to": [0.9, 0.98]}])
    looks = [
        look(at / 5, [(0.5, max(0.0, y - 0.3), 0.6, min(1.0, y))]) for at, y in enumerate(np.arange(0.5, 1.25, 0.02))
    ]
    counter = ImprovedCounter(zones, ImprovedOptions(), ASPECT)
    assert told([event for events in fed(counter, looks) for event in events] + counter.until(None)) == [
        "cross edge forward"
    ]


def test_a_box_that_begins_close_before_a_line_at_the_edge_crosses_it() -> None:
    zones = ZoneSet.parse("[]", [{"name": "edge", "from": [0.02, 0.1], "to": [0.02, 0.9]}])
    looks = [look(at / 5, [(max(0.0, x - 0.1), 0.4, x, 0.6)]) for at, x in enumerate(np.arange(0.036, 0.3, 0.02))]
    assert told(counted(zones, looks)) == ["cross edge backward"]


@pytest.mark.parametrize("wide", [0.3, 0.5])
def test_one_who_is_inside_as_soon_as_he_is_seen_at_the_edge_has_entered(wide: float) -> None:
    """Whoever comes into the picture was outside of every zone before, whether it begins at the edge or further in."""
    zones = ZoneSet.parse([{"name": "left", "polygon": [[0.05, 0.2], [wide, 0.2], [wide, 0.8], [0.05, 0.8]]}])
    looks = [look(at / 5, [(max(0.0, x - 0.12), 0.4, x, 0.6)]) for at, x in enumerate(np.arange(0.12, 0.8, 0.06))]
    events = counted(zones, looks)
    assert [(event.kind, event.origin) for event in events] == [("enter", None), ("exit", None)]
    assert seconds(events[0]) == 0
    assert events[1].dwell_s == seconds(events[1])


def test_one_who_is_first_seen_inside_and_far_from_the_edge_has_not_entered() -> None:
    zones = ZoneSet.parse([{"name": "left", "polygon": [[0, 0.2], [0.3, 0.2], [0.3, 0.8], [0, 0.8]]}])
    assert told(counted(zones, walk(list(np.arange(0.1, 0.8, 0.03)), fps=5))) == ["exit left"]


def test_a_zone_that_is_narrower_than_one_has_to_go_into_it_counts_too() -> None:
    narrow = ZoneSet.parse([{"name": "strip", "polygon": [[0.5, 0.2], [0.512, 0.2], [0.512, 0.8], [0.5, 0.8]]}])
    slow = walk(list(np.arange(0.4, 0.65, 0.004)), fps=10)
    assert told(counted(narrow, slow)) == ["enter strip", "exit strip"]


def walk_cut(xs: np.ndarray, fps: float, width: float = 0.12) -> list[Look]:
    """One object whose box is cut off at the edges of the picture, and too narrow a box is not found."""
    looks = []
    for at, x in enumerate(xs):
        left, right = max(0.0, x - width / 2), min(1.0, x + width / 2)
        looks.append(look(at / fps, [(left, 0.4, right, 0.6)] if right - left > width / 4 else []))
    return looks


def test_one_who_stands_at_the_edge_and_is_lost_and_found_does_not_come_and_go() -> None:
    zones = ZoneSet.parse(
        [{"name": "left", "polygon": [[0, 0.2], [0.3, 0.2], [0.3, 0.8], [0, 0.8]]}],
        [{"name": "edge", "from": [0.02, 0.1], "to": [0.02, 0.9]}],
    )
    generator = np.random.default_rng(4)
    looks = [
        look(at / 5, [(0.0, 0.4, 0.1 + wide, 0.6)] if at // 15 % 2 else [])
        for at, wide in enumerate(generator.normal(0, 0.006, 300))
    ]
    assert counted(zones, looks) == []


def test_trembling_on_a_line_counts_nothing() -> None:
    generator = np.random.default_rng(5)
    assert counted(GATE, walk(list(0.5 + generator.normal(0, 0.004, 500)), fps=5)) == []


def test_who_has_not_moved_does_not_count_even_if_the_box_jumps() -> None:
    jumps = [0.49, 0.49, 0.49, 0.51, 0.51, 0.51] * 20
    assert counted(GATE, walk(jumps, fps=5), settle_depth=0.005) == []
    assert counted(GATE, walk(jumps, fps=5), settle_depth=0.005, travel=0.0) != []


def test_a_number_that_changes_on_the_way_loses_no_crossing_and_makes_none() -> None:
    path = list(np.arange(0.1, 0.9, 0.02))
    hidden: list[float | None] = [None if 12 <= at <= 15 else x for at, x in enumerate(path)]
    for lost_s in (0.4, 2.0):
        assert len(counted(GATE, walk(hidden, fps=5), lost_s=lost_s)) == 1


# Beginnings and ends.


def test_who_begins_inside_did_not_enter_but_leaves() -> None:
    (event,) = counted(MIDDLE, walk(list(np.arange(0.5, 0.9, 0.02)), fps=5))
    assert (event.kind, event.dwell_s) == ("exit", None)


def test_who_is_lost_inside_has_not_left() -> None:
    assert told(counted(MIDDLE, walk(list(np.arange(0.2, 0.6, 0.02)), fps=5))) == ["enter middle"]


def test_who_leaves_the_picture_leaves_the_zone_when_last_seen() -> None:
    enter, leave = counted(RIGHT, walk_cut(np.arange(0.3, 1.1, 0.04), 5))
    assert (enter.kind, leave.kind) == ("enter", "exit")
    assert leave.dwell_s == pytest.approx(seconds(leave) - seconds(enter))
    assert seconds(leave) == pytest.approx(18 / 5, abs=0.21)


def test_who_leaves_a_narrow_zone_and_is_lost_at_once_has_left() -> None:
    """Not yet so far away from where it entered that it could count again; but no more is to come."""
    narrow = ZoneSet.parse([{"name": "strip", "polygon": [[0.47, 0.2], [0.52, 0.2], [0.52, 0.8], [0.47, 0.8]]}])
    assert told(counted(narrow, walk(list(np.arange(0.3, 0.56, 0.012)), fps=5))) == ["enter strip", "exit strip"]


def test_zones_that_overlap_count_each_for_itself() -> None:
    two = ZoneSet((*MIDDLE.zones, *RIGHT.zones))
    events = counted(two, walk(list(np.arange(0.2, 0.95, 0.02)), fps=5))
    assert told(events) == ["enter middle", "enter right", "exit middle"]
    assert [event.origin for event in events] == [None, "middle", None]


def test_the_anchor_is_where_feet_and_wheels_are() -> None:
    low = ZoneSet.parse([{"name": "low", "polygon": [[0, 0.7], [1, 0.7], [1, 0.9], [0, 0.9]]}])
    looks = [look(at / 5, [(0.2 + at / 50, y)], size=(0.06, 0.3)) for at, y in enumerate(np.arange(0.4, 0.65, 0.01))]
    assert [event.kind for event in counted(low, looks)] == []
    counter = ImprovedCounter(low, ImprovedOptions(), ASPECT)
    assert [event.kind for events in fed(counter, looks) for event in events] == ["enter"]


def test_classes_that_are_not_wanted_do_not_count() -> None:
    looks = walk(list(np.arange(0.2, 0.9, 0.02)), fps=5, label="car")
    assert counted(GATE, looks, classes=("person",)) == []
    assert len(counted(GATE, looks, classes=("car", "person"))) == 1


def test_a_look_that_comes_again_or_late_changes_nothing() -> None:
    looks = walk(list(np.arange(0.2, 0.9, 0.02)), fps=5)
    doubled = [one for at, now in enumerate(looks) for one in (now, now, looks[max(0, at - 3)])]
    assert counted(GATE, doubled) == counted(GATE, looks)


# Tracks.


def rows_of(looks: list[Look]) -> list[TrackRow]:
    counter = ImprovedCounter(GATE, ImprovedOptions(anchor="centre"), ASPECT)
    assert all(not events for events in fed(counter, looks))
    counter.until(None)
    return counter.tracks()


def test_a_track_is_told_when_it_has_ended() -> None:
    looks = walk([0.1 + at / 1000 for at in range(300)], fps=10, label="car", score=0.5)
    (row,) = rows_of(looks)
    assert (row.track, row.label, row.boxes, row.score) == (0, "car", 300, pytest.approx(0.5))
    assert (row.start_at, row.end_at) == (looks[0].at, looks[-1].at)
    assert 32 <= len(row.path) <= 65
    assert row.path[0] == (0.0, 0.1, 0.5)
    assert row.path[-1] == (29.9, 0.399, 0.5)
    assert all(x == pytest.approx(0.1 + at / 100, abs=1e-4) for at, x, _ in row.path)


def test_rows_are_handed_over_once_and_wait_in_the_state_until_then() -> None:
    counter = ImprovedCounter(GATE, ImprovedOptions(), ASPECT)
    list(fed(counter, [*walk([0.1, 0.11, 0.12, 0.13], fps=5), look(9)]))
    again = ImprovedCounter(GATE, ImprovedOptions(), ASPECT, state=json.loads(json.dumps(counter.state())))
    assert len(again.tracks()) == len(counter.tracks()) == 1
    assert counter.tracks() == []


def test_too_few_boxes_are_no_track() -> None:
    assert rows_of([*walk([0.1, 0.11], fps=5), look(9)]) == []


# Options.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"mode": "improved", "score": 2}', "score"),
        ('{"speed": 1}', "speed"),
        ('{"mode": "match", "classes": ["car"]}', "classes"),
        ('{"mode": "other"}', "mode"),
        ('{"settle_looks": 0}', "settle_looks"),
        ("[]", "options"),
        ("{", "options"),
    ],
)
def test_options_that_are_wrong_are_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_count_options(text)


def test_options_say_which_mode_they_are_of() -> None:
    assert parse_count_options("{}") == ImprovedOptions()
    assert parse_count_options({"mode": "match"}) == MatchOptions()
    assert parse_count_options('{"classes": ["car", "bus", "car"]}') == ImprovedOptions(classes=("bus", "car"))
    options = ImprovedOptions(score=0.3, low_score=0.1, travel=0.07)
    assert parse_count_options(options.model_dump_json()) == options


def test_a_track_that_begins_with_a_low_score_goes_on_with_it() -> None:
    assert ImprovedOptions(score=0.2).low_score == 0.2
    assert ImprovedOptions(score=0.2, low_score=0.25).low_score == 0.2
    assert ImprovedOptions(score=0.9).low_score == 0.3
