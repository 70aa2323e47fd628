"""The page of runs: every back-fill and reprocessing, what it was about, how far it is and what came of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from wayside.core.clock import utc_now
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.kept import Kept, identities
from wayside_airflow.web.queries import Row

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter()

SHOWN = 200
#: A run that says nothing for this long is not at work any more: it was killed, and waits to be started again.
SILENT = timedelta(minutes=15)
_READ: Kept[list[Row]] = Kept(most=5 * SHOWN)
_MODES: Final = {"all": "everything again", "only_missing": "what has no counts", "changed": "what has changed"}
State = Literal["", "planned", "running", "stopped", "done", "failed"]


@router.get("/runs")
def runs(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    state: State = "",
    kind: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """List the newest runs of all sources; `state` and `kind` narrow the list."""
    everyone = told(newest(warehouse, SHOWN), utc_now())
    states = Counter(run["state"] for run in everyone)
    shown = [run for run in everyone if state in {"", run["state"]} and kind in {"", run["kind"]}]
    values = {
        "tab": "runs",
        "choice": choice,
        "runs": shown,
        "everyone": len(everyone),
        "limit": SHOWN,
        "kinds": sorted({run["kind"] for run in everyone}),
        "states": {name: number for name in get_args(State) if (number := states[name])},
        "modes": _MODES,
        "kind": kind,
        "state": state,
        "filters": {**choice.query, "state": state, "kind": kind},
        "grid": airflow_root() + "/dags",
    }
    return render(request, "runs.html", values)


@router.get("/api/runs")
def runs_json(warehouse: Warehouse, limit: Annotated[int, Query(ge=1, le=SHOWN)] = SHOWN) -> dict[str, Any]:
    """Give the newest runs as data."""
    return {"runs": told(newest(warehouse, limit), utc_now())}


def newest(warehouse: "ParquetWarehouse", limit: int) -> list[Row]:
    """Read the rows of the newest runs. Their files are named by the time of the run, so no other is opened."""
    from wayside.core.tables import RUNS

    paths = sorted(warehouse.files(RUNS), key=lambda name: _time_in(PurePath(name).stem), reverse=True)
    rows = [row for name in paths[:limit] for row in _rows(warehouse, name)]
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)


def _rows(warehouse: "ParquetWarehouse", name: str) -> list[Row]:
    """Read one file of the table, from memory if it was read before; a run that is over never changes any more."""
    from wayside.core.tables import RUNS
    from wayside.warehouse.scope import Scope

    path = PurePath(name)
    scope = Scope(path.parent.name.removeprefix("source="), run=path.stem.removeprefix("run="))
    try:
        return _READ.get(identities([name]), lambda: warehouse.read(RUNS, scope).to_pylist())
    except FileNotFoundError:
        return []


def told(rows: Iterable[Row], now: datetime) -> list[Row]:
    """Add to each row what people want to know: progress 0..1, how long it took, whether it still lives."""
    return [{**row, **_added(row, now)} for row in rows]


def _added(row: Row, now: datetime) -> Row:
    silent = row["state"] == "running" and now - row["updated_at"] > SILENT
    # Seconds in the model are those of all threads added: a share of the time that went by would exceed one.
    each = 1000 * row["inference_seconds"] / row["images"] if row["images"] else None
    return {
        "state": "stopped" if silent else row["state"],
        "progress": row["slots_done"] / row["slots"] if row["slots"] else None,
        "took": span(row["updated_at"] - row["started_at"]),
        "per_second": row["images"] / row["seconds"] if row["seconds"] and row["images"] else None,
        "model_ms": each,
        "dag": f"/{quote(row['kind'])}",
    }


def _time_in(stem: str) -> str:
    """Return the time in the name of a run, `run=<dag>-<time>-<digest>`, to sort by."""
    parts: Sequence[str] = stem.rsplit("-", 2)
    return parts[1] if len(parts) == 3 else ""


def span(length: timedelta) -> str:
    """Write a length of time for people: `42 s`, `5 min`, `2 h 10 min`."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def airflow_root() -> str:
    """Return the path below which Airflow's own pages lie."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
