"""A small warehouse and picture store for the web pages, drawn from the demo city and its ground truth.

Used by the tests (a few cameras and slots), and by hand to look at the pages:
`PYTHONPATH=include:. python tests/web/factory.py FOLDER` fills a folder with two sources and a day.
"""

import hashlib
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNT_CLASSES, COUNTS, DETECTIONS, FRAMES
from wayside.sources.demo.city import DemoCamera, DemoCity
from wayside.sources.demo.render import Truth, encode, render, truth
from wayside.store import LocalStore, PictureMeta, picture_key
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

TFL = "TfL-images"
UO = "Newcastle-images"
PIPELINE = "FaultyImageFilterV1_DemoV1_StaticObjectFilterV1"
LAST = Slot(datetime(2026, 5, 4, 9, 40, tzinfo=UTC))

# What happens to the camera with this place in the list, and for how many slots up to the last; the rest are counted.
FATES: dict[int, tuple[str, str | None, int]] = {
    1: ("faulty", "frozen", 5),
    2: ("missing", "unavailable", 40),
    3: ("failed", "timeout", 2),
    4: ("waiting", None, 1),
    5: ("not_run", None, 9),
    6: ("faulty", "placeholder", 200),
}


@dataclass(frozen=True)
class Filled:
    """What was made: the folder's warehouse and store, and the cameras of each source in order."""

    warehouse: ParquetWarehouse
    store: LocalStore
    cameras: dict[str, list[str]]


def fill(
    folder: Path, *, cameras: int = 8, slots: int = 3, pictures: int = 1, last: Slot = LAST, second: bool = True
) -> Filled:
    """Fill `folder` with `slots` slots up to `last`, and pictures for the last `pictures` of them.

    `second` is a second source with half as many cameras.
    """
    filled = Filled(ParquetWarehouse(folder / "warehouse"), LocalStore(folder / "pictures"), {})
    city = DemoCity(seed=7, tfl_cameras=max(cameras, 10), uo_cameras=max(cameras, 10))
    sources = {TFL: [city.tfl(index) for index in range(cameras)]}
    if second:
        sources[UO] = [city.uo(index) for index in range(max(cameras // 2, 1))]
    for source, listed in sources.items():
        _fill_source(filled, source, listed, [last.shift(back) for back in range(1 - slots, 1)], pictures)
    return filled


def opened(filled: Filled) -> FastAPI:
    """The application over a filled folder, asking for a user."""
    from wayside_airflow.web.app import create_app

    return create_app(warehouse=lambda: filled.warehouse, store=lambda: filled.store)


def camera_name(camera: DemoCamera) -> str:
    """The id of a demo camera as a valid camera id."""
    return camera.id.replace(":", "-View_")


def _fill_source(filled: Filled, source: str, cameras: list[DemoCamera], slots: list[Slot], pictures: int) -> None:
    filled.cameras[source] = sorted(camera_name(camera) for camera in cameras)
    rows = [
        {
            "source": source,
            "camera": camera_name(camera),
            "name": f"{camera.name} / {camera.crossing}",
            "lat": camera.lat,
            "lon": camera.lon,
            "attribution": "Drawn by the demo city",
        }
        for camera in cameras
    ]
    filled.warehouse.publish(CAMERAS, Scope(source), to_arrow(CAMERAS, rows))
    for back, slot in enumerate(reversed(slots)):
        frames: list[Row] = []
        counts: list[Row] = []
        detections: list[Row] = []
        for place, camera in enumerate(cameras):
            state, reason, length = FATES.get(place, ("counted", None, 0))
            state, reason = (state, reason) if back < length else ("counted", None)
            frame, count, found = _rows(source, camera, slot, state, reason)
            if frame and frame["status"] == "ok" and back < pictures:
                frame["sha256"], frame["bytes"] = _picture(filled.store, source, camera, slot)
            frames += [frame] if frame else []
            counts += [count] if count else []
            detections += found
        scope = Scope(source, slot, PIPELINE)
        filled.warehouse.publish(FRAMES, Scope(source, slot), to_arrow(FRAMES, frames))
        filled.warehouse.publish(DETECTIONS, scope, to_arrow(DETECTIONS, detections))
        filled.warehouse.publish(COUNTS, scope, to_arrow(COUNTS, counts))


def _rows(
    source: str, camera: DemoCamera, slot: Slot, state: str, reason: str | None
) -> tuple[Row | None, Row | None, list[Row]]:
    """The frame, count and detections of one camera and slot."""
    if state == "not_run":
        return None, None, []
    key = {"source": source, "camera": camera_name(camera), "slot": slot.start}
    status = state if state in {"missing", "failed"} else "ok"
    frame: Row = {**key, "status": status, "reason": reason if status != "ok" else None, "fetched_at": slot.end}
    if status == "ok":
        width, height = camera.size
        frame |= {"sha256": "0" * 64, "width": width, "height": height, "captured_at": slot.start, "http_status": 200}
    if state == "waiting":
        return frame, None, []
    count: Row = {
        **key,
        "pipeline": PIPELINE,
        "faulty": state == "faulty",
        "missing": status != "ok",
        "reason": reason,
        "neighbours": "both",
    }
    if state != "counted":
        return frame, count, []
    objects = [item for item in truth(camera, slot.start) if item.visible >= 0.5]
    count |= {name: sum(item.label == name and not item.parked for item in objects) for name in COUNT_CLASSES}
    return frame, count, [_detection(key, ordinal, item) for ordinal, item in enumerate(objects)]


def _detection(key: Row, ordinal: int, item: Truth) -> Row:
    x1, y1, x2, y2 = item.box
    return {
        **key,
        "pipeline": PIPELINE,
        "ordinal": ordinal,
        "label": item.label,
        "score": round(0.5 + item.visible * 0.45, 3),
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "moving_share": 0.02 if item.parked else 0.7,
        "static": item.parked,
        "model": "demo",
    }


def _picture(store: LocalStore, source: str, camera: DemoCamera, slot: Slot) -> tuple[str, int]:
    data = encode(render(camera, slot.start).image)
    store.create(picture_key(source, slot, camera_name(camera)), data, PictureMeta(fetched_at=slot.end))
    return hashlib.sha256(data).hexdigest(), len(data)


if __name__ == "__main__":
    fill(Path(sys.argv[1]), cameras=26, slots=150, pictures=4)
