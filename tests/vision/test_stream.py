"""Order, bounds, failures and early ends of the stream."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.vision.graphs import brightness_graph

from wayside.core.errors import ImageError
from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard
from wayside.vision.decode import Limits, decode, encode_jpeg
from wayside.vision.detector import load_detector
from wayside.vision.stream import Detected, Failure, detect_stream, stream, usable_cores


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 4), st.integers(1, 9))
@hypothesis_settings(deadline=None, max_examples=40)
def test_results_come_in_order_and_failures_in_their_place(items: list[int], workers: int, depth: int) -> None:
    results = list(stream(items, lambda item: 12 // (item % 4), workers=workers, depth=depth))
    assert len(results) == len(items)
    for item, result in zip(items, results, strict=True):
        if item % 4:
            assert result == 12 // (item % 4)
        else:
            assert isinstance(result, Failure)
            assert result.item == item
            assert isinstance(result.error, ZeroDivisionError)


def test_a_late_first_item_does_not_change_the_order() -> None:
    second_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_done.wait(5)
        if item == 1:
            second_done.set()
        return item

    assert list(stream(range(6), work, workers=2)) == list(range(6))


def test_the_source_is_never_read_too_far_ahead() -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    results = stream(items(), lambda item: item, workers=2, depth=5)
    assert read == 0
    for taken, _ in enumerate(results, start=1):
        assert read <= taken + 5


def test_stopping_early_drops_what_has_not_begun_and_ends_the_threads() -> None:
    done: list[int] = []
    before = threading.active_count()
    results = stream(range(1000), lambda item: done.append(item), workers=2, depth=8)
    next(results)
    results.close()
    assert len(done) <= 9
    assert threading.active_count() == before


def test_an_error_of_the_source_is_raised_and_the_threads_end() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    before = threading.active_count()
    seen = []
    with pytest.raises(OSError, match="disk"):
        seen.extend(stream(items(), lambda item: item, workers=1, depth=1))
    assert threading.active_count() == before


def test_an_interrupt_is_no_failure() -> None:
    def work(item: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(stream([1, 2, 3], work, workers=1))


def test_cores() -> None:
    assert usable_cores() >= 1
    assert list(stream([1], lambda item: item)) == [1]


def test_detect_stream(settings: Settings, make_card: Callable[..., ModelCard]) -> None:
    make_card(brightness_graph())
    detector = load_detector("Tiny", settings)
    pictures = {
        "day": encode_jpeg(np.full((600, 800, 3), 200, np.uint8)),
        "broken": b"no picture",
        "dusk": encode_jpeg(np.full((60, 80, 3), 100, np.uint8)),
        "big": encode_jpeg(np.full((601, 801, 3), 200, np.uint8)),
    }
    names = ["day", "broken", "dusk", "gone", "big"]
    limits = Limits(10**6, 600 * 800)
    day, broken, dusk, gone, big = detect_stream(names, pictures.__getitem__, detector, workers=2, limits=limits)
    assert isinstance(day, Detected)
    assert (day.item, day.width, day.height, day.format) == ("day", 800, 600, "jpeg")
    # A flat picture looks the same at every size, so a reduced decode changes nothing.
    alone = detector.detect(decode(pictures["day"]).image)
    assert day.detections.labels == alone.labels
    assert np.allclose(day.detections.scores, alone.scores, atol=0.01)
    assert isinstance(dusk, Detected)
    assert isinstance(broken, Failure)
    assert isinstance(broken.error, ImageError)
    assert broken.error.reason == "not_an_image"
    assert isinstance(gone, Failure)
    assert isinstance(gone.error, KeyError)
    assert isinstance(big, Failure)
    assert big.error.reason == "too_many_pixels"
