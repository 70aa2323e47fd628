"""Fixtures: a camera whose minute of video was counted, and browsers of users with and without the right to edit."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from tests.web.zones.drawn import OPTIONS, SHAPES
from tests.zones.lakes import CAMERA, PIPELINE, SOURCE, T0, put, scanned, segment_row

from wayside.core.tables import SEGMENTS
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counts import count_days
from wayside.zones.registry import Registry
from wayside_airflow.web import zone_access
from wayside_airflow.web.app import create_app, get_access


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera with a minute of video in which somebody walks to the right, counted, and one with nothing else."""
    folder = tmp_path_factory.mktemp("zones") / "warehouse"
    lake = ParquetWarehouse(folder)
    walk = [(float(second), [(0.05 + 0.045 * second, 0.5)]) for second in range(21)]
    scanned(lake, segment_row(T0, 60), walk)
    put(lake, SEGMENTS, [segment_row(T0, 60, camera="Gate", name="gate")])
    registry = Registry(lake)
    made = registry.add(SOURCE, CAMERA, "traffic", "Crossing", OPTIONS, SHAPES, "ada", PIPELINE, note="first")
    count_days(lake, made, registry.zones(made.number), [T0.date()])
    return folder


@pytest.fixture
def lake(filled: Path, tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(Path(shutil.copytree(filled, tmp_path / "warehouse")))


@pytest.fixture
def registry(lake: ParquetWarehouse) -> Registry:
    return Registry(lake)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app()


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, headers={"accept": "text/html"}) as client:
        yield client


@pytest.fixture
def browser(app: FastAPI, client: TestClient, lake: ParquetWarehouse) -> TestClient:
    """Somebody who may edit."""
    app.state.warehouse = lambda: lake
    app.dependency_overrides = {
        get_access: lambda: None,
        zone_access.author: lambda: "bob",
        zone_access.may_edit: lambda: None,
        zone_access.can_edit: lambda: True,
    }
    return client


@pytest.fixture
def reader(app: FastAPI, browser: TestClient) -> TestClient:
    """Somebody who may only look."""
    app.dependency_overrides |= {zone_access.may_edit: refused, zone_access.can_edit: lambda: False}
    return browser


def refused() -> None:
    raise HTTPException(403, "Forbidden")
