"""Slots: the ten-minute steps, always in UTC, in which every camera is looked at.

A slot is named by its start. The picture of slot S is the one fetched at S (by schedule: when the data interval that
ends at S is over) and lies in the folder `<YYYYMMDD>/<HHMM>`, as in a chrono_lens bucket.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from wayside.core.errors import ConfigError

SLOT_LENGTH = timedelta(minutes=10)
SLOTS_PER_DAY = 144
CLOCK_SKEW = timedelta(minutes=1)
"""How long before its start a slot may be fetched: what clocks differ by, and no more, since pictures stay."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
_EPOCH = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
# `strptime` and `fromisoformat` alone would read 2020511T50Z as well, and digits of any script.
_WRITTEN = re.compile(r"([0-9]{8})(?:T([0-9]{4})Z|/([0-9]{4}))")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}[0-9:.,Z+-]*")


@dataclass(frozen=True, order=True, slots=True)
class Slot:
    """One ten-minute step. `start` is aware, in UTC and a whole multiple of ten minutes; anything else raises."""

    start: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ConfigError(f"slot {self.start} has no time zone: give UTC, say {self.start.isoformat()}Z")
        object.__setattr__(self, "start", _aware(self.start))
        if not FIRST_YEAR <= self.start.year <= LAST_YEAR:
            raise ConfigError(f"slot {self.start.isoformat()} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
        if (self.start - _EPOCH) % SLOT_LENGTH:
            raise ConfigError(f"slot {self.start.isoformat()} does not start on a multiple of ten minutes")

    @classmethod
    def floor(cls, when: datetime) -> "Slot":
        """Return the slot in which `when` (aware) lies."""
        moment = _aware(when)
        return cls(moment - (moment - _EPOCH) % SLOT_LENGTH)

    @classmethod
    def ceil(cls, when: datetime) -> "Slot":
        """Return the first slot at or after `when`: exact multiples stay (the back-fill's rounding rule)."""
        slot = cls.floor(when)
        return slot if slot.start == when else slot.next

    @classmethod
    def parse(cls, text: str) -> "Slot":
        """Read `20200501T0050Z`, `20200501/0050` or an ISO time with a zone; raise `ConfigError` otherwise."""
        written = _WRITTEN.fullmatch(text)
        try:
            if written:
                day, hhmm = written[1], written[2] or written[3]
                return cls(datetime.strptime(day + hhmm, "%Y%m%d%H%M").replace(tzinfo=UTC))
            if _ISO.fullmatch(text):
                return cls(datetime.fromisoformat(text))
        except ValueError:
            pass
        raise ConfigError(f"{text!r} is not a slot: write 20200501T0050Z or 2020-05-01T00:50Z")

    @classmethod
    def between(cls, first: "Slot", last: "Slot") -> Iterator["Slot"]:
        """Yield every slot from `first` to `last`, both included."""
        slot = first
        while slot <= last:
            yield slot
            slot = slot.next

    @classmethod
    def of_day(cls, day: date) -> Iterator["Slot"]:
        """Yield the 144 slots of a UTC day."""
        first = cls(datetime(day.year, day.month, day.day, tzinfo=UTC))
        yield from (first.shift(step) for step in range(SLOTS_PER_DAY))

    def shift(self, steps: int) -> "Slot":
        """Return the slot `steps` later (earlier when negative)."""
        return Slot(self.start + steps * SLOT_LENGTH)

    @property
    def previous(self) -> "Slot":
        """The slot ten minutes before."""
        return self.shift(-1)

    @property
    def next(self) -> "Slot":
        """The slot ten minutes after."""
        return self.shift(1)

    @property
    def end(self) -> datetime:
        """The first moment that no longer belongs to the slot."""
        return self.start + SLOT_LENGTH

    @property
    def day(self) -> str:
        """The UTC day as `YYYYMMDD`, as used in paths."""
        return self.start.strftime("%Y%m%d")

    @property
    def hhmm(self) -> str:
        """The UTC time of day as `HHMM`, as used in paths."""
        return self.start.strftime("%H%M")

    def __str__(self) -> str:
        """Write the slot as `20200501T0050Z`, which `parse` reads back."""
        return self.start.strftime("%Y%m%dT%H%MZ")


def _aware(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ConfigError(f"{when} has no time zone")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ConfigError(f"{when.isoformat()} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}") from None
