"""The stages of a run over an inbox: plan, do the shards, publish. DAGs, the command line and tests all call these.

A run may be killed anywhere and started again under the same name: planning looks at what lies in place, the shards go
on from the notes, and publishing the same rows twice changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError, StoreError, StoreUnavailableError
from wayside.core.ids import folder_id_of
from wayside.core.settings import Settings
from wayside.core.tables import ROAD_PHOTOS
from wayside.metadata.layouts import TableLayout, load_layout
from wayside.photos.access import Patience, Places, open_places
from wayside.photos.job import Expected, Job, expected, folder
from wayside.photos.journal import Journal, Note
from wayside.photos.picture import Work
from wayside.photos.plan import Shard, There, divide, look, name_clashes
from wayside.photos.proof import completed
from wayside.photos.receipts import publish_receipts
from wayside.photos.review import release, tidy_hold
from wayside.privacy.find import Finder, load_finder
from wayside.store.places import Entry
from wayside.vision.stream import Failure, stream
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, open_lake, to_arrow
from wayside.warehouse.scope import Scope

if TYPE_CHECKING:
    from google.cloud.storage import Client

_log = logging.getLogger(__name__)

Row = dict[str, Any]

AT_ONCE = 5000
"""Notes that are published together: each takes about 50 kB of memory."""
# What is held longer than this without a note waits for nobody.
_BEING_HELD = timedelta(days=1)


@dataclass(frozen=True)
class Plan:
    """What a run will do: its shards, and how many pictures there are, are done already, and how many other files."""

    shards: tuple[Shard, ...]
    identified: int
    done_before: int
    others: int

    @property
    def to_do(self) -> int:
        """Pictures that the shards hold."""
        return sum(shard.pictures for shard in self.shards)


class Batch:
    """One run.

    Args:
        settings: of this machine.
        job: the run.
        client: for places in Cloud Storage; without, Google's application default credentials are taken.
        finder: what finds the objects; by default the models of the profile, loaded when the first picture is done.
        clock: what time it is.
        wait: sleeps between two looks at a place that is out of reach.
    """

    def __init__(
        self,
        settings: Settings,
        job: Job,
        *,
        client: "Client | None" = None,
        finder: Finder | None = None,
        clock: Clock = utc_now,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self.settings = settings
        self.job = job
        self.warehouse = open_lake(settings)
        self.journal = Journal(settings.state / "photos", job.source)
        self.places: Places = open_places(job, settings.state / "photos", client)
        self.patience = Patience(job.profile.access) if wait is None else Patience(job.profile.access, wait)
        self.clock = clock
        self._finder = finder

    @cached_property
    def finder(self) -> Finder:
        """What finds the objects of this run."""
        return self._finder or load_finder(self.job.profile.masking.find, self.settings)

    @cached_property
    def table(self) -> TableLayout | None:
        """The layout that records are checked against, if any; raise `ConfigError` if there is no such layout."""
        which = self.job.profile.table or self.settings.photo_table
        return load_layout(which, self.settings.config / "photo_tables") if which else None

    def plan(self, *, dry_run: bool = False) -> Plan:
        """List the inbox, tell what is done, divide the rest, and keep the list of each shard.

        Raises:
            StoreUnavailableError: a place is out of reach, and patience is at its end.
            ConfigError: there is no such layout of a table.
        """
        _ = self.table
        listed = self.patience(lambda: list(self.places.input.entries()))
        if not dry_run:
            for place in self.places.written():
                place.sweep()
            self.journal.sweep(self.clock() - _BEING_HELD)
            tidy_hold(self.places, self.journal.notes(), self.clock() - _BEING_HELD)
        listed += self._deleted_in_passing({entry.key for entry in listed})
        found = look(self.job, self.warehouse, listed, self._there(listed))
        shards = []
        # Who is done has a right to the names of its files.
        clashes = name_clashes([*found.done, *(entry.key for entry in found.to_do)], self.job.profile)
        for shard, keys in divide(self.job, found.to_do):
            if not dry_run:
                refused = {key: clashes[key] for key in keys if key in clashes}
                self.warehouse.save_plan(shard.plan, {"pictures": keys, "clashes": refused})
            shards.append(shard)
        if not dry_run:
            self.warehouse.save_plan(_job_name(self.job.run), self.job.model_dump(mode="json"))
        return Plan(tuple(shards), len(found.to_do) + len(found.done), len(found.done), found.others)

    def do(self, shard: Shard, *, workers: int = 0) -> Iterator[Note]:
        """Do the pictures of a shard on several threads, and yield the note of each, in order.

        A picture that fails is noted down as failed; it stops no other.

        Raises:
            StoreUnavailableError: a place is out of reach, and patience is at its end, or not one of the pictures is
                there any more. What was done stays done.
            StoreError: a place refuses what the run needs, or the disk is full.
        """
        content = self.warehouse.load_plan(shard.plan)
        work = self._work({key: _clash(first) for key, first in content["clashes"].items()})
        gone = 0
        for done in stream(content["pictures"], work.do, workers=workers or self.settings.workers):
            note = self._failed(work, done) if isinstance(done, Failure) else done
            gone += note.row["reason"] == "gone" if note.row["status"] == "skipped" else 0
            yield note
        if gone > 1 and gone == len(content["pictures"]):
            raise StoreUnavailableError(
                f"not one of {gone} pictures is in {self.job.input} any more: mount the share again, or plan anew"
            )

    def release(self, notes: Sequence[Note], *, reviewer: str, rejected: Collection[str] = ()) -> list[Note]:
        """Put the held files of pictures in place, or throw them away; see `wayside.photos.review.release`."""
        return release(self._work({}), notes, reviewer=reviewer, rejected=rejected)

    def publish(self) -> dict[str, int]:
        """Publish rows and receipts of all notes of the source, those of earlier runs that were killed too.

        Returns:
            The number of pictures by status.
        """
        published: Counter[str] = Counter()
        notes = self.journal.notes()
        while part := list(islice(notes, AT_ONCE)):
            self._publish_part(part)
            published.update(note.row["status"] for note in part if note.state != "written")
        return dict(published)

    def _publish_part(self, notes: Sequence[Note]) -> None:
        receipts = [note for note in notes if note.state == "final" and note.receipt]
        publish_receipts(self.warehouse, self.job.source, [completed(note.receipt) for note in receipts], self.clock())
        by_folder: dict[str, list[Note]] = {}
        for note in notes:
            if note.state != "written":
                by_folder.setdefault(note.row["folder"], []).append(note)
        with locked(self.warehouse.root / "locks" / self.job.source):
            for folder, some in by_folder.items():
                self._publish(folder, some)
        for note in notes:
            if note.state == "final":
                self.journal.forget(note)

    def missing(self, keys: list[str]) -> Iterator[tuple[str, Expected, bool]]:
        """Yield every file that pictures make, and whether it is there."""
        for key in keys:
            for one in expected(key, self.job.profile, archive=self.places.archive is not None):
                yield key, one, self.patience(partial(self.places.at(one.where).entry, one.key)) is not None

    def _work(self, refused: Mapping[str, tuple[str, str]]) -> Work:
        return Work(
            self.job,
            self.places,
            self.journal,
            lambda: self.finder,
            self.patience,
            self.clock,
            refused,
            is_known=partial(has_job, self.warehouse),
            was_deleted=self._was_deleted,
            table=self.table,
        )

    def _was_deleted(self, key: str) -> bool:
        scope = Scope(self.job.source, folder=folder_id_of(folder(key)))
        rows = self.warehouse.read(ROAD_PHOTOS, scope).select(["photo", "status", "original"]).to_pylist()
        return {"photo": key, "status": "done", "original": "deleted"} in rows

    def _failed(self, work: Work, failure: Failure[str]) -> Note:
        """Note down what nobody foresaw; what is wrong with a place or the installation ends the shard."""
        error = failure.error
        if isinstance(error, (StoreError, ConfigError)):
            raise error
        _log.error("%s: %s", failure.item, error, exc_info=error)
        reason = "out_of_memory" if isinstance(error, MemoryError) else "unexpected"
        return work.fail(failure.item, reason, f"{type(error).__name__}; the log of the task tells more")

    def _publish(self, folder: str, notes: list[Note]) -> None:
        scope = Scope(self.job.source, folder=folder)
        rows = {row["photo"]: row for row in self.warehouse.read(ROAD_PHOTOS, scope).to_pylist()}
        for note in notes:
            known, new = rows.get(note.photo), _typed(note.row)
            # A picture that is done stays done where doing it once more failed, or where somebody took it away.
            worse = new["status"] == "skipped" or (new["status"] == "failed" and _same(known, new)) if known else False
            if not (known and known["status"] == "done" and worse):
                rows[note.photo] = new
        self.warehouse.publish(ROAD_PHOTOS, scope, to_arrow(ROAD_PHOTOS, list(rows.values())))

    def _deleted_in_passing(self, there: Collection[str]) -> list[Entry]:
        """Return pictures whose original was deleted right before a run was stopped: their notes are to be closed."""
        notes = [note for note in self.journal.notes() if note.state == "written" and note.photo not in there]
        return [Entry(note.photo, 0, "deleted", self.clock()) for note in notes]

    def _there(self, listed: list[Entry]) -> There:
        """List the places that this run writes to; the inbox is listed already."""
        sizes = {"input": {entry.key: entry.bytes for entry in listed}}
        wanted = {"output", *self.job.profile.write.records, *self.job.profile.write.previews}
        if self.places.archive is not None:
            wanted.add("archive")
        for where in sorted(wanted - {"input"}):
            sizes[where] = self.patience(partial(_sizes, self.places.at(where)))
        return There(sizes)


def has_job(warehouse: ParquetWarehouse, run: str) -> bool:
    """Tell whether a run was planned."""
    return warehouse.has_plan(_job_name(run))


def load_job(warehouse: ParquetWarehouse, run: str) -> Job:
    """Return the job of a run that was planned; raise `StoreError` if its plan is gone."""
    return Job.model_validate(warehouse.load_plan(_job_name(run)))


def _sizes(place: Any) -> dict[str, int]:
    return {entry.key: entry.bytes for entry in place.entries()}


def _same(known: Row, new: Row) -> bool:
    return bool(known["input_version"] == new["input_version"])


def _typed(row: Row) -> Row:
    """Return a row of a note with its times as times."""
    times = {name: datetime.fromisoformat(row[name]) for name in ("taken_at", "processed_at") if row.get(name)}
    return row | times


def _clash(first: str) -> tuple[str, str]:
    return "name_clash", f"its files would overwrite those of {first}: rename one of the two"


def _job_name(run: str) -> str:
    return f"photos-{run}-job"
