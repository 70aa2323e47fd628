"""Pictures that wait for a person: which ones to look at, what a person is shown, and what a verdict does.

Where a profile asks for a review, all files of a run lie in a hold of our own until somebody has looked at a sample,
and at those with objects of a low score. What is shown was anonymised before; originals stay where they are.
"""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import cv2
import numpy as np

from wayside.core.errors import ImageError
from wayside.photos.access import Places, sha256_of
from wayside.photos.journal import MadeFile, Note
from wayside.photos.picture import Work
from wayside.photos.proof import reviewed
from wayside.privacy.settings import COLOURS
from wayside.vision.decode import Image, Limits, decode, encode_jpeg

CELL: Final = (640, 360)
COLUMNS: Final = 3
MOST_SHOWN: Final = 60
_MARGIN: Final = 4
_LINE: Final = 22
_LETTERS: Final = str.maketrans({"æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ß": "ss", "ð": "d", "þ": "th", "ł": "l"})


def waiting(notes: Iterable[Note], run: str) -> list[Note]:
    """Return the pictures of a run that are held; those that a person should look at come first."""
    held = [note for note in notes if note.state == "held" and note.row["run"] == run]
    return sorted(held, key=lambda note: (not note.review, note.photo))


def release(work: Work, notes: Sequence[Note], *, reviewer: str, rejected: Collection[str] = ()) -> list[Note]:
    """Put held files in their places, or throw away those of pictures that were rejected.

    May be called again after a stop: what was released is not held any more, and files are written in one step each.
    A picture whose original changed meanwhile, or whose held files are not as they were written, ends as failed, for
    the next run to do again; it stops no other.

    Args:
        work: of the run.
        notes: held pictures.
        reviewer: who decided, for the receipts.
        rejected: pictures that must not be published; they end as failed, for the reason `rejected`.

    Raises:
        StoreError: a place refuses, or is out of reach.
    """
    done = []
    for note in notes:
        with work.journal.turn(note.photo):
            if work.journal.read(note.photo) != note:
                continue  # another run has done it anew meanwhile, or somebody else has carried out the verdict
            done.append(_released(work, note, reviewer, rejected=note.photo in rejected))
    return done


def _released(work: Work, note: Note, reviewer: str, *, rejected: bool) -> Note:
    """Carry out the verdict on one picture."""
    try:
        if rejected:
            raise ImageError("rejected", f"rejected by {reviewer}")
        done = work.finish(_placed(work, note, reviewer))
    except ImageError as error:
        # Thrown away first, so that nothing of it stays where a stop comes in between.
        _throw_away(work.places, note)
        return work.refuse(note, error.reason, str(error))
    _throw_away(work.places, note)
    return done


def tidy_hold(places: Places, notes: Iterable[Note], before: datetime) -> int:
    """Remove held files that wait for nobody any more, which a stop or another run left; return how many.

    Args:
        places: with the hold.
        notes: of the source.
        before: files that were written later stay: somebody may be about to make their note.
    """
    old = [entry.key for entry in places.hold.entries() if entry.modified < before]
    if not old:
        return 0
    waiting_files = {made.held_key for note in notes if note.state == "held" for made in note.files}
    return sum(places.hold.remove(key) for key in old if key not in waiting_files)


def _throw_away(places: Places, note: Note) -> None:
    for made in note.files:
        places.hold.remove(made.held_key)


def contact_sheet(notes: Sequence[Note], places: Places) -> bytes:
    """Return a JPEG of the first pictures of `notes`, anonymised as they are held, with outlines of what is hidden."""
    shown = [note for note in notes if _held_picture(note) is not None][:MOST_SHOWN]
    rows = max(1, -(-len(shown) // COLUMNS))
    width, height = CELL[0] + _MARGIN, CELL[1] + _LINE + _MARGIN
    sheet = np.full((rows * height + _MARGIN, COLUMNS * width + _MARGIN, 3), 32, np.uint8)
    for number, note in enumerate(shown):
        top = _MARGIN + number // COLUMNS * height
        left = _MARGIN + number % COLUMNS * width
        cell = _cell(note, places)
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
        text = f"{number + 1}  {note.photo[-60:]}  {', '.join(note.review)}"
        place = (left, top + CELL[1] + _LINE - 6)
        cv2.putText(sheet, plain_letters(text), place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230,) * 3)
    return encode_jpeg(sheet, 85)


def plain_letters(text: str) -> str:
    """Return a text in the letters that OpenCV can draw: `Damåsen` becomes `Damasen`, what has no such letter `?`."""
    split = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(one for one in split if not unicodedata.combining(one)).encode("ascii", "replace").decode()


def _placed(work: Work, note: Note, reviewer: str) -> Note:
    """Copy what is held to where it belongs, and the original into the archive; return the note that says so."""
    files = list(note.files)
    if work.places.archive is not None:
        files.insert(0, _archived(work, note))
    for made in note.files:
        data = work.places.hold.load(made.held_key, made.bytes)
        if data is None:
            place = work.places.at(made.expected.where)
            data = place.load(made.key, made.bytes)  # released just before a stop
        if data is None or sha256_of(data) != made.sha256:
            raise ImageError("changed", f"{work.places.hold.uri(made.held_key)} is not as it was written")
        place = work.places.at(made.expected.where)
        work.patience(lambda place=place, made=made, data=data: place.save(made.key, data))  # type: ignore[misc]
    row = note.row | {"status": "done"}
    if work.places.archive is not None:
        row["archive_uri"] = work.places.archive.uri(note.photo)
    receipt = reviewed(note.receipt, reviewer)
    return note.model_copy(update={"state": "written", "files": tuple(files), "row": row, "receipt": receipt})


def _archived(work: Work, note: Note) -> MadeFile:
    limit = work.job.profile.limits.max_bytes
    data = work.patience(lambda: work.places.input.load(note.photo, limit))
    if data is None or sha256_of(data) != note.row["input_sha256"]:
        raise ImageError("changed", f"{work.places.input.uri(note.photo)} changed since it was anonymised, or is gone")
    archive = work.places.at("archive")
    work.keep_earlier(note.photo, data)
    work.patience(lambda: archive.save(note.photo, data))
    return MadeFile(what="picture", where="archive", key=note.photo, sha256=sha256_of(data), bytes=len(data))


def _held_picture(note: Note) -> MadeFile | None:
    return next((made for made in note.files if made.what == "picture" and made.where == "output"), None)


def _cell(note: Note, places: Places) -> Image:
    made = _held_picture(note)
    try:
        if made is None or any(one["action"] == "left" for one in note.receipt.get("objects", ())):
            raise ImageError("left", "road users were left visible in it on purpose")
        data = places.hold.load(made.held_key, made.bytes)
        # What we made ourselves may be larger than what cameras send.
        picture = decode(data or b"", limits=Limits(2**31 - 1, 2**29), at_least=CELL)
    except ImageError:
        return np.full((CELL[1], CELL[0], 3), 64, np.uint8)
    scale = min(CELL[0] / picture.image.shape[1], CELL[1] / picture.image.shape[0])
    size = (max(1, round(picture.image.shape[1] * scale)), max(1, round(picture.image.shape[0] * scale)))
    cell = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    for one in note.receipt.get("objects", ()):
        left, top, right, bottom = (
            round(value * side / full)
            for value, side, full in zip(one["box"], size * 2, (picture.width, picture.height) * 2, strict=True)
        )
        red, green, blue = COLOURS.get(one["label"], (255, 160, 0))
        cv2.rectangle(cell, (left, top), (right, bottom), (blue, green, red), 2)
    return np.asarray(cell, np.uint8)
