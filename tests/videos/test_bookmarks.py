"""Bookmarks: what goes round, through which formats, and what is refused with its place."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import xmlschema
from hypothesis import given, settings
from tests.videos.bookmarked import EVENT, EVERYTHING, NOON, SHA1, bearing, bookmarks
from tests.videos.shared_data import SHARED, needs_shared

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks import (
    FORMATS,
    BookmarkEvent,
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    read_bookmarks,
    write_bookmarks,
)
from wayside.videos.bookmarks.csvfile import COLUMNS
from wayside.videos.bookmarks.model import text_of, time_of
from wayside.videos.bookmarks.xmlfile import schema

SCHEMA = xmlschema.XMLSchema(schema().decode())
LOSSLESS = ("v2", "csv", "xml")


def through(found: Bookmarks, *formats: str) -> Bookmarks:
    for kind in formats:
        found = read_bookmarks(write_bookmarks(found, kind))
    return found


def refused(data: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read_bookmarks(data.encode() if isinstance(data, str) else data)
    assert len(str(caught.value)) < 400
    return str(caught.value)


def upstream(data: bytes) -> tuple[int, int, int]:
    """Count images, labels and names of a file of version 1 as it stands, without our code."""
    images = json.loads(data)["labels"].values()
    names = [label for image in images for label in image["labels"]]
    return len(images), len(names), len(set(names))


def same_v1(one: bytes, other: bytes) -> bool:
    """Compare two files of version 1: images, cameras, labels in their order, SHA-1s anywhere among them."""

    def content(data: bytes) -> dict:
        said = json.loads(data)
        images = {
            datetime.fromisoformat(moment): (
                image["camera"],
                [label for label in image["labels"] if len(label) != 40],
                Counter(image["labels"]),
            )
            for moment, image in said["labels"].items()
        }
        return {"images": images, "job": said["job_id"]}

    return content(one) == content(other)


@needs_shared
def test_the_file_of_the_importer_goes_round():
    data = (SHARED / "bookmarks.json").read_bytes()
    found = read_bookmarks(data)
    assert upstream(data) == (393, 5263, 42)
    assert (len(found.images), found.labels) == (393, 5263 - 403)
    assert sum(len(image.sha1) == 2 for image in found.images) == 10
    assert (found.earliest, found.latest) == (time_of("2016-10-09T05:02:37Z"), time_of("2016-10-09T06:22:36.993Z"))
    again = write_bookmarks(through(found, "csv", "xml", "v2", "v1"), "v1")
    assert through(found, "v1", "csv", "xml", "v2", "v1") == found
    assert upstream(again) == (393, 5263, 42)
    assert same_v1(data, again)


@needs_shared
def test_its_broken_sibling_is_told_where_it_breaks_and_goes_round_once_mended():
    broken = (SHARED / "bookmarks_broken.json").read_bytes()
    assert refused(broken) == "bookmarks: no JSON at line 1893, column 7: a comma that nothing follows"
    mended = broken
    while "a comma that nothing follows" in (said := _fault(mended)):
        line, column = (int(word.rstrip(":,")) for word in said.split() if word.rstrip(":,").isdigit())
        position = sum(map(len, mended.splitlines(keepends=True)[: line - 1])) + column - 1
        comma = mended.rindex(b",", 0, position)
        mended = mended[:comma] + mended[comma + 1 :]
    assert len(broken) - len(mended) == 3
    assert upstream(mended) == (393, 4540, 37)
    again = write_bookmarks(through(read_bookmarks(mended), "v1", "csv", "xml", "v2"), "v1")
    assert upstream(again) == (393, 4540, 37)
    assert same_v1(mended, again)


def _fault(data: bytes) -> str:
    try:
        read_bookmarks(data)
    except ConfigError as error:
        return str(error)
    return ""


def test_everything_goes_round():
    assert through(EVERYTHING, *LOSSLESS) == EVERYTHING
    for kind in LOSSLESS:
        assert through(EVERYTHING, kind) == EVERYTHING


@settings(max_examples=50, deadline=None)
@given(bookmarks)
def test_any_bookmarks_go_round(found: Bookmarks):
    for kind in LOSSLESS:
        assert through(found, kind) == found
    SCHEMA.validate(write_bookmarks(found, "xml").decode())


@settings(max_examples=30, deadline=None)
@given(bookmarks)
def test_version_1_keeps_moments_cameras_and_names_or_refuses(found: Bookmarks):
    moments = [image.at for image in found.images]
    if len(set(moments)) < len(moments):
        with pytest.raises(ConfigError, match="one image a moment"):
            write_bookmarks(found, "v1")
        return
    kept = through(found, "v1")
    assert (kept.job, kept.earliest, kept.latest) == (found.job, found.earliest, found.latest)
    for before, after in zip(found.images, kept.images, strict=True):
        assert (after.at, after.camera, after.sha1) == (before.at, before.camera, before.sha1)
        assert [label.name for label in after.labels] == list(dict.fromkeys(label.name for label in before.labels))


def test_version_1_is_the_shape_of_the_importer():
    image = BookmarkImage(NOON, "C2_Hi", labels=(BookmarkLabel("tuna"), BookmarkLabel("")), sha1=(SHA1,))
    said = json.loads(write_bookmarks(Bookmarks("job", NOON, NOON, (image,)), "v1"))
    noon = "2016-10-09T12:00:00.000Z"
    assert said == {
        "job_id": "job",
        "earliest_date": noon,
        "latest_date": noon,
        "labels": {noon: {"labels": ["tuna", "", SHA1], "camera": {"name": "C2_Hi"}}},
    }


def test_version_1_refuses_to_lose_an_image():
    north, south = (BookmarkImage(NOON, name) for name in ("north", "south"))
    with pytest.raises(ConfigError) as caught:
        write_bookmarks(Bookmarks(images=(north, south)), "v1")
    for part in ("2016-10-09T12:00:00.000Z", "'north'", "'south'"):
        assert part in str(caught.value)
    later = replace(EVENT, id="x-1")
    one, two = (BookmarkImage(NOON, "north", event=event) for event in (EVENT, later))
    with pytest.raises(ConfigError, match="event 0123456789abcdef-3 and camera 'north', event x-1"):
        write_bookmarks(Bookmarks(images=(one, two)), "v1")


def test_no_image_comes_twice():
    with pytest.raises(ConfigError, match=r"camera 'C2_Hi' has two images of 2016-10-09T12:00:00\.000Z"):
        Bookmarks(images=(bearing("a"), bearing("b")))
    twice = '{"labels": {"2016-10-09T12:00:00Z": %s, "2016-10-09T12:00:00.000-0000": %s}}'
    image = '{"labels": [], "camera": {"name": "x"}}'
    assert "two images" in refused(twice % (image, image))
    assert "comes twice" in refused(twice.replace(".000-0000", "Z") % (image, image))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2016-10-09T06:17:36.923-0000", NOON.replace(hour=6, minute=17, second=36, microsecond=923000)),
        ("2016-10-09T06:17:36.923Z", NOON.replace(hour=6, minute=17, second=36, microsecond=923000)),
        ("2016-10-09T06:17:36.923001+00:00", NOON.replace(hour=6, minute=17, second=36, microsecond=923001)),
        ("2016-10-09T14:00:00+0200", NOON),
        ("2016-10-09T12:00:00", NOON),
        ("2016-10-09 12:00:00", NOON),
    ],
)
def test_times_are_read(text: str, moment: datetime):
    assert time_of(text) == moment
    assert time_of(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", "2016-10-09", "2016-13-09T12:00:00Z", "1476014557", "2016-10-09T12:00:00 UTC", "٢016-10-09T12:00:00Z"),
        *("0001-01-01T00:00:00+0100", "9999-12-31T23:59:59-0100"),
    ],
)
def test_times_that_are_none(text: str):
    with pytest.raises(ConfigError, match=r"write 2016-10-09T06:17:36\.923Z|outside of the years"):
        time_of(text)


def test_times_are_written_in_utc():
    assert text_of(NOON.astimezone(timezone(timedelta(hours=9)))) == "2016-10-09T12:00:00.000Z"
    assert text_of(NOON + timedelta(microseconds=1)) == "2016-10-09T12:00:00.000001Z"


def test_csv_is_one_row_a_label():
    lines = write_bookmarks(EVERYTHING, "csv").decode().split("\n")
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[0].startswith("timestamp,camera_name,camera_id,label,probability,source_file,source_sha256,event_id,")
    assert len(lines) == 1 + 1 + 1 + 8 + 1  # header, an image with one label, one with none, one with eight, the end
    assert lines[-1] == ""
    assert lines[3].startswith("2016-10-09T12:00:00.923Z,C2 Hi,C2_Hi,car,0.5,trip 7/C2 Hi-1476014557.mp4,abab")
    assert "\r" not in "".join(lines)


def test_a_spreadsheet_runs_no_label():
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "'=1", "'"):
        cell = write_bookmarks(Bookmarks(images=(bearing(name),)), "csv").decode().split("\n")[1].split(",")[3]
        assert cell == f"'{name}"
        assert through(Bookmarks(images=(bearing(name),)), "csv").images == (bearing(name),)


def test_csv_of_somebody_else():
    noon = "2016-10-09T12:00:00Z"
    lines = ("\ufefflabel,camera_name,timestamp", f'"tuna, big",C2,{noon}', f",C3,{noon}", f"cod,C2,{noon}", "")
    found = read_bookmarks("\r\n".join(lines).encode())
    assert [(image.camera, [label.name for label in image.labels]) for image in found.images] == [
        ("C2", ["tuna, big", "cod"]),
        ("C3", []),
    ]


def test_xml_is_as_its_schema_says():
    text = write_bookmarks(EVERYTHING, "xml").decode()
    SCHEMA.validate(text)
    assert text.startswith("<?xml version='1.0' encoding='UTF-8'?>\n<labels job_id=\"job-7\"")
    for wrong in (
        text.replace("start=", "begin=", 1),
        text.replace(".923Z", ".923"),
        text.replace('probability="0.5"', 'probability="1.5"'),
        text.replace("</labels>", "<label/></labels>"),
        text.replace('box="0.0 0.0 1.0 1.0"', 'box="0.0 0.0 1.0"'),
    ):
        assert wrong != text
        assert not SCHEMA.is_valid(wrong)
        if '.923"' not in wrong:  # a time without a zone is read, and not written
            refused(wrong)


def test_an_event_that_is_not_known_is_as_long_as_its_images():
    images = tuple(BookmarkImage(NOON + timedelta(seconds=second), "A") for second in (0, 4))
    text = write_bookmarks(Bookmarks(images=images), "xml").decode()
    assert '<event start="2016-10-09T12:00:00.000Z" end="2016-10-09T12:00:04.000Z" camera_name="A">' in text
    assert [image.event for image in read_bookmarks(text.encode()).images] == [None, None]


V1_IMAGE = '{"labels": {"2016-10-09T12:00:00Z": %s}}'
HEAD = "timestamp,camera_name,label,x1,y1,x2,y2,polygon,job_id,source_file\n"
ROW = "2016-10-09T12:00:00Z,A,"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "neither JSON nor XML, and as CSV its first line lacks timestamp, camera_name, label"),
        ("hello", "its first line lacks"),
        (b"\xff\xfe{\x00", "line 1: the text is not UTF-8"),
        (b'{\n"\xff": 1}', "line 2: the text is not UTF-8"),
        ("{}", "bookmarks: labels: field required"),
        ('{"labels": []}', "bookmarks: labels: input should be a valid dictionary"),
        (V1_IMAGE % '{"labels": [1], "camera": {"name": "A"}}', "2016-10-09T12:00:00Z.labels.0: input should be"),
        (V1_IMAGE % '{"labels": []}', "labels.2016-10-09T12:00:00Z.camera: field required"),
        (V1_IMAGE % '{"labels": [], "camera": {"name": ""}}', "has no camera"),
        (V1_IMAGE % '{"labels": ["\\u0000"], "camera": {"name": "A"}}', "a label has the character U+0000"),
        (V1_IMAGE % '{"labels": ["\\ud800"], "camera": {"name": "A"}}', "a label has the character U+D800"),
        (V1_IMAGE % f'{{"labels": ["{"x" * 600}"], "camera": {{"name": "A"}}}}', "600 characters"),
        ('{"labels": {"noon": {"labels": [], "camera": {"name": "A"}}}}', "the time of an image is 'noon'"),
        ('{"version": 3, "images": []}', "version 3 is not known"),
        ('[{"timestamp": "2016-10-09T12:00:00Z"}]', "images.0.camera: field required"),
        ('[{"timestamp": "2016-10-09T12:00:00Z", "camera": {"name": "A"}, "labels": [{"label": "a", "box": [0,0,1]}]}]',
         "the box of 'a' has 3 numbers"),
        ('[{"timestamp": "2016-10-09T12:00:00Z", "camera": {"name": "A"}, "labels": [], "source_sha256": "x"}]',
         "no SHA-256"),
        ("[" * 100_000, "nested too deeply"),
        (HEAD + ROW + "a\n", "line 2: 3 cells where the first line has 10"),
        (HEAD + ROW + "a,1,0,0,1,,,\n", "line 2: the box of 'a' is upside down"),
        (HEAD + ROW + "a,1,,,,,,\n", "line 2: y1 is '', which is no number"),
        (HEAD + ROW + "a,,,,,\"[[0,0],[1,1]]\",,\n", "line 2: the polygon of 'a' has 2 corners"),
        (HEAD + ROW + "a,,,,,[1],,\n", "line 2: the polygon is no list of corners"),
        (HEAD + ROW + "a,,,,,[1,,\n", "line 2: polygon: no JSON"),
        (HEAD + ROW + "a,,,,,,1,\n" + ROW + "b,,,,,,2,\n", "line 3: job_id, earliest_date, latest_date differ"),
        (HEAD + ROW + "a,,,,,,,x\n" + ROW + "b,,,,,,,y\n", "line 3: another row of the same image, line 2, says"),
        (HEAD + 'noon,A,"a"b,,,,,,,\n', "line 2: "),
        (HEAD + "noon,A,a,,,,,,,\n", "line 2: timestamp is 'noon'"),
        (HEAD.replace("x1", "left"), "columns that are not known: 'left'"),
        (HEAD.replace("x1", "y1"), "a column comes twice"),
        ("<labels><event/></labels>", "line 1, column 9: <event> lacks start, end, camera_name"),
        ("<labels>\n <image/></labels>", "line 2, column 2: <image> has no place in <labels>"),
        ("<html/>", "<html> has no place as the first element"),
        ("<labels><labels/></labels>", "<labels> has no place in <labels>"),
        ("<labels id='1'/>", "<labels> has attributes that are not known: id"),
        ("<labels>hello</labels>", "text has no place here: 'hello'"),
        ("<labels>", "no XML at line 1, column 9: no element found"),
        ("<" * 1000, "no XML at line 1"),
        ("<a>" * 100_000, "<a> has no place"),
        ("<?xml version='1.0' encoding='klingon'?><labels/>", "no XML"),
        ('<!DOCTYPE labels [<!ENTITY a "b">]><labels/>', "a DTD or entities is not read"),
        ('<!DOCTYPE labels SYSTEM "file:///etc/passwd"><labels/>', "a DTD or entities is not read"),
    ],
)  # fmt: skip
def test_what_is_refused(data: str | bytes, says: str):
    assert says in refused(data)


def test_files_have_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside.videos.bookmarks.MAX_BYTES", 10)
    assert "11 bytes; at most 10 are read" in refused(" " * 11)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_fractions_are_fractions(value: float):
    for fields in (
        {"probability": value},
        {"box": (0.0, 0.0, 1.0, value)},
        {"polygon": ((0.0, 0.0), (1.0, 1.0), (0.0, value))},
    ):
        with pytest.raises(ConfigError, match="write 0 to 1"):
            BookmarkLabel("car", **fields)


def test_times_have_a_zone():
    with pytest.raises(ConfigError, match="no time zone"):
        BookmarkImage(NOON.replace(tzinfo=None), "A")
    with pytest.raises(ConfigError, match="ends before it begins"):
        BookmarkEvent("x", NOON, NOON - timedelta(seconds=1))


def test_there_are_four_formats():
    assert FORMATS == ("v1", "v2", "csv", "xml")
    with pytest.raises(ConfigError, match="choose v1, v2, csv, xml"):
        write_bookmarks(EVERYTHING, "yaml")
    for kind in FORMATS:
        assert write_bookmarks(EVERYTHING, kind) == write_bookmarks(replace(EVERYTHING), kind)
