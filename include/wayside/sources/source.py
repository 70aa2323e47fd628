"""The two nouns and the one interface of every source: cameras, offers, and who answers for them.

A source only *says* what it offers; the fetcher decides what is taken. Live sources show the present alone, so they
offer a picture only for the slot that holds the present. Of the slot to come they offer one in the last minute before
its start, since clocks differ; no earlier, since a picture that is stored stays for good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wayside.core.ids import camera_id, source_id
from wayside.core.slots import CLOCK_SKEW, Slot
from wayside.sources.http import Answer, HttpClient
from wayside.sources.reasons import Reason
from wayside.sources.spec import SourceSpec


class Camera(BaseModel):
    """One camera. `reason` says why it offers no picture, where the list of cameras says so already."""

    model_config = ConfigDict(frozen=True)

    source: Annotated[str, AfterValidator(source_id)]
    id: Annotated[str, AfterValidator(camera_id)]
    name: str = Field(max_length=500)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    view: str | None = Field(default=None, max_length=500)
    attribution: str | None = None
    url: str | None = Field(default=None, max_length=2000)
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source offers for one camera and slot: the picture's `url`, or else the `reason` why there is none."""

    camera: str
    url: str | None = None
    captured_at: datetime | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a picture that may not have changed: the validators of the answer that brought it."""

    etag: str | None = None
    last_modified: str | None = None


class Source(Protocol):
    """Whoever offers pictures. Methods that ask raise `SourceError` when the source as a whole cannot answer."""

    spec: SourceSpec
    #: Whether a camera's picture keeps its address, so that it makes sense to ask whether it changed.
    steady: ClassVar[bool]
    #: Whether old pictures can be had, so that it makes sense to ask for its history.
    keeps: ClassVar[bool]

    async def cameras(self, http: HttpClient) -> list[Camera]:
        """Return the cameras to look at: those listed, or those asked for by name."""

    async def offers(self, http: HttpClient, cameras: Sequence[Camera], slot: Slot, now: datetime) -> list[Offer]:
        """Return one offer for each camera, in order."""

    async def history(
        self, http: HttpClient, cameras: Sequence[Camera], first: Slot, last: Slot
    ) -> dict[Slot, list[Offer]]:
        """Return the offers for each slot from `first` to `last`, from what the source kept."""

    async def download(self, http: HttpClient, url: str, limit: int, known: Known | None) -> Answer:
        """Return the bytes at an offered address, at most `limit`; raise `FetchError` otherwise."""


class WebSource:
    """What the sources on the web have in common; a source without a history offers nothing for other slots."""

    steady: ClassVar[bool] = True
    keeps: ClassVar[bool] = False

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec

    async def offers(self, http: HttpClient, cameras: Sequence[Camera], slot: Slot, now: datetime) -> list[Offer]:
        """Offer each camera's own address while the slot is the present one."""
        if not is_present(slot, now):
            return nothing(cameras, Reason.NO_HISTORY)
        return [offer_of(camera) for camera in cameras]

    async def history(
        self, http: HttpClient, cameras: Sequence[Camera], first: Slot, last: Slot
    ) -> dict[Slot, list[Offer]]:
        """Offer nothing: only the present is on show."""
        return {slot: nothing(cameras, Reason.NO_HISTORY) for slot in Slot.between(first, last)}

    async def download(self, http: HttpClient, url: str, limit: int, known: Known | None) -> Answer:
        """Fetch the picture over HTTP."""
        known = known or Known()
        return await http.get(url, limit=limit, etag=known.etag, last_modified=known.last_modified)


def is_present(slot: Slot, now: datetime) -> bool:
    """Tell whether a picture taken `now` may stand for `slot`."""
    return slot.start - CLOCK_SKEW <= now < slot.end


def offer_of(camera: Camera) -> Offer:
    """Return the offer that a camera carries itself."""
    if camera.url is None or camera.reason is not None:
        return Offer(camera.id, reason=camera.reason or Reason.NO_PICTURE)
    return Offer(camera.id, url=camera.url)


def nothing(cameras: Iterable[Camera], reason: Reason) -> list[Offer]:
    """Return an offer of no picture for each camera."""
    return [Offer(camera.id, reason=reason) for camera in cameras]
