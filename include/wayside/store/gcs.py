"""Pictures in a bucket of Google Cloud Storage, under an optional prefix; the layout is that of a chrono_lens bucket.

The bucket itself decides between writers: creation asks for generation 0, which is no object, and replacement for the
generation whose bytes were read. The record of a picture travels with it as custom metadata, so that both come in one
step. Beside it lies a mark of the call that wrote it: where an answer is lost and the next try is told that something
lies there already, the mark says whether that was us.
"""

import contextlib
import hashlib
import itertools
import json
import mimetypes
import secrets
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wayside.core.errors import StoreError, StoreUnavailableError
from wayside.store.layout import key_parts
from wayside.store.store import PictureMeta, StoredEntry, StoredPicture

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.storage import Blob, Bucket, Client

_RECORD = "wayside"
_CALL = "wayside-call"
_MAX_RECORD = 7000  # Cloud Storage takes 8 KiB of custom metadata
_BATCH = 100
_PAGE = 1000
_NOT_FOUND = 404


class GcsStore:
    """Pictures below `gs://bucket/prefix`.

    Without a client, one is made with Google's application default credentials when the store is first used. Each
    request has `timeout` seconds; what often passes (429, 5xx, a broken connection) is tried again, after `backoff`
    seconds at first, for `patience` seconds in all.
    """

    def __init__(
        self,
        client: "Client | None",
        bucket: str,
        prefix: str = "",
        *,
        timeout: float = 60.0,
        backoff: float = 1.0,
        patience: float = 120.0,
    ) -> None:
        prefix = prefix.strip("/")
        self.root = f"gs://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._name_of_bucket = bucket
        self._prefix = "/".join(key_parts(prefix, self.root)) + "/" if prefix else ""
        self._timeout = timeout
        self._backoff = backoff
        self._patience = patience
        self._checked = False

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        """Write a picture if there is none under `key`; return whether this call wrote it."""
        with self._told(f"write {key}"):
            return self._upload(self._name(key), data, meta, generation=0)

    def replace(self, key: str, data: bytes, meta: PictureMeta, sha256: str) -> bool:
        """Put a picture in the place of the one whose hash is `sha256`; return whether this call did so."""
        with self._told(f"replace {key}"):
            found = self._download(self._name(key))
            if found is None or _sha256(found[1]) != sha256:
                return False
            return self._upload(self._name(key), data, meta, generation=found[0].generation)

    def read(self, key: str) -> StoredPicture | None:
        """Return the picture under `key`, or None if there is none."""
        with self._told(f"read {key}"):
            found = self._download(self._name(key))
        if found is None:
            return None
        blob, data = found
        return StoredPicture(key=key, uri=self.uri(key), sha256=_sha256(data), data=data, meta=_meta(blob))

    def exists(self, key: str) -> bool:
        """Tell whether there is a picture under `key`."""
        with self._told(f"look for {key}"):
            return self._blob(self._name(key)) is not None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all pictures below the folder `prefix`, sorted; names with a leading dot are not keys."""
        for entry in self.entries(prefix):
            yield entry.key

    def entries(self, prefix: str) -> Iterator[StoredEntry]:
        """Yield what `keys` yields, with sizes."""
        with self._told(f"list {prefix}"):
            for blob in self._list(f"{self._name(prefix)}/", fields="items(name,size),nextPageToken"):
                key = blob.name.removeprefix(self._prefix)
                # Consoles make empty objects with a slash at the end, which stand for folders.
                if all(part and not part.startswith(".") for part in key.split("/")):
                    yield StoredEntry(key, int(blob.size))

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below the folder `prefix` ("" is the root), sorted."""
        below = f"{self._name(prefix)}/" if prefix else self._prefix
        with self._told(f"list {prefix or self.root}"):
            listed = self._list(below, delimiter="/", fields="prefixes,nextPageToken")
            for _ in listed.pages:
                pass
        names = (name.removeprefix(below).rstrip("/") for name in listed.prefixes)
        return sorted(name for name in names if name and not name.startswith("."))

    def delete(self, key: str) -> bool:
        """Delete a picture and its record; return whether there was one: False too where the answer was lost."""
        return self.delete_many([key]) == 1

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete pictures and records, 100 a request; return how many there were.

        Where the answer to a request is lost, its pictures are gone and are not counted.
        """
        names, number = map(self._name, keys), 0
        while batch := list(itertools.islice(names, _BATCH)):
            with self._told(f"delete pictures from {batch[0]} to {batch[-1]}"):
                number += self._delete_batch(batch)
        return number

    def prune(self, prefix: str) -> int:
        """Check the prefix, and no more: a bucket has no folders, and uploads leave nothing unfinished to be seen."""
        if prefix:
            self._name(prefix)
        return 0

    def uri(self, key: str) -> str:
        """Return the picture's `gs://` address."""
        return f"gs://{self._name_of_bucket}/{self._name(key)}"

    def _name(self, key: str) -> str:
        return self._prefix + "/".join(key_parts(key, self.root))

    @cached_property
    def _bucket(self) -> "Bucket":
        from google.cloud.storage import Client

        # Pictures need no project, which not all credentials have.
        return (self._client or Client(project=None)).bucket(self._name_of_bucket)

    @cached_property
    def _retry(self) -> "Retry":
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry: Retry = DEFAULT_RETRY.with_delay(initial=self._backoff).with_timeout(self._patience)
        return retry

    @cached_property
    def _calls(self) -> "dict[str, Any]":
        """What each call of the client library is told."""
        return {"timeout": self._timeout, "retry": self._retry}

    def _check_bucket(self) -> None:
        """Where nothing is found, look once whether the bucket is there, by a list, which needs no further right."""
        if not self._checked:
            next(iter(self._list(self._prefix, max_results=1)), None)
            self._checked = True

    def _list(self, prefix: str, **options: object) -> Any:
        return self._bucket.client.list_blobs(self._bucket, prefix=prefix, page_size=_PAGE, **options, **self._calls)

    def _blob(self, name: str) -> "Blob | None":
        blob = self._bucket.get_blob(name, **self._calls)
        if blob is None:
            self._check_bucket()
        return blob

    def _download(self, name: str) -> "tuple[Blob, bytes] | None":
        """Return an object and its bytes, of one generation; start again where it is replaced meanwhile."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        while (blob := self._blob(name)) is not None:
            with contextlib.suppress(NotFound, PreconditionFailed):
                # Through a blob of its own: a download without the header of the generation makes the blob forget it.
                bytes_of = self._bucket.blob(name).download_as_bytes
                return blob, bytes_of(if_generation_match=blob.generation, **self._calls)
        return None

    def _upload(self, name: str, data: bytes, meta: PictureMeta, generation: int) -> bool:
        from google.api_core.exceptions import NotFound, PreconditionFailed

        blob, call = self._bucket.blob(name), secrets.token_hex(16)
        blob.metadata = {_RECORD: _record(meta), _CALL: call}
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        try:
            # The client library sends more than 8 MiB as a resumable upload.
            blob.upload_from_string(data, kind, if_generation_match=generation, **self._calls)
        except (PreconditionFailed, NotFound) as error:
            there = self._blob(name)
            if there is not None and (there.metadata or {}).get(_CALL) == call:
                return True
            if isinstance(error, NotFound):
                raise self._unavailable(f"write {name}", error) from error
            return False
        return True

    def _delete_batch(self, names: list[str]) -> int:
        """Delete up to 100 objects; those for which the service was too busy are tried again."""
        from google.api_core.exceptions import from_http_response

        left, number = names, 0

        def attempt() -> None:
            nonlocal left, number
            with self._bucket.client.batch(raise_exception=False) as batch:
                for name in left:
                    self._bucket.blob(name).delete(timeout=self._timeout, retry=None)
            answers = batch._responses
            number += sum(answer.ok for answer in answers)
            refused = [answer for answer in answers if not answer.ok and answer.status_code != _NOT_FOUND]
            left = [name for name, answer in zip(left, answers, strict=True) if answer in refused]
            if refused:
                raise from_http_response(refused[0])  # type: ignore[no-untyped-call]

        self._retry(attempt)()
        if not number:
            self._check_bucket()
        return number

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Say in our words what Cloud Storage, or the way to it, refuses."""
        import requests
        from google.api_core import exceptions as api
        from google.auth import exceptions as auth
        from google.cloud.storage.exceptions import DataCorruption

        bucket = self._name_of_bucket
        try:
            yield
        except api.NotFound as error:
            raise StoreError(
                f"cannot {doing}: there is no bucket {bucket}: create it, or correct WAYSIDE_PICTURES_URL"
            ) from error
        except (api.Unauthorized, api.Forbidden) as error:
            raise StoreError(
                f"cannot {doing}: {error.message}: give the account the role Storage Object User "
                f"(roles/storage.objectUser) on the bucket {bucket}"
            ) from error
        except (auth.TransportError, api.RetryError, api.TooManyRequests, api.ServerError) as error:
            raise self._unavailable(doing, error) from error
        except (requests.RequestException, ConnectionError, DataCorruption) as error:
            raise self._unavailable(doing, error) from error
        except auth.GoogleAuthError as error:
            raise StoreError(
                f"cannot {doing}: there are no Google credentials that work: {error}; set up those of the Airflow "
                "connection, or on a laptop run `gcloud auth application-default login`"
            ) from error
        except api.GoogleAPIError as error:
            raise StoreError(f"cannot {doing}: Cloud Storage refuses: {error}") from error

    def _unavailable(self, doing: str, error: Exception) -> StoreUnavailableError:
        import requests

        cause = getattr(error, "cause", None) or error
        if isinstance(answer := getattr(cause, "response", None), requests.Response):
            cause = f"{answer.status_code} {answer.reason}"
        return StoreUnavailableError(
            f"cannot {doing}: Cloud Storage does not answer, or is too busy: {cause}; tried for up to "
            f"{self._patience:g} s: try again later, and look at the network and the quotas of {self.root}"
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _record(meta: PictureMeta) -> str:
    """Write a record in ASCII; without the source's cache headers where these alone are beyond what a record holds."""
    text = json.dumps(meta.model_dump(mode="json", exclude_none=True))
    if len(text) > _MAX_RECORD:
        text = json.dumps(meta.model_dump(mode="json", exclude_none=True, exclude={"etag", "last_modified"}))
    return text


def _meta(blob: "Blob") -> PictureMeta | None:
    """Read the record of an object; objects of somebody else have none."""
    try:
        return PictureMeta.model_validate_json((blob.metadata or {}).get(_RECORD, ""))
    except ValidationError:
        return None
