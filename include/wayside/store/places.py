"""Where somebody's own files lie: a folder or a part of a bucket that Wayside reads from, writes to and tidies up.

A picture store has a layout of its own and never overwrites; a place is the user's. Its files keep their names, of any
alphabet and with any signs, files that are written take the place of older ones in one step, and a file that did not
change is known by its version without being read.
"""

import contextlib
import errno
import fcntl
import io
import logging
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from wayside.core.errors import ConfigError, ImageError, StoreError, StoreUnavailableError, VideoError
from wayside.store.files import TEMPORARY, refused, replace_file
from wayside.store.gcs import GcsStore
from wayside.store.layout import key_parts

if TYPE_CHECKING:
    from google.cloud.storage import Client

_BUCKET: Final = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/.*)?")
_TRIES: Final = 20
_RANGE: Final = 4 * 2**20  # bytes that are asked of a bucket at once where a file is read here and there
_DEEPEST: Final = 64  # folders below each other that are looked into
_OURS: Final = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{16}}")
# A name that is too long or no text for the file system, or that a folder has already: no fault of the share.
_NO_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a place.

    Attributes:
        key: its path below the place, `/` between the parts.
        bytes: its size.
        version: changes when the file does: its size and time of change, or its generation in a bucket.
        modified: when it was changed last.
    """

    key: str
    bytes: int
    version: str
    modified: datetime


class Place(Protocol):
    """The interface. All methods raise `StoreUnavailableError` where the place is out of reach for now."""

    def entries(self) -> Iterator[Entry]:
        """Yield every file, sorted by its key; names with a leading dot are left out."""

    def entry(self, key: str) -> Entry | None:
        """Return one file as it is now, or None."""

    def load(self, key: str, limit: int) -> bytes | None:
        """Return a file's bytes, None if there is none.

        Raises:
            ImageError: they are more than `limit` (`too_many_bytes`), or may not be read (`unreadable`).
        """

    def open(self, key: str) -> BinaryIO:
        """Open a file that is too large to be loaded, a video say, for reading here and there; the caller closes it.

        Raises:
            VideoError: there is none (`gone`), or it may not be read (`unreadable`).
        """

    def save(self, key: str, data: bytes) -> None:
        """Write a file, in place of the one that may be there, in one step.

        Raises:
            ImageError: no file can have this name here (`file_name`).
        """

    def remove(self, key: str) -> bool:
        """Delete a file, and the folders above it that this empties, but not the place; return whether it was there.

        Raises:
            ImageError: it is a link (`link`), and what it leads to would stay.
        """

    def sweep(self) -> int:
        """Remove what killed writers of ours left behind; return how many files. Writers at work keep theirs."""

    def reachable(self) -> bool:
        """Tell whether the place can be read now."""

    def uri(self, key: str) -> str:
        """Return the address of a file."""


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
        return _within(data, limit)

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading here and there; raise `VideoError` if there is none or it may not be read."""
        path = self._path(key)
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._look()
            raise _gone(self.uri(key)) from error
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
                if not _is_text(key):
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


class BucketPlace(GcsStore):
    """Files below `gs://bucket/prefix`."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:  # type: ignore[override]
        """Yield every object, sorted by its name, as buckets list them."""
        below = f"{self._name(prefix)}/" if prefix else self._prefix
        fields = "items(name,size,generation,updated),nextPageToken"
        with self._told(f"list {self.root}"):
            for blob in self._list(below, fields=fields):
                key = blob.name.removeprefix(self._prefix)
                if _is_text(key) and all(part and not part.startswith(".") for part in key.split("/")):
                    yield _object(key, blob)

    def entry(self, key: str) -> Entry | None:
        """Return one object as it is now, or None."""
        with self._told(f"look for {key}"):
            blob = self._blob(self._name(key))
        return None if blob is None else _object(key, blob)

    def load(self, key: str, limit: int) -> bytes | None:
        """Return an object's bytes, None if there is none; raise `ImageError` if they are more than `limit`."""
        found = self.entry(key)
        if found is not None and found.bytes > limit:
            raise _too_large(found.bytes, limit)
        with self._told(f"read {key}"):
            got = None if found is None else self._download(self._name(key))
        return None if got is None else _within(got[1], limit)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading here and there; raise `VideoError` if there is none."""
        found = self.entry(key)
        if found is None:
            raise _gone(self.uri(key))
        return io.BufferedReader(_Ranges(self, key, found), _RANGE)

    def read_range(self, key: str, generation: int, start: int, end: int) -> bytes:
        """Return an object's bytes from `start` up to `end`, which is not among them, of this generation of it."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        with self._told(f"read {key}"):
            blob = self._bucket.blob(self._name(key))
            try:
                data: bytes = blob.download_as_bytes(
                    start=start, end=end - 1, if_generation_match=generation, checksum=None, **self._calls
                )
            except (NotFound, PreconditionFailed) as error:
                raise StoreUnavailableError(f"{self.uri(key)} changed while it was read: try again") from error
        return data

    def save(self, key: str, data: bytes) -> None:
        """Write an object, in place of the one that may be there, in one step."""
        import mimetypes

        blob = self._bucket.blob(self._name(key))
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        with self._told(f"write {key}"):
            # Without a condition the client library would not try again; writing the same bytes twice does no harm.
            blob.upload_from_string(data, kind, **self._calls)

    def remove(self, key: str) -> bool:
        """Delete an object; return whether it was there."""
        return self.delete(key)

    def sweep(self) -> int:
        """Do nothing: an upload that breaks off leaves nothing to be seen in a bucket."""
        return 0

    def reachable(self) -> bool:
        """Tell whether the bucket answers."""
        try:
            with self._told(f"look at {self.root}"):
                next(iter(self._list(self._prefix, max_results=1)), None)
        except StoreUnavailableError:
            return False
        return True


