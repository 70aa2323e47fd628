"""The blur API, asked as Panoramax asks: a form with a picture, a JPEG or a form with metadata back."""

import email
import json
import threading
from collections.abc import Iterator
from email.policy import HTTP
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.photos.inbox import RedFinder, photo

from wayside.core import settings as core_settings
from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.metadata.exif import read_exif
from wayside.privacy.settings import Finding
from wayside.vision.decode import decode
from wayside_airflow.web.app import create_app, get_access
from wayside_airflow.web.blur import may_blur
from wayside_airflow.web.desk import WAITING

PROFILES = {
    "planar": "name: planar",
    "360": "{name: '360', masking: {find: {tiling: {wrap: true}}}}",
    "panoramax": "masking: {output: {exif: {time: keep, position: keep, heading: keep, camera: keep}}}",
    "visible": "draw: false",
    "reviewed": "review: {enabled: true, sample: 0.5}",
}


class Loader:
    """Loads finders of red cars, and counts."""

    def __init__(self) -> None:
        self.loaded: list[Finding] = []
        self.finder = RedFinder()

    def __call__(self, finding: Finding, _chosen: Settings) -> Any:
        self.loaded.append(finding)
        return self.finder


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def client(loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    profiles = tmp_path / "include" / "config" / "profiles"
    profiles.mkdir(parents=True)
    for name, text in PROFILES.items():
        (profiles / f"{name}.yaml").write_text(text)
    for name, value in {"HOME": tmp_path, "BLUR_MAX_BYTES": 200_000, "BLUR_MAX_PIXELS": 400_000}.items():
        monkeypatch.setenv(f"WAYSIDE_{name}", str(value))
    core_settings.settings.cache_clear()
    app = create_app(finder=loader)
    app.dependency_overrides |= {get_access: lambda: None, may_blur: lambda: None}
    with TestClient(app) as program:
        yield program


def ask(client: TestClient, data: bytes, accept: str = "image/jpeg", **query: str) -> Any:
    files = {"picture": ("a.jpg", data, "image/jpeg")}
    return client.post("/blur/", files=files, params=query, headers={"accept": accept})


def parts(answer: Any) -> dict[str, bytes]:
    """The parts of a form, read by Python's own reader of MIME."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=HTTP)
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in message.iter_parts()}  # fmt: skip


def red(data: bytes) -> int:
    """Pixels of the planted car that show."""
    image = decode(data).image.astype(int)
    return int(np.count_nonzero((image[..., 2] > 180) & (image[..., :2].max(axis=2) < 90)))


def test_a_picture_comes_back_anonymised(client: TestClient):
    given = photo(1)
    answer = ask(client, given)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert red(given) > 300
    assert red(answer.content) == 0
    there, here = decode(answer.content).image, decode(given).image
    assert there.shape == here.shape
    assert np.array_equal(there[:40], here[:40]), "what is not hidden stays as it was"
    told = json.loads(answer.headers["x-wayside-blur"])
    assert told["objects"] == {"car": 1}
    assert told["mode"] == "lossless"
    assert "note" not in told
    assert b"Kari" not in answer.content


def test_metadata_come_with_a_form(client: TestClient):
    answer = ask(client, photo(1), accept="multipart/form-data", keep="1")
    assert answer.headers["content-type"].startswith("multipart/form-data; boundary=")
    both = parts(answer)
    assert set(both) == {"image", "metadata"}
    assert red(both["image"]) == 0
    told = json.loads(both["metadata"])
    assert told["service_name"] == "Wayside"
    assert told["annotations"] == []
    assert len(told["blurring_id"]) == 36
    assert "keep was ignored" in told["note"]
    other = json.loads(parts(ask(client, photo(1), accept="multipart/form-data"))["metadata"])
    assert other["blurring_id"] != told["blurring_id"]


def test_the_profile_says_what_of_the_metadata_stays(client: TestClient):
    given = photo(1)
    assert read_exif(given).position is not None
    assert not read_exif(ask(client, given).content).present
    kept = ask(client, given, profile="panoramax").content
    assert read_exif(kept).position == read_exif(given).position
    assert read_exif(kept).camera == "ViaCam"
    for secret in (b"Kari", "Kari".encode("utf-16-le")):
        assert secret not in kept
    assert kept.count(b"\xff\xd8\xff") == 1, "no thumbnail"


def test_models_are_loaded_once_for_each_profile(client: TestClient, loader: Loader):
    for _ in range(2):
        for name in ("planar", "360", ""):
            assert ask(client, photo(1), profile=name).status_code == 200
    assert [finding.tiling.wrap for finding in loader.loaded] == [False, True]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 415, "not_a_jpeg"),
        (b"hello", 415, "not_a_jpeg"),
        (cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes(), 415, "not_a_jpeg"),
        (photo(1)[:3000], 400, "truncated"),
        (b"\xff\xd8\xff\xe0" + bytes(50), 400, ""),
        (cv2.imencode(".jpg", np.zeros((1000, 1000, 3), np.uint8))[1].tobytes(), 413, "too_many_pixels"),
        (photo(1) + bytes(250_000), 413, "too_many_bytes"),
        (photo(1) + bytes(2_000_000), 413, "too_many_bytes"),
    ],
    ids=("nothing", "text", "png", "cut", "no_header", "pixels", "bytes", "many_bytes"),
)
def test_what_is_no_picture_within_the_limits_is_refused(client: TestClient, data: bytes, status: int, words: str):
    answer = ask(client, data)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(words)


def test_a_body_that_does_not_say_its_length_is_bounded(client: TestClient):
    """Sent in pieces; the first says that it is a picture, and then it does not end."""
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
        while sent < 10**7:
            sent += 2**16
            yield bytes(2**16)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/blur/", content=body(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"content": photo(1), "headers": {"content-type": "image/jpeg"}}, 415),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400),
        ({"files": {"other": ("a.jpg", photo(1))}}, 400),
        ({"files": [("picture", ("a.jpg", photo(1))), ("more", ("b.jpg", b"x"))]}, 400),
        ({"files": {"picture": (None, "text")}}, 400),
        ({"files": {"picture": ("a.jpg", photo(1))}, "headers": {"sec-fetch-site": "cross-site"}}, 403),
        ({"files": {"picture": ("a.jpg", photo(1))}, "params": {"profile": "none"}}, 400),
        ({"files": {"picture": ("a.jpg", photo(1))}, "params": {"profile": "../../secret"}}, 400),
        ({"files": {"picture": ("a.jpg", photo(1))}, "params": {"profile": "visible"}}, 400),
        ({"files": {"picture": ("a.jpg", photo(1))}, "params": {"profile": "reviewed"}}, 400),
    ],
)
def test_what_is_not_asked_right_is_refused(client: TestClient, loader: Loader, request_: dict[str, Any], status: int):
    answer = client.post("/blur/", **request_)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert loader.finder.looked == 0


def test_without_models_nothing_is_handed_out(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    def missing(*_: object) -> None:
        raise ModelError("YuNet not on this machine")

    monkeypatch.setattr(Loader, "__call__", missing)
    answer = ask(client, photo(1))
    assert answer.status_code == 503
    assert "YuNet" in answer.json()["detail"]


def test_who_comes_while_all_places_are_taken_is_told_to_come_back(client: TestClient, loader: Loader):
    go_on, begun = threading.Event(), threading.Event()
    find = loader.finder.find

    def slow(image: np.ndarray, **more: int) -> Any:
        begun.set()
        assert go_on.wait(20)
        return find(image, **more)

    loader.finder.find = slow  # type: ignore[method-assign]
    desk = client.app.state.desk  # type: ignore[attr-defined]
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(client, photo(1)).status_code)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    while desk._taken < 2:
        threads[1].join(0.01)
    with desk.place(), desk.place():  # one is worked on, and so many wait
        assert WAITING == 3
        answer = ask(client, photo(1))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert answers == [200, 200]
    assert desk._taken == 0
    assert ask(client, photo(1)).status_code == 200


def test_an_upload_does_not_reach_the_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    import tempfile

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda _: pytest.fail("a file was made"))
    monkeypatch.setenv("WAYSIDE_BLUR_MAX_BYTES", str(4 * 2**20))
    core_settings.settings.cache_clear()
    noise = np.random.default_rng(1).integers(0, 256, (600, 600, 3), np.uint8)
    given = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    assert len(given) > 2**19
    comment = b"\xff\xfe\xff\xff" + bytes(65533)
    padded = given[:2] + 8 * comment + given[2:]
    assert len(padded) > 2**20
    assert ask(client, padded).status_code == 200


def test_what_comes_back_is_searched_for_the_driver_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from wayside.privacy import anonymise as module

    asked: list[str] = []
    scan = module.scan
    monkeypatch.setattr(module, "scan", lambda *args, **named: asked.extend(named["texts"]) or scan(*args, **named))
    assert ask(client, photo(1)).status_code == 200
    assert "Kari Testsjåfør" in asked
