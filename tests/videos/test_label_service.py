"""A label service that behaves well, badly, late, twice and never: each event ends as docs/LABELLERS.md says.

The service and the application that it answers to are real servers on 127.0.0.1; only the clock and sleeping are not.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from tests.peers.asgi import serving
from tests.peers.label_service import LabelService, serving_labels
from tests.videos.event_pictures import START, Job, Time, event

from wayside.core.errors import ConfigError
from wayside.videos.labellers.base import LABEL_REASONS, LabelFailure, Labelled
from wayside.videos.labellers.callbacks import Ask, Callbacks, Expected, Outcome
from wayside.videos.labellers.http import HttpLabeller, Sent
from wayside.videos.labellers.service import Service, ServiceOptions
from wayside_airflow.web.callbacks import create_callback_app
from wayside_airflow.web.lazy import LazyApp

PATIENCE = 3600.0


@dataclass
class House:
    """Everything that an answer passes through; what a test changes is reset for each."""

    service: LabelService
    root: Path
    address: Callable[[str], str]
    time: Time

    @property
    def books(self) -> Callbacks:
        return Callbacks(self.root)

    def labeller(self, run: str = "run-1", *, redo: bool = False, answers: bool = True) -> HttpLabeller:
        """A labeller as a new process would make it."""
        options = ServiceOptions(allow_loopback=True, patience=PATIENCE, user_id="em-42")
        made = HttpLabeller(
            Service("http:tuna", self.service.url, "secret", options),
            self.books,
            address=self.address if answers else None,
            clock=self.time,
            sleep=self.time.sleep,
        )
        made.begin(Job(run=run, redo=redo), ["front"])
        return made


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[LabelService, House]]:
    with serving_labels() as service:
        house = House(service, Path(), str, Time())
        app = FastAPI()
        app.mount("/wayside-callbacks", LazyApp(lambda: create_callback_app(lambda: house.books, lambda: house.time())))
        with serving(app) as base:
            house.address = lambda token: f"{base}/wayside-callbacks/labels/{token}"
            yield service, house


@pytest.fixture
def house(servers: tuple[LabelService, House], tmp_path: Path) -> House:
    service, house = servers
    service.reset()
    house.root, house.time = tmp_path / "callbacks", Time()
    return house


def ended(house: House, camera: str, how: str) -> tuple[Sent, Labelled | LabelFailure | None]:
    """Send an event, let the service do as it is told, and collect."""
    house.service.how[camera] = how
    sent = house.labeller().send(event(camera))
    house.service.settled()
    return sent, house.labeller().collect(sent.event)


def test_an_event_goes_out_and_comes_back_as_documented(house: House) -> None:
    sent, done = ended(house, "front", "")
    assert sent == Sent("front-0", "waiting", START + timedelta(seconds=PATIENCE))
    (asked,) = house.service.asked["front"]
    assert asked["user_id"] == "em-42"
    assert house.service.headers["Authorization"] == "Bearer secret"
    first, second = asked["images"]
    assert (first["timestamp"], first["size"]) == ("2026-05-02T09:40:00.123456Z", [64, 48])
    assert second["timestamp"] == "2026-05-02T09:40:01.123456Z"
    assert isinstance(done, Labelled)
    assert (done.event, done.labeller, done.model_sha256) == ("front-0", "http:tuna", None)
    assert [(label.at, label.name, label.probability) for label in done.labels] == [
        (START + timedelta(seconds=second), name, probability)
        for second in (0, 1)
        for name, probability in (("tuna", 0.75), ("boat", 0.5))
    ]
    tuna, boat = done.labels[:2]
    assert tuna.polygon == ((0.0, 1.0), (0.5, 1.0), (0.25, 0.5)), "from the bottom left to the top left"
    assert tuna.box == (0.0, 0.5, 0.5, 1.0)
    assert boat.polygon is boat.box is None
    assert house.service.told["front"] == [(200, '{"detail":"taken"}')]


@pytest.mark.parametrize(
    ("how", "tries", "pauses"),
    [
        ("", 1, []),
        ("at once", 1, []),
        ("before", 1, []),
        ("429 x3", 4, [45.0, 60.0, 120.0]),
        ("500 x2", 3, [45.0, 45.0]),
        ("cut x2", 3, [5.0, 30.0]),
        ("twice", 1, []),
        ("twice, another", 1, []),
        ("malformed, then mended", 1, []),
    ],
)
def test_events_that_are_labelled(house: House, how: str, tries: int, pauses: list[float]) -> None:
    _, done = ended(house, "front", how)
    assert isinstance(done, Labelled)
    assert [label.name for label in done.labels] == ["tuna", "boat"] * 2
    assert house.service.times["front"] == tries
    assert len(set(house.service.keys["front"])) == 1, "a further try is the same question"
    assert house.time.slept == pauses, "Retry-After: 45 s is honoured where it is longer"


@pytest.mark.parametrize(
    ("how", "reason", "tries", "pauses"),
    [
        ("429 x5", "rate_limited", 5, [45.0, 60.0, 120.0, 240.0]),
        ("500", "service_error", 3, [45.0, 45.0]),
        ("400", "refused", 1, []),
        ("302", "refused", 1, []),
        ("cut", "unreachable", 3, [5.0, 30.0]),
        ("error", "labeller_error", 1, []),
        ("at once, malformed", "bad_answer", 1, []),
        ("at once, endless", "bad_answer", 1, []),
    ],
)
def test_events_that_fail(house: House, how: str, reason: str, tries: int, pauses: list[float]) -> None:
    _, done = ended(house, "front", how)
    assert isinstance(done, LabelFailure)
    assert done.reason == reason
    assert reason in LABEL_REASONS
    assert house.service.times["front"] == tries
    assert house.time.slept == pauses
    again = house.labeller().send(event("front"))
    assert again.state == "done", "a task that is tried again takes it as it is"
    assert house.service.times["front"] == tries


@pytest.mark.parametrize(
    ("how", "statuses"),
    [
        ("twice", [200, 200]),
        ("twice, another", [200, 409]),
        ("malformed", [400, 422, 422]),
        ("malformed, then mended", [422, 200]),
    ],
)
def test_what_the_service_is_told(house: House, how: str, statuses: list[int]) -> None:
    ended(house, "front", how)
    assert [status for status, _ in house.service.told["front"]] == statuses


def test_no_answer_ends_at_the_deadline(house: House) -> None:
    for how in ("never", "malformed"):
        sent, done = ended(house, how, how)
        assert done is None, "it may still come"
        house.time.now = START + timedelta(seconds=PATIENCE - 1)
        assert house.labeller().collect(sent.event) is None
        house.time.now = START + timedelta(seconds=PATIENCE)
        done = house.labeller().collect(sent.event)
        assert isinstance(done, LabelFailure)
        assert done.reason == "no_answer"
        house.time.now = START


@pytest.mark.parametrize("collected", [False, True])
def test_a_late_answer_is_refused_and_the_event_can_be_labelled_anew(house: House, collected: bool) -> None:
    sent, _ = ended(house, "front", "late")
    house.time.now += timedelta(seconds=PATIENCE)
    if collected:
        done = house.labeller().collect(sent.event)
        assert isinstance(done, LabelFailure)
        assert done.reason == "no_answer"
    assert house.service.answer("front") == 410
    done = house.labeller().collect(sent.event)
    assert isinstance(done, LabelFailure)
    assert done.reason == "late"
    assert house.labeller().send(event("front")).state == "done"
    assert house.service.times["front"] == 1
    # Another run asks anew; the answer to the first question still counts nothing, that to the second does.
    assert house.labeller("run-2").send(event("front")).state == "waiting"
    assert house.service.answer("front", 0) == 410
    assert house.labeller("run-2").collect("front-0") is None
    assert house.service.answer("front", 1) == 200
    assert isinstance(house.labeller("run-2").collect("front-0"), Labelled)
    assert house.service.keys["front"][0] != house.service.keys["front"][1]


def test_what_is_under_way_or_answered_is_not_sent_again(house: House) -> None:
    ended(house, "front", "late")
    for run in ("run-1", "run-2"):
        assert house.labeller(run).send(event("front")).state == "waiting"
    assert house.service.answer("front") == 200
    for run in ("run-1", "run-2"):
        assert house.labeller(run).send(event("front")).state == "done"
    assert house.service.times["front"] == 1


def test_what_was_answered_is_asked_anew_where_that_is_wanted(house: House) -> None:
    ended(house, "front", "")
    assert house.labeller("run-2", redo=True).send(event("front")).state == "waiting"
    house.service.settled()
    assert house.labeller("run-2", redo=True).send(event("front")).state == "done", "once in a run"
    assert house.labeller("run-3").send(event("front", pictures=1)).state == "waiting", "its pictures are others"
    house.service.settled()
    assert house.service.times["front"] == 3


class Killed(BaseException):
    """Ends a process as SIGKILL does: nothing that is ours can catch it."""


def test_killed_between_the_request_and_the_note(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.service.how["front"] = "late"

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(HttpLabeller, "_taken", killed)
        with pytest.raises(Killed):
            house.labeller().send(event("front"))
    assert house.labeller().collect("front-0") is None
    assert house.labeller().send(event("front")).state == "waiting"
    first, second = house.service.asked["front"]
    assert first["callback_url"] != second["callback_url"]
    assert len(set(house.service.keys["front"])) == 1, "the service can tell that it is the same question"
    # The first answer counts, to whichever address; the other is the same or comes second.
    assert house.service.answer("front", 0) == 200
    assert house.service.answer("front", 1) == 200
    assert house.service.answer("front", 1, {"status": "success", "labels": {}}) == 409
    assert isinstance(house.labeller().collect("front-0"), Labelled)


@pytest.mark.parametrize("how", ["", "at once", "before", "400"])
def test_killed_around_every_write(house: House, how: str) -> None:
    """Whatever the last write was, whoever comes next ends with the same, and asks once more at the most."""
    wanted = ended(house, "front", how)[1]
    for number in range(8):
        camera = f"front-{number}"
        house.service.how[camera] = how
        dying = house.labeller()
        dying._callbacks = Dying(house.root, number)
        try:
            dying.send(event(camera))
        except Killed:
            house.labeller().send(event(camera))
        else:
            assert number >= 6, "the first three writes, before and after each, can all be cut short"
        house.service.settled()
        done = house.labeller().collect(f"{camera}-0")
        assert shape(done) == shape(wanted)
        assert house.service.times[camera] <= 2
        assert len(set(house.service.keys[camera])) == 1
        assert {status for status, _ in house.service.told[camera]} <= {200}


class Dying(Callbacks):
    """Books of a process that is killed around its write `number // 2`: before it, or right after."""

    def __init__(self, root: Path, number: int) -> None:
        super().__init__(root)
        self._left = number

    def _dies(self, write: Callable[[], Any]) -> Any:
        for step in (lambda: None, write):
            done = step()
            self._left -= 1
            if self._left < 0:
                raise Killed
        return done

    def note(self, ask: Ask) -> None:
        self._dies(lambda: super(Dying, self).note(ask))

    def expect(self, token: str, ask: Ask, deadline: datetime) -> None:
        self._dies(lambda: super(Dying, self).expect(token, ask, deadline))

    def close(self, ask: Ask | Expected, outcome: Outcome) -> Outcome:
        done: Outcome = self._dies(lambda: super(Dying, self).close(ask, outcome))
        return done


def shape(done: Labelled | LabelFailure | None) -> object:
    """What an event ended as, without its id."""
    return done.labels if isinstance(done, Labelled) else done and done.reason


def test_killed_in_a_pause_and_answered_meanwhile(house: House) -> None:
    house.service.how["front"] = "500 x2"

    def killed(_: float) -> None:
        raise Killed

    house.time.sleep = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        house.labeller().send(event("front"))
    # A service that fails and then answers all the same.
    assert house.service.answer("front") == 200
    assert isinstance(house.labeller().collect("front-0"), Labelled)
    assert house.labeller().send(event("front")).state == "done"
    assert house.service.times["front"] == 1


def test_after_one_event_has_waited_in_vain_the_next_do_not(house: House) -> None:
    labeller = house.labeller()
    for camera in ("a", "b", "c"):
        house.service.how[camera] = "429 x5"
        labeller.send(event(camera))
    assert house.service.times == {"a": 5, "b": 1, "c": 1}
    house.service.how["d"] = "429 x3"
    labeller.send(event("e"))
    assert labeller.send(event("d")).state == "waiting", "the service answers again, so it is waited for again"
    assert house.time.slept == [45.0, 60.0, 120.0, 240.0, 45.0, 60.0, 120.0]


def test_the_deadline_counts_from_when_the_event_was_taken(house: House) -> None:
    sent, _ = ended(house, "front", "429 x3")
    assert sent.deadline == START + timedelta(seconds=45 + 60 + 120 + PATIENCE)


def test_without_an_address_the_service_has_to_answer_at_once(house: House) -> None:
    labeller = house.labeller(answers=False)
    house.service.how |= {"front": "at once", "rear": "never"}
    assert isinstance(labeller.label(event("front")), Labelled)
    assert house.service.asked["front"][0]["callback_url"] is None
    failed = labeller.label(event("rear"))
    assert isinstance(failed, LabelFailure)
    assert failed.reason == "no_answer"
    assert "--callback-url" in failed.message


def test_label_waits_where_there_is_an_address(house: House) -> None:
    house.service.how["front"] = "never"
    failed = house.labeller().label(event("front"))
    assert isinstance(failed, LabelFailure)
    assert failed.reason == "no_answer"
    assert sum(house.time.slept) == PATIENCE


def test_all_events_go_out_before_any_is_waited_for(house: House) -> None:
    house.service.how |= {"b": "at once", "c": "400", "d": "never"}
    answered = house.time.sleep

    def sleep(seconds: float) -> None:
        house.service.settled()
        answered(seconds)

    house.time.sleep = sleep  # type: ignore[method-assign]
    done = list(house.labeller().label_all(map(event, "abcd")))
    kinds = [(one.event, one.reason if isinstance(one, LabelFailure) else len(one.labels)) for one in done]
    assert kinds == [("b-0", 4), ("c-0", "refused"), ("a-0", 4), ("d-0", "no_answer")]
    assert house.service.times == dict.fromkeys("abcd", 1)


def test_nothing_secret_is_kept(house: House) -> None:
    ended(house, "front", "late")
    token = house.service.asked["front"][0]["callback_url"].rpartition("/")[2]
    assert len(token) == 43
    kept = [path for path in house.root.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        assert token not in str(path)
        assert token not in path.read_text(encoding="utf-8")
        assert house.service.url not in path.read_text(encoding="utf-8")


def test_a_labeller_wants_to_know_its_job(house: House) -> None:
    bare = HttpLabeller(house.labeller()._service, house.books)
    with pytest.raises(ConfigError, match="begin"):
        bare.send(event("front"))


def test_old_books_are_forgotten_and_what_is_open_is_not(house: House) -> None:
    sent, _ = ended(house, "front", "late")
    house.labeller().wait_for("wait-1", [sent])
    assert house.books.sweep(START - timedelta(days=365)) == 0
    assert house.service.answer("front") == 200
    # All of it was written today, which is long before tomorrow.
    from wayside.core.clock import utc_now

    assert house.books.sweep(utc_now() + timedelta(days=1)) == 4
    assert house.service.answer("front") == 401
    assert house.labeller().collect("front-0") is None
    assert json.loads(house.service.told["front"][-1][1]) == {"detail": "Not authenticated"}
