"""The division of a slot's cameras into shards, one task each.

A shard is known by (source, slot, plan, part, parts): small enough to pass between tasks, and enough to find its
cameras again. The plan's name is a hash of the camera list, so that parts of two different lists never meet.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from wayside.core.slots import Slot
from wayside.sources.source import Camera

Item = TypeVar("Item")


class Shard(BaseModel):
    """One piece of a slot's work. `part` counts from 0; `slot` is written as `20200501T0050Z`."""

    model_config = ConfigDict(frozen=True)

    source: str
    slot: str
    plan: str
    part: int
    parts: int

    @property
    def when(self) -> Slot:
        """The slot itself."""
        return Slot.parse(self.slot)

    @property
    def label(self) -> str:
        """What people call the shard: `TfL-images 1/4`."""
        return f"{self.source} {self.part + 1}/{self.parts}"


def chunk(items: Sequence[Item], part: int, parts: int) -> Sequence[Item]:
    """Return piece `part` (from 0) of `items` cut into `parts` runs whose lengths differ by one at most."""
    return items[part * len(items) // parts : (part + 1) * len(items) // parts]


def divide(source: str, slot: Slot, cameras: Sequence[Camera], per_shard: int) -> list[Shard]:
    """Divide cameras into as few shards as hold `per_shard` each; no camera gives no shard."""
    digest = hashlib.sha256("\n".join(camera.id for camera in cameras).encode()).hexdigest()[:12]
    parts = math.ceil(len(cameras) / per_shard)
    return [Shard(source=source, slot=str(slot), plan=digest, part=part, parts=parts) for part in range(parts)]
