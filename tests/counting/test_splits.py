"""A stream of looks may be cut anywhere, and each piece be counted by another process from a state in a file."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counting.looks import street

from wayside.counting.events import Look
from wayside.counting.improved import ImprovedCounter
from wayside.counting.match import MatchCounter
from wayside.counting.options import ImprovedOptions, MatchOptions
from wayside.counting.zones import ZoneSet

SHAPES = ZoneSet.parse(
    [
        {"name": "middle", "polygon": [[0.3, 0.2], [0.7, 0.2], [0.7, 0.8], [0.3, 0.8]]},
        {"name": "right", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]},
    ],
    [{"name": "gate", "from": [0.5, 0], "to": [0.5, 1]}, {"name": "edge", "from": [0, 0.97], "to": [1, 0.97]}],
)
Counter = ImprovedCounter | MatchCounter


def counter(mode: str, state: dict[str, Any] | None = None) -> Counter:
    if mode == "match":
        return MatchCounter(SHAPES, MatchOptions(score=0.2), state=state)
    return ImprovedCounter(SHAPES, ImprovedOptions(rearm=0.05), 1.5, state=state)


def everything(mode: str, looks: list[Look], cuts: set[int], take_tracks: bool) -> tuple[list[Any], list[Any], Any]:
    events, tracks = [], []
    now = counter(mode)
    for at, one in enumerate(looks):
        if at in cuts:
            if take_tracks:
                tracks += now.tracks()
            now = counter(mode, json.loads(json.dumps(now.state())))
        events += now.feed(one)
    state = json.dumps(now.state())
    events += now.until(None)
    return events, tracks + now.tracks(), state if not take_tracks else None


@pytest.mark.parametrize("mode", ["improved", "match"])
@given(seed=st.integers(0, 10_000), cuts=st.sets(st.integers(0, 59), max_size=10), take_tracks=st.booleans())
@settings(max_examples=15, deadline=None)
def test_cut_anywhere_events_tracks_and_state_are_the_same(
    mode: str, seed: int, cuts: set[int], take_tracks: bool
) -> None:
    looks = street(seed)
    assert everything(mode, looks, cuts, take_tracks) == everything(mode, looks, set(), take_tracks)


@pytest.mark.parametrize("mode", ["improved", "match"])
def test_who_goes_on_from_a_state_leaves_it_as_it_is(mode: str) -> None:
    looks, first, tracks = street(3), counter(mode), 0
    for at, look in enumerate(looks):
        first.feed(look)
        state = json.loads(json.dumps(first.state()))
        before = json.dumps(state)
        now = counter(mode, state)
        for other in looks[at + 1 : at + 6]:
            now.feed(other)
        assert json.dumps(state) == before
        tracks += len(state["tracks"])
    assert tracks > 20


def test_the_streets_are_worth_cutting() -> None:
    """Else the test above would show nothing."""
    kinds = {mode: {} for mode in ("improved", "match")}
    for seed in range(20):
        looks = street(seed)
        for mode, found in kinds.items():
            for event in everything(mode, looks, set(), False)[0]:
                found[event.kind] = found.get(event.kind, 0) + 1
    assert min(kinds["improved"][kind] for kind in ("enter", "exit", "cross")) > 5
    assert kinds["match"]["finish"] > 3


@given(seed=st.integers(0, 10_000), asked=st.sets(st.integers(1, 59), max_size=10), share=st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_saying_that_nobody_looked_changes_only_when_events_come(seed: int, asked: set[int], share: float) -> None:
    looks = street(seed)
    now, events = counter("improved"), []
    for at, one in enumerate(looks):
        if at in asked:
            before = looks[at - 1].at
            passed = int((one.at - before) / timedelta(microseconds=1) * share)
            events += now.until(before + timedelta(microseconds=passed))
        events += now.feed(one)
    events += now.until(None)
    expected, rows, _ = everything("improved", looks, set(), True)
    assert sorted(events, key=str) == sorted(expected, key=str)
    assert now.tracks() == rows


def test_every_track_that_is_told_of_in_an_event_has_a_row() -> None:
    for seed in range(8):
        events, rows, _ = everything("improved", street(seed), set(), True)
        assert {event.track for event in events} <= {row.track for row in rows}
        assert len({row.track for row in rows}) == len(rows)
