"""Deliveries to Oracle: scopes are replaced by the rows of a batch, all of it or nothing, once."""

from pathlib import Path
from typing import Any

import pytest
from tests.tables import count_rows
from tests.warehouse.oracle.database import ALL, SLOT, Database, batch, sample, scope_of

from wayside.core.errors import AuditError, ConfigError, StoreFullError, TransientError, WaysideError
from wayside.core.tables import CAMERAS, COUNTS, DETECTIONS, RUNS, TIMESERIES, Table
from wayside.warehouse import oracle as module
from wayside.warehouse.scope import Scope


def scope(step: int = 0) -> Scope:
    return Scope("City", SLOT.shift(step), "StubV1")


def counts(step: int, cameras: list[str], **changes: Any) -> list[dict[str, Any]]:
    return count_rows(scope(step), cameras, **changes)


def seen(oracle: Database) -> dict[tuple[str, str], int]:
    """Cars by slot and camera."""
    return {(f"{row['slot']:%H%M}", row["camera"]): row["car"] for row in oracle.rows(COUNTS)}


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_rows_come_back_as_they_were(oracle: Database, tmp_path: Path, table: Table):
    target = oracle.target()
    for seed in range(3):
        where = scope_of(table, seed)
        sent = batch(tmp_path, table, [where], sample(table, where, 40, seed), f"batch-{seed}")
        target.deliver(sent)
        got = [row for row in oracle.rows(table) if Scope.of(table, row) == Scope.of(table, where.values(table))]
        assert got == sent.rows().to_pylist()
    assert oracle.staged(table) == 0
    target.close()


@pytest.mark.parametrize("table", [DETECTIONS, TIMESERIES], ids=lambda table: table.name)
def test_rows_that_came_by_the_direct_path_are_the_same(
    oracle: Database, tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_ARRAY", 7)
    where = scope_of(table)
    sent = batch(tmp_path, table, [where], sample(table, where, 100))
    oracle.target(direct_path_rows=100).deliver(sent)
    assert oracle.connect.calls.count("direct_path_load") == 2
    assert oracle.rows(table) == sent.rows().to_pylist()
    assert oracle.staged(table) == 0


def test_small_batches_thick_drivers_and_long_texts_take_array_binds(oracle: Database, tmp_path: Path):
    oracle.target(direct_path_rows=3).deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "b"])))
    where = scope_of(RUNS)
    oracle.target(direct_path_rows=0).deliver(batch(tmp_path, RUNS, [where], sample(RUNS, where, 1), "batch-2"))
    assert "direct_path_load" not in oracle.connect.calls


def test_rows_are_bound_in_arrays_of_a_limited_size(oracle: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_ARRAY", 4)
    cameras = [f"c{number:02}" for number in range(10)]
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, cameras, car=3)))
    assert len([call for call in oracle.connect.calls if call.startswith("INSERT") and "STAGE" in call]) == 3
    assert seen(oracle) == {("0800", name): 3 for name in cameras}


def test_a_delivery_replaces_its_scopes_and_nothing_else(oracle: Database, tmp_path: Path):
    target = oracle.target()
    first = counts(0, ["a", "b", "c"], car=1) + counts(1, ["a"], car=1) + counts(2, ["a"], car=1)
    target.deliver(batch(tmp_path, COUNTS, [scope(0), scope(1), scope(2)], first, "batch-1"))
    # One camera goes, one changes, one comes; scope 1 has no rows any more; scope 2 is not in the batch.
    second = counts(0, ["b", "d"], car=2)
    target.deliver(batch(tmp_path, COUNTS, [scope(0), scope(1)], second, "batch-2"))
    assert seen(oracle) == {("0800", "b"): 2, ("0800", "d"): 2, ("0820", "a"): 1}
    assert oracle.delivered() == ["batch-1", "batch-2"]
    assert oracle.staged(COUNTS) == 0


def test_a_batch_without_rows_empties_its_scopes(oracle: Database, tmp_path: Path):
    oracle.target().deliver(
        batch(tmp_path, COUNTS, [scope(), scope(1)], counts(0, ["a"]) + counts(1, ["a"]), "batch-1")
    )
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], [], "batch-2"))
    assert set(seen(oracle)) == {("0810", "a")}


def test_a_name_that_was_delivered_is_not_delivered_again(oracle: Database, tmp_path: Path):
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"], car=1)))
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"], car=9)))
    assert seen(oracle) == {("0800", "a"): 1}


