"""A scope names the part of a table that one publication replaces: source, slot and pipeline.

Its folder is a pure function of its values, so that whoever publishes the same scope writes to the same place.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from wayside.core.errors import ConfigError
from wayside.core.ids import pipeline_id, source_id
from wayside.core.slots import Slot
from wayside.core.tables import Table


@dataclass(frozen=True, slots=True)
class Scope:
    """The values of a table's scope columns; those that the table does not have stay None."""

    source: str
    slot: Slot | None = None
    pipeline: str | None = None

    def __post_init__(self) -> None:
        source_id(self.source)
        if self.pipeline is not None:
            pipeline_id(self.pipeline)

    def values(self, table: Table) -> dict[str, object]:
        """Return the scope columns of `table` with their values; raise `ConfigError` if one is missing."""
        known: dict[str, object] = {
            "source": self.source,
            "slot": self.slot and self.slot.start,
            "pipeline": self.pipeline,
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
        if "slot" in wanted and self.slot is not None:
            return path / f"day={self.slot.day}" / self.slot.hhmm
        return path / "all"

    def __str__(self) -> str:
        """Write the scope for people: `TfL-images 20200501T0050Z FaultyImageFilterV1_…`."""
        return " ".join(str(part) for part in (self.source, self.slot, self.pipeline) if part is not None)
