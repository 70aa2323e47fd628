"""One row a camera, whatever happens: the poison list, reruns, races, full disks and pictures that do not change."""

import asyncio
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from tests.peers.pictures import announced, cut, endless, gzip_bomb, jpeg, never
from tests.sources.support import NOW, SLOT, by_camera, cameras_of, fetch, fetch_one, now, place, run, spec_of

from wayside.core.errors import ConfigError, SourceError
from wayside.core.tables import FRAMES
from wayside.sources import HttpClient, Offer, Reason, fetch_range, fetch_slot, open_source
from wayside.sources.fetch import Row, _http_date
from wayside.store import LocalStore, picture_key


def test_a_picture_becomes_a_row_and_lies_in_the_store(peer: Any, settings: Any, store: Any) -> None:
    row = fetch_one(peer, settings, store, peer.picture("/1.jpg", jpeg(), '"t"'))
    key = picture_key("Peer", SLOT, "c0")
    assert row == {
        "source": "Peer",
        "camera": "c0",
        "slot": SLOT.start,
        "status": "ok",
        "reason": None,
        "http_status": 200,
        "sha256": hashlib.sha256(jpeg()).hexdigest(),
        "bytes": len(jpeg()),
        "width": 352,
        "height": 288,
        "captured_at": datetime(2020, 5, 1, 0, 48, 30, tzinfo=UTC),
        "fetched_at": NOW,
        "uri": store.uri(key),
        "schema_version": 1,
    }
    stored = store.read(key)
    assert stored.data == jpeg()
    assert stored.meta.etag == '"t"'


def test_rows_have_the_form_of_the_table_and_the_order_of_the_cameras(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.body(f"/{i}.jpg", jpeg(seed=i)) if i % 3 else None for i in range(20)]
    told: list[Row] = []
    rows = fetch(peer, settings, store, urls, progress=told.append)
    assert [row["camera"] for row in rows] == [f"c{i}" for i in range(20)]
    assert all(list(row) == FRAMES.schema.names for row in rows)
    pa.Table.from_pylist(rows, schema=FRAMES.schema).validate(full=True)
    assert by_camera(told) == by_camera(rows)


def bomb() -> bytes:
    """A PNG of 400 megapixels in a few hundred bytes: the header is enough to refuse it."""
    _, data = cv2.imencode(".png", np.zeros((1, 1), np.uint8))
    raw = bytearray(data.tobytes())
    raw[16:24] = (20_000).to_bytes(4, "big") * 2
    return bytes(raw)


