"""The Urban Observatory of Newcastle: hundreds of cameras, each picture at an address of its own, and a history.

Live, the pages of the entity list say which picture of each view is the newest. For the past, a camera is looked up by
name, and each of its views gives the address of an archive that lists the pictures of a stretch of time. A picture
belongs to the slot at or after its time; of several the one closest before the slot wins.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final, TypeVar

from pydantic import BaseModel, ValidationError
from yarl import URL

from wayside.core.errors import ConfigError, SourceError
from wayside.core.slots import SLOT_LENGTH, Slot
from wayside.sources.http import HttpClient
from wayside.sources.lists import chosen
from wayside.sources.observatory_json import Archive, Entity, Feed, Page, Value, items
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera, Offer, WebSource, is_present

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)
# The text "Camera image", with its quotation marks, as the API wants it.
_METRIC: Final = "%22Camera%20image%22"
_VIEW_MARK: Final = "-View_"


class UrbanObservatorySource(WebSource):
    """The API whose base is `spec.url`; whoever answers in the same form will do."""

    steady: ClassVar[bool] = False
    keeps: ClassVar[bool] = True

    async def cameras(self, http: HttpClient) -> list[Camera]:
        """Read all pages; raise `SourceError` if one of them cannot be had, because the list would be cut."""
        pages = await self._pages(http)
        if broken := [page for page in pages if isinstance(page, SourceError)]:
            raise broken[0]
        entities = _entities(pages)
        return chosen(self.spec, http.settings, (self._camera(e, name, feed) for e, name, feed in entities))

    async def offers(self, http: HttpClient, cameras: Sequence[Camera], slot: Slot, now: datetime) -> list[Offer]:
        """Offer the newest pictures if the slot is the present one, else look into the history."""
        if not is_present(slot, now):
            return (await self.history(http, cameras, slot, slot))[slot]
        pages = await self._pages(http)
        feeds = {name: feed for _, name, feed in reversed(_entities(pages))}
        cut = any(isinstance(page, SourceError) for page in pages)
        return [_live(camera, feeds.get(camera.id), slot, cut=cut) for camera in cameras]

    async def history(
        self, http: HttpClient, cameras: Sequence[Camera], first: Slot, last: Slot
    ) -> dict[Slot, list[Offer]]:
        """Look each camera up once, and sort its pictures into the slots. What fails costs that camera alone."""
        poles = {camera.id.partition(_VIEW_MARK)[0] for camera in cameras}
        looked = await asyncio.gather(*(self._feeds(http, pole) for pole in sorted(poles)))
        feeds = dict(zip(sorted(poles), looked, strict=True))

        async def one(camera: Camera) -> dict[Slot, Offer] | Reason:
            known = feeds[camera.id.partition(_VIEW_MARK)[0]]
            if isinstance(known, Reason):
                return known
            if camera.id not in known:
                return Reason.NOT_LISTED
            return await self._past(http, camera, known[camera.id], first, last)

        past = await asyncio.gather(*(one(camera) for camera in cameras))
        return {
            slot: [_then(camera, found, slot) for camera, found in zip(cameras, past, strict=True)]
            for slot in Slot.between(first, last)
        }

    async def _pages(self, http: HttpClient) -> list[Page | SourceError]:
        """Read the first page, which says how many there are, then the others at once; their errors are returned."""
        first = await self._page(http, 1)
        numbers = range(2, first.pagination.page_count + 1)
        others = await asyncio.gather(*(self._page(http, number) for number in numbers), return_exceptions=True)
        pages: list[Page | SourceError] = [first]
        for page in others:
            if isinstance(page, SourceError):
                log.warning("%s: a page of the list is lost: %s", self.spec.id, page)
            elif isinstance(page, BaseException):
                raise page
            pages.append(page)
        return pages

    async def _page(self, http: HttpClient, number: int) -> Page:
        return await self._read(http, Page, f"{self._base}/entity/?metric={_METRIC}&page={number}")

    async def _feeds(self, http: HttpClient, pole: str) -> dict[str, Feed] | Reason:
        """Return the views of a camera by id, or why they are not known."""
        url = f"{self._base}/entity?metric={_METRIC}&brokerage:sourceId={pole}"
        try:
            page = await self._read(http, Page, url)
            address = next((e.friendly for e in items(Entity, page.items, "entity") if e.friendly), None)
            if address is None:
                return Reason.NOT_LISTED
            entity = await self._ask_on(http, Entity, address, {})
        except SourceError as error:
            log.warning("%s: the history of %s is not known: %s", self.spec.id, pole, error)
            return Reason.SOURCE_ERROR
        return dict(entity.cameras())

    async def _past(
        self, http: HttpClient, camera: Camera, feed: Feed, first: Slot, last: Slot
    ) -> dict[Slot, Offer] | Reason:
        """Return the best picture of each slot in which a view has one."""
        stretch = {"startTime": _stamp(first.start - SLOT_LENGTH), "endTime": _stamp(last.start)}
        best: dict[Slot, Value] = {}
        try:
            for address in feed.archives:
                archive = await self._ask_on(http, Archive, address, stretch)
                for value in items(Value, archive.historic.values, f"picture of {camera.id}"):
                    slot = Slot.ceil(value.time)
                    if slot not in best or best[slot].time < value.time:
                        best[slot] = value
        except SourceError as error:
            log.warning("%s: the history of %s is not known: %s", self.spec.id, camera.id, error)
            return Reason.SOURCE_ERROR
        return {slot: Offer(camera.id, url=value.value, captured_at=value.time) for slot, value in best.items()}

    async def _ask_on(self, http: HttpClient, model: type[Model], link: str, query: dict[str, str]) -> Model:
        """Follow a link out of an answer; one that may not be followed costs no more than one that is broken.

        Links to the API itself are asked in the way that its base is, also where they are written with plain http.
        """
        try:
            url = URL(link).update_query(query)
            if url.host == self._base.host:
                url = self._base.with_path(url.path).with_query(url.query)
            return await self._read(http, model, str(url))
        except (ConfigError, ValueError) as error:
            raise SourceError(f"source {self.spec.id}: a link of its answer cannot be followed: {error}") from error

    async def _read(self, http: HttpClient, model: type[Model], url: str) -> Model:
        answer = await http.get_json(url)
        try:
            return model.model_validate(answer)
        except ValidationError as error:
            told = " ".join(str(error).split())[:300]
            raise SourceError(f"source {self.spec.id}: {url} answers in another form: {told}") from error

    def _camera(self, entity: Entity, name: str, feed: Feed) -> Camera:
        lat, lon = entity.place or (None, None)
        latest = feed.latest
        return Camera(
            source=self.spec.id,
            id=name,
            name=entity.name or name,
            lat=lat,
            lon=lon,
            view=entity.view,
            attribution=self.spec.attribution,
            url=latest.value if latest else None,
        )

    @property
    def _base(self) -> URL:
        return URL(self.spec.url.rstrip("/"))


def _entities(pages: Iterable[Page | SourceError]) -> list[tuple[Entity, str, Feed]]:
    """Return every camera of the pages that could be read: its entity, id and feed."""
    return [
        (entity, name, feed)
        for page in pages
        if isinstance(page, Page)
        for entity in items(Entity, page.items, "entity")
        for name, feed in entity.cameras()
    ]


def _live(camera: Camera, feed: Feed | None, slot: Slot, *, cut: bool) -> Offer:
    """Offer the newest picture if it was taken less than ten minutes before the slot."""
    if feed is None:
        return Offer(camera.id, reason=Reason.SOURCE_ERROR if cut else Reason.NOT_LISTED)
    if feed.latest is None:
        return Offer(camera.id, reason=Reason.NO_PICTURE)
    if feed.latest.time <= slot.start - SLOT_LENGTH:
        return Offer(camera.id, reason=Reason.STALE)
    return Offer(camera.id, url=feed.latest.value, captured_at=feed.latest.time)


def _then(camera: Camera, found: dict[Slot, Offer] | Reason, slot: Slot) -> Offer:
    if isinstance(found, Reason):
        return Offer(camera.id, reason=found)
    return found.get(slot) or Offer(camera.id, reason=Reason.NO_PICTURE)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
