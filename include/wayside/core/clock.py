"""The one place that reads the clock, so that tests, back-fills and demos can hand in their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time now, in UTC, with its zone."""
    return datetime.now(UTC)
