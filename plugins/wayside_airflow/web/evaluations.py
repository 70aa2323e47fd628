"""The pages of evaluations: how good each model is, what the anonymiser hides, and where it hides least.

Files alone, from the folder `evaluations` of the state. Its pictures were anonymised before they were written there.
"""

from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from wayside.core.settings import settings
from wayside.photos import evaluations
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import render
from wayside_airflow.web.runs import airflow_root

router = APIRouter()

_FIGURES: Final = {
    "ap": "AP, overlaps 0.50 to 0.95",
    "ap50": "AP at 0.50",
    "ap75": "AP at 0.75",
    "ap_small": "AP, small objects",
    "ap_medium": "AP, medium objects",
    "ap_large": "AP, large objects",
    "ar1": "AR, 1 answer a picture",
    "ar10": "AR, 10 answers",
    "ar100": "AR, 100 answers",
    "ar_small": "AR, small objects",
    "ar_medium": "AR, medium objects",
    "ar_large": "AR, large objects",
}


@router.get("/evaluations")
def listed(request: Request, choice: Chosen) -> HTMLResponse:
    """List the evaluations, the newest first."""
    found = list(evaluations.listed(_folder()))
    values = {"tab": "evaluations", "choice": choice, "evaluations": found, "grid": airflow_root() + "/dags"}
    return render(request, "evaluations.html", values)


@router.get("/evaluations/{evaluation}")
def shown(request: Request, choice: Chosen, evaluation: str) -> HTMLResponse:
    """Show one evaluation: figures with their intervals, and the pictures in which most shows."""
    values = {"tab": "evaluations", "choice": choice, "one": _result(evaluation), "figures": _FIGURES}
    return render(request, "evaluation.html", values)


@router.get("/api/evaluations")
def listed_json() -> dict[str, Any]:
    """Give all evaluations as data."""
    return {"evaluations": list(evaluations.listed(_folder()))}


@router.get("/api/evaluations/{evaluation}")
def shown_json(evaluation: str) -> dict[str, Any]:
    """Give one evaluation as data."""
    return _result(evaluation)


@router.get("/pictures/evaluations/{evaluation}/{number}.jpg")
def picture(evaluation: str, number: int) -> Response:
    """Serve one of the worst pictures of an evaluation, anonymised by masks and labels; `number` counts from 1."""
    path = evaluations.worst_picture(_folder(), evaluation, number)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise HTTPException(404, f"evaluation {evaluation} has no picture {number}") from None
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=300"})


def _folder() -> Path:
    return evaluations.root(settings())


def _result(name: str) -> dict[str, Any]:
    found = evaluations.load(_folder(), name)
    if found is None:
        raise HTTPException(404, f"there is no evaluation {name}")
    return found
