"""Where the API server does heavy work: a few threads, a few places to wait, and loaded models that are kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from fastapi import HTTPException

from wayside.core.settings import Settings, settings

if TYPE_CHECKING:
    from wayside.privacy.find import Finder
    from wayside.privacy.settings import Finding

R = TypeVar("R")
FinderFactory = Callable[["Finding", Settings], "Finder"]

#: Requests that may wait beside those that are worked on.
WAITING: Final = 3
_RETRY_AFTER: Final = 5
#: What is kept loaded: `planar` and `360` share their models, but not what they are asked for.
_FINDERS: Final = 2


def open_finder(finding: "Finding", chosen: Settings) -> "Finder":
    """Load the models of a profile."""
    from wayside.privacy.find import load_finder

    return load_finder(finding, chosen)


class Desk:
    """Bounds what requests cost together. One for each application.

    Args:
        load: makes what finds the objects.
    """

    def __init__(self, load: FinderFactory = open_finder) -> None:
        self._load = load
        self._taken = 0
        self._lock = Lock()
        self._loading = Lock()
        self._finders: OrderedDict[str, Finder] = OrderedDict()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(settings().blur_at_once, thread_name_prefix="wayside-blur")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places as long as the block lasts; raise 503 if there is none."""
        with self._lock:
            if self._taken >= settings().blur_at_once + WAITING:
                raise self.busy("all places are taken")
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    async def work(self, call: Callable[[], R]) -> R:
        """Return what `call` returns on a thread of the desk. Who goes away before it began is forgotten."""
        return await asyncio.wrap_future(self._pool.submit(call))

    def finder(self, finding: "Finding", chosen: Settings) -> "Finder":
        """Return what finds the objects of a profile, loaded once."""
        key = finding.model_dump_json()
        with self._loading:
            if key not in self._finders:
                self._finders[key] = self._load(finding, chosen)
                while len(self._finders) > _FINDERS:
                    self._finders.popitem(last=False)
            self._finders.move_to_end(key)
            return self._finders[key]

    def busy(self, why: str) -> HTTPException:
        """Return the answer that asks to come back later."""
        return HTTPException(503, f"{why}: try again in {_RETRY_AFTER} s", headers={"Retry-After": str(_RETRY_AFTER)})