class _Ranges(io.RawIOBase):
    """An object of a bucket as a file, read by ranges."""

    def __init__(self, place: BucketPlace, key: str, entry: Entry) -> None:
        self._place = place
        self._key = key
        self._entry = entry
        self._at = 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere, which costs nothing."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.bytes}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from one range; return how many bytes came, 0 at the end."""
        end = min(self._at + len(buffer), self._entry.bytes)
        if self._at >= end:
            return 0
        data = self._place.read_range(self._key, int(self._entry.version), self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_place(
    address: str, client: "Client | None" = None, *, create: bool = False, known: Path | None = None
) -> Place:
    """Open a folder, or `gs://bucket/prefix`.

    Args:
        address: which.
        client: for a bucket; without, one is made with Google's application default credentials.
        create: a folder that is absent is made when the first file is written.
        known: a file that remembers that it was, see `FolderPlace`.

    Raises:
        ConfigError: the address is empty, or no address of a bucket.
    """
    if not address.strip() or "\0" in address:
        raise ConfigError(f"{address!r} is no folder and no gs:// address")
    if not address.startswith("gs://"):
        if re.match(r"[a-z0-9+]{2,}://", address):
            raise ConfigError(f"{address!r}: only folders and gs:// addresses are understood")
        return FolderPlace(Path(address).expanduser(), create=create, known=known)
    if not _BUCKET.fullmatch(address):
        raise ConfigError(f"{address!r} is no address of a bucket: gs://bucket/prefix")
    bucket, _, prefix = address.removeprefix("gs://").partition("/")
    return BucketPlace(client, bucket, prefix)


def absolute(address: str) -> str:
    """Return an address of a folder or bucket that means the same in every working folder; links stay."""
    bare = address.strip()
    return bare if bare.startswith("gs://") else os.path.abspath(Path(bare).expanduser())  # noqa: PTH100


def below(address: str, root: str) -> bool:
    """Tell whether an address is that of a folder, or lies in it; links are followed first."""
    place, above = _real(address), _real(root)
    return place == above or place.startswith(f"{above.rstrip('/')}/")


def _real(address: str) -> str:
    if address.startswith("gs://"):
        return os.path.normpath(address).replace("gs:/", "gs://", 1)
    return os.path.realpath(Path(address).expanduser())


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


def _is_text(key: str) -> bool:
    """Tell whether a file's name is text: the system may hand out bytes that are not, and no table can hold them."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return "\\" not in key


def _entry(key: str, status: os.stat_result) -> Entry:
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return Entry(key, status.st_size, f"{status.st_size}-{status.st_mtime_ns}", modified)


def _object(key: str, blob: Any) -> Entry:
    return Entry(key, int(blob.size), str(blob.generation), blob.updated)


def _within(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise _too_large(len(data), limit)
    return data


def _gone(uri: str) -> VideoError:
    return VideoError("gone", f"{uri} is not there any more")


def _too_large(size: int, limit: int) -> ImageError:
    return ImageError("too_many_bytes", f"the file has {size} bytes or more, over the limit of {limit}")
