"""Rows of some cameras put beside those of others, which a killed publisher may have left uneven."""

from pathlib import Path

from tests.stubs import STUB, pipeline
from tests.tables import count_rows, detection_rows, frame_rows

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, DETECTIONS, FRAMES
from wayside.stills.splice import publishing, splice_counts
from wayside.stills.still import Analysis
from wayside.stills.window import ABSENT, Looked
from wayside.store import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot.parse("20260616T0700Z")
SCOPE = Scope("City", SLOT, STUB)


def filled(folder: Path) -> ParquetWarehouse:
    """Cameras a and b with a car each, of which a killed publisher has put the detections of a alone."""
    lake = ParquetWarehouse(folder / "lake")
    frames = frame_rows(SCOPE, ["a"]) + frame_rows(SCOPE, ["b"], status="missing", reason="no_picture", sha256=None)
    lake.publish(FRAMES, Scope("City", SLOT), to_arrow(FRAMES, frames))
    lake.publish(COUNTS, SCOPE, to_arrow(COUNTS, count_rows(SCOPE, ["a", "b"], car=1)))
    rows = detection_rows(SCOPE, "a", ["car", "car"]) + detection_rows(SCOPE, "b", ["car"])
    lake.publish(DETECTIONS, SCOPE, to_arrow(DETECTIONS, rows))
    return lake


def test_a_shard_is_not_stopped_by_what_another_left_half_done(tmp_path: Path, settings: Settings):
    lake, stub = filled(tmp_path), pipeline(settings)
    looked = [Looked("b", SLOT, (ABSENT, ABSENT, ABSENT), {STUB: Analysis("missing")})]
    with publishing(lake, "City"):
        done = splice_counts(lake, LocalStore(tmp_path / "pictures"), "City", looked, {STUB: stub}, {})
    assert (done.changed, done.overtaken) == (1, set())
    rows = {row["camera"]: row for row in lake.read(COUNTS, SCOPE).to_pylist()}
    assert rows["b"]["missing"]
    assert rows["a"]["car"] == 1
    assert set(lake.read(DETECTIONS, SCOPE)["camera"].to_pylist()) == {"a"}
