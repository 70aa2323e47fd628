"""The file of a day: all its slots in one Parquet file, sorted by slot and then by key.

A row group holds whole slots, some tens of thousands of rows: one slot is one group to read, found by its statistics,
and a question about a month still has enough groups for all cores. The slots that the file holds are listed in its
metadata, since a slot without rows was published too.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wayside.core.slots import Slot
from wayside.core.tables import Table

GROUP_ROWS: Final = 20_000
_SLOTS: Final = b"wayside.slots"


class DayFile:
    """An open file of a day; replacing the file does not disturb it.

    Raises:
        FileNotFoundError: there is none.
    """

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path, memory_map=False)
        self._day = path.stem.removeprefix("day=")
        self._column = self.file.schema_arrow.names.index("slot")
        self._last: tuple[int, pa.Table] | None = None

    @property
    def hhmms(self) -> tuple[str, ...]:
        """The slots that the file holds as `HHMM`, oldest first."""
        return tuple((self.file.metadata.metadata or {}).get(_SLOTS, b"").decode().split())

    def rows(self, hhmm: str) -> pa.Table:
        """Return the rows of one slot in the order of the key, none if it has none."""
        start = Slot.parse(f"{self._day}/{hhmm}").start
        for number in range(self.file.num_row_groups):
            statistics = self.file.metadata.row_group(number).column(self._column).statistics
            if statistics.min <= start <= statistics.max:
                group = self._group(number)
                return group.filter(pc.equal(group["slot"], pa.scalar(start, group.schema.field("slot").type)))
        return self.file.schema_arrow.empty_table()

    def _group(self, number: int) -> pa.Table:
        # Slots are read in order, and one group holds many.
        if self._last is None or self._last[0] != number:
            self._last = (number, self.file.read_row_group(number))
        return self._last[1]


def held(path: Path) -> tuple[str, ...]:
    """Return the slots that the file of a day holds as `HHMM`, none if there is no file."""
    try:
        status = path.stat()
        return _held(path, status.st_ino, status.st_mtime_ns)
    except FileNotFoundError:
        return ()


@lru_cache(maxsize=4096)
def _held(path: Path, _inode: int, _changed: int) -> tuple[str, ...]:
    return DayFile(path).hhmms


def write_day(table: Table, slots: Iterable[tuple[str, pa.Table]]) -> bytes:
    """Return the file of a day. `slots` gives each `HHMM` with its rows, oldest first, rows in the order of the key."""
    sink = pa.BufferOutputStream()
    hhmms: list[str] = []
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_statistics=True) as writer:
        for rows in _groups(slots, hhmms):
            # One group as large as it comes: a slot must not be cut.
            writer.write_table(pa.Table.from_arrays(rows.columns, schema=table.schema), row_group_size=rows.num_rows)
        writer.add_key_value_metadata({_SLOTS.decode(): " ".join(hhmms)})
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _groups(slots: Iterable[tuple[str, pa.Table]], hhmms: list[str]) -> Iterator[pa.Table]:
    """Join slots until a row group is full; note the slots on the way."""
    waiting: list[pa.Table] = []
    for hhmm, rows in slots:
        hhmms.append(hhmm)
        waiting += [rows] if rows.num_rows else []
        if sum(part.num_rows for part in waiting) >= GROUP_ROWS:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()
