"""Fills: what they look like, that the default holds nothing of what it hides, and the replaced system's blurs."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.privacy.hidden import boxed, masked, pieced

from wayside.core.errors import ConfigError
from wayside.privacy.fills import ALONE, OTHER, RING, fill, fill_refusal
from wayside.privacy.objects import Masked, union
from wayside.privacy.settings import COLOURS, Fill

SECRET = bytes(range(32))
STYLES = ("constant", "mosaic", "blur", "grey_blur", "normalised_grey_blur")
RED, BLUE = (0, 0, 255), (255, 0, 0)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[int, int, list[Masked]]:
    """A size, and objects that may overlap, touch, reach the border and cover everything."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 150))
    objects = []
    for _ in range(draw(st.integers(1, 5))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        rows, columns = draw(st.integers(1, height - top)), draw(st.integers(1, width - left))
        mask = np.random.default_rng(draw(st.integers(0, 99))).random((rows, columns)) < draw(st.sampled_from([0.2, 1]))
        objects.append(masked(left, top, mask, draw(st.sampled_from(["car", "face"]))))
    return height, width, objects


# Every style


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=15)
@given(scene=scenes())
def test_only_hidden_pixels_change_and_the_same_call_gives_the_same_bytes(style: str, scene):
    height, width, objects = scene
    image, how = noise(height, width), Fill(style=style, blur=100)
    before, hidden = image.copy(), union(objects, height, width)
    if fill_refusal(how, width):
        return
    filled = fill(image, objects, how, secret=SECRET)
    assert np.array_equal(image, before)
    assert np.array_equal(filled[~hidden], image[~hidden])
    assert np.array_equal(filled, fill(image, objects, how, secret=SECRET))


@pytest.mark.parametrize("style", STYLES)
def test_nothing_found_leaves_a_copy(style: str):
    image = noise(60, 400)
    for objects in ([], [masked(3, 3, np.zeros((5, 5), bool))], [masked(3, 3, np.zeros((0, 5), bool))]):
        filled = fill(image, objects, Fill(style=style), secret=SECRET)
        assert np.array_equal(filled, image)
        assert not np.shares_memory(filled, image)


# One colour


@settings(max_examples=60)
@given(scene=scenes(), seed=st.integers(0, 2**32 - 1), even=st.sampled_from([None, 0, 255]))
def test_the_default_does_not_depend_on_what_it_hides(scene, seed: int, even: int | None):
    height, width, objects = scene
    image, hidden = noise(height, width), union(objects, height, width)
    other = image.copy()
    other[hidden] = noise(height, width, seed)[hidden] if even is None else even
    for how in (Fill(), Fill(colour=(1, 2, 3)), Fill(by_class=True)):
        one, two = (fill(picture, objects, how, secret=SECRET) for picture in (image, other))
        assert one.tobytes() == two.tobytes()


@settings(max_examples=25)
@given(scene=scenes())
def test_each_region_has_the_mean_of_the_visible_pixels_around_it(scene):
    """Against the same thing written down slowly."""
    height, width, objects = scene
    image, hidden = noise(height, width), union(objects, height, width)
    filled = fill(image, objects, Fill(), secret=SECRET)
    number, labels = cv2.connectedComponents(hidden.astype(np.uint8), connectivity=8)
    for region in range(1, number):
        near = np.zeros_like(hidden)
        for row, column in np.argwhere(labels == region):
            near[max(row - RING, 0) : row + RING + 1, max(column - RING, 0) : column + RING + 1] = True
        around = image[near & ~hidden].astype(float)
        mean = around.mean(axis=0) if len(around) else np.full(3, ALONE)
        assert (filled[labels == region] == filled[labels == region][0]).all()
        assert np.abs(filled[labels == region][0] - mean).max() <= 0.5 + 1e-6


def test_a_picture_that_is_hidden_whole_is_grey():
    assert (fill(noise(20, 30), [boxed(0, 0, 30, 20)], Fill(), secret=b"") == ALONE).all()


