"""Evaluations with real sessions and a network that finds colours: figures, files, stops, broken pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.photos.labelled import UNKNOWN, finding, labelled, order, with_models
from tests.vision.coco_sets import document, write_set

from wayside.core.errors import ConfigError, ModelError, StoreError
from wayside.core.settings import Settings
from wayside.photos import evaluations
from wayside.photos.evaluation import Models, Order, evaluate_set, placed
from wayside.vision.decode import decode, encode_jpeg
from wayside.vision.detections import Detections, Outline

MISSED = (40, 50, 90, 80)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return with_models(Settings(home=tmp_path, state=tmp_path / "state", device="cpu", workers=1, _env_file=None))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pictures at which a model looked."""
    from wayside.photos import evaluation

    seen: list[str] = []
    before = evaluation._looked
    monkeypatch.setattr(
        evaluation, "_looked", lambda picture, *rest: (seen.append(picture.file), before(picture, *rest))[1]
    )
    return seen


def folder(settings: Settings, result: dict[str, Any]) -> Path:
    return evaluations.root(settings) / result["name"]


def files(settings: Settings, result: dict[str, Any]) -> dict[str, bytes]:
    root = folder(settings, result)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_model_that_finds_all(settings: Settings, tmp_path: Path) -> None:
    result = evaluate_set(order(settings, labelled(tmp_path / "set", masks=True)), settings)
    assert result["boxes"]["figures"]["ap"]["value"] == pytest.approx(1.0)
    assert result["masks"]["figures"]["ap"]["value"] == pytest.approx(1.0)
    assert result["boxes_as_masks"]
    assert result["boxes"]["objects"] == 4
    hidden = result["anonymisation"]["overall"]
    assert (hidden["objects"], hidden["hidden"], hidden["area_share"]) == (4, 4, 1.0)
    assert result["anonymisation"]["phantom_share"][0] == 0
    assert 0 < result["anonymisation"]["false_share"][0] < 0.05
    assert result["worst"] == []
    assert result["set"]["looked_at"] == 4
    assert evaluations.load(evaluations.root(settings), result["name"]) == json.loads(json.dumps(result))


def test_what_shows_is_counted_and_drawn_without_showing_it(settings: Settings, tmp_path: Path) -> None:
    result = evaluate_set(order(settings, labelled(tmp_path / "set", missed=MISSED)), settings)
    assert result["masks"] is None
    assert result["boxes"]["classes"]["truck"]["value"] == 0
    hidden = result["anonymisation"]["overall"]
    assert (hidden["objects"], hidden["hidden"]) == (5, 4)
    (worst,) = result["worst"]
    assert (worst["picture"], worst["missed"], worst["uncovered"]) == (4, 1, 50 * 30)
    drawn = decode(evaluations.worst_picture(evaluations.root(settings), result["name"], 1).read_bytes()).image
    left, top, right, bottom = MISSED
    assert np.abs(drawn[top:bottom, left:right].astype(int) - (60, 60, 220)).max() < 25
    assert (np.abs(drawn.astype(int) - UNKNOWN).sum(axis=2) > 90).all()


class Outlined:
    """A detector that draws one object: its box, and a mask of the left half of it."""

    name, sha256, classes = "Outlined", "0" * 64, ("car",)

    def detect(self, image: Any) -> Detections:
        box = np.array([[0.25, 0.25, 0.75, 0.5]], np.float32)
        grid = np.repeat(np.where(np.arange(8) < 4, 1, -1)[None], 4, axis=0).astype(np.float32)
        return Detections(box, np.array([0.9], np.float32), ("car",), (Outline(grid, (0.25, 0.25, 0.75, 0.5)),))


@pytest.mark.parametrize(("right", "boxes", "masks"), [(64, 0.1, 1.0), (96, 1.0, 0.1)])
def test_masks_of_a_model_are_compared_as_masks(
    settings: Settings, tmp_path: Path, right: int, boxes: float, masks: float
) -> None:
    """The labelled object is the left half of what the model's box says, or all of it."""
    polygon = [[32, 32, right, 32, right, 64, 32, 64]]
    entry = {"segmentation": polygon, "bbox": [32, 32, right - 32, 32], "category_id": 7}
    made = write_set(tmp_path / "set", document([entry], size=(128, 128)))
    asked = Order(model="Outlined", coco=made[0], pictures=made[1])
    result = evaluate_set(asked, settings, models=Models(Outlined(), 0.5, None))
    assert not result["boxes_as_masks"]
    assert result["masks"]["figures"]["ap"]["value"] == pytest.approx(masks)
    assert result["boxes"]["figures"]["ap"]["value"] == pytest.approx(boxes)


def test_boxes_alone_need_no_profile_and_leave_no_pictures(settings: Settings, tmp_path: Path) -> None:
    result = evaluate_set(order(settings, labelled(tmp_path / "set", missed=MISSED), finding=None), settings)
    assert (result["anonymisation"], result["worst"]) == (None, [])
    assert result["boxes"]["figures"]["ap"]["value"] == pytest.approx(2 / 3)
    assert set(files(settings, result)) == {"result.json", "pictures.jsonl"}


def test_asked_again_nothing_is_looked_at_and_the_files_are_the_same(
    settings: Settings, tmp_path: Path, looks: list[str]
) -> None:
    asked = order(settings, labelled(tmp_path / "set", missed=MISSED))
    result = evaluate_set(asked, settings)
    before = files(settings, result)
    assert len(looks) == 4
    assert evaluate_set(asked, settings) == result
    assert len(looks) == 4
    assert files(settings, result) == before


