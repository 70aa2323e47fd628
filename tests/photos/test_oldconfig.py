"""Configurations of the replaced system: every key is answered for, and an import keeps what its owner chose."""

import os
from datetime import date
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.yamlfile import parse_yaml
from wayside.photos.oldconfig import OldConfig, import_config, import_file, render_import
from wayside.photos.oldfields import FIELDS, OLDER_NAMES
from wayside.photos.profile import Profile, load_profile, profile_of

# The replaced system's default file, and below it what its file for 360° pictures has otherwise; written down from the
# specification and not taken from our code.
PLANAR = {
    "data_eier": None,
    "fylkesnummer": None,
    "force_fylke": False,
    "image_type": "Planar",
    "draw_mask": True,
    "delete_input": False,
    "force_remask": False,
    "lazy_paths": False,
    "file_access_retry_seconds": 10,
    "file_access_timeout_seconds": 60,
    "datetime_format": "%Y-%m-%d %H.%M.%S",
    "log_file_name": "{datetime}_{hostname}.log",
    "log_level": "DEBUG",
    "application_version": "0.2",
    "exif_mappenavn": "Vegbilder/{relative_input_dir}",
    "exif_top_dir": "tilSladding",
    "remove_imagetype_filepath": False,
    "flip_wkt": False,
    "remote_json": True,
    "local_json": False,
    "archive_json": False,
    "remote_preview": False,
    "local_preview": False,
    "archive_preview": False,
    "separate_preview_directory": None,
    "preview_dim": [2520, 1400],
    "preview_center": [0.45, 0.5],
    "enable_async": True,
    "max_num_async_workers": 2,
    "model_type": "Medium",
    "mask_dilation_pixels": 4,
    "max_num_pixels": 1000000000,
    "use_cutouts": False,
    "cutout_step_factor": [1500, 1300],
    "cutout_dim_downscale": [3, 2],
    "mask_color": None,
    "blur": 15,
    "gray_blur": True,
    "normalized_gray_blur": True,
    "uncaught_exception_email": False,
    "processing_error_email": False,
    "finished_email": False,
    "email_attach_log_file": False,
    "write_exif_to_db": False,
    "db_max_n_accumulated_rows": 100,
    "db_max_n_errors": 1000,
    "db_max_cache_size": 1000,
    "table_name": "VEGBILDER",
    "table_primary_key": "bildeid",
}
PANORAMA = PLANAR | {
    "image_type": "360",
    "application_version": "0.1",
    "exif_top_dir": "TilSladding",
    "local_json": True,
    "remote_preview": True,
    "use_cutouts": True,
    "uncaught_exception_email": True,
    "processing_error_email": True,
    "finished_email": True,
    "email_attach_log_file": True,
}
VERSION_1 = {"remote_mask": True, "local_mask": False, "archive_mask": False}


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, allow_unicode=True)


def _imported(**changes: object) -> Profile:
    return import_config(_yaml(PLANAR | changes), "old").profile


def _value(profile: Profile, path: str) -> object:
    value: object = profile
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_every_key_has_a_counterpart_or_a_reason() -> None:
    assert set(PLANAR) | set(VERSION_1) <= set(FIELDS)
    assert set(OLDER_NAMES.values()) <= set(PLANAR)
    assert all(field.ours or field.why for field in FIELDS.values())
    mapped = {key for key, field in FIELDS.items() if field.ours}
    assert mapped == set(OldConfig.model_fields)
    for field in FIELDS.values():
        _value(Profile(name="x"), field.ours or "name")


@pytest.mark.parametrize(("old", "name"), [(PLANAR, "planar"), (PANORAMA, "360")])
def test_defaults_are_those_of_the_replaced_system_unless_a_reason_says_why_not(
    settings: Settings, old: dict[str, object], name: str
) -> None:
    imported, shipped = import_config(_yaml(old), name).profile, load_profile(name, settings)
    same = {field.ours for field in FIELDS.values() if field.ours and not field.why}
    assert len(same) > 20
    assert {path: _value(imported, path) for path in same} == {path: _value(shipped, path) for path in same}


@pytest.mark.parametrize("old", [PLANAR, PANORAMA])
def test_what_a_file_lacks_has_the_default_of_its_kind(old: dict[str, object]) -> None:
    short = import_config(f"image_type: {old['image_type']}\n", "old")
    assert short.profile == import_config(_yaml(old), "old").profile
    assert "fylkesnummer" in short.notes[0]
    assert not short.dropped


