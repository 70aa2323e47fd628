"""Profiles: what ships, what a file may say, what a run must have, and the hash of it all."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.photos import profiledocs
from wayside.photos.profile import Profile, Review, Write, cautions, check_run, load_profile, profile_names, profile_of

ROOT = Path(__file__).resolve().parents[2]


def _profile(**fields: object) -> Profile:
    return profile_of(fields, "test", default_name="test")


def _file(folder: Path, text: str | bytes, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_the_planar_profile_is_all_defaults_and_360_sees_every_pixel_across_the_seam(settings: Settings) -> None:
    assert profile_names(settings) == ["360", "planar", "thorough"]
    planar, panorama = load_profile("planar", settings), load_profile("360", settings)
    assert planar == Profile(name="planar", description=planar.description)
    assert not planar.masking.fill.cosmetic
    tiling = panorama.masking.find.tiling
    assert (tiling.enabled, tiling.wrap, panorama.record.image_type) == ("always", True, "360")
    assert panorama.write == Write(records=("output", "input"), previews=("output",))
    assert cautions(planar) == cautions(panorama) == []


def test_a_file_of_ones_own_names_only_what_differs(settings: Settings, tmp_path: Path) -> None:
    text = "record: {data_owner: Østfold}\nmasking: {fill: {style: mosaic}}\n"
    for data in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        profile = load_profile(_file(tmp_path, data), settings)
        assert (profile.name, profile.record.data_owner, profile.masking.fill.style) == ("mine", "Østfold", "mosaic")
    assert profile == load_profile(_file(tmp_path, text, "mine.YML"), settings)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a profile is a mapping"),
        ("- draw", "a profile is a mapping"),
        ("drawn: true", "drawn: Extra inputs"),
        ("draw: perhaps\nredo: 7", "draw: .*; redo: "),
        ("1: x", "should be strings"),
        ("draw: [", "is not YAML"),
        ("draw: true\ndraw: false", "written twice"),
        ("a: &a [1]\nb: *a", "anchor or alias"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
        ("description: 2026-02-30", "is not YAML"),
        (f"shard_pictures: {'9' * 5000}", "is not YAML"),
        ("[" * 50_000, "nested deeper"),
        ("{a: " * 20 + "1" + "}" * 20, "nested deeper"),
        (f"description: {'x' * 300_000}", "larger than 256 KiB"),
        ("description: \x07", "is not YAML"),
        (b"description: \xe5s", "is not UTF-8"),
        ("limits: {max_pixels: 10000000000}", "limits.max_pixels"),
        ("access: {retry_seconds: .nan}", "access.retry_seconds"),
        ("review: {enabled: true}", "review: `enabled` shows nobody a picture"),
        ("write: {records: [output, output]}", "write.records: a place is named twice"),
        ("write: {previews: [separate]}", "go together"),
        ("write: {separate_preview_folder: /x}", "go together"),
        ("write: {previews: [separate], separate_preview_folder: x/y}", "neither an absolute path"),
        ("write: {previews: [separate], separate_preview_folder: 'D:\\x'}", "path of Windows"),
        ("table: ''", "table: "),
        (f"record: {{version: {'x' * 32}}}", "record.version"),
        ("name: '../x'", "name: "),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_field(
    settings: Settings, tmp_path: Path, text: str | bytes, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_profile(_file(tmp_path, text), settings)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_billion_laughs_is_refused_before_anything_is_built(settings: Settings, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(ConfigError, match="anchor"):
        load_profile(_file(tmp_path, "\n".join(lines)), settings)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("panorama", "there is no profile 'panorama'; there are: 360, planar"),
        ("/etc/passwd", "neither the name of a profile nor a file"),
        ("", "neither the name"),
        ("../planar", "neither the name"),
        ("no/such.yaml", "cannot be read"),
        ("nul\0.yaml", "cannot be read"),
    ],
)
def test_a_profile_that_is_not_there_is_told(settings: Settings, name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_profile(name, settings)


def test_a_folder_is_no_profile(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile(str(tmp_path / "x.yaml"), settings)


def test_what_needs_an_archive_is_told_at_once() -> None:
    profile = _profile(delete_input=True, write={"records": ["archive"], "previews": ["archive", "input"]})
    with pytest.raises(ConfigError, match=r"records .*; previews .*; inputs are to be deleted"):
        check_run(profile, archive=False)
    check_run(profile, archive=True)
    check_run(_profile(), archive=False)


def test_cautions_name_what_leaves_the_house() -> None:
    assert any("written as they are" in said for said in cautions(_profile(draw=False)))
    blur = _profile(masking={"fill": {"style": "grey_blur"}})
    assert [said for said in cautions(blur) if "`grey_blur` is cosmetic" in said]
    few = _profile(masking={"find": {"classes": ["car"], "plate_detector": None}})
    assert len(cautions(few)) == 3
    assert any(said.endswith("visible: person") for said in cautions(few))
    assert any("position" in said for said in cautions(_profile(masking={"output": {"exif": {"position": "keep"}}})))


def test_the_hash_is_of_what_is_set_and_not_of_how_it_is_written() -> None:
    plain = _profile()
    same = _profile(
        name="other",
        description="x",
        access={"retry_seconds": 11},
        redo=True,
        tell={"finish": True},
        masking={"fill": {"blur": 15.0}, "find": {"scores": {"plate": 0.4, "face": 0.6}}},
        write={"records": ["output"]},
    )
    assert plain.sha256 == same.sha256
    assert len(plain.sha256) == 64
    orders = [{"car": 0.5, "person": 0.25}, {"person": 0.25, "car": 0.5}]
    assert len({_profile(masking={"find": {"scores": scores}}).sha256 for scores in orders}) == 1
    others = [{"draw": False}, {"masking": {"fill": {"noise": 48.5}}}, {"record": {"data_owner": "x"}}]
    assert len({plain.sha256, *(_profile(**other).sha256 for other in others)}) == 4


def test_a_record_says_which_profile_made_it_unless_the_profile_says_otherwise() -> None:
    plain = _profile()
    assert plain.recording.version.endswith(f"_{plain.sha256[:8]}")
    assert len(plain.recording.version) <= 31
    named = _profile(record={"version": "P7"})
    assert named.recording == named.record


def test_places_stand_in_one_order_and_a_bucket_is_a_place() -> None:
    write = Write(records=("archive", "output"), previews=("separate", "input"), separate_preview_folder="gs://b/p")
    assert (write.records, write.previews) == (("output", "archive"), ("input", "separate"))
    with pytest.raises(ValidationError):
        Write(previews=("separate",), separate_preview_folder="gs://b/../x")
    assert Review(enabled=True, low_score=0.4).sample == 0


def test_a_number_may_be_a_name_where_yaml_takes_it_for_one(settings: Settings, tmp_path: Path) -> None:
    profile = load_profile(_file(tmp_path, "name: 360\nrecord: {image_type: 360}"), settings)
    assert (profile.name, profile.record.image_type) == ("360", "360")
    with pytest.raises(ConfigError, match="image_type"):
        load_profile(_file(tmp_path, "record: {image_type: 180}"), settings)


def test_limits_are_those_of_the_decoder() -> None:
    limits = _profile(limits={"max_bytes": 5, "max_pixels": 7}).limits.decoding
    assert (limits.max_bytes, limits.max_pixels) == (5, 7)


def test_the_page_of_profiles_is_up_to_date_and_says_what_each_field_is(settings: Settings) -> None:
    page = profiledocs.profiles_markdown(settings)
    assert page == (ROOT / "docs" / "PROFILES.md").read_text("utf-8"), "run `make docs`"
    rows = [line.split(" | ") for line in page.partition("## From the replaced")[0].splitlines() if line[:3] == "| `"]
    assert len(rows) > 60
    assert all(len(row) == 4 and row[1].strip() and row[2].strip() for row in rows)
