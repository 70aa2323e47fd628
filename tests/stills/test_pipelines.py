"""Pipelines by name: the file that comes with the project, and every way in which one can be wrong."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.quality.faulty import FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.static import StaticObjectFilterV0, StaticObjectFilterV1
from wayside.stills.pipelines import PipelinesFile, load_pipelines
from wayside.stills.still import StillPipeline

OURS = ROOT / "include" / "config" / "pipelines.yaml"

SOUND = """
default: FaultyV0_DetectV1_StaticV0
stages:
  FaultyV0: {kind: faulty_v0}
  FaultyV1: {kind: faulty_v1, settings: {placeholders: ["%s"], dark_level: 20}}
  DetectV1: {kind: detector, model: WaysideV1}
  DetectV2: {kind: detector, model: YoloxNano}
  StaticV0: {kind: static_v0}
  StaticV1: {kind: static_v1, settings: {neighbours_rule: any}}
pipelines:
  FaultyV0_DetectV1_StaticV0: {description: all three}
  FaultyV1_StaticV1: {description: the filters alone}
""" % ("0" * 64)


def load(folder: Path, text: str) -> PipelinesFile:
    path = folder / "pipelines.yaml"
    path.write_text(text, encoding="utf-8")
    return load_pipelines(path)


def test_the_projects_own_file_is_sound():
    file = load_pipelines(OURS)
    assert file.default == "FaultyImageFilterV1_WaysideV1_StaticObjectFilterV1"
    for name in file.pipelines:
        assert "_".join(stage for stage, _ in file.stages_of(name)) == name
    assert "FaultyImageFilterV0_StaticObjectFilterV0" in file.pipelines


def test_every_stage_of_the_projects_file_has_sound_settings(settings: Settings):
    file = load_pipelines(OURS)
    loaded = StillPipeline.load("FaultyImageFilterV0_StaticObjectFilterV0", file, settings)
    assert isinstance(loaded.faults, FaultyImageFilterV0)
    assert isinstance(loaded.statics, StaticObjectFilterV0)
    assert loaded.statics.settings.minimum_mask_proportion_person == 0.10
    assert (loaded.detector, loaded.model_sha256) == (None, None)


def test_settings_of_any_kind_reach_their_filter(tmp_path: Path, settings: Settings):
    loaded = StillPipeline.load("FaultyV1_StaticV1", load(tmp_path, SOUND), settings)
    assert isinstance(loaded.faults, FaultyImageFilterV1)
    assert isinstance(loaded.statics, StaticObjectFilterV1)
    assert (loaded.faults.settings.placeholders, loaded.faults.settings.dark_level) == (("0" * 64,), 20)
    assert loaded.statics._settings.neighbours_rule == "any"


NAME, STATIC = "FaultyV1_StaticV1:", "{kind: static_v0}"
WRONG = {
    "unknown stage": (NAME, "FaultyV9_StaticV1:", r"FaultyV9_StaticV1 has unknown stages \['FaultyV9'\]"),
    "order": (NAME, "StaticV1_FaultyV1:", "StaticV1_FaultyV1 is out of order"),
    "two detectors": (NAME, "DetectV1_DetectV2:", "DetectV1_DetectV2 is out of order: at most one"),
    "two filters": (NAME, "FaultyV0_FaultyV1:", "FaultyV0_FaultyV1 is out of order"),
    "twice": (NAME, "DetectV1_DetectV1:", "DetectV1_DetectV1 is out of order"),
    "capitals": (NAME, "FaultyV1_STATICV1:", r"FaultyV1_STATICV1 has unknown stages \['STATICV1'\]"),
    "unknown default": ("default: FaultyV0", "default: FaultyV1", "'FaultyV1_DetectV1_StaticV0' is not listed"),
    "bad id": (NAME, "Faulty-V1_StaticV1:", "pipeline 'Faulty-V1_StaticV1' is not valid"),
    "no model": ("{kind: detector, model: WaysideV1}", "{kind: detector}", "stages.DetectV1: .*needs a model"),
    "model of a filter": (STATIC, "{kind: static_v0, model: X}", "stages.StaticV0: .*no other stage takes one"),
    "unknown kind": (STATIC, "{kind: static_v7}", "stages.StaticV0.kind: .*'static_v1'"),
    "unknown field": (STATIC, "{kind: static_v0, weight: 1}", "stages.StaticV0.weight: Extra inputs"),
    "no description": ("{description: the filters alone}", "{}", "FaultyV1_StaticV1.description: Field required"),
    "no stages": ("stages:", "stufen:", "stages: Field required; stufen: Extra inputs"),
    "written twice": ("  FaultyV1: ", "  FaultyV0: ", "key 'FaultyV0' is written twice"),
    "no yaml": ("stages:", "stages: [", "is not YAML"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG.values(), ids=WRONG)
def test_each_thing_that_is_wrong_is_named(tmp_path: Path, old: str, new: str, complaint: str):
    assert SOUND.count(old) == 1
    with pytest.raises(ConfigError, match=complaint) as caught:
        load(tmp_path, SOUND.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'pipelines.yaml'}")
    assert "\n" not in str(caught.value)


def test_pipelines_that_differ_in_capitals_only_are_refused(tmp_path: Path):
    stages = "  DetectV1: {kind: detector, model: A}\n  DETECTV1: {kind: detector, model: B}"
    names = "  DetectV1: {description: x}\n  DETECTV1: {description: y}"
    with pytest.raises(ConfigError, match=r"pipelines differ only in capitals: \['detectv1'\]"):
        load(tmp_path, f"default: DetectV1\nstages:\n{stages}\npipelines:\n{names}\n")


@pytest.mark.parametrize("text", ["", "[]", "7", "default: X"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str):
    with pytest.raises(ConfigError, match=r"pipelines\.yaml: .*(stages: Field required|valid dictionary)"):
        load(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        load_pipelines(tmp_path / "none.yaml")


def test_an_id_that_is_not_listed_is_refused_with_those_that_are():
    file = load_pipelines(OURS)
    with pytest.raises(ConfigError, match="'FaultyImageFilterV1' is not listed; there are FaultyImageFilterV0_"):
        file.stages_of("FaultyImageFilterV1")
    with pytest.raises(ConfigError, match="is not valid"):
        file.stages_of("../FaultyImageFilterV1")


@pytest.mark.parametrize("wrong", ["{darkness: 1}", "{row_similarity_threshold: 7}"])
def test_a_wrong_setting_names_its_stage(tmp_path: Path, settings: Settings, wrong: str):
    file = load(tmp_path, SOUND.replace("{kind: faulty_v0}", f"{{kind: faulty_v0, settings: {wrong}}}"))
    with pytest.raises(ConfigError, match=r"stage FaultyV0 of pipelines\.yaml: FaultyImageSettings: (darkness|row_)"):
        StillPipeline.load("FaultyV0_DetectV1_StaticV0", file, settings)


def test_a_detector_without_a_card_is_a_model_error(tmp_path: Path, settings: Settings):
    file = load(tmp_path, SOUND.replace("WaysideV1", "NobodysModel"))
    with pytest.raises(ModelError, match="NobodysModel"):
        StillPipeline.load("FaultyV0_DetectV1_StaticV0", file, settings)
