"""Kill an import twice, anywhere, and start it again: files, rows and labels are those of one that nobody disturbed."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.photos.inbox import files
from tests.processes import run_script
from tests.videos.killed_import import log

from wayside.core.settings import Settings
from wayside.core.tables import CAMERAS, LABELS, SEGMENTS, VIDEO_EVENTS, VIDEO_FILES, VIDEO_JOBS
from wayside.store.files import TEMPORARY
from wayside.warehouse.parquet import open_lake

SEED = 20260620
# The suite has no time for more; KILLED_VIDEOS=300 with 5 trials is the size that we promise.
VIDEOS = int(os.environ.get("KILLED_VIDEOS", "40"))
TRIALS = 2 if VIDEOS < 300 else 5


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("killed")
    return folder, run_script("tests.videos.killed_import", folder, SEED, TRIALS, VIDEOS, timeout=1200)


def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    lake = open_lake(Settings(state=folder / "state", _env_file=None))
    read = {}
    for table in (CAMERAS, LABELS, SEGMENTS, VIDEO_EVENTS, VIDEO_FILES, VIDEO_JOBS):
        rows = [row for scope in lake.scopes(table) for row in lake.read(table, scope).to_pylist()]
        read[table.name] = json.loads(json.dumps(rows, default=str).replace(str(folder), "FOLDER"))
    return read


def kept(folder: Path) -> dict[str, bytes]:
    """What an import keeps of videos, without halves of files, which `tidy` takes away."""
    root = folder / "state" / "videos" / "Boat"
    found = {
        f"{kind}/{name}": data for kind in ("covers", "segments", "labels") for name, data in files(root / kind).items()
    }
    return {name: data for name, data in found.items() if f"/{TEMPORARY}" not in name}


def entries(folder: Path) -> list[tuple[str, str]]:
    return [tuple(line.split(" ")) for line in log(folder).read_text().splitlines()]


def test_every_file_of_the_archive_ends_as_one_row(told: tuple[Path, dict[str, Any]]):
    folder, result = told
    archive = result["archive"]
    rows = {row["file"]: row for row in tables(folder / "undisturbed")["video_files"]}
    assert len(rows) == VIDEOS
    assert {key: row["reason"] for key, row in rows.items() if row["status"] == "quarantined"} == archive["quarantined"]
    assert {key: row["alias_of"] for key, row in rows.items() if row["status"] == "alias"} == archive["aliases"]
    done = {key: row["reason"] for key, row in rows.items() if row["status"] == "exported"}
    assert done == {key: "broken_off" if kind == "broken" else None for key, kind in archive["videos"].items()}
    assert len({row["camera"] for row in rows.values() if row["status"] == "exported"}) == 5


def test_an_undisturbed_import_decodes_and_asks_once(told: tuple[Path, dict[str, Any]]):
    folder, result = told
    noted = Counter(entries(folder / "undisturbed"))
    assert set(noted.values()) == {1}
    kinds = Counter(what for what, _ in noted)
    assert kinds["decode"] == kinds["decoded"] == len(result["archive"]["videos"])
    assert kinds["ask"] == kinds["answered"] > VIDEOS // 2


def test_killed_imports_end_as_an_undisturbed_one_and_do_nothing_twice(told: tuple[Path, dict[str, Any]]):
    folder, result = told
    undisturbed = folder / "undisturbed"
    expected, labels = tables(undisturbed), files(undisturbed / "out")
    assert len(labels) >= 3
    assert len(expected["labels"]) > VIDEOS
    assert any(row["state"] == "failed" for row in expected["video_events"])
    for name, trial in result["trials"].items():
        where = f"{name}, killed before steps {trial['instants']} of {result['steps']}"
        assert trial["ended"][:2] == [-signal.SIGKILL] * 2, where
        assert trial["ended"][2] > 0, where
        assert tables(folder / name) == expected, where
        assert files(folder / name / "out") == labels, where
        assert kept(folder / name) == kept(undisturbed), where
        finished: set[tuple[str, str]] = set()
        for what, which in entries(folder / name):
            if what in {"decoded", "answered"}:
                finished.add((what, which))
            else:
                assert ({"decode": "decoded", "ask": "answered"}[what], which) not in finished, where
        begun = Counter(what for what, _ in entries(folder / name))
        # What was under way at each of the two instants is begun once more, and nothing else.
        assert begun["decode"] <= len(result["archive"]["videos"]) + 2, where
        assert begun["ask"] <= begun["answered"] + 2, where
