"""Weights: found, pulled, and refused unless hash, licence and file are right."""

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.vision.graphs import brightness_graph, external_graph, nested_external_graph

from wayside.core.errors import ModelError, ModelHashError, ModelLicenceError, TransientError
from wayside.core.settings import Settings
from wayside.vision import registry
from wayside.vision.cards import ModelCard
from wayside.vision.download import download_https
from wayside.vision.onnxfile import check_onnx

GRAPH = brightness_graph()
Make = Callable[..., ModelCard]
local = partial(download_https, schemes=frozenset({"http"}))


class Server:
    """A web server on the loopback with one file, some broken answers, and a count of its requests."""

    def __init__(self) -> None:
        self.body = GRAPH
        self.seen: list[str] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path == "/missing":
            request.send_error(404)
            return
        if request.path.startswith("/to-"):
            request.send_response(302)
            target = {"/to-file": f"{self.url}/file", "/to-ftp": "ftp://127.0.0.1/file"}[request.path]
            request.send_header("Location", target)
            request.end_headers()
            return
        if request.path == "/hangs":
            self.over.wait(20)
            return
        request.send_response(200)
        if request.path != "/unsized":
            short = 100 if request.path == "/short" else 0
            request.send_header("Content-Length", str(len(self.body) + short))
        request.end_headers()
        while request.path == "/drips" and not self.over.wait(0.01):
            request.wfile.write(b"x")
        request.wfile.write(self.body)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.over.set()
    running.http.shutdown()
    running.http.server_close()


def offered(make_card: Make, server: Server, path: str = "/file", **fields: object) -> ModelCard:
    """Write a card for what the server offers; the scheme is changed behind the card's back, which wants https."""
    paths = [path] if isinstance(path, str) else path
    card = make_card(urls=["https://127.0.0.1/x"], **fields)
    return card.model_copy(update={"urls": tuple(f"{server.url}{one}" for one in paths)})


def test_what_comes_with_wayside_is_found_first(settings: Settings, make_card: Make) -> None:
    card = make_card(GRAPH)
    assert registry.cards(settings) == {"Tiny": card}
    assert registry.card("Tiny", settings) == card
    settings.pulled_models.mkdir(parents=True)
    (settings.pulled_models / card.file).write_bytes(b"other")
    assert registry.find(card, settings) == settings.models / card.file
    assert registry.verify(card, settings) == card.sha256


def test_unknown_and_absent_models(settings: Settings, make_card: Make) -> None:
    with pytest.raises(ModelError, match="there are: none"):
        registry.card("Tiny", settings)
    card = make_card(sha256="0" * 64)
    with pytest.raises(ModelError, match=r"put tiny\.onnx into"):
        registry.read_weights(card, settings)
    with pytest.raises(ModelError, match="no address"):
        registry.pull(card, settings)
    with pytest.raises(ModelError, match="wayside models pull Tiny"):
        registry.read_weights(make_card(urls=["https://example.org/a"]), settings)


def test_a_changed_byte_is_found(settings: Settings, make_card: Make) -> None:
    card = make_card(GRAPH)
    (settings.models / card.file).write_bytes(GRAPH[:-1] + b"\0")
    with pytest.raises(ModelHashError, match=f"expected {card.sha256}"):
        registry.read_weights(card, settings)


def test_licences(settings: Settings, make_card: Make, server: Server) -> None:
    card = offered(make_card, server, licence="AGPL-3.0")
    for refuse in (registry.verify, partial(registry.pull, download=local)):
        with pytest.raises(ModelLicenceError, match="WAYSIDE_ALLOW_LICENCES"):
            refuse(card, settings)
    assert not server.seen
    allowed = settings.model_copy(update={"allow_licences": ("AGPL-3.0",)})
    assert registry.pull(card, allowed, download=local).is_file()


def test_pull_with_a_known_hash(settings: Settings, make_card: Make, server: Server) -> None:
    card = offered(make_card, server, "/to-file", sha256=hashlib.sha256(GRAPH).hexdigest(), size_bytes=len(GRAPH))
    steps: list[tuple[int, int | None]] = []
    path = registry.pull(card, settings, download=local, progress=lambda *step: steps.append(step))
    assert path == settings.pulled_models / card.file
    assert path.read_bytes() == GRAPH
    assert steps[-1] == (len(GRAPH), len(GRAPH))
    assert registry.read_weights(card, settings) == (GRAPH, card.sha256)
    registry.pull(card, settings, download=local)
    assert server.seen == ["/to-file", "/file"]
    assert [entry.name for entry in settings.pulled_models.iterdir()] == [card.file]


def test_the_first_pull_records_the_hash_and_the_next_demands_it(
    settings: Settings, make_card: Make, server: Server
) -> None:
    card = offered(make_card, server, "/unsized")
    path = registry.pull(card, settings, download=local)
    assert registry.expected_sha256(card, settings) == hashlib.sha256(GRAPH).hexdigest()
    assert registry.verify(card, settings)
    path.unlink()
    server.body = brightness_graph(classes=5)
    with pytest.raises(ModelHashError, match="what was pulled is not Tiny"):
        registry.pull(card, settings, download=local)
    assert not path.exists()
    (settings.pulled_models / "pulled.yaml").write_text("- broken", encoding="utf-8")
    with pytest.raises(ModelError, match="damaged"):
        registry.expected_sha256(card, settings)


