"""Times as a question states them: ISO 8601, seconds since 1970, or `%Y-%m-%d %H:%M:%S` as in the replaced system.

A time without a zone is read as UTC. The replaced system kept times without a zone, shifted by whole hours of each
camera; here every stored time is UTC, and so is whatever does not say otherwise.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from wayside.zones.errors import QuestionError

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9998
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
# `fromisoformat` alone would read weeks and digits of any script, and times without a date.
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def parse_time(value: object, name: str = "time") -> datetime:
    """Read a time.

    Args:
        value: a datetime, ISO 8601 text, or seconds since 1970-01-01T00:00:00Z as number or text; a text that is a
            date alone is its midnight. Without a zone it is UTC.
        name: of the field, for the message.

    Returns:
        The time in UTC, to the microsecond, within the years 1970 to 9998.

    Raises:
        QuestionError: `bad_time`.
    """
    try:
        found = _read(value)
    except (ValueError, OverflowError):
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise QuestionError(
            "bad_time",
            f"{name} is no time of the years {FIRST_YEAR} to {LAST_YEAR}: write 2026-05-01T08:00:00Z, "
            "2026-05-01 08:00:00 (read as UTC), or seconds since 1970",
        )
    return found


def _read(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _EPOCH + timedelta(seconds=value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _EPOCH + timedelta(seconds=float(text))
    return _read(datetime.fromisoformat(text)) if _ISO.fullmatch(text) else None


def day_start(day: date) -> datetime:
    """Return the first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_between(first: date, last: date) -> list[str]:
    """List the UTC days from `first` to `last`, both included, as the warehouse writes them: `YYYYMMDD`."""
    return [f"{first + timedelta(days=step):%Y%m%d}" for step in range((last - first).days + 1)]
