"""`POST /wayside/blur/`: a picture in, the same picture anonymised out; the blurring contract of Panoramax.

The picture arrives as the file `picture` of a form. The answer is a JPEG; a client that accepts `multipart/form-data`
gets a form of two parts, `image` and `metadata`. Nothing is kept: the upload stays in memory, the answer leaves, and
`keep=1` is answered with a note that says so.

Inference runs in the process of the API server. So only who may start `anonymise_images` may ask, few pictures are
worked on at once, and who comes while all places are taken is told to come back.
"""

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Any, Final

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from wayside.core.errors import ConfigError, ImageError, LeakError, ModelError
from wayside.core.settings import Settings, settings
from wayside_airflow.web.desk import Desk
from wayside_airflow.web.review import DAG

if TYPE_CHECKING:
    from wayside.photos.profile import Profile
    from wayside.privacy.anonymise import Anonymised
    from wayside.privacy.find import Finder

_log = logging.getLogger(__name__)

#: Whoever may start the DAG may use the same models here.
may_blur = requires_access_dag("POST", DagAccessEntity.RUN, DAG)
router = APIRouter(dependencies=[Depends(may_blur)])

#: Stable, because Panoramax tells by it which of its tags came from here.
SERVICE: Final = "Wayside"
_FORM: Final = "multipart/form-data"
_JPEG: Final = b"\xff\xd8\xff"
#: Boundaries and heads of the form, beside the picture.
_AROUND: Final = 64 * 2**10
_SLOWEST_UPLOAD: Final = 60.0
_KEEP_ANSWER: Final = "keep was ignored: nothing of the original is kept here"


class _InMemory(MultiPartParser):
    """Reads a form without a temporary file: an original must not reach the disk."""

    spool_max_size = 2**31


@router.post("/blur/", response_class=Response)
async def blur(
    request: Request,
    keep: Annotated[str, Query(max_length=10)] = "0",
    profile: Annotated[str, Query(max_length=63)] = "",
    accept: Annotated[str, Header()] = "",
    sec_fetch_site: Annotated[str, Header()] = "",
) -> Response:
    """Anonymise one picture.

    Args:
        request: with a form whose file `picture` is a JPEG.
        keep: part of the contract; nothing is kept whatever it says.
        profile: name of a profile; without, that of the setting `blur_profile`.
        accept: with `multipart/form-data` in it the answer is a form with metadata.
        sec_fetch_site: tells the browser's requests from foreign pages, which would come with the user's cookie.
    """
    if sec_fetch_site == "cross-site":
        raise HTTPException(403, "not from a page of another site")
    chosen = settings()
    rules = await asyncio.to_thread(_profile, profile, chosen)
    desk: Desk = request.app.state.desk
    with desk.place():
        data = await _upload(request, chosen.blur_max_bytes)
        done, finder = await desk.work(lambda: _anonymised(data, rules, chosen, desk))
    told = _metadata(done, finder, rules, kept=keep not in {"", "0", "false"})
    _log.info("blurred %s", json.dumps(told))
    return _form(done.data, told) if _FORM in accept else _plain(done.data, told)


def _profile(name: str, chosen: Settings) -> "Profile":
    """Return the profile of a request; refuse one that would hand out what should be hidden."""
    from wayside.photos.profile import load_profile, profile_names

    if name and name not in profile_names(chosen):
        raise HTTPException(400, f"there is no profile {name!r}; there are: {', '.join(profile_names(chosen))}")
    rules = load_profile(name or chosen.blur_profile, chosen)
    if not rules.draw:
        raise HTTPException(400, f"profile {rules.name} leaves road users visible (`draw: false`)")
    if rules.review.enabled:
        raise HTTPException(400, f"profile {rules.name} asks for a person to look, and there is nobody here")
    return rules


