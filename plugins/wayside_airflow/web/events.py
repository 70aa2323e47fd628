"""Events of video archives: what moved in front of which camera and when, looked at and judged by people.

Videos are shown as they were recorded, people in them included. So whoever looks must be allowed to answer required
actions of the import, which is more than seeing pages; the same holds for pictures and cuts, see `event_files`.
"""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import parse_qs

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from wayside.core.clock import utc_now
from wayside.core.ids import camera_id, source_id
from wayside.core.settings import settings
from wayside_airflow.web import video_queries
from wayside_airflow.web.choice import Chosen, day_of
from wayside_airflow.web.context import Warehouse, render
from wayside_airflow.web.event_files import may_review
from wayside_airflow.web.queries import Row
from wayside_airflow.web.runs import airflow_root
from wayside_airflow.web.video_queries import EventFilter

if TYPE_CHECKING:
    from wayside.videos.reviews import Found
    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter(dependencies=[Depends(may_review)])

PER_PAGE: Final = 48
#: In the order in which the page offers them.
VERDICTS: Final = ("open", "accepted", "rejected", "relabelled")
Verdict = Literal["", "open", "accepted", "rejected", "relabelled"]
State = Literal["", "cut", "labelled", "failed"]
Hour = Annotated[int, Query(ge=0, le=23)]
#: Labels on a card; an event may bear many more.
_CHIPS: Final = 6
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FORM: Final = 2**16
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Wanted:
    """What the address of a page asks for; the day may be left open."""

    day: str = ""
    hour: str = ""
    camera: str = ""
    label: str = ""
    state: str = ""
    verdict: str = ""


def wanted(
    day: Annotated[str, Query(max_length=10)] = "",
    hour: Annotated[str, Query(pattern=r"^([01]?[0-9]|2[0-3])?$")] = "",
    camera: Annotated[str, Query(max_length=127)] = "",
    label: Annotated[str, Query(max_length=512)] = "",
    state: State = "",
    verdict: Verdict = "",
) -> Wanted:
    """Read the filters of the address."""
    return Wanted(day, hour, camera_id(camera) if camera else "", label, state, verdict)


Filters = Annotated[Wanted, Depends(wanted)]


