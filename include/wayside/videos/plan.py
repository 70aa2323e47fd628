"""Which videos a run has to do, divided into shards of known work.

What is done follows from the ledger: found under the same settings, labelled by the same labeller, published. Shards
are packed as the replaced system packed them, by the size of each video's entry in the documented map of hashes; beyond
that no shard has more than some hours of video, unless one video alone has.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks.model import text_of
from wayside.videos.job import MAX_SHARDS, ImportJob, holds
from wayside.videos.names import local_camera_id
from wayside.videos.records import Assigned, Content, State
from wayside.videos.shards import pack
from wayside.videos.shelf import Shelf

_WIDEST: Final = 2  # shards grow by this factor until they are few enough


class VideoShard(BaseModel):
    """Some videos of a run, kept in the plan `videos-<run>-<shard_id>`; what tasks hand on."""

    model_config = ConfigDict(frozen=True)

    source: str
    run: str
    shard_id: str
    first: str
    items: int
    seconds: float

    @property
    def label(self) -> str:
        """Say for people which videos these are."""
        return f"{self.source} {self.shard_id} {self.first}"

    @property
    def plan(self) -> str:
        """The name of the plan that lists its contents."""
        return f"videos-{self.run}-{self.shard_id}"


@dataclass(frozen=True)
class Wanted:
    """A content of a run: the state in which it goes on, or None where nothing is left to do."""

    content: Content
    state: State | None


def wanted(job: ImportJob, contents: Iterable[Content], without_files: set[str], shelf: Shelf) -> list[Wanted]:
    """Return the contents that a run is about: what it has to do, and what it has done before it was stopped."""
    found = []
    for content in contents:
        state = None if content.sha256 in without_files else _state(job, content, shelf)
        if state is not None or (content.job == job.run and content.sha256 not in without_files):
            found.append(Wanted(content, state))
    return found


def _state(job: ImportJob, content: Content, shelf: Shelf) -> State | None:
    """Return the state in which a content has to go on; None if it is done, or is another run's."""
    if content.state == "failed" and not content.again and holds(content.cut, job.cut_id(content.camera)):
        return None
    if content.state in {"seen", "planned", "failed"} or not holds(content.cut, job.cut_id(content.camera)):
        return "planned"
    if content.state == "processed" and shelf.events(content) is None:  # somebody took the document away
        return "planned"
    labelling = job.labelling_id()
    if not labelling:
        return None
    same = holds(content.labelling, labelling)
    if same and content.state != "processed" and (not content.unanswered or content.job == job.run):
        return None
    return "processed" if _can_be_labelled(shelf, content) else "planned"


def _can_be_labelled(shelf: Shelf, content: Content) -> bool:
    """Tell whether the pictures of all events are there still."""
    found = shelf.events(content)
    return found is not None and shelf.has_pictures(found)


def assigned(job: ImportJob, one: Wanted, shard: int) -> Assigned | None:
    """Return what is to be noted down of a content; None if nothing is."""
    if one.state is None:
        return None
    cut = job.cut_id(one.content.camera)
    if one.state == "processed" and one.content.cut:
        cut = one.content.cut
    return Assigned(one.content, one.state, cut, job.labelling_id(), job.run, shard)


def divide(job: ImportJob, contents: Sequence[Content]) -> list[range]:
    """Divide contents, in their order, into shards.

    Raises:
        ConfigError: they would be too many, even if each had as many hours as it takes.
    """
    sizes = [len(_entry(content)) for content in contents]
    packed = pack(sizes, max_items=job.max_items, max_bytes=job.max_bytes)
    if len(packed) > MAX_SHARDS:
        raise ConfigError(
            f"{len(contents)} videos make {len(packed)} shards, more than {MAX_SHARDS}: raise max_items and max_bytes"
        )
    seconds = job.max_seconds
    while len(shards := [part for shard in packed for part in _shorter(shard, contents, seconds)]) > MAX_SHARDS:
        seconds *= _WIDEST
    return shards


def _shorter(shard: range, contents: Sequence[Content], most: float) -> Iterable[range]:
    """Split a shard so that each part has at most so many seconds of video, or one video."""
    start, held = shard.start, 0.0
    for position in shard:
        if held + contents[position].duration_s > most and position > start:
            yield range(start, position)
            start, held = position, 0.0
        held += contents[position].duration_s
    yield range(start, shard.stop)


def shard_of(job: ImportJob, number: int, contents: Sequence[Content]) -> VideoShard:
    """Return the shard that is made of contents."""
    return VideoShard(
        source=job.source,
        run=job.run,
        shard_id=f"{number:04}",
        first=contents[0].first_file,
        items=len(contents),
        seconds=round(sum(content.duration_s for content in contents), 3),
    )


def hash_map(contents: Iterable[Content]) -> dict[str, dict[str, Any]]:
    """Return the documented map of a shard: file name and size in megabytes by SHA-1."""
    return {content.sha1: _described(content) for content in contents}


def request(job: ImportJob, contents: Sequence[Content]) -> dict[str, Any]:
    """Return what a job asks for, in the documented shape; sizes are those of entries in the map of hashes."""
    sizes = [len(json.dumps({content.sha1: _described(content)})) for content in contents]
    cameras = sorted({content.camera for content in contents})
    starts = [content.start_at for content in contents]
    ends = [content.start_at + timedelta(seconds=content.duration_s) for content in contents]
    hooks = job.hooks
    return {
        "item_count": len(contents),
        "item_average_size_bytes": sum(sizes) // len(sizes) if sizes else 0,
        "cameras": [{**hooks.config_of(name), "local_camera_id": local_camera_id(name)} for name in cameras],
        "earliest_date": text_of(min(starts)) if starts else None,
        "latest_date": text_of(max(ends)) if ends else None,
    }


def _entry(content: Content) -> str:
    """Return a content's part of the map, with what separates it from the next."""
    return json.dumps({content.sha1: _described(content)})[1:-1] + ", "


def _described(content: Content) -> dict[str, Any]:
    return {"original_filename": PurePosixPath(content.first_file).name, "size_MB": content.bytes / 1e6}
