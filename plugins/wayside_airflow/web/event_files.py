"""Pictures and cuts of video events, for those who may review them.

A cut is made when somebody wants to see it, out of the video that the event was found in, as long as that file is there
with the size and, looked at once, the hash that were published. Cuts are kept below the state folder, as many bytes as
one archive may have; two are made at once, and who comes meanwhile is told to come back.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, Header, HTTPException, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from wayside.core.errors import ConfigError, ImageError, StoreError, StoreUnavailableError, VideoError
from wayside.core.ids import source_id
from wayside.core.settings import Settings, settings
from wayside_airflow.web import video_queries
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.job_states import DAG
from wayside_airflow.web.kept import Kept
from wayside_airflow.web.photo_files import shrunk

if TYPE_CHECKING:
    from wayside.store.places import Entry, Place
    from wayside.videos.reviews import Found

#: Whoever may answer the required actions of the DAG.
may_review = requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL, DAG)
router = APIRouter(dependencies=[Depends(may_review)])

Row = Mapping[str, Any]
Size = Literal["small", "full"]
Number = Annotated[int, InPath(ge=0, le=999)]

#: Shown around an event, in seconds: what moves is not cut off where it comes in.
LEAD: Final = 1.0
#: Pixels; a video that is smaller stays as it is.
HEIGHT: Final = 480
#: Of the cuts of one archive together; the ones that nobody has looked at for longest go.
MOST_BYTES: Final = 2 * 2**30
_SIDE: Final = 480
#: Nobody is hidden here: a browser asks before it shows one again, so that who may not look any more does not.
_ASKED_AGAIN: Final = "private, no-cache"
_RETRY_AFTER: Final = 5
#: 25 kB each.
_SMALL: Kept[bytes] = Kept(most=600)
#: Files whose hash was looked at, by address and version.
_HASHES: Kept[str] = Kept(most=2000)
_AT_ONCE: Final = BoundedSemaphore(2)
_TURNS: Final[dict[Path, Lock]] = {}


@router.get("/events/{archive}/{event}/{number}.jpg")
def picture(
    archive: str, event: str, number: Number, size: Size = "full", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Serve a picture of an event: 0 is its cover."""
    from wayside.videos.reviews import event_name
    from wayside.videos.shelf import Shelf

    data = Shelf(settings().state, source_id(archive)).picture(event_name(event), number)
    if data is None:
        raise HTTPException(404, f"{event} has no picture {number}, or it was removed after its time")
    digest = hashlib.sha256(data).hexdigest()
    headers = {"ETag": f'"{digest[:32]}-{size}"', "Cache-Control": _ASKED_AGAIN}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    try:
        shown = data if size == "full" else _SMALL.get(digest, lambda: shrunk(data, _SIDE))
    except ImageError as error:
        raise HTTPException(409, f"picture {number} of {event} cannot be shown: {error}") from error
    return Response(shown, media_type="image/jpeg", headers=headers)


@router.api_route("/events/{archive}/{event}/cut.mp4", methods=["GET", "HEAD"])
def cut(warehouse: Warehouse, archive: str, event: str) -> FileResponse:
    """Serve the cut of an event, whole or the ranges that are asked for."""
    found = video_queries.event(warehouse, source_id(archive), event)
    if found is None:
        raise HTTPException(404, f"{archive} has no event {event}")
    segment = _segment(warehouse, found)
    path = _path(settings(), found)
    if not path.is_file():
        with _turn(path):
            if not path.is_file():
                _make(path, segment, found.event, settings())
    try:
        status = path.stat()
        # Looked at just now: it goes last. Its own time stays, by which it is removed after some weeks.
        os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
    except FileNotFoundError:
        raise _busy("the cut was removed just now") from None
    headers = {"ETag": f'"{path.stem}-{status.st_size:x}"', "Cache-Control": _ASKED_AGAIN}
    return FileResponse(path, media_type="video/mp4", headers=headers, stat_result=status)


def _path(chosen: Settings, found: "Found") -> Path:
    """Return where the cut of an event lies; one that was found again with another end is another one."""
    from wayside.videos.shelf import Shelf

    name = f"{found.event['event']}-{round(1000 * found.event['end_s'])}.mp4"
    return Shelf(chosen.state, found.scope.source).root / "cuts" / name


