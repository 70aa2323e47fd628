"""Pictures that zones keep and nobody needs any more are removed: stills after a day, faces as their processor says."""

from datetime import datetime

from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.faces import prune_faces
from wayside.zones.registry import Registry
from wayside.zones.still import prune_stills


def prune_pictures(lake: ParquetWarehouse, registry: Registry, now: datetime) -> int:
    """Remove pictures that are too old or that nobody wants any more; return how many."""
    return prune_stills(lake, now) + prune_faces(lake, registry, now)
