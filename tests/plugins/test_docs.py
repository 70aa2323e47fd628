"""The generated pages say what the DAGs and the cards say, and a stale page is found."""

from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from wayside_airflow import docs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typer:
    """The command, on a home that has the DAGs and the cards of the project and pages of its own."""
    for name in ("dags", "models", "plugins", "include"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(docs.main)
    return app


def test_the_page_of_dags_has_a_row_and_the_docstring_of_each() -> None:
    page = docs.dags_markdown(ROOT / "dags")
    assert "| [ingest_cameras](#ingest_cameras) | `*/10 * * * *` | Fetch one picture of every camera" in page
    assert "`sources`, `slot`, `pipeline`, `shard_cameras`" in page
    assert "\n## ingest_cameras\n" in page
    assert "**When something is red.**" in page


def test_a_stale_page_is_found_and_written_anew(app: Typer, tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--check"]).exit_code == 1
    assert runner.invoke(app, ["--write"]).exit_code == 0
    assert runner.invoke(app, ["--check"]).exit_code == 0
    page = tmp_path / "docs" / "DAGS.md"
    page.write_text(page.read_text().replace("ten minutes", "hour"))
    stale = runner.invoke(app, ["--check"])
    assert stale.exit_code == 1
    assert "+### Every ten minutes" in stale.output
    assert "make docs" in stale.output


def test_one_of_both_has_to_be_said(app: Typer) -> None:
    assert CliRunner().invoke(app, []).exit_code == 2
