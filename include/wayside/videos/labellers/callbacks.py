"""What was asked of a label service and what came back, on disk, so that it survives whoever asked.

    callbacks/asked/<source>/<ev>/<event>.json               what was asked last: round, by whom, of whom, until when
    callbacks/tokens/<ab>/<SHA-256 of the token>.json        which event a token is for, until when
    callbacks/outcomes/<source>/<ev>/<event>.<round>.json    what it came to
    callbacks/outcomes/<source>/<ev>/<event>.<round>.late    an answer came, and too late
    callbacks/waits/<name>.json                              events that somebody waits for

A token is told to the service and to nobody else; what lies here is its hash. An outcome is linked into place, so that
it is written once, by whoever comes first: the service's answer, or the task that gives up at the deadline. Everything
else follows from files that are written whole, so that a task, the API server and the triggerer may each be killed
anywhere: a task that comes again finds what is under way.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from wayside.core.errors import InvalidIdentifierError
from wayside.core.ids import run_id, source_id
from wayside.store.files import refused, replace_file, written
from wayside.videos.labellers.answers import Answer
from wayside.videos.labellers.base import LabelOf
from wayside.warehouse.layout import locked

_EVENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TURNS: Final = 3
_KINDS: Final = ("tokens", "asked", "outcomes", "waits")

Verdict = Literal["taken", "again", "other", "late"]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)


class Ask(_File):
    """What was asked last about an event.

    Attributes:
        round: another name each time that the event is asked about anew.
        labeller: who was asked.
        run: on whose behalf.
        digest: hash of the pictures, so that an event with other pictures is asked about anew.
        state: `sending` until the service has taken the event.
        deadline: until when an answer counts; None while it is `sending`.
        pictures: times of the pictures.
    """

    source: str
    event: str
    round: str
    labeller: str
    run: str
    digest: str
    state: Literal["sending", "waiting"]
    deadline: AwareDatetime | None
    pictures: tuple[AwareDatetime, ...]


class Expected(_File):
    """What a token stands for."""

    source: str
    event: str
    round: str
    deadline: AwareDatetime
    pictures: tuple[AwareDatetime, ...]


class Outcome(_File):
    """What an ask came to: labels, or a `reason` why there are none."""

    at: AwareDatetime
    reason: str | None = None
    message: str = ""
    labels: tuple[LabelOf, ...] = ()
    sha256: str | None = None


_F = TypeVar("_F", bound=_File)


class Callbacks:
    """The books of all asks, below the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def turn(self, source: str, event: str) -> Iterator[None]:
        """Let one process at a time ask about an event; events share a few thousand locks."""
        name = hashlib.sha256(f"{source}/{event}".encode()).hexdigest()[:_TURNS]
        with locked(self.root / "turns" / name):
            yield

    def asked(self, source: str, event: str) -> Ask | None:
        """Return what was asked last about an event."""
        return _read(self._asked(source, event), Ask)

    def note(self, ask: Ask) -> None:
        """Note what is asked, in place of what was asked before."""
        replace_file(self._asked(ask.source, ask.event), ask.model_dump_json().encode())

    def outcome(self, ask: Ask | Expected) -> Outcome | None:
        """Return what an ask came to; None while that is open."""
        return _read(self._outcome(ask.source, ask.event, ask.round), Outcome)

    def close(self, ask: Ask | Expected, outcome: Outcome) -> Outcome:
        """Say what an ask came to, unless that was said before; return what holds."""
        path = self._outcome(ask.source, ask.event, ask.round)
        with written(path, outcome.model_dump_json().encode()) as new, contextlib.suppress(FileExistsError):
            os.link(new, path)
        return self.outcome(ask) or outcome

    @staticmethod
    def new_token() -> str:
        """Return a token that nobody can guess."""
        return secrets.token_urlsafe(_TOKEN_BYTES)

    @staticmethod
    def new_round() -> str:
        """Return a name for a round, other than that of any round before."""
        return secrets.token_hex(6)

    def expect(self, token: str, ask: Ask, deadline: datetime) -> None:
        """Take an answer under a token, until a deadline; a second call moves the deadline."""
        expected = Expected(
            source=ask.source, event=ask.event, round=ask.round, deadline=deadline, pictures=ask.pictures
        )
        replace_file(self._token(token), expected.model_dump_json().encode())

    def find(self, token: str) -> Expected | None:
        """Return what a token stands for; None for one that was never given out, or is forgotten."""
        return _read(self._token(token), Expected) if _TOKEN.fullmatch(token) else None

    def take(self, expected: Expected, answer: Answer, now: datetime) -> Verdict:
        """Take the answer of a service.

        Returns:
            `taken`; `again`: the same was said before; `other`: something else was said before; `late`: the deadline
            has passed, or the event failed meanwhile.
        """
        known = self.outcome(expected)
        if known is None and now < expected.deadline:
            reason = None if answer.error is None else "labeller_error"
            mine = Outcome(
                at=now, reason=reason, message=answer.error or "", labels=answer.labels, sha256=answer.sha256
            )
            known = self.close(expected, mine)
            if known == mine:
                return "taken"
        if known is not None and known.sha256 is not None:
            return "again" if known.sha256 == answer.sha256 else "other"
        replace_file(self._late(expected), b"")
        return "late"

    def is_late(self, ask: Ask) -> bool:
        """Tell whether an answer came after the deadline."""
        return self._late(ask).exists()

    def wait_for(self, name: str, asks: Sequence[Ask]) -> None:
        """Note under a name the events that somebody is going to wait for."""
        content = [[ask.source, ask.event, ask.round] for ask in asks]
        ends = [ask.deadline for ask in asks if ask.deadline is not None]
        end = max(ends).isoformat() if ends else None
        replace_file(self._wait(name), json.dumps({"deadline": end, "asks": content}).encode())

    def waiting(self, name: str) -> tuple[list[Path], datetime | None]:
        """Return the outcomes that a wait waits for, and until when; nothing if there is no such wait."""
        try:
            content: dict[str, Any] = json.loads(self._wait(name).read_bytes())
        except FileNotFoundError:
            return [], None
        except OSError as error:
            raise refused(error, self._wait(name)) from error
        end = content["deadline"]
        return [self._outcome(*ask) for ask in content["asks"]], datetime.fromisoformat(end) if end else None

    def sweep(self, before: datetime) -> int:
        """Forget what was last written before a time, longer ago than any deadline lasts; return how many files."""
        gone = 0
        for path in (one for kind in _KINDS for one in self.root.glob(f"{kind}/**/*")):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    gone += 1
        return gone

    def _asked(self, source: str, event: str) -> Path:
        return self.root / "asked" / source_id(source) / _checked(event)[:2] / f"{event}.json"

    def _outcome(self, source: str, event: str, name: str) -> Path:
        return self.root / "outcomes" / source_id(source) / _checked(event)[:2] / f"{event}.{name}.json"

    def _late(self, ask: Ask | Expected) -> Path:
        return self._outcome(ask.source, ask.event, ask.round).with_suffix(".late")

    def _token(self, token: str) -> Path:
        name = hashlib.sha256(token.encode()).hexdigest()
        return self.root / "tokens" / name[:2] / f"{name}.json"

    def _wait(self, name: str) -> Path:
        return self.root / "waits" / f"{run_id(name)}.json"


def _checked(event: str) -> str:
    if not _EVENT.fullmatch(event):
        raise InvalidIdentifierError(f"event {event!r} is not valid: letters, digits, '.', '_' and '-', at most 127")
    return event


def _read(path: Path, form: type[_F]) -> _F | None:
    """Read a file of ours; None if it is not there, or is not whole, which only a broken disk brings about."""
    try:
        return form.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    except OSError as error:
        raise refused(error, path) from error
