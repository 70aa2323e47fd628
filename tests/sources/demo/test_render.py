"""The renderer of the demo city: repeatable pictures, and a truth that belongs to them."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wayside.sources.demo.render as renderer
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.dice import Dice
from wayside.sources.demo.render import LABELS, encode, expected_counts, render, truth

CITY = DemoCity(seed=7, tfl_cameras=10_000, uo_cameras=400)
RUSH = datetime(2026, 5, 5, 8, 30, tzinfo=UTC)
CALM = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
moments = st.datetimes(datetime(2019, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
cameras = st.one_of(st.integers(0, 12).map(CITY.tfl), st.integers(0, 5).map(CITY.uo))


@CALM
@given(camera=cameras, when=moments)
def test_the_same_camera_and_second_give_the_same_picture(camera, when):
    first, again = render(camera, when), render(camera, when.replace(microsecond=0))
    assert encode(first.image) == encode(again.image)
    assert first.objects == again.objects == truth(camera, when)
    assert first.image.shape == (camera.size[1], camera.size[0], 3)


def test_a_fresh_process_draws_the_same_bytes():
    code = (
        "import hashlib; from datetime import *; from wayside.sources.demo.city import DemoCity;"
        "from wayside.sources.demo.render import *;"
        "s = render(DemoCity(seed=7, tfl_cameras=10000).tfl(4), datetime(2026, 5, 5, 8, 30, tzinfo=UTC));"
        "print(hashlib.sha256(encode(s.image)).hexdigest())"
    )
    path = Path(renderer.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(path)}, capture_output=True, check=True)
    here = hashlib.sha256(encode(render(CITY.tfl(4), RUSH).image)).hexdigest()
    assert done.stdout.decode().strip() == here


@CALM
@given(camera=cameras, when=moments)
def test_truth_stays_inside_the_picture_and_is_large_enough_to_see(camera, when):
    _, height = camera.size
    seen = truth(camera, when)
    assert len({item.track_id for item in seen}) == len(seen)
    for item in seen:
        x1, y1, x2, y2 = item.box
        assert item.label in LABELS
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1
        assert 0.1 <= item.visible <= 1
        if y1 > 0 and y2 < 1:
            assert (y2 - y1) * height >= (14 if item.label == "person" else 9) - 0.01
        assert (item.rider_box is not None) == (item.label in {"cyclist", "motorcyclist"})
        for part in (item.rider_box, item.cycle_box):
            if part is not None:
                assert x1 <= part[0] <= part[2] <= x2
                assert y1 <= part[1] <= part[3] <= y2


def test_every_label_occurs_and_boxes_lie_where_something_is_drawn(monkeypatch):
    """The picture with traffic differs from the empty street inside the boxes far more than outside them."""
    labels, inside, outside = set(), [], []
    for index in range(8):
        camera = CITY.tfl(index)
        scene = render(camera, RUSH, captions=False)
        with monkeypatch.context() as patch:
            patch.setattr(renderer.Traffic, "at", lambda *_: [])
            empty = render(camera, RUSH, captions=False).image
        labels |= {item.label for item in scene.objects}
        difference = np.abs(scene.image.astype(int) - empty).max(axis=2)
        boxes = np.zeros(difference.shape, bool)
        for item in scene.objects:
            x1, y1, x2, y2 = (np.array(item.box) * [352, 288, 352, 288]).astype(int)
            boxes[y1 : y2 + 1, x1 : x2 + 1] = True
            if item.visible > 0.9:
                inside.append((difference[y1 : y2 + 1, x1 : x2 + 1] > 12).mean())
        outside.append((difference[~boxes] > 12).mean())
    labels |= {
        item.label for minute in range(0, 600, 10) for item in truth(CITY.tfl(2), RUSH + timedelta(minutes=minute))
    }
    assert labels == set(LABELS)
    assert np.median(inside) > 0.5
    assert min(inside) > 0.1
    assert max(outside) < 0.12


def test_parked_vehicles_keep_their_place_and_moving_ones_do_not():
    kept, moved, left = 0, 0, 0
    for index in range(12):
        before, after = (truth(CITY.tfl(index), RUSH + timedelta(minutes=m)) for m in (0, 10))
        then = {item.track_id: item for item in after}
        for item in before:
            if item.parked and item.track_id in then:
                assert then[item.track_id].box == item.box
                kept += 1
            elif item.parked:
                left += 1
            else:
                assert item.track_id not in then
                moved += 1
    assert kept > 20
    assert moved > 20
    assert left < kept / 4


def test_vehicles_move_on_smoothly_from_one_second_to_the_next():
    steps = []
    for second in range(20):
        a, b = (truth(CITY.tfl(0), RUSH + timedelta(seconds=second + s)) for s in (0, 1))
        places = {item.track_id: item.box for item in b if not item.parked}
        steps += [np.abs(np.array(item.box) - places[item.track_id]).max() for item in a if item.track_id in places]
    assert len(steps) > 20
    assert np.median(steps) < 0.1


def test_the_day_has_rush_hours_and_a_quiet_night():
    def level(day: int, hour: int) -> int:
        when = datetime(2026, 5, day, hour, tzinfo=UTC)
        looks = [expected_counts(CITY.tfl(i), when + timedelta(minutes=m)) for i in range(8) for m in (5, 25, 45)]
        return sum(look[label] for look in looks for label in ("bus", "car", "truck", "van"))

    night, rush, noon = (level(5, hour) for hour in (3, 8, 12))
    sunday_rush = level(10, 7)
    assert rush > noon > night
    assert rush > 5 * night
    assert sunday_rush < rush / 2


def test_expected_counts_are_the_moving_and_half_visible_part_of_the_truth():
    camera = CITY.tfl(6)
    counts = expected_counts(camera, RUSH)
    assert set(counts) == set(LABELS)
    assert sum(counts.values()) == sum(not t.parked and t.visible >= 0.5 for t in truth(camera, RUSH))


def test_night_is_darker_than_day_and_lamps_are_lit():
    day, night = (render(CITY.tfl(3), RUSH.replace(hour=hour)).image for hour in (12, 23))
    assert night.mean() < 0.55 * day.mean()
    assert night.max() > 180


def test_another_seed_is_another_city_and_ten_thousand_cameras_cost_nothing():
    assert (render(DemoCity(seed=8).tfl(0), RUSH).image != render(DemoCity(seed=7).tfl(0), RUSH).image).any()
    last = CITY.tfl(9_999)
    assert CITY.camera(last.id) == last
    ids = [camera.id for camera in CITY.cameras()]
    assert len(set(ids)) == len(ids) == 10_400
    assert all(CITY.camera(camera.id) == camera for camera in CITY.cameras("uo"))
    for unknown in ("00002.00451", "00002.99999999", "NC_X", "", "00002.١٢"):
        with pytest.raises(KeyError):
            CITY.camera(unknown)


def test_the_moved_camera_looks_another_way_after_noon():
    moved = next(fault for fault in CITY.faults() if fault.kind == "moved")
    camera = CITY.camera(moved.camera_id)
    before, same, after = (
        render(camera, RUSH.replace(hour=hour, minute=10), captions=False).image for hour in (10, 11, 12)
    )
    steady, turned = (np.abs(before.astype(int) - image).mean() for image in (same, after))
    assert turned > 2 * steady


@given(camera=cameras, start=moments, minutes=st.integers(0, 300))
def test_pictures_are_taken_every_five_minutes_or_so(camera, start, minutes):
    end = start + timedelta(minutes=minutes)
    taken = CITY.taken_between(camera, start, end)
    assert all(start <= moment <= end for moment in taken)
    assert all(0 < (b - a).total_seconds() < 600 for a, b in pairwise(taken))
    assert CITY.taken_at(camera, end) <= end
    assert end - CITY.taken_at(camera, end) < timedelta(minutes=10)
    if taken:
        assert taken[-1] == CITY.taken_at(camera, end)


@given(seed=st.integers(0, 2**64 - 1), key=st.integers(-(2**70), 2**70))
def test_dice_are_fair_enough_and_remember(seed, key):
    dice = Dice(seed)
    assert dice.at(key) == dice.at(key)
    assert 0 <= dice.at(key) < 1
    assert Dice(seed).roll() == Dice(seed).roll() < 1
    assert abs(np.mean([dice.at(number) for number in range(200)]) - 0.5) < 0.12


def test_pictures_are_jpegs_of_the_size_they_say():
    for camera in (CITY.tfl(1), CITY.uo(1)):
        data = encode(render(camera, RUSH).image)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1::-1] == camera.size
        assert 6_000 < len(data) < 150_000
