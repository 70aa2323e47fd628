"""The demo city on the wire: a local server that speaks like TfL's JamCams and like the Urban Observatory.

    from wayside.sources.demo.city import DemoCity
    from wayside.sources.demo.server import running

    with running(DemoCity(seed=7), lambda: datetime(2026, 6, 16, 8, 0, 20, tzinfo=UTC)) as server:
        server.base_url                       # "http://127.0.0.1:40123"
        server.clock = lambda: later          # a function, or a fixed datetime

or `async with DemoServer(city, clock) as server` inside a loop, or `python -m wayside.sources.demo --port 8765` in a
shell. It answers on loopback only.

    /                                                     a status page
    /Place/Type/JamCam                                    all TfL-like cameras, as TfL lists them
    /jamcams/<id>.jpg                                     the last picture; ETag, Last-Modified, 304, HEAD
    /api/v2/sensors/entity?metric="Camera image"&page=N   poles of the Urban Observatory, ten a page (&pageSize=)
        ...&brokerage:sourceId=<camera>                   only the pole with this camera
    /api/v2/sensors/entity/<id>                           one pole
    /api/v2/sensors/timeseries/<id>[/historic?startTime=&endTime=]
    /camera-feeds/<CAMERA>/<YYYYMMDD>/<HHMMSS>.jpg        the picture of any past second
    /truth/<camera>?at=ISO                                what is in the picture of that moment
    /faults/<kind>.jpg                                    ways to fail: see `trouble`

A picture that lies in the future, or that a late camera has not delivered yet, is a 404.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from wayside.sources.demo import feeds, trouble
from wayside.sources.demo.city import DemoCamera, DemoCity
from wayside.sources.demo.page import status_page
from wayside.sources.demo.pictures import Picture, Publisher, at_second
from wayside.sources.demo.render import expected_counts, truth
from wayside.sources.demo.trouble import STOPPING

Clock = Callable[[], datetime]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class DemoServer:
    """Serves a city at a clock. Use it as an async context manager; `port` 0 takes any free port.

    `slow_seconds` is how long the city's slow camera takes to answer.
    """

    def __init__(
        self, city: DemoCity, clock: Clock | datetime = utc_now, host: str = "127.0.0.1", port: int = 0,
        slow_seconds: float = 3.0,
    ) -> None:  # fmt: skip
        if host not in LOOPBACK:
            raise ValueError(f"the demo city answers on loopback only, not on {host!r}")
        self.city = city
        self.host = host
        self.port = port
        self.slow_seconds = slow_seconds
        self.publisher = Publisher(city)
        self.clock = clock
        self._runner: web.AppRunner | None = None

    @property
    def clock(self) -> Clock:
        """What time it is in the city; set it to a function or to a fixed moment."""
        return self._clock

    @clock.setter
    def clock(self, clock: Clock | datetime) -> None:
        self._clock: Clock = (lambda: clock) if isinstance(clock, datetime) else clock

    @property
    def now(self) -> datetime:
        """The city's time, in UTC."""
        return self._clock().astimezone(UTC)

    @property
    def base_url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Start answering."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; requests that hang on purpose are let go first."""
        if self._runner is not None:
            self._runner.app[STOPPING].set()
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application()
        app[STOPPING] = asyncio.Event()
        api = feeds.API
        app.add_routes(
            [
                web.get("/", self._status),
                web.get("/Place/Type/JamCam", self._jamcams),
                web.get("/jamcams/{camera}.jpg", self._jamcam),
                web.get(f"{api}/entity", self._entities),
                web.get(f"{api}/entity/", self._entities),
                web.get(f"{api}/entity/{{key}}", self._entity),
                web.get(f"{api}/timeseries/{{key}}", self._series),
                web.get(f"{api}/timeseries/{{key}}/historic", self._historic),
                web.get("/camera-feeds/{folder}/{date:\\d{8}}/{time:\\d{6}}.jpg", self._feed_picture),
                web.get("/truth/{camera}", self._truth),
                web.get("/faults/{kind}.jpg", trouble.answer),
            ]
        )
        return app

    def _camera(self, camera_id: str) -> DemoCamera:
        try:
            return self.city.camera(camera_id)
        except KeyError:
            raise web.HTTPNotFound(text=f"the city has no camera {camera_id!r}") from None

    async def _status(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text=status_page(self.city, self.now), content_type="text/html")

    async def _jamcams(self, request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(feeds.jamcams, self.city, _base(request), self.now))

    async def _jamcam(self, request: web.Request) -> web.Response:
        camera = self._camera(request.match_info["camera"])
        picture = await asyncio.to_thread(self.publisher.current, camera, self.now)
        if picture is None:
            raise web.HTTPNotFound(text=f"camera {camera.id} is out of order")
        return await self._send(request, picture)

    async def _send(self, request: web.Request, picture: Picture) -> web.Response:
        if picture.delayed:
            await asyncio.sleep(self.slow_seconds)
        headers = {
            "ETag": picture.etag,
            "Last-Modified": format_datetime(picture.taken, usegmt=True),
            "Cache-Control": "public, max-age=60",
        }
        if _unchanged(request, picture):
            return web.Response(status=304, headers=headers)
        return web.Response(body=picture.body, content_type="image/jpeg", headers=headers)

    async def _entities(self, request: web.Request) -> web.Response:
        query = request.query
        metric = query.get("metric", "Camera image").strip("\"'")
        if metric != "Camera image":
            return web.json_response(
                {"pagination": dict.fromkeys(("pageNumber", "pageCount", "total"), 0), "items": []}
            )
        number, size = _whole(query.get("page"), 1), min(_whole(query.get("pageSize"), 10), 1000)
        source = query.get("brokerage:sourceId")
        answer = await asyncio.to_thread(
            feeds.page, self.publisher, _base(request), self.now, number, size, source and source.strip("\"'")
        )
        return web.json_response(answer)

    async def _entity(self, request: web.Request) -> web.Response:
        group = feeds.find_entity(self.city, request.match_info["key"])
        if group is None:
            raise web.HTTPNotFound(text="no such entity")
        return web.json_response(feeds.entity(self.publisher, group, _base(request), self.now))

    def _known_series(self, request: web.Request) -> DemoCamera:
        camera = feeds.find_series(self.city, request.match_info["key"])
        if camera is None:
            raise web.HTTPNotFound(text="no such time series")
        return camera

    async def _series(self, request: web.Request) -> web.Response:
        camera = self._known_series(request)
        return web.json_response(feeds.series(self.publisher, camera, _base(request), self.now))

    async def _historic(self, request: web.Request) -> web.Response:
        camera, now = self._known_series(request), self.now
        end = _moment(request.query.get("endTime"), now)
        start = _moment(request.query.get("startTime"), end - timedelta(days=1))
        if end - start > timedelta(days=32):
            raise web.HTTPBadRequest(text="ask for at most 32 days at a time")
        answer = await asyncio.to_thread(feeds.archive, self.publisher, camera, _base(request), (start, end), now)
        return web.json_response(answer)

    async def _feed_picture(self, request: web.Request) -> web.Response:
        match = request.match_info
        group = feeds.poles(self.city).get(match["folder"])
        try:
            taken = at_second(match["date"], match["time"])
        except ValueError:
            group = None
        if group is None:
            raise web.HTTPNotFound(text="no such picture")
        camera = max(group, key=lambda view: self.city.taken_at(view, taken))
        if not self.publisher.delivered(camera, taken, self.now):
            raise web.HTTPNotFound(text="that picture has not arrived")
        return await self._send(request, await asyncio.to_thread(self.publisher.past, camera, taken))

    async def _truth(self, request: web.Request) -> web.Response:
        camera = self._camera(request.match_info["camera"])
        at = _moment(request.query.get("at"), self.city.taken_at(camera, self.now))
        fault = self.city.fault(camera, at)
        objects = await asyncio.to_thread(truth, camera, at)
        answer: dict[str, Any] = {
            "camera": camera.id,
            "at": feeds.stamp(at),
            "fault": None if fault is None else fault.kind,
            "objects": [dataclasses.asdict(item) for item in objects],
            "expected_counts": await asyncio.to_thread(expected_counts, camera, at),
        }
        return web.json_response(answer)


