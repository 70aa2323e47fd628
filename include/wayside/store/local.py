"""The default store: a folder on this machine.

A picture is written to a temporary name, flushed, and *linked* to its own name, which fails when that name exists: so
creation is atomic and the first writer wins, also between processes. Its record lies in `.meta/` beside it under a
name with the picture's hash, written before the picture, so that the record always belongs to the bytes that won.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from wayside.core.errors import StoreError
from wayside.store.files import refused, written
from wayside.store.store import PictureMeta, StoredPicture

_META = ".meta"


class LocalStore:
    """Pictures below the folder `root`, which is made when the first picture comes."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        """Write a picture if there is none under `key`; return whether this call wrote it."""
        path = self._path(key)
        if path.exists():
            return False
        digest = hashlib.sha256(data).hexdigest()
        _link(self._meta_path(path, digest), meta.model_dump_json(exclude_none=True).encode())
        return _link(path, data)

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refused(error, path) from error
        digest = hashlib.sha256(data).hexdigest()
        return StoredPicture(key=key, uri=self.uri(key), sha256=digest, data=data, meta=self._meta(path, digest))

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""
        return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted; names with a leading dot are not keys."""
        for path in _files(self._path(prefix)):
            yield path.relative_to(self.root).as_posix()

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one."""
        path = self._path(key)
        try:
            record = self._meta_path(path, hashlib.sha256(path.read_bytes()).hexdigest())
            path.unlink()
            record.unlink(missing_ok=True)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise refused(error, path) from error
        return True

    def uri(self, key: str) -> str:
        """Return the picture's `file://` address."""
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if "\\" in key or "\0" in key or any(not part or part.startswith(".") for part in parts):
            raise StoreError(f"key {key!r} is none: it leaves the store at {self.root}, or has a part without a name")
        return self.root.joinpath(*parts)

    @staticmethod
    def _meta_path(path: Path, digest: str) -> Path:
        return path.parent / _META / f"{path.stem}.{digest[:16]}.json"

    def _meta(self, path: Path, digest: str) -> PictureMeta | None:
        try:
            return PictureMeta.model_validate_json(self._meta_path(path, digest).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None


def _link(path: Path, data: bytes) -> bool:
    """Create `path` with `data` in one step; return False if it exists already."""
    with written(path, data) as new:
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        return True


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their keys, in which `a-b` comes before `a/b`."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name + "/" * entry.is_dir(), entry) for entry in entries if entry.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise refused(error, folder) from error
    for name, entry in found:
        if name.endswith("/"):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)
