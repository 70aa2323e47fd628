"""The bucket: what it does beyond the promises of every store, and what it makes of failures."""

import subprocess
import sys
from collections.abc import Callable

import google.auth
import pytest
from google.api_core.exceptions import NotFound
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud.storage import Blob
from tests.peers.storage import BUCKET, CUT, HANG, StoragePeer
from tests.store.conftest import gcs_store
from tests.store.test_contract import KEY, LATER, META, OTHER, held, sha256

from wayside.core.errors import StoreError, StoreUnavailableError, TransientError
from wayside.core.settings import Settings
from wayside.store import GcsStore, LocalStore, PictureMeta, StoredEntry, open_store

FOLDER = KEY.rpartition("/")[0]
BIG = bytes(range(256)) * 40_000  # more than 8 MiB
Use = Callable[[GcsStore], object]
USES: dict[str, Use] = {
    "create": lambda store: store.create(OTHER, b"x", META),
    "replace": lambda store: store.replace(KEY, b"x", META, sha256(b"picture")),
    "read": held,
    "exists": lambda store: store.exists(KEY),
    "keys": lambda store: list(store.keys("TfL-images")),
    "folders": lambda store: store.folders("TfL-images"),
    "delete": lambda store: store.delete(KEY),
    "delete_many": lambda store: store.delete_many([KEY, OTHER]),
}
EVERY = pytest.mark.parametrize("use", USES.values(), ids=USES)


@pytest.fixture
def store(peer: StoragePeer) -> GcsStore:
    return gcs_store(peer)


@pytest.fixture
def filled(store: GcsStore) -> GcsStore:
    store.create(KEY, b"picture", META)
    return store


def put(peer: StoragePeer, name: str, data: bytes = b"", metadata: dict[str, str] | None = None) -> None:
    """Put an object there, as any other program does."""
    blob = peer.client().bucket(BUCKET).blob(name)
    blob.metadata = metadata
    blob.upload_from_string(data)


def posts(peer: StoragePeer) -> int:
    return sum("POST /upload" in request for request in peer.requests)


def test_a_picture_is_one_object_with_its_record_as_custom_metadata(peer: StoragePeer, filled: GcsStore):
    blob = peer.client().bucket(BUCKET).get_blob(f"cameras/{KEY}")
    assert blob is not None
    assert (blob.content_type, blob.download_as_bytes()) == ("image/jpeg", b"picture")
    assert PictureMeta.model_validate_json(blob.metadata["wayside"]) == META
    assert filled.uri(KEY) == f"gs://{BUCKET}/cameras/{KEY}"
    assert [found.name for found in peer.client().list_blobs(BUCKET)] == [f"cameras/{KEY}"]


def test_a_chrono_lens_bucket_can_be_read_as_it_is(peer: StoragePeer):
    put(peer, KEY, b"picture")
    store = gcs_store(peer, prefix="")
    assert held(store) == (b"picture", None)
    assert list(store.entries("TfL-images")) == [StoredEntry(KEY, 7)]
    assert store.folders("") == ["TfL-images"]
    assert not store.create(KEY, b"mine", META)
    assert store.replace(KEY, b"better", LATER, sha256(b"picture"))
    assert held(store) == (b"better", LATER)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"fetched_at": "2020-05-01T00:50:00"}', '{"etag": "x"}'])
def test_a_broken_record_is_none(peer: StoragePeer, store: GcsStore, broken: str):
    put(peer, f"cameras/{KEY}", b"picture", {"wayside": broken, "other": "x"})
    assert held(store) == (b"picture", None)


def test_a_record_that_custom_metadata_cannot_hold_goes_without_cache_headers(store: GcsStore):
    assert store.create(KEY, b"picture", META.model_copy(update={"etag": "x" * 9000, "last_modified": "y"}))
    assert held(store) == (b"picture", META.model_copy(update={"etag": None}))


def test_stores_of_other_prefixes_are_not_seen(peer: StoragePeer, filled: GcsStore):
    for prefix in ("cam", "cameras/TfL-images", "cameras-2"):
        assert gcs_store(peer, prefix).read(KEY) is None
        assert list(gcs_store(peer, prefix).keys("TfL-images")) == []
    assert held(gcs_store(peer, "/cameras/")) == (b"picture", META)
    with pytest.raises(StoreError, match="key"):
        gcs_store(peer, "cameras/../other")


