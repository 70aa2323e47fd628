"""Upkeep of Airflow itself: old runs, what they handed on and their history are removed from its own tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from airflow.sdk import BaseOperator, Connection, Context
from airflow.sdk.exceptions import AirflowNotFoundException

from wayside.core.clock import utc_now
from wayside.core.errors import TransientError
from wayside_airflow.local import DATABASE_CONNECTION

#: Tables that grow with each run. Those of DAGs and their versions stay: runs that are shown refer to them.
TABLES: Final = (
    "asset_event",
    "callback",
    "dag_run",
    "deadline",
    "job",
    "log",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "task_state_store",
    "trigger",
    "xcom",
)


class CleanAirflowOperator(BaseOperator):
    """Run `airflow db clean` and `airflow state-store clean`.

    Airflow 3 hides its database from tasks, so the address comes from a connection of its own: the password of
    `connection`. Where there is no such connection, nothing is cleaned, and the log says how to have it done.

    Args:
        keep_days: days to keep. (templated)
        dry: say what would go, and remove nothing. (templated)
        connection: id of the connection.
    """

    template_fields: Sequence[str] = ("keep_days", "dry")

    def __init__(
        self,
        *,
        keep_days: int | str = 30,
        dry: bool | str = False,
        connection: str = DATABASE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keep_days = keep_days
        self.dry = dry
        self.connection = connection

    def execute(self, context: Context) -> bool:
        """Clean, and log what the commands say; return whether it could be done."""
        try:
            address = Connection.get(self.connection).password
        except AirflowNotFoundException:
            self.log.warning(
                "there is no connection %s whose password is the address of Airflow's database: its own tables are "
                "not cleaned; add it, or run `airflow db clean` by hand now and then",
                self.connection,
            )
            return False
        dry = ["--dry-run"] if str(self.dry).lower() == "true" else []
        before = utc_now() - timedelta(days=int(self.keep_days))
        clean = ["db", "clean", "--clean-before-timestamp", before.isoformat(), "--tables", ",".join(TABLES)]
        self._run([*clean, "--skip-archive", "--yes", "--error-on-cleanup-failure", *dry], str(address))
        self._run(["state-store", "clean", *dry], str(address))
        return True

    def _run(self, arguments: list[str], address: str) -> None:
        env = {**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address}
        done = subprocess.run(  # noqa: S603 - our own interpreter, and arguments that are written here
            [sys.executable, "-m", "airflow", *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            self.log.info("%s", line)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise TransientError(f"`airflow {' '.join(arguments[:2])}` failed: {last[0]}")
