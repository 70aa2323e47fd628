"""Windows leave out no pixel and cut no small object, in the plane, across the seam and near the poles."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wayside.privacy.settings import Tiling
from wayside.privacy.tiles import MAX_WINDOWS, Views, Window, cut, levels, replaced_windows, uncovered, windows


@st.composite
def tilings(draw: st.DrawFn, wrap: bool) -> Tiling:
    tile = draw(st.integers(64, 600))
    return Tiling(enabled="always", tile=tile, overlap=draw(st.integers(0, tile // 2)), wrap=wrap)


def seen(looks: tuple[Window, ...], height: int, width: int) -> np.ndarray:
    """Count the windows that show each pixel, by brute force."""
    counts = np.zeros((height, width), np.int64)
    for look in looks:
        columns = np.arange(look.left, look.left + look.width) % width
        counts[look.top : look.top + look.height, columns] += 1
    return counts


def finest(height: int, width: int, tiling: Tiling) -> tuple[Window, ...]:
    """The windows of the smallest tiles alone; they have to do it without the looks at the whole."""
    return levels(height, width, tiling)[-1]


@settings(max_examples=40)
@given(st.data(), st.integers(1, 700), st.integers(1, 900), st.booleans())
def test_tiles_alone_show_every_pixel(data: st.DataObject, height: int, width: int, wrap: bool) -> None:
    looks = finest(height, width, data.draw(tilings(wrap)))
    assert seen(looks, height, width).min() > 0
    assert uncovered(height, width, looks) == 0


@settings(max_examples=150)
@given(st.data(), st.integers(60, 3000), st.integers(60, 4000))
def test_what_is_no_larger_than_the_overlap_is_whole_in_a_tile(data: st.DataObject, height: int, width: int) -> None:
    tiling = data.draw(tilings(wrap=False))
    side = tiling.overlap
    if side == 0 or side >= min(height, width):
        return
    looks = finest(height, width, tiling)
    left, top = data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side))
    assert any(
        look.left <= left and left + side <= look.box[2] and look.top <= top and top + side <= look.box[3]
        for look in looks
    )


@settings(max_examples=300)
@given(st.data(), st.integers(200, 4000))
def test_what_is_stretched_is_whole_in_a_window_wherever_it_lies(data: st.DataObject, height: int) -> None:
    """In a panorama of the whole sphere an object is drawn 1 / cos(latitude) times too wide, and may cross the seam."""
    width = 2 * height
    tiling = data.draw(tilings(wrap=True))
    side = tiling.overlap
    top = data.draw(st.integers(0, height - 1))
    if side == 0 or top + side > height:
        return
    poleward = max(abs(height / 2 - top), abs(height / 2 - top - side)) * math.pi / height
    columns = math.ceil(side / max(1e-9, math.cos(poleward)))
    if columns > width // 2:
        return
    left = data.draw(st.integers(0, width - 1))
    looks = [look for look in finest(height, width, tiling) if look.top <= top and top + side <= look.box[3]]
    assert any((left - look.left) % width + columns <= look.width for look in looks)


@settings(max_examples=30)
@given(st.data(), st.integers(1, 3000), st.integers(1, 4000), st.booleans())
def test_windows_lie_in_the_picture_and_are_few(data: st.DataObject, height: int, width: int, wrap: bool) -> None:
    looks = windows(height, width, data.draw(tilings(wrap)))
    assert looks[0].box == (0, 0, width, height)
    assert len(set(looks)) == len(looks) < MAX_WINDOWS * 2
    for look in looks:
        assert 0 <= look.left < width
        assert 0 < look.width <= width
        assert 0 < look.shown <= look.width
        assert 0 <= look.top < look.box[3] <= height
        assert wrap or look.box[2] <= width


def test_when_pictures_are_tiled() -> None:
    assert len(windows(800, 1024, Tiling())) == 1
    assert len(windows(800, 1025, Tiling())) == 1, "a little more than a tile is still one"
    assert len(windows(800, 1300, Tiling())) == 3
    assert len(windows(800, 1300, Tiling(enabled="never"))) == 1
    assert len(windows(500, 400, Tiling(enabled="always", tile=400, overlap=100))) == 3
    whole = [(0, 400), (200, 400)]
    assert [(w.left, w.width) for w in windows(300, 400, Tiling(wrap=True))] == whole, "the whole, and turned by half"


def test_the_windows_of_a_panorama() -> None:
    """Tiles grow toward the poles and are squeezed back; what is larger than an overlap has coarser tiles."""
    looks = windows(4000, 8000, Tiling(wrap=True))
    fine = [look for look in looks if look.height == 1024]
    widths = {look.top: look.width for look in fine}
    assert widths == {0: 2617, 744: 1228, 1488: 1024, 2232: 1228, 2976: 2617}
    for top, width in widths.items():
        latitude = abs(2000 - top - 512) * math.pi / 4000
        assert width == pytest.approx(1024 / math.cos(latitude), abs=1)
    assert {look.shown for look in fine} == {1024, 1228, 1280}
    assert {look.reduced for look in looks if look not in fine and look.height > 1000} == {4}
    assert [look.width for look in looks if look.height == 4000] == [8000, 8000] + [4096] * 6
    assert len(looks) < 80


def test_the_least_overlap_is_kept_everywhere() -> None:
    for height, width in ((1032, 2692), (4000, 8000), (1025, 1025), (3001, 777)):
        looks = windows(height, width, Tiling())[1:]
        for row in {look.top for look in looks}:
            lefts = sorted(look.left for look in looks if (look.top, look.height) == (row, looks[-1].height))
            assert all(second - first <= looks[-1].width - 256 for first, second in itertools.pairwise(lefts))


def test_cutting_across_the_seam_and_squeezing() -> None:
    image = np.arange(4 * 10 * 3, dtype=np.uint8).reshape(4, 10, 3)
    inside = cut(image, Window(2, 1, 5, 2, 5))
    assert np.shares_memory(inside, image)
    assert (inside == image[1:3, 2:7]).all()
    across = cut(image, Window(8, 0, 5, 4, 5))
    assert (across == image[:, [8, 9, 0, 1, 2]]).all()
    assert cut(image, Window(0, 0, 10, 4, 5)).shape == (4, 5, 3)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(5, 90), st.integers(5, 120)),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0.05, 1), st.floats(0.05, 1)),
    st.integers(1, 5),
)
def test_a_reduced_view_shows_the_window_and_says_exactly_what(
    size: tuple[int, int], place: tuple[float, float, float, float], reduced: int
) -> None:
    """The picture's values are its columns, so a view of it tells which columns it shows."""
    height, width = size
    image = np.repeat(np.arange(width, dtype=np.uint8)[None, :, None], height, axis=0).repeat(3, axis=2)
    left, top = int(place[0] * width), int(place[1] * height)
    columns, rows = max(1, int(place[2] * width)), max(1, int(place[3] * (height - top)))
    window = Window(left, top, columns, rows, columns, reduced)
    part, frame = Views(image, [window]).cut(window)
    assert frame[0] <= left + 1e-9
    assert frame[1] <= top + 1e-9
    assert left + columns <= frame[0] + frame[2] + 1e-9 or frame[2] > width - 1e-9
    assert top + rows <= frame[1] + frame[3] + 1e-9
    assert frame[2] - columns < 3 * reduced
    assert frame[3] - rows < 3 * reduced
    step = frame[2] / part.shape[1]
    middles = (frame[0] + (np.arange(part.shape[1]) + 0.5) * step) % width - 0.5
    away_from_seam = (middles > reduced) & (middles < width - reduced - 1)
    assert np.abs(part[0, :, 0] - middles)[away_from_seam].max(initial=0) <= 1 + reduced / 2


def test_the_windows_of_the_replaced_system() -> None:
    """Both examples of its documentation, and what it leaves to the one look at the whole."""
    looks = replaced_windows(4000, 8000, (3, 2), (1500, 1300))
    assert {(look.height, look.width) for look in looks} == {(1333, 4000)}
    assert [(look.top, look.left) for look in looks] == [
        (top, left) for top in (0, 1500) for left in (0, 1300, 2600, 3900)
    ]
    tops = {look.top for look in replaced_windows(4000, 8000, (4, 4), (800, 800))}
    assert (len(replaced_windows(4000, 8000, (4, 4), (800, 800))), len(tops)) == (32, 4)
    missed = (167 + 1167) * 8000 + 2 * 1333 * 100  # rows 1333-1499 and 2833-3999, columns from 7900
    assert uncovered(4000, 8000, looks) == pytest.approx(missed / 32e6)
    assert uncovered(4000, 8000, ()) == 1


def test_an_overlap_that_leaves_no_step_is_refused() -> None:
    with pytest.raises(ValidationError, match="half"):
        Tiling(tile=100, overlap=51)
