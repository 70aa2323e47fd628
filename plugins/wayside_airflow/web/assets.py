"""Files: style sheets, scripts and icons of the pages, and the pictures of the cameras."""

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from starlette.staticfiles import StaticFiles

from wayside.core.slots import Slot
from wayside.store.layout import picture_key
from wayside_airflow.web.context import HERE, Pictures

router = APIRouter()
_static = StaticFiles(directory=HERE / "static")


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Serve one file of the pages. A route and not a mount, so that it asks who the user is."""
    answer = await _static.get_response(name, request.scope)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@router.get("/pictures/{source}/{day}/{hhmm}/{camera}.jpg")
def picture(
    store: Pictures,
    source: str,
    day: str,
    hhmm: str,
    camera: str,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Serve the picture of a camera and slot as it lies in the store; names are checked before they become a path."""
    slot = Slot.parse(f"{day}/{hhmm}")
    found = store.read(picture_key(source, slot, camera))
    if found is None:
        raise HTTPException(404, f"no picture of {source} {camera} at {slot} is in the store")
    # A picture never changes once it is stored, but it may be deleted: an hour, then ask again.
    headers = {"ETag": f'"{found.sha256}"', "Cache-Control": "private, max-age=3600"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=_media_type(found.data), headers=headers)


def _media_type(data: bytes) -> str:
    """Tell the type from the first bytes: sources offer PNG and WebP under names that end in `.jpg`."""
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/jpeg"
