"""One import of an archive of videos: where they lie, how their names are read, how events are cut and labelled.

What a run is told is kept under its name, so that every task of it, and whoever starts it again, does the same. Two
short hashes tell what of an earlier run still holds: one of all that decides where events are, one of who labels them.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from wayside.core.errors import ConfigError
from wayside.core.ids import run_id, source_id, source_named_after
from wayside.media.motion import MotionOptions
from wayside.store.places import absolute, below
from wayside.videos.bookmarks import FORMATS, Format
from wayside.videos.hookdata import HookData
from wayside.videos.jsontext import load_json
from wayside.videos.names import NamePattern

MAX_SHARDS: Final = 1000
"""Shards of a run at most: Airflow maps a task over 1024 values, and its scheduler slows down well before."""

DEFAULT_MOTION: Final = MotionOptions.model_validate({})

# What may open a door, or only meant something to the service that the replaced importer spoke to.
_SECRET: Final = re.compile(r"token|secret|passw|api_?key|credential|auth|^device_id$|^ip_address$|^test$", re.I)
_NOT_SOURCES: Final = frozenset({"callbacks", "hooks"})  # folders beside those of sources
# Change it where the same options give other events than before, so that archives are cut anew when they are asked for.
_ENGINE: Final = 1


class ImportJob(BaseModel):
    """What a run is told.

    Attributes:
        source: name of the archive in tables.
        run: name of the run.
        input: folder or `gs://bucket/prefix` with the videos.
        pattern: regular expression for the whole path, with the groups that `wayside.videos.names` knows.
        zone: time zone of the times in names; those of the group `epoch` are UTC.
        suffix: added to the name of each camera, so that imports of the same cameras stay apart.
        hook_data: JSON text: plan and sizes of pictures, for all cameras and for each; may be empty.
        whitelist: labels that are exported; empty: all. Every label is stored.
        labeller: who labels events, as `wayside.videos.labellers` understands it; `none` leaves labels as they are.
        max_items: videos in a shard at most.
        max_bytes: size of a shard at most, as JSON of the documented map of hashes.
        max_seconds: length of the videos of a shard together at most, but for a single longer one.
        motion: how events are found.
        export: folder or `gs://bucket/prefix` for the labels; empty: they are not exported.
        formats: in which formats.
        redo: cut and label again what is done.
        who: who started it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    run: str
    input: str
    pattern: str
    zone: str = "UTC"
    suffix: str = ""
    hook_data: str = ""
    whitelist: tuple[str, ...] = ()
    labeller: str = "onnx"
    max_items: int = Field(2048, ge=1, le=100_000)
    max_bytes: int = Field(2**20, ge=1024)
    max_seconds: float = Field(4 * 3600.0, gt=0)
    motion: MotionOptions = DEFAULT_MOTION
    export: str = ""
    formats: tuple[Format, ...] = ("v1", "v2", "csv", "xml")
    redo: bool = False
    who: str

    @field_validator("hook_data")
    @classmethod
    def _without_secrets(cls, text: str) -> str:
        """Check hook data, and drop tokens and the like: what a run is told lies on the disk."""
        return json.dumps(_open_part(_object(text)), sort_keys=True, ensure_ascii=False)

    def model_post_init(self, _context: object) -> None:
        """Check what no single field shows; raise `ConfigError`."""
        if source_id(self.source) in _NOT_SOURCES:
            raise ConfigError(f"an archive may not be called {self.source}: choose another name")
        run_id(self.run)
        _ = self.names, self.hooks
        if not self.input.strip():
            raise ConfigError("input: name a folder, or gs://bucket/prefix")
        if self.export and below(self.export, self.input):
            raise ConfigError(f"labels may not be exported into the archive itself: {self.export} lies in {self.input}")

    @property
    def names(self) -> NamePattern:
        """How names are read."""
        return NamePattern(self.pattern, self.zone, self.suffix)

    @property
    def hooks(self) -> HookData:
        """What the hook data say."""
        return HookData.parse(self.hook_data)

    def cut_id(self, camera: str) -> str:
        """Return a hash of all that decides which events a camera's videos have, and how their pictures look.

        A run that does everything anew adds its own name, so that it may be stopped and go on.
        """
        sizes = asdict(self.hooks.of(camera)) | {"plan": None}
        return self._id({"engine": _ENGINE, "motion": self.motion.model_dump(mode="json"), "sizes": sizes})

    def labelling_id(self) -> str:
        """Return the same for labels; empty where the run labels nothing."""
        return "" if self.labeller == "none" else self._id({"labeller": self.labeller})

    def _id(self, document: dict[str, Any]) -> str:
        text = json.dumps(document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16] + (f"+{self.run}" if self.redo else "")


def holds(known: str | None, wanted: str) -> bool:
    """Tell whether what was done under the id `known` need not be done again for `wanted`."""
    return known is not None and (known == wanted or known.partition("+")[0] == wanted)


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is, once it is known to be one; an empty text is an empty object."""
    HookData.parse(text)
    said: dict[str, Any] = load_json(text.removeprefix("\ufeff"), "hook data") if text.strip() else {}
    return said


def _open_part(said: Any) -> Any:
    """Return a JSON value without what looks like a secret; a hook may read keys that mean nothing here."""
    if isinstance(said, dict):
        return {name: _open_part(value) for name, value in said.items() if not _SECRET.search(name)}
    return [_open_part(value) for value in said] if isinstance(said, list) else said


def new_job(
    *,
    input: str,  # noqa: A002 - the field's name
    source: str = "",
    export: str = "",
    motion: MotionOptions | None = None,
    whitelist: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    hook_data: str | Sequence[str] = "",
    **fields: Any,
) -> ImportJob:
    """Return the job of a run.

    Args:
        input: where the videos lie.
        source: name of the archive; by default made of its folder's.
        export: where labels are exported to.
        motion: how events are found.
        whitelist: labels that are exported.
        formats: in which formats.
        hook_data: one JSON text or more; a key of a later one stands over the same key of an earlier one.
        fields: any other field of `ImportJob`.

    Raises:
        ConfigError: a field is wrong; the message names it.
    """
    place = absolute(input) if input.strip() else ""
    texts = [hook_data] if isinstance(hook_data, str) else hook_data
    try:
        return ImportJob(
            source=source or source_named_after(place, "videos"),
            input=place,
            export=absolute(export) if export.strip() else "",
            motion=motion or DEFAULT_MOTION,
            hook_data=json.dumps({name: value for text in texts for name, value in _object(text).items()}),
            whitelist=tuple(whitelist),
            formats=cast("tuple[Format, ...]", tuple(dict.fromkeys(formats))),  # others are refused
            **fields,
        )
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"the import is not possible: {'; '.join(faults)}") from error
