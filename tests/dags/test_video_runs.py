"""An archive imported, and its segments counted in zones, run from end to end by Airflow itself."""

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select
from tests.dags.conftest import run_dag, states, without_retries
from tests.media.clips import Move, make_clip, truncate

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import TABLES
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.operators import videos

START = datetime(2026, 6, 8, 7, 0, tzinfo=UTC)
EPOCH = int(START.timestamp())
PATTERN = r".*/(?P<camera>[A-Z]+)-(?P<epoch>\d+)\.mp4$"
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive: two videos of one camera, one of them twice, one that breaks off, a text, and a name without time."""
    root = tmp_path_factory.mktemp("clips")
    across = (Move("red", (-0.1, 0.5), (1.1, 0.5), 1.0, 3.0),)
    first = make_clip(root / f"QUAY-{EPOCH}.mp4", seconds=4, moves=across)
    make_clip(root / f"QUAY-{EPOCH + 60}.mp4", seconds=4, moves=across, seed=1)
    (root / "copies").mkdir()
    shutil.copy(first, root / "copies" / f"QUAY-{EPOCH + 5}.mp4")
    shutil.copy(first, root / "holiday.mp4")
    shutil.copy(first, root / f"QUAY-{EPOCH + 120}.mp4")
    truncate(root / f"QUAY-{EPOCH + 120}.mp4", 0.02)
    (root / "notes.txt").write_text("the boat was late")
    return root


@pytest.fixture
def root(tmp_path: Path, clips: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that allows this folder and no other."""
    monkeypatch.setenv("WAYSIDE_VIDEOS_ROOTS", json.dumps([str(tmp_path)]))
    shutil.copytree(clips, tmp_path / "in")
    return tmp_path


@pytest.fixture(scope="module")
def importing() -> DAG:
    return without_retries("import_videos")


def trigger(dag: DAG, root: Path, **conf: Any) -> DagRun:
    told = {"input": str(root / "in"), "output": str(root / "out"), "pattern": PATTERN, "source": "Quay"}
    return run_dag(dag, told | conf)


def rows(name: str) -> list[dict[str, Any]]:
    lake = ParquetWarehouse(Settings().lake)
    return [row for scope in lake.scopes(TABLES[name]) for row in lake.read(TABLES[name], scope).to_pylist()]


def test_an_archive_becomes_events_labels_and_files(importing: DAG, root: Path) -> None:
    done = trigger(importing, root, labeller="none")
    assert done.state == "success", states(done)
    files = {row["file"]: (row["status"], row["reason"]) for row in rows("video_files")}
    known = {name: told for name, told in files.items() if told[0] != "quarantined"}
    assert known == {
        f"QUAY-{EPOCH}.mp4": ("exported", None),
        f"QUAY-{EPOCH + 60}.mp4": ("exported", None),
        f"copies/QUAY-{EPOCH + 5}.mp4": ("alias", None),
    }
    reasons = {name: reason for name, (status, reason) in files.items() if status == "quarantined"}
    assert set(reasons) == {"holiday.mp4", f"QUAY-{EPOCH + 120}.mp4", "notes.txt"}
    assert all(reasons.values())
    events = rows("video_events")
    assert len(events) == 2
    assert {row["direction"] for row in events} == {"right"}
    assert len(rows("segments")) == 2
    assert [row["status"] for row in rows("video_jobs")] == ["complete"]
    assert {path.suffix for path in (root / "out").iterdir()} == {".json", ".csv", ".xml"}
    with create_session() as session:
        sizes = [
            len(json.dumps(xcom.value))
            for xcom in session.scalars(select(XComModel).where(XComModel.run_id == done.run_id))
        ]
    assert max(sizes) < 2000
    again = trigger(importing, root, labeller="none")
    assert again.state == "success", states(again)
    assert states(again)["process"] == "skipped", "each content is processed once"
    assert rows("video_events") == events


def test_an_archive_without_one_video_is_red_and_says_so(importing: DAG, root: Path) -> None:
    done = trigger(importing, root, pattern="nothing-(?P<camera>x)(?P<epoch>1)")
    assert done.state == "failed"
    assert states(done)["publish"] == "failed"
    assert {row["status"] for row in rows("video_files")} == {"quarantined"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"place": "/etc"}, "WAYSIDE_VIDEOS_ROOTS"),
        ({"place": ""}, "name the folder"),
        ({"export": "/var/elsewhere"}, "WAYSIDE_VIDEOS_ROOTS"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "no group"}, "camera"),
        ({"zone": "Mars/Olympus"}, "Mars"),
        ({"labeller": "http:https://elsewhere.example/"}, "connection"),
        ({"labeller": "hook:../../secret.py"}, "hook"),
        ({"hook_data": "{"}, "line 1"),
        ({"formats": "pdf"}, "formats"),
    ],
)
def test_what_does_not_hold_is_refused_before_any_work(root: Path, fields: dict[str, str], says: str) -> None:
    given = {"place": str(root / "in"), "pattern": PATTERN, "labeller": "none"} | fields
    scan = videos.ScanVideosOperator(task_id="s", **given)
    run = {"run_type": "manual", "dag_id": "x", "run_id": "y", "run_after": START, "triggering_user_name": "ada"}
    with pytest.raises(ConfigError, match=says):
        scan.execute({"dag_run": SimpleNamespace(**run)})
    assert rows("video_files") == []


def test_what_is_offered_is_what_the_import_knows() -> None:
    from wayside.videos.bookmarks import FORMATS
    from wayside.videos.names import DEFAULT_PATTERN

    assert (videos.DEFAULT_PATTERN, videos.FORMATS) == (DEFAULT_PATTERN, FORMATS)


def test_segments_are_looked_at_and_counted_and_counted_again(importing: DAG, root: Path) -> None:
    from wayside.counting.zones import ZoneSet
    from wayside.warehouse.parquet import open_lake
    from wayside.zones.registry import Registry

    assert trigger(importing, root, labeller="none").state == "success"
    settings = Settings()
    registry = Registry(open_lake(settings), settings)
    line = ZoneSet.parse("[]", '[{"name": "Quay", "from": [0.5, 1], "to": [0.5, 0]}]')
    options = {"mode": "improved"}
    made = registry.add("Quay", "QUAY", "traffic", "Who passes", options, line, "ada", "Fps5_WaysideV1")
    counting, again = without_retries("count_zones"), without_retries("recount_zones")
    done = run_dag(counting, {})
    assert done.state == "success", states(done)
    scans = rows("scans")
    assert [(row["status"], row["frames"] > 0) for row in scans] == [("ok", True)] * 2
    watched = [row for row in rows("zone_minutes") if (row["zone"], row["label"]) == ("*", "*")]
    assert sum(row["watched_s"] for row in watched) == pytest.approx(8, abs=1.5)
    idle = run_dag(counting, {})
    assert idle.state == "success", states(idle)
    assert states(idle)["scan"] == "skipped"
    moved = ZoneSet.parse("[]", '[{"name": "Pier", "from": [0.2, 1], "to": [0.2, 0]}]')
    registry.edit_zones(made.number, moved, author="ada", note="it was in the way", expected_version=1)
    day = START.date().isoformat()
    assert run_dag(again, {"start": day, "processors": [made.number], "version": 2}).state == "success"
    versions = {(row["version"], row["zone"]) for row in rows("zone_minutes") if row["zone"] != "*"}
    assert versions == {(1, "Quay"), (2, "Pier")}
    assert {row["day"] for row in rows("zone_minutes")} == {date(2026, 6, 8)}
    assert rows("scans") == scans
