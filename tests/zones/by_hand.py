"""Six real videos that were counted by hand, and the boxes that our detector sees in them.

`python -m tests.zones.by_hand` looks at the videos again and writes the boxes anew; the videos are no part of the
project. The boxes are rounded: to a ten thousandth of the picture, and scores to a thousandth.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.settings import Settings
from wayside.counting.accuracy import Accuracy, Passage, read_passages
from wayside.counting.events import Look
from wayside.counting.options import ImprovedOptions
from wayside.counting.zones import ZoneSet
from wayside.media.detect import scan
from wayside.media.probe import VideoLimits, probe
from wayside.vision.detector import Detector, load_detector
from wayside.zones.options import LEAST_SCORE

FOLDER = Path(__file__).parent / "hand_counts"
BOXES = FOLDER / "boxes.parquet"
MODEL, FPS = "WaysideV1", 5.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES = ("x1", "y1", "x2", "y2")
_PARTS, _MILLE = 10_000, 1_000


@dataclass(frozen=True)
class Counted:
    """A video that was counted by hand: its name, zones and lines, how counting is told, and the hand count."""

    name: str
    zones: ZoneSet
    options: ImprovedOptions
    hand: list[Passage]

    @classmethod
    def read(cls, name: str) -> "Counted":
        """Read what lies in the folder of hand counts."""
        shapes = json.loads((FOLDER / f"{name}.zones.json").read_text())
        told = FOLDER / f"{name}.options.json"
        return cls(
            name,
            ZoneSet.parse(shapes["zones"], shapes["lines"]),
            ImprovedOptions.model_validate_json(told.read_text() if told.exists() else "{}"),
            read_passages((FOLDER / f"{name}.csv").read_text()),
        )


@dataclass(frozen=True)
class Seen:
    """What the detector saw of a video: its looks, width over height, and length in seconds."""

    looks: list[Look]
    aspect: float
    seconds: float


def all_counted() -> list[Counted]:
    return [Counted.read(path.stem) for path in sorted(FOLDER.glob("*.csv"))]


def recorded() -> dict[str, Seen]:
    """Read the boxes."""
    read = pq.read_table(BOXES)
    rows: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in read.to_pylist():
        rows[row["video"], row["look"]].append(row)
    return {
        name: Seen(
            [_look(name, offset, rows[name, look]) for look, offset in enumerate(video["offsets_us"])],
            video["aspect"],
            video["seconds"],
        )
        for name, video in json.loads(read.schema.metadata[b"videos"]).items()
    }


def _look(name: str, offset_us: int, rows: list[dict[str, Any]]) -> Look:
    boxes = np.array([[row[side] / _PARTS for side in _SIDES] for row in rows], np.float32).reshape(-1, 4)
    scores = np.array([row["score"] / _MILLE for row in rows], np.float32)
    return Look(EPOCH + timedelta(microseconds=offset_us), name, boxes, tuple(row["label"] for row in rows), scores)


def record(videos: Path, detector: Detector) -> None:
    """Look at all videos and write the boxes."""
    about: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for counted in all_counted():
        path = videos / f"{counted.name}.mp4"
        told, found = (
            probe(path, VideoLimits()),
            scan(path, start_at=EPOCH, detector=detector, fps=FPS, floor=LEAST_SCORE),
        )
        about[counted.name] = {
            "aspect": told.width / told.height,
            "seconds": told.duration_s,
            "offsets_us": found.offsets_us,
        }
        rows += [
            {"video": counted.name, "look": look, "label": label, "score": round(float(score) * _MILLE)}
            | dict(zip(_SIDES, np.rint(np.clip(box, 0, 1) * _PARTS).astype(int).tolist(), strict=True))
            for look, one in enumerate(found.found)
            for box, label, score in zip(one.boxes, one.labels, one.scores, strict=True)
        ]
    text = pa.dictionary(pa.int8(), pa.string())
    numbers = [(name, pa.uint16()) for name in ("look", "score", *_SIDES)]
    metadata = {"videos": json.dumps(about), "pipeline": f"Fps{FPS:g}_{MODEL}", "model_sha256": detector.sha256}
    schema = pa.schema([("video", text), ("label", text), *numbers], metadata)
    pq.write_table(pa.Table.from_pylist(rows, schema), BOXES, compression="zstd", compression_level=19)


def table(found: dict[str, Accuracy]) -> str:
    """Write figures as a table."""
    lines = [f"{'':30}{'hand':>6}{'ours':>6}{'right':>6}{'prec':>7}{'recall':>7}{'GEH':>7}{'late':>7}"]
    for name, one in found.items():
        shares = f"{one.precision or 0:7.2f}{one.recall or 0:7.2f}{one.overall_geh:7.2f}{one.late_s or 0:+7.2f}"
        lines.append(f"{name:30}{one.hand:6}{one.ours:6}{one.right:6}{shares}")
    return "\n".join(lines)


def together(found: Iterable[Accuracy]) -> Accuracy:
    """Take several comparisons as one."""
    some = list(found)
    return Accuracy(
        tuple(pair for one in some for pair in one.pairs),
        tuple(passage for one in some for passage in one.missed),
        tuple(passage for one in some for passage in one.extra),
        seconds=sum(one.seconds for one in some),
    )


if __name__ == "__main__":
    data = Path(os.environ.get("WAYSIDE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    record(data / "videos", load_detector(MODEL, Settings(device="cpu"), score=LEAST_SCORE))
