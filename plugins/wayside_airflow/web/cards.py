"""Cards: what a page says about one camera at one slot, and which picture it shows for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wayside.core.slots import SLOT_LENGTH, Slot
from wayside_airflow.web import queries
from wayside_airflow.web.queries import Lens, Row

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

# In the order in which the pages list them.
STATES = ("counted", "faulty", "missing", "failed", "waiting", "not_run")
# A filter of its own: every camera that has no count at the slot.
ATTENTION = "attention"
# Pictures whose size nobody recorded are stretched to this, and the boxes with them.
_USUAL_SIZE = (640, 480)


@dataclass(frozen=True)
class Card:
    """One camera at one slot. `shown` is the slot of the picture to show, `behind` the slots since the last count."""

    camera: str
    name: str
    state: str
    reason: str | None
    slot: Slot
    shown: Slot | None
    behind: int | None
    width: int
    height: int
    sized: bool
    counts: Sequence[tuple[str, int]]
    boxes: Sequence[Row] = ()


def card(row: Row, slot: Slot, classes: Sequence[str]) -> Card:
    """Make the card of a row of `cameras_at_slot`, without its boxes."""
    state = row["state"] or "not_run"
    last = Slot(row["counted_slot"]) if row["counted_slot"] else None
    width, height = row["width"], row["height"]
    return Card(
        camera=row["camera"],
        name=row["name"],
        state=state,
        reason=row["reason"],
        slot=slot,
        # A faulty or waiting picture is shown as it is; where there is none, the last that could be counted.
        shown=slot if state in {"counted", "faulty", "waiting"} else last,
        behind=(slot.start - last.start) // SLOT_LENGTH if last else None,
        width=width or _USUAL_SIZE[0],
        height=height or _USUAL_SIZE[1],
        sized=bool(width and height),
        counts=counts_of(row, classes),
    )


def counts_of(row: Row, classes: Sequence[str]) -> list[tuple[str, int]]:
    """Return the classes that were seen, most frequent first."""
    seen = [(name, row[name]) for name in classes if row[name]]
    return sorted(seen, key=lambda pair: -pair[1])


def with_boxes(warehouse: "ParquetWarehouse", lens: Lens, cards: Sequence[Card]) -> list[Card]:
    """Fill in the boxes of the pictures that cards show, all in one question."""
    found = queries.boxes(warehouse, lens, [(one.camera, one.shown) for one in cards if one.shown])
    return [
        replace(one, boxes=found[one.camera, one.shown]) if one.shown and (one.camera, one.shown) in found else one
        for one in cards
    ]


def matches(one: Card, health: str | None, text: str) -> bool:
    """Tell whether a card passes the filters of the page; `text` is folded already."""
    fits = not health or one.state == health or (health == ATTENTION and one.state != "counted")
    return fits and (not text or text in one.name.casefold() or text in one.camera.casefold())
