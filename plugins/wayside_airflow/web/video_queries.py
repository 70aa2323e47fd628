"""Questions of the pages of video archives to the tables: jobs, their files, and events with labels and verdicts.

`wayside_airflow.web.queries` tells how questions are asked.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from wayside_airflow.web.kept import Kept, identities
from wayside_airflow.web.queries import Lens, Row, ask, kept

if TYPE_CHECKING:
    from wayside.videos.reviews import Found
    from wayside.warehouse.parquet import ParquetWarehouse
    from wayside.warehouse.scope import Scope

#: Jobs that the pages show and programs are told at the most.
MOST_JOBS: Final = 200
_JOBS: Kept[list[Row]] = Kept(most=5 * MOST_JOBS)
#: Events are published under the hour in which their video starts, and no video is longer than a day.
_LOOK_BACK: Final = timedelta(days=1)
#: Days around an event whose labels are offered where somebody gives it others.
_NEAR: Final = 14
#: Where events lie, so that a verdict need not look for its event; 100 bytes each.
_PLACES: "Kept[Scope | None]" = Kept(most=50_000)


@dataclass(frozen=True)
class EventFilter:
    """Which events of an archive a page is about: those of a UTC day, or of an hour of it, that fit.

    `state` is how far labelling came: `cut`, `labelled`, `failed`. An empty text fits all.
    """

    archive: str
    day: date
    hour: int | None = None
    camera: str = ""
    label: str = ""
    state: str = ""

    @property
    def bounds(self) -> dict[str, datetime]:
        """The span in which the events begin, and the first hour under which they may be published."""
        first = datetime(self.day.year, self.day.month, self.day.day, self.hour or 0, tzinfo=UTC)
        return {
            "since": first - _LOOK_BACK,
            "first": first,
            "stop": first + (timedelta(days=1) if self.hour is None else timedelta(hours=1)),
        }

    @property
    def days(self) -> list[str]:
        """The days whose files may hold them."""
        return [f"{self.day - _LOOK_BACK:%Y%m%d}", f"{self.day:%Y%m%d}"]

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters of `fitting_events`."""
        return {
            **self.bounds,
            "camera": self.camera or None,
            "state": self.state or None,
            "label": self.label or None,
            # As it is written in the JSON list of what a person says.
            "quoted": json.dumps(self.label, ensure_ascii=False),
        }


def jobs(warehouse: "ParquetWarehouse", limit: int = MOST_JOBS) -> list[Row]:
    """Return the newest jobs, the last planned first. Their files are named by the time of the run."""
    from wayside.core.tables import VIDEO_JOBS

    paths = sorted(warehouse.files(VIDEO_JOBS), key=lambda name: _time_in(PurePath(name).stem), reverse=True)
    rows = [row for name in paths[:limit] for row in _job_rows(warehouse, name)]
    return sorted(rows, key=lambda row: (row["planned_at"], row["run"]), reverse=True)


def job(warehouse: "ParquetWarehouse", run: str) -> Row | None:
    """Return a job, None if there is none of this name."""
    from wayside.core.tables import VIDEO_JOBS

    named = f"run={run}.parquet"
    paths = (name for name in warehouse.files(VIDEO_JOBS) if PurePath(name).name == named)
    return next((row for name in paths for row in _job_rows(warehouse, name)), None)


def file_states(warehouse: "ParquetWarehouse", archive: str, run: str) -> list[Row]:
    """Count the files that a run saw last, by status and reason."""
    rows: list[Row] = kept(warehouse, "video_file_states", Lens(archive, None), None, run=run).to_pylist()
    return [{**row, "bytes": int(row["bytes"] or 0), "events": int(row["events"] or 0)} for row in rows]


def files(
    warehouse: "ParquetWarehouse", archive: str, run: str, status: str, reason: str, skip: int, most: int
) -> list[Row]:
    """List files that a run saw last by path, at most so many after the first `skip`; empty texts fit all."""
    asked = {"run": run, "status": status or None, "reason": reason or None, "skip": skip, "until": skip + most}
    rows: list[Row] = kept(warehouse, "video_files", Lens(archive, None), None, **asked).to_pylist()
    return rows


def archives(warehouse: "ParquetWarehouse") -> list[str]:
    """List the archives that have events, sorted."""
    return _named(warehouse, "source=*")


def event_days(warehouse: "ParquetWarehouse", archive: str) -> list[date]:
    """List the UTC days on which videos with events of an archive begin, oldest first."""
    names = _named(warehouse, f"source={archive}/camera=*/day=*")
    return [datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC).date() for name in names if name.isdecimal()]


