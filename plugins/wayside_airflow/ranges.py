"""From a DAG run to the days that it is about, its name, and who started it: decided here and nowhere else.

A scheduled run of a daily DAG, and each run of a back-fill, is about the UTC day in which its data interval began. A
run that somebody starts by hand may name a first and a last day; without them it is about the day before. Days of the
future, ranges that end before they begin, and back-fills whose every run would be about the same range are refused.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta

from airflow.sdk import Context

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError

LONGEST = timedelta(days=366)


def days_of_run(context: Context, clock: Clock = utc_now) -> list[date]:
    """Return the days of a run, oldest first: `params.start` to `params.end`, else the day of its data interval.

    Raises:
        ConfigError: a day is not written as `2026-05-01` or lies in the future, the last day comes before the first,
            there are more than 366, or the run is one of a back-fill.
    """
    params = context["params"]
    start, end = params.get("start"), params.get("end")
    today = clock().astimezone(UTC).date()
    if not start and not end:
        return [_day_of_interval(context)]
    if kind_of_run(context) == "backfill":
        raise ConfigError("the range of a back-fill says which days it is about: leave `start` and `end` empty")
    first = _day("start", str(start or end))
    last = _day("end", str(end or start))
    if first > last:
        raise ConfigError(f"the range ends before it begins: start is {first}, end is {last}")
    if last > today:
        raise ConfigError(f"the range ends at {last}, and today is {today} UTC: there are no pictures of the future")
    if last - first >= LONGEST:
        raise ConfigError(f"the range has more than {LONGEST.days} days: do it in pieces")
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


def run_name(context: Context) -> str:
    """Return the name of a run in our tables: the same for all its tasks and tries, safe as a file's name."""
    run = context["dag_run"]
    return name_of(run.dag_id, run.run_id, run.run_after)


def name_of(dag: str, run: str, run_after: datetime) -> str:
    """Return the name of a run of a DAG, given its id in Airflow and the time after which it may run."""
    digest = hashlib.sha256(run.encode()).hexdigest()[:8]
    return f"{dag}-{run_after:%Y%m%dT%H%M%SZ}-{digest}"


def who_started(context: Context) -> str:
    """Return who started a run: a user's name, or the way in which Airflow did it."""
    return context["dag_run"].triggering_user_name or kind_of_run(context)


def kind_of_run(context: Context) -> str:
    """Return how a run came to be: `scheduled`, `manual`, `backfill` and others."""
    kind = context["dag_run"].run_type
    return str(getattr(kind, "value", kind))


def _day_of_interval(context: Context) -> date:
    # Runs that are triggered without a logical date have no data interval at all: the keys are absent.
    begin = context.get("data_interval_start")
    if begin is None or kind_of_run(context) == "manual":
        # The day before the run was asked for: a task that is cleared a day later is about the same one.
        return context["dag_run"].run_after.astimezone(UTC).date() - timedelta(days=1)
    return datetime.fromtimestamp(begin.timestamp(), UTC).date()


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} {text!r} is not a day: write 2026-05-01") from None
