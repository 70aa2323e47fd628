"""When work about a day starts: some hours after it, so that what comes late is there.

With Airflow's own timetable an interval would begin when its run starts, at three in the night. A back-fill from the
first to the third of a month, which means midnights, would then lack the third. Here an interval is a whole UTC day.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from airflow.timetables.interval import CronDataIntervalTimetable

from wayside.core.clock import utc_now

if TYPE_CHECKING:
    from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
    from pendulum import DateTime


class AfterEachDay(CronDataIntervalTimetable):
    """A run about each UTC day, so many hours after its end. Registered by the plugin."""

    def __init__(self, hours: int) -> None:
        super().__init__("0 0 * * *", timezone="UTC")
        self.hours = hours
        self.description = f"At {hours:02}:00 UTC, about the day before"

    @property
    def expression(self) -> str:
        """When runs start, as cron writes it."""
        return f"0 {self.hours} * * *"

    @property
    def summary(self) -> str:
        """What the UI shows."""
        return self.expression

    def serialize(self) -> dict[str, Any]:
        """Return what makes this timetable again."""
        return {"hours": self.hours}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Make the timetable again."""
        return cls(data["hours"])

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next day, and when its run starts."""
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        return info and info._replace(run_after=info.run_after + timedelta(hours=self.hours))

    def _skip_to_latest(self, earliest: DateTime | None) -> DateTime:
        """Return the newest day that is due; a new installation begins with it, and an old one goes on with it."""
        import pendulum

        due = pendulum.instance(utc_now() - timedelta(hours=self.hours)).astimezone(UTC)
        newest = self._get_prev(self._align_to_prev(due))
        return newest if earliest is None else max(newest, self._align_to_next(earliest))