def _segment(warehouse: Any, found: "Found") -> Row:
    """Return the row of the video that an event was found in."""
    from wayside.core.tables import SEGMENTS

    wanted = found.event["segment"]
    rows = warehouse.read(SEGMENTS, found.scope).to_pylist() if wanted else []
    row: Row | None = next((one for one in rows if one["segment"] == wanted), None)
    if row is None:
        raise HTTPException(404, "there is no video of this event: only its labels were imported")
    return row


def _make(path: Path, segment: Row, event: Row, chosen: Settings) -> None:
    """Cut an event out of its video, unless the file is another than the one that was published."""
    from wayside.media.container import VideoLimits
    from wayside.media.cut import LONGEST_S
    from wayside.media.cut import cut as cut_out
    from wayside.store.files import replace_file

    if not _AT_ONCE.acquire(blocking=False):
        raise _busy("two cuts are being made")
    try:
        place, entry = _opened(segment, chosen)
        start = max(0.0, event["start_s"] - LEAD)
        end = min(event["end_s"] + LEAD, segment["duration_s"], start + LONGEST_S)
        with _read(place, entry, segment) as file:
            data = cut_out(file, start, max(end, start + 0.1), height=HEIGHT, limits=VideoLimits.of(chosen))
        replace_file(path, data)
    except StoreUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": str(_RETRY_AFTER)}) from error
    except VideoError as error:
        raise HTTPException(409, f"the event cannot be cut out of its video: {error}") from error
    finally:
        _AT_ONCE.release()
    _shrink(path.parent, keep=path)


def _opened(segment: Row, chosen: Settings) -> "tuple[Place, Entry]":
    """Return the folder of a video and its file, links followed; refuse one that has another size."""
    from wayside.store.places import open_place
    from wayside_airflow.hooks.services import storage_client

    uri = str(segment["uri"])
    bucket = uri.startswith("gs://")
    folder, _, name = (uri if bucket else os.path.realpath(uri)).rpartition("/")
    try:
        place = open_place(folder or "/", storage_client(chosen) if bucket else None)
        entry = place.entry(name)
    except StoreUnavailableError:
        raise
    except (StoreError, ConfigError) as error:
        raise HTTPException(404, f"the video cannot be read: {error}") from error
    if entry is None:
        raise HTTPException(404, "the video is no longer where it was when it was imported")
    if entry.bytes != segment["bytes"]:
        raise _another()
    return place, entry


@contextmanager
def _read(place: "Place", entry: "Entry", segment: Row) -> Iterator[BinaryIO]:
    """Open a video; refuse it unless it is the one that was published, which is looked at once for each version."""
    from wayside.media.probe import hashes

    with place.open(entry.key) as file:
        seen = _HASHES.get((place.uri(entry.key), entry.version), lambda: hashes(file).sha256)
        if seen != segment["segment"]:
            raise _another()
        file.seek(0)
        yield file


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Let one request at a time make a cut: a player asks several times at once."""
    lock = _TURNS.setdefault(path, Lock())
    if not lock.acquire(timeout=_RETRY_AFTER):
        raise _busy("this cut is being made")
    try:
        yield
    finally:
        _TURNS.pop(path, None)
        lock.release()


def _shrink(folder: Path, keep: Path) -> None:
    """Remove the cuts that were looked at longest ago, until the others are few enough bytes."""
    found = [(path, status) for path in folder.glob("*.mp4") if (status := _status(path))]
    left = sum(status.st_size for _, status in found)
    by_look: Callable[[Any], int] = lambda one: one[1].st_atime_ns  # noqa: E731
    for path, status in sorted(found, key=by_look):
        if left <= MOST_BYTES:
            break
        if path != keep:
            path.unlink(missing_ok=True)
            left -= status.st_size


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _another() -> HTTPException:
    return HTTPException(409, "the file is not the one that was imported: its events are not shown from it")


def _busy(why: str) -> HTTPException:
    return HTTPException(503, f"{why}: try again in {_RETRY_AFTER} s", {"Retry-After": str(_RETRY_AFTER)})
