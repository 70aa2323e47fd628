"""The graphics card sees what the CPU sees, where there is a card on which CUDA really works."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.pictures import Publisher
from wayside.vision.decode import decode
from wayside.vision.detections import Detections
from wayside.vision.detector import Detector, load_detector
from wayside.vision.nms import iou

MODEL = "WaysideV1"
# A score this close above the threshold may fall below it by rounding alone.
DOUBT = 0.05


@pytest.fixture(scope="module")
def on_cpu() -> Detector:
    return load_detector(MODEL, Settings(), device="cpu")


@pytest.fixture(scope="module")
def on_gpu(on_cpu: Detector) -> Detector:
    """The same on the GPU. The model is fine, since the CPU has loaded it: what fails here is CUDA."""
    try:
        return load_detector(MODEL, Settings(), device="cuda")
    except ModelError as error:
        pytest.skip(f"CUDA does not work on this machine: {error}")


@pytest.fixture(scope="module")
def streets() -> list[NDArray[np.uint8]]:
    """Pictures of the demo city in the rush hour, which every machine can draw."""
    city = DemoCity()
    now = datetime(2026, 6, 16, 8, 0, tzinfo=UTC)
    cameras = [camera for camera in map(city.tfl, range(16)) if city.fault(camera, now) is None]
    shown = [Publisher(city).current(camera, now) for camera in cameras]
    return [decode(picture.body).image for picture in shown if picture is not None]


def sees_all_of(one: Detections, other: Detections, threshold: float) -> bool:
    """Tell whether each box of `other` that is beyond doubt has its twin in `one`."""
    overlaps = iou(other.boxes, one.boxes) if len(one) else np.zeros((len(other), 1), np.float32)
    for label, score, row in zip(other.labels, other.scores, overlaps, strict=True):
        twins = [
            fit > 0.95 and label == mine and abs(float(score) - float(sure)) < 0.02
            for fit, mine, sure in zip(row, one.labels, one.scores, strict=False)
        ]
        if score > threshold + DOUBT and not any(twins):
            return False
    return True


@pytest.mark.parametrize("batch", [1, 8])
def test_cuda_finds_the_boxes_that_the_cpu_finds(
    on_cpu: Detector, on_gpu: Detector, streets: list[NDArray[np.uint8]], batch: int
) -> None:
    expected, found = (one.detect_many(streets, batch=batch) for one in (on_cpu, on_gpu))
    assert sum(len(boxes) for boxes in expected) > 10
    for cpu, gpu in zip(expected, found, strict=True):
        assert sees_all_of(gpu, cpu, on_cpu.thresholds.score)
        assert sees_all_of(cpu, gpu, on_cpu.thresholds.score)
