"""A still of a camera's video, for people to draw zones on; nothing else is to be done with it.

The newest one is kept for some minutes, so that a page that is opened again decodes no video. It shows whatever the
camera saw, people included: whoever hands it out asks who is there.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from wayside.core.errors import VideoError
from wayside.core.ids import camera_id, source_id
from wayside.core.settings import Settings
from wayside.core.tables import SEGMENTS
from wayside.media.frames import pictures
from wayside.media.probe import VideoLimits
from wayside.store.files import replace_file
from wayside.vision.decode import Image, encode_jpeg
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.scans import Clients, open_segment
from wayside.zones.states import zones_folder

KEPT_S: Final = 600.0
"""How long the newest still is used again, in seconds."""
LONGEST: Final = 1600
"""Longest side of a still, in pixels."""
_TRIES: Final = 4  # segments that are opened before it is said that there is no still
_HOURS: Final = 3  # with segments, that are looked through for one


@dataclass(frozen=True)
class Still:
    """A JPEG without metadata, and when it was taken; None where it was kept from before."""

    jpeg: bytes
    at: datetime | None


def still(
    lake: ParquetWarehouse,
    settings: Settings,
    source: str,
    camera: str,
    at: datetime | None = None,
    *,
    client: Clients | None = None,
) -> Still:
    """Return a still of a camera.

    Args:
        lake: the tables.
        settings: limits of videos.
        source: of the camera.
        camera: its name.
        at: time that it shows; where there is no video of it, the nearest before. None: of the newest segment.
        client: makes one for segments in Cloud Storage.

    Raises:
        VideoError: `no_video`: no segment is registered, or none of the last ones can be read any more.
        InvalidIdentifierError: the names are no such names.
    """
    kept = stills_folder(lake) / source_id(source) / f"{camera_id(camera)}.jpg"
    if at is None and (data := _fresh(kept)) is not None:
        return Still(data, None)
    why = "no segment of it is registered"
    for _, row in zip(range(_TRIES), _segments(lake, source, camera, at), strict=False):
        middle = row["start_at"] + (row["end_at"] - row["start_at"]) / 2
        when = middle if at is None else min(max(at, row["start_at"]), row["end_at"])
        try:
            jpeg = encode_jpeg(_small(_frame(row, when, settings, client)))
        except VideoError as error:
            why = error.message
            continue
        if at is None:
            replace_file(kept, jpeg)
        return Still(jpeg, when)
    raise VideoError("no_video", f"there is no still of {source} {camera}: {why}")


def stills_folder(lake: ParquetWarehouse) -> Path:
    """Return the folder in which stills are kept."""
    return zones_folder(lake) / "stills"


def _fresh(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if time.time() - path.stat().st_mtime < KEPT_S else None
    except FileNotFoundError:
        return None


def _segments(lake: ParquetWarehouse, source: str, camera: str, at: datetime | None) -> Iterator[dict[str, Any]]:
    """Yield segments that may have a still, the best first: those that start last, before `at`."""
    hours = [scope.hour for scope in lake.scopes(SEGMENTS, [source], cameras=[camera]) if scope.hour]
    chosen = sorted(hour for hour in hours if at is None or hour <= at)[-_HOURS:] or hours[:1]
    if not chosen:
        return
    days, name = sorted({f"{hour:%Y%m%d}" for hour in chosen}), "zones/segments_of"
    values = {"source": source, "camera": camera, "first": chosen[0]}
    with lake.connect([source], days, tables=sql.tables(name), cameras=[camera]) as connection:
        rows = sql.ask(connection, name, values)
    past = [row for row in rows if at is None or row["start_at"] <= at]
    yield from reversed(past) if past else rows


def _frame(row: dict[str, Any], when: datetime, settings: Settings, client: Clients | None) -> Image:
    offset = max(0, (when - row["start_at"]) // timedelta(microseconds=1))
    with open_segment(row, client, is_checked=False) as file:
        found = pictures(file, [offset], limits=VideoLimits.of(settings)) or pictures(file, [0])
    if not found:
        raise VideoError("no_frames", f"{row['uri']} has no picture")
    return next(iter(found.values()))


def _small(image: Image) -> Image:
    factor = LONGEST / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def prune_stills(lake: ParquetWarehouse, now: datetime, *, hours: float = 24.0) -> int:
    """Remove stills that were made longer ago; return how many."""
    removed = 0
    for path in stills_folder(lake).rglob("*.jpg"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < now - timedelta(hours=hours):
            path.unlink(missing_ok=True)
            removed += 1
    return removed
