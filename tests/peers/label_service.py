"""A label service on 127.0.0.1 that speaks the documented form, and misbehaves when it is told to.

How it treats an event is told by camera. It answers to the address that came with the event, over a socket: when
`settled` is called, or with `answer` one at a time.
"""

import asyncio
import base64
import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import aiohttp
from aiohttp import web
from tests.peers.pictures import Peer, running

PATH = "/label"
#: Origin bottom left: a triangle in the lower left quarter.
POLYGON = [[0.0, 0.0], [0.5, 0.0], [0.25, 0.5]]
#: Statuses that are answered first, by behaviour; after them the event is taken.
FIRST = {
    "429 x3": [429] * 3,
    "429 x5": [429] * 5,
    "500 x2": [500] * 2,
    "500": [500] * 1000,
    "400": [400] * 1000,
    "302": [302] * 1000,
    "cut": ["cut"] * 1000,
    "cut x2": ["cut"] * 2,
}


def answer_to(event: dict[str, Any], label: str = "tuna") -> dict[str, Any]:
    said = {label: {"probability": 0.75, "polygon": POLYGON}, "boat": {"probability": 0.5}}
    return {"status": "success", "labels": {image["timestamp"]: said for image in event["images"]}}


class LabelService:
    """The service.

    Attributes:
        how: camera -> behaviour; a camera that is not named is answered properly.
        asked: camera -> the events that came, whatever was answered to them.
        keys: camera -> the idempotency keys that came with them.
        told: camera -> the status and the text that came back for each answer.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.how: dict[str, str] = {}
        self.asked: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.keys: defaultdict[str, list[str]] = defaultdict(list)
        self.told: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.headers: dict[str, str] = {}
        self._answers: list[tuple[dict[str, Any], bytes]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        peer.routes[PATH] = self._take

    def reset(self) -> None:
        """Forget everything, behaviours too."""
        for kept in (self.how, self.asked, self.keys, self.told, self._answers):
            kept.clear()

    @property
    def url(self) -> str:
        return self.peer.url + PATH

    @property
    def times(self) -> Counter[str]:
        return Counter({camera: len(events) for camera, events in self.asked.items()})

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self._loop = asyncio.get_running_loop()
        self.headers = dict(request.headers)
        event = json.loads(await request.read())
        assert set(event) == {"user_id", "camera", "callback_url", "images"}
        for image in event["images"]:
            assert image["type"] == "image/jpeg"
            assert base64.b64decode(image["image_b64"], validate=True).startswith(b"\xff\xd8\xff")
        camera = event["camera"]
        self.asked[camera].append(event)
        self.keys[camera].append(request.headers["Idempotency-Key"])
        how = self.how.get(camera, "")
        first = FIRST.get(how, [])
        if len(self.asked[camera]) <= len(first):
            return self._refuse(request, first[len(self.asked[camera]) - 1])
        if how.startswith("at once"):
            return self._at_once(event, how)
        bodies = [] if how in {"late", "never"} else self._bodies(event, how)
        if how == "before":
            await self._send(event, bodies.pop())
        self._answers += [(event, body) for body in bodies]
        return web.Response(status=202, text="ok")

    def _refuse(self, request: web.Request, status: int | str) -> web.StreamResponse:
        if status == "cut":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.Response(status=int(status), headers={"Retry-After": "45", "Location": "http://127.0.0.1:1/"})

    def _at_once(self, event: dict[str, Any], how: str) -> web.Response:
        if how == "at once, malformed":
            return web.json_response({"status": "success", "labels": ["cat"]})
        if how == "at once, endless":
            return web.Response(body=b'{"status": "success", "labels": ' + bytes(5 * 2**20))
        return web.json_response(answer_to(event))

    def _bodies(self, event: dict[str, Any], how: str) -> list[bytes]:
        good = json.dumps(answer_to(event)).encode()
        match how:
            case "twice":
                return [good, json.dumps(answer_to(event), indent=1).encode()]
            case "twice, another":
                return [good, json.dumps(answer_to(event, "shark")).encode()]
            case "malformed":
                return [b"{", b'{"status": "success", "labels": {"now": {}}}', b'{"status": "well"}']
            case "malformed, then mended":
                return [b"[]", good]
            case "error":
                return [b'{"status": "error", "message": "out of memory"}']
        return [good]

    async def _send(self, event: dict[str, Any], body: bytes) -> None:
        async with aiohttp.ClientSession() as session, session.post(event["callback_url"], data=body) as answer:
            self.told[event["camera"]].append((answer.status, await answer.text()))

    def answer(self, camera: str, number: int = -1, body: dict[str, Any] | None = None) -> int:
        """Send the answer to an event that came; return the status that comes back."""
        event = self.asked[camera][number]
        self._sent(event, json.dumps(body or answer_to(event)).encode())
        return self.told[camera][-1][0]

    def settled(self) -> None:
        """Send the answers that are ready."""
        while self._answers:
            self._sent(*self._answers.pop(0))

    def _sent(self, event: dict[str, Any], body: bytes) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._send(event, body), self._loop).result(10)


@contextlib.contextmanager
def serving_labels() -> Iterator[LabelService]:
    """Run the service for as long as the block lasts."""
    with running() as peer:
        yield LabelService(peer)
