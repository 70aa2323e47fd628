"""Trying a source out: can it be reached, what does it list, and does a sample of what it offers hold a picture."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ImageError, WaysideError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.sources.http import HttpClient
from wayside.sources.reasons import Reason
from wayside.sources.registry import open_source
from wayside.sources.source import Camera, Offer, Source
from wayside.sources.spec import SourceSpec


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture that was fetched to try: bytes as served, pixels, and the seconds that it took."""

    camera: str
    url: str
    bytes: int
    width: int
    height: int
    seconds: float


@dataclass(slots=True)
class Report:
    """What was found. `reasons` counts the cameras that offer nothing now; `error` is set if something failed."""

    source: str
    cameras: int = 0
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    sample: Sample | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the source can be used as it is configured."""
        return self.error is None


async def check_source(spec: SourceSpec, settings: Settings, *, clock: Clock = utc_now) -> Report:
    """Ask a source for its cameras and present offers, and fetch one picture. Nothing is stored.

    Args:
        spec: the source.
        settings: limits, as for a real fetch.
        clock: tells the time.

    Returns:
        The report; what fails is in it, and does not raise.
    """
    report = Report(spec.id)
    source = open_source(spec)
    try:
        async with HttpClient(spec, settings, clock=clock) as http:
            started = time.perf_counter()
            cameras = await source.cameras(http)
            report.cameras, report.seconds = len(cameras), time.perf_counter() - started
            now = clock()
            offers = await source.offers(http, cameras, Slot.floor(now), now)
            report.reasons = dict(Counter(offer.reason.value for offer in offers if offer.reason is not None))
            report.sample = await _sample(source, http, offers)
    except WaysideError as error:
        report.error = str(error)
        return report
    report.warnings = list(_warnings(spec, settings, cameras, report))
    return report


async def _sample(source: Source, http: HttpClient, offers: Sequence[Offer]) -> Sample | None:
    """Fetch the first picture on offer; None if there is none."""
    from wayside.vision.decode import Limits, check

    offered = [(offer.camera, offer.url) for offer in offers if offer.url is not None]
    if not offered:
        return None
    (camera, url), started = offered[0], time.perf_counter()
    answer = await source.download(http, url, http.settings.max_image_bytes, None)
    seconds = time.perf_counter() - started
    try:
        header = await asyncio.to_thread(check, answer.body, limits=Limits.of(http.settings))
    except ImageError as error:
        raise ImageError(error.reason, f"the picture of {camera} at {url}: {error}") from error
    return Sample(camera, url, len(answer.body), header.width, header.height, seconds)


def _warnings(spec: SourceSpec, settings: Settings, cameras: Sequence[Camera], report: Report) -> Iterator[str]:
    if not cameras:
        yield "the source lists no cameras"
    elif report.sample is None:
        yield "no camera offers a picture for the present slot"
    if unlisted := report.reasons.get(Reason.NOT_LISTED, 0):
        yield f"{unlisted} cameras are asked for by name and not listed: adapt `cameras`, or ask the source"
    if report.sample and not spec.shrink and max(report.sample.width, report.sample.height) > settings.shrink_to:
        yield f"pictures are stored larger than {settings.shrink_to} pixels: set `shrink`, or see that you may"
    if spec.url.startswith("http://") and not spec.allow_loopback:
        yield "the list comes over plain http: anybody on the way can change it"
    if spec.attribution is None:
        yield "no `attribution` is configured; most licences ask for one"
