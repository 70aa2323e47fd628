"""The two publishers' listings, in the shapes that the real services answer.

TfL lists all cameras in one array. The Urban Observatory pages through entities (one per pole), each with a feed per
view, a time series per feed, and links to the series' archive. All addresses point back at the server that answers.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from wayside.sources.demo.city import UO, DemoCamera, DemoCity
from wayside.sources.demo.dice import Dice, seed_of
from wayside.sources.demo.pictures import Publisher

Json = dict[str, Any]
BROKER = "UTMC Open Camera Feeds"
API = "/api/v2/sensors"
_TYPES = "Tfl.Api.Presentation.Entities"


def stamp(moment: datetime) -> str:
    """A moment as both services write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _uuid(city: DemoCity, *parts: object) -> str:
    """A stable identifier for a thing of the city."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("wayside-demo", str(city.seed), *map(str, parts)))))


def jamcams(city: DemoCity, base: str, now: datetime) -> list[Json]:
    """The answer to /Place/Type/JamCam."""
    return [_jamcam(city, camera, base, now) for camera in city.cameras("tfl")]


def _jamcam(city: DemoCity, camera: DemoCamera, base: str, now: datetime) -> Json:
    taken = city.taken_at(camera, now)
    fault = city.fault(camera, now)
    available = fault is None or fault.kind not in {"dead", "in-use"}
    values = (
        ("available", "true" if available else "false"),
        ("imageUrl", f"{base}/jamcams/{camera.id}.jpg"),
        ("videoUrl", f"{base}/jamcams/{camera.id}.mp4"),
        ("view", f"{camera.name} towards {camera.crossing}"),
    )
    return {
        "$type": f"{_TYPES}.Place, {_TYPES}",
        "id": f"JamCams_{camera.id}",
        "url": f"/Place/JamCams_{camera.id}",
        "commonName": f"{camera.name} / {camera.crossing}",
        "placeType": "JamCam",
        "additionalProperties": [
            {
                "$type": f"{_TYPES}.AdditionalProperties, {_TYPES}",
                "category": "cameraView" if key == "view" else "payload",
                "key": key, "sourceSystemKey": "JamCams", "value": value, "modified": stamp(taken),
            }
            for key, value in values
        ],
        "children": [], "childrenUrls": [], "lat": camera.lat, "lon": camera.lon,
    }  # fmt: skip


@lru_cache(maxsize=4)
def poles(city: DemoCity) -> dict[str, list[DemoCamera]]:
    """The poles of the Urban Observatory by name, each as the list of its views."""
    found: dict[str, list[DemoCamera]] = {}
    for camera in city.cameras(UO):
        found.setdefault(camera.folder, []).append(camera)
    return found


def page(publisher: Publisher, base: str, now: datetime, number: int, size: int, source: str | None) -> Json:
    """One page of entities; `source` keeps only the pole that carries this brokerage id, or a view of it."""
    known = poles(publisher.city)
    if source is None:
        groups = list(known.values())
    else:
        groups = [known[name] for name in (source.split(":")[0],) if name in known]
    chosen = groups[(number - 1) * size : number * size]
    return {
        "pagination": {
            "pageNumber": number, "pageSize": size, "pageCount": -(-len(groups) // size), "total": len(groups),
        },
        "items": [entity(publisher, group, base, now) for group in chosen],
    }  # fmt: skip


def find_entity(city: DemoCity, key: str) -> list[DemoCamera] | None:
    """The pole with an entity id or with the name in its friendly link."""
    name = _entity_keys(city).get(key)
    return None if name is None else poles(city)[name]


def find_series(city: DemoCity, key: str) -> DemoCamera | None:
    """The camera view whose time series has an id or a friendly name."""
    return _series_keys(city).get(key)


@lru_cache(maxsize=4)
def _entity_keys(city: DemoCity) -> dict[str, str]:
    return {key: name for name, group in poles(city).items()
            for key in (_uuid(city, "entity", name), _friendly(group[0]))}  # fmt: skip


@lru_cache(maxsize=4)
def _series_keys(city: DemoCity) -> dict[str, DemoCamera]:
    return {key: camera for camera in city.cameras(UO)
            for key in (_uuid(city, "series", camera.id), _friendly_series(camera))}  # fmt: skip


def _friendly(camera: DemoCamera) -> str:
    return f"{camera.folder}-{camera.name}".lower().replace(" ", "-").replace("_", "-")


def _metric(camera: DemoCamera) -> str:
    return "Camera image" if camera.view is None else f"Camera image: View {camera.view:02d}"


def _friendly_series(camera: DemoCamera) -> str:
    metric = _metric(camera).lower().replace(":", "").replace(" ", "-")
    return f"{_friendly(camera)}-{metric}"


def picture_url(camera: DemoCamera, base: str, taken: datetime) -> str:
    """Where the picture of a moment lies."""
    return f"{base}/camera-feeds/{camera.folder}/{taken:%Y%m%d}/{taken:%H%M%S}.jpg"


def value(camera: DemoCamera, base: str, taken: datetime) -> Json:
    """One reading of a time series: when, how sure, and the picture's address."""
    unsure = -round(5 + 55 * Dice(seed_of("unsure", camera.street_seed)).at(int(taken.timestamp())), 1)
    return {"time": stamp(taken), "duration": unsure, "value": picture_url(camera, base, taken)}


