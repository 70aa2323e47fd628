"""A part of a bucket of Cloud Storage as a place."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from wayside.core.errors import StoreUnavailableError
from wayside.store.gcs import GcsStore
from wayside.store.place import Entry, gone, is_text, too_large, within

_RANGE: Final = 4 * 2**20  # bytes that are asked for at once where a file is read here and there


class BucketPlace(GcsStore):
    """Files below `gs://bucket/prefix`."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:  # type: ignore[override]
        """Yield every object, sorted by its name, as buckets list them."""
        below = f"{self._name(prefix)}/" if prefix else self._prefix
        fields = "items(name,size,generation,updated),nextPageToken"
        with self._told(f"list {self.root}"):
            for blob in self._list(below, fields=fields):
                key = blob.name.removeprefix(self._prefix)
                if is_text(key) and all(part and not part.startswith(".") for part in key.split("/")):
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
            raise too_large(found.bytes, limit)
        with self._told(f"read {key}"):
            got = None if found is None else self._download(self._name(key))
        return None if got is None else within(got[1], limit)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading here and there; raise `VideoError` if there is none."""
        found = self.entry(key)
        if found is None:
            raise gone(self.uri(key))
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


def _object(key: str, blob: Any) -> Entry:
    return Entry(key, int(blob.size), str(blob.generation), blob.updated)
