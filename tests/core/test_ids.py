"""Names: valid as they stand, or refused; never changed."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import ConfigError, InvalidIdentifierError
from wayside.core.ids import camera_id, pipeline_id, source_id

KINDS = {"source": source_id, "camera": camera_id, "pipeline": pipeline_id}


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (source_id, "TfL-images"),
        (source_id, "NETravelData-images"),
        (source_id, "a"),
        (source_id, "0_-"),
        (source_id, "s" * 63),
        (camera_id, "00001.01251"),
        (camera_id, "CM_A69A1-View_02"),
        (camera_id, "sd_durhamcouncil09"),
        (camera_id, "console"),
        (camera_id, "c" * 127),
        (pipeline_id, "NewcastleV0"),
        (pipeline_id, "FaultyImageFilterV0_NewcastleV0_StaticObjectFilterV0"),
        (pipeline_id, "_".join("ABCDEFGH")),
    ],
)
def test_good_names_come_back_as_they_are(check: Callable[[str], str], value: str):
    assert check(value) is value


@pytest.mark.parametrize("check", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ".",
        "..",
        "../etc",
        "a/b",
        "a\\b",
        "a\0",
        "a\n",
        "A b",
        "a..b",
        "-a",
        ".hidden",
        "A.",
        "CON",
        "nul",
        "Aux",
        "Com1",
        "LPT9",
        "Überwachung",
        "ＦｕｌｌＷｉｄｔｈ",
        "A٣",
        "a;DROP TABLE counts",
        "a'b",
        'a"b',
        "a%2e%2e",
        "x" * 500,
        None,
        7,
        b"bytes",
    ],
)
def test_bad_names_are_refused(check: Callable[[str], str], value: object):
    with pytest.raises(InvalidIdentifierError):
        check(value)


@pytest.mark.parametrize("value", ["con.jpg", "nul.", "COM7.00001", "a." + "b" * 200])
def test_cameras_are_safe_file_names(value: str):
    with pytest.raises(InvalidIdentifierError):
        camera_id(value)


@pytest.mark.parametrize(
    "value",
    ["newcastleV0", "A__B", "_A", "A_", "A-B", "A.B", "A_b", "_".join("ABCDEFGHI"), "A" * 64, "_".join(["A" * 60] * 4)],
)
def test_pipelines_are_stages(value: str):
    with pytest.raises(InvalidIdentifierError):
        pipeline_id(value)


def test_names_that_once_shared_a_table_stay_apart():
    """The replaced system dropped `-` and `.`, so that `A-B` and `AB` were one."""
    with pytest.raises(InvalidIdentifierError):
        pipeline_id("A-B")
    assert source_id("A-B") != source_id("AB")


def test_the_message_says_which_and_why():
    with pytest.raises(ConfigError, match=r"camera 'a/b' is not valid: letters, digits"):
        camera_id("a/b")
    with pytest.raises(ConfigError, match=r"source 'con' is not valid: it is not a safe file name"):
        source_id("con")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_whatever_passes_is_one_plain_path_part(kind: str, data: st.DataObject):
    alphabet = st.sampled_from("aAzZ09._-/\\%~ \t\n:\0é") | st.characters()
    value = data.draw(st.text(alphabet, max_size=12))
    try:
        assert KINDS[kind](value) == value
    except InvalidIdentifierError:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value)
    assert ".." not in value
    assert len(f"pipeline={value}".encode()) <= 255
