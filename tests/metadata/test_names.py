"""Paths and file names of road photos, old and new, with either separator."""

import pytest
from hypothesis import given
from hypothesis import settings as h
from hypothesis import strategies as st

from wayside.metadata.names import (
    COUNTIES,
    Named,
    below,
    name_metre,
    parts_of,
    read_junction,
    read_old_path,
    read_path,
    read_section,
    stem_of,
)

NEW = {
    "FV00013_S1D1_m00014_f1.jpg": Named(category="F", status="V", road="13", metre="14", lane="1"),
    "RV00004_S1D1_m10918_f4K.jpg": Named(category="R", status="V", road="4", metre="10918", lane="4K"),
    "EV00006_S1D1_m00001_f2K1.jpg": Named(category="E", status="V", road="6", metre="1", lane="2K1"),
    "ev00006_s1d1_m00001_F01.jpg": Named(category="E", status="V", road="6", metre="1", lane="1"),
    "EV00006_S12D3_m01500_KD2_m00035_f3.jpg": Named(
        category="E", status="V", road="6", section="12", part="3", anchor="01500", junction="2", metre="35", lane="3"
    ),
    "EV00006_S12D3_m01500_SD2_m00035_f3.jpg": Named(
        category="E", status="V", road="6", section="12", part="3", anchor="01500", side="2", metre="35", lane="3"
    ),
    "EV6_km12_345_f1.jpg": Named(category="E", status="V", road="6", metre="12345", lane="1"),
    "EV6_km12,345_f1.jpg": Named(category="E", status="V", road="6", metre="12345", lane="1"),
    "FV00063_S10D3_m00000_f1.jpg": Named(category="F", status="V", road="63", metre="0", lane="1"),
    "Fy06_Ev134_hp05_f1_m03192.jpg": Named(category="E", status="V", road="134", lane="1"),
    "IMG_1234.jpg": Named(),
    "": Named(),
}


@pytest.mark.parametrize(("name", "expected"), NEW.items())
def test_file_names(name, expected):
    assert read_path(name) == expected


@pytest.mark.parametrize(
    ("path", "field", "mended", "compat"),
    [
        ("Fy06_Ev134_hp05_f1_m03192.jpg", "lane", "1", "1_m03192"),
        ("FV00063_S10D3_m00041_F10.jpg", "metre", "41", None),
        ("FV00063_S10D3_m00000_f1.jpg", "metre", "0", ""),
        ("images2020/a.jpg", "road", None, "2020"),
        ("F1_2020_06_02/a.jpg", "lane", "1", "1_2020_06_02"),
        ("2020/06/02/a.jpg", "county", None, "2"),
        ("34/2021/a.jpg", "county", "34", None),
        ("2020/34/a.jpg", "county", None, None),
        ("06/2018/a.jpg", "county", "6", "6"),
        ("06_Ev134/a.jpg", "county", None, None),
        ("99/a.jpg", "county", None, None),
    ],
)
def test_defects_are_mended_and_can_be_had_back(path, field, mended, compat):
    assert getattr(read_path(path), field) == mended
    assert getattr(read_path(path, compat=True), field) == compat


def test_both_separators_are_understood():
    windows = read_path("Z:\\tilSladding\\06\\2018\\06_Ev134\\Hp05_X\\F1_2018_06_21\\Fy06_Ev134_hp05_f1_m03192.jpg")
    assert windows == read_path("/z/tilSladding/06/2018/06_Ev134/Hp05_X/F1_2018_06_21/Fy06_Ev134_hp05_f1_m03192.jpg")
    assert (windows.county, windows.road, windows.lane) == ("6", "134", "1")
    assert parts_of("a\\b//c/") == ("a", "b", "c")


def test_the_last_part_wins_but_for_the_metre():
    found = read_path("EV00006_S1D1_m00001_f1/RV00004_S2D2_m00002_f2.jpg")
    assert (found.category, found.road, found.lane, found.metre) == ("R", "4", "2", "1")


def test_old_rules():
    found = read_old_path("Z:\\06\\2018\\F1_2018_06_21\\Fy06_Ev134_hp05_f1_m03192.jpg")
    assert (found.county, found.road, found.hp, found.lane, found.metre) == ("6", "134", "5", "1", "3192")
    assert read_old_path("FV00063_S10D3_m00041_f1K.jpg").lane == "1"
    assert read_old_path("EV00006_S12D3_m01500_KD2_m00035_f3.jpg").metre == "1500"
    assert read_old_path("") == Named()
    assert name_metre("Fy06_Ev134_hp05_f1_m03192.jpg") == "3192"
    assert name_metre("a.jpg") is None


def test_section_and_junction_of_a_name():
    assert read_section("FV00063_S10D3_m00041_f1.jpg") == ("10", "3")
    assert read_section("a_S1D1.jpg") == ("1", "1")
    assert read_section("Fy06_Ev134_hp05.jpg") is None
    assert read_junction("a_S1D1_m00001_AD2_m1_f1.jpg").side == "2"
    assert read_junction("a.jpg") == Named()


def test_folders_below_the_top():
    path = "Z:\\tilSladding\\2020\\FV00013\\a.jpg"
    assert below(path, "tilSladding") == "2020/FV00013"
    assert below(path, "TilSladding") is None
    assert below("tilSladding/a.jpg", "tilSladding") == ""
    assert below("a/tilSladding", "tilSladding") is None  # a file of that name is no folder


def test_stems():
    assert stem_of("a.b.jpg") == "a.b"
    assert stem_of("a") == "a"
    assert stem_of(".jpg") == ".jpg"


def test_counties_of_every_division():
    assert {3, 11, 15, 18, 31, 32, 33, 34, 39, 40, 42, 46, 50, 55, 56} <= COUNTIES  # 2024
    assert {30, 38, 54} <= COUNTIES  # 2020
    assert not {0, 13, 21, 60} & COUNTIES


_PIECES = st.sampled_from(
    ["_", "/", "\\", ".jpg", "f1", "S1D2", "m00035", "KD2", "km", "06", "2020", "Ev6", "hp05", "٣"]
)


@h(max_examples=80)
@given(path=st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=80), compat=st.booleans())
def test_any_path_is_read(path, compat):
    for found in (read_path(path, compat=compat), read_old_path(path)):
        for value in vars_of(found):
            assert value is None or value.isascii() or compat
        assert found.county is None or int(found.county) in COUNTIES
    read_section(path)
    below(path, "a")


def vars_of(found):
    return [getattr(found, name) for name in found.__slots__]


def test_a_path_without_end_is_cut():
    assert read_path("m1_f" * 100_000 + "/EV6_m00001_f1.jpg").road == "6"
