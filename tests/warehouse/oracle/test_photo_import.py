"""JSON files of the replaced system are registered: each once, also when the import is killed; wrong ones are named."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.warehouse.oracle.database import Database
from tests.warehouse.oracle.faults import Session
from tests.warehouse.oracle.road_photos import VEGBILDER, lake_of, publish, record, seen, target_of

from wayside.core.errors import AuditError, ConfigError
from wayside.warehouse import photo_import
from wayside.warehouse.photo_import import import_folder, move
from wayside.warehouse.photo_table import deliver_photo_table
from wayside.warehouse.photo_target import PhotoTarget

XML = "<ImageProperties><VCRoad>EV134</VCRoad><Driver>Kari Nordmann</Driver><CarID>DN 41414</CarID></ImageProperties>"
CLEAN = (
    '<?xml version="1.0" encoding="utf-8"?><ImageProperties><VCRoad>EV134</VCRoad><Driver>FJERNET</Driver>'
    "<CarID>FJERNET</CarID></ImageProperties>"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "json"
    place.mkdir()
    return place


def put(folder: Path, path: str, given: dict[str, Any] | str, **changes: Any) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(given if isinstance(given, str) else json.dumps({**given, **changes}, indent=4), "utf-8")
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_rows_are_those_of_fresh_records(oracle: Database, folder: Path, tmp_path: Path):
    fresh = record("a", exif_imageproperties=CLEAN, exif_moh="12.5", exif_mappenavn="C:\\DATA\\new")
    lake, target = lake_of(tmp_path / "lake"), target_of(oracle)
    publish(lake, "f", {"a": fresh})
    deliver_photo_table(lake, target)
    columns = ", ".join(f'"{column.name.upper()}"' for column in VEGBILDER.columns)
    everything = f'SELECT {columns} FROM "VEGBILDER"'
    expected = oracle.ask(everything)
    oracle.ask('DELETE FROM "VEGBILDER"', commit=True)
    position = "srid=4326;POINT Z( 59,763178062499996 9,8989145750000009 51,724 )"
    old = {**fresh, "exif_imageproperties": "\ufeff" + XML, "exif_moh": "12,5", "exif_gpsposisjon": position}
    put(folder, "2020/a.json", "\ufeff" + json.dumps(old, ensure_ascii=False).replace("\\\\", "\\"))
    done = import_folder(folder, target, tmp_path / "work", flip_wkt=True)
    assert (done.files, done.registered, done.inserted, done.corrected, done.wrong) == (1, 1, 1, 1, 0)
    assert oracle.ask(everything) == expected
    assert "Nordmann" not in str(expected)


def test_wrong_files_are_named_and_the_others_registered(oracle: Database, folder: Path, tmp_path: Path):
    put(folder, "a.json", record("a"))
    put(folder, "x/B.JSON", record("b", exif_roll="x"))
    put(folder, "x/broken.json", '{"bildeid": ')
    put(folder, "x/no record.json", "[]")
    put(folder, "y/no owner.json", record("c", exif_dataeier=""))
    put(folder, "y/readme.txt", "no JSON")
    (folder / "y/bytes.json").write_bytes(b"\xff")
    (folder / "link.json").symlink_to(folder / "a.json")
    target = target_of(oracle)
    done = import_folder(folder, target, tmp_path / "work", archive=tmp_path / "archive")
    assert (done.files, done.registered, done.before, done.wrong, done.archived) == (6, 2, 0, 4, 2)
    assert [path for path, _ in done.bad] == ["x/broken.json", "x/no record.json", "y/bytes.json"]
    assert [reason.split(":")[0] for _, reason in done.bad] == ["not_json", "no_record", "not_utf8"]
    assert [str(one) for one in done.refused] == [
        "y/no owner.json: Dataeier may not be null: no value in exif_dataeier"
    ]
    assert done.notes == ["x/B.JSON: Roll: 'x' is no number, so it is null"]
    assert seen(oracle) == {"a": 2692, "b": 2692}
    assert names(tmp_path / "archive") == ["a.json", "x/B.JSON"]
    # Put right, they go; what is wrong still is told again.
    put(folder, "x/broken.json", record("d"))
    done = import_folder(folder, target, tmp_path / "work", archive=tmp_path / "archive")
    assert (done.files, done.registered, done.wrong, done.archived) == (4, 1, 3, 1)
    assert str(done) == "4 files: 1 registered (1 inserted, 0 updated), 0 before, 3 wrong, 0 put right, 1 archived"


def test_a_second_run_does_only_what_is_new(oracle: Database, folder: Path, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(photo_import, "BATCH_FILES", 2)
    target, work = target_of(oracle), tmp_path / "work"
    for number in range(5):
        put(folder, f"{number}.json", record(f"p{number}"))
    told: list[int] = []
    assert import_folder(folder, target, work, progress=told.append).inserted == 5
    assert told == [2, 4, 5]
    oracle.ask('UPDATE "VEGBILDER" SET "BILDEBREDDE" = 7', commit=True)
    put(folder, "4.json", record("p4", exif_imagewidth="8000"))
    os.utime(folder / "4.json", (1, 1))
    done = import_folder(folder, target, work)
    assert (done.before, done.registered, done.updated) == (4, 1, 1)
    assert seen(oracle) == {"p0": 7, "p1": 7, "p2": 7, "p3": 7, "p4": 8000}
    # Another database, or the same files flipped, are other imports; and all of it can be done again.
    assert import_folder(folder, target, work, place="elsewhere").registered == 5
    assert import_folder(folder, target, work, flip_wkt=True).registered == 5
    assert import_folder(folder, target, work, again=True).updated == 5
    # Files that were registered before somebody asked for an archive go there as well.
    done = import_folder(folder, target, work, archive=tmp_path / "archive")
    assert (done.before, done.registered, done.archived, names(folder)) == (5, 0, 5, [])


class Killed(BaseException):
    """Stands for SIGKILL: nobody handles it."""


@contextmanager
def killed_at(instant: int, folder: Path) -> Iterator[list[str]]:
    """Raise at the given change of what lies below `folder`, or call of the database (see `Dying`); note all."""
    steps: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"os.rename", "os.remove", "wayside.step"} and not done and str(folder) in str(arguments):
            steps.append(event)
            if len(steps) == instant:
                raise Killed

    done: list[bool] = []
    sys.addaudithook(hook)
    try:
        yield steps
    finally:
        done.append(True)


class Dying:
    """`connect`, each call of whose sessions is a step; the session of one who dies is lost."""

    def __init__(self, connect: Any, folder: Path) -> None:
        self._connect, self._folder = connect, folder

    def __call__(self) -> Any:
        return Session(self._connect(), self)  # type: ignore[arg-type]

    def call(self, name: str, session: Any, work: Any) -> Any:
        try:
            sys.audit("wayside.step", str(self._folder), name)
        except Killed:
            session.lose()
            raise
        return work()


def test_killed_at_any_step_and_run_again_all_is_registered_once(oracle: Database, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(photo_import, "BATCH_FILES", 2)
    target_of(oracle).refused()
    instant, killed = 0, True
    while killed:
        instant += 2  # every other step: the two batches begin at an even one and at an odd one
        folder, archive, work = (tmp_path / f"{instant}" / name for name in ("json", "archive", "work"))
        for number in range(3):
            put(folder, f"{instant}/{number}.json", record(f"{instant}-{number}"))
        put(folder, "bad.json", record(f"{instant}-bad", exif_dataeier=None))
        killed = False
        before = len(oracle.delivered())
        with killed_at(instant, tmp_path / f"{instant}"):
            try:
                target = PhotoTarget(Dying(oracle.plain, tmp_path / f"{instant}"), VEGBILDER)
                import_folder(folder, target, work, archive=archive)
            except Killed:
                killed = True
        # A file leaves its folder only when its row is there.
        there = seen(oracle)
        assert all(f"{instant}-{Path(name).stem}" in there for name in names(archive))
        assert len(names(archive)) + len(names(folder)) == 4
        oracle.ask('UPDATE "VEGBILDER" SET "BILDEBREDDE" = 7', commit=True)
        done = import_folder(folder, PhotoTarget(oracle.plain, VEGBILDER), work, archive=archive)
        # What was committed before the end is not written again: it keeps what others wrote since.
        mine = {key: width for key, width in seen(oracle).items() if key.startswith(f"{instant}-")}
        assert mine == {f"{instant}-{n}": 7 if f"{instant}-{n}" in there else 2692 for n in range(3)}
        assert names(archive) == [f"{instant}/{n}.json" for n in range(3)]
        assert names(folder) == ["bad.json"]
        assert [one.photo for one in done.refused] == ["bad.json"]
        assert not list(work.rglob("open.json"))
        assert (done.files, done.wrong) == (len(names(folder)) + done.before + done.registered, 1)
        assert len(oracle.delivered()) - before in {2, 3}  # the wrong one is tried by each run
    assert instant > 25


def test_a_file_that_changes_meanwhile_is_not_archived_unread(oracle: Database, folder: Path, tmp_path: Path):
    target, archive = target_of(oracle), tmp_path / "archive"
    file = put(folder, "a.json", record("a"))

    class Slow(PhotoTarget):
        def upsert(self, batch: Any) -> Any:
            put(folder, "a.json", record("a", exif_imagewidth="9"))
            return super().upsert(batch)

    import_folder(folder, Slow(oracle.connect, VEGBILDER), tmp_path / "work", archive=archive)
    assert file.exists()
    import_folder(folder, target, tmp_path / "work", archive=archive)
    assert (seen(oracle), names(archive), names(folder)) == ({"a": 9}, ["a.json"], [])


def test_too_many_refusals_stop_it_and_what_went_before_stays(oracle: Database, folder: Path, tmp_path: Path):
    target = target_of(oracle, max_refused=0)
    put(folder, "a.json", record("a", exif_dataeier=None))
    with pytest.raises(AuditError, match="1 of 1 pictures cannot be registered"):
        import_folder(folder, target, tmp_path / "work", archive=tmp_path / "archive")
    assert names(folder) == ["a.json"]
    put(folder, "a.json", record("a"))
    assert import_folder(folder, target, tmp_path / "work").inserted == 1


def test_two_imports_of_a_folder_do_not_run_at_once(oracle: Database, folder: Path, tmp_path: Path):
    put(folder, "a.json", record("a"))
    target = target_of(oracle)

    def meanwhile(_: int) -> None:
        with pytest.raises(ConfigError, match="running already"):
            import_folder(folder, target, tmp_path / "work")

    assert import_folder(folder, target, tmp_path / "work", progress=meanwhile).inserted == 1
    with pytest.raises(ConfigError, match="is no folder"):
        import_folder(folder / "a.json", target, tmp_path / "work")


def test_odd_names_and_an_archive_within_the_folder(oracle: Database, folder: Path, tmp_path: Path):
    put(folder, "%#{} _  _ _/åæø.json", record("a"))
    (folder / os.fsdecode(b"odd\xff.json")).write_text(json.dumps(record("b")))
    target, archive = target_of(oracle), folder / "archive"
    for _ in range(2):
        done = import_folder(folder, target, tmp_path / "work", archive=archive)
    assert done.files == 0
    assert seen(oracle) == {"a": 2692, "b": 2692}
    assert len(names(archive)) == 2


def test_what_lies_in_the_archive_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old, same, new = (put(tmp_path, f"{name}.json", text) for name, text in (("old", "1"), ("same", "1"), ("new", "2")))
    move(same, old)
    assert names(tmp_path) == ["new.json", "old.json"]
    move(new, old)
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["2", "1"]
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(18, "Invalid cross-device link")))
    move(old, tmp_path / "other" / "disk.json")
    assert (tmp_path / "other" / "disk.json").read_text() == "1"
    assert not old.exists()
