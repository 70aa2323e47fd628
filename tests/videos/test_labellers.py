"""Our own detector as a labeller, how labellers are named, and what a service may be called."""

import socket
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from tests.peers.label_service import PATH, serving_labels
from tests.videos.event_pictures import JPEG, Job, Time, event

from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.pictures import Publisher
from wayside.videos.labellers.base import LabelFailure, Labelled, NoLabeller
from wayside.videos.labellers.http import HttpLabeller
from wayside.videos.labellers.onnx import OnnxLabeller
from wayside.videos.labellers.opened import callbacks_of, open_labeller
from wayside.videos.labellers.service import Reply, Service, ServiceOptions, post
from wayside.vision.decode import decode
from wayside.vision.detector import load_detector


def test_our_detector_says_what_it_finds_in_each_picture(settings: Settings) -> None:
    city = DemoCity()
    drawn = Publisher(city).current(city.tfl(0), datetime(2026, 6, 16, 8, tzinfo=UTC))
    assert drawn is not None
    data = drawn.body
    labeller = open_labeller("onnx", settings)
    assert isinstance(labeller, OnnxLabeller)
    assert labeller.name == "onnx:WaysideV1"
    shown = event("front", data=data)
    done = labeller.label(shown)
    assert isinstance(done, Labelled)
    detector = load_detector("WaysideV1", settings)
    assert done.model_sha256 == detector.sha256
    found = detector.detect(decode(data, at_least=detector.input_size).image)
    wanted = [
        (name, round(score, 6), tuple(box))
        for name, score, box in zip(found.labels, found.scores.tolist(), found.boxes.tolist(), strict=True)
    ]
    assert wanted, "a street in the rush hour has something on it, or this test tests nothing"
    for taken in shown.pictures:
        mine = [label for label in done.labels if label.at == taken.at]
        assert [(label.name, label.probability, label.box) for label in mine] == wanted
        assert all(label.polygon is None for label in mine)


def test_a_picture_that_cannot_be_decoded_fails_its_event_alone(settings: Settings) -> None:
    labeller = open_labeller("onnx:WaysideV1", settings)
    events = [event("a"), event("b", data=JPEG[:200]), event("c")]
    first, failed, last = labeller.label_all(iter(events))
    assert isinstance(failed, LabelFailure)
    assert failed.reason == "bad_picture"
    assert [one.event for one in (first, failed, last)] == ["a-0", "b-0", "c-0"]
    assert first == labeller.label(events[0])
    assert isinstance(last, Labelled)


def test_no_labeller_says_nothing(settings: Settings) -> None:
    labeller = open_labeller("none", settings)
    assert isinstance(labeller, NoLabeller)
    labeller.begin(Job(), [])
    assert labeller.label(event("front")) == Labelled("front-0", "none", None, ())
    assert labeller.post(None) is None  # type: ignore[arg-type]
    assert labeller.finish()


@pytest.mark.parametrize("text", ["", "onxx", "none:x", "hook", "hook:", "http:", "file:///etc/passwd"])
def test_names_that_mean_nothing(settings: Settings, text: str) -> None:
    with pytest.raises(ConfigError, match="write `onnx`"):
        open_labeller(text, settings)


def test_a_model_that_there_is_not(settings: Settings) -> None:
    with pytest.raises(ModelError, match="WaysideV1"):
        open_labeller("onnx:Nothing", settings)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http:https://labels.example.org/v1?key=secret", "http:labels.example.org"),
        ("https://labels.example.org:8443/v1", "http:labels.example.org:8443"),
        ("http://127.0.0.1:8000/label", "http:127.0.0.1:8000"),
        ("http:http://[::1]:8000/label", "http:[::1]:8000"),
    ],
)
def test_a_service_may_be_named_by_its_address_on_the_command_line_alone(
    settings: Settings, text: str, name: str
) -> None:
    assert open_labeller(text, settings).name == name
    with pytest.raises(ConfigError, match="by a connection"):
        open_labeller(text, settings, connection=lambda _: pytest.fail("not asked"))


def test_a_connection_is_looked_up_where_there_are_connections(settings: Settings) -> None:
    known = {"tuna": Service("http:tuna", "https://labels.example.org")}
    assert open_labeller("http:tuna", settings, connection=known.__getitem__).name == "http:tuna"
    with pytest.raises(ConfigError, match="no Airflow connections here"):
        open_labeller("http:tuna", settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://10.0.0.7/label", "private_networks"),
        ("http://169.254.169.254/latest", "private_networks"),
        ("http://[fd00::1]/label", "private_networks"),
        ("http://me:secret@labels.example.org/label", "password"),
        ("http://labels.example.org:99999/", "cannot be read"),
        ("http://", "cannot be used"),
    ],
)
def test_addresses_that_are_refused(settings: Settings, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        open_labeller(text, settings)
    assert "secret" not in str(raised.value)


def test_a_network_of_the_house_is_opened_by_hand(settings: Settings) -> None:
    assert open_labeller("http://10.0.0.7/label", settings, private_networks=("10.0.0.0/8",)).name == "http:10.0.0.7"


class Rebound(AbstractResolver):
    """A name that leads into the house."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        return [
            {"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0},
        ]

    async def close(self) -> None:
        """Nothing is open."""


def test_a_public_name_that_leads_into_the_house_is_refused(settings: Settings) -> None:
    with serving_labels() as peer:
        service = Service("http:x", f"http://labels.example.org:{peer.peer.port}{PATH}")
        labeller = HttpLabeller(service, callbacks_of(settings), clock=Time(), resolver=Rebound())
        labeller.begin(Job(), ["front"])
        with pytest.raises(ConfigError, match="private_networks"):
            labeller.send(event("front"))
        assert not peer.asked


def test_retry_after_may_be_a_date() -> None:
    with serving_labels() as peer:
        now = datetime(2026, 5, 2, 9, 40, tzinfo=UTC)
        address = peer.peer.status("/busy", 429, Retry_After="Sat, 02 May 2026 09:41:40 GMT")
        service = Service("http:x", address, options=ServiceOptions(allow_loopback=True))
        assert post(service, b"{}", "key", lambda: now) == Reply(429, b"", 100.0)
        assert peer.peer.seen["/busy"]["Idempotency-Key"] == "key"
