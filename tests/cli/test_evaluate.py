"""`wayside models evaluate` with sets in COCO's format, as a user types it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.photos.labelled import PAINTED, SIDE, finding, labelled, with_models
from tests.privacy.colours import paint, picture
from typer.testing import CliRunner

from wayside.cli import models
from wayside.core.settings import Settings

runner = CliRunner()


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one model, and a profile that masks with it."""
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path))
    monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WAYSIDE_DEVICE", "cpu")
    monkeypatch.setenv("WAYSIDE_WORKERS", "1")
    monkeypatch.setenv("COLUMNS", "160")
    with_models(Settings(_env_file=None))
    path = tmp_path / "plain.yaml"
    path.write_text(yaml.safe_dump({"masking": {"find": finding().model_dump(mode="json")}}))
    return path


def ask(*arguments: object) -> str:
    result = runner.invoke(models.app, ["evaluate", "Users", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_figures_as_tables(profile: Path, tmp_path: Path) -> None:
    coco, pictures = labelled(tmp_path / "set", missed=(40, 50, 90, 80), masks=True)
    said = ask("--coco", coco, "--pictures", pictures, "--anonymisation", "--profile", profile)
    for words in (
        "Users on 4 pictures",
        "boxes: 5 objects",
        "AP truck",
        "the model gives boxes",
        "class: car",
        "80.0%",
    ):
        assert words in said, words
    (result,) = (tmp_path / "state" / "evaluations").glob("*/result.json")
    assert str(result) in said
    assert (result.parent / "worst" / "01.jpg").is_file()


def test_figures_as_json_and_names_in_another_language(profile: Path, tmp_path: Path) -> None:
    coco, pictures = labelled(tmp_path / "set")
    content = json.loads(coco.read_text())
    content["categories"][0]["name"] = "Personbil"
    coco.write_text(json.dumps(content))
    found = json.loads(ask("--coco", coco, "--pictures", pictures, "--json"))
    assert (found["boxes"]["objects"], found["set"]["ignored"]) == (2, {"Personbil": 2})
    found = json.loads(ask("--coco", coco, "--pictures", pictures, "--json", "--name", "personbil=car", "--limit", 3))
    assert (found["boxes"]["objects"], found["boxes"]["figures"]["ap"]["value"]) == (4, pytest.approx(1))
    assert found["anonymisation"] is None


def test_a_parquet_set_is_measured_like_a_coco_set(profile: Path, tmp_path: Path) -> None:
    rows = []
    for things in PAINTED.values():
        image = picture(SIDE, SIDE)
        for label, box in things:
            paint(image, label, box)
        data = cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes()
        rows.append((data, [label for label, _ in things], [[edge / SIDE for edge in box] for _, box in things]))
    columns = {
        "id": [str(number) for number in range(len(rows))],
        "image": [row[0] for row in rows],
        "label": pa.array([row[1] for row in rows], pa.list_(pa.string())),
        "box": pa.array([row[2] for row in rows], pa.list_(pa.list_(pa.float32(), 4))),
    }
    path = tmp_path / "streets.parquet"
    pq.write_table(pa.table(columns), path)
    found = json.loads(ask(path, "--anonymisation", "--profile", profile, "--json"))
    assert found["set"]["name"] == "streets"
    assert found["boxes"]["figures"]["ap"]["value"] == pytest.approx(1)
    assert found["anonymisation"]["overall"]["hidden"] == 4


@pytest.mark.parametrize(
    "arguments",
    [[], ["--coco", "a.json"], ["--pictures", "."], ["--coco", "a.json", "--pictures", ".", "--name", "van"]],
)
@pytest.mark.usefixtures("profile")
def test_what_is_asked_for_by_half_is_refused(arguments: list[str]) -> None:
    assert runner.invoke(models.app, ["evaluate", "Users", *arguments]).exit_code == 2
