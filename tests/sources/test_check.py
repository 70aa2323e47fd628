"""Trying a source out: what is found, what is warned of, and that a failure is a report and not a crash."""

from typing import Any

import pytest
from tests.peers.pictures import Peer, jpeg
from tests.sources.support import now, place, run, spec_of

from wayside.sources.check import Report, check_source


def check(peer: Peer, settings: Any, **fields: Any) -> Report:
    return run(check_source(spec_of(peer, **{"attribution": "Us"} | fields), settings, clock=now))


def test_a_good_source(peer: Peer, settings: Any, store: Any) -> None:
    url = peer.body("/a.jpg", jpeg())
    peer.json("/list", [place("x", None), place("b", peer.url + "/b.jpg", available="false"), place("a", url)])
    report = check(peer, settings)
    assert report.ok
    assert (report.cameras, report.warnings) == (3, [])
    assert report.reasons == {"unavailable": 1, "no_picture": 1}
    assert report.sample is not None
    assert (report.sample.camera, report.sample.width, report.sample.bytes) == ("a", 352, len(jpeg()))
    assert not list(store.keys("Peer"))


@pytest.mark.parametrize(
    ("entries", "fields", "warning"),
    [
        ([], {}, "lists no cameras"),
        ([place("x", None)], {}, "no camera offers a picture"),
        ([place("a", "/a.jpg")], {"cameras": ["a", "q"]}, "1 cameras are asked for by name"),
        ([place("big", "/big.jpg")], {}, "larger than 440 pixels"),
        ([place("a", "/a.jpg")], {"attribution": None}, "no `attribution`"),
    ],
)
def test_warnings(peer: Peer, settings: Any, entries: list[Any], fields: dict[str, Any], warning: str) -> None:
    peer.body("/a.jpg", jpeg())
    peer.body("/big.jpg", jpeg(640, 480))
    for entry in entries:
        for fact in entry["additionalProperties"]:
            fact["value"] = peer.url + fact["value"]
    peer.json("/list", entries)
    report = check(peer, settings, **fields)
    assert report.ok
    assert len(report.warnings) == 1
    assert warning in report.warnings[0]


def test_plain_http_is_warned_of(peer: Peer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.json("/list", [])
    spec = spec_of(peer, attribution="Us").model_copy(update={"allow_loopback": False})
    monkeypatch.setattr("wayside.sources.guard.Guard.check_url", lambda *_: None)
    assert "plain http" in run(check_source(spec, settings, clock=now)).warnings[1]


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"text", "the picture of a at http://127.0.0.1"), (b"", "no bytes"), (None, "answered 404")],
)
def test_a_bad_sample_is_a_failure(peer: Peer, settings: Any, body: bytes | None, says: str) -> None:
    if body is not None:
        peer.body("/a.jpg", body)
    peer.json("/list", [place("a", peer.url + "/a.jpg")])
    report = check(peer, settings)
    assert not report.ok
    assert says in str(report.error)


def test_a_source_that_is_not_there_is_a_failure(peer: Peer, settings: Any) -> None:
    report = check(peer, settings)
    assert not report.ok
    assert "answered 404" in str(report.error)
