"""Pictures that came late: which stills of a day lack one or have a bad one, and what the source's history has instead.

A still without a picture gets the one that is offered. A faulty picture is replaced by another one that is better: the
pipelines that refuse it are fewer than those that refused the stored one. A good picture is never replaced.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from wayside.core.errors import StoreError
from wayside.core.slots import Slot
from wayside.sources.fetch import Candidate, fetch_candidates, fetch_slot
from wayside.sources.http import HttpClient
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera, Offer, Source, nothing
from wayside.stills.ingest import Ingest, Progress
from wayside.stills.rows import Row
from wayside.stills.splice import Key, publishing
from wayside.stills.still import StillPipeline
from wayside.store import StoredPicture, picture_key
from wayside.vision.stream import Failure, stream

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Day:
    """Some cameras of one day of a source, as published.

    Attributes:
        source: the source.
        slots: the slots of the day that are over, in order.
        cameras: the cameras.
        known: those that have a frame on this day, the day before or the day after.
        frames: columns of their frames, by slot and camera, from the slot before the day to the one after it.
        counted: by pipeline, slot and camera, whether the still is faulty; no entry where it has no counts.
    """

    source: str
    slots: Sequence[Slot]
    cameras: Sequence[str]
    known: Collection[str]
    frames: Mapping[Slot, Mapping[str, Row]]
    counted: Mapping[str, Mapping[Slot, Mapping[str, bool]]]

    def lacking(self, slot: Slot) -> list[str]:
        """Return the cameras that have no picture at a slot."""
        there = self.frames.get(slot, {})
        return [camera for camera in self.cameras if camera not in there or there[camera]["status"] != "ok"]

    def faulty(self, slot: Slot) -> list[str]:
        """Return the cameras whose picture a pipeline found faulty."""
        bad = {name for counted in self.counted.values() for name, is_bad in counted.get(slot, {}).items() if is_bad}
        there = self.frames.get(slot, {})
        return [camera for camera in self.cameras if camera in bad and camera in there]


@dataclass
class News:
    """What a day's frames will say anew.

    Attributes:
        frames: rows to be published, by slot and camera.
        changed: the stills that have a picture that is not published yet.
        fetched: how many pictures came, or were found in the store.
        replaced: how many took the place of a faulty one.
        asked: how many cameras the source was asked about.
    """

    frames: dict[Slot, dict[str, Row]] = field(default_factory=dict)
    changed: set[Key] = field(default_factory=set)
    fetched: int = 0
    replaced: int = 0
    asked: int = 0

    def add(self, slot: Slot, row: Row) -> None:
        """Note a new row."""
        self.frames.setdefault(slot, {})[row["camera"]] = row
        if row["status"] == "ok":
            self.changed.add((row["camera"], slot))


async def fetch_late(
    work: Ingest, day: Day, pipelines: Mapping[str, StillPipeline], progress: Progress | None = None
) -> News:
    """Fetch what the source has by now, and return what the frames have to say anew.

    That includes pictures that an earlier run stored, which was killed before it published them. The source is asked
    once, about the cameras that lack something; one that keeps no pictures is not asked.

    Raises:
        SourceError: the source as a whole could not say what it kept.
        StoreError: the store cannot be read or written.
    """
    source, news = work.source(day.source), News()
    async with HttpClient(source.spec, work.settings, clock=work.clock) as http:
        offers = await _ask(source, http, day, news)
        late = _Late(work, source, http, day, pipelines, news)
        outcomes: list[tuple[Slot, Row]] = []
        for slot in day.slots:
            offered = {offer.camera: offer for offer in offers.get(slot, ())}
            outcomes += [(slot, row) for row in await late.missing(slot, offered)]
            await late.replace(slot, [offered[camera] for camera in day.faulty(slot) if camera in offered])
            if progress and (done := len(day.lacking(slot))):
                progress(done)
        _settle(day, outcomes, news, keeps=source.keeps)
        await late.stored_before()
    return news


async def _ask(source: Source, http: HttpClient, day: Day, news: News) -> dict[Slot, list[Offer]]:
    gaps = sorted({name for slot in day.slots for name in (*day.lacking(slot), *day.faulty(slot))})
    if not gaps:
        return {}
    if not source.keeps:
        log.info("%s keeps no old pictures: %d cameras lack some, and there is nobody to ask", day.source, len(gaps))
        return {}
    news.asked = len(gaps)
    return await source.history(http, [_camera(day, name) for name in gaps], day.slots[0], day.slots[-1])


def _settle(day: Day, outcomes: Sequence[tuple[Slot, Row]], news: News, *, keeps: bool) -> None:
    """Take the rows that say something new.

    A row without a picture is only for a still that has none: of a camera that was there on these days, and in a slot
    that was run or that the source can tell about.
    """
    came = {row["camera"] for _, row in outcomes if row["status"] == "ok"}
    filled = {slot for slot, row in outcomes if row["status"] == "ok"}
    for slot, row in outcomes:
        if row["status"] == "ok":
            news.fetched += 1
            news.add(slot, row)
            continue
        was_there = row["camera"] in day.known or row["camera"] in came
        may_tell = keeps or slot in filled or bool(day.frames.get(slot))
        if was_there and may_tell and row["camera"] not in day.frames.get(slot, {}):
            news.add(slot, row)


class _Late:
    """What the steps of one call share."""

    def __init__(
        self,
        work: Ingest,
        source: Source,
        http: HttpClient,
        day: Day,
        pipelines: Mapping[str, StillPipeline],
        news: News,
    ) -> None:
        self.work = work
        self.source = source
        self.http = http
        self.day = day
        self.pipelines = pipelines
        self.news = news
        self.replacing = f"late-{day.source}-{day.slots[0].day}-replacing"

    async def missing(self, slot: Slot, offered: Mapping[str, Offer]) -> list[Row]:
        """Fetch the pictures that a slot lacks; return a row for each."""
        cameras = [_camera(self.day, name) for name in self.day.lacking(slot)]
        none = nothing([camera for camera in cameras if camera.id not in offered], Reason.NO_HISTORY)
        return await self._rows(slot, cameras, [*offered.values(), *none]) if cameras else []

    async def replace(self, slot: Slot, offers: Sequence[Offer]) -> None:
        """Replace the pictures of a slot that are bad by those that are offered and better."""
        offers = [offer for offer in offers if offer.url is not None]
        bad = await asyncio.to_thread(self._bad, slot, {offer.camera: None for offer in offers})
        candidates = await fetch_candidates(
            self.source,
            [offer for offer in offers if bad[offer.camera]],
            slot,
            self.work.store,
            settings=self.work.settings,
            clock=self.work.clock,
            http=self.http,
        )
        still = await asyncio.to_thread(self._bad, slot, {one.camera: one.data for one in candidates})
        better = [one for one in candidates if still[one.camera] < bad[one.camera]]
        if better:
            await asyncio.to_thread(self._put, slot, better)

    def _bad(self, slot: Slot, pictures: Mapping[str, bytes | None]) -> dict[str, set[str]]:
        """Return which pipelines refuse each picture, after the one that lies before it; None: the stored one.

        One that is not in the store is refused by none: there is nothing to replace. One over which a filter breaks
        is refused by all.
        """

        def judge(item: tuple[str, bytes | None]) -> set[str]:
            camera, data = item
            if data is None:
                stored = self._stored(camera, slot)
                if stored is None:
                    return set()
                data = stored.data
            before = self._stored(camera, slot.previous)
            previous = before.data if before else None
            return {name for name, pipeline in self.pipelines.items() if pipeline.is_faulty(previous, data)}

        judged = stream(pictures.items(), judge, workers=self.work.settings.workers)
        found: dict[str, set[str]] = {}
        for camera, result in zip(pictures, judged, strict=True):
            if isinstance(result, Failure):
                if isinstance(result.error, StoreError):
                    raise result.error
                log.error("a picture of %s at %s cannot be judged: %r", camera, slot, result.error)
            found[camera] = set(self.pipelines) if isinstance(result, Failure) else result
        return found

    def _put(self, slot: Slot, better: Sequence[Candidate]) -> None:
        """Replace pictures; before that, note down which, since their size alone may not tell that they changed."""
        self._note([(one.camera, slot) for one in better])
        for one in better:
            key = picture_key(self.day.source, slot, one.camera)
            if self.work.store.replace(key, one.data, one.meta, one.stored.sha256):
                log.info("%s: a faulty picture is replaced by one taken at %s", key, one.meta.captured_at)
                self.news.replaced += 1

    async def stored_before(self) -> None:
        """Add the stills whose stored picture is not the published one."""
        day, store = self.day, self.work.store
        sizes = {
            entry.key: entry.bytes
            for entry in await asyncio.to_thread(lambda: list(store.entries(f"{day.source}/{day.slots[0].day}")))
        }
        noted = set(self._noted())
        for slot in day.slots:
            there = {name: row for name, row in day.frames.get(slot, {}).items() if row["status"] == "ok"}
            suspects = [
                name
                for name, row in there.items()
                if (size := sizes.get(picture_key(day.source, slot, name))) is not None
                and (size != row["bytes"] or (name, slot) in noted)
            ]
            rows = await self._rows(slot, [_camera(day, name) for name in suspects], ()) if suspects else []
            for row in rows:
                if row["status"] == "ok" and row["sha256"] != there[row["camera"]]["sha256"]:
                    self.news.add(slot, row)

    async def _rows(self, slot: Slot, cameras: Sequence[Camera], offers: Sequence[Offer]) -> list[Row]:
        return await fetch_slot(
            self.source,
            cameras,
            slot,
            self.work.store,
            settings=self.work.settings,
            clock=self.work.clock,
            http=self.http,
            offers=offers,
        )

    def _stored(self, camera: str, slot: Slot) -> StoredPicture | None:
        return self.work.store.read(picture_key(self.day.source, slot, camera))

    def _noted(self) -> list[Key]:
        warehouse = self.work.warehouse
        listed = warehouse.load_plan(self.replacing) if warehouse.has_plan(self.replacing) else []
        return [(camera, Slot.parse(slot)) for camera, slot in listed]

    def _note(self, stills: Sequence[Key]) -> None:
        with publishing(self.work.warehouse, self.day.source):
            noted = sorted({*self._noted(), *stills})
            self.work.warehouse.save_plan(self.replacing, [(camera, str(slot)) for camera, slot in noted])


def _camera(day: Day, name: str) -> Camera:
    return Camera(source=day.source, id=name, name=name)
