"""Child processes that never outlive us: started in sessions of their own, watched, and stopped down to the last one.

Airflow's components start workers, and these start tasks in process groups of their own; what holds all of them
together is the session. A component is first asked to stop, then all that it started, and what is left is killed.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Part:
    """One component: its name, its process, which leads a session, and the file with what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> "Part":
        """Start `command`, its output going to the file `log`, which starts anew."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603
                command,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_stop_with_parent if sys.platform == "linux" else None,
            )
        return cls(name, process, log)

    @property
    def alive(self) -> bool:
        """Whether the component itself still runs."""
        return self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        """Return the end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def members(self) -> list[int]:
        """Return every process of its session, itself included."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # After the name in brackets: state, parent, process group, session.
                fields = stat.read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(stat.parent.name))
        return found

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the session."""
        for pid in self.members():
            _kill(pid, number)
        if self.alive:
            _kill(self.process.pid, number)

    @property
    def gone(self) -> bool:
        """Whether neither the component nor anything that it started is left."""
        return not self.alive and not self.members()


def stop(parts: Sequence[Part], patience: float = 10.0) -> None:
    """Stop components side by side: ask each politely, then all that they started, and kill what is left."""
    for part in parts:
        if part.alive:
            _kill(part.process.pid, signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _wait_until_gone(parts, patience):
            return
        for part in parts:
            part.signal_all(number)
    _wait_until_gone(parts, patience)


def kill(parts: Sequence[Part]) -> None:
    """End components and all that they started, at once."""
    for part in parts:
        part.signal_all(signal.SIGKILL)


def _wait_until_gone(parts: Sequence[Part], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not all(part.gone for part in parts):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _stop_with_parent() -> None:
    """Let the kernel stop this process if its parent dies without a chance to do so itself."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
