"""The pages of road photos: what they tell of each picture, and that they show the anonymised ones and no other."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.photos.inbox import NAMES, files, fill_inbox, job, photo, run

from wayside.core import settings as core_settings
from wayside.core.settings import Settings
from wayside.core.tables import RECEIPTS, ROAD_PHOTOS
from wayside.photos.access import sha256_of
from wayside.vision.decode import decode
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.web.app import create_app, get_access

BROKEN = "2020/cut.jpg"
LOOSE = NAMES[3]
ODD = NAMES[2]


class Lake:
    """An inbox that was worked on: four pictures done, one failed; with a browser over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(state=folder / "state", workers=1, device="cpu", _env_file=None)
        self.warehouse = ParquetWarehouse(self.settings.lake)
        fill_inbox(folder / "in", {name: photo(number, (640, 480)) for number, name in enumerate(NAMES)})
        (folder / "in" / BROKEN).write_bytes(photo(9)[:900])
        assert run(self.settings, job(folder, archive=True)) == {"done": 4, "failed": 1}

    def row(self, name: str) -> dict[str, Any]:
        with self.warehouse.connect(tables=[ROAD_PHOTOS.name]) as connection:
            rows = connection.sql("SELECT * FROM road_photos").to_arrow_table().to_pylist()
        return next(row for row in rows if row["photo"] == name)

    def change(self, name: str, **values: Any) -> None:
        """Publish the row of a picture with other values."""
        row = self.row(name)
        scope = Scope(row["source"], folder=row["folder"])
        rows = self.warehouse.read(ROAD_PHOTOS, scope).to_pylist()
        changed = [one | values if one["photo"] == name else one for one in rows]
        self.warehouse.publish(ROAD_PHOTOS, scope, to_arrow(ROAD_PHOTOS, changed))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that tests only look at."""
    return Lake(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def own(kept: Lake) -> Iterator[Lake]:
    """The same for a test that spoils it; it is put back as it was."""
    before = files(kept.folder)
    yield kept
    lost = kept.folder / "lost"
    if lost.exists():
        lost.rename(kept.folder / "out")
    after = files(kept.folder)
    for name in after.keys() - before.keys():
        (kept.folder / name).unlink()
    for name, data in before.items():
        if after.get(name) != data:
            (kept.folder / name).write_bytes(data)
    (kept.folder / "out" / "link").unlink(missing_ok=True)


def browser(lake: Lake, monkeypatch: pytest.MonkeyPatch, **changes: str) -> TestClient:
    set_to = {"STATE": str(lake.settings.state), "PHOTOS_OUTPUT": str(lake.folder / "out")} | changes
    for name, value in set_to.items():
        monkeypatch.setenv(f"WAYSIDE_{name}", value)
    core_settings.settings.cache_clear()  # making the lake has read them
    app = create_app(warehouse=lambda: lake.warehouse)
    app.dependency_overrides[get_access] = lambda: None
    return TestClient(app, headers={"accept": "text/html"})


@pytest.fixture
def client(kept: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with browser(kept, monkeypatch) as one:
        yield one


def image(client: TestClient, name: str, size: str = "full") -> Any:
    return client.get("/photos/inbox/image", params={"photo": name, "size": size})


def shown(page: str) -> list[str]:
    return [unescape(name) for name in re.findall(r'class="name" title="([^"]+)"', page)]


def test_inboxes_are_told_with_counts_and_the_state_of_receipts(client: TestClient):
    page = client.get("/photos").text
    assert "5 pictures" in page
    assert re.search(r"done</span> <b>4</b>", page)
    assert re.search(r"failed</span> <b>1</b>", page)
    assert "4 receipts" in page
    assert re.search(r"chain of 20\d\d-\d\d-\d\d holds", page)


def test_without_an_inbox_the_page_says_how_to_get_one(tmp_path: Path):
    app = create_app(warehouse=lambda: ParquetWarehouse(tmp_path))
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "text/html"}) as bare:
        assert "WAYSIDE_PHOTOS_INBOX" in bare.get("/photos").text
        assert bare.get("/photos/inbox").status_code == 404
        assert bare.get("/photos?run=run-1").status_code == 404


def test_pictures_of_an_inbox_are_listed_with_what_became_of_them(client: TestClient):
    page = client.get("/photos/inbox").text
    assert shown(page) == sorted([*NAMES, BROKEN])
    assert page.count("<img") == 4, "the one that failed has no picture"
    assert "failed: truncated" in page
    assert re.search(r"c-car.*?car <b>1</b>", page)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"status": "failed"}, [BROKEN]),
        ({"status": "held"}, []),
        ({"run": "run-1", "status": "done"}, sorted(NAMES)),
        ({"run": "run-2"}, []),
        ({"q": "FV00013"}, sorted(NAMES[:2])),
        ({"q": "ÅÆØ"}, [ODD]),
        ({"q": "'; DROP TABLE road_photos; --"}, []),
    ],
)
def test_the_list_can_be_narrowed(client: TestClient, query: dict[str, str], names: list[str]):
    page = client.get("/photos/inbox", params=query).text
    assert shown(page) == names
    assert names or "No picture fits" in page


def test_a_folder_and_a_page_can_be_chosen(client: TestClient, kept: Lake, monkeypatch: pytest.MonkeyPatch):
    assert shown(client.get("/photos/inbox", params={"folder": kept.row(ODD)["folder"]}).text) == [ODD]
    assert client.get("/photos/inbox", params={"folder": "../../etc"}).status_code == 400
    monkeypatch.setattr("wayside_airflow.web.photos.PER_PAGE", 2)
    pages = [shown(client.get("/photos/inbox", params={"page": number}).text) for number in (1, 2, 3, 99)]
    assert [len(names) for names in pages] == [2, 2, 1, 1]
    assert [name for names in pages[:3] for name in names] == sorted([*NAMES, BROKEN])


@pytest.mark.parametrize("path", ["/photos/..%2f..%2fetc", "/photos/nobody", "/photos/nobody/picture?photo=a.jpg"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str):
    assert client.get(path).status_code in {400, 404}


def test_a_picture_is_told_with_record_and_receipt(client: TestClient, kept: Lake):
    page = client.get("/photos/inbox/picture", params={"photo": NAMES[0]}).text
    row = kept.row(NAMES[0])
    assert "bildeid" in page
    assert row["photo_id"] in page
    assert row["output_sha256"] in page
    assert re.search(r"chain of 20\d\d-\d\d-\d\d holds", page)
    assert "another file" not in page
    assert "Kari Testsjåfør" not in page
    failed = client.get("/photos/inbox/picture", params={"photo": BROKEN}).text
    assert "there is no anonymised picture" in failed
    assert "<img" not in failed
    assert client.get("/photos/inbox/picture", params={"photo": "2020/none.jpg"}).status_code == 404


def test_a_picture_with_odd_signs_in_its_name_is_shown(client: TestClient):
    page = client.get("/photos/inbox").text
    links = [unescape(link) for link in re.findall(r'<img src="([^"]+)"', page)]
    assert len(links) == 4
    for link in links:
        assert client.get(link).headers["content-type"] == "image/jpeg"
    (odd,) = [unescape(link) for link in re.findall(r'class="card" href="([^"]+)"', page) if "ev_6" in link]
    assert "ev_6.jpeg" in client.get(odd).text


def test_pictures_are_the_anonymised_ones(client: TestClient, kept: Lake):
    for name in NAMES:
        answer = image(client, name)
        assert answer.content == (kept.folder / "out" / name).read_bytes()
        assert answer.content != (kept.folder / "in" / name).read_bytes()
        assert b"Kari" not in answer.content
    small = decode(image(client, NAMES[0], "small").content)
    assert (small.width, small.height) == (480, 360)
    large = image(client, NAMES[0], "large")
    assert decode(large.content).width == 640, "not blown up"
    again = client.get(
        "/photos/inbox/image",
        params={"photo": NAMES[0], "size": "large"},
        headers={"if-none-match": large.headers["etag"]},
    )
    assert again.status_code == 304


def test_a_file_that_is_not_the_published_one_is_not_shown(own: Lake, monkeypatch: pytest.MonkeyPatch):
    client = browser(own, monkeypatch)
    assert image(client, LOOSE, "small").status_code == 200
    (own.folder / "out" / LOOSE).write_bytes((own.folder / "in" / LOOSE).read_bytes())
    for size in ("small", "large", "full"):
        assert image(client, LOOSE, size).status_code == 409, size
    (own.folder / "out" / LOOSE).unlink()
    assert image(client, LOOSE, "small").status_code == 404
    (own.folder / "out").rename(own.folder / "lost")
    assert image(client, NAMES[0], "small").status_code == 503


@pytest.mark.parametrize("where", ["in", "arc", "in/../in", "elsewhere", "out/link", "state"])
def test_files_outside_of_the_output_are_not_shown(own: Lake, monkeypatch: pytest.MonkeyPatch, where: str):
    """Even where a row names them with their right hash."""
    data = photo(5)
    places = {"link": own.folder / "elsewhere", where: own.folder / where}
    for place in (own.folder / "elsewhere", own.folder / "in", own.folder / "arc"):
        place.mkdir(exist_ok=True)
    if where == "out/link":
        (own.folder / "out" / "link").symlink_to(places["link"])
    path = own.folder / where / "secret.jpg"
    path.write_bytes(data)
    own.change(LOOSE, output_uri=str(path), output_sha256=sha256_of(data), output_bytes=len(data))
    client = browser(own, monkeypatch)
    answer = image(client, LOOSE)
    assert answer.status_code == 404
    assert "lies outside" in unescape(answer.text)
    assert "lies outside" in unescape(client.get("/photos/inbox/picture", params={"photo": LOOSE}).text)


def test_originals_are_not_shown_where_all_lies_below_one_root(own: Lake, monkeypatch: pytest.MonkeyPatch):
    roots = {"PHOTOS_ROOTS": f'["{own.folder}"]', "PHOTOS_INBOX": str(own.folder / "in"), "PHOTOS_OUTPUT": ""}
    client = browser(own, monkeypatch, **roots, PHOTOS_ARCHIVE=str(own.folder / "arc"))
    assert image(client, LOOSE).status_code == 200
    data = (own.folder / "in" / LOOSE).read_bytes()
    known = {"output_sha256": sha256_of(data), "output_bytes": len(data)}
    for place in ("in", "arc"):
        own.change(LOOSE, output_uri=str(own.folder / place / LOOSE), **known)
        assert image(client, LOOSE).status_code == 404
    (own.folder / "out" / LOOSE).write_bytes(data)
    own.change(LOOSE, output_uri=str(own.folder / "out" / LOOSE), **known)
    assert "on purpose" in image(client, LOOSE).text, "what was put out is what came in"


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("gs://bucket/out/../in/a.jpg", "gs://bucket/out"),
        ("gs://bucket/outer/a.jpg", "gs://bucket/out"),
        ("gs://other/out/a.jpg", "gs://bucket/out"),
        ("/etc/passwd", "/"),
    ],
)
def test_addresses_of_buckets_are_not_left(own: Lake, monkeypatch: pytest.MonkeyPatch, uri: str, root: str):
    own.change(LOOSE, output_uri=uri)
    monkeypatch.setattr("wayside_airflow.hooks.services.storage_client", lambda _: pytest.fail("asked the bucket"))
    assert image(browser(own, monkeypatch, PHOTOS_OUTPUT=root), LOOSE).status_code in {404, 409}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"status": "held"}, "waits for a person"),
        ({"hidden_share": 0.0}, "on purpose"),
        ({"output_uri": None}, "noted down"),
        ({"output_sha256": None}, "noted down"),
        ({"output_bytes": 2**40}, "more than 256 MiB"),
    ],
)
def test_what_is_not_fit_to_be_seen_is_not_shown(
    own: Lake, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], why: str
):
    own.change(LOOSE, **values)
    client = browser(own, monkeypatch)
    answer = image(client, LOOSE)
    assert answer.status_code == 404
    assert why in answer.text
    page = client.get("/photos/inbox", params={"q": LOOSE}).text
    assert why in page
    assert "<img" not in page


def test_a_changed_receipt_shows(own: Lake, monkeypatch: pytest.MonkeyPatch):
    client = browser(own, monkeypatch)
    assert "holds" in client.get("/photos").text
    (scope,) = own.warehouse.scopes(RECEIPTS)
    rows = own.warehouse.read(RECEIPTS, scope).to_pylist()
    rows[1]["receipt"] = rows[1]["receipt"].replace("somebody", "nobody")
    own.warehouse.publish(RECEIPTS, scope, to_arrow(RECEIPTS, rows))
    for path in ("/photos", "/photos/inbox", f"/photos/inbox/picture?photo={LOOSE}"):
        page = client.get(path).text
        assert "is broken" in page, path
        assert "its text was changed" in page


def test_a_long_chain_is_left_to_the_command(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside_airflow.web.photo_receipts.MOST", 3)
    monkeypatch.setattr("wayside_airflow.web.photo_receipts._CHECKED._answers", {})
    assert "wayside receipts verify" in client.get("/photos/inbox").text


def test_a_run_leads_to_its_pictures(client: TestClient, kept: Lake, monkeypatch: pytest.MonkeyPatch):
    for has_job in (True, False):
        monkeypatch.setattr("wayside.photos.batch.has_job", lambda *_, has_job=has_job: has_job)
        answer = client.get("/photos", params={"run": "run-1"}, follow_redirects=False)
        assert answer.headers["location"] == "/photos/inbox?run=run-1"
    assert client.get("/photos", params={"run": "../run"}).status_code == 400
