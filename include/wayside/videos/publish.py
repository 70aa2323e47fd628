"""From what an import found to tables: segments, events and labels by camera and hour, and the list of files.

What is published of an hour replaces the rows of those videos that changed; rows of other videos, and of labels that
were imported, stay. A video moves on in the ledger only after its rows are in place, so that a run that is killed in
between publishes them once more, which changes nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from wayside.core.clock import Clock
from wayside.core.tables import (
    CAMERAS,
    EVENT_REVIEWS,
    LABELS,
    SCHEMA_VERSION,
    SEGMENTS,
    VIDEO_EVENTS,
    VIDEO_FILES,
    Table,
)
from wayside.store.places import Place
from wayside.videos.job import ImportJob
from wayside.videos.ledger import Ledger
from wayside.videos.records import Content, FileRow, State
from wayside.videos.shelf import Answer, Event, SegmentEvents, Shelf, at, picture_key
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

Row = dict[str, Any]
Hour = tuple[str, datetime]

_DONE: Final[frozenset[State]] = frozenset({"processed", "labelled", "exported"})


@dataclass(frozen=True)
class Result:
    """What is known of a content at one revision: its events, and the answers to those that have one.

    `whole` answers for the content as a whole, where the labeller takes videos.
    """

    content: Content
    found: SegmentEvents
    answers: dict[str, Answer]
    whole: Answer | None

    @property
    def is_complete(self) -> bool:
        """Whether nobody has to be waited for."""
        return not self.content.labelling or self.whole is not None or len(self.answers) == len(self.found.events)

    @property
    def step(self) -> tuple[Content, State, int]:
        """What the ledger has to be told once this is published."""
        return self.content, self.state, self.unanswered

    @property
    def moved_from(self) -> Hour | None:
        """The hour in which its rows lie, if that is not where they belong."""
        there = self.content.at_camera, self.content.at_hour
        return None if there in {(None, None), (self.content.camera, self.content.hour)} else cast("Hour", there)

    @property
    def is_news(self) -> bool:
        """Whether the ledger does not say yet that this is published."""
        moves_on = self.content.state == "processed" and self.is_complete
        return moves_on or self.content.published < self.content.revision

    @property
    def unanswered(self) -> int:
        """How many events have no labels because labelling failed."""
        if self.whole is not None and self.whole.reason:
            return max(1, len(self.found.events))
        return sum(answer.reason is not None for answer in self.answers.values())

    @property
    def state(self) -> State:
        """How far the content is once this is published."""
        return "labelled" if self.is_complete else "processed"


def result_of(ledger: Ledger, shelf: Shelf, sha256: str) -> Result | None:
    """Return what is known of a content now, None if its events are not there, or are to be found anew."""
    with ledger.answering(sha256):
        content = ledger.content(sha256)
        if content is None or content.state not in _DONE:
            return None
        found = shelf.events(content)
        if found is None:
            return None
        said = {one.event: shelf.answer(one.event, content) for one in found.events}
        whole = shelf.answer(sha256, content)
        return Result(content, found, {event: answer for event, answer in said.items() if answer}, whole)


class Publisher:
    """Publishes what a source's imports have found.

    Args:
        job: the run that publishes.
        lake: where to.
        ledger: of the source.
        shelf: where events and labels are kept.
        place: where the videos lie.
        clock: what time it is.
    """

    def __init__(
        self, job: ImportJob, lake: ParquetWarehouse, ledger: Ledger, shelf: Shelf, place: Place, clock: Clock
    ) -> None:
        self._source = job.source
        self._run = job.run
        self._lake = lake
        self._ledger = ledger
        self._shelf = shelf
        self._place = place
        self._clock = clock

    def run(self) -> dict[str, int]:
        """Publish what is known and not published, whichever run found it; return the number of files by status."""
        hours: dict[Hour, None] = {}
        news = self._ledger.unpublished()
        for content in news:
            hours[content.camera, content.hour] = None
            if content.at_camera and content.at_hour:
                hours[content.at_camera, content.at_hour] = None
        later = []
        for camera, hour in hours:
            with self._locked():
                done = self._publish_hour(camera, hour)
            self._ledger.published([one.step for one in done if one.moved_from is None])
            later += [one.step for one in done if one.moved_from is not None]
        # What has moved lies in two hours: it goes on when both are published.
        self._ledger.published(later)
        self._forget([content for content in news if content.state == "replaced"])
        contents = self._ledger.contents()
        with self._locked():
            self._publish_cameras(contents)
        return self.publish_files()

    def _forget(self, replaced: Sequence[Content]) -> None:
        """Remove pictures and answers of videos that were replaced, whose rows are gone; verdicts stay."""
        for content in replaced:
            found = self._shelf.events_before(content.sha256)
            for event in found.events if found else ():
                self._shelf.drop(event.event)
        self._ledger.published([(content, "replaced", 0) for content in replaced])

    def publish_files(self) -> dict[str, int]:
        """Publish the list of files as the ledger has it; return the number of files by status."""
        with self._locked():
            by_hash = {content.sha256: content for content in self._ledger.contents()}
            rows = [self._file(file, by_hash) for file in self._ledger.files().values()]
            self._lake.publish(VIDEO_FILES, Scope(self._source), to_arrow(VIDEO_FILES, rows))
        return dict(sorted(Counter(row["status"] for row in rows).items()))

    def _locked(self) -> Any:
        return locked(self._lake.root / "locks" / self._source)

    def _publish_hour(self, camera: str, hour: datetime) -> list[Result]:
        """Publish the videos of a camera and hour, and take away rows of those that have moved or were replaced.

        Returns:
            Those of which the ledger does not know yet that they are published.
        """
        changed = self._ledger.of_hour(camera, hour)
        results = [one for content in changed if (one := result_of(self._ledger, self._shelf, content.sha256))]
        here = [one for one in results if (one.content.camera, one.content.hour) == (camera, hour)]
        hashes = {one.content.sha256 for one in results}
        hashes |= {content.sha256 for content in changed if content.state == "replaced"}
        scope = Scope(self._source, camera=camera, hour=hour)
        others = [row for row in self._read(SEGMENTS, scope) if row["segment"] not in hashes]
        self._put(SEGMENTS, scope, [*others, *(self._segment(one.content) for one in here)])
        events = [self._event(one, event) for one in here for event in one.found.events]
        ours = {row["event"] for row in events}
        # An event that was imported may turn out to be one of ours.
        kept = [
            row for row in self._read(VIDEO_EVENTS, scope) if row["segment"] not in hashes and row["event"] not in ours
        ]
        self._put(VIDEO_EVENTS, scope, [*kept, *events])
        theirs = {row["event"] for row in kept}
        labels = [row for row in self._read(LABELS, scope) if row["event"] in theirs]
        self._put(LABELS, scope, [*labels, *(row for one in here for row in self._labels(one))])
        for one in here:
            self._move_verdicts(one)
        return [one for one in here if one.is_news]

    def _move_verdicts(self, result: Result) -> None:
        """Take verdicts along with events that have moved to another camera or hour."""
        if result.moved_from is None:
            return
        old = Scope(self._source, camera=result.moved_from[0], hour=result.moved_from[1])
        new = Scope(self._source, camera=result.content.camera, hour=result.content.hour)
        events = {one.event for one in result.found.events}
        reviews = self._read(EVENT_REVIEWS, old)
        moving = {row["event"]: row | self._where(result.content) for row in reviews if row["event"] in events}
        if moving:
            there = {row["event"]: row for row in self._read(EVENT_REVIEWS, new)}
            self._put(EVENT_REVIEWS, new, list((moving | there).values()))
            self._put(EVENT_REVIEWS, old, [row for row in reviews if row["event"] not in events])

    def _read(self, table: Table, scope: Scope) -> list[Row]:
        return cast("list[Row]", self._lake.read(table, scope).to_pylist())

    def _put(self, table: Table, scope: Scope, rows: Sequence[Row]) -> None:
        if rows or self._lake.published(table, scope):
            self._lake.publish(table, scope, to_arrow(table, rows))

    def _where(self, content: Content) -> Row:
        return {"source": self._source, "camera": content.camera, "hour": content.hour}

    def _segment(self, content: Content) -> Row:
        same = ("sha1", "start_at", "zone", "duration_s", "fps", "variable_fps", "frames", "width", "height")
        return {
            **self._where(content),
            **{name: getattr(content, name) for name in (*same, "rotation", "codec", "audio", "bytes", "lat")},
            "segment": content.sha256,
            "uri": self._place.uri(content.first_file),
            "end_at": at(content, round(content.duration_s * 1_000_000)),
            "sequence": None,
            "discontinuity": False,
            "lon": content.lng,
            "run": content.job or self._run,
        }

    def _event(self, result: Result, event: Event) -> Row:
        content, answer = result.content, result.answers.get(event.event) or result.whole
        cover = next((one for one in event.pictures if one.kind == "cover"), None)
        labelled = answer is not None and answer is not result.whole
        return {
            **self._where(content),
            "event": event.event,
            "segment": content.sha256,
            "sha1": content.sha1,
            "start_at": at(content, event.start_us),
            "end_at": at(content, event.end_us),
            "start_s": event.start_us / 1_000_000,
            "end_s": event.end_us / 1_000_000,
            "score": event.score,
            "cover_at": at(content, cover.at_us) if cover else None,
            "cover": picture_key(event.event, 0) if cover else None,
            "colours": json.dumps(event.colours),
            "direction": event.direction,
            "state": "failed" if answer and answer.reason else "labelled" if labelled else "cut",
            "reason": answer.reason if answer else None,
            "labeller": answer.labeller if answer else None,
            "run": content.job or self._run,
        }

    def _labels(self, result: Result) -> Iterable[Row]:
        for answer in result.answers.values():
            ordinals: Counter[int] = Counter()
            for label in answer.labels:
                yield {
                    **self._where(result.content),
                    "event": answer.event,
                    "image_at": at(result.content, label.at_us),
                    "ordinal": ordinals[label.at_us],
                    "label": label.name,
                    "probability": label.probability,
                    **dict(zip(("x1", "y1", "x2", "y2"), label.box or (None,) * 4, strict=True)),
                    "polygon": json.dumps(label.polygon) if label.polygon else None,
                    "labeller": answer.labeller,
                    "model_sha256": answer.model_sha256,
                }
                ordinals[label.at_us] += 1

    def _publish_cameras(self, contents: Sequence[Content]) -> None:
        """Add the cameras that were seen; what is known of one already stays, but for its position.

        One that all videos and events have left, for a name with a suffix say, goes.
        """
        rows = {row["camera"]: row for row in self._lake.read(CAMERAS, Scope(self._source)).to_pylist()}
        for camera in rows.keys() - {content.camera for content in contents}:
            if self._is_left(camera):
                del rows[camera]
        for content in contents:
            new = {"source": self._source, "camera": content.camera, "name": content.camera}
            row = rows.setdefault(content.camera, dict.fromkeys(CAMERAS.schema.names) | new)
            if content.lat is not None:
                row |= {"lat": content.lat, "lon": content.lng}
        current = [row | {"schema_version": SCHEMA_VERSION} for row in rows.values()]
        self._lake.publish(CAMERAS, Scope(self._source), to_arrow(CAMERAS, current))

    def _is_left(self, camera: str) -> bool:
        """Tell whether a camera had rows, and has none any more."""
        scopes = [
            (table, scope)
            for table in (VIDEO_EVENTS, SEGMENTS)
            for scope in self._lake.scopes(table, [self._source], cameras=[camera])
        ]
        return bool(scopes) and not any(self._lake.read(table, scope).num_rows for table, scope in scopes)

    def _file(self, file: FileRow, contents: dict[str, Content]) -> Row:
        content = contents.get(file.sha256 or "") if file.reason is None else None
        row = {
            "source": self._source,
            "file": file.path,
            "status": "quarantined",
            "reason": file.reason,
            "detail": file.detail,
            "alias_of": None,
            "segment": file.sha256,
            "sha1": content.sha1 if content else None,
            "bytes": file.bytes,
            "camera": file.camera,
            "start_at": file.start_at,
            "duration_s": content.duration_s if content else None,
            "events": None,
            "run": file.run,
            "updated_at": file.updated_at,
        }
        if content is None:
            return row
        if content.first_file != file.path:
            return row | {"status": "alias", "alias_of": content.first_file}
        return row | _progress(file, content)


def _progress(file: FileRow, content: Content) -> Row:
    """Say how far a file is that stands for a content."""
    row: Row = {"events": content.events, "updated_at": max(file.updated_at, content.updated_at)}
    if content.state in _DONE:
        said = {"reason": content.reason, "detail": content.detail} if content.reason else {}
        return row | {"status": content.state} | said
    if content.state == "failed":
        return row | {"status": "quarantined", "reason": content.reason, "detail": content.detail}
    if not file.present:
        gone = {"reason": "gone", "detail": "the file was taken away before it was looked into"}
        return row | {"status": "quarantined"} | gone
    return row | {"status": "planned"}
