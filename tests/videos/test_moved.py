"""A run with other settings over an archive that was imported before: what moves, what stays, what is judged anew."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.videos.imports import decoded, do, files, importer, name, put, rows
from tests.videos.labelling import label

from wayside.videos.labellers.base import EventPictures, Labelled

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
