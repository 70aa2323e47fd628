"""What a camera of the demo city hands out when asked: JPEG bytes, and what is wrong with them today.

This is where the city's faults happen. Everything still follows from the city, the camera and the clock, so a second
question gets the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.sources.demo.city import LATE_BY, DemoCamera, DemoCity, Fault
from wayside.sources.demo.dice import Dice, seed_of
from wayside.sources.demo.render import encode, render

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One picture as published: `body` is what goes over the wire, `delayed` says that it should go slowly."""

    body: bytes
    taken: datetime
    delayed: bool = False

    @property
    def etag(self) -> str:
        """The entity tag, quoted, as object stores make it."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


class Publisher:
    """Hands out the pictures of a city."""

    def __init__(self, city: DemoCity) -> None:
        self.city = city
        self._cached = lru_cache(maxsize=400)(self._make)

    def current(self, camera: DemoCamera, now: datetime) -> Picture | None:
        """The picture that a TfL-like camera shows now; None when the camera is dead."""
        taken = self.city.taken_at(camera, now)
        fault = self.city.fault(camera, taken)
        if fault is not None and fault.kind == "dead":
            return None
        return self._cached(camera, taken, fault)

    def latest(self, camera: DemoCamera, now: datetime) -> datetime | None:
        """The moment of the newest picture that a UO-like camera's live listing knows; None when there is none."""
        taken = self.city.taken_at(camera, now)
        for _ in range(600):
            fault = self.city.fault(camera, taken)
            if fault is None or fault.kind not in {"late", "silent"}:
                return taken
            if fault.kind == "silent":
                return None
            taken = self.city.taken_at(camera, taken - timedelta(seconds=1))
        return None

    def delivered(self, camera: DemoCamera, taken: datetime, now: datetime) -> bool:
        """Whether a UO-like camera's picture of a moment can be had by now."""
        if taken > now:
            return False
        fault = self.city.fault(camera, taken)
        if fault is None or fault.kind not in {"late", "silent"}:
            return True
        return fault.kind == "late" and taken + LATE_BY <= now

    def history(self, camera: DemoCamera, start: datetime, end: datetime, now: datetime) -> list[datetime]:
        """The moments of the pictures in a stretch of time that have arrived, newest first."""
        moments = self.city.taken_between(camera, start, min(end, now))
        return [moment for moment in reversed(moments) if self.delivered(camera, moment, now)]

    def past(self, camera: DemoCamera, taken: datetime) -> Picture:
        """The picture of a past moment."""
        return self._cached(camera, taken, self.city.fault(camera, taken))

    def _make(self, camera: DemoCamera, taken: datetime, fault: Fault | None) -> Picture:
        kind = None if fault is None else fault.kind
        if fault is not None and kind == "frozen":
            since = taken.replace(hour=int(fault.start), minute=0, second=0)
            return Picture(encode(render(camera, since).image), taken)
        if kind == "in-use":
            return Picture(encode(_card(camera)), taken)
        image = render(camera, taken).image
        if kind == "half-frozen":
            _band(image)
        body = encode(image)
        if kind == "truncated" and Dice(seed_of("cut", camera.street_seed)).at(int(taken.timestamp())) < 1 / 6:
            body = body[: int(len(body) * 0.55)]
        return Picture(body, taken, delayed=kind == "slow")


def _card(camera: DemoCamera) -> Image:
    """The grey card that hides the view while an operator uses the camera."""
    width, height = camera.size
    card = np.full((height, width, 3), 128, np.uint8)
    lines = (f"Camera {camera.id}", "in use keeping the", "demo city moving")
    for number, text in enumerate(lines):
        (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.75, 2)
        at = ((width - wide) // 2, height // 2 - 30 + number * 32)
        cv2.putText(card, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.75, (250, 250, 250), 2, cv2.LINE_AA)
    return card


def _band(image: Image) -> None:
    """A broken transmission: from two thirds down, every row repeats the last good one, fading into grey."""
    height = image.shape[0]
    cut = height * 2 // 3
    image[cut:] = (image[cut - 1].astype(np.uint16) + 3 * 128) // 4


def at_second(text_date: str, text_time: str) -> datetime:
    """The moment in a picture's address, from YYYYMMDD and HHMMSS; ValueError when it is not one."""
    return datetime.strptime(f"{text_date}{text_time}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