@pytest.mark.parametrize("tear", [b"", b'{"picture": 3, "sha'])
def test_a_run_that_is_stopped_goes_on(settings: Settings, tmp_path: Path, looks: list[str], tear: bytes) -> None:
    asked = order(settings, labelled(tmp_path / "set", missed=MISSED))

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_set(asked, settings, progress=stop)
    (journal,) = evaluations.root(settings).glob("*/pictures.jsonl")
    kept = [json.loads(line)["picture"] for line in journal.read_bytes().splitlines()]
    assert kept == [1, 2]
    journal.write_bytes(journal.read_bytes() + tear)
    assert list(evaluations.listed(evaluations.root(settings))) == []
    looks.clear()
    result = evaluate_set(asked, settings)
    assert sorted(looks) == ["3.jpg", "4.jpg"]
    other = Settings(home=settings.home, state=tmp_path / "other", device="cpu", workers=1, _env_file=None)
    assert evaluate_set(asked, other) == result


def test_a_picture_that_changed_is_looked_at_again(settings: Settings, tmp_path: Path, looks: list[str]) -> None:
    asked = order(settings, labelled(tmp_path / "set"))
    before = evaluate_set(asked, settings)
    grey = np.full((128, 128, 3), 120, np.uint8)
    (asked.pictures / "2.jpg").write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    looks.clear()
    after = evaluate_set(asked, settings)
    assert (after["name"], looks) == (before["name"], ["2.jpg"])
    assert after["anonymisation"]["overall"]["hidden"] == 3
    evaluate_set(asked, settings)
    assert looks == ["2.jpg"]


def test_pictures_that_cannot_be_used_are_told_and_stop_nothing(settings: Settings, tmp_path: Path) -> None:
    asked = order(settings, labelled(tmp_path / "set"))
    (tmp_path / "secret.jpg").write_bytes(encode_jpeg(np.zeros((128, 128, 3), np.uint8)))
    (asked.pictures / "1.jpg").write_bytes(b"nonsense")
    (asked.pictures / "2.jpg").unlink()
    (asked.pictures / "2.jpg").symlink_to(tmp_path / "secret.jpg")
    (asked.pictures / "3.jpg").write_bytes(encode_jpeg(np.zeros((64, 128, 3), np.uint8)))
    (asked.pictures / "4.jpg").unlink()
    result = evaluate_set(asked, settings)
    assert result["set"]["failed"] == {"not_an_image": 1, "outside": 1, "size_differs": 1, "unreadable": 1}
    assert result["set"]["looked_at"] == 0
    assert result["boxes"]["figures"]["ap"]["value"] is None


def test_another_question_has_another_folder(settings: Settings, tmp_path: Path) -> None:
    made = labelled(tmp_path / "set")
    asked: list[Callable[[], Order]] = [
        lambda: order(settings, made),
        lambda: order(settings, made, finding=finding(dilation=3)),
        lambda: order(settings, made, finding=None),
        lambda: order(settings, made, limit=2),
        lambda: order(settings, labelled(tmp_path / "more", missed=MISSED)),
    ]
    names = [evaluate_set(one(), settings)["name"] for one in asked]
    assert len(set(names)) == len(names)
    assert all(name.startswith("Users-instances-") for name in names)
    assert [one["name"] for one in evaluations.listed(evaluations.root(settings))] != []


def test_only_the_first_pictures(settings: Settings, tmp_path: Path, looks: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    result = evaluate_set(
        order(settings, labelled(tmp_path / "set"), limit=2), settings, progress=lambda *at: seen.append(at)
    )
    assert (sorted(looks), seen) == (["1.jpg", "2.jpg"], [(1, 2), (2, 2)])
    assert (result["set"]["pictures"], result["set"]["looked_at"], result["boxes"]["objects"]) == (4, 2, 3)


def test_orders_that_cannot_be_carried_out(settings: Settings, tmp_path: Path) -> None:
    made = labelled(tmp_path / "set")
    with pytest.raises(ConfigError, match="no folder of pictures"):
        evaluate_set(order(settings, (made[0], tmp_path / "absent")), settings)
    with pytest.raises(ConfigError, match="tram: no such class"):
        evaluate_set(order(settings, made, names={"Trikk": "tram"}), settings)
    with pytest.raises(ModelError):
        evaluate_set(order(settings, made, model="Nobody"), settings)


def test_the_model_that_is_measured_takes_the_place_of_its_task(settings: Settings, tmp_path: Path) -> None:
    chosen = finding(face_detector="F", plate_detector="P")
    assert placed(chosen, "New", "detect").detector == "New"
    assert placed(chosen, "New", "face").face_detector == "New"
    assert placed(chosen, "New", "plate").plate_detector == "New"
    models = Models.load(order(settings, labelled(tmp_path / "set"), finding=finding(detector="Other")), settings)
    assert models.finder is not None
    assert [use.name for use in models.finder.models] == ["Users"]


def test_names_of_evaluations(settings: Settings, tmp_path: Path) -> None:
    assert evaluations.folder_name("Mødel/1", "../a b", "0123456789abcdef") == "M_del_1-a_b-0123456789ab"
    for wrong in ("..", "a/../b-0123456789ab", "a-0123456789AB", "", ".-0123456789ab", "a..b-0123456789ab"):
        with pytest.raises(ConfigError):
            evaluations.evaluation_id(wrong)
    name, root = "Users-set-0123456789ab", evaluations.root(settings)
    assert evaluations.load(root, name) is None
    for broken in ("nonsense", "[]", '{"schema": 99}'):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "result.json").write_text(broken)
        with pytest.raises(StoreError, match="evaluate again"):
            evaluations.load(root, name)
    assert list(evaluations.listed(root)) == []
