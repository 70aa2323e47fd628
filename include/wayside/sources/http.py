"""The one HTTP client for sources: one session a task, guarded, bounded and patient in a typed way.

Nothing that a server sends is believed: not its length, not its encoding, not where it points. An answer is either a
body within its limit, or a `FetchError` with one word that says why. What may pass is tried again with growing,
random pauses; what will not (a refused target, a 404, too many bytes) is not.
"""

import asyncio
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from yarl import URL

from wayside import __version__
from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError, SourceError
from wayside.core.settings import Settings
from wayside.sources.guard import Guard, GuardedResolver
from wayside.sources.reasons import FetchError, Reason
from wayside.sources.spec import SourceSpec

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({404, 410})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 30.0
_CHUNK: Final = 2**16
_NAMES_KEPT: Final = 60
_AGENT: Final = f"wayside/{__version__} (pictures taken beside the road; 1 request per camera and 10 min)"
_REFUSED: Final = frozenset({Reason.REFUSED_URL, Reason.REFUSED_HOST, Reason.REFUSED_ADDRESS})
_SILENT: Final = frozenset({Reason.TIMEOUT, Reason.CONNECTION})
_FEWEST_SILENCES: Final = 8  # a few dead cameras beside each other do not make a dead host


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` 200 with a body, 304 without one, or None for a body that did not come over HTTP.

    Validators are kept as they were sent.
    """

    status: int | None
    body: bytes
    etag: str | None = None
    last_modified: str | None = None


class HttpClient:
    """A guarded HTTP session for one source. Use it as an async context manager, in one event loop.

    A host that stays silent is given up: once so many addresses in a row timed out or could not be connected to, and
    nothing came in between, its other addresses fail at once for as long as the client is open. Else each would cost
    the whole time limit.

    Args:
        spec: the source; its hosts, networks, headers and concurrency apply to every request.
        settings: limits on time, attempts, redirects and concurrency.
        clock: tells the time, for `Retry-After` dates.
        resolver: resolves names before the guard checks them; by default the system's.
    """

    def __init__(
        self,
        spec: SourceSpec,
        settings: Settings,
        *,
        clock: Clock = utc_now,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._spec = spec
        self.settings = settings
        self._clock = clock
        self._guard = Guard(spec)
        self._inner = resolver
        self._session: aiohttp.ClientSession | None = None
        per_host = spec.concurrency or settings.fetch_concurrency_per_host
        self._all = asyncio.Semaphore(settings.fetch_concurrency)
        self._hosts: defaultdict[str | None, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(per_host))
        self._patience = 2 * per_host
        self._troubles: Counter[str | None] = Counter()
        self._silences: defaultdict[str | None, list[Reason]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        """Open the session."""
        inner = self._inner or aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=_NAMES_KEPT, resolver=GuardedResolver(self._guard, inner)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _AGENT, **self._spec.headers},
            timeout=aiohttp.ClientTimeout(total=None, connect=self.settings.fetch_connect_timeout),
            auto_decompress=False,
            # A proxy would resolve names again, behind the guard's back.
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def lane(self, url: str) -> AsyncIterator[None]:
        """Wait for a free place at the host of `url` and overall, and hold both.

        The caller holds the lane until the picture is stored: a slow disk then slows the fetching down, and pictures
        do not pile up in memory.
        """
        async with self._hosts[_host(url)], self._all:
            yield

    async def get(
        self,
        url: str,
        *,
        limit: int,
        etag: str | None = None,
        last_modified: str | None = None,
        accept_encoding: str = "identity",
    ) -> Answer:
        """Fetch an address, trying again what may pass.

        Args:
            url: where to go; checked, as is each redirect.
            limit: largest body that is read, in bytes, encoded or decoded.
            etag: asks for the body only if it has another tag now.
            last_modified: asks for the body only if it changed since; not sent beside `etag`, which is more exact.
            accept_encoding: what the server may do to the body; pictures do not get smaller.

        Returns:
            The answer, with status 200, or 304 if a validator was given and still holds.

        Raises:
            FetchError: any other outcome.
        """
        headers = {"Accept-Encoding": accept_encoding}
        if etag is not None:
            headers["If-None-Match"] = etag
        elif last_modified is not None:
            headers["If-Modified-Since"] = last_modified
        host = _host(url)
        tries = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, FetchError) and error.passing),
            stop=lambda state: self._is_enough(state, host),
            wait=self._pause,
            reraise=True,
        )
        self._check_alive(url, host)
        try:
            answer: Answer = await tries(self._try, url, host, limit, headers)
        except FetchError as error:
            if error.reason in _SILENT:
                self._silences[host].append(error.reason)
            raise
        return answer

    async def get_json(self, url: str) -> object:
        """Fetch a JSON answer of a source's API, in a lane of its own.

        Raises:
            SourceError: the API could not be reached or does not answer JSON.
            ConfigError: the address is refused; a person has to decide whether it should be.
        """
        try:
            async with self.lane(url):
                answer = await self.get(url, limit=self.settings.max_list_bytes, accept_encoding="gzip")
            return await asyncio.to_thread(json.loads, answer.body)
        except FetchError as error:
            kind = ConfigError if error.reason in _REFUSED else SourceError
            raise kind(f"source {self._spec.id} did not answer: {error}") from error
        except (ValueError, RecursionError) as error:
            raise SourceError(f"source {self._spec.id}: {url} does not answer JSON: {error}") from error

    def _check_alive(self, url: str, host: str | None) -> None:
        """Raise what the host's last address ended in, if the host has been given up."""
        silences = self._silences[host]
        if len(silences) >= max(self._patience, _FEWEST_SILENCES):
            raise FetchError(silences[-1], f"{url} is not asked: {host} was silent {len(silences)} times in a row")

    def _is_enough(self, state: RetryCallState, host: str | None) -> bool:
        """Tell whether to stop trying: out of attempts, or a host that lately has been in trouble with everybody."""
        return state.attempt_number >= self.settings.fetch_attempts or self._troubles[host] >= self._patience

    def _pause(self, state: RetryCallState) -> float:
        """Return the seconds to wait: what the server asked for, or a random, growing time; at most half a minute."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, FetchError) and error.wait is not None else 0.0
        # Uniform between 0 and the bound: its mean is half of it, hence twice the mean that the settings speak of.
        growing = wait_random_exponential(multiplier=2 * self.settings.fetch_backoff, max=_LONGEST_WAIT)
        return min(max(asked, growing(state)), _LONGEST_WAIT)

    async def _try(self, url: str, host: str | None, limit: int, headers: dict[str, str]) -> Answer:
        """Try once, turn everything that can go wrong into a `FetchError`, and remember how the host is doing."""
        try:
            async with asyncio.timeout(self.settings.fetch_timeout):
                answer = await self._follow(_parsed(url), limit, headers)
        except FetchError as error:
            self._troubles[host] = self._troubles[host] + 1 if error.passing else 0
            self._silences[host].clear()
            raise
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._troubles[host] += 1
            raise _translated(url, error, self.settings.fetch_timeout) from error
        self._troubles[host] = 0
        self._silences[host].clear()
        return answer

    async def _follow(self, url: URL, limit: int, headers: dict[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is not open: use it as `async with HttpClient(...) as http`")
        came_from: URL | None = None
        for _ in range(self.settings.fetch_redirects + 1):
            self._guard.check_url(url, came_from)
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    return await self._answer(response, limit, conditional=len(headers) > 1)
            came_from, url = url, _parsed(target, base=url)
        raise FetchError(
            Reason.REDIRECT_LOOP,
            f"{came_from} redirects on after {self.settings.fetch_redirects} redirects",
            http_status=response.status,
        )

    async def _answer(self, response: aiohttp.ClientResponse, limit: int, *, conditional: bool) -> Answer:
        status, url = response.status, response.url
        etag, last_modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        if status == 304 and conditional:
            return Answer(status, b"", etag, last_modified)
        if status != 200:
            raise FetchError(
                Reason.HTTP_404 if status in _GONE else Reason.HTTP_ERROR,
                f"{url} answered {status}",
                http_status=status,
                passing=status in _PASSING,
                wait=asked_wait(response.headers.get("Retry-After"), self._clock()),
            )
        if (response.content_length or 0) > limit:
            raise FetchError(
                Reason.TOO_LARGE, f"{url} announces {response.content_length} bytes, limit {limit}", http_status=status
            )
        body = _Body(url, response.headers.get("Content-Encoding", "identity"), limit)
        async for chunk in response.content.iter_chunked(_CHUNK):
            body.add(chunk)
        return Answer(status, body.whole(), etag, last_modified)


def asked_wait(retry_after: str | None, now: datetime) -> float | None:
    """Read `Retry-After`, seconds or a date; None if there is none that makes sense."""
    if retry_after is None:
        return None
    if retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


class _Body:
    """A body that grows up to a limit, decoded on the way if the server insists on gzip."""

    def __init__(self, url: URL, encoding: str, limit: int) -> None:
        self._url = url
        self._limit = limit
        self._read = 0
        self._data = bytearray()
        self._gzip: zlib._Decompress | None = None
        if encoding.lower() in {"gzip", "x-gzip"}:
            self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif encoding.lower() != "identity":
            raise FetchError(Reason.BAD_ANSWER, f"{url} answers in encoding {encoding!r}", http_status=200)

    def add(self, chunk: bytes) -> None:
        """Take more bytes; raise `FetchError` once there are too many, before they are decoded."""
        self._read += len(chunk)
        if self._gzip is not None:
            try:
                chunk = self._gzip.decompress(chunk, self._limit + 1 - len(self._data))
            except zlib.error as error:
                raise FetchError(Reason.BAD_ANSWER, f"{self._url}: its gzip is broken", http_status=200) from error
        self._data += chunk
        if max(self._read, len(self._data)) > self._limit:
            raise FetchError(Reason.TOO_LARGE, f"{self._url} sends more than {self._limit} bytes", http_status=200)

    def whole(self) -> bytes:
        """Return everything that came."""
        if self._gzip is not None and not self._gzip.eof:
            raise FetchError(Reason.INTERRUPTED, f"{self._url}: its gzip ends early", http_status=200, passing=True)
        return bytes(self._data)


def _parsed(text: str, base: URL | None = None) -> URL:
    try:
        return URL(text) if base is None else base.join(URL(text))
    except ValueError as error:
        raise FetchError(Reason.REFUSED_URL, f"{text[:200]!r} is not an address: {error}") from error


def _host(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None


def _translated(url: str, error: Exception, seconds: float) -> FetchError:
    """Say in our words what aiohttp or the system complained about; the order goes from the narrow to the wide."""
    match error:
        case TimeoutError():
            return FetchError(Reason.TIMEOUT, f"{url} did not answer in full within {seconds:g} s", passing=True)
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return FetchError(Reason.TLS, f"{url} has no trustworthy encryption: {error}")
        case aiohttp.ClientPayloadError():
            return FetchError(Reason.INTERRUPTED, f"{url} closed in the middle of the body", passing=True)
        case aiohttp.InvalidURL():
            return FetchError(Reason.REFUSED_URL, f"{url} is not an address: {error}")
        case aiohttp.ClientConnectionError() | OSError():
            return FetchError(Reason.CONNECTION, f"{url} cannot be reached: {error}", passing=True)
    return FetchError(Reason.BAD_ANSWER, f"{url} does not answer proper HTTP: {error}")
