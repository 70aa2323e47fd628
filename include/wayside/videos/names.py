r"""What the path of a video says: camera, start, position. The user gives a regular expression with named groups.

    .*/(?P<camera>\w+?)\-(?P<epoch>\d+)\.mp4$          seconds since 1970, always UTC
    .*/(?P<camera>\w+?)%Y%m%d-%H%M%S.*\.mp4$           a local time, in the zone that is given beside the pattern

The pattern is Python's and anchored at the start only, as the video importer had it: `\.mp4` also takes `x.mp4.part`.
A path is a row with a reason if it says too little; nothing that it says is mangled to make it fit. Patterns that take
for ever on some path are broken off.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from re import _parser  # type: ignore[attr-defined]  # what a pattern costs before it is compiled, nothing else tells
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import regex

from wayside.core.errors import ConfigError, InvalidIdentifierError, VideoError
from wayside.core.ids import camera_id

DEFAULT_PATTERN: Final = r".*/(?P<camera>\w+?)\-.*\-(?P<epoch>\d+)\.mp4$"
"""The video importer's own, with the `$` that it lacked."""
MAX_PATTERN: Final = 1000
MAX_PATH: Final = 4096
"""Characters of a pattern and of a path."""
MAX_STEPS: Final = 20_000
"""Steps of a pattern that is written out, as `regex` does: `(ab){3}` has six, and `a{99999999}` fills the memory."""
MAX_SECONDS: Final = 1.0
MAX_SLOW: Final = 10
"""Seconds that a pattern may take for one path, and how many paths may break that before the pattern is given up."""

FIRST_YEAR, LAST_YEAR = 1970, 9998
_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "fraction")
_GROUPS: Final = frozenset({"camera", "epoch", "lat", "lng", *_PARTS})
_DIRECTIVES: Final = {
    "Y": r"(?P<year>[0-9]{4})",
    "m": r"(?P<month>[0-9]{2})",
    "d": r"(?P<day>[0-9]{2})",
    "H": r"(?P<hour>[0-9]{2})",
    "M": r"(?P<minute>[0-9]{2})",
    "S": r"(?P<second>[0-9]{2})",
    "f": r"(?P<fraction>[0-9]{1,6})",
    "%": "%",
}
# An escaped character and a [class] stay as they are: only a bare % is ours.
_TOKENS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|%(?P<directive>.?)", re.DOTALL)
_EPOCH: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")
_DEGREES: Final = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,15})?")

