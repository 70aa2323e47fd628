"""Jobs: the imports of video archives, as a page for people and in the documented shape for programs.

Both lie at one address, and the request's `Accept` decides: who asks for HTML is a browser. The states of shards are
those of Airflow's tasks; of a run that Airflow does not know, one of the command line, they are what it has noted down.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args
from urllib.parse import quote

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError, StoreError
from wayside.core.ids import run_id
from wayside.core.settings import settings
from wayside_airflow.operators.common import tasks_name
from wayside_airflow.web import video_queries
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.job_states import DAG, AirflowRun, runs_of
from wayside_airflow.web.queries import Row
from wayside_airflow.web.runs import SILENT, airflow_root, span

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from wayside.videos.bookmarks import Format
    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter()
_log = logging.getLogger(__name__)

PER_PAGE: Final = 100
Accept = Annotated[str, Header()]
Text = Annotated[str, Query(max_length=100)]
State = Literal["", "running", "waiting", "stopped", "failed", "done"]
#: In the order of the bar: `read` are files of shards at work that have been cut into events.
_PARTS: Final = ("complete", "read", "running", "missing", "failed")
#: Downloads of labels: the format, and the type of the file.
_LABELS: "Final[dict[str, tuple[Format, str]]]" = {
    "v1.json": ("v1", "application/json"),
    "v2.json": ("v2", "application/json"),
    "csv": ("csv", "text/csv; charset=utf-8"),
    "xml": ("xml", "application/xml"),
}
#: What lies at one address in two forms must not be kept as if it were one.
_VARY: Final = {"Vary": "Accept"}


@dataclass(frozen=True)
class Shard:
    """A part of a job; `index` is the place of its tasks in the run of the DAG, if it is known."""

    shard: str
    items: int
    status: str
    index: int | None = None


@dataclass(frozen=True)
class Job:
    """A row of `video_jobs` with the states that its shards have now."""

    row: Mapping[str, Any]
    request: Mapping[str, Any]
    shards: tuple[Shard, ...]
    run: AirflowRun | None

    @property
    def status(self) -> str:
        """The state of the worst shard."""
        from wayside.videos.jobs import job_state

        return job_state(shard.status for shard in self.shards)

    def as_json(self) -> dict[str, Any]:
        """Return the job in the documented shape."""
        name = self.row["run"]
        shard_map = {
            one.shard: {"item_count": one.items, "job_id": name, "shard_id": one.shard, "status": one.status}
            for one in self.shards
        }
        return {"job_id": name, "request": self.request, "shard_map": shard_map, "status": self.status}


@router.get("/jobs", response_model=None)
def jobs(
    request: Request,
    warehouse: Warehouse,
    session: SessionDep,
    choice: Chosen,
    accept: Accept = "",
    state: State = "",
    archive: Text = "",
) -> Response:
    """List the newest jobs; `state` and `archive` narrow the list."""
    everyone = found(warehouse, session, video_queries.jobs(warehouse))
    if not _wants_page(accept):
        fitting = [one for one in everyone if archive in {"", one.row["source"]}]
        return JSONResponse([one.as_json() for one in fitting], headers=_VARY)
    now = utc_now()
    listed = [told(warehouse, one, now) for one in everyone]
    states = Counter(one["state"] for one in listed)
    values = {
        **_common(choice),
        "jobs": [one for one in listed if state in {"", one["state"]} and archive in {"", one["archive"]}],
        "everyone": len(listed),
        "limit": video_queries.MOST_JOBS,
        "states": {name: states[name] for name in get_args(State) if states[name]},
        "archives": sorted({one["archive"] for one in listed}),
        "filters": {"state": state, "archive": archive},
    }
    answer = render(request, "jobs.html", values)
    answer.headers.update(_VARY)
    return answer


@router.get("/jobs/{job}", response_model=None)
def job(
    request: Request,
    warehouse: Warehouse,
    session: SessionDep,
    choice: Chosen,
    job: str,
    accept: Accept = "",
    status: Text = "",
    reason: Text = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show one job, and its files: `status` and `reason` narrow their list."""
    one = _one(warehouse, session, job)
    if not _wants_page(accept):
        return JSONResponse(one.as_json(), headers=_VARY)
    source, run = one.row["source"], one.row["run"]
    states = video_queries.file_states(warehouse, source, run)
    fitting = sum(row["files"] for row in states if status in {"", row["status"]} and reason in {"", row["reason"]})
    pages = max(1, math.ceil(fitting / PER_PAGE))
    page = min(page, pages)
    values = {
        **_common(choice),
        "job": told(warehouse, one, utc_now()),
        "shards": one.shards,
        "statuses": _by_status(states),
        "reasons": [row for row in states if row["status"] == "quarantined"],
        "files": video_queries.files(warehouse, source, run, status, reason, (page - 1) * PER_PAGE, PER_PAGE),
        "all_files": sum(row["files"] for row in states),
        "fitting": fitting,
        "page": page,
        "pages": pages,
        "filters": {"status": status, "reason": reason},
    }
    answer = render(request, "job.html", values)
    answer.headers.update(_VARY)
    return answer


