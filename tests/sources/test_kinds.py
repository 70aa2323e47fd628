"""The other kinds: the JamCam list, flat lists of addresses as chrono_lens kept them, and folders of pictures."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.pictures import Peer, jpeg
from tests.sources.support import NOW, SLOT, now, place, run, spec_of, with_client

from wayside.core.errors import ConfigError, InvalidIdentifierError, SourceError
from wayside.core.slots import Slot
from wayside.sources import Camera, FetchError, Offer, SourceSpec, fetch_range, fetch_slot, open_source
from wayside.sources.lists import name_of

BUCKET = "https://s3-eu-west-1.amazonaws.com/jamcams.tfl.gov.uk"


def listed(spec: SourceSpec, settings: Any) -> dict[str, Camera]:
    cameras = with_client(spec, settings, open_source(spec).cameras)
    assert [camera.id for camera in cameras] == sorted({camera.id for camera in cameras})
    return {camera.id: camera for camera in cameras}


def offered(spec: SourceSpec, settings: Any, slot: Slot = SLOT, moment: datetime = NOW) -> dict[str, Offer]:
    async def work(http: Any) -> list[Offer]:
        source = open_source(spec)
        return await source.offers(http, await source.cameras(http), slot, moment)

    return {offer.camera: offer for offer in with_client(spec, settings, work)}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{BUCKET}/00001.01251.jpg", "00001.01251"),
        ("https://cctv.example.org/10.jpg?time=7", "10"),
        ("https://cctv.example.org/a/CM_A69A1-View_01.JPEG", "CM_A69A1-View_01"),
        ("https://cctv.example.org/00001.01251", "00001.01251"),
    ],
)
def test_a_camera_is_called_after_its_picture(url: str, name: str) -> None:
    assert name_of(url) == name


@pytest.mark.parametrize("url", ["https://example.org/", "https://example.org/%2e%2e", "http://[::1", "", "x/.jpg"])
def test_addresses_that_name_no_camera(url: str) -> None:
    with pytest.raises(InvalidIdentifierError):
        name_of(url)


def test_the_list_of_cameras(peer: Peer, settings: Any) -> None:
    peer.json(
        "/list",
        [
            place("00001.07450", f"{BUCKET}/00001.07450.jpg", available="true", view="East", videoUrl="x.mp4"),
            place("00001.01251", f"{BUCKET}/00001.01251.jpg", available="false"),
            place("00001.00001", None),
        ],
    )
    found = listed(spec_of(peer, attribution="Powered by TfL Open Data"), settings)
    camera = found["00001.07450"]
    assert (camera.name, camera.view, camera.lat, camera.lon) == ("Road of 00001.07450", "East", 51.5, -0.1)
    assert camera.attribution == "Powered by TfL Open Data"
    offers = offered(spec_of(peer), settings)
    assert offers["00001.07450"].url == f"{BUCKET}/00001.07450.jpg"
    assert offers["00001.01251"].reason == "unavailable"
    assert offers["00001.00001"].reason == "no_picture"


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        {},
        {"additionalProperties": [{"value": "x"}]},
        place("x", "https://example.org/..jpg"),
        place("x", "https://example.org/a b.jpg"),
        place("x", "https://example.org/" + "a" * 3000),
        place("x", f"{BUCKET}/1.jpg") | {"lat": 100},
        place("x", f"{BUCKET}/1.jpg") | {"lat": "north"},
    ],
)
def test_a_broken_entry_is_skipped_and_said(
    peer: Peer, settings: Any, broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    peer.json("/list", [broken, place("good", f"{BUCKET}/good.jpg")])
    assert list(listed(spec_of(peer), settings)) == ["good"]
    assert "a place is skipped" in caplog.text


@pytest.mark.parametrize("answer", [{"message": "too many requests"}, "text", None])
def test_an_answer_that_is_no_list(peer: Peer, settings: Any, answer: Any) -> None:
    peer.json("/list", answer)
    with pytest.raises(SourceError, match="list of places"):
        listed(spec_of(peer), settings)


def test_a_name_that_comes_twice_is_taken_once(peer: Peer, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    peer.json("/list", [place("a", f"{BUCKET}/1.jpg"), place("b", f"{BUCKET}/other/1.jpg")])
    assert listed(spec_of(peer), settings)["1"].url == f"{BUCKET}/1.jpg"
    assert "two pictures are called 1" in caplog.text


def test_cameras_by_name_or_from_an_analyse_file(peer: Peer, settings: Any) -> None:
    peer.json("/list", [place(name, f"{BUCKET}/{name}.jpg") for name in ("a", "b", "c")])
    (settings.config / "analyse.json").write_text('["c", "z", "c"]')
    by_name = listed(spec_of(peer, cameras=["c", "z"]), settings)
    assert by_name == listed(spec_of(peer, cameras_file="analyse.json"), settings)
    assert {name: camera.reason for name, camera in by_name.items()} == {"c": None, "z": "not_listed"}
    assert offered(spec_of(peer, cameras=["z"]), settings)["z"].reason == "not_listed"


def url_list(**fields: Any) -> SourceSpec:
    given = {"id": "List-images", "kind": "url_list", "url": "ingest/List-images.json", "hosts": ["example.org"]}
    return SourceSpec.model_validate(given | fields)


def test_a_chrono_lens_ingest_file_as_it_is(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = settings.config / "ingest" / "List-images.json"
    path.parent.mkdir()
    path.write_text(json.dumps([f"{BUCKET}/00001.01251.jpg", "https://example.org/", "https://example.org/10.jpg"]))
    found = listed(url_list(), settings)
    assert {name: camera.url for name, camera in found.items()} == {
        "00001.01251": f"{BUCKET}/00001.01251.jpg",
        "10": "https://example.org/10.jpg",
    }
    assert "an address is skipped" in caplog.text
    assert offered(url_list(), settings, SLOT.shift(-5))["10"].reason == "no_history"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1}', "flat JSON list"),
        ("[1, 2]", "flat JSON list"),
        ("[", "flat JSON list"),
        ("[" * 100_000, "flat JSON list"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_is_none_is_for_a_person(settings: Any, text: str | None, says: str) -> None:
    path = settings.config / "ingest" / "List-images.json"
    path.parent.mkdir()
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        listed(url_list(), settings)


def test_a_list_that_is_too_large(settings: Any) -> None:
    path = settings.config / "big.json"
    path.write_text(json.dumps(["x" * 100]))
    with pytest.raises(ConfigError, match="larger than 10 bytes"):
        listed(url_list(url="big.json"), settings.model_copy(update={"max_list_bytes": 10}))


@pytest.fixture
def bucket(settings: Any) -> Path:
    """A piece of a chrono_lens bucket, with what may lie around in one."""
    root = settings.config / "Old-images"
    for slot, cameras in ((SLOT, ("a", "b")), (SLOT.next, ("a",)), (SLOT.shift(150), ("c",))):
        folder = root / slot.day / slot.hhmm
        folder.mkdir(parents=True)
        for camera in cameras:
            (folder / f"{camera}.jpg").write_bytes(jpeg())
    (root / "20200501" / "0050" / "notes.txt").write_text("no picture")
    (root / "20200501" / "0050" / "bad name.jpg").write_bytes(b"x")
    (root / "somewhere" / "else").mkdir(parents=True)
    (root / "somewhere" / "else" / "x.jpg").write_bytes(b"x")
    return root


def folder(**fields: Any) -> SourceSpec:
    return SourceSpec.model_validate({"id": "Old-images", "kind": "folder", "url": "Old-images"} | fields)


def test_a_bucket_is_a_history(settings: Any, bucket: Path, store: Any) -> None:
    assert list(listed(folder(), settings)) == ["a", "b", "c"]
    assert list(listed(folder(cameras=["b", "q"]), settings)) == ["b", "q"]
    source = open_source(folder())
    asked = [Camera(source="Old-images", id=name, name=name) for name in "abc"]

    async def work() -> Any:
        ranged = fetch_range(source, asked, SLOT, SLOT.next, store, settings=settings, clock=lambda: NOW)
        return [(slot, [(row["status"], row["reason"]) for row in rows]) async for slot, rows in ranged]

    ok, none = ("ok", None), ("missing", "no_picture")
    assert run(work()) == [(SLOT, [ok, ok, none]), (SLOT.next, [ok, none, none])]


def test_an_old_slot_of_a_folder_is_fetched_as_any_other(settings: Any, bucket: Path, store: Any) -> None:
    asked = [Camera(source="Old-images", id="a", name="a")]
    clock = lambda: NOW + timedelta(days=400)  # noqa: E731
    (row,) = run(fetch_slot(open_source(folder()), asked, SLOT, store, settings=settings, clock=clock))
    assert (row["status"], row["http_status"], row["captured_at"]) == ("ok", None, None)


def test_files_directly_in_the_folder_are_the_present(settings: Any, store: Any) -> None:
    root = settings.config / "Old-images"
    root.mkdir()
    (root / "gate.jpg").write_bytes(jpeg())
    os.utime(root / "gate.jpg", (1588294100, 1588294100))
    asked = [Camera(source="Old-images", id="gate", name="gate")]
    source = open_source(folder())
    (row,) = run(fetch_slot(source, asked, SLOT, store, settings=settings, clock=now))
    assert row["captured_at"] == datetime.fromtimestamp(1588294100, UTC)
    (past,) = run(fetch_slot(source, asked, SLOT.shift(-9), store, settings=settings, clock=now))
    assert past["reason"] == "no_picture"


def test_a_folder_that_is_not_there(settings: Any) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        listed(folder(), settings)


def test_reading_stays_in_the_folder_and_within_the_limit(settings: Any, bucket: Path) -> None:
    inside = (bucket / "20200501" / "0050" / "a.jpg").as_uri()
    (bucket / "out.jpg").symlink_to("/etc/hostname")

    def reason(url: str, limit: int = 200_000) -> str:
        source = open_source(folder())
        try:
            answer = with_client(folder(), settings, lambda http: source.download(http, url, limit, None))
        except FetchError as error:
            return str(error.reason)
        return str(answer.status)

    assert reason(inside) == "None"
    assert reason(inside, 10) == "too_large"
    assert reason((bucket / "out.jpg").as_uri()) == "refused_url"
    assert reason("file:///etc/hostname") == "refused_url"
    assert reason(inside + ".gone") == "no_picture"
    assert reason(bucket.as_uri()) == "source_error"


def test_a_web_source_cannot_send_us_to_a_file(peer: Peer, settings: Any, store: Any) -> None:
    asked = [Camera(source="Peer", id="x", name="x", url="file:///etc/hostname")]
    (row,) = run(fetch_slot(open_source(spec_of(peer)), asked, SLOT, store, settings=settings, clock=now))
    assert row["reason"] == "refused_url"
