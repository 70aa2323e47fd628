"""Kill a batch anywhere and start it again: the files and rows are those of a batch that nobody disturbed."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.photos.inbox import files
from tests.processes import run_script

from wayside.core.settings import Settings
from wayside.core.tables import RECEIPTS, ROAD_PHOTOS
from wayside.privacy.receipts import verify_chain
from wayside.warehouse.parquet import open_lake

KILLS, SEED = 10, 20260616
# The suite has no time for more; KILLED_PICTURES=200 is the size that we promise.
PICTURES = int(os.environ.get("KILLED_PICTURES", "28"))


def table(folder: Path, which: Any) -> list[dict[str, Any]]:
    lake = open_lake(Settings(state=folder / "state", _env_file=None))
    rows = [row for scope in lake.scopes(which) for row in lake.read(which, scope).to_pylist()]
    text = json.dumps(sorted(rows, key=lambda row: row["photo"]), default=str)
    return json.loads(text.replace(str(folder), "FOLDER"))


def comparable(folder: Path) -> dict[str, bytes]:
    """What was made, without the folder that the records of pictures without road data name."""
    inbox = str(folder / "in").encode()
    return {name: data.replace(inbox, b"INBOX") for name, data in files(folder / "out").items()}


def receipts(folder: Path) -> list[dict[str, Any]]:
    """Receipts without what depends on their order, which a killed run may change."""
    chained = {"ordinal", "previous_sha256", "link_sha256", "receipt_sha256"}
    return [{name: value for name, value in row.items() if name not in chained} for row in table(folder, RECEIPTS)]


def test_ten_killed_batches_end_with_the_files_and_rows_of_an_undisturbed_one(tmp_path: Path):
    told = run_script("tests.photos.killed_batch", tmp_path, SEED, KILLS, PICTURES, timeout=600)
    assert told["steps"] > 5 * PICTURES
    assert len(set(told["instants"])) == KILLS
    undisturbed = tmp_path / "undisturbed"
    made, archived = comparable(undisturbed), files(undisturbed / "arc")
    rows, chain = table(undisturbed, ROAD_PHOTOS), receipts(undisturbed)
    assert (len(made), len(archived), len(rows), len(chain)) == (3 * PICTURES, PICTURES, PICTURES, PICTURES)
    for instant, (killed, finished) in zip(told["instants"], told["ended"], strict=True):
        folder = tmp_path / f"step_{instant}"
        assert killed == -signal.SIGKILL
        assert finished >= 0
        assert files(folder / "in") == {}, f"killed before step {instant}"
        assert comparable(folder) == made, f"killed before step {instant}"
        assert files(folder / "arc") == archived, f"killed before step {instant}"
        assert table(folder, ROAD_PHOTOS) == rows, f"killed before step {instant}"
        assert receipts(folder) == chain, f"killed before step {instant}"
        lake = open_lake(Settings(state=folder / "state", _env_file=None))
        chained = [row for scope in lake.scopes(RECEIPTS) for row in lake.read(RECEIPTS, scope).to_pylist()]
        assert verify_chain(chained) == []
