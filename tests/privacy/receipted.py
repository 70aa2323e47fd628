"""Receipts for tests: valid ones, to be chained or to be spoilt."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from wayside.privacy.receipts import FileFacts, LeakScan, Original, Receipt, ReceiptObject, UsedModel
from wayside.privacy.settings import Fill, Finding, Output

NOON = datetime(2026, 6, 16, 12, tzinfo=UTC)
SOURCE = "Inbox-1"


def facts(content: str) -> FileFacts:
    return FileFacts(sha256=hashlib.sha256(content.encode()).hexdigest(), size=len(content), width=2692, height=1032)


def receipt(number: int = 0, **changes: Any) -> Receipt:
    """The receipt of one of many pictures."""
    fields: dict[str, Any] = {
        "source": SOURCE,
        "photo": f"06/2018/Fy06_Ev134_m{number:05}.jpg",
        "input": facts(f"original {number}"),
        "output": facts(f"anonymised {number}"),
        "models": (UsedModel(name="StubV1", sha256="a" * 64, licence="MIT", thresholds={"car": 0.25}),),
        "finding": Finding(),
        "fill": Fill(),
        "writing": Output(),
        "objects": (ReceiptObject(label="car", box=(1, 2, 31, 22), area=600, score=0.87654321, model="StubV1"),),
        "hidden_share": 600 / (2692 * 1032),
        "mode": "lossless",
        "leaks": LeakScan(),
        "tool": "Wayside 0.1.0",
        "profile": "planar",
        "profile_sha256": "b" * 64,
        "run": "run-1",
        "operator": "kari",
        "time": NOON,
        "original": Original(fate="kept"),
    }
    return Receipt(**(fields | changes))


def gone(number: int, **changes: Any) -> Receipt:
    """The receipt of a picture whose original was deleted."""
    was = facts(f"original {number}")
    fate = Original(fate="deleted", deleted_at=NOON, verified_sha256=was.sha256, verified_size=was.size)
    return receipt(number, original=fate, **changes)