POISON: list[tuple[str, Any, str, Reason]] = [
    ("gone", 404, "missing", Reason.HTTP_404),
    ("forbidden", 403, "failed", Reason.HTTP_ERROR),
    ("broken", 500, "failed", Reason.HTTP_ERROR),
    ("timeout", never, "failed", Reason.TIMEOUT),
    ("metadata", "http://169.254.169.254/latest/meta-data", "failed", Reason.REFUSED_HOST),
    ("loop", "/loop", "failed", Reason.REDIRECT_LOOP),
    ("huge", announced, "failed", Reason.TOO_LARGE),
    ("huge-chunked", endless, "failed", Reason.TOO_LARGE),
    ("gzip-bomb", gzip_bomb, "failed", Reason.TOO_LARGE),
    ("truncated", jpeg()[: len(jpeg()) // 2], "failed", Reason.TRUNCATED),
    ("stub", b"\xff\xd8\xff", "failed", Reason.TRUNCATED),
    ("empty", b"", "failed", Reason.EMPTY),
    ("text", b"No camera today.", "failed", Reason.NOT_AN_IMAGE),
    ("gif", b"GIF89a\x01\x00\x01\x00", "failed", Reason.NOT_AN_IMAGE),
    ("bomb", bomb(), "failed", Reason.TOO_MANY_PIXELS),
    ("no-scan", b"\xff\xd8\xff\xd9", "failed", Reason.UNDECODABLE),
    ("cut", cut, "failed", Reason.INTERRUPTED),
]


def serve(peer: Any, name: str, what: Any) -> str:
    path = f"/{name}"
    match what:
        case int():
            return str(peer.status(path, what))
        case str():
            return str(peer.status(path, 302, Location=what))
        case bytes():
            return str(peer.body(path, what))
    peer.routes[path] = what
    return str(peer.url + path)


def test_each_poison_is_one_row_and_the_good_camera_among_them_is_fine(peer: Any, settings: Any, store: Any) -> None:
    urls = [serve(peer, name, what) for name, what, _, _ in POISON] + [peer.body("/good", jpeg())]
    settings = settings.model_copy(update={"fetch_timeout": 1.5, "fetch_attempts": 1})
    rows = fetch(peer, settings, store, urls)
    got = [(name, row["status"], row["reason"]) for (name, *_), row in zip(POISON, rows, strict=False)]
    assert got == [(name, status, reason.value) for name, _, status, reason in POISON]
    assert rows[-1]["status"] == "ok"
    assert list(store.keys("Peer")) == [picture_key("Peer", SLOT, f"c{len(POISON)}")]
    assert all(row["uri"] is None and row["sha256"] is None for row in rows[:-1])


def test_every_reason_has_a_status() -> None:
    assert {reason.status for reason in Reason} == {"ok", "missing", "failed"}
    assert Reason.NOT_MODIFIED.status == "ok"


def test_the_bytes_decide_not_the_type(peer: Any, settings: Any, store: Any) -> None:
    assert fetch_one(peer, settings, store, peer.body("/1", jpeg(), Content_Type="text/html"))["status"] == "ok"


def test_a_large_picture_is_reduced_where_the_source_asks_for_it(peer: Any, settings: Any, store: Any) -> None:
    row = fetch_one(peer, settings, store, peer.body("/1", jpeg(640, 480)), spec={"shrink": True})
    assert (row["width"], row["height"]) == (440, 330)
    stored = store.read(picture_key("Peer", SLOT, "c0"))
    assert row["sha256"] == hashlib.sha256(stored.data).hexdigest()
    assert row["bytes"] == len(stored.data)


def test_others_stay_byte_for_byte(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.body("/1", jpeg(640, 480)), peer.body("/2", jpeg(440, 330))]
    whole = fetch(peer, settings, store, urls)
    assert [row["bytes"] for row in whole] == [len(jpeg(640, 480)), len(jpeg(440, 330))]
    small = LocalStore(settings.state / "small")
    assert fetch(peer, settings, small, urls, spec={"shrink": True})[1]["sha256"] == whole[1]["sha256"]


def test_a_rerun_tells_the_same_and_asks_for_nothing(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.picture("/1", jpeg()), peer.body("/2", jpeg(seed=2))]
    first = fetch(peer, settings, store, urls)
    peer.calls.clear()
    later = fetch(peer, settings, store, urls, clock=lambda: NOW + timedelta(minutes=3))
    assert later == first
    assert not peer.calls


def test_what_failed_is_tried_again_by_a_rerun(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.status("/1", 404)]
    assert fetch(peer, settings, store, urls)[0]["reason"] == "http_404"
    peer.body("/1", jpeg())
    assert fetch(peer, settings, store, urls)[0]["status"] == "ok"


def test_an_unchanged_picture_is_stored_again_with_its_old_capture_time(peer: Any, settings: Any, store: Any) -> None:
    url = peer.picture("/1", jpeg())
    first = fetch_one(peer, settings, store, url)
    clock = lambda: NOW + timedelta(minutes=10)  # noqa: E731
    second = fetch_one(peer, settings, store, url, slot=SLOT.next, clock=clock)
    assert (second["status"], second["reason"], second["http_status"]) == ("ok", "not_modified", 304)
    assert second["fetched_at"] == clock()
    for column in ("sha256", "captured_at", "width", "height", "bytes"):
        assert second[column] == first[column]
    stored = store.read(picture_key("Peer", SLOT.next, "c0"))
    assert stored.data == jpeg()
    assert stored.meta.etag == '"v1"'
    third = fetch_one(peer, settings, store, url, slot=SLOT.shift(2), clock=lambda: NOW + timedelta(minutes=20))
    assert third["reason"] == "not_modified"
    assert fetch_one(peer, settings, store, url, slot=SLOT.next) == second


def test_a_changed_picture_is_taken(peer: Any, settings: Any, store: Any) -> None:
    url = peer.picture("/1", jpeg(), '"v1"')
    fetch_one(peer, settings, store, url)
    peer.picture("/1", jpeg(seed=1), '"v2"')
    row = fetch_one(peer, settings, store, url, slot=SLOT.next, clock=lambda: NOW + timedelta(minutes=10))
    assert (row["reason"], row["sha256"]) == (None, hashlib.sha256(jpeg(seed=1)).hexdigest())


def test_a_picture_that_vanishes_while_it_is_asked_about_is_taken_whole(peer: Any, settings: Any, store: Any) -> None:
    url = peer.picture("/1", jpeg())
    fetch_one(peer, settings, store, url)

    class Expiring(LocalStore):
        reads = 0

        def read(self, key: str) -> Any:
            if key == picture_key("Peer", SLOT, "c0"):
                self.reads += 1
                if self.reads > 1:
                    return None
            return super().read(key)

    row = fetch_one(peer, settings, Expiring(store.root), url, slot=SLOT.next, clock=lambda: SLOT.next.start)
    assert (row["status"], row["reason"], row["http_status"]) == ("ok", None, 200)


def test_pictures_of_somebody_else_are_told_apart(peer: Any, settings: Any, store: Any) -> None:
    """A chrono_lens bucket has no records: the row is rebuilt from the bytes, the same each time."""
    path = store.root / picture_key("Peer", SLOT, "c0")
    path.parent.mkdir(parents=True)
    path.write_bytes(jpeg())
    (path.parent / "c1.jpg").write_bytes(b"not a picture")
    rows = fetch(peer, settings, store, [None, None])
    assert [(row["status"], row["reason"], row["width"]) for row in rows] == [
        ("ok", "already_stored", 352),
        ("ok", "already_stored", None),
    ]
    assert rows[0]["fetched_at"] == SLOT.start
    assert fetch(peer, settings, store, [None, None], clock=lambda: NOW + timedelta(hours=1)) == rows


def test_a_picture_without_a_record_is_not_asked_about(peer: Any, settings: Any, store: Any) -> None:
    path = store.root / picture_key("Peer", SLOT, "c0")
    path.parent.mkdir(parents=True)
    path.write_bytes(jpeg())
    url, clock = peer.picture("/1", jpeg()), lambda: SLOT.next.start
    assert fetch_one(peer, settings, store, url, slot=SLOT.next, clock=clock)["http_status"] == 200


def test_a_source_that_does_not_answer_is_a_reason(peer: Any, settings: Any, store: Any) -> None:
    source = open_source(spec_of(peer))

    async def silent(*_: Any) -> list[Offer]:
        raise SourceError("no")

    source.offers = silent  # type: ignore[method-assign]
    rows = run(fetch_slot(source, cameras_of("a", "b"), SLOT, store, settings=settings, clock=now))
    assert [(row["status"], row["reason"]) for row in rows] == [("failed", "source_error")] * 2


def test_a_camera_without_an_offer_gets_its_row(peer: Any, settings: Any, store: Any) -> None:
    url = peer.body("/1", jpeg())
    rows = fetch(peer, settings, store, [url, url], offers=[Offer("c1", url=url)])
    assert [row["reason"] for row in rows] == ["source_error", None]


def test_a_refused_source_is_for_a_person(peer: Any, settings: Any, store: Any) -> None:
    source = open_source(spec_of(peer, kind="urban_observatory", url="http://10.0.0.1/api", allow_loopback=False))
    with pytest.raises(ConfigError, match="private_networks"):
        run(fetch_slot(source, cameras_of("x"), SLOT, store, settings=settings, clock=now))


def test_another_slot_has_no_live_picture(peer: Any, settings: Any, store: Any) -> None:
    url = peer.body("/1", jpeg())
    for steps in (-1, 1, 2):
        row = fetch_one(peer, settings, store, url, slot=SLOT.shift(steps))
        assert (row["status"], row["reason"]) == ("missing", "no_history")
    assert not list(store.keys("Peer"))


@pytest.mark.parametrize(("seconds", "fits"), [(-61, False), (-59, True), (0, True), (599, True), (600, False)])
def test_a_picture_may_be_early_by_what_clocks_differ(
    peer: Any, settings: Any, store: Any, seconds: int, fits: bool
) -> None:
    """A picture that is stored stays, so one that was taken long before its slot would stand for it for good."""
    clock = lambda: SLOT.start + timedelta(seconds=seconds)  # noqa: E731
    row = fetch_one(peer, settings, store, peer.body("/1", jpeg()), clock=clock)
    assert row["status"] == ("ok" if fits else "missing")
    assert len(list(store.keys("Peer"))) == fits


def test_a_shared_client_stays_open(peer: Any, settings: Any, store: Any) -> None:
    spec, url = spec_of(peer), peer.body("/1", jpeg())

    async def main() -> int | None:
        async with HttpClient(spec, settings, clock=now) as http:
            await fetch_slot(open_source(spec), cameras_of(url), SLOT, store, settings=settings, clock=now, http=http)
            return (await http.get(url, limit=100_000)).status

    assert run(main()) == 200


def test_a_range_without_a_history_says_so(peer: Any, settings: Any, store: Any) -> None:
    async def main() -> list[Any]:
        source = open_source(spec_of(peer))
        cameras = cameras_of("a")
        return [item async for item in fetch_range(source, cameras, SLOT, SLOT.next, store, settings=settings)]

    found = run(main())
    assert [slot for slot, _ in found] == [SLOT, SLOT.next]
    assert {row["reason"] for _, rows in found for row in rows} == {"no_history"}


@pytest.mark.parametrize("text", [None, "", "yesterday", "Mon, 99 Foo 2020 99:99:99 GMT", "1"])
def test_dates_that_are_none(text: str | None) -> None:
    assert _http_date(text) is None


def test_a_date_without_a_zone_is_in_utc() -> None:
    assert _http_date("Fri, 01 May 2020 00:48:30 -0000") == datetime(2020, 5, 1, 0, 48, 30, tzinfo=UTC)


def test_a_whole_list_with_failures_is_told_in_a_few_lines(
    peer: Any, settings: Any, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(peer, settings, store, [peer.status(f"/{number}", 404) for number in range(50)])
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Peer 20200501T0050Z: 50 x http_404, such as: http://127.0.0.1:")


def test_cancelling_ends_it(peer: Any, settings: Any, store: Any) -> None:
    peer.routes["/1"] = never

    async def main() -> None:
        source = open_source(spec_of(peer))
        async with asyncio.timeout(0.05):
            await fetch_slot(source, cameras_of(peer.url + "/1"), SLOT, store, settings=settings, clock=now)

    with pytest.raises(TimeoutError):
        run(main())


def test_a_hanging_host_cannot_take_more_than_the_deadline(peer: Any, settings: Any, store: Any) -> None:
    """Those under way and those that wait for a lane become rows at once; what is stored by then stays."""
    peer.routes["/hangs"] = never
    urls = [peer.body("/1", jpeg()), *[peer.url + "/hangs"] * 31]
    stored = fetch_one(peer, settings, store, urls[0])
    settings = settings.model_copy(update={"fetch_deadline": 1.0, "fetch_timeout": 60.0})
    told: list[Row] = []
    begun = time.monotonic()
    rows = fetch(peer, settings, store, urls, spec={"concurrency": 4}, progress=told.append)
    assert time.monotonic() - begun < 30
    assert [row["camera"] for row in rows] == [f"c{i}" for i in range(32)]
    assert rows[0] == stored
    assert [(row["status"], row["reason"]) for row in rows[1:]] == [("failed", "timeout")] * 31
    assert by_camera(told) == by_camera(rows)
    assert list(store.keys("Peer")) == [picture_key("Peer", SLOT, "c0")]


def test_a_source_that_hangs_is_a_timeout_and_what_is_stored_counts(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.body("/1", jpeg()), peer.url + "/hangs"]
    stored = fetch_one(peer, settings, store, urls[0])
    source = open_source(spec_of(peer))

    async def silent(*_: Any) -> list[Offer]:
        await asyncio.Event().wait()
        raise AssertionError

    source.offers = silent  # type: ignore[method-assign]
    brief = settings.model_copy(update={"fetch_deadline": 0.1})
    rows = run(fetch_slot(source, cameras_of(*urls), SLOT, store, settings=brief, clock=now))
    assert rows[0] == stored
    assert (rows[1]["status"], rows[1]["reason"]) == ("failed", "timeout")


def test_the_rest_of_a_silent_host_fails_at_once(peer: Any, settings: Any, store: Any) -> None:
    peer.routes["/hangs"] = never
    settings = settings.model_copy(update={"fetch_timeout": 0.3})
    begun = time.monotonic()
    rows = fetch(peer, settings, store, [peer.url + "/hangs"] * 250, spec={"concurrency": 4})
    # One after the other, four at a time, they would take 19 s.
    assert time.monotonic() - begun < 15
    assert [row["reason"] for row in rows] == ["timeout"] * 250
    assert peer.calls["/hangs"] < 30


def test_a_tfl_list_from_end_to_end(peer: Any, settings: Any, store: Any) -> None:
    peer.body("/00001.01251.jpg", jpeg())
    url = f"{peer.url}/00001.01251.jpg"
    peer.json("/list", [place("00001.01251", url, available="true"), place("00001.2", url.replace("1251", "2"))])
    source = open_source(spec_of(peer))

    async def main() -> list[Row]:
        async with HttpClient(source.spec, settings, clock=now) as http:
            cameras = await source.cameras(http)
            return await fetch_slot(source, cameras, SLOT, store, settings=settings, clock=now, http=http)

    rows = by_camera(run(main()))
    assert rows["00001.01251"]["status"] == "ok"
    assert rows["00001.02"]["reason"] == "http_404"
