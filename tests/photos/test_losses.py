"""What must never be lost: originals, records and verdicts, whatever people and machines do beside a run."""

import errno
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.photos.inbox import NAMES, batch, files, fill_inbox, job, photo, run
from tests.photos.test_batch import by_photo, rows

from wayside.core.errors import StoreUnavailableError
from wayside.core.settings import Settings
from wayside.core.tables import RECEIPTS
from wayside.photos.batch import Batch
from wayside.photos.journal import Note
from wayside.photos.review import contact_sheet, tidy_hold, waiting
from wayside.privacy.receipts import verify_chain
from wayside.store.places import FolderPlace
from wayside.vision.decode import decode

REVIEW = {"review": {"enabled": True, "sample": 1.0}}


def do(work: Batch) -> list[Note]:
    return [note for shard in work.plan().shards for note in work.do(shard)]


class TestOriginals:
    """Of every original that was deleted there is one copy at least, at a place that was meant."""

    def test_another_picture_of_the_same_name_does_not_replace_an_archived_original(
        self, settings: Settings, tmp_path: Path
    ):
        first, second = photo(1), photo(2)
        for number, data in enumerate((first, second, first)):
            fill_inbox(tmp_path / "in", {"a/one.jpg": data})
            assert run(settings, job(tmp_path, f"run-{number}", archive=True, delete_input=True)) == {"done": 1}
        archived = {name: data for name, data in files(tmp_path / "arc").items() if name.endswith(".jpg")}
        assert archived["a/one.jpg"] == first
        assert sorted(archived.values()) == sorted([first, first, second])
        assert files(tmp_path / "in") == {}

    def test_a_verdict_does_not_replace_an_archived_original(self, settings: Settings, tmp_path: Path):
        first, second = photo(1), photo(2)
        for number, data in enumerate((first, second)):
            fill_inbox(tmp_path / "in", {"one.jpg": data})
            work = batch(settings, job(tmp_path, f"run-{number}", archive=True, delete_input=True, **REVIEW))
            work.release(do(work), reviewer="ada")
            assert work.publish() == {"done": 1}
        assert {first, second} <= set(files(tmp_path / "arc").values())

    @pytest.mark.parametrize("lost", ["arc", "out"])
    def test_a_share_that_was_lost_is_not_made_anew(self, settings: Settings, tmp_path: Path, lost: str):
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
        run(settings, job(tmp_path, archive=True, delete_input=True))
        (tmp_path / lost).rename(tmp_path / "unmounted")
        fill_inbox(tmp_path / "in", {"two.jpg": photo(2)})
        work = batch(settings, job(tmp_path, "run-2", archive=True, delete_input=True))
        with pytest.raises(StoreUnavailableError, match=f"{lost} is not there"):
            do(work)
        assert set(files(tmp_path / "in")) == {"two.jpg"}
        assert not (tmp_path / lost).exists()
        (tmp_path / lost).mkdir()
        do(work)
        assert files(tmp_path / "in") == {}, "whoever makes the folder wants it"

    def test_a_mount_point_that_a_share_left_is_not_written_to(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
        (tmp_path / "arc").mkdir()
        work = batch(settings, job(tmp_path, archive=True, delete_input=True))
        (shard,) = work.plan().shards
        assert work.places.archive is not None
        assert work.places.archive.reachable()
        stat = Path.stat

        def unmounted(self: Path, **options: Any) -> Any:
            told = stat(self, **options)
            return SimpleNamespace(st_dev=told.st_dev + 1, st_mode=told.st_mode) if self.name == "arc" else told

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "stat", unmounted)
            with pytest.raises(StoreUnavailableError, match="arc is not there"):
                list(work.do(shard))
        assert files(tmp_path / "arc") == {}
        assert set(files(tmp_path / "in")) == {"one.jpg"}

    def test_a_link_is_not_deleted_as_if_it_were_the_original(self, settings: Settings, tmp_path: Path):
        (tmp_path / "real.jpg").write_bytes(photo(1))
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "one.jpg").symlink_to(tmp_path / "real.jpg")
        assert run(settings, job(tmp_path, archive=True, delete_input=True)) == {"failed": 1}
        assert (by_photo(settings)["one.jpg"]["reason"], rows(settings, RECEIPTS)) == ("link", [])
        assert (tmp_path / "in" / "one.jpg").exists()

    def test_halves_of_notes_do_not_stay_for_ever(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
        work = batch(settings, job(tmp_path))
        old, young = (work.journal.root / "0123456789abcdef" / f".new-{number:016x}" for number in range(2))
        for half in (old, young):
            half.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(b"{")
        os.utime(old, (0, 0))
        work.plan()
        assert (old.exists(), young.exists()) == (False, True)

    def test_files_of_others_are_not_taken_for_what_killed_writers_left(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {".new-arrivals.txt": b"theirs", "one.jpg": photo(1)})
        run(settings, job(tmp_path))
        assert (tmp_path / "in" / ".new-arrivals.txt").read_bytes() == b"theirs"


class TestPicturesThatGoAway:
    """A picture that is gone, or changed, while it is worked on stops no other, and takes no row along."""

    def test_gone_between_plan_and_work(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        work = batch(settings, job(tmp_path))
        (shard,) = work.plan().shards
        (tmp_path / "in" / NAMES[3]).unlink()
        list(work.do(shard))
        assert work.publish() == {"done": 3, "skipped": 1}
        assert by_photo(settings)[NAMES[3]]["reason"] == "gone"

    def test_a_share_that_holds_none_of_them_any_more_is_lost(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        work = batch(settings, job(tmp_path))
        (shard,) = work.plan().shards
        (tmp_path / "in").rename(tmp_path / "away")
        (tmp_path / "in").mkdir()
        with pytest.raises(StoreUnavailableError, match="not one of 4 pictures"):
            list(work.do(shard))
        (tmp_path / "in").rmdir()
        (tmp_path / "away").rename(tmp_path / "in")
        assert run(settings, work.job) == {"done": 4}

    def test_done_and_deleted_by_another_run(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        late = batch(settings, job(tmp_path, "run-2", archive=True, delete_input=True))
        (shard,) = late.plan().shards
        run(settings, job(tmp_path, archive=True, delete_input=True))
        before = rows(settings)
        list(late.do(shard))
        late.publish()
        assert rows(settings) == before
        assert {row["original"] for row in before} == {"deleted"}
        assert verify_chain(rows(settings, RECEIPTS)) == []

    def test_two_runs_that_come_to_one_picture_at_the_same_time(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
        one, other = (batch(settings, job(tmp_path, f"run-{name}", archive=True, delete_input=True)) for name in "ab")
        (shard,), (also,) = one.plan().shards, other.plan().shards
        meanwhile = threading.Thread(target=lambda: list(other.do(also)))
        find = one.finder.find

        def found(image: Any) -> Any:
            meanwhile.start()
            meanwhile.join(0.3)  # it is through by then, or waits for its turn
            return find(image)

        one.finder.find = found  # type: ignore[method-assign]
        list(one.do(shard))
        meanwhile.join()
        assert one.publish() == {"done": 1}
        assert [json.loads(row["receipt"])["original"]["fate"] for row in rows(settings, RECEIPTS)] == ["deleted"]
        assert by_photo(settings)["one.jpg"]["run"] == "run-a"

    def test_changed_right_before_it_would_be_deleted(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1), "two.jpg": photo(2)})
        whole = FolderPlace.save

        def changing(self: FolderPlace, key: str, data: bytes) -> None:
            whole(self, key, data)
            if (self.root.name, key) == ("out", "one.jpg"):
                (tmp_path / "in" / "one.jpg").write_bytes(photo(3))

        monkeypatch.setattr(FolderPlace, "save", changing)
        assert run(settings, job(tmp_path, archive=True, delete_input=True)) == {"done": 1, "failed": 1}
        assert files(tmp_path / "in") == {"one.jpg": photo(3)}
        assert by_photo(settings)["one.jpg"]["reason"] == "changed"
        monkeypatch.undo()
        assert run(settings, job(tmp_path, "run-2", archive=True, delete_input=True)) == {"done": 1}
        assert {photo(1), photo(3)} <= set(files(tmp_path / "arc").values())

    def test_an_interrupted_deletion_is_closed_although_its_files_went_on(self, settings: Settings, tmp_path: Path):
        work = self._interrupted(settings, tmp_path)
        (tmp_path / "in" / "one.jpg").unlink()
        (tmp_path / "out" / "one.jpg").unlink()  # somebody took it to where it is wanted
        do(work)
        assert work.publish() == {"done": 1}
        assert json.loads(rows(settings, RECEIPTS)[0]["receipt"])["original"]["fate"] == "deleted"
        assert list(work.journal.notes()) == []

    def test_an_interrupted_deletion_is_no_answer_to_a_run_with_other_places(self, settings: Settings, tmp_path: Path):
        self._interrupted(settings, tmp_path)
        other = job(tmp_path, "run-2", archive=True, delete_input=True).model_copy(
            update={"output": str(tmp_path / "out2")}
        )
        assert run(settings, other) == {"done": 1}
        assert "one.jpg" in files(tmp_path / "out2")
        assert files(tmp_path / "in") == {}

    def _interrupted(self, settings: Settings, tmp_path: Path) -> Batch:
        fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
        work = batch(settings, job(tmp_path, archive=True, delete_input=True))
        (shard,) = work.plan().shards

        def killed(_key: str) -> bool:
            raise KeyboardInterrupt

        work.places.input.remove = killed  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            list(work.do(shard))
        assert [note.state for note in work.journal.notes()] == ["written"]
        return batch(settings, work.job)


@pytest.mark.parametrize(
    ("name", "prepare", "reason"),
    [
        (f"{'x' * 251}.jpg", lambda _root: None, "file_name"),
        ("å" * 120 + ".jpg", lambda _root: None, None),
        ("one.jpg", lambda root: (root / "out" / "one.jpg").mkdir(parents=True), "file_name"),
        ("one.jpg", lambda root: (root / "out" / "one.json").mkdir(parents=True), "file_name"),
        ("a/one.jpg", lambda root: fill_inbox(root / "out", {"a": b"a file"}), "file_name"),
    ],
)
def test_a_name_or_file_that_cannot_be_is_a_row_and_stops_no_other(
    settings: Settings, tmp_path: Path, name: str, prepare: Callable[[Path], object], reason: str | None
):
    fill_inbox(tmp_path / "in", {name: photo(1), "two.jpg": photo(2)})
    prepare(tmp_path)
    counts = run(settings, job(tmp_path, previews=("output",), archive=True))
    found = by_photo(settings)
    assert found["two.jpg"]["status"] == "done"
    if reason is None:
        assert counts == {"done": 2}
    else:
        assert (counts, found[name]["reason"]) == ({"done": 1, "failed": 1}, reason)


def test_a_picture_that_may_not_be_read_is_a_row_and_stops_no_other(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill_inbox(tmp_path / "in", {"one.jpg": photo(1), "two.jpg": photo(2)})
    opened = Path.open

    def refusing(self: Path, *options: Any, **named: Any) -> object:
        if self == tmp_path / "in" / "one.jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *options, **named)

    monkeypatch.setattr(Path, "open", refusing)
    assert run(settings, job(tmp_path)) == {"done": 1, "failed": 1}
    assert by_photo(settings)["one.jpg"]["reason"] == "unreadable"


class TestNames:
    """Two pictures share no file, whichever came first."""

    def test_who_is_done_keeps_its_record(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {"x/one.jpg": photo(1)})
        run(settings, job(tmp_path))
        record = files(tmp_path / "out")["x/one.json"]
        fill_inbox(tmp_path / "in", {"x/one.jpeg": photo(2)})
        assert run(settings, job(tmp_path, "run-2")) == {"failed": 1}
        assert files(tmp_path / "out")["x/one.json"] == record

    def test_previews_in_a_folder_of_their_own(self, settings: Settings, tmp_path: Path):
        fill_inbox(tmp_path / "in", {f"{area}/tilSladding/2020/one.jpg": photo(1) for area in "ab"})
        write = {"separate_preview_folder": str(tmp_path / "pre"), "previews": ["separate"]}
        assert run(settings, job(tmp_path, write=write)) == {"done": 1, "failed": 1}
        assert by_photo(settings)["b/tilSladding/2020/one.jpg"]["reason"] == "name_clash"


class TestVerdicts:
    """Pictures that wait neither wait for ever, nor are they seen by nobody and published."""

    def held(self, settings: Settings, tmp_path: Path, name: str = "run-1", **changes: object) -> Batch:
        fill_inbox(tmp_path / "in")
        one = job(tmp_path, name, archive=True, **(REVIEW | changes))
        assert run(settings, one) == {"held": 4}
        return batch(settings, one)

    def test_what_waits_for_a_run_that_is_forgotten_is_done_again(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path)
        later = job(tmp_path, "run-2", archive=True, **REVIEW)
        assert run(settings, later) == {"held": 4}
        assert len(waiting(work.journal.notes(), "run-1")) == 4, "its run is known: somebody may still look"
        (work.warehouse.root / "staging" / "plans" / "photos-run-1-job.json").unlink()
        assert run(settings, later) == {"held": 4}
        assert len(waiting(work.journal.notes(), "run-2")) == 4

    def test_what_was_rejected_stays_so_until_something_changes(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path)
        notes = waiting(work.journal.notes(), "run-1")
        work.release(notes, reviewer="ada", rejected=[note.photo for note in notes])
        second = batch(settings, job(tmp_path, "run-2", archive=True, **REVIEW))
        assert {note.row["reason"] for note in do(second)} == {"rejected"}, "noted down, not published yet"
        assert second.publish() == {"failed": 4}
        third = job(tmp_path, "run-3", archive=True, **REVIEW)
        assert batch(settings, third).plan().to_do == 0
        (tmp_path / "in" / NAMES[0]).write_bytes(photo(9))
        assert batch(settings, third).plan().to_do == 1
        assert batch(settings, job(tmp_path, "run-4", archive=True, redo=True, **REVIEW)).plan().to_do == 4
        assert batch(settings, job(tmp_path, "run-5", archive=True, masking={"find": {"score": 0.1}})).plan().to_do == 4

    def test_a_picture_that_changed_stops_no_other(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path)
        (tmp_path / "in" / NAMES[3]).write_bytes(photo(8))
        (tmp_path / "in" / NAMES[2]).unlink()
        work.release(waiting(work.journal.notes(), "run-1"), reviewer="ada")
        assert work.publish() == {"done": 2, "failed": 2}
        assert {by_photo(settings)[name]["reason"] for name in NAMES[2:]} == {"changed"}
        assert not {NAMES[2], NAMES[3]} & set(files(tmp_path / "out"))
        assert files(work.places.hold.root) == {}

    def test_a_verdict_on_what_was_done_anew_meanwhile_is_none(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path)
        stale = waiting(work.journal.notes(), "run-1")
        run(settings, job(tmp_path, "run-2", archive=True, redo=True, **REVIEW))
        assert work.release(stale, reviewer="ada") == []
        assert not (tmp_path / "out").exists()
        assert len(waiting(work.journal.notes(), "run-2")) == 4

    def test_a_rejected_picture_is_thrown_away_before_that_is_noted_down(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path)
        notes = waiting(work.journal.notes(), "run-1")

        def killed(note: Note) -> None:
            raise KeyboardInterrupt(note.photo)

        work.journal.write = killed  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            work.release(notes[:1], reviewer="ada", rejected=[notes[0].photo])
        assert not any(notes[0].photo in name for name in files(work.places.hold.root))

    def test_the_hold_keeps_nothing_that_waits_no_more(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path, previews=("output",))
        kept = set(files(work.places.hold.root))
        assert tidy_hold(work.places, work.journal.notes(), datetime.now(UTC) + timedelta(days=1)) == 0
        run(settings, job(tmp_path, "run-2", archive=True, masking={"find": {"dilation": 9}}))
        assert set(files(work.places.hold.root)) == kept
        assert tidy_hold(work.places, work.journal.notes(), datetime.now(UTC) - timedelta(days=1)) == 0, "it is young"
        assert tidy_hold(work.places, work.journal.notes(), datetime.now(UTC) + timedelta(days=1)) == len(kept)
        assert files(work.places.hold.root) == {}

    def test_a_contact_sheet_shows_no_picture_in_which_road_users_were_left(self, settings: Settings, tmp_path: Path):
        work = self.held(settings, tmp_path, draw=False)
        image = decode(contact_sheet(waiting(work.journal.notes(), "run-1"), work.places)).image
        red = (image[..., 2] > 150) & (image[..., 1] < 90) & (image[..., 0] < 90)
        assert not red.any()
