"""Previews: a crop of the anonymised picture, black outside it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.privacy.previews import preview
from wayside.privacy.settings import Preview


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (height, width, 3), np.uint8)


def test_the_default_crop_of_a_planar_picture():
    image = picture(2000, 4000)
    assert np.array_equal(preview(image, Preview()), image[200:1600, 740:3260])  # centre (2000, 900)


def test_a_picture_smaller_than_its_preview_lies_in_black():
    image = picture(10, 20)
    crop = preview(image, Preview(width=40, height=30, centre_x=0.5, centre_y=0.5))
    assert np.array_equal(crop[10:20, 10:30], image)
    assert np.count_nonzero(crop) == image.size


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    wanted=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    centre=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_every_pixel_is_the_pictures_or_black(size, wanted, centre):
    image = picture(*size)
    crop = preview(image, Preview(height=wanted[0], width=wanted[1], centre_y=centre[0], centre_x=centre[1]))
    assert crop.shape == (*wanted, 3)
    assert not np.shares_memory(crop, image)
    left, top = int(size[1] * centre[1]) - wanted[1] // 2, int(size[0] * centre[0]) - wanted[0] // 2
    for row in range(wanted[0]):
        for column in range(wanted[1]):
            y, x = top + row, left + column
            inside = 0 <= y < size[0] and 0 <= x < size[1]
            assert crop[row, column].tolist() == (image[y, x].tolist() if inside else [0, 0, 0])
