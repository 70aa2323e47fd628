"""`wayside import` and `wayside jobs`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.videos.archive import PATTERN
from tests.videos.imports import name, put
from typer.testing import CliRunner

from wayside.cli import videos as command
from wayside.cli.main import _commands
from wayside.core.errors import VideoError, WaysideError
from wayside.videos import job as command_job
from wayside.videos import process
from wayside.videos.labellers import opened

RUN = CliRunner()


def call(*arguments: object, code: int = 0) -> str:
    done = RUN.invoke(_commands, [str(one) for one in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_an_import_from_the_names_to_the_files_of_labels(tmp_path: Path, state: Path):
    for number in range(3):
        put(tmp_path, name(number), number)
    (tmp_path / "in" / "a" / "notes.txt").write_text("battery changed")
    told = ("import", tmp_path / "in", "--pattern", PATTERN, "--source", "Boat", "--labeller", "none")
    said = call(*told, "--dry-run")
    assert "a video, to be read" in said
    assert "quarantined: not_a_video" in said
    assert not (state / "videos").exists()
    said = call(*told, "--export", tmp_path / "out", "--formats", "v2,csv", "--run", "import-1")
    for part in ("3 of 4 files", "3 exported, 1 quarantined", "3 videos, 9 s long: 3 events", "Boat-labels.csv"):
        assert part in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Boat-labels.csv", "Boat-labels.v2.json"]
    again = call(*told, "--export", tmp_path / "out", "--run", "import-2")
    assert "nothing new in 4 files" in again
    jobs = call("jobs")
    assert jobs.index("import-2") < jobs.index("import-1")  # the newest first
    assert "1 complete" in jobs
    one = json.loads(call("jobs", "import-1", "--json"))
    assert (one["job_id"], one["status"], one["request"]["item_count"]) == ("import-1", "complete", 3)
    assert one["shard_map"] == {
        "0000": {"item_count": 3, "job_id": "import-1", "shard_id": "0000", "status": "complete"}
    }
    assert [job["job_id"] for job in json.loads(call("jobs", "--json"))].count("import-2") == 1


def test_failures_end_with_1_and_are_listed(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch):
    put(tmp_path, name(1), 1)

    def fails(*_: object) -> None:
        raise VideoError("damaged", "nothing [of it] can be read")

    monkeypatch.setattr(process, "motion_events", fails)
    said = call("import", tmp_path / "in", "--pattern", PATTERN, "--labeller", "none", code=1)
    assert f"failed {name(1)}: nothing [of it] can be read" in said
    assert "1 quarantined" in said


def test_hook_data_and_whitelists_are_read_from_files(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch):
    put(tmp_path, name(1), 1)
    (tmp_path / "hook.json").write_text('{"plan": "basic", "img_y_size": 200, "access_token": "x"}')
    (tmp_path / "white.json").write_text('["tuna"]')
    seen = []

    def stop(importer: object) -> None:
        seen.append(importer.job)  # type: ignore[attr-defined]

    monkeypatch.setattr(command, "_preview", stop)
    options = ("--hook-data-file", tmp_path / "hook.json", "--hook-data", '{"plan": "pro"}')
    call("import", tmp_path / "in", *options, "--whitelist", tmp_path / "white.json", "--dry-run")
    (job,) = seen
    assert json.loads(job.hook_data) == {"plan": "pro", "img_y_size": 200}
    assert job.whitelist == ("tuna",)
    assert job.source.startswith("in-")


def test_wrong_use_is_told(tmp_path: Path, state: Path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    for arguments, said in (
        (("import", tmp_path, "--pattern", "no groups"), "has no group"),
        (("import", tmp_path, "--labeller", "magic"), "labeller 'magic' is not known"),
        (("import", tmp_path, "--whitelist", tmp_path / "bytes.json"), "not text in UTF-8"),
        (("import", tmp_path / "none", "--labeller", "none"), "is not there"),
        (("jobs", "import-9"), "there is no job"),
    ):
        done = RUN.invoke(_commands, [str(one) for one in arguments])
        assert done.exit_code == 1
        assert isinstance(done.exception, WaysideError)
        assert said in str(done.exception)


def test_a_service_is_told_where_to_answer_and_runs_of_one_second_have_two_names(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path, name(1), 1)
    told = []

    class ToldError(Exception):
        pass

    def stop(text: str, *_: object, **options: object) -> None:
        told.append((text, options["address"]))
        raise ToldError

    names = []
    new_job = command_job.new_job
    monkeypatch.setattr(command_job, "new_job", lambda **fields: names.append(fields["run"]) or new_job(**fields))
    monkeypatch.setattr(opened, "open_labeller", stop)
    monkeypatch.setattr(command, "utc_now", lambda: datetime(2026, 6, 20, tzinfo=UTC))
    service = ("--labeller", "https://labels.example/x")
    for more in ((), ("--callback-url", "https://airflow.example/")):
        RUN.invoke(_commands, ["import", str(tmp_path / "in"), *service, *more])
    (_, nowhere), (text, address) = told
    assert (text, nowhere) == ("https://labels.example/x", None)
    assert address("TOKEN") == "https://airflow.example/wayside-callbacks/labels/TOKEN"
    assert len(set(names)) == 2
