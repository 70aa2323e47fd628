"""Where a fetch may go: the rules against being sent to places inside the house.

Addresses of pictures come from outside, and an API that is broken into can name any. So each URL, also each target of
a redirect, must name a host that a person listed; and the name is resolved here, once, with *all* its addresses
checked, and the connection is made to those very addresses. A name that answers "public" to a check and "private" to
the connection (DNS rebinding) has no second chance to answer.
"""

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from wayside.sources.reasons import FetchError, Reason
from wayside.sources.spec import LOOPBACK, SourceSpec

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# All that has been given out of IPv6 so far for use on the public internet.
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
# Addresses that carry an IPv4 address to a gateway, or through a tunnel, that nobody here has checked.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_TUNNELS: Final = (
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("2001::/32"),
    ipaddress.IPv6Network("2002::/16"),
)


class Guard:
    """The rules of one source: its listed peers, and the networks it may reach that are not public."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._peers = spec.peers

    def check_url(self, url: URL, came_from: URL | None = None) -> None:
        """Refuse a URL by what it says; a host that is written as an address is checked as one.

        Args:
            url: where a request is about to go.
            came_from: the URL that redirected to it.

        Raises:
            FetchError: `refused_url`, `refused_host` or `refused_address`.
        """
        if url.scheme not in {"http", "https"} or not url.host:
            raise FetchError(Reason.REFUSED_URL, f"{url} is not an http or https address")
        if url.user is not None or url.password is not None:
            raise FetchError(Reason.REFUSED_URL, f"{url.with_user(None)} comes with a user name or password in it")
        if came_from is not None and came_from.scheme == "https" and url.scheme == "http":
            raise FetchError(Reason.REFUSED_URL, f"{came_from} redirects from https down to {url}")
        host = url.host.lower().rstrip(".")
        if (host, url.port) not in self._peers:
            raise FetchError(
                Reason.REFUSED_HOST,
                f"{host}:{url.port} is not a host of source {self._spec.id}: add it to its `hosts` if it should be",
            )
        if (literal := _literal(host)) is not None:
            if host in LOOPBACK and self._spec.allow_loopback:
                return
            self.check_address(host, literal)

    def check_address(self, host: str, address: Address) -> None:
        """Refuse an address that is neither public nor in a network that the source may reach."""
        inner = _unwrapped(address)
        if inner is not None and (_is_public(inner) or self._is_listed(inner)):
            return
        raise FetchError(
            Reason.REFUSED_ADDRESS,
            f"{host} lies at {address}, which is not a public address; source {self._spec.id} can reach such "
            "addresses only through its `private_networks`",
        )

    def _is_listed(self, address: Address) -> bool:
        return any(address in network for network in self._spec.private_networks)


class GuardedResolver(AbstractResolver):
    """Resolves names through `inner` and hands on the answer only if every address in it passes the guard."""

    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses of `host`; raise `FetchError` if one is refused, `OSError` if there is none."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            # A scope such as %eth0 can only follow a link-local address, which is refused either way.
            self._guard.check_address(host, ipaddress.ip_address(result["host"].partition("%")[0]))
        return found

    async def close(self) -> None:
        """Close the resolver behind this one."""
        await self._inner.close()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address | None:
    """Return the address that a connection ends at, or None where a tunnel hides it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None if any(address in tunnel for tunnel in _TUNNELS) else address


def _is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet.

    `is_global` alone is not enough: it calls multicast, some reserved blocks and the old site-local ones global.
    """
    if isinstance(address, ipaddress.IPv6Address):
        return address in _PUBLIC_V6 and address.is_global
    return address.is_global and not (address.is_multicast or address.is_reserved)
