"""The folder of tables: a reader sees the old rows of a scope or the new ones, and nothing else is touched."""

import errno
import fcntl
import hashlib
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.processes import run_script
from tests.tables import count_rows, detection_rows, frame_rows

from wayside.core.errors import AuditError, StoreError, StoreFullError
from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNTS, DETECTIONS, FRAMES, SEGMENTS, TABLES, ZONE_EVENTS
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot.parse("20260616T2350Z")
SCOPE = Scope("City", SLOT, "StubV1")


@pytest.fixture
def warehouse(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "warehouse")


def published_files(warehouse: ParquetWarehouse) -> dict[str, str]:
    root = warehouse.root / "published"
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def publish_counts(warehouse: ParquetWarehouse, scope: Scope, cameras: list[str], **changes: object) -> None:
    warehouse.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, cameras, **changes)))


def test_rows_come_back_sorted_by_key_with_the_schema(warehouse: ParquetWarehouse):
    assert not warehouse.published(COUNTS, SCOPE)
    assert warehouse.publish(COUNTS, SCOPE, to_arrow(COUNTS, count_rows(SCOPE, ["c", "a", "b"], car=2))) == 3
    rows = warehouse.read(COUNTS, SCOPE)
    assert warehouse.published(COUNTS, SCOPE)
    assert rows["camera"].to_pylist() == ["a", "b", "c"]
    assert rows["schema_version"].to_pylist() == [1, 1, 1]
    assert rows.schema.equals(COUNTS.schema)


def test_a_scope_that_was_never_published_is_empty(warehouse: ParquetWarehouse):
    rows = warehouse.read(COUNTS, SCOPE)
    assert rows.num_rows == 0
    assert rows.schema.equals(COUNTS.schema)


def test_publishing_replaces_exactly_its_scope(warehouse: ParquetWarehouse):
    others = [
        Scope("City", SLOT.next, "StubV1"),
        Scope("City", SLOT.previous, "StubV1"),
        Scope("City", SLOT, "StubV2"),
        Scope("City-2", SLOT, "StubV1"),
    ]
    for scope in (SCOPE, *others):
        publish_counts(warehouse, scope, ["a", "b"], car=1)
    before = published_files(warehouse)
    publish_counts(warehouse, SCOPE, ["c"], car=5)
    after = published_files(warehouse)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"counts/source=City/pipeline=StubV1/day=20260616/2350.parquet"}
    assert set(after) == set(before)
    assert warehouse.read(COUNTS, SCOPE)["camera"].to_pylist() == ["c"]


def test_an_empty_publication_empties_the_scope(warehouse: ParquetWarehouse):
    publish_counts(warehouse, SCOPE, ["a"])
    publish_counts(warehouse, SCOPE, [])
    assert warehouse.published(COUNTS, SCOPE)
    assert warehouse.read(COUNTS, SCOPE).num_rows == 0


@hypothesis_settings(max_examples=15)
@given(st.permutations(["a", "b", "c", "d", "e"]), st.integers(1, 5))
def test_equal_rows_give_an_equal_file(tmp_path_factory: pytest.TempPathFactory, order: list[str], parts: int):
    """Whatever the order they come in, and whether they were staged in one part or in many."""
    warehouse = ParquetWarehouse(tmp_path_factory.mktemp("warehouse"))
    publish_counts(warehouse, SCOPE, ["a", "b", "c", "d", "e"], car=3)
    expected = published_files(warehouse)
    for part in range(parts):
        warehouse.stage(COUNTS, SCOPE, "plan", part, count_rows(SCOPE, order[part::parts], car=3))
    warehouse.publish(COUNTS, SCOPE, warehouse.staged(COUNTS, SCOPE, "plan", parts))
    assert published_files(warehouse) == expected


