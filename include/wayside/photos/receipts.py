"""Receipts of a source: published into its chain, and read back.

The chain of a source goes from day to day, and one publisher at a time adds to it. A day is one file that is replaced
in one step, so whoever is killed has added all of his receipts or none, and adds them again without harm.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wayside.core.errors import AuditError, StoreError
from wayside.core.tables import RECEIPTS
from wayside.privacy.receipts import START, Key, Receipt, Row, append, key_of
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope


def publish_receipts(lake: ParquetWarehouse, source: str, receipts: Iterable[Receipt], now: datetime) -> int:
    """Add receipts to the end of a source's chain, under the source's lock; not to be called by who holds it.

    They join today's part of the chain; where the clock was put back, that of the latest day that there is.

    Args:
        lake: where tables are published.
        source: the source of all of them.
        receipts: what joins; those that are in the chain already are left out.
        now: the time.

    Returns:
        How many were added.

    Raises:
        AuditError: one is of another source; none is added.
        StoreError: the chain cannot be read or written.
    """
    joining = list(receipts)
    if others := sorted({one.source for one in joining} - {source}):
        raise AuditError(f"receipts of {', '.join(others)} do not belong into the chain of {source}")
    if not joining:
        return 0
    with locked(lake.root / "locks" / source):
        return _append(lake, source, joining, now)


def chain(lake: ParquetWarehouse, source: str) -> Iterator[Row]:
    """Yield the rows of a source's chain as they are stored, by day; raise `StoreError` where a day is no table."""
    for scope in lake.scopes(RECEIPTS, [source]):
        yield from _rows(lake, scope)


def chained_sources(lake: ParquetWarehouse) -> list[str]:
    """Return the sources that have receipts."""
    return sorted({scope.source for scope in lake.scopes(RECEIPTS)})


def find_receipts(lake: ParquetWarehouse, source: str, photo_or_sha256: str) -> list[Row]:
    """Return the rows of a picture, by its path or by the hash of its anonymised file, oldest first."""
    wanted = [[("photo", "==", photo_or_sha256)], [("output_sha256", "==", photo_or_sha256)]]
    return [
        row
        for scope in lake.scopes(RECEIPTS, [source])
        for row in _read(lake, scope, RECEIPTS.schema.names, wanted).to_pylist()
    ]


def _append(lake: ParquetWarehouse, source: str, joining: list[Receipt], now: datetime) -> int:
    days = [scope.day for scope in lake.scopes(RECEIPTS, [source]) if scope.day is not None]
    day = max([now.astimezone(UTC).date(), *days])
    before = [one for one in days if one < day]
    scope = Scope(source, day=day)
    existing = _rows(lake, scope) if day in days else []
    rows = append(
        existing,
        joining,
        day=day,
        written_at=now,
        head=_head(lake, source, before),
        earlier=list(_same(lake, source, before, joining)),
    )
    if len(rows) > len(existing):
        lake.publish(RECEIPTS, scope, to_arrow(RECEIPTS, rows))
    return len(rows) - len(existing)


def _head(lake: ParquetWarehouse, source: str, days: list[date]) -> str:
    for day in sorted(days, reverse=True):
        links = _read(lake, Scope(source, day=day), ["link_sha256"])["link_sha256"]
        if len(links):
            return str(links[-1].as_py())
    return START


def _same(lake: ParquetWarehouse, source: str, days: list[date], joining: list[Receipt]) -> Iterator[Row]:
    """Yield the rows of earlier days that may be of one of the receipts; few days have rows of the same run."""
    keys: set[Key] = {(one.photo, one.output.sha256, one.run) for one in joining}
    wanted = [("run", "in", sorted({one.run for one in joining}))]
    for day in days:
        scope = Scope(source, day=day)
        names = _read(lake, scope, ["photo", "output_sha256", "run"], wanted).to_pylist()
        if any(key_of(row) in keys for row in names):
            yield from (row for row in _rows(lake, scope) if key_of(row) in keys)


def _rows(lake: ParquetWarehouse, scope: Scope) -> list[Row]:
    rows: list[Row] = _read(lake, scope, RECEIPTS.schema.names).to_pylist()
    return rows


def _read(lake: ParquetWarehouse, scope: Scope, columns: list[str], filters: Any = None) -> pa.Table:
    path = lake.layout.path(RECEIPTS, scope)
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise StoreError(f"{path} is not a table of receipts: {str(error).splitlines()[0]}") from error
