"""Finding: whole pictures and tiles, thresholds, faces and plates, models that are missing."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.privacy.colours import paint, picture, write_card
from tests.vision.graphs import constant_graph

from wayside.core.errors import ConfigError, ModelError, ModelHashError
from wayside.core.settings import Settings
from wayside.privacy import find
from wayside.privacy.find import Finder, load_finder
from wayside.privacy.objects import Found
from wayside.privacy.settings import Finding, Tiling
from wayside.vision.decode import decode
from wayside.vision.evaluate import read_set

ROOT = Path(__file__).parents[2]
ROAD_USERS = ("bicycle", "bus", "car", "motorcycle", "person", "truck")
SMALL = {"tile": 256, "overlap": 64}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a machine with three detectors of colours."""
    chosen = Settings(home=tmp_path, state=tmp_path / "state", device="cpu", _env_file=None)
    write_card(chosen, "Users", ROAD_USERS)
    write_card(chosen, "Faces", ["face"], task="face")
    write_card(chosen, "Plates", ["plate"], 0.5, task="plate")
    return chosen


def finding(**fields: Any) -> Finding:
    tiling = Tiling(**{**SMALL, **fields.pop("tiling", {})})
    models = {"detector": "Users", "face_detector": "Faces", "plate_detector": "Plates"}
    return Finding(**{**models, "tiling": tiling, **fields})


def near(found: Found, box: tuple[int, int, int, int], within: int = 12) -> bool:
    return bool(np.abs(np.subtract(found.box, box)).max() <= within)


def boxes(found: list[Found], label: str) -> list[tuple[int, int, int, int]]:
    return sorted(one.box for one in found if one.label == label)


def test_a_small_object_is_found_by_a_tile_only(settings: Settings) -> None:
    """Three pixels of 1000 vanish in the look at the whole, and are plain in a tile."""
    image = picture(500, 1000)
    paint(image, "person", (700, 300, 703, 304))
    whole = load_finder(finding(tiling={"enabled": "never"}), settings).find(image)
    tiled = load_finder(finding(), settings).find(image)
    assert whole == []
    (one,) = tiled
    assert (one.label, one.model, one.mask) == ("person", "Users", None)
    assert near(one, (700, 300, 703, 304), within=3)


def test_objects_at_the_borders_of_tiles_are_found_once(settings: Settings) -> None:
    image = picture(500, 1000)
    places = {"car": (230, 200, 290, 260), "bus": (420, 0, 620, 90), "person": (940, 400, 1000, 500)}
    for label, box in places.items():
        paint(image, label, box)
    found = load_finder(finding(), settings).find(image)
    assert sorted(one.label for one in found) == sorted(places)
    assert all(near(one, places[one.label]) for one in found)


def test_across_the_seam_of_a_panorama(settings: Settings) -> None:
    image = picture(500, 1000)
    paint(image, "car", (950, 240, 1030, 280))
    (one,) = load_finder(finding(tiling={"wrap": True}), settings).find(image)
    assert near(one, (950, 240, 1030, 280))
    assert len(load_finder(finding(), settings).find(image)) == 2, "in a planar picture these are two"


def test_near_a_pole_what_is_stretched_is_found_whole(settings: Settings) -> None:
    image = picture(500, 1000)
    paint(image, "person", (480, 460, 720, 490))
    (one,) = load_finder(finding(tiling={"wrap": True}), settings).find(image)
    assert near(one, (480, 460, 720, 490))


def test_riders_stay_a_person_and_a_bicycle(settings: Settings) -> None:
    image = picture(200, 200)
    paint(image, "person", (80, 20, 120, 110))
    paint(image, "bicycle", (60, 100, 140, 160))
    labels = [one.label for one in load_finder(finding(), settings).find(image)]
    assert sorted(labels) == ["bicycle", "person"]


def test_classes_that_are_not_asked_for_stay_visible(settings: Settings) -> None:
    image = picture(200, 200)
    paint(image, "person", (10, 10, 50, 100))
    paint(image, "car", (100, 100, 180, 160))
    paint(image, "face", (20, 12, 40, 30))
    found = load_finder(finding(classes=("person",)), settings).find(image)
    assert [one.label for one in found] == ["person"]
    assert [use.name for use in load_finder(finding(classes=("face",)), settings).models] == ["Faces"]
    finder = load_finder(finding(classes=("plate",)), settings)
    assert [use.name for use in finder.models] == ["Users", "Plates"], "vehicles say which plates count"


