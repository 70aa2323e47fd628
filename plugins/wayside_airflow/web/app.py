"""The application: who may come in, what every answer carries, and how errors look.

Airflow does not protect the applications of plugins. Here every route, the style sheets included, asks Airflow whether
the user may see plugin pages; there are no mounts, because dependencies do not reach into them.
"""

from pathlib import Path

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from wayside.core.errors import ConfigError, WaysideError
from wayside_airflow.web import (
    api,
    api_page,
    assets,
    blur,
    evaluations,
    event_files,
    events,
    jobs,
    pages,
    photo_files,
    photos,
    review,
    runs,
    series,
    weeks,
    zone_api,
    zone_counts,
    zone_edits,
    zones,
)
from wayside_airflow.web.context import StoreFactory, WarehouseFactory, open_store, open_warehouse, render
from wayside_airflow.web.desk import Desk, FinderFactory, open_finder
from wayside_airflow.web.headers import add_headers

get_access = requires_access_view(AccessView.PLUGINS)


def create_app(
    warehouse: WarehouseFactory = open_warehouse,
    store: StoreFactory = open_store,
    finder: FinderFactory = open_finder,
) -> FastAPI:
    """Build the application over a warehouse, a picture store and models, each opened when a request needs it."""
    app = FastAPI(title="Wayside", dependencies=[Depends(get_access)], docs_url=None, redoc_url=None, openapi_url=None)
    app.state.warehouse = warehouse
    app.state.store = store
    app.state.desk = Desk(finder)
    for room in (
        pages,
        runs,
        photos,
        photo_files,
        review,
        blur,
        jobs,
        events,
        event_files,
        evaluations,
        api,
        weeks,
        series,
        zone_api,
        api_page,
        zones,
        zone_edits,
        zone_counts,
        assets,
    ):
        app.include_router(room.router)
    app.middleware("http")(add_headers)
    for kind in (HTTPException, WaysideError, RequestValidationError):
        app.add_exception_handler(kind, _explain)
    return app


def _explain(request: Request, error: Exception) -> Response:
    """Answer an error as a page to a browser and as JSON to a program."""
    status, text = _status(error)
    headers = getattr(error, "headers", None)
    wants_page = "text/html" in request.headers.get("accept", "")
    files = {"api", "pictures", "static"} & set(Path(request.url.path).parts)
    if status == 401 or not wants_page or files:
        return JSONResponse({"detail": text}, status, headers)
    answer = render(request, "error.html", {"status": status, "text": text}, status=status)
    answer.headers.update(headers or {})
    return answer


def _status(error: Exception) -> tuple[int, str]:
    match error:
        case HTTPException():
            return error.status_code, str(error.detail)
        case RequestValidationError():
            first = error.errors()[0]
            return 422, f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}"
        case ConfigError():
            return 400, str(error)
        case _:
            return 500, str(error)
