"""Deliveries to Oracle that are killed at any instant and done again end with the table of an undisturbed one."""

from pathlib import Path

import pytest
from tests.peers import h2
from tests.processes import run_script

SEED, KILLS = 20260501, 10


def test_ten_killed_deliveries_end_with_the_table_of_an_undisturbed_one(tmp_path: Path):
    if reason := h2.missing():
        pytest.skip(reason)
    told = run_script("tests.warehouse.oracle.killed_delivery", tmp_path, SEED, KILLS, timeout=260)
    assert told["steps"] > 60
    assert told["killed"] == [-9] * KILLS
    undisturbed, *others = told["told"]
    assert undisturbed["rows"] == [
        *(["2026-05-01 08:00:00+00:00", f"c{place}", 2] for place in range(5)),
        *(["2026-05-01 08:20:00+00:00", f"c{place}", 2] for place in range(2)),
    ]
    assert (undisturbed["staged"], undisturbed["waiting"]) == (0, 0)
    assert others == [undisturbed] * KILLS
