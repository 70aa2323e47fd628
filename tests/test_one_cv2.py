"""There is one cv2: opencv-python and opencv-python-headless bring the same files, and whoever came last would win."""

import re
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = tomllib.loads((ROOT / "packaging" / "opencv-python" / "pyproject.toml").read_text())["project"]
LOCKS = sorted(ROOT.glob("requirements*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_the_headless_build_and_the_stand_in(lock: Path) -> None:
    lines = lock.read_text().splitlines()
    named = [line for line in lines if re.match(r"(\./packaging/)?opencv", line)]
    pinned = f"opencv-python-headless=={STAND_IN['version']}"
    assert sorted(named) == ["./packaging/opencv-python", pinned], f"{lock.name}: see packaging/opencv-python"
    assert STAND_IN["dependencies"] == [pinned]


def test_what_is_installed_has_one_too() -> None:
    assert packages_distributions()["cv2"] == ["opencv-python-headless"]
    assert version("opencv-python") == version("opencv-python-headless") == STAND_IN["version"]