ToldBy = Literal["epoch", "name", "file"]
Note = Literal["ambiguous", "nonexistent"]


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What a path says.

    Attributes:
        camera: name of the camera with the suffix, valid as an id.
        start_at: when the video starts, UTC.
        lat, lng: degrees, WGS 84; both or neither.
        zone: time zone in which the start was told: `UTC` for an epoch and for the file's own time.
        told_by: what told the start: an epoch or a time in the name, or the file's own time.
        note: `ambiguous`: the clock showed this local time twice, and the first is taken; `nonexistent`: it skipped
            this time, and the clock that had not been put forward is taken.
    """

    camera: str
    start_at: datetime
    lat: float | None = None
    lng: float | None = None
    zone: str = "UTC"
    told_by: ToldBy = "epoch"
    note: Note | None = None


class NamePattern:
    """A user's pattern, checked; see the paragraph at the head of this module."""

    def __init__(self, pattern: str = DEFAULT_PATTERN, zone: str = "UTC", suffix: str = "") -> None:
        r"""Check and compile.

        Args:
            pattern: regular expression with the group `camera`; `epoch`, or `year`, `month`, `day`, `hour`, `minute`,
                `second`, `fraction`, of which `%Y %m %d %H %M %S %f` are short forms (`%%` is a `%`); `lat`, `lng`.
                Where a path gives both, the epoch counts.
            zone: IANA name of the time zone of times that are no epoch.
            suffix: put behind the camera's name.

        Raises:
            ConfigError: the pattern is none, lacks a group or has a strange one, or there is no such zone.
        """
        self.pattern, self.zone, self.suffix = pattern, zone, suffix
        self._zone = zone_of(zone)
        expanded = _expanded(pattern)
        _check_groups(expanded, pattern)
        try:
            self._match = regex.compile(expanded, regex.VERSION0).match
        except (regex.error, OverflowError, RecursionError) as error:
            raise ConfigError(f"the pattern {pattern!r} is not valid: {error}") from None
        self._windows = r"\\" in pattern and "/" not in pattern
        self._slow = 0
        if suffix:
            _camera(f"x{suffix}", f"the suffix {suffix!r}", ConfigError)

    def parse(self, path: str, fallback: datetime | None = None) -> ParsedName:
        """Read a path.

        Args:
            path: path with the folders that the pattern counts on: `/` and the path below the source, at least.
                A pattern with `/` also reads Windows paths, and one that has only backslashes also reads ours.
            fallback: the file's own time, taken where the path has none.

        Raises:
            VideoError: reason `no_match`, `bad_camera`, `bad_time`, `bad_position`, `long_path`, or `slow_pattern`.
            ConfigError: the pattern took too long for `MAX_SLOW` paths.
        """
        if len(path) > MAX_PATH:
            raise VideoError("long_path", f"the path has {len(path)} characters; at most {MAX_PATH} are looked at")
        said = self._said(path)
        name = said.get("camera")
        if not name:
            raise VideoError("bad_camera", f"{path!r} names no camera")
        camera = _camera(name + self.suffix, f"{path!r} names", VideoError)
        lat, lng = _position(said.get("lat"), said.get("lng"), path)
        if (epoch := said.get("epoch")) is not None:
            return ParsedName(camera, _from_epoch(epoch, path), lat, lng)
        if said.get("year") is not None:
            start, note = to_utc(_in_range(_local(said, path), path), self._zone)
            return ParsedName(camera, start, lat, lng, self.zone, "name", note)
        if fallback is None:
            raise VideoError("bad_time", f"{path!r} does not say when the video starts, and the file has no time")
        return ParsedName(camera, _in_range(fallback.astimezone(UTC), path), lat, lng, "UTC", "file")

    def _said(self, path: str) -> dict[str, str | None]:
        for tried in self._ways(path):
            try:
                found = self._match(tried, timeout=MAX_SECONDS)
            except TimeoutError:
                raise self._too_slow(path) from None
            if found:
                return dict(found.groupdict())
        raise VideoError("no_match", f"{path!r} does not match {self.pattern!r}")

    def _ways(self, path: str) -> list[str]:
        """Return the path as it is, and where it has other separators than the pattern, with the pattern's."""
        other = path.replace("/", "\\") if self._windows else path.replace("\\", "/")
        return [path] if other == path else [path, other]

    def _too_slow(self, path: str) -> Exception:
        self._slow += 1
        if self._slow >= MAX_SLOW:
            return ConfigError(
                f"the pattern {self.pattern!r} took more than {MAX_SECONDS:g} s for {self._slow} paths, the last "
                f"{path!r}: groups that repeat inside of a group that repeats, such as (a+)+, do that"
            )
        return VideoError("slow_pattern", f"{path!r} is not matched within {MAX_SECONDS:g} s")


