"""Values of a record that are made of others: key, position, height, folder, road identity, counts of objects.

Formats are those of the replaced system, since its database and its readers depend on them. Where it wrote the text
`None` for what it did not know, `compat` writes it too; else the part, or the whole value, is left out.
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from wayside.metadata.names import below, stem_of
from wayside.metadata.options import RecordOptions
from wayside.metadata.roadxml import number

Values = dict[str, object]

OBJECTS: Final = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
"""COCO ids of the classes that the replaced system counted, in the order in which it wrote them."""

_LANE_IN_NAME: Final = re.compile(r"_f\d+", re.ASCII)
_PLANAR: Final = re.compile(r"(^|/)(\d{4})/planar(?=/|$)", re.IGNORECASE | re.ASCII)
_HIGHEST: Final = 1e5
_POINT: Final = re.compile(r"srid=4326;POINT Z\( ?(\S+) (\S+) ([^\s)]+) ?\)")


def seconds(moment: datetime) -> str:
    """Return a moment as `exif_tid` has it, `2020-06-02T09:42:46`."""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def moment(text: object) -> datetime | None:
    """Return the moment of an `exif_tid`, of which six decimals count; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def rounded(text: str | None) -> str | None:
    """Return a number as text with two decimals at the most, `10917.94`, `3212.9`; None where it is none."""
    value = number(text)
    return None if value is None else str(round(value, 2))


def point(lon: str | float | None, lat: str | float | None, alt: str | float | None, *, compat: bool) -> str | None:
    """Return `srid=4326;POINT Z( lon lat alt )` with the digits as they are.

    Without a latitude or a longitude within range there is no point. A point without an altitude has `NaN`, which
    the readers of the records know.
    """
    if compat:
        return f"srid=4326;POINT Z( {lon} {lat} {alt} )"
    east, north = number(str(lon)), number(str(lat))
    if east is None or north is None or abs(east) > 180 or abs(north) > 90:
        return None
    height = number(str(alt))
    height_text = "NaN" if height is None or abs(height) > _HIGHEST else _digits(str(alt), height)
    return f"srid=4326;POINT Z( {_digits(str(lon), east)} {_digits(str(lat), north)} {height_text} )"


def point_of(text: object) -> tuple[float, float, float | None] | None:
    """Return longitude, latitude and altitude of an `exif_gpsposisjon`; None where it is none."""
    found = _POINT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    lon, lat, alt = (number(part) for part in found.groups())
    return None if lon is None or lat is None else (lon, lat, alt)


def above_sea(altitude: str | None, separation: str | None) -> str | None:
    """Return the height above the sea (`exif_moh`): altitude less the geoid's height there, in metres."""
    high, geoid = number(altitude), number(separation)
    return None if high is None or geoid is None else str(high - geoid)


def photo_id(values: Values, options: RecordOptions) -> str | None:
    """Return the record's key (`bildeid`): moment, file name without its lane, and but for v1 image type and lane."""
    taken, name = moment(values.get("exif_tid")), values.get("exif_filnavn")
    if taken is None or not isinstance(name, str):
        return None
    plain = _LANE_IN_NAME.sub("", stem_of(name))
    taken = taken.replace(tzinfo=None)
    if options.layout == "v1":
        return f"{taken:%Y-%m-%dT%H.%M.%S.%f}_{plain}"
    parts = [f"{taken:%Y-%m-%dT%H.%M.%S}", plain, options.image_type, _said(values.get("exif_feltkode"), options)]
    return "_".join(part for part in parts if part)


def folder(values: Values, path: str, options: RecordOptions) -> tuple[str, str | None]:
    """Return the folder as the record names it (`mappenavn`), and a warning where `top_dir` is not in the path."""
    relative = below(path, options.top_dir)
    taken = moment(values.get("exif_tid"))
    known = {
        name: _said(values.get(f"exif_{name}"), options)
        for name in ("vegkat", "vegstat", "vegnr", "hp", "meter", "feltkode", "strekningreferanse")
    }
    known |= {"relative_input_dir": relative or "", "fylke": _said(values.get("exif_fylke"), options).zfill(2)}
    known |= {"aar": f"{taken:%Y}", "maaned": f"{taken:%m}", "dag": f"{taken:%d}"} if taken else {}
    made = options.folder(known)
    if options.remove_image_type:
        made = _PLANAR.sub(r"\1\2", made)
    warned = relative is None and "{relative_input_dir}" in options.folder_template
    return made, f"{options.top_dir!r} is no folder of the picture's path" if warned else None


def road_ident(values: Values, *, compat: bool) -> str | None:
    """Return a road identity: `EV6 S12D3 M01500 KD2 m35`; without the parts that are not known.

    None where the road itself is not known.
    """
    category, status, road, section, part, metre = (
        values.get(f"exif_{name}") for name in ("vegkat", "vegstat", "vegnr", "strekning", "delstrekning", "meter")
    )
    pieces = [f"{category}{status}{road}"] if compat or (category and status and road) else []
    if compat or (section and part):
        pieces.append(f"S{section}D{part}")
    for key, mark in (("exif_ankerpunkt", "M"), ("exif_kryssdel", "KD"), ("exif_sideanleggsdel", "AD")):
        if values.get(key):
            pieces.append(f"{mark}{values[key]}")
    if compat or metre:
        pieces.append(f"m{metre}")
    return " ".join(pieces) if compat or (len(pieces) > 1 and category and status and road) else None


def objects_text(counts: Mapping[str, int]) -> dict[str, str]:
    """Return counts as `detekterte_objekter` has them: texts, in the order of COCO's ids.

    Its readers know six classes, so faces and plates are left out.
    """
    return {name: str(counts[name]) for name in OBJECTS if counts.get(name, 0) > 0}


def version_text(application: str, configured: date | None) -> str:
    """Return the version of the replaced system: `P0.2_K20200616`, application and day of the configuration."""
    return f"P{application}" + (f"_K{configured:%Y%m%d}" if configured else "")


def float_text(value: float | None) -> str | None:
    """Return a number as the replaced system wrote it; None stays, and so does what is not finite."""
    return None if value is None or not math.isfinite(value) else str(value)


def _digits(text: str, value: float) -> str:
    """Return the digits as they are; one with an exponent, which the readers of points do not know, is written out."""
    return f"{value:.15f}".rstrip("0").rstrip(".") if "e" in text.lower() else text


def _said(value: object, options: RecordOptions) -> str:
    """Return a value as a part of another; `None` as text only where the replaced system is repeated."""
    if value is None:
        return "None" if options.compat else ""
    return str(value)