@router.get("/events")
def events(
    request: Request,
    warehouse: Warehouse,
    choice: Chosen,
    filters: Filters,
    archive: Annotated[str, Query(max_length=63)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """Show the events of a day of an archive: a time line of each camera, and the cover of each event that fits."""
    archives = video_queries.archives(warehouse)
    archive = archive or _newest(warehouse, archives)
    common = {"tab": "events", "choice": choice, "archives": archives}
    if not archive:
        return render(request, "events.html", {**common, "archive": "", "grid": f"{airflow_root()}/dags"})
    if source_id(archive) not in archives:
        raise HTTPException(404, f"no archive with events is called {archive}")
    days = video_queries.event_days(warehouse, archive)
    fits = _filter(archive, filters, days)
    verdicts = video_queries.event_verdicts(warehouse, fits)
    everyone = sum(verdicts.values())
    found = verdicts.get(filters.verdict, 0) if filters.verdict else everyone
    pages = max(1, math.ceil(found / PER_PAGE))
    page = min(page, pages)
    rows = video_queries.events(warehouse, fits, filters.verdict, (page - 1) * PER_PAGE, PER_PAGE)
    labels = video_queries.event_labels(warehouse, fits, [row["event"] for row in rows])
    whole_day = EventFilter(archive, fits.day, label=fits.label, state=fits.state)
    lines = _lines(video_queries.event_hours(warehouse, whole_day))
    values = {
        **common,
        "archive": archive,
        "cards": [_card(row, labels.get(row["event"], [])) for row in rows],
        "day_shown": fits.day,
        **_around(days, fits.day),
        "lines": lines,
        "cameras": sorted({line["camera"] for line in lines} | ({fits.camera} if fits.camera else set())),
        "labels": video_queries.label_names(warehouse, archive, fits.day),
        "known": video_queries.known_labels(warehouse, archive, fits.day),
        "verdicts": {name: verdicts.get(name, 0) for name in VERDICTS},
        "everyone": everyone,
        "found": found,
        "page": page,
        "pages": pages,
        "filters": {"archive": archive, **asdict(filters), "day": fits.day},
    }
    return render(request, "events.html", values)


@router.get("/events/{archive}/{event}")
def one_event(
    request: Request, warehouse: Warehouse, choice: Chosen, filters: Filters, archive: str, event: str
) -> HTMLResponse:
    """Show one event: its cut, its pictures with what was found in them, where it comes from, and the verdict."""
    from wayside.core.tables import LABELS

    found = _found(warehouse, archive, event)
    row = found.event
    labels = [one for one in warehouse.read(LABELS, found.scope).to_pylist() if one["event"] == event]
    day = row["start_at"].date()
    fits = _filter(archive, filters, [day]) if filters.day else EventFilter(archive, day)
    values = {
        "tab": "events",
        "choice": choice,
        "archive": archive,
        "one": _card({**row, **_verdict(found.review)}, _summed(labels)),
        "images": _images(archive, row, labels),
        "file": _file(warehouse, found),
        "job": video_queries.job(warehouse, row["run"]) is not None,
        "known": video_queries.known_labels(warehouse, archive, day),
        **_steps(warehouse, fits, filters.verdict, event),
        "filters": {"day": day, **{name: value for name, value in asdict(filters).items() if value}},
    }
    return render(request, "event.html", values)


@router.post("/events/{archive}/{event}/verdict", response_model=None)
async def give_verdict(
    request: Request,
    warehouse: Warehouse,
    user: GetUserDep,
    archive: str,
    event: str,
    accept: Annotated[str, Header()] = "",
    sec_fetch_site: Annotated[str, Header()] = "",
) -> Response:
    """Write down what the user says of an event; the form has `verdict`, and `labels` where it is relabelled.

    `verdict` is accepted, rejected, relabelled, or `none` to take back what was said.
    """
    if sec_fetch_site not in {"", "same-origin", "none"}:
        raise HTTPException(403, "not from a page of another site")
    form = await _form(request)
    verdict = form.get("verdict", "")
    given = [label for text in (form.get("labels", ""),) for label in text.replace("\n", ",").split(",")]
    row = await asyncio.to_thread(_write, warehouse, archive, event, verdict, given, user.get_name())
    if "text/html" in accept:
        base = request.scope.get("root_path", "").rstrip("/")
        return RedirectResponse(f"{base}/events/{archive}/{event}", 303)
    return JSONResponse({"event": event, **_told(row)})


def _write(warehouse: Any, archive: str, event: str, verdict: str, labels: Sequence[str], author: str) -> Row | None:
    from wayside.videos.reviews import review

    found = _found(warehouse, archive, event)
    said = None if verdict == "none" else verdict
    given = labels if verdict == "relabelled" else ()
    return review(warehouse, archive, event, said, given, author=author, at=utc_now(), scope=found.scope)


async def _form(request: Request) -> dict[str, str]:
    """Read a small form; of a field that comes twice the last counts."""
    if not request.headers.get("content-type", "").lower().startswith(_FORM):
        raise HTTPException(415, f"send {_FORM} with the field `verdict`")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_FORM:
            raise HTTPException(413, f"the form has more than {_MOST_FORM} bytes")
    try:
        fields = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=16, errors="strict")
    except ValueError as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from error
    return {name: values[-1] for name, values in fields.items()}


def _found(warehouse: Any, archive: str, event: str) -> "Found":
    found = video_queries.event(warehouse, source_id(archive), event)
    if found is None:
        raise HTTPException(404, f"{archive} has no event {event}")
    return found


def _newest(warehouse: "ParquetWarehouse", archives: Sequence[str]) -> str:
    """Return the archive that was imported last, of those that have events; the first where no job says so."""
    imported = (row["source"] for row in video_queries.jobs(warehouse))
    return next((name for name in imported if name in archives), next(iter(archives), ""))


def _filter(archive: str, filters: Wanted, days: Sequence[date]) -> EventFilter:
    """Return the filter of a page: the day that is asked for, else the last one."""
    day = day_of(filters.day) if filters.day else days[-1] if days else utc_now().date()
    hour = int(filters.hour) if filters.hour else None
    return EventFilter(archive, day, hour, filters.camera, filters.label, filters.state)


def _around(days: Sequence[date], day: date) -> dict[str, date | None]:
    """Return the days with events before and after one."""
    return {
        "day_before": max((one for one in days if one < day), default=None),
        "day_after": min((one for one in days if one > day), default=None),
    }


def _lines(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the time line of each camera: events and open ones of each of 24 hours, and how dark each is, 0..1."""
    rows = list(rows)
    most = max((row["events"] for row in rows), default=0)
    lines: dict[str, dict[int, Row]] = {}
    for row in rows:
        shade = 0.25 + 0.75 * math.sqrt(row["events"] / most)
        lines.setdefault(row["camera"], {})[int(row["hour_of_day"])] = {**row, "shade": shade}
    return [
        {
            "camera": camera,
            "events": sum(int(row["events"]) for row in hours.values()),
            "open": sum(int(row["open"]) for row in hours.values()),
            "hours": [hours.get(hour) for hour in range(24)],
        }
        for camera, hours in sorted(lines.items())
    ]


def _card(row: Row, labels: Sequence[Row]) -> dict[str, Any]:
    """Return what a page says of an event. What a person says it shows stands in place of what a machine says."""
    given = _texts(row["given"])
    shown = [{"label": label, "probability": None} for label in given] if given else labels
    return {
        **row,
        "length": (row["end_at"] - row["start_at"]).total_seconds(),
        "colours": _texts(row["colours"]),
        "verdict": row["verdict"] or "open",
        "given": given,
        "labels": shown[:_CHIPS],
        "more": len(shown) - _CHIPS,
        "all_labels": shown,
        "machine": labels,
        "playable": row["segment"] is not None,
    }


def _verdict(review: Row | None) -> dict[str, Any]:
    names = {"verdict": "verdict", "labels": "given", "author": "author", "reviewed_at": "reviewed_at"}
    return {name: review and review[column] for column, name in names.items()}


def _told(review: Row | None) -> dict[str, Any]:
    said = _verdict(review)
    when = said["reviewed_at"]
    return {**said, "verdict": said["verdict"] or "open", "given": _texts(said["given"]),
            "reviewed_at": when and when.isoformat()}  # fmt: skip


def _summed(labels: Sequence[Row]) -> list[Row]:
    """Return each label of an event once, with its best probability and the pictures that bear it."""
    best: dict[str, float | None] = {}
    images = Counter(label for label, _ in {(one["label"], one["image_at"]) for one in labels})
    for one in labels:
        known = [value for value in (best.get(one["label"]), one["probability"]) if value is not None]
        best[one["label"]] = max(known, default=None)
    rows = [{"label": label, "probability": value, "images": images[label]} for label, value in best.items()]
    return sorted(rows, key=lambda row: (-row["images"], -(row["probability"] or 0), row["label"]))


def _images(archive: str, event: Row, labels: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the pictures of an event with the labels of each; times of labels without a picture come last."""
    from wayside.videos.shelf import Shelf

    by_time: dict[Any, list[Row]] = {}
    for one in labels:
        by_time.setdefault(one["image_at"], []).append({**one, "polygon": _points(one["polygon"])})
    said = Shelf(settings().state, archive).events_before(event["segment"]) if event["segment"] else None
    images = []
    for known in said.events if said else ():
        for number, picture in enumerate(known.pictures if known.event == event["event"] else ()):
            when = event["start_at"] + (picture.at_us - known.start_us) * _MICROSECOND
            images.append({**picture.model_dump(), "number": number, "at": when, "labels": by_time.pop(when, [])})
    images += [{"number": None, "at": when, "kind": None, "labels": found} for when, found in sorted(by_time.items())]
    return [{**one, "summary": _grouped(one["labels"])} for one in images]


def _grouped(labels: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the labels of one picture, each once, with how often it stands there and its best probability."""
    number = Counter(one["label"] for one in labels)
    return [{**row, "number": number[row["label"]]} for row in _summed(labels)]


def _file(warehouse: "ParquetWarehouse", found: "Found") -> dict[str, Any] | None:
    """Return the video that an event comes from."""
    from wayside.core.tables import SEGMENTS

    if found.event["segment"] is None:
        return None
    rows = warehouse.read(SEGMENTS, found.scope).to_pylist()
    row: Mapping[str, Any] | None = next((one for one in rows if one["segment"] == found.event["segment"]), None)
    return None if row is None else {**row, "name": PurePosixPath(row["uri"]).name}


def _steps(warehouse: "ParquetWarehouse", fits: EventFilter, verdict: str, event: str) -> dict[str, Any]:
    """Return the events before and after one, of those that fit; one that fits no more keeps its place.

    Who goes through what is open may go back to what was open a moment ago.
    """
    order = video_queries.event_order(warehouse, fits)
    here = next((place for place, row in enumerate(order) if row["event"] == event), None)
    if here is None:
        return {"before": None, "after": None}
    fitting = [place for place, row in enumerate(order) if verdict in {"", row["verdict"]}]
    earlier = range(here) if verdict == "open" else fitting
    before = max((place for place in earlier if place < here), default=None)
    after = min((place for place in fitting if place > here), default=None)
    return {
        "before": None if before is None else order[before]["event"],
        "after": None if after is None else order[after]["event"],
    }


def _points(text: str | None) -> list[tuple[float, float]]:
    try:
        return [(float(x), float(y)) for x, y in json.loads(text or "[]")]
    except (TypeError, ValueError):
        return []


def _texts(text: str | None) -> list[str]:
    """Read a JSON list of texts; anything else is an empty one."""
    try:
        said = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(one) for one in said] if isinstance(said, list) else []
