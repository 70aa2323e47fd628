"""Anonymised road photos as files: which ones the pages may show, read and checked against their row, and small ones.

A picture is served only if it lies where this installation puts what it makes, and if its bytes have the hash that was
published; never an original, never one in which road users were left visible, never one that still waits for a person.
Small pictures are kept in memory under the version of the file that they were made of.
"""

import json
import logging
import os.path
from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Response

from wayside.core.errors import ConfigError, ImageError, StoreError, StoreUnavailableError
from wayside.core.ids import source_id
from wayside.core.settings import Settings, settings
from wayside_airflow.web import queries
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.kept import Kept

if TYPE_CHECKING:
    from wayside.store.places import Entry, Place

router = APIRouter()
_log = logging.getLogger(__name__)

Size = Literal["small", "large", "full"]
Row = Mapping[str, Any]
Photo = Annotated[str, Query(min_length=1, max_length=4000)]

#: What tells whether a picture may be shown, and where it lies.
COLUMNS: Final = (
    "photo", "status", "objects", "hidden_share", "input_sha256", "output_sha256", "output_bytes", "output_uri",
)  # fmt: skip
#: Larger files are for downloads, not for pages.
MOST_BYTES: Final = 256 * 2**20
_MOST_PIXELS: Final = 2**29
#: Longest side, in pixels.
_SIDES: Final = {"small": 480, "large": 1920}
_QUALITY: Final = 82
#: 30 kB each, and 400 kB each.
_SMALL: Kept[bytes] = Kept(most=600)
_LARGE: Kept[bytes] = Kept(most=24)
_AT_ONCE: Final = BoundedSemaphore(2)


@router.get("/photos/{inbox}/image")
def image(
    warehouse: Warehouse,
    inbox: str,
    photo: Photo,
    size: Size = "small",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Serve an anonymised picture: as it was published, or smaller."""
    row = queries.photo(warehouse, source_id(inbox), photo, COLUMNS)
    if row is None:
        raise HTTPException(404, f"{inbox} has no picture {photo}")
    chosen = settings()
    if refusal := why_not(row, chosen):
        raise HTTPException(404, f"{photo} is not shown: {refusal}")
    place, entry = _found(row, chosen)
    headers = {"ETag": f'"{row["output_sha256"]}-{size}"', "Cache-Control": "private, max-age=600"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(_sized(place, entry, row, size), media_type="image/jpeg", headers=headers)


def why_not(row: Row, chosen: Settings) -> str:
    """Say why the pages do not show the picture of a row; empty if they do. No file is opened for it."""
    uri, sha256 = row["output_uri"], row["output_sha256"]
    if row["status"] == "failed":
        return "there is no anonymised picture"
    if row["status"] == "held":
        return "it waits for a person"
    if not uri or not sha256 or row["output_bytes"] is None:
        return "no anonymised picture is noted down"
    if sha256 == row["input_sha256"] or _left_visible(row):
        return "road users were left visible in it on purpose"
    if row["output_bytes"] > MOST_BYTES:
        return f"it has more than {MOST_BYTES >> 20} MiB"
    return "" if _allowed(uri, chosen) else "it lies outside of WAYSIDE_PHOTOS_OUTPUT and WAYSIDE_PHOTOS_ROOTS"


def objects(row: Row) -> dict[str, int]:
    """Return the number of objects by class of a row."""
    try:
        said = json.loads(row["objects"] or "{}")
    except ValueError:
        return {}
    return {str(label): int(number) for label, number in said.items()} if isinstance(said, dict) else {}


def _left_visible(row: Row) -> bool:
    """Tell whether objects were found, and nothing was hidden."""
    return not row["hidden_share"] and any(objects(row).values())


def _allowed(uri: str, chosen: Settings) -> bool:
    """Tell whether a file lies where outputs of this installation go, and not among originals."""
    from wayside.store.places import below

    if uri.startswith("gs://") and ".." in uri.split("/"):
        return False
    originals = [root for root in (chosen.photos_inbox, chosen.photos_archive) if root]
    outputs = [root for root in (chosen.photos_output, *chosen.photos_roots) if root]
    return any(below(uri, root) for root in outputs) and not any(below(uri, root) for root in originals)


def _found(row: Row, chosen: Settings) -> "tuple[Place, Entry]":
    """Open the folder of a picture, links followed, and look whether the picture is there."""
    from wayside.store.places import open_place
    from wayside_airflow.hooks.services import storage_client

    uri = str(row["output_uri"])
    bucket = uri.startswith("gs://")
    folder, _, name = (uri if bucket else os.path.realpath(uri)).rpartition("/")
    try:
        place = open_place(folder or "/", storage_client(chosen) if bucket else None)
        entry = place.entry(name)
    except StoreUnavailableError as error:
        raise HTTPException(503, str(error)) from error
    except (StoreError, ConfigError) as error:
        raise HTTPException(404, f"{row['photo']} cannot be read: {error}") from error
    if entry is None:
        raise HTTPException(404, f"{row['photo']} is no longer where it was published to")
    return place, entry


def _sized(place: "Place", entry: "Entry", row: Row, size: Size) -> bytes:
    if size == "full":
        return _checked(place, entry, row)
    kept = _SMALL if size == "small" else _LARGE
    key = (place.uri(entry.key), entry.version, row["output_sha256"], size)
    return kept.get(key, lambda: _smaller(place, entry, row, _SIDES[size]))


def _checked(place: "Place", entry: "Entry", row: Row) -> bytes:
    """Read a picture; refuse it unless it is the one that was published."""
    from wayside.photos.access import sha256_of

    try:
        data = place.load(entry.key, row["output_bytes"])
    except ImageError:  # it has grown
        data = b""
    except StoreUnavailableError as error:
        raise HTTPException(503, str(error)) from error
    if data is None:
        raise HTTPException(404, f"{row['photo']} is no longer where it was published to")
    if sha256_of(data) != row["output_sha256"]:
        _log.warning("%s is not the picture that was published: it is not shown", place.uri(entry.key))
        raise HTTPException(409, f"{row['photo']} is not shown: the file is not the one that was published")
    return data


def _smaller(place: "Place", entry: "Entry", row: Row, side: int) -> bytes:
    """Make a small picture. Few at once: a large progressive JPEG is decoded in full size whatever is asked for."""
    with _AT_ONCE:
        data = _checked(place, entry, row)
        try:
            return shrunk(data, side)
        except ImageError as error:
            raise HTTPException(409, f"{row['photo']} cannot be shown: {error}") from error


def shrunk(data: bytes, side: int) -> bytes:
    """Return a picture as a JPEG whose longest side has at most `side` pixels; raise `ImageError` if it is none."""
    import cv2
    import numpy as np

    from wayside.vision.decode import Limits, check, decode, encode_jpeg

    limits = Limits(MOST_BYTES, _MOST_PIXELS)
    header = check(data, limits=limits)
    scale = min(1.0, side / max(header.width, header.height))
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    picture = decode(data, limits=limits, at_least=size)
    return encode_jpeg(np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8), _QUALITY)
