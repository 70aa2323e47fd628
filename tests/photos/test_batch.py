"""Batches: what a run makes, what it leaves alone, and what becomes of pictures that cannot be done."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.peers.storage import serving_storage
from tests.photos.inbox import NAMES, RedFinder, batch, files, fill_inbox, job, photo, run

from wayside.core.errors import ConfigError, StoreError, StoreUnavailableError
from wayside.core.settings import Settings
from wayside.core.tables import RECEIPTS, ROAD_PHOTOS
from wayside.photos import batch as batches
from wayside.photos.batch import Batch
from wayside.photos.job import new_job
from wayside.photos.profile import Profile
from wayside.privacy.receipts import verify_chain
from wayside.store.places import FolderPlace, open_place
from wayside.vision.decode import decode
from wayside.warehouse.parquet import open_lake


def rows(settings: Settings, table: Any = ROAD_PHOTOS) -> list[dict[str, Any]]:
    lake = open_lake(settings)
    return [row for scope in lake.scopes(table) for row in lake.read(table, scope).to_pylist()]


def by_photo(settings: Settings) -> dict[str, dict[str, Any]]:
    return {row["photo"]: row for row in rows(settings)}


def test_a_run_makes_pictures_records_rows_and_receipts(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    before = files(tmp_path / "in")
    assert run(settings, job(tmp_path)) == {"done": 4}
    assert files(tmp_path / "in") == before
    made = files(tmp_path / "out")
    stems = {name.rpartition(".")[0] for name in NAMES}
    assert set(made) == {*NAMES, *(f"{stem}.json" for stem in stems)}
    for name in NAMES:
        image = decode(made[name]).image
        assert image.shape == (96, 128, 3)
        assert not RedFinder().find(image), "the car is still to be seen"
        assert b"Kari" not in made[name]
    record = json.loads(made[f"{NAMES[0].rpartition('.')[0]}.json"])
    assert record["detekterte_objekter"] == {"car": "1"}
    assert "Kari" not in json.dumps(record)
    row = by_photo(settings)[NAMES[0]]
    assert (row["status"], row["mode"], row["objects"], row["original"]) == ("done", "lossless", '{"car": 1}', "kept")
    assert (row["width"], row["height"], row["photo_id"]) == (128, 96, record["bildeid"])
    assert row["lon"] == pytest.approx(6.5664, abs=1e-3)
    assert json.loads(row["record"]) == record
    receipts = rows(settings, RECEIPTS)
    assert sorted(receipt["photo"] for receipt in receipts) == sorted(NAMES)
    assert verify_chain(receipts) == []


def test_rows_and_receipts_of_many_pictures_are_published_in_parts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches, "AT_ONCE", 3)
    fill_inbox(tmp_path / "in", {f"{number // 5}/{number}.jpg": photo(number) for number in range(11)})
    work = batch(settings, job(tmp_path))
    for shard in work.plan().shards:
        list(work.do(shard))
    assert work.publish() == {"done": 11}
    assert len(rows(settings)) == len(rows(settings, RECEIPTS)) == 11
    assert verify_chain(rows(settings, RECEIPTS)) == []
    assert work.publish() == {}


def test_what_a_table_would_refuse_is_said_of_each_picture(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"a.jpg": photo(0)})
    assert run(settings, job(tmp_path, table="vegbilder")) == {"done": 1}
    row = by_photo(settings)["a.jpg"]
    assert row["reason"] == "remarks"
    assert "VEGBILDER would refuse it: Dataeier may not be null: no value in exif_dataeier" in row["detail"]
    owned = {"data_owner": "X", "county": 46}
    run(settings, job(tmp_path, "run-2", record=owned))
    assert "refuse" not in (by_photo(settings)["a.jpg"]["detail"] or "")
    # The table of the installation is asked where the profile names none.
    with_table = settings.model_copy(update={"photo_table": "vegbilder"})
    run(with_table, job(tmp_path, "run-3", record={"county": 46}))
    assert "Dataeier may not be null" in by_photo(settings)["a.jpg"]["detail"]


def test_a_table_without_a_layout_ends_a_run_before_any_work(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"a.jpg": photo(0)})
    with pytest.raises(ConfigError, match="there is no layout 'nothing'"):
        batch(settings, job(tmp_path, table="nothing")).plan()
    assert not files(tmp_path / "out")


def test_a_second_run_finds_nothing_to_do(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    run(settings, job(tmp_path))
    made, published = files(tmp_path / "out"), rows(settings)
    again = batch(settings, job(tmp_path, "run-2"))
    plan = again.plan()
    assert (plan.shards, plan.identified, plan.done_before, plan.to_do) == ((), 4, 4, 0)
    assert again.publish() == {}
    assert files(tmp_path / "out") == made
    assert rows(settings) == published


def test_what_changed_or_is_missing_is_done_again(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    run(settings, job(tmp_path))
    (tmp_path / "in" / NAMES[3]).write_bytes(photo(9))
    (tmp_path / "out" / NAMES[1]).unlink()
    (tmp_path / "out" / NAMES[2]).write_bytes(b"cut")
    again = batch(settings, job(tmp_path, "run-2"))
    (shard,) = again.plan().shards
    assert {note.photo for note in again.do(shard)} == set(NAMES[1:])
    assert again.publish() == {"done": 3}
    assert {row["run"] for row in rows(settings)} == {"run-1", "run-2"}
    assert verify_chain(rows(settings, RECEIPTS)) == []


def test_another_profile_or_redo_does_everything_again(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    run(settings, job(tmp_path))
    assert batch(settings, job(tmp_path, "run-2", masking={"find": {"dilation": 9}})).plan().to_do == 4
    redo = batch(settings, job(tmp_path, "run-3", redo=True))
    assert redo.plan().to_do == 4
    run(settings, job(tmp_path, "run-3", redo=True))
    assert batch(settings, job(tmp_path, "run-3", redo=True)).plan().to_do == 0, "the same run goes on, and is done"


def test_a_dry_run_writes_nothing(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    plan = batch(settings, job(tmp_path)).plan(dry_run=True)
    assert (plan.to_do, plan.identified) == (4, 4)
    assert not (tmp_path / "out").exists()
    assert not settings.lake.exists() or not files(settings.lake)


def test_bad_pictures_are_rows_with_a_reason_and_stop_no_other(settings: Settings, tmp_path: Path):
    good = photo(1)
    fill_inbox(
        tmp_path / "in",
        {
            "a/good.jpg": good,
            "a/empty.jpg": b"",
            "a/text.jpg": b"no picture at all",
            "a/cut.jpg": good[: len(good) // 2],
            "b/huge.jpg": photo(2, (400, 300)),
            "b/broken_model.jpg": photo(3, (160, 96)),
            "b/other.txt": b"left alone",
            "b/good_preview.jpg": good,
        },
    )
    finder = RedFinder(fails={160: RuntimeError("the graph has holes")})
    assert run(settings, job(tmp_path, limits={"max_pixels": 20_000}), finder) == {"done": 1, "failed": 5}
    reasons = {name: row["reason"] for name, row in by_photo(settings).items()}
    assert reasons == {
        "a/good.jpg": "remarks",
        "a/empty.jpg": "empty",
        "a/text.jpg": "not_an_image",
        "a/cut.jpg": "truncated",
        "b/huge.jpg": "too_many_pixels",
        "b/broken_model.jpg": "unexpected",
    }
    assert set(files(tmp_path / "out")) == {"a/good.jpg", "a/good.json"}
    assert all(row["detail"] for row in rows(settings) if row["status"] == "failed")


def test_failures_are_tried_again_and_a_success_takes_their_place(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
    assert run(settings, job(tmp_path), RedFinder(fails={128: RuntimeError("x")})) == {"failed": 1}
    assert run(settings, job(tmp_path, "run-2")) == {"done": 1}
    assert by_photo(settings)["one.jpg"]["status"] == "done"


def test_a_failure_of_the_same_file_does_not_replace_a_success(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
    run(settings, job(tmp_path))
    assert run(settings, job(tmp_path, "run-2", redo=True), RedFinder(fails={128: MemoryError()})) == {"failed": 1}
    assert by_photo(settings)["one.jpg"]["run"] == "run-1"


def test_two_pictures_never_share_a_record(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"x/one.jpg": photo(1), "x/one.jpeg": photo(2), "y/one.jpg": photo(3)})
    assert run(settings, job(tmp_path)) == {"done": 2, "failed": 1}
    assert by_photo(settings)["x/one.jpg"]["reason"] == "name_clash"


def test_previews_and_records_go_where_the_profile_says(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"tilSladding/2020/one.jpg": photo(1)})
    write = {"separate_preview_folder": str(tmp_path / "pre")}
    places = ("output", "input", "archive", "separate")
    one = job(
        tmp_path, archive=True, records=places[:3], previews=places, write=write | {"previews": ["separate"]},
        masking={"preview": {"width": 40, "height": 30}},
    )  # fmt: skip
    assert run(settings, one) == {"done": 1}
    stem = "tilSladding/2020/one"
    assert set(files(tmp_path / "out")) == {f"{stem}.jpg", f"{stem}.json", f"{stem}_preview.jpg"}
    assert set(files(tmp_path / "arc")) == {f"{stem}.jpg", f"{stem}.json", f"{stem}_preview.jpg"}
    assert set(files(tmp_path / "in")) == {f"{stem}.jpg", f"{stem}.json", f"{stem}_preview.jpg"}
    assert set(files(tmp_path / "pre")) == {"2020/one_preview.jpg"}
    assert files(tmp_path / "arc")[f"{stem}.jpg"] == files(tmp_path / "in")[f"{stem}.jpg"]
    assert decode(files(tmp_path / "pre")["2020/one_preview.jpg"]).image.shape == (30, 40, 3)
    assert batch(settings, one).plan().to_do == 0, "previews in the inbox are no pictures to be done"


def test_originals_are_deleted_once_everything_was_verified(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in")
    before = files(tmp_path / "in")
    assert run(settings, job(tmp_path, archive=True, delete_input=True)) == {"done": 4}
    assert files(tmp_path / "in") == {}
    assert list((tmp_path / "in").iterdir()) == []
    assert {name: data for name, data in files(tmp_path / "arc").items() if not name.endswith("json")} == before
    receipt = json.loads(rows(settings, RECEIPTS)[0]["receipt"])
    assert receipt["original"]["fate"] == "deleted"
    assert receipt["original"]["verified_sha256"] == receipt["input"]["sha256"]
    assert {row["original"] for row in rows(settings)} == {"deleted"}


def test_an_original_stays_where_a_file_is_not_as_it_was_written(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
    whole = FolderPlace.save

    def flipped(self: FolderPlace, key: str, data: bytes) -> None:
        whole(self, key, data[:-1] + b"\0" if self.root.name == "arc" else data)

    monkeypatch.setattr(FolderPlace, "save", flipped)
    work = batch(settings, job(tmp_path, archive=True, delete_input=True))
    (shard,) = work.plan().shards
    with pytest.raises(StoreError, match="not as it was written"):
        list(work.do(shard))
    assert set(files(tmp_path / "in")) == {"one.jpg"}


def test_deleting_needs_an_archive_and_places_lie_apart(tmp_path: Path):
    with pytest.raises(ConfigError, match="archive"):
        job(tmp_path, delete_input=True)
    for output in ("in", "in/below", "."):
        places = {"input": str(tmp_path / "in"), "output": str(tmp_path / output)}
        with pytest.raises(ConfigError, match="lies in"):
            new_job(Profile(name="p"), **places, run="r", who="w")


def test_a_share_that_comes_back_in_time_is_waited_for(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "away")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            (tmp_path / "away").rename(tmp_path / "in")

    work = Batch(settings, job(tmp_path), finder=RedFinder(), wait=wait)
    assert work.plan().to_do == 4
    assert waits == [10, 10, 10]


def test_a_share_that_stays_away_fails_cleanly(settings: Settings, tmp_path: Path):
    waits: list[float] = []
    work = Batch(settings, job(tmp_path), finder=RedFinder(), wait=waits.append)
    with pytest.raises(StoreUnavailableError, match="is not there"):
        work.plan()
    assert sum(waits) == 60


def test_a_share_lost_in_a_shard_keeps_what_was_done(settings: Settings, tmp_path: Path):
    # More than are read ahead: what was begun before the share is lost is done.
    fill_inbox(tmp_path / "in", {f"{number}.jpg": photo(number) for number in range(12)})
    work = batch(settings, job(tmp_path))
    (shard,) = work.plan().shards
    done = work.do(shard, workers=1)
    first = next(done)
    (tmp_path / "in").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailableError):
        list(done)
    (tmp_path / "away").rename(tmp_path / "in")
    finder = RedFinder()
    assert run(settings, job(tmp_path), finder) == {"done": 12}
    assert finder.looked < 12
    assert by_photo(settings)[first.photo]["status"] == "done"


def test_two_runs_at_once_do_no_harm(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {f"{number // 4}/{number}.jpg": photo(number) for number in range(12)})
    runners = [threading.Thread(target=run, args=(settings, job(tmp_path, f"run-{name}"))) for name in "ab"]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert len(rows(settings)) == 12
    assert verify_chain(rows(settings, RECEIPTS)) == []
    assert batch(settings, job(tmp_path, "run-c")).plan().to_do == 0


def test_a_blur_that_would_hide_nothing_is_refused(settings: Settings, tmp_path: Path):
    fill_inbox(tmp_path / "in", {"one.jpg": photo(1)})
    assert run(settings, job(tmp_path, masking={"fill": {"style": "grey_blur"}})) == {"failed": 1}
    assert by_photo(settings)["one.jpg"]["reason"] == "fill_refused"


def test_buckets_do_as_folders_do(settings: Settings, tmp_path: Path):
    with serving_storage() as peer:
        names = {"input": "gs://pictures/in", "output": "gs://pictures/out", "archive": "gs://pictures/arc"}
        inbox = open_place(names["input"], peer.client())
        for number, name in enumerate(NAMES):
            inbox.save(name, photo(number))
        one = new_job(Profile(name="test"), source="inbox", run="run-1", who="w", delete_input=True, **names)
        assert run(settings, one, client=peer.client()) == {"done": 4}
        made = {entry.key for entry in open_place(names["output"], peer.client()).entries()}
        archived = {entry.key for entry in open_place(names["archive"], peer.client()).entries()}
        assert list(inbox.entries()) == []
    assert set(NAMES) < made
    assert archived == set(NAMES)
    assert by_photo(settings)[NAMES[0]]["output_uri"] == f"gs://pictures/out/{NAMES[0]}"
