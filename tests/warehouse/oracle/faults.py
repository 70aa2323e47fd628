"""Connections that fail when they are told to: the n-th call of all sessions raises an error of Oracle.

A call is what goes to the server: connecting, executing, loading, committing. With a code that stands for a lost
session the session is ended as well, before the call or, with `after`, when it is done and its answer is lost.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import oracledb
from tests.peers.h2 import error

LOST = frozenset({3113, 3114, "DPY-4011"})


class Faults:
    """Stands in for `connect`; `calls` tells what was called, in order."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._fault: tuple[int, int | str, bool] | None = None
        self.calls: list[str] = []

    def at(self, call: int, code: int | str, *, after: bool = False) -> None:
        """Fail at the given call from now on, the next being 1."""
        self.calls.clear()
        self._fault = (call, code, after)

    def __call__(self) -> "Session":
        return Session(self.call("connect", None, self._connect), self)

    def call(self, name: str, session: "Session | None", work: Callable[[], Any]) -> Any:
        self.calls.append(name)
        number, code, after = self._fault or (0, 0, False)
        if len(self.calls) != number:
            return work()
        self._fault = None
        done = work() if after else None
        if session and code in LOST:
            session.lose()
        del done
        raise error(code)


class Session:
    """A connection whose calls are counted."""

    def __init__(self, real: Any, faults: Faults) -> None:
        self._real, self._faults = real, faults

    def lose(self) -> None:
        with suppress(oracledb.Error):
            self._real.rollback()
            self._real.close()

    def commit(self) -> None:
        self._faults.call("commit", self, self._real.commit)

    def direct_path_load(self, *arguments: Any, **more: Any) -> None:
        self._faults.call("direct_path_load", self, lambda: self._real.direct_path_load(*arguments, **more))

    def cursor(self) -> "Cursor":
        return Cursor(self, self._real.cursor(), self._faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Cursor:
    """A cursor whose calls are counted."""

    def __init__(self, session: Session, real: Any, faults: Faults) -> None:
        self._session, self._real, self._faults = session, real, faults

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(oracledb.Error):
            self._real.close()

    @property
    def connection(self) -> Session:
        return self._session

    def execute(self, statement: str, *arguments: Any) -> None:
        self._faults.call(statement, self._session, lambda: self._real.execute(statement, *arguments))

    def executemany(self, statement: str, *arguments: Any, **more: Any) -> None:
        self._faults.call(statement, self._session, lambda: self._real.executemany(statement, *arguments, **more))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
