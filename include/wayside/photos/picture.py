"""One picture of a run, from its bytes to its files and its note; see `wayside.photos.journal` for what may be killed.

Files are written in an order that loses nothing: the original into the archive, the record, the preview, and the
anonymised picture last. Then all are looked at again, a note is made, and only then may the original go.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wayside.core.clock import Clock
from wayside.core.errors import ImageError, StoreError
from wayside.core.ids import folder_id_of
from wayside.metadata.exif import read_exif
from wayside.metadata.layouts import TableLayout
from wayside.metadata.record import PhotoRecord, extract
from wayside.metadata.redact import personal_texts
from wayside.metadata.rows import row_of
from wayside.photos.access import Patience, Places, sha256_of
from wayside.photos.columns import columns_of
from wayside.photos.job import Expected, Job, expected, folder, preview_name, stem
from wayside.photos.journal import Journal, MadeFile, Note
from wayside.photos.proof import deleted, receipt_of
from wayside.privacy.anonymise import Anonymised, anonymise
from wayside.privacy.find import Finder
from wayside.privacy.previews import preview
from wayside.privacy.settings import CLASSES
from wayside.store.places import Entry
from wayside.vision.decode import check, encode_jpeg

Row = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What it takes to do pictures of a run; shared by the threads of a task.

    Attributes:
        job: the run.
        places: where it reads and writes.
        journal: where outcomes are noted down.
        load_finder: gives what finds the objects; a verdict on held pictures needs none.
        patience: with places that are out of reach.
        clock: what time it is.
        refused: pictures that are not to be done, with a reason and a sentence for people.
        is_known: tells whether a run can still be asked for its verdict.
        was_deleted: tells whether another run has done a picture and deleted its original.
        table: what it would refuse of a record is said in the picture's row; None: nothing is asked.
    """

    job: Job
    places: Places
    journal: Journal
    load_finder: Callable[[], Finder]
    patience: Patience
    clock: Clock
    refused: Mapping[str, tuple[str, str]]
    is_known: Callable[[str], bool]
    was_deleted: Callable[[str], bool]
    table: TableLayout | None = None

    @property
    def finder(self) -> Finder:
        """What finds the objects."""
        return self.load_finder()

    def do(self, key: str) -> Note:
        """Do one picture, unless its note says that it is done; return its note. Runs take turns.

        Raises:
            StoreUnavailableError: a place is out of reach, and patience is at its end.
            StoreError: a place refuses.
        """
        with self.journal.turn(key):
            return self._do(key)

    def _do(self, key: str) -> Note:
        entry = self.patience(lambda: self.places.input.entry(key))
        known = self.journal.read(key)
        if known is not None and self._holds(known, entry):
            return self.finish(known) if known.state == "written" else known
        if entry is None:
            return self._gone(key)
        if key in self.refused:
            return self._noted(self._failed(entry, *self.refused[key]))
        try:
            note = self._made(entry)
        except FileNotFoundError:
            return self._gone(key)
        except ImageError as error:
            return self._noted(self._failed(entry, error.reason, str(error)))
        return self.finish(note) if note.state == "written" else self._noted(note)

    def fail(self, key: str, reason: str, detail: str) -> Note:
        """Note down that a picture failed for a reason that lies outside the picture."""
        entry = self.places.input.entry(key) or self._nothing(key)
        return self._noted(self._failed(entry, reason, detail))

    def finish(self, note: Note) -> Note:
        """Delete the original of a picture whose files all lie in place, where that is asked for, and close its note.

        Every file is read again first and must have its hash. Killed in between, the next call finds the original gone
        and says so; then there is nothing left to lose, and files may have been taken elsewhere.
        """
        if not note.delete_input:
            return self._noted(note.model_copy(update={"state": "final"}))
        self._noted(note)
        entry = self.patience(lambda: self.places.input.entry(note.photo))
        try:
            if entry is not None:
                note = self._verified(note)
            self.patience(lambda: self.places.input.remove(note.photo))
        except ImageError as error:
            return self._noted(self._failed(entry or self._nothing(note.photo), error.reason, str(error)))
        receipt = deleted(note.receipt, at=self.clock(), verified=note.input_verified)
        closed = {"state": "final", "row": note.row | {"original": "deleted"}, "receipt": receipt}
        return self._noted(note.model_copy(update=closed))

    def keep_earlier(self, key: str, data: bytes) -> None:
        """Put aside what the archive holds under the name of an original, if that is another picture.

        Cameras begin to count anew, and what the archive holds may be all that is left of a picture.
        """
        archive = self.places.at("archive")
        there = self.patience(lambda: archive.entry(key))
        earlier = None if there is None else self.patience(lambda: archive.load(key, there.bytes))
        if earlier is not None and earlier != data:
            aside = f"{stem(key)}_{sha256_of(earlier)[:12]}{key[len(stem(key)) :]}"
            self.patience(lambda: archive.save(aside, earlier))

    def refuse(self, note: Note, reason: str, detail: str) -> Note:
        """Note down that a picture that was held does not come into its place after all."""
        nothing = dict.fromkeys(("output_uri", "json_uri", "preview_uri", "output_sha256", "output_bytes", "record"))
        row = note.row | nothing | {"status": "failed", "reason": reason, "detail": detail, "original": "kept"}
        return self._noted(Note(photo=note.photo, state="final", row=row))

    def _holds(self, note: Note, entry: Entry | None) -> bool:
        """Tell whether a note is still true: of this picture, under this profile, at these places, and no failure.

        A verdict of a person counts, and so does waiting for one, as long as the run that asks can be answered.
        """
        row = note.row
        if entry is None:  # deleted by a run that was stopped before it could note that down
            return note.state == "written" or row["original"] == "deleted"
        redo = self.job.profile.redo and row["run"] != self.job.run
        if redo or (row["input_version"], row["profile_sha256"]) != (entry.version, self.job.profile.sha256):
            return False
        if row["status"] == "failed":
            return bool(row["reason"] == "rejected")
        if row.get("output_uri") != self.places.output.uri(entry.key):
            return False
        if note.state == "held":
            return self.is_known(row["run"])
        return bool(row.get("archive_uri") == self._archive_uri(entry.key))

    def _made(self, entry: Entry) -> Note:
        """Make the files of a picture and put them in place, or into the hold where a person has to look first."""
        profile = self.job.profile
        data = self.patience(lambda: self.places.input.load(entry.key, profile.limits.max_bytes))
        if data is None:
            raise FileNotFoundError(entry.key)
        check(data, limits=profile.limits.decoding)
        record = extract(data, self.places.input.uri(entry.key), profile.recording, entry.modified)
        texts = personal_texts(read_exif(data))
        done = anonymise(
            data, profile.masking, self.finder, limits=profile.limits.decoding, draw=profile.draw, texts=texts
        )
        record = record.with_results(_counts(done), preview_name(entry.key, profile))
        held = profile.review.enabled
        files = [self._file(one, data, done, record) for one in self._expected(entry.key)]
        made = [self._put(one, content, held=held) for one, content in files if not (held and one.where == "archive")]
        row = self._row(entry, data) | self._found(done, record, made)
        row |= {"status": "held" if held else "done", "original": "archived" if self.places.archive else "kept"}
        return Note(
            photo=entry.key,
            state="held" if held else "written",
            row=row,
            receipt=receipt_of(
                self.job, entry.key, data, done, self.finder, archive_uri=self._archive_uri(entry.key), now=self.clock()
            ),
            files=tuple(made),
            delete_input=profile.delete_input,
            review=profile.review.reasons(entry.key, [one.found.score for one in done.masked]) if held else (),
        )

    def _expected(self, key: str) -> tuple[Expected, ...]:
        return expected(key, self.job.profile, archive=self.places.archive is not None)

    def _file(self, one: Expected, data: bytes, done: Anonymised, record: PhotoRecord) -> tuple[Expected, bytes]:
        if one.what == "record":
            return one, record.to_json().encode()
        if one.what == "preview":
            crop = preview(done.filled, self.job.profile.masking.preview)
            return one, encode_jpeg(crop, self.job.profile.masking.output.quality)
        return one, data if one.where == "archive" else done.data

    def _put(self, one: Expected, content: bytes, *, held: bool) -> MadeFile:
        """Write a file and look whether it lies there as it should."""
        made = MadeFile(what=one.what, where=one.where, key=one.key, sha256=sha256_of(content), bytes=len(content))
        place, key = (self.places.hold, made.held_key) if held else (self.places.at(one.where), one.key)
        if one.what == "picture" and one.where == "archive":
            self.keep_earlier(key, content)
        self.patience(lambda: place.save(key, content))
        there = self.patience(lambda: place.entry(key))
        if there is None or there.bytes != len(content):
            raise StoreError(f"{place.uri(key)} was written, and does not lie there as it was written")
        return made

    def _verified(self, note: Note) -> Note:
        """Read all files of a picture again, and then the original; note down that it is as it was.

        Raises:
            ImageError: the original is another by now, and is to be done again (`changed`).
            StoreError: a file is not as it was written.
        """
        for made in note.files:
            self._verify(made)
        limit = self.job.profile.limits.max_bytes
        data = self.patience(lambda: self.places.input.load(note.photo, limit))
        if data is None:
            return note
        if sha256_of(data) != note.row["input_sha256"]:
            raise ImageError("changed", f"{self.places.input.uri(note.photo)} changed while it was worked on")
        return self._noted(note.model_copy(update={"input_verified": True}))

    def _verify(self, made: MadeFile) -> None:
        """Read a file again; raise `StoreError` unless it has its hash."""
        place = self.places.at(made.expected.where)
        try:
            data = self.patience(lambda: place.load(made.key, made.bytes))
        except ImageError:  # it has grown, or may not be read
            data = None
        if data is None or sha256_of(data) != made.sha256:
            raise StoreError(f"{place.uri(made.key)} is not as it was written: the original stays where it is")

    def _row(self, entry: Entry, data: bytes | None = None) -> Row:
        """Return what every row says, that of a failure too."""
        return {
            "source": self.job.source,
            "folder": folder_id_of(folder(entry.key)),
            "photo": entry.key,
            "input_version": entry.version,
            "input_sha256": None if data is None else sha256_of(data),
            "input_bytes": entry.bytes,
            "profile": self.job.profile.name,
            "profile_sha256": self.job.profile.sha256,
            "run": self.job.run,
            "processed_at": _text(self.clock()),
        }

    def _found(self, done: Anonymised, record: PhotoRecord, made: list[MadeFile]) -> Row:
        """Return what a row says of a picture that was done."""
        uris = {(one.what, one.where): self.places.at(one.expected.where).uri(one.key) for one in made}
        records, previews = ([uri for (what, _), uri in uris.items() if what == kind] for kind in ("record", "preview"))
        warnings = [
            *record.warnings,
            *(f"not looked for: {name}" for name in self.finder.missing),
            *(f"{self.table.name} would refuse it: {said}" for said in self._faults(record) if self.table),
        ]
        return {
            "detail": "; ".join(warnings) or None,
            "reason": "remarks" if warnings else None,
            "output_sha256": sha256_of(done.data),
            "output_bytes": len(done.data),
            "width": done.width,
            "height": done.height,
            **columns_of(record),
            "objects": json.dumps(_counts(done)),
            "hidden_share": round(done.hidden_share, 6),
            "least_score": min((round(one.found.score, 4) for one in done.masked), default=None),
            "mode": done.mode,
            "mode_reason": done.mode_reason,
            "output_uri": uris.get(("picture", "output")),
            "json_uri": records[0] if records else None,
            "preview_uri": previews[0] if previews else None,
            "archive_uri": uris.get(("picture", "archive")),
            "record": record.to_json(),
            "models": json.dumps({model.name: model.sha256 for model in self.finder.models}),
        }

    def _faults(self, record: PhotoRecord) -> tuple[str, ...]:
        return row_of(record.values, self.table).faults if self.table else ()

    def _archive_uri(self, key: str) -> str | None:
        return None if self.places.archive is None else self.places.archive.uri(key)

    def _failed(self, entry: Entry, reason: str, detail: str) -> Note:
        row = self._row(entry) | {"status": "failed", "reason": reason, "detail": detail, "original": "kept"}
        return Note(photo=entry.key, state="final", row=row)

    def _gone(self, key: str) -> Note:
        """Return the note of a picture that lay there when the run was planned."""
        if self.was_deleted(key):
            told = {"reason": "done_before", "detail": "another run has done it, and has deleted its original"}
        else:
            told = {"reason": "gone", "detail": "it lay there when the run was planned, and is gone"}
        row = self._row(self._nothing(key)) | {"status": "skipped", **told}
        note = Note(photo=key, state="final", row=row)
        return note if told["reason"] == "done_before" else self._noted(note)

    def _nothing(self, key: str) -> Entry:
        return Entry(key, 0, "", self.clock())

    def _noted(self, note: Note) -> Note:
        self.journal.write(note)
        return note


def _counts(done: Anonymised) -> dict[str, int]:
    """Return the number of hidden objects by class, in the order of the classes."""
    found = Counter(one.found.label for one in done.masked)
    return {label: found[label] for label in CLASSES if found[label]}


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()
