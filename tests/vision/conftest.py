"""A settings folder of its own for each test, cards to fill it with, and the data set where it is there."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard
from wayside.vision.decode import encode_jpeg

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose home and state are empty folders, on the CPU."""
    (tmp_path / "models").mkdir()
    return Settings(home=tmp_path, state=tmp_path / "state", device="cpu")


@pytest.fixture
def make_card(settings: Settings) -> Callable[..., ModelCard]:
    """Return a function that writes a card, and its weights if given, and reads it back."""

    def make(weights: bytes | None = None, name: str = "Tiny", **fields: Any) -> ModelCard:
        card = {
            "name": name,
            "summary": "for a test",
            "family": "wayside",
            "file": f"{name.lower()}.onnx",
            "licence": "MIT",
            "classes": "wayside",
            "input": {"width": 64, "height": 64, "dtype": "uint8"},
            "thresholds": {"score": 0.3, "nms_iou": 0.5},
            "source": "tests",
            **fields,
        }
        if weights is not None:
            (settings.models / card["file"]).write_bytes(weights)
            card.setdefault("sha256", hashlib.sha256(weights).hexdigest())
        path = settings.models / f"{name.lower()}.yaml"
        path.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
        return ModelCard.read(path)

    return make


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real pictures and weights; the test is skipped where it is not there."""
    folder = Path(os.environ.get("WAYSIDE_TEST_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; set WAYSIDE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def street() -> NDArray[np.uint8]:
    """A drawn street scene, 352 x 288, with smooth and busy parts."""
    dice = np.random.default_rng(5)
    rows, columns = np.mgrid[0:288, 0:352]
    base = np.stack([rows * 0.6, columns * 0.5, (rows + columns) * 0.3], axis=-1)
    scene = np.clip(base + dice.normal(0, 4, base.shape), 0, 255).astype(np.uint8)
    scene[150:200, 100:180] = (30, 30, 160)
    scene[60:90, 200:240] = (200, 200, 210)
    return scene


@pytest.fixture(scope="session")
def jpeg(street: NDArray[np.uint8]) -> bytes:
    """The street scene as JPEG."""
    return encode_jpeg(street)
