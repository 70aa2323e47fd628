"""The audit: each thing that it can complain of, and that sound rows pass."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from tests.tables import Row, count_rows, detection_rows, frame_rows, whole_scope

from wayside.core.errors import AuditError, ConfigError
from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNT_CLASSES, COUNTS, DETECTIONS, FRAMES, SLOT_RUNS, TABLES, Table
from wayside.warehouse.audit import audit, audit_together
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot.parse("20260616T0700Z")
SCOPE = Scope("City", SLOT, "StubV1")
NONE = dict.fromkeys(COUNT_CLASSES)


def check(table: Table, rows: list[Row]) -> None:
    audit(table, SCOPE, to_arrow(table, rows))


def test_sound_rows_pass():
    check(FRAMES, frame_rows(SCOPE, ["a", "b"]) + frame_rows(SCOPE, ["c"], status="missing", sha256=None))
    check(COUNTS, count_rows(SCOPE, ["a"]) + count_rows(SCOPE, ["b"], **NONE, faulty=True, reason="dark"))
    check(DETECTIONS, detection_rows(SCOPE, "a", ["car", "bus"]) + detection_rows(SCOPE, "b", ["car"]))
    audit(CAMERAS, Scope("City"), to_arrow(CAMERAS, [{"source": "City", "camera": "a", "name": "x"}]))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_rows_are_sound(table: Table):
    audit(table, whole_scope(), table.schema.empty_table())


Spoil = Callable[[pa.Table], pa.Table]


def cast(column: str, kind: pa.DataType) -> Spoil:
    return lambda rows: rows.set_column(rows.schema.get_field_index(column), column, rows[column].cast(kind))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows.drop_columns("status"),
        lambda rows: rows.append_column("extra", rows["camera"]),
        lambda rows: rows.rename_columns(["quelle", *rows.schema.names[1:]]),
        lambda rows: rows.select(rows.schema.names[::-1]),
        cast("bytes", pa.int32()),
        cast("slot", pa.timestamp("us")),
    ],
)
def test_another_schema(spoil: Spoil):
    with pytest.raises(AuditError, match="its schema is not the one of frames"):
        audit(FRAMES, SCOPE, spoil(to_arrow(FRAMES, frame_rows(SCOPE, ["a"]))))


def test_the_descriptions_of_a_schema_do_not_matter():
    audit(FRAMES, SCOPE, pa.Table.from_pylist(to_arrow(FRAMES, frame_rows(SCOPE, ["a"])).to_pylist(),
                                              schema=FRAMES.schema.remove_metadata()))  # fmt: skip


COMPLAINTS: dict[str, tuple[Table, list[Row], str]] = {
    "null": (FRAMES, frame_rows(SCOPE, ["a", "b"], fetched_at=None), "2 rows have no fetched_at"),
    "other source": (FRAMES, frame_rows(SCOPE, ["a"], source="Town"), "1 rows have another source"),
    "other slot": (FRAMES, frame_rows(SCOPE, ["a"], slot=SLOT.next.start), "1 rows have another slot"),
    "other pipeline": (COUNTS, count_rows(SCOPE, ["a"], pipeline="StubV2"), "1 rows have another pipeline"),
    "null scope": (COUNTS, count_rows(SCOPE, ["a"], pipeline=None), "1 rows have another pipeline"),
    "doubled": (FRAMES, frame_rows(SCOPE, ["a", "b", "b"]), r"1 keys are doubled, the first .*'camera': 'b'"),
    "doubled box": (DETECTIONS, detection_rows(SCOPE, "a", ["car"]) * 2, "1 keys are doubled"),
    "status": (FRAMES, frame_rows(SCOPE, ["a"], status="lost"), r"unknown status \['lost'\]"),
    "no hash": (FRAMES, frame_rows(SCOPE, ["a"], sha256=None), "a frame is ok but has no hash"),
    "both flags": (COUNTS, count_rows(SCOPE, ["a"], **NONE, faulty=True, missing=True), "both faulty and missing"),
    "faulty counts": (COUNTS, count_rows(SCOPE, ["a"], faulty=True), "a faulty or missing row counts bus"),
    "missing counts": (COUNTS, count_rows(SCOPE, ["a"], **(NONE | {"van": 0}), missing=True), "row counts van"),
    "broken": (
        COUNTS,
        count_rows(SCOPE, ["a", "b"], **NONE, faulty=True, reason="analysis_MemoryError") + count_rows(SCOPE, ["c"]),
        "2 of 3 analyses broke",
    ),
    "left": (DETECTIONS, detection_rows(SCOPE, "a", ["car"], x1=-0.1), r"a box leaves the picture \(x1, x2\)"),
    "right": (DETECTIONS, detection_rows(SCOPE, "a", ["car"], x2=1.01), r"a box leaves the picture \(x1, x2\)"),
    "bottom": (DETECTIONS, detection_rows(SCOPE, "a", ["car"], y2=1.01), r"a box leaves the picture \(y1, y2\)"),
    "turned": (DETECTIONS, detection_rows(SCOPE, "a", ["car"], y1=0.9), r"a box leaves the picture \(y1, y2\)"),
    "not a number": (DETECTIONS, detection_rows(SCOPE, "a", ["car"], x1=float("nan")), "a box leaves the picture"),
}


@pytest.mark.parametrize(("table", "rows", "complaint"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_each_complaint(table: Table, rows: list[Row], complaint: str):
    with pytest.raises(AuditError, match=complaint) as caught:
        check(table, rows)
    assert str(caught.value).startswith(f"{table.name} of City 20260616T0700Z StubV1 is not published: ")


def test_half_of_the_analyses_may_break():
    broken: dict[str, Any] = {**NONE, "faulty": True, "reason": "analysis_MemoryError"}
    check(COUNTS, count_rows(SCOPE, ["a", "b"], **broken) + count_rows(SCOPE, ["c", "d"]))


@pytest.mark.parametrize("others", [[], ["b"]])
def test_one_analysis_that_broke_is_no_reason_to_publish_nothing(others: list[str]):
    broken: dict[str, Any] = {**NONE, "faulty": True, "reason": "analysis_MemoryError"}
    check(COUNTS, count_rows(SCOPE, ["a"], **broken) + count_rows(SCOPE, others))
    with pytest.raises(AuditError, match="2 of 2 analyses broke"):
        check(COUNTS, count_rows(SCOPE, ["a", "b"], **broken))


def test_all_that_is_wrong_is_told_at_once():
    rows = frame_rows(SCOPE, ["a", "a"], fetched_at=None, source="Town", status="lost")
    with pytest.raises(AuditError, match=r"no fetched_at; .*another source; .*doubled.*; unknown status"):
        check(FRAMES, rows)


def test_counts_that_are_those_of_the_detections_pass():
    audit_together(
        SCOPE,
        to_arrow(COUNTS, count_rows(SCOPE, ["a"], car=2, bus=1) + count_rows(SCOPE, ["b"], **NONE, missing=True)),
        to_arrow(DETECTIONS, [
            *detection_rows(SCOPE, "a", ["bus", "car", "car", "dog"]),
            *detection_rows(SCOPE, "c", ["car"], static=True),
        ]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "detections"),
    [
        (count_rows(SCOPE, ["a"], car=1), []),
        (count_rows(SCOPE, ["a"]), detection_rows(SCOPE, "a", ["car"])),
        (count_rows(SCOPE, ["a"], car=2), detection_rows(SCOPE, "a", ["car"])),
        (count_rows(SCOPE, ["a"], car=1), detection_rows(SCOPE, "a", ["car"], static=True)),
        (count_rows(SCOPE, ["a"], car=1), detection_rows(SCOPE, "a", ["van"])),
        (count_rows(SCOPE, ["a"], car=1), detection_rows(SCOPE, "b", ["car"])),
        (count_rows(SCOPE, ["a"], **NONE, missing=True), detection_rows(SCOPE, "a", ["car"])),
    ],
)
def test_counts_that_are_not_those_of_the_detections_are_refused(counts: list[Row], detections: list[Row]):
    with pytest.raises(AuditError, match="they differ from the detections"):
        audit_together(SCOPE, to_arrow(COUNTS, counts), to_arrow(DETECTIONS, detections))


def test_a_scope_has_to_be_whole():
    with pytest.raises(ConfigError, match="counts is published by source, slot, pipeline; got City 20260616T0700Z"):
        Scope("City", SLOT).values(COUNTS)
    with pytest.raises(ConfigError, match="frames is published by"):
        Scope("City").path(FRAMES)


def test_a_scope_names_its_folder():
    assert str(SCOPE.path(COUNTS)) == "source=City/pipeline=StubV1/day=20260616/0700"
    assert str(SCOPE.path(FRAMES)) == "source=City/day=20260616/0700"
    assert str(SCOPE.path(CAMERAS)) == "source=City/all"
    assert str(Scope("City").path(CAMERAS)) == "source=City/all"
    assert Scope("City", SLOT, "StubV1").values(SLOT_RUNS) == {
        "source": "City",
        "slot": SLOT.start,
        "pipeline": "StubV1",
    }


@pytest.mark.parametrize(("source", "pipeline"), [("../x", None), ("a/b", None), ("City", "a/../b"), ("City", "../X")])
def test_a_scope_has_valid_names(source: str, pipeline: str | None):
    with pytest.raises(ConfigError):
        Scope(source, SLOT, pipeline)


def test_only_the_cameras_that_were_put_in_are_compared():
    counts = to_arrow(COUNTS, count_rows(SCOPE, ["a"], car=1) + count_rows(SCOPE, ["b"], car=2))
    detections = to_arrow(DETECTIONS, detection_rows(SCOPE, "a", ["car"]))
    audit_together(SCOPE, counts, detections, ["a"])
    with pytest.raises(AuditError, match="differ from the detections"):
        audit_together(SCOPE, counts, detections, ["a", "b"])
    with pytest.raises(AuditError, match="differ from the detections"):
        audit_together(SCOPE, counts, detections)
