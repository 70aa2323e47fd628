"""Settings: defaults that work, variables that override them, and a clear word on a wrong one."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings, settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_find_the_project():
    chosen = Settings()
    assert (chosen.config / "pipelines.yaml").is_file()
    assert chosen.state == chosen.home / ".wayside"
    assert chosen.pictures == chosen.state / "pictures"
    assert chosen.lake == chosen.state / "warehouse"
    assert chosen.pulled_models == chosen.state / "models"
    assert chosen.models == chosen.home / "models"


def test_the_environment_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path))
    monkeypatch.setenv("WAYSIDE_SHRINK_TO", "300")
    monkeypatch.setenv("WAYSIDE_ALLOW_LICENCES", '["MIT"]')
    chosen = Settings()
    assert (chosen.home, chosen.state, chosen.shrink_to) == (tmp_path, tmp_path / ".wayside", 300)
    assert chosen.allow_licences == ("MIT",)


def test_state_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path / "other"))
    assert Settings().lake == tmp_path / "other" / "warehouse"
    assert Settings().config == Settings(state="/x").config


def test_the_file_env_of_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("WAYSIDE_SHARD_CAMERAS=7\nSOMETHING_ELSE=1\n")
    assert Settings().shard_cameras == 7
    monkeypatch.setenv("WAYSIDE_SHARD_CAMERAS", "8")
    assert Settings().shard_cameras == 8


def test_settings_cannot_be_changed_and_refuse_nonsense():
    with pytest.raises(ValidationError):
        Settings().shrink_to = 1
    for wrong in ({"shrink_to": 0}, {"fetch_timeout": -1}, {"device": "abacus"}, {"workers": -1}):
        with pytest.raises(ValidationError):
            Settings(**wrong)


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_settings_of_the_process_are_read_once(monkeypatch: pytest.MonkeyPatch):
    first = settings()
    monkeypatch.setenv("WAYSIDE_SHRINK_TO", "300")
    assert settings() is first


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_WORKERS", "many")
    monkeypatch.setenv("WAYSIDE_SHRINK_TO", "-3")
    with pytest.raises(ConfigError, match=r"WAYSIDE_SHRINK_TO: .*greater than 0; WAYSIDE_WORKERS: .*valid integer"):
        settings()


def test_a_list_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_ALLOW_LICENCES", "MIT")
    with pytest.raises(ConfigError, match="allow_licences"):
        settings()
