"""Secrets are made once and kept, and the one-shot step leaves what Airflow needs before it starts."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.test_compose import EXAMPLE, RAW, ROOT, SERVICES, interpolated

from wayside.core.errors import ConfigError
from wayside_airflow import compose


class TestSecrets:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Iterator[Path]:
        yield tmp_path / ".env"
        assert [one.name for one in tmp_path.iterdir()] == [".env"]
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600

    @staticmethod
    def read(path: Path) -> dict[str, str]:
        return dict(line.split("=", 1) for line in path.read_text().splitlines() if line and line[0] != "#")

    def test_they_are_all_that_the_file_wants(self, path: Path) -> None:
        assert compose.write_secrets(path) == list(compose.SECRETS)
        made = self.read(path)
        interpolated(RAW, made)
        assert len(set(made.values())) == len(made)
        assert all(len(value) >= 29 for value in made.values())
        assert len(base64.urlsafe_b64decode(made["FERNET_KEY"])) == 32
        for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "ORACLE_PASSWORD"):
            assert re.fullmatch(r"[a-z][a-z0-9]{28}", made[name])

    def test_what_is_there_stays(self, path: Path) -> None:
        compose.write_secrets(path)
        text = path.read_text().replace("ORACLE_PASSWORD=", "ORACLE_PASSWORD=\n#OLD=") + "AIRFLOW_PORT=8090\n"
        path.write_text(text)
        before = self.read(path)
        assert compose.write_secrets(path) == ["ORACLE_PASSWORD"]
        after = self.read(path)
        assert after.pop("ORACLE_PASSWORD")
        before.pop("ORACLE_PASSWORD")
        assert after == before
        assert "#OLD=" in path.read_text()
        assert compose.write_secrets(path) == []

    def test_a_copy_of_the_example_is_filled_in(self, path: Path) -> None:
        path.write_text(EXAMPLE)
        assert compose.write_secrets(path) == list(compose.SECRETS)
        assert self.read(path).keys() == set(compose.SECRETS)
        assert "#AIRFLOW_PORT=8080" in path.read_text()

    def test_by_a_python_that_has_nothing_installed(self, path: Path) -> None:
        folders = os.pathsep.join([str(ROOT / "include"), str(ROOT / "plugins")])
        command = [sys.executable, "-S", "-m", "wayside_airflow.compose", "secrets", str(path)]
        done = subprocess.run(command, env={"PYTHONPATH": folders}, capture_output=True, text=True, check=True)
        assert "ADMIN_PASSWORD" in done.stdout
        assert not [value for value in self.read(path).values() if value in done.stdout]


class TestPrepare:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        file = tmp_path / "passwords.json"
        file.write_text("{}")
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file),
            "ADMIN_PASSWORD": "the-password",
            "WAYSIDE_HOME": str(ROOT),
        }

    def test_it_makes_sign_in_database_and_pools(self, environment: dict[str, str]) -> None:
        commands: list[Sequence[str]] = []
        compose.prepare(environment, commands.append)
        assert [command[:3] for command in commands] == [["airflow", "db", "migrate"], ["airflow", "pools", "import"]]
        assert set(json.loads(Path(commands[1][3]).read_text())) >= {"fetch", "analyse", "publish"}
        file = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
        assert json.loads(file.read_text()) == {compose.USER: "the-password"}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_its_user_is_the_one_of_airflow(self) -> None:
        users = SERVICES["api-server"]["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
        assert users == f"{compose.USER}:admin"

    @pytest.mark.parametrize("name", ["ADMIN_PASSWORD", "WAYSIDE_HOME"])
    def test_it_says_what_it_lacks(self, environment: dict[str, str], name: str) -> None:
        with pytest.raises(ConfigError, match=name):
            compose.prepare({**environment, name: ""}, print)

    def test_a_command_that_fails_ends_it(
        self,
        environment: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        tool = tmp_path / "airflow"
        tool.write_text("#!/bin/sh\nexit 3\n")
        tool.chmod(0o755)
        for name, value in {**environment, "PATH": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        assert compose.main(["prepare"]) == 1
        assert "`airflow db migrate` ended with status 3" in capsys.readouterr().out

    def test_an_unknown_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert compose.main(["begin"]) == 2
        assert "wayside_airflow.compose secrets" in capsys.readouterr().out
