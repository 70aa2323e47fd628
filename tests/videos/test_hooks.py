"""An old hook file, as it was written for the video importer, runs unchanged: tests/videos/hooks/box_hook.py."""

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.videos.event_pictures import START, Job, Time, event

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.videos.labellers.base import LabelFailure, Labelled, SegmentFile
from wayside.videos.labellers.hook import HookLabeller, load_hook
from wayside.videos.labellers.opened import open_labeller
from wayside.videos.labellers.records import Records

HOOKS = Path(__file__).with_name("hooks")
FRONT = "user:MAC:" + hashlib.sha1(b"front").hexdigest()


@dataclass
class Box:
    """The box of the sample hook, and a labeller as a new process would make it."""

    folder: Path
    root: Path

    def labeller(self, run: str = "run-1", **data: Any) -> tuple[HookLabeller, Job]:
        made = HookLabeller(*load_hook("box_hook.py", HOOKS), self.root, clock=Time())
        return made, Job(run=run, hook_data=json.dumps({"box": str(self.folder), "port": 8080, **data}))

    @property
    def said(self) -> list[list[Any]]:
        text = (self.folder / "said.jsonl").read_text() if (self.folder / "said.jsonl").exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def called(self, function: str) -> list[list[Any]]:
        return [what for name, *what in self.said if name == function]

    @property
    def holds(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.name != "said.jsonl"}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    (tmp_path / "box").mkdir()
    return Box(tmp_path / "box", tmp_path / "state")


@pytest.fixture
def archive(tmp_path: Path) -> list[SegmentFile]:
    """Four videos of two cameras; the hook looks at their bytes alone."""
    made = []
    for number, (camera, content) in enumerate(
        [("front", b"one"), ("rear", b"two"), ("front", b"refused"), ("front", b"broken")]
    ):
        path = tmp_path / f"{camera}-{number}.mp4"
        path.write_bytes(content)
        place = {"lat": 7.367598, "lng": 134.706975} if number == 0 else {}
        made.append(
            SegmentFile(
                camera=camera,
                file=path.name,
                path=path,
                start_at=START + timedelta(minutes=number),
                duration_s=60.0,
                sha256=hashlib.sha256(content).hexdigest(),
                sha1=hashlib.sha1(content).hexdigest(),
                bytes=len(content),
                **place,
            )
        )
    return made


def test_an_old_hook_is_called_as_the_importer_called_it(box: Box, archive: list[SegmentFile]) -> None:
    labeller, job = box.labeller()
    labeller.begin(job, ["front", "rear", "front"], archive)
    assert [labeller.post(video) for video in archive[:2]] == [None, None]
    assert labeller.finish()
    keys = sorted(video.sha1 for video in archive)
    assert box.said == [
        ["set_hook_data", ["box", "logger", "port"], 0],
        ["register_camera", "front", None, 8080],
        ["register_camera", "rear", None, 8080],
        ["set_hook_data", ["registered_cameras"], 2],
        ["assign_job_ids", keys, ["front", "rear"]],
        [
            "post_video_content", "front", FRONT, "front-0.mp4", "2026-05-02T09:40:00.123Z",
            '{"location": {"lat": 7.367598, "lng": 134.706975}, "accuracy": null}', None, 8080,
        ],
        [
            "post_video_content", "rear", "user:MAC:" + hashlib.sha1(b"rear").hexdigest(), "rear-1.mp4",
            "2026-05-02T09:41:00.123Z", None, None, 8080,
        ],
        ["register_jobs", "job-1", "shard_000", 2, sorted(video.sha1 for video in archive[:2])],
    ]  # fmt: skip
    assert box.holds == {video.sha1 for video in archive[:2]}
    records = Records(box.root / "Boat" / "box_hook" / "records")
    assert len(records) == 4
    assert records[archive[0].sha1] == {
        "camera": "front",
        "timestamp": "2026-05-02T09:40:00.123Z",
        "lat": 7.367598,
        "lng": 134.706975,
        "filename": str(archive[0].path),
        "duration": 60.0,
        "key": archive[0].sha1,
        "given_name": f"front.2026-05-02T09:40:00.123Z.{archive[0].sha1}.mp4",
        "discovered_on": "2026-05-02T09:40:00.123Z",
        "uploaded_on": "2026-05-02T09:40:00.123Z",
        "confirmed_on": None,
        "job_id": "job-1",
        "shard_id": "shard_000",
        "size": 3,
        "upload_url": "http://box/shard_000",
    }


def test_a_video_that_is_not_taken_stops_no_other(
    box: Box, archive: list[SegmentFile], caplog: pytest.LogCaptureFixture
) -> None:
    labeller, job = box.labeller()
    labeller.begin(job, ["front", "rear"], archive)
    refused, failed, taken = labeller.post_all(archive[number] for number in (2, 3, 1))
    assert refused == LabelFailure(archive[2].sha256, "hook_refused", "hook:box_hook did not take front-2.mp4")
    assert isinstance(failed, LabelFailure)
    assert failed.reason == "hook_failed"
    assert "OSError: the box hung up" in failed.message
    assert "Traceback" in caplog.text
    assert "box_hook.py" in caplog.text
    assert taken == Labelled(archive[1].sha256, "hook:box_hook", None, ())


