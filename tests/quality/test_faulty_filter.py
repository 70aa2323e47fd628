"""The faulty-image filter: version 0 against a literal telling of the old rules, version 1 against made-up faults."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.quality.quality_scenes import in_use_card, noisy, reencoded, street, with_car

from wayside.core.errors import ConfigError, ImageError
from wayside.quality import faulty
from wayside.quality.faulty import FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.picture import Picture, longest_run
from wayside.quality.signs import fingerprint

V0, V1 = FaultyImageFilterV0(), FaultyImageFilterV1()


def red_share_in_words(image):
    bins = [0] * 32
    for row in range(0, image.shape[0], 4):
        for column in range(0, image.shape[1], 4):
            bins[int(image[row, column, 2] / 8.0)] += 16
    return max(bins) / (image.shape[0] * image.shape[1])


def run_in_words(image):
    longest = running = 0
    for row in range(image.shape[0] - 1):
        same = int((image[row] == image[row + 1]).sum())
        running = running + 1 if same > image.shape[1] * 3 * 0.8 else 0
        longest = max(longest, running)
    return longest


def check_in_words(previous, current, following):
    """The old decisions in the old order: previous comparable, current faulty, next comparable."""

    def bad(image):
        return red_share_in_words(image) > 0.33 or run_in_words(image) > image.shape[0] * 0.2

    before = previous is not None and previous.shape == current.shape
    twin = before and bool((previous == current).all())
    after = following is not None and following.shape == current.shape and not (following == current).all()
    return before and not twin and not bad(previous), twin or bad(current), after and not bad(following)


@st.composite
def pictures(draw, height, width):
    image = np.random.default_rng(draw(st.integers(0, 7))).integers(0, 256, (height, width, 3), np.uint8)
    fault = draw(st.sampled_from(["none", "red", "smear", "sparse"]))
    if fault == "red":
        image[: draw(st.integers(0, height)), :, 2] = 40
    elif fault == "smear":
        top = draw(st.integers(0, height - 1))
        image[top : top + draw(st.integers(1, height))] = image[top]
    elif fault == "sparse":
        image[1:, : draw(st.integers(0, width))] = image[0, :1]
    return image


@st.composite
def triples(draw):
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    same = pictures(height, width)
    current = draw(same)
    neighbour = st.one_of(st.none(), same, st.just(current.copy()), pictures(height + 1, width))
    return draw(neighbour), current, draw(neighbour)


@given(triples())
@settings(max_examples=150, deadline=None)
def test_version_0_decides_as_the_old_rules_say(triple):
    verdict = V0.check(*triple)
    assert (verdict.previous_comparable, verdict.faulty, verdict.next_comparable) == check_in_words(*triple)
    assert (verdict.reason is not None) == verdict.faulty
    assert verdict.metrics.colour_fraction == red_share_in_words(triple[1])
    assert verdict.metrics.longest_run == run_in_words(triple[1])
    assert verdict.metrics.run_limit == int(triple[1].shape[0] * 0.2)


@given(triples())
@settings(max_examples=60, deadline=None)
def test_wrapping_pictures_changes_nothing(triple):
    wrapped = [None if image is None else Picture(image) for image in triple]
    for judge in (V0, V1):
        assert judge.check(*triple) == judge.check(*wrapped) == judge.check(*wrapped)


@given(triples())
@settings(max_examples=60, deadline=None)
def test_version_1_never_trusts_a_neighbour_of_another_size_or_a_twin(triple):
    verdict = V1.check(*triple)
    current = triple[1]
    for neighbour, comparable in ((triple[0], verdict.previous_comparable), (triple[2], verdict.next_comparable)):
        if neighbour is None or neighbour.shape != current.shape or (neighbour == current).all():
            assert not comparable
    assert verdict.faulty == (verdict.reason is not None)


def test_the_first_test_that_fails_names_the_reason_in_version_0():
    plain, smeared = np.full((100, 80, 3), 90, np.uint8), street()
    smeared[100:200] = smeared[100]
    assert V0.check(plain, plain, None).reason == faulty.IDENTICAL_TO_PREVIOUS
    assert V0.check(None, plain, None).reason == faulty.SINGLE_COLOUR
    assert V0.check(None, smeared, None).reason == faulty.FROZEN_ROWS
    assert V0.check(None, street(), None).reason is None


def test_a_frozen_camera_keeps_only_its_first_picture():
    first, other = street(1), with_car(street(1), 100, 100)
    for judge in (V0, V1):
        kept = judge.check(other, first, first)
        assert (kept.faulty, kept.previous_comparable, kept.next_comparable) == (False, True, False)
        repeated = judge.check(first, first, first)
        assert (repeated.faulty, repeated.reason) == (True, faulty.IDENTICAL_TO_PREVIOUS)
        assert not repeated.previous_comparable
        assert not repeated.next_comparable


def test_red_alone_fools_version_0_but_not_version_1():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (96, 96, 3), np.uint8)
    image[..., 2] = 100
    assert V0.check(None, image, None).reason == faulty.SINGLE_COLOUR
    assert not V1.check(None, image, None).faulty


def test_one_true_colour_is_a_fault_in_version_1():
    image = street()
    image[:190] = (200, 40, 40)
    verdict = V1.check(None, image, None)
    assert verdict.reason == faulty.SINGLE_COLOUR
    assert verdict.metrics.colour_fraction > 0.6


def test_a_plain_sky_is_frozen_in_version_0_only_and_a_smear_in_both():
    sky = street()
    sky[:70] = (255, 240, 230)
    assert V0.check(None, sky, None).reason == faulty.FROZEN_ROWS
    assert not V1.check(None, sky, None).faulty
    smear, faded = noisy(street(), 1), noisy(street(), 1)
    smear[120:] = smear[120]
    faded[190:] = (faded[189].astype(int) + 3 * 128) // 4
    for image in (smear, faded):
        assert V0.check(None, image, None).reason == V1.check(None, image, None).reason == faulty.FROZEN_ROWS


@pytest.mark.parametrize("quality", [98, 95, 90])
def test_an_old_picture_encoded_again_is_stale(quality):
    before = noisy(street(3), 1)
    verdict = V1.check(before, reencoded(before, quality), None)
    assert (verdict.reason, verdict.previous_comparable) == (faulty.STALE, False)
    assert not V0.check(before, reencoded(before, quality), None).faulty


def test_a_next_picture_that_repeats_this_one_cannot_serve():
    now = noisy(street(3), 1)
    verdict = V1.check(None, now, reencoded(now, 95))
    assert (verdict.faulty, verdict.next_comparable) == (False, False)


def test_noise_alone_makes_a_picture_fresh():
    assert V1.check(noisy(street(3), 1, 4), noisy(street(3), 2, 4), None).reason is None


def test_one_small_car_makes_a_picture_fresh():
    before = noisy(street(3), 1)
    now = noisy(with_car(street(3), 100, 100, width=18, height=12), 2)
    assert V1.check(before, now, None).reason is None


def test_cards_are_placeholders_whatever_their_text():
    for card in (in_use_card(), in_use_card("Camera 00001.01251 in", 140), reencoded(in_use_card(), 75)):
        assert V1.check(None, card, None).reason == faulty.PLACEHOLDER
        verdict = V1.check(card, street(), card)
        assert (verdict.previous_comparable, verdict.next_comparable) == (False, False)


def test_a_coloured_card_is_known_by_its_fingerprint():
    card = street(8)
    mended = FaultyImageFilterV1(placeholders=(fingerprint(card),))
    assert mended.check(None, reencoded(card, 75), None).reason == faulty.PLACEHOLDER
    assert not mended.check(None, street(9), None).faulty
    assert not V1.check(None, card, None).faulty


@pytest.mark.parametrize("colour", [(0, 0, 0), (30, 160, 60), (250, 250, 250)])
def test_an_even_surface_is_no_view(colour):
    image = np.empty((64, 64, 3), np.uint8)
    image[:] = colour
    expected = {0: faulty.DARK, 30: faulty.BLANK, 250: faulty.PLACEHOLDER}[colour[0]]
    assert V1.check(None, image, None).reason == expected


def test_a_dark_picture_with_one_lamp_is_not_dark():
    image = (street() // 16).astype(np.uint8)
    assert V1.check(None, image, None).reason == faulty.DARK
    cv2.circle(image, (100, 100), 20, (255, 255, 255), -1)
    assert V1.check(None, image, None).reason != faulty.DARK


def test_a_picture_that_was_cut_off_is_truncated():
    image = street()
    image[200:] = 128
    for picture in (image, reencoded(image, 90)):
        assert V1.check(None, picture, None).reason == faulty.TRUNCATED
    assert V1.check(None, street()[:8], None).reason != faulty.TRUNCATED


def test_settings_are_named_and_checked():
    assert (
        FaultyImageFilterV0(identical_area_proportion_threshold=0.9).check(None, in_use_card(), None).reason is not None
    )
    with pytest.raises(ConfigError, match="row_similarity_treshold"):
        FaultyImageFilterV0(row_similarity_treshold=0.8)
    with pytest.raises(ConfigError, match="less than or equal to 1"):
        FaultyImageFilterV1(row_similarity_threshold=80)
    with pytest.raises(ConfigError, match="placeholders"):
        FaultyImageFilterV1(placeholders=("not hexadecimal",))


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ImageError) as caught:
        V0.check(None, image, None)
    assert caught.value.reason == "not_a_picture"


@given(st.lists(st.booleans()))
def test_longest_run_counts_what_a_person_would(flags):
    runs = "".join("x" if flag else " " for flag in flags).split()
    assert longest_run(np.array(flags, bool)) == max(map(len, runs), default=0)
