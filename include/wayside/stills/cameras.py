"""The lists of cameras: asked for at each slot, kept for when a source does not answer, and compared once a day.

Two documents lie beside the table `cameras`. The latest list, with addresses, is what a slot is fetched by. The list
that was compared last is what changes are told against: the table itself is as new as the last slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.ids import source_id
from wayside.core.settings import Settings
from wayside.core.tables import CAMERA_CHANGES, CAMERAS
from wayside.sources.changes import compare, doubt
from wayside.sources.http import HttpClient
from wayside.sources.lists import wanted_ids
from wayside.sources.registry import find_source, open_source
from wayside.sources.source import Camera
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse, Row, open_lake, to_arrow
from wayside.warehouse.scope import Scope

ANALYSED_DAYS: Final = 7
_ON_THE_WEB: Final = ("tfl", "urban_observatory")  # lists in files are written by people who mean what they write


@dataclass(frozen=True)
class Update:
    """What an update found: how many cameras are listed, each change as a row of `camera_changes`, cameras to miss."""

    source: str
    cameras: int
    changes: tuple[Row, ...]

    @property
    def gone(self) -> list[str]:
        """The cameras that vanished and had counts in the week before."""
        return [row["camera"] for row in self.changes if row["change"] == "vanished" and row["analysed"]]

    def __str__(self) -> str:
        """Write the update for people: `TfL-images: 911 cameras; 2 appeared; analysed cameras are gone: 0001`."""
        kinds = [row["change"] for row in self.changes]
        told = [f"{self.source}: {self.cameras} cameras", *(f"{kinds.count(kind)} {kind}" for kind in sorted({*kinds}))]
        if self.gone:
            told.append(f"analysed cameras are gone: {', '.join(self.gone)}")
        return "; ".join(told)


async def ask(settings: Settings, warehouse: ParquetWarehouse, source: str, clock: Clock) -> list[Camera]:
    """Ask a source for its cameras, sorted by id; an empty answer is handed on.

    Raises:
        SourceError: it does not answer, or it is on the web and lists less than half of the cameras of its latest list.
    """
    cameras = await _ask(settings, source, clock)
    if cameras and find_source(settings, source).kind in _ON_THE_WEB:
        doubt(source, _wanted(settings, source, latest(warehouse, source) or []), cameras)
    return cameras


def latest(warehouse: ParquetWarehouse, source: str) -> list[Camera] | None:
    """Return the latest list that a source gave, None if it never gave one."""
    return _load(warehouse, _latest_name(source))


def keep(warehouse: ParquetWarehouse, source: str, cameras: Sequence[Camera]) -> None:
    """Keep a list as the latest one, and publish it as the table `cameras`."""
    _save(warehouse, _latest_name(source), cameras)
    columns = set(CAMERAS.schema.names) - {"camera", "schema_version"}
    rows = [{"camera": camera.id, **camera.model_dump(include=columns)} for camera in cameras]
    warehouse.publish(CAMERAS, Scope(source), to_arrow(CAMERAS, rows))


async def update(settings: Settings, source: str, *, clock: Clock = utc_now, believe: bool = False) -> Update:
    """Ask a source for its cameras, publish the list, and publish what changed since the last update.

    The first update has nothing to compare with and finds no change. Changes of one day are added up; killed anywhere
    and run again, the update finds the same.

    Args:
        settings: the settings.
        source: name of the source.
        clock: what time it is.
        believe: whether a list with less than half of the cameras is taken for true.

    Raises:
        SourceError: the source does not answer, or what it says is not believed; nothing is changed then.
        ConfigError: the source lists no camera at all.
    """
    warehouse = open_lake(settings)
    if believe:
        cameras = await _ask(settings, source, clock)
    else:
        cameras = await ask(settings, warehouse, source, clock)
    if not cameras:
        raise ConfigError(f"source {source} lists no camera: see `wayside sources check {source}`")
    now = clock()
    changes: list[Row] = []
    before = _load(warehouse, _compared_name(source)) or _published(warehouse, source)
    if before:
        compared = _wanted(settings, source, before)
        analysed = _analysed(warehouse, source, now)
        changes = compare(compared, cameras, analysed, _former(warehouse, source))
        _note(warehouse, source, changes, now)
    keep(warehouse, source, cameras)
    _save(warehouse, _compared_name(source), cameras)
    return Update(source, len(cameras), tuple(changes))


async def _ask(settings: Settings, source: str, clock: Clock) -> list[Camera]:
    opened = open_source(find_source(settings, source))
    async with HttpClient(opened.spec, settings, clock=clock) as http:
        return sorted(await opened.cameras(http), key=lambda camera: camera.id)


def _wanted(settings: Settings, source: str, cameras: Sequence[Camera]) -> list[Camera]:
    """Leave out cameras that the configuration does not ask for any more: their absence says nothing."""
    wanted = wanted_ids(find_source(settings, source), settings)
    return [camera for camera in cameras if wanted is None or camera.id in set(wanted)]


def _note(warehouse: ParquetWarehouse, source: str, changes: Sequence[Row], now: datetime) -> None:
    """Add changes to those of the day; one that is known keeps the time at which it was noticed."""
    day = now.astimezone(UTC).date()
    scope = Scope(source, day=day)
    rows = {(row["camera"], row["change"]): row for row in warehouse.read(CAMERA_CHANGES, scope).to_pylist()}
    for change in changes:
        key = change["camera"], change["change"]
        if key not in rows or rows[key]["detail"] != change["detail"]:
            rows[key] = {"source": source, "day": day, "seen_at": now, **change}
    if rows:
        warehouse.publish(CAMERA_CHANGES, scope, to_arrow(CAMERA_CHANGES, list(rows.values())))


def _analysed(warehouse: ParquetWarehouse, source: str, now: datetime) -> set[str]:
    days = [f"{now.astimezone(UTC) - timedelta(days=back):%Y%m%d}" for back in range(ANALYSED_DAYS + 1)]
    since = now - timedelta(days=ANALYSED_DAYS)
    with warehouse.connect([source], days) as connection:
        rows = sql.ask(connection, "stills/analysed_cameras", {"source": source, "since": since})
    return {row["camera"] for row in rows}


def _former(warehouse: ParquetWarehouse, source: str) -> set[str]:
    with warehouse.connect([source]) as connection:
        return {row["camera"] for row in sql.ask(connection, "stills/former_cameras", {"source": source})}


def _published(warehouse: ParquetWarehouse, source: str) -> list[Camera]:
    """Return the published list, which has no addresses."""
    rows = warehouse.read(CAMERAS, Scope(source)).to_pylist()
    return [Camera(id=row["camera"], **{name: row[name] for name in ("source", "name", "lat", "lon")}) for row in rows]


def _latest_name(source: str) -> str:
    return f"{source_id(source)}-latest"


def _compared_name(source: str) -> str:
    return f"{source_id(source)}.compared-latest"  # a source has no dot: no other source's list has this name


def _save(warehouse: ParquetWarehouse, name: str, cameras: Sequence[Camera]) -> None:
    warehouse.save_plan(name, [camera.model_dump(mode="json") for camera in cameras])


def _load(warehouse: ParquetWarehouse, name: str) -> list[Camera] | None:
    if not warehouse.has_plan(name):
        return None
    return [Camera.model_validate(camera) for camera in warehouse.load_plan(name)]
