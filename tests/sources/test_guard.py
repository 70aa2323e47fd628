"""The guard: no fetch ends inside the house, whatever the URL, the name or a redirect says."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.support import run, spec_of, with_client
from yarl import URL

from wayside.sources import FetchError, Reason, SourceSpec
from wayside.sources.guard import Guard, GuardedResolver


class Names(AbstractResolver):
    """A resolver that answers from a script, a new line for each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[Any]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise OSError("no such name")
        return [
            {"hostname": host, "host": text, "port": port, "proto": 0, "flags": 0, "family": _family(text)}
            for text in addresses
        ]

    async def close(self) -> None:
        self.asked.append("closed")


def _family(text: str) -> int:
    return socket.AF_INET6 if ":" in text else socket.AF_INET


def spec(**fields: Any) -> SourceSpec:
    return SourceSpec.model_validate(
        {"id": "S", "kind": "tfl", "url": "https://api.example.org/list", "hosts": ["pictures.example.org"]} | fields
    )


def refusal(guard: Guard, url: str, came_from: str | None = None) -> Reason | None:
    try:
        guard.check_url(URL(url), URL(came_from) if came_from else None)
    except FetchError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/other",
        "https://API.example.org/other",
        "https://api.example.org./other",
        "http://pictures.example.org/1.jpg",
        "https://pictures.example.org/1.jpg",
    ],
)
def test_listed_hosts_pass(url: str) -> None:
    assert refusal(Guard(spec()), url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://api.example.org/list", Reason.REFUSED_HOST),
        ("https://api.example.org:8443/list", Reason.REFUSED_HOST),
        ("https://api.example.org.evil.example/list", Reason.REFUSED_HOST),
        ("https://evil.example/api.example.org", Reason.REFUSED_HOST),
        ("https://api.example.org@evil.example/", Reason.REFUSED_URL),
        ("https://me:secret@api.example.org/list", Reason.REFUSED_URL),
        ("file:///etc/passwd", Reason.REFUSED_URL),
        ("ftp://api.example.org/list", Reason.REFUSED_URL),
        ("/relative", Reason.REFUSED_URL),
        ("http://169.254.169.254/latest/meta-data", Reason.REFUSED_HOST),
        ("http://127.0.0.1/", Reason.REFUSED_HOST),
        ("http://2130706433/", Reason.REFUSED_HOST),
        ("http://[::ffff:127.0.0.1]/", Reason.REFUSED_HOST),
    ],
)
def test_everything_else_is_refused(url: str, reason: Reason) -> None:
    assert refusal(Guard(spec()), url) is reason


def test_a_password_is_not_repeated_in_the_message() -> None:
    with pytest.raises(FetchError) as caught:
        Guard(spec()).check_url(URL("https://me:secret@api.example.org/list"))
    assert "secret" not in str(caught.value)


def test_https_is_not_left_again() -> None:
    guard = Guard(spec())
    assert refusal(guard, "http://pictures.example.org/1", "https://api.example.org/list") is Reason.REFUSED_URL
    assert refusal(guard, "https://pictures.example.org/1", "http://pictures.example.org/1") is None


LOCAL = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("text", LOCAL)
def test_addresses_inside_the_house_are_refused(text: str) -> None:
    with pytest.raises(FetchError) as caught:
        Guard(spec()).check_address("cam.example.org", ipaddress.ip_address(text))
    assert caught.value.reason is Reason.REFUSED_ADDRESS
    assert not caught.value.passing


@pytest.mark.parametrize("text", ["1.1.1.1", "52.218.1.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1111"])
def test_public_addresses_pass(text: str) -> None:
    Guard(spec()).check_address("cam.example.org", ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_as_the_plain_one(address: ipaddress.IPv4Address) -> None:
    guard = Guard(spec())

    def refused(candidate: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        try:
            guard.check_address("x", candidate)
        except FetchError:
            return True
        return False

    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    translated = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))
    assert refused(mapped) == refused(translated) == refused(address)


def test_a_private_network_opens_only_itself() -> None:
    guard = Guard(spec(private_networks=["10.20.0.0/16"], hosts=["10.20.0.7", "10.21.0.7"]))
    assert refusal(guard, "http://10.20.0.7/1.jpg") is None
    assert refusal(guard, "http://10.21.0.7/1.jpg") is Reason.REFUSED_ADDRESS
    guard.check_address("cam", ipaddress.ip_address("::ffff:10.20.1.1"))


