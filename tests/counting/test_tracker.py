import json
from dataclasses import fields

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counting.looks import look, street, walk
from trackers import ByteTrackTracker
from trackers.utils.motion_models import ScalableProcessNoise

from wayside.counting.events import Look, micros
from wayside.counting.options import ImprovedOptions
from wayside.counting.sights import Sight, sights_of
from wayside.counting.tracker import Tracker

OPTIONS = ImprovedOptions()


def step(tracker: Tracker, one: Look, options: ImprovedOptions = OPTIONS) -> dict[int, list[Sight]]:
    us = micros(one.at)
    tracker.forget(us)
    return tracker.update(us, sights_of(one, options, options.low_score))


def numbers(looks: list[Look], options: ImprovedOptions = OPTIONS) -> list[list[int]]:
    tracker = Tracker(options, 1.5)
    return [list(step(tracker, one, options)) for one in looks]


def test_the_library_keeps_what_the_state_thinks_it_keeps() -> None:
    """The state writes down what is in the library's objects. When they change, it has to be looked at again."""
    library = ByteTrackTracker(minimum_consecutive_frames=2)
    for at in range(3):
        boxes = np.array([[10.0 + at, 10, 50 + at, 80]])
        library.update(sv.Detections(xyxy=boxes, confidence=np.array([0.9], np.float32)), timestamp=at / 5)
    (track,) = library.tracks
    estimator = track.state_estimator
    assert set(vars(library)) == {
        "maximum_frames_without_update",
        "maximum_time_without_update",
        "minimum_consecutive_frames",
        "minimum_iou_threshold",
        "track_activation_threshold",
        "high_conf_det_threshold",
        "tracks",
        "state_estimator_class",
        "iou",
        "_next_track_id",
        "_frame_rate",
        "_last_timestamp",
    }
    assert set(vars(track)) == {
        "age",
        "state_estimator",
        "tracker_id",
        "time_since_update",
        "time_since_update_seconds",
        "number_of_successful_consecutive_updates",
    }
    assert set(vars(estimator)) == {"kf", "motion"}
    assert set(vars(estimator.kf)) == {
        *("dim_x", "dim_z", "state", "state_covariance", "transition_mtx", "process_noise", "observation_mtx"),
        *("measurement_noise", "state_prior", "state_covariance_prior", "state_post", "state_covariance_post"),
        *("kalman_gain", "innovation", "innovation_cov", "_identity"),
    }
    assert estimator.kf.state.shape == (8, 1)
    assert estimator.kf.state_covariance.shape == (8, 8)
    assert set(vars(estimator.motion)) == {
        *("dim_x", "pos_idx", "vel_idx", "process_noise", "cached_step"),
        *("_cached_transition_mtx", "_cached_process_noise"),
    }
    assert {one.name for one in fields(ScalableProcessNoise)} == {
        *("dim_x", "pos_idx", "vel_idx", "baseline_Q", "sigma_a2", "extra_q_diagonal", "_nonkinematic_idx"),
        "_needs_calibration",
    }


@given(st.integers(0, 10_000), st.sets(st.integers(1, 59), max_size=8))
@settings(max_examples=15, deadline=None)
def test_cut_anywhere_it_gives_the_same_numbers_to_the_same_boxes(seed: int, cuts: set[int]) -> None:
    whole, cut = Tracker(OPTIONS, 1.5), Tracker(OPTIONS, 1.5)
    for at, one in enumerate(street(seed)):
        if at in cuts:
            cut = Tracker(OPTIONS, 1.5, state=json.loads(json.dumps(cut.state())))
        assert step(cut, one) == step(whole, one)
        assert cut.state() == whole.state()


def test_a_number_comes_with_the_second_box_and_brings_the_first_one() -> None:
    tracker = Tracker(OPTIONS, 1.5)
    first, second, third = (step(tracker, one) for one in walk([0.3, 0.31, 0.32], fps=5))
    assert first == {}
    assert [sight.box[0] for sight in second[0]] == pytest.approx([0.28, 0.29])
    assert [sight.box[0] for sight in third[0]] == pytest.approx([0.30])


