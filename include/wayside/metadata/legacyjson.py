r"""Records that the replaced system left behind as JSON files: read, put right, and freed of people's names.

What is put right, and nothing else:

* Backslashes that were not escaped (`"C:\DATA\x"`). A text that is valid JSON means what JSON says. One that is not
  came from a writer that did not escape, so in it a backslash of a Windows path stands for itself, and so does one that
  begins no escape; `\n`, `\"` and their like elsewhere stay escapes.
* Decimal commas, in the fields that hold numbers, and in positions.
* Coordinates in the wrong order, where the caller says that they are.
* Driver, registration number and comments in the road authority's XML: that system kept them, here they go. An XML text
  that cannot be read cannot be cleaned and is left out, as it is of a new record.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wayside.core.errors import ReasonedError
from wayside.metadata.redact import Names, compact, names_in, pretty, redacted
from wayside.metadata.roadxml import Node, RoadXmlError, parse_xml

MAX_BYTES: Final = 4 * 2**20
_MAX_KEYS: Final = 1_000
_XML: Final = ("exif_imageproperties", "exif_reflinkinfo")
_PRETTY: Final = '<?xml version="1.0" ?>'  # how the first version of that system began; its XML has lines
_POSITIONS: Final = ("exif_gpsposisjon", "senterlinjeposisjon")
# The fields that hold one number each; a comma in any other text is a comma.
NUMBERS: Final = (
    "exif_imagewidth", "exif_imageheight", "exif_speed_ms", "exif_speed", "exif_heading", "exif_altitude", "exif_moh",
    "exif_fylke", "exif_vegnr", "exif_hp", "exif_strekning", "exif_delstrekning", "exif_ankerpunkt", "exif_kryssdel",
    "exif_sideanleggsdel", "exif_meter", "exif_reflinkid", "exif_reflinkposisjon", "exif_roll", "exif_pitch",
    "exif_geoidalseparation", "exif_northrmserror", "exif_eastrmserror", "exif_downrmserror", "exif_rollrmserror",
    "exif_pitchrmserror", "exif_headingrmserror", "exif_kvalitet", "veglenkeid", "veglenkepos", "lenkeretning", "meter",
)  # fmt: skip
_COMMA: Final = re.compile(r"\s*([-+]?[0-9]*),([0-9]+(?:[eE][-+]?[0-9]{1,4})?)\s*")
_POINT: Final = re.compile(r"(\s*srid\s*=\s*[0-9]+\s*;\s*POINT\s*Z?\s*\(\s*)([^()]*?)(\s*\)\s*)", re.IGNORECASE)
_ONE_COMMA: Final = re.compile(r"(?<=[0-9]),(?=[0-9])")
# A text in quotes; what follows a backslash never ends it. And the same, where a backslash before the last quote does
# not escape it: a folder's path.
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_STRING_OR_FOLDER: Final = re.compile(r'"((?:[^"\\]|\\(?!"\s*[,}\]:])[\s\S])*\\?)"(?=\s*(?:[,}\]:]|\Z))')
# A drive or a server, and then folders: names without what Windows forbids in them.
_WINDOWS_PATH: Final = re.compile(
    r'(?:\b[A-Za-z]:|(?<![\w\\:.)-])\\\\[^\\/:*?"<>|\s]+)(?:\\[^\\/:*?"<>|\r\n]+)*(?:\\(?!["\\])|(?!\\\\))'
)
_BACKSLASH: Final = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9A-Fa-f]{4})|)')
_IN_PATH: Final = re.compile(r"\\(?!u[0-9A-Fa-f]{4})")


class RecordError(ReasonedError):
    """A file holds no record."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """One record that was read.

    Attributes:
        record: its keys and values, put right and redacted.
        changes: what was put right or left out, as `exif_meter: decimal comma`.
    """

    record: dict[str, Any]
    changes: tuple[str, ...] = ()


def read_record(data: bytes, *, flip_wkt: bool = False) -> Legacy:
    """Read a record of the replaced system.

    Args:
        data: the file, at most 4 MiB, in UTF-8 with or without a mark of it.
        flip_wkt: exchange the first two numbers of `exif_gpsposisjon`.

    Raises:
        RecordError: `too_large`, `not_utf8`, `not_json` or `no_record`.
    """
    if len(data) > MAX_BYTES:
        raise RecordError("too_large", f"{len(data)} bytes; a record has at most {MAX_BYTES}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError("not_utf8", f"no UTF-8 at byte {error.start}") from error
    record, repaired = parse(text)
    changes = ["backslashes that were not escaped"] if repaired else []
    for key in NUMBERS:
        if isinstance(value := record.get(key), str) and (right := decimal_point(value)) != value:
            record[key] = right
            changes.append(f"{key}: decimal comma")
    for key in _POSITIONS:
        if isinstance(value := record.get(key), str) and (right := decimal_points(value)) != value:
            record[key] = right
            changes.append(f"{key}: decimal commas")
    if flip_wkt and isinstance(value := record.get("exif_gpsposisjon"), str):
        record["exif_gpsposisjon"] = flipped(value)
        changes.append("exif_gpsposisjon: flipped")
    return Legacy(_without_people(record, changes), tuple(changes))


def parse(text: str) -> tuple[dict[str, Any], bool]:
    """Parse a record's JSON, tolerating backslashes that were not escaped; tell whether there were any.

    Raises:
        RecordError: `not_json` or `no_record`.
    """
    found: Any = None
    failed: Exception | None = None
    for repair in (None, _STRING, _STRING_OR_FOLDER):
        try:
            found = json.loads(text if repair is None else repair.sub(_repaired, text))
        except (ValueError, RecursionError) as error:
            failed = failed or error
            continue
        if not isinstance(found, Mapping):
            raise RecordError("no_record", f"it holds {type(found).__name__}, and a record is an object")
        if len(found) > _MAX_KEYS:
            raise RecordError("no_record", f"it has {len(found)} keys, and a record at most {_MAX_KEYS}")
        return dict(found), repair is not None
    said = "it is nested too deeply" if isinstance(failed, RecursionError) else str(failed)
    raise RecordError("not_json", f"no JSON: {said}")


def decimal_point(text: str) -> str:
    """Return a number with a decimal comma as one with a point (`12,5` as `12.5`), any other text as it is."""
    found = _COMMA.fullmatch(text)
    return f"{found[1] or '0'}.{found[2]}" if found and found[1] not in {"-", "+"} else text


def decimal_points(position: str) -> str:
    """Return a position whose numbers have decimal commas as one with points; any other text as it is."""
    found = _POINT.fullmatch(position)
    return f"{found[1]}{_ONE_COMMA.sub('.', found[2])}{found[3]}" if found else position


def flipped(position: str) -> str:
    """Exchange the first two numbers of a position, whatever its spacing, which stays; a text that is none stays."""
    found = _POINT.fullmatch(position)
    if not found:
        return position
    parts = re.split(r"(\s+)", found[2])  # number, space, number, ...
    if len(parts) not in {3, 5}:
        return position
    parts[0], parts[2] = parts[2], parts[0]
    return f"{found[1]}{''.join(parts)}{found[3]}"


def _repaired(found: re.Match[str]) -> str:
    """Write a text in quotes so that JSON reads it as it was meant."""
    text = found[1]
    paths = [part.span() for part in _WINDOWS_PATH.finditer(text) if "\\" in part[0]]
    done, at = [], 0
    for start, end in paths:
        done += [_BACKSLASH.sub(_escaped, text[at:start]), _IN_PATH.sub(r"\\\\", text[start:end])]
        at = end
    done.append(_BACKSLASH.sub(_escaped, text[at:]))
    return f'"{"".join(done)}"'


def _escaped(found: re.Match[str]) -> str:
    """Leave an escape as it is, and escape a backslash that begins none."""
    return found[0] if found[1] else "\\\\"


def _without_people(record: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """Redact XML texts, and names and registration numbers of theirs wherever else they stand."""
    roots: dict[str, Node] = {}
    for key, value in record.items():
        if isinstance(value, str) and value and (key in _XML or value.lstrip("\ufeff \r\n\t").startswith("<")):
            try:
                roots[key] = parse_xml(value)
            except RoadXmlError as error:
                record[key] = None
                changes.append(f"{key}: left out, since it cannot be freed of names: {error}")
    names = Names(name for root in roots.values() for name in names_in(root))
    for key, value in record.items():
        if key in roots:
            write = pretty if value.startswith(_PRETTY) else compact
            record[key] = write(redacted(roots[key]))
        elif isinstance(value, str):
            record[key] = names.hidden(value)
    return record
