"""Retention, camera lists and time series run from end to end by Airflow itself, without a scheduler."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import ParamValidationError
from jinja2 import Template
from tests.dags.conftest import ingest_three_slots, run_dag, states, without_retries
from tests.plugins.conftest import CAMERAS, PIPELINE, SLOT, SOURCE, home
from tests.tables import count_rows

from wayside.core.errors import ConfigError, StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_CHANGES, COUNTS, EXPIRIES, SERIES_CLASSES, TIMESERIES
from wayside.stills.ingest import Ingest
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.operators.series import ChooseSourcesOperator

__all__ = ["home"]
pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db", "home")]
DAY = SLOT.start.date()


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    names = ("expire_images", "update_sources", "build_timeseries")
    return {name: without_retries(name) for name in names}


def run(dags: dict[str, DAG], name: str, **conf: Any) -> DagRun:
    return run_dag(dags[name], conf)


@pytest.fixture
def analysed(home: Path) -> Ingest:
    """Three slots of pictures; the first two are analysed, and the last waits."""
    return ingest_three_slots()


def pictures(work: Ingest) -> list[str]:
    return list(work.store.keys(SOURCE))


def expiry(work: Ingest) -> dict[str, Any]:
    (row,) = work.warehouse.read(EXPIRIES, Scope(SOURCE, day=DAY)).to_pylist()
    return row


def test_a_run_by_hand_says_what_it_would_delete_and_the_next_deletes_exactly_that(
    dags: dict[str, DAG], analysed: Ingest
) -> None:
    before = pictures(analysed)
    rows = analysed.warehouse.read(COUNTS, Scope(SOURCE, SLOT, PIPELINE))
    done = run(dags, "expire_images")
    assert set(states(done).values()) == {"success"}
    assert pictures(analysed) == before
    told = expiry(analysed)
    assert told["action"] == "would_delete"
    assert 0 < told["pictures"] < len(before)
    assert told["reason"] == "not_analysed"
    # Days that are over were compacted.
    assert analysed.warehouse.read(COUNTS, Scope(SOURCE, SLOT, PIPELINE)).equals(rows)
    root = analysed.warehouse.root / "published" / "counts"
    assert [path.name for path in root.rglob("[!.]*.parquet")] == [f"day={DAY:%Y%m%d}.parquet"]

    done = run(dags, "expire_images", dry_run=False)
    assert done.state == "success", states(done)
    gone = set(before) - set(pictures(analysed))
    assert len(gone) == told["pictures"] == expiry(analysed)["pictures"]
    assert expiry(analysed)["action"] == "deleted"
    # What waits for its neighbours or for its own analysis is still there.
    assert {key.split("/")[2] for key in gone} <= {SLOT.hhmm, SLOT.next.hhmm}
    assert all(f"/{SLOT.shift(2).hhmm}/" in key or key in before for key in pictures(analysed))
    assert run(dags, "expire_images", dry_run=False).state == "success"


def test_nothing_to_expire_does_not_hide_what_fails_after_it(
    dags: dict[str, DAG], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wayside.stills import tidy

    sources = home / "include" / "config" / "sources.yaml"
    sources.write_text(sources.read_text().replace(", keep_days: 28", ""))
    done = run(dags, "expire_images")
    assert (done.state, states(done)["expire"], states(done)["done"]) == ("success", "skipped", "success")

    def broken(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(tidy, "prune_staging", broken)
    done = run(dags, "expire_images")
    assert (done.state, states(done)["tidy"], states(done)["done"]) == ("failed", "failed", "upstream_failed")


def test_a_camera_that_is_gone_is_told(dags: dict[str, DAG], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wayside_airflow.notifiers.notify import Notify

    told: list[str] = []
    monkeypatch.setattr(Notify, "__call__", lambda self, *_: told.append(self.remark))
    assert run(dags, "update_sources").state == "success"
    work, now = Ingest(Settings()), Slot.floor(Ingest(Settings()).clock())
    scope = Scope(SOURCE, now, PIPELINE)
    work.warehouse.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, list(CAMERAS))))
    for path in (home / "archive").rglob("market.jpg"):
        path.unlink()
    assert run(dags, "update_sources").state == "success"
    (row,) = work.warehouse.read(CAMERA_CHANGES, Scope(SOURCE, day=now.start.date())).to_pylist()
    assert (row["camera"], row["change"], row["analysed"]) == ("market", "vanished", True)
    assert len(told) == 1
    assert "market" in told[0]


def test_a_source_that_does_not_answer_is_red_and_stops_no_other(dags: dict[str, DAG]) -> None:
    done = run(dags, "update_sources", sources=["Gone", SOURCE])
    assert done.state == "failed"
    assert states(done)[f"update {SOURCE}"] == "success"
    assert states(done)["update Gone"] == "failed"


def test_series_are_built_from_counts(dags: dict[str, DAG]) -> None:
    work, first = Ingest(Settings()), date(2026, 3, 2)
    for back in range(3):
        for slot in list(Slot.of_day(date.fromordinal(first.toordinal() + back)))[::2]:
            scope = Scope(SOURCE, slot, PIPELINE)
            rows = to_arrow(COUNTS, count_rows(scope, ["a", "b"], car=2, person=1))
            work.warehouse.publish(COUNTS, scope, rows)
    done = run(dags, "build_timeseries")
    assert done.state == "success", states(done)
    rows = work.warehouse.read(TIMESERIES, Scope(SOURCE, pipeline=PIPELINE)).to_pylist()
    assert {row["series"] for row in rows} == set(SERIES_CLASSES)
    assert {row["day"] for row in rows if row["series"] == "car"} == {date(2026, 3, day) for day in (2, 3, 4)}
    assert all(row["cameras"] == 2 for row in rows if row["series"] == "car")


def test_without_counts_it_is_said_what_to_do(dags: dict[str, DAG]) -> None:
    assert run(dags, "build_timeseries").state == "failed"


def test_the_first_scheduled_run_of_a_new_installation_finds_no_counts_and_is_not_red(home: Path) -> None:
    operator = ChooseSourcesOperator(task_id="sources", counted=True)
    assert operator.execute(context(DagRunType.SCHEDULED)) == []  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="run ingest_cameras first"):
        operator.execute(context(DagRunType.MANUAL))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "dry_run", "dry"),
    [
        ("scheduled", True, "False"),
        ("manual", True, "True"),
        ("manual", False, "False"),
        ("asset_triggered", True, "True"),
    ],
)
def test_scheduled_runs_delete_and_others_do_as_the_form_says(
    dags: dict[str, DAG], kind: str, dry_run: bool, dry: str
) -> None:
    given = context(DagRunType(kind)) | {"params": {"dry_run": dry_run}}
    templates = [dags["expire_images"].get_task(name) for name in ("expire", "clean_airflow")]
    for text in (templates[0].partial_kwargs["dry"], templates[1].dry):  # type: ignore[union-attr]
        assert Template(text).render(given) == dry


def context(kind: DagRunType) -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(run_type=kind)}


def test_what_the_forms_refuse(dags: dict[str, DAG]) -> None:
    for dag, name, wrong in (
        ("expire_images", "dry_run", "perhaps"),
        ("expire_images", "log_days", 14),
        ("update_sources", "believe", "yes"),
        ("build_timeseries", "pipeline", "a b"),
    ):
        with pytest.raises(ParamValidationError):
            dags[dag].params.get_param(name).resolve(wrong)


@pytest.mark.parametrize("name", ["expire_images", "update_sources", "build_timeseries"])
def test_what_is_about_now_cannot_be_back_filled(dags: dict[str, DAG], name: str) -> None:
    assert {str(getattr(kind, "value", kind)) for kind in dags[name].allowed_run_types} == {"scheduled", "manual"}
