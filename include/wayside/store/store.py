"""What any picture store can do, whatever carries it.

A picture is created once and never changed: of two writers of one key the first wins and the other is told so. With
the picture goes a small record of how it was got, so that a run that was killed after writing a picture tells the
same story about it when it is started again.
"""

from collections.abc import Iterator
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


class Store(Protocol):
    """The interface. Keys are relative, use `/`, have no part with a leading dot (`StoreError` otherwise)."""

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        """Write a picture if there is none under `key`; return whether this call wrote it."""

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted."""

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one."""

    def uri(self, key: str) -> str:
        """Return the address under which other programs find the picture."""
