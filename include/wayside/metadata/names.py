r"""What the path and name of a road photo say: county, road, section, junction, metre, lane.

Both separators are understood on every system, since the recorders write `C:\DATA\...` and we read it anywhere. Three
sets of rules, by the layout of the record: `read_path` follows those of version 2 with its mistakes mended,
`read_path(compat=True)` repeats them, `read_old_path` is how version 1 read the names of its day (`hp05`).
`docs/ROAD-PHOTOS.md` lists what differs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

_OLD_COUNTIES: Final = frozenset({*range(1, 13), *range(14, 21), 50})
_NEWER_COUNTIES: Final = frozenset({*range(30, 35), 38, 39, 40, 42, 46, 54, 55, 56})
COUNTIES: Final = _OLD_COUNTIES | _NEWER_COUNTIES
"""Numbers of Norwegian counties, of every division: until 2017, 2018, 2020 and 2024."""

LONGEST: Final = 4096
"""Characters of a path that are looked at."""

_SEPARATORS: Final = re.compile(r"[\\/]+")
_ANY_CASE: Final = re.IGNORECASE | re.ASCII
_COUNTY: Final = re.compile(r"(\d\d)\b", re.ASCII)
_DATE_FOLDER: Final = re.compile(r"(?:19|20)\d\d", re.ASCII)
_TWO: Final = re.compile(r"[0-9]{2}")
_LANE: Final = re.compile(r"(?:^|_)f(\d+[a-z]?\d*)(?=$|[_.])", _ANY_CASE)
_LANE_COMPAT: Final = re.compile(r"f(\d\w*)", _ANY_CASE)
_LANE_OLD: Final = re.compile(r"f(\d+)", _ANY_CASE)
_ROAD: Final = re.compile(r"(?:^|[^a-z0-9])([ERFKPS])([SHWAPEBUQVXMTG])(\d+)", _ANY_CASE)
_ROAD_COMPAT: Final = re.compile(r"([ERFKPS])([SHWAPEBUQVXMTG])(\d+)", _ANY_CASE)
_JUNCTION: Final = re.compile(r"_S(\d+)D(\d+)_m(\d+)_([KSA])D(\d+)", re.ASCII)
_SECTION: Final = re.compile(r"S(\d+)D(\d+)\b", re.ASCII)
_METRE: Final = re.compile(r"(?<!k)m(\d+)_f", re.ASCII)
_METRE_ANY: Final = re.compile(r"(?<!k)m(\d+)_f", _ANY_CASE)
_KILOMETRE: Final = re.compile(r"km(\d+)[_.,](\d{3})(?!\d)", _ANY_CASE)
_HP: Final = re.compile(r"hp(\d+)", _ANY_CASE)
_METRE_OLD: Final = re.compile(r"_m(\d+)", _ANY_CASE)


@dataclass(frozen=True, slots=True)
class Named:
    """What a path says; None where it says nothing. Numbers are text without leading zeros, but for `anchor`.

    Attributes:
        county: `fylke`.
        category: `vegkat`, a capital.
        status: `vegstat`, a capital.
        road: `vegnr`.
        hp: the parcel of roads before 2020.
        section: `strekning`.
        part: `delstrekning`.
        anchor: `ankerpunkt`, with its zeros.
        junction: `kryssdel`.
        side: `sideanleggsdel`.
        metre: metre on the section; metre 0 is an empty text by the old rules.
        lane: `feltkode`, say `4K`.
    """

    county: str | None = None
    category: str | None = None
    status: str | None = None
    road: str | None = None
    hp: str | None = None
    section: str | None = None
    part: str | None = None
    anchor: str | None = None
    junction: str | None = None
    side: str | None = None
    metre: str | None = None
    lane: str | None = None


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a path with either separator, the file name last; no empty ones."""
    return tuple(part for part in _SEPARATORS.split(path[-LONGEST:]) if part)


