"""Motion on clips whose truth is known: when, where to, what colour; and that noise and light move nothing."""

import os
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.media.clips import COLOURS, T0, Move, make_clip

from wayside.media.colours import NAMES, dominant, tally
from wayside.media.frames import Frame, Whole, frames
from wayside.media.motion import Motion, MotionOptions, motion_events, spans

VIDEOS = Path(os.environ.get("WAYSIDE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "videos"
EXACT = MotionOptions(pad_s=0)
STEP_US = 200_000


def events(path: Path, options: MotionOptions = EXACT) -> list[Motion]:
    return motion_events(frames(path, fps=options.fps, start_at=T0), options)


def drawn(path: Path, *moves: Move, seconds: float = 8, size: tuple[int, int] = (192, 108), **rest: object) -> Path:
    return make_clip(path, seconds=seconds, fps=5, size=size, moves=moves, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("colour", "begin", "end", "direction"),
    [
        ("red", (0.2, 0.5), (0.8, 0.55), "right"),
        ("white", (0.8, 0.4), (0.2, 0.4), "left"),
        ("blue", (0.5, 0.2), (0.5, 0.8), "down"),
        ("yellow", (0.4, 0.8), (0.45, 0.2), "up"),
        ("black", (0.8, 0.6), (0.2, 0.6), "left"),
        ("green", (0.1, 0.5), (0.9, 0.5), "right"),
    ],
)
def test_when_where_to_and_what_colour(
    tmp_path: Path, colour: str, begin: tuple[float, float], end: tuple[float, float], direction: str
):
    path = drawn(tmp_path / "m.mp4", Move(colour, begin, end, 4.6, 7.0))
    (event,) = events(path)
    assert abs(event.start_us - 4_600_000) <= STEP_US
    assert abs(event.end_us - 7_000_000) <= STEP_US
    assert (event.direction, event.colours[0]) == (direction, colour)
    assert 0.02 < event.score < 0.06
    inside = (event.cover_us, *event.sample_us)
    assert all(event.start_us <= at < event.end_us for at in inside)
    assert len(set(inside)) == 5
    assert list(event.sample_us) == sorted(event.sample_us)


def test_growing_comes_and_shrinking_goes(tmp_path: Path):
    comes = Move("red", (0.5, 0.4), (0.55, 0.6), 4.6, 7.4, size=(0.1, 0.15), grow=4)
    goes = Move("red", (0.55, 0.6), (0.5, 0.4), 4.6, 7.4, size=(0.4, 0.6), grow=0.25)
    assert [event.direction for event in events(drawn(tmp_path / "c.mp4", comes))] == ["approaching"]
    assert [event.direction for event in events(drawn(tmp_path / "g.mp4", goes))] == ["departing"]


def test_what_goes_both_ways_goes_nowhere(tmp_path: Path):
    path = drawn(
        tmp_path / "b.mp4", Move("red", (0.1, 0.3), (0.9, 0.3), 4.6, 7), Move("blue", (0.9, 0.7), (0.1, 0.7), 4.6, 7)
    )
    (event,) = events(path)
    assert event.direction is None
    assert {"red", "blue"} <= set(event.colours)


def test_something_is_in_the_picture_from_the_first_frame_on(tmp_path: Path):
    (event,) = events(drawn(tmp_path / "f.mp4", Move("red", (0.1, 0.5), (0.9, 0.5), 0, 3)))
    assert event.start_us == 0
    assert abs(event.end_us - 3_000_000) <= STEP_US
    assert event.direction == "right"


@pytest.mark.parametrize("rest", [{"noise": 8.0}, {"light": 6.0}, {"light": -8.0, "noise": 5.0}, {"codec": "mpeg4"}])
def test_noise_and_slow_light_move_nothing(tmp_path: Path, rest: dict[str, object]):
    ending = "avi" if "codec" in rest else "mp4"
    assert events(drawn(tmp_path / f"q.{ending}", **rest)) == []  # type: ignore[arg-type]


def test_a_light_that_is_switched_moves_nothing_and_what_comes_after_it_does():
    dark, bright = np.full((108, 192, 3), 60, np.uint8), np.full((108, 192, 3), 60, np.uint8)
    dark[::9], bright[::9] = 90, 30
    bright[:, ::2] += 90
    pictures = [dark] * 30 + [bright] * 40
    pictures = [picture.copy() for picture in pictures]
    for number in range(50, 62):
        pictures[number][40:70, 10 * (number - 48) :][:, :30] = (20, 20, 220)
    (event,) = motion_events((Frame(n, n * STEP_US, one) for n, one in enumerate(pictures)), EXACT)
    assert (event.start_us, event.end_us) == (50 * STEP_US, 62 * STEP_US)
    assert event.colours == ("red",)


def test_who_stands_still_for_a_moment_is_one_event_and_who_stays_is_not_for_ever(tmp_path: Path):
    comes = Move("red", (0.1, 0.5), (0.4, 0.5), 5, 7)
    stands = Move("red", (0.4, 0.5), (0.4, 0.5), 7, 12)
    goes = Move("red", (0.4, 0.5), (0.9, 0.5), 12, 14)
    (event,) = events(drawn(tmp_path / "s.mp4", comes, stands, goes, seconds=16))
    assert abs(event.start_us - 5_000_000) <= STEP_US
    assert abs(event.end_us - 14_000_000) <= STEP_US
    (short,) = events(drawn(tmp_path / "t.mp4", comes, Move("red", (0.4, 0.5), (0.4, 0.5), 7), seconds=16))
    assert abs(short.end_us - 7_000_000) <= 2 * STEP_US


def test_the_empty_place_of_what_drove_off_is_no_motion(tmp_path: Path):
    stands, goes = Move("blue", (0.3, 0.5), (0.3, 0.5), 0, 6), Move("blue", (0.3, 0.5), (0.9, 0.5), 6, 8)
    (event,) = events(drawn(tmp_path / "e.mp4", stands, goes, seconds=14))
    assert abs(event.start_us - 6_000_000) <= STEP_US
    assert abs(event.end_us - 8_000_000) <= 2 * STEP_US


def test_small_and_short_things_are_left_out(tmp_path: Path):
    tiny = Move("red", (0.1, 0.5), (0.9, 0.5), 4.6, 7, size=(0.02, 0.02))
    brief = Move("red", (0.4, 0.5), (0.6, 0.5), 5.0, 5.2)
    assert events(drawn(tmp_path / "t.mp4", tiny)) == []
    assert events(drawn(tmp_path / "b.mp4", brief)) == []
    assert len(events(drawn(tmp_path / "b.mp4", brief), MotionOptions(least_seconds=0))) == 1


def test_long_events_are_cut_and_close_ones_joined(tmp_path: Path):
    moves = (Move("red", (0.1, 0.5), (0.9, 0.5), 5, 7), Move("red", (0.1, 0.5), (0.9, 0.5), 8.6, 10.6))
    path = drawn(tmp_path / "l.mp4", *moves, seconds=12)
    seen = list(frames(path, fps=5, start_at=T0))
    apart = motion_events(seen, EXACT)
    assert len(apart) == 2
    (joined,) = motion_events(seen, MotionOptions(close_gap_s=2, pad_s=0))
    pieces = motion_events(seen, MotionOptions(close_gap_s=2, pad_s=0, longest_s=2))
    assert [pieces[0].start_us, pieces[-1].end_us] == [joined.start_us, joined.end_us]
    assert len(pieces) == 3
    padded = motion_events(seen, MotionOptions(pad_s=0.5))[0]
    assert apart[0].start_us - padded.start_us == padded.end_us - apart[0].end_us == 500_000


def test_nothing_comes_of_nothing():
    assert motion_events([], EXACT) == []
    one = Frame(0, 0, np.zeros((9, 16, 3), np.uint8))
    assert motion_events([one], EXACT) == []


def test_frames_of_other_sizes_do_not_stop_it(tmp_path: Path):
    path = drawn(tmp_path / "z.mp4", Move("red", (0.1, 0.5), (0.9, 0.5), 4.6, 7))
    some = list(frames(path, fps=5, start_at=T0))
    mixed = [Frame(f.index, f.offset_us, cv2.resize(f.image, (384, 216)) if f.index % 2 else f.image) for f in some]
    assert [event.direction for event in motion_events(mixed, EXACT)] == ["right"]


def test_threads_change_nothing(tmp_path: Path):
    path = drawn(tmp_path / "d.mp4", Move("orange", (0.1, 0.5), (0.9, 0.5), 4.6, 7), size=(320, 180), noise=6.0)
    before = cv2.getNumThreads()
    try:
        found = []
        for number in (1, 4):
            cv2.setNumThreads(number)
            found.append(events(path))
    finally:
        cv2.setNumThreads(before)
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_options_that_make_no_sense_are_refused():
    for wrong in ({"fps": 0}, {"least_seconds": 30, "longest_s": 20}, {"treshold": 3}, {"longest_s": 500}):
        with pytest.raises(ValidationError):
            MotionOptions(**wrong)  # type: ignore[arg-type]


moments = st.lists(st.integers(0, 400), unique=True, max_size=60).map(sorted)
shapes = st.fixed_dictionaries(
    {
        "gap_us": st.integers(0, 40),
        "least_us": st.integers(0, 30),
        "pad_us": st.integers(0, 30),
        "longest_us": st.integers(20, 200),
    }
)


@settings(max_examples=50, deadline=None)
@given(active=moments, shape=shapes)
def test_spans_hold_what_moves_and_keep_apart(active: list[int], shape: dict[str, int]):
    step, end = 10, 410
    found = spans(active, step_us=step, end_us=end, **shape)
    assert all(0 <= start < stop <= end for start, stop in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert all(stop - start <= shape["longest_us"] for start, stop in found)
    everything = spans(active, step_us=step, end_us=end, **{**shape, "least_us": 0})
    assert all(any(start <= at < stop for start, stop in everything) for at in active)
    bare = spans(active, step_us=step, end_us=end, **{**shape, "pad_us": 0, "longest_us": 10_000})
    assert all(other[0] - one[1] > shape["gap_us"] for one, other in pairwise(bare))
    again = spans(
        [start for start, _ in bare], step_us=step, end_us=end, gap_us=0, least_us=0, pad_us=0, longest_us=1000
    )
    assert len(again) == len(bare)


def test_spans_of_a_plain_case():
    plain = {"step_us": 10, "gap_us": 20, "least_us": 20, "pad_us": 5, "longest_us": 1000, "end_us": 500}
    assert spans([0, 10, 40, 100, 110, 200, 480, 490], **plain) == [(0, 55), (95, 125), (475, 500)]
    assert spans([0, 10, 32, 42], **{**plain, "gap_us": 0, "pad_us": 30}) == [(0, 26), (26, 82)]


@pytest.mark.parametrize("name", sorted(COLOURS))
def test_colours_have_the_names_that_people_give_them(name: str):
    counts = tally(np.full((50, 3), COLOURS[name], np.uint8))
    assert dominant(counts.astype(float)) == (name,)


def test_other_colours():
    for name, colour in {
        "gray": (120, 125, 122), "brown": (30, 60, 110), "pink": (190, 120, 245), "cyan": (210, 200, 40),
    }.items():  # fmt: skip
        assert dominant(tally(np.array([colour], np.uint8)).astype(float)) == (name,)
    assert tally(np.zeros((0, 3), np.uint8)).shape == (len(NAMES),)
    assert dominant(np.zeros(len(NAMES))) == ()
    assert dominant(np.array([0, 20, 10, 0, 0, 60, 0, 0, 10, 0, 0, 0.0])) == ("yellow", "white")


@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"no test videos in {VIDEOS}; set WAYSIDE_TEST_DATA")
def test_each_person_and_each_group_of_cars_of_the_real_videos_is_one_event():
    """Seconds at which somebody is in the picture, by looking at a frame of each; shadows come before and stay after.

    Four more people come later, at 51 to 70, 75 to 87, 93 to 120 and 124 to 136 s.
    """
    people = [(6, 20), (23, 45)]
    options = MotionOptions(fps=4)
    whole = Whole(frames(VIDEOS / "one-by-one-person-detection.mp4", fps=options.fps, start_at=T0, end_s=48))
    found = motion_events(whole, options)
    assert whole.error is None
    assert len(found) == len(people)
    for event, (comes, goes) in zip(found, people, strict=True):
        assert abs(event.start_us / 1e6 - comes) < 2
        assert abs(event.end_us / 1e6 - goes) < 2.5
    cars = [(4.5, 8.6), (14.5, 19), (25.3, 27.8)]
    found = events(VIDEOS / "car-detection.mp4", options)
    assert len(found) == len(cars)
    for event, (comes, goes) in zip(found, cars, strict=True):
        assert abs(event.start_us / 1e6 - comes) < 1.5
        assert abs(event.end_us / 1e6 - goes) < 1.5
    assert [event.direction for event in found] == ["up", None, "down"]
    assert [event.colours[0] for event in found] == ["white", "gray", "white"]
    assert "red" in found[1].colours
