"""The documented label service: pictures go out with an address to answer to, labels come back when they are ready.

    labeller.begin(job, cameras)
    sent = [labeller.send(event) for event in events]
    name = labeller.wait_for("a-name", sent)         # then wait for it without a worker
    done = [labeller.collect(one.event) for one in sent]

All of it is written down by event, so that each call may be made again by a task that was killed: an event that is
under way or answered is not sent again. Only where the end comes between the first byte of a request and the note that
it was taken, nobody can know; then the event is sent once more, with the same `Idempotency-Key`, and the first answer
counts, to whichever of the addresses it comes.
"""

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from aiohttp.abc import AbstractResolver

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.videos.labellers.answers import image_time, read_answer
from wayside.videos.labellers.base import (
    AnswerError,
    EventPictures,
    LabelFailure,
    LabelJob,
    Labelled,
    Labeller,
    SegmentFile,
)
from wayside.videos.labellers.callbacks import Ask, Callbacks, Outcome
from wayside.videos.labellers.service import Reply, Service, SilentError, post

Sleep = Callable[[float], None]
Kind = Literal["rate_limited", "service_error", "unreachable"]

PAUSES: Final[dict[Kind, tuple[float, ...]]] = {
    "rate_limited": (30.0, 60.0, 120.0, 240.0),
    "service_error": (5.0, 30.0),
    "unreachable": (5.0, 30.0),
}
"""Seconds before each further try, by what went wrong."""

LONGEST_PAUSE: Final = 300.0
"""Most that a service can ask for in `Retry-After`."""

_POLL: Final = 5.0
_OWN_USER: Final = "wayside"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sent:
    """What became of an event that was to be sent: `waiting` for an answer, or `done`, well or badly."""

    event: str
    state: Literal["waiting", "done"]
    deadline: datetime | None


