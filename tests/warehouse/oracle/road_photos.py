"""Road photos as they are published, and tables that they are registered in, for tests of the latter."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.warehouse.oracle.database import Database

from wayside.core.ids import folder_id_of
from wayside.core.settings import Settings
from wayside.core.tables import ROAD_PHOTOS
from wayside.metadata.layouts import TableLayout, load_layout
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.photo_target import PhotoTarget
from wayside.warehouse.scope import Scope

VEGBILDER = load_layout("vegbilder", Settings(_env_file=None).config / "photo_tables")
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)


def record(name: str, **changes: Any) -> dict[str, Any]:
    """A record that the table takes."""
    return {
        "exif_tid": "2020-06-02T09:42:46",
        "exif_dataeier": "Statens vegvesen",
        "exif_imagetype": "Planar",
        "exif_imagewidth": "2692",
        "exif_gpsposisjon": "srid=4326;POINT Z( 9.8989145750000009 59.763178062499996 51.724 )",
        "exif_fylke": "6",
        "exif_vegkat": "E",
        "exif_vegstat": "V",
        "exif_vegnr": "134",
        "exif_meter": "0",
        "exif_feltkode": "1",
        "exif_filnavn": f"{name}.jpg",
        "exif_reflinkposisjon": "0.58797135",
        "exif_imageproperties": "<ImageProperties><VCRoad>EV134</VCRoad></ImageProperties>",
        "bildeid": name,
        "senterlinjeposisjon": "srid=25833;POINT Z( 202543.853 6626544.517 196.329 )",
        "detekterte_objekter": {"car": "3"},
        "mappenavn": "Vegbilder/2020/Damåsen",
    } | changes


def photo(path: str, record: dict[str, Any] | str | None, status: str = "done", at: datetime = AT) -> dict[str, Any]:
    """A row of `road_photos`."""
    folder = path.rpartition("/")[0]
    needed = {field.name: "x" for field in ROAD_PHOTOS.schema if not field.nullable and str(field.type) == "string"}
    text = record if isinstance(record, str) or record is None else json.dumps(record, indent=4, ensure_ascii=False)
    done = dict.fromkeys(("input_sha256", "output_sha256"), "ab" * 32) | {"output_uri": "o", "original": "kept"}
    return {
        **needed,
        **(done if status == "done" else {"reason": "because"}),
        "source": "City",
        "folder": folder_id_of(folder),
        "photo": path,
        "status": status,
        "record": text,
        "processed_at": at,
    }


def lake_of(folder: Path) -> ParquetWarehouse:
    """A lake whose road photos go into the table VEGBILDER."""
    return ParquetWarehouse(folder, made={"road_photos": ("vegbilder",)})


def publish(
    lake: ParquetWarehouse, folder: str, records: Mapping[str, dict[str, Any] | str], at: datetime = AT
) -> None:
    """Publish the pictures of one folder, all of them done."""
    rows = [photo(f"{folder}/{name}.jpg", one, at=at) for name, one in records.items()]
    lake.publish(ROAD_PHOTOS, Scope("City", folder=folder_id_of(folder)), to_arrow(ROAD_PHOTOS, rows))


def target_of(oracle: Database, layout: TableLayout = VEGBILDER, **settings: Any) -> PhotoTarget:
    """The table, made by us."""
    target = PhotoTarget(oracle.connect, layout, **settings)
    target.create()
    return target


def seen(oracle: Database, table: str = "VEGBILDER") -> dict[str, Any]:
    """Image widths by key."""
    return dict(oracle.ask(f'SELECT "ID", "BILDEBREDDE" FROM "{table}" ORDER BY 1'))
