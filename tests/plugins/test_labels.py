"""Waiting for a label service without a worker, and the connection that names it."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.videos.event_pictures import START

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.videos.labellers.callbacks import Ask, Callbacks, Outcome
from wayside.videos.labellers.opened import callbacks_of, open_labeller
from wayside_airflow.hooks.labels import answer_address, label_service
from wayside_airflow.triggers.labels import AnswersTrigger

EMPTY = Outcome(at=START)


def ask(books: Callbacks, event: str, deadline: datetime) -> Ask:
    made = Ask(
        source="Boat", event=event, round=books.new_round(), labeller="http:tuna", run="run-1", digest="0",
        state="waiting", deadline=deadline, pictures=(START,),
    )  # fmt: skip
    books.note(made)
    return made


def fired(trigger: AnswersTrigger) -> dict[str, Any]:
    """Make the trigger again as the triggerer does, and return what it fires with."""
    path, kwargs = trigger.serialize()
    assert path == "wayside_airflow.triggers.labels.AnswersTrigger"
    assert json.loads(json.dumps(kwargs)) == kwargs

    async def first() -> Any:
        return (await anext(aiter(AnswersTrigger(**{**kwargs, "poll": 0.001}).run()))).payload

    return asyncio.run(first())


@pytest.fixture
def books(state: Path) -> Callbacks:
    made = callbacks_of(Settings(_env_file=None))
    assert made.root == state / "videos" / "callbacks"
    return made


def test_it_fires_when_all_have_answered(books: Callbacks, monkeypatch: pytest.MonkeyPatch):
    asks = [ask(books, f"e-{number}", utc_now() + timedelta(hours=1)) for number in range(3)]
    books.wait_for("run-1-0", asks)
    books.close(asks[0], EMPTY)
    looks = 0

    async def answered(_: float) -> None:
        nonlocal looks
        looks += 1
        books.close(asks[looks], EMPTY)

    monkeypatch.setattr(asyncio, "sleep", answered)
    assert fired(AnswersTrigger("run-1-0")) == {"answered": 3, "open": 0}
    assert looks == 2


def test_it_fires_when_the_time_of_the_last_is_over(books: Callbacks):
    past, later = utc_now() - timedelta(hours=1), utc_now() + timedelta(milliseconds=20)
    asks = [ask(books, "e-0", past), ask(books, "e-1", later)]
    books.wait_for("run-1-0", asks)
    assert fired(AnswersTrigger("run-1-0")) == {"answered": 0, "open": 2}
    assert utc_now() >= later


def test_a_wait_that_is_gone_or_broken_ends(books: Callbacks):
    assert fired(AnswersTrigger("never-noted")) == {"answered": 0, "open": 0}
    assert "not valid" in fired(AnswersTrigger("../x"))["error"]


CONNECTIONS = {
    "whole": ({"host": "https://labels.example.org/v1/take"}, "https://labels.example.org/v1/take"),
    "parts": ({"host": "labels.example.org", "schema": "http", "port": 8000}, "http://labels.example.org:8000"),
    "path": ({"host": "labels.example.org", "extra": {"path": "/v1/take"}}, "https://labels.example.org/v1/take"),
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_connection_names_a_service(monkeypatch: pytest.MonkeyPatch, name: str):
    fields, address = CONNECTIONS[name]
    monkeypatch.setenv("AIRFLOW_CONN_TUNA", json.dumps({"conn_type": "http", "password": "secret", **fields}))
    service = label_service("tuna")
    assert (service.name, service.url, service.token) == ("http:tuna", address, "secret")
    assert service.patience == timedelta(hours=1)
    assert "secret" not in repr(service)
    assert "example.org" not in repr(service)


def test_a_connection_opens_a_network_of_the_house(monkeypatch: pytest.MonkeyPatch, settings: Settings):
    connection = {"conn_type": "http", "host": "http://10.20.0.7:8000/label"}
    monkeypatch.setenv("AIRFLOW_CONN_TUNA", json.dumps(connection))
    with pytest.raises(ConfigError, match="private_networks"):
        label_service("tuna")
    opened = {"private_networks": ["10.20.0.0/16"], "patience": 60, "user_id": "em"}
    monkeypatch.setenv("AIRFLOW_CONN_TUNA", json.dumps({**connection, "extra": opened}))
    labeller = open_labeller("http:tuna", settings, connection=label_service, address=answer_address)
    assert labeller.name == "http:tuna"
    for never in ("169.254.0.0/16", "127.0.0.0/8"):
        monkeypatch.setenv("AIRFLOW_CONN_TUNA", json.dumps({**connection, "extra": {"private_networks": [never]}}))
        with pytest.raises(ConfigError, match="never opened"):
            label_service("tuna")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"host": ""}, "cannot be used"),
        ({"host": "ftp://labels.example.org"}, "http or https"),
        ({"host": "https://me:secret@labels.example.org"}, "password"),
        ({"host": "https://labels.example.org", "extra": {"patience": 0}}, "patience"),
        ({"host": "https://labels.example.org", "extra": {"patience": 10**7}}, "patience"),
    ],
)
def test_connections_that_are_refused(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], told: str):
    monkeypatch.setenv("AIRFLOW_CONN_TUNA", json.dumps({"conn_type": "http", **fields}))
    with pytest.raises(ConfigError, match=told) as raised:
        label_service("tuna")
    assert "secret" not in str(raised.value)


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_a_connection_that_there_is_not():
    with pytest.raises(ConfigError, match="no Airflow connection 'nobody'"):
        label_service("nobody")


def test_the_address_to_answer_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/airflow/")
    assert answer_address("t0ken") == "https://example.org/airflow/wayside-callbacks/labels/t0ken"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    with pytest.raises(ConfigError, match="base_url"):
        answer_address("t0ken")
