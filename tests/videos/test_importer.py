"""An import stage by stage: what is done is not done twice, what fails is a row, and who comes late finds his place."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.photos.inbox import files as bytes_below
from tests.videos.imports import decoded, do, files, importer, name, put, rows
from tests.videos.labelling import label

from wayside.core.errors import ConfigError, StoreError, StoreUnavailableError, VideoError
from wayside.core.tables import LABELS, VIDEO_EVENTS
from wayside.media.motion import MotionOptions
from wayside.videos import process
from wayside.videos.bookmarks import BookmarkEvent, BookmarkImage, BookmarkLabel, Bookmarks, read_bookmarks
from wayside.videos.bookmarks.tables import import_bookmarks
from wayside.videos.importer import has_job, load_job
from wayside.videos.labellers.base import EventPictures, LabelFailure, Labelled, LabelOf
from wayside.videos.shelf import Shelf
from wayside.warehouse.scope import Scope

__all__ = ["decoded"]


def some(root: Path, number: int = 3) -> None:
    for one in range(number):
        put(root, name(one), one)


def refuse(event: EventPictures) -> LabelFailure:
    return LabelFailure(event.event, "refused", "400")


def yes(event: EventPictures) -> Labelled:
    said = label(event, refuse=False)
    assert isinstance(said, Labelled)
    return said


def test_tables_say_what_was_found(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work, yes)
    (segment,), (event,) = rows(work, "segments"), rows(work, "video_events")
    assert (segment["codec"], segment["width"], segment["height"], segment["audio"]) == ("h264", 128, 96, False)
    assert segment["duration_s"] == pytest.approx(3.0)
    assert (segment["end_at"] - segment["start_at"]).total_seconds() == pytest.approx(3.0)
    assert event["segment"] == segment["segment"]
    assert event["event"] == f"{segment['segment'][:16]}-{round(event['start_s'] * 1000)}"
    assert (event["state"], event["labeller"], json.loads(event["colours"])) == ("labelled", "test:bytes", ["red"])
    assert segment["start_at"] < event["start_at"] < event["cover_at"] < event["end_at"] <= segment["end_at"]
    assert (work.shelf.covers / event["cover"]).read_bytes()[:3] == b"\xff\xd8\xff"
    labels = rows(work, "labels")
    assert {row["event"] for row in labels} == {event["event"]}
    assert len({row["image_at"] for row in labels}) == 5
    assert [row["camera"] for row in rows(work, "cameras")] == ["BOW"]


def test_a_second_run_has_nothing_to_do_and_changes_no_file(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path)
    do(importer(tmp_path))
    before = bytes_below(tmp_path / "state" / "warehouse" / "published" / "video_events")
    work = importer(tmp_path)
    assert {one.outcome for one in do(work)} == {"known"}
    assert bytes_below(tmp_path / "state" / "warehouse" / "published" / "video_events") == before
    assert set(decoded.values()) == {1}
    assert importer(tmp_path, "run-2").plan() == []


def test_pictures_have_the_size_that_hook_data_say(tmp_path: Path):
    put(tmp_path, name(1), 1)
    put(tmp_path, name(2, "DECK"), 2)
    hook_data = '{"img_y_size_cover": 48, "cameras": {"DECK": {"img_x_size": 32}}, "access_token": "s3cret"}'
    work = importer(tmp_path, hook_data=hook_data)
    work.scan()
    (shard,) = work.plan()
    list(work.process(shard))
    sizes = {
        (event.camera, picture.kind): (picture.width, picture.height)
        for event in work.to_label(shard)
        for picture in event.pictures
    }
    assert sizes == {
        ("BOW", "cover"): (64, 48),
        ("BOW", "sample"): (128, 96),
        ("DECK", "cover"): (64, 48),
        ("DECK", "sample"): (32, 24),
    }
    assert "s3cret" not in json.dumps(load_job(work.warehouse, "run-1").model_dump())
    assert has_job(work.warehouse, "run-1")
    assert not has_job(work.warehouse, "run-2")


def test_a_video_that_breaks_off_keeps_the_events_before_the_break(tmp_path: Path):
    path = put(tmp_path, name(1), 1)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.8)])
    work = importer(tmp_path)
    do(work)
    assert files(work) == {name(1): ("labelled", "broken_off")}
    assert len(rows(work, "video_events")) == 1


@pytest.mark.parametrize(("reason", "then"), [("damaged", "quarantined"), ("unreadable", "labelled")])
def test_a_video_that_fails_is_a_row_and_tried_again_where_that_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: Counter[str], reason: str, then: str
):
    some(tmp_path)
    found = process.motion_events

    def fails(frames: Any, options: Any) -> Any:
        if decoded[name(1)] == 1 and sum(decoded.values()) == 2:
            raise VideoError(reason, "nothing of it can be read")
        return found(frames, options)

    monkeypatch.setattr(process, "motion_events", fails)
    work = importer(tmp_path)
    work.settings = work.settings.model_copy(update={"workers": 1})
    assert [one.outcome for one in do(work)] == ["cut", "failed", "cut"]
    assert files(work)[name(1)] == ("quarantined", reason)
    monkeypatch.undo()
    again = importer(tmp_path, "run-2")
    do(again)
    assert files(again)[name(1)][0] == then


def test_files_that_change_or_go_after_the_scan_are_done_by_the_next_run(tmp_path: Path):
    some(tmp_path)
    work = importer(tmp_path)
    work.scan()
    shards = work.plan()
    put(tmp_path, name(0), 70)
    (tmp_path / "in" / name(1)).unlink()
    done = {one.file: (one.outcome, one.reason) for shard in shards for one in work.process(shard)}
    assert done == {name(0): ("failed", "changed"), name(1): ("failed", "gone"), name(2): ("cut", None)}
    put(tmp_path, name(1), 1)
    work = importer(tmp_path, "run-2")
    do(work)
    assert set(files(work).values()) == {("labelled", None)}


def test_an_archive_that_is_lost_on_the_way_fails_the_shard(tmp_path: Path):
    some(tmp_path)
    work = importer(tmp_path)
    work.scan()
    (shard,) = work.plan()
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError):
        list(work.process(shard))
    assert json.loads(rows(work, "video_jobs")[0]["shards"])["0000"]["status"] == "failed"
    (tmp_path / "in").mkdir()  # mounted, but empty
    with pytest.raises(StoreUnavailableError, match="not one of 3 videos"):
        list(work.process(shard))
    (tmp_path / "in").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "in")
    assert [one.outcome for one in work.process(shard)] == ["cut"] * 3  # the task is tried again, or cleared
    do(work)
    assert rows(work, "video_jobs")[0]["status"] == "complete"


def test_two_at_once_decode_each_video_once(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path, 6)
    work = importer(tmp_path)
    work.scan()
    (shard,) = work.plan()
    outcomes: list[str] = []

    def run() -> None:
        outcomes.extend(one.outcome for one in importer(tmp_path).process(shard))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 6
    assert set(decoded.values()) == {1}
    assert Counter(outcomes) == {"cut": 6, "known": 6}


def test_a_run_that_was_stopped_is_taken_over_by_the_next(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path, 4)
    stopped = importer(tmp_path)
    stopped.scan()
    (shard,) = stopped.plan()
    part = stopped.process(shard, workers=1)
    next(part)
    part.close()
    work = importer(tmp_path, "run-2")
    do(work)
    assert {one.outcome for one in stopped.process(shard)} == {"known"}
    assert set(decoded.values()) == {1}
    assert set(files(work).values()) == {("labelled", None)}
    assert stopped.publish() == {"labelled": 4}
    assert {row["run"]: row["status"] for row in rows(work, "video_jobs")} == {"run-1": "complete", "run-2": "complete"}


def test_a_failure_is_asked_again_by_the_next_run_only(tmp_path: Path):
    some(tmp_path)
    work = importer(tmp_path)
    do(work, refuse)
    assert {row["reason"] for row in rows(work, "video_events")} == {"refused"}
    asked: list[str] = []
    do(importer(tmp_path), lambda event: asked.append(event.event) or yes(event))  # type: ignore[func-returns-value]
    assert asked == []
    work = importer(tmp_path, "run-2")
    do(work, yes)
    assert {row["state"] for row in rows(work, "video_events")} == {"labelled"}


def test_late_and_repeated_answers(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    work.scan()
    (shard,) = work.plan()
    list(work.process(shard))
    (event,) = work.to_label(shard)
    assert work.publish() == {"processed": 1}
    assert rows(work, "video_events")[0]["state"] == "cut"
    work.labelled(event.event, yes(event))
    work.labelled(event.event, refuse(event))  # too late: there is an answer
    assert list(work.to_label(shard)) == []
    assert work.publish() == {"labelled": 1}
    said = rows(work, "labels")
    other = Labelled(event.event, "other", None, (LabelOf(event.pictures[0].at, "whale", 0.5),))
    importer(tmp_path, labeller="http:other").labelled(event.event, other)  # nobody asked that one
    for strange in ("0123456789abcdef-0", f"{event.event}/../../x", ""):
        work.labelled(strange, refuse(event))
    work.publish()
    assert rows(work, "labels") == said
    work.labelled(event.event, other)  # the last answer counts
    assert work.publish() == {"labelled": 1}
    assert [row["label"] for row in rows(work, "labels")] == ["whale"]


def test_another_labeller_labels_anew_without_decoding(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path)
    do(importer(tmp_path, labeller="none"))
    work = importer(tmp_path, "run-2")
    assert {row["state"] for row in rows(work, "video_events")} == {"cut"}
    do(work, yes)
    assert {row["labeller"] for row in rows(work, "video_events")} == {"test:bytes"}
    other = importer(tmp_path, "run-3", labeller="http:other")
    do(other, lambda event: Labelled(event.event, "other", "f" * 64, ()))
    assert {(row["state"], row["labeller"]) for row in rows(other, "video_events")} == {("labelled", "other")}
    assert rows(other, "labels") == []
    assert importer(tmp_path, "run-4", labeller="none").plan() == []  # which leaves labels as they are
    assert set(decoded.values()) == {1}


def test_pictures_that_were_removed_are_made_again_for_a_labeller(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path, 2)
    work = importer(tmp_path, labeller="none")
    do(work)
    for path in work.shelf.covers.rglob("*.jpg"):
        path.unlink()
    assert importer(tmp_path, "run-2", labeller="none").plan() == []
    do(importer(tmp_path, "run-3"), yes)
    assert set(decoded.values()) == {2}
    assert len(rows(work, "labels")) >= 10


def test_other_options_find_events_anew_and_drop_those_that_are_gone(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path, 2)
    work = importer(tmp_path)
    do(work, yes)
    before = {row["event"] for row in rows(work, "video_events")}
    padded = MotionOptions.model_validate({"pad_s": 0.1})
    work = importer(tmp_path, "run-2", motion=padded)
    do(work, yes)
    after = {row["event"] for row in rows(work, "video_events")}
    assert len(after) == len(before)
    assert not after & before
    assert {row["event"] for row in rows(work, "labels")} == after
    assert {path.name for path in work.shelf.covers.iterdir()} == after
    assert set(decoded.values()) == {2}


def test_redoing_is_taken_up_again_under_the_same_name(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path, 3)
    do(importer(tmp_path))
    redo = importer(tmp_path, "run-2", redo=True)
    redo.scan()
    (shard,) = redo.plan()
    part = redo.process(shard, workers=1)
    next(part)
    part.close()
    redo = importer(tmp_path, "run-2", redo=True)
    done = do(redo)
    assert len(done) == 3
    assert "known" in {one.outcome for one in done}
    assert set(decoded.values()) == {2}
    assert [item.outcome for item in do(importer(tmp_path, "run-2", redo=True))] == ["known"] * 3
    assert importer(tmp_path, "run-3").plan() == []
    assert set(decoded.values()) == {2}


def test_a_lost_ledger_costs_no_decoding(tmp_path: Path, decoded: Counter[str]):
    some(tmp_path)
    work = importer(tmp_path)
    do(work)
    before = {table: rows(work, table) for table in ("segments", "video_events", "labels", "video_files")}
    work.ledger.close()
    work.ledger.path.unlink()
    work = importer(tmp_path)
    do(work, lambda _event: pytest.fail("every event has its answer"))
    assert {table: rows(work, table) for table in before} == before
    assert set(decoded.values()) == {1}


def test_a_damaged_or_strange_ledger_is_told(tmp_path: Path):
    some(tmp_path)
    work = importer(tmp_path)
    work.scan()
    work.ledger.close()
    work.ledger.path.write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
    with pytest.raises(StoreError, match="move it away"):
        importer(tmp_path).scan()


def test_rows_of_imports_stay_and_events_of_ours_win(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work, yes)
    (event,) = rows(work, "video_events")
    mine = BookmarkEvent(event["event"], event["start_at"], event["end_at"])
    images = (
        BookmarkImage(event["start_at"], "BOW", "BOW", (BookmarkLabel("seal"),)),
        BookmarkImage(event["cover_at"], "BOW", "BOW", (BookmarkLabel("ray"),), mine),
    )
    # Imported before the video: as on another machine, to which its events were carried.
    scope = Scope("Boat", camera="BOW", hour=event["hour"])
    for table in (VIDEO_EVENTS, LABELS):
        work.warehouse.publish(table, scope, table.schema.empty_table())
    import_bookmarks(work.warehouse, "Boat", Bookmarks("job-7", None, None, images), "ann")
    assert {row["label"] for row in rows(work, "labels")} == {"seal", "ray"}
    do(importer(tmp_path, "run-2", redo=True), yes)
    after = rows(work, "video_events")
    assert len(after) == 2
    assert {row["segment"] for row in after} == {None, event["segment"]}
    labels = {row["label"] for row in rows(work, "labels")}
    assert "seal" in labels
    assert "ray" not in labels


def test_a_hook_takes_videos_and_labels_come_from_elsewhere(tmp_path: Path):
    some(tmp_path, 2)
    work = importer(tmp_path)
    work.scan()
    (shard,) = work.plan()
    list(work.process(shard))
    first, second = work.to_post(shard)
    assert (first.file, first.path.is_file(), first.camera) == (name(0), True, "BOW")
    work.labelled(first.sha256, Labelled(first.sha256, "hook:test.py", None, ()))
    work.labelled(second.sha256, LabelFailure(second.sha256, "hook_refused", "no room"))
    assert list(work.to_post(shard)) == []
    assert list(work.to_label(shard)) == []
    assert work.publish() == {"labelled": 2}
    states = {row["segment"]: (row["state"], row["reason"]) for row in rows(work, "video_events")}
    assert states == {first.sha256: ("cut", None), second.sha256: ("failed", "hook_refused")}
    again = importer(tmp_path, "run-2")
    again.scan()
    assert [video.file for shard in again.plan() for video in again.to_post(shard)] == [name(1)]


def test_exports_refuse_what_would_be_lost_and_write_the_rest(tmp_path: Path):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path, export=str(tmp_path / "out"), whitelist=("tuna", "boat"))
    do(work, yes)
    first = work.export()
    assert [one.format for one in first if one.uri] == ["v1", "v2", "csv", "xml"]
    assert files(work) == {name(1): ("exported", None)}
    kept = {
        label.name
        for image in read_bookmarks((tmp_path / "out" / "Boat-labels.v2.json").read_bytes()).images
        for label in image.labels
    }
    assert kept <= {"tuna", "boat"} < {row["label"] for row in rows(work, "labels")} | {"x"}
    put(tmp_path, name(1, "DECK"), 2)  # another camera at the same times
    work = importer(tmp_path, "run-2", export=str(tmp_path / "out"))
    do(work, yes)
    second = {one.format: one for one in work.export()}
    assert second["v1"].uri is None
    assert "DECK" in str(second["v1"].reason)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "Boat-labels.csv",
        "Boat-labels.v2.json",
        "Boat-labels.xml",
    ]
    assert set(files(work).values()) == {("exported", None)}
    assert importer(tmp_path, "run-3").export() == []
    (tmp_path / "out").rename(tmp_path / "unmounted")
    with pytest.raises(StoreUnavailableError, match="mount the share again"):
        work.export()


def test_jobs_that_cannot_be_are_refused(tmp_path: Path):
    (tmp_path / "in").mkdir()
    for changes, said in (
        ({"source": "hooks"}, "may not be called"),
        ({"export": str(tmp_path / "in" / "labels")}, "into the archive itself"),
        ({"formats": ("v1", "pdf")}, "formats"),
        ({"max_items": 0}, "max_items"),
        ({"pattern": "(?P<epoch>.*)"}, "camera"),
        ({"hook_data": "{"}, "hook data"),
        ({"zone": "Mars/North"}, "time zone"),
    ):
        with pytest.raises(ConfigError, match=said):
            importer(tmp_path, **changes)


def test_a_document_that_cannot_be_read_is_made_again(tmp_path: Path, decoded: Counter[str]):
    put(tmp_path, name(1), 1)
    work = importer(tmp_path)
    do(work)
    (path,) = (tmp_path / "state" / "videos" / "Boat" / "segments").rglob("*.json")
    path.write_text("{half")
    assert Shelf(tmp_path / "state", "Boat").events_before(path.stem) is None
    work.ledger.close()
    work.ledger.path.unlink()
    do(importer(tmp_path))
    assert decoded == {name(1): 2}