def test_scores_by_class(settings: Settings) -> None:
    write_card(settings, "Users", ROAD_USERS, {name: 0.3 if name == "car" else 0.6 for name in ROAD_USERS})
    image = picture(200, 200)
    paint(image, "person", (10, 10, 50, 100))
    paint(image, "car", (100, 100, 180, 160))

    def labels(**fields: Any) -> list[str]:
        return [one.label for one in load_finder(finding(**fields), settings).find(image)]

    assert labels() == ["person", "car"]
    assert labels(score=None) == ["person"], "the card says 0.4"
    assert labels(score=None, scores={"car": 0.2}) == ["person", "car"]
    assert labels(scores={"person": 0.7}) == ["car"]
    thresholds = load_finder(finding(score=None, scores={"car": 0.2}), settings).models[0].thresholds
    assert thresholds == {"person": 0.4, "bicycle": 0.4, "car": 0.2, "motorcycle": 0.4, "bus": 0.4, "truck": 0.4}


def plates(settings: Settings, image: NDArray[np.uint8], **fields: Any) -> list[tuple[int, int, int, int]]:
    return boxes(load_finder(finding(**fields), settings).find(image), "plate")


def test_plates_count_inside_of_vehicles_or_when_sure(settings: Settings) -> None:
    image = picture(200, 240)
    paint(image, "car", (20, 60, 120, 140))
    paint(image, "plate", (50, 110, 90, 122))
    inside = plates(settings, image)
    assert len(inside) == 1
    assert near(Found("plate", 0.5, inside[0], None, ""), (50, 110, 90, 122), within=4)
    sign = picture(200, 240)
    paint(sign, "plate", (150, 30, 200, 45))
    assert plates(settings, sign) == []
    assert len(plates(settings, sign, plate_alone_score=0.5)) == 1
    assert len(plates(settings, sign, plates_inside_vehicles=False)) == 1
    paint(sign, "person", (140, 10, 220, 90))
    assert plates(settings, sign) == [], "a person is no vehicle"


def test_a_plate_too_small_for_a_tile_is_found_in_a_cut_out_of_the_vehicle(settings: Settings) -> None:
    """One row of pixels on a car 40 wide: the detector of plates sees it enlarged."""
    image = picture(1000, 1000)
    paint(image, "car", (500, 500, 540, 530))
    paint(image, "plate", (515, 522, 525, 523))
    only_crops = finding(tiling={"enabled": "never"})
    (plate,) = boxes(load_finder(only_crops, settings).find(image), "plate")
    assert near(Found("plate", 0.5, plate, None, ""), (515, 522, 525, 523), within=2)


def test_a_plate_on_a_car_across_the_seam(settings: Settings) -> None:
    image = picture(500, 1000)
    paint(image, "car", (950, 240, 1030, 280))
    paint(image, "plate", (992, 262, 1008, 268))
    found = load_finder(finding(tiling={"wrap": True}), settings).find(image)
    (plate,) = boxes(found, "plate")
    assert near(Found("plate", 0.5, plate, None, ""), (992, 262, 1008, 268), within=6)


