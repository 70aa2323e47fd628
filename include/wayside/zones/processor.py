"""A processor: one way of counting on one camera, and a version of its zones, as rows and as objects.

What a processor counts is named by its pipeline, `Fps5_WaysideV1`: how many frames a second are looked at, and with
which model. Detections of a pipeline are made once for a camera, whatever number of processors counts them.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import BaseModel

from wayside.core.errors import ConfigError
from wayside.core.ids import pipeline_id
from wayside.counting.zones import ZoneSet
from wayside.zones.options import parse_options

Row = dict[str, Any]
Kind = Literal["traffic", "objects", "faces"]

LEAST_FPS: Final = 0.1
MOST_FPS: Final = 60.0
# A point has no place in the name of a stage: half a frame a second is `Fps0p5`.
_PIPELINE: Final = re.compile(r"Fps(0|[1-9][0-9]{0,2})(?:p([0-9]{1,3}))?_([A-Z][A-Za-z0-9]{0,62})")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How a video is looked at.

    Attributes:
        fps: frames a second, 0.1 to 60, with three places after the point at most.
        model: card of the detector.
    """

    fps: float
    model: str

    def __post_init__(self) -> None:
        if not LEAST_FPS <= self.fps <= MOST_FPS or round(self.fps, 3) != self.fps:
            raise ConfigError(f"{self.fps:g} frames a second: give {LEAST_FPS:g} to {MOST_FPS:g}, in thousandths")
        if not _PIPELINE.fullmatch(self.id):
            raise ConfigError(f"{self.model!r} is no name of a model")
        pipeline_id(self.id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `Fps5_WaysideV1` or `Fps0p5_WaysideV1`; raise `ConfigError` for anything else."""
        match = _PIPELINE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ConfigError(f"{text!r} is no pipeline of videos: write it like Fps5_WaysideV1")
        found = cls(float(f"{match[1]}.{match[2] or 0}"), match[3])
        if found.id != text:
            raise ConfigError(f"{text!r} is no pipeline of videos: write {found.id}")
        return found

    @property
    def id(self) -> str:
        """The name, as in tables and paths."""
        return f"Fps{f'{self.fps:.3f}'.rstrip('0').rstrip('.').replace('.', 'p')}_{self.model}"

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class ZoneVersion:
    """One version of a processor's zones, with all that counting it takes.

    Attributes:
        version: number, from 1.
        zones: the shapes.
        pipeline: detections that are counted.
        options: of the processor's kind, see `wayside.zones.options`.
        note: why it was made; may be None.
        author: who made it.
        created_at: when, UTC.
    """

    version: int
    zones: ZoneSet
    pipeline: Pipeline
    options: BaseModel
    note: str | None
    author: str
    created_at: datetime

    @classmethod
    def of_row(cls, row: Row, kind: Kind) -> Self:
        """Read a row of the table `zones`."""
        return cls(
            version=row["version"],
            zones=ZoneSet.parse(row["zones"], row["lines"]),
            pipeline=Pipeline.parse(row["pipeline"]),
            options=parse_options(kind, row["options"]),
            note=row["note"],
            author=row["author"],
            created_at=row["created_at"],
        )


@dataclass(frozen=True)
class Processor:
    """One processor as it is now; what it counts by is that of its current `version`.

    Attributes:
        source: source of the camera.
        camera: the camera.
        camera_number: its number, by which the HTTP interface calls it; unique in the installation.
        number: number of the processor, unique in the installation.
        kind: traffic, objects or faces.
        name: for people.
        enabled: whether new segments are scanned and counted.
        pipeline: detections that are counted.
        options: of the processor's kind, see `wayside.zones.options`.
        version: version of its zones that counts now.
        author: who changed it last.
        updated_at: when, UTC.
    """

    source: str
    camera: str
    camera_number: int
    number: int
    kind: Kind
    name: str
    enabled: bool
    pipeline: Pipeline
    options: BaseModel
    version: int
    author: str
    updated_at: datetime

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """Read a row of the table `processors`."""
        taken = ("source", "camera", "camera_number", "kind", "name", "enabled", "version", "author", "updated_at")
        return cls(
            **{name: row[name] for name in taken},
            number=row["processor"],
            pipeline=Pipeline.parse(row["pipeline"]),
            options=parse_options(row["kind"], row["options"]),
        )


@dataclass(frozen=True, slots=True, order=True)
class WatchedCamera:
    """A camera that has processors, with its number."""

    number: int
    source: str
    camera: str


def options_text(options: BaseModel) -> str:
    """Write options as the JSON of the tables: equal options give equal text."""
    return json.dumps(options.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
