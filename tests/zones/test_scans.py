"""Scans of segments: planning, a detector that knows red from white, bytes that are gone, new weights, killed tasks."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.clips import Move, make_clip, truncate
from tests.zones.lakes import RIGHT, SOURCE, T0, at, put, segment_row

from wayside.core.errors import ConfigError, StoreUnavailableError, VideoError
from wayside.core.settings import Settings
from wayside.core.tables import SCANS, SEGMENT_DETECTIONS, SEGMENTS
from wayside.media.probe import hashes
from wayside.vision.detections import Detections
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones import scans as scans_module
from wayside.zones.registry import Registry
from wayside.zones.scans import Scanner, open_segment, publish_scans, to_scan

CAMERA = "Bridge"


@dataclass
class Red:
    """Finds the box of whatever is red."""

    name: str = "WaysideV1"
    sha256: str = "a" * 64
    looked: list[int] = field(default_factory=list)

    def detect(self, image: np.ndarray) -> Detections:
        self.looked.append(1)
        red = (image[..., 2] > 150) & (image[..., 1] < 90) & (image[..., 0] < 90)
        if red.sum() < 20:
            return Detections.empty()
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        height, width = red.shape
        box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
        return Detections.sorted(np.array([box], np.float32), np.array([0.9], np.float32), ["car"])


@pytest.fixture(autouse=True)
def _weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans_module, "model_sha256", lambda *_: "a" * 64)


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake)


@pytest.fixture
def registry(lake: ParquetWarehouse, settings: Settings) -> Registry:
    registry = Registry(lake, settings)
    registry.add(SOURCE, CAMERA, "traffic", "Door", {}, RIGHT, "ada", "Fps2_WaysideV1")
    registry.add(SOURCE, CAMERA, "objects", "Square", {}, RIGHT, "ada", "Fps2_WaysideV1")
    return registry


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two seconds: a red car, nothing, and one that breaks off."""
    folder = tmp_path_factory.mktemp("videos")
    car = Move("red", (0.2, 0.5), (0.8, 0.5))
    make_clip(folder / "car.mp4", seconds=2, moves=[car])
    make_clip(folder / "empty.mp4", seconds=2, seed=1)
    make_clip(folder / "whole.ts", seconds=6, seed=2)
    return folder


def register(
    lake: ParquetWarehouse, path: Path, start: Any = T0, seconds: float = 2.0, **changes: Any
) -> dict[str, Any]:
    with path.open("rb") as file:
        known = hashes(file)
    row = segment_row(start, seconds, uri=str(path), bytes=known.bytes, segment=known.sha256, **changes)
    put(lake, SEGMENTS, [row])
    return row


def scan_all(
    lake: ParquetWarehouse, registry: Registry, settings: Settings, detector: Red | None = None, **options: Any
):
    shards = to_scan(lake, registry, settings, **options)
    scanner = Scanner(lake, settings, detector=detector or Red(), clock=lambda: T0)
    notes = [note for shard in shards for note in scanner.do(shard)]
    return notes, publish_scans(lake, shards)


def table(lake: ParquetWarehouse, which: Any) -> list[dict[str, Any]]:
    return [row for scope in lake.scopes(which) for row in lake.read(which, scope).to_pylist()]


def test_what_is_seen_is_published_once_for_all_processors_of_a_pipeline(lake, registry, settings, videos):
    row = register(lake, videos / "car.mp4")
    register(lake, videos / "empty.mp4", at(10))
    notes, published = scan_all(lake, registry, settings)
    assert [(note.status, note.frames, note.objects) for note in notes] == [("ok", 4, 4), ("ok", 4, 0)]
    assert (published.scans, published.objects) == (2, 4)
    assert published.days == {(SOURCE, CAMERA, "Fps2_WaysideV1", T0.date())}
    first, second = sorted(table(lake, SCANS), key=lambda row: -row["objects"])
    assert json.loads(first["offsets"]) == json.loads(second["offsets"]) == [0, 500_000, 1_000_000, 1_500_000]
    seen = table(lake, SEGMENT_DETECTIONS)
    assert [(one["segment"], one["frame"], one["ordinal"]) for one in seen] == [
        (row["segment"], at, 0) for at in range(4)
    ]
    assert [one["frame_at"] for one in seen] == [at(0.5 * step) for step in range(4)]
    assert [one["x1"] for one in seen] == sorted(one["x1"] for one in seen)
    assert to_scan(lake, registry, settings) == []


