"""`wayside labels`: bookmarks from file to file, into the tables and out of them."""

import json
from pathlib import Path

import pytest
from tests.videos.bookmarked import EVERYTHING, NOON
from tests.videos.shared_data import SHARED, needs_shared
from typer.testing import CliRunner, Result

from wayside.cli import main
from wayside.core.errors import WaysideError
from wayside.core.tables import CAMERAS, VIDEO_JOBS
from wayside.videos.bookmarks import BookmarkImage, BookmarkLabel, Bookmarks, read_bookmarks, write_bookmarks
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main._commands, ["labels", *arguments], env={"COLUMNS": "200"})


def told(*arguments: str) -> str:
    answer = run(*arguments)
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def refused(*arguments: str) -> str:
    answer = run(*arguments)
    assert isinstance(answer.exception, WaysideError), answer.output
    return str(answer.exception)


@pytest.fixture
def file(state: Path) -> str:
    """Bookmarks of two cameras, as the video importer wrote them, in the folder in which the commands run."""
    images = {
        "2016-10-09T12:00:00.000-0000": {"labels": ["tuna", "human"], "camera": {"name": "A"}},
        "2016-10-09T12:00:02.500-0000": {"labels": ["human"], "camera": {"name": "B"}},
    }
    said = {"labels": images, "job_id": "job-1", "earliest_date": "2016-10-09T12:00:00", "latest_date": None}
    path = state.parent / "bookmarks.json"
    path.write_text(json.dumps(said))
    return path.name


def names(text: str | bytes) -> dict[str, list[str]]:
    found = read_bookmarks(text.encode() if isinstance(text, str) else text)
    return {image.camera: [label.name for label in image.labels] for image in found.images}


BOTH = {"A": ["tuna", "human"], "B": ["human"]}


def test_import_and_export(file: str):
    assert told("import", "boats", file) == "boats: 2 images, 3 labels, 2 events\nnew cameras: A, B\n"
    assert told("import", "boats", file) == "boats: 2 images, 3 labels, 2 events; all of it was there\n"
    said = json.loads(told("export", "boats"))
    assert (said["job_id"], said["earliest_date"]) == ("job-1", "2016-10-09T12:00:00.000Z")
    assert list(said["labels"]) == ["2016-10-09T12:00:00.000Z", "2016-10-09T12:00:02.500Z"]
    for kind in ("v1", "v2", "csv", "xml"):
        assert names(told("export", "boats", "--format", kind)) == BOTH


def test_the_format_follows_the_name_of_the_output(file: str, state: Path):
    told("import", "boats", file)
    for name, start in (("a.csv", b"timestamp,"), ("b.XML", b"<?xml"), ("c.json", b'{\n  "job_id"'), ("d", b"{")):
        answer = run("export", "boats", "-o", f"out/{name}")
        assert (answer.exit_code, answer.stdout) == (0, "")
        assert answer.stderr == f"out/{name}: 2 images, 3 labels\n"
        data = (state.parent / "out" / name).read_bytes()
        assert data.startswith(start)
        assert names(data) == BOTH
    told("export", "boats", "-o", "out/e.json", "--format", "v2")
    assert json.loads((state.parent / "out" / "e.json").read_text())["version"] == 2


def test_filters(file: str, state: Path):
    told("import", "boats", file)
    (state.parent / "wanted.json").write_text('["tuna"]')
    assert names(told("export", "boats", "--camera", "B")) == {"B": ["human"]}
    assert names(told("export", "boats", "--first", "2016-10-09T14:00:01+0200")) == {"B": ["human"]}
    assert names(told("export", "boats", "--last", "2016-10-09T12:00:01")) == {"A": ["tuna", "human"]}
    assert names(told("export", "boats", "--whitelist", "wanted.json")) == {"A": ["tuna"]}
    assert names(told("convert", file, "-f", "wanted.json")) == {"A": ["tuna"]}
    nothing = run("export", "boats", "--camera", "C")
    assert (nothing.exit_code, names(nothing.stdout)) == (0, {})
    assert nothing.stderr.startswith("boats has no labels that fit")


