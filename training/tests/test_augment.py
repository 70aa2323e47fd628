"""Boxes stay on their objects, whatever the view does to the picture."""

import numpy as np
import pytest

from augment import Layout, Picture, compose, degrade


def marked(rows: int, cols: int) -> Picture:
    """A black picture with one white rectangle and its box."""
    image = np.zeros((rows, cols, 3), np.uint8)
    image[rows // 4 : rows // 2, cols // 3 : cols // 2] = 255
    box = np.array([[(cols // 3) / cols, (rows // 4) / rows, (cols // 2) / cols, (rows // 2) / rows]], np.float32)
    return Picture(image, box, np.array([2]), "test")


@pytest.mark.parametrize("tiles", [1, 2, 4])
@pytest.mark.parametrize("seed", range(10))
def test_boxes_cover_the_white_pixels(tiles: int, seed: int) -> None:
    view = compose(np.random.default_rng(seed), lambda: marked(180, 240), 320, Layout(((tiles, 1.0),), 3.0))
    white = view.image.max(2) > 127
    inside = np.zeros_like(white)
    for left, top, right, bottom in view.boxes.round().astype(int):
        inside[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = True
        assert white[top:bottom, left:right].mean() > 0.85
    assert not (white & ~inside).any()
    assert len(view.tiles) == tiles * tiles


def test_degrading_keeps_shape_and_type() -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for _ in range(60):
        result = degrade(rng, image)
        assert result.shape == image.shape
        assert result.dtype == np.uint8