def series(publisher: Publisher, camera: DemoCamera, base: str, now: datetime) -> Json:
    """The time series of a view; `latest` is left out when nothing came for weeks."""
    city = publisher.city
    key, root = _uuid(city, "series", camera.id), f"{base}{API}"
    found: Json = {
        "timeseriesId": key,
        "unit": {"unitId": _uuid(city, "unit"), "name": "JPEG Image"},
        "storage": {"storageId": 5, "name": "File", "suffix": "", "class": "TimeseriesFile"},
        "derivatives": [], "aggregation": [],
        "links": [
            {"rel": "self", "href": f"{root}/timeseries/{key}"},
            {"rel": "archives", "href": f"{root}/timeseries/{key}/historic"},
            {"rel": "self.friendly", "href": f"{root}/timeseries/{_friendly_series(camera)}"},
            {"rel": "archives.friendly", "href": f"{root}/timeseries/{_friendly_series(camera)}/historic"},
        ],
    }  # fmt: skip
    taken = publisher.latest(camera, now)
    if taken is not None:
        found["latest"] = value(camera, base, taken)
    return found


def entity(publisher: Publisher, group: list[DemoCamera], base: str, now: datetime) -> Json:
    """One pole with all its feeds."""
    city, first, root = publisher.city, group[0], f"{base}{API}"
    key = _uuid(city, "entity", first.folder)
    return {
        "entityId": key,
        "name": f"{first.name} at {first.crossing}",
        "meta": {"area": "Demo Tyne", "lookingAt": [first.name, first.crossing]},
        "position": [{"positionId": _uuid(city, "position", first.folder), "type": "Feature", "isMobile": False,
                      "geometry": {"type": "Point", "coordinates": [first.lon, first.lat]}, "properties": {}}],
        "feed": [_feed(publisher, camera, base, now) for camera in group],
        "links": [{"rel": "self", "href": f"{root}/entity/{key}"},
                  {"rel": "self.friendly", "href": f"{root}/entity/{_friendly(first)}"}],
    }  # fmt: skip


def _feed(publisher: Publisher, camera: DemoCamera, base: str, now: datetime) -> Json:
    city = publisher.city
    key = _uuid(city, "feed", camera.id)
    return {
        "feedId": key,
        "metric": _metric(camera),
        "meta": {} if camera.view is None else {"viewId": camera.view - 1},
        "brokerage": [{"brokerageId": _uuid(city, "brokerage", camera.id), "sourceId": camera.id, "meta": {},
                       "broker": {"brokerId": _uuid(city, "broker"), "name": BROKER,
                                  "meta": {"licence": "Open Government Licence v3.0"}}}],
        "timeseries": [series(publisher, camera, base, now)],
        "isRestricted": False,
        "links": [{"rel": "self", "href": f"{base}{API}/feed/{key}"}],
    }  # fmt: skip


def archive(
    publisher: Publisher, camera: DemoCamera, base: str, span: tuple[datetime, datetime], now: datetime
) -> Json:
    """The answer to a time series' historic link: newest first, as the real one is."""
    moments = publisher.history(camera, *span, now)
    return {
        "timeseries": series(publisher, camera, base, now),
        "historic": {
            "startTime": stamp(span[0]), "endTime": stamp(span[1]),
            "values": [value(camera, base, moment) for moment in moments],
        },
    }  # fmt: skip
