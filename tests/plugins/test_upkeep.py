"""Airflow's own tables are cleaned through a connection of their own, and left alone where there is none."""

import contextlib
import io
import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.models.log import Log
from airflow.settings import engine
from airflow.utils.session import create_session
from sqlalchemy import select

from wayside.core.clock import utc_now
from wayside.core.errors import TransientError
from wayside_airflow.operators.upkeep import CleanAirflowOperator

pytestmark = pytest.mark.airflow
NAME = "wayside_airflow_db"


def connect(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{NAME.upper()}", json.dumps({"conn_type": "generic", "password": address}))


def run_here(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of Airflow in this process, which has imported it: a new one takes four seconds."""
    assert engine is not None
    assert command[:3] == [sys.executable, "-m", "airflow"]
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == engine.url.render_as_string(hide_password=False)
    arguments = get_parser().parse_args(command[3:])
    with contextlib.redirect_stdout(io.StringIO()) as told:
        arguments.func(arguments)
    return subprocess.CompletedProcess(command, 0, told.getvalue(), "")


@pytest.mark.usefixtures("airflow_db")
def test_old_rows_go_and_new_ones_stay(monkeypatch: pytest.MonkeyPatch):
    assert engine is not None
    monkeypatch.setattr(subprocess, "run", run_here)
    connect(monkeypatch, engine.url.render_as_string(hide_password=False))
    with create_session() as session:
        for name, age in (("upkeep-old", 40), ("upkeep-new", 1)):
            session.add(Log(event=name, owner="test"))
            session.flush()
            row = session.scalars(select(Log).where(Log.event == name)).one()
            row.dttm = utc_now() - timedelta(days=age)
    assert CleanAirflowOperator(task_id="clean", keep_days="30").execute({}) is True
    with create_session() as session:
        kept = session.scalars(select(Log.event).where(Log.event.like("upkeep-%"))).all()
    assert kept == ["upkeep-new"]


def test_without_the_connection_nothing_is_cleaned():
    assert CleanAirflowOperator(task_id="clean", connection="nowhere").execute({}) is False


def test_a_command_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    connect(monkeypatch, "sqlite:////nowhere/at/all.db")
    with pytest.raises(TransientError, match=r"airflow db clean.*sqlalche\.me"):
        CleanAirflowOperator(task_id="clean").execute({})


def test_its_fields_are_templates():
    operator: Any = CleanAirflowOperator(task_id="clean", keep_days="{{ 7 }}", dry="{{ true }}")
    operator.render_template_fields(context={})
    assert (operator.keep_days, operator.dry) == ("7", "True")
