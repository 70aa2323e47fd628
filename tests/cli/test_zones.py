"""`wayside zones`: from a file of zones to counts, and what is refused."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.media.clips import Move, make_clip
from tests.zones.lakes import CAMERA, PIPELINE, SOURCE, T0, scanned, segment_row
from tests.zones.test_scans import Red, register
from typer.testing import CliRunner, Result

from wayside.cli import main
from wayside.core.errors import WaysideError
from wayside.core.settings import settings
from wayside.core.tables import ZONE_EVENTS
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones import scans as scans_module
from wayside.zones.models import model_sha256
from wayside.zones.processor import Pipeline

RIGHT = {"zones": [{"name": "right", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}]}
WALK = [0.2 + 0.08 * step for step in range(9)]


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main._commands, ["zones", *map(str, arguments)], env={"COLUMNS": "250"})


def told(*arguments: Any) -> str:
    answer = run(*arguments)
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def refused(*arguments: Any) -> str:
    answer = run(*arguments)
    assert isinstance(answer.exception, WaysideError), answer.output
    return str(answer.exception)


@pytest.fixture
def lake(state: Path) -> ParquetWarehouse:
    return ParquetWarehouse(state / "warehouse")


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    path = tmp_path / "zones.json"
    path.write_text(json.dumps(RIGHT))
    return path


def add(zones: Path, *more: Any) -> str:
    return told("add", SOURCE, CAMERA, "--zones", zones, "--fps", 1, "--options", '{"anchor": "centre"}', *more)


def test_a_processor_is_added_shown_edited_and_listed(state: Path, zones: Path, tmp_path: Path):
    assert "No processors there yet" in told("list")
    assert add(zones, "--name", "Main door", "--note", "first") == "processor 1, camera 1, on\n"
    shown = json.loads(told("show", 1))
    assert shown["zones"] == RIGHT["zones"]
    assert (shown["pipeline"], shown["options"]["anchor"], shown["version"]) == (PIPELINE, "centre", 1)
    shown["zones"][0]["name"] = "east"
    (tmp_path / "new.json").write_text(json.dumps(shown))
    answer = told("edit", 1, "--zones", tmp_path / "new.json", "--note", "renamed", "--expected-version", 1)
    assert "processor 1: version 2, on" in answer
    assert "wayside zones recount 1" in answer
    assert told("edit", 1, "--off", "--name", "Gate") == "processor 1: version 2, off\n"
    assert "recount" in told("edit", 1, "--options", tmp_path / "new.json", "--fps", 2)
    assert json.loads(told("show", 1, "--version", 1))["zones"][0]["name"] == "right"
    (one,) = json.loads(told("list", "--json"))
    assert (one["name"], one["enabled"], one["version"], one["pipeline"]) == ("Gate", False, 3, "Fps2_WaysideV1")
    table = told("list")
    assert "1: Archive Bridge" in table
    assert "Gate" in table


def test_what_is_wrong_is_one_sentence(state: Path, zones: Path, tmp_path: Path):
    add(zones)
    assert "has version 1, not 7" in refused("edit", 1, "--name", "x", "--expected-version", 7)
    assert "no processor 9" in refused("show", 9)
    assert "cannot be read" in refused("edit", 1, "--zones", tmp_path / "nothing.json")
    assert "draw one" in refused("add", SOURCE, CAMERA)
    assert "JSON" in refused("edit", 1, "--options", "{")
    zones.write_text("[1]")
    assert "no file of zones" in refused("edit", 1, "--zones", zones)
    zones.write_text('{"zones": [{"name": "x", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}')
    assert "cross" in refused("edit", 1, "--zones", zones)
    assert "wayside models pull YuNet" in refused("add", SOURCE, CAMERA, "--kind", "faces", "--on")


def test_zones_of_the_replaced_system_are_taken_over(state: Path, tmp_path: Path):
    old = tmp_path / "zones_str.txt"
    old.write_text("[[[0.6, 0], [1, 0], [1, 1], [0.6, 1], [0.6, 0]]]")
    assert json.loads(told("import-hypersight", old))["zones"][0]["name"] == "zone 1"
    assert "mode match" in told("import-hypersight", old, "--camera", f"{SOURCE}/{CAMERA}")
    assert json.loads(told("list", "--json"))[0]["options"]["mode"] == "match"
    old.write_text("[[[0, 0], [0.5, 0], [0.5, 0.5]]]")
    assert told("import-hypersight", old, "--processor", 1) == "processor 1: version 2, 1 zones\n"
    old.write_text("[[[0,0][0,1][1,1]]]")
    assert "column" in refused("import-hypersight", old)


def test_what_was_scanned_is_counted_and_counted_again(lake: ParquetWarehouse, zones: Path):
    add(zones)
    frames = [(float(second), [(x, 0.5)]) for second, x in enumerate(WALK)]
    scanned(lake, segment_row(T0, 9.0), frames)
    assert told("count").startswith("1 days, 1 segments, 9 looks counted; 1 events")
    assert told("count").startswith("0 days, 0 segments")
    scope = lake.scopes(ZONE_EVENTS)[0]
    assert [(row["kind"], row["zone"]) for row in lake.read(ZONE_EVENTS, scope).to_pylist()] == [("enter", "right")]
    zones.write_text('{"lines": [{"name": "middle", "from": [0.5, 1], "to": [0.5, 0]}]}')
    told("edit", 1, "--zones", zones)
    assert "0 days" in told("recount", 1, "--first", date(2026, 4, 1))
    assert "1 days" in told("recount", 1, "--first", T0.date())
    assert "0 days" in told("recount", 1, "--first", T0.date(), "--version", 1)
    assert "before the first" in refused("recount", 1, "--first", "2026-05-02", "--last", "2026-05-01")


def test_segments_are_scanned_once(
    lake: ParquetWarehouse, zones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    add(zones)
    assert told("scan") == "0 segments to look at, 0.00 hours of video\n"
    move = Move("red", (0.1, 0.5), (0.9, 0.5))
    register(lake, make_clip(tmp_path / "a.mp4", seconds=2, moves=[move]))
    loaded: list[str] = []
    sha256 = model_sha256(Pipeline.parse(PIPELINE), settings())
    monkeypatch.setattr(scans_module, "load_detector", lambda name, *_, **__: loaded.append(name) or Red(sha256=sha256))
    assert told("scan", "--dry-run").startswith("1 segments to look at")
    assert "1 ok; 2 frames, 2 objects" in told("scan", "--first", T0.date(), "--last", T0.date())
    assert loaded == ["WaysideV1"]
    assert told("scan").startswith("0 segments")
    (tmp_path / "a.mp4").unlink()
    answer = run("scan", "--again")
    assert answer.exit_code == 1
    assert "gone" in answer.stdout
    assert "1 failed; 0 frames, 0 objects" in answer.stdout


def test_status_tells_what_is_fresh(lake: ParquetWarehouse, zones: Path):
    add(zones)
    assert "never" in told("status")
    scanned(lake, segment_row(T0, 9.0, uri="https://ada:secret@cam.example/a.ts"), [(0.0, [])])
    text = told("status")
    assert "https://cam.example/a.ts" in text
    assert "secret" not in text
    (one,) = json.loads(told("status", "--json")).values()
    assert (one["camera"], one["watching"], one["last_segment"], one["gaps"]) == (
        CAMERA,
        False,
        "2026-05-01T08:00:09Z",
        0,
    )
