"""`wayside anonymise`, `check` and `review`: from the shell, with the real detector, and what they say."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.photos.inbox import NAMES, RedFinder, files, fill_inbox
from typer.testing import CliRunner

from wayside.cli.main import _commands
from wayside.cli.photos import _Speed
from wayside.core.errors import ConfigError
from wayside.photos import batch as batches

RUNNER = CliRunner()
pytestmark = pytest.mark.usefixtures("state")


def wayside(*arguments: object, code: int = 0) -> str:
    done = RUNNER.invoke(_commands, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "load_finder", lambda _finding, _settings: RedFinder())


def test_a_folder_is_anonymised_by_the_detector_that_comes_with_wayside(tmp_path: Path):
    fill_inbox(tmp_path / "in")
    said = wayside("anonymise", tmp_path / "in", tmp_path / "out", "--previews", "output")
    assert "4: 0 done before, 4 done" in said
    assert len(files(tmp_path / "out")) == 12
    assert "4: 4 done before" in wayside("anonymise", tmp_path / "in", tmp_path / "out", "--previews", "output")


@pytest.mark.usefixtures("red")
class TestWithAFinderOfOurOwn:
    """What does not depend on what is found."""

    def test_a_dry_run_and_a_check(self, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        assert "4 to do" in wayside("anonymise", tmp_path / "in", tmp_path / "out", "--dry-run")
        assert not (tmp_path / "out").exists()
        lacking = json.loads(wayside("check", tmp_path / "in", tmp_path / "out", "--json", code=1))
        assert lacking["pictures"] == 4
        assert len(lacking["missing"]) == 4
        wayside("anonymise", tmp_path / "in", tmp_path / "out")
        assert json.loads(wayside("check", tmp_path / "in", tmp_path / "out", "--json"))["missing"] == {}
        (tmp_path / "out" / NAMES[3]).unlink()
        assert NAMES[3] in wayside("check", tmp_path / "in", tmp_path / "out", code=1)

    def test_failures_are_named_and_the_exit_code_says_so(self, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        (tmp_path / "in" / "bad [bold].jpg").write_bytes(b"text")
        said = wayside("anonymise", tmp_path / "in", tmp_path / "out", code=1)
        assert "bad [bold].jpg" in said
        assert "4 done, 1 failed" in said or "1 failed, 4 done" in said

    def test_a_review_from_the_shell(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("wayside.photos.review.MOST_SHOWN", 3)
        fill_inbox(tmp_path / "in")
        profile = tmp_path / "mine.yaml"
        profile.write_text("review: {enabled: true, sample: 1.0}\n")
        wayside("anonymise", tmp_path / "in", tmp_path / "out", "--profile", profile, "--run", "spring")
        sheet = tmp_path / "sheet.jpg"
        assert "4 pictures wait, 4 of them" in wayside("review", "spring", "--sheet", sheet)
        sheets = sheet, tmp_path / "sheet-1.jpg"  # every picture to be looked at is on one
        assert [path.read_bytes()[:2] for path in sheets] == [b"\xff\xd8"] * 2
        assert "3 published, 1 rejected" in wayside("review", "spring", "--approve", "--reject", NAMES[3])
        assert NAMES[3] not in files(tmp_path / "out")
        assert "no picture of spring waits" in wayside("review", "spring")
        with pytest.raises(ConfigError, match="there is no run 'autumn'"):
            wayside("review", "autumn")

    def test_remarks_are_told_once_with_their_number(self, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        profile = tmp_path / "mine.yaml"
        profile.write_text("table: vegbilder\n")
        said = wayside("anonymise", tmp_path / "in", tmp_path / "out", "--profile", profile)
        assert "remark of 4 pictures: VEGBILDER would refuse it: Dataeier may not be null" in said

    def test_what_is_left_visible_is_not_called_hidden(self, tmp_path: Path):
        fill_inbox(tmp_path / "in")
        profile = tmp_path / "mine.yaml"
        profile.write_text("draw: false\n")
        said = wayside("anonymise", tmp_path / "in", tmp_path / "out", "--profile", profile)
        assert "left as it was" in said
        assert "│ hidden" not in said

    def test_who_stops_it_is_told_how_it_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        fill_inbox(tmp_path / "in")
        whole = batches.Batch.do

        def stopped(self: batches.Batch, *args: object, **options: object) -> Iterator[object]:
            yield next(whole(self, *args, **options))  # type: ignore[arg-type]
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(batches.Batch, "do", stopped)
            said = wayside("anonymise", tmp_path / "in", tmp_path / "out", code=130)
        assert "stopped: 1 of 4 pictures are done, and the same command goes on" in said
        assert "4: 0 done before, 4 done" in wayside("anonymise", tmp_path / "in", tmp_path / "out")

    def test_an_old_configuration_becomes_a_profile(self, tmp_path: Path):
        old = tmp_path / "old.yml"
        old.write_text("data_eier: Vegvesenet\nblur: 15\nmodel_type: Slow\n")
        said = wayside("anonymise", "--import-config", old)
        assert "data_owner: Vegvesenet" in said
        assert "model_type" in said


@pytest.mark.parametrize(("speed", "says"), [(None, ""), (2.5, "2.5 pictures/s"), (0.1, "10.0 s/picture")])
def test_the_speed_reads_well_for_small_pictures_and_for_panoramas(speed: float | None, says: str):
    task = SimpleNamespace(finished_speed=None, speed=speed)
    assert str(_Speed().render(task)) == says  # type: ignore[arg-type]
