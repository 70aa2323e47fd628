"""The pages of zones: the cameras that have video with their processors, and the editor over a still of one of them."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from wayside.core.errors import ReasonedError, StoreError
from wayside.core.ids import camera_id, source_id
from wayside.core.settings import Settings, settings
from wayside_airflow.web import zone_list
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.zone_access import CanEdit, MayEdit
from wayside_airflow.web.zone_view import Asked, common, draft, editor_values, found, moment, registry_of

router = APIRouter()

Name = Annotated[str, Query(max_length=127)]
#: `source/camera`: the name `source` is taken by the choice of the header, which knows sources of stills alone.
Place = Annotated[str, Query(max_length=200)]
_MOST_PATHS: Final = 1500
_PATH_DAYS: Final = 7


@router.get("/zones")
def zones(request: Request, warehouse: Warehouse, choice: Chosen, may: CanEdit, q: Name = "") -> HTMLResponse:
    """List the cameras that have video, with their processors; `q` narrows the list to names that contain it."""
    everyone = zone_list.cameras(warehouse, registry_of(warehouse).processors())
    wanted = q.strip().casefold()
    listed: dict[str, list[zone_list.Camera]] = {}
    for one in everyone:
        names = (one.source, one.camera, *(shown.processor.name for shown in one.processors))
        if any(wanted in name.casefold() for name in names):
            listed.setdefault(one.source, []).append(one)
    values = {"listed": listed, "everyone": len(everyone), "q": q.strip(), "may": may}
    return render(request, "zones.html", {**common(choice), **values})


@router.get("/zones/new", dependencies=[MayEdit])
def new(request: Request, warehouse: Warehouse, choice: Chosen, place: Place = "") -> HTMLResponse:
    """Ask what a new processor is to count; the answer leads to the editor. `place` is `source/camera`."""
    values = {"cameras": zone_list.cameras(warehouse, ()), "picked": place}
    return render(request, "zone_new.html", {**common(choice), **values})


@router.get("/zones/draw", dependencies=[MayEdit])
def draw(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    place: Place,
    kind: Literal["traffic", "objects", "faces"],
    name: Annotated[str, Query(min_length=1, max_length=100)],
    at: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show the editor for a processor that is stored when it is saved; `place` is `source/camera`."""
    source, _, camera = place.partition("/")
    made = draft(source, camera, kind, name.strip())
    asked = Asked(at=moment(at))
    return render(request, "zone_editor.html", {**common(choice), **editor_values(request, warehouse, made, [], asked)})


@router.get("/zones/still.jpg", dependencies=[MayEdit])
def still(warehouse: Warehouse, source: Name, camera: Name, at: Annotated[str, Query(max_length=40)] = "") -> Response:
    """Serve a still of a camera's video: at a time, or the newest."""
    from wayside.zones.still import still as made

    chosen = settings()
    try:
        found = made(
            warehouse, chosen, source_id(source), camera_id(camera), moment(at), client=lambda: _client(chosen)
        )
    except (ReasonedError, StoreError) as error:
        raise HTTPException(404, f"no still of {camera}: {error}") from error
    # People are seen on it: never kept.
    return Response(found.jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def _client(chosen: Settings) -> Any:
    """Return a client of Cloud Storage, of the connection of the settings: segments may lie there."""
    from wayside_airflow.hooks.services import storage_client

    return storage_client(chosen)


@router.get("/api/zones/paths", dependencies=[MayEdit])
def paths(warehouse: Warehouse, source: Name, camera: Name) -> dict[str, Any]:
    """Give the tracks of a camera's last days, for the editor to draw beneath the zones."""
    from wayside_airflow.web.zone_paths import newest_paths

    return newest_paths(warehouse, source_id(source), camera_id(camera), days=_PATH_DAYS, most=_MOST_PATHS)


@router.get("/zones/{processor}", dependencies=[MayEdit])
def editor(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    processor: int,
    version: int | None = None,
    saved: int | None = None,
    at: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show the editor of a processor's zones, over a still; with `version`, an older one to look at."""
    registry = registry_of(warehouse)
    one = found(registry, processor)
    asked = Asked(at=moment(at), version=version, saved=saved)
    values = editor_values(request, warehouse, one, registry.versions(processor), asked)
    return render(request, "zone_editor.html", {**common(choice), **values})
