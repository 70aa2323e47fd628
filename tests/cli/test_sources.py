"""`wayside sources list|check` and `wayside fetch`, against a peer."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.peers.pictures import Peer, jpeg, running
from tests.sources.support import place
from typer.testing import CliRunner

from wayside.cli import sources
from wayside.core.errors import ConfigError, SourceError
from wayside.core.settings import Settings
from wayside.core.slots import Slot

app = typer.Typer()
app.add_typer(sources.app, name="sources")
app.command("fetch")(sources.fetch)
runner = CliRunner()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running() as peer:
        for number in range(3):
            peer.picture(f"/c{number}.jpg", jpeg(seed=number))
        places = [place(f"c{number}", f"{peer.url}/c{number}.jpg") for number in range(4)]
        peer.json("/list", places)
        yield peer


@pytest.fixture(autouse=True)
def settings(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    config = tmp_path / "include" / "config"
    config.mkdir(parents=True)
    (config / "sources.yaml").write_text(
        f"""
        sources:
          Good: {{kind: tfl, url: '{peer.url}/list', allow_loopback: true, enabled: true, attribution: Us}}
          Bad: {{kind: tfl, url: '{peer.url}/none', allow_loopback: true}}
          Down: {{kind: tfl, url: 'http://127.0.0.1:9/list', allow_loopback: true}}
          Empty: {{kind: tfl, url: '{peer.url}/list', allow_loopback: true, cameras: [c3, '7']}}
        """
    )
    chosen = Settings(home=tmp_path, fetch_backoff=0.001, _env_file=None)
    monkeypatch.setattr(sources, "settings", lambda: chosen)
    monkeypatch.setenv("COLUMNS", "200")
    return chosen


def test_list() -> None:
    result = runner.invoke(app, ["sources", "list"])
    assert result.exit_code == 0
    assert [line for line in result.output.splitlines() if "Good" in line and "tfl" in line and "yes" in line]


def test_list_as_json() -> None:
    listed = json.loads(runner.invoke(app, ["sources", "list", "--json"]).output)
    assert [spec["id"] for spec in listed] == ["Good", "Bad", "Down", "Empty"]
    assert listed[0]["enabled"] is True


def test_check_all_that_are_enabled() -> None:
    result = runner.invoke(app, ["sources", "check"])
    assert result.exit_code == 0
    assert "Good: ok" in result.output
    assert "4 cameras listed" in result.output
    assert "sample c0: 352 x 288 pixels" in result.output
    assert "Bad" not in result.output


def test_check_one_that_fails() -> None:
    result = runner.invoke(app, ["sources", "check", "Bad"])
    assert result.exit_code == 1
    assert "Bad: not usable" in result.output
    assert "answered 404" in result.output


def test_check_as_json_with_warnings() -> None:
    result = runner.invoke(app, ["sources", "check", "Empty", "--json"])
    (report,) = json.loads(result.output)
    assert result.exit_code == 1
    assert (report["ok"], report["reasons"]) == (False, {"not_listed": 1})


def test_check_says_what_is_odd(peer: Peer) -> None:
    peer.picture("/c3.jpg", jpeg())
    result = runner.invoke(app, ["sources", "check", "Empty"])
    del peer.routes["/c3.jpg"]
    assert result.exit_code == 0
    assert "1 offer nothing now: not_listed" in result.output
    assert "no `attribution`" in result.output


HINT = "start it with `python -m wayside.sources.demo`, or `make up`"


def test_where_nobody_listens_the_way_to_start_the_city_is_told() -> None:
    assert HINT in runner.invoke(app, ["sources", "check", "Down"]).output
    fetched = runner.invoke(app, ["fetch", "--source", "Down"])
    assert isinstance(fetched.exception, SourceError)
    assert HINT in str(fetched.exception)
    assert HINT not in runner.invoke(app, ["sources", "check", "Bad"]).output


def test_an_unknown_source_is_named() -> None:
    assert isinstance(runner.invoke(app, ["sources", "check", "Nobody"]).exception, ConfigError)


def test_fetch(settings: Settings) -> None:
    result = runner.invoke(app, ["fetch", "--source", "Good"])
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if "http_404" in line]
    assert len(lines) == 1
    assert "missing" in lines[0]
    assert len(list(settings.pictures.rglob("c?.jpg"))) == 3


def test_fetch_some_as_json() -> None:
    result = runner.invoke(app, ["fetch", "--source", "Good", "--limit", "2", "--json"])
    rows = json.loads(result.stdout)
    assert [(row["camera"], row["status"]) for row in rows] == [("c0", "ok"), ("c1", "ok")]
    assert Slot.parse(rows[0]["slot"])


def test_fetch_of_another_slot_has_nothing() -> None:
    result = runner.invoke(app, ["fetch", "--source", "Good", "--slot", "20200501T0050Z"])
    assert result.exit_code == 1
    assert "no_history" in result.output