def test_empty_texts_are_nulls_as_oracle_has_it(oracle: Database, tmp_path: Path):
    row = {"source": "City", "camera": "a", "name": "", "view": ""}
    oracle.target().deliver(batch(tmp_path, CAMERAS, [Scope("City")], [row]))
    assert oracle.ask('SELECT "NAME", "VIEW" FROM "CAMERAS"') == [(None, None)]


def test_columns_that_others_added_are_left_alone(oracle: Database, tmp_path: Path):
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"]), "batch-1"))
    oracle.ask('ALTER TABLE "COUNTS" ADD ("THEIRS" NUMBER(3))')
    oracle.ask('UPDATE "COUNTS" SET "THEIRS" = 7', commit=True)
    oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "b"]), "batch-2"))
    assert oracle.ask('SELECT "CAMERA", "THEIRS" FROM "COUNTS" ORDER BY 1') == [("a", 7), ("b", None)]


# Refused rows


@pytest.mark.parametrize(
    ("direct", "says"),
    [
        (50_000, r"refused 2 rows, .*: City, c, 2026-05-01 08:00:00\+00:00, StubV1: ORA-12899.*; City, d, "),
        (1, "too long for its column; nothing is published"),  # the direct path does not say whose
    ],
)
def test_refused_rows_are_named_and_nothing_is_published(oracle: Database, tmp_path: Path, direct: int, says: str):
    target = oracle.target(direct_path_rows=direct)
    target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"], car=1), "batch-1"))
    rows = counts(0, ["a", "b"], car=2) + counts(0, ["c"], reason="x" * 1001) + counts(0, ["d"], reason="y" * 1001)
    with pytest.raises(AuditError, match=says):
        target.deliver(batch(tmp_path, COUNTS, [scope()], rows, "batch-2"))
    assert seen(oracle) == {("0800", "a"): 1}
    assert oracle.delivered() == ["batch-1"]
    target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "b"], car=2), "batch-2"))
    assert seen(oracle) == {("0800", "a"): 2, ("0800", "b"): 2}
    assert oracle.staged(COUNTS) == 0


def test_a_key_that_is_there_twice_is_refused(oracle: Database, tmp_path: Path):
    with pytest.raises(AuditError, match=r"a key is there twice; nothing is published \(ORA-(00001|30926)"):
        oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "a"])))
    assert seen(oracle) == {}
    assert oracle.delivered() == []


def test_a_key_without_a_value_is_refused(oracle: Database, tmp_path: Path):
    with pytest.raises(AuditError, match=r"City, , 2026.*ORA-01400"):
        oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", ""])))


def test_a_full_tablespace_among_the_rows_is_not_the_rows_fault(oracle: Database, tmp_path: Path):
    from oracledb import errors as driver

    class Full:
        def __init__(self, cursor):
            self._cursor = cursor

        def getbatcherrors(self):
            return [driver._Error("ORA-01653: unable to extend table", code=1653, offset=1)]

        def __getattr__(self, name):
            return getattr(self._cursor, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._cursor.close()

    class Session:
        def __init__(self, real):
            self._real = real

        def cursor(self):
            return Full(self._real.cursor())

        def __getattr__(self, name):
            return getattr(self._real, name)

    target = module.OracleTarget(lambda: Session(oracle.plain()))
    with pytest.raises(StoreFullError, match="Enlarge the tablespace"):
        target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "b"])))
    assert seen(oracle) == {}


# Errors at any call

KINDS = {
    3113: TransientError,
    3114: TransientError,
    "DPY-4011": TransientError,
    60: TransientError,
    8177: TransientError,
    1653: StoreFullError,
    1536: StoreFullError,
    942: ConfigError,
    1031: ConfigError,
    30926: AuditError,
    600: WaysideError,
}


@pytest.mark.parametrize("direct", [1, 50_000], ids=["direct path", "array binds"])
@pytest.mark.parametrize("code", KINDS, ids=str)
def test_an_error_at_any_call_leaves_the_old_rows_and_the_next_try_brings_the_new(
    oracle: Database, tmp_path: Path, code: int | str, direct: int
):
    target = oracle.target(direct_path_rows=direct)
    target.deliver(batch(tmp_path, COUNTS, [scope(), scope(1)], counts(0, ["a", "b"], car=0), "batch-0"))
    old, number, failed = seen(oracle), 0, True
    while failed:
        number += 1
        sent = batch(
            tmp_path, COUNTS, [scope(), scope(1)], counts(0, ["b"], car=number) + counts(1, ["c"]), f"batch-{number}"
        )
        oracle.connect.at(number, code)
        try:
            target.deliver(sent)
            failed = False
        except WaysideError as error:
            assert isinstance(error, KINDS[code])  # noqa: PT017
            assert seen(oracle) == old
            oracle.connect.at(0, 0)
            target.deliver(sent)
        assert seen(oracle) == {("0800", "b"): number, ("0810", "c"): 0}
        assert oracle.staged(COUNTS) == 0
        old = seen(oracle)
    assert number > 6
    assert len(oracle.delivered()) == number + 1