def found(warehouse: "ParquetWarehouse", session: "Session", rows: Iterable[Row]) -> list[Job]:
    """Return jobs with the states of their shards, all asked for at once."""
    rows = list(rows)
    runs = runs_of(session, [row["run"] for row in rows])
    return [_job(warehouse, row, runs.get(row["run"])) for row in rows]


@router.get("/jobs/{job}/labels.{kind}")
def labels(warehouse: Warehouse, job: str, kind: Literal["v1.json", "v2.json", "csv", "xml"]) -> Response:
    """Give the labels of a job's cameras in the time of its videos, as people have reviewed them, as a file."""
    from wayside.videos.bookmarks import write_bookmarks
    from wayside.videos.bookmarks.tables import bookmarks_of
    from wayside.videos.export import file_name

    row = _row(warehouse, job)
    asked, (form, media_type) = _mapping(row["request"]), _LABELS[kind]
    first, last = _when(asked.get("earliest_date")), _when(asked.get("latest_date"))
    found = bookmarks_of(warehouse, row["source"], cameras=_cameras(asked), first=first, last=last)
    try:
        data = write_bookmarks(replace(found, job=row["run"]), form)
    except ConfigError as error:
        raise HTTPException(409, str(error)) from error
    headers = {"Content-Disposition": f'attachment; filename="{file_name(row["source"], form)}"'}
    return Response(data, media_type=media_type, headers=headers)


def told(warehouse: "ParquetWarehouse", job: Job, now: datetime) -> dict[str, Any]:
    """Return what the pages say of a job."""
    row, run = job.row, job.run
    state = _state(job, now)
    items = _items(job, row["source"], busy=state in {"running", "stopped", "failed"})
    total = sum(items.values())
    begun = (run and run.started_at) or row["planned_at"]
    ended = now if state in {"running", "waiting"} else (run and run.ended_at) or row["updated_at"]
    # Two steps for each file: it is cut into events, and these are labelled.
    steps = 2 * items["complete"] + items["read"]
    return {
        "run": row["run"],
        "archive": row["source"],
        "state": state,
        "items": {name: items[name] for name in _PARTS if items[name]},
        "total": total,
        "done": items["complete"],
        "left": _left(steps, 2 * (total - items["failed"]), now - begun) if state == "running" else "",
        "who": run.who if run else _who(warehouse, row["run"]),
        "begun": begun,
        "took": span(ended - begun),
        "cameras": _cameras(job.request),
        "earliest": _when(job.request.get("earliest_date")),
        "latest": _when(job.request.get("latest_date")),
        "silent": row["updated_at"],
        "airflow": f"{airflow_root()}/dags/{DAG}/runs/{quote(run.run, safe='')}" if run else None,
    }


def _items(job: Job, archive: str, *, busy: bool) -> Counter[str]:
    """Count the files of a job by the state of their shard; those of shards at work by how far they are themselves."""
    items = Counter[str]()
    read = _read(archive, job.row["run"]) if busy else {}
    for shard in job.shards:
        some = min(read.get(shard.shard, 0), shard.items) if shard.status in {"running", "missing"} else 0
        items["read"] += some
        items[shard.status] += shard.items - some
    return items


