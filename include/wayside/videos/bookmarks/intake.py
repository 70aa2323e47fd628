"""Bookmarks into the tables of events and labels.

An import makes events of images that are close together. Their ids follow from what is imported, so that importing it
again changes nothing. Events that were cut out of our own videos are never touched by an import.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.ids import camera_id, source_id
from wayside.core.tables import CAMERAS, LABELS, VIDEO_EVENTS, VIDEO_JOBS, Table
from wayside.videos.bookmarks.jsonfile import write_v2
from wayside.videos.bookmarks.model import BookmarkEvent, BookmarkImage, Bookmarks, text_of
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

IMPORTED: Final = "import"
"""The labeller of what was imported."""
GAP: Final = timedelta(seconds=10)
"""Images of a camera that are closer than this are of one event, unless they say of which."""

_EVENT_ID: Final = re.compile(r"[0-9a-f]{16}-[0-9]{1,12}")
_BOX: Final = ("x1", "y1", "x2", "y2")
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Attributes:
        run: its name, the id of its job.
        images, labels, events: how many were put into the tables, those included that were there already.
        kept: events that Wayside cut itself and that stay as they are.
        cameras: those that were new to the source.
        changed: scopes of tables whose rows changed; 0 where all of it was there.
    """

    run: str
    images: int
    labels: int
    events: int
    kept: int
    cameras: tuple[str, ...]
    changed: int


def import_bookmarks(
    lake: ParquetWarehouse, source: str, bookmarks: Bookmarks, who: str, clock: Clock = utc_now
) -> ImportResult:
    """Put bookmarks into the tables of a source, in place of what an earlier import of them put there.

    Killed anywhere and started again it ends with the same tables.

    Args:
        lake: the tables.
        source: name of the archive.
        bookmarks: what to import. A camera is known by its id, or by its name where that is valid as an id.
        who: who imports it.
        clock: what time it is, for the row of the job.

    Raises:
        ConfigError: a camera has no name that can be an id, or an event is of two cameras.
    """
    source_id(source)
    named = replace(bookmarks, images=tuple(_identified(bookmarks.images)))
    job = hashlib.sha256((named.job or write_v2(named).decode()).encode()).hexdigest()[:16]
    # Named with its archive: a file may be imported into two, and each is a job.
    run = f"{IMPORTED}-{hashlib.sha256(f'{source}/{job}'.encode()).hexdigest()[:16]}"
    rows = [_Imported(source, run, event, images) for event, images in _grouped(named.images, job)]
    by_hour: defaultdict[Scope, list[_Imported]] = defaultdict(list)
    for one in rows:
        by_hour[one.scope].append(one)
    with locked(lake.root / "locks" / source):
        new = _publish_cameras(lake, source, named.images)
        done, cut = _Done(), _cut(lake, source, named.images)
        for scope in sorted(by_hour, key=str):
            fresh = [one for one in by_hour[scope] if one.event.id not in cut]
            done.kept += len(by_hour[scope]) - len(fresh)
            _splice(lake, scope, fresh, done)
        done.changed += bool(new) + _publish_job(lake, source, run, named, who, clock)
    return ImportResult(run, done.images, done.labels, done.events, done.kept, new, done.changed)


@dataclass(frozen=True)
class _Imported:
    """An event to be published with its images."""

    source: str
    run: str
    event: BookmarkEvent
    images: tuple[BookmarkImage, ...]

    def __post_init__(self) -> None:
        for before, after in pairwise(self.images):
            if before.at == after.at:
                raise ConfigError(f"camera {after.camera_id} has two images of {text_of(after.at)}")

    @cached_property
    def scope(self) -> Scope:
        hour = self.event.start.replace(minute=0, second=0, microsecond=0)
        return Scope(self.source, camera=self.images[0].camera_id, hour=hour)

    @property
    def where(self) -> Row:
        return {
            "source": self.source,
            "camera": self.scope.camera,
            "hour": self.scope.hour,
            "event": self.event.id,
        }

    def row(self) -> Row:
        """Return the row of `video_events`."""
        common = set.intersection(*(set(image.sha1) for image in self.images))
        return {
            **self.where,
            "sha1": min(common) if len(common) == 1 else None,
            "start_at": self.event.start,
            "end_at": self.event.end,
            "score": 0.0,
            "colours": "[]",
            "state": "labelled",
            "labeller": IMPORTED,
            "run": self.run,
            "images": json.dumps([_said(image, self.event.start) for image in self.images], ensure_ascii=False),
        }

    def labels(self) -> Iterator[Row]:
        """Yield the rows of `labels`."""
        for image in self.images:
            for ordinal, label in enumerate(image.labels):
                yield {
                    **self.where,
                    "image_at": image.at,
                    "ordinal": ordinal,
                    "label": label.name,
                    "probability": label.probability,
                    **dict(zip(_BOX, label.box or (None,) * 4, strict=True)),
                    "polygon": json.dumps(label.polygon) if label.polygon else None,
                    "labeller": IMPORTED,
                }


