"""The pages of road photos: the inboxes, the pictures of one, and one picture with its record and receipt.

Pictures that are shown are the anonymised ones; see `wayside_airflow.web.photo_files`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from wayside.core.errors import ConfigError, StoreError
from wayside.core.ids import folder_id, run_id, source_id
from wayside.core.settings import settings
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import Warehouse, query, render
from wayside_airflow.web.photo_files import Photo, objects, why_not
from wayside_airflow.web.photo_receipts import checked, of_picture
from wayside_airflow.web.queries import Lens, PhotoFilter, Row
from wayside_airflow.web.runs import airflow_root

router = APIRouter()

PER_PAGE: Final = 48
STATUSES: Final = ("done", "held", "skipped", "failed")
Status = Literal["", "done", "held", "skipped", "failed"]
#: What a receipt says of a picture at a glance, with the words for it.
_TOLD: Final = {
    "time": "anonymised",
    "tool": "by",
    "operator": "started by",
    "reviewer": "looked at by",
    "profile": "profile",
    "mode": "written",
    "mode_reason": "because",
}


@router.get("/photos")
def inboxes(
    request: Request, warehouse: Warehouse, choice: Chosen, run: Annotated[str, Query(max_length=127)] = ""
) -> Response:
    """List the inboxes; with `run`, lead to the pictures of that run."""
    if run:
        found = _inbox_of(warehouse, run_id(run))
        if found is None:
            raise HTTPException(404, f"no picture is of a run {run}")
        base = request.scope.get("root_path", "").rstrip("/")
        return RedirectResponse(f"{base}/photos/{found}?{query({'run': run})}")
    listed = [row | {"chain": _chain(warehouse, row, quick=True)} for row in queries.photo_sources(warehouse)]
    return render(request, "photos.html", {**_common(choice), "inboxes": listed})


@router.get("/photos/{inbox}")
def pictures(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    inbox: str,
    status: Status = "",
    run: Annotated[str, Query(max_length=127)] = "",
    folder: Annotated[str, Query(max_length=16)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """List the pictures of an inbox by path, with the anonymised picture of each."""
    about = _about(warehouse, inbox)
    lens = Lens(about["source"], None)
    fits = PhotoFilter(
        status or None,
        run_id(run) if run else None,
        folder_id(folder) if folder else None,
        q.strip().lower() or None,
    )
    totals = queries.photo_statuses(warehouse, lens, fits)
    fitting = totals.get(status, 0) if status else sum(totals.values())
    pages = max(1, math.ceil(fitting / PER_PAGE))
    page = min(page, pages)
    rows = queries.photos(warehouse, lens, fits, (page - 1) * PER_PAGE, PER_PAGE)
    values = {
        **_common(choice),
        "inbox": about,
        "chain": _chain(warehouse, about),
        "photos": [_shown(row, inbox) for row in rows],
        "runs": queries.photo_runs(warehouse, lens),
        "folders": queries.photo_folders(warehouse, lens),
        "totals": {name: totals[name] for name in STATUSES if name in totals},
        "everyone": sum(totals.values()),
        "page": page,
        "pages": pages,
        "filters": {"status": status, "run": run, "folder": folder, "q": q.strip()},
    }
    return render(request, "photo_inbox.html", values)


@router.get("/photos/{inbox}/picture")
def picture(request: Request, warehouse: Warehouse, choice: Chosen, inbox: str, photo: Photo) -> HTMLResponse:
    """Show one anonymised picture, its record, and its receipts with the state of their chain."""
    row = queries.photo(warehouse, source_id(inbox), photo)
    if row is None:
        raise HTTPException(404, f"{inbox} has no picture {photo}")
    receipts = of_picture(warehouse, inbox, photo)
    values = {
        **_common(choice),
        "one": _shown(row, inbox),
        "record": _record(row),
        "models": _mapping(row["models"]),
        "receipts": [
            {**one, "chain": checked(warehouse, inbox, one["day"]), "told": _told(one["said"])} for one in receipts
        ],
        # A picture that was done again has receipts of both files; the newest has to be of the one that lies there.
        "proven": bool(receipts) and receipts[0]["output_sha256"] == row["output_sha256"],
    }
    return render(request, "photo.html", values)


def _common(choice: Any) -> dict[str, Any]:
    return {"tab": "photos", "choice": choice, "airflow": airflow_root()}


def _about(warehouse: Any, inbox: str) -> Row:
    """Return what is known of an inbox; raise 404 if nothing is."""
    source_id(inbox)
    for row in queries.photo_sources(warehouse):
        if row["source"] == inbox:
            return row
    raise HTTPException(404, f"no inbox is called {inbox}")


def _inbox_of(warehouse: Any, run: str) -> str | None:
    """Return the inbox that a run worked on: what it was told, or, where that is tidied away, what it published."""
    from wayside.photos.batch import has_job, load_job

    if has_job(warehouse, run):
        try:
            return load_job(warehouse, run).source
        except (StoreError, ConfigError, ValueError):  # of another version, or tidied away just now
            pass
    names = (row["source"] for row in queries.photo_sources(warehouse))
    return next(
        (name for name in names if any(one["run"] == run for one in queries.photo_runs(warehouse, Lens(name, None)))),
        None,
    )


def _chain(warehouse: Any, about: Row, *, quick: bool = False) -> Any:
    """Check the newest day of an inbox's receipts; None where there are none."""
    return checked(warehouse, about["source"], about["last_day"], quick=quick) if about["last_day"] else None


def _shown(row: Row, inbox: str) -> Row:
    """Add to a row what people see of it."""
    path = PurePosixPath(row["photo"])
    found = objects(row)
    return {
        **row,
        "source": inbox,
        "name": path.name,
        "folder_path": "" if str(path.parent) == "." else str(path.parent),
        "chips": sorted(found.items(), key=lambda pair: -pair[1]),
        "why_not": why_not(row, settings()),
    }


def _record(row: Row) -> list[tuple[str, str]]:
    """Return the record's values as texts, in its order."""
    return [(key, _text(value)) for key, value in _mapping(row["record"]).items()]


def _told(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(words, _text(said[name])) for name, words in _TOLD.items() if said.get(name)]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _mapping(text: str | None) -> Row:
    """Read a JSON object; anything else is an empty one."""
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
