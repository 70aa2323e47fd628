"""All access of the pages to tables: one function for each question, its SQL in a file of `sql/web`.

The files are BigQuery's dialect and are translated for DuckDB. `ask` gives every statement the source and pipeline of
the lens, where it names such parameters. `kept` does the same for questions that pages ask over and over, and looks at
the files again only when there are others.

A `Lens` says which rows a page looks at: one source and one pipeline. The statements run on a private connection over
the days that are asked for, so that a year of published files costs a page of one day nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside.warehouse import sql
from wayside_airflow.web.kept import Kept, identities

if TYPE_CHECKING:
    import pyarrow as pa

    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.warehouse.scope import Scope

Row = dict[str, Any]

# How far back the newest slot is looked for day by day; beyond, every published file is listed once.
_RECENT_DAYS = 14
# A slot in the first hours of a day also looks at the day before for the last counted picture.
_LOOK_BACK = timedelta(hours=3)
# No receipt is older.
_BEFORE_ALL = date(2000, 1, 1)
# A month of a thousand cameras is the largest answer of them, 1 MB.
ANSWERS: Kept[Any] = Kept(most=40)


@dataclass(frozen=True)
class Lens:
    """The rows a page looks at. `pipeline` is None where a source has frames and no counts yet."""

    source: str
    pipeline: str | None


@dataclass(frozen=True)
class PhotoFilter:
    """Which road photos of an inbox a page is about: all, or those with a status, of a run, in a folder (its id).

    `text` is a part of the picture's path, in lower case.
    """

    status: str | None = None
    run: str | None = None
    folder: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Newest:
    """The newest slot of a source, the pipelines that have counts on its day, and whether it is counted at all."""

    slot: Slot
    pipelines: tuple[str, ...]


def sources(warehouse: "ParquetWarehouse") -> list[Row]:
    """List the sources, how many cameras each has, and the credit that it asks for."""
    return _listed(kept(warehouse, "sources", None, []))


def newest(warehouse: "ParquetWarehouse", source: str, today: date, pipeline: str | None = None) -> Newest | None:
    """Find the newest counted slot of a source (of one pipeline, if given); a fetched one if none is counted."""
    from wayside.core.tables import COUNTS, FRAMES

    pipelines = [pipeline] if pipeline else None
    days = [f"{today - timedelta(days=back):%Y%m%d}" for back in range(-1, _RECENT_DAYS)]
    for table in (COUNTS, FRAMES):
        for day in (*days, *warehouse.days(table, [source], pipelines)[-1:]):
            if scopes := warehouse.scopes(table, [source], [day], pipelines):
                return _newest_of(scopes)
    return None


def _newest_of(scopes: "Sequence[Scope]") -> Newest:
    """Take slot and pipelines from the published scopes of one day, the pipeline of the newest slot first."""
    ranked = sorted(((scope.slot, scope.pipeline) for scope in scopes if scope.slot), key=itemgetter(0), reverse=True)
    names = dict.fromkeys(pipeline for _, pipeline in ranked if pipeline)
    return Newest(ranked[0][0], tuple(names))


def camera_names(warehouse: "ParquetWarehouse", lens: Lens) -> list[Row]:
    """List the cameras of a source with their names."""
    return _listed(kept(warehouse, "camera_names", lens, []))


def camera(warehouse: "ParquetWarehouse", lens: Lens, name: str) -> Row | None:
    """Return what the source says about one camera, or None if it does not list it."""
    found = ask(warehouse, "camera", lens, [], camera=name)
    return found[0] if found else None


def cameras_at(warehouse: "ParquetWarehouse", lens: Lens, slot: Slot) -> list[Row]:
    """List every camera of a source with its outcome at a slot and the slot at which it was counted last."""
    back = Slot.floor(slot.start - _LOOK_BACK)
    bounds = {"since": back.start.replace(hour=0, minute=0), "first": slot.start, "last": slot.start}
    return ask(warehouse, "cameras_at_slot", lens, _days(back, slot), **bounds)


def boxes(
    warehouse: "ParquetWarehouse", lens: Lens, wanted: Collection[tuple[str, Slot]]
) -> dict[tuple[str, Slot], list[Row]]:
    """Return the detections of pictures, each named by camera and slot."""
    if not wanted:
        return {}
    slots = sorted({slot for _, slot in wanted})
    rows = ask(
        warehouse,
        "boxes",
        lens,
        sorted({slot.day for slot in slots}),
        first=slots[0].start,
        last=slots[-1].start,
        slots=[slot.start for slot in slots],
        cameras=sorted({name for name, _ in wanted}),
    )
    found: dict[tuple[str, Slot], list[Row]] = {}
    for row in rows:
        found.setdefault((row["camera"], Slot(row["slot"])), []).append(row)
    return found


def camera_history(warehouse: "ParquetWarehouse", lens: Lens, name: str, first: Slot, last: Slot) -> list[Row]:
    """List the outcomes of one camera between two slots, newest first."""
    bounds = {"first": first.start, "last": last.start}
    return ask(warehouse, "camera_history", lens, _days(first, last), camera=name, **bounds)


def frame_cameras(warehouse: "ParquetWarehouse", lens: Lens, slot: Slot) -> list[str]:
    """List the cameras that have a frame at a slot, in the order in which shards are cut."""
    rows = ask(warehouse, "frame_cameras", lens, [slot.day], slot=slot.start)
    return [row["camera"] for row in rows]


def series(warehouse: "ParquetWarehouse", lens: Lens, first: Slot, last: Slot, name: str | None) -> list[Row]:
    """Return objects seen at each slot between two, over all cameras or one."""
    bounds = {"first": first.start, "last": last.start}
    return _listed(kept(warehouse, "series", lens, _days(first, last), camera=name, **bounds))


def camera_days(warehouse: "ParquetWarehouse", lens: Lens, first: date, last: date) -> "pa.Table":
    """Return the rolled-up days of every camera between two, as Arrow columns."""
    days = [f"{first + timedelta(days=step):%Y%m%d}" for step in range((last - first).days + 1)]
    return kept(warehouse, "camera_weeks", lens, days, first=first, last=last)


def looked_at(warehouse: "ParquetWarehouse", lens: Lens) -> set[date]:
    """Return the days on which frames or counts are published."""
    from wayside.core.tables import COUNTS, FRAMES

    pipelines = [lens.pipeline] if lens.pipeline else []
    days = {*warehouse.days(FRAMES, [lens.source]), *warehouse.days(COUNTS, [lens.source], pipelines)}
    return {date.fromisoformat(day) for day in days}


def day_of_cameras(warehouse: "ParquetWarehouse", lens: Lens, day: date, due: int) -> "pa.Table":
    """Count the outcomes of the first `due` (>= 1) slots of a day, camera by camera, from frames and counts."""
    first = next(Slot.of_day(day))
    bounds = {"first": first.start, "last": first.shift(due - 1).start}
    return kept(warehouse, "roll_up", lens, [first.day], **bounds)


def timeseries(warehouse: "ParquetWarehouse", lens: Lens, name: str) -> list[Row]:
    """Return the daily series of one class, oldest day first; empty until `build_timeseries` has run."""
    return _listed(kept(warehouse, "timeseries", lens, [], series=name))


def all_timeseries(warehouse: "ParquetWarehouse", lens: Lens) -> "pa.Table":
    """Return every daily series of a source as Arrow columns."""
    return kept(warehouse, "timeseries_all", lens, [])


def coverage(warehouse: "ParquetWarehouse", lens: Lens, first: Slot) -> "pa.Table":
    """Return camera, slot and outcome of every frame or count of the day that starts at `first`, as Arrow columns."""
    params = {"first": first.start, "last": first.shift(SLOTS_PER_DAY - 1).start}
    with _asked(warehouse, "coverage", lens, [first.day], params) as relation:
        return relation.to_arrow_table()


def photo_sources(warehouse: "ParquetWarehouse") -> list[Row]:
    """List the inboxes of road photos with their pictures by status, last run, and receipts."""
    receipts = {
        row["source"]: row for row in _listed(kept(warehouse, "photo_receipts", None, None, first_day=_BEFORE_ALL))
    }
    none = {"receipts": 0, "first_day": None, "last_day": None}
    listed = _listed(kept(warehouse, "photo_sources", None, []))
    return [{**none, **row, **receipts.get(row["source"], {})} for row in listed]


def photo_runs(warehouse: "ParquetWarehouse", lens: Lens) -> list[Row]:
    """List the newest runs that pictures of an inbox are of."""
    return _listed(kept(warehouse, "photo_runs", lens, []))


def photo_folders(warehouse: "ParquetWarehouse", lens: Lens) -> list[Row]:
    """List the folders of an inbox, by path."""
    from wayside.photos.job import folder

    rows = _listed(kept(warehouse, "photo_folders", lens, []))
    return [{**row, "path": folder(row["photo"])} for row in rows]


def photo_statuses(warehouse: "ParquetWarehouse", lens: Lens, fits: "PhotoFilter") -> dict[str, int]:
    """Count the pictures of an inbox by status; the filter's own status does not count."""
    asked = {"run": fits.run, "folder": fits.folder, "text": fits.text}
    rows = _listed(kept(warehouse, "photo_statuses", lens, [], **asked))
    return {row["status"]: int(row["pictures"]) for row in rows}


