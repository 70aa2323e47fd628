"""Compaction: a day that is over is 144 small files for each table, source and pipeline, and becomes one.

The new file is made from what lies there, without holding anybody up. Then, under the lock that writers take, it is
put in place, and the slots that it was made from are taken away, save for those published anew meanwhile. Before that
the day is as it was; in between, slots and day say the same; so it can be killed anywhere and run again, and two that
run at once leave what one does.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import TransientError
from wayside.core.tables import TABLES, Table
from wayside.warehouse.dayfile import DayFile, write_day
from wayside.warehouse.layout import Day, Layout, drop_lasting, locked, put

_Identity = tuple[int, int, int]
_TRIES = 20


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: days that were written, files of slots that went into them, and bytes before and after."""

    days: int = 0
    slots: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    def __add__(self, other: "Compacted") -> "Compacted":
        return Compacted(
            self.days + other.days,
            self.slots + other.slots,
            self.bytes_before + other.bytes_before,
            self.bytes_after + other.bytes_after,
        )


def compact(layout: Layout, before: date, sources: Sequence[str] | None = None) -> Compacted:
    """Compact every day before `before` of the tables that are published by slot.

    Raises:
        StoreFullError: no space is left; what was compacted so far is, the rest is as it was.
        TransientError: another compaction of the same day is always faster.
    """
    done = Compacted()
    for table in TABLES.values():
        if "slot" not in table.scope:
            continue
        for day in layout.days(table, sources):
            if day.text < f"{before:%Y%m%d}":
                done += compact_day(table, day)
    return done


def compact_day(table: Table, day: Day) -> Compacted:
    """Fold the slots of one day into its file; a day without files of slots is left alone."""
    for _ in range(_TRIES):
        try:
            done = _fold(table, day)
        except FileNotFoundError:  # a slot went into the file of the day while we read: somebody else compacts it
            continue
        if done is not None:
            _sweep(day)
            return done
    raise TransientError(f"{day.file} is being compacted by somebody else over and over: try again later")


def _fold(table: Table, day: Day) -> Compacted | None:
    """Make the file of the day and put it in place; None if another one came before us."""
    slots = day.slot_files()
    if not slots:
        return Compacted()
    known = {hhmm: _identity(path) for hhmm, path in slots.items()}
    base = _identity(day.file) if day.file.exists() else None
    data = write_day(table, _rows(day, slots))
    with locked(day.folder.parent):
        if (_identity(day.file) if day.file.exists() else None) != base:
            return None
        put(day.file, data)
        for hhmm, path in slots.items():
            with contextlib.suppress(FileNotFoundError):
                if _identity(path) == known[hhmm]:
                    path.unlink()
    before = sum(size for _, _, size in known.values()) + (base[2] if base else 0)
    return Compacted(1, len(slots), before, len(data))


def _rows(day: Day, slots: Mapping[str, Path]) -> Iterator[tuple[str, pa.Table]]:
    """Yield each slot of the day with its rows, from its own file where it has one."""
    base = DayFile(day.file) if day.file.exists() else None
    for hhmm in sorted({*slots, *(base.hhmms if base else ())}):
        if hhmm in slots:
            yield hhmm, pq.ParquetFile(slots[hhmm]).read()
        elif base is not None:
            yield hhmm, base.rows(hhmm)


def _sweep(day: Day) -> None:
    """Drop lasting names that are old, and the folder of the slots once it is empty."""
    if not day.folder.is_dir():
        return
    for path in day.folder.glob(".*-*"):
        if not path.name.startswith(".new-"):
            drop_lasting(path)
    with locked(day.folder.parent), contextlib.suppress(OSError):  # not empty
        day.folder.rmdir()


def _identity(path: Path) -> _Identity:
    status: os.stat_result = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
