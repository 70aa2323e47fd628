"""Places: a folder and a bucket do the same, with names of any kind; half-written files are swept, lost shares told."""

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.storage import BUCKET, StoragePeer
from tests.store.conftest import peer

from wayside.core.errors import ConfigError, ImageError, StoreError, StoreUnavailableError, VideoError
from wayside.store import bucket_place
from wayside.store.files import TEMPORARY
from wayside.store.places import BucketPlace, FolderPlace, Place, open_place

__all__ = ["peer"]
ODD = ("%#{} _  _ _/åæø/bilde æ.jpg", "a/b/c.JPG", "plain.jpg", "a b/ü.json")
LIMIT = 1000


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each kind of place in turn, empty."""
    if request.param == "folder":
        yield open_place(str(tmp_path / "place"), create=True)
    else:
        served: StoragePeer = request.getfixturevalue("peer")
        yield open_place(f"gs://{BUCKET}/some/prefix", served.client())


def test_files_keep_their_names_and_are_listed_in_order(place: Place):
    for number, key in enumerate(ODD):
        place.save(key, bytes([number] * (number + 1)))
    assert [entry.key for entry in place.entries()] == sorted(ODD)
    assert {entry.key: entry.bytes for entry in place.entries()} == {key: n + 1 for n, key in enumerate(ODD)}
    for number, key in enumerate(ODD):
        assert place.load(key, LIMIT) == bytes([number] * (number + 1))
        entry = place.entry(key)
        assert entry is not None
        assert entry == next(one for one in place.entries() if one.key == key)
        assert entry.modified.tzinfo is not None


def test_what_is_not_there_is_none(place: Place):
    place.save("one.jpg", b"1")
    assert place.entry("two.jpg") is None
    assert place.entry("one.jpg/below.jpg") is None
    assert place.load("two.jpg", LIMIT) is None
    assert place.remove("two.jpg") is False
    assert place.entry("folder") is None


def test_a_version_changes_with_the_file(place: Place):
    place.save("one.jpg", b"1")
    first = place.entry("one.jpg")
    place.save("one.jpg", b"22")
    second = place.entry("one.jpg")
    assert first is not None
    assert second is not None
    assert first.version != second.version
    assert place.load("one.jpg", LIMIT) == b"22"


def test_removing_takes_empty_folders_along_but_never_the_place(place: Place):
    place.save("a/b/one.jpg", b"1")
    place.save("a/two.jpg", b"2")
    assert place.remove("a/b/one.jpg")
    assert [entry.key for entry in place.entries()] == ["a/two.jpg"]
    assert place.remove("a/two.jpg")
    assert list(place.entries()) == []
    assert place.reachable()
    if isinstance(place, FolderPlace):
        assert list(place.root.iterdir()) == []


def test_files_over_the_limit_are_refused(place: Place):
    place.save("one.jpg", b"x" * (LIMIT + 1))
    with pytest.raises(ImageError) as refused:
        place.load("one.jpg", LIMIT)
    assert refused.value.reason == "too_many_bytes"


def test_a_large_file_is_read_here_and_there(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_place, "_RANGE", 2**17)
    data = bytes(range(256)) * 2_000
    place.save("in/long.mp4", data)
    with place.open("in/long.mp4") as file:
        assert file.seekable()
        assert file.seek(-3, os.SEEK_END) == len(data) - 3
        assert file.read() == data[-3:]
        assert file.read(1) == b""
        assert file.seek(1000) == 1000
        assert file.read(300) == data[1000:1300]
        assert file.seek(-100, os.SEEK_CUR) == 1200
        assert file.read(7) == data[1200:1207]
        file.seek(0)
        assert file.read() == data
    for key in ("in/other.mp4", "in", "in/long.mp4/below"):
        with pytest.raises(VideoError) as refused:
            place.open(key)
        assert refused.value.reason == "gone"
    with pytest.raises(StoreError):
        place.open("../out.mp4")


@pytest.mark.parametrize("key", ["../out.jpg", "/etc/passwd", "a//b.jpg", "a/./b.jpg", ".hidden", "", "a\\b.jpg"])
def test_keys_do_not_leave_the_place(place: Place, key: str):
    with pytest.raises(StoreError):
        place.save(key, b"1")
    with pytest.raises(StoreError):
        place.load(key, LIMIT)


class TestFolder:
    """What only a folder knows."""

    def test_a_lost_share_is_told_from_a_missing_file(self, tmp_path: Path):
        place = FolderPlace(tmp_path / "share")
        for call in (
            lambda: list(place.entries()),
            lambda: place.entry("one.jpg"),
            lambda: place.load("one.jpg", LIMIT),
            lambda: place.save("one.jpg", b"1"),
        ):
            with pytest.raises(StoreUnavailableError, match="mount the share again"):
                call()
        assert not place.reachable()
        (tmp_path / "share").mkdir()
        assert place.reachable()
        assert place.entry("one.jpg") is None

    def test_a_file_is_no_share_to_wait_for(self, tmp_path: Path):
        (tmp_path / "a.jpg").write_bytes(b"x")
        for create in (False, True):
            with pytest.raises(ConfigError, match="is a file"):
                list(FolderPlace(tmp_path / "a.jpg", create=create).entries())

    def test_hidden_files_links_to_folders_and_names_that_are_no_text_are_left_out(self, tmp_path: Path):
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / ".hidden.jpg").write_bytes(b"1")
        (tmp_path / "in" / "one.jpg").write_bytes(b"1")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "secret.jpg").write_bytes(b"1")
        (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "in" / os.fsdecode(b"\xff.jpg")).write_bytes(b"1")
        assert [entry.key for entry in FolderPlace(tmp_path / "in").entries()] == ["one.jpg"]

    def test_what_killed_writers_left_is_swept_and_what_is_being_written_is_not(self, tmp_path: Path):
        place = FolderPlace(tmp_path, create=True)
        place.save("a/one.jpg", b"1")
        left, held = tmp_path / "a" / f"{TEMPORARY}{1:016x}", tmp_path / "a" / f"{TEMPORARY}{2:016x}"
        left.write_bytes(b"half")
        held.write_bytes(b"half")
        with held.open("rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            assert place.sweep() == 1
            assert held.exists()
        assert not left.exists()
        assert place.sweep() == 1
        assert place.load("a/one.jpg", LIMIT) == b"1"

    def test_writers_sweepers_and_removers_get_along(self, tmp_path: Path):
        place = FolderPlace(tmp_path / "out", create=True)
        stop = threading.Event()

        def disturb() -> None:
            while not stop.is_set():
                place.sweep()
                place.remove("deep/down/other.jpg")

        other = threading.Thread(target=disturb)
        other.start()
        try:
            for number in range(40):
                place.save("deep/down/one.jpg", str(number).encode() * 100)
                place.save("deep/down/other.jpg", b"1")
                place.remove("deep/down/one.jpg")
        finally:
            stop.set()
            other.join()
        assert not list(tmp_path.rglob(f"{TEMPORARY}*"))


class TestAddresses:
    """What can be opened."""

    @pytest.mark.parametrize("address", ["", " ", "s3://bucket/x", "gs://", "gs://UPPER/x", "http://host/x", "a\0b"])
    def test_what_is_none_is_refused(self, address: str):
        with pytest.raises(ConfigError):
            open_place(address)

    def test_folders_and_buckets_are_told_apart(self, tmp_path: Path):
        assert isinstance(open_place(str(tmp_path)), FolderPlace)
        bucket = open_place("gs://bucket/deep/prefix/")
        assert isinstance(bucket, BucketPlace)
        assert bucket.uri("a.jpg") == "gs://bucket/deep/prefix/a.jpg"
        assert open_place(str(tmp_path)).uri("a/b.jpg") == str(tmp_path / "a" / "b.jpg")


def test_a_file_of_a_bucket_is_of_one_version_and_little_of_it_is_fetched(
    peer: StoragePeer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bucket_place, "_RANGE", 2**17)
    place = BucketPlace(peer.client(), BUCKET, "p", timeout=5, backoff=0.001, patience=0.01)
    place.save("long.mp4", b"x" * 2**19)
    with place.open("long.mp4") as file:
        before = len(peer.requests)
        file.seek(5 * 2**16)
        assert file.read(10) == b"x" * 10
        file.read(1000)
        assert len(peer.requests) == before + 1
        file.seek(0)
        place.save("long.mp4", b"y" * 2**19)
        with pytest.raises(StoreUnavailableError, match="changed while it was read"):
            file.read(10)
    with place.open("long.mp4") as file:
        peer.fail(503, times=1000)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            file.read(10)


def test_a_bucket_that_does_not_answer_is_out_of_reach(peer: StoragePeer):
    place = BucketPlace(peer.client(), BUCKET, "p", timeout=0.2, backoff=0.001, patience=0.01)
    place.save("one.jpg", b"1")
    assert place.reachable()
    peer.fail(503, times=1000)
    assert not place.reachable()
    with pytest.raises(StoreUnavailableError):
        place.load("one.jpg", LIMIT)
