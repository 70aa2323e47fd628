"""A peer that serves pictures, well and badly: what the fetcher has to survive, on 127.0.0.1.

One server in a thread of its own, with its own event loop; `Peer.calls` counts requests by path and `Peer.seen` keeps
the headers of the last one.
"""

import asyncio
import contextlib
import functools
import gzip
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import cv2
import numpy as np
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LAST_MODIFIED = "Fri, 01 May 2020 00:48:30 GMT"


def jpeg(width: int = 352, height: int = 288, seed: int = 0) -> bytes:
    """A picture of soft noise; another seed is another picture."""
    grain = np.random.default_rng(seed).integers(0, 255, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    picture = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Peer:
    """The server: `routes` may be added to or replaced while it runs, by path."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seen: dict[str, dict[str, str]] = {}
        self.queries: list[str] = []
        self.routes: dict[str, Handler] = {}
        self.port = 0
        self.stopped: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def body(self, path: str, data: bytes, **headers: str) -> str:
        """Serve `data` at `path`, with `Content-Type: image/jpeg` and other headers as given; return the address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=data, headers={"Content-Type": "image/jpeg", **named})

        self.routes[path] = answer
        return self.url + path

    def status(self, path: str, status: int, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, headers=named)

        self.routes[path] = answer
        return self.url + path

    def json(self, path: str, value: object) -> str:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(value)

        self.routes[path] = answer
        return self.url + path

    def picture(self, path: str, data: bytes, etag: str = '"v1"') -> str:
        """Serve a picture that knows its tag and answers 304 to it."""

        async def answer(request: web.Request) -> web.Response:
            headers = {"ETag": etag, "Last-Modified": LAST_MODIFIED, "Content-Type": "image/jpeg"}
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers=headers)
            return web.Response(body=data, headers=headers)

        self.routes[path] = answer
        return self.url + path

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        self.calls[request.path] += 1
        self.queries.append(request.path_qs)
        self.seen[request.path] = dict(request.headers)
        handler = self.routes.get(request.path)
        return web.Response(status=404) if handler is None else await handler(request)

    async def serve(self, ready: threading.Event) -> None:
        self.stopped = asyncio.Event()
        runner = web.ServerRunner(web.Server(self._dispatch, access_log=None), shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await self.stopped.wait()
        await runner.cleanup()


@contextlib.contextmanager
def running() -> Iterator[Peer]:
    """Run a peer for as long as the block lasts."""
    peer, ready, loops = Peer(), threading.Event(), []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await peer.serve(ready)

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield peer
    finally:
        loops[0].call_soon_threadsafe(peer.stopped.set)
        thread.join(10)


async def never(_: web.Request) -> web.StreamResponse:
    """Accepts, and does not answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def slow(request: web.Request) -> web.StreamResponse:
    """Announces a picture, sends the first bytes, and no more."""
    response = web.StreamResponse(headers={"Content-Length": "20000"})
    await response.prepare(request)
    await response.write(b"\xff\xd8\xff")
    await asyncio.Event().wait()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    """Ten gigabytes in chunks, unannounced."""
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    chunk = b"\xff\xd8\xff" + bytes(2**20)
    for _ in range(10_000):
        await response.write(chunk)
    return response


async def announced(request: web.Request) -> web.StreamResponse:
    """Ten gigabytes, announced and not sent."""
    response = web.StreamResponse(headers={"Content-Length": str(10 * 2**30)})
    await response.prepare(request)
    await response.write(b"\xff\xd8\xff")
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    """Announces more than it sends, and closes the connection."""
    response = web.StreamResponse(headers={"Content-Length": "20000"})
    await response.prepare(request)
    await response.write(b"\xff\xd8\xff" + bytes(1000))
    assert request.transport is not None
    request.transport.close()
    return response


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(bytes(20 * 2**20), 1)


async def gzip_bomb(_: web.Request) -> web.StreamResponse:
    """Twenty megabytes of zeros as less than a hundred kilobytes of gzip."""
    return web.Response(body=_bomb(), headers={"Content-Encoding": "gzip", "Content-Type": "image/jpeg"})
