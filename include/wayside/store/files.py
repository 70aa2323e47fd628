"""Files that are there whole or not at all, and what is said when the disk refuses."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wayside.core.errors import StoreError, StoreFullError

TEMPORARY = ".new-"
_TRIES = 20


@contextlib.contextmanager
def written(path: Path, data: bytes) -> Iterator[Path]:
    """Give a file beside `path` that holds `data`, flushed to the disk; it is gone afterwards unless it was moved.

    Its mode is that of any new file of this process, so that whoever may read the folder may read it.

    Raises:
        StoreFullError: no space is left.
        StoreError: it cannot be written, or what the caller does with it fails.
    """
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        try:
            with _opened(temporary) as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise refused(error, path) from error


def _opened(path: Path) -> BinaryIO:
    """Open a new file, making its folder; once more where somebody removes the empty folder just then."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb")
    raise FileNotFoundError(errno.ENOENT, "its folder vanishes each time that it is made", str(path))


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in place of `path` in one step, durable before it is seen."""
    with written(path, data) as new:
        new.replace(path)


def refused(error: OSError, path: Path) -> StoreError:
    """Say in our words what the disk refused."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFullError(
            f"no space left to write {path}: free some; set `keep_days` of the sources in sources.yaml, then run "
            "`wayside expire --apply` and `wayside tidy`"
        )
    return StoreError(f"cannot write or read {path}: {error.strerror}")