@pytest.mark.parametrize("fps", [1, 2, 5, 10])
def test_small_things_that_move_fast_keep_their_number(fps: int) -> None:
    """Three of its own widths a second: at two looks a second or fewer boxes never overlap."""
    looks = walk(list(np.arange(0.1, 0.9, 0.12 / fps)), fps=fps)
    assert {number for row in numbers(looks) for number in row} == {0}
    assert any(numbers(looks, ImprovedOptions(reach=0))) == (fps > 2)


def test_a_look_that_is_missing_and_uneven_times_do_no_harm() -> None:
    at = np.array([0, 0.2, 0.4, 0.5, 1.1, 1.3, 1.9, 2.0, 2.2])
    looks = [look(seconds, [(0.1 + 0.25 * seconds, 0.5)]) for seconds in at]
    assert {number for row in numbers(looks) for number in row} == {0}


@pytest.mark.parametrize(("gap", "expected"), [(2.0, {0}), (2.000001, {0, 1})])
def test_what_is_gone_for_longer_than_it_may_be_is_somebody_else(gap: float, expected: set[int]) -> None:
    looks = [look(at / 5, [(0.5, 0.5)]) for at in range(5)] + [
        look(0.8 + gap + at / 5, [(0.5, 0.5)]) for at in range(5)
    ]
    assert {number for row in numbers(looks) for number in row} == expected


def test_looks_in_which_nothing_is_seen_are_time_too() -> None:
    looks = [look(at / 5, [(0.5, 0.5)] if at < 5 or at > 20 else []) for at in range(30)]
    assert {number for row in numbers(looks) for number in row} == {0, 1}


def test_a_weak_box_goes_on_and_does_not_begin() -> None:
    weak = walk([0.3, 0.31, 0.32, 0.33], fps=5, score=0.35)
    assert numbers(weak) == [[]] * 4
    strong = walk([0.27, 0.28], fps=5)
    later = [look(0.4 + at / 5, [(0.29 + at / 100, 0.5)], score=0.35) for at in range(3)]
    assert numbers(strong + later) == [[], [0], [0], [0], [0]]
    gone = [look(0.4 + at / 5, [(0.29 + at / 100, 0.5)], score=0.29) for at in range(3)]
    assert numbers(strong + gone) == [[], [0], [], [], []]


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_boxes_in_a_look_plays_no_part(seed: int, random: object) -> None:
    shuffled = []
    for one in (looks := street(seed, looks=25)):
        order = list(range(len(one.labels)))
        random.shuffle(order)  # type: ignore[attr-defined]
        labels = tuple(one.labels[at] for at in order)
        shuffled.append(Look(one.at, one.segment, one.boxes[order], labels, one.scores[order]))
    assert numbers(shuffled) == numbers(looks)


def both(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> Look:
    boxes = np.array([box, other], np.float32)
    return Look(look(0).at, "a", boxes, ("car", "truck"), np.array([0.6, 0.9], np.float32))


def test_one_object_seen_as_two_classes_is_one() -> None:
    (sight,) = sights_of(both((0.1, 0.1, 0.3, 0.3), (0.11, 0.1, 0.3, 0.3)), OPTIONS, 0.3)
    assert (sight.label, sight.score) == ("truck", pytest.approx(0.9))
    assert len(sights_of(both((0.1, 0.1, 0.3, 0.3), (0.2, 0.1, 0.4, 0.3)), OPTIONS, 0.3)) == 2


def test_boxes_that_are_none_and_classes_that_nobody_asked_for_are_left_out() -> None:
    assert len(sights_of(both((0.1, 0.1, 0.3, 0.3), (0.3, 0.1, 0.3, 0.3)), OPTIONS, 0.3)) == 1
    assert len(sights_of(both((0.1, 0.1, np.nan, 0.3), (0.5, 0.1, 0.9, 0.3)), OPTIONS, 0.3)) == 1
    two = both((0.1, 0.1, 0.3, 0.3), (0.5, 0.1, 0.9, 0.3))
    assert [sight.label for sight in sights_of(two, ImprovedOptions(classes=("car", "bus")), 0.3)] == ["car"]
    assert [sight.label for sight in sights_of(two, OPTIONS, 0.7)] == ["truck"]
