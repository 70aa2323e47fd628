"""Layouts: which column of a road authority's own table is made of which key of a photo's record, and how.

A layout is a YAML file that a user edits or adds (`include/config/photo_tables`). Everything in it ends up in
statements, so every name is checked here and nothing else is taken for one. Table definitions of the replaced system
(`pk_column`, `dtype`, `formatter`, `extra`, `spatial_metadata`) are read as well, and turned into layouts.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from wayside.core.errors import ConfigError
from wayside.core.yamlfile import read_yaml

Kind = Literal["id", "text", "number", "time", "year", "point", "height", "record", "json"]
# One word of SQL, shorter than Oracle's 128 by what names of indexes, staging tables and batches add to it.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,49}")
_TYPE: Final = re.compile(r"VARCHAR2?\(([1-9][0-9]{0,3})\)|NUMBER|DATE|CLOB|SDO_GEOMETRY")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MOST_CHARACTERS: Final = 4000
_KINDS_OF: Final[dict[str, frozenset[str]]] = {
    "VARCHAR": frozenset({"text", "id", "json"}),
    "CLOB": frozenset({"text", "record", "json"}),
    "NUMBER": frozenset({"number", "year", "height"}),
    "DATE": frozenset({"time"}),
    "SDO_GEOMETRY": frozenset({"point"}),
}
_RESERVED: Final = ("WAYSIDE_", "SDO_", "MDSYS")
Name = Annotated[str, StringConstraints(min_length=1, max_length=50)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Axis(_Strict):
    """One axis of a column of points, as `USER_SDO_GEOM_METADATA` keeps it.

    Attributes:
        name: `Longitude`, `X`.
        low: least value, in the units of the coordinate system.
        high: greatest value.
        tolerance: how far apart two points have to be to count as two.
    """

    name: Name
    low: float
    high: float
    tolerance: float = Field(gt=0)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return _checked(value, "axis")

    @model_validator(mode="after")
    def _has_an_extent(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"axis {self.name} goes from {self.low} to {self.high}: `low` has to be below `high`")
        return self


class Spatial(_Strict):
    """The coordinate system of a column of points, and how far it reaches: two axes or three.

    Attributes:
        srid: EPSG number of the coordinate system.
        axes: x (longitude) first.
    """

    srid: int = Field(gt=0, le=9_999_999)
    axes: tuple[Axis, ...] = Field(min_length=2, max_length=3)

    @property
    def dimension(self) -> int:
        """How many coordinates a point has: 2 or 3."""
        return len(self.axes)


class ColumnLayout(_Strict):
    """One column.

    Attributes:
        name: its name; Oracle keeps it in capitals.
        type: `VARCHAR(n)` in characters, `NUMBER`, `DATE`, `CLOB` or `SDO_GEOMETRY`.
        nullable: whether it may be null. A picture without a value for one that may not is refused, with a reason.
        keys: keys of the record; the first that has a value counts. In YAML `from`, one key or a list.
        value: how the value is made of it, in YAML `as`: `id` (the key, made anew where the record has none), `text`,
            `number`, `time`, `year`, `point`, `height` (the third number of a position, or a number), `json` (what
            the key holds, as JSON), `record` (the whole record, as JSON).
        spatial: of a column of points.
    """

    name: Name
    type: str
    nullable: bool = True
    keys: tuple[str, ...] = Field((), alias="from")
    value: Kind = Field("text", alias="as")
    spatial: Spatial | None = None

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return _checked(value, "column")

    @field_validator("keys", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        found = _TYPE.fullmatch(self.type)
        if not found or (self.length or 0) > _MOST_CHARACTERS:
            raise ValueError(
                f"column {self.name} has the type {self.type!r}: give VARCHAR(n) with n up to {_MOST_CHARACTERS}, "
                "NUMBER, DATE, CLOB or SDO_GEOMETRY"
            )
        if self.value not in _KINDS_OF[self.family]:
            raise ValueError(f"column {self.name}: `as: {self.value}` makes no {self.type}")
        if bad := [key for key in self.keys if not _KEY.fullmatch(key)]:
            raise ValueError(f"column {self.name}: {bad[0]!r} is no key of a record")
        if not self.keys and self.value != "record":
            raise ValueError(f"column {self.name}: `from` has to name a key of the record")
        if (self.spatial is None) == (self.family == "SDO_GEOMETRY"):
            raise ValueError(f"column {self.name}: `spatial` belongs to columns of SDO_GEOMETRY, and each has one")
        return self

    @property
    def family(self) -> str:
        """The type without its length: `VARCHAR`, `NUMBER`, `DATE`, `CLOB` or `SDO_GEOMETRY`."""
        return "VARCHAR" if self.type.startswith("VARCHAR") else self.type

    @property
    def length(self) -> int | None:
        """Characters that a `VARCHAR` holds, None for other types."""
        found = _TYPE.fullmatch(self.type)
        return int(found[1]) if found and found[1] else None


class TableLayout(_Strict):
    """A table of one row for each photo.

    Attributes:
        name: the table's name; Oracle keeps it in capitals.
        key: the column by which a row is found and replaced.
        columns: its columns, in order.
    """

    name: Name
    key: Name
    columns: tuple[ColumnLayout, ...] = Field(min_length=1, max_length=900)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if _checked(value, "table").upper().startswith(_RESERVED):
            raise ValueError(f"{value!r} is a name of ours or of Oracle's: call the table something else")
        return value

    @model_validator(mode="after")
    def _joins_up(self) -> Self:
        names = [column.name.upper() for column in self.columns]
        parts = {f"{c.name}_{axis}".upper() for c in self.columns if c.spatial for axis in "xyz"[: c.spatial.dimension]}
        if doubled := sorted({name for name in names if names.count(name) > 1} | parts & set(names)):
            raise ValueError(f"column {doubled[0]} is there twice")
        keyed = [column for column in self.columns if column.name.upper() == self.key.upper()]
        if not keyed:
            raise ValueError(f"the key {self.key} is none of the columns")
        if keyed[0].family != "VARCHAR" or (keyed[0].length or 0) > _LONGEST_KEY:
            raise ValueError(f"the key {self.key} has to be a VARCHAR of at most {_LONGEST_KEY} characters")
        return self

    @property
    def key_column(self) -> ColumnLayout:
        """The column of the key."""
        return next(column for column in self.columns if column.name.upper() == self.key.upper())


_LONGEST_KEY: Final = 1000  # characters: four bytes each have to fit into a block of an index


def load_layout(which: str, folder: Path) -> TableLayout:
    """Read a layout by its name (`vegbilder`) out of `folder`, or by the path of a YAML file.

    Raises:
        ConfigError: there is none, or it is wrong; the message says where.
    """
    path = Path(which)
    if path.suffix not in {".yaml", ".yml"}:
        path = folder / f"{which}.yaml"
        if not _KEY.fullmatch(which) or not path.is_file():
            known = ", ".join(layout_names(folder)) or "none"
            raise ConfigError(f"there is no layout {which!r}; there are {known}, or give the path of a YAML file")
        if (found := read_layout(path)).name.lower() != which.lower():
            raise ConfigError(f"{path} is the layout of {found.name}: call the file {found.name.lower()}.yaml")
        return found
    return read_layout(path)


def layout_names(folder: Path) -> list[str]:
    """List the layouts in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_layout(path: Path) -> TableLayout:
    """Read one file: a layout of ours, or a table definition of the replaced system, named by its file."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no layout: `name`, `key` and `columns` are needed")
    try:
        if "pk_column" in document:
            return convert(document, path.stem)
        return TableLayout.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path} is wrong: {_faults(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{path} is wrong: {error}") from error


def _faults(error: ValidationError) -> str:
    return "; ".join(
        ".".join(map(str, fault["loc"])) + (": " if fault["loc"] else "") + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors()
    )


def _checked(value: str, kind: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot name a {kind}: letters, digits, '_', '$' and '#', starting with a letter, at most 50"
        )
    return value


# The replaced system's names of conversions, and what they are here. Others are called as their column's key.
_FORMATTERS: Final[Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    "ID": ("id", ("bildeid",)),
    "Tidspunkt": ("time", ("exif_tid",)),
    "Aar": ("year", ("exif_tid",)),
    "Posisjon_2d": ("point", ("exif_gpsposisjon",)),
    "Posisjon_3d": ("point", ("exif_gpsposisjon",)),
    "Hoyde": ("height", ("exif_gpsposisjon", "exif_altitude")),
    "SenterlinjePosisjon_2d": ("point", ("senterlinjeposisjon",)),
    "SenterlinjePosisjon_3d": ("point", ("senterlinjeposisjon",)),
    "SenterlinjeHoyde": ("height", ("senterlinjeposisjon",)),
    "JsonData": ("record", ()),
    "DetekterteObjekter": ("json", ("detekterte_objekter",)),
    "Mappenavn": ("text", ("mappenavn",)),
    "Versjon": ("text", ("versjon",)),
    "ReflinkID": ("number", ("exif_reflinkid", "veglenkeid")),
    "ReflinkPosisjon": ("number", ("exif_reflinkposisjon", "veglenkepos")),
    **{
        name: ("text", (f"exif_{key}",))
        for name, key in {
            "Dataeier": "dataeier", "Kamera": "camera", "Bildetype": "imagetype", "Strekningsnavn": "strekningsnavn",
            "Strekningsreferanse": "strekningreferanse", "Vegkategori": "vegkat", "Vegstatus": "vegstat",
            "Vegtype": "roadtype", "Baselineinfo": "basislinje", "Filnavn": "filnavn", "Feltkode": "feltkode",
            "PreviewFilnavn": "preview_filnavn", "VegIdentitet": "roadident", "XpTitle": "xptitle",
        }.items()
    },
    **{
        name: ("number", (f"exif_{key}",))
        for name, key in {
            "Bildebredde": "imagewidth", "Bildehoyde": "imageheight", "Moh": "moh", "Retning": "heading",
            "FylkeNummer": "fylke", "Vegnummer": "vegnr", "HP": "hp", "Strekning": "strekning",
            "Delstrekning": "delstrekning", "Ankerpunkt": "ankerpunkt", "Kryssdel": "kryssdel",
            "Sideanleggsdel": "sideanleggsdel", "Meter": "meter", "Hastighet": "speed_ms",
            "ExifKvalitet": "kvalitet", "Roll": "roll", "Pitch": "pitch", "Geoidalseparation": "geoidalseparation",
            "Northrmserror": "northrmserror", "Eastrmserror": "eastrmserror", "Downrmserror": "downrmserror",
            "Rollrmserror": "rollrmserror", "Pitchrmserror": "pitchrmserror", "Headingrmserror": "headingrmserror",
        }.items()
    },
}  # fmt: skip


def convert(document: Mapping[str, Any], name: str) -> TableLayout:
    """Turn a table definition of the replaced system into a layout.

    Args:
        document: `pk_column` and `columns`, each with `name`, `dtype`, `formatter`, `extra` and, for a point,
            `spatial_metadata` with `dimension`, `srid` and `dim_elements`.
        name: of the table; there it was the name of the file.

    Raises:
        ConfigError: something is missing, or a formatter is not known.
    """
    try:
        columns = [_converted(column) for column in document["columns"]]
        return TableLayout.model_validate({"name": name, "key": document["pk_column"], "columns": columns})
    except ValidationError as error:
        raise ConfigError(_faults(error)) from error
    except KeyError as error:
        raise ConfigError(f"the key {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"`columns` has to be a list of columns with their fields ({error})") from error


def _converted(column: Mapping[str, Any]) -> dict[str, Any]:
    formatter = column.get("formatter") or column["name"]
    known = {name.lower(): found for name, found in _FORMATTERS.items()}.get(str(formatter).lower())
    if known is None:
        raise ConfigError(f"column {column['name']}: the formatter {formatter!r} is not known")
    kind, keys = known
    extra = " ".join(str(column.get("extra") or "").upper().split())
    done = {
        "name": column["name"],
        "type": str(column["dtype"]).upper().replace(" ", ""),
        "nullable": "NOT NULL" not in extra and "PRIMARY KEY" not in extra,
        "from": keys,
        "as": kind,
    }
    if spatial := column.get("spatial_metadata"):
        axes = [
            {"name": one["name"], "low": one["min"], "high": one["max"], "tolerance": one["tol"]}
            for one in spatial["dim_elements"]
        ]
        if len(axes) != spatial["dimension"]:
            raise ConfigError(f"column {column['name']} has {spatial['dimension']} dimensions and {len(axes)} elements")
        done["spatial"] = {"srid": spatial["srid"], "axes": axes}
    return done


def to_yaml(layout: TableLayout) -> str:
    """Write a layout as the YAML that `read_layout` reads, one column a line."""
    lines = [f"name: {layout.name}", f"key: {layout.key}", "columns:"]
    for column in layout.columns:
        document = column.model_dump(by_alias=True, exclude_defaults=True, mode="json")
        document["from"] = _plain(column.keys)
        if not column.keys:
            del document["from"]
        lines.append(f"  - {yaml.safe_dump(document, default_flow_style=True, sort_keys=False, width=10_000).strip()}")
    return "\n".join(lines) + "\n"


def _plain(keys: Sequence[str]) -> str | list[str]:
    return keys[0] if len(keys) == 1 else list(keys)