async def _upload(request: Request, most: int) -> bytes:
    """Read the picture out of the request's form, bounded in bytes and time, in memory alone."""
    if not request.headers.get("content-type", "").lower().startswith(_FORM):
        raise HTTPException(415, f"send {_FORM} with the picture as the file `picture`")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most + _AROUND:
        raise _too_large(most)
    body = _bounded(request, most)
    parser = _InMemory(request.headers, body, max_files=1, max_fields=8, max_part_size=_AROUND)
    try:
        async with asyncio.timeout(_SLOWEST_UPLOAD):
            form = await parser.parse()
    except TimeoutError:
        raise HTTPException(408, f"the picture did not arrive within {_SLOWEST_UPLOAD:.0f} s") from None
    except MultiPartException as error:
        raise HTTPException(400, f"the form cannot be read: {error.message}") from error
    try:
        data = await _file(form)
    finally:
        await form.close()
    if len(data) > most:
        raise _too_large(most)
    return data


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most + _AROUND:
            raise _too_large(most)
        yield chunk


async def _file(form: FormData) -> bytes:
    picture = form.get("picture")
    if not isinstance(picture, UploadFile):
        raise HTTPException(400, "the form has no file `picture`")
    return await picture.read()


def _anonymised(data: bytes, rules: "Profile", chosen: Settings, desk: Desk) -> "tuple[Anonymised, Finder]":
    """Anonymise a picture, in a thread of the desk; whatever goes wrong becomes an answer."""
    from wayside.metadata.exif import read_exif
    from wayside.metadata.redact import personal_texts
    from wayside.privacy.anonymise import anonymise
    from wayside.vision.decode import Limits

    if not data.startswith(_JPEG):
        raise HTTPException(415, "not_a_jpeg: the file `picture` is no JPEG")
    own = rules.limits
    limits = Limits(min(own.max_bytes, chosen.blur_max_bytes), min(own.max_pixels, chosen.blur_max_pixels))
    try:
        finder = desk.finder(rules.masking.find, chosen)
        texts = personal_texts(read_exif(data))
        return anonymise(data, rules.masking, finder, limits=limits, texts=texts), finder
    except LeakError as error:
        _log.error("a picture was not handed out: %s", error)
        raise HTTPException(500, f"{error.reason}: {error}") from error
    except ImageError as error:
        large = error.reason in {"too_many_bytes", "too_many_pixels"}
        raise HTTPException(413 if large else 400, f"{error.reason}: {error}") from error
    except (ModelError, ConfigError) as error:
        _log.error("nothing can be anonymised: %s", error)
        raise HTTPException(503, f"nothing can be anonymised: {error}") from error
    except MemoryError as error:
        raise desk.busy("there is not enough memory now") from error


def _metadata(done: "Anonymised", finder: "Finder", rules: "Profile", *, kept: bool) -> dict[str, Any]:
    """Return what is told beside the picture. `annotations` are of what was found and not hidden: there is none."""
    found = Counter(one.found.label for one in done.masked)
    told = {
        "blurring_id": str(uuid.uuid4()),
        "service_name": SERVICE,
        "annotations": [],
        "objects": dict(sorted(found.items())),
        "hidden_share": round(done.hidden_share, 6),
        "width": done.width,
        "height": done.height,
        "mode": done.mode,
        "profile": rules.name,
        "models": {model.name: model.sha256 for model in finder.models},
        "not_looked_for": list(finder.missing),
    }
    return told | ({"note": _KEEP_ANSWER} if kept else {})


def _plain(data: bytes, told: dict[str, Any]) -> Response:
    return Response(data, media_type="image/jpeg", headers={"X-Wayside-Blur": json.dumps(told)})


def _form(data: bytes, told: dict[str, Any]) -> Response:
    from urllib3.filepost import encode_multipart_formdata

    content, content_type = encode_multipart_formdata(
        {
            "image": ("picture.jpg", data, "image/jpeg"),
            "metadata": ("metadata.json", json.dumps(told).encode(), "application/json"),
        }
    )
    return Response(content, headers={"Content-Type": content_type})


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"too_many_bytes: the picture has more than {most} bytes")
