"""One call from picture to detections: batches, threads, thresholds, riders."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto
from tests.vision.graphs import brightness_graph, constant_graph
from tests.vision.test_session import CPU, CUDA, fake

from wayside.core.errors import ModelHashError, ProviderError
from wayside.core.settings import Settings
from wayside.vision.adapters.base import Fit
from wayside.vision.batcher import Batcher
from wayside.vision.cards import ModelCard
from wayside.vision.detections import Detections
from wayside.vision.detector import Detector, load_detector

Make = Callable[..., ModelCard]
SIXTEEN = [np.full((20 + number, 30, 3), 90 + 10 * number, np.uint8) for number in range(16)]


def same(first: Sequence[Detections], second: Sequence[Detections]) -> bool:
    return len(first) == len(second) and all(
        a.labels == b.labels and np.allclose(a.boxes, b.boxes, atol=1e-5) and np.allclose(a.scores, b.scores, atol=1e-5)
        for a, b in zip(first, second, strict=True)
    )


def test_what_a_detector_says_of_itself(settings: Settings, make_card: Make) -> None:
    card = make_card(brightness_graph())
    detector = load_detector("Tiny", settings)
    assert (detector.name, detector.sha256, detector.provider) == ("Tiny", card.sha256, CPU)
    assert detector.classes == (
        "bicycle", "bus", "car", "cyclist", "motorcycle", "motorcyclist", "person", "truck",
    )  # fmt: skip
    assert load_detector("Tiny", settings, riders=False).classes == card.classes
    assert detector.input_size == (64, 64)
    assert load_detector("Tiny", settings, score=0.7).thresholds.score == 0.7
    assert load_detector("Tiny", settings, nms_iou=0.1).thresholds.nms_iou == 0.1


@pytest.mark.parametrize("graph_batch", ["N", 1, 4])
def test_batch_1_and_batch_16_give_the_same_boxes(settings: Settings, make_card: Make, graph_batch: int | str) -> None:
    make_card(brightness_graph(batch=graph_batch))
    detector = load_detector("Tiny", settings)
    alone = [detector.detect(image) for image in SIXTEEN]
    assert len({float(one.scores[0]) for one in alone}) == 16
    assert same(detector.detect_many(SIXTEEN), alone)
    assert same(detector.detect_many(SIXTEEN, batch=16), alone)
    assert same(detector.detect_many(SIXTEEN, batch=5), alone)
    assert detector.detect_many([]) == []


def test_on_a_gpu_threads_are_joined_into_batches(
    settings: Settings, make_card: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_card(brightness_graph())
    alone = load_detector("Tiny", settings).detect_many(SIXTEEN)
    fake(monkeypatch, [CUDA, CPU], [CUDA, CPU])
    detector = load_detector("Tiny", settings, device="cuda")
    assert detector.provider == CUDA
    sizes: list[int] = []
    run, gate = detector._session.run, threading.Barrier(8)

    def watched(feeds: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(feeds["images"]))
        return run(feeds)

    def detect(image: NDArray[np.uint8]) -> Detections:
        gate.wait()
        return detector.detect(image)

    monkeypatch.setattr(detector._session, "run", watched)
    with ThreadPoolExecutor(8) as pool:
        assert same(list(pool.map(detect, SIXTEEN)), alone)
    assert all(size & (size - 1) == 0 for size in sizes)
    assert same(detector.detect_many(SIXTEEN[:11]), alone[:11])
    assert sizes[-1] == 16


def test_errors_of_loading(settings: Settings, make_card: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(brightness_graph())
    fake(monkeypatch, [CPU], [CPU])
    with pytest.raises(ProviderError, match="Tiny"):
        load_detector("Tiny", settings, device="cuda")
    with pytest.raises(ProviderError):
        load_detector("Tiny", settings.model_copy(update={"device": "tensorrt"}))
    (settings.models / card.file).write_bytes(b"swapped")
    with pytest.raises(ModelHashError):
        load_detector("Tiny", settings)


def test_riders_are_joined_unless_told_otherwise(settings: Settings, make_card: Make) -> None:
    scores = np.zeros((1, 2, 6), np.float32)
    scores[0, 0, 0], scores[0, 1, 4] = 0.5, 0.9
    boxes = np.asarray([[[0.4, 0.5, 0.6, 0.8], [0.44, 0.3, 0.56, 0.75]]], np.float32)
    make_card(constant_graph({"scores": scores, "boxes": boxes}, dtype=TensorProto.UINT8))
    assert load_detector("Tiny", settings).detect(SIXTEEN[0]).labels == ("cyclist",)
    assert load_detector("Tiny", settings, riders=False).detect(SIXTEEN[0]).labels == ("person", "bicycle")


def test_two_raw_classes_of_one_label_are_one_class(settings: Settings, make_card: Make) -> None:
    scores = np.asarray([[[0.9, 0], [0, 0.8]]], np.float32)
    boxes = np.asarray([[[0.1, 0.1, 0.5, 0.5]] * 2], np.float32)
    graph = constant_graph({"scores": scores, "boxes": boxes}, dtype=TensorProto.UINT8)
    make_card(graph, classes=["person", "pedestrian"])
    detector: Detector = load_detector("Tiny", settings)
    assert detector.classes == ("person",)
    assert detector.detect(SIXTEEN[0]).labels == ("person",)


fraction = st.floats(0, 1, width=32)


@given(
    st.lists(st.tuples(fraction, fraction, fraction, fraction), max_size=8), st.floats(0.0625, 1), st.floats(0.0625, 1)
)
@hypothesis_settings(deadline=None)
def test_a_fit_turns_fractions_of_the_input_into_fractions_of_the_picture(
    boxes: list[Any], across: float, down: float
) -> None:
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    back = Fit(across, down).to_picture(array * np.asarray((across, down) * 2, np.float32))
    assert np.allclose(back, array, atol=1e-5)
    assert ((Fit(across, down).to_picture(array * 3 - 1) >= 0) & (back <= 1)).all()


class TestBatcher:
    """Requests from many threads, joined."""

    def test_one_thread_runs_alone(self) -> None:
        sizes: list[int] = []

        def run(items: Sequence[int]) -> list[int]:
            sizes.append(len(items))
            return [item * 2 for item in items]

        batcher = Batcher(run, 4)
        assert [batcher(number) for number in range(3)] == [0, 2, 4]
        assert sizes == [1, 1, 1]

    def test_what_waits_while_a_batch_runs_makes_the_next_batch(self) -> None:
        started, release = threading.Event(), threading.Event()
        sizes: list[int] = []

        def run(items: Sequence[int]) -> list[int]:
            sizes.append(len(items))
            started.set()
            assert release.wait(5)
            return [item * 2 for item in items]

        batcher = Batcher(run, 4)
        with ThreadPoolExecutor(7) as pool:
            first = pool.submit(batcher, 0)
            assert started.wait(5)
            others = [pool.submit(batcher, number) for number in range(1, 7)]
            while len(batcher._waiting) < 6:
                threading.Event().wait(0.001)
            release.set()
            assert [future.result(5) for future in (first, *others)] == [0, 2, 4, 6, 8, 10, 12]
        assert sizes == [1, 4, 2]

    def test_a_missing_answer_is_an_error_and_not_a_wait_without_end(self) -> None:
        batcher = Batcher(lambda items: items[1:], 4)
        with pytest.raises(ValueError, match="0 answers to a batch of 1"):
            batcher(1)

    def test_an_error_reaches_everybody_in_the_batch_and_nobody_else(self) -> None:
        def run(items: Sequence[int]) -> list[float]:
            return [1 / item for item in items]

        batcher = Batcher(run, 1)
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(batcher, number) for number in (1, 0, 2, 0)]
        results = [type(future.exception()) if future.exception() else future.result() for future in futures]
        assert results == [1, ZeroDivisionError, 0.5, ZeroDivisionError]
