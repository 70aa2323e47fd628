"""The default store: a folder on this machine.

A picture is written to a temporary name, flushed, and *linked* to its own name, which fails when that name exists: so
creation is atomic and the first writer wins, also between processes. Its record lies in `.meta/` beside it under a
name with the picture's hash, written before the picture, so that the record always belongs to the bytes that won.

A file system cannot rename a file only if another is still the one that was seen. So who replaces or deletes a
picture holds a lock on the file `.lock` in the root meanwhile, which ends with the process that holds it.
"""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from wayside.core.errors import StoreError
from wayside.store.files import TEMPORARY, refused, written
from wayside.store.layout import key_parts
from wayside.store.store import PictureMeta, StoredEntry, StoredPicture

_META = ".meta"
_LOCK = ".lock"
# A record without a picture, or an unfinished file, may be that of a writer at work: it is rubbish after an hour.
_STALE = 3600.0


class LocalStore:
    """Pictures below the folder `root`, which is made when the first picture comes."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        """Write a picture if there is none under `key`; return whether this call wrote it."""
        path = self._path(key)
        if path.exists():
            return False
        _link(self._meta_path(path, _sha256(data)), _record(meta))
        return _link(path, data)

    def replace(self, key: str, data: bytes, meta: PictureMeta, sha256: str) -> bool:
        """Put a picture in the place of the one whose hash is `sha256`; return whether this call did so."""
        path = self._path(key)
        self._check_inside(path)
        if not _holds(path, sha256):
            return False
        record, before = self._meta_path(path, _sha256(data)), self._meta_path(path, sha256)
        with written(record, _record(meta)) as new_record, written(path, data) as new, self._locked():
            if not _holds(path, sha256):
                return False
            new_record.replace(record)
            new.replace(path)
            if before != record:
                before.unlink(missing_ok=True)
        return True

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""
        found = self._read(key)
        while found is not None and found.meta is None:
            # Who replaces a picture takes the old record away after it: then there is another picture by now.
            again = self._read(key)
            if again is None or again.sha256 == found.sha256:
                return again
            found = again
        return found

    def _read(self, key: str) -> StoredPicture | None:
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refused(error, path) from error
        digest = _sha256(data)
        return StoredPicture(key=key, uri=self.uri(key), sha256=digest, data=data, meta=self._meta(path, digest))

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""
        return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted; names with a leading dot are not keys."""
        for entry in _files(self._path(prefix)):
            yield self._key(entry)

    def entries(self, prefix: str) -> Iterator[StoredEntry]:
        """Yield what `keys` yields, with sizes; a picture that is deleted meanwhile is left out."""
        for entry in _files(self._path(prefix)):
            try:
                yield StoredEntry(self._key(entry), entry.stat().st_size)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise refused(error, Path(entry.path)) from error

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below the folder `prefix` ("" is the root), sorted."""
        return sorted(entry.name for entry in _visible(self._folder(prefix)) if entry.is_dir())

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one.

        Raises:
            StoreError: the folder is a link that leads out of the store, or cannot be written.
        """
        path = self._path(key)
        self._check_inside(path)
        try:
            with self._locked():
                record = self._meta_path(path, _sha256(path.read_bytes()))
                path.unlink()
                record.unlink(missing_ok=True)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise refused(error, path) from error
        return True

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete pictures and records, and the folders of slots and days that this empties; return how many were."""
        number = 0
        for folder, group in itertools.groupby(keys, lambda key: key.rpartition("/")[0]):
            number += sum(map(self.delete, group))
            if "/" in folder:
                self.prune(folder)
        return number

    def prune(self, prefix: str) -> int:
        """Remove old rubbish below a folder where no picture is, and empty folders up to the day's; return how many."""
        folder = self._folder(prefix)
        self._check_inside(folder / _META)
        try:
            number = self._pruned(folder)
            while self._may_go(folder := folder.parent) and _removed(folder):
                number += 1
        except OSError as error:
            raise refused(error, folder) from error
        return number

    def uri(self, key: str) -> str:
        """Return the picture's `file://` address."""
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*key_parts(key, str(self.root)))

    def _folder(self, prefix: str) -> Path:
        return self._path(prefix) if prefix else self.root

    def _key(self, entry: os.DirEntry[str]) -> str:
        return Path(entry.path).relative_to(self.root).as_posix()

    def _check_inside(self, path: Path) -> None:
        """Refuse a picture whose folder, or whose record's folder, is a link that leads out of the store."""
        real = Path(os.path.realpath(path.parent / _META))
        if not real.is_relative_to(os.path.realpath(self.root)):
            raise StoreError(
                f"{path} lies outside of the store at {self.root}, at {real.parent}, because a folder on the way is a "
                "link: nothing is replaced or deleted there; move the pictures into the store, or do it by hand"
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one, of threads and processes, that replaces or deletes."""
        with (self.root / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _may_go(self, folder: Path) -> bool:
        """Tell whether a folder is that of a day or below; the root and the sources' folders stay."""
        return folder.is_relative_to(self.root) and len(folder.relative_to(self.root).parts) > 1

    def _pruned(self, folder: Path) -> int:
        """Prune a folder from the leaves up; links are files of somebody else."""
        entries = _visible(folder)
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        number = sum(map(self._pruned, below))
        if len(below) == len(entries):
            _sweep(folder)
            number += self._may_go(folder) and _removed(folder)
        return number

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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _record(meta: PictureMeta) -> bytes:
    return meta.model_dump_json(exclude_none=True).encode()


def _holds(path: Path, sha256: str) -> bool:
    """Tell whether the file is there and has this hash."""
    try:
        return _sha256(path.read_bytes()) == sha256
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refused(error, path) from error


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder without the names with a leading dot; a folder that is not there is empty."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise refused(error, folder) from error


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder in the order of their keys, in which `a-b` comes before `a/b`."""
    for name, entry in sorted((entry.name + "/" * entry.is_dir(), entry) for entry in _visible(folder)):
        if name.endswith("/"):
            yield from _files(Path(entry.path))
        else:
            yield entry


def _sweep(folder: Path) -> None:
    """Remove old records and unfinished files from a folder without pictures, and the records' folder if it can be."""
    records = folder / _META
    rubbish = [*folder.glob(f"{TEMPORARY}*")]
    if not records.is_symlink():
        rubbish += [*records.glob(f"{TEMPORARY}*"), *records.glob("*.json")]
    for path in rubbish:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < time.time() - _STALE:
                path.unlink()
    if not records.is_symlink():
        _removed(records)


def _removed(folder: Path) -> bool:
    """Remove a folder if it is there and empty; tell whether it went."""
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR}:
            raise
        return False
    return True
