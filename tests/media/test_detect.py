"""A video goes through a detector picture by picture: in order, few at once, and nothing is lost by a break."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.clips import T0, Move, make_clip, truncate

from wayside.core.errors import ModelError
from wayside.core.settings import settings
from wayside.media.detect import scan
from wayside.vision.detections import Detections
from wayside.vision.detector import load_detector


class RedFinder:
    """Finds the red rectangle with certainty, and something faint that is always there. It counts who is at work.

    The first `together` pictures wait for each other, so that they have to be worked on at the same time.
    """

    def __init__(self, together: int = 0) -> None:
        self.lock, self.now, self.most, self.left = threading.Lock(), 0, 0, together
        self.barrier = threading.Barrier(together) if together else None

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            waits, self.left = self.left > 0, self.left - 1
        if waits and self.barrier:
            self.barrier.wait(30)
        time.sleep(0.002 if int(image.sum()) % 2 else 0)  # out of step, so that the order is put to the test
        columns = np.flatnonzero(((image[..., 2] > 150) & (image[..., 1] < 90)).any(axis=0))
        left, right = columns[[0, -1]] / image.shape[1] if len(columns) else (0.0, 0.0)
        with self.lock:
            self.now -= 1
        boxes = np.array([[left, 0.4, right, 0.6], [0, 0, 0.1, 0.1]], np.float32)
        return Detections.sorted(boxes, np.array([0.9, 0.05], np.float32), ["car", "person"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mp4", seconds=4, moves=(Move("red", (0.1, 0.5), (0.9, 0.5)),))


def test_what_is_found_is_in_the_order_of_the_frames(path: Path):
    finder = RedFinder(together=3)
    found = scan(path, start_at=T0, detector=finder, fps=5, workers=3)
    assert (found.status, found.reason, found.detail) == ("ok", None, None)
    assert found.offsets_us == tuple(range(0, 4_000_000, 200_000))
    assert all(one.labels == ("car",) for one in found.found)
    lefts = [float(one.boxes[0, 0]) for one in found.found]
    assert lefts == sorted(lefts)
    assert lefts[-1] - lefts[0] > 0.7
    assert finder.most == 3
    both = scan(path, start_at=T0, detector=finder, fps=5, floor=0.01, workers=1)
    assert all(one.labels == ("car", "person") for one in both.found)


def test_frames_are_read_no_further_than_the_detectors_are(path: Path, monkeypatch: pytest.MonkeyPatch):
    from wayside.media import detect

    read, real = [0], detect.frames

    def counted(*arguments: object, **rest: object):
        for frame in real(*arguments, **rest):  # type: ignore[arg-type]
            read[0] += 1
            yield frame

    monkeypatch.setattr(detect, "frames", counted)
    ahead: list[int] = []
    finder = RedFinder()
    seen = finder.detect

    def look(image: NDArray[np.uint8]) -> Detections:
        ahead.append(read[0] - len(ahead))
        return seen(image)

    monkeypatch.setattr(finder, "detect", look)
    scan(path, start_at=T0, detector=finder, fps=None, workers=2)
    assert read[0] == 40
    assert max(ahead) <= 2 + 2 + 1


def test_a_video_that_breaks_off_keeps_what_was_seen(path: Path):
    truncate(path)
    found = scan(path, start_at=T0, detector=RedFinder(), fps=None)
    assert (found.status, found.reason) == ("partial", "broken_off")
    assert 15 <= len(found.offsets_us) == len(found.found) <= 25


def test_a_video_that_is_none_has_failed(tmp_path: Path):
    (tmp_path / "no.mp4").write_bytes(b"no video" * 100)
    found = scan(tmp_path / "no.mp4", start_at=T0, detector=RedFinder(), fps=1)
    assert (found.status, found.reason, found.offsets_us, found.found) == ("failed", "not_a_video", (), ())
    assert found.detail


def test_a_detector_that_fails_stops_the_scan(path: Path, monkeypatch: pytest.MonkeyPatch):
    finder = RedFinder()

    def broken(image: NDArray[np.uint8]) -> Detections:
        raise ModelError("the model answers in tongues")

    monkeypatch.setattr(finder, "detect", broken)
    with pytest.raises(ModelError, match="tongues"):
        scan(path, start_at=T0, detector=finder, fps=2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("wayside-stream")]


def test_our_own_detector_gives_the_same_with_any_number_of_workers(path: Path):
    detector = load_detector("WaysideV1", settings(), score=0.1)
    one, other = (scan(path, start_at=T0, detector=detector, fps=1, workers=number) for number in (1, 3))
    assert one.offsets_us == other.offsets_us == (0, 1_000_000, 2_000_000, 3_000_000)
    for left, right in zip(one.found, other.found, strict=True):
        assert left.labels == right.labels
        assert np.array_equal(left.boxes, right.boxes)
