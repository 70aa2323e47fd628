"""From cameras and a slot to stored pictures and rows: exactly one row a camera, whatever happened.

A picture is checked, reduced if its source asks for it, and created in the store before its row exists; and the row
is always written from what lies in the store. So a run that is started again, or two runs at once, tell the same
story down to the microsecond, and a run that is killed loses nothing that it had.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ImageError, SourceError, StoreError, StoreFullError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.sources.http import Answer, HttpClient
from wayside.sources.reasons import FetchError, Reason, reason_of_image
from wayside.sources.source import Camera, Known, Offer, Source, nothing
from wayside.store import PictureMeta, Store, StoredPicture, picture_key

Row = dict[str, object]
Progress = Callable[[Row], None]
Result = TypeVar("Result")

log = logging.getLogger(__name__)


async def fetch_slot(
    source: Source,
    cameras: Sequence[Camera],
    slot: Slot,
    store: Store,
    *,
    settings: Settings,
    clock: Clock = utc_now,
    http: HttpClient | None = None,
    progress: Progress | None = None,
    offers: Sequence[Offer] | None = None,
) -> list[Row]:
    """Fetch the pictures of one slot and tell what became of each.

    Args:
        source: who offers the pictures.
        cameras: the cameras to fetch, each once; a shard of the source's, or all.
        slot: the slot that the pictures are for.
        store: where the pictures are kept. A picture that is there already is not fetched again.
        settings: limits on bytes, pixels, time, tries and concurrency. A camera that is not done when
            `fetch_deadline` seconds have passed since the call is a `timeout`; what is stored stays.
        clock: tells the time.
        http: an open client of the same source to share; by default one is opened for this call.
        progress: called with each row as it comes, in the event loop's thread.
        offers: what the source offers, where the caller has asked already; by default it is asked.

    Returns:
        One row of the table `frames` for each camera, in order. `reason` is a word of `Reason`.

    Raises:
        StoreFullError: no space is left. Pictures stored so far stay, and the next run goes on from there.
        StoreError: the store cannot be read or written.
        ConfigError: the source's own address is refused or its configuration is wrong.
    """
    async with _client(source, settings, clock, http) as client:
        shard = _Shard(source, slot, store, settings, clock, client)
        chosen = await shard.ask(cameras) if offers is None else offers
        return await shard.run(cameras, chosen, progress)


async def fetch_range(
    source: Source,
    cameras: Sequence[Camera],
    first: Slot,
    last: Slot,
    store: Store,
    *,
    settings: Settings,
    clock: Clock = utc_now,
    http: HttpClient | None = None,
    progress: Progress | None = None,
) -> AsyncIterator[tuple[Slot, list[Row]]]:
    """Fetch the pictures of every slot from `first` to `last` out of the source's history, asking for it once.

    Yields:
        Each slot with its rows, as `fetch_slot` returns them, in order of time.

    Raises:
        SourceError: the source as a whole could not say what it kept.
        StoreError: as `fetch_slot`.
    """
    async with _client(source, settings, clock, http) as client:
        kept = await source.history(client, cameras, first, last)
        for slot in Slot.between(first, last):
            shard = _Shard(source, slot, store, settings, clock, client)
            yield slot, await shard.run(cameras, kept.get(slot, []), progress)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that was fetched and not stored, since another one, `stored`, lies under its key."""

    camera: str
    data: bytes
    meta: PictureMeta
    stored: StoredPicture


async def fetch_candidates(
    source: Source,
    offers: Sequence[Offer],
    slot: Slot,
    store: Store,
    *,
    settings: Settings,
    clock: Clock = utc_now,
    http: HttpClient | None = None,
) -> list[Candidate]:
    """Fetch offered pictures of a slot for which other pictures are stored already; store nothing.

    An offer that is evidently the stored picture, by its time or by its bytes, is left out; so is one that cannot be
    had or is no whole picture, which is logged. Arguments and errors are those of `fetch_slot`.
    """
    async with _client(source, settings, clock, http) as client:
        shard = _Shard(source, slot, store, settings, clock, client)
        found = await shard.together([shard.candidate(offer) for offer in offers])
        shard.report()
    return [candidate for candidate in found if candidate is not None]


@asynccontextmanager
async def _client(
    source: Source, settings: Settings, clock: Clock, http: HttpClient | None
) -> AsyncIterator[HttpClient]:
    if http is not None:
        yield http
        return
    async with HttpClient(source.spec, settings, clock=clock) as client:
        yield client


