"""The notifier: over real SMTP and HTTP, from what Airflow gives to callbacks, and without ever failing a run."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.peers.mail import MailServer, certificate, mail_server, tls_context, webhook

from wayside.core.slots import Slot
from wayside_airflow.notifiers import channels
from wayside_airflow.notifiers.facts import facts
from wayside_airflow.notifiers.notify import HINT, Notify, on_failure

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-of-the-peer"
TO_DO = "see whether the source answers"
RUN = SimpleNamespace(
    dag_id="ingest_cameras",
    run_id="scheduled__2026-11-20T08:00:00+00:00",
    run_type="scheduled",
    state="failed",
    conf={},
    run_after=datetime(2026, 11, 20, 8, 10, tzinfo=UTC),
    data_interval_start=datetime(2026, 11, 20, 8, tzinfo=UTC),
    data_interval_end=datetime(2026, 11, 20, 8, 10, tzinfo=UTC),
)
CONTEXT: dict[str, Any] = {
    "dag_run": RUN,
    "run_id": RUN.run_id,
    "params": {"sources": ["TfL-images"], "slot": None},
    "ti": SimpleNamespace(task_id="fetch", map_index=3),
    "reason": "task_failure",
}
Configure = Callable[..., None]
Said = Callable[[str], str]
_ENTRY = re.compile(r"^[0-9-]+T[0-9:.]+Z \[(\w+) *\] ", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def called(notifier: Notify) -> None:
    """As the DAG processor does it."""
    notifier(dict(CONTEXT))


def awaited(notifier: Notify) -> None:
    """As the triggerer does it."""

    async def run() -> None:
        await Notify(notifier.kind, notifier.urgent, notifier.what_to_do, context={**CONTEXT, "dag_run": vars(RUN)})

    asyncio.run(run())


BOTH = pytest.mark.parametrize("tell", [called, awaited])


class StoredDag:
    """A DAG as the scheduler and `dag.test` hand it to callbacks: it cannot render templates."""

    dag_id = "ingest_cameras"


@pytest.fixture(autouse=True)
def _base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.org/flow")


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Make the connections."""

    def make(
        mail: MailServer | None = None,
        hook: str | None = None,
        token: str = "",
        login: tuple[str, str] | None = None,
        **extra: Any,
    ) -> None:
        if mail is not None:
            entry = dict(zip(("login", "password"), login or mail.login or (), strict=False))
            fields = {"conn_type": "smtp", "host": "127.0.0.1", "port": mail.port, **entry}
            known = {"from_email": "wayside@example.org", "to": "duty@example.org, second@example.org"}
            known |= {"disable_ssl": mail.tls != "implicit", "disable_tls": mail.tls == "none", **extra}
            monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_SMTP", json.dumps({**fields, "extra": known}))
        if hook is not None:
            fields = {"conn_type": "http", "host": hook, "password": token}
            monkeypatch.setenv("AIRFLOW_CONN_WAYSIDE_WEBHOOK", json.dumps(fields))

    return make


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Iterator[Said]:
    """What was logged, by level; whatever it was, no secret was in it."""
    seen: list[str] = []

    def read(level: str) -> str:
        seen.append(_COLOUR.sub("", "".join(capfd.readouterr())))
        parts = _ENTRY.split("".join(seen))
        return "\n".join(text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name == level)

    yield read
    read("info")
    for secret in (SECRET, "duty@example.org", "/services/T0"):
        assert secret not in "".join(seen)


