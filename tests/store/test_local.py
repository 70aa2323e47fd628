"""The folder of pictures: created once, by one, whole; and nothing outside of it."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.processes import run_script

from wayside.core.errors import InvalidIdentifierError, StoreError, StoreFullError
from wayside.core.slots import Slot
from wayside.store import LocalStore, PictureMeta, picture_key
from wayside.store.files import TEMPORARY

SLOT = Slot.parse("20200501T0050Z")
KEY = "TfL-images/20200501/0050/00001.01251.jpg"
SHA = hashlib.sha256(b"faulty").hexdigest()
META = PictureMeta(fetched_at=datetime(2020, 5, 1, 0, 50, 20, tzinfo=UTC), http_status=200, etag='"v1"')
BETTER = META.model_copy(update={"etag": '"better"'})


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "pictures")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def folders(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_dir() and path.name != ".meta"
    )


def test_the_layout_is_that_of_a_chrono_lens_bucket():
    assert picture_key("TfL-images", SLOT, "00001.01251") == KEY
    assert picture_key("NETravelData-images", SLOT.previous, "CM_A69A1-View_02") == (
        "NETravelData-images/20200501/0040/CM_A69A1-View_02.jpg"
    )


@pytest.mark.parametrize(("source", "camera"), [("../x", "a"), ("a/b", "a"), ("a", "../../etc/passwd"), ("a", "b/c")])
def test_names_that_would_leave_the_layout_are_refused(source: str, camera: str):
    with pytest.raises(InvalidIdentifierError):
        picture_key(source, SLOT, camera)


def test_of_processes_exactly_one_wins_and_the_record_is_the_winners(store: LocalStore):
    won = run_script("tests.racers", "store", store.root, 6)
    assert won.count(True) == 1
    found = store.read("Race/20260616/0700/c1.jpg")
    assert found is not None
    assert found.meta is not None
    assert found.data == f"picture {won.index(True)}".encode() * 5000
    assert found.meta.fetched_at.second == won.index(True)


def test_of_processes_that_replace_exactly_one_wins(store: LocalStore):
    key = "Race/20260616/0700/c1.jpg"
    store.create(key, b"faulty", META)
    won = run_script("tests.racers", "replace", store.root, 6)
    assert won.count(True) == 1
    found = store.read(key)
    assert found is not None
    assert found.meta is not None
    assert found.data == f"picture {won.index(True)}".encode() * 5000
    assert found.meta.fetched_at.second == won.index(True)
    assert len(files(store.root / "Race")) == 2


@pytest.mark.parametrize("step", range(4))
def test_a_replacer_that_is_killed_leaves_one_of_the_two_pictures_with_its_record(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, step: int
):
    """The steps: the record, the picture, the old record; in the last turn nothing dies."""
    steps = []

    def dies(real: Callable[..., object]) -> Callable[..., object]:
        def killed(path: Path, *arguments: object, **options: object) -> object:
            if TEMPORARY not in path.name or real is renaming:
                steps.append(path)
                if len(steps) == step + 1:
                    raise KeyboardInterrupt
            return real(path, *arguments, **options)

        return killed

    renaming = Path.replace
    store.create(KEY, b"faulty", META)
    monkeypatch.setattr(Path, "replace", dies(Path.replace))
    monkeypatch.setattr(Path, "unlink", dies(Path.unlink))
    with pytest.raises(KeyboardInterrupt) if step < 3 else contextlib.nullcontext():
        store.replace(KEY, b"better", BETTER, SHA)
    monkeypatch.undo()
    found = store.read(KEY)
    assert found is not None
    assert (found.data, found.meta) == ((b"faulty", META) if step < 2 else (b"better", BETTER))
    assert store.replace(KEY, b"better", BETTER, SHA) is (step < 2)
    assert list(store.keys("TfL-images")) == [KEY]


def test_a_picture_of_somebody_else_can_be_replaced(store: LocalStore):
    (store.root / KEY).parent.mkdir(parents=True)
    (store.root / KEY).write_bytes(b"faulty")
    assert store.replace(KEY, b"better", BETTER, SHA)
    found = store.read(KEY)
    assert found is not None
    assert (found.data, found.meta) == (b"better", BETTER)


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


def test_the_last_picture_of_a_slot_and_of_a_day_takes_the_folder_along(store: LocalStore):
    first, last = KEY, KEY.replace("/0050/", "/0100/")
    store.create(first, b"picture", META)
    store.create(last, b"picture", META)
    assert store.delete_many([first]) == 1
    assert folders(store.root) == ["TfL-images", "TfL-images/20200501", "TfL-images/20200501/0100"]
    assert store.delete_many([last]) == 1
    assert folders(store.root) == ["TfL-images"]
    assert store.create(first, b"picture", META)


def test_a_folder_with_a_file_of_somebody_else_stays(store: LocalStore):
    for slot, foreign in enumerate(["note.txt", ".hidden", ".meta/note.txt"]):
        key = f"A/20200501/{slot:04}/c.jpg"
        store.create(key, b"picture", META)
        store.root.joinpath(key).parent.joinpath(foreign).write_bytes(b"mine")
        assert store.delete_many([key]) == 1
        assert store.root.joinpath(key).parent.joinpath(foreign).read_bytes() == b"mine"
    assert store.prune("A") == 0
    assert len(files(store.root / "A")) == 3


def test_what_killed_runs_left_goes_when_it_is_old_and_no_picture_is_there(store: LocalStore):
    other = KEY.replace("/0050/", "/0100/")
    for key in (KEY, other):
        store.create(key, b"picture", META)
        left = store.root.joinpath(key).parent
        for name in (f"{TEMPORARY}01", f".meta/{TEMPORARY}02", ".meta/00001.0123456789abcdef.json"):
            (left / name).write_bytes(b"left")
            os.utime(left / name, (0, 0))
        (left / f"{TEMPORARY}new").write_bytes(b"of a writer at work")
    store.delete(KEY)
    assert store.prune("TfL-images") == 0
    assert [name for name in files(store.root) if "/0050/" in name] == [f"TfL-images/20200501/0050/{TEMPORARY}new"]
    assert len([name for name in files(store.root) if "/0100/" in name]) == 6
    os.utime(store.root.joinpath(KEY).with_name(f"{TEMPORARY}new"), (0, 0))
    assert store.prune("TfL-images/20200501") == 1
    assert store.folders("TfL-images/20200501") == ["0100"]


def test_pruning_goes_up_to_the_folder_of_the_day(store: LocalStore):
    (store.root / "A" / "20200501" / "0050").mkdir(parents=True)
    (store.root / "A" / "20200502").mkdir()
    assert store.prune("A/20200501/0050") == 2
    assert folders(store.root) == ["A", "A/20200502"]
    assert store.prune("") == 1
    assert folders(store.root) == ["A"]


@pytest.mark.parametrize("linked", ["TfL-images", "TfL-images/20200501", "TfL-images/20200501/0050"])
def test_nothing_is_deleted_or_replaced_through_a_link_that_leads_out(store: LocalStore, tmp_path: Path, linked: str):
    outside = LocalStore(tmp_path / "outside")
    outside.create(KEY, b"faulty", META)
    before = files(outside.root)
    (store.root / linked).parent.mkdir(parents=True)
    (store.root / linked).symlink_to(outside.root / linked)
    assert store.exists(KEY)
    uses: list[Callable[[], object]] = [
        lambda: store.delete(KEY),
        lambda: store.delete_many([KEY]),
        lambda: store.replace(KEY, b"better", BETTER, SHA),
        lambda: store.prune(KEY.rpartition("/")[0]),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="outside of the store"):
            use()
    assert store.prune("") == 0
    assert files(outside.root) == before
    assert outside.read(KEY) is not None


def test_records_are_not_deleted_through_a_link_that_leads_out(store: LocalStore, tmp_path: Path):
    record = tmp_path / "outside" / f"00001.01251.{SHA[:16]}.json"
    record.parent.mkdir()
    record.write_bytes(b"mine")
    os.utime(record, (0, 0))
    (store.root / KEY).parent.mkdir(parents=True)
    (store.root / KEY).write_bytes(b"faulty")
    (store.root / KEY).with_name(".meta").symlink_to(record.parent)
    with pytest.raises(StoreError, match="outside of the store"):
        store.delete_many([KEY])
    (store.root / KEY).unlink()
    store.prune("TfL-images")
    assert record.read_bytes() == b"mine"


def test_a_link_in_a_pictures_place_goes_alone(store: LocalStore, tmp_path: Path):
    target = tmp_path / "mine.jpg"
    for use in (lambda: store.delete_many([KEY]), lambda: store.replace(KEY, b"better", BETTER, SHA)):
        target.write_bytes(b"faulty")
        (store.root / KEY).parent.mkdir(parents=True, exist_ok=True)
        (store.root / KEY).symlink_to(target)
        assert use()
        assert target.read_bytes() == b"faulty"


def test_creation_makes_a_folder_anew_that_is_removed_just_then(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    real, removed = Path.mkdir, []

    def made_and_removed(path: Path, *arguments: object, **options: object) -> None:
        real(path, *arguments, **options)
        if path.name == ".meta" and len(removed) < 3:
            path.rmdir()
            removed.append(path)

    monkeypatch.setattr(Path, "mkdir", made_and_removed)
    assert store.create(KEY, b"picture", META)
    assert len(removed) == 3


def test_a_folder_that_is_removed_each_time_is_a_store_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    with pytest.raises(StoreError, match="vanishes"):
        store.create(KEY, b"picture", META)


def test_a_picture_that_vanishes_while_it_is_listed_is_left_out(store: LocalStore):
    other = KEY.replace("01251", "01252")
    store.create(KEY, b"picture", META)
    store.create(other, b"picture", META)
    listed = store.entries("TfL-images")
    assert next(listed).key == KEY
    store.delete(other)
    assert list(listed) == []


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
