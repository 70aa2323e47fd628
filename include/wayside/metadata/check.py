"""Does a record keep to its layout: every key there, none besides, values of the right type, none lacking that must be.

The rules are those by which the road authority checks records before it registers them, one fault for each: a key too
many, a key too few, a value that is absent or of the wrong kind. The position on the centre line is demanded too, but
other software fills it later, so that its absence is only a notice.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from wayside.metadata.derived import moment
from wayside.metadata.keys import KEYS_V1, KEYS_V2, PREVIEW
from wayside.metadata.roadxml import number

MAX_BYTES: Final = 4 * 2**20
"""Bytes of a record's JSON at the most: two texts of 256 kB, escaped, and room."""

MANDATORY: Final = frozenset(
    {
        "exif_tid",
        "exif_dato",
        "exif_gpsposisjon",
        "exif_reflinkid",
        "exif_reflinkposisjon",
        "exif_roadident",
        "bildeid",
        "senterlinjeposisjon",
    }
)
"""Keys whose value must not be null."""

_LATER: Final = frozenset({"senterlinjeposisjon"})
_QUALITIES: Final = frozenset({"0", "0.5", "1", "1.5", "2", "2.5"})
_NUMBER: Final = r"(?:[-+]?\d+(?:\.\d+)?|NaN)"
_POINT: Final = re.compile(rf"srid=\d{{1,9}};POINT Z\( ?{_NUMBER} {_NUMBER} {_NUMBER} ?\)", re.ASCII)
_NUMERIC: Final = frozenset(
    {
        *("exif_speed", "exif_speed_ms", "exif_heading", "exif_altitude", "exif_moh", "exif_fylke", "exif_vegnr"),
        *("exif_hp", "exif_strekning", "exif_delstrekning", "exif_ankerpunkt", "exif_kryssdel", "exif_meter"),
        *("exif_sideanleggsdel", "exif_reflinkid", "exif_reflinkposisjon", "exif_imagewidth", "exif_imageheight"),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record.

    Attributes:
        kind: `extra`: a key that the layout does not have; `missing`: one that it has, and the record has not;
            `value`: a value that is null and must not be, or not of its kind; `twice`: a key that stands twice;
            `unreadable`: the text is no record.
        key: the key; empty for `unreadable`.
        message: what is wrong, for people.
        notice: whether the record is fit for use all the same.
    """

    kind: Literal["extra", "missing", "value", "twice", "unreadable"]
    key: str
    message: str
    notice: bool = False


def check_record(record: Mapping[str, object]) -> list[Fault]:
    """List what is wrong with a record; nothing for one that keeps to its layout. `exif_speed` marks one of v1."""
    keys = KEYS_V1 if "exif_speed" in record and "exif_speed_ms" not in record else KEYS_V2
    faults = [Fault("missing", key, "is not there") for key in keys if key not in record and key != PREVIEW]
    for key, value in record.items():
        if key not in keys:
            faults.append(Fault("extra", key, "is no key of the layout"))
        elif value is None:
            if key in MANDATORY:
                later = key in _LATER
                faults.append(Fault("value", key, "is null" + (": to be filled later" if later else ""), later))
        elif message := _wrong(key, value):
            faults.append(Fault("value", key, message))
    return faults


def check_text(text: str) -> list[Fault]:
    """List what is wrong with a record's JSON text, keys that stand twice among it."""
    twice: list[str] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(items)
        if len(found) < len(items):
            names = [name for name, _ in items]
            twice.extend(name for name in found if names.count(name) > 1)
        return found

    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return [Fault("unreadable", "", f"the record has more than {MAX_BYTES} bytes")]
    try:
        record = json.loads(text.lstrip("\ufeff"), object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        return [Fault("unreadable", "", f"the record is no JSON: {error}")]
    if not isinstance(record, dict):
        return [Fault("unreadable", "", "the record is no JSON object")]
    return [Fault("twice", key, "stands twice") for key in twice] + check_record(record)


def usable(faults: Iterable[Fault]) -> bool:
    """Return whether there are no faults but notices."""
    return all(fault.notice for fault in faults)


def _wrong(key: str, value: object) -> str | None:
    """Say what is wrong with a value that is not null; None: nothing."""
    if key == "detekterte_objekter":
        return None if _counts(value) else "is no object of counts as texts"
    if key == "exif_heading" and isinstance(value, int | float) and not isinstance(value, bool):
        return None  # the replaced system wrote a number where GPS gave the heading
    if not isinstance(value, str):
        return f"is no text but {type(value).__name__}"
    if key in _NUMERIC and number(value) is None:
        return f"is no number: {value[:40]!r}"
    rule = _RULES.get(key)
    return f"is not of its form: {value[:60]!r}" if rule and not rule(value) else None


def _counts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(count, str) and count.isdecimal() for count in value.values())


def _day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2020-06-02")


def _point(text: str) -> bool:
    return bool(_POINT.fullmatch(text))


_RULES: Final[Mapping[str, Callable[[str], bool]]] = {
    "exif_tid": lambda text: moment(text) is not None,
    "exif_dato": _day,
    "exif_gpsposisjon": _point,
    "senterlinjeposisjon": _point,
    "exif_kvalitet": _QUALITIES.__contains__,
    "bildeid": lambda text: bool(text.strip()),
}