@BOTH
def test_through_both_channels(tell: Callable[[Notify], None], configure: Configure) -> None:
    with mail_server() as server, webhook() as hook:
        configure(server, hook.url, token=SECRET)
        tell(on_failure(urgent=True, what_to_do=TO_DO))
    (mail,) = server.mails
    assert mail.recipients == ["duty@example.org", "second@example.org"]
    assert mail.sender == mail.message["From"] == "wayside@example.org"
    assert mail.message["Subject"] == "[Wayside] URGENT: ingest_cameras, slot 2026-11-20 08:10 UTC failed"
    assert mail.message["Importance"] == "high"
    text = mail.message.get_body(("plain",)).get_content()
    page = mail.message.get_body(("html",)).get_content()
    for part in (text, page, hook.posts[0]["text"]):
        assert "fetch [3]" in part
        assert "TfL-images" in part
        assert TO_DO in part
        assert "https://air.example.org/flow/dags/ingest_cameras/runs/scheduled__2026-11-20T08" in part
        assert "/tasks/fetch/mapped/3" in part
    assert hook.posts[0]["slot"] == "20261120T0810Z"
    assert hook.posts[0]["urgent"] is True
    assert hook.headers[0]["Authorization"] == f"Bearer {SECRET}"
    assert hook.headers[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_is_encrypted_and_logged_in(
    tls: Any, tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with mail_server(tls=tls, context=tls_context(path), login=("wayside", SECRET)) as server:
        configure(server)
        called(on_failure(urgent=False, what_to_do=TO_DO))
    (mail,) = server.mails
    assert (mail.encrypted, mail.login) == (True, "wayside")
    assert mail.message["Importance"] is None


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls: Any, tmp_path: Path, configure: Configure, said: Said
) -> None:
    with mail_server(tls=tls, context=tls_context(certificate(tmp_path)), login=("wayside", SECRET)) as server:
        configure(server)
        called(on_failure(urgent=False, what_to_do=TO_DO))
    assert server.mails == []
    assert "wayside_smtp could not be used" in said("error")


def test_a_server_without_starttls_gets_no_password(configure: Configure, said: Said) -> None:
    with mail_server(login=("wayside", SECRET)) as server:
        configure(server, disable_tls=False)
        called(on_failure(urgent=False, what_to_do=TO_DO))
    assert server.mails == []
    assert "wayside_smtp could not be used" in said("error")


@BOTH
def test_without_a_connection_the_log_has_it_and_says_how_to_make_one(
    tell: Callable[[Notify], None], said: Said
) -> None:
    tell(on_failure(urgent=True, what_to_do=TO_DO))
    assert "slot 2026-11-20 08:10 UTC failed" in said("warning")
    assert TO_DO in said("warning")
    assert HINT in said("warning")


@BOTH
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ({"hangs": True}, "wayside_smtp gave no answer in time"),
        ({"data_code": 554}, "wayside_smtp could not be used (SMTPDataError 554)"),
        ({"login": ("other", "word")}, "wayside_smtp could not be used (SMTPAuthenticationError 535)"),
        ({"refuses": {"duty@example.org"}}, "the server refused 1 of 2 recipients"),
        ({"refuses": {"duty@example.org", "second@example.org"}}, "could not be used (SMTPRecipientsRefused"),
    ],
)
def test_a_mail_server_that_fails_does_not_stop_the_webhook(
    tell: Callable[[Notify], None],
    behaviour: Mapping[str, Any],
    why: str,
    configure: Configure,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "STEP_SECONDS", 0.4)
    with mail_server(**behaviour) as server, webhook() as hook:
        configure(server, hook.url, login=("wayside", SECRET) if server.login else None)
        tell(on_failure(urgent=True, what_to_do=TO_DO))
    assert len(hook.posts) == 1
    assert why in said("error")
    assert "nobody was told" not in said("warning")


@pytest.mark.parametrize(("status", "hangs"), [(500, False), (403, False), (302, False), (200, True)])
def test_a_webhook_that_fails_does_not_stop_the_mail(
    status: int, hangs: bool, configure: Configure, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "STEP_SECONDS", 0.4)
    with mail_server() as server, webhook(status, hangs=hangs) as hook:
        configure(server, hook.url, token=SECRET)
        called(on_failure(urgent=True, what_to_do=TO_DO))
    assert len(server.mails) == 1
    assert ("wayside_webhook gave no answer" if hangs else f"wayside_webhook answered {status}") in said("error")
    # A redirect is not followed: the token stays where it belongs.
    assert hook.paths in ([], ["/services/T0/B0"])


def test_when_every_channel_fails_the_log_has_the_message(configure: Configure, said: Said) -> None:
    with webhook() as hook:
        pass
    configure(hook=hook.url, token=SECRET)
    called(on_failure(urgent=True, what_to_do=TO_DO))
    assert "wayside_webhook could not be used (ClientConnectorError)" in said("error")
    assert "nobody was told" in said("warning")
    assert TO_DO in said("warning")


@pytest.mark.parametrize("host", ["hooks.example.org/services/T0/B0", "ftp://hooks.example.org/services/T0", ""])
def test_a_webhook_without_its_whole_address(host: str, configure: Configure, said: Said) -> None:
    configure(hook=host)
    called(on_failure(urgent=True, what_to_do=TO_DO))
    assert "its host must be the whole address" in said("error")


def test_a_mail_connection_without_recipients(configure: Configure, said: Said) -> None:
    with mail_server() as server:
        configure(server, to="")
        called(on_failure(urgent=True, what_to_do=TO_DO))
    assert server.mails == []
    assert 'set "from_email" and "to"' in said("error")


def test_a_dag_that_cannot_render_templates_is_no_hindrance(configure: Configure) -> None:
    with webhook() as hook:
        configure(hook=hook.url)
        on_failure(urgent=True, what_to_do=TO_DO)({**CONTEXT, "dag": StoredDag()})
        asyncio.run(_late({**CONTEXT, "dag": StoredDag()}))
    assert [post["kind"] for post in hook.posts] == ["failed", "late"]


async def _late(context: dict[str, Any]) -> None:
    run = {**vars(RUN), "state": "running"}
    await Notify("late", context={**context, "dag_run": run})


def test_a_limit_for_all_steps_together(configure: Configure) -> None:
    ways = {channels.SMTP: channels.Way("127.0.0.1", extra={"to": "a@example.org", "from_email": "b@example.org"})}
    message = SimpleNamespace(subject="S", text="T", html="<p>T</p>", fields={})
    with mail_server(hangs=True) as server:
        ways = {name: channels.Way(way.host, server.port, extra=way.extra) for name, way in ways.items()}
        errors = asyncio.run(channels.send(message, ways, total=0.2))  # type: ignore[arg-type]
    assert "gave no answer in time" in str(errors[channels.SMTP])


