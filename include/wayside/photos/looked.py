"""The journal of an evaluation: one line of JSON for each picture that was looked at, so that a stop costs little."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def kept(journal: Path) -> dict[int, Row]:
    """Return the rows of a journal by `picture`, the last of each; a line that a kill cut off is none."""
    rows: dict[int, Row] = {}
    if journal.is_file():
        with journal.open("rb") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                    rows[row["picture"]] = row
                except (ValueError, KeyError, TypeError):
                    continue
    return rows


class Appended:
    """Append rows to a journal; each goes in whole, so that two runs at a time do not mix their lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        # The first line begins anew where a kill cut off the one before.
        self._before = b"\n" if os.fstat(self._file).st_size else b""

    def __enter__(self) -> Callable[[Row], None]:
        return self._append

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _append(self, row: Row) -> None:
        data = self._before + json.dumps(row, separators=(",", ":")).encode() + b"\n"
        self._before = b""
        while data:
            data = data[os.write(self._file, data) :]