def _read(archive: str, run: str) -> dict[str, int]:
    """Return how many files of each shard of a run have been cut into events, as the ledger of the archive says."""
    from wayside.videos.ledger import Ledger
    from wayside.videos.shelf import Shelf

    root = Shelf(settings().state, archive).root
    if not (root / "ledger.sqlite").is_file():
        return {}
    try:
        with closing(Ledger(root, utc_now)) as ledger:
            progress = ledger.progress(run)
    except StoreError as error:  # the page can do without; the next run tells what to do about it
        _log.warning("how far %s is cannot be told: %s", run, error)
        return {}
    read = Counter[str]()
    for (shard, state), number in progress.items():
        if state not in {"seen", "planned"}:
            read[f"{shard:04}"] += number
    return read


def _one(warehouse: "ParquetWarehouse", session: "Session", name: str) -> Job:
    return found(warehouse, session, [_row(warehouse, name)])[0]


def _row(warehouse: "ParquetWarehouse", name: str) -> Row:
    row = video_queries.job(warehouse, run_id(name))
    if row is None:
        raise HTTPException(404, f"there is no job {name}")
    return row


def _job(warehouse: "ParquetWarehouse", row: Row, run: AirflowRun | None) -> Job:
    noted = _mapping(row["shards"])
    place = _places(warehouse, row["run"]) if run else {}
    shards = []
    for name, said in noted.items():
        index = place.get(name)
        status = run.shard(index) if run is not None and index is not None else str(said.get("status"))
        shards.append(Shard(name, int(said.get("item_count", 0)), status, index))
    return Job(row, _mapping(row["request"]), tuple(shards), run)


def _places(warehouse: "ParquetWarehouse", run: str) -> dict[str, int]:
    """Return which of the mapped tasks of a run holds a shard; nothing once the plan was tidied away."""
    name = tasks_name(run)
    try:
        tasks = warehouse.load_plan(name)["tasks"] if warehouse.has_plan(name) else []
    except StoreError:  # tidied away just now
        return {}
    return {str(shard["shard_id"]): index for index, shards in enumerate(tasks) for shard in shards}


def _state(job: Job, now: datetime) -> str:
    """Return the state of a job for people: done, running, waiting, failed, or stopped before it was done."""
    if job.run is None:
        if job.status in {"failed", "complete"}:
            return "failed" if job.status == "failed" else "done"
        return "stopped" if now - job.row["updated_at"] > SILENT else "running"
    if not job.run.over:
        begun = any(shard.status != "missing" for shard in job.shards) or job.run.state == "running"
        return "running" if begun else "waiting"
    if job.run.state == "failed" or job.status == "failed":
        return "failed"
    return "done" if job.status == "complete" else "stopped"


def _left(done: int, total: int, gone: timedelta) -> str:
    """Say how long it will take at the pace so far; nothing while there is no pace yet."""
    return span(gone * (total - done) / done) if 0 < done < total else ""


def _who(warehouse: "ParquetWarehouse", run: str) -> str:
    """Return who started a run that Airflow does not know, as long as what it was told is kept."""
    from wayside.videos.importer import has_job, load_job

    try:
        return load_job(warehouse, run).who if has_job(warehouse, run) else "the command line"
    except (StoreError, ConfigError, ValueError):  # of another version, or tidied away just now
        return "the command line"


def _when(text: object) -> datetime | None:
    """Read a time of a request; None where there is none that could be read."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _cameras(request: Mapping[str, Any]) -> list[str]:
    named = request.get("cameras") or []
    return [str(one.get("name", "")) if isinstance(one, dict) else str(one) for one in named]


def _by_status(states: Iterable[Row]) -> dict[str, int]:
    added = Counter[str]()
    for row in states:
        added[row["status"]] += row["files"]
    return dict(added)


def _common(choice: Any) -> dict[str, Any]:
    return {"tab": "jobs", "choice": choice, "grid": f"{airflow_root()}/dags"}


def _wants_page(accept: str) -> bool:
    return "text/html" in accept


def _mapping(text: str | None) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
