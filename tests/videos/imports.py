"""Small imports for tests: an archive in a folder, and a run over it with a clock that stands still."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from tests.videos.archive import PATTERN, START, clips, distinct
from tests.videos.labelling import label

from wayside.core.settings import Settings
from wayside.core.tables import TABLES
from wayside.videos.importer import Importer
from wayside.videos.job import new_job
from wayside.videos.labellers.base import EventPictures, LabelFailure, Labelled
from wayside.videos.process import Cutter, Done

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
Say = Callable[[EventPictures], Labelled | LabelFailure]


@lru_cache(maxsize=1)
def made() -> dict[str, bytes]:
    folder = Path(tempfile.mkdtemp(prefix="wayside-clips-"))
    try:
        return clips(folder)
    finally:
        shutil.rmtree(folder)


def name(number: int, camera: str = "BOW", folder: str = "a") -> str:
    """A file's key: number of the video, 97 seconds after the one before."""
    return f"{folder}/{camera}-{number:04}-{int(START.timestamp()) + 97 * number}.mp4"


def put(root: Path, key: str, number: int = 0, kind: str = "h264") -> Path:
    """Write the video of a number; the same number and kind give the same bytes."""
    path = root / "in" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(distinct(made()[kind], number))
    return path


def importer(root: Path, run: str = "run-1", **changes: Any) -> Importer:
    settings = Settings(state=root / "state", workers=2, device="cpu", _env_file=None)
    told = {"source": "Boat", "who": "tests", "pattern": PATTERN, "labeller": "hook:test.py"} | changes
    return Importer(settings, new_job(input=str(root / "in"), run=run, **told), clock=lambda: NOW)


def do(work: Importer, say: Say = label) -> list[Done]:
    """Scan, plan, process, label and publish."""
    work.scan()
    done = []
    for shard in work.plan():
        done += work.process(shard)
        for event in work.to_label(shard):
            work.labelled(event.event, say(event))
    work.publish()
    return done


def rows(work: Importer, table: str) -> list[dict[str, Any]]:
    lake = work.warehouse
    return [row for scope in lake.scopes(TABLES[table]) for row in lake.read(TABLES[table], scope).to_pylist()]


def files(work: Importer) -> dict[str, tuple[str, str | None]]:
    """Status and reason of each file."""
    return {row["file"]: (row["status"], row["reason"]) for row in rows(work, "video_files")}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often each content is decoded."""
    counts: Counter[str] = Counter()
    cut = Cutter._cut

    def counted(self: Cutter, content: Any) -> Any:
        counts[content.first_file] += 1
        return cut(self, content)

    monkeypatch.setattr(Cutter, "_cut", counted)
    return counts
