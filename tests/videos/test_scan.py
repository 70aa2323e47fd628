"""Scanning: every file ends as one row, nothing is read twice, and a content belongs to the file that came first."""

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.videos.imports import NOW, decoded, do, files, importer, name, put, rows

from wayside.core.errors import StoreUnavailableError
from wayside.videos import scan as scanning
from wayside.videos.reviews import review

__all__ = ["decoded"]


def test_what_did_not_change_is_not_read_again(tmp_path: Path):
    for number in range(3):
        put(tmp_path, name(number), number)
    first = importer(tmp_path).scan()
    assert (first.files, first.read, first.contents, first.new) == (3, 3, 3, 3)
    again = importer(tmp_path, "run-2").scan()
    assert (again.read, again.bytes_read, again.contents, again.new) == (0, 0, 3, 0)
    put(tmp_path, name(1), 11)
    changed = importer(tmp_path, "run-3").scan()
    assert (changed.read, changed.new) == (1, 1)


def test_the_first_file_has_the_content_and_keeps_it(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(5), 1)
    put(tmp_path, name(6), 1)
    work = importer(tmp_path)
    do(work)
    assert files(work) == {name(5): ("labelled", None), name(6): ("alias", None)}
    put(tmp_path, name(2), 1)  # comes before the others in the order of names, but later
    work = importer(tmp_path, "run-2")
    do(work)
    assert files(work) == {name(2): ("alias", None), name(5): ("labelled", None), name(6): ("alias", None)}
    assert {row["alias_of"] for row in rows(work, "video_files")} == {None, name(5)}
    assert decoded == {name(5): 1}


def test_an_alias_takes_over_from_a_file_that_is_gone(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(5), 1)
    put(tmp_path, name(5, folder="b"), 1)
    do(importer(tmp_path))
    (tmp_path / "in" / name(5)).unlink()
    work = importer(tmp_path, "run-2")
    do(work)
    assert files(work) == {name(5, folder="b"): ("labelled", None)}
    assert [row["uri"] for row in rows(work, "segments")] == [str(tmp_path / "in" / name(5, folder="b"))]
    assert decoded == {name(5): 1}  # the same camera and time: the same events


def test_an_alias_of_another_camera_takes_its_events_along(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(5), 1)
    put(tmp_path, name(50, "DECK", "b"), 1)
    before = importer(tmp_path)
    do(before)
    assert {row["camera"] for row in rows(before, "video_events")} == {"BOW"}
    (tmp_path / "in" / name(5)).unlink()
    work = importer(tmp_path, "run-2")
    do(work)
    for table in ("segments", "video_events", "labels"):
        assert {(row["camera"], row["hour"].hour) for row in rows(work, table)} == {("DECK", 7)}
    assert decoded == {name(5): 1, name(50, "DECK", "b"): 1}


def test_files_that_are_gone_leave_a_row_only_where_it_stands_for_something(tmp_path: Path):
    for number in range(3):
        put(tmp_path, name(number), number)
    put(tmp_path, name(9), 2)
    (tmp_path / "in" / "a" / "note.txt").write_text("x")
    work = importer(tmp_path)
    do(work)
    put(tmp_path, name(4), 4)
    importer(tmp_path).scan()
    shutil.rmtree(tmp_path / "in" / "a")
    work = importer(tmp_path, "run-2")
    do(work)
    assert files(work) == {
        **{name(number): ("labelled", None) for number in range(3)},
        name(4): ("quarantined", "gone"),
    }
    assert len(rows(work, "segments")) == 3


def test_another_pattern_mends_names(tmp_path: Path):
    put(tmp_path, "a/1781588400_BOW.mp4", 1)
    work = importer(tmp_path)
    do(work)
    assert files(work) == {"a/1781588400_BOW.mp4": ("quarantined", "no_match")}
    work = importer(tmp_path, "run-2", pattern=r".*/(?P<epoch>\d+)_(?P<camera>\w+)\.mp4$")
    do(work)
    assert files(work) == {"a/1781588400_BOW.mp4": ("labelled", None)}


