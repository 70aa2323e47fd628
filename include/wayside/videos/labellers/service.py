"""A label service: where it is, what is told to it, and one POST that goes nowhere else.

A person names the service, as an Airflow connection or on the command line. Its pictures go to that host alone: no
redirect is followed, and the guard of the sources checks every address. A service in the house is reached where the
person opens its network; the machine itself only by 127.0.0.1 or [::1], and where that is said too.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from wayside import __version__
from wayside.core.clock import Clock
from wayside.core.errors import ConfigError
from wayside.sources.guard import Guard, GuardedResolver
from wayside.sources.http import asked_wait
from wayside.sources.reasons import FetchError
from wayside.sources.spec import LOOPBACK, SourceSpec
from wayside.videos.labellers.answers import MAX_ANSWER_BYTES

_CONNECT: Final = 5.0
_TOTAL: Final = 60.0
_CHUNK: Final = 2**16
_LONGEST_PATIENCE: Final = 7 * 24 * 3600.0
_ALIAS: Final = "label-service"


class ServiceOptions(BaseModel):
    """What the extra of an Airflow connection may say beside other things.

    Attributes:
        path: path and query of the address, if the connection's host has none.
        user_id: sent with each event, as the documented form has it.
        private_networks: networks that are not public and in which the service may lie, such as `10.20.0.0/16`.
        allow_loopback: permits 127.0.0.1 and [::1], if that is how the host is called.
        patience: seconds for which an answer is waited for, at most a week.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str = ""
    user_id: str = ""
    private_networks: tuple[str, ...] = ()
    allow_loopback: bool = False
    patience: float = Field(default=3600.0, gt=0, le=_LONGEST_PATIENCE)


@dataclass(frozen=True)
class Service:
    """A label service.

    Attributes:
        name: what its labels are signed with, such as `http:tuna`; no address, because that may hold a secret.
        url: where events are posted.
        token: sent as a bearer token, if not empty.
        options: what else is known of it.
    """

    name: str
    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    options: ServiceOptions = field(default_factory=ServiceOptions)

    def __post_init__(self) -> None:
        """Raise `ConfigError` for an address or a network that cannot be used."""
        _ = self.guard

    @property
    def patience(self) -> timedelta:
        """How long an answer is waited for."""
        return timedelta(seconds=self.options.patience)

    @property
    def guard(self) -> Guard:
        """The rules by which its address is checked."""
        try:
            address = URL(self.url)
            host = f"[{address.host}]" if ":" in (address.host or "") else address.host
            spec = {
                "id": _ALIAS,
                "kind": "url_list",
                "url": "-",
                "hosts": (f"{host}:{address.port}",),
                "allow_loopback": self.options.allow_loopback and address.host in LOOPBACK,
                "private_networks": self.options.private_networks,
            }
            guard = Guard(SourceSpec.model_validate(spec))
            guard.check_url(address)
        except ValidationError as error:
            told = "; ".join(fault["msg"] for fault in error.errors())
            raise ConfigError(f"the label service {self.name} cannot be used: {told}") from error
        except (FetchError, ValueError) as error:
            # The texts of these hold the address, which may be a secret.
            raise ConfigError(f"the label service {self.name} cannot be used: {_why(error)}") from error
        return guard

    @classmethod
    def of_connection(
        cls, name: str, host: str, password: str = "", extra: Mapping[str, Any] | None = None
    ) -> "Service":
        """Return the service that an Airflow connection describes.

        Args:
            name: id of the connection.
            host: whole address of the service, `https://…`; its path may be in the extra instead.
            password: a bearer token, if the service wants one.
            extra: the fields of `ServiceOptions`.

        Raises:
            ConfigError: the address or an option is wrong.
        """
        try:
            options = ServiceOptions.model_validate(dict(extra or {}))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise ConfigError(f"the extra of the connection {name} is wrong: {faults}") from error
        address = host.strip()
        if options.path:
            address = f"{address.rstrip('/')}/{options.path.lstrip('/')}"
        return cls(f"http:{name}", address, password, options)


def _why(error: Exception) -> str:
    match error:
        case FetchError():
            return {
                "refused_address": "it lies at an address that is not public; open its network in `private_networks`",
                "refused_host": "its host cannot be read",
            }.get(str(error.reason), "its address must be http or https, without a user name or password in it")
        case _:
            return "its address cannot be read"


@dataclass(frozen=True)
class Reply:
    """What came back of one POST: the status, at most `MAX_ANSWER_BYTES` of body, and the wait that was asked for.

    `whole` is false where the body had more bytes, or came in an encoding that nobody asked for.
    """

    status: int
    body: bytes
    wait: float | None = None
    whole: bool = True


class SilentError(Exception):
    """No answer came: no connection, no complete answer in time. Another try may help."""


def post(service: Service, body: bytes, key: str, clock: Clock, resolver: AbstractResolver | None = None) -> Reply:
    """Post JSON to a service, once.

    Args:
        service: where to.
        body: the JSON.
        key: name of what is asked, the same at another try; sent as `Idempotency-Key`.
        clock: tells the time, for `Retry-After` dates.
        resolver: resolves names before the guard checks them; by default the system's.

    Raises:
        SilentError: no answer came.
        ConfigError: the host lies at an address that may not be spoken to.
    """
    return asyncio.run(_post(service, body, key, clock, resolver))


async def _post(service: Service, body: bytes, key: str, clock: Clock, resolver: AbstractResolver | None) -> Reply:
    headers = {
        "User-Agent": f"wayside/{__version__}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Idempotency-Key": key,
    }
    if service.token:
        headers["Authorization"] = f"Bearer {service.token}"
    connector = aiohttp.TCPConnector(resolver=GuardedResolver(service.guard, resolver or aiohttp.ThreadedResolver()))
    try:
        async with (
            asyncio.timeout(_TOTAL),
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT),
                auto_decompress=False,
                # A proxy would resolve names again, behind the guard's back.
                trust_env=False,
            ) as session,
            # A redirect would take the pictures elsewhere.
            session.post(service.url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return await _read(answer, clock)
    except FetchError as error:
        raise ConfigError(f"the label service {service.name} cannot be used: {_why(error)}") from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        if isinstance(cause := error.__cause__ or error.__context__, FetchError):
            raise ConfigError(f"the label service {service.name} cannot be used: {_why(cause)}") from error
        raise SilentError(f"{service.name} gave no answer: {type(error).__name__}") from error


async def _read(answer: aiohttp.ClientResponse, clock: Clock) -> Reply:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break
    plain = answer.headers.get("Content-Encoding", "identity").lower() == "identity"
    whole = plain and len(body) <= MAX_ANSWER_BYTES
    return Reply(answer.status, bytes(body), asked_wait(answer.headers.get("Retry-After"), clock()), whole)
