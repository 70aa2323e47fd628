"""The default store: a folder on this machine.

A picture is written to a temporary name, flushed, and *linked* to its own name, which fails when that name exists: so
creation is atomic and the first writer wins, also between processes. Its record lies in `.meta/` beside it under a
name with the picture's hash, written before the picture, so that the record always belongs to the bytes that won.
"""

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from wayside.core.errors import StoreError, StoreFullError
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
        try:
            self._link(self._meta_path(path, digest), meta.model_dump_json(exclude_none=True).encode())
            return self._link(path, data)
        except OSError as error:
            raise _store_error(error, path) from error

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _store_error(error, path) from error
        digest = hashlib.sha256(data).hexdigest()
        return StoredPicture(key=key, uri=self.uri(key), sha256=digest, data=data, meta=self._meta(path, digest))

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""
        return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted; names with a leading dot are not keys."""
        for folder, folders, names in os.walk(self._path(prefix)):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self.root).as_posix()

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one."""
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            record = self._meta_path(path, hashlib.sha256(path.read_bytes()).hexdigest())
            path.unlink()
            record.unlink(missing_ok=True)
            return True
        return False

    def uri(self, key: str) -> str:
        """Return the picture's `file://` address."""
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        path = self.root / key
        if (
            not key
            or key.startswith("/")
            or "\\" in key
            or ".." in Path(key).parts
            or not path.is_relative_to(self.root)
        ):
            raise StoreError(f"key {key!r} leaves the store at {self.root}")
        return path

    @staticmethod
    def _meta_path(path: Path, digest: str) -> Path:
        return path.parent / _META / f"{path.stem}.{digest[:16]}.json"

    def _meta(self, path: Path, digest: str) -> PictureMeta | None:
        try:
            return PictureMeta.model_validate_json(self._meta_path(path, digest).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    @staticmethod
    def _link(path: Path, data: bytes) -> bool:
        """Create `path` with `data` in one step; return False if it exists already."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            try:
                os.link(stream.name, path)
            except FileExistsError:
                return False
            return True


def _store_error(error: OSError, path: Path) -> StoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFullError(f"no space left to write {path}: free some, or lower the retention")
    return StoreError(f"cannot write or read {path}: {error.strerror}")
