"""A bucket service for tests: the emulator of the JSON API, with what it lacks, and failures that can be asked for.

The emulator (gcp-storage-emulator) ignores preconditions on generations and answers every list in one page. Here a
request whose `ifGenerationMatch` does not hold gets 412, and lists come in pages. `fail` lets requests fail: with a
status, with half an answer, or with none for as long as the peer lives; before or after they had their effect.
"""

import contextlib
import io
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial, partialmethod
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler, Router
from gcp_storage_emulator.storage import RESUMABLE_DIR, Storage
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

BUCKET = "pictures"
HANG, CUT = 0, 1


class _MismatchError(Exception):
    """A precondition does not hold."""


class _Objects(Storage):
    """The emulator's memory, which looks at the generation that the request of the moment expects.

    The objects in `busy` are not deleted this time; a batch answers 503 for them.
    """

    def __init__(self) -> None:
        super().__init__(use_memory_fs=True)
        self.expected: str | None = None
        self.busy: set[str] = set()

    def _check(self, bucket: str, name: str) -> None:
        if bucket == RESUMABLE_DIR:
            return
        there = self.objects.get(bucket, {}).get(name)
        if self.expected is not None and self.expected != ("0" if there is None else there["generation"]):
            raise _MismatchError

    def create_file(self, bucket_name: str, file_name: str, *rest: Any, **options: Any) -> None:
        self._check(bucket_name, file_name)
        super().create_file(bucket_name, file_name, *rest, **options)

    def get_file(self, bucket_name: str, file_name: str, *rest: Any, **options: Any) -> Any:
        self._check(bucket_name, file_name)
        return super().get_file(bucket_name, file_name, *rest, **options)

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        if file_name in self.busy:
            raise NotFound
        super().delete_file(bucket_name, file_name)

    def _write_config_to_file(self) -> None:
        """Nothing outlives the test, and writing all of it anew for each object takes long."""


@dataclass
class _Fault:
    how: int
    method: str
    path: str
    times: int
    applied: bool


@dataclass
class StoragePeer:
    """A running service. `requests` are the methods and paths that came; `page` is the longest page of a list."""

    url: str
    objects: _Objects
    page: int = 1000
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)
    _faults: list[_Fault] = field(default_factory=list)

    def client(self) -> Client:
        """A real client of this service."""
        options = ClientOptions(api_endpoint=self.url)
        return Client(project="test", credentials=AnonymousCredentials(), client_options=options)

    def bucket(self, name: str = BUCKET) -> None:
        """Make a bucket."""
        create_bucket(name, self.objects)

    def fail(self, how: int, method: str = "", path: str = "", times: int = 1, applied: bool = False) -> None:
        """Let the next requests fail that have this method and whose path has this part.

        `how` is a status, `CUT` for a connection that ends in the middle of the answer, or `HANG` for one that gets no
        answer; a cut request has its effect, others have it if they are `applied`.
        """
        self._faults.append(_Fault(how, method, path, times, applied or how == CUT))

    def busy(self, *names: str) -> None:
        """Let the next batch leave these objects undeleted, and say that the service is too busy for them."""
        self.objects.busy |= set(names)

    def fault(self, method: str, path: str) -> _Fault | None:
        """Take the fault that this request has to suffer.

        The client library asks for the bucket itself in a thread of its own, for its traces: that is let through.
        """
        if re.search(r"/b/[^/?]+(\?|$)", path):
            return None
        self.requests.append(f"{method} {path}")
        for fault in self._faults:
            if fault.times and fault.method in method and fault.path in path:
                fault.times -= 1
                return fault
        return None


class _Handler(RequestHandler):
    def __init__(self, peer: StoragePeer, *arguments: Any) -> None:
        self.peer = peer
        super().__init__(peer.objects, *arguments)

    def _serve(self, method: str) -> None:
        # Who answers before it has read the request resets the connection.
        self.rfile = io.BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        with self.peer.lock:
            fault = self.peer.fault(method, self.path)
            answer = self._answer(method) if fault is None or fault.applied else b""
        if fault is None:
            self.wfile.write(answer)
        elif fault.how == HANG:
            self.peer.ended.wait(60)
        elif fault.how == CUT:
            self.wfile.write(answer[: len(answer) - 3])
        else:
            self._tell(fault.how, "asked for by the test")

    def _answer(self, method: str) -> bytes:
        query = parse_qs(urlsplit(self.path).query)
        self.peer.objects.expected = query.get("ifGenerationMatch", [None])[0]
        real, self.wfile = self.wfile, io.BytesIO()
        try:
            Router(self).handle(method)
        except _MismatchError:
            self._tell(412, "At least one of the pre-conditions you specified did not hold.")
        finally:
            answer, self.wfile = self.wfile.getvalue(), real
        while "/batch/" in self.path and self.peer.objects.busy:
            name = re.escape(self.peer.objects.busy.pop().encode())
            part = rb"HTTP/1.1 404 Not Found(?=((?!HTTP/1.1).)*" + name + b")"
            answer = re.sub(part, b"HTTP/1.1 503 Try Later", answer, flags=re.DOTALL)
        return self._paged(answer, query) if method == "GET" and urlsplit(self.path).path.endswith("/o") else answer

    def _paged(self, answer: bytes, query: dict[str, list[str]]) -> bytes:
        """Cut a list down to the page that was asked for."""
        head, _, body = answer.partition(b"\r\n\r\n")
        if not body:
            return answer
        found = json.loads(body)
        names = sorted([item["name"] for item in found["items"]] + found["prefixes"])
        start = int(query.get("pageToken", ["0"])[0])
        end = start + min(self.peer.page, int(query.get("maxResults", ["1000"])[0]))
        page = set(names[start:end])
        found["items"] = [item for item in found["items"] if item["name"] in page]
        found["prefixes"] = [name for name in found["prefixes"] if name in page]
        if end < len(names):
            found["nextPageToken"] = str(end)
        data = json.dumps(found).encode()
        return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(data), head) + b"\r\n\r\n" + data

    def _tell(self, status: int, message: str) -> None:
        body = json.dumps({"error": {"code": status, "message": message}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", partialmethod(_Handler._serve, _method))


@contextlib.contextmanager
def serving_storage() -> Iterator[StoragePeer]:
    """Serve an empty bucket `pictures` on a free port for as long as the block lasts."""
    objects = _Objects()
    peer = StoragePeer("", objects)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, peer)) as server:
        peer.url = f"http://127.0.0.1:{server.server_address[1]}"
        peer.bucket()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield peer
        finally:
            peer.ended.set()
            server.shutdown()
            thread.join()