def test_an_import_keeps_what_its_owner_chose() -> None:
    profile = _imported(
        data_eier="Statens vegvesen – Øst",
        fylkesnummer=46,
        force_fylke="yes",
        image_type="planar",
        draw_mask=False,
        delete_input=True,
        force_remask=True,
        file_access_retry_seconds=3,
        file_access_timeout_seconds=20,
        exif_mappenavn="Bilder\\{aar}\\{relative_input_dir}",
        exif_top_dir="inn",
        remove_imagetype_filepath=True,
        remote_json=False,
        local_json=True,
        archive_json=True,
        local_preview=True,
        archive_preview=True,
        separate_preview_directory="/srv/previews",
        preview_dim=[100, 50],
        preview_center=[0.1, 0.9],
        mask_dilation_pixels=0,
        use_cutouts=True,
        finished_email=True,
        table_name="vegbilder_v1",
    )
    record, write, masking = profile.record, profile.write, profile.masking
    assert (record.data_owner, record.county, record.force_county) == ("Statens vegvesen – Øst", 46, True)
    assert (record.image_type, record.folder_template) == ("Planar", "Bilder/{aar}/{relative_input_dir}")
    assert (record.top_dir, record.remove_image_type) == ("inn", True)
    assert (profile.draw, profile.delete_input, profile.redo) == (False, True, True)
    assert (profile.access.retry_seconds, profile.access.timeout_seconds) == (3, 20)
    assert write.records == ("input", "archive")
    assert write.previews == ("input", "archive", "separate")
    assert write.separate_preview_folder == "/srv/previews"
    preview = masking.preview
    assert (preview.width, preview.height, preview.centre_x, preview.centre_y) == (100, 50, 0.9, 0.1)
    assert (masking.find.dilation, masking.find.tiling.enabled) == (0, "always")
    assert (profile.tell.crash, profile.tell.errors, profile.tell.finish) == (False, False, True)
    assert profile.table == "vegbilder_v1"


@pytest.mark.parametrize(
    ("changes", "style", "blur", "colour", "by_class"),
    [
        ({}, "normalised_grey_blur", 15, None, False),
        ({"normalized_gray_blur": False, "blur": 30}, "grey_blur", 30, None, False),
        ({"gray_blur": False}, "blur", 15, None, False),
        ({"gray_blur": False, "normalized_gray_blur": False}, "blur", 15, None, False),
        ({"blur": None}, "constant", 15, None, True),
        ({"blur": 0}, "constant", 15, None, True),
        ({"blur": None, "mask_color": [1, 2, 3]}, "constant", 15, (1, 2, 3), False),
        ({"mask_color": [1, 2, 3]}, "normalised_grey_blur", 15, None, False),
    ],
)
def test_the_look_of_a_mask_is_kept(
    changes: dict[str, object], style: str, blur: float, colour: object, by_class: bool
) -> None:
    fill = _imported(**changes).masking.fill
    assert (fill.style, fill.blur, fill.colour, fill.by_class) == (style, blur, colour, by_class)


def test_a_fill_that_can_be_undone_is_kept_and_warned_of() -> None:
    said = import_config(_yaml(PLANAR), "old").notes
    assert any("`normalised_grey_blur` is cosmetic" in note for note in said)
    assert not any("cosmetic" in note for note in import_config(_yaml(PLANAR | {"blur": None}), "old").notes)


def test_each_key_that_went_is_told_with_its_value_and_reason() -> None:
    old = PLANAR | VERSION_1 | {"colour_of_the_sea": "blue", "blur": 15, "mask_color": [1, 2, 3], "gray_blur": False}
    dropped = {one.key: one for one in import_config(_yaml(old), "old").dropped}
    none = {key for key, field in FIELDS.items() if field.ours is None and key in old}
    assert set(dropped) == none | {"colour_of_the_sea", "mask_color", "normalized_gray_blur"}
    assert dropped["cutout_step_factor"].value == [1500, 1300]
    assert "tiling" in dropped["cutout_step_factor"].why
    assert "ignored" in dropped["colour_of_the_sea"].why


def test_a_folder_of_windows_has_no_counterpart_and_is_told() -> None:
    for folder in ("D:\\previews", "\\\\server\\share\\previews", "C:/previews"):
        imported = import_config(_yaml(PLANAR | {"separate_preview_directory": folder}), "old")
        assert (imported.profile.write.previews, imported.profile.write.separate_preview_folder) == ((), None)
        gone = next(one for one in imported.dropped if one.key == "separate_preview_directory")
        assert (gone.value, "Windows" in gone.why) == (folder, True)
    relative = import_config(_yaml(PLANAR | {"separate_preview_directory": "previews"}), "old").dropped[-1]
    assert "no absolute path" in relative.why


