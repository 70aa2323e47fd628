"""Fixtures: the application over a small warehouse, with a user who may see it and without one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, request_response
from fastapi.testclient import TestClient
from tests.web.factory import Filled, fill, opened

from wayside.store import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web.app import create_app, get_access


@pytest.fixture(scope="session", autouse=True)
def _routes_are_worked_out_once() -> Iterator[None]:
    """FastAPI works out what the functions of all routes ask for, for each application anew, which takes 0.1 s."""
    build, known = APIRoute.__init__, dict[Any, APIRoute]()

    def once(self: APIRoute, path: str, endpoint: Any, **options: Any) -> None:
        asked = tuple(needed.dependency for needed in options.get("dependencies") or ())
        key = (path, endpoint, frozenset(options.get("methods") or ()), asked)
        if not endpoint.__module__.startswith("wayside_airflow.web") or key not in known:
            build(self, path, endpoint, **options)
            known[key] = self
            return
        self.__dict__ |= known[key].__dict__
        self.dependency_overrides_provider = options["dependency_overrides_provider"]
        self.app = request_response(self.get_route_handler())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIRoute, "__init__", once)
        yield


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return fill(tmp_path_factory.mktemp("web"), cameras=8, slots=3, pictures=1)


@pytest.fixture(scope="session")
def client(filled: Filled) -> Iterator[TestClient]:
    """A browser whose user may see everything, below the path where Airflow mounts the application."""
    app = opened(filled)
    app.dependency_overrides[get_access] = lambda: None
    outer = FastAPI()
    outer.mount("/wayside", app)
    with TestClient(outer, base_url="http://testserver/wayside/", headers={"accept": "text/html"}) as browser:
        yield browser


@pytest.fixture(scope="session")
def program(client: TestClient) -> TestClient:
    """The same as a program that asks for data sees it."""
    return TestClient(client.app, base_url="http://testserver/wayside/", headers={"accept": "application/json"})


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[TestClient]:
    """The same over an empty folder."""
    app = create_app(
        warehouse=lambda: ParquetWarehouse(tmp_path / "warehouse"), store=lambda: LocalStore(tmp_path / "pictures")
    )
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "text/html"}) as browser:
        yield browser
