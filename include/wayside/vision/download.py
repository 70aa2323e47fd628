"""Fetching one file over HTTPS: certificates checked, size and time capped, redirects only to HTTPS again.

The system may take long to look a name up, and longer to find that nobody answers at any of its addresses, and neither
can be interrupted. So a thread of its own does the reading, and whoever waits for it can leave when time is up.
"""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, Any, Final, Protocol
from urllib.parse import urlsplit

from wayside.core.errors import ModelError, TransientError

Progress = Callable[[int, int | None], None]
"""Told (bytes so far, bytes in all or None where the server does not say)."""

DEADLINE: Final = 600.0
"""Seconds after which a download is given up, however far it is."""

PATIENCE: Final = 60.0
"""Seconds after which it is given up if nothing has come yet."""

_TIMEOUT: Final = 30.0  # seconds without a byte after which the reading thread lets go of the connection
_CHUNK: Final = 256 * 1024


class Download(Protocol):
    """How an address is fetched: write at most `limit` bytes of it to `sink`."""

    def __call__(
        self,
        url: str,
        sink: IO[bytes],
        *,
        limit: int,
        progress: Progress,
        patience: float = ...,
    ) -> None:
        """Fetch `url`; give up if nothing has come after `patience` seconds.

        Raises:
            TransientError: the server does not answer, or not in time, or answers with an error.
            ModelError: the address may not be fetched, or the file is larger than `limit`.
        """


class _SameSchemeOnly(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to a scheme that was allowed for the first address."""

    def __init__(self, schemes: frozenset[str]) -> None:
        self._schemes = schemes

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _check_scheme(newurl, self._schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download_https(
    url: str,
    sink: IO[bytes],
    *,
    limit: int,
    progress: Progress,
    patience: float = PATIENCE,
    deadline: float = DEADLINE,
    schemes: frozenset[str] = frozenset({"https"}),
) -> None:
    """Fetch `url` into `sink`, as `Download` says.

    Args:
        url: what to fetch.
        sink: where its bytes are written.
        limit: most bytes that are taken.
        progress: told of each part that came.
        patience: seconds until the first part has to be there.
        deadline: seconds until all of it has to be there.
        schemes: those that are allowed, for `url` and for every redirect.
    """
    _check_scheme(url, schemes)
    parts, given_up, begun = SimpleQueue[_Part | None](), threading.Event(), monotonic()
    threading.Thread(target=_read, args=(url, limit, schemes, parts, given_up), daemon=True).start()
    seconds, done = min(patience, deadline), 0
    try:
        while part := parts.get(timeout=max(0.0, begun + seconds - monotonic())):
            if isinstance(part, Exception):
                raise part
            data, total = part
            done += len(data)
            sink.write(data)
            progress(done, total)
            seconds = deadline
    except Empty:
        raise TransientError(f"{url}: no answer, or no more of it, within {seconds:.3g} s") from None
    finally:
        given_up.set()


def _check_scheme(url: str, schemes: frozenset[str]) -> None:
    if urlsplit(url).scheme not in schemes:
        raise ModelError(f"{url} is not fetched: only {', '.join(sorted(schemes))} is allowed")


_Part = tuple[bytes, int | None] | Exception
"""Bytes and how many there are in all, or why there are no more."""


def _read(
    url: str, limit: int, schemes: frozenset[str], parts: SimpleQueue[_Part | None], given_up: threading.Event
) -> None:
    """Put the parts of `url` into a queue, then None or the error; end early once nobody waits for them any more."""
    opener = urllib.request.build_opener(_SameSchemeOnly(schemes))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            for part in _parts(url, answer, limit):
                if given_up.is_set():
                    return
                parts.put(part)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        told = TransientError(f"{url}: {error}")
        told.__cause__ = error
        parts.put(told)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits has to hear of it
        parts.put(error)
    else:
        parts.put(None)


def _parts(url: str, answer: http.client.HTTPResponse, limit: int) -> Iterator[tuple[bytes, int | None]]:
    """Read an answer as it comes; stop as soon as it is larger than stated or allowed, fail if it is shorter."""
    stated = answer.headers.get("Content-Length", "")
    total = int(stated) if stated.isdigit() else None
    done = 0
    while chunk := answer.read1(_CHUNK):
        done += len(chunk)
        if max(done, total or 0) > limit:
            raise ModelError(f"{url} is larger than the {limit} bytes that were expected at most")
        yield chunk, total
    if total is not None and done < total:
        raise TransientError(f"{url}: the connection broke after {done} of {total} bytes")
