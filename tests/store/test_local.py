"""The folder of pictures: created once, by one, whole; and nothing outside of it."""

import errno
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.processes import run_script

from wayside.core.errors import InvalidIdentifierError, StoreError, StoreFullError
from wayside.core.slots import Slot
from wayside.store import LocalStore, PictureMeta, Store, picture_key
from wayside.store.files import TEMPORARY

SLOT = Slot.parse("20200501T0050Z")
KEY = "TfL-images/20200501/0050/00001.01251.jpg"
META = PictureMeta(fetched_at=datetime(2020, 5, 1, 0, 50, 20, tzinfo=UTC), http_status=200, etag='"v1"')


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "pictures")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_layout_is_that_of_a_chrono_lens_bucket():
    assert picture_key("TfL-images", SLOT, "00001.01251") == KEY
    assert picture_key("NETravelData-images", SLOT.previous, "CM_A69A1-View_02") == (
        "NETravelData-images/20200501/0040/CM_A69A1-View_02.jpg"
    )


@pytest.mark.parametrize(("source", "camera"), [("../x", "a"), ("a/b", "a"), ("a", "../../etc/passwd"), ("a", "b/c")])
def test_names_that_would_leave_the_layout_are_refused(source: str, camera: str):
    with pytest.raises(InvalidIdentifierError):
        picture_key(source, SLOT, camera)


def test_what_was_created_is_read_back(store: LocalStore):
    assert store.create(KEY, b"picture", META)
    found = store.read(KEY)
    assert found is not None
    assert (found.key, found.data, found.meta) == (KEY, b"picture", META)
    assert found.sha256 == hashlib.sha256(b"picture").hexdigest()
    assert found.uri == store.uri(KEY) == (store.root / KEY).as_uri()
    assert store.exists(KEY)


def test_the_first_writer_wins_and_the_other_is_told(store: LocalStore):
    later = META.model_copy(update={"fetched_at": META.fetched_at + timedelta(hours=1)})
    assert store.create(KEY, b"first", META)
    assert not store.create(KEY, b"second", later)
    assert not store.create(KEY, b"first", later)
    found = store.read(KEY)
    assert found is not None
    assert (found.data, found.meta) == (b"first", META)


