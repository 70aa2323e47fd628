"""Where somebody's own files lie: a folder or a part of a bucket that Wayside reads from, writes to and tidies up.

A picture store has a layout of its own and never overwrites; a place is the user's. Its files keep their names, of any
alphabet and with any signs, files that are written take the place of older ones in one step, and a file that did not
change is known by its version without being read.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wayside.core.errors import ConfigError
from wayside.store.bucket_place import BucketPlace
from wayside.store.folder_place import FolderPlace
from wayside.store.place import Entry, Place

if TYPE_CHECKING:
    from google.cloud.storage import Client

__all__ = ["BucketPlace", "Entry", "FolderPlace", "Place", "absolute", "below", "open_place"]

_BUCKET: Final = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/.*)?")


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