def local_camera_id(name: str) -> str:
    """Return the id under which the video importer's server knew a camera: SHA-1 of its name, 40 hex digits."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; raise `ConfigError` if there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path, a folder, an unknown key
        raise ConfigError(f"there is no time zone {name!r}: write an IANA name, such as America/Los_Angeles") from None


def to_utc(local: datetime, zone: ZoneInfo) -> tuple[datetime, Note | None]:
    """Return a local time without a zone as UTC, and whether the clock showed it twice or skipped it.

    Of two moments the first is taken; a skipped time is read as by a clock that had not been put forward.

    Years are 2 to 9998, so that the moment is one that Python knows.
    """
    here = local.replace(tzinfo=zone, fold=0)
    moment = here.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) != local:
        return moment, "nonexistent"
    twice = here.replace(fold=1).utcoffset() != here.utcoffset()
    return moment, "ambiguous" if twice else None


def _expanded(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN:
        raise ConfigError(f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} are allowed")

    def token(found: re.Match[str]) -> str:
        directive = found["directive"]
        if directive is None:
            return found[0]
        if directive not in _DIRECTIVES:
            known = " ".join(f"%{name}" for name in _DIRECTIVES)
            raise ConfigError(f"the pattern {pattern!r} has %{directive}: known are {known}, of which %% is a %")
        return _DIRECTIVES[directive]

    return _TOKENS.sub(token, pattern)


def _check_groups(expanded: str, pattern: str) -> None:
    """Check a pattern, which has to be one of Python's `re`, and its named groups."""
    try:
        groups = set(re.compile(expanded).groupindex)
        steps = _steps(_parser.parse(expanded))
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"the pattern {pattern!r} is not valid: {error}") from None
    if steps > MAX_STEPS:
        raise ConfigError(f"the pattern {pattern!r} repeats itself {steps} times: at most {MAX_STEPS} are allowed")
    if "camera" not in groups:
        raise ConfigError(f"the pattern {pattern!r} has no group (?P<camera>...): which camera made a video?")
    if strange := sorted(groups - _GROUPS):
        raise ConfigError(f"the pattern {pattern!r} has groups that mean nothing here: {', '.join(strange)}")
    if groups & set(_PARTS) and not {"year", "month", "day"} <= groups:
        raise ConfigError(f"the pattern {pattern!r} has a time without year, month and day")
    if len(groups & {"lat", "lng"}) == 1:
        raise ConfigError(f"the pattern {pattern!r} has only one of lat and lng")


def _steps(parsed: Any) -> int:
    """Return how many steps a parsed pattern has once all that is repeated a least number of times is written out."""
    if not isinstance(parsed, _parser.SubPattern):
        return sum(map(_steps, parsed)) if isinstance(parsed, tuple | list) else 0
    total = 0
    for what, value in parsed:
        least = value[0] if str(what).endswith("_REPEAT") else 1
        total += 1 + max(1, least) * _steps(value)
    return total


def _camera(name: str, says: str, kind: type[ConfigError] | type[VideoError]) -> str:
    try:
        return camera_id(name)
    except InvalidIdentifierError as error:
        message = f"{says}: {error}"
        raise (VideoError("bad_camera", message) if issubclass(kind, VideoError) else ConfigError(message)) from None


def _from_epoch(text: str, path: str) -> datetime:
    if not _EPOCH.fullmatch(text):
        hint = "; those look like milliseconds" if text.isdecimal() else ""
        raise VideoError("bad_time", f"{path!r} has {text[:40]!r} as seconds since 1970{hint}")
    whole, _, fraction = text.partition(".")
    try:
        moment = datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction.ljust(6, "0")))
    except (OverflowError, ValueError, OSError):
        raise VideoError("bad_time", f"{path!r} has {text} as seconds since 1970, which no calendar has") from None
    return _in_range(moment, path)


def _local(said: dict[str, str | None], path: str) -> datetime:
    """Return the local time of a name, without a zone; what it does not say is 0."""
    try:
        year, month, day, hour, minute, second = (int(said.get(part) or 0) for part in _PARTS[:-1])
        micros = int((said.get("fraction") or "0").ljust(6, "0")[:6])
        return datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001
    except ValueError as error:
        raise VideoError("bad_time", f"{path!r} has no time that a clock shows: {error}") from None


def _in_range(moment: datetime, path: str) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise VideoError("bad_time", f"{path!r} starts in {moment.year}; known are {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _position(lat: str | None, lng: str | None, path: str) -> tuple[float | None, float | None]:
    if lat is None and lng is None:
        return None, None
    if lat is None or lng is None:
        raise VideoError("bad_position", f"{path!r} has only one of latitude and longitude")
    if not (_DEGREES.fullmatch(lat) and _DEGREES.fullmatch(lng)):
        raise VideoError("bad_position", f"{path!r} has {lat[:40]!r}, {lng[:40]!r} as position, which are no degrees")
    north, east = float(lat), float(lng)
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        raise VideoError("bad_position", f"{path!r} lies at {north}, {east}, which is nowhere")
    return north, east
