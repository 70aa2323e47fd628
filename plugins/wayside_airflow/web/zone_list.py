"""What the page of zones lists: the cameras that have video, how fresh each is, and what its processors counted last.

It looks at few files: of each camera the newest hour of segments, of each processor the newest day of counts. Both are
kept in memory for as long as they stay the same.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wayside.core.clock import utc_now
from wayside_airflow.web.kept import Kept, identities

if TYPE_CHECKING:
    from wayside.core.tables import Table
    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.zones.processor import Processor

#: A camera whose video ended less than this ago is being watched.
FRESH: Final = timedelta(minutes=10)
_ENDS: Kept[datetime | None] = Kept(most=20_000)
_TOTALS: Kept[dict[str, Any]] = Kept(most=20_000)


@dataclass(frozen=True)
class Shown:
    """A processor as the list shows it. `day` is the newest that it counted, `figure` what came of it by `version`."""

    processor: "Processor"
    version: int | None
    day: date | None
    figure: int | None
    today: bool


@dataclass(frozen=True)
class Camera:
    """A camera with video. `ended` is when its newest segment ended, `age` how long ago that is, in words."""

    source: str
    camera: str
    ended: datetime | None
    age: str
    fresh: bool
    processors: tuple[Shown, ...]


def cameras(warehouse: "ParquetWarehouse", processors: Iterable["Processor"]) -> list[Camera]:
    """List the cameras that have segments or processors, by source and name."""
    from wayside.core.tables import SEGMENTS

    root = warehouse.layout.root
    places = {_place(folder): folder for folder in _folders(root, SEGMENTS)}
    of_camera = defaultdict(list)
    for one in processors:
        of_camera[one.source, one.camera].append(one)
    now = utc_now()
    listed = sorted({*places, *of_camera})
    return [_camera(place, places.get(place), of_camera[place], root, now) for place in listed]


def _camera(
    place: tuple[str, str], folder: Path | None, processors: list["Processor"], root: Path, now: datetime
) -> Camera:
    ended = _ended(folder) if folder else None
    shown = tuple(_shown(root, one, now.date()) for one in sorted(processors, key=lambda one: one.number))
    fresh = ended is not None and now - ended < FRESH
    return Camera(*place, ended, _age(now - ended) if ended else "", fresh, shown)


def _place(folder: Path) -> tuple[str, str]:
    return folder.parent.name.removeprefix("source="), folder.name.removeprefix("camera=")


def _folders(root: Path, table: "Table") -> list[Path]:
    """Return the folders of cameras of a table."""
    return list((root / table.name).glob("source=*/camera=*"))


def _newest(folder: Path, pattern: str) -> Path | None:
    """Return what comes last of a folder by its name: days and hours are named so."""
    return max(folder.glob(pattern), default=None)


def _ended(folder: Path) -> datetime | None:
    """Return when the newest segment of a camera ends, from the statistics of the newest file."""
    day = _newest(folder, "day=*")
    hour = _newest(day, "*.parquet") if day else None
    return _read(_ENDS, hour, lambda: _last_end(str(hour))) if hour else None


def _last_end(name: str) -> datetime | None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    # Not `read_table`: looking for folders of a data set costs more than such a small file.
    last: datetime | None = pc.max(pq.ParquetFile(name).read(columns=["end_at"])["end_at"]).as_py()
    return last and last.astimezone(UTC)


def _shown(root: Path, one: "Processor", today: date) -> Shown:
    from wayside.core.tables import ZONE_MINUTES

    parts = (f"source={one.source}", f"camera={one.camera}", f"processor={one.number}")
    versions = (root / ZONE_MINUTES.name).joinpath(*parts).glob("version=*")
    counted = (last / "all.parquet" for folder in versions if (last := _newest(folder, "day=*")))
    # Days are sorted as texts; of one day the newest version counts.
    newest = max(counted, key=lambda path: (path.parent.name, _version(path)), default=None)
    if newest is None:
        return Shown(one, None, None, None, today=False)
    day = datetime.strptime(newest.parent.name, "day=%Y%m%d").replace(tzinfo=UTC).date()
    totals = _read(_TOTALS, newest, lambda: _total(str(newest))) or {}
    figure = totals.get("came" if one.kind == "traffic" else "most")
    return Shown(one, _version(newest), day, figure, today=day == today)


def _version(path: Path) -> int:
    return int(path.parent.parent.name.removeprefix("version="))


def _total(name: str) -> dict[str, Any]:
    """Add up a day of counts: who came in all, and the most inside at a time."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    counted = ("entered", "forward", "backward", "finished")
    rows = pq.ParquetFile(name).read(columns=["zone", "label", *counted, "inside_max"])
    rows = rows.filter(pc.and_(pc.equal(rows["zone"], "*"), pc.equal(rows["label"], "*")))
    came = sum(pc.sum(rows[column]).as_py() or 0 for column in counted)
    return {"came": came, "most": pc.max(rows["inside_max"]).as_py()}


def _read(kept: Kept[Any], file: Path, make: Callable[[], Any]) -> Any:
    """Read a file, from memory if it was read before; None where it has just gone."""
    try:
        return kept.get(identities([str(file)]), make)
    except FileNotFoundError:
        return None


def _age(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 2:
        return "just now"
    if minutes < 120:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"
