"""What imports leave behind and nobody needs after some weeks: pictures and cuts of events, halves of files.

Events, labels and verdicts stay: they are in tables. Where pictures are gone, and a run is to label events anew, it
cuts their videos again. What would go is told first, and exactly that is removed, as far as it has not changed since.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from wayside.core.settings import Settings
from wayside.store.files import TEMPORARY
from wayside.videos.labellers.opened import callbacks_of

#: Folders of a source whose files go, with what they hold for people.
EXPIRING: Final = {"covers": "pictures of events", "cuts": "cuts of events"}

_HALF: Final = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{16}}")
_HALVES: Final = "halves of files"
_CALLBACK_DAYS: Final = 30  # the longest that anybody waits for an answer, and then some
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Old:
    """A file that is to go: where it lies, what it is, its size, and when it was written last (nanoseconds)."""

    path: Path
    what: str
    bytes: int
    written_ns: int


@dataclass(frozen=True)
class Tidied:
    """What was removed, or would be: files and bytes by what they were."""

    files: Mapping[str, int]
    bytes: Mapping[str, int]

    def __str__(self) -> str:
        """Write it for people: `12 pictures of events (3.4 MB)`."""
        said = (f"{number} {what} ({self.bytes[what] / 1e6:.1f} MB)" for what, number in self.files.items())
        return ", ".join(said) or "nothing"


def plan(settings: Settings, now: datetime, days: int | None = None) -> list[Old]:
    """Return what is old enough to go; nothing is changed.

    Args:
        settings: where things lie, and for how many days pictures are kept.
        now: the time.
        days: days for which pictures and cuts are kept, in place of `covers_days`.
    """
    limit_ns = _ns(now - (settings.covers_days if days is None else days) * _DAY)
    halves_ns = _ns(now - _DAY)
    found = []
    for source in _folders(settings.state / "videos"):
        for old in _files(source):
            kind = old.path.relative_to(source).parts[0]
            if _HALF.fullmatch(old.path.name):
                if old.written_ns < halves_ns:
                    found.append(Old(old.path, _HALVES, old.bytes, old.written_ns))
            elif kind in EXPIRING and old.written_ns < limit_ns:
                found.append(Old(old.path, EXPIRING[kind], old.bytes, old.written_ns))
    return found


def counted(old: Sequence[Old]) -> Tidied:
    """Add up files by what they are."""
    files, sizes = Counter[str](), Counter[str]()
    for one in old:
        files[one.what] += 1
        sizes[one.what] += one.bytes
    return Tidied(dict(sorted(files.items())), dict(sizes))


def carry_out(settings: Settings, old: Sequence[Old], now: datetime) -> Tidied:
    """Remove what was planned, but for what was written anew meanwhile; forget asks that nobody waits for any more.

    Returns:
        What was removed.
    """
    removed = [one for one in old if _remove(one, settings.state / "videos")]
    gone = callbacks_of(settings).sweep(now - _CALLBACK_DAYS * _DAY)
    done = counted(removed)
    if not gone:
        return done
    what = "asks of label services"
    return Tidied({**done.files, what: gone}, {**done.bytes, what: 0})


def _remove(one: Old, root: Path) -> bool:
    try:
        if one.path.stat().st_mtime_ns != one.written_ns:
            return False
        one.path.unlink()
    except FileNotFoundError:
        return False
    folder = one.path.parent
    with contextlib.suppress(OSError):  # it holds something, or is gone
        while folder.parent.parent != root:  # the folders of a source stay
            folder.rmdir()
            folder = folder.parent
    return True


def _folders(root: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return


def _files(root: Path) -> Iterator[Old]:
    """Yield the regular files below a folder; links are not followed."""
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                status = path.lstat()
                if path.is_file() and not path.is_symlink():
                    yield Old(path, "", status.st_size, status.st_mtime_ns)


def _ns(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000_000)
