"""`wayside timeseries build` and `export`."""

from pathlib import Path

import numpy as np
import pytest
from tests.stills.weeks import PIPELINE, fill
from typer.testing import CliRunner

from wayside.cli import main
from wayside.core.errors import ConfigError
from wayside.core.settings import settings

runner = CliRunner()


def test_build_and_export(state: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("wayside.counting.impute.MIN_TIMES", 3)
    fill(settings(), np.full((2, 5, 144), 3.0))
    built = runner.invoke(main._commands, ["timeseries", "build", "--pipeline", PIPELINE, "--through", "2026-04-09"])
    assert built.exit_code == 0, built.output + repr(built.exception)
    line = next(line for line in built.stdout.splitlines() if "Town" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "Town", "2026-04-06", "2026-04-09", "4", "2", "2", "95.8 %",
    ]  # fmt: skip
    assert "Town: not adjusted: car, person: only 4 days are known, an adjustment needs 21" in built.stderr
    written = runner.invoke(main._commands, ["timeseries", "export", "--pipeline", PIPELINE])
    folder = state / "exports"
    names = [f"Trafcam_data_20260409.{suffix}" for suffix in ("csv", "parquet", "html")]
    assert written.stdout.splitlines() == [str(folder / name) for name in names]
    lines = (folder / names[0]).read_text().splitlines()
    assert lines[1] == "Town,car,2026-04-06,,,864,0.9583"


@pytest.mark.usefixtures("state")
def test_without_counts_it_says_what_to_do():
    answer = runner.invoke(main._commands, ["timeseries", "build"])
    assert isinstance(answer.exception, ConfigError)
    assert "yet: run `wayside ingest`, or `make demo`" in str(answer.exception)
