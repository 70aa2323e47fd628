"""What every store promises, whatever carries it: a picture is created by one, replaced by one, listed, deleted."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from wayside.core.errors import StoreError
from wayside.store import PictureMeta, Store, StoredEntry

KEY = "TfL-images/20200501/0050/00001.01251.jpg"
OTHER = "TfL-images/20200501/0050/00001.01252.jpg"
META = PictureMeta(fetched_at=datetime(2020, 5, 1, 0, 50, 20, tzinfo=UTC), http_status=200, etag='"v1"')
LATER = META.model_copy(update={"fetched_at": META.fetched_at + timedelta(hours=1), "etag": '"lat\u00e9r"'})
RACERS = 4


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def held(store: Store, key: str = KEY) -> tuple[bytes, PictureMeta | None] | None:
    found = store.read(key)
    return None if found is None else (found.data, found.meta)


def race(work: Callable[[int], bool]) -> int:
    """Let some threads do the same at once; return which one was told that it won, which must be one."""
    barrier = threading.Barrier(RACERS)

    def run(me: int) -> bool:
        barrier.wait(30)
        return work(me)

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(run, range(RACERS)))
    assert won.count(True) == 1
    return won.index(True)


def test_what_was_created_is_read_back(store: Store):
    assert store.create(KEY, b"picture", META)
    found = store.read(KEY)
    assert found is not None
    assert (found.key, found.data, found.meta) == (KEY, b"picture", META)
    assert found.sha256 == sha256(b"picture")
    assert found.uri == store.uri(KEY)
    assert found.uri.endswith(KEY)
    assert store.exists(KEY)
    assert not store.exists(OTHER)


def test_the_first_writer_wins_and_the_other_is_told(store: Store):
    assert store.create(KEY, b"first", META)
    assert not store.create(KEY, b"second", LATER)
    assert not store.create(KEY, b"first", LATER)
    assert not store.create(KEY, b"first", META)
    assert held(store) == (b"first", META)


def test_of_writers_exactly_one_wins_and_the_record_is_the_winners(store: Store):
    for turn in range(10):
        key = f"A/20200501/0050/c{turn}.jpg"
        first = race(
            lambda me, key=key: store.create(key, bytes([me]) * 1000, META.model_copy(update={"etag": f"{me}"}))
        )
        assert held(store, key) == (bytes([first]) * 1000, META.model_copy(update={"etag": f"{first}"}))
    assert len(list(store.keys("A"))) == 10


def test_a_picture_takes_the_place_of_the_one_that_is_named(store: Store):
    store.create(KEY, b"faulty", META)
    assert not store.replace(KEY, b"better", LATER, sha256(b"another"))
    assert held(store) == (b"faulty", META)
    assert store.replace(KEY, b"better", LATER, sha256(b"faulty"))
    assert held(store) == (b"better", LATER)
    assert not store.replace(KEY, b"third", META, sha256(b"faulty"))
    assert held(store) == (b"better", LATER)
    assert list(store.keys("TfL-images")) == [KEY]


def test_what_is_not_there_is_not_replaced(store: Store):
    assert not store.replace(KEY, b"better", LATER, sha256(b"faulty"))
    store.create(KEY, b"faulty", META)
    store.delete(KEY)
    assert not store.replace(KEY, b"better", LATER, sha256(b"faulty"))
    assert held(store) is None
    assert list(store.keys("TfL-images")) == []


def test_the_same_bytes_may_get_another_record(store: Store):
    store.create(KEY, b"picture", META)
    assert store.replace(KEY, b"picture", LATER, sha256(b"picture"))
    assert held(store) == (b"picture", LATER)


def test_of_replacers_exactly_one_wins_and_the_record_is_the_winners(store: Store):
    for turn in range(10):
        key = f"A/20200501/0050/c{turn}.jpg"
        store.create(key, b"faulty", META)
        first = race(
            lambda me, key=key: store.replace(
                key, bytes([me]) * 1000, META.model_copy(update={"etag": f"{me}"}), sha256(b"faulty")
            )
        )
        assert held(store, key) == (bytes([first]) * 1000, META.model_copy(update={"etag": f"{first}"}))


def test_who_reads_while_others_replace_gets_one_picture_with_its_record(store: Store):
    metas = {f"{turn}".encode(): META.model_copy(update={"etag": f"{turn}"}) for turn in range(30)}
    store.create(KEY, b"0", metas[b"0"])
    done = threading.Event()

    def replace_all() -> bool:
        won = [
            store.replace(KEY, f"{n}".encode(), metas[f"{n}".encode()], sha256(f"{n - 1}".encode()))
            for n in range(1, 30)
        ]
        done.set()
        return all(won)

    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(replace_all)
        while not done.is_set():
            found = held(store)
            assert found is not None
            assert found[1] == metas[found[0]]
        assert replacing.result()
    assert held(store) == (b"29", metas[b"29"])


def test_what_is_not_there_is_not_there(store: Store):
    assert store.read(KEY) is None
    assert not store.exists(KEY)
    assert not store.delete(KEY)
    assert store.delete_many([KEY, OTHER]) == 0
    assert list(store.keys("TfL-images")) == list(store.entries("TfL-images")) == []
    assert store.folders("TfL-images") == store.folders("") == []
    store.create(KEY, b"picture", META)
    assert list(store.keys(KEY)) == list(store.entries(KEY)) == store.folders(KEY) == []
    assert not store.exists("TfL-images/20200501")


def test_pictures_are_listed_in_the_order_of_their_keys_with_their_sizes(store: Store):
    chosen = ["s/a/z.jpg", "s/a-b/c.jpg", "s/a.jpg", "s/B/0.jpg", "sa/x.jpg"]
    for size, key in enumerate(chosen):
        store.create(key, b"x" * size, META)
    assert list(store.keys("s")) == sorted(chosen[:4]) == [entry.key for entry in store.entries("s")]
    assert list(store.entries("s/a")) == [StoredEntry("s/a/z.jpg", 0)]
    assert {entry.key: entry.bytes for entry in store.entries("s")} == dict(zip(chosen[:4], range(4), strict=True))


def test_folders_are_those_directly_below(store: Store):
    for key in ("TfL/20200502/0000/a.jpg", "TfL/20200501/0010/a.jpg", "TfL/20200501/0000/b.jpg", "TfL-2/1/x.jpg"):
        store.create(key, b"x", META)
    store.create("TfL/loose.jpg", b"x", META)
    assert store.folders("") == ["TfL", "TfL-2"]
    assert store.folders("TfL") == ["20200501", "20200502"]
    assert store.folders("TfL/20200501") == ["0000", "0010"]
    assert store.folders("TfL/20200501/0000") == store.folders("Tf") == []


def test_a_deleted_picture_takes_its_record_along_and_may_come_again(store: Store):
    store.create(KEY, b"picture", META)
    store.create(OTHER, b"picture", META)
    assert store.delete(KEY)
    assert not store.delete(KEY)
    assert list(store.keys("TfL-images")) == [OTHER]
    assert store.create(KEY, b"picture", LATER)
    assert held(store) == (b"picture", LATER)


def test_many_are_deleted_and_only_those_that_were_there_count(store: Store):
    keys = [f"A/20200501/{slot:04}/c{camera}.jpg" for slot in range(0, 60, 10) for camera in range(20)]
    for key in keys[::2]:
        store.create(key, b"x", META)
    store.create("A/20200502/0000/c0.jpg", b"x", META)
    assert store.delete_many(iter(keys)) == 60
    assert list(store.keys("A")) == ["A/20200502/0000/c0.jpg"]
    assert store.folders("A") == ["20200502"]
    assert store.delete_many(keys) == 0
    assert store.delete_many([]) == 0


def test_a_key_that_is_named_twice_is_deleted_once(store: Store):
    store.create(KEY, b"x", META)
    assert store.delete_many([KEY, OTHER, KEY]) == 1


def test_a_folder_that_is_left_with_nothing_is_none(store: Store):
    store.create(KEY, b"x", META)
    store.delete(KEY)
    store.prune("TfL-images")
    assert store.folders("TfL-images") == []
    assert store.prune("TfL-images") == store.prune("Nobody") == 0


BAD_KEYS = ["", "/", "/etc/passwd", "..", "../x.jpg", "a/../../x.jpg", "a/..", "a//b.jpg", "a/", "./a", "a/./b", "a\\b",
            "a\0b", ".meta/x.json", "a/.meta/x.json", ".new-1", "~/../x", ".lock"]  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_leave_the_store_are_refused_everywhere(store: Store, key: str):
    listings = [lambda k: list(store.keys(k)), lambda k: list(store.entries(k))]
    folders = [store.folders, store.prune] if key else []
    writers = [lambda k: store.create(k, b"x", META), lambda k: store.replace(k, b"x", META, sha256(b"x"))]
    deleters = [store.delete, lambda k: store.delete_many([k])]
    for use in (store.read, store.exists, store.uri, *listings, *folders, *writers, *deleters):
        with pytest.raises(StoreError, match="key"):
            use(key)
    assert store.folders("") == []
