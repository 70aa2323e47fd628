"""The client: bounded in bytes, time and tries, and patient only with what may pass."""

import asyncio
import contextlib
import gzip
import pickle
import ssl
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tenacity import Future, RetryCallState
from tests.peers.pictures import announced, cut, endless, gzip_bomb, jpeg, never, slow
from tests.sources.support import NOW, spec_of, with_client

from wayside.core.errors import ConfigError, SourceError
from wayside.sources import FetchError, HttpClient, Reason
from wayside.sources.http import _translated, asked_wait

LIMIT = 100_000


def get(peer: Any, settings: Any, path: str, **more: Any) -> Any:
    return with_client(spec_of(peer), settings, lambda http: http.get(peer.url + path, limit=LIMIT, **more))


def failure(peer: Any, settings: Any, path: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(peer, settings, path)
    return caught.value


def test_a_picture_comes_with_its_validators(peer: Any, settings: Any) -> None:
    peer.picture("/1.jpg", jpeg(), '"tag"')
    answer = get(peer, settings, "/1.jpg")
    assert (answer.status, answer.body, answer.etag) == (200, jpeg(), '"tag"')
    assert answer.last_modified == "Fri, 01 May 2020 00:48:30 GMT"
    assert peer.seen["/1.jpg"]["Accept-Encoding"] == "identity"
    assert "If-None-Match" not in peer.seen["/1.jpg"]


def test_validators_are_sent_the_exact_one_alone(peer: Any, settings: Any) -> None:
    peer.picture("/1.jpg", jpeg(), '"tag"')
    assert get(peer, settings, "/1.jpg", etag='"tag"', last_modified="yesterday").status == 304
    assert "If-Modified-Since" not in peer.seen["/1.jpg"]
    assert get(peer, settings, "/1.jpg", last_modified="yesterday").status == 200
    assert peer.seen["/1.jpg"]["If-Modified-Since"] == "yesterday"


def test_a_304_that_nobody_asked_for_is_an_error(peer: Any, settings: Any) -> None:
    peer.status("/x", 304)
    assert failure(peer, settings, "/x").reason is Reason.HTTP_ERROR


def test_headers_of_the_source_are_sent(peer: Any, settings: Any) -> None:
    peer.body("/1.jpg", b"x")
    given = spec_of(peer, headers={"Referer": "https://example.org/"})
    with_client(given, settings, lambda http: http.get(peer.url + "/1.jpg", limit=10))
    assert peer.seen["/1.jpg"]["Referer"] == "https://example.org/"
    assert peer.seen["/1.jpg"]["User-Agent"].startswith("wayside/")


@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        (404, Reason.HTTP_404, 1),
        (410, Reason.HTTP_404, 1),
        (400, Reason.HTTP_ERROR, 1),
        (401, Reason.HTTP_ERROR, 1),
        (403, Reason.HTTP_ERROR, 1),
        (206, Reason.HTTP_ERROR, 1),
        (429, Reason.HTTP_ERROR, 3),
        (500, Reason.HTTP_ERROR, 3),
        (503, Reason.HTTP_ERROR, 3),
    ],
)
def test_only_what_may_pass_is_tried_again(peer: Any, settings: Any, status: int, reason: Reason, tries: int) -> None:
    peer.status("/x", status)
    error = failure(peer, settings, "/x")
    assert (error.reason, error.http_status) == (reason, status)
    assert peer.calls["/x"] == tries


@pytest.mark.parametrize(
    ("handler", "reason", "tries"),
    [
        (never, Reason.TIMEOUT, 3),
        (slow, Reason.TIMEOUT, 3),
        (cut, Reason.INTERRUPTED, 3),
        (endless, Reason.TOO_LARGE, 1),
        (announced, Reason.TOO_LARGE, 1),
        (gzip_bomb, Reason.TOO_LARGE, 1),
    ],
)
def test_a_bad_peer_costs_little(peer: Any, settings: Any, handler: Any, reason: Reason, tries: int) -> None:
    peer.routes["/x"] = handler
    settings = settings.model_copy(update={"fetch_timeout": 0.25 if reason is Reason.TIMEOUT else 10.0})
    assert failure(peer, settings, "/x").reason is reason
    assert peer.calls["/x"] == tries


def test_what_passes_passes(peer: Any, settings: Any) -> None:
    answers = [web.Response(status=503), web.Response(status=429, headers={"Retry-After": "0"})]

    async def moody(_: web.Request) -> web.Response:
        return answers.pop(0) if answers else web.Response(body=b"good")

    peer.routes["/x"] = moody
    assert get(peer, settings, "/x").body == b"good"
    assert peer.calls["/x"] == 3