def stem_of(name: str) -> str:
    """Return a file name without its extension."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def below(path: str, top_dir: str) -> str | None:
    """Return the folders below the first one named `top_dir`, joined by `/`; None where there is no such folder."""
    folders = parts_of(path)[:-1]
    return "/".join(folders[folders.index(top_dir) + 1 :]) if top_dir in folders else None


def read_path(path: str, *, compat: bool = False) -> Named:
    """Read a path by the rules of version 2: the part that comes last wins, but for the metre, where the first does."""
    return read_parts(parts_of(path), compat=compat)


def read_parts(parts: Sequence[str], *, compat: bool = False) -> Named:
    """The same for a path that is divided already."""
    found = Named()
    dated = False
    for part in parts:
        dated = bool(_DATE_FOLDER.fullmatch(part)) or (dated and bool(_TWO.fullmatch(part)))
        if county := _county(part, compat=compat, dated=dated):
            found = replace(found, county=county)
        found = _junction(_road(found, part, compat=compat), part)
        if lane := (_LANE_COMPAT if compat else _LANE).search(part):
            found = replace(found, lane=lane[1].lstrip("0") or None)
        metre = None if found.metre else _metre(part, compat=compat)
        if metre is not None:
            found = replace(found, metre=metre)
    return found


def read_section(name: str) -> tuple[str, str] | None:
    """Return section and part of a file name, `FV00063_S10D3_m00041_f1.jpg` -> ("10", "3")."""
    found = [match for match in map(_SECTION.fullmatch, stem_of(name).split("_")) if match]
    return (_plain(found[0][1]), _plain(found[0][2])) if found else None


def read_junction(name: str) -> Named:
    """Return only what a file name says of a junction or a side facility."""
    return _junction(Named(), name)


def read_old_path(path: str) -> Named:
    """Read a path by the rules of version 1: lane and metre are digits only, the first metre of the name counts."""
    parts = parts_of(path)
    found = Named()
    for part in parts:
        if county := _county(part, compat=True, dated=False):
            found = replace(found, county=county)
        found = _road(found, part, compat=True)
        if hp := _HP.search(part):
            found = replace(found, hp=_plain(hp[1]))
        if lane := _LANE_OLD.search(part):
            found = replace(found, lane=_plain(lane[1]))
    metre = _METRE_OLD.search(parts[-1]) if parts else None
    return replace(found, metre=_plain(metre[1])) if metre else found


def name_metre(name: str) -> str | None:
    """Return the metre that an old file name ends with, or any other that it has; None where it has none."""
    found = _METRE_OLD.search(name)
    return _plain(found[1]) if found else None


def _county(part: str, *, compat: bool, dated: bool) -> str | None:
    """Return the county that a part begins with; below a year, two digits are a month or a day."""
    found = _COUNTY.match(part)
    if not found or (dated and not compat):
        return None
    number = int(found[1])
    return str(number) if number in (_OLD_COUNTIES if compat else COUNTIES) else None


def _road(found: Named, part: str, *, compat: bool) -> Named:
    road = (_ROAD_COMPAT if compat else _ROAD).search(part)
    if not road:
        return found
    number = road[3].lstrip("0") if compat else _plain(road[3])
    return replace(found, category=road[1].upper(), status=road[2].upper(), road=number or None)


def _junction(found: Named, part: str) -> Named:
    match = _JUNCTION.search(part)
    if not match:
        return found
    section, piece, anchor, kind, number = match.groups()
    return replace(
        found,
        section=section,
        part=piece,
        anchor=anchor,
        junction=number if kind == "K" else None,
        side=number if kind != "K" else None,
    )


def _metre(part: str, *, compat: bool) -> str | None:
    if found := (_METRE if compat else _METRE_ANY).search(part):
        return found[1].lstrip("0") if compat else _plain(found[1])
    if found := _KILOMETRE.search(part):
        return str(int(found[1][-9:]) * 1000 + int(found[2]))
    return None


def _plain(digits: str) -> str:
    """Return digits without leading zeros; zero stays."""
    return digits.lstrip("0") or "0"