def test_verdicts(file: str, state: Path):
    from tests.videos.test_bookmark_tables import judge

    told("import", "boats", file)
    lake = ParquetWarehouse(state / "warehouse")
    event = json.loads(told("export", "boats", "--format", "v2"))["images"][0]["event_id"]
    judge(lake, event, "rejected")
    assert names(told("export", "boats")) == {"B": ["human"]}
    assert names(told("export", "boats", "--unreviewed")) == BOTH


def test_cameras_get_ids(state: Path):
    image = BookmarkImage(NOON, "C2 = Hi", labels=(BookmarkLabel("tuna"),))
    (state.parent / "x.csv").write_bytes(write_bookmarks(Bookmarks(images=(image,)), "csv"))
    assert "the camera 'C2 = Hi' cannot keep its name" in refused("import", "boats", "x.csv")
    assert "new cameras: C2_Hi" in told("import", "boats", "x.csv", "--camera", "C2 = Hi=C2_Hi")
    (row,) = ParquetWarehouse(state / "warehouse").read(CAMERAS, Scope("boats")).to_pylist()
    assert (row["camera"], row["name"]) == ("C2_Hi", "C2 = Hi")
    assert refused("import", "boats", "x.csv", "--camera", "C2_Hi") == "--camera 'C2_Hi': write NAME=ID"


def test_who_imported_is_written_down(file: str, state: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    told("import", "boats", file)
    lake = ParquetWarehouse(state / "warehouse")
    (scope,) = lake.scopes(VIDEO_JOBS, ["boats"])
    assert json.loads(lake.read(VIDEO_JOBS, scope)["request"][0].as_py())["who"] == "ann"


def test_convert(file: str, state: Path):
    (state.parent / "all.json").write_bytes(write_bookmarks(EVERYTHING, "v2"))
    told("convert", "all.json", "-o", "all.xml")
    told("convert", "all.xml", "-o", "all.csv")
    assert read_bookmarks((state.parent / "all.csv").read_bytes()) == EVERYTHING
    assert json.loads(told("convert", file, "--local-in", "America/Los_Angeles"))["earliest_date"][11:16] == "19:00"
    assert not (state / "warehouse").exists()


def test_a_collision_is_refused_and_nothing_is_written(state: Path):
    images = (BookmarkImage(NOON, "A"), BookmarkImage(NOON, "B"))
    (state.parent / "x.xml").write_bytes(write_bookmarks(Bookmarks(images=images), "xml"))
    assert "there are two: camera 'A' and camera 'B'" in refused("convert", "x.xml", "-o", "x.json")
    assert not (state.parent / "x.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "boats", "{}", "--local-in", "Mars"), "no time zone 'Mars'"),
        (("import", "bo ats", "{}"), "source 'bo ats' is not valid"),
        (("import", "boats", "{}", "--camera", "X=Y"), "no camera 'X'"),
        (("export", "bo ats"), "source 'bo ats' is not valid"),
        (("export", "boats", "--format", "yaml"), "choose v1, v2, csv, xml"),
        (("export", "boats", "--first", "noon"), "--first is 'noon'"),
        (("convert", "{}", "--format", "V1"), "choose v1, v2, csv, xml"),
        (("convert", "{}", "--whitelist", "{}"), "label whitelist: write a JSON list"),
    ],
)
def test_what_is_refused(file: str, arguments: tuple[str, ...], says: str):
    assert says in refused(*(one.replace("{}", file) for one in arguments))


@needs_shared
def test_the_broken_file_of_the_importer(state: Path):
    said = refused("import", "boats", str(SHARED / "bookmarks_broken.json"))
    assert said == "bookmarks: no JSON at line 1893, column 7: a comma that nothing follows"
    assert not (state / "warehouse").exists()


def test_a_file_that_is_not_there(state: Path):
    assert isinstance(run("convert", "nowhere.json").exception, FileNotFoundError)