def test_nobody_listens(peer: Any, settings: Any) -> None:
    given = spec_of(peer, url="http://127.0.0.1:1/list")
    with pytest.raises(FetchError) as caught:
        with_client(given, settings, lambda http: http.get(given.url, limit=10))
    assert caught.value.reason is Reason.CONNECTION
    assert "127.0.0.1:1" in str(caught.value)


def test_a_host_that_answers_nobody_is_not_asked_again_and_again(peer: Any, settings: Any) -> None:
    """Of a dead host's cameras the first few are tried three times, the rest once."""
    peer.routes["/x"] = cut

    async def many(http: HttpClient) -> None:
        for _ in range(6):
            with pytest.raises(FetchError):
                await http.get(peer.url + "/x", limit=LIMIT)

    with_client(spec_of(peer, concurrency=2), settings, many)
    assert peer.calls["/x"] == 3 + 5


def test_an_answer_restores_the_patience(peer: Any, settings: Any) -> None:
    peer.routes["/x"] = cut
    peer.status("/y", 404)

    async def many(http: HttpClient) -> None:
        for path in ("/x", "/y", "/x"):
            with pytest.raises(FetchError):
                await http.get(peer.url + path, limit=LIMIT)

    with_client(spec_of(peer, concurrency=1), settings, many)
    assert peer.calls["/x"] == 2 + 2


def test_a_host_that_nobody_reaches_is_given_up(peer: Any, settings: Any) -> None:
    given = spec_of(peer, url="http://127.0.0.1:1/list", concurrency=1)
    settings = settings.model_copy(update={"fetch_attempts": 1})

    async def many(http: HttpClient) -> list[FetchError]:
        errors = []
        for _ in range(10):
            with pytest.raises(FetchError) as caught:
                await http.get(given.url, limit=LIMIT)
            errors.append(caught.value)
        return errors

    errors = with_client(given, settings, many)
    assert {error.reason for error in errors} == {Reason.CONNECTION}
    assert ["is not asked" in str(error) for error in errors] == [False] * 8 + [True] * 2


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_host_that_answers_now_and_then_is_not_given_up(peer: Any, settings: Any, status: int) -> None:
    peer.routes["/hangs"] = never
    peer.status("/answers", status)
    settings = settings.model_copy(update={"fetch_timeout": 0.05, "fetch_attempts": 1})

    async def many(http: HttpClient) -> None:
        for path in (["/hangs"] * 7 + ["/answers"]) * 2:
            with contextlib.suppress(FetchError):
                await http.get(peer.url + path, limit=LIMIT)

    with_client(spec_of(peer, concurrency=1), settings, many)
    assert (peer.calls["/hangs"], peer.calls["/answers"]) == (14, 2)


def test_redirects_are_followed_to_listed_hosts(peer: Any, settings: Any) -> None:
    peer.status("/a", 302, Location="/b")
    peer.status("/b", 307, Location=peer.url + "/c")
    peer.body("/c", b"there")
    assert get(peer, settings, "/a").body == b"there"


def test_a_loop_ends(peer: Any, settings: Any) -> None:
    peer.status("/a", 302, Location="/a")
    error = failure(peer, settings, "/a")
    assert (error.reason, error.http_status) == (Reason.REDIRECT_LOOP, 302)
    assert peer.calls["/a"] == settings.fetch_redirects + 1


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://elsewhere.example/", Reason.REFUSED_HOST),
        ("file:///etc/passwd", Reason.REFUSED_URL),
        ("http://[::1", Reason.REFUSED_URL),
        ("//169.254.169.254/", Reason.REFUSED_HOST),
    ],
)
def test_redirects_elsewhere_are_refused(peer: Any, settings: Any, target: str, reason: Reason) -> None:
    peer.status("/a", 301, Location=target)
    assert failure(peer, settings, "/a").reason is reason
    assert peer.calls["/a"] == 1


def test_a_redirect_to_nowhere_is_an_error(peer: Any, settings: Any) -> None:
    peer.status("/a", 302)
    assert failure(peer, settings, "/a").reason is Reason.HTTP_ERROR


def test_cookies_are_not_kept(peer: Any, settings: Any) -> None:
    peer.body("/x", b"x", Set_Cookie="a=b")

    async def twice(http: HttpClient) -> None:
        await http.get(peer.url + "/x", limit=10)
        await http.get(peer.url + "/x", limit=10)

    with_client(spec_of(peer), settings, twice)
    assert "Cookie" not in peer.seen["/x"]


def test_gzip_is_read_within_the_limit(peer: Any, settings: Any) -> None:
    peer.body("/x", gzip.compress(b"hello"), Content_Encoding="gzip")
    assert get(peer, settings, "/x").body == b"hello"


