"""Evaluations of videos and of what is published, their report, and the command."""

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.media.clips import Move, make_clip
from tests.zones.lakes import CAMERA, MIDDLE, PIPELINE, SOURCE, T0, at, scanned, segment_row
from typer.testing import CliRunner, Result

from wayside.cli.main import _commands
from wayside.core.errors import ConfigError, VideoError
from wayside.core.settings import Settings
from wayside.counting.accuracy import Passage
from wayside.counting.options import ImprovedOptions, MatchOptions
from wayside.counting.zones import ZoneSet
from wayside.media.probe import VideoLimits, hashes
from wayside.vision.detections import Detections
from wayside.warehouse.parquet import ParquetWarehouse, open_lake
from wayside.zones.counts import count_days
from wayside.zones.evaluate import Evaluation, check_hand, evaluate_published, evaluate_video
from wayside.zones.evaluation_report import write_report
from wayside.zones.processor import Pipeline
from wayside.zones.registry import Registry

CENTRE = ImprovedOptions(anchor="centre")
CAR = Move("blue", (0.1, 0.3), (0.9, 0.3))
PERSON = Move("red", (0.9, 0.7), (0.1, 0.7))
BOTH_WAYS = [Passage(2.0, "cross", "middle", "forward", "car"), Passage(2.0, "cross", "middle", "backward", "person")]


