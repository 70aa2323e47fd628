"""What counting of one day leaves for the next, as a small file for each processor, version and day.

The file says which segments were counted, in their order, and from which state on. Counting goes on where new segments
come after these on a day that is not over; otherwise the day is counted again from its beginning, and so are days after
it whose beginning has changed by that. So late and repeated segments end in the same tables as those in order.

A state is written after the tables of its day, and names their hashes: tables that somebody else wrote, or a writer
who was killed before the state was in place, do not count.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from wayside.store.files import replace_file
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.processor import Processor, ZoneVersion, options_text

FORMAT: Final = 1
"""Goes up when states of before cannot be gone on from, or when counting counts otherwise."""


@dataclass(frozen=True)
class Carry:
    """What goes from one day to the next.

    Attributes:
        counter: state of the counter; None: it begins.
        until: time of the last look, as ISO 8601; None: none yet.
        aspect: width over height of the pictures, those of the very first segment; None: none yet.
        inside: last known number inside, by zone; None: not known.
    """

    counter: dict[str, Any] | None = None
    until: str | None = None
    aspect: float | None = None
    inside: dict[str, int | None] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """A hash that is equal for equal states."""
        return _hash(asdict(self))

    @property
    def last_look(self) -> datetime | None:
        """The time of the last look."""
        return None if self.until is None else datetime.fromisoformat(self.until).astimezone(UTC)


@dataclass(frozen=True)
class DayState:
    """A day that was counted.

    Attributes:
        rules: hash of all that rules the counting, see `rules_of`.
        start: hash of the state with which the day began.
        begin: time of the last look and numbers inside with which it began; the counter's own state is left out.
        mark: of the files that said what was seen, as they were before they were read, see `looks.day_marks`.
        folded: the segments that were counted, in order: hash of the bytes, key of the scan.
        dropped: looks that were left out, because another segment shows the same time.
        closed: whether the day was over when it was counted, so that nobody who waited for a next look still waits.
        tables: hash of each published table of the day.
        end: the state after the last look.
    """

    rules: str
    start: str
    begin: Carry
    mark: str
    folded: list[list[str]]
    dropped: int
    closed: bool
    tables: dict[str, str]
    end: Carry


class States:
    """The states of one version of a processor, in a folder of their own."""

    def __init__(self, lake: ParquetWarehouse, processor: Processor, version: int) -> None:
        """Look in the state folder of this lake."""
        place = counts_folder(lake) / processor.source / processor.camera
        self.folder = place / f"{processor.number}-v{version}"

    def days(self) -> list[date]:
        """List the days that were counted, oldest first."""
        return sorted(date.fromisoformat(path.stem) for path in self.folder.glob("????-??-??.json"))

    def read(self, day: date) -> DayState | None:
        """Return the state of a day; None where there is none that can be gone on from."""
        try:
            document = json.loads(self._path(day).read_bytes())
            if document.pop("format") != FORMAT:
                return None
            return DayState(**document | {name: Carry(**document[name]) for name in ("begin", "end")})
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, day: date, state: DayState) -> None:
        """Put the state of a day in place, in one step."""
        document = {"format": FORMAT, **asdict(state)}
        replace_file(self._path(day), json.dumps(document, sort_keys=True, separators=(",", ":")).encode())

    def _path(self, day: date) -> Path:
        return self.folder / f"{day.isoformat()}.json"


def zones_folder(lake: ParquetWarehouse) -> Path:
    """Return the folder of what zones keep beside the tables: states, stills, previews."""
    return lake.root.parent / "zones"


def counts_folder(lake: ParquetWarehouse) -> Path:
    """Return the folder of the states of counting."""
    return zones_folder(lake) / "counts"


def rules_of(kind: str, version: ZoneVersion) -> str:
    """Return a hash of all that rules how a version counts."""
    return _hash([FORMAT, kind, *version.zones.as_json(), version.pipeline.id, options_text(version.options)])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
