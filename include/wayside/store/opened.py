"""The store that the settings name."""

from typing import TYPE_CHECKING

from wayside.core.settings import Settings
from wayside.store.gcs import GcsStore
from wayside.store.local import LocalStore
from wayside.store.store import Store

if TYPE_CHECKING:
    from google.cloud.storage import Client


def open_store(settings: Settings, client: "Client | None" = None) -> Store:
    """Return the picture store of the settings: the bucket of `pictures_url`, or the local folder if that is empty.

    Without a client, a bucket is reached with Google's application default credentials. Nothing is asked before the
    store is used.
    """
    if not settings.pictures_url:
        return LocalStore(settings.pictures)
    bucket, _, prefix = settings.pictures_url.removeprefix("gs://").partition("/")
    return GcsStore(client, bucket, prefix)
