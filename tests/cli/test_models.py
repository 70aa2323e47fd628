"""`wayside models …` as a user types it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from onnx import TensorProto
from tests.vision.graphs import constant_graph
from typer.testing import CliRunner

from wayside.cli import models
from wayside.core.errors import ModelError, ModelLicenceError
from wayside.core.settings import settings
from wayside.vision.decode import encode_jpeg

BOX = [0.25, 0.25, 0.75, 0.5]
GRAPH = constant_graph(
    {"scores": np.asarray([[[0, 0, 0.9, 0, 0, 0]]], np.float32), "boxes": np.asarray([[BOX]], np.float32)},
    dtype=TensorProto.UINT8,
)
runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the command a home of its own with one model that is here, one to pull and one that is not allowed."""
    folder = tmp_path / "models"
    folder.mkdir()
    shared = {
        "summary": "for a test",
        "family": "wayside",
        "licence": "MIT",
        "classes": "wayside",
        "input": {"width": 64, "height": 64, "dtype": "uint8"},
        "thresholds": {"score": 0.3, "nms_iou": 0.5},
        "source": "tests",
    }
    here = {**shared, "name": "Here", "file": "here.onnx", "sha256": hashlib.sha256(GRAPH).hexdigest()}
    away = {
        **shared,
        "name": "Away",
        "file": "away.onnx",
        "urls": ["https://example.org/away.onnx"],
        "size_bytes": 2000,
    }
    closed = {**shared, "name": "Closed", "file": "closed.onnx", "licence": "AGPL-3.0"}
    by_hand = {**shared, "name": "ByHand", "file": "by_hand.onnx"}
    for card in (here, away, closed, by_hand):
        (folder / f"{card['name']}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    (folder / "here.onnx").write_bytes(GRAPH)
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path))
    monkeypatch.setenv("WAYSIDE_DEVICE", "cpu")
    monkeypatch.setenv("COLUMNS", "160")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_the_command_starts_without_the_heavy_libraries() -> None:
    heavy = "{'cv2', 'onnxruntime', 'pyarrow'} & set(sys.modules)"
    code = f"import sys, wayside.cli.models; raise SystemExit(len({heavy}))"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )


def test_list() -> None:
    result = runner.invoke(models.app, ["list"])
    assert result.exit_code == 0
    lines = {line.split()[1]: line for line in result.output.splitlines() if "│" in line}
    assert lines["Here"].rstrip(" │").endswith("here")
    assert lines["Away"].rstrip(" │").endswith("to pull")
    assert lines["Closed"].rstrip(" │").endswith("licence not allowed")
    assert lines["ByHand"].rstrip(" │").endswith("by hand")


def test_list_as_json() -> None:
    rows = json.loads(runner.invoke(models.app, ["list", "--json"]).output)
    assert {row["name"]: row["state"] for row in rows}["Here"] == "here"


def test_verify(home: Path) -> None:
    result = runner.invoke(models.app, ["verify"])
    assert (result.exit_code, result.output.split()[:2]) == (0, ["Here", "ok"])
    (home / "models" / "here.onnx").write_bytes(b"changed")
    result = runner.invoke(models.app, ["verify", "Here"])
    assert result.exit_code == 1
    assert "WRONG" in result.output
    (home / "models" / "here.onnx").unlink()
    result = runner.invoke(models.app, ["verify"])
    assert (result.exit_code, "no weights" in result.output) == (0, True)


def test_pull(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, sink: object, *, limit: int, progress: object) -> None:
        assert url == "https://example.org/away.onnx"
        sink.write(GRAPH)
        progress(len(GRAPH), len(GRAPH))

    monkeypatch.setattr(models, "pull_weights", partial(models.pull_weights, download=download))
    result = runner.invoke(models.app, ["pull", "Away"])
    assert result.exit_code == 0
    assert hashlib.sha256(GRAPH).hexdigest() in result.output
    assert (home / ".wayside" / "models" / "away.onnx").read_bytes() == GRAPH
    assert isinstance(runner.invoke(models.app, ["pull", "Closed"]).exception, ModelLicenceError)
    assert isinstance(runner.invoke(models.app, ["pull", "Nobody"]).exception, ModelError)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three pictures: the car where the model says, a car elsewhere, and one that cannot be read."""
    picture = encode_jpeg(np.full((64, 64, 3), 128, np.uint8))
    columns = {
        "id": ["1", "2", "3"],
        "image": [picture, picture, b"broken"],
        "label": [["car"]] * 3,
        "box": pa.array([[BOX], [[0, 0, 0.1, 0.1]], [BOX]], pa.list_(pa.list_(pa.float32(), 4))),
    }
    path = tmp_path / "set.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_evaluate(labelled: Path) -> None:
    result = runner.invoke(models.app, ["evaluate", "Here", str(labelled)])
    assert result.exit_code == 0
    assert "on 3 pictures" in result.output
    assert "pictures that could not be read: 1" in result.output
    assert "recall by size: medium 0.0%, large 50.0%" in result.output


def test_evaluate_as_json(labelled: Path) -> None:
    result = runner.invoke(models.app, ["evaluate", "Here", str(labelled), "--json", "--limit", "1"])
    report = json.loads(result.stdout)
    assert (report["pictures"], report["map50"]) == (1, 1.0)
    assert report["classes"]["car"]["precision"] == 1.0