def test_what_was_done_is_not_done_again(box: Box, archive: list[SegmentFile]) -> None:
    for _ in range(3):  # three workers, or one that was killed and tried again
        labeller, job = box.labeller()
        labeller.begin(job, ["front", "rear"], archive)
        for video in archive:
            labeller.post(video)
    for _ in range(2):
        labeller, job = box.labeller()
        labeller.begin(job, ["front", "rear"], archive)
        assert labeller.finish()
    times = Counter(name for name, *_ in box.said)
    assert times["register_camera"] == 2
    assert times["assign_job_ids"] == 1
    assert times["register_jobs"] == 1, "both videos that were taken lie in one shard"
    posted = Counter(what[2] for what in box.called("post_video_content"))
    assert posted == {"front-0.mp4": 1, "rear-1.mp4": 1, "front-2.mp4": 3, "front-3.mp4": 3}
    # Another run registers its cameras anew, and sends only what was not taken.
    labeller, job = box.labeller("run-2")
    labeller.begin(job, ["front"], archive)
    assert labeller.post(archive[0]) is None
    assert Counter(name for name, *_ in box.said)["register_camera"] == 3
    assert Counter(what[2] for what in box.called("post_video_content"))["front-0.mp4"] == 1


def test_a_hook_that_ends_the_program_ends_only_its_camera(box: Box, archive: list[SegmentFile]) -> None:
    labeller, job = box.labeller(forbidden="front")
    labeller.begin(job, ["front", "rear"], archive)
    failed = labeller.post(archive[0])
    assert isinstance(failed, LabelFailure)
    assert failed.reason == "hook_failed"
    assert "register_camera raised SystemExit" in failed.message
    assert labeller.post(archive[1]) is None
    # The camera is tried again by whoever comes next.
    labeller, job = box.labeller()
    labeller.begin(job, ["front", "rear"], archive)
    assert labeller.post(archive[0]) is None
    assert [what[0] for what in box.called("register_camera")] == ["rear", "front"]


def test_a_camera_without_an_id_is_logged_and_goes_on(
    box: Box, archive: list[SegmentFile], caplog: pytest.LogCaptureFixture
) -> None:
    labeller, job = box.labeller(nameless="front")
    labeller.begin(job, ["front"], archive)
    assert labeller.post(archive[0]) is None
    assert "gave no camera_id for front" in caplog.text
    assert box.called("post_video_content")[0][1] is None


def test_jobs_that_cannot_be_made(box: Box, archive: list[SegmentFile]) -> None:
    labeller, job = box.labeller(no_jobs=True)
    labeller.begin(job, ["front"], archive)
    failed = labeller.post(archive[0])
    assert isinstance(failed, LabelFailure)
    assert "assign_job_ids raised KeyError" in failed.message
    labeller, job = box.labeller(jobs_refused=True)
    labeller.begin(job, ["front"], archive)
    assert labeller.post(archive[0]) is None
    assert not labeller.finish()


def test_a_video_that_nobody_announced_is_posted_all_the_same(box: Box, archive: list[SegmentFile]) -> None:
    labeller, job = box.labeller()
    labeller.begin(job, ["front"])
    assert labeller.post(archive[0]) is None
    unknown = labeller.post(archive[1])
    assert isinstance(unknown, LabelFailure)
    assert "not registered" in unknown.message
    assert box.holds == {archive[0].sha1}


def test_hook_data_that_are_none(box: Box) -> None:
    labeller, _ = box.labeller()
    for text in ("[1]", "{", "[" * 10**5):
        with pytest.raises(ConfigError, match="hook data"):
            labeller.begin(Job(hook_data=text), [])


@pytest.fixture
def home(tmp_path: Path, settings: Settings) -> Settings:
    made = settings.model_copy(update={"home": tmp_path})
    (made.config / "hooks").mkdir(parents=True)
    shutil.copy(HOOKS / "box_hook.py", made.config / "hooks")
    return made


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("nobody", None, "there are: box_hook"),
        ("../box_hook", None, "not valid"),
        ("/etc/passwd", None, "not valid"),
        ("old", 'print "posted"', "line 1.*Python 2"),
        ("poor", "def register_camera(name): pass", "lacks post_video_content"),
        ("loud", "import sys; sys.exit('no token')", "SystemExit"),
        ("wrong", "register_camera = post_video_content = 1", "lacks register_camera and post_video_content"),
    ],
)
def test_hooks_that_cannot_be_loaded(home: Settings, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (home.config / "hooks" / f"{name}.py").write_text(text)
    with pytest.raises(ConfigError, match=told):
        open_labeller(f"hook:{name}", home)


@pytest.mark.parametrize("name", ["box_hook", "box_hook.py"])
def test_a_hook_is_opened_by_the_name_of_its_file(home: Settings, name: str) -> None:
    labeller = open_labeller(f"hook:{name}", home)
    assert labeller.name == "hook:box_hook"
    assert labeller.takes_videos
    assert labeller.label(event("front")).labels == ()  # type: ignore[union-attr]
    assert not list((home.config / "hooks").rglob("*.pyc")), "the folder may be read-only"


def test_records_are_a_mapping_like_a_shelve(tmp_path: Path) -> None:
    records, key = Records(tmp_path), "a" * 40
    assert key not in records
    assert len(records) == 0
    records[key] = {"job_id": None}
    assert list(records.items()) == [(key, {"job_id": None})]
    records[key]["job_id"] = "lost, as with a shelve"
    assert records[key] == {"job_id": None}
    with pytest.raises(KeyError):
        records["../x"] = {}
    assert records.get("../x") is None
    del records[key]
    with pytest.raises(KeyError):
        del records[key]
    records.sync()
    records.close()