def events(warehouse: "ParquetWarehouse", fits: EventFilter, verdict: str, skip: int, most: int) -> list[Row]:
    """List events, oldest first, at most so many after the first `skip`; `open` is a verdict here."""
    asked = {**fits.asked, "verdict": verdict or None, "skip": skip, "until": skip + most}
    rows = _events(warehouse, "events", fits, asked)
    _remember(warehouse, rows)
    return rows


def event_verdicts(warehouse: "ParquetWarehouse", fits: EventFilter) -> dict[str, int]:
    """Count events by verdict."""
    rows = _events(warehouse, "event_verdicts", fits, fits.asked)
    return {row["verdict"]: int(row["events"]) for row in rows}


def event_hours(warehouse: "ParquetWarehouse", fits: EventFilter) -> list[Row]:
    """Count events by camera and UTC hour of the day, those that nobody has looked at apart."""
    return _events(warehouse, "event_hours", fits, fits.asked)


def event_order(warehouse: "ParquetWarehouse", fits: EventFilter) -> list[Row]:
    """List events in the order of the page, with their verdicts and nothing else."""
    return _events(warehouse, "event_order", fits, fits.asked)


def event_labels(warehouse: "ParquetWarehouse", fits: EventFilter, names: Sequence[str]) -> dict[str, list[Row]]:
    """Return what machines say that events show: by event, each label once."""
    found: dict[str, list[Row]] = {}
    if names:
        bounds = {name: fits.bounds[name] for name in ("since", "stop")}
        for row in ask(warehouse, "event_labels", Lens(fits.archive, None), fits.days, events=list(names), **bounds):
            found.setdefault(row["event"], []).append(row)
    return found


def label_names(warehouse: "ParquetWarehouse", archive: str, day: date, *, around: int = 0) -> list[str]:
    """List the labels of a day of an archive, and of so many days before and after; the most frequent first."""
    first, last = day - _LOOK_BACK - timedelta(days=around), day + timedelta(days=around)
    days = [f"{first + timedelta(days=step):%Y%m%d}" for step in range((last - first).days + 1)]
    bounds = {
        "since": datetime(first.year, first.month, first.day, tzinfo=UTC),
        "stop": datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1),
    }
    rows = kept(warehouse, "label_names", Lens(archive, None), days, **bounds).to_pylist()
    return [row["label"] for row in rows]


def known_labels(warehouse: "ParquetWarehouse", archive: str, day: date) -> list[str]:
    """List labels to choose from for an event of a day, sorted."""
    return sorted(label_names(warehouse, archive, day, around=_NEAR), key=str.casefold)


def event(warehouse: "ParquetWarehouse", archive: str, name: str) -> "Found | None":
    """Return an event with its verdict, None if there is none of this id."""
    from wayside.videos.reviews import find, place_of

    key = (warehouse.root, archive, name)
    scope = _PLACES.get(key, lambda: place_of(warehouse, archive, name))
    found = find(warehouse, scope, name) if scope else None
    if found is None:
        _PLACES.forget(key)
        # It may have been published elsewhere since it was looked for.
        scope = place_of(warehouse, archive, name) if scope else None
        found = find(warehouse, scope, name) if scope else None
    return found


def _remember(warehouse: "ParquetWarehouse", rows: Iterable[Row]) -> None:
    """Remember where events lie."""
    from wayside.warehouse.scope import Scope

    for row in rows:
        make = partial(Scope, row["source"], camera=row["camera"], hour=row["hour"])
        _PLACES.get((warehouse.root, row["source"], row["event"]), make)


def _events(warehouse: "ParquetWarehouse", question: str, fits: EventFilter, asked: dict[str, Any]) -> list[Row]:
    rows: list[Row] = kept(warehouse, question, Lens(fits.archive, None), fits.days, **asked).to_pylist()
    return rows


def _named(warehouse: "ParquetWarehouse", pattern: str) -> list[str]:
    """Return the values of the last folders of a pattern below those of the events, each once, sorted."""
    from wayside.core.tables import VIDEO_EVENTS

    root = warehouse.layout.root / VIDEO_EVENTS.name
    return sorted({path.name.partition("=")[2] for path in root.glob(pattern)})


def _job_rows(warehouse: "ParquetWarehouse", name: str) -> list[Row]:
    """Read one file of the table, from memory if it was read before."""
    from wayside.core.tables import VIDEO_JOBS
    from wayside.warehouse.scope import Scope

    path = PurePath(name)
    scope = Scope(path.parent.name.removeprefix("source="), run=path.stem.removeprefix("run="))
    try:
        return _JOBS.get(identities([name]), lambda: warehouse.read(VIDEO_JOBS, scope).to_pylist())
    except FileNotFoundError:
        return []


def _time_in(stem: str) -> str:
    """Return the time in the name of a run, `run=<dag>-<time>-<digest>`, to sort by."""
    parts = stem.rsplit("-", 2)
    return parts[1] if len(parts) == 3 else ""
