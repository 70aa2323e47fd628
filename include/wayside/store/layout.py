"""The layout of pictures: `<source>/<YYYYMMDD>/<HHMM>/<camera>.jpg`, the one of a chrono_lens bucket."""

from wayside.core.ids import camera_id, source_id
from wayside.core.slots import Slot


def picture_key(source: str, slot: Slot, camera: str) -> str:
    """Return the key of one picture, relative to the store's root; both names are validated."""
    return f"{source_id(source)}/{slot.day}/{slot.hhmm}/{camera_id(camera)}.jpg"
