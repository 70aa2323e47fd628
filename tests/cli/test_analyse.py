"""`wayside analyse` on folders and on single pictures, with the real filters and no detector."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.quality.test_golden_vectors import (
    DAY,
    DAY_OBJECTS,
    GREYSCALE,
    IN_USE_CARD,
    NIGHT,
    NIGHT_OBJECTS,
    OFFLINE_CARD,
    STRIPES,
)
from typer.testing import CliRunner

from wayside.cli import main
from wayside.cli.analyse import Still, stills_in
from wayside.cli.demo import FIRST_SLOT
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.render import encode, render
from wayside.vision.decode import decode, encode_jpeg

FILTERS = "FaultyImageFilterV0_StaticObjectFilterV0"
runner = CliRunner()


@pytest.fixture
def stills(data: Path) -> Path:
    folder = data / "camera-stills"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture(autouse=True)
def _own_state(state: Path) -> None:
    """The command line writes nothing to the state of the machine."""


def analyse(*arguments: object, pipeline: str = FILTERS, code: int = 0) -> list[dict[str, Any]]:
    """Run `wayside analyse … --json` and return what it printed."""
    answer = runner.invoke(main._commands, ["analyse", *map(str, arguments), "--pipeline", pipeline, "--json"])
    assert answer.exit_code == code, answer.output + repr(answer.exception)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def boxes_file(folder: Path, objects: list[tuple[Any, ...]]) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps([[label, list(box)] for label, *box in objects]))
    return path


def triplet(stills: Path, names: list[str]) -> list[object]:
    previous, current, following = (stills / name for name in names)
    return ["--previous", previous, "--current", current, "--next", following]


def noise(seed: int, height: int = 48, width: int = 64) -> bytes:
    grain = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return encode_jpeg(cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC))


# The published behaviour of the replaced system


@pytest.mark.parametrize(
    ("name", "faulty", "colour", "run", "limit"),
    [
        (OFFLINE_CARD, True, 0.679, 287, 96),
        (IN_USE_CARD, True, 0.836, 72, 57),
        (STRIPES, True, 0.110, 102, 57),
        (GREYSCALE, False, 0.099, 0, 57),
    ],
)
def test_fault_measures_are_the_published_ones(
    stills: Path, name: str, faulty: bool, colour: float, run: int, limit: int
):
    # A neighbour of the same size lets the static filter say yes.
    neighbour = stills / "TfL-images_20200620_2020_00001.01251.jpg"
    (told,) = analyse("--current", stills / name, "--previous", neighbour)
    assert told["faulty"] is faulty
    assert told["colour_fraction"] == pytest.approx(colour, abs=0.0005)
    assert (told["longest_run"], told["run_limit"]) == (run, limit)


def test_of_a_night_with_parked_cars_one_person_is_left(stills: Path, tmp_path: Path):
    (told,) = analyse(*triplet(stills, NIGHT), "--boxes", boxes_file(tmp_path, NIGHT_OBJECTS))
    assert (told["outcome"], told["reason"], told["neighbours"], told["pipeline"]) == ("counted", None, "both", FILTERS)
    assert told["ssim_previous"] == pytest.approx(0.949, abs=0.0005)
    assert told["ssim_next"] == pytest.approx(0.944, abs=0.0005)
    assert told["counts"] == {"person": 1}
    shares = {label: round(found["moving_share"], 3) for label, found in zip("vcwxpy", told["detections"], strict=True)}
    assert shares == {"v": 0.0, "c": 0.0, "w": 0.0, "x": 0.0, "p": 0.679, "y": 0.0}


def test_of_eleven_boxes_by_day_ten_are_left(stills: Path, tmp_path: Path):
    (told,) = analyse(*triplet(stills, DAY), "--boxes", boxes_file(tmp_path, DAY_OBJECTS))
    assert (round(told["ssim_previous"], 3), round(told["ssim_next"], 3)) == (0.676, 0.664)
    assert told["counts"] == {"car": 7, "person": 3}
    static = [found for found in told["detections"] if found["static"]]
    assert [(found["label"], round(found["score"], 4)) for found in static] == [("car", 0.7457)]
    assert static[0]["moving_share"] == pytest.approx(0.044, abs=0.0005)
    by_rule = next(found for found in told["detections"] if round(found["score"], 4) == 0.9366)
    assert by_rule["moving_share"] == pytest.approx(0.219, abs=0.0005)


@pytest.mark.parametrize(
    ("order", "outcome", "reason"),
    [
        ((1, 1, 1), "faulty", "identical_to_previous"),
        ((1, 1, 2), "faulty", "identical_to_previous"),
        ((None, 1, None), "faulty", "no_neighbour"),
        ((0, None, 2), "missing", None),
        ((None, None, None), "missing", None),
    ],
)
def test_frozen_isolated_and_missing(
    stills: Path, tmp_path: Path, order: tuple[int | None, ...], outcome: str, reason: str | None
):
    names = [tmp_path / "nothing.jpg" if place is None else stills / NIGHT[place] for place in order]
    boxes = boxes_file(tmp_path, NIGHT_OBJECTS)
    arguments = ["--previous", names[0], "--current", names[1], "--next", names[2], "--boxes", boxes]
    (told,) = analyse(*arguments, code=int(outcome == "missing"))
    assert (told["outcome"], told["reason"], told["counts"], told["detections"]) == (outcome, reason, None, [])
    assert (told["faulty"], told["missing"]) == (outcome == "faulty", outcome == "missing")


def test_a_picture_that_equals_the_next_one_is_not_faulty(stills: Path, tmp_path: Path):
    names = [NIGHT[0], NIGHT[1], NIGHT[1]]
    (told,) = analyse(*triplet(stills, names), "--boxes", boxes_file(tmp_path, NIGHT_OBJECTS))
    assert (told["outcome"], told["neighbours"], told["counts"]) == ("counted", "previous", {"person": 1})
    assert told["ssim_next"] is None


@pytest.mark.parametrize("name", ["this_isnt_an_image.jpeg", "zero_length_image.jpeg"])
def test_no_image_is_faulty_and_as_a_neighbour_none(stills: Path, tmp_path: Path, name: str):
    boxes = boxes_file(tmp_path, NIGHT_OBJECTS)
    (told,) = analyse(*triplet(stills, [NIGHT[0], name, NIGHT[2]]), "--boxes", boxes)
    assert (told["outcome"], told["reason"] in {"empty", "not_an_image"}) == ("faulty", True)
    assert told["colour_fraction"] is None
    (told,) = analyse(*triplet(stills, [name, NIGHT[1], NIGHT[2]]), "--boxes", boxes)
    assert (told["outcome"], told["neighbours"]) == ("counted", "next")


def test_the_quicker_form_of_our_detector_counts(tmp_path: Path):
    """Its weights come with the project: the pipeline works as it is."""
    camera = DemoCity().tfl(0)
    for name, slot in {"1.jpg": FIRST_SLOT, "2.jpg": FIRST_SLOT.next}.items():
        (tmp_path / name).write_bytes(encode(render(camera, slot.start).image))
    pictures = ["--current", tmp_path / "1.jpg", "--next", tmp_path / "2.jpg"]
    (told,) = analyse(*pictures, pipeline="FaultyImageFilterV1_WaysideV1Int8_StaticObjectFilterV1")
    assert told["outcome"] == "counted"
    assert told["detections"]


# Folders


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Two cameras, three slots across midnight, in the layout of a chrono_lens bucket; and what is no picture."""
    folder = tmp_path / "bucket"
    for number, place in enumerate(("20260615/2350", "20260616/0000", "20260616/0010")):
        for camera in (1, 2):
            path = folder / "City-images" / place / f"camera{camera}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(noise(10 * camera + number))
    (folder / "City-images" / ".meta").mkdir()
    (folder / "City-images" / ".meta" / "hidden.jpg").write_bytes(noise(1))
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.jpg").mkdir()
    return folder


