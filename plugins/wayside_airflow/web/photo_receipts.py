"""What the pages say about receipts: those of one picture, and whether the chain of a day holds.

A day's part of a chain is checked from the last receipt before it on, so that the cost of a page does not grow with the
years; `wayside receipts verify` goes through all of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from wayside.core.errors import StoreError
from wayside_airflow.web.kept import Kept, identities

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

Row = dict[str, Any]

#: Receipts of one day that a page checks, about 50 us each.
MOST: Final = 50_000
_FEW: Final = 5_000
_CHECKED: Kept["Checked"] = Kept(most=1000)


@dataclass(frozen=True)
class Checked:
    """Whether a day's part of a chain holds; None: it was not looked at, for the reason that `faults` has."""

    day: date
    holds: bool | None
    faults: tuple[str, ...] = ()


def checked(warehouse: "ParquetWarehouse", source: str, day: date, *, quick: bool = False) -> Checked:
    """Check the receipts of one day, and that they follow those of the day before; answers are kept."""
    from wayside.core.tables import RECEIPTS

    days = [scope for scope in warehouse.scopes(RECEIPTS, [source]) if scope.day is not None and scope.day <= day]
    paths = [str(warehouse.layout.path(RECEIPTS, scope)) for scope in days[-2:]]
    try:
        return _CHECKED.get((identities(paths), quick), lambda: _check(paths, day, _FEW if quick else MOST))
    except FileNotFoundError:
        return Checked(day, None, ("it is being replaced: load the page again",))


def of_picture(warehouse: "ParquetWarehouse", source: str, photo: str) -> list[Row]:
    """Return the rows of a picture's receipts, the newest first, each with what the receipt `said`."""
    from wayside.photos.receipts import find_receipts

    try:
        rows = find_receipts(warehouse, source, photo)
    except StoreError:
        return []
    return [row | {"said": _said(row)} for row in reversed(rows) if row["photo"] == photo]


def _check(paths: list[str], day: date, most: int) -> Checked:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from wayside.privacy.receipts import verify_chain

    def _read(path: str) -> pa.Table:
        return pq.read_table(path, partitioning=None)

    try:
        if pq.read_metadata(paths[-1]).num_rows > most:
            return Checked(day, None, ("it is long: `wayside receipts verify` checks it",))
        # Of the day before only the end counts; whether that day itself holds is told on its own.
        before = [row for path in paths[:-1] for row in _read(path)[-1:].to_pylist()]
        rows = [*before, *_read(paths[-1]).to_pylist()]
        breaks = [one for one in verify_chain(rows) if one.day == day]
    except (pa.ArrowException, KeyError, OSError) as error:
        return Checked(day, False, (f"it cannot be read: {str(error).splitlines()[0]}",))
    return Checked(day, not breaks, tuple(str(one) for one in breaks[:10]))


def _said(row: Mapping[str, Any]) -> Row:
    try:
        said = json.loads(row["receipt"])
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
