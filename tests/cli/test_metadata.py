"""`wayside metadata`: the record of a picture on the screen, as JSON, and the check of one."""

import json

import pytest
from tests.metadata.support import CAR, DRIVER, jpeg_with_exif, norway2_xml
from typer.testing import CliRunner

from wayside.cli.main import _commands
from wayside.metadata.keys import KEYS_V1, KEYS_V2

AS_PATH = "Z:\\tilSladding\\2020\\FV00013\\S1\\D1\\F1_2020_06_02\\FV00013_S1D1_m00014_f1.jpg"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "FV00063_S10D3_m00041_f1.jpg"
    path.write_bytes(jpeg_with_exif(driver=DRIVER, reflink=norway2_xml(), make="Maker"))
    return path


def wayside(*arguments):
    return CliRunner().invoke(_commands, ["metadata", *map(str, arguments)])


def test_record_as_json(picture):
    done = wayside(picture, "--json", "--as-path", AS_PATH, "--owner", "Eier", "--county", "3", "--image-type", "360")
    assert done.exit_code == 0
    record = json.loads(done.stdout)
    assert list(record) == list(KEYS_V2)
    assert record["mappenavn"] == "Vegbilder/2020/FV00013/S1/D1/F1_2020_06_02"
    assert (record["exif_dataeier"], record["exif_imagetype"], record["exif_fylke"]) == ("Eier", "360", "46")
    assert DRIVER not in done.output
    assert CAR not in done.output


def test_layout_and_compat(picture):
    assert list(json.loads(wayside(picture, "--json", "--layout", "v1").stdout)) == list(KEYS_V1)
    new, old = (json.loads(wayside(picture, "--json", *more).stdout) for more in ([], ["--compat"]))
    assert old["exif_imageproperties"] == "\ufeff" + new["exif_imageproperties"]


def test_record_for_people_with_standard_tags(picture):
    done = wayside(picture, "--standard")
    assert done.exit_code == 0
    assert "FV13 S1D1 m14" in done.stdout
    assert "Image Make" in done.stdout
    assert "'tilSladding' is no folder" in done.stderr
    assert DRIVER not in done.output


def test_a_profile_gives_the_options(picture, state):
    record = json.loads(wayside(picture, "--json", "--profile", "360").stdout)
    assert record["exif_imagetype"] == "360"
    assert json.loads(wayside(picture, "--json", "--profile", "360", "--image-type", "Planar").stdout) != record


def test_what_is_no_picture_ends_with_a_reason(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("no picture")
    done = wayside(path)
    assert done.exit_code == 1
    assert "no JPEG" in str(done.exception)
    assert wayside().exit_code == 2


def test_check(picture, tmp_path):
    path = tmp_path / "record.json"
    record = json.loads(wayside(picture, "--json").stdout)
    path.write_text(json.dumps(record), encoding="utf-8")
    done = wayside("--check", path)
    assert done.exit_code == 0
    assert "notice: senterlinjeposisjon" in done.stdout
    path.write_text(json.dumps(record | {"more": 1, "bildeid": None}), encoding="utf-8")
    done = wayside("--check", path)
    assert done.exit_code == 1
    assert "extra: more" in done.stdout
    assert "value: bildeid" in done.stdout
    path.write_bytes(b"\xff\xff")
    assert wayside("--check", path).exit_code == 1
