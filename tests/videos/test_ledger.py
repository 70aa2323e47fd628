"""The ledger: a content moves on by guarded steps, so that of two that hold the same row only one goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import StoreError
from wayside.videos.ledger import Ledger
from wayside.videos.records import NEVER, Assigned, Content, FileRow, State

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
START = datetime(2026, 6, 16, 5, 40, 0, 250_000, tzinfo=UTC)
HASHES = ("a" * 64, "b" * 64)


@contextmanager
def ledger() -> Iterator[Ledger]:
    with TemporaryDirectory() as folder:
        made = Ledger(Path(folder), lambda: NOW)
        yield made
        made.close()


def file(path: str, sha256: str, *, camera: str = "BOW", start: datetime = START) -> FileRow:
    return FileRow(
        path, "7-1", 7, sha256, camera, start, "UTC", 60.5, None, None, None, "run-1", present=True, updated_at=NEVER
    )


def content(row: FileRow) -> Content:
    return Content(
        str(row.sha256), "c" * 40, 7, row.path, str(row.camera), row.start_at or NEVER, "UTC", 60.5, None,
        3.0, 8.0, False, None, 128, 96, 0, "h264", True,
    )  # fmt: skip


def seen(book: Ledger, *paths: str) -> list[Content]:
    """Register a content for each path, and close the scan."""
    rows = [file(path, HASHES[number]) for number, path in enumerate(paths)]
    book.register([(row, content(row)) for row in rows])
    book.settle([row.path for row in rows], "run-1")
    return book.contents()


def test_rows_come_back_as_they_were_written():
    with ledger() as book:
        row = file("ä/ø.mp4", HASHES[0])
        book.register([(row, content(row))])
        (kept,) = book.contents("seen")
        assert kept == Content(
            **{**{name: getattr(content(row), name) for name in Content.__slots__}, "updated_at": NOW}
        )
        assert book.file("ä/ø.mp4") == FileRow(
            **{**{name: getattr(row, name) for name in FileRow.__slots__}, "updated_at": NOW}
        )
        assert book.file("x") is None
        assert kept.audio is True
        assert kept.variable_fps is False
        assert kept.start_at == START
        assert kept.hour == datetime(2026, 6, 16, 5, tzinfo=UTC)
        assert book.content("a" * 16) == kept
        assert book.content("a" * 15 + "b") is None


def test_of_two_plans_that_hold_the_same_row_one_takes_it():
    with ledger() as book:
        (one,) = seen(book, "x.mp4")
        first = book.assign([Assigned(one, "planned", "cut", "label", "run-1", 0)])
        second = book.assign([Assigned(one, "planned", "cut", "label", "run-2", 3)])
        assert (len(first), len(second)) == (1, 0)
        (now,) = book.contents("planned")
        assert (now.job, now.shard, now.cut, now.labelling) == ("run-1", 0, "cut", "label")
        assert book.assign([Assigned(now, "planned", "cut", "label", "run-2", 3)])  # who looks again may take it over
        assert book.processed(now, 2, None, None)  # under the same settings what the first finds counts
        assert not book.processed(now, 5, None, None)
        assert not book.failed(now, "damaged", "", again=False)
        assert book.contents("processed")[0].events == 2


def test_what_was_found_under_other_settings_does_not_count():
    with ledger() as book:
        (one,) = seen(book, "x.mp4")
        book.assign([Assigned(one, "planned", "cut", "", "run-1", 0)])
        (old,) = book.contents()
        book.assign([Assigned(old, "planned", "other", "", "run-2", 0)])
        assert not book.processed(old, 2, None, None)
        (new,) = book.contents()
        assert new.state == "planned"
        assert book.processed(new, 3, "broken_off", "cut off")


def test_publication_counts_only_for_what_it_has_seen():
    with ledger() as book:
        (one,) = seen(book, "x.mp4")
        book.assign([Assigned(one, "planned", "cut", "label", "run-1", 0)])
        book.processed(book.contents()[0], 2, None, None)
        (read,) = book.unpublished()
        book.changed(read)  # an answer comes meanwhile
        assert book.published([(read, "labelled", 0)]) == 0
        (again,) = book.unpublished()
        assert again.state == "processed"
        assert book.published([(again, "labelled", 1)]) == 1
        assert book.unpublished() == []
        (labelled,) = book.contents("labelled")
        book.changed(labelled)
        assert book.exported([labelled]) == 0
        assert book.published([(book.unpublished()[0], "labelled", 0)]) == 1
        assert book.exported(book.contents("labelled")) == 1
        assert [one.state for one in book.contents()] == ["exported"]


def test_hours_have_the_contents_that_belong_there_or_lie_there():
    with ledger() as book:
        first, second = file("x.mp4", HASHES[0]), file("y.mp4", HASHES[1], start=START + timedelta(hours=1))
        book.register([(row, content(row)) for row in (first, second)])
        assert [one.first_file for one in book.of_hour("BOW", START.replace(minute=0, second=0, microsecond=0))] == [
            "x.mp4"
        ]
        (moved,) = [one for one in book.contents() if one.first_file == "y.mp4"]
        book.published([(moved, "seen", 0)])
        book.register([(file("y.mp4", HASHES[1], camera="AFT", start=moved.start_at), None)])
        book.settle(["x.mp4", "y.mp4"], "run-2")
        hour = moved.hour
        assert [one.camera for one in book.of_hour("BOW", hour)] == ["AFT"]  # its rows lie there still
        assert [one.camera for one in book.of_hour("AFT", hour)] == ["AFT"]
        assert book.without_files() == set()


def test_another_version_of_the_ledger_is_refused(tmp_path: Path):
    made = Ledger(tmp_path, lambda: NOW)
    with made._writing() as base:
        base.execute("PRAGMA user_version = 7")
    made.close()
    with pytest.raises(StoreError, match="another version"):
        Ledger(tmp_path, lambda: NOW)


_STEPS: tuple[tuple[str, set[State]], ...] = (
    ("processed", {"planned"}),
    ("failed", {"planned"}),
    ("published", {"processed"}),
    ("exported", {"labelled"}),
)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_no_step_is_taken_from_a_state_that_is_not_its_own(steps: list[tuple[int, bool]]):
    """Whatever is tried, with a row just read or with an old one, a step succeeds only from its own state."""
    with ledger() as book:
        (one,) = seen(book, "x.mp4")
        book.assign([Assigned(one, "planned", "cut", "", "run-1", 0)])
        held = book.contents()[0]
        for number, fresh in steps:
            now = book.contents()[0]
            held = now if fresh else held
            name, allowed = _STEPS[number]
            done = {
                "processed": lambda row: book.processed(row, 1, None, None),
                "failed": lambda row: book.failed(row, "damaged", "", again=False),
                "published": lambda row: row.state == "processed" and bool(book.published([(row, "labelled", 0)])),
                "exported": lambda row: bool(book.exported([row])),
            }[name](held)
            assert not done or now.state in allowed
            assert (book.contents()[0].state != now.state) == done
