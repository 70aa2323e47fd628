"""What the operators of zones plan: by hand, at night and in a back-fill; and which pictures the morning takes away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.zones.lakes import CAMERA, LEFT, PIPELINE, RIGHT, SOURCE, T0, scanned, segment_row

from wayside.core.settings import Settings
from wayside.warehouse.parquet import ParquetWarehouse, open_lake
from wayside.zones.counts import count_due
from wayside.zones.faces import crops_folder, preview_path
from wayside.zones.registry import Registry
from wayside_airflow.operators.common import load_tasks
from wayside_airflow.operators.retention import ExpireCoversOperator
from wayside_airflow.operators.zones import DueZonesOperator, PlanRecountOperator, Work
from wayside_airflow.ranges import run_name

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def lake(home: Any) -> ParquetWarehouse:
    """A camera that was watched on three days, and one processor that has counted all of them."""
    lake = open_lake(Settings())
    for day in range(3):
        scanned(lake, segment_row(T0 + timedelta(days=day), 5.0), [(float(second), []) for second in range(5)])
    registry = registry_of(lake)
    registry.add(SOURCE, CAMERA, "traffic", "Door", {}, RIGHT, "ada", PIPELINE)
    count_due(lake, registry)
    return lake


def registry_of(lake: ParquetWarehouse) -> Registry:
    return Registry(lake, Settings(home=Path(__file__).resolve().parents[2]))


def run(kind: str, day: int = 0, **params: Any) -> dict[str, Any]:
    """The context of a run about a day, counted from the first."""
    begin = datetime(2026, 5, 1 + day, tzinfo=UTC)
    told = SimpleNamespace(dag_id="recount_zones", run_id=f"{kind}-{day}", run_type=kind, run_after=begin)
    return {"params": {"start": None, "end": None, **params}, "dag_run": told, "data_interval_start": begin}


def planned(operator: Any, context: dict[str, Any]) -> list[tuple[int, list[str]]]:
    operator.execute(context)
    return [
        (shard["version"], [day[-2:] for day in shard["days"]])
        for task in load_tasks(Work(), f"{run_name(context)}-counts")
        for shard in task
    ]


def test_a_backfill_counts_each_of_its_days_again_and_a_night_only_what_is_due(lake: ParquetWarehouse):
    registry_of(lake).edit_zones(1, LEFT, "ada")
    plan = PlanRecountOperator(task_id="plan")
    assert [planned(plan, run("backfill", day)) for day in range(4)] == [
        [(2, ["01"])], [(2, ["02"])], [(2, ["03"])], [],
    ]  # fmt: skip
    assert planned(plan, run("scheduled", 1)) == [], "what version 1 counted stays"
    scanned(lake, segment_row(T0 + timedelta(days=1, hours=1), 5.0), [(0.0, [])])
    assert planned(plan, run("scheduled", 1)) == [(2, ["02"])]
    assert planned(plan, run("manual", start="2026-05-01", end="2026-05-02")) == [(2, ["01", "02"])]
    older = PlanRecountOperator(task_id="plan", processors="1", version="1")
    assert planned(older, run("manual", start="2026-05-03")) == [(1, ["03"])]
    assert planned(DueZonesOperator(task_id="due"), run("scheduled")) == [(2, ["02"])]


@pytest.mark.parametrize("dry", [True, False])
def test_the_morning_takes_pictures_of_faces_away(lake: ParquetWarehouse, dry: bool):
    options = {"keep_crops": True, "crops_days": 3}
    made = registry_of(lake).add(SOURCE, CAMERA, "faces", "Faces", options, RIGHT, "ada", "Fps1_YuNet", enabled=False)
    crop = crops_folder(lake, made.number) / "2026-05-01" / "a.jpg"
    for path in (crop, preview_path(lake, made.number)):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a face")
    gone = ExpireCoversOperator(task_id="expire_covers", dry=str(dry)).execute({})
    assert gone["files"] == (0 if dry else 2)
    assert crop.exists() is dry
    assert preview_path(lake, made.number).exists() is dry
