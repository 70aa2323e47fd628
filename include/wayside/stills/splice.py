"""Some cameras' rows put into slots that are published already; the rows of all other cameras stay as they are.

To splice is to read, change and publish, so it is done under a lock, one for each source, that the stages of a live
slot take too. Rows are made before the lock is held, and a picture may be replaced meanwhile. So each still comes with
the hashes of the pictures that it was made from, and one that was overtaken is left out: whoever replaced the picture
analyses it again, and publishes its frame last, so that the work is found undone until it is done.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, DETECTIONS, FRAMES, SLOT_RUNS
from wayside.stills.rows import EXPIRED, Row, count_row, detection_rows, slot_run_row
from wayside.stills.still import Analysis, StillPipeline
from wayside.stills.window import ABSENT, Looked
from wayside.store import Store, picture_key
from wayside.warehouse.audit import audit_together
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

Frames = Mapping[Slot, Mapping[str, Row]]
Key = tuple[str, Slot]


@contextmanager
def publishing(warehouse: ParquetWarehouse, source: str) -> Iterator[None]:
    """Be the only one, of threads and processes, that splices or publishes slots of a source. Not to be nested."""
    with locked(warehouse.root / "locks" / source):
        yield


@dataclass
class Spliced:
    """What became of stills: how many rows of `counts` differ from before, and which stills were overtaken."""

    changed: int = 0
    overtaken: set[Key] = field(default_factory=set)


def splice_counts(
    warehouse: ParquetWarehouse,
    store: Store,
    source: str,
    looked: Iterable[Looked],
    pipelines: Mapping[str, StillPipeline],
    news: Frames,
) -> Spliced:
    """Publish the counts and detections of stills, slot by slot. The caller holds `publishing`.

    A published row stays where the new one would be made from fewer pictures, because they have expired since.

    Args:
        warehouse: where the rows go.
        store: where the pictures lie, to see whether one was replaced.
        source: the source of all cameras.
        looked: the stills.
        pipelines: the pipelines that looked at them, by name.
        news: rows of `frames` that will take the place of the published ones, by slot and camera.

    Raises:
        AuditError: the rows of a slot are not fit to be seen; the slots before it are published.
    """
    by_slot: defaultdict[Slot, list[Looked]] = defaultdict(list)
    for one in looked:
        by_slot[one.slot].append(one)
    done = Spliced()
    known = _Known(warehouse, store, source, news)
    for slot in sorted(by_slot):
        fresh = [one for one in by_slot[slot] if not known.overtaken(one)]
        done.overtaken |= {(one.camera, slot) for one in by_slot[slot]} - {(one.camera, slot) for one in fresh}
        for name, pipeline in pipelines.items():
            analyses = {one.camera: one for one in fresh if name in one.analyses}
            if analyses:
                done.changed += _splice_slot(warehouse, Scope(source, slot, name), analyses, pipeline, known)
    return done


def splice_frames(warehouse: ParquetWarehouse, source: str, news: Frames) -> int:
    """Publish new rows of `frames`, each where it says more than the published one; return how many did.

    The caller holds `publishing`. More is said by a picture than by none, by another picture than the one that was
    there, and by any row where there was none.
    """
    put = 0
    for slot in sorted(news):
        scope = Scope(source, slot)
        rows = {row["camera"]: row for row in warehouse.read(FRAMES, scope).to_pylist()}
        more = {camera: row for camera, row in news[slot].items() if _says_more(row, rows.get(camera))}
        if more:
            warehouse.publish(FRAMES, scope, to_arrow(FRAMES, list((rows | more).values())))
        put += len(more)
    return put


def roll_slot_runs(
    warehouse: ParquetWarehouse, source: str, slots: Iterable[Slot], pipeline: str, *, fill: bool = True
) -> None:
    """Bring the summaries of slots up to date with frames and counts, and `fill` in those that nobody has written.

    There is one for every slot that has frames, once it or the slot before it is analysed. The caller holds
    `publishing`.
    """
    for slot in slots:
        scope = Scope(source, slot, pipeline)
        frames, known = warehouse.read(FRAMES, scope), warehouse.read(SLOT_RUNS, scope)
        before = Scope(source, slot.previous, pipeline)
        analysed_by_now = warehouse.published(COUNTS, scope) or warehouse.published(COUNTS, before)
        if not frames.num_rows or not (known.num_rows or (fill and analysed_by_now)):
            continue
        analysed = Slot(known["analysed_slot"][0].as_py()) if known.num_rows else slot.previous
        there = Scope(source, analysed, pipeline)
        row = slot_run_row(scope, analysed, frames, warehouse.read(COUNTS, there), warehouse.read(DETECTIONS, there))
        rows = to_arrow(SLOT_RUNS, [row])
        if not rows.equals(known):
            warehouse.publish(SLOT_RUNS, scope, rows)


class _Known:
    """The pictures that are known while the lock is held: by the frames, and in doubt by a look into the store."""

    def __init__(self, warehouse: ParquetWarehouse, store: Store, source: str, news: Frames) -> None:
        self._warehouse = warehouse
        self._store = store
        self._source = source
        self._news = news
        self._published: dict[Slot, dict[str, Row]] = {}
        self._hashes: dict[Key, str] = {}

    def frame(self, camera: str, slot: Slot) -> Row | None:
        """Return the row of a still as it will be published."""
        return self._news.get(slot, {}).get(camera) or self._frames(slot).get(camera)

    def is_new(self, camera: str, slot: Slot) -> bool:
        """Tell whether the still has another picture than its published frame says."""
        row = self._news.get(slot, {}).get(camera)
        return row is not None and row["status"] == "ok"

    def overtaken(self, one: Looked) -> bool:
        """Tell whether one of the three pictures is another by now."""
        near = zip((one.slot.previous, one.slot, one.slot.next), one.hashes, strict=True)
        return any(self._is_another(one.camera, slot, sha256) for slot, sha256 in near)

    def lost(self, one: Looked) -> bool:
        """Tell whether one of the three pictures was there once and was not for the analysis: it has expired."""
        near = zip((one.slot.previous, one.slot, one.slot.next), one.hashes, strict=True)
        frames = ((self.frame(one.camera, slot), sha256) for slot, sha256 in near)
        return any(sha256 == ABSENT and frame is not None and frame["status"] == "ok" for frame, sha256 in frames)

    def _is_another(self, camera: str, slot: Slot, sha256: str) -> bool:
        published = self._frames(slot).get(camera)
        if published is not None and (published["sha256"] or ABSENT) == sha256:
            return False
        return self._stored(camera, slot, sha256) != sha256

    def _stored(self, camera: str, slot: Slot, expected: str) -> str:
        """Return the hash of what lies in the store, looked up once: whoever replaces it now publishes after us."""
        key = camera, slot
        if key not in self._hashes:
            name = picture_key(self._source, slot, camera)
            if expected == ABSENT and not self._store.exists(name):  # asks for less than reading it
                self._hashes[key] = ABSENT
            else:
                stored = self._store.read(name)
                self._hashes[key] = stored.sha256 if stored else ABSENT
        return self._hashes[key]

    def _frames(self, slot: Slot) -> dict[str, Row]:
        if slot not in self._published:
            rows = self._warehouse.read(FRAMES, Scope(self._source, slot))
            columns = rows.select(["camera", "status", "reason", "sha256"]).to_pylist()
            self._published[slot] = {row["camera"]: row for row in columns}
        return self._published[slot]


def _splice_slot(
    warehouse: ParquetWarehouse, scope: Scope, looked: Mapping[str, Looked], pipeline: StillPipeline, known: _Known
) -> int:
    counts, detections = warehouse.read(COUNTS, scope), warehouse.read(DETECTIONS, scope)
    before = {row["camera"]: row for row in _of(counts, looked).to_pylist()}
    fresh = {
        camera: one
        for camera, one in looked.items()
        if camera not in before or known.is_new(camera, one.slot) or not known.lost(one)
    }
    rows: list[Row] = []
    found: list[Row] = []
    for camera, one in fresh.items():
        analysis = one.analyses[pipeline.name]
        rows.append(_counted(scope.source, one, pipeline, analysis, known))
        found += detection_rows(scope.source, camera, one.slot, pipeline, analysis)
    new_counts, new_detections = to_arrow(COUNTS, rows), to_arrow(DETECTIONS, found)
    changed: int = sum(before.get(row["camera"]) != row for row in new_counts.to_pylist())
    if not changed and new_detections.equals(to_arrow(DETECTIONS, _of(detections, fresh).to_pylist())):
        return 0
    counts = pa.concat_tables([_without(counts, fresh), new_counts])
    detections = pa.concat_tables([_without(detections, fresh), new_detections])
    audit_together(scope, counts, detections, list(fresh))
    warehouse.publish(DETECTIONS, scope, detections)
    warehouse.publish(COUNTS, scope, counts)
    return changed


def _counted(source: str, one: Looked, pipeline: StillPipeline, analysis: Analysis, known: _Known) -> Row:
    row = count_row(source, one.camera, one.slot, pipeline, analysis)
    frame = known.frame(one.camera, one.slot)
    if row["missing"] and frame is not None:
        row["reason"] = EXPIRED if frame["status"] == "ok" else frame["reason"]
    return row


def _says_more(row: Row, published: Row | None) -> bool:
    if published is None:
        return True
    return bool(row["status"] == "ok" and (published["status"] != "ok" or published["sha256"] != row["sha256"]))


def _of(rows: pa.Table, cameras: Iterable[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["camera"], pa.array(sorted(cameras), pa.string())))


def _without(rows: pa.Table, cameras: Iterable[str]) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["camera"], pa.array(sorted(cameras), pa.string()))))
