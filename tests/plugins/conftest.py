"""A small product of its own: a folder of pictures as its one enabled source, and a pipeline that needs no model."""

import shutil
from pathlib import Path

import pytest
from tests.peers.pictures import jpeg

from wayside.core.slots import Slot

ROOT = Path(__file__).resolve().parents[2]
SLOT = Slot.parse("20260501T0800Z")
SOURCE = "Archive"
CAMERAS = ("north", "east", "south", "west", "market")
PIPELINE = "FaultyImageFilterV0_StaticObjectFilterV0"


def make_home(home: Path) -> Path:
    """Write the configuration, and pictures of three slots; one camera lacks the second."""
    config = home / "include" / "config"
    config.mkdir(parents=True)
    shutil.copy(ROOT / "include" / "config" / "pools.json", config)
    shutil.copytree(ROOT / "sql", home / "sql")
    text = (ROOT / "include" / "config" / "pipelines.yaml").read_text().splitlines(keepends=True)
    (config / "pipelines.yaml").write_text(
        "".join(f"default: {PIPELINE}\n" if line.startswith("default:") else line for line in text)
    )
    (config / "sources.yaml").write_text(
        f"sources:\n  {SOURCE}: {{kind: folder, url: ../../archive, enabled: true, keep_days: 28}}\n"
        "  Gone: {kind: folder, url: ../../gone, enabled: false}\n"
    )
    for step in range(3):
        slot = SLOT.shift(step)
        folder = home / "archive" / slot.day / slot.hhmm
        folder.mkdir(parents=True)
        for number, camera in enumerate(CAMERAS):
            if (step, camera) != (1, "west"):
                (folder / f"{camera}.jpg").write_bytes(jpeg(160, 128, seed=10 * step + number))
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The product's home; the settings of the process point to it."""
    monkeypatch.setenv("WAYSIDE_HOME", str(make_home(tmp_path / "home")))
    monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WAYSIDE_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"
