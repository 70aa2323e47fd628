"""The page of a review: the contact sheet of pictures that wait for a person. The verdict is given in Airflow's form.

What waits has been anonymised, but nobody has looked whether well enough: so the page is only for those who may answer
the required action, which is more than seeing pages.
"""

import math
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Final

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from wayside.core.errors import ConfigError, StoreError
from wayside.core.ids import run_id
from wayside.core.settings import settings
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.kept import Kept
from wayside_airflow.web.photo_files import objects
from wayside_airflow.web.runs import airflow_root

if TYPE_CHECKING:
    from wayside.photos.job import Job
    from wayside.photos.journal import Note

DAG: Final = "anonymise_images"
#: Whoever may answer the required action of the DAG.
may_review = requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL, DAG)

router = APIRouter(dependencies=[Depends(may_review)])
Page = Annotated[int, Query(ge=1, le=10_000)]

_SHEETS: Kept[bytes] = Kept(most=4)  # 1 MB each
_ONE_AT_A_TIME: Final = Lock()


@router.get("/photos/review/{run}")
def review(request: Request, warehouse: Warehouse, choice: Chosen, run: str, page: Page = 1) -> HTMLResponse:
    """Show the contact sheet of a run, and the pictures on it with the reasons why somebody should look."""
    job, waiting = _waiting(warehouse, run)
    shown, page, pages = _part(waiting, page)
    values = {
        "tab": "photos",
        "choice": choice,
        "airflow": airflow_root(),
        "dag": DAG,
        "job": job,
        "waiting": len(waiting),
        "look_at": sum(bool(note.review) for note in waiting),
        "notes": [{**note.row, "review": note.review, "chips": list(objects(note.row).items())} for note in shown],
        "page": page,
        "pages": pages,
    }
    return render(request, "photo_review.html", values)


@router.get("/photos/review/{run}/sheet.jpg")
def sheet(warehouse: Warehouse, run: str, page: Page = 1) -> Response:
    """Serve one contact sheet: anonymised pictures as they are held, with outlines of what is hidden."""
    job, waiting = _waiting(warehouse, run)
    if not waiting:
        raise HTTPException(404, f"no picture of {run} waits")
    shown, *_ = _part(waiting, page)
    with _ONE_AT_A_TIME:
        data = _SHEETS.get(_key(job, shown), lambda: _drawn(job, shown))
    # Once a verdict is carried out there is nothing to be seen any more.
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _waiting(warehouse: Any, run: str) -> "tuple[Job, list[Note]]":
    """Return a run's job, and its held pictures: those that somebody should look at, or all if there are none."""
    from wayside.photos.batch import has_job, load_job
    from wayside.photos.journal import Journal
    from wayside.photos.review import waiting

    if not has_job(warehouse, run_id(run)):
        raise HTTPException(404, f"no run of {DAG} is called {run}, or its plan was tidied away")
    try:
        job = load_job(warehouse, run)
    except (StoreError, ConfigError, ValueError) as error:
        raise HTTPException(404, f"the plan of {run} cannot be read: {error}") from error
    return job, waiting(Journal(settings().state / "photos", job.source).notes(), run)


def _part(waiting: "Sequence[Note]", page: int) -> "tuple[Sequence[Note], int, int]":
    """Return the pictures of one sheet, with the number of the page and of all pages."""
    from wayside.photos.review import MOST_SHOWN

    wanted = [note for note in waiting if note.review] or waiting
    pages = max(1, math.ceil(len(wanted) / MOST_SHOWN))
    page = min(page, pages)
    return wanted[(page - 1) * MOST_SHOWN : page * MOST_SHOWN], page, pages


def _key(job: "Job", notes: "Sequence[Note]") -> tuple[object, ...]:
    return job.source, job.run, tuple((note.photo, note.row["output_sha256"]) for note in notes)


def _drawn(job: "Job", notes: "Sequence[Note]") -> bytes:
    from wayside.photos.access import Places
    from wayside.photos.review import contact_sheet
    from wayside.store.places import FolderPlace

    # The hold alone, under every name: an original is out of reach here.
    hold = FolderPlace(settings().state / "photos" / job.source / "hold", create=True)
    return contact_sheet(notes, Places(input=hold, output=hold, archive=None, separate=None, hold=hold))
