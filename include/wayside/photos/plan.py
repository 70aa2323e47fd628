"""Which pictures a run has to do: everything in the inbox that is not done, divided into shards of known work.

What is done follows from the published row of a picture and from the files that lie in place, never from what an
earlier run remembers to have done.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from wayside.core.ids import folder_id_of
from wayside.core.tables import ROAD_PHOTOS
from wayside.photos.job import Expected, Job, expected, folder, is_photo
from wayside.photos.profile import Profile
from wayside.store.places import Entry
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope

Row = dict[str, Any]


class Shard(BaseModel):
    """Some pictures of a run, kept in the plan `photos-<run>-<part>`; what tasks hand on."""

    model_config = ConfigDict(frozen=True)

    source: str
    run: str
    part: int
    parts: int
    first: str
    pictures: int

    @property
    def label(self) -> str:
        """Say for people which pictures these are."""
        return f"{self.source} {self.part + 1}/{self.parts} {self.first}"

    @property
    def plan(self) -> str:
        """The name of the plan that lists its pictures."""
        return f"photos-{self.run}-{self.part}"


@dataclass(frozen=True)
class Found:
    """What lies in the inbox: pictures to do, pictures that are done, other files."""

    to_do: list[Entry]
    done: list[str]
    others: int


def look(job: Job, lake: ParquetWarehouse, entries: Iterable[Entry], there: "There") -> Found:
    """Tell pictures that are done from those that are not.

    Args:
        job: the run.
        lake: where the rows of earlier runs are published.
        entries: every file of the inbox.
        there: what lies at the other places.
    """
    to_do, done, others = [], [], 0
    rows = _Rows(lake, job.source)
    for entry in entries:
        if not is_photo(entry.key):
            others += 1
        elif is_done(job, rows.of(entry.key), entry, there):
            done.append(entry.key)
        else:
            to_do.append(entry)
    return Found(to_do, done, others)


def is_done(job: Job, row: Row | None, entry: Entry, there: "There") -> bool:
    """Tell whether nothing is left to do: unchanged, under this very profile, and done with all files in place.

    So is what a person has rejected.
    """
    if row is None or row["input_version"] != entry.version or row["profile_sha256"] != job.profile.sha256:
        return False
    if job.profile.redo and row["run"] != job.run:
        return False
    if row["status"] == "failed":
        return bool(row["reason"] == "rejected")  # who said so need not be asked again
    if row["status"] != "done" or job.profile.delete_input:
        return False
    files = expected(entry.key, job.profile, archive=bool(job.archive))
    return all(there.has(one, row["output_bytes"]) for one in files)


class There:
    """What lies at the places that a run writes to, listed once each."""

    def __init__(self, sizes: dict[str, dict[str, int]]) -> None:
        """Take sizes by place and key."""
        self._sizes = sizes

    def has(self, one: Expected, output_bytes: int | None) -> bool:
        """Tell whether a file is there, and the anonymised picture of the size that its row states."""
        size = self._sizes.get(one.where, {}).get(one.key)
        return size is not None and (one.where != "output" or one.what != "picture" or size == output_bytes)


def name_clashes(keys: Iterable[str], profile: Profile) -> dict[str, str]:
    """Return the pictures whose files would overwrite another's, with the one that comes first and so has the right."""
    owners: dict[tuple[str, str], str] = {}
    clashes = {}
    for key in keys:
        files = [(one.where, one.key) for one in expected(key, profile, archive=False)]
        first = next((owners[file] for file in files if file in owners), None)
        if first is not None:
            clashes[key] = first
        else:
            owners |= dict.fromkeys(files, key)
    return clashes


def divide(job: Job, entries: Sequence[Entry]) -> Iterator[tuple[Shard, list[str]]]:
    """Divide pictures, in the order of their names, into shards of the profile's size."""
    size = job.profile.shard_pictures
    parts = -(-len(entries) // size)
    for part in range(parts):
        keys = [entry.key for entry in entries[part * size : (part + 1) * size]]
        yield Shard(source=job.source, run=job.run, part=part, parts=parts, first=keys[0], pictures=len(keys)), keys


class _Rows:
    """Published rows, read folder by folder; the last folder is kept, since names come in order."""

    def __init__(self, lake: ParquetWarehouse, source: str) -> None:
        self._lake = lake
        self._source = source
        self._folder: str | None = None
        self._rows: dict[str, Row] = {}

    def of(self, key: str) -> Row | None:
        if self._folder != folder(key):
            self._folder = folder(key)
            scope = Scope(self._source, folder=folder_id_of(self._folder))
            wanted = ["photo", "status", "reason", "input_version", "profile_sha256", "run", "output_bytes"]
            rows = self._lake.read(ROAD_PHOTOS, scope).select(wanted).to_pylist()
            self._rows = {row["photo"]: row for row in rows}
        return self._rows.get(key)
