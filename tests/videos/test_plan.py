"""Shards of an import: packed as documented, in order, never hours of video, and never too many."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.videos.imports import importer, name, put, rows
from tests.videos.test_ledger import content, file

from wayside.core.errors import ConfigError
from wayside.videos.job import ImportJob, holds
from wayside.videos.plan import divide, hash_map, request, shard_of
from wayside.videos.records import Content

EPOCHS = (1476014557, 1476018757)


def job(tmp_path: Path, **changes: object) -> ImportJob:
    return importer(tmp_path, **changes).job


def videos(number: int, *, seconds: float = 3.0, size: int = 0) -> list[Content]:
    """Contents whose entries in the documented map have about `size` bytes."""
    row = content(file("x.mp4", "a" * 64))
    made = [replace(row, sha1=f"{one:040}", duration_s=seconds, first_file=f"{one:05}.mp4") for one in range(number)]
    if not size:
        return made
    spare = size - len(json.dumps(hash_map(made[:1]))[1:-1] + ", ")
    return [replace(one, first_file="n" * spare + one.first_file) for one in made]


def test_the_documented_example_is_packed_as_documented(tmp_path: Path):
    parts = divide(job(tmp_path), videos(4099, size=512))
    assert [len(part) for part in parts] == [2048, 2048, 3]
    assert [part.start for part in parts] == [0, 2048, 4096]


def test_no_shard_is_many_hours_long(tmp_path: Path):
    parts = divide(job(tmp_path), videos(20, seconds=1800.0))
    assert [len(part) for part in parts] == [8, 8, 4]
    assert [len(part) for part in divide(job(tmp_path), videos(3, seconds=20_000.0))] == [1, 1, 1]
    assert divide(job(tmp_path), []) == []


def test_shards_are_never_too_many(tmp_path: Path):
    parts = divide(job(tmp_path, max_seconds=1.0), videos(2500))
    assert len(parts) <= 1000
    assert sum(len(part) for part in parts) == 2500
    with pytest.raises(ConfigError, match="raise max_items"):
        divide(job(tmp_path, max_items=1), videos(1001))


def test_a_job_asks_in_the_documented_shape(tmp_path: Path):
    first, second = (
        replace(one, camera="C2_Hi", start_at=datetime.fromtimestamp(epoch, UTC), bytes=1_500_000, duration_s=599.99)
        for one, epoch in zip(videos(2), EPOCHS, strict=True)
    )
    asked = request(job(tmp_path, hook_data='{"plan": "pro"}'), [first, second])
    entry = {first.sha1: {"original_filename": "00000.mp4", "size_MB": 1.5}}
    assert hash_map([first]) == entry
    assert asked == {
        "item_count": 2,
        "item_average_size_bytes": len(json.dumps(entry)),
        "cameras": [{"name": "C2_Hi", "plan": "pro", "local_camera_id": "5f72bf2d11034854c0ff34ff54b8b0b74b138e50"}],
        "earliest_date": "2016-10-09T12:02:37.000Z",
        "latest_date": "2016-10-09T13:22:36.990Z",
    }
    empty = request(job(tmp_path), [])
    assert (empty["item_count"], empty["item_average_size_bytes"], empty["latest_date"]) == (0, 0, None)
    shard = shard_of(job(tmp_path), 3, [first, second])
    assert (shard.shard_id, shard.items, shard.seconds, shard.label) == ("0003", 2, 1199.98, "Boat 0003 00000.mp4")


def test_a_run_that_is_planned_again_gets_the_shards_that_it_had(tmp_path: Path):
    for number in range(5):
        put(tmp_path, name(number), number)
    work = importer(tmp_path, max_items=2)
    work.scan()
    shards = work.plan()
    before = rows(work, "video_jobs")
    assert [shard.items for shard in shards] == [2, 2, 1]
    list(work.process(shards[0]))
    again = importer(tmp_path, max_items=2)
    assert again.plan() == shards == again.shards()
    after = rows(work, "video_jobs")
    assert after[0]["request"] == before[0]["request"]
    assert {one: said["status"] for one, said in json.loads(after[0]["shards"]).items()} == {
        "0000": "running", "0001": "missing", "0002": "missing",
    }  # fmt: skip
    assert after[0]["status"] == "shards_missing"


def test_ids_tell_what_still_holds(tmp_path: Path):
    plain, redo = job(tmp_path), job(tmp_path, redo=True)
    cut = plain.cut_id("BOW")
    assert cut == job(tmp_path, run="run-2").cut_id("BOW") == plain.cut_id("DECK")
    assert cut != job(tmp_path, hook_data='{"cameras": {"BOW": {"img_y_size": 99}}}').cut_id("BOW")
    assert holds(cut, cut)
    assert holds(redo.cut_id("BOW"), cut)
    assert not holds(cut, redo.cut_id("BOW"))
    assert not holds(None, cut)
    assert job(tmp_path, labeller="none").labelling_id() == ""
    assert timedelta(seconds=plain.max_seconds) == timedelta(hours=4)
