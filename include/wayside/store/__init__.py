"""Where pictures lie: one small interface, a local folder or a bucket behind it, and the layout of the names."""

from wayside.store.gcs import GcsStore
from wayside.store.layout import picture_key
from wayside.store.local import LocalStore
from wayside.store.opened import open_store
from wayside.store.store import PictureMeta, Store, StoredEntry, StoredPicture

__all__ = [
    "GcsStore",
    "LocalStore",
    "PictureMeta",
    "Store",
    "StoredEntry",
    "StoredPicture",
    "open_store",
    "picture_key",
]