def test_regions_have_colours_of_their_own_unless_one_object_joins_them_across_the_seam():
    image = np.zeros((40, 200, 3), np.uint8)
    image[:, :100], image[:, 100:] = RED, BLUE
    apart = fill(image, [boxed(0, 10, 20, 30), boxed(180, 10, 200, 30)], Fill(), secret=b"")
    assert apart[20, 5].tolist() == list(RED)
    assert apart[20, 195].tolist() == list(BLUE)
    half = np.ones((20, 20), bool)
    across = fill(image, [pieced([(180, 10, half), (0, 10, half)])], Fill(), secret=b"")
    assert across[20, 5].tolist() == across[20, 195].tolist() == [128, 0, 128]
    also = [pieced([(180, 10, half), (0, 10, half)]), boxed(20, 10, 30, 30)]  # touches its right part
    wider = fill(image, also, Fill(), secret=b"")
    assert wider[20, 25].tolist() == wider[20, 5].tolist() == wider[20, 195].tolist() == [113, 0, 142]


def test_colours_by_class_are_the_replaced_systems_and_later_objects_lie_above():
    image = noise(30, 90)
    labels = [*COLOURS, "plate"]
    objects = [boxed(10 * place, 5, 10 * place + 15, 25, label) for place, label in enumerate(labels)]
    filled = fill(image, objects, Fill(by_class=True), secret=b"")
    for place, label in enumerate(labels):
        assert filled[10, 10 * place + 2].tolist() == list(COLOURS.get(label, OTHER)[::-1])
    assert fill(image, objects, Fill(colour=(255, 0, 10)), secret=b"")[10, 12].tolist() == [10, 0, 255]


def test_more_regions_than_are_looked_at_one_by_one():
    image = np.full((200, 400, 3), 7, np.uint8)
    objects = [boxed(x, y, x + 3, y + 3) for x in range(0, 400, 10) for y in range(0, 200, 7)]
    hidden = union(objects, 200, 400)
    image[hidden] = 200
    assert len(objects) > 1000
    assert (fill(image, objects, Fill(), secret=b"") == 7).all()


# Mosaic


