"""The rules of version 2: what fills each key of a record, from EXIF, road XML, GPS, path, or the file itself.

Order: ImageProperties, then ReflinkInfo, which wins; without the latter the path of the picture and the GPS directory.
A picture without EXIF is told by its path and the time of its file.
"""

import re
from datetime import datetime
from typing import Final

from wayside.metadata.derived import above_sea, float_text, moment, point, rounded
from wayside.metadata.draft import Draft, pose
from wayside.metadata.exif import Position
from wayside.metadata.names import read_junction, read_parts, read_path, read_section
from wayside.metadata.roadxml import ImageProperties, Reflink, number

_SECTION: Final = re.compile(r"S(\d+)D(\d+)", re.ASCII)


def read_v2(draft: Draft) -> None:
    """Fill the record of a picture by the rules of version 2."""
    if not draft.exif.present:
        without_exif(draft)
        return
    values = draft.values
    values |= {"exif_kvalitet": "2", "exif_camera": draft.exif.camera, "exif_dataeier": draft.options.data_owner}
    set_time(draft)
    if draft.properties:
        _properties(draft, draft.properties)
    if draft.reflink:
        _reflink(draft, draft.reflink)
        complete(draft)
    else:
        from_path(draft)
    draft.set_title()


def without_exif(draft: Draft) -> None:
    """Fill the record of a picture without EXIF: quality 0."""
    draft.values |= {"exif_kvalitet": "0", "exif_filnavn": draft.name}
    if not draft.compat:
        draft.values["exif_dataeier"] = draft.options.data_owner
    draft.warnings.append("there is no EXIF block: path and file time are all that is known")
    draft.set_named(read_path(draft.path, compat=draft.compat))
    _section_of_name(draft, draft.name)
    draft.set_modified()


def from_path(draft: Draft) -> None:
    """Fill the record of a picture without ReflinkInfo: quality 1."""
    draft.values |= {"exif_kvalitet": "1", "exif_filnavn": draft.name}
    draft.set_named(read_path(draft.path, compat=draft.compat))
    if section := read_section(draft.name or ""):
        draft.values |= dict(zip(("exif_strekning", "exif_delstrekning"), section, strict=True))
    if draft.exif.position:
        _gps(draft, draft.exif.position)


def complete(draft: Draft) -> None:
    """Fill name and road from the picture's own path, where no XML names the file; without them it has no key."""
    if draft.compat or draft.values["exif_filnavn"]:
        return
    draft.set("exif_filnavn", draft.name)
    draft.set_named(read_path(draft.path), only_empty=True)
    _section_of_name(draft, draft.name)


def set_time(draft: Draft) -> None:
    """Fill moment and date: DateTimeOriginal, then other times of EXIF, of the XML, of the file."""
    original = draft.exif.taken_original
    taken: datetime | None = original or draft.exif.taken
    if taken is None and draft.properties:
        taken = moment(draft.properties.date)
    if taken is not None:
        draft.set_taken(taken)
    else:
        draft.set_modified()
    if original is None:
        draft.warnings.append("there is no DateTimeOriginal: another time stands for it")


def set_image_info(draft: Draft, info_path: str) -> None:
    """Fill what the path says that a 360° camera stored the picture under."""
    parts = draft.folder_and_name(info_path)
    draft.set_named(read_parts(parts, compat=draft.compat))
    _junction_of_name(draft, parts[-1] if parts else "")


def set_section(draft: Draft, ident: str | None) -> None:
    """Fill section and part from the second word of a road identity, `FV13 S1D1 m14`."""
    words = (ident or "").split()
    found = _SECTION.fullmatch(words[1]) if len(words) > 1 else None
    if found:
        draft.values |= {"exif_strekning": found[1], "exif_delstrekning": found[2]}
        draft.values["exif_strekningreferanse"] = f"S{found[1]}/D{found[2]}"
    elif ident:
        draft.warnings.append(f"the road identity {ident[:60]!r} names no section")