@pytest.mark.parametrize(
    ("data", "encoding", "reason", "tries"),
    [
        (b"no gzip at all", "gzip", Reason.BAD_ANSWER, 1),
        (gzip.compress(b"hello", mtime=0)[:-6], "gzip", Reason.INTERRUPTED, 3),
        (b"hello", "br", Reason.BAD_ANSWER, 1),
    ],
)
def test_broken_encodings(peer: Any, settings: Any, data: bytes, encoding: str, reason: Reason, tries: int) -> None:
    peer.body("/x", data, Content_Encoding=encoding)
    assert failure(peer, settings, "/x").reason is reason
    assert peer.calls["/x"] == tries


def test_exactly_the_limit_is_allowed(peer: Any, settings: Any) -> None:
    peer.body("/x", bytes(LIMIT))
    assert len(get(peer, settings, "/x").body) == LIMIT
    peer.body("/x", bytes(LIMIT + 1))
    assert failure(peer, settings, "/x").reason is Reason.TOO_LARGE


def test_an_address_that_is_none(peer: Any, settings: Any) -> None:
    async def ask(http: HttpClient) -> None:
        async with http.lane("http://[::1"):
            await http.get("http://[::1", limit=10)

    with pytest.raises(FetchError) as caught:
        with_client(spec_of(peer), settings, ask)
    assert caught.value.reason is Reason.REFUSED_URL


def test_lanes_bound_what_runs_at_once(peer: Any, settings: Any) -> None:
    running, most = 0, 0

    async def busy(_: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return web.Response(body=b"x")

    peer.routes["/x"] = busy

    async def many(http: HttpClient) -> None:
        async def one() -> None:
            async with http.lane(peer.url + "/x"):
                await http.get(peer.url + "/x", limit=10)

        await asyncio.gather(*(one() for _ in range(20)))

    with_client(spec_of(peer, concurrency=3), settings, many)
    assert most == 3


def test_a_closed_client_says_so(peer: Any, settings: Any) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(HttpClient(spec_of(peer), settings).get(peer.url, limit=1))


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7.0, 7.0),
        ("86400", 30.0, 30.0),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True), 9.0, 9.0),
        (format_datetime(NOW - timedelta(seconds=9), usegmt=True), 0.0, 0.002),
        ("soon", 0.0, 0.002),
        ("9" * 400, 0.0, 0.002),
        (None, 0.0, 0.002),
    ],
)
def test_retry_after_is_honoured_up_to_half_a_minute(
    peer: Any, settings: Any, header: str | None, low: float, high: float
) -> None:
    client = HttpClient(spec_of(peer), settings, clock=lambda: NOW)
    error = FetchError(Reason.HTTP_ERROR, "429", passing=True, wait=asked_wait(header, NOW))
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.outcome = Future.construct(1, error, has_exception=True)
    assert low <= client._pause(state) <= high


def test_json(peer: Any, settings: Any) -> None:
    peer.json("/x", {"a": [1]})
    assert with_client(spec_of(peer), settings, lambda http: http.get_json(peer.url + "/x")) == {"a": [1]}
    assert peer.seen["/x"]["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 200_000, b"\xff\xfe\x00"])
def test_json_that_is_none(peer: Any, settings: Any, body: bytes) -> None:
    peer.body("/x", body)
    with pytest.raises(SourceError, match=r"Peer.*JSON"):
        with_client(spec_of(peer), settings, lambda http: http.get_json(peer.url + "/x"))


def test_json_out_of_reach_may_pass_and_a_refusal_will_not(peer: Any, settings: Any) -> None:
    with pytest.raises(SourceError, match="answered 404"):
        with_client(spec_of(peer), settings, lambda http: http.get_json(peer.url + "/x"))
    with pytest.raises(ConfigError, match="add it to its `hosts`"):
        with_client(spec_of(peer), settings, lambda http: http.get_json("http://elsewhere.example/"))


def test_tls_without_a_trusted_certificate(peer: Any, settings: Any) -> None:
    """The peer speaks plain HTTP: that is no handshake, and no second try makes it one."""
    given = spec_of(peer, url=peer.url.replace("http:", "https:") + "/list")
    with pytest.raises(FetchError) as caught:
        with_client(given, settings, lambda http: http.get(given.url, limit=10))
    assert caught.value.reason is Reason.TLS


def test_every_complaint_of_the_library_has_a_word() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("x", 1, True, True, None, None, None, None)  # type: ignore[call-arg]
    certificate = aiohttp.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError("expired"))
    told = {
        _translated("u", error, 1.0).reason
        for error in (certificate, aiohttp.InvalidURL("u"), aiohttp.ServerDisconnectedError(), aiohttp.ClientError())
    }
    assert told == {Reason.TLS, Reason.REFUSED_URL, Reason.CONNECTION, Reason.BAD_ANSWER}


def test_the_error_survives_pickling() -> None:
    error = FetchError(Reason.HTTP_ERROR, "it answered 503", http_status=503, passing=True, wait=2.0)
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == "it answered 503"
    assert vars(copied) == vars(error)
