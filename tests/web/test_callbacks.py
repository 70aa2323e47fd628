"""The address to which label services answer: without a token of ours nobody gets further than Airflow's refusal."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.videos.event_pictures import START, Time

import wayside_plugin
from wayside.core.errors import StoreError
from wayside.videos.labellers.answers import MAX_ANSWER_BYTES, image_time
from wayside.videos.labellers.callbacks import Ask, Callbacks
from wayside_airflow.web.app import create_app
from wayside_airflow.web.callbacks import create_callback_app

GOOD = {"status": "success", "labels": {image_time(START): {"car": {"probability": 0.5}}}}
DEADLINE = START + timedelta(hours=1)


@pytest.fixture
def books(tmp_path: Path) -> Callbacks:
    return Callbacks(tmp_path / "callbacks")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def service(books: Callbacks, time: Time) -> Iterator[TestClient]:
    outer = FastAPI()
    outer.mount("/wayside-callbacks", create_callback_app(lambda: books, time))
    with TestClient(outer, base_url="http://testserver/wayside-callbacks/") as caller:
        yield caller


@pytest.fixture
def token(books: Callbacks) -> str:
    made = books.new_token()
    ask = Ask(
        source="Boat", event="a-0", round=books.new_round(), labeller="http:tuna", run="run-1", digest="0",
        state="waiting", deadline=DEADLINE, pictures=(START,),
    )  # fmt: skip
    books.note(ask)
    books.expect(made, ask, DEADLINE)
    return made


@pytest.mark.parametrize(
    "path",
    [
        "",
        "labels",
        "labels/",
        "labels/x",
        f"labels/{'A' * 43}",
        "labels/..%2F..%2Fx",
        "labels/a/b",
        "docs",
        "openapi.json",
        "x",
    ],
)
def test_strangers_get_what_airflow_tells_strangers(service: TestClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = service.request(method, path, content=b"{}", headers={"Authorization": "Bearer x"})
        assert answer.status_code == 401, method
        assert method == "HEAD" or answer.json() == {"detail": "Not authenticated"}
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_token_is_good_for_posting_alone(service: TestClient, token: str) -> None:
    assert service.get(f"labels/{token}").status_code == 401
    assert service.post(f"labels/{token}x", json=GOOD).status_code == 401
    assert service.post(f"labels/{token[:-1]}", json=GOOD).status_code == 401
    assert service.post(f"labels/{token.swapcase()}", json=GOOD).status_code == 401
    assert service.post(f"labels/{token}", json=GOOD).status_code == 200


def test_nothing_of_a_request_is_read_before_its_token_is_known(
    service: TestClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.requests import Request

    from wayside_airflow.web import callbacks

    read: list[object] = []

    async def counted(request: Request) -> bytes:
        read.append(request)
        return b"{}"

    monkeypatch.setattr(callbacks, "_body", counted)
    assert service.post(f"labels/{'A' * 43}", content=bytes(MAX_ANSWER_BYTES * 2)).status_code == 401
    assert read == []
    assert service.post(f"labels/{token}", content=b"{}").status_code == 422
    assert len(read) == 1


def test_once_and_for_all(service: TestClient, token: str, time: Time) -> None:
    first = service.post(f"labels/{token}", json=GOOD)
    assert (first.status_code, first.json()) == (200, {"detail": "taken"})
    assert service.post(f"labels/{token}", content=json.dumps(GOOD, indent=2)).status_code == 200
    other = service.post(f"labels/{token}", json={"status": "error"})
    assert other.status_code == 409
    assert "another answer" in other.json()["detail"]
    # Who lost our first 200 may ask again after the deadline.
    time.now = DEADLINE
    assert service.post(f"labels/{token}", json=GOOD).status_code == 200


def test_too_late(service: TestClient, token: str, time: Time) -> None:
    time.now = DEADLINE
    for _ in range(2):
        answer = service.post(f"labels/{token}", json=GOOD)
        assert answer.status_code == 410
        assert "over" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[" * 10**6, 400, ""),
        (b"null", 422, "the answer"),
        (b'{"status": "success", "labels": {"yesterday": {"car": {}}}}', 422, "yesterday"),
        (b'{"status": "success", "labels": {"a": {"car": {"probability": 7}}}}', 422, "probability"),
        (bytes(MAX_ANSWER_BYTES + 1), 413, str(MAX_ANSWER_BYTES)),
    ],
)
def test_what_is_wrong_is_told_and_the_token_stays_good(
    service: TestClient, token: str, content: bytes, status: int, told: str
) -> None:
    answer = service.post(f"labels/{token}", content=content)
    assert answer.status_code == status
    assert told in answer.json()["detail"]
    assert service.post(f"labels/{token}", json=GOOD).status_code == 200


def test_a_body_that_does_not_tell_its_length_is_bounded_too(service: TestClient, token: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield bytes(2**20)

    assert service.post(f"labels/{token}", content=chunks()).status_code == 413


def test_a_body_that_does_not_come(service: TestClient, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from starlette.requests import Request

    async def stuck(_: Request) -> object:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(Request, "stream", stuck)
    monkeypatch.setattr("wayside_airflow.web.callbacks._SLOWEST", 0.01)
    assert service.post(f"labels/{token}", json=GOOD).status_code == 408


def test_a_disk_that_refuses_asks_to_come_again(
    service: TestClient, token: str, books: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("no space left on /secret/place")

    with monkeypatch.context() as patched:
        patched.setattr(Callbacks, "close", full)
        answer = service.post(f"labels/{token}", json=GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "secret" not in answer.text
    assert service.post(f"labels/{token}", json=GOOD).status_code == 200


def test_the_plugin_mounts_it_beside_the_pages() -> None:
    pages, callbacks = wayside_plugin._APPS
    assert callbacks["url_prefix"] == "/wayside-callbacks"
    assert not str(callbacks["url_prefix"]).startswith(f"{pages['url_prefix']}/")
    assert {route.path for route in callbacks["app"].app.routes} == {"/labels/{token}"}
    assert "/labels/{token}" not in {getattr(route, "path", "") for route in create_app().routes}