def test_hidden_names_and_the_placeholders_of_consoles_are_no_pictures(peer: StoragePeer, filled: GcsStore):
    for name in ("TfL-images/", f"{FOLDER}/", f"{FOLDER}/.x.jpg", "TfL-images/.hidden/x.jpg", ".top/x", "a//b"):
        put(peer, f"cameras/{name}")
    assert list(filled.keys("TfL-images")) == [KEY]
    assert filled.folders("") == ["TfL-images", "a"]
    assert filled.folders("TfL-images") == ["20200501"]
    assert filled.folders("a") == list(filled.keys("a")) == []


def test_lists_are_read_page_by_page(peer: StoragePeer, store: GcsStore):
    keys = [f"A/2020050{day}/0000/c{camera}.jpg" for day in range(1, 8) for camera in range(3)]
    for key in keys:
        store.create(key, b"x", META)
    peer.page = 4
    peer.requests.clear()
    assert list(store.keys("A")) == keys
    assert len(peer.requests) == 6
    assert store.folders("A") == [f"2020050{day}" for day in range(1, 8)]


def test_deletions_go_in_batches(peer: StoragePeer, store: GcsStore):
    keys = [f"A/20200501/0000/c{camera:03} ü.jpg" for camera in range(205)]
    for key in keys[5:]:
        put(peer, f"cameras/{key}")
    peer.requests.clear()
    assert store.delete_many(keys) == 200
    assert peer.requests == ["POST /batch/storage/v1"] * 3
    assert list(store.keys("A")) == []


def test_what_a_busy_service_did_not_delete_is_tried_again(peer: StoragePeer, store: GcsStore):
    for key in (KEY, OTHER):
        store.create(key, b"x", META)
    peer.busy(f"cameras/{OTHER}")
    peer.requests.clear()
    assert store.delete_many([KEY, OTHER, f"{FOLDER}/none.jpg"]) == 2
    assert peer.requests == ["POST /batch/storage/v1"] * 2
    assert list(store.keys("TfL-images")) == []


def test_large_pictures_are_uploaded_in_a_way_that_can_resume(peer: StoragePeer, store: GcsStore):
    peer.fail(503, "PUT", times=2)
    assert store.create(KEY, BIG, META)
    assert any("uploadType=resumable" in request for request in peer.requests)
    assert held(store) == (BIG, META)
    assert not store.create(KEY, BIG, LATER)
    assert store.replace(KEY, BIG[1:], LATER, sha256(BIG))
    assert not store.replace(KEY, BIG, META, sha256(BIG))
    assert held(store) == (BIG[1:], LATER)


@EVERY
@pytest.mark.parametrize("how", [429, 500, 502, 503, 504, CUT])
def test_what_often_passes_is_tried_again(peer: StoragePeer, filled: GcsStore, use: Use, how: int):
    calm = gcs_store(peer, prefix="calm")
    calm.create(KEY, b"picture", META)
    expected = use(calm)
    peer.fail(how, times=2)
    peer.requests.clear()
    lost = how == CUT and use in (USES["delete"], USES["delete_many"])
    assert use(filled) == (0 if lost else expected)
    assert len(peer.requests) > 2


def test_an_answer_that_does_not_come_is_not_waited_for(peer: StoragePeer, filled: GcsStore):
    store = GcsStore(peer.client(), BUCKET, "cameras", timeout=0.5, backoff=0.001)
    peer.fail(HANG, times=2)
    assert held(store) == (b"picture", META)


@pytest.mark.parametrize("data", [b"picture", BIG], ids=["small", "large"])
def test_who_wrote_is_told_so_although_the_answer_was_lost(peer: StoragePeer, store: GcsStore, data: bytes):
    method = "POST" if data is not BIG else "PUT"
    peer.fail(CUT, method, "/upload", times=2)
    assert store.create(KEY, data, META)
    assert held(store) == (data, META)
    peer.fail(503, method, "/upload", applied=True)
    assert store.replace(KEY, data + b"!", LATER, sha256(data))
    assert held(store) == (data + b"!", LATER)
    assert not store.create(KEY, data, META)


def test_who_did_not_write_is_told_so_although_the_same_lies_there(peer: StoragePeer, store: GcsStore):
    """The first try fails before it has an effect, and another has written the same with the same record."""
    assert gcs_store(peer).create(KEY, b"picture", META)
    peer.fail(503, "POST", "/upload")
    before = posts(peer)
    assert not store.create(KEY, b"picture", META)
    assert posts(peer) == before + 2