def test_scanning_again_changes_nothing_but_when(lake, registry, settings, videos):
    register(lake, videos / "car.mp4")
    scan_all(lake, registry, settings)
    before = table(lake, SEGMENT_DETECTIONS), table(lake, SCANS)
    detector = Red()
    notes, _ = scan_all(lake, registry, settings, detector, again=True)
    assert len(notes) == 1
    assert len(detector.looked) == 4
    assert (table(lake, SEGMENT_DETECTIONS), table(lake, SCANS)) == before


def test_who_was_killed_goes_on_after_what_is_staged(lake, registry, settings, videos):
    register(lake, videos / "car.mp4")
    register(lake, videos / "empty.mp4", at(10))
    shards = to_scan(lake, registry, settings)
    first = Red()
    next(iter(Scanner(lake, settings, detector=first).do(shards[0])))
    second = Red()
    assert len(list(Scanner(lake, settings, detector=second).do(shards[0]))) == 2
    assert (len(first.looked), len(second.looked)) == (4, 4)
    assert publish_scans(lake, shards).scans == 2
    content = {scope: lake.content(SCANS, scope)[1] for scope in lake.scopes(SCANS)}
    assert publish_scans(lake, shards).scans == 2
    assert {scope: lake.content(SCANS, scope)[1] for scope in lake.scopes(SCANS)} == content


def test_new_weights_under_the_same_name_scan_again(lake, registry, settings, videos, monkeypatch):
    register(lake, videos / "car.mp4")
    scan_all(lake, registry, settings)
    monkeypatch.setattr(scans_module, "model_sha256", lambda *_: "b" * 64)
    assert len(to_scan(lake, registry, settings)) == 1
    scan_all(lake, registry, settings, Red(sha256="b" * 64))
    assert [row["model_sha256"] for row in table(lake, SCANS)] == ["b" * 64]
    assert len(table(lake, SEGMENT_DETECTIONS)) == 4


def test_what_was_seen_of_a_video_outlives_it(lake, registry, settings, videos, monkeypatch, tmp_path):
    car, empty = (tmp_path / name for name in ("car.mp4", "empty.mp4"))
    car.write_bytes((videos / "car.mp4").read_bytes())
    empty.write_bytes((videos / "empty.mp4").read_bytes())
    gone = register(lake, car)
    register(lake, empty, at(10))
    scan_all(lake, registry, settings)
    seen = table(lake, SEGMENT_DETECTIONS)
    car.unlink()
    monkeypatch.setattr(scans_module, "model_sha256", lambda *_: "b" * 64)
    for _ in range(2):
        notes, _ = scan_all(lake, registry, settings, Red(sha256="b" * 64), again=True)
        assert [(note.status, note.reason) for note in notes] == [("failed", "gone"), ("ok", None)]
        assert table(lake, SEGMENT_DETECTIONS) == seen
        kept = next(row for row in table(lake, SCANS) if row["segment"] == gone["segment"])
        assert (kept["status"], kept["reason"], kept["model_sha256"]) == ("ok", "kept_gone", "a" * 64)
    assert to_scan(lake, registry, settings) == [], "nobody asks for it every ten minutes"
    car.write_bytes((videos / "car.mp4").read_bytes())
    scan_all(lake, registry, settings, Red(sha256="b" * 64), again=True)
    assert {row["reason"] for row in table(lake, SCANS)} == {None}


def test_bytes_that_are_gone_changed_or_broken_are_rows_with_a_reason(lake, registry, settings, videos, tmp_path):
    for at_, name in enumerate(("gone.mp4", "longer.mp4", "other.mp4", "text.mp4")):
        path = tmp_path / name
        path.write_bytes((videos / "empty.mp4").read_bytes() + name.encode())
        if name == "text.mp4":
            path.write_text("no video at all, but long enough to be looked at by somebody")
        register(lake, path, at(10 * at_))
    part = tmp_path / "part.ts"
    part.write_bytes((videos / "whole.ts").read_bytes())
    truncate(part, 0.6)
    register(lake, part, at(60), 6.0)
    register(lake, videos / "car.mp4", at(90))
    (tmp_path / "gone.mp4").unlink()
    with (tmp_path / "longer.mp4").open("ab") as file:
        file.write(b"x")
    data = bytearray((tmp_path / "other.mp4").read_bytes())
    data[-1] ^= 1
    (tmp_path / "other.mp4").write_bytes(data)
    notes, published = scan_all(lake, registry, settings)
    assert [(note.status, note.reason) for note in notes][:4] == [
        ("failed", "gone"),
        ("failed", "changed"),
        ("failed", "changed"),
        ("failed", "not_a_video"),
    ]
    assert notes[4].status == "partial"
    assert 0 < notes[4].frames < 12
    assert (notes[5].status, published.scans) == ("ok", 6)
    assert to_scan(lake, registry, settings) == [], "a failure is an answer"
    assert len(to_scan(lake, registry, settings, again=True)) == 1


