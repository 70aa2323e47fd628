"""Drawn boxes are where they should be, and only there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wayside.vision.annotate import COLOURS, annotate
from wayside.vision.detections import Detections
from wayside.vision.labels import RAW_LABELS, with_riders


def one(box: tuple[float, float, float, float], label: str = "bus") -> Detections:
    return Detections(np.asarray([box], np.float32), np.asarray([0.87], np.float32), (label,))


def test_a_box_is_drawn_in_its_colour_on_a_copy(street: NDArray[np.uint8]) -> None:
    before = street.copy()
    drawn = annotate(street, one((0.25, 0.25, 0.75, 0.75)))
    assert np.array_equal(street, before)
    assert drawn.shape == street.shape
    assert tuple(drawn[72, 200]) == COLOURS["bus"]
    assert tuple(drawn[150, 264]) == COLOURS["bus"]
    assert np.array_equal(drawn[100:190, 110:240], street[100:190, 110:240])


def test_nothing_found_changes_nothing(street: NDArray[np.uint8]) -> None:
    assert np.array_equal(annotate(street, Detections.empty()), street)


def test_what_is_static_is_grey_and_struck_through(street: NDArray[np.uint8]) -> None:
    drawn = annotate(street, one((0.25, 0.25, 0.75, 0.75)), np.asarray([True]))
    assert not (drawn == COLOURS["bus"]).all(axis=-1).any()
    assert not np.array_equal(drawn[130:160, 160:190], street[130:160, 160:190])


def test_an_unknown_label_and_the_top_edge(street: NDArray[np.uint8]) -> None:
    drawn = annotate(street, one((0.9, 0.0, 1.0, 0.2), "tram"))
    assert not np.array_equal(drawn[:20, 280:], street[:20, 280:])


@pytest.mark.parametrize("label", with_riders(RAW_LABELS))
def test_every_label_has_a_colour(label: str) -> None:
    assert label in COLOURS


@given(
    st.integers(1, 90), st.integers(1, 90), st.tuples(*[st.floats(0, 1, width=32)] * 4), st.sampled_from([True, False])
)
@settings(deadline=None, max_examples=40)
def test_any_size_and_box_can_be_drawn(height: int, width: int, box: tuple, static: bool) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    assert annotate(image, one(box), np.asarray([static])).shape == image.shape