def test_a_picture_that_is_replaced_while_it_is_read_is_read_anew(
    peer: StoragePeer, filled: GcsStore, monkeypatch: pytest.MonkeyPatch
):
    real = Blob.download_as_bytes

    def late(blob: Blob, *arguments: object, **options: object) -> object:
        monkeypatch.undo()
        assert gcs_store(peer).replace(KEY, b"better", LATER, sha256(b"picture"))
        return real(blob, *arguments, **options)

    monkeypatch.setattr(Blob, "download_as_bytes", late)
    assert held(filled) == (b"better", LATER)


def test_a_picture_that_is_deleted_while_it_is_read_is_none(
    peer: StoragePeer, filled: GcsStore, monkeypatch: pytest.MonkeyPatch
):
    def gone(*_: object, **__: object) -> object:
        monkeypatch.undo()
        gcs_store(peer).delete(KEY)
        raise NotFound("gone")

    monkeypatch.setattr(Blob, "download_as_bytes", gone)
    assert filled.read(KEY) is None


@EVERY
def test_a_bucket_that_is_not_there_is_a_store_error(peer: StoragePeer, use: Use):
    with pytest.raises(StoreError, match=r"there is no bucket elsewhere: create it, or correct WAYSIDE_PICTURES_URL"):
        use(gcs_store(peer, bucket="elsewhere"))


@EVERY
@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, r"roles/storage.objectUser\) on the bucket pictures"),
        (401, r"no Google credentials that work: .*gcloud auth"),
    ],
)
def test_a_missing_right_is_told_with_what_helps(peer: StoragePeer, filled: GcsStore, use: Use, status: int, told: str):
    peer.fail(status, times=99)
    with pytest.raises(StoreError, match=told) as caught:
        use(filled)
    assert not isinstance(caught.value, TransientError)


@EVERY
def test_a_service_that_stays_away_is_worth_a_later_try(peer: StoragePeer, use: Use):
    store = gcs_store(peer, patience=0.02)
    peer.fail(503, times=9999)
    with pytest.raises(StoreUnavailableError, match=r"too busy: .*503.*; tried for up to 0.02 s: try again") as caught:
        use(store)
    assert isinstance(caught.value, TransientError)


@EVERY
def test_a_request_that_is_refused_otherwise_is_a_store_error(peer: StoragePeer, filled: GcsStore, use: Use):
    peer.fail(400, times=99)
    with pytest.raises(StoreError, match="Cloud Storage refuses: 400") as caught:
        use(filled)
    assert not isinstance(caught.value, TransientError)


def test_nobody_who_listens_is_worth_a_later_try():
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    options = ClientOptions(api_endpoint="http://127.0.0.1:9")
    client = Client(project="test", credentials=AnonymousCredentials(), client_options=options)
    with pytest.raises(StoreUnavailableError, match="cannot read"):
        GcsStore(client, BUCKET, backoff=0.001, patience=0.02).read(KEY)


@pytest.mark.parametrize("error", [DefaultCredentialsError("none found"), RefreshError("revoked")])
def test_missing_credentials_are_told_when_the_store_is_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(google.auth, "default", refuse)
    store = open_store(settings.model_copy(update={"pictures_url": "gs://pictures"}))
    assert store.uri(KEY) == f"gs://pictures/{KEY}"
    with pytest.raises(StoreError, match=f"no Google credentials that work: {error}.*gcloud auth application-default"):
        store.read(KEY)


def test_the_settings_name_the_store(settings: Settings, peer: StoragePeer):
    local = open_store(settings)
    assert isinstance(local, LocalStore)
    assert local.root == settings.pictures.absolute()
    for url, uri in {"gs://pictures": "", "gs://pictures/": "", "gs://pictures/a/b": "a/b/"}.items():
        store = open_store(settings.model_copy(update={"pictures_url": url}), peer.client())
        assert store.create(KEY, b"picture", META)
        assert store.uri(KEY) == f"gs://pictures/{uri}{KEY}"
        assert store.delete(KEY)


def test_a_client_is_made_when_none_is_given(settings: Settings, peer: StoragePeer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", peer.url)
    store = open_store(settings.model_copy(update={"pictures_url": "gs://pictures/cameras"}))
    assert store.create(KEY, b"picture", META)
    assert held(gcs_store(peer)) == (b"picture", META)


def test_who_imports_the_store_does_not_pay_for_googles_libraries():
    code = "import sys, wayside.store; print('google.auth' in sys.modules, 'google.cloud.storage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["False", "False"]
