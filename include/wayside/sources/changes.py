"""What changed between two lists of a source's cameras, and whether the new list can be believed.

A source that suddenly lists less than half of its cameras has rather lost its list than its cameras: that is refused as
a failure that may pass, and the old list goes on to serve. Where half of the cameras are really gone, a person says so
once, `update` with `believe`.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

from wayside.core.errors import SourceError
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera

Row = dict[str, Any]

MOVED_METRES: Final = 50.0
BELIEVED_SHARE: Final = 0.5
# Of a handful of cameras half may well be gone from one day to the next.
FEW_CAMERAS: Final = 20
_EARTH_METRES: Final = 6_371_008.8


def compare(
    before: Sequence[Camera], after: Sequence[Camera], analysed: Collection[str], former: Collection[str] = ()
) -> list[Row]:
    """Return what changed, one row (camera, change, detail, analysed) for each camera and change, sorted.

    Args:
        before: the list as it was.
        after: the list as it is. Cameras that the configuration names and the source does not list are not there.
        analysed: cameras that had counts lately.
        former: cameras that vanished some time ago: when they come back, they returned.
    """
    old, new = _listed(before), _listed(after)
    rows: list[Row] = []

    def note(camera: Camera, change: str, detail: str | None) -> None:
        rows.append(
            {"camera": camera.id, "change": change, "detail": detail, "analysed": camera.id in set(analysed)},
        )

    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            note(old[name], "vanished", old[name].name)
        elif name not in old:
            note(new[name], "returned" if name in former else "appeared", new[name].name)
        else:
            _changed(old[name], new[name], note)
    return rows


def doubt(source: str, before: Sequence[Camera], after: Sequence[Camera]) -> None:
    """Raise `SourceError` if the source lists less than half of the cameras that it listed before."""
    old, new = _listed(before), _listed(after)
    still = len(old.keys() & new.keys())
    if len(old) >= FEW_CAMERAS and still < BELIEVED_SHARE * len(old):
        raise SourceError(
            f"source {source} suddenly lists {still} of its {len(old)} cameras: that is not believed, and the old list "
            "goes on to serve; if they are really gone, run update_sources with `believe`"
        )


def metres(first: Camera, second: Camera) -> float | None:
    """Return the distance between two cameras along the ground, None where a place is not known."""
    if first.lat is None or first.lon is None or second.lat is None or second.lon is None:
        return None
    north, south = math.radians(first.lat), math.radians(second.lat)
    across, along = south - north, math.radians(second.lon - first.lon)
    half = math.sin(across / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(along / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(min(1.0, math.sqrt(half)))


def _changed(old: Camera, new: Camera, note: Any) -> None:
    far = metres(old, new)
    if far is not None and far > MOVED_METRES:
        note(new, "moved", f"{far:.0f} m, from {old.lat:.5f}, {old.lon:.5f} to {new.lat:.5f}, {new.lon:.5f}")
    if old.name != new.name:
        note(new, "renamed", f"{old.name} is now {new.name}")


def _listed(cameras: Sequence[Camera]) -> dict[str, Camera]:
    return {camera.id: camera for camera in cameras if camera.reason != Reason.NOT_LISTED}
