"""What every answer of our applications carries, so that a browser does with it only what we mean."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

_HEADERS = {
    # Airflow shows the pages in a frame of its own origin; nothing comes from elsewhere and no script is inline.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Put the headers on an answer; what is not said to be kept is for the one who asked, and for now."""
    answer = await call_next(request)
    for name, value in _HEADERS.items():
        answer.headers[name] = value
    # Pages and data are for the user who asked; pictures and style sheets set their own rule.
    answer.headers.setdefault("Cache-Control", "private, no-store")
    return answer