def cells(picture: np.ndarray, cell: int = 20) -> np.ndarray:
    """The values of the cells, each of which has to be even and without hue."""
    height, width = picture.shape[:2]
    values = picture.reshape(height // cell, cell, width // cell, cell, 3)
    assert (values == values[:, :1, :, :1, :1]).all()
    return values[:, 0, :, 0, 0].astype(float)


def test_a_mosaic_is_means_and_noise_of_the_size_that_was_asked_for():
    image = np.full((800, 800, 3), 128, np.uint8)
    filled = fill(image, [boxed(0, 0, 800, 800)], Fill(style="mosaic", noise=40), secret=SECRET)
    values = cells(filled) - 128
    assert abs(values.mean()) < 4 * 40 / 40  # four standard errors of 1600 cells
    assert 37 < values.std() < 43
    other = cells(fill(image, [boxed(0, 0, 800, 800)], Fill(style="mosaic", noise=40), secret=SECRET[::-1])) - 128
    assert abs(np.corrcoef(values.ravel(), other.ravel())[0, 1]) < 0.1


def test_another_picture_gets_other_noise_under_the_same_secret():
    dark, light = np.full((400, 400, 3), 128, np.uint8), np.full((400, 400, 3), 128, np.uint8)
    light[399, 399] = 148  # a single pixel of one cell
    one, two = (
        cells(fill(each, [boxed(0, 0, 400, 400)], Fill(style="mosaic"), secret=SECRET)) for each in (dark, light)
    )
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.2


def test_cells_lie_on_the_pictures_grid_and_objects_that_share_one_agree():
    image = noise(61, 123)
    objects = [boxed(15, 5, 33, 18), boxed(34, 8, 50, 30), boxed(100, 41, 123, 61)]
    filled = fill(image, objects, Fill(style="mosaic"), secret=SECRET)
    hidden = union(objects, 61, 123)
    for top in range(0, 61, 20):
        for left in range(0, 123, 20):
            inside = filled[top : top + 20, left : left + 20][hidden[top : top + 20, left : left + 20]]
            assert len(np.unique(inside)) <= 1
    assert np.array_equal(filled, fill(image, objects[::-1], Fill(style="mosaic"), secret=SECRET))


def test_a_mosaic_refuses_a_secret_that_can_be_guessed():
    with pytest.raises(ConfigError, match="at least 16 bytes, got 3"):
        fill(noise(40, 40), [boxed(0, 0, 9, 9)], Fill(style="mosaic"), secret=b"abc")


# The replaced system's blurs

REFERENCE = {
    "normalised_grey_blur": ([[99] * 3, [98] * 3, [106] * 3], 5956397),
    "grey_blur": ([[110] * 3, [115] * 3, [142] * 3], 6120368),
    "blur": ([[61, 131, 127], [75, 134, 126], [166, 132, 129]], 6120912),
}
EDGE = [100] * 7 + [64, 70, 76, 82, 88, 94] + [100] * 9


def ramp() -> np.ndarray:
    place = np.arange(16000).reshape(40, 400)
    return np.dstack([29 * place + 100, 13 * place + 50, 7 * place]).astype(np.uint8)  # blue, green, red modulo 256


@pytest.mark.parametrize("style", REFERENCE)
def test_the_values_that_were_observed_of_the_replaced_system(style: str):
    filled = fill(ramp(), [boxed(100, 10, 200, 30)], Fill(style=style, blur=15), secret=b"")
    points = [filled[place][::-1].tolist() for place in ((15, 150), (10, 100), (29, 199))]
    assert (points, int(filled.sum(dtype=np.int64))) == REFERENCE[style]


def test_the_edge_that_was_observed_of_the_replaced_system():
    image = np.zeros((40, 400, 3), np.uint8)
    image[:, 200:] = 255
    filled = fill(image, [boxed(0, 0, 400, 40)], Fill(style="normalised_grey_blur", blur=15), secret=b"")
    assert filled[20, 190:212].tolist() == [[value] * 3 for value in EDGE]


@pytest.mark.parametrize("style", REFERENCE)
@settings(max_examples=30)
@given(scene=scenes(), kernel=st.integers(3, 60), wide=st.integers(0, 200), hard=st.booleans())
def test_filtering_around_the_objects_gives_what_filtering_everything_gives(style, scene, kernel, wide, hard):
    height, width, objects = scene
    width += wide
    image = noise(height, width) // 128 * 255 if hard else noise(height, width)
    hidden, how = union(objects, height, width), Fill(style=style, blur=min((kernel + 0.5) / width * 1000, 1000))
    size = int(how.blur / 1000 * width)
    if size < 3:
        return
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    whole = {
        "blur": cv2.blur(image, (size, size)),
        "grey_blur": cv2.merge([cv2.blur(grey, (size, size))] * 3),
        "normalised_grey_blur": cv2.merge(
            [cv2.blur(grey, (size, size)) - cv2.blur(grey, (int(1.2 * size),) * 2) + np.uint8(100)] * 3
        ),
    }[style]
    expected = np.where(hidden[:, :, None], whole, image)
    assert np.array_equal(fill(image, objects, how, secret=b""), expected)


@pytest.mark.parametrize("style", REFERENCE)
def test_a_blur_that_hides_nothing_is_refused(style: str):
    assert fill_refusal(Fill(style=style, blur=15), 200) is None  # 3 pixels
    told = fill_refusal(Fill(style=style, blur=15), 199)
    assert told is not None
    assert "a filter of 2 pixels" in told
    with pytest.raises(ConfigError, match=r"hides nothing: raise `blur` to 15\.08 or more"):
        fill(noise(20, 199), [boxed(0, 0, 9, 9)], Fill(style=style, blur=15), secret=b"")


def test_styles_that_are_no_blur_are_never_refused():
    assert [fill_refusal(Fill(style=style), 1) for style in ("constant", "mosaic")] == [None, None]
