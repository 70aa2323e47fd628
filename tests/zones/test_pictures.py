"""Stills to draw on, previews and crops of faces: what they show, what they hide, how long they stay."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.clips import Move, make_clip
from tests.zones.lakes import CAMERA, RIGHT, SOURCE, T0, at, put, scanned, segment_row
from tests.zones.test_scans import Red, register

from wayside.core.errors import VideoError
from wayside.core.settings import Settings
from wayside.core.tables import OCCUPANCY, SEGMENTS
from wayside.media.probe import hashes
from wayside.vision.decode import decode, encode_jpeg
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.counts import count_due
from wayside.zones.faces import crops_folder, hidden, keep_faces, preview_path, prune_faces
from wayside.zones.registry import Registry
from wayside.zones.still import KEPT_S, prune_stills, still, stills_folder

FACES = "Fps2_YuNet"
DAYS = [(SOURCE, CAMERA, FACES, T0.date())]


@pytest.fixture
def lake(settings: Settings) -> ParquetWarehouse:
    return ParquetWarehouse(settings.lake)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red square, which stands for a face, at the left and from the second second on at the right."""
    marks = [
        Move("red", (0.2, 0.5), (0.2, 0.5), 0.0, 1.0, (0.2, 0.3)),
        Move("red", (0.8, 0.5), (0.8, 0.5), 1.0, 9.0, (0.2, 0.3)),
    ]
    return make_clip(tmp_path_factory.mktemp("faces") / "face.mp4", seconds=2, moves=marks)


def red(image: np.ndarray) -> int:
    return int(((image[..., 2] > 150) & (image[..., 1] < 90) & (image[..., 0] < 90)).sum())


@pytest.fixture
def registry(lake: ParquetWarehouse, settings: Settings, video: Path) -> Registry:
    """A processor of kind faces that is on, and a segment that was scanned: left, left, right, right."""
    weights = settings.pulled_models / "yunet_n_dynamic.onnx"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    registry = Registry(lake, settings)
    registry.add(SOURCE, CAMERA, "faces", "Faces", {}, RIGHT, "ada", FACES, enabled=True)
    segment = register(lake, video)
    frames = [(0.5 * step, [(0.2 if step < 2 else 0.8, 0.5)]) for step in range(4)]
    scanned(lake, segment, frames, pipeline=FACES, label="face", size=(0.2, 0.3))
    return registry


def test_faces_are_counted_inside_of_zones_and_nothing_is_kept(lake, registry, settings):
    kept = keep_faces(lake, registry, settings, DAYS)
    assert (kept.previews, kept.crops) == ([1], 0)
    assert not crops_folder(lake, 1).exists()
    count_due(lake, registry, clock=lambda: at(86400 * 9))
    rows = [row for scope in lake.scopes(OCCUPANCY) for row in lake.read(OCCUPANCY, scope).to_pylist()]
    assert [(row["since"], row["inside"]) for row in rows if row["zone"] == "*"][:2] == [(T0, 0), (at(1), 1)]


def test_the_preview_shows_the_street_and_no_face(lake, registry, settings, video):
    keep_faces(lake, registry, settings, DAYS)
    shown = decode(preview_path(lake, 1).read_bytes()).image
    assert shown.shape[:2] == (120, 160)
    original = still(lake, settings, SOURCE, CAMERA, T0)
    assert red(decode(original.jpeg).image) > 500
    assert red(shown) == 0


def test_what_is_filled_depends_on_no_pixel_of_the_face():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (90, 160, 3), np.uint8)
    other = image.copy()
    other[36:54, 64:96] = 255 - other[36:54, 64:96]
    boxes = [[0.4, 0.4, 0.6, 0.6], [0.99, 0.99, 1.2, 1.2], [-0.1, -0.1, 0.0, 0.0]]
    assert np.array_equal(hidden(image, boxes), hidden(other, boxes))
    assert not np.array_equal(hidden(image, boxes), image)
    assert np.array_equal(hidden(image, []), image)


def test_crops_are_kept_only_where_somebody_asked_and_for_so_long(lake, registry, settings):
    registry.change(1, author="ada", options={"keep_crops": True, "crops_days": 3})
    assert keep_faces(lake, registry, settings, DAYS).crops == 2
    assert keep_faces(lake, registry, settings, DAYS).crops == 0, "they are there"
    folder = crops_folder(lake, 1) / T0.date().isoformat()
    crops = sorted(folder.glob("*.jpg"))
    assert len(crops) == 2
    pictures = [decode(path.read_bytes()).image for path in crops]
    assert all(red(image) > 0.8 * image.shape[0] * image.shape[1] for image in pictures), "faces, and little else"
    assert prune_faces(lake, registry, T0 + timedelta(days=3)) == 0
    assert prune_faces(lake, registry, T0 + timedelta(days=4)) == 2
    assert not folder.exists()


