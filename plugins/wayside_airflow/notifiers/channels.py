"""Ways out: mail through an SMTP server and a POST to a webhook, each to where an Airflow connection says.

All of it is asynchronous, so that the triggerer can use it. Every step has a time limit. Errors name the connection and
the kind of failure and nothing else: addresses of people, tokens, and the addresses of webhooks, which often are
secrets themselves, do not belong in a log.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib

from wayside.core.errors import ConfigError, TransientError, WaysideError
from wayside_airflow.notifiers.message import Message

SMTP: Final = "wayside_smtp"
WEBHOOK: Final = "wayside_webhook"
STEP_SECONDS: Final = 10.0
TOTAL_SECONDS: Final = 25.0


@dataclass(frozen=True)
class Way:
    """What an Airflow connection holds."""

    host: str
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


class NotSentError(TransientError):
    """A channel did not take a message."""


async def send(message: Message, ways: Mapping[str, Way], total: float = TOTAL_SECONDS) -> Mapping[str, WaysideError]:
    """Send through every channel that has a connection, side by side; return what went wrong, by way."""
    names = [name for name in CHANNELS if name in ways]
    ends = await asyncio.gather(*(_sent(name, message, ways[name], total) for name in names))
    return {name: error for name, error in zip(names, ends, strict=True) if error}


async def _sent(name: str, message: Message, way: Way, total: float) -> WaysideError | None:
    try:
        async with asyncio.timeout(total):
            await CHANNELS[name](message, way)
    except WaysideError as error:
        return error
    except TimeoutError:
        return NotSentError(f"{name} gave no answer in time: see that its server runs and can be reached from here")
    except Exception as error:  # noqa: BLE001 - one channel never stops the other
        # The texts of these errors hold addresses.
        return NotSentError(f"{name} could not be used ({_kind(error)}): see its host, port and login")
    return None


async def _mail(message: Message, way: Way) -> None:
    """Send a mail with the text and its HTML form; the fields of the connection are those of Airflow's SMTP hook."""
    extra = way.extra
    recipients, sender = _addresses(extra.get("to")), extra.get("from_email") or way.login
    if not recipients or not sender:
        raise ConfigError(f'{SMTP} does not say who writes to whom: set "from_email" and "to" in its extra')
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = formatdate()
    if message.fields.get("urgent"):
        mail["Importance"] = "high"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    # The hook's defaults: TLS from the first byte; with `disable_ssl` STARTTLS; with `disable_tls` as well, neither.
    use_tls = not extra.get("disable_ssl", False)
    start_tls = not use_tls and not extra.get("disable_tls", False)
    refused, _ = await aiosmtplib.send(
        mail,
        hostname=way.host or "localhost",
        port=way.port,
        username=way.login or None,
        password=way.password or None,
        use_tls=use_tls,
        start_tls=start_tls,
        tls_context=ssl.create_default_context() if use_tls or start_tls else None,
        timeout=min(float(extra.get("timeout", STEP_SECONDS)), STEP_SECONDS),
    )
    if refused:
        raise NotSentError(f"{SMTP}: the server refused {len(refused)} of {len(recipients)} recipients")


async def _post(message: Message, way: Way) -> None:
    """Post JSON: `text`, which Slack, Teams and Mattermost show, and the facts, for programs."""
    address = way.host.strip()
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError(f"{WEBHOOK}: its host must be the whole address of the webhook, https://…")
    headers = {"Authorization": f"Bearer {way.password}"} if way.password else {}
    body = {"text": f"{message.subject}\n{message.text}", **message.fields}
    limits = aiohttp.ClientTimeout(total=STEP_SECONDS)
    # A redirect would take the token elsewhere.
    async with (
        aiohttp.ClientSession(timeout=limits) as session,
        session.post(address, json=body, headers=headers, allow_redirects=False) as answer,
    ):
        if not answer.ok or answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise NotSentError(f"{WEBHOOK} answered {answer.status}: see its address and token")


CHANNELS: Final[Mapping[str, Callable[[Message, Way], Awaitable[None]]]] = {SMTP: _mail, WEBHOOK: _post}


def _addresses(value: object) -> Sequence[str]:
    found = value.replace(";", ",").split(",") if isinstance(value, str) else value
    return [str(one).strip() for one in found if str(one).strip()] if isinstance(found, list) else []


def _kind(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if isinstance(code, int) else type(error).__name__
