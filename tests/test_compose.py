"""`docker-compose.yaml`, `Dockerfile` and the variables they want, as far as they can be checked without Docker.

The file is read as Docker Compose reads it: merge keys, profiles, and variables with their defaults. What it names has
to exist: images with a version, files, mounts, services, variables that Airflow and our settings know.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

from wayside.core.settings import Settings
from wayside_airflow import compose

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docker-compose.yaml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROFILES = {"default": set(), "celery": {"celery"}, "gpu": {"gpu"}, "oracle": {"oracle"}}
ALWAYS = {"postgres", "prepare", "api-server", "scheduler", "dag-processor", "triggerer", "demo-city"}
EXPECTED = {
    "default": ALWAYS,
    "celery": ALWAYS | {"redis", "worker", "demo-city-worker"},
    "gpu": ALWAYS | {"redis", "worker-gpu", "demo-city-gpu"},
    "oracle": ALWAYS | {"oracle"},
}
#: Options of the Celery provider, which the tests run without.
CELERY = {"broker_url", "result_backend", "worker_concurrency"}
WAREHOUSE = [name for name in Settings.model_fields if name.startswith(("bigquery_", "oracle_", "google_"))]
#: What images that are not ours, and our own one-shot step, are told through the environment.
FOREIGN = {
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"},
    "redis": {"REDISCLI_AUTH"},
    "oracle": {"ORACLE_PASSWORD", "APP_USER", "APP_USER_PASSWORD"},
    "prepare": {"ADMIN_PASSWORD"},
}
KEYS = {
    "build", "cap_drop", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init", "logging",
    "network_mode", "ports", "profiles", "restart", "security_opt", "stop_grace_period", "user", "volumes",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\$|\$\{([A-Z_]+)(?::([-?])([^{}]*))?\}")


class MissingError(Exception):
    """A variable that has to be set is not."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """Fill in variables by the rules of Docker Compose."""

    def fill(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = variables.get(found[1], "")
        if not given and found[2] == "?":
            raise MissingError(f"{found[1]}: {found[3]}")
        return given or (found[3] or "" if found[2] == "-" else "")

    match value:
        case str():
            return _VARIABLE.sub(fill, value)
        case list():
            return [interpolated(one, variables) for one in value]
        case dict():
            return {key: interpolated(one, variables) for key, one in value.items()}
    return value


RAW = yaml.safe_load(TEXT)
NAMES = {found[1] for found in _VARIABLE.finditer(TEXT) if found[1]}
SECRETS = {name: f"value-of-{name.lower()}" for name in compose.SECRETS}
FILE = interpolated(RAW, SECRETS)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
LASTING = sorted(set(SERVICES) - {"prepare"})
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)


@pytest.mark.parametrize("profile", sorted(PROFILES))
class TestProfiles:
    def services(self, profile: str) -> dict[str, dict[str, Any]]:
        chosen = PROFILES[profile]
        return {name: one for name, one in SERVICES.items() if not one.get("profiles") or chosen & set(one["profiles"])}

    def test_services(self, profile: str) -> None:
        assert set(self.services(profile)) == EXPECTED[profile]

    def test_what_they_depend_on_is_there_and_can_be_waited_for(self, profile: str) -> None:
        there = self.services(profile)
        for name, service in there.items():
            for other, rule in service.get("depends_on", {}).items():
                assert other in there, (name, other)
                assert rule["condition"] in {"service_healthy", "service_completed_successfully", "service_started"}
                lasting = "healthcheck" in there[other]
                assert (rule["condition"] == "service_completed_successfully") is not lasting, (name, other)
            if network := service.get("network_mode"):
                kind, _, other = network.partition(":")
                assert (kind, other in there) == ("service", True), name
                assert other in service["depends_on"], name

    def test_the_order_of_starting_has_no_ring(self, profile: str) -> None:
        waiting = {name: set(one.get("depends_on", {})) for name, one in self.services(profile).items()}
        while waiting:
            free = {name for name, others in waiting.items() if not others & set(waiting)}
            assert free, waiting
            waiting = {name: others for name, others in waiting.items() if name not in free}

    def test_whoever_runs_tasks_reaches_the_demo_city_on_its_own_loopback(self, profile: str) -> None:
        there = self.services(profile)
        running = {"default": "scheduler", "oracle": "scheduler", "celery": "worker", "gpu": "worker-gpu"}[profile]
        cities = [one for one in there.values() if one.get("network_mode") == f"service:{running}"]
        assert [one["command"] for one in cities] == [["python", "-m", "wayside.sources.demo", "--port", "8765"]]


@pytest.mark.parametrize("name", sorted(SERVICES))
class TestServices:
    def test_keys_are_those_of_compose(self, name: str) -> None:
        assert set(SERVICES[name]) <= KEYS

    def test_the_image_has_an_exact_version(self, name: str) -> None:
        _pinned(SERVICES[name]["image"])

    def test_ports_are_open_on_this_machine_alone(self, name: str) -> None:
        for port in SERVICES[name].get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port

    def test_every_mount_exists_and_every_volume_is_declared(self, name: str) -> None:
        for mount in SERVICES[name].get("volumes", ()):
            source, target, *mode = mount.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists(), source
                assert mode == ["ro"], mount
            else:
                assert source in FILE["volumes"], source
            assert target.startswith("/"), mount

    def test_logs_do_not_fill_the_disk(self, name: str) -> None:
        assert SERVICES[name]["logging"]["options"]["max-size"]

    def test_variables_are_known_to_whoever_reads_them(self, name: str) -> None:
        for variable in SERVICES[name].get("environment", {}):
            assert variable in FOREIGN.get(name, ()) or (name in OURS and _known(variable)), variable

    def test_secrets_come_from_outside(self, name: str) -> None:
        for variable, value in RAW["services"][name].get("environment", {}).items():
            if re.search(r"PASSWORD$|SECRET|FERNET_KEY|AUTH$|SQL_ALCHEMY_CONN|BROKER|BACKEND|AIRFLOW_CONN", variable):
                assert re.search(r"\$\{[A-Z_]+:\?[^{}]+\}", value), variable


def _known(variable: str) -> bool:
    if variable.startswith("AIRFLOW_CONN_"):
        return True
    if found := re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", variable):
        section, option = found[1].lower(), found[2].lower()
        described = conf.configuration_description.get(section, {}).get("options", {})
        return option in described or (section == "celery" and option in CELERY)
    name = variable.removeprefix("WAYSIDE_").lower()
    return variable.startswith("WAYSIDE_") and name in Settings.model_fields


def _pinned(image: str) -> None:
    name, _, tag = image.partition(":")
    assert name, image
    assert re.match(r"\d+\.\d+(\.\d+)?(-|$)", tag), image


@pytest.mark.parametrize("name", LASTING)
class TestServicesThatStay:
    def test_somebody_looks_after_them(self, name: str) -> None:
        check = SERVICES[name]["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)
        assert SERVICES[name]["restart"] == "unless-stopped"

    def test_their_memory_has_a_limit(self, name: str) -> None:
        assert re.fullmatch(r"\d+[mg]", SERVICES[name]["deploy"]["resources"]["limits"]["memory"])

    def test_what_python_code_they_check_with_compiles(self, name: str) -> None:
        test = SERVICES[name]["healthcheck"]["test"]
        if test[1] == "python":
            assert test[2] == "-c"
            compile(test[3], name, "exec")


@pytest.mark.parametrize("name", OURS)
class TestOurImages:
    def test_the_version_is_that_of_the_project(self, name: str) -> None:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert SERVICES[name]["image"].endswith(f":{version}")

    def test_it_is_made_from_what_is_there(self, name: str) -> None:
        build = SERVICES[name]["build"]
        assert (ROOT / build["context"] / build["dockerfile"]).is_file()
        assert re.search(rf"^FROM \S+ AS {build['target']}$", DOCKERFILE, re.MULTILINE)
        assert not {"args", "secrets"} & set(build)
        assert SERVICES[name]["image"].startswith(f"{build['target']}:")

    def test_it_has_no_more_rights_than_it_needs(self, name: str) -> None:
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["init"] is True

    def test_state_is_shared_by_all_parts_of_airflow(self, name: str) -> None:
        mounts = dict(mount.split(":")[:2] for mount in SERVICES[name].get("volumes", ()))
        if not name.startswith("demo-city"):
            assert mounts["state"] == _image_variables()["WAYSIDE_STATE"]
            assert mounts["logs"] == _image_variables()["AIRFLOW_HOME"] + "/logs"

    def test_the_password_of_the_ui_is_where_the_ui_is(self, name: str) -> None:
        mounts = dict(mount.split(":")[:2] for mount in SERVICES[name].get("volumes", ()))
        assert ("signin" in mounts) is (name in {"prepare", "api-server"})
        if "signin" in mounts:
            file = SERVICES[name]["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
            assert Path(file).parent == Path(mounts["signin"])

    def test_the_command_is_one_of_ours_or_of_airflow(self, name: str) -> None:
        match SERVICES[name]["command"]:
            case ["airflow", part, *_]:
                assert part in {"api-server", "scheduler", "dag-processor", "triggerer", "celery"}
            case ["python", "-m", module, *_]:
                path = module.replace(".", "/")
                found = [ROOT / top / path for top in ("include", "plugins")]
                assert any(one.with_suffix(".py").is_file() or (one / "__main__.py").is_file() for one in found)
            case other:
                pytest.fail(f"{other}")


def test_a_gpu_is_asked_for_where_it_is_used() -> None:
    (device,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert SERVICES["worker-gpu"]["environment"]["WAYSIDE_DEVICE"] == "cuda"
    asking = [name for name, one in SERVICES.items() if "reservations" in one.get("deploy", {}).get("resources", {})]
    assert asking == ["worker-gpu"]


def test_the_connection_to_oracle_is_one_that_airflow_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    monkeypatch.setenv("AIRFLOW_CONN_ORACLE_FREE", SERVICES["scheduler"]["environment"]["AIRFLOW_CONN_ORACLE_FREE"])
    connection = BaseHook.get_connection("oracle_free")
    assert (connection.host, connection.port, connection.login) == ("oracle", 1521, "wayside")
    assert connection.password == SERVICES["oracle"]["environment"]["APP_USER_PASSWORD"]
    assert connection.extra_dejson == {"service_name": "FREEPDB1"}


def test_settings_can_be_made_from_what_the_containers_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**_image_variables(), **SERVICES["scheduler"]["environment"]}.items():
        if name.startswith("WAYSIDE_"):
            monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert (settings.warehouse, settings.pictures_url) == ("duckdb", "")
    assert settings.state == Path("/var/lib/wayside")
    # Who starts without a file .env gets what the settings say themselves; all that a warehouse needs can be set there.
    for name in WAREHOUSE:
        assert getattr(settings, name) == Settings.model_fields[name].default, name


class TestDockerfile:
    def test_images_it_builds_on_have_an_exact_version(self) -> None:
        stages: set[str] = set()
        for image, stage in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE):
            if image not in stages:
                _pinned(image)
            stages.add(stage)
        assert stages == {"wayside", "wayside-gpu"}
        assert len(re.findall(r"^FROM", DOCKERFILE, re.MULTILINE)) == len(stages)

    def test_what_it_copies_exists_and_is_sent_to_the_builder(self) -> None:
        allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        copied = [name for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]
        assert {"requirements-deploy.txt", "requirements-gpu.txt", "dags", "plugins", "include"} <= set(copied)
        for name in copied:
            assert (ROOT / name).exists(), name
            assert any(Path(name).match(pattern) for pattern in allowed), name

    def test_neither_secrets_nor_state_are_sent_to_the_builder(self) -> None:
        lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
        assert lines[0] == "*"
        assert not [line for line in lines if line.startswith("!") and {".env", ".wayside", ".git"} & {line[1:]}]
        assert not re.search(r"^ARG|--mount=type=secret", DOCKERFILE, re.MULTILINE)

    def test_nothing_runs_as_root(self) -> None:
        for stage in DOCKERFILE.split("FROM ")[1:]:
            assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE)[-1] == "50000:0"

    def test_volumes_are_mounted_on_folders_that_belong_to_the_user(self) -> None:
        made = re.search(r"install --directory --owner wayside [^&]*", DOCKERFILE)
        assert made is not None
        for name in OURS:
            for mount in SERVICES[name].get("volumes", ()):
                source, target = mount.split(":")[:2]
                assert source.startswith(".") or target in made[0].split(), mount

    def test_the_python_is_one_that_the_project_supports(self) -> None:
        version = tuple(map(int, re.findall(r"FROM python:(\d+)\.(\d+)", DOCKERFILE)[0]))
        assert (3, 11) <= version <= (3, 13)


def _image_variables() -> dict[str, str]:
    """The variables of the image, from its `ENV` line."""
    line = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)[0]
    return dict(part.split("=", 1) for part in line.replace("\\\n", " ").split())


def test_variables_of_the_image_are_known() -> None:
    ours = [name for name in _image_variables() if name.startswith("WAYSIDE_")]
    assert sorted(ours) == ["WAYSIDE_HOME", "WAYSIDE_STATE"]
    assert all(map(_known, ours))


class TestLocks:
    """pip refuses two versions of one package, so what is installed together agrees."""

    @staticmethod
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text().splitlines()
        pinned = [line.partition(" ;")[0].strip().split("==") for line in lines if "==" in line and line[0] != "#"]
        return {package.partition("[")[0]: version for package, version in pinned}

    @pytest.mark.parametrize("other", ["requirements.txt", "requirements-gpu.txt"])
    def test_they_agree(self, other: str) -> None:
        deploy, pins = self.pins("requirements-deploy.txt"), self.pins(other)
        assert len(pins) > 100
        assert {name: deploy[name] for name in pins if name in deploy} == {
            name: version for name, version in pins.items() if name in deploy
        }

    def test_the_image_has_all_that_wayside_needs_and_what_the_profiles_need(self) -> None:
        deploy = self.pins("requirements-deploy.txt")
        assert set(self.pins("requirements.txt")) <= set(deploy)
        assert {"apache-airflow-providers-celery", "apache-airflow-providers-postgres", "redis"} <= set(deploy)
        assert "psycopg2-binary" in deploy


class TestVariables:
    def test_the_example_lists_each_and_no_other(self) -> None:
        listed = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
        assert listed - {"COMPOSE_PROFILES"} == NAMES

    def test_defaults_in_the_example_are_those_of_the_file(self) -> None:
        defaults = {found[1]: found[3] for found in _VARIABLE.finditer(TEXT) if found[2] == "-"}
        said = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
        assert {name: said[name] for name in defaults} == defaults

    def test_none_changes_what_happens_outside_of_docker(self) -> None:
        assert not [name for name in NAMES if name.startswith("WAYSIDE_")]
        assert not [name for name in NAMES if name.startswith("AIRFLOW__")]

    def test_every_secret_is_demanded_with_a_hint_what_to_do(self) -> None:
        for name in compose.SECRETS:
            with pytest.raises(MissingError, match=f"{name}: run make secrets first"):
                interpolated(RAW, {other: value for other, value in SECRETS.items() if other != name})

    def test_it_is_not_kept_in_git(self) -> None:
        assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
