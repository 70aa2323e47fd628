r"""The record of a road photo: everything that is known of it, by the keys of the replaced system's JSON.

    record = extract(data, r"Z:\tilSladding\2020\FV00013\S1\D1\F1_2020_06_02\FV00013_S1D1_m00014_f1.jpg",
                     RecordOptions(data_owner="Statens vegvesen", county=46))
    record.to_json()

Drivers, registration numbers and remarks are hidden in every record, whatever the options. `docs/ROAD-PHOTOS.md` says
where records differ from those of the replaced system, and why.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from wayside.metadata.derived import Values, folder, moment, objects_text, photo_id, point_of, road_ident
from wayside.metadata.draft import Draft
from wayside.metadata.exif import Exif, read_exif
from wayside.metadata.keys import KEYS_V2, PREVIEW, keys_of
from wayside.metadata.options import RecordOptions
from wayside.metadata.redact import Names, names_in
from wayside.metadata.v1 import read_old, read_v1
from wayside.metadata.v2 import read_v2
from wayside.vision.headers import read_header

__all__ = ["PhotoRecord", "RecordOptions", "extract"]

_READERS: Final = {"v2": read_v2, "v1": read_v1, "old": read_old}
_TURNED: Final = 5
_XML: Final = frozenset({"exif_imageproperties", "exif_reflinkinfo"})


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A finished record.

    Attributes:
        values: key -> text or None, in the order of the layout; `detekterte_objekter` holds texts by class, and the
            heading of a record that repeats the replaced system may be a number.
        warnings: what its reader should know, for people.
    """

    values: Mapping[str, object]
    warnings: tuple[str, ...] = ()

    @property
    def quality(self) -> str | None:
        """`2`: EXIF and a place on the road network; `1`: EXIF; `0`: neither."""
        return self._text("exif_kvalitet")

    @property
    def photo_id(self) -> str | None:
        """The record's key (`bildeid`); None where moment or file name is not known."""
        return self._text("bildeid")

    @property
    def road(self) -> str | None:
        """The road identity (`exif_roadident`)."""
        return self._text("exif_roadident")

    @property
    def taken_at(self) -> datetime | None:
        """The moment of the picture; one without a zone is read as UTC."""
        taken = moment(self.values.get("exif_tid"))
        return None if taken is None else taken.astimezone(UTC) if taken.tzinfo else taken.replace(tzinfo=UTC)

    @property
    def position(self) -> tuple[float, float, float | None] | None:
        """Longitude and latitude in degrees (WGS 84), altitude in metres."""
        return point_of(self.values.get("exif_gpsposisjon"))

    def to_json(self) -> str:
        """Return the record as the replaced system wrote it: four blanks of indent, letters as they are."""
        return json.dumps(self.values, indent=4, ensure_ascii=False)

    def with_results(self, objects: Mapping[str, int] | None, preview_name: str | None) -> "PhotoRecord":
        """Return the record with what became of the picture.

        Args:
            objects: hidden objects by class; None where none were looked for. Faces and plates are not told.
            preview_name: file name of the preview; None where there is none. Layout v1 has no place for it.
        """
        values = dict(self.values)
        values["detekterte_objekter"] = None if objects is None else objects_text(objects)
        if PREVIEW in values:
            values[PREVIEW] = preview_name
        return replace(self, values=values)

    def _text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None


def extract(
    data: bytes, path: str, options: RecordOptions | None = None, modified: datetime | None = None
) -> PhotoRecord:
    """Make the record of a picture.

    Args:
        data: bytes of the picture; EXIF is read of a JPEG.
        path: where the picture lies, or should be said to lie; its folders and name are read, nothing is opened.
        options: how the record is made.
        modified: when the file was changed last; the moment of a picture that tells none.

    Returns:
        The record. What an odd file lacks is None, and a warning says so.

    Raises:
        ImageError: the bytes are no picture, see `vision.headers.read_header`.
    """
    chosen = options or RecordOptions()
    header = read_header(data)
    exif = read_exif(data)
    draft = Draft(exif, path, chosen, modified, _template(chosen))
    draft.warnings += exif.faults
    width, height = _size(header.width, header.height, exif, chosen)
    draft.values |= {"exif_imagewidth": str(width), "exif_imageheight": str(height)}
    _READERS[chosen.layout](draft)
    draft.set_xml()
    _derive(draft)
    return PhotoRecord(_public(draft), tuple(dict.fromkeys(draft.warnings)))


def _template(options: RecordOptions) -> Values:
    values: Values = dict.fromkeys((*KEYS_V2, "exif_speed"))
    return values | {
        "exif_imagetype": options.image_type,
        "exif_roadtype": "Ukjent",
        "versjon": options.version or None,
    }


def _size(width: int, height: int, exif: Exif, options: RecordOptions) -> tuple[int, int]:
    """Return the size of the upright picture; the replaced system gave that of the stored one."""
    return (height, width) if options.compat and exif.orientation >= _TURNED else (width, height)


def _derive(draft: Draft) -> None:
    """Fill what is made of other values."""
    values, options = draft.values, draft.options
    county = None if options.county is None else str(options.county)
    if options.force_county and county:
        values["exif_fylke"] = county
    else:
        draft.fill("exif_fylke", county or ("None" if options.compat and options.layout != "v1" else None))
    if options.layout != "v1":
        draft.fill("exif_roadident", road_ident(values, compat=options.compat))
    values["bildeid"] = photo_id(values, options)
    values["mappenavn"], warning = folder(values, draft.path, options)
    if warning:
        draft.warnings.append(warning)


def _public(draft: Draft) -> dict[str, object]:
    """Return the values of the layout in order, with names and registration numbers hidden wherever they stand."""
    names = Names((*names_in(draft.properties_root), *names_in(draft.reflink_root)))
    found: dict[str, object] = {}
    for key in keys_of(draft.options.layout):
        value = draft.values[key]
        found[key] = names.hidden(value) if isinstance(value, str) and key not in _XML else value
    return found
