"""A source for the scale benchmark: N cameras in TfL's shape, their pictures drawn once from the demo city.

Run as `python -m bench.peer CAMERAS`; it prints its address when it is ready. Drawing is done before, so that what is
measured is Wayside and not the artist. The picture of a camera changes with every slot that `/slot/<n>` announces.
"""

import sys
from datetime import UTC, datetime, timedelta

from aiohttp import web

from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.render import encode, render

POOL = 40
SLOTS = 3
START = datetime(2026, 6, 16, 8, 0, tzinfo=UTC)


def pictures() -> list[list[bytes]]:
    """Draw POOL streets, each at SLOTS moments ten minutes apart."""
    city = DemoCity(tfl_cameras=POOL, with_faults=False)
    return [
        [encode(render(camera, START + step * timedelta(minutes=10)).image) for step in range(SLOTS)]
        for camera in city.cameras("tfl")
    ]


def application(cameras: int) -> web.Application:
    """Return the server: the list, the pictures, and the announcement of a slot."""
    pool = pictures()
    state = {"slot": 0}
    names = [f"{number // 100000 + 1:05}.{number:05}" for number in range(cameras)]

    async def listing(request: web.Request) -> web.Response:
        base = f"{request.scheme}://{request.host}/jamcams"
        return web.json_response(
            [
                {
                    "id": f"JamCams_{name}",
                    "commonName": f"Camera {name}",
                    "placeType": "JamCam",
                    "lat": 51.5,
                    "lon": -0.1,
                    "additionalProperties": [
                        {"key": "available", "value": "true"},
                        {"key": "imageUrl", "value": f"{base}/{name}.jpg"},
                    ],
                }
                for name in names
            ]
        )

    async def picture(request: web.Request) -> web.Response:
        number = int(request.match_info["name"].split(".")[1])
        return web.Response(body=pool[number % POOL][state["slot"]], content_type="image/jpeg")

    async def announce(request: web.Request) -> web.Response:
        state["slot"] = int(request.match_info["slot"]) % SLOTS
        return web.Response()

    app = web.Application()
    app.add_routes(
        [
            web.get("/Place/Type/JamCam", listing),
            web.get("/jamcams/{name}.jpg", picture),
            web.get("/slot/{slot}", announce),
        ]
    )
    return app


if __name__ == "__main__":
    web.run_app(
        application(int(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        print=lambda *_: print("ready", flush=True),
        access_log=None,
    )
