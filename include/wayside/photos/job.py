"""One run over one inbox: where pictures come from and go to, under which profile, and which files each one makes.

Names follow the picture: `<stem>.json` is its record and `<stem>_preview.jpg` its preview, in the same folder below
each place. Who reruns the same job gets the same names, which is what a restart after a crash builds on.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from wayside.core.errors import ConfigError
from wayside.core.ids import run_id, source_id, source_named_after
from wayside.photos.profile import Profile, check_run, profile_of
from wayside.store.places import absolute, below

PHOTO: Final = re.compile(r"[^/]\.jpe?g\Z", re.IGNORECASE)
PREVIEW_ENDING: Final = "_preview"

Where = Literal["output", "input", "archive", "separate"]
What = Literal["picture", "record", "preview"]


class Job(BaseModel):
    """What a run is told.

    Attributes:
        source: name of the inbox in tables and receipts.
        run: name of the run.
        input: folder or `gs://bucket/prefix` with the pictures.
        output: the same, for what is made.
        archive: the same, for the originals; empty: they are not archived.
        who: who started it, for the receipts.
        profile: everything else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    run: str
    input: str
    output: str
    archive: str = ""
    who: str
    profile: Profile

    def model_post_init(self, _context: object) -> None:
        """Check what no single field shows; raise `ConfigError`."""
        source_id(self.source)
        run_id(self.run)
        check_run(self.profile, archive=bool(self.archive))
        _apart(self.addresses)

    @property
    def addresses(self) -> dict[str, str]:
        """Every place that the run reads or writes, by what it is to the run."""
        places = {
            "input": self.input,
            "output": self.output,
            "archive": self.archive,
            "the folder of previews": self.profile.write.separate_preview_folder or "",
        }
        return {name: address for name, address in places.items() if address}


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """A file that a picture makes: what it is, at which place, under which key."""

    what: What
    where: Where
    key: str


def is_photo(key: str) -> bool:
    """Tell whether a file is a picture to be anonymised: `.jpg` or `.jpeg` in any case, and no preview of another."""
    return bool(PHOTO.search(key)) and not stem(key).endswith(PREVIEW_ENDING)


def stem(key: str) -> str:
    """Return a key without its ending."""
    return str(PurePosixPath(key).with_suffix(""))


def folder(key: str) -> str:
    """Return the folder of a key, empty for the place itself."""
    parent = str(PurePosixPath(key).parent)
    return "" if parent == "." else parent


def preview_name(key: str, profile: Profile) -> str | None:
    """Return the name of a picture's preview, without its folder; None where none is wanted."""
    return f"{PurePosixPath(key).stem}{PREVIEW_ENDING}.jpg" if profile.write.previews else None


def expected(key: str, profile: Profile, *, archive: bool) -> tuple[Expected, ...]:
    """Return every file that a picture makes, in the order in which they are written: the anonymised picture last."""
    base = stem(key)
    archived = (Expected("picture", "archive", key),) if archive else ()
    records = tuple(Expected("record", where, f"{base}.json") for where in profile.write.records)
    previews = tuple(
        Expected("preview", where, f"{_below_top(base, profile) if where == 'separate' else base}{PREVIEW_ENDING}.jpg")
        for where in profile.write.previews
    )
    return (*archived, *records, *previews, Expected("picture", "output", key))


def _below_top(base: str, profile: Profile) -> str:
    """Return what of a path lies below the record's top folder; all of it where that is not in the path."""
    parts = base.split("/")
    top = profile.record.top_dir
    return "/".join(parts[parts.index(top) + 1 :]) if top in parts[:-1] else base


def _apart(places: dict[str, str]) -> None:
    """Raise where one place lies in another: originals would be overwritten, or products be taken for pictures."""
    for name, address in places.items():
        for other, parent in places.items():
            if name != other and below(address, parent):
                raise ConfigError(f"{name} ({places[name]}) lies in {other} ({places[other]}): choose folders apart")


def new_job(
    profile: Profile,
    *,
    input: str,  # noqa: A002 - the field's name
    output: str,
    archive: str = "",
    source: str = "",
    run: str,
    who: str,
    records: tuple[str, ...] | None = None,
    previews: tuple[str, ...] | None = None,
    delete_input: bool | None = None,
    redo: bool | None = None,
) -> Job:
    """Return the job of a run; what is given, and not None, stands over the profile.

    Raises:
        ConfigError: an address is empty, places overlap, or the profile asks for what the run cannot do.
    """
    for name, address in (("input", input), ("output", output)):
        if not address.strip():
            raise ConfigError(f"{name}: name a folder, or gs://bucket/prefix")
    write = {"records": records, "previews": previews}
    changes: dict[str, object] = {"delete_input": delete_input, "redo": redo}
    document = profile.model_dump()
    document |= {name: value for name, value in changes.items() if value is not None}
    document["write"] |= {name: value for name, value in write.items() if value is not None}
    if previews is not None and "separate" not in previews:
        document["write"]["separate_preview_folder"] = None
    return Job(
        source=source or source_named_after(input, "photos"),
        run=run,
        input=absolute(input),
        output=absolute(output),
        archive=absolute(archive) if archive.strip() else "",
        who=who,
        profile=profile_of(document, f"profile {profile.name}", default_name=profile.name),
    )
