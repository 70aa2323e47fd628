"""Tidying up: what runs leave behind and nobody needs any more is removed once it is old enough.

Nothing here is part of a table. Each function returns how many files it removed and how many bytes they had, may be
run at any time beside everything else, and finds less to do when it is run twice.
"""

import contextlib
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from wayside.core.errors import ConfigError
from wayside.core.tables import RUNS
from wayside.store.files import TEMPORARY
from wayside.warehouse import sql
from wayside.warehouse.layout import LOCK, drop_lasting, locked
from wayside.warehouse.parquet import ParquetWarehouse

STAGED_DAYS: Final = 2
# A run that failed or was killed may be taken up again for as long; what it has done so far counts on.
_RUN_DAYS: Final = 30
_LATEST: Final = "-latest.json"
# The plan of one slot; every other document is about a run, or about a day of one.
_OF_SLOT: Final = re.compile(r"[0-9]{8}T[0-9]{4}Z-[0-9a-f]+\.json")
_NAMED_BY_RUN: Final = ("tasks-", "reprocess-")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Removed:
    """How many files were removed, and how many bytes they had."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.files + other.files, self.bytes + other.bytes)

    def __str__(self) -> str:
        """Write it for people: `12 files, 3.4 MB`."""
        return f"{self.files} files, {self.bytes / 1e6:.1f} MB"


def prune_staging(warehouse: ParquetWarehouse, now: datetime, days: int = STAGED_DAYS) -> Removed:
    """Remove staged parts and plans that are older than `days`.

    Parts of one plan go together, once the youngest is old. The latest lists of cameras stay, and so do the documents
    of runs: their numbers for as long as the run is not finished, what they are to do and have done for 30 days more.
    """
    root, limit = warehouse.root / "staging", (now - days * _DAY).timestamp()
    of_runs = (now - max(days, _RUN_DAYS) * _DAY).timestamp()
    going_on = _going_on(warehouse, now)
    removed = Removed()
    for folder, files in _folders(root):
        if folder == root / "plans":
            done = [path for path in files if not path.name.endswith(_LATEST) and not _belongs(path, going_on)]
            removed += _remove(path for path in done if _changed(path) < (limit if _is_short(path) else of_runs))
        elif files and max(map(_changed, files)) < limit:
            removed += _remove(files)
            _remove_empty(folder, root)
    return removed


def prune_lasting(warehouse: ParquetWarehouse, now: datetime) -> Removed:
    """Remove the lasting names of files that were replaced or compacted, and what killed publications left."""
    root, limit = warehouse.root / "published", (now - _DAY).timestamp()
    removed = Removed()
    for folder, files in _folders(root):
        hidden = [path for path in files if path.name.startswith(".") and path.name != LOCK]
        halves = [path for path in hidden if path.name.startswith(TEMPORARY)]
        removed += _remove(path for path in halves if _changed(path) < limit)
        freed = [drop_lasting(path) for path in hidden if path not in halves]
        removed += Removed(sum(size is not None for size in freed), sum(size or 0 for size in freed))
        if folder.name.startswith("day=") and not any(folder.iterdir()):
            with locked(folder.parent), contextlib.suppress(OSError):  # somebody publishes there just now
                folder.rmdir()
    return removed


def prune_outbox(warehouse: ParquetWarehouse, now: datetime, days: int = STAGED_DAYS) -> Removed:
    """Remove batches that are not open, which a crash left, and halves of files. Marks and open batches stay."""
    root, limit = warehouse.outbox.root, (now - days * _DAY).timestamp()
    removed = Removed()
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):  # also of tables that are made of ours
        try:
            is_open = {json.loads((folder / "open.json").read_bytes())["file"]}
        except FileNotFoundError:
            is_open = set()
        batches = [path for path in folder.glob("batch-*.parquet") if path.name not in is_open]
        removed += _remove(path for path in batches if _changed(path) < limit)
    for _, files in _folders(root):
        removed += _remove(path for path in files if path.name.startswith(TEMPORARY) and _changed(path) < limit)
    return removed


def prune_logs(folder: Path, now: datetime, days: int) -> Removed:
    """Remove log files below a folder that were last written more than `days` ago, and folders that this empties.

    A log file has `.log` in its name; other files and links stay.

    Raises:
        ConfigError: `days` is less than 1.
    """
    if days < 1:
        raise ConfigError(f"logs are kept for one day at least, not for {days}")
    root, limit = folder.absolute(), (now - days * _DAY).timestamp()
    removed = Removed()
    for place, files in _folders(root):
        old = [path for path in files if ".log" in path.name and _changed(path) < limit]
        removed += _remove(old)
        if old:
            _remove_empty(place, root)
    return removed


def _going_on(warehouse: ParquetWarehouse, now: datetime) -> set[str]:
    """Return how the documents of runs begin that are at work, or were not long ago and may be taken up again."""
    with warehouse.connect(tables=[RUNS.name]) as connection:
        rows = sql.ask(connection, "stills/runs_not_over", {"since": now - _RUN_DAYS * _DAY})
    named = {f"{start}{row['run']}.json" for row in rows for start in _NAMED_BY_RUN}
    return named | {f"run-{row['run']}.{row['source']}." for row in rows}


def _belongs(path: Path, going_on: Collection[str]) -> bool:
    return any(path.name.startswith(start) for start in going_on)


def _is_short(path: Path) -> bool:
    """Tell whether a document is of use for a few days only: the plan of a slot, the numbers of a run, half a file."""
    return bool(_OF_SLOT.search(path.name)) or path.name.startswith(("run-", TEMPORARY))


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield every folder below `root`, the deepest first, with its regular files; links are not followed."""
    for place, _, names in os.walk(root, topdown=False):
        folder = Path(place)
        paths = (folder / name for name in names)
        yield folder, [path for path in paths if path.is_file() and not path.is_symlink()]


def _changed(path: Path) -> float:
    """Return when a file was last written; one that is gone by now counts as new."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(paths: Iterator[Path] | Collection[Path]) -> Removed:
    removed = Removed()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # somebody else tidies up as well
            size = path.stat().st_size
            path.unlink()
            removed += Removed(1, size)
    return removed


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder and those above it, up to `root`, as far as they are empty."""
    with contextlib.suppress(OSError):  # not empty
        while folder != root:
            folder.rmdir()
            folder = folder.parent
