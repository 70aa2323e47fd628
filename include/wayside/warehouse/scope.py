"""A scope names the part of a table that one publication replaces: source, slot and pipeline, say, or source and day.

Its folder is a pure function of its values, so that whoever publishes the same scope writes to the same place.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id, folder_id, pipeline_id, run_id, source_id
from wayside.core.slots import Slot
from wayside.core.tables import Table


@dataclass(frozen=True, slots=True)
class Scope:
    """The values of a table's scope columns; those that the table does not have stay None."""

    source: str
    slot: Slot | None = None
    pipeline: str | None = None
    day: date | None = None
    run: str | None = None
    folder: str | None = None
    camera: str | None = None
    hour: datetime | None = None
    processor: int | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        source_id(self.source)
        if self.pipeline is not None:
            pipeline_id(self.pipeline)
        if self.run is not None:
            run_id(self.run)
        if self.folder is not None:
            folder_id(self.folder)
        if self.camera is not None:
            camera_id(self.camera)
        if self.hour is not None and self.hour != self.hour.replace(minute=0, second=0, microsecond=0):
            raise ConfigError(f"{self.hour.isoformat()} is no full hour")

    @classmethod
    def of(cls, table: Table, row: dict[str, Any]) -> "Scope":
        """Return the scope in which a row of `table` lies."""
        values = {column: row[column] for column in table.scope}
        if "slot" in values:
            values["slot"] = Slot(values["slot"])
        return cls(**values)

    def values(self, table: Table) -> dict[str, object]:
        """Return the scope columns of `table` with their values; raise `ConfigError` if one is missing."""
        known: dict[str, object] = {
            "source": self.source,
            "slot": self.slot and self.slot.start,
            "pipeline": self.pipeline,
            "day": self.day,
            "run": self.run,
            "folder": self.folder,
            "camera": self.camera,
            "hour": self.hour,
            "processor": self.processor,
            "version": self.version,
        }
        wanted = {column: known[column] for column in table.scope}
        if None in wanted.values():
            raise ConfigError(f"table {table.name} is published by {', '.join(table.scope)}; got {self}")
        return wanted

    def path(self, table: Table) -> PurePosixPath:
        """Return the scope's place below the root of `table`, without a suffix."""
        wanted = self.values(table)
        path = PurePosixPath(f"source={self.source}")
        if "pipeline" in wanted:
            path /= f"pipeline={self.pipeline}"
        for column in ("camera", "processor", "version"):
            if column in wanted:
                path /= f"{column}={wanted[column]}"
        if "run" in wanted:
            return path / f"run={self.run}"
        if "folder" in wanted:
            return path / f"folder={self.folder}"
        if "slot" in wanted and self.slot is not None:
            return path / f"day={self.slot.day}" / self.slot.hhmm
        if "hour" in wanted and self.hour is not None:
            return path / f"day={self.hour:%Y%m%d}" / f"{self.hour:%H}"
        if "day" in wanted and self.day is not None:
            return path / f"day={self.day:%Y%m%d}" / "all"
        return path / "all"

    def as_json(self) -> dict[str, str]:
        """Return the values that are set as texts, which `from_json` reads back."""
        texts: dict[str, str | None] = {
            "source": self.source,
            "slot": str(self.slot) if self.slot else None,
            "pipeline": self.pipeline,
            "day": self.day.isoformat() if self.day else None,
            "run": self.run,
            "folder": self.folder,
            "camera": self.camera,
            "hour": self.hour.isoformat() if self.hour else None,
            "processor": None if self.processor is None else str(self.processor),
            "version": None if self.version is None else str(self.version),
        }
        return {name: text for name, text in texts.items() if text is not None}

    @classmethod
    def from_json(cls, texts: dict[str, str]) -> "Scope":
        """Read what `as_json` wrote."""
        slot, day, hour = texts.get("slot"), texts.get("day"), texts.get("hour")
        processor, version = texts.get("processor"), texts.get("version")
        return cls(
            texts["source"],
            Slot.parse(slot) if slot else None,
            texts.get("pipeline"),
            date.fromisoformat(day) if day else None,
            texts.get("run"),
            texts.get("folder"),
            texts.get("camera"),
            datetime.fromisoformat(hour) if hour else None,
            int(processor) if processor else None,
            int(version) if version else None,
        )

    def __str__(self) -> str:
        """Write the scope for people: `TfL-images 20200501T0050Z FaultyImageFilterV1_…`."""
        parts = (
            *(self.source, self.camera, self.slot, self.hour, self.day, self.pipeline, self.run, self.folder),
            *(self.processor, self.version),
        )
        return " ".join(str(part) for part in parts if part is not None)
