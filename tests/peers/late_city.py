"""An observatory whose pictures may arrive late, after their slot is over: each camera has a street with patches.

Every camera takes a picture three minutes before each slot. `/at?now=<ISO time>` sets the city's clock, so that
scripts in other processes can walk through a day.
"""

import contextlib
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
from aiohttp import web
from tests.peers.observatory import Pole, View, serve
from tests.peers.pictures import Peer, running

from wayside.core.slots import Slot

SOURCE = "Demo-observatory"
BEFORE = timedelta(minutes=3)
LATE_BY = timedelta(minutes=15)
SIZE = (160, 120)
PATCH = 16


@lru_cache(maxsize=4096)
def street(camera: int, step: int) -> bytes:
    """The picture of a camera at a slot: the same street always, and two patches that are elsewhere each time."""
    width, height = SIZE
    grain = np.random.default_rng(camera).integers(40, 215, (height // 12, width // 12, 3), np.uint8)
    image = cv2.resize(grain, SIZE, interpolation=cv2.INTER_CUBIC)
    draw = random.Random(camera * 100_000 + step)
    for _ in range(2):
        left, top = draw.randrange(width - PATCH), draw.randrange(height // 5, height * 2 // 5)
        image[top : top + PATCH, left : left + PATCH] = [draw.randrange(256) for _ in range(3)]
    return cv2.imencode(".jpg", image)[1].tobytes()


def dark() -> bytes:
    """A picture that the filter refuses."""
    return cv2.imencode(".jpg", np.full((*SIZE[::-1], 3), 4, np.uint8))[1].tobytes()


class LateCity:
    """The cameras, one a pole, and their clock. Change `views` and call `serve` again to change what they show."""

    def __init__(self, peer: Peer, cameras: int, slots: Iterable[Slot]) -> None:
        self.peer = peer
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.views = {f"NC_B{number:03}": View(f"NC_B{number:03}", now=lambda: self.now) for number in range(cameras)}
        for number, view in enumerate(self.views.values()):
            view.bodies = {taken(slot): street(number, step) for step, slot in enumerate(slots)}
            view.times = list(view.bodies)
        peer.routes["/at"] = self._at
        self.serve()

    def serve(self) -> None:
        """Show the views as they are now."""
        serve(self.peer, [Pole(name, [view]) for name, view in self.views.items()])

    def delay(self, camera: str, slot: Slot, until: datetime | None = None) -> None:
        """Let a picture arrive late."""
        self.views[camera].arrives[taken(slot)] = until or slot.start + LATE_BY
        self.serve()

    def delay_some(self, slots: Iterable[Slot], share: float, seed: int) -> int:
        """Let a share of the pictures arrive late, drawn with `seed`; return how many."""
        stills = [(name, slot) for slot in slots for name in self.views]
        late = random.Random(seed).sample(stills, round(share * len(stills)))
        for name, slot in late:
            self.views[name].arrives[taken(slot)] = slot.start + LATE_BY
        self.serve()
        return len(late)

    async def _at(self, request: web.Request) -> web.Response:
        self.now = datetime.fromisoformat(request.query["now"])
        return web.Response()


def taken(slot: Slot, before: timedelta = BEFORE) -> str:
    """When the picture of a slot was taken, as the API writes it."""
    return (slot.start - before).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def serving(cameras: int, slots: Iterable[Slot]) -> Iterator[LateCity]:
    """Serve so many cameras for as long as the block lasts."""
    with running() as peer:
        yield LateCity(peer, cameras, list(slots))
