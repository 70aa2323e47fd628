"""The audit between writing and publishing: rows that fail it are never seen by a reader.

Each check returns the complaint as text, so that one run reports everything that is wrong at once.
"""

from collections.abc import Collection, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.errors import AuditError
from wayside.core.tables import COUNT_CLASSES, COUNTS, DETECTIONS, FRAME_STATUSES, FRAMES, Table
from wayside.warehouse.scope import Scope

BROKEN: Final = "analysis_"  # how the reason of a row begins whose analysis itself failed


def audit(table: Table, scope: Scope, rows: pa.Table) -> None:
    """Check `rows` of one scope; raise `AuditError` that lists every complaint."""
    complaints = list(_schema(table, rows)) or [
        *_nulls(table, rows),
        *_scope(table, scope, rows),
        *_keys(table, rows),
        *_meaning(table, rows),
    ]
    if complaints:
        raise AuditError(f"{table.name} of {scope} is not published: {'; '.join(complaints)}")


def audit_together(
    scope: Scope, counts: pa.Table, detections: pa.Table, cameras: Collection[str] | None = None
) -> None:
    """Check both, and that the counts are the numbers of counted detections, camera by camera and class by class.

    Neither may be published before both have passed. Counts and detections of `cameras` alone are compared, where these
    are given: whoever puts rows of some cameras beside those of others cannot mend the others, which a publisher that
    was killed between the two tables may have left uneven, and who mends them when it is run again.
    """
    audit(COUNTS, scope, counts)
    audit(DETECTIONS, scope, detections)
    if cameras is not None:
        mine = pa.array(sorted(cameras), pa.string())
        counts = counts.filter(pc.is_in(counts["camera"], mine))
        detections = detections.filter(pc.is_in(detections["camera"], mine))
    counted = detections.filter(pc.invert(detections["static"]))
    seen = {
        (row["camera"], row["label"]): row["ordinal_count"]
        for row in counted.group_by(["camera", "label"]).aggregate([("ordinal", "count")]).to_pylist()
    }
    said = {
        (row["camera"], name): row[name]
        for row in counts.select(["camera", *COUNT_CLASSES]).to_pylist()
        for name in COUNT_CLASSES
        if row[name]
    }
    expected = {key: number for key, number in seen.items() if key[1] in COUNT_CLASSES}
    if said != expected:
        odd = sorted(said.items() ^ expected.items())[:3]
        raise AuditError(f"counts of {scope} are not published: they differ from the detections at {odd}")


def _schema(table: Table, rows: pa.Table) -> Iterator[str]:
    if not rows.schema.equals(table.schema, check_metadata=False):
        yield f"its schema is not the one of {table.name}"


def _nulls(table: Table, rows: pa.Table) -> Iterator[str]:
    for field in table.schema:
        if not field.nullable and rows[field.name].null_count:
            yield f"{rows[field.name].null_count} rows have no {field.name}"


def _scope(table: Table, scope: Scope, rows: pa.Table) -> Iterator[str]:
    for column, value in scope.values(table).items():
        inside = pc.equal(rows[column], pa.scalar(value, table.schema.field(column).type))
        if outside := rows.num_rows - (pc.sum(inside).as_py() or 0):
            yield f"{outside} rows have another {column}"


def _keys(table: Table, rows: pa.Table) -> Iterator[str]:
    groups = rows.group_by(list(table.key)).aggregate([([], "count_all")])
    doubled = groups.filter(pc.greater(groups["count_all"], 1))
    if doubled.num_rows:
        first = doubled.select(list(table.key)).slice(0, 1).to_pylist()[0]
        yield f"{doubled.num_rows} keys are doubled, the first {first}"


def _meaning(table: Table, rows: pa.Table) -> Iterator[str]:
    rules = {FRAMES.name: _frames, COUNTS.name: _counts, DETECTIONS.name: _detections}
    if rule := rules.get(table.name):
        yield from rule(rows)


def _frames(rows: pa.Table) -> Iterator[str]:
    unknown = set(rows["status"].unique().to_pylist()) - set(FRAME_STATUSES)
    if unknown:
        yield f"unknown status {sorted(unknown)}"
    bare = pc.and_(pc.equal(rows["status"], "ok"), pc.is_null(rows["sha256"]))
    if pc.any(bare).as_py():
        yield "a frame is ok but has no hash"


def _counts(rows: pa.Table) -> Iterator[str]:
    if pc.any(pc.and_(rows["faulty"], rows["missing"])).as_py():
        yield "a row is both faulty and missing"
    unusable = pc.or_(rows["faulty"], rows["missing"])
    for name in COUNT_CLASSES:
        if pc.any(pc.and_(unusable, pc.is_valid(rows[name]))).as_py():
            yield f"a faulty or missing row counts {name}"
    broken = pc.sum(pc.starts_with(rows["reason"], pattern=BROKEN)).as_py() or 0
    if broken > 1 and broken * 2 > rows.num_rows:  # one alone may be the picture's fault, of a source with one camera
        yield f"{broken} of {rows.num_rows} analyses broke"


def _detections(rows: pa.Table) -> Iterator[str]:
    for low, high in (("x1", "x2"), ("y1", "y2")):
        inside = pc.and_(pc.greater_equal(rows[low], 0.0), pc.less_equal(rows[high], 1.0))
        fine = pc.and_(inside, pc.less_equal(rows[low], rows[high]))
        if pc.any(pc.invert(fine)).as_py():
            yield f"a box leaves the picture ({low}, {high})"
