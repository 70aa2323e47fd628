"""Bookmarks in the tables: imported once or often, exported with verdicts and filters."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from tests.videos.bookmarked import EVENT, EVERYTHING, NOON, SHA1, SHA256, bearing, bookmarks
from tests.videos.shared_data import SHARED, needs_shared

from wayside.core.errors import ConfigError
from wayside.core.tables import CAMERAS, EVENT_REVIEWS, LABELS, VIDEO_EVENTS, VIDEO_FILES, VIDEO_JOBS
from wayside.videos.bookmarks import (
    BookmarkEvent,
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    read_bookmarks,
    write_bookmarks,
)
from wayside.videos.bookmarks.edit import filtered, relocated, renamed
from wayside.videos.bookmarks.model import time_of
from wayside.videos.bookmarks.tables import IMPORTED, ImportResult, bookmarks_of, import_bookmarks
from wayside.videos.whitelist import Whitelist
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SOURCE = "boats"
HOUR = NOON.replace(minute=0)
TODAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake")


def take(lake: ParquetWarehouse, found: Bookmarks, who: str = "ann") -> ImportResult:
    return import_bookmarks(lake, SOURCE, found, who, lambda: TODAY)


def at(second: float, camera: str = "A", *names: str, **fields: Any) -> BookmarkImage:
    labels = tuple(BookmarkLabel(name) for name in names)
    return BookmarkImage(NOON + timedelta(seconds=second), camera, labels=labels, **fields)


def content(lake: ParquetWarehouse) -> dict[str, bytes]:
    root = lake.layout.root
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.parquet") if path.name[0] != "."}


def rows(lake: ParquetWarehouse, table: Any) -> list[dict[str, Any]]:
    return [row for scope in lake.scopes(table, [SOURCE]) for row in lake.read(table, scope).to_pylist()]


def cut_event(lake: ParquetWarehouse, event: str, labels: dict[float, list[str]], **fields: Any) -> None:
    """Publish an event as an import of videos does, beside those that are there."""
    where = {"source": SOURCE, "camera": "A", "hour": HOUR, "event": event}
    row = {
        **where,
        "segment": SHA256,
        "sha1": SHA1,
        "start_at": NOON,
        "end_at": NOON + timedelta(seconds=5),
        "score": 0.5,
        "cover_at": NOON + timedelta(seconds=1),
        "colours": "[]",
        "state": "labelled",
        "labeller": "onnx",
        "run": "run-1",
        **fields,
    }
    named = [
        {**where, "image_at": NOON + timedelta(seconds=second), "ordinal": ordinal, "label": name, "probability": 0.5,
         "x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4, "labeller": "onnx"}
        for second, names in labels.items() for ordinal, name in enumerate(names)
    ]  # fmt: skip
    for table, new in ((LABELS, named), (VIDEO_EVENTS, [row])):
        scope = Scope(SOURCE, camera="A", hour=HOUR)
        lake.publish(table, scope, to_arrow(table, [*lake.read(table, scope).to_pylist(), *new]))


def judge(lake: ParquetWarehouse, event: str, verdict: str, labels: list[str] | None = None) -> None:
    scope = Scope(SOURCE, camera="A", hour=HOUR)
    row = {"source": SOURCE, "camera": "A", "hour": HOUR, "event": event, "verdict": verdict, "author": "bob",
           "labels": None if labels is None else json.dumps(labels), "reviewed_at": TODAY}  # fmt: skip
    lake.publish(EVENT_REVIEWS, scope, to_arrow(EVENT_REVIEWS, [*lake.read(EVENT_REVIEWS, scope).to_pylist(), row]))


def named(found: Bookmarks) -> dict[float, list[str]]:
    """Return names of labels by second after noon."""
    return {(image.at - NOON).total_seconds(): [label.name for label in image.labels] for image in found.images}


def bare(found: Bookmarks) -> Bookmarks:
    """Return bookmarks without what an import adds: ids of events and of cameras."""
    return replace(found, images=tuple(replace(image, event=None, camera_id=None) for image in found.images))


# The file of the importer


@needs_shared
def test_the_file_of_the_importer_goes_round_through_the_tables(lake: ParquetWarehouse):
    found = read_bookmarks((SHARED / "bookmarks.json").read_bytes())
    done = take(lake, found)
    assert (done.images, done.labels, done.events, done.cameras) == (393, 5263 - 403, 18, ("C2_Hi",))
    out = bookmarks_of(lake, SOURCE)
    assert bare(out) == found
    assert write_bookmarks(out, "v1") == write_bookmarks(found, "v1")
    before = content(lake)
    assert take(lake, found, who="somebody else") == replace(done, cameras=(), changed=0)
    assert content(lake) == before


# Into the tables


def test_images_that_are_close_are_one_event(lake: ParquetWarehouse):
    images = (at(0, "A", "a"), at(9.999, "A"), at(19.998, "A", "b"), at(29.998, "A"), at(1, "B"))
    done = take(lake, Bookmarks("job", images=images))
    found = bookmarks_of(lake, SOURCE)
    events = {image.event for image in found.images}
    assert sorted((event.start - NOON, event.end - NOON) for event in events) == [
        (timedelta(0), timedelta(seconds=19.998)),
        (timedelta(seconds=1), timedelta(seconds=1)),
        (timedelta(seconds=29.998), timedelta(seconds=29.998)),
    ]
    assert (done.events, done.images, done.labels, done.kept) == (3, 5, 2, 0)
    assert bare(found).images == Bookmarks(images=images).images


def test_rows_lie_in_the_hour_in_which_their_event_begins(lake: ParquetWarehouse):
    take(lake, Bookmarks("job", images=(at(-1, "A", "a"), at(1, "A", "b"))))
    assert {row["hour"] for row in (*rows(lake, VIDEO_EVENTS), *rows(lake, LABELS))} == {HOUR - timedelta(hours=1)}
    assert len(bookmarks_of(lake, SOURCE, first=NOON).images) == 1


def test_an_import_says_what_it_knows_and_no_more(lake: ParquetWarehouse):
    take(lake, Bookmarks("job", images=(at(0, sha1=(SHA1,)), at(1, sha1=(SHA1, "4" * 40)), at(99, sha1=()))))
    first, second = sorted(rows(lake, VIDEO_EVENTS), key=lambda row: row["start_at"])
    assert (first["sha1"], first["segment"], first["score"], first["labeller"]) == (SHA1, None, 0.0, IMPORTED)
    assert second["sha1"] is None
    assert [image.sha1 for image in bookmarks_of(lake, SOURCE).images] == [(SHA1,), (SHA1, "4" * 40), ()]


def test_a_file_that_was_mended_takes_the_place_of_the_first(lake: ParquetWarehouse):
    take(lake, Bookmarks("job", images=(at(0, "A", "tuna"), at(50, "A", "shark"))))
    done = take(lake, Bookmarks("job", images=(at(0, "A", "cod", "cod"), at(50, "A", "shark"))))
    assert done.changed == 1
    assert named(bookmarks_of(lake, SOURCE)) == {0: ["cod", "cod"], 50: ["shark"]}


def test_another_job_is_beside_it(lake: ParquetWarehouse):
    for job, name in (("one", "tuna"), ("two", "cod")):
        take(lake, Bookmarks(job, images=(at(0, "A", name),)))
    found = bookmarks_of(lake, SOURCE)
    assert sorted(label.name for image in found.images for label in image.labels) == ["cod", "tuna"]
    assert found.job is None
    with pytest.raises(ConfigError, match="one image a moment"):
        write_bookmarks(found, "v1")


def test_a_job_is_written_down_with_who_imported_it(lake: ParquetWarehouse):
    done = take(lake, Bookmarks("job", NOON, None, (at(0, "A"),)))
    (row,) = rows(lake, VIDEO_JOBS)
    request = json.loads(row["request"])
    assert (row["run"], row["status"], row["planned_at"], row["shards"]) == (done.run, "complete", TODAY, "{}")
    assert (request["who"], request["imported"]["job_id"], request["cameras"]) == ("ann", "job", [{"name": "A"}])
    assert (bookmarks_of(lake, SOURCE).job, bookmarks_of(lake, SOURCE).earliest) == ("job", NOON)


def test_the_span_of_a_job_takes_in_all_images_and_the_file_keeps_its_own(lake: ParquetWarehouse):
    """In the file of the importer four images come after its latest date."""
    images = (at(-5, "A"), at(0, "A"), at(5, "A"))
    take(lake, Bookmarks("job", NOON, NOON + timedelta(seconds=1), images))
    (row,) = rows(lake, VIDEO_JOBS)
    request = json.loads(row["request"])
    span = {"first": time_of(request["earliest_date"]), "last": time_of(request["latest_date"])}
    assert len(bookmarks_of(lake, SOURCE, **span).images) == 3
    out = bookmarks_of(lake, SOURCE)
    assert (out.earliest, out.latest) == (NOON, NOON + timedelta(seconds=1))


def test_cameras_that_are_known_stay_as_they_are(lake: ParquetWarehouse):
    known = {"source": SOURCE, "camera": "A", "name": "Foredeck", "lat": 59.0, "lon": 10.0}
    lake.publish(CAMERAS, Scope(SOURCE), to_arrow(CAMERAS, [known]))
    assert take(lake, Bookmarks(images=(at(0, "A"), at(0, "B")))).cameras == ("B",)
    assert [(row["camera"], row["name"], row["lat"]) for row in rows(lake, CAMERAS)] == [
        ("A", "Foredeck", 59.0),
        ("B", "B", None),
    ]
    assert [image.camera for image in bookmarks_of(lake, SOURCE).images] == ["B", "Foredeck"]


def test_cameras_need_an_id(lake: ParquetWarehouse):
    found = Bookmarks(images=(at(0, "C2 Hi", "tuna"),))
    with pytest.raises(ConfigError, match="the camera 'C2 Hi' cannot keep its name as an id"):
        take(lake, found)
    assert content(lake) == {}
    take(lake, renamed(found, {"C2 Hi": "C2_Hi"}))
    (image,) = bookmarks_of(lake, SOURCE).images
    assert (image.camera, image.camera_id) == ("C2 Hi", "C2_Hi")
    with pytest.raises(ConfigError, match="no camera 'x'"):
        renamed(found, {"x": "y"})
    with pytest.raises(ConfigError, match="is not valid"):
        renamed(found, {"C2 Hi": "../x"})


def test_two_cameras_cannot_share_an_id_and_a_moment(lake: ParquetWarehouse):
    with pytest.raises(ConfigError, match="camera A has two images of"):
        take(lake, Bookmarks(images=(at(0, "north", camera_id="A"), at(0, "south", camera_id="A"))))
    with pytest.raises(ConfigError, match="event x is of two cameras"):
        take(lake, Bookmarks(images=(at(0, "A", event=BookmarkEvent("x", NOON, NOON)),
                                     at(0, "B", event=BookmarkEvent("x", NOON, NOON)))))  # fmt: skip


def test_everything_goes_round_through_the_tables(lake: ParquetWarehouse):
    take(lake, EVERYTHING)
    found = bookmarks_of(lake, SOURCE)
    expected = [replace(image, camera_id=image.camera_id or image.camera) for image in EVERYTHING.images]
    small = 0.30000000000000004  # boxes are kept in 32 bits
    assert [replace(image, event=None) for image in found.images] == [
        replace(image, event=None, labels=tuple(_with(label, small, 0.3) for label in image.labels))
        for image in expected
    ]
    assert [image.event for image in found.images[1:]] == [EVENT, EVENT]
    assert (found.job, found.earliest, found.latest) == ("job-7", EVERYTHING.earliest, EVERYTHING.latest)


def _with(label: BookmarkLabel, old: float, new: float) -> BookmarkLabel:
    if label.box is None:
        return label
    return replace(label, box=tuple(new if edge == old else edge for edge in label.box))


def test_ids_of_events_elsewhere_are_made_ours(lake: ParquetWarehouse):
    take(lake, Bookmarks("job", images=(at(0, "A", event=BookmarkEvent("their/event", NOON, NOON)),)))
    (image,) = bookmarks_of(lake, SOURCE).images
    assert image.event_id is not None
    assert len(image.event_id) == 18
    assert image.event_id.endswith("-0")


def test_events_that_were_cut_here_are_not_touched(lake: ParquetWarehouse):
    cut_event(
        lake, "ab" * 8 + "-1000", {1: ["tuna"]}, start_at=NOON + timedelta(hours=2), end_at=NOON + timedelta(hours=3)
    )
    out = bookmarks_of(lake, SOURCE)
    before = content(lake)
    changed = replace(out, images=tuple(replace(image, labels=()) for image in out.images))
    done = take(lake, changed)
    assert (done.kept, done.events) == (1, 0)
    assert content(lake).keys() - before.keys() == {
        path for path in content(lake) if path[:7] in {"cameras", "video_j"}
    }
    assert before.items() <= content(lake).items()


def test_an_import_stands_beside_what_was_cut(lake: ParquetWarehouse):
    cut_event(lake, "ab" * 8 + "-1000", {1: ["tuna"]})
    take(lake, Bookmarks(images=(at(2, "A", "cod"),)))
    assert named(bookmarks_of(lake, SOURCE)) == {1: ["tuna"], 2: ["cod"]}


@pytest.mark.parametrize("after", range(6))
def test_an_import_that_breaks_off_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int):
    found = Bookmarks("job", images=(at(0, "A", "tuna"), at(0, "B", "cod")))
    whole, broken = ParquetWarehouse(tmp_path / "whole"), ParquetWarehouse(tmp_path / "broken")
    take(whole, found)
    left, publish = iter(range(after)), broken.publish
    monkeypatch.setattr(broken, "publish", lambda *given: (next(left), publish(*given)))
    with pytest.raises(StopIteration):
        take(broken, found)
    monkeypatch.undo()
    assert take(broken, found).changed == 6 - after
    assert content(broken) == content(whole)


@settings(max_examples=20, deadline=None)
@given(bookmarks)
def test_any_bookmarks_are_imported_once_or_refused(tmp_path_factory: pytest.TempPathFactory, found: Bookmarks):
    lake = ParquetWarehouse(tmp_path_factory.mktemp("lake"))
    found = renamed(found, {image.camera: f"c{number}" for number, image in enumerate(found.images)})
    events = {(image.event, image.camera_id) for image in found.images if image.event}
    if len({event.id for event, _ in events}) < len(events):
        with pytest.raises(ConfigError, match="is of two cameras, or begins"):
            take(lake, found)
        return
    done = take(lake, found)
    out, before = bookmarks_of(lake, SOURCE), content(lake)
    assert (len(out.images), out.labels) == (done.images, done.labels) == (len(found.images), found.labels)
    assert {image.key[0] for image in out.images} == {image.key[0] for image in found.images}
    assert take(lake, found).changed == 0
    assert content(lake) == before


# Out of the tables


def test_what_was_cut_and_labelled(lake: ParquetWarehouse):
    cut_event(lake, "e-1", {1: ["tuna", "tuna"], 3: ["cod"]})
    file = {"source": SOURCE, "file": "trip/A-1.mp4", "status": "exported", "segment": SHA256, "run": "run-1",
            "updated_at": TODAY}  # fmt: skip
    alias = file | {"file": "copy.mp4", "status": "alias", "alias_of": "trip/A-1.mp4"}
    lake.publish(VIDEO_FILES, Scope(SOURCE), to_arrow(VIDEO_FILES, [file, alias]))
    first, second = bookmarks_of(lake, SOURCE).images
    label = BookmarkLabel("tuna", 0.5, (0.1, 0.2, 0.3, 0.4))
    event = BookmarkEvent("e-1", NOON, NOON + timedelta(seconds=5))
    assert first == BookmarkImage(
        NOON + timedelta(seconds=1), "A", "A", (label, label), event, "trip/A-1.mp4", SHA256, (SHA1,)
    )
    assert [one.name for one in second.labels] == ["cod"]
    assert bookmarks_of(lake, SOURCE).job == "run-1"


def test_an_event_without_labels_is_its_cover(lake: ParquetWarehouse):
    cut_event(lake, "e-1", {})
    cut_event(lake, "e-2", {}, cover_at=None, start_at=NOON + timedelta(seconds=2))
    assert named(bookmarks_of(lake, SOURCE)) == {1: [], 2: []}


def test_verdicts_count(lake: ParquetWarehouse):
    cut_event(lake, "e-1", {1: ["tuna"]})
    cut_event(lake, "e-2", {2: ["cod", "tuna"], 3: ["cod"]})
    cut_event(lake, "e-3", {4: ["shark"]})
    judge(lake, "e-1", "rejected")
    judge(lake, "e-2", "relabelled", ["marlin", "cod"])
    judge(lake, "e-3", "accepted")
    found = bookmarks_of(lake, SOURCE)
    assert named(found) == {2: ["marlin", "cod"], 3: ["marlin", "cod"], 4: ["shark"]}
    assert [label.probability for label in found.images[0].labels] == [None, 0.5]
    assert named(bookmarks_of(lake, SOURCE, verdicts=False)) == {
        1: ["tuna"],
        2: ["cod", "tuna"],
        3: ["cod"],
        4: ["shark"],
    }


def test_filters(lake: ParquetWarehouse):
    images = (at(0, "A", "tuna", "human"), at(60, "B", "human"), at(7200, "A", "tuna"))
    take(lake, Bookmarks("job", images=images))
    assert list(named(bookmarks_of(lake, SOURCE, cameras=["A"]))) == [0, 7200]
    assert list(named(bookmarks_of(lake, SOURCE, cameras=[]))) == []
    assert list(named(bookmarks_of(lake, SOURCE))) == [0, 60, 7200]
    early = bookmarks_of(lake, SOURCE, first=NOON, last=NOON + timedelta(seconds=60))
    assert list(named(early)) == [0]
    assert (early.earliest, early.latest) == (NOON, NOON + timedelta(seconds=60))
    assert list(named(bookmarks_of(lake, SOURCE, first=NOON + timedelta(seconds=1)))) == [60, 7200]
    assert named(bookmarks_of(lake, SOURCE, whitelist=["tuna"])) == {0: ["tuna"], 7200: ["tuna"]}
    assert named(bookmarks_of(lake, SOURCE, whitelist=Whitelist(("human",)))) == {0: ["human"], 60: ["human"]}
    assert bookmarks_of(lake, "nobody").images == ()


def test_a_table_may_hold_what_no_format_carries(lake: ParquetWarehouse):
    cut_event(lake, "e-1", {1: ["tu\x00na"]})
    (image,) = bookmarks_of(lake, SOURCE).images
    assert image.labels[0].name == "tu\ufffdna"


# Changes to all of them


def test_a_whitelist_drops_images_that_have_nothing_left():
    found = Bookmarks(images=(at(0, "A", "tuna", "human", sha1=(SHA1,)), at(1, "A", "human"), at(2, "A")))
    kept = filtered(found, Whitelist(("tuna",)))
    assert named(kept) == {0: ["tuna"]}
    assert kept.images[0].sha1 == (SHA1,)
    assert filtered(found, Whitelist()) == found


@needs_shared
def test_the_whitelist_of_the_importer_passes_every_image_of_its_file():
    found = read_bookmarks((SHARED / "bookmarks.json").read_bytes())
    wanted = Whitelist.parse((SHARED / "label_whitelist.json").read_text())
    kept = filtered(found, wanted)
    assert len(kept.images) == 393
    assert {label.name for image in kept.images for label in image.labels} == {"tuna", "_ml_human"}


def test_times_that_were_local_are_mended():
    """The file of the importer says 05:02:37 for 12:02:37: its machine was in California."""
    event = BookmarkEvent("e", NOON, NOON + timedelta(seconds=5))
    found = relocated(Bookmarks("job", NOON, NOON, (replace(bearing("tuna"), event=event),)), "America/Los_Angeles")
    seven = timedelta(hours=7)
    assert (found.earliest, found.latest) == (NOON + seven, NOON + seven)
    assert found.images[0].at == NOON + seven
    assert found.images[0].event == BookmarkEvent("e", NOON + seven, NOON + seven + timedelta(seconds=5))
    with pytest.raises(ConfigError, match="no time zone"):
        relocated(found, "Mars")


@needs_shared
def test_the_file_of_the_importer_can_be_mended():
    found = relocated(read_bookmarks((SHARED / "bookmarks.json").read_bytes()), "America/Los_Angeles")
    assert found.earliest == datetime(2016, 10, 9, 12, 2, 37, tzinfo=UTC)
    assert len(found.images) == 393


def test_a_file_that_two_archives_take_is_two_jobs(lake: ParquetWarehouse):
    found = Bookmarks("job", images=(at(0, "A", "tuna"),))
    runs = {source: import_bookmarks(lake, source, found, "ann").run for source in ("Trip1", "Trip2")}
    assert len(set(runs.values())) == 2
    assert import_bookmarks(lake, "Trip1", found, "ann").run == runs["Trip1"]
