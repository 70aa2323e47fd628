"""What the tests of the sources share: specs and cameras of a peer, a slot, and a clock that stands still."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.peers.pictures import Peer

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.sources import Camera, HttpClient, SourceSpec, fetch_slot, open_source
from wayside.sources.fetch import Row

Result = TypeVar("Result")
SLOT = Slot.parse("20200501T0050Z")
NOW = SLOT.start + timedelta(seconds=20)


def now() -> datetime:
    return NOW


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def spec_of(peer: Peer, **fields: Any) -> SourceSpec:
    given = {"id": "Peer", "kind": "tfl", "url": f"{peer.url}/list", "allow_loopback": True}
    return SourceSpec.model_validate(given | fields)


def cameras_of(*urls: str) -> list[Camera]:
    return [Camera(source="Peer", id=f"c{number}", name="x", url=url) for number, url in enumerate(urls)]


def with_client(
    spec: SourceSpec, settings: Settings, work: Callable[[HttpClient], Coroutine[Any, Any, Result]], **more: Any
) -> Result:
    """Run `work` with an open client of `spec`."""

    async def main() -> Result:
        async with HttpClient(spec, settings, clock=now, **more) as http:
            return await work(http)

    return run(main())


def place(camera: str, url: str | None, **facts: str) -> dict[str, Any]:
    """One entry of a JamCam list."""
    known = facts if url is None else {"imageUrl": url, **facts}
    return {
        "$type": "Tfl.Api.Presentation.Entities.Place, Tfl.Api.Presentation.Entities",
        "id": f"JamCams_{camera}",
        "commonName": f"Road of {camera}",
        "placeType": "JamCam",
        "lat": 51.5,
        "lon": -0.1,
        "children": [],
        "additionalProperties": [
            {"category": "payload", "key": key, "sourceSystemKey": "JamCams", "value": value}
            for key, value in known.items()
        ],
    }


def by_camera(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({row["camera"] for row in rows}) == len(rows)
    return {row["camera"]: row for row in rows}


def fetch(peer: Any, settings: Any, store: Any, urls: Sequence[str | None], **more: Any) -> list[Row]:
    spec = spec_of(peer, **more.pop("spec", {}))
    given = {"settings": settings, "clock": now} | more
    slot = given.pop("slot", SLOT)
    return run(fetch_slot(open_source(spec), cameras_of(*urls), slot, store, **given))


def fetch_one(peer: Any, settings: Any, store: Any, url: str | None, **more: Any) -> Row:
    (row,) = fetch(peer, settings, store, [url], **more)
    return row
