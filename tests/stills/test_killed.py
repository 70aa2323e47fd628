"""Kill a run anywhere and run it again: the tables are those of a run that nobody disturbed."""

import signal
from pathlib import Path

from tests.peers.jamcams import serving
from tests.processes import run_script
from tests.stills.published import tables, visible

KILLS, SEED = 10, 20260616


def test_ten_killed_runs_end_with_the_tables_of_an_undisturbed_one(tmp_path: Path):
    with serving(cameras=14) as city:
        told = run_script("tests.stills.killed_run", tmp_path, city.url, SEED, KILLS)
    assert told["steps"] > 300
    assert len(set(told["instants"])) == KILLS
    for killed, finished in told["ended"]:
        assert killed == -signal.SIGKILL
        assert finished > 0
    undisturbed = tmp_path / "undisturbed"
    expected, files = tables(undisturbed), visible(undisturbed)
    assert sum(rows.num_rows for name, rows in expected.items() if name.startswith("counts")) == 28
    for instant in told["instants"]:
        state = tmp_path / str(instant)
        assert visible(state) == files, f"killed before step {instant}"
        assert tables(state) == expected, f"killed before step {instant}"
