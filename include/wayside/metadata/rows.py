"""A photo's record becomes a row of a table: texts become numbers, times and points, or nulls with a warning.

A record holds nearly everything as text. A value that cannot be read becomes a null and a warning; where the column
may not be null, or a text is longer than its column, the row has a fault and is not to be sent. The replaced system
took 0 for a missing value, so that the first metre of every road was refused; here 0 is a value (`compat` brings the
old rule back).
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from wayside.metadata.layouts import ColumnLayout, Spatial, TableLayout

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_COORDINATE: Final = r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?|[A-Za-z]+)"
_POSITION: Final = re.compile(
    rf"\s*srid\s*=\s*([0-9]{{1,7}})\s*;\s*POINT\s*Z?\s*\(\s*{_COORDINATE}\s+{_COORDINATE}(?:\s+{_COORDINATE})?\s*\)\s*",
    re.IGNORECASE,
)
_NOTHING: Final = frozenset({"", "nan", "none", "null"})
_LONGEST_NUMBER: Final = 100  # characters
_LONGEST_POSITION: Final = 300
_SURELY_EXACT: Final = 16  # digits
_EXACT: Final = 2**53  # whole numbers below it are exact as doubles
_LARGEST: Final = 1e125  # Oracle's NUMBER ends a little above
# Coordinate systems with heights and the plane ones that they are made of, in EPSG's numbers: UTM 31 to 36 with the
# heights NN2000, ETRS89 and WGS 84 in space.
_PLANE: Final = {**{5970 + zone: 25830 + zone for zone in range(1, 7)}, 4937: 4258, 4979: 4326}
_LANE: Final = re.compile(r"_f[0-9]+")
_SHOWN: Final = 60
_quoted: Final[Callable[[str], str]] = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True)
class Position:
    """A point: x (longitude) and y (latitude) in the units of the coordinate system `srid`, and z, metres, or None."""

    srid: int
    x: float
    y: float
    z: float | None = None

    @property
    def gtype(self) -> int:
        """Oracle's code for a point: 2001 in the plane, 3001 in space."""
        return 2001 if self.z is None else 3001


Value = str | int | float | datetime | Position | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        values: each column's value, by the layout's name of the column, in order. Times are in UTC.
        warnings: what could not be read and is null, or lies outside of the layout's extent.
        faults: why the row cannot be sent; empty if it can.
    """

    values: dict[str, Value]
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


Convert = Callable[[Any], Value]


class RowMaker:
    """Makes rows of one layout.

    Args:
        layout: the table.
        compat: refuse zeros and empty texts where the column may not be null, as the replaced system did.
    """

    def __init__(self, layout: TableLayout, *, compat: bool = False) -> None:
        self.layout = layout
        self.compat = compat
        # Millions of values go through here, so what a column asks for is looked up once.
        self._plan = [
            (c, c.name, (_ALL,) if c.value in _OF_ALL else c.keys, _converter(c), c.nullable, c.length, c.spatial)
            for c in layout.columns
        ]

    def __call__(self, record: Mapping[str, Any]) -> Row:
        """Return the row of a record. Whatever the record holds, nothing is raised."""
        values: dict[str, Value] = {}
        warnings: list[str] = []
        faults: list[str] = []
        for column, name, keys, convert, nullable, length, spatial in self._plan:
            value, said = _value(record, keys, convert)
            if said:
                warnings.append(f"{name}: {said}, so it is null")
            if value is None or (self.compat and not value):
                if not nullable:
                    faults.append(_missing(column, said))
            elif length is not None and isinstance(value, str) and len(value) > length:
                faults.append(f"{name} has {len(value)} characters, and the column holds {length}")
            elif spatial is not None and isinstance(value, Position):
                warnings += [f"{name}: {said}" for said in _outside(value, spatial)]
            values[name] = value
        return Row(values, tuple(warnings), tuple(faults))


def row_of(record: Mapping[str, Any], layout: TableLayout, *, compat: bool = False) -> Row:
    """Return the row that a record makes in a table; for many records, make one `RowMaker`.

    Args:
        record: the record's keys and values; texts, numbers, None, and for objects a mapping.
        layout: the table.
        compat: see `RowMaker`.
    """
    return _maker(layout, compat)(record)


@lru_cache(maxsize=8)
def _maker(layout: TableLayout, compat: bool) -> RowMaker:
    return RowMaker(layout, compat=compat)


def photo_id_of(record: Mapping[str, Any]) -> str | None:
    """Return the record's `bildeid`, or make it of time, file name, image type and lane; None where these lack.

    Records of the first layout have no image type: theirs ends with the file name, and its time has microseconds.
    """
    if found := _text(record.get("bildeid")):
        return found
    taken, name = _text(record.get("exif_tid")), _text(record.get("exif_filnavn"))
    if taken is None or name is None:
        return None
    try:
        time = datetime.fromisoformat(taken)
    except ValueError:
        return None
    stem = _LANE.sub("", name.rsplit(".", 1)[0])
    if "exif_imagetype" not in record:
        return f"{time:%Y-%m-%dT%H.%M.%S.%f}_{stem}"
    parts = (f"{time:%Y-%m-%dT%H.%M.%S}", stem, _text(record["exif_imagetype"]), _text(record.get("exif_feltkode")))
    return "_".join(part for part in parts if part)


def number_of(value: object) -> int | float | None:
    """Return a number as int where it is whole, else as float; None for NaN, `None` and no text.

    Raises:
        ValueError: it is none, or too large to be kept exactly.
    """
    if isinstance(value, str):
        if len(value) < _SURELY_EXACT and value.isdecimal() and value.isascii():
            return int(value)
        text = value.strip()
        if text.lower() in _NOTHING:
            return None
        if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            raise ValueError(f"{_shown(value)} is no number")
        number = float(text)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is no number")
    else:
        number = math.inf if abs(value) >= _LARGEST else float(value)
    if math.isnan(number):
        return None
    if abs(number) >= _LARGEST:
        raise ValueError(f"{_shown(value)} is too large")
    if not number.is_integer():
        return number
    if abs(number) >= _EXACT:
        raise ValueError(f"{_shown(value)} is too large to be kept exactly")
    return int(number)


def position_of(value: object) -> Position | None:
    """Read a position as a record writes it: `srid=4326;POINT Z( 10.5 59.9 66.1 )`, with any spacing.

    Exponents are read, and Z may lack. A height that is no number is left out.

    Returns:
        The position; None where there is none.

    Raises:
        ValueError: it cannot be read, or x or y is NaN.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return None
    text = value if isinstance(value, str) else repr(value)
    found = _POSITION.fullmatch(text) if len(text) <= _LONGEST_POSITION else None
    if not found:
        raise ValueError(f"{_shown(value)} is no position")
    x, y, z = (_coordinate(part) for part in found.groups()[1:])
    if x is None or y is None:
        raise ValueError(f"{_shown(value)} has no place: x or y is no number")
    return Position(int(found[1]), x, y, z)