def test_pictures_of_a_bucket_know_their_neighbours(bucket: Path):
    found = {still.place.as_posix(): still for still in stills_in(bucket)}
    assert len(found) == 6
    root = bucket / "City-images"
    assert found["City-images/20260616/0000/camera1.jpg"] == Still(
        root / "20260616/0000/camera1.jpg",
        Path("City-images/20260616/0000/camera1.jpg"),
        root / "20260615/2350/camera1.jpg",
        root / "20260616/0010/camera1.jpg",
    )


@pytest.mark.parametrize("place", ["20261399/0000", "20260616/0005", "2026061/000", ""])
def test_pictures_elsewhere_have_none(tmp_path: Path, place: str):
    path = tmp_path / "folder" / place / "a.PNG"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert list(stills_in(tmp_path / "folder")) == [Still(path, Path(place) / "a.PNG")]


def test_a_folder_may_lie_in_a_hidden_one(tmp_path: Path):
    path = tmp_path / ".wayside" / "pictures" / "a.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(noise(1))
    assert [still.path for still in stills_in(path.parent)] == [path]


def test_a_folder_is_analysed_in_order(bucket: Path):
    told = analyse(bucket)
    assert [Path(row["picture"]).relative_to(bucket / "City-images").as_posix() for row in told] == [
        f"{place}/camera{camera}.jpg"
        for place in ("20260615/2350", "20260616/0000", "20260616/0010")
        for camera in (1, 2)
    ]
    assert {row["outcome"] for row in told} <= {"counted", "faulty"}
    assert [row["ssim_previous"] is None for row in told] == [True, True, False, False, False, False]


