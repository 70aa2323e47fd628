"""Kill a back-fill or a reprocessing anywhere and run it again, or run two at once: the tables are the same."""

import signal
from pathlib import Path
from typing import Any

import pytest
from tests.peers.late_city import serving
from tests.processes import run_script
from tests.stills.late_runs import AFTER, LAST, SLOTS, comparable, live
from tests.stills.published import visible

from wayside.core.settings import Settings

CAMERAS, KILLS = 4, 6


@pytest.mark.parametrize(("what", "seed", "least"), [("late", 20260616, 200), ("reprocess", 20260617, 100)])
def test_killed_and_raced_runs_end_with_the_tables_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, seed: int, least: int
):
    with serving(CAMERAS, [*SLOTS, LAST]) as city:
        monkeypatch.setenv("WAYSIDE_DEMO_URL", city.peer.url)
        city.delay_some(SLOTS[2:], 0.4, seed=seed)
        live(Settings(state=tmp_path / "state", fetch_backoff=0.001, workers=2, device="cpu", _env_file=None), city)
        city.now = AFTER
        told = run_script("tests.stills.killed_late", what, tmp_path, city.peer.url, seed, KILLS)
    assert told["steps"] > least
    assert told["raced"] == [0, 0]
    for killed, finished in told["ended"]:
        assert killed == -signal.SIGKILL
        assert finished > 0
    base, expected = comparable(tmp_path / "base"), seen(tmp_path / "undisturbed")
    assert expected != seen(tmp_path / "base")
    assert len(expected) > len(base)
    for name in (*told["instants"], "race"):
        assert seen(tmp_path / str(name)) == expected, f"killed before step {name}"


def seen(state: Path) -> dict[str, Any]:
    """Tables, and the names of all pictures and tables; what is staged depends on who was there first."""
    files: dict[str, Any] = dict.fromkeys(name for name in visible(state) if not name.startswith("warehouse/staging"))
    return files | comparable(state, rolled=True)