def test_far_too_many_findings_are_cut_off_at_the_best(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(settings, "Users", ROAD_USERS, {name: 0.5 + at / 20 for at, name in enumerate(ROAD_USERS)})
    image = picture(100, 700)
    for at, label in enumerate(ROAD_USERS):
        paint(image, label, (at * 110, 20, at * 110 + 60, 80))
    finder = load_finder(finding(tiling={"enabled": "never"}), settings)
    assert [one.label for one in finder.find(image)] == list(reversed(ROAD_USERS))
    monkeypatch.setattr(find, "MAX_FOUND", 2)
    assert [one.label for one in finder.find(image)] == ["truck", "person"]


def test_real_faces(settings: Settings, data: Path) -> None:
    """Four people look at us; the pulled model of faces finds them beside our own detector of road users."""
    for name in ("yunet.yaml", "wayside_v1.yaml", "wayside_v1.onnx"):
        shutil.copy(ROOT / "models" / name, settings.models)
    shutil.copy(data / "weights" / "yunet_n_dyn.onnx", settings.models / "yunet_n_dynamic.onnx")
    people = next(one for one in read_set(data / "detection" / "eval_highway.parquet") if one.id == "013877-1-lg_jpg")
    finder = load_finder(Finding(plate_detector=None, scores={"face": 0.8}), settings)
    assert [use.name for use in finder.models] == ["WaysideV1", "YuNet"]
    found = finder.find(decode(people.image).image)
    assert len(boxes(found, "face")) == 4
    assert len(boxes(found, "person")) >= 3


def test_several_threads_give_the_same(settings: Settings) -> None:
    dice = np.random.default_rng(3)
    image = picture(700, 900)
    for label in (*ROAD_USERS, "face", "plate"):
        left, top = dice.integers(0, 800), dice.integers(0, 600)
        paint(image, label, (left, top, left + 90, top + 60))
    finder = load_finder(finding(tiling={"wrap": True}), settings)
    told = [[(one.label, one.score, one.box) for one in finder.find(image, workers=n)] for n in (1, 1, 4)]
    assert told[0] == told[1] == told[2]
    assert told[0]


def test_instance_masks_become_masks_of_the_picture(settings: Settings) -> None:
    """A model with masks says: a car in the middle, of which the right half is not car; and a mask that failed."""
    labels = np.full((1, 2, 91), -20, np.float32)
    labels[0, 0, 3], labels[0, 1, 1] = 3, 2
    dets = np.asarray([[[0.5, 0.5, 0.5, 0.25], [0.125, 0.125, 0.125, 0.125]]], np.float32)
    masks = np.full((1, 2, 32, 32), -5, np.float32)
    masks[0, 0, 12:20, 8:16] = 5
    weights = constant_graph({"dets": dets, "labels": labels, "masks": masks})
    fields = {"family": "detr", "export": "rfdetr", "masks": True, "input": {"width": 64, "height": 64}}
    write_card(settings, "Masks", "coco91", weights=weights, **fields)
    found = load_finder(finding(detector="Masks", tiling={"enabled": "never"}), settings).find(picture(400, 800))
    car, person = found
    assert car.label == "car"
    assert near(car, (200, 150, 400, 250), within=1)
    assert car.mask is not None
    assert car.area > 0.98 * 200 * 100
    assert (person.label, person.mask, person.box) == ("person", None, (50, 25, 150, 75)), "then the box counts"


@pytest.mark.parametrize("gone", ["card", "weights"])
def test_missing_models(settings: Settings, gone: str) -> None:
    (settings.models / ("plates.yaml" if gone == "card" else "plates.onnx")).unlink()
    finder = load_finder(finding(), settings)
    assert finder.missing == ("Plates",)
    assert [use.name for use in finder.models] == ["Users", "Faces"]
    assert [one.label for one in finder.find(_with("face"))] == ["face"]
    with pytest.raises(ModelError, match="Plates"):
        load_finder(finding(missing_models="fail"), settings)
    assert load_finder(finding(missing_models="fail", plate_detector=None), settings).missing == ()
    assert load_finder(finding(missing_models="fail", classes=("car", "face")), settings).missing == ()


def test_the_detector_of_road_users_is_never_done_without(settings: Settings) -> None:
    with pytest.raises(ModelError, match="Nobody"):
        load_finder(finding(detector="Nobody"), settings)
    (settings.models / "users.onnx").unlink()
    with pytest.raises(ModelError, match="Users"):
        load_finder(finding(), settings)


def test_weights_that_were_changed_are_not_missing_but_refused(settings: Settings) -> None:
    (settings.models / "faces.onnx").write_bytes(b"something else")
    with pytest.raises(ModelHashError):
        load_finder(finding(), settings)


def test_models_of_the_wrong_kind(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="task"):
        load_finder(finding(face_detector="Users"), settings)
    write_card(settings, "Users", ["car", "person"])
    with pytest.raises(ConfigError, match="bicycle"):
        load_finder(finding(), settings)
    image = _with("car")
    finder = load_finder(finding(classes=("car", "person")), settings)
    assert [one.label for one in finder.find(image)] == ["car"]


def _with(label: str) -> NDArray[np.uint8]:
    image = picture(200, 240)
    paint(image, label, (60, 60, 120, 120))
    return image


def test_the_finder_says_what_it_used(settings: Settings) -> None:
    finder: Finder = load_finder(finding(), settings)
    users, faces, plates_used = finder.models
    assert (users.name, users.licence, len(users.sha256)) == ("Users", "MIT", 64)
    assert faces.thresholds == {"face": 0.6}
    assert plates_used.thresholds == {"plate": 0.4}
    assert finder.find(picture(64, 64)) == []