class _Shard:
    """The cameras of one call: what they share, and the steps from an offer to a row."""

    def __init__(
        self, source: Source, slot: Slot, store: Store, settings: Settings, clock: Clock, http: HttpClient
    ) -> None:
        self.source = source
        self.spec = source.spec
        self.slot = slot
        self.store = store
        self.settings = settings
        self.clock = clock
        self.http = http
        self.deadline = asyncio.get_running_loop().time() + settings.fetch_deadline
        self.complaints: Counter[Reason] = Counter()
        self.examples: dict[Reason, str] = {}

    async def ask(self, cameras: Sequence[Camera]) -> list[Offer]:
        """Ask the source what it offers; if it cannot answer, or not in time, that is the reason in each row."""
        try:
            async with asyncio.timeout_at(self.deadline) as limit:
                return await self.source.offers(self.http, cameras, self.slot, self.clock())
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("%s %s: %s", self.spec.id, self.slot, self._late("the source did not say what it offers"))
            return nothing(cameras, Reason.TIMEOUT)
        except SourceError as error:
            log.warning("%s %s: %s", self.spec.id, self.slot, error)
            return nothing(cameras, Reason.SOURCE_ERROR)

    async def run(self, cameras: Sequence[Camera], offers: Sequence[Offer], progress: Progress | None) -> list[Row]:
        """Turn each camera into its row, many at once."""
        offered = {offer.camera: offer for offer in offers}
        done: list[Row] = []

        async def one(camera: Camera) -> Row:
            row = await self.one(camera, offered.get(camera.id) or Offer(camera.id, reason=Reason.SOURCE_ERROR))
            done.append(row)
            if progress is not None:
                progress(row)
            return row

        try:
            rows = await self.together([one(camera) for camera in cameras])
        except StoreFullError as error:
            told = f"{len(done)} of {len(cameras)} cameras of {self.spec.id} {self.slot} are done and stay"
            raise StoreFullError(f"{error}; {told}, and a new run goes on from there") from error
        self.report()
        return rows

    @staticmethod
    async def together(work: Sequence[Coroutine[object, object, Result]]) -> list[Result]:
        """Wait for everything at once; the first error ends the others and is raised."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one) for one in work]
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        return [task.result() for task in tasks]

    async def one(self, camera: Camera, offer: Offer) -> Row:
        """Turn one camera into its row."""
        stored, known = await asyncio.to_thread(self._look, camera, offer)
        if stored is not None:
            return self._row_of(camera, stored)
        if offer.url is None:
            return self._row(camera, offer.reason or Reason.NO_PICTURE)
        try:
            return await self._in_time(offer.url, lambda url: self._take(camera, offer, url, known))
        except FetchError as error:
            self._complain(error)
            return self._row(camera, error.reason, error.http_status)

    async def candidate(self, offer: Offer) -> Candidate | None:
        """Fetch a picture beside the stored one; None if there is no stored one, no other, or none to be had."""
        stored = await asyncio.to_thread(self.store.read, picture_key(self.spec.id, self.slot, offer.camera))
        if stored is None or offer.url is None or _same_moment(stored, offer):
            return None
        try:
            answer = await self._in_time(
                offer.url, lambda url: self.source.download(self.http, url, self.settings.max_image_bytes, None)
            )
            data, meta = await asyncio.to_thread(self._made, offer, answer)
        except ImageError as error:
            self._complain(FetchError(reason_of_image(error), f"{offer.url}: {error}"))
            return None
        except FetchError as error:
            self._complain(error)
            return None
        return None if data == stored.data else Candidate(offer.camera, data, meta, stored)

    def _look(self, camera: Camera, offer: Offer) -> tuple[StoredPicture | None, Known | None]:
        """Return the picture if it is stored already, else what is known of the one before it."""
        stored = self.store.read(self._key(camera))
        if stored is not None or offer.url is None or not self.source.steady:
            return stored, None
        before = self.store.read(self._key(camera, self.slot.previous))
        if before is None or before.meta is None:
            return None, None
        known = Known(before.meta.etag, before.meta.last_modified)
        return None, known if known != Known() else None

    async def _in_time(self, url: str, take: Callable[[str], Awaitable[Result]]) -> Result:
        """Wait for a lane and take the picture, unless the deadline of the whole call comes first."""
        try:
            async with asyncio.timeout_at(self.deadline) as limit, self.http.lane(url):
                return await take(url)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise FetchError(Reason.TIMEOUT, self._late(f"{url} was not done")) from error

    async def _take(self, camera: Camera, offer: Offer, url: str, known: Known | None) -> Row:
        """Download and keep one picture."""
        answer = await self.source.download(self.http, url, self.settings.max_image_bytes, known)
        if answer.status == 304:
            again = await asyncio.to_thread(self._keep_again, camera, answer)
            if again is not None:
                return again
            # The picture before was deleted meanwhile: take the whole one.
            answer = await self.source.download(self.http, url, self.settings.max_image_bytes, None)
        try:
            return await asyncio.to_thread(self._keep, camera, offer, answer)
        except ImageError as error:
            raise FetchError(reason_of_image(error), f"{url}: {error}", http_status=answer.status) from error

    def _keep(self, camera: Camera, offer: Offer, answer: Answer) -> Row:
        """Check, reduce and store the bytes."""
        return self._create(camera, *self._made(offer, answer))

    def _made(self, offer: Offer, answer: Answer) -> tuple[bytes, PictureMeta]:
        """Check and reduce the bytes. What they are is decided by the bytes, not by the type they came with."""
        from wayside.vision.decode import Limits, check, shrink

        data, limits = answer.body, Limits.of(self.settings)
        header = check(data, limits=limits)
        if self.spec.shrink and max(header.width, header.height) > self.settings.shrink_to:
            data = shrink(data, self.settings.shrink_to, limits=limits)
            header = check(data, limits=limits)
        meta = PictureMeta(
            fetched_at=self._now(),
            captured_at=offer.captured_at or _http_date(answer.last_modified),
            http_status=answer.status,
            etag=answer.etag,
            last_modified=answer.last_modified,
            width=header.width,
            height=header.height,
        )
        return data, meta

    def _keep_again(self, camera: Camera, answer: Answer) -> Row | None:
        """Store the picture of the slot before once more; None if it is no longer there."""
        before = self.store.read(self._key(camera, self.slot.previous))
        if before is None or before.meta is None:
            return None
        changes = {
            "fetched_at": self._now(),
            "http_status": answer.status,
            "etag": answer.etag or before.meta.etag,
            "last_modified": answer.last_modified or before.meta.last_modified,
            "reason": Reason.NOT_MODIFIED.value,
        }
        return self._create(camera, before.data, before.meta.model_copy(update=changes))

    def _create(self, camera: Camera, data: bytes, meta: PictureMeta) -> Row:
        """Store a picture and return the row of what lies there then, which may be another run's."""
        key = self._key(camera)
        for _ in range(2):
            self.store.create(key, data, meta)
            if (stored := self.store.read(key)) is not None:
                return self._row_of(camera, stored)
        raise StoreError(f"{key} was stored and is gone: something deletes pictures of the present slot")

    def _row_of(self, camera: Camera, stored: StoredPicture) -> Row:
        """Build the row of a stored picture; without a record, the slot's start stands for the time of fetching."""
        meta = stored.meta or PictureMeta(fetched_at=self.slot.start, reason=Reason.ALREADY_STORED.value)
        width, height = meta.width, meta.height
        if width is None or height is None:
            width, height = _size(stored.data, self.settings)
        return self._row(camera, None, meta.http_status) | {
            "status": "ok",
            "reason": meta.reason,
            "sha256": stored.sha256,
            "bytes": len(stored.data),
            "width": width,
            "height": height,
            "captured_at": meta.captured_at and meta.captured_at.astimezone(UTC),
            "fetched_at": meta.fetched_at.astimezone(UTC),
            "uri": stored.uri,
        }

    def _row(self, camera: Camera, reason: Reason | None, http_status: int | None = None) -> Row:
        """Build a row without a picture."""
        from wayside.core.tables import SCHEMA_VERSION

        return {
            "source": self.spec.id,
            "camera": camera.id,
            "slot": self.slot.start,
            "status": "ok" if reason is None else reason.status,
            "reason": None if reason is None else reason.value,
            "http_status": http_status,
            "sha256": None,
            "bytes": None,
            "width": None,
            "height": None,
            "captured_at": None,
            "fetched_at": self._now(),
            "uri": None,
            "schema_version": SCHEMA_VERSION,
        }

    def _key(self, camera: Camera, slot: Slot | None = None) -> str:
        return picture_key(self.spec.id, slot or self.slot, camera.id)

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)

    def _late(self, what: str) -> str:
        return f"{what} within the {self.settings.fetch_deadline:g} s that all cameras share (fetch_deadline)"

    def _complain(self, error: FetchError) -> None:
        self.complaints[error.reason] += 1
        self.examples.setdefault(error.reason, str(error))

    def report(self) -> None:
        """Log each complaint once, with how often it came and one example."""
        for reason, times in self.complaints.most_common():
            log.warning("%s %s: %d x %s, such as: %s", self.spec.id, self.slot, times, reason, self.examples[reason])


def _same_moment(stored: StoredPicture, offer: Offer) -> bool:
    """Tell whether an offer is of the very picture that is stored, as far as its time says."""
    return offer.captured_at is not None and stored.meta is not None and stored.meta.captured_at == offer.captured_at


def _size(data: bytes, settings: Settings) -> tuple[int | None, int | None]:
    from wayside.vision.decode import Limits, check

    try:
        header = check(data, limits=Limits.of(settings))
    except ImageError:
        return None, None
    return header.width, header.height


def _http_date(text: str | None) -> datetime | None:
    """Read a `Last-Modified` header; None for none, or for nonsense."""
    try:
        moment = parsedate_to_datetime(text) if text else None
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