class Colours:
    """A detector that takes red for a person and blue for a car."""

    def detect(self, image: np.ndarray) -> Detections:
        blue, _, red = (image[:, :, channel].astype(int) for channel in range(3))
        height, width = image.shape[:2]
        boxes, labels = [], []
        for label, mask in (("person", red - blue > 80), ("car", blue - red > 80)):
            rows, columns = np.nonzero(mask)
            if len(rows) > 50:
                boxes.append((columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height))
                labels.append(label)
        array = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections.sorted(array, np.full(len(labels), 0.9, np.float32), labels)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: a car goes to the right, a person to the left, both are in the middle after two."""
    folder = tmp_path_factory.mktemp("street")
    return make_clip(folder / "street.mp4", seconds=4, fps=10, size=(320, 240), moves=(CAR, PERSON))


def evaluated(street: Path, hand: list[Passage], zones: ZoneSet = MIDDLE, options: Any = CENTRE) -> Evaluation:
    return evaluate_video(
        street, zones, hand, detector=Colours(), pipeline=Pipeline(5.0, "WaysideV1"), options=options,
        limits=VideoLimits(), workers=1,
    )  # fmt: skip


def pictures(page: Path) -> list[np.ndarray]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page.read_text())
    return [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in found]


def red_pixels(image: np.ndarray) -> int:
    blue, green, red = (image[:, :, channel].astype(int) for channel in range(3))
    return int(((red - blue > 100) & (red - green > 100)).sum())


def test_a_video_that_is_counted_right(street: Path):
    told = evaluated(street, BOTH_WAYS).as_json()
    assert (told["hand"], told["ours"], told["right"], told["precision"], told["recall"]) == (2, 2, 2, 1, 1)
    assert told["directions"] == [
        {"hand": "backward", "ours": "backward", "number": 1},
        {"hand": "forward", "ours": "forward", "number": 1},
    ]
    assert (told["seconds"], told["geh"], told["wape"], told["pipeline"]) == (4.0, 0, 0, "Fps5_WaysideV1")
    assert 0 <= told["late_s"] <= 0.3
    assert json.loads(json.dumps(told)) == told


def test_misses_extras_and_wrong_ways(street: Path, tmp_path: Path):
    hand = [
        Passage(2.1, "cross", "middle", "backward", "car"),
        Passage(3.4, "cross", "middle", "forward", "truck"),
        Passage(0.1, "cross", "middle", "forward", "car", doubtful=True),
    ]
    found = evaluated(street, hand)
    told = found.as_json()
    assert (told["hand"], told["ours"], told["right"], told["doubtful"]) == (2, 2, 1, 1)
    assert [one["label"] for one in told["missed"]] == ["truck"]
    assert [one["label"] for one in told["extra"]] == ["car"]
    assert told["places"] == [
        {"zone": "middle", "kind": "cross"}
        | {name: told[name] for name in ("hand", "ours", "right", "precision", "recall", "f1", "geh")}
    ]
    wrong = evaluated(street, [Passage(2.0, "cross", "middle", "backward"), *BOTH_WAYS[1:]])
    page = write_report(wrong, tmp_path / "wrong").read_text()
    assert "<b>wrong way</b>: cross middle backward" in page
    assert "(ours forward at 2" in page


def test_people_in_the_report_cannot_be_recognised(street: Path, tmp_path: Path):
    found = evaluated(street, BOTH_WAYS[:1])
    hidden = pictures(write_report(found, tmp_path / "hidden.html"))
    shown = pictures(write_report(found, tmp_path / "shown.html", show_people=True))
    assert len(hidden) == len(shown) == 1
    assert red_pixels(shown[0]) > 5000
    # What is red then is the way that was gone.
    assert red_pixels(hidden[0]) < 1500
    assert hidden[0].shape == (480, 640, 3)


def test_the_page_is_one_file_without_scripts_and_names_cannot_break_it(street: Path, tmp_path: Path):
    name = "<b>&'\""
    zones = ZoneSet.parse([{"name": name, "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}])
    hand = [Passage(2.0, "enter", name, label="<i>car"), Passage(2.0, "exit", name)]
    page = write_report(evaluated(street, hand, zones), tmp_path / "new" / "folder")
    assert page.name == "index.html"
    text = page.read_text()
    assert "&lt;b&gt;&amp;&#39;&#34;" in text
    assert name not in text
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    # The car goes in, the person comes out; so nothing is wrong, and there is no picture.
    assert pictures(page) == []
    assert "Nothing." in text


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (Passage(1, "cross", "door", "forward"), "there is no line 'door'; there are: middle"),
        (Passage(1, "enter", "middle"), "there is no zone 'middle'; there are: none"),
        (Passage(1, "cross", "middle", "left"), "forward or backward, not 'left'"),
        (Passage(1, "cross", "middle"), "forward or backward, not ''"),
    ],
)
def test_a_hand_count_that_does_not_fit_the_zones(one: Passage, says: str):
    with pytest.raises(ConfigError, match=says):
        check_hand([one], MIDDLE)


def test_what_cannot_be_evaluated(street: Path, tmp_path: Path):
    right = ZoneSet.parse([{"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}])
    with pytest.raises(ConfigError, match="only crossings have a direction"):
        check_hand([Passage(1, "enter", "right", "forward")], right)
    with pytest.raises(ConfigError, match="mode match"):
        evaluated(street, [], right, MatchOptions())
    with pytest.raises(ConfigError, match="needs a zone"):
        evaluated(street, [], ZoneSet())
    (tmp_path / "no.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(VideoError):
        evaluated(tmp_path / "no.mp4", [])


@pytest.fixture
def lake(state: Path, street: Path) -> ParquetWarehouse:
    """A processor, and two segments that were scanned and counted: the street, and one whose file is gone."""
    lake, registry = open_lake(Settings(state=state)), Registry(open_lake(Settings(state=state)))
    registry.add(SOURCE, CAMERA, "traffic", "gate", {"anchor": "centre"}, MIDDLE, "ada", PIPELINE, enabled=False)
    registry.add(SOURCE, CAMERA, "objects", "inside", {"anchor": "centre"}, ZoneSet(), "ada", PIPELINE, enabled=False)
    with street.open("rb") as file:
        about = hashes(file)
    for minute, changes in enumerate(({"uri": str(street), "segment": about.sha256, "bytes": about.bytes}, {})):
        row = segment_row(at(60 * minute), 4.0, width=320, height=240, **changes)
        scanned(lake, row, [(step / 5, [(0.1 + 0.04 * step, 0.3)]) for step in range(20)])
    count_days(lake, registry.processor(1), registry.zones(1), [T0.date()], clock=lambda: at(3600))
    return lake


def test_what_is_published_is_compared(lake: ParquetWarehouse, tmp_path: Path):
    registry, start = Registry(lake), at(-30)
    hand = [Passage(32.1, "cross", "middle", "forward")]
    found = evaluate_published(lake, registry, 1, hand, start, at(30))
    assert (found.accuracy.right, found.accuracy.missed, found.accuracy.extra) == (1, (), ())
    assert found.accuracy.seconds == 60
    both = evaluate_published(lake, registry, 1, [Passage(33.5, "cross", "middle", "forward")], start, at(90))
    assert [round(one.at_s, 1) for one in both.accuracy.extra] == [32.2, 92.2]
    page = write_report(both, tmp_path)
    # The miss and the first extra have pictures, the file of the second extra is gone.
    assert len(pictures(page)) == 2
    assert page.read_text().count("The video of it cannot be read any more") == 1


@pytest.mark.parametrize(
    ("number", "length", "version", "says"),
    [
        (1, timedelta(0), None, "more than nothing"),
        (1, timedelta(days=2), None, "24 hours"),
        (1, timedelta(hours=1), 7, "no 7"),
        (2, timedelta(hours=1), None, "of kind objects"),
        (3, timedelta(hours=1), None, "no processor 3"),
    ],
)
def test_what_is_not_published(lake: ParquetWarehouse, number: int, length: timedelta, version: int | None, says: str):
    with pytest.raises(ConfigError, match=says):
        evaluate_published(lake, Registry(lake), number, [], T0, T0 + length, version=version)


def test_a_version_that_has_not_counted_says_so(lake: ParquetWarehouse):
    registry = Registry(lake)
    registry.change(1, author="ada", options={"anchor": "bottom"})
    with pytest.raises(ConfigError, match="version 2 of processor 1 has counted nothing"):
        evaluate_published(lake, registry, 1, [], T0, at(60))
    assert evaluate_published(lake, registry, 1, [], T0, at(60), version=1).accuracy.ours == 1


def run(*arguments: object) -> Result:
    return CliRunner().invoke(_commands, ["count", "evaluate", *map(str, arguments)], env={"COLUMNS": "200"})


def test_the_command(lake: ParquetWarehouse, tmp_path: Path):
    hand = tmp_path / "hand.csv"
    hand.write_text("time,kind,zone,direction\n2.1,cross,middle,forward\n3.9,cross,middle,forward\n")
    given = ("--processor", 1, "--start", "2026-05-01T08:00:00Z", "--end", "2026-05-01 08:00:30", "--hand", hand)
    told = json.loads(run(*given, "--json").stdout)
    assert (told["hand"], told["ours"], told["right"]) == (2, 1, 1)
    shown = run(*given, "--report", tmp_path / "page.html")
    assert shown.exit_code == 0
    assert re.search(r"middle\W+cross\W+2\W+1\W+1\W+1\.000\W+0\.500\W+0\.667", shown.stdout)
    assert "missed at 3.90 s: cross middle forward" in shown.stdout
    assert (tmp_path / "page.html").is_file()


def test_the_command_says_what_lacks(street: Path, tmp_path: Path, state: Path):
    hand = tmp_path / "hand.csv"
    hand.write_text("time,kind,zone\n")
    for given, says in (
        ((), "give either a video, or --processor"),
        ((street, "--processor", 1), "give either a video, or --processor"),
        ((street,), "a video needs --zones"),
        (("--processor", 1), "needs --start and --end"),
    ):
        done = run(*given, "--hand", hand)
        assert done.exit_code == 2
        assert says in done.stderr
    shapes = tmp_path / "zones.json"
    shapes.write_text("{}")
    assert isinstance(run(street, "--hand", hand, "--zones", shapes).exception, ConfigError)
    assert "no video" in str(run(tmp_path / "gone.mp4", "--hand", hand, "--zones", shapes).exception)
