"""SSIM equals scikit-image's, in value and map, whatever the pictures and their sizes."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import structural_similarity

from wayside.core.errors import ImageError
from wayside.quality import similarity
from wayside.quality.motion import moves_v0, moves_v1
from wayside.quality.similarity import compare, similarity_map, window

SIDES = st.integers(7, 40)


@st.composite
def pairs(draw):
    height, width = draw(SIDES), draw(SIDES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    one = rng.integers(0, 256, (height, width), np.uint8)
    if draw(st.booleans()):
        one = cv2.GaussianBlur(one, (5, 5), 0)
    how = draw(st.sampled_from(["other", "inverse", "noise", "same", "extremes"]))
    other = {
        "other": rng.integers(0, 256, one.shape, np.uint8),
        "inverse": 255 - one,
        "noise": np.clip(one.astype(int) + rng.integers(-9, 10, one.shape), 0, 255).astype(np.uint8),
        "same": one.copy(),
        "extremes": np.where(rng.random(one.shape) < 0.5, 0, 255).astype(np.uint8),
    }[how]
    return one, other


@given(pairs())
@settings(max_examples=80, deadline=None)
def test_value_and_map_equal_scikit_image(pair):
    expected, expected_map = structural_similarity(*pair, full=True)
    windows = [window(grey) for grey in pair]
    assert compare(*windows, moves_v1)[0] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(similarity_map(*windows), expected_map, atol=1e-6)


@given(arrays(np.uint8, (9, 11)), arrays(np.uint8, (9, 11)))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_which_picture_comes_first(one, other):
    forward, backward = similarity_map(window(one), window(other)), similarity_map(window(other), window(one))
    np.testing.assert_array_equal(forward, backward)
    assert forward.min() >= -1 - 1e-6
    assert forward.max() <= 1 + 1e-6


def test_a_large_picture_of_extremes_overflows_nothing():
    one = np.full((480, 640), 255, np.uint8)
    other = np.tile(np.array([0, 255], np.uint8), (480, 320))
    expected, expected_map = structural_similarity(one, other, full=True)
    assert compare(window(one), window(other), moves_v1)[0] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(similarity_map(window(one), window(other)), expected_map, atol=1e-6)


@given(pairs())
@settings(max_examples=80, deadline=None)
def test_the_masks_are_those_of_the_float64_map(pair):
    """Version 0 is told in the old system's own steps: truncate to a byte, invert, threshold."""
    _, exact = structural_similarity(*pair, full=True)
    sure = np.min([np.abs(exact * 255 - limit) for limit in (145, -1, -112)], axis=0) > 1e-9
    windows = [window(grey) for grey in pair]
    wrapped = (exact * 255).astype(np.int64).astype(np.uint8)
    old = cv2.threshold(255 - wrapped, 110, 255, cv2.THRESH_BINARY)[1] > 0
    np.testing.assert_array_equal(compare(*windows, moves_v0)[1][sure], old[sure])
    np.testing.assert_array_equal(compare(*windows, moves_v1)[1][sure], (exact * 255 < 145)[sure])


def test_where_the_map_is_unsure_the_pixel_is_worked_out_exactly():
    rng = np.random.default_rng(5)
    one, other = (rng.integers(0, 256, (30, 40), np.uint8) for _ in range(2))
    _, exact = structural_similarity(one, other, full=True)
    windows = window(one), window(other)
    limit = float(exact[0, 39])  # a corner, so that the mirrored border takes part
    assert compare(*windows, lambda values: values < limit + 1e-12)[1][0, 39]
    assert not compare(*windows, lambda values: values < limit - 1e-12)[1][0, 39]


@pytest.mark.parametrize("height", [60, 64, 65, 67, 70, 130])
def test_the_bands_of_a_tall_picture_join_without_a_seam(height, monkeypatch):
    monkeypatch.setattr(similarity, "_BAND", 64 * 20)
    rng = np.random.default_rng(height)
    one, other = (rng.integers(0, 256, (height, 20), np.uint8) for _ in range(2))
    expected, expected_map = structural_similarity(one, other, full=True)
    mean, decision = compare(window(one), window(other), lambda values: values < 0)
    assert mean == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(similarity_map(window(one), window(other)), expected_map, atol=1e-6)
    np.testing.assert_array_equal(decision, expected_map < 0)


def test_pictures_that_cannot_be_compared_say_why():
    with pytest.raises(ImageError, match="smaller than the 7×7 window") as caught:
        window(np.zeros((6, 30), np.uint8))
    assert caught.value.reason == "too_small"
    with pytest.raises(ImageError) as caught:
        similarity_map(window(np.zeros((8, 8), np.uint8)), window(np.zeros((8, 9), np.uint8)))
    assert caught.value.reason == "size_mismatch"