def set_metre(draft: Draft, text: str | None, what: str) -> None:
    """Fill the metre, with two decimals at the most."""
    metre = rounded(text)
    if text and metre is None:
        draft.warnings.append(f"{what} {text[:20]!r} is no number")
    draft.set("exif_meter", metre)


def _properties(draft: Draft, found: ImageProperties) -> None:
    parts = draft.folder_and_name(found.name or "")
    draft.set_named(read_parts(parts, compat=draft.compat))
    if parts:
        _junction_of_name(draft, parts[-1])
        _section_of_name(draft, parts[-1])
    draft.set("exif_fylke", draft.county(found.county))
    set_metre(draft, found.meter, "VCMeter")
    draft.set("exif_basislinje", found.baseline)


def _junction_of_name(draft: Draft, name: str) -> None:
    """What a folder says of a junction does not count: the file name does, even where it says nothing."""
    named = read_junction(name)
    draft.values |= {"exif_ankerpunkt": named.anchor, "exif_kryssdel": named.junction}
    draft.values["exif_sideanleggsdel"] = named.side


def _section_of_name(draft: Draft, name: str | None) -> None:
    """Fill section and part from the file name, where nothing else did; the replaced system did so in one case only."""
    section = None if draft.compat else read_section(name or "")
    if section:
        for key, value in zip(("exif_strekning", "exif_delstrekning"), section, strict=True):
            draft.fill(key, value)


def _reflink(draft: Draft, found: Reflink) -> None:
    draft.set("exif_reflinkid", found.link)
    draft.set("exif_reflinkposisjon", found.position)
    if found.form == "ReflinkInfo":
        return
    draft.set("exif_roadident", found.ident)
    _gnss(draft, found)
    set_section(draft, found.ident)
    if found.image is not None:
        draft.set("exif_roadtype", found.image.get("roadtype"))
        set_metre(draft, found.image.get("meter"), "the metre of ImageInfo")
        if path := found.image.get("StorageFile"):
            set_image_info(draft, path)
        draft.set("exif_fylke", draft.county(found.image.get("fylke")))


def _gnss(draft: Draft, found: Reflink) -> None:
    gnss, compat = found.gnss, draft.compat
    for key, value in pose(gnss).items():
        draft.set(key, value)
    lat, lon, alt = (gnss.get(name) for name in ("Latitude", "Longitude", "Altitude"))
    if compat or number(alt) is not None:
        draft.set("exif_altitude", alt)
    draft.set("exif_moh", above_sea(alt, gnss.get("GeoidalSeparation")))
    speed, heading = number(gnss.get("Speed")), gnss.get("Heading")
    draft.set("exif_speed_ms", None if speed is None else f"{speed:.2f}")
    if compat or number(heading) is not None:
        draft.set("exif_heading", heading)
    if lat or lon or alt:
        draft.set("exif_gpsposisjon", point(lon, lat, alt, compat=compat))
    if not (lat and lon and alt):
        draft.warnings.append("GnssInfo has no whole position")
        if draft.options.image_type == "360":
            draft.values["exif_kvalitet"] = "1"


def _gps(draft: Draft, position: Position) -> None:
    """Fill position, altitude, heading and speed from the GPS directory of EXIF."""
    altitude = position.altitude
    if altitude is not None and position.below_sea and not draft.compat:
        altitude = -altitude
    if position.lat is None or position.lon is None:
        draft.warnings.append("the GPS directory has no position")
    else:
        known = draft.compat and altitude is not None
        draft.set("exif_gpsposisjon", point(position.lon, position.lat, altitude, compat=known))
    draft.set("exif_altitude", float_text(altitude))
    if position.direction is not None:
        draft.values["exif_heading"] = position.direction if draft.compat else str(position.direction)
    if position.speed is not None:
        draft.set("exif_speed_ms", f"{position.speed:.2f}")