def test_a_place_that_is_out_of_reach_is_said_after_all_others_are_done(lake, registry, settings, videos, tmp_path):
    lost = tmp_path / "share"
    lost.mkdir()
    (lost / "a.mp4").write_bytes((videos / "empty.mp4").read_bytes())
    register(lake, lost / "a.mp4")
    register(lake, videos / "car.mp4", at(10))
    (lost / "a.mp4").unlink()
    lost.rmdir()
    shards = to_scan(lake, registry, settings)
    notes = Scanner(lake, settings, detector=Red()).do(shards[0])
    assert next(notes).status == "ok"
    with pytest.raises(StoreUnavailableError, match="share"):
        next(notes)
    assert publish_scans(lake, shards).scans == 1
    assert len(to_scan(lake, registry, settings)) == 1


def test_shards_are_bounded_by_seconds_and_number(lake, registry, settings):
    put(lake, SEGMENTS, [segment_row(at(100 * step), 100.0 if step != 2 else 5000.0) for step in range(6)])
    shards = to_scan(lake, registry, settings, shard_seconds=250)
    assert [(shard.segments, shard.seconds) for shard in shards] == [(2, 200.0), (1, 5000.0), (2, 200.0), (1, 100.0)]
    assert to_scan(lake, registry, settings, shard_seconds=250) == shards, "the same plan has the same name"
    assert to_scan(lake, registry, settings, shard_seconds=250, most_shards=2) == shards[:2]


def test_a_plan_keeps_to_what_it_is_asked_for(lake, registry, settings):
    registry.add("Other", "Street", "objects", "x", {}, RIGHT, "ada", "Fps1_WaysideV1")
    put(lake, SEGMENTS, [segment_row(at(86400 * day), 10.0) for day in range(3)])
    put(
        lake,
        SEGMENTS,
        [segment_row(T0, 10.0, source="Other", camera="Street", name="o"), segment_row(T0, 9, camera="No")],
    )

    def planned(**options: Any) -> int:
        return sum(shard.segments for shard in to_scan(lake, registry, settings, **options))

    day: date = T0.date()
    assert planned() == 4
    assert planned(source="Other") == planned(camera="Street") == 1
    assert planned(first=day + timedelta(days=1)) == 2
    assert planned(last=day) == 2
    assert planned(first=day + timedelta(days=1), last=day + timedelta(days=1)) == 1
    registry.change(3, author="ada", enabled=False)
    assert planned() == 3
    registry.change(1, author="ada", enabled=False)
    assert planned() == 3, "the other processor still wants them"


def test_a_model_that_nobody_knows_is_said(lake, registry, settings, monkeypatch):
    monkeypatch.undo()
    assert len(to_scan(lake, registry, settings)) == 0
    registry.add(SOURCE, CAMERA, "faces", "f", {}, RIGHT, "ada", "Fps1_Nobody", enabled=False)
    put(lake, SEGMENTS, [segment_row(T0, 10.0)])
    assert sum(shard.segments for shard in to_scan(lake, registry, settings)) == 1
    with pytest.raises(ConfigError, match="no model 'Nobody'"):
        registry.change(3, author="ada", enabled=True)


def test_a_segment_is_opened_only_if_it_is_the_one(lake, videos):
    row = register(lake, videos / "car.mp4")
    with open_segment(row) as file:
        assert file.read(12)[4:8] == b"ftyp"
    for changes in ({"bytes": 1}, {"segment": "0" * 64}):
        with pytest.raises(VideoError) as caught:
            open_segment(row | changes)
        assert caught.value.reason == "changed"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(VideoError):
            open_segment(row | {"segment": "0" * 64})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_client_is_made_for_segments_in_a_bucket_alone(tmp_path: Path):
    class AskedError(Exception):
        pass

    def client() -> Any:
        raise AskedError

    row = {"segment": "0" * 64, "bytes": 1}
    with pytest.raises(VideoError, match="is not there any more"):
        open_segment(row | {"uri": str(tmp_path / "a.mp4")}, client)
    with pytest.raises(AskedError):
        open_segment(row | {"uri": "gs://bucket/a.mp4"}, client)
