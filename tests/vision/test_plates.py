"""The plate detector that comes with Wayside finds rendered plates, and little where there are none."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from wayside.core.settings import Settings
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.render import render
from wayside.vision.decode import decode
from wayside.vision.detector import Detector, load_detector
from wayside.vision.evaluate import read_set
from wayside.vision.nms import iou
from wayside.vision.registry import card

ROOT = Path(__file__).parents[2]
NAME = "WaysidePlatesV1"
RECALL_SCORE = 0.25
"""What the anonymiser works with."""

# A plate hangs here, in pixels of the car's picture.
PLATE = (160, 258, 256, 280)


# A car of the evaluation pictures, seen from the front, and its plate in fractions of the picture.
REAL = ("320089856_1157826391773463_6706737143055", (0.371, 0.651, 0.595, 0.72))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    settings = Settings(home=ROOT, state=tmp_path_factory.mktemp("state"), device="cpu")
    return load_detector(NAME, settings, score=RECALL_SCORE)


def car_from_behind(paint: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A street with the back of a car, without a plate, 416 x 416."""
    image = np.full((416, 416, 3), (196, 178, 158), np.uint8)
    image[180:] = (92, 94, 96)
    dark, darker = tuple(value * 3 // 4 for value in paint), (38, 36, 36)
    cv2.ellipse(image, (208, 340), (150, 14), 0, 0, 360, (58, 58, 60), -1)
    for x in (96, 286):
        cv2.rectangle(image, (x, 290), (x + 36, 342), (24, 24, 24), -1)
    roof = np.array([[126, 120], [290, 120], [322, 200], [94, 200]])
    cv2.fillPoly(image, [roof], paint)
    cv2.fillPoly(image, [np.array([[140, 130], [276, 130], [300, 190], [116, 190]])], darker)
    cv2.rectangle(image, (80, 200), (336, 300), paint, -1)
    cv2.rectangle(image, (76, 288), (340, 318), dark, -1)
    for x in (86, 290):
        cv2.rectangle(image, (x, 212), (x + 40, 244), (40, 30, 170), -1)
    grain = np.random.default_rng(5).normal(0, 3, image.shape)
    return (cv2.GaussianBlur(image, (3, 3), 0) + grain).clip(0, 255).astype(np.uint8)


def with_plate(image: NDArray[np.uint8], text: str, ground: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The same picture with a plate at `PLATE`, drawn large and shrunk as a lens would."""
    left, top, right, bottom = PLATE
    plate = np.full((88, 384, 3), ground, np.uint8)
    cv2.rectangle(plate, (0, 0), (383, 87), (30, 30, 30), 4)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 2.2, 5)
    cv2.putText(plate, text, ((384 - width) // 2, (88 + height) // 2), cv2.FONT_HERSHEY_DUPLEX, 2.2, (25, 25, 25), 5)
    image = image.copy()
    image[top:bottom, left:right] = cv2.resize(plate, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return image


def inside(box: list[float], other: tuple[float, float, float, float]) -> bool:
    """Whether the middle of a box lies in another."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]


def test_the_card_is_that_of_a_plate_detector(detector: Detector) -> None:
    model = card(NAME, Settings(home=ROOT))
    assert (model.task, model.labels, detector.classes) == ("plate", ("plate",), ("plate",))
    assert (ROOT / "models" / model.file).stat().st_size == model.size_bytes <= 2_000_000
    assert model.training["data"], "the sources and their licences are named"
    assert "recall" in str(model.training["figures"])


@pytest.mark.parametrize("paint", [(130, 60, 40), (60, 60, 62), (215, 215, 218)])
@pytest.mark.parametrize(("text", "ground"), [("KDX 4821", (235, 236, 238)), ("AB12 CDE", (60, 200, 240))])
def test_a_rendered_plate_is_found(detector: Detector, paint: tuple, text: str, ground: tuple) -> None:
    found = detector.detect(with_plate(car_from_behind(paint), text, ground))
    assert len(found)
    assert set(found.labels) == {"plate"}
    wanted = np.asarray([PLATE], np.float32) / 416
    assert iou(found.boxes[:1], wanted)[0, 0] > 0.5, "the surest box is the plate"


def test_the_box_follows_the_plate(detector: Detector) -> None:
    """In a picture twice as wide the plate is found where it is, wherever the car stands."""
    car = with_plate(car_from_behind((130, 60, 40)), "KDX 4821", (235, 236, 238))
    for left in (0, 200):
        wide = np.full((416, 616, 3), 110, np.uint8)
        wide[:, left : left + 416] = car
        best = detector.detect(wide).boxes[:1] * np.asarray([616, 416, 616, 416], np.float32)
        assert iou(best, np.asarray([PLATE], np.float32) + np.asarray([left, 0, left, 0], np.float32))[0, 0] > 0.5


def test_streets_without_plates_give_few_boxes(detector: Detector) -> None:
    """Streets of the demo city: facades, signs, lamps, captions. What lies in a vehicle may look like a plate."""
    city = DemoCity(seed=77, tfl_cameras=10, uo_cameras=2)
    low = sure = 0
    for number in range(10):
        scene = render(city.tfl(number), datetime(2026, 5, 4, 7 + number, 10, tzinfo=UTC))
        found = detector.detect(scene.image)
        for box, score in zip(found.boxes.tolist(), found.scores, strict=True):
            if not any(inside(box, thing.box) for thing in scene.objects):
                low += 1
                sure += bool(score >= 0.7)
    assert low <= 15
    assert sure == 0


def test_plates_on_real_cars(detector: Detector, data: Path) -> None:
    """A car that was never trained on, seen from the front; its plate, a dealer's, can be read by anybody."""
    pictures = read_set(data / "detection" / "eval_highway.parquet")
    car = next(picture for picture in pictures if picture.id.startswith(REAL[0]))
    found = detector.detect(decode(car.image).image)
    assert iou(found.boxes, np.asarray([REAL[1]], np.float32)).max() > 0.5
    assert len(found) <= 6