def test_weights_without_any_known_hash_are_not_loaded(settings: Settings, make_card: Make) -> None:
    card = make_card()
    (settings.models / card.file).write_bytes(GRAPH)
    with pytest.raises(ModelHashError, match=hashlib.sha256(GRAPH).hexdigest()):
        registry.verify(card, settings)


def test_the_next_address_is_tried(settings: Settings, make_card: Make, server: Server) -> None:
    card = offered(make_card, server, ["/missing", "/short", "/file"])
    assert registry.pull(card, settings, download=local).read_bytes() == GRAPH
    gone = offered(make_card, server, ["/missing", "/short"], name="Gone")
    with pytest.raises(TransientError, match=r"404.*connection broke"):
        registry.pull(gone, settings, download=local)
    refused = gone.model_copy(update={"urls": ("http://127.0.0.1:1/file",)})
    with pytest.raises(TransientError, match="could not be pulled"):
        registry.pull(refused, settings, download=local)


def test_addresses_that_do_not_answer_share_one_patience(settings: Settings, make_card: Make, server: Server) -> None:
    card = offered(make_card, server, ["/hangs", "/hangs", "/hangs"])
    begun = time.monotonic()
    with pytest.raises(TransientError, match=r"(no answer, or no more of it, within 0\.1 s.*){3}"):
        registry.pull(card, settings, download=local, patience=0.3)
    assert time.monotonic() - begun < 5
    assert list(settings.pulled_models.iterdir()) == []
    assert registry.pull(
        offered(make_card, server, ["/hangs", "/file"]), settings, download=local, patience=2
    ).is_file()


def test_a_file_that_comes_in_drops_is_given_up(settings: Settings, make_card: Make, server: Server) -> None:
    card = offered(make_card, server, "/drips")
    begun = time.monotonic()
    with pytest.raises(TransientError, match=r"no more of it, within 0\.3 s"):
        registry.pull(card, settings, download=partial(local, deadline=0.3))
    assert time.monotonic() - begun < 5
    assert list(settings.pulled_models.iterdir()) == []


def test_an_address_that_makes_no_sense_is_no_silence(server: Server) -> None:
    with pytest.raises((ValueError, TransientError)):
        local("http://[::1", io.BytesIO(), limit=10, progress=print)
    with pytest.raises(Exception, match=r"port|Port"):
        local("http://127.0.0.1:port/", io.BytesIO(), limit=10, progress=print)


@pytest.mark.parametrize(
    ("path", "says"), [("/to-ftp", "only http is allowed"), ("/file", "larger than"), ("/unsized", "larger than")]
)
def test_what_may_not_be_fetched(settings: Settings, make_card: Make, server: Server, path: str, says: str) -> None:
    card = offered(make_card, server, path, sha256="0" * 64, size_bytes=10)
    with pytest.raises(ModelError, match=says):
        registry.pull(card, settings, download=local)
    assert list(settings.pulled_models.iterdir()) == []


def test_only_https_by_default(settings: Settings, make_card: Make, server: Server) -> None:
    with pytest.raises(ModelError, match="only https is allowed"):
        registry.pull(offered(make_card, server), settings)
    assert not server.seen


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>sign in first</html>", "not an ONNX model"),
        (b"\xff" * 20, "not an ONNX model"),
        (b"", "holds no graph"),
        (external_graph(), "other files"),
        (nested_external_graph(), "other files"),
        (GRAPH[: len(GRAPH) // 2], "not an ONNX model"),
    ],
)
def test_what_is_no_model_in_one_piece_is_not_kept(
    settings: Settings, make_card: Make, server: Server, body: bytes, says: str
) -> None:
    server.body = body
    card = offered(make_card, server, sha256=hashlib.sha256(body).hexdigest())
    with pytest.raises(ModelError, match=says):
        registry.pull(card, settings, download=local)
    assert list(settings.pulled_models.iterdir()) == []
    (settings.models / card.file).write_bytes(body)
    with pytest.raises(ModelError, match=says):
        registry.verify(card, settings)


@given(st.binary(max_size=300))
@hypothesis_settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_model_or_a_model_error(body: bytes) -> None:
    for data in (body, GRAPH[:200] + body, b"\x3a" + bytes([len(body) % 128]) + body):
        with suppress(ModelError):
            check_onnx(data, "file")


def test_a_deeply_nested_file_is_refused() -> None:
    data = b""
    for _ in range(200):
        data = b"\x32" + _length(len(data)) + data  # attribute.g
        data = b"\x2a" + _length(len(data)) + data  # node.attribute
        data = b"\x0a" + _length(len(data)) + data  # graph.node
    with pytest.raises(ModelError, match="not an ONNX model"):
        check_onnx(b"\x3a" + _length(len(data)) + data, "file")


def _length(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def test_shipped_weights_are_those_of_their_cards() -> None:
    real = Settings(state=Path("/nonexistent"))
    for card in registry.cards(real).values():
        if registry.find(card, real):
            assert registry.verify(card, real) == card.sha256
