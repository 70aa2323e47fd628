"""A record while it is made: what the picture holds, what was read of it, and what the maker should know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from wayside.metadata.derived import Values, moment, seconds
from wayside.metadata.exif import Exif
from wayside.metadata.names import COUNTIES, Named, parts_of
from wayside.metadata.options import RecordOptions
from wayside.metadata.redact import compact, pretty, redacted
from wayside.metadata.roadxml import (
    ImageProperties,
    Node,
    Reflink,
    RoadXmlError,
    image_properties,
    number,
    parse_xml,
    reflink,
)

NAMED: Final = {
    "exif_fylke": "county",
    "exif_vegkat": "category",
    "exif_vegstat": "status",
    "exif_vegnr": "road",
    "exif_strekning": "section",
    "exif_delstrekning": "part",
    "exif_ankerpunkt": "anchor",
    "exif_kryssdel": "junction",
    "exif_sideanleggsdel": "side",
    "exif_meter": "metre",
    "exif_feltkode": "lane",
}
"""Keys that a path may fill, and the field of `Named` for each; `hp` is left to the layouts that have it."""

_BOM: Final = "\ufeff"


@dataclass
class Draft:
    """What a record is made of. `values` holds every key that any layout knows.

    Attributes:
        exif: the EXIF block.
        path: path of the picture as the record names it.
        options: how the record is made.
        modified: when the file was changed last.
        values: the record so far.
        warnings: what the reader of the record should know.
    """

    exif: Exif
    path: str
    options: RecordOptions
    modified: datetime | None
    values: Values
    warnings: list[str] = field(default_factory=list)

    @property
    def compat(self) -> bool:
        """Whether the defects of the replaced system are repeated."""
        return self.options.compat

    @property
    def name(self) -> str | None:
        """The picture's own name."""
        parts = parts_of(self.path)
        return parts[-1] if parts else None

    @cached_property
    def properties_root(self) -> Node | None:
        """The root of ImageProperties; None where it is absent or cannot be read."""
        return self._parsed("ImageProperties", self.exif.image_properties)

    @cached_property
    def reflink_root(self) -> Node | None:
        """The root of ReflinkInfo in either form; None where it is absent or cannot be read."""
        return self._parsed("ReflinkInfo", self.exif.reflink)

    @cached_property
    def properties(self) -> ImageProperties | None:
        """The same, read."""
        return image_properties(self.properties_root) if self.properties_root else None

    @cached_property
    def reflink(self) -> Reflink | None:
        """The same, read; what it should have and has not is a warning."""
        if self.reflink_root is None:
            return None
        try:
            found = reflink(self.reflink_root)
        except RoadXmlError as error:
            self.warnings.append(str(error))
            return None
        if found.missing:
            self.warnings.append(f"{found.form} lacks {', '.join(found.missing)}")
        return found

    def set(self, key: str, value: object) -> None:
        """Fill a key, where there is something to fill it with."""
        if value:
            self.values[key] = value

    def fill(self, key: str, value: object) -> None:
        """Fill a key that is empty."""
        if not self.values.get(key):
            self.set(key, value)

    def set_named(self, named: Named, *, only_empty: bool = False) -> None:
        """Fill what a path says; the metre of an earlier source stays."""
        put = self.fill if only_empty else self.set
        for key, attribute in NAMED.items():
            if key != "exif_meter":
                put(key, getattr(named, attribute))
        if named.metre is not None and not self.values["exif_meter"]:
            self.values["exif_meter"] = named.metre

    def set_title(self) -> None:
        """Fill the title of EXIF."""
        self.set("exif_xptitle", self.exif.xp_title_written if self.compat else self.exif.xp_title)

    def county(self, text: str | None) -> str | None:
        """Return the number of a county as the XML has it, if there is such a county."""
        value = number(text)
        if self.compat or value is None:
            return text if self.compat else None
        if value in COUNTIES:
            return str(int(value))
        self.warnings.append(f"there is no county {text}")
        return None

    def set_taken(self, taken: datetime) -> None:
        """Fill moment and date."""
        self.values |= {"exif_tid": seconds(taken), "exif_dato": f"{taken.date()}"}

    def set_taken_text(self, text: str | None) -> bool:
        """Fill moment and date with a text as it is, if it is a moment."""
        taken = moment(text)
        if taken and text:
            self.values |= {"exif_tid": text, "exif_dato": f"{taken.date()}"}
        return taken is not None

    def set_modified(self) -> None:
        """Fill moment and date with the last change of the file, in UTC."""
        if self.modified is not None:
            utc = self.modified.astimezone(UTC) if self.modified.tzinfo else self.modified
            text = utc.replace(tzinfo=None).isoformat(timespec="microseconds")
            self.values |= {"exif_tid": text, "exif_dato": text[:10]}

    def set_xml(self) -> None:
        """Fill both XML texts, without what is personal; what cannot be read cannot be cleaned, and stays out."""
        if self.options.layout == "v1":
            write, start = pretty, ""
        else:
            write, start = compact, _BOM if self.compat else ""
        for key, root in (("exif_imageproperties", self.properties_root), ("exif_reflinkinfo", self.reflink_root)):
            if root is not None:
                self.values[key] = start + write(redacted(root))

    def folder_and_name(self, path: str) -> tuple[str, ...]:
        """Fill folder and file name with those of a path in the XML; return its parts."""
        parts = parts_of(path)
        self.set("exif_filnavn", parts[-1] if parts else None)
        self.set("exif_mappenavn", "/".join(parts[:-1]))
        return parts

    def _parsed(self, what: str, text: str | None) -> Node | None:
        if text is None:
            return None
        try:
            return parse_xml(text)
        except RoadXmlError as error:
            self.warnings.append(f"{what} is left out: {error}")
            return None


def pose(gnss: Mapping[str, str | None]) -> Values:
    """Return attitude and errors of GnssInfo by key, as written."""
    names = ("Roll", "Pitch", "GeoidalSeparation", *(f"{axis}RmsError" for axis in ("North", "East", "Down")))
    names += tuple(f"{axis}RmsError" for axis in ("Roll", "Pitch", "Heading"))
    return {f"exif_{name.lower()}": gnss.get(name) for name in names}