class HttpLabeller(Labeller):
    """Labels events through a service.

    Args:
        service: where it is.
        callbacks: the books.
        address: makes of a token the address to which the service answers; None: it has to answer at once.
        clock: tells the time.
        sleep: waits so many seconds.
        resolver: resolves names; by default the system's.
    """

    answers_later: ClassVar[bool] = True

    def __init__(
        self,
        service: Service,
        callbacks: Callbacks,
        *,
        address: Callable[[str], str] | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = service.name
        self._service = service
        self._callbacks = callbacks
        self._address = address
        self._clock = clock
        self._sleep = sleep
        self._resolver = resolver
        self._job: LabelJob | None = None
        self._weary: set[Kind] = set()

    @property
    def job(self) -> LabelJob:
        """The job; raise `ConfigError` before `begin`."""
        if self._job is None:
            raise ConfigError("the labeller does not know its job: call `begin` first")
        return self._job

    def begin(self, job: LabelJob, cameras: Sequence[str], videos: Sequence[SegmentFile] = ()) -> None:
        """Take note of the job; the service is not asked."""
        self._job = job

    def label(self, event: EventPictures) -> Labelled | LabelFailure:
        """Send one event and wait for its answer, in this process."""
        return next(self.label_all([event]))

    def label_all(self, events: Iterable[EventPictures]) -> Iterator[Labelled | LabelFailure]:
        """Send all events, then wait for their answers, in this process; yield each answer when it is there."""
        waiting: list[str] = []
        for event in events:
            self.send(event)
            yield from self._collected(waiting, [event.event])
        while waiting:
            self._sleep(_POLL)
            looked, waiting = waiting, []
            yield from self._collected(waiting, looked)

    def _collected(self, waiting: list[str], events: Iterable[str]) -> Iterator[Labelled | LabelFailure]:
        """Yield what is there; what is not goes to `waiting`."""
        for event in events:
            done = self.collect(event)
            if done is None:
                waiting.append(event)
            else:
                yield done

    def send(self, event: EventPictures) -> Sent:
        """Send an event to the service, unless it is under way or answered.

        Raises:
            ConfigError: the service lies where it may not be spoken to.
            StoreError: the books cannot be written.
        """
        with self._callbacks.turn(event.source, event.event):
            ask, is_open = self._ask(event)
            if not is_open:
                return Sent(event.event, "done", ask.deadline)
            if ask.state == "sending":
                ask = self._deliver(ask, event)
            done = self._callbacks.outcome(ask) is not None
        return Sent(event.event, "done" if done else "waiting", ask.deadline)

    def wait_for(self, name: str, sent: Iterable[Sent]) -> str | None:
        """Note what is waited for under a name, for a trigger; return the name, None if nothing is waited for."""
        asks = [self._callbacks.asked(self.job.source, one.event) for one in sent if one.state == "waiting"]
        if not asks:
            return None
        self._callbacks.wait_for(name, [ask for ask in asks if ask is not None])
        return name

    def collect(self, event: str) -> Labelled | LabelFailure | None:
        """Return what an event of the job came to; None while its answer may still come.

        After the deadline it is closed for good, and an answer that comes later is refused. An event that failed is
        sent anew when another run sends it.
        """
        ask = self._callbacks.asked(self.job.source, event)
        if ask is None:
            return None
        outcome = self._callbacks.outcome(ask)
        if outcome is None and ask.deadline is not None and self._clock() >= ask.deadline:
            outcome = self._close(ask, "no_answer", f"{self.name} did not answer in time")
        return None if outcome is None else self._told(ask, outcome)

    def _told(self, ask: Ask, outcome: Outcome) -> Labelled | LabelFailure:
        if outcome.reason is None:
            return Labelled(ask.event, ask.labeller, None, outcome.labels)
        if outcome.reason == "no_answer" and self._callbacks.is_late(ask):
            return LabelFailure(ask.event, "late", f"{ask.labeller} answered after the deadline, and was refused")
        return LabelFailure(ask.event, outcome.reason, outcome.message)

    def _ask(self, event: EventPictures) -> tuple[Ask, bool]:
        """Return the ask that holds for an event, a new one if need be, and whether its outcome is open."""
        known = self._callbacks.asked(event.source, event.event)
        digest = _digest(event)
        if known is not None and (known.labeller, known.digest) == (self.name, digest):
            mine = known.run == self.job.run
            outcome = self._callbacks.outcome(known)
            if outcome is None and (mine or known.deadline is None or self._clock() < known.deadline):
                return (known if mine else self._noted(known, run=self.job.run)), True
            if outcome is not None and (mine or (outcome.reason is None and not self.job.redo)):
                return known, False
        if known is not None:
            # Whoever answers now answers to a question that nobody asks any more.
            self._close(known, "no_answer", "it was asked about anew")
        ask = Ask(
            source=event.source,
            event=event.event,
            round=self._callbacks.new_round(),
            labeller=self.name,
            run=self.job.run,
            digest=digest,
            state="sending",
            deadline=None,
            pictures=tuple(picture.at for picture in event.pictures),
        )
        self._callbacks.note(ask)
        return ask, True

    def _close(self, ask: Ask, reason: str, message: str) -> Outcome:
        return self._callbacks.close(ask, Outcome(at=self._clock(), reason=reason, message=message))

    def _deliver(self, ask: Ask, event: EventPictures) -> Ask:
        """Post an event until the service takes it or it has failed; note which."""
        token = self._callbacks.new_token()
        body = self._payload(event, self._address(token) if self._address else None)
        key = hashlib.sha256(f"{ask.source}/{ask.event}/{ask.round}".encode()).hexdigest()
        pauses = {kind: iter(all_of) for kind, all_of in PAUSES.items()}
        while True:
            deadline = self._clock() + self._service.patience
            self._callbacks.expect(token, ask, deadline)
            reply, message = self._post(body, key)
            kind = _passing(reply)
            if kind is None and reply is not None:
                self._weary.clear()
                return self._taken(ask, reply, deadline)
            if kind is not None and not self._pause(kind, pauses[kind], reply):
                self._close(ask, kind, message)
                return ask

    def _post(self, body: bytes, key: str) -> tuple[Reply | None, str]:
        """Post once; return the reply, None if none came, and a text for people."""
        try:
            reply = post(self._service, body, key, self._clock, self._resolver)
        except SilentError as error:
            return None, str(error)
        return reply, f"{self.name} answered {reply.status}"

    def _pause(self, kind: Kind, pauses: Iterator[float], reply: Reply | None) -> bool:
        """Wait before the next try; false if there is none.

        Once an event has used up its tries, those after it get one each, until the service answers properly again:
        else each of thousands would wait as long.
        """
        pause = None if kind in self._weary else next(pauses, None)
        if pause is None:
            self._weary.add(kind)
            return False
        asked = 0.0 if reply is None or reply.wait is None else reply.wait
        seconds = min(max(pause, asked), LONGEST_PAUSE)
        _log.warning("%s: %s, next try in %g s", self.name, kind, seconds)
        self._sleep(seconds)
        return True

    def _taken(self, ask: Ask, reply: Reply, deadline: datetime) -> Ask:
        """Note what a service said that will not be asked again."""
        if not 200 <= reply.status < 300:
            self._close(ask, "refused", f"{self.name} answered {reply.status}")
            return ask
        if _is_answer(reply):
            self._answered(ask, reply)
        elif self._address is None:
            told = f"{self.name} wants to answer later, and has no address to answer to: give one (--callback-url)"
            self._close(ask, "no_answer", told)
        return self._noted(ask, state="waiting", deadline=deadline)

    def _noted(self, ask: Ask, **changes: object) -> Ask:
        changed = ask.model_copy(update=changes)
        self._callbacks.note(changed)
        return changed

    def _answered(self, ask: Ask, reply: Reply) -> None:
        """Take an answer that came at once."""
        try:
            answer = read_answer(reply.body, ask.pictures)
        except AnswerError as error:
            self._close(ask, "bad_answer", str(error))
            return
        reason = None if answer.error is None else "labeller_error"
        self._callbacks.close(
            ask,
            Outcome(
                at=self._clock(),
                reason=reason,
                message=answer.error or "",
                labels=answer.labels,
                sha256=answer.sha256,
            ),
        )

    def _payload(self, event: EventPictures, address: str | None) -> bytes:
        images = [
            {
                "type": "image/jpeg",
                "size": [picture.width, picture.height],
                "timestamp": image_time(picture.at),
                "image_b64": base64.b64encode(picture.jpeg).decode("ascii"),
            }
            for picture in event.pictures
        ]
        user = self._service.options.user_id or _OWN_USER
        told = {"user_id": user, "camera": event.camera, "callback_url": address, "images": images}
        return json.dumps(told).encode()


def _passing(reply: Reply | None) -> Kind | None:
    """Return what went wrong if another try may help."""
    if reply is None:
        return "unreachable"
    if reply.status == 429:
        return "rate_limited"
    return "service_error" if reply.status >= 500 else None


def _is_answer(reply: Reply) -> bool:
    """Tell an answer that came at once from a mere "taken": it is an object with the status of an answer."""
    if not reply.whole:
        return True
    try:
        said = json.loads(reply.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("status") in {"success", "error"}


def _digest(event: EventPictures) -> str:
    """Return a hash of the pictures of an event and their times."""
    digest = hashlib.sha256()
    for picture in event.pictures:
        digest.update(f"{image_time(picture.at)} {len(picture.jpeg)}\n".encode())
        digest.update(picture.jpeg)
    return digest.hexdigest()