def _coordinate(text: str | None) -> float | None:
    if text is None or text[-1].isalpha():
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def clean_text(text: str) -> str:
    """Return a text as UTF-8 can hold it: halves of a surrogate pair, which JSON may write, become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def record_json(record: Mapping[str, Any]) -> str:
    """Write a record as its file holds it: as `json.dumps` does with an indent of 4, not reduced to ASCII.

    That encoder is in Python and takes ten times as long as the one in C, which writes the single values here.
    """
    if not record:
        return "{}"
    lines = (f"    {_quoted(str(key))}: {_written(value)}" for key, value in record.items())
    return clean_text("{\n" + ",\n".join(lines) + "\n}")


def _written(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    return json.dumps(value, indent=4, ensure_ascii=False).replace("\n", "\n    ")


def _value(record: Mapping[str, Any], keys: tuple[str, ...], convert: Convert) -> tuple[Value, str]:
    """Return a column's value and an empty text, or None and why: the first key that yields a value counts."""
    said = ""
    for key in keys:
        given = record.get(key) if key else record
        if given is None:
            continue
        try:
            value = convert(given)
        except (ValueError, OverflowError, RecursionError) as error:
            said = str(error)
            continue
        if value is not None:
            return value, ""
    return None, said


def _missing(column: ColumnLayout, said: str) -> str:
    return f"{column.name} may not be null: {said or f'no value in {_either(column)}'}"


def _either(column: ColumnLayout) -> str:
    return " or ".join(column.keys)


def _converter(column: ColumnLayout) -> Convert:
    if column.spatial is not None:
        return _point(column.spatial)
    return _CONVERT[column.value]


def _text(value: object) -> str | None:
    """Return a text as it is; an empty one is a null, as Oracle has it."""
    if isinstance(value, str):
        return (value if value.isascii() else clean_text(value)) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None if value != value else str(value)
    if value is None:
        return None
    raise ValueError(f"{_shown(value)} is no text")


def _json(value: object) -> str | None:
    return clean_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) or None


def _moment(value: object) -> datetime:
    if isinstance(value, str) and len(value) <= _SHOWN:
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise ValueError(f"{_shown(value)} is no time")


def _time(value: object) -> datetime:
    """Return a time in UTC, to the second as `DATE` holds it; one without a zone is taken as UTC."""
    moment = _moment(value).replace(microsecond=0)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _height(value: object) -> int | float | None:
    if isinstance(value, str) and value.lstrip()[:4].lower() == "srid":
        position = position_of(value)
        return None if position is None or position.z is None else number_of(position.z)
    return number_of(value)


def _point(spatial: Spatial) -> Convert:
    plane = spatial.dimension == 2

    def convert(value: object) -> Value:
        position = position_of(value)
        if position is None:
            return None
        srid = _PLANE.get(position.srid, position.srid) if plane else position.srid
        if srid != spatial.srid:
            raise ValueError(f"{_shown(value)} is in the system {position.srid}, and the column in {spatial.srid}")
        if not plane and position.z is None:
            raise ValueError(f"{_shown(value)} has no height, and the column holds points in space")
        return Position(srid, position.x, position.y, None if plane else position.z)

    return convert


def _outside(point: Position, spatial: Spatial) -> Iterator[str]:
    """Say of which axes a point leaves the extent; that is worth a look, but the point stays."""
    for axis, place in zip(spatial.axes, (point.x, point.y, point.z), strict=False):
        if place is not None and not axis.low <= place <= axis.high:
            yield f"{place!r} lies outside of {axis.name} {axis.low:g} to {axis.high:g}"


def _year(value: object) -> int:
    return _moment(value).year


def _shown(value: object) -> str:
    text = clean_text(repr(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_ALL: Final = ""  # in place of a key: the whole record
_OF_ALL: Final = frozenset({"id", "record"})  # made of the whole record
_CONVERT: Final[Mapping[str, Convert]] = {
    "id": photo_id_of,
    "text": _text,
    "number": number_of,
    "time": _time,
    "year": _year,
    "height": _height,
    "record": record_json,
    "json": _json,
}