def test_loopback_is_open_only_under_its_own_name() -> None:
    guard = Guard(spec(url="http://127.0.0.1:8765/list", allow_loopback=True))
    assert refusal(guard, "http://127.0.0.1:8765/1.jpg") is None
    assert refusal(guard, "http://127.0.0.1:8080/admin") is Reason.REFUSED_HOST
    assert refusal(guard, "http://127.0.0.2:8765/1.jpg") is Reason.REFUSED_HOST
    with pytest.raises(FetchError):
        guard.check_address("localtest.me", ipaddress.ip_address("127.0.0.1"))
    assert refusal(Guard(spec(url="http://127.0.0.1:8765/list")), "http://127.0.0.1:8765/1.jpg") is (
        Reason.REFUSED_ADDRESS
    )


def test_ipv6_loopback() -> None:
    guard = Guard(spec(hosts=["[::1]:8765"], allow_loopback=True))
    assert refusal(guard, "http://[::1]:8765/1.jpg") is None


def ask(peer: Any, settings: Any, names: Names, **fields: Any) -> Reason:
    """Fetch from a name that `names` resolves, and return why that was refused."""
    given = spec(url=f"http://cam.example.org:{peer.port}/list", hosts=[], **fields)
    with pytest.raises(FetchError) as caught:
        with_client(given, settings, lambda http: http.get(given.url, limit=1000), resolver=names)
    return caught.value.reason


def test_a_name_at_a_local_address_is_refused_before_any_connection(peer: Any, settings: Any) -> None:
    assert ask(peer, settings, Names(["127.0.0.1"])) is Reason.REFUSED_ADDRESS
    assert not peer.calls


def test_one_local_address_among_public_ones_is_enough(peer: Any, settings: Any) -> None:
    assert ask(peer, settings, Names(["1.1.1.1", "127.0.0.1"])) is Reason.REFUSED_ADDRESS
    assert ask(peer, settings, Names(["1.1.1.1", "fe80::1%eth0"])) is Reason.REFUSED_ADDRESS


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which connections would have been made."""
    found: list[str] = []

    async def connect(addr_infos: Any, **_: Any) -> Any:
        found.extend(entry[4][0] for entry in addr_infos)
        raise ConnectionRefusedError("a test does not leave the house")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", connect)
    return found


def test_rebinding_has_no_second_chance(peer: Any, settings: Any, reached: list[str]) -> None:
    """The first answer is checked and used; the second, which points inside, is checked as well and refused."""
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    given = spec(url=f"http://cam.example.org:{peer.port}/list", hosts=[])

    async def twice(http: Any) -> list[Reason]:
        found = []
        for _ in range(2):
            try:
                await http.get(given.url, limit=1000)
            except FetchError as error:
                found.append(error.reason)
            http._session.connector.clear_dns_cache()
        return found

    settings = settings.model_copy(update={"fetch_attempts": 1})
    assert with_client(given, settings, twice, resolver=names) == [Reason.CONNECTION, Reason.REFUSED_ADDRESS]
    assert reached == ["1.1.1.1"]
    assert len(names.asked) == 2


def test_a_name_is_asked_once_for_many_pictures(settings: Any, reached: list[str]) -> None:
    names = Names(["1.1.1.1"])
    settings = settings.model_copy(update={"fetch_attempts": 1})
    given = spec(url="http://cam.example.org/list", hosts=[])

    async def several(http: Any) -> None:
        for _ in range(3):
            with pytest.raises(FetchError):
                await http.get(given.url, limit=1000)

    with_client(given, settings, several, resolver=names)
    assert names.asked == ["cam.example.org"]
    assert reached == ["1.1.1.1"] * 3


def test_closing_the_resolver_closes_the_one_behind_it() -> None:
    names = Names([])
    run(GuardedResolver(Guard(spec()), names).close())
    assert names.asked == ["closed"]


def test_an_unknown_name_is_a_connection_error(peer: Any, settings: Any) -> None:
    assert ask(peer, settings, Names([])) is Reason.CONNECTION


def test_a_redirect_into_the_house_is_refused(peer: Any, settings: Any) -> None:
    peer.status("/r", 302, Location="http://169.254.169.254/latest/meta-data/")
    given = spec_of(peer)
    with pytest.raises(FetchError) as caught:
        with_client(given, settings, lambda http: http.get(peer.url + "/r", limit=1000))
    assert caught.value.reason is Reason.REFUSED_HOST
    listed = spec_of(peer, hosts=["169.254.169.254"])
    with pytest.raises(FetchError) as caught:
        with_client(listed, settings, lambda http: http.get(peer.url + "/r", limit=1000))
    assert caught.value.reason is Reason.REFUSED_ADDRESS