@BOTH
def test_a_notifier_that_breaks_fails_nothing(
    tell: Callable[[Notify], None], monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"password {SECRET}")

    monkeypatch.setattr("wayside_airflow.notifiers.message.compose", broken)
    tell(on_failure(urgent=True, what_to_do=TO_DO))
    assert "the notification failed: RuntimeError" in said("error")


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_has_ended_is_not_late(state: str) -> None:
    with webhook() as hook:
        notifier = Notify("late", urgent=True, context={"dag_run": {**vars(RUN), "state": state}})
        asyncio.run(notifier.async_notify(notifier.context))
    assert hook.posts == []


class TestFacts:
    def of(self, run: Mapping[str, Any], **context: Any) -> Any:
        known = SimpleNamespace(**{**vars(RUN), **run})
        return facts({"dag_run": known, **context}, urgent=True, what_to_do=TO_DO)

    def test_the_slot_is_the_one_of_the_operators(self) -> None:
        assert self.of({}).slot == Slot.parse("20261120T0810Z")
        named = self.of({"run_type": "manual"}, params={"slot": "2026-05-01T00:53:00Z"})
        assert named.slot == Slot.parse("20260501T0050Z")
        without = {"run_type": "manual", "data_interval_start": None, "data_interval_end": None}
        assert self.of(without, params={"slot": None}).slot == Slot.parse("20261120T0810Z")

    def test_days_are_those_of_the_form_or_of_the_interval(self) -> None:
        daily = {"data_interval_start": datetime(2026, 11, 19, tzinfo=UTC), "data_interval_end": None}
        daily["data_interval_end"] = datetime(2026, 11, 20, tzinfo=UTC)
        known = self.of(daily)
        assert (known.slot, known.first, known.last) == (None, date(2026, 11, 19), date(2026, 11, 19))
        weekly = self.of({**daily, "data_interval_start": datetime(2026, 11, 13, tzinfo=UTC)})
        assert (weekly.first, weekly.last) == (date(2026, 11, 13), date(2026, 11, 19))
        ranged = self.of({**daily, "run_type": "manual"}, params={"start": "2026-05-01", "end": "2026-05-07"})
        assert (ranged.first, ranged.last) == (date(2026, 5, 1), date(2026, 5, 7))
        by_hand = self.of({**daily, "run_type": "manual"})
        assert (by_hand.first, by_hand.last) == (None, None)

    @pytest.mark.parametrize(("kind", "urgent"), [("scheduled", True), ("manual", False), ("backfill", False)])
    def test_only_a_scheduled_run_is_urgent(self, kind: str, urgent: bool) -> None:
        assert self.of({"run_type": kind}).urgent is urgent
        # After a crash Airflow knows the names of DAG and run alone.
        bare = {"dag": SimpleNamespace(dag_id="ingest_cameras"), "run_id": f"{kind}__x", "reason": "timed_out"}
        known = facts(bare, urgent=True, what_to_do=TO_DO)
        assert (known.urgent, known.dag_id, known.slot) == (urgent, "ingest_cameras", None)
        assert known.reason == "the run took longer than it may"

    def test_what_people_typed_is_used_only_if_it_is_a_name(self) -> None:
        typed = {"sources": ["TfL-images", "Anna <anna@example.org>", "../x"], "slot": "yesterday"}
        known = self.of({}, params=typed)
        assert known.sources == ("TfL-images",)
        assert known.slot is None
        assert "anna" not in repr(known)
        assert self.of({}, params={"sources": "A, B"}).sources == ("A", "B")
        assert self.of({"conf": {"sources": ["C"]}}).sources == ("C",)

    def test_links_lead_to_the_run_the_log_and_the_page(self) -> None:
        known = self.of({}, ti=SimpleNamespace(task_id="plan", map_index=-1), params={"source": "A"})
        run = "https://air.example.org/flow/dags/ingest_cameras/runs/scheduled__2026-11-20T08%3A00%3A00%2B00%3A00"
        page = "https://air.example.org/flow/plugin/wayside/wayside/cameras?source=A&slot=20261120T0810Z"
        assert known.links == {"Run": run, "Log": f"{run}/tasks/plan", "Cameras": page}


_IMPORT = """
import sys
from airflow.settings import initialize
initialize()
from airflow._shared.module_loading import import_string
found = import_string(sys.argv[1])
print(found.__name__, [name for name in ("aiosmtplib", "aiohttp.client", "cv2", "pyarrow") if name in sys.modules])
"""


def test_the_triggerer_can_import_it_by_its_name() -> None:
    """It finds the plugins folder as Airflow's own processes do, and is light until it sends."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "include"), "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}
    name = f"{Notify.__module__}.{Notify.__qualname__}"
    done = subprocess.run([sys.executable, "-c", _IMPORT, name], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Notify []"
