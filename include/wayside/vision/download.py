"""Fetching one file over HTTPS: certificates checked, size capped, redirects only to HTTPS again."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, Any, Final, Protocol
from urllib.parse import urlsplit

from wayside.core.errors import ModelError, TransientError

Progress = Callable[[int, int | None], None]
"""Told (bytes so far, bytes in all or None where the server does not say)."""

TIMEOUT: Final = 30.0
"""Seconds without a byte after which a download is given up."""

_CHUNK: Final = 256 * 1024


class Download(Protocol):
    """How an address is fetched: write at most `limit` bytes of it to `sink`."""

    def __call__(self, url: str, sink: IO[bytes], *, limit: int, progress: Progress) -> None:
        """Fetch `url`.

        Raises:
            TransientError: the server does not answer, or answers with an error.
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
    schemes: frozenset[str] = frozenset({"https"}),
) -> None:
    """Fetch `url` into `sink`, as `Download` says; `schemes` are those allowed for it and for every redirect."""
    _check_scheme(url, schemes)
    opener = urllib.request.build_opener(_SameSchemeOnly(schemes))
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            _copy(url, answer, sink, limit, progress)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise TransientError(f"{url}: {error}") from error


def _check_scheme(url: str, schemes: frozenset[str]) -> None:
    if urlsplit(url).scheme not in schemes:
        raise ModelError(f"{url} is not fetched: only {', '.join(sorted(schemes))} is allowed")


def _copy(url: str, answer: http.client.HTTPResponse, sink: IO[bytes], limit: int, progress: Progress) -> None:
    """Copy an answer in chunks; stop as soon as it is larger than stated or allowed, fail if it is shorter."""
    stated = answer.headers.get("Content-Length", "")
    total = int(stated) if stated.isdigit() else None
    done = 0
    while chunk := answer.read(_CHUNK):
        done += len(chunk)
        if max(done, total or 0) > limit:
            raise ModelError(f"{url} is larger than the {limit} bytes that were expected at most")
        sink.write(chunk)
        progress(done, total)
    if total is not None and done < total:
        raise TransientError(f"{url}: the connection broke after {done} of {total} bytes")
