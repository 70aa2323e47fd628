"""How long a reprocessing takes and what it costs, before it begins.

The speed of a pipeline is that of its last reprocessing on this machine; where there was none, it is measured on a few
of the pictures that are to be analysed.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.stills.still import StillPipeline
from wayside.stills.window import Read, look_along
from wayside.vision.stream import usable_cores
from wayside.warehouse.outbox import MAX_SCOPES
from wayside.warehouse.parquet import ParquetWarehouse

_CAMERAS, _SLOTS = 8, 6  # pictures that a speed is measured on


@dataclass(frozen=True)
class Estimate:
    """What there is to do for one source.

    Attributes:
        slots: slots of the range that have frames.
        stills: stills to analyse, those without a picture included.
        images: pictures in the store among them.
        done: stills of the range that need not be analysed: they have counts, or this run did them already.
        images_per_second: how fast this machine is.
        seconds: how long it takes on this machine.
        cost: what it costs, in words.
    """

    slots: int
    stills: int
    images: int
    done: int
    images_per_second: float
    seconds: float
    cost: str


class Speeds:
    """Remembers how many pictures a second a pipeline takes on this machine."""

    def __init__(self, warehouse: ParquetWarehouse, settings: Settings) -> None:
        self.warehouse = warehouse
        self.settings = settings

    def remember(self, pipeline: StillPipeline, images: int, seconds: float) -> None:
        """Keep a speed, if it comes from enough pictures to say something."""
        if images >= _CAMERAS * _SLOTS and seconds > 0:
            document = {"model_sha256": pipeline.model_sha256, "images_per_second": images / seconds}
            self.warehouse.save_plan(_name(pipeline), document)

    def of(self, pipeline: StillPipeline, stills: Mapping[Slot, Sequence[str]], read: Read) -> float:
        """Return pictures a second: remembered for these weights, or measured on some of `stills`; 0 if unknown."""
        if self.warehouse.has_plan(_name(pipeline)):
            known = self.warehouse.load_plan(_name(pipeline))
            if known["model_sha256"] == pipeline.model_sha256:
                return float(known["images_per_second"])
        return self._measure(pipeline, stills, read)

    def _measure(self, pipeline: StillPipeline, stills: Mapping[Slot, Sequence[str]], read: Read) -> float:
        slots = list(islice(sorted(stills), _SLOTS))
        cameras = list(islice(sorted({camera for slot in slots for camera in stills[slot]}), _CAMERAS))
        wanted = [(camera, {slot: [pipeline.name] for slot in slots}) for camera in cameras]
        begun = time.perf_counter()
        looked = look_along(wanted, {pipeline.name: pipeline}, read, workers=self.settings.workers)
        images = sum(any(one.hashes) for some in looked for one in some)
        return images / (time.perf_counter() - begun) if images else 0.0


def cost_of(settings: Settings, slots: int, seconds: float) -> str:
    """Say in words what a reprocessing of so many slots and seconds costs."""
    cores = settings.workers or usable_cores()
    local = f"about {math.ceil(seconds * cores / 60)} CPU minutes on this machine"
    batches = math.ceil(slots / MAX_SCOPES)
    if settings.warehouse == "bigquery":
        jobs = 2 * batches + 1
        return f"{local}; {jobs} load jobs and {jobs} MERGE statements in BigQuery, if they are delivered at the end"
    if settings.warehouse == "oracle":
        return f"{local}; {2 * batches + 1} MERGE statements in Oracle, if they are delivered at the end"
    return f"{local}, and nothing else"


def _name(pipeline: StillPipeline) -> str:
    return f"speed-{pipeline.name}"
