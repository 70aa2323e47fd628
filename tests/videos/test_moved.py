"""A run with other settings over an archive that was imported before: what moves, what stays, what is judged anew."""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.videos.imports import NOW, decoded, do, files, importer, name, put, rows
from tests.videos.labelling import label

from wayside.core.errors import ConfigError
from wayside.videos.labellers.base import EventPictures, LabelFailure, Labelled
from wayside.videos.reviews import review

__all__ = ["decoded"]

LOCAL = r".*/(?P<camera>\w+?)-%Y%m%dT%H%M%S\.mp4$"
NOBODY = r".*/(?P<camera>NOBODY)-(?P<epoch>\d+)\.mp4$"


def yes(event: EventPictures) -> Labelled:
    said = label(event, refuse=False)
    assert isinstance(said, Labelled)
    return said


def test_labels_go_along_to_another_time(tmp_path: Path):
    put(tmp_path, "a/BOW-20260616T054000.mp4", 1)
    work = importer(tmp_path, pattern=LOCAL)
    do(work, yes)
    before = rows(work, "labels")
    work = importer(tmp_path, "run-2", pattern=LOCAL, zone="Europe/Oslo")
    do(work, yes)
    (event,) = rows(work, "video_events")
    after = rows(work, "labels")
    assert [row["image_at"] for row in after] == [row["image_at"] - timedelta(hours=2) for row in before]
    assert {event["start_at"] <= row["image_at"] <= event["end_at"] for row in after} == {True}


def test_nobody_labels_and_the_labels_go_along_all_the_same(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work, yes)
    before = rows(work, "labels")
    work = importer(tmp_path, "run-2", suffix="_2", labeller="none")
    do(work)
    assert rows(work, "labels") == [row | {"camera": "BOW_2"} for row in before]
    assert rows(work, "video_events")[0]["state"] == "labelled"
    assert files(work) == {name(1): ("labelled", None)}
    asked = importer(tmp_path, "run-3", suffix="_2")
    do(asked, lambda _event: (_ for _ in ()).throw(AssertionError("it has its answer")))
    assert set(decoded.values()) == {1}


def test_a_name_that_no_pattern_matched_is_judged_again(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path, pattern=NOBODY)
    do(work)
    assert files(work) == {name(1): ("quarantined", "no_match")}
    work = importer(tmp_path, "run-2")
    do(work, yes)
    assert files(work) == {name(1): ("labelled", None)}
    events = rows(work, "video_events")
    work = importer(tmp_path, "run-3", pattern=NOBODY)  # by mistake: what was found stays
    do(work)
    assert files(work) == {name(1): ("quarantined", "no_match")}
    assert rows(work, "video_events") == events
    work = importer(tmp_path, "run-4")
    do(work)
    assert files(work) == {name(1): ("labelled", None)}
    assert set(decoded.values()) == {1}


def test_a_plan_in_fewer_shards_does_not_stop_a_task_of_the_plan_before(tmp_path: Path):
    for number in range(2):
        put(tmp_path, name(number), number)
    work = importer(tmp_path, max_items=1)
    work.scan()
    _, last = work.plan()
    importer(tmp_path, max_items=2).plan()
    assert [one.outcome for one in work.process(last)] == ["cut"]


def test_two_archives_have_no_run_of_one_name(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    work.scan()
    with pytest.raises(ConfigError, match="run-1 is one of the archive Boat"):
        importer(tmp_path, source="Other").scan()
    assert [shard.source for shard in work.plan()] == ["Boat"]


def test_the_address_of_a_label_service_is_told_to_nobody(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path, labeller="https://ann:pa55@labels.example/x?key=s3cret")
    do(work, lambda event: LabelFailure(event.event, "refused", "400"))
    assert rows(work, "video_events")[0]["labeller"] == "http:labels.example"
    kept = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert [path for path in kept if b"s3cret" in path.read_bytes() or b"pa55" in path.read_bytes()] == []


def test_a_video_in_place_of_another_takes_its_rows_away(tmp_path: Path, decoded: Counter[str]):
    half = put(tmp_path, name(1), 1)
    whole = half.read_bytes()
    half.write_bytes(whole[: int(len(whole) * 0.8)])  # somebody is copying still
    work = importer(tmp_path)
    do(work, yes)
    (old,) = rows(work, "video_events")
    review(work.warehouse, "Boat", old["event"], "accepted", author="ann", at=NOW)
    half.write_bytes(whole)
    work = importer(tmp_path, "run-2")
    do(work, yes)
    (new,) = rows(work, "video_events")
    assert (new["camera"], new["start_at"]) == (old["camera"], old["start_at"])
    assert {row["event"] for row in rows(work, "labels")} == {new["event"]}
    assert [row["segment"] for row in rows(work, "segments")] == [new["segment"]]
    assert [path.name for path in work.shelf.covers.iterdir()] == [new["event"]]
    assert files(work) == {name(1): ("labelled", None)}
    half.write_bytes(whole[: int(len(whole) * 0.8)])  # and back
    work = importer(tmp_path, "run-3")
    do(work, yes)
    assert [row["event"] for row in rows(work, "video_events")] == [old["event"]]
    assert [row["event"] for row in rows(work, "event_reviews")] == [old["event"]]
    assert (work.shelf.covers / old["cover"]).is_file()
    assert sum(decoded.values()) == 3


def test_a_name_that_comes_again_with_another_time_replaces_nothing(tmp_path: Path):
    clock = r".*/(?P<camera>\w+)\.mp4$"  # the time is the file's own
    for number, at in enumerate((1_780_000_000, 1_780_003_600)):
        os.utime(put(tmp_path, "a/BOW.mp4", number), (at, at))
        work = importer(tmp_path, f"run-{number}", pattern=clock)
        do(work, yes)
    assert len(rows(work, "video_events")) == 2
