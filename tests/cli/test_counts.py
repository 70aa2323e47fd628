"""`wayside ingest` and `wayside counts query`."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.peers.jamcams import START, JamCams, serving
from tests.stubs import pipeline
from tests.tables import count_rows
from typer.testing import CliRunner

from wayside.cli import main
from wayside.core.errors import WaysideError
from wayside.core.tables import COUNTS
from wayside.stills.ingest import Ingest
from wayside.stills.still import StillPipeline
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

PERIOD = ["--since", "2026-06-16T07:00:00", "--until", "2026-06-16T07:30:00"]
HINT = "; start it with `python -m wayside.sources.demo`, or `make up`"
runner = CliRunner()


def query(*arguments: str) -> str:
    answer = runner.invoke(main._commands, ["counts", "query", *arguments])
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def cameras(*arguments: str) -> list[tuple[str, str]]:
    return [(row["source"], row["camera"]) for row in json.loads(query("--format", "json", *arguments))]


@pytest.fixture
def warehouse(state: Path) -> ParquetWarehouse:
    """Two sources, two slots, two pipelines, two cameras each; one picture is missing."""
    filled = ParquetWarehouse(state / "warehouse")
    for source in ("City", "Town"):
        for slot in (START, START.next):
            for name in ("StubV1", "StubV2"):
                scope = Scope(source, slot, name)
                nothing = dict.fromkeys(("bus", "car", "cyclist", "motorcyclist", "person", "truck", "van"))
                rows = count_rows(scope, ["a"], car=3, cyclist=None)
                rows += count_rows(scope, ["b"], **nothing, missing=True, reason="http_404")
                filled.publish(COUNTS, scope, to_arrow(COUNTS, rows))
    return filled


@pytest.mark.usefixtures("warehouse")
def test_rows_as_json():
    rows = json.loads(query(*PERIOD, "--format", "json", "--source", "City", "--pipeline", "StubV1"))
    assert len(rows) == 4
    assert rows[0] == {
        "source": "City", "camera": "a", "slot": "2026-06-16T07:00:00+00:00", "pipeline": "StubV1", "bus": 0, "car": 3,
        "cyclist": None, "motorcyclist": 0, "person": 0, "truck": 0, "van": 0, "faulty": False, "missing": False,
        "reason": None,
    }  # fmt: skip
    assert (rows[2]["missing"], rows[2]["car"], rows[2]["reason"]) == (True, None, "http_404")


@pytest.mark.usefixtures("warehouse")
def test_rows_as_csv():
    rows = list(csv.DictReader(io.StringIO(query(*PERIOD, "--format", "csv", "--source", "City"))))
    assert len(rows) == 8
    assert rows[0]["slot"] == "2026-06-16T07:00:00+00:00"
    assert (rows[0]["car"], rows[0]["cyclist"], rows[0]["faulty"], rows[0]["reason"]) == ("3", "", "False", "")


@pytest.mark.usefixtures("warehouse")
def test_rows_as_a_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "250")
    lines = query(*PERIOD, "--source", "City", "--camera", "b").splitlines()
    assert [cell.strip() for cell in lines[1].split("┃")][1:5] == ["source", "camera", "slot", "pipeline"]
    assert sum("http_404" in line for line in lines) == 4


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (PERIOD, 16),
        ([*PERIOD, "--source", "City"], 8),
        ([*PERIOD, "--camera", "a"], 8),
        ([*PERIOD, "--pipeline", "StubV2"], 8),
        ([*PERIOD, "--pipeline", "StubV2", "--camera", "a", "--source", "Town"], 2),
        ([*PERIOD, "--limit", "3"], 3),
        ([*PERIOD, "--source", "Nowhere"], 0),
        ([*PERIOD, "--camera", "a' OR '1'='1"], 0),
        (["--since", "2026-06-16T07:10:00", "--until", "2026-06-16T07:30:00"], 8),
        (["--since", "2026-06-16T07:00:00", "--until", "2026-06-16T07:10:00"], 8),
        (["--since", "2026-06-15", "--until", "2026-06-18"], 16),
        (["--until", "2026-06-17T06:50:00"], 16),
        (["--until", "2026-06-17T07:05:00"], 8),
        (["--since", "2026-06-16T09:10:00+02:00", "--until", "2026-06-16T09:30:00+02:00"], 8),
    ],
)
def test_rows_are_kept_to_what_is_asked_for(arguments: list[str], number: int):
    found = cameras(*arguments)
    assert len(found) == number
    assert found == sorted(found)


def test_where_nothing_is_counted_yet_the_table_says_what_to_do(state: Path):
    assert "No counts there yet: run `wayside ingest`, or `make demo`" in query()
    assert json.loads(query("--format", "json")) == []
    assert query("--format", "csv").splitlines()[0].startswith("source,camera,slot,pipeline,bus,car")
    assert not state.exists()


def rows_and_note(*arguments: str) -> tuple[int, str]:
    """Return the number of rows as JSON, and what is said on the error stream."""
    answer = runner.invoke(main._commands, ["counts", "query", "--format", "json", *arguments])
    return len(json.loads(answer.stdout)), answer.stderr


def test_the_default_window_ends_with_the_newest_slot_of_what_is_asked(warehouse: ParquetWarehouse):
    assert rows_and_note() == (16, "from 2026-06-15 07:20 to 2026-06-16 07:20 UTC\n")
    scope = Scope("Town", START.shift(100), "StubV3")
    warehouse.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a"])))
    assert rows_and_note("--source", "City") == (8, "from 2026-06-15 07:20 to 2026-06-16 07:20 UTC\n")
    assert rows_and_note("--pipeline", "StubV3") == (1, "from 2026-06-15 23:50 to 2026-06-16 23:50 UTC\n")
    assert rows_and_note("--since", "2026-06-16T07:10") == (9, "from 2026-06-16 07:10 to 2026-06-16 23:50 UTC\n")
    assert rows_and_note("--since", "2030-01-01") == (0, "from 2030-01-01 00:00 to 2030-01-01 00:00 UTC\n")
    assert rows_and_note(*PERIOD) == (16, ""), "who gives the window needs not be told"


@pytest.mark.usefixtures("warehouse")
def test_only_a_table_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside.cli.counts._TABLE_ROWS", 5)
    monkeypatch.setenv("COLUMNS", "250")
    answer = runner.invoke(main._commands, ["counts", "query", *PERIOD])
    assert sum("StubV" in line for line in answer.stdout.splitlines()) == 5
    assert answer.stderr == "more rows: use --limit, or --format csv\n"
    whole = runner.invoke(main._commands, ["counts", "query", *PERIOD, "--limit", "16"])
    assert (sum("StubV" in line for line in whole.stdout.splitlines()), whole.stderr) == (16, "")
    assert rows_and_note(*PERIOD) == (16, "")
    assert len(query(*PERIOD, "--format", "csv").splitlines()) == 17


# Ingest


@pytest.fixture(scope="module")
def served() -> Iterator[JamCams]:
    with serving(8) as city:
        yield city


@pytest.fixture
def city(served: JamCams, state: Path, monkeypatch: pytest.MonkeyPatch) -> JamCams:
    """The city at its first slot, and a detector that answers at once."""
    served.slot, served.down = START, False
    monkeypatch.setenv("WAYSIDE_DEMO_URL", served.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(StillPipeline, "load", staticmethod(lambda name, _, chosen: pipeline(chosen, name=name)))

    def now() -> datetime:
        return served.slot.start + timedelta(seconds=20)

    monkeypatch.setattr("wayside.cli.counts.utc_now", now)
    monkeypatch.setattr("wayside.stills.ingest.Ingest", partial(Ingest, clock=now))
    return served


def ingest(*arguments: str) -> list[list[str]]:
    answer = runner.invoke(main._commands, ["ingest", *arguments])
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in answer.stdout.splitlines() if "│" in line]


def test_ingest_takes_the_present_slot_and_counts_the_one_before(city: JamCams):
    told = ingest("--source", "Demo-city")
    assert told[-1] == ["Demo-city", "20260616T0700Z", "8", "4", "2", "2", "20260616T0650Z", "0", "0"]
    city.slot = START.next
    told = ingest("--source", "Demo-city", "--pipeline", "WaysideV1")
    assert told[-1] == ["Demo-city", "20260616T0710Z", "8", "4", "2", "2", "20260616T0700Z", "4", "0"]
    rows = json.loads(query(*PERIOD, "--format", "json"))
    assert {(row["pipeline"], row["slot"]) for row in rows} == {("WaysideV1", "2026-06-16T07:00:00+00:00")}
    assert [row["missing"] for row in rows].count(True) == 4


@pytest.mark.usefixtures("city")
def test_ingest_may_be_told_the_slot():
    told = ingest("--source", "Demo-city", "--slot", "2026-06-16T08:00+02:00")
    assert told[-1] == ["Demo-city", "20260616T0600Z", "8", "0", "8", "0", "20260616T0550Z", "0", "0"]


def test_a_source_that_fails_is_told_and_stops_no_other(city: JamCams):
    """The demo's second source speaks another form, which this peer does not."""
    answer = runner.invoke(main._commands, ["ingest"])
    assert "Demo-city" in answer.stdout
    assert "Demo-observatory" not in answer.stdout
    assert (answer.exit_code, type(answer.exception)) == (1, WaysideError)
    assert str(answer.exception).startswith("source Demo-observatory did not answer: ")
    assert "wayside.sources.demo" not in str(answer.exception), "somebody is at home there"


@pytest.mark.usefixtures("city")
def test_where_nobody_listens_ingest_says_how_to_start_the_city(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_DEMO_URL", "http://127.0.0.1:9")
    answer = runner.invoke(main._commands, ["ingest", "--source", "Demo-city"])
    assert answer.exit_code == 1
    assert str(answer.exception).endswith(HINT)


def test_the_same_where_the_list_is_known_from_before(city: JamCams, monkeypatch: pytest.MonkeyPatch):
    ingest("--source", "Demo-city")
    city.slot = START.next
    monkeypatch.setenv("WAYSIDE_DEMO_URL", "http://127.0.0.1:9")
    answer = runner.invoke(main._commands, ["ingest", "--source", "Demo-city"])
    assert answer.exit_code == 0
    assert f"nothing of Demo-city could be fetched{HINT}\n" in answer.stderr