@dataclass
class _Done:
    images: int = 0
    labels: int = 0
    events: int = 0
    kept: int = 0
    changed: int = 0


def _said(image: BookmarkImage, start: datetime) -> Mapping[str, Any]:
    said = {"sha1": list(image.sha1), "sha256": image.source_sha256, "file": image.source_file}
    return {"at": (image.at - start) // _MICROSECOND} | {name: value for name, value in said.items() if value}


def _identified(images: Iterable[BookmarkImage]) -> Iterator[BookmarkImage]:
    """Give each image a camera id that is valid: its own, or the camera's name."""
    for image in images:
        valid = [name for name in (image.camera_id, image.camera) if name and _is_id(name)]
        if not valid:
            raise ConfigError(
                f"the camera {image.camera!r} cannot keep its name as an id here: letters, digits, '.', '_' and '-' "
                f"are allowed; give it one, such as {image.camera}=north-1"
            )
        yield replace(image, camera_id=valid[0])


def _is_id(name: str) -> bool:
    try:
        return bool(camera_id(name))
    except InvalidIdentifierError:
        return False


def _grouped(images: Iterable[BookmarkImage], job: str) -> Iterator[tuple[BookmarkEvent, tuple[BookmarkImage, ...]]]:
    """Divide images into events: those that they say, else those of a camera that are close together."""
    known: defaultdict[str, list[BookmarkImage]] = defaultdict(list)
    loose: defaultdict[str, list[BookmarkImage]] = defaultdict(list)
    for image in images:
        if image.event is not None:
            known[image.event.id].append(image)
        else:
            loose[str(image.camera_id)].append(image)
    for name, found in known.items():
        if len({(image.camera_id, image.event) for image in found}) > 1:
            raise ConfigError(f"event {name} is of two cameras, or begins and ends at two times")
        event = found[0].event or BookmarkEvent(name, found[0].at, found[-1].at)
        ours = name if _EVENT_ID.fullmatch(name) else _id(job, str(found[0].camera_id), name)
        yield replace(event, id=ours), tuple(found)
    for camera, alone in loose.items():
        for found in _runs(alone):
            first, last = found[0].at, found[-1].at
            yield BookmarkEvent(_id(job, camera, text_of(first)), first, last), tuple(found)


def _runs(images: list[BookmarkImage]) -> Iterator[list[BookmarkImage]]:
    """Divide the images of a camera, oldest first, where the gap between two is long."""
    begun: list[BookmarkImage] = []
    for image in images:
        if begun and image.at - begun[-1].at >= GAP:
            yield begun
            begun = []
        begun.append(image)
    if begun:
        yield begun


def _id(*parts: str) -> str:
    """Return an id in the form that events of videos have; its digits are of no video's hash."""
    return f"{hashlib.sha256(json.dumps([IMPORTED, *parts]).encode()).hexdigest()[:16]}-0"


def _cut(lake: ParquetWarehouse, source: str, images: Iterable[BookmarkImage]) -> set[str]:
    """Return the ids of events that Wayside cut itself, of those cameras whose images say of which event they are.

    Such an event lies in the hour of its video, which need not be its own.
    """
    cameras = {str(image.camera_id) for image in images if image.event is not None}
    scopes = lake.scopes(VIDEO_EVENTS, [source], cameras=sorted(cameras)) if cameras else []
    rows = (row for scope in scopes for row in lake.read(VIDEO_EVENTS, scope).select(["event", "segment"]).to_pylist())
    return {row["event"] for row in rows if row["segment"] is not None}


def _splice(lake: ParquetWarehouse, scope: Scope, fresh: Collection[_Imported], done: _Done) -> None:
    """Put events into an hour in place of those of the same id."""
    there = lake.read(VIDEO_EVENTS, scope).to_pylist()
    new = {one.event.id for one in fresh}
    done.events += len(fresh)
    done.images += sum(len(one.images) for one in fresh)
    done.labels += sum(len(image.labels) for one in fresh for image in one.images)
    labels = [row for row in lake.read(LABELS, scope).to_pylist() if row["event"] not in new]
    # Labels first: without its event nobody reads a label.
    done.changed += _publish(lake, LABELS, scope, [*labels, *(row for one in fresh for row in one.labels())])
    events = [row for row in there if row["event"] not in new]
    done.changed += _publish(lake, VIDEO_EVENTS, scope, [*events, *(one.row() for one in fresh)])


def _publish(lake: ParquetWarehouse, table: Table, scope: Scope, rows: list[Row]) -> bool:
    """Publish rows and tell whether they are others than before."""
    made = to_arrow(table, rows)
    if lake.read(table, scope).equals(made):
        return False
    lake.publish(table, scope, made)
    return True


def _publish_cameras(lake: ParquetWarehouse, source: str, images: Iterable[BookmarkImage]) -> tuple[str, ...]:
    """Add cameras that the source lacks; return their ids."""
    rows = lake.read(CAMERAS, Scope(source)).to_pylist()
    known = {row["camera"] for row in rows}
    new = {str(image.camera_id): image.camera for image in images if image.camera_id not in known}
    if new:
        added = [{"source": source, "camera": camera, "name": name} for camera, name in new.items()]
        lake.publish(CAMERAS, Scope(source), to_arrow(CAMERAS, [*rows, *added]))
    return tuple(sorted(new))


def _publish_job(lake: ParquetWarehouse, source: str, run: str, bookmarks: Bookmarks, who: str, clock: Clock) -> bool:
    """Write down that and by whom this was imported; the row stays if the same was imported before."""
    scope = Scope(source, run=run)
    there = lake.read(VIDEO_JOBS, scope).to_pylist()
    request = _request(bookmarks, who)
    if there and json.loads(there[0]["request"]) | {"who": who} == request:
        return False
    now = clock()
    row = {
        "source": source,
        "run": run,
        "request": json.dumps(request, ensure_ascii=False),
        "shards": "{}",
        "status": "complete",
        "items": 0,
        "planned_at": there[0]["planned_at"] if there else now,
        "updated_at": now,
    }
    lake.publish(VIDEO_JOBS, scope, to_arrow(VIDEO_JOBS, [row]))
    return True


def _request(bookmarks: Bookmarks, who: str) -> dict[str, Any]:
    """Return what was asked for in the documented shape of a job, and what the file said of its own.

    The job's span takes in all images; that of a file of the video importer need not.
    """
    moments = [image.at for image in bookmarks.images]
    earliest = min([*moments, bookmarks.earliest] if bookmarks.earliest else moments, default=None)
    latest = max((moment + _MICROSECOND for moment in moments), default=None)
    if bookmarks.latest:
        latest = max(bookmarks.latest, latest or bookmarks.latest)
    return {
        "kind": IMPORTED,
        "who": who,
        "item_count": 0,
        "item_average_size_bytes": 0,
        "cameras": [{"name": name} for name in sorted({str(image.camera_id) for image in bookmarks.images})],
        "earliest_date": text_of(earliest) if earliest else None,
        "latest_date": text_of(latest) if latest else None,
        "imported": {
            "job_id": bookmarks.job,
            "earliest_date": text_of(bookmarks.earliest) if bookmarks.earliest else None,
            "latest_date": text_of(bookmarks.latest) if bookmarks.latest else None,
        },
    }
