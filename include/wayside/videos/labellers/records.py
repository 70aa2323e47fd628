"""What the video importer's shelve was to hooks: a mapping from the SHA-1 of a file to its record, with `sync`.

One file a record, so that several workers may write at once. As with a shelve, what is read is a copy: a change holds
once it is put back.
"""

import json
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final

from wayside.store.files import replace_file

Record = dict[str, Any]

_KEY: Final = re.compile(r"[0-9a-f]{40}")


class Records(MutableMapping[str, Record]):
    """The records below a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __getitem__(self, key: str) -> Record:
        found = self._read(key)
        if found is None:
            raise KeyError(key)
        record: Record = found["record"]
        return record

    def __setitem__(self, key: str, record: Record) -> None:
        found = self._read(key)
        self.put(key, record, found["run"] if found else "")

    def __delitem__(self, key: str) -> None:
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self._root.glob("*/*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def sync(self) -> None:
        """Do nothing: a record is on the disk once it is put."""

    def close(self) -> None:
        """Do nothing, likewise."""

    def put(self, key: str, record: Record, run: str) -> None:
        """Put a record in place of another, for a run."""
        replace_file(self._path(key), json.dumps({"run": run, "record": record}).encode())

    def of_run(self, run: str) -> Iterator[Record]:
        """Yield the records that a run put last, by key."""
        for key in self:
            found = self._read(key)
            if found is not None and found["run"] == run:
                yield found["record"]

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._path(key).read_bytes())
        except (FileNotFoundError, KeyError):
            return None
        return found

    def _path(self, key: str) -> Path:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise KeyError(key)
        return self._root / key[:2] / f"{key}.json"
