"""`POST /wayside-callbacks/labels/{token}`: where a label service puts its answer.

A label service has no user in Airflow, so this is an application of its own, beside the pages. What lets an answer in
is the token in the address: made for one event, told to nobody but the service, good until a deadline, kept here as a
hash. Until it is known nothing is read of a request but its address; whatever is no known token gets the answer that
Airflow gives to strangers.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import StoreError
from wayside.core.settings import settings
from wayside_airflow.web.headers import add_headers

if TYPE_CHECKING:
    from wayside.videos.labellers.callbacks import Callbacks, Expected

_STRANGER: Final = "Not authenticated"
_SLOWEST: Final = 30.0
_SOON: Final = {"Retry-After": "60"}

_log = logging.getLogger(__name__)

Books = Callable[[], "Callbacks"]


def open_books() -> "Callbacks":
    """Open the books of the settings."""
    from wayside.videos.labellers.opened import callbacks_of

    return callbacks_of(settings())


def create_callback_app(books: Books = open_books, clock: Clock = utc_now) -> FastAPI:
    """Build the application over the books, which are opened when a request needs them."""
    app = FastAPI(title="Wayside callbacks", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.books = books
    app.state.clock = clock
    app.post("/labels/{token}")(take_labels)
    app.middleware("http")(add_headers)
    app.add_exception_handler(AnyHTTPException, _explain)
    app.add_exception_handler(StoreError, _unwell)
    return app


async def take_labels(request: Request, token: str) -> dict[str, str]:
    """Take the answer of a label service about one event.

    Returns:
        Status 200 where the answer is taken, or the same was taken before.

    Raises:
        HTTPException: 401: no such token; 400: not JSON; 408: too slow; 409: another answer was taken before; 410: too
            late; 413: too large; 422: not of the documented form.
    """
    books: Callbacks = request.app.state.books()
    expected = await asyncio.to_thread(books.find, token)
    if expected is None:
        raise HTTPException(401, _STRANGER)
    body = await _body(request)
    verdict = await asyncio.to_thread(_take, books, expected, body, request.app.state.clock)
    match verdict:
        case "other":
            raise HTTPException(409, "another answer about this event was taken before; it stays as it is")
        case "late":
            raise HTTPException(410, "the time for this answer is over")
    _log.info("labels of event %s of %s: %s", expected.event, expected.source, verdict)
    return {"detail": "taken"}


def _take(books: "Callbacks", expected: "Expected", body: bytes, clock: Clock) -> str:
    from wayside.videos.labellers.answers import read_answer
    from wayside.videos.labellers.base import AnswerError

    try:
        answer = read_answer(body, expected.pictures)
    except AnswerError as error:
        raise HTTPException(400 if error.reason == "not_json" else 422, str(error)) from error
    return books.take(expected, answer, clock())


async def _body(request: Request) -> bytes:
    """Read the body, bounded in bytes and time."""
    from wayside.videos.labellers.answers import MAX_ANSWER_BYTES

    large = HTTPException(413, f"an answer has at most {MAX_ANSWER_BYTES} bytes")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_ANSWER_BYTES:
        raise large
    body = bytearray()
    try:
        async with asyncio.timeout(_SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise large
    except TimeoutError:
        raise HTTPException(408, f"the answer did not arrive within {_SLOWEST:.0f} s") from None
    return bytes(body)


def _explain(_: Request, error: Exception) -> Response:
    """Answer an error as JSON; an address or a method that there is not looks like a token that is not known."""
    if isinstance(error, HTTPException) and error.status_code != 401:
        return JSONResponse({"detail": str(error.detail)}, error.status_code)
    return JSONResponse({"detail": _STRANGER}, 401)


def _unwell(_: Request, error: Exception) -> Response:
    """Ask to come again while our own disk refuses."""
    _log.error("an answer could not be taken: %s", error)
    return JSONResponse({"detail": "the answer cannot be written down now: send it again later"}, 503, _SOON)
