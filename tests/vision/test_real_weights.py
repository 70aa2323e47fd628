"""The adapters on the real weights and a real street picture, where the test data are there."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard
from wayside.vision.decode import decode
from wayside.vision.detector import Detector, load_detector
from wayside.vision.evaluate import read_set
from wayside.vision.nms import iou
from wayside.vision.registry import card, cards, find
from wayside.vision.stream import Detected, detect_stream

ROOT = Path(__file__).parents[2]
STILL = "NETravelData-images_20200508_1050_NT_A191E1.jpg"

# Cars that anybody sees in the picture, as fractions.
CARS = np.asarray(
    [
        [0.741, 0.686, 0.927, 0.888],
        [0.494, 0.483, 0.602, 0.606],
        [0.180, 0.616, 0.297, 0.779],
        [0.222, 0.400, 0.288, 0.503],
    ],
    np.float32,
)
WEIGHTS = {
    "YoloxNano": "yolox_nano_kaz.onnx",
    "NanoDetPlus": "nanodet_plus_m15x416.onnx",
    "DeimV2Atto": "deimv2_atto.onnx",
    "YuNet": "yunet_n_dyn.onnx",
}

Load = Callable[..., Detector]


@pytest.fixture
def load(settings: Settings, data: Path) -> Load:
    """Return a function that loads a model of the catalogue with weights from the data folder."""

    def loader(name: str, file: str | None = None, **options: float) -> Detector:
        shutil.copy(ROOT / "models" / _card_file(name), settings.models)
        model = card(name, settings)
        shutil.copyfile(data / "weights" / (file or WEIGHTS[name]), settings.models / model.file)
        if model.sha256 is None:
            _write_hash(settings, model)
        return load_detector(name, settings, **options)

    return loader


def _card_file(name: str) -> str:
    return next(path.name for path in (ROOT / "models").glob("*.yaml") if ModelCard.read(path).name == name)


def _write_hash(settings: Settings, model: ModelCard) -> None:
    """Trust the test's copy, as the first pull would."""
    digest = hashlib.sha256((settings.models / model.file).read_bytes()).hexdigest()
    settings.pulled_models.mkdir(parents=True, exist_ok=True)
    (settings.pulled_models / "pulled.yaml").write_text(yaml.safe_dump({model.name: digest}), encoding="utf-8")


@pytest.fixture
def still(data: Path) -> bytes:
    return (data / "camera-stills" / STILL).read_bytes()


def cars_found(detector: Detector, image: NDArray[np.uint8]) -> int:
    """Count the cars of `CARS` that are found, each by a box that fits well."""
    found = detector.detect(image)
    mine = found.take(np.asarray([label == "car" for label in found.labels], np.bool_))
    return int((iou(CARS, mine.boxes).max(axis=1, initial=0) > 0.6).sum())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("YoloxNano", None),
        ("NanoDetPlus", None),
        ("NanoDetPlus", "nanodet_plus_m15x416_int8.onnx"),
        ("DeimV2Atto", None),
    ],
)
def test_the_cars_of_a_real_street_are_found(load: Load, still: bytes, name: str, file: str | None) -> None:
    detector = load(name, file)
    full = decode(still).image
    assert cars_found(detector, full) == len(CARS)
    assert cars_found(detector, np.ascontiguousarray(full[:, :600])) < len(CARS)
    wide = np.zeros((480, 960, 3), np.uint8)
    wide[:, 160:800] = full
    moved = detector.detect(wide)
    best = moved.boxes[[label == "car" for label in moved.labels]]
    expected = CARS * (2 / 3, 1, 2 / 3, 1) + (1 / 6, 0, 1 / 6, 0)
    assert (iou(expected.astype(np.float32), best).max(axis=1) > 0.5).sum() >= 3


def test_faces(load: Load, data: Path) -> None:
    """Four people look at us in one picture; an empty road at night has no face."""
    detector = load("YuNet", score=0.8)
    night = decode((data / "camera-stills" / "TfL-images-20200501-0040-00001.08859.jpg").read_bytes()).image
    assert len(detector.detect(night)) == 0
    pictures = read_set(data / "detection" / "eval_highway.parquet")
    people = next(picture for picture in pictures if picture.id == "013877-1-lg_jpg")
    found = detector.detect(decode(people.image).image)
    assert len(found) == 4
    assert set(found.labels) == {"face"}


def test_a_dynamic_batch_gives_the_same_boxes(load: Load, data: Path) -> None:
    detector = load("DeimV2Atto")
    stills = sorted((data / "camera-stills").glob("TfL-*.jpg"))[:6]
    images = [decode(path.read_bytes()).image for path in stills]
    alone = [detector.detect(image) for image in images]
    together = detector.detect_many(images, batch=16)
    assert any(len(one) for one in alone)
    for one, other in zip(alone, together, strict=True):
        assert one.labels == other.labels
        assert np.allclose(one.boxes, other.boxes, atol=1e-3)
        assert np.allclose(one.scores, other.scores, atol=1e-3)


def test_the_model_that_comes_with_wayside(data: Path, still: bytes) -> None:
    real = Settings(device="cpu")
    if "WaysideV1" not in cards(real) or find(card("WaysideV1", real), real) is None:
        pytest.skip("no weights of WaysideV1 in models/")
    detector = load_detector("WaysideV1", real)
    assert cars_found(detector, decode(still).image) >= 3
    stills = sorted((data / "camera-stills").glob("*.jpg"))[:16]
    images = [decode(path.read_bytes()).image for path in stills]
    alone = [detector.detect(image) for image in images]
    for one, other in zip(alone, detector.detect_many(images, batch=16), strict=True):
        assert one.labels == other.labels
        assert np.allclose(one.boxes, other.boxes, atol=1e-4)
        assert np.allclose(one.scores, other.scores, atol=1e-4)


def test_the_stream_over_a_folder_with_broken_files(load: Load, data: Path) -> None:
    paths = sorted((data / "camera-stills").iterdir())
    results = list(detect_stream(paths, Path.read_bytes, load("YoloxNano"), workers=2))
    assert [result.item for result in results] == paths
    broken = {result.item.name: result.error for result in results if not isinstance(result, Detected)}
    assert broken.keys() == {"this_isnt_an_image.jpeg", "zero_length_image.jpeg"}
    reasons = {error.reason for error in broken.values() if isinstance(error, ImageError)}
    assert reasons == {"empty", "not_an_image"}
