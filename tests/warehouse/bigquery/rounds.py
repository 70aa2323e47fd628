"""Two rounds of publishing, for tests of delivery: the second changes, empties and adds scopes of the first."""

from datetime import UTC, datetime

from tests.tables import count_rows

from wayside.core.slots import Slot
from wayside.core.tables import CAMERAS, COUNTS
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot(datetime(2026, 5, 1, 23, 40, tzinfo=UTC))
PIPELINE = "StubV1"
LAST_ROUND = 1
NAMES = ["a", "b", "c"]


def scope(step: int = 0, source: str = "City") -> Scope:
    return Scope(source, SLOT.shift(step), PIPELINE)


def publish_counts(lake: ParquetWarehouse, where: Scope, cameras: list[str], **counted: int) -> None:
    lake.publish(COUNTS, where, to_arrow(COUNTS, count_rows(where, cameras, **counted)))


def publish_cameras(lake: ParquetWarehouse, source: str, names: list[str]) -> None:
    rows = [{"source": source, "camera": name, "name": f"Road {name}"} for name in names]
    lake.publish(CAMERAS, Scope(source), to_arrow(CAMERAS, rows))


def publish_round(lake: ParquetWarehouse, number: int) -> None:
    """Publish round 0 or 1. The slots lie on both sides of midnight."""
    if number == 0:
        publish_cameras(lake, "City", NAMES)
        for step in range(4):
            publish_counts(lake, scope(step), NAMES, car=step, bus=1)
        publish_counts(lake, scope(0, "Town"), ["t"], car=7)
    else:
        publish_cameras(lake, "City", NAMES[1:])
        publish_counts(lake, scope(0), NAMES[:2], car=50)
        publish_counts(lake, scope(2), [])
        publish_counts(lake, scope(4), NAMES, car=4)
