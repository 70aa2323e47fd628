"""From an analysis to rows of `detections` and `counts`."""

from typing import Any

from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES
from wayside.stills.still import Analysis, StillPipeline

Row = dict[str, Any]


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