def photos(warehouse: "ParquetWarehouse", lens: Lens, fits: "PhotoFilter", skip: int, most: int) -> list[Row]:
    """List pictures of an inbox by path, at most so many after the first `skip`."""
    asked = {"status": fits.status, "run": fits.run, "folder": fits.folder, "text": fits.text}
    return _listed(kept(warehouse, "photos", lens, [], **asked, skip=skip, until=skip + most))


def photo(warehouse: "ParquetWarehouse", source: str, name: str, columns: Sequence[str] | None = None) -> Row | None:
    """Return the row of one road photo, or None; only the file of its folder is opened."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from wayside.core.ids import folder_id_of
    from wayside.core.tables import ROAD_PHOTOS
    from wayside.photos.job import folder
    from wayside.warehouse.scope import Scope

    path = warehouse.layout.path(ROAD_PHOTOS, Scope(source, folder=folder_id_of(folder(name))))
    wanted = list(columns or ROAD_PHOTOS.schema.names)
    try:
        found: pa.Table = pq.read_table(path, columns=wanted, filters=[("photo", "==", name)], partitioning=None)
    except FileNotFoundError:
        return None
    return next(iter(_listed(found)), None)


def ask(warehouse: "ParquetWarehouse", question: str, lens: Lens, days: Sequence[str], **params: object) -> list[Row]:
    """Ask a question of `sql/web` over the files of the lens and the days (`YYYYMMDD`; empty: tables without days)."""
    with _asked(warehouse, question, lens, days, params) as relation:
        # Through Arrow: DuckDB's own rows would need one more library for the time zone.
        return _listed(relation.to_arrow_table())


def kept(
    warehouse: "ParquetWarehouse", question: str, lens: Lens | None, days: Sequence[str] | None, **params: object
) -> "pa.Table":
    """Return the answer as Arrow columns, from before if no file behind it has changed since."""
    from wayside.core.tables import TABLES

    def ask() -> Any:
        with _asked(warehouse, question, lens, days, params) as relation:
            return relation.to_arrow_table()

    try:
        behind = tuple(
            identities(warehouse.files(TABLES[table], *_part(lens, days)))
            for table in sorted(sql.tables(f"web/{question}"))
        )
    except FileNotFoundError:  # compacted just now
        return ask()
    return ANSWERS.get((warehouse.root, question, lens, frozenset(params.items()), behind), ask)


@contextmanager
def _asked(
    warehouse: "ParquetWarehouse",
    question: str,
    lens: Lens | None,
    days: Sequence[str] | None,
    params: Mapping[str, object],
) -> Iterator[Any]:
    """Ask a question over the files that the lens leaves. Parameters that it does not name are left out."""
    name = f"web/{question}"
    given = {"source": lens.source, "pipeline": lens.pipeline, **params} if lens else params
    wanted = {key: value for key, value in given.items() if key in sql.parameters(name)}
    with warehouse.connect(*_part(lens, days), tables=sql.tables(name)) as connection:
        yield connection.sql(sql.for_duckdb(name), params=wanted)


def _part(lens: Lens | None, days: Sequence[str] | None) -> tuple[list[str] | None, Sequence[str] | None, list[str]]:
    """Return the sources, days (None: all) and pipelines whose files a question is about."""
    return ([lens.source] if lens else None), days, ([lens.pipeline] if lens and lens.pipeline else [])


def _days(first: Slot, last: Slot) -> list[str]:
    span = (last.start.date() - first.start.date()).days
    return [f"{first.start + timedelta(days=step):%Y%m%d}" for step in range(span + 1)]


def _listed(table: "pa.Table") -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return rows
