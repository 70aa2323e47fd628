"""The Urban Observatory: names of views, the live pages, the history's rounding, and defects that cost one camera."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.peers.observatory import BASE, Pole, View, serve
from tests.peers.pictures import Peer
from tests.sources.support import NOW, SLOT, by_camera, now, run, spec_of, with_client

from wayside.core.errors import ConfigError, SourceError
from wayside.core.slots import Slot
from wayside.sources import Camera, Offer, SourceSpec, fetch_range, fetch_slot, open_source
from wayside.sources.observatory_json import Entity, Feed

FRESH = "2020-05-01T00:48:30.000Z"


def spec(peer: Peer, **fields: Any) -> SourceSpec:
    return spec_of(peer, kind="urban_observatory", url=peer.url + BASE, **fields)


def cameras(peer: Peer, settings: Any, **fields: Any) -> dict[str, Camera]:
    given = spec(peer, **fields)
    return {camera.id: camera for camera in with_client(given, settings, open_source(given).cameras)}


def offers(peer: Peer, settings: Any, *names: str, slot: Slot = SLOT, moment: datetime = NOW) -> dict[str, Offer]:
    given = spec(peer)
    asked = [Camera(source="Peer", id=name, name=name) for name in names]
    found = with_client(given, settings, lambda http: open_source(given).offers(http, asked, slot, moment))
    assert [offer.camera for offer in found] == list(names)
    return {offer.camera: offer for offer in found}


def test_all_pages_are_read_and_views_are_named(peer: Peer, settings: Any) -> None:
    poles = [
        Pole("GH_A167M1", [View("GH_A167M1:V01", [FRESH]), View("GH_A167M1:V02", [FRESH])]),
        Pole("NT_A191E1", [View("NT_A191E1", [FRESH])]),
        *(Pole(f"NC_B{number}", [View(f"NC_B{number}", [FRESH])]) for number in range(3)),
    ]
    serve(peer, poles)
    found = cameras(peer, settings)
    assert list(found) == ["GH_A167M1-View_01", "GH_A167M1-View_02", "NC_B0", "NC_B1", "NC_B2", "NT_A191E1"]
    camera = found["NT_A191E1"]
    assert (camera.lat, camera.lon, camera.view) == (54.97, -1.6, "the bridge, the north")
    assert camera.name == "Camera at NT_A191E1"
    assert peer.calls[f"{BASE}/entity/"] == 3
    assert peer.queries[0] == f"{BASE}/entity/?metric=%22Camera%20image%22&page=1"


def test_live_offers(peer: Peer, settings: Any) -> None:
    poles = [
        Pole("A", [View("A:V01", ["2020-05-01T00:40:01Z", "2020-05-01T00:12:00Z"]), View("A:V02", [FRESH])]),
        Pole("B", [View("B", ["2020-05-01T00:40:00Z"])]),
        Pole("C", [View("C")]),
    ]
    serve(peer, poles)
    found = offers(peer, settings, "C", "A-View_02", "A-View_01", "B", "D")
    assert found["A-View_01"].captured_at == datetime(2020, 5, 1, 0, 40, 1, tzinfo=UTC)
    assert found["A-View_02"].url == f"{peer.url}/camera-feeds/A/20200501/004830.jpg"
    assert {name: offer.reason for name, offer in found.items() if offer.reason} == {
        "C": "no_picture",
        "B": "stale",
        "D": "not_listed",
    }


@pytest.mark.parametrize(
    "raw",
    [
        {"brokerage": []},
        {"brokerage": None},
        {"brokerage": "no list"},
        {"brokerage": [{"sourceId": "../../etc"}]},
        {"metric": None},
        {"timeseries": [{"latest": {"time": "yesterday", "value": "x"}}]},
    ],
)
def test_a_feed_without_a_name_or_in_another_form_costs_itself_alone(
    peer: Peer, settings: Any, raw: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    serve(peer, [Pole("A", [View("A:V01", [FRESH], raw), View("A:V02", [FRESH])]), Pole("B", [View("B", [FRESH])])])
    assert list(cameras(peer, settings)) == ["A-View_02", "B"]
    assert "skipped" in caplog.text


@pytest.mark.parametrize(
    "raw", [{"timeseries": []}, {"timeseries": [{"links": []}]}, {"timeseries": [{"latest": None}]}]
)
def test_a_feed_without_pictures_is_a_reason(peer: Peer, settings: Any, raw: dict[str, Any]) -> None:
    serve(peer, [Pole("A", [View("A", raw=raw)])])
    assert list(cameras(peer, settings)) == ["A"]
    assert offers(peer, settings, "A")["A"].reason == "no_picture"
    assert offers(peer, settings, "A", slot=SLOT.shift(-9))["A"].reason == "no_picture"


def test_of_several_time_series_the_newest_picture_wins(peer: Peer, settings: Any) -> None:
    series = [
        {"latest": {"time": f"2020-05-01T00:4{minute}:00Z", "value": f"{peer.url}/{minute}"}} for minute in (3, 7, 5)
    ]
    serve(peer, [Pole("A", [View("A", raw={"timeseries": series})])])
    assert offers(peer, settings, "A")["A"].url == f"{peer.url}/7"


def test_the_name_of_a_view_may_come_from_the_metric_alone() -> None:
    brokerage = [{"sourceId": "CM_A69A1"}, {"sourceId": "another"}]
    feed = Feed.model_validate({"metric": "Camera image: View 02", "brokerage": brokerage})
    assert feed.camera == "CM_A69A1-View_02"


@pytest.mark.parametrize(
    ("position", "place"),
    [
        ([{"type": "Point", "coordinates": [-1.6, 54.9, 30.0]}], (54.9, -1.6)),
        ([{"geometry": {"coordinates": [500, 54.9]}}], None),
        ([{"geometry": None}, 7, {"coordinates": [-1.5, 54.8]}], (54.8, -1.5)),
        ([], None),
        (None, None),
    ],
)
def test_positions(position: Any, place: Any) -> None:
    assert Entity.model_validate({"position": position}).place == place


@pytest.mark.parametrize(("meta", "view"), [({"lookingAt": "north"}, "north"), ({}, None), (None, None)])
def test_where_a_camera_looks(meta: Any, view: str | None) -> None:
    assert Entity.model_validate({"meta": meta}).view == view


def test_a_lost_page_stops_the_list_but_not_the_offers(peer: Peer, settings: Any) -> None:
    poles = [Pole(name, [View(name, [FRESH])]) for name in "ABCD"]
    serve(peer, poles)
    whole = peer.routes[f"{BASE}/entity/"]

    async def torn(request: Any) -> Any:
        from aiohttp import web

        return web.Response(status=404) if request.query["page"] == "2" else await whole(request)

    peer.routes[f"{BASE}/entity/"] = torn
    with pytest.raises(SourceError, match="404"):
        cameras(peer, settings)
    found = offers(peer, settings, "A", "C")
    assert found["A"].url is not None
    assert found["C"].reason == "source_error"


def test_a_page_that_points_elsewhere_is_for_a_person(peer: Peer, settings: Any) -> None:
    serve(peer, [Pole(name, [View(name, [FRESH])]) for name in "ABC"])
    whole = peer.routes[f"{BASE}/entity/"]

    async def crooked(request: Any) -> Any:
        from aiohttp import web

        if request.query["page"] == "2":
            raise web.HTTPFound("http://elsewhere.example/")
        return await whole(request)

    peer.routes[f"{BASE}/entity/"] = crooked
    with pytest.raises(ConfigError, match=r"elsewhere\.example"):
        cameras(peer, settings)


@pytest.mark.parametrize("answer", [[], {"items": 3}, {"items": [], "pagination": {"pageCount": 10**9}}])
def test_an_answer_in_another_form_is_a_source_error(peer: Peer, settings: Any, answer: Any) -> None:
    peer.json(f"{BASE}/entity/", answer)
    with pytest.raises(SourceError, match="another form"):
        cameras(peer, settings)


def test_asked_for_by_name(peer: Peer, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    serve(peer, [Pole("A", [View("A", [FRESH]), View("A", [FRESH])]), Pole("B", [View("B", [FRESH])])])
    found = cameras(peer, settings, cameras=["Z", "A"])
    assert {name: camera.reason for name, camera in found.items()} == {"A": None, "Z": "not_listed"}
    assert "two pictures are called A" in caplog.text


def test_history_rounds_up_and_the_nearest_before_wins(peer: Peer, settings: Any) -> None:
    times = [
        "2020-05-01T00:30:00Z",
        "2020-05-01T00:30:01Z",
        "2020-05-01T00:34:00Z",
        "2020-05-01T00:40:00Z",
        "2020-05-01T00:51:00Z",
        "2020-05-01T01:01:00Z",
    ]
    serve(peer, [Pole("A", [View("A", times), View("A:V03", ["2020-05-01T00:49:59+01:00"])])])
    given, first = spec(peer), Slot.parse("20200501T0030Z")
    asked = [Camera(source="Peer", id=name, name=name) for name in ("A", "A-View_03", "A-View_04", "Q")]
    found = with_client(given, settings, lambda http: open_source(given).history(http, asked, first, first.shift(3)))
    taken = [[offer.captured_at and f"{offer.captured_at:%H%M%S}" for offer in found[slot]] for slot in found]
    assert list(found) == list(Slot.between(first, first.shift(3)))
    assert [row[0] for row in taken] == ["003000", "004000", None, "005100"]
    assert {row[1] for row in taken} == {None}
    assert [offer.reason for offer in found[first.shift(2)]] == ["no_picture", "no_picture", "not_listed", "not_listed"]
    assert peer.calls[f"{BASE}/entity"] == 2
    query = next(query for query in peer.queries if "historic" in query)
    assert "startTime=2020-05-01T00:20:00Z" in query.replace("%3A", ":")
    assert "endTime=2020-05-01T01:00:00Z" in query.replace("%3A", ":")


def test_a_time_from_another_age_is_skipped(peer: Peer, settings: Any) -> None:
    serve(peer, [Pole("A", [View("A", [FRESH])])])
    values = [{"time": time, "value": "x"} for time in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+05:00", FRESH)]
    peer.json(f"{BASE}/timeseries/a/historic", {"historic": {"values": [*values, None]}})
    assert offers(peer, settings, "A", moment=NOW + timedelta(hours=1))["A"].url == "x"


def test_a_history_that_fails_costs_its_camera_alone(peer: Peer, settings: Any) -> None:
    serve(peer, [Pole(name, [View(name, [FRESH])]) for name in "ABC"])
    peer.status(f"{BASE}/entity/A", 404)
    peer.status(f"{BASE}/timeseries/b/historic", 404)
    found = offers(peer, settings, "A", "B", "C", moment=NOW + timedelta(hours=1))
    assert [offer.reason for offer in found.values()] == ["source_error", "source_error", None]


@pytest.mark.parametrize("link", ["http://169.254.169.254/", "file:///etc/passwd", "http://[::1", "", "/entity/A"])
def test_a_link_that_may_not_be_followed_costs_its_camera_alone(peer: Peer, settings: Any, link: str) -> None:
    crooked = {"links": [{"rel": "self.friendly", "href": link}]}
    serve(peer, [Pole("A", [View("A", [FRESH])], crooked), Pole("B", [View("B", [FRESH])])])
    found = offers(peer, settings, "A", "B", moment=NOW + timedelta(hours=1))
    assert found["A"].reason in {"source_error", "not_listed"}
    assert found["B"].url is not None


def test_links_to_the_api_are_asked_as_its_base_is(peer: Peer, settings: Any) -> None:
    """The base may be https and its links plain http, or without the port."""
    plain = {"links": [{"rel": "self.friendly", "href": f"http://127.0.0.1{BASE}/entity/A"}]}
    serve(peer, [Pole("A", [View("A", [FRESH])], plain)])
    assert offers(peer, settings, "A", moment=NOW + timedelta(hours=1))["A"].url is not None


def test_an_entity_without_its_own_address_is_not_listed(peer: Peer, settings: Any) -> None:
    serve(peer, [Pole("A", [View("A", [FRESH])], {"links": []})])
    assert offers(peer, settings, "A", moment=NOW + timedelta(hours=1))["A"].reason == "not_listed"


def test_the_plain_archive_serves_where_there_is_no_friendly_one(peer: Peer, settings: Any) -> None:
    view = View("A", [FRESH])
    series = view.json(peer)["timeseries"][0]
    series["links"] = [{"rel": "archives", "href": f"{peer.url}{BASE}/timeseries/a/historic"}]
    serve(peer, [Pole("A", [View("A", [FRESH], {"timeseries": [series]})])])
    assert offers(peer, settings, "A", moment=NOW + timedelta(hours=1))["A"].url is not None


def test_live_and_late_pictures_from_end_to_end(peer: Peer, settings: Any, store: Any) -> None:
    """What was late is fetched by a later run over the history; what was there stays as it was."""
    serve(peer, [Pole("A", [View("A", [FRESH])]), Pole("B", [View("B", ["2020-05-01T00:20:00Z"])])])
    source = open_source(spec(peer))
    asked = [Camera(source="Peer", id=name, name=name) for name in "AB"]
    live = by_camera(run(fetch_slot(source, asked, SLOT, store, settings=settings, clock=now)))
    assert (live["A"]["status"], live["B"]["reason"]) == ("ok", "stale")
    serve(peer, [Pole("A", [View("A", [FRESH])]), Pole("B", [View("B", ["2020-05-01T00:47:00Z"])])])

    async def later() -> dict[Slot, Any]:
        clock = lambda: NOW + timedelta(days=1)  # noqa: E731
        ranged = fetch_range(source, asked, SLOT.previous, SLOT, store, settings=settings, clock=clock)
        return {slot: by_camera(rows) async for slot, rows in ranged}

    found = run(later())
    assert found[SLOT]["A"] == live["A"]
    assert found[SLOT]["B"]["captured_at"] == datetime(2020, 5, 1, 0, 47, tzinfo=UTC)
    assert found[SLOT.previous]["B"]["reason"] == "no_picture"
