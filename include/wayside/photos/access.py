"""The places of a job, and patience with a share that is lost for a while."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import tenacity

from wayside.core.errors import ConfigError, StoreUnavailableError
from wayside.photos.job import Job, Where
from wayside.photos.profile import Access
from wayside.store.places import FolderPlace, Place, open_place

if TYPE_CHECKING:
    from google.cloud.storage import Client

R = TypeVar("R")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Places:
    """Where a job reads and writes. `hold` is a folder of our own, for what waits for a person."""

    input: Place
    output: Place
    archive: Place | None
    separate: Place | None
    hold: FolderPlace

    def written(self) -> list[Place]:
        """Return the places in which a killed run may have left half a file."""
        return [
            place for place in (self.input, self.output, self.archive, self.separate, self.hold) if place is not None
        ]

    def at(self, where: Where) -> Place:
        """Return a place by its name; raise `ConfigError` for one that the job does not have."""
        place = {"input": self.input, "output": self.output, "archive": self.archive, "separate": self.separate}[where]
        if place is None:
            raise ConfigError(f"this run has no {where} to write to")
        return place


def open_places(job: Job, hold: Path, client: "Client | None" = None) -> Places:
    """Open the places of a job; nothing is asked of them yet."""

    def written(address: str) -> Place:
        known = hold / job.source / "places" / sha256_of(address.encode())[:16]
        return open_place(address, client, create=True, known=known)

    separate = job.profile.write.separate_preview_folder
    return Places(
        input=open_place(job.input, client),
        output=written(job.output),
        archive=written(job.archive) if job.archive else None,
        separate=written(separate) if separate else None,
        hold=FolderPlace(hold / job.source / "hold", create=True),
    )


class Patience:
    """Calls again what fails because a place is out of reach, as long as the profile says.

    Args:
        access: how long.
        wait: sleeps for so many seconds; tests hand in their own.
    """

    def __init__(self, access: Access, wait: Callable[[float], None] = time.sleep) -> None:
        tries = 1 + int(access.timeout_seconds // access.retry_seconds)
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(StoreUnavailableError),
            wait=tenacity.wait_fixed(access.retry_seconds),
            stop=tenacity.stop_after_attempt(tries),
            before_sleep=_told,
            reraise=True,
            sleep=wait,
        )

    def __call__(self, call: Callable[[], R]) -> R:
        """Return what `call` returns; raise `StoreUnavailableError` when patience is at its end."""
        return self._retrying.copy()(call)


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def _told(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("%s: trying again in %g s", error, state.upcoming_sleep)