def test_the_table_names_each_picture_by_its_place(bucket: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    (bucket / "City-images" / "20260616" / "0010" / "camera2.jpg").write_bytes(b"no image")
    answer = runner.invoke(main._commands, ["analyse", str(bucket), "--pipeline", FILTERS])
    assert answer.exit_code == 0
    assert FILTERS in answer.stdout
    lines = [line.split("│") for line in answer.stdout.splitlines() if "camera" in line]
    assert len(lines) == 6
    assert [cell.strip() for cell in lines[-1][1:3]] == [
        "City-images/20260616/0010/camera2.jpg",
        "faulty: not_an_image",
    ]


def test_drawn_pictures_lie_as_the_pictures_do(bucket: Path, tmp_path: Path):
    boxes = boxes_file(tmp_path, [("car", 10, 10, 30, 40, 0.9)])
    (bucket / "City-images" / "20260616" / "0010" / "camera2.jpg").write_bytes(b"no image")
    analyse(bucket, "--boxes", boxes, "--annotate", tmp_path / "drawn")
    drawn = sorted(path.relative_to(tmp_path / "drawn").as_posix() for path in (tmp_path / "drawn").rglob("*.jpg"))
    assert len(drawn) == 5, "a picture that cannot be decoded cannot be drawn on"
    assert drawn[0] == "City-images/20260615/2350/camera1-annotated.jpg"
    assert decode((tmp_path / "drawn" / drawn[0]).read_bytes()).image.shape == (48, 64, 3)


def test_boxes_survive_the_way_to_fractions_and_back(tmp_path: Path):
    for name, seed in {"a.jpg": 1, "b.jpg": 2}.items():
        (tmp_path / name).write_bytes(noise(seed))
    boxes = boxes_file(tmp_path, [("car", 10, 20, 30, 40, 0.9)])
    (told,) = analyse("--current", tmp_path / "a.jpg", "--previous", tmp_path / "b.jpg", "--boxes", boxes)
    if told["detections"]:
        left, top, right, bottom = told["detections"][0]["box"]
        assert [int(top * 48), int(left * 64), int(bottom * 48), int(right * 64)] == [10, 20, 30, 40]
    else:
        assert told["faulty"]


@pytest.mark.parametrize(
    "text", ["", "7", '{"car": 1}', '[["car", [1, 2, 3]]]', '[["car", ["a", 2, 3, 4, 5]]]', "[[1]]"]
)
def test_boxes_of_another_shape_are_refused(tmp_path: Path, text: str):
    (tmp_path / "boxes.json").write_text(text)
    (tmp_path / "a.jpg").write_bytes(noise(1))
    arguments = ["--current", str(tmp_path / "a.jpg"), "--boxes", str(tmp_path / "boxes.json"), "--pipeline", FILTERS]
    answer = runner.invoke(main._commands, ["analyse", *arguments])
    assert "expected [[" in str(answer.exception)