def test_a_commit_whose_answer_is_lost_is_not_done_again(oracle: Database, tmp_path: Path):
    target = oracle.target()
    target.prepare([COUNTS])
    oracle.connect.at(0, 0)
    target.deliver(batch(tmp_path, COUNTS, [scope(5)], counts(5, ["a"]), "batch-0"))
    sent = batch(tmp_path, COUNTS, [scope()], counts(0, ["a"], car=1))
    oracle.connect.at(len(oracle.connect.calls), 3113, after=True)
    with pytest.raises(TransientError, match="connection was lost"):
        target.deliver(sent)
    assert oracle.connect.calls[-1] == "commit"
    assert seen(oracle)["0800", "a"] == 1
    oracle.connect.at(0, 0)
    target.deliver(sent)
    assert not [call for call in oracle.connect.calls if call.startswith("MERGE")]
    assert oracle.delivered() == ["batch-0", "batch-1"]


@pytest.mark.parametrize("code", [1017, 12541, "DPY-6005"])
def test_who_cannot_log_on_is_told_why(oracle: Database, tmp_path: Path, code: int | str):
    oracle.connect.at(1, code)
    with pytest.raises(
        ConfigError if code == 1017 else TransientError, match="delivering counts to Oracle, batch batch-1"
    ):
        oracle.target().deliver(batch(tmp_path, COUNTS, [scope()], []))


def test_after_an_error_another_session_is_opened_and_else_the_same_is_used(oracle: Database, tmp_path: Path):
    target = oracle.target()
    for number in range(3):
        target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"]), f"batch-{number}"))
    assert oracle.connect.calls.count("connect") == 1
    oracle.connect.at(2, 60)
    with pytest.raises(TransientError):
        target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"]), "batch-3"))
    target.deliver(batch(tmp_path, COUNTS, [scope()], counts(0, ["a"]), "batch-3"))
    assert oracle.connect.calls.count("connect") == 1  # counted anew since the fault was set
    target.close()
    target.close()


def test_errors_of_other_kinds_also_roll_back(oracle: Database, tmp_path: Path):
    target = oracle.target()
    target.prepare([COUNTS])
    sent = batch(tmp_path, COUNTS, [scope()], counts(0, ["a"]))
    sent.path.unlink()
    with pytest.raises(TransientError, match="delivered by another process"):
        target.deliver(sent)
    assert oracle.delivered() == []


def test_rows_that_an_earlier_try_left_staged_do_not_count(oracle: Database, tmp_path: Path):
    sent = batch(tmp_path, COUNTS, [scope()], counts(0, ["a"], car=1))
    for direct in (1, 50_000):
        target = oracle.target(direct_path_rows=direct)
        target.prepare([COUNTS])
        names = '"WAYSIDE_BATCH", "SOURCE", "CAMERA", "SLOT", "PIPELINE", "FAULTY", "MISSING", "SCHEMA_VERSION"'
        oracle.ask(
            f"""INSERT INTO "WAYSIDE_STAGE_COUNTS" ({names})
            SELECT 'batch-1', 'City', 'ghost', SYSTIMESTAMP, 'StubV1', 0, 0, 1 FROM DUAL""",
            commit=True,
        )
        target.deliver(sent)
        assert seen(oracle) == {("0800", "a"): 1}
        assert oracle.staged(COUNTS) == 0
        oracle.ask("""DELETE FROM "WAYSIDE_BATCHES" """, commit=True)


def test_rows_that_a_process_given_up_still_loads_are_noticed(oracle: Database, tmp_path: Path):
    sent = batch(tmp_path, COUNTS, [scope()], counts(0, ["a", "b"], car=1))

    class Doubling:
        """A session whose direct path brings the rows once more: those of a process that was killed and lives on."""

        def __init__(self, real):
            self._real = real

        def direct_path_load(self, *arguments, **more):
            self._real.direct_path_load(*arguments, **more)
            self._real.direct_path_load(*arguments, **more)

        def __getattr__(self, name):
            return getattr(self._real, name)

    target = module.OracleTarget(lambda: Doubling(oracle.plain()), direct_path_rows=1)
    with pytest.raises(TransientError, match="has 2 rows and 4 are staged"):
        target.deliver(sent)
    assert seen(oracle) == {}
    oracle.target().deliver(sent)
    assert set(seen(oracle)) == {("0800", "a"), ("0800", "b")}
