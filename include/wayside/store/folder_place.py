"""A folder of this machine, or of a share that is mounted on it, as a place."""

import contextlib
import errno
import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from wayside.core.errors import ConfigError, ImageError, StoreError, StoreUnavailableError, VideoError
from wayside.store.files import TEMPORARY, refused, replace_file
from wayside.store.layout import key_parts
from wayside.store.place import Entry, gone, is_text, within

_TRIES: Final = 20
_DEEPEST: Final = 64  # folders below each other that are looked into
_OURS: Final = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{16}}")
# A name that is too long or no text for the file system, or that a folder has already: no fault of the share.
_NO_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ})

_log = logging.getLogger(__name__)


class FolderPlace:
    """A folder of this machine, or of a share that is mounted on it.

    Args:
        root: the folder.
        create: make it where it is absent; without, an absent folder is a share that was lost.
        known: a file of ours that is made once something was written here: from then on, an absent folder is a share
            that was lost as well, and is not made anew on the disk below it.
    """

    def __init__(self, root: Path, *, create: bool = False, known: Path | None = None) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - links stay: a share may be mounted behind one
        self._create = create
        self._known = known
        self._told = False
        self._device: int | None = None

    def entries(self) -> Iterator[Entry]:
        """Yield every file, sorted by its key; links to folders are not followed."""
        self._look()
        if self._create and not self.root.exists():
            return
        odd: list[str] = []
        yield from sorted(self._below(self.root, "", 0, odd), key=lambda entry: entry.key)
        if odd:
            what = "are left out, because their names are no UTF-8 text or have a backslash"
            _log.warning("%s files below %s %s: rename them; one is %r", len(odd), self.root, what, odd[0])

    def entry(self, key: str) -> Entry | None:
        """Return one file as it is now, or None."""
        path = self._path(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._look()
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise self._lost(error, path) from error
        return _entry(key, status) if path.is_file() else None

    def load(self, key: str, limit: int) -> bytes | None:
        """Return a file's bytes, None if there is none; raise `ImageError` if they are too many or not to be read."""
        path = self._path(key)
        try:
            with path.open("rb") as stream:
                data = stream.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._look()
            return None
        except PermissionError as error:
            self._look()
            raise ImageError("unreadable", f"{path} may not be read: {error.strerror}") from error
        except OSError as error:
            raise self._lost(error, path) from error
        return within(data, limit)

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading here and there; raise `VideoError` if there is none or it may not be read."""
        path = self._path(key)
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._look()
            raise gone(self.uri(key)) from error
        except PermissionError as error:
            self._look()
            raise VideoError("unreadable", f"{path} may not be read: {error.strerror}") from error
        except OSError as error:
            raise self._lost(error, path) from error

    def save(self, key: str, data: bytes) -> None:
        """Write a file, in place of the one that may be there, in one step."""
        self._look()
        path = self._path(key)
        try:
            for _ in range(_TRIES):
                with contextlib.suppress(FileNotFoundError):  # its folder was tidied away, or it was swept too early
                    _put(path, data)
                    return self._note_down()
        except OSError as error:
            if error.errno in _NO_NAME and self.reachable():
                raise ImageError("file_name", f"no file can be called {path}: {error.strerror}") from error
            raise self._lost(error, path) from error
        raise StoreError(f"cannot write {path}: its folder vanishes each time that it is made")

    def remove(self, key: str) -> bool:
        """Delete a file, and the folders above it that this empties, but not the place; return whether it was there."""
        path = self._path(key)
        if path.is_symlink():
            raise ImageError("link", f"{path} is a link, and what it leads to would stay: it is not deleted")
        try:
            path.unlink()
            there = True
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as error:
            raise self._lost(error, path) from error
        for folder in path.parents:
            if folder == self.root:
                break
            try:
                folder.rmdir()
            except OSError:  # it holds something, or is gone
                break
        return there

    def sweep(self) -> int:
        """Remove what killed writers of ours left behind; return how many files. Writers at work keep theirs."""
        return sum(
            _swept(Path(folder, name))
            for folder, _, names in os.walk(self.root)
            for name in names
            if _OURS.fullmatch(name)
        )

    def reachable(self) -> bool:
        """Tell whether the folder can be read now; one that may be created is."""
        try:
            device = self.root.stat().st_dev if self.root.is_dir() else None
        except OSError:
            return False
        if device is None:
            made = self._known is not None and self._known.exists()
            return self._create and not made and not self.root.exists()
        # Where a share is lost its mount point may stay, and whatever were written there would be hidden later.
        self._device = device if self._device is None else self._device
        return device == self._device

    def uri(self, key: str) -> str:
        """Return the path of a file."""
        return str(self._path(key))

    def _note_down(self) -> None:
        """Remember that something was written here."""
        if self._known is not None and not self._told:
            if not self._known.exists():
                replace_file(self._known, f"{self.root}\n".encode())
            self._told = True

    def _below(self, folder: Path, prefix: str, depth: int, odd: list[str]) -> Iterator[Entry]:
        if depth > _DEEPEST:
            raise StoreError(f"{folder} lies more than {_DEEPEST} folders deep")
        try:
            with os.scandir(folder) as listed:
                found = [entry for entry in listed if not entry.name.startswith(".")]
        except OSError as error:
            raise self._lost(error, folder) from error
        for one in found:
            key = f"{prefix}{one.name}"
            if one.is_dir(follow_symlinks=False):
                yield from self._below(folder / one.name, f"{key}/", depth + 1, odd)
                continue
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                if not is_text(key):
                    odd.append(key)
                elif one.is_file():
                    yield _entry(key, one.stat())

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*key_parts(key, str(self.root)))

    def _look(self) -> None:
        """Raise where the folder itself is not there: then its files are not gone, they are out of reach."""
        if not self.reachable():
            if self.root.is_file():
                raise ConfigError(f"{self.root} is a file: name the folder that holds it")
            raise StoreUnavailableError(
                f"the folder {self.root} is not there: mount the share again, correct the path, or make the folder"
            )

    def _lost(self, error: OSError, path: Path) -> StoreError:
        """Tell a file that cannot be read from a share that is lost."""
        said = refused(error, path)
        return said if self.root.is_dir() else StoreUnavailableError(str(said))


def _put(path: Path, data: bytes) -> None:
    """Write a file beside `path` and move it there, under a lock that tells `sweep` that somebody is at work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    with temporary.open("xb") as stream:
        try:
            _lock(stream)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _swept(path: Path) -> bool:
    """Remove a file that no writer holds any more; return whether it went."""
    try:
        with path.open("rb+") as stream:
            if _lock(stream):
                path.unlink()
                return True
    except OSError:  # gone meanwhile, or somebody else's
        pass
    return False


def _lock(stream: BinaryIO) -> bool:
    """Lock a file for this process; return False where another holds it, or the file system knows no locks."""
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _entry(key: str, status: os.stat_result) -> Entry:
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return Entry(key, status.st_size, f"{status.st_size}-{status.st_mtime_ns}", modified)
