"""Compaction: one file a day instead of 144, and nobody can tell by the rows."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.processes import ROOT, run_script
from tests.tables import count_rows, frame_rows

from wayside.core.slots import Slot
from wayside.core.tables import CAMERA_DAYS, COUNTS, FRAMES, SLOT_RUNS
from wayside.warehouse import compact as module
from wayside.warehouse import dayfile
from wayside.warehouse.compact import Compacted
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

FIRST = Slot.parse("20260501T0000Z")
AFTER = date(2026, 5, 2)
PIPELINE = "StubV1"
FOLDER = "counts/source=City/pipeline=StubV1"


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake")


def scope(step: int, source: str = "City", pipeline: str = PIPELINE) -> Scope:
    return Scope(source, FIRST.shift(step), pipeline)


def publish(lake: ParquetWarehouse, step: int, cameras: str = "ab", car: int = 1) -> None:
    lake.publish(COUNTS, scope(step), to_arrow(COUNTS, count_rows(scope(step), list(cameras), car=car)))


def visible(lake: ParquetWarehouse) -> list[str]:
    root = lake.root / "published"
    paths = root.rglob("*")
    return sorted(path.relative_to(root).as_posix() for path in paths if path.is_file() and path.name[0] != ".")


def seen(lake: ParquetWarehouse) -> dict[str, list[tuple[str, int]]]:
    """Rows by slot as DuckDB shows them."""
    with lake.connect(tables=[COUNTS.name]) as database:
        rows = database.execute("SELECT slot, camera, car FROM counts ORDER BY ALL").fetchall()
    found: dict[str, list[tuple[str, int]]] = {}
    for moment, camera, car in rows:
        found.setdefault(str(Slot(moment)), []).append((camera, car))
    return found


def test_a_day_becomes_one_file_with_the_same_rows(lake: ParquetWarehouse):
    for step in range(144):
        publish(lake, step, car=step)
    publish(lake, 144)
    before, hashes = seen(lake), [lake.content(COUNTS, scope(step))[1] for step in range(144)]
    done = lake.compact(AFTER)
    assert (done.days, done.slots) == (1, 144)
    assert done.bytes_after * 10 < done.bytes_before
    assert visible(lake) == [f"{FOLDER}/day=20260501.parquet", f"{FOLDER}/day=20260502/0000.parquet"]
    assert seen(lake) == before
    assert [lake.content(COUNTS, scope(step))[1] for step in range(144)] == hashes
    assert lake.read(COUNTS, scope(7)).equals(to_arrow(COUNTS, count_rows(scope(7), ["a", "b"], car=7)))
    assert lake.slots(COUNTS, "City", PIPELINE) == [FIRST.shift(step) for step in range(145)]
    assert lake.days(COUNTS) == ["20260501", "20260502"]
    assert lake.compact(AFTER) == Compacted()


def test_the_file_is_sorted_and_cut_between_slots(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dayfile, "GROUP_ROWS", 5)
    for step in (3, 1, 2, 0):
        publish(lake, step, "cab")
    lake.compact(AFTER)
    (path,) = lake.files(COUNTS)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [6, 6]
    rows = file.read().select(["slot", "camera"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["slot"], row["camera"]))
    assert [lake.read(COUNTS, scope(step))["camera"].to_pylist() for step in range(4)] == [["a", "b", "c"]] * 4


def test_a_slot_without_rows_stays_published(lake: ParquetWarehouse):
    publish(lake, 0, "")
    publish(lake, 5, "")
    lake.compact(AFTER)
    assert [lake.published(COUNTS, scope(step)) for step in (0, 4, 5)] == [True, False, True]
    assert lake.slots(COUNTS, "City") == [FIRST, FIRST.shift(5)]
    assert lake.read(COUNTS, scope(0)).equals(COUNTS.schema.empty_table())
    assert lake.content(COUNTS, scope(5))[1]
    assert lake.content(COUNTS, scope(4)) == (COUNTS.schema.empty_table(), "")
    assert seen(lake) == {}


def test_a_slot_that_comes_later_stands_over_the_day(lake: ParquetWarehouse):
    for step in range(3):
        publish(lake, step)
    lake.compact(AFTER)
    publish(lake, 1, "b", car=9)
    publish(lake, 2, "")
    publish(lake, 7, "z", car=4)
    expected = {
        str(FIRST): [("a", 1), ("b", 1)],
        str(FIRST.shift(1)): [("b", 9)],
        str(FIRST.shift(7)): [("z", 4)],
    }
    assert seen(lake) == expected
    assert len(visible(lake)) == 4
    assert [scope.slot for scope in lake.scopes(COUNTS)] == [FIRST.shift(step) for step in (0, 1, 2, 7)]
    assert lake.compact(AFTER).slots == 3
    assert visible(lake) == [f"{FOLDER}/day=20260501.parquet"]
    assert seen(lake) == expected


def test_equal_rows_make_an_equal_file_whatever_the_way(lake: ParquetWarehouse, tmp_path: Path):
    other = ParquetWarehouse(tmp_path / "other")
    for step in range(6):
        publish(lake, step, car=step)
        publish(other, step, car=99)
        if step % 2:
            other.compact(AFTER)
    for step in range(6):
        publish(other, step, car=step)
    lake.compact(AFTER)
    other.compact(AFTER)
    assert Path(*lake.files(COUNTS)).read_bytes() == Path(*other.files(COUNTS)).read_bytes()


def test_every_table_by_slot_is_compacted_and_no_other(lake: ParquetWarehouse):
    where = Scope("City", FIRST)
    lake.publish(FRAMES, where, to_arrow(FRAMES, frame_rows(where, ["a"])))
    day = Scope("City", pipeline=PIPELINE, day=date(2026, 5, 1))
    row = dict.fromkeys(("counted", "faulty", "missing", "failed", "waiting", "not_run", "late"), 0)
    row |= {"source": "City", "camera": "a", "pipeline": PIPELINE, "day": day.day}
    lake.publish(CAMERA_DAYS, day, to_arrow(CAMERA_DAYS, [row]))
    publish(lake, 0)
    assert lake.compact(date(2026, 5, 1)) == Compacted()
    assert lake.compact(AFTER, ["Town"]) == Compacted()
    assert lake.compact(AFTER, ["City"]).days == 2
    assert visible(lake) == [
        "camera_days/source=City/pipeline=StubV1/day=20260501/all.parquet",
        f"{FOLDER}/day=20260501.parquet",
        "frames/source=City/day=20260501.parquet",
    ]
    assert lake.scopes(FRAMES) == [where]
    assert lake.scopes(CAMERA_DAYS) == [day]
    assert lake.scopes(SLOT_RUNS) == []


def test_a_reader_in_the_middle_goes_on_with_what_it_began_with(lake: ParquetWarehouse):
    publish(lake, 0, car=1)
    publish(lake, 1, car=2)
    with lake.connect() as early:
        lake.compact(AFTER)
        with lake.connect() as later:
            publish(lake, 0, car=5)
            lake.compact(AFTER)
            assert early.execute("SELECT sum(car) FROM counts").fetchone() == (6,)
            assert later.execute("SELECT sum(car) FROM counts").fetchone() == (6,)
    with lake.connect() as database:
        assert database.execute("SELECT sum(car) FROM counts").fetchone() == (14,)


def test_the_folder_goes_once_nobody_reads_from_it(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    publish(lake, 0)
    lake.compact(AFTER)
    folder = lake.root / "published" / FOLDER / "day=20260501"
    assert [name.name.split("-")[0] for name in folder.iterdir()] == [".0000"]
    monkeypatch.setattr("wayside.warehouse.layout.READERS_MAY_TAKE", -1.0)
    publish(lake, 1)
    lake.compact(AFTER)
    assert not folder.exists()
    publish(lake, 2)
    assert len(seen(lake)) == 3


def test_a_copy_of_the_folder_can_be_compacted(lake: ParquetWarehouse, tmp_path: Path):
    publish(lake, 0)
    copy = ParquetWarehouse(tmp_path / "copy")
    path = copy.root / "published" / FOLDER / "day=20260501" / "0000.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(Path(*lake.files(COUNTS)).read_bytes())
    copy.compact(AFTER)
    assert not path.parent.exists()
    assert seen(copy) == seen(lake)


def test_what_waits_for_another_warehouse_still_goes_there(tmp_path: Path):
    lake = ParquetWarehouse(tmp_path, outbox=True)
    publish(lake, 0)
    publish(lake, 1, "")
    lake.compact(AFTER)
    batch = lake.outbox.open(COUNTS, lake)
    assert batch is not None
    assert batch.scopes == [scope(0), scope(1)]
    assert batch.rows()["camera"].to_pylist() == ["a", "b"]
    lake.outbox.close(batch)
    assert lake.outbox.pending(COUNTS) == 0
    assert lake.resend(COUNTS) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 4), st.sampled_from(["", "a", "ab", "c"]), st.integers(0, 3)),
        st.tuples(st.just("compact"), st.just(0), st.just(""), st.just(0)),
    ),
    max_size=16,
)


@hypothesis_settings(max_examples=15, deadline=None)
@given(STEPS)
def test_any_order_of_publishing_and_compacting_is_a_plain_table(tmp_path_factory: pytest.TempPathFactory, steps):
    lake, model = ParquetWarehouse(tmp_path_factory.mktemp("lake")), {}
    for what, step, cameras, car in steps:
        if what == "compact":
            lake.compact(AFTER)
        else:
            publish(lake, step, cameras, car)
            model[step] = [(camera, car) for camera in cameras]
    assert seen(lake) == {str(FIRST.shift(step)): rows for step, rows in model.items() if rows}
    assert lake.slots(COUNTS, "City") == [FIRST.shift(step) for step in sorted(model)]
    for step in range(5):
        rows = lake.read(COUNTS, scope(step))
        assert [(row["camera"], row["car"]) for row in rows.to_pylist()] == model.get(step, [])
        assert lake.published(COUNTS, scope(step)) == (step in model)
        assert lake.content(COUNTS, scope(step))[0].equals(rows)


class Killed(BaseException):
    """The process is gone, as far as the test can tell."""


POINTS: list[tuple[str, Callable[[Path], bool]]] = [
    ("replace", lambda path: path.name.startswith(".new-")),
    *((f"unlink{number}", lambda path: path.suffix == ".parquet") for number in range(3)),
]


@pytest.mark.parametrize(("point", "counts"), POINTS, ids=[name for name, _ in POINTS])
def test_killed_anywhere_and_run_again_the_rows_are_the_same(
    lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch, point: str, counts: Callable[[Path], bool]
):
    for step in range(4):
        publish(lake, step, car=step)
    lake.compact(AFTER)
    for step in range(2, 5):
        publish(lake, step, car=step * 10)
    before, left = seen(lake), [int(point[-1]) if point[-1].isdigit() else 0]
    method = point.rstrip("0123456789")
    real = getattr(Path, method)

    def dies(self: Path, *rest: object, **named: object) -> object:
        if counts(self) and (left.append(left.pop() - 1) or left[0]) < 0:
            raise Killed
        return real(self, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, method, dies)
        with pytest.raises(Killed):
            lake.compact(AFTER)
    assert seen(lake) == before
    publish(lake, 0, "x", car=7)
    lake.compact(AFTER)
    assert visible(lake) == [f"{FOLDER}/day=20260501.parquet"]
    assert seen(lake) == before | {str(FIRST): [("x", 7)]}


def test_what_is_published_in_the_middle_of_a_compaction_is_not_lost(
    lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch
):
    for step in range(3):
        publish(lake, step)
    real = module.write_day

    def meanwhile(*args: object) -> bytes:
        data = real(*args)
        publish(lake, 1, car=8)
        publish(lake, 9, car=9)
        return data

    monkeypatch.setattr(module, "write_day", meanwhile)
    lake.compact(AFTER)
    monkeypatch.undo()
    expected = {str(FIRST.shift(step)): [("a", car), ("b", car)] for step, car in ((0, 1), (1, 8), (2, 1), (9, 9))}
    assert seen(lake) == expected
    lake.compact(AFTER)
    assert seen(lake) == expected


def test_of_two_compactions_the_slower_one_looks_again(lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    publish(lake, 0)
    real, calls = module.write_day, []

    def meanwhile(*args: object) -> bytes:
        data = real(*args)
        calls.append(1)
        if len(calls) == 1:
            publish(lake, 1, car=5)
            lake.compact(AFTER)
        return data

    monkeypatch.setattr(module, "write_day", meanwhile)
    lake.compact(AFTER)
    assert visible(lake) == [f"{FOLDER}/day=20260501.parquet"]
    assert seen(lake) == {str(FIRST): [("a", 1), ("b", 1)], str(FIRST.next): [("a", 5), ("b", 5)]}


def over_and_over(turn: Callable[[int], object], stop: threading.Event, failures: list[BaseException]) -> None:
    number = 0
    try:
        while not stop.is_set():
            turn(number := number + 1)
    except BaseException as error:
        failures.append(error)


def look(lake: ParquetWarehouse, newest: list[int]) -> None:
    """Look at six slots both ways; each is there once, and as new as before at least."""
    with lake.connect(tables=[COUNTS.name]) as database:
        rows = database.execute("SELECT slot, min(car), max(car), count(*) FROM counts GROUP BY 1").fetchall()
    assert len(rows) == 6
    found = [((moment - FIRST.start).seconds // 600, (low, high, number)) for moment, low, high, number in rows]
    for step in range(6):
        cars = lake.read(COUNTS, scope(step))["car"].to_pylist()
        found.append((step, (min(cars), max(cars), len(cars))))
    for step, (low, high, number) in found:
        assert (low, number) == (high, 2)
        assert low >= newest[step]
        newest[step] = low


def test_readers_and_writers_at_once_see_every_slot(lake: ParquetWarehouse):
    def write(number: int) -> None:
        for step in range(6):
            publish(lake, step, car=number)

    write(0)
    stop, failures, newest = threading.Event(), [], [0] * 6
    writers = [
        threading.Thread(target=over_and_over, args=(turn, stop, failures))
        for turn in (write, lambda _: lake.compact(AFTER))
    ]
    for writer in writers:
        writer.start()
    try:
        for turn in range(5000):
            look(lake, newest)
            if turn >= 15 and min(newest) > 0:
                break
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    assert failures == []
    assert min(newest) > 0, "the reader has to meet the writer, or this proves nothing"


def test_processes_that_publish_and_compact_at_once_lose_nothing(lake: ParquetWarehouse):
    told = run_script("tests.racers", "compact", lake.root, 4)
    assert told == [10] * 4
    lake.compact(date(2026, 6, 17))
    assert len(lake.files(COUNTS)) == 1
    for number in range(4):
        for turn in range(5):
            slot = Slot.parse("20260616T0000Z").shift(number * 5 + turn)
            assert lake.read(COUNTS, Scope("Race", slot, PIPELINE))["car"].to_pylist() == [9, 9]


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_compaction_that_is_shot_loses_nothing(lake: ParquetWarehouse, at: int):
    """A process gets SIGKILL at a step of its compaction; whoever comes next finds every slot."""
    for step in range(6):
        publish(lake, step, car=step)
    before = seen(lake)
    shot = subprocess.run(
        [sys.executable, "-m", "tests.warehouse.shot_compaction", lake.root, AFTER.isoformat(), str(at)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT}"},
        timeout=120,
        check=False,
    )
    assert shot.returncode == -signal.SIGKILL
    assert seen(lake) == before
    lake.compact(AFTER)
    assert seen(lake) == before
    assert visible(lake) == [f"{FOLDER}/day=20260501.parquet"]
