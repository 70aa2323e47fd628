"""A run whose profile asks for a review: nothing is to be seen before a person has looked."""

import json
from pathlib import Path

from tests.photos.inbox import NAMES, RedFinder, batch, files, fill_inbox, job, photo, run
from tests.photos.test_batch import by_photo, rows

from wayside.core.settings import Settings
from wayside.core.tables import RECEIPTS
from wayside.photos.batch import Batch
from wayside.photos.profile import Review
from wayside.photos.review import contact_sheet, plain_letters, waiting
from wayside.vision.decode import decode

REVIEW = {"review": {"enabled": True, "sample": 0.5, "low_score": 0.9}}


def held(settings: Settings, tmp_path: Path, **changes: object) -> Batch:
    fill_inbox(tmp_path / "in")
    one = job(tmp_path, archive=True, delete_input=True, **REVIEW, **changes)
    assert run(settings, one) == {"held": 4}
    return batch(settings, one)


def test_held_files_are_nowhere_to_be_seen(settings: Settings, tmp_path: Path):
    work = held(settings, tmp_path)
    assert set(files(tmp_path / "in")) == set(NAMES)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "arc").exists()
    assert {row["status"] for row in rows(settings)} == {"held"}
    assert rows(settings, RECEIPTS) == []
    assert batch(settings, work.job).plan().to_do == 4
    finder = RedFinder()
    assert run(settings, work.job, finder) == {"held": 4}
    assert finder.looked == 0, "what is held is not done again"


def test_a_verdict_publishes_all_but_the_rejected(settings: Settings, tmp_path: Path):
    work = held(settings, tmp_path)
    notes = waiting(work.journal.notes(), "run-1")
    work.release(notes, reviewer="ada", rejected=[NAMES[3]])
    assert work.publish() == {"done": 3, "failed": 1}
    assert set(files(tmp_path / "in")) == {NAMES[3]}
    assert set(NAMES[:3]) < set(files(tmp_path / "out"))
    assert NAMES[3] not in files(tmp_path / "out")
    assert set(NAMES[:3]) == set(files(tmp_path / "arc"))
    assert by_photo(settings)[NAMES[3]]["reason"] == "rejected"
    assert {json.loads(row["receipt"])["reviewer"] for row in rows(settings, RECEIPTS)} == {"ada"}
    assert files(work.places.hold.root) == {}
    assert waiting(work.journal.notes(), "run-1") == []


def test_a_verdict_that_was_stopped_can_be_carried_out_again(settings: Settings, tmp_path: Path):
    work = held(settings, tmp_path)
    notes = waiting(work.journal.notes(), "run-1")
    work.release(notes[:2], reviewer="ada")
    for note in notes:  # stopped between the copy of a file and its note
        for made in note.files[:1]:
            held_data = work.places.hold.load(made.held_key, 10**6)
            if held_data is not None:
                work.places.at(made.expected.where).save(made.key, held_data)
                work.places.hold.remove(made.held_key)
    work.release(waiting(work.journal.notes(), "run-1"), reviewer="ada")
    assert work.publish() == {"done": 4}
    assert set(NAMES) < set(files(tmp_path / "out"))


def test_an_original_that_changed_meanwhile_is_not_archived(settings: Settings, tmp_path: Path):
    work = held(settings, tmp_path)
    (tmp_path / "in" / NAMES[3]).write_bytes(photo(8))
    note = next(note for note in work.journal.notes() if note.photo == NAMES[3])
    (told,) = work.release([note], reviewer="ada")
    assert (told.row["status"], told.row["reason"], told.row["output_uri"]) == ("failed", "changed", None)
    assert not (tmp_path / "arc").exists()


def test_the_contact_sheet_shows_anonymised_pictures(settings: Settings, tmp_path: Path):
    work = held(settings, tmp_path)
    notes = waiting(work.journal.notes(), "run-1")
    assert all("low_score" in note.review for note in notes), "0.8 is below 0.9"
    image = decode(contact_sheet(notes, work.places)).image
    assert image.shape[1] > 1900
    red = (image[..., 2] > 150) & (image[..., 1] < 90) & (image[..., 0] < 90)
    assert 0 < red.mean() < 0.01, "thin outlines in the class's colour, and no red car"


def test_names_on_a_contact_sheet_stay_readable():
    assert plain_letters("Hp05_Damåsen/æøå ÆØÅ é.jpg") == "Hp05_Damasen/aeoa AEOA e.jpg"
    assert plain_letters("道") == "?"


def test_the_sample_is_as_large_as_asked_and_always_the_same():
    review = Review(enabled=True, sample=0.2)
    chosen = [bool(review.reasons(f"folder/{number}.jpg", [])) for number in range(2000)]
    assert 0.16 < sum(chosen) / 2000 < 0.24
    assert chosen == [bool(review.reasons(f"folder/{number}.jpg", [])) for number in range(2000)]
    assert Review(enabled=True, low_score=0.5).reasons("x", [0.9, 0.49]) == ("low_score",)