@pytest.mark.parametrize(
    "rows",
    [
        to_arrow(COUNTS, count_rows(SCOPE, ["x", "x"])),
        to_arrow(FRAMES, frame_rows(SCOPE, ["x"])),
        pa.table({"camera": ["x"]}),
    ],
    ids=["doubled", "rows of another table", "other columns"],
)
def test_rows_that_fail_the_audit_change_nothing(warehouse: ParquetWarehouse, rows: pa.Table):
    publish_counts(warehouse, SCOPE, ["a"])
    before = published_files(warehouse)
    with pytest.raises(AuditError, match="not published"):
        warehouse.publish(COUNTS, SCOPE, rows)
    assert published_files(warehouse) == before


def test_two_publishers_leave_one_whole_result(warehouse: ParquetWarehouse):
    told = run_script("tests.racers", "publish", warehouse.root, 4)
    assert told == [[50] * 10] * 4
    rows = warehouse.read(COUNTS, Scope("Race", Slot.parse("20260616T0700Z"), "StubV1"))
    racers = {camera.split("-")[0] for camera in rows["camera"].to_pylist()}
    assert (len(racers), rows.num_rows) == (1, 50)
    assert racers == {f"racer{number}" for number in set(rows["car"].to_pylist())}
    assert set(published_files(warehouse)) == {"counts/source=Race/pipeline=StubV1/day=20260616/0700.parquet"}
    assert list(warehouse.root.rglob(".new-*")) == []


def test_a_reader_never_sees_a_mixture(warehouse: ParquetWarehouse):
    """While one scope is published over and over, each read finds one publication, by Arrow and by DuckDB."""
    versions = [to_arrow(COUNTS, count_rows(SCOPE, [f"c{n}" for n in range(40 + car)], car=car)) for car in range(6)]
    warehouse.publish(COUNTS, SCOPE, versions[0])
    stop, failures = threading.Event(), []

    def publish() -> None:
        try:
            while not stop.is_set():
                for rows in versions:
                    warehouse.publish(COUNTS, SCOPE, rows)
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=publish)
    writer.start()
    seen: set[int] = set()

    def turns(least: int) -> Iterator[int]:
        # At least so many, and until the reader has met the writer.
        return itertools.takewhile(lambda turn: turn < least or (len(seen) < 2 and turn < 5000), itertools.count())

    try:
        for _ in turns(60):
            rows = warehouse.read(COUNTS, SCOPE)
            (car,) = set(rows["car"].to_pylist())
            assert rows.num_rows == 40 + car
            seen.add(car)
        seen.clear()
        for _ in turns(20):
            with warehouse.connect(tables=[COUNTS.name]) as database:
                found = [database.execute("SELECT car, count(*) FROM counts GROUP BY car").fetchall() for _ in "ab"]
            assert found[0] in [[(car, 40 + car)] for car in range(6)]
            assert found[0] == found[1], "a connection shows one moment"
            seen.add(found[0][0][0])
    finally:
        stop.set()
        writer.join(30)
    assert failures == []
    assert len(seen) > 1, "the reader has to meet the writer, or this proves nothing"


def test_a_reader_that_has_begun_goes_on_with_the_rows_it_began_with(warehouse: ParquetWarehouse):
    publish_counts(warehouse, SCOPE, ["a"], car=1)
    with warehouse.connect() as database:
        publish_counts(warehouse, SCOPE, ["a", "b"], car=2)
        assert database.execute("SELECT camera, car FROM counts").fetchall() == [("a", 1)]
    with warehouse.connect() as database:
        assert database.execute("SELECT camera, car FROM counts").fetchall() == [("a", 2), ("b", 2)]


def test_replaced_files_are_dropped_once_nobody_reads_them(
    warehouse: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch
):
    for car in range(3):
        publish_counts(warehouse, SCOPE, ["a"], car=car)
    (path,) = map(Path, warehouse.files(COUNTS))
    neighbour = Scope("City", SLOT.previous, "StubV1")
    publish_counts(warehouse, neighbour, ["a"])
    assert len(list(path.parent.glob(".2350-*"))) == 3, "they serve readers for an hour"
    monkeypatch.setattr("wayside.warehouse.layout.READERS_MAY_TAKE", -1.0)
    publish_counts(warehouse, SCOPE, ["a"], car=9)
    assert [name.stat().st_ino for name in path.parent.glob(".2350-*")] == [path.stat().st_ino]
    assert len(list(path.parent.glob(".2340-*"))) == 1
    with warehouse.connect() as database:
        assert database.execute("SELECT sum(car) FROM counts").fetchone() == (9,)


