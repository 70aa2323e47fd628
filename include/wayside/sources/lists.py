"""Plain lists of names and addresses: the two JSON files of chrono_lens, and the choice of cameras.

chrono_lens kept a flat array of picture addresses (`ingest`) and a flat array of camera ids (`analyse`) per source;
both are read as they are.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError
from yarl import URL

from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id
from wayside.core.settings import Settings
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera
from wayside.sources.spec import SourceSpec

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_TEXTS = TypeAdapter(list[str])


def name_of(url: str) -> str:
    """Return the camera that a picture's address names: its last part, without a picture's suffix.

    Raises:
        InvalidIdentifierError: that part cannot name a camera.
    """
    try:
        last = PurePosixPath(URL(url).path)
    except ValueError:
        return camera_id("")
    return camera_id(last.stem if last.suffix.lower() in PICTURE_SUFFIXES else last.name)


def chosen(spec: SourceSpec, settings: Settings, listed: Iterable[Camera]) -> list[Camera]:
    """Return the cameras to look at, each once, sorted by id.

    Of two cameras with one id the first stays and the other is logged. If the source's configuration asks for cameras
    by name, those that the source does not list are returned too, with the reason `not_listed`.

    Raises:
        ConfigError: the file of names cannot be read.
    """
    found: dict[str, Camera] = {}
    for camera in listed:
        if found.setdefault(camera.id, camera) is not camera:
            log.warning("%s: two pictures are called %s; the second, %s, is skipped", spec.id, camera.id, camera.url)
    wanted = wanted_ids(spec, settings)
    if wanted is None:
        return [found[name] for name in sorted(found)]
    return [found.get(name) or _unlisted(spec, name) for name in sorted(set(wanted))]


def wanted_ids(spec: SourceSpec, settings: Settings) -> list[str] | None:
    """Return the ids that the configuration asks for, from `cameras` or `cameras_file`; None for all."""
    if spec.cameras_file is None:
        return None if spec.cameras is None else list(spec.cameras)
    path = settings.config / spec.cameras_file
    return [camera_id(name) for name in read_texts(path, settings.max_list_bytes)]


def read_texts(path: Path, limit: int) -> list[str]:
    """Read a JSON file that holds a flat list of texts, at most `limit` bytes; raise `ConfigError` if it does not."""
    try:
        if path.stat().st_size > limit:
            raise ConfigError(f"{path} is larger than {limit} bytes")
        return _TEXTS.validate_python(json.loads(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (ValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a flat JSON list of texts: {' '.join(str(error).split())[:200]}") from error


def _unlisted(spec: SourceSpec, name: str) -> Camera:
    return Camera(source=spec.id, id=name, name=name, attribution=spec.attribution, reason=Reason.NOT_LISTED)
