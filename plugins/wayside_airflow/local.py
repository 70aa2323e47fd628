"""What a local Airflow is made of: folder, ports, secrets and settings, as one environment for all of its processes.

Nothing here starts anything. All state lies below the state folder of Wayside, secrets are made once and are readable
by their owner alone, and every server listens on the loopback interface.
"""

import base64
import contextlib
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings

LOOPBACK: Final = "127.0.0.1"
USER: Final = "admin"
API_PORT: Final = 8080
DEMO_PORT: Final = 8765
#: Airflow connection whose password is the address of Airflow's own tables.
DATABASE_CONNECTION: Final = "wayside_airflow_db"
_TRIES: Final = 100


@dataclass(frozen=True)
class Local:
    """One local Airflow: where it lives and at which ports it answers."""

    settings: Settings
    api_port: int = API_PORT
    demo_port: int = DEMO_PORT

    @property
    def home(self) -> Path:
        """The folder of Airflow: database, logs and secrets."""
        return self.settings.state.absolute() / "airflow"

    @property
    def url(self) -> str:
        """The address of the UI and the API."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def demo_url(self) -> str:
        """The address of the demo city."""
        return f"http://{LOOPBACK}:{self.demo_port}"

    @property
    def passwords(self) -> Path:
        """The file with the password of the UI."""
        return self.home / "passwords.json"

    @property
    def database(self) -> str:
        """The address of Airflow's own tables."""
        return f"sqlite:///{self.home / 'airflow.db'}?timeout=60"

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of every process: `inherited`, with our settings on top."""
        root = self.settings.home.absolute()
        keys = made_once(self.home / "secrets.json", _new_secrets)
        made_once(self.passwords, _new_password)
        ours = {
            "AIRFLOW_HOME": str(self.home),
            **_airflow("core", **self._core(root), fernet_key=keys["fernet_key"]),
            # Writers of SQLite wait for each other; the five seconds that are usual are too few on a busy machine.
            **_airflow("database", sql_alchemy_conn=self.database),
            # Tasks do not see the setting above; the one that cleans Airflow's own tables looks here.
            f"AIRFLOW_CONN_{DATABASE_CONNECTION.upper()}": json.dumps(
                {"conn_type": "generic", "password": self.database}
            ),
            **_airflow("api", host=LOOPBACK, port=str(self.api_port), base_url=self.url, workers="1"),
            **_airflow("api", secret_key=keys["secret_key"]),
            **_airflow("api_auth", jwt_secret=keys["jwt_secret"]),
            **_airflow("logging", base_log_folder=str(self.home / "logs"), colored_console_log="False"),
            # Half a second instead of one: a chain of short tasks waits for the scheduler at every step.
            **_airflow("scheduler", scheduler_idle_sleep_time="0.5"),
            **_airflow("dag_processor", refresh_interval="30"),
            **_airflow("usage_data_collection", enabled="False"),
            "SCARF_ANALYTICS": "false",
            "DO_NOT_TRACK": "1",
            "WAYSIDE_HOME": str(root),
            "WAYSIDE_STATE": str(self.settings.state.absolute()),
            "WAYSIDE_DEMO_URL": self.demo_url,
        }
        folders = [str(root / "include"), *filter(None, [inherited.get("PYTHONPATH")])]
        path = [str(Path(sys.executable).parent), *filter(None, [inherited.get("PATH")])]
        return {**inherited, **ours, "PYTHONPATH": os.pathsep.join(folders), "PATH": os.pathsep.join(path)}

    def _core(self, root: Path) -> dict[str, str]:
        return {
            "dags_folder": str(root / "dags"),
            "plugins_folder": str(root / "plugins"),
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "executor": "LocalExecutor",
            # The executor refills its slots once a loop: few slots would throttle. Pools limit the heavy work instead.
            "parallelism": "16",
            "execution_api_server_url": f"{self.url}/execution/",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": str(self.passwords),
        }

    def password(self) -> str:
        """Return the password of the UI."""
        return made_once(self.passwords, _new_password)[USER]


def made_once(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return the texts kept in `path`, made and written for the owner alone if there are none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8", opener=_private) as stream:
        json.dump(make(), stream)
    path.chmod(0o600)
    try:
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: delete it, and new secrets are made ({error})") from error
    return kept


def free_port(wanted: int) -> int:
    """Return the first port from `wanted` upwards that nobody listens on."""
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do: a port that was closed a moment ago counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port
    raise ConfigError(f"no port is free from {wanted} on: stop what listens there, or give another with --port")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _airflow(section: str, **options: str) -> dict[str, str]:
    return {f"AIRFLOW__{section.upper()}__{name.upper()}": value for name, value in options.items()}


def _new_secrets() -> dict[str, str]:
    return {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(48),
        "secret_key": secrets.token_urlsafe(48),
    }


def _new_password() -> dict[str, str]:
    return {USER: secrets.token_urlsafe(12)}