def test_names_of_versions_in_between_are_known() -> None:
    old = {"dataeier": "X", "remote_thumbnail": True, "thumbnail_dim": [20, 10], "image_type": 360, "cache_cutouts": 1}
    imported = import_config(_yaml(old), "old")
    assert imported.profile.record.data_owner == "X"
    assert (imported.profile.masking.preview.width, imported.profile.masking.preview.height) == (20, 10)
    assert [one.key for one in imported.dropped] == ["cache_cutouts"]
    both = import_config("thumbnail_dim: [20, 10]\npreview_dim: [40, 30]\n", "old")
    assert both.profile.masking.preview.width == 40
    assert [one.key for one in both.dropped] == ["thumbnail_dim"]


def test_the_version_is_kept_where_someone_chose_one() -> None:
    assert _imported().record.version == ""
    text = _yaml(PLANAR | {"application_version": 0.7})
    assert import_config(text, "old").profile.record.version == "P0.7"
    assert import_config(text, "old", modified=date(2020, 6, 16)).profile.record.version == "P0.7_K20200616"


def test_a_file_gives_its_name_and_day(tmp_path: Path) -> None:
    path = tmp_path / "min config (360°).yml"
    path.write_text(_yaml(PLANAR | {"application_version": "3", "data_eier": "Øst"}), "utf-16")
    os.utime(path, (1592308800, 1592308800))
    profile = import_file(path).profile
    assert (profile.name, profile.record.data_owner) == ("min-config-360", "Øst")
    assert profile.record.version == "P3_K20200616"
    assert import_file(path, "mine").profile.name == "mine"
    with pytest.raises(ConfigError, match="cannot be read"):
        import_file(tmp_path / "none.yml")


def test_the_trap_of_the_shipped_defaults_is_told() -> None:
    assert any("no record at all" in note for note in import_config(_yaml(PLANAR), "old").notes)
    other = import_config(_yaml(PLANAR | {"table_name": "MY_PHOTOS"}), "old")
    assert other.profile.table == "my_photos"
    assert any("db_tables/MY_PHOTOS.yml" in note for note in other.notes)
    for change in ({"data_eier": "X"}, {"table_name": None}):
        assert not any("no record" in note for note in import_config(_yaml(PLANAR | change), "old").notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a mapping of keys"),
        ("- blur", "a mapping of keys"),
        ("blur", "a mapping of keys"),
        ("masking: {}\nname: x", "is it a profile already"),
        ("draw_mask: perhaps", "old: draw_mask: "),
        ("blur: -3", "masking.fill.blur"),
        ("blur: .nan", "masking.fill.blur"),
        ("preview_dim: [2520]", "preview_dim"),
        ("preview_dim: 2520", "preview_dim"),
        ("preview_center: [1.5, 0.5]", "preview_center.0"),
        ("mask_color: [300, 0, 0]", "mask_color.0"),
        ("image_type: fisheye", "image_type"),
        ("image_type: null", "image_type"),
        ("exif_mappenavn: 'x/{meter}/{kommune}'", "record.folder_template: .*kommune"),
        (f"application_version: {'1' * 32}", "record.version"),
        ("blur: 15\nblur: 20", "written twice"),
        ("a: &a [1]\nblur: *a", "anchor"),
        ('separate_preview_directory: "D:\\previews"', "is not YAML"),
        ("? {a: b}\n: c", "is not YAML|a mapping|no key"),
    ],
)
def test_what_is_no_such_configuration_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        import_config(text, "old")


def test_the_written_profile_is_the_profile_and_the_story_lies_in_its_comments() -> None:
    old = PANORAMA | {"data_eier": "Øst: # [x]", "odd\nkey": "a\nb\x1b[2J", "log_level": "x" * 500}
    imported = import_config(_yaml(old), "old")
    for text in (imported.yaml, render_import(imported)):
        assert profile_of(parse_yaml(text, "x"), "x", default_name="other") == imported.profile
        assert max(map(len, text.splitlines())) <= 120
    story = render_import(imported)
    assert "# - log_level: " in story
    assert "\x1b" not in story
    head, _, body = story.partition("\n\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert body == imported.yaml


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 400),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.integers(), max_size=3),
)


@hypothesis.settings(max_examples=60)
@given(st.dictionaries(st.one_of(st.sampled_from([*FIELDS, *OLDER_NAMES]), st.text(max_size=5)), _VALUES, max_size=12))
def test_any_mapping_is_imported_or_refused_and_what_is_written_reads_back(content: dict[str, object]) -> None:
    try:
        imported = import_config(_yaml(content), "old")
    except ConfigError:
        return
    assert profile_of(parse_yaml(render_import(imported), "x"), "x", default_name="x") == imported.profile


@hypothesis.settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_is_imported_or_refused(text: str) -> None:
    try:
        said = render_import(import_config(text, "old"))
    except ConfigError as error:
        said = str(error)
    assert said
    assert said.startswith("# Profile old") or "\n" not in said
