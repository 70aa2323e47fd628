"""The HTTP interface for counts: documented shapes, clear refusals, and no request that breaks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.zones.lakes import (
    CAMERA,
    PIPELINE,
    RIGHT,
    SOURCE,
    T0,
    counted,
    minute_rows,
    occupancy_rows,
    publish_examples,
    put_counts,
)

from wayside.counting.zones import Line, ZoneSet
from wayside.store import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.registry import Registry
from wayside_airflow.web.app import create_app, get_access


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application over a camera with three processors: one of traffic, one of objects, one that counted nothing."""
    root: Path = tmp_path_factory.mktemp("counts")
    lake = ParquetWarehouse(root / "warehouse")
    registry = Registry(lake)
    door = ZoneSet(RIGHT.zones, (Line("line", (0.5, 1), (0.5, 0)),))
    for kind, name, shapes in (("traffic", "Door", door), ("objects", "Square", RIGHT), ("traffic", "New", RIGHT)):
        registry.add(SOURCE, CAMERA, kind, name, {}, shapes, "ada", PIPELINE)
    publish_examples(lake, SOURCE, CAMERA, T0)
    square = counted(2)
    watched = minute_rows(square, ["*"])
    put_counts(lake, square, [], watched, occupancy_rows(square, [(0, "*", 0), (5, "*", 3), (60, "*", None)]))
    made = create_app(warehouse=lambda: lake, store=lambda: LocalStore(root / "pictures"))
    made.dependency_overrides[get_access] = lambda: None
    return made


@pytest.fixture(scope="module")
def program(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def ask(program: TestClient, path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    answer = program.post(path, json=fields)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("path", ["/traffic", "/Traffic"])
def test_traffic_in_the_documented_shape(program: TestClient, path: str) -> None:
    status, told = ask(program, path, proc_id=1, start_ts="2000-01-01")
    assert status == 200
    assert told == {"traffic": 6, "min_ts": at(1), "max_ts": at(90), "err": False}
    assert ask(program, path, proc_id=1, start_ts="2000-01-01", zone="line", direction="forward")[1]["traffic"] == 1


def test_a_quiet_hour_is_zero_and_an_error_only_for_who_wants_the_old_answer(program: TestClient) -> None:
    quiet = {"proc_id": 1, "start_ts": "2000-01-01", "stop_ts": "2000-01-02"}
    assert ask(program, "/traffic", **quiet) == (
        200,
        {"traffic": 0, "min_ts": None, "max_ts": None, "err": False},
    )
    assert ask(program, "/traffic?compat=1", **quiet) == (
        200,
        {"traffic": None, "min_ts": None, "max_ts": None, "err": "No records found"},
    )


@pytest.mark.parametrize("path", ["/objects", "/Objects"])
def test_objects_in_the_documented_shape(program: TestClient, path: str) -> None:
    assert ask(program, path, proc_id=2) == (
        200,
        {"count": 3, "ts": at(5), "unwatched_since": at(60), "err": False},
    )
    assert ask(program, path, proc_id=2, ts=T0.timestamp() + 2)[1]["count"] == 0


def test_status_is_told_by_the_number_of_the_camera(program: TestClient) -> None:
    told = program.get("/statusWatch").json()
    assert told["err"] is False
    assert told["1"]["camera"] == CAMERA
    assert told["1"]["watching"] is False
    assert told["1"]["lag_s"] > 0


@pytest.mark.parametrize(
    ("path", "fields", "status", "reason"),
    [
        ("/traffic", {"proc_id": 99, "start_ts": "2026-05-01"}, 404, "unknown_processor"),
        ("/traffic", {"proc_id": 2, "start_ts": "2026-05-01"}, 409, "wrong_kind"),
        ("/traffic", {"proc_id": 3, "start_ts": "2026-05-01"}, 404, "no_observation"),
        ("/traffic", {"proc_id": 1, "start_ts": "2026-05-01", "zone": "lime"}, 404, "unknown_zone"),
        ("/traffic", {"proc_id": 1, "start_ts": "yesterday"}, 422, "bad_time"),
        ("/traffic", {"proc_id": 1, "start_ts": "2026-05-02", "stop_ts": "2026-05-01"}, 422, "bad_range"),
        ("/objects", {"proc_id": 1}, 409, "wrong_kind"),
        ("/objects", {"proc_id": 2, "ts": "1999-01-01"}, 404, "no_observation"),
    ],
)
def test_a_question_without_an_answer_says_why(
    program: TestClient, path: str, fields: dict[str, Any], status: int, reason: str
) -> None:
    got, told = ask(program, path, **fields)
    assert (got, told["reason"]) == (status, reason)
    assert told["err"] == told["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"proc_id": 0, "start_ts": 1}', "application/json", 422),
        (b'{"proc_id": 1}', "application/json", 422),
        (b'{"proc_id": 1, "start_ts": true}', "application/json", 422),
        (b'{"proc_id": 1, "start_ts": 1, "more": 1}', "application/json", 422),
        (b'{"proc_id": 1, "start_ts": 1}', "text/plain", 415),
        (b" " * (2**21 + 1), "application/json", 413),
    ],
)
def test_a_body_that_is_no_question_is_refused(program: TestClient, body: bytes, kind: str, status: int) -> None:
    answer = program.post("/traffic", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_people_read_the_same_as_programs(program: TestClient) -> None:
    paths = program.get("/api/openapi.json").json()["paths"]
    assert set(paths) == {"/traffic", "/objects", "/statusWatch"}
    page = program.get("/api", headers={"accept": "text/html"}).text
    for path in paths:
        assert path in page
    assert "start_ts" in page
    assert "2026-05-01T08:00:00Z" in page


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("path", ["/traffic", "/objects", "/statusWatch"])
def test_no_request_breaks_it(app: FastAPI, path: str) -> None:
    """Whatever schemathesis thinks of, within what the document allows and beyond: never a 5xx, always as described."""
    described = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    operation = next(found.ok() for found in described.get_all_operations() if found.ok().path == path)
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(*modes))
    def broken(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    broken()


def at(second: float) -> str:
    from tests.zones.lakes import at as moment

    return moment(second).isoformat().replace("+00:00", "Z")
