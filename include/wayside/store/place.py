"""What a place offers, be it a folder or a part of a bucket; see `wayside.store.places`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from wayside.core.errors import ImageError, VideoError


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


def within(data: bytes, limit: int) -> bytes:
    """Return bytes that are not too many; raise `ImageError` for others."""
    if len(data) > limit:
        raise too_large(len(data), limit)
    return data


def gone(uri: str) -> VideoError:
    """Say that a file is not there any more."""
    return VideoError("gone", f"{uri} is not there any more")


def too_large(size: int, limit: int) -> ImageError:
    """Say that a file is too large."""
    return ImageError("too_many_bytes", f"the file has {size} bytes or more, over the limit of {limit}")


def is_text(key: str) -> bool:
    """Tell whether a file's name is text: the system may hand out bytes that are not, and no table can hold them."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return "\\" not in key
