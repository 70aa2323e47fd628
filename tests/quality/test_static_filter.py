"""The static-object filter: what moves is kept, what stands is not, and version 0's slips against version 1."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from tests.quality.quality_scenes import noisy, street, with_car

from wayside.core.errors import ConfigError, ImageError, WaysideError
from wayside.quality import static
from wayside.quality.motion import camera_shift, clean, moves_v0
from wayside.quality.picture import Picture
from wayside.quality.static import StaticObjectFilterV0, StaticObjectFilterV1

V0, V1 = StaticObjectFilterV0(), StaticObjectFilterV1()
BOTH = pytest.mark.parametrize("judge", [V0, V1], ids=["V0", "V1"])
PARKED, DRIVING = [200, 40, 230, 88], [100, 200, 130, 248]
BOXES = np.array([PARKED, DRIVING])
SCORES = np.array([0.9, 0.9])


def parked_street(seed=0):
    return with_car(street(seed), 40, 200, seed=5)


@pytest.fixture(scope="module")
def triple():
    """A car parked throughout, another that is there only now."""
    return noisy(parked_street(), 1), noisy(with_car(parked_street(), 200, 100), 2), noisy(parked_street(), 3)


def keep(verdict):
    return (~verdict.static & ~verdict.duplicate).tolist()


@BOTH
def test_the_parked_car_is_static_and_the_driving_one_moves(judge, triple):
    verdict = judge.apply_pixels(*triple, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.reason, verdict.neighbours) == (True, None, "both")
    assert keep(verdict) == [False, True]
    assert verdict.moving_share.dtype == np.float32
    assert verdict.moving_share[0] == 0
    assert verdict.moving_share[1] > 0.25


@BOTH
def test_fractions_and_pixels_give_the_same(judge, triple):
    height, width = triple[1].shape[:2]
    fractions = (BOXES[:, [1, 0, 3, 2]] + 0.5) / [width, height, width, height]
    from_pixels = judge.apply_pixels(*triple, BOXES, SCORES, ["car", "van"])
    from_fractions = judge.apply(*triple, fractions.astype(np.float32), SCORES.astype(np.float32), ["car", "van"])
    np.testing.assert_array_equal(from_pixels.moving_share, from_fractions.moving_share)
    np.testing.assert_array_equal(from_pixels.static, from_fractions.static)


@BOTH
def test_one_neighbour_is_enough_and_none_is_not(judge, triple):
    before, now, after = triple
    for neighbours, name in (((before, None), "previous"), ((None, after), "next")):
        verdict = judge.apply_pixels(neighbours[0], now, neighbours[1], BOXES, SCORES, ["car", "van"])
        assert (verdict.usable, verdict.neighbours, keep(verdict)) == (True, name, [False, True])
        assert (verdict.ssim_previous is None) == (name == "next")
        assert (verdict.ssim_next is None) == (name == "previous")
    verdict = judge.apply_pixels(None, now, None, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.reason, verdict.neighbours) == (False, static.NO_NEIGHBOUR, "none")
    assert np.isnan(verdict.moving_share).all()
    assert not verdict.static.any()


@BOTH
def test_a_picture_without_objects_is_judged_all_the_same(judge, triple):
    verdict = judge.apply(*triple, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), [])
    assert (verdict.usable, verdict.neighbours, verdict.static.shape, verdict.moving_share.shape) == (
        True, "both", (0,), (0,),
    )  # fmt: skip
    assert verdict.ssim_previous == pytest.approx(judge.compare(*triple[:2]).ssim)


@BOTH
def test_a_comparison_can_stand_for_the_neighbour(judge, triple):
    before, now, after = map(Picture, triple)
    plain = judge.apply_pixels(*triple, BOXES, SCORES, ["car", "van"])
    changes = judge.compare(before, now), judge.compare(after, now)
    again = judge.apply_pixels(changes[0], now, changes[1], BOXES, SCORES, ["car", "van"])
    np.testing.assert_array_equal(plain.moving_share, again.moving_share)
    assert (plain.ssim_previous, plain.ssim_next) == (again.ssim_previous, again.ssim_next)
    np.testing.assert_array_equal(changes[0].mask, judge.compare(now, before).mask)


def old_mask(one, other):
    """The old mask in its own steps, contours erased one by one."""
    _, similarity = structural_similarity(one, other, full=True)
    mask = cv2.threshold(255 - (similarity * 255).astype(np.int64).astype(np.uint8), 110, 255, cv2.THRESH_BINARY)[1]
    kernel = np.ones((3, 3), np.uint8)
    mask = cv2.erode(cv2.dilate(mask, kernel), kernel)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    for number, contour in enumerate(contours):
        if hierarchy[0][number][3] < 0 and cv2.contourArea(contour) < 50:
            cv2.drawContours(mask, contours, number, 0, cv2.FILLED)
    return cv2.erode(cv2.dilate(mask, kernel), kernel)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 3, 7]), st.sampled_from([0, 40, 90]))
@settings(max_examples=25, deadline=None)
def test_the_mask_of_version_0_is_the_old_one(seed, blur, strength):
    rng = np.random.default_rng(seed)
    scene = street(seed % 5, 60, 80).astype(int)
    change = rng.integers(-strength, strength + 1, scene.shape)
    one, other = scene.astype(np.uint8), np.clip(scene + change, 0, 255).astype(np.uint8)
    if blur:
        other = cv2.GaussianBlur(other, (blur, blur), 0)
    # On our BGR pictures the old weights, meant for BGR but given RGB, are those of RGB.
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (one, other)]
    np.testing.assert_array_equal(V0.compare(one, other).mask, old_mask(*greys))


@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.integers(5, 60), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_cleaning_erases_the_same_patches_as_the_old_loop(seed, height, width, density):
    rng = np.random.default_rng(seed)
    moving = rng.random((height, width)) < density
    kernel = np.ones((3, 3), np.uint8)
    mask = cv2.erode(cv2.dilate(moving.astype(np.uint8) * 255, kernel), kernel)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    for number, contour in enumerate(contours):
        if hierarchy[0][number][3] < 0 and cv2.contourArea(contour) < 50:
            cv2.drawContours(mask, contours, number, 0, cv2.FILLED)
    np.testing.assert_array_equal(clean(moving, 50), cv2.erode(cv2.dilate(mask, kernel), kernel))


def test_the_wrapped_byte_of_version_0():
    similarity = np.array([1.0, 145.01, 144.99, 0.0, -0.99, -1.01, -111.99, -112.01, -254.0]) / np.r_[1.0, [255] * 8]
    assert moves_v0(similarity).tolist() == [False, False, True, True, True, False, False, True, True]


def test_an_inverted_object_is_static_in_version_0_and_moves_in_version_1():
    """Inverted texture has SSIM around -0.2: the strongest change there is, and the old byte wrapped round."""
    before = street(4)
    now = before.copy()
    box = [100, 100, 160, 180]
    texture = np.random.default_rng(1).integers(0, 256, (60, 80), np.uint8)
    coarse = cv2.GaussianBlur(texture, (5, 5), 0)
    before[100:160, 100:180] = coarse[..., None]
    mixed = (255 - coarse.astype(int)) * 0.15 + 128 * 0.85
    now[100:160, 100:180] = np.clip(mixed, 0, 255).astype(np.uint8)[..., None]
    verdicts = [
        judge.apply_pixels(before, now, before, np.array([box]), np.array([0.9]), ["car"]) for judge in (V0, V1)
    ]
    assert [verdict.static[0] for verdict in verdicts] == [True, False]


def test_three_identical_boxes_count_twice_in_version_0_and_once_in_version_1(triple):
    boxes, scores = np.array([DRIVING] * 3), np.array([0.9, 0.8, 0.7])
    for judge, counted in ((V0, 2), (V1, 1)):
        assert sum(keep(judge.apply_pixels(*triple, boxes, scores, ["car"] * 3))) == counted


def test_a_person_needs_less_motion_if_sure():
    before = street(2)
    now = before.copy()
    now[100:126, 100:120] = 255 - now[100:126, 100:120]
    boxes = np.array([[100, 100, 190, 120]] * 5) + np.arange(5)[:, None]
    labels = ["person", "person", "person", "car", "a person on a bicycle"]
    scores = np.array([0.81, 0.80, 0.79, 0.99, 0.9], np.float32)
    verdict = V0.apply_pixels(before, now, before, boxes, scores, labels)
    assert ((verdict.moving_share >= 0.10) & (verdict.moving_share < 0.25)).all()
    assert (~verdict.static).tolist() == [True, False, False, False, True]


def test_version_0_uses_the_next_picture_after_a_cut_on_either_side(triple):
    elsewhere = noisy(street(77), 4)
    _, now, after = triple
    for before, following in ((elsewhere, after), (triple[0], elsewhere)):
        verdict = V0.apply_pixels(before, now, following, BOXES, SCORES, ["car", "van"])
        assert (verdict.usable, verdict.neighbours) == (True, "next")


def test_version_1_trusts_only_the_neighbour_that_shows_the_same_view(triple):
    elsewhere = noisy(street(77), 4)
    before, now, after = triple
    for previous, following, name in ((elsewhere, after, "next"), (before, elsewhere, "previous")):
        verdict = V1.apply_pixels(previous, now, following, BOXES, SCORES, ["car", "van"])
        assert (verdict.usable, verdict.neighbours, keep(verdict)) == (True, name, [False, True])
    verdict = V1.apply_pixels(elsewhere, now, None, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.reason, verdict.neighbours) == (False, static.CAMERA_MOVED, "none")
    assert verdict.ssim_previous is not None
    assert verdict.ssim_next is None


def test_a_camera_that_was_nudged_is_found_out_though_the_pictures_are_alike():
    scene = cv2.GaussianBlur(street(6), (0, 0), 3)
    now, nudged = noisy(scene, 1, 1), noisy(np.roll(scene, (3, 5), (0, 1)), 2, 1)
    change = V1.compare(now, nudged)
    assert change.ssim > 0.4
    assert not change.same_scene
    assert camera_shift(Picture(now).grey, Picture(nudged).grey) == pytest.approx(34**0.5, abs=0.7)
    assert V1.compare(now, noisy(scene, 3, 1)).same_scene
    assert StaticObjectFilterV1(camera_shift_threshold=20).compare(now, nudged).same_scene


def test_pictures_of_nothing_in_common_are_infinitely_displaced():
    assert camera_shift(Picture(street(1)).grey, Picture(street(2)).grey) == np.inf


def test_another_view_is_found_out_though_both_are_smooth_and_so_alike():
    one, other = (cv2.GaussianBlur(street(seed), (0, 0), 12) for seed in (1, 2))
    change = V1.compare(noisy(one, 1), noisy(other, 2))
    assert change.ssim > 0.4
    assert not change.same_scene


def test_any_neighbour_or_all_of_them(triple):
    """A car that was there before and is gone afterwards has moved for `any`, not for `all`."""
    _, now, after = triple
    for rule, moves in (("all", False), ("any", True)):
        judge = StaticObjectFilterV1(neighbours_rule=rule)
        verdict = judge.apply_pixels(noisy(now, 8), now, after, BOXES, SCORES, ["car", "van"])
        assert keep(verdict) == [False, moves]


def test_neighbours_of_another_size_are_named_in_version_0_and_passed_over_in_version_1(triple):
    before, now, after = triple
    small = before[:200]
    verdict = V0.apply_pixels(small, now, after, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.reason) == (False, static.SIZE_MISMATCH)
    verdict = V1.apply_pixels(small, now, after, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.neighbours) == (True, "next")
    verdict = V1.apply_pixels(small, now, None, BOXES, SCORES, ["car", "van"])
    assert (verdict.usable, verdict.reason) == (False, static.SIZE_MISMATCH)


@BOTH
def test_a_picture_smaller_than_the_window_is_named(judge):
    tiny = np.zeros((6, 20, 3), np.uint8)
    verdict = judge.apply_pixels(tiny, tiny, tiny, np.zeros((0, 4), int), np.zeros(0), [])
    assert (verdict.usable, verdict.reason) == (False, static.TOO_SMALL)


def test_wrong_input_and_settings_are_refused(triple):
    with pytest.raises(WaysideError, match="do not describe"):
        V0.apply_pixels(*triple, BOXES, SCORES, ["car"])
    with pytest.raises(ImageError, match="uint8"):
        V0.apply_pixels(None, triple[1].astype(float), None, BOXES, SCORES, ["car", "van"])
    with pytest.raises(ConfigError, match="neighbours_rule"):
        StaticObjectFilterV1(neighbours_rule="some")


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(*[st.integers(0, 60)] * 4), max_size=5))
@settings(max_examples=30, deadline=None)
def test_whatever_the_boxes_the_shares_are_shares(seed, corners):
    rng = np.random.default_rng(seed)
    now = rng.integers(0, 256, (50, 50, 3), np.uint8)
    other = now.copy()
    other[10:30, 10:40] = rng.integers(0, 256, (20, 30, 3), np.uint8)
    boxes = np.array([[a, b, a + c, b + d] for a, b, c, d in corners], int).reshape(-1, 4)
    labels, scores = ["person"] * len(boxes), np.full(len(boxes), 0.95)
    for judge in (V0, V1):
        verdict = judge.apply_pixels(other, now, None, boxes, scores, labels)
        assert verdict.usable
        assert ((verdict.moving_share >= 0) & (verdict.moving_share <= 1)).all()
        np.testing.assert_array_equal(verdict.static, verdict.moving_share.astype(float) < np.float32(0.10))