def test_what_nobody_wants_any_more_goes(lake, registry, settings):
    registry.change(1, author="ada", options={"keep_crops": True})
    keep_faces(lake, registry, settings, DAYS)
    registry.change(1, author="ada", options={"keep_crops": False})
    assert prune_faces(lake, registry, T0) == 2
    assert preview_path(lake, 1).exists()
    registry.change(1, author="ada", enabled=False)
    assert prune_faces(lake, registry, T0) == 1
    assert not preview_path(lake, 1).exists()
    assert keep_faces(lake, registry, settings, DAYS).previews == [], "it is off"


def test_a_late_day_does_not_take_the_place_of_the_newest(lake, registry, settings):
    keep_faces(lake, registry, settings, DAYS)
    before = preview_path(lake, 1).read_bytes()
    scanned(lake, segment_row(at(-86400), 2.0), [(0.0, [])], pipeline=FACES)
    assert keep_faces(lake, registry, settings, [(*DAYS[0][:3], at(-86400).date())]).previews == []
    assert preview_path(lake, 1).read_bytes() == before


def test_faces_of_a_video_that_is_gone_make_no_picture(lake, registry, settings, tmp_path):
    put(lake, SEGMENTS, [segment_row(T0, 2.0, uri=str(tmp_path / "gone.mp4"), segment=_segment(lake))])
    registry.change(1, author="ada", options={"keep_crops": True})
    kept = keep_faces(lake, registry, settings, DAYS)
    assert (kept.previews, kept.crops) == ([], 0)


def _segment(lake: ParquetWarehouse) -> str:
    (scope,) = lake.scopes(SEGMENTS)
    return str(lake.read(SEGMENTS, scope).to_pylist()[0]["segment"])


def test_a_still_shows_the_time_that_is_asked_for(lake, settings, video):
    register(lake, video)
    for when, share in ((T0, 0.2), (at(1.5), 0.8), (at(500), 0.8), (at(-500), 0.2)):
        made = still(lake, settings, SOURCE, CAMERA, when)
        box = Red().detect(decode(made.jpeg).image).boxes[0]
        assert (box[0] + box[2]) / 2 == pytest.approx(share, abs=0.03)
        assert b"Exif" not in made.jpeg
    assert not stills_folder(lake).exists(), "only the newest is kept"


def test_the_newest_still_is_kept_for_some_minutes(lake, settings, video):
    register(lake, video)
    first = still(lake, settings, SOURCE, CAMERA)
    assert first.at == at(1)
    kept = stills_folder(lake) / SOURCE / f"{CAMERA}.jpg"
    kept.write_bytes(encode_jpeg(np.zeros((8, 8, 3), np.uint8)))
    assert still(lake, settings, SOURCE, CAMERA).jpeg == kept.read_bytes()
    old = kept.stat().st_mtime - KEPT_S - 1
    os.utime(kept, (old, old))
    assert still(lake, settings, SOURCE, CAMERA).jpeg == first.jpeg
    assert prune_stills(lake, T0) == 0
    assert prune_stills(lake, T0 + timedelta(days=20000)) == 1


def test_a_segment_that_cannot_be_read_gives_way_to_the_one_before(lake, settings, video, tmp_path):
    def reason(**options: Any) -> str:
        with pytest.raises(VideoError) as caught:
            still(lake, settings, SOURCE, CAMERA, **options)
        return caught.value.reason

    assert reason() == reason(at=T0) == "no_video"
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    with bad.open("rb") as file:
        known = hashes(file)
    put(lake, SEGMENTS, [segment_row(at(60), 9.0, uri=str(bad), bytes=known.bytes, segment=known.sha256)])
    assert reason() == "no_video"
    register(lake, video)
    assert still(lake, settings, SOURCE, CAMERA).at == at(1)


def test_a_large_still_is_made_smaller(lake, settings, tmp_path):
    register(lake, make_clip(tmp_path / "wide.mp4", seconds=0.2, size=(1920, 64)))
    assert decode(still(lake, settings, SOURCE, CAMERA).jpeg).image.shape[:2] == (53, 1600)
