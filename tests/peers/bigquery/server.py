"""The HTTP around the API: one thread a connection, a log of the calls, and the faults that tests ask for."""

import contextlib
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.peers.bigquery.api import Answer, Api, Request, multipart
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.faults import Call, Fault, Faults, first_word


class Server(ThreadingHTTPServer):
    """A server on a free port of this machine; `lock` lets one call at a time through."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, api: Api, faults: Faults, calls: list[Call]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api
        self.faults = faults
        self.calls = calls

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        """Say nothing: the calls are in the peer's log."""

    def _serve(self) -> None:
        request = self._request()
        call = _call(request)
        with self.server.api.jobs.changed:
            self.server.calls.append(call)
            fault = self.server.faults.for_call(call)
            answer = self._answer(request, fault)
        if answer is None:
            self._hang_up()
            return
        call.status = answer.status
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _request(self) -> Request:
        url = urlsplit(self.path)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        method = self.headers.get("X-HTTP-Method-Override") or self.command
        return Request(method, url.path, dict(parse_qsl(url.query)), self.headers, body)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _answer(self, request: Request, fault: Fault | None) -> Answer | None:
        """The answer, or None where the connection is cut instead."""
        answer = None if fault and fault.when == "before" else self._ordinary(request)
        if fault is None:
            return answer
        return None if fault.drop else _refusal(fault.error)

    def _ordinary(self, request: Request) -> Answer:
        try:
            return self.server.api.answer(request)
        except ApiError as error:
            return _refusal(error)
        except Exception as error:
            return _refusal(ApiError("peerFailure", f"The peer failed: {type(error).__name__}: {error}", 501))

    def _send(self, answer: Answer) -> None:
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _refusal(error: ApiError) -> Answer:
    return Answer(error.answer(), error.status)


def _call(request: Request) -> Call:
    """The call as the log keeps it, with the kind of job that it brings."""
    body: Any = None
    with contextlib.suppress(ValueError, KeyError, ApiError):
        multi = request.query.get("uploadType") == "multipart"
        body = multipart(request)[0] if multi else request.json() if request.method != "PUT" else None
    call = Call(request.method, request.path, request.query, body)
    configuration = (body or {}).get("configuration") or {}
    if request.path.startswith("/upload") or "load" in configuration:
        call.kind = "load"
    elif "query" in configuration:
        call.kind, call.statement = "query", first_word(configuration)
    elif request.path.endswith("/queries"):
        call.kind, call.statement = "query", first_word({"query": body or {}})
    return call
