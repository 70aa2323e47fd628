"""The stages of an import: scan, plan, process, label, publish, export; DAGs, command line and tests call these.

An import may be killed anywhere and started again, under the same name or another: what was hashed is not read again,
what was decoded is not decoded again, and publishing the same rows twice changes nothing.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError, StoreUnavailableError
from wayside.core.settings import Settings
from wayside.core.tables import VIDEO_FILES
from wayside.media.container import VideoLimits
from wayside.store.places import Place, open_place
from wayside.videos import jobs
from wayside.videos.export import Exported, export_labels
from wayside.videos.job import ImportJob, holds
from wayside.videos.labellers.base import EventPictures, LabelFailure, Labelled, Picture, SegmentFile, signature
from wayside.videos.ledger import Ledger
from wayside.videos.plan import VideoShard, assigned, divide, hash_map, shard_of, wanted
from wayside.videos.process import Cutter, Done
from wayside.videos.publish import Publisher
from wayside.videos.records import Assigned, Content
from wayside.videos.scan import Names, Progress, Scan, Scanned
from wayside.videos.shelf import EVENT, Event, SegmentEvents, Shelf, answer_of, at
from wayside.vision.stream import Failure, stream
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, open_lake
from wayside.warehouse.scope import Scope

if TYPE_CHECKING:
    from google.cloud.storage import Client

_log = logging.getLogger(__name__)

_SIGN_OF_LIFE: Final = 60.0  # seconds between two rows of a job at work


class Importer:
    """Everything that a run does.

    Args:
        settings: of the installation.
        job: what the run was told.
        client: for buckets; without, Google's application default credentials are taken.
        clock: what time it is.
    """

    def __init__(
        self, settings: Settings, job: ImportJob, *, client: "Client | None" = None, clock: Clock = utc_now
    ) -> None:
        self.settings = settings
        self.job = job
        self.clock = clock
        self.warehouse = open_lake(settings)
        self.place: Place = open_place(job.input, client)
        self.shelf = Shelf(settings.state, job.source)
        self._client = client

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the source, made when it is first asked."""
        return Ledger(self.shelf.root, self.clock)

    @property
    def _limits(self) -> VideoLimits:
        return VideoLimits.of(self.settings)

    def scan(self, progress: Progress = lambda *_: None) -> Scanned:
        """Look through the archive; every file becomes a row of the ledger.

        Raises:
            StoreUnavailableError: the archive is out of reach; what was read so far is known to the next run.
            ConfigError: there is no such folder, or the pattern takes too long.
        """
        self._keep_job()
        with locked(self.ledger.folder / "locks" / "scan"):  # a second run waits, and then finds all files known
            return Scan(self.job, self.place, self.ledger, self._limits, self.settings.workers).run(progress)

    def _keep_job(self) -> None:
        """Keep what this run is told under its name, but for the address of a label service, which may hold a secret.

        Raises:
            ConfigError: another archive has a run of this name, whose shards would be taken for those of this one.
        """
        if has_job(self.warehouse, self.job.run):
            other = self.warehouse.load_plan(_job_name(self.job.run))["source"]
            if other != self.job.source:
                raise ConfigError(f"the run {self.job.run} is one of the archive {other}: choose another name")
        told = self.job.model_dump(mode="json") | {"labeller": signature(self.job.labeller)}
        self.warehouse.save_plan(_job_name(self.job.run), told)

    def preview(self) -> dict[str, int]:
        """Count files by what their names say (`ok`, or a reason); nothing is read, and nothing written."""
        return Names(self.job, self.place, self._limits).count()

    def plan(self) -> list[VideoShard]:
        """Divide what is to be done into shards, and keep the list of each under the run's name.

        A run that is planned again gets the shards that it had, as far as no other run has taken videos over.

        Raises:
            ConfigError: they would be too many shards.
        """
        ledger = self.ledger
        items = wanted(self.job, ledger.contents(), ledger.without_files(), self.shelf)
        contents = [item.content for item in items]
        parts = divide(self.job, contents)
        shards = [shard_of(self.job, number, contents[part.start : part.stop]) for number, part in enumerate(parts)]
        for shard, part in zip(shards, parts, strict=True):
            some = contents[part.start : part.stop]
            document = {"contents": [one.sha256 for one in some], "hash_map": hash_map(some)}
            self.warehouse.save_plan(shard.plan, document)
        self.warehouse.save_plan(_shards_name(self.job.run), [shard.model_dump(mode="json") for shard in shards])
        ledger.assign(
            [
                one
                for number, part in enumerate(parts)
                for item in items[part.start : part.stop]
                if (one := assigned(self.job, item, number)) is not None
            ]
        )
        jobs.open_job(self.warehouse, self.job, shards, contents, self.clock())
        return shards

    def process(self, shard: VideoShard, *, workers: int = 0) -> Iterator[Done]:
        """Find the events of the videos of a shard, on several threads, and yield what became of each, in order.

        A video that fails is noted down with its reason; it stops no other.

        Raises:
            StoreUnavailableError: the archive is out of reach. What was done stays done.
            StoreError: something of ours cannot be written.
        """
        cutter = Cutter(self.job, self.place, self.ledger, self.shelf, self._limits)
        hashes = self.warehouse.load_plan(shard.plan)["contents"]
        self._note(shard, "running")
        told, gone = time.monotonic(), 0
        try:
            for done in stream(hashes, cutter.do, workers=workers or self.settings.workers):
                one = cutter.failed(done) if isinstance(done, Failure) else done
                gone += one.reason == "gone"
                if time.monotonic() - told > _SIGN_OF_LIFE:
                    self._note(shard, "running")
                    told = time.monotonic()
                yield one
        except Exception:
            self._note(shard, "failed")
            raise
        if gone > 1 and gone == len(hashes):
            self._note(shard, "failed")
            self._put_back(hashes)
            raise StoreUnavailableError(f"not one of {gone} videos is in {self.job.input} any more: mount it again")

    def to_label(self, shard: VideoShard) -> Iterator[EventPictures]:
        """Yield the events of a shard that nobody has answered for, and those that an earlier run asked for in vain."""
        for content, found in self._waiting(shard):
            if self.shelf.answer(content.sha256, content) is not None:
                continue
            for event in found.events:
                answer = self.shelf.answer(event.event, content)
                if answer is not None and (answer.reason is None or answer.run == self.job.run):
                    continue
                pictures = self._pictures(content, event)
                if pictures:
                    yield EventPictures(event.event, self.job.source, content.camera, pictures)
                else:
                    said = LabelFailure(event.event, "bad_picture", "there is no picture of this event")
                    self.labelled(event.event, said)

    def to_post(self, shard: VideoShard) -> Iterator[SegmentFile]:
        """Yield the videos of a shard that were not handed over, for a labeller that takes videos.

        Raises:
            ConfigError: the archive is no folder of this machine.
        """
        if self.job.input.startswith("gs://"):
            raise ConfigError("a hook takes videos from a folder of this machine, not from a bucket")
        for content, _ in self._waiting(shard):
            answer = self.shelf.answer(content.sha256, content)
            if answer is None or (answer.reason is not None and answer.run != self.job.run):
                yield segment_file(content, self.place)

    def labelled(self, event: str, said: Labelled | LabelFailure) -> None:
        """Keep what a labeller said about an event; of a video that was handed over, `event` is its SHA-256.

        May be called late, more than once, and by other processes than the one that asked: the last answer
        counts, but no failure counts after an answer; what nobody asks for any more is dropped.
        """
        content = self.ledger.content(event.partition("-")[0]) if EVENT.fullmatch(event) else None
        if content is None or not content.labelling or not holds(content.labelling, self.job.labelling_id()):
            _log.warning("an answer for %.100r is dropped: this run does not ask any more", event)
            return
        with self.ledger.answering(content.sha256):
            before = self.shelf.answer(event, content)
            if isinstance(said, LabelFailure) and before is not None and before.reason is None:
                return
            # A first answer needs no note: a content that waits for one is looked at by every publication.
            if before is not None or content.state != "processed":
                self.ledger.changed(content)
            self.shelf.save_answer(answer_of(said, content, self.job.run, signature(self.job.labeller)))

    def publish(self) -> dict[str, int]:
        """Publish what is known and not published, whichever run found it.

        Returns:
            The number of files by status.
        """
        counted = self._publisher().run()
        self._note_complete()
        return counted

    def export(self) -> list[Exported]:
        """Write the labels of the source, those of all runs, to the place of the job, one file for each format.

        Without such a place nothing is written. The format `v1` cannot say two things about one instant; where two
        cameras have pictures of the same millisecond it is refused, and the others are written.
        """
        if not self.job.export:
            return []
        ready = [one for one in self.ledger.contents("labelled") if one.published == one.revision]
        # Once something was written there, a folder that is absent is a share that was lost, and is not made anew.
        known = self.shelf.root / "places" / hashlib.sha256(self.job.export.encode()).hexdigest()[:16]
        place = open_place(self.job.export, self._client, create=True, known=known)
        place.sweep()
        done = export_labels(self.warehouse, self.job, place)
        self.ledger.exported(ready)
        self._publisher().publish_files()
        return done

    def has_shards(self) -> bool:
        """Tell whether this run was planned."""
        return self.warehouse.has_plan(_shards_name(self.job.run))

    def files(self) -> dict[str, int]:
        """Return the number of files by status, as they are published."""
        rows = self.warehouse.read(VIDEO_FILES, Scope(self.job.source)).select(["status"])
        return dict(sorted(Counter(rows["status"].to_pylist()).items()))

    def shards(self) -> list[VideoShard]:
        """Return the shards of this run as they were planned last."""
        return [VideoShard.model_validate(one) for one in self.warehouse.load_plan(_shards_name(self.job.run))]

    def _put_back(self, hashes: Collection[str]) -> None:
        """Let the next try of this run look for videos again that were not there."""
        known = (self.ledger.content(sha256) for sha256 in hashes)
        mine = [one for one in known if one is not None and (one.job, one.state) == (self.job.run, "failed")]
        self.ledger.assign(
            [Assigned(one, "planned", one.cut or "", one.labelling or "", self.job.run, one.shard or 0) for one in mine]
        )

    def _waiting(self, shard: VideoShard) -> Iterator[tuple[Content, SegmentEvents]]:
        """Yield the contents of a shard that are to be labelled by this run."""
        for sha256 in self.warehouse.load_plan(shard.plan)["contents"]:
            content = self.ledger.content(sha256)
            if content is None or content.state != "processed" or not content.labelling or content.job != self.job.run:
                continue
            found = self.shelf.events(content)
            if found is not None:
                yield content, found

    def _pictures(self, content: Content, event: Event) -> tuple[Picture, ...]:
        read = ((one, self.shelf.picture(event.event, number)) for number, one in enumerate(event.pictures))
        return tuple(
            Picture(at(content, one.at_us), jpeg, one.kind, one.width, one.height)
            for one, jpeg in read
            if jpeg is not None
        )

    def _publisher(self) -> Publisher:
        return Publisher(self.job, self.warehouse, self.ledger, self.shelf, self.place, self.clock)

    def _note(self, shard: VideoShard, state: jobs.ShardState) -> None:
        jobs.note(self.warehouse, self.job.source, self.job.run, {shard.shard_id: state}, self.clock())

    def _note_complete(self) -> None:
        """Note down which shards are done: those whose videos all are, or have failed."""
        open_ = {one.sha256 for one in self.ledger.contents("seen", "planned", "processed")}
        done: dict[str, jobs.ShardState] = {
            shard.shard_id: "complete"
            for shard in self.shards()
            if open_.isdisjoint(self.warehouse.load_plan(shard.plan)["contents"])
        }
        jobs.note(self.warehouse, self.job.source, self.job.run, done, self.clock())


def has_job(lake: ParquetWarehouse, run: str) -> bool:
    """Tell whether a run has begun: what it was told is kept from its scan on."""
    return lake.has_plan(_job_name(run))


def load_job(lake: ParquetWarehouse, run: str) -> ImportJob:
    """Return what a run was told; raise `StoreError` if that is gone."""
    return ImportJob.model_validate(lake.load_plan(_job_name(run)))


def segment_file(content: Content, place: Place) -> SegmentFile:
    """Return a content as a hook is given it."""
    return SegmentFile(
        camera=content.camera,
        file=content.first_file,
        path=Path(place.uri(content.first_file)),
        start_at=content.start_at,
        duration_s=content.duration_s,
        sha256=content.sha256,
        sha1=content.sha1,
        bytes=content.bytes,
        lat=content.lat,
        lng=content.lng,
    )


def _job_name(run: str) -> str:
    return f"videos-{run}-job"


def _shards_name(run: str) -> str:
    return f"videos-{run}-shards"
