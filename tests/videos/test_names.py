r"""Names of video files: the table of the replaced importer, times with and without zones, and patterns that hang."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import ConfigError, VideoError
from wayside.videos import names
from wayside.videos.names import DEFAULT_PATTERN, NamePattern, ParsedName, local_camera_id

UPSTREAM = r".*/(?P<camera>\w+?)\-.*\-(?P<epoch>\d+)\.mp4"
README = r".*/(?P<camera>\w+?)\-(?P<epoch>\d+)\.mp4"
EXAMPLE = r".*/(?P<camera>.*_\D+)\d+\-.*\-(?P<epoch>\d+)\.mp4"
STAMPED = r".*/(?P<camera>\w+?)_%Y%m%d-%H%M%S\.mp4$"

# path, and what the pattern of the source, of the README and of EXAMPLE.md find in it
VECTORS = [
    ("/d/CAMERA_FRONT-rand-1475973147.mp4", ("CAMERA_FRONT", 1475973147), None, None),
    ("/d/CAMERA_FRONT-1475973147.mp4", None, ("CAMERA_FRONT", 1475973147), None),
    ("/d/C2_Hi20161009-120237-1476014557.mp4", ("C2_Hi20161009", 1476014557), None, ("C2_Hi", 1476014557)),
    ("/d/cam-1-a-b-1475973147.mp4", ("cam", 1475973147), None, None),
    ("CAMERA_FRONT-rand-1475973147.mp4", None, None, None),
    ("/d/cam front-r-1475973147.mp4", None, None, None),
    ("/d/CAM-r-1475973147.mp4.part", ("CAM", 1475973147), None, None),
    ("/d/CAM-r-1475973147.MP4", None, None, None),
]


def reason(pattern: NamePattern, path: str, fallback: datetime | None = None) -> str:
    with pytest.raises(VideoError) as caught:
        pattern.parse(path, fallback)
    return caught.value.reason


def outcome(pattern: NamePattern, path: str) -> ParsedName | str:
    try:
        return pattern.parse(path, at(2020, 1, 1))
    except VideoError as error:
        return error.reason


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize("column", [0, 1, 2], ids=["default", "readme", "example"])
@pytest.mark.parametrize("vector", VECTORS, ids=[vector[0] for vector in VECTORS])
def test_the_table_of_the_importer(vector, column: int):
    path, found = vector[0], vector[1 + column]
    pattern = NamePattern((UPSTREAM, README, EXAMPLE)[column])
    if found is None:
        assert reason(pattern, path) == "no_match"
    else:
        camera, epoch = found
        assert pattern.parse(path) == ParsedName(camera, datetime.fromtimestamp(epoch, UTC))


def test_the_default_ends_where_the_name_ends():
    assert NamePattern().pattern == f"{UPSTREAM}$" == DEFAULT_PATTERN
    assert NamePattern().parse("/d/CAM-r-1475973147.mp4").camera == "CAM"
    assert reason(NamePattern(), "/d/CAM-r-1475973147.mp4.part") == "no_match"


def test_epochs_are_utc_whatever_the_zone():
    """The importer took the zone of its own machine, and its sample is seven hours early."""
    for zone in ("UTC", "America/Los_Angeles", "Asia/Kolkata"):
        pattern = NamePattern(EXAMPLE, zone)
        first = pattern.parse("/d/C2_Hi20161009-120237-1476014557.mp4")
        second = pattern.parse("/d/C2_Hi20161009-131237-1476018757.mp4")
        assert (first.start_at, second.start_at) == (at(2016, 10, 9, 12, 2, 37), at(2016, 10, 9, 13, 12, 37))
        assert (first.zone, first.told_by, first.note) == ("UTC", "epoch", None)


def test_the_local_id_of_a_camera():
    assert local_camera_id("C2_Hi") == "5f72bf2d11034854c0ff34ff54b8b0b74b138e50"
    assert local_camera_id("Måløy") != local_camera_id("Maloy")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (r".*[\\](?P<camera>\w+?)\-(?P<epoch>\d+)\.mp4", r"C:\disk\CAM-1475973147.mp4"),
        (r".*[\\](?P<camera>\w+?)\-(?P<epoch>\d+)\.mp4", "/disk/CAM-1475973147.mp4"),
        (r".*\\(?P<camera>\w+?)\-(?P<epoch>\d+)\.mp4", r"C:\disk\CAM-1475973147.mp4"),
        (README, r"C:\disk\CAM-1475973147.mp4"),
        (README, r"\disk/sub\CAM-1475973147.mp4"),
    ],
)
def test_windows_paths(pattern: str, path: str):
    assert NamePattern(pattern).parse(path).camera == "CAM"


def test_local_times():
    oslo = NamePattern(STAMPED, "Europe/Oslo")
    found = oslo.parse("/d/north_20160701-120237.mp4")
    assert found == ParsedName("north", at(2016, 7, 1, 10, 2, 37), None, None, "Europe/Oslo", "name")
    assert oslo.parse("/d/north_20160101-120237.mp4").start_at == at(2016, 1, 1, 11, 2, 37)
    assert NamePattern(STAMPED).parse("/d/north_20160701-120237.mp4").start_at == at(2016, 7, 1, 12, 2, 37)


def test_times_that_a_clock_shows_twice_or_never():
    oslo = NamePattern(STAMPED, "Europe/Oslo")
    twice = oslo.parse("/d/north_20161030-023000.mp4")
    assert (twice.start_at, twice.note) == (at(2016, 10, 30, 0, 30), "ambiguous")
    assert oslo.parse("/d/north_20161030-030000.mp4").note is None
    never = oslo.parse("/d/north_20160327-023000.mp4")
    assert (never.start_at, never.note) == (at(2016, 3, 27, 1, 30), "nonexistent")


def test_groups_by_name_and_fractions():
    pattern = NamePattern(r".*/(?P<year>\d+)/(?P<month>\d+)/(?P<day>\d+)/(?P<camera>\w+)_%H\.%M\.%S\.%f\.mp4$")
    assert pattern.parse("/2020/2/29/cam_01.02.03.25.mp4").start_at == at(2020, 2, 29, 1, 2, 3, 250000)
    day = NamePattern(r".*/(?P<camera>\w+)-%Y-%m-%d\.mp4$")
    assert day.parse("/cam-2020-02-29.mp4").start_at == at(2020, 2, 29)
    assert reason(day, "/cam-2021-02-29.mp4") == "bad_time"
    seconds = NamePattern(r".*/(?P<camera>\w+)-(?P<epoch>[\d.]+)\.mp4$")
    assert seconds.parse("/cam-1476014557.5.mp4").start_at == at(2016, 10, 9, 12, 2, 37, 500000)


def test_percent_signs():
    assert NamePattern(r".*/100%%-(?P<camera>\w+)-[%Y]-\%-(?P<epoch>\d+)").parse("/100%-cam-Y-%-60").camera == "cam"
    for pattern in (r".*/(?P<camera>\w+)%20%Y%m%d", r".*/(?P<camera>\w+)%"):
        with pytest.raises(ConfigError, match="known are %Y %m %d %H %M %S %f %%"):
            NamePattern(pattern)


def test_a_file_without_a_time_takes_its_own():
    pattern = NamePattern(r".*/(?P<camera>\w+)\.mp4$", "Europe/Oslo")
    own = at(2020, 5, 1, 12)
    assert pattern.parse("/cam.mp4", own) == ParsedName("cam", own, None, None, "UTC", "file")
    assert reason(pattern, "/cam.mp4") == "bad_time"
    either = NamePattern(r".*/(?P<camera>[a-z]+)(?:-(?P<epoch>\d+))?\.mp4$")
    assert (either.parse("/cam-60.mp4", own).told_by, either.parse("/cam.mp4", own).told_by) == ("epoch", "file")


@pytest.mark.parametrize("epoch", ["1475973147000", "99999999999999", "300000000000", "٣"])
def test_epochs_that_are_none(epoch: str):
    assert reason(NamePattern(README), f"/cam-{epoch}.mp4") == "bad_time"


def test_positions():
    pattern = NamePattern(r".*/(?P<camera>\w+)-(?P<epoch>\d+)(?:@(?P<lat>[^,@]*)(?:,(?P<lng>[^@]*))?)?\.mp4$")
    found = pattern.parse("/cam-60@59.91,-10.75.mp4")
    assert (found.lat, found.lng) == (59.91, -10.75)
    assert pattern.parse("/cam-60.mp4").lat is None
    for wrong in ("59.91", "91,10", "59,181", "nan,10", "1e1,2", "59,", "north,east"):
        assert reason(pattern, f"/cam-60@{wrong}.mp4") == "bad_position"


def test_cameras_are_taken_as_they_are_or_not_at_all():
    pattern = NamePattern(r".*/(?P<camera>[^/]*)-(?P<epoch>\d+)\.mp4$", suffix="-trip7")
    assert pattern.parse("/C2_Hi-60.mp4").camera == "C2_Hi-trip7"
    for wrong in ("cam front", "kamera_å", "..", "-x", "a" * 122, "a%20b", "x\ny", ""):
        assert reason(pattern, f"/{wrong}-60.mp4") in {"bad_camera", "no_match"}
    assert reason(pattern, "/cam front-60.mp4") == "bad_camera"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r".*/(?P<epoch>\d+)\.mp4", "no group"),
        (r".*/(?P<camera>\w+", "not valid"),
        (r".*/(?P<camera>\w+)(?P<Epoch>\d+)", "mean nothing here: Epoch"),
        (r".*/(?P<camera>\w+)%Y", "without year, month and day"),
        (r".*/(?P<camera>\w+)%Y%m%d-%Y", "not valid"),
        (r".*/(?P<camera>\w+)(?P<lat>\d+)", "only one of lat and lng"),
        (r".*/(?P<camera>\p{L}+)", "not valid"),
        ("x" * 1001, "at most 1000"),
    ],
)
def test_patterns_that_cannot_be(pattern: str, says: str):
    with pytest.raises(ConfigError, match=re.escape(says)):
        NamePattern(pattern)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "Europe", "/etc/localtime", "a\0b"])
def test_zones_that_are_none(zone: str):
    with pytest.raises(ConfigError, match="no time zone"):
        NamePattern(zone=zone)


@pytest.mark.parametrize(
    "many", ["a{99999999}", "(?:(?:a{999}){999}){999}", "(?:(?:\\d{999}?){999}){999}", "(?:x|(?=a{99}){99}){99}"]
)
def test_patterns_that_would_fill_the_memory(many: str):
    with pytest.raises(ConfigError, match="repeats itself"):
        NamePattern(f"(?P<camera>.*){many}")


def test_a_suffix_that_no_camera_could_have():
    with pytest.raises(ConfigError, match="the suffix ' x'"):
        NamePattern(suffix=" x")


def test_a_pattern_cannot_hang_the_import(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(names, "MAX_SECONDS", 0.02)
    monkeypatch.setattr(names, "MAX_SLOW", 3)
    pattern = NamePattern(r".*/(?P<camera>([a-z]|[a-z0-9])*)-(?P<epoch>\d+)\.mp4$")
    assert pattern.parse("/cam-60.mp4").camera == "cam"
    hostile = "/" + "a" * 40 + "!-1"
    assert [reason(pattern, hostile), reason(pattern, hostile)] == ["slow_pattern"] * 2
    with pytest.raises(ConfigError, match="for 3 paths"):
        pattern.parse(hostile)


def test_a_path_of_any_length():
    assert reason(NamePattern(), "/" + "a" * 5000) == "long_path"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_path_is_read_or_refused(path: str):
    for pattern in (README, EXAMPLE, STAMPED, r"(?P<camera>.*?)(?P<epoch>\d*)(?P<lat>.?)(?P<lng>.?)$"):
        said = outcome(NamePattern(pattern, "Europe/Oslo"), path)
        if isinstance(said, ParsedName):
            assert said.camera in path
            assert said.start_at.tzinfo is UTC
        else:
            assert said in {"no_match", "bad_camera", "bad_time", "bad_position"}