def _base(request: web.Request) -> str:
    return f"http://{request.host}"


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**6):
        raise web.HTTPBadRequest(text=f"{text!r} is no positive number")
    return int(text)


def _moment(text: str | None, default: datetime) -> datetime:
    """A moment from a query; one without a zone is UTC, as the real services take it."""
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest(text=f"{text!r} is no ISO 8601 moment") from None


def _unchanged(request: web.Request, picture: Picture) -> bool:
    """Whether the client has this very picture already (RFC 9110, section 13)."""
    tags = request.headers.get("If-None-Match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or picture.etag in known
    since = request.headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    return picture.taken <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@contextlib.contextmanager
def running(
    city: DemoCity, clock: Clock | datetime = utc_now, host: str = "127.0.0.1", port: int = 0, slow_seconds: float = 3.0
) -> Iterator[DemoServer]:
    """Serve a city from a thread of its own while the block runs."""
    server = DemoServer(city, clock, host, port, slow_seconds)
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        try:
            async with server:
                ready.set()
                await stop.wait()
        except OSError as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="demo-city", daemon=True)
    thread.start()
    try:
        ready.wait()
        if failed:
            raise failed[0]
        yield server
    finally:
        if not failed:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _serve_until_told(server: DemoServer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        log.info(
            "the demo city answers at %s (%d TfL-like and %d UO-like cameras)",
            server.base_url, server.city.tfl_cameras, server.city.uo_cameras,
        )  # fmt: skip
        await stop.wait()
    log.info("the demo city has closed")


def main(arguments: list[str] | None = None) -> None:
    """Serve the demo city until told to stop (SIGINT or SIGTERM)."""
    parser = argparse.ArgumentParser(prog="python -m wayside.sources.demo", description="Serve the demo city.")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another city")
    parser.add_argument("--tfl-cameras", type=int, default=24)
    parser.add_argument("--uo-cameras", type=int, default=12)
    parser.add_argument("--no-faults", action="store_true", help="let every camera be healthy")
    parser.add_argument("--at", help="stop the city's clock at this ISO moment")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    city = DemoCity(chosen.seed, chosen.tfl_cameras, chosen.uo_cameras, not chosen.no_faults)
    clock: Clock | datetime = utc_now
    if chosen.at:
        moment = datetime.fromisoformat(chosen.at)
        clock = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    asyncio.run(_serve_until_told(DemoServer(city, clock, chosen.host, chosen.port)))