def test_of_threads_exactly_one_wins_and_the_record_is_the_winners(store: LocalStore):
    racers = 8
    for turn in range(20):
        key, barrier = f"A/20200501/0050/c{turn}.jpg", threading.Barrier(racers)

        def race(me: int, key: str = key, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait(30)
            return store.create(key, bytes([me]) * 1000, META.model_copy(update={"etag": f'"{me}"'}))

        with ThreadPoolExecutor(racers) as pool:
            won = list(pool.map(race, range(racers)))
        assert won.count(True) == 1
        found = store.read(key)
        assert found is not None
        assert found.meta is not None
        assert (found.data, found.meta.etag) == (bytes([won.index(True)]) * 1000, f'"{won.index(True)}"')
    assert len(list(store.keys("A"))) == 20


def test_of_processes_exactly_one_wins_and_the_record_is_the_winners(store: LocalStore):
    won = run_script("tests.racers", "store", store.root, 6)
    assert won.count(True) == 1
    found = store.read("Race/20260616/0700/c1.jpg")
    assert found is not None
    assert found.meta is not None
    assert found.data == f"picture {won.index(True)}".encode() * 5000
    assert found.meta.fetched_at.second == won.index(True)


def test_a_record_that_was_left_alone_does_not_get_another_pictures(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    """A run that is killed between the record and the picture leaves the record; another picture may win later."""
    real, calls = os.link, []

    def dies_at_the_picture(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(os, "link", dies_at_the_picture)
    with pytest.raises(KeyboardInterrupt):
        store.create(KEY, b"never there", META)
    monkeypatch.undo()
    assert not store.exists(KEY)
    other = META.model_copy(update={"etag": '"v2"'})
    assert store.create(KEY, b"another", other)
    found = store.read(KEY)
    assert found is not None
    assert (found.data, found.meta) == (b"another", other)
    assert list(store.keys("TfL-images")) == [KEY]


def test_a_picture_of_somebody_else_has_no_record(store: LocalStore):
    """A bucket that chrono_lens filled can be read as it is."""
    for camera in ("00001.01251", "00001.01252"):
        path = store.root / "TfL-images" / "20200501" / "0050" / f"{camera}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(camera.encode())
    found = store.read(picture_key("TfL-images", SLOT, "00001.01252"))
    assert found is not None
    assert (found.data, found.meta) == (b"00001.01252", None)
    assert list(store.keys("TfL-images/20200501")) == [KEY, KEY.replace("01251", "01252")]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"fetched_at": "2020-05-01T00:50:00"}', b'{"etag": "x"}'])
def test_a_broken_record_is_none(store: LocalStore, broken: bytes):
    store.create(KEY, b"picture", META)
    (record,) = (store.root / KEY).parent.joinpath(".meta").iterdir()
    record.write_bytes(broken)
    found = store.read(KEY)
    assert found is not None
    assert (found.data, found.meta) == (b"picture", None)


def test_times_without_a_zone_are_refused():
    with pytest.raises(ValidationError):
        PictureMeta(fetched_at=SLOT.start.replace(tzinfo=None))


def test_what_is_not_there_is_not_there(store: LocalStore):
    assert store.read(KEY) is None
    assert not store.exists(KEY)
    assert not store.delete(KEY)
    assert list(store.keys("TfL-images")) == []
    store.create(KEY, b"picture", META)
    assert list(store.keys(KEY)) == []


keys = st.lists(st.sampled_from(["a", "a-b", "a.b", "b", "0", "B"]), min_size=2, max_size=4).map("/".join)


@hypothesis.settings(max_examples=25)
@given(st.sets(keys, max_size=8))
@example({"s/a/z.jpg", "s/a-b/c.jpg", "s/a.jpg"})
def test_keys_are_listed_in_the_order_of_their_texts(tmp_path_factory: pytest.TempPathFactory, chosen: set[str]):
    store = LocalStore(tmp_path_factory.mktemp("store"))
    stored = {f"s/{key}.jpg" for key in chosen}
    for key in stored:
        store.create(key, b"x", META)
    assert list(store.keys("s")) == sorted(stored)


def test_neither_records_nor_unfinished_files_are_listed(store: LocalStore):
    store.create(KEY, b"picture", META)
    folder = (store.root / KEY).parent
    (folder / f"{TEMPORARY}0123").write_bytes(b"half a pict")
    (store.root / "TfL-images" / ".hidden").mkdir()
    (store.root / "TfL-images" / ".hidden" / "x.jpg").write_bytes(b"x")
    assert list(store.keys("TfL-images")) == [KEY]


def test_a_deleted_picture_takes_its_record_along_and_may_come_again(store: LocalStore):
    other = KEY.replace("01251", "01252")
    store.create(KEY, b"picture", META)
    store.create(other, b"picture", META)
    assert store.delete(KEY)
    assert not store.delete(KEY)
    assert [name for name in files(store.root) if "01251" in name] == []
    assert list(store.keys("TfL-images")) == [other]
    later = META.model_copy(update={"etag": '"later"'})
    assert store.create(KEY, b"picture", later)
    again = store.read(KEY)
    assert again is not None
    assert again.meta == later


BAD_KEYS = ["", "/", "/etc/passwd", "..", "../x.jpg", "a/../../x.jpg", "a/..", "a//b.jpg", "a/", "./a", "a/./b", "a\\b",
            "a\0b", ".meta/x.json", "a/.meta/x.json", ".new-1", "~/../x"]  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_leave_the_store_are_refused_everywhere(store: LocalStore, key: str):
    uses = (store.read, store.exists, store.delete, store.uri, lambda k: list(store.keys(k)))
    for use in (*uses, lambda k: store.create(k, b"x", META)):
        with pytest.raises(StoreError, match="key"):
            use(key)
    assert not store.root.exists()


@given(st.text(st.sampled_from("ab./\\~\0 é") | st.characters(exclude_categories=["Cs"]), max_size=16))
def test_a_key_names_a_place_below_the_root_or_nothing(key: str):
    store = LocalStore(Path("/nowhere/root"))
    try:
        uri = store.uri(key)
    except StoreError:
        return
    assert uri.startswith("file:///nowhere/root/")
    path = store._path(key)
    assert os.path.normpath(path) == str(path)
    assert path.parts[:3] == ("/", "nowhere", "root")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int):
    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFullError, match=r"no space left to write .*free some"):
        store.create(KEY, b"picture", META)
    assert files(store.root) == []
    monkeypatch.undo()
    assert store.create(KEY, b"picture", META)


def test_another_failure_of_the_disk_is_a_store_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="Input/output error") as caught:
        store.create(KEY, b"picture", META)
    assert not isinstance(caught.value, StoreFullError)


def test_a_folder_in_a_pictures_place_is_a_store_error(store: LocalStore):
    (store.root / KEY).mkdir(parents=True)
    assert not store.exists(KEY)
    for use in (store.read, store.delete):
        with pytest.raises(StoreError, match="cannot write or read"):
            use(KEY)


def test_a_file_in_a_folders_place_is_a_store_error(store: LocalStore):
    store.root.mkdir()
    (store.root / "TfL-images").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write or read"):
        store.create(KEY, b"picture", META)
    assert list(store.keys("TfL-images/20200501")) == []


def test_a_folder_that_cannot_be_listed_is_a_store_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    def denied(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    store.create(KEY, b"picture", META)
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(StoreError, match="Permission denied"):
        list(store.keys("TfL-images"))


def test_pictures_may_be_read_by_whoever_may_read_a_new_file(store: LocalStore):
    before = os.umask(0o027)
    try:
        store.create(KEY, b"picture", META)
    finally:
        os.umask(before)
    assert (store.root / KEY).stat().st_mode & 0o777 == 0o640
