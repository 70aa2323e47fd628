"""What the row of a picture in `road_photos` takes from its record."""

from datetime import UTC
from typing import Any

from wayside.metadata.derived import moment, point_of
from wayside.metadata.record import PhotoRecord


def columns_of(record: PhotoRecord) -> dict[str, Any]:
    """Return key, time, place, road and quality of a record; null where it does not tell them."""
    taken = moment(record.values.get("exif_tid"))
    place = point_of(record.values.get("exif_gpsposisjon"))
    return {
        "photo_id": record.photo_id,
        "taken_at": None if taken is None else _utc(taken),
        "lon": place[0] if place else None,
        "lat": place[1] if place else None,
        "road": record.values.get("exif_roadident"),
        "quality": record.quality,
    }


def _utc(taken: Any) -> str:
    """Return a time as text; the record's local time counts as UTC where it has no zone."""
    aware = taken if taken.tzinfo else taken.replace(tzinfo=UTC)
    return str(aware.astimezone(UTC).isoformat())
