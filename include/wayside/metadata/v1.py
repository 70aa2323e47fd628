"""The rules of version 1, and of the extractor that version 2 kept for old pictures (`old`).

Both read ImageProperties before anything else: the moment with its seven decimals, the recorder's own position, the
name of the stretch, and the parcel (HP) of roads before 2020. Where they gave up with an error, on pictures without
ImageProperties or without any XML, the rules of version 2 fill what can be filled.
"""

import re
from typing import Final

from wayside.metadata.derived import above_sea, moment, point, rounded
from wayside.metadata.draft import Draft, pose
from wayside.metadata.names import Named, name_metre, parts_of, read_junction, read_old_path, read_parts
from wayside.metadata.roadxml import ImageProperties, Reflink, number
from wayside.metadata.v2 import complete, from_path, set_metre, set_section, set_time, without_exif

_ROAD: Final = re.compile(r"([A-ZÆØÅ])([A-ZÆØÅ])0*(\d+)", re.IGNORECASE)
_SECTION: Final = re.compile(r"S(\d+)D(\d+)", re.ASCII)
_REFERENCE: Final = 4


def read_v1(draft: Draft) -> None:
    """Fill the record of a picture by the rules of version 1."""
    if not draft.exif.present:
        draft.values |= {"exif_kvalitet": "0", "exif_filnavn": draft.name}
        draft.warnings.append("there is no EXIF block: path and file time are all that is known")
        named = read_old_path(draft.path)
        draft.set_named(named)
        draft.set("exif_hp", named.hp)
        draft.set_modified()
    elif draft.properties:
        _properties(draft, draft.properties, old=False)
        if draft.reflink:
            _reflink_v1(draft, draft.reflink)
    else:
        draft.warnings.append("there is no ImageProperties, which version 1 demands: other sources stand for it")
        _without_properties(draft)
    draft.set_title()


def read_old(draft: Draft) -> None:
    """Fill the record of a picture by the rules for old pictures."""
    if not draft.exif.present:
        named = read_old_path(draft.path)
        if named.hp:
            draft.values |= {"exif_hp": named.hp, "exif_meter": named.metre}
        without_exif(draft)
    else:
        draft.values |= {"exif_camera": draft.exif.camera, "exif_dataeier": draft.options.data_owner}
        if draft.properties:
            _properties(draft, draft.properties, old=True)
            if draft.reflink:
                _reflink_old(draft, draft.reflink)
        else:
            _without_properties(draft)
    draft.set_title()
    _old_ident(draft)


def _without_properties(draft: Draft) -> None:
    """Fill what ReflinkInfo says, and the picture's path where that names no file."""
    set_time(draft)
    if draft.reflink:
        draft.values["exif_kvalitet"] = "2"
        _reflink_old(draft, draft.reflink)
        complete(draft)
        draft.values["exif_speed"] = draft.reflink.gnss.get("Speed")
    else:
        from_path(draft)
        draft.values["exif_speed"] = draft.values["exif_speed_ms"]


def _properties(draft: Draft, found: ImageProperties, *, old: bool) -> None:
    """Fill what ImageProperties says: verbatim for version 1, rounded to two decimals for old pictures."""
    if not draft.set_taken_text(found.date):
        set_time(draft)
    parts = draft.folder_and_name(found.name or draft.path)
    name = parts[-1] if parts else ""
    compat = draft.compat
    values = draft.values
    values["exif_speed"] = found.speed if number(found.speed) is not None else None
    draft.set("exif_speed_ms", rounded(found.speed))
    if number(found.heading) is not None:
        draft.set("exif_heading", found.heading)
    draft.set("exif_strekningsnavn", found.area)
    _set_road(draft, found, read_parts(parts, compat=compat))
    _set_section(draft, found, name)
    if old:
        set_metre(draft, found.meter, "VCMeter")
        draft.set("exif_feltkode", found.lane_name or read_parts(parts[-1:], compat=compat).lane)
        draft.set("exif_basislinje", found.baseline)
    else:
        draft.set("exif_meter", found.meter if number(found.meter) is not None else None)
        draft.set("exif_feltkode", found.lane)
    if len(parts) >= _REFERENCE:
        draft.set("exif_strekningreferanse", "/".join(parts[-_REFERENCE:-2]))
    _set_place(draft, found)


