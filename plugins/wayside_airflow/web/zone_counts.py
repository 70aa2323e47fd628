"""The page of a processor's counts, the data behind its charts, and downloads.

A time without a row was not watched: it is null, never 0. What may be seen here tells of nobody in person, so whoever
may see the pages may see it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from wayside_airflow.web.choice import Chosen, day_of
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.zone_access import CanEdit
from wayside_airflow.web.zone_figures import dwell, matrix, newest_events, totals
from wayside_airflow.web.zone_view import common, found, registry_of, version_of

if TYPE_CHECKING:
    import pyarrow as pa

    from wayside.counting.zones import ZoneSet
    from wayside.zones.processor import Processor
    from wayside.zones.rollup import What

router = APIRouter()

Step = Literal["minute", "hour", "day"]
Way = Literal["entered", "exited", "forward", "backward", "finished"]
Row = dict[str, Any]

#: Words for the columns of counts, as people say them.
WORDS: Final[Mapping[str, str]] = {
    "entered": "entered",
    "exited": "left",
    "forward": "forward",
    "backward": "backward",
    "finished": "counted",
}
ALL: Final = "*"
_LENGTHS: Final[Mapping[Step, timedelta]] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
#: Days of which so many points are drawn, at most.
_MOST_DAYS: Final[Mapping[Step, int]] = {"minute": 2, "hour": 62, "day": 366}
_CLASSES: Final = 8


@dataclass(frozen=True)
class Asked:
    """What is asked for: a processor's counts of some days, in one place.

    Attributes:
        one: the processor.
        shapes: its zones and lines: those of `version`, or of the newest version.
        days: those that were counted, oldest first; may be empty.
        first: first UTC day.
        last: last UTC day, included.
        zone: name of a zone or line; `*`: all together.
        step: width of the points in time.
        way: what is told apart by class.
        version: of the zones; None: of each day the newest that counted it.
    """

    one: "Processor"
    shapes: "ZoneSet"
    days: list[date]
    first: date
    last: date
    zone: str
    step: Step
    way: Way
    version: int | None

    @property
    def period(self) -> Any:
        """The time from the first day to the last."""
        from wayside.zones.rollup import Period

        return Period(_midnight(self.first), _midnight(self.last + timedelta(days=1)))

    @property
    def names(self) -> list[str]:
        """The names of zones and lines."""
        return [*(zone.name for zone in self.shapes.zones), *(line.name for line in self.shapes.lines)]

    @property
    def ways(self) -> dict[str, str]:
        """The columns that this place has, with words for them."""
        if self.one.kind != "traffic":
            return {}
        lines = {line.name for line in self.shapes.lines}
        if getattr(self.one.options, "mode", "") == "match":
            names = ["finished"]
        elif self.zone == ALL:
            names = ["entered", "exited"] if self.shapes.zones else []
            names += ["forward", "backward"] if lines else []
        else:
            names = ["forward", "backward"] if self.zone in lines else ["entered", "exited"]
        return {name: WORDS[name] for name in names}

    @property
    def query(self) -> dict[str, Any]:
        """The same as query parameters."""
        days = {"first": self.first, "last": self.last, "version": self.version}
        return {**days, "zone": self.zone, "step": self.step, "way": self.way}


def asked(
    warehouse: Warehouse,
    processor: int,
    first: str = "",
    last: str = "",
    zone: Annotated[str, Query(max_length=64)] = ALL,
    step: Literal["", "minute", "hour", "day"] = "",
    way: Literal["", "entered", "exited", "forward", "backward", "finished"] = "",
    version: Annotated[str, Query(max_length=10, pattern="^[0-9]*$")] = "",
) -> Asked:
    """Read the query string; what it leaves out is the newest counted day, all zones, and points that suit the days."""
    registry = registry_of(warehouse)
    one = found(registry, processor)
    number = int(version) if version else None
    shapes = version_of(registry, processor, number).zones
    days = counted_days(warehouse, one, number)
    end = day_of(last) if last else (days[-1] if days else datetime.now(UTC).date())
    begin = day_of(first) if first else end
    span = (end - begin).days + 1
    if not 1 <= span <= _MOST_DAYS["day"]:
        raise HTTPException(422, f"choose a first day that is not after the last, and at most {_MOST_DAYS['day']} days")
    fits = Asked(one, shapes, days, begin, end, zone, _step(step, span), "entered", number)
    if zone not in {ALL, *fits.names}:
        raise HTTPException(404, f"there is no zone or line {zone!r}")
    ways = list(fits.ways) or ["entered"]
    return Asked(one, shapes, days, begin, end, zone, fits.step, way if way in ways else ways[0], number)  # type: ignore[arg-type]


Wanted = Annotated[Asked, Depends(asked)]


@router.get("/zones/{processor}/counts")
def counts(request: Request, warehouse: Warehouse, choice: Chosen, may: CanEdit, wanted: Wanted) -> HTMLResponse:
    """Show what a processor counted: charts, journeys, stays, events and downloads."""
    one = wanted.one
    values: Row = {
        "one": one,
        "may": may,
        "days": wanted.days,
        "first": wanted.first,
        "last": wanted.last,
        "zone": wanted.zone,
        "step": wanted.step,
        "steps": [name for name, most in _MOST_DAYS.items() if (wanted.last - wanted.first).days < most],
        "way": wanted.way,
        "ways": wanted.ways,
        "names": wanted.names,
        "version": wanted.version,
        "versions": range(one.version, 0, -1),
        "filters": wanted.query,
        "range": {"first": wanted.first, "last": wanted.last, "version": wanted.version},
    }
    if wanted.days:
        events = _over(warehouse, wanted, "events")
        values |= {
            "totals": totals(_of(_over(warehouse, wanted, "days"), wanted.zone), wanted.ways),
            "matrix": matrix(_over(warehouse, wanted, "journeys").to_pylist(), wanted.zone),
            "dwell": dwell(events, wanted.zone),
            "events": newest_events(events, wanted.zone),
        }
    return render(request, "zone_counts.html", {**common(choice), **values})


@router.get("/api/zones/{processor}/counts")
def counts_json(warehouse: Warehouse, wanted: Wanted) -> Row:
    """Give what the charts draw: for each point how much of it was watched, and the counts; null is not known."""
    what: dict[Step, What] = {"minute": "minutes", "hour": "hours", "day": "days"}
    rows = _over(warehouse, wanted, what[wanted.step])
    everything = {_utc(row[wanted.step]): row for row in _of(rows, wanted.zone)}
    times = _times(everything, wanted.step)
    seconds = _LENGTHS[wanted.step].total_seconds()
    found = [everything.get(time) for time in times]
    watched = [round(min(row["watched_s"] / seconds, 1), 4) if row else 0 for row in found]
    inside = {"least": "inside_min", "mean": "inside_mean", "most": "inside_max"}
    shown = {word: _column(found, name) for word, name in inside.items()}
    return {
        "step": wanted.step,
        "step_minutes": seconds / 60,
        "way": WORDS[wanted.way],
        "times": [f"{time:%Y-%m-%dT%H:%MZ}" for time in times],
        "watched": watched,
        "flow": {word: _column(found, name) for name, word in wanted.ways.items()},
        "classes": _classes(rows, wanted, times, watched),
        "inside": {word: values for word, values in shown.items() if any(value is not None for value in values)},
    }


@router.get("/api/zones/{processor}/{what}.{form}")
def download(
    warehouse: Warehouse,
    wanted: Wanted,
    what: Literal["minutes", "hours", "days", "events", "journeys", "stays"],
    form: Literal["csv", "parquet"],
) -> Response:
    """Give counts of all zones and classes as a file."""
    from wayside.zones.downloads import download as made
    from wayside.zones.errors import QuestionError

    try:
        file = made(warehouse, wanted.one, what, wanted.period, form, version=wanted.version)
    except QuestionError as error:
        raise HTTPException(422, str(error)) from error
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.data, media_type=file.kind, headers=headers)


def counted_days(warehouse: Any, one: "Processor", version: int | None) -> list[date]:
    """List the days that a processor counted, by a version of its zones or by any, oldest first."""
    from wayside.core.tables import ZONE_MINUTES

    scopes = warehouse.scopes(ZONE_MINUTES, [one.source], cameras=[one.camera])
    return sorted({each.day for each in scopes if each.processor == one.number and version in {None, each.version}})


def _step(step: str, span: int) -> Step:
    """Return the points that suit so many days: those that are asked for, or wider ones."""
    order: tuple[Step, ...] = ("minute", "hour", "day")
    fitting = [name for name in order if span <= (_MOST_DAYS[name] if step else _MOST_DAYS[name] // 2)]
    return next((name for name in fitting if not step or order.index(name) >= order.index(step)), "day")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _over(warehouse: Any, wanted: Asked, what: "What") -> "pa.Table":
    from wayside.zones.errors import QuestionError
    from wayside.zones.rollup import counts_over

    try:
        return counts_over(warehouse, wanted.one, what, wanted.period, version=wanted.version)
    except QuestionError as error:
        raise HTTPException(422, str(error)) from error


def _of(rows: "pa.Table", zone: str) -> list[Row]:
    """Return the rows of a zone, over all classes."""
    import pyarrow.compute as pc

    listed: list[Row] = rows.filter((pc.field("zone") == zone) & (pc.field("label") == ALL)).to_pylist()
    return listed


def _times(known: Mapping[datetime, Row], step: Step) -> list[datetime]:
    """Return the points from the first that was watched to the last, one to spare at either side."""
    if not known:
        return []
    length = _LENGTHS[step]
    first, last = min(known), max(known)
    return [first + length * place for place in range(-1, (last - first) // length + 2)]


def _utc(moment: datetime | date) -> datetime:
    return moment if isinstance(moment, datetime) else _midnight(moment)


def _column(rows: Iterable[Row | None], name: str) -> list[float | None]:
    return [round(row[name], 3) if row and row[name] is not None else None for row in rows]


def _classes(rows: "pa.Table", wanted: Asked, times: list[datetime], watched: list[float]) -> dict[str, list[Any]]:
    """Return a column by class, the most frequent classes first; 0 where a point was watched and has no row."""
    import pyarrow.compute as pc

    place = (pc.field("zone") == wanted.zone) & (pc.field("label") != ALL)
    listed = rows.filter(place).select([wanted.step, "label", wanted.way]).to_pylist()
    values: dict[str, dict[datetime, int]] = {}
    for row in listed:
        values.setdefault(row["label"], {})[_utc(row[wanted.step])] = row[wanted.way]
    frequent = sorted(values, key=lambda label: (-sum(values[label].values()), label))
    return {
        label: [values[label].get(time, 0 if share else None) for time, share in zip(times, watched, strict=True)]
        for label in frequent[:_CLASSES]
        if any(values[label].values())
    }
