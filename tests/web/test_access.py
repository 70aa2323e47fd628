"""Nobody who is not signed in gets anything, whatever the route."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute
from tests.web.factory import LAST, TFL, Filled, opened

from wayside_airflow.web.lazy import LazyApp

PARTS = {
    "source": TFL,
    "day": LAST.day,
    "hhmm": LAST.hhmm,
    "camera": "00001.00001",
    "name": "wayside.css",
    "evaluation": "WaysideV1-set-0123456789ab",
    "number": 1,
    "inbox": "inbox",
    "run": "run-1",
    "processor": 1,
    "what": "minutes",
    "form": "csv",
    "job": "import-1",
    "archive": "Boats",
    "event": "0123456789abcdef-1000",
    "kind": "csv",
}


@pytest.fixture(scope="module")
def app(filled: Filled) -> FastAPI:
    return opened(filled)


@pytest.fixture(scope="module")
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    from airflow.api_fastapi.app import create_auth_manager

    create_auth_manager()
    outer = FastAPI()
    outer.mount("/wayside", app)
    with TestClient(outer) as browser:
        yield browser


def every_route(routes: list[BaseRoute]) -> list[APIRoute]:
    """All routes, those of included routers too; anything that is not a plain route could escape the check."""
    found: list[APIRoute] = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
            assert inner, f"{route!r} is not a route that asks for a user"
            found += every_route(list(inner))
    return found


def test_every_route_refuses_the_anonymous(app: FastAPI, anonymous: TestClient) -> None:
    routes = every_route(app.routes)
    assert len(routes) >= 13
    for route in routes:
        path = route.path.format(**PARTS)
        for method in route.methods:
            answer = anonymous.request(method, f"/wayside{path}", headers={"accept": "text/html"})
            assert answer.status_code == 401, f"{method} {path} answered {answer.status_code}"
            assert method == "HEAD" or answer.json() == {"detail": "Not authenticated"}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static/../app.py", "/nothing"])
def test_nothing_else_is_served(anonymous: TestClient, path: str) -> None:
    assert anonymous.get(f"/wayside{path}").status_code in {401, 404}


def test_a_forged_token_is_refused(anonymous: TestClient) -> None:
    answer = anonymous.get("/wayside/cameras", headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    assert answer.status_code in {401, 403}
    anonymous.cookies.set("_token", "forged")
    assert anonymous.get("/wayside/health").status_code in {401, 403}
    anonymous.cookies.clear()


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")  # Airflow looks there whether a token was revoked
@pytest.mark.parametrize(("role", "status"), [("viewer", 200), ("user", 200), ("admin", 200), (None, 403)])
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_a_signed_in_user_comes_in_if_the_role_allows(anonymous: TestClient, role: str | None, status: int) -> None:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="someone", role=role))
    by_header = anonymous.get("/wayside/health", headers={"Authorization": f"Bearer {token}"})
    assert by_header.status_code == status
    anonymous.cookies.set("_token", token)
    assert anonymous.get("/wayside/static/wayside.css").status_code == status
    anonymous.cookies.clear()


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/wayside/blur/"),
        ("GET", "/wayside/photos/review/run-1"),
        ("GET", "/wayside/photos/review/r/sheet.jpg"),
        ("GET", "/wayside/zones/1"),
        ("GET", "/wayside/zones/still.jpg?source=Archive&camera=Bridge"),
        ("PUT", "/wayside/api/zones/1"),
        ("POST", "/wayside/api/zones/preview"),
        ("GET", "/wayside/events?archive=Nobody"),
        ("GET", "/wayside/events/Boats/e-1"),
        ("GET", "/wayside/events/Boats/e-1/0.jpg"),
        ("GET", "/wayside/events/Boats/e-1/cut.mp4"),
        ("POST", "/wayside/events/Boats/e-1/verdict"),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_who_may_only_look_may_neither_use_models_nor_review_nor_draw(
    anonymous: TestClient, method: str, path: str
) -> None:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    found = {}
    for role in (None, "viewer", "user"):
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="someone", role=role))
        found[role] = anonymous.request(method, path, headers={"Authorization": f"Bearer {token}"}).status_code
    assert found[None] == found["viewer"] == 403
    assert found["user"] in {404, 415}, "let in, and told what is wrong with the request"


def test_the_lazy_application_is_built_once(app: FastAPI) -> None:
    built: list[FastAPI] = []

    def build() -> FastAPI:
        built.append(app)
        return app

    lazy = LazyApp(build)
    assert not built
    with TestClient(lazy) as browser:
        assert browser.get("/health").status_code == 401
        assert browser.get("/cameras").status_code == 401
    assert len(built) == 1
