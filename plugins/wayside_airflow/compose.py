"""What `docker-compose.yaml` needs besides images: passwords and keys before the first start, and its one-shot step.

    python -m wayside_airflow.compose secrets [FILE]   write fresh secrets to .env, or add those that it lacks
    python -m wayside_airflow.compose prepare          in the container: sign-in, database, pools

The first is for a machine that has Docker and any Python, so this module needs nothing that has to be installed.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from wayside.core.errors import ConfigError, WaysideError

USER: Final = "admin"
ENV_FILE: Final = ".env"
_HEAD: Final = "# Made by `make secrets` for docker-compose.yaml, not to be shown around; see .env.example.\n"


def _password() -> str:
    # Goes into addresses as it is, begins with a letter, and is short enough for every database.
    return "w" + secrets.token_hex(14)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _key() -> str:
    return secrets.token_urlsafe(48)


SECRETS: Final[Mapping[str, Callable[[], str]]] = {
    "ADMIN_PASSWORD": _password,
    "POSTGRES_PASSWORD": _password,
    "REDIS_PASSWORD": _password,
    "ORACLE_PASSWORD": _password,
    "FERNET_KEY": _fernet_key,
    "JWT_SECRET": _key,
    "SECRET_KEY": _key,
}


def write_secrets(path: Path) -> list[str]:
    """Write each secret that the file lacks, readable by its owner alone, and return their names.

    What stands in the file stays: databases remember the password with which they were made.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    kept = {name.strip() for name, sign, value in (line.partition("=") for line in old.splitlines()) if value.strip()}
    missing = [name for name in SECRETS if name not in kept]
    # A name without a value would win over ours if it came after it.
    lines = [line for line in old.splitlines() if line.partition("=")[0].strip() not in missing]
    text = "\n".join([*lines, *(f"{name}={SECRETS[name]()}" for name in missing)]) + "\n"
    _replace(path, text)
    return missing


def prepare(environment: Mapping[str, str], run: Callable[[Sequence[str]], object]) -> None:
    """Make what Airflow needs before its parts start; doing it again does no harm.

    Raises:
        ConfigError: the environment lacks a variable; the message names it.
    """
    file = Path(_given(environment, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"))
    _replace(file, json.dumps({USER: _given(environment, "ADMIN_PASSWORD")}))
    pools = Path(_given(environment, "WAYSIDE_HOME")) / "include" / "config" / "pools.json"
    run(["airflow", "db", "migrate"])
    run(["airflow", "pools", "import", str(pools)])


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit status."""
    try:
        match arguments:
            case ["secrets"] | ["secrets", _]:
                path = Path(arguments[1] if len(arguments) > 1 else ENV_FILE)
                made = write_secrets(path)
                _say(f"{path}: {', '.join(made)} written" if made else f"{path} has them all")
                _say(f"sign in as {USER} with its ADMIN_PASSWORD")
            case ["prepare"]:
                prepare(os.environ, _run)
            case _:
                _say((__doc__ or "").strip())
                return 2
    except (WaysideError, OSError) as error:
        _say(f"error: {error}")
        return 1
    return 0


def _given(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise ConfigError(f"{name} is not set: see docker-compose.yaml")
    return environment[name]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        raise ConfigError(f"`{' '.join(command)}` ended with status {done.returncode}: what it said is above")


def _replace(path: Path, text: str) -> None:
    """Write the file for its owner alone, in one step."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            stream.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
