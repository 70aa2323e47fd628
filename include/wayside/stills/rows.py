"""From an analysis to rows of `detections` and `counts`, and from those to the summary of a slot's run."""

from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES
from wayside.stills.still import Analysis, StillPipeline
from wayside.warehouse.scope import Scope

Row = dict[str, Any]

EXPIRED: Final = "expired"
"""Reason of a count whose frame is ok and whose picture is no longer in the store."""


def count_row(source: str, camera: str, slot: Slot, pipeline: StillPipeline, analysis: Analysis) -> Row:
    """Return the one row that every camera of an analysed slot gets, whatever happened."""
    counts = analysis.counts or {}
    return {
        "source": source,
        "camera": camera,
        "slot": slot.start,
        "pipeline": pipeline.name,
        **{name: counts.get(name) for name in COUNT_CLASSES},
        "faulty": analysis.outcome == "faulty",
        "missing": analysis.outcome == "missing",
        "reason": analysis.reason,
        "neighbours": analysis.neighbours,
        "model_sha256": pipeline.model_sha256,
    }


def detection_rows(source: str, camera: str, slot: Slot, pipeline: StillPipeline, analysis: Analysis) -> list[Row]:
    """Return a row for every object found, static ones included and marked; none for an unusable picture."""
    found = analysis.detections
    if found is None:
        return []
    shares = analysis.static.moving_share.tolist() if analysis.static else [None] * len(found.labels)
    static = analysis.is_static().tolist()
    rows = []
    for ordinal, (label, score, box) in enumerate(
        zip(found.labels, found.scores.tolist(), found.boxes.tolist(), strict=True)
    ):
        rows.append(
            {
                "source": source,
                "camera": camera,
                "slot": slot.start,
                "pipeline": pipeline.name,
                "ordinal": ordinal,
                "label": label,
                "score": score,
                **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
                "moving_share": shares[ordinal],
                "static": static[ordinal],
                "model": pipeline.detector.name if pipeline.detector else None,
                "model_sha256": pipeline.model_sha256,
            }
        )
    return rows


def slot_run_row(scope: Scope, analysed: Slot, frames: pa.Table, counts: pa.Table, detections: pa.Table) -> Row:
    """Return the summary of a slot's run: the slot's frames, and the counts and detections of the slot `analysed`."""
    statuses = Counter(frames["status"].to_pylist())
    unusable = pc.or_(counts["faulty"], counts["missing"])
    hashes = [value for value in counts["model_sha256"].unique().to_pylist() if value]
    return {
        "source": scope.source,
        "slot": scope.slot.start if scope.slot else None,
        "pipeline": scope.pipeline,
        "cameras": statuses.total(),
        "fetched": statuses["ok"],
        "missing": statuses["missing"],
        "failed": statuses["failed"],
        "analysed_slot": analysed.start,
        "analysed": pc.sum(pc.invert(unusable)).as_py() or 0,
        "faulty": pc.sum(counts["faulty"]).as_py() or 0,
        "detections": pc.sum(pc.invert(detections["static"])).as_py() or 0,
        "model_sha256": hashes[0] if hashes else None,
    }
