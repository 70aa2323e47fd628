"""What any picture store can do, whatever carries it.

A picture is created once: of two writers of one key the first wins and the other is told so. It changes only where a
caller names the picture that it takes the place of, by its hash: of two that replace the same one, one wins. With the
picture goes a small record of how it was got, so that a run that was killed after writing a picture tells the same
story about it when it is started again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict


class PictureMeta(BaseModel):
    """How a picture was got. Times are aware; `reason` is set for a success that needs a remark."""

    model_config = ConfigDict(frozen=True)

    fetched_at: AwareDatetime
    captured_at: AwareDatetime | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    reason: str | None = None
    width: int | None = None
    height: int | None = None


class StoredPicture(BaseModel):
    """A picture as it lies in the store. `meta` is absent for pictures that somebody else put there."""

    model_config = ConfigDict(frozen=True)

    key: str
    uri: str
    sha256: str
    data: bytes
    meta: PictureMeta | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A picture in a list: its key and its size."""

    key: str
    bytes: int


class Store(Protocol):
    """The interface. Keys are relative, use `/`, have no part with a leading dot (`StoreError` otherwise)."""

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        """Write a picture if there is none under `key`; return whether this call wrote it."""

    def replace(self, key: str, data: bytes, meta: PictureMeta, sha256: str) -> bool:
        """Put a picture in the place of the one whose hash is `sha256`, in one step.

        Return whether this call did so: False if another picture lies there, or none. Killed anywhere, it leaves one
        of the two pictures, whole and with its own record.
        """

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted."""

    def entries(self, prefix: str) -> Iterator[StoredEntry]:
        """Yield what `keys` yields, with sizes."""

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below the folder `prefix` ("" is the root), sorted."""

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one."""

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete pictures and their records, and the folders of slots and days that this empties.

        Return how many pictures there were. Stopped anywhere, it may be called again with the same keys.
        """

    def prune(self, prefix: str) -> int:
        """Remove what a killed run left below the folder `prefix` where no picture is, and the empty folders.

        Return how many folders went. The root and the folders of sources stay, and so does each folder in which there
        is a file that is not ours. `delete_many` does this by itself for the folders of its keys.
        """

    def uri(self, key: str) -> str:
        """Return the address under which other programs find the picture."""