def test_a_copy_of_the_folder_is_a_warehouse(warehouse: ParquetWarehouse, tmp_path: Path):
    publish_counts(warehouse, SCOPE, ["a"], car=1)
    copy = ParquetWarehouse(tmp_path / "copy")
    shutil.copytree(warehouse.root, copy.root)
    (path,) = map(Path, copy.files(COUNTS))
    # The worst that a copy can do: a hidden name of old has the number of the new file, and other rows.
    path.with_name(f".{path.stem}-{path.stat().st_ino}").write_bytes(b"not these rows")
    with copy.connect() as database:
        assert database.execute("SELECT car FROM counts").fetchall() == [(1,)]
    publish_counts(copy, SCOPE, ["a"], car=2)
    with copy.connect() as database:
        assert database.execute("SELECT car FROM counts").fetchall() == [(2,)]


def test_parts_are_read_back_in_order_and_a_missing_one_is_named(warehouse: ParquetWarehouse):
    assert warehouse.staged(COUNTS, SCOPE, "plan", 0).equals(COUNTS.schema.empty_table())
    warehouse.stage(COUNTS, SCOPE, "plan", 0, count_rows(SCOPE, ["a"]))
    warehouse.stage(COUNTS, SCOPE, "plan", 2, count_rows(SCOPE, ["c"]))
    with pytest.raises(StoreError, match="part 2 of 3 of counts City 20260616T2350Z StubV1 was never staged"):
        warehouse.staged(COUNTS, SCOPE, "plan", 3)
    warehouse.stage(COUNTS, SCOPE, "plan", 1, [])
    assert warehouse.staged(COUNTS, SCOPE, "plan", 3)["camera"].to_pylist() == ["a", "c"]
    warehouse.stage(COUNTS, SCOPE, "plan", 1, count_rows(SCOPE, ["b"]))
    assert warehouse.staged(COUNTS, SCOPE, "plan", 3)["camera"].to_pylist() == ["a", "b", "c"]
    assert published_files(warehouse) == {}


def test_two_plans_never_mix(warehouse: ParquetWarehouse):
    warehouse.stage(COUNTS, SCOPE, "one", 0, count_rows(SCOPE, ["a"]))
    warehouse.stage(COUNTS, SCOPE, "two", 0, count_rows(SCOPE, ["b"]))
    assert warehouse.staged(COUNTS, SCOPE, "one", 1)["camera"].to_pylist() == ["a"]
    assert warehouse.staged(COUNTS, SCOPE, "two", 1)["camera"].to_pylist() == ["b"]
    with pytest.raises(StoreError, match="part 1 of 1"):
        warehouse.staged(COUNTS, Scope("City", SLOT, "StubV2"), "one", 1)


def test_plans_are_kept_by_name(warehouse: ParquetWarehouse):
    assert not warehouse.has_plan("City-latest")
    with pytest.raises(StoreError, match="the plan City-latest is gone: run the planning task again"):
        warehouse.load_plan("City-latest")
    warehouse.save_plan("City-latest", [{"id": "ä", "lat": None}])
    assert warehouse.has_plan("City-latest")
    assert warehouse.load_plan("City-latest") == [{"id": "ä", "lat": None}]
    warehouse.save_plan("City-latest", [])
    assert warehouse.load_plan("City-latest") == []


def test_a_full_disk_leaves_what_was_there(warehouse: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    publish_counts(warehouse, SCOPE, ["a"])
    before = published_files(warehouse)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: publish_counts(warehouse, SCOPE, ["b"]),
        lambda: warehouse.stage(COUNTS, SCOPE, "plan", 0, []),
        lambda: warehouse.save_plan("City-latest", []),
    ):
        with pytest.raises(StoreFullError, match="no space left to write"):
            write()
    assert published_files(warehouse) == before
    assert list(warehouse.root.rglob(".new-*")) == []


