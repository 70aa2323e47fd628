"""Pictures in a folder of this machine: a copy of a chrono_lens bucket, or files that somebody drops there.

`<folder>/<YYYYMMDD>/<HHMM>/<camera>.jpg` is a history: each slot has the pictures of its own folder. Files that lie
directly in the folder are the present: each camera's file is overwritten by whoever takes the pictures.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.ids import camera_id
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.sources.http import Answer, HttpClient
from wayside.sources.lists import PICTURE_SUFFIXES, chosen, wanted_ids
from wayside.sources.reasons import FetchError, Reason
from wayside.sources.source import Camera, Known, Offer, is_present
from wayside.sources.spec import SourceSpec

log = logging.getLogger(__name__)


class FolderSource:
    """The folder at `spec.url`, a path relative to the configuration folder."""

    steady: ClassVar[bool] = False
    keeps: ClassVar[bool] = True

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec

    async def cameras(self, http: HttpClient) -> list[Camera]:
        """Return the cameras that have a picture anywhere in the folder; if they are named, do not look.

        Raises:
            ConfigError: there is no such folder.
        """
        return await asyncio.to_thread(self._cameras, http.settings)

    async def offers(self, http: HttpClient, cameras: Sequence[Camera], slot: Slot, now: datetime) -> list[Offer]:
        """Offer the pictures in the slot's folder, or those that lie outside any if the slot is the present one."""
        return await asyncio.to_thread(self._offers, http.settings, cameras, slot, present=is_present(slot, now))

    async def history(
        self, http: HttpClient, cameras: Sequence[Camera], first: Slot, last: Slot
    ) -> dict[Slot, list[Offer]]:
        """Offer the pictures in each slot's folder."""
        slots = Slot.between(first, last)
        return {
            slot: await asyncio.to_thread(self._offers, http.settings, cameras, slot, present=False) for slot in slots
        }

    async def download(self, http: HttpClient, url: str, limit: int, known: Known | None) -> Answer:
        """Read a picture; raise `FetchError` if it left the folder, is gone or is larger than `limit` bytes."""
        return await asyncio.to_thread(self._read, http.settings, url, limit)

    def _root(self, settings: Settings) -> Path:
        root = (settings.config / self.spec.url).resolve()
        if not root.is_dir():
            raise ConfigError(f"source {self.spec.id}: there is no folder {root}")
        return root

    def _cameras(self, settings: Settings) -> list[Camera]:
        root = self._root(settings)
        named = wanted_ids(self.spec, settings)
        names = set(_names(root)) if named is None else set(named)
        return chosen(
            self.spec,
            settings,
            (Camera(source=self.spec.id, id=name, name=name, attribution=self.spec.attribution) for name in names),
        )

    def _offers(self, settings: Settings, cameras: Sequence[Camera], slot: Slot, *, present: bool) -> list[Offer]:
        root = self._root(settings)
        found = {name: Offer(name, url=path.as_uri()) for name, path in _pictures(root / slot.day / slot.hhmm)}
        if present:
            for name, path in _pictures(root):
                taken = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                found.setdefault(name, Offer(name, url=path.as_uri(), captured_at=taken))
        return [found.get(camera.id) or Offer(camera.id, reason=Reason.NO_PICTURE) for camera in cameras]

    def _read(self, settings: Settings, url: str, limit: int) -> Answer:
        root = self._root(settings)
        path = Path(url2pathname(urlsplit(url).path)).resolve()
        if not path.is_relative_to(root):
            raise FetchError(Reason.REFUSED_URL, f"{path} lies outside of {root}")
        try:
            with path.open("rb") as stream:
                data = stream.read(limit + 1)
        except FileNotFoundError as error:
            raise FetchError(Reason.NO_PICTURE, f"{path} is gone") from error
        except OSError as error:
            raise FetchError(Reason.SOURCE_ERROR, f"{path} cannot be read: {error.strerror}") from error
        if len(data) > limit:
            raise FetchError(Reason.TOO_LARGE, f"{path} has more than {limit} bytes")
        return Answer(None, data)


def _names(root: Path) -> Iterator[str]:
    """Yield the cameras of every picture below `root`, as often as they have one."""
    for folder in (root, *root.glob(f"{'[0-9]' * 8}/{'[0-9]' * 4}")):
        for name, _ in _pictures(folder):
            yield name


def _pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the pictures that lie directly in a folder, with the camera that each is named after."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            try:
                yield camera_id(path.stem), path
            except InvalidIdentifierError as error:
                log.warning("a file is skipped: %s", error)
