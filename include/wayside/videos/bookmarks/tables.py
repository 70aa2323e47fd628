"""Bookmarks out of the tables of events, labels and verdicts; `intake` puts them there."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from wayside.core.ids import source_id
from wayside.core.tables import CAMERAS, EVENT_REVIEWS, LABELS, VIDEO_EVENTS, VIDEO_FILES, VIDEO_JOBS
from wayside.videos.bookmarks.edit import filtered
from wayside.videos.bookmarks.intake import GAP, IMPORTED, ImportResult, import_bookmarks
from wayside.videos.bookmarks.model import (
    BookmarkEvent,
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    carried,
    time_of,
)
from wayside.videos.reviews import labels_of
from wayside.videos.whitelist import Whitelist
from wayside.warehouse.parquet import ParquetWarehouse, Row
from wayside.warehouse.scope import Scope

__all__ = ["GAP", "IMPORTED", "ImportResult", "bookmarks_of", "import_bookmarks"]

_BOX: Final = ("x1", "y1", "x2", "y2")
_MICROSECOND: Final = timedelta(microseconds=1)


def bookmarks_of(
    lake: ParquetWarehouse,
    source: str,
    *,
    cameras: Collection[str] | None = None,
    first: datetime | None = None,
    last: datetime | None = None,
    verdicts: bool = True,
    whitelist: Whitelist | Iterable[str] = (),
) -> Bookmarks:
    """Return the bookmarks of a source.

    An event without any label gives one image without labels, that of its cover. If all events are of one run, the job
    and its span are those of the run; a span that is asked for stands over it.

    Args:
        lake: the tables.
        source: the source.
        cameras: ids of the cameras that are wanted; None: all.
        first: images from then on.
        last: images before then.
        verdicts: whether what people said counts: events that they rejected are left out, those that they relabelled
            have their labels on every image, with the box and probability where a label is one of the machine's.
        whitelist: labels that are wanted; see `filtered`.
    """
    known = _Known(lake, source_id(source))
    images: list[BookmarkImage] = []
    runs: set[str] = set()
    for scope in lake.scopes(VIDEO_EVENTS, [source], cameras=None if cameras is None else sorted(cameras)):
        if last is not None and scope.hour is not None and scope.hour >= last:
            continue
        for event, found in _events(lake, scope, known, verdicts):
            inside = [one for one in found if (first is None or one.at >= first) and (last is None or one.at < last)]
            images += inside
            if inside:
                runs.add(event["run"])
    job, earliest, latest = _job_of(lake, source, runs)
    made = Bookmarks(job, first or earliest, last or latest, tuple(images))
    return filtered(made, whitelist if isinstance(whitelist, Whitelist) else Whitelist(tuple(whitelist)))


class _Known:
    """What the tables know of a source beside its events, read once."""

    def __init__(self, lake: ParquetWarehouse, source: str) -> None:
        self._lake = lake
        self._scope = Scope(source)

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of cameras for people, by id."""
        rows = self._lake.read(CAMERAS, self._scope).select(["camera", "name"]).to_pylist()
        return {row["camera"]: carried(row["name"]) for row in rows if row["name"]}

    @cached_property
    def files(self) -> dict[str, str]:
        """Paths of videos by SHA-256, of those that came first."""
        rows = self._lake.read(VIDEO_FILES, self._scope).select(["segment", "file", "alias_of"]).to_pylist()
        first = (row for row in rows if row["segment"] and row["alias_of"] is None)
        return {row["segment"]: carried(row["file"]) for row in first}


def _events(
    lake: ParquetWarehouse, scope: Scope, known: _Known, verdicts: bool
) -> Iterator[tuple[Row, list[BookmarkImage]]]:
    labels: defaultdict[str, list[Row]] = defaultdict(list)
    for row in lake.read(LABELS, scope).to_pylist():
        labels[row["event"]].append(row)
    reviews = {row["event"]: row for row in lake.read(EVENT_REVIEWS, scope).to_pylist()} if verdicts else {}
    for event in lake.read(VIDEO_EVENTS, scope).to_pylist():
        review = reviews.get(event["event"])
        if review is None or review["verdict"] != "rejected":
            images = _images(event, labels[event["event"]], known)
            instead = labels_of(review) if review is not None and review["verdict"] == "relabelled" else None
            yield event, images if instead is None else [_relabelled(image, instead) for image in images]


def _images(event: Row, labels: Iterable[Row], known: _Known) -> list[BookmarkImage]:
    """Return the images of an event, oldest first: those of an import as it had them, else those with a label."""
    said = {event["start_at"] + one["at"] * _MICROSECOND: one for one in json.loads(event.get("images") or "[]")}
    found: defaultdict[datetime, list[Row]] = defaultdict(list, {moment: [] for moment in said})
    for row in labels:
        found[row["image_at"]].append(row)
    if not found:
        found[event["cover_at"] or event["start_at"]] = []
    camera: str = event["camera"]
    of = BookmarkEvent(event["event"], event["start_at"], event["end_at"])
    own: Row = {"sha1": [event["sha1"]] if event["sha1"] else [], "sha256": event["segment"]}
    own["file"] = known.files.get(event["segment"] or "")
    return [
        BookmarkImage(
            moment,
            known.names.get(camera, camera),
            camera,
            tuple(_label(row) for row in sorted(found[moment], key=lambda row: row["ordinal"])),
            of,
            said.get(moment, own).get("file"),
            said.get(moment, own).get("sha256"),
            tuple(said.get(moment, own).get("sha1", ())),
        )
        for moment in sorted(found)
    ]


def _label(row: Row) -> BookmarkLabel:
    box = None
    if row["x1"] is not None:
        x1, y1, x2, y2 = (_shortest(row[name]) for name in _BOX)
        box = x1, y1, x2, y2
    polygon = tuple((float(x), float(y)) for x, y in json.loads(row["polygon"])) if row["polygon"] else None
    return BookmarkLabel(carried(row["label"]), row["probability"], box, polygon)


def _shortest(value: float) -> float:
    """Return the shortest number that is the same as 32 bits: 0.1, where these bits alone are 0.10000000149011612."""
    return float(str(np.float32(value)))


def _relabelled(image: BookmarkImage, names: Iterable[str]) -> BookmarkImage:
    """Put a person's labels in place of the machine's, which lend their boxes where the names are the same."""
    by_name: defaultdict[str, list[BookmarkLabel]] = defaultdict(list)
    for label in image.labels:
        by_name[label.name].append(label)
    return replace(
        image, labels=tuple(one for name in names for one in by_name.get(name) or [BookmarkLabel(carried(name))])
    )


def _job_of(
    lake: ParquetWarehouse, source: str, runs: Collection[str]
) -> tuple[str | None, datetime | None, datetime | None]:
    """Return the job of events that are all of one run, and its span as the job has it."""
    if len(runs) != 1:
        return None, None, None
    (run,) = runs
    rows = lake.read(VIDEO_JOBS, Scope(source, run=run)).to_pylist()
    request = json.loads(rows[0]["request"]) if rows else {}
    request = request.get("imported", request)
    earliest, latest = (request.get(name) for name in ("earliest_date", "latest_date"))
    return (
        request.get("job_id", run),
        time_of(earliest, "earliest_date") if earliest else None,
        time_of(latest, "latest_date") if latest else None,
    )