def test_a_lock_is_one_that_a_shared_volume_grants(warehouse: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    locks: list[int] = []

    def as_nfs_does(handle: int, _operation: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        locks.append(handle)

    monkeypatch.setattr(fcntl, "flock", as_nfs_does)
    publish_counts(warehouse, SCOPE, ["a"])
    assert locks


def test_a_volume_without_locks_is_named(warehouse: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    def refuses(_handle: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuses)
    with pytest.raises(StoreError, match="No locks available"):
        publish_counts(warehouse, SCOPE, ["a"])


def test_a_disk_that_refuses_is_named(warehouse: ParquetWarehouse):
    warehouse.root.parent.mkdir(exist_ok=True)
    warehouse.root.write_bytes(b"a file in the folder's place")
    with pytest.raises(StoreError, match=r"cannot write or read .*StubV1: Not a directory"):
        publish_counts(warehouse, SCOPE, ["a"])


# Reading with DuckDB


@pytest.fixture
def filled(warehouse: ParquetWarehouse) -> ParquetWarehouse:
    for source in ("City", "Town"):
        for slot in (SLOT, SLOT.next):
            warehouse.publish(FRAMES, Scope(source, slot), to_arrow(FRAMES, frame_rows(Scope(source, slot), ["a"])))
            for pipeline in ("StubV1", "StubV2"):
                publish_counts(warehouse, Scope(source, slot, pipeline), ["a", "b"], car=1)
    rows = [{"source": "City", "camera": "a", "name": "O'Brien's"}]
    warehouse.publish(CAMERAS, Scope("City"), to_arrow(CAMERAS, rows))
    return warehouse


def number(warehouse: ParquetWarehouse, table: str, **kept: list[str]) -> int:
    with warehouse.connect(**kept) as database:
        found = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(
    ("kept", "counts", "frames", "cameras"),
    [
        ({}, 16, 4, 1),
        ({"sources": ["City"]}, 8, 2, 1),
        ({"sources": ["City", "Town"]}, 16, 4, 1),
        ({"sources": ["City", "City"]}, 8, 2, 1),
        ({"sources": []}, 0, 0, 0),
        ({"sources": ["Nowhere", "../City", "City/../City", "'", "*"]}, 0, 0, 0),
        ({"days": ["20260617"]}, 8, 2, 1),
        ({"days": ["20260616", "20260617", "20260617"]}, 16, 4, 1),
        ({"days": ["2026061"]}, 0, 0, 1),
        ({"pipelines": ["StubV2"]}, 8, 4, 1),
        ({"sources": ["Town"], "days": ["20260616"], "pipelines": ["StubV1"]}, 2, 1, 0),
    ],
)
def test_views_are_kept_to_what_is_asked_for(
    filled: ParquetWarehouse, kept: dict[str, list[str]], counts: int, frames: int, cameras: int
):
    found = [number(filled, table, **kept) for table in ("counts", "frames", "cameras")]
    assert found == [counts, frames, cameras]


def test_every_table_has_a_view_and_an_empty_one_the_same_columns(filled: ParquetWarehouse, tmp_path: Path):
    kinds = []
    for warehouse in (filled, ParquetWarehouse(tmp_path / "nothing")):
        with warehouse.connect() as database:
            kinds.append({name: database.execute(f"DESCRIBE {name}").fetchall() for name in TABLES})
            assert all(row[0] for row in database.execute("SELECT name FROM cameras").fetchall())
    with_rows, empty = ({name: [row[:2] for row in rows] for name, rows in kind.items()} for kind in kinds)
    assert with_rows == empty


def test_times_are_utc(filled: ParquetWarehouse):
    with filled.connect(["City"], None, ["StubV1"]) as database:
        found = database.execute("SELECT DISTINCT slot, slot::VARCHAR FROM counts ORDER BY slot").fetchall()
    assert [(Slot(moment), text) for moment, text in found] == [
        (SLOT, "2026-06-16 23:50:00+00"),
        (SLOT.next, "2026-06-17 00:00:00+00"),
    ]


@pytest.mark.parametrize("name", ["it's", 'a "b"', "c [d] {e} *", "f?g;--", "日本 ä"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str):
    warehouse = ParquetWarehouse(tmp_path / name)
    publish_counts(warehouse, SCOPE, ["a"], car=7)
    with warehouse.connect() as database:
        assert database.execute("SELECT camera, car FROM counts").fetchall() == [("a", 7)]


def test_unfinished_files_are_no_part_of_a_table(filled: ParquetWarehouse):
    folder = Path(filled.files(COUNTS)[0]).parent
    (folder / ".new-0123").write_bytes(b"half a table")
    assert number(filled, "counts") == 16
    assert len(filled.files(COUNTS)) == 8


def test_slots_are_listed_oldest_first(filled: ParquetWarehouse):
    assert filled.slots(COUNTS, "City") == [SLOT, SLOT, SLOT.next, SLOT.next]
    assert filled.slots(COUNTS, "City", "StubV2") == [SLOT, SLOT.next]
    assert filled.slots(FRAMES, "Town") == [SLOT, SLOT.next]
    assert filled.slots(DETECTIONS, "City") == []
    assert filled.slots(FRAMES, "Nowhere") == []


def test_readers_do_not_hold_up_a_writer(filled: ParquetWarehouse):
    with filled.connect() as one, filled.connect() as other:
        assert one.execute("SELECT sum(car) FROM counts").fetchone() == (16,)
        publish_counts(filled, SCOPE, ["a"], car=10)
        assert other.execute("SELECT sum(car) FROM counts").fetchone() == (16,)
    with filled.connect() as later:
        assert later.execute("SELECT sum(car) FROM counts").fetchone() == (24,)


def test_the_schema_of_detections_holds_floats(warehouse: ParquetWarehouse):
    warehouse.publish(DETECTIONS, SCOPE, to_arrow(DETECTIONS, detection_rows(SCOPE, "a", ["car"], moving_share=0.25)))
    (row,) = warehouse.read(DETECTIONS, SCOPE).to_pylist()
    assert (row["moving_share"], row["score"], row["label"], row["ordinal"]) == (0.25, 0.5, "car", 0)


def test_scopes_of_segments_and_processors_are_found_again_by_camera_and_day(tmp_path: Path):
    lake = ParquetWarehouse(tmp_path)
    hours = [datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in (3, 23)]
    wanted = [Scope("City", camera=camera, hour=hour) for camera in ("a", "b") for hour in hours]
    for where in wanted:
        row = {
            **where.values(SEGMENTS), "segment": "0" * 64, "uri": "x", "start_at": where.hour, "end_at": where.hour,
            "zone": "UTC", "duration_s": 1.0, "fps": 25.0, "variable_fps": False, "width": 4, "height": 3,
            "rotation": 0, "codec": "h264", "audio": False, "bytes": 9, "discontinuity": True, "run": "r",
        }  # fmt: skip
        lake.publish(SEGMENTS, where, to_arrow(SEGMENTS, [row]))
    assert lake.scopes(SEGMENTS) == wanted
    assert lake.scopes(SEGMENTS, ["City"], ["20260501"], cameras=["b"]) == wanted[2:]
    assert lake.scopes(SEGMENTS, days=["20260502"]) == []
    with lake.connect(["City"], tables=["segments"], cameras=["a"]) as connection:
        assert connection.execute("SELECT DISTINCT camera FROM segments").fetchall() == [("a",)]
    counted = [Scope("City", camera="a", processor=12, version=version, day=date(2026, 5, 1)) for version in (1, 2)]
    for where in counted:
        lake.publish(ZONE_EVENTS, where, ZONE_EVENTS.schema.empty_table())
    assert lake.scopes(ZONE_EVENTS, cameras=["a"]) == counted
    assert lake.scopes(ZONE_EVENTS, cameras=["b"]) == []
