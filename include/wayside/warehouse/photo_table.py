"""Registering road photos in a road authority's own table: whatever was published since goes there, once.

Publishing `road_photos` marks the folder in an outbox of that table's name (see `wayside.warehouse.outbox`), as for our
own tables in Oracle or BigQuery. So a delivery that is killed anywhere is taken up by the next, and none comes twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wayside.core.errors import AuditError, ConfigError
from wayside.core.settings import Settings
from wayside.core.tables import ROAD_PHOTOS
from wayside.metadata.layouts import TableLayout, load_layout
from wayside.metadata.rows import RowMaker
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.photo_rows import PhotoRows
from wayside.warehouse.photo_target import PhotoTarget, Refusal, Upserted


@dataclass
class Registered:
    """What became of everything that waited.

    Attributes:
        table: the table's name.
        batches: how many batches went.
        rows: pictures in them.
        inserted: new rows.
        updated: rows that were there.
        earlier: pictures of batches that a run before had committed and could not finish.
        refused: pictures that are not registered.
        notes: what is to be said about others.
    """

    table: str
    batches: int = 0
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    earlier: int = 0
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, done: Upserted) -> None:
        """Count a batch in."""
        self.batches += 1
        self.rows += done.rows
        self.inserted += done.inserted
        self.updated += done.updated
        self.earlier += done.rows - len(done.refused) if done.again else 0
        self.refused += done.refused
        self.notes += done.notes

    def __str__(self) -> str:
        """Say it in one line."""
        told = f"{self.table}: {self.rows} pictures, {self.inserted} inserted, {self.updated} updated"
        earlier = f", {self.earlier} committed by a run before" if self.earlier else ""
        return f"{told}{earlier}, {len(self.refused)} refused"


def deliver_photo_table(lake: ParquetWarehouse, target: PhotoTarget, *, compat: bool = False) -> Registered:
    """Register the road photos of all folders that were published since the last time.

    Args:
        lake: where `road_photos` is published, with the target's table among those that are `made` of it.
        target: the table.
        compat: see `wayside.metadata.rows.RowMaker`.

    Returns:
        What went and what was refused. A refused picture waits no more; `resend` has it tried again.

    Raises:
        AuditError: more rows were refused than may be. The folders wait on, and so does what comes after.
        TransientError: the database could not be reached; the next call carries on.
    """
    done = Registered(target.layout.name.upper())
    published = PhotoRows(lake, RowMaker(target.layout, compat=compat))
    seen: set[str] = set()
    while (batch := lake.outbox.open(target.table, published)) is not None:
        try:
            done.add(target.upsert(batch))
        except AuditError:
            lake.outbox.give_up(batch)
            raise
        lake.outbox.close(batch)
        # A mark whose rows were not in place yet stays, and comes round again at once: that is for the next call.
        marks = {entry.mark for entry in batch.entries}
        if marks <= seen:
            break
        seen |= marks
    return done


def resend(lake: ParquetWarehouse, layout: TableLayout) -> int:
    """Note down every folder of road photos for the table, as when it is new; return how many."""
    return lake.resend(ROAD_PHOTOS, made=layout.name.lower())


def open_photo_table(settings: Settings, connect: Callable[[], Any], which: str = "") -> PhotoTarget:
    """Return the table of photos of the settings, or that of the layout `which`.

    Raises:
        ConfigError: none is named, or its layout is wrong.
    """
    name = which or settings.photo_table
    if not name:
        raise ConfigError("no table of photos is named: set WAYSIDE_PHOTO_TABLE to a layout, such as vegbilder")
    layout = load_layout(name, settings.config / "photo_tables")
    return PhotoTarget(connect, layout, settings.oracle_schema, max_refused=settings.photo_table_refusals)
