"""The local start without starting anything: settings, secrets, ports, the lock, and how processes are stopped."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.tables import count_rows
from typer.testing import CliRunner

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow import standalone
from wayside_airflow.api import Api, ApiError
from wayside_airflow.first_look import first_look
from wayside_airflow.local import USER, Local, free_port, made_once
from wayside_airflow.processes import Part, stop

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local(Settings(home=tmp_path / "home", state=tmp_path / "state"), 18080, 18765)


class TestEnvironment:
    def test_all_state_is_below_the_state_folder(self, local: Local, tmp_path: Path) -> None:
        env = local.environment({})
        state = str(tmp_path / "state")
        assert env["AIRFLOW_HOME"].startswith(state)
        assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{state}")
        assert env["AIRFLOW__LOGGING__BASE_LOG_FOLDER"].startswith(state)
        assert env["WAYSIDE_STATE"] == state
        assert [path.name for path in tmp_path.iterdir()] == ["state"]

    def test_every_server_is_on_the_loopback_interface_at_the_same_port(self, local: Local) -> None:
        env = local.environment({})
        assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
        assert env["AIRFLOW__API__PORT"] == "18080"
        assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18080/execution/"
        assert env["WAYSIDE_DEMO_URL"] == "http://127.0.0.1:18765"
        assert all("--skip-serve-logs" in standalone.COMPONENTS[name] for name in ("scheduler", "triggerer"))

    def test_our_settings_win_and_the_rest_is_inherited(self, local: Local) -> None:
        given = {"AIRFLOW_HOME": "/elsewhere", "AIRFLOW__SMTP__SMTP_HOST": "mail", "PYTHONPATH": "/a", "PATH": "/b"}
        env = local.environment(given)
        assert env["AIRFLOW_HOME"] != "/elsewhere"
        assert env["AIRFLOW__SMTP__SMTP_HOST"] == "mail"
        assert env["PYTHONPATH"].endswith("include:/a")
        assert env["PATH"].endswith(":/b")

    def test_dags_run_from_the_start_and_no_examples_are_there(self, local: Local) -> None:
        env = local.environment({})
        assert env["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "False"
        assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
        assert int(env["AIRFLOW__CORE__PARALLELISM"]) >= 16
        assert env["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"


class TestSecrets:
    def test_they_are_made_once_and_are_the_owners_alone(self, local: Local) -> None:
        first, second = local.environment({}), local.environment({})
        assert first == second
        assert len(local.password()) >= 16
        for name in ("passwords.json", "secrets.json"):
            assert stat.S_IMODE((local.home / name).stat().st_mode) == 0o600

    def test_every_installation_has_its_own(self, local: Local, tmp_path: Path) -> None:
        other = Local(Settings(home=tmp_path, state=tmp_path / "other"))
        keys = ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY")
        assert not {local.environment({})[key] for key in keys} & {other.environment({})[key] for key in keys}
        assert local.password() != other.password()

    def test_a_broken_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "secrets.json").write_text("{")
        with pytest.raises(ConfigError, match=r"secrets\.json"):
            made_once(tmp_path / "secrets.json", dict)

    def test_airflow_accepts_the_password_file(self, local: Local) -> None:
        from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

        local.environment({})
        with local.passwords.open() as stream:
            assert SimpleAuthManager._get_passwords(stream) == {USER: local.password()}


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 100


class TestLock:
    def test_a_second_instance_is_refused_and_told_where_the_first_is(self, local: Local) -> None:
        path = standalone._lock_path(local.settings)
        assert standalone._running(path) is None
        with standalone._lock(local):
            running = standalone._running(path)
            assert running is not None
            assert running["pid"] == os.getpid()
            with pytest.raises(standalone.StartError, match=rf"process {os.getpid()}, http://127.0.0.1:18080"):
                standalone._lock(local).__enter__()
        assert standalone._running(path) is None
        with standalone._lock(local):
            pass

    def test_stopping_what_does_not_run_says_so(self, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WAYSIDE_STATE", str(local.settings.state))
        done = CliRunner().invoke(standalone.app, ["stop"])
        assert (done.exit_code, done.output) == (0, "Wayside does not run here.\n")


def start(tmp_path: Path, code: str) -> Part:
    part = Part.start("part", [sys.executable, "-c", code], os.environ, tmp_path / "part.log")
    end = time.monotonic() + 10
    while "ready" not in part.last_words() and part.alive and time.monotonic() < end:
        time.sleep(0.02)
    return part


class TestStopping:
    def test_a_part_is_stopped_with_all_that_it_started(self, tmp_path: Path) -> None:
        part = start(
            tmp_path,
            "import os, subprocess, sys, time\n"
            f"subprocess.Popen([sys.executable, '-c', {SLEEP!r}], process_group=0)\n"
            "print('ready', flush=True); time.sleep(60)",
        )
        assert len(part.members()) == 2
        stop([part], patience=0.3)
        assert part.gone

    def test_a_part_that_does_not_listen_is_killed(self, tmp_path: Path) -> None:
        code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEP}"
        part = start(tmp_path, code)
        stop([part], patience=0.2)
        assert part.gone
        assert part.process.returncode == -signal.SIGKILL

    @pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on the parent's death is Linux's")
    def test_parts_end_when_their_parent_is_killed(self, tmp_path: Path) -> None:
        log = tmp_path / "part.log"
        code = (
            "import sys, time, pathlib, os\nfrom wayside_airflow.processes import Part\n"
            f"part = Part.start('x', [sys.executable, '-c', {SLEEP!r}], os.environ, pathlib.Path({str(log)!r}))\n"
            "print(part.process.pid, flush=True); time.sleep(60)"
        )
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env, text=True) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            parent.kill()
        end = time.monotonic() + 5
        while Path(f"/proc/{child}").exists() and time.monotonic() < end:
            time.sleep(0.02)
        assert not Path(f"/proc/{child}").exists()


class TestSupervisor:
    def test_a_part_that_dies_is_reported_with_its_last_words(self, local: Local) -> None:
        supervisor = standalone.Supervisor(local, dict(os.environ))
        supervisor.start("scheduler", [sys.executable, "-c", "raise SystemExit('no database')"])
        with pytest.raises(standalone.StartError, match=r"(?s)scheduler ended with status 1.*no database"):
            supervisor.wait("starting", lambda: False, timeout=10)
        supervisor.stop()

    def test_a_command_that_fails_is_reported_too(self, local: Local) -> None:
        supervisor = standalone.Supervisor(local, dict(os.environ))
        with pytest.raises(standalone.StartError, match=r"(?s)`db migrate` failed.*broken"):
            supervisor.run("db migrate", [sys.executable, "-c", "raise SystemExit('broken')"])

    def test_waiting_ends(self, local: Local) -> None:
        with pytest.raises(standalone.StartError, match="took more than 0 seconds"):
            standalone.Supervisor(local, {}).wait("nothing", lambda: False, timeout=0.0)

    def test_an_api_that_does_not_answer_is_not_ready(self, local: Local) -> None:
        api = Api(f"http://127.0.0.1:{free_port(20000)}", USER, "x")
        with pytest.raises(standalone.TooSlowError):
            standalone.Supervisor(local, {}).wait("Airflow", lambda: api.healthy(["scheduler"]), timeout=0.0)

    def test_airflow_goes_on_if_the_first_runs_cannot_be_started(
        self, local: Local, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def refused(*_: Any) -> None:
            raise ApiError("no such DAG")

        monkeypatch.setattr(standalone, "first_look", refused)
        standalone._look(standalone.Supervisor(local, {}))
        assert "no such DAG" in capsys.readouterr().out

    def test_the_demo_city_is_wanted_by_the_sources_that_come_with_wayside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAYSIDE_DEMO_URL", "")
        local = Local(Settings(state=tmp_path), demo_port=18765)
        assert standalone._wants_demo(standalone.Supervisor(local, {}))


class FakeApi:
    """Runs end as soon as they are started."""

    url = "http://127.0.0.1:18080"

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def runs(self, dag_id: str) -> list[dict[str, str]]:
        return [{"state": "success"}]

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        self.started.append(conf)
        return "run"


def test_the_first_look_fetches_one_slot_of_the_past_and_counts_on_it(settings: Settings) -> None:
    api, said = FakeApi(), list[str]()

    def wait(what: str, ready: Any, timeout: float) -> None:
        assert ready()

    first_look(api, settings, wait, said.append)  # type: ignore[arg-type]
    assert [conf["sources"] for conf in api.started] == [["Demo-observatory"]] * 2
    assert api.started[0]["slot"] < api.started[1]["slot"]
    assert "first counts" in said[-1]


@pytest.mark.parametrize(("source", "looks"), [("TfL-images", True), ("Demo-observatory", False)])
def test_only_counts_of_sources_with_a_history_spare_the_first_look(
    settings: Settings, source: str, looks: bool
) -> None:
    """`wayside demo` may have counted London today, which has none."""
    scope = Scope(source, Slot.floor(utc_now()), "StubV1")
    ParquetWarehouse(settings.lake).publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a"])))
    api = FakeApi()
    first_look(api, settings, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
    assert bool(api.started) is looks
