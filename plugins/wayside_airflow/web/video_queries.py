"""Questions of the pages of video archives to the tables: jobs, their files, and events with labels and verdicts.

`wayside_airflow.web.queries` tells how questions are asked.
"""

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from wayside_airflow.web.kept import Kept, identities
from wayside_airflow.web.queries import Lens, Row, kept

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

#: Jobs that the pages show and programs are told at the most.
MOST_JOBS: Final = 200
_JOBS: Kept[list[Row]] = Kept(most=5 * MOST_JOBS)


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
