"""What a person writes down about one source: an entry of `include/config/sources.yaml`.

Everything that opens a door is here and is explicit: which hosts may be spoken to, and whether they may lie at
addresses that are not public. Secrets do not belong here.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from yarl import URL

from wayside.core.errors import InvalidIdentifierError
from wayside.core.ids import camera_id, source_id

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = Literal["tfl", "urban_observatory", "url_list", "folder"]

LOOPBACK: Final = ("127.0.0.1", "::1")
_WEB: Final = ("tfl", "urban_observatory")
_DEFAULT_PORTS: Final = (80, 443)
_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# These are set by the client itself; writing them by hand would only break it.
_OWN_HEADERS: Final = frozenset(
    {"host", "accept-encoding", "connection", "content-length", "transfer-encoding", "range"}
)
# Never reachable, whatever a person writes: the machine itself, and where clouds keep the keys of their machines.
_NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "::1/128", "fe80::/10", "fd00:ec2::/32")
)


def _name_rule(rule: Callable[[str], str]) -> AfterValidator:
    """Let a rule of `wayside.core.ids` complain in the way that pydantic collects."""

    def check(value: str) -> str:
        try:
            return rule(value)
        except InvalidIdentifierError as error:
            raise ValueError(str(error)) from error

    return AfterValidator(check)


def _peers(entry: str) -> frozenset[tuple[str, int]]:
    """Read `name`, `name:port`, or an address with or without a port; a name alone stands for the ports 80 and 443."""
    told = f"{entry!r} is not a host: write `name` or `name:port`, or `[address]:port` for IPv6"
    host, port = entry.lower(), ""
    if host.startswith("["):
        host, _, port = host[1:].partition("]")
    elif host.count(":") == 1:
        host, port = host.split(":")
        port = f":{port}"
    try:
        if not _NAME.fullmatch(host):
            host = str(ipaddress.ip_address(host))
        if not port:
            return frozenset((host, number) for number in _DEFAULT_PORTS)
        number = int(port.removeprefix(":"))
    except ValueError:
        raise ValueError(told) from None
    if not port.startswith(":") or not 0 < number < 2**16:
        raise ValueError(told)
    return frozenset({(host, number)})


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for entry in value:
        _peers(entry)
    return value


def _web_peer(url: str) -> tuple[str, int]:
    """Return the (host, port) of an address on the web."""
    try:
        address = URL(url)
    except ValueError as error:
        raise ValueError(f"url {url!r} is not an http or https address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host or address.port is None:
        raise ValueError(f"url {url!r} is not an http or https address")
    return address.host.lower(), address.port


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in value.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise ValueError(f"header {name!r} cannot be set here")
        if not text.isprintable():
            raise ValueError(f"the value of header {name!r} has characters that cannot be printed")
    return value


def _private(value: object) -> object:
    network = ipaddress.ip_network(value) if isinstance(value, str) else value
    for never in _NEVER:
        if isinstance(network, type(never)) and network.overlaps(never):
            raise ValueError(
                f"{network} holds addresses of this machine or of a cloud's metadata service; those are never opened"
            )
    return network


class SourceSpec(BaseModel):
    """One source as configured.

    Attributes:
        id: the source's name; the first folder of its pictures.
        kind: who knows how to ask it: `tfl`, `urban_observatory`, `url_list` or `folder`.
        url: address of its API (`tfl`: the list; `urban_observatory`: the base), or for `url_list` and `folder` a path,
            relative to the configuration folder.
        hosts: hosts that may be spoken to beside the one in `url`: `name` (ports 80 and 443) or `name:port`.
        shrink: whether pictures are reduced to `Settings.shrink_to` pixels before they are stored.
        enabled: whether scheduled runs use it.
        allow_loopback: permits 127.0.0.1 and ::1, if that is how `url` or `hosts` call the host.
        private_networks: networks that are not public and may still be reached, such as `10.20.0.0/16`.
        attribution: the credit that the licence asks for.
        licence: the licence of the pictures.
        cameras: ids to fetch and analyse; all that are listed if absent.
        cameras_file: a JSON file with a flat list of such ids, relative to the configuration folder.
        concurrency: pictures fetched at once from one of its hosts; `Settings.fetch_concurrency_per_host` if absent.
        headers: HTTP headers for every request, such as `Referer`.
        retention: how long the pictures may be kept, and why, in words.
        keep_days: days for which pictures are kept, after the day on which they were taken; for good if absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, _name_rule(source_id)]
    kind: Kind
    url: str = Field(min_length=1, max_length=2000)
    hosts: Annotated[tuple[str, ...], AfterValidator(_hosts)] = ()
    shrink: bool = False
    enabled: bool = False
    allow_loopback: bool = False
    private_networks: tuple[Annotated[Network, BeforeValidator(_private)], ...] = ()
    attribution: str | None = None
    licence: str | None = None
    cameras: tuple[Annotated[str, _name_rule(camera_id)], ...] | None = None
    cameras_file: Path | None = None
    concurrency: int | None = Field(default=None, gt=0, le=1000)
    headers: Annotated[Mapping[str, str], AfterValidator(_headers)] = Field(default_factory=dict)
    retention: str | None = None
    keep_days: int | None = Field(default=None, ge=1, le=36_500)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in _WEB:
            _web_peer(self.url)
        if self.kind == "url_list" and not self.hosts:
            raise ValueError("hosts: a list of addresses needs the hosts that may be spoken to")
        if self.cameras is not None and self.cameras_file is not None:
            raise ValueError("cameras and cameras_file: give one of them")
        hosts = {host for host, _ in self.peers}
        if self.allow_loopback and not hosts & set(LOOPBACK):
            raise ValueError("allow_loopback: neither url nor hosts names 127.0.0.1 or [::1]")
        return self

    @property
    def peers(self) -> frozenset[tuple[str, int]]:
        """Every (host, port) that may be spoken to; hosts in lower case, without brackets."""
        found = frozenset().union(*(_peers(entry) for entry in self.hosts))
        return found | {_web_peer(self.url)} if self.kind in _WEB else found
