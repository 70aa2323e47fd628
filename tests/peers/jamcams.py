"""A peer with many cheap cameras in TfL's form: small pictures, a clock that is set over HTTP, and a few bad cameras.

`/at?slot=20260616T0700Z` sets the clock, so that scripts in other processes can walk through the slots.
"""

import contextlib
import zlib
from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus

import cv2
import numpy as np
from aiohttp import web
from tests.peers.pictures import Peer, running

from wayside.core.slots import Slot

START = Slot.parse("20260616T0700Z")
GONE, CUT, SHUT, BROKEN, SLEEPY = range(5)
REASONS = {GONE: "http_404", CUT: "truncated", SHUT: "unavailable", BROKEN: "http_error"}


@lru_cache(maxsize=1024)
def picture(camera: int, step: int) -> bytes:
    """The picture of a camera at a slot; the sleepy ones have a new one every second slot only."""
    seed = camera * 1000 + (step // 2 * 2 if camera % 7 == SLEEPY else step)
    grain = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return cv2.imencode(".jpg", cv2.resize(grain, (64, 48), interpolation=cv2.INTER_CUBIC))[1].tobytes()


class JamCams:
    """The cameras; `cameras` may change while they are served, and `down` lets the list fail."""

    def __init__(self, peer: Peer, cameras: int) -> None:
        self.peer = peer
        self.cameras = cameras
        self.slot = START
        self.down = False
        peer.routes |= {"/at": self._at, "/Place/Type/JamCam": self._list}
        for camera in range(cameras):
            peer.routes[f"/{self.name(camera)}.jpg"] = lambda request, camera=camera: self._picture(request, camera)

    @property
    def url(self) -> str:
        return self.peer.url

    @staticmethod
    def name(camera: int) -> str:
        return f"00009.{camera:05d}"

    async def _at(self, request: web.Request) -> web.Response:
        self.slot = Slot.parse(request.query["slot"])
        return web.Response()

    async def _list(self, _: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503, headers={"Retry-After": "0"})
        return web.json_response([self._place(camera) for camera in range(self.cameras)])

    def _place(self, camera: int) -> dict[str, object]:
        facts = {"imageUrl": f"{self.url}/{self.name(camera)}.jpg", "available": str(camera != SHUT).lower()}
        return {
            "id": f"JamCams_{self.name(camera)}",
            "commonName": f"Road {camera}",
            "lat": 51.5,
            "lon": -0.1,
            "additionalProperties": [{"key": key, "value": value} for key, value in facts.items()],
        }

    async def _picture(self, request: web.Request, camera: int) -> web.Response:
        if camera in {GONE, BROKEN}:
            return web.Response(status=HTTPStatus.NOT_FOUND if camera == GONE else HTTPStatus.BAD_GATEWAY)
        body = picture(camera, int((self.slot.start - START.start).total_seconds()) // 600)
        if camera == CUT:
            body = body[: len(body) // 2]
        headers = {"ETag": f'"{zlib.crc32(body)}"', "Content-Type": "image/jpeg"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)


@contextlib.contextmanager
def serving(cameras: int) -> Iterator[JamCams]:
    """Serve so many cameras for as long as the block lasts."""
    with running() as peer:
        yield JamCams(peer, cameras)
