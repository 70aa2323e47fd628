"""A peer that speaks the form of the Urban Observatory's API, from a plain description of poles, views and times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from tests.peers.pictures import Handler, Peer, jpeg

BASE = "/api/v2/sensors"
PAGE = 2


@dataclass
class View:
    """One feed: what its owner calls it, and when its pictures were taken; `raw` replaces parts of its JSON.

    A picture that is named in `arrives` is not there before that time, as `now` tells it. `bodies` are the bytes of
    pictures; one without is soft noise.
    """

    source_id: str
    times: Sequence[str] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    arrives: dict[str, datetime] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.max.replace(tzinfo=UTC)

    def there(self) -> list[str]:
        """The times of the pictures that have arrived."""
        now = self.now()
        return [time for time in self.times if self.arrives.get(time, datetime.fromisoformat(time)) <= now]

    @property
    def folder(self) -> str:
        return self.source_id.partition(":")[0]

    def address(self, peer: Peer, time: str) -> str:
        when = datetime.fromisoformat(time).astimezone(UTC)
        return f"{peer.url}/camera-feeds/{self.folder}/{when:%Y%m%d}/{when:%H%M%S}.jpg"

    def json(self, peer: Peer) -> dict[str, Any]:
        number = self.source_id.partition(":V")[2]
        slug = self.source_id.replace(":", "-").lower()
        newest = max(self.there(), default=None)
        latest = newest and {"time": newest, "duration": -60, "value": self.address(peer, newest)}
        series: dict[str, Any] = {
            "timeseriesId": f"ts-{slug}",
            "unit": {"name": "JPEG Image"},
            "storage": {"name": "File"},
            "links": [
                {"rel": "self", "href": f"{peer.url}{BASE}/timeseries/ts-{slug}"},
                {"rel": "archives.friendly", "href": f"{peer.url}{BASE}/timeseries/{slug}/historic"},
            ],
        }
        if latest:
            series["latest"] = latest
        return {
            "feedId": f"f-{slug}",
            "metric": f"Camera image: View {number}" if number else "Camera image",
            "meta": {},
            "brokerage": [{"brokerageId": f"b-{slug}", "sourceId": self.source_id, "broker": {"name": "UTMC"}}],
            "timeseries": [series],
        } | self.raw


@dataclass
class Pole:
    """One entity with its views; `raw` replaces parts of its JSON."""

    name: str
    views: list[View]
    raw: dict[str, Any] = field(default_factory=dict)

    def json(self, peer: Peer) -> dict[str, Any]:
        return {
            "entityId": f"e-{self.name}",
            "name": f"Camera at {self.name}",
            "meta": {"area": "Newcastle", "lookingAt": ["the bridge", "the north"]},
            "position": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [-1.6, 54.97]}}],
            "feed": [
                {"metric": "Temperature", "timeseries": []},
                *(view.json(peer) for view in self.views),
            ],
            "links": [{"rel": "self.friendly", "href": f"{peer.url}{BASE}/entity/{self.name}"}],
        } | self.raw


def serve(peer: Peer, poles: Sequence[Pole], *, pictures: bool = True) -> None:
    """Serve the API of `poles` and, if wanted, every picture that it speaks of."""

    async def listing(request: web.Request) -> web.Response:
        wanted = request.query.get("brokerage:sourceId")
        page = int(request.query.get("page", "1"))
        found = [pole for pole in poles if wanted is None or pole.name == wanted]
        shown = found[(page - 1) * PAGE : page * PAGE]
        counted = {"pageNumber": page, "pageSize": PAGE, "pageCount": -(-len(found) // PAGE), "total": len(found)}
        return web.json_response({"pagination": counted, "items": [pole.json(peer) for pole in shown]})

    peer.routes[f"{BASE}/entity/"] = peer.routes[f"{BASE}/entity"] = listing
    for pole in poles:

        async def entity(_: web.Request, pole: Pole = pole) -> web.Response:
            return web.json_response(pole.json(peer))

        peer.routes[f"{BASE}/entity/{pole.name}"] = entity
        for view in pole.views:
            _serve_view(peer, view, pictures=pictures)


def _serve_view(peer: Peer, view: View, *, pictures: bool) -> None:
    async def archive(request: web.Request) -> web.Response:
        first, last = (datetime.fromisoformat(request.query[name]) for name in ("startTime", "endTime"))
        values = [
            {"time": time, "duration": -60, "value": view.address(peer, time)}
            for time in sorted(view.there(), reverse=True)
            if first <= datetime.fromisoformat(time) <= last
        ]
        return web.json_response({"timeseries": {}, "historic": {"values": values}})

    peer.routes[f"{BASE}/timeseries/{view.source_id.replace(':', '-').lower()}/historic"] = archive
    for number, time in enumerate(view.times if pictures else ()):
        path = view.address(peer, time).removeprefix(peer.url)
        peer.body(path, view.bodies.get(time) or jpeg(seed=number))
        if time in view.arrives:
            peer.routes[path] = _once_there(view, time, peer.routes[path])


def _once_there(view: View, time: str, answer: Handler) -> Handler:
    async def late(request: web.Request) -> web.StreamResponse:
        return await answer(request) if time in view.there() else web.Response(status=404)

    return late
