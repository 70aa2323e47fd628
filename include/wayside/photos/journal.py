"""What became of each picture, noted down as soon as it is known and until it is published.

A note is one small file, written in one step after the files it speaks of lie in place. So a run that is killed loses
at most the pictures that were under way, and whoever comes next, in this run or another, carries on from the notes.

    written   all files lie in place and were verified; the original is still to be deleted
    held      all files lie in a hold of our own, until a person has looked
    final     nothing is left to do but to publish
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wayside.core.errors import StoreError
from wayside.core.ids import folder_id_of, source_id
from wayside.photos.job import Expected, folder
from wayside.store.files import TEMPORARY, replace_file
from wayside.warehouse.layout import locked

State = Literal["written", "held", "final"]
_SUFFIX: Final = ".json"


class MadeFile(BaseModel):
    """A file that a picture made: what, where, under which key, and the hash and size that it must have."""

    model_config = ConfigDict(frozen=True)

    what: str
    where: str
    key: str
    sha256: str
    bytes: int

    @property
    def expected(self) -> Expected:
        """The same without its content."""
        return Expected(self.what, self.where, self.key)  # type: ignore[arg-type]

    @property
    def held_key(self) -> str:
        """Where it lies in the hold while it waits for a person."""
        return f"{self.where}/{self.key}"


class Note(BaseModel):
    """A picture's outcome. `row` is that of `road_photos` with times as texts; `receipt` is empty for a failure.

    `input_verified` says that the original was read again and is being deleted.
    """

    model_config = ConfigDict(frozen=True)

    photo: str
    state: State
    row: dict[str, Any]
    receipt: dict[str, Any] = {}
    files: tuple[MadeFile, ...] = ()
    delete_input: bool = False
    input_verified: bool = False
    review: tuple[str, ...] = ()


class Journal:
    """The notes of one source, below the folder `root`."""

    def __init__(self, root: Path, source: str) -> None:
        self.root = root / source_id(source) / "journal"

    @contextlib.contextmanager
    def turn(self, photo: str) -> Iterator[None]:
        """Let one run at a time work on a picture: the next finds its note, instead of undoing what that says.

        Pictures share a few hundred locks, so that none stays behind for each.
        """
        with locked(self.root.parent / "turns" / hashlib.sha256(photo.encode()).hexdigest()[:2]):
            yield

    def write(self, note: Note) -> None:
        """Put a note in place of the one that may be there."""
        replace_file(self._path(note.photo), note.model_dump_json().encode())

    def read(self, photo: str) -> Note | None:
        """Return the note of a picture, None if there is none or it cannot be read (the picture is then done again)."""
        with contextlib.suppress(FileNotFoundError):
            return _parsed(self._path(photo))
        return None

    def notes(self) -> Iterator[Note]:
        """Yield every note, sorted by folder and then by the picture's hash."""
        for path in sorted(self.root.glob(f"*/*{_SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):
                note = _parsed(path)
                if note is not None:
                    yield note

    def forget(self, note: Note) -> None:
        """Remove a note that is published, unless another has taken its place meanwhile."""
        path = self._path(note.photo)
        with self.turn(note.photo):
            if self.read(note.photo) == note:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()

    def sweep(self, before: datetime) -> None:
        """Remove halves of notes that killed runs left, last written before a time."""
        for path in self.root.glob(f"*/{TEMPORARY}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()

    def _path(self, photo: str) -> Path:
        name = hashlib.sha256(photo.encode()).hexdigest()[:32]
        return self.root / folder_id_of(folder(photo)) / f"{name}{_SUFFIX}"


def _parsed(path: Path) -> Note | None:
    try:
        return Note.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