def _set_place(draft: Draft, found: ImageProperties) -> None:
    """Fill the recorder's position; it decides the quality."""
    whole = bool(found.lat and found.lon and found.alt)
    place = point(found.lon, found.lat, found.alt, compat=False) if whole else None
    draft.set("exif_gpsposisjon", place)
    draft.set("exif_altitude", found.alt if place and number(found.alt) is not None else None)
    draft.values["exif_kvalitet"] = "2" if place else "1"


def _set_road(draft: Draft, found: ImageProperties, named: Named) -> None:
    draft.set("exif_fylke", draft.county(found.county) or named.county)
    road = _ROAD.fullmatch(found.road or "")
    category, status, number_ = road.groups() if road else (named.category, named.status, named.road)
    draft.set("exif_vegkat", category)
    draft.set("exif_vegstat", status)
    draft.set("exif_vegnr", number_)


def _set_section(draft: Draft, found: ImageProperties, name: str) -> None:
    """Fill section and part, or the parcel; a junction in the file name wins."""
    if section := _SECTION.fullmatch(found.hp or ""):
        draft.values |= {"exif_strekning": section[1], "exif_delstrekning": section[2]}
    elif found.hp:
        draft.set("exif_hp", found.hp.lstrip("0"))
    junction = read_junction(name)
    if junction.section:
        draft.values["exif_hp"] = None
        draft.set_named(junction)


def _reflink_v1(draft: Draft, found: Reflink) -> None:
    draft.set("exif_reflinkid", found.link)
    draft.set("exif_reflinkposisjon", found.position)
    draft.set("exif_roadident", found.ident)
    for key, value in pose(found.gnss).items():
        draft.set(key, value)


def _reflink_old(draft: Draft, found: Reflink) -> None:
    """Fill what is empty yet, but for the metre and the link itself."""
    _reflink_v1(draft, found)
    if found.form == "ReflinkInfo":
        return
    gnss, compat = found.gnss, draft.compat
    lat, lon, alt = (gnss.get(name) for name in ("Latitude", "Longitude", "Altitude"))
    if not draft.values.get("exif_altitude") and (compat or number(alt) is not None):
        draft.set("exif_altitude", alt)
        draft.set("exif_moh", above_sea(alt, gnss.get("GeoidalSeparation")))
    draft.fill("exif_speed_ms", rounded(gnss.get("Speed")))
    draft.fill("exif_heading", gnss.get("Heading") if number(gnss.get("Heading")) is not None else None)
    if not draft.values.get("exif_gpsposisjon"):
        whole = bool(lat and lon and alt)
        draft.set("exif_gpsposisjon", point(lon, lat, alt, compat=compat) if lat or lon or alt else None)
        draft.values["exif_kvalitet"] = "2" if whole else "1"
    if not (draft.values.get("exif_strekning") or draft.values.get("exif_hp")):
        set_section(draft, found.ident)
    if found.image is not None:
        _image_info(draft, found)


def _image_info(draft: Draft, found: Reflink) -> None:
    info = found.image or {}
    set_metre(draft, info.get("meter"), "the metre of ImageInfo")
    draft.fill("exif_fylke", draft.county(info.get("fylke")))
    draft.fill("exif_roadtype", info.get("roadtype"))
    parts = parts_of(info.get("StorageFile") or "")
    draft.fill("exif_filnavn", parts[-1] if parts else None)
    draft.fill("exif_mappenavn", "/".join(parts[:-1]))
    draft.set_named(read_parts(parts, compat=draft.compat), only_empty=True)


def _old_ident(draft: Draft) -> None:
    """Fill the identity of a road of its day: road, parcel, metre, lane, `EV134 5 3192 1`."""
    values = draft.values
    road = [values.get(f"exif_{part}") for part in ("vegkat", "vegstat", "vegnr")]
    taken = moment(values.get("exif_tid"))
    if values.get("exif_roadident") or taken is None or not all(road):
        return
    parcel, lane = values.get("exif_hp"), values.get("exif_feltkode")
    metre = name_metre(str(values.get("exif_filnavn") or ""))
    if draft.compat or (parcel and metre and lane):
        values["exif_roadident"] = f"{''.join(map(str, road))} {parcel} {metre} {lane}"