def test_another_suffix_moves_all_rows_to_the_other_camera(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work)
    (event,) = rows(work, "video_events")
    review(work.warehouse, "Boat", event["event"], "accepted", author="ann", at=NOW)
    work = importer(tmp_path, "run-2", suffix="-2026")
    do(work)
    assert rows(work, "event_reviews")[0]["verdict"] == "accepted"
    for table in ("segments", "video_events", "labels", "event_reviews"):
        assert {row["camera"] for row in rows(work, table)} == {"BOW-2026"}
    assert [row["camera"] for row in rows(work, "cameras")] == ["BOW-2026"]
    assert decoded == {name(1): 1}  # the same times: the same events


def test_an_archive_that_is_out_of_reach_changes_nothing(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work)
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError, match="mount the share again"):
        importer(tmp_path, "run-2").scan()
    assert work.ledger.files()[name(1)].present


def test_a_file_that_is_still_being_written_is_left_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = put(tmp_path, name(1), 1)
    hashes = scanning.hashes

    def grows(file: Any) -> Any:
        found = hashes(file)
        with path.open("ab") as stream:
            stream.write(b"more")
        return found

    monkeypatch.setattr(scanning, "hashes", grows)
    assert importer(tmp_path).scan().quarantined == {"changed": 1}
    monkeypatch.undo()
    assert importer(tmp_path, "run-2").scan().contents == 1


def test_one_file_that_cannot_be_read_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        put(tmp_path, name(number), number)
    work = importer(tmp_path)
    opened = work.place.open

    def bad_sector(key: str) -> Any:
        if key == name(1):
            raise StoreUnavailableError("Input/output error")
        return opened(key)

    monkeypatch.setattr(work.place, "open", bad_sector)
    scanned = work.scan()
    assert (scanned.contents, scanned.quarantined) == (2, {"unreadable": 1})
    assert importer(tmp_path, "run-2").scan().contents == 3


def test_limits_and_what_was_read_in_vain(tmp_path: Path):
    put(tmp_path, name(1), 1)
    (tmp_path / "in" / name(2)).write_bytes(b"no video at all")
    work = importer(tmp_path)
    work.settings = work.settings.model_copy(update={"max_video_seconds": 2.0})
    assert work.scan().quarantined == {"not_a_video": 1, "too_long": 1}
    again = importer(tmp_path, "run-2").scan()
    assert (again.read, again.quarantined) == (0, {"not_a_video": 1, "too_long": 1})
    redone = importer(tmp_path, "run-3", redo=True).scan()
    assert (redone.read, redone.quarantined) == (2, {"not_a_video": 1})
    work.settings = work.settings.model_copy(update={"max_video_bytes": 100})
    os.utime(tmp_path / "in" / name(1), (1, 1))
    assert work.scan().quarantined == {"not_a_video": 1, "too_many_bytes": 1}


def test_a_time_that_only_the_file_tells_is_remarked_on(tmp_path: Path):
    path = put(tmp_path, "a/BOW.mp4", 1)
    os.utime(path, (1_781_588_400, 1_781_588_400))
    work = importer(tmp_path, pattern=r".*/(?P<camera>\w+)\.mp4$")
    do(work)
    (row,) = rows(work, "video_files")
    assert (row["status"], row["reason"]) == ("labelled", None)
    assert row["start_at"].timestamp() == 1_781_588_400
    assert "changed last" in row["detail"]


def test_what_nobody_foresaw_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put(tmp_path, name(1), 1)
    put(tmp_path, name(2), 2)
    probe = scanning.probe

    def breaks(file: Any, limits: Any) -> Any:
        found = probe(file, limits)
        if file.name.endswith(name(2)):
            raise MemoryError
        return replace(found, audio=True)

    monkeypatch.setattr(scanning, "probe", breaks)
    assert importer(tmp_path).scan().quarantined == {"out_of_memory": 1}
    monkeypatch.undo()
    assert importer(tmp_path, "run-2").scan().quarantined == {}
