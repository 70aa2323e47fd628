"""The layout of pictures: `<source>/<YYYYMMDD>/<HHMM>/<camera>.jpg`, the one of a chrono_lens bucket."""

from wayside.core.errors import StoreError
from wayside.core.ids import camera_id, source_id
from wayside.core.slots import Slot


def picture_key(source: str, slot: Slot, camera: str) -> str:
    """Return the key of one picture, relative to the store's root; both names are validated."""
    return f"{source_id(source)}/{slot.day}/{slot.hhmm}/{camera_id(camera)}.jpg"


def key_parts(key: str, root: str) -> list[str]:
    """Return the parts of a key; `root` names the store in the message.

    Raises:
        StoreError: it would leave the store, or has a part that is empty or has a leading dot.
    """
    parts = key.split("/")
    if "\\" in key or "\0" in key or any(not part or part.startswith(".") for part in parts):
        raise StoreError(f"key {key!r} is none: it leaves the store at {root}, or has a part without a name")
    return parts
