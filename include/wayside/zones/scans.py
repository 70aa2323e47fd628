"""Which segments a detector has still to look at, looking at them, and putting what it saw into the tables.

A scan is of one segment by one pipeline; it knows nothing of zones, so a zone that is drawn later is counted without
another look. Its result is one file in the staging area, under the segment's hash, the pipeline and the hash of the
weights: whoever is killed and starts again finds it and goes on after it. A segment whose bytes are gone or have
changed is a row with a reason; a model with new weights under the same name scans again. What older weights saw is
replaced by what the new ones see, and by no failure.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import StoreUnavailableError, VideoError
from wayside.core.settings import Settings
from wayside.core.tables import SCANS, SCHEMA_VERSION, SEGMENT_DETECTIONS, SEGMENTS, Table
from wayside.media.detect import Scan, scan
from wayside.media.probe import VideoLimits, hashes
from wayside.store.files import replace_file
from wayside.store.places import open_place
from wayside.vision.detector import Detector, load_detector
from wayside.warehouse import sql
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside.zones.models import least_score, model_sha256
from wayside.zones.processor import Pipeline
from wayside.zones.registry import Registry

if TYPE_CHECKING:
    from google.cloud.storage import Client

Row = dict[str, Any]
Clients = Callable[[], "Client"]
"""Makes the client of Cloud Storage, when the first segment that lies there is opened."""

KEPT: Final = "kept_"
"""Begins the reason of a scan that stayed, as another look failed; the statement `unscanned` knows it too."""
SHARD_SECONDS: Final = 3600.0
SHARD_SEGMENTS: Final = 400
MOST_SHARDS: Final = 500
_FIRST: Final = date(1970, 1, 1)
_LAST: Final = date(9998, 12, 31)
_BOX: Final = ("x1", "y1", "x2", "y2")
_FOUND: Final = pa.schema(
    [SEGMENT_DETECTIONS.schema.field(name) for name in ("frame", "ordinal", "label", "score", *_BOX)]
)


@dataclass(frozen=True, slots=True)
class SegmentShard:
    """Segments for one task: short values that name a list in the warehouse.

    Attributes:
        plan: name of the list.
        pipeline: what looks at them.
        segments: how many there are.
        seconds: how long they are together.
    """

    plan: str
    pipeline: str
    segments: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ScanNote:
    """What became of one segment: its status and reason as in the table `scans`, frames looked at, objects found."""

    source: str
    camera: str
    segment: str
    status: str
    reason: str | None
    frames: int
    objects: int


@dataclass(frozen=True)
class Published:
    """Scans that were put into the tables.

    Attributes:
        scans: segments.
        objects: rows of `segment_detections`.
        days: (source, camera, pipeline, UTC day) of these segments: what has to be counted now.
    """

    scans: int
    objects: int
    days: frozenset[tuple[str, str, str, date]]


def to_scan(
    lake: ParquetWarehouse,
    registry: Registry,
    settings: Settings,
    *,
    source: str | None = None,
    camera: str | None = None,
    first: date | None = None,
    last: date | None = None,
    again: bool = False,
    shard_seconds: float = SHARD_SECONDS,
    most_shards: int = MOST_SHARDS,
) -> list[SegmentShard]:
    """Plan the scans that enabled processors want and that are not done, and keep the list of each shard.

    A scan is done if its row names the weights that the model has now, also where it failed, or if these could not look
    again. What does not fit into `most_shards` is left to the next plan; older segments come first.

    Args:
        lake: the tables.
        registry: of processors.
        settings: where models lie.
        source: only cameras of this source.
        camera: only cameras of this name.
        first: UTC day from which on segments count.
        last: UTC day up to which segments count.
        again: scan again what is done.
        shard_seconds: seconds of video in one shard; a longer segment is one of its own.
        most_shards: how many shards are planned.

    Raises:
        ConfigError: a model is not known.
    """
    wanted: dict[Pipeline, set[tuple[str, str]]] = defaultdict(set)
    for one in registry.processors(source):
        if one.enabled and camera in {None, one.camera}:
            wanted[one.pipeline].add((one.source, one.camera))
    shards: list[SegmentShard] = []
    for pipeline in sorted(wanted, key=str):
        sha256 = model_sha256(pipeline, settings)
        rows = [
            row
            for place in sorted(wanted[pipeline])
            for row in _unscanned(lake, *place, pipeline, "" if again else sha256, first or _FIRST, last or _LAST)
        ]
        rows.sort(key=lambda row: (row["start_at"], row["source"], row["camera"], row["segment"]))
        for part in _divided(rows, shard_seconds):
            if len(shards) >= most_shards:
                return shards
            if again:
                for row in part:
                    _staged(lake, pipeline.id, sha256, row).unlink(missing_ok=True)
            shards.append(_planned(lake, pipeline, sha256, part))
    return shards


def _unscanned(
    lake: ParquetWarehouse, source: str, camera: str, pipeline: Pipeline, sha256: str, first: date, last: date
) -> list[Row]:
    days = sorted({f"{scope.hour:%Y%m%d}" for scope in lake.scopes(SEGMENTS, [source], cameras=[camera]) if scope.hour})
    days = [day for day in days if f"{first:%Y%m%d}" <= day <= f"{last:%Y%m%d}"]
    if not days:
        return []
    values: Row = {"source": source, "camera": camera, "pipeline": pipeline.id, "model_sha256": sha256}
    values |= {"first_day": first, "last_day": last}
    name = "zones/unscanned"
    with lake.connect([source], days, [pipeline.id], tables=sql.tables(name), cameras=[camera]) as connection:
        return sql.ask(connection, name, values)


def _divided(rows: Sequence[Row], seconds: float) -> Iterator[list[Row]]:
    """Divide segments, in their order, into shards of bounded length."""
    part: list[Row] = []
    length = 0.0
    for row in rows:
        if part and (length + row["duration_s"] > seconds or len(part) >= SHARD_SEGMENTS):
            yield part
            part, length = [], 0.0
        part.append(row)
        length += row["duration_s"]
    if part:
        yield part


def _planned(lake: ParquetWarehouse, pipeline: Pipeline, sha256: str, rows: Sequence[Row]) -> SegmentShard:
    segments = [row | {name: row[name].isoformat() for name in ("hour", "start_at")} for row in rows]
    document = {"pipeline": pipeline.id, "model_sha256": sha256, "segments": segments}
    key = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    plan = f"scan-{pipeline.id}-{key}"
    lake.save_plan(plan, document)
    return SegmentShard(plan, pipeline.id, len(rows), sum(row["duration_s"] for row in rows))


class Scanner:
    """Looks at the segments of shards. The detector is loaded when the first segment needs it.

    Args:
        lake: the tables.
        settings: models, limits, threads.
        detector: used in place of the one that the pipeline names.
        client: makes one for segments in Cloud Storage; without, Google's application default credentials are taken.
        workers: frames at once; 0: as the settings say.
        clock: what time it is.
    """

    def __init__(
        self,
        lake: ParquetWarehouse,
        settings: Settings,
        *,
        detector: Detector | None = None,
        client: Clients | None = None,
        workers: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self.lake = lake
        self.settings = settings
        self.workers = workers or settings.workers
        self._given = detector
        self._loaded: dict[str, Detector] = {}
        self._client = client
        self._clock = clock

    @cached_property
    def limits(self) -> VideoLimits:
        """What a video may cost."""
        return VideoLimits.of(self.settings)

    def do(self, shard: SegmentShard) -> Iterator[ScanNote]:
        """Scan the segments of a shard, and yield the note of each; those that are staged already are told at once.

        Raises:
            StoreUnavailableError: places were out of reach. All other segments are done before this is said.
            ModelError: the detector cannot be loaded.
        """
        content = self.lake.load_plan(shard.plan)
        pipeline, sha256 = Pipeline.parse(content["pipeline"]), content["model_sha256"]
        lost: StoreUnavailableError | None = None
        for row in content["segments"]:
            path = _staged(self.lake, pipeline.id, sha256, row)
            if not path.is_file():
                try:
                    self._one(row, pipeline, path)
                except StoreUnavailableError as error:
                    lost = lost or error
                    continue
            yield _note(row, _read(path)[1])
        if lost is not None:
            raise lost

    def _one(self, row: Row, pipeline: Pipeline, path: Path) -> None:
        """Scan one segment and keep the result, in one step."""
        detector = self._detector(pipeline.model)
        try:
            with open_segment(row, self._client) as file:
                start_at = datetime.fromisoformat(row["start_at"])
                found = scan(
                    file, start_at=start_at, detector=detector, fps=pipeline.fps, limits=self.limits,
                    floor=least_score(pipeline.model, self.settings),
                    workers=self.workers,
                )  # fmt: skip
        except VideoError as error:
            found = Scan((), (), "failed", error.reason)
        told = {
            "offsets": [int(offset) for offset in found.offsets_us],
            "objects": sum(map(len, found.found)),
            "status": found.status,
            "reason": found.reason,
            "model": detector.name,
            "model_sha256": detector.sha256,
            "scanned_at": self._clock().isoformat(),
        }
        rows = _columns(found).replace_schema_metadata({b"scan": json.dumps(told).encode()})
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        replace_file(path, sink.getvalue().to_pybytes())

    def _detector(self, model: str) -> Detector:
        if self._given is not None:
            return self._given
        if model not in self._loaded:
            self._loaded = {model: load_detector(model, self.settings, score=least_score(model, self.settings))}
        return self._loaded[model]


def publish_scans(lake: ParquetWarehouse, shards: Iterable[SegmentShard]) -> Published:
    """Put the results of shards, as far as they are there, into the tables; twice is the same as once."""
    found: dict[tuple[str, str, str, str], list[tuple[Row, Path]]] = defaultdict(list)
    for shard in shards:
        content = lake.load_plan(shard.plan)
        for row in content["segments"]:
            path = _staged(lake, content["pipeline"], content["model_sha256"], row)
            if path.is_file():
                found[row["source"], row["camera"], content["pipeline"], row["hour"]].append((row, path))
    scans = objects = 0
    for (source, camera, pipeline, hour), results in sorted(found.items()):
        scope = Scope(source, pipeline=pipeline, camera=camera, hour=datetime.fromisoformat(hour))
        with locked(lake.root / "locks" / "scans" / source / camera):
            objects += _publish_hour(lake, scope, results)
        scans += len(results)
    days = {(source, camera, pipeline, datetime.fromisoformat(hour).date()) for source, camera, pipeline, hour in found}
    return Published(scans, objects, frozenset(days))


def _publish_hour(lake: ParquetWarehouse, scope: Scope, results: Sequence[tuple[Row, Path]]) -> int:
    """Put results beside those that the hour has. The scans come last: they say that their objects are there."""
    rows, parts, new = [], [], []
    place = {name: getattr(scope, name) for name in ("source", "camera", "pipeline", "hour")}
    before = {row["segment"]: row for row in lake.read(SCANS, scope).to_pylist()}
    for row, path in results:
        objects, told = _read(path)
        known = before.get(row["segment"])
        if told["status"] == "failed" and known is not None and known["status"] != "failed":
            # What was seen once stays: the video may be gone for good, and new weights have nothing to look at.
            rows.append(known | {"reason": f"{KEPT}{told['reason']}"})
            continue
        new.append(row["segment"])
        start_at = datetime.fromisoformat(row["start_at"])
        rows.append(place | {"segment": row["segment"], "frames": len(told["offsets"])} | _scan_row(told))
        parts.append(_detections(objects, place | {"segment": row["segment"]}, start_at, told["offsets"]))
    told_of = [row["segment"] for row in rows]
    lake.publish(SEGMENT_DETECTIONS, scope, pa.concat_tables([_others(lake, SEGMENT_DETECTIONS, scope, new), *parts]))
    lake.publish(SCANS, scope, pa.concat_tables([_others(lake, SCANS, scope, told_of), to_arrow(SCANS, rows)]))
    return sum(part.num_rows for part in parts)


def _others(lake: ParquetWarehouse, table: Table, scope: Scope, segments: Sequence[str]) -> pa.Table:
    """Return the published rows of a scope, without those of some segments."""
    rows = lake.read(table, scope)
    return rows.filter(pc.invert(pc.is_in(rows["segment"], pa.array(segments, pa.string()))))


def _scan_row(told: Row) -> Row:
    return told | {
        "offsets": json.dumps(told["offsets"], separators=(",", ":")),
        "scanned_at": datetime.fromisoformat(told["scanned_at"]),
    }


def _detections(objects: pa.Table, place: Row, start_at: datetime, offsets: Sequence[int]) -> pa.Table:
    """Return rows of `segment_detections` made of a result."""
    start = pa.scalar(start_at, pa.timestamp("us", tz="UTC"))
    times = pc.add(start, pa.array(offsets, pa.duration("us")))
    columns = {name: objects[name] for name in objects.column_names}
    columns["frame_at"] = pc.take(times, objects["frame"]) if len(offsets) else pa.array([], start.type)
    columns |= {name: pa.repeat(pa.scalar(value), objects.num_rows) for name, value in place.items()}
    columns["schema_version"] = pa.repeat(pa.scalar(SCHEMA_VERSION, pa.int16()), objects.num_rows)
    return pa.table(columns).select(SEGMENT_DETECTIONS.schema.names).cast(SEGMENT_DETECTIONS.schema)


def _columns(found: Scan) -> pa.Table:
    """Return what was found as one table, frame by frame, best score first."""
    rows = [
        {"frame": frame, "ordinal": ordinal, "label": label, "score": float(score)}
        | dict(zip(_BOX, map(float, box), strict=True))
        for frame, one in enumerate(found.found)
        for ordinal, (label, score, box) in enumerate(zip(one.labels, one.scores, one.boxes, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=_FOUND)


def _read(path: Path) -> tuple[pa.Table, Row]:
    table = pq.ParquetFile(path).read()
    return table.replace_schema_metadata(None), json.loads(table.schema.metadata[b"scan"])


def _staged(lake: ParquetWarehouse, pipeline: str, sha256: str, row: Row) -> Path:
    """Return where the result of a segment lies: a function of the segment, the pipeline and the weights."""
    folder = lake.root.joinpath("staging", "scans", pipeline, sha256[:16], row["source"], row["camera"])
    return folder / f"{row['segment']}.parquet"


def _note(row: Row, told: Row) -> ScanNote:
    frames = len(told["offsets"])
    where = (row["source"], row["camera"], row["segment"])
    return ScanNote(*where, told["status"], told["reason"], frames, told["objects"])


def open_segment(row: Row, client: Clients | None = None, *, is_checked: bool = True) -> BinaryIO:
    """Open the bytes of a segment, once it is certain that they are those.

    Args:
        row: its row of `segments`: `uri`, `segment` (SHA-256) and `bytes` are looked at.
        client: makes one for segments in Cloud Storage; without, Google's application default credentials are taken.
        is_checked: read the whole file for its hash; without, its size has to do.

    Raises:
        VideoError: `gone` or `changed`.
        StoreUnavailableError: the place is out of reach.
    """
    parent, _, key = str(row["uri"]).rpartition("/")
    in_bucket = parent.startswith("gs://")
    place = open_place(parent or "/", client() if client is not None and in_bucket else None)
    entry = place.entry(key)
    if entry is None:
        raise VideoError("gone", f"{row['uri']} is not there any more")
    if entry.bytes != row["bytes"]:
        raise VideoError(
            "changed", f"{row['uri']} has {entry.bytes} bytes, and had {row['bytes']} when it was registered"
        )
    file = place.open(key)
    try:
        if is_checked and hashes(file).sha256 != row["segment"]:
            raise VideoError("changed", f"{row['uri']} is another file than the one that was registered")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
