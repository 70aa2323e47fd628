"""`wayside receipts`: what holds, what does not, and exit codes that a script can rely on."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.privacy.receipted import NOON, SOURCE, gone, receipt
from typer.testing import CliRunner, Result

from wayside.cli import main
from wayside.core.errors import ConfigError, WaysideError
from wayside.core.tables import RECEIPTS
from wayside.photos.receipts import chain, publish_receipts
from wayside.privacy.receipts import START
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

DAY = timedelta(days=1)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main._commands, ["receipts", *arguments], env={"COLUMNS": "200"})


def told(*arguments: str) -> str:
    answer = run(*arguments)
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def refused(*arguments: str) -> str:
    answer = run(*arguments)
    assert isinstance(answer.exception, WaysideError), answer.output
    return str(answer.exception)


@pytest.fixture
def lake(state: Path) -> ParquetWarehouse:
    """Two days of one source."""
    made = ParquetWarehouse(state / "warehouse")
    publish_receipts(made, SOURCE, [receipt(1), receipt(2)], NOON)
    publish_receipts(made, SOURCE, [receipt(3), gone(2)], NOON + DAY)
    return made


def spoil(lake: ParquetWarehouse, remove: int) -> None:
    """Take a receipt out of the first day."""
    scope = Scope(SOURCE, day=NOON.date())
    rows = lake.read(RECEIPTS, scope).to_pylist()
    del rows[remove]
    lake.publish(RECEIPTS, scope, to_arrow(RECEIPTS, rows))


def test_a_chain_that_holds(lake: ParquetWarehouse):
    answer = told("verify")
    assert [part in answer for part in (SOURCE, "2026-06-16", "2026-06-17", "holds")] == [True] * 4
    assert told("verify", "--source", SOURCE) == answer


def test_the_first_break_is_named_and_the_command_fails(lake: ParquetWarehouse):
    spoil(lake, 0)
    answer = run("verify")
    assert answer.exit_code == 1
    assert "breaks" in answer.stdout
    assert str(answer.exception).startswith(f"{SOURCE}: receipt 1 of 2026-06-16, 06/2018/Fy06_Ev134_m00002.jpg: ")


def test_a_head_that_was_noted_shows_that_the_end_was_cut_off(lake: ParquetWarehouse):
    source, day, count, head = told("head").split()
    assert (source, day, count) == (SOURCE, "2026-06-17", "4")
    assert head == list(chain(lake, SOURCE))[-1]["link_sha256"]
    publish_receipts(lake, SOURCE, [receipt(4)], NOON + DAY)
    assert "holds" in told("verify", "--head", head)  # it has grown since
    assert "holds" in told("verify", "--head", START)
    lake.layout.path(RECEIPTS, Scope(SOURCE, day=(NOON + DAY).date())).unlink()
    assert "holds" in told("verify")
    assert (
        refused("verify", "--head", head) == f"no chain has the head {head}: its end was cut off, or it was made anew"
    )


def test_the_receipt_of_a_picture(lake: ParquetWarehouse):
    photo = receipt(2).photo
    answer = told("show", photo)
    assert all(part in answer for part in (photo, "deleted", "kari", "1 objects", "car", "0.876543"))
    newest, both = told("show", photo, "--json"), told("show", photo, "--all", "--json").splitlines()
    assert [json.loads(line)["original"]["fate"] for line in both] == ["kept", "deleted"]
    assert newest.splitlines() == both[1:]
    assert json.loads(told("show", receipt(1).output.sha256, "--json"))["photo"] == receipt(1).photo


@pytest.mark.usefixtures("state")
def test_nothing_there():
    assert "No receipts there yet" in told("verify")
    assert told("head") == ""
    assert refused("verify", "--source", SOURCE) == f"there are no receipts of {SOURCE}; there are of: none"


def test_wrong_usage_is_told(lake: ParquetWarehouse):
    assert refused("show", "nothing.jpg") == "there is no receipt of nothing.jpg"
    assert isinstance(run("verify", "--head", "abc").exception, ConfigError)
