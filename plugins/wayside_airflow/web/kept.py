"""Answers that are kept for as long as the files that they were read from stay the same.

A key holds the identity of every file behind an answer, looked up anew at each request. So nobody is shown an answer
that is out of date: whatever is published, replaced or deleted changes the key.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
Identity = tuple[str, int, int, int]


class Kept(Generic[Answer]):
    """The answers that were asked for last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """Return the answer of `key`, made if it is not kept; two that ask at once may both make it."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        made = make()
        with self._lock:
            self._answers[key] = made
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)
        return made

    def forget(self, key: Hashable) -> None:
        """Forget one answer."""
        with self._lock:
            self._answers.pop(key, None)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()


def identities(files: Iterable[str]) -> tuple[Identity, ...]:
    """Return what tells files from any others that may come to have their names.

    Raises:
        FileNotFoundError: one has gone since it was listed.
    """
    return tuple(_identity(name) for name in files)


def _identity(name: str) -> Identity:
    status = Path(name).stat()
    return name, status.st_ino, status.st_mtime_ns, status.st_size
