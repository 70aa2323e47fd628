"""`wayside backfill` and `wayside reprocess`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.late_city import SOURCE, LateCity, serving
from tests.stills.late_runs import AFTER, DAY, LAST, SLOTS, comparable, live, made
from typer.testing import CliRunner

from wayside.cli import main
from wayside.core.settings import Settings
from wayside.core.tables import RUNS
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline

CAMERAS = 3
STILLS = CAMERAS * len(SLOTS[2:])
runner = CliRunner()


def wayside(*arguments: str) -> str:
    answer = runner.invoke(main._commands, arguments, env={"COLUMNS": "200"})
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> Iterator[LateCity]:
    with serving(CAMERAS, [*SLOTS, LAST]) as found:
        monkeypatch.setenv("WAYSIDE_DEMO_URL", found.peer.url)
        yield found


@pytest.fixture
def ran(state: Path, city: LateCity, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Slots that were run live, a third of their pictures late; the command line comes when all are there."""
    settings = Settings(state=state, workers=2, device="cpu", fetch_backoff=0.001, _env_file=None)
    city.delay_some(SLOTS[2:], 0.33, seed=1)
    live(settings, city)
    city.now = AFTER
    monkeypatch.setattr(Ingest, "__init__", _at(AFTER, Ingest.__init__))
    monkeypatch.setattr(StillPipeline, "load", lambda name, _file, given: made(given, name))
    return settings


def _at(now: object, made_by: object) -> object:
    return lambda self, settings: made_by(self, settings, clock=lambda: now)  # type: ignore[operator]


def test_backfill_fetches_what_came_late(ran: Settings):
    said = wayside("backfill", "--first", str(DAY), "--source", SOURCE)
    line = next(line for line in said.splitlines() if SOURCE in line)
    assert [cell.strip() for cell in line.split("│")[1:5]] == [SOURCE, str(DAY), "3", "6"]
    counts = {name: rows for name, rows in comparable(ran.state).items() if name.startswith("counts")}
    assert not any(missing for rows in counts.values() for missing in rows["missing"].to_pylist())


def test_reprocess_says_first_how_much_it_is(ran: Settings):
    wayside("backfill", "--first", str(DAY), "--source", SOURCE)
    before = comparable(ran.state)
    name = "FaultyImageFilterV1_WaysideV1"
    asked = ["reprocess", "--first", str(DAY), "--source", SOURCE, "--pipeline", name]
    said = wayside(*asked)
    assert str(STILLS) in said
    assert "say --go to do it" in said
    assert comparable(ran.state) == before
    said = wayside(*asked, "--go", "--why", "a trial")
    assert f"{SOURCE}: {STILLS} pictures were analysed, {STILLS} rows of counts changed" in said
    after = comparable(ran.state)
    assert len([name for name in after if "counts" in name]) == len([n for n in before if "counts" in n]) + 6
    assert "pictures were analysed, 0 rows" in wayside(*asked, "--go")
    warehouse = Ingest(ran).warehouse
    rows = [warehouse.read(RUNS, scope).to_pylist()[0] for scope in warehouse.scopes(RUNS, [SOURCE])]
    assert [(row["state"], row["images"], row["why"]) for row in sorted(rows, key=lambda row: row["run"])] == [
        ("done", STILLS, "a trial"),
        ("done", 0, None),
    ]
    assert f"{SOURCE}: {STILLS} pictures were analysed, 0 rows" in wayside(*asked, "--mode", "all", "--go")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backfill", "--first", "2026-06-17", "--last", "2026-06-16"], "--first lies after --last"),
        (["reprocess", "--first", "16 June"], "does not match the format"),
        (["reprocess"], "Missing option"),
    ],
)
@pytest.mark.usefixtures("state")
def test_wrong_usage(arguments: list[str], says: str):
    answer = runner.invoke(main._commands, arguments, env={"COLUMNS": "200"})
    assert answer.exit_code == 2
    assert says in answer.output
